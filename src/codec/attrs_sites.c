/* SPDX-License-Identifier: Apache-2.0 */
/* Sites by symbol, and what of their slots need not be coded: constants, and values that follow
 * from another slot of the same span, as the name of a product follows from its id. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/attrs_gather.h"

#define PAIRS_PER_SLOT  6
#define MAX_PAIR_VALUES ((uint32_t)1 << 21) /* of all pairs of a site */

/* Whether slot `to` follows from slot `from`. */
struct pair {
    uint32_t from, to;
    uint32_t *links; /* [values of `from`] value of `to` + 1 */
    uint32_t known;  /* uses that came with a value of `from` that was there before */
    bool is_wrong;
};

struct pairs {
    struct pair *pairs;
    uint32_t count, max;
    uint32_t *links;
    uint32_t link_count;
    uint32_t total; /* links of all slots that were chosen */
};

static bool can_be_pair(const struct tk_attr_model *model, const struct tk_attr_site *site,
                        uint32_t place)
{
    const struct tk_attr_slot *slot = &model->slots[site->slots + place];
    return slot->mode == TK_ATTR_SLOT_CODED &&
           model->columns[slot->column].attr_class != TK_ATTR_CLASS_DRAWN;
}

static void list_pairs(struct pairs *pairs, const struct tk_attr_model *model,
                       const struct tk_attr_site *site)
{
    pairs->count = 0;
    pairs->link_count = 0;
    for (uint32_t to = 1; to < site->n; to++) {
        uint32_t few = 0;
        if (!can_be_pair(model, site, to))
            continue;
        for (uint32_t from = to; from-- > 0 && few < PAIRS_PER_SLOT && pairs->count < pairs->max;) {
            uint32_t n = model->columns[model->slots[site->slots + from].column].count;
            if (!can_be_pair(model, site, from) || n > MAX_PAIR_VALUES - pairs->link_count)
                continue;
            uint32_t *links = pairs->links + pairs->link_count;
            memset(links, 0, n * sizeof(*links));
            pairs->link_count += n;
            pairs->pairs[pairs->count++] = (struct pair){from, to, links, 0, false};
            few++;
        }
    }
}

/* Look at the values of one use; pairs that are wrong are looked at no more. */
static void look(struct pairs *pairs, const uint32_t *values)
{
    for (uint32_t i = 0; i < pairs->count; i++) {
        struct pair *pair = &pairs->pairs[i];
        uint32_t *link = &pair->links[values[pair->from]];
        if (*link == 0) {
            *link = values[pair->to] + 1;
        } else if (*link == values[pair->to] + 1) {
            pair->known++;
        } else {
            pairs->pairs[i--] = pairs->pairs[--pairs->count];
        }
    }
}

/* A pair pays that mostly tells what would have to be coded. */
static void choose(struct pairs *pairs, struct tk_attr_model *model,
                   const struct tk_attr_site *site, uint32_t uses)
{
    for (uint32_t i = 0; i < pairs->count; i++) {
        const struct pair *pair = &pairs->pairs[i];
        struct tk_attr_slot *to = &model->slots[site->slots + pair->to];
        uint32_t links = model->columns[model->slots[site->slots + pair->from].column].count;
        bool is_better = to->mode == TK_ATTR_SLOT_CODED || pair->from > to->arg;
        if (pair->known < uses / 2 || !is_better || links > TK_ATTR_MAX_LINKS - pairs->total)
            continue;
        pairs->total += links;
        to->mode = TK_ATTR_SLOT_DETERMINED;
        to->arg = pair->from;
        to->links = links; /* how many, until they are coded */
    }
}

/* Sites of the model in the order of their symbols; `ret_numbers` tells where each went. */
static void number_sites(struct tk_attr_gather *gather, uint32_t *ret_numbers)
{
    struct tk_attr_model *model = gather->model;
    uint32_t *ends = model->symbol_sites + 1;
    memset(model->symbol_sites, 0, ((size_t)model->symbol_count + 1) * sizeof(*ends));
    for (uint32_t i = 0; i < model->site_count; i++)
        ends[gather->sites[i].symbol]++;
    for (uint32_t s = 1; s < model->symbol_count; s++)
        ends[s] += ends[s - 1];
    for (uint32_t i = model->site_count; i-- > 0;)
        ret_numbers[i] = --ends[gather->sites[i].symbol];
    /* Each end now stands at the beginning of its symbol. */
    for (uint32_t s = 0; s < model->symbol_count; s++)
        model->symbol_sites[s] = ends[s];
    model->symbol_sites[model->symbol_count] = model->site_count;
}

static void fill_site(struct tk_attr_gather *gather, const struct tk_attr_found_site *found,
                      struct tk_attr_site *site)
{
    struct tk_attr_model *model = gather->model;
    const struct tk_attr_template *t = &model->templates[found->attr_template];
    *site = (struct tk_attr_site){found->attr_template, found->slots, t->n, TK_ATTR_NO_SITE};
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t column = model->template_columns[t->first + i];
        bool is_drawn = model->columns[column].attr_class == TK_ATTR_CLASS_DRAWN;
        bool is_constant = !gather->slot_varies[found->slots + i] && !is_drawn;
        model->slots[found->slots + i] =
            (struct tk_attr_slot){column, is_constant ? TK_ATTR_SLOT_CONSTANT : TK_ATTR_SLOT_CODED,
                                  is_constant ? gather->slot_values[found->slots + i] : 0, 0};
    }
}

/* Slots stand in the order in which sites were found; the decoder has them in the order of sites.
 */
static int sort_slots(struct tk_attr_model *model, struct tk_err *err)
{
    struct tk_attr_slot *sorted = malloc(((size_t)model->slot_count + 1) * sizeof(*sorted));
    if (!sorted)
        return tk_fail(err, -ENOMEM, "attributes of a block: out of memory");
    uint32_t n = 0;
    for (uint32_t i = 0; i < model->site_count; i++) {
        struct tk_attr_site *site = &model->sites[i];
        memcpy(sorted + n, model->slots + site->slots, site->n * sizeof(*sorted));
        site->slots = n;
        n += site->n;
    }
    memcpy(model->slots, sorted, n * sizeof(*sorted));
    free(sorted);
    return 0;
}

/* Find pairs, site by site: `nodes` are sorted by site, those of site i end at ends[i]. */
static void find_pairs(struct tk_attr_gather *gather, struct pairs *pairs, const uint32_t *nodes,
                       const uint32_t *ends)
{
    struct tk_attr_model *model = gather->model;
    for (uint32_t i = 0; i < model->site_count; i++) {
        uint32_t begin = i > 0 ? ends[i - 1] : 0;
        uint32_t uses = ends[i] - begin;
        list_pairs(pairs, model, &model->sites[i]);
        for (uint32_t k = begin; k < ends[i] && pairs->count > 0; k++)
            look(pairs, &gather->values[gather->node_firsts[nodes[k]]]);
        choose(pairs, model, &model->sites[i], uses);
    }
}

static void sort_nodes(const struct tk_attr_gather *gather, uint32_t *nodes, uint32_t *ends)
{
    uint32_t sites = gather->model->site_count;
    uint32_t count = gather->forest->node_count;
    memset(ends, 0, sites * sizeof(*ends));
    for (uint32_t i = 0; i < count; i++)
        ends[gather->node_sites[i]]++;
    for (uint32_t i = 1; i < sites; i++)
        ends[i] += ends[i - 1];
    for (uint32_t i = count; i-- > 0;)
        nodes[--ends[gather->node_sites[i]]] = i;
    for (uint32_t i = 0; i + 1 < sites; i++)
        ends[i] = ends[i + 1];
    if (sites > 0)
        ends[sites - 1] = count;
}

/* Scratch: one number a site, one node a node. */
static int fill_sites(struct tk_attr_gather *gather, struct pairs *pairs, uint32_t *numbers,
                      uint32_t *by_site, struct tk_err *err)
{
    struct tk_attr_model *model = gather->model;
    model->slot_count = gather->slot_count;
    number_sites(gather, numbers);
    for (uint32_t i = 0; i < model->site_count; i++)
        fill_site(gather, &gather->sites[i], &model->sites[numbers[i]]);
    for (uint32_t i = 0; i < gather->forest->node_count; i++)
        gather->node_sites[i] = numbers[gather->node_sites[i]];
    sort_nodes(gather, by_site, numbers);
    find_pairs(gather, pairs, by_site, numbers);
    return sort_slots(model, err);
}

int tk_attr_gather_sites(struct tk_attr_gather *gather, struct tk_err *err)
{
    struct pairs pairs = {.max = 4096};
    struct tk_arena links = {0}; /* few sites take all of it */
    uint32_t *numbers = calloc((size_t)gather->model->site_count + 1, sizeof(*numbers));
    uint32_t *by_site = calloc((size_t)gather->forest->node_count + 1, sizeof(*by_site));
    pairs.pairs = calloc(pairs.max, sizeof(*pairs.pairs));
    bool ok = numbers && by_site && pairs.pairs;
    int rc = ok ? tk_arena_init(&links, MAX_PAIR_VALUES * sizeof(*pairs.links), err)
                : tk_fail(err, -ENOMEM, "attributes of a block: out of memory");
    if (ok && rc == 0) {
        pairs.links = (void *)links.p;
        rc = fill_sites(gather, &pairs, numbers, by_site, err);
    }
    free(numbers);
    free(by_site);
    free(pairs.pairs);
    tk_arena_release(&links);
    return rc;
}
