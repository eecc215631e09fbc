/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/collectors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"

#define PATIENCE_MS   5000
#define AFTER_KILL_MS 5000
#define PID_FILE      "collector.pid"

/* Command lines ----------------------------------------------------------------- */

struct command_line {
    char buf[8192]; /* arguments with a NUL after each, as /proc has them; cut when longer */
    tk_str text;
};

static bool command_line_read(pid_t pid, struct command_line *ret_line)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    TK_CLEANUP(tk_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, ret_line->buf, sizeof(ret_line->buf));
    ret_line->text = (tk_str){ret_line->buf, n > 0 ? (size_t)n : 0};
    return n > 0;
}

static bool has_text(tk_str haystack, const char *needle)
{
    return memmem(haystack.p, haystack.n, needle, strlen(needle)) != NULL;
}

/* What of tracekit the process runs: "collect", "record", ...; empty = unknown. */
static tk_str subcommand(const struct command_line *line)
{
    tk_str rest = line->text;
    tk_str program;
    tk_str word = {NULL, 0};
    if (tk_str_take_until(&rest, '\0', &program))
        (void)tk_str_take_until(&rest, '\0', &word);
    return word;
}

static bool is_collector(pid_t pid)
{
    struct command_line line;
    if (!command_line_read(pid, &line))
        return false;
    tk_str name = subcommand(&line);
    return tk_str_eq(name, TK_STR("collect")) || tk_str_eq(name, TK_STR("start-collect"));
}

/* Stop -------------------------------------------------------------------------- */

static bool has_ended(int pidfd, int timeout_ms)
{
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    return poll(&fd, 1, timeout_ms) == 1;
}

static int terminate(int pidfd, pid_t pid, struct tk_err *err)
{
    if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
        return tk_fail_errno(err, "stopping process %d", (int)pid);
    if (has_ended(pidfd, PATIENCE_MS))
        return 1;
    (void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
    if (!has_ended(pidfd, AFTER_KILL_MS))
        return tk_fail(err, -ETIMEDOUT, "process %d does not end", (int)pid);
    return 1;
}

static int stop_owner(int dirfd, const char *folder, struct tk_err *err)
{
    struct tk_run_owner owner;
    int rc = tk_run_owner_read(dirfd, &owner, err);
    if (rc == -ESRCH)
        tk_run_owner_clear(dirfd);
    if (rc == -ENOENT || rc == -ESRCH)
        return 0;
    if (rc < 0)
        return tk_err_prefix(err, "%s", folder);

    /* The descriptor first, then the identity: what is signalled is what was looked at. */
    TK_CLEANUP(tk_fd_close) int pidfd = pidfd_open(owner.pid, 0);
    int64_t start_ticks;
    if (pidfd < 0 || !tk_run_start_ticks(owner.pid, &start_ticks) ||
        start_ticks != owner.start_ticks)
        return tk_fail(err, -EBUSY, "%s: its recorder runs in another pid namespace", folder);
    if (!is_collector(owner.pid)) {
        return tk_fail(err, -EBUSY, "%s: a command is being recorded there (pid %d)", folder,
                       (int)owner.pid);
    }
    rc = terminate(pidfd, owner.pid, err);
    if (rc > 0)
        tk_run_owner_clear(dirfd); /* left behind only when it was killed */
    return rc;
}

/* Pid files of the original collectors hold a bare pid, perhaps of a shell around the tool. */
static int stop_old(int dirfd, const char *folder, const char *tool)
{
    char name[32];
    char buf[64];
    tk_str text;
    uint64_t pid;
    struct tk_err ignored;
    (void)snprintf(name, sizeof(name), "%s.pid", tool);
    if (tk_file_read(dirfd, name, buf, sizeof(buf), &text, &ignored) < 0)
        return 0;
    int stopped = 0;
    struct command_line line;
    if (tk_parse_u64(tk_str_trim(text), &pid) && pid > 1 && pid <= INT_MAX) {
        TK_CLEANUP(tk_fd_close) int pidfd = pidfd_open((pid_t)pid, 0);
        if (pidfd >= 0 && command_line_read((pid_t)pid, &line) && has_text(line.text, tool) &&
            has_text(line.text, folder))
            stopped = pidfd_send_signal(pidfd, SIGTERM, NULL, 0) == 0;
    }
    (void)unlinkat(dirfd, name, 0);
    return stopped;
}

int tk_collector_stop(const char *folder, struct tk_err *err)
{
    static const char *const old_tools[] = {"mpstat", "ifstat", "vmstat", "procmon"};
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    int rc = tk_dir_open(AT_FDCWD, folder, &dirfd, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    int stopped = 0;
    for (size_t i = 0; i < TK_COUNTOF(old_tools); i++)
        stopped |= stop_old(dirfd, folder, old_tools[i]);
    rc = stop_owner(dirfd, folder, err);
    return rc < 0 ? rc : stopped | rc;
}

/* Find -------------------------------------------------------------------------- */

/* The run folder whose collector.pid the process holds open; false = none. */
static bool held_folder(const char *pid, char ret_folder[PATH_MAX])
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
    DIR *fds = opendir(path);
    if (!fds)
        return false;
    bool found = false;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): readdir() is safe on a DIR of one's own */
    for (struct dirent *entry = readdir(fds); entry && !found; entry = readdir(fds)) {
        ssize_t n = readlinkat(dirfd(fds), entry->d_name, ret_folder, PATH_MAX - 1);
        tk_str target = {ret_folder, n > 0 ? (size_t)n : 0};
        if (!tk_str_ends_with(target, TK_STR("/" PID_FILE)))
            continue;
        ret_folder[target.n - strlen("/" PID_FILE)] = '\0';
        found = true;
    }
    (void)closedir(fds);
    return found;
}

static bool is_ours(const char *pid)
{
    char path[64];
    struct stat st;
    (void)snprintf(path, sizeof(path), "/proc/%.16s", pid);
    return stat(path, &st) == 0 && st.st_uid == geteuid();
}

void tk_collectors_each(void (*visit)(void *context, const char *folder), void *context)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        return;
    char folder[PATH_MAX];
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): readdir() is safe on a DIR of one's own */
    for (struct dirent *entry = readdir(proc); entry; entry = readdir(proc)) {
        uint64_t pid;
        if (tk_parse_u64(tk_str_from(entry->d_name), &pid) && is_ours(entry->d_name) &&
            is_collector((pid_t)pid) && held_folder(entry->d_name, folder))
            visit(context, folder);
    }
    (void)closedir(proc);
}

static bool is_recorded(const char *folder)
{
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    struct tk_run_owner owner;
    struct tk_err ignored;
    return tk_dir_open(AT_FDCWD, folder, &dirfd, &ignored) == 0 &&
           tk_run_owner_read(dirfd, &owner, &ignored) == 0;
}

static int by_run_id(const struct dirent **a, const struct dirent **b)
{
    return tk_run_id_cmp(tk_str_from((*a)->d_name), tk_str_from((*b)->d_name));
}

static int is_run_name(const struct dirent *entry)
{
    return tk_run_id_ok(tk_str_from(entry->d_name));
}

void tk_collectors_each_below(const char *parent, void (*visit)(void *context, const char *folder),
                              void *context)
{
    struct dirent **entries = NULL;
    int n = scandir(parent, &entries, is_run_name, by_run_id);
    for (int i = 0; i < n; i++) {
        char folder[PATH_MAX];
        int length = snprintf(folder, sizeof(folder), "%s/%s", parent, entries[i]->d_name);
        if (length > 0 && (size_t)length < sizeof(folder) && is_recorded(folder))
            visit(context, folder);
        free(entries[i]);
    }
    free(entries);
}
