/* SPDX-License-Identifier: Apache-2.0 */
/* The path of a control group by the number of its folder, which is its handle (kernfs, see
 * open_by_handle_at(2)): five system calls for a new group, however many there are. Needs
 * CAP_DAC_READ_SEARCH in the initial user namespace. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "collect/cgroups_internal.h"

#define KERNFS_HANDLE 0xfe /* include/linux/exportfs.h: FILEID_KERNFS */
#define LOOKUP_CALLS  5

/* Where the folder `id` is seen, "/sys/fs/cgroup/cpuacct/a"; 0 or a negative errno. */
static int read_place(const struct tk_cgroups *groups, const char *mount, uint64_t id, char *ret,
                      size_t cap)
{
    struct {
        struct file_handle head;
        unsigned char id[sizeof(uint64_t)];
    } handle = {.head = {.handle_bytes = sizeof(id), .handle_type = KERNFS_HANDLE}};
    char link[64];
    memcpy(handle.head.f_handle, &id, sizeof(id));
    TK_CLEANUP(tk_fd_close)
    int top = openat(groups->kernel->rootfd, mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    TK_CLEANUP(tk_fd_close)
    int fd = top < 0 ? -1 : open_by_handle_at(top, &handle.head, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    (void)snprintf(link, sizeof(link), "self/fd/%d", fd);
    ssize_t n = readlinkat(groups->kernel->procfd, link, ret, cap);
    if (n < 0)
        return -errno;
    if ((size_t)n == cap)
        return -ENAMETOOLONG;
    ret[n] = '\0';
    return 0;
}

/* Path of the group that is seen there; false when it is none below the mount. */
static bool path_of(const struct tk_cgroup_mount *mount, const char *place, char *ret, size_t cap)
{
    tk_str rest = tk_str_from(place);
    bool has_prefix =
        mount->from[1] && !tk_str_starts_with(tk_str_from(mount->from), TK_STR("/.."));
    if (!tk_str_take_prefix(&rest, TK_STR("/")) ||
        !tk_str_take_prefix(&rest, tk_str_from(mount->at)) || rest.n == 0 || rest.p[0] != '/' ||
        tk_str_ends_with(rest, TK_STR(" (deleted)")))
        return false;
    int n = snprintf(ret, cap, "%s%.*s", has_prefix ? mount->from : "", TK_STR_ARG(rest));
    return n > 0 && (size_t)n < cap;
}

static bool is_listed(int hierarchy)
{
    return hierarchy == TK_CGROUP_V2 || hierarchy == TK_CGROUP_CPUACCT ||
           hierarchy == TK_CGROUP_MEMORY;
}

/* Groups of the other hierarchies count only when they have the name of one of these. */
static bool is_known(const struct tk_cgroups *groups, const char *path)
{
    uint32_t index;
    return tk_map_find(&groups->by_path, tk_cgroup_hash(0, tk_str_from(path)), &index);
}

/* Into each hierarchy that has these records. 0, or why it cannot be looked up. */
static int look_up(struct tk_cgroups *groups, const struct tk_bpf_group *record, bool listed)
{
    char place[2 * TK_CGROUP_PATH_MAX];
    char path[TK_CGROUP_PATH_MAX];
    bool is_read = false;
    for (int i = 0; i < TK_CGROUP_HIERARCHIES; i++) {
        const struct tk_cgroup_mount *mount = &groups->mounts.mounts[i];
        if (groups->records.slots[i] != (int)record->hierarchy || is_listed(i) != listed)
            continue;
        int rc = is_read ? 0 : read_place(groups, mount->at, record->id, place, sizeof(place));
        groups->syscalls += is_read ? 0 : LOOKUP_CALLS;
        if (rc < 0)
            return rc == -ESTALE || rc == -ENOENT || rc == -ENAMETOOLONG ? 0 : rc;
        is_read = true;
        if (path_of(mount, place, path, sizeof(path)) && (listed || is_known(groups, path)))
            tk_cgroups_add(groups, path, i, record->id);
    }
    return 0;
}

/* Those of one kind of hierarchy. */
static int look_up_all(struct tk_cgroups *groups, bool listed)
{
    const struct tk_cgroup_records *records = &groups->records;
    for (uint32_t i = 0; i < records->last.count; i++) {
        const struct tk_bpf_group *record = &records->last.groups[i];
        uint32_t ignored;
        if (records->owners[i].group != UINT32_MAX ||
            (listed && tk_map_find(&records->ignored,
                                   tk_cgroup_record_key(record->hierarchy, record->id), &ignored)))
            continue;
        int rc = look_up(groups, record, listed);
        if (rc < 0)
            return rc;
    }
    return 0;
}

bool tk_cgroups_look_up(struct tk_cgroups *groups)
{
    for (size_t i = 0; i < groups->count; i++)
        groups->groups[i].found = true;
    tk_cgroups_drop_lost(groups);
    groups->skipped = 0;
    if (groups->records.strangers > 0 &&
        (!groups->kernel->live || look_up_all(groups, true) < 0 || look_up_all(groups, false) < 0))
        return false;
    tk_cgroups_find_names(groups);
    return true;
}
