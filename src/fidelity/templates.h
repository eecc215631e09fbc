/* SPDX-License-Identifier: Apache-2.0 */
/* Queries that users bring, as PandoraTrace's run_template() takes them: SQL with placeholders,
 * which is run for every combination of the parameters that occur in it, on both tables. A file
 * holds queries, each ended by a ; at the end of a line and begun by comments about it:
 *
 *     -- name: slow_calls
 *     -- incidents: latency, cpu_load
 *     SELECT startTime / 3600 AS f, COUNT(*) AS c FROM {table_name}
 *     WHERE serviceName = '{service_name}' AND endTime - startTime > 1000000 GROUP BY f;
 *
 * Placeholders: {table_name} and the parameters (tk_query_param_names). One thread at a time. */
#ifndef TK_FIDELITY_TEMPLATES_H
#define TK_FIDELITY_TEMPLATES_H

#include "base/buf.h"
#include "fidelity/figures.h"
#include "fidelity/queries.h"

/* A query of the file; views of its text. */
struct tk_template {
    tk_str name;      /* "query 2" where it has none */
    tk_str incidents; /* as written */
    tk_str sql;       /* with placeholders, without the last ; */
    uint32_t params;  /* 1 << enum tk_query_param that occur */
    char number[16];  /* what `name` is where it has none */
};

struct tk_templates {
    struct tk_template *items; /* owned */
    size_t count;
};

/* Read the queries of a text, which stays borrowed. -EBADMSG names an unknown placeholder. */
TK_MUST_USE int tk_templates_init(struct tk_templates *templates, tk_str text, struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_templates_release(struct tk_templates *templates);

/* Take all up to the next placeholder {WORD}, and return its name; p is NULL at the end of the
 * text.
 */
tk_str tk_template_next(tk_str *text, tk_str *ret_before);

/* The parameter that a placeholder names; TK_PARAM_COUNT = none. */
enum tk_query_param tk_template_param(tk_str name);

struct tk_template_options {
    tk_str names[2];                       /* of the tables of a and b: NAMESpans, NAMETraces */
    const struct tk_query_options *values; /* of parameters */
    const char *incident;                  /* only queries that name it; NULL = all */
    bool skip_zero;
};

/* Append the figures of all queries of `a` against `b`: group "templates", the mean distance of
 * each query under its name as detail, and the mean of these. -EOPNOTSUPP, -ENOENT without SQLite,
 * -EBADMSG with the query that failed. */
TK_MUST_USE int tk_templates_measure(const struct tk_templates *templates,
                                     const struct tk_span_table *a, const struct tk_span_table *b,
                                     const struct tk_template_options *options,
                                     struct tk_figures *figures, struct tk_err *err);

#endif
