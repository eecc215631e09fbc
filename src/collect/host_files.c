/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a source that has one per CPU, domain or package. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "collect/host_internal.h"

/* "a/b/policy*" + "/x": folder, what stands before and after the number, and the file. */
struct pattern {
    char folder[PATH_MAX];
    tk_str prefix, suffix;
    const char *file;
};

static bool split(const char *path, struct pattern *ret)
{
    tk_str text = tk_str_from(path);
    size_t star = tk_str_find(text, '*');
    tk_str head = {text.p, star};
    tk_str tail = {text.p + star + 1, text.n - star - 1};
    size_t slash = tk_str_find_last(head, '/');
    size_t end = tk_str_find(tail, '/');
    if (slash == head.n || end == tail.n ||
        !tk_str_to_cstr((tk_str){head.p, slash}, ret->folder, sizeof(ret->folder)))
        return false;
    ret->prefix = (tk_str){head.p + slash + 1, head.n - slash - 1};
    ret->suffix = (tk_str){tail.p, end};
    ret->file = tail.p + end + 1;
    return true;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The numbers of the folders that match, ascending. */
static size_t list_numbers(int rootfd, const struct pattern *pattern, int64_t *ret, size_t cap)
{
    int fd = openat(rootfd, pattern->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        tk_fd_close(&fd);
        return 0;
    }
    size_t n = 0;
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
    while (n < cap && (entry = readdir(dir))) {
        tk_str name = tk_str_from(entry->d_name);
        if (tk_str_take_prefix(&name, pattern->prefix) && tk_scan_i64(&name, &ret[n]) &&
            tk_str_eq(name, pattern->suffix))
            n++;
    }
    closedir(dir);
    qsort(ret, n, sizeof(*ret), by_number);
    return n;
}

static int open_one(int rootfd, const struct pattern *pattern, int64_t number,
                    bool (*takes)(int dirfd))
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%.*s%lld%.*s", pattern->folder,
                     TK_STR_ARG(pattern->prefix), (long long)number, TK_STR_ARG(pattern->suffix));
    if (n < 0 || (size_t)n >= sizeof(path))
        return -1;
    TK_CLEANUP(tk_fd_close) int dirfd = openat(rootfd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0 || (takes && !takes(dirfd)))
        return -1;
    return openat(dirfd, pattern->file, O_RDONLY | O_CLOEXEC);
}

size_t tk_host_files_open(int rootfd, const char *path, bool (*takes)(int dirfd), int *ret_fds,
                          size_t cap)
{
    if (!strchr(path, '*')) {
        ret_fds[0] = openat(rootfd, path, O_RDONLY | O_CLOEXEC);
        return ret_fds[0] >= 0;
    }
    struct pattern pattern;
    int64_t numbers[TK_HOST_FILES_MAX];
    if (!split(path, &pattern))
        return 0;
    if (cap > TK_HOST_FILES_MAX)
        cap = TK_HOST_FILES_MAX;
    size_t found = list_numbers(rootfd, &pattern, numbers, cap);
    size_t opened = 0;
    for (size_t i = 0; i < found; i++) {
        int fd = open_one(rootfd, &pattern, numbers[i], takes);
        if (fd >= 0)
            ret_fds[opened++] = fd;
    }
    return opened;
}
