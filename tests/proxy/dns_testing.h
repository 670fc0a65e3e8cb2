/*
 * A name server of the test's own, in a thread, on UDP and TCP of one free port of 127.0.0.1. It
 * answers from rules, which the test may change at any time, and counts what it is asked.
 */
#ifndef DNS_TESTING_H
#define DNS_TESTING_H

#include <stdint.h>

struct dns_server;

struct dns_server *dns_server_start(void);
void dns_server_stop(struct dns_server *s);
uint16_t dns_server_port(const struct dns_server *s);

/**
 * From now on questions for `name` and `type` ("A", "AAAA", "SRV") get `answer`:
 *   records with commas between, "A TTL ADDRESS", "AAAA TTL ADDRESS", "CNAME TTL NAME" (the owner
 *   of those behind it), "SRV TTL PRIORITY WEIGHT PORT TARGET";
 *   NODATA, NXDOMAIN, SERVFAIL, REFUSED;
 *   SILENCE: nothing;
 *   GARBAGE: a header that fits, and records that do not end;
 *   "MUTATED …": with a few octets behind the identifier changed, or its end cut off;
 *   "HELD …": held back until dns_release(), then as the rest says at that time;
 *   "TRUNCATED …": by UDP only that it does not fit, by TCP the rest.
 * Questions without a rule get NXDOMAIN, and those of a name that has one of another type NODATA.
 */
void dns_say(struct dns_server *s, const char *name, const char *type, const char *answer);
/** Answers what was held back: records as they are said now. */
void dns_release(struct dns_server *s);
/** How often it was asked that, by UDP and by TCP. `type` NULL: any. */
unsigned dns_asked(struct dns_server *s, const char *name, const char *type);
unsigned dns_asked_by_tcp(struct dns_server *s);

#endif
