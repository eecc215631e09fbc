/* SPDX-License-Identifier: Apache-2.0 */
/* What the access logs of nginx and Envoy share: lines of text in a format. */
#ifndef TK_SPAN_INGEST_TEXT_H
#define TK_SPAN_INGEST_TEXT_H

#include "span/ingest.h"
#include "span/pattern.h"

struct tk_ingest_text {
    const struct tk_key *variables;
    size_t variable_count;
    enum tk_pattern_style style;
    const char *usual; /* format; its last `optional` variables may be missing in a line */
    size_t optional;
    bool has_escapes;     /* "\x22" */
    const char *trace_id; /* variable that tells it before all others; NULL = none */
};

TK_MUST_USE int tk_ingest_text_open(const struct tk_ingest_text *about,
                                    const struct tk_ingest_options *options, void **ret_state,
                                    struct tk_err *err);
/* As of struct tk_ingest. */
int tk_ingest_text_read(void *state, tk_str record, struct tk_call *call, struct tk_err *err);
void tk_ingest_text_close(void *state);

#endif
