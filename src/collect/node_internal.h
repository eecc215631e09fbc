/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the facts of a node. */
#ifndef TK_COLLECT_NODE_INTERNAL_H
#define TK_COLLECT_NODE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "collect/kernel.h"

/* node_cpu.c: what the CPUs are. */
struct tk_cpu_facts {
    char model[128]; /* "" = unknown */
    int64_t cores;   /* in the affinity mask; without a live kernel those that are online */
    int64_t sockets, threads_per_core; /* 0 = unknown */
    int64_t freq_mhz;                  /* 0 = unknown */
    const char *freq_source; /* "CPU_FREQ_MHZ", "base_frequency", "cpuinfo_max_freq", "model_name",
                                "measured", "cpuinfo", "unknown" */
    int64_t freq_min_mhz, freq_base_mhz, freq_max_mhz; /* 0 = unknown */
    bool has_flags;                                    /* x86: the next two are known */
    bool tsc_invariant;
    bool hypervisor;
};
void tk_cpu_facts_read(const struct tk_kernel *kernel, int64_t given_mhz,
                       struct tk_cpu_facts *ret_facts);

/* "Intel(R) Xeon(R) CPU E5-2670 v3 @ 2.30GHz": 2300; 0 when the name tells none. */
int64_t tk_cpu_model_mhz(tk_str model);

/* How many CPUs "0-3,8" lists; 0 when it does not parse. */
int64_t tk_cpu_list_count(tk_str list);

/* node_virt.c: "none", a hypervisor ("kvm", "vmware", "microsoft", "xen", ...) or a container
 * ("docker", "podman", "lxc", ...), which wins. */
const char *tk_virt_find(const struct tk_kernel *kernel, bool hypervisor);

#endif
