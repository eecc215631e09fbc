/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/trace_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "span/trace_id.h"

#define BATCH_ROWS ((size_t)1 << 16)

struct tk_trace_filter {
    const struct tk_span_table *table;
    struct tk_span_source from;
    struct tk_map traces; /* hash of the id -> trace */
    struct tk_span_batch *batch;
    struct tk_span_copy *copy; /* of `batch` into the batch of the call */
    size_t row;                /* of `batch`, next */
    bool is_end;               /* the source has no more than `batch` */
};

int tk_trace_filter_new(const struct tk_span_table *table, struct tk_span_source from,
                        struct tk_trace_filter **ret_filter, struct tk_err *err)
{
    struct tk_trace_filter *filter = calloc(1, sizeof(*filter));
    if (!filter)
        return tk_fail(err, -ENOMEM, "out of memory");
    filter->table = table;
    filter->from = from;
    int rc = tk_span_batch_new(BATCH_ROWS, &filter->batch, err);
    for (uint32_t t = 0; rc == 0 && t < table->traces; t++) {
        if (tk_map_add(&filter->traces, tk_trace_id_hash(table->trace_ids[t]), t) < 0)
            rc = tk_fail(err, -ENOMEM, "out of memory");
    }
    if (rc < 0) {
        tk_trace_filter_free(filter);
        return rc;
    }
    *ret_filter = filter;
    return 0;
}

void tk_trace_filter_free(struct tk_trace_filter *filter)
{
    if (!filter)
        return;
    tk_span_copy_free(filter->copy);
    tk_span_batch_free(filter->batch);
    tk_map_release(&filter->traces);
    free(filter);
}

uint32_t tk_trace_filter_find(const struct tk_trace_filter *filter, const uint8_t id[16])
{
    uint32_t trace;
    bool is_known = tk_map_find(&filter->traces, tk_trace_id_hash(id), &trace) &&
                    memcmp(filter->table->trace_ids[trace], id, 16) == 0;
    return is_known ? trace : UINT32_MAX;
}

/* Rows of the filter's batch that are wanted: 0 when all were seen, -ENOBUFS when `batch` is full.
 */
static int copy_rows(struct tk_trace_filter *filter)
{
    int rc = 0;
    for (; filter->row < filter->batch->rows && rc == 0; filter->row += rc == 0) {
        if (tk_trace_filter_find(filter, filter->batch->trace_ids[filter->row]) != UINT32_MAX)
            rc = tk_span_copy_row(filter->copy, filter->row);
    }
    return rc;
}

/* As tk_span_source has it. A copy knows what it has put into `batch`, which is new or reset with
 * each call. */
static int read_wanted(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    struct tk_trace_filter *filter = context;
    for (;;) {
        tk_span_copy_free(filter->copy);
        filter->copy = NULL;
        int rc = tk_span_copy_new(batch, filter->batch, &filter->copy, err);
        if (rc < 0)
            return rc;
        rc = copy_rows(filter);
        if (rc == -ENOBUFS && batch->rows == 0)
            return tk_fail(err, -EMSGSIZE, "a span is larger than a batch");
        if (rc == -ENOBUFS)
            return 0;
        if (rc < 0)
            return tk_fail(err, rc, "out of memory");
        if (filter->is_end)
            return 1;
        tk_span_batch_reset(filter->batch);
        filter->row = 0;
        rc = filter->from.read(filter->from.context, filter->batch, err);
        if (rc < 0)
            return rc;
        filter->is_end = rc == 1;
    }
}

struct tk_span_source tk_trace_filter_source(struct tk_trace_filter *filter)
{
    return (struct tk_span_source){read_wanted, filter};
}

/* Spans of a table ----------------------------------------------------------------------------- */

/* The scope of a resource that has nothing but the service; UINT32_MAX when the batch is full. */
static uint32_t scope_of(struct tk_span_batch *batch, tk_str service)
{
    uint32_t text = tk_texts_add(&batch->texts, service);
    for (uint32_t scope = 0; scope < batch->scope_count; scope++) {
        if (batch->resources[batch->scopes[scope].resource].service == text)
            return scope;
    }
    const struct tk_attr name = {.key = tk_texts_add(&batch->texts, TK_STR("service.name")),
                                 .type = TK_ATTR_STRING,
                                 .text = text};
    uint32_t at = tk_span_batch_add_side_attr(batch, &name);
    if (at == UINT32_MAX || text == TK_TEXTS_NONE)
        return UINT32_MAX;
    const struct tk_span_resource resource = {.attrs = {at, 1, 0}, .service = text};
    uint32_t id = tk_span_batch_add_resource(batch, &resource);
    return id == UINT32_MAX
               ? UINT32_MAX
               : tk_span_batch_add_scope(batch, &(struct tk_span_scope){.resource = id});
}

/* Exactly five: a body of so many is kept in its order by the projection (projection.h). */
static int add_features(struct tk_span_batch *batch, const struct tk_span_table *table, uint32_t r)
{
    static const char *const strings[TK_STR_FEATURES] = {"str_feature_1", "str_feature_2"};
    static const char *const integers[TK_INT_FEATURES] = {"int_feature_1", "int_feature_2",
                                                          "int_feature_3"};
    bool has_method = table->methods[r] == 0; /* or was written */
    bool has_code = table->http_codes[r] == 0;
    int rc = 0;
    for (int f = 0; f < TK_STR_FEATURES && rc == 0; f++) {
        uint32_t value = table->str_features[f][r];
        bool is_method = !has_method && value == table->methods[r];
        const char *key = is_method ? "http.request.method" : strings[f];
        has_method = has_method || is_method;
        rc = tk_span_batch_add_attr(
            batch, &(struct tk_attr){
                       .key = tk_texts_add(&batch->texts, tk_str_from(key)),
                       .type = TK_ATTR_STRING,
                       .text = tk_texts_add(&batch->texts, tk_texts_get(&table->texts, value))});
    }
    for (int f = 0; f < TK_INT_FEATURES && rc == 0; f++) {
        int64_t value = table->int_features[f][r];
        bool is_code = !has_code && value == table->http_codes[r];
        const char *key = is_code ? "http.response.status_code" : integers[f];
        has_code = has_code || is_code;
        rc = tk_span_batch_add_attr(
            batch, &(struct tk_attr){.key = tk_texts_add(&batch->texts, tk_str_from(key)),
                                     .type = TK_ATTR_INT,
                                     .i64 = value});
    }
    return rc;
}

static int add_row(struct tk_span_batch *batch, const struct tk_span_table *table, uint32_t trace,
                   uint32_t r)
{
    uint32_t scope = scope_of(batch, tk_texts_get(&table->texts, table->services[r]));
    int rc = scope == UINT32_MAX ? -ENOBUFS : tk_span_batch_begin(batch);
    if (rc < 0)
        return rc;
    size_t row = batch->rows - 1;
    uint32_t parent = table->parents[r];
    memcpy(batch->trace_ids[row], table->trace_ids[trace], sizeof(batch->trace_ids[row]));
    batch->span_ids[row] = table->span_ids[r];
    if (parent != TK_ROW_TOP) {
        batch->parent_ids[row] = table->span_ids[parent];
    } else if (table->orphans[r]) {
        batch->parent_ids[row] = ~table->span_ids[r]; /* which is not there */
    }
    batch->start_ns[row] = table->start_ns[r];
    batch->duration_ns[row] = table->duration_ns[r];
    batch->names[row] =
        tk_texts_add(&batch->texts, tk_texts_get(&table->texts, table->operations[r]));
    batch->scope_ids[row] = scope;
    batch->kinds[row] = table->kinds[r];
    batch->statuses[row] = table->issues[r] ? TK_SPAN_ERROR : table->statuses[r];
    rc = add_features(batch, table, r);
    if (rc < 0) {
        tk_span_batch_remove(batch);
        return rc;
    }
    return tk_span_batch_end(batch);
}

static int read_rows(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    struct tk_table_spans *spans = context;
    const struct tk_span_table *table = spans->table;
    for (; spans->trace < table->traces; spans->trace++) {
        for (; spans->row < table->trace_ends[spans->trace]; spans->row++) {
            int rc = add_row(batch, table, spans->trace, spans->row);
            if (rc == -ENOBUFS && batch->rows > 0)
                return 0;
            if (rc < 0)
                return tk_fail(err, -EMSGSIZE, "a span is larger than a batch");
        }
    }
    return 1;
}

struct tk_span_source tk_table_spans_source(struct tk_table_spans *spans)
{
    return (struct tk_span_source){read_rows, spans};
}
