/* The values that are structures: how each kind is made and given back. */
#include "config_internal.h"

#include <assert.h>
#include <stdlib.h>

static bool parse_frontend(struct cfg_report *r, struct cfg_text t, void *out)
{
    return cfg_parse_frontend(r, t, out);
}

static void clear_frontend(void *element)
{
    cfg_frontend_clear(element);
}

static bool parse_backend(struct cfg_report *r, struct cfg_text t, void *out)
{
    return cfg_parse_backend(r, t, out);
}

static void clear_backend(void *element)
{
    cfg_backend_clear(element);
}

static bool parse_request_header(struct cfg_report *r, struct cfg_text t, void *out)
{
    return cfg_parse_header(r, t, true, out);
}

static bool parse_response_header(struct cfg_report *r, struct cfg_text t, void *out)
{
    return cfg_parse_header(r, t, false, out);
}

static void clear_header(void *element)
{
    cfg_header_clear(element);
}

static bool parse_error_page(struct cfg_report *r, struct cfg_text t, void *out)
{
    return cfg_parse_error_page(r, t, out);
}

static void clear_error_page(void *element)
{
    cfg_error_page_clear(element);
}

static bool parse_subcert(struct cfg_report *r, struct cfg_text t, void *out)
{
    return cfg_parse_subcert(r, t, out);
}

static void clear_subcert(void *element)
{
    cfg_subcert_clear(element);
}

static bool parse_altsvc(struct cfg_report *r, struct cfg_text t, void *out)
{
    return cfg_parse_altsvc(r, t, out);
}

static void clear_altsvc(void *element)
{
    cfg_altsvc_clear(element);
}

static bool parse_path(struct cfg_report *r, struct cfg_text t, void *out)
{
    char **path = out;
    if (t.len == 0) {
        return cfg_error(r, t, "no path; expected the path of a file");
    }
    *path = cfg_check_string(r, t, 1, UINT64_MAX) ? cfg_copy(r, t) : NULL;
    return *path != NULL;
}

static void clear_path(void *element)
{
    free(*(char **)element);
}

static bool parse_memcached(struct cfg_report *r, struct cfg_text t, void *out)
{
    return cfg_parse_memcached(r, t, out);
}

static void clear_memcached(void *element)
{
    cfg_memcached_clear(element);
}

static bool parse_proxy_uri(struct cfg_report *r, struct cfg_text t, void *out)
{
    return cfg_parse_proxy_uri(r, t, out);
}

static void clear_proxy_uri(void *element)
{
    cfg_proxy_uri_clear(element);
}

static bool parse_psk_file(struct cfg_report *r, struct cfg_text t, void *out)
{
    return cfg_parse_psk_file(r, t, out);
}

static void clear_psk_file(void *element)
{
    cfg_psk_file_clear(element);
}

static const struct cfg_compound compounds[] = {
    [CFG_TYPE_FRONTEND] = {sizeof(struct cfg_frontend), parse_frontend, clear_frontend},
    [CFG_TYPE_BACKEND] = {sizeof(struct cfg_backend), parse_backend, clear_backend},
    [CFG_TYPE_REQUEST_HEADER] = {sizeof(struct cfg_header), parse_request_header, clear_header},
    [CFG_TYPE_RESPONSE_HEADER] = {sizeof(struct cfg_header), parse_response_header, clear_header},
    [CFG_TYPE_ERROR_PAGE] = {sizeof(struct cfg_error_page), parse_error_page, clear_error_page},
    [CFG_TYPE_SUBCERT] = {sizeof(struct cfg_subcert), parse_subcert, clear_subcert},
    [CFG_TYPE_ALTSVC] = {sizeof(struct cfg_altsvc), parse_altsvc, clear_altsvc},
    [CFG_TYPE_PATH_LIST] = {sizeof(char *), parse_path, clear_path},
    [CFG_TYPE_MEMCACHED] = {sizeof(struct cfg_memcached), parse_memcached, clear_memcached},
    [CFG_TYPE_PROXY_URI] = {sizeof(struct cfg_proxy_uri), parse_proxy_uri, clear_proxy_uri},
    [CFG_TYPE_PSK_FILE] = {sizeof(struct cfg_psk_file), parse_psk_file, clear_psk_file},
};

_Static_assert(sizeof(struct cfg_backend) <= CFG_COMPOUND_MOST, "the largest of them fits");

const struct cfg_compound *cfg_compound_of(enum cfg_type type)
{
    bool is_one = type < sizeof(compounds) / sizeof(compounds[0]) && compounds[type].size > 0;
    assert(!is_one || compounds[type].size <= CFG_COMPOUND_MOST);
    return is_one ? &compounds[type] : NULL;
}
