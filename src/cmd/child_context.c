/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/child_context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/env.h"
#include "span/invocation_spans.h"
#include "span/span_text.h"

#define LIST_MAX 65536

/* Not before the kernel's pool is ready, which it is long since: then the id is that of the clock's
 * neighbours, and still none that is all zero. */
static void put_random(void *to, size_t n)
{
    unsigned char *bytes = to;
    if (getrandom(to, n, 0) != (ssize_t)n)
        memset(to, 0, n);
    bytes[n - 1] |= 1;
}

/* The trace that a name stands for, as its spans have it where they are exported. */
static bool read_trace_id(const char *text, uint8_t ret[16])
{
    char hex[TK_DIGEST_MAX];
    struct tk_err ignored;
    return text && *text &&
           tk_invocation_id(tk_str_from(text), TK_TRACE_ID_DIGITS, hex, &ignored) == 0 &&
           tk_trace_id_parse((tk_str){hex, TK_TRACE_ID_DIGITS}, ret);
}

void tk_child_context_make(const char *trace_id, struct tk_child_context *ret)
{
    struct tk_traceparent parent;
    *ret = (struct tk_child_context){.span = {.flags = TK_TRACE_SAMPLED}};
    put_random(&ret->span.span_id, sizeof(ret->span.span_id));
    if (tk_traceparent_parse(tk_str_from(tk_env_find("TRACEPARENT")), &parent)) {
        memcpy(ret->span.trace_id, parent.trace_id, sizeof(parent.trace_id));
        ret->span.flags = parent.flags;
        ret->has_parent = true;
        ret->parent_id = parent.span_id;
    } else if (!read_trace_id(trace_id, ret->span.trace_id)) {
        put_random(ret->span.trace_id, sizeof(ret->span.trace_id));
    }
}

/* NAME becomes what `list` holds; an empty list takes it back. */
static void set_list(const char *name, struct tk_buf *list)
{
    if (tk_buf_ok(list) && list->n > 0) {
        tk_buf_putc(list, '\0');
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): the contract says so */
        (void)setenv(name, list->p, 1);
    } else {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): likewise */
        (void)unsetenv(name);
    }
    tk_buf_reset(list);
}

void tk_child_context_set(const struct tk_child_context *context)
{
    char text[TK_TRACEPARENT_BYTES + 1];
    TK_CLEANUP(tk_buf_release) struct tk_buf list;
    tk_buf_init(&list, LIST_MAX);
    tk_traceparent_format(&context->span, text);
    tk_buf_puts(&list, text);
    set_list("TRACEPARENT", &list);
    if (context->has_parent) /* a state without its parent means nothing */
        tk_tracestate_put(tk_str_from(tk_env_find("TRACESTATE")), &list);
    set_list("TRACESTATE", &list);
    tk_baggage_put(tk_str_from(tk_env_find("BAGGAGE")), &list);
    set_list("BAGGAGE", &list);
    tk_resource_attributes_put(tk_str_from(tk_env_find("OTEL_RESOURCE_ATTRIBUTES")),
                               TK_STR(TK_PARENT_ATTRIBUTE), tk_str_from(text), &list);
    set_list("OTEL_RESOURCE_ATTRIBUTES", &list);
}

void tk_child_context_format(const struct tk_child_context *context, char ret_trace_id[33],
                             char ret_span_id[17], char ret_parent_id[17])
{
    char text[TK_TRACEPARENT_BYTES + 1];
    struct tk_traceparent parent = context->span;
    tk_traceparent_format(&context->span, text);
    (void)snprintf(ret_trace_id, 33, "%.32s", text + 3);
    (void)snprintf(ret_span_id, 17, "%.16s", text + 36);
    parent.span_id = context->parent_id;
    tk_traceparent_format(&parent, text);
    (void)snprintf(ret_parent_id, 17, "%.16s", context->has_parent ? text + 36 : "");
}
