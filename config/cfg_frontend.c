/*
 * The value of --frontend: ADDR[;PARAM]...
 */
#include "cfg_params.h"
#include "config_internal.h"

#include <stdlib.h>

static bool set_service(struct cfg_report *r, struct cfg_text value, struct cfg_frontend *f,
                        enum cfg_service service)
{
    if (f->service != CFG_SERVICE_PROXY && f->service != service) {
        return cfg_error(r, value, "api and healthmon exclude each other; expected one of them");
    }
    f->service = service;
    return true;
}

static bool set_api(struct cfg_report *r, struct cfg_text value, void *what)
{
    return set_service(r, value, what, CFG_SERVICE_API);
}

static bool set_healthmon(struct cfg_report *r, struct cfg_text value, void *what)
{
    return set_service(r, value, what, CFG_SERVICE_HEALTHMON);
}

/* Several lists add up. */
static bool set_proxyproto_from(struct cfg_report *r, struct cfg_text value, void *what)
{
    struct cfg_frontend *f = what;
    bool good = true;
    if (f->addr.path != NULL) {
        return cfg_error(r, value,
                         "clients of a UNIX socket have no address; expected proxyproto, which is "
                         "for all of them");
    }
    f->proxyproto = true;
    while (value.s != NULL) {
        struct cfg_cidr one, *slot = NULL;
        if (cfg_parse_cidr(r, cfg_cut(&value, ','), &one)) {
            slot = cfg_append(r, &f->proxyproto_from, &f->nproxyproto_from, sizeof(one));
        }
        good = slot != NULL && good;
        if (slot != NULL) {
            *slot = one;
        }
    }
    return good;
}

static bool refuse_quic(struct cfg_report *r, struct cfg_text value, void *what)
{
    (void)what;
    return cfg_error(r, value, "HTTP/3 is not supported; expected a frontend without \"quic\"");
}

const struct cfg_param cfg_frontend_params[] = {
    CFG_FRONTEND_PARAMS,
    {.name = NULL},
};

bool cfg_parse_frontend(struct cfg_report *r, struct cfg_text t, struct cfg_frontend *out)
{
    struct cfg_frontend f = {.tls = true};
    struct cfg_text params = t;
    bool good = cfg_parse_address(r, cfg_cut(&params, ';'), true, &f.addr);
    good = cfg_params_set(r, params, cfg_frontend_params, &f) && good;
    if (good && f.sni_fwd && !f.tls) {
        good = cfg_error(r, cfg_param_said(params, "sni-fwd"),
                         "sni-fwd needs TLS; expected no sni-fwd with no-tls");
    }
    if (good && f.proxyproto && f.nproxyproto_from == 0) {
        cfg_warning(r, cfg_param_said(params, "proxyproto"),
                    "proxyproto believes every peer the client address that it tells; only trusted "
                    "ones should reach this address, or proxyproto-from name them");
    }
    if (!good) {
        cfg_frontend_clear(&f);
        return false;
    }
    *out = f;
    return true;
}

void cfg_frontend_clear(struct cfg_frontend *f)
{
    cfg_address_clear(&f->addr);
    free(f->proxyproto_from);
    *f = (struct cfg_frontend){0};
}
