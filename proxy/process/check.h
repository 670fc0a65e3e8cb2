/* --check-config and --print-config: what is said about a configuration without serving by it. */
#ifndef PROCESS_CHECK_H
#define PROCESS_CHECK_H

struct config;

/** Does what --check-config and --print-config ask for; returns the exit status. */
int check_run(struct config *cfg);

#endif
