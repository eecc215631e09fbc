/* SPDX-License-Identifier: Apache-2.0 */
#include "span/lanes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE_BYTES ((size_t)16 << 20)
#define SERVICE_MAX   ((size_t)4096)

/* When a lane was in use: from the first start to the last end. */
struct extent {
    int64_t first_ns;
    int64_t last_ns;
};

struct tk_lanes_process {
    struct extent *lanes; /* owned */
    uint32_t count, max;
};

/* Memory -------------------------------------------------------------------------------------- */

void tk_lanes_release(struct tk_lanes *lanes)
{
    for (uint32_t i = 0; i < lanes->process_count; i++)
        free(lanes->processes[i].lanes);
    free(lanes->processes);
    free(lanes->items);
    free(lanes->order);
    free(lanes->tops);
    free(lanes->below);
    free(lanes->heap);
    tk_texts_release(&lanes->services);
    *lanes = (struct tk_lanes){0};
}

static int reserve(struct tk_lanes *lanes, size_t n, struct tk_err *err)
{
    if (n <= lanes->max_items)
        return 0;
    size_t max = n < 1024 ? 1024 : 2 * n;
    free(lanes->items);
    free(lanes->order);
    free(lanes->tops);
    free(lanes->below);
    free(lanes->heap);
    lanes->items = calloc(max, sizeof(*lanes->items));
    lanes->order = calloc(max, sizeof(*lanes->order));
    lanes->tops = calloc(max, sizeof(*lanes->tops));
    lanes->below = calloc(max, sizeof(*lanes->below));
    lanes->heap = calloc(max, sizeof(*lanes->heap));
    bool ok = lanes->items && lanes->order && lanes->tops && lanes->below && lanes->heap;
    lanes->max_items = ok ? max : 0;
    return ok ? 0 : tk_fail(err, -ENOMEM, "a trace of %zu spans: out of memory", n);
}

/* The number of a service; a name is kept with a NUL behind it, so that the empty one is a text. */
static int find_process(struct tk_lanes *lanes, tk_str service, uint32_t *ret, struct tk_err *err)
{
    char name[SERVICE_MAX];
    size_t n = service.n < sizeof(name) - 1 ? service.n : sizeof(name) - 1;
    if (!lanes->services.slots) {
        int rc = tk_texts_init(&lanes->services, SERVICE_BYTES, err);
        if (rc < 0)
            return rc;
    }
    if (n > 0)
        memcpy(name, service.p, n);
    name[n] = '\0';
    uint32_t id = tk_texts_add(&lanes->services, (tk_str){name, n + 1});
    if (id == TK_TEXTS_NONE)
        return tk_fail(err, -ENOMEM, "too many services to draw");
    *ret = id - 1;
    if (id <= lanes->process_count)
        return 0;
    struct tk_lanes_process *grown = realloc(lanes->processes, id * sizeof(*grown));
    if (!grown)
        return tk_fail(err, -ENOMEM, "out of memory");
    grown[id - 1] = (struct tk_lanes_process){0};
    lanes->processes = grown;
    lanes->process_count = id;
    return 0;
}

/* Order --------------------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
    const struct tk_lane_item *x = a;
    const struct tk_lane_item *y = b;
    if (x->process != y->process)
        return x->process < y->process ? -1 : 1;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    if (x->end_ns != y->end_ns)
        return x->end_ns > y->end_ns ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static int by_id(const void *a, const void *b, void *user)
{
    const struct tk_lane_item *items = user;
    uint64_t x = items[*(const uint32_t *)a].id;
    uint64_t y = items[*(const uint32_t *)b].id;
    return x < y ? -1 : x > y;
}

static uint32_t find_id(const struct tk_lanes *lanes, uint64_t id)
{
    uint32_t low = 0;
    for (uint32_t n = lanes->count; n > 0; n /= 2) {
        uint32_t middle = low + n / 2;
        if (lanes->items[lanes->order[middle]].id < id) {
            low = middle + 1;
            n--;
        }
    }
    bool is_there = low < lanes->count && lanes->items[lanes->order[low]].id == id;
    return is_there ? lanes->order[low] : TK_LANE_NONE;
}

static int take_items(struct tk_lanes *lanes, const struct tk_span_rows *trace, struct tk_err *err)
{
    const struct tk_span_batch *batch = trace->batch;
    lanes->count = (uint32_t)trace->n;
    for (uint32_t i = 0; i < lanes->count; i++) {
        uint32_t row = (uint32_t)tk_span_rows_at(trace, i);
        struct tk_lane_item *item = &lanes->items[i];
        *item = (struct tk_lane_item){.row = row,
                                      .start_ns = batch->start_ns[row],
                                      .end_ns = batch->start_ns[row] + batch->duration_ns[row],
                                      .id = batch->span_ids[row]};
        int rc = find_process(lanes, tk_span_service(batch, row), &item->process, err);
        if (rc < 0)
            return rc;
        lanes->order[i] = i;
    }
    qsort(lanes->items, lanes->count, sizeof(*lanes->items), by_start);
    qsort_r(lanes->order, lanes->count, sizeof(*lanes->order), by_id, lanes->items);
    for (uint32_t i = 0; i < lanes->count; i++) {
        uint64_t parent = batch->parent_ids[lanes->items[i].row];
        lanes->items[i].parent = parent != 0 ? find_id(lanes, parent) : TK_LANE_NONE;
    }
    return 0;
}

/* Colouring -------------------------------------------------------------------------------------
 *
 * The heap holds a lane of the trace per entry, by the end of its outermost span; an entry is the
 * place of that span among the items, in the upper half, and the lane, in the lower.
 */

static int64_t end_of(const struct tk_lanes *lanes, uint64_t entry)
{
    return lanes->items[entry >> 32].end_ns;
}

static void push(struct tk_lanes *lanes, size_t *n, uint64_t entry)
{
    size_t i = (*n)++;
    while (i > 0 && end_of(lanes, lanes->heap[(i - 1) / 2]) > end_of(lanes, entry)) {
        lanes->heap[i] = lanes->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    lanes->heap[i] = entry;
}

static uint32_t pop(struct tk_lanes *lanes, size_t *n)
{
    uint32_t lane = (uint32_t)lanes->heap[0];
    uint64_t last = lanes->heap[--*n];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= *n)
            break;
        if (child + 1 < *n &&
            end_of(lanes, lanes->heap[child + 1]) < end_of(lanes, lanes->heap[child]))
            child++;
        if (end_of(lanes, lanes->heap[child]) >= end_of(lanes, last))
            break;
        lanes->heap[i] = lanes->heap[child];
        i = child;
    }
    lanes->heap[i] = last;
    return lane;
}

/* Whether item `i` stands within its parent on the parent's line, when that is the innermost there
 * by now. */
static bool nests(struct tk_lanes *lanes, uint32_t first, uint32_t i)
{
    const struct tk_lane_item *item = &lanes->items[i];
    if (item->parent >= i || item->parent < first)
        return false;
    uint32_t *top = &lanes->tops[lanes->items[item->parent].lane];
    while (*top != TK_LANE_NONE && lanes->items[*top].end_ns <= item->start_ns)
        *top = lanes->below[*top];
    return *top == item->parent && item->end_ns <= lanes->items[item->parent].end_ns;
}

/* Give the items [first, end), which are of one process, lanes of this trace; returns how many. */
static uint32_t colour(struct tk_lanes *lanes, uint32_t first, uint32_t end)
{
    size_t waiting = 0;
    uint32_t used = 0;
    for (uint32_t i = first; i < end; i++) {
        struct tk_lane_item *item = &lanes->items[i];
        if (nests(lanes, first, i)) {
            item->lane = lanes->items[item->parent].lane;
            lanes->below[i] = item->parent;
            lanes->tops[item->lane] = i;
            continue;
        }
        bool is_free = waiting > 0 && end_of(lanes, lanes->heap[0]) <= item->start_ns;
        item->lane = is_free ? pop(lanes, &waiting) : used++;
        lanes->below[i] = TK_LANE_NONE;
        lanes->tops[item->lane] = i;
        push(lanes, &waiting, (uint64_t)i << 32 | item->lane);
    }
    return used;
}

/* A lane of the process that was not in use from first_ns to last_ns, beyond the lanes before
 * `from`; it is in use then. */
static int take_lane(struct tk_lanes_process *process, const struct extent *wanted, uint32_t from,
                     uint32_t *ret_lane)
{
    uint32_t i = from;
    while (i < process->count && process->lanes[i].first_ns < wanted->last_ns &&
           wanted->first_ns < process->lanes[i].last_ns)
        i++;
    *ret_lane = i;
    if (i < process->count) {
        struct extent *lane = &process->lanes[i];
        lane->first_ns = wanted->first_ns < lane->first_ns ? wanted->first_ns : lane->first_ns;
        lane->last_ns = wanted->last_ns > lane->last_ns ? wanted->last_ns : lane->last_ns;
        return 0;
    }
    if (process->count == process->max) {
        uint32_t max = process->max > 0 ? 2 * process->max : 16;
        struct extent *grown = realloc(process->lanes, max * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        process->lanes = grown;
        process->max = max;
    }
    process->lanes[process->count++] = *wanted;
    return 0;
}

/* From lanes of the trace to lanes of the process, which other traces use too. */
static int place(struct tk_lanes *lanes, uint32_t first, uint32_t end, uint32_t used)
{
    struct tk_lanes_process *process = &lanes->processes[lanes->items[first].process];
    struct extent *extents = calloc(used, sizeof(*extents));
    uint32_t next = 0;
    int rc = extents ? 0 : -ENOMEM;
    for (uint32_t i = first; i < end && rc == 0; i++) {
        const struct tk_lane_item *item = &lanes->items[i];
        struct extent *extent = &extents[item->lane];
        if (lanes->below[i] != TK_LANE_NONE)
            continue;
        if (extent->last_ns == 0)
            extent->first_ns = item->start_ns;
        extent->last_ns = item->end_ns > item->start_ns ? item->end_ns : item->start_ns + 1;
    }
    for (uint32_t lane = 0; lane < used && rc == 0; lane++) {
        rc = take_lane(process, &extents[lane], next, &lanes->order[lane]);
        next = lanes->order[lane] + 1;
    }
    for (uint32_t i = first; i < end && rc == 0; i++)
        lanes->items[i].lane = lanes->order[lanes->items[i].lane];
    free(extents);
    return rc;
}

int tk_lanes_add_trace(struct tk_lanes *lanes, const struct tk_span_rows *trace, struct tk_err *err)
{
    int rc = reserve(lanes, trace->n, err);
    rc = rc < 0 ? rc : take_items(lanes, trace, err);
    for (uint32_t first = 0, end; first < lanes->count && rc == 0; first = end) {
        end = first + 1;
        while (end < lanes->count && lanes->items[end].process == lanes->items[first].process)
            end++;
        rc = place(lanes, first, end, colour(lanes, first, end));
        if (rc < 0)
            return tk_fail(err, rc, "out of memory");
    }
    return rc;
}

uint32_t tk_lanes_count(const struct tk_lanes *lanes, uint32_t process)
{
    return lanes->processes[process].count;
}
