/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "cmd/build_folder.h"
#include "cmd/build_store.h"
#include "step/recover.h"

#define ARENA_MAX ((size_t)1024 * 1024 * 1024)

/* While they are read: a build and its file in the folder, NULL for one of the store. */
struct build {
    struct tk_job job;
    const char *file;
};

/* Lists are in the arena. */
struct tk_archive {
    struct tk_arena arena;
    struct tk_buf text; /* of the document at hand */
    tk_str last;        /* likewise, once it is read */
    char place[PATH_MAX];
    int fd;                 /* of the folder; -1 = there is none */
    struct tk_store *store; /* NULL: none is named */
    struct build *builds;
    size_t count, room;
    struct tk_job *jobs; /* of the builds, sorted */
    const char **files;  /* of each; NULL = it is whole, or is the store's */
    size_t bad;
    struct tk_err first_bad;
    bool unread; /* the store, for the reason below */
    struct tk_err unread_why;
};

/* One document ------------------------------------------------------------------------ */

static int parsed(int rc, const char *name, struct tk_job *job, struct tk_err *err)
{
    if (rc < 0)
        return tk_err_prefix(err, "%s", name);
    job->key = (tk_str){0}; /* an extract that was copied out of a store is all there is */
    return 0;
}

/* Read a document; its text, archive->last, stays in the arena. */
static int job_read(struct tk_archive *archive, int dirfd, const char *name, struct tk_job *ret_job,
                    struct tk_err *err)
{
    struct tk_buf *buf = &archive->text;
    tk_buf_reset(buf);
    int rc = tk_file_load(dirfd, name, buf, err);
    if (rc < 0)
        return rc;
    archive->last = tk_arena_copy(&archive->arena, tk_buf_str(buf));
    if (!archive->last.p && buf->n > 0)
        return tk_fail(err, -EMSGSIZE, "%s: more builds than fit into memory", name);
    return parsed(tk_job_parse(archive->last, &archive->arena, ret_job, err), name, ret_job, err);
}

/* Likewise without samples and without keeping the text. */
static int job_read_brief(struct tk_archive *archive, const char *name, struct tk_job *ret_job,
                          struct tk_err *err)
{
    struct tk_buf *buf = &archive->text;
    tk_buf_reset(buf);
    int rc = tk_file_load(archive->fd, name, buf, err);
    if (rc < 0)
        return rc;
    rc = tk_job_parse_brief(tk_buf_str(buf), &archive->arena, ret_job, err);
    return parsed(rc, name, ret_job, err);
}

static int full(const struct tk_archive *archive, struct tk_err *err)
{
    return tk_fail(err, -EMSGSIZE, "%s: more builds than fit into memory", archive->place);
}

static int add(struct tk_archive *archive, const struct tk_job *job, const char *file,
               struct tk_err *err)
{
    if (archive->count == archive->room) {
        size_t room = archive->room ? 2 * archive->room : 64;
        struct build *builds = tk_arena_alloc(&archive->arena, room * sizeof(*builds));
        if (!builds)
            return full(archive, err);
        if (archive->count)
            memcpy(builds, archive->builds, archive->count * sizeof(*builds));
        archive->builds = builds;
        archive->room = room;
    }
    archive->builds[archive->count++] = (struct build){*job, file};
    return 0;
}

/* The folder --------------------------------------------------------------------------- */

static void note_bad(struct tk_archive *archive, const struct tk_err *why)
{
    if (archive->bad++ == 0)
        archive->first_bad = *why;
}

/* Documents without their samples: most are looked at only as part of a series. */
static int folder_read(struct tk_archive *archive, size_t most, struct tk_err *err)
{
    struct tk_build_files files;
    int rc = tk_build_folder_list(archive->fd, most, &archive->arena, &files, err);
    for (size_t i = 0; rc == 0 && i < files.count; i++) {
        struct tk_job job;
        struct tk_err why;
        const char *name = files.items[i].name;
        if (job_read_brief(archive, name, &job, &why) < 0) {
            note_bad(archive, &why);
        } else {
            rc = add(archive, &job, name, err);
        }
    }
    return rc < 0 ? tk_err_prefix(err, "%s", archive->place) : 0;
}

static bool is_ours(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (st.st_uid == geteuid() || geteuid() == 0);
}

/* -ENOENT when there is none of ours. */
static int folder_open(struct tk_archive *archive, const char *path, bool must_be_ours)
{
    (void)snprintf(archive->place, sizeof(archive->place), "%s", path);
    TK_CLEANUP(tk_fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) /* others' folders are closed to us */
        return must_be_ours && errno == EACCES ? -ENOENT : -errno;
    if (must_be_ours && !is_ours(fd))
        return -ENOENT;
    archive->fd = tk_fd_take(&fd);
    return 0;
}

/* -ENOENT when there is none. */
static int folder_find(struct tk_archive *archive, const char *folder, struct tk_err *err)
{
    char own[64];
    bool given = folder && *folder;
    int rc = folder_open(archive, given ? folder : "/tmp/telemetry", !given);
    if (rc == -ENOENT && !given) {
        (void)snprintf(own, sizeof(own), "/tmp/telemetry-%u", (unsigned)geteuid());
        rc = folder_open(archive, own, true);
        if (rc == -ENOENT)
            (void)snprintf(archive->place, sizeof(archive->place), "/tmp/telemetry");
    }
    return rc < 0 ? tk_fail_code(err, rc, "%s", archive->place) : 0;
}

/* Start of a job in epoch ms, as precise as an extract in a store tells it; 0 = not known. */
static int64_t start_ms(const struct tk_job *job)
{
    return fabs(job->job_start) < 1e12 ? llround(job->job_start * 1e3) : 0;
}

/* By time of the start, newest first; then by id, so that the order is always the same. */
static int compare_newest(const void *a, const void *b)
{
    const struct build *left = a;
    const struct build *right = b;
    const struct tk_job *x = &left->job;
    const struct tk_job *y = &right->job;
    int64_t start_x = start_ms(x);
    int64_t start_y = start_ms(y);
    if (start_x != start_y)
        return start_x < start_y ? 1 : -1;
    int order = tk_str_cmp(y->id, x->id);
    return order ? order : (x->key.p != NULL) - (y->key.p != NULL); /* the folder's first */
}

/* A build that lies in the folder and in the store, or in the store twice. */
static bool is_same(const struct tk_job *a, const struct tk_job *b)
{
    return a->id.n && tk_str_eq(a->id, b->id) && start_ms(a) == start_ms(b);
}

static int sort(struct tk_archive *archive, struct tk_err *err)
{
    size_t kept = 0;
    archive->jobs = tk_arena_alloc(&archive->arena, (archive->count + 1) * sizeof(struct tk_job));
    archive->files = tk_arena_alloc(&archive->arena, (archive->count + 1) * sizeof(char *));
    if (!archive->jobs || !archive->files)
        return full(archive, err);
    if (archive->count)
        qsort(archive->builds, archive->count, sizeof(*archive->builds), compare_newest);
    for (size_t i = 0; i < archive->count; i++) {
        const struct build *build = &archive->builds[i];
        if (kept > 0 && is_same(&archive->jobs[kept - 1], &build->job))
            continue;
        archive->jobs[kept] = build->job;
        archive->files[kept++] = build->file;
    }
    archive->count = kept;
    return 0;
}

static int add_from_store(void *into, const struct tk_job *job, struct tk_err *err)
{
    return add(into, job, NULL, err);
}

static int store_read(struct tk_archive *archive, const struct tk_archive_options *options,
                      struct tk_err *err)
{
    struct tk_build_visitor visitor = {.visit = add_from_store, .into = archive};
    int rc = tk_build_store_open(options->store, !options->open_only, &archive->store, err);
    if (rc != 0 || options->open_only)
        return rc < 0 ? rc : 0;
    rc = tk_build_store_read(archive->store, options->most ? options->most : TK_ARCHIVE_MAX,
                             &archive->arena, &visitor, err);
    if (visitor.bad && archive->bad == 0) {
        (void)tk_fail(&archive->first_bad, -EBADMSG, "objects of %s below history/",
                      tk_store_address(archive->store));
    }
    archive->bad += visitor.bad;
    return rc;
}

/* What the folder has is worth telling without what the store has, or had told until it failed. */
static int store_add(struct tk_archive *archive, const struct tk_archive_options *options,
                     bool folder_read, struct tk_err *err)
{
    size_t of_folder = archive->count;
    int rc = store_read(archive, options, err);
    if (rc >= 0 || rc == -EINVAL || rc == -EMSGSIZE || options->need_store || !folder_read)
        return rc;
    archive->count = of_folder;
    archive->unread = true;
    archive->unread_why = *err;
    return 0;
}

int tk_archive_open(const struct tk_archive_options *options, struct tk_archive **ret_archive,
                    struct tk_err *err)
{
    struct tk_archive *archive = calloc(1, sizeof(*archive));
    if (!archive)
        return tk_fail(err, -ENOMEM, "archive: out of memory");
    archive->fd = -1;
    tk_buf_init(&archive->text, TK_JOB_TEXT_MAX);
    int rc = tk_arena_init(&archive->arena, ARENA_MAX, err);
    rc = rc < 0 ? rc : folder_find(archive, options->folder, err);
    if (rc == 0)
        (void)tk_jobs_recover(archive->place);
    if (rc == 0 && !options->open_only)
        rc = folder_read(archive, options->most, err);
    if (rc == 0 || rc == -ENOENT)
        rc = store_add(archive, options, rc == 0, err);
    rc = rc < 0 ? rc : sort(archive, err);
    if (rc < 0)
        goto fail;
    *ret_archive = archive;
    return 0;

fail:
    tk_archive_free(archive);
    return rc;
}

struct tk_store *tk_archive_store(struct tk_archive *archive)
{
    return archive->store;
}

/* Each document of the folder, whole. */
static int each_file(struct tk_archive *archive, tk_archive_file_fn visit, void *into,
                     struct tk_err *err)
{
    struct tk_build_files files;
    int rc = tk_build_folder_list(archive->fd, 0, &archive->arena, &files, err);
    archive->bad = 0;
    for (size_t i = 0; rc == 0 && i < files.count; i++) {
        struct tk_job job;
        struct tk_err why;
        char path[PATH_MAX + NAME_MAX + 2];
        (void)snprintf(path, sizeof(path), "%s/%s", archive->place, files.items[i].name);
        if (job_read(archive, archive->fd, files.items[i].name, &job, &why) < 0) {
            note_bad(archive, &why);
        } else {
            rc = visit(into, &job, path, archive->last, err);
        }
    }
    return rc;
}

int tk_archive_each_file(struct tk_archive *archive, const char *path, tk_archive_file_fn visit,
                         void *into, struct tk_err *err)
{
    struct tk_job job;
    if (!path)
        return archive->fd < 0 ? 0 : each_file(archive, visit, into, err);
    int rc = job_read(archive, AT_FDCWD, path, &job, err);
    return rc < 0 ? rc : visit(into, &job, path, archive->last, err);
}

void tk_archive_free(struct tk_archive *archive)
{
    if (!archive)
        return;
    tk_store_close(archive->store);
    tk_fd_close(&archive->fd);
    tk_buf_release(&archive->text);
    tk_arena_release(&archive->arena);
    free(archive);
}

void tk_archive_freep(struct tk_archive **archive)
{
    tk_archive_free(*archive);
}

struct tk_job *tk_archive_jobs(struct tk_archive *archive, size_t *ret_count)
{
    *ret_count = archive->count;
    return archive->jobs;
}

const char *tk_archive_place(const struct tk_archive *archive)
{
    return archive->place;
}

size_t tk_archive_bad(const struct tk_archive *archive, const char **ret_why)
{
    *ret_why = archive->first_bad.msg;
    return archive->bad;
}

const char *tk_archive_unread(const struct tk_archive *archive)
{
    return archive->unread ? archive->unread_why.msg : NULL;
}

struct tk_arena *tk_archive_arena(struct tk_archive *archive)
{
    return &archive->arena;
}

/* What a job is called ------------------------------------------------------------------ */

const char *tk_job_id(const struct tk_job *job, char buf[TK_JOB_ID_MAX])
{
    if (job->id.p && tk_str_to_cstr(job->id, buf, TK_JOB_ID_MAX))
        return buf;
    char time[TK_TIME_MAX] = "-";
    if (isfinite(job->job_start))
        (void)tk_time_format_compact((int64_t)(job->job_start * 1e9), time);
    (void)snprintf(buf, TK_JOB_ID_MAX, "%s", time);
    return buf;
}

tk_str tk_job_branch(const struct tk_job *job)
{
    tk_str branch = job->ci.branch.p ? job->ci.branch : job->git_ref;
    (void)tk_str_take_prefix(&branch, TK_STR("refs/heads/"));
    return branch.n ? branch : (tk_str){0};
}

tk_str tk_job_outcome(const struct tk_job *job)
{
    return job->status.p ? job->status : TK_STR(TK_JOB_SUCCESS);
}

/* Selectors ----------------------------------------------------------------------------- */

static bool is_of_kind(const struct tk_job *job, const char *kind)
{
    return !kind || tk_str_eq(tk_job_kind(job->job), tk_job_kind(tk_str_from(kind)));
}

/* "latest" or "latest~3": the number; -1 when it is neither. */
static int64_t steps_back(const char *selector)
{
    tk_str text = tk_str_from(selector);
    int64_t back = 0;
    if (!tk_str_take_prefix(&text, TK_STR("latest")))
        return -1;
    if (text.n == 0)
        return 0;
    return tk_str_take_prefix(&text, TK_STR("~")) && tk_parse_i64(text, &back) ? back : -1;
}

/* There are builds, but of other kinds: the newest tells of which. */
static int no_kind(const struct tk_archive *archive, const char *kind, struct tk_err *err)
{
    tk_str other = tk_job_kind(archive->jobs[0].job);
    return tk_fail(err, -ENOENT,
                   "no builds of kind %s in %s; the newest is of kind %.*s: tracekit report latest "
                   "%.*s",
                   kind, archive->place, TK_STR_ARG(other), TK_STR_ARG(other));
}

static int find_back(struct tk_archive *archive, int64_t back, const char *kind,
                     struct tk_group *ret_group, struct tk_err *err)
{
    int64_t seen = 0;
    for (size_t i = 0; i < archive->count; i++) {
        if (!is_of_kind(&archive->jobs[i], kind) || seen++ < back)
            continue;
        *ret_group = (struct tk_group){{&archive->jobs[i]}, 1};
        return 0;
    }
    if (archive->count == 0) {
        return tk_fail(err, -ENOENT,
                       "no builds in %s yet: tracekit exec or telemetry_init make some",
                       archive->place);
    }
    if (seen == 0)
        return no_kind(archive, kind, err);
    return tk_fail(err, -ENOENT, "%s holds %lld build%s%s%s: there is no latest~%lld",
                   archive->place, (long long)seen, seen == 1 ? "" : "s", kind ? " of kind " : "",
                   kind ? kind : "", (long long)back);
}

static int find_file(struct tk_archive *archive, const char *path, struct tk_group *ret_group,
                     struct tk_err *err)
{
    struct tk_job *job = tk_arena_alloc(&archive->arena, sizeof(*job));
    if (!job)
        return tk_fail(err, -EMSGSIZE, "%s: more builds than fit into memory", path);
    int rc = job_read(archive, AT_FDCWD, path, job, err);
    if (rc == 0)
        *ret_group = (struct tk_group){{job}, 1};
    return rc;
}

static bool is_id(const struct tk_job *job, tk_str selector)
{
    char id[TK_JOB_ID_MAX];
    return tk_str_eq(tk_str_from(tk_job_id(job, id)), selector);
}

static bool is_run(const struct tk_job *job, tk_str selector)
{
    bool by_id = job->run_id.n && tk_str_eq(job->run_id, selector);
    return (by_id || (job->run_number.n && tk_str_eq(job->run_number, selector))) &&
           !tk_str_eq(selector, TK_STR("0"));
}

static bool is_version(const struct tk_job *job, tk_str selector)
{
    return tk_str_eq(job->version, selector);
}

static bool is_branch(const struct tk_job *job, tk_str selector)
{
    return tk_str_eq(tk_job_branch(job), selector);
}

/* Ways of naming builds, the narrowest first. */
static const struct {
    bool many;     /* all that match, else the newest of them */
    bool any_kind; /* it is unique as it is */
    bool (*matches)(const struct tk_job *job, tk_str selector);
} names[] = {
    {.any_kind = true, .matches = is_id},
    {.any_kind = true, .matches = is_run},
    {.many = true, .matches = is_version},
    {.many = true, .matches = is_branch},
};

static size_t find_named(struct tk_archive *archive, size_t way, tk_str selector, const char *kind,
                         struct tk_group *group)
{
    size_t most = names[way].many ? TK_GROUP_MAX : 1;
    group->count = 0;
    for (size_t i = 0; i < archive->count && group->count < most; i++) {
        struct tk_job *job = &archive->jobs[i];
        if (names[way].matches(job, selector) && (names[way].any_kind || is_of_kind(job, kind)))
            group->jobs[group->count++] = job;
    }
    return group->count;
}

/* What a selector means, as extracts where the store has the documents. */
static int find(struct tk_archive *archive, const char *selector, const char *kind,
                struct tk_group *ret_group, struct tk_err *err)
{
    int64_t back = steps_back(selector);
    if (back >= 0)
        return find_back(archive, back, kind, ret_group, err);
    if (tk_str_ends_with(tk_str_from(selector), TK_STR(".json")) || access(selector, R_OK) == 0)
        return find_file(archive, selector, ret_group, err);
    struct tk_group group;
    for (size_t way = 0; way < TK_COUNTOF(names); way++) {
        if (find_named(archive, way, tk_str_from(selector), kind, &group) == 0)
            continue;
        *ret_group = group;
        return 0;
    }
    return tk_fail(err, -ENOENT,
                   "%s: no build of that id, run, version or branch in %s, and no file (see "
                   "tracekit report list)",
                   selector, archive->place);
}

/* All of a build that was read in part. */
static int complete(struct tk_archive *archive, struct tk_job *job, struct tk_err *err)
{
    if (job->key.n)
        return tk_build_store_load(archive->store, job->key, &archive->arena, job, err);
    if (job < archive->jobs || job >= archive->jobs + archive->count)
        return 0; /* of a file that was named */
    const char **file = &archive->files[job - archive->jobs];
    int rc = *file ? job_read(archive, archive->fd, *file, job, err) : 0;
    if (rc == 0)
        *file = NULL;
    return rc;
}

int tk_archive_find(struct tk_archive *archive, const char *selector, const char *kind,
                    struct tk_group *ret_group, struct tk_err *err)
{
    int rc = find(archive, selector, kind, ret_group, err);
    for (size_t i = 0; rc == 0 && i < ret_group->count; i++)
        rc = complete(archive, ret_group->jobs[i], err);
    return rc;
}

const struct tk_job *tk_archive_past(struct tk_archive *archive, const struct tk_job *job,
                                     size_t *ret_count)
{
    *ret_count = 0;
    struct tk_job *past = tk_arena_alloc(&archive->arena, (archive->count + 1) * sizeof(*past));
    for (size_t i = 0; past && i < archive->count; i++) {
        const struct tk_job *other = &archive->jobs[i];
        bool before = other->job_start < job->job_start;
        if (before && tk_str_eq(tk_job_kind(other->job), tk_job_kind(job->job)))
            past[(*ret_count)++] = *other;
    }
    return *ret_count ? past : NULL;
}
