/* SPDX-License-Identifier: Apache-2.0 */
/* Which control groups there are: the folders below the mount points. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "collect/cgroups_internal.h"
#include "collect/host_internal.h"

#define LOOKUPS          3 /* of the names of a group, at walks one after the other */
#define LOOKUPS_PER_WALK 16

#define LIST_CALLS 6 /* of a folder: open, flags, state, two readings, close */

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

void tk_cgroup_release(struct tk_cgroups *groups, struct tk_cgroup *group)
{
    tk_cgroups_close_fds(groups, group);
    free(group->names);
    free(group->path);
}

static uint64_t hash_of(const char *path)
{
    return tk_cgroup_hash(0, tk_str_from(path));
}

void tk_cgroup_forget(struct tk_cgroup *group)
{
    group->row_ns = group->detail_ns = group->slow_ns = 0;
    group->last = group->kernel = tk_cgroup_reading_none();
    group->has = 0;
    memset(group->marks, 0, sizeof(group->marks));
}

static void meet_again(struct tk_cgroup *group, int hierarchy, uint64_t id)
{
    bool is_another = group->ids[hierarchy] != 0 && group->ids[hierarchy] != id;
    if (group->gone || is_another) {
        group->gone = false;
        group->hierarchies = 0;
        memset(group->ids, 0, sizeof(group->ids));
        tk_cgroup_forget(group);
    }
    group->hierarchies |= 1U << hierarchy;
    group->ids[hierarchy] = id;
    group->found = true;
}

void tk_cgroups_add(struct tk_cgroups *groups, const char *path, int hierarchy, uint64_t id)
{
    uint32_t index;
    if (tk_map_find(&groups->by_path, hash_of(path), &index)) {
        struct tk_cgroup *known = &groups->groups[index];
        if (known->ids[hierarchy] != id)
            tk_cgroups_close_fds(groups, known); /* they are of one that is gone */
        meet_again(known, hierarchy, id);
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
                                .lookups_left = LOOKUPS};
    group->ids[hierarchy] = id;
    tk_cgroup_forget(group);
    tk_cgroup_fds_init(group);
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
void tk_cgroups_drop_lost(struct tk_cgroups *groups)
{
    size_t kept = 0;
    tk_map_reset(&groups->by_path);
    for (size_t i = 0; i < groups->count; i++) {
        struct tk_cgroup *group = &groups->groups[i];
        if (!group->found || group->gone ||
            tk_map_add(&groups->by_path, hash_of(group->path), (uint32_t)kept) < 0) {
            tk_cgroup_release(groups, group);
            continue;
        }
        groups->groups[kept++] = *group;
    }
    groups->count = kept;
}

/* Walking the trees ------------------------------------------------------------------- */

/* Has a folder folders below it, for all we know? Most groups have none, and the number of links of
 * their folder says so (2, or 1 where the file system does not count): no need to open it. */
static bool has_folders(int dirfd, const char *name)
{
    struct stat st;
    return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_nlink != 2;
}

/* `path` holds the group's own path, `n` bytes long; it is put back as it was. */
static void walk(struct tk_cgroups *groups, int hierarchy, int dirfd, char *path, size_t n,
                 int depth)
{
    DIR *dir = fdopendir(dirfd);
    if (!dir) {
        tk_fd_close(&dirfd);
        return;
    }
    groups->syscalls += TK_CGROUP_LIST_CALLS;
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
    while ((entry = readdir(dir))) {
        size_t name_n = strlen(entry->d_name);
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
            n + 1 + name_n >= TK_CGROUP_PATH_MAX)
            continue;
        path[n] = '/';
        memcpy(path + n + 1, entry->d_name, name_n + 1);
        tk_cgroups_add(groups, path, hierarchy, entry->d_ino);
        groups->syscalls++;
        int below =
            depth < DEPTH_MAX && has_folders(dirfd, entry->d_name)
                ? openat(dirfd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                : -1;
        if (below >= 0)
            walk(groups, hierarchy, below, path, n + 1 + name_n, depth + 1);
        path[n] = '\0';
    }
    closedir(dir);
}

static uint64_t id_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_ino : 0;
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
        tk_cgroups_add(groups, top, hierarchy, id_of(fd));
    walk(groups, hierarchy, fd, path, has_prefix ? n : 0, 0);
}

static uint64_t hash_names(DIR *dir)
{
    uint64_t hash = 0;
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
    while ((entry = readdir(dir)))
        hash = tk_cgroup_hash(hash, (tk_str){entry->d_name, strlen(entry->d_name) + 1});
    rewinddir(dir);
    return hash;
}

/* "254:0" of a device that lies on others or in memory. */
static bool read_stacked(int rootfd, int blockfd, const char *name, int64_t *ret_major,
                         int64_t *ret_minor)
{
    char path[NAME_MAX + 8];
    char buf[32];
    tk_str text;
    struct tk_err ignored;
    if (name[0] == '.' || tk_disk_kind_of(rootfd, name) == TK_DISK_WHOLE)
        return false;
    (void)snprintf(path, sizeof(path), "%s/dev", name);
    return tk_file_read(blockfd, path, buf, sizeof(buf), &text, &ignored) == 0 &&
           tk_cgroup_device_scan(&text, ret_major, ret_minor);
}

static void find_stacked(int rootfd, DIR *dir, struct tk_cgroup_devices *stacked)
{
    stacked->count = 0;
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
    while ((entry = readdir(dir)) && stacked->count < TK_COUNTOF(stacked->items)) {
        int64_t major;
        int64_t minor;
        if (!read_stacked(rootfd, dirfd(dir), entry->d_name, &major, &minor))
            continue;
        stacked->items[stacked->count].major = major;
        stacked->items[stacked->count++].minor = minor;
    }
}

void tk_cgroup_devices_find(int rootfd, struct tk_cgroup_devices *stacked)
{
    int fd = openat(rootfd, "sys/block", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        tk_fd_close(&fd);
        return;
    }
    uint64_t names = hash_names(dir);
    if (names != stacked->names)
        find_stacked(rootfd, dir, stacked);
    stacked->names = names;
    closedir(dir);
}

/* Names of containers and pods, a few at a time: each may take some files. Runtimes may write them
 * after the group is made. */
void tk_cgroups_find_names(struct tk_cgroups *groups)
{
    int left = LOOKUPS_PER_WALK;
    for (size_t i = 0; i < groups->count && left > 0; i++) {
        struct tk_cgroup *group = &groups->groups[i];
        struct tk_cgroup_identity identity;
        struct tk_container_names names;
        if (group->names || group->lookups_left == 0)
            continue;
        tk_cgroup_identify(tk_str_from(group->path), &identity);
        if (!identity.id[0] && !identity.pod_uid[0]) {
            group->lookups_left = 0;
            continue;
        }
        left--;
        group->lookups_left--;
        if (tk_container_names_find(groups->kernel->rootfd, &identity, &names) == 0 &&
            (group->names = malloc(sizeof(names))))
            *group->names = names;
    }
}

/* Groups of the other hierarchies of version 1 have the names of those that were walked. */
static void find_mirrors(struct tk_cgroups *groups, int hierarchy)
{
    int rootfd = groups->kernel->rootfd;
    const char *top = groups->mounts.mounts[hierarchy].at;
    bool deep = top[0] && has_folders(rootfd, top);
    for (size_t i = 0; i < groups->count; i++) {
        struct tk_cgroup *group = &groups->groups[i];
        char path[TK_CGROUP_PATH_MAX];
        if ((group->hierarchies >> hierarchy & 1) ||
            tk_cgroup_file_path(&groups->mounts, hierarchy, group->path, "", path, sizeof(path)) <
                0)
            continue;
        groups->syscalls += deep;
        struct stat st;
        if ((deep || strcmp(path, top) == 0) && fstatat(rootfd, path, &st, 0) == 0) {
            group->hierarchies |= 1U << hierarchy;
            group->ids[hierarchy] = st.st_ino;
        }
    }
}

void tk_cgroups_find(struct tk_cgroups *groups)
{
    static const int walked[] = {TK_CGROUP_V2, TK_CGROUP_CPUACCT, TK_CGROUP_MEMORY};
    static const int mirrors[] = {TK_CGROUP_CPU, TK_CGROUP_BLKIO, TK_CGROUP_PIDS};
    groups->skipped = 0;
    for (size_t i = 0; i < groups->count; i++)
        groups->groups[i].found = false;
    for (size_t i = 0; i < TK_COUNTOF(walked); i++)
        walk_hierarchy(groups, walked[i]);
    tk_cgroups_drop_lost(groups);
    for (size_t i = 0; i < TK_COUNTOF(mirrors); i++)
        find_mirrors(groups, mirrors[i]);
    tk_cgroups_find_names(groups);
}
