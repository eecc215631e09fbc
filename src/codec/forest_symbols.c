/* SPDX-License-Identifier: Apache-2.0 */
/* The symbols of the rows of a batch: found by hash of numbers, then sorted by their texts, so that
 * they are numbered alike whatever the order of rows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "codec/forest_internal.h"

enum code_role { ROLE_UNKNOWN = 0, ROLE_NONE, ROLE_HTTP, ROLE_GRPC };

static const struct {
    tk_str key;
    enum code_role role;
} code_keys[] = {
    {{"http.status_code", 16}, ROLE_HTTP},
    {{"http.response.status_code", 25}, ROLE_HTTP},
    {{"rpc.grpc.status_code", 20}, ROLE_GRPC},
};

struct finding {
    const struct tk_span_batch *batch;
    uint8_t *roles; /* enum code_role of texts of the batch, as keys; owned */
    struct tk_symbol *symbols;
    uint32_t count;
    uint32_t *slots; /* symbol + 1; owned */
    uint32_t mask;
    uint32_t *uses; /* rows that a text of the batch names; owned; NULL = all names stay */
    uint32_t min_count;
};

/* Codes ---------------------------------------------------------------------------------------- */

static enum code_role role_of(struct finding *finding, uint32_t key)
{
    uint8_t *role = &finding->roles[key];
    if (*role != ROLE_UNKNOWN)
        return *role;
    tk_str text = tk_texts_get(&finding->batch->texts, key);
    *role = ROLE_NONE;
    for (size_t i = 0; i < TK_COUNTOF(code_keys); i++) {
        if (tk_str_eq(text, code_keys[i].key))
            *role = (uint8_t)code_keys[i].role;
    }
    return *role;
}

/* Of a number, or of its decimal digits; -1 = none of either. */
static int64_t code_of(const struct finding *finding, const struct tk_attr *attr)
{
    if (attr->type == TK_ATTR_INT)
        return attr->i64;
    if (attr->type != TK_ATTR_STRING)
        return -1;
    tk_str text = tk_texts_get(&finding->batch->texts, attr->text);
    int64_t code = text.n > 0 && text.n <= 3 ? 0 : -1;
    for (size_t i = 0; i < text.n && code >= 0; i++)
        code = text.p[i] >= '0' && text.p[i] <= '9' ? code * 10 + (text.p[i] - '0') : -1;
    return code;
}

static uint8_t code_class_of(struct finding *finding, size_t row)
{
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(finding->batch, row, &n);
    for (size_t i = 0; i < n; i++) {
        enum code_role role = role_of(finding, attrs[i].key);
        if (role == ROLE_NONE)
            continue;
        int64_t code = code_of(finding, &attrs[i]);
        if (role == ROLE_HTTP && code >= 100 && code < 600)
            return (uint8_t)(code / 100);
        if (role == ROLE_GRPC && code >= 0)
            return code == 0 ? 8 : 9;
    }
    return 0;
}

/* Symbols -------------------------------------------------------------------------------------- */

static uint32_t home_of(const struct tk_symbol *symbol)
{
    uint64_t rest =
        (uint64_t)symbol->kind << 16 | (uint64_t)symbol->status << 8 | symbol->code_class;
    return (uint32_t)tk_hash_mix((uint64_t)symbol->service << 32 | symbol->operation, rest);
}

static bool is_same(const struct tk_symbol *a, const struct tk_symbol *b)
{
    return a->service == b->service && a->operation == b->operation && a->kind == b->kind &&
           a->status == b->status && a->code_class == b->code_class;
}

static int grow(struct finding *finding)
{
    uint32_t mask = finding->slots ? finding->mask * 2 + 1 : 255;
    uint32_t *slots = calloc((size_t)mask + 1, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    for (uint32_t i = 0; i < finding->count; i++) {
        uint32_t at = home_of(&finding->symbols[i]) & mask;
        while (slots[at] != 0)
            at = (at + 1) & mask;
        slots[at] = i + 1;
    }
    free(finding->slots);
    finding->slots = slots;
    finding->mask = mask;
    return 0;
}

/* The number of a symbol; there is a free slot. */
static uint32_t find(struct finding *finding, const struct tk_symbol *symbol)
{
    uint32_t at = home_of(symbol) & finding->mask;
    for (; finding->slots[at] != 0; at = (at + 1) & finding->mask) {
        if (is_same(&finding->symbols[finding->slots[at] - 1], symbol))
            return finding->slots[at] - 1;
    }
    finding->symbols[finding->count] = *symbol;
    finding->slots[at] = ++finding->count;
    return finding->count - 1;
}

/* How often each text is the name of a service or an operation. */
static int count_uses(struct finding *finding, const struct tk_span_rows *rows)
{
    const struct tk_span_batch *batch = rows->batch;
    finding->uses = calloc(batch->texts.count, sizeof(*finding->uses));
    if (!finding->uses)
        return -ENOMEM;
    for (size_t i = 0; i < rows->n; i++) {
        size_t row = tk_span_rows_at(rows, i);
        uint32_t service = tk_span_resource_of(batch, row)->service;
        finding->uses[service]++;
        if (batch->names[row] != service)
            finding->uses[batch->names[row]]++;
    }
    return 0;
}

/* A name, or the empty text where too few have it. */
static uint32_t name_of(const struct finding *finding, uint32_t text)
{
    return finding->uses && finding->uses[text] < finding->min_count ? 0 : text;
}

static int find_all(struct finding *finding, const struct tk_span_rows *rows, uint32_t *ret_numbers)
{
    const struct tk_span_batch *batch = rows->batch;
    for (size_t i = 0; i < rows->n; i++) {
        size_t row = tk_span_rows_at(rows, i);
        const struct tk_symbol symbol = {
            .service = name_of(finding, tk_span_resource_of(batch, row)->service),
            .operation = name_of(finding, batch->names[row]),
            .kind = batch->kinds[row],
            .status = batch->statuses[row],
            .code_class = code_class_of(finding, row),
        };
        if (2 * (finding->count + 1) > finding->mask + 1 && grow(finding) < 0)
            return -ENOMEM;
        ret_numbers[i] = find(finding, &symbol);
    }
    return 0;
}

/* Order ---------------------------------------------------------------------------------------- */

/* By texts, then numbers; 0 = the same symbol. */
static int compare(const void *a, const void *b, void *context)
{
    const struct finding *finding = context;
    const struct tk_texts *texts = &finding->batch->texts;
    const struct tk_symbol *x = &finding->symbols[*(const uint32_t *)a];
    const struct tk_symbol *y = &finding->symbols[*(const uint32_t *)b];
    int order = tk_str_cmp(tk_texts_get(texts, x->service), tk_texts_get(texts, y->service));
    if (order == 0)
        order = tk_str_cmp(tk_texts_get(texts, x->operation), tk_texts_get(texts, y->operation));
    if (order == 0)
        order = x->kind - y->kind;
    if (order == 0)
        order = x->status - y->status;
    return order != 0 ? order : x->code_class - y->code_class;
}

/* Number the symbols by their texts. A batch may hold a text twice: then so are symbols. */
static int sort(struct finding *finding, struct tk_forest_names *names, size_t n,
                struct tk_arena *scratch)
{
    size_t bytes = finding->count * sizeof(uint32_t);
    uint32_t *order = tk_arena_alloc(scratch, bytes);
    uint32_t *ranks = tk_arena_alloc(scratch, bytes);
    names->symbols = tk_arena_alloc(scratch, finding->count * sizeof(*names->symbols));
    if (!names->symbols)
        return -ENOMEM;
    for (uint32_t i = 0; i < finding->count; i++)
        order[i] = i;
    qsort_r(order, finding->count, sizeof(*order), compare, finding);
    names->count = 0;
    for (uint32_t i = 0; i < finding->count; i++) {
        if (i == 0 || compare(&order[i - 1], &order[i], finding) != 0)
            names->symbols[names->count++] = finding->symbols[order[i]];
        ranks[order[i]] = names->count - 1;
    }
    for (size_t i = 0; i < n; i++)
        names->of_rows[i] = ranks[names->of_rows[i]];
    return 0;
}

int tk_forest_names_init(struct tk_forest_names *names, const struct tk_span_rows *rows,
                         struct tk_arena *scratch, struct tk_err *err)
{
    struct finding finding = {.batch = rows->batch, .min_count = names->min_count};
    names->batch = rows->batch;
    names->of_rows = tk_arena_alloc(scratch, rows->n * sizeof(*names->of_rows));
    finding.symbols = tk_arena_alloc(scratch, rows->n * sizeof(*finding.symbols));
    finding.roles = calloc(rows->batch->texts.count, sizeof(*finding.roles));
    int rc = finding.symbols && finding.roles ? grow(&finding) : -ENOMEM;
    if (rc == 0 && names->min_count > 0)
        rc = count_uses(&finding, rows);
    if (rc == 0)
        rc = find_all(&finding, rows, names->of_rows);
    if (rc == 0)
        rc = sort(&finding, names, rows->n, scratch);
    free(finding.slots);
    free(finding.roles);
    free(finding.uses);
    return rc < 0 ? tk_fail(err, -ENOMEM, "symbols of a block: out of memory") : 0;
}
