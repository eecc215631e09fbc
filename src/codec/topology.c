/* SPDX-License-Identifier: Apache-2.0 */
/* Events: of each trace its entry, which is the symbol of its first span, and which of the shapes
 * of that entry it has, or the next new one. Contexts are what the traces just before were, all of
 * them and those of the same entry. */
#include "codec/topology.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/arrivals.h"
#include "codec/grammar.h"
#include "codec/mixed.h"
#include "codec/symbols.h"

#define LEAST_BITS 8 /* of contexts, by traces */
#define MOST_BITS  14
#define INPUTS     5

enum kind { KIND_ENTRY = 0, KIND_VARIANT, KINDS };

/* Shapes by their entries. */
struct entry {
    uint32_t count;   /* shapes of it in the grammar */
    uint32_t seen;    /* of those in traces so far */
    uint32_t last[2]; /* numbers of the last two of its traces; 0 = none */
};

struct events {
    struct tk_coder coder;
    struct tk_mixed mixed;
    struct entry *entries;
    uint32_t entry_count;
    uint32_t *of_shapes; /* [shape] its entry */
    uint32_t *numbers;   /* [shape] among those of its entry, from 1 */
    uint32_t *shapes;    /* by entry and number: those of entry e from begins[e] on */
    uint32_t *begins;
    uint32_t past_entries[2];
    uint32_t past_shapes[2];
};

static unsigned bits_of(uint32_t value)
{
    return value > 0 ? 32 - (unsigned)__builtin_clz(value) : 0;
}

static uint32_t entry_symbol(const struct tk_grammar *grammar, uint32_t shape)
{
    const struct tk_subtree *top = &grammar->subtrees[grammar->shapes[shape]];
    return grammar->subtrees[grammar->runs[top->run_begin].subtree].symbol;
}

static void events_release(struct events *events)
{
    tk_mixed_release(&events->mixed);
    free(events->entries);
    free(events->of_shapes);
    free(events->numbers);
    free(events->shapes);
    free(events->begins);
}

/* Number the entries and their shapes as they come. */
static void number_shapes(struct events *events, const struct tk_grammar *grammar,
                          uint32_t *of_symbols)
{
    for (uint32_t shape = 0; shape < grammar->shape_count; shape++) {
        uint32_t *entry = &of_symbols[entry_symbol(grammar, shape)];
        if (*entry == 0)
            *entry = ++events->entry_count;
        events->of_shapes[shape] = *entry - 1;
        events->numbers[shape] = ++events->entries[*entry - 1].count;
    }
    for (uint32_t i = 0; i < events->entry_count; i++)
        events->begins[i + 1] = events->begins[i] + events->entries[i].count;
    for (uint32_t shape = 0; shape < grammar->shape_count; shape++) {
        uint32_t begin = events->begins[events->of_shapes[shape]];
        events->shapes[begin + events->numbers[shape] - 1] = shape;
    }
}

static int events_init(struct events *events, const struct tk_grammar *grammar,
                       uint32_t symbol_count, uint32_t traces, struct tk_err *err)
{
    size_t shapes = (size_t)grammar->shape_count + 1;
    *events = (struct events){0};
    events->entries = calloc(shapes, sizeof(*events->entries));
    events->of_shapes = calloc(shapes, sizeof(uint32_t));
    events->numbers = calloc(shapes, sizeof(uint32_t));
    events->shapes = calloc(shapes, sizeof(uint32_t));
    events->begins = calloc(shapes, sizeof(uint32_t));
    uint32_t *of_symbols = calloc((size_t)symbol_count + 1, sizeof(uint32_t));
    bool is_full = events->entries && events->of_shapes && events->numbers && events->shapes &&
                   events->begins && of_symbols;
    if (is_full)
        number_shapes(events, grammar, of_symbols);
    free(of_symbols);
    if (!is_full)
        return tk_fail(err, -ENOMEM, "events: out of memory");
    unsigned bits = tk_mixed_bits(traces, LEAST_BITS, MOST_BITS);
    return tk_mixed_init(&events->mixed, bits, KINDS, INPUTS, err);
}

static uint32_t code_entry(struct events *events, uint32_t entry)
{
    const uint32_t *entries = events->past_entries;
    const uint32_t *shapes = events->past_shapes;
    const struct tk_mixed_context context = {
        .kind = KIND_ENTRY,
        .count = INPUTS,
        .hashes = {
            tk_mixed_hash(0, 0),
            tk_mixed_hash(1, entries[0]),
            tk_mixed_hash(tk_mixed_hash(2, entries[0]), entries[1]),
            tk_mixed_hash(3, shapes[0]),
            tk_mixed_hash(tk_mixed_hash(4, shapes[0]), shapes[1]),
        }};
    return tk_code_mixed_value(&events->coder, &events->mixed, &context,
                               bits_of(events->entry_count - 1), entry);
}

/* The number of the shape among those of its entry; 0 = the next new one. */
static uint32_t code_number(struct events *events, uint32_t i, uint32_t number)
{
    const struct entry *entry = &events->entries[i];
    uint64_t own = tk_mixed_hash(8, i);
    uint64_t last = tk_mixed_hash(own, events->past_shapes[0]);
    uint64_t last_own = tk_mixed_hash(tk_mixed_hash(9, own), entry->last[0]);
    const struct tk_mixed_context context = {
        .kind = KIND_VARIANT,
        .count = INPUTS,
        .hashes = {
            own,
            last_own,
            tk_mixed_hash(last_own, entry->last[1]),
            last,
            tk_mixed_hash(tk_mixed_hash(11, last), events->past_shapes[1]),
        }};
    return tk_code_mixed_value(&events->coder, &events->mixed, &context, bits_of(entry->count),
                               number);
}

/* The shape of a trace; UINT32_MAX = damaged. */
static uint32_t code_shape(struct events *events, uint32_t shape)
{
    uint32_t i = events->of_shapes[shape];
    i = code_entry(events, i);
    if (i >= events->entry_count)
        return UINT32_MAX;
    struct entry *entry = &events->entries[i];
    uint32_t number = events->numbers[shape] <= entry->seen ? events->numbers[shape] : 0;
    number = code_number(events, i, number);
    if (number == 0)
        number = ++entry->seen;
    if (number > entry->count || number > entry->seen)
        return UINT32_MAX;
    entry->last[1] = entry->last[0];
    entry->last[0] = number;
    events->past_entries[1] = events->past_entries[0];
    events->past_entries[0] = i + 1;
    events->past_shapes[1] = events->past_shapes[0];
    shape = events->shapes[events->begins[i] + number - 1];
    events->past_shapes[0] = shape + 1;
    return shape;
}

static int encode_events(const struct tk_grammar *grammar, const struct tk_forest *forest,
                         const uint32_t *shapes, struct tk_buf *out, struct tk_err *err)
{
    struct events events;
    int rc = events_init(&events, grammar, forest->symbol_count, forest->trace_count, err);
    tk_buf_putc(out, 0); /* layout */
    tk_coder_begin_encode(&events.coder, out);
    for (uint32_t trace = 0; rc == 0 && trace < forest->trace_count; trace++)
        (void)code_shape(&events, shapes[trace]);
    tk_coder_end(&events.coder);
    events_release(&events);
    return rc < 0 ? rc : tk_buf_check(out, "events", err);
}

int tk_topology_encode(const struct tk_forest *forest, const struct tk_codec_options *options,
                       struct tk_section_set *set, struct tk_err *err)
{
    struct tk_grammar grammar = {0};
    uint32_t *shapes = calloc((size_t)forest->trace_count + 1, sizeof(*shapes));
    if (!shapes)
        return tk_fail(err, -ENOMEM, "topology: out of memory");
    int rc = tk_block_symbols_encode(forest, set, err);
    rc = rc < 0 ? rc : tk_grammar_init(&grammar, forest->trace_count, forest->node_count, err);
    rc = rc < 0 ? rc : tk_grammar_build(&grammar, forest, shapes, err);
    rc = rc < 0 ? rc : tk_grammar_encode(&grammar, forest, set, err);
    rc = rc < 0 ? rc : encode_events(&grammar, forest, shapes, &set->bytes[TK_SECTION_EVENTS], err);
    rc = rc < 0 ? rc : tk_arrivals_encode(forest, shapes, options, set, err);
    tk_grammar_release(&grammar);
    free(shapes);
    return rc;
}

/* Decoding ------------------------------------------------------------------------------------- */

/* The shape of every trace. */
static int decode_events(const struct tk_block *block, const struct tk_grammar *grammar,
                         const struct tk_forest *forest, uint32_t *ret_shapes, struct tk_err *err)
{
    const struct tk_section *section = tk_block_find(block, TK_SECTION_EVENTS);
    struct events events;
    if (!section || section->bytes.n == 0 || *section->bytes.p != 0)
        return tk_fail(err, -EBADMSG, "events: missing or damaged");
    int rc = events_init(&events, grammar, forest->symbol_count, block->head.traces, err);
    tk_coder_begin_decode(&events.coder, (tk_str){section->bytes.p + 1, section->bytes.n - 1});
    for (uint32_t trace = 0; rc == 0 && trace < block->head.traces; trace++) {
        ret_shapes[trace] = code_shape(&events, 0);
        if (ret_shapes[trace] == UINT32_MAX || tk_coder_is_over(&events.coder))
            rc = tk_fail(err, -EBADMSG, "events: bytes do not decode");
    }
    events_release(&events);
    return rc;
}

/* Write the nodes of a trace: those of the first trace of its shape, which begin before `*first`, 0
 * = there is none, or from the grammar. */
static int put_trace(struct tk_forest *forest, const struct tk_grammar *grammar, uint32_t shape,
                     uint32_t *first, struct tk_err *err)
{
    uint32_t n = grammar->subtrees[grammar->shapes[shape]].size;
    uint32_t to = forest->node_count;
    forest->node_count += n;
    forest->trace_ends[forest->trace_count++] = forest->node_count;
    if (*first == 0) {
        *first = to + 1;
        return tk_grammar_expand(grammar, shape, forest->node_symbols + to, forest->sizes + to,
                                 err);
    }
    uint32_t from = *first - 1;
    memcpy(forest->node_symbols + to, forest->node_symbols + from, n * sizeof(uint32_t));
    memcpy(forest->sizes + to, forest->sizes + from, n * sizeof(uint32_t));
    return 0;
}

static int put_traces(const struct tk_block_head *head, const struct tk_grammar *grammar,
                      const uint32_t *shapes, struct tk_forest *forest, struct tk_err *err)
{
    uint32_t *firsts = calloc((size_t)grammar->shape_count + 1, sizeof(*firsts));
    if (!firsts)
        return tk_fail(err, -ENOMEM, "topology: out of memory");
    int rc = 0;
    for (uint32_t trace = 0; rc == 0 && trace < head->traces; trace++) {
        uint32_t n = grammar->subtrees[grammar->shapes[shapes[trace]]].size;
        rc = n <= head->nodes - forest->node_count
                 ? put_trace(forest, grammar, shapes[trace], &firsts[shapes[trace]], err)
                 : tk_fail(err, -EBADMSG, "events: more spans than the block has");
    }
    free(firsts);
    if (rc == 0 && forest->node_count != head->nodes)
        rc = tk_fail(err, -EBADMSG, "events: fewer spans than the block has");
    return rc;
}

static int decode(const struct tk_block *block, uint64_t draw_key, uint32_t *shapes,
                  struct tk_forest *forest, struct tk_err *err)
{
    const struct tk_block_head *head = &block->head;
    struct tk_grammar grammar = {0};
    forest->tick_ns = head->tick_ns;
    forest->origin_ns = head->origin_ns;
    int rc = tk_block_dictionary_decode(block, forest, err);
    rc = rc < 0 ? rc : tk_block_symbols_decode(block, head->nodes, forest, err);
    rc = rc < 0 ? rc : tk_grammar_init(&grammar, head->traces, head->nodes, err);
    rc = rc < 0 ? rc : tk_grammar_decode(block, forest, &grammar, err);
    rc = rc < 0 ? rc : decode_events(block, &grammar, forest, shapes, err);
    rc = rc < 0 ? rc : put_traces(head, &grammar, shapes, forest, err);
    tk_grammar_release(&grammar);
    return rc < 0 ? rc : tk_arrivals_decode(block, draw_key, shapes, forest, err);
}

int tk_topology_decode(const struct tk_block *block, uint64_t draw_key, struct tk_forest *forest,
                       struct tk_err *err)
{
    const struct tk_block_head *head = &block->head;
    tk_forest_release(forest);
    int rc = tk_forest_init(forest, head->traces, head->nodes, err);
    if (rc < 0)
        return rc;
    uint32_t *shapes = calloc((size_t)head->traces + 1, sizeof(*shapes));
    if (!shapes)
        return tk_fail(err, -ENOMEM, "topology: out of memory");
    rc = decode(block, draw_key, shapes, forest, err);
    free(shapes);
    return rc;
}
