/* SPDX-License-Identifier: Apache-2.0 */
/* Gen-T's projection as attributes (trace-compression.md section 15.6): a span has two strings and
 * three integers, and its resource nothing but a service; so that the projection of what comes back
 * is what it was. Inside L3 only. */
#ifndef TK_CODEC_GENT_PROJECTION_H
#define TK_CODEC_GENT_PROJECTION_H

#include "span/projection.h"

#define TK_GENT_ATTRS (TK_STR_FEATURES + TK_INT_FEATURES)
#define TK_GENT_MOST  (TK_GENT_ATTRS + 1) /* with TK_ISSUE_KEY */

/* Where the five come from. */
enum tk_gent_kind {
    TK_GENT_HTTP = 0, /* a span with http.method */
    TK_GENT_PROCESS,  /* one without */
    TK_GENT_BODY,     /* one of five attributes: those */
    TK_GENT_KINDS
};

/* Keys by kind: those that the values come from, where there are some. */
extern const char *const tk_gent_keys[TK_GENT_KINDS][TK_GENT_ATTRS];

/* The kind of a projection. */
enum tk_gent_kind tk_gent_kind_of(const struct tk_projection *projection);

/* Whether a span has issues that neither its status nor the attributes of its kind tell of. */
bool tk_gent_hides_issues(const struct tk_projection *projection, uint8_t status);

#endif
