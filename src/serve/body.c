/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers of bodies. A spare one is taken where it fits, so that at a steady load each request
 * finds pages that are touched already: mapping 277 KB anew costs more than copying them. */
#include "serve/body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST_BYTES ((size_t)64 << 10)
#define SPARE_EACH_MAX ((size_t)1 << 20)
#define SPARE_MAX      ((size_t)8 << 20)

void tk_bodies_init(struct tk_bodies *bodies, size_t max_bytes, size_t budget_bytes)
{
    *bodies = (struct tk_bodies){
        .max_bytes = max_bytes,
        .budget_bytes = budget_bytes > max_bytes ? budget_bytes : max_bytes,
    };
}

void tk_bodies_release(struct tk_bodies *bodies)
{
    for (size_t i = 0; i < bodies->spare_count; i++)
        free(bodies->spare[i].p);
    bodies->spare_count = 0;
    bodies->spare_bytes = 0;
}

/* A spare buffer that is large enough. */
static bool take_spare(struct tk_bodies *bodies, size_t total, struct tk_body *ret_body)
{
    for (size_t i = 0; i < bodies->spare_count; i++) {
        if (bodies->spare[i].cap < total)
            continue;
        *ret_body = bodies->spare[i];
        bodies->spare[i] = bodies->spare[--bodies->spare_count];
        bodies->spare_bytes -= ret_body->cap;
        return true;
    }
    return false;
}

/* What a buffer for so many bytes has: some more, so that the next body fits it as well. */
static size_t capacity(const struct tk_bodies *bodies, size_t total)
{
    size_t cap = SMALLEST_BYTES;
    while (cap < total)
        cap += cap / 2;
    return cap < bodies->max_bytes || total > bodies->max_bytes ? cap : bodies->max_bytes;
}

/* Keep the buffer for another body, unless there are enough. */
static void put_spare(struct tk_bodies *bodies, struct tk_body body)
{
    if (body.cap > SPARE_EACH_MAX || bodies->spare_count == TK_BODIES_SPARE ||
        bodies->spare_bytes + body.cap > SPARE_MAX) {
        free(body.p);
        return;
    }
    bodies->spare[bodies->spare_count++] = (struct tk_body){body.p, 0, body.cap};
    bodies->spare_bytes += body.cap;
}

int tk_body_reserve(struct tk_bodies *bodies, struct tk_body *body, size_t total)
{
    if (total <= body->cap)
        return 0;
    if (total > bodies->max_bytes)
        return -EMSGSIZE;
    struct tk_body larger = {.cap = capacity(bodies, total)};
    if (!take_spare(bodies, total, &larger))
        larger.p = malloc(larger.cap);
    if (!larger.p)
        return -ENOMEM;
    if (bodies->used_bytes - body->cap + larger.cap > bodies->budget_bytes) {
        put_spare(bodies, larger);
        return -ENOBUFS;
    }
    larger.n = body->n;
    if (body->n > 0)
        memcpy(larger.p, body->p, body->n);
    tk_body_release(bodies, body);
    bodies->used_bytes += larger.cap;
    *body = larger;
    return 0;
}

int tk_body_add(struct tk_bodies *bodies, struct tk_body *body, tk_str bytes)
{
    if (bytes.n > bodies->max_bytes - body->n)
        return -EMSGSIZE;
    int rc = tk_body_reserve(bodies, body, body->n + bytes.n);
    if (rc < 0 || bytes.n == 0)
        return rc;
    memcpy(body->p + body->n, bytes.p, bytes.n);
    body->n += bytes.n;
    return 0;
}

void tk_body_release(struct tk_bodies *bodies, struct tk_body *body)
{
    if (!body->p)
        return;
    bodies->used_bytes -= body->cap;
    put_spare(bodies, *body);
    *body = (struct tk_body){0};
}
