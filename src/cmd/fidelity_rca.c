/* SPDX-License-Identifier: Apache-2.0 */
/* tracekit fidelity rca: how often two algorithms find the cause of injected faults in a set of
 * traces, and how much of what they find in the real set is lost. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/human.h"
#include "base/json.h"
#include "cmd/fidelity.h"
#include "cmd/member.h"
#include "cmd/screen_internal.h"
#include "fidelity/rca.h"
#include "report/grid.h"
#include "report/text.h"

#define FAULTS_MAX ((size_t)64 << 20)
#define OUT_MAX    ((size_t)64 << 20)

/* One set of traces. */
struct set {
    const char *name;
    struct tk_rca_result *results; /* owned; NULL = there is no such set */
};

struct rca {
    struct tk_faults faults;
    struct set sets[2]; /* what is judged, the real one */
    struct tk_figures figures;
};

static void rca_release(struct rca *rca)
{
    tk_faults_release(&rca->faults);
    for (int i = 0; i < 2; i++)
        free(rca->sets[i].results);
    tk_figures_release(&rca->figures);
}

int tk_fidelity_read_faults(const char *path, struct tk_faults *faults, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, FAULTS_MAX);
    bool is_stdin = strcmp(path, "-") == 0;
    int rc = tk_file_load(AT_FDCWD, is_stdin ? "/dev/stdin" : path, &text, err);
    if (rc < 0)
        return rc;
    rc = tk_faults_parse(tk_buf_str(&text), faults, err);
    if (rc == 0 && faults->count == 0)
        rc = tk_fail(err, -EBADMSG, "no fault in it");
    return rc < 0 ? tk_err_prefix(err, "%s", is_stdin ? "standard input" : path) : 0;
}

static int run_set(const struct tk_fidelity_call *call, struct rca *rca, int i, struct tk_err *err)
{
    TK_CLEANUP(tk_span_table_freep) struct tk_span_table *table = NULL;
    struct set *set = &rca->sets[i];
    set->name = call->argv[i];
    int rc = tk_fidelity_open(call, set->name, &table, err);
    if (rc < 0)
        return rc;
    set->results = calloc(rca->faults.count, sizeof(*set->results));
    if (!set->results)
        return tk_fail(err, -ENOMEM, "faults: out of memory");
    return tk_rca_run(table, &rca->faults, set->results, err);
}

/* The table ------------------------------------------------------------------------------------ */

static void set_rank(struct tk_grid *grid, size_t column, const struct tk_rca_result *result,
                     size_t algorithm)
{
    char text[TK_HUMAN_MAX];
    uint32_t rank = result->ranks[algorithm][TK_FIGURE_COMPAT];
    tk_grid_set(grid, column, rank > 0 ? tk_count_format(rank, text) : "-");
    if (rank == 1)
        tk_grid_set_style(grid, column, TK_STYLE_GOOD);
}

/* A line per fault: where the true service stands in each ranking. */
static int put_faults(const struct rca *rca, const struct tk_look *look, struct tk_buf *out,
                      struct tk_err *err)
{
    enum { TIME, SERVICE, TYPE, FIRST };
    const struct tk_grid_column columns[] = {
        [TIME] = {"injected (UTC)"},     [SERVICE] = {"service", .cut = true},
        [TYPE] = {"fault", .cut = true}, {"TraceRCA", .right = true},
        {"MicroRank", .right = true},
    };
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    int rc = tk_grid_new(look, &(struct tk_grid_options){columns, TK_COUNTOF(columns)}, &grid, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < rca->faults.count; i++) {
        const struct tk_fault *fault = &rca->faults.items[i];
        const struct tk_rca_result *result = &rca->sets[0].results[i];
        struct tk_cell cell;
        if (result->reason)
            continue;
        tk_grid_add(grid);
        tk_grid_set(grid, TIME, tk_cell_clean(look, fault->time, &cell));
        tk_grid_set(grid, SERVICE, tk_cell_clean(look, fault->service, &cell));
        tk_grid_set(grid, TYPE, tk_cell_clean(look, fault->type, &cell));
        for (size_t k = 0; k < TK_RCA_COUNT; k++)
            set_rank(grid, FIRST + k, result, k);
    }
    rc = tk_grid_write(grid, out, err);
    tk_buf_putc(out, '\n');
    return rc;
}

static const char *const places[] = {"ac1", "ac2", "ac3", "ac4", "ac5", "avg5"};

/* The figure "tracerca_ac1" of a rule; NULL = none. */
static const struct tk_figure *find_figure(const struct tk_figures *figures, size_t algorithm,
                                           const char *ending, enum tk_figure_rule rule)
{
    static const char *const begins[TK_RCA_COUNT] = {"tracerca_", "microrank_"};
    char name[32];
    (void)snprintf(name, sizeof(name), "%s%s", begins[algorithm], ending);
    return tk_figures_find(figures, "rca", name, rule);
}

static void add_line(struct tk_grid *grid, const struct tk_figures *figures, size_t algorithm,
                     const char *label, enum tk_figure_rule rule)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "%s%s", tk_rca_names[algorithm], label);
    tk_grid_add(grid);
    tk_grid_set(grid, 0, text);
    for (size_t i = 0; i < TK_COUNTOF(places); i++) {
        const struct tk_figure *figure = find_figure(figures, algorithm, places[i], rule);
        if (!figure || figure->reason)
            continue;
        (void)snprintf(text, sizeof(text), "%.3f", figure->value);
        tk_grid_set(grid, i + 1, text);
    }
}

/* Figures of the real set by itself, for the lines of the full data. */
static int put_accuracy(const struct rca *rca, const struct tk_look *look, struct tk_buf *out,
                        struct tk_err *err)
{
    static const struct tk_grid_column columns[] = {
        {""},
        {"AC@1", .right = true},
        {"AC@2", .right = true},
        {"AC@3", .right = true},
        {"AC@4", .right = true},
        {"AC@5", .right = true},
        {"avg5", .right = true, .style = TK_STYLE_TITLE},
    };
    TK_CLEANUP(tk_figures_release) struct tk_figures real = {0};
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    const struct tk_rca_result *results = rca->sets[1].results;
    int rc = tk_figures_init(&real, err);
    if (rc == 0)
        rc = tk_grid_new(look, &(struct tk_grid_options){columns, TK_COUNTOF(columns)}, &grid, err);
    if (rc < 0)
        return rc;
    if (results)
        tk_rca_add(results, NULL, rca->faults.count, &real);
    for (size_t i = 0; i < TK_RCA_COUNT; i++) {
        if (results)
            add_line(grid, &real, i, ", full data", TK_FIGURE_COMPAT);
        add_line(grid, &rca->figures, i, "", TK_FIGURE_COMPAT);
        add_line(grid, &rca->figures, i, ", weighted", TK_FIGURE_STRICT);
    }
    rc = tk_figures_check(&real, err);
    return rc < 0 ? rc : tk_grid_write(grid, out, err);
}

/* Faults that cannot be scored, and why. */
static void put_reasons(const struct rca *rca, const struct tk_look *look, struct tk_buf *out)
{
    for (size_t i = 0; i < rca->faults.count; i++) {
        const struct tk_fault *fault = &rca->faults.items[i];
        const struct tk_rca_result *result = &rca->sets[0].results[i];
        if (!result->reason)
            continue;
        tk_buf_lit(out, "not scorable: ");
        tk_text_put_clean(out, look, fault->time);
        tk_buf_putc(out, ' ');
        tk_text_put_clean(out, look, fault->service);
        tk_buf_putc(out, ' ');
        tk_text_put_clean(out, look, fault->type);
        tk_buf_printf(out, ": %s\n", result->reason);
    }
}

static int put_table(const struct rca *rca, bool with_details, struct tk_buf *out,
                     struct tk_err *err)
{
    TK_CLEANUP(tk_look_release) struct tk_look look;
    size_t scored = 0;
    tk_look_init(&look, STDOUT_FILENO);
    for (size_t i = 0; i < rca->faults.count; i++)
        scored += !rca->sets[0].results[i].reason;
    int rc = with_details ? put_faults(rca, &look, out, err) : 0;
    rc = rc < 0 ? rc : put_accuracy(rca, &look, out, err);
    tk_buf_printf(out, "%zu of %zu faults scored\n", scored, rca->faults.count);
    put_reasons(rca, &look, out);
    return rc;
}

/* JSON ----------------------------------------------------------------------------------------- */

static void put_json_fault(const struct rca *rca, size_t i, struct tk_buf *out)
{
    static const char *const keys[TK_RCA_COUNT] = {"tracerca", "microrank"};
    const struct tk_fault *fault = &rca->faults.items[i];
    const struct tk_rca_result *result = &rca->sets[0].results[i];
    tk_element_open(out, '{');
    tk_member_put_text(out, "injected", fault->time);
    tk_member_put_text(out, "pod", fault->pod);
    tk_member_put_text(out, "service", fault->service);
    tk_member_put_text(out, "type", fault->type);
    tk_member_put_text(out, "reason", tk_str_from(result->reason));
    tk_member_put_i64(out, "normal_spans", (int64_t)result->normal);
    tk_member_put_i64(out, "anomalous_spans", (int64_t)result->anomalous);
    for (size_t k = 0; k < TK_RCA_COUNT && !result->reason; k++)
        tk_member_put_i64(out, keys[k], result->ranks[k][TK_FIGURE_COMPAT]);
    tk_buf_putc(out, '}');
}

static void put_json(const struct rca *rca, struct tk_buf *out)
{
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "a", tk_str_from(rca->sets[0].name));
    tk_member_put_text(out, "b", tk_str_from(rca->sets[1].name));
    tk_member_open(out, "faults", '[');
    for (size_t i = 0; i < rca->faults.count; i++)
        put_json_fault(rca, i, out);
    tk_buf_putc(out, ']');
    tk_member_open(out, "figures", '[');
    for (size_t i = 0; i < rca->figures.count; i++)
        tk_fidelity_put_figure(out, &rca->figures.items[i], NULL);
    tk_buf_lit(out, "]}\n");
}

static int print(const struct tk_fidelity_call *call, const struct rca *rca, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    int rc = 0;
    tk_buf_init(&out, OUT_MAX);
    if (call->opts->format == TK_FIDELITY_JSON) {
        put_json(rca, &out);
    } else if (call->opts->format == TK_FIDELITY_CSV) {
        tk_fidelity_put_csv(&rca->figures, NULL, &out);
    } else {
        rc = put_table(rca, call->opts->details, &out, err);
    }
    rc = rc < 0 ? rc : tk_buf_check(&out, "report", err);
    return rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&out), "stdout", err);
}

static int run(const struct tk_fidelity_call *call, struct rca *rca, struct tk_err *err)
{
    int rc = tk_fidelity_read_faults(call->opts->faults, &rca->faults, err);
    for (int i = 0; rc == 0 && i < call->argc; i++)
        rc = run_set(call, rca, i, err);
    rc = rc < 0 ? rc : tk_figures_init(&rca->figures, err);
    if (rc < 0)
        return rc;
    tk_rca_add(rca->sets[0].results, rca->sets[1].results, rca->faults.count, &rca->figures);
    rc = tk_figures_check(&rca->figures, err);
    return rc < 0 ? rc : print(call, rca, err);
}

int tk_fidelity_rca(const struct tk_fidelity_call *call)
{
    TK_CLEANUP(rca_release) struct rca rca = {.sets = {{.name = NULL}, {.name = NULL}}};
    struct tk_err err;
    if (!call->opts->faults)
        return tk_cmd_usage(call->cmd, "rca: expected --faults FILE");
    int rc = run(call, &rca, &err);
    return rc < 0 ? tk_cmd_fail(call->cmd, &err) : 0;
}
