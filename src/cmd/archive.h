/* SPDX-License-Identifier: Apache-2.0 */
/* The builds that `tracekit report` tells of: the documents that `step finalize` left in its state
 * folder and, where one is named, those of a store, newest first. What is told of a series is an
 * extract, or lacks samples; tk_archive_find() gives whole documents. Order is always that of time,
 * never of names. One thread at a time. */
#ifndef TK_CMD_ARCHIVE_H
#define TK_CMD_ARCHIVE_H

#include "step/baseline.h"
#include "step/job.h"
#include "store/store.h"

/* Most builds of a store that are looked at, newest first. */
#define TK_ARCHIVE_MAX 2000

struct tk_archive;

struct tk_archive_options {
    const char *folder; /* $TELEMETRY_DIR; NULL or "" = /tmp/telemetry, or /tmp/telemetry-UID where
                           that belongs to somebody else */
    const char *store;  /* address; NULL or "" = as the environment says, which may be none */
    size_t most;        /* of each kind, the newest; 0 = all that may be looked at */
    bool open_only;     /* no builds are read: the caller works on files and store themselves */
    bool need_store;    /* a store that cannot be read is an error even where the folder can be */
};

/* Read the builds. A folder that is missing has none. Files that are no job documents are counted
 * and left out; what is damaged behind the name and start of an old job is not noticed where only
 * new ones are wanted. A build that lies in both counts once. Where the folder could be read, a
 * store that cannot be reached only takes its builds away (tk_archive_unread()); one whose address
 * is wrong fails with -EINVAL. */
TK_MUST_USE int tk_archive_open(const struct tk_archive_options *options,
                                struct tk_archive **ret_archive, struct tk_err *err);

/* Accepts NULL. */
void tk_archive_free(struct tk_archive *archive);

/* For TK_CLEANUP. */
void tk_archive_freep(struct tk_archive **archive);

/* All builds, newest first; they live as long as the archive. */
struct tk_job *tk_archive_jobs(struct tk_archive *archive, size_t *ret_count);

/* Where they come from, for messages, how many files could not be read, and why the first. */
const char *tk_archive_place(const struct tk_archive *archive);
size_t tk_archive_bad(const struct tk_archive *archive, const char **ret_why);

/* Why the store's builds are missing; NULL when they are not. */
const char *tk_archive_unread(const struct tk_archive *archive);

/* The store; NULL when none is named. */
struct tk_store *tk_archive_store(struct tk_archive *archive);

/* Call for each document of the folder with the path and the text of its file, or only for the one
 * at `path` when that is not NULL. */
typedef int (*tk_archive_file_fn)(void *into, const struct tk_job *job, const char *file,
                                  tk_str text, struct tk_err *err);
TK_MUST_USE int tk_archive_each_file(struct tk_archive *archive, const char *path,
                                     tk_archive_file_fn visit, void *into, struct tk_err *err);

/* Memory that lives as long as the archive. */
struct tk_arena *tk_archive_arena(struct tk_archive *archive);

/* Builds that a selector means, newest first: one, or all of a version or branch.
 *
 *     latest, latest~3      of `kind`, and so many before it
 *     build.json            a file
 *     20260124T120000Z-...  id; 42 or 12345678 run number or id
 *     0.10.2                all of a version
 *     main                  all of a branch
 */
#define TK_GROUP_MAX 64

struct tk_group {
    struct tk_job *jobs[TK_GROUP_MAX];
    size_t count;
};

/* Find them. `kind` ("build") holds for latest~N, versions and branches; NULL = any. Fails with
 * -ENOENT and what there is instead. */
TK_MUST_USE int tk_archive_find(struct tk_archive *archive, const char *selector, const char *kind,
                                struct tk_group *ret_group, struct tk_err *err);

/* The builds before `job` of the same kind, newest first, copied into the arena. NULL when there
 * are none. */
const struct tk_job *tk_archive_past(struct tk_archive *archive, const struct tk_job *job,
                                     size_t *ret_count);

/* "20260124T120000Z-7f3a9c"; what takes its place in a file of the original scripts. */
#define TK_JOB_ID_MAX 128
const char *tk_job_id(const struct tk_job *job, char buf[TK_JOB_ID_MAX]);

/* The branch, without refs/heads/; p == NULL when unknown. */
tk_str tk_job_branch(const struct tk_job *job);

/* `status`, or what it must have been in a file of the original scripts: they wrote one only when
 * all went well. */
tk_str tk_job_outcome(const struct tk_job *job);

#endif
