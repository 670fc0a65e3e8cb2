/*
 * A resolver with a name server of the test's own (dns_testing.h), and users that remember what
 * they are told. One at a time.
 */
#ifndef RESOLVER_TESTING_H
#define RESOLVER_TESTING_H

#include "dns_testing.h"
#include "net/resolver.h"
#include "proxy_testing.h"

extern struct ev_loop *loop;
extern struct dns_server *server;
extern struct resolver *resolver;

/**
 * Starts all three; what `o` leaves open is ten seconds of cache, two tries, no hosts file. `first`
 * are the lines of resolv.conf before the server's, `more` those behind it.
 */
void begin_with(struct resolver_options o, const char *first, const char *more);
/** Without a search list. */
void begin(struct resolver_options o);
void end(void);

/** A file of the test's folder. A few such paths are valid at a time. */
const char *path_of(const char *file);
void write_file(const char *path, const char *text);
/** The log is kept for logged() from now on, or not any more; begin() and end() do that. */
void catch_log(bool on);
/** How often these words were in it. */
unsigned logged(const char *words);

struct user {
    struct resolver_watch *watch;
    unsigned calls;
    enum resolver_status status;
    char text[8192];        /**< "ADDRESS PORT[ PRIORITY/WEIGHT], …" */
    struct user *drop;      /**< dropped when this one is called */
    const char *watch_name; /**< watched by `other` when this one is called */
    struct user *other;
};

/** The resolver's calls; each checks that nobody is told inside it. */
void watch_as(struct user *u, const char *name, uint16_t port, enum resolver_kind kind, int family);
/** Port 80, both families; forgets what the user was told. */
void watch(struct user *u, const char *name);
void watch_srv(struct user *u, const char *name);
void drop(struct user *u);
enum resolver_state touch(struct user *u);

/** The user was told these addresses last. */
void expect(struct user *u, const char *text);

/**
 * Runs the loop until the condition is true, for ten seconds at the most. It is looked at every 5
 * ms too: what the server's thread counts does not wake the loop.
 */
#define until(condition)                                                                           \
    do {                                                                                           \
        uint64_t deadline_ = wait_begin();                                                         \
        while (!(condition)) {                                                                     \
            wait_turn(deadline_, #condition);                                                      \
        }                                                                                          \
        wait_end();                                                                                \
    } while (0)
uint64_t wait_begin(void);
void wait_turn(uint64_t deadline, const char *what);
void wait_end(void);

#endif
