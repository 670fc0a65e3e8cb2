/* Points on a circle, from SHA-256 of the members' keys. */
#include "route/ring.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "net/block.h"

#define DIGEST_SIZE       32u
#define POINTS_PER_DIGEST (DIGEST_SIZE / 4)

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* SHA-256 is always there (every provider that OpenSSL can be configured with has it), and of a few
 * octets it cannot fail but for want of memory. */
static void must(int ok)
{
    if (ok != 1) {
        abort();
    }
}

static int by_place(const void *a, const void *b)
{
    const struct ring_point *x = a, *y = b;
    if (x->at != y->at) {
        return x->at < y->at ? -1 : 1;
    }
    return x->member < y->member ? -1 : x->member > y->member;
}

/* SHA-256(key, number): the number is four octets, so that no key with a number is another key. */
static void digest(EVP_MD_CTX *ctx, const EVP_MD *md, const struct ring_member *m, uint32_t number,
                   uint8_t out[static DIGEST_SIZE])
{
    const uint8_t octets[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
                               (uint8_t)(number >> 8), (uint8_t)number};
    must(EVP_DigestInit_ex(ctx, md, NULL));
    must(EVP_DigestUpdate(ctx, m->key, m->key_len));
    must(EVP_DigestUpdate(ctx, octets, sizeof(octets)));
    must(EVP_DigestFinal_ex(ctx, out, NULL));
}

void ring_init(struct ring *r, const struct ring_member *m, size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += m[i].points;
    }
    *r = (struct ring){.points = xcalloc(total + 1, sizeof(*r->points))};
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    must(md != NULL && ctx != NULL);
    for (size_t i = 0; i < n; i++) {
        uint8_t octets[DIGEST_SIZE];
        for (size_t j = 0; j < m[i].points; j++) {
            size_t in_digest = j % POINTS_PER_DIGEST;
            if (in_digest == 0) {
                digest(ctx, md, &m[i], (uint32_t)(j / POINTS_PER_DIGEST), octets);
            }
            r->points[r->n++] = (struct ring_point){read_u32(octets + 4 * in_digest), (uint32_t)i};
        }
    }
    EVP_MD_CTX_free(ctx);
    EVP_MD_free(md);
    assert(r->n == total);
    qsort(r->points, r->n, sizeof(*r->points), by_place);
}

void ring_free(struct ring *r)
{
    free(r->points);
    *r = (struct ring){.points = NULL};
}

size_t ring_first(const struct ring *r, uint32_t hash)
{
    assert(r->n > 0);
    size_t low = 0, high = r->n; /* the answer is in low..high; high: none, so the first */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->points[middle].at < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < r->n ? low : 0;
}

uint32_t ring_id(const char *key, size_t len)
{
    uint8_t octets[EVP_MAX_MD_SIZE];
    must(EVP_Digest(key, len, octets, NULL, EVP_sha256(), NULL));
    return read_u32(octets);
}
