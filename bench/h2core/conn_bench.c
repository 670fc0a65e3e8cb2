/*
 * Whole connections of h2core beside libnghttp2's: a client and a server in one process, bytes
 * moved in memory. bench/h2core/conn runs it.
 *
 *     conn_bench time SCENARIO ROUNDS     both by turns, the median, in ns of this thread's CPU
 *     conn_bench once SCENARIO LIBRARY    for callgrind, which counts client_part() or
 * server_part() conn_bench memory                   heap of an idle connection, and of an open
 * stream conn_bench scenarios                their names
 */
#include "conn_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

#define MAX_ROUNDS 1000

static double median(double *times, unsigned n)
{
    qsort(times, n, sizeof(times[0]), by_size);
    return times[n / 2];
}

static double time_of(const struct library *lib, const struct scenario *work)
{
    double start = now_ns();
    run_scenario(lib, lib, work);
    return (now_ns() - start) / ((double)work->connections * work->requests);
}

static void run_time(const struct scenario *work, unsigned rounds)
{
    static double our_times[MAX_ROUNDS];
    static double their_times[MAX_ROUNDS];
    /* Each with the other, first: both do the same, and the caches are warm. */
    run_scenario(&ours, &theirs, work);
    run_scenario(&theirs, &ours, work);
    for (unsigned i = 0; i < rounds; i++) {
        our_times[i] = time_of(&ours, work);
        their_times[i] = time_of(&theirs, work);
    }
    printf("time %.0f %.0f\n", median(our_times, rounds), median(their_times, rounds));
}

/* ---------------------------------------------------------------- memory */

/* Heap of both ends by turns: the other end's memory is not counted. */
static size_t heap_with(const struct library *lib, bool server, unsigned requests)
{
    struct scenario work = {.connections = 1,
                            .requests = requests,
                            .in_flight = MOST_IN_FLIGHT,
                            .response_body = SMALL_BODY,
                            .same = true,
                            .hold = true};
    struct pair p = {.client_lib = lib, .server_lib = lib};
    heap.used = 0;
    count_heap = !server;
    p.client = lib->make(false, &work);
    count_heap = server;
    p.server = lib->make(true, &work);
    pair_run(&p);
    size_t used = heap.used;
    pair_close(&p);
    if (heap.used != 0) {
        die("something was not freed");
    }
    return used;
}

#define FEW  24u /* the tables of HPACK have what they will have */
#define MANY (FEW + 1000u)

static double per_stream(const struct library *lib, bool server)
{
    return (double)(heap_with(lib, server, MANY) - heap_with(lib, server, FEW)) / (MANY - FEW);
}

static void run_memory(void)
{
    for (int server = 0; server <= 1; server++) {
        const char *role = server ? "server" : "client";
        printf("idle-%s %zu %zu\n", role, heap_with(&ours, server, 0),
               heap_with(&theirs, server, 0));
        printf("stream-%s %.0f %.0f\n", role, per_stream(&ours, server),
               per_stream(&theirs, server));
    }
}

int main(int argc, char **argv)
{
    make_messages();
    if (argc == 2 && strcmp(argv[1], "scenarios") == 0) {
        for (unsigned i = 0; i < scenario_count; i++) {
            printf("%s %u\n", scenarios[i].name, scenarios[i].connections * scenarios[i].requests);
        }
    } else if (argc == 2 && strcmp(argv[1], "memory") == 0) {
        run_memory();
    } else if (argc == 4 && strcmp(argv[1], "time") == 0) {
        unsigned rounds = (unsigned)strtoul(argv[3], NULL, 10);
        if (rounds == 0 || rounds > MAX_ROUNDS) {
            die("how many rounds?");
        }
        run_time(scenario_named(argv[2]), rounds);
    } else if (argc == 4 && strcmp(argv[1], "once") == 0) {
        const struct library *lib = strcmp(argv[3], ours.name) == 0 ? &ours : &theirs;
        run_scenario(lib, lib, scenario_named(argv[2]));
    } else {
        die("usage: conn_bench time SCENARIO ROUNDS | once SCENARIO LIBRARY | memory | scenarios");
    }
    return 0;
}
