/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/gpu_nvml.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "base/compiler.h"

#define FUNCTION(field) offsetof(struct tk_nvml, field)

static const struct {
    const char *symbol;
    size_t offset;
    bool needed;
} functions[] = {
    {"nvmlInit_v2", FUNCTION(init), true},
    {"nvmlShutdown", FUNCTION(shutdown), true},
    {"nvmlDeviceGetCount_v2", FUNCTION(count), true},
    {"nvmlDeviceGetHandleByIndex_v2", FUNCTION(handle), true},
    {"nvmlDeviceGetName", FUNCTION(name)},
    {"nvmlDeviceGetUUID", FUNCTION(uuid)},
    {"nvmlDeviceGetUtilizationRates", FUNCTION(utilization)},
    {"nvmlDeviceGetMemoryInfo", FUNCTION(memory)},
    {"nvmlDeviceGetPowerUsage", FUNCTION(power)},
    {"nvmlDeviceGetTotalEnergyConsumption", FUNCTION(energy)},
    {"nvmlDeviceGetTemperature", FUNCTION(temperature)},
    {"nvmlDeviceGetClockInfo", FUNCTION(clock)},
    {"nvmlDeviceGetEncoderUtilization", FUNCTION(encoder)},
    {"nvmlDeviceGetDecoderUtilization", FUNCTION(decoder)},
    {"nvmlDeviceGetComputeRunningProcesses_v3", FUNCTION(compute_processes)},
    {"nvmlDeviceGetGraphicsRunningProcesses_v3", FUNCTION(graphics_processes)},
    {"nvmlDeviceGetProcessUtilization", FUNCTION(process_utilization)},
};

bool tk_nvml_load(const char *path, struct tk_nvml *ret)
{
    *ret = (struct tk_nvml){.library = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
    if (!ret->library)
        return false;
    for (size_t i = 0; i < TK_COUNTOF(functions); i++) {
        void *function = dlsym(ret->library, functions[i].symbol);
        /* POSIX has both kinds of pointers alike, C does not. */
        memcpy((char *)ret + functions[i].offset, &function, sizeof(function));
        if (!function && functions[i].needed) {
            tk_nvml_unload(ret);
            return false;
        }
    }
    return true;
}

void tk_nvml_unload(struct tk_nvml *nvml)
{
    if (nvml->library)
        (void)dlclose(nvml->library);
    *nvml = (struct tk_nvml){.library = NULL};
}
