/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/cgroup_folders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "base/str.h"

enum {
    PROCS_MAX = 4 * 1024 * 1024, /* bytes of pids */
    DEPTH_MAX = 16,
    REMOVE_TRIES = 200, /* of 5 ms: dying processes leave a group a little late */
};

static const char name_prefix[] = "tracekit-";

int tk_cgroup_write(int group, const char *name, const char *text)
{
    TK_CLEANUP(tk_fd_close) int fd = openat(group, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static void pause_ms(int ms)
{
    struct timespec time = {.tv_nsec = ms * TK_NS_PER_MS};
    (void)nanosleep(&time, NULL);
}

/* Move what is in the group `from` up to the group `to`. */
static void move_up(int from, int to)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf pids;
    tk_str line;
    struct tk_err ignored;
    tk_buf_init(&pids, PROCS_MAX);
    if (tk_file_load(from, "cgroup.procs", &pids, &ignored) < 0)
        return;
    tk_str text = tk_buf_str(&pids);
    while (tk_str_take_line(&text, &line)) {
        char pid[24];
        if (tk_str_to_cstr(line, pid, sizeof(pid)))
            (void)tk_cgroup_write(to, "cgroup.procs", pid);
    }
}

static bool remove_tree(int parent, const char *name, int to, int depth)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        tk_fd_close(&fd);
        return errno == ENOENT;
    }
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
    while (depth < DEPTH_MAX && (entry = readdir(dir))) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            (void)remove_tree(fd, entry->d_name, to, depth + 1);
    }
    bool gone = false;
    for (int i = 0; i < REMOVE_TRIES && !gone; i++) {
        move_up(fd, to);
        gone = unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
        if (!gone)
            pause_ms(5);
    }
    closedir(dir);
    return gone;
}

bool tk_cgroup_remove(int parent, const char *name)
{
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
        return true;
    return remove_tree(parent, name, parent, 0);
}

bool tk_cgroup_remove_stale(int parent)
{
    int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        tk_fd_close(&fd);
        return false;
    }
    bool found = false;
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
    while ((entry = readdir(dir))) {
        tk_str name = tk_str_from(entry->d_name);
        int64_t pid;
        if (!tk_str_starts_with(name, tk_str_from(name_prefix)))
            continue;
        size_t dash = tk_str_find_last(name, '-');
        if (tk_parse_i64((tk_str){name.p + dash + 1, name.n - dash - 1}, &pid) && pid > 0 &&
            kill((pid_t)pid, 0) < 0 && errno == ESRCH) {
            (void)unlinkat(parent, entry->d_name, AT_REMOVEDIR);
            found = true;
        }
    }
    closedir(dir);
    return found;
}

/* Stepping aside --------------------------------------------------------------------- */

static bool is_word_of(int dirfd, const char *name, const char *word)
{
    char buf[512];
    tk_str text;
    tk_str found;
    struct tk_err ignored;
    if (tk_file_read(dirfd, name, buf, sizeof(buf), &text, &ignored) < 0)
        return false;
    text = tk_str_trim(text);
    while (tk_str_take_word(&text, &found)) {
        if (tk_str_eq(found, tk_str_from(word)))
            return true;
    }
    return false;
}

/* Are we all that is in this group? */
static bool is_alone(int group)
{
    char buf[64];
    tk_str text;
    int64_t pid;
    struct tk_err ignored;
    return tk_file_read(group, "cgroup.procs", buf, sizeof(buf), &text, &ignored) == 0 &&
           tk_parse_i64(tk_str_trim(text), &pid) && pid == getpid();
}

/* Named so that tk_cgroup_remove_stale() knows it. */
static void self_name(char name[64])
{
    (void)snprintf(name, 64, "%sself-%d", name_prefix, (int)getpid());
}

void tk_cgroup_step_back(struct tk_cgroup_step *step, int own)
{
    char name[64];
    if (!step->aside)
        return;
    if (step->enabled[0])
        (void)tk_cgroup_write(own, "cgroup.subtree_control", step->enabled);
    self_name(name);
    (void)tk_cgroup_write(own, "cgroup.procs", "0");
    (void)tk_cgroup_remove(own, name);
    *step = (struct tk_cgroup_step){0};
}

/* Into a child of our group. */
static bool enter_child(int own)
{
    char name[64];
    self_name(name);
    if (mkdirat(own, name, 0755) < 0)
        return false;
    TK_CLEANUP(tk_fd_close) int self = openat(own, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self >= 0 && tk_cgroup_write(self, "cgroup.procs", "0") == 0)
        return true;
    (void)unlinkat(own, name, AT_REMOVEDIR);
    return false;
}

void tk_cgroup_step_aside(struct tk_cgroup_step *step, int own, const char *const *wanted)
{
    *step = (struct tk_cgroup_step){0};
    if (!is_word_of(own, "cgroup.controllers", wanted[0]) ||
        is_word_of(own, "cgroup.subtree_control", wanted[0]) || !is_alone(own) || !enter_child(own))
        return;
    step->aside = true;
    size_t n = 0;
    for (; *wanted && n + 16 < sizeof(step->enabled); wanted++) {
        char enable[16];
        (void)snprintf(enable, sizeof(enable), "+%s", *wanted);
        if (is_word_of(own, "cgroup.controllers", *wanted) &&
            tk_cgroup_write(own, "cgroup.subtree_control", enable) == 0)
            n += (size_t)snprintf(step->enabled + n, sizeof(step->enabled) - n, "-%s ", *wanted);
    }
    if (n == 0)
        tk_cgroup_step_back(step, own);
}
