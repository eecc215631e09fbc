/* SPDX-License-Identifier: Apache-2.0 */
#include "step/also.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/cgroup_mounts.h"
#include "step/measure.h"

#define LEAST_CPU_NS (10 * TK_NS_PER_MS)

enum {
    UNITS_MAX = 16,
    LEAST_BYTES = 1024 * 1024,
};

struct unit {
    char name[TK_CGROUP_PATH_MAX];
    bool asked;
    struct tk_cgroup_leaf *group;
    struct tk_cgroup_reading before;
};

struct tk_also {
    struct unit units[UNITS_MAX];
    size_t count;
};

/* The last is the parent of docker's containers where systemd is not in charge of groups. */
static const char *const usual[] = {"docker.service", "containerd.service", "machine.slice",
                                    "/docker"};

/* Where systemd puts it. */
static void group_of(const char *name, char ret[TK_CGROUP_PATH_MAX])
{
    bool slice = tk_str_ends_with(tk_str_from(name), TK_STR(".slice"));
    const char *above = name[0] == '/' ? "" : slice ? "/" : "/system.slice/";
    (void)snprintf(ret, TK_CGROUP_PATH_MAX, "%s%s", above, name);
}

static bool has_unit(const struct tk_also *also, const char *name)
{
    for (size_t i = 0; i < also->count; i++) {
        if (strcmp(also->units[i].name, name) == 0)
            return true;
    }
    return false;
}

static int add(struct tk_also *also, const struct tk_kernel *kernel,
               const struct tk_cgroup_mounts *mounts, tk_str name, bool asked, struct tk_err *err)
{
    char group[TK_CGROUP_PATH_MAX];
    struct unit *unit = &also->units[also->count];
    if (also->count == UNITS_MAX)
        return tk_fail(err, -E2BIG, "more than %d control groups", UNITS_MAX);
    if (name.n > TK_CGROUP_PATH_MAX / 2 || !tk_str_to_cstr(name, unit->name, sizeof(unit->name)))
        return tk_fail(err, -ENAMETOOLONG, "control group '%.*s'", TK_STR_ARG(name));
    group_of(unit->name, group);
    int rc = has_unit(also, unit->name)
                 ? 0
                 : tk_cgroup_leaf_find(kernel, mounts, group, &unit->group, err);
    if (rc < 0 || !unit->group)
        return rc;
    also->count++;
    unit->asked = asked;
    return tk_cgroup_leaf_read(unit->group, &unit->before, err);
}

/* Are we in it, or below? What it uses is ours then, too. */
static bool holds_us(const struct tk_cgroup_mounts *mounts, int hierarchy, const char *group)
{
    const char *own = mounts->own[hierarchy];
    size_t n = strlen(group);
    return strncmp(own, group, n) == 0 && (own[n] == '\0' || own[n] == '/');
}

/* A look in one hierarchy: systemd makes the group of a unit in that of version 2 where there is
 * one, else in each. */
static bool works_for_others(const struct tk_kernel *kernel, const struct tk_cgroup_mounts *mounts,
                             const char *name)
{
    char group[TK_CGROUP_PATH_MAX];
    char path[TK_CGROUP_PATH_MAX];
    int hierarchy = mounts->mounts[TK_CGROUP_V2].at[0] ? TK_CGROUP_V2 : TK_CGROUP_MEMORY;
    group_of(name, group);
    return !holds_us(mounts, hierarchy, group) &&
           tk_cgroup_file_path(mounts, hierarchy, group, "", path, sizeof(path)) == 0 &&
           faccessat(kernel->rootfd, path, F_OK, 0) == 0;
}

static int add_all(struct tk_also *also, const struct tk_kernel *kernel,
                   const struct tk_cgroup_mounts *mounts, tk_str units, struct tk_err *err)
{
    tk_str name;
    int rc = 0;
    while (rc == 0 && tk_str_take_until(&units, ',', &name)) {
        name = tk_str_trim(name);
        if (name.n > 0)
            rc = add(also, kernel, mounts, name, true, err);
    }
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(usual); i++) {
        struct tk_err ignored;
        if (works_for_others(kernel, mounts, usual[i]))
            (void)!add(also, kernel, mounts, tk_str_from(usual[i]), false, &ignored);
    }
    return rc;
}

int tk_also_new(const struct tk_kernel *kernel, const struct tk_cgroup_leaf *leaf, tk_str units,
                struct tk_also **ret_also, struct tk_err *err)
{
    struct tk_cgroup_mounts own;
    const struct tk_cgroup_mounts *mounts = leaf ? tk_cgroup_leaf_mounts(leaf) : &own;
    struct tk_also *also = calloc(1, sizeof(*also));
    if (!also)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = leaf ? 0 : tk_cgroup_mounts_read(kernel, &own, err);
    rc = rc < 0 ? rc : add_all(also, kernel, mounts, units, err);
    if (rc < 0) {
        tk_also_free(also);
        return rc;
    }
    *ret_also = also;
    return 0;
}

void tk_also_free(struct tk_also *also)
{
    if (!also)
        return;
    for (size_t i = 0; i < also->count; i++)
        tk_cgroup_leaf_leave(also->units[i].group);
    free(also);
}

static double since(int64_t before, int64_t now, double unit)
{
    return before < 0 || now < before ? (double)NAN : (double)(now - before) / unit;
}

static bool did_something(const struct tk_cgroup_reading *a, const struct tk_cgroup_reading *b)
{
    return b->cpu_ns - a->cpu_ns >= LEAST_CPU_NS || b->rd_bytes - a->rd_bytes >= LEAST_BYTES ||
           b->wr_bytes - a->wr_bytes >= LEAST_BYTES;
}

static void take_unit(struct unit *unit, struct tk_job_vias *ret, struct tk_arena *arena)
{
    struct tk_cgroup_reading now;
    struct tk_err ignored;
    const struct tk_cgroup_reading *before = &unit->before;
    if (tk_cgroup_leaf_read(unit->group, &now, &ignored) < 0 ||
        !(unit->asked || did_something(before, &now)))
        return;
    struct tk_job_via *via = tk_job_add(&tk_job_via_shape, ret, arena);
    if (!via)
        return;
    via->unit = tk_arena_copy(arena, tk_str_from(unit->name));
    via->cpu_s = since(before->cpu_ns, now.cpu_ns, (double)TK_NS_PER_S);
    via->read_mb = since(before->rd_bytes, now.rd_bytes, TK_STEP_MB);
    via->write_mb = since(before->wr_bytes, now.wr_bytes, TK_STEP_MB);
    /* The peak of its whole life is that of the step only where the step raised it. */
    if (now.memory_peak_bytes > before->memory_peak_bytes && before->memory_peak_bytes >= 0)
        via->memory_peak_mb = (double)now.memory_peak_bytes / TK_STEP_MB;
}

void tk_also_take(struct tk_also *also, struct tk_job_vias *ret, struct tk_arena *arena)
{
    for (size_t i = 0; i < also->count; i++)
        take_unit(&also->units[i], ret, arena);
}
