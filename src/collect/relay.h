/* SPDX-License-Identifier: Apache-2.0 */
/* Rows on their way to the disk in a thread of their own. A write can take seconds (a full journal,
 * a frozen or remote file system), and just then readings are wanted: the sampling thread encodes
 * rows, hands them over and never waits for the disk. What comes while the disk does not take it is
 * kept, up to 8 MiB per table, then dropped and counted.
 *
 *     sampling thread   rows -> encoder -> what waits, per table --+
 *                                                                  | buffers are swapped
 *     writing thread    file <- tk_run_writer_write() <- what leaves
 *
 * In compact runs there is one buffer of blocks for all tables (table/recording.h), which fills
 * when blocks are closed; encoding and compressing them is done in the sampling thread, too.
 *
 * An emptied buffer goes back when nothing has come meanwhile, so that a disk that keeps up costs
 * the memory of one buffer per table.
 *
 * All functions are for one thread, the sampling one. */
#ifndef TK_COLLECT_RELAY_H
#define TK_COLLECT_RELAY_H

#include "run/run.h"

struct tk_relay;

/* Until tk_relay_open() the caller writes. `writer` is borrowed for the relay's life; others may
 * use it only while nothing waits or is being written: after tk_relay_write(), until the next row.
 * Its folder's descriptor may be had at any time. */
TK_MUST_USE int tk_relay_new(struct tk_run_writer *writer, struct tk_relay **ret_relay,
                             struct tk_err *err);

/* Before the first row: write the recording of the folder in place of a file per table. Blocks are
 * closed by the first flush after `window_ns`, which is what a crash may cost. */
TK_MUST_USE int tk_relay_set_compact(struct tk_relay *relay, int64_t window_ns, struct tk_err *err);

/* Start the thread, unless it runs; it inherits the privileges and the CPUs that the caller has
 * now. Where no thread can be had (pids.max), the caller goes on writing: call again to try again.
 */
void tk_relay_open(struct tk_relay *relay);

/* The sink to give to tk_rows_new(). It fails with -EAGAIN when 8 MiB of the table (of a compact
 * run: of all) wait already; the rows are dropped and counted then. */
struct tk_sink tk_relay_sink(struct tk_relay *relay);

/* Have all that has come written (of a compact run: all whole blocks) and, unless NULL, the row of
 * run.json, which the relay owns and frees; a newer row takes the place of one that still waits.
 * Does not wait for the thread: what came of it is told by tk_relay_next_outcome(). */
void tk_relay_flush(struct tk_relay *relay, struct tk_batch *run);

/* Likewise, with blocks that are not full, and wait until it is written, or could not be. */
void tk_relay_write(struct tk_relay *relay);

/* What came of writing since the last call: a failure as of tk_run_writer_flush(), the first of
 * several; then 0 if all was written that came after it; then 1, nothing more. */
TK_MUST_USE int tk_relay_next_outcome(struct tk_relay *relay, struct tk_err *err);

/* Counters of the writer when it had last finished; rows that were dropped here are added. */
void tk_relay_read_stats(struct tk_relay *relay, struct tk_run_writer_stats *ret_stats);

/* System calls that handing over has taken so far. */
int64_t tk_relay_syscalls(const struct tk_relay *relay);

/* As tk_relay_write(), end the thread and free. Accepts NULL. */
void tk_relay_free(struct tk_relay *relay);

#endif
