/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "base/json.h"
#include "cmd/cmd.h"
#include "cmd/member.h"
#include "cmd/runs.h"
#include "run/merge.h"
#include "run/run.h"

#define DEFAULT_FOLDER "unified_cctf"
#define JSON_MAX       ((size_t)4 << 20)

struct merge_opts {
    const char *output;
    const char *reference;
    bool align, no_align, force, json;
};

static const struct tk_opt options[] = {
    {"output", TK_OPT_STRING, offsetof(struct merge_opts, output), "OUT",
     "the merged run (default unified_cctf/RUN)", .letter = 'o'},
    {"reference", TK_OPT_STRING, offsetof(struct merge_opts, reference), "NODE",
     "shift times to the clock of this node (default the first)"},
    {"align", TK_OPT_FLAG, offsetof(struct merge_opts, align), NULL,
     "fail where the clock of a node is not known or too far off"},
    {"no-align", TK_OPT_FLAG, offsetof(struct merge_opts, no_align), NULL,
     "leave all times as they are"},
    {"force", TK_OPT_FLAG, offsetof(struct merge_opts, force), NULL,
     "shift times by more than a second too"},
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
    if (node->shifted) {
        printf(", times shifted by up to %.3f ms, good to %.3f ms", (double)node->shift_us / 1000,
               (double)node->bound_us / 1000);
    } else if (node->bound_us >= 0) {
        printf(", clock good to %.3f ms by its kernel", (double)node->bound_us / 1000);
    }
    puts("");
}

static void show(const char *to, const struct tk_merge_report *report)
{
    char count[TK_HUMAN_MAX];
    const char *before = "  tables  ";
    printf("%zu run%s → %s\n", report->input_count, report->input_count == 1 ? "" : "s", to);
    for (size_t i = 0; i < report->node_count; i++)
        show_node(&report->nodes[i]);
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        if (report->rows[i] == 0)
            continue;
        printf("%s%s %s", before, tk_tables[i].schema->name,
               tk_count_format(report->rows[i], count));
        before = ", ";
    }
    if (*before == ',')
        puts("");
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
    tk_buf_lit(out, "}\n");
}

/* The command ------------------------------------------------------------------------------- */

static void say(void *context, const char *line)
{
    const struct tk_cmd *const *cmd = context;
    (void)fprintf(stderr, "tracekit %s: %s\n", (*cmd)->name, line);
}

static int merge(const struct tk_cmd *cmd, const struct merge_opts *opts,
                 const struct tk_runs *runs, const char *to)
{
    struct tk_merge_report report = {0};
    struct tk_err err;
    const struct tk_merge_options merging = {
        .folders = runs->paths,
        .folder_count = runs->count,
        .to = to,
        .reference = opts->reference,
        .no_align = opts->no_align,
        .must_align = opts->align,
        .force = opts->force,
        .say = say,
        .context = &cmd,
    };
    int rc = tk_merge(&merging, &report, &err);
    if (rc == 0 && opts->json) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        tk_buf_init(&out, JSON_MAX);
        put_report(&out, to, &report);
        rc = tk_buf_check(&out, "report", &err);
        if (rc == 0)
            (void)fwrite(out.p, 1, out.n, stdout);
    } else if (rc == 0) {
        show(to, &report);
    }
    tk_merge_report_release(&report);
    return rc < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct merge_opts opts = {0};
    struct tk_err err;
    int first;
    int status;
    if (!tk_cmd_parse(cmd, &opts, argc, argv, &first, &status))
        return status;
    if (first == argc)
        return tk_cmd_usage(cmd, "expected the folders of the nodes of a run");
    if (opts.no_align && (opts.align || opts.reference || opts.force))
        return tk_cmd_usage(cmd, "--no-align excludes --align, --reference and --force");
    TK_CLEANUP(tk_runs_release) struct tk_runs runs = {0};
    if (tk_runs_find(&runs, argc - first, argv + first, &err) < 0)
        return tk_cmd_fail(cmd, &err);
    char to[PATH_MAX];
    char name[TK_MERGE_NAME_MAX];
    tk_merge_run_name(runs.paths[0], name);
    (void)snprintf(to, sizeof(to), DEFAULT_FOLDER "/%s", name);
    return merge(cmd, &opts, &runs, opts.output ? opts.output : to);
}

const struct tk_cmd tk_cmd_merge = {
    .name = "merge",
    .args = "DIR...",
    .help = "join the nodes of one run into one CCTF folder",
    .about = "DIR is a run folder, or one that holds several; RUN names RUN(c0), RUN(c1), ...\n"
             "The merged run can be shown, checked and exported like any other.\n"
             "\n"
             "  tracekit merge logs/night-web logs/night-db -o night\n"
             "  tracekit show night --node db\n"
             "  tracekit verify cctf night",
    .options = options,
    .mixed = true,
    .run = run,
};
