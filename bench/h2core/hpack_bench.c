/*
 * HPACK of h2core beside that of libnghttp2: time, octets and heap, over stories that
 * bench/h2core/hpack has made of hpack-test-case. Both get the same fields or blocks, a fresh
 * context for each story, and a table of 4096 octets unless the story changes it.
 *
 *     hpack_bench FILE time ROUNDS     each measure by turns, the median, in ns of this thread's
 * CPU hpack_bench FILE once WHAT       one pass in measured(), for an instruction count hpack_bench
 * FILE memory          heap of an encoder and a decoder
 *
 * FILE is a row of records, numbers of 32 bits in the machine's order, strings behind their length:
 * 'F' name: blocks of one encoder follow; 'S': a new story; 'T' size: the table's limit changes;
 * 'B' count, names and values in turn, and the block (empty in raw-data).
 */
#include "h2core/hpack.h"

#include <nghttp2/nghttp2.h>

#include <inttypes.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TABLE     4096u
#define NO_CHANGE UINT32_MAX
#define MAX_BLOCK 65536u

struct block {
    bool first;     /* of a story: a fresh context */
    uint32_t table; /* the new limit, or NO_CHANGE */
    uint32_t n;
    struct h2_field *plain;  /* as a stranger hands them in */
    struct h2_field *tokens; /* as our own parsers do: well-known names by number */
    nghttp2_nv *theirs;
    const uint8_t *wire;
    uint32_t wire_len;
};

struct folder {
    char name[64];
    struct block *blocks;
    size_t n;
    uint64_t fields;
};

#define MAX_FOLDERS 32
static struct folder folders[MAX_FOLDERS];
static size_t folder_count;
static struct folder raw; /* the stories themselves */

static volatile uint64_t sink; /* keeps results from being optimised away */
static uint8_t out[MAX_BLOCK];

static void die(const char *what)
{
    fprintf(stderr, "hpack_bench: %s\n", what);
    exit(1);
}

static void *checked(void *p)
{
    if (p == NULL) {
        die("no memory");
    }
    return p;
}

/* ---------------------------------------------------------------- input */

struct input {
    const uint8_t *p;
    const uint8_t *end;
};

static uint32_t number(struct input *in)
{
    uint32_t n;
    if (in->end - in->p < 4) {
        die("the file is cut off");
    }
    memcpy(&n, in->p, 4);
    in->p += 4;
    return n;
}

static const uint8_t *string(struct input *in, uint32_t *len)
{
    *len = number(in);
    const uint8_t *s = in->p;
    if ((size_t)(in->end - in->p) < *len) {
        die("the file is cut off");
    }
    in->p += *len;
    return s;
}

static void read_fields(struct input *in, struct block *b)
{
    b->n = number(in);
    b->plain = checked(calloc(b->n + 1, sizeof(*b->plain)));
    b->tokens = checked(calloc(b->n + 1, sizeof(*b->tokens)));
    b->theirs = checked(calloc(b->n + 1, sizeof(*b->theirs)));
    for (uint32_t i = 0; i < b->n; i++) {
        struct h2_field *f = &b->plain[i];
        f->name = (const char *)string(in, &f->name_len);
        f->value = (const char *)string(in, &f->value_len);
        b->tokens[i] = *f;
        b->tokens[i].token = h2_token_lookup(f->name, f->name_len);
        b->theirs[i].name =
            (uint8_t *)(uintptr_t)f->name; /* it takes no const, and changes nothing */
        b->theirs[i].value = (uint8_t *)(uintptr_t)f->value;
        b->theirs[i].namelen = f->name_len;
        b->theirs[i].valuelen = f->value_len;
    }
}

static struct block *add_block(struct folder *f)
{
    if ((f->n & (f->n - 1)) == 0) {
        size_t room = f->n == 0 ? 1 : f->n * 2;
        f->blocks = checked(realloc(f->blocks, room * sizeof(*f->blocks)));
    }
    return &f->blocks[f->n++];
}

static struct folder *next_folder(const char *name)
{
    if (folder_count == MAX_FOLDERS) {
        die("too many folders");
    }
    struct folder *f = strcmp(name, "raw-data") == 0 ? &raw : &folders[folder_count++];
    snprintf(f->name, sizeof(f->name), "%s", name);
    return f;
}

static void load(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        die("cannot read the file");
    }
    long size = ftell(file);
    uint8_t *octets = checked(malloc((size_t)size + 1));
    rewind(file);
    if (size <= 0 || fread(octets, 1, (size_t)size, file) != (size_t)size) {
        die("cannot read the file");
    }
    fclose(file);

    struct input in = {octets, octets + size};
    struct folder *f = NULL;
    bool first = true;
    uint32_t table = NO_CHANGE;
    while (in.p < in.end) {
        uint8_t kind = *in.p++;
        uint32_t len;
        if (kind == 'F') {
            char name[64];
            const uint8_t *s = string(&in, &len);
            snprintf(name, sizeof(name), "%.*s", (int)len, (const char *)s);
            f = next_folder(name);
        } else if (kind == 'S') {
            first = true;
        } else if (kind == 'T') {
            table = number(&in);
        } else if (kind == 'B' && f != NULL) {
            struct block *b = add_block(f);
            b->first = first;
            b->table = table;
            read_fields(&in, b);
            b->wire = string(&in, &b->wire_len);
            f->fields += b->n;
            first = false;
            table = NO_CHANGE;
        } else {
            die("not a file of hpack_bench");
        }
    }
    if (raw.n == 0 || folder_count == 0) {
        die("the file has no stories");
    }
}

/* ---------------------------------------------------------------- what is measured */

static const struct h2_allocator *our_memory; /* NULL: malloc itself */
static nghttp2_mem *their_memory;

/* Set for the first pass only: results are compared with the stories. */
static bool verify;

static void compare(const struct block *b, uint32_t i, const char *name, size_t name_len,
                    const char *value, size_t value_len)
{
    if (i >= b->n || name_len != b->plain[i].name_len || value_len != b->plain[i].value_len ||
        memcmp(name, b->plain[i].name, name_len) != 0 ||
        memcmp(value, b->plain[i].value, value_len) != 0) {
        die("a field was not decoded to what the story says");
    }
}

static struct hpack_decoder *our_decoder(void)
{
    return checked(hpack_decoder_new(our_memory, TABLE));
}

static void decode_ours(struct hpack_decoder *d, const struct block *b)
{
    const uint8_t *pos = b->wire;
    struct h2_field f;
    enum hpack_rc rc;
    uint32_t n = 0;
    if (b->table != NO_CHANGE) {
        hpack_decoder_set_max_table_size(d, b->table);
    }
    hpack_decoder_begin(d);
    while ((rc = hpack_decoder_next(d, &pos, b->wire + b->wire_len, &f)) == HPACK_FIELD) {
        if (verify) {
            compare(b, n, f.name, f.name_len, f.value, f.value_len);
        }
        n++;
        sink += f.value_len;
    }
    if (rc != HPACK_OK || n != b->n || hpack_decoder_end(d) != HPACK_OK) {
        die("our decoder failed");
    }
}

static nghttp2_hd_inflater *their_decoder(void)
{
    nghttp2_hd_inflater *d;
    if (nghttp2_hd_inflate_new2(&d, their_memory) != 0) {
        die("no memory");
    }
    return d;
}

static void decode_theirs(nghttp2_hd_inflater *d, const struct block *b)
{
    const uint8_t *pos = b->wire;
    size_t left = b->wire_len;
    int flags = 0;
    uint32_t n = 0;
    if (b->table != NO_CHANGE) {
        nghttp2_hd_inflate_change_table_size(d, b->table);
    }
    do {
        nghttp2_nv f;
        ssize_t taken = nghttp2_hd_inflate_hd2(d, &f, &flags, pos, left, 1);
        if (taken < 0) {
            die("libnghttp2's decoder failed");
        }
        pos += taken;
        left -= (size_t)taken;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            if (verify) {
                compare(b, n, (char *)f.name, f.namelen, (char *)f.value, f.valuelen);
            }
            n++;
            sink += f.valuelen;
        }
    } while ((flags & NGHTTP2_HD_INFLATE_FINAL) == 0);
    nghttp2_hd_inflate_end_headers(d);
    if (n != b->n) {
        die("libnghttp2's decoder failed");
    }
}

static struct hpack_encoder *our_encoder(void)
{
    return checked(hpack_encoder_new(our_memory, TABLE));
}

static size_t encode_ours(struct hpack_encoder *e, const struct h2_field *fields, uint32_t n)
{
    size_t len;
    if (hpack_encoder_encode(e, fields, n, out, &len) != HPACK_OK) {
        die("our encoder failed");
    }
    return len;
}

static nghttp2_hd_deflater *their_encoder(void)
{
    nghttp2_hd_deflater *e;
    if (nghttp2_hd_deflate_new2(&e, TABLE, their_memory) != 0) {
        die("no memory");
    }
    return e;
}

static size_t encode_theirs(nghttp2_hd_deflater *e, const struct block *b)
{
    ssize_t len = nghttp2_hd_deflate_hd(e, out, sizeof(out), b->theirs, b->n);
    if (len < 0) {
        die("libnghttp2's encoder failed");
    }
    return (size_t)len;
}

/* A pass goes over all blocks of a folder and returns octets, if it makes any. */
static uint64_t pass_decode_ours(const struct folder *f)
{
    struct hpack_decoder *d = NULL;
    for (size_t i = 0; i < f->n; i++) {
        if (f->blocks[i].first) {
            hpack_decoder_free(d);
            d = our_decoder();
        }
        decode_ours(d, &f->blocks[i]);
    }
    hpack_decoder_free(d);
    return 0;
}

static uint64_t pass_decode_theirs(const struct folder *f)
{
    nghttp2_hd_inflater *d = NULL;
    for (size_t i = 0; i < f->n; i++) {
        if (f->blocks[i].first) {
            if (d != NULL) {
                nghttp2_hd_inflate_del(d);
            }
            d = their_decoder();
        }
        decode_theirs(d, &f->blocks[i]);
    }
    nghttp2_hd_inflate_del(d);
    return 0;
}

static uint64_t encode_all_ours(const struct folder *f, bool tokens)
{
    struct hpack_encoder *e = NULL;
    uint64_t octets = 0;
    for (size_t i = 0; i < f->n; i++) {
        const struct block *b = &f->blocks[i];
        if (b->first) {
            hpack_encoder_free(e);
            e = our_encoder();
        }
        octets += encode_ours(e, tokens ? b->tokens : b->plain, b->n);
    }
    hpack_encoder_free(e);
    return octets;
}

static uint64_t pass_encode_ours(const struct folder *f)
{
    return encode_all_ours(f, false);
}

static uint64_t pass_encode_tokens(const struct folder *f)
{
    return encode_all_ours(f, true);
}

static uint64_t pass_encode_theirs(const struct folder *f)
{
    nghttp2_hd_deflater *e = NULL;
    uint64_t octets = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (f->blocks[i].first) {
            if (e != NULL) {
                nghttp2_hd_deflate_del(e);
            }
            e = their_encoder();
        }
        octets += encode_theirs(e, &f->blocks[i]);
    }
    nghttp2_hd_deflate_del(e);
    return octets;
}

typedef uint64_t (*pass_fn)(const struct folder *f);

/* By its name an instruction counter knows when to count. */
__attribute__((noinline)) uint64_t measured(pass_fn pass, const struct folder *f);
uint64_t measured(pass_fn pass, const struct folder *f)
{
    return pass(f);
}

/* The stories once more, encoded by each of the two: what either gets from a peer like itself. */
static void add_encoded(const char *name, bool ours)
{
    struct folder *f = next_folder(name);
    struct hpack_encoder *our = NULL;
    nghttp2_hd_deflater *their = NULL;
    for (size_t i = 0; i < raw.n; i++) {
        struct block *b = add_block(f);
        *b = raw.blocks[i];
        if (b->first) {
            hpack_encoder_free(our);
            our = our_encoder();
            if (their != NULL) {
                nghttp2_hd_deflate_del(their);
            }
            their = their_encoder();
        }
        size_t len = ours ? encode_ours(our, b->plain, b->n) : encode_theirs(their, b);
        b->wire = memcpy(checked(malloc(len + 1)), out, len);
        b->wire_len = (uint32_t)len;
    }
    f->fields = raw.fields;
    hpack_encoder_free(our);
    nghttp2_hd_deflate_del(their);
}

/* ---------------------------------------------------------------- time */

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

/* The stories of a folder one by one. */
static bool next_story(const struct folder *f, struct folder *story)
{
    struct block *end = f->blocks + f->n;
    story->blocks += story->n;
    for (story->n = 0; story->blocks + story->n < end; story->n++) {
        if (story->n > 0 && story->blocks[story->n].first) {
            break;
        }
    }
    return story->n > 0;
}

/*
 * All passes by turns on each story, so that what disturbs the machine disturbs all of them, each
 * round in another order. The first touch is not timed: what is to be encoded or decoded is in the
 * cache when a connection does it.
 */
static void by_turns(const pass_fn *passes, unsigned count, const struct folder *f, unsigned rounds,
                     double *result)
{
    static double times[3][MAX_ROUNDS];
    for (unsigned round = 0; round < rounds; round++) {
        double sum[3] = {0};
        struct folder story = {.blocks = f->blocks};
        while (next_story(f, &story)) {
            sink += measured(passes[round % count], &story);
            for (unsigned i = 1; i <= count; i++) {
                unsigned k = (round + i) % count;
                double start = now_ns();
                sink += measured(passes[k], &story);
                sum[k] += now_ns() - start;
            }
        }
        for (unsigned k = 0; k < count; k++) {
            times[k][round] = sum[k];
        }
    }
    for (unsigned k = 0; k < count; k++) {
        result[k] = median(times[k], rounds) / (double)f->fields;
    }
}

static void run_time(unsigned rounds)
{
    static const pass_fn decode[] = {pass_decode_ours, pass_decode_theirs};
    static const pass_fn encode[] = {pass_encode_ours, pass_encode_theirs, pass_encode_tokens};
    double ns[3];
    for (size_t i = 0; i < folder_count; i++) {
        const struct folder *f = &folders[i];
        verify = true;
        pass_decode_ours(f);
        pass_decode_theirs(f);
        verify = false;
        by_turns(decode, 2, f, rounds, ns);
        printf("decode %s %" PRIu64 " %.2f %.2f\n", f->name, f->fields, ns[0], ns[1]);
    }
    by_turns(encode, 3, &raw, rounds, ns);
    printf("encode names %" PRIu64 " %.2f %.2f\n", raw.fields, ns[0], ns[1]);
    printf("encode tokens %" PRIu64 " %.2f %.2f\n", raw.fields, ns[2], ns[1]);
    printf("octets %" PRIu64 " %" PRIu64 "\n", pass_encode_ours(&raw), pass_encode_theirs(&raw));
}

static void run_once(const char *what)
{
    static const struct {
        const char *name;
        pass_fn pass;
    } passes[] = {
        {"decode-ours", pass_decode_ours},     {"decode-theirs", pass_decode_theirs},
        {"encode-ours", pass_encode_ours},     {"encode-theirs", pass_encode_theirs},
        {"encode-tokens", pass_encode_tokens},
    };
    for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++) {
        if (strcmp(passes[i].name, what) != 0) {
            continue;
        }
        uint64_t fields = 0;
        bool decode = strncmp(what, "decode", 6) == 0;
        for (size_t k = 0; decode && k < folder_count; k++) {
            sink += measured(passes[i].pass, &folders[k]);
            fields += folders[k].fields;
        }
        if (!decode) {
            sink += measured(passes[i].pass, &raw);
            fields = raw.fields;
        }
        printf("fields %" PRIu64 "\n", fields);
        return;
    }
    die("no such measure");
}

/* ---------------------------------------------------------------- memory */

static size_t heap; /* octets in use, as malloc rounds them up */

static void *count_realloc(void *p, size_t size, void *ctx)
{
    (void)ctx;
    heap -= p != NULL ? malloc_usable_size(p) : 0;
    p = checked(realloc(p, size));
    heap += malloc_usable_size(p);
    return p;
}

static void *count_malloc(size_t size, void *ctx)
{
    return count_realloc(NULL, size, ctx);
}

static void *count_calloc(size_t n, size_t size, void *ctx)
{
    return memset(count_malloc(n * size, ctx), 0, n * size);
}

static void count_free(void *p, void *ctx)
{
    (void)ctx;
    heap -= p != NULL ? malloc_usable_size(p) : 0;
    free(p);
}

static void *count_resize(void *ctx, void *p, size_t size)
{
    if (size == 0) {
        count_free(p, ctx);
        return NULL;
    }
    return count_realloc(p, size, ctx);
}

/* An encoder and a decoder of each, fresh and behind the longest story. */
static void run_memory(void)
{
    static const struct h2_allocator ours = {count_resize, NULL};
    static nghttp2_mem theirs = {NULL, count_malloc, count_free, count_calloc, count_realloc};
    our_memory = &ours;
    their_memory = &theirs;

    struct hpack_encoder *our_e = our_encoder();
    struct hpack_decoder *our_d = our_decoder();
    size_t our_fresh = heap;
    for (size_t i = 0; i < raw.n && (i == 0 || !raw.blocks[i].first); i++) {
        struct block b = raw.blocks[i];
        b.wire = out;
        b.wire_len = (uint32_t)encode_ours(our_e, b.plain, b.n);
        decode_ours(our_d, &b);
    }
    hpack_decoder_release(our_d); /* what a connection at rest does */
    size_t our_used = heap;
    hpack_encoder_free(our_e);
    hpack_decoder_free(our_d);

    nghttp2_hd_deflater *their_e = their_encoder();
    nghttp2_hd_inflater *their_d = their_decoder();
    size_t their_fresh = heap;
    for (size_t i = 0; i < raw.n && (i == 0 || !raw.blocks[i].first); i++) {
        struct block b = raw.blocks[i];
        b.wire_len = (uint32_t)encode_theirs(their_e, &b);
        b.wire = out;
        decode_theirs(their_d, &b);
    }
    size_t their_used = heap;
    nghttp2_hd_deflate_del(their_e);
    nghttp2_hd_inflate_del(their_d);
    if (heap != 0) {
        die("something was not freed");
    }
    printf("heap fresh %zu %zu\nheap used %zu %zu\n", our_fresh, their_fresh, our_used, their_used);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        die("usage: hpack_bench FILE time ROUNDS | once WHAT | memory");
    }
    load(argv[1]);
    if (strcmp(argv[2], "memory") == 0) {
        run_memory();
        return 0;
    }
    add_encoded("(by-libnghttp2)", false);
    add_encoded("(by-h2core)", true);
    if (strcmp(argv[2], "time") == 0 && argc == 4) {
        unsigned rounds = (unsigned)strtoul(argv[3], NULL, 10);
        if (rounds == 0 || rounds > MAX_ROUNDS) {
            die("how many rounds?");
        }
        run_time(rounds);
    } else if (strcmp(argv[2], "once") == 0 && argc == 4) {
        run_once(argv[3]);
    } else {
        die("what is to be done?");
    }
    return 0;
}
