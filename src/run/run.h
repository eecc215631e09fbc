/* SPDX-License-Identifier: Apache-2.0 */
/* The run folder: where it is, who owns it, its tables and how they are written and read
 * (collect-and-cctf.md sections 2, 10, 11).
 *
 *   schemas.h  every table of a run, as const tables
 *   rows.h     rows on their way from a source to a sink
 *   run.h      this page: names, folders, writing and reading table files
 *   recording.h  the tables of a run in one compact file
 *   parse.h    run folder to cctf/
 *   rawlog.h   logs of mpstat, vmstat and ifstat to rows
 *   import.h   old run folders to run folders of today
 *   verify.h   check a run
 *   summary.h  what happened in a run, in figures
 */
#ifndef TK_RUN_RUN_H
#define TK_RUN_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file_digest.h"
#include "run/rows.h"
#include "run/schemas.h"

/* Names ----------------------------------------------------------------------- */

#define TK_RUN_ID_MAX 128

/* [A-Za-z0-9._()-]+, neither "." nor "..", shorter than TK_RUN_ID_MAX. */
bool tk_run_id_ok(tk_str id);

/* events.NAME.jsonl, where NAME is not empty: raw events of one program or process. */
bool tk_run_is_events_file(tk_str name);

/* Order of node folders of one run, as RUN(c0), RUN(c1), RUN(c10), RUN: by run, then the number in
 * parentheses, without number last, then by name. As strcmp. */
int tk_run_id_cmp(tk_str a, tk_str b);

/* The value of NAME in the text of a run_id.env: lines `NAME=value`, also quoted or after `export`,
 * `#` comments; the last one counts. A view of `text`. */
bool tk_run_env_find(tk_str text, tk_str name, tk_str *ret_value);

/* Put the variables of section 3 that run_id.env in the working folder assigns into the
 * environment, unless they are there already. No file is fine. To be called before the options are
 * parsed; not thread-safe. */
TK_MUST_USE int tk_run_env_load(struct tk_err *err);

/* RUN_ID by section 2: `given`, else $RUN_ID, else run_id.env in the working folder, else the time
 * now (`for_parse` false) or the last folder of logs/ (true). NULL or "" = not given. */
TK_MUST_USE int tk_run_id_resolve(const char *given, bool for_parse, char ret_id[TK_RUN_ID_MAX],
                                  struct tk_err *err);

/* The folder that a user means: an existing folder as it stands (without slashes at its end), else
 * logs/NAME; NULL or "" is the run that parse takes. -ENOENT when there is none. */
TK_MUST_USE int tk_run_path_resolve(const char *given, char *ret_path, size_t cap,
                                    struct tk_err *err);

/* Make the folder of a run and its missing parents. Started through sudo, the new ones belong to
 * the calling user. */
TK_MUST_USE int tk_run_folder_make(const char *path, struct tk_err *err);

/* Take back what we made: remove all that a folder below `dirfd` holds, files and folders. */
void tk_run_folder_clear(int dirfd, const char *path);

/* Single-object files (node_meta.json, link_meta.json, run.json) ---------------- */

/* Write the only row of `batch` as NAME in the folder, whole and durably. */
TK_MUST_USE int tk_object_write(int dirfd, const char *name, const struct tk_batch *batch,
                                struct tk_err *err);

/* Likewise without waiting for the disk: for a file that is rewritten again and again. Readers see
 * the old or the new content; after a power failure either may be lost. */
TK_MUST_USE int tk_object_refresh(int dirfd, const char *name, const struct tk_batch *batch,
                                  struct tk_err *err);

/* Read NAME into a new batch of one row. -ENOENT when the file is missing. */
TK_MUST_USE int tk_object_read(int dirfd, const char *name, const struct tk_schema *schema,
                               struct tk_batch **ret_batch, struct tk_err *err);

/* Read NAME, an array of objects such as nodes.json, into a new batch: at most 10,000. -ENOENT when
 * the file is missing, -EBADMSG at the first element that is none. */
TK_MUST_USE int tk_objects_read(int dirfd, const char *name, const struct tk_schema *schema,
                                struct tk_batch **ret_batch, struct tk_err *err);

/* Writing ----------------------------------------------------------------------- */

/* Appends rows to the table files of a folder: encodes into a buffer per table and writes with
 * O_APPEND, one write of whole lines. Files are 0644 subject to umask; when root writes into a
 * folder of another user, they get the owner of the folder. Writers of several processes may append
 * to one file: each holds an exclusive flock(2) on it while it writes. */
struct tk_run_writer;

/* Opens the folder; files are made with their first row. A torn last line that a writer left which
 * was killed is cut off and counted, by the next write of any other. */
TK_MUST_USE int tk_run_writer_new(const char *folder, struct tk_run_writer **ret_writer,
                                  struct tk_err *err);

/* Give the file of a table another name than tk_tables has, before its first row: for invocations
 * "events.PROGRAM.jsonl". */
TK_MUST_USE int tk_run_writer_set_name(struct tk_run_writer *writer, enum tk_table table,
                                       const char *name, struct tk_err *err);

/* The sink to give to tk_rows_new(): keeps rows in memory until tk_run_writer_flush(), or until
 * 64 KiB of one table wait, which are then written as if flushed. */
struct tk_sink tk_run_writer_sink(struct tk_run_writer *writer);

/* Write what is buffered. On failure (-ENOSPC, -EIO, -ESTALE, ...) the file is cut back to whole
 * lines, what could not be written is dropped and counted, and the next call tries again. A file
 * that was removed is made again; when the folder is gone, that is a failure (-ENOENT). `err` has
 * the first failure of the call, all other tables are written nevertheless. */
TK_MUST_USE int tk_run_writer_flush(struct tk_run_writer *writer, struct tk_err *err);

/* Write rows that were encoded elsewhere: whole lines, `rows` of them, as tk_run_writer_flush()
 * writes what is buffered, of which there must be nothing. `lines` is empty afterwards and keeps
 * its memory. */
TK_MUST_USE int tk_run_writer_write(struct tk_run_writer *writer, enum tk_table table,
                                    struct tk_buf *lines, int64_t rows, struct tk_err *err);

/* Append to the recording (recording.h): whole frames, with so many rows in their blocks; it is
 * made when it is missing. On failure as tk_run_writer_flush(): the file is cut back to whole
 * frames, all others are dropped and their rows counted. `frames` is empty afterwards and keeps its
 * memory. */
TK_MUST_USE int tk_run_writer_write_frames(struct tk_run_writer *writer, struct tk_buf *frames,
                                           int64_t rows, struct tk_err *err);

/* Flush and fsync every file; the recording gets its index. */
TK_MUST_USE int tk_run_writer_sync(struct tk_run_writer *writer, struct tk_err *err);

struct tk_run_writer_stats {
    int64_t rows[TK_TABLE_COUNT]; /* written */
    int64_t bytes;
    int64_t dropped_rows; /* lost by failed writes */
    int64_t torn_lines;   /* or blocks, cut off when a file was opened */
};
void tk_run_writer_read_stats(const struct tk_run_writer *writer,
                              struct tk_run_writer_stats *ret_stats);

/* The folder's descriptor, borrowed. */
int tk_run_writer_dirfd(const struct tk_run_writer *writer);

/* Does not flush. Accepts NULL. */
void tk_run_writer_free(struct tk_run_writer *writer);

/* Reading ----------------------------------------------------------------------- */

/* Reads a table file batch by batch, in bounded memory. */
struct tk_run_reader;

/* Open `name` (such as "resources.jsonl") below `dirfd`; rows of its table that are in the
 * recording there follow those of the file. -ENOENT when neither is there. */
TK_MUST_USE int tk_run_reader_new(int dirfd, const char *name, const struct tk_schema *schema,
                                  struct tk_run_reader **ret_reader, struct tk_err *err);

/* Take the bytes of the file from `digest`, which was opened for the same file to hand them over
 * and outlives the reader. To be called before the first tk_run_reader_next(). */
void tk_run_reader_read_from(struct tk_run_reader *reader, struct tk_file_digest *digest);

/* Open a table wherever it is: in the run folder, in cctf/ below it, or in `dirfd` that is itself a
 * cctf/. `*ret_reader` is NULL when it is nowhere. */
TK_MUST_USE int tk_run_reader_open(int dirfd, enum tk_table table,
                                   struct tk_run_reader **ret_reader, struct tk_err *err);

/* Before the first batch: pass over the blocks of the recording without a row whose stamp is in
 * [from_us, to_us); rows of other times, and all rows of a file, still come. */
TK_MUST_USE int tk_run_reader_set_range(struct tk_run_reader *reader, int64_t from_us,
                                        int64_t to_us, struct tk_err *err);

/* The next rows in `*ret_batch`, borrowed until the next call: 0, or 1 at the end. */
TK_MUST_USE int tk_run_reader_next(struct tk_run_reader *reader, const struct tk_batch **ret_batch,
                                   struct tk_err *err);

/* What was read and skipped so far; borrowed. */
const struct tk_decode_stats *tk_run_reader_stats(const struct tk_run_reader *reader);

/* Accepts NULL. */
void tk_run_reader_free(struct tk_run_reader *reader);

/* Lock -------------------------------------------------------------------------- */

/* collector.pid: one line of JSON {pid, start_ticks, boot_id}, held under an advisory lock while
 * the recorder runs. */
struct tk_run_owner {
    pid_t pid;
    int64_t start_ticks;
    char boot_id[40];
};

/* Start of a live process in ticks since boot: with its pid and the boot id its identity. False
 * when there is no such process. */
bool tk_run_start_ticks(pid_t pid, int64_t *ret_ticks);

/* The identity of the calling process. */
TK_MUST_USE int tk_run_owner_self(struct tk_run_owner *ret_owner, struct tk_err *err);

/* Take the lock and write the file: -EBUSY when a live recorder holds it (its pid is in `err`).
 * The descriptor keeps the lock; closing it gives it back. */
TK_MUST_USE int tk_run_lock(int dirfd, const struct tk_run_owner *owner, int *ret_fd,
                            struct tk_err *err);

/* Remove the file of the lock that *fd has, unless it is another recorder's by now, and give the
 * lock back; *fd is -1 then. Accepts -1. */
void tk_run_unlock(int dirfd, int *fd);

/* Remove the file of a recorder that is gone; one that somebody has locked stays. */
void tk_run_owner_clear(int dirfd);

/* Who records into the folder now: 0; -ENOENT when nobody; -ESRCH when the file is stale (its
 * process is gone or another one). */
TK_MUST_USE int tk_run_owner_read(int dirfd, struct tk_run_owner *ret_owner, struct tk_err *err);

#endif
