/*
 * The HTTP/2 half of server_ev_tls.c: /N is answered with N octets, which are made while they are
 * sent. It knows the engine, and no sockets.
 */
#ifndef OCTETS_H
#define OCTETS_H

#include <h2core/h2core.h>

#include <sys/queue.h>

/** The answers of a connection that are being sent. */
LIST_HEAD(octets_list, octets);

/** Acts on an event. */
void octets_event(struct octets_list *list, struct h2_conn *h2, const struct h2_event *ev);

/** Fills buf with what is to be sent; 0: nothing, now. `cap` is more than a few octets. */
size_t octets_output(struct h2_conn *h2, uint8_t *buf, size_t cap);

/** For a connection that is over. */
void octets_free_all(struct octets_list *list);

#endif
