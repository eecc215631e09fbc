/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of spans made up from a seed, with everything that a span may have, and spans as text, to
 * compare what became of them. */
#ifndef TK_TEST_SPAN_MIX_H
#define TK_TEST_SPAN_MIX_H

#include <math.h>
#include <stdlib.h>

#include "base/number.h"
#include "span/any_value.h"
#include "tk_test.h"

struct mix {
    uint64_t state;
    struct tk_arena arena;
};

static inline uint64_t mix_next(struct mix *mix)
{
    mix->state += 0x9E3779B97F4A7C15ULL;
    uint64_t z = mix->state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

static inline size_t mix_below(struct mix *mix, size_t n)
{
    return (size_t)(mix_next(mix) % n);
}

static inline uint32_t mix_text(struct tk_span_batch *batch, const char *prefix, size_t i)
{
    char buf[64];
    int n = snprintf(buf, sizeof(buf), "%s%zu", prefix, i);
    return tk_texts_add(&batch->texts, (tk_str){buf, (size_t)n});
}

static inline struct tk_attr mix_json(struct mix *mix, struct tk_span_batch *batch,
                                      const char *text, bool is_otlp)
{
    struct tk_err err;
    struct tk_json json;
    struct tk_attr attr = {0};
    tk_arena_reset(&mix->arena);
    tk_json_init(&json, tk_str_from(text));
    assert_int_equal(is_otlp
                         ? tk_any_value_read_otlp(&json, &batch->texts, &mix->arena, &attr, &err)
                         : tk_any_value_read_json(&json, &batch->texts, &mix->arena, &attr, &err),
                     0);
    return attr;
}

/* A value of any type. */
static inline struct tk_attr mix_value(struct mix *mix, struct tk_span_batch *batch)
{
    static const char *const nested[] = {"[1,2,3]", "[]", "{}",
                                         "{\"a\":[true,null,1.5],\"b\":\"x\"}",
                                         "[\"\\u00e9\\n\",{\"k\":-1}]"};
    static const double doubles[] = {
        0.0, -0.0, 1.0, 1e300, -2.5, 0.1, (double)NAN, (double)INFINITY, -(double)INFINITY};
    struct tk_attr attr = {.type = (uint32_t)mix_below(mix, 9)};
    switch (attr.type) {
    case TK_ATTR_STRING:
        attr.text = mix_text(batch, "value-", mix_below(mix, 50));
        break;
    case TK_ATTR_BYTES:
        attr.text = tk_texts_add(&batch->texts, (tk_str){"\xff\x00\x80zz", mix_below(mix, 6)});
        break;
    case TK_ATTR_BOOL:
        attr.i64 = (int64_t)mix_below(mix, 2);
        break;
    case TK_ATTR_INT:
        attr.i64 = (int64_t)mix_next(mix) >> mix_below(mix, 64);
        break;
    case TK_ATTR_DOUBLE:
        attr.f64 = doubles[mix_below(mix, TK_COUNTOF(doubles))];
        break;
    case TK_ATTR_ARRAY:
    case TK_ATTR_MAP:
        return mix_json(mix, batch, nested[mix_below(mix, TK_COUNTOF(nested))], false);
    case 8: /* what plain JSON would lose */
        return mix_json(mix, batch,
                        "{\"arrayValue\":{\"values\":[{\"bytesValue\":\"AQI=\"},{},"
                        "{\"doubleValue\":\"NaN\"},{\"intValue\":\"3\"}]}}",
                        true);
    default:
        break;
    }
    return attr;
}

static inline void mix_side(struct mix *mix, struct tk_span_batch *batch, const char *prefix,
                            struct tk_attr_range *ret)
{
    size_t n = mix_below(mix, 4);
    *ret = (struct tk_attr_range){.begin = batch->side_attr_count, .n = (uint32_t)n};
    for (size_t i = 0; i < n; i++) {
        struct tk_attr attr = mix_value(mix, batch);
        attr.key = mix_text(batch, prefix, mix_below(mix, 6));
        assert_true(tk_span_batch_add_side_attr(batch, &attr) != UINT32_MAX);
    }
    ret->dropped = mix_below(mix, 5) == 0 ? 3 : 0;
}

static inline void mix_scopes(struct mix *mix, struct tk_span_batch *batch, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct tk_span_resource resource = {0};
        mix_side(mix, batch, "host.key.", &resource.attrs);
        if (mix_below(mix, 3) > 0) {
            struct tk_attr attr = {.type = TK_ATTR_STRING,
                                   .text = mix_text(batch, "service-", i % 5)};
            attr.key = tk_texts_add(&batch->texts, TK_STR("service.name"));
            resource.attrs.n++;
            resource.service = attr.text;
            assert_true(tk_span_batch_add_side_attr(batch, &attr) != UINT32_MAX);
        }
        if (mix_below(mix, 2) == 0)
            resource.schema_url = mix_text(batch, "https://schema/", i % 2);
        if (mix_below(mix, 4) == 0)
            resource.entity_refs = tk_texts_add(&batch->texts, (tk_str){"\x0a\x01x", 3});
        struct tk_span_scope scope = {
            .resource = tk_span_batch_add_resource(batch, &resource),
            .name = mix_below(mix, 4) == 0 ? 0 : mix_text(batch, "scope-", i % 3),
            .version = mix_below(mix, 2) == 0 ? 0 : mix_text(batch, "1.", i % 3),
            .schema_url = mix_below(mix, 3) == 0 ? mix_text(batch, "https://scope/", 1) : 0,
        };
        mix_side(mix, batch, "scope.key.", &scope.attrs);
        assert_true(tk_span_batch_add_scope(batch, &scope) != UINT32_MAX);
    }
}

static inline void mix_attrs(struct mix *mix, struct tk_span_batch *batch)
{
    size_t n = mix_below(mix, 12);
    for (size_t i = 0; i < n; i++) {
        struct tk_attr attr = mix_value(mix, batch);
        /* Some keys that most spans have, with one type; some that few have; keys twice. */
        size_t key = mix_below(mix, 40);
        if (key < 20) {
            attr = (struct tk_attr){.type = (uint32_t)(TK_ATTR_STRING + key % 4)};
            if (attr.type == TK_ATTR_STRING)
                attr.text = mix_text(batch, "often-", mix_below(mix, 1000));
            else if (attr.type == TK_ATTR_DOUBLE)
                attr.f64 = (double)mix_below(mix, 1000) / 8;
            else
                attr.i64 = (int64_t)mix_below(mix, attr.type == TK_ATTR_BOOL ? 2 : 1000);
        }
        attr.key = key < 20 ? mix_text(batch, "Http.Key-", key % 8)
                            : mix_text(batch, "rare.", mix_below(mix, 1000));
        assert_int_equal(tk_span_batch_add_attr(batch, &attr), 0);
    }
}

static inline void mix_items(struct mix *mix, struct tk_span_batch *batch)
{
    for (size_t n = mix_below(mix, 3); n > 0; n--) {
        struct tk_span_event event = {.time_ns = (int64_t)mix_next(mix),
                                      .name = mix_text(batch, "event-", mix_below(mix, 4))};
        mix_side(mix, batch, "event.key.", &event.attrs);
        assert_int_equal(tk_span_batch_add_event(batch, &event), 0);
    }
    for (size_t n = mix_below(mix, 3); n > 0; n--) {
        struct tk_span_link link = {.span_id = mix_next(mix), .flags = (uint32_t)mix_below(mix, 2)};
        memset(link.trace_id, (int)n + 1, sizeof(link.trace_id));
        link.trace_state = mix_below(mix, 2) == 0 ? 0 : mix_text(batch, "a=", 1);
        mix_side(mix, batch, "link.key.", &link.attrs);
        assert_int_equal(tk_span_batch_add_link(batch, &link), 0);
    }
}

/* Trace `i` of a seed has the id that begins with i. */
static inline void mix_trace_id(uint64_t trace, uint8_t id[16])
{
    memset(id, 0xAB, 16);
    memcpy(id, &trace, sizeof(trace));
}

static inline void mix_row(struct mix *mix, struct tk_span_batch *batch, uint64_t trace,
                           bool with_all)
{
    assert_int_equal(tk_span_batch_begin(batch), 0);
    size_t row = batch->rows - 1;
    mix_trace_id(trace, batch->trace_ids[row]);
    batch->span_ids[row] = mix_next(mix) | 1;
    batch->parent_ids[row] = mix_below(mix, 4) == 0 ? 0 : mix_next(mix);
    batch->start_ns[row] = 1700000000000000000 + (int64_t)row * 1000 + (int64_t)mix_below(mix, 999);
    batch->duration_ns[row] = (int64_t)mix_below(mix, 100000);
    batch->names[row] = mix_text(batch, "GET /", mix_below(mix, 20));
    batch->scope_ids[row] = (uint32_t)mix_below(mix, batch->scope_count);
    batch->kinds[row] = (uint8_t)mix_below(mix, 8);
    batch->statuses[row] = (uint8_t)mix_below(mix, 4);
    batch->flags[row] = (uint32_t)mix_below(mix, 3) * 0x7FFFFFFFU;
    if (with_all) {
        batch->messages[row] = mix_below(mix, 5) == 0 ? mix_text(batch, "oops ", row) : 0;
        batch->trace_states[row] = mix_below(mix, 5) == 0 ? mix_text(batch, "k=", 1) : 0;
        batch->dropped_attrs[row] = mix_below(mix, 9) == 0 ? 7 : 0;
        batch->dropped_events[row] = mix_below(mix, 9) == 0 ? 8 : 0;
        batch->dropped_links[row] = mix_below(mix, 9) == 0 ? UINT32_MAX : 0;
        mix_attrs(mix, batch);
        mix_items(mix, batch);
    }
    assert_int_equal(tk_span_batch_end(batch), 0);
}

/* Append `rows` spans of `rows` / 5 + 1 traces, whose spans come in any order. */
static inline void mix_fill(struct tk_span_batch *batch, uint64_t seed, size_t rows)
{
    struct tk_err err;
    struct mix mix = {.state = seed};
    assert_int_equal(tk_arena_init(&mix.arena, 1 << 20, &err), 0);
    if (batch->scope_count == 0)
        mix_scopes(&mix, batch, 8);
    for (size_t i = 0; i < rows; i++)
        mix_row(&mix, batch, seed << 32 | mix_below(&mix, rows / 5 + 1), true);
    tk_arena_release(&mix.arena);
}

/* Texts --------------------------------------------------------------------------------- */

static inline void span_put_attrs(const struct tk_span_batch *batch, const struct tk_attr *attrs,
                                  size_t n, struct tk_buf *out)
{
    for (size_t i = 0; i < n; i++) {
        tk_buf_printf(out, " %.*s=", TK_STR_ARG(tk_texts_get(&batch->texts, attrs[i].key)));
        tk_any_value_put_otlp(&batch->texts, &attrs[i], out);
    }
}

static inline void span_put_range(const struct tk_span_batch *batch,
                                  const struct tk_attr_range *range, struct tk_buf *out)
{
    tk_buf_printf(out, " [dropped %u", range->dropped);
    span_put_attrs(batch, batch->side_attrs + range->begin, range->n, out);
    tk_buf_putc(out, ']');
}

static inline void span_put_text(const struct tk_span_batch *batch, uint32_t id, struct tk_buf *out)
{
    tk_buf_putc(out, '|');
    tk_buf_put(out, tk_texts_get(&batch->texts, id));
}

/* The events and links of a row. */
static inline void span_put_items(const struct tk_span_batch *batch, size_t row, struct tk_buf *out)
{
    size_t n;
    const struct tk_span_event *events = tk_span_events(batch, row, &n);
    for (size_t i = 0; i < n; i++) {
        tk_buf_printf(out, " event %lld", (long long)events[i].time_ns);
        span_put_text(batch, events[i].name, out);
        span_put_range(batch, &events[i].attrs, out);
    }
    const struct tk_span_link *links = tk_span_links(batch, row, &n);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < 16; k++)
            tk_buf_printf(out, "%02x", links[i].trace_id[k]);
        tk_buf_printf(out, " link %llx %u", (unsigned long long)links[i].span_id, links[i].flags);
        span_put_text(batch, links[i].trace_state, out);
        span_put_range(batch, &links[i].attrs, out);
    }
}

/* All that a batch knows of a row. */
static inline void span_put(const struct tk_span_batch *batch, size_t row, struct tk_buf *out)
{
    const struct tk_span_scope *scope = &batch->scopes[batch->scope_ids[row]];
    const struct tk_span_resource *resource = &batch->resources[scope->resource];
    for (size_t i = 0; i < 16; i++)
        tk_buf_printf(out, "%02x", batch->trace_ids[row][i]);
    tk_buf_printf(out, " %llx %llx %lld+%lld kind %d status %d flags %u dropped %u %u %u",
                  (unsigned long long)batch->span_ids[row],
                  (unsigned long long)batch->parent_ids[row], (long long)batch->start_ns[row],
                  (long long)batch->duration_ns[row], batch->kinds[row], batch->statuses[row],
                  batch->flags[row], batch->dropped_attrs[row], batch->dropped_events[row],
                  batch->dropped_links[row]);
    const uint32_t texts[] = {batch->names[row], batch->messages[row], batch->trace_states[row],
                              scope->name,       scope->version,       scope->schema_url,
                              resource->service, resource->schema_url, resource->entity_refs};
    for (size_t i = 0; i < TK_COUNTOF(texts); i++)
        span_put_text(batch, texts[i], out);
    span_put_range(batch, &scope->attrs, out);
    span_put_range(batch, &resource->attrs, out);
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    span_put_attrs(batch, attrs, n, out);
    span_put_items(batch, row, out);
}

/* Texts of spans, in any order. */
struct span_texts {
    char **items;
    size_t n, cap;
};

static inline void span_texts_add(struct span_texts *texts, const struct tk_span_batch *batch,
                                  size_t row)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 1 << 20);
    span_put(batch, row, &out);
    assert_true(tk_buf_ok(&out));
    if (texts->n == texts->cap) {
        texts->cap = texts->cap > 0 ? 2 * texts->cap : 64;
        texts->items = realloc(texts->items, texts->cap * sizeof(*texts->items));
        assert_non_null(texts->items);
    }
    texts->items[texts->n] = malloc(out.n + 1);
    assert_non_null(texts->items[texts->n]);
    memcpy(texts->items[texts->n], out.p, out.n);
    for (size_t i = 0; i < out.n; i++) { /* so that strcmp() sees all */
        if (texts->items[texts->n][i] == '\0')
            texts->items[texts->n][i] = '0';
    }
    texts->items[texts->n++][out.n] = '\0';
}

static inline void span_texts_add_all(struct span_texts *texts, const struct tk_span_batch *batch)
{
    for (size_t i = 0; i < batch->rows; i++)
        span_texts_add(texts, batch, i);
}

static inline void span_texts_release(struct span_texts *texts)
{
    for (size_t i = 0; i < texts->n; i++)
        free(texts->items[i]);
    free(texts->items);
    *texts = (struct span_texts){0};
}

static inline int span_texts_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The same spans, each as often. */
static inline void assert_same_spans(struct span_texts *a, struct span_texts *b)
{
    assert_int_equal(a->n, b->n);
    if (a->n == 0)
        return;
    qsort(a->items, a->n, sizeof(*a->items), span_texts_cmp);
    qsort(b->items, b->n, sizeof(*b->items), span_texts_cmp);
    for (size_t i = 0; i < a->n; i++)
        assert_string_equal(a->items[i], b->items[i]);
}

#endif
