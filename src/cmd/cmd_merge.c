/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/human.h"
#include "base/json.h"
#include "cmd/cmd.h"
#include "cmd/member.h"
#include "cmd/runs.h"
#include "cmd/tkz_file.h"
#include "report/report.h"
#include "run/merge.h"
#include "run/run.h"

#define DEFAULT_FOLDER "unified_cctf"
#define JSON_MAX       ((size_t)4 << 20)
#define TEXT_MAX       ((size_t)64 << 10)

/* The error that adjtimex(2) tells when nothing disciplines the clock (NTP_PHASE_LIMIT). */
#define UNSYNCHRONISED_US 16000000

/* Files of generation 2. */
#define DEFAULT_INVOCATIONS  "invocations_merged.jsonl"
#define DEFAULT_PROC_METRICS "proc_metrics_merged.jsonl"

enum what { WHAT_FOLDER, WHAT_INVOCATIONS, WHAT_PROC_METRICS, WHAT_BOTH };

static const char *const whats[] = {"folder", "invocations", "proc_metrics", "both", NULL};

struct merge_opts {
    const char *output;
    const char *reference;
    const char *base;
    const char *proc_output;
    int what;
    bool align, no_align, force, json, validate;
};

static const struct tk_opt options[] = {
    {"output", TK_OPT_STRING, offsetof(struct merge_opts, output), "OUT",
     "the merged run (default unified_cctf/RUN), the file of invocations "
     "(default " DEFAULT_INVOCATIONS "), or that of traces",
     .letter = 'o'},
    {"reference", TK_OPT_STRING, offsetof(struct merge_opts, reference), "NODE",
     "shift times to the clock of this node (default the first)"},
    {"align", TK_OPT_FLAG, offsetof(struct merge_opts, align), NULL,
     "fail where the clock of a node is not known or too far off"},
    {"no-align", TK_OPT_FLAG, offsetof(struct merge_opts, no_align), NULL,
     "leave all times as they are"},
    {"force", TK_OPT_FLAG, offsetof(struct merge_opts, force), NULL,
     "shift times by more than a second too"},
    {"what", TK_OPT_CHOICE, offsetof(struct merge_opts, what), "WHAT",
     "folder = all tables (default); invocations, proc_metrics, both = one file each, as "
     "generation 2 made them",
     .choices = whats},
    {"base-dir", TK_OPT_STRING, offsetof(struct merge_opts, base), "DIR",
     "the same as the argument DIR, and --what both unless that says otherwise"},
    {"proc-output", TK_OPT_STRING, offsetof(struct merge_opts, proc_output), "FILE",
     "file of processes (default " DEFAULT_PROC_METRICS ")"},
    {"validate", TK_OPT_FLAG, offsetof(struct merge_opts, validate), NULL,
     "check the merged rows as verify cctf does; fail where they break a rule"},
    {"json", TK_OPT_FLAG, offsetof(struct merge_opts, json), NULL,
     "one JSON object instead of the report", .letter = 'j'},
    {0},
};

/* The report ------------------------------------------------------------------------------ */

static void show_node(const struct tk_merge_node *node)
{
    printf("  %-16s", node->id);
    if (strcmp(node->label, node->id) != 0)
        printf(" (called %s)", node->label);
    printf(" on %s", node->host_known ? node->host : "an unknown host");
    char bound[TK_HUMAN_MAX];
    (void)tk_duration_format(node->bound_us * TK_NS_PER_US, bound);
    if (node->shifted) {
        printf(", times shifted by up to %.3f ms, good to %s", (double)node->shift_us / 1000,
               bound);
    } else if (node->bound_us >= UNSYNCHRONISED_US) {
        printf(", clock not synchronised, says its kernel");
    } else if (node->bound_us >= 0) {
        printf(", clock good to %s by its kernel", bound);
    }
    puts("");
}

/* How many rows of which tables, as lines that fit the terminal. */
static void show_tables(const struct tk_merge_report *report)
{
    const tk_str head = TK_STR("  tables  ");
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    TK_CLEANUP(tk_buf_release) struct tk_buf lines;
    TK_CLEANUP(tk_look_release) struct tk_look look;
    char count[TK_HUMAN_MAX];
    tk_buf_init(&text, TEXT_MAX);
    tk_buf_init(&lines, TEXT_MAX);
    tk_look_init(&look, STDOUT_FILENO);
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        if (report->rows[i] > 0) {
            tk_buf_printf(&text, "%s%s %s", text.n > 0 ? ", " : "", tk_tables[i].schema->name,
                          tk_count_format(report->rows[i], count));
        }
    }
    if (text.n == 0)
        return;
    tk_buf_put(&lines, head);
    tk_text_put_wrapped(&lines, &look, tk_buf_str(&text), (int)head.n, (int)head.n);
    (void)fwrite(lines.p, 1, lines.n, stdout);
}

static void show(const char *to, const struct tk_merge_report *report)
{
    char count[TK_HUMAN_MAX];
    printf("%zu run%s → %s\n", report->input_count, report->input_count == 1 ? "" : "s", to);
    for (size_t i = 0; i < report->node_count; i++)
        show_node(&report->nodes[i]);
    show_tables(report);
    if (report->errors + report->warnings > 0) {
        printf("  %llu error%s, %llu warning%s of verify cctf\n",
               (unsigned long long)report->errors, tk_count_ending((int64_t)report->errors),
               (unsigned long long)report->warnings, tk_count_ending((int64_t)report->warnings));
    }
    if (report->duplicates > 0) {
        printf("  dropped %s rows that two runs of one node both have\n",
               tk_count_format((int64_t)report->duplicates, count));
    }
}

static void put_node(struct tk_buf *out, const struct tk_merge_node *node)
{
    tk_element_open(out, '{');
    tk_member_put_text(out, "node_id", tk_str_from(node->id));
    tk_member_put_text(out, "node_label", tk_str_from(node->label));
    tk_member_put_text(out, "host", tk_str_from(node->host_known ? node->host : ""));
    tk_member_put_bool(out, "shifted", node->shifted);
    tk_json_put_key(out, "shift_us"); /* may be negative */
    tk_buf_printf(out, "%lld", (long long)node->shift_us);
    tk_member_put_i64(out, "bound_us", node->bound_us);
    tk_buf_putc(out, '}');
}

static void put_pair(struct tk_buf *out, const struct tk_merge_report *report,
                     const struct tk_merge_pair *pair)
{
    tk_element_open(out, '{');
    tk_member_put_text(out, "parent", tk_str_from(report->nodes[pair->parent].id));
    tk_member_put_text(out, "child", tk_str_from(report->nodes[pair->child].id));
    tk_member_put_i64(out, "calls", (int64_t)pair->calls);
    tk_member_put_i64(out, "violations", (int64_t)pair->violations);
    tk_member_put_i64(out, "worst_us", pair->worst_us);
    tk_buf_putc(out, '}');
}

static void put_report(struct tk_buf *out, const char *to, const struct tk_merge_report *report)
{
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "to", tk_str_from(to));
    tk_member_put_i64(out, "runs", (int64_t)report->input_count);
    tk_member_open(out, "nodes", '[');
    for (size_t i = 0; i < report->node_count; i++)
        put_node(out, &report->nodes[i]);
    tk_buf_putc(out, ']');
    tk_member_open(out, "rows", '{');
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        if (report->rows[i] > 0)
            tk_member_put_i64(out, tk_tables[i].schema->name, report->rows[i]);
    }
    tk_buf_putc(out, '}');
    tk_member_open(out, "calls", '[');
    for (size_t i = 0; i < report->pair_count; i++)
        put_pair(out, report, &report->pairs[i]);
    tk_buf_putc(out, ']');
    tk_member_put_i64(out, "violations", (int64_t)report->violations);
    tk_member_put_i64(out, "duplicates", (int64_t)report->duplicates);
    tk_member_put_i64(out, "bad_rows", (int64_t)report->bad_rows);
    tk_member_put_i64(out, "errors", (int64_t)report->errors);
    tk_member_put_i64(out, "warnings", (int64_t)report->warnings);
    tk_buf_lit(out, "}\n");
}

/* The command ------------------------------------------------------------------------------- */

static void say(void *context, const char *line)
{
    const struct tk_cmd *const *cmd = context;
    (void)fprintf(stderr, "tracekit %s: %s\n", (*cmd)->name, line);
}

static int print(const struct merge_opts *opts, const char *to,
                 const struct tk_merge_report *report, struct tk_err *err)
{
    if (!opts->json) {
        show(to, report);
        return 0;
    }
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, JSON_MAX);
    put_report(&out, to, report);
    int rc = tk_buf_check(&out, "report", err);
    if (rc == 0)
        (void)fwrite(out.p, 1, out.n, stdout);
    return rc;
}

/* Where to: the folder, or the files with a comma between. */
static void find_target(const struct merge_opts *opts, const struct tk_runs *runs,
                        struct tk_merge_files *ret_files, char ret_to[PATH_MAX])
{
    char name[TK_MERGE_NAME_MAX];
    if (opts->what == WHAT_FOLDER) {
        tk_merge_run_name(runs->paths[0], name);
        (void)snprintf(ret_to, PATH_MAX, "%s%s", opts->output ? opts->output : DEFAULT_FOLDER "/",
                       opts->output ? "" : name);
        return;
    }
    if (opts->what != WHAT_PROC_METRICS)
        ret_files->invocations = opts->output ? opts->output : DEFAULT_INVOCATIONS;
    if (opts->what != WHAT_INVOCATIONS)
        ret_files->proc_metrics = opts->proc_output ? opts->proc_output : DEFAULT_PROC_METRICS;
    (void)snprintf(ret_to, PATH_MAX, "%s%s%s", ret_files->invocations ? ret_files->invocations : "",
                   opts->what == WHAT_BOTH ? ", " : "",
                   ret_files->proc_metrics ? ret_files->proc_metrics : "");
}

static int merge(const struct tk_cmd *cmd, const struct merge_opts *opts,
                 const struct tk_runs *runs)
{
    struct tk_merge_report report = {0};
    struct tk_merge_files files = {0};
    struct tk_err err;
    char to[PATH_MAX];
    find_target(opts, runs, &files, to);
    const struct tk_merge_options merging = {
        .folders = runs->paths,
        .folder_count = runs->count,
        .to = to,
        .reference = opts->reference,
        .no_align = opts->no_align,
        .must_align = opts->align,
        .force = opts->force,
        .validate = opts->validate,
        .say = say,
        .context = &cmd,
    };
    int rc = opts->what == WHAT_FOLDER ? tk_merge(&merging, &report, &err)
                                       : tk_merge_to_files(&merging, &files, &report, &err);
    rc = rc < 0 ? rc : print(opts, to, &report, &err);
    bool is_broken = report.errors > 0;
    tk_merge_report_release(&report);
    if (rc < 0)
        return tk_cmd_fail(cmd, &err);
    return is_broken ? TK_EXIT_FAILED : TK_EXIT_OK;
}

/* What is contradictory or missing, as an exit status. */
static int check(const struct tk_cmd *cmd, struct merge_opts *opts, bool has_folders)
{
    if (!has_folders && !opts->base)
        return tk_cmd_usage(cmd, "expected the folders of the nodes of a run");
    if (opts->no_align && (opts->align || opts->reference || opts->force))
        return tk_cmd_usage(cmd, "--no-align excludes --align, --reference and --force");
    if (opts->what < 0)
        opts->what = opts->base || opts->proc_output ? WHAT_BOTH : WHAT_FOLDER;
    if (opts->proc_output && opts->what == WHAT_FOLDER)
        return tk_cmd_usage(cmd, "--proc-output is of no use for --what folder");
    if (opts->proc_output && opts->what == WHAT_INVOCATIONS)
        return tk_cmd_usage(cmd, "--proc-output is of no use for --what invocations");
    if (opts->output && opts->what == WHAT_PROC_METRICS)
        return tk_cmd_usage(cmd, "--output is of no use for --what proc_metrics: --proc-output is");
    return TK_EXIT_OK;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct merge_opts opts = {.what = -1}; /* not given */
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    if (first < argc && tk_tkz_detect(argv[first]))
        return tk_tkz_merge(cmd, opts.output, argc - first, argv + first);
    int status = check(cmd, &opts, first < argc);
    if (status != TK_EXIT_OK)
        return status;
    char base[PATH_MAX];
    char *given[] = {base};
    (void)snprintf(base, sizeof(base), "%s", opts.base ? opts.base : "");
    if (opts.base && first < argc)
        return tk_cmd_usage(cmd, "'%s': the folder is given by --base-dir already", argv[first]);
    TK_CLEANUP(tk_runs_release) struct tk_runs runs = {0};
    int rc = opts.base ? tk_runs_find(&runs, 1, given, &err)
                       : tk_runs_find(&runs, argc - first, argv + first, &err);
    return rc < 0 ? tk_cmd_fail(cmd, &err) : merge(cmd, &opts, &runs);
}

const struct tk_cmd tk_cmd_merge = {
    .name = "merge",
    .args = "DIR...|FILE.tkz...",
    .help = "join the nodes of a run, or files of compressed traces",
    .about = "DIR is a run folder, or one that holds several; RUN names RUN(c0), RUN(c1), ...\n"
             "The merged run can be shown, checked and exported like any other.\n"
             "Files of compressed traces (.tkz) become one, block by block, by time.\n"
             "\n"
             "  tracekit merge logs/night-web logs/night-db -o night\n"
             "  tracekit show night --node db\n"
             "  tracekit verify cctf night\n"
             "  tracekit merge monday.tkz tuesday.tkz -o days.tkz",
    .options = options,
    .mixed = true,
    .run = run,
};
