/*
 * A connection with a caller and a peer who both do what the input says, in whatever order; what
 * h2_server_fuzz.c and h2_client_fuzz.c have in common.
 *
 * Input: four octets of options (see h2_play.c), then steps: an octet that says what is done and by
 * whom, and what that needs. Every input has a meaning, and the end of input ends what it cuts off.
 */
#ifndef H2_PLAY_H
#define H2_PLAY_H

#include "h2_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PLAY_STREAMS 64   /* ids above are not followed */
#define PLAY_TABLES  4096 /* more settings than an input can hold */

/* What was told of a stream, as bits. */
enum play_told { PLAY_HEAD = 1, PLAY_END = 2, PLAY_GONE = 4, PLAY_ENDED = 8, PLAY_PROMISED = 16 };

/* What was sent on it. */
enum play_sent { PLAY_SENT_HEAD = 1, PLAY_SENT_END = 2, PLAY_SENT_RST = 4 };

struct play {
    struct h2_conn *c;
    struct h2_options opts;
    const uint8_t *in; /* the input: [in, end) */
    const uint8_t *end;
    uint64_t now;
    size_t piece;     /* octets fed at a time; 0: all */
    bool again;       /* what follows an event is taken back and fed once more */
    uint32_t zeros;   /* octets of generated bodies so far */
    uint32_t failing; /* allocations until one fails; 0: none does */
    bool failed_alloc;
    bool fail_on; /* all that follow fail, too */

    uint8_t told[PLAY_STREAMS];
    bool failed; /* FAILED was told */
    int users[PLAY_STREAMS];
    uint32_t owed[PLAY_STREAMS];  /* told in DATA events and not consumed … */
    uint64_t held;                /* … of all streams */
    bool by_hand;                 /* credit was given otherwise: `held` is not known any more */
    int64_t growth[PLAY_STREAMS]; /* of a stream's window, by hand */
    uint32_t largest_frame;       /* that we may be sent, or were allowed once */

    /* Of the output: what was taken and is not a whole frame yet, and what was seen. */
    uint8_t *out;
    size_t out_len;
    bool preface; /* is still to come */
    struct hpack_decoder *decoder;
    uint32_t tables[PLAY_TABLES]; /* the peer's HEADER_TABLE_SIZE, before the acknowledgement: … */
    uint8_t table_frame[PLAY_TABLES]; /* … the SETTINGS frame that said so … */
    size_t ntables;
    uint8_t settings_told; /* … of these */
    uint8_t settings_acked;
    uint8_t sent[PLAY_STREAMS];
    uint32_t sent_frame;  /* the largest that the peer ever took */
    uint32_t block;       /* the stream of the header block that is being sent, 0: none */
    uint32_t goaway_last; /* it never grows */
    bool over;            /* a GOAWAY with an error was sent */
    uint8_t *block_bytes;
    size_t block_len;
};

/* Plays one input to its end. */
void h2_play(enum h2_role role, const uint8_t *data, size_t size);

/* h2_play_check.c: what must be true of an event, of octets sent, and of the connection, always. */
void h2_play_check_event(struct play *p, const struct h2_event *ev);
void h2_play_check_output(struct play *p, const uint8_t *out, size_t len);
void h2_play_check_conn(struct play *p);

#endif
