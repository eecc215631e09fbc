/* SPDX-License-Identifier: Apache-2.0 */
/* Segments and logs of a folder, as one. A file that is known stays open: segments never change,
 * and of a log only what came since is read. */
#include "segment/segment_set_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define ARENA_BYTES   ((size_t)4 << 30) /* of address space */
#define LOG_ROWS      ((size_t)1 << 18) /* of a log; larger ones as many as a batch may have */
#define LOG_ROWS_MAX  ((size_t)1 << 20)
#define DECODED_BYTES ((size_t)128 << 20)
#define LOOKS_MAX     100 /* at a folder whose files go while they are opened */

static void member_free(struct tk_segment_member *member)
{
    if (!member)
        return;
    tk_segment_file_close(&member->file);
    tk_block_file_close(&member->block);
    tk_fd_close(&member->fd);
    tk_span_batch_free(member->batch);
    free(member);
}

/* Opening -------------------------------------------------------------------------------------- */

static int set_up(struct tk_segment_set *set, int dirfd, struct tk_err *err)
{
    int rc = tk_dir_open(dirfd, ".", &set->dirfd, err);
    if (rc == 0)
        rc = tk_arena_init(&set->arena, ARENA_BYTES, err);
    if (rc == 0)
        rc = tk_arena_init(&set->names, ARENA_BYTES, err);
    if (rc == 0)
        rc = tk_segment_reader_new(&set->reader, err);
    if (rc == 0)
        rc = tk_span_batch_new(TK_SCAN_ROWS, &set->batch, err);
    return rc;
}

/* A set of nothing. */
static int set_new(int dirfd, bool skip_bad, struct tk_segment_set **ret_set, struct tk_err *err)
{
    struct tk_segment_set *set = calloc(1, sizeof(*set));
    if (!set)
        return tk_fail(err, -ENOMEM, "segments: out of memory");
    set->dirfd = -1;
    set->skip_bad = skip_bad;
    tk_buf_init(&set->ids, INT32_MAX);
    int rc = set_up(set, dirfd, err);
    if (rc < 0) {
        tk_segment_set_free(set);
        return rc;
    }
    *ret_set = set;
    return 0;
}

int tk_segment_set_new(int dirfd, bool skip_bad, struct tk_segment_set **ret_set,
                       struct tk_err *err)
{
    struct tk_segment_set *set = NULL;
    int rc = set_new(dirfd, skip_bad, &set, err);
    if (rc < 0 || !set)
        return rc;
    rc = tk_segment_set_refresh(set, err);
    if (rc < 0) {
        tk_segment_set_free(set);
        return rc;
    }
    *ret_set = set;
    return 0;
}

/* A member for each of the files, which it owns from then on. */
static int add_blocks(struct tk_segment_set *set, struct tk_block_file *files, size_t count,
                      struct tk_err *err)
{
    set->members = calloc(count + 1, sizeof(struct tk_segment_member *));
    for (size_t i = 0; set->members && i < count; i++) {
        struct tk_segment_member *member = calloc(1, sizeof(*member));
        if (!member)
            break;
        *member = (struct tk_segment_member){.number = (uint32_t)(i + 1),
                                             .kind = TK_SEGMENT_BLOCK,
                                             .is_seen = true,
                                             .fd = -1,
                                             .block = files[i]};
        set->members[set->count++] = member;
        files[i] = (struct tk_block_file){0};
    }
    if (set->count == count)
        return 0;
    for (size_t i = 0; i < count; i++)
        tk_block_file_close(&files[i]);
    return tk_fail(err, -ENOMEM, "segments: out of memory");
}

int tk_segment_set_new_of_blocks(int dirfd, const char *name, struct tk_segment_set **ret_set,
                                 struct tk_err *err)
{
    struct tk_segment_set *set = NULL;
    struct tk_block_file *files = NULL;
    size_t count = 0;
    int rc = set_new(dirfd, false, &set, err);
    if (rc < 0 || !set)
        return rc;
    rc = tk_block_file_open_each(dirfd, name, &files, &count, err);
    rc = rc < 0 ? rc : add_blocks(set, files, count, err);
    free(files);
    if (rc < 0) {
        tk_segment_set_free(set);
        return rc;
    }
    *ret_set = set;
    return 0;
}

void tk_segment_set_free(struct tk_segment_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++)
        member_free(set->members[i]);
    free(set->members);
    free(set->bad);
    tk_arena_release(&set->arena);
    tk_arena_release(&set->names);
    tk_operations_release(&set->operations);
    tk_segment_reader_free(set->reader);
    tk_span_batch_free(set->batch);
    tk_buf_release(&set->ids);
    tk_fd_close(&set->dirfd);
    free(set);
}

static struct tk_segment_member *find_member(const struct tk_segment_set *set, uint32_t number,
                                             enum tk_segment_kind kind)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->members[i]->number == number && set->members[i]->kind == kind)
            return set->members[i];
    }
    return NULL;
}

static int keep_bad(struct tk_segment_set *set, uint32_t number, struct tk_err *err)
{
    uint32_t *more = realloc(set->bad, (set->bad_count + 1) * sizeof(*more));
    if (!more)
        return tk_fail(err, -ENOMEM, "segments: out of memory");
    set->bad = more;
    set->bad[set->bad_count++] = number;
    return 0;
}

static bool is_bad(const struct tk_segment_set *set, uint32_t number)
{
    for (size_t i = 0; i < set->bad_count; i++) {
        if (set->bad[i] == number)
            return true;
    }
    return false;
}

/* Read what a log has beyond what is known. */
static int read_log(struct tk_segment_member *member, struct tk_err *err)
{
    int rc = 0;
    if (!member->batch)
        rc = tk_span_batch_new(LOG_ROWS, &member->batch, err);
    if (rc == 0)
        rc = tk_segment_log_read(member->fd, member->batch, &member->mark, err);
    if (rc != -ENOBUFS)
        return rc;
    /* Once more from its beginning, with all the room that there may be. */
    tk_span_batch_free(member->batch);
    member->batch = NULL;
    member->mark = (struct tk_log_mark){0};
    rc = tk_span_batch_new(LOG_ROWS_MAX, &member->batch, err);
    return rc < 0 ? rc : tk_segment_log_read(member->fd, member->batch, &member->mark, err);
}

static int open_member(const struct tk_segment_set *set, uint32_t number, enum tk_segment_kind kind,
                       struct tk_segment_member **ret_member, struct tk_err *err)
{
    char name[TK_SEGMENT_NAME_MAX];
    struct tk_segment_member *member = calloc(1, sizeof(*member));
    if (!member)
        return tk_fail(err, -ENOMEM, "segments: out of memory");
    member->number = number;
    member->kind = kind;
    member->fd = -1;
    tk_segment_name(kind, number, name);
    int rc = 0;
    if (kind == TK_SEGMENT_PART) {
        rc = tk_segment_file_open(set->dirfd, name, &member->file, err);
    } else if (kind == TK_SEGMENT_BLOCK) {
        rc = tk_block_file_open(set->dirfd, name, &member->block, err);
    } else {
        member->fd = openat(set->dirfd, name, O_RDONLY | O_CLOEXEC);
        rc = member->fd < 0 ? tk_fail_errno(err, "%s", name) : read_log(member, err);
        if (rc == -EBADMSG)
            rc = tk_err_prefix(err, "%s", name);
    }
    if (rc < 0) {
        member_free(member);
        return rc;
    }
    *ret_member = member;
    return 0;
}

/* Bring the member of an entry up to date; -ENOENT when its file is gone by now. */
static int refresh_entry(struct tk_segment_set *set, const struct tk_segment_entry *entry,
                         struct tk_err *err)
{
    enum tk_segment_kind kind = tk_segment_has(entry, TK_SEGMENT_PART)    ? TK_SEGMENT_PART
                                : tk_segment_has(entry, TK_SEGMENT_BLOCK) ? TK_SEGMENT_BLOCK
                                                                          : TK_SEGMENT_LOG;
    if (!tk_segment_has(entry, kind))
        return 0;
    struct tk_segment_member *member = find_member(set, entry->number, kind);
    if (member) {
        member->is_seen = true;
        return kind == TK_SEGMENT_LOG ? read_log(member, err) : 0;
    }
    if (is_bad(set, entry->number))
        return 0;
    int rc = open_member(set, entry->number, kind, &member, err);
    if ((rc == -EBADMSG || rc == -EOPNOTSUPP || rc == -EMSGSIZE) && set->skip_bad)
        return keep_bad(set, entry->number, err);
    if (rc < 0 || !member)
        return rc;
    member->is_seen = true;
    size_t bytes = (set->count + 1) * sizeof(struct tk_segment_member *);
    struct tk_segment_member **more = realloc(set->members, bytes);
    if (!more) {
        member_free(member);
        return tk_fail(err, -ENOMEM, "segments: out of memory");
    }
    set->members = more;
    set->members[set->count++] = member;
    return 0;
}

static int cmp_member(const void *a, const void *b)
{
    const struct tk_segment_member *first = *(struct tk_segment_member *const *)a;
    const struct tk_segment_member *second = *(struct tk_segment_member *const *)b;
    return (first->number > second->number) - (first->number < second->number);
}

/* Drop what was not seen, and note which segments others replace. */
static void settle(struct tk_segment_set *set)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (set->members[i]->is_seen) {
            set->members[i]->is_replaced = false;
            set->members[kept++] = set->members[i];
        } else {
            member_free(set->members[i]);
        }
    }
    set->count = kept;
    if (kept > 0)
        qsort(set->members, kept, sizeof(struct tk_segment_member *), cmp_member);
    for (size_t i = 0; i < kept; i++) {
        const struct tk_segment_file *file = &set->members[i]->file;
        for (size_t k = 0; k < file->replace_count; k++) {
            struct tk_segment_member *member = find_member(set, file->replaces[k], TK_SEGMENT_PART);
            if (member)
                member->is_replaced = true;
        }
    }
}

int tk_segment_set_refresh(struct tk_segment_set *set, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf entries;
    tk_buf_init(&entries, INT32_MAX);
    int rc = -ENOENT;
    for (int look = 0; rc == -ENOENT && look < LOOKS_MAX; look++) {
        rc = tk_segment_list(set->dirfd, &entries, err);
        for (size_t i = 0; i < set->count; i++)
            set->members[i]->is_seen = false;
        const struct tk_segment_entry *items = (const struct tk_segment_entry *)(void *)entries.p;
        for (size_t i = 0; rc == 0 && i < entries.n / sizeof(*items); i++)
            rc = refresh_entry(set, &items[i], err);
    }
    if (rc < 0) {
        for (size_t i = 0; i < set->count; i++)
            set->members[i]->is_seen = true;
    }
    settle(set);
    return rc;
}

/* Totals --------------------------------------------------------------------------------------- */

static void count_times(struct tk_segment_totals *totals, int64_t first_ns, int64_t last_ns)
{
    bool is_first = totals->spans == 0;
    totals->first_ns = is_first || first_ns < totals->first_ns ? first_ns : totals->first_ns;
    totals->last_ns = is_first || last_ns > totals->last_ns ? last_ns : totals->last_ns;
}

uint64_t tk_segment_member_spans(const struct tk_segment_member *member)
{
    if (member->kind == TK_SEGMENT_PART)
        return member->file.rows;
    return member->kind == TK_SEGMENT_BLOCK ? member->block.info.spans : member->batch->rows;
}

void tk_segment_set_count(const struct tk_segment_set *set, struct tk_segment_totals *ret_totals)
{
    struct tk_segment_totals totals = {.bad_files = set->bad_count};
    for (size_t i = 0; i < set->count; i++) {
        const struct tk_segment_member *member = set->members[i];
        if (member->is_replaced)
            continue;
        if (member->kind == TK_SEGMENT_PART) {
            count_times(&totals, member->file.first_ns, member->file.last_ns);
            totals.spans += member->file.rows;
            totals.segments++;
            continue;
        }
        if (member->kind == TK_SEGMENT_BLOCK) {
            count_times(&totals, member->block.info.first_ns, member->block.info.last_ns);
            totals.spans += member->block.info.spans;
            totals.segments++;
            continue;
        }
        totals.logs++;
        for (size_t row = 0; row < member->batch->rows; row++, totals.spans++) {
            int64_t start = member->batch->start_ns[row];
            count_times(&totals, start, start + member->batch->duration_ns[row]);
        }
    }
    *ret_totals = totals;
}

/* Compressed segments -------------------------------------------------------------------------- */

/* Rows that are decoded take so much memory at most, but for those of one segment. */
static void make_room(struct tk_segment_set *set)
{
    for (;;) {
        struct tk_block_file *oldest = NULL;
        size_t bytes = 0;
        for (size_t i = 0; i < set->count; i++) {
            struct tk_block_file *block = &set->members[i]->block;
            bytes += block->batch ? tk_span_batch_bytes(block->batch) : 0;
            if (block->batch && (!oldest || block->used < oldest->used))
                oldest = block;
        }
        if (!oldest || bytes <= DECODED_BYTES)
            return;
        tk_block_file_unload(oldest);
    }
}

const struct tk_span_batch *tk_segment_set_rows(struct tk_segment_set *set,
                                                struct tk_segment_member *member,
                                                struct tk_err *err)
{
    struct tk_block_file *block = &member->block;
    if (member->kind == TK_SEGMENT_LOG)
        return member->batch;
    block->used = ++set->clock;
    if (!block->batch) {
        make_room(set);
        if (tk_block_file_load(block, err) < 0)
            (void)tk_err_prefix(err, "segment %u", member->number);
    }
    return block->batch;
}
