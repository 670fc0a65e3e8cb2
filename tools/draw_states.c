/*
 * Draws the state machines of h2core from the tables that the engine goes by, so that what is drawn
 * is what is done. Usage: draw_states dot|table stream|connection
 *
 *   dot     for Graphviz: the moves from one state to another
 *   table   Markdown: what becomes of every input in every state, with the failures' sentences
 *
 * docs/h2core/state-machines.md holds the tables; a test compares them with what this prints.
 */
#include "h2_internal.h"

#include <stdio.h>
#include <string.h>

/* A machine as this program sees it: numbers, and what they are called. */
struct machine {
    const char *name;
    unsigned states;
    unsigned inputs;
    unsigned received; /* inputs below are received, the others are our own doing */
    const struct h2_move *(*move)(unsigned state, unsigned input);
    const char *(*state_name)(unsigned state);
    const char *(*input_name)(unsigned input);
};

static const struct h2_move *stream_move(unsigned state, unsigned input)
{
    return h2_state_move((enum h2_stream_state)state, (enum h2_input)input);
}

static const char *stream_state_name(unsigned state)
{
    return h2_stream_state_name((enum h2_stream_state)state);
}

static const char *stream_input_name(unsigned input)
{
    return h2_input_name((enum h2_input)input);
}

static const struct h2_move *conn_move(unsigned state, unsigned input)
{
    return h2_conn_state_move((enum h2_conn_state)state, (enum h2_conn_input)input);
}

static const char *conn_state_name(unsigned state)
{
    return h2_conn_state_name((enum h2_conn_state)state);
}

static const char *conn_input_name(unsigned input)
{
    return h2_conn_input_name((enum h2_conn_input)input);
}

static const struct machine machines[] = {
    {"stream", H2_STATE_COUNT, H2_INPUT_COUNT, H2_RX_INPUTS, stream_move, stream_state_name,
     stream_input_name},
    {"connection", H2_CONN_STATE_COUNT, H2_CONN_INPUT_COUNT, H2_CONN_TX_STREAM, conn_move,
     conn_state_name, conn_input_name},
};

/* ---------------------------------------------------------------- Graphviz */

/* Whether an input leads to the same state from nearly everywhere, as RST_STREAM does: its arrows
 * are many, say little, and are drawn in grey. */
static bool is_everywhere(const struct machine *m, unsigned input)
{
    unsigned count = 0;
    unsigned target = 0;
    for (unsigned state = 0; state < m->states; state++) {
        const struct h2_move *move = m->move(state, input);
        if (move->verdict == H2_ACCEPT && move->next != state) {
            if (count > 0 && move->next != target) {
                return false;
            }
            target = move->next;
            count++;
        }
    }
    return count > m->states / 3;
}

/* One arrow for all the inputs that lead from one state to another. */
static void print_arrow(const struct machine *m, unsigned from, unsigned to)
{
    bool any = false;
    bool grey = true;
    for (unsigned input = 0; input < m->inputs; input++) {
        const struct h2_move *move = m->move(from, input);
        if (move->verdict == H2_ACCEPT && move->next == to) {
            if (!any) {
                printf("    s%u -> s%u [label=\"", from, to);
            }
            printf("%s%s", any ? "\\n" : "", m->input_name(input));
            any = true;
            grey = grey && is_everywhere(m, input);
        }
    }
    if (any) {
        printf("\"%s];\n", grey ? ", color=grey60, fontcolor=grey40" : "");
    }
}

static void print_dot(const struct machine *m)
{
    printf("digraph \"%s\" {\n", m->name);
    printf("    rankdir=TB; nodesep=0.4; ranksep=0.7;\n");
    printf("    node [shape=box, style=rounded, fontname=\"sans-serif\"];\n");
    printf("    edge [fontname=\"sans-serif\", fontsize=10];\n");
    for (unsigned state = 0; state < m->states; state++) {
        printf("    s%u [label=\"%s\"];\n", state, m->state_name(state));
    }
    for (unsigned from = 0; from < m->states; from++) {
        for (unsigned to = 0; to < m->states; to++) {
            if (to != from) {
                print_arrow(m, from, to);
            }
        }
    }
    printf("}\n");
}

/* ---------------------------------------------------------------- Markdown */

static void print_cell(const struct machine *m, unsigned state, const struct h2_move *move)
{
    switch (move->verdict) {
    case H2_ERROR:
        printf(" – |");
        return;
    case H2_ACCEPT:
        printf(move->next == state ? " stays |" : " **%s** |", m->state_name(move->next));
        return;
    case H2_IGNORE:
        printf(" ignored |");
        return;
    case H2_REJECT:
        break;
    }
    if (move->fail.scope == H2_SCOPE_NONE) {
        printf(" refused: %s |", h2_error_name(move->fail.error));
    } else {
        printf(" %s: %s |", move->fail.scope == H2_SCOPE_CONN ? "GOAWAY" : "RST_STREAM",
               h2_code_name(move->fail.code));
    }
}

static void print_table(const struct machine *m, unsigned begin, unsigned end)
{
    printf("| %s |", m->name);
    for (unsigned input = begin; input < end; input++) {
        printf(" %s |", m->input_name(input));
    }
    printf("\n|---|");
    for (unsigned input = begin; input < end; input++) {
        printf("---|");
    }
    printf("\n");
    for (unsigned state = 0; state < m->states; state++) {
        printf("| %s |", m->state_name(state));
        for (unsigned input = begin; input < end; input++) {
            print_cell(m, state, m->move(state, input));
        }
        printf("\n");
    }
}

/* Whether a failure's sentence has been printed: it is told by an entry before this one. */
static bool told_before(const struct machine *m, unsigned state, unsigned input, const char *why)
{
    for (unsigned i = 0; i <= input; i++) {
        for (unsigned s = 0; s < (i < input ? m->states : state); s++) {
            const struct h2_move *move = m->move(s, i);
            if (move->verdict == H2_REJECT && move->fail.why != NULL &&
                strcmp(move->fail.why, why) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void print_sentences(const struct machine *m)
{
    printf("| failure | error | code |\n|---|---|---|\n");
    for (unsigned input = 0; input < m->inputs; input++) {
        for (unsigned state = 0; state < m->states; state++) {
            const struct h2_move *move = m->move(state, input);
            if (move->verdict == H2_REJECT && move->fail.why != NULL &&
                !told_before(m, state, input, move->fail.why)) {
                printf("| %s | H2_ERR_%s | H2_%s |\n", move->fail.why,
                       h2_error_name(move->fail.error), h2_code_name(move->fail.code));
            }
        }
    }
}

int main(int argc, char **argv)
{
    const struct machine *m = NULL;
    for (size_t i = 0; argc == 3 && i < sizeof(machines) / sizeof(machines[0]); i++) {
        if (strcmp(argv[2], machines[i].name) == 0) {
            m = &machines[i];
        }
    }
    if (m != NULL && strcmp(argv[1], "dot") == 0) {
        print_dot(m);
    } else if (m != NULL && strcmp(argv[1], "table") == 0) {
        print_table(m, 0, m->received);
        printf("\n");
        print_table(m, m->received, m->inputs);
        printf("\n");
        print_sentences(m);
    } else {
        fprintf(stderr, "usage: draw_states dot|table stream|connection\n");
        return 2;
    }
    return ferror(stdout) != 0 || fflush(stdout) != 0;
}
