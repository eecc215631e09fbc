/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of spans by hand, for tests: a span a line. */
#ifndef TK_SPAN_MAKER_H
#define TK_SPAN_MAKER_H

#include <endian.h>
#include <string.h>

#include "span/span_batch.h"
#include "tk_test.h"

struct made_span {
    const char *service; /* its resource is made with the first span of a name */
    const char *name;
    uint64_t id;     /* as it is printed: 0x1 is 0000000000000001 */
    uint64_t parent; /* 0 = none */
    int64_t start_ns;
    int64_t duration_ns;
    uint8_t kind;
    uint8_t status;
    uint64_t trace; /* last eight bytes of the trace id; 0 = 1 */
    const char *host;
};

/* An id as the column has it. */
static inline uint64_t made_id(uint64_t id)
{
    return htobe64(id);
}

static inline uint32_t made_text(struct tk_span_batch *batch, const char *text)
{
    return tk_texts_add(&batch->texts, tk_str_from(text));
}

static inline void made_resource_attr(struct tk_span_batch *batch, struct tk_attr_range *range,
                                      const char *key, const char *value)
{
    if (!value)
        return;
    uint32_t at =
        tk_span_batch_add_side_attr(batch, &(struct tk_attr){.key = made_text(batch, key),
                                                             .type = TK_ATTR_STRING,
                                                             .text = made_text(batch, value)});
    assert_true(at != UINT32_MAX);
    range->begin = range->n ? range->begin : at;
    range->n++;
}

/* The scope of a service on a host. */
static inline uint32_t made_scope(struct tk_span_batch *batch, const char *service,
                                  const char *host)
{
    uint32_t name = made_text(batch, service);
    uint32_t place = host ? made_text(batch, host) : 0;
    for (uint32_t i = 0; i < batch->scope_count; i++) {
        const struct tk_span_resource *resource = &batch->resources[batch->scopes[i].resource];
        uint32_t last = resource->attrs.begin + resource->attrs.n - 1;
        if (resource->service == name && (!place || batch->side_attrs[last].text == place))
            return i;
    }
    struct tk_span_resource resource = {.service = name};
    made_resource_attr(batch, &resource.attrs, "service.name", service);
    made_resource_attr(batch, &resource.attrs, "host.name", host);
    uint32_t at = tk_span_batch_add_resource(batch, &resource);
    return tk_span_batch_add_scope(batch, &(struct tk_span_scope){.resource = at});
}

static inline void made_attr(struct tk_span_batch *batch, const char *key, const char *value)
{
    const struct tk_attr attr = {
        .key = made_text(batch, key), .type = TK_ATTR_STRING, .text = made_text(batch, value)};
    assert_int_equal(tk_span_batch_add_attr(batch, &attr), 0);
}

static inline void made_attr_i64(struct tk_span_batch *batch, const char *key, int64_t value)
{
    const struct tk_attr attr = {.key = made_text(batch, key), .type = TK_ATTR_INT, .i64 = value};
    assert_int_equal(tk_span_batch_add_attr(batch, &attr), 0);
}

/* Begin a span; the caller adds attributes and ends it. */
static inline void made_begin(struct tk_span_batch *batch, const struct made_span *span)
{
    uint64_t trace = made_id(span->trace ? span->trace : 1);
    assert_int_equal(tk_span_batch_begin(batch), 0);
    size_t row = batch->rows - 1;
    memcpy(batch->trace_ids[row] + 8, &trace, 8);
    batch->span_ids[row] = made_id(span->id);
    batch->parent_ids[row] = made_id(span->parent);
    batch->start_ns[row] = span->start_ns;
    batch->duration_ns[row] = span->duration_ns;
    batch->kinds[row] = span->kind;
    batch->statuses[row] = span->status;
    batch->names[row] = made_text(batch, span->name ? span->name : "op");
    batch->scope_ids[row] = made_scope(batch, span->service ? span->service : "svc", span->host);
}

static inline void made_add(struct tk_span_batch *batch, const struct made_span *spans, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        made_begin(batch, &spans[i]);
        assert_int_equal(tk_span_batch_end(batch), 0);
    }
}

#endif
