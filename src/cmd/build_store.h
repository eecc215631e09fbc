/* SPDX-License-Identifier: Apache-2.0 */
/* Build documents in an object store, in the layout of the original scripts and readable by theirs
 * (build-telemetry.md section 9):
 *
 *     latest/<kind>_<version>.json                   latest of a version
 *     latest/<kind>.json                             latest of all, by time
 *     <version>/<YYYYmmdd_HHMMSS>/<job>_<ts>.json    the document
 *     <version>/<YYYYmmdd_HHMMSS>/packer_steps.txt   of a build by Packer, a line a step
 *     history/<kind>/<ts>_<version>_<run id>.json    at most 2 KiB of it, for series
 *
 * There is no index to lock: many may put at once. One thread at a time. */
#ifndef TK_CMD_BUILD_STORE_H
#define TK_CMD_BUILD_STORE_H

#include "step/job.h"
#include "store/store.h"

/* Most bytes of an object below history/. */
#define TK_HISTORY_MAX 2048

/* Open the store at `address`, or with NULL or "" the one that the environment names
 * (TRACEKIT_STORE, MINIO_*, AWS_*): 1 when it names none. Calls on it end after 30 s, or with
 * `must_be_up`, for those who can do without, as soon as nobody answers. */
TK_MUST_USE int tk_build_store_open(const char *address, bool must_be_up,
                                    struct tk_store **ret_store, struct tk_err *err);

/* Put a document under all its keys. `text` is its file. 1 when the store has it already. */
TK_MUST_USE int tk_build_store_put(struct tk_store *store, const struct tk_job *job, tk_str text,
                                   struct tk_err *err);

/* Put packer_steps.txt of the job's folder, which lies beside the document's `file`, beside the
 * document. A job without one is fine. */
TK_MUST_USE int tk_build_store_put_steps(struct tk_store *store, const struct tk_job *job,
                                         const char *file, struct tk_err *err);

/* Append the object for history/: names, times, CPU time, peaks and outcome, with the key of the
 * whole document. The shortest steps are left out when there are too many for TK_HISTORY_MAX. */
void tk_build_history_format(const struct tk_job *job, tk_str key, struct tk_arena *scratch,
                             struct tk_buf *out);

/* Called for each document of history/, newest first of each kind. `job` and its texts live in the
 * arena. */
struct tk_build_visitor {
    int (*visit)(void *into, const struct tk_job *job, struct tk_err *err);
    void *into;
    size_t bad; /* result: objects that are no documents, and were left out */
};

/* Read the newest `most` of each kind. */
TK_MUST_USE int tk_build_store_read(struct tk_store *store, size_t most, struct tk_arena *arena,
                                    struct tk_build_visitor *visitor, struct tk_err *err);

/* The whole document of one from history/. */
TK_MUST_USE int tk_build_store_load(struct tk_store *store, tk_str key, struct tk_arena *arena,
                                    struct tk_job *ret_job, struct tk_err *err);

/* Delete the builds beyond the newest `keep` of each kind and those that began before `before_s`
 * (epoch), never the newest; with `dry_run` count only. */
struct tk_prune {
    size_t keep;
    double before_s;
    bool dry_run;
    size_t removed, kept; /* results */
};

TK_MUST_USE int tk_build_store_prune(struct tk_store *store, struct tk_arena *arena,
                                     struct tk_prune *prune, struct tk_err *err);

/* Remove uploads of builds that nobody finished in a day; with `dry_run` count them. -EACCES or
 * -EOPNOTSUPP when the store does not let us see them. */
TK_MUST_USE int tk_build_store_sweep(struct tk_store *store, bool dry_run, size_t *ret_count,
                                     struct tk_err *err);

/* Make history/ and latest/ anew from the documents, as those of the original lack them. */
TK_MUST_USE int tk_build_store_reindex(struct tk_store *store, struct tk_arena *arena,
                                       size_t *ret_indexed, size_t *ret_bad, struct tk_err *err);

/* Copy what `to` lacks or has in another size. */
TK_MUST_USE int tk_build_store_mirror(struct tk_store *from, struct tk_store *to,
                                      struct tk_arena *arena, size_t *ret_copied,
                                      struct tk_err *err);

#endif
