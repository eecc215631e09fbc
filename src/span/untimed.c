/* SPDX-License-Identifier: Apache-2.0 */
#include "span/untimed.h"

#include <errno.h>

#include "base/checked.h"
#include "base/map.h"
#include "span/trace_id.h"

static uint64_t key_of(const struct tk_span_batch *batch, size_t row)
{
    return tk_trace_id_hash(batch->trace_ids[row]);
}

/* By trace: a row that has no start. */
static int find_untimed(const struct tk_span_batch *batch, size_t first, struct tk_map *rows)
{
    int rc = 0;
    for (size_t row = first; row < batch->rows && rc == 0; row++) {
        if (batch->start_ns[row] == TK_UNTIMED)
            rc = tk_map_add(rows, key_of(batch, row), (uint32_t)row);
    }
    return rc;
}

/* Then, where there is one, the row that starts first. */
static int find_earliest(const struct tk_span_batch *batch, size_t first, struct tk_map *rows)
{
    const int64_t *starts = batch->start_ns;
    int rc = 0;
    for (size_t row = first; row < batch->rows && rc == 0; row++) {
        uint64_t key = key_of(batch, row);
        uint32_t earliest;
        if (starts[row] == TK_UNTIMED || !tk_map_find(rows, key, &earliest))
            continue;
        if (starts[earliest] == TK_UNTIMED || starts[row] < starts[earliest])
            rc = tk_map_add(rows, key, (uint32_t)row);
    }
    return rc;
}

static int64_t start_of(const struct tk_span_batch *batch, size_t row, const struct tk_map *rows,
                        int64_t arrival_ns)
{
    uint32_t earliest;
    int64_t end;
    if (!tk_map_find(rows, key_of(batch, row), &earliest) ||
        batch->start_ns[earliest] == TK_UNTIMED ||
        !tk_add_i64(batch->start_ns[earliest], batch->duration_ns[row], &end))
        return arrival_ns;
    return batch->start_ns[earliest];
}

int tk_untimed_place(struct tk_span_batch *batch, size_t first, int64_t arrival_ns,
                     struct tk_err *err)
{
    struct tk_map rows = {0};
    int rc = find_untimed(batch, first, &rows);
    if (rc == 0 && rows.count == 0) {
        tk_map_release(&rows);
        return 0;
    }
    rc = rc < 0 ? rc : find_earliest(batch, first, &rows);
    if (rc < 0)
        tk_map_release(&rows); /* an empty map knows no trace */
    for (size_t row = first; row < batch->rows; row++) {
        if (batch->start_ns[row] == TK_UNTIMED)
            batch->start_ns[row] = start_of(batch, row, &rows, arrival_ns);
    }
    tk_map_release(&rows);
    return rc < 0 ? tk_fail(err, rc, "out of memory") : 0;
}
