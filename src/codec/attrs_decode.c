/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/attr_class.h"
#include "codec/attrs_internal.h"
#include "codec/draw.h"
#include "codec/resources.h"
#include "table/varint.h"

#define NO_NODE UINT32_MAX

struct tk_attrs_decoder {
    const struct tk_forest *forest; /* borrowed */
    uint64_t draw_key;
    struct tk_attr_model model;
    struct tk_resources resources;
    struct tk_coder coder, scope_coder;
    bool has_attrs, has_scopes;
    uint32_t *parents; /* [nodes]; owned */
    uint32_t *order;   /* owned */

    /* The node that was decoded last: it is added once more when the batch was full. */
    uint32_t node;
    uint32_t site, scope;

    struct tk_span_batch *batch;
    uint32_t *words;        /* [texts of the dictionary] text of the batch + 1; owned */
    struct tk_attr *ready;  /* [slots] of constant ones; key TK_TEXTS_NONE = not yet; owned */
    uint32_t *own_words;    /* [texts of the model] likewise; owned */
    uint32_t *scopes;       /* [scopes] scope of the batch + 1; owned */
    uint32_t *resource_ids; /* [resources] resource of the batch + 1; owned */
    uint32_t *services; /* [texts of the dictionary] scope made of the service alone + 1; owned */
};

void tk_attrs_decoder_free(struct tk_attrs_decoder *decoder)
{
    if (!decoder)
        return;
    tk_attr_model_release(&decoder->model);
    tk_resources_release(&decoder->resources);
    free(decoder->parents);
    free(decoder->order);
    free(decoder->words);
    free(decoder->own_words);
    free(decoder->ready);
    free(decoder->scopes);
    free(decoder->resource_ids);
    free(decoder->services);
    free(decoder);
}

void tk_attrs_decoder_freep(struct tk_attrs_decoder **decoder)
{
    tk_attrs_decoder_free(*decoder);
}

/* Opening -------------------------------------------------------------------------------------- */

static int get_limits(tk_str *bytes, void *limits, size_t count, struct tk_err *err)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t limit;
        if (!tk_varint_read(bytes, &limit) || limit > TK_ATTR_MAX)
            return tk_fail(err, -EBADMSG, "attributes: a count is damaged");
        uint32_t value = (uint32_t)limit;
        memcpy((char *)limits + i * sizeof(value), &value, sizeof(value));
    }
    return 0;
}

/* The words of a section begin where those of the section before it ended. */
static int begin_words(struct tk_attr_words *words, const struct tk_forest *forest, tk_str *bytes,
                       struct tk_err *err)
{
    uint64_t next;
    if (!tk_varint_read(bytes, &next) || next > forest->dictionary.count)
        return tk_fail(err, -EBADMSG, "attributes: a count of texts is damaged");
    tk_attr_words_init(words, NULL, &forest->dictionary, (uint32_t)next);
    return 0;
}

static int open_scopes(struct tk_attrs_decoder *decoder, tk_str bytes, uint32_t nodes,
                       struct tk_err *err)
{
    struct tk_attr_words words;
    struct tk_resources_limits limits = {0};
    int rc = begin_words(&words, decoder->forest, &bytes, err);
    rc = rc < 0 ? rc : get_limits(&bytes, &limits, TK_RESOURCES_LIMIT_COUNT, err);
    rc = rc < 0 ? rc
                : tk_resources_init(&decoder->resources, &limits, decoder->forest->symbol_count,
                                    nodes, err);
    if (rc < 0)
        return rc;
    tk_coder_begin_decode(&decoder->scope_coder, bytes);
    rc = tk_resources_code(&decoder->resources, &decoder->scope_coder, &words, NULL, &limits, err);
    if (rc < 0)
        return rc;
    decoder->scopes = calloc((size_t)limits.scopes + 1, sizeof(*decoder->scopes));
    decoder->resource_ids = calloc((size_t)limits.resources + 1, sizeof(*decoder->resource_ids));
    return decoder->scopes && decoder->resource_ids
               ? 0
               : tk_fail(err, -ENOMEM, "resources of a block: out of memory");
}

static int open_attrs(struct tk_attrs_decoder *decoder, tk_str bytes, uint32_t nodes,
                      struct tk_err *err)
{
    struct tk_attr_model *model = &decoder->model;
    struct tk_attr_words words;
    struct tk_attr_limits limits = {0};
    int rc = begin_words(&words, decoder->forest, &bytes, err);
    rc = rc < 0 ? rc : get_limits(&bytes, &limits, TK_ATTR_LIMIT_COUNT, err);
    if (rc == 0 && limits.links > TK_ATTR_MAX_LINKS)
        rc = tk_fail(err, -EBADMSG, "attributes: a count is damaged");
    rc =
        rc < 0 ? rc : tk_attr_model_init(model, &limits, decoder->forest->symbol_count, nodes, err);
    if (rc < 0)
        return rc;
    struct tk_coder coder;
    model->is_decoded = true;
    model->draw_key = decoder->draw_key;
    tk_coder_begin_decode(&coder, bytes);
    rc = tk_attr_code_columns(model, &coder, &words, &limits, err);
    rc = rc < 0 ? rc : tk_attr_code_sites(model, &coder, &limits, err);
    if (rc < 0)
        return rc;
    decoder->own_words = calloc((size_t)model->texts.count + 1, sizeof(*decoder->own_words));
    decoder->order = calloc((size_t)limits.template_columns * 2 + 1, sizeof(*decoder->order));
    decoder->ready = calloc((size_t)limits.slots + 1, sizeof(*decoder->ready));
    return decoder->own_words && decoder->order && decoder->ready
               ? 0
               : tk_fail(err, -ENOMEM, "attributes of a block: out of memory");
}

static int open_sections(struct tk_attrs_decoder *decoder, const struct tk_block *block,
                         bool *ret_missing, struct tk_err *err)
{
    uint32_t nodes = tk_attr_largest_trace(decoder->forest);
    const struct tk_section *scopes = tk_block_find(block, TK_SECTION_RESOURCES);
    const struct tk_section *templates = tk_block_find(block, TK_SECTION_TEMPLATES);
    const struct tk_section *values = tk_block_find(block, TK_SECTION_ATTRS);
    decoder->has_scopes = scopes != NULL;
    decoder->has_attrs = templates != NULL && values != NULL;
    *ret_missing = !scopes || !decoder->has_attrs;
    int rc = scopes ? open_scopes(decoder, scopes->bytes, nodes, err) : 0;
    if (rc == 0 && templates != NULL && values != NULL) {
        rc = open_attrs(decoder, templates->bytes, nodes, err);
        tk_str bytes = values->bytes;
        if (rc == 0 && !tk_str_take_prefix(&bytes, TK_STR("\x01")))
            rc = tk_fail(err, -EBADMSG, "attributes: values are of another version");
        tk_coder_begin_decode(&decoder->coder, bytes);
    }
    return rc;
}

int tk_attrs_decoder_new(const struct tk_block *block, const struct tk_forest *forest,
                         uint64_t draw_key, struct tk_attrs_decoder **ret_decoder,
                         bool *ret_missing, struct tk_err *err)
{
    struct tk_attrs_decoder *decoder = calloc(1, sizeof(*decoder));
    if (!decoder)
        return tk_fail(err, -ENOMEM, "attributes of a block: out of memory");
    decoder->forest = forest;
    decoder->draw_key = draw_key;
    decoder->node = NO_NODE;
    size_t words = (size_t)forest->dictionary.count + 1;
    decoder->parents = malloc(((size_t)forest->node_count + 1) * sizeof(*decoder->parents));
    decoder->words = calloc(words, sizeof(*decoder->words));
    decoder->services = calloc(words, sizeof(*decoder->services));
    int rc = decoder->parents && decoder->words && decoder->services
                 ? open_sections(decoder, block, ret_missing, err)
                 : tk_fail(err, -ENOMEM, "attributes of a block: out of memory");
    if (rc < 0) {
        tk_attrs_decoder_free(decoder);
        return rc;
    }
    tk_forest_parents(forest, decoder->parents);
    *ret_decoder = decoder;
    return 0;
}

void tk_attrs_decoder_begin(struct tk_attrs_decoder *decoder, struct tk_span_batch *batch)
{
    size_t words = (size_t)decoder->forest->dictionary.count + 1;
    decoder->batch = batch;
    memset(decoder->words, 0, words * sizeof(*decoder->words));
    memset(decoder->services, 0, words * sizeof(*decoder->services));
    if (decoder->has_attrs) {
        memset(decoder->own_words, 0,
               ((size_t)decoder->model.texts.count + 1) * sizeof(*decoder->own_words));
        for (uint32_t i = 0; i < decoder->model.slot_count; i++)
            decoder->ready[i].key = TK_TEXTS_NONE;
    }
    if (decoder->has_scopes) {
        memset(decoder->scopes, 0,
               ((size_t)decoder->resources.scope_count + 1) * sizeof(*decoder->scopes));
        memset(decoder->resource_ids, 0,
               ((size_t)decoder->resources.resource_count + 1) * sizeof(*decoder->resource_ids));
    }
}

/* Rows ----------------------------------------------------------------------------------------- */

/* A text of the dictionary, or of the model, as one of the batch. */
static uint32_t add_text(struct tk_span_batch *batch, const struct tk_texts *texts, uint32_t *known,
                         uint32_t id)
{
    if (known[id] == 0) {
        uint32_t added = tk_texts_add(&batch->texts, tk_texts_get(texts, id));
        known[id] = added + 1; /* of TK_TEXTS_NONE 0 */
        return added;
    }
    return known[id] - 1;
}

static uint32_t add_word(struct tk_attrs_decoder *decoder, uint32_t id)
{
    return add_text(decoder->batch, &decoder->forest->dictionary, decoder->words, id);
}

static bool add_side_attrs(struct tk_attrs_decoder *decoder, const struct tk_scope_entry *entry,
                           struct tk_attr_range *ret_range)
{
    struct tk_span_batch *batch = decoder->batch;
    *ret_range = (struct tk_attr_range){batch->side_attr_count, entry->n, entry->dropped};
    for (uint32_t i = 0; i < entry->n; i++) {
        const struct tk_scope_attr *item = &decoder->resources.attrs[entry->attrs + i];
        struct tk_attr attr = {.key = add_word(decoder, item->key), .type = item->type};
        if (tk_attr_is_text(item->type)) {
            attr.text = add_word(decoder, (uint32_t)item->raw);
        } else {
            memcpy(&attr.i64, &item->raw, sizeof(attr.i64));
        }
        if (tk_span_batch_add_side_attr(batch, &attr) == UINT32_MAX)
            return false;
    }
    return true;
}

static bool add_resource(struct tk_attrs_decoder *decoder, uint32_t number, uint32_t *ret_id)
{
    const struct tk_scope_entry *entry = &decoder->resources.resources[number];
    struct tk_span_resource resource = {
        .service = add_word(decoder, entry->texts[TK_SCOPE_SERVICE]),
        .schema_url = add_word(decoder, entry->texts[TK_SCOPE_SCHEMA_URL]),
        .entity_refs = add_word(decoder, entry->texts[TK_SCOPE_ENTITY_REFS]),
    };
    uint32_t *known = &decoder->resource_ids[number];
    if (*known == 0 && add_side_attrs(decoder, entry, &resource.attrs))
        *known = tk_span_batch_add_resource(decoder->batch, &resource) + 1;
    *ret_id = *known - 1;
    return *known != 0;
}

static int add_scope(struct tk_attrs_decoder *decoder, uint32_t number, uint32_t *ret_id)
{
    uint32_t *known = &decoder->scopes[number];
    const struct tk_scope_entry *entry = &decoder->resources.scopes[number];
    struct tk_span_scope scope = {0};
    if (*known == 0) {
        scope.name = add_word(decoder, entry->texts[TK_SCOPE_NAME]);
        scope.version = add_word(decoder, entry->texts[TK_SCOPE_VERSION]);
        scope.schema_url = add_word(decoder, entry->texts[TK_SCOPE_SCHEMA_URL]);
        if (add_resource(decoder, entry->resource, &scope.resource) &&
            add_side_attrs(decoder, entry, &scope.attrs))
            *known = tk_span_batch_add_scope(decoder->batch, &scope) + 1;
    }
    *ret_id = *known - 1;
    return *known != 0 ? 0 : -ENOBUFS;
}

/* The scope of a node of which no more is known than its service. */
static int add_service(struct tk_attrs_decoder *decoder, uint32_t service, uint32_t *ret_id)
{
    struct tk_span_batch *batch = decoder->batch;
    uint32_t *known = &decoder->services[service];
    if (*known == 0) {
        struct tk_span_resource resource = {.service = add_word(decoder, service)};
        struct tk_attr attr = {.key = tk_texts_add(&batch->texts, TK_STR("service.name")),
                               .type = TK_ATTR_STRING,
                               .text = resource.service};
        resource.attrs.begin = service > 0 ? tk_span_batch_add_side_attr(batch, &attr) : 0;
        resource.attrs.n = service > 0;
        struct tk_span_scope scope = {0};
        if (resource.attrs.begin != UINT32_MAX)
            scope.resource = tk_span_batch_add_resource(batch, &resource);
        if (resource.attrs.begin == UINT32_MAX || scope.resource == UINT32_MAX)
            return -ENOBUFS;
        *known = tk_span_batch_add_scope(batch, &scope) + 1;
    }
    *ret_id = *known - 1;
    return *known != 0 ? 0 : -ENOBUFS;
}

static uint32_t draw_text(struct tk_attrs_decoder *decoder, const struct tk_attr_column *column,
                          uint32_t trace, uint32_t value)
{
    char text[TK_ATTR_FORM_MAX];
    uint32_t field = TK_DRAW_ATTR + (uint32_t)(column - decoder->model.columns);
    tk_attr_draw_id(column->form, tk_draw(decoder->draw_key, trace, value, field), text);
    return tk_texts_append(&decoder->batch->texts, (tk_str){text, column->form.n});
}

static struct tk_attr attr_of(struct tk_attrs_decoder *decoder, const struct tk_attr_column *column,
                              uint32_t trace, uint32_t value)
{
    struct tk_attr attr = {.key = add_word(decoder, column->word), .type = column->type};
    if (column->attr_class == TK_ATTR_CLASS_DRAWN) {
        attr.text = draw_text(decoder, column, trace, value);
        return attr;
    }
    uint64_t raw = decoder->model.values[column->first + value];
    if (column->attr_class == TK_ATTR_CLASS_NUMBER) {
        memcpy(&attr.i64, &raw, sizeof(attr.i64));
    } else if (column->attr_class == TK_ATTR_CLASS_TEXT) {
        attr.text = add_word(decoder, (uint32_t)raw);
    } else {
        attr.text =
            add_text(decoder->batch, &decoder->model.texts, decoder->own_words, (uint32_t)raw);
    }
    return attr;
}

static int add_attrs(struct tk_attrs_decoder *decoder, uint32_t trace, uint32_t index)
{
    const struct tk_attr_model *model = &decoder->model;
    const struct tk_attr_site *site = &model->sites[decoder->site];
    const uint32_t *values = &model->trace_values[model->node_values[index]];
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < site->n; i++) {
        uint32_t place = model->is_ordered ? decoder->order[i] : i;
        const struct tk_attr_slot *slot = &model->slots[site->slots + place];
        struct tk_attr *ready = &decoder->ready[site->slots + place];
        if (slot->mode != TK_ATTR_SLOT_CONSTANT || ready->key == TK_TEXTS_NONE)
            *ready = attr_of(decoder, &model->columns[slot->column], trace, values[place]);
        rc = tk_span_batch_add_attr(decoder->batch, ready);
    }
    return rc;
}

/* What stands in the sections of a node. */
static int read_node(struct tk_attrs_decoder *decoder, const struct tk_attr_node *node,
                     struct tk_err *err)
{
    if (decoder->has_scopes) {
        decoder->scope =
            tk_resources_code_node(&decoder->resources, &decoder->scope_coder, node, 0);
        if (decoder->scope == UINT32_MAX || tk_coder_is_over(&decoder->scope_coder))
            return tk_fail(err, -EBADMSG, "resources end early");
    }
    if (!decoder->has_attrs)
        return 0;
    int rc = tk_attr_code_node(&decoder->model, &decoder->coder, node, &decoder->site, NULL, err);
    if (rc == 0 && decoder->model.is_ordered)
        tk_attr_code_order(&decoder->model, &decoder->coder, decoder->site, decoder->order);
    return rc;
}

int tk_attrs_decoder_skip(struct tk_attrs_decoder *decoder, uint32_t trace, uint32_t node,
                          struct tk_err *err)
{
    const struct tk_forest *forest = decoder->forest;
    uint32_t begin = tk_forest_begin(forest, trace);
    uint32_t parent = decoder->parents[node];
    const struct tk_attr_node own = {
        .trace = trace,
        .index = node - begin,
        .parent = parent == TK_FOREST_TOP ? TK_FOREST_TOP : parent - begin,
        .symbol = forest->node_symbols[node],
        .child = tk_attr_child(forest, node),
    };
    int rc = read_node(decoder, &own, err);
    if (rc == 0)
        decoder->node = node;
    return rc;
}

int tk_attrs_decode_node(struct tk_attrs_decoder *decoder, uint32_t trace, uint32_t node,
                         struct tk_err *err)
{
    const struct tk_forest *forest = decoder->forest;
    struct tk_span_batch *batch = decoder->batch;
    int rc = node != decoder->node ? tk_attrs_decoder_skip(decoder, trace, node, err) : 0;
    if (rc < 0)
        return rc;
    uint32_t service = forest->symbols[forest->node_symbols[node]].service;
    uint32_t *scope = &batch->scope_ids[batch->rows - 1];
    rc = decoder->has_scopes ? add_scope(decoder, decoder->scope, scope)
                             : add_service(decoder, service, scope);
    if (rc == 0 && decoder->has_attrs)
        rc = add_attrs(decoder, trace, node - tk_forest_begin(forest, trace));
    return rc;
}

int tk_attrs_decoder_report(const struct tk_attrs_decoder *decoder,
                            struct tk_attrs_report *ret_report, struct tk_err *err)
{
    return tk_attr_report_fill(ret_report, &decoder->model, &decoder->forest->dictionary, err);
}
