/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/number.h"
#include "cmd/member.h"
#include "cmd/verify.h"
#include "opendc/check.h"

#define EXAMPLES 5
#define JSON_MAX ((size_t)256 << 20)

static void put_finding(struct tk_buf *out, const struct tk_check_finding *finding)
{
    tk_element_open(out, '{');
    tk_member_put_text(out, "rule", tk_str_from(tk_check_rules[finding->rule].code));
    tk_member_put_text(out, "level",
                       tk_str_from(tk_verify_level(tk_check_rules[finding->rule].is_error)));
    tk_member_put_text(out, "file", tk_str_from(finding->file));
    tk_member_put_text(out, "column", tk_str_from(finding->column));
    tk_member_put_i64(out, "row", finding->row);
    tk_member_put_text(out, "text", tk_str_from(finding->text));
    tk_buf_putc(out, '}');
}

/* FILE: row N, column C: LEVEL: CODE: TEXT. */
static void found(void *context, const struct tk_check_finding *finding)
{
    const struct tk_verify_telling *telling = context;
    if (telling->json) {
        put_finding(telling->json, finding);
        return;
    }
    printf("%s/%s: ", telling->folder, finding->file);
    if (finding->row >= 0)
        printf("row %lld, ", (long long)finding->row);
    if (finding->column)
        printf("column %s: ", finding->column);
    printf("%s: %s: %s\n", tk_verify_level(tk_check_rules[finding->rule].is_error),
           tk_check_rules[finding->rule].code, finding->text);
}

static void show_table(const struct tk_check_result *result)
{
    const struct {
        const char *name;
        const struct tk_spread *spread;
    } figures[] = {
        {"duration, ms", &result->duration_ms},
        {"usage, MHz", &result->usage_mhz},
        {"capacity, MHz", &result->capacity_mhz},
        {"cpu_count", &result->cpu_count},
        {"memory, kB", &result->mem_kb},
        {"fragments per task", &result->fragments_per_task},
    };
    printf("  %-20s %14s %14s %14s\n", "", "min", "median", "max");
    for (size_t i = 0; i < TK_COUNTOF(figures); i++) {
        const struct tk_spread *spread = figures[i].spread;
        printf("  %-20s %14.10g %14.10g %14.10g\n", figures[i].name, spread->min, spread->median,
               spread->max);
    }
}

static void show_rest(const struct tk_check_result *result)
{
    for (size_t i = 0; i < TK_CHECK_RULES; i++) {
        if (result->counts[i] > EXAMPLES) {
            printf("  %s: %llu findings in all: %s is not so\n", tk_check_rules[i].code,
                   (unsigned long long)result->counts[i], tk_check_rules[i].help);
        }
    }
}

static void show_sum(const char *folder, const struct tk_verify_opts *opts,
                     const struct tk_check_result *result, bool ok)
{
    printf("%s: %s: %llu errors, %llu warnings; profile %s, %lld tasks, %lld fragments over %.3f s",
           folder, ok ? "ok" : "broken", (unsigned long long)result->errors,
           (unsigned long long)result->warnings, tk_opendc_profiles[result->profile],
           (long long)result->tasks, (long long)result->fragments, (double)result->span_ms / 1000);
    if (isfinite(result->cpu_hours)) {
        printf(", %.6g CPU hours, %.3g %% of the topology", result->cpu_hours,
               100 * result->utilisation);
    }
    printf("\n");
    if (!opts->all)
        show_rest(result);
    if (result->tasks > 0)
        show_table(result);
}

static void put_spread(struct tk_buf *out, const char *key, const struct tk_spread *spread)
{
    tk_member_open(out, key, '{');
    tk_member_put_f64(out, "min", spread->min, TK_SHORTEST);
    tk_member_put_f64(out, "median", spread->median, TK_SHORTEST);
    tk_member_put_f64(out, "max", spread->max, TK_SHORTEST);
    tk_buf_putc(out, '}');
}

static void put_sum(struct tk_buf *out, const struct tk_check_result *result, bool ok)
{
    tk_buf_putc(out, ']');
    tk_member_put_bool(out, "ok", ok);
    tk_member_put_text(out, "profile", tk_str_from(tk_opendc_profiles[result->profile]));
    tk_member_put_i64(out, "errors", (int64_t)result->errors);
    tk_member_put_i64(out, "warnings", (int64_t)result->warnings);
    tk_member_put_i64(out, "tasks", result->tasks);
    tk_member_put_i64(out, "fragments", result->fragments);
    tk_member_put_i64(out, "span_ms", result->span_ms);
    tk_member_put_f64(out, "cpu_hours", result->cpu_hours, TK_SHORTEST);
    tk_member_put_f64(out, "utilisation", result->utilisation, TK_SHORTEST);
    put_spread(out, "duration_ms", &result->duration_ms);
    put_spread(out, "usage_mhz", &result->usage_mhz);
    put_spread(out, "capacity_mhz", &result->capacity_mhz);
    put_spread(out, "cpu_count", &result->cpu_count);
    put_spread(out, "mem_kb", &result->mem_kb);
    put_spread(out, "fragments_per_task", &result->fragments_per_task);
    tk_member_open(out, "counts", '{');
    for (size_t i = 0; i < TK_CHECK_RULES; i++)
        tk_member_put_i64(out, tk_check_rules[i].code, (int64_t)result->counts[i]);
    tk_buf_lit(out, "}}\n");
}

int tk_verify_opendc(const char *folder, const struct tk_verify_opts *opts, bool *ret_ok,
                     struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf json;
    tk_buf_init(&json, JSON_MAX);
    tk_buf_putc(&json, '{');
    tk_member_put_text(&json, "folder", tk_str_from(folder));
    tk_member_open(&json, "findings", '[');
    struct tk_verify_telling telling = {folder, opts->json ? &json : NULL};
    const struct tk_check_options check = {
        .folder = folder,
        .profile = opts->profile,
        .topology = opts->topology,
        .max_examples = opts->all ? 0 : EXAMPLES,
        .found = found,
        .context = &telling,
    };
    struct tk_check_result result;
    int rc = tk_opendc_check(&check, &result, err);
    if (rc < 0)
        return rc;
    *ret_ok = result.errors == 0 && !(opts->strict && result.warnings > 0);
    if (!opts->json) {
        show_sum(folder, opts, &result, *ret_ok);
        return 0;
    }
    put_sum(&json, &result, *ret_ok);
    rc = tk_buf_check(&json, "findings", err);
    if (rc == 0)
        (void)fwrite(json.p, 1, json.n, stdout);
    return rc;
}
