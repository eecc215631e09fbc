/* SPDX-License-Identifier: Apache-2.0 */
/* tracekit fidelity suite from inside: methods x budgets x seeds on sets of traces, with controls,
 * at equal bytes (trace-fidelity.md section 13).
 *
 *   fidelity_suite.c   options, data, what is to be run
 *   suite_methods.c    the methods, as a const table: a sampler and a baseline, or the codec
 *   suite_codec.c      ours among them
 *   suite_point.c      one run: encode, decode, measure; what it used
 *   suite_causes.c     what becomes of root causes of injected faults
 *   suite_run.c        runs as processes of their own, some at a time
 *   suite_view.c       means and intervals, who is better, what is uninformative
 *   suite_json.c, suite_markdown.c, suite_html.c   the report
 *
 * One thread at a time. */
#ifndef TK_CMD_SUITE_H
#define TK_CMD_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "cmd/cmd.h"
#include "fidelity/baselines.h"
#include "fidelity/controls.h"
#include "fidelity/faults.h"
#include "fidelity/figures.h"
#include "fidelity/frontier.h"
#include "fidelity/profile.h"
#include "fidelity/rca.h"
#include "fidelity/samplers.h"

#define TK_SUITE_SEEDS_MAX 32
#define TK_SUITE_LABEL_MAX 48
#define TK_SUITE_PARTS_MAX 64   /* of a list between commas */
#define TK_SUITE_WITHIN    1.03 /* files that differ by less than this factor are equally large */

/* A codec as the suite sees it, so that judging knows none. */
struct tk_suite_codec {
    /* Append the file of all spans of the source. `setting` is a text such as "5%"; NULL = at most
     * `trace_bytes` a trace. */
    TK_MUST_USE int (*encode)(struct tk_span_source spans, const char *setting, double trace_bytes,
                              uint64_t seed, struct tk_buf *out, struct tk_err *err);

    /* The traces of a file. */
    TK_MUST_USE int (*decode)(tk_str file, uint64_t seed, int64_t unit_ns,
                              struct tk_span_table **ret_table, struct tk_err *err);
    bool (*knows)(const char *setting);
};

extern const struct tk_suite_codec tk_suite_codec_tkz;

struct tk_suite_method {
    const char *name; /* as in --methods */
    const char *help;
    const struct tk_sampler *sampler; /* NULL = all traces */
    const struct tk_baseline *baseline;
    const struct tk_suite_codec *codec; /* in place of both: ours */
    const char *settings;               /* what may stand behind ':' */
    unsigned colour;
};

/* Ends with an empty name. */
extern const struct tk_suite_method tk_suite_methods[];

/* By name; NULL = none. */
const struct tk_suite_method *tk_suite_method_find(tk_str name);

/* A set of traces. */
struct tk_suite_data {
    const char *name;
    const char *path;
    char sha256[TK_DIGEST_MAX]; /* of the file; "" of a folder or a pipe */
    char digest[TK_DIGEST_MAX]; /* of the table */
    struct tk_span_table *real; /* owned; the block that is encoded */
    struct tk_span_table *next; /* owned; the block after it, NULL unless asked for */
    struct tk_profile_range range;
    struct tk_profile profile;
    struct tk_faults faults;      /* that were injected; empty = not known */
    struct tk_rca_result *causes; /* [faults.count] as found in the real block; owned */
    uint32_t all_traces;
    uint32_t all_spans;
    size_t bare_bytes; /* a first guess of what a trace takes */
};

/* One run of an item. */
struct tk_suite_point {
    uint64_t seed;
    bool is_done;
    char failure[TK_ERR_MAX]; /* "" = none */
    bool is_over;             /* even the least does not fit the budget */
    uint64_t bytes;
    uint64_t traces; /* that were decoded */
    double share;    /* of the traces that the file keeps; NaN = all, or none as such */
    double encode_s; /* CPU */
    double decode_s;
    uint64_t rss_bytes; /* by which encoding and decoding raised the memory */
    struct tk_figures figures;
    struct tk_figures next; /* against the block after it */
    struct tk_profile profile;
};

/* One thing that is run with several seeds: a method at a budget or a setting, or a control. */
struct tk_suite_item {
    const struct tk_suite_method *method; /* or */
    const struct tk_control *control;
    double trace_bytes;                   /* budget; 0 = none */
    const char *setting;                  /* of the codec, or "all"; NULL = none */
    double one_of;                        /* of a sampler; 0 = none */
    const struct tk_suite_item *equal_to; /* the item whose bytes are the budget; NULL = none */
    char label[TK_SUITE_LABEL_MAX];       /* "10 B/trace", "1:10", "5%" */
    struct tk_suite_point points[TK_SUITE_SEEDS_MAX];
    size_t seeds;
};

/* The items of one set of traces, in the order of the report. */
struct tk_suite_part {
    struct tk_suite_data data;
    struct tk_suite_item **items; /* [count], owned each */
    size_t count, max;
};

struct tk_suite {
    const struct tk_cmd *cmd;
    struct tk_suite_part *parts; /* [part_count], owned */
    size_t part_count;
    double budgets[TK_SUITE_PARTS_MAX];
    size_t budget_count;
    size_t seeds;
    uint32_t block; /* traces; 0 = all */
    bool with_next;
    size_t jobs;
    bool no_cost;
    bool shows_progress; /* a line on stderr says how far the runs are */
    const char *command; /* as it was called; for the report */
    const char *const *measures;
    size_t measure_count;
};

/* Run one point of an item: encode, decode, measure. Of a process of its own: it changes the
 * working folder. */
TK_MUST_USE int tk_suite_point_run(const struct tk_suite *suite, const struct tk_suite_data *data,
                                   const struct tk_suite_item *item, struct tk_suite_point *point,
                                   struct tk_err *err);

/* Run all points of the items [first, part->count) that are not done. A point that fails says so in
 * itself. */
TK_MUST_USE int tk_suite_run(const struct tk_suite *suite, struct tk_suite_part *part, size_t first,
                             struct tk_err *err);

/* Read the faults of a set from "[NAME=]FILE,..." and find their causes in its block. A part
 * without a name is for all sets. Nothing is read where no part is for it; `text` may be NULL. */
TK_MUST_USE int tk_suite_causes_open(struct tk_suite_data *data, const char *text,
                                     struct tk_err *err);

/* -EINVAL when a part names none of the suite's sets. */
TK_MUST_USE int tk_suite_causes_check(const struct tk_suite *suite, const char *text,
                                      struct tk_err *err);

/* Add how well causes are found in `made`, beside the real block. */
TK_MUST_USE int tk_suite_causes_measure(const struct tk_suite_data *data,
                                        const struct tk_span_table *made,
                                        struct tk_figures *figures, struct tk_err *err);

/* Release what a point holds. */
void tk_suite_point_release(struct tk_suite_point *point);

/* View ----------------------------------------------------------------------------------------- */

/* Mean bytes of the runs of an item that are done, a trace of the real set; NaN = none. */
double tk_suite_trace_bytes(const struct tk_suite_part *part, const struct tk_suite_item *item);

/* A figure of an item over its seeds; `next` = against the next block. */
struct tk_suite_key {
    const char *group, *name;
    enum tk_figure_rule rule;
};
struct tk_spread tk_suite_spread(const struct tk_suite_item *item, const struct tk_suite_key *key,
                                 bool next);

/* The sense of a figure, as any item has it; TK_FIGURE_COUNT when none has. */
enum tk_figure_sense tk_suite_sense(const struct tk_suite_part *part,
                                    const struct tk_suite_key *key);

/* All figures that items of this part have, each once, in their order. The caller frees. -ENOMEM.
 */
TK_MUST_USE int tk_suite_keys(const struct tk_suite_part *part, struct tk_suite_key **ret_keys,
                              size_t *ret_count, struct tk_err *err);

/* A control that breaks what this figure is about and that it ranks above the main method, or,
 * without one of ours, above the best of all reduced sets: the figure is blind, and says nothing
 * here. NULL = none. `ret_item` (what is worse than the control) may be NULL. */
const struct tk_control *tk_suite_uninformative(const struct tk_suite_part *part,
                                                const struct tk_suite_key *key,
                                                const struct tk_suite_item **ret_item);

/* What the report is about where it has to be one: ours at a quality, generative or at a budget;
 * else what was given about 20 bytes a trace. NULL without any item. */
const struct tk_suite_item *tk_suite_main(const struct tk_suite_part *part);

/* Figures that come first in reports, or those of a table of its own. */
struct tk_suite_headline {
    struct tk_suite_key key;
    const char *title;
};
struct tk_suite_topic {
    const char *title, *help;
    const struct tk_suite_headline *lines; /* end with a NULL title */
};
extern const struct tk_suite_topic tk_suite_topics[];       /* ends with a NULL title */
extern const struct tk_suite_headline tk_suite_headlines[]; /* ends with a NULL title */
extern const char *const tk_suite_queries[];                /* names of the ten; ends with NULL */

/* What an item took, means over its seeds; NaN = unknown. */
#define TK_SUITE_COST_MODELS 2
struct tk_suite_cost {
    double encode_s, decode_s; /* CPU */
    double rss_bytes;          /* the most of any run */
    double dollars[TK_SUITE_COST_MODELS];
};
struct tk_suite_cost tk_suite_cost_of(const struct tk_suite_part *part,
                                      const struct tk_suite_item *item);

/* A pair that says who is better: one of ours, or what is in its place, and another that takes as
 * many bytes or more. */
struct tk_suite_duel {
    const struct tk_suite_item *own, *other;
    double own_bytes, other_bytes;         /* a trace */
    struct tk_spread own_mean, other_mean; /* strict mean of the ten queries */
    int better, equal, worse;              /* of the ten, strictly: how many; others have no rows */
};

/* The duels of a part, at most `max`, in the order of the report. */
size_t tk_suite_duels(const struct tk_suite_part *part, struct tk_suite_duel *ret_duels,
                      size_t max);

/* Report --------------------------------------------------------------------------------------- */

/* Append the report as JSON, and what depends on the machine as a JSON document of its own. */
void tk_suite_put_json(const struct tk_suite *suite, struct tk_buf *out);
void tk_suite_put_costs(const struct tk_suite *suite, struct tk_buf *out);

/* Append the report as Markdown, and as a page. -ENOMEM. */
TK_MUST_USE int tk_suite_put_markdown(const struct tk_suite *suite, struct tk_buf *out,
                                      struct tk_err *err);
TK_MUST_USE int tk_suite_put_html(const struct tk_suite *suite, struct tk_buf *out,
                                  struct tk_err *err);

/* The strict distance against bytes of one set, as a file of its own. */
void tk_suite_put_svg(const struct tk_suite_part *part, struct tk_buf *out);

#endif
