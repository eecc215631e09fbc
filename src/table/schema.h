/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas: what a table is, declared once as a const table of columns. JSON Lines, CSV, the
 * validator, the JSON Schema files and the reference page are all driven by it. */
#ifndef TK_TABLE_SCHEMA_H
#define TK_TABLE_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

enum tk_type {
    TK_I64,
    TK_F64,
    TK_BOOL,
    TK_TEXT,     /* UTF-8 */
    TK_F64_LIST, /* [double] */
    TK_TEXT_LIST /* [UTF-8] */
};

enum tk_column_flags {
    TK_REQUIRED = 1, /* a consumer needs it: verify reports a row without */
    TK_NULLABLE = 2, /* an absent value is written as null; without the flag it is left out */
    TK_CCTF1 = 4,    /* a field of generation 1: always present in what we write */
    /* For recordings, which store what is new only (recording.h): */
    TK_KEY = 8,          /* tells rows of one thing from those of others; I64 or TEXT, at most 4 */
    TK_STAMP = 16,       /* when the row was taken, I64: many neighbours share it; at most one */
    TK_STAMP_MILLI = 32, /* the thousandth of the stamp, rounded down, as a rule; I64 */
};

struct tk_column {
    const char *name; /* as in files, 1..36 bytes */
    enum tk_type type;
    const char *unit; /* "ms", "bytes", "%", ...; "" = none */
    const char *meaning;
    unsigned flags; /* of enum tk_column_flags */
    int decimals;   /* F64 and F64_LIST: digits after the point, or TK_SHORTEST */
};

struct tk_schema {
    const char *name; /* "proc_metrics" */
    const char *help; /* one line: what a row is */
    const struct tk_column *columns;
    size_t column_count; /* 1..64 */
};

/* Index of a column by name; schema->column_count when there is none. Tries `hint` first and then
 * those after it, so that a reader that expects the order of the last row compares one name as a
 * rule. */
size_t tk_schema_find(const struct tk_schema *schema, tk_str name, size_t hint);

/* Append the JSON Schema (json-schema.org, draft 2020-12) of a row as we write it: an object of
 * several lines, all but the first indented by `indent` blanks. The unit of a column is its
 * annotation "x-unit". */
void tk_schema_put_json_schema(const struct tk_schema *schema, int indent, struct tk_buf *out);

#endif
