/* What has to hold between options, once all of them are known. */
#include "config_internal.h"

#include <string.h>
#include <strings.h>

/* A host (at most 253 octets) and a port, or a path of a UNIX socket. */
#define ADDRESS_SIZE 320

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcasecmp(a, b) == 0);
}

static bool same_address(const struct cfg_address *a, const struct cfg_address *b)
{
    bool same_path =
        a->path == b->path || (a->path != NULL && b->path != NULL && strcmp(a->path, b->path) == 0);
    return same_path && same(a->host, b->host) && a->port == b->port;
}

static void print_address(const struct cfg_address *a, char *out, size_t size)
{
    if (a->path != NULL) {
        snprintf(out, size, "unix:%s", a->path);
    } else {
        snprintf(out, size, "%s,%u", a->host, a->port);
    }
}

static bool check_frontends(struct cfg_report *r, const struct config *cfg)
{
    const struct cfg_text none = cfg_slice(NULL, 0);
    bool good = true;
    const struct cfg_frontend *tls = NULL;
    for (size_t i = 0; i < cfg->nfrontend; i++) {
        const struct cfg_frontend *f = &cfg->frontend[i];
        tls = f->tls && tls == NULL ? f : tls;
        for (size_t j = 0; j < i; j++) {
            const struct cfg_frontend *other = &cfg->frontend[j];
            if (!same_address(&f->addr, &other->addr)) {
                continue;
            }
            char addr[ADDRESS_SIZE];
            print_address(&f->addr, addr, sizeof(addr));
            if (f->tls == other->tls) {
                cfg_warning(r, none, "the frontend %s is there twice; once is enough", addr);
            } else {
                good =
                    cfg_error(r, none,
                              "the frontend %s is there twice, with TLS and without; expected one "
                              "of them",
                              addr);
            }
            break;
        }
    }
    if (tls != NULL && (cfg->private_key_file == NULL || cfg->certificate_file == NULL)) {
        char addr[ADDRESS_SIZE];
        print_address(&tls->addr, addr, sizeof(addr));
        good =
            cfg_error(r, none,
                      "the frontend %s has TLS and needs a private key and a certificate; expected "
                      "PRIVATE_KEY CERT on the command line, private-key-file and "
                      "certificate-file in a file, or no-tls",
                      addr);
    }
    return good;
}

static bool check_backends(struct cfg_report *r, const struct config *cfg)
{
    for (size_t i = 0; i < cfg->nbackend; i++) {
        for (size_t j = 0; j < cfg->backend[i].npatterns; j++) {
            if (strcmp(cfg->backend[i].patterns[j], "/") == 0) {
                return true;
            }
        }
    }
    return cfg_error(r, cfg_slice(NULL, 0),
                     "no backend takes what matches no pattern; expected a catch-all backend, one "
                     "without a pattern, such as backend=127.0.0.1,80");
}

static const char *tls_name(enum cfg_tls_version v)
{
    return v == CFG_TLS_1_3 ? "TLSv1.3" : "TLSv1.2";
}

bool cfg_check(struct cfg_report *r, const struct config *cfg)
{
    bool good = check_frontends(r, cfg);
    good = check_backends(r, cfg) && good;
    if (cfg->tls_min_proto_version > cfg->tls_max_proto_version) {
        good =
            cfg_error(r, cfg_slice(NULL, 0),
                      "tls-min-proto-version (%s) is above tls-max-proto-version (%s); expected "
                      "the same or lower",
                      tls_name(cfg->tls_min_proto_version), tls_name(cfg->tls_max_proto_version));
    }
    return good;
}
