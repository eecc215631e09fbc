/* SPDX-License-Identifier: Apache-2.0 */
/* Thrift's compact protocol (thrift-compact-protocol.md of apache/thrift), as far as Parquet uses
 * it, driven by tables: a spec says where in a C struct each field lies. Each struct begins with
 * `uint64_t set`, whose bit `id` says that the field is there. Safe from any thread. */
#ifndef TK_TABLE_PARQUET_THRIFT_INTERNAL_H
#define TK_TABLE_PARQUET_THRIFT_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum tk_thrift_kind {
    TK_THRIFT_BOOL,   /* bool */
    TK_THRIFT_I8,     /* int32_t */
    TK_THRIFT_I16,    /* int32_t */
    TK_THRIFT_I32,    /* int32_t */
    TK_THRIFT_I64,    /* int64_t */
    TK_THRIFT_TEXT,   /* tk_str */
    TK_THRIFT_STRUCT, /* a struct that begins with `set` */
    TK_THRIFT_LIST,   /* a pointer to items, and a size_t */
};

struct tk_thrift_spec;

struct tk_thrift_field {
    uint8_t id; /* 1..63; fields stand in this order */
    enum tk_thrift_kind kind;
    enum tk_thrift_kind item;        /* of a LIST: any but LIST */
    uint16_t at;                     /* offset in the struct */
    uint16_t count_at;               /* of a LIST: offset of the count */
    const struct tk_thrift_spec *of; /* of a STRUCT, or a LIST of them */
};

struct tk_thrift_spec {
    const char *name; /* as in the format, for messages */
    size_t size;      /* of the C struct */
    const struct tk_thrift_field *fields;
    size_t field_count;
};

extern const struct tk_thrift_spec tk_parquet_spec_file_meta;
extern const struct tk_thrift_spec tk_parquet_spec_page_header;
extern const struct tk_thrift_spec tk_parquet_spec_column_index;
extern const struct tk_thrift_spec tk_parquet_spec_offset_index;
extern const struct tk_thrift_spec tk_parquet_spec_bloom_header;

/* Append the struct at `object`. */
void tk_thrift_encode(const struct tk_thrift_spec *spec, const void *object, struct tk_buf *out);

/* Read the struct at the front of `*text`, which is taken off, into `object`. Lists go into the
 * arena, texts are views of the input. Unknown fields are skipped.
 *
 * Fails with -EBADMSG when the text is cut off or no such struct, with -EMSGSIZE when the arena is
 * full; `object` is then unspecified, `*text` untouched. */
TK_MUST_USE int tk_thrift_decode(const struct tk_thrift_spec *spec, tk_str *text,
                                 struct tk_arena *arena, void *object, struct tk_err *err);

#endif
