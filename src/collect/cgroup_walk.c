/* SPDX-License-Identifier: Apache-2.0 */
/* Which control groups there are: the folders below the mount points. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "collect/cgroups_internal.h"
#include "collect/host_internal.h"

enum {
    DEPTH_MAX = 32,
};

/* The set ----------------------------------------------------------------------------- */

uint64_t tk_cgroup_hash(uint64_t hash, tk_str text)
{
    hash ^= 14695981039346656037ULL;
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * 1099511628211ULL;
    return hash;
}

static uint64_t hash_of(const char *path)
{
    return tk_cgroup_hash(0, tk_str_from(path));
}

void tk_cgroups_close_fds(struct tk_cgroups *groups, struct tk_cgroup *group)
{
    for (size_t i = 0; i < TK_CGROUP_FAST_FILES; i++) {
        groups->kept_fds -= group->fds[i] >= 0;
        tk_fd_close(&group->fds[i]);
    }
}

static void add_group(struct tk_cgroups *groups, const char *path, int hierarchy)
{
    uint32_t index;
    if (tk_map_find(&groups->by_path, hash_of(path), &index)) {
        struct tk_cgroup *known = &groups->groups[index];
        known->hierarchies |= 1U << hierarchy;
        if (known->gone) { /* another one of the same name */
            known->gone = false;
            known->row_ns = known->detail_ns = known->slow_ns = 0;
            known->last = tk_cgroup_reading_none();
        }
        known->found = true;
        return;
    }
    if (groups->count == groups->max) {
        groups->skipped++;
        return;
    }
    struct tk_cgroup *group = &groups->groups[groups->count];
    *group = (struct tk_cgroup){.path = strdup(path),
                                .hierarchies = 1U << hierarchy,
                                .found = true,
                                .fds = {-1, -1},
                                .last = tk_cgroup_reading_none()};
    if (!group->path || tk_map_add(&groups->by_path, hash_of(path), (uint32_t)groups->count) < 0) {
        free(group->path);
        groups->skipped++;
        return;
    }
    if (!tk_cgroup_container(tk_str_from(path), group->container, sizeof(group->container)))
        group->container[0] = '\0';
    groups->count++;
}

/* Groups that are gone make room; the index is built anew. */
static void drop_lost(struct tk_cgroups *groups)
{
    size_t kept = 0;
    tk_map_reset(&groups->by_path);
    for (size_t i = 0; i < groups->count; i++) {
        struct tk_cgroup *group = &groups->groups[i];
        if (!group->found || group->gone ||
            tk_map_add(&groups->by_path, hash_of(group->path), (uint32_t)kept) < 0) {
            tk_cgroups_close_fds(groups, group);
            free(group->path);
            continue;
        }
        groups->groups[kept++] = *group;
    }
    groups->count = kept;
}

/* Walking the trees ------------------------------------------------------------------- */

/* `path` holds the group's own path, `n` bytes long; it is put back as it was. */
static void walk(struct tk_cgroups *groups, int hierarchy, int dirfd, char *path, size_t n,
                 int depth)
{
    DIR *dir = fdopendir(dirfd);
    if (!dir) {
        tk_fd_close(&dirfd);
        return;
    }
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
    while ((entry = readdir(dir))) {
        size_t name_n = strlen(entry->d_name);
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
            n + 1 + name_n >= TK_CGROUP_PATH_MAX)
            continue;
        path[n] = '/';
        memcpy(path + n + 1, entry->d_name, name_n + 1);
        add_group(groups, path, hierarchy);
        int below = depth < DEPTH_MAX ? openat(dirfd, entry->d_name,
                                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                                      : -1;
        if (below >= 0)
            walk(groups, hierarchy, below, path, n + 1 + name_n, depth + 1);
        path[n] = '\0';
    }
    closedir(dir);
}

static void walk_hierarchy(struct tk_cgroups *groups, int hierarchy)
{
    char path[TK_CGROUP_PATH_MAX] = "";
    const struct tk_cgroup_mount *mount = &groups->mounts.mounts[hierarchy];
    int fd = mount->at[0]
                 ? openat(groups->kernel->rootfd, mount->at, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                 : -1;
    if (fd < 0)
        return;
    size_t n = strlen(mount->from);
    bool has_prefix = n > 1 && !tk_str_starts_with(tk_str_from(mount->from), TK_STR("/.."));
    if (has_prefix)
        memcpy(path, mount->from, n + 1);
    const char *top = has_prefix ? path : "/";
    if (!tk_cgroup_is_root(groups->kernel, &groups->mounts, hierarchy, top)) /* in a container */
        add_group(groups, top, hierarchy);
    walk(groups, hierarchy, fd, path, has_prefix ? n : 0, 0);
}

/* Block devices that lie on others or in memory. */
void tk_cgroup_devices_find(int rootfd, struct tk_cgroup_devices *ret_stacked)
{
    ret_stacked->count = 0;
    int fd = openat(rootfd, "sys/block", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        tk_fd_close(&fd);
        return;
    }
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
    while ((entry = readdir(dir)) && ret_stacked->count < TK_COUNTOF(ret_stacked->items)) {
        char path[NAME_MAX + 8];
        char buf[32];
        tk_str text;
        struct tk_err ignored;
        int64_t major;
        int64_t minor;
        if (entry->d_name[0] == '.' || tk_disk_kind_of(rootfd, entry->d_name) == TK_DISK_WHOLE)
            continue;
        (void)snprintf(path, sizeof(path), "%s/dev", entry->d_name);
        if (tk_file_read(fd, path, buf, sizeof(buf), &text, &ignored) < 0 ||
            !tk_cgroup_device_scan(&text, &major, &minor))
            continue;
        ret_stacked->items[ret_stacked->count].major = major;
        ret_stacked->items[ret_stacked->count++].minor = minor;
    }
    closedir(dir);
}

void tk_cgroups_find(struct tk_cgroups *groups)
{
    /* What the other hierarchies of version 1 have, these have too as a rule. */
    static const int hierarchies[] = {TK_CGROUP_V2, TK_CGROUP_CPUACCT, TK_CGROUP_MEMORY};
    static const int mirrors[] = {TK_CGROUP_CPU, TK_CGROUP_BLKIO, TK_CGROUP_PIDS};
    groups->skipped = 0;
    for (size_t i = 0; i < groups->count; i++)
        groups->groups[i].found = false;
    for (size_t i = 0; i < TK_COUNTOF(hierarchies); i++)
        walk_hierarchy(groups, hierarchies[i]);
    drop_lost(groups);
    tk_cgroup_devices_find(groups->kernel->rootfd, &groups->stacked);
    for (size_t i = 0; i < groups->count; i++) {
        struct tk_cgroup *group = &groups->groups[i];
        for (size_t k = 0; k < TK_COUNTOF(mirrors); k++) {
            char path[TK_CGROUP_PATH_MAX];
            if (tk_cgroup_file_path(&groups->mounts, mirrors[k], group->path, "", path,
                                    sizeof(path)) == 0 &&
                faccessat(groups->kernel->rootfd, path, F_OK, 0) == 0)
                group->hierarchies |= 1U << mirrors[k];
        }
    }
}
