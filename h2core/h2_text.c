/* Names and sentences for people: error codes, errors, frames, settings. */
#include "h2core/h2core.h"

const char *h2_code_name(uint32_t code)
{
    static const char *const names[] = {
        [H2_NO_ERROR] = "NO_ERROR",
        [H2_PROTOCOL_ERROR] = "PROTOCOL_ERROR",
        [H2_INTERNAL_ERROR] = "INTERNAL_ERROR",
        [H2_FLOW_CONTROL_ERROR] = "FLOW_CONTROL_ERROR",
        [H2_SETTINGS_TIMEOUT] = "SETTINGS_TIMEOUT",
        [H2_STREAM_CLOSED] = "STREAM_CLOSED",
        [H2_FRAME_SIZE_ERROR] = "FRAME_SIZE_ERROR",
        [H2_REFUSED_STREAM] = "REFUSED_STREAM",
        [H2_CANCEL] = "CANCEL",
        [H2_COMPRESSION_ERROR] = "COMPRESSION_ERROR",
        [H2_CONNECT_ERROR] = "CONNECT_ERROR",
        [H2_ENHANCE_YOUR_CALM] = "ENHANCE_YOUR_CALM",
        [H2_INADEQUATE_SECURITY] = "INADEQUATE_SECURITY",
        [H2_HTTP_1_1_REQUIRED] = "HTTP_1_1_REQUIRED",
    };
    return code < sizeof(names) / sizeof(names[0]) ? names[code] : "UNKNOWN";
}

static const struct {
    const char *name;
    const char *sentence;
} errors[] = {
    [H2_OK] = {"OK", "no error"},
#define ERROR(name, sentence) [H2_ERR_##name] = {#name, sentence},
#include "errors.def"
#undef ERROR
};

const char *h2_error_name(enum h2_error error)
{
    return error < sizeof(errors) / sizeof(errors[0]) ? errors[error].name : "UNKNOWN";
}

const char *h2_error_text(enum h2_error error)
{
    return error < sizeof(errors) / sizeof(errors[0]) ? errors[error].sentence : "unknown error";
}

const char *h2_frame_name(uint8_t type)
{
    static const char *const names[] = {
#define FRAME(name, type, id, least, most, scope, receiver) [type] = #name,
#include "frames.def"
#undef FRAME
    };
    const char *name = type < sizeof(names) / sizeof(names[0]) ? names[type] : NULL;
    return name != NULL ? name : "UNKNOWN";
}

const char *h2_setting_name(uint32_t id)
{
    static const char *const names[] = {
#define SETTING(name, id, initial, least, most, code) [id] = #name,
#include "settings.def"
#undef SETTING
    };
    const char *name = id < sizeof(names) / sizeof(names[0]) ? names[id] : NULL;
    return name != NULL ? name : "UNKNOWN";
}
