/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as named values, as columns of CSV and keys of flat JSON have them: which name stands for
 * what, and the row that the values make. Names are compared without case, '_', '-', '.' and
 * blanks: "TraceID", "trace_id" and "trace.id" are one. One thread at a time. */
#ifndef TK_SPAN_SPAN_FIELDS_H
#define TK_SPAN_SPAN_FIELDS_H

#include "span/reading.h"

enum tk_span_role {
    TK_ROLE_TRACE_ID,
    TK_ROLE_SPAN_ID,
    TK_ROLE_PARENT_ID, /* "root" and "0" are none, too */
    TK_ROLE_SERVICE,
    TK_ROLE_POD, /* of Kubernetes: the service is the name without its two random endings */
    TK_ROLE_NAME,
    TK_ROLE_KIND,
    TK_ROLE_START,
    TK_ROLE_END,
    TK_ROLE_DURATION,
    TK_ROLE_STATUS,
    TK_ROLE_MESSAGE,
    TK_ROLE_ERROR, /* true, 1, yes: status error */
    TK_ROLE_TRACE_STATE,
    TK_ROLE_FLAGS,
    TK_ROLE_SCOPE,
    TK_ROLE_VERSION,
    TK_ROLE_ATTRIBUTES, /* a JSON object */
    TK_ROLE_RESOURCE,   /* a JSON object */
    TK_ROLE_COUNT       /* none: an attribute of its name */
};

/* How a number counts time. */
enum tk_span_unit {
    TK_SPAN_UNIT_AUTO,
    TK_SPAN_UNIT_S,
    TK_SPAN_UNIT_MS,
    TK_SPAN_UNIT_US,
    TK_SPAN_UNIT_NS
};

struct tk_span_field {
    enum tk_span_role role;
    enum tk_span_unit unit;
};

/* The service of a pod: its name without the "-HASH-xxxxx" of a deployment at its end, 8 to 10
 * hexadecimal digits and 5 characters; the whole name where that is not there. */
tk_str tk_span_pod_service(tk_str pod);

/* What a name stands for, by the maps of the input and then the names that are known. -EINVAL names
 * a map that is none. */
TK_MUST_USE int tk_span_field_find(const struct tk_span_input *input, tk_str name,
                                   struct tk_span_field *ret_field, struct tk_err *err);

/* Whether the column of each map of the input is among the columns. -EINVAL names the first that is
 * not, or that is no map. */
TK_MUST_USE int tk_span_maps_check(const struct tk_span_input *input, const tk_str *names,
                                   size_t count, struct tk_err *err);

/* The values of one span; empty = none. */
struct tk_span_values {
    tk_str texts[TK_ROLE_COUNT];
    enum tk_span_unit units[TK_ROLE_COUNT];
};

/* Begin a row and set what the values tell; the caller adds attributes and ends the row. -ENOBUFS,
 * or -EBADMSG when ids or times are missing or wrong. */
TK_MUST_USE int tk_span_values_put(struct tk_reading *reading, const struct tk_span_values *values,
                                   struct tk_err *err);

#endif
