/* SPDX-License-Identifier: Apache-2.0 */
#include "store/dir_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "store/dir_path.h"

/* Names of one folder may take this much. */
#define NAMES_MAX ((size_t)1 << 30)

struct name {
    size_t piece, piece_n; /* what it adds to the key; offsets of `text` */
    size_t file;           /* its name, terminated */
    bool is_folder;
};

/* A folder, its names in the order of keys. */
struct level {
    int fd;
    struct tk_buf text;
    struct name *names; /* owned */
    size_t count, cap;
};

struct walk {
    const struct tk_store *store;
    const struct tk_dir_query *query;
    struct tk_buf key; /* of the folder at hand */
    int depth;
};

void tk_dir_etag(const struct stat *st, char ret_etag[TK_STORE_ETAG_MAX])
{
    (void)snprintf(ret_etag, TK_STORE_ETAG_MAX, "%" PRIx64 "-%" PRIx64 "-%" PRIx64,
                   (uint64_t)st->st_ino, (uint64_t)st->st_size,
                   (uint64_t)(st->st_mtim.tv_sec * TK_NS_PER_S + st->st_mtim.tv_nsec));
}

static void level_release(struct level *level)
{
    tk_fd_close(&level->fd);
    tk_buf_release(&level->text);
    free(level->names);
}

static int by_key(const void *a, const void *b, void *text)
{
    const struct name *x = a, *y = b;
    const char *p = text;
    int order = tk_str_cmp((tk_str){p + x->piece, x->piece_n}, (tk_str){p + y->piece, y->piece_n});
    /* The file "a" before "a%f": that is who is seen. */
    return order != 0 ? order : strcmp(p + x->file, p + y->file);
}

static bool is_folder(int dirfd, const struct dirent *entry)
{
    struct stat st;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int add_name(struct level *level, const struct dirent *entry, struct tk_err *err)
{
    if (level->count == level->cap) {
        size_t cap = level->cap ? 2 * level->cap : 64;
        struct name *names = reallocarray(level->names, cap, sizeof(*names));
        if (!names)
            return tk_fail(err, -ENOMEM, "list: out of memory");
        level->names = names;
        level->cap = cap;
    }
    struct name name = {.piece = level->text.n, .is_folder = is_folder(level->fd, entry)};
    if (!tk_dir_name_decode(tk_str_from(entry->d_name), name.is_folder, &level->text)) {
        level->text.n = name.piece;
        return tk_buf_check(&level->text, "list", err);
    }
    name.piece_n = level->text.n - name.piece;
    name.file = level->text.n;
    tk_buf_puts(&level->text, entry->d_name);
    tk_buf_putc(&level->text, '\0');
    level->names[level->count++] = name;
    return tk_buf_check(&level->text, "list", err);
}

static int read_names(struct level *level, DIR *folder, struct tk_err *err)
{
    struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own */
    while (errno = 0, (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int rc = add_name(level, entry, err);
        if (rc < 0)
            return rc;
    }
    if (errno != 0)
        return tk_fail_errno(err, "list");
    if (level->count > 0)
        qsort_r(level->names, level->count, sizeof(*level->names), by_key, level->text.p);
    return 0;
}

/* Open a folder and read its names; 1 when it has gone. */
static int level_open(struct level *level, int dirfd, const char *name, struct tk_err *err)
{
    *level =
        (struct level){.fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (level->fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 1 : tk_fail_errno(err, "list: %s", name);
    tk_buf_init(&level->text, NAMES_MAX);
    int copy = fcntl(level->fd, F_DUPFD_CLOEXEC, 0);
    DIR *folder = copy < 0 ? NULL : fdopendir(copy);
    if (!folder) {
        int rc = tk_fail_errno(err, "list: %s", name);
        tk_fd_close(&copy);
        return rc;
    }
    int rc = read_names(level, folder, err);
    (void)closedir(folder);
    return rc;
}

static int visit_file(struct walk *walk, int dirfd, const char *name, struct tk_err *err)
{
    tk_str key = tk_buf_str(&walk->key);
    struct stat st;
    if (key.n == 0 || !tk_str_starts_with(key, walk->query->prefix) ||
        tk_str_cmp(key, walk->query->after) <= 0)
        return 0;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : tk_fail_errno(err, "list: %s", name);
    if (!S_ISREG(st.st_mode))
        return 0;
    struct tk_store_object object = {
        .key = key,
        .size_bytes = (uint64_t)st.st_size,
        .modified_ns = st.st_mtim.tv_sec * TK_NS_PER_S + st.st_mtim.tv_nsec,
    };
    tk_dir_etag(&st, object.etag);
    return walk->query->visit(walk->query->into, &object, err);
}

/* Keys that start with `start` may be in the list. */
static bool may_hold(const struct walk *walk, tk_str start)
{
    size_t n = start.n < walk->query->prefix.n ? start.n : walk->query->prefix.n;
    if (memcmp(start.p, walk->query->prefix.p ? walk->query->prefix.p : "", n) != 0)
        return false;
    return tk_str_cmp(start, walk->query->after) > 0 ||
           tk_str_starts_with(walk->query->after, start);
}

static int walk_folder(struct walk *walk, int dirfd, const char *name, struct tk_err *err);

static int walk_name(struct walk *walk, const struct level *level, size_t i, struct tk_err *err)
{
    const struct name *name = &level->names[i];
    const char *text = level->text.p;
    size_t before = walk->key.n;
    tk_buf_put(&walk->key, (tk_str){text + name->piece, name->piece_n});
    int rc = tk_buf_check(&walk->key, "list", err);
    if (rc == 0 && !name->is_folder) {
        rc = visit_file(walk, level->fd, text + name->file, err);
    } else if (rc == 0 && walk->depth < TK_DIR_DEPTH_MAX &&
               may_hold(walk, tk_buf_str(&walk->key))) {
        rc = walk_folder(walk, level->fd, text + name->file, err);
    }
    walk->key.n = before;
    return rc;
}

/* The plain name of two that stand for one file has been seen. */
static bool is_seen(const struct level *level, size_t i)
{
    if (i == 0)
        return false;
    const struct name *before = &level->names[i - 1], *name = &level->names[i];
    const char *p = level->text.p;
    return !before->is_folder && !name->is_folder &&
           tk_str_eq((tk_str){p + before->piece, before->piece_n},
                     (tk_str){p + name->piece, name->piece_n});
}

static int walk_folder(struct walk *walk, int dirfd, const char *name, struct tk_err *err)
{
    struct level level;
    walk->depth++;
    int rc = tk_store_may_go_on(walk->store, TK_STR("list"), err);
    if (rc == 0) {
        rc = level_open(&level, dirfd, name, err);
    } else {
        level = (struct level){.fd = -1};
    }
    for (size_t i = 0; rc == 0 && i < level.count; i++)
        rc = is_seen(&level, i) ? 0 : walk_name(walk, &level, i, err);
    if (level.fd < 0 && rc == 1)
        rc = 0;
    level_release(&level);
    walk->depth--;
    return rc;
}

int tk_dir_list(const struct tk_store *store, int rootfd, const struct tk_dir_query *query,
                struct tk_err *err)
{
    struct walk walk = {.store = store, .query = query};
    /* Names of files that no key has may make it longer than a key, but not by much. */
    tk_buf_init(&walk.key, (size_t)TK_DIR_DEPTH_MAX * (TK_DIR_NAME_MAX + 1));
    int rc = walk_folder(&walk, rootfd, ".", err);
    tk_buf_release(&walk.key);
    return rc < 0 ? rc : 0;
}
