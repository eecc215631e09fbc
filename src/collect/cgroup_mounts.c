/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/self/mountinfo, see proc(5):
 *
 *     35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
 *     41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
 *                ^ group that is seen, mount point ... - type source options
 *
 * and /proc/self/cgroup, see cgroups(7): "4:memory:/a/b", "2:cpu,cpuacct:/a", "0::/a". */
#include "collect/cgroup_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/number.h"

#define MOUNTINFO_MAX ((size_t)4 << 20) /* hosts with many containers have thousands of mounts */

const char *const tk_cgroup_names[TK_CGROUP_HIERARCHIES] = {
    [TK_CGROUP_CPU] = "cpu",     [TK_CGROUP_CPUACCT] = "cpuacct", [TK_CGROUP_MEMORY] = "memory",
    [TK_CGROUP_BLKIO] = "blkio", [TK_CGROUP_PIDS] = "pids",       [TK_CGROUP_CPUSET] = "cpuset",
    [TK_CGROUP_V2] = "",
};

/* Is `name` one of the comma-separated `list`? */
static bool is_listed(tk_str list, const char *name)
{
    tk_str word;
    while (tk_str_take_until(&list, ',', &word)) {
        if (tk_str_eq(word, tk_str_from(name)))
            return true;
    }
    return false;
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* Copy with "\040" turned into the byte that it stands for. */
static bool unescape(tk_str text, char *ret, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\\' && text.n - i > 3 && is_octal(text.p[i + 1]) && is_octal(text.p[i + 2]) &&
            is_octal(text.p[i + 3])) {
            c = (char)((text.p[i + 1] - '0') << 6 | (text.p[i + 2] - '0') << 3 |
                       (text.p[i + 3] - '0'));
            i += 3;
        }
        if (n + 1 >= cap || c == '\0')
            return false;
        ret[n++] = c;
    }
    ret[n] = '\0';
    return true;
}

static void set_mount(struct tk_cgroup_mount *mount, tk_str from, tk_str at)
{
    struct tk_cgroup_mount found;
    (void)tk_str_take_prefix(&at, TK_STR("/"));
    if (!mount->at[0] && unescape(at, found.at, sizeof(found.at)) &&
        unescape(from, found.from, sizeof(found.from)))
        *mount = found;
}

static void take_mount_line(tk_str line, struct tk_cgroup_mounts *mounts)
{
    tk_str word[5];
    for (size_t i = 0; i < TK_COUNTOF(word); i++) {
        if (!tk_str_take_word(&line, &word[i]))
            return;
    }
    tk_str skipped;
    do {
        if (!tk_str_take_word(&line, &skipped))
            return;
    } while (!tk_str_eq(skipped, TK_STR("-")));

    tk_str type;
    tk_str source;
    tk_str options;
    if (!tk_str_take_word(&line, &type) || !tk_str_take_word(&line, &source) ||
        !tk_str_take_word(&line, &options))
        return;
    if (tk_str_eq(type, TK_STR("cgroup2")))
        set_mount(&mounts->mounts[TK_CGROUP_V2], word[3], word[4]);
    if (!tk_str_eq(type, TK_STR("cgroup")))
        return;
    for (size_t i = 0; i < TK_CGROUP_CONTROLLERS; i++) {
        if (is_listed(options, tk_cgroup_names[i]))
            set_mount(&mounts->mounts[i], word[3], word[4]);
    }
}

void tk_cgroup_mounts_parse(tk_str mountinfo, struct tk_cgroup_mounts *mounts)
{
    for (size_t i = 0; i < TK_CGROUP_HIERARCHIES; i++)
        mounts->mounts[i].at[0] = mounts->mounts[i].from[0] = '\0';
    tk_str line;
    while (tk_str_take_line(&mountinfo, &line))
        take_mount_line(line, mounts);
}

static void set_own(struct tk_cgroup_mounts *mounts, size_t hierarchy, tk_str path, int64_t number)
{
    mounts->numbers[hierarchy] = (int32_t)number;
    (void)tk_str_to_cstr(path, mounts->own[hierarchy], sizeof(mounts->own[hierarchy]));
}

void tk_cgroup_own_parse(tk_str self_cgroup, struct tk_cgroup_mounts *mounts)
{
    for (size_t i = 0; i < TK_CGROUP_HIERARCHIES; i++) {
        mounts->own[i][0] = '\0';
        mounts->numbers[i] = -1;
    }
    tk_str line;
    while (tk_str_take_line(&self_cgroup, &line)) {
        tk_str word;
        tk_str controllers;
        int64_t number;
        if (!tk_str_take_until(&line, ':', &word) || !tk_parse_i64(word, &number) || number < 0 ||
            number > INT32_MAX || !tk_str_take_until(&line, ':', &controllers) ||
            !tk_str_starts_with(line, TK_STR("/")))
            continue;
        for (size_t i = 0; i < TK_CGROUP_CONTROLLERS; i++) {
            if (is_listed(controllers, tk_cgroup_names[i]))
                set_own(mounts, i, line, number);
        }
        if (number == 0 && controllers.n == 0)
            set_own(mounts, TK_CGROUP_V2, line, number);
    }
}

/* In a control group namespace whose mounts are still those of the host, a mount shows a group
 * above ours, "/..", and our own path, told from the namespace's root, cannot be found in it. */
static void forget_unseen(struct tk_cgroup_mounts *mounts)
{
    for (size_t i = 0; i < TK_CGROUP_HIERARCHIES; i++) {
        if (tk_str_starts_with(tk_str_from(mounts->mounts[i].from), TK_STR("/..")))
            mounts->own[i][0] = '\0';
    }
}

int tk_cgroup_mounts_read(const struct tk_kernel *kernel, struct tk_cgroup_mounts *ret_mounts,
                          struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, MOUNTINFO_MAX);
    int rc = tk_file_load(kernel->procfd, "self/mountinfo", &text, err);
    if (rc < 0)
        return rc;
    tk_cgroup_mounts_parse(tk_buf_str(&text), ret_mounts);
    if (tk_cgroup_mounts_version(ret_mounts) == 0)
        return tk_fail(err, -ENOENT, "no control groups are mounted");
    tk_buf_reset(&text);
    rc = tk_file_load(kernel->procfd, "self/cgroup", &text, err);
    if (rc < 0)
        return rc;
    tk_cgroup_own_parse(tk_buf_str(&text), ret_mounts);
    forget_unseen(ret_mounts);
    return 0;
}

int tk_cgroup_mounts_version(const struct tk_cgroup_mounts *mounts)
{
    int version = mounts->mounts[TK_CGROUP_V2].at[0] ? 2 : 0;
    for (size_t i = 0; i < TK_CGROUP_CONTROLLERS; i++) {
        if (mounts->mounts[i].at[0])
            version |= 1;
    }
    return version;
}

/* What remains of `group` below the group that the mount shows; false when it lies outside. */
static bool below_mount(const struct tk_cgroup_mount *mount, tk_str group, tk_str *ret)
{
    tk_str from = tk_str_from(mount->from);
    *ret = group;
    if (from.n <= 1 || tk_str_starts_with(from, TK_STR("/..")))
        return true;
    return tk_str_take_prefix(ret, from) && (ret->n == 0 || ret->p[0] == '/');
}

static bool append(char *path, size_t cap, size_t *n, tk_str part)
{
    if (part.n >= cap - *n)
        return false;
    memcpy(path + *n, part.p, part.n);
    *n += part.n;
    path[*n] = '\0';
    return true;
}

int tk_cgroup_file_path(const struct tk_cgroup_mounts *mounts, int hierarchy, const char *group,
                        const char *file, char *ret, size_t cap)
{
    const struct tk_cgroup_mount *mount = &mounts->mounts[hierarchy];
    tk_str rest;
    if (!mount->at[0] || group[0] != '/' || !below_mount(mount, tk_str_from(group), &rest))
        return -ENOENT;
    while (rest.n > 0 && rest.p[rest.n - 1] == '/')
        rest.n--;
    size_t n = 0;
    if (!append(ret, cap, &n, tk_str_from(mount->at)) || !append(ret, cap, &n, rest) ||
        (file[0] &&
         (!append(ret, cap, &n, TK_STR("/")) || !append(ret, cap, &n, tk_str_from(file)))))
        return -ENAMETOOLONG;
    return 0;
}

bool tk_cgroup_is_root(const struct tk_kernel *kernel, const struct tk_cgroup_mounts *mounts,
                       int hierarchy, const char *group)
{
    /* Only the root of version 1 has a release agent, only that of version 2 no events. */
    bool is_v2 = hierarchy == TK_CGROUP_V2;
    char path[TK_CGROUP_PATH_MAX];
    if (tk_cgroup_file_path(mounts, hierarchy, group, is_v2 ? "cgroup.events" : "release_agent",
                            path, sizeof(path)) < 0)
        return false;
    return (faccessat(kernel->rootfd, path, F_OK, 0) == 0) != is_v2;
}
