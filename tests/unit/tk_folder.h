/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of its own for a test, and files in it. */
#ifndef TK_TEST_FOLDER_H
#define TK_TEST_FOLDER_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "tk_test.h"

/* Make a folder below /tmp; its path goes to `path`. */
static inline void folder_make(char path[PATH_MAX])
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(path, PATH_MAX, "%s/tk-test-XXXXXX", base && *base ? base : "/tmp");
    assert_non_null(mkdtemp(path));
}

static inline int folder_remove_one(const char *path, const struct stat *st, int type,
                                    struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static inline void folder_remove(const char *path)
{
    (void)nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Write a file below `folder`, making folders on the way. */
static inline void folder_put(const char *folder, const char *name, const char *text)
{
    char path[PATH_MAX + NAME_MAX];
    struct tk_err err;
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(tk_dir_make(AT_FDCWD, path, &err), 0);
    *slash = '/';
    assert_in_range(n, 1, sizeof(path) - 1);
    assert_int_equal(tk_file_write(AT_FDCWD, path, (tk_str){text, strlen(text)}, 0644, &err), 0);
}

/* The text of a file; NULL when there is none. To be freed. */
static inline char *folder_get(const char *folder, const char *name)
{
    char path[PATH_MAX + NAME_MAX];
    struct tk_err err;
    struct tk_buf buf;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    tk_buf_init(&buf, 64 << 20);
    if (tk_file_load(AT_FDCWD, path, &buf, &err) < 0) {
        tk_buf_release(&buf);
        return NULL;
    }
    tk_buf_putc(&buf, '\0');
    assert_true(tk_buf_ok(&buf));
    return buf.p;
}

/* Set-up and tear-down of tests that work in one folder: its path is in `folder`, which is open as
 * `dirfd_of_folder`. */
#define FOLDER_OF_EACH_TEST                                                                        \
    static char folder[PATH_MAX];                                                                  \
    static int dirfd_of_folder = -1;                                                               \
    static int open_folder(void **state)                                                           \
    {                                                                                              \
        (void)state;                                                                               \
        struct tk_err err;                                                                         \
        folder_make(folder);                                                                       \
        return tk_dir_open(AT_FDCWD, folder, &dirfd_of_folder, &err);                              \
    }                                                                                              \
    static int remove_folder(void **state)                                                         \
    {                                                                                              \
        (void)state;                                                                               \
        tk_fd_close(&dirfd_of_folder);                                                             \
        folder_remove(folder);                                                                     \
        return 0;                                                                                  \
    }

/* A file below `folder` holds exactly `text`; NULL = there is no such file. */
#define assert_file(folder, name, text)                                                            \
    do {                                                                                           \
        char *got_ = folder_get((folder), (name));                                                 \
        const char *want_ = (text);                                                                \
        if (!got_ != !want_ || (got_ && strcmp(got_, want_) != 0)) {                               \
            print_error("%s:\n%s\nexpected:\n%s\n", (name), got_ ? got_ : "(no file)",             \
                        want_ ? want_ : "(no file)");                                              \
            free(got_);                                                                            \
            fail();                                                                                \
        }                                                                                          \
        free(got_);                                                                                \
    } while (0)

#endif
