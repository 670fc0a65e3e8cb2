/*
 * The states of a connection as a table (RFC 9113, 3.4 and 6.8).
 *
 *     server                  client
 *       |                       |
 *       v        preface        v          SETTINGS        +------+
 *   +---------+ received   +----------+    received        | open |
 *   | preface | ---------> | settings | -----------------> |      |
 *   +---------+            +----------+                    +------+
 *       |                       |                 GOAWAY    |    |   GOAWAY
 *       | GOAWAY sent           | GOAWAY sent      sent     v    v  received
 *       v                       v                   +---------+ +-------------+
 *   +---------+  preface   +----------+  SETTINGS   | goaway  | |   goaway    |
 *   | leaving | ---------> | leaving  | ----------> |  sent   | |  received   |
 *   +---------+            +----------+             +---------+ +-------------+
 *                                                           |    |
 *         from every state: a failure -> failed,            v    v
 *         and when it was told -> closed;                +-----------+
 *         the caller ends it -> closed                   | goaway of |
 *                                                        |   both    |
 *                                                        +-----------+
 *
 * Who has sent GOAWAY with a last stream id takes no new streams: those above it are ignored (they
 * were on their way). Who has received it opens none, but may still be sent new ones.
 */
#include "h2_internal.h"

/* clang-format off */
#define ______           { H2_ERROR, 0, { H2_OK, 0, H2_SCOPE_NONE, NULL } }
#define TO(state)        { H2_ACCEPT, H2_CONN_##state, { H2_OK, 0, H2_SCOPE_NONE, NULL } }
#define DROP             { H2_IGNORE, 0, { H2_OK, 0, H2_SCOPE_NONE, NULL } }
#define NOT_SETTINGS     { H2_REJECT, 0, { H2_ERR_PREFACE, H2_PROTOCOL_ERROR, H2_SCOPE_CONN, \
                                           "the first frame is not SETTINGS" } }
#define NO_NEW_ONES      { H2_REJECT, 0, { H2_ERR_GOAWAY, 0, H2_SCOPE_NONE, NULL } }
#define IS_OVER          { H2_REJECT, 0, { H2_ERR_CLOSED, 0, H2_SCOPE_NONE, NULL } }

#define PREFACE   TO(PREFACE)
#define PREFACE_L TO(PREFACE_LEAVING)
#define SETTINGS  TO(SETTINGS)
#define SETTNGS_L TO(SETTINGS_LEAVING)
#define OPEN      TO(OPEN)
#define SENT      TO(GOAWAY_SENT)
#define RECEIVED  TO(GOAWAY_RECEIVED)
#define BOTH      TO(GOAWAY_BOTH)
#define FAILED    TO(FAILED)
#define CLOSED    TO(CLOSED)

static const struct h2_move moves[H2_CONN_STATE_COUNT][H2_CONN_INPUT_COUNT] = {
                                 /* received:                                                         to be sent: */
                                 /* PREFACE    SETTINGS   GOAWAY        STREAM        FRAME          STREAM       GOAWAY     FRAME      BREAK    CLOSE */
    [H2_CONN_PREFACE]          = { SETTINGS,   ______,    ______,       ______,       ______,        PREFACE,     PREFACE_L, PREFACE,   FAILED,  CLOSED },
    [H2_CONN_PREFACE_LEAVING]  = { SETTNGS_L,  ______,    ______,       ______,       ______,        NO_NEW_ONES, PREFACE_L, PREFACE_L, FAILED,  CLOSED },
    [H2_CONN_SETTINGS]         = { ______,     OPEN,      NOT_SETTINGS, NOT_SETTINGS, NOT_SETTINGS,  SETTINGS,    SETTNGS_L, SETTINGS,  FAILED,  CLOSED },
    [H2_CONN_SETTINGS_LEAVING] = { ______,     SENT,      NOT_SETTINGS, NOT_SETTINGS, NOT_SETTINGS,  NO_NEW_ONES, SETTNGS_L, SETTNGS_L, FAILED,  CLOSED },
    [H2_CONN_OPEN]             = { ______,     OPEN,      RECEIVED,     OPEN,         OPEN,          OPEN,        SENT,      OPEN,      FAILED,  CLOSED },
    [H2_CONN_GOAWAY_SENT]      = { ______,     SENT,      BOTH,         DROP,         SENT,          NO_NEW_ONES, SENT,      SENT,      FAILED,  CLOSED },
    [H2_CONN_GOAWAY_RECEIVED]  = { ______,     RECEIVED,  RECEIVED,     RECEIVED,     RECEIVED,      NO_NEW_ONES, BOTH,      RECEIVED,  FAILED,  CLOSED },
    [H2_CONN_GOAWAY_BOTH]      = { ______,     BOTH,      BOTH,         DROP,         BOTH,          NO_NEW_ONES, BOTH,      BOTH,      FAILED,  CLOSED },
    [H2_CONN_FAILED]           = { ______,     ______,    ______,       ______,       ______,        IS_OVER,     IS_OVER,   IS_OVER,   IS_OVER, CLOSED },
    [H2_CONN_CLOSED]           = { ______,     ______,    ______,       ______,       ______,        IS_OVER,     IS_OVER,   IS_OVER,   IS_OVER, IS_OVER },
};
/* clang-format on */

const struct h2_move *h2_conn_state_move(enum h2_conn_state state, enum h2_conn_input input)
{
    assert(state < H2_CONN_STATE_COUNT && input < H2_CONN_INPUT_COUNT);
    return &moves[state][input];
}

const char *h2_conn_state_name(enum h2_conn_state state)
{
    static const char *const names[H2_CONN_STATE_COUNT] = {
        [H2_CONN_PREFACE] = "preface",
        [H2_CONN_PREFACE_LEAVING] = "preface (leaving)",
        [H2_CONN_SETTINGS] = "settings",
        [H2_CONN_SETTINGS_LEAVING] = "settings (leaving)",
        [H2_CONN_OPEN] = "open",
        [H2_CONN_GOAWAY_SENT] = "goaway sent",
        [H2_CONN_GOAWAY_RECEIVED] = "goaway received",
        [H2_CONN_GOAWAY_BOTH] = "goaway of both",
        [H2_CONN_FAILED] = "failed",
        [H2_CONN_CLOSED] = "closed",
    };
    assert(state < H2_CONN_STATE_COUNT);
    return names[state];
}

const char *h2_conn_input_name(enum h2_conn_input input)
{
    static const char *const names[H2_CONN_INPUT_COUNT] = {
        [H2_CONN_RX_PREFACE] = "preface received",
        [H2_CONN_RX_SETTINGS] = "SETTINGS received",
        [H2_CONN_RX_GOAWAY] = "GOAWAY received",
        [H2_CONN_RX_STREAM] = "new stream received",
        [H2_CONN_RX_FRAME] = "other frame received",
        [H2_CONN_TX_STREAM] = "new stream sent",
        [H2_CONN_TX_GOAWAY] = "GOAWAY sent",
        [H2_CONN_TX_FRAME] = "other frame sent",
        [H2_CONN_BREAK] = "failure",
        [H2_CONN_CLOSE] = "the caller ends it",
    };
    assert(input < H2_CONN_INPUT_COUNT);
    return names[input];
}

void h2_conn_move(struct h2_conn *c, enum h2_conn_input input)
{
    const struct h2_move *move = h2_conn_state_move(c->state, input);
    assert(move->verdict == H2_ACCEPT);
    if (h2_is_traced(c) && move->next != c->state) {
        h2_trace_state_always(c, H2_TRACE_CONN_STATE, 0, h2_conn_state_name(c->state),
                              h2_conn_state_name(move->next));
    }
    c->state = move->next;
}

enum h2_error h2_conn_may(const struct h2_conn *c, enum h2_conn_input input)
{
    const struct h2_move *move = h2_conn_state_move(c->state, input);
    assert(move->verdict != H2_ERROR);
    return move->verdict == H2_ACCEPT ? H2_OK : move->fail.error;
}
