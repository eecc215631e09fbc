/* SPDX-License-Identifier: Apache-2.0 */
/* The ten queries of PandoraTrace (trace-fidelity.md section 3), run on columns: no join is a
 * product of rows, a trace is walked once for all values of all parameters.
 *
 *     tk_query_space_new(a, b, options, &space, err);         values of parameters: those of b
 *     tk_query_count(space, query, keys, 2, &counts, err);    both sides
 *     tk_pair_counts_take(&counts, ...);                      combination by combination
 *
 * A result is a set of pairs (key f, value c) per combination of parameters. One thread at a time.
 */
#ifndef TK_FIDELITY_QUERIES_H
#define TK_FIDELITY_QUERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "fidelity/pair_counts.h"
#include "fidelity/span_table.h"

/* The integer by which PandoraTrace divides starts to get windows, whatever their unit. */
#define TK_QUERY_WINDOW 3600

enum tk_query_param {
    TK_PARAM_ENTRY = 0,
    TK_PARAM_SERVICE,
    TK_PARAM_SERVICE2,
    TK_PARAM_ATTR,
    TK_PARAM_INT_ATTR,
    TK_PARAM_COUNT
};

/* "entry_point" and so on, by enum tk_query_param. */
extern const char *const tk_query_param_names[TK_PARAM_COUNT];

/* Incidents that a query is to find, as bits. */
enum tk_query_incident {
    TK_INCIDENT_CPU_LOAD = 0,
    TK_INCIDENT_CRUSH,
    TK_INCIDENT_DISK_IO_STRESS,
    TK_INCIDENT_LATENCY,
    TK_INCIDENT_MEMORY_STRESS,
    TK_INCIDENT_PACKET_LOSS,
    TK_INCIDENT_COUNT
};
extern const char *const tk_query_incident_names[TK_INCIDENT_COUNT];

/* What a key is. */
enum tk_query_key {
    TK_QUERY_BY_TIME = 0, /* a window of starts */
    TK_QUERY_BY_COLUMN,   /* a value of a column */
    TK_QUERY_BY_RATIO,    /* of two durations; may be TK_KEY_NULL */
    TK_QUERY_BY_DURATION,
};

struct tk_query_walk;

/* A query. All rows of it in one walk over one table. */
struct tk_query {
    const char *name;        /* "error_traces" */
    const char *description; /* as published */
    uint32_t incidents;      /* 1 << enum tk_query_incident */
    uint8_t params[2];       /* enum tk_query_param; TK_PARAM_COUNT = none */
    enum tk_query_key key;
    bool is_max; /* c is the largest value, not a number of rows */
    void (*walk)(struct tk_query_walk *walk);
};

#define TK_QUERIES 10

/* In the order of the page. */
extern const struct tk_query tk_queries[TK_QUERIES];

/* By name; NULL = none. */
const struct tk_query *tk_query_find(const char *name);

/* Columns -------------------------------------------------------------------------------------- */

/* A column of the table of 12 that queries group by. */
struct tk_query_column {
    const char *name; /* "str_feature_1" */
    bool is_text;     /* its key is the number of a text: tk_query_text() */
    bool is_feature;  /* one of the values of attr_name unless others are named */
    int64_t (*value)(const struct tk_span_table *table, uint32_t row);
};

/* Ends with {0}. */
extern const struct tk_query_column tk_query_columns[];

/* Values of parameters ------------------------------------------------------------------------- */

/* Values that a user names for a parameter, instead of all. */
struct tk_param_values {
    enum tk_query_param param;
    const tk_str *values; /* borrowed, as the texts */
    size_t count;
};

#define TK_NO_PLACE UINT32_MAX /* a service that is no value of the parameter */

struct tk_query_side {
    const struct tk_span_table *table;
    uint32_t *places[TK_PARAM_ATTR]; /* [texts] value of a parameter that is a service */
    uint32_t *texts;                 /* [texts] number of a text on both sides; NULL = its own */
    double factor; /* of all counts; 0 = strict counts by the weights of the traces */
};

struct tk_query_space {
    struct tk_query_side sides[2];   /* a and b */
    tk_str *services[TK_PARAM_ATTR]; /* [counts] values; texts of b or of the caller */
    const struct tk_query_column **columns[TK_PARAM_COUNT]; /* [counts] of the other two */
    uint32_t counts[TK_PARAM_COUNT];
    uint32_t longest; /* rows of a trace */
};

struct tk_query_options {
    const struct tk_param_values *params;
    size_t param_count;
    uint32_t sample_of; /* a is a sample 1 : N by trace; 0 = by the weights of its traces */
};

/* Values are those of `b`: its entry points, its services, the features. `a` may be `b`. Both stay
 * borrowed, and the values that are named. -EINVAL names a column that is none, -ENOMEM. */
TK_MUST_USE int tk_query_space_new(const struct tk_span_table *a, const struct tk_span_table *b,
                                   const struct tk_query_options *options,
                                   struct tk_query_space **ret_space, struct tk_err *err);

/* Accepts NULL. */
void tk_query_space_free(struct tk_query_space *space);

/* For TK_CLEANUP. */
void tk_query_space_freep(struct tk_query_space **space);

/* How many combinations a query has; combination i has the value i / counts[second] of the first
 * parameter and i % counts[second] of the second. */
uint64_t tk_query_combinations(const struct tk_query_space *space, const struct tk_query *query);

/* A value of a parameter, by its place. */
tk_str tk_query_value(const struct tk_query_space *space, enum tk_query_param param,
                      uint32_t place);

/* The text of a key of a column of texts. */
tk_str tk_query_text(const struct tk_query_space *space, uint64_t key);

/* Counting ------------------------------------------------------------------------------------- */

/* How rows are keyed: 0 = as PandoraTrace does, in units of the table. */
struct tk_query_keys {
    bool is_strict;    /* durations in ns, ratios in TK_RATIO_STEPS a doubling, weights */
    int64_t window_ns; /* of strict times */
};

/* Strict ratios are keyed by log2 in steps, TK_RATIO_ZERO = 1 : 1, where a duration is zero by
 * TK_KEY_NULL. A trace of more pairs than TK_RATIO_PAIRS is keyed in coarser steps. */
#define TK_RATIO_STEPS 1024
#define TK_RATIO_ZERO  ((uint64_t)1 << 40)
#define TK_RATIO_PAIRS ((uint64_t)1 << 22)

/* Count the rows of a query, of both sides (`sides` = 2) or of `a` alone (1). `counts` are emptied
 * first. -ENOMEM, -EMSGSIZE of too many combinations. */
TK_MUST_USE int tk_query_count(const struct tk_query_space *space, const struct tk_query *query,
                               const struct tk_query_keys *keys, int sides,
                               struct tk_pair_counts *counts, struct tk_err *err);

/* One table being walked; of the queries alone. */
struct tk_query_walk {
    const struct tk_query_space *space;
    const struct tk_query *query;
    const struct tk_query_side *side;
    struct tk_query_keys keys;
    struct tk_pair_counts *counts;
    struct tk_query_scratch *scratch;
};

#endif
