/* SPDX-License-Identifier: Apache-2.0 */
/* collector.pid: who records into a folder. The lock tells that somebody does, the identity (boot
 * id, pid, start) that it is still the process that wrote the file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "run/run_internal.h"

#define PID_FILE     "collector.pid"
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

static int read_member(struct tk_json *json, tk_str key, struct tk_run_owner *owner,
                       struct tk_err *err)
{
    if (tk_str_eq(key, TK_STR("pid"))) {
        int64_t pid = 0;
        int rc = tk_json_read_i64(json, &pid, err);
        owner->pid = pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
        return rc;
    }
    if (tk_str_eq(key, TK_STR("start_ticks")))
        return tk_json_read_i64(json, &owner->start_ticks, err);

    tk_str raw;
    int rc = tk_json_skip(json, &raw, err);
    if (rc == 0 && raw.n >= 2 && tk_str_eq(key, TK_STR("boot_id"))) {
        (void)tk_str_to_cstr((tk_str){raw.p + 1, raw.n - 2}, owner->boot_id,
                             sizeof(owner->boot_id));
    }
    return rc;
}

static int read_owner(struct tk_json *json, struct tk_run_owner *ret_owner, struct tk_err *err)
{
    struct tk_run_owner owner = {0};
    tk_str key;
    int rc = tk_json_enter_object(json, err);
    while (rc == 0 && (rc = tk_json_next_key(json, NULL, &key, err)) == 0)
        rc = read_member(json, key, &owner, err);
    if (rc < 0)
        return rc;
    if (owner.pid == 0)
        return tk_fail(err, -EBADMSG, "no process id in it");
    *ret_owner = owner;
    return 0;
}

static int load_owner(int dirfd, struct tk_run_owner *ret_owner, struct tk_err *err)
{
    char buf[512];
    tk_str text;
    int rc = tk_file_read(dirfd, PID_FILE, buf, sizeof(buf), &text, err);
    if (rc < 0)
        return rc;
    struct tk_json json;
    tk_json_init(&json, text);
    rc = read_owner(&json, ret_owner, err);
    return rc < 0 ? tk_err_prefix(err, PID_FILE) : 0;
}

/* Start of a process in ticks since boot: field 22 of /proc/PID/stat, proc(5). The name in field 2
 * may hold anything, so count from its last parenthesis. */
bool tk_run_start_ticks(pid_t pid, int64_t *ret_ticks)
{
    char path[32];
    char buf[2048];
    tk_str text;
    struct tk_err ignored;
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    if (tk_file_read(AT_FDCWD, path, buf, sizeof(buf), &text, &ignored) < 0)
        return false;
    size_t name_end = tk_str_find_last(text, ')');
    if (name_end == text.n)
        return false;
    tk_str rest = {text.p + name_end + 1, text.n - name_end - 1};
    tk_str word = {NULL, 0};
    for (int field = 3; field <= 22; field++) {
        if (!tk_str_take_word(&rest, &word))
            return false;
        if (field == 3 && (tk_str_eq(word, TK_STR("Z")) || tk_str_eq(word, TK_STR("X"))))
            return false; /* dead, and only its parent has not looked yet */
    }
    return tk_parse_i64(word, ret_ticks);
}

int tk_run_owner_self(struct tk_run_owner *ret_owner, struct tk_err *err)
{
    struct tk_run_owner owner = {.pid = getpid()};
    char buf[sizeof(owner.boot_id) + 1];
    tk_str text;
    if (!tk_run_start_ticks(owner.pid, &owner.start_ticks)) {
        return tk_fail(err, -ENOENT, "/proc/%ld/stat: expected the start of this process",
                       (long)owner.pid);
    }
    /* Without one the start time decides alone. */
    struct tk_err ignored;
    if (tk_file_read(AT_FDCWD, BOOT_ID_FILE, buf, sizeof(buf), &text, &ignored) == 0)
        (void)tk_str_to_cstr(tk_str_trim(text), owner.boot_id, sizeof(owner.boot_id));
    *ret_owner = owner;
    return 0;
}

static bool is_this_boot(const char *boot_id)
{
    char buf[64];
    tk_str text;
    struct tk_err ignored;
    if (tk_file_read(AT_FDCWD, BOOT_ID_FILE, buf, sizeof(buf), &text, &ignored) < 0)
        return true; /* not told: the start time must decide */
    return !*boot_id || tk_str_eq(tk_str_trim(text), tk_str_from(boot_id));
}

static bool is_alive(const struct tk_run_owner *owner)
{
    int64_t start_ticks;
    return is_this_boot(owner->boot_id) && tk_run_start_ticks(owner->pid, &start_ticks) &&
           start_ticks == owner->start_ticks;
}

/* Somebody holds the lock whom we cannot see: a recorder in another pid namespace. */
static bool is_held(int dirfd)
{
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, PID_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int tk_run_owner_read(int dirfd, struct tk_run_owner *ret_owner, struct tk_err *err)
{
    struct tk_run_owner owner;
    int rc = load_owner(dirfd, &owner, err);
    if (rc == -ENOENT)
        return rc;
    if (rc < 0 || (!is_alive(&owner) && !is_held(dirfd)))
        return tk_fail(err, -ESRCH, PID_FILE ": its recorder is gone");
    *ret_owner = owner;
    return 0;
}

static int busy(int dirfd, struct tk_err *err)
{
    struct tk_run_owner owner = {0};
    if (load_owner(dirfd, &owner, err) < 0)
        return tk_fail(err, -EBUSY, "another recorder is starting there");
    return tk_fail(err, -EBUSY, "a recorder is running there already (pid %ld)", (long)owner.pid);
}

void tk_run_unlock(int dirfd, int *fd)
{
    if (*fd >= 0 && tk_fd_is_at(*fd, dirfd, PID_FILE))
        (void)unlinkat(dirfd, PID_FILE, 0);
    tk_fd_close(fd);
}

void tk_run_owner_clear(int dirfd)
{
    struct tk_run_owner owner;
    struct tk_err ignored;
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, PID_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || !tk_fd_lock(fd, 0))
        return;
    if (load_owner(dirfd, &owner, &ignored) < 0 || !is_alive(&owner))
        tk_run_unlock(dirfd, &fd);
}

static int open_locked(int dirfd, int *ret_fd, struct tk_err *err)
{
    for (;;) {
        TK_CLEANUP(tk_fd_close)
        int fd = openat(dirfd, PID_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
            return tk_fail_errno(err, PID_FILE);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
            return errno == EWOULDBLOCK ? busy(dirfd, err) : tk_fail_errno(err, PID_FILE);
        if (!tk_fd_is_at(fd, dirfd, PID_FILE))
            continue; /* a recorder that ended has removed it */
        *ret_fd = tk_fd_take(&fd);
        return 0;
    }
}

int tk_run_lock(int dirfd, const struct tk_run_owner *owner, int *ret_fd, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int fd = -1;
    int rc = open_locked(dirfd, &fd, err);
    if (rc < 0)
        return rc;
    char line[160];
    int n =
        snprintf(line, sizeof(line), "{\"pid\":%ld,\"start_ticks\":%lld,\"boot_id\":\"%.36s\"}\n",
                 (long)owner->pid, (long long)owner->start_ticks, owner->boot_id);
    if (ftruncate(fd, 0) < 0)
        return tk_fail_errno(err, PID_FILE);
    rc = tk_fd_write(fd, (tk_str){line, (size_t)n}, PID_FILE, err);
    if (rc < 0)
        return rc;
    tk_run_adopt(dirfd, fd);
    *ret_fd = tk_fd_take(&fd);
    return 0;
}
