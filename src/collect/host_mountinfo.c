/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/self/mountinfo, see proc_pid_mountinfo(5), a mount a line:
 *
 *     36 35 98:0 /mnt1 /mnt/my\040disk rw,noatime master:1 - ext3 /dev/root rw,errors=continue
 *
 * Kept are those that disk space can run out of: one mount of each block device, the root, and
 * /tmp, /var/tmp and /dev/shm where these are memory. File systems of other machines are counted
 * and left alone, with all that is mounted below them: asking one whose server is dead may never
 * return. */
#include <errno.h>
#include <string.h>

#include "collect/host_sources.h"
#include "collect/kernel_text.h"

struct fields {
    tk_str device_number, path, type, source;
};

static bool take_fields(tk_str line, struct fields *ret)
{
    tk_str word;
    for (int i = 0; i < 5; i++) {
        if (!tk_str_take_word(&line, &word))
            return false;
        if (i == 2)
            ret->device_number = word;
    }
    ret->path = word;
    while (!tk_str_eq(word, TK_STR("-"))) {
        if (!tk_str_take_word(&line, &word))
            return false;
    }
    return tk_str_take_word(&line, &ret->type) && tk_str_take_word(&line, &ret->source);
}

static bool is_any_of(tk_str text, const char *const *words)
{
    for (; *words; words++) {
        if (tk_str_eq(text, tk_str_from(*words)))
            return true;
    }
    return false;
}

/* Answered by another machine, or by a program that may have died. */
static bool is_remote(const struct fields *mount)
{
    static const char *const types[] = {
        "nfs",      "nfs4",  "cifs",   "smb3",     "smbfs", "ncpfs",     "afs",   "9p",
        "ceph",     "coda",  "lustre", "beegfs",   "gpfs",  "glusterfs", "ocfs2", "gfs2",
        "orangefs", "pvfs2", "autofs", "virtiofs", "fuse",  NULL};
    return is_any_of(mount->type, types) || tk_str_starts_with(mount->type, TK_STR("fuse."));
}

/* Can its space run out? Images (squashfs, iso9660) are full from the start. */
static bool has_space(const struct fields *mount)
{
    static const char *const pools[] = {"zfs", "btrfs", "bcachefs", NULL};
    static const char *const images[] = {"squashfs", "iso9660", "erofs", "udf", "cramfs", NULL};
    static const char *const memory[] = {"/tmp", "/var/tmp", "/dev/shm", NULL};
    if (tk_str_eq(mount->path, TK_STR("/")))
        return true;
    if (tk_str_eq(mount->type, TK_STR("tmpfs")))
        return is_any_of(mount->path, memory);
    if (is_any_of(mount->type, images))
        return false;
    return is_any_of(mount->type, pools) || tk_str_starts_with(mount->source, TK_STR("/dev/"));
}

static int octal(char c)
{
    return c >= '0' && c <= '7' ? c - '0' : -1;
}

/* Blanks and the like are written as \040. False when it does not fit. */
static bool unescape(tk_str text, char *to, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\\' && i + 3 < text.n && octal(text.p[i + 1]) >= 0 && octal(text.p[i + 2]) >= 0 &&
            octal(text.p[i + 3]) >= 0) {
            c = (char)(octal(text.p[i + 1]) * 64 + octal(text.p[i + 2]) * 8 + octal(text.p[i + 3]));
            i += 3;
        }
        if (n + 1 >= cap || c == '\0')
            return false;
        to[n++] = c;
    }
    to[n] = '\0';
    return true;
}

static bool is_below(const char *path, const char *parent)
{
    size_t n = strlen(parent);
    return strncmp(path, parent, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static void remove_mount(struct tk_host_mounts *mounts, size_t i)
{
    mounts->items[i] = mounts->items[--mounts->count];
}

/* What lies below a mount cannot be seen any more, and must not be asked for. */
static void hide_below(struct tk_host_mounts *mounts, const char *path)
{
    for (size_t i = mounts->count; i-- > 0;) {
        if (is_below(mounts->items[i].path, path))
            remove_mount(mounts, i);
    }
}

static void add_remote(struct tk_host_mounts *mounts, const char *path)
{
    hide_below(mounts, path);
    if (mounts->remote_count < TK_HOST_REMOTES_MAX) {
        (void)tk_str_to_cstr(tk_str_from(path), mounts->remotes[mounts->remote_count],
                             sizeof(mounts->remotes[0]));
    }
    mounts->remote_count++;
}

static bool is_below_remote(const struct tk_host_mounts *mounts, const char *path)
{
    size_t n =
        mounts->remote_count < TK_HOST_REMOTES_MAX ? mounts->remote_count : TK_HOST_REMOTES_MAX;
    for (size_t i = 0; i < n; i++) {
        if (is_below(path, mounts->remotes[i]))
            return true;
    }
    return false;
}

/* The mount of the same device with the shortest path stands for all; NULL = no such yet. */
static struct tk_host_mount *find_device(struct tk_host_mounts *mounts, tk_str device_number)
{
    for (size_t i = 0; i < mounts->count; i++) {
        if (tk_str_eq(device_number, tk_str_from(mounts->items[i].device_number)))
            return &mounts->items[i];
    }
    return NULL;
}

static void add_mount(struct tk_host_mounts *mounts, const struct fields *fields,
                      const struct tk_host_mount *mount)
{
    struct tk_host_mount *same = find_device(mounts, fields->device_number);
    if (same) {
        if (strlen(mount->path) < strlen(same->path))
            *same = *mount;
    } else if (mounts->count == TK_HOST_MOUNTS_MAX) {
        mounts->skipped++;
    } else {
        mounts->items[mounts->count++] = *mount;
    }
}

static void take_mount(struct tk_host_mounts *mounts, const struct fields *fields)
{
    struct tk_host_mount mount;
    if (!unescape(fields->path, mount.path, sizeof(mount.path)) ||
        !unescape(fields->source, mount.device, sizeof(mount.device)) ||
        !tk_str_to_cstr(fields->type, mount.type, sizeof(mount.type)) ||
        !tk_str_to_cstr(fields->device_number, mount.device_number, sizeof(mount.device_number))) {
        mounts->skipped++;
        return;
    }
    if (is_remote(fields)) {
        add_remote(mounts, mount.path);
        return;
    }
    hide_below(mounts, mount.path); /* of "/" that is only another root before */
    if (has_space(fields) && !is_below_remote(mounts, mount.path))
        add_mount(mounts, fields, &mount);
}

int tk_host_mountinfo_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                            struct tk_err *err)
{
    (void)index;
    struct tk_host_mounts *mounts = &reading->mounts;
    mounts->count = mounts->skipped = mounts->remote_count = 0;
    tk_str line;
    for (size_t i = 1; tk_str_take_line(&text, &line); i++) {
        struct fields fields;
        if (!take_fields(line, &fields))
            return tk_fail(err, -EBADMSG, "line %zu: expected a mount", i);
        take_mount(mounts, &fields);
    }
    return 0;
}
