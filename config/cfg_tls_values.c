/* The values of options about TLS: key pairs, pre-shared keys, versions, where ticket keys are. */
#include "config_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* What OpenSSL takes (PSK_MAX_IDENTITY_LEN and PSK_MAX_PSK_LEN of 1.1.1; later ones take more). */
#define PSK_IDENTITY_MOST 128
#define PSK_SECRET_MOST   256
#define PSK_FILE_MOST     ((size_t)1 << 20)

/* ---------------------------------------------------------------- key pairs */

static const struct cfg_param subcert_params[] = {
    {.name = "sct-dir",
     .kind = CFG_PARAM_TEXT,
     .takes = CFG_TAKES_VALUE,
     .offset = offsetof(struct cfg_subcert, sct_dir),
     .min = 1,
     .max = UINT16_MAX},
    {.name = NULL},
};

bool cfg_parse_subcert(struct cfg_report *r, struct cfg_text t, struct cfg_subcert *out)
{
    struct cfg_subcert s = {0};
    struct cfg_text params = t;
    struct cfg_text cert = cfg_cut(&params, ';');
    struct cfg_text pair = cert;
    struct cfg_text key = cfg_cut(&cert, ':');
    if (cert.s == NULL || cert.len == 0 || key.len == 0) {
        return cfg_error(r, pair, "%s names no key and certificate; expected KEY:CERT",
                         cfg_quote(pair).s);
    }
    bool good =
        cfg_check_string(r, pair, 1, UINT16_MAX) && cfg_params_set(r, params, subcert_params, &s);
    s.key = good ? cfg_copy(r, key) : NULL;
    s.cert = s.key != NULL ? cfg_copy(r, cert) : NULL;
    if (s.cert == NULL) {
        cfg_subcert_clear(&s);
        return false;
    }
    *out = s;
    return true;
}

void cfg_subcert_clear(struct cfg_subcert *s)
{
    free(s->key);
    free(s->cert);
    free(s->sct_dir);
    *s = (struct cfg_subcert){0};
}

/* ---------------------------------------------------------------- memcached */

static const struct cfg_param memcached_params[] = {
    {.name = "tls", .kind = CFG_PARAM_ON, .offset = offsetof(struct cfg_memcached, tls)},
    {.name = "no-tls", .kind = CFG_PARAM_OFF, .offset = offsetof(struct cfg_memcached, tls)},
    {.name = NULL},
};

bool cfg_parse_memcached(struct cfg_report *r, struct cfg_text t, struct cfg_memcached *out)
{
    struct cfg_memcached m = {0};
    struct cfg_text params = t;
    struct cfg_text addr = cfg_cut(&params, ';');
    if (t.len == 0) { /* takes back what a file has set */
        *out = m;
        return true;
    }
    if (!cfg_parse_address(r, addr, false, &m.addr)) {
        return false;
    }
    if (m.addr.path != NULL || !cfg_params_set(r, params, memcached_params, &m)) {
        bool unix_socket = m.addr.path != NULL;
        cfg_memcached_clear(&m);
        return !unix_socket ? false
                            : cfg_error(r, addr, "a UNIX socket; expected HOST,PORT of memcached");
    }
    *out = m;
    return true;
}

void cfg_memcached_clear(struct cfg_memcached *m)
{
    cfg_address_clear(&m->addr);
    *m = (struct cfg_memcached){0};
}

/* ---------------------------------------------------------------- pre-shared keys */

static int hex_value(char c)
{
    int l = tolower((unsigned char)c);
    return c >= '0' && c <= '9' ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* No error here shows the line: it is a secret. */
static bool parse_secret(struct cfg_report *r, struct cfg_text t, struct cfg_psk *psk)
{
    const struct cfg_text none = cfg_slice(NULL, 0);
    if (t.len == 0 || t.len % 2 != 0 || t.len / 2 > PSK_SECRET_MOST) {
        return cfg_error(r, none, "a secret of %zu hex digits; expected an even number up to %d",
                         t.len, 2 * PSK_SECRET_MOST);
    }
    psk->secret = malloc(t.len / 2);
    if (psk->secret == NULL) {
        return cfg_out_of_memory(r);
    }
    psk->secret_len = t.len / 2;
    for (size_t i = 0; i < psk->secret_len; i++) {
        int high = hex_value(t.s[2 * i]), low = hex_value(t.s[2 * i + 1]);
        if (high < 0 || low < 0) {
            return cfg_error(r, none, "a secret that is not hex; expected identity:hexdigits");
        }
        psk->secret[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

static bool parse_psk(struct cfg_report *r, struct cfg_text line, struct cfg_psk_file *f)
{
    const struct cfg_text none = cfg_slice(NULL, 0);
    struct cfg_text secret = line;
    struct cfg_text identity = cfg_cut(&secret, ':');
    if (secret.s == NULL) {
        return cfg_error(r, none, "no ':'; expected identity:hexdigits");
    }
    if (identity.len == 0 || identity.len > PSK_IDENTITY_MOST) {
        return cfg_error(r, none, "an identity of %zu octets; expected 1 to %d", identity.len,
                         PSK_IDENTITY_MOST);
    }
    struct cfg_psk *psk = cfg_append(r, &f->list, &f->n, sizeof(*f->list));
    if (psk == NULL) {
        return false;
    }
    psk->identity = cfg_copy(r, identity);
    return psk->identity != NULL && parse_secret(r, secret, psk);
}

static bool parse_psk_lines(struct cfg_report *r, struct cfg_text text, struct cfg_psk_file *f)
{
    bool good = true;
    struct cfg_source outer = r->at;
    r->at = (struct cfg_source){.file = f->path};
    while (text.s != NULL && text.len > 0 && !r->out_of_memory) {
        struct cfg_text line = cfg_cut(&text, '\n');
        r->at.line++;
        good = (line.len == 0 || line.s[0] == '#' || parse_psk(r, line, f)) && good;
    }
    r->at = outer;
    return good;
}

bool cfg_parse_psk_file(struct cfg_report *r, struct cfg_text t, struct cfg_psk_file *out)
{
    struct cfg_psk_file f = {0};
    if (t.len == 0) { /* takes back what a file has set */
        *out = f;
        return true;
    }
    if (!cfg_check_string(r, t, 1, UINT16_MAX) || (f.path = cfg_copy(r, t)) == NULL) {
        return false;
    }
    int error;
    struct cfg_text text;
    char *bytes = cfg_read_file(f.path, PSK_FILE_MOST, &text.len, &error);
    bool good = false;
    if (bytes == NULL) {
        cfg_unreadable(r, t, error, PSK_FILE_MOST);
    } else {
        text.s = bytes;
        good = parse_psk_lines(r, text, &f);
        explicit_bzero(bytes, text.len);
    }
    free(bytes);
    if (good && f.n == 0) {
        good =
            cfg_error(r, t, "%s has no key; expected lines of identity:hexdigits", cfg_quote(t).s);
    }
    if (!good) {
        cfg_psk_file_clear(&f);
        return false;
    }
    *out = f;
    return true;
}

void cfg_psk_file_clear(struct cfg_psk_file *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->list[i].identity);
        if (f->list[i].secret != NULL) {
            explicit_bzero(f->list[i].secret, f->list[i].secret_len);
        }
        free(f->list[i].secret);
    }
    free(f->list);
    free(f->path);
    *f = (struct cfg_psk_file){0};
}

/* ---------------------------------------------------------------- versions */

bool cfg_parse_tls_list(struct cfg_report *r, struct cfg_text t, enum cfg_tls_version *min,
                        enum cfg_tls_version *max)
{
    bool has[2] = {false, false};
    struct cfg_text rest = t;
    while (rest.s != NULL) {
        struct cfg_text name = cfg_cut(&rest, ',');
        if (cfg_text_is_nocase(name, "TLSv1.2")) {
            has[CFG_TLS_1_2] = true;
        } else if (cfg_text_is_nocase(name, "TLSv1.3")) {
            has[CFG_TLS_1_3] = true;
        } else {
            cfg_warning(r, name, "%s is left out; there are TLSv1.2 and TLSv1.3",
                        cfg_quote(name).s);
        }
    }
    if (!has[0] && !has[1]) {
        return cfg_error(r, t, "no version is left; expected TLSv1.2 or TLSv1.3");
    }
    *min = has[CFG_TLS_1_2] ? CFG_TLS_1_2 : CFG_TLS_1_3;
    *max = has[CFG_TLS_1_3] ? CFG_TLS_1_3 : CFG_TLS_1_2;
    return true;
}
