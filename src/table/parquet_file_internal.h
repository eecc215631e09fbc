/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is read, for the parts of the reader. */
#ifndef TK_TABLE_PARQUET_FILE_INTERNAL_H
#define TK_TABLE_PARQUET_FILE_INTERNAL_H

#include "table/parquet_internal.h"
#include "table/parquet_reader.h"

struct tk_parquet_file {
    struct tk_parquet_source source;
    struct tk_arena arena; /* the footer */
    struct tk_parquet_file_meta meta;
    struct tk_parquet_schema schema;
    uint64_t footer_at;

    /* Shared by all cursors. */
    struct tk_arena headers; /* of the page at hand */
    struct tk_parquet_codecs codecs;
};

/* Where the pages of a chunk begin. */
static inline int64_t tk_parquet_chunk_start(const struct tk_parquet_column_meta *meta)
{
    bool before = TK_PARQUET_HAS(meta, 11) && meta->dictionary_page_offset > 0 &&
                  meta->dictionary_page_offset < meta->data_page_offset;
    return before ? meta->dictionary_page_offset : meta->data_page_offset;
}

#endif
