/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/attrs_gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/attr_class.h"
#include "codec/draw.h"

#define FEW 64 /* items that are sorted by insertion */

static int no_memory(struct tk_err *err)
{
    return tk_fail(err, -ENOMEM, "attributes of a block: out of memory");
}

/* Memory --------------------------------------------------------------------------------------- */

struct array {
    size_t place, size, n;
};

#define ARRAY(member, count)                                                                       \
    {                                                                                              \
        offsetof(struct tk_attr_gather, member), sizeof(*((struct tk_attr_gather *)0)->member),    \
            (count)                                                                                \
    }

static int allocate(struct tk_attr_gather *gather, size_t attrs, struct tk_err *err)
{
    size_t nodes = gather->forest->node_count;
    const struct array arrays[] = {
        ARRAY(node_sites, nodes),    ARRAY(node_firsts, nodes + 1),
        ARRAY(values, attrs),        ARRAY(orders, attrs),
        ARRAY(sites, nodes),         ARRAY(slot_values, attrs),
        ARRAY(slot_varies, attrs),   ARRAY(symbol_last, gather->forest->symbol_count),
        ARRAY(record_raws, attrs),   ARRAY(record_columns, attrs),
        ARRAY(record_uses, attrs),   ARRAY(record_is_rare, attrs),
        ARRAY(column_uses, attrs),   ARRAY(column_classes, attrs),
        ARRAY(value_uses, attrs),    ARRAY(record_values, attrs),
        ARRAY(column_last, attrs),   ARRAY(template_sorted, attrs),
        ARRAY(items, gather->most),  ARRAY(columns, gather->most),
        ARRAY(sorted, gather->most),
    };
    size_t sum = 0;
    for (size_t i = 0; i < TK_COUNTOF(arrays); i++)
        sum += arrays[i].size * arrays[i].n + 64;
    int rc = tk_arena_init(&gather->memory, sum, err);
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(arrays); i++) {
        void *at = tk_arena_alloc(&gather->memory, arrays[i].size * arrays[i].n);
        if (!at)
            return no_memory(err);
        memcpy((char *)gather + arrays[i].place, &at, sizeof(at));
    }
    gather->text_ids = calloc((size_t)gather->batch->texts.count + 1, sizeof(uint32_t));
    return rc < 0 ? rc : gather->text_ids ? 0 : no_memory(err);
}

void tk_attr_gather_release(struct tk_attr_gather *gather)
{
    tk_map_release(&gather->column_map);
    tk_map_release(&gather->value_map);
    tk_map_release(&gather->template_map);
    tk_map_release(&gather->site_map);
    tk_arena_release(&gather->memory);
    tk_projector_release(&gather->projector);
    free(gather->text_ids);
    *gather = (struct tk_attr_gather){0};
}

/* Columns and values --------------------------------------------------------------------------- */

/* A text of the batch as one of the model, where equal texts have one id. */
static uint32_t text_of(struct tk_attr_gather *gather, uint32_t id)
{
    uint32_t *known = &gather->text_ids[id];
    if (*known == 0)
        *known = tk_texts_add(&gather->model->texts, tk_texts_get(&gather->batch->texts, id)) + 1;
    return *known - 1;
}

static struct tk_attr_item item_of(struct tk_attr_gather *gather, const struct tk_attr *attr)
{
    struct tk_attr_item item = {text_of(gather, attr->key), attr->type, 0};
    if (tk_attr_is_text(attr->type)) {
        item.raw = text_of(gather, attr->text);
    } else if (attr->type != TK_ATTR_EMPTY) {
        memcpy(&item.raw, &attr->i64, sizeof(item.raw));
    }
    return item;
}

static uint64_t hash_of(uint32_t column, uint64_t raw)
{
    return tk_draw_round(raw + ((uint64_t)column << 40));
}

/* What the user wants of a key. */
static enum tk_codec_key_wish wish_of(const struct tk_attr_gather *gather, tk_str key)
{
    const struct tk_codec_options *options = gather->options;
    for (size_t i = options->key_count; i > 0; i--) {
        if (tk_str_eq(options->keys[i - 1].key, key))
            return options->keys[i - 1].wish;
    }
    return TK_CODEC_KEY_ANY;
}

/* Leave those out of `n` items whose keys the user does not want; how many stay. */
static uint32_t leave_keys_out(struct tk_attr_gather *gather, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        tk_str key = tk_texts_get(&gather->model->texts, gather->items[i].key);
        bool unwanted = wish_of(gather, key) == TK_CODEC_KEY_NONE;
        gather->left_out += unwanted;
        if (!unwanted)
            gather->items[kept++] = gather->items[i];
    }
    return kept;
}

/* The attributes of a row as items; how many. */
static uint32_t list_all(struct tk_attr_gather *gather, size_t row)
{
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(gather->batch, row, &n);
    for (size_t i = 0; i < n; i++)
        gather->items[i] = item_of(gather, &attrs[i]);
    return gather->options->key_count > 0 ? leave_keys_out(gather, (uint32_t)n) : (uint32_t)n;
}

/* Whether a first look found too few of a value. */
static bool is_rare(const struct tk_attr_gather *look, const struct tk_attr_item *item)
{
    uint32_t column;
    uint32_t record;
    if (!tk_map_find(&look->column_map, (uint64_t)item->key << 3 | item->type, &column))
        return true;
    uint64_t hash = hash_of(column, item->raw);
    for (; tk_map_find(&look->value_map, hash, &record); hash = tk_draw_round(hash + 1)) {
        if (look->record_raws[record] == item->raw && look->record_columns[record] == column)
            return look->record_is_rare[record];
    }
    return true;
}

/* Leave out what is rare of `n` items; how many stay. Gen-T's five stay five: what is missing has a
 * value there. */
static uint32_t leave_out(struct tk_attr_gather *gather, uint32_t n, bool is_gent)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct tk_attr_item item = gather->items[i];
        bool rare = is_rare(gather->first_look, &item);
        gather->left_out += rare;
        if (rare && is_gent)
            item.raw = item.type == TK_ATTR_STRING ? gather->unknown : 0;
        if (!rare || is_gent)
            gather->items[kept++] = item;
    }
    return kept;
}

static void begin_gent(struct tk_attr_gather *gather)
{
    tk_projector_init(&gather->projector);
    tk_projector_begin(&gather->projector, gather->batch);
    gather->unknown = tk_texts_add(&gather->model->texts, TK_STR("Unknown"));
    gather->gent_issue = tk_texts_add(&gather->model->texts, TK_STR(TK_ISSUE_KEY));
    for (size_t i = 0; i < TK_GENT_KINDS; i++) {
        for (size_t k = 0; k < TK_GENT_ATTRS; k++) {
            gather->gent_keys[i][k] =
                tk_texts_add(&gather->model->texts, tk_str_from(tk_gent_keys[i][k]));
        }
    }
}

/* The five of a row as items, and that it has issues where they do not tell. */
static uint32_t list_gent(struct tk_attr_gather *gather, size_t row)
{
    struct tk_projection projection;
    tk_projector_read(&gather->projector, row, &projection);
    const uint32_t *keys = gather->gent_keys[tk_gent_kind_of(&projection)];
    for (size_t i = 0; i < TK_STR_FEATURES; i++) {
        const struct tk_projected_text *text = &projection.strings[i];
        uint32_t id = text->id != TK_TEXTS_NONE ? text_of(gather, text->id)
                                                : tk_texts_add(&gather->model->texts, text->text);
        gather->items[i] = (struct tk_attr_item){keys[i], TK_ATTR_STRING, id};
    }
    for (size_t i = TK_STR_FEATURES; i < TK_GENT_ATTRS; i++) {
        gather->items[i] = (struct tk_attr_item){
            keys[i], TK_ATTR_INT, (uint64_t)projection.integers[i - TK_STR_FEATURES]};
    }
    if (!tk_gent_hides_issues(&projection, gather->batch->statuses[row]))
        return TK_GENT_ATTRS;
    gather->items[TK_GENT_ATTRS] = (struct tk_attr_item){gather->gent_issue, TK_ATTR_BOOL, 1};
    return TK_GENT_MOST;
}

static int find_column(struct tk_attr_gather *gather, const struct tk_attr_item *item,
                       uint32_t *ret_column)
{
    struct tk_attr_model *model = gather->model;
    uint64_t key = (uint64_t)item->key << 3 | item->type;
    if (tk_map_find(&gather->column_map, key, ret_column))
        return 0;
    uint32_t column = model->column_count++;
    tk_str key_text = tk_texts_get(&model->texts, item->key);
    model->columns[column] = (struct tk_attr_column){.key = item->key,
                                                     .type = (uint8_t)item->type,
                                                     .wish = (uint8_t)wish_of(gather, key_text),
                                                     .last_trace = UINT32_MAX,
                                                     .seen_trace = UINT32_MAX};
    *ret_column = column;
    return tk_map_add(&gather->column_map, key, column);
}

/* The record of a value; the same values mostly follow each other. */
static int find_value(struct tk_attr_gather *gather, uint32_t column, uint64_t raw,
                      uint32_t *ret_value)
{
    struct tk_attr_model *model = gather->model;
    uint32_t *last = &gather->column_last[column];
    uint32_t record = 0;
    if (model->columns[column].count > 0 && gather->record_raws[*last] == raw) {
        *ret_value = gather->record_values[*last];
        gather->record_uses[*last]++;
        return 0;
    }
    uint64_t hash = hash_of(column, raw);
    while (tk_map_find(&gather->value_map, hash, &record)) {
        if (gather->record_raws[record] == raw && gather->record_columns[record] == column) {
            *last = record;
            gather->record_uses[record]++;
            *ret_value = gather->record_values[record];
            return 0;
        }
        hash = tk_draw_round(hash + 1);
    }
    record = model->value_count++;
    gather->record_raws[record] = raw;
    gather->record_columns[record] = column;
    gather->record_uses[record] = 1;
    gather->record_values[record] = model->columns[column].count++;
    *last = record;
    *ret_value = gather->record_values[record];
    return tk_map_add(&gather->value_map, hash, record);
}

/* Templates ------------------------------------------------------------------------------------ */

static int order_u64(const void *a, const void *b)
{
    uint64_t x;
    uint64_t y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

static void sort_u64(uint64_t *numbers, uint32_t n)
{
    if (n > FEW) {
        qsort(numbers, n, sizeof(*numbers), order_u64);
        return;
    }
    for (uint32_t i = 1; i < n; i++) {
        uint64_t number = numbers[i];
        uint32_t k = i;
        for (; k > 0 && numbers[k - 1] > number; k--)
            numbers[k] = numbers[k - 1];
        numbers[k] = number;
    }
}

/* The same columns, in any order. */
static bool is_template(const struct tk_attr_gather *gather, uint32_t number, uint32_t n)
{
    const struct tk_attr_template *t = &gather->model->templates[number];
    bool same = t->n == n;
    for (uint32_t i = 0; same && i < n; i++)
        same = gather->template_sorted[t->first + i] >> 32 == gather->sorted[i] >> 32;
    return same;
}

static uint32_t add_template(struct tk_attr_gather *gather, uint32_t n)
{
    struct tk_attr_model *model = gather->model;
    struct tk_attr_template *t = &model->templates[model->template_count];
    *t = (struct tk_attr_template){model->template_columns_n, n};
    model->template_columns_n += n;
    for (uint32_t i = 0; i < n; i++) {
        model->template_columns[t->first + i] = gather->columns[i];
        gather->template_sorted[t->first + i] = gather->sorted[i];
    }
    return model->template_count++;
}

/* The template of the columns at hand. */
static int find_template(struct tk_attr_gather *gather, uint32_t n, uint32_t *ret_template)
{
    uint64_t hash = n;
    for (uint32_t i = 0; i < n; i++) {
        gather->sorted[i] = (uint64_t)gather->columns[i] << 32 | i;
        hash += tk_draw_round((uint64_t)gather->columns[i] + 1);
    }
    sort_u64(gather->sorted, n);
    while (tk_map_find(&gather->template_map, hash, ret_template)) {
        if (is_template(gather, *ret_template, n))
            return 0;
        hash = tk_draw_round(hash + 1);
    }
    *ret_template = add_template(gather, n);
    return tk_map_add(&gather->template_map, hash, *ret_template);
}

static int find_site(struct tk_attr_gather *gather, uint32_t symbol, uint32_t attr_template,
                     uint32_t *ret_site)
{
    struct tk_attr_model *model = gather->model;
    uint64_t key = (uint64_t)symbol << 32 | attr_template;
    if (tk_map_find(&gather->site_map, key, ret_site))
        return 0;
    *ret_site = model->site_count++;
    gather->sites[*ret_site] =
        (struct tk_attr_found_site){symbol, attr_template, gather->slot_count, 0};
    gather->slot_count += model->templates[attr_template].n;
    return tk_map_add(&gather->site_map, key, *ret_site);
}

/* Nodes ---------------------------------------------------------------------------------------- */

/* Whether the items at hand are those of the site of this symbol that came last, in its order:
 * mostly so, and then nothing is looked up. */
static bool is_last_site(struct tk_attr_gather *gather, uint32_t symbol, uint32_t n)
{
    const struct tk_attr_model *model = gather->model;
    if (gather->symbol_last[symbol] == 0)
        return false;
    const struct tk_attr_found_site *site = &gather->sites[gather->symbol_last[symbol] - 1];
    const struct tk_attr_template *t = &model->templates[site->attr_template];
    if (t->n != n)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t column = model->template_columns[t->first + i];
        const struct tk_attr_column *c = &model->columns[column];
        if (c->key != gather->items[i].key || c->type != gather->items[i].type)
            return false;
        gather->columns[i] = column;
    }
    return true;
}

/* Find the site of the items at hand; order[i] becomes the place of item i in its template. */
static int place_items(struct tk_attr_gather *gather, uint32_t symbol, uint32_t n, uint32_t *order,
                       uint32_t *ret_site)
{
    if (is_last_site(gather, symbol, n)) {
        for (uint32_t i = 0; i < n; i++)
            order[i] = i;
        *ret_site = gather->symbol_last[symbol] - 1;
        return 0;
    }
    uint32_t number = 0;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < n; i++)
        rc = find_column(gather, &gather->items[i], &gather->columns[i]);
    rc = rc < 0 ? rc : find_template(gather, n, &number);
    rc = rc < 0 ? rc : find_site(gather, symbol, number, ret_site);
    if (rc < 0)
        return rc;
    const uint64_t *sorted = &gather->template_sorted[gather->model->templates[number].first];
    for (uint32_t i = 0; i < n; i++)
        order[(uint32_t)gather->sorted[i]] = (uint32_t)sorted[i];
    gather->symbol_last[symbol] = *ret_site + 1;
    return 0;
}

static int add_node(struct tk_attr_gather *gather, uint32_t node, uint32_t n)
{
    struct tk_attr_model *model = gather->model;
    uint32_t first = gather->attr_count;
    uint32_t *order = &gather->orders[first];
    uint32_t found;
    int rc = place_items(gather, gather->forest->node_symbols[node], n, order, &found);
    if (rc < 0)
        return rc;
    struct tk_attr_found_site *site = &gather->sites[found];
    gather->node_sites[node] = found;
    gather->node_firsts[node] = first;
    gather->attr_count += n;
    /* Values are numbered in the order of the template, as the decoder meets them. */
    uint64_t *raws = gather->sorted;
    for (uint32_t i = 0; i < n; i++)
        raws[order[i]] = gather->items[i].raw;
    const uint32_t *columns = &model->template_columns[model->templates[site->attr_template].first];
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        uint32_t value = 0;
        rc = find_value(gather, columns[i], raws[i], &value);
        gather->values[first + i] = value;
        uint32_t slot = site->slots + i;
        if (site->uses == 0) {
            gather->slot_values[slot] = value;
            gather->slot_varies[slot] = false;
        } else if (gather->slot_values[slot] != value) {
            gather->slot_varies[slot] = true;
        }
    }
    site->uses++;
    return rc;
}

/* Records are in the order in which they came; the model wants them by column. */
static void sort_values(struct tk_attr_gather *gather)
{
    struct tk_attr_model *model = gather->model;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < model->column_count; i++) {
        model->columns[i].first = sum;
        sum += model->columns[i].count;
    }
    for (uint32_t i = 0; i < model->value_count; i++) {
        const struct tk_attr_column *column = &model->columns[gather->record_columns[i]];
        uint32_t at = column->first + gather->record_values[i];
        model->values[at] = gather->record_raws[i];
        gather->value_uses[at] = gather->record_uses[i];
    }
}

static void list_node(struct tk_attr_gather *gather, const struct tk_codec_options *options,
                      uint32_t node, uint32_t *ret_n)
{
    size_t row = gather->forest->rows[node];
    if (options->attrs == TK_CODEC_ATTRS_NONE) {
        *ret_n = 0;
    } else if (options->attrs == TK_CODEC_ATTRS_GENT) {
        *ret_n = list_gent(gather, row);
    } else {
        *ret_n = list_all(gather, row);
    }
    if (gather->first_look)
        *ret_n = leave_out(gather, *ret_n, options->attrs == TK_CODEC_ATTRS_GENT);
}

/* Room for all; `most` is known then. */
static int begin(struct tk_attr_gather *gather, const struct tk_codec_options *options,
                 struct tk_err *err)
{
    const struct tk_span_batch *batch = gather->batch;
    size_t attrs = batch->attr_count;
    if (options->attrs == TK_CODEC_ATTRS_GENT) {
        gather->most = TK_GENT_MOST;
        attrs = (size_t)gather->forest->node_count * TK_GENT_MOST;
        begin_gent(gather);
    }
    for (size_t row = 0; row < batch->rows; row++) {
        size_t n;
        (void)tk_span_attrs(batch, row, &n);
        gather->most = n > gather->most ? (uint32_t)n : gather->most;
    }
    return allocate(gather, attrs + 1, err);
}

int tk_attr_gather_run(struct tk_attr_gather *gather, struct tk_attr_model *model,
                       const struct tk_attr_gather_input *input, struct tk_err *err)
{
    const struct tk_forest *forest = input->forest;
    *gather = (struct tk_attr_gather){.model = model,
                                      .forest = forest,
                                      .batch = input->batch,
                                      .options = input->options,
                                      .first_look = input->first_look,
                                      .most = 1};
    int rc = begin(gather, input->options, err);
    if (rc < 0)
        return rc;
    memset(gather->symbol_last, 0, forest->symbol_count * sizeof(*gather->symbol_last));
    for (uint32_t node = 0; rc == 0 && node < forest->node_count; node++) {
        uint32_t n;
        list_node(gather, input->options, node, &n);
        rc = add_node(gather, node, n);
    }
    gather->node_firsts[forest->node_count] = gather->attr_count;
    if (rc == 0 && model->texts.full)
        return tk_fail(err, -EMSGSIZE, "attributes of a block: more than 1 GiB of texts");
    sort_values(gather);
    return rc < 0 ? no_memory(err) : 0;
}

/* A second look -------------------------------------------------------------------------------- */

static bool is_rare_value(const struct tk_attr_gather *gather, uint32_t record, uint32_t min_count)
{
    const struct tk_attr_model *model = gather->model;
    uint32_t column = gather->record_columns[record];
    uint8_t attr_class = model->columns[column].attr_class;
    if (gather->column_uses[column] < min_count)
        return true;
    if (attr_class == TK_ATTR_CLASS_DRAWN)
        return false;
    if (attr_class != TK_ATTR_CLASS_TOKENS)
        return gather->record_uses[record] < min_count;
    tk_str text = tk_texts_get(&model->texts, (uint32_t)gather->record_raws[record]);
    return tk_attr_pattern_uses(model, text) < min_count;
}

void tk_attr_gather_mark(struct tk_attr_gather *gather, uint32_t min_count)
{
    struct tk_attr_model *model = gather->model;
    memset(gather->column_uses, 0, model->column_count * sizeof(*gather->column_uses));
    for (uint32_t i = 0; i < model->value_count; i++)
        gather->column_uses[gather->record_columns[i]] += gather->record_uses[i];
    for (uint32_t i = 0; i < model->value_count; i++)
        gather->record_is_rare[i] = is_rare_value(gather, i, min_count);
    for (uint32_t i = 0; i < model->column_count; i++)
        gather->column_classes[i] = model->columns[i].attr_class;
    tk_attr_model_forget(model);
}

void tk_attr_gather_classes(struct tk_attr_gather *gather)
{
    struct tk_attr_model *model = gather->model;
    const struct tk_attr_gather *look = gather->first_look;
    for (uint32_t i = 0; i < model->column_count; i++) {
        struct tk_attr_column *column = &model->columns[i];
        uint32_t before;
        if (!tk_map_find(&look->column_map, (uint64_t)column->key << 3 | column->type, &before))
            continue;
        column->attr_class = look->column_classes[before];
        column->is_chosen = true;
    }
}
