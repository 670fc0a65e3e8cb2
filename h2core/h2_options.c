/*
 * The defaults, with the reason for each. They are meant for a proxy that faces the Internet; what
 * one peer can make us keep stays below about a megabyte, and what it can make us do below a busy
 * client's share.
 */
#include "h2core/h2core.h"

#include <string.h>

void h2_options_init(struct h2_options *opts)
{
    memset(opts, 0, sizeof(*opts));
    opts->header_table_size =
        4096; /* RFC 9113, 6.5.2; more gains little and is held per connection */
    opts->encoder_table_size = 4096;
    opts->max_concurrent_streams = 100; /* the least that RFC 9113, 6.5.2 recommends */
    opts->initial_window_size = 65535;
    opts->connection_window_size = 65535;
    opts->max_frame_size = 16384; /* larger frames only make priorities coarser */
    opts->require_settings_first = true;
    opts->validate_received = true;
    opts->normalize_received = true;
    opts->validate_sent = true;
    opts->normalize_sent = true;

    struct h2_limits *l = &opts->limits;

    /* Browsers stay below 16 KiB; nginx allows 32 KiB, nghttp2 and Envoy about 64 KiB. */
    l->header_list_bytes = 65536;
    /* Real requests have 10 to 30 fields. Counted because a field costs us more than its bytes: one
       octet of HPACK can name one (CVE-2026-49975). */
    l->header_fields = 100;
    /* A browser may split `cookie` into one field per cookie, and keeps at most about 180 per site.
     */
    l->cookie_crumbs = 200;
    /* 8 with frames of 16 KiB are twice header_block_bytes; small or empty ones are the attack of
     * VU#421644. */
    l->continuation_frames = 8;
    /* Compressed size is below decoded size but for tricks. */
    l->header_block_bytes = 65536;
    /* There are eight settings; 32 leaves room for extensions and greasing (CVE-2020-11080). */
    l->settings_per_frame = 32;
    /* A peer that reads has a handful outstanding (CVE-2019-9512, -9514, -9515). */
    l->queued_replies = 1000;
    /* Heads of a hundred answers fit; a peer that asks on without reading does not (CVE-2019-9517).
     */
    l->output_bytes = 1024 * 1024;
    /* A browser that leaves a page resets up to a hundred streams at once; 33 per second over a
       long time is no browser (CVE-2023-44487; the figures are those of nghttp2). */
    l->reset_burst = 1000;
    l->reset_rate = 33;
    /* Streams that we reset because of what came on them cost as much as those, and are nobody's
       honest habit (CVE-2025-8671). */
    l->error_burst = 1000;
    l->error_rate = 33;
    /* Some servers flush with an empty DATA frame; a stream of them is an attack (CVE-2019-9518).
     */
    l->empty_burst = 1000;
    l->empty_rate = 33;
    /* Control frames cost little each, so honest use may go far (figures of nghttp2). Who sends
       messages may send more of them: a WINDOW_UPDATE or PING per KiB is wasteful, yet honest
       (CVE-2019-9511, -9512, -9513, -9515, -9517). */
    l->control_burst = 10000;
    l->control_rate = 330;
    l->control_payload = 1024;
    /* As many as can be in use at a time: all of them may be reset at once. */
    l->closed_streams = 100;
}
