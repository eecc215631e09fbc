/* SPDX-License-Identifier: Apache-2.0 */
#include "step/journal_text.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "step/crc.h"

enum { READ_BYTES = 8192 };

void tk_journal_text_init(struct tk_journal_text *text)
{
    *text = (struct tk_journal_text){.end = 0};
    tk_buf_init(&text->lines, TK_JOURNAL_MAX);
}

void tk_journal_text_release(struct tk_journal_text *text)
{
    tk_buf_release(&text->lines);
}

static void reset(struct tk_journal_text *text)
{
    tk_buf_reset(&text->lines);
    text->end = 0;
    text->last_ns = 0;
    text->damaged = 0;
}

/* Reading ---------------------------------------------------------------------------- */

static int read_rest(int fd, struct tk_journal_text *text, struct tk_err *err)
{
    struct tk_buf *lines = &text->lines;
    for (;;) {
        char *to = tk_buf_reserve(lines, READ_BYTES);
        if (!to)
            return tk_buf_check(lines, TK_JOURNAL_NAME, err);
        size_t room = lines->cap - lines->n;
        ssize_t got = pread(fd, to, room, (off_t)text->end);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tk_fail_errno(err, TK_JOURNAL_NAME);
        lines->n += (size_t)got;
        text->end += (size_t)got;
        if ((size_t)got < room) /* of a file: it ends here */
            return 0;
    }
}

static int open_journal(int job_fd, struct tk_err *err)
{
    int fd = openat(job_fd, TK_JOURNAL_NAME, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? tk_fail_errno(err, TK_JOURNAL_NAME) : fd;
}

int tk_journal_text_read_on(int job_fd, struct tk_journal_text *text, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int fd = open_journal(job_fd, err);
    return fd < 0 ? fd : read_rest(fd, text, err);
}

int tk_journal_text_read(int job_fd, struct tk_journal_text *text, struct tk_err *err)
{
    reset(text);
    return tk_journal_text_read_on(job_fd, text, err);
}

/* The excerpt ------------------------------------------------------------------------ */

static bool take_number(tk_str *head, int64_t *ret)
{
    tk_str word;
    return tk_str_take_word(head, &word) && tk_parse_i64(word, ret) && *ret >= 0;
}

/* An excerpt; false when it does not check. */
static bool excerpt_parse(tk_str file, struct tk_journal_text *ret)
{
    int64_t end, damaged;
    tk_str head;
    if (!tk_step_crc_take(&file) || !tk_str_take_line(&file, &head) || !take_number(&head, &end) ||
        !take_number(&head, &ret->last_ns) || !take_number(&head, &damaged))
        return false;
    ret->end = (uint64_t)end;
    ret->damaged = (size_t)damaged;
    tk_buf_put(&ret->lines, file);
    return tk_buf_ok(&ret->lines);
}

/* The journal has the bytes that the excerpt is of, and they end with a line. */
static bool is_of(int fd, const struct tk_journal_text *text)
{
    char last;
    return text->end > 0 && pread(fd, &last, 1, (off_t)text->end - 1) == 1 && last == '\n';
}

/* Begin with the excerpt, where there is one. */
static void excerpt_read(int job_fd, int fd, struct tk_journal_text *text)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_err ignored;
    tk_buf_init(&file, TK_JOURNAL_MAX);
    if (tk_file_load(job_fd, TK_JOURNAL_OPEN_NAME, &file, &ignored) < 0)
        return;
    if (!excerpt_parse(tk_buf_str(&file), text) || !is_of(fd, text))
        reset(text);
}

/* Replace the excerpt by one of all lines that were read whole. It is nothing but a shorter way:
 * where it cannot be written the journal is read from further before. */
static void excerpt_write(int job_fd, const struct tk_journal_text *text)
{
    TK_CLEANUP(tk_arena_release) struct tk_arena arena = {0};
    TK_CLEANUP(tk_buf_release) struct tk_buf lines;
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_err ignored;
    struct tk_journal journal;
    tk_str all = tk_buf_str(&text->lines);
    size_t newline = tk_str_find_last(all, '\n');
    tk_buf_init(&lines, TK_JOURNAL_MAX);
    tk_buf_init(&file, TK_JOURNAL_MAX);
    if (newline == all.n || tk_arena_init(&arena, TK_JOB_ARENA_MAX, &ignored) < 0 ||
        tk_journal_excerpt((tk_str){all.p, newline + 1}, &arena, &lines, &journal, &ignored) < 0)
        return;
    tk_buf_lit(&file, "00000000 ");
    tk_buf_printf(&file, "%llu %lld %zu\n", (unsigned long long)(text->end - (all.n - newline - 1)),
                  (long long)(journal.last_ns > text->last_ns ? journal.last_ns : text->last_ns),
                  journal.damaged + text->damaged);
    tk_buf_put(&file, tk_buf_str(&lines));
    if (!tk_buf_ok(&file) || !tk_buf_ok(&lines))
        return;
    tk_step_crc_put(file.p, (tk_str){file.p + TK_STEP_CRC_BYTES, file.n - TK_STEP_CRC_BYTES});
    (void)!tk_file_refresh(job_fd, TK_JOURNAL_OPEN_NAME, tk_buf_str(&file), 0600, &ignored);
}

int tk_journal_text_read_open(int job_fd, struct tk_journal_text *text, struct tk_err *err)
{
    reset(text);
    TK_CLEANUP(tk_fd_close) int fd = open_journal(job_fd, err);
    if (fd < 0)
        return fd;
    excerpt_read(job_fd, fd, text);
    uint64_t before = text->end;
    int rc = read_rest(fd, text, err);
    if (rc == 0 && text->end - before > TK_JOURNAL_OPEN_STEP)
        excerpt_write(job_fd, text);
    return rc;
}

int tk_journal_text_parse(const struct tk_journal_text *text,
                          const struct tk_journal_filter *filter, struct tk_arena *arena,
                          struct tk_journal *ret, struct tk_err *err)
{
    int rc = tk_journal_parse(tk_buf_str(&text->lines), filter, arena, ret, err);
    if (rc < 0)
        return rc;
    ret->damaged += text->damaged;
    if (text->last_ns > ret->last_ns)
        ret->last_ns = text->last_ns;
    return 0;
}
