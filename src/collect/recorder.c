/* SPDX-License-Identifier: Apache-2.0 */
/* All runs in the thread of the caller but what may take seconds, writing (relay.h) and the probes
 * of the link:
 *
 *   each wake-up  what is due in the sampler
 *   1 s           rows are handed over to be written, but blocks of a compact run when they have 10
 *                 ticks and a second; a look at the wall clock
 *   10 s          clock.jsonl
 *   20 s          run.json, more often in a young run
 *
 * The last two are not synced: kill -9 harms neither, and an fsync on a busy disk would cost ticks.
 */
#include "collect/recorder_internal.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/file.h"
#include "collect/bpf.h"
#include "collect/privileges.h"

#define FLUSH_NS    TK_NS_PER_S
#define CLOCK_NS    (10 * TK_NS_PER_S)
#define META_NS     (20 * TK_NS_PER_S)
#define BLOCK_TICKS 10
#define SETTLE_NS   (2 * TK_NS_PER_S) /* at the usual interval everything ran three times by then */
/* Slewing moves the wall clock by at most 0.05 % between two looks. */
#define STEP_NS       (10 * TK_NS_PER_MS)
#define META_TEXT_MAX ((size_t)256 << 10)
#define ARGV_TEXT_MAX ((size_t)64 << 10)

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Clocks ------------------------------------------------------------------------ */

/* CLOCK_REALTIME as it stands: tk_clock_real_ns() may be fixed by a test. */
static int64_t wall_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * TK_NS_PER_S + t.tv_nsec;
}

static void add_clock_row(struct tk_recorder *recorder, int64_t now, int64_t step_ns)
{
    struct tk_batch *row = tk_rows_begin(recorder->rows, TK_TABLE_CLOCK);
    tk_batch_set_i64(row, TK_CLOCK_REALTIME_US, wall_ns() / TK_NS_PER_US);
    tk_batch_set_i64(row, TK_CLOCK_MONOTONIC_US, now / TK_NS_PER_US);
    tk_batch_set_i64(row, TK_CLOCK_BOOTTIME_US, tk_clock_boot_ns() / TK_NS_PER_US);
    if (step_ns != 0)
        tk_batch_set_i64(row, TK_CLOCK_STEP_US, step_ns / TK_NS_PER_US);
    struct timex adjust = {.modes = 0};
    recorder->syscalls++;
    if (adjtimex(&adjust) >= 0) {
        bool nano = (adjust.status & STA_NANO) != 0;
        tk_batch_set_i64(row, TK_CLOCK_ADJ_OFFSET_US, nano ? adjust.offset / 1000 : adjust.offset);
        tk_batch_set_i64(row, TK_CLOCK_ADJ_MAXERROR_US, adjust.maxerror);
        tk_batch_set_i64(row, TK_CLOCK_ADJ_STATUS, adjust.status);
    }
    recorder->clock_ns = now;
}

/* A row each 10 s, and at once when the wall clock was set: stamps do not follow it, but readers
 * may want to know. */
static void look_at_clocks(struct tk_recorder *recorder, int64_t now)
{
    int64_t offset = wall_ns() - tk_clock_mono_ns();
    int64_t step = offset - recorder->wall_offset_ns;
    recorder->wall_offset_ns = offset;
    if (step > -STEP_NS && step < STEP_NS)
        step = 0;
    if (step != 0 || now - recorder->clock_ns >= CLOCK_NS)
        add_clock_row(recorder, now, step);
}

/* Writing ----------------------------------------------------------------------- */

static void tell(struct tk_recorder *recorder, const char *message)
{
    if (recorder->options.on_failure)
        recorder->options.on_failure(recorder->options.context, message);
}

static int64_t dropped_rows(const struct tk_recorder *recorder)
{
    struct tk_run_writer_stats stats;
    tk_relay_read_stats(recorder->relay, &stats);
    return stats.dropped_rows;
}

static int fail_removed(const struct tk_recorder *recorder, struct tk_err *err)
{
    return tk_fail(err, -ENOENT, "%s: the run folder was removed", recorder->options.folder);
}

/* Tell of the first failure of several; `rc` may be 0. Returns it only when there is no point in
 * going on. */
static int judge_failure(struct tk_recorder *recorder, int rc, struct tk_err *err)
{
    char message[TK_ERR_MAX + 128];
    if (rc == 0)
        return 0;
    if (rc == -ENOENT)
        return fail_removed(recorder, err);
    if (!recorder->failing) {
        (void)snprintf(message, sizeof(message),
                       "%s: rows are dropped and counted until it can be written again", err->msg);
        tell(recorder, message);
    }
    recorder->failing = true;
    return 0;
}

static int64_t lost_rows(const struct tk_recorder *recorder)
{
    return dropped_rows(recorder) - recorder->dropped_before;
}

/* Tell of the first success after failures. */
static void tell_success(struct tk_recorder *recorder)
{
    char message[TK_ERR_MAX];
    if (!recorder->failing)
        return;
    (void)snprintf(message, sizeof(message), "%s: written again, %lld rows were lost",
                   recorder->options.folder, (long long)lost_rows(recorder));
    tell(recorder, message);
    recorder->dropped_before = dropped_rows(recorder);
    recorder->failing = false;
}

/* What came of writing since the last look; returns as judge_failure(). */
static int judge_writing(struct tk_recorder *recorder, struct tk_err *err)
{
    for (;;) {
        int outcome = tk_relay_next_outcome(recorder->relay, err);
        int rc = outcome < 0 ? judge_failure(recorder, outcome, err) : 0;
        if (rc < 0 || outcome > 0)
            return rc;
        if (outcome == 0)
            tell_success(recorder);
    }
}

/* A young run has it anew when it is twice as old: its figures change much. */
static int64_t meta_interval_ns(const struct tk_recorder *recorder)
{
    return smaller(META_NS, recorder->meta_ns - recorder->kernel.anchor.mono_ns);
}

static int flush(struct tk_recorder *recorder, int64_t now, struct tk_err *err)
{
    recorder->flushed_ns = now;
    look_at_clocks(recorder, now);
    tk_recorder_put_self(recorder, now);
    if (recorder->gpu)
        tk_gpu_take(recorder->gpu, recorder->rows);
    struct tk_batch *run = NULL;
    int rc = tk_rows_flush(recorder->rows, err);
    bool paced = tk_budget_step(&recorder->budget, now, recorder->self.cpu_ns);
    if (rc == 0 && (paced || now - recorder->meta_ns >= meta_interval_ns(recorder))) {
        recorder->meta_ns = now;
        rc = tk_recorder_make_run(recorder, &run, err);
    }
    tk_relay_flush(recorder->relay, run);
    if (!recorder->settled && now - recorder->start_ns >= SETTLE_NS) {
        tk_recorder_settle_memory(recorder);
        recorder->settled = true;
    }
    return judge_failure(recorder, rc, err);
}

/* At the start and at the end: on the disk when this returns. */
static int write_run(struct tk_recorder *recorder, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *run = NULL;
    int rc = tk_recorder_make_run(recorder, &run, err);
    return rc == 0 ? tk_object_write(tk_run_writer_dirfd(recorder->writer),
                                     tk_tables[TK_TABLE_RUN].raw, run, err)
                   : rc;
}

int tk_recorder_step(struct tk_recorder *recorder, struct tk_err *err)
{
    tk_relay_open(recorder->relay);
    if (recorder->gpu)
        tk_gpu_open(recorder->gpu);
    int rc = tk_sampler_step(recorder->sampler, recorder->rows, err);
    rc = judge_failure(recorder, rc, err);
    if (rc == 0)
        rc = judge_writing(recorder, err);
    if (rc < 0)
        return rc;
    /* Rows that wait for the next wake-up would be too old then. */
    int64_t now = tk_clock_mono_ns();
    if (now + tk_sampler_wake_ns(recorder->sampler) - recorder->flushed_ns > FLUSH_NS)
        return flush(recorder, now, err);
    return 0;
}

/* Link -------------------------------------------------------------------------- */

static int write_link(const struct tk_kernel *kernel, const char *iface, const char *vm_ip,
                      int dirfd, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *row = NULL;
    int rc = tk_batch_new(&tk_schema_link_meta, 1, META_TEXT_MAX, &row, err);
    if (rc == 0)
        rc = tk_link_read(kernel, iface, vm_ip, row, err);
    if (rc == 0)
        rc = tk_object_write(dirfd, tk_tables[TK_TABLE_LINK_META].raw, row, err);
    return rc;
}

/* The thread: link_meta.json without the delay is there already, and stays when this fails. */
static void *probe_link(void *context)
{
    const struct tk_prober *prober = context;
    struct tk_err ignored;
    (void)write_link(prober->kernel, prober->iface, prober->vm_ip, prober->dirfd, &ignored);
    return NULL;
}

static bool is_remote(const char *vm_ip)
{
    return vm_ip && *vm_ip && strcmp(vm_ip, "127.0.0.1") != 0 && strcmp(vm_ip, "localhost") != 0;
}

static void start_prober(struct tk_recorder *recorder)
{
    if (!is_remote(recorder->options.node.vm_ip))
        return;
    recorder->prober = (struct tk_prober){
        .kernel = &recorder->kernel,
        .iface = recorder->iface,
        .vm_ip = recorder->options.node.vm_ip,
        .dirfd = tk_run_writer_dirfd(recorder->writer),
    };
    /* Signals are for the thread of the caller, who may not have blocked them yet. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    recorder->prober.running =
        pthread_create(&recorder->prober.thread, NULL, probe_link, &recorder->prober) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void stop_prober(struct tk_recorder *recorder)
{
    if (recorder->prober.running)
        (void)pthread_join(recorder->prober.thread, NULL);
    recorder->prober.running = false;
}

/* Start ------------------------------------------------------------------------- */

/* A device that somebody names but that is not here would be recorded as silence. */
static int check_iface(const struct tk_recorder *recorder, struct tk_err *err)
{
    const char *iface = recorder->options.node.iface;
    char path[32 + TK_NODE_NAME_MAX];
    if (!iface || !*iface)
        return 0;
    (void)snprintf(path, sizeof(path), "sys/class/net/%s", iface);
    if (strchr(iface, '/') || faccessat(recorder->kernel.rootfd, path, F_OK, 0) < 0)
        return tk_fail(err, -ENODEV, "no network device '%s' here (--iface, IFACE)", iface);
    return 0;
}

static int write_node(struct tk_recorder *recorder, struct tk_err *err)
{
    int dirfd = tk_run_writer_dirfd(recorder->writer);
    TK_CLEANUP(tk_batch_freep) struct tk_batch *row = NULL;
    int rc = check_iface(recorder, err);
    if (rc == 0)
        rc = tk_batch_new(&tk_schema_node_meta, 1, META_TEXT_MAX, &row, err);
    if (rc == 0)
        rc = tk_node_read(&recorder->kernel, &recorder->options.node, row, err);
    if (rc == 0)
        rc = tk_object_write(dirfd, tk_tables[TK_TABLE_NODE_META].raw, row, err);
    if (rc != 0)
        return rc;
    (void)tk_str_to_cstr(tk_batch_text(row, 0, TK_NODE_META_IFACE), recorder->iface,
                         sizeof(recorder->iface));
    return write_link(&recorder->kernel, recorder->iface, NULL, dirfd, err);
}

/* Long enough for blocks that compress well. */
static int64_t block_window_ns(const struct tk_recorder *recorder)
{
    int64_t ticks_ns = BLOCK_TICKS * recorder->options.interval_ns;
    return ticks_ns > FLUSH_NS ? ticks_ns : FLUSH_NS;
}

static int take_folder(struct tk_recorder *recorder, struct tk_err *err)
{
    const char *folder = recorder->options.folder;
    int rc = tk_run_folder_make(folder, err);
    if (rc == 0)
        rc = tk_run_writer_new(folder, &recorder->writer, err);
    if (rc < 0)
        return rc;
    struct tk_run_owner owner;
    rc = tk_run_owner_self(&owner, err);
    if (rc == 0)
        rc = tk_run_lock(tk_run_writer_dirfd(recorder->writer), &owner, &recorder->lock_fd, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", folder);
    tk_recorder_read_start(recorder);
    rc = tk_relay_new(recorder->writer, &recorder->relay, err);
    if (rc == 0 && recorder->options.compact)
        rc = tk_relay_set_compact(recorder->relay, block_window_ns(recorder), err);
    return rc < 0 ? rc : tk_rows_new(tk_relay_sink(recorder->relay), &recorder->rows, err);
}

/* Most hosts have none. */
static int open_gpus(struct tk_recorder *recorder, struct tk_err *err)
{
    const struct tk_recorder_options *options = &recorder->options;
    if (!recorder->kernel.live || (options->gpu_library && !*options->gpu_library))
        return 0;
    int rc = tk_gpu_new(&recorder->kernel,
                        &(struct tk_gpu_options){.node = options->node.node,
                                                 .host = recorder->host_name,
                                                 .library = options->gpu_library,
                                                 .interval_ns = options->host_interval_ns},
                        &recorder->gpu, err);
    return rc == -ENOENT ? 0 : rc;
}

static void note_files(struct tk_recorder *recorder, const char *why)
{
    char notice[TK_ERR_MAX + 64];
    (void)snprintf(notice, sizeof(notice), "control groups are read from files, each by itself: %s",
                   why);
    tk_recorder_add_notice(recorder, notice);
}

/* By a walk in the kernel when processes are read so, too: their programs were loaded together. */
static int open_cgroups(struct tk_recorder *recorder, struct tk_err *err)
{
    struct tk_bpf *bpf = recorder->procs ? tk_procs_bpf(recorder->procs) : NULL;
    struct tk_group_walker walker;
    struct tk_err why_not = {0};
    bool has_walker = bpf && tk_bpf_group_walker(bpf, &walker, &why_not) == 0;
    if (bpf && !has_walker)
        note_files(recorder, why_not.msg);
    int rc = tk_cgroups_new(&recorder->kernel,
                            &(struct tk_cgroups_options){.node = recorder->options.node.node,
                                                         .host = recorder->host_name,
                                                         .pace = &recorder->budget.pace,
                                                         .walker = has_walker ? &walker : NULL},
                            &recorder->cgroups, err);
    if (rc < 0) /* a host without control groups is recorded without */
        return rc == -ENOENT ? 0 : rc;
    struct tk_cgroups_stats stats;
    tk_cgroups_read_stats(recorder->cgroups, &stats);
    recorder->cgroups_walked = stats.by_walk;
    if (stats.why_not[0])
        note_files(recorder, stats.why_not);
    return 0;
}

static int open_sources(struct tk_recorder *recorder, struct tk_err *err)
{
    struct tk_recorder_options *options = &recorder->options;
    tk_budget_init(&recorder->budget, options->cpu_budget);
    int rc = tk_host_new(&recorder->kernel,
                         &(struct tk_host_options){.node = options->node.node,
                                                   .stage = options->node.stage,
                                                   .host = recorder->host_name,
                                                   .iface = recorder->iface,
                                                   .per_core = options->per_core,
                                                   .pace = &recorder->budget.pace},
                         &recorder->host, err);
    if (rc < 0)
        return rc;
    rc = open_gpus(recorder, err);
    if (rc == 0 && !options->no_procs) {
        options->procs.node = options->node.node;
        options->procs.host = recorder->host_name;
        options->procs.pace = &recorder->budget.pace;
        options->procs.contexts = true;
        options->procs.bpf_parts |= TK_BPF_ALL_CGROUPS;
        rc = tk_procs_new(&recorder->kernel, &options->procs, &recorder->procs, err);
    }
    return rc < 0 ? rc : open_cgroups(recorder, err);
}

static int start_sampler(struct tk_recorder *recorder, struct tk_err *err)
{
    const struct tk_recorder_options *options = &recorder->options;
    int rc =
        tk_sampler_new(&(struct tk_sampler_options){.interval_ns = options->interval_ns,
                                                    .host_interval_ns = options->host_interval_ns,
                                                    .host = recorder->host,
                                                    .procs = recorder->procs,
                                                    .cgroups = recorder->cgroups},
                       &recorder->sampler, err);
    if (rc == 0)
        rc = tk_sampler_step(recorder->sampler, recorder->rows, err);
    if (rc < 0)
        return rc;
    int64_t now = tk_clock_mono_ns();
    recorder->wall_offset_ns = wall_ns() - now;
    add_clock_row(recorder, now, 0);
    rc = tk_rows_flush(recorder->rows, err);
    if (rc == 0) {
        tk_relay_write(recorder->relay);
        rc = tk_relay_next_outcome(recorder->relay, err);
    }
    recorder->start_ns = recorder->flushed_ns = recorder->meta_ns = now;
    return rc < 0 ? rc : 0;
}

/* Buffers that grow leave holes of their former sizes behind when they lie in the heap: 0.7 MB with
 * 2,000 processes. Fixed, the threshold keeps them out of it. */
#define MMAP_THRESHOLD (64 << 10)

static void set_texts(struct tk_recorder *recorder)
{
    tk_recorder_texts_add_own_argv(&recorder->argv);
    tk_recorder_texts_add_argv(&recorder->command, recorder->options.command);
    recorder->privilege_count = tk_privileges_read(recorder->privileges, TK_PRIVILEGES_MAX);
}

/* What it means for the figures that a better source of exits is not to be had. */
static void note_exits(struct tk_recorder *recorder, const struct tk_procs_stats *stats)
{
    static const struct {
        const char *exit_source, *lack;
    } lacks[] = {
        {"none", "no ends of processes are seen, so that short ones may be missing by name"},
        {"proc_connector", "no exit records of the kernel, so that what a process used after its "
                           "last reading is missing by name"},
        {"taskstats", "no process events of the kernel, so that short processes are known by "
                      "their end alone"},
    };
    char notice[256];
    for (size_t i = 0; i < TK_COUNTOF(lacks); i++) {
        if (strcmp(lacks[i].exit_source, stats->exit_source) != 0)
            continue;
        (void)snprintf(notice, sizeof(notice), "%s: %s (see tracekit doctor)", lacks[i].lack,
                       stats->why_not);
        tk_recorder_add_notice(recorder, notice);
    }
}

/* What the first tick has shown. */
static void note_processes(struct tk_recorder *recorder)
{
    struct tk_procs_stats stats = {.why_not = "", .notice = ""};
    if (recorder->procs)
        tk_procs_read_stats(recorder->procs, &stats);
    if (*stats.why_not)
        note_exits(recorder, &stats);
    if (*stats.notice)
        tk_recorder_add_notice(recorder, stats.notice);
}

static void note_remote_mounts(struct tk_recorder *recorder)
{
    char notice[160];
    int64_t remote = tk_host_remote_mounts(recorder->host);
    if (remote == 0)
        return;
    (void)snprintf(notice, sizeof(notice),
                   "%lld file systems of other machines are not asked for their space, since that "
                   "might never return",
                   (long long)remote);
    tk_recorder_add_notice(recorder, notice);
}

static int start(struct tk_recorder *recorder, struct tk_err *err)
{
    const char *root = recorder->options.root ? recorder->options.root : "/";
    int rc = tk_kernel_open(&recorder->kernel, root, err);
    if (rc < 0)
        return rc;
    tk_node_host_name(&recorder->kernel, recorder->host_name);
    if (!recorder->options.node.node)
        recorder->options.node.node = recorder->host_name;
    rc = take_folder(recorder, err);
    if (rc == 0)
        rc = write_node(recorder, err);
    if (rc == 0)
        rc = open_sources(recorder, err);
    if (rc < 0)
        return rc;
    set_texts(recorder);
    tk_recorder_probe(recorder);
    rc = write_run(recorder, err);
    if (rc == 0)
        rc = start_sampler(recorder, err);
    if (rc < 0)
        return rc;
    note_processes(recorder);
    note_remote_mounts(recorder);
    start_prober(recorder);
    tk_recorder_start_self(recorder);
    return 0;
}

int tk_recorder_new(const struct tk_recorder_options *options, struct tk_recorder **ret_recorder,
                    struct tk_err *err)
{
    /* NOLINTBEGIN(concurrency-mt-unsafe): no other thread runs yet */
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
    (void)mallopt(M_ARENA_MAX, 1); /* the other threads allocate little: no heap of their own */
    /* NOLINTEND(concurrency-mt-unsafe) */
    struct tk_recorder *recorder = calloc(1, sizeof(*recorder));
    if (!recorder)
        return tk_fail(err, -ENOMEM, "recorder: out of memory");
    recorder->options = *options;
    recorder->kernel.rootfd = -1;
    recorder->kernel.procfd = -1;
    recorder->lock_fd = recorder->status_fd = -1;
    tk_buf_init(&recorder->argv.bytes, ARGV_TEXT_MAX);
    tk_buf_init(&recorder->command.bytes, ARGV_TEXT_MAX);
    tk_buf_init(&recorder->notices.bytes, ARGV_TEXT_MAX);
    int rc = start(recorder, err);
    if (rc < 0) {
        tk_recorder_free(recorder);
        return rc;
    }
    *ret_recorder = recorder;
    return 0;
}

/* Stop -------------------------------------------------------------------------- */

/* The kernel let us walk at the start, and then no more. */
static void note_lost_walk(struct tk_recorder *recorder)
{
    struct tk_cgroups_stats stats;
    if (!recorder->cgroups_walked)
        return;
    tk_cgroups_read_stats(recorder->cgroups, &stats);
    if (!stats.by_walk)
        note_files(recorder, stats.why_not);
}

static void note_trouble(struct tk_recorder *recorder)
{
    const char *first = "";
    int64_t errors = tk_host_errors(recorder->host, &first);
    char notice[TK_ERR_MAX];
    if (errors == 0)
        return;
    (void)snprintf(notice, sizeof(notice), "%lld readings of the host failed, the first: %s",
                   (long long)errors, first);
    tk_recorder_add_notice(recorder, notice);
}

static void release_lock(struct tk_recorder *recorder)
{
    if (recorder->lock_fd >= 0)
        tk_run_unlock(tk_run_writer_dirfd(recorder->writer), &recorder->lock_fd);
}

static int write_last_rows(struct tk_recorder *recorder, struct tk_err *err)
{
    int rc = tk_sampler_finish(recorder->sampler, recorder->rows, err);
    rc = judge_failure(recorder, rc, err);
    int64_t now = tk_clock_mono_ns();
    recorder->stop_ms = tk_anchor_from_mono(&recorder->kernel.anchor, now) / TK_NS_PER_MS;
    add_clock_row(recorder, now, 0);
    tk_recorder_put_self(recorder, now);
    if (recorder->gpu)
        tk_gpu_take(recorder->gpu, recorder->rows);
    note_trouble(recorder);
    note_lost_walk(recorder);
    if (rc == 0)
        rc = judge_failure(recorder, tk_rows_flush(recorder->rows, err), err);
    tk_relay_write(recorder->relay);
    return rc == 0 ? judge_writing(recorder, err) : rc;
}

/* What on_failure was told of is not told again, but how it ended. */
static int write_end(struct tk_recorder *recorder, struct tk_err *err)
{
    struct tk_err later;
    int rc = tk_run_writer_sync(recorder->writer, err);
    int run = write_run(recorder, rc == 0 ? err : &later);
    rc = rc == 0 ? run : rc;
    if (rc == -ENOENT)
        return fail_removed(recorder, err);
    if (!recorder->failing)
        return rc;
    return tk_fail(err, rc == 0 ? -EIO : rc, "%s: not written again, %lld rows were lost",
                   recorder->options.folder, (long long)lost_rows(recorder));
}

int tk_recorder_finish(struct tk_recorder *recorder, struct tk_err *err)
{
    stop_prober(recorder);
    int rc = write_last_rows(recorder, err);
    if (rc == 0)
        rc = write_end(recorder, err);
    release_lock(recorder);
    return rc;
}

void tk_recorder_free(struct tk_recorder *recorder)
{
    if (!recorder)
        return;
    stop_prober(recorder);
    tk_gpu_free(recorder->gpu);
    tk_sampler_free(recorder->sampler);
    tk_cgroups_free(recorder->cgroups);
    tk_procs_free(recorder->procs);
    tk_host_free(recorder->host);
    tk_rows_free(recorder->rows);
    tk_relay_free(recorder->relay);
    release_lock(recorder);
    tk_run_writer_free(recorder->writer);
    tk_fd_close(&recorder->status_fd);
    tk_kernel_close(&recorder->kernel);
    tk_buf_release(&recorder->argv.bytes);
    tk_buf_release(&recorder->command.bytes);
    tk_buf_release(&recorder->notices.bytes);
    free(recorder);
}

/* Parts ------------------------------------------------------------------------- */

int tk_recorder_fd(const struct tk_recorder *recorder)
{
    return tk_sampler_fd(recorder->sampler);
}

int tk_recorder_dirfd(const struct tk_recorder *recorder)
{
    return tk_run_writer_dirfd(recorder->writer);
}

const char *tk_recorder_iface(const struct tk_recorder *recorder)
{
    return recorder->iface;
}

void tk_recorder_set_tree_root(struct tk_recorder *recorder, pid_t pid)
{
    if (recorder->procs)
        tk_procs_set_tree_root(recorder->procs, pid);
}

void tk_recorder_set_exit_status(struct tk_recorder *recorder, int exit_status)
{
    recorder->exit_status = exit_status;
    recorder->has_exit_status = true;
}

void tk_recorder_set_leaf(struct tk_recorder *recorder)
{
    recorder->has_leaf = true;
}

void tk_recorder_add_notice(struct tk_recorder *recorder, const char *notice)
{
    tk_recorder_texts_add(&recorder->notices, tk_str_from(notice));
}

const struct tk_kernel *tk_recorder_kernel(const struct tk_recorder *recorder)
{
    return &recorder->kernel;
}

struct tk_procs *tk_recorder_procs(struct tk_recorder *recorder)
{
    return recorder->procs;
}
