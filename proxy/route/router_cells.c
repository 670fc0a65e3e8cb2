/*
 * What a router reads to match: slots of 32 octets. A cell is made of a node of its trees; what it
 * needs to have children is a branch, since most cells have none. The children of a cell are
 * neighbours, and behind their branch. Below a host with a few paths all of it lies together:
 *
 *   cache line 1: "/" and its branch     cache line 2: its children "app1/", "app2/"
 *
 * Where many patterns begin the same way, a step for each octet in which they differ would take the
 * longer the more of them there are. There a cell has a table of jumps: from the next octets, up to
 * eight, to the cell that they lead to. There is no pattern on the way, or fewer octets are taken.
 *
 *   "/service-" ─┬─ "1" ─┬─ "07" ── ...        jumps of "/service-", by 3 octets:
 *                │       └─ "31" ── ...          107, 131, 209, ... (as many as there are)
 *                └─ "2" ─── "09" ── ...
 *
 * So a match in 10,000 patterns has the same number of steps as one in ten. What it costs more is
 * memory that is not in the nearest cache: 32 octets for a pattern, and six for the jump to it.
 * Where jumps would be looked for in more than a few places, whatever names somebody has thought up
 * for that, there are none: then a step takes an octet at least, as everywhere else.
 */
#include "router_internal.h"

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_INLINE 16u
#define LABEL_INLINE 14u

struct cell {
    int32_t exact; /* of a host: its paths, see seal_paths() */
    int32_t open;
    uint32_t branch;         /* its slot; 0: no children */
    uint32_t len;            /* of the label */
    uint8_t before;          /* octets between the cell that a jump comes from and the label */
    bool subtree;            /* of a path: exact, and ends with '/' */
    char text[LABEL_INLINE]; /* these octets, and the label; when both do not fit, where in `texts`
                                they are */
};

struct branch {
    uint8_t first[FIRST_INLINE]; /* first octets of the children's labels; of more than fit, where
                                    in `texts` there is a table of 256 */
    uint32_t children;           /* the first child's index; the others follow */
    uint32_t jumps;              /* where its table begins */
    uint16_t nchildren;          /* 1 to 256 */
    uint8_t jump_octets;         /* 0: no jumps */
    uint8_t jump_bits;           /* the table has two to the power of this */
};

/* The first one is a branch without children. */
union slot {
    struct cell cell;
    struct branch branch;
};

#define CACHE_LINE 64u
static_assert(2 * sizeof(union slot) == CACHE_LINE, "a cell and its branch are a cache line");

/* A jump is the index of a cell, and above that eight bits of the hash, so that a cell that is not
 * meant is seldom looked at. 0: none (the first slot is no cell). */
#define JUMP_CELLS (1u << 24)

#define JUMP_OCTETS_MOST 8u
/* Fewer than these are found as fast step by step. */
#define JUMPS_LEAST 12u
/* A table is made larger, by this many doublings at most, until no jump is farther from its place.
 * With keys by chance one doubling does for 10,000 of them. */
#define JUMP_PROBES_MOST    24u
#define JUMP_DOUBLINGS_MOST 3u

#define NO_CELL UINT32_MAX

/* A host for which every path goes to the same index; and back. Below ROUTER_NONE. */
#define EVERY_PATH(index) (-2 - (index))

/* ---------------------------------------------------------------- sealing */

/* What lies below a cell. */
struct reach {
    uint32_t nearest; /* octets to the nearest value */
    bool passed;      /* a jump leads over it, so it needs none of its own */
    uint8_t octets;   /* of the jump to it */
    uint32_t steps;   /* to it, with jumps */
    uint64_t key;     /* them */
};

/* How a tree becomes cells: breadth first, so that the children of a cell are neighbours. of[i] is
 * the node that slot i is made of; NULL: it is no cell. */
struct sealing {
    struct node **of;
    struct reach *reach; /* of each cell */
    union slot *slots;
    uint32_t n;
    size_t most;
    uint32_t *above;
    uint32_t *jumps;
    size_t njumps;
    uint32_t steps;  /* of the jumps that are made now */
    uint32_t probes; /* of the farthest of them */
    uint32_t most_probes;
    bool no_memory;
    char *texts;
    size_t texts_len, texts_most;
};

static struct branch *branch_in(const struct sealing *s, uint32_t at)
{
    return &s->slots[s->slots[at].cell.branch].branch;
}

/* The only pattern below a host is often "/". It needs no tree. */
static bool is_root_only(const struct node *paths)
{
    const struct node *n = paths->nchildren == 1 ? paths->child[0] : NULL;
    return n != NULL && n->len == 1 && n->nchildren == 0 && n->open == ROUTER_NONE;
}

static uint32_t add_text(struct sealing *s, const void *text, size_t len)
{
    uint32_t at = (uint32_t)s->texts_len;
    memcpy(s->texts + at, text, len);
    s->texts_len += len;
    return at;
}

/* The octets in front of the label are the first ones of its jump's, which are jump_octets. */
static void seal_label(struct sealing *s, uint32_t at, unsigned jump_octets)
{
    struct cell *c = &s->slots[at].cell;
    const struct node *n = s->of[at];
    char *text = c->text;
    if (c->before + n->len > LABEL_INLINE) {
        uint32_t where = (uint32_t)s->texts_len;
        memcpy(c->text, &where, sizeof(where));
        text = s->texts + where;
        s->texts_len += c->before + n->len;
    }
    for (unsigned i = 0; i < c->before; i++) {
        text[i] = (char)(s->reach[at].key >> 8 * (jump_octets - 1 - i));
    }
    memcpy(text + c->before, n->label, n->len);
}

static void seal_children(struct sealing *s, struct cell *c, const struct node *n)
{
    if (n->nchildren == 0) {
        return;
    }
    c->branch = s->n++;
    struct branch *b = &s->slots[c->branch].branch;
    b->nchildren = (uint16_t)n->nchildren;
    b->children = s->n;
    for (size_t i = 0; i < n->nchildren; i++) {
        s->of[s->n++] = n->child[i];
    }
    if (n->nchildren <= FIRST_INLINE) {
        memcpy(b->first, n->first, n->nchildren);
        return;
    }
    uint8_t table[256] = {0}; /* where there is no child, child 0, whose label does not fit */
    for (size_t i = 0; i < n->nchildren; i++) {
        table[n->first[i]] = (uint8_t)i;
    }
    uint32_t at = add_text(s, table, sizeof(table));
    memcpy(b->first, &at, sizeof(at));
}

static bool has_value(const struct cell *c)
{
    return c->exact != ROUTER_NONE || c->open != ROUTER_NONE;
}

static void find_reach(struct sealing *s, uint32_t at)
{
    const struct branch *b = branch_in(s, at);
    uint32_t nearest = UINT32_MAX;
    for (uint32_t i = b->children; i < b->children + b->nchildren; i++) {
        const struct cell *c = &s->slots[i].cell;
        uint32_t below = has_value(c) ? 0 : s->reach[i].nearest;
        uint32_t len = c->len + below;
        nearest = len < nearest ? len : nearest;
    }
    s->reach[at].nearest = nearest;
}

static inline uint64_t hash_key(uint64_t key)
{
    return key * 0x9e3779b97f4a7c15ULL;
}

/* A jump without its cell. */
static inline uint32_t jump_tag(uint64_t hash, unsigned bits)
{
    return (uint32_t)(hash << bits >> 56) << 24;
}

static void put_jump(struct sealing *s, const struct branch *b, uint64_t key, uint32_t child)
{
    uint32_t *table = s->jumps + b->jumps;
    uint64_t mask = (1ULL << b->jump_bits) - 1;
    uint64_t hash = hash_key(key), slot = hash >> (64 - b->jump_bits);
    uint32_t probes = 1;
    for (; table[slot] != 0; probes++) {
        slot = (slot + 1) & mask;
    }
    table[slot] = jump_tag(hash, b->jump_bits) | child;
    s->probes = probes > s->probes ? probes : s->probes;
}

/* What the jumps of a cell are gone through for. */
enum purpose { COUNT_JUMPS, PUT_JUMPS, MARK_CELLS };

/* Goes through the jumps of `from` to what is below `at`, `skip` octets away. Returns how many
 * there are. It calls itself for JUMP_OCTETS_MOST levels at most, since a level is an octet at
 * least. */
static uint32_t each_jump(struct sealing *s, const struct branch *from, uint32_t at, uint64_t key,
                          uint32_t skip, enum purpose purpose)
{
    uint32_t n = 0;
    const struct branch *b = branch_in(s, at);
    for (uint32_t i = b->children; i < b->children + b->nchildren; i++) {
        struct cell *c = &s->slots[i].cell;
        struct reach *reach = &s->reach[i];
        uint64_t longer = key;
        uint32_t end = skip;
        for (uint32_t j = 0; j < c->len && end < from->jump_octets; j++, end++) {
            longer = longer << 8 | (uint8_t)s->of[i]->label[j];
        }
        if (end < from->jump_octets) {
            reach->passed |= purpose == MARK_CELLS;
            n += each_jump(s, from, i, longer, end, purpose);
            continue;
        }
        if (purpose == PUT_JUMPS) {
            put_jump(s, from, longer, i);
        } else if (purpose == MARK_CELLS) {
            c->before = (uint8_t)skip;
            reach->key = longer;
            reach->octets = from->jump_octets;
            reach->steps = s->steps;
        }
        n++;
    }
    return n;
}

/* False: some are too far from their places, or there is no memory. */
static bool fill_table(struct sealing *s, uint32_t at, unsigned bits)
{
    struct branch *b = branch_in(s, at);
    size_t size = (size_t)1 << bits;
    uint32_t *jumps = realloc(s->jumps, (s->njumps + size) * sizeof(*jumps));
    if (jumps == NULL) {
        s->no_memory = true;
        return false;
    }
    s->jumps = jumps;
    memset(jumps + s->njumps, 0, size * sizeof(*jumps));
    b->jumps = (uint32_t)s->njumps;
    b->jump_bits = (uint8_t)bits;
    s->probes = 0;
    each_jump(s, b, at, 0, 0, PUT_JUMPS);
    return s->probes <= JUMP_PROBES_MOST;
}

static void seal_jumps(struct sealing *s, uint32_t at)
{
    struct branch *b = branch_in(s, at);
    uint32_t octets = s->reach[at].nearest;
    octets = octets < JUMP_OCTETS_MOST ? octets : JUMP_OCTETS_MOST;
    if (b->nchildren < 2 || octets < 2 || s->reach[at].passed) {
        return;
    }
    b->jump_octets = (uint8_t)octets;
    uint32_t n = each_jump(s, b, at, 0, 0, COUNT_JUMPS);
    bool made = false;
    if (n >= JUMPS_LEAST && n != b->nchildren) {
        unsigned bits = 1; /* at most two thirds full */
        while (2ULL << bits < 3ULL * n) {
            bits++;
        }
        for (unsigned i = 0; i <= JUMP_DOUBLINGS_MOST && !made && !s->no_memory; i++) {
            made = fill_table(s, at, bits + i);
        }
    }
    if (made) {
        each_jump(s, b, at, 0, 0, MARK_CELLS);
        s->njumps += (size_t)1 << b->jump_bits;
        s->most_probes = s->probes > s->most_probes ? s->probes : s->most_probes;
    } else {
        b->jump_octets = 0;
    }
}

/* Makes cells of all nodes from the cell `top` on, which are in s->of, and below them.
 * Returns how many steps one with a value takes from there, at most. */
static unsigned seal_tree(struct sealing *s, uint32_t top)
{
    for (uint32_t at = top; at < s->n; at++) {
        struct cell *c = &s->slots[at].cell;
        const struct node *n = s->of[at];
        if (n == NULL) {
            continue;
        }
        c->exact = n->exact;
        c->open = n->open;
        c->len = (uint32_t)n->len;
        c->subtree = n->exact != ROUTER_NONE && n->len > 0 && n->label[n->len - 1] == '/';
        seal_children(s, c, n);
        /* Of a child: c itself, or what is above it. */
        const struct branch *b = branch_in(s, at);
        for (uint32_t i = 0; i < b->nchildren; i++) {
            s->above[b->children + i] = c->open != ROUTER_NONE ? at : s->above[at];
        }
    }
    for (uint32_t at = s->n; at-- > top;) { /* children first */
        if (s->of[at] != NULL) {
            find_reach(s, at);
        }
    }
    unsigned most = 0;
    for (uint32_t at = top; at < s->n; at++) {
        if (s->of[at] == NULL) {
            continue;
        }
        const struct branch *b = branch_in(s, at);
        s->steps = s->reach[at].steps + 1;
        for (uint32_t i = b->children; i < b->children + b->nchildren; i++) {
            s->reach[i].steps = s->reach[i].octets > 0 ? s->reach[i].steps : s->steps;
        }
        if (s->n < JUMP_CELLS) {
            seal_jumps(s, at);
        }
        seal_label(s, at, s->reach[at].octets);
        if (has_value(&s->slots[at].cell) && s->reach[at].steps > most) {
            most = s->reach[at].steps;
        }
    }
    return most;
}

/* Where the paths of a tree are, for the cells of hosts. */
static int seal_paths(struct router *r, struct sealing *s, struct node *paths)
{
    if (paths->nchildren == 0) {
        return ROUTER_NONE;
    }
    if (is_root_only(paths)) {
        return EVERY_PATH(paths->child[0]->exact);
    }
    assert(paths->nchildren == 1); /* paths begin with '/' */
    s->n += s->n % 2;              /* so that its branch is in the same cache line */
    uint32_t top = s->n++;
    s->of[top] = paths->child[0];
    s->above[top] = NO_CELL;
    unsigned steps = 1 + seal_tree(s, top); /* the first one is to the top */
    r->path_steps = steps > r->path_steps ? steps : r->path_steps;
    return (int)top;
}

/* Memory for all but the jumps. What the router is to keep it owns from here on. */
static bool allocate(struct router *r, struct sealing *s)
{
    /* The first slot, a cell and a branch for each node, and a gap in front of each tree. */
    size_t n = 1 + 2 * r->nnodes + r->npaths;
    /* A table of 256 octets is of 17 nodes at least; and reading a key goes beyond the last one. */
    s->texts_most = r->nnodes * (256 / 16 + JUMP_OCTETS_MOST) + r->label_octets;
    r->texts = calloc(1, s->texts_most + JUMP_OCTETS_MOST);
    r->memory = calloc(1, n * sizeof(union slot) + CACHE_LINE);
    r->above = calloc(n, sizeof(*r->above));
    s->of = calloc(n, sizeof(*s->of));
    s->reach = calloc(n, sizeof(*s->reach));
    if (r->texts == NULL || r->memory == NULL || r->above == NULL || s->of == NULL ||
        s->reach == NULL) {
        return false;
    }
    size_t beyond = (uintptr_t)r->memory % CACHE_LINE;
    s->slots = (union slot *)((char *)r->memory + (beyond > 0 ? CACHE_LINE - beyond : 0));
    s->texts = r->texts;
    s->above = r->above;
    s->most = n;
    return true;
}

/* The first cell, the top of the tree of hosts. */
#define HOSTS 1u

static void seal_trees(struct router *r, struct sealing *s)
{
    s->n = HOSTS + 1;
    s->of[HOSTS] = r->hosts;
    s->above[HOSTS] = NO_CELL;
    r->host_steps = seal_tree(s, HOSTS);
    uint32_t end = s->n;
    for (uint32_t i = HOSTS; i < end; i++) {
        struct cell *c = &s->slots[i].cell;
        if (s->of[i] != NULL) {
            c->exact = c->exact != ROUTER_NONE ? seal_paths(r, s, r->paths[c->exact]) : ROUTER_NONE;
            c->open = c->open != ROUTER_NONE ? seal_paths(r, s, r->paths[c->open]) : ROUTER_NONE;
        }
    }
    r->any_host = seal_paths(r, s, r->paths[0]);
    assert(s->n <= s->most && s->texts_len <= s->texts_most);
}

enum router_rc router_seal(struct router *r)
{
    struct sealing s = {.n = 0};
    assert(r->slots == NULL && r->nnodes < INT32_MAX / 64 && r->label_octets < UINT32_MAX / 2);
    enum router_rc rc = ROUTER_NO_MEMORY;
    if (allocate(r, &s)) {
        seal_trees(r, &s);
        r->jumps = s.jumps;
        r->probes = s.most_probes;
        if (!s.no_memory) {
            r->slots = s.slots;
            rc = ROUTER_OK;
        }
    }
    free(s.of);
    free(s.reach);
    return rc;
}

unsigned router_steps(const struct router *r)
{
    return r->host_steps + r->path_steps;
}

unsigned router_probes(const struct router *r)
{
    return r->probes;
}

/* ---------------------------------------------------------------- looking up */

static inline char host_char(const char *host, size_t len, size_t i)
{
    char c = host[len - 1 - i];
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The octets in front of the label, and it. */
static inline const char *text_of(const struct router *r, const struct cell *c)
{
    if (c->before + c->len <= LABEL_INLINE) {
        return c->text;
    }
    uint32_t at;
    memcpy(&at, c->text, sizeof(at));
    return r->texts + at;
}

/* The first of eight octets that is c, counted from 0; 8: none is. A zero in `differ` is where they
 * are the same; taking 1 from every octet sets the top bit of the lowest zero, and of some above.
 */
static inline unsigned find_octet(const uint8_t *octets, uint8_t c)
{
    uint64_t word;
    memcpy(&word, octets, sizeof(word));
    uint64_t differ = le64toh(word) ^ c * 0x0101010101010101ULL;
    uint64_t zero = (differ - 0x0101010101010101ULL) & ~differ & 0x8080808080808080ULL;
    return zero != 0 ? (unsigned)__builtin_ctzll(zero) / 8 : 8;
}

/* A cell, and what is to be compared to get there. */
struct step {
    const struct cell *to; /* NULL: there is none */
    const char *text;
    size_t len;
    size_t done; /* octets of it that are the same for certain */
};

static const struct step no_step = {NULL, NULL, 0, 0};

/* To the child whose label begins with c, or to one whose label does not fit. */
static inline struct step step_to(const struct router *r, const struct branch *b, uint8_t c)
{
    unsigned i;
    if (b->nchildren > FIRST_INLINE) {
        uint32_t at;
        memcpy(&at, b->first, sizeof(at));
        i = (uint8_t)r->texts[at + c];
    } else {
        i = find_octet(b->first, c);
        if (i == 8 && b->nchildren > 8) {
            i += find_octet(b->first + 8, c);
        }
    }
    if (i >= b->nchildren) {
        return no_step;
    }
    const struct cell *to = &r->slots[b->children + i].cell;
    return (struct step){to, text_of(r, to) + to->before, to->len, 0};
}

static inline const struct branch *branch_of(const struct router *r, const struct cell *c)
{
    return &r->slots[c->branch].branch;
}

/* Up to eight octets at `s`, the first one highest. */
static inline uint64_t read_key(const char *s, size_t len, unsigned octets)
{
    uint64_t key = 0;
    if (len >= sizeof(key)) {
        memcpy(&key, s, sizeof(key));
        return be64toh(key) >> (64 - 8 * octets);
    }
    for (unsigned i = 0; i < octets; i++) {
        key = key << 8 | (uint8_t)s[i];
    }
    return key;
}

/* The letters A-Z among eight octets in lower case. Without their top bits, octets from 'A' on
 * reach into it when 0x80 - 'A' is added, and those behind 'Z' when 0x7f - 'Z' is. */
static inline uint64_t lower_case(uint64_t v)
{
    const uint64_t each = 0x0101010101010101ULL;
    uint64_t low = v & 0x7f * each;
    uint64_t from_a = low + (0x80 - 'A') * each;
    uint64_t behind_z = low + (0x7f - 'Z') * each;
    return v | (((from_a ^ behind_z) & ~v & 0x80 * each) >> 2);
}

/* The same backwards: the last octets of `host`, in lower case, the last one highest. */
static inline uint64_t read_host_key(const char *host, size_t len, unsigned octets)
{
    uint64_t key = 0;
    if (len >= sizeof(key)) {
        memcpy(&key, host + len - sizeof(key), sizeof(key));
        return lower_case(le64toh(key)) >> (64 - 8 * octets);
    }
    for (unsigned i = 0; i < octets; i++) {
        key = key << 8 | (uint8_t)host_char(host, len, i);
    }
    return key;
}

static inline struct step jump_to(const struct router *r, const struct branch *b, uint64_t key)
{
    const uint32_t *table = r->jumps + b->jumps;
    uint64_t mask = (1ULL << b->jump_bits) - 1;
    uint64_t hash = hash_key(key);
    uint32_t tag = jump_tag(hash, b->jump_bits);
    for (uint64_t at = hash >> (64 - b->jump_bits); table[at] != 0; at = (at + 1) & mask) {
        if ((table[at] & ~(JUMP_CELLS - 1)) != tag) {
            continue;
        }
        const struct cell *to = &r->slots[table[at] & (JUMP_CELLS - 1)].cell;
        const char *text = text_of(r, to);
        if (read_key(text, JUMP_OCTETS_MOST, b->jump_octets) == key) {
            return (struct step){to, text, to->before + to->len, b->jump_octets};
        }
    }
    return no_step;
}

/*
 * Goes down the tree of hosts as far as the host goes with it. *depth is the length of the text at
 * the cell that is returned; what comes below it does not fit.
 */
static const struct cell *walk_host(const struct router *r, const char *host, size_t len,
                                    size_t *depth)
{
    const struct cell *n = &r->slots[HOSTS].cell;
    size_t left = len;
    while (left > 0) {
        const struct branch *b = branch_of(r, n);
        struct step s = b->jump_octets > 0 && left >= b->jump_octets
                            ? jump_to(r, b, read_host_key(host, left, b->jump_octets))
                            : step_to(r, b, (uint8_t)host_char(host, left, 0));
        if (s.to == NULL || s.len > left) {
            break;
        }
        size_t i = s.done;
        while (i < s.len && s.text[i] == host_char(host, left, i)) {
            i++;
        }
        if (i < s.len) {
            break;
        }
        left -= s.len;
        n = s.to;
    }
    *depth = len - left;
    return n;
}

/* The index of /x/ for the path /x: at a step that is the '/' alone, or at the end of one that goes
 * on with it. */
static inline int with_slash(struct step s, size_t matched)
{
    return s.to != NULL && s.len == matched + 1 && s.text[matched] == '/' ? s.to->exact
                                                                          : ROUTER_NONE;
}

/* `top` is the first cell of a tree, whose label begins with '/'. */
static int match_cells(const struct router *r, const struct cell *top, const char *path, size_t len)
{
    int best = ROUTER_NONE; /* of what is shorter than the path */
    struct step s = {top, text_of(r, top), top->len, 0};
    while (s.to != NULL) {
        size_t both = s.len < len ? s.len : len, i = s.done;
        while (i < both && s.text[i] == path[i]) {
            i++;
        }
        if (i < both) {
            break;
        }
        if (s.len > len) {
            int whole = with_slash(s, len);
            return whole != ROUTER_NONE ? whole : best;
        }
        const struct cell *n = s.to;
        const struct branch *b = branch_of(r, n);
        path += s.len;
        len -= s.len;
        if (len == 0) {
            int whole = n->exact != ROUTER_NONE ? n->exact : with_slash(step_to(r, b, '/'), 0);
            return whole != ROUTER_NONE ? whole : best;
        }
        if (n->open != ROUTER_NONE) {
            best = n->open;
        } else if (n->subtree) {
            best = n->exact;
        }
        s = b->jump_octets > 0 && len >= b->jump_octets
                ? jump_to(r, b, read_key(path, len, b->jump_octets))
                : step_to(r, b, (uint8_t)path[0]);
    }
    return best;
}

/* `paths` is what seal_paths() gave. */
static inline int match_paths(const struct router *r, int paths, const char *path, size_t len)
{
    if (paths < ROUTER_NONE) {
        return EVERY_PATH(paths);
    }
    return paths != ROUTER_NONE ? match_cells(r, &r->slots[paths].cell, path, len) : ROUTER_NONE;
}

int router_match(const struct router *r, const char *host, size_t host_len, const char *path,
                 size_t path_len)
{
    assert(r->slots != NULL); /* sealed */
    if (path_len == 0 || path[0] != '/') {
        path = "/";
        path_len = 1;
    }
    size_t depth;
    const struct cell *n = walk_host(r, host, host_len, &depth);
    int index = match_paths(r, depth == host_len ? n->exact : n->open, path, path_len);
    if (index != ROUTER_NONE) {
        return index;
    }
    /* A '*' stands for one octet at least, so above `n` each one fits. */
    uint32_t at = r->above[(const union slot *)n - r->slots];
    for (; index == ROUTER_NONE && at != NO_CELL; at = r->above[at]) {
        index = match_paths(r, r->slots[at].cell.open, path, path_len);
    }
    return index != ROUTER_NONE ? index : match_paths(r, r->any_host, path, path_len);
}
