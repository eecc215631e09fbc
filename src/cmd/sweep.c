/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/sweep.h"

#include <math.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/number.h"
#include "cmd/member.h"
#include "opendc/sweep.h"

#define OUT_MAX ((size_t)64 << 20)

const char *const tk_sweep_orders[] = {"pareto", "sum", "lex", NULL};

static const struct tk_sweep_criterion usual[] = {{TK_SWEEP_TURNAROUND_P95, false, 1},
                                                  {TK_SWEEP_MAKESPAN, false, 1},
                                                  {TK_SWEEP_ENERGY, false, 1}};

struct criteria {
    struct tk_sweep_criterion items[TK_OPT_LIST_MAX];
    size_t count;
};

static int parse_criteria(const struct tk_opt_list *by, struct criteria *criteria,
                          struct tk_err *err)
{
    int rc = 0;
    for (; rc == 0 && criteria->count < by->count; criteria->count++) {
        rc = tk_sweep_criterion_parse(by->items[criteria->count], &criteria->items[criteria->count],
                                      err);
    }
    for (size_t i = 0; by->count == 0 && i < TK_COUNTOF(usual); i++)
        criteria->items[criteria->count++] = usual[i];
    return rc;
}

static void put_row(struct tk_buf *out, const struct tk_sweep_scenario *at)
{
    tk_buf_printf(out, "| %zu | %s | %lld | %.6g | %.6g | %.6g |", at->rank, at->path,
                  (long long)at->seeds, at->tasks, at->terminated, at->unfinished);
    for (size_t i = 0; i < TK_SWEEP_FIGURES; i++) {
        if (isnan(at->figures[i])) {
            tk_buf_lit(out, " |");
        } else {
            tk_buf_printf(out, " %.6g |", at->figures[i]);
        }
    }
    tk_buf_printf(out, " %.4g |\n", at->score);
}

static void put_markdown(struct tk_buf *out, const struct tk_sweep *sweep, const char *order)
{
    tk_buf_lit(out, "| rank | scenario | seeds | tasks | terminated | unfinished |");
    for (size_t i = 0; i < TK_SWEEP_FIGURES; i++)
        tk_buf_printf(out, " %s, %s |", tk_sweep_figures[i].name, tk_sweep_figures[i].unit);
    tk_buf_lit(out, " score |\n|---|---|---|---|---|---|");
    for (size_t i = 0; i < TK_SWEEP_FIGURES; i++)
        tk_buf_lit(out, "---|");
    tk_buf_lit(out, "---|\n");
    for (size_t i = 0; i < sweep->count; i++)
        put_row(out, &sweep->items[i]);
    tk_buf_printf(out, "\n%zu scenario%s by %s\n", sweep->count, sweep->count == 1 ? "" : "s",
                  order);
}

static void put_json(struct tk_buf *out, const struct tk_sweep *sweep,
                     const struct criteria *criteria, const char *order)
{
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "order", tk_str_from(order));
    tk_member_open(out, "criteria", '[');
    for (size_t i = 0; i < criteria->count; i++) {
        const struct tk_sweep_criterion *criterion = &criteria->items[i];
        tk_element_open(out, '{');
        tk_member_put_text(out, "name", tk_str_from(tk_sweep_figures[criterion->figure].name));
        tk_member_put_text(out, "direction",
                           criterion->is_more_better ? TK_STR("desc") : TK_STR("asc"));
        tk_member_put_f64(out, "weight", criterion->weight, TK_SHORTEST);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
    tk_member_open(out, "scenarios", '[');
    for (size_t i = 0; i < sweep->count; i++) {
        const struct tk_sweep_scenario *at = &sweep->items[i];
        tk_element_open(out, '{');
        tk_member_put_i64(out, "rank", (int64_t)at->rank);
        tk_member_put_text(out, "scenario", tk_str_from(at->path));
        tk_member_put_i64(out, "seeds", at->seeds);
        tk_member_put_f64(out, "tasks", at->tasks, TK_SHORTEST);
        tk_member_put_f64(out, "terminated", at->terminated, TK_SHORTEST);
        tk_member_put_f64(out, "unfinished", at->unfinished, TK_SHORTEST);
        for (size_t k = 0; k < TK_SWEEP_FIGURES; k++)
            tk_member_put_f64(out, tk_sweep_figures[k].name, at->figures[k], TK_SHORTEST);
        tk_member_put_f64(out, "score", at->score, TK_SHORTEST);
        tk_buf_putc(out, '}');
    }
    tk_buf_lit(out, "]}\n");
}

int tk_sweep_show(const struct tk_sweep_opts *opts, const char *const *folders, size_t count,
                  struct tk_err *err)
{
    TK_CLEANUP(tk_sweep_release) struct tk_sweep sweep = {0};
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    struct criteria criteria = {.count = 0};
    int rc = parse_criteria(&opts->by, &criteria, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = tk_sweep_add(&sweep, folders[i], err);
    rc = rc < 0 ? rc
                : tk_sweep_rank(&sweep, (enum tk_sweep_order)opts->order, criteria.items,
                                criteria.count, err);
    if (rc < 0)
        return rc;
    const char *order = tk_sweep_orders[opts->order];
    if (opts->json) {
        put_json(&out, &sweep, &criteria, order);
    } else {
        put_markdown(&out, &sweep, order);
    }
    rc = tk_buf_check(&out, "scenarios", err);
    return rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&out), "stdout", err);
}
