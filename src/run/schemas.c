/* SPDX-License-Identifier: Apache-2.0 */
#include "run/schemas.h"

const struct tk_table_files tk_tables[TK_TABLE_COUNT] = {
    [TK_TABLE_HOST_METRICS] = {&tk_schema_host_metrics, "resources.jsonl", "host_metrics.jsonl"},
    [TK_TABLE_LINK_METRICS] = {&tk_schema_link_metrics, "links.jsonl", "link_metrics.jsonl"},
    [TK_TABLE_DISK_METRICS] = {&tk_schema_disk_metrics, "disk_metrics.jsonl", "disk_metrics.jsonl"},
    [TK_TABLE_CGROUP_METRICS] = {&tk_schema_cgroup_metrics, "cgroup_metrics.jsonl",
                                 "cgroup_metrics.jsonl"},
    [TK_TABLE_PROC_METRICS] = {&tk_schema_proc_metrics, "proc_metrics.jsonl", "proc_metrics.jsonl"},
    [TK_TABLE_PROC_EVENTS] = {&tk_schema_proc_events, "proc_events.jsonl", "proc_events.jsonl"},
    [TK_TABLE_PROC_EXIT] = {&tk_schema_proc_exit, "proc_exit.jsonl", "proc_exit.jsonl"},
    [TK_TABLE_CLOCK] = {&tk_schema_clock, "clock.jsonl", "clock.jsonl"},
    [TK_TABLE_SELF] = {&tk_schema_self, "self.jsonl", "self.jsonl"},
    [TK_TABLE_INVOCATIONS] = {&tk_schema_invocations, "invocations.jsonl", "invocations.jsonl"},
    [TK_TABLE_PLACEMENT_EVENTS] = {&tk_schema_placement_events, "placement_events.jsonl",
                                   "placement_events.jsonl"},
    [TK_TABLE_SYSTEM_STATS] = {&tk_schema_system_stats, "system_stats.jsonl", "system_stats.jsonl"},
    [TK_TABLE_PROC_CPU] = {&tk_schema_proc_cpu, NULL, "proc_cpu.jsonl"},
    [TK_TABLE_PROC_RSS] = {&tk_schema_proc_rss, NULL, "proc_rss.jsonl"},
    [TK_TABLE_NODE_META] = {&tk_schema_node_meta, "node_meta.json", NULL, TK_LAYOUT_OBJECT},
    [TK_TABLE_LINK_META] = {&tk_schema_link_meta, "link_meta.json", NULL, TK_LAYOUT_OBJECT},
    [TK_TABLE_RUN_META] = {&tk_schema_run_meta, "run_meta.json", "run_meta.json", TK_LAYOUT_OBJECT},
    [TK_TABLE_RUN] = {&tk_schema_run, "run.json", "run.json", TK_LAYOUT_OBJECT},
    [TK_TABLE_MODULE_INVENTORY] = {&tk_schema_module_inventory, "module_inventory.json",
                                   "module_inventory.json", TK_LAYOUT_OBJECT},
    [TK_TABLE_NODES] = {&tk_schema_nodes, NULL, "nodes.json", TK_LAYOUT_ARRAY},
    [TK_TABLE_LINKS] = {&tk_schema_links, NULL, "links.json", TK_LAYOUT_ARRAY},
};
