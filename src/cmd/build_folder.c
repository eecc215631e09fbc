/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/build_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "step/baseline.h"

/* The start of a job is its ninth member; before it stand names. */
#define HEAD_BYTES 2048

/* "JOB_YYYYmmdd_HHMMSS.json", as the original named it, and any other document of a job; not what
 * reports themselves leave there. */
static bool is_document(const char *name)
{
    tk_str text = tk_str_from(name);
    return name[0] != '.' && tk_str_ends_with(text, TK_STR(".json")) &&
           !tk_str_starts_with(text, TK_STR("gate-verdict"));
}

/* What its beginning tells of a file. One that does not tell counts as newest: it is then read, and
 * it shows what it is. */
static bool file_read(int dirfd, const char *name, struct tk_arena *arena,
                      struct tk_build_file *file)
{
    char head[HEAD_BYTES];
    tk_str job = {0};
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, head, sizeof(head));
    *file = (struct tk_build_file){.start = (double)INFINITY};
    if (got > 0)
        (void)tk_job_find_start((tk_str){head, (size_t)got}, &job, &file->start);
    tk_str copy = tk_arena_copy(arena, (tk_str){name, strlen(name) + 1});
    file->name = copy.p;
    file->kind = tk_arena_copy(arena, tk_job_kind(job));
    return copy.p && (file->kind.p || file->kind.n == 0);
}

static bool add(struct tk_build_files *files, size_t *room, const struct tk_build_file *file,
                struct tk_arena *arena)
{
    if (files->count == *room) {
        size_t wanted = *room ? 2 * *room : 256;
        struct tk_build_file *items = tk_arena_alloc(arena, wanted * sizeof(*items));
        if (!items)
            return false;
        if (files->count)
            memcpy(items, files->items, files->count * sizeof(*items));
        files->items = items;
        *room = wanted;
    }
    files->items[files->count++] = *file;
    return true;
}

static int compare_newest(const void *a, const void *b)
{
    const struct tk_build_file *x = a;
    const struct tk_build_file *y = b;
    if (x->start != y->start)
        return x->start < y->start ? 1 : -1;
    return strcmp(x->name, y->name);
}

struct kind_count {
    tk_str kind;
    size_t count;
};

/* One more of this kind; how many there are then. `kinds` has room for one a file. */
static size_t count_one(struct kind_count *kinds, size_t *kind_count, tk_str kind)
{
    for (size_t i = 0; i < *kind_count; i++) {
        if (tk_str_eq(kinds[i].kind, kind))
            return ++kinds[i].count;
    }
    kinds[(*kind_count)++] = (struct kind_count){kind, 1};
    return 1;
}

/* Keep the newest of each kind, and those whose kind is not known. */
static bool keep_newest(struct tk_build_files *files, size_t most, struct tk_arena *arena)
{
    size_t kind_count = 0;
    size_t kept = 0;
    struct kind_count *kinds = tk_arena_alloc(arena, (files->count + 1) * sizeof(*kinds));
    for (size_t i = 0; kinds && i < files->count && kept < TK_BUILD_FILES_MAX; i++) {
        const struct tk_build_file *file = &files->items[i];
        if (most == 0 || isinf(file->start) || count_one(kinds, &kind_count, file->kind) <= most)
            files->items[kept++] = *file;
    }
    files->count = kept;
    return kinds != NULL;
}

static int full(struct tk_err *err)
{
    return tk_fail(err, -EMSGSIZE, "more builds than fit into memory");
}

static int list(DIR *folder, size_t most, struct tk_arena *arena, struct tk_build_files *files,
                struct tk_err *err)
{
    const struct dirent *entry;
    struct tk_build_file file;
    size_t room = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while ((entry = readdir(folder))) {
        if (!is_document(entry->d_name))
            continue;
        if (!file_read(dirfd(folder), entry->d_name, arena, &file) ||
            !add(files, &room, &file, arena))
            return full(err);
    }
    if (files->count)
        qsort(files->items, files->count, sizeof(*files->items), compare_newest);
    return keep_newest(files, most, arena) ? 0 : full(err);
}

int tk_build_folder_list(int dirfd, size_t most, struct tk_arena *arena,
                         struct tk_build_files *ret_files, struct tk_err *err)
{
    /* A description of its own: the position of a folder is shared by duplicates. */
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    struct tk_build_files files = {0};
    if (!folder)
        return tk_fail_errno(err, "folder of builds");
    (void)tk_fd_take(&fd);
    int rc = list(folder, most, arena, &files, err);
    (void)closedir(folder);
    if (rc == 0)
        *ret_files = files;
    return rc;
}
