/*
 * Allocations that fail at will. A test that links failing_memory.c and is given its link arguments
 * (tests/meson.build) has them in the place of libc's, and so has the code under test that is
 * linked statically.
 */
#ifndef FAILING_MEMORY_H
#define FAILING_MEMORY_H

/** How many more succeed before all others fail; -1: there is no end. */
extern long allocations_left;

#endif
