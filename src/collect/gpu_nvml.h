/* SPDX-License-Identifier: Apache-2.0 */
/* The part of NVML that we call, as its API reference has it (docs.nvidia.com/deploy/nvml-api):
 * types by the numbers that they are. Functions that a driver lacks are NULL. */
#ifndef TK_COLLECT_GPU_NVML_H
#define TK_COLLECT_GPU_NVML_H

#include "base/compiler.h"
#include "base/err.h"

enum {
    TK_NVML_OK = 0,
    TK_NVML_CLOCK_SM = 1,
    TK_NVML_CLOCK_MEM = 2,
    TK_NVML_TEMPERATURE_GPU = 0,
};

typedef struct tk_nvml_handle *tk_nvml_device;

struct tk_nvml_utilization {
    unsigned gpu, memory; /* % */
};

struct tk_nvml_memory {
    unsigned long long total, free, used; /* bytes */
};

/* nvmlProcessInfo_t from version 2 of the calls on. */
struct tk_nvml_process {
    unsigned pid;
    unsigned long long used_bytes; /* all ones = not known */
    unsigned gpu_instance, compute_instance;
};

struct tk_nvml_sample {
    unsigned pid;
    unsigned long long stamp_us;
    unsigned sm, memory, encoder, decoder; /* % */
};

struct tk_nvml {
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *ret);
    int (*handle)(unsigned index, tk_nvml_device *ret);
    int (*name)(tk_nvml_device device, char *ret, unsigned cap);
    int (*uuid)(tk_nvml_device device, char *ret, unsigned cap);
    int (*utilization)(tk_nvml_device device, struct tk_nvml_utilization *ret);
    int (*memory)(tk_nvml_device device, struct tk_nvml_memory *ret);
    int (*power)(tk_nvml_device device, unsigned *ret_mw);
    int (*energy)(tk_nvml_device device, unsigned long long *ret_mj);
    int (*temperature)(tk_nvml_device device, int sensor, unsigned *ret_celsius);
    int (*clock)(tk_nvml_device device, int which, unsigned *ret_mhz);
    int (*encoder)(tk_nvml_device device, unsigned *ret_percent, unsigned *ret_period_us);
    int (*decoder)(tk_nvml_device device, unsigned *ret_percent, unsigned *ret_period_us);
    int (*compute_processes)(tk_nvml_device device, unsigned *count, struct tk_nvml_process *ret);
    int (*graphics_processes)(tk_nvml_device device, unsigned *count, struct tk_nvml_process *ret);
    int (*process_utilization)(tk_nvml_device device, struct tk_nvml_sample *ret, unsigned *count,
                               unsigned long long since_us);
};

/* Load a library and find its functions; it stays until the process ends. -ENOENT when it cannot be
 * loaded, or lacks one of those that nothing works without. */
TK_MUST_USE int tk_nvml_load(const char *path, struct tk_nvml *ret, struct tk_err *err);

#endif
