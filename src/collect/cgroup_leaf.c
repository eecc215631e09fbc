/* SPDX-License-Identifier: Apache-2.0 */
/* A leaf of our own below our own group: one folder in each of the hierarchies that count
 *
 *     version 2    CPU time; memory, I/O and limits as far as the controllers are delegated
 *     cpuacct      CPU time in ns, where version 2 does not tell it
 *     memory       memory, and its peak
 *     pids         tasks at once
 *     cpu, cpuset  only when limits are asked for: a group of its own in `cpu` would change what
 *                  share of the machine the command gets
 *
 * What is below our group stays under every limit of our group.
 *
 * In version 2 we step aside within our own group where that gives the leaf its controllers
 * (cgroup_folders.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "collect/cgroup_folders.h"
#include "collect/cgroup_leaf_internal.h"

enum {
    NAME_CAP = TK_CGROUP_LEAF_NAME,
    FILE_CAP = TK_CGROUP_LEAF_FILE,
    PERIOD_US = 100000,
};

/* Making ----------------------------------------------------------------------------- */

const struct tk_cgroup_place *tk_cgroup_leaf_place(const struct tk_cgroup_leaf *leaf, int hierarchy)
{
    const struct tk_cgroup_mount *mounts = leaf->mounts.mounts;
    for (size_t i = 0; i < leaf->count; i++) {
        if (strcmp(mounts[leaf->places[i].hierarchy].at, mounts[hierarchy].at) == 0)
            return &leaf->places[i];
    }
    return NULL;
}

int tk_cgroup_leaf_open_entry(const struct tk_cgroup_leaf *leaf, int hierarchy, int parent)
{
    char path[FILE_CAP];
    tk_cgroup_leaf_file(leaf, hierarchy == TK_CGROUP_V2 ? "cgroup.procs" : "tasks", path);
    int fd = openat(parent, path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Make the folder, or take over an empty one of the same name. */
static int make_folder(int parent, const char *name)
{
    if (mkdirat(parent, name, 0755) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0 || mkdirat(parent, name, 0755) < 0)
        return -EBUSY;
    return 0;
}

/* The folder of the leaf in one more hierarchy, unless it is there already. */
static int add_place(struct tk_cgroup_leaf *leaf, int hierarchy, struct tk_err *err)
{
    static const char *const wanted[] = {"memory", "cpu", "io", "pids", "cpuset", NULL};
    char path[TK_CGROUP_PATH_MAX];
    if (tk_cgroup_leaf_place(leaf, hierarchy))
        return 0;
    int rc = tk_cgroup_file_path(&leaf->mounts, hierarchy, leaf->mounts.own[hierarchy], "", path,
                                 sizeof(path));
    if (rc < 0) {
        return tk_fail(err, rc, "our own control group (%s) cannot be found below %s",
                       hierarchy == TK_CGROUP_V2 ? "version 2" : tk_cgroup_names[hierarchy],
                       leaf->mounts.mounts[hierarchy].at);
    }
    TK_CLEANUP(tk_fd_close) int parent = -1;
    rc = tk_dir_open(leaf->rootfd, path, &parent, err);
    if (rc < 0)
        return rc;
    /* The first folder is the last that a maker removes. */
    if (leaf->count == 0 || leaf->had_stale)
        leaf->had_stale = tk_cgroup_remove_stale(parent) || leaf->had_stale;
    if (hierarchy == TK_CGROUP_V2)
        tk_cgroup_step_aside(&leaf->step, parent, wanted);
    rc = make_folder(parent, leaf->name);
    if (rc == 0) {
        struct tk_cgroup_place *place = &leaf->places[leaf->count];
        *place = (struct tk_cgroup_place){
            .hierarchy = hierarchy, .entry = tk_cgroup_leaf_open_entry(leaf, hierarchy, parent)};
        if (place->entry >= 0) {
            place->parent = tk_fd_take(&parent);
            leaf->count++;
            return 0;
        }
        rc = place->entry;
        (void)unlinkat(parent, leaf->name, AT_REMOVEDIR);
    }
    if (hierarchy == TK_CGROUP_V2)
        tk_cgroup_step_back(&leaf->step, parent);
    return tk_fail_code(err, rc, "%s/%s", path, leaf->name);
}

/* "/own/NAME" of the hierarchy that tk_cgroup_parse() would take. */
static void name_path(struct tk_cgroup_leaf *leaf)
{
    const char *own = leaf->mounts.own[leaf->places[0].hierarchy];
    (void)snprintf(leaf->path, sizeof(leaf->path), "%s/%s", strcmp(own, "/") == 0 ? "" : own,
                   leaf->name);
}

bool tk_cgroup_leaf_has_cpu(const struct tk_cgroup_leaf *leaf)
{
    char path[FILE_CAP];
    const struct tk_cgroup_place *v2 = tk_cgroup_leaf_place(leaf, TK_CGROUP_V2);
    tk_cgroup_leaf_file(leaf, "cpu.stat", path);
    return v2 && faccessat(v2->parent, path, F_OK, 0) == 0;
}

int tk_cgroup_leaf_set_mounts(struct tk_cgroup_leaf *leaf, const struct tk_kernel *kernel,
                              const struct tk_cgroup_mounts *mounts, struct tk_err *err)
{
    leaf->rootfd = kernel->rootfd;
    if (!mounts)
        return tk_cgroup_mounts_read(kernel, &leaf->mounts, err);
    leaf->mounts = *mounts;
    return 0;
}

int tk_cgroup_leaf_new(const struct tk_kernel *kernel, const struct tk_cgroup_mounts *mounts,
                       const char *name, struct tk_cgroup_leaf **ret_leaf, struct tk_err *err)
{
    static const int hierarchies[] = {TK_CGROUP_V2, TK_CGROUP_CPUACCT, TK_CGROUP_MEMORY,
                                      TK_CGROUP_PIDS};
    if (!name[0] || name[0] == '.' || strchr(name, '/') || strlen(name) >= NAME_CAP)
        return tk_fail(err, -EINVAL, "'%s' cannot be the name of a control group", name);
    struct tk_cgroup_leaf *leaf = calloc(1, sizeof(*leaf));
    if (!leaf)
        return tk_fail(err, -ENOMEM, "control group: out of memory");
    (void)tk_str_to_cstr(tk_str_from(name), leaf->name, sizeof(leaf->name));
    int rc = tk_cgroup_leaf_set_mounts(leaf, kernel, mounts, err);
    for (size_t i = 0; i < TK_COUNTOF(hierarchies) && rc == 0; i++) {
        struct tk_err failure;
        if (!leaf->mounts.mounts[hierarchies[i]].at[0] ||
            (hierarchies[i] == TK_CGROUP_CPUACCT && tk_cgroup_leaf_has_cpu(leaf)))
            continue;
        int one = add_place(leaf, hierarchies[i], &failure);
        if (one < 0)
            *err = failure;
        if (one == -EBUSY)
            rc = one;
    }
    if (rc == 0 && leaf->count == 0)
        rc = err->code;
    if (rc < 0) {
        tk_cgroup_leaf_free(leaf);
        return rc;
    }
    name_path(leaf);
    *ret_leaf = leaf;
    return 0;
}

void tk_cgroup_leaf_free(struct tk_cgroup_leaf *leaf)
{
    if (!leaf)
        return;
    for (size_t i = leaf->count; i-- > 0;) {
        struct tk_cgroup_place *place = &leaf->places[i];
        tk_fd_close(&place->entry);
        (void)tk_cgroup_remove(place->parent, leaf->name);
        if (place->hierarchy == TK_CGROUP_V2)
            tk_cgroup_step_back(&leaf->step, place->parent);
        tk_fd_close(&place->parent);
    }
    free(leaf);
}

/* Using ------------------------------------------------------------------------------ */

int tk_cgroup_leaf_open(const struct tk_cgroup_leaf *leaf)
{
    const struct tk_cgroup_place *v2 = tk_cgroup_leaf_place(leaf, TK_CGROUP_V2);
    return v2 ? openat(v2->parent, leaf->name, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
}

int tk_cgroup_leaf_enter(const struct tk_cgroup_leaf *leaf, bool in_v2)
{
    int rc = 0;
    for (size_t i = 0; i < leaf->count; i++) {
        if (in_v2 && leaf->places[i].hierarchy == TK_CGROUP_V2)
            continue;
        if (write(leaf->places[i].entry, "0", 1) != 1 && rc == 0)
            rc = -errno;
    }
    return rc;
}

const char *tk_cgroup_leaf_path(const struct tk_cgroup_leaf *leaf)
{
    return leaf->path;
}

void tk_cgroup_leaf_file(const struct tk_cgroup_leaf *leaf, const char *file,
                         char ret[TK_CGROUP_LEAF_FILE])
{
    (void)snprintf(ret, FILE_CAP, "%s/%s", leaf->name, file);
}

/* Version 1 splits by timer ticks: the shares are right, their sum is not. As the kernel does for
 * processes (kernel/sched/cputime.c), the exact total is split in the same proportion. */
static void split_exactly(struct tk_cgroup_reading *reading)
{
    if (reading->cpu_ns < 0 || reading->user_ns < 0 || reading->system_ns < 0)
        return;
    double ticks = (double)reading->user_ns + (double)reading->system_ns;
    double share = ticks > 0 ? (double)reading->user_ns / ticks : 1;
    reading->user_ns = (int64_t)((double)reading->cpu_ns * share);
    reading->system_ns = reading->cpu_ns - reading->user_ns;
}

int tk_cgroup_leaf_read(struct tk_cgroup_leaf *leaf, struct tk_cgroup_reading *ret,
                        struct tk_err *err)
{
    struct tk_cgroup_reading reading = tk_cgroup_reading_none();
    char buf[TK_CGROUP_FILE_MAX];
    for (size_t i = 0; i < TK_CGROUP_FILE_COUNT; i++) {
        const struct tk_cgroup_file *file = &tk_cgroup_files[i];
        const struct tk_cgroup_place *place = tk_cgroup_leaf_place(leaf, file->hierarchy);
        char path[FILE_CAP];
        tk_str text;
        struct tk_err missing;
        tk_cgroup_leaf_file(leaf, file->name, path);
        if (!place || tk_file_read(place->parent, path, buf, sizeof(buf), &text, &missing) < 0)
            continue;
        if (file->by_device)
            tk_cgroup_devices_find(leaf->rootfd, &leaf->stacked);
        if (!tk_cgroup_file_parse(file, text, &leaf->stacked, &reading))
            return tk_fail(err, -EBADMSG, "%s/%s does not parse", leaf->path, file->name);
    }
    split_exactly(&reading);
    if (reading.cpu_ns < 0 && reading.memory_bytes < 0)
        return tk_fail(err, -ENOENT, "%s: neither CPU time nor memory can be read", leaf->path);
    *ret = reading;
    return 0;
}

/* Limits ----------------------------------------------------------------------------- */

/* Set a file of the leaf in the first hierarchy that has it. */
static int set_file(struct tk_cgroup_leaf *leaf, const char *file, const char *value,
                    struct tk_err *err)
{
    char path[FILE_CAP];
    tk_cgroup_leaf_file(leaf, file, path);
    int rc = -ENOENT;
    for (size_t i = 0; i < leaf->count && rc == -ENOENT; i++)
        rc = tk_cgroup_write(leaf->places[i].parent, path, value);
    if (rc == -ENOENT) {
        return tk_fail(err, -EOPNOTSUPP, "%s: this host gives us no control group that has it",
                       file);
    }
    if (rc < 0)
        return tk_fail_code(err, rc, "%s of '%s'", file, value);
    return 0;
}

/* A limit: its file in version 2, and hierarchy and file in version 1. */
struct knob {
    const char *file_v2;
    int hierarchy_v1;
    const char *file_v1;
};

static void drop_place(struct tk_cgroup_leaf *leaf)
{
    struct tk_cgroup_place *place = &leaf->places[--leaf->count];
    tk_fd_close(&place->entry);
    (void)unlinkat(place->parent, leaf->name, AT_REMOVEDIR);
    tk_fd_close(&place->parent);
}

/* A new group of the cpuset hierarchy has no memory nodes, and takes in nobody before it has. */
static int inherit_mems(struct tk_cgroup_leaf *leaf, struct tk_err *err)
{
    char buf[256];
    char mems[256];
    tk_str text;
    int rc = tk_file_read(leaf->places[leaf->count - 1].parent, "cpuset.mems", buf, sizeof(buf),
                          &text, err);
    if (rc < 0)
        return rc;
    (void)tk_str_to_cstr(tk_str_trim(text), mems, sizeof(mems));
    return set_file(leaf, "cpuset.mems", mems, err);
}

static int set_knob(struct tk_cgroup_leaf *leaf, const struct knob *knob, const char *value_v2,
                    const char *value_v1, struct tk_err *err)
{
    int rc = set_file(leaf, knob->file_v2, value_v2, err);
    if (rc != -EOPNOTSUPP || !leaf->mounts.mounts[knob->hierarchy_v1].at[0])
        return rc;
    size_t before = leaf->count;
    rc = add_place(leaf, knob->hierarchy_v1, err);
    if (rc == 0 && knob->hierarchy_v1 == TK_CGROUP_CPUSET && leaf->count > before)
        rc = inherit_mems(leaf, err);
    if (rc == 0)
        rc = set_file(leaf, knob->file_v1, value_v1, err);
    if (rc < 0 && leaf->count > before)
        drop_place(leaf);
    return rc;
}

int tk_cgroup_leaf_limit(struct tk_cgroup_leaf *leaf, const struct tk_cgroup_limits *limits,
                         struct tk_err *err)
{
    static const struct knob quota = {"cpu.max", TK_CGROUP_CPU, "cpu.cfs_quota_us"};
    static const struct knob weight = {"cpu.weight", TK_CGROUP_CPU, "cpu.shares"};
    static const struct knob cpus = {"cpuset.cpus", TK_CGROUP_CPUSET, "cpuset.cpus"};
    char v2[64];
    char v1[64];
    int rc = 0;
    struct tk_err failure;
    if (limits->cpu_percent > 0) {
        int64_t quota_us = limits->cpu_percent * (PERIOD_US / 100);
        (void)snprintf(v2, sizeof(v2), "%lld %d", (long long)quota_us, PERIOD_US);
        (void)snprintf(v1, sizeof(v1), "%lld", (long long)quota_us);
        rc = set_knob(leaf, &quota, v2, v1, err);
    }
    if (limits->cpu_weight > 0) {
        /* 100 in version 2 is 1024 in version 1. */
        (void)snprintf(v2, sizeof(v2), "%lld", (long long)limits->cpu_weight);
        (void)snprintf(v1, sizeof(v1), "%lld", (long long)limits->cpu_weight * 1024 / 100);
        if (set_knob(leaf, &weight, v2, v1, &failure) < 0 && rc == 0) {
            *err = failure;
            rc = failure.code;
        }
    }
    if (limits->cpuset && set_knob(leaf, &cpus, limits->cpuset, limits->cpuset, &failure) < 0 &&
        rc == 0) {
        *err = failure;
        rc = failure.code;
    }
    return rc;
}
