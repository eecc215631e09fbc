/* SPDX-License-Identifier: Apache-2.0 */
/* A recorded root (tests/data/root-*, made by tests/data/record-root) under a clock that stands
 * still until the test moves it. Collectors keep files open, so instants are written one after the
 * other into the same files of a private copy. Instant 0 is a whole root, later ones hold the files
 * that changed. */
#ifndef TK_ROOT_H
#define TK_ROOT_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "collect/kernel.h"
#include "run/rows.h"
#include "tk_test.h"

#define TK_ROOT_REAL_NS 1758059310000000000LL
#define TK_ROOT_MONO_NS (1000 * TK_NS_PER_S)

struct tk_root {
    char path[64];
    struct tk_kernel kernel;
    int64_t now_ns; /* monotonic */
    struct tk_rows *rows;
    struct tk_buf out; /* "TABLE {...}" lines */
    bool taken;        /* by the test: new rows replace them */
};

static inline int64_t tk_root_now(void *world)
{
    return ((struct tk_root *)world)->now_ns;
}

/* Copy TK_TEST_DATA/NAME/INSTANT over the root, the contents of files in place. */
static inline void tk_root_copy(struct tk_root *root, const char *name, const char *instant)
{
    char command[PATH_MAX + 128];
    int n = snprintf(command, sizeof(command), "cp -R -P '%s/%s/%s/.' '%s'", TK_TEST_DATA, name,
                     instant, root->path);
    assert_in_range(n, 1, sizeof(command) - 1);
    assert_int_equal(system(command), 0);
}

/* Let `ns` pass and put the files of another instant in place; NULL = only time passes. */
static inline void tk_root_advance(struct tk_root *root, int64_t ns, const char *name,
                                   const char *instant)
{
    root->now_ns += ns;
    if (instant)
        tk_root_copy(root, name, instant);
}

static inline int tk_root_take(void *context, enum tk_table table, const struct tk_batch *batch,
                               struct tk_err *err)
{
    (void)err;
    struct tk_root *root = context;
    if (root->taken)
        tk_buf_reset(&root->out);
    root->taken = false;
    TK_CLEANUP(tk_buf_release) struct tk_buf lines;
    tk_buf_init(&lines, 1 << 20);
    tk_encoder_jsonl.batch(batch, &lines);
    tk_str text = tk_buf_str(&lines);
    tk_str line;
    while (tk_str_take_line(&text, &line)) {
        tk_buf_puts(&root->out, tk_tables[table].schema->name);
        tk_buf_lit(&root->out, " ");
        tk_buf_put(&root->out, line);
        tk_buf_lit(&root->out, "\n");
    }
    return 0;
}

/* Write one file of the root, in place when it is there. */
static inline void tk_root_write(struct tk_root *root, const char *path, const char *text)
{
    char folder[PATH_MAX];
    struct tk_err err;
    size_t slash = tk_str_find_last(tk_str_from(path), '/');
    tk_str parent = path[slash] ? (tk_str){path, slash} : TK_STR(".");
    assert_true(tk_str_to_cstr(parent, folder, sizeof(folder)));
    assert_int_equal(tk_dir_make(root->kernel.rootfd, folder, &err), 0);
    int fd = openat(root->kernel.rootfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(tk_fd_write(fd, tk_str_from(text), path, &err), 0);
    close(fd);
}

/* The files of instant "0" of TK_TEST_DATA/NAME; NULL = an empty proc folder. */
static inline void tk_root_init(struct tk_root *root, const char *name)
{
    struct tk_err err;
    *root = (struct tk_root){.path = "/tmp/tk-root-XXXXXX", .now_ns = TK_ROOT_MONO_NS};
    char proc[80];
    assert_non_null(mkdtemp(root->path));
    (void)snprintf(proc, sizeof(proc), "%s/proc", root->path);
    if (name)
        tk_root_copy(root, name, "0");
    else
        assert_int_equal(mkdir(proc, 0755), 0);
    assert_int_equal(tk_kernel_open(&root->kernel, root->path, &err), 0);
    root->kernel.anchor = (struct tk_anchor){TK_ROOT_REAL_NS, TK_ROOT_MONO_NS, TK_ROOT_MONO_NS};
    root->kernel.mono_ns = tk_root_now;
    root->kernel.boot_ns = NULL;
    root->kernel.world = root;
    root->kernel.clk_tck = 100;
    root->kernel.page_bytes = 4096;
    tk_buf_init(&root->out, 1 << 20);
    assert_int_equal(tk_rows_new((struct tk_sink){tk_root_take, root}, &root->rows, &err), 0);
}

static inline int tk_root_unlink(const char *path, const struct stat *st, int kind,
                                 struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline void tk_root_release(struct tk_root *root)
{
    tk_rows_free(root->rows);
    tk_buf_release(&root->out);
    tk_kernel_close(&root->kernel);
    assert_int_equal(nftw(root->path, tk_root_unlink, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* The rows since the last call, as text that is valid until the next one. */
static inline const char *tk_root_take_rows(struct tk_root *root)
{
    struct tk_err err;
    assert_int_equal(tk_rows_flush(root->rows, &err), 0);
    if (root->taken)
        tk_buf_reset(&root->out);
    root->taken = false;
    tk_buf_putc(&root->out, '\0');
    assert_true(tk_buf_ok(&root->out));
    root->taken = true;
    return root->out.p;
}

/* Rows of `table` that hold `text`. */
static inline int tk_root_count_rows(const char *rows, const char *table, const char *text)
{
    int n = 0;
    tk_str rest = tk_str_from(rows);
    tk_str line;
    while (tk_str_take_line(&rest, &line)) {
        n += tk_str_starts_with(line, tk_str_from(table)) &&
             memmem(line.p, line.n, text, strlen(text)) != NULL;
    }
    return n;
}

#define assert_rows(rows, table, text, n)                                                          \
    do {                                                                                           \
        const char *rows_ = (rows);                                                                \
        int n_ = tk_root_count_rows(rows_, (table), (text));                                       \
        if (n_ != (n)) {                                                                           \
            print_error("%d rows of %s with %s, expected %d\n", n_, (table), (text), (n));         \
            (void)fprintf(stderr, "%s\n", rows_);                                                  \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

static inline int tk_root_by_text(const void *a, const void *b)
{
    return tk_str_cmp(*(const tk_str *)a, *(const tk_str *)b);
}

/* The lines of `rows` in the order of their text: folders are read in no particular order. */
static inline void tk_root_sort(const char *rows, struct tk_buf *out)
{
    tk_str lines[1024];
    size_t n = 0;
    tk_str text = tk_str_from(rows);
    while (n < TK_COUNTOF(lines) && tk_str_take_line(&text, &lines[n]))
        n++;
    qsort(lines, n, sizeof(*lines), tk_root_by_text);
    for (size_t i = 0; i < n; i++) {
        tk_buf_put(out, lines[i]);
        tk_buf_lit(out, "\n");
    }
    tk_buf_putc(out, '\0');
    assert_true(tk_buf_ok(out));
}

/* The rows, sorted, equal the file TK_TEST_DATA/NAME; with TK_GOLDEN=write that is written anew. */
static inline void tk_root_assert_golden(struct tk_root *root, const char *name)
{
    char path[PATH_MAX];
    struct tk_err err;
    TK_CLEANUP(tk_buf_release) struct tk_buf sorted;
    tk_buf_init(&sorted, 1 << 20);
    tk_root_sort(tk_root_take_rows(root), &sorted);
    (void)snprintf(path, sizeof(path), "%s/%s", TK_TEST_DATA, name);
    if (getenv("TK_GOLDEN"))
        assert_int_equal(tk_file_write(AT_FDCWD, path, tk_str_from(sorted.p), 0644, &err), 0);
    TK_CLEANUP(tk_buf_release) struct tk_buf expected;
    tk_buf_init(&expected, 1 << 20);
    if (tk_file_load(AT_FDCWD, path, &expected, &err) < 0)
        print_error("%s\n", err.msg);
    tk_buf_putc(&expected, '\0');
    assert_string_equal(sorted.p, expected.p);
}

#endif
