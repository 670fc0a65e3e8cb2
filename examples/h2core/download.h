/*
 * One response: its status to stderr, its body to stdout. What the clients have in common.
 */
#ifndef DOWNLOAD_H
#define DOWNLOAD_H

#include <h2core/h2core.h>

enum download_state { DOWNLOAD_RUNNING, DOWNLOAD_DONE, DOWNLOAD_FAILED };

/** The user pointer of the request's stream. */
struct download {
    bool show_head; /**< the head goes to stdout */
    enum download_state state;
};

/** To be called with every event of a client's connection that makes one request. */
void download_event(struct download *d, struct h2_conn *h2, const struct h2_event *ev);

/** Sends a request without a body, the download being the stream's user pointer. False: it said
 * why not. */
bool download_start(struct download *d, struct h2_conn *h2, const char *method, const char *scheme,
                    const char *authority, const char *path);

#endif
