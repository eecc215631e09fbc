/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/attr_template.h"

#include <errno.h>
#include <string.h>

#include "codec/draw.h"

#define TEXT_BYTES ((size_t)1 << 30) /* reserved, not taken */

/* Places of choices that are no slots. */
#define PLACE_SITE (UINT64_C(1) << 40)

/* Memory --------------------------------------------------------------------------------------- */

/* An array of the model: where its pointer stands, the size of an element, how many. */
struct array {
    size_t place, size, n;
};

#define ARRAY(member, count)                                                                       \
    {                                                                                              \
        offsetof(struct tk_attr_model, member), sizeof(*((struct tk_attr_model *)0)->member),      \
            (count)                                                                                \
    }

/* Lay all arrays into one piece of memory; returns its size. With p == NULL only that. */
static size_t lay_out(struct tk_attr_model *model, const struct tk_attr_limits *limits,
                      uint32_t nodes, char *p)
{
    size_t symbols = model->symbol_count;
    const struct array arrays[] = {
        ARRAY(columns, limits->columns),
        ARRAY(templates, limits->templates),
        ARRAY(template_columns, limits->template_columns),
        ARRAY(sites, limits->sites),
        ARRAY(slots, limits->slots),
        ARRAY(above, limits->slots),
        ARRAY(symbol_sites, symbols + 1),
        ARRAY(after, (size_t)limits->slots + limits->sites),
        ARRAY(links, (size_t)limits->links + 1),
        ARRAY(values, limits->values),
        ARRAY(node_sites, nodes),
        ARRAY(node_values, nodes),
        ARRAY(trace_values, limits->trace_values),
    };
    size_t sum = 64;
    for (size_t i = 0; i < TK_COUNTOF(arrays); i++) {
        if (p) {
            void *at = p + sum;
            memcpy((char *)model + arrays[i].place, &at, sizeof(at));
        }
        sum += (arrays[i].size * arrays[i].n + 63) & ~(size_t)63;
    }
    return sum;
}

int tk_attr_model_init(struct tk_attr_model *model, const struct tk_attr_limits *limits,
                       uint32_t symbols, uint32_t nodes, struct tk_err *err)
{
    *model = (struct tk_attr_model){
        .symbol_count = symbols,
        .max_values = limits->values,
        .max_trace_values = limits->trace_values,
        .max_links = limits->links + 1,
        .link_count = 1,
    };
    tk_bits_init(&model->order_bits[0][0], sizeof(model->order_bits) / sizeof(struct tk_bit));
    int rc = tk_arena_init(&model->memory, lay_out(model, limits, nodes, NULL), err);
    if (rc == 0)
        rc = tk_texts_init(&model->texts, TEXT_BYTES, err);
    if (rc == 0)
        rc = tk_guesser_init(&model->choices, err);
    if (rc < 0) {
        tk_attr_model_release(model);
        return rc;
    }
    (void)lay_out(model, limits, nodes, model->memory.p);
    return 0;
}

void tk_attr_model_forget(struct tk_attr_model *model)
{
    model->column_count = 0;
    model->template_count = 0;
    model->template_columns_n = 0;
    model->site_count = 0;
    model->value_count = 0;
    model->max_tokens = 0;
    model->max_patterns = 0;
    tk_map_reset(&model->token_uses);
    tk_map_reset(&model->pattern_uses);
}

void tk_attr_model_release(struct tk_attr_model *model)
{
    tk_map_release(&model->token_uses);
    tk_map_release(&model->pattern_uses);
    tk_guesser_release(&model->choices);
    tk_texts_release(&model->texts);
    tk_arena_release(&model->memory);
    *model = (struct tk_attr_model){0};
}

uint64_t tk_attr_position(const struct tk_coder *coder)
{
    uint64_t bytes = coder->mode == TK_CODER_ENCODE ? coder->out->n + coder->pending
                                                    : (uint64_t)(uintptr_t)coder->in;
    /* The logarithm of the range, its fraction by a straight line: what that is off by cancels out
     * over many differences. */
    unsigned lead = (unsigned)__builtin_clz(coder->range | 1);
    uint32_t fraction = (uint32_t)((uint64_t)coder->range << (lead + 1) & UINT32_MAX) >> 20;
    return (bytes << 15) - ((uint64_t)(31 - lead) << 12) - fraction;
}

/* Templates and sites -------------------------------------------------------------------------- */

struct site_models {
    struct tk_exp_models templates, columns, counts, numbers, args;
    struct tk_bit modes[4];
    struct tk_bit ordered;
};

static int bad(struct tk_err *err)
{
    return tk_fail(err, -EBADMSG, "attributes: templates are damaged");
}

/* Columns of a template mostly follow each other. */
static int code_template(struct tk_attr_model *model, struct tk_coder *coder,
                         struct site_models *models, const struct tk_attr_limits *limits,
                         struct tk_err *err)
{
    struct tk_attr_template *t = &model->templates[model->template_count];
    uint64_t n = tk_code_exp(coder, &models->counts, t->n);
    if (n > limits->template_columns - model->template_columns_n || tk_coder_is_over(coder))
        return bad(err);
    *t = (struct tk_attr_template){model->template_columns_n, (uint32_t)n};
    uint32_t *columns = &model->template_columns[t->first];
    int64_t last = -1;
    for (uint32_t i = 0; i < t->n; i++) {
        int64_t step = (int64_t)columns[i] - last - 1;
        uint64_t coded = (uint64_t)step << 1 ^ (uint64_t)(step >> 63);
        coded = tk_code_exp(coder, &models->columns, coded);
        step = (int64_t)(coded >> 1) ^ -(int64_t)(coded & 1);
        if (step < -last - 1 || step >= (int64_t)model->column_count - last - 1)
            return bad(err);
        last += step + 1;
        columns[i] = (uint32_t)last;
    }
    model->template_columns_n += t->n;
    model->template_count++;
    return 0;
}

static int code_slot(struct tk_attr_model *model, struct tk_coder *coder,
                     struct site_models *models, const struct tk_attr_site *site, uint32_t place,
                     struct tk_err *err)
{
    struct tk_attr_slot *slots = &model->slots[site->slots];
    struct tk_attr_slot *slot = &slots[place];
    const struct tk_attr_column *column = &model->columns[slot->column];
    slot->mode = tk_code_tree(coder, models->modes, 2, slot->mode);
    slot->links = 0;
    if (column->count == 0 || slot->mode >= TK_ATTR_SLOT_MODES)
        return bad(err);
    if (slot->mode == TK_ATTR_SLOT_CODED)
        return 0;
    slot->arg = (uint32_t)tk_code_exp(coder, &models->args, slot->arg);
    if (slot->mode == TK_ATTR_SLOT_CONSTANT)
        return slot->arg < column->count ? 0 : bad(err);
    if (slot->arg >= place)
        return bad(err);
    uint32_t n = model->columns[slots[slot->arg].column].count;
    if (n > model->max_links - model->link_count)
        return bad(err);
    slot->links = model->link_count;
    model->link_count += n;
    memset(&model->links[slot->links], 0, n * sizeof(*model->links));
    return 0;
}

/* The sites of a symbol; those of the encoder have their slots. */
static int code_site(struct tk_attr_model *model, struct tk_coder *coder,
                     struct site_models *models, const struct tk_attr_limits *limits,
                     struct tk_err *err)
{
    struct tk_attr_site *site = &model->sites[model->site_count];
    uint64_t number = tk_code_exp(coder, &models->templates, site->attr_template);
    if (number >= model->template_count)
        return bad(err);
    const struct tk_attr_template *t = &model->templates[number];
    if (t->n > limits->slots - model->slot_count)
        return bad(err);
    *site = (struct tk_attr_site){(uint32_t)number, model->slot_count, t->n, TK_ATTR_NO_SITE};
    for (uint32_t i = 0; i < t->n; i++) {
        model->slots[site->slots + i].column = model->template_columns[t->first + i];
        int rc = code_slot(model, coder, models, site, i, err);
        if (rc < 0)
            return rc;
    }
    uint32_t *after = &model->after[site->slots + model->site_count];
    for (uint32_t i = 0; i <= t->n && model->is_ordered; i++)
        after[i] = i;
    model->slot_count += t->n;
    model->site_count++;
    return 0;
}

int tk_attr_code_sites(struct tk_attr_model *model, struct tk_coder *coder,
                       const struct tk_attr_limits *limits, struct tk_err *err)
{
    struct site_models models;
    tk_exp_models_init(&models.templates);
    tk_exp_models_init(&models.columns);
    tk_exp_models_init(&models.counts);
    tk_exp_models_init(&models.numbers);
    tk_exp_models_init(&models.args);
    tk_bits_init(models.modes, TK_COUNTOF(models.modes));
    models.ordered = TK_BIT_NEW;
    model->is_ordered = tk_code_bit(coder, &models.ordered, model->is_ordered);
    uint64_t count = tk_code_exp(coder, &models.numbers, model->template_count);
    if (count > limits->templates)
        return bad(err);
    int rc = 0;
    model->template_count = 0;
    model->template_columns_n = 0;
    while (rc == 0 && model->template_count < count)
        rc = code_template(model, coder, &models, limits, err);
    model->site_count = 0;
    model->slot_count = 0;
    for (uint32_t s = 0; rc == 0 && s < model->symbol_count; s++) {
        uint64_t n = model->symbol_sites[s + 1] - model->symbol_sites[s];
        n = tk_code_exp(coder, &models.numbers, n);
        if (n > limits->sites - model->site_count || tk_coder_is_over(coder))
            return bad(err);
        uint32_t end = model->site_count + (uint32_t)n;
        model->symbol_sites[s] = model->site_count;
        while (rc == 0 && model->site_count < end)
            rc = code_site(model, coder, &models, limits, err);
    }
    model->symbol_sites[model->symbol_count] = model->site_count;
    return rc;
}

/* Nodes ---------------------------------------------------------------------------------------- */

/* Where the columns of a site stand in the site of its parent. */
static void link_above(struct tk_attr_model *model, struct tk_attr_site *site, uint32_t parent)
{
    const struct tk_attr_site *above = &model->sites[parent];
    for (uint32_t i = 0; i < site->n; i++) {
        uint32_t found = 0;
        for (uint32_t k = 0; k < above->n && found == 0; k++) {
            bool same =
                model->slots[above->slots + k].column == model->slots[site->slots + i].column;
            found = same ? k + 1 : 0;
        }
        model->above[site->slots + i] = found;
    }
    site->parent = parent;
}

/* DRAWN values are numbered anew in each trace. */
static void begin_column(struct tk_attr_column *column, uint32_t trace)
{
    if (column->attr_class == TK_ATTR_CLASS_DRAWN && column->seen_trace != trace) {
        column->seen_trace = trace;
        column->seen = 0;
    }
}

/* What a slot's value is likely to follow from. */
struct slot_view {
    uint32_t slot;
    uint32_t above; /* value of the same column at the parent + 1; 0 = none */
    uint32_t child; /* of the node */
    uint64_t chain; /* hash of what was coded of this span */
};

static uint32_t code_choice(struct tk_attr_model *model, struct tk_coder *coder,
                            struct tk_attr_column *column, uint32_t trace,
                            const struct slot_view *view, uint32_t value)
{
    uint32_t before = column->last_trace == trace ? column->last + 1 : 0;
    uint64_t place = tk_draw_round(view->slot + 1);
    struct tk_guess choice = {
        .place = place,
        .set = tk_draw_round(place ^ UINT64_C(0x5bd1e995)),
        .contexts = {tk_draw_round(place ^ view->chain * 3 ^ (uint64_t)view->above << 32),
                     tk_draw_round(place + view->chain + ((uint64_t)view->child << 32) + 1),
                     tk_draw_round(place ^ (uint64_t)before << 20 ^ UINT64_C(7) << 56)},
        .count = column->count,
        .seen = column->seen < column->count ? column->seen : column->count,
    };
    return tk_code_guess(&model->choices, coder, &choice, value);
}

static uint32_t code_value(struct tk_attr_model *model, struct tk_coder *coder,
                           const struct tk_attr_node *node, const uint32_t *own,
                           struct slot_view *view, uint32_t value)
{
    const struct tk_attr_slot *slot = &model->slots[view->slot];
    struct tk_attr_column *column = &model->columns[slot->column];
    if (slot->mode == TK_ATTR_SLOT_CONSTANT)
        return slot->arg;
    uint32_t *link = NULL;
    if (slot->mode == TK_ATTR_SLOT_DETERMINED) {
        link = &model->links[slot->links + own[slot->arg]];
        if (*link > 0)
            return *link - 1;
    }
    uint64_t from = tk_attr_position(coder);
    value = code_choice(model, coder, column, node->trace, view, value);
    column->use_bits += tk_attr_position(coder) - from;
    if (link) {
        *link = value + 1;
    } else {
        view->chain = tk_draw_round(view->chain ^ (uint64_t)value << 24 ^ slot->column);
    }
    return value;
}

static uint32_t code_site_of(struct tk_attr_model *model, struct tk_coder *coder,
                             const struct tk_attr_node *node, uint32_t site)
{
    uint32_t first = model->symbol_sites[node->symbol];
    uint32_t count = model->symbol_sites[node->symbol + 1] - first;
    if (count == 1)
        return first;
    uint32_t above = node->parent == TK_FOREST_TOP ? 0 : model->node_sites[node->parent] + 1;
    uint32_t before = node->index > 0 ? model->node_sites[node->index - 1] + 1 : 0;
    uint64_t place = tk_draw_round(PLACE_SITE | node->symbol);
    struct tk_guess choice = tk_guess_of_node(place, above, before, count);
    uint64_t from = tk_attr_position(coder);
    site = first + tk_code_guess(&model->choices, coder, &choice, site - first);
    model->template_bits += tk_attr_position(coder) - from;
    return site;
}

int tk_attr_code_node(struct tk_attr_model *model, struct tk_coder *coder,
                      const struct tk_attr_node *node, uint32_t *site, const uint32_t *values,
                      struct tk_err *err)
{
    if (node->index == 0)
        model->trace_value_n = 0;
    if (model->symbol_sites[node->symbol] == model->symbol_sites[node->symbol + 1])
        return tk_fail(err, -EBADMSG, "attributes: a symbol without a template");
    *site = code_site_of(model, coder, node, *site);
    struct tk_attr_site *s = &model->sites[*site];
    if (s->n > model->max_trace_values - model->trace_value_n)
        return tk_fail(err, -EBADMSG, "attributes: a trace of too many");
    bool has_parent = node->parent != TK_FOREST_TOP;
    uint32_t parent = has_parent ? model->node_sites[node->parent] : TK_ATTR_NO_SITE;
    const uint32_t *above =
        has_parent ? &model->trace_values[model->node_values[node->parent]] : NULL;
    if (has_parent && s->parent != parent)
        link_above(model, s, parent);
    uint32_t *own = &model->trace_values[model->trace_value_n];
    model->node_sites[node->index] = *site;
    model->node_values[node->index] = model->trace_value_n;
    model->trace_value_n += s->n;
    struct slot_view view = {.child = node->child};
    for (uint32_t i = 0; i < s->n; i++) {
        struct tk_attr_column *column = &model->columns[model->slots[s->slots + i].column];
        view.slot = s->slots + i;
        uint32_t place = has_parent ? model->above[view.slot] : 0;
        view.above = place > 0 ? above[place - 1] + 1 : 0;
        begin_column(column, node->trace);
        own[i] = code_value(model, coder, node, own, &view, values ? values[i] : 0);
        column->seen += own[i] == column->seen;
        column->last = own[i];
        column->last_trace = node->trace;
        column->uses++;
    }
    return tk_coder_is_over(coder) ? tk_fail(err, -EBADMSG, "attributes: values end early") : 0;
}

/* Order ---------------------------------------------------------------------------------------- */

/* A place below n among those that `used` does not have, by its rank there. */
static uint32_t code_rank(struct tk_coder *coder, const uint32_t *used, uint32_t n, uint32_t left,
                          uint32_t place)
{
    uint32_t rank = 0;
    for (uint32_t i = 0; i < n && i < place; i++)
        rank += used[i] == 0;
    rank = tk_code_raw(coder, rank, left > 1 ? 32 - (unsigned)__builtin_clz(left - 1) : 0);
    uint32_t last = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (used[i])
            continue;
        last = i;
        if (rank-- == 0)
            break;
    }
    return last;
}

static bool follows(const uint32_t *after, uint32_t n, const uint32_t *order)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (after[at] != order[i])
            return false;
        at = order[i] + 1;
    }
    return true;
}

/* [0] the first place, [p + 1] what comes after place p: as they came last, or by rank. */
void tk_attr_code_order(struct tk_attr_model *model, struct tk_coder *coder, uint32_t site,
                        uint32_t *order)
{
    uint32_t n = model->sites[site].n;
    uint32_t *after = &model->after[model->sites[site].slots + site];
    uint32_t *used = order + n;
    if (n < 2) {
        for (uint32_t i = 0; i < n; i++)
            order[i] = 0;
        return;
    }
    bool is_encoder = coder->mode != TK_CODER_DECODE;
    bool same = is_encoder && follows(after, n, order);
    struct tk_bit *bits = model->order_bits[site % TK_COUNTOF(model->order_bits)];
    same = tk_code_bit(coder, &bits[0], same);
    memset(used, 0, n * sizeof(*used));
    uint32_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t guess = after[at];
        bool can_be = guess < n && !used[guess];
        bool hit = same;
        if (!same && can_be)
            hit = tk_code_bit(coder, &bits[1 + (i > 0)], is_encoder && order[i] == guess);
        order[i] =
            hit && can_be ? guess : code_rank(coder, used, n, n - i, is_encoder ? order[i] : 0);
        used[order[i]] = 1;
        after[at] = order[i];
        at = order[i] + 1;
    }
}
