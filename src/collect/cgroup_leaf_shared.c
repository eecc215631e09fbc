/* SPDX-License-Identifier: Apache-2.0 */
/* Leaves that outlive their maker: one process makes it and moves another in, a later one reads and
 * removes it. It is described by its name and the group that it lies in, per hierarchy:
 *
 *     tracekit-s-1a2b-4711 v2=/user.slice cpuacct=/ memory=/a
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "collect/cgroup_leaf_internal.h"
#include "collect/kernel_text.h"

enum {
    KILL_ROUNDS = 50, /* while those that are to die make new ones */
    PIDS_BYTES = 65536,
};

static const char *hierarchy_name(int hierarchy)
{
    return hierarchy == TK_CGROUP_V2 ? "v2" : tk_cgroup_names[hierarchy];
}

void tk_cgroup_leaf_describe(const struct tk_cgroup_leaf *leaf, struct tk_buf *out)
{
    tk_buf_puts(out, leaf->name);
    for (size_t i = 0; i < leaf->count; i++) {
        int hierarchy = leaf->places[i].hierarchy;
        tk_buf_printf(out, " %s=%s", hierarchy_name(hierarchy), leaf->mounts.own[hierarchy]);
    }
}

/* Take "cpuacct=/a" as the place of the leaf in one hierarchy. */
static int reopen_place(struct tk_cgroup_leaf *leaf, tk_str word, struct tk_err *err)
{
    char path[TK_CGROUP_PATH_MAX];
    tk_str name;
    int hierarchy = 0;
    if (!tk_str_take_until(&word, '=', &name))
        return -EBADMSG;
    while (hierarchy < TK_CGROUP_HIERARCHIES &&
           !tk_str_eq(name, tk_str_from(hierarchy_name(hierarchy))))
        hierarchy++;
    if (hierarchy == TK_CGROUP_HIERARCHIES ||
        !tk_str_to_cstr(word, leaf->mounts.own[hierarchy], TK_CGROUP_PATH_MAX))
        return -EBADMSG;
    int rc = tk_cgroup_file_path(&leaf->mounts, hierarchy, leaf->mounts.own[hierarchy], "", path,
                                 sizeof(path));
    TK_CLEANUP(tk_fd_close) int parent = -1;
    rc = rc < 0 ? rc : tk_dir_open(leaf->rootfd, path, &parent, err);
    if (rc < 0)
        return rc;
    int entry = tk_cgroup_leaf_open_entry(leaf, hierarchy, parent);
    if (entry < 0)
        return entry;
    leaf->places[leaf->count++] =
        (struct tk_cgroup_place){hierarchy, .parent = tk_fd_take(&parent), .entry = entry};
    return 0;
}

int tk_cgroup_leaf_reopen(const struct tk_kernel *kernel, const struct tk_cgroup_mounts *mounts,
                          tk_str described, struct tk_cgroup_leaf **ret_leaf, struct tk_err *err)
{
    struct tk_cgroup_leaf *leaf = calloc(1, sizeof(*leaf));
    if (!leaf)
        return tk_fail(err, -ENOMEM, "control group: out of memory");
    tk_str rest = described;
    tk_str word;
    int rc = tk_str_take_word(&rest, &word) && !memchr(word.p, '/', word.n) &&
                     tk_str_to_cstr(word, leaf->name, sizeof(leaf->name))
                 ? tk_cgroup_leaf_set_mounts(leaf, kernel, mounts, err)
                 : -EBADMSG;
    while (rc == 0 && leaf->count < TK_CGROUP_HIERARCHIES && tk_str_take_word(&rest, &word))
        rc = reopen_place(leaf, word, err);
    if (rc == 0 && leaf->count == 0)
        rc = -EBADMSG;
    if (rc < 0) {
        tk_cgroup_leaf_leave(leaf);
        return tk_fail_code(err, rc, "control group '%.*s'", TK_STR_ARG(described));
    }
    (void)snprintf(leaf->path, sizeof(leaf->path), "%s", leaf->name);
    *ret_leaf = leaf;
    return 0;
}

/* The folder of somebody else's group in one hierarchy, where it has one. */
static void find_place(struct tk_cgroup_leaf *leaf, int hierarchy, const char *above)
{
    char path[TK_CGROUP_PATH_MAX];
    struct tk_err ignored;
    TK_CLEANUP(tk_fd_close) int parent = -1;
    if (tk_cgroup_leaf_place(leaf, hierarchy) ||
        tk_cgroup_file_path(&leaf->mounts, hierarchy, above, "", path, sizeof(path)) < 0 ||
        tk_dir_open(leaf->rootfd, path, &parent, &ignored) < 0 ||
        faccessat(parent, leaf->name, F_OK, 0) < 0)
        return;
    leaf->places[leaf->count++] = (struct tk_cgroup_place){
        .hierarchy = hierarchy, .parent = tk_fd_take(&parent), .entry = -1};
}

int tk_cgroup_leaf_find(const struct tk_kernel *kernel, const struct tk_cgroup_mounts *mounts,
                        const char *group, struct tk_cgroup_leaf **ret_leaf, struct tk_err *err)
{
    static const int hierarchies[] = {TK_CGROUP_V2, TK_CGROUP_CPUACCT, TK_CGROUP_MEMORY};
    char above[TK_CGROUP_PATH_MAX];
    tk_str path = tk_str_from(group);
    size_t slash = tk_str_find_last(path, '/');
    if (slash == path.n || slash + 1 == path.n)
        return tk_fail(err, -EINVAL, "'%s' is no path of a control group", group);
    struct tk_cgroup_leaf *leaf = calloc(1, sizeof(*leaf));
    if (!leaf)
        return tk_fail(err, -ENOMEM, "control group: out of memory");
    leaf->rootfd = kernel->rootfd;
    leaf->mounts = *mounts;
    bool fits = tk_str_to_cstr((tk_str){path.p, slash > 0 ? slash : 1}, above, sizeof(above)) &&
                tk_str_to_cstr((tk_str){path.p + slash + 1, path.n - slash - 1}, leaf->name,
                               sizeof(leaf->name)) &&
                tk_str_to_cstr(path, leaf->path, sizeof(leaf->path));
    for (size_t i = 0; i < TK_COUNTOF(hierarchies) && fits; i++) {
        if (leaf->mounts.mounts[hierarchies[i]].at[0] &&
            !(hierarchies[i] == TK_CGROUP_CPUACCT && tk_cgroup_leaf_has_cpu(leaf)))
            find_place(leaf, hierarchies[i], above);
    }
    if (leaf->count == 0) {
        tk_cgroup_leaf_leave(leaf);
        return tk_fail(err, -ENOENT, "there is no control group %s", group);
    }
    *ret_leaf = leaf;
    return 0;
}

const struct tk_cgroup_mounts *tk_cgroup_leaf_mounts(const struct tk_cgroup_leaf *leaf)
{
    return &leaf->mounts;
}

void tk_cgroup_leaf_leave(struct tk_cgroup_leaf *leaf)
{
    if (!leaf)
        return;
    for (size_t i = 0; i < leaf->count; i++) {
        tk_fd_close(&leaf->places[i].entry);
        tk_fd_close(&leaf->places[i].parent);
    }
    free(leaf);
}

int tk_cgroup_leaf_take(const struct tk_cgroup_leaf *leaf, pid_t pid)
{
    char text[TK_I64_MAX + 1];
    char file[TK_CGROUP_LEAF_FILE];
    int rc = 0;
    text[tk_i64_format(pid, text)] = '\0';
    tk_cgroup_leaf_file(leaf, "cgroup.procs", file);
    for (size_t i = 0; i < leaf->count; i++) {
        int one = tk_cgroup_write(leaf->places[i].parent, file, text);
        rc = rc < 0 ? rc : one;
    }
    return rc;
}

/* Kill what cgroup.procs of one hierarchy lists; false when nothing is there. */
static bool kill_listed(const struct tk_cgroup_leaf *leaf)
{
    char path[TK_CGROUP_LEAF_FILE];
    char buf[PIDS_BYTES];
    tk_str text, line;
    struct tk_err ignored;
    bool found = false;
    tk_cgroup_leaf_file(leaf, "cgroup.procs", path);
    if (tk_file_read(leaf->places[0].parent, path, buf, sizeof(buf), &text, &ignored) < 0)
        return false;
    while (tk_str_take_line(&text, &line)) {
        int64_t pid;
        if (tk_parse_i64(line, &pid) && pid > 1 && pid != getpid()) {
            (void)kill((pid_t)pid, SIGKILL);
            found = true;
        }
    }
    return found;
}

void tk_cgroup_leaf_kill(const struct tk_cgroup_leaf *leaf)
{
    char path[TK_CGROUP_LEAF_FILE];
    const struct tk_cgroup_place *v2 = tk_cgroup_leaf_place(leaf, TK_CGROUP_V2);
    tk_cgroup_leaf_file(leaf, "cgroup.kill", path);
    if (v2 && tk_cgroup_write(v2->parent, path, "1") == 0)
        return;
    for (int i = 0; i < KILL_ROUNDS && kill_listed(leaf); i++)
        (void)usleep(2000);
}

/* Memory ----------------------------------------------------------------------------- */

/* Of memory.stat, each list in the order of its file. */
static const struct tk_scan_key stat_v2[] = {
    TK_SCAN_KEY("anon ", struct tk_cgroup_memory, anon_bytes),
    TK_SCAN_KEY("file ", struct tk_cgroup_memory, file_bytes),
    TK_SCAN_KEY("shmem ", struct tk_cgroup_memory, shmem_bytes),
    TK_SCAN_KEY("workingset_refault_file ", struct tk_cgroup_memory, refaults),
    TK_SCAN_KEY("pgmajfault ", struct tk_cgroup_memory, major_faults),
};
static const struct tk_scan_key stat_v1[] = {
    TK_SCAN_KEY("total_cache ", struct tk_cgroup_memory, file_bytes),
    TK_SCAN_KEY("total_rss ", struct tk_cgroup_memory, anon_bytes),
    TK_SCAN_KEY("total_shmem ", struct tk_cgroup_memory, shmem_bytes),
    TK_SCAN_KEY("total_workingset_refault_file ", struct tk_cgroup_memory, refaults),
    TK_SCAN_KEY("total_swap ", struct tk_cgroup_memory, swap_bytes),
    TK_SCAN_KEY("total_pgmajfault ", struct tk_cgroup_memory, major_faults),
};

struct kills {
    int64_t count;
};
static const struct tk_scan_key kills_key[] = {TK_SCAN_KEY("oom_kill ", struct kills, count)};

/* The text of a file of the leaf; empty when this host lacks it. */
static tk_str read_file(const struct tk_cgroup_leaf *leaf, const struct tk_cgroup_place *place,
                        const char *file, char *buf, size_t cap)
{
    char path[TK_CGROUP_LEAF_FILE];
    tk_str text;
    struct tk_err ignored;
    tk_cgroup_leaf_file(leaf, file, path);
    return tk_file_read(place->parent, path, buf, cap, &text, &ignored) == 0 ? text : (tk_str){0};
}

void tk_cgroup_leaf_read_memory(const struct tk_cgroup_leaf *leaf, struct tk_cgroup_memory *ret)
{
    char buf[TK_CGROUP_FILE_MAX];
    struct kills kills = {-1};
    *ret = (struct tk_cgroup_memory){-1, -1, -1, -1, -1, -1, -1};
    const struct tk_cgroup_place *v1 = tk_cgroup_leaf_place(leaf, TK_CGROUP_MEMORY);
    const struct tk_cgroup_place *place = v1 ? v1 : tk_cgroup_leaf_place(leaf, TK_CGROUP_V2);
    if (!place)
        return;
    tk_str text = read_file(leaf, place, "memory.stat", buf, sizeof(buf));
    (void)tk_scan_keys(text, v1 ? stat_v1 : stat_v2, v1 ? TK_COUNTOF(stat_v1) : TK_COUNTOF(stat_v2),
                       ret);
    text = read_file(leaf, place, v1 ? "memory.oom_control" : "memory.events", buf, sizeof(buf));
    (void)tk_scan_keys(text, kills_key, 1, &kills);
    ret->oom_kills = kills.count;
    if (!v1) {
        text = read_file(leaf, place, "memory.swap.current", buf, sizeof(buf));
        if (!tk_parse_i64(tk_str_trim(text), &ret->swap_bytes))
            ret->swap_bytes = -1;
    }
}

/* Tasks ------------------------------------------------------------------------------ */

int64_t tk_cgroup_leaf_tasks_peak(const struct tk_cgroup_leaf *leaf)
{
    char buf[64];
    int64_t peak = -1;
    const struct tk_cgroup_place *v1 = tk_cgroup_leaf_place(leaf, TK_CGROUP_PIDS);
    const struct tk_cgroup_place *place = v1 ? v1 : tk_cgroup_leaf_place(leaf, TK_CGROUP_V2);
    if (!place ||
        !tk_parse_i64(tk_str_trim(read_file(leaf, place, "pids.peak", buf, sizeof(buf))), &peak))
        return -1;
    return peak;
}
