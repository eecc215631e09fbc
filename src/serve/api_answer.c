/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the query APIs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "serve/api.h"
#include "span/service_links.h"
#include "span/span_text.h"

int tk_api_status(int rc)
{
    static const struct {
        int rc;
        int status;
    } statuses[] = {{-EINVAL, 400}, {-ENOENT, 404}, {-EMSGSIZE, 413}, {-EOPNOTSUPP, 501}};
    for (size_t i = 0; i < TK_COUNTOF(statuses); i++) {
        if (statuses[i].rc == rc)
            return statuses[i].status;
    }
    return 500;
}

void tk_api_begin(struct tk_answer *answer, int status)
{
    answer->status = status;
    answer->content_type = "application/json";
    tk_buf_reset(&answer->body);
}

const char *tk_api_kind(uint32_t kind)
{
    bool is_known = kind > TK_SPAN_UNSPECIFIED && kind < TK_SPAN_KIND_COUNT;
    return is_known ? tk_span_kind_names[kind] : "";
}

/* Names ------------------------------------------------------------------------------- */

int tk_api_services(struct tk_query_ctx *ctx, const tk_str **ret_names, size_t *ret_n,
                    struct tk_err *err)
{
    size_t n;
    const struct tk_span_operation *items;
    int rc = tk_segment_set_operations(ctx->set, (tk_str){NULL, 0}, &items, &n, err);
    if (rc < 0)
        return rc;
    tk_str *names = tk_arena_alloc(ctx->scratch, (n + 1) * sizeof(*names));
    if (!names)
        return tk_fail(err, -ENOMEM, "services: out of memory");
    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_new = i == 0 || !tk_str_eq(items[i].service, items[i - 1].service);
        if (is_new && items[i].service.n > 0)
            names[(*ret_n)++] = items[i].service;
    }
    *ret_names = names;
    return 0;
}

void tk_api_put_names(struct tk_buf *out, const tk_str *names, size_t n)
{
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < n; i++) {
        tk_json_put_comma(out);
        tk_json_put_str(out, names[i]);
    }
    tk_buf_putc(out, ']');
}

/* Links ------------------------------------------------------------------------------- */

static int add_links(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    return tk_service_links_add(user, rows, err);
}

static void put_link(const struct tk_service_link *item, bool errors, struct tk_buf *out)
{
    tk_json_put_comma(out);
    tk_buf_lit(out, "{\"parent\":");
    tk_json_put_str(out, item->parent);
    tk_buf_lit(out, ",\"child\":");
    tk_json_put_str(out, item->child);
    tk_buf_lit(out, ",\"callCount\":");
    tk_buf_put_u64(out, item->calls);
    if (errors && item->errors > 0) {
        tk_buf_lit(out, ",\"errorCount\":");
        tk_buf_put_u64(out, item->errors);
    }
    tk_buf_putc(out, '}');
}

int tk_api_put_links(struct tk_query_ctx *ctx, const struct tk_api_links *asked, struct tk_buf *out,
                     struct tk_err *err)
{
    size_t n = 0;
    const struct tk_service_link *items = NULL;
    struct tk_segment_totals totals;
    const struct tk_span_query query = {.from_ns = asked->from_ns, .to_ns = asked->to_ns};
    TK_CLEANUP(tk_service_links_freep) struct tk_service_links *links = NULL;
    tk_segment_set_count(ctx->set, &totals);
    int rc = tk_service_links_new(totals.spans, &links, err);
    for (uint32_t part = 0; rc >= 0 && part < tk_service_links_parts(links); part++) {
        rc = tk_segment_set_scan(ctx->set, &query, add_links, links, err);
        rc = rc < 0 ? rc : tk_service_links_next_part(links, err);
    }
    rc = rc < 0 ? rc : tk_service_links_finish(links, &items, &n, err);
    if (rc < 0)
        return rc;
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (asked->service.n == 0 || tk_str_eq(items[i].parent, asked->service) ||
            tk_str_eq(items[i].child, asked->service))
            put_link(&items[i], asked->errors, out);
    }
    tk_buf_putc(out, ']');
    return 0;
}

/* Traces ------------------------------------------------------------------------------ */

static void miss(struct tk_api_traces *traces, const uint8_t id[16], size_t *count)
{
    if (traces->missing + traces->too_large == 0)
        memcpy(traces->missed, id, sizeof(traces->missed));
    ++*count;
}

static int put_trace(void *user, const uint8_t id[16], const struct tk_span_rows *rows,
                     struct tk_err *err)
{
    struct tk_api_traces *traces = user;
    struct tk_buf *out = traces->out;
    if (rows && rows->n == 0) {
        miss(traces, id, &traces->missing);
        return 0;
    }
    size_t before = out->n;
    if (traces->put_count > 0)
        tk_buf_puts(out, traces->separator);
    size_t begin = out->n;
    int rc = rows ? traces->put(traces->user, id, rows, out, err) : 0;
    if (rc < 0)
        return rc;
    if (!rows || !tk_buf_ok(out) || (out->n > TK_API_ANSWER_BYTES && traces->put_count > 0)) {
        /* Take it back: the answer ends before it. */
        out->n = before;
        out->failure = 0;
        miss(traces, id, &traces->too_large);
        traces->is_cut = rows;
        return rows ? 1 : 0;
    }
    if (out->n == begin) { /* it was not to be put */
        out->n = before;
        return 0;
    }
    traces->put_count++;
    return traces->limit > 0 && traces->put_count == traces->limit;
}

int tk_api_put_traces(struct tk_query_ctx *ctx, const uint8_t (*ids)[16], size_t count,
                      struct tk_api_traces *traces, struct tk_err *err)
{
    const struct tk_trace_walk walk = {ctx->batch, put_trace, traces};
    int rc = tk_segment_set_walk_traces(ctx->set, ids, count, &walk, err);
    return rc < 0 ? rc : 0;
}

int tk_api_put_found(struct tk_query_ctx *ctx, const struct tk_api_search *search,
                     struct tk_api_traces *traces, struct tk_err *err)
{
    size_t count;
    const uint8_t(*found)[16];
    /* A put that may leave traces out needs more of them than the limit. */
    size_t limit = traces->limit > 0 ? SIZE_MAX : (size_t)search->limit;
    int rc = tk_segment_set_find(ctx->set, &search->query, limit, &found, &count, err);
    if (rc < 0 || count == 0)
        return rc;
    uint8_t(*ids)[16] = malloc(count * sizeof(*ids)); /* the set's are gone with the next call */
    if (!ids)
        return tk_fail(err, -ENOMEM, "traces: out of memory");
    memcpy(ids, found, count * sizeof(*ids));
    rc = tk_api_put_traces(ctx, (const uint8_t(*)[16])ids, count, traces, err);
    free(ids);
    return rc;
}
