/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/gpu_nvml.h"

#include <stddef.h>

#include "base/library.h"

/* There is no header of NVML in Debian: what is called is as the struct has it. */
#define NEEDED(symbol, field)                                                                      \
    {                                                                                              \
        symbol, offsetof(struct tk_nvml, field), false                                             \
    }
#define OPTIONAL(symbol, field)                                                                    \
    {                                                                                              \
        symbol, offsetof(struct tk_nvml, field), true                                              \
    }

static const struct tk_symbol symbols[] = {
    NEEDED("nvmlInit_v2", init),
    NEEDED("nvmlShutdown", shutdown),
    NEEDED("nvmlDeviceGetCount_v2", count),
    NEEDED("nvmlDeviceGetHandleByIndex_v2", handle),
    OPTIONAL("nvmlDeviceGetName", name),
    OPTIONAL("nvmlDeviceGetUUID", uuid),
    OPTIONAL("nvmlDeviceGetUtilizationRates", utilization),
    OPTIONAL("nvmlDeviceGetMemoryInfo", memory),
    OPTIONAL("nvmlDeviceGetPowerUsage", power),
    OPTIONAL("nvmlDeviceGetTotalEnergyConsumption", energy),
    OPTIONAL("nvmlDeviceGetTemperature", temperature),
    OPTIONAL("nvmlDeviceGetClockInfo", clock),
    OPTIONAL("nvmlDeviceGetEncoderUtilization", encoder),
    OPTIONAL("nvmlDeviceGetDecoderUtilization", decoder),
    OPTIONAL("nvmlDeviceGetComputeRunningProcesses_v3", compute_processes),
    OPTIONAL("nvmlDeviceGetGraphicsRunningProcesses_v3", graphics_processes),
    OPTIONAL("nvmlDeviceGetProcessUtilization", process_utilization),
};

int tk_nvml_load(const char *path, struct tk_nvml *ret, struct tk_err *err)
{
    const struct tk_library library = {path, symbols, TK_COUNTOF(symbols)};
    return tk_library_load(&library, ret, err);
}
