/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/attr_class.h"
#include "codec/attrs_gather.h"
#include "codec/attrs_internal.h"
#include "codec/resources.h"
#include "table/varint.h"

/* What looks like an id and is in fewer spans is one, made for one use. */
#define MANY_USES 64

struct encoding {
    struct tk_forest *forest;
    const struct tk_span_batch *batch;
    const struct tk_codec_options *options;
    struct tk_section_set *sections;
    uint32_t *parents; /* [nodes] in the forest */
    struct tk_attr_model model;
    struct tk_attr_gather gather;
    struct tk_attr_words words;
};

static void put_limits(struct tk_buf *out, const void *limits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t limit;
        memcpy(&limit, (const char *)limits + i * sizeof(limit), sizeof(limit));
        tk_varint_put(out, limit);
    }
}

/* Node `i` of a trace that begins at `begin`. */
static struct tk_attr_node node_of(const struct encoding *encoding, uint32_t trace, uint32_t begin,
                                   uint32_t i)
{
    uint32_t parent = encoding->parents[i];
    return (struct tk_attr_node){
        .trace = trace,
        .index = i - begin,
        .parent = parent == TK_FOREST_TOP ? TK_FOREST_TOP : parent - begin,
        .symbol = encoding->forest->node_symbols[i],
        .child = tk_attr_child(encoding->forest, i),
    };
}

/* Words of a section begin where those of the section before it ended. */
static void begin_words(struct encoding *encoding, struct tk_buf *out)
{
    struct tk_texts *texts = &encoding->forest->dictionary;
    tk_attr_words_init(&encoding->words, texts, texts, texts->count);
    tk_varint_put(out, texts->count);
}

/* Resources ------------------------------------------------------------------------------------ */

static int write_resources(struct encoding *encoding, struct tk_resources *resources,
                           const uint32_t *node_scopes, struct tk_err *err)
{
    const struct tk_forest *forest = encoding->forest;
    struct tk_buf *out = &encoding->sections->bytes[TK_SECTION_RESOURCES];
    const struct tk_resources_limits limits = {resources->resource_count, resources->scope_count,
                                               resources->attr_count, resources->choice_count};
    struct tk_coder coder;
    begin_words(encoding, out);
    put_limits(out, &limits, TK_RESOURCES_LIMIT_COUNT);
    tk_coder_begin_encode(&coder, out);
    int rc = tk_resources_code(resources, &coder, &encoding->words, &encoding->batch->texts,
                               &limits, err);
    for (uint32_t t = 0; rc == 0 && t < forest->trace_count; t++) {
        uint32_t begin = tk_forest_begin(forest, t);
        for (uint32_t i = begin; i < forest->trace_ends[t]; i++) {
            struct tk_attr_node node = node_of(encoding, t, begin, i);
            (void)tk_resources_code_node(resources, &coder, &node, node_scopes[i]);
        }
    }
    tk_coder_end(&coder);
    return rc;
}

static int encode_resources(struct encoding *encoding, struct tk_err *err)
{
    const struct tk_forest *forest = encoding->forest;
    const struct tk_span_batch *batch = encoding->batch;
    struct tk_resources resources = {0};
    uint32_t scopes = batch->scope_count + 1;
    struct tk_resources_limits limits = {scopes, scopes, 0, forest->node_count};
    for (uint32_t i = 0; i < batch->scope_count; i++) {
        const struct tk_span_scope *scope = &batch->scopes[i];
        limits.attrs += scope->attrs.n + batch->resources[scope->resource].attrs.n;
    }
    uint32_t *node_scopes = malloc(((size_t)forest->node_count + 1) * sizeof(*node_scopes));
    if (!node_scopes)
        return tk_fail(err, -ENOMEM, "resources of a block: out of memory");
    int rc = tk_resources_init(&resources, &limits, forest->symbol_count,
                               tk_attr_largest_trace(forest), err);
    if (rc == 0)
        rc = tk_resources_gather(&resources, forest, batch, encoding->options, node_scopes, err);
    if (rc == 0)
        rc = write_resources(encoding, &resources, node_scopes, err);
    tk_resources_release(&resources);
    free(node_scopes);
    return rc;
}

/* Attributes ----------------------------------------------------------------------------------- */

/* Values of columns of class DRAWN become numbers inside their trace, in the order in which they
 * first come there. */
struct drawn {
    uint32_t *numbers; /* [values of the model] number in the trace */
    uint32_t *traces;  /* [values] that this was, + 1 */
    uint32_t *counts;  /* [columns] different ones of the trace at hand */
    uint32_t *count_traces;
};

static void draw_value(struct encoding *encoding, const struct drawn *drawn, uint32_t trace,
                       uint32_t column, uint32_t *value)
{
    uint32_t at = encoding->model.columns[column].first + *value;
    if (drawn->count_traces[column] != trace + 1) {
        drawn->count_traces[column] = trace + 1;
        drawn->counts[column] = 0;
    }
    if (drawn->traces[at] != trace + 1) {
        drawn->traces[at] = trace + 1;
        drawn->numbers[at] = drawn->counts[column]++;
    }
    *value = drawn->numbers[at];
}

static void draw_trace(struct encoding *encoding, const struct drawn *drawn, uint32_t trace,
                       uint32_t *most)
{
    const struct tk_forest *forest = encoding->forest;
    const struct tk_attr_model *model = &encoding->model;
    struct tk_attr_gather *gather = &encoding->gather;
    for (uint32_t i = tk_forest_begin(forest, trace); i < forest->trace_ends[trace]; i++) {
        uint32_t number = gather->sites[gather->node_sites[i]].attr_template;
        const struct tk_attr_template *t = &model->templates[number];
        for (uint32_t k = 0; k < t->n; k++) {
            uint32_t column = model->template_columns[t->first + k];
            if (model->columns[column].attr_class != TK_ATTR_CLASS_DRAWN)
                continue;
            draw_value(encoding, drawn, trace, column, &gather->values[gather->node_firsts[i] + k]);
            uint32_t n = drawn->counts[column];
            most[column] = n > most[column] ? n : most[column];
        }
    }
}

static int draw_values(struct encoding *encoding, struct tk_err *err)
{
    struct tk_attr_model *model = &encoding->model;
    size_t values = (size_t)model->value_count + 1;
    size_t columns = (size_t)model->column_count + 1;
    uint32_t *room = calloc(values * 2 + columns * 3, sizeof(*room));
    if (!room)
        return tk_fail(err, -ENOMEM, "attributes of a block: out of memory");
    const struct drawn drawn = {room, room + values, room + values * 2,
                                room + values * 2 + columns};
    uint32_t *most = room + values * 2 + columns * 2;
    for (uint32_t t = 0; t < encoding->forest->trace_count; t++)
        draw_trace(encoding, &drawn, t, most);
    for (uint32_t i = 0; i < model->column_count; i++) {
        if (model->columns[i].attr_class == TK_ATTR_CLASS_DRAWN)
            model->columns[i].count = most[i];
    }
    free(room);
    return 0;
}

static void put_order(struct encoding *encoding, struct tk_coder *coder, uint32_t node,
                      uint32_t *order)
{
    uint32_t first = encoding->gather.node_firsts[node];
    uint32_t n = encoding->gather.node_firsts[node + 1] - first;
    memcpy(order, &encoding->gather.orders[first], n * sizeof(*order));
    tk_attr_code_order(&encoding->model, coder, encoding->gather.node_sites[node], order);
}

static int write_nodes(struct encoding *encoding, struct tk_err *err)
{
    const struct tk_forest *forest = encoding->forest;
    struct tk_attr_gather *gather = &encoding->gather;
    struct tk_attr_model *model = &encoding->model;
    struct tk_coder coder;
    uint32_t *order = malloc(((size_t)gather->most * 2 + 1) * sizeof(*order));
    if (!order)
        return tk_fail(err, -ENOMEM, "attributes of a block: out of memory");
    struct tk_buf *out = &encoding->sections->bytes[TK_SECTION_ATTRS];
    tk_buf_putc(out, TK_ATTRS_MARK);
    tk_coder_begin_encode(&coder, out);
    int rc = 0;
    for (uint32_t t = 0; rc == 0 && t < forest->trace_count; t++) {
        uint32_t begin = tk_forest_begin(forest, t);
        for (uint32_t i = begin; rc == 0 && i < forest->trace_ends[t]; i++) {
            struct tk_attr_node node = node_of(encoding, t, begin, i);
            uint32_t site = gather->node_sites[i];
            rc = tk_attr_code_node(model, &coder, &node, &site,
                                   &gather->values[gather->node_firsts[i]], err);
            if (model->is_ordered)
                put_order(encoding, &coder, i, order);
        }
    }
    tk_coder_end(&coder);
    free(order);
    return rc;
}

/* What the decoder has to make room for. */
static struct tk_attr_limits limits_of(const struct encoding *encoding)
{
    const struct tk_attr_model *model = &encoding->model;
    const struct tk_forest *forest = encoding->forest;
    const uint32_t *firsts = encoding->gather.node_firsts;
    struct tk_attr_limits limits = {
        .columns = model->column_count,
        .values = model->value_count,
        .templates = model->template_count,
        .template_columns = model->template_columns_n,
        .sites = model->site_count,
        .slots = model->slot_count,
    };
    for (uint32_t i = 0; i < model->slot_count; i++) {
        const struct tk_attr_slot *slot = &model->slots[i];
        if (slot->mode == TK_ATTR_SLOT_DETERMINED)
            limits.links += slot->links; /* how many, until they are coded */
    }
    for (uint32_t t = 0; t < forest->trace_count; t++) {
        uint32_t n = firsts[forest->trace_ends[t]] - firsts[tk_forest_begin(forest, t)];
        limits.trace_values = n > limits.trace_values ? n : limits.trace_values;
    }
    return limits;
}

static int write_templates(struct encoding *encoding, struct tk_err *err)
{
    struct tk_buf *out = &encoding->sections->bytes[TK_SECTION_TEMPLATES];
    struct tk_attr_limits limits = limits_of(encoding);
    struct tk_coder coder;
    begin_words(encoding, out);
    put_limits(out, &limits, TK_ATTR_LIMIT_COUNT);
    tk_coder_begin_encode(&coder, out);
    int rc = tk_attr_code_columns(&encoding->model, &coder, &encoding->words, &limits, err);
    if (rc == 0)
        rc = tk_attr_code_sites(&encoding->model, &coder, &limits, err);
    tk_coder_end(&coder);
    return rc;
}

/* Look at all attributes; where rare values are to be left out, first to find which those are. */
static int gather_attrs(struct encoding *encoding, bool exact, struct tk_err *err)
{
    const struct tk_codec_options *options = encoding->options;
    struct tk_attr_model *model = &encoding->model;
    struct tk_attr_gather look = {0};
    struct tk_attr_gather_input input = {encoding->forest, encoding->batch, options, NULL};
    uint32_t min_count = tk_codec_min_count(options);
    int rc = 0;
    if (min_count > 0) {
        rc = tk_attr_gather_run(&look, model, &input, err);
        rc = rc < 0 ? rc : tk_attr_choose_classes(model, look.value_uses, exact, err);
        if (rc == 0)
            tk_attr_gather_mark(&look, min_count);
        model->min_uses = min_count;
        input.first_look = &look;
    }
    rc = rc < 0 ? rc : tk_attr_gather_run(&encoding->gather, model, &input, err);
    if (rc == 0 && input.first_look)
        tk_attr_gather_classes(&encoding->gather);
    rc = rc < 0 ? rc : tk_attr_choose_classes(model, encoding->gather.value_uses, exact, err);
    tk_attr_gather_release(&look);
    encoding->gather.first_look = NULL;
    return rc;
}

static int encode_attrs(struct encoding *encoding, struct tk_err *err)
{
    const struct tk_forest *forest = encoding->forest;
    struct tk_attr_model *model = &encoding->model;
    bool exact = encoding->options->mode == TK_CODEC_LOSSLESS;
    bool is_gent = encoding->options->attrs == TK_CODEC_ATTRS_GENT;
    uint32_t attrs =
        1 + (is_gent ? forest->node_count * TK_GENT_MOST : encoding->batch->attr_count);
    uint32_t nodes = forest->node_count + 1;
    const struct tk_attr_limits limits = {
        attrs, attrs, nodes, attrs, nodes, attrs, TK_ATTR_MAX_LINKS, attrs};
    int rc = tk_attr_model_init(model, &limits, forest->symbol_count, tk_attr_largest_trace(forest),
                                err);
    if (rc < 0)
        return rc;
    model->is_ordered = exact;
    model->min_id_uses = exact ? 0 : MANY_USES;
    rc = gather_attrs(encoding, exact, err);
    rc = rc < 0 ? rc : draw_values(encoding, err);
    rc = rc < 0 ? rc : tk_attr_gather_sites(&encoding->gather, err);
    rc = rc < 0 ? rc : write_templates(encoding, err);
    return rc < 0 ? rc : write_nodes(encoding, err);
}

int tk_attrs_encode(struct tk_forest *forest, const struct tk_span_batch *batch,
                    const struct tk_codec_options *options, struct tk_section_set *sections,
                    struct tk_attrs_report *ret_report, struct tk_err *err)
{
    struct encoding encoding = {
        .forest = forest, .batch = batch, .options = options, .sections = sections};
    encoding.parents = malloc(((size_t)forest->node_count + 1) * sizeof(*encoding.parents));
    if (!encoding.parents)
        return tk_fail(err, -ENOMEM, "attributes of a block: out of memory");
    tk_forest_parents(forest, encoding.parents);
    int rc = encode_resources(&encoding, err);
    if (rc == 0)
        rc = encode_attrs(&encoding, err);
    const uint32_t types[] = {TK_SECTION_RESOURCES, TK_SECTION_TEMPLATES, TK_SECTION_ATTRS};
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(types); i++)
        rc = tk_buf_check(&sections->bytes[types[i]], "attributes of a block", err);
    if (rc == 0 && ret_report) {
        rc = tk_attr_report_fill(ret_report, &encoding.model, &forest->dictionary, err);
        ret_report->left_out = encoding.gather.left_out;
    }
    tk_attr_gather_release(&encoding.gather);
    tk_attr_model_release(&encoding.model);
    free(encoding.parents);
    return rc;
}
