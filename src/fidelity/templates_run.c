/* SPDX-License-Identifier: Apache-2.0 */
/* Both tables in one database, and every query with every combination of its parameters on both. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/distances.h"
#include "fidelity/sql.h"
#include "fidelity/sqlite.h"
#include "fidelity/templates.h"

#define GROUP      "templates"
#define CHUNK      ((size_t)1 << 20)
#define SQL_MAX    ((size_t)1 << 26)
#define KEYS_BYTES ((size_t)256 << 20)

struct running {
    struct tk_sqlite *db;
    const struct tk_template_options *options;
    const struct tk_query_space *space;
    struct tk_buf sql;
    struct tk_sqlite_keys keys;
    struct tk_pair_counts counts;
    struct tk_figures *figures;
    double sum; /* of the means */
    uint64_t queries;
};

/* Distances of one query. */
struct answers {
    double compat, strict;
    uint64_t compat_count, strict_count;
};

static int run_sql(struct running *running, struct tk_err *err)
{
    tk_buf_putc(&running->sql, '\0');
    int rc = tk_buf_check(&running->sql, "SQL", err);
    rc = rc < 0 ? rc : tk_sqlite_run(running->db, running->sql.p, err);
    tk_buf_reset(&running->sql);
    return rc;
}

static int load_table(struct running *running, const struct tk_span_table *table, tk_str name,
                      struct tk_err *err)
{
    static const char *const indexed[] = {"traceId", "spanId", "parentId", "serviceName"};
    int rc = 0;
    tk_sql_put_head(name, &running->sql);
    for (uint32_t trace = 0; trace < table->traces && rc == 0; trace++) {
        tk_sql_put_trace(table, trace, name, &running->sql);
        if (running->sql.n >= CHUNK)
            rc = run_sql(running, err);
    }
    tk_sql_put_tail(&running->sql);
    for (size_t i = 0; i < TK_COUNTOF(indexed); i++) {
        tk_buf_printf(&running->sql, "CREATE INDEX \"%.*sBy_%s\" ON \"%.*sSpans\" (%s);\n",
                      TK_STR_ARG(name), indexed[i], TK_STR_ARG(name), indexed[i]);
    }
    return rc < 0 ? rc : run_sql(running, err);
}

/* Combinations --------------------------------------------------------------------------------- */

/* Append a value of a parameter: services stand between quotes, where a quote is doubled. */
static void put_value(struct tk_buf *out, tk_str value)
{
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\'')
            tk_buf_putc(out, '\'');
        tk_buf_putc(out, value.p[i]);
    }
}

/* The text of a query for one side and the places of its parameters' values. */
static void put_query(struct running *running, const struct tk_template *query, int side,
                      const uint32_t *places)
{
    tk_str rest = query->sql;
    tk_str before;
    tk_str name;
    while ((name = tk_template_next(&rest, &before)).p) {
        enum tk_query_param param = tk_template_param(name);
        tk_buf_put(&running->sql, before);
        if (param < TK_PARAM_COUNT) {
            put_value(&running->sql, tk_query_value(running->space, param, places[param]));
        } else {
            tk_buf_put(&running->sql, running->options->names[side]);
            tk_buf_lit(&running->sql, "Spans");
        }
    }
    tk_buf_put(&running->sql, before);
    tk_buf_putc(&running->sql, '\0');
}

static int ask(struct running *running, const struct tk_template *query, const uint32_t *places,
               struct tk_err *err)
{
    int rc = 0;
    tk_pair_counts_reset(&running->counts);
    tk_texts_reset(&running->keys.texts);
    running->keys.has_texts = false;
    for (int side = 0; side < 2 && rc == 0; side++) {
        running->counts.side = side;
        tk_buf_reset(&running->sql);
        put_query(running, query, side, places);
        rc = tk_buf_check(&running->sql, "SQL", err);
        rc = rc < 0 ? rc
                    : tk_sqlite_count(running->db, running->sql.p, &running->keys, &running->counts,
                                      err);
    }
    tk_buf_reset(&running->sql);
    return rc;
}

/* The distance of what was asked. */
static int add_answer(struct running *running, struct answers *answers, struct tk_err *err)
{
    enum { BOTH = 3 };
    size_t *ends = NULL;
    struct tk_results results = {.n = running->counts.count};
    int rc = tk_pair_counts_take(&running->counts, 1, &results.pairs, &ends, err);
    results.scratch = calloc(4 * (results.n + 1), sizeof(*results.scratch));
    if (rc == 0 && !results.scratch)
        rc = tk_fail(err, -ENOMEM, "templates: out of memory");
    if (rc == 0 && results.n > 0) {
        bool is_whole = tk_results_sides(&results) == BOTH;
        double distance = is_whole ? tk_distance_compat(&results, !running->keys.has_texts) : 0;
        bool is_counted = is_whole && !(running->options->skip_zero && distance == 0);
        answers->compat += distance;
        answers->compat_count += is_counted;
        answers->strict += is_whole ? tk_distance_shares(&results) : 1;
        answers->strict_count++;
    }
    free(results.scratch);
    free(results.pairs);
    free(ends);
    return rc;
}

/* The next combination: the last parameter goes first; false after the last one. */
static bool next_places(const struct running *running, const struct tk_template *query,
                        uint32_t *places)
{
    for (size_t param = TK_PARAM_COUNT; param-- > 0;) {
        if (!(query->params >> param & 1))
            continue;
        if (++places[param] < running->space->counts[param])
            return true;
        places[param] = 0;
    }
    return false;
}

static bool has_combinations(const struct running *running, const struct tk_template *query)
{
    for (size_t param = 0; param < TK_PARAM_COUNT; param++) {
        if (query->params >> param & 1 && running->space->counts[param] == 0)
            return false;
    }
    return true;
}

/* Figures -------------------------------------------------------------------------------------- */

static void add_figure(struct running *running, const struct tk_template *query,
                       enum tk_figure_rule rule, double sum, uint64_t count)
{
    const struct tk_figure figure = {
        .group = GROUP,
        .name = "query",
        .detail = query->name,
        .rule = rule,
        .value = count > 0 ? sum / (double)count : (double)NAN,
        .reason = count > 0                  ? NULL
                  : rule == TK_FIGURE_COMPAT ? "no combination has rows on both sides"
                                             : "no rows on either side",
        .samples = count,
    };
    tk_figures_add(running->figures, &figure);
    if (rule == TK_FIGURE_COMPAT && count > 0) {
        running->sum += figure.value;
        running->queries++;
    }
}

static int run_query(struct running *running, const struct tk_template *query, struct tk_err *err)
{
    uint32_t places[TK_PARAM_COUNT] = {0};
    struct answers answers = {0};
    int rc = 0;
    if (has_combinations(running, query)) {
        do {
            rc = ask(running, query, places, err);
            rc = rc < 0 ? rc : add_answer(running, &answers, err);
        } while (rc == 0 && next_places(running, query, places));
    }
    if (rc < 0)
        return tk_err_prefix(err, "%.*s", TK_STR_ARG(query->name));
    add_figure(running, query, TK_FIGURE_COMPAT, answers.compat, answers.compat_count);
    add_figure(running, query, TK_FIGURE_STRICT, answers.strict, answers.strict_count);
    return 0;
}

static bool is_asked(const struct tk_template *query, const char *incident)
{
    tk_str rest = query->incidents;
    tk_str word;
    while (incident && tk_str_take_until(&rest, ',', &word)) {
        if (tk_str_eq(tk_str_trim(word), tk_str_from(incident)))
            return true;
    }
    return !incident;
}

static int run_all(struct running *running, const struct tk_templates *templates,
                   struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < templates->count && rc == 0; i++) {
        if (is_asked(&templates->items[i], running->options->incident))
            rc = run_query(running, &templates->items[i], err);
    }
    if (rc < 0)
        return rc;
    bool has_mean = running->queries > 0;
    tk_figures_add(running->figures,
                   &(struct tk_figure){.group = GROUP,
                                       .name = "mean",
                                       .rule = TK_FIGURE_COMPAT,
                                       .value = has_mean ? running->sum / (double)running->queries
                                                         : (double)NAN,
                                       .reason = has_mean ? NULL : "no query has a figure",
                                       .samples = running->queries});
    return 0;
}

int tk_templates_measure(const struct tk_templates *templates, const struct tk_span_table *a,
                         const struct tk_span_table *b, const struct tk_template_options *options,
                         struct tk_figures *figures, struct tk_err *err)
{
    TK_CLEANUP(tk_query_space_freep) struct tk_query_space *space = NULL;
    TK_CLEANUP(tk_sqlite_freep) struct tk_sqlite *db = NULL;
    int rc = tk_sqlite_new(&db, err);
    rc = rc < 0 ? rc : tk_query_space_new(a, b, options->values, &space, err);
    if (rc < 0)
        return rc;
    struct running running = {.db = db, .options = options, .space = space, .figures = figures};
    tk_buf_init(&running.sql, SQL_MAX);
    rc = tk_texts_init(&running.keys.texts, KEYS_BYTES, err);
    rc = rc < 0 ? rc : load_table(&running, a, options->names[0], err);
    rc = rc < 0 ? rc : load_table(&running, b, options->names[1], err);
    rc = rc < 0 ? rc : run_all(&running, templates, err);
    tk_texts_release(&running.keys.texts);
    tk_pair_counts_release(&running.counts);
    tk_buf_release(&running.sql);
    return rc;
}
