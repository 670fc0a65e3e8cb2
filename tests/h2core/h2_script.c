/* The interpreter of h2_script.h: the peer, and the lines. */
#include "h2_script_internal.h"

#include <stdio.h>
#include <strings.h>

/* "a=b|c=d" to fields that point into it; cuts it up. */
size_t script_fields(char *text, struct h2_field *fields, size_t room)
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
    script_append(&r->wire, h, sizeof(h));
    script_append(&r->wire, p, len);
}

static size_t encode(struct run *r, char *text, uint8_t *out, size_t room)
{
    static struct h2_field fields[4096];
    size_t n = script_fields(text, fields, 4096);
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

uint32_t script_id(struct run *r, const char *s)
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
    uint32_t on = script_id(r, strtok_r(NULL, " ", &save));
    put32(block, (uint32_t)strtoul(strtok_r(NULL, " ", &save), NULL, 0));
    size_t len = encode(r, strtok_r(NULL, "", &save), block + 4, sizeof(block) - 4);
    put_frame(r, 5, 0x4, on, block, 4 + len);
}

static void put_split(struct run *r, char *save)
{
    static uint8_t block[1 << 20];
    uint32_t id = script_id(r, strtok_r(NULL, " ", &save));
    unsigned flags = parse_flags(strtok_r(NULL, " ", &save));
    size_t piece = strtoul(strtok_r(NULL, " ", &save), NULL, 10);
    size_t len = encode(r, strtok_r(NULL, "", &save), block, sizeof(block));
    for (size_t at = 0; at == 0 || at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece;
        unsigned end = at + n == len ? 0x4 : 0;
        put_frame(r, at == 0 ? 1 : 9, (at == 0 ? flags : 0) | end, id, block + at, n);
    }
}

static void peer_line(struct run *r, char *line)
{
    static uint8_t payload[1 << 20];
    char *save;
    char *word = strtok_r(line, " ", &save);
    if (strcmp(word, "GET") == 0) {
        put_head(r, script_id(r, strtok_r(NULL, " ", &save)), 0x1, GET_FIELDS);
    } else if (strcmp(word, "POST") == 0) {
        put_head(r, script_id(r, strtok_r(NULL, " ", &save)), 0, POST_FIELDS);
    } else if (strcmp(word, "OK") == 0) {
        put_head(r, script_id(r, strtok_r(NULL, " ", &save)), 0, ":status=200");
    } else if (strcmp(word, "OKEND") == 0) {
        put_head(r, script_id(r, strtok_r(NULL, " ", &save)), 0x1, ":status=200");
    } else if (strcmp(word, "SPLIT") == 0) {
        put_split(r, save);
    } else if (strcmp(word, "PROMISE") == 0) {
        put_promise(r, save);
    } else if (strcmp(word, "BYTES") == 0) {
        size_t n = parse_hex(strtok_r(NULL, "", &save), payload, sizeof(payload));
        script_append(&r->wire, payload, n);
    } else {
        unsigned type = parse_type(word);
        uint32_t id = script_id(r, strtok_r(NULL, " ", &save));
        const char *flags = strtok_r(NULL, " ", &save);
        const char *kind = strtok_r(NULL, " ", &save);
        char *rest = strtok_r(NULL, "", &save);
        char none[] = "";
        size_t n = parse_payload(r, kind, rest != NULL ? rest : none, payload, sizeof(payload));
        put_frame(r, type, flags != NULL ? parse_flags(flags) : 0, id, payload, n);
    }
}

static void all_events(struct run *r)
{
    struct h2_event ev;
    while (h2_conn_next_event(r->c, r->now, &ev)) {
        script_note_event(r, &ev);
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
    script_end_data(r, false);
}

/* ---------------------------------------------------------------- scripts */

static void run_line(struct run *r, const char *line)
{
    char *copy = strdup(line);
    assert_non_null(copy);
    if (line[0] == '!') {
        feed(r);
        script_drain(r);
        script_action(r, copy + 1);
        script_drain(r);
    } else {
        peer_line(r, copy);
    }
    free(copy);
}

static void greet(struct run *r)
{
    if (r->role == H2_SERVER) {
        script_append(&r->wire, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    }
    put_frame(r, 4, 0, 0, NULL, 0);
    put_frame(r, 4, 1, 0, NULL, 0);
    feed(r);
    script_drain(r);
    r->record.len = 0;
    r->record.p[0] = '\0';
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
    if (opts.trace == script_trace) {
        opts.trace_ctx = &r;
    }
    r.all = opts.mute == 0;
    script_append(&r.record, "", 0);
    script_append(&r.wire, "", 0);
    script_append(&r.block, "", 0);
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
        script_drain(&r);
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
