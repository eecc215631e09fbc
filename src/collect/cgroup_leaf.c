/* SPDX-License-Identifier: Apache-2.0 */
/* A leaf of our own below our own group: one folder in each of the hierarchies that count
 *
 *     version 2    CPU time; memory, I/O and limits as far as the controllers are delegated
 *     cpuacct      CPU time in ns
 *     memory       memory, and its peak
 *     cpu, cpuset  only when limits are asked for: a group of its own in `cpu` would change what
 *                  share of the machine the command gets
 *
 * What is below our group stays under every limit of our group.
 *
 * In version 2 a group with processes of its own cannot hand controllers to its children ("no
 * internal processes", cgroup-v2.rst). So when we are the only process of our group, as under
 * `systemd-run --scope -p Delegate=yes`, we step into a child beside the leaf, enable the
 * controllers, and step back at the end. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "collect/cgroups_internal.h"
#include "collect/kernel_text.h"

enum {
    NAME_CAP = 128,
    FILE_CAP = 256,              /* "NAME/file" */
    PROCS_MAX = 4 * 1024 * 1024, /* bytes of pids */
    DEPTH_MAX = 16,
    REMOVE_TRIES = 200, /* of 5 ms: dying processes leave a group a little late */
    PERIOD_US = 100000,
};

static const char name_prefix[] = "tracekit-";

/* A folder of the leaf in one hierarchy. */
struct place {
    int hierarchy;
    int parent; /* our own group, open */
    int procs;  /* its cgroup.procs, open for writing */
};

struct tk_cgroup_leaf {
    int rootfd;
    struct tk_cgroup_mounts mounts;
    struct tk_cgroup_devices stacked;
    struct place places[TK_CGROUP_HIERARCHIES];
    size_t count;
    char name[NAME_CAP];
    char path[TK_CGROUP_PATH_MAX]; /* as /proc/PID/cgroup shows it */
    bool stepped;                  /* we are in a child of our group of version 2 */
    char enabled[64];              /* controllers that we enabled there, "-cpu -memory" */
};

/* Small files ------------------------------------------------------------------------ */

/* Write `text` into an existing file. Returns 0 or a negative errno. */
static int write_file(int dirfd, const char *name, const char *text)
{
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

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

/* Removing --------------------------------------------------------------------------- */

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
            (void)write_file(to, "cgroup.procs", pid);
    }
}

/* Remove the group `name` below `parent` with all groups below it; their processes go to `to`. */
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

/* Folders that a recorder left behind which was killed: "tracekit-...-PID" without such a process.
 * One that still has processes stays (rmdir refuses), so nothing that lives is touched. */
static void remove_stale(int parent)
{
    int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        tk_fd_close(&fd);
        return;
    }
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
    while ((entry = readdir(dir))) {
        tk_str name = tk_str_from(entry->d_name);
        int64_t pid;
        if (!tk_str_starts_with(name, tk_str_from(name_prefix)))
            continue;
        size_t dash = tk_str_find_last(name, '-');
        if (tk_parse_i64((tk_str){name.p + dash + 1, name.n - dash - 1}, &pid) && pid > 0 &&
            kill((pid_t)pid, 0) < 0 && errno == ESRCH)
            (void)unlinkat(parent, entry->d_name, AT_REMOVEDIR);
    }
    closedir(dir);
}

/* Stepping aside --------------------------------------------------------------------- */

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

static void self_name(const struct tk_cgroup_leaf *leaf, char name[FILE_CAP])
{
    (void)snprintf(name, FILE_CAP, "%s.self", leaf->name);
}

static void step_back(struct tk_cgroup_leaf *leaf, int own)
{
    char name[FILE_CAP];
    if (!leaf->stepped)
        return;
    if (leaf->enabled[0])
        (void)write_file(own, "cgroup.subtree_control", leaf->enabled);
    self_name(leaf, name);
    (void)write_file(own, "cgroup.procs", "0");
    (void)remove_tree(own, name, own, 0);
    leaf->stepped = false;
}

/* Hand the controllers of our group to its children, where that is ours to do. */
static void step_aside(struct tk_cgroup_leaf *leaf, int own)
{
    static const char *const wanted[] = {"memory", "cpu", "io", "pids", "cpuset"};
    char name[FILE_CAP];
    if (!is_word_of(own, "cgroup.controllers", "memory") ||
        is_word_of(own, "cgroup.subtree_control", "memory") || !is_alone(own))
        return;
    self_name(leaf, name);
    if (mkdirat(own, name, 0755) < 0)
        return;
    TK_CLEANUP(tk_fd_close) int self = openat(own, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    leaf->stepped = self >= 0 && write_file(self, "cgroup.procs", "0") == 0;
    if (!leaf->stepped) {
        (void)unlinkat(own, name, AT_REMOVEDIR);
        return;
    }
    size_t n = 0;
    for (size_t i = 0; i < TK_COUNTOF(wanted); i++) {
        char enable[16];
        (void)snprintf(enable, sizeof(enable), "+%s", wanted[i]);
        if (is_word_of(own, "cgroup.controllers", wanted[i]) &&
            write_file(own, "cgroup.subtree_control", enable) == 0)
            n += (size_t)snprintf(leaf->enabled + n, sizeof(leaf->enabled) - n, "-%s ", wanted[i]);
    }
    if (n == 0)
        step_back(leaf, own);
}

/* Making ----------------------------------------------------------------------------- */

/* The folder that is, or is mounted together with (cpu,cpuacct), a hierarchy; NULL = none. */
static const struct place *find_place(const struct tk_cgroup_leaf *leaf, int hierarchy)
{
    const struct tk_cgroup_mount *mounts = leaf->mounts.mounts;
    for (size_t i = 0; i < leaf->count; i++) {
        if (strcmp(mounts[leaf->places[i].hierarchy].at, mounts[hierarchy].at) == 0)
            return &leaf->places[i];
    }
    return NULL;
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
    char path[TK_CGROUP_PATH_MAX];
    if (find_place(leaf, hierarchy))
        return 0;
    int rc = tk_cgroup_file_path(&leaf->mounts, hierarchy, leaf->mounts.own[hierarchy], "", path,
                                 sizeof(path));
    if (rc < 0)
        return tk_fail_code(err, rc, "control group %s", tk_cgroup_names[hierarchy]);
    TK_CLEANUP(tk_fd_close) int parent = -1;
    rc = tk_dir_open(leaf->rootfd, path, &parent, err);
    if (rc < 0)
        return rc;
    remove_stale(parent);
    if (hierarchy == TK_CGROUP_V2)
        step_aside(leaf, parent);
    rc = make_folder(parent, leaf->name);
    if (rc == 0) {
        char procs[FILE_CAP];
        (void)snprintf(procs, sizeof(procs), "%s/cgroup.procs", leaf->name);
        struct place *place = &leaf->places[leaf->count];
        *place = (struct place){.hierarchy = hierarchy,
                                .procs = openat(parent, procs, O_WRONLY | O_CLOEXEC)};
        if (place->procs >= 0) {
            place->parent = tk_fd_take(&parent);
            leaf->count++;
            return 0;
        }
        rc = -errno;
        (void)unlinkat(parent, leaf->name, AT_REMOVEDIR);
    }
    if (hierarchy == TK_CGROUP_V2)
        step_back(leaf, parent);
    return tk_fail_code(err, rc, "%s/%s", path, leaf->name);
}

/* "/own/NAME" of the hierarchy that tk_cgroup_parse() would take. */
static void name_path(struct tk_cgroup_leaf *leaf)
{
    const char *own = leaf->mounts.own[leaf->places[0].hierarchy];
    (void)snprintf(leaf->path, sizeof(leaf->path), "%s/%s", strcmp(own, "/") == 0 ? "" : own,
                   leaf->name);
}

int tk_cgroup_leaf_new(const struct tk_kernel *kernel, const char *name,
                       struct tk_cgroup_leaf **ret_leaf, struct tk_err *err)
{
    static const int hierarchies[] = {TK_CGROUP_V2, TK_CGROUP_CPUACCT, TK_CGROUP_MEMORY};
    if (!name[0] || name[0] == '.' || strchr(name, '/') || strlen(name) >= NAME_CAP)
        return tk_fail(err, -EINVAL, "'%s' cannot be the name of a control group", name);
    struct tk_cgroup_leaf *leaf = calloc(1, sizeof(*leaf));
    if (!leaf)
        return tk_fail(err, -ENOMEM, "control group: out of memory");
    leaf->rootfd = kernel->rootfd;
    (void)tk_str_to_cstr(tk_str_from(name), leaf->name, sizeof(leaf->name));
    int rc = tk_cgroup_mounts_read(kernel, &leaf->mounts, err);
    for (size_t i = 0; i < TK_COUNTOF(hierarchies) && rc == 0; i++) {
        struct tk_err failure;
        if (!leaf->mounts.mounts[hierarchies[i]].at[0])
            continue;
        if (add_place(leaf, hierarchies[i], &failure) < 0)
            *err = failure;
    }
    if (rc == 0 && leaf->count == 0)
        rc = err->code;
    if (rc < 0) {
        tk_cgroup_leaf_free(leaf);
        return rc;
    }
    tk_cgroup_devices_find(leaf->rootfd, &leaf->stacked);
    name_path(leaf);
    *ret_leaf = leaf;
    return 0;
}

void tk_cgroup_leaf_free(struct tk_cgroup_leaf *leaf)
{
    if (!leaf)
        return;
    for (size_t i = leaf->count; i-- > 0;) {
        struct place *place = &leaf->places[i];
        tk_fd_close(&place->procs);
        (void)remove_tree(place->parent, leaf->name, place->parent, 0);
        if (place->hierarchy == TK_CGROUP_V2)
            step_back(leaf, place->parent);
        tk_fd_close(&place->parent);
    }
    free(leaf);
}

/* Using ------------------------------------------------------------------------------ */

int tk_cgroup_leaf_enter(const struct tk_cgroup_leaf *leaf)
{
    int rc = 0;
    for (size_t i = 0; i < leaf->count; i++) {
        if (write(leaf->places[i].procs, "0", 1) != 1 && rc == 0)
            rc = -errno;
    }
    return rc;
}

const char *tk_cgroup_leaf_path(const struct tk_cgroup_leaf *leaf)
{
    return leaf->path;
}

/* Path of a file of the leaf, below its parent. */
static void leaf_file(const struct tk_cgroup_leaf *leaf, const char *file, char ret[FILE_CAP])
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
    for (size_t i = 0; i < tk_cgroup_file_count; i++) {
        const struct tk_cgroup_file *file = &tk_cgroup_files[i];
        const struct place *place = find_place(leaf, file->hierarchy);
        char path[FILE_CAP];
        tk_str text;
        struct tk_err missing;
        leaf_file(leaf, file->name, path);
        if (!place || tk_file_read(place->parent, path, buf, sizeof(buf), &text, &missing) < 0)
            continue;
        if (!file->parse(text, &leaf->stacked, &reading))
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
    leaf_file(leaf, file, path);
    int rc = -ENOENT;
    for (size_t i = 0; i < leaf->count && rc == -ENOENT; i++)
        rc = write_file(leaf->places[i].parent, path, value);
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
    struct place *place = &leaf->places[--leaf->count];
    tk_fd_close(&place->procs);
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
