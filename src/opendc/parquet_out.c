/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/parquet_out.h"

#define ROWS_PER_GROUP ((size_t)1 << 20)
#define SINK_PIECE     ((size_t)8 << 20)

static int take_bytes(void *user, tk_str bytes, struct tk_err *err)
{
    struct tk_parquet_out *file = user;
    while (bytes.n > 0) {
        size_t n = bytes.n < SINK_PIECE ? bytes.n : SINK_PIECE;
        tk_out_put(&file->out, (tk_str){bytes.p, n});
        bytes = (tk_str){bytes.p + n, bytes.n - n};
    }
    if (file->out.failure.code == 0)
        return 0;
    *err = file->out.failure;
    return err->code;
}

int tk_parquet_out_open(struct tk_parquet_out *file, int dirfd,
                        const struct tk_parquet_layout *layout, enum tk_parquet_codec codec,
                        struct tk_err *err)
{
    int rc = tk_out_open(&file->out, dirfd, layout->name, NULL, err);
    if (rc < 0)
        return rc;
    const struct tk_parquet_sink sink = {take_bytes, file};
    const struct tk_parquet_opts opts = {
        .codec = codec, .row_group_rows = ROWS_PER_GROUP, .classic = true};
    rc = tk_parquet_writer_new(layout->nodes, layout->node_count, &opts, &sink, &file->writer, err);
    if (rc == 0)
        tk_parquet_writer_add_pair(file->writer, "tracekit.version", TK_STR(TK_VERSION));
    return rc;
}

int tk_parquet_out_close(struct tk_parquet_out *file, struct tk_err *err)
{
    int rc = tk_parquet_writer_close(file->writer, err);
    return rc < 0 ? rc : tk_out_close(&file->out, err);
}

void tk_parquet_out_release(struct tk_parquet_out *file)
{
    tk_parquet_writer_free(file->writer);
    tk_out_release(&file->out);
}
