/* SPDX-License-Identifier: Apache-2.0 */
/* A library of NVIDIA's driver for hosts without a GPU: two devices with fixed figures, of which
 * the second tells little. FAKE_NVML says what goes wrong: "nodriver" (it does not start), "hang"
 * (a call never returns). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOT_SUPPORTED  3
#define DRIVER_MISSING 9

struct device {
    unsigned index;
};

struct process {
    unsigned pid;
    unsigned long long used;
    unsigned gpu_instance, compute_instance;
};

struct sample {
    unsigned pid;
    unsigned long long stamp_us;
    unsigned sm, memory, encoder, decoder;
};

static struct device devices[] = {{0}, {1}};

static int is_mode(const char *mode)
{
    const char *wanted = getenv("FAKE_NVML");
    return wanted && strcmp(wanted, mode) == 0;
}

int nvmlInit_v2(void);
int nvmlInit_v2(void)
{
    return is_mode("nodriver") ? DRIVER_MISSING : 0;
}

int nvmlShutdown(void);
int nvmlShutdown(void)
{
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count);
int nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = 2;
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct device **device);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct device **device)
{
    *device = &devices[index];
    return 0;
}

int nvmlDeviceGetName(struct device *device, char *name, unsigned cap);
int nvmlDeviceGetName(struct device *device, char *name, unsigned cap)
{
    (void)snprintf(name, cap, "Fake %u", device->index);
    return 0;
}

int nvmlDeviceGetUUID(struct device *device, char *uuid, unsigned cap);
int nvmlDeviceGetUUID(struct device *device, char *uuid, unsigned cap)
{
    (void)snprintf(uuid, cap, "GPU-0000-%u", device->index);
    return 0;
}

int nvmlDeviceGetUtilizationRates(struct device *device, unsigned rates[2]);
int nvmlDeviceGetUtilizationRates(struct device *device, unsigned rates[2])
{
    while (is_mode("hang"))
        (void)sleep(60);
    if (device->index == 1)
        return NOT_SUPPORTED;
    rates[0] = 73;
    rates[1] = 21;
    return 0;
}

int nvmlDeviceGetMemoryInfo(struct device *device, unsigned long long memory[3]);
int nvmlDeviceGetMemoryInfo(struct device *device, unsigned long long memory[3])
{
    memory[0] = 16ULL << 30;
    memory[2] = (device->index + 1ULL) << 30;
    memory[1] = memory[0] - memory[2];
    return 0;
}

int nvmlDeviceGetPowerUsage(struct device *device, unsigned *milliwatts);
int nvmlDeviceGetPowerUsage(struct device *device, unsigned *milliwatts)
{
    *milliwatts = 70125;
    return device->index == 1 ? NOT_SUPPORTED : 0;
}

int nvmlDeviceGetTemperature(struct device *device, int sensor, unsigned *celsius);
int nvmlDeviceGetTemperature(struct device *device, int sensor, unsigned *celsius)
{
    (void)device;
    *celsius = 55;
    return sensor == 0 ? 0 : NOT_SUPPORTED;
}

int nvmlDeviceGetClockInfo(struct device *device, int which, unsigned *mhz);
int nvmlDeviceGetClockInfo(struct device *device, int which, unsigned *mhz)
{
    (void)device;
    *mhz = which == 1 ? 1410 : 5001;
    return 0;
}

int nvmlDeviceGetComputeRunningProcesses_v3(struct device *device, unsigned *count,
                                            struct process *found);
int nvmlDeviceGetComputeRunningProcesses_v3(struct device *device, unsigned *count,
                                            struct process *found)
{
    *count = device->index == 0 ? 2 : 0;
    if (device->index == 0) {
        found[0] = (struct process){.pid = 4242, .used = 3ULL << 20};
        found[1] = (struct process){.pid = 4243, .used = ~0ULL}; /* may not be told */
    }
    return 0;
}

int nvmlDeviceGetProcessUtilization(struct device *device, struct sample *samples, unsigned *count,
                                    unsigned long long since_us);
int nvmlDeviceGetProcessUtilization(struct device *device, struct sample *samples, unsigned *count,
                                    unsigned long long since_us)
{
    if (device->index == 1)
        return NOT_SUPPORTED;
    samples[0] = (struct sample){4242, since_us + 1, 60, 20, 0, 0};
    samples[1] = (struct sample){4242, since_us + 2, 70, 22, 1, 2};
    *count = 2;
    return 0;
}
