/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <zstd.h>

#include "cmd/suite_sheets.h"
#include "report/chart.h"

#define DUELS_MAX 64
#define BAR       40

static void put_sheet(struct tk_buf *out, struct tk_sheet *sheet)
{
    tk_sheet_put_markdown(sheet, out);
    tk_sheet_release(sheet);
}

static void put_data(const struct tk_suite_data *data, struct tk_buf *out)
{
    tk_buf_printf(out, "## %s\n\n%u traces, %u spans", data->name, data->real->traces,
                  data->real->rows);
    if (data->all_traces != data->real->traces) {
        tk_buf_printf(out, " (the first of %u traces, %u spans)", data->all_traces,
                      data->all_spans);
    }
    tk_buf_printf(out, "; table SHA-256 `%s`", data->digest);
    if (data->sha256[0])
        tk_buf_printf(out, ", file SHA-256 `%s`", data->sha256);
    tk_buf_lit(out, ".\n\n");
}

/* The frontier in text: a bar as long as the logarithm of the distance at each size. */
static void put_frontier(const struct tk_suite_part *part, struct tk_buf *out)
{
    static const struct tk_suite_key strict = {"queries", "mean", TK_FIGURE_STRICT};
    struct tk_look look;
    tk_look_init_plain(&look, false, 100);
    tk_buf_lit(out, "```\n");
    for (const struct tk_suite_method *method = tk_suite_methods; method->name[0]; method++) {
        for (size_t i = 0; i < part->count; i++) {
            const struct tk_suite_item *item = part->items[i];
            double value = tk_suite_spread(item, &strict, false).mean;
            double bytes = tk_suite_trace_bytes(part, item);
            if (item->method != method || isnan(bytes) || isnan(value) || item->equal_to)
                continue;
            tk_buf_printf(out, "%-13s %8.2f B/trace  %.4f ", method->name, bytes, value);
            tk_bar_put(out, &look, 1 + log10(fmax(value, 1e-4)) / 4, BAR);
            tk_buf_putc(out, '\n');
        }
    }
    tk_buf_lit(out, "```\n\nBars are logarithms of the strict distance: 40 columns are 1, none is "
                    "0.0001.\n\n");
    tk_look_release(&look);
}

static int put_uninformative(const struct tk_suite_part *part, struct tk_buf *out,
                             struct tk_err *err)
{
    struct tk_suite_key *keys = NULL;
    size_t count = 0;
    int rc = tk_suite_keys(part, &keys, &count, err);
    size_t begin = out->n;
    for (size_t k = 0; k < count; k++) {
        const struct tk_suite_item *item = NULL;
        const struct tk_control *control = tk_suite_uninformative(part, &keys[k], &item);
        if (control && item) {
            tk_buf_printf(out, "- %s %s %s: %s stands above %s %s\n", keys[k].group, keys[k].name,
                          keys[k].rule == TK_FIGURE_COMPAT ? "compat" : "strict", control->name,
                          item->method->name, item->label);
        }
    }
    tk_buf_puts(out, out->n > begin ? "\n" : "None.\n\n");
    free(keys);
    return rc;
}

static int put_part(const struct tk_suite *suite, const struct tk_suite_part *part,
                    struct tk_buf *out, struct tk_err *err)
{
    struct tk_sheet sheet;
    put_data(&part->data, out);
    tk_buf_lit(out, "### Who is better at equal bytes\n\n");
    tk_suite_sheet_duels(part, &sheet);
    put_sheet(out, &sheet);
    put_frontier(part, out);
    bool has_budgets = tk_suite_has_budgets(suite, part);
    for (const struct tk_suite_headline *line = tk_suite_headlines; line->title; line++) {
        if (!has_budgets || tk_suite_sense(part, &line->key) == TK_FIGURE_COUNT)
            continue;
        tk_buf_printf(out, "### By budget: %s\n\n", line->title);
        tk_suite_sheet_budgets(suite, part, &line->key, &sheet);
        put_sheet(out, &sheet);
    }
    tk_buf_lit(out, "### Sizes of their own\n\n");
    tk_suite_sheet_points(part, false, &sheet);
    put_sheet(out, &sheet);
    for (const struct tk_suite_topic *topic = tk_suite_topics; topic->title; topic++) {
        if (!tk_suite_has_topic(part, topic))
            continue;
        tk_buf_printf(out, "### %s\n\n%s\n\n", topic->title, topic->help);
        tk_suite_sheet_topic(part, topic, &sheet);
        put_sheet(out, &sheet);
    }
    if (part->data.next) {
        tk_buf_lit(out, "### Against the next block\n\n");
        tk_suite_sheet_points(part, true, &sheet);
        put_sheet(out, &sheet);
    }
    tk_buf_lit(out, "### Controls\n\n");
    tk_suite_sheet_controls(part, &sheet);
    put_sheet(out, &sheet);
    tk_buf_lit(out, "### Uninformative figures\n\n");
    int rc = put_uninformative(part, out, err);
    if (rc < 0)
        return rc;
    tk_buf_lit(out, "### All figures at one size\n\n");
    rc = tk_suite_sheet_all(part, &sheet, err);
    put_sheet(out, &sheet);
    return rc;
}

int tk_suite_put_markdown(const struct tk_suite *suite, struct tk_buf *out, struct tk_err *err)
{
    int rc = 0;
    tk_buf_printf(
        out,
        "# Fidelity of reduced traces at equal bytes\n\ntracekit %s, zstd %s, %zu seed%s; "
        "means with half their 95 %% interval. Every byte of a file counts; what is "
        "measured was decoded from it. Lower distances and higher scores are better.\n\n",
        TK_VERSION, ZSTD_versionString(), suite->seeds, suite->seeds == 1 ? "" : "s");
    for (size_t p = 0; p < suite->part_count && rc == 0; p++)
        rc = put_part(suite, &suite->parts[p], out, err);
    return rc;
}
