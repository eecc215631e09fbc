/* SPDX-License-Identifier: Apache-2.0 */
/* Samples over time, of a job by its watcher or of one command by its wrapper, in bounded memory:
 * a curve that is full merges neighbours by fours into two, which keep the lowest and the highest
 * value of each column, so no peak is lost. On disk (`samples` in the folder of the job) a sample
 * is 64 bytes with a CRC-32, written at once. */
#ifndef TK_STEP_CURVE_H
#define TK_STEP_CURVE_H

#include "step/job.h"

enum {
    TK_CURVE_CORES,    /* in use */
    TK_CURVE_MEM_MB,   /* in use */
    TK_CURVE_READ_MBS, /* disks */
    TK_CURVE_WRITE_MBS,
    TK_CURVE_RX_MBS, /* links */
    TK_CURVE_TX_MBS,
    TK_CURVE_PSI_CPU, /* % of the time in which some waited */
    TK_CURVE_PSI_IO,
    TK_CURVE_PSI_MEM,
    TK_CURVE_SHOWN, /* those before stand in the document */
    TK_CURVE_AVAILABLE_MB = TK_CURVE_SHOWN,
    TK_CURVE_LOAD1,
    TK_CURVE_FREE_MB, /* of the file system that is fullest */
    TK_CURVE_COLUMNS,

    TK_CURVE_POINTS = 240,     /* of one step in the document */
    TK_CURVE_SAMPLES = 4096,   /* that a curve holds */
    TK_CURVE_FILE = 256 * 1024 /* bytes of them on disk */
};

#define TK_CURVE_NAME "samples"

/* NaN = not known. */
struct tk_sample {
    int64_t boot_ns; /* end of the interval that it tells of; CLOCK_BOOTTIME */
    float values[TK_CURVE_COLUMNS];
    uint32_t spare;
    uint32_t crc; /* of the bytes before; set by tk_sample_append() */
};

struct tk_curve {
    struct tk_sample *items; /* [TK_CURVE_SAMPLES] once there is one; owned */
    size_t count;
    bool merged; /* neighbours were, since the last tk_curve_write() */
};

/* Accepts a zeroed struct, which is an empty curve. */
void tk_curve_release(struct tk_curve *curve);

/* Add a sample that is later than those in the curve. Returns 0 or -ENOMEM. */
TK_MUST_USE int tk_curve_add(struct tk_curve *curve, const struct tk_sample *sample);

/* Append one sample to the file of a job, or write all of the curve anew. Fail with the kernel's
 * code. */
TK_MUST_USE int tk_sample_append(int job_fd, const struct tk_sample *sample, struct tk_err *err);
TK_MUST_USE int tk_curve_write(int job_fd, struct tk_curve *curve, struct tk_err *err);

/* Read what the file of a job has of after `from_ns` (INT64_MIN = all); samples that do not check
 * are left out. No file is an empty curve. */
TK_MUST_USE int tk_curve_read(int job_fd, int64_t from_ns, struct tk_curve *curve,
                              struct tk_err *err);

/* The samples of a time as the document has them: at most TK_CURVE_POINTS rows of the same
 * distance. `start_time` is the epoch time of `from_ns`. Nothing when there are none. */
void tk_curve_rows(const struct tk_curve *curve, int64_t from_ns, int64_t to_ns, double start_time,
                   struct tk_job_samples *ret, struct tk_arena *arena);

/* Lowest and highest value of a column in that time; NaN when it is not known. */
void tk_curve_range(const struct tk_curve *curve, int column, int64_t from_ns, int64_t to_ns,
                    double *ret_lowest, double *ret_highest);

#endif
