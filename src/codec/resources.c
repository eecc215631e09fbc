/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/resources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "codec/draw.h"
#include "table/varint.h"

#define KEY_MAX ((size_t)1 << 28) /* bytes of what tells two scopes apart, all together */

int tk_resources_init(struct tk_resources *resources, const struct tk_resources_limits *limits,
                      uint32_t symbols, uint32_t nodes, struct tk_err *err)
{
    *resources = (struct tk_resources){.symbol_count = symbols};
    const size_t sizes[] = {
        limits->resources * sizeof(struct tk_scope_entry),
        limits->scopes * sizeof(struct tk_scope_entry),
        limits->attrs * sizeof(struct tk_scope_attr),
        symbols * sizeof(uint32_t),
        limits->choices * sizeof(uint32_t),
        nodes * sizeof(uint32_t),
    };
    void *arrays[TK_COUNTOF(sizes)] = {NULL};
    size_t sum = 0;
    for (size_t i = 0; i < TK_COUNTOF(sizes); i++)
        sum += sizes[i] + 64;
    int rc = tk_arena_init(&resources->memory, sum, err);
    rc = rc < 0 ? rc : tk_guesser_init(&resources->choices, err);
    if (rc < 0) {
        tk_resources_release(resources);
        return rc;
    }
    for (size_t i = 0; i < TK_COUNTOF(sizes); i++)
        arrays[i] = tk_arena_alloc(&resources->memory, sizes[i]);
    resources->resources = arrays[0];
    resources->scopes = arrays[1];
    resources->attrs = arrays[2];
    resources->symbol_ends = arrays[3];
    resources->symbol_scopes = arrays[4];
    resources->node_scopes = arrays[5];
    return 0;
}

void tk_resources_release(struct tk_resources *resources)
{
    tk_guesser_release(&resources->choices);
    tk_arena_release(&resources->memory);
    *resources = (struct tk_resources){0};
}

/* The encoder's table -------------------------------------------------------------------------- */

struct gathering {
    struct tk_resources *resources;
    const struct tk_span_batch *batch;
    struct tk_texts keys; /* what tells entries apart */
    struct tk_map places; /* key -> resource, or scope */
    struct tk_buf key;
    struct tk_map uses; /* hash of what a resource or scope says -> spans; where rare things go */
    uint32_t min_count; /* what fewer spans have is left out; 0 = nothing is */
    bool keep_attrs;
    bool is_ordered; /* attributes in another order make another entry */
};

static void put_text(struct gathering *gathering, uint32_t id)
{
    tk_str text = tk_texts_get(&gathering->batch->texts, id);
    tk_varint_put(&gathering->key, text.n);
    tk_buf_put(&gathering->key, text);
}

static int order_attrs(const struct tk_texts *texts, const struct tk_scope_attr *a,
                       const struct tk_scope_attr *b)
{
    int order = tk_str_cmp(tk_texts_get(texts, a->key), tk_texts_get(texts, b->key));
    return order != 0 ? order : (a->type > b->type) - (a->type < b->type);
}

/* What a scope says besides attributes, as a key of `uses`. */
static uint64_t text_hash(uint32_t text)
{
    return tk_draw_round(text + (UINT64_C(1) << 60));
}

static uint64_t service_hash(uint32_t text)
{
    return tk_draw_round(text + (UINT64_C(1) << 61));
}

static uint64_t attr_hash(const struct tk_attr *attr)
{
    uint64_t raw = 0;
    if (tk_attr_is_text(attr->type)) {
        raw = attr->text;
    } else if (attr->type != TK_ATTR_EMPTY) {
        memcpy(&raw, &attr->i64, sizeof(raw));
    }
    return tk_draw_round(tk_draw_round((uint64_t)attr->key << 3 | attr->type) + raw);
}

static int add_uses(struct gathering *gathering, uint64_t hash, uint32_t uses)
{
    uint32_t sum = 0;
    (void)tk_map_find(&gathering->uses, hash, &sum);
    return tk_map_add(&gathering->uses, hash, sum + uses);
}

static bool is_rare(const struct gathering *gathering, uint64_t hash)
{
    uint32_t uses = 0;
    (void)tk_map_find(&gathering->uses, hash, &uses);
    return uses < gathering->min_count;
}

static int count_range(struct gathering *gathering, const struct tk_attr_range *range,
                       uint32_t uses)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < range->n; i++) {
        const struct tk_attr *attr = &gathering->batch->side_attrs[range->begin + i];
        rc = add_uses(gathering, attr_hash(attr), uses);
    }
    return rc;
}

/* Count the spans that have what a scope and its resource say. */
static int count_scope(struct gathering *gathering, uint32_t number, uint32_t uses)
{
    const struct tk_span_scope *scope = &gathering->batch->scopes[number];
    const struct tk_span_resource *resource = &gathering->batch->resources[scope->resource];
    const uint32_t texts[] = {scope->name, scope->version, scope->schema_url, resource->schema_url,
                              resource->entity_refs};
    int rc = count_range(gathering, &scope->attrs, uses);
    rc = rc < 0 ? rc : count_range(gathering, &resource->attrs, uses);
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(texts); i++)
        rc = add_uses(gathering, text_hash(texts[i]), uses);
    return rc < 0 ? rc : add_uses(gathering, service_hash(resource->service), uses);
}

static int count_uses(struct gathering *gathering, const struct tk_forest *forest)
{
    const struct tk_span_batch *batch = gathering->batch;
    uint32_t *uses = calloc((size_t)batch->scope_count + 1, sizeof(*uses));
    int rc = uses ? 0 : -ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < forest->node_count; i++)
        uses[batch->scope_ids[forest->rows[i]]]++;
    for (uint32_t i = 0; rc == 0 && i < batch->scope_count; i++)
        rc = count_scope(gathering, i, uses[i]);
    free(uses);
    return rc;
}

/* A text that is kept, or none. */
static uint32_t keep_text(const struct gathering *gathering, uint32_t text)
{
    bool keep = gathering->keep_attrs && !is_rare(gathering, text_hash(text));
    return keep ? text : 0;
}

/* Take the attributes of a range, sorted by key unless their order counts; that of `service`
 * always (0 = there is none). */
static void take_attrs(struct gathering *gathering, const struct tk_attr_range *range,
                       uint32_t service, struct tk_scope_entry *entry)
{
    struct tk_resources *resources = gathering->resources;
    struct tk_scope_attr *attrs = &resources->attrs[resources->attr_count];
    uint32_t n = 0;
    entry->attrs = resources->attr_count;
    entry->dropped = range->dropped;
    for (uint32_t i = 0; i < range->n; i++) {
        const struct tk_attr *attr = &gathering->batch->side_attrs[range->begin + i];
        struct tk_scope_attr item = {attr->key, attr->type, 0};
        bool is_service = attr->type == TK_ATTR_STRING && service > 0 && attr->text == service;
        if (!is_service && is_rare(gathering, attr_hash(attr)))
            continue;
        if (tk_attr_is_text(attr->type)) {
            item.raw = attr->text;
        } else if (attr->type != TK_ATTR_EMPTY) {
            memcpy(&item.raw, &attr->i64, sizeof(item.raw));
        }
        uint32_t k = n++;
        for (; !gathering->is_ordered && k > 0 &&
               order_attrs(&gathering->batch->texts, &attrs[k - 1], &item) > 0;
             k--)
            attrs[k] = attrs[k - 1];
        attrs[k] = item;
    }
    entry->n = n;
    for (uint32_t i = 0; i < n; i++) {
        put_text(gathering, attrs[i].key);
        tk_varint_put(&gathering->key, attrs[i].type);
        if (tk_attr_is_text(attrs[i].type)) {
            put_text(gathering, (uint32_t)attrs[i].raw);
        } else {
            tk_varint_put(&gathering->key, attrs[i].raw);
        }
    }
}

/* Find the entry whose key is at hand, or let it be number `next`; whether it is new. */
static int find_entry(struct gathering *gathering, uint32_t next, uint32_t *ret_place,
                      bool *ret_new)
{
    uint32_t before = gathering->keys.count;
    uint32_t id = tk_texts_add(&gathering->keys, tk_buf_str(&gathering->key));
    if (id == TK_TEXTS_NONE || !tk_buf_ok(&gathering->key))
        return -EMSGSIZE;
    *ret_new = id == before;
    *ret_place = next;
    if (*ret_new)
        return tk_map_add(&gathering->places, id, next);
    return tk_map_find(&gathering->places, id, ret_place) ? 0 : -EMSGSIZE;
}

static int add_entry(struct gathering *gathering, const struct tk_scope_entry *entry, bool is_scope,
                     uint32_t *ret_place)
{
    struct tk_resources *resources = gathering->resources;
    uint32_t *count = is_scope ? &resources->scope_count : &resources->resource_count;
    struct tk_scope_entry *entries = is_scope ? resources->scopes : resources->resources;
    bool is_new = false;
    for (size_t i = 0; i < TK_SCOPE_TEXTS; i++)
        put_text(gathering, entry->texts[i]);
    tk_varint_put(&gathering->key, entry->dropped);
    tk_varint_put(&gathering->key, entry->resource);
    int rc = find_entry(gathering, *count, ret_place, &is_new);
    if (rc == 0 && is_new) {
        entries[(*count)++] = *entry;
        resources->attr_count += entry->n;
    }
    return rc;
}

/* What is left of a resource whose attributes are not kept. */
static struct tk_attr_range service_of(const struct tk_span_batch *batch,
                                       const struct tk_span_resource *resource)
{
    struct tk_attr_range range = {0};
    for (uint32_t i = 0; i < resource->attrs.n; i++) {
        const struct tk_attr *attr = &batch->side_attrs[resource->attrs.begin + i];
        bool is_name = tk_str_eq(tk_texts_get(&batch->texts, attr->key), TK_STR("service.name"));
        if (is_name && attr->type == TK_ATTR_STRING && attr->text == resource->service)
            range = (struct tk_attr_range){.begin = resource->attrs.begin + i, .n = 1};
    }
    return range;
}

static int add_scope(struct gathering *gathering, uint32_t number, uint32_t *ret_scope)
{
    const struct tk_span_batch *batch = gathering->batch;
    const struct tk_span_scope *scope = &batch->scopes[number];
    const struct tk_span_resource *resource = &batch->resources[scope->resource];
    const struct tk_attr_range none = {0};
    struct tk_attr_range own =
        gathering->keep_attrs ? resource->attrs : service_of(batch, resource);
    uint32_t service = is_rare(gathering, service_hash(resource->service)) ? 0 : resource->service;
    struct tk_scope_entry entry = {.texts[TK_SCOPE_SERVICE] = service};
    uint32_t place = 0;
    tk_buf_reset(&gathering->key);
    tk_buf_putc(&gathering->key, 'r');
    entry.texts[TK_SCOPE_SCHEMA_URL] = keep_text(gathering, resource->schema_url);
    entry.texts[TK_SCOPE_ENTITY_REFS] = keep_text(gathering, resource->entity_refs);
    take_attrs(gathering, &own, service, &entry);
    int rc = add_entry(gathering, &entry, false, &place);
    if (rc < 0)
        return rc;
    tk_buf_reset(&gathering->key);
    tk_buf_putc(&gathering->key, 's');
    entry = (struct tk_scope_entry){.resource = place};
    entry.texts[TK_SCOPE_NAME] = keep_text(gathering, scope->name);
    entry.texts[TK_SCOPE_VERSION] = keep_text(gathering, scope->version);
    entry.texts[TK_SCOPE_SCHEMA_URL] = keep_text(gathering, scope->schema_url);
    take_attrs(gathering, gathering->keep_attrs ? &scope->attrs : &none, 0, &entry);
    return add_entry(gathering, &entry, true, ret_scope);
}

/* The scopes of each symbol, in the order in which they came. */
static int list_choices(struct tk_resources *resources, const struct tk_forest *forest,
                        const uint32_t *node_scopes)
{
    struct tk_map pairs = {0};
    uint32_t *ends = resources->symbol_ends;
    uint32_t seen = 0;
    int rc = 0;
    memset(ends, 0, forest->symbol_count * sizeof(*ends));
    /* Twice: count, then place. */
    for (int pass = 0; pass < 2; pass++) {
        tk_map_reset(&pairs);
        for (uint32_t i = 0; rc == 0 && i < forest->node_count; i++) {
            uint32_t symbol = forest->node_symbols[i];
            uint64_t key = (uint64_t)symbol << 32 | node_scopes[i];
            if (tk_map_find(&pairs, key, &seen))
                continue;
            rc = tk_map_add(&pairs, key, 0);
            if (pass == 1)
                resources->symbol_scopes[ends[symbol]] = node_scopes[i];
            ends[symbol]++;
        }
        uint32_t sum = 0;
        for (uint32_t s = 0; pass == 0 && s < forest->symbol_count; s++) {
            uint32_t n = ends[s];
            ends[s] = sum;
            sum += n;
            resources->choice_count = sum;
        }
    }
    tk_map_release(&pairs);
    return rc;
}

int tk_resources_gather(struct tk_resources *resources, const struct tk_forest *forest,
                        const struct tk_span_batch *batch, const struct tk_codec_options *options,
                        uint32_t *ret_node_scopes, struct tk_err *err)
{
    struct gathering gathering = {
        .resources = resources,
        .batch = batch,
        .keep_attrs = options->attrs == TK_CODEC_ATTRS_ALL,
        .is_ordered = options->mode == TK_CODEC_LOSSLESS,
        .min_count = tk_codec_min_count(options),
    };
    uint32_t *known = calloc((size_t)batch->scope_count + 1, sizeof(*known));
    tk_buf_init(&gathering.key, KEY_MAX);
    int rc = tk_texts_init(&gathering.keys, KEY_MAX, err);
    if (!known)
        rc = -ENOMEM;
    if (rc == 0 && gathering.min_count > 0)
        rc = count_uses(&gathering, forest);
    for (uint32_t i = 0; rc == 0 && i < forest->node_count; i++) {
        uint32_t scope = batch->scope_ids[forest->rows[i]];
        uint32_t place = 0;
        if (known[scope] == 0) {
            rc = add_scope(&gathering, scope, &place);
            known[scope] = place + 1;
        }
        ret_node_scopes[i] = known[scope] - 1;
    }
    rc = rc < 0 ? rc : list_choices(resources, forest, ret_node_scopes);
    free(known);
    tk_texts_release(&gathering.keys);
    tk_map_release(&gathering.places);
    tk_map_release(&gathering.uses);
    tk_buf_release(&gathering.key);
    return rc < 0 ? tk_fail(err, rc, "resources of a block: %s",
                            rc == -ENOMEM ? "out of memory" : "more than 256 MiB of them")
                  : 0;
}

/* Coding --------------------------------------------------------------------------------------- */

/* What coding needs, and its models. */
struct coding {
    struct tk_resources *resources;
    struct tk_coder *coder;
    struct tk_attr_words *words;
    const struct tk_texts *texts; /* of the batch; NULL when decoding */
    const struct tk_resources_limits *limits;
    struct tk_exp_models counts, numbers, links, choices;
    struct tk_bit types[8];
    struct tk_bit is_empty[TK_SCOPE_TEXTS];
};

/* False when it is no text. */
static bool code_text(struct coding *coding, uint32_t *id)
{
    tk_str text = coding->texts ? tk_texts_get(coding->texts, *id) : TK_STR("");
    *id = tk_attr_code_word(coding->words, coding->coder, text);
    return *id < coding->words->known->count;
}

static bool code_attr(struct coding *coding, struct tk_scope_attr *attr)
{
    struct tk_coder *coder = coding->coder;
    bool ok = code_text(coding, &attr->key);
    attr->type = tk_code_tree(coder, coding->types, 3, attr->type);
    if (tk_attr_is_text(attr->type)) {
        uint32_t id = (uint32_t)attr->raw;
        ok = ok && code_text(coding, &id);
        attr->raw = id;
    } else {
        uint64_t coded = tk_code_exp(coder, &coding->numbers, tk_zigzag((int64_t)attr->raw));
        attr->raw = (uint64_t)tk_unzigzag(coded);
    }
    return ok && !tk_coder_is_over(coder);
}

static bool code_entry(struct coding *coding, struct tk_scope_entry *entry)
{
    struct tk_resources *resources = coding->resources;
    struct tk_coder *coder = coding->coder;
    bool ok = true;
    for (size_t i = 0; ok && i < TK_SCOPE_TEXTS; i++) {
        bool is_empty = tk_code_bit(coder, &coding->is_empty[i], entry->texts[i] == 0);
        ok = is_empty || code_text(coding, &entry->texts[i]);
        entry->texts[i] = is_empty ? 0 : entry->texts[i];
    }
    uint64_t n = tk_code_exp(coder, &coding->counts, entry->n);
    uint64_t dropped = tk_code_exp(coder, &coding->numbers, entry->dropped);
    if (!ok || n > coding->limits->attrs - resources->attr_count || dropped > UINT32_MAX)
        return false;
    if (coder->mode == TK_CODER_DECODE)
        entry->attrs = resources->attr_count;
    entry->n = (uint32_t)n;
    entry->dropped = (uint32_t)dropped;
    resources->attr_count += entry->n;
    for (uint32_t i = 0; ok && i < entry->n; i++)
        ok = code_attr(coding, &resources->attrs[entry->attrs + i]);
    return ok;
}

/* The scopes of each symbol. */
static bool code_choices(struct coding *coding)
{
    struct tk_resources *resources = coding->resources;
    struct tk_coder *coder = coding->coder;
    bool is_encoder = coder->mode != TK_CODER_DECODE;
    uint32_t at = 0;
    for (uint32_t s = 0; s < resources->symbol_count; s++) {
        uint64_t n = is_encoder ? resources->symbol_ends[s] - at : 0;
        n = tk_code_exp(coder, &coding->counts, n);
        if (n > coding->limits->choices - at || tk_coder_is_over(coder))
            return false;
        for (uint32_t end = at + (uint32_t)n; at < end; at++) {
            uint64_t scope = tk_code_exp(coder, &coding->choices, resources->symbol_scopes[at]);
            if (scope >= resources->scope_count)
                return false;
            resources->symbol_scopes[at] = (uint32_t)scope;
        }
        resources->symbol_ends[s] = at;
    }
    return true;
}

static bool code_table(struct coding *coding)
{
    struct tk_resources *resources = coding->resources;
    for (uint32_t i = 0; i < resources->resource_count; i++) {
        if (!code_entry(coding, &resources->resources[i]))
            return false;
    }
    for (uint32_t i = 0; i < resources->scope_count; i++) {
        struct tk_scope_entry *scope = &resources->scopes[i];
        uint64_t resource = tk_code_exp(coding->coder, &coding->links, scope->resource);
        if (resource >= resources->resource_count)
            return false;
        scope->resource = (uint32_t)resource;
        if (!code_entry(coding, scope))
            return false;
    }
    return code_choices(coding);
}

int tk_resources_code(struct tk_resources *resources, struct tk_coder *coder,
                      struct tk_attr_words *words, const struct tk_texts *texts,
                      const struct tk_resources_limits *limits, struct tk_err *err)
{
    struct coding coding = {
        .resources = resources, .coder = coder, .words = words, .texts = texts, .limits = limits};
    tk_exp_models_init(&coding.counts);
    tk_exp_models_init(&coding.numbers);
    tk_exp_models_init(&coding.links);
    tk_exp_models_init(&coding.choices);
    tk_bits_init(coding.types, TK_COUNTOF(coding.types));
    tk_bits_init(coding.is_empty, TK_COUNTOF(coding.is_empty));
    resources->attr_count = 0;
    resources->resource_count = limits->resources;
    resources->scope_count = limits->scopes;
    return code_table(&coding) ? 0 : tk_fail(err, -EBADMSG, "resources are damaged");
}

uint32_t tk_resources_code_node(struct tk_resources *resources, struct tk_coder *coder,
                                const struct tk_attr_node *node, uint32_t scope)
{
    uint32_t first = node->symbol > 0 ? resources->symbol_ends[node->symbol - 1] : 0;
    const uint32_t *own = &resources->symbol_scopes[first];
    uint32_t count = resources->symbol_ends[node->symbol] - first;
    uint32_t at = 0;
    if (count == 0)
        return UINT32_MAX;
    if (count > 1) {
        const uint32_t *scopes = resources->node_scopes;
        uint32_t above = node->parent == TK_FOREST_TOP ? 0 : scopes[node->parent] + 1;
        uint32_t before = node->index > 0 ? scopes[node->index - 1] + 1 : 0;
        uint64_t place = tk_draw_round(node->symbol + 1);
        struct tk_guess choice = tk_guess_of_node(place, above, before, count);
        for (uint32_t i = 0; coder->mode != TK_CODER_DECODE && i < count; i++)
            at = own[i] == scope ? i : at;
        uint64_t from = tk_attr_position(coder);
        at = tk_code_guess(&resources->choices, coder, &choice, at);
        resources->bits += tk_attr_position(coder) - from;
    }
    resources->node_scopes[node->index] = own[at];
    return own[at];
}
