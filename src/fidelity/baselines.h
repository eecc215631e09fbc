/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders that a codec is compared with (trace-fidelity.md section 12): each makes a file of real
 * bytes and reads it back, so that what is measured went through the file. Safe from any thread. */
#ifndef TK_FIDELITY_BASELINES_H
#define TK_FIDELITY_BASELINES_H

#include "base/buf.h"
#include "fidelity/span_table.h"

/* What is to be written. */
struct tk_baseline_input {
    const struct tk_span_table *table; /* whole traces with their weights */

    /* The same traces with all that they hold, for encoders that say `needs_spans`; others may get
     * a zeroed struct. */
    struct tk_span_source spans;
};

struct tk_baseline {
    const char *name; /* as in --methods and `sample --as` */
    const char *help; /* one line, lower case */
    bool needs_spans;
    bool has_ids;       /* trace and span ids are in the file */
    bool is_generative; /* keeps no trace: a sample of one makes no sense */

    /* Append the file to `out`. -ENOMEM; -EOPNOTSUPP where the weights cannot be written. */
    TK_MUST_USE int (*encode)(const struct tk_baseline_input *input, struct tk_buf *out,
                              struct tk_err *err);

    /* The traces of a file, which is all that is looked at. `seed` is of what is made up. -EBADMSG
     * when it is damaged, -ENOMEM. */
    TK_MUST_USE int (*decode)(tk_str file, uint64_t seed, struct tk_span_table **ret_table,
                              struct tk_err *err);
};

extern const struct tk_baseline tk_baseline_columns;      /* zstd-19 of varints, with ids */
extern const struct tk_baseline tk_baseline_columns_bare; /* without */
extern const struct tk_baseline tk_baseline_otlp;
extern const struct tk_baseline tk_baseline_otap;
extern const struct tk_baseline tk_baseline_markov;

/* In the order of section 12; ends with NULL. */
extern const struct tk_baseline *const tk_baselines[];

/* By name; NULL = none. */
const struct tk_baseline *tk_baseline_find(const char *name);

#endif
