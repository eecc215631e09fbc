/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/range.h"
#include "cmd/runs.h"
#include "run/parse.h"
#include "run/run.h"

enum layout { LAYOUT_CCTF, LAYOUT_CTS };

static const char *const layouts[] = {"cctf", "cts", NULL};

struct parse_opts {
    const char *output;
    int layout;
    const char *from;
    const char *to;
    const char *node;
    const char *stage;
    const char *app_id;
    const char *module_id;
    const char *service_name;
    const char *module_type;
};

static const struct tk_opt options[] = {
    {"output", TK_OPT_STRING, offsetof(struct parse_opts, output), "DIR",
     "write events.jsonl, cctf/ and CTS/ to DIR, not to the run folder", .letter = 'o'},
    {"layout", TK_OPT_CHOICE, offsetof(struct parse_opts, layout), "LAYOUT",
     "cctf; or cts: write the layout of generation 2 besides", .choices = layouts},
    {"from", TK_OPT_STRING, offsetof(struct parse_opts, from), "TIME",
     "only rows from then on: " TK_RANGE_HELP "; needs --output"},
    {"to", TK_OPT_STRING, offsetof(struct parse_opts, to), "TIME", "only rows before then"},
    {"node", TK_OPT_STRING, offsetof(struct parse_opts, node), "NODE",
     "node label where node_meta.json has none", .env = "NODE_ID"},
    {"stage", TK_OPT_STRING, offsetof(struct parse_opts, stage), "STAGE",
     "role of the node where node_meta.json has none", .env = "STAGE"},
    {"app-id", TK_OPT_STRING, offsetof(struct parse_opts, app_id), "ID",
     "application, for a missing module_inventory.json", .env = "APP_ID"},
    {"module-id", TK_OPT_STRING, offsetof(struct parse_opts, module_id), "ID",
     "module, for a missing module_inventory.json", .env = "MODULE_ID"},
    {"service-name", TK_OPT_STRING, offsetof(struct parse_opts, service_name), "NAME",
     "its display name", .env = "SERVICE_NAME"},
    {"module-type", TK_OPT_STRING, offsetof(struct parse_opts, module_type), "TYPE",
     "SOURCE, MODULE or SINK", .env = "MODULE_TYPE"},
    {0},
};

static void say(void *context, enum tk_parse_note note, const char *line)
{
    const struct tk_cmd *const *cmd = context;
    if (note != TK_PARSE_WARNING) {
        puts(line);
        return;
    }
    (void)fflush(stdout); /* so that 2>&1 shows the warning where it belongs */
    (void)fprintf(stderr, "tracekit %s: %s\n", (*cmd)->name, line);
}

/* A path below the working folder is shown, and so used, relative to it. */
static const char *relative(const char *path)
{
    char here[PATH_MAX];
    tk_str rest = tk_str_from(path);
    if (getcwd(here, sizeof(here)) && tk_str_take_prefix(&rest, tk_str_from(here)) &&
        tk_str_take_prefix(&rest, TK_STR("/")) && rest.n > 0)
        return rest.p;
    return path;
}

static int parse_one(const struct tk_cmd *cmd, const struct parse_opts *opts, const char *folder)
{
    struct tk_err err;
    struct tk_range range;
    bool in_part = opts->from || opts->to;
    if (in_part && tk_range_read(folder, opts->from, opts->to, &range, &err) < 0)
        return tk_cmd_fail(cmd, &err);
    struct tk_parse_options parse = {
        .folder = relative(folder),
        .output = opts->output,
        .cts = opts->layout == LAYOUT_CTS,
        .range = in_part ? &range : NULL,
        .node = opts->node,
        .stage = opts->stage,
        .app_id = opts->app_id,
        .module_id = opts->module_id,
        .service_name = opts->service_name,
        .module_type = opts->module_type,
        .say = say,
        .context = &cmd,
    };
    struct tk_parse_result result;
    return tk_parse(&parse, &result, &err) < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
}

/* Parse the run that an argument names, or its nodes; without an argument, the last one. */
static int parse_named(const struct tk_cmd *cmd, const struct parse_opts *opts, int argc,
                       char **argv)
{
    TK_CLEANUP(tk_runs_release) struct tk_runs runs = {0};
    struct tk_err err;
    int status = TK_EXIT_OK;
    if (tk_runs_find(&runs, argc, argv, &err) < 0)
        return tk_cmd_fail(cmd, &err);
    if (opts->output && runs.count > 1)
        return tk_cmd_usage(cmd, "--output takes one run, not %zu", runs.count);
    for (size_t i = 0; i < runs.count; i++) {
        if (parse_one(cmd, opts, runs.paths[i]) != TK_EXIT_OK)
            status = TK_EXIT_FAILED;
    }
    return status;
}

/* Nodes of one run in the order of their numbers. */
static int compare_runs(const void *a, const void *b)
{
    return tk_run_id_cmp(tk_str_from(*(char *const *)a), tk_str_from(*(char *const *)b));
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct parse_opts opts = {0};
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    if (opts.output && argc - first > 1)
        return tk_cmd_usage(cmd, "--output takes one run, not %d", argc - first);
    if ((opts.from || opts.to) && !opts.output)
        return tk_cmd_usage(cmd, "--from and --to need --output: a part does not replace the run");
    if (first == argc)
        return parse_named(cmd, &opts, 0, NULL);

    int status = TK_EXIT_OK;
    qsort(argv + first, (size_t)(argc - first), sizeof(*argv), compare_runs);
    for (; first < argc; first++) {
        int one = parse_named(cmd, &opts, 1, argv + first);
        if (one != TK_EXIT_OK)
            status = one;
    }
    return status;
}

const struct tk_cmd tk_cmd_parse_run = {
    .name = "parse",
    .args = "[RUN...]",
    .help = "standardise a run folder: merge events, derive cctf/",
    .about = "RUN is a folder, or the name of one in logs/. Without it: $RUN_ID, run_id.env,\n"
             "the last folder of logs/. Several are parsed one after the other; a run of\n"
             "several nodes is named without their numbers.\n"
             "\n"
             "  tracekit parse\n"
             "  tracekit parse logs/20261121T090229Z\n"
             "  tracekit parse --from +60s --to +90s --output part 20261121T090229Z\n"
             "  tracekit parse --layout cts 'RUN(c0)'",
    .options = options,
    .mixed = true,
    .reads_run_env = true,
    .run = run,
};
