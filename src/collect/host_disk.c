/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of disk a line of /proc/diskstats is: /sys/block lists whole disks only, and a disk
 * that lies on others has them in its folder "slaves" (Documentation/ABI/stable/sysfs-block). */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "collect/host_internal.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool starts_with_any(tk_str name, const char *const *prefixes)
{
    for (; *prefixes; prefixes++) {
        if (tk_str_starts_with(name, tk_str_from(*prefixes)))
            return true;
    }
    return false;
}

/* Where /sys/block cannot be seen: sda1, vdb12, but nvme0n1p1, mmcblk0p2, md0p1. */
static bool looks_like_partition(tk_str name)
{
    static const char *const with_p[] = {"nvme", "mmcblk", "md", "nbd", "loop", NULL};
    static const char *const lettered[] = {"sd", "hd", "vd", "xvd", NULL};
    size_t end = name.n;
    while (end > 0 && is_digit(name.p[end - 1]))
        end--;
    if (end == name.n || end == 0)
        return false;
    if (starts_with_any(name, with_p))
        return end >= 2 && name.p[end - 1] == 'p' && is_digit(name.p[end - 2]);
    return starts_with_any(name, lettered);
}

/* Does it lie on other disks? */
static bool has_slaves(int diskfd)
{
    int fd = openat(diskfd, "slaves", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        tk_fd_close(&fd);
        return false;
    }
    bool found = false;
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
    while (!found && (entry = readdir(dir)))
        found = entry->d_name[0] != '.';
    closedir(dir);
    return found;
}

enum tk_disk_kind tk_disk_kind_of(int rootfd, const char *name)
{
    static const char *const virtual[] = {"dm-", "md", "drbd", "loop", "ram", "zram", NULL};
    tk_str text = tk_str_from(name);
    char path[sizeof("sys/block/") + TK_HOST_DISK_NAME];
    (void)snprintf(path, sizeof(path), "sys/block/%s", name);
    for (char *p = path + sizeof("sys/block/") - 1; *p; p++) {
        if (*p == '/')
            *p = '!'; /* as sysfs writes cciss/c0d0 */
    }

    TK_CLEANUP(tk_fd_close) int diskfd = openat(rootfd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool sysfs = diskfd >= 0 || faccessat(rootfd, "sys/block", F_OK, 0) == 0;
    if (sysfs ? diskfd < 0 : looks_like_partition(text))
        return TK_DISK_PART;
    if (starts_with_any(text, virtual) || (diskfd >= 0 && has_slaves(diskfd)))
        return TK_DISK_VIRTUAL;
    return TK_DISK_WHOLE;
}
