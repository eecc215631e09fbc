/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of the node that do not change in a run: CPU, memory, NIC, virtualisation
 * (collect-and-cctf.md section 6). They fill node_meta.json, link_meta.json and nodes.json. */
#ifndef TK_COLLECT_NODE_H
#define TK_COLLECT_NODE_H

#include "base/arena.h"
#include "collect/kernel.h"
#include "table/table.h"

struct tk_node_options {
    const char *run_id, *node, *stage; /* node NULL = host name */
    const char *iface;                 /* NULL = infer by the route to vm_ip */
    const char *vm_ip;                 /* peer; NULL = none */
    int64_t cpu_freq_mhz;              /* CPU_FREQ_MHZ; 0 = find out */
};

/* Append one row to a batch of tk_schema_node_meta: all fields of CCTF 1 and 2. */
TK_MUST_USE int tk_node_read(const struct tk_kernel *kernel, const struct tk_node_options *options,
                             struct tk_batch *node_meta, struct tk_err *err);

/* Append one row to a batch of tk_schema_link_meta: speed from /sys, and unless the target is
 * loopback or absent, the delay by ICMP probes (takes up to 2 s). */
TK_MUST_USE int tk_link_read(const struct tk_kernel *kernel, const char *iface, const char *vm_ip,
                             struct tk_batch *link_meta, struct tk_err *err);

#endif
