/* SPDX-License-Identifier: Apache-2.0 */
#include "base/device.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/number.h"
#include "base/str.h"

static bool is_stream(const struct stat *about)
{
    return S_ISCHR(about->st_mode) || S_ISFIFO(about->st_mode);
}

/* The descriptor that /dev/stdout, /dev/stderr and the like stand for; -1 = it is no such link. */
static int find_descriptor(int dirfd, const char *path)
{
    char target[PATH_MAX];
    uint64_t number;
    ssize_t n = readlinkat(dirfd, path, target, sizeof(target));
    tk_str text = {target, n > 0 ? (size_t)n : 0};
    if (!tk_str_take_prefix(&text, TK_STR("/proc/self/fd/")) || !tk_scan_u64(&text, &number))
        return -1;
    return text.n == 0 && number <= INT_MAX ? (int)number : -1;
}

/* Links that others made are not followed: they may lead anywhere. */
static bool may_follow(const struct stat *about)
{
    return about->st_uid == 0 || about->st_uid == geteuid();
}

int tk_device_open(int dirfd, const char *path, int *ret_fd, struct tk_err *err)
{
    struct stat about;
    *ret_fd = -1;
    if (fstatat(dirfd, path, &about, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    int known = -1;
    if (S_ISLNK(about.st_mode)) {
        if (!may_follow(&about) || fstatat(dirfd, path, &about, 0) < 0)
            return 0;
        known = find_descriptor(dirfd, path);
    }
    if (known == STDOUT_FILENO)
        return tk_fail(err, -EINVAL, "%s: what else is told goes there, too: give - for it", path);
    if (known < 0 && !is_stream(&about))
        return 0;
    int fd = known < 0 ? openat(dirfd, path, O_WRONLY | O_NOCTTY | O_CLOEXEC)
                       : fcntl(known, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return tk_fail_errno(err, "%s", path);
    *ret_fd = fd;
    return 0;
}
