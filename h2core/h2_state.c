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
 * A stream that was promised (RFC 9113, 8.4) begins in one of the reserved states and goes on from
 * half closed: its request is the promise, so only the server's side is open.
 *
 *       PUSH_PROMISE sent        +------------------+  HEADERS sent      +----------------------+
 *     -------------------------> | reserved (local) | -----------------> | half closed (remote) |
 *                                +------------------+                    +----------------------+
 *       PUSH_PROMISE received    +-------------------+ HEADERS received  +---------------------+
 *     -------------------------> | reserved (remote) | ----------------> | half closed (local) |
 *                                +-------------------+                   +---------------------+
 *
 * Idle is three states, by who may open the stream and how: the peer with HEADERS, the peer with a
 * PUSH_PROMISE, we. PRIORITY has no column, being allowed (and ignored) in every state. END_STREAM
 * is an input of its own that follows the HEADERS or DATA which carried it.
 *
 * Closed is five states, since what is still allowed depends on how it was closed: a peer that
 * ended its side can have nothing more to say; what comes after our RST_STREAM may have been on its
 * way, and so may what comes on a stream of which nothing is remembered. A stream that was never
 * opened, because its peer went on to a higher id, is closed too (5.1.1).
 */
#include "h2_internal.h"

/* clang-format off */
#define ______           { H2_ERROR, 0, { H2_OK, 0, 0, NULL } }
#define TO(state)        { H2_ACCEPT, H2_STATE_##state, { H2_OK, 0, 0, NULL } }
#define DROP             { H2_IGNORE, 0, { H2_OK, 0, 0, NULL } }
#define CONN(error, code, why)  { H2_REJECT, 0, { H2_ERR_##error, H2_##code, H2_SCOPE_CONN, why } }
#define RESET(error, code, why) { H2_REJECT, 0, { H2_ERR_##error, H2_##code, H2_SCOPE_STREAM, why } }

#define EARLY_DATA   CONN(NO_STREAM, PROTOCOL_ERROR, "DATA on an idle stream")
#define EARLY_RESET  CONN(NO_STREAM, PROTOCOL_ERROR, "RST_STREAM on an idle stream")
#define EARLY_WINDOW CONN(NO_STREAM, PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream")
#define NOT_THEIRS   CONN(NO_STREAM, PROTOCOL_ERROR, "HEADERS on a stream that is not the peer's to open")
#define RESVD_HEAD   CONN(STREAM_STATE, PROTOCOL_ERROR, "HEADERS on a stream that we have promised")
#define RESVD_DATA   CONN(STREAM_STATE, PROTOCOL_ERROR, "DATA on a reserved stream")
#define RESVD_WINDOW CONN(STREAM_STATE, PROTOCOL_ERROR, "WINDOW_UPDATE on a stream that the peer has promised")
#define BAD_PROMISE  CONN(STREAM_STATE, PROTOCOL_ERROR, "PUSH_PROMISE on a stream that is neither open nor half closed (local)")
#define NOT_NEW      CONN(STREAM_ID_LOW, PROTOCOL_ERROR, "PUSH_PROMISE of a stream id that is not a new one of the peer's")
#define HEAD_ENDED   RESET(STREAM_CLOSED, STREAM_CLOSED, "HEADERS after END_STREAM")
#define DATA_ENDED   RESET(STREAM_CLOSED, STREAM_CLOSED, "DATA after END_STREAM")
#define HEAD_CLOSED  CONN(STREAM_CLOSED, STREAM_CLOSED, "HEADERS on a closed stream")
#define DATA_CLOSED  CONN(STREAM_CLOSED, STREAM_CLOSED, "DATA on a closed stream")
#define HEAD_RESET   RESET(STREAM_CLOSED, STREAM_CLOSED, "HEADERS after RST_STREAM")
#define DATA_RESET   RESET(STREAM_CLOSED, STREAM_CLOSED, "DATA after RST_STREAM")
/* RFC 9113, 5.1.1: a new stream's id is higher than all before. */
#define LOWER_ID     CONN(STREAM_ID_LOW, PROTOCOL_ERROR, "HEADERS on a stream id lower than one used before")

#define PEER_RST  TO(CLOSED_RESET_RECEIVED)
#define OUR_RST   TO(CLOSED_RESET_SENT)
#define BOTH_END  TO(CLOSED_ENDED)
#define HALF_L    TO(HALF_CLOSED_LOCAL)
#define HALF_R    TO(HALF_CLOSED_REMOTE)
#define OPEN      TO(OPEN)
#define RESVD_L   TO(RESERVED_LOCAL)
#define RESVD_R   TO(RESERVED_REMOTE)

static const struct h2_move received[H2_STATE_COUNT][H2_RX_INPUTS] = {
                                    /* HEADERS      DATA         END_STREAM  RST_STREAM   WINDOW_UPDATE  promise on it  promise of it */
    [H2_STATE_IDLE]                  = { OPEN,        EARLY_DATA,  ______,     EARLY_RESET, EARLY_WINDOW,  BAD_PROMISE,   NOT_NEW },
    [H2_STATE_IDLE_PUSHED]           = { NOT_THEIRS,  EARLY_DATA,  ______,     EARLY_RESET, EARLY_WINDOW,  BAD_PROMISE,   RESVD_R },
    [H2_STATE_IDLE_OURS]             = { NOT_THEIRS,  EARLY_DATA,  ______,     EARLY_RESET, EARLY_WINDOW,  BAD_PROMISE,   NOT_NEW },
    [H2_STATE_RESERVED_LOCAL]        = { RESVD_HEAD,  RESVD_DATA,  ______,     PEER_RST,    RESVD_L,       BAD_PROMISE,   NOT_NEW },
    [H2_STATE_RESERVED_REMOTE]       = { HALF_L,      RESVD_DATA,  ______,     PEER_RST,    RESVD_WINDOW,  BAD_PROMISE,   NOT_NEW },
    [H2_STATE_OPEN]                  = { OPEN,        OPEN,        HALF_R,     PEER_RST,    OPEN,          OPEN,          NOT_NEW },
    [H2_STATE_HALF_CLOSED_LOCAL]     = { HALF_L,      HALF_L,      BOTH_END,   PEER_RST,    HALF_L,        HALF_L,        NOT_NEW },
    [H2_STATE_HALF_CLOSED_REMOTE]    = { HEAD_ENDED,  DATA_ENDED,  ______,     PEER_RST,    HALF_R,        BAD_PROMISE,   NOT_NEW },
    [H2_STATE_CLOSED_ENDED]          = { HEAD_CLOSED, DATA_CLOSED, ______,     DROP,        DROP,          BAD_PROMISE,   NOT_NEW },
    [H2_STATE_CLOSED_RESET_SENT]     = { DROP,        DROP,        ______,     DROP,        DROP,          DROP,          NOT_NEW },
    [H2_STATE_CLOSED_RESET_RECEIVED] = { HEAD_RESET,  DATA_RESET,  ______,     DROP,        DROP,          BAD_PROMISE,   NOT_NEW },
    [H2_STATE_CLOSED_FORGOTTEN]      = { DROP,        DROP,        ______,     DROP,        DROP,          DROP,          NOT_NEW },
    [H2_STATE_CLOSED_SKIPPED]        = { LOWER_ID,    DROP,        ______,     DROP,        DROP,          BAD_PROMISE,   NOT_NEW },
};

static const struct h2_move sent[H2_STATE_COUNT][H2_INPUT_COUNT - H2_RX_INPUTS] = {
                                    /* HEADERS  DATA     END_STREAM  RST_STREAM  promise on it  promise of it  ALTSVC */
    [H2_STATE_IDLE]                  = { ______,  ______,  ______,     ______,     ______,        ______,        ______ },
    [H2_STATE_IDLE_PUSHED]           = { ______,  ______,  ______,     ______,     ______,        ______,        ______ },
    [H2_STATE_IDLE_OURS]             = { OPEN,    ______,  ______,     ______,     ______,        RESVD_L,       ______ },
    [H2_STATE_RESERVED_LOCAL]        = { HALF_R,  ______,  ______,     OUR_RST,    ______,        ______,        ______ },
    [H2_STATE_RESERVED_REMOTE]       = { ______,  ______,  ______,     OUR_RST,    ______,        ______,        ______ },
    [H2_STATE_OPEN]                  = { OPEN,    OPEN,    HALF_L,     OUR_RST,    OPEN,          ______,        OPEN },
    [H2_STATE_HALF_CLOSED_LOCAL]     = { ______,  ______,  ______,     OUR_RST,    ______,        ______,        ______ },
    [H2_STATE_HALF_CLOSED_REMOTE]    = { HALF_R,  HALF_R,  BOTH_END,   OUR_RST,    HALF_R,        ______,        HALF_R },
    [H2_STATE_CLOSED_ENDED]          = { ______,  ______,  ______,     ______,     ______,        ______,        ______ },
    [H2_STATE_CLOSED_RESET_SENT]     = { ______,  ______,  ______,     ______,     ______,        ______,        ______ },
    [H2_STATE_CLOSED_RESET_RECEIVED] = { ______,  ______,  ______,     ______,     ______,        ______,        ______ },
    [H2_STATE_CLOSED_FORGOTTEN]      = { ______,  ______,  ______,     ______,     ______,        ______,        ______ },
    [H2_STATE_CLOSED_SKIPPED]        = { ______,  ______,  ______,     ______,     ______,        ______,        ______ },
};
/* clang-format on */

const struct h2_move *h2_state_move(enum h2_stream_state state, enum h2_input input)
{
    assert(state < H2_STATE_COUNT && input < H2_INPUT_COUNT);
    return input < H2_RX_INPUTS ? &received[state][input] : &sent[state][input - H2_RX_INPUTS];
}

const char *h2_stream_state_name(enum h2_stream_state state)
{
    static const char *const names[H2_STATE_COUNT] = {
        [H2_STATE_IDLE] = "idle",
        [H2_STATE_IDLE_PUSHED] = "idle (to be promised)",
        [H2_STATE_IDLE_OURS] = "idle (ours)",
        [H2_STATE_RESERVED_LOCAL] = "reserved (local)",
        [H2_STATE_RESERVED_REMOTE] = "reserved (remote)",
        [H2_STATE_OPEN] = "open",
        [H2_STATE_HALF_CLOSED_LOCAL] = "half closed (local)",
        [H2_STATE_HALF_CLOSED_REMOTE] = "half closed (remote)",
        [H2_STATE_CLOSED_ENDED] = "closed (ended)",
        [H2_STATE_CLOSED_RESET_SENT] = "closed (reset sent)",
        [H2_STATE_CLOSED_RESET_RECEIVED] = "closed (reset received)",
        [H2_STATE_CLOSED_FORGOTTEN] = "closed (forgotten)",
        [H2_STATE_CLOSED_SKIPPED] = "closed (skipped)",
    };
    assert(state < H2_STATE_COUNT);
    return names[state];
}

const char *h2_input_name(enum h2_input input)
{
    static const char *const names[H2_INPUT_COUNT] = {
        [H2_RX_HEADERS] = "HEADERS received",
        [H2_RX_DATA] = "DATA received",
        [H2_RX_END] = "END_STREAM received",
        [H2_RX_RST] = "RST_STREAM received",
        [H2_RX_WINDOW_UPDATE] = "WINDOW_UPDATE received",
        [H2_RX_PROMISE] = "PUSH_PROMISE received on it",
        [H2_RX_PROMISED] = "PUSH_PROMISE of it received",
        [H2_TX_HEADERS] = "HEADERS sent",
        [H2_TX_DATA] = "DATA sent",
        [H2_TX_END] = "END_STREAM sent",
        [H2_TX_RST] = "RST_STREAM sent",
        [H2_TX_PROMISE] = "PUSH_PROMISE sent on it",
        [H2_TX_PROMISED] = "PUSH_PROMISE of it sent",
        [H2_TX_ALTSVC] = "ALTSVC sent",
    };
    assert(input < H2_INPUT_COUNT);
    return names[input];
}
