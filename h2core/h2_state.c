/*
 * The states of a stream (RFC 9113, section 5.1) as two tables: what is received, and what is to be
 * sent.
 *
 *                 +------+   HEADERS sent or received
 *                 | idle | ---------------------------+
 *                 +------+                            v
 *                                                 +------+
 *                  END_STREAM received            | open |            END_STREAM sent
 *                 +------------------------------ |      | ------------------------------+
 *                 v                               +------+                               v
 *     +----------------------+                       |                      +---------------------+
 *     | half closed (remote) |                       | RST_STREAM           | half closed (local) |
 *     +----------------------+                       | either way           +---------------------+
 *                 |                                  v                                   |
 *                 |  END_STREAM sent             +--------+      END_STREAM received     |
 *                 +----------------------------> | closed | <----------------------------+
 *                    RST_STREAM either way       +--------+        RST_STREAM either way
 *
 * The two reserved states cannot be reached: we announce ENABLE_PUSH 0 as a client, and never push
 * as a server. PRIORITY has no column, being allowed (and ignored) in every state. END_STREAM is an
 * input of its own that follows the HEADERS or DATA which carried it.
 *
 * Closed is four states, since what is still allowed depends on how it was closed: a peer that
 * ended its side can have nothing more to say; what comes after our RST_STREAM may have been on its
 * way; of what is forgotten, or was skipped by a higher stream id, only DATA gets the benefit of
 * the doubt.
 */
#include "h2_internal.h"

/* clang-format off */
#define ______           { H2_ERROR, 0, { 0, 0, NULL } }
#define TO(state)        { H2_ACCEPT, H2_STATE_##state, { 0, 0, NULL } }
#define DROP             { H2_IGNORE, 0, { 0, 0, NULL } }
#define CONN(code, why)  { H2_REJECT, 0, { H2_##code, H2_SCOPE_CONN, why } }
#define RESET(code, why) { H2_REJECT, 0, { H2_##code, H2_SCOPE_STREAM, why } }

#define EARLY_DATA   CONN(PROTOCOL_ERROR, "DATA on an idle stream")
#define EARLY_RESET  CONN(PROTOCOL_ERROR, "RST_STREAM on an idle stream")
#define EARLY_WINDOW CONN(PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream")
#define NOT_THEIRS   CONN(PROTOCOL_ERROR, "HEADERS on a stream that is not the peer's to open")
#define HEAD_ENDED   RESET(STREAM_CLOSED, "HEADERS after END_STREAM")
#define DATA_ENDED   RESET(STREAM_CLOSED, "DATA after END_STREAM")
#define HEAD_CLOSED  CONN(STREAM_CLOSED, "HEADERS on a closed stream")
#define DATA_CLOSED  CONN(STREAM_CLOSED, "DATA on a closed stream")
#define HEAD_RESET   RESET(STREAM_CLOSED, "HEADERS after RST_STREAM")
#define DATA_RESET   RESET(STREAM_CLOSED, "DATA after RST_STREAM")
/* RFC 9113, 5.1.1: a new stream's id is higher than all before. */
#define LOWER_ID     CONN(PROTOCOL_ERROR, "HEADERS on a stream id lower than one used before")

#define PEER_RST  TO(CLOSED_RESET_RECEIVED)
#define OUR_RST   TO(CLOSED_RESET_SENT)
#define BOTH_END  TO(CLOSED_ENDED)
#define HALF_L    TO(HALF_CLOSED_LOCAL)
#define HALF_R    TO(HALF_CLOSED_REMOTE)
#define OPEN      TO(OPEN)

static const struct h2_move received[H2_STATE_COUNT][H2_RX_INPUTS] = {
                                    /* HEADERS      DATA         END_STREAM  RST_STREAM    WINDOW_UPDATE */
    [H2_STATE_IDLE]                  = { OPEN,        EARLY_DATA,  ______,     EARLY_RESET,  EARLY_WINDOW },
    [H2_STATE_IDLE_OURS]             = { NOT_THEIRS,  EARLY_DATA,  ______,     EARLY_RESET,  EARLY_WINDOW },
    [H2_STATE_OPEN]                  = { OPEN,        OPEN,        HALF_R,     PEER_RST,     OPEN },
    [H2_STATE_HALF_CLOSED_LOCAL]     = { HALF_L,      HALF_L,      BOTH_END,   PEER_RST,     HALF_L },
    [H2_STATE_HALF_CLOSED_REMOTE]    = { HEAD_ENDED,  DATA_ENDED,  ______,     PEER_RST,     HALF_R },
    [H2_STATE_CLOSED_ENDED]          = { HEAD_CLOSED, DATA_CLOSED, ______,     DROP,         DROP },
    [H2_STATE_CLOSED_RESET_SENT]     = { DROP,        DROP,        ______,     DROP,         DROP },
    [H2_STATE_CLOSED_RESET_RECEIVED] = { HEAD_RESET,  DATA_RESET,  ______,     DROP,         DROP },
    [H2_STATE_CLOSED_FORGOTTEN]      = { LOWER_ID,    DROP,        ______,     DROP,         DROP },
};

static const struct h2_move sent[H2_STATE_COUNT][H2_INPUT_COUNT - H2_RX_INPUTS] = {
                                    /* HEADERS  DATA     END_STREAM  RST_STREAM */
    [H2_STATE_IDLE]                  = { ______,  ______,  ______,     ______ },
    [H2_STATE_IDLE_OURS]             = { OPEN,    ______,  ______,     ______ },
    [H2_STATE_OPEN]                  = { OPEN,    OPEN,    HALF_L,     OUR_RST },
    [H2_STATE_HALF_CLOSED_LOCAL]     = { ______,  ______,  ______,     OUR_RST },
    [H2_STATE_HALF_CLOSED_REMOTE]    = { HALF_R,  HALF_R,  BOTH_END,   OUR_RST },
    [H2_STATE_CLOSED_ENDED]          = { ______,  ______,  ______,     ______ },
    [H2_STATE_CLOSED_RESET_SENT]     = { ______,  ______,  ______,     ______ },
    [H2_STATE_CLOSED_RESET_RECEIVED] = { ______,  ______,  ______,     ______ },
    [H2_STATE_CLOSED_FORGOTTEN]      = { ______,  ______,  ______,     ______ },
};
/* clang-format on */

const struct h2_move *h2_state_move(enum h2_state state, enum h2_input input)
{
    assert(state < H2_STATE_COUNT && input < H2_INPUT_COUNT);
    return input < H2_RX_INPUTS ? &received[state][input] : &sent[state][input - H2_RX_INPUTS];
}

const char *h2_state_name(enum h2_state state)
{
    static const char *const names[H2_STATE_COUNT] = {
        [H2_STATE_IDLE] = "idle",
        [H2_STATE_IDLE_OURS] = "idle (ours)",
        [H2_STATE_OPEN] = "open",
        [H2_STATE_HALF_CLOSED_LOCAL] = "half closed (local)",
        [H2_STATE_HALF_CLOSED_REMOTE] = "half closed (remote)",
        [H2_STATE_CLOSED_ENDED] = "closed (ended)",
        [H2_STATE_CLOSED_RESET_SENT] = "closed (reset sent)",
        [H2_STATE_CLOSED_RESET_RECEIVED] = "closed (reset received)",
        [H2_STATE_CLOSED_FORGOTTEN] = "closed (forgotten)",
    };
    assert(state < H2_STATE_COUNT);
    return names[state];
}
