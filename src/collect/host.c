/* SPDX-License-Identifier: Apache-2.0 */
/* The host's sources at run time. The tick is a hot path: each source that is due costs one pread
 * (two when it is longer than a page) and its parser; nothing is allocated or formatted.
 *
 *     tick:  stat ── moved? ─┬─ yes: every source that is due ─► host_rows.c ─► rows
 *                            └─ no:  those that make rows of their own
 *
 * /proc/stat counts in ticks of 10 ms. In an interval so short that none passed a CPU row would
 * have no value, so its sources wait for the next tick, and no time is lost between rows. */
#include "collect/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/file.h"
#include "collect/cgroup_mounts.h"
#include "collect/host_internal.h"
#include "collect/kernel_text.h"

enum {
    FIRST_CAP = 16 * 1024,
    LAST_CAP = 4 * 1024 * 1024,
    SHORT_READ = 2048, /* a read of a paged file that brings less is its end: no record is longer */
    SLACK = 256, /* by which a file may grow in front of its last key from reading to reading */
};

static int64_t period_ns(const struct tk_host *host, enum tk_host_class class)
{
    const int64_t periods[] = {
        [TK_HOST_FAST] = 0,
        [TK_HOST_1S] = tk_pace_detail_ns(host->options.pace, TK_NS_PER_S),
        [TK_HOST_5S] = tk_pace_detail_ns(host->options.pace, 5 * TK_NS_PER_S),
        [TK_HOST_SLOW] = tk_pace_slow_ns(host->options.pace, 10 * TK_NS_PER_S),
    };
    return periods[class];
}

/* Opening --------------------------------------------------------------------------- */

/* Some files open but cannot be read (no PSI at boot), others lack what is wanted: they are left
 * out as if missing. Broken text is another matter: that is counted at each tick. */
static bool is_of_use(int fd, const char *needed)
{
    char buf[1024];
    ssize_t n = pread(fd, buf, sizeof(buf), 0);
    return n > 0 && (!needed || memmem(buf, (size_t)n, needed, strlen(needed)));
}

/* cpu.stat of our own group, in the hierarchy whose file counts throttling. */
static size_t open_throttle(const struct tk_kernel *kernel, int *ret_fd)
{
    static const int hierarchies[] = {TK_CGROUP_V2, TK_CGROUP_CPU};
    struct tk_cgroup_mounts mounts;
    struct tk_err ignored;
    if (tk_cgroup_mounts_read(kernel, &mounts, &ignored) < 0)
        return 0;
    for (size_t i = 0; i < TK_COUNTOF(hierarchies); i++) {
        char path[TK_CGROUP_PATH_MAX];
        const char *own = mounts.own[hierarchies[i]];
        if (tk_cgroup_is_root(kernel, &mounts, hierarchies[i], own) ||
            tk_cgroup_file_path(&mounts, hierarchies[i], own, "cpu.stat", path, sizeof(path)) < 0)
            continue;
        int fd = openat(kernel->rootfd, path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && is_of_use(fd, "nr_throttled ")) {
            *ret_fd = fd;
            return 1;
        }
        tk_fd_close(&fd);
    }
    return 0;
}

static size_t open_source(const struct tk_host *host, enum tk_host_source_id id, int *ret_fds)
{
    const struct tk_host_source *source = &tk_host_sources[id];
    if (source->unless && host->states[source->unless].fd_count > 0)
        return 0;
    if (!source->path)
        return open_throttle(host->kernel, ret_fds);
    return tk_host_files_open(host->kernel->rootfd, source->path, source->takes, ret_fds,
                              TK_HOST_FILES_MAX);
}

static int open_all(struct tk_host *host, struct tk_err *err)
{
    for (size_t id = 0; id < TK_HOST_SOURCE_COUNT; id++) {
        int fds[TK_HOST_FILES_MAX];
        struct tk_host_state *state = &host->states[id];
        size_t n = open_source(host, (enum tk_host_source_id)id, fds);
        bool keep = n > 0 && is_of_use(fds[0], NULL);
        state->fds = keep ? calloc(n, sizeof(*fds)) : NULL;
        if (state->fds) {
            memcpy(state->fds, fds, n * sizeof(*fds));
            state->fd_count = n;
            continue;
        }
        for (size_t i = 0; i < n; i++)
            tk_fd_close(&fds[i]);
        if (keep)
            return tk_fail(err, -ENOMEM, "host: out of memory");
    }
    return 0;
}

int tk_host_new(const struct tk_kernel *kernel, const struct tk_host_options *options,
                struct tk_host **ret_host, struct tk_err *err)
{
    struct tk_host *host = calloc(1, sizeof(*host));
    if (!host)
        return tk_fail(err, -ENOMEM, "host: out of memory");
    host->kernel = kernel;
    host->options = *options;
    host->energy_uj = host->forks = host->last_pid = TK_HOST_ABSENT;
    host->cap = FIRST_CAP;
    host->buf = malloc(host->cap);
    host->readings = calloc(2, sizeof(*host->readings));
    if (options->per_core)
        host->core_utils = calloc(TK_HOST_CORES_MAX, sizeof(*host->core_utils));
    int rc = 0;
    if (!host->buf || !host->readings || (options->per_core && !host->core_utils))
        rc = tk_fail(err, -ENOMEM, "host: out of memory");
    if (rc == 0)
        rc = open_all(host, err);
    if (rc < 0) {
        tk_host_free(host);
        return rc;
    }
    tk_host_energy_ranges(kernel->rootfd, host->energy_range_uj, TK_HOST_FILES_MAX);
    *ret_host = host;
    return 0;
}

void tk_host_free(struct tk_host *host)
{
    if (!host)
        return;
    for (size_t id = 0; id < TK_HOST_SOURCE_COUNT; id++) {
        for (size_t i = 0; i < host->states[id].fd_count; i++)
            tk_fd_close(&host->states[id].fds[i]);
        free(host->states[id].fds);
    }
    free(host->core_utils);
    free(host->readings);
    free(host->buf);
    free(host);
}

/* Reading --------------------------------------------------------------------------- */

static bool grow(struct tk_host *host)
{
    char *buf = host->cap < LAST_CAP ? realloc(host->buf, host->cap * 2) : NULL;
    if (!buf)
        return false;
    host->buf = buf;
    host->cap *= 2;
    return true;
}

/* Read a file whole. The kernel hands out single-record files in one read of any size, others page
 * by page, so that most need no second read to see their end. */
static int read_whole(struct tk_host *host, int fd, bool paged, tk_str *ret)
{
    size_t n = 0;
    for (;;) {
        ssize_t got = pread(fd, host->buf + n, host->cap - n, (off_t)n);
        host->syscalls++;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        n += (size_t)got;
        if (got == 0 || (n < host->cap && (!paged || got < SHORT_READ)))
            break;
        if (n == host->cap && !grow(host))
            return -EMSGSIZE;
    }
    *ret = (tk_str){host->buf, n};
    return 0;
}

/* Where the line of `last_key` ends, 0 when it is not all there. */
static size_t end_of_key(tk_str text, const char *last_key)
{
    const char *key = memmem(text.p, text.n, last_key, strlen(last_key));
    const char *end = key ? memchr(key + 1, '\n', text.n - (size_t)(key + 1 - text.p)) : NULL;
    return end ? (size_t)(end + 1 - text.p) : 0;
}

/* Read a source that is wanted up to its last key: the kernel writes no more of it than is asked
 * for. Whole again when that was not enough. */
static int read_to_key(struct tk_host *host, struct tk_host_state *state, const char *last_key,
                       tk_str *ret)
{
    size_t want = state->enough > 0 ? state->enough + SLACK : 0;
    ssize_t got = 0;
    if (want > 0 && want <= host->cap) {
        got = pread(state->fds[0], host->buf, want, 0);
        host->syscalls++;
    }
    *ret = (tk_str){host->buf, got > 0 ? (size_t)got : 0};
    int rc = 0;
    size_t enough = end_of_key(*ret, last_key);
    if (enough == 0) {
        rc = read_whole(host, state->fds[0], true, ret);
        enough = rc == 0 ? end_of_key(*ret, last_key) : 0;
    }
    state->enough = enough;
    return rc;
}

static int read_file(struct tk_host *host, enum tk_host_source_id id, size_t index, tk_str *ret)
{
    struct tk_host_state *state = &host->states[id];
    const struct tk_host_source *source = &tk_host_sources[id];
    return source->last_key ? read_to_key(host, state, source->last_key, ret)
                            : read_whole(host, state->fds[index], source->paged, ret);
}

static void count_error(struct tk_host *host, enum tk_host_source_id id, struct tk_err *err)
{
    const char *path = tk_host_sources[id].path;
    host->errors++;
    if (host->first_error[0])
        return;
    tk_err_prefix(err, "%s", path ? path : tk_host_sources[id].name);
    memcpy(host->first_error, err->msg, sizeof(host->first_error));
}

/* Into the older of the two readings; the caller decides whether it becomes the newest. */
static bool read_source(struct tk_host *host, enum tk_host_source_id id)
{
    struct tk_host_state *state = &host->states[id];
    const struct tk_host_source *source = &tk_host_sources[id];
    unsigned next = state->latest ^ 1;
    struct tk_err err;
    for (size_t i = 0; i < state->fd_count; i++) {
        tk_str text;
        int rc = read_file(host, id, i, &text);
        if (i == 0)
            state->stamp_ns[next] = host->kernel->mono_ns(host->kernel->world);
        if (rc < 0)
            tk_fail_code(&err, rc, "cannot be read");
        if (rc < 0 || source->parse(text, i, &host->readings[next], &err) < 0) {
            count_error(host, id, &err);
            return false;
        }
    }
    return true;
}

static void accept_reading(struct tk_host_state *state)
{
    state->latest ^= 1;
    state->readings = state->readings < 2 ? state->readings + 1 : 2;
    state->fresh = true;
}

/* A source is due a little early rather than a whole tick late, and keeps to its own schedule. */
static bool is_due(struct tk_host_state *state, int64_t period, int64_t now_ns)
{
    if (now_ns < state->due_ns - period / 20)
        return false;
    state->due_ns += period;
    if (state->due_ns <= now_ns)
        state->due_ns = now_ns + period;
    return true;
}

static int64_t ticks_of(const struct tk_host_cpu *cpu)
{
    return cpu->user + cpu->nice + cpu->system + cpu->idle + cpu->iowait + cpu->irq + cpu->softirq +
           cpu->steal;
}

/* Read /proc/stat; false when no tick of the kernel passed since its last reading. */
static bool read_stat(struct tk_host *host)
{
    struct tk_host_state *state = &host->states[TK_HOST_STAT];
    if (state->fd_count == 0 || !read_source(host, TK_HOST_STAT))
        return true;
    const struct tk_host_stat *before = &host->readings[state->latest].stat;
    const struct tk_host_stat *now = &host->readings[state->latest ^ 1].stat;
    host->forks = now->processes;
    if (state->readings > 0 && ticks_of(&now->cpu) == ticks_of(&before->cpu))
        return false;
    accept_reading(state);
    return true;
}

/* Joules are summed up here, so that the counter in the rows never wraps. */
static void add_energy(struct tk_host *host)
{
    const struct tk_host_state *state = &host->states[TK_HOST_ENERGY];
    const struct tk_host_energy *now = &host->readings[state->latest].energy;
    const struct tk_host_energy *before = &host->readings[state->latest ^ 1].energy;
    bool first = host->energy_uj < 0;
    if (first)
        host->energy_uj = 0;
    for (size_t i = 0; i < now->count; i++) {
        int64_t change = first ? now->uj[i] : now->uj[i] - before->uj[i];
        if (change < 0)
            change += host->energy_range_uj[i];
        if (change > 0 && !tk_add_i64(host->energy_uj, change, &host->energy_uj))
            host->energy_uj = 0;
    }
}

/* Is there a row for what this source gives? */
static bool has_row(const struct tk_host *host, enum tk_host_source_id id, bool moved)
{
    if (tk_host_sources[id].own_rows)
        return true;
    return moved && (host->states[TK_HOST_STAT].readings == 2 || !tk_host_sources[id].gauge);
}

static void tick(struct tk_host *host, bool all, struct tk_rows *rows)
{
    for (size_t id = 0; id < TK_HOST_SOURCE_COUNT; id++)
        host->states[id].fresh = false;
    bool moved = read_stat(host);
    int64_t now_ns = host->kernel->mono_ns(host->kernel->world);
    for (enum tk_host_source_id id = TK_HOST_STAT + 1; id < TK_HOST_SOURCE_COUNT; id++) {
        struct tk_host_state *state = &host->states[id];
        if (state->fd_count == 0 || !has_row(host, id, moved))
            continue;
        bool due = is_due(state, period_ns(host, tk_host_sources[id].class), now_ns);
        if ((due || all) && read_source(host, id))
            accept_reading(state);
    }
    if (host->states[TK_HOST_ENERGY].fresh)
        add_energy(host);
    tk_host_put_rows(host, rows);
}

void tk_host_tick(struct tk_host *host, struct tk_rows *rows)
{
    tick(host, false, rows);
}

void tk_host_finish(struct tk_host *host, struct tk_rows *rows)
{
    tick(host, true, rows);
}

/* "0.20 0.18 0.12 1/80 11206": the last word. */
static int64_t read_last_pid(struct tk_host *host)
{
    const struct tk_host_state *state = &host->states[TK_HOST_LOADAVG];
    tk_str text = {NULL, 0};
    int64_t pid;
    if (state->fd_count == 0 || read_whole(host, state->fds[0], false, &text) < 0)
        return TK_HOST_ABSENT;
    text = tk_str_trim(text);
    size_t space = tk_str_find_last(text, ' ');
    text = (tk_str){text.p + space, text.n - space};
    return tk_scan_counter(&text, &pid) ? pid : TK_HOST_ABSENT;
}

int64_t tk_host_forks(struct tk_host *host)
{
    const struct tk_host_state *state = &host->states[TK_HOST_STAT];
    if (host->kernel->pid_namespace)
        return TK_HOST_ABSENT;
    int64_t last_pid = read_last_pid(host);
    if (host->forks >= 0 && last_pid >= 0 && last_pid == host->last_pid)
        return host->forks;
    host->last_pid = last_pid; /* before the count: a fork in between is then seen next time */
    tk_str text = {NULL, 0};
    if (state->fd_count == 0 || read_whole(host, state->fds[0], false, &text) < 0 || text.n == 0)
        return TK_HOST_ABSENT;
    static const char key[] = "\nprocesses ";
    const char *hit = memmem(text.p, text.n, key, sizeof(key) - 1);
    if (!hit)
        return TK_HOST_ABSENT;
    tk_str value = {hit + sizeof(key) - 1, text.n - (size_t)(hit + sizeof(key) - 1 - text.p)};
    return tk_scan_counter(&value, &host->forks) ? host->forks : TK_HOST_ABSENT;
}

int64_t tk_host_errors(const struct tk_host *host, const char **ret_first)
{
    *ret_first = host->first_error;
    return host->errors;
}

int64_t tk_host_syscalls(const struct tk_host *host)
{
    return host->syscalls;
}

int64_t tk_host_remote_mounts(const struct tk_host *host)
{
    const struct tk_host_state *state = &host->states[TK_HOST_MOUNTINFO];
    return state->readings > 0 ? (int64_t)host->readings[state->latest].mounts.remote_count : 0;
}
