/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of what applications did (collect-and-cctf.md sections 10 and 11). */
#include "run/schemas.h"

static const struct tk_column invocations[TK_INVOCATIONS_COUNT] = {
    [TK_INVOCATIONS_TRACE_ID] = {"trace_id", TK_TEXT, "", "chain that it belongs to",
                                 TK_REQUIRED | TK_CCTF1 | TK_NULLABLE},
    [TK_INVOCATIONS_SPAN_ID] = {"span_id", TK_TEXT, "", "itself", TK_CCTF1 | TK_NULLABLE},
    [TK_INVOCATIONS_PARENT_ID] = {"parent_id", TK_TEXT, "", "the span that caused it",
                                  TK_CCTF1 | TK_NULLABLE},
    [TK_INVOCATIONS_MODULE_ID] = {"module_id", TK_TEXT, "", "logical module",
                                  TK_CCTF1 | TK_NULLABLE},
    [TK_INVOCATIONS_INSTANCE_ID] = {"instance_id", TK_TEXT, "",
                                    "container or process of the module", TK_CCTF1 | TK_NULLABLE},
    [TK_INVOCATIONS_TS_ENQUEUE] = {"ts_enqueue", TK_I64, "ms", "arrival or submission, epoch",
                                   TK_REQUIRED | TK_CCTF1},
    [TK_INVOCATIONS_TS_START] = {"ts_start", TK_I64, "ms", "start of the work, epoch",
                                 TK_REQUIRED | TK_CCTF1},
    [TK_INVOCATIONS_TS_END] = {"ts_end", TK_I64, "ms", "end of the work, epoch",
                               TK_REQUIRED | TK_CCTF1},
    [TK_INVOCATIONS_NODE] = {"node", TK_TEXT, "", "node label", TK_CCTF1},
    [TK_INVOCATIONS_STAGE] = {"stage", TK_TEXT, "", "role of the node", TK_CCTF1},
    [TK_INVOCATIONS_METHOD] = {"method", TK_TEXT, "", "HTTP method; CLI for commands",
                               TK_CCTF1 | TK_NULLABLE},
    [TK_INVOCATIONS_PATH] = {"path", TK_TEXT, "", "HTTP route; program name for commands",
                             TK_CCTF1 | TK_NULLABLE},
    [TK_INVOCATIONS_BYTES_IN] = {"bytes_in", TK_I64, "bytes", "payload received", TK_CCTF1},
    [TK_INVOCATIONS_BYTES_OUT] = {"bytes_out", TK_I64, "bytes", "payload sent", TK_CCTF1},
    [TK_INVOCATIONS_CPU_TIME_MS] = {"cpu_time_ms", TK_I64, "ms", "CPU time of this request",
                                    TK_CCTF1 | TK_NULLABLE},
    [TK_INVOCATIONS_QUEUE_TIME_MS] = {"queue_time_ms", TK_I64, "ms", "start - enqueue, not below 0",
                                      TK_CCTF1},
    [TK_INVOCATIONS_SERVICE_TIME_MS] = {"service_time_ms", TK_I64, "ms", "end - start, not below 0",
                                        TK_CCTF1},
    [TK_INVOCATIONS_RT_MS] = {"rt_ms", TK_I64, "ms", "end - enqueue, not below 0", TK_CCTF1},
    [TK_INVOCATIONS_STATUS] = {"status", TK_I64, "", "HTTP status or exit code", TK_CCTF1},
    [TK_INVOCATIONS_PID] = {"pid", TK_I64, "", "process that served it", TK_CCTF1},
    [TK_INVOCATIONS_INPUT] = {"input", TK_TEXT, "", "base name of the input file", TK_CCTF1},
    [TK_INVOCATIONS_OUTPUT] = {"output", TK_TEXT, "", "base name of the output file", TK_CCTF1},
    [TK_INVOCATIONS_CPUSET] = {"cpuset", TK_TEXT, "", "CPUs that it was bound to",
                               TK_CCTF1 | TK_NULLABLE},
    [TK_INVOCATIONS_HOST] = {"host", TK_TEXT, "", "host name"},
    [TK_INVOCATIONS_HOST_PID] = {"host_pid", TK_I64, "",
                                 "process id on the host, where pid is one of a namespace"},
    [TK_INVOCATIONS_PID_START_MS] = {"pid_start_ms", TK_I64, "ms", "birth of the process, epoch"},
    [TK_INVOCATIONS_START_TICKS] =
        {"start_ticks", TK_I64, "ticks",
         "start since boot; with pid and boot id the identity of the process"},
    [TK_INVOCATIONS_EXIT_CODE] = {"exit_code", TK_I64, "", "exit code of the command"},
    [TK_INVOCATIONS_CPU_NS] = {"cpu_ns", TK_I64, "ns", "CPU time of the whole tree"},
    [TK_INVOCATIONS_USER_NS] = {"user_ns", TK_I64, "ns", "of it in user mode"},
    [TK_INVOCATIONS_SYSTEM_NS] = {"system_ns", TK_I64, "ns", "of it in the kernel"},
    [TK_INVOCATIONS_CPU_SOURCE] = {"cpu_source", TK_TEXT, "",
                                   "where cpu_ns comes from: bpf, taskstats, cgroup or rusage"},
    [TK_INVOCATIONS_MAX_RSS_KB] =
        {"max_rss_kb", TK_I64, "KiB",
         "largest resident set of any one process of the tree; by rusage, "
         "so never below that of tracekit at the fork"},
    [TK_INVOCATIONS_MEM_PEAK_BYTES] = {"mem_peak_bytes", TK_I64, "bytes",
                                       "largest memory of the whole tree, from its control group"},
    [TK_INVOCATIONS_MEM_CURRENT_KB] = {"mem_current_kb", TK_I64, "KiB",
                                       "memory of the control group at the end"},
    [TK_INVOCATIONS_RD_BYTES] = {"rd_bytes", TK_I64, "bytes", "read from block devices"},
    [TK_INVOCATIONS_WR_BYTES] = {"wr_bytes", TK_I64, "bytes", "written to block devices"},
    [TK_INVOCATIONS_THROTTLED_US] = {"throttled_us", TK_I64, "us",
                                     "time for which the tree was throttled by its quota"},
    [TK_INVOCATIONS_RUN_DELAY_US] =
        {"run_delay_us", TK_I64, "us",
         "time runnable but waiting for a CPU, all processes of the tree"},
    [TK_INVOCATIONS_PROCESSES] = {"processes", TK_I64, "", "processes of the tree"},
    [TK_INVOCATIONS_LEFT_RUNNING] = {"left_running", TK_I64, "",
                                     "processes of the tree that outlived the command"},
    [TK_INVOCATIONS_ATTEMPT] = {"attempt", TK_I64, "", "1 for the first try"},
    [TK_INVOCATIONS_QUEUE] = {"queue", TK_TEXT, "", "queue that it waited in"},
    [TK_INVOCATIONS_RETRIES] = {"retries", TK_I64, "", "tries before this one"},
    [TK_INVOCATIONS_REQ_CPU_UNITS] = {"req_cpu_units", TK_I64, "", "CPU units asked for"},
    [TK_INVOCATIONS_REQ_MEM_KB] = {"req_mem_kb", TK_I64, "KiB", "memory asked for"},
    [TK_INVOCATIONS_W3C_TRACE_ID] = {"w3c_trace_id", TK_TEXT, "",
                                     "trace id of the W3C trace context, 32 hexadecimal digits"},
    [TK_INVOCATIONS_W3C_SPAN_ID] = {"w3c_span_id", TK_TEXT, "",
                                    "span id of the W3C trace context, 16 hexadecimal digits"},
    [TK_INVOCATIONS_USER] = {"user", TK_TEXT, "", "who submitted it"},
    [TK_INVOCATIONS_UPSTREAM_TIME_MS] =
        {"upstream_time_ms", TK_I64, "ms",
         "part of service_time_ms that a proxy waited for the servers behind it, all tries"},
};

const struct tk_schema tk_schema_invocations = {
    "invocations", "an event: one request or one command, with its times and its bill", invocations,
    TK_INVOCATIONS_COUNT};

static const struct tk_column placement_events[TK_PLACEMENT_EVENTS_COUNT] = {
    [TK_PLACEMENT_EVENTS_TS] = {"ts", TK_I64, "ms", "time of the event, epoch",
                                TK_REQUIRED | TK_CCTF1},
    [TK_PLACEMENT_EVENTS_EVENT] = {"event", TK_TEXT, "", "start or stop", TK_REQUIRED | TK_CCTF1},
    [TK_PLACEMENT_EVENTS_APP_ID] = {"app_id", TK_TEXT, "", "application", TK_CCTF1},
    [TK_PLACEMENT_EVENTS_MODULE_ID] = {"module_id", TK_TEXT, "", "module", TK_CCTF1},
    [TK_PLACEMENT_EVENTS_INSTANCE_ID] = {"instance_id", TK_TEXT, "",
                                         "container or process of the module", TK_CCTF1},
    [TK_PLACEMENT_EVENTS_NODE_ID] = {"node_id", TK_TEXT, "", "node label", TK_CCTF1},
    [TK_PLACEMENT_EVENTS_STAGE] = {"stage", TK_TEXT, "", "role of the node", TK_CCTF1},
    [TK_PLACEMENT_EVENTS_HOST] = {"host", TK_TEXT, "", "host name; merge adds it"},
};

const struct tk_schema tk_schema_placement_events = {"placement_events",
                                                     "an instance of a module started or stopped",
                                                     placement_events, TK_PLACEMENT_EVENTS_COUNT};

static const struct tk_column system_stats[TK_SYSTEM_STATS_COUNT] = {
    [TK_SYSTEM_STATS_TS_MS] = {"ts_ms", TK_I64, "ms", "time of the reading, epoch",
                               TK_REQUIRED | TK_CCTF1},
    [TK_SYSTEM_STATS_NODE] = {"node", TK_TEXT, "", "node label", TK_REQUIRED | TK_CCTF1},
    [TK_SYSTEM_STATS_STAGE] = {"stage", TK_TEXT, "", "role of the node", TK_REQUIRED | TK_CCTF1},
    [TK_SYSTEM_STATS_INSTANCE_ID] = {"instance_id", TK_TEXT, "",
                                     "container or process of the module", TK_REQUIRED | TK_CCTF1},
    [TK_SYSTEM_STATS_METRIC] = {"metric", TK_TEXT, "", "name of the figure, such as in_flight",
                                TK_REQUIRED | TK_CCTF1},
    [TK_SYSTEM_STATS_VALUE] = {"value", TK_I64, "", "its value", TK_REQUIRED | TK_CCTF1},
    [TK_SYSTEM_STATS_HOST] = {"host", TK_TEXT, "", "host name; merge adds it"},
};

const struct tk_schema tk_schema_system_stats = {"system_stats",
                                                 "a figure that a service tells about itself",
                                                 system_stats, TK_SYSTEM_STATS_COUNT};

static const struct tk_column cts_invocations[TK_CTS_INVOCATIONS_COUNT] = {
    [TK_CTS_INVOCATIONS_TRACE_ID] = {"trace_id", TK_TEXT, "", "chain that it belongs to",
                                     TK_REQUIRED | TK_NULLABLE},
    [TK_CTS_INVOCATIONS_PID] = {"pid", TK_I64, "", "process that served it",
                                TK_REQUIRED | TK_NULLABLE},
    [TK_CTS_INVOCATIONS_TS_ENQUEUE] = {"ts_enqueue", TK_I64, "ms", "arrival or submission, epoch",
                                       TK_REQUIRED | TK_NULLABLE},
    [TK_CTS_INVOCATIONS_TS_START] = {"ts_start", TK_I64, "ms", "start of the work, epoch",
                                     TK_REQUIRED | TK_NULLABLE},
    [TK_CTS_INVOCATIONS_TS_END] = {"ts_end", TK_I64, "ms", "end of the work, epoch",
                                   TK_REQUIRED | TK_NULLABLE},
};

const struct tk_schema tk_schema_cts_invocations = {"cts_invocations",
                                                    "an event as generation 2 knows it",
                                                    cts_invocations, TK_CTS_INVOCATIONS_COUNT};

static const struct tk_column cts_proc_metrics[TK_CTS_PROC_METRICS_COUNT] = {
    [TK_CTS_PROC_METRICS_TS_MS] = {"ts_ms", TK_I64, "ms", "end of the interval, epoch",
                                   TK_REQUIRED},
    [TK_CTS_PROC_METRICS_PID] = {"pid", TK_I64, "", "process id on the host", TK_REQUIRED},
    [TK_CTS_PROC_METRICS_DT_MS] = {"dt_ms", TK_I64, "ms",
                                   "length of the interval; 0 in the first row of a process",
                                   TK_REQUIRED},
    [TK_CTS_PROC_METRICS_CPU_MS] = {"cpu_ms", TK_I64, "ms",
                                    "CPU time within dt; 0 in the first row of a process",
                                    TK_REQUIRED},
    [TK_CTS_PROC_METRICS_RSS_KB] = {"rss_kb", TK_I64, "KiB", "resident set"},
};

const struct tk_schema tk_schema_cts_proc_metrics = {
    "cts_proc_metrics", "CPU time and resident set of one process as generation 2 knows them",
    cts_proc_metrics, TK_CTS_PROC_METRICS_COUNT};
