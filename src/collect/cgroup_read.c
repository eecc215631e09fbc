/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a group, held open so that a reading is one pread(): 0.3 us for the file of its CPU
 * time, where opening and closing it as well costs 3 us, more with cold caches.
 *
 *     fds[i] >= 0   held
 *     NOT_HELD      not read yet, or there was no descriptor to spare: opened for each reading
 *     LACKING       this group has no such file; looked for again when its slow turn comes
 *
 * A held file is no hindrance to rmdir(): the kernel takes the group away and reading fails with
 * ENODEV from then on. The fast files and all others have a share of descriptors each, so that the
 * former never lack one because of the latter. */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "collect/cgroups_internal.h"

#define NOT_HELD (-1)
#define LACKING  (-2)

/* Where the number of descriptors has no limit. */
#define UNLIMITED_FDS 16000

/* A quarter and an eighth of the descriptors that we may have: half is for the processes. */
void tk_cgroup_fds_share(struct tk_cgroups *groups)
{
    struct rlimit limit;
    size_t max = UNLIMITED_FDS;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < max)
        max = (size_t)limit.rlim_cur;
    groups->fast_fds.max = max / 4;
    groups->other_fds.max = max / 8;
}

void tk_cgroup_fds_init(struct tk_cgroup *group)
{
    for (size_t i = 0; i < TK_CGROUP_FILE_COUNT; i++)
        group->fds[i] = NOT_HELD;
}

static struct tk_cgroup_fd_share *share_of(struct tk_cgroups *groups, size_t file)
{
    return tk_cgroup_files[file].class == TK_CGROUP_FAST ? &groups->fast_fds : &groups->other_fds;
}

static void hold(struct tk_cgroups *groups, struct tk_cgroup *group, size_t file, int *fd)
{
    struct tk_cgroup_fd_share *share = share_of(groups, file);
    if (share->held == share->max)
        return;
    share->held++;
    group->fds[file] = tk_fd_take(fd);
}

static void let_go(struct tk_cgroups *groups, struct tk_cgroup *group, size_t file)
{
    if (group->fds[file] >= 0) {
        share_of(groups, file)->held--;
        tk_fd_close(&group->fds[file]);
    }
    group->fds[file] = NOT_HELD;
}

void tk_cgroups_close_fds(struct tk_cgroups *groups, struct tk_cgroup *group)
{
    for (size_t i = 0; i < TK_CGROUP_FILE_COUNT; i++)
        let_go(groups, group, i);
}

void tk_cgroup_fds_yield(struct tk_cgroups *groups, struct tk_cgroup *group)
{
    if (groups->other_fds.held < groups->other_fds.max)
        return;
    for (size_t i = 0; i < TK_CGROUP_FILE_COUNT; i++) {
        if (share_of(groups, i) == &groups->other_fds)
            let_go(groups, group, i);
    }
}

/* -ENOENT when the group has no such file. */
static int open_file(const struct tk_cgroups *groups, const struct tk_cgroup *group,
                     const struct tk_cgroup_file *file)
{
    char path[TK_CGROUP_PATH_MAX];
    int rc = tk_cgroup_file_path(&groups->mounts, file->hierarchy, group->path, file->name, path,
                                 sizeof(path));
    if (rc < 0)
        return rc;
    int fd = openat(groups->kernel->rootfd, path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Read one file into groups->buf. Returns its length; -ENOENT when this group lacks it; another
 * code when the group is gone. */
static ssize_t read_text(struct tk_cgroups *groups, struct tk_cgroup *group, size_t file)
{
    if (group->fds[file] == LACKING)
        return -ENOENT;
    TK_CLEANUP(tk_fd_close) int opened = -1;
    int fd = group->fds[file];
    if (fd < 0)
        fd = opened = open_file(groups, group, &tk_cgroup_files[file]);
    ssize_t n = fd < 0 ? fd : pread(fd, groups->buf, sizeof(groups->buf), 0);
    groups->syscalls += group->fds[file] >= 0 ? 1 : 2;
    if (fd >= 0 && n < 0)
        n = -errno;
    if (n >= 0) {
        if (opened >= 0)
            hold(groups, group, file, &opened);
        return n;
    }
    let_go(groups, group, file);
    if (n == -EOPNOTSUPP) /* PSI and some controllers are there and cannot be read */
        n = -ENOENT;
    if (n == -ENOENT)
        group->fds[file] = LACKING;
    return n;
}

/* cpu.stat of version 2 tells all that cpuacct does, and splits user and system exactly. */
static bool is_superseded(const struct tk_cgroup *group, const struct tk_cgroup_file *file)
{
    return file->hierarchy == TK_CGROUP_CPUACCT && (group->hierarchies >> TK_CGROUP_V2 & 1);
}

bool tk_cgroup_read(struct tk_cgroups *groups, struct tk_cgroup *group, enum tk_cgroup_class class,
                    struct tk_cgroup_reading *reading)
{
    bool any = false;
    for (size_t i = 0; i < TK_CGROUP_FILE_COUNT; i++) {
        const struct tk_cgroup_file *file = &tk_cgroup_files[i];
        if (file->class != class || !(group->hierarchies >> file->hierarchy & 1) ||
            is_superseded(group, file))
            continue;
        if (file->record & group->has) { /* told by the walk */
            any = true;
            continue;
        }
        ssize_t n = read_text(groups, group, i);
        if (n == -ENODEV)
            group->gone = true;
        if (n < 0)
            continue;
        any = true;
        if (file->by_device)
            tk_cgroup_devices_find_when_due(groups);
        if (!tk_cgroup_file_parse(file, (tk_str){groups->buf, (size_t)n}, &groups->stacked,
                                  reading))
            groups->errors++;
    }
    return any;
}

void tk_cgroup_look_again(struct tk_cgroup *group)
{
    for (size_t i = 0; i < TK_CGROUP_FILE_COUNT; i++) {
        if (group->fds[i] == LACKING)
            group->fds[i] = NOT_HELD;
    }
}
