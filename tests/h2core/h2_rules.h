/*
 * Rules of a protocol, each as what a peer sends and what must come of it: nothing, a stream error,
 * a connection error. A rule that holds for both ends is run with the engine as server and as
 * client, at once, byte by byte and in random pieces.
 *
 * The script language is that of h2_script.h. The state that stream 1 is brought to before is part
 * of the rule; only what is recorded behind it counts. A PING at the end shows whether the
 * connection lives.
 */
#ifndef H2_RULES_H
#define H2_RULES_H

#include "h2_script.h"

#define S  1 /* the engine is the server */
#define C  2 /* … the client */
#define SC 3 /* each in turn */

enum rule_state {
    IDLE,
    OPEN,       /* both sides may send; a client has the response head */
    PEER_ENDED, /* half closed (remote) */
    WE_ENDED,   /* half closed (local); a client has the response head */
    ASKED,      /* half closed (local) and a client without an answer; a server: as WE_ENDED */
    ENDED,      /* closed by END_STREAM of both */
    WE_RESET,
    PEER_RESET,
    PROMISED,  /* client, with push: 1 is open, 2 is reserved (remote) */
    UNGREETED, /* nothing was received yet */
    RULE_STATES
};

enum rule_outcome {
    TAKEN,  /* no error of any kind, and the connection lives */
    RESETS, /* one RST_STREAM with the code, and the connection lives */
    BREAKS, /* GOAWAY with the code; nothing more is done */
};

struct h2_rule {
    const char *name; /* the rule */
    int roles;
    enum rule_state state;
    const char *script;
    enum rule_outcome outcome;
    const char *code; /* RESETS, BREAKS */
    const char *with; /* text that the record must have, too; NULL: none */
    void (*tune)(struct h2_options *opts);
};

void rules_check(const struct h2_rule *rules, size_t n);

#define RULES_CHECK(rules) rules_check(rules, sizeof(rules) / sizeof((rules)[0]))

#endif
