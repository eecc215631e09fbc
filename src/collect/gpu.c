/* SPDX-License-Identifier: Apache-2.0 */
/*     driver thread     calls of the driver -> `reading`, its own --+ copied under the mutex
 *     sampling thread   rows <- `ready`  <---------------------------+
 */
#include "collect/gpu.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "collect/gpu_nvml.h"

#define LIBRARY          "libnvidia-ml.so.1"
#define LEAST_NS         (200 * TK_NS_PER_MS)
#define RETRY_NS         (30 * TK_NS_PER_S) /* a driver that did not start is tried again */
#define END_NS           TK_NS_PER_S
#define DEVICES_MAX      32
#define PROCESSES_MAX    256 /* of all devices */
#define LIST_MAX         64  /* asked of one device at a time */
#define UNKNOWN          (-1)
#define MEMORY_NOT_KNOWN (~0ULL)

/* Values that the driver does not tell are UNKNOWN. */
struct device {
    char name[96], uuid[96];
    int64_t util, memory_util, encoder_util, decoder_util; /* % */
    int64_t used_bytes, total_bytes;
    int64_t power_mw, energy_mj, celsius, sm_mhz, memory_mhz;
};

struct process {
    int64_t pid;
    size_t device;
    int64_t used_bytes;
    int64_t sm_util, memory_util, encoder_util, decoder_util; /* % */
};

struct reading {
    int64_t stamp_ns;
    size_t device_count, process_count;
    struct device devices[DEVICES_MAX];
    struct process processes[PROCESSES_MAX];
};

struct tk_gpu {
    const struct tk_kernel *kernel;
    struct tk_gpu_options options;
    pthread_t thread;
    bool started;

    /* Of the driver thread alone. */
    struct tk_nvml nvml;
    struct reading reading;
    tk_nvml_device handles[DEVICES_MAX];
    unsigned long long seen_us[DEVICES_MAX]; /* newest sample of its processes */

    pthread_mutex_t mutex; /* over all that follows */
    pthread_cond_t wake;
    struct reading ready;
    struct tk_gpu_stats stats;
    bool fresh; /* `ready` was not taken yet */
    bool ending;
    bool ended; /* the thread is past its last call of the driver */
};

/* Calls: in the driver thread -------------------------------------------------------------- */

static bool succeeds(struct tk_gpu *gpu, int code)
{
    if (code == TK_NVML_OK)
        return true;
    (void)pthread_mutex_lock(&gpu->mutex);
    gpu->stats.failed_calls++;
    (void)pthread_mutex_unlock(&gpu->mutex);
    return false;
}

/* Calls that tell one number. */
static void read_numbers(const struct tk_nvml *nvml, tk_nvml_device handle, struct device *device)
{
    unsigned value;
    unsigned period_us;
    unsigned long long energy_mj;
    if (nvml->power && nvml->power(handle, &value) == TK_NVML_OK)
        device->power_mw = value;
    if (nvml->energy && nvml->energy(handle, &energy_mj) == TK_NVML_OK && energy_mj <= INT64_MAX)
        device->energy_mj = (int64_t)energy_mj;
    if (nvml->temperature &&
        nvml->temperature(handle, TK_NVML_TEMPERATURE_GPU, &value) == TK_NVML_OK)
        device->celsius = value;
    if (nvml->clock && nvml->clock(handle, TK_NVML_CLOCK_SM, &value) == TK_NVML_OK)
        device->sm_mhz = value;
    if (nvml->clock && nvml->clock(handle, TK_NVML_CLOCK_MEM, &value) == TK_NVML_OK)
        device->memory_mhz = value;
    if (nvml->encoder && nvml->encoder(handle, &value, &period_us) == TK_NVML_OK)
        device->encoder_util = value;
    if (nvml->decoder && nvml->decoder(handle, &value, &period_us) == TK_NVML_OK)
        device->decoder_util = value;
}

static void read_device(struct tk_gpu *gpu, size_t i)
{
    const struct tk_nvml *nvml = &gpu->nvml;
    struct device *device = &gpu->reading.devices[i];
    struct tk_nvml_utilization utilization;
    struct tk_nvml_memory memory;
    device->util = device->memory_util = device->encoder_util = device->decoder_util = UNKNOWN;
    device->used_bytes = device->total_bytes = UNKNOWN;
    device->power_mw = device->energy_mj = device->celsius = UNKNOWN;
    device->sm_mhz = device->memory_mhz = UNKNOWN;
    if (nvml->utilization && succeeds(gpu, nvml->utilization(gpu->handles[i], &utilization))) {
        device->util = utilization.gpu;
        device->memory_util = utilization.memory;
    }
    if (nvml->memory && succeeds(gpu, nvml->memory(gpu->handles[i], &memory)) &&
        memory.total <= INT64_MAX && memory.used <= INT64_MAX) {
        device->used_bytes = (int64_t)memory.used;
        device->total_bytes = (int64_t)memory.total;
    }
    read_numbers(nvml, gpu->handles[i], device);
}

/* The entry of a process on a device, made when it is new; NULL = there is no room. */
static struct process *process_of(struct reading *reading, size_t device, unsigned pid)
{
    for (size_t i = 0; i < reading->process_count; i++) {
        if (reading->processes[i].pid == pid && reading->processes[i].device == device)
            return &reading->processes[i];
    }
    if (reading->process_count == PROCESSES_MAX)
        return NULL;
    struct process *process = &reading->processes[reading->process_count++];
    *process = (struct process){.pid = pid,
                                .device = device,
                                .used_bytes = UNKNOWN,
                                .sm_util = UNKNOWN,
                                .memory_util = UNKNOWN,
                                .encoder_util = UNKNOWN,
                                .decoder_util = UNKNOWN};
    return process;
}

static void read_processes(struct tk_gpu *gpu, size_t device,
                           int (*list)(tk_nvml_device, unsigned *, struct tk_nvml_process *))
{
    struct tk_nvml_process found[LIST_MAX];
    unsigned n = LIST_MAX;
    if (!list || list(gpu->handles[device], &n, found) != TK_NVML_OK)
        return;
    for (unsigned i = 0; i < n && i < LIST_MAX; i++) {
        struct process *process = process_of(&gpu->reading, device, found[i].pid);
        if (process && found[i].used_bytes != MEMORY_NOT_KNOWN && found[i].used_bytes <= INT64_MAX)
            process->used_bytes = (int64_t)found[i].used_bytes;
    }
}

/* The driver keeps samples of some seconds: the newest of each process counts. */
static void read_samples(struct tk_gpu *gpu, size_t device)
{
    struct tk_nvml_sample samples[LIST_MAX];
    unsigned n = LIST_MAX;
    unsigned long long newest_us = gpu->seen_us[device];
    if (!gpu->nvml.process_utilization ||
        gpu->nvml.process_utilization(gpu->handles[device], samples, &n, newest_us) != TK_NVML_OK)
        return;
    for (unsigned i = 0; i < n && i < LIST_MAX; i++) {
        struct process *process = process_of(&gpu->reading, device, samples[i].pid);
        if (samples[i].stamp_us > gpu->seen_us[device])
            gpu->seen_us[device] = samples[i].stamp_us;
        if (!process || samples[i].stamp_us <= newest_us)
            continue;
        process->sm_util = samples[i].sm;
        process->memory_util = samples[i].memory;
        process->encoder_util = samples[i].encoder;
        process->decoder_util = samples[i].decoder;
    }
}

static void read_all(struct tk_gpu *gpu)
{
    gpu->reading.stamp_ns = tk_clock_mono_ns();
    gpu->reading.process_count = 0;
    for (size_t i = 0; i < gpu->reading.device_count; i++) {
        read_device(gpu, i);
        read_processes(gpu, i, gpu->nvml.compute_processes);
        read_processes(gpu, i, gpu->nvml.graphics_processes);
        read_samples(gpu, i);
    }
}

/* Seconds, where the driver was not loaded before. */
static bool start_driver(struct tk_gpu *gpu)
{
    const struct tk_nvml *nvml = &gpu->nvml;
    unsigned count = 0;
    if (!succeeds(gpu, nvml->init()))
        return false;
    if (!succeeds(gpu, nvml->count(&count)))
        count = 0;
    size_t n = 0;
    for (unsigned i = 0; i < count && n < DEVICES_MAX; i++) {
        struct device *device = &gpu->reading.devices[n];
        if (!succeeds(gpu, nvml->handle(i, &gpu->handles[n])))
            continue;
        if (!nvml->name || nvml->name(gpu->handles[n], device->name, sizeof(device->name)) != 0)
            device->name[0] = '\0';
        if (!nvml->uuid || nvml->uuid(gpu->handles[n], device->uuid, sizeof(device->uuid)) != 0)
            device->uuid[0] = '\0';
        n++;
    }
    gpu->reading.device_count = n;
    return true;
}

/* The thread: the mutex is held but for calls of the driver ------------------------------------ */

static void publish(struct tk_gpu *gpu)
{
    gpu->stats.readings++;
    gpu->stats.overwritten += gpu->fresh;
    gpu->ready = gpu->reading;
    gpu->fresh = true;
}

/* Until a time, or the end. */
static void wait_until(struct tk_gpu *gpu, int64_t mono_ns)
{
    struct timespec at = {mono_ns / TK_NS_PER_S, mono_ns % TK_NS_PER_S};
    int rc = 0;
    while (!gpu->ending && rc == 0)
        rc = pthread_cond_timedwait(&gpu->wake, &gpu->mutex, &at);
}

static bool start_or_wait(struct tk_gpu *gpu)
{
    while (!gpu->ending) {
        (void)pthread_mutex_unlock(&gpu->mutex);
        bool started = start_driver(gpu);
        (void)pthread_mutex_lock(&gpu->mutex);
        if (started)
            return true;
        wait_until(gpu, tk_clock_mono_ns() + RETRY_NS);
    }
    return false;
}

static void *read_until_end(void *context)
{
    struct tk_gpu *gpu = context;
    (void)pthread_mutex_lock(&gpu->mutex);
    bool started = start_or_wait(gpu);
    gpu->stats.devices = started ? (int64_t)gpu->reading.device_count : gpu->stats.devices;
    int64_t next_ns = tk_clock_mono_ns();
    while (!gpu->ending && gpu->stats.devices > 0) {
        (void)pthread_mutex_unlock(&gpu->mutex);
        read_all(gpu);
        (void)pthread_mutex_lock(&gpu->mutex);
        publish(gpu);
        int64_t now_ns = tk_clock_mono_ns();
        next_ns += gpu->options.interval_ns;
        if (next_ns <= now_ns)
            next_ns = now_ns + gpu->options.interval_ns;
        wait_until(gpu, next_ns);
    }
    (void)pthread_mutex_unlock(&gpu->mutex);
    if (started)
        (void)gpu->nvml.shutdown();
    (void)pthread_mutex_lock(&gpu->mutex);
    gpu->ended = true;
    (void)pthread_cond_broadcast(&gpu->wake);
    (void)pthread_mutex_unlock(&gpu->mutex);
    return NULL;
}

/* Rows: in the sampling thread ----------------------------------------------------------------- */

static void set_known(struct tk_batch *row, size_t column, int64_t value)
{
    if (value >= 0)
        tk_batch_set_i64(row, column, value);
}

static void set_text(struct tk_batch *row, size_t column, const char *text)
{
    if (text[0])
        tk_batch_set_text(row, column, tk_str_from(text));
}

static void put_device(const struct tk_gpu *gpu, const struct reading *reading, size_t i,
                       struct tk_rows *rows)
{
    const struct device *device = &reading->devices[i];
    struct tk_batch *row = tk_rows_begin(rows, TK_TABLE_GPU_METRICS);
    int64_t ns = tk_anchor_from_mono(&gpu->kernel->anchor, reading->stamp_ns);
    tk_batch_set_i64(row, TK_GPU_METRICS_TS_MS, ns / TK_NS_PER_MS);
    tk_batch_set_i64(row, TK_GPU_METRICS_TS_US, ns / TK_NS_PER_US);
    tk_batch_set_text(row, TK_GPU_METRICS_NODE, tk_str_from(gpu->options.node));
    tk_batch_set_text(row, TK_GPU_METRICS_HOST, tk_str_from(gpu->options.host));
    tk_batch_set_i64(row, TK_GPU_METRICS_GPU, (int64_t)i);
    set_text(row, TK_GPU_METRICS_UUID, device->uuid);
    set_text(row, TK_GPU_METRICS_NAME, device->name);
    set_known(row, TK_GPU_METRICS_UTIL, device->util);
    set_known(row, TK_GPU_METRICS_MEM_UTIL, device->memory_util);
    set_known(row, TK_GPU_METRICS_ENC_UTIL, device->encoder_util);
    set_known(row, TK_GPU_METRICS_DEC_UTIL, device->decoder_util);
    set_known(row, TK_GPU_METRICS_MEM_USED_BYTES, device->used_bytes);
    set_known(row, TK_GPU_METRICS_MEM_TOTAL_BYTES, device->total_bytes);
    if (device->power_mw >= 0)
        tk_batch_set_f64(row, TK_GPU_METRICS_POWER_W, (double)device->power_mw / 1000);
    set_known(row, TK_GPU_METRICS_ENERGY_MJ, device->energy_mj);
    set_known(row, TK_GPU_METRICS_TEMP_C, device->celsius);
    set_known(row, TK_GPU_METRICS_SM_MHZ, device->sm_mhz);
    set_known(row, TK_GPU_METRICS_MEM_MHZ, device->memory_mhz);
}

static void put_process(const struct tk_gpu *gpu, const struct reading *reading,
                        const struct process *process, struct tk_rows *rows)
{
    struct tk_batch *row = tk_rows_begin(rows, TK_TABLE_GPU_PROC_METRICS);
    int64_t ns = tk_anchor_from_mono(&gpu->kernel->anchor, reading->stamp_ns);
    tk_batch_set_i64(row, TK_GPU_PROC_METRICS_TS_MS, ns / TK_NS_PER_MS);
    tk_batch_set_i64(row, TK_GPU_PROC_METRICS_TS_US, ns / TK_NS_PER_US);
    tk_batch_set_text(row, TK_GPU_PROC_METRICS_NODE, tk_str_from(gpu->options.node));
    tk_batch_set_text(row, TK_GPU_PROC_METRICS_HOST, tk_str_from(gpu->options.host));
    tk_batch_set_i64(row, TK_GPU_PROC_METRICS_GPU, (int64_t)process->device);
    tk_batch_set_i64(row, TK_GPU_PROC_METRICS_PID, process->pid);
    set_known(row, TK_GPU_PROC_METRICS_MEM_USED_BYTES, process->used_bytes);
    set_known(row, TK_GPU_PROC_METRICS_SM_UTIL, process->sm_util);
    set_known(row, TK_GPU_PROC_METRICS_MEM_UTIL, process->memory_util);
    set_known(row, TK_GPU_PROC_METRICS_ENC_UTIL, process->encoder_util);
    set_known(row, TK_GPU_PROC_METRICS_DEC_UTIL, process->decoder_util);
}

void tk_gpu_take(struct tk_gpu *gpu, struct tk_rows *rows)
{
    (void)pthread_mutex_lock(&gpu->mutex);
    const struct reading *reading = &gpu->ready;
    for (size_t i = 0; gpu->fresh && i < reading->device_count; i++)
        put_device(gpu, reading, i, rows);
    for (size_t i = 0; gpu->fresh && i < reading->process_count; i++)
        put_process(gpu, reading, &reading->processes[i], rows);
    gpu->fresh = false;
    (void)pthread_mutex_unlock(&gpu->mutex);
}

void tk_gpu_read_stats(struct tk_gpu *gpu, struct tk_gpu_stats *ret_stats)
{
    (void)pthread_mutex_lock(&gpu->mutex);
    *ret_stats = gpu->stats;
    (void)pthread_mutex_unlock(&gpu->mutex);
}

/* Life ----------------------------------------------------------------------------------------- */

int tk_gpu_new(const struct tk_kernel *kernel, const struct tk_gpu_options *options,
               struct tk_gpu **ret_gpu, struct tk_err *err)
{
    const char *library = options->library ? options->library : LIBRARY;
    struct tk_nvml nvml;
    if (tk_nvml_load(library, &nvml, err) < 0)
        return tk_fail(err, -ENOENT, "%s: not installed", library);
    struct tk_gpu *gpu = calloc(1, sizeof(*gpu));
    if (!gpu)
        return tk_fail(err, -ENOMEM, "GPUs: out of memory");
    gpu->kernel = kernel;
    gpu->options = *options;
    gpu->nvml = nvml;
    gpu->stats.devices = -1;
    if (gpu->options.interval_ns < LEAST_NS)
        gpu->options.interval_ns = LEAST_NS;
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&gpu->mutex, NULL);
    (void)pthread_cond_init(&gpu->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    *ret_gpu = gpu;
    return 0;
}

void tk_gpu_open(struct tk_gpu *gpu)
{
    sigset_t all;
    sigset_t before;
    if (gpu->started)
        return;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    gpu->started = pthread_create(&gpu->thread, NULL, read_until_end, gpu) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* False when the driver does not let it go: what it uses must stay then. */
static bool stop_thread(struct tk_gpu *gpu)
{
    int64_t until_ns = tk_clock_mono_ns() + END_NS;
    struct timespec until = {until_ns / TK_NS_PER_S, until_ns % TK_NS_PER_S};
    int rc = 0;
    (void)pthread_mutex_lock(&gpu->mutex);
    gpu->ending = true;
    (void)pthread_cond_broadcast(&gpu->wake);
    while (!gpu->ended && rc == 0)
        rc = pthread_cond_timedwait(&gpu->wake, &gpu->mutex, &until);
    bool ended = gpu->ended;
    (void)pthread_mutex_unlock(&gpu->mutex);
    (void)(ended ? pthread_join(gpu->thread, NULL) : pthread_detach(gpu->thread));
    return ended;
}

void tk_gpu_free(struct tk_gpu *gpu)
{
    if (!gpu || (gpu->started && !stop_thread(gpu)))
        return;
    (void)pthread_cond_destroy(&gpu->wake);
    (void)pthread_mutex_destroy(&gpu->mutex);
    free(gpu);
}
