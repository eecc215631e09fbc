/* SPDX-License-Identifier: Apache-2.0 */
/* What Gen-T keeps of the attributes of a span: the two strings and three integers of Gen-T
 * (trace-compression.md section 15.6), the HTTP method and status code, and whether the span has
 * issues (15.5.4).
 *
 * Gen-T sees a body: the span's attributes in their order, then those of the resource but the name
 * of the service, as process_KEY; of equal keys the last value counts. One thread at a time. */
#ifndef TK_SPAN_PROJECTION_H
#define TK_SPAN_PROJECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "span/span_batch.h"

#define TK_STR_FEATURES 2
#define TK_INT_FEATURES 3

#define TK_ISSUE_KEY   "gent.issue" /* attribute of a span that has issues, whatever else it says */
#define TK_ISSUE_ABOVE 300          /* HTTP status codes above are issues */

/* Attributes that mean something here. */
enum tk_projected_key {
    TK_KEY_COMPONENT,
    TK_KEY_ERROR,
    TK_KEY_METHOD,
    TK_KEY_NEW_METHOD, /* of the conventions of 2023 */
    TK_KEY_CODE,
    TK_KEY_NEW_CODE,
    TK_KEY_PEER_ADDRESS,
    TK_KEY_URL,
    TK_KEY_SERVICE, /* of resources from here on */
    TK_KEY_HOSTNAME,
    TK_KEY_IP,
    TK_KEY_POD,
    TK_KEY_SPAN_ID, /* what readers add to a span, from here on */
    TK_KEY_TRACE_ID,
    TK_KEY_TYPE,
    TK_KEY_ISSUE, /* what the codec adds: had issues that nothing which it kept tells of */
    TK_PROJECTED_KEYS
};

/* Of one batch: what its ids of keys stand for. */
struct tk_projector {
    const struct tk_span_batch *batch;    /* borrowed */
    uint32_t keys[TK_PROJECTED_KEYS];     /* text of the batch; TK_TEXTS_NONE = is not in it */
    struct tk_buf texts[TK_STR_FEATURES]; /* scratch; owned */
};

/* What is kept of a row. Texts that are texts of the batch are told by their id. */
struct tk_projected_text {
    uint32_t id; /* of the batch; TK_TEXTS_NONE = `text`, which lives until the next row */
    tk_str text;
};

struct tk_projection {
    struct tk_projected_text strings[TK_STR_FEATURES];
    int64_t integers[TK_INT_FEATURES];
    uint32_t method; /* text of the batch; 0 = none */
    uint16_t code;   /* 0 = none */
    bool has_issues;
};

/* A projector for batches; release it by tk_projector_release(). */
void tk_projector_init(struct tk_projector *projector);

/* Accepts a zeroed struct. */
void tk_projector_release(struct tk_projector *projector);

/* Rows of this batch come next; it must not grow until they are read. */
void tk_projector_begin(struct tk_projector *projector, const struct tk_span_batch *batch);

/* What is kept of a row; texts without an id live until the next call. */
void tk_projector_read(struct tk_projector *projector, size_t row, struct tk_projection *ret);

#endif
