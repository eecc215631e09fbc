/* SPDX-License-Identifier: Apache-2.0 */
/* A Parquet file that is written whole: beside its name, then renamed, as every large file of a
 * run. Rows go through its writer. */
#ifndef TK_OPENDC_PARQUET_OUT_H
#define TK_OPENDC_PARQUET_OUT_H

#include "run/out.h"
#include "table/parquet.h"

struct tk_parquet_out {
    struct tk_out out;
    struct tk_parquet_writer *writer;
};

#define TK_PARQUET_OUT_NONE                                                                        \
    {                                                                                              \
        .out = TK_OUT_NONE                                                                         \
    }

/* What a file looks like. */
struct tk_parquet_layout {
    const char *name; /* below the folder */
    const struct tk_parquet_node *nodes;
    size_t node_count;
};

/* Begin a file; row groups of a million rows, encodings that every reader knows. The layout's nodes
 * stay borrowed. On failure the struct may be given to tk_parquet_out_release(). */
TK_MUST_USE int tk_parquet_out_open(struct tk_parquet_out *file, int dirfd,
                                    const struct tk_parquet_layout *layout,
                                    enum tk_parquet_codec codec, struct tk_err *err);

/* Finish the file and put it in its place. */
TK_MUST_USE int tk_parquet_out_close(struct tk_parquet_out *file, struct tk_err *err);

/* A file that was not closed is removed. For TK_CLEANUP; accepts TK_PARQUET_OUT_NONE. */
void tk_parquet_out_release(struct tk_parquet_out *file);

#endif
