/* SPDX-License-Identifier: Apache-2.0 */
/* Builds to a store and back: push, pull, prune, reindex, import-v1. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/number.h"
#include "cmd/build_store.h"
#include "cmd/member.h"
#include "cmd/report.h"

static int need_store(struct tk_report *report, struct tk_store **ret_store, struct tk_err *err)
{
    *ret_store = tk_archive_store(report->archive);
    if (*ret_store)
        return 0;
    const char *why = tk_archive_unread(report->archive);
    if (why)
        return tk_fail(err, -EIO, "%s", why);
    return tk_fail(err, -EINVAL,
                   "%s: no store is named: --store dir:/path or s3://bucket/prefix, or the "
                   "environment (TRACEKIT_STORE, MINIO_*)",
                   report->verb);
}

/* With --json: what a verb did to which store, an object on a line. The caller puts the members
 * between. */
static void begin_json(struct tk_report *report, const struct tk_store *store)
{
    tk_buf_putc(&report->out, '{');
    tk_member_put_text(&report->out, "store", tk_str_from(tk_store_address(store)));
}

static void put_count(struct tk_report *report, const char *key, size_t count)
{
    tk_member_put_i64(&report->out, key, (int64_t)count);
}

static void end_json(struct tk_report *report)
{
    tk_buf_lit(&report->out, "}\n");
}

static void count_out(struct tk_report *report, const char *what, size_t count)
{
    tk_buf_printf(&report->out, "%s %zu build%s", what, count, count == 1 ? "" : "s");
}

struct pushing {
    struct tk_store *store;
    size_t pushed, there;
};

static int push_document(void *into, const struct tk_job *job, const char *file, tk_str text,
                         struct tk_err *err)
{
    struct pushing *pushing = into;
    int rc = tk_build_store_put(pushing->store, job, text, err);
    pushing->pushed += rc == 0;
    pushing->there += rc == 1;
    return rc == 0 ? tk_build_store_put_steps(pushing->store, job, file, err) : rc < 0 ? rc : 0;
}

static int push(struct tk_report *report, struct tk_err *err)
{
    struct pushing pushing = {0};
    int rc = need_store(report, &pushing.store, err);
    if (rc < 0)
        return rc;
    rc = tk_archive_each_file(report->archive, report->args[0], push_document, &pushing, err);
    if (report->opts->json) {
        begin_json(report, pushing.store);
        put_count(report, "pushed", pushing.pushed);
        put_count(report, "were_there", pushing.there);
        tk_member_put_text(&report->out, "error", tk_str_from(rc < 0 ? err->msg : ""));
        end_json(report);
        return rc;
    }
    count_out(report, "pushed", pushing.pushed);
    tk_buf_printf(&report->out, " to %s, %zu were there\n", tk_store_address(pushing.store),
                  pushing.there);
    return rc;
}

/* A build does not fail because its telemetry could not leave: the files stay where they are. */
int tk_report_push(struct tk_report *report, struct tk_err *err)
{
    int rc = push(report, err);
    bool forgiven = rc < 0 && rc != -EINVAL && getenv("GITHUB_ACTIONS"); /* NOLINT(*-mt-unsafe) */
    if (forgiven && report->opts->json) {
        (void)fprintf(stderr, "::warning::tracekit report push: %s\n", err->msg);
    } else if (forgiven) {
        tk_buf_printf(&report->out, "::warning::tracekit report push: %s\n", err->msg);
    }
    return forgiven ? 0 : rc;
}

int tk_report_pull(struct tk_report *report, struct tk_err *err)
{
    struct tk_store *from;
    struct tk_store *to = NULL;
    size_t copied;
    char address[4096];
    int rc = need_store(report, &from, err);
    if (rc < 0)
        return rc;
    if (!report->args[0])
        return tk_fail(err, -EINVAL, "pull: a folder for the copy is missing");
    (void)snprintf(address, sizeof(address), "dir:%s", report->args[0]);
    rc = tk_store_open(tk_str_from(address), NULL, &to, err);
    if (rc < 0)
        return rc;
    rc = tk_build_store_mirror(from, to, tk_archive_arena(report->archive), &copied, err);
    if (report->opts->json) {
        begin_json(report, from);
        put_count(report, "copied_objects", copied);
        tk_member_put_text(&report->out, "to", tk_str_from(address));
        end_json(report);
    } else {
        tk_buf_printf(&report->out, "copied %zu objects to %s\n", copied, address);
    }
    tk_store_close(to);
    return rc;
}

/* What writers that died left in the store. */
struct leftovers {
    size_t count;         /* that were removed, or would be */
    struct tk_err unseen; /* why the store does not show them; "" = it does */
};

/* Keys for objects alone are good enough to prune. */
static int sweep(struct tk_store *store, bool dry_run, struct leftovers *left, struct tk_err *err)
{
    int rc = tk_build_store_sweep(store, dry_run, &left->count, err);
    if (rc != -EACCES && rc != -EOPNOTSUPP)
        return rc;
    left->unseen = *err;
    return 0;
}

static void put_leftovers(struct tk_buf *out, const struct leftovers *left)
{
    if (left->count > 0) {
        tk_buf_printf(out, " and %zu unfinished upload%s", left->count,
                      left->count == 1 ? "" : "s");
    }
}

int tk_report_prune(struct tk_report *report, struct tk_err *err)
{
    struct tk_store *store;
    int rc = need_store(report, &store, err);
    if (rc < 0)
        return rc;
    enum { DAY_S = 86400 };
    double now_s = (double)tk_clock_real_ns() / 1e9;
    struct tk_prune prune = {
        .keep = (size_t)report->opts->keep,
        .before_s = now_s - (double)(report->opts->days * DAY_S),
        .dry_run = report->opts->dry_run,
    };
    rc = tk_build_store_prune(store, tk_archive_arena(report->archive), &prune, err);
    struct leftovers left = {0};
    rc = rc < 0 ? rc : sweep(store, prune.dry_run, &left, err);
    if (report->opts->json) {
        begin_json(report, store);
        tk_member_put_bool(&report->out, "dry_run", prune.dry_run);
        put_count(report, "removed", prune.removed);
        put_count(report, "kept", prune.kept);
        put_count(report, "unfinished_removed", left.count);
        tk_member_put_text(&report->out, "unfinished_error", tk_str_from(left.unseen.msg));
        end_json(report);
        return rc;
    }
    count_out(report, prune.dry_run ? "would remove" : "removed", prune.removed);
    put_leftovers(&report->out, &left);
    tk_buf_printf(&report->out, ", %zu stay\n", prune.kept);
    if (*left.unseen.msg) {
        tk_buf_printf(&report->out, "unfinished uploads were not looked for: %s\n",
                      left.unseen.msg);
    }
    return rc;
}

int tk_report_reindex(struct tk_report *report, struct tk_err *err)
{
    struct tk_store *store;
    size_t indexed;
    size_t bad;
    int rc = need_store(report, &store, err);
    if (rc < 0)
        return rc;
    rc = tk_build_store_reindex(store, tk_archive_arena(report->archive), &indexed, &bad, err);
    if (report->opts->json) {
        begin_json(report, store);
        put_count(report, "indexed", indexed);
        put_count(report, "left_out", bad);
        end_json(report);
        return rc;
    }
    count_out(report, "indexed", indexed);
    if (bad)
        tk_buf_printf(&report->out, ", left out %zu that are no job documents", bad);
    tk_buf_putc(&report->out, '\n');
    return rc;
}

/* What every document of ours has and the original's lack: an id that is the same at each import.
 */
static int complete_v1(struct tk_report *report, tk_str text, struct tk_job *job,
                       struct tk_err *err)
{
    enum { DIGITS = 6 };
    char digest[TK_DIGEST_MAX];
    char start[TK_JOB_ID_MAX];
    char id[TK_JOB_ID_MAX + DIGITS + 2];
    if (!tk_job_is_v1(job)) {
        return tk_fail(err, -EBADMSG, "%s is no file of the original scripts: its schema is %.*s",
                       report->args[0], TK_STR_ARG(job->schema));
    }
    int rc = tk_digest_text(text, digest, err);
    if (rc < 0)
        return rc;
    (void)snprintf(id, sizeof(id), "%s-%.6s", tk_job_id(job, start), digest);
    job->id = tk_arena_copy(tk_archive_arena(report->archive), tk_str_from(id));
    job->status = TK_STR(TK_JOB_SUCCESS);
    return job->id.p ? 0 : tk_fail(err, -EMSGSIZE, "more builds than fit into memory");
}

/* With --json: where a file of the original is now. */
static void put_imported(struct tk_report *report, const struct tk_job *job, const char *to)
{
    char id[TK_JOB_ID_MAX];
    tk_buf_putc(&report->out, '{');
    tk_member_put_text(&report->out, "imported", tk_str_from(report->args[0]));
    tk_member_put_text(&report->out, "to", tk_str_from(to));
    tk_member_put_text(&report->out, "id", tk_str_from(tk_job_id(job, id)));
    end_json(report);
}

/* Beside the builds of this machine, under the name that finalize would give it. */
static int write_document(struct tk_report *report, const struct tk_job *job, tk_str text,
                          struct tk_err *err)
{
    char path[4096];
    char job_name[TK_CLEAN_MAX];
    struct tk_civil at = tk_civil_from_s((int64_t)job->job_start);
    (void)tk_clean(report, job->job, 40, job_name);
    for (char *c = job_name; *c; c++) {
        if (*c == '/' || *c == ' ')
            *c = '_';
    }
    (void)snprintf(path, sizeof(path), "%s/%s_%04d%02d%02d_%02d%02d%02d.json",
                   tk_archive_place(report->archive), job_name, at.year, at.month, at.day, at.hour,
                   at.minute, at.second);
    int rc = tk_dir_make(AT_FDCWD, tk_archive_place(report->archive), err);
    rc = rc < 0 ? rc : tk_file_write(AT_FDCWD, path, text, 0600, err);
    if (rc == 0 && report->opts->json) {
        put_imported(report, job, path);
    } else if (rc == 0) {
        tk_buf_printf(&report->out, "imported %s\n", path);
    }
    return rc;
}

int tk_report_import(struct tk_report *report, struct tk_err *err)
{
    struct tk_group group;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TK_JOB_TEXT_MAX);
    if (!report->args[0])
        return tk_fail(err, -EINVAL, "import-v1: a file is missing");
    int rc = tk_file_load(AT_FDCWD, report->args[0], &text, err);
    rc = rc < 0 ? rc : tk_archive_find(report->archive, report->args[0], NULL, &group, err);
    rc = rc < 0 ? rc : complete_v1(report, tk_buf_str(&text), group.jobs[0], err);
    if (rc < 0)
        return rc;
    tk_buf_reset(&text);
    tk_job_format(group.jobs[0], TK_SHORTEST, &text);
    rc = tk_buf_check(&text, "document", err);
    struct tk_store *store = tk_archive_store(report->archive);
    if (rc < 0 || !store)
        return rc < 0 ? rc : write_document(report, group.jobs[0], tk_buf_str(&text), err);
    rc = tk_build_store_put(store, group.jobs[0], tk_buf_str(&text), err);
    if (rc >= 0 && report->opts->json) {
        put_imported(report, group.jobs[0], tk_store_address(store));
    } else if (rc >= 0) {
        tk_buf_printf(&report->out, "imported %s to %s\n", report->args[0],
                      tk_store_address(store));
    }
    return rc < 0 ? rc : 0;
}
