/* SPDX-License-Identifier: Apache-2.0 */
/* Tables about the run itself: node, links, clocks, how it was recorded (collect-and-cctf.md
 * sections 10 and 11). */
#include "base/number.h"
#include "run/schemas.h"

static const struct tk_column node_meta[TK_NODE_META_COUNT] = {
    [TK_NODE_META_RUN_ID] = {"run_id", TK_TEXT, "", "this run", TK_REQUIRED | TK_CCTF1},
    [TK_NODE_META_NODE] = {"node", TK_TEXT, "", "node label, NODE_ID", TK_REQUIRED | TK_CCTF1},
    [TK_NODE_META_STAGE] = {"stage", TK_TEXT, "", "role, such as endpoint, edge or cloud",
                            TK_REQUIRED | TK_CCTF1},
    [TK_NODE_META_HOST] = {"host", TK_TEXT, "", "host name; a node is identified by (node, host)",
                           TK_CCTF1},
    [TK_NODE_META_IFACE] = {"iface", TK_TEXT, "", "NIC of the link series", TK_CCTF1},
    [TK_NODE_META_CPU_CORES] = {"cpu_cores", TK_I64, "", "usable CPUs: those in the affinity mask",
                                TK_REQUIRED | TK_CCTF1},
    [TK_NODE_META_MEM_MB] = {"mem_mb", TK_I64, "MiB", "total memory", TK_REQUIRED | TK_CCTF1},
    [TK_NODE_META_CPU_MODEL] = {"cpu_model", TK_TEXT, "", "model name", TK_CCTF1},
    [TK_NODE_META_CPU_FREQ_MHZ] = {"cpu_freq_mhz", TK_I64, "MHz", "frequency, 0 = unknown",
                                   TK_CCTF1},
    [TK_NODE_META_ARCH] = {"arch", TK_TEXT, "", "machine architecture"},
    [TK_NODE_META_KERNEL] = {"kernel", TK_TEXT, "", "release of the kernel"},
    [TK_NODE_META_BOOT_ID] = {"boot_id", TK_TEXT, "", "identity of the boot"},
    [TK_NODE_META_SOCKETS] = {"sockets", TK_I64, "", "CPU packages"},
    [TK_NODE_META_THREADS_PER_CORE] = {"threads_per_core", TK_I64, "", "hardware threads per core"},
    [TK_NODE_META_CPU_FREQ_MIN_MHZ] = {"cpu_freq_min_mhz", TK_I64, "MHz", "lowest frequency"},
    [TK_NODE_META_CPU_FREQ_BASE_MHZ] = {"cpu_freq_base_mhz", TK_I64, "MHz",
                                        "frequency without boost"},
    [TK_NODE_META_CPU_FREQ_MAX_MHZ] = {"cpu_freq_max_mhz", TK_I64, "MHz", "highest frequency"},
    [TK_NODE_META_CPU_FREQ_SOURCE] = {"cpu_freq_source", TK_TEXT, "",
                                      "where cpu_freq_mhz was found"},
    [TK_NODE_META_VIRT] = {"virt", TK_TEXT, "", "hypervisor or container; none on bare metal"},
    [TK_NODE_META_MEM_BYTES] = {"mem_bytes", TK_I64, "bytes", "total memory"},
    [TK_NODE_META_SWAP_BYTES] = {"swap_bytes", TK_I64, "bytes", "total swap"},
    [TK_NODE_META_IFACES] = {"ifaces", TK_TEXT_LIST, "", "network devices"},
    [TK_NODE_META_CGROUP_VERSION] = {"cgroup_version", TK_I64, "", "1, 2, 3 = hybrid, 0 = none"},
    [TK_NODE_META_CPU_LIMIT_CORES] = {"cpu_limit_cores", TK_F64, "",
                                      "CPU quota of the own control group in cores; absent = none",
                                      0, 3},
    [TK_NODE_META_MEM_LIMIT_BYTES] = {"mem_limit_bytes", TK_I64, "bytes",
                                      "memory limit of the own control group; absent = none"},
    [TK_NODE_META_TSC_INVARIANT] = {"tsc_invariant", TK_BOOL, "",
                                    "the time stamp counter runs at a constant rate"},
};

const struct tk_schema tk_schema_node_meta = {
    "node_meta", "facts of the node that recorded the run", node_meta, TK_NODE_META_COUNT};

static const struct tk_column link_meta[TK_LINK_META_COUNT] = {
    [TK_LINK_META_IFACE] = {"iface", TK_TEXT, "", "NIC of the link series", TK_CCTF1},
    [TK_LINK_META_BW_BPS] = {"BW_bps", TK_I64, "bit/s", "speed of the NIC, 0 = unknown", TK_CCTF1},
    [TK_LINK_META_PR_S] = {"PR_s", TK_F64, "s", "one-way delay: half of the smallest round trip",
                           TK_CCTF1 | TK_NULLABLE, TK_SHORTEST},
    [TK_LINK_META_RTT_MIN_S] = {"rtt_min_s", TK_F64, "s", "smallest round trip", 0, TK_SHORTEST},
    [TK_LINK_META_RTT_MEDIAN_S] = {"rtt_median_s", TK_F64, "s", "median round trip", 0,
                                   TK_SHORTEST},
    [TK_LINK_META_RTT_P95_S] = {"rtt_p95_s", TK_F64, "s", "95th percentile of the round trip", 0,
                                TK_SHORTEST},
    [TK_LINK_META_JITTER_S] = {"jitter_s", TK_F64, "s",
                               "mean difference of consecutive round trips", 0, TK_SHORTEST},
    [TK_LINK_META_PROBES_SENT] = {"probes_sent", TK_I64, "", "probes sent"},
    [TK_LINK_META_PROBES_RECEIVED] = {"probes_received", TK_I64, "", "answers received"},
    [TK_LINK_META_PEAK_RX_BPS] = {"peak_rx_Bps", TK_I64, "bytes/s",
                                  "highest rate received in the run"},
    [TK_LINK_META_PEAK_TX_BPS] = {"peak_tx_Bps", TK_I64, "bytes/s", "highest rate sent in the run"},
};

const struct tk_schema tk_schema_link_meta = {
    "link_meta", "facts of the NIC and of the way to the peer", link_meta, TK_LINK_META_COUNT};

static const struct tk_column run_meta[TK_RUN_META_COUNT] = {
    [TK_RUN_META_RUN_ID] = {"run_id", TK_TEXT, "", "this run", TK_REQUIRED | TK_CCTF1},
    [TK_RUN_META_TARGET_IP] = {"target_ip", TK_TEXT, "", "address under load", TK_CCTF1},
    [TK_RUN_META_RATE] = {"rate", TK_TEXT, "", "requests per second as given, \"50\" or \"100/1s\"",
                          TK_CCTF1},
    [TK_RUN_META_DURATION] = {"duration", TK_TEXT, "", "length as given, \"60s\"", TK_CCTF1},
    [TK_RUN_META_CPU_MS] = {"cpu_ms", TK_F64, "ms", "CPU time asked of the service per request",
                            TK_CCTF1, TK_SHORTEST},
    [TK_RUN_META_RESP_KB] = {"resp_kb", TK_F64, "KiB", "size of the answer asked for", TK_CCTF1,
                             TK_SHORTEST},
    [TK_RUN_META_ENDPOINT] = {"endpoint", TK_TEXT, "", "endpoint of a real-work load", TK_CCTF1},
    [TK_RUN_META_PAYLOAD_BYTES] = {"payload_bytes", TK_I64, "bytes",
                                   "size of the request body of a real-work load", TK_CCTF1},
    [TK_RUN_META_CALL_URL] = {"call_url", TK_TEXT, "", "where the service forwards to", TK_CCTF1},
    [TK_RUN_META_SCEN] = {"scen", TK_TEXT, "", "scenario name", TK_CCTF1},
    [TK_RUN_META_IMG] = {"img", TK_TEXT, "", "container image", TK_CCTF1},
    [TK_RUN_META_GIT_SHA] = {"git_sha", TK_TEXT, "", "commit of the driver", TK_CCTF1},
    [TK_RUN_META_WORKERS] = {"workers", TK_TEXT, "", "workers of the service as given", TK_CCTF1},
};

const struct tk_schema tk_schema_run_meta = {"run_meta", "what a load generator was told to do",
                                             run_meta, TK_RUN_META_COUNT};

static const struct tk_column run[TK_RUN_COUNT] = {
    [TK_RUN_SCHEMA_VERSION] = {"schema_version", TK_I64, "", "2", TK_REQUIRED},
    [TK_RUN_TOOL_VERSION] = {"tool_version", TK_TEXT, "", "version of tracekit", TK_REQUIRED},
    [TK_RUN_RUN_ID] = {"run_id", TK_TEXT, "", "this run", TK_REQUIRED},
    [TK_RUN_NODE] = {"node", TK_TEXT, "", "node label", TK_REQUIRED},
    [TK_RUN_HOST] = {"host", TK_TEXT, "", "host name", TK_REQUIRED},
    [TK_RUN_START_MS] = {"start_ms", TK_I64, "ms", "first tick, epoch", TK_REQUIRED},
    [TK_RUN_STOP_MS] = {"stop_ms", TK_I64, "ms", "end of recording, epoch; null while it runs",
                        TK_REQUIRED | TK_NULLABLE},
    [TK_RUN_KERNEL] = {"kernel", TK_TEXT, "", "release of the kernel"},
    [TK_RUN_BOOT_ID] = {"boot_id", TK_TEXT, "",
                        "identity of the boot, part of each process identity"},
    [TK_RUN_CLK_TCK] = {"clk_tck", TK_I64, "1/s", "ticks per second in utime, stime, start_ticks"},
    [TK_RUN_PAGE_SIZE] = {"page_size", TK_I64, "bytes", "memory page"},
    [TK_RUN_INTERVAL_REQUESTED_MS] = {"interval_requested_ms", TK_I64, "ms",
                                      "sampling interval of processes as asked for"},
    [TK_RUN_INTERVAL_ACHIEVED_MS] = {"interval_achieved_ms", TK_F64, "ms", "mean distance of ticks",
                                     0, 3},
    [TK_RUN_HOST_INTERVAL_MS] = {"host_interval_ms", TK_I64, "ms",
                                 "sampling interval of host, links, disks, cgroups"},
    [TK_RUN_MISSED_TICKS] = {"missed_ticks", TK_I64, "",
                             "deadlines that passed while a tick was late"},
    [TK_RUN_LATE_MAX_US] = {"late_max_us", TK_I64, "us", "worst lateness of a tick"},
    [TK_RUN_DROPPED_EVENTS] = {"dropped_events", TK_I64, "", "kernel events lost for lack of room"},
    [TK_RUN_RUNG] = {"rung", TK_TEXT, "",
                     "rung of the privilege ladder: A exact, B cgroup, C plain"},
    [TK_RUN_PRIVILEGES] = {"privileges", TK_TEXT_LIST, "", "capabilities in effect"},
    [TK_RUN_ARGV] = {"argv", TK_TEXT_LIST, "", "command line of the recorder, secrets redacted"},
    [TK_RUN_TIER] = {"tier", TK_TEXT, "",
                     "source of the process sweep: B2 a walk in the kernel (BPF), B1 an iterator "
                     "of the kernel (BPF), P CPU clocks, P0 plain /proc"},
    [TK_RUN_EXIT_SOURCE] = {"exit_source", TK_TEXT, "",
                            "where exits come from: bpf, taskstats, proc_connector, none"},
    [TK_RUN_CGROUP_VERSION] = {"cgroup_version", TK_I64, "", "1, 2, 3 = hybrid, 0 = none"},
    [TK_RUN_CGROUP_SOURCE] = {"cgroup_source", TK_TEXT, "",
                              "where figures of control groups come from: bpf (a walk in the "
                              "kernel; files for block I/O and pressure), files, none"},
    [TK_RUN_PROC_ROWS] = {"proc_rows", TK_TEXT, "",
                          "rows of proc_metrics: changed (processes that ran) or every_tick"},
    [TK_RUN_HZ] = {"hz", TK_I64, "1/s", "timer ticks of the kernel per second, 0 = unknown"},
    [TK_RUN_MIN_GOOD_INTERVAL_MS] = {"min_good_interval_ms", TK_I64, "ms",
                                     "smallest interval at which CPU deltas are good to 2 %"},
    [TK_RUN_RSS_EXACT] = {"rss_exact", TK_BOOL, "",
                          "resident set sizes are exact sums, not per-CPU approximations"},
    [TK_RUN_CPU_EXACT] = {"cpu_exact", TK_BOOL, "",
                          "CPU times of running processes are told to the moment, not to the last "
                          "timer tick"},
    [TK_RUN_LOST_EXITS] = {"lost_exits", TK_I64, "", "processes that lived and died unseen"},
    [TK_RUN_DROPPED_ROWS] = {"dropped_rows", TK_I64, "", "rows lost by failed writes"},
    [TK_RUN_TICKS] = {"ticks", TK_I64, "", "ticks taken"},
    [TK_RUN_LATE_P50_US] = {"late_p50_us", TK_I64, "us", "median lateness of a tick"},
    [TK_RUN_LATE_P99_US] = {"late_p99_us", TK_I64, "us",
                            "99th percentile of the lateness of ticks"},
    [TK_RUN_SWEEP_US] = {"sweep_us", TK_I64, "us",
                         "length of the last sweep, first to last process"},
    [TK_RUN_OWN_CPU_MS] = {"own_cpu_ms", TK_I64, "ms", "CPU time of the recorder"},
    [TK_RUN_OWN_RSS_KB] = {"own_rss_kb", TK_I64, "KiB",
                           "peak resident set of the recorder after its start"},
    [TK_RUN_COMMAND] = {"command", TK_TEXT_LIST, "", "command that was recorded, secrets redacted"},
    [TK_RUN_EXIT_STATUS] = {"exit_status", TK_I64, "",
                            "exit status of that command; 128 + signal when it was killed"},
    [TK_RUN_ROWS] = {"rows", TK_I64, "", "rows written to all tables"},
    [TK_RUN_NOTICES] = {"notices", TK_TEXT_LIST, "",
                        "what a reader of the run should know, one sentence each"},
    [TK_RUN_CPU_BUDGET_PERCENT] = {"cpu_budget_percent", TK_F64, "%",
                                   "of one CPU that recording should not exceed; absent = none", 0,
                                   TK_SHORTEST},
    [TK_RUN_BUDGET_CHANGES] = {"budget_changes", TK_I64, "",
                               "times that the budget made slow readings rarer, or frequent again"},
    [TK_RUN_BUDGET_EXCEEDED] =
        {"budget_exceeded", TK_I64, "",
         "spans of 5 s over the budget with all slow readings as rare as they may be"},
    [TK_RUN_PSS_LEFT_OUT] = {"pss_left_out", TK_I64, "",
                             "readings of PSS and swap that had no room in their budget; absent = "
                             "not asked for"},
    [TK_RUN_STORAGE] = {"storage", TK_TEXT, "",
                        "where the rows are: jsonl, a file per table, or compact, recording.tkr"},
    [TK_RUN_TIER_WHY_NOT] = {"tier_why_not", TK_TEXT, "",
                             "why no better tier was in use; absent = it was the best, or asked "
                             "for"},
    [TK_RUN_TIER_CHANGES] = {"tier_changes", TK_I64, "",
                             "times that another tier had to take over in the run"},
    [TK_RUN_CUT_PROCESSES] = {"cut_processes", TK_I64, "",
                              "processes with more threads than tier B1 adds up, in the last walk"},
    [TK_RUN_THREADS] = {"threads", TK_BOOL, "", "rows of threads were asked for"},
    [TK_RUN_THREADS_LEFT_OUT] =
        {"threads_left_out", TK_I64, "",
         "readings of threads that had no room in their tick and came with a later one; absent = "
         "not asked for"},
    [TK_RUN_CONTEXT_SOURCE] = {"context_source", TK_TEXT, "",
                               "where the Resources that processes publish are found: bpf (the "
                               "kernel is asked for many at once), maps (their files), none"},
    [TK_RUN_CONTEXTS_REFUSED] =
        {"contexts_refused", TK_I64, "",
         "processes whose environment and process context may not be read, for proc_context"},
    [TK_RUN_CONTEXTS_LEFT_OUT] = {"contexts_left_out", TK_I64, "",
                                  "processes that ended, or came in too large numbers, before "
                                  "their context was read"},
};

const struct tk_schema tk_schema_run = {
    "run", "how the run was recorded, and how well; marks CCTF 2", run, TK_RUN_COUNT};

static const struct tk_column module_inventory[TK_MODULE_INVENTORY_COUNT] = {
    [TK_MODULE_INVENTORY_APP_ID] = {"app_id", TK_TEXT, "", "application", TK_REQUIRED | TK_CCTF1},
    [TK_MODULE_INVENTORY_MODULE_ID] = {"module_id", TK_TEXT, "", "module", TK_REQUIRED | TK_CCTF1},
    [TK_MODULE_INVENTORY_NAME] = {"name", TK_TEXT, "", "display name", TK_CCTF1},
    [TK_MODULE_INVENTORY_TYPE] = {"type", TK_TEXT, "", "SOURCE, MODULE or SINK", TK_CCTF1},
    [TK_MODULE_INVENTORY_RESOURCES] = {"resources", TK_TEXT, "", "always null in generation 1",
                                       TK_CCTF1 | TK_NULLABLE},
};

const struct tk_schema tk_schema_module_inventory = {
    "module_inventory", "the module that produced the events of this run", module_inventory,
    TK_MODULE_INVENTORY_COUNT};

static const struct tk_column clock[TK_CLOCK_COUNT] = {
    [TK_CLOCK_REALTIME_US] = {"realtime_us", TK_I64, "us", "CLOCK_REALTIME", TK_STAMP},
    [TK_CLOCK_MONOTONIC_US] = {"monotonic_us", TK_I64, "us", "CLOCK_MONOTONIC"},
    [TK_CLOCK_BOOTTIME_US] = {"boottime_us", TK_I64, "us", "CLOCK_BOOTTIME"},
    [TK_CLOCK_ADJ_OFFSET_US] = {"adj_offset_us", TK_I64, "us",
                                "offset that the kernel is correcting, from adjtimex"},
    [TK_CLOCK_ADJ_MAXERROR_US] = {"adj_maxerror_us", TK_I64, "us",
                                  "largest error that the kernel claims, from adjtimex"},
    [TK_CLOCK_ADJ_STATUS] = {"adj_status", TK_I64, "", "status bits of adjtimex"},
    [TK_CLOCK_STEP_US] = {"step_us", TK_I64, "us", "step of the wall clock since the row before"},
    [TK_CLOCK_PEER_NODE] = {"peer_node", TK_TEXT, "", "node of the exchange"},
    [TK_CLOCK_PEER_HOST] = {"peer_host", TK_TEXT, "", "host of the exchange"},
    [TK_CLOCK_OFFSET_US] = {"offset_us", TK_I64, "us", "clock of the peer minus ours"},
    [TK_CLOCK_ERROR_US] = {"error_us", TK_I64, "us", "bound of the error of the offset"},
    [TK_CLOCK_RTT_US] = {"rtt_us", TK_I64, "us", "round trip of the exchange"},
    [TK_CLOCK_T0_US] = {"t0_us", TK_I64, "us",
                        "of an exchange that others noted: question sent, by our clock, epoch"},
    [TK_CLOCK_T1_US] = {"t1_us", TK_I64, "us", "received, by the clock of the peer"},
    [TK_CLOCK_T2_US] = {"t2_us", TK_I64, "us", "answer sent, by the clock of the peer"},
    [TK_CLOCK_T3_US] = {"t3_us", TK_I64, "us", "received, by our clock"},
    [TK_CLOCK_NODE] = {"node", TK_TEXT, "", "node label; absent in the run of one node"},
    [TK_CLOCK_HOST] = {"host", TK_TEXT, "", "host name; absent in the run of one node"},
};

const struct tk_schema tk_schema_clock = {"clock", "readings of the clocks, and offsets to peers",
                                          clock, TK_CLOCK_COUNT};

static const struct tk_column self[TK_SELF_COUNT] = {
    [TK_SELF_TS_MS] = {"ts_ms", TK_I64, "ms", "end of the interval, epoch",
                       TK_REQUIRED | TK_STAMP_MILLI},
    [TK_SELF_TS_US] = {"ts_us", TK_I64, "us", "end of the interval, epoch", TK_STAMP},
    [TK_SELF_NODE] = {"node", TK_TEXT, "", "node label", TK_REQUIRED},
    [TK_SELF_HOST] = {"host", TK_TEXT, "", "host name"},
    [TK_SELF_DT_MS] = {"dt_ms", TK_I64, "ms", "length of the interval that ends here", TK_REQUIRED},
    [TK_SELF_TIER] = {"tier", TK_TEXT, "", "source of the process sweep; absent = no processes"},
    [TK_SELF_TICKS] = {"ticks", TK_I64, "", "ticks taken within dt", TK_REQUIRED},
    [TK_SELF_MISSED_TICKS] = {"missed_ticks", TK_I64, "", "deadlines within dt that passed by"},
    [TK_SELF_LATE_P50_US] = {"late_p50_us", TK_I64, "us", "median lateness of the ticks within dt"},
    [TK_SELF_LATE_MAX_US] = {"late_max_us", TK_I64, "us", "worst lateness of a tick within dt"},
    [TK_SELF_CPU_NS] = {"cpu_ns", TK_I64, "ns", "CPU time of the recorder, all threads, within dt",
                        TK_REQUIRED},
    [TK_SELF_SYSCALLS] = {"syscalls", TK_I64, "",
                          "system calls of the sampling thread within dt, by its own count"},
    [TK_SELF_BYTES] = {"bytes", TK_I64, "bytes", "written to the tables within dt"},
    [TK_SELF_SWEEP_US] = {"sweep_us", TK_I64, "us", "length of the last sweep over the processes"},
    [TK_SELF_LOST_EVENTS] = {"lost_events", TK_I64, "", "kernel events lost within dt"},
    [TK_SELF_DETAIL_INTERVAL_MS] = {"detail_interval_ms", TK_I64, "ms",
                                    "period of the 1 s class, stretched by a CPU budget"},
    [TK_SELF_SLOW_INTERVAL_MS] = {"slow_interval_ms", TK_I64, "ms",
                                  "period of the slow class, stretched by a CPU budget"},
    [TK_SELF_DROPPED_ROWS] = {"dropped_rows", TK_I64, "", "rows that were not written within dt"},
};

const struct tk_schema tk_schema_self = {"self", "what recording took since the row before", self,
                                         TK_SELF_COUNT};

static const struct tk_column nodes[TK_NODES_COUNT] = {
    [TK_NODES_NODE_ID] = {"node_id", TK_TEXT, "", "node label", TK_REQUIRED | TK_CCTF1},
    [TK_NODES_STAGE] = {"stage", TK_TEXT, "", "role, such as endpoint, edge or cloud",
                        TK_REQUIRED | TK_CCTF1},
    [TK_NODES_CPU_CORES] = {"cpu_cores", TK_I64, "", "usable CPUs", TK_REQUIRED | TK_CCTF1},
    [TK_NODES_MEM_MB] = {"mem_mb", TK_I64, "MiB", "total memory", TK_REQUIRED | TK_CCTF1},
    [TK_NODES_CPU_MODEL] = {"cpu_model", TK_TEXT, "", "model name", TK_CCTF1},
    [TK_NODES_CPU_FREQ_MHZ] = {"cpu_freq_mhz", TK_I64, "MHz", "frequency, 0 = unknown", TK_CCTF1},
    [TK_NODES_HOST] = {"host", TK_TEXT, "", "host name; a node is identified by (node_id, host)"},
    [TK_NODES_ARCH] = {"arch", TK_TEXT, "", "machine architecture"},
    [TK_NODES_KERNEL] = {"kernel", TK_TEXT, "", "release of the kernel"},
    [TK_NODES_BOOT_ID] = {"boot_id", TK_TEXT, "", "identity of the boot"},
    [TK_NODES_SOCKETS] = {"sockets", TK_I64, "", "CPU packages"},
    [TK_NODES_THREADS_PER_CORE] = {"threads_per_core", TK_I64, "", "hardware threads per core"},
    [TK_NODES_CPU_FREQ_MIN_MHZ] = {"cpu_freq_min_mhz", TK_I64, "MHz", "lowest frequency"},
    [TK_NODES_CPU_FREQ_BASE_MHZ] = {"cpu_freq_base_mhz", TK_I64, "MHz", "frequency without boost"},
    [TK_NODES_CPU_FREQ_MAX_MHZ] = {"cpu_freq_max_mhz", TK_I64, "MHz", "highest frequency"},
    [TK_NODES_CPU_FREQ_SOURCE] = {"cpu_freq_source", TK_TEXT, "", "where cpu_freq_mhz was found"},
    [TK_NODES_VIRT] = {"virt", TK_TEXT, "", "hypervisor or container; none on bare metal"},
    [TK_NODES_MEM_BYTES] = {"mem_bytes", TK_I64, "bytes", "total memory"},
    [TK_NODES_SWAP_BYTES] = {"swap_bytes", TK_I64, "bytes", "total swap"},
    [TK_NODES_IFACES] = {"ifaces", TK_TEXT_LIST, "", "network devices"},
    [TK_NODES_CGROUP_VERSION] = {"cgroup_version", TK_I64, "", "1, 2, 3 = hybrid, 0 = none"},
    [TK_NODES_CPU_LIMIT_CORES] = {"cpu_limit_cores", TK_F64, "",
                                  "CPU quota of the own control group in cores; absent = none", 0,
                                  3},
    [TK_NODES_MEM_LIMIT_BYTES] = {"mem_limit_bytes", TK_I64, "bytes",
                                  "memory limit of the own control group; absent = none"},
    [TK_NODES_TSC_INVARIANT] = {"tsc_invariant", TK_BOOL, "",
                                "the time stamp counter runs at a constant rate"},
    [TK_NODES_NODE_LABEL] = {"node_label", TK_TEXT, "",
                             "what the node called itself; node_id where no other did"},
};

const struct tk_schema tk_schema_nodes = {"nodes", "one node of the run", nodes, TK_NODES_COUNT};

static const struct tk_column links[TK_LINKS_COUNT] = {
    [TK_LINKS_U] = {"u", TK_TEXT, "", "node label", TK_REQUIRED | TK_CCTF1},
    [TK_LINKS_V] = {"v", TK_TEXT, "", "other end: NODE.net, the network behind the NIC",
                    TK_REQUIRED | TK_CCTF1},
    [TK_LINKS_BW_BPS] = {"BW_bps", TK_I64, "bit/s", "speed of the NIC, 0 = unknown",
                         TK_CCTF1 | TK_NULLABLE},
    [TK_LINKS_PR_S] = {"PR_s", TK_F64, "s", "one-way delay: half of the smallest round trip",
                       TK_CCTF1 | TK_NULLABLE, TK_SHORTEST},
    [TK_LINKS_IFACE] = {"iface", TK_TEXT, "", "NIC"},
    [TK_LINKS_RTT_MIN_S] = {"rtt_min_s", TK_F64, "s", "smallest round trip", 0, TK_SHORTEST},
    [TK_LINKS_RTT_MEDIAN_S] = {"rtt_median_s", TK_F64, "s", "median round trip", 0, TK_SHORTEST},
    [TK_LINKS_RTT_P95_S] = {"rtt_p95_s", TK_F64, "s", "95th percentile of the round trip", 0,
                            TK_SHORTEST},
    [TK_LINKS_JITTER_S] = {"jitter_s", TK_F64, "s", "mean difference of consecutive round trips", 0,
                           TK_SHORTEST},
    [TK_LINKS_PROBES_SENT] = {"probes_sent", TK_I64, "", "probes sent"},
    [TK_LINKS_PROBES_RECEIVED] = {"probes_received", TK_I64, "", "answers received"},
    [TK_LINKS_PEAK_RX_BPS] = {"peak_rx_Bps", TK_I64, "bytes/s", "highest rate received in the run"},
    [TK_LINKS_PEAK_TX_BPS] = {"peak_tx_Bps", TK_I64, "bytes/s", "highest rate sent in the run"},
};

const struct tk_schema tk_schema_links = {"links", "one link of the run", links, TK_LINKS_COUNT};
