/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "run/recording.h"
#include "run/run_internal.h"

#define ROWS_PER_BATCH 256
#define TEXT_PER_BATCH ((size_t)4 << 20) /* of address space: pages are taken as they are used */
#define CHUNK          ((size_t)256 << 10)
#define ROW_MAX_BYTES  ((size_t)1 << 20) /* a longer one is a bad row */

struct tk_run_reader {
    int fd;
    char name[256];
    bool at_end;                 /* of the file */
    bool skips;                  /* the rest of an endless line */
    struct tk_file_digest *from; /* who reads the file for us; borrowed; NULL = nobody */
    struct tk_buf text;          /* read, from `used` on not yet decoded */
    size_t used;
    void *state;
    struct tk_batch *batch;
    struct tk_decode_stats stats;
    struct tk_recording_reader *recording; /* of the same table; NULL = none, or at its end */
};

/* The file, and the table in the recording: at least one of them. */
static int open_sources(struct tk_run_reader *reader, int dirfd, const struct tk_schema *schema,
                        struct tk_err *err)
{
    struct tk_err none;
    int rc = 0;
    reader->fd = openat(dirfd, reader->name, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0)
        rc = tk_fail_errno(err, "%s", reader->name);
    enum tk_table table = tk_recording_find_table(reader->name);
    if ((rc < 0 && rc != -ENOENT) || table == TK_TABLE_COUNT || tk_tables[table].schema != schema)
        return rc;
    int recording = tk_recording_reader_new(dirfd, schema, &reader->recording, &none);
    if (recording == -ENOENT)
        return rc;
    if (recording < 0)
        *err = none;
    reader->at_end = reader->fd < 0;
    return recording;
}

int tk_run_reader_new(int dirfd, const char *name, const struct tk_schema *schema,
                      struct tk_run_reader **ret_reader, struct tk_err *err)
{
    struct tk_run_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return tk_fail(err, -ENOMEM, "%s: out of memory", name);
    reader->fd = -1;
    tk_buf_init(&reader->text, ROW_MAX_BYTES + 2 * CHUNK);
    (void)snprintf(reader->name, sizeof(reader->name), "%s", name);

    int rc = open_sources(reader, dirfd, schema, err);
    if (rc < 0)
        goto fail;
    reader->state = calloc(1, tk_decoder_jsonl.state_size + 1);
    if (!reader->state) {
        rc = tk_fail(err, -ENOMEM, "%s: out of memory", name);
        goto fail;
    }
    rc = tk_batch_new(schema, ROWS_PER_BATCH, TEXT_PER_BATCH, &reader->batch, err);
    if (rc < 0)
        goto fail;
    *ret_reader = reader;
    return 0;

fail:
    tk_run_reader_free(reader);
    return rc;
}

void tk_run_reader_free(struct tk_run_reader *reader)
{
    if (!reader)
        return;
    tk_fd_close(&reader->fd);
    tk_recording_reader_free(reader->recording);
    tk_buf_release(&reader->text);
    tk_batch_free(reader->batch);
    free(reader->state);
    free(reader);
}

const struct tk_decode_stats *tk_run_reader_stats(const struct tk_run_reader *reader)
{
    return &reader->stats;
}

void tk_run_reader_read_from(struct tk_run_reader *reader, struct tk_file_digest *digest)
{
    reader->from = digest;
}

int tk_run_reader_set_range(struct tk_run_reader *reader, int64_t from_us, int64_t to_us,
                            struct tk_err *err)
{
    if (!reader->recording)
        return 0;
    return tk_recording_reader_set_range(reader->recording, from_us, to_us, err);
}

static int take_more(struct tk_run_reader *reader, struct tk_err *err)
{
    tk_str bytes;
    int rc = tk_file_digest_next(reader->from, &bytes, err);
    reader->at_end = rc == 1;
    if (rc == 0)
        tk_buf_put(&reader->text, bytes);
    return rc < 0 ? rc : tk_buf_check(&reader->text, reader->name, err);
}

static int read_more(struct tk_run_reader *reader, struct tk_err *err)
{
    tk_buf_consume(&reader->text, reader->used);
    reader->used = 0;
    if (reader->from)
        return take_more(reader, err);
    char *to = tk_buf_reserve(&reader->text, CHUNK);
    if (!to)
        return tk_buf_check(&reader->text, reader->name, err);
    ssize_t got;
    do {
        got = read(reader->fd, to, CHUNK);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return tk_fail_errno(err, "%s", reader->name);
    reader->text.n += (size_t)got;
    reader->at_end = got == 0;
    return 0;
}

/* What was read and not yet decoded. */
static tk_str unread(const struct tk_run_reader *reader)
{
    size_t n = reader->text.n - reader->used;
    return n > 0 ? (tk_str){reader->text.p + reader->used, n} : (tk_str){NULL, 0};
}

static void count_bad_line(struct tk_run_reader *reader)
{
    struct tk_decode_stats *stats = &reader->stats;
    stats->line++;
    stats->bad_rows++;
    if (!stats->first_bad[0]) {
        (void)snprintf(stats->first_bad, sizeof(stats->first_bad),
                       "line %llu: longer than %zu bytes", (unsigned long long)stats->line,
                       ROW_MAX_BYTES);
    }
}

/* Pass over the line at hand, as far as it was read. */
static void skip_line(struct tk_run_reader *reader)
{
    tk_str rest = unread(reader);
    size_t n = tk_str_find(rest, '\n');
    reader->skips = n == rest.n;
    reader->used += reader->skips ? n : n + 1;
}

/* Decode what was read. A row that no batch can hold, or that does not end for long, is one bad
 * row, not the end of the file. */
static void decode(struct tk_run_reader *reader)
{
    struct tk_err too_long;
    tk_str rest = unread(reader);
    int rc = tk_decoder_jsonl.batch(reader->state, &rest, reader->at_end, reader->batch,
                                    &reader->stats, &too_long);
    reader->used = reader->text.n - rest.n;
    if (rc < 0 || (rest.n > ROW_MAX_BYTES && reader->batch->rows == 0)) {
        count_bad_line(reader);
        skip_line(reader);
    }
}

/* Rows of the recording, once the file is at its end. */
static int read_recording(struct tk_run_reader *reader, const struct tk_batch **ret_batch,
                          struct tk_err *err)
{
    if (!reader->recording)
        return 1;
    int rc = tk_recording_reader_next(reader->recording, reader->batch, err);
    if (rc != 0)
        return rc;
    reader->stats.rows += reader->batch->rows;
    *ret_batch = reader->batch;
    return 0;
}

int tk_run_reader_open(int dirfd, enum tk_table table, struct tk_run_reader **ret_reader,
                       struct tk_err *err)
{
    const struct tk_table_files *files = &tk_tables[table];
    char below[128];
    (void)snprintf(below, sizeof(below), "cctf/%s", files->cctf ? files->cctf : "");
    const char *const names[] = {files->raw, files->cctf ? below : NULL, files->cctf};
    *ret_reader = NULL;
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        int rc =
            names[i] ? tk_run_reader_new(dirfd, names[i], files->schema, ret_reader, err) : -ENOENT;
        if (rc != -ENOENT)
            return rc;
    }
    return 0;
}

int tk_run_reader_next(struct tk_run_reader *reader, const struct tk_batch **ret_batch,
                       struct tk_err *err)
{
    tk_batch_reset(reader->batch);
    for (;;) {
        if (reader->skips) {
            skip_line(reader);
        } else {
            decode(reader);
        }
        if (reader->batch->rows > 0) {
            *ret_batch = reader->batch;
            return 0;
        }
        if (reader->at_end && reader->used == reader->text.n)
            return read_recording(reader, ret_batch, err);
        if (reader->at_end)
            continue;
        int rc = read_more(reader, err);
        if (rc < 0)
            return rc;
    }
}
