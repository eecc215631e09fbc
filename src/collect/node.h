/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of the node that do not change in a run: CPU, memory, NIC, virtualisation
 * (collect-and-cctf.md section 6). They fill node_meta.json, link_meta.json and nodes.json. */
#ifndef TK_COLLECT_NODE_H
#define TK_COLLECT_NODE_H

#include "base/arena.h"
#include "collect/cgroup_mounts.h"
#include "collect/kernel.h"
#include "table/table.h"

#define TK_NODE_NAME_MAX 65

struct tk_node_options {
    const char *run_id, *node, *stage; /* node NULL = host name */
    const char *iface;                 /* NULL = infer by the route to vm_ip */
    const char *vm_ip;                 /* peer; NULL = none */
    int64_t cpu_freq_mhz;              /* CPU_FREQ_MHZ; 0 = find out */
};

/* What of a machine, as it is seen from here, holds until it boots again; "" = not told. */
struct tk_machine {
    char model[128]; /* of the CPUs */
    char kernel[TK_NODE_NAME_MAX], arch[TK_NODE_NAME_MAX];
    char virt[32]; /* "none", a hypervisor or a container */
};
void tk_machine_read(const struct tk_kernel *kernel, struct tk_machine *ret_machine);

/* CPUs that this process may run on; of a root that is not live those that are online. 0 = not
 * told. */
int64_t tk_node_cores(const struct tk_kernel *kernel);

/* Of our own control group and those above it: the tightest limits. 0 cores and -1 bytes = none. */
void tk_cgroup_own_limits(const struct tk_kernel *kernel, const struct tk_cgroup_mounts *mounts,
                          double *ret_cores, int64_t *ret_bytes);

/* Host name of the kernel at hand, "localhost" when it has none. */
void tk_node_host_name(const struct tk_kernel *kernel, char ret_name[TK_NODE_NAME_MAX]);

/* The NIC of a run: `given` unless that is NULL or "", else the device of the route to `vm_ip` when
 * that is a peer on another machine, else of the default route, else "lo". A name in `vm_ip` asks
 * the resolver. */
void tk_node_iface(const char *given, const char *vm_ip, char ret_iface[TK_NODE_NAME_MAX]);

/* Append one row to a batch of tk_schema_node_meta: all fields of CCTF 1 and 2; what this kernel
 * does not tell is absent. Takes about 10 ms when the CPU frequency has to be measured. */
TK_MUST_USE int tk_node_read(const struct tk_kernel *kernel, const struct tk_node_options *options,
                             struct tk_batch *node_meta, struct tk_err *err);

/* Append one row to a batch of tk_schema_link_meta: speed from /sys, and unless `vm_ip` is NULL,
 * "", loopback or unknown, the delay by 20 ICMP probes (takes 0.5 s, up to 1.5 s when some are
 * lost; a name also as long as the resolver). Without any answer the delay is null. */
TK_MUST_USE int tk_link_read(const struct tk_kernel *kernel, const char *iface, const char *vm_ip,
                             struct tk_batch *link_meta, struct tk_err *err);

#endif
