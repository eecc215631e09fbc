/* SPDX-License-Identifier: Apache-2.0 */
#include "run/out.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/device.h"
#include "run/run_internal.h"

#define WRITE_AT       ((size_t)256 << 10)
#define BUFFER_MAX     ((size_t)64 << 20)
#define ROWS_PER_BATCH 64
#define TEXT_PER_BATCH ((size_t)256 << 10)

int tk_out_open(struct tk_out *out, int dirfd, const char *name, const struct tk_schema *schema,
                struct tk_err *err)
{
    *out = (struct tk_out){.dirfd = dirfd, .fd = -1};
    tk_buf_init(&out->buf, BUFFER_MAX);
    if (!tk_str_to_cstr(tk_str_from(name), out->name, sizeof(out->name)))
        return tk_fail(err, -ENAMETOOLONG, "%s: name too long", name);
    if (schema) {
        int rc = tk_batch_new(schema, ROWS_PER_BATCH, TEXT_PER_BATCH, &out->rows, err);
        if (rc < 0)
            return rc;
    }
    int rc = tk_device_open(dirfd, name, &out->fd, err);
    out->is_device = out->fd >= 0;
    if (rc < 0 || out->is_device)
        return rc;
    rc = tk_file_make_beside(dirfd, name, 0644, out->temporary, &out->fd, err);
    if (rc == 0)
        tk_run_adopt(dirfd, out->fd);
    return rc;
}

static void write_text(struct tk_out *out, tk_str text)
{
    if (out->failure.code == 0 && tk_fd_write(out->fd, text, out->name, &out->failure) == 0) {
        out->bytes += (int64_t)text.n;
    } else if (out->failure.code == 0) {
        tk_fail(&out->failure, -EIO, "%s: could not be written", out->name);
    }
}

static void write_waiting(struct tk_out *out)
{
    if (out->failure.code == 0 && tk_buf_check(&out->buf, out->name, &out->failure) == 0)
        write_text(out, tk_buf_str(&out->buf));
    tk_buf_reset(&out->buf);
}

void tk_out_put(struct tk_out *out, tk_str text)
{
    if (text.n >= WRITE_AT) { /* large enough by itself: not copied */
        write_waiting(out);
        write_text(out, text);
        return;
    }
    tk_buf_put(&out->buf, text);
    if (out->buf.n >= WRITE_AT)
        write_waiting(out);
}

void tk_out_put_line(struct tk_out *out, tk_str line)
{
    tk_buf_put(&out->buf, line);
    tk_buf_putc(&out->buf, '\n');
    out->row_count++;
    if (out->buf.n >= WRITE_AT)
        write_waiting(out);
}

void tk_out_put_rows(struct tk_out *out, const struct tk_batch *batch)
{
    tk_encoder_jsonl.batch(batch, &out->buf);
    out->row_count += (int64_t)batch->rows;
    if (out->buf.n >= WRITE_AT)
        write_waiting(out);
}

static void drain_rows(struct tk_out *out)
{
    tk_out_put_rows(out, out->rows);
    tk_batch_reset(out->rows);
}

struct tk_batch *tk_out_begin(struct tk_out *out)
{
    if (!tk_batch_has_room(out->rows))
        drain_rows(out);
    tk_batch_begin(out->rows);
    return out->rows;
}

/* Make what was written durable, and put it in its place. */
static void settle(struct tk_out *out)
{
    if (fsync(out->fd) < 0 || renameat(out->dirfd, out->temporary, out->dirfd, out->name) < 0)
        tk_fail_errno(&out->failure, "%s", out->name);
}

int tk_out_close(struct tk_out *out, struct tk_err *err)
{
    if (out->rows)
        drain_rows(out);
    write_waiting(out);
    if (out->failure.code == 0 && !out->is_device)
        settle(out);
    if (out->failure.code < 0) {
        *err = out->failure;
        return err->code;
    }
    tk_fd_close(&out->fd);
    return 0;
}

void tk_out_release(struct tk_out *out)
{
    if (out->fd >= 0 && !out->is_device)
        (void)unlinkat(out->dirfd, out->temporary, 0);
    tk_fd_close(&out->fd);
    tk_buf_release(&out->buf);
    tk_batch_free(out->rows);
    *out = (struct tk_out)TK_OUT_NONE;
}
