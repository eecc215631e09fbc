/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of processes (collect-and-cctf.md sections 10 and 11). */
#include "run/schemas.h"

static const struct tk_column proc_metrics[TK_PROC_METRICS_COUNT] = {
    [TK_PROC_METRICS_TS_MS] = {"ts_ms", TK_I64, "ms", "time of the reading, epoch",
                               TK_REQUIRED | TK_CCTF1 | TK_STAMP_MILLI},
    [TK_PROC_METRICS_PID] = {"pid", TK_I64, "", "process id on the host",
                             TK_REQUIRED | TK_CCTF1 | TK_KEY},
    [TK_PROC_METRICS_UTIME] = {"utime", TK_I64, "ticks", "CPU time in user mode, cumulative",
                               TK_REQUIRED | TK_CCTF1},
    [TK_PROC_METRICS_STIME] = {"stime", TK_I64, "ticks", "CPU time in the kernel, cumulative",
                               TK_REQUIRED | TK_CCTF1},
    [TK_PROC_METRICS_RSS_KB] = {"rss_kb", TK_I64, "KiB", "resident set", TK_REQUIRED | TK_CCTF1},
    [TK_PROC_METRICS_THREADS] = {"threads", TK_I64, "", "threads", TK_CCTF1},
    [TK_PROC_METRICS_TS_US] = {"ts_us", TK_I64, "us", "time of the reading, epoch", TK_STAMP},
    [TK_PROC_METRICS_NODE] = {"node", TK_TEXT, "", "node label"},
    [TK_PROC_METRICS_HOST] = {"host", TK_TEXT, "", "host name"},
    [TK_PROC_METRICS_START_TICKS] =
        {"start_ticks", TK_I64, "ticks",
         "start since boot; with pid and boot id the identity of the process", TK_KEY},
    [TK_PROC_METRICS_PPID] = {"ppid", TK_I64, "", "parent"},
    [TK_PROC_METRICS_NS_PID] = {"ns_pid", TK_I64, "",
                                "process id in its innermost namespace, where it differs"},
    [TK_PROC_METRICS_COMM] = {"comm", TK_TEXT, "", "name, at most 15 bytes"},
    [TK_PROC_METRICS_STATE] = {"state", TK_TEXT, "", "state letter of /proc/PID/stat"},
    [TK_PROC_METRICS_UID] = {"uid", TK_I64, "", "effective user"},
    [TK_PROC_METRICS_CGROUP] = {"cgroup", TK_TEXT, "", "control group path"},
    [TK_PROC_METRICS_CONTAINER] = {"container", TK_TEXT, "", "name or id of its container"},
    [TK_PROC_METRICS_CPU_NS] = {"cpu_ns", TK_I64, "ns", "CPU time of all threads, cumulative"},
    [TK_PROC_METRICS_PSS_KB] = {"pss_kb", TK_I64, "KiB",
                                "resident set with shared pages divided among their users"},
    [TK_PROC_METRICS_SWAP_KB] = {"swap_kb", TK_I64, "KiB", "swapped out"},
    [TK_PROC_METRICS_RD_BYTES] = {"rd_bytes", TK_I64, "bytes",
                                  "read from block devices, cumulative"},
    [TK_PROC_METRICS_WR_BYTES] = {"wr_bytes", TK_I64, "bytes",
                                  "written to block devices, cumulative"},
    [TK_PROC_METRICS_MINFLT] = {"minflt", TK_I64, "", "minor page faults, cumulative"},
    [TK_PROC_METRICS_MAJFLT] = {"majflt", TK_I64, "", "major page faults, cumulative"},
    [TK_PROC_METRICS_NVCSW] = {"nvcsw", TK_I64, "", "voluntary context switches, cumulative"},
    [TK_PROC_METRICS_NIVCSW] = {"nivcsw", TK_I64, "", "involuntary context switches, cumulative"},
    [TK_PROC_METRICS_RUN_DELAY_US] = {"run_delay_us", TK_I64, "us",
                                      "time runnable but waiting for a CPU, cumulative"},
    [TK_PROC_METRICS_FDS] = {"fds", TK_I64, "", "open files"},
    [TK_PROC_METRICS_FD_LIMIT] = {"fd_limit", TK_I64, "", "open files that it may have"},
    [TK_PROC_METRICS_NET_RX_BYTES] =
        {"net_rx_bytes", TK_I64, "bytes",
         "received through IP sockets, without headers, cumulative since recording began"},
    [TK_PROC_METRICS_NET_TX_BYTES] =
        {"net_tx_bytes", TK_I64, "bytes",
         "sent through IP sockets, without headers, cumulative since recording began"},
    [TK_PROC_METRICS_IO_WAIT_US] =
        {"io_wait_us", TK_I64, "us",
         "time that its threads waited for block I/O, cumulative since recording began"},
    [TK_PROC_METRICS_DT_MS] = {"dt_ms", TK_I64, "ms",
                               "generation 2 only: length of the interval that ends here"},
    [TK_PROC_METRICS_CPU_MS] = {"cpu_ms", TK_I64, "ms", "generation 2 only: CPU time within dt"},
};

const struct tk_schema tk_schema_proc_metrics = {
    "proc_metrics", "counters of one process at a time", proc_metrics, TK_PROC_METRICS_COUNT};

static const struct tk_column proc_cpu[TK_PROC_CPU_COUNT] = {
    [TK_PROC_CPU_TS_MS] = {"ts_ms", TK_I64, "ms", "end of the interval, epoch",
                           TK_REQUIRED | TK_CCTF1},
    [TK_PROC_CPU_PID] = {"pid", TK_I64, "", "process id on the host", TK_REQUIRED | TK_CCTF1},
    [TK_PROC_CPU_CPU_MS] = {"cpu_ms", TK_I64, "ms",
                            "CPU time, difference of truncated cumulative values",
                            TK_REQUIRED | TK_CCTF1},
    [TK_PROC_CPU_DT_MS] = {"dt_ms", TK_I64, "ms", "length of the interval", TK_REQUIRED | TK_CCTF1},
    [TK_PROC_CPU_TS_US] = {"ts_us", TK_I64, "us", "end of the interval, epoch"},
    [TK_PROC_CPU_NODE] = {"node", TK_TEXT, "", "node label"},
    [TK_PROC_CPU_START_TICKS] =
        {"start_ticks", TK_I64, "ticks",
         "start since boot; with pid and boot id the identity of the process"},
    [TK_PROC_CPU_CPU_NS] = {"cpu_ns", TK_I64, "ns", "CPU time"},
    [TK_PROC_CPU_DT_US] = {"dt_us", TK_I64, "us", "length of the interval"},
    [TK_PROC_CPU_HOST] = {"host", TK_TEXT, "", "host name; merge adds it"},
};

const struct tk_schema tk_schema_proc_cpu = {
    "proc_cpu", "CPU time of one process within (ts - dt, ts]", proc_cpu, TK_PROC_CPU_COUNT};

static const struct tk_column proc_rss[TK_PROC_RSS_COUNT] = {
    [TK_PROC_RSS_TS_MS] = {"ts_ms", TK_I64, "ms", "time of the reading, epoch",
                           TK_REQUIRED | TK_CCTF1},
    [TK_PROC_RSS_PID] = {"pid", TK_I64, "", "process id on the host", TK_REQUIRED | TK_CCTF1},
    [TK_PROC_RSS_RSS_KB] = {"rss_kb", TK_I64, "KiB", "resident set", TK_REQUIRED | TK_CCTF1},
    [TK_PROC_RSS_NODE] = {"node", TK_TEXT, "", "node label"},
    [TK_PROC_RSS_START_TICKS] =
        {"start_ticks", TK_I64, "ticks",
         "start since boot; with pid and boot id the identity of the process"},
    [TK_PROC_RSS_HOST] = {"host", TK_TEXT, "", "host name; merge adds it"},
};

const struct tk_schema tk_schema_proc_rss = {"proc_rss", "resident set of one process at a time",
                                             proc_rss, TK_PROC_RSS_COUNT};

static const struct tk_column proc_events[TK_PROC_EVENTS_COUNT] = {
    [TK_PROC_EVENTS_TS_MS] = {"ts_ms", TK_I64, "ms", "time of the event, epoch",
                              TK_REQUIRED | TK_STAMP_MILLI},
    [TK_PROC_EVENTS_TS_US] = {"ts_us", TK_I64, "us", "time of the event, epoch", TK_STAMP},
    [TK_PROC_EVENTS_NODE] = {"node", TK_TEXT, "", "node label"},
    [TK_PROC_EVENTS_EVENT] = {"event", TK_TEXT, "", "fork, exec or exit", TK_REQUIRED},
    [TK_PROC_EVENTS_PID] = {"pid", TK_I64, "", "process id on the host", TK_REQUIRED},
    [TK_PROC_EVENTS_START_TICKS] =
        {"start_ticks", TK_I64, "ticks",
         "start since boot; with pid and boot id the identity of the process"},
    [TK_PROC_EVENTS_PARENT_PID] = {"parent_pid", TK_I64, "", "parent"},
    [TK_PROC_EVENTS_COMM] = {"comm", TK_TEXT, "", "name, at most 15 bytes"},
    [TK_PROC_EVENTS_EXIT_CODE] = {"exit_code", TK_I64, "", "exit code, of exit"},
    [TK_PROC_EVENTS_EXIT_SIGNAL] = {"exit_signal", TK_I64, "",
                                    "signal that ended it, of exit; absent = none"},
    [TK_PROC_EVENTS_HOST] = {"host", TK_TEXT, "", "host name; merge adds it"},
};

const struct tk_schema tk_schema_proc_events = {"proc_events",
                                                "a process was made, changed its program or ended",
                                                proc_events, TK_PROC_EVENTS_COUNT};

static const struct tk_column proc_exit[TK_PROC_EXIT_COUNT] = {
    [TK_PROC_EXIT_TS_MS] = {"ts_ms", TK_I64, "ms", "time of the exit, epoch",
                            TK_REQUIRED | TK_STAMP_MILLI},
    [TK_PROC_EXIT_TS_US] = {"ts_us", TK_I64, "us", "time of the exit, epoch", TK_STAMP},
    [TK_PROC_EXIT_NODE] = {"node", TK_TEXT, "", "node label"},
    [TK_PROC_EXIT_PID] = {"pid", TK_I64, "", "process id on the host", TK_REQUIRED},
    [TK_PROC_EXIT_START_TICKS] =
        {"start_ticks", TK_I64, "ticks",
         "start since boot; with pid and boot id the identity of the process"},
    [TK_PROC_EXIT_COMM] = {"comm", TK_TEXT, "", "name, at most 15 bytes"},
    [TK_PROC_EXIT_UTIME_US] = {"utime_us", TK_I64, "us", "CPU time in user mode"},
    [TK_PROC_EXIT_STIME_US] = {"stime_us", TK_I64, "us", "CPU time in the kernel"},
    [TK_PROC_EXIT_CPU_NS] = {"cpu_ns", TK_I64, "ns", "CPU time of all threads", TK_REQUIRED},
    [TK_PROC_EXIT_MAX_RSS_KB] = {"max_rss_kb", TK_I64, "KiB", "largest resident set"},
    [TK_PROC_EXIT_RD_BYTES] = {"rd_bytes", TK_I64, "bytes", "read from block devices"},
    [TK_PROC_EXIT_WR_BYTES] = {"wr_bytes", TK_I64, "bytes", "written to block devices"},
    [TK_PROC_EXIT_ELAPSED_US] = {"elapsed_us", TK_I64, "us", "life from birth to exit"},
    [TK_PROC_EXIT_EXIT_CODE] = {"exit_code", TK_I64, "", "exit code"},
    [TK_PROC_EXIT_EXIT_SIGNAL] = {"exit_signal", TK_I64, "", "signal that ended it; absent = none"},
    [TK_PROC_EXIT_THREADS] = {"threads", TK_I64, "", "threads that it ever had"},
    [TK_PROC_EXIT_SOURCE] =
        {"source", TK_TEXT, "",
         "bpf, taskstats, rusage, cgroup, or clock: the last reading of its CPU clock",
         TK_REQUIRED},
    [TK_PROC_EXIT_PPID] = {"ppid", TK_I64, "", "parent"},
    [TK_PROC_EXIT_START_US] = {"start_us", TK_I64, "us", "birth, epoch"},
    [TK_PROC_EXIT_IN_TREE] = {"in_tree", TK_BOOL, "", "descends from the recorded command"},
    [TK_PROC_EXIT_RUN_DELAY_US] = {"run_delay_us", TK_I64, "us",
                                   "time runnable but waiting for a CPU"},
    [TK_PROC_EXIT_BLKIO_DELAY_US] =
        {"blkio_delay_us", TK_I64, "us",
         "time waiting for block I/O; absent unless the kernel accounts for delays"},
    [TK_PROC_EXIT_MINFLT] = {"minflt", TK_I64, "", "minor page faults"},
    [TK_PROC_EXIT_MAJFLT] = {"majflt", TK_I64, "", "major page faults"},
    [TK_PROC_EXIT_NVCSW] = {"nvcsw", TK_I64, "", "voluntary context switches"},
    [TK_PROC_EXIT_NIVCSW] = {"nivcsw", TK_I64, "", "involuntary context switches"},
    [TK_PROC_EXIT_NET_RX_BYTES] =
        {"net_rx_bytes", TK_I64, "bytes",
         "received through IP sockets, without headers since recording began"},
    [TK_PROC_EXIT_NET_TX_BYTES] =
        {"net_tx_bytes", TK_I64, "bytes",
         "sent through IP sockets, without headers since recording began"},
    [TK_PROC_EXIT_IO_WAIT_US] =
        {"io_wait_us", TK_I64, "us",
         "time that its threads waited for block I/O since recording began"},
    [TK_PROC_EXIT_HOST] = {"host", TK_TEXT, "", "host name; merge adds it"},
};

const struct tk_schema tk_schema_proc_exit = {"proc_exit", "what a process had used when it ended",
                                              proc_exit, TK_PROC_EXIT_COUNT};

static const struct tk_column thread_metrics[TK_THREAD_METRICS_COUNT] = {
    [TK_THREAD_METRICS_TS_MS] = {"ts_ms", TK_I64, "ms", "time of the reading, epoch",
                                 TK_REQUIRED | TK_STAMP_MILLI},
    [TK_THREAD_METRICS_TS_US] = {"ts_us", TK_I64, "us", "time of the reading, epoch", TK_STAMP},
    [TK_THREAD_METRICS_NODE] = {"node", TK_TEXT, "", "node label"},
    [TK_THREAD_METRICS_HOST] = {"host", TK_TEXT, "", "host name"},
    [TK_THREAD_METRICS_PID] = {"pid", TK_I64, "", "process that it belongs to, id on the host",
                               TK_REQUIRED | TK_KEY},
    [TK_THREAD_METRICS_START_TICKS] =
        {"start_ticks", TK_I64, "ticks",
         "start of the process since boot; with pid and boot id its identity", TK_KEY},
    [TK_THREAD_METRICS_TID] = {"tid", TK_I64, "", "thread id on the host; pid = the main thread",
                               TK_REQUIRED | TK_KEY},
    [TK_THREAD_METRICS_THREAD_START_TICKS] = {"thread_start_ticks", TK_I64, "ticks",
                                              "start of the thread since boot: a tid comes again",
                                              TK_KEY},
    [TK_THREAD_METRICS_COMM] = {"comm", TK_TEXT, "", "name of the thread, at most 15 bytes"},
    [TK_THREAD_METRICS_STATE] = {"state", TK_TEXT, "", "state letter of /proc/PID/task/TID/stat"},
    [TK_THREAD_METRICS_CPU_NS] = {"cpu_ns", TK_I64, "ns", "CPU time, cumulative"},
    [TK_THREAD_METRICS_UTIME] = {"utime", TK_I64, "ticks", "CPU time in user mode, cumulative"},
    [TK_THREAD_METRICS_STIME] = {"stime", TK_I64, "ticks", "CPU time in the kernel, cumulative"},
    [TK_THREAD_METRICS_MINFLT] = {"minflt", TK_I64, "", "minor page faults, cumulative"},
    [TK_THREAD_METRICS_MAJFLT] = {"majflt", TK_I64, "", "major page faults, cumulative"},
    [TK_THREAD_METRICS_NVCSW] = {"nvcsw", TK_I64, "", "voluntary context switches, cumulative"},
    [TK_THREAD_METRICS_NIVCSW] = {"nivcsw", TK_I64, "", "involuntary context switches, cumulative"},
    [TK_THREAD_METRICS_RUN_DELAY_US] = {"run_delay_us", TK_I64, "us",
                                        "time runnable but waiting for a CPU, cumulative"},
};

const struct tk_schema tk_schema_thread_metrics = {
    "thread_metrics", "counters of one thread at a time, of processes with several", thread_metrics,
    TK_THREAD_METRICS_COUNT};

static const struct tk_column proc_context[TK_PROC_CONTEXT_COUNT] = {
    [TK_PROC_CONTEXT_TS_MS] = {"ts_ms", TK_I64, "ms", "time of the reading, epoch",
                               TK_REQUIRED | TK_STAMP_MILLI},
    [TK_PROC_CONTEXT_TS_US] = {"ts_us", TK_I64, "us", "time of the reading, epoch", TK_STAMP},
    [TK_PROC_CONTEXT_NODE] = {"node", TK_TEXT, "", "node label"},
    [TK_PROC_CONTEXT_HOST] = {"host", TK_TEXT, "", "host name"},
    [TK_PROC_CONTEXT_PID] = {"pid", TK_I64, "", "process id on the host", TK_REQUIRED | TK_KEY},
    [TK_PROC_CONTEXT_START_TICKS] =
        {"start_ticks", TK_I64, "ticks",
         "start since boot; with pid and boot id the identity of the process", TK_KEY},
    [TK_PROC_CONTEXT_START_US] = {"start_us", TK_I64, "us", "birth, epoch"},
    [TK_PROC_CONTEXT_TRACEPARENT] =
        {"traceparent", TK_TEXT, "",
         "TRACEPARENT of its environment: the span that it was started in (W3C Trace Context)"},
    [TK_PROC_CONTEXT_CONTAINER_ID] = {"container_id", TK_TEXT, "",
                                      "its container: 64 hexadecimal digits"},
    [TK_PROC_CONTEXT_POD_UID] = {"pod_uid", TK_TEXT, "", "its pod"},
    [TK_PROC_CONTEXT_RESOURCE] =
        {"resource", TK_TEXT, "",
         "the Resource that it publishes (OpenTelemetry process context), as a JSON object"},
};

const struct tk_schema tk_schema_proc_context = {
    "proc_context", "to which trace, container and service a process belongs, read once or twice",
    proc_context, TK_PROC_CONTEXT_COUNT};
