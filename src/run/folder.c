/* SPDX-License-Identifier: Apache-2.0 */
/* Run folders and who owns what lies in them (collect-and-cctf.md section 2). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "run/run_internal.h"

/* The folder is another user's, and we are root. */
static bool other_owner(int dirfd, struct stat *ret_folder)
{
    return geteuid() == 0 && fstat(dirfd, ret_folder) == 0 && ret_folder->st_uid != 0;
}

void tk_run_adopt(int dirfd, int fd)
{
    struct stat folder;
    if (other_owner(dirfd, &folder)) {
        int refused = fchown(fd, folder.st_uid, folder.st_gid);
        (void)refused; /* a file system without owners */
    }
}

void tk_run_adopt_name(int dirfd, const char *name)
{
    struct stat folder;
    if (other_owner(dirfd, &folder)) {
        int refused = fchownat(dirfd, name, folder.st_uid, folder.st_gid, AT_SYMLINK_NOFOLLOW);
        (void)refused;
    }
}

tk_str tk_run_path_name(tk_str path)
{
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    size_t slash = tk_str_find_last(path, '/');
    if (slash == path.n)
        return path;
    return (tk_str){path.p + slash + 1, path.n - slash - 1};
}

/* Who called sudo. */
static bool sudo_caller(uid_t *ret_uid, gid_t *ret_gid)
{
    /* NOLINTBEGIN(concurrency-mt-unsafe): no thread changes the environment */
    uint64_t uid;
    uint64_t gid;
    if (geteuid() != 0 || !tk_parse_u64(tk_str_from(getenv("SUDO_UID")), &uid) ||
        !tk_parse_u64(tk_str_from(getenv("SUDO_GID")), &gid) || uid >= UINT32_MAX ||
        gid >= UINT32_MAX)
        return false;
    /* NOLINTEND(concurrency-mt-unsafe) */
    *ret_uid = (uid_t)uid;
    *ret_gid = (gid_t)gid;
    return true;
}

int tk_run_folder_make(const char *path, struct tk_err *err)
{
    size_t n = tk_dir_missing(path);
    size_t end = strlen(path);
    int rc = tk_dir_make(AT_FDCWD, path, err);
    uid_t uid;
    gid_t gid;
    if (rc < 0 || !sudo_caller(&uid, &gid))
        return rc;
    for (; n <= end; n = n < end ? tk_path_next(path, n) : end + 1) {
        char part[PATH_MAX];
        if (tk_str_to_cstr((tk_str){path, n}, part, sizeof(part)) &&
            fchownat(AT_FDCWD, part, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
            return tk_fail_errno(err, "%s: give it to user %ld", part, (long)uid);
    }
    return 0;
}

int tk_run_folder_claim(int dirfd, const char *path, struct tk_err *err)
{
    return tk_fd_lock(dirfd, 0)
               ? 0
               : tk_fail(err, -EBUSY, "%s: another process is writing a run there", path);
}

static int is_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

void tk_run_folder_clear(int dirfd, const char *path)
{
    struct dirent **entries;
    int count = scandirat(dirfd, path, &entries, is_entry, NULL);
    for (int i = 0; i < count; i++) {
        char name[PATH_MAX];
        (void)snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
        if (unlinkat(dirfd, name, 0) < 0 && errno == EISDIR) {
            tk_run_folder_clear(dirfd, name);
            (void)unlinkat(dirfd, name, AT_REMOVEDIR);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}
