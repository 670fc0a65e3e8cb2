/* The interpreter of h2_script.h. */
#include "h2_script.h"

#include <stdio.h>
#include <strings.h>

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
    bool all;             /* every event is told, and in full */
    size_t bodies[64];    /* octets that a stream has to send, by id / 2 */
    uint32_t data_stream; /* DATA that runs together, 0: none */
    size_t data_len;
    size_t data_flow;
};

/* ---------------------------------------------------------------- text */

static void append(struct text *t, const void *p, size_t n)
{
    if (t->cap - t->len < n + 1) {
        t->cap = (t->cap + n + 64) * 2;
        t->p = realloc(t->p, t->cap);
        assert_non_null(t->p);
    }
    if (n > 0) {
        memcpy(t->p + t->len, p, n);
    }
    t->len += n;
    t->p[t->len] = '\0';
}

__attribute__((format(printf, 2, 3))) static void note(struct run *r, const char *format, ...)
{
    char line[8192];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof(line));
    append(&r->record, line, (size_t)n);
}

static const char *fields_text(const struct h2_field *fields, size_t n)
{
    static char text[8192];
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n && at < sizeof(text) - 1; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%.*s=%.*s", i > 0 ? "|" : "",
                               (int)fields[i].name_len, fields[i].name, (int)fields[i].value_len,
                               fields[i].value);
    }
    return text;
}

/* "a=b|c=d" to fields that point into it; cuts it up. */
static size_t parse_fields(char *text, struct h2_field *fields, size_t room)
{
    size_t n = 0;
    while (text != NULL && *text != '\0') {
        char *next = strchr(text, '|');
        if (next != NULL) {
            *next++ = '\0';
        }
        char *equals = strchr(text + 1, '=');
        assert_non_null(equals);
        assert_true(n < room);
        fields[n] = (struct h2_field){.name = text,
                                      .name_len = (uint32_t)(equals - text),
                                      .value = equals + 1,
                                      .value_len = (uint32_t)strlen(equals + 1)};
        n++;
        text = next;
    }
    return n;
}

/* ---------------------------------------------------------------- frames of the peer */

static void put_frame(struct run *r, unsigned type, unsigned flags, uint32_t id, const void *p,
                      size_t len)
{
    uint8_t h[9] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,
                    (uint8_t)type,        (uint8_t)flags,      (uint8_t)(id >> 24),
                    (uint8_t)(id >> 16),  (uint8_t)(id >> 8),  (uint8_t)id};
    append(&r->wire, h, sizeof(h));
    append(&r->wire, p, len);
}

static size_t encode(struct run *r, char *text, uint8_t *out, size_t room)
{
    static struct h2_field fields[4096];
    size_t n = parse_fields(text, fields, 4096);
    size_t len;
    assert_true(hpack_encoder_bound(fields, n) <= room);
    assert_int_equal(hpack_encoder_encode(r->encoder, fields, n, out, &len), HPACK_OK);
    return len;
}

static void put_head(struct run *r, uint32_t id, unsigned flags, const char *fields)
{
    char text[256];
    uint8_t block[1024];
    assert_true(strlen(fields) < sizeof(text));
    strcpy(text, fields);
    size_t len = encode(r, text, block, sizeof(block));
    put_frame(r, 1, flags | 0x4, id, block, len);
}

static unsigned parse_flags(const char *s)
{
    unsigned flags = 0;
    flags |= strstr(s, "ES") != NULL || strstr(s, "ACK") != NULL ? 0x1 : 0;
    flags |= strstr(s, "EH") != NULL ? 0x4 : 0;
    flags |= strstr(s, "PAD") != NULL ? 0x8 : 0;
    flags |= strstr(s, "PRI") != NULL ? 0x20 : 0;
    return flags;
}

static size_t parse_hex(const char *s, uint8_t *out, size_t room)
{
    size_t n = 0;
    while (*s != '\0') {
        unsigned v = 0;
        if (*s == ' ') {
            s++;
            continue;
        }
        assert_true(n < room && sscanf(s, "%2x", &v) == 1);
        out[n++] = (uint8_t)v;
        s += 2;
    }
    return n;
}

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static size_t parse_payload(struct run *r, const char *kind, char *rest, uint8_t *out, size_t room)
{
    size_t n = 0;
    if (kind == NULL) {
        return 0;
    }
    if (strcmp(kind, "text") == 0) {
        n = strlen(rest);
        memcpy(out, rest, n);
    } else if (strcmp(kind, "hex") == 0) {
        n = parse_hex(rest, out, room);
    } else if (strcmp(kind, "zeros") == 0) {
        n = strtoul(rest, NULL, 10);
        assert_true(n <= room);
        memset(out, 0, n);
    } else if (strcmp(kind, "fields") == 0) {
        n = encode(r, rest, out, room);
    } else if (strcmp(kind, "u32") == 0) {
        for (char *save, *s = strtok_r(rest, ",", &save); s != NULL;
             s = strtok_r(NULL, ",", &save)) {
            put32(out + n, (uint32_t)strtoul(s, NULL, 0));
            n += 4;
        }
    } else if (strcmp(kind, "set") == 0) {
        for (char *save, *s = strtok_r(rest, ",", &save); s != NULL;
             s = strtok_r(NULL, ",", &save)) {
            unsigned id;
            unsigned long long value;
            assert_int_equal(sscanf(s, "%i=%lli", (int *)&id, (long long *)&value), 2);
            out[n] = (uint8_t)(id >> 8);
            out[n + 1] = (uint8_t)id;
            put32(out + n + 2, (uint32_t)value);
            n += 6;
        }
    } else {
        fail_msg("no such payload: %s", kind);
    }
    return n;
}

static unsigned parse_type(const char *s)
{
    static const char *const names[] = {"DATA",          "HEADERS",      "PRIORITY", "RST_STREAM",
                                        "SETTINGS",      "PUSH_PROMISE", "PING",     "GOAWAY",
                                        "WINDOW_UPDATE", "CONTINUATION"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(s, names[i]) == 0) {
            return i;
        }
    }
    if (strcmp(s, "PRIORITY_UPDATE") == 0) {
        return 0x10;
    }
    if (strcmp(s, "ALTSVC") == 0) {
        return 0x0a;
    }
    if (strcmp(s, "ORIGIN") == 0) {
        return 0x0c;
    }
    char *end;
    unsigned long type = strtoul(s, &end, 16);
    if (*end != '\0' || end == s) {
        fail_msg("no such frame: %s", s);
    }
    return (unsigned)type;
}

static uint32_t parse_id(struct run *r, const char *s)
{
    assert_non_null(s);
    uint32_t id;
    if (strcmp(s, "next") == 0) {
        id = r->next_id;
    } else {
        id = (uint32_t)strtoul(s, NULL, 0);
    }
    if (id % 2 == 1 && id >= r->next_id) {
        r->next_id = id + 2;
    }
    return id;
}

/* PROMISE on promised fields: a whole PUSH_PROMISE. */
static void put_promise(struct run *r, char *save)
{
    uint8_t block[4 + 4096];
    uint32_t on = parse_id(r, strtok_r(NULL, " ", &save));
    put32(block, (uint32_t)strtoul(strtok_r(NULL, " ", &save), NULL, 0));
    size_t len = encode(r, strtok_r(NULL, "", &save), block + 4, sizeof(block) - 4);
    put_frame(r, 5, 0x4, on, block, 4 + len);
}

static void put_split(struct run *r, char *save)
{
    static uint8_t block[1 << 20];
    uint32_t id = parse_id(r, strtok_r(NULL, " ", &save));
    unsigned flags = parse_flags(strtok_r(NULL, " ", &save));
    size_t piece = strtoul(strtok_r(NULL, " ", &save), NULL, 10);
    size_t len = encode(r, strtok_r(NULL, "", &save), block, sizeof(block));
    for (size_t at = 0; at == 0 || at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece;
        unsigned end = at + n == len ? 0x4 : 0;
        put_frame(r, at == 0 ? 1 : 9, (at == 0 ? flags : 0) | end, id, block + at, n);
    }
}

#define GET_FIELDS  ":method=GET|:scheme=https|:path=/|:authority=example.com"
#define POST_FIELDS ":method=POST|:scheme=https|:path=/|:authority=example.com"

static void peer_line(struct run *r, char *line)
{
    static uint8_t payload[1 << 20];
    char *save;
    char *word = strtok_r(line, " ", &save);
    if (strcmp(word, "GET") == 0) {
        put_head(r, parse_id(r, strtok_r(NULL, " ", &save)), 0x1, GET_FIELDS);
    } else if (strcmp(word, "POST") == 0) {
        put_head(r, parse_id(r, strtok_r(NULL, " ", &save)), 0, POST_FIELDS);
    } else if (strcmp(word, "OK") == 0) {
        put_head(r, parse_id(r, strtok_r(NULL, " ", &save)), 0, ":status=200");
    } else if (strcmp(word, "OKEND") == 0) {
        put_head(r, parse_id(r, strtok_r(NULL, " ", &save)), 0x1, ":status=200");
    } else if (strcmp(word, "SPLIT") == 0) {
        put_split(r, save);
    } else if (strcmp(word, "PROMISE") == 0) {
        put_promise(r, save);
    } else if (strcmp(word, "BYTES") == 0) {
        size_t n = parse_hex(strtok_r(NULL, "", &save), payload, sizeof(payload));
        append(&r->wire, payload, n);
    } else {
        unsigned type = parse_type(word);
        uint32_t id = parse_id(r, strtok_r(NULL, " ", &save));
        const char *flags = strtok_r(NULL, " ", &save);
        const char *kind = strtok_r(NULL, " ", &save);
        char *rest = strtok_r(NULL, "", &save);
        char none[] = "";
        size_t n = parse_payload(r, kind, rest != NULL ? rest : none, payload, sizeof(payload));
        put_frame(r, type, flags != NULL ? parse_flags(flags) : 0, id, payload, n);
    }
}

/* ---------------------------------------------------------------- events */

static void end_data(struct run *r, bool end_stream)
{
    if (r->data_stream == 0) {
        return;
    }
    note(r, "DATA %u %zu", r->data_stream, r->data_len);
    if (r->data_flow != r->data_len) {
        note(r, " flow %zu", r->data_flow);
    }
    note(r, "%s\n", end_stream ? " end" : "");
    r->data_stream = 0;
}

static void note_head(struct run *r, const char *name, const struct h2_event *ev)
{
    note(r, "%s %u%s", name, ev->stream_id, ev->end_stream ? " end" : "");
    if (ev->type == H2_EVENT_RESPONSE || ev->type == H2_EVENT_INFORMATIONAL) {
        note(r, " %u", ev->status);
    }
    if (ev->too_large) {
        note(r, " too_large %zu", ev->nfields);
    }
    if (ev->content_length >= 0) {
        note(r, " length %lld", (long long)ev->content_length);
    }
    if (r->all && ev->type == H2_EVENT_REQUEST) {
        note(r, " u=%u%s", ev->urgency, ev->incremental ? ",i" : "");
    }
    if (ev->has_priority) {
        note(r, " priority %u %u%s", ev->priority.depends_on, ev->priority.weight,
             ev->priority.exclusive ? " exclusive" : "");
    }
    if (r->fields) {
        note(r, " %s", fields_text(ev->fields, ev->nfields));
    }
    note(r, "\n");
}

static void note_settings(struct run *r, const char *name, const struct h2_event *ev)
{
    note(r, "%s", name);
    for (size_t i = 0; r->all && i < ev->nsettings; i++) {
        const struct h2_setting_change *s = &ev->settings[i];
        note(r, " %u=%u>%u", s->id, s->before, s->after);
    }
    note(r, "\n");
}

static void note_origins(struct run *r, const struct h2_event *ev)
{
    const uint8_t *p = ev->data;
    size_t left = ev->len;
    const char *origin;
    size_t len;
    note(r, "ORIGIN");
    while (h2_origin_next(&p, &left, &origin, &len)) {
        note(r, " %.*s", (int)len, origin);
    }
    note(r, "\n");
}

/* Events that scripts see only when they ask for all of them. */
static void note_rare_event(struct run *r, const struct h2_event *ev)
{
    switch (ev->type) {
    case H2_EVENT_STREAM_ENDED:
        note(r, "STREAM_ENDED %u\n", ev->stream_id);
        break;
    case H2_EVENT_PUSH:
        note(r, "PUSH %u %u", ev->stream_id, ev->promised_id);
        note(r, r->fields ? " %s\n" : "\n", fields_text(ev->fields, ev->nfields));
        break;
    case H2_EVENT_WINDOW_UPDATE:
        note(r, "WINDOW_UPDATE %u %u\n", ev->stream_id, ev->increment);
        break;
    case H2_EVENT_PING:
        note(r, "PING %.8s\n", (const char *)ev->opaque);
        break;
    case H2_EVENT_PRIORITY:
        note(r, "PRIORITY %u %u %u%s\n", ev->stream_id, ev->priority.depends_on,
             ev->priority.weight, ev->priority.exclusive ? " exclusive" : "");
        break;
    case H2_EVENT_PRIORITY_UPDATE:
        note(r, "PRIORITY_UPDATE %u u=%u%s %.*s\n", ev->stream_id, ev->urgency,
             ev->incremental ? ",i" : "", (int)ev->len, (const char *)ev->data);
        break;
    case H2_EVENT_ALTSVC:
        note(r, "ALTSVC %u '%.*s' %.*s\n", ev->stream_id, (int)ev->origin_len, ev->origin,
             (int)ev->len, (const char *)ev->data);
        break;
    case H2_EVENT_ORIGIN:
        note_origins(r, ev);
        break;
    case H2_EVENT_UNKNOWN_FRAME:
        note(r, "UNKNOWN %u type %u flags %u '%.*s'\n", ev->stream_id, ev->frame_type,
             ev->frame_flags, (int)ev->len, (const char *)ev->data);
        break;
    default:
        fail_msg("event %d", ev->type);
    }
}

static void note_event(struct run *r, const struct h2_event *ev)
{
    if (ev->type != H2_EVENT_DATA || ev->stream_id != r->data_stream) {
        end_data(r, false);
    }
    switch (ev->type) {
    case H2_EVENT_REQUEST:
        note_head(r, "REQUEST", ev);
        break;
    case H2_EVENT_RESPONSE:
        note_head(r, "RESPONSE", ev);
        break;
    case H2_EVENT_INFORMATIONAL:
        note_head(r, "INFORMATIONAL", ev);
        break;
    case H2_EVENT_TRAILERS:
        note_head(r, "TRAILERS", ev);
        break;
    case H2_EVENT_DATA:
        if (r->data_stream == 0) {
            r->data_stream = ev->stream_id;
            r->data_len = r->data_flow = 0;
        }
        r->data_len += ev->len;
        r->data_flow += ev->flow_len;
        if (ev->end_stream) {
            end_data(r, true);
        }
        if (r->autoconsume) {
            assert_int_equal(h2_conn_consume(r->c, ev->stream_id, ev->flow_len), H2_OK);
        }
        break;
    case H2_EVENT_RESET:
        note(r, "RESET %u %s %s%s%s\n", ev->stream_id, ev->by_peer ? "peer" : "us",
             h2_code_name(ev->code), ev->by_peer ? "" : ": ", ev->by_peer ? "" : ev->fail.why);
        if (ev->user != NULL) {
            note(r, "  user %s\n", (const char *)ev->user);
        }
        break;
    case H2_EVENT_SETTINGS:
        note_settings(r, "SETTINGS", ev);
        break;
    case H2_EVENT_SETTINGS_ACK:
        note_settings(r, "SETTINGS_ACK", ev);
        break;
    case H2_EVENT_PING_ACK:
        note(r, "PING_ACK %.8s\n", (const char *)ev->opaque);
        break;
    case H2_EVENT_GOAWAY:
        note(r, "GOAWAY %u %s %.*s\n", ev->last_stream_id, h2_code_name(ev->code), (int)ev->len,
             (const char *)ev->data);
        break;
    case H2_EVENT_FAILED:
        note(r, "FAILED %s: %s\n", h2_code_name(ev->fail.code), ev->fail.why);
        assert_int_equal(ev->fail.scope, H2_SCOPE_CONN);
        assert_true(h2_conn_failed(r->c));
        break;
    default:
        note_rare_event(r, ev);
        break;
    }
}

static void all_events(struct run *r)
{
    struct h2_event ev;
    while (h2_conn_next_event(r->c, r->now, &ev)) {
        note_event(r, &ev);
    }
    assert_int_equal(h2_conn_unread(r->c), 0);
}

/* Each piece lies in memory of its own size, so that a sanitizer sees a step past its end. */
static void feed(struct run *r)
{
    size_t at = 0;
    all_events(r);
    while (at < r->wire.len) {
        size_t n = r->wire.len - at;
        if (r->split == SCRIPT_BYTE_BY_BYTE) {
            n = 1;
        } else if (r->split == SCRIPT_AT_RANDOM) {
            size_t most = (size_t[]){2, 20, 300, 20000}[rand_r(&r->seed) % 4];
            size_t some = 1 + (size_t)rand_r(&r->seed) % most;
            n = some < n ? some : n;
        }
        uint8_t *piece = malloc(n);
        assert_non_null(piece);
        memcpy(piece, r->wire.p + at, n);
        h2_conn_feed(r->c, piece, n);
        all_events(r);
        free(piece);
        at += n;
    }
    r->wire.len = 0;
    end_data(r, false);
}

/* ---------------------------------------------------------------- what the engine sends */

static void note_block(struct run *r)
{
    struct h2_field fields[512];
    size_t n = 0;
    const uint8_t *pos = (const uint8_t *)r->block.p;
    const uint8_t *end = pos + r->block.len;
    enum hpack_rc rc;
    hpack_decoder_begin(r->decoder);
    while ((rc = hpack_decoder_next(r->decoder, &pos, end, &fields[n])) == HPACK_FIELD) {
        n++;
        assert_true(n < 512);
    }
    assert_int_equal(rc, HPACK_OK);
    if (r->block_promised != 0) {
        note(r, "> PUSH_PROMISE %u %u", r->block_id, r->block_promised);
    } else {
        note(r, "> HEADERS %u%s", r->block_id, r->block_end ? " end" : "");
    }
    if (r->block_frames > 1) {
        note(r, " in %u", r->block_frames);
    }
    if (r->fields) {
        note(r, " %s", fields_text(fields, n));
    }
    note(r, "\n");
    r->block.len = 0;
    r->block_id = 0;
}

static void note_frame(struct run *r, const uint8_t *f, uint32_t len)
{
    uint32_t id = ((uint32_t)f[5] << 24 | (uint32_t)f[6] << 16 | (uint32_t)f[7] << 8 | f[8]);
    const uint8_t *p = f + 9;
    uint32_t word = f[3] != 0 && len >= 4
                        ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
                        : 0;
    uint32_t second = f[3] != 0 && len >= 8
                          ? (uint32_t)p[4] << 24 | (uint32_t)p[5] << 16 | (uint32_t)p[6] << 8 | p[7]
                          : 0;
    switch (f[3]) {
    case 0:
        note(r, "> DATA %u %u%s%s\n", id, len, f[4] & 8 ? " padded" : "", f[4] & 1 ? " end" : "");
        break;
    case 2:
        note(r, "> PRIORITY %u %08x %u\n", id, word, p[4]);
        break;
    case 1:
    case 5:
    case 9:
        if (f[3] != 9) {
            r->block_id = id;
            r->block_end = (f[4] & 1) != 0;
            r->block_frames = 0;
            r->block_promised = f[3] == 5 ? word : 0;
        }
        if (f[3] == 5 || (f[3] == 1 && (f[4] & 0x20) != 0)) {
            uint32_t prefix = f[3] == 5 ? 4 : 5;
            if (f[3] == 1) {
                note(r, "> priority %08x %u\n", word, p[4]);
            }
            p += prefix;
            len -= prefix;
        }
        assert_int_equal(r->block_id, id);
        r->block_frames++;
        append(&r->block, p, len);
        if (f[4] & 4) {
            note_block(r);
        }
        break;
    case 3:
        note(r, "> RST_STREAM %u %s\n", id, h2_code_name(word));
        break;
    case 4:
        note(r, "> SETTINGS%s", f[4] & 1 ? " ack" : "");
        for (uint32_t i = 0; i + 6 <= len; i += 6) {
            note(r, " %u=%u", p[i] << 8 | p[i + 1],
                 (uint32_t)p[i + 2] << 24 | (uint32_t)p[i + 3] << 16 | (uint32_t)p[i + 4] << 8 |
                     p[i + 5]);
        }
        note(r, "\n");
        break;
    case 6:
        note(r, "> PING%s %.8s\n", f[4] & 1 ? " ack" : "", (const char *)p);
        break;
    case 7:
        note(r, "> GOAWAY %u %s %.*s\n", word, h2_code_name(second), (int)(len - 8),
             (const char *)p + 8);
        break;
    case 8:
        if (!r->autoconsume) { /* when they come depends on the pieces then */
            note(r, "> WINDOW_UPDATE %u %u\n", id, word);
        }
        break;
    case 0x10:
        note(r, "> PRIORITY_UPDATE %u %u %.*s\n", id, word, (int)(len - 4), (const char *)p + 4);
        break;
    default:
        note(r, "> type %u id %u flags %u", f[3], id, f[4]);
        for (uint32_t i = 0; i < len; i++) {
            note(r, p[i] > 0x20 && p[i] < 0x7f ? "%s%c" : "%s%02x", i == 0 ? " " : "", p[i]);
        }
        note(r, "\n");
        break;
    }
}

static void drain(struct run *r)
{
    struct text out = {0};
    uint8_t buf[512];
    size_t n;
    if (r->deaf) {
        return;
    }
    size_t cap = r->split == SCRIPT_BYTE_BY_BYTE ? 1 : sizeof(buf);
    while ((n = h2_conn_send(r->c, buf, cap)) > 0) {
        append(&out, buf, n);
    }
    assert_false(h2_conn_wants_send(r->c));
    size_t at = 0;
    if (r->role == H2_CLIENT && out.len >= 24 && memcmp(out.p, "PRI * HT", 8) == 0) {
        note(r, "> preface\n");
        at = 24;
    }
    while (at < out.len) {
        const uint8_t *f = (const uint8_t *)out.p + at;
        assert_true(out.len - at >= 9);
        uint32_t len = (uint32_t)f[0] << 16 | (uint32_t)f[1] << 8 | f[2];
        assert_true(out.len - at - 9 >= len);
        note_frame(r, f, len);
        at += 9 + len;
    }
    free(out.p);
}

/* ---------------------------------------------------------------- actions of the caller */

static enum h2_code parse_code(const char *s)
{
    for (uint32_t code = 0; code < 14; code++) {
        if (strcmp(h2_code_name(code), s) == 0) {
            return code;
        }
    }
    fail_msg("no such code: %s", s);
    return H2_NO_ERROR;
}

static void result(struct run *r, enum h2_error rc)
{
    if (rc != H2_OK) {
        note(r, "= %s\n", h2_error_name(rc));
    }
}

/* Sends what the engine lets through, in its order; `len` octets in all. */
static void send_data(struct run *r, uint32_t id, size_t len, bool end)
{
    size_t limit;
    uint32_t writable;
    drain(r);
    h2_stream_set_ready(r->c, id, true);
    while (len > 0 && (writable = h2_conn_next_writable(r->c, &limit, NULL)) != 0) {
        uint8_t header[9];
        size_t n = limit < len ? limit : len;
        assert_int_equal(writable, id);
        len -= n;
        h2_conn_data_frame(r->c, id, n, end && len == 0, header);
        note_frame(r, header, (uint32_t)n);
    }
    h2_stream_set_ready(r->c, id, false);
    if (len > 0) {
        note(r, "= %zu stay\n", len);
    }
}

/* Sends n frames of at most `chunk` octets, of whatever streams the engine names. */
static void pump(struct run *r, unsigned n, size_t chunk)
{
    drain(r);
    for (unsigned i = 0; i < n; i++) {
        size_t limit;
        uint8_t header[9];
        uint32_t id = h2_conn_next_writable(r->c, &limit, NULL);
        if (id == 0) {
            note(r, "= nothing to send\n");
            return;
        }
        size_t *body = &r->bodies[id / 2 % 64];
        size_t len = *body < chunk ? *body : chunk;
        len = len < limit ? len : limit;
        *body -= len;
        if (*body == 0) {
            h2_stream_set_ready(r->c, id, false);
        }
        h2_conn_data_frame(r->c, id, len, false, header);
        note_frame(r, header, (uint32_t)len);
    }
}

static void send_head(struct run *r, bool respond, uint32_t id, char *rest)
{
    struct h2_field fields[64];
    bool end = rest != NULL && strncmp(rest, "end", 3) == 0;
    if (end) {
        rest += rest[3] == ' ' ? 4 : 3;
    }
    char get[] = GET_FIELDS;
    size_t n = parse_fields(!respond && (rest == NULL || *rest == '\0') ? get : rest, fields, 64);
    if (respond) {
        result(r, h2_conn_respond(r->c, id, fields, n, end));
    } else {
        static const char *const users[] = {"a", "b", "c", "d"};
        union {
            const char *in;
            void *out;
        } user = {.in = users[r->next_id / 2 % 4]};
        enum h2_error rc = h2_conn_request(r->c, fields, n, end, user.out, &id);
        result(r, rc);
        if (rc == H2_OK) {
            r->next_id = id + 2;
        }
    }
}

static void action(struct run *r, char *line)
{
    char *save;
    char *word = strtok_r(line, " ", &save);
    if (strcmp(word, "deaf") == 0) {
        r->deaf = true;
    } else if (strcmp(word, "auto") == 0) {
        r->autoconsume = true;
    } else if (strcmp(word, "fields") == 0) {
        r->fields = true;
    } else if (strcmp(word, "now") == 0) {
        r->now = strtoull(strtok_r(NULL, " ", &save), NULL, 10);
    } else if (strcmp(word, "notice") == 0) {
        result(r, h2_conn_shutdown_notice(r->c));
    } else if (strcmp(word, "shutdown") == 0) {
        result(r, h2_conn_shutdown(r->c));
    } else if (strcmp(word, "terminate") == 0) {
        enum h2_code code = parse_code(strtok_r(NULL, " ", &save));
        const char *why = strtok_r(NULL, "", &save);
        result(r, h2_conn_close(r->c, code, H2_LAST_TOLD, why, why != NULL ? strlen(why) : 0));
    } else if (strcmp(word, "pump") == 0) {
        unsigned n = (unsigned)strtoul(strtok_r(NULL, " ", &save), NULL, 10);
        pump(r, n, strtoul(strtok_r(NULL, " ", &save), NULL, 10));
    } else if (strcmp(word, "ping") == 0) {
        result(r, h2_conn_ping(r->c, (const uint8_t *)"12345678"));
    } else if (strcmp(word, "request") == 0) {
        send_head(r, false, 0, strtok_r(NULL, "", &save));
    } else {
        uint32_t id = parse_id(r, strtok_r(NULL, " ", &save));
        if (strcmp(word, "respond") == 0) {
            send_head(r, true, id, strtok_r(NULL, "", &save));
        } else if (strcmp(word, "trailers") == 0) {
            struct h2_field fields[64];
            size_t n = parse_fields(strtok_r(NULL, "", &save), fields, 64);
            result(r, h2_conn_trailers(r->c, id, fields, n));
        } else if (strcmp(word, "data") == 0) {
            size_t len = strtoul(strtok_r(NULL, " ", &save), NULL, 10);
            send_data(r, id, len, strtok_r(NULL, " ", &save) != NULL);
        } else if (strcmp(word, "ready") == 0) {
            r->bodies[id / 2 % 64] = strtoul(strtok_r(NULL, " ", &save), NULL, 10);
            h2_stream_set_ready(r->c, id, r->bodies[id / 2 % 64] > 0);
        } else if (strcmp(word, "end") == 0) {
            result(r, h2_conn_end_stream(r->c, id));
        } else if (strcmp(word, "reset") == 0) {
            result(r, h2_conn_reset(r->c, id, parse_code(strtok_r(NULL, " ", &save))));
        } else if (strcmp(word, "consume") == 0) {
            result(r, h2_conn_consume(r->c, id,
                                      (uint32_t)strtoul(strtok_r(NULL, " ", &save), NULL, 10)));
        } else if (strcmp(word, "user") == 0) {
            static char user[] = "someone";
            h2_stream_set_user(r->c, id, user);
        } else {
            fail_msg("no such action: %s", word);
        }
    }
}

/* ---------------------------------------------------------------- scripts */

static void run_line(struct run *r, const char *line)
{
    char *copy = strdup(line);
    assert_non_null(copy);
    if (line[0] == '!') {
        feed(r);
        drain(r);
        action(r, copy + 1);
        drain(r);
    } else {
        peer_line(r, copy);
    }
    free(copy);
}

static void greet(struct run *r)
{
    if (r->role == H2_SERVER) {
        append(&r->wire, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    }
    put_frame(r, 4, 0, 0, NULL, 0);
    put_frame(r, 4, 1, 0, NULL, 0);
    feed(r);
    drain(r);
    r->record.len = 0;
}

char *script_run(const struct script_case *sc, enum script_split split, unsigned seed,
                 const struct h2_allocator *alloc)
{
    struct h2_options opts;
    struct run r = {.split = split, .seed = seed, .role = sc->role, .next_id = 1};
    h2_options_init(&opts);
    opts.alloc = alloc;
    opts.mute = H2_MUTE(H2_EVENT_STREAM_ENDED) | H2_MUTE(H2_EVENT_WINDOW_UPDATE) |
                H2_MUTE(H2_EVENT_PING) | H2_MUTE(H2_EVENT_PRIORITY) |
                H2_MUTE(H2_EVENT_PRIORITY_UPDATE) | H2_MUTE(H2_EVENT_UNKNOWN_FRAME);
    opts.normalize_received = opts.normalize_sent = false; /* to be told what there is */
    if (sc->tune != NULL) {
        sc->tune(&opts);
    }
    r.all = opts.mute == 0;
    append(&r.record, "", 0);
    append(&r.wire, "", 0);
    append(&r.block, "", 0);
    r.encoder = hpack_encoder_new(NULL, 4096);
    r.decoder = hpack_decoder_new(NULL, 4096);
    assert_true(r.encoder != NULL && r.decoder != NULL);
    r.c = h2_conn_new(sc->role, &opts);
    if (r.c != NULL) {
        if (!sc->raw) {
            greet(&r);
        }
        char *script = strdup(sc->script);
        assert_non_null(script);
        for (char *save, *line = strtok_r(script, "\n", &save); line != NULL;
             line = strtok_r(NULL, "\n", &save)) {
            char *end = line;
            unsigned long times = line[0] == '*' ? strtoul(line + 1, &end, 10) : 1;
            line = line[0] == '*' ? end + 1 : line;
            for (unsigned long i = 0; i < times; i++) {
                run_line(&r, line);
            }
        }
        feed(&r);
        drain(&r);
        free(script);
    }
    h2_conn_free(r.c);
    hpack_encoder_free(r.encoder);
    hpack_decoder_free(r.decoder);
    free(r.wire.p);
    free(r.block.p);
    return r.record.p;
}

void script_check(const struct script_case *cases, size_t n)
{
    static const char *const ways[] = {"at once", "byte by byte", "in random pieces"};
    for (size_t i = 0; i < n; i++) {
        for (unsigned run = 0; run < 6; run++) {
            enum script_split split = run < 2 ? (enum script_split)run : SCRIPT_AT_RANDOM;
            char *got = script_run(&cases[i], split, run * 7919, NULL);
            if (strcmp(got, cases[i].want) != 0) {
                print_error("%s (%s)\nwanted:\n%sgot:\n%s", cases[i].name, ways[split],
                            cases[i].want, got);
            }
            bool same = strcmp(got, cases[i].want) == 0;
            free(got);
            assert_true(same);
        }
    }
}
