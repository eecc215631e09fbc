/* SPDX-License-Identifier: Apache-2.0 */
/* run.json: how the run was recorded, and how good it is (collector.md section 5). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "collect/recorder_internal.h"
#include "run/redact.h"

#define SCHEMA_VERSION 2
#define ARGV_MAX       ((size_t)4 << 20)
#define ROW_TEXT_MAX   ((size_t)256 << 10)
/* CPU time of a running task is brought up to date at each timer tick, so that over 25 of them the
 * error is 2 % as a rule. */
#define GOOD_TICKS 25LL
/* In exact mode it is brought up to date when it is read. */
#define GOOD_EXACT_MS 1

void tk_recorder_texts_add(struct tk_recorder_texts *texts, tk_str text)
{
    if (texts->n == TK_TEXTS_MAX) {
        texts->left_out++;
        return;
    }
    tk_buf_put(&texts->bytes, text);
    texts->ends[texts->n++] = texts->bytes.n;
}

static void add_redacted(struct tk_recorder_texts *texts, tk_str arg, bool *carry)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf word;
    tk_buf_init(&word, ROW_TEXT_MAX);
    tk_redact_arg(arg, carry, &word);
    tk_recorder_texts_add(texts, tk_buf_str(&word));
}

void tk_recorder_texts_add_argv(struct tk_recorder_texts *texts, char *const *argv)
{
    bool carry = false;
    for (; argv && *argv; argv++)
        add_redacted(texts, tk_str_from(*argv), &carry);
}

void tk_recorder_texts_add_own_argv(struct tk_recorder_texts *texts)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, ARGV_MAX);
    struct tk_err too_long;
    if (tk_file_load(AT_FDCWD, "/proc/self/cmdline", &text, &too_long) < 0)
        texts->left_out++;
    tk_str rest = tk_buf_str(&text);
    tk_str arg;
    bool carry = false;
    while (tk_str_take_until(&rest, '\0', &arg))
        add_redacted(texts, arg, &carry);
}

/* `last` may be NULL. */
static void set_texts(struct tk_batch *row, size_t column, const struct tk_recorder_texts *texts,
                      const char *last)
{
    tk_str items[TK_TEXTS_MAX + 2];
    size_t start = 0;
    size_t n = tk_buf_ok(&texts->bytes) ? texts->n : 0;
    for (size_t i = 0; i < n; i++) {
        items[i] = (tk_str){texts->bytes.p + start, texts->ends[i] - start};
        start = texts->ends[i];
    }
    char more[48];
    if (texts->left_out > 0) {
        (void)snprintf(more, sizeof(more), "(and %lld more)", (long long)texts->left_out);
        items[n++] = tk_str_from(more);
    }
    if (last)
        items[n++] = tk_str_from(last);
    tk_batch_set_text_list(row, column, items, n);
}

/* What this kernel does --------------------------------------------------------- */

/* The number of the line "NAME:   123 kB" of an open file of /proc/self; -1 when there is none. */
static int64_t read_own_kb(int fd, tk_str name)
{
    char buf[8192];
    ssize_t n = pread(fd, buf, sizeof(buf), 0);
    tk_str text = {buf, n > 0 ? (size_t)n : 0};
    tk_str line;
    while (tk_str_take_line(&text, &line)) {
        tk_str word;
        int64_t kb;
        if (tk_str_take_prefix(&line, name) && tk_str_take_word(&line, &word) &&
            tk_parse_i64(word, &kb))
            return kb;
    }
    return -1;
}

static int64_t read_own_statm_kb(int64_t page_bytes)
{
    char buf[128];
    tk_str text;
    tk_str word;
    int64_t pages;
    struct tk_err ignored;
    if (tk_file_read(AT_FDCWD, "/proc/self/statm", buf, sizeof(buf), &text, &ignored) < 0 ||
        !tk_str_take_word(&text, &word) || !tk_str_take_word(&text, &word) ||
        !tk_parse_i64(word, &pages))
        return -1;
    return pages * page_bytes / 1024;
}

/* statm either sums the counters of all CPUs, or leaves out what each CPU has not handed in yet.
 * smaps_rollup counts the pages themselves: look whether both agree on a process that has just
 * touched some, this one. */
void tk_recorder_probe(struct tk_recorder *recorder)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf pages;
    struct utsname name;
    size_t n = (size_t)(7 * recorder->kernel.page_bytes);
    tk_buf_init(&pages, n);
    char *touched = tk_buf_reserve(&pages, n);
    if (!touched)
        return;
    memset(touched, 1, n);
    TK_CLEANUP(tk_fd_close) int rollup_fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    recorder->status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (uname(&name) == 0)
        memcpy(recorder->kernel_release, name.release, sizeof(recorder->kernel_release));
    int64_t statm_kb = read_own_statm_kb(recorder->kernel.page_bytes);
    recorder->rss_exact = statm_kb > 0 && statm_kb == read_own_kb(rollup_fd, TK_STR("Rss:"));
}

/* The coarse clock moves once a timer tick. 0 = unknown. */
static int64_t read_hz(void)
{
    struct timespec tick;
    if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) < 0 || tick.tv_sec > 0 || tick.tv_nsec == 0)
        return 0;
    return (TK_NS_PER_S + tick.tv_nsec / 2) / tick.tv_nsec;
}

/* Over what time CPU times by the ticks are good, in ms. */
static int64_t ticks_good_ms(int64_t hz)
{
    return hz > 0 ? (GOOD_TICKS * 1000 + hz - 1) / hz : 0;
}

int64_t tk_recorder_good_interval_ms(const struct tk_recorder *recorder)
{
    struct tk_procs_stats stats = {0};
    if (recorder->procs)
        tk_procs_read_stats(recorder->procs, &stats);
    return stats.cpu_exact ? GOOD_EXACT_MS : ticks_good_ms(read_hz());
}

/* The row ----------------------------------------------------------------------- */

static void set_text(struct tk_batch *row, size_t column, const char *text)
{
    tk_batch_set_text(row, column, tk_str_from(text));
}

static void set_identity(const struct tk_recorder *recorder, struct tk_batch *row)
{
    tk_batch_set_i64(row, TK_RUN_SCHEMA_VERSION, SCHEMA_VERSION);
    set_text(row, TK_RUN_TOOL_VERSION, TK_VERSION);
    set_text(row, TK_RUN_RUN_ID, recorder->options.node.run_id);
    set_text(row, TK_RUN_NODE, recorder->options.node.node);
    set_text(row, TK_RUN_HOST, recorder->host_name);
    tk_batch_set_i64(row, TK_RUN_START_MS, recorder->start_ms);
    if (recorder->stop_ms > 0)
        tk_batch_set_i64(row, TK_RUN_STOP_MS, recorder->stop_ms);
    if (recorder->kernel_release[0])
        set_text(row, TK_RUN_KERNEL, recorder->kernel_release);
    set_text(row, TK_RUN_BOOT_ID, recorder->kernel.boot_id);
    tk_batch_set_i64(row, TK_RUN_CLK_TCK, recorder->kernel.clk_tck);
    tk_batch_set_i64(row, TK_RUN_PAGE_SIZE, recorder->kernel.page_bytes);
    set_text(row, TK_RUN_STORAGE, recorder->options.compact ? "compact" : "jsonl");
    set_texts(row, TK_RUN_ARGV, &recorder->argv, NULL);
    if (recorder->command.n > 0)
        set_texts(row, TK_RUN_COMMAND, &recorder->command, NULL);
    if (recorder->has_exit_status)
        tk_batch_set_i64(row, TK_RUN_EXIT_STATUS, recorder->exit_status);
}

static void set_quality(const struct tk_recorder *recorder, struct tk_batch *row)
{
    tk_batch_set_text_list(row, TK_RUN_PRIVILEGES, recorder->privileges, recorder->privilege_count);
    int64_t hz = read_hz();
    tk_batch_set_i64(row, TK_RUN_HZ, hz);
    if (hz > 0)
        tk_batch_set_i64(row, TK_RUN_MIN_GOOD_INTERVAL_MS, ticks_good_ms(hz));
    tk_batch_set_i64(row, TK_RUN_CGROUP_VERSION,
                     recorder->cgroups ? tk_cgroups_version(recorder->cgroups) : 0);
    struct tk_cgroups_stats cgroups;
    if (recorder->cgroups)
        tk_cgroups_read_stats(recorder->cgroups, &cgroups);
    set_text(row, TK_RUN_CGROUP_SOURCE,
             !recorder->cgroups ? "none"
             : cgroups.by_walk  ? "bpf"
                                : "files");
    set_text(row, TK_RUN_PROC_ROWS, recorder->options.procs.every_tick ? "every_tick" : "changed");
}

/* What the budget did, once for all of its changes. */
static void say_budget(const struct tk_budget *budget, char *ret_text, size_t cap)
{
    int n = snprintf(ret_text, cap,
                     "CPU budget of %g %%: the pace of slow readings was changed %lld times, now "
                     "each %lld s and %lld s",
                     100 * budget->share, (long long)budget->changes,
                     (long long)budget->pace.detail, 10LL * budget->pace.slow);
    if (budget->over > 0 && n > 0 && (size_t)n < cap) {
        (void)snprintf(ret_text + n, cap - (size_t)n,
                       "; exceeded all the same for %lld s (a longer --interval takes less)",
                       5LL * budget->over);
    }
}

static void set_notices(const struct tk_recorder *recorder, struct tk_batch *row)
{
    const struct tk_budget *budget = &recorder->budget;
    char text[256];
    if (budget->share > 0) {
        tk_batch_set_f64(row, TK_RUN_CPU_BUDGET_PERCENT, 100 * budget->share);
        tk_batch_set_i64(row, TK_RUN_BUDGET_CHANGES, budget->changes);
        tk_batch_set_i64(row, TK_RUN_BUDGET_EXCEEDED, budget->over);
    }
    say_budget(budget, text, sizeof(text));
    set_texts(row, TK_RUN_NOTICES, &recorder->notices, budget->changes > 0 ? text : NULL);
}

static void set_procs(const struct tk_recorder *recorder, struct tk_batch *row)
{
    if (!recorder->procs)
        return;
    struct tk_procs_stats stats;
    tk_procs_read_stats(recorder->procs, &stats);
    set_text(row, TK_RUN_TIER, tk_tier_names[stats.tier]);
    if (*stats.tier_why_not)
        set_text(row, TK_RUN_TIER_WHY_NOT, stats.tier_why_not);
    tk_batch_set_i64(row, TK_RUN_TIER_CHANGES, stats.tier_changes);
    tk_batch_set_i64(row, TK_RUN_CUT_PROCESSES, stats.cut);
    tk_batch_set_bool(row, TK_RUN_RSS_EXACT, stats.rss_exact || recorder->rss_exact);
    tk_batch_set_bool(row, TK_RUN_CPU_EXACT, stats.cpu_exact);
    if (stats.cpu_exact)
        tk_batch_set_i64(row, TK_RUN_MIN_GOOD_INTERVAL_MS, GOOD_EXACT_MS);
    bool between = recorder->has_leaf && strcmp(stats.rung, "C") == 0;
    set_text(row, TK_RUN_RUNG, between ? "B" : stats.rung);
    set_text(row, TK_RUN_EXIT_SOURCE, stats.exit_source);
    tk_batch_set_i64(row, TK_RUN_DROPPED_EVENTS, stats.dropped_events);
    if (stats.lost_exits >= 0)
        tk_batch_set_i64(row, TK_RUN_LOST_EXITS, stats.lost_exits);
    if (recorder->options.procs.pss_budget_ns > 0)
        tk_batch_set_i64(row, TK_RUN_PSS_LEFT_OUT, stats.pss_left_out);
    tk_batch_set_bool(row, TK_RUN_THREADS, recorder->options.procs.threads);
    if (recorder->options.procs.threads)
        tk_batch_set_i64(row, TK_RUN_THREADS_LEFT_OUT, stats.threads_left_out);
    set_text(row, TK_RUN_CONTEXT_SOURCE, stats.context_source);
    tk_batch_set_i64(row, TK_RUN_CONTEXTS_REFUSED, stats.contexts_refused);
    tk_batch_set_i64(row, TK_RUN_CONTEXTS_LEFT_OUT, stats.contexts_left_out);
    tk_batch_set_i64(row, TK_RUN_SWEEP_US, stats.sweep_ns / TK_NS_PER_US);
}

static void set_ticks(const struct tk_recorder *recorder, struct tk_batch *row)
{
    struct tk_sampler_stats stats = {0};
    if (recorder->sampler) /* not yet in the first run.json */
        tk_sampler_read_stats(recorder->sampler, &stats);
    tk_batch_set_i64(row, TK_RUN_INTERVAL_REQUESTED_MS,
                     recorder->options.interval_ns / TK_NS_PER_MS);
    if (stats.achieved_ns > 0)
        tk_batch_set_f64(row, TK_RUN_INTERVAL_ACHIEVED_MS, (double)stats.achieved_ns / 1e6);
    tk_batch_set_i64(row, TK_RUN_HOST_INTERVAL_MS,
                     recorder->options.host_interval_ns / TK_NS_PER_MS);
    tk_batch_set_i64(row, TK_RUN_TICKS, stats.ticks);
    tk_batch_set_i64(row, TK_RUN_MISSED_TICKS, stats.missed_ticks);
    tk_batch_set_i64(row, TK_RUN_LATE_MAX_US, stats.late_max_ns / TK_NS_PER_US);
    tk_batch_set_i64(row, TK_RUN_LATE_P50_US, stats.late_p50_ns / TK_NS_PER_US);
    tk_batch_set_i64(row, TK_RUN_LATE_P99_US, stats.late_p99_ns / TK_NS_PER_US);
}

/* At the start and at the end as it is now, else as the last row of self.jsonl has told it. */
static int64_t own_cpu_ns(struct tk_recorder *recorder)
{
    bool is_told = recorder->self.cpu_ns > 0 && recorder->stop_ms == 0;
    return is_told ? recorder->self.cpu_ns : tk_recorder_cpu_ns(recorder);
}

static void set_own_cost(struct tk_recorder *recorder, struct tk_batch *row)
{
    struct tk_run_writer_stats stats;
    tk_relay_read_stats(recorder->relay, &stats);
    int64_t rows = 0;
    for (size_t i = 0; i < TK_TABLE_COUNT; i++)
        rows += stats.rows[i];
    tk_batch_set_i64(row, TK_RUN_ROWS, rows);
    tk_batch_set_i64(row, TK_RUN_DROPPED_ROWS, stats.dropped_rows);
    tk_batch_set_i64(row, TK_RUN_OWN_CPU_MS, own_cpu_ns(recorder) / TK_NS_PER_MS);
    /* Not ru_maxrss: that is of the image before exec, too. */
    recorder->syscalls++;
    int64_t peak_kb = read_own_kb(recorder->status_fd, TK_STR("VmHWM:"));
    if (peak_kb >= 0)
        tk_batch_set_i64(row, TK_RUN_OWN_RSS_KB, peak_kb);
}

int tk_recorder_make_run(struct tk_recorder *recorder, struct tk_batch **ret_row,
                         struct tk_err *err)
{
    struct tk_batch *row;
    int rc = tk_batch_new(&tk_schema_run, 1, ROW_TEXT_MAX, &row, err);
    if (rc < 0)
        return rc;
    tk_batch_begin(row);
    set_identity(recorder, row);
    set_quality(recorder, row);
    set_notices(recorder, row);
    set_procs(recorder, row);
    set_ticks(recorder, row);
    set_own_cost(recorder, row);
    *ret_row = row;
    return 0;
}

void tk_recorder_read_start(struct tk_recorder *recorder)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *row = NULL;
    struct tk_err ignored;
    int64_t start_ms =
        tk_anchor_from_mono(&recorder->kernel.anchor, recorder->kernel.anchor.mono_ns) /
        TK_NS_PER_MS;
    recorder->start_ms = start_ms;
    if (tk_object_read(tk_run_writer_dirfd(recorder->writer), tk_tables[TK_TABLE_RUN].raw,
                       &tk_schema_run, &row, &ignored) < 0)
        return;
    int64_t before_ms = tk_batch_i64(row, 0, TK_RUN_START_MS, start_ms);
    if (before_ms > 0 && before_ms < start_ms)
        recorder->start_ms = before_ms;
}
