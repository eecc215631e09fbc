/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/ids.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/details.h"

#define NEAR_MAX   (UINT64_C(1) << 40) /* beyond that, words are not in a row */
#define UPPER_MAX  (UINT64_C(1) << 12)
#define LOOK_NODES 64 /* before a node, among which its parent's id is looked for */

/* What a word of 64 bits is, beside what a caller offers. */
enum word_kind {
    RAW = 0,
    ZERO,
    OFFERED,            /* the first, second or third offered word */
    NEAR = OFFERED + 3, /* a small step from the word before */
    UPPER,              /* only its upper 32 bits are */
    WORD_KIND_COUNT
};

/* What a parent's id is, where it is not what the tree tells. */
enum parent_kind { NONE = 0, RAW_PARENT, LAST_RAW, OWN, NEIGHBOUR, ABOVE, PARENT_KIND_COUNT };

static void init_models(struct tk_id_models *models)
{
    tk_bits_init(models->kind, TK_COUNTOF(models->kind));
    tk_bits_init(models->top, TK_COUNTOF(models->top));
    tk_exp_models_init(&models->near);
    tk_exp_models_init(&models->upper);
}

int tk_ids_init(struct tk_ids *ids, const struct tk_forest *forest, struct tk_err *err)
{
    size_t n = (size_t)forest->node_count + 1;
    *ids = (struct tk_ids){.forest = forest};
    for (size_t i = 0; i < 2; i++) {
        init_models(&ids->traces[i]);
        for (size_t k = 0; k < TK_IDS_SLOTS; k++)
            init_models(&ids->spans[i][k]);
    }
    tk_bits_init(ids->expected, TK_COUNTOF(ids->expected));
    tk_bits_init(ids->parent_kind, TK_COUNTOF(ids->parent_kind));
    ids->parents = calloc(n, sizeof(*ids->parents));
    ids->span_ids = calloc(n, sizeof(*ids->span_ids));
    ids->parent_ids = calloc(n, sizeof(*ids->parent_ids));
    ids->slots = calloc((size_t)forest->symbol_count + 1, sizeof(*ids->slots));
    if (!ids->parents || !ids->span_ids || !ids->parent_ids || !ids->slots)
        return tk_fail(err, -ENOMEM, "out of memory");
    tk_forest_parents(forest, ids->parents);
    for (uint32_t i = 0; i < forest->symbol_count; i++) {
        struct tk_symbol service = {.service = forest->symbols[i].service};
        ids->slots[i] = (uint8_t)(tk_symbol_key(forest, &service) % TK_IDS_SLOTS);
    }
    return 0;
}

void tk_ids_release(struct tk_ids *ids)
{
    free(ids->parents);
    free(ids->span_ids);
    free(ids->parent_ids);
    free(ids->slots);
    ids->parents = NULL;
    ids->span_ids = NULL;
    ids->parent_ids = NULL;
    ids->slots = NULL;
}

/* Words ---------------------------------------------------------------------------------------- */

static uint64_t fold(uint64_t step)
{
    return step << 1 ^ (step >> 63 ? UINT64_MAX : 0);
}

static uint64_t unfold(uint64_t folded)
{
    return folded >> 1 ^ (folded & 1 ? UINT64_MAX : 0);
}

static uint32_t find_kind(uint64_t word, const uint64_t offers[3], uint64_t before)
{
    if (word == 0)
        return ZERO;
    for (uint32_t i = 0; i < 3; i++) {
        if (word == offers[i])
            return OFFERED + i;
    }
    if (fold(word - before) < NEAR_MAX)
        return NEAR;
    return fold((word >> 32) - (before >> 32)) < UPPER_MAX ? UPPER : RAW;
}

/* A word that is random, one of three others, or near the one before. */
static uint64_t code_word(struct tk_coder *coder, struct tk_id_models *models,
                          const uint64_t offers[3], uint64_t before, uint64_t word)
{
    uint32_t kind = coder->mode == TK_CODER_DECODE ? RAW : find_kind(word, offers, before);
    kind = tk_code_tree(coder, models->kind, 3, kind);
    if (kind == ZERO)
        return 0;
    if (kind >= OFFERED && kind < NEAR)
        return offers[kind - OFFERED];
    if (kind == NEAR)
        return before + unfold(tk_code_exp(coder, &models->near, fold(word - before)));
    uint32_t upper = (uint32_t)(word >> 32);
    if (kind == UPPER) {
        uint64_t step = fold((word >> 32) - (before >> 32));
        upper = (uint32_t)((before >> 32) + unfold(tk_code_exp(coder, &models->upper, step)));
    } else {
        uint32_t top = (uint32_t)tk_code_bit(coder, &models->top[0], upper >> 31);
        upper = top << 31 | tk_code_raw(coder, upper & 0x7FFFFFFF, 31);
    }
    return (uint64_t)upper << 32 | tk_code_raw(coder, (uint32_t)word, 32);
}

/* Traces and nodes ----------------------------------------------------------------------------- */

void tk_code_trace_id(struct tk_ids *ids, uint8_t id[16])
{
    uint64_t words[2];
    memcpy(words, id, sizeof(words));
    for (size_t i = 0; i < 2; i++) {
        const uint64_t offers[3] = {ids->last_trace[i], 0, 0};
        words[i] =
            code_word(&ids->coder, &ids->traces[i], offers, ids->last_trace[i], be64toh(words[i]));
        ids->trace_id[i] = words[i];
        ids->last_trace[i] = words[i];
        words[i] = htobe64(words[i]);
    }
    memcpy(id, words, sizeof(words));
}

/* The node whose id it is, as a distance back; 0 = not found near. */
static uint32_t find_neighbour(const struct tk_ids *ids, uint32_t first, uint32_t node, uint64_t id)
{
    for (uint32_t back = 1; back <= LOOK_NODES && back <= node - first; back++) {
        if (ids->span_ids[node - back] == id)
            return back;
    }
    return 0;
}

static uint32_t find_parent_kind(const struct tk_ids *ids, uint32_t first, uint32_t node,
                                 uint64_t id)
{
    uint32_t parent = ids->parents[node];
    if (id == 0)
        return NONE;
    if (id == ids->span_ids[node])
        return OWN;
    if (parent != TK_FOREST_TOP && id == ids->parent_ids[parent])
        return ABOVE;
    if (id == ids->last_raw_parent)
        return LAST_RAW;
    return find_neighbour(ids, first, node, id) > 0 ? NEIGHBOUR : RAW_PARENT;
}

static uint64_t code_raw(struct tk_coder *coder, uint64_t word)
{
    uint64_t upper = tk_code_raw(coder, (uint32_t)(word >> 32), 32);
    return upper << 32 | tk_code_raw(coder, (uint32_t)word, 32);
}

static uint64_t code_other_parent(struct tk_ids *ids, uint32_t first, uint32_t node, uint64_t id)
{
    uint32_t kind = ids->coder.mode == TK_CODER_DECODE ? (uint32_t)NONE
                                                       : find_parent_kind(ids, first, node, id);
    uint32_t parent = ids->parents[node];
    kind = tk_code_tree(&ids->coder, ids->parent_kind, 3, kind);
    switch (kind) {
    case NONE:
        return 0;
    case OWN:
        return ids->span_ids[node];
    case ABOVE:
        return parent == TK_FOREST_TOP ? 0 : ids->parent_ids[parent];
    case LAST_RAW:
        return ids->last_raw_parent;
    case NEIGHBOUR: {
        uint32_t back =
            ids->coder.mode == TK_CODER_DECODE ? 1 : find_neighbour(ids, first, node, id);
        back = tk_code_raw(&ids->coder, back - 1, 6) + 1;
        return back <= node - first ? ids->span_ids[node - back] : 0;
    }
    default:
        ids->last_raw_parent = code_raw(&ids->coder, id);
        return ids->last_raw_parent;
    }
}

/* Below another span its id; on top none; of an orphan any. */
static uint64_t code_parent(struct tk_ids *ids, uint32_t first, uint32_t node, uint64_t id)
{
    uint32_t parent = ids->parents[node];
    bool orphan = ids->forest->symbols[ids->forest->node_symbols[node]].orphan != 0;
    size_t place = parent != TK_FOREST_TOP ? 0 : orphan ? 2 : 1;
    uint64_t expected = place == 0 ? ids->span_ids[parent] : 0;
    if (tk_code_bit(&ids->coder, &ids->expected[place], id == expected))
        return expected;
    return code_other_parent(ids, first, node, id);
}

void tk_code_node_ids(struct tk_ids *ids, uint32_t trace, uint32_t node, uint64_t *span_id,
                      uint64_t *parent_id)
{
    uint32_t first = tk_forest_begin(ids->forest, trace);
    uint32_t parent = ids->parents[node];
    bool below = parent != TK_FOREST_TOP;
    const uint64_t offers[3] = {ids->trace_id[1], ids->trace_id[0],
                                below ? ids->span_ids[parent] : 0};
    uint64_t before = node > 0 ? ids->span_ids[node - 1] : 0;
    struct tk_id_models *models = &ids->spans[below][ids->slots[ids->forest->node_symbols[node]]];
    ids->span_ids[node] = code_word(&ids->coder, models, offers, before, be64toh(*span_id));
    *span_id = htobe64(ids->span_ids[node]);
    ids->parent_ids[node] = code_parent(ids, first, node, be64toh(*parent_id));
    *parent_id = htobe64(ids->parent_ids[node]);
}
