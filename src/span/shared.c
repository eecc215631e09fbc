/* SPDX-License-Identifier: Apache-2.0 */
#include "span/shared.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"
#include "span/trace_id.h"

/* The id of the server's half. */
static uint64_t made_of(uint64_t id)
{
    uint64_t made = tk_hash_mix(id, 0x5A495048414C46ULL);
    return made != 0 ? made : 1;
}

static bool is_half(const struct tk_span_batch *batch, size_t row)
{
    uint64_t parent = batch->parent_ids[row];
    return parent != 0 && batch->span_ids[row] == made_of(parent);
}

/* Of the shared id and the service that a row is below. */
static uint64_t key_of(const struct tk_span_batch *batch, size_t row)
{
    uint64_t parent = tk_span_id_hash(batch->trace_ids[row], batch->parent_ids[row]);
    return tk_hash_mix(parent, tk_hash_text(tk_span_service(batch, row)));
}

static bool are_together(const struct tk_span_batch *batch, size_t half, size_t row)
{
    return batch->parent_ids[half] == batch->parent_ids[row] &&
           memcmp(batch->trace_ids[half], batch->trace_ids[row], sizeof(*batch->trace_ids)) == 0 &&
           tk_str_eq(tk_span_service(batch, half), tk_span_service(batch, row));
}

void tk_shared_split(struct tk_span_batch *batch, size_t row)
{
    batch->parent_ids[row] = batch->span_ids[row];
    batch->span_ids[row] = made_of(batch->span_ids[row]);
}

int tk_shared_adopt(struct tk_span_batch *batch, size_t first, struct tk_err *err)
{
    struct tk_map halves = {0};
    uint32_t half;
    int rc = 0;
    for (size_t row = first; row < batch->rows && rc == 0; row++) {
        if (is_half(batch, row))
            rc = tk_map_add(&halves, key_of(batch, row), (uint32_t)row);
    }
    for (size_t row = first; row < batch->rows && rc == 0; row++) {
        if (batch->parent_ids[row] != 0 && !is_half(batch, row) &&
            tk_map_find(&halves, key_of(batch, row), &half) && are_together(batch, half, row))
            batch->parent_ids[row] = batch->span_ids[half];
    }
    tk_map_release(&halves);
    return rc < 0 ? tk_fail(err, rc, "out of memory") : 0;
}
