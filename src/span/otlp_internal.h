/* SPDX-License-Identifier: Apache-2.0 */
/* What the writers of spans and of metrics share: attributes, resources, times. */
#ifndef TK_SPAN_OTLP_INTERNAL_H
#define TK_SPAN_OTLP_INTERNAL_H

#include "span/otlp_write.h"

/* Append `,`-separated attributes: {"key":K,"value":{...}}. Texts that are empty are left out. */
void tk_otlp_put_text(struct tk_buf *out, const char *key, tk_str text);

/* A column of the table by what it is called; column_count = it has none. */
enum tk_otlp_place {
    TK_OTLP_PID, /* first: most rows differ here, and are compared often */
    TK_OTLP_START_TICKS,
    TK_OTLP_HOST,
    TK_OTLP_NODE,
    TK_OTLP_STAGE,
    TK_OTLP_SERVICE,
    TK_OTLP_INSTANCE,
    TK_OTLP_COMM,
    TK_OTLP_PLACE_COUNT
};

/* One batch on its way. */
struct tk_otlp_writing {
    struct tk_otlp *otlp;
    const struct tk_batch *batch;
    struct tk_buf *out;
    size_t places[TK_OTLP_PLACE_COUNT]; /* columns; the count of columns = the table has it not */
    bool *done;                         /* [rows] owned: written, or to be left out */
};

/* Nothing is done yet. Fails with -ENOMEM. */
TK_MUST_USE int tk_otlp_writing_init(struct tk_otlp_writing *writing, struct tk_otlp *otlp,
                                     const struct tk_batch *batch, struct tk_buf *out,
                                     struct tk_err *err);

/* For TK_CLEANUP; accepts a zeroed struct. */
void tk_otlp_writing_release(struct tk_otlp_writing *writing);

/* Whether two rows are of the same resource. */
bool tk_otlp_is_same(const struct tk_otlp_writing *writing, size_t a, size_t b);

/* Append {"resource":{...},"GROUP":[{"scope":{...},"ITEMS":[ of the resource of a row; the caller
 * ends it with "]}]}". */
void tk_otlp_begin_resource(const struct tk_otlp_writing *writing, size_t row, const char *group,
                            const char *items);

/* Append "KEY":"NANOSECONDS". */
void tk_otlp_put_time(struct tk_buf *out, const char *key, int64_t ns);

#endif
