/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of a build: what each took and what held it up (build-telemetry.md). A job is a folder of
 * records that any number of processes append to; its document is computed from them at the end.
 *
 *     session.h   what a shell or wrapper does: begin a job, start and end steps, finalise
 *     exec.h      a command as a step, run as if we were not there
 *     ingest.h    steps out of the log of a Packer build; marked.h lines of a virtual machine
 *       |
 *     state.h     where jobs are: $TELEMETRY_DIR
 *     journal.h   the records of a job, record.h one of them; recover.h what was left behind
 *     journal_text.h  as much of the journal as one needs; crc.h before lines that are kept
 *     machine.h   facts that hold until the machine boots again
 *     watch.h     a process that samples meanwhile, into curve.h; tree.h who ran below a step
 *     ending.h    how a process ended that is not our child
 *       |
 *     measure.h   counters to figures
 *     job.h       the document of the job
 *     diagnosis.h what held a step up; baseline.h and statistics.h whether it became slower
 *
 * Trouble of ours never fails a build. Nothing here knows where documents are kept (src/store). */
#ifndef TK_STEP_STEP_H
#define TK_STEP_STEP_H

#include "step/exec.h"
#include "step/job.h"
#include "step/session.h"

#endif
