/* SPDX-License-Identifier: Apache-2.0 */
/* tracekit fidelity from inside. The first argument is a verb; where it is none, sets of traces are
 * compared. To add a verb: src/cmd/fidelity_x.c, its prototype below, its line in the table of
 * cmd_fidelity.c, its options there and in docs/man/tracekit-fidelity.1.scd. */
#ifndef TK_CMD_FIDELITY_H
#define TK_CMD_FIDELITY_H

#include "cmd/cmd.h"
#include "cmd/span_input.h"
#include "fidelity/controls.h"
#include "fidelity/faults.h"
#include "fidelity/figures.h"
#include "report/look.h"

enum tk_fidelity_format { TK_FIDELITY_TABLE = 0, TK_FIDELITY_JSON, TK_FIDELITY_CSV };

struct tk_fidelity_opts {
    /* Of all that read traces. */
    const char *input_format;
    int unit; /* index in tk_fidelity_units */
    bool compat;

    /* compare, query, templates */
    int format; /* enum tk_fidelity_format */
    struct tk_opt_list measures, queries, params;
    const char *incident;
    const char *windows;
    bool details;
    bool skip_zero;
    int64_t sample_of;
    int64_t seed;

    /* rca, suite */
    const char *faults;

    /* export, templates */
    const char *sql;
    const char *table;
    const char *table1, *table2;

    /* sample, control, suite */
    const char *output;
    const char *encoding;
    double n;

    /* suite */
    struct tk_opt_list data, methods;
    const char *budgets;
    int64_t seeds, block, jobs;
    bool next_block, no_cost;

    /* compare */
    const char *html;
    bool no_controls;
};

/* One call. */
struct tk_fidelity_call {
    const struct tk_cmd *cmd;
    const struct tk_fidelity_opts *opts;
    int argc; /* arguments of the verb */
    char **argv;
};

/* Each does what its verb says and returns the exit status of the program. */
int tk_fidelity_compare(const struct tk_fidelity_call *call);
int tk_fidelity_query(const struct tk_fidelity_call *call);
int tk_fidelity_export(const struct tk_fidelity_call *call);
int tk_fidelity_rca(const struct tk_fidelity_call *call);
int tk_fidelity_templates(const struct tk_fidelity_call *call);
int tk_fidelity_sample(const struct tk_fidelity_call *call);
int tk_fidelity_control(const struct tk_fidelity_call *call);
int tk_fidelity_suite(const struct tk_fidelity_call *call);

/* A set of traces that a user named, as a table; what was refused is told on stderr.
 * Fails with -ENODATA when it holds no traces. */
TK_MUST_USE int tk_fidelity_open(const struct tk_fidelity_call *call, const char *name,
                                 struct tk_span_table **ret_table, struct tk_err *err);

/* Both sets of traces that a comparison names: what was made, and the real one. */
TK_MUST_USE int tk_fidelity_open_both(const struct tk_fidelity_call *call,
                                      struct tk_span_table *ret_tables[2], struct tk_err *err);

/* A list of injected faults, of which there is one at least; "-" is standard input. */
TK_MUST_USE int tk_fidelity_read_faults(const char *path, struct tk_faults *ret_faults,
                                        struct tk_err *err);

/* What options say ----------------------------------------------------------------------------- */

/* Words of options that may come again and hold several between commas. */
struct tk_fidelity_words {
    char *text; /* owned, as the arrays; words are parts of it */
    const char **items;
    size_t count;
};

TK_MUST_USE int tk_fidelity_words_init(const struct tk_opt_list *list,
                                       struct tk_fidelity_words *ret_words, struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_fidelity_words_release(struct tk_fidelity_words *words);

/* Values of parameters of queries: "service_name=cart,front". Texts of the command line. */
struct tk_fidelity_params {
    struct tk_param_values items[TK_PARAM_COUNT];
    size_t count;
    tk_str *values[TK_PARAM_COUNT]; /* owned */
};

/* -EINVAL names what is no parameter. */
TK_MUST_USE int tk_fidelity_params_init(const struct tk_opt_list *list,
                                        struct tk_fidelity_params *ret_params, struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_fidelity_params_release(struct tk_fidelity_params *params);

/* Controls ------------------------------------------------------------------------------------- */

#define TK_FIDELITY_CONTROLS 8

/* What a set that is wrong on purpose comes to. */
struct tk_fidelity_measured {
    const struct tk_control *control;
    struct tk_figures figures;
    bool has_effect; /* some strict figure is not perfect */
};

/* What controls say of a figure of a comparison. */
struct tk_fidelity_judged {
    const struct tk_figure *floor;  /* the same of two random halves of B; NULL = none */
    const struct tk_control *blind; /* breaks what the figure is about and is better by it than A,
                                       so that the figure tells nothing here; NULL = none */
};

struct tk_fidelity_controls {
    struct tk_fidelity_measured items[TK_FIDELITY_CONTROLS];
    size_t count;
    struct tk_fidelity_judged *judged; /* of each figure of the comparison; owned */
};

/* Measure all controls of `real` as a comparison with it was measured, which came to `figures`.
 * Release it also after a failure. */
TK_MUST_USE int tk_fidelity_controls_run(const struct tk_span_table *real,
                                         const struct tk_measure_options *options,
                                         const struct tk_figures *figures,
                                         struct tk_fidelity_controls *ret_controls,
                                         struct tk_err *err);

/* What they say of figure `at` of the comparison; NULL without controls. */
const struct tk_fidelity_judged *tk_fidelity_judged_of(const struct tk_fidelity_controls *controls,
                                                       size_t at);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_fidelity_controls_release(struct tk_fidelity_controls *controls);

/* Printing ------------------------------------------------------------------------------------- */

/* A comparison that is to be printed. */
struct tk_fidelity_report {
    const char *names[2]; /* of a and b */
    const struct tk_span_table *tables[2];
    const struct tk_figures *figures;
    const struct tk_fidelity_controls *controls; /* of these figures; NULL = none */
    bool with_details; /* in the table also what stands behind the totals */
    int64_t sample_of; /* counts of A are multiplied by it; 0 = 1 */
};

/* Append it; the table for `look`. */
TK_MUST_USE int tk_fidelity_put_table(const struct tk_fidelity_report *report,
                                      const struct tk_look *look, struct tk_buf *out,
                                      struct tk_err *err);
void tk_fidelity_put_json(const struct tk_fidelity_report *report, struct tk_buf *out);
void tk_fidelity_put_csv(const struct tk_figures *figures,
                         const struct tk_fidelity_controls *controls, struct tk_buf *out);

/* Append a figure as an element of a JSON array; `judged` may be NULL. */
void tk_fidelity_put_figure(struct tk_buf *out, const struct tk_figure *figure,
                            const struct tk_fidelity_judged *judged);

/* Print it to standard output in the format that the options name. */
TK_MUST_USE int tk_fidelity_print(const struct tk_fidelity_call *call,
                                  const struct tk_fidelity_report *report, struct tk_err *err);
/* Write a page with plots. */
TK_MUST_USE int tk_fidelity_write_html(const struct tk_fidelity_report *report, const char *path,
                                       struct tk_err *err);

#endif
