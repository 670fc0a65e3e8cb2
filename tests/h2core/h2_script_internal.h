/*
 * What the files of the interpreter share: h2_script.c plays the peer, h2_script_actions.c the
 * caller, h2_script_record.c writes down what the engine tells and sends.
 */
#ifndef H2_SCRIPT_INTERNAL_H
#define H2_SCRIPT_INTERNAL_H

#include "h2_script.h"

struct text {
    char *p;
    size_t len;
    size_t cap;
};

struct run {
    struct h2_conn *c;
    struct hpack_encoder *encoder; /* the peer's */
    struct hpack_decoder *decoder;
    enum script_split split;
    unsigned seed;
    enum h2_role role;
    struct text wire;   /* frames of the peer that are not fed yet */
    struct text record; /* what is to be compared */
    struct text block;  /* header block that the engine is sending */
    uint32_t block_id;
    bool block_end;
    unsigned block_frames;
    uint32_t block_promised; /* PUSH_PROMISE, 0: HEADERS */
    uint32_t next_id;
    uint64_t now;
    bool deaf;
    bool autoconsume;
    bool fields;
    bool errors;          /* failures are told with the names of their errors */
    bool all;             /* every event is told, and in full */
    size_t bodies[64];    /* octets that a stream has to send, by id / 2 */
    uint32_t data_stream; /* DATA that runs together, 0: none */
    size_t data_len;
    size_t data_flow;
};

#define GET_FIELDS  ":method=GET|:scheme=https|:path=/|:authority=example.com"
#define POST_FIELDS ":method=POST|:scheme=https|:path=/|:authority=example.com"

/* ---- h2_script.c */

/* "a=b|c=d" to fields that point into it; cuts it up. */
size_t script_fields(char *text, struct h2_field *fields, size_t room);

/* A stream id; `next` is the next odd one. */
uint32_t script_id(struct run *r, const char *s);

/* ---- h2_script_record.c */

void script_append(struct text *t, const void *p, size_t n);
__attribute__((format(printf, 2, 3))) void script_note(struct run *r, const char *format, ...);
void script_note_event(struct run *r, const struct h2_event *ev);
/* DATA that ran together has come to an end. */
void script_end_data(struct run *r, bool end_stream);
/* One frame that the engine sends: its header, and its payload but for DATA. */
void script_note_frame(struct run *r, const uint8_t *f, uint32_t len);
/* Takes the engine's output and writes it down. */
void script_drain(struct run *r);

/* ---- h2_script_actions.c */

void script_action(struct run *r, char *line);

#endif
