/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/nearest.h"
#include "cmd/fidelity.h"

#define WINDOWS_MAX 16

/* What the options ask for, as measures take it. */
struct asked {
    struct tk_fidelity_words measures, queries;
    struct tk_fidelity_params params;
    int64_t windows_ns[WINDOWS_MAX];
    struct tk_measure_options options;
};

static void asked_release(struct asked *asked)
{
    tk_fidelity_words_release(&asked->measures);
    tk_fidelity_words_release(&asked->queries);
    tk_fidelity_params_release(&asked->params);
}

static int parse_windows(const char *text, struct asked *asked, struct tk_err *err)
{
    tk_str rest = tk_str_from(text);
    tk_str word;
    size_t count = 0;
    while (tk_str_take_until(&rest, ',', &word)) {
        char one[32];
        bool ok = count < WINDOWS_MAX && tk_str_to_cstr(word, one, sizeof(one)) &&
                  tk_duration_parse(one, &asked->windows_ns[count]) && asked->windows_ns[count] > 0;
        if (!ok) {
            return tk_fail(err, -EINVAL, "option '--windows': '%.*s' is no duration",
                           TK_STR_ARG(word));
        }
        count++;
    }
    asked->options.windows_ns = asked->windows_ns;
    asked->options.window_count = count;
    return count > 0 ? 0 : tk_fail(err, -EINVAL, "option '--windows': expected a duration");
}

static int check_queries(const struct tk_fidelity_words *words, struct tk_err *err)
{
    const char *names[TK_QUERIES];
    for (size_t i = 0; i < TK_QUERIES; i++)
        names[i] = tk_queries[i].name;
    for (size_t i = 0; i < words->count; i++) {
        if (tk_query_find(words->items[i]))
            continue;
        const char *meant = tk_nearest_find(words->items[i], names, TK_QUERIES);
        return tk_fail(err, -EINVAL, "option '--queries': '%s' is none of the ten%s%s%s",
                       words->items[i], meant ? ": did you mean '" : "", meant ? meant : "",
                       meant ? "'?" : "");
    }
    return 0;
}

static int check_measures(const struct tk_fidelity_words *words, struct tk_err *err)
{
    for (size_t i = 0; i < words->count; i++) {
        const struct tk_measure *const *measure = tk_measures;
        while (*measure && strcmp((*measure)->name, words->items[i]) != 0)
            measure++;
        if (!*measure) {
            return tk_fail(err, -EINVAL, "option '--measures': '%s' is no measure",
                           words->items[i]);
        }
    }
    return 0;
}

/* The queries that are to find an incident. */
static int choose_queries(const char *incident, struct asked *asked, struct tk_err *err)
{
    size_t bit = 0;
    while (bit < TK_INCIDENT_COUNT && strcmp(tk_query_incident_names[bit], incident) != 0)
        bit++;
    if (bit == TK_INCIDENT_COUNT)
        return tk_fail(err, -EINVAL, "option '--incident': '%s' is no incident", incident);
    if (asked->queries.count > 0)
        return tk_fail(err, -EINVAL, "--incident and --queries both choose queries: use one");
    struct tk_opt_list list = {.count = 0};
    for (size_t i = 0; i < TK_QUERIES; i++) {
        if (tk_queries[i].incidents >> bit & 1)
            list.items[list.count++] = tk_queries[i].name;
    }
    tk_fidelity_words_release(&asked->queries);
    return tk_fidelity_words_init(&list, &asked->queries, err);
}

static int parse(const struct tk_fidelity_opts *opts, struct asked *asked, struct tk_err *err)
{
    int rc = tk_fidelity_words_init(&opts->measures, &asked->measures, err);
    rc = rc < 0 ? rc : check_measures(&asked->measures, err);
    rc = rc < 0 ? rc : tk_fidelity_words_init(&opts->queries, &asked->queries, err);
    rc = rc < 0 ? rc : check_queries(&asked->queries, err);
    rc = rc < 0 ? rc : tk_fidelity_params_init(&opts->params, &asked->params, err);
    if (rc == 0 && opts->windows)
        rc = parse_windows(opts->windows, asked, err);
    if (rc == 0 && opts->incident)
        rc = choose_queries(opts->incident, asked, err);
    if (rc < 0)
        return rc;
    asked->options.skip_zero = opts->skip_zero;
    asked->options.seed = (uint64_t)opts->seed;
    asked->options.sample_of = (uint32_t)opts->sample_of;
    asked->options.measures = asked->measures.items;
    asked->options.measure_count = asked->measures.count;
    asked->options.queries = asked->queries.items;
    asked->options.query_count = asked->queries.count;
    asked->options.params = asked->params.items;
    asked->options.param_count = asked->params.count;
    return 0;
}

static int compare(const struct tk_fidelity_call *call, const struct tk_measure_options *options,
                   struct tk_err *err)
{
    TK_CLEANUP(tk_figures_release) struct tk_figures figures = {0};
    TK_CLEANUP(tk_fidelity_controls_release) struct tk_fidelity_controls controls = {.count = 0};
    bool with_controls = !call->opts->no_controls;
    struct tk_span_table *tables[2] = {NULL, NULL};
    int rc = tk_fidelity_open_both(call, tables, err);
    rc = rc < 0 ? rc : tk_figures_init(&figures, err);
    rc = rc < 0 ? rc : tk_measure_run(tables[0], tables[1], options, &figures, err);
    if (rc == 0 && with_controls)
        rc = tk_fidelity_controls_run(tables[1], options, &figures, &controls, err);
    const struct tk_fidelity_report report = {.names = {call->argv[0], call->argv[1]},
                                              .tables = {tables[0], tables[1]},
                                              .figures = &figures,
                                              .controls = with_controls ? &controls : NULL,
                                              .with_details = call->opts->details,
                                              .sample_of = call->opts->sample_of};
    rc = rc < 0 ? rc : tk_fidelity_print(call, &report, err);
    if (rc == 0 && call->opts->html)
        rc = tk_fidelity_write_html(&report, call->opts->html, err);
    for (int i = 0; i < 2; i++)
        tk_span_table_free(tables[i]);
    return rc;
}

int tk_fidelity_compare(const struct tk_fidelity_call *call)
{
    struct tk_err err;
    TK_CLEANUP(asked_release) struct asked asked = {.options = {0}};
    if (parse(call->opts, &asked, &err) < 0)
        return tk_cmd_usage(call->cmd, "%s", err.msg);
    return compare(call, &asked.options, &err) < 0 ? tk_cmd_fail(call->cmd, &err) : TK_EXIT_OK;
}
