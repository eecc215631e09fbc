/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a folder of spans, by number:
 *
 *     part-000012.parquet   segment 12
 *     part-000012.tkz       the same, compressed
 *     part-000012.tmp       it is being written
 *     open-000012.log       rows that segment 12 will have; its writer holds a lock on it (flock)
 *     .lock                 locked while a number, or the log of a process that is gone, is taken
 *
 * A segment is renamed from its temporary name when it is whole and synced, and its log is deleted
 * only then: a log whose segment is there is done with. Numbers rise and are not used again, so
 * that a segment can say which others it replaces. */
#ifndef TK_SEGMENT_FOLDER_H
#define TK_SEGMENT_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"

#define TK_SEGMENT_NAME_MAX 32

enum tk_segment_kind {
    TK_SEGMENT_PART,
    TK_SEGMENT_TMP,
    TK_SEGMENT_LOG,
    TK_SEGMENT_BLOCK,
    TK_SEGMENT_KIND_COUNT
};

/* The name of a file: part-000012.parquet, part-000012.tmp, open-000012.log, part-000012.tkz. */
void tk_segment_name(enum tk_segment_kind kind, uint32_t number, char name[TK_SEGMENT_NAME_MAX]);

/* What there is of a number: bit k = the file of kind k. */
struct tk_segment_entry {
    uint32_t number;
    uint32_t kinds;
};

/* Whether it has a file of that kind. */
static inline bool tk_segment_has(const struct tk_segment_entry *entry, enum tk_segment_kind kind)
{
    return (entry->kinds >> kind & 1) != 0;
}

/* Append the entries of the folder, by number, to `out`, as they were at one moment: a segment that
 * is sealed meanwhile shows as its log or as itself. */
TK_MUST_USE int tk_segment_list(int dirfd, struct tk_buf *out, struct tk_err *err);

/* Take the next number and make its log, empty, which this process has locked. */
TK_MUST_USE int tk_segment_reserve(int dirfd, uint32_t *ret_number, int *ret_fd,
                                   struct tk_err *err);

/* Open and lock the log of a process that is gone. -EBUSY when a process has it, -ENOENT when it is
 * not there any more. */
TK_MUST_USE int tk_segment_adopt(int dirfd, uint32_t number, int *ret_fd, struct tk_err *err);

/* Delete a file; one that is not there is fine. */
void tk_segment_remove(int dirfd, enum tk_segment_kind kind, uint32_t number);

#endif
