/*
 * The names of what can be wrong with a message, and the status that says so to a client.
 */
#include "h1parser.h"

static const struct {
    uint16_t status;
    const char *text;
} errors[] = {
    [H1_ERR_NONE] = {200, "no error"},
    [H1_ERR_START_LINE] = {400, "malformed start line"},
    [H1_ERR_METHOD] = {400, "the method is not a token"},
    [H1_ERR_TARGET] = {400, "the request target has a byte or a form that is not allowed"},
    [H1_ERR_VERSION] = {505, "neither HTTP/1.0 nor HTTP/1.1"},
    [H1_ERR_STATUS] = {400, "the status is not between 100 and 599"},
    [H1_ERR_LINE_END] = {400, "a line ends with CR or LF alone"},
    [H1_ERR_FIELD_NAME] = {400, "a field name is empty, or not a token right before a colon"},
    [H1_ERR_UNDERSCORE] = {400, "a field name has an underscore in it"},
    [H1_ERR_FIELD_VALUE] = {400, "a field value has a control character in it"},
    [H1_ERR_FOLD] = {400, "a line begins with a blank"},
    [H1_ERR_HEAD_TOO_LARGE] = {431, "the head is larger than the limit"},
    [H1_ERR_TARGET_TOO_LONG] = {414, "the request line is longer than the limit"},
    [H1_ERR_TOO_MANY_FIELDS] = {431, "more fields than the limit"},
    [H1_ERR_HOST] = {400, "Host is missing, or there twice, or not host[:port]"},
    [H1_ERR_CONTENT_LENGTH] = {400, "Content-Length is not one decimal number"},
    [H1_ERR_TRANSFER_ENCODING] = {400, "Transfer-Encoding is not chunked, or may not be here"},
    [H1_ERR_CODING_UNKNOWN] = {501, "a transfer coding other than chunked"},
    [H1_ERR_LENGTH_AND_CODING] = {400, "Content-Length and Transfer-Encoding together"},
    [H1_ERR_CONNECTION] = {400, "Connection is not a list of tokens"},
    [H1_ERR_UPGRADE] = {400, "Upgrade is not a list of protocols"},
    [H1_ERR_UPGRADE_BODY] = {400, "CONNECT or Upgrade with a body"},
    [H1_ERR_EXPECT] = {417, "an expectation other than 100-continue"},
    [H1_ERR_CHUNK_SIZE] = {400, "malformed chunk size"},
    [H1_ERR_CHUNK_EXT] = {400, "malformed or too long chunk extension"},
    [H1_ERR_CHUNK_END] = {400, "no CR LF after the data of a chunk"},
};

enum { ERROR_COUNT = sizeof errors / sizeof errors[0] };

const char *h1_error_text(enum h1_error e)
{
    return (unsigned)e < ERROR_COUNT ? errors[e].text : "unknown error";
}

int h1_error_status(enum h1_error e)
{
    return (unsigned)e < ERROR_COUNT ? errors[e].status : 400;
}
