/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/file.h"
#include "base/nearest.h"
#include "base/number.h"
#include "cmd/report.h"

#define OUT_MAX   ((size_t)256 * 1024 * 1024)
#define RULES_MAX ((size_t)256 * 1024)

#define FIELD(name) offsetof(struct tk_report_opts, name)

static const struct tk_opt options[] = {
    {"json", TK_OPT_FLAG, FIELD(json), NULL, "JSON instead of a screen", .letter = 'j'},
    {"store", TK_OPT_STRING, FIELD(store), "ADDRESS",
     "builds of dir:/path or s3://bucket/prefix too (as the environment says: TRACEKIT_STORE, "
     "MINIO_*, AWS_*; none)"},
    {"rules", TK_OPT_STRING, FIELD(rules), "FILE",
     "rules and advice of your own, beside the built-in ones", .env = "TRACEKIT_RULES"},
    {"step", TK_OPT_STRING, FIELD(step), "NAME", "history: of this step (the whole build)"},
    {"baseline", TK_OPT_STRING, FIELD(baseline), "BRANCH",
     "gate: compare with the builds of this branch (those of the same class of branch)"},
    {"max-total", TK_OPT_STRING, FIELD(max_total), "BUDGET",
     "gate: of the whole build, +10% or 35m (+10% when no budget is given)"},
    {"max-step", TK_OPT_LIST, FIELD(max_steps), "STEP=BUDGET", "gate: of a step (repeatable)"},
    {"max-memory", TK_OPT_STRING, FIELD(max_memory), "SIZE", "gate: peak of memory, 12GB"},
    {"min-free", TK_OPT_STRING, FIELD(min_free), "SIZE", "gate: least free space on disk, 5GB"},
    {"confirm", TK_OPT_INT, FIELD(confirm), "N",
     "gate: slow runs in a row, or CPU time or bytes that went up as well, before a relative "
     "budget is broken (2)",
     .min = 1, .max = 2},
    {"lenient", TK_OPT_FLAG, FIELD(lenient), NULL, "gate: not enough data is no failure"},
    {"verdict", TK_OPT_STRING, FIELD(verdict), "FILE", "gate: write the verdict as JSON too"},
    {"keep", TK_OPT_INT, FIELD(keep), "N", "prune: builds of each kind to keep (200)", .min = 1,
     .max = INT32_MAX},
    {"days", TK_OPT_INT, FIELD(days), "N", "prune: keep none older than so many days (180)",
     .min = 1, .max = 36500},
    {"dry-run", TK_OPT_FLAG, FIELD(dry_run), NULL, "prune: tell only", .letter = 'n'},
    {0},
};

struct verb {
    const char *name;
    size_t max_args;
    size_t most; /* builds of each kind that it looks at when it means the latest; 0 = all */
    enum { STORE_IF_THERE, STORE_NEEDED, STORE_ITSELF } store;
    int (*run)(struct tk_report *report, struct tk_err *err);
};

/* What the statistics look at, and some to spare for other branches. */
#define RECENT 100

static const struct verb verbs[] = {
    {"latest", 1, RECENT, .run = tk_report_latest},
    {"list", 0, 0, .run = tk_report_list},
    {"show", 1, RECENT, .run = tk_report_show},
    {"compare", 2, RECENT, .run = tk_report_compare},
    {"history", 2, 0, .run = tk_report_history},
    {"watch", 0, RECENT, .run = tk_report_watch},
    {"diagnose", 1, RECENT, .run = tk_report_diagnose},
    {"gate", 1, RECENT, STORE_NEEDED, tk_report_gate},
    {"export", 3, RECENT, .run = tk_report_export},
    {"push", 1, 0, STORE_ITSELF, tk_report_push},
    {"pull", 1, 0, STORE_ITSELF, tk_report_pull},
    {"prune", 0, 0, STORE_ITSELF, tk_report_prune},
    {"reindex", 0, 0, STORE_ITSELF, tk_report_reindex},
    {"import-v1", 1, 0, STORE_ITSELF, tk_report_import},
};

static const char *const verb_names[] = {"latest", "list",     "show",    "compare",   "history",
                                         "watch",  "diagnose", "gate",    "export",    "push",
                                         "pull",   "prune",    "reindex", "import-v1", NULL};
_Static_assert(TK_COUNTOF(verb_names) == TK_COUNTOF(verbs) + 1, "one name a verb");

/* Judging ------------------------------------------------------------------------------ */

static void set_baseline(struct tk_job *job, const struct tk_job *past, size_t past_count,
                         struct tk_arena *arena)
{
    struct tk_trend trend;
    if (!tk_trend_find(past, past_count, job, &trend) && job->baseline.n > 0)
        return; /* what was known when it ended */
    job->baseline = (struct tk_job_baseline){
        .key = tk_job_baseline_key(job, arena),
        .n = (int64_t)trend.n,
        .median_s = (double)NAN,
        .mad_s = (double)NAN,
        .delta_percent = (double)NAN,
        .verdict = tk_str_from(tk_trend_name(&trend)),
    };
    if (trend.verdict == TK_TREND_UNKNOWN)
        return;
    job->baseline.median_s = trend.median_s;
    job->baseline.mad_s = trend.mad_s;
    job->baseline.delta_percent = trend.delta_percent;
}

int tk_report_read(struct tk_report *report, const char *selector, const char *kind,
                   struct tk_job **ret_job, struct tk_err *err)
{
    struct tk_group group;
    size_t past_count;
    int rc = tk_archive_find(report->archive, selector ? selector : "latest", kind, &group, err);
    if (rc < 0)
        return rc;
    struct tk_job *job = group.jobs[0];
    const struct tk_job *past = tk_archive_past(report->archive, job, &past_count);
    struct tk_arena *arena = tk_archive_arena(report->archive);
    set_baseline(job, past, past_count, arena);
    rc = tk_diagnosis_add(&(struct tk_diagnosis_options){past, past_count, report->rules}, job,
                          arena, err);
    if (rc == 0)
        *ret_job = job;
    return rc;
}

int tk_report_begin(struct tk_report *report, const char *selector, const char *kind,
                    struct tk_job **ret_job, struct tk_err *err)
{
    struct tk_job *job = NULL;
    int rc = tk_report_read(report, selector, kind, &job, err);
    if (rc < 0)
        return rc;
    if (report->opts->json) {
        tk_job_format(job, TK_SHORTEST, &report->out);
        job = NULL;
    } else {
        tk_report_put_header(report, job);
    }
    *ret_job = job;
    return 0;
}

/* The text of the rules stays in `text`. */
static int rules_read(const char *path, struct tk_buf *text, struct tk_user_rules **ret_rules,
                      struct tk_err *err)
{
    tk_buf_init(text, RULES_MAX);
    int rc = tk_file_load(AT_FDCWD, path, text, err);
    if (rc < 0)
        return rc;
    struct tk_user_rules *rules = malloc(sizeof(*rules));
    if (!rules)
        return tk_fail(err, -ENOMEM, "%s: out of memory", path);
    rc = tk_user_rules_parse(tk_buf_str(text), rules, err);
    if (rc < 0) {
        free(rules);
        return tk_err_prefix(err, "%s", path);
    }
    *ret_rules = rules;
    return 0;
}

/* The command --------------------------------------------------------------------------- */

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < TK_COUNTOF(verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    }
    return NULL;
}

static int unknown_verb(const struct tk_cmd *cmd, const char *name)
{
    const char *meant = tk_nearest_find(name, verb_names, TK_COUNTOF(verbs));
    if (meant)
        return tk_cmd_usage(cmd, "'%s' is no report: did you mean '%s'?", name, meant);
    return tk_cmd_usage(cmd, "'%s' is no report", name);
}

static void warn_of_what_is_left_out(const struct tk_report *report, const struct verb *verb)
{
    const char *why = tk_archive_unread(report->archive);
    if (why && verb->store == STORE_IF_THERE) {
        (void)fprintf(stderr, "tracekit report: %s; told are the builds of %s alone\n", why,
                      tk_archive_place(report->archive));
    }
    size_t bad = tk_archive_bad(report->archive, &why);
    if (bad) {
        (void)fprintf(stderr, "tracekit report: %s: %zu file%s left out: %s\n",
                      tk_archive_place(report->archive), bad, bad == 1 ? "" : "s", why);
    }
}

/* How many builds of a kind are read: selectors other than latest may mean any. */
static size_t most_of(const struct tk_report *report, const struct verb *verb)
{
    for (size_t i = 0; verb->most && i < TK_COUNTOF(report->args) && report->args[i]; i++) {
        bool selector = verb->run != tk_report_latest && (verb->run != tk_report_export || i > 0);
        if (selector && strncmp(report->args[i], "latest", 6) != 0)
            return 0;
    }
    return verb->most;
}

/* A gate that cannot see its baseline has a status of its own; in CI it lets the build pass. */
static int fail(const struct tk_report *report, const struct verb *verb, bool opened,
                const struct tk_err *err)
{
    enum { STORE_UNREACHABLE = 5 };
    if (err->code == -EINVAL)
        return tk_cmd_usage(report->cmd, "%s", err->msg);
    int status = tk_cmd_fail(report->cmd, err);
    if (verb->run != tk_report_gate || opened)
        return status;
    if (tk_env_find("GITHUB_ACTIONS"))
        (void)printf("::warning::gate not judged: %s\n", err->msg);
    return tk_env_find("CI") || tk_env_find("GITHUB_ACTIONS") ? TK_EXIT_OK : STORE_UNREACHABLE;
}

static int report_run(struct tk_report *report, const struct verb *verb, struct tk_err *err)
{
    const struct tk_archive_options where = {
        .folder = tk_env_find("TELEMETRY_DIR"),
        .store = report->opts->store,
        .most = most_of(report, verb),
        .open_only = verb->store == STORE_ITSELF,
        .need_store = verb->store == STORE_NEEDED,
    };
    TK_CLEANUP(tk_buf_release) struct tk_buf rules = {0};
    int rc = report->opts->rules ? rules_read(report->opts->rules, &rules, &report->rules, err) : 0;
    rc = rc < 0 ? rc : tk_archive_open(&where, &report->archive, err);
    if (rc == 0) {
        rc = verb->run(report, err);
        warn_of_what_is_left_out(report, verb);
    }
    rc = rc < 0 ? rc : tk_buf_check(&report->out, "report", err);
    rc = rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&report->out), "stdout", err);
    free(report->rules);
    return rc;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct tk_report_opts opts = {.confirm = 2, .keep = 200, .days = 180};
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    const struct verb *verb = find_verb(first < argc ? argv[first] : "latest");
    if (!verb)
        return unknown_verb(cmd, argv[first]);
    struct tk_report report = {.cmd = cmd, .opts = &opts, .verb = verb->name};
    for (int i = first + 1; i < argc; i++) {
        size_t place = (size_t)(i - first - 1);
        if (place >= verb->max_args)
            return tk_cmd_usage(cmd, "%s: '%s' is too much", verb->name, argv[i]);
        report.args[place] = argv[i];
    }
    struct tk_err err;
    tk_look_init(&report.look, STDOUT_FILENO);
    tk_buf_init(&report.out, OUT_MAX);
    int rc = report_run(&report, verb, &err);
    int status = rc < 0 ? fail(&report, verb, report.archive, &err) : report.status;
    tk_archive_free(report.archive);
    tk_buf_release(&report.out);
    tk_look_release(&report.look);
    return status;
}

const struct tk_cmd tk_cmd_report = {
    .name = "report",
    .args = "[REPORT] [ARG...]",
    .help = "report what the steps of a build took, what held them up",
    .about = "latest [KIND]        the newest of a kind (build; what no REPORT gives)\n"
             "list                 all builds, newest first\n"
             "show [ID]            everything that is known of one\n"
             "compare [A [B]]      step by step; all builds of a version or branch\n"
             "history [KIND] [N]   the last N builds, and where their level changed\n"
             "watch                the build that runs: its steps, and when it will be done\n"
             "diagnose [ID]        all findings with their evidence\n"
             "gate [ID]            exit status 3 when a budget is broken\n"
             "export FORMAT [ID]   markdown, html, annotations, prometheus, otlp, chrome, csv,\n"
             "                     folded\n"
             "push [FILE]          put the builds of this machine into the store\n"
             "pull DIR             copy the store into a folder\n"
             "prune                delete old builds from the store\n"
             "reindex              make the store's history anew from its documents\n"
             "import-v1 FILE       take a file of the original scripts over\n"
             "\n"
             "ID, A and B are an id, a run number or id, a version, a branch, a file, latest\n"
             "or latest~3. Builds are read from $TELEMETRY_DIR (/tmp/telemetry) and a store.",
    .options = options,
    .verbs = verb_names,
    .mixed = true,
    .run = run,
};
