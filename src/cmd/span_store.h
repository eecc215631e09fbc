/* SPDX-License-Identifier: Apache-2.0 */
/* The spans of a run, as the commands that read them open them. */
#ifndef TK_CMD_SPAN_STORE_H
#define TK_CMD_SPAN_STORE_H

#include <limits.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/err.h"
#include "segment/segment.h"

struct tk_span_store {
    char path[PATH_MAX]; /* of the run */
    int dirfd;           /* of its folder of spans; -1 = it is a file */
    struct tk_segment_set *set;
};

/* Open the spans of a run: a folder, the name of one in logs/, NULL = the run that `parse` takes.
 * -ENOENT when it has none. Release the store also after a failure. */
TK_MUST_USE int tk_span_store_open(const char *run, struct tk_span_store *ret_store,
                                   struct tk_err *err);

/* The same, or a file of compressed traces (.tkz), to be read only. */
TK_MUST_USE int tk_span_store_open_any(const char *run, struct tk_span_store *ret_store,
                                       struct tk_err *err);

/* For TK_CLEANUP. */
void tk_span_store_release(struct tk_span_store *store);

#define TK_TRACE_ID_MAX 33

/* A trace id as 32 hexadecimal digits; returns `buf`. */
char *tk_trace_id_cstr(const uint8_t id[16], char buf[TK_TRACE_ID_MAX]);

/* The first 12 digits, for lists, without the zeros in front of an id of 64 bits; `tracekit trace`
 * takes them. */
char *tk_trace_id_cut(const uint8_t id[16], char buf[TK_TRACE_ID_MAX]);

/* A span id, as in the columns of a batch, as 16 digits; returns `buf`. */
char *tk_span_id_cstr(uint64_t id, char buf[TK_TRACE_ID_MAX]);

/* Whether all spans are of one day, so that times need no date. */
bool tk_span_store_on_one_day(const struct tk_segment_set *set);

/* "09:02:29.123" of a time, or "2026-11-21 09:02:29.123", UTC; returns `buf`. */
char *tk_span_time_format(int64_t ns, bool with_date, char buf[TK_TIME_MAX]);

#endif
