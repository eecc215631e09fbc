/* SPDX-License-Identifier: Apache-2.0 */
/* A Parquet file in memory, to write and to read. */
#ifndef TK_PARQUET_MEMORY_H
#define TK_PARQUET_MEMORY_H

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "table/parquet_reader.h"

struct memory_file {
    struct tk_buf bytes;
    size_t room; /* the sink fails beyond so many bytes */
};

static inline void memory_file_init(struct memory_file *file)
{
    file->room = SIZE_MAX;
    tk_buf_init(&file->bytes, 64 << 20);
}

static inline void memory_file_release(struct memory_file *file)
{
    tk_buf_release(&file->bytes);
}

static inline int memory_file_write(void *user, tk_str bytes, struct tk_err *err)
{
    struct memory_file *file = user;
    if (file->bytes.n + bytes.n > file->room)
        return tk_fail(err, -ENOSPC, "no room");
    tk_buf_put(&file->bytes, bytes);
    return 0;
}

/* `user` is the bytes; the reader asks for nothing beyond them, or ASan tells. */
static inline int memory_file_read(void *user, uint64_t offset, char *to, size_t n,
                                   struct tk_err *err)
{
    (void)err;
    memcpy(to, (const char *)user + offset, n);
    return 0;
}

#endif
