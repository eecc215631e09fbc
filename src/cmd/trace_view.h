/* SPDX-License-Identifier: Apache-2.0 */
/* One trace drawn for people, or as JSON. */
#ifndef TK_CMD_TRACE_VIEW_H
#define TK_CMD_TRACE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "report/look.h"
#include "span/bill_lookup.h"
#include "span/span_text.h"
#include "span/trace_tree.h"

struct tk_trace_view {
    bool all;       /* every one of repeated siblings */
    bool attrs;     /* attributes below each span */
    bool events;    /* events and links, too */
    int64_t min_ns; /* spans that are shorter, with all below them, are hidden */
    const struct tk_bill_lookup *bills; /* NULL = the run has none; borrowed */
};

/* Append the trace as a tree with bars, what is odd about it, and where its time went; lines of at
 * most look->width columns. */
TK_MUST_USE int tk_trace_view_text(const struct tk_trace_tree *tree,
                                   const struct tk_trace_view *view, const struct tk_look *look,
                                   struct tk_buf *out, struct tk_err *err);

/* Append the trace as one JSON object on one line; the keys are in tracekit-trace(1). `bills` may
 * be NULL. */
void tk_trace_view_json(const struct tk_trace_tree *tree, const struct tk_bill_lookup *bills,
                        struct tk_buf *out);

/* The name of a kind or a status of a batch. */
static inline const char *tk_span_kind_name(uint8_t kind)
{
    return tk_span_kind_names[kind < TK_SPAN_KIND_COUNT ? kind : TK_SPAN_UNSPECIFIED];
}

/* "unset", "ok" or "error". */
static inline const char *tk_span_status_name(uint8_t status)
{
    return tk_span_status_names[status < TK_SPAN_STATUS_COUNT ? status : TK_SPAN_UNSET];
}

#endif
