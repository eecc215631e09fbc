/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/assemble.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "codec/codec.h"
#include "span/trace_id.h"

#define MAX_SPANS   ((size_t)1 << 20)
#define BLOCK_SPANS ((uint32_t)1 << 19)
#define MAX_KNOWN   ((size_t)1 << 22) /* traces that are known to be gone */
#define WINDOWS     2                 /* of p99.9 of the durations */

struct trace {
    int64_t start_ns, end_ns;
    uint32_t first;    /* row */
    uint32_t n, place; /* rows, and where they stand in `order` */
    bool late;
};

struct block {
    uint32_t begin, n; /* in `order` */
    uint32_t traces;
    uint64_t late;
};

struct tk_assembly {
    struct tk_assembly_options options;
    struct tk_span_batch *batch; /* being filled */
    bool at_end;                 /* of the source */

    /* Of the round at hand. */
    struct tk_map traces_by_id; /* hash to trace; the first of those that share it */
    struct trace *traces;       /* [trace_count] */
    uint32_t trace_count, trace_room;
    uint32_t *trace_of;   /* [batch->rows]; these three until rows are in order */
    uint32_t *order;      /* rows of blocks, then those that stay */
    uint32_t order_count; /* rows in blocks */
    struct block *blocks;
    size_t block_count, block_room;
    struct tk_map gone; /* hashes of traces that were in blocks */
};

int tk_assembly_new(const struct tk_assembly_options *options, struct tk_assembly **ret_assembly,
                    struct tk_err *err)
{
    struct tk_assembly *assembly = calloc(1, sizeof(*assembly));
    if (!assembly)
        return tk_fail(err, -ENOMEM, "spans into traces: out of memory");
    struct tk_assembly_options *own = &assembly->options;
    *own = *options;
    if (own->max_spans == 0)
        own->max_spans = TK_CODEC_WINDOW_SPANS;
    if (own->max_spans > MAX_SPANS)
        own->max_spans = MAX_SPANS;
    if (own->block_traces == 0)
        own->block_traces = TK_CODEC_BLOCK_TRACES;
    if (own->block_spans == 0)
        own->block_spans = BLOCK_SPANS;
    int rc = tk_span_batch_new(own->max_spans, &assembly->batch, err);
    if (rc < 0) {
        tk_assembly_free(assembly);
        return rc;
    }
    *ret_assembly = assembly;
    return 0;
}

/* What tells which trace a row is of: not needed once rows are in order, when blocks take memory.
 */
static void release_traces(struct tk_assembly *assembly)
{
    tk_map_release(&assembly->traces_by_id);
    free(assembly->traces);
    free(assembly->trace_of);
    assembly->traces = NULL;
    assembly->trace_of = NULL;
    assembly->trace_room = 0;
    assembly->trace_count = 0;
}

/* What is of one round. */
static void release_round(struct tk_assembly *assembly)
{
    release_traces(assembly);
    free(assembly->order);
    assembly->order = NULL;
    assembly->block_count = 0;
}

void tk_assembly_free(struct tk_assembly *assembly)
{
    if (!assembly)
        return;
    release_round(assembly);
    free(assembly->blocks);
    tk_map_release(&assembly->gone);
    tk_span_batch_free(assembly->batch);
    free(assembly);
}

void tk_assembly_freep(struct tk_assembly **assembly)
{
    tk_assembly_free(*assembly);
}

/* Reading -------------------------------------------------------------------------------------- */

/* Fill the batch: until the source ends or adds nothing more. */
static int read_spans(struct tk_assembly *assembly, const struct tk_span_source *source,
                      struct tk_err *err)
{
    struct tk_span_batch *batch = assembly->batch;
    while (!assembly->at_end && batch->rows < batch->max_rows) {
        size_t before = batch->rows;
        int rc = source->read(source->context, batch, err);
        if (rc < 0)
            return rc;
        assembly->at_end = rc == 1;
        if (batch->rows > before || assembly->at_end)
            continue;
        if (before == 0)
            return tk_fail(err, -EMSGSIZE, "a record of spans does not fit into memory");
        break;
    }
    return 0;
}

/* Traces --------------------------------------------------------------------------------------- */

static int add_trace(struct tk_assembly *assembly, const struct trace *trace)
{
    if (assembly->trace_count == assembly->trace_room) {
        uint32_t room = assembly->trace_room * 2 + 1024;
        struct trace *grown = realloc(assembly->traces, room * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        assembly->traces = grown;
        assembly->trace_room = room;
    }
    assembly->traces[assembly->trace_count++] = *trace;
    return 0;
}

/* The trace of a row, new when it is the first one. -ENOMEM. */
static int find_trace(struct tk_assembly *assembly, uint32_t row, uint32_t *ret_trace)
{
    const struct tk_span_batch *batch = assembly->batch;
    uint64_t hash = tk_trace_id_hash(batch->trace_ids[row]);
    uint32_t trace;
    /* Two ids of one hash: the second one takes the next number that is free. */
    while (tk_map_find(&assembly->traces_by_id, hash, &trace)) {
        assert(assembly->traces);
        const struct trace *known = &assembly->traces[trace];
        if (memcmp(batch->trace_ids[known->first], batch->trace_ids[row], 16) == 0) {
            *ret_trace = trace;
            return 0;
        }
        hash++;
    }
    uint32_t gone;
    const struct trace found = {.start_ns = INT64_MAX,
                                .end_ns = INT64_MIN,
                                .first = row,
                                .late = tk_map_find(&assembly->gone, hash, &gone)};
    *ret_trace = assembly->trace_count;
    if (add_trace(assembly, &found) < 0)
        return -ENOMEM;
    return tk_map_add(&assembly->traces_by_id, hash, *ret_trace);
}

static int64_t end_of(const struct tk_span_batch *batch, size_t row)
{
    int64_t end;
    bool over = __builtin_add_overflow(batch->start_ns[row], batch->duration_ns[row], &end);
    return over ? INT64_MAX : end;
}

static int group_rows(struct tk_assembly *assembly, struct tk_err *err)
{
    const struct tk_span_batch *batch = assembly->batch;
    assembly->trace_of = calloc(batch->rows, sizeof(*assembly->trace_of));
    assembly->order = calloc(batch->rows, sizeof(*assembly->order));
    if (!assembly->trace_of || !assembly->order)
        return tk_fail(err, -ENOMEM, "spans into traces: out of memory");
    for (uint32_t row = 0; row < batch->rows; row++) {
        uint32_t *at = &assembly->trace_of[row];
        if (row > 0 && memcmp(batch->trace_ids[row - 1], batch->trace_ids[row], 16) == 0) {
            *at = assembly->trace_of[row - 1];
        } else if (find_trace(assembly, row, at) < 0) {
            return tk_fail(err, -ENOMEM, "spans into traces: out of memory");
        }
        struct trace *trace = &assembly->traces[*at];
        int64_t end = end_of(batch, row);
        trace->n++;
        trace->end_ns = end > trace->end_ns ? end : trace->end_ns;
        if (batch->start_ns[row] < trace->start_ns)
            trace->start_ns = batch->start_ns[row];
    }
    return 0;
}

static int by_start(const void *a, const void *b, void *user)
{
    const struct tk_assembly *assembly = user;
    const struct trace *x = &assembly->traces[*(const uint32_t *)a];
    const struct trace *y = &assembly->traces[*(const uint32_t *)b];
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    return memcmp(assembly->batch->trace_ids[x->first], assembly->batch->trace_ids[y->first], 16);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Traces that end before this time are complete. */
static int find_horizon(const struct tk_assembly *assembly, int64_t *ret_ns, struct tk_err *err)
{
    int64_t last = INT64_MIN;
    size_t n = assembly->trace_count;
    *ret_ns = INT64_MAX;
    if (assembly->at_end || n == 0)
        return 0;
    int64_t *durations = calloc(n, sizeof(*durations));
    if (!durations)
        return tk_fail(err, -ENOMEM, "spans into traces: out of memory");
    for (size_t i = 0; i < n; i++) {
        const struct trace *trace = &assembly->traces[i];
        if (__builtin_sub_overflow(trace->end_ns, trace->start_ns, &durations[i]))
            durations[i] = INT64_MAX;
        last = trace->start_ns > last ? trace->start_ns : last;
    }
    qsort(durations, n, sizeof(*durations), by_size);
    int64_t window;
    if (__builtin_mul_overflow(durations[(n - 1) * 999 / 1000], WINDOWS, &window) ||
        __builtin_sub_overflow(last, window, ret_ns))
        *ret_ns = INT64_MIN;
    free(durations);
    return 0;
}

/* Blocks --------------------------------------------------------------------------------------- */

static int add_block(struct tk_assembly *assembly, const struct block *block, struct tk_err *err)
{
    if (assembly->block_count == assembly->block_room) {
        size_t room = assembly->block_room * 2 + 16;
        struct block *grown = realloc(assembly->blocks, room * sizeof(*grown));
        if (!grown)
            return tk_fail(err, -ENOMEM, "spans into traces: out of memory");
        assembly->blocks = grown;
        assembly->block_room = room;
    }
    assembly->blocks[assembly->block_count++] = *block;
    assembly->order_count = block->begin + block->n;
    return 0;
}

/* Whether the block is closed before this trace. */
static bool is_full(const struct tk_assembly *assembly, const struct block *block, int64_t start_ns,
                    const struct trace *trace)
{
    const struct tk_assembly_options *options = &assembly->options;
    int64_t since;
    if (block->traces == 0)
        return false;
    if (options->block_ns > 0 &&
        (__builtin_sub_overflow(trace->start_ns, start_ns, &since) || since >= options->block_ns))
        return true;
    return block->traces >= options->block_traces || trace->n > options->block_spans - block->n ||
           block->n >= options->block_spans;
}

/* Cut blocks of the traces in `sorted` that end before the horizon. The last one, which more may
 * come to, is kept back, unless the source has ended or there is no other one. */
static int cut(struct tk_assembly *assembly, const uint32_t *sorted, int64_t horizon_ns,
               struct tk_err *err)
{
    struct block block = {0};
    int64_t start_ns = 0;
    uint32_t place = 0;
    int rc = 0;
    assembly->order_count = 0;
    for (size_t i = 0; i < assembly->trace_count && rc == 0; i++) {
        struct trace *trace = &assembly->traces[sorted[i]];
        trace->place = UINT32_MAX;
        if (trace->end_ns > horizon_ns)
            continue;
        if (is_full(assembly, &block, start_ns, trace)) {
            rc = add_block(assembly, &block, err);
            block = (struct block){.begin = place};
        }
        if (block.traces++ == 0)
            start_ns = trace->start_ns;
        trace->place = place;
        place += trace->n;
        block.n += trace->n;
        block.late += trace->late ? trace->n : 0;
    }
    bool keep = !assembly->at_end && assembly->block_count > 0;
    if (rc == 0 && block.traces > 0 && !keep)
        rc = add_block(assembly, &block, err);
    return rc;
}

/* Put the rows of the blocks into their order, those of a trace as they came; the others behind
 * them. */
static void order_rows(struct tk_assembly *assembly)
{
    uint32_t rest = assembly->order_count;
    for (uint32_t row = 0; row < assembly->batch->rows; row++) {
        struct trace *trace = &assembly->traces[assembly->trace_of[row]];
        if (trace->place < assembly->order_count) {
            assembly->order[trace->place++] = row;
        } else {
            assembly->order[rest++] = row;
        }
    }
}

static int cut_blocks(struct tk_assembly *assembly, struct tk_err *err)
{
    int64_t horizon_ns;
    uint32_t *sorted = calloc(assembly->trace_count + 1, sizeof(*sorted));
    if (!sorted)
        return tk_fail(err, -ENOMEM, "spans into traces: out of memory");
    for (uint32_t i = 0; i < assembly->trace_count; i++)
        sorted[i] = i;
    qsort_r(sorted, assembly->trace_count, sizeof(*sorted), by_start, assembly);
    int rc = find_horizon(assembly, &horizon_ns, err);
    rc = rc < 0 ? rc : cut(assembly, sorted, horizon_ns, err);
    if (rc == 0 && assembly->block_count == 0) /* all are open: room is needed all the same */
        rc = cut(assembly, sorted, INT64_MAX, err);
    free(sorted);
    if (rc < 0)
        return rc;
    order_rows(assembly);
    release_traces(assembly);
    return 0;
}

int tk_assembly_fill(struct tk_assembly *assembly, const struct tk_span_source *source,
                     struct tk_err *err)
{
    int rc = read_spans(assembly, source, err);
    if (rc < 0)
        return rc;
    if (assembly->batch->rows == 0)
        return 1;
    release_round(assembly);
    rc = group_rows(assembly, err);
    return rc < 0 ? rc : cut_blocks(assembly, err);
}

size_t tk_assembly_count(const struct tk_assembly *assembly)
{
    return assembly->block_count;
}

void tk_assembly_block(const struct tk_assembly *assembly, size_t index,
                       struct tk_assembly_block *ret_block)
{
    const struct block *block = &assembly->blocks[index];
    *ret_block = (struct tk_assembly_block){
        .rows = {assembly->batch, assembly->order + block->begin, block->n},
        .traces = block->traces,
        .late = block->late};
}

/* What stays ----------------------------------------------------------------------------------- */

/* Remember the traces of the blocks: one that comes again is late. */
static int remember_traces(struct tk_assembly *assembly)
{
    int rc = 0;
    if (assembly->gone.count > MAX_KNOWN)
        tk_map_reset(&assembly->gone);
    for (uint32_t i = 0; i < assembly->order_count && rc == 0; i++) {
        const uint8_t *id = assembly->batch->trace_ids[assembly->order[i]];
        bool is_same =
            i > 0 && memcmp(id, assembly->batch->trace_ids[assembly->order[i - 1]], 16) == 0;
        if (!is_same)
            rc = tk_map_add(&assembly->gone, tk_trace_id_hash(id), 0);
    }
    return rc;
}

/* Put the rows that are in no block into a batch of their own: the full one goes, for its memory is
 * more than theirs. */
static int keep_rest(struct tk_assembly *assembly, struct tk_err *err)
{
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *rest = NULL;
    struct tk_span_copy *copy = NULL;
    int rc = tk_span_batch_new(assembly->options.max_spans, &rest, err);
    if (rc == 0)
        rc = tk_span_copy_new(rest, assembly->batch, &copy, err);
    for (size_t i = assembly->order_count; i < assembly->batch->rows && rc == 0; i++) {
        if (tk_span_copy_row(copy, assembly->order[i]) < 0)
            rc = tk_fail(err, -ENOMEM, "spans into traces: out of memory");
    }
    tk_span_copy_free(copy);
    if (rc < 0)
        return rc;
    struct tk_span_batch *full = assembly->batch;
    assembly->batch = rest;
    rest = full;
    return 0;
}

int tk_assembly_drop(struct tk_assembly *assembly, struct tk_err *err)
{
    int rc = 0;
    if (!assembly->at_end && remember_traces(assembly) < 0)
        rc = tk_fail(err, -ENOMEM, "spans into traces: out of memory");
    if (rc == 0 && assembly->order_count < assembly->batch->rows) {
        rc = keep_rest(assembly, err);
    } else {
        tk_span_batch_reset(assembly->batch);
    }
    release_round(assembly);
    return rc;
}
