/* The actions of h2_script.h: what the caller does. */
#include "h2_script_internal.h"

#include <stdio.h>

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
        script_note(r, "= %s\n", h2_error_name(rc));
    }
}

/* Sends what the engine lets through, in its order; `len` octets in all. */
static void send_data(struct run *r, uint32_t id, size_t len, bool end)
{
    size_t limit;
    uint32_t writable;
    script_drain(r);
    h2_stream_set_ready(r->c, id, true);
    while (len > 0 && (writable = h2_conn_next_writable(r->c, &limit, NULL)) != 0) {
        uint8_t header[9];
        size_t n = limit < len ? limit : len;
        assert_int_equal(writable, id);
        len -= n;
        h2_conn_data_frame(r->c, id, n, end && len == 0, header);
        script_note_frame(r, header, (uint32_t)n);
    }
    h2_stream_set_ready(r->c, id, false);
    if (len > 0) {
        script_note(r, "= %zu stay\n", len);
    }
}

/* Sends n frames of at most `chunk` octets, of whatever streams the engine names. */
static void pump(struct run *r, unsigned n, size_t chunk)
{
    script_drain(r);
    for (unsigned i = 0; i < n; i++) {
        size_t limit;
        uint8_t header[9];
        uint32_t id = h2_conn_next_writable(r->c, &limit, NULL);
        if (id == 0) {
            script_note(r, "= nothing to send\n");
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
        script_note_frame(r, header, (uint32_t)len);
    }
}

/* ---------------------------------------------------------------- arguments */

static uint32_t number(char **args)
{
    const char *word = strtok_r(NULL, " ", args);
    assert_non_null(word);
    return (uint32_t)strtoul(word, NULL, 0);
}

/* Takes a word off the front of what is left, if it is there. */
static bool option(char **rest, const char *word)
{
    size_t n = strlen(word);
    if (*rest == NULL || strncmp(*rest, word, n) != 0 ||
        ((*rest)[n] != ' ' && (*rest)[n] != '\0')) {
        return false;
    }
    *rest += (*rest)[n] == ' ' ? n + 1 : n;
    return true;
}

static char *rest_of(char **args)
{
    return strtok_r(NULL, "", args);
}

static void *user_named(const char *name)
{
    union {
        const char *in;
        void *out;
    } user = {.in = name};
    return user.out;
}

/* ---------------------------------------------------------------- messages */

static void send_request(struct run *r, char *rest, const struct h2_priority *priority)
{
    static const char *const users[] = {"a", "b", "c", "d"};
    struct h2_field fields[64];
    char get[] = GET_FIELDS;
    bool end = option(&rest, "end");
    size_t n = script_fields(rest == NULL || *rest == '\0' ? get : rest, fields, 64);
    void *user = user_named(users[r->next_id / 2 % 4]);
    uint32_t id = 0;
    enum h2_error rc =
        priority != NULL ? h2_conn_request_with_priority(r->c, fields, n, end, priority, user, &id)
                         : h2_conn_request(r->c, fields, n, end, user, &id);
    result(r, rc);
    if (rc == H2_OK) {
        r->next_id = id + 2;
    }
}

static void do_request(struct run *r, uint32_t id, char *args)
{
    (void)id;
    send_request(r, rest_of(&args), NULL);
}

static struct h2_priority priority_of(char **args, char **rest)
{
    struct h2_priority priority = {.depends_on = number(args)};
    priority.weight = (uint16_t)number(args);
    *rest = rest_of(args);
    priority.exclusive = option(rest, "exclusive");
    return priority;
}

static void do_prequest(struct run *r, uint32_t id, char *args)
{
    char *rest;
    struct h2_priority priority = priority_of(&args, &rest);
    (void)id;
    send_request(r, rest, &priority);
}

static void do_respond(struct run *r, uint32_t id, char *args)
{
    struct h2_field fields[64];
    char *rest = rest_of(&args);
    bool end = option(&rest, "end");
    size_t n = script_fields(rest, fields, 64);
    result(r, h2_conn_respond(r->c, id, fields, n, end));
}

static void do_trailers(struct run *r, uint32_t id, char *args)
{
    struct h2_field fields[64];
    size_t n = script_fields(rest_of(&args), fields, 64);
    result(r, h2_conn_trailers(r->c, id, fields, n));
}

static void do_push(struct run *r, uint32_t id, char *args)
{
    struct h2_field fields[64];
    char get[] = GET_FIELDS;
    char *rest = rest_of(&args);
    size_t n = script_fields(rest == NULL ? get : rest, fields, 64);
    uint32_t promised = 0;
    result(r, h2_conn_push(r->c, id, fields, n, user_named("pushed"), &promised));
}

static void do_end(struct run *r, uint32_t id, char *args)
{
    (void)args;
    result(r, h2_conn_end_stream(r->c, id));
}

static void do_reset(struct run *r, uint32_t id, char *args)
{
    result(r, h2_conn_reset(r->c, id, parse_code(strtok_r(NULL, " ", &args))));
}

static void do_user(struct run *r, uint32_t id, char *args)
{
    (void)args;
    h2_stream_set_user(r->c, id, user_named("someone"));
}

/* ---------------------------------------------------------------- bodies and windows */

static void do_data(struct run *r, uint32_t id, char *args)
{
    size_t len = number(&args);
    send_data(r, id, len, strtok_r(NULL, " ", &args) != NULL);
}

static void do_ready(struct run *r, uint32_t id, char *args)
{
    r->bodies[id / 2 % 64] = number(&args);
    h2_stream_set_ready(r->c, id, r->bodies[id / 2 % 64] > 0);
}

static void do_pump(struct run *r, uint32_t id, char *args)
{
    unsigned n = number(&args);
    (void)id;
    pump(r, n, number(&args));
}

static void do_send(struct run *r, uint32_t id, char *args)
{
    static const uint8_t body[1 << 17];
    size_t len = number(&args);
    const char *pad = strtok_r(NULL, " ", &args);
    assert_true(pad != NULL && len <= sizeof(body));
    int padding = strcmp(pad, "-") == 0 ? H2_NO_PADDING : (int)strtol(pad, NULL, 10);
    bool end = strtok_r(NULL, " ", &args) != NULL;
    result(r, h2_conn_send_data(r->c, id, body, len, padding, end));
}

static void do_padded(struct run *r, uint32_t id, char *args)
{
    uint8_t header[H2_FRAME_HEADER_LEN + 1];
    size_t limit;
    size_t len = number(&args);
    uint8_t pad = (uint8_t)number(&args);
    bool end = strtok_r(NULL, " ", &args) != NULL;
    h2_stream_set_ready(r->c, id, true);
    assert_int_equal(h2_conn_next_writable(r->c, &limit, NULL), id);
    assert_true(len + 1 + pad <= limit);
    h2_conn_padded_data_frame(r->c, id, len, pad, end, header);
    h2_stream_set_ready(r->c, id, false);
    script_note_frame(r, header, (uint32_t)len + 1 + pad);
}

static void do_consume(struct run *r, uint32_t id, char *args)
{
    result(r, h2_conn_consume(r->c, id, number(&args)));
}

static void do_update(struct run *r, uint32_t id, char *args)
{
    result(r, h2_conn_update_window(r->c, id, number(&args)));
}

static void do_windows(struct run *r, uint32_t id, char *args)
{
    (void)args;
    script_note(r, "= windows %u: %u %u\n", id, h2_conn_send_window(r->c, id),
                h2_conn_receive_window(r->c, id));
}

/* ---------------------------------------------------------------- beside messages */

static void do_ping(struct run *r, uint32_t id, char *args)
{
    (void)id;
    (void)args;
    result(r, h2_conn_ping(r->c, (const uint8_t *)"12345678"));
}

static void do_settings(struct run *r, uint32_t id, char *args)
{
    struct h2_setting_value values[64];
    size_t n = 0;
    (void)id;
    for (const char *s = strtok_r(NULL, ",", &args); s != NULL; s = strtok_r(NULL, ",", &args)) {
        const char *value = strchr(s, '=');
        assert_true(value != NULL && n < 64);
        values[n].id = (uint16_t)strtoul(s, NULL, 0);
        values[n++].value = (uint32_t)strtoul(value + 1, NULL, 0);
    }
    result(r, h2_conn_update_settings(r->c, values, n));
}

static void do_prio(struct run *r, uint32_t id, char *args)
{
    char *rest;
    struct h2_priority priority = priority_of(&args, &rest);
    result(r, h2_conn_priority(r->c, id, &priority));
}

static void do_pupdate(struct run *r, uint32_t id, char *args)
{
    const char *value = rest_of(&args);
    result(r, h2_conn_priority_update(r->c, id, value, value != NULL ? strlen(value) : 0));
}

static void do_altsvc(struct run *r, uint32_t id, char *args)
{
    const char *origin = strtok_r(NULL, " ", &args);
    const char *value = rest_of(&args);
    origin = strcmp(origin, "-") == 0 ? NULL : origin;
    result(r, h2_conn_altsvc(r->c, id, origin, origin != NULL ? strlen(origin) : 0, value,
                             value != NULL ? strlen(value) : 0));
}

static void do_origin(struct run *r, uint32_t id, char *args)
{
    const char *origins[16];
    size_t n = 0;
    (void)id;
    for (const char *s = strtok_r(NULL, " ", &args); s != NULL; s = strtok_r(NULL, " ", &args)) {
        assert_true(n < 16);
        origins[n++] = s;
    }
    result(r, h2_conn_origin(r->c, origins, n));
}

static void do_ext(struct run *r, uint32_t id, char *args)
{
    uint8_t type = (uint8_t)strtoul(strtok_r(NULL, " ", &args), NULL, 16);
    uint8_t flags = (uint8_t)number(&args);
    id = number(&args);
    const char *text = rest_of(&args);
    result(r,
           h2_conn_extension_frame(r->c, type, flags, id, text, text != NULL ? strlen(text) : 0));
}

/* ---------------------------------------------------------------- the connection */

static void do_notice(struct run *r, uint32_t id, char *args)
{
    (void)id;
    (void)args;
    result(r, h2_conn_shutdown_notice(r->c));
}

static void do_shutdown(struct run *r, uint32_t id, char *args)
{
    (void)id;
    (void)args;
    result(r, h2_conn_shutdown(r->c));
}

static void do_terminate(struct run *r, uint32_t id, char *args)
{
    enum h2_code code = parse_code(strtok_r(NULL, " ", &args));
    const char *why = rest_of(&args);
    (void)id;
    result(r, h2_conn_close(r->c, code, H2_LAST_TOLD, why, why != NULL ? strlen(why) : 0));
}

static void do_close(struct run *r, uint32_t id, char *args)
{
    enum h2_code code = parse_code(strtok_r(NULL, " ", &args));
    const char *last = strtok_r(NULL, " ", &args);
    const char *why = rest_of(&args);
    (void)id;
    uint32_t last_id = strcmp(last, "told") == 0 ? H2_LAST_TOLD : (uint32_t)strtoul(last, NULL, 0);
    result(r, h2_conn_close(r->c, code, last_id, why, why != NULL ? strlen(why) : 0));
}

static void do_upgrade(struct run *r, uint32_t id, char *args)
{
    const char *value = strtok_r(NULL, " ", &args);
    bool head = strtok_r(NULL, " ", &args) != NULL;
    (void)id;
    value = strcmp(value, "-") == 0 ? NULL : value;
    result(r, h2_conn_upgrade(r->c, value, value != NULL ? strlen(value) : 0, head,
                              user_named("upgraded")));
}

static void do_drop(struct run *r, uint32_t id, char *args)
{
    (void)id;
    (void)args;
    h2_conn_drop_output(r->c);
}

/* ---------------------------------------------------------------- questions */

static void do_state(struct run *r, uint32_t id, char *args)
{
    (void)args;
    script_note(r, "= %u is %s\n", id, h2_stream_state_name(h2_conn_stream_state(r->c, id)));
}

static void do_streams(struct run *r, uint32_t id, char *args)
{
    const struct h2_conn *c = r->c;
    (void)id;
    (void)args;
    script_note(r, "= streams %u in %u out %u next %u last %u\n", h2_conn_open_streams(c),
                h2_conn_open_inbound(c), h2_conn_open_outbound(c), h2_conn_next_stream_id(c),
                h2_conn_last_peer_stream(c));
}

static void do_setting(struct run *r, uint32_t id, char *args)
{
    (void)args;
    script_note(r, "= setting %u: peer %u local %u%s\n", id, h2_conn_peer_setting(r->c, id),
                h2_conn_local_setting(r->c, id), h2_conn_settings_acked(r->c) ? "" : " pending");
}

static void do_offer(struct run *r, uint32_t id, char *args)
{
    char value[H2_UPGRADE_SETTINGS_MAX];
    size_t n = h2_conn_upgrade_settings(r->c, value, sizeof(value));
    (void)id;
    (void)args;
    script_note(r, "= offer %.*s\n", (int)n, value);
}

static void do_output(struct run *r, uint32_t id, char *args)
{
    (void)id;
    (void)args;
    assert_int_equal(h2_conn_output_len(r->c) > 0, h2_conn_wants_send(r->c));
    script_note(r, "= output %zu\n", h2_conn_output_len(r->c));
}

/* ---------------------------------------------------------------- the script itself */

static void do_deaf(struct run *r, uint32_t id, char *args)
{
    (void)id;
    (void)args;
    r->deaf = true;
}

static void do_auto(struct run *r, uint32_t id, char *args)
{
    (void)id;
    (void)args;
    r->autoconsume = true;
}

static void do_fields(struct run *r, uint32_t id, char *args)
{
    (void)id;
    (void)args;
    r->fields = true;
}

static void do_errors(struct run *r, uint32_t id, char *args)
{
    (void)id;
    (void)args;
    r->errors = true;
}

static void do_now(struct run *r, uint32_t id, char *args)
{
    (void)id;
    r->now = strtoull(strtok_r(NULL, " ", &args), NULL, 10);
}

/* ---------------------------------------------------------------- all of them */

static const struct {
    const char *name;
    bool on_stream; /* its first argument is a stream id (or another number) */
    void (*act)(struct run *r, uint32_t id, char *args);
} actions[] = {
    {"request", false, do_request},   {"prequest", false, do_prequest},
    {"respond", true, do_respond},    {"trailers", true, do_trailers},
    {"push", true, do_push},          {"end", true, do_end},
    {"reset", true, do_reset},        {"user", true, do_user},
    {"data", true, do_data},          {"ready", true, do_ready},
    {"pump", false, do_pump},         {"send", true, do_send},
    {"padded", true, do_padded},      {"consume", true, do_consume},
    {"update", true, do_update},      {"windows", true, do_windows},
    {"ping", false, do_ping},         {"settings", false, do_settings},
    {"prio", true, do_prio},          {"pupdate", true, do_pupdate},
    {"altsvc", true, do_altsvc},      {"origin", false, do_origin},
    {"ext", false, do_ext},           {"notice", false, do_notice},
    {"shutdown", false, do_shutdown}, {"terminate", false, do_terminate},
    {"close", false, do_close},       {"upgrade", false, do_upgrade},
    {"drop", false, do_drop},         {"state", true, do_state},
    {"streams", false, do_streams},   {"setting", true, do_setting},
    {"offer", false, do_offer},       {"output", false, do_output},
    {"deaf", false, do_deaf},         {"auto", false, do_auto},
    {"fields", false, do_fields},     {"errors", false, do_errors},
    {"now", false, do_now},
};

void script_action(struct run *r, char *line)
{
    char *args;
    const char *word = strtok_r(line, " ", &args);
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(word, actions[i].name) == 0) {
            uint32_t id = actions[i].on_stream ? script_id(r, strtok_r(NULL, " ", &args)) : 0;
            actions[i].act(r, id, args);
            return;
        }
    }
    fail_msg("no such action: %s", word);
}
