/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/human.h"
#include "cmd/cmd.h"
#include "cmd/member.h"
#include "cmd/runs.h"
#include "cmd/verify.h"
#include "opendc/opendc.h"
#include "run/run.h"
#include "run/verify.h"

#define FINDINGS_SHOWN 20
#define JSON_MAX       ((size_t)256 << 20)

static const struct tk_opt options[] = {
    {"all", TK_OPT_FLAG, offsetof(struct tk_verify_opts, all), NULL,
     "tell every finding, not the first 20 of each rule and file (opendc: 5 of each rule)",
     .letter = 'a'},
    {"strict", TK_OPT_FLAG, offsetof(struct tk_verify_opts, strict), NULL,
     "warnings count as errors"},
    {"no-report", TK_OPT_FLAG, offsetof(struct tk_verify_opts, no_report), NULL,
     "cctf: do not write cctf/audit_report.md"},
    {"profile", TK_OPT_CHOICE, offsetof(struct tk_verify_opts, profile), "PROFILE",
     "opendc: version that is to load the files: opendc, opendc-2.4f, opendc-2.4e, opendc-2.1 (by "
     "the files)",
     .choices = tk_opendc_profiles},
    {"topology", TK_OPT_STRING, offsetof(struct tk_verify_opts, topology), "FILE",
     "opendc: topology to check against (topology.json in DIR)"},
    {"json", TK_OPT_FLAG, offsetof(struct tk_verify_opts, json), NULL,
     "one JSON object per run instead of lines", .letter = 'j'},
    {0},
};

static const char *const verbs[] = {"cctf", "opendc", NULL};

const char *tk_verify_level(bool is_error)
{
    return is_error ? "error" : "warning";
}

static void put_finding(struct tk_buf *out, const struct tk_verify_finding *finding)
{
    tk_element_open(out, '{');
    tk_member_put_text(out, "rule", tk_str_from(tk_verify_rules[finding->rule].name));
    tk_member_put_text(out, "level",
                       tk_str_from(tk_verify_level(tk_verify_rules[finding->rule].is_error)));
    tk_member_put_text(out, "file", tk_str_from(finding->file));
    tk_member_put_i64(out, "line", finding->line > 0 ? (int64_t)finding->line : -1);
    tk_member_put_text(out, "text", tk_str_from(finding->text));
    tk_buf_putc(out, '}');
}

static void found(void *context, const struct tk_verify_finding *finding)
{
    const struct tk_verify_telling *telling = context;
    if (telling->json) {
        put_finding(telling->json, finding);
        return;
    }
    char line[32] = "";
    if (finding->line > 0)
        (void)snprintf(line, sizeof(line), ":%llu", (unsigned long long)finding->line);
    printf("%s/%s%s: %s: %s: %s\n", telling->folder, finding->file, line,
           tk_verify_level(tk_verify_rules[finding->rule].is_error),
           tk_verify_rules[finding->rule].name, finding->text);
}

static void show_sum(const char *folder, const struct tk_verify_result *result, bool ok)
{
    printf("%s: %s: %llu error%s, %llu warning%s in %llu file%s, %llu rows%s\n", folder,
           ok ? "ok" : "broken", (unsigned long long)result->errors,
           tk_count_ending((int64_t)result->errors), (unsigned long long)result->warnings,
           tk_count_ending((int64_t)result->warnings), (unsigned long long)result->files,
           tk_count_ending((int64_t)result->files), (unsigned long long)result->rows,
           result->report_written ? " (cctf/audit_report.md written)" : "");
}

static void put_sum(struct tk_buf *out, const struct tk_verify_result *result, bool ok)
{
    tk_buf_putc(out, ']');
    tk_member_put_bool(out, "ok", ok);
    tk_member_put_i64(out, "errors", (int64_t)result->errors);
    tk_member_put_i64(out, "warnings", (int64_t)result->warnings);
    tk_member_put_i64(out, "files", (int64_t)result->files);
    tk_member_put_i64(out, "rows", (int64_t)result->rows);
    tk_member_open(out, "counts", '{');
    for (size_t i = 0; i < TK_VERIFY_RULES; i++)
        tk_member_put_i64(out, tk_verify_rules[i].name, (int64_t)result->counts[i]);
    tk_buf_lit(out, "}}\n");
}

/* Check one run and tell; *ret_ok says whether it passed. */
static int verify_one(const char *folder, const struct tk_verify_opts *opts, bool *ret_ok,
                      struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf json;
    tk_buf_init(&json, JSON_MAX);
    struct tk_verify_telling telling = {folder, opts->json ? &json : NULL};
    tk_buf_putc(&json, '{');
    tk_member_put_text(&json, "folder", tk_str_from(folder));
    tk_member_open(&json, "findings", '[');
    struct tk_verify_options verify = {
        .folder = folder,
        .max_findings = opts->all ? 0 : FINDINGS_SHOWN,
        .write_report = !opts->no_report,
        .found = found,
        .context = &telling,
    };
    struct tk_verify_result result;
    int rc = tk_verify(&verify, &result, err);
    if (rc < 0)
        return rc;
    *ret_ok = result.errors == 0 && !(opts->strict && result.warnings > 0);
    if (!opts->json) {
        show_sum(folder, &result, *ret_ok);
        return 0;
    }
    put_sum(&json, &result, *ret_ok);
    rc = tk_buf_check(&json, "findings", err);
    if (rc == 0)
        (void)fwrite(json.p, 1, json.n, stdout);
    return rc;
}

/* Check one after the other, whether the one before passed or not. */
static int verify_all(const struct tk_cmd *cmd, const struct tk_verify_opts *opts,
                      const char *const *folders, size_t count,
                      int (*verify)(const char *folder, const struct tk_verify_opts *opts,
                                    bool *ret_ok, struct tk_err *err))
{
    int status = TK_EXIT_OK;
    for (size_t i = 0; i < count; i++) {
        struct tk_err err;
        bool ok = false;
        if (verify(folders[i], opts, &ok, &err) < 0)
            (void)tk_cmd_fail(cmd, &err);
        if (!ok)
            status = TK_EXIT_FAILED;
    }
    return status;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct tk_verify_opts opts = {.profile = -1};
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    const char *what = argv[first++];
    if (strcmp(what, verbs[1]) == 0) {
        if (first == argc)
            return tk_cmd_usage(cmd, "expected the folder of an export");
        return verify_all(cmd, &opts, (const char *const *)argv + first, (size_t)(argc - first),
                          tk_verify_opendc);
    }
    if (strcmp(what, verbs[0]) != 0)
        return tk_cmd_refuse(cmd, what);
    TK_CLEANUP(tk_runs_release) struct tk_runs runs = {0};
    if (tk_runs_find(&runs, argc - first, argv + first, &err) < 0)
        return tk_cmd_fail(cmd, &err);
    return verify_all(cmd, &opts, runs.paths, runs.count, verify_one);
}

const struct tk_cmd tk_cmd_verify = {
    .name = "verify",
    .args = "cctf [RUN...] | opendc DIR...",
    .missing = "expected what to verify: cctf or opendc",
    .help = "check a run, or what was exported to OpenDC",
    .about = "Prints FILE:LINE: LEVEL: RULE: TEXT for each finding and one line per run. The\n"
             "status is 1 when a run has an error; warnings tell what a sound run lacks.\n"
             "Writes cctf/audit_report.md. RUN is a folder, a cctf/ itself, or the name of a\n"
             "run in logs/. DIR is the folder of an export: verify opendc tells what OpenDC\n"
             "would refuse (errors) or simulate otherwise than it was measured (warnings).\n"
             "\n"
             "  tracekit verify cctf\n"
             "  tracekit verify cctf logs/20261121T090229Z --json\n"
             "  tracekit verify opendc opendc_traces",
    .options = options,
    .verbs = verbs,
    .mixed = true,
    .reads_run_env = true,
    .run = run,
};
