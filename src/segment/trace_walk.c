/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/trace_walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST 64 /* traces at a time: an answer that is cut has not read many for nothing */

/* Visit the traces of a batch, in which each stands in one piece, in the order of the ids. */
static int visit_all(const struct tk_trace_walk *walk, const uint32_t *rows,
                     const uint8_t (*ids)[16], size_t count, struct tk_err *err)
{
    size_t begin = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        size_t end = begin;
        while (end < walk->batch->rows && memcmp(walk->batch->trace_ids[end], ids[i], 16) == 0)
            end++;
        const struct tk_span_rows trace = {walk->batch, rows + begin, end - begin};
        rc = walk->visit(walk->user, ids[i], &trace, err);
        begin = end;
    }
    return rc;
}

/* Numbers of rows: 0, 1, 2, ... */
static uint32_t *row_numbers(size_t n)
{
    uint32_t *rows = malloc((n + 1) * sizeof(*rows));
    for (size_t i = 0; rows && i < n; i++)
        rows[i] = (uint32_t)i;
    return rows;
}

/* The traces of a few ids. -ENOBUFS when not all fit into the batch, and there are several. */
static int walk_some(struct tk_segment_set *set, const uint8_t (*ids)[16], size_t n,
                     const struct tk_trace_walk *walk, struct tk_err *err)
{
    tk_span_batch_reset(walk->batch);
    int rc = tk_segment_set_traces(set, ids, n, walk->batch, err);
    if (rc == -ENOBUFS && n == 1)
        return walk->visit(walk->user, ids[0], NULL, err);
    if (rc < 0)
        return rc;
    uint32_t *rows = row_numbers(walk->batch->rows);
    rc = rows ? visit_all(walk, rows, ids, n, err) : tk_fail(err, -ENOMEM, "traces: out of memory");
    free(rows);
    return rc;
}

int tk_segment_set_walk_traces(struct tk_segment_set *set, const uint8_t (*ids)[16], size_t count,
                               const struct tk_trace_walk *walk, struct tk_err *err)
{
    size_t most = MOST;
    for (size_t done = 0; done < count;) {
        size_t n = count - done < most ? count - done : most;
        int rc = walk_some(set, ids + done, n, walk, err);
        if (rc == -ENOBUFS && n > 1) {
            most = n / 2;
            continue;
        }
        if (rc != 0)
            return rc;
        done += n;
        most = MOST;
    }
    return 0;
}
