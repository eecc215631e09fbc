/* SPDX-License-Identifier: Apache-2.0 */
/* The report as JSON: everything that does not depend on the machine, so that a run again gives the
 * same bytes; and what depends on it, in a document of its own. */
#include <math.h>
#include <stdlib.h>

#include <zstd.h>

#include "base/json.h"
#include "base/number.h"
#include "cmd/member.h"
#include "cmd/suite.h"

/* Enough digits to compare, few enough to read. */
#define DIGITS 9

static void put_key(struct tk_buf *out, const struct tk_suite_key *key)
{
    tk_member_put_text(out, "group", tk_str_from(key->group));
    tk_member_put_text(out, "name", tk_str_from(key->name));
    tk_member_put_text(out, "rule",
                       key->rule == TK_FIGURE_COMPAT ? TK_STR("compat") : TK_STR("strict"));
}

static void put_figures(const struct tk_suite_item *item, const struct tk_figures *of, bool next,
                        struct tk_buf *out)
{
    static const char *const senses[] = {"distance", "score", "percent", "count"};
    tk_member_open(out, next ? "next_block" : "figures", '[');
    for (size_t f = 0; f < of->count; f++) {
        const struct tk_suite_key key = {of->items[f].group, of->items[f].name, of->items[f].rule};
        struct tk_spread spread = tk_suite_spread(item, &key, next);
        tk_element_open(out, '{');
        put_key(out, &key);
        tk_member_put_text(out, "sense", tk_str_from(senses[of->items[f].sense]));
        tk_member_put_f64(out, "mean", spread.mean, DIGITS);
        tk_member_put_f64(out, "low", spread.low, DIGITS);
        tk_member_put_f64(out, "high", spread.high, DIGITS);
        tk_member_put_i64(out, "runs", (int64_t)spread.runs);
        if (of->items[f].reason)
            tk_member_put_text(out, "reason", tk_str_from(of->items[f].reason));
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

static void put_runs(const struct tk_suite_item *item, struct tk_buf *out)
{
    static const struct tk_suite_key strict = {"queries", "mean", TK_FIGURE_STRICT};
    tk_member_open(out, "runs", '[');
    for (size_t s = 0; s < item->seeds; s++) {
        const struct tk_suite_point *point = &item->points[s];
        const struct tk_figure *figure =
            tk_figures_find(&point->figures, strict.group, strict.name, strict.rule);
        tk_element_open(out, '{');
        tk_member_put_i64(out, "seed", (int64_t)point->seed);
        if (point->failure[0])
            tk_member_put_text(out, "failure", tk_str_from(point->failure));
        if (item->method)
            tk_member_put_i64(out, "bytes", (int64_t)point->bytes);
        tk_member_put_i64(out, "traces", (int64_t)point->traces);
        tk_member_put_f64(out, "share", point->share, DIGITS);
        tk_member_put_f64(out, "strict", figure ? figure->value : (double)NAN, DIGITS);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

static void put_item(const struct tk_suite_part *part, const struct tk_suite_item *item,
                     struct tk_buf *out)
{
    double bytes = tk_suite_trace_bytes(part, item);
    double spans = fmax(part->data.real->rows, 1) / fmax(part->data.real->traces, 1);
    tk_element_open(out, '{');
    tk_member_put_text(out, "method", tk_str_from(item->method ? item->method->name : "control"));
    tk_member_put_text(out, "setting", tk_str_from(item->label));
    if (item->equal_to)
        tk_member_put_text(out, "as_large_as", tk_str_from(item->equal_to->method->name));
    if (item->method) {
        tk_member_put_f64(out, "trace_bytes", bytes, DIGITS);
        tk_member_put_f64(out, "span_bytes", bytes / spans, DIGITS);
    }
    tk_member_put_bool(out, "fits", !item->points[0].is_over);
    put_runs(item, out);
    for (size_t s = 0; s < item->seeds && !item->points[0].is_over; s++) {
        if (item->points[s].figures.count == 0)
            continue;
        put_figures(item, &item->points[s].figures, false, out);
        if (item->points[s].next.count > 0)
            put_figures(item, &item->points[s].next, true, out);
        break;
    }
    tk_buf_putc(out, '}');
}

static void put_data(const struct tk_suite_data *data, struct tk_buf *out)
{
    tk_member_put_text(out, "data", tk_str_from(data->name));
    tk_member_put_text(out, "sha256", tk_str_from(data->sha256));
    tk_member_put_text(out, "table_sha256", tk_str_from(data->digest));
    tk_member_put_i64(out, "traces", data->real->traces);
    tk_member_put_i64(out, "spans", data->real->rows);
    tk_member_put_i64(out, "traces_of_file", data->all_traces);
    tk_member_put_i64(out, "spans_of_file", data->all_spans);
}

static void put_uninformative(const struct tk_suite_part *part, struct tk_buf *out)
{
    struct tk_suite_key *keys = NULL;
    size_t count = 0;
    struct tk_err err;
    tk_member_open(out, "uninformative", '[');
    if (tk_suite_keys(part, &keys, &count, &err) < 0)
        out->failure = err.code;
    for (size_t k = 0; k < count; k++) {
        const struct tk_suite_item *item = NULL;
        const struct tk_control *control = tk_suite_uninformative(part, &keys[k], &item);
        if (!control || !item)
            continue;
        tk_element_open(out, '{');
        put_key(out, &keys[k]);
        tk_member_put_text(out, "control", tk_str_from(control->name));
        tk_member_put_text(out, "above", tk_str_from(item->method->name));
        tk_member_put_text(out, "above_setting", tk_str_from(item->label));
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
    free(keys);
}

void tk_suite_put_json(const struct tk_suite *suite, struct tk_buf *out)
{
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "tracekit", TK_STR(TK_VERSION));
    tk_member_put_text(out, "zstd", tk_str_from(ZSTD_versionString()));
    tk_member_put_i64(out, "seeds", (int64_t)suite->seeds);
    tk_member_open(out, "sets", '[');
    for (size_t p = 0; p < suite->part_count; p++) {
        const struct tk_suite_part *part = &suite->parts[p];
        tk_element_open(out, '{');
        put_data(&part->data, out);
        put_uninformative(part, out);
        tk_member_open(out, "items", '[');
        for (size_t i = 0; i < part->count; i++)
            put_item(part, part->items[i], out);
        tk_buf_lit(out, "]}");
    }
    tk_buf_lit(out, "]}\n");
}

/* Costs ---------------------------------------------------------------------------------------- */

static double mean_of(const struct tk_suite_item *item, size_t offset)
{
    double values[TK_SUITE_SEEDS_MAX];
    for (size_t s = 0; s < item->seeds; s++)
        values[s] = *(const double *)((const char *)&item->points[s] + offset);
    return tk_spread_of(values, item->seeds).mean;
}

struct tk_suite_cost tk_suite_cost_of(const struct tk_suite_part *part,
                                      const struct tk_suite_item *item)
{
    struct tk_suite_cost cost = {
        .encode_s = mean_of(item, offsetof(struct tk_suite_point, encode_s)),
        .decode_s = mean_of(item, offsetof(struct tk_suite_point, decode_s)),
    };
    double traces = part->data.real->traces;
    double bytes = tk_suite_trace_bytes(part, item) * traces;
    for (size_t s = 0; s < item->seeds; s++) {
        cost.rss_bytes = fmax(cost.rss_bytes, (double)item->points[s].rss_bytes);
    }
    for (size_t m = 0; m < TK_SUITE_COST_MODELS; m++) {
        cost.dollars[m] = tk_cost_of(&tk_cost_models[m], bytes, cost.encode_s + cost.decode_s,
                                     traces, part->data.real->rows);
    }
    return cost;
}

static void put_cost(const struct tk_suite_part *part, const struct tk_suite_item *item,
                     struct tk_buf *out)
{
    struct tk_suite_cost cost = tk_suite_cost_of(part, item);
    tk_element_open(out, '{');
    tk_member_put_text(out, "data", tk_str_from(part->data.name));
    tk_member_put_text(out, "method", tk_str_from(item->method->name));
    tk_member_put_text(out, "setting", tk_str_from(item->label));
    tk_member_put_f64(out, "encode_cpu_s", cost.encode_s, 3);
    tk_member_put_f64(out, "decode_cpu_s", cost.decode_s, 3);
    tk_member_put_f64(out, "rss_bytes", cost.rss_bytes, 0);
    tk_member_put_f64(out, "dollars_a_per_million_traces", cost.dollars[0], DIGITS);
    tk_member_put_f64(out, "dollars_b_per_million_spans", cost.dollars[1], DIGITS);
    tk_buf_putc(out, '}');
}

void tk_suite_put_costs(const struct tk_suite *suite, struct tk_buf *out)
{
    tk_buf_lit(out, "{\"costs\":[");
    for (size_t p = 0; p < suite->part_count; p++) {
        for (size_t i = 0; i < suite->parts[p].count; i++) {
            if (suite->parts[p].items[i]->method)
                put_cost(&suite->parts[p], suite->parts[p].items[i], out);
        }
    }
    tk_buf_lit(out, "]}\n");
}
