/* SPDX-License-Identifier: Apache-2.0 */
/* The summary as JSON: keys carry their unit, what is not known is null. The keys are documented in
 * tracekit-show(1) and do not change within a major version. */
#include "base/clock.h"
#include "base/json.h"
#include "base/number.h"
#include "cmd/member.h"
#include "cmd/screen.h"
#include "run/causes.h"

static void put_command(struct tk_buf *out, const struct tk_summary_command *command)
{
    if (!command->known) {
        tk_json_put_key(out, "command");
        tk_buf_lit(out, "null");
        return;
    }
    tk_member_open(out, "command", '{');
    tk_member_put_texts(out, "argv", command->argv, command->argc);
    tk_member_put_i64(out, "exit_status", command->exit_status);
    tk_member_put_i64(out, "start_ms", command->start_ns / TK_NS_PER_MS);
    tk_member_put_i64(out, "wall_ms", (command->end_ns - command->start_ns) / TK_NS_PER_MS);
    tk_member_put_i64(out, "cpu_ns", command->cpu_ns);
    tk_member_put_i64(out, "user_ns", command->user_ns);
    tk_member_put_i64(out, "system_ns", command->system_ns);
    tk_member_put_text(out, "cpu_source", command->cpu_source);
    tk_member_put_i64(out, "mem_peak_bytes", command->mem_peak_bytes);
    tk_member_put_i64(out, "max_rss_bytes", command->max_rss_bytes);
    tk_member_put_i64(out, "read_bytes", command->rd_bytes);
    tk_member_put_i64(out, "written_bytes", command->wr_bytes);
    tk_member_put_i64(out, "run_delay_ns", command->run_delay_ns);
    tk_member_put_i64(out, "io_wait_ns", command->io_wait_ns);
    tk_member_put_i64(out, "throttled_ns", command->throttled_ns);
    tk_member_put_i64(out, "processes", command->processes);
    tk_member_put_i64(out, "left_running", command->left_running);
    tk_buf_putc(out, '}');
}

static void put_machine(struct tk_buf *out, const struct tk_summary_host *host)
{
    tk_member_open(out, "machine", '{');
    tk_member_put_text(out, "kernel", host->kernel);
    tk_member_put_text(out, "cpu_model", host->cpu_model);
    tk_member_put_text(out, "virt", host->virt);
    tk_member_put_i64(out, "cpu_cores", host->cores);
    tk_member_put_f64(out, "cpu_limit_cores", host->cpu_limit_cores, 3);
    tk_member_put_i64(out, "mem_total_bytes", host->mem_total_bytes);
    tk_member_put_i64(out, "covered_ms", host->covered_ns / TK_NS_PER_MS);
    tk_member_put_f64(out, "cpu_busy_ratio", host->busy, 4);
    tk_member_put_f64(out, "cpu_full_ratio", host->full_share, 4);
    tk_member_put_f64(out, "cpu_iowait_ratio", host->iowait, 4);
    tk_member_put_f64(out, "cpu_steal_ratio", host->steal, 4);
    tk_member_put_i64(out, "throttled_ns", host->throttled_ns);
    tk_member_put_i64(out, "forks", host->forks);
    tk_member_put_i64(out, "mem_used_peak_bytes", host->mem_used_peak_bytes);
    tk_member_put_i64(out, "swap_in_bytes", host->swap_in_bytes);
    tk_member_put_i64(out, "swap_out_bytes", host->swap_out_bytes);
    tk_member_put_i64(out, "major_faults", host->major_faults);
    tk_member_put_i64(out, "oom_kills", host->oom_kills);
    tk_member_put_i64(out, "disk_read_bytes", host->disk_rd_bytes);
    tk_member_put_i64(out, "disk_written_bytes", host->disk_wr_bytes);
    tk_member_put_text(out, "busiest_disk", host->busiest_disk);
    tk_member_put_f64(out, "busiest_disk_ratio", host->disk_busy, 4);
    tk_member_put_f64(out, "busiest_disk_await_ms", host->disk_await_ms, 3);
    tk_member_put_text(out, "iface", host->iface);
    tk_member_put_i64(out, "net_received_bytes", host->net_rx_bytes);
    tk_member_put_i64(out, "net_sent_bytes", host->net_tx_bytes);
    tk_member_put_f64(out, "link_bytes_per_s", host->link_Bps, 0);
    tk_member_put_i64(out, "tcp_retransmits", host->tcp_retransmits);
    tk_buf_putc(out, '}');
}

static void put_stalls(struct tk_buf *out, const struct tk_summary_host *host)
{
    static const char *const keys[TK_STALL_COUNT] = {
        [TK_STALL_CPU] = "cpu_some_ns",         [TK_STALL_IO] = "io_some_ns",
        [TK_STALL_IO_FULL] = "io_full_ns",      [TK_STALL_MEMORY] = "mem_some_ns",
        [TK_STALL_MEMORY_FULL] = "mem_full_ns",
    };
    tk_member_open(out, "pressure", '{');
    tk_member_put_i64(out, "covered_ms", host->stall_covered_ns / TK_NS_PER_MS);
    for (int i = 0; i < TK_STALL_COUNT; i++)
        tk_member_put_i64(out, keys[i], host->stall_ns[i]);
    tk_buf_putc(out, '}');
}

static void put_processes(struct tk_buf *out, const struct tk_summary *summary)
{
    tk_member_open(out, "processes", '[');
    for (size_t i = 0; i < summary->group_count; i++) {
        const struct tk_tally_group *group = &summary->groups[i];
        tk_element_open(out, '{');
        tk_member_put_text(out, "comm", tk_str_from(group->comm));
        tk_member_put_bool(out, "in_command", group->in_tree);
        tk_member_put_i64(out, "count", group->processes);
        tk_member_put_i64(out, "cpu_ns", group->cpu_ns);
        tk_member_put_i64(out, "max_rss_bytes", group->max_rss_bytes);
        tk_member_put_i64(out, "read_bytes", group->rd_bytes);
        tk_member_put_i64(out, "written_bytes", group->wr_bytes);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

static void put_threads(struct tk_buf *out, const struct tk_summary_threads *threads)
{
    tk_member_open(out, "threads", '{');
    tk_member_put_i64(out, "count", threads->count);
    tk_member_open(out, "busiest", '[');
    for (size_t i = 0; i < threads->busiest_count; i++) {
        tk_element_open(out, '{');
        tk_member_put_text(out, "comm", tk_str_from(threads->busiest[i].comm));
        tk_member_put_i64(out, "pid", threads->busiest[i].pid);
        tk_member_put_i64(out, "tid", threads->busiest[i].tid);
        tk_member_put_i64(out, "cpu_ns", threads->busiest[i].cpu_ns);
        tk_buf_putc(out, '}');
    }
    tk_buf_lit(out, "]}");
}

static void put_containers(struct tk_buf *out, const struct tk_summary *summary)
{
    tk_member_open(out, "containers", '[');
    for (size_t i = 0; i < summary->container_count; i++) {
        const struct tk_summary_container *container = &summary->containers[i];
        tk_element_open(out, '{');
        tk_member_put_text(out, "name", container->name);
        tk_member_put_text(out, "container_name", container->called);
        tk_member_put_text(out, "pod", container->pod);
        tk_member_put_text(out, "namespace", container->namespace);
        tk_member_put_text(out, "cgroup", container->cgroup);
        tk_member_put_i64(out, "cpu_ns", container->cpu_ns);
        tk_member_put_i64(out, "mem_peak_bytes", container->mem_peak_bytes);
        tk_member_put_i64(out, "read_bytes", container->rd_bytes);
        tk_member_put_i64(out, "written_bytes", container->wr_bytes);
        tk_member_put_i64(out, "throttled_ns", container->throttled_ns);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

static void put_causes(struct tk_buf *out, const struct tk_summary *summary)
{
    struct tk_cause causes[TK_CAUSES_MAX];
    size_t count = tk_causes_find(summary, causes);
    tk_member_open(out, "waited_for", '[');
    for (size_t i = 0; i < count; i++) {
        tk_element_open(out, '{');
        tk_member_put_text(out, "cause", tk_str_from(causes[i].name));
        tk_member_put_f64(out, "ratio", causes[i].share, 4);
        tk_member_put_text(out, "text", tk_str_from(causes[i].text));
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

static void put_invocations(struct tk_buf *out, const struct tk_summary_invocations *invocations)
{
    tk_member_open(out, "invocations", '{');
    tk_member_put_i64(out, "count", invocations->count);
    tk_member_put_i64(out, "failed", invocations->failed);
    tk_member_put_i64(out, "median_ns", invocations->median_ns);
    tk_member_put_i64(out, "p99_ns", invocations->p99_ns);
    tk_member_put_i64(out, "max_ns", invocations->count ? invocations->max_ns : -1);
    tk_buf_putc(out, '}');
}

static void put_quality(struct tk_buf *out, const struct tk_summary_quality *quality)
{
    tk_member_open(out, "quality", '{');
    tk_member_put_text(out, "tier", quality->tier);
    tk_member_put_text(out, "rung", quality->rung);
    tk_member_put_text(out, "exit_source", quality->exit_source);
    tk_member_put_text(out, "proc_rows", quality->proc_rows);
    tk_member_put_f64(out, "interval_requested_ms", quality->interval_requested_ms, 3);
    tk_member_put_f64(out, "interval_achieved_ms", quality->interval_achieved_ms, 3);
    tk_member_put_f64(out, "host_interval_ms", quality->host_interval_ms, 3);
    tk_member_put_i64(out, "min_good_interval_ms", quality->min_good_interval_ms);
    tk_member_put_i64(out, "ticks", quality->ticks);
    tk_member_put_i64(out, "missed_ticks", quality->missed_ticks);
    tk_member_put_i64(out, "late_p99_us", quality->late_p99_us);
    tk_member_put_i64(out, "late_max_us", quality->late_max_us);
    tk_member_put_i64(out, "lost_exits", quality->lost_exits);
    tk_member_put_i64(out, "dropped_events", quality->dropped_events);
    tk_member_put_i64(out, "dropped_rows", quality->dropped_rows);
    tk_member_put_i64(out, "rows_read", quality->rows);
    tk_member_put_i64(out, "rows_unreadable", quality->bad_rows);
    tk_member_put_i64(out, "rows_torn", quality->torn_rows);
    tk_member_put_text(out, "first_unreadable", quality->first_bad);
    tk_member_put_i64(out, "own_cpu_ms", quality->own_cpu_ms);
    tk_member_put_i64(out, "own_rss_kb", quality->own_rss_kb);
    tk_member_put_f64(out, "own_syscalls_per_tick", quality->own_calls_per_tick, 1);
    tk_member_put_f64(out, "own_written_bytes_per_s", quality->own_Bps, 0);
    tk_member_put_texts(out, "notices", quality->notices, quality->notice_count);
    tk_buf_putc(out, '}');
}

static void put_timeline(struct tk_buf *out, const struct tk_timeline *timeline)
{
    static const struct {
        const char *key;
        int decimals;
    } lines[TK_RESOURCE_COUNT] = {
        [TK_RESOURCE_CPU] = {"cpu_busy_ratio", 4},
        [TK_RESOURCE_MEMORY] = {"mem_used_bytes", 0},
        [TK_RESOURCE_DISK] = {"disk_bytes_per_s", 0},
        [TK_RESOURCE_NETWORK] = {"net_bytes_per_s", 0},
        [TK_RESOURCE_CPU_STALL] = {"cpu_stall_ratio", 4},
        [TK_RESOURCE_IO_STALL] = {"io_stall_ratio", 4},
        [TK_RESOURCE_MEMORY_STALL] = {"mem_stall_ratio", 4},
    };
    tk_member_open(out, "timeline", '{');
    tk_member_put_i64(out, "start_ms", timeline->start_ns / TK_NS_PER_MS);
    tk_member_put_f64(out, "bucket_ms", (double)timeline->bucket_ns / 1e6, TK_SHORTEST);
    for (int r = 0; r < TK_RESOURCE_COUNT; r++) {
        double means[TK_TIMELINE_BUCKETS];
        size_t count = tk_timeline_read(timeline, (enum tk_resource)r, means, NULL);
        tk_member_open(out, lines[r].key, '[');
        for (size_t i = 0; i < count; i++) {
            tk_json_put_comma(out);
            tk_buf_put_f64(out, means[i], lines[r].decimals);
        }
        tk_buf_putc(out, ']');
    }
    tk_buf_putc(out, '}');
}

void tk_screen_format_json(const struct tk_summary *summary, const char *folder, struct tk_buf *out)
{
    static const char *const states[] = {
        [TK_STATE_STOPPED] = "stopped",   [TK_STATE_ACTIVE] = "recording",
        [TK_STATE_BROKEN] = "killed",     [TK_STATE_FOREIGN] = "imported",
        [TK_STATE_CALLS] = "invocations",
    };
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "run_id", summary->run_id);
    tk_member_put_text(out, "folder", tk_str_from(folder));
    tk_member_put_text(out, "state", tk_str_from(states[summary->state]));
    tk_member_put_text(out, "tool_version", summary->tool_version);
    tk_member_put_text(out, "node", summary->node);
    tk_member_put_texts(out, "other_nodes", summary->other_nodes, summary->other_node_count);
    tk_member_put_text(out, "host", summary->host_name);
    tk_member_put_text(out, "stage", summary->stage);
    tk_member_put_i64(out, "start_ms", summary->start_ns / TK_NS_PER_MS);
    tk_member_put_i64(out, "end_ms", summary->end_ns / TK_NS_PER_MS);
    put_command(out, &summary->command);
    put_machine(out, &summary->host);
    put_stalls(out, &summary->host);
    put_processes(out, summary);
    put_threads(out, &summary->threads);
    put_containers(out, summary);
    tk_member_put_i64(out, "container_rows_left_out", summary->containers_left_out);
    put_invocations(out, &summary->invocations);
    put_causes(out, summary);
    put_quality(out, &summary->quality);
    put_timeline(out, &summary->timeline);
    tk_buf_lit(out, "}\n");
}
