/* SPDX-License-Identifier: Apache-2.0 */
/* A block's layers into a forest, and its forest into rows: trace by trace, so that memory holds
 * the forest and one batch. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/attrs.h"
#include "codec/block.h"
#include "codec/draw.h"
#include "codec/exact.h"
#include "codec/forest.h"
#include "codec/keep.h"
#include "codec/timing.h"
#include "codec/topology.h"

#define CALL_SPANS ((uint32_t)1 << 12) /* handed on at once, when traces are no longer */
#define ROOM       2                   /* for a trace that begins before that */

/* Of sections (stream.h). */
#define ATTRS_LAYER  3
#define TIMING_LAYER 4
#define EXACT_LAYER  5

/* What is decoded of a block, node by node in the end. */
struct layers {
    struct tk_block block; /* sections that turn out bad are marked */
    uint64_t key;          /* of draws */
    struct tk_forest forest;
    uint32_t *parents; /* [node_count], index in the forest */
    uint32_t *names;   /* [symbol_count] texts of the batch at hand; 0 = not added yet */
    struct tk_attrs_decoder *attrs;
    struct tk_exact_decoder *exact;
};

/* A block on its way to rows. */
struct decoder {
    const struct tk_codec_decoding *options;
    const struct tk_block_sink *sink;
    struct tk_codec_losses *losses;
    struct layers all;
    struct layers kept; /* the exact tier: a block within the block */
    struct tk_kept *kept_traces;
    size_t kept_count, kept_next;
    struct tk_span_batch *batch;
    struct tk_span_batch *other; /* for the rows of a trace that did not fit; NULL until then */
    struct tk_span_mark mark;    /* where the trace at hand begins */
    bool has_turn;
};

/* Losses --------------------------------------------------------------------------------------- */

static void tell(struct decoder *decoder, const char *what)
{
    struct tk_codec_losses *losses = decoder->losses;
    if (losses->first[0] == '\0') {
        (void)snprintf(losses->first, sizeof(losses->first), "block %llu: %.160s",
                       (unsigned long long)decoder->all.block.head.number, what);
    }
}

/* A section that the block has, but which cannot be used. */
static void lose_section(struct decoder *decoder, uint32_t type, const char *why)
{
    char what[160];
    decoder->losses->damaged_sections[type]++;
    (void)snprintf(what, sizeof(what), "%s: %.120s", tk_section_name(type), why);
    tell(decoder, what);
}

static void lose_damaged(struct decoder *decoder, const struct tk_block *block)
{
    for (size_t i = 0; i < block->section_count; i++) {
        const struct tk_section *section = &block->sections[i];
        bool is_cut = section->bytes.n < section->size;
        if (section->damaged && section->type < TK_SECTION_COUNT)
            lose_section(decoder, section->type, is_cut ? "cut off" : "its checksum is wrong");
    }
}

/* A layer whose checksums are right, but which makes no sense: the block goes on without it. False
 * when it had nothing of that layer. */
static bool lose_layer(struct decoder *decoder, struct layers *layers, int layer, const char *why)
{
    bool any = false;
    for (size_t i = 0; i < layers->block.section_count; i++) {
        struct tk_section *section = &layers->block.sections[i];
        if (tk_section_layer(section->type) != layer || section->damaged)
            continue;
        section->damaged = true;
        any = true;
        decoder->losses->damaged_sections[section->type]++;
    }
    if (any)
        tell(decoder, why);
    return any;
}

/* Layers --------------------------------------------------------------------------------------- */

static int decode_times(struct decoder *decoder, struct layers *layers, struct tk_err *err)
{
    struct tk_timing_report report = {0};
    bool centre = decoder->options->centre;
    int rc = tk_timing_decode(&layers->block, layers->key, centre, &layers->forest, &report, err);
    if (rc == -EBADMSG && lose_layer(decoder, layers, TIMING_LAYER, err->msg))
        rc = tk_timing_decode(&layers->block, layers->key, centre, &layers->forest, &report, err);
    if (rc == 0 && layers == &decoder->all)
        decoder->losses->planes = report.planes;
    return rc;
}

static int open_attrs(struct decoder *decoder, struct layers *layers, struct tk_err *err)
{
    bool missing;
    tk_attrs_decoder_free(layers->attrs);
    layers->attrs = NULL;
    int rc = tk_attrs_decoder_new(&layers->block, &layers->forest, layers->key, &layers->attrs,
                                  &missing, err);
    if (rc == -EBADMSG && lose_layer(decoder, layers, ATTRS_LAYER, err->msg)) {
        rc = tk_attrs_decoder_new(&layers->block, &layers->forest, layers->key, &layers->attrs,
                                  &missing, err);
    }
    return rc;
}

static int open_exact(struct decoder *decoder, struct layers *layers, struct tk_err *err)
{
    int rc = tk_exact_decoder_new(&layers->block, &layers->forest, &layers->exact, err);
    if (rc == -EBADMSG && lose_layer(decoder, layers, EXACT_LAYER, err->msg))
        rc = tk_exact_decoder_new(&layers->block, &layers->forest, &layers->exact, err);
    return rc;
}

/* All layers up to where nodes become rows. -EBADMSG when there are no trees. */
static int open_layers(struct decoder *decoder, struct layers *layers, const struct tk_block *block,
                       struct tk_err *err)
{
    struct tk_forest *forest = &layers->forest;
    layers->block = *block;
    layers->key = tk_block_draw_key(&block->head, decoder->options->seed);
    int rc = tk_topology_decode(&layers->block, layers->key, forest, err);
    rc = rc < 0 ? rc : decode_times(decoder, layers, err);
    rc = rc < 0 ? rc : open_attrs(decoder, layers, err);
    rc = rc < 0 ? rc : open_exact(decoder, layers, err);
    if (rc < 0)
        return rc;
    layers->parents = calloc((size_t)forest->node_count + 1, sizeof(*layers->parents));
    layers->names = calloc((size_t)forest->symbol_count + 1, sizeof(*layers->names));
    if (!layers->parents || !layers->names)
        return tk_fail(err, -ENOMEM, "block of traces: out of memory");
    tk_forest_parents(forest, layers->parents);
    return 0;
}

static void close_layers(struct layers *layers)
{
    tk_attrs_decoder_free(layers->attrs);
    tk_exact_decoder_free(layers->exact);
    tk_forest_release(&layers->forest);
    free(layers->parents);
    free(layers->names);
    *layers = (struct layers){0};
}

/* The block of the kept traces; without it they come as the others do. */
static int read_kept(struct decoder *decoder, tk_str section, struct tk_err *err)
{
    struct tk_block_walk walk = {.is_kept = true};
    struct tk_block block;
    int rc = tk_keep_read(section, decoder->all.forest.trace_count, &decoder->kept_traces,
                          &decoder->kept_count, &walk.file, err);
    rc = rc < 0 ? rc : tk_block_walk_next(&walk, &block, err);
    if (rc == 1 || (rc == 0 && block.head.traces != decoder->kept_count))
        rc = tk_fail(err, -EBADMSG, "exact traces: hold no block of theirs");
    return rc < 0 ? rc : open_layers(decoder, &decoder->kept, &block, err);
}

static int open_kept(struct decoder *decoder, struct tk_err *err)
{
    const struct tk_section *section = tk_block_find(&decoder->all.block, TK_SECTION_EXACT);
    int rc = section ? read_kept(decoder, section->bytes, err) : 0;
    if (rc == 0 && decoder->kept.forest.trace_count == decoder->kept_count)
        return 0;
    if (rc == -ENOMEM)
        return rc;
    lose_section(decoder, TK_SECTION_EXACT, err->msg);
    close_layers(&decoder->kept);
    decoder->kept_count = 0;
    return 0;
}

static uint32_t largest_trace(const struct tk_forest *forest)
{
    uint32_t largest = 1;
    for (uint32_t trace = 0; forest->trace_ends && trace < forest->trace_count; trace++) {
        uint32_t n = forest->trace_ends[trace] - tk_forest_begin(forest, trace);
        largest = n > largest ? n : largest;
    }
    return largest;
}

static void begin_layers(struct layers *layers, struct tk_span_batch *batch)
{
    if (!layers->attrs)
        return;
    memset(layers->names, 0, layers->forest.symbol_count * sizeof(*layers->names));
    tk_attrs_decoder_begin(layers->attrs, batch);
}

/* Go on with this batch. */
static void begin_batch(struct decoder *decoder, struct tk_span_batch *batch)
{
    decoder->batch = batch;
    begin_layers(&decoder->all, batch);
    begin_layers(&decoder->kept, batch);
}

static int open_batch(struct decoder *decoder, struct tk_err *err)
{
    struct tk_span_batch *batch = NULL;
    size_t room = largest_trace(&decoder->all.forest);
    size_t of_kept = largest_trace(&decoder->kept.forest);
    room = room > of_kept ? room : of_kept;
    room = (room > CALL_SPANS ? room : CALL_SPANS) * ROOM;
    int rc =
        tk_span_batch_new(room < TK_FOREST_MAX_NODES ? room : TK_FOREST_MAX_NODES, &batch, err);
    if (rc == 0)
        begin_batch(decoder, batch);
    return rc;
}

/* Rows ----------------------------------------------------------------------------------------- */

/* Hand the first rows on. */
static int hand_on(struct decoder *decoder, size_t rows, struct tk_err *err)
{
    const struct tk_span_sink *sink = decoder->sink->sink;
    if (rows == 0)
        return 0;
    if (!decoder->has_turn && decoder->sink->wait) {
        int rc = decoder->sink->wait(decoder->sink->user);
        if (rc < 0)
            return rc;
    }
    decoder->has_turn = true;
    return sink->write(sink->context, &(struct tk_span_rows){decoder->batch, NULL, rows}, err);
}

/* The batch is full inside a trace: hand the traces before it on, and take its rows along. */
static int make_room(struct decoder *decoder, struct tk_err *err)
{
    struct tk_span_copy *copy = NULL;
    struct tk_span_batch *full = decoder->batch;
    size_t first = decoder->mark.rows;
    int rc = 0;
    if (first == 0) {
        return tk_fail(err, -EMSGSIZE, "a trace of more than %zu spans does not fit into memory",
                       full->rows);
    }
    if (!decoder->other)
        rc = tk_span_batch_new(full->max_rows, &decoder->other, err);
    rc = rc < 0 ? rc : hand_on(decoder, first, err);
    rc = rc < 0 ? rc : tk_span_copy_new(decoder->other, full, &copy, err);
    for (size_t row = first; row < full->rows && rc == 0; row++) {
        rc = tk_span_copy_row(copy, row);
        if (rc == -ENOBUFS)
            rc = tk_fail(err, -EMSGSIZE, "a trace does not fit into memory");
    }
    tk_span_copy_free(copy);
    if (rc < 0)
        return rc;
    begin_batch(decoder, decoder->other);
    decoder->other = full;
    tk_span_batch_reset(full);
    decoder->mark = (struct tk_span_mark){0};
    return 0;
}

/* Ids that are made up: of a span by its place in its trace. */
#define ABSENT ((uint32_t)1 << 31) /* + place: the parent that an orphan names */

static uint64_t draw_id(const struct layers *layers, uint32_t trace, uint32_t place)
{
    uint64_t id = tk_draw(layers->key, trace, place, TK_DRAW_SPAN_ID);
    return id > 0 ? id : 1;
}

static void set_ids(const struct layers *layers, struct tk_span_batch *batch, uint32_t trace,
                    uint32_t node)
{
    const struct tk_forest *forest = &layers->forest;
    size_t row = batch->rows - 1;
    uint32_t first = tk_forest_begin(forest, trace);
    uint32_t parent = layers->parents[node];
    tk_draw_trace_id(layers->key, trace, batch->trace_ids[row]);
    batch->span_ids[row] = draw_id(layers, trace, node - first);
    if (parent != TK_FOREST_TOP) {
        batch->parent_ids[row] = draw_id(layers, trace, parent - first);
    } else if (forest->symbols[forest->node_symbols[node]].orphan) {
        batch->parent_ids[row] = draw_id(layers, trace, ABSENT + node - first);
    }
}

/* Times that are beyond 2262 are of a damaged block: they end there. */
static void set_times(const struct layers *layers, struct tk_span_batch *batch, uint32_t trace,
                      uint32_t node)
{
    const struct tk_forest *forest = &layers->forest;
    int64_t *start = &batch->start_ns[batch->rows - 1];
    int64_t *duration = &batch->duration_ns[batch->rows - 1];
    int64_t ticks;
    int64_t since;
    int64_t end;
    if (__builtin_add_overflow(forest->trace_starts[trace], forest->starts[node], &ticks) ||
        __builtin_mul_overflow(ticks, forest->tick_ns, &since) ||
        __builtin_add_overflow(since, forest->origin_ns, start))
        *start = INT64_MAX;
    if (__builtin_mul_overflow(forest->durations[node], forest->tick_ns, duration) ||
        *duration < 0 || __builtin_add_overflow(*start, *duration, &end))
        *duration = 0;
}

/* What the attributes say of a node; where they are bad, this block has none from here on. */
static int add_attrs(struct decoder *decoder, struct layers *layers, uint32_t trace, uint32_t node,
                     struct tk_err *err)
{
    int rc = tk_attrs_decode_node(layers->attrs, trace, node, err);
    if (rc != -EBADMSG || !lose_layer(decoder, layers, ATTRS_LAYER, err->msg))
        return rc;
    rc = open_attrs(decoder, layers, err);
    if (rc < 0)
        return rc;
    tk_attrs_decoder_begin(layers->attrs, decoder->batch);
    return tk_attrs_decode_node(layers->attrs, trace, node, err);
}

static int add_exact(struct decoder *decoder, struct layers *layers, uint32_t trace, uint32_t node,
                     struct tk_err *err)
{
    int rc = tk_exact_decode_node(layers->exact, trace, node, decoder->batch, err);
    if (rc == -EBADMSG && lose_layer(decoder, layers, EXACT_LAYER, err->msg))
        rc = tk_exact_decode_node(layers->exact, trace, node, decoder->batch, err);
    return rc;
}

/* The row of a node. -ENOBUFS: it is not there then. */
static int add_row(struct decoder *decoder, struct layers *layers, uint32_t trace, uint32_t node,
                   struct tk_err *err)
{
    struct tk_span_batch *batch = decoder->batch;
    uint32_t number = layers->forest.node_symbols[node];
    const struct tk_symbol *symbol = &layers->forest.symbols[number];
    int rc = tk_span_batch_begin(batch);
    if (rc < 0)
        return rc;
    size_t row = batch->rows - 1;
    if (layers->names[number] == 0) {
        tk_str name = tk_texts_get(&layers->forest.dictionary, symbol->operation);
        layers->names[number] = tk_texts_add(&batch->texts, name);
    }
    batch->names[row] = layers->names[number];
    batch->kinds[row] = symbol->kind;
    batch->statuses[row] = symbol->status;
    set_ids(layers, batch, trace, node);
    set_times(layers, batch, trace, node);
    rc = add_attrs(decoder, layers, trace, node, err);
    rc = rc < 0 ? rc : add_exact(decoder, layers, trace, node, err);
    if (rc == 0)
        return tk_span_batch_end(batch);
    tk_span_batch_remove(batch);
    return rc;
}

/* The rows of a trace, behind those that stand in the batch. */
static int add_trace(struct decoder *decoder, struct layers *layers, uint32_t trace,
                     struct tk_err *err)
{
    const struct tk_forest *forest = &layers->forest;
    uint32_t node = tk_forest_begin(forest, trace);
    int rc = 0;
    decoder->mark = tk_span_batch_mark(decoder->batch);
    while (node < forest->trace_ends[trace] && rc == 0) {
        rc = add_row(decoder, layers, trace, node, err);
        node += rc == 0;
        if (rc == -ENOBUFS)
            rc = make_room(decoder, err);
    }
    return rc;
}

/* A trace; where its exact record was kept, that instead: the layers of all are read past it. */
static int add_either(struct decoder *decoder, uint32_t trace, struct tk_err *err)
{
    int rc = add_trace(decoder, &decoder->all, trace, err);
    if (rc < 0 || !decoder->kept.forest.trace_ends || decoder->kept_next == decoder->kept_count ||
        decoder->kept_traces[decoder->kept_next].trace != trace)
        return rc;
    tk_span_batch_rewind(decoder->batch, &decoder->mark);
    return add_trace(decoder, &decoder->kept, (uint32_t)decoder->kept_next++, err);
}

static int decode_rows(struct decoder *decoder, struct tk_err *err)
{
    const struct tk_forest *forest = &decoder->all.forest;
    int rc = 0;
    for (uint32_t trace = 0; trace < forest->trace_count && rc == 0; trace++) {
        rc = add_either(decoder, trace, err);
        if (rc == 0 && decoder->batch->rows >= CALL_SPANS) {
            rc = hand_on(decoder, decoder->batch->rows, err);
            tk_span_batch_reset(decoder->batch);
            begin_batch(decoder, decoder->batch);
        }
    }
    return rc < 0 ? rc : hand_on(decoder, decoder->batch->rows, err);
}

int tk_block_decode(const struct tk_block *block, const struct tk_codec_decoding *options,
                    const struct tk_block_sink *sink, struct tk_codec_losses *losses,
                    struct tk_err *err)
{
    struct decoder *decoder = calloc(1, sizeof(*decoder));
    if (!decoder)
        return tk_fail(err, -ENOMEM, "block of traces: out of memory");
    *decoder = (struct decoder){.options = options, .sink = sink, .losses = losses};
    decoder->all.block.head.number = block->head.number;
    lose_damaged(decoder, block);
    int rc = open_layers(decoder, &decoder->all, block, err);
    if (rc == -EBADMSG) {
        losses->lost_blocks++;
        losses->lost_traces += block->head.traces;
        tell(decoder, err->msg);
    }
    rc = rc < 0 ? rc : open_kept(decoder, err);
    rc = rc < 0 ? rc : open_batch(decoder, err);
    if (rc == 0 && decoder->batch)
        rc = decode_rows(decoder, err);
    close_layers(&decoder->all);
    close_layers(&decoder->kept);
    tk_span_batch_free(decoder->batch);
    tk_span_batch_free(decoder->other);
    free(decoder->kept_traces);
    free(decoder);
    return rc;
}
