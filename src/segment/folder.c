/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"

#define LOCK_FILE  ".lock"
#define LOOKS_MAX  1000 /* at a folder that never stands still */
#define NUMBER_MAX 999999999U

static const struct {
    const char *prefix;
    const char *ending;
} names[TK_SEGMENT_KIND_COUNT] = {
    [TK_SEGMENT_PART] = {"part-", ".parquet"},
    [TK_SEGMENT_TMP] = {"part-", ".tmp"},
    [TK_SEGMENT_LOG] = {"open-", ".log"},
    [TK_SEGMENT_BLOCK] = {"part-", ".tkz"},
};

void tk_segment_name(enum tk_segment_kind kind, uint32_t number, char name[TK_SEGMENT_NAME_MAX])
{
    (void)snprintf(name, TK_SEGMENT_NAME_MAX, "%s%06u%s", names[kind].prefix, number,
                   names[kind].ending);
}

/* The kind and number that a name tells; false when it is none of ours. */
static bool read_name(const char *name, enum tk_segment_kind *ret_kind, uint32_t *ret_number)
{
    for (enum tk_segment_kind kind = 0; kind < TK_SEGMENT_KIND_COUNT; kind++) {
        uint64_t number;
        char again[TK_SEGMENT_NAME_MAX];
        tk_str text = tk_str_from(name);
        if (!tk_str_take_prefix(&text, tk_str_from(names[kind].prefix)) ||
            !tk_scan_u64(&text, &number) || number > NUMBER_MAX)
            continue;
        tk_segment_name(kind, (uint32_t)number, again);
        if (strcmp(again, name) == 0) {
            *ret_kind = kind;
            *ret_number = (uint32_t)number;
            return true;
        }
    }
    return false;
}

/* Listing -------------------------------------------------------------------------------------- */

static int cmp_entry(const void *a, const void *b)
{
    uint32_t first = ((const struct tk_segment_entry *)a)->number;
    uint32_t second = ((const struct tk_segment_entry *)b)->number;
    return (first > second) - (first < second);
}

/* One entry of each number. */
static void merge_entries(struct tk_buf *out)
{
    struct tk_segment_entry *items = (struct tk_segment_entry *)(void *)out->p;
    size_t n = out->n / sizeof(*items);
    size_t kept = 0;
    if (n == 0)
        return;
    qsort(items, n, sizeof(*items), cmp_entry);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && items[kept - 1].number == items[i].number) {
            items[kept - 1].kinds |= items[i].kinds;
        } else {
            items[kept++] = items[i];
        }
    }
    out->n = kept * sizeof(*items);
}

static void close_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static int look(int dirfd, struct tk_buf *out, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return tk_fail_errno(err, "folder of spans");
    TK_CLEANUP(close_dir) DIR *dir = fdopendir(fd);
    if (!dir)
        return tk_fail_errno(err, "folder of spans");
    (void)tk_fd_take(&fd);
    tk_buf_reset(out);
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
        enum tk_segment_kind kind;
        struct tk_segment_entry item;
        if (!read_name(entry->d_name, &kind, &item.number))
            continue;
        item.kinds = 1U << kind;
        tk_buf_put(out, (tk_str){(const char *)&item, sizeof(item)});
    }
    if (errno != 0)
        return tk_fail_errno(err, "folder of spans");
    merge_entries(out);
    return tk_buf_check(out, "folder of spans", err);
}

/* A folder that is read while a file is renamed may show neither name: look until two looks agree.
 */
int tk_segment_list(int dirfd, struct tk_buf *out, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf before;
    tk_buf_init(&before, INT32_MAX);
    int rc = look(dirfd, &before, err);
    for (int i = 0; rc == 0 && i < LOOKS_MAX; i++) {
        rc = look(dirfd, out, err);
        if (rc < 0 || tk_str_eq(tk_buf_str(&before), tk_buf_str(out)))
            return rc;
        tk_buf_reset(&before);
        tk_buf_put(&before, tk_buf_str(out));
        rc = tk_buf_check(&before, "folder of spans", err);
    }
    return rc < 0 ? rc : tk_fail(err, -EAGAIN, "the folder of spans changes all the time");
}

/* Numbers -------------------------------------------------------------------------------------- */

static int lock_folder(int dirfd, int *ret_fd, struct tk_err *err)
{
    int fd = openat(dirfd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return tk_fail_errno(err, "%s", LOCK_FILE);
    while (flock(fd, LOCK_EX) < 0) {
        if (errno == EINTR)
            continue;
        int rc = tk_fail_errno(err, "lock %s", LOCK_FILE);
        tk_fd_close(&fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

int tk_segment_reserve(int dirfd, uint32_t *ret_number, int *ret_fd, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int lock = -1;
    TK_CLEANUP(tk_buf_release) struct tk_buf entries;
    tk_buf_init(&entries, INT32_MAX);
    int rc = lock_folder(dirfd, &lock, err);
    if (rc == 0)
        rc = look(dirfd, &entries, err);
    if (rc < 0)
        return rc;
    const struct tk_segment_entry *items = (const struct tk_segment_entry *)(void *)entries.p;
    size_t n = entries.n / sizeof(*items);
    uint32_t number = n > 0 ? items[n - 1].number + 1 : 1;
    char name[TK_SEGMENT_NAME_MAX];
    if (number > NUMBER_MAX)
        return tk_fail(err, -EMSGSIZE, "the folder of spans has no more numbers");
    tk_segment_name(TK_SEGMENT_LOG, number, name);
    TK_CLEANUP(tk_fd_close)
    int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return tk_fail_errno(err, "%s", name);
    *ret_number = number;
    *ret_fd = tk_fd_take(&fd);
    return 0;
}

int tk_segment_adopt(int dirfd, uint32_t number, int *ret_fd, struct tk_err *err)
{
    char name[TK_SEGMENT_NAME_MAX];
    struct stat ours;
    struct stat there;
    tk_segment_name(TK_SEGMENT_LOG, number, name);
    /* A log that is just being made is not locked yet, but its maker holds the folder's lock. */
    TK_CLEANUP(tk_fd_close) int lock = -1;
    int rc = lock_folder(dirfd, &lock, err);
    if (rc < 0)
        return rc;
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, name, O_RDWR | O_APPEND | O_CLOEXEC);
    if (fd < 0)
        return tk_fail_errno(err, "%s", name);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return tk_fail(err, -EBUSY, "%s belongs to a process that runs", name);
    /* Whoever had it may have deleted it just now. */
    if (fstat(fd, &ours) < 0 || fstatat(dirfd, name, &there, 0) < 0 || ours.st_ino != there.st_ino)
        return tk_fail(err, -ENOENT, "%s is gone", name);
    *ret_fd = tk_fd_take(&fd);
    return 0;
}

void tk_segment_remove(int dirfd, enum tk_segment_kind kind, uint32_t number)
{
    char name[TK_SEGMENT_NAME_MAX];
    tk_segment_name(kind, number, name);
    (void)unlinkat(dirfd, name, 0);
}
