/* SPDX-License-Identifier: Apache-2.0 */
/* GPUs of NVIDIA, by NVML, which is loaded where it is installed (libnvidia-ml.so.1 comes with the
 * driver). A call to the driver may take long or never return, so a thread of its own makes them;
 * what it has read is taken by the sampling thread, which never waits for it. The driver averages
 * utilisation over 1/6 to 1 s: it is asked at most five times a second. */
#ifndef TK_COLLECT_GPU_H
#define TK_COLLECT_GPU_H

#include <stdint.h>

#include "collect/kernel.h"
#include "run/rows.h"

struct tk_gpu;

struct tk_gpu_options {
    const char *node, *host; /* identity of each row; borrowed */
    const char *library;     /* NULL = libnvidia-ml.so.1 */
    int64_t interval_ns;     /* between readings; less than 200 ms counts as that */
};

/* Load the library. -ENOENT when it is not installed, or is none. `kernel` is borrowed. */
TK_MUST_USE int tk_gpu_new(const struct tk_kernel *kernel, const struct tk_gpu_options *options,
                           struct tk_gpu **ret_gpu, struct tk_err *err);

/* Start the thread, unless it runs; it inherits the privileges that the caller has now. */
void tk_gpu_open(struct tk_gpu *gpu);

/* Append the rows of the last reading, if there is a new one: gpu_metrics per device,
 * gpu_proc_metrics per process on it. */
void tk_gpu_take(struct tk_gpu *gpu, struct tk_rows *rows);

/* Readings that nobody took before the next one, and calls that failed. */
struct tk_gpu_stats {
    int64_t devices; /* -1 = the driver has not answered yet */
    int64_t readings, overwritten, failed_calls;
};
void tk_gpu_read_stats(struct tk_gpu *gpu, struct tk_gpu_stats *ret_stats);

/* Ends the thread; one that the driver does not let go within 1 s is left to itself. Accepts NULL.
 */
void tk_gpu_free(struct tk_gpu *gpu);

#endif
