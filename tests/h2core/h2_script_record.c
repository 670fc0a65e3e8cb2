/* What the engine tells and sends, as lines of the record: see h2_script.h. */
#include "h2_script_internal.h"

#include <stdio.h>

/* ---------------------------------------------------------------- text */

void script_append(struct text *t, const void *p, size_t n)
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

void script_note(struct run *r, const char *format, ...)
{
    char line[8192];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof(line));
    script_append(&r->record, line, (size_t)n);
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
/* ---------------------------------------------------------------- events */

void script_end_data(struct run *r, bool end_stream)
{
    if (r->data_stream == 0) {
        return;
    }
    script_note(r, "DATA %u %zu", r->data_stream, r->data_len);
    if (r->data_flow != r->data_len) {
        script_note(r, " flow %zu", r->data_flow);
    }
    script_note(r, "%s\n", end_stream ? " end" : "");
    r->data_stream = 0;
}

static void note_head(struct run *r, const char *name, const struct h2_event *ev)
{
    script_note(r, "%s %u%s", name, ev->stream_id, ev->end_stream ? " end" : "");
    if (ev->type == H2_EVENT_RESPONSE || ev->type == H2_EVENT_INFORMATIONAL) {
        script_note(r, " %u", ev->status);
    }
    if (ev->too_large) {
        script_note(r, " too_large %zu", ev->nfields);
    }
    if (ev->content_length >= 0) {
        script_note(r, " length %lld", (long long)ev->content_length);
    }
    if (r->all && ev->type == H2_EVENT_REQUEST) {
        script_note(r, " u=%u%s", ev->urgency, ev->incremental ? ",i" : "");
    }
    if (ev->has_priority) {
        script_note(r, " priority %u %u%s", ev->priority.depends_on, ev->priority.weight,
                    ev->priority.exclusive ? " exclusive" : "");
    }
    if (r->fields) {
        script_note(r, " %s", fields_text(ev->fields, ev->nfields));
    }
    script_note(r, "\n");
}

static void note_settings(struct run *r, const char *name, const struct h2_event *ev)
{
    script_note(r, "%s", name);
    for (size_t i = 0; r->all && i < ev->nsettings; i++) {
        const struct h2_setting_change *s = &ev->settings[i];
        script_note(r, " %u=%u>%u", s->id, s->before, s->after);
    }
    script_note(r, "\n");
}

static void note_origins(struct run *r, const struct h2_event *ev)
{
    const uint8_t *p = ev->data;
    size_t left = ev->len;
    const char *origin;
    size_t len;
    script_note(r, "ORIGIN");
    while (h2_origin_next(&p, &left, &origin, &len)) {
        script_note(r, " %.*s", (int)len, origin);
    }
    script_note(r, "\n");
}

/* Events that scripts see only when they ask for all of them. */
static void note_rare_event(struct run *r, const struct h2_event *ev)
{
    switch (ev->type) {
    case H2_EVENT_STREAM_ENDED:
        script_note(r, "STREAM_ENDED %u\n", ev->stream_id);
        break;
    case H2_EVENT_PUSH:
        script_note(r, "PUSH %u %u", ev->stream_id, ev->promised_id);
        if (r->all) {
            script_note(r, " u=%u%s", ev->urgency, ev->incremental ? ",i" : "");
        }
        script_note(r, r->fields ? " %s\n" : "\n", fields_text(ev->fields, ev->nfields));
        break;
    case H2_EVENT_WINDOW_UPDATE:
        script_note(r, "WINDOW_UPDATE %u %u\n", ev->stream_id, ev->increment);
        break;
    case H2_EVENT_PING:
        script_note(r, "PING %.8s\n", (const char *)ev->opaque);
        break;
    case H2_EVENT_PRIORITY:
        script_note(r, "PRIORITY %u %u %u%s\n", ev->stream_id, ev->priority.depends_on,
                    ev->priority.weight, ev->priority.exclusive ? " exclusive" : "");
        break;
    case H2_EVENT_PRIORITY_UPDATE:
        script_note(r, "PRIORITY_UPDATE %u u=%u%s %.*s\n", ev->stream_id, ev->urgency,
                    ev->incremental ? ",i" : "", (int)ev->len, (const char *)ev->data);
        break;
    case H2_EVENT_ALTSVC:
        script_note(r, "ALTSVC %u '%.*s' %.*s\n", ev->stream_id, (int)ev->origin_len, ev->origin,
                    (int)ev->len, (const char *)ev->data);
        break;
    case H2_EVENT_ORIGIN:
        note_origins(r, ev);
        break;
    case H2_EVENT_UNKNOWN_FRAME:
        script_note(r, "UNKNOWN %u type %u flags %u '%.*s'\n", ev->stream_id, ev->frame_type,
                    ev->frame_flags, (int)ev->len, (const char *)ev->data);
        break;
    default:
        fail_msg("event %d", ev->type);
    }
}

static void note_error(struct run *r, const struct h2_fail *fail)
{
    assert_true(fail->error != H2_OK);
    if (r->errors) {
        script_note(r, " [%s]", h2_error_name(fail->error));
    }
}

static void note_reset(struct run *r, const struct h2_event *ev)
{
    script_note(r, "RESET %u %s %s", ev->stream_id, ev->by_peer ? "peer" : "us",
                h2_code_name(ev->code));
    if (ev->by_peer) {
        assert_int_equal(ev->fail.error, H2_OK);
    } else {
        assert_int_equal(ev->fail.scope, H2_SCOPE_STREAM);
        assert_int_equal(ev->fail.code, ev->code);
        script_note(r, ": %s", ev->fail.why);
        note_error(r, &ev->fail);
    }
    script_note(r, "\n");
}

void script_note_event(struct run *r, const struct h2_event *ev)
{
    if (ev->type != H2_EVENT_DATA || ev->stream_id != r->data_stream) {
        script_end_data(r, false);
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
            script_end_data(r, true);
        }
        if (r->autoconsume) {
            assert_int_equal(h2_conn_consume(r->c, ev->stream_id, ev->flow_len), H2_OK);
        }
        break;
    case H2_EVENT_RESET:
        note_reset(r, ev);
        if (ev->user != NULL) {
            script_note(r, "  user %s\n", (const char *)ev->user);
        }
        break;
    case H2_EVENT_SETTINGS:
        note_settings(r, "SETTINGS", ev);
        break;
    case H2_EVENT_SETTINGS_ACK:
        note_settings(r, "SETTINGS_ACK", ev);
        break;
    case H2_EVENT_PING_ACK:
        script_note(r, "PING_ACK %.8s\n", (const char *)ev->opaque);
        break;
    case H2_EVENT_GOAWAY:
        script_note(r, "GOAWAY %u %s %.*s\n", ev->last_stream_id, h2_code_name(ev->code),
                    (int)ev->len, (const char *)ev->data);
        break;
    case H2_EVENT_FAILED:
        script_note(r, "FAILED %s: %s", h2_code_name(ev->fail.code), ev->fail.why);
        note_error(r, &ev->fail);
        script_note(r, "\n");
        assert_int_equal(ev->fail.scope, H2_SCOPE_CONN);
        assert_true(h2_conn_is_over(r->c));
        break;
    default:
        note_rare_event(r, ev);
        break;
    }
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
        script_note(r, "> PUSH_PROMISE %u %u", r->block_id, r->block_promised);
    } else {
        script_note(r, "> HEADERS %u%s", r->block_id, r->block_end ? " end" : "");
    }
    if (r->block_frames > 1) {
        script_note(r, " in %u", r->block_frames);
    }
    if (r->fields) {
        script_note(r, " %s", fields_text(fields, n));
    }
    script_note(r, "\n");
    r->block.len = 0;
    r->block_id = 0;
}

void script_note_frame(struct run *r, const uint8_t *f, uint32_t len)
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
        script_note(r, "> DATA %u %u", id, len);
        if (f[4] & 8) {
            script_note(r, " pad %u", p[0]);
        }
        script_note(r, "%s\n", f[4] & 1 ? " end" : "");
        break;
    case 2:
        script_note(r, "> PRIORITY %u %08x %u\n", id, word, p[4]);
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
                script_note(r, "> priority %08x %u\n", word, p[4]);
            }
            p += prefix;
            len -= prefix;
        }
        assert_int_equal(r->block_id, id);
        r->block_frames++;
        script_append(&r->block, p, len);
        if (f[4] & 4) {
            note_block(r);
        }
        break;
    case 3:
        script_note(r, "> RST_STREAM %u %s\n", id, h2_code_name(word));
        break;
    case 4:
        script_note(r, "> SETTINGS%s", f[4] & 1 ? " ack" : "");
        for (uint32_t i = 0; i + 6 <= len; i += 6) {
            script_note(r, " %u=%u", p[i] << 8 | p[i + 1],
                        (uint32_t)p[i + 2] << 24 | (uint32_t)p[i + 3] << 16 |
                            (uint32_t)p[i + 4] << 8 | p[i + 5]);
        }
        script_note(r, "\n");
        break;
    case 6:
        script_note(r, "> PING%s %.8s\n", f[4] & 1 ? " ack" : "", (const char *)p);
        break;
    case 7:
        script_note(r, "> GOAWAY %u %s %.*s\n", word, h2_code_name(second), (int)(len - 8),
                    (const char *)p + 8);
        break;
    case 8:
        if (!r->autoconsume) { /* when they come depends on the pieces then */
            script_note(r, "> WINDOW_UPDATE %u %u\n", id, word);
        }
        break;
    case 0x10:
        script_note(r, "> PRIORITY_UPDATE %u %u %.*s\n", id, word, (int)(len - 4),
                    (const char *)p + 4);
        break;
    default:
        script_note(r, "> type %u id %u flags %u", f[3], id, f[4]);
        for (uint32_t i = 0; i < len; i++) {
            script_note(r, p[i] > 0x20 && p[i] < 0x7f ? "%s%c" : "%s%02x", i == 0 ? " " : "", p[i]);
        }
        script_note(r, "\n");
        break;
    }
}

void script_drain(struct run *r)
{
    struct text out = {0};
    uint8_t buf[512];
    size_t n;
    if (r->deaf) {
        return;
    }
    size_t cap = r->split == SCRIPT_BYTE_BY_BYTE ? 1 : sizeof(buf);
    while ((n = h2_conn_send(r->c, buf, cap)) > 0) {
        script_append(&out, buf, n);
    }
    assert_false(h2_conn_wants_send(r->c));
    size_t at = 0;
    if (r->role == H2_CLIENT && out.len >= 24 && memcmp(out.p, "PRI * HT", 8) == 0) {
        script_note(r, "> preface\n");
        at = 24;
    }
    while (at < out.len) {
        const uint8_t *f = (const uint8_t *)out.p + at;
        assert_true(out.len - at >= 9);
        uint32_t len = (uint32_t)f[0] << 16 | (uint32_t)f[1] << 8 | f[2];
        assert_true(out.len - at - 9 >= len);
        script_note_frame(r, f, len);
        at += 9 + len;
    }
    free(out.p);
}

/* ---------------------------------------------------------------- records of the trace hook */

void script_trace(void *ctx, const struct h2_trace *t)
{
    struct run *r = ctx;
    if (t->kind == H2_TRACE_STREAM_STATE || t->kind == H2_TRACE_CONN_STATE) {
        assert_int_equal(t->kind == H2_TRACE_CONN_STATE, t->stream_id == 0);
        script_note(r, "~ %u: %s -> %s\n", t->stream_id, t->from, t->to);
        return;
    }
    script_note(r, "~ %s %s %u flags %u length %u%s\n",
                t->kind == H2_TRACE_FRAME_SENT ? "sent" : "got", h2_frame_name(t->type),
                t->stream_id, t->flags, t->length, t->payload != NULL ? "" : " no payload");
}
