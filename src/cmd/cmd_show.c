/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/range.h"
#include "cmd/runs.h"
#include "cmd/screen.h"

#define OUT_MAX ((size_t)256 * 1024 * 1024)

struct show_opts {
    bool json;
    const char *node;
    const char *from;
    const char *to;
};

static const struct tk_opt options[] = {
    {"json", TK_OPT_FLAG, offsetof(struct show_opts, json), NULL,
     "one JSON object per run, with the unit in each key", .letter = 'j'},
    {"node", TK_OPT_STRING, offsetof(struct show_opts, node), "NAME",
     "which node of a merged run, by its label or host (default the first)"},
    {"from", TK_OPT_STRING, offsetof(struct show_opts, from), "TIME",
     "only what was from then on: " TK_RANGE_HELP},
    {"to", TK_OPT_STRING, offsetof(struct show_opts, to), "TIME", "only what was before then"},
    {0},
};

/* What of a run is shown. `range` is storage for the options. */
static int read_options(const char *folder, const struct show_opts *opts, struct tk_range *range,
                        struct tk_summary_options *ret_options, struct tk_err *err)
{
    bool in_part = opts->from || opts->to;
    int rc = in_part ? tk_range_read(folder, opts->from, opts->to, range, err) : 0;
    if (rc < 0)
        return rc;
    *ret_options = (struct tk_summary_options){.node = opts->node, .range = in_part ? range : NULL};
    return 0;
}

static int summarise(const char *folder, const struct show_opts *opts,
                     struct tk_summary **ret_summary, struct tk_err *err)
{
    struct tk_range range;
    struct tk_summary_options part;
    int rc = read_options(folder, opts, &range, &part, err);
    return rc < 0 ? rc : tk_summary_new(folder, &part, ret_summary, err);
}

static int show_one(const char *folder, const struct show_opts *opts, struct tk_err *err)
{
    struct tk_range range;
    struct tk_summary_options part;
    int rc = read_options(folder, opts, &range, &part, err);
    return rc < 0 ? rc : tk_screen_write(folder, &part, STDOUT_FILENO, err);
}

/* Several runs as a table needs them all at once. */
static int show_table(const struct tk_runs *runs, const struct show_opts *opts, struct tk_buf *out,
                      struct tk_err *err)
{
    struct tk_summary *summaries[TK_RUNS_MAX] = {0};
    TK_CLEANUP(tk_look_release) struct tk_look look;
    tk_look_init(&look, STDOUT_FILENO);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < runs->count; i++)
        rc = summarise(runs->paths[i], opts, &summaries[i], err);
    if (rc == 0) {
        rc = tk_screen_format_nodes((const struct tk_summary *const *)summaries, runs->count, &look,
                                    out, err);
    }
    for (size_t i = 0; i < runs->count; i++)
        tk_summary_free(summaries[i]);
    return rc;
}

static int show_json(const struct tk_runs *runs, const struct show_opts *opts, struct tk_buf *out,
                     struct tk_err *err)
{
    for (size_t i = 0; i < runs->count; i++) {
        TK_CLEANUP(tk_summary_freep) struct tk_summary *summary = NULL;
        int rc = summarise(runs->paths[i], opts, &summary, err);
        if (rc < 0)
            return rc;
        tk_screen_format_json(summary, runs->paths[i], out);
    }
    return tk_buf_check(out, "summary", err);
}

static int show(const struct tk_runs *runs, const struct show_opts *opts, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    if (!opts->json && runs->count == 1)
        return show_one(runs->paths[0], opts, err);
    int rc = opts->json ? show_json(runs, opts, &out, err) : show_table(runs, opts, &out, err);
    return rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&out), "stdout", err);
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct show_opts opts = {0};
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    TK_CLEANUP(tk_runs_release) struct tk_runs runs = {0};
    struct tk_err err;
    int rc = tk_runs_find(&runs, argc - first, argv + first, &err);
    rc = rc < 0 ? rc : show(&runs, &opts, &err);
    return rc < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_show = {
    .name = "show",
    .args = "[RUN...]",
    .help = "explain a run: what it used, what it waited for",
    .about = "RUN is a run folder, or the name of one in logs/; without it, the last one\n"
             "there. Several runs, or the name of a run of several nodes, give a table.\n"
             "\n"
             "  tracekit show\n"
             "  tracekit show --from +60s --to +90s 20261121T090229Z",
    .options = options,
    .mixed = true,
    .run = run,
};
