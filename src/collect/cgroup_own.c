/* SPDX-License-Identifier: Apache-2.0 */
/* What the control group that we run in, and those above it, allow us. */
#include <string.h>

#include "base/file.h"
#include "collect/cgroup_files.h"
#include "collect/node.h"

/* The limits of one group, in one hierarchy. */
static void read_limits(const struct tk_kernel *kernel, const struct tk_cgroup_mounts *mounts,
                        int hierarchy, const char *group, struct tk_cgroup_reading *ret)
{
    const struct tk_cgroup_devices none = {.count = 0};
    *ret = tk_cgroup_reading_none();
    for (size_t i = 0; i < TK_CGROUP_FILE_COUNT; i++) {
        const struct tk_cgroup_file *file = &tk_cgroup_files[i];
        char path[TK_CGROUP_PATH_MAX];
        char buf[512];
        tk_str text;
        struct tk_err ignored;
        if (file->hierarchy == hierarchy && file->class == TK_CGROUP_SLOW &&
            tk_cgroup_file_path(mounts, hierarchy, group, file->name, path, sizeof(path)) == 0 &&
            tk_file_read(kernel->rootfd, path, buf, sizeof(buf), &text, &ignored) == 0)
            (void)tk_cgroup_file_parse(file, text, &none, ret);
    }
}

static void take_tighter(const struct tk_cgroup_reading *limits, double *cores, int64_t *bytes)
{
    if (limits->cpu_limit_cores > 0 && (*cores <= 0 || limits->cpu_limit_cores < *cores))
        *cores = limits->cpu_limit_cores;
    if (limits->memory_limit_bytes >= 0 && (*bytes < 0 || limits->memory_limit_bytes < *bytes))
        *bytes = limits->memory_limit_bytes;
}

void tk_cgroup_own_limits(const struct tk_kernel *kernel, const struct tk_cgroup_mounts *mounts,
                          double *ret_cores, int64_t *ret_bytes)
{
    static const int hierarchies[] = {TK_CGROUP_V2, TK_CGROUP_CPU, TK_CGROUP_MEMORY};
    *ret_cores = 0;
    *ret_bytes = -1;
    for (size_t i = 0; i < TK_COUNTOF(hierarchies); i++) {
        char group[TK_CGROUP_PATH_MAX];
        memcpy(group, mounts->own[hierarchies[i]], sizeof(group));
        for (bool more = group[0] != '\0'; more;) {
            struct tk_cgroup_reading limits;
            read_limits(kernel, mounts, hierarchies[i], group[0] ? group : "/", &limits);
            take_tighter(&limits, ret_cores, ret_bytes);
            char *slash = strrchr(group, '/');
            more = slash && group[1];
            if (more)
                *slash = '\0';
        }
    }
}
