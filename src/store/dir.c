/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a directory. An object is a file; dir_path.h has the names. It is written to %tmp,
 * synced, and moved to its place at once. Folders on the way are opened one by one below the root,
 * no symbolic link is followed, so nothing escapes. Folders that a delete has emptied are removed;
 * who writes holds a shared lock of the root meanwhile, who removes folders an exclusive one. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "store/dir_list.h"
#include "store/dir_path.h"
#include "store/store_internal.h"

#define CHUNK_BYTES ((size_t)256 << 10)

/* A writer that has not finished after so long is dead. */
#define DEAD_AGE_NS (24LL * 3600 * TK_NS_PER_S)

/* Times that a place is looked for again when others change it meanwhile. */
#define PLACE_TRIES 8

struct dir_store {
    struct tk_store store;
    int rootfd;
    mode_t file_mode, folder_mode;
    uint64_t written; /* temporary files that were made, for their names */
};

struct dir_upload {
    struct tk_upload upload;
    char key[TK_STORE_KEY_MAX + 1];
    unsigned flags;
    int fd;
    char name[NAME_MAX + 1]; /* of the temporary file, below the root */
    struct tk_digest digest;
    uint64_t size_bytes;
};

static struct dir_store *dir_of(struct tk_store *store)
{
    return (struct dir_store *)(void *)store;
}

static int fail_key(struct tk_store *store, const char *what, tk_str key, struct tk_err *err)
{
    return tk_fail_errno(err, "%s: %s %.*s", store->address, what, TK_STR_ARG(key));
}

/* Places --------------------------------------------------------------------------------------- */

static void with_ending(const char *name, const char *ending, char ret_name[NAME_MAX + 1])
{
    (void)snprintf(ret_name, NAME_MAX + 1, "%s%s", name, ending);
}

static int folder_open(int dirfd, const char *name)
{
    return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int folder_make(int dirfd, const char *name, mode_t mode)
{
    if (mkdirat(dirfd, name, mode) < 0 && errno != EEXIST)
        return -1;
    int fd = folder_open(dirfd, name);
    if (fd >= 0 && fsync(dirfd) < 0)
        tk_fd_close(&fd);
    return fd;
}

/* The folder of one name: the plain one, or the one beside a file of that name. With a `mode` it
 * is made when there is neither. -1 and errno when there is none. */
static int step_into(int dirfd, const char *name, mode_t mode)
{
    char beside[NAME_MAX + 1];
    int fd = folder_open(dirfd, name);
    if (fd >= 0 || (errno != ENOENT && errno != ENOTDIR && errno != ELOOP))
        return fd;
    bool is_free = errno == ENOENT;
    with_ending(name, "%d", beside);
    fd = folder_open(dirfd, beside);
    if (fd >= 0 || mode == 0)
        return fd;
    return folder_make(dirfd, is_free ? name : beside, mode);
}

/* The folder that the file of a key lies in, at `depth` names from the root. */
static int parent_open(const struct dir_store *dir, const struct tk_dir_path *path, size_t depth,
                       mode_t mode)
{
    TK_CLEANUP(tk_fd_close) int fd = fcntl(dir->rootfd, F_DUPFD_CLOEXEC, 0);
    for (size_t i = 0; i < depth && fd >= 0; i++) {
        int next = step_into(fd, path->names[i], mode);
        tk_fd_close(&fd);
        fd = next;
    }
    return tk_fd_take(&fd);
}

/* The name that the file of a key has: the plain one unless a folder has it. False when there is
 * no such file, and the name that it should get. */
static bool file_find(int parent, const char *name, char ret_name[NAME_MAX + 1], struct stat *st)
{
    with_ending(name, "", ret_name);
    bool is_there = fstatat(parent, name, st, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_there && S_ISREG(st->st_mode))
        return true;
    bool is_folder = is_there && S_ISDIR(st->st_mode);
    char beside[NAME_MAX + 1];
    with_ending(name, "%f", beside);
    bool is_beside = fstatat(parent, beside, st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st->st_mode);
    if (is_folder || is_beside)
        with_ending(beside, "", ret_name);
    return is_beside;
}

static const char *last_name(const struct tk_dir_path *path)
{
    return path->names[path->count - 1];
}

/* Opening ------------------------------------------------------------------------------------- */

static void remove_old(struct dir_store *dir, int64_t age_ns, struct tk_err *err);

static int dir_open(tk_str rest, const struct tk_store_options *options,
                    struct tk_store **ret_store, struct tk_err *err)
{
    char path[PATH_MAX];
    if (rest.n == 0)
        return tk_fail(err, -EINVAL, "dir: names no folder, expected dir:/path");
    if (!tk_str_to_cstr(rest, path, sizeof(path)))
        return tk_fail(err, -ENAMETOOLONG, "dir: path longer than %d bytes", PATH_MAX - 1);
    struct dir_store *dir = calloc(1, sizeof(*dir));
    if (!dir)
        return tk_fail(err, -ENOMEM, "%s: out of memory", path);
    mode_t mode = options->mode ? options->mode : 0600;
    dir->file_mode = mode;
    dir->folder_mode = mode | ((mode & 0444) >> 2);
    dir->rootfd = -1;
    dir->store.options = *options;
    int rc = tk_dir_open(AT_FDCWD, path, &dir->rootfd, err);
    if (rc == -ENOENT && !options->must_exist) {
        const char *slash = strrchr(path, '/');
        char parent[PATH_MAX];
        tk_str above = slash && slash > path ? (tk_str){path, (size_t)(slash - path)} : TK_STR(".");
        rc = tk_str_to_cstr(above, parent, sizeof(parent)) ? tk_dir_make(AT_FDCWD, parent, err)
                                                           : -ENAMETOOLONG;
        if (rc == 0 && mkdir(path, dir->folder_mode) < 0 && errno != EEXIST)
            rc = tk_fail_errno(err, "%s", path);
        if (rc == 0)
            rc = tk_dir_open(AT_FDCWD, path, &dir->rootfd, err);
    }
    if (rc < 0) {
        free(dir);
        return rc;
    }
    *ret_store = &dir->store;
    return 0;
}

static void dir_close(struct tk_store *store)
{
    struct dir_store *dir = dir_of(store);
    tk_fd_close(&dir->rootfd);
    free(dir);
}

/* Writing ------------------------------------------------------------------------------------- */

static int temporary_open(struct dir_store *dir, struct dir_upload *upload, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int folder = folder_open(dir->rootfd, TK_DIR_TEMPORARY);
    if (folder < 0)
        folder = folder_make(dir->rootfd, TK_DIR_TEMPORARY, dir->folder_mode);
    if (folder < 0)
        return tk_fail_errno(err, "%s: %s", dir->store.address, TK_DIR_TEMPORARY);
    if (dir->written == 0)
        remove_old(dir, DEAD_AGE_NS, err);
    (void)snprintf(upload->name, sizeof(upload->name), "%s/%ld.%" PRIx64 ".%" PRIu64,
                   TK_DIR_TEMPORARY, (long)getpid(), (uint64_t)tk_clock_mono_ns(), dir->written++);
    upload->fd = openat(dir->rootfd, upload->name,
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, dir->file_mode);
    if (upload->fd < 0)
        return tk_fail_errno(err, "%s: %s", dir->store.address, upload->name);
    return 0;
}

static int write_source(struct dir_upload *upload, struct tk_store_source source, char *chunk,
                        struct tk_err *err)
{
    struct tk_store *store = upload->upload.store;
    TK_CLEANUP(tk_reader_close) struct tk_reader reader;
    int rc = tk_reader_open(&reader, source, err);
    if (rc < 0)
        return rc;
    for (uint64_t offset = 0; rc == 0 && offset < reader.size_bytes;) {
        tk_str bytes = TK_STR("");
        rc = tk_store_may_go_on(store, tk_str_from(upload->key), err);
        if (rc == 0)
            rc = tk_reader_read(&reader, offset, chunk, CHUNK_BYTES, &bytes, err);
        if (rc < 0)
            break;
        tk_digest_add(&upload->digest, bytes);
        rc = tk_fd_write(upload->fd, bytes, store->address, err);
        offset += bytes.n;
        upload->size_bytes += bytes.n;
        store->counters.bytes_sent += bytes.n;
    }
    return rc;
}

static int dir_part(struct tk_upload *base, struct tk_store_source source, struct tk_err *err)
{
    struct dir_upload *upload = (struct dir_upload *)(void *)base;
    char *chunk = malloc(CHUNK_BYTES);
    if (!chunk)
        return tk_fail(err, -ENOMEM, "%s: out of memory", base->store->address);
    int rc = write_source(upload, source, chunk, err);
    free(chunk);
    return rc;
}

static void dir_drop(struct tk_upload *base, bool keep)
{
    struct dir_upload *upload = (struct dir_upload *)(void *)base;
    (void)keep;
    if (upload->fd >= 0)
        (void)unlinkat(dir_of(base->store)->rootfd, upload->name, 0);
    tk_fd_close(&upload->fd);
    tk_digest_release(&upload->digest);
    free(upload);
}

static int dir_begin(struct tk_store *store, tk_str key, unsigned flags,
                     struct tk_upload **ret_upload, struct tk_err *err)
{
    struct tk_dir_path path;
    int rc = tk_dir_path_encode(key, &path, err);
    if (rc < 0)
        return rc;
    struct dir_upload *upload = calloc(1, sizeof(*upload));
    if (!upload)
        return tk_fail(err, -ENOMEM, "%s: out of memory", store->address);
    upload->upload.store = store;
    upload->fd = -1;
    upload->flags = flags;
    (void)tk_str_to_cstr(key, upload->key, sizeof(upload->key));
    rc = tk_digest_init(&upload->digest, TK_DIGEST_SHA256, err);
    if (rc == 0)
        rc = temporary_open(dir_of(store), upload, err);
    if (rc < 0) {
        dir_drop(&upload->upload, false);
        return rc;
    }
    *ret_upload = &upload->upload;
    return 0;
}

/* Move without replacing; by a second name where the file system has no such move. */
static int move_new(int rootfd, const char *from, int parent, const char *to)
{
    if (renameat2(rootfd, from, parent, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (linkat(rootfd, from, parent, to, 0) < 0)
        return -1;
    return unlinkat(rootfd, from, 0);
}

/* Move the temporary file to its place; 1 when somebody changed the place meanwhile. */
static int place_once(struct dir_store *dir, struct dir_upload *upload,
                      const struct tk_dir_path *path, struct stat *st)
{
    TK_CLEANUP(tk_fd_close)
    int parent = parent_open(dir, path, path->count - 1, dir->folder_mode);
    if (parent < 0)
        return errno == ENOENT || errno == ENOTDIR ? 1 : -errno;
    char name[NAME_MAX + 1];
    bool is_there = file_find(parent, last_name(path), name, st);
    bool is_new = upload->flags & TK_STORE_CREATE_ONLY;
    if (is_there && is_new)
        return -EEXIST;
    int rc = is_new ? move_new(dir->rootfd, upload->name, parent, name)
                    : renameat(dir->rootfd, upload->name, parent, name);
    if (rc < 0 && (errno == EISDIR || errno == ENOENT || errno == EEXIST))
        return 1;
    if (rc < 0 || fstat(upload->fd, st) < 0 || fsync(parent) < 0)
        return -errno;
    return 0;
}

static int place(struct dir_store *dir, struct dir_upload *upload, struct stat *ret_st,
                 struct tk_err *err)
{
    struct tk_dir_path path;
    tk_str key = tk_str_from(upload->key);
    int rc = tk_dir_path_encode(key, &path, err);
    if (rc < 0)
        return rc;
    (void)flock(dir->rootfd, LOCK_SH);
    rc = 1;
    for (int i = 0; rc == 1 && i < PLACE_TRIES; i++)
        rc = place_once(dir, upload, &path, ret_st);
    (void)flock(dir->rootfd, LOCK_UN);
    dir->store.counters.refused += rc == -EEXIST;
    if (rc == 1) {
        return tk_fail(err, -EBUSY, "%s: put %s: others keep changing its folder",
                       dir->store.address, upload->key);
    }
    return rc < 0 ? tk_fail_code(err, rc, "%s: put %s", dir->store.address, upload->key) : 0;
}

static int dir_finish(struct tk_upload *base, struct tk_store_put *ret_put, struct tk_err *err)
{
    struct dir_upload *upload = (struct dir_upload *)(void *)base;
    struct tk_store *store = base->store;
    struct stat st = {0};
    int rc = fsync(upload->fd) < 0 ? fail_key(store, "put", tk_str_from(upload->key), err) : 0;
    if (rc == 0)
        rc = place(dir_of(store), upload, &st, err);
    if (rc == 0) {
        ret_put->size_bytes = upload->size_bytes;
        tk_digest_take(&upload->digest, ret_put->sha256);
        tk_dir_etag(&st, ret_put->etag);
        tk_fd_close(&upload->fd); /* is at its place: not to be removed */
    }
    dir_drop(base, false);
    return rc;
}

static int dir_put(struct tk_store *store, tk_str key, struct tk_store_source source,
                   unsigned flags, struct tk_store_put *ret_put, struct tk_err *err)
{
    struct tk_upload *upload = NULL;
    int rc = dir_begin(store, key, flags, &upload, err);
    if (rc < 0 || !upload)
        return rc;
    rc = dir_part(upload, source, err);
    if (rc == 0)
        return dir_finish(upload, ret_put, err);
    dir_drop(upload, false);
    return rc;
}

/* Reading ------------------------------------------------------------------------------------- */

/* Open the file of a key and learn about it. */
static int object_open(struct tk_store *store, const char *what, tk_str key, int *ret_fd,
                       struct stat *ret_st, struct tk_err *err)
{
    struct dir_store *dir = dir_of(store);
    struct tk_dir_path path;
    int rc = tk_dir_path_encode(key, &path, err);
    if (rc < 0)
        return rc;
    TK_CLEANUP(tk_fd_close) int parent = parent_open(dir, &path, path.count - 1, 0);
    char name[NAME_MAX + 1];
    if (parent < 0 && (errno == ENOTDIR || errno == ELOOP))
        errno = ENOENT;
    if (parent < 0)
        return fail_key(store, what, key, err);
    struct stat st = {0};
    if (!file_find(parent, last_name(&path), name, &st)) {
        errno = ENOENT;
        return fail_key(store, what, key, err);
    }
    int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, ret_st) < 0) {
        rc = fail_key(store, what, key, err);
        tk_fd_close(&fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

static int copy_out(struct tk_store *store, tk_str key, int fd, const struct tk_store_range *range,
                    struct tk_store_sink sink, struct tk_err *err)
{
    char *chunk = malloc(CHUNK_BYTES);
    if (!chunk)
        return tk_fail(err, -ENOMEM, "%s: out of memory", store->address);
    uint64_t offset = range->offset, left = range->length;
    int rc = 0;
    while (left > 0 && (rc = tk_store_may_go_on(store, key, err)) == 0) {
        size_t n = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
        ssize_t got = pread(fd, chunk, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            rc = got < 0 ? fail_key(store, "get", key, err)
                         : tk_fail(err, -EIO, "%s: get %.*s: became shorter meanwhile",
                                   store->address, TK_STR_ARG(key));
            break;
        }
        store->counters.bytes_received += (uint64_t)got;
        rc = sink.write(sink.into, (tk_str){chunk, (size_t)got}, err);
        if (rc < 0)
            break;
        offset += (uint64_t)got;
        left -= (uint64_t)got;
    }
    free(chunk);
    return rc;
}

static int dir_get(struct tk_store *store, tk_str key, const struct tk_store_range *range,
                   struct tk_store_sink sink, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int fd = -1;
    struct stat st = {0};
    int rc = object_open(store, "get", key, &fd, &st, err);
    if (rc < 0)
        return rc;
    uint64_t size = (uint64_t)st.st_size;
    struct tk_store_range part = {.length = size};
    if (range && range->offset >= size) {
        return tk_fail(err, -ERANGE,
                       "%s: get %.*s: has %" PRIu64 " bytes, none from %" PRIu64 " on",
                       store->address, TK_STR_ARG(key), size, range->offset);
    }
    if (range) {
        uint64_t left = size - range->offset;
        part.offset = range->offset;
        part.length = range->length > 0 && range->length < left ? range->length : left;
    }
    return copy_out(store, key, fd, &part, sink, err);
}

static int dir_head(struct tk_store *store, tk_str key, struct tk_store_object *ret_object,
                    struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int fd = -1;
    struct stat st = {0};
    int rc = object_open(store, "head", key, &fd, &st, err);
    if (rc < 0)
        return rc;
    ret_object->size_bytes = (uint64_t)st.st_size;
    ret_object->modified_ns = st.st_mtim.tv_sec * TK_NS_PER_S + st.st_mtim.tv_nsec;
    tk_dir_etag(&st, ret_object->etag);
    return 0;
}

static int dir_list(struct tk_store *store, tk_str prefix, tk_str after, tk_store_visit_fn visit,
                    void *into, struct tk_err *err)
{
    struct tk_dir_query query = {prefix, after, visit, into};
    return tk_dir_list(store, dir_of(store)->rootfd, &query, err);
}

/* Removing ------------------------------------------------------------------------------------ */

/* Remove the folders of a key that are empty, innermost first. Not while somebody writes: another
 * delete will do it. */
static void remove_empty(struct dir_store *dir, const struct tk_dir_path *path)
{
    if (path->count < 2 || flock(dir->rootfd, LOCK_EX | LOCK_NB) < 0)
        return;
    bool go_on = true;
    for (size_t depth = path->count - 1; depth > 0 && go_on; depth--) {
        char beside[NAME_MAX + 1];
        TK_CLEANUP(tk_fd_close) int parent = parent_open(dir, path, depth - 1, 0);
        with_ending(path->names[depth - 1], "%d", beside);
        go_on = parent >= 0 && (unlinkat(parent, path->names[depth - 1], AT_REMOVEDIR) == 0 ||
                                unlinkat(parent, beside, AT_REMOVEDIR) == 0);
    }
    (void)flock(dir->rootfd, LOCK_UN);
}

static int dir_delete(struct tk_store *store, tk_str key, struct tk_err *err)
{
    struct dir_store *dir = dir_of(store);
    struct tk_dir_path path;
    int rc = tk_dir_path_encode(key, &path, err);
    if (rc < 0)
        return rc;
    TK_CLEANUP(tk_fd_close) int parent = parent_open(dir, &path, path.count - 1, 0);
    if (parent < 0) {
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
                   ? 0
                   : fail_key(store, "delete", key, err);
    }
    char name[NAME_MAX + 1];
    struct stat st = {0};
    bool was_there = false;
    while (file_find(parent, last_name(&path), name, &st)) {
        if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
            return fail_key(store, "delete", key, err);
        was_there = true;
    }
    if (was_there && fsync(parent) < 0)
        return fail_key(store, "delete", key, err);
    if (was_there)
        remove_empty(dir, &path);
    return 0;
}

/* What the sweep visits below %tmp. */
struct visit_old {
    struct dir_store *dir;
    struct tk_store_sweep *sweep;
    int64_t before_ns;
};

static int remove_one(void *into, const struct tk_store_object *object, struct tk_err *err)
{
    struct visit_old *visit = into;
    char name[NAME_MAX + 1];
    (void)err;
    if (object->modified_ns >= visit->before_ns)
        return 0;
    int n = snprintf(name, sizeof(name), "%s/%.*s", TK_DIR_TEMPORARY, TK_STR_ARG(object->key));
    if ((size_t)n >= sizeof(name) ||
        (!visit->sweep->dry_run && unlinkat(visit->dir->rootfd, name, 0) < 0))
        return 0;
    visit->sweep->found++;
    visit->dir->store.counters.swept += !visit->sweep->dry_run;
    return 0;
}

static int sweep_folder(struct dir_store *dir, struct tk_store_sweep *sweep, struct tk_err *err)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    struct visit_old visit = {dir, sweep, now.tv_sec * TK_NS_PER_S + now.tv_nsec - sweep->age_ns};
    TK_CLEANUP(tk_fd_close) int folder = folder_open(dir->rootfd, TK_DIR_TEMPORARY);
    if (folder < 0)
        return errno == ENOENT ? 0 : tk_fail_errno(err, "%s: sweep", dir->store.address);
    struct tk_dir_query query = {.visit = remove_one, .into = &visit};
    return tk_dir_list(&dir->store, folder, &query, err);
}

/* A writer minds its own file, whether or not old ones could be removed. */
static void remove_old(struct dir_store *dir, int64_t age_ns, struct tk_err *err)
{
    struct tk_store_sweep sweep = {.age_ns = age_ns};
    (void)sweep_folder(dir, &sweep, err);
}

static int dir_sweep(struct tk_store *store, struct tk_store_sweep *sweep, struct tk_err *err)
{
    return sweep_folder(dir_of(store), sweep, err);
}

const struct tk_store_kind tk_store_kind_dir = {
    .scheme = {"dir:", 4},
    .open = dir_open,
    .close = dir_close,
    .put = dir_put,
    .get = dir_get,
    .head = dir_head,
    .list = dir_list,
    .delete = dir_delete,
    .begin = dir_begin,
    .part = dir_part,
    .finish = dir_finish,
    .drop = dir_drop,
    .sweep = dir_sweep,
};
