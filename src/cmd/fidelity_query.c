/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of one of the ten queries as CSV: a column per parameter, the key f, the value c, as SQL
 * on the exported table gives them. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/nearest.h"
#include "base/number.h"
#include "cmd/fidelity.h"
#include "table/format.h"

#define OUT_MAX   ((size_t)4 << 30)
#define OUT_FLUSH ((size_t)1 << 20)

struct query {
    const struct tk_query *query;
    const struct tk_query_space *space;
    struct tk_pair *pairs; /* owned, as the ends */
    size_t *ends;
    struct tk_buf out;
};

/* The column whose values are the keys of a combination; NULL = they are no values of one. */
static const struct tk_query_column *column_of(const struct query *query, size_t combination)
{
    size_t last = query->query->params[1] == TK_PARAM_COUNT ? 0 : 1;
    enum tk_query_param param = (enum tk_query_param)query->query->params[last];
    if (query->query->key != TK_QUERY_BY_COLUMN)
        return NULL;
    return query->space->columns[param][combination % query->space->counts[param]];
}

static void put_params(struct query *query, size_t combination)
{
    enum tk_query_param first = (enum tk_query_param)query->query->params[0];
    enum tk_query_param second = (enum tk_query_param)query->query->params[1];
    size_t count = second == TK_PARAM_COUNT ? 1 : query->space->counts[second];
    uint32_t place = (uint32_t)(combination / count);
    tk_csv_put_text(&query->out, tk_query_value(query->space, first, place));
    tk_buf_putc(&query->out, ',');
    if (second == TK_PARAM_COUNT)
        return;
    place = (uint32_t)(combination % count);
    tk_csv_put_text(&query->out, tk_query_value(query->space, second, place));
    tk_buf_putc(&query->out, ',');
}

/* A ratio is a real number as ROUND gives it; NULL is nothing. */
static void put_key(struct query *query, const struct tk_query_column *column, uint64_t key)
{
    if (column && column->is_text) {
        tk_csv_put_text(&query->out, tk_query_text(query->space, key));
    } else if (query->query->key != TK_QUERY_BY_RATIO) {
        tk_buf_put_i64(&query->out, (int64_t)key);
    } else if (key != TK_KEY_NULL) {
        tk_buf_put_f64(&query->out, (double)key, 1);
    }
}

static int put_combination(struct query *query, size_t combination, size_t from, struct tk_err *err)
{
    const struct tk_query_column *column = column_of(query, combination);
    size_t end = query->ends[combination];
    if (end - from > 1)
        qsort(query->pairs + from, end - from, sizeof(*query->pairs), tk_pair_cmp);
    for (size_t i = from; i < end; i++) {
        put_params(query, combination);
        put_key(query, column, query->pairs[i].key);
        tk_buf_putc(&query->out, ',');
        tk_buf_put_f64(&query->out, query->pairs[i].values[0], TK_SHORTEST);
        tk_buf_putc(&query->out, '\n');
    }
    int rc = tk_buf_check(&query->out, "rows", err);
    if (rc == 0 && query->out.n >= OUT_FLUSH) {
        rc = tk_fd_write(STDOUT_FILENO, tk_buf_str(&query->out), "stdout", err);
        tk_buf_reset(&query->out);
    }
    return rc;
}

static int put_rows(struct query *query, struct tk_err *err)
{
    int rc = 0;
    size_t from = 0;
    size_t combinations = (size_t)tk_query_combinations(query->space, query->query);
    for (size_t i = 0; i < 2; i++) {
        if (query->query->params[i] != TK_PARAM_COUNT)
            tk_buf_printf(&query->out, "%s,", tk_query_param_names[query->query->params[i]]);
    }
    tk_buf_lit(&query->out, "f,c\n");
    for (size_t c = 0; c < combinations && rc == 0; from = query->ends[c++])
        rc = put_combination(query, c, from, err);
    return rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&query->out), "stdout", err);
}

static int answer(struct query *query, struct tk_err *err)
{
    TK_CLEANUP(tk_pair_counts_release) struct tk_pair_counts counts = {0};
    size_t combinations = (size_t)tk_query_combinations(query->space, query->query);
    int rc =
        tk_query_count(query->space, query->query, &(struct tk_query_keys){0}, 1, &counts, err);
    rc = rc < 0 ? rc : tk_pair_counts_take(&counts, combinations, &query->pairs, &query->ends, err);
    return rc < 0 ? rc : put_rows(query, err);
}

static int run(const struct tk_fidelity_call *call, const struct tk_query *query,
               const struct tk_fidelity_params *params, struct tk_err *err)
{
    TK_CLEANUP(tk_span_table_freep) struct tk_span_table *table = NULL;
    TK_CLEANUP(tk_query_space_freep) struct tk_query_space *space = NULL;
    const struct tk_query_options options = {.params = params->items, .param_count = params->count};
    int rc = tk_fidelity_open(call, call->argv[0], &table, err);
    rc = rc < 0 ? rc : tk_query_space_new(table, table, &options, &space, err);
    if (rc < 0)
        return rc;
    struct query running = {.query = query, .space = space};
    tk_buf_init(&running.out, OUT_MAX);
    rc = answer(&running, err);
    tk_buf_release(&running.out);
    free(running.pairs);
    free(running.ends);
    return rc;
}

int tk_fidelity_query(const struct tk_fidelity_call *call)
{
    struct tk_err err;
    const char *names[TK_QUERIES];
    TK_CLEANUP(tk_fidelity_params_release) struct tk_fidelity_params params = {.count = 0};
    const struct tk_query *query = tk_query_find(call->argv[1]);
    for (size_t i = 0; i < TK_QUERIES; i++)
        names[i] = tk_queries[i].name;
    if (!query) {
        const char *meant = tk_nearest_find(call->argv[1], names, TK_QUERIES);
        return tk_cmd_usage(call->cmd, "'%s' is none of the ten queries%s%s%s", call->argv[1],
                            meant ? ": did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
    }
    if (tk_fidelity_params_init(&call->opts->params, &params, &err) < 0)
        return tk_cmd_usage(call->cmd, "%s", err.msg);
    return run(call, query, &params, &err) < 0 ? tk_cmd_fail(call->cmd, &err) : TK_EXIT_OK;
}
