/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/device.h"

#define LOAD_STEP    65536
#define LOCK_STEP_NS TK_NS_PER_MS

void tk_fd_close(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
    }
    *fd = -1;
}

uint64_t tk_fd_limit_raise(uint64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    if (limit.rlim_cur < wanted)
        tk_fd_limit_write(limit.rlim_max < wanted ? limit.rlim_max : wanted);
    return limit.rlim_cur;
}

void tk_fd_limit_write(uint64_t max_fds)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = max_fds;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

bool tk_fd_lock(int fd, int64_t patience_ns)
{
    const struct timespec step = {.tv_nsec = LOCK_STEP_NS};
    for (int64_t waited_ns = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited_ns += LOCK_STEP_NS) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return true;
        if (waited_ns >= patience_ns)
            return false;
        (void)nanosleep(&step, NULL);
    }
    return true;
}

bool tk_fd_is_at(int fd, int dirfd, const char *path)
{
    struct stat ours;
    struct stat named;
    return fstat(fd, &ours) == 0 && fstatat(dirfd, path, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

int tk_file_read(int dirfd, const char *path, char *buf, size_t cap, tk_str *ret_text,
                 struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return tk_fail_errno(err, "%s", path);

    size_t n = 0;
    for (;;) {
        ssize_t got = read(fd, buf + n, cap - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tk_fail_errno(err, "%s", path);
        if (got == 0)
            break;
        n += (size_t)got;
        if (n == cap)
            return tk_fail(err, -EMSGSIZE, "%s: larger than %zu bytes", path, cap - 1);
    }
    *ret_text = (tk_str){buf, n};
    return 0;
}

int tk_file_load(int dirfd, const char *path, struct tk_buf *buf, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return tk_fail_errno(err, "%s", path);

    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        (void)tk_buf_reserve(buf, (size_t)st.st_size + 1);
    for (;;) {
        size_t room = buf->cap - buf->n;
        char *to = tk_buf_reserve(buf, room > 0 ? room : LOAD_STEP);
        if (!to)
            return tk_buf_check(buf, path, err);
        ssize_t got = read(fd, to, buf->cap - buf->n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tk_fail_errno(err, "%s", path);
        if (got == 0)
            return 0;
        buf->n += (size_t)got;
    }
}

int tk_fd_write(int fd, tk_str text, const char *name, struct tk_err *err)
{
    while (text.n > 0) {
        ssize_t put = write(fd, text.p, text.n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return tk_fail_errno(err, "%s", name);
        text.p += put;
        text.n -= (size_t)put;
    }
    return 0;
}

/* The folder of `path` as a descriptor of its own, so that the rename can be made durable. */
static int parent_open(int dirfd, const char *path, int *ret_fd, struct tk_err *err)
{
    char parent[PATH_MAX];
    tk_str text = tk_str_from(path);
    size_t slash = tk_str_find_last(text, '/');
    tk_str head = slash == text.n ? TK_STR(".") : (tk_str){path, slash ? slash : 1};
    if (!tk_str_to_cstr(head, parent, sizeof(parent)))
        return tk_fail(err, -ENAMETOOLONG, "%s: path longer than %d bytes", path, PATH_MAX - 1);
    return tk_dir_open(dirfd, parent, ret_fd, err);
}

static int sync_fd(int fd, const char *path, struct tk_err *err)
{
    return fsync(fd) < 0 ? tk_fail_errno(err, "%s", path) : 0;
}

int tk_file_make_beside(int dirfd, const char *name, mode_t mode,
                        char ret_temporary[TK_TEMPORARY_MAX], int *ret_fd, struct tk_err *err)
{
    for (;;) {
        uint32_t random;
        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
            random = (uint32_t)tk_clock_mono_ns();
        int n = snprintf(ret_temporary, TK_TEMPORARY_MAX, ".%s.%06x", name, random >> 8);
        if (n < 0 || n >= TK_TEMPORARY_MAX)
            return tk_fail(err, -ENAMETOOLONG, "%s: name too long", name);
        int fd = openat(dirfd, ret_temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                        mode);
        if (fd >= 0) {
            *ret_fd = fd;
            return 0;
        }
        if (errno != EEXIST)
            return tk_fail_errno(err, "%s", name);
    }
}

static int replace(int dirfd, const char *path, tk_str text, mode_t mode, bool durable,
                   struct tk_err *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    bool is_plain = !slash && !durable && dirfd >= 0; /* `dirfd` will do */
    TK_CLEANUP(tk_fd_close) int opened = -1;
    int rc = is_plain ? 0 : parent_open(dirfd, path, &opened, err);
    if (rc < 0)
        return rc;
    int parent = is_plain ? dirfd : opened;

    char temporary[TK_TEMPORARY_MAX];
    TK_CLEANUP(tk_fd_close) int fd = -1;
    rc = tk_file_make_beside(parent, name, mode, temporary, &fd, err);
    if (rc < 0)
        return rc;
    rc = tk_fd_write(fd, text, path, err);
    if (rc == 0 && durable)
        rc = sync_fd(fd, path, err);
    if (rc == 0 && renameat(parent, temporary, parent, name) < 0)
        rc = tk_fail_errno(err, "%s", path);
    if (rc == 0 && durable)
        rc = sync_fd(parent, path, err);
    if (rc < 0)
        (void)unlinkat(parent, temporary, 0);
    return rc;
}

int tk_file_write(int dirfd, const char *path, tk_str text, mode_t mode, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int device = -1;
    int rc = tk_device_open(dirfd, path, &device, err);
    if (rc < 0)
        return rc;
    if (device >= 0)
        return tk_fd_write(device, text, path, err);
    return replace(dirfd, path, text, mode, true, err);
}

int tk_file_refresh(int dirfd, const char *path, tk_str text, mode_t mode, struct tk_err *err)
{
    return replace(dirfd, path, text, mode, false, err);
}

int tk_dir_open(int dirfd, const char *path, int *ret_fd, struct tk_err *err)
{
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return tk_fail_errno(err, "%s", path);
    *ret_fd = fd;
    return 0;
}

int tk_dir_make(int dirfd, const char *path, struct tk_err *err)
{
    char part[PATH_MAX];
    if (!tk_str_to_cstr(tk_str_from(path), part, sizeof(part)))
        return tk_fail(err, -ENAMETOOLONG, "%s: path longer than %d bytes", path, PATH_MAX - 1);
    for (char *slash = strchr(part + (part[0] == '/'), '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (part[0] && mkdirat(dirfd, part, 0777) < 0 && errno != EEXIST)
            return tk_fail_errno(err, "%s", path);
        if (!slash)
            break;
        *slash = '/';
    }
    struct stat st;
    if (fstatat(dirfd, path, &st, 0) < 0)
        return tk_fail_errno(err, "%s", path);
    if (!S_ISDIR(st.st_mode))
        return tk_fail(err, -ENOTDIR, "%s: is a file, expected a folder", path);
    return 0;
}

size_t tk_path_next(const char *path, size_t from)
{
    while (path[from] == '/')
        from++;
    while (path[from] && path[from] != '/')
        from++;
    return from;
}

size_t tk_dir_missing(const char *path)
{
    char part[PATH_MAX];
    for (size_t n = tk_path_next(path, 0);; n = tk_path_next(path, n)) {
        struct stat st;
        if (!tk_str_to_cstr((tk_str){path, n}, part, sizeof(part)) || stat(part, &st) < 0)
            return n;
        if (!path[n])
            return n + 1;
    }
}

void tk_dir_unmake(const char *path, size_t missing)
{
    char part[PATH_MAX];
    for (size_t n = strlen(path);;) {
        while (n > 0 && path[n - 1] == '/')
            n--;
        if (n == 0 || n < missing || !tk_str_to_cstr((tk_str){path, n}, part, sizeof(part)) ||
            rmdir(part) < 0)
            return;
        while (n > 0 && path[n - 1] != '/')
            n--;
    }
}
