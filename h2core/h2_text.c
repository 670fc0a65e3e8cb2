/* Names and sentences for people: error codes and return codes. */
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

const char *h2_rc_text(enum h2_rc rc)
{
    switch (rc) {
    case H2_OK:
        return "no error";
    case H2_ERR_NOMEM:
        return "no memory";
    case H2_ERR_CLOSED:
        return "the connection is over";
    case H2_ERR_NO_STREAM:
        return "no such stream";
    case H2_ERR_STREAM_STATE:
        return "the state of the stream does not allow it";
    case H2_ERR_STREAM_LIMIT:
        return "the peer allows no more streams at a time";
    case H2_ERR_NO_STREAM_ID:
        return "no stream ids are left on this connection";
    case H2_ERR_GOAWAY:
        return "the connection takes no new streams";
    case H2_ERR_FIELDS:
        return "the fields are not a valid message";
    case H2_ERR_VALUE:
        return "an argument is out of range";
    }
    return "unknown return code";
}
