/*
 * The engine as a puppet: each line on stdin is one call of its API, and what comes of it is
 * written to stdout. h2_driven.py holds the other end of the pipes.
 *
 *   new server|client NAME=VALUE…      a connection, in place of the one before; options by name
 *   feed HEX                           received bytes: all their events
 *   take N                             at most N octets of output: "out HEX"
 *   request|respond|trailers|push …    see the table at the end of this file
 *
 * Octets are in hex, "-" when there are none; fields are name=value, in hex, joined by commas, with
 * a '!' behind one that must never be indexed. Events are lines "NAME key=value …". The last line
 * of an answer is "= " and the name of an error, perhaps a number behind it.
 */
#include "h2_internal.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_FIELDS 512

static struct h2_conn *conn;
static uint8_t *pumped; /* frames of "pump" that "take" has not taken */
static size_t pumped_len;
static char *save; /* strtok_r()'s */

/* ---------------------------------------------------------------- words of a line */

static char *word(void)
{
    char *w = strtok_r(NULL, " \n", &save);
    if (w == NULL) {
        fprintf(stderr, "h2_driven: a word is missing\n");
        exit(2);
    }
    return w;
}

static uint32_t number(void)
{
    return (uint32_t)strtoul(word(), NULL, 0);
}

static int nibble(char ch)
{
    return ch <= '9' ? ch - '0' : ch - 'a' + 10;
}

/* Hex in place; the text is NUL-terminated all the same. */
static size_t unhex(char *text)
{
    size_t n = 0;
    if (text[0] == '-') {
        text[0] = '\0';
        return 0;
    }
    for (; text[2 * n] != '\0'; n++) {
        text[n] = (char)(nibble(text[2 * n]) << 4 | nibble(text[2 * n + 1]));
    }
    text[n] = '\0';
    return n;
}

static size_t parse_fields(char *text, struct h2_field *fields)
{
    size_t n = 0;
    char *rest;
    if (strcmp(text, "-") == 0) {
        return 0;
    }
    for (char *one = strtok_r(text, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
        assert(n < MOST_FIELDS);
        struct h2_field *f = &fields[n++];
        *f = (struct h2_field){.token = H2_TOKEN_NONE};
        size_t last = strlen(one) - 1;
        if (one[last] == '!') {
            f->flags = H2_FIELD_NEVER_INDEX;
            one[last] = '\0';
        }
        char *value = strchr(one, '=');
        *value++ = '\0';
        f->name = one;
        f->name_len = (uint32_t)unhex(one);
        f->value = value;
        f->value_len = (uint32_t)unhex(value);
    }
    return n;
}

/* ---------------------------------------------------------------- events */

static void put_hex(const void *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        putchar_unlocked(digits[b[i] >> 4]);
        putchar_unlocked(digits[b[i] & 15]);
    }
    if (n == 0) {
        putchar_unlocked('-');
    }
}

static void put_fields(const struct h2_event *ev)
{
    printf(" fields=");
    for (size_t i = 0; i < ev->nfields; i++) {
        const struct h2_field *f = &ev->fields[i];
        fputs(i > 0 ? "," : "", stdout);
        put_hex(f->name, f->name_len);
        putchar('=');
        put_hex(f->value, f->value_len);
        fputs((f->flags & H2_FIELD_NEVER_INDEX) != 0 ? "!" : "", stdout);
    }
}

static void put_priority(const struct h2_priority *p)
{
    printf(" depends_on=%u weight=%u exclusive=%d", p->depends_on, p->weight, p->exclusive);
}

static void put_settings(const struct h2_event *ev)
{
    printf(" settings=");
    for (size_t i = 0; i < ev->nsettings; i++) {
        const struct h2_setting_change *s = &ev->settings[i];
        printf("%s%u:%u:%u", i > 0 ? "," : "", s->id, s->before, s->after);
    }
}

static const char *const names[] = {
    [H2_EVENT_REQUEST] = "request",
    [H2_EVENT_RESPONSE] = "response",
    [H2_EVENT_INFORMATIONAL] = "informational",
    [H2_EVENT_TRAILERS] = "trailers",
    [H2_EVENT_DATA] = "data",
    [H2_EVENT_STREAM_ENDED] = "ended",
    [H2_EVENT_RESET] = "reset",
    [H2_EVENT_PUSH] = "push",
    [H2_EVENT_WINDOW_UPDATE] = "window",
    [H2_EVENT_SETTINGS] = "settings",
    [H2_EVENT_SETTINGS_ACK] = "settings_ack",
    [H2_EVENT_PING] = "ping",
    [H2_EVENT_PING_ACK] = "ping_ack",
    [H2_EVENT_PRIORITY] = "priority",
    [H2_EVENT_PRIORITY_UPDATE] = "priority_update",
    [H2_EVENT_GOAWAY] = "goaway",
    [H2_EVENT_ALTSVC] = "altsvc",
    [H2_EVENT_ORIGIN] = "origin",
    [H2_EVENT_UNKNOWN_FRAME] = "unknown",
    [H2_EVENT_FAILED] = "failed",
};

static void put_event(const struct h2_event *ev)
{
    printf("%s id=%u end=%d", names[ev->type], ev->stream_id, ev->end_stream);
    if (ev->nfields > 0) {
        put_fields(ev);
    }
    if (ev->has_priority || ev->type == H2_EVENT_PRIORITY) {
        put_priority(&ev->priority);
    }
    if (ev->data != NULL || ev->len > 0) {
        printf(" data=");
        put_hex(ev->data, ev->len);
    }
    switch (ev->type) {
    case H2_EVENT_REQUEST:
        printf(" too_large=%d urgency=%u incremental=%d", ev->too_large, ev->urgency,
               ev->incremental);
        break;
    case H2_EVENT_RESPONSE:
    case H2_EVENT_INFORMATIONAL:
        printf(" status=%u", ev->status);
        break;
    case H2_EVENT_DATA:
        printf(" flow=%u", ev->flow_len);
        break;
    case H2_EVENT_RESET:
    case H2_EVENT_FAILED:
        printf(" by_peer=%d code=%u error=%s why=", ev->by_peer, ev->code,
               h2_error_name(ev->fail.error));
        put_hex(ev->fail.why, ev->fail.why != NULL ? strlen(ev->fail.why) : 0);
        break;
    case H2_EVENT_PUSH:
        printf(" promised=%u", ev->promised_id);
        break;
    case H2_EVENT_WINDOW_UPDATE:
        printf(" increment=%u", ev->increment);
        break;
    case H2_EVENT_SETTINGS:
    case H2_EVENT_SETTINGS_ACK:
        put_settings(ev);
        break;
    case H2_EVENT_PING:
    case H2_EVENT_PING_ACK:
        printf(" opaque=");
        put_hex(ev->opaque, sizeof(ev->opaque));
        break;
    case H2_EVENT_PRIORITY_UPDATE:
        printf(" urgency=%u incremental=%d", ev->urgency, ev->incremental);
        break;
    case H2_EVENT_GOAWAY:
        printf(" last=%u code=%u", ev->last_stream_id, ev->code);
        break;
    case H2_EVENT_ALTSVC:
        printf(" origin=");
        put_hex(ev->origin, ev->origin_len);
        break;
    case H2_EVENT_UNKNOWN_FRAME:
        printf(" type=%u flags=%u", ev->frame_type, ev->frame_flags);
        break;
    default:
        break;
    }
    printf("\n");
}

static void result(enum h2_error error)
{
    printf("= %s\n", h2_error_name(error));
}

static void result_id(enum h2_error error, uint32_t id)
{
    printf("= %s %u\n", h2_error_name(error), id);
}

/* ---------------------------------------------------------------- a connection */

static const struct knob {
    const char *name;
    size_t at;
    bool flag; /* else a uint32_t */
} knobs[] = {
#define NUMBER(name)                                                                               \
    {                                                                                              \
#name, offsetof(struct h2_options, name), false                                            \
    }
#define FLAG(name)                                                                                 \
    {                                                                                              \
#name, offsetof(struct h2_options, name), true                                             \
    }
    NUMBER(header_table_size),
    NUMBER(max_concurrent_streams),
    NUMBER(initial_window_size),
    NUMBER(max_frame_size),
    NUMBER(connection_window_size),
    NUMBER(encoder_table_size),
    NUMBER(limits.header_list_bytes),
    NUMBER(limits.header_fields),
    NUMBER(limits.continuation_frames),
    NUMBER(limits.settings_per_frame),
    NUMBER(limits.queued_replies),
    NUMBER(limits.output_bytes),
    NUMBER(limits.reset_burst),
    NUMBER(limits.error_burst),
    NUMBER(limits.empty_burst),
    NUMBER(limits.control_burst),
    NUMBER(limits.closed_streams),
    FLAG(enable_push),
    FLAG(enable_connect_protocol),
    FLAG(validate_sent),
    FLAG(index_secrets),
};

static void set_option(struct h2_options *opts, char *text)
{
    char *value = strchr(text, '=');
    assert(value != NULL);
    *value++ = '\0';
    for (size_t i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++) {
        if (strcmp(knobs[i].name, text) == 0) {
            uint32_t n = (uint32_t)strtoul(value, NULL, 0);
            bool flag = n != 0;
            memcpy((char *)opts + knobs[i].at, knobs[i].flag ? (const void *)&flag : &n,
                   knobs[i].flag ? sizeof(flag) : sizeof(n));
            return;
        }
    }
    fprintf(stderr, "h2_driven: no such option: %s\n", text);
    exit(2);
}

static void do_new(void)
{
    struct h2_options opts;
    enum h2_role role = strcmp(word(), "server") == 0 ? H2_SERVER : H2_CLIENT;
    h2_options_init(&opts);
    for (char *w = strtok_r(NULL, " \n", &save); w != NULL; w = strtok_r(NULL, " \n", &save)) {
        set_option(&opts, w);
    }
    h2_conn_free(conn);
    pumped_len = 0;
    conn = h2_conn_new(role, &opts);
    assert(conn != NULL);
    result(H2_OK);
}

/* In memory of exactly its size, so that a sanitizer sees a step past its end. */
static void do_feed(void)
{
    char *text = word();
    size_t n = unhex(text);
    uint8_t *exact = malloc(n);
    struct h2_event ev;
    assert(exact != NULL);
    memcpy(exact, text, n);
    h2_conn_feed(conn, exact, n);
    while (h2_conn_next_event(conn, 0, &ev)) {
        put_event(&ev);
    }
    assert(h2_conn_unread(conn) == 0);
    free(exact);
    result(H2_OK);
}

static void do_take(void)
{
    static uint8_t buf[1 << 20];
    size_t most = number();
    size_t n = pumped_len < most ? pumped_len : most;
    assert(most <= sizeof(buf));
    if (n > 0) { /* what was pumped came before what the engine holds now */
        memcpy(buf, pumped, n);
        memmove(pumped, pumped + n, pumped_len - n);
        pumped_len -= n;
    }
    if (n < most) {
        n += h2_conn_send(conn, buf + n, most - n);
    }
    printf("out data=");
    put_hex(buf, n);
    printf("\n= OK %zu\n", h2_conn_output_len(conn) + pumped_len);
}

static uint8_t *more_pumped(size_t n)
{
    pumped = realloc(pumped, pumped_len + n + 1);
    assert(pumped != NULL);
    return pumped + pumped_len;
}

/* pump PAD END HEX: what the scheduler lets through of these octets, as one frame of whoever's turn
 * it is; answers with the stream and says how many it took. */
static void do_pump(void)
{
    int pad = atoi(word());
    bool end = number() != 0;
    char *data = word();
    size_t len = unhex(data);
    size_t limit;
    size_t waits = h2_conn_output_len(conn);
    pumped_len += h2_conn_send(conn, more_pumped(waits), waits);
    uint32_t id = h2_conn_next_writable(conn, &limit, NULL);
    size_t padding = pad < 0 ? 0 : 1 + (size_t)pad;
    if (id == 0 || limit <= padding || len == 0) {
        result_id(H2_ERR_FLOW_CONTROL, id);
        return;
    }
    size_t n = len < limit - padding ? len : limit - padding;
    uint8_t *out = more_pumped(H2_FRAME_HEADER_LEN + 1 + n + padding);
    uint8_t *at = out + H2_FRAME_HEADER_LEN;
    end = end && n == len;
    if (pad < 0) {
        h2_conn_data_frame(conn, id, n, end, out);
    } else {
        h2_conn_padded_data_frame(conn, id, n, (uint8_t)pad, end, out);
        at++;
        memset(at + n, 0, (size_t)pad);
    }
    memcpy(at, data, n);
    pumped_len += H2_FRAME_HEADER_LEN + n + padding;
    printf("pumped n=%zu end=%d\n", n, end);
    result_id(H2_OK, id);
}

/* ---------------------------------------------------------------- messages */

static struct h2_field fields[MOST_FIELDS];

static struct h2_priority priority(void)
{
    struct h2_priority p = {.depends_on = number()};
    p.weight = (uint16_t)number();
    p.exclusive = number() != 0;
    return p;
}

static void do_request(void)
{
    bool end = number() != 0;
    size_t n = parse_fields(word(), fields);
    uint32_t id = 0;
    enum h2_error error = h2_conn_request(conn, fields, n, end, NULL, &id);
    result_id(error, id);
}

static void do_request_with_priority(void)
{
    bool end = number() != 0;
    size_t n = parse_fields(word(), fields);
    struct h2_priority p = priority();
    uint32_t id = 0;
    enum h2_error error = h2_conn_request_with_priority(conn, fields, n, end, &p, NULL, &id);
    result_id(error, id);
}

static void do_respond(void)
{
    uint32_t id = number();
    bool end = number() != 0;
    size_t n = parse_fields(word(), fields);
    result(h2_conn_respond(conn, id, fields, n, end));
}

static void do_trailers(void)
{
    uint32_t id = number();
    size_t n = parse_fields(word(), fields);
    result(h2_conn_trailers(conn, id, fields, n));
}

static void do_push(void)
{
    uint32_t id = number();
    size_t n = parse_fields(word(), fields);
    uint32_t promised = 0;
    enum h2_error error = h2_conn_push(conn, id, fields, n, NULL, &promised);
    result_id(error, promised);
}

static void do_data(void)
{
    uint32_t id = number();
    int pad = atoi(word());
    bool end = number() != 0;
    char *data = word();
    size_t n = unhex(data);
    result(h2_conn_send_data(conn, id, data, n, pad, end));
}

static void do_end(void)
{
    result(h2_conn_end_stream(conn, number()));
}

static void do_reset(void)
{
    uint32_t id = number();
    result(h2_conn_reset(conn, id, number()));
}

static void do_ready(void)
{
    uint32_t id = number();
    h2_stream_set_ready(conn, id, number() != 0);
    result(H2_OK);
}

static void do_consume(void)
{
    uint32_t id = number();
    result(h2_conn_consume(conn, id, number()));
}

static void do_window(void)
{
    uint32_t id = number();
    result(h2_conn_update_window(conn, id, number()));
}

/* ---------------------------------------------------------------- the rest */

static void do_settings(void)
{
    struct h2_setting_value values[64];
    size_t n = 0;
    for (char *w = strtok_r(NULL, " \n", &save); w != NULL; w = strtok_r(NULL, " \n", &save)) {
        assert(n < 64);
        values[n].id = (uint16_t)strtoul(w, &w, 0);
        values[n].value = (uint32_t)strtoul(w + 1, NULL, 0);
        n++;
    }
    result(h2_conn_update_settings(conn, values, n));
}

static void do_ping(void)
{
    char *data = word();
    size_t n = unhex(data);
    uint8_t opaque[8];
    assert(n == sizeof(opaque));
    memcpy(opaque, data, sizeof(opaque));
    result(h2_conn_ping(conn, opaque));
}

static void do_priority(void)
{
    uint32_t id = number();
    struct h2_priority p = priority();
    result(h2_conn_priority(conn, id, &p));
}

static void do_priority_update(void)
{
    uint32_t id = number();
    char *value = word();
    size_t n = unhex(value);
    result(h2_conn_priority_update(conn, id, value, n));
}

static void do_altsvc(void)
{
    uint32_t id = number();
    char *origin = word();
    size_t origin_len = unhex(origin);
    char *value = word();
    size_t value_len = unhex(value);
    result(h2_conn_altsvc(conn, id, origin, origin_len, value, value_len));
}

static void do_origin(void)
{
    const char *origins[16];
    size_t n = 0;
    for (char *w = strtok_r(NULL, " \n", &save); w != NULL; w = strtok_r(NULL, " \n", &save)) {
        assert(n < 16);
        unhex(w);
        origins[n++] = w;
    }
    result(h2_conn_origin(conn, origins, n));
}

static void do_extension(void)
{
    uint32_t type = number();
    uint32_t flags = number();
    uint32_t id = number();
    char *payload = word();
    size_t n = unhex(payload);
    result(h2_conn_extension_frame(conn, (uint8_t)type, (uint8_t)flags, id, payload, n));
}

static void do_notice(void)
{
    result(h2_conn_shutdown_notice(conn));
}

static void do_shutdown(void)
{
    result(h2_conn_shutdown(conn));
}

static void do_close(void)
{
    uint32_t code = number();
    uint32_t last = number();
    char *debug = word();
    size_t n = unhex(debug);
    result(h2_conn_close(conn, code, last, debug, n));
}

static void do_upgrade(void)
{
    char *settings = word();
    size_t n = strcmp(settings, "-") == 0 ? 0 : strlen(settings);
    result(h2_conn_upgrade(conn, settings, n, false, NULL));
}

static void do_upgrade_settings(void)
{
    char value[H2_UPGRADE_SETTINGS_MAX + 1];
    size_t n = h2_conn_upgrade_settings(conn, value, sizeof(value) - 1);
    value[n] = '\0';
    printf("value text=%s\n", value);
    result(H2_OK);
}

/* windows ID: of the stream (0: connection). */
static void do_windows(void)
{
    uint32_t id = number();
    printf("windows send=%u receive=%u frame=%u state=%d\n", h2_conn_send_window(conn, id),
           h2_conn_receive_window(conn, id), h2_conn_peer_setting(conn, H2_SETTINGS_MAX_FRAME_SIZE),
           id > 0 ? (int)h2_conn_stream_state(conn, id) : -1);
    result(H2_OK);
}

static void do_counts(void)
{
    printf("counts inbound=%u outbound=%u open=%u last=%u next=%u acked=%d failed=%d goaway=%d\n",
           h2_conn_open_inbound(conn), h2_conn_open_outbound(conn), h2_conn_open_streams(conn),
           h2_conn_last_peer_stream(conn), h2_conn_next_stream_id(conn),
           h2_conn_settings_acked(conn), h2_conn_is_over(conn), h2_conn_goaway_received(conn));
    result(H2_OK);
}

/* As if all ids up to this one had been used: nobody waits for a thousand million requests. */
static void do_skip_ids(void)
{
    conn->next_id = number();
    result(H2_OK);
}

static const struct {
    const char *name;
    void (*run)(void);
} commands[] = {
    {"new", do_new},
    {"feed", do_feed},
    {"take", do_take},
    {"pump", do_pump},
    {"request", do_request},                             /* END FIELDS */
    {"request_with_priority", do_request_with_priority}, /* END FIELDS DEPENDS WEIGHT EXCLUSIVE */
    {"respond", do_respond},                             /* ID END FIELDS */
    {"trailers", do_trailers},                           /* ID FIELDS */
    {"push", do_push},                                   /* ID FIELDS */
    {"data", do_data},                                   /* ID PAD END HEX */
    {"end", do_end},                                     /* ID */
    {"reset", do_reset},                                 /* ID CODE */
    {"ready", do_ready},                                 /* ID 0|1 */
    {"consume", do_consume},                             /* ID N */
    {"window", do_window},                               /* ID N */
    {"settings", do_settings},                           /* ID=VALUE… */
    {"ping", do_ping},                                   /* HEX */
    {"priority", do_priority},                           /* ID DEPENDS WEIGHT EXCLUSIVE */
    {"priority_update", do_priority_update},             /* ID HEX */
    {"altsvc", do_altsvc},                               /* ID ORIGIN VALUE, in hex */
    {"origin", do_origin},                               /* HEX… */
    {"extension", do_extension},                         /* TYPE FLAGS ID HEX */
    {"notice", do_notice},
    {"shutdown", do_shutdown},
    {"close", do_close},     /* CODE LAST HEX */
    {"upgrade", do_upgrade}, /* SETTINGS, as text */
    {"upgrade_settings", do_upgrade_settings},
    {"windows", do_windows}, /* ID */
    {"counts", do_counts},
    {"skip_ids", do_skip_ids}, /* NEXT */
};

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, stdin) > 0) {
        const char *name = strtok_r(line, " \n", &save);
        size_t i = 0;
        while (i < sizeof(commands) / sizeof(commands[0]) && strcmp(commands[i].name, name) != 0) {
            i++;
        }
        if (i == sizeof(commands) / sizeof(commands[0])) {
            fprintf(stderr, "h2_driven: no such command: %s\n", name);
            return 2;
        }
        commands[i].run();
        fflush(stdout);
    }
    h2_conn_free(conn);
    free(pumped);
    free(line);
    return 0;
}
