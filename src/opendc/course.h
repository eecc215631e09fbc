/* SPDX-License-Identifier: Apache-2.0 */
/* The course of a task: its CPU time over its life, from what is known of its process or its tree
 * of processes (opendc.md section 7, steps 1, 4, 5 and 13). One thread at a time. */
#ifndef TK_OPENDC_COURSE_H
#define TK_OPENDC_COURSE_H

#include "opendc/fragments.h"
#include "opendc/series.h"
#include "opendc/workload.h"

/* Memory that is used again for each task. */
struct tk_courses {
    struct tk_workload *workload; /* borrowed; processes get their shared series */
    struct tk_series series;
    int64_t *cuts_us;
    size_t cut_cap;
    struct tk_course course; /* of the last task; borrowed by the caller until the next */
    size_t course_cap;
    int64_t known[TK_KNOWN_NOTHING + 1]; /* tasks by how their CPU time is known */
};

/* No course yet; `workload` stays borrowed. */
void tk_courses_init(struct tk_courses *courses, struct tk_workload *workload);

/* Find the course of a task: courses->course. Sets the task's cpu_ns, known, and rss_kb where its
 * samples tell. Fails with -ENOMEM. */
TK_MUST_USE int tk_courses_find(struct tk_courses *courses, struct tk_task *task,
                                struct tk_err *err);

/* What a series is to cover. */
struct tk_reach {
    int64_t from_us, to_us;
    bool is_own; /* the process was made for one task: what it had used at its first reading is that
                    task's, if it can have been */
};

/* The readings of a process as a series, lengthened at both ends where they do not reach so far. 1
 * when nothing is known. */
TK_MUST_USE int tk_courses_read_process(const struct tk_workload *workload,
                                        const struct tk_process *process,
                                        const struct tk_reach *reach, struct tk_series *ret_series,
                                        struct tk_err *err);

/* For TK_CLEANUP; accepts a zeroed struct. */
void tk_courses_release(struct tk_courses *courses);

#endif
