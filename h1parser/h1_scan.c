/*
 * Which form of the scans is used, and the plain one.
 */
#include "h1_scan.h"

#include <stdatomic.h>

/* As h1_lines() does it, one line after the other. */
static uint8_t *lines_plain(struct h1_head *h, uint8_t *buf, uint8_t *p, const uint8_t *end)
{
    uint32_t room = h1_room_for_fields(h);
    if (room == 0) {
        return p;
    }
    struct h1_field *f = h->fields + h->nfields;
    const struct h1_field *f_end = f + room;
    for (; f < f_end; f++) {
        size_t n = h1_name_plain(p, end);
        if (n == 0 || (size_t)(end - p) < n + 3 || p[n] != ':') {
            break;
        }
        const uint8_t *value = p + n + 1;
        if (*value == ' ') {
            value++;
        }
        const uint8_t *after = value + h1_value_plain(value, end);
        if (end - after < 2 || memcmp(after, "\r\n", 2) != 0 || after == value ||
            h1_is_blank(value[0]) || h1_is_blank(after[-1])) {
            break;
        }
        f->name.off = (uint32_t)(p - buf);
        f->name.len = (uint32_t)n;
        f->value.off = (uint32_t)(value - buf);
        f->value.len = (uint32_t)(after - value);
        f->token = h1_token_lookup((const char *)p, n);
        if (!h1_take_field(h, f, buf)) {
            break;
        }
        h1_lower_plain(p, n, after);
        p += after + 2 - p;
    }
    h->nfields = (uint32_t)(f - h->fields);
    return h->error == H1_ERR_NONE ? p : NULL;
}

const struct h1_scan h1_scan_plain = {
    .instructions = "plain",
    .name = h1_name_plain,
    .value = h1_value_plain,
    .target = h1_target_plain,
    .lower = h1_lower_plain,
    .lines = lines_plain,
};

const struct h1_scan *h1_scan_form(size_t index)
{
    const struct h1_scan *forms[4] = {NULL};
    size_t n = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
        __builtin_cpu_supports("bmi2")) {
        forms[n++] = &h1_scan_avx2;
    }
    if (__builtin_cpu_supports("sse4.2")) {
        forms[n++] = &h1_scan_sse42;
    }
#elif defined(__aarch64__)
    forms[n++] = &h1_scan_neon; /* every arm64 has it */
#endif
    forms[n++] = &h1_scan_plain;
    return index < n ? forms[index] : NULL;
}

/* Threads that come here at the same time find the same form and store the same pointer, to what is
 * constant: nothing needs to be ordered. */
static _Atomic(const struct h1_scan *) in_use;

const struct h1_scan *h1_scan_in_use(void)
{
    const struct h1_scan *form = atomic_load_explicit(&in_use, memory_order_relaxed);
    if (form == NULL) {
        form = h1_scan_form(0);
        atomic_store_explicit(&in_use, form, memory_order_relaxed);
    }
    return form;
}

void h1_scan_use(const struct h1_scan *form)
{
    atomic_store_explicit(&in_use, form, memory_order_relaxed);
}
