/* SPDX-License-Identifier: Apache-2.0 */
#include "load/bodies.h"

#include <endian.h>
#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/number.h"
#include "load/bodies_internal.h"
#include "span/otlp.h"

#define BATCH_SPANS    512
#define BODY_MAX_BYTES ((size_t)1 << 30)
#define PLACES_SHARE   4 /* places take at most so much of the address space of bytes */
#define LEVEL_KEPT     6 /* as SDKs and the Collector compress */
#define LEVEL_COPIED   1 /* of each copy anew: the sender must be faster than the receiver */

int tk_load_bodies_new(const struct tk_load_bodies_opts *opts, struct tk_load_bodies **ret_bodies,
                       struct tk_err *err)
{
    struct tk_load_bodies *bodies = calloc(1, sizeof(*bodies));
    if (!bodies)
        return tk_fail(err, -ENOMEM, "requests: out of memory");
    bodies->opts = *opts;
    if (bodies->opts.batch_spans == 0)
        bodies->opts.batch_spans = BATCH_SPANS;
    if (bodies->opts.max_bytes == 0)
        bodies->opts.max_bytes = TK_LOAD_BODIES_MAX_BYTES;
    tk_buf_init(&bodies->encoded, BODY_MAX_BYTES);
    tk_buf_init(&bodies->packed, BODY_MAX_BYTES);
    for (int i = 0; i < TK_PLACE_COUNT; i++)
        tk_buf_init(&bodies->found[i], BODY_MAX_BYTES);
    int rc = tk_arena_init(&bodies->bytes, bodies->opts.max_bytes, err);
    if (rc == 0)
        rc = tk_arena_init(&bodies->places, bodies->opts.max_bytes / PLACES_SHARE, err);
    if (rc == 0 && opts->gzip) {
        bodies->deflate = libdeflate_alloc_compressor(opts->changes ? LEVEL_COPIED : LEVEL_KEPT);
        if (!bodies->deflate)
            rc = tk_fail(err, -ENOMEM, "requests: out of memory");
    }
    if (rc < 0) {
        tk_load_bodies_free(bodies);
    } else {
        *ret_bodies = bodies;
    }
    return rc;
}

void tk_load_bodies_free(struct tk_load_bodies *bodies)
{
    if (!bodies)
        return;
    tk_arena_release(&bodies->bytes);
    tk_arena_release(&bodies->places);
    tk_buf_release(&bodies->encoded);
    tk_buf_release(&bodies->packed);
    for (int i = 0; i < TK_PLACE_COUNT; i++)
        tk_buf_release(&bodies->found[i]);
    libdeflate_free_compressor(bodies->deflate);
    free(bodies->items);
    free(bodies);
}

void tk_load_bodies_freep(struct tk_load_bodies **bodies)
{
    tk_load_bodies_free(*bodies);
    *bodies = NULL;
}

/* Replace `to` by the gzip form of `text`. */
static int compress(struct tk_load_bodies *bodies, tk_str text, struct tk_buf *to,
                    struct tk_err *err)
{
    size_t bound = libdeflate_gzip_compress_bound(bodies->deflate, text.n);
    tk_buf_reset(to);
    char *at = tk_buf_reserve(to, bound);
    if (at)
        to->n = libdeflate_gzip_compress(bodies->deflate, text.p, text.n, at, bound);
    return tk_buf_check(to, "a compressed request", err);
}

/* Adding ----------------------------------------------------------------------------------- */

/* A row by when it ends; then, of the rows of a body, by its scope. */
struct row_key {
    int64_t key; /* end, then scope */
    int64_t rank;
    uint32_t row;
};

static int compare_keys(const void *a, const void *b)
{
    const struct row_key *first = a;
    const struct row_key *second = b;
    if (first->key != second->key)
        return first->key < second->key ? -1 : 1;
    return (first->rank > second->rank) - (first->rank < second->rank);
}

static int full(const struct tk_load_bodies *bodies, struct tk_err *err)
{
    return tk_fail(err, -EMSGSIZE,
                   "more than %zu MiB of encoded spans after %llu of them: send a part of them",
                   bodies->opts.max_bytes >> 20, (unsigned long long)bodies->spans);
}

/* Keep the offsets of the encoded request. */
static int store_places(struct tk_load_bodies *bodies, struct tk_load_body *body,
                        struct tk_err *err)
{
    for (int i = 0; i < TK_PLACE_COUNT; i++)
        tk_buf_reset(&bodies->found[i]);
    tk_str text = tk_buf_str(&bodies->encoded);
    int rc = bodies->opts.json ? tk_places_find_json(text, bodies->found, err)
                               : tk_places_find_proto(text, bodies->found, err);
    for (int i = 0; i < TK_PLACE_COUNT && rc == 0; i++) {
        tk_str kept = tk_arena_copy(&bodies->places, tk_buf_str(&bodies->found[i]));
        if (!kept.p && kept.n > 0)
            return full(bodies, err);
        size_t begin = kept.n > 0 ? (size_t)(kept.p - bodies->places.p) / sizeof(uint32_t) : 0;
        body->places[i] =
            (struct tk_load_body_places){(uint32_t)begin, (uint32_t)(kept.n / sizeof(uint32_t))};
    }
    return rc;
}

/* Room for one body more. */
static int grow(struct tk_load_bodies *bodies, struct tk_err *err)
{
    if (bodies->count < bodies->cap)
        return 0;
    size_t cap = bodies->cap > 0 ? bodies->cap * 2 : 64;
    struct tk_load_body *items = reallocarray(bodies->items, cap, sizeof(*items));
    if (!items)
        return tk_fail(err, -ENOMEM, "requests: out of memory");
    bodies->items = items;
    bodies->cap = cap;
    return 0;
}

/* Keep the request that was encoded, of spans of which the last ended at `end_ns`. */
static int store(struct tk_load_bodies *bodies, size_t spans, int64_t end_ns, struct tk_err *err)
{
    struct tk_load_body body = {.spans = (uint32_t)spans, .end_ns = end_ns};
    struct tk_buf *kept = &bodies->encoded;
    int rc = tk_buf_check(kept, "a request", err);
    if (rc == 0)
        rc = grow(bodies, err);
    if (rc == 0 && bodies->opts.changes)
        rc = store_places(bodies, &body, err);
    if (rc == 0 && bodies->opts.gzip && !bodies->opts.changes) {
        rc = compress(bodies, tk_buf_str(&bodies->encoded), &bodies->packed, err);
        kept = &bodies->packed;
    }
    if (rc < 0)
        return rc;
    tk_str bytes = tk_arena_copy(&bodies->bytes, tk_buf_str(kept));
    if (!bytes.p)
        return full(bodies, err);
    body.p = bytes.p;
    body.n = bytes.n;
    bodies->items[bodies->count++] = body;
    bodies->spans += spans;
    bodies->encoded_bytes += bodies->encoded.n;
    return 0;
}

/* Encode the rows of one body: sorted by scope, so that each resource stands there once. */
static int encode(struct tk_load_bodies *bodies, const struct tk_span_batch *batch,
                  struct row_key *keys, size_t n, struct tk_err *err)
{
    int64_t end_ns = keys[n - 1].key;
    uint32_t *rows = malloc(n * sizeof(*rows));
    if (!rows)
        return tk_fail(err, -ENOMEM, "requests: out of memory");
    for (size_t i = 0; i < n; i++) {
        keys[i].key = batch->scope_ids[keys[i].row];
        keys[i].rank = (int64_t)i;
    }
    qsort(keys, n, sizeof(*keys), compare_keys);
    for (size_t i = 0; i < n; i++)
        rows[i] = keys[i].row;
    struct tk_span_rows chosen = {batch, rows, n};
    tk_buf_reset(&bodies->encoded);
    if (bodies->opts.json) {
        tk_otlp_encode_json(&chosen, &bodies->encoded);
    } else {
        tk_otlp_encode(&chosen, &bodies->encoded);
    }
    free(rows);
    return store(bodies, n, end_ns, err);
}

/* How many of the rows, which are sorted by end, the next body takes. */
static size_t count_next(const struct tk_load_bodies_opts *opts, const struct row_key *keys,
                         size_t n)
{
    size_t most = n < opts->batch_spans ? n : opts->batch_spans;
    size_t taken = 1;
    while (taken < most && (opts->batch_ns == 0 || keys[taken].key - keys[0].key <= opts->batch_ns))
        taken++;
    return taken;
}

int tk_load_bodies_add(struct tk_load_bodies *bodies, const struct tk_span_rows *rows,
                       struct tk_err *err)
{
    const struct tk_span_batch *batch = rows->batch;
    const struct tk_load_bodies_opts *opts = &bodies->opts;
    size_t n = rows->n;
    int rc = 0;
    if (n == 0)
        return 0;
    struct row_key *keys = malloc(n * sizeof(*keys));
    if (!keys)
        return tk_fail(err, -ENOMEM, "requests: out of memory");
    for (size_t i = 0; i < n; i++) {
        uint32_t row = rows->rows ? rows->rows[i] : (uint32_t)i;
        keys[i] = (struct row_key){batch->start_ns[row] + batch->duration_ns[row], (int64_t)i, row};
    }
    qsort(keys, n, sizeof(*keys), compare_keys);
    if (opts->max_spans > 0 && n > opts->max_spans - bodies->spans) {
        n = (size_t)(opts->max_spans - bodies->spans);
        bodies->left_out += rows->n - n;
    }
    for (size_t done = 0; done < n && rc == 0;) {
        size_t taken = count_next(opts, keys + done, n - done);
        rc = encode(bodies, batch, keys + done, taken, err);
        done += taken;
    }
    free(keys);
    return rc;
}

static int compare_bodies(const void *a, const void *b)
{
    const struct tk_load_body *first = a;
    const struct tk_load_body *second = b;
    if (first->end_ns != second->end_ns)
        return first->end_ns < second->end_ns ? -1 : 1;
    return (first->p > second->p) - (first->p < second->p);
}

int tk_load_bodies_finish(struct tk_load_bodies *bodies, struct tk_err *err)
{
    if (bodies->count == 0)
        return tk_fail(err, -ENODATA, "there are no spans to send");
    qsort(bodies->items, bodies->count, sizeof(*bodies->items), compare_bodies);
    return 0;
}

/* Copies ----------------------------------------------------------------------------------- */

struct tk_load_body_change tk_load_body_change_of(uint64_t seed, uint64_t pass)
{
    struct tk_load_body_change change = {0};
    if (seed == 0 && pass == 0)
        return change;
    uint64_t mixed = tk_hash_mix(seed, pass + 1);
    change.trace_mask[0] = tk_hash_mix(mixed, 1);
    change.trace_mask[1] = tk_hash_mix(mixed, 2);
    change.span_mask = tk_hash_mix(mixed, 3);
    return change;
}

int tk_load_body_copy(struct tk_load_bodies *bodies, size_t index,
                      const struct tk_load_body_change *change, struct tk_buf *to,
                      struct tk_err *err)
{
    const struct tk_load_body *body = &bodies->items[index];
    struct tk_buf *copy = bodies->opts.gzip ? &bodies->encoded : to;
    tk_buf_reset(copy);
    tk_buf_put(copy, (tk_str){body->p, body->n});
    int rc = tk_buf_check(copy, "a copy of a request", err);
    if (rc < 0)
        return rc;
    tk_places_change(copy->p, bodies->opts.json, body,
                     (const uint32_t *)(const void *)bodies->places.p, change);
    return bodies->opts.gzip ? compress(bodies, tk_buf_str(copy), to, err) : 0;
}

/* Append what stands at a place: `n` bytes, or twice as many digits. */
static void put_id(const char *at, bool json, size_t n, struct tk_buf *to)
{
    if (!json) {
        tk_buf_put(to, (tk_str){at, n});
        return;
    }
    for (size_t i = 0; i < n; i++)
        tk_buf_putc(to, (char)(tk_hex_value(at[2 * i]) * 16 + tk_hex_value(at[2 * i + 1])));
}

/* Flip the eight bytes that were appended `from_end` bytes before the end. */
static void flip_last(struct tk_buf *to, size_t from_end, uint64_t mask)
{
    uint64_t word;
    if (!tk_buf_ok(to))
        return;
    memcpy(&word, to->p + (to->n - from_end), sizeof(word));
    word ^= htobe64(mask);
    memcpy(to->p + (to->n - from_end), &word, sizeof(word));
}

void tk_load_body_put_ids(const struct tk_load_bodies *bodies, size_t index,
                          const struct tk_load_body_change *change, struct tk_buf *to)
{
    const struct tk_load_body *body = &bodies->items[index];
    const uint32_t *places = (const uint32_t *)(const void *)bodies->places.p;
    const uint32_t *traces = places + body->places[TK_PLACE_TRACE_ID].begin;
    const uint32_t *spans = places + body->places[TK_PLACE_SPAN_ID].begin;
    for (size_t i = 0; i < body->places[TK_PLACE_SPAN_ID].n; i++) {
        put_id(body->p + traces[i], bodies->opts.json, 16, to);
        put_id(body->p + spans[i], bodies->opts.json, 8, to);
        flip_last(to, 24, change->trace_mask[0]);
        flip_last(to, 16, change->trace_mask[1]);
        flip_last(to, 8, change->span_mask);
    }
}
