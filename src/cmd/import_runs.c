/* SPDX-License-Identifier: Apache-2.0 */
/* Old run folders, and logs of mpstat, vmstat and ifstat, as runs of today. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/human.h"
#include "base/json.h"
#include "cmd/import.h"
#include "cmd/member.h"
#include "cmd/runs.h"
#include "cmd/zone.h"
#include "run/import.h"
#include "run/run.h"

#define MAX_RUNS 1000
#define JSON_MAX ((size_t)1 << 20)

/* One run on its way, and the name and host of its node once it is there. */
struct item {
    const char *from;
    const char *name; /* of its folder */
    const char *node; /* NULL = not imported */
    const char *host;
};

struct job {
    const struct tk_cmd *cmd;
    const struct tk_import_opts *opts;
    struct item items[MAX_RUNS];
    size_t count;
    bool several;         /* each gets a folder below the output */
    struct tk_arena text; /* of the items */
};

/* Which runs ------------------------------------------------------------------------------ */

static const char *keep(struct job *job, const char *text)
{
    return tk_arena_copy(&job->text, (tk_str){text, strlen(text) + 1}).p;
}

static int add_run(struct job *job, const char *from, struct tk_err *err)
{
    char real[PATH_MAX];
    if (job->count == MAX_RUNS)
        return tk_fail(err, -EMSGSIZE, "more than %d runs", MAX_RUNS);
    if (!realpath(from, real))
        return tk_fail_errno(err, "%s", from);
    const char *slash = strrchr(real, '/');
    struct item item = {.from = keep(job, from), .name = keep(job, slash + 1)};
    if (!item.from || !item.name)
        return tk_fail(err, -ENOMEM, "out of memory");
    job->items[job->count++] = item;
    return 0;
}

static int by_run(const struct dirent **a, const struct dirent **b)
{
    return tk_run_id_cmp(tk_str_from((*a)->d_name), tk_str_from((*b)->d_name));
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* A folder that holds runs stands for them. */
static int add_runs_in(struct job *job, const char *folder, struct tk_err *err)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_visible, by_run);
    if (n < 0)
        return tk_fail_errno(err, "%s", folder);
    size_t before = job->count;
    int rc = 0;
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        int length = snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        if (rc == 0 && length < (int)sizeof(path) && tk_import_has_run(path))
            rc = add_run(job, path, err);
        free(entries[i]);
    }
    free(entries);
    if (rc == 0 && job->count == before)
        return tk_fail(err, -ENOENT, "%s: is no old run and holds none", folder);
    job->several = true;
    return rc;
}

static int add_arguments(struct job *job, int argc, char **argv, struct tk_err *err)
{
    TK_CLEANUP(tk_runs_release) struct tk_runs runs = {0};
    int rc = tk_runs_find(&runs, argc, argv, err);
    for (size_t i = 0; i < runs.count && rc == 0; i++) {
        const char *path = runs.paths[i];
        rc = tk_import_has_run(path) ? add_run(job, path, err) : add_runs_in(job, path, err);
    }
    return rc;
}

/* The report ------------------------------------------------------------------------------ */

static const char *const dated_by[] = {
    [TK_RAWLOG_BY_BANNER] = "line 1 of cpu.log",
    [TK_RAWLOG_BY_RUN_ID] = "the name of the run",
    [TK_RAWLOG_BY_MEM_LOG] = "mem.log",
    [TK_RAWLOG_BY_MTIME] = "a guess from when the log was written",
};

static bool has_logs(const struct tk_import_report *report)
{
    for (size_t i = 0; i < TK_RAWLOG_KINDS; i++) {
        if (report->logs[i].present)
            return true;
    }
    return false;
}

static void show_node(const struct tk_import_report *report)
{
    printf("  node    %s%s%s, stage %s", report->node, *report->host ? " on " : "", report->host,
           report->stage);
    if (report->cpu_cores > 0)
        printf(", %lld CPUs", (long long)report->cpu_cores);
    if (report->mem_mb > 0)
        printf(", %lld MiB", (long long)report->mem_mb);
    puts("");
}

static void show_dates(const struct tk_import_report *report)
{
    char first[TK_TIME_MAX];
    char last[TK_TIME_MAX];
    char span[TK_HUMAN_MAX];
    if (report->first_ms == 0)
        return;
    printf(
        "  dates   %s to %s, %s%s%s\n", tk_time_format_iso(report->first_ms * TK_NS_PER_MS, first),
        tk_time_format_iso(report->last_ms * TK_NS_PER_MS, last),
        tk_duration_format((report->last_ms - report->first_ms) * TK_NS_PER_MS, span),
        has_logs(report) ? ", by " : "", has_logs(report) ? dated_by[report->times.reference] : "");
}

static void show_logs(const struct tk_import_report *report)
{
    if (!has_logs(report))
        return;
    printf("  %-8s%10s%8s%8s%8s%8s%8s\n", "logs", "rows", "gaps", "equal", "steps", "n/a", "bad");
    for (size_t i = 0; i < TK_RAWLOG_KINDS; i++) {
        const struct tk_rawlog_stats *stats = &report->logs[i];
        if (!stats->present)
            continue;
        printf("  %-8s%10llu%8llu%8llu%8llu%8llu%8llu\n", tk_rawlog_name((enum tk_rawlog_kind)i),
               (unsigned long long)stats->rows, (unsigned long long)stats->gaps,
               (unsigned long long)stats->equal, (unsigned long long)stats->steps,
               (unsigned long long)stats->no_value,
               (unsigned long long)stats->bad + (unsigned long long)stats->torn);
    }
}

static void show_tables(const struct tk_import_report *report)
{
    const char *before = "  tables  ";
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        if (report->rows[i] == 0)
            continue;
        printf("%s%s %lld", before, tk_tables[i].schema->name, (long long)report->rows[i]);
        before = ", ";
    }
    if (*before == ',')
        puts("");
    if (report->bad_rows > 0)
        printf("  skipped %llu bad rows\n", (unsigned long long)report->bad_rows);
}

static void put_log(struct tk_buf *out, const struct tk_rawlog_stats *stats)
{
    tk_buf_putc(out, '{');
    tk_member_put_i64(out, "rows", (int64_t)stats->rows);
    tk_member_put_i64(out, "first_ms", stats->first_ns / TK_NS_PER_MS);
    tk_member_put_i64(out, "last_ms", stats->last_ns / TK_NS_PER_MS);
    tk_member_put_i64(out, "interval_ms", stats->interval_ns / TK_NS_PER_MS);
    tk_member_put_i64(out, "gaps", (int64_t)stats->gaps);
    tk_member_put_i64(out, "equal_stamps", (int64_t)stats->equal);
    tk_member_put_i64(out, "clock_steps", (int64_t)stats->steps);
    tk_member_put_i64(out, "no_value", (int64_t)stats->no_value);
    tk_member_put_i64(out, "bad_lines", (int64_t)stats->bad);
    tk_member_put_i64(out, "torn_lines", (int64_t)stats->torn);
    tk_buf_putc(out, '}');
}

static void put_report(struct tk_buf *out, const char *from, const char *to,
                       const struct tk_import_report *report)
{
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "from", tk_str_from(from));
    tk_member_put_text(out, "to", tk_str_from(to));
    tk_member_put_text(out, "run_id", tk_str_from(report->run_id));
    tk_member_put_text(out, "node", tk_str_from(report->node));
    tk_member_put_text(out, "stage", tk_str_from(report->stage));
    tk_member_put_text(out, "host", tk_str_from(report->host));
    tk_member_put_i64(out, "first_ms", report->first_ms);
    tk_member_put_i64(out, "last_ms", report->last_ms);
    if (has_logs(report))
        tk_member_put_text(out, "dated_by", tk_str_from(dated_by[report->times.reference]));
    tk_member_open(out, "logs", '{');
    for (size_t i = 0; i < TK_RAWLOG_KINDS; i++) {
        if (!report->logs[i].present)
            continue;
        tk_json_put_key(out, tk_rawlog_name((enum tk_rawlog_kind)i));
        put_log(out, &report->logs[i]);
    }
    tk_buf_putc(out, '}');
    tk_member_open(out, "rows", '{');
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        if (report->rows[i] > 0)
            tk_member_put_i64(out, tk_tables[i].schema->name, report->rows[i]);
    }
    tk_buf_putc(out, '}');
    tk_member_put_i64(out, "bad_rows", (int64_t)report->bad_rows);
    tk_buf_lit(out, "}\n");
}

static int show(const struct job *job, const char *from, const char *to,
                const struct tk_import_report *report, struct tk_err *err)
{
    if (!job->opts->json) {
        printf("%s → %s\n", from, to);
        show_node(report);
        show_dates(report);
        show_logs(report);
        show_tables(report);
        return 0;
    }
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, JSON_MAX);
    put_report(&out, from, to, report);
    int rc = tk_buf_check(&out, "report", err);
    if (rc == 0)
        (void)fwrite(out.p, 1, out.n, stdout);
    return rc;
}

/* The command -------------------------------------------------------------------------------- */

/* Told what was guessed or skipped in the run that `context` names. */
struct telling {
    const struct tk_cmd *cmd;
    const char *from;
};

static void say(void *context, const char *line)
{
    const struct telling *telling = context;
    (void)fprintf(stderr, "tracekit %s: %s: %s\n", telling->cmd->name, telling->from, line);
}

static int target_of(const struct job *job, const struct item *item, char to[PATH_MAX],
                     struct tk_err *err)
{
    const char *output = job->opts->output;
    int n = output && !job->several
                ? snprintf(to, PATH_MAX, "%s", output)
                : snprintf(to, PATH_MAX, "%s/%s", output ? output : "logs", item->name);
    return n < PATH_MAX ? 0 : tk_fail(err, -ENAMETOOLONG, "%s: path too long", item->name);
}

static int import_one(struct job *job, struct item *item, struct tk_err *err)
{
    char to[PATH_MAX];
    int rc = target_of(job, item, to, err);
    if (rc < 0)
        return rc;
    struct telling telling = {job->cmd, item->from};
    struct tk_import_options import = {
        .from = item->from,
        .to = to,
        .node = job->opts->node,
        .stage = job->opts->stage,
        .local_time = job->opts->log_tz != NULL,
        .say = say,
        .context = &telling,
    };
    struct tk_import_report report;
    rc = tk_import(&import, &report, err);
    if (rc == -EEXIST || rc == -EINVAL) {
        struct tk_err why = *err;
        return tk_fail(err, rc, "%.400s; choose another folder with --output", why.msg);
    }
    if (rc < 0)
        return rc;
    item->node = keep(job, report.node);
    item->host = keep(job, report.host);
    return show(job, item->from, to, &report, err);
}

/* Collectors of generation 1 called every node "vm0". */
static void warn_of_equal_nodes(const struct job *job)
{
    for (size_t i = 0; i < job->count; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct item *a = &job->items[j];
            const struct item *b = &job->items[i];
            if (!a->node || !b->node || strcmp(a->node, b->node) != 0 ||
                strcmp(a->host, b->host) == 0)
                continue;
            (void)fprintf(stderr,
                          "tracekit %s: node '%s' is on %s and on %s: nodes are told apart by node "
                          "and host\n",
                          job->cmd->name, a->node, a->host, b->host);
            return;
        }
    }
}

static int import_all(struct job *job, int argc, char **argv)
{
    struct tk_err err;
    int rc = tk_arena_init(&job->text, (size_t)4 * MAX_RUNS * PATH_MAX, &err);
    if (rc == 0)
        rc = add_arguments(job, argc, argv, &err);
    if (rc < 0)
        return tk_cmd_fail(job->cmd, &err);
    job->several |= job->count > 1;
    int status = TK_EXIT_OK;
    for (size_t i = 0; i < job->count; i++) {
        if (import_one(job, &job->items[i], &err) < 0)
            status = tk_cmd_fail(job->cmd, &err);
    }
    warn_of_equal_nodes(job);
    return status;
}

int tk_import_old_runs(const struct tk_cmd *cmd, const struct tk_import_opts *opts, int argc,
                       char **argv)
{
    struct tk_err err;
    if (opts->log_tz && tk_zone_set(opts->log_tz, &err) < 0)
        return tk_cmd_usage(cmd, "option '--log-tz': %s", err.msg);
    struct job *job = calloc(1, sizeof(*job));
    if (!job) {
        tk_fail(&err, -ENOMEM, "out of memory");
        return tk_cmd_fail(cmd, &err);
    }
    job->cmd = cmd;
    job->opts = opts;
    int status = import_all(job, argc, argv);
    tk_arena_release(&job->text);
    free(job);
    return status;
}
