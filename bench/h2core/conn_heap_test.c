/*
 * What a connection of h2core may take of the heap, and how often. The figures are those of the
 * documentation; they must not grow unnoticed.
 */
#include "conn_bench.h"

#include <stdio.h>

#define IDLE_MOST   1536.0
#define STREAM_MOST 320.0

/* An idle connection holds neither an output buffer nor room for fields: where one request follows
 * the other, both are asked for with each. Behind many at once go all stream objects but two. */
#define ONE_BY_ONE_MOST 2.0
#define TEN_MOST        1.25

#define WARM 200u  /* requests until the tables of HPACK have what they will have */
#define MORE 1000u /* requests, or streams, that are measured */

static bool failed;

static void check(const char *what, bool server, double is, double most)
{
    printf("%-50s %-6s %8.2f, at most %8.2f\n", what, server ? "server" : "client", is, most);
    if (is > most) {
        printf("    FAILED\n");
        failed = true;
    }
}

/* The heap of one end when it has done this work; the other's is not counted. */
static struct heap heap_of(bool server, const struct scenario *work)
{
    struct pair p = {.client_lib = &ours, .server_lib = &ours};
    heap = (struct heap){0};
    count_heap = !server;
    p.client = ours.make(false, work);
    count_heap = server;
    p.server = ours.make(true, work);
    pair_run(&p);
    unsigned due = work->hold ? 0 : work->requests;
    if (ours.done(p.client) != due || ours.done(p.server) != due) {
        die("exchanges that did not come to their end");
    }
    struct heap result = heap;
    pair_close(&p);
    if (heap.used != 0) {
        die("something was not freed");
    }
    return result;
}

static struct scenario work_of(unsigned requests, unsigned in_flight, bool hold)
{
    return (struct scenario){.requests = requests,
                             .in_flight = in_flight,
                             .response_body = SMALL_BODY,
                             .same = true,
                             .hold = hold};
}

static double idle(bool server)
{
    struct scenario none = work_of(0, 1, false);
    return (double)heap_of(server, &none).used;
}

/* Streams whose request is known to both ends, and not answered. */
static double per_stream(bool server)
{
    struct scenario few = work_of(24, MOST_IN_FLIGHT, true);
    struct scenario many = work_of(24 + MORE, MOST_IN_FLIGHT, true);
    return (double)(heap_of(server, &many).used - heap_of(server, &few).used) / MORE;
}

static double allocations(bool server, unsigned in_flight)
{
    struct scenario warm = work_of(WARM, in_flight, false);
    struct scenario more = work_of(WARM + MORE, in_flight, false);
    uint64_t before = heap_of(server, &warm).allocations;
    return (double)(heap_of(server, &more).allocations - before) / MORE;
}

/* Octets that stay behind a thousand requests, the tables aside. */
static double kept(bool server)
{
    struct scenario warm = work_of(WARM, 10, false);
    struct scenario more = work_of(WARM + MORE, 10, false);
    return (double)heap_of(server, &more).used - (double)heap_of(server, &warm).used;
}

int main(void)
{
    make_messages();
    for (int server = 0; server <= 1; server++) {
        check("idle connection, octets", server, idle(server), IDLE_MOST);
        check("open stream, octets", server, per_stream(server), STREAM_MOST);
        check("allocations per request, one at a time", server, allocations(server, 1),
              ONE_BY_ONE_MOST);
        check("allocations per request, ten at once", server, allocations(server, 10), TEN_MOST);
        check("octets more behind a thousand requests", server, kept(server), 0);
    }
    return failed ? 1 : 0;
}
