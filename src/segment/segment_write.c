/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/segment_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "segment/block_file.h"
#include "segment/compact.h"
#include "segment/folder.h"
#include "segment/segment_file.h"
#include "segment/segment_log.h"

#define BUFFER_BYTES ((size_t)1 << 20) /* written at once */

/* Writing -------------------------------------------------------------------------------------- */

struct output {
    int fd;
    const char *name;
    struct tk_buf buf;
    uint64_t bytes;
};

static int drain(struct output *output, struct tk_err *err)
{
    int rc = tk_fd_write(output->fd, tk_buf_str(&output->buf), output->name, err);
    tk_buf_reset(&output->buf);
    return rc;
}

static int put_bytes(void *user, tk_str bytes, struct tk_err *err)
{
    struct output *output = user;
    output->bytes += bytes.n;
    if (output->buf.n + bytes.n > BUFFER_BYTES && output->buf.n > 0) {
        int rc = drain(output, err);
        if (rc < 0)
            return rc;
    }
    if (bytes.n > BUFFER_BYTES)
        return tk_fd_write(output->fd, bytes, output->name, err);
    tk_buf_put(&output->buf, bytes);
    return tk_buf_check(&output->buf, output->name, err);
}

/* What a file is made of: another one, or a batch. */
struct content {
    const struct tk_segment_file *copy; /* NULL = the batch */
    const struct tk_span_batch *batch;
    const struct tk_columns_opts *columns;
    const struct tk_codec_options *compress; /* NULL = Parquet */
};

static int write_copy(const struct tk_segment_file *file, const struct tk_parquet_sink *sink,
                      struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf summary;
    tk_buf_init(&summary, 4096);
    tk_segment_summary_put(
        &(struct tk_segment_summary){file->rows, file->first_ns, file->last_ns, NULL, 0}, &summary);
    int rc = tk_buf_check(&summary, TK_SEGMENT_PAIR, err);
    return rc < 0 ? rc
                  : tk_parquet_file_copy(file->parquet, TK_STR(TK_SEGMENT_PAIR),
                                         tk_buf_str(&summary), sink, err);
}

static int write_file(struct output *output, const struct content *content, struct tk_err *err)
{
    const struct tk_codec_output blocks = {put_bytes, output};
    const struct tk_parquet_sink sink = {put_bytes, output};
    int rc;
    if (content->copy) {
        rc = write_copy(content->copy, &sink, err);
    } else if (content->compress) {
        rc = tk_block_file_encode(content->batch, content->compress, &blocks, err);
    } else {
        rc = tk_columns_write(content->batch, content->columns, &sink, err);
    }
    if (rc == 0)
        rc = drain(output, err);
    if (rc == 0 && fsync(output->fd) < 0)
        rc = tk_fail_errno(err, "%s", output->name);
    return rc;
}

static int write_content(int dirfd, uint32_t number, const struct content *content,
                         uint64_t *ret_bytes, struct tk_err *err)
{
    char part[TK_SEGMENT_NAME_MAX];
    char tmp[TK_SEGMENT_NAME_MAX];
    struct output output = {.name = part};
    tk_segment_name(content->compress ? TK_SEGMENT_BLOCK : TK_SEGMENT_PART, number, part);
    tk_segment_name(TK_SEGMENT_TMP, number, tmp);
    tk_buf_init(&output.buf, BUFFER_BYTES);
    output.fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (output.fd < 0)
        return tk_fail_errno(err, "%s", part);
    int rc = write_file(&output, content, err);
    tk_buf_release(&output.buf);
    tk_fd_close(&output.fd);
    if (rc == 0 && renameat(dirfd, tmp, dirfd, part) < 0)
        rc = tk_fail_errno(err, "%s", part);
    if (rc < 0) {
        (void)unlinkat(dirfd, tmp, 0);
        return rc;
    }
    if (fsync(dirfd) < 0)
        return tk_fail_errno(err, "folder of %s", part);
    *ret_bytes = output.bytes;
    return 0;
}

int tk_segment_write(int dirfd, uint32_t number, const struct tk_span_batch *batch,
                     const struct tk_columns_opts *opts, uint64_t *ret_bytes, struct tk_err *err)
{
    const struct content content = {.batch = batch, .columns = opts};
    return write_content(dirfd, number, &content, ret_bytes, err);
}

int tk_segment_write_copy(int dirfd, uint32_t number, const struct tk_segment_file *file,
                          uint64_t *ret_bytes, struct tk_err *err)
{
    return write_content(dirfd, number, &(struct content){.copy = file}, ret_bytes, err);
}

static int write_block(int dirfd, uint32_t number, const struct tk_span_batch *batch,
                       const struct tk_codec_options *compress, uint64_t *ret_bytes,
                       struct tk_err *err)
{
    /* Ids that are made up follow from the seed: those of two segments must not be the same. */
    struct tk_codec_options own = *compress;
    own.seed += number;
    const struct content content = {.batch = batch, .compress = &own};
    return write_content(dirfd, number, &content, ret_bytes, err);
}

int tk_segment_write_as(int dirfd, uint32_t number, const struct tk_span_batch *batch,
                        const struct tk_segment_form *form, uint64_t *ret_bytes, struct tk_err *err)
{
    if (form->compress) {
        int rc = write_block(dirfd, number, batch, form->compress, ret_bytes, err);
        if (rc != -EBADMSG && rc != -EMSGSIZE)
            return rc;
    }
    const struct tk_columns_opts opts = {.memory = form->memory};
    return tk_segment_write(dirfd, number, batch, &opts, ret_bytes, err);
}

/* Recovery ------------------------------------------------------------------------------------- */

/* As many rows as a log may have; address space only. */
#define LOG_ROWS_MAX ((size_t)1 << 20)

/* What recovering is about. */
struct recovery {
    int dirfd;
    const struct tk_codec_options *compress;
    uint32_t sealed, left;
};

static int seal_log(struct recovery *recovery, uint32_t number, int fd, struct tk_err *err)
{
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    const struct tk_segment_form form = {.compress = recovery->compress};
    struct tk_log_mark mark = {0};
    uint64_t bytes;
    int rc = tk_span_batch_new(LOG_ROWS_MAX, &batch, err);
    if (rc == 0)
        rc = tk_segment_log_read(fd, batch, &mark, err);
    if (rc == 0 && batch->rows > 0) {
        rc = tk_segment_write_as(recovery->dirfd, number, batch, &form, &bytes, err);
        recovery->sealed += rc == 0;
    }
    if (rc == 0)
        tk_segment_remove(recovery->dirfd, TK_SEGMENT_LOG, number);
    return rc;
}

static bool has_file(int dirfd, enum tk_segment_kind kind, uint32_t number)
{
    char name[TK_SEGMENT_NAME_MAX];
    tk_segment_name(kind, number, name);
    return faccessat(dirfd, name, F_OK, 0) == 0;
}

/* What a process left of one number. A bad log is left as it is, for a person to look at. */
static int recover_entry(struct recovery *recovery, const struct tk_segment_entry *entry,
                         struct tk_err *err)
{
    int dirfd = recovery->dirfd;
    TK_CLEANUP(tk_fd_close) int fd = -1;
    if (!tk_segment_has(entry, TK_SEGMENT_LOG)) {
        if (tk_segment_has(entry, TK_SEGMENT_TMP)) /* its log went first: nobody needs it */
            tk_segment_remove(dirfd, TK_SEGMENT_TMP, entry->number);
        return 0;
    }
    int rc = tk_segment_adopt(dirfd, entry->number, &fd, err);
    if (rc == -EBUSY || rc == -ENOENT)
        return 0;
    if (rc < 0)
        return rc;
    tk_segment_remove(dirfd, TK_SEGMENT_TMP, entry->number);
    /* Looked at again, under the lock: the segment may have come meanwhile. */
    if (has_file(dirfd, TK_SEGMENT_PART, entry->number) ||
        has_file(dirfd, TK_SEGMENT_BLOCK, entry->number)) {
        tk_segment_remove(dirfd, TK_SEGMENT_LOG, entry->number);
        return 0;
    }
    rc = seal_log(recovery, entry->number, fd, err);
    if (rc == -EBADMSG || rc == -ENOBUFS) {
        recovery->left++;
        return 0;
    }
    return rc;
}

int tk_segment_recover(int dirfd, const struct tk_codec_options *compress, uint32_t *ret_sealed,
                       uint32_t *ret_left, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf entries;
    struct recovery recovery = {.dirfd = dirfd, .compress = compress};
    tk_buf_init(&entries, INT32_MAX);
    int rc = tk_segment_list(dirfd, &entries, err);
    const struct tk_segment_entry *items = (const struct tk_segment_entry *)(void *)entries.p;
    for (size_t i = 0; rc == 0 && i < entries.n / sizeof(*items); i++) {
        if (items[i].kinds != 1U << TK_SEGMENT_PART && items[i].kinds != 1U << TK_SEGMENT_BLOCK)
            rc = recover_entry(&recovery, &items[i], err);
    }
    if (rc == 0)
        rc = tk_segment_remove_replaced(dirfd, err);
    if (rc < 0)
        return rc;
    *ret_sealed = recovery.sealed;
    *ret_left = recovery.left;
    return 0;
}
