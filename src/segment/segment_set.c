/* SPDX-License-Identifier: Apache-2.0 */
/* Segments and logs of a folder, as one. A file that is known stays open: segments never change,
 * and of a log only what came since is read. */
#include "segment/segment_set.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/map.h"
#include "segment/block_file.h"
#include "segment/filter.h"
#include "segment/folder.h"
#include "segment/operations.h"
#include "segment/pick.h"
#include "segment/segment_log.h"
#include "span/trace_id.h"

#define ARENA_BYTES   ((size_t)4 << 30) /* of address space */
#define SCAN_ROWS     16384             /* handed to a visitor at once */
#define LOG_ROWS      ((size_t)1 << 18) /* of a log; larger ones as many as a batch may have */
#define LOG_ROWS_MAX  ((size_t)1 << 20)
#define VERIFY_ROWS   256 /* candidates that are read whole at once */
#define DECODED_BYTES ((size_t)128 << 20)
#define LOOKS_MAX     100 /* at a folder whose files go while they are opened */

/* A segment, compressed or not, or a log. */
struct member {
    uint32_t number;
    enum tk_segment_kind kind;
    bool is_seen;     /* by the refresh at hand */
    bool is_replaced; /* by a segment that is there */
    struct tk_segment_file file;
    struct tk_block_file block;
    int fd; /* of a log, likewise below */
    struct tk_span_batch *batch;
    struct tk_log_mark mark;
};

struct tk_segment_set {
    int dirfd; /* own */
    bool skip_bad;
    struct member **members; /* [count] by number */
    size_t count;
    uint32_t *bad; /* [bad_count] numbers of files that cannot be read */
    size_t bad_count;
    struct tk_arena arena; /* of the call at hand */
    struct tk_arena names; /* of the operations that were listed last */
    struct tk_operations operations;
    struct tk_segment_reader *reader;
    struct tk_span_batch *batch; /* for visitors */
    struct tk_buf ids;
    uint64_t clock; /* of the uses of compressed segments */
};

static void member_free(struct member *member)
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

/* A set of nothing. */
static int set_up(struct tk_segment_set *set, int dirfd, bool skip_bad, struct tk_err *err)
{
    set->dirfd = -1;
    set->skip_bad = skip_bad;
    tk_buf_init(&set->ids, INT32_MAX);
    int rc = tk_dir_open(dirfd, ".", &set->dirfd, err);
    if (rc == 0)
        rc = tk_arena_init(&set->arena, ARENA_BYTES, err);
    if (rc == 0)
        rc = tk_arena_init(&set->names, ARENA_BYTES, err);
    if (rc == 0)
        rc = tk_segment_reader_new(&set->reader, err);
    if (rc == 0)
        rc = tk_span_batch_new(SCAN_ROWS, &set->batch, err);
    return rc;
}

int tk_segment_set_new(int dirfd, bool skip_bad, struct tk_segment_set **ret_set,
                       struct tk_err *err)
{
    struct tk_segment_set *set = calloc(1, sizeof(*set));
    if (!set)
        return tk_fail(err, -ENOMEM, "segments: out of memory");
    int rc = set_up(set, dirfd, skip_bad, err);
    rc = rc < 0 ? rc : tk_segment_set_refresh(set, err);
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
    set->members = calloc(count + 1, sizeof(struct member *));
    for (size_t i = 0; set->members && i < count; i++) {
        struct member *member = calloc(1, sizeof(*member));
        if (!member)
            break;
        *member = (struct member){.number = (uint32_t)(i + 1),
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
    struct tk_segment_set *set = calloc(1, sizeof(*set));
    struct tk_block_file *files = NULL;
    size_t count = 0;
    if (!set)
        return tk_fail(err, -ENOMEM, "segments: out of memory");
    int rc = set_up(set, dirfd, false, err);
    rc = rc < 0 ? rc : tk_block_file_open_each(dirfd, name, &files, &count, err);
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

static struct member *find_member(const struct tk_segment_set *set, uint32_t number,
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
static int read_log(struct member *member, struct tk_err *err)
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
                       struct member **ret_member, struct tk_err *err)
{
    char name[TK_SEGMENT_NAME_MAX];
    struct member *member = calloc(1, sizeof(*member));
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
    struct member *member = find_member(set, entry->number, kind);
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
    size_t bytes = (set->count + 1) * sizeof(struct member *);
    struct member **more = realloc(set->members, bytes);
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
    const struct member *first = *(struct member *const *)a;
    const struct member *second = *(struct member *const *)b;
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
        qsort(set->members, kept, sizeof(struct member *), cmp_member);
    for (size_t i = 0; i < kept; i++) {
        const struct tk_segment_file *file = &set->members[i]->file;
        for (size_t k = 0; k < file->replace_count; k++) {
            struct member *member = find_member(set, file->replaces[k], TK_SEGMENT_PART);
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

void tk_segment_set_count(const struct tk_segment_set *set, struct tk_segment_totals *ret_totals)
{
    struct tk_segment_totals totals = {.bad_files = set->bad_count};
    for (size_t i = 0; i < set->count; i++) {
        const struct member *member = set->members[i];
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

/* The rows of a log or of a compressed segment: valid until those of another one are asked for.
 * NULL, with `err`, when they cannot be decoded. */
static const struct tk_span_batch *find_rows(struct tk_segment_set *set, struct member *member,
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

/* Scanning ------------------------------------------------------------------------------------- */

/* Called with rows of a batch that match. */
struct scan {
    struct tk_segment_set *set;
    const struct tk_span_query *query;
    tk_span_visit_fn visit;
    void *user;
    uint32_t *rows; /* [most] that match */
};

static int visit_matches(struct scan *scan, const struct tk_span_batch *batch, size_t from,
                         size_t to, struct tk_err *err)
{
    size_t n = 0;
    for (size_t row = from; row < to; row++) {
        scan->rows[n] = (uint32_t)row;
        n += tk_span_query_matches(scan->query, batch, row);
    }
    return n == 0 ? 0 : scan->visit(scan->user, &(struct tk_span_rows){batch, scan->rows, n}, err);
}

static int scan_batch(struct scan *scan, struct member *member, struct tk_err *err)
{
    int rc = 0;
    if (member->kind == TK_SEGMENT_BLOCK && !tk_block_file_may_match(&member->block, scan->query))
        return 0;
    const struct tk_span_batch *batch = find_rows(scan->set, member, err);
    if (!batch)
        return err->code;
    size_t rows = batch->rows;
    for (size_t from = 0; rc == 0 && from < rows; from += SCAN_ROWS) {
        size_t to = rows - from < SCAN_ROWS ? rows : from + SCAN_ROWS;
        rc = visit_matches(scan, batch, from, to, err);
    }
    return rc;
}

/* Read and visit rows of a row group, which may match. */
static int scan_rows(struct scan *scan, struct tk_segment_rows rows, struct tk_err *err)
{
    struct tk_span_batch *batch = scan->set->batch;
    while (rows.n > 0) {
        size_t added = 0;
        tk_span_batch_reset(batch);
        int rc = tk_segment_reader_read(scan->set->reader, &rows, batch, &added, err);
        if (rc == 0)
            rc = visit_matches(scan, batch, 0, batch->rows, err);
        if (rc != 0)
            return rc;
        rows.rows += added;
        rows.n -= added;
    }
    return 0;
}

static int scan_segment(struct scan *scan, struct member *member, struct tk_err *err)
{
    int rc = 0;
    size_t groups = tk_parquet_file_meta(member->file.parquet)->row_group_count;
    if (!tk_filter_file_may_match(&member->file, scan->query))
        return 0;
    for (size_t group = 0; rc == 0 && group < groups; group++) {
        struct tk_segment_rows rows;
        tk_arena_reset(&scan->set->arena);
        rc = tk_filter_rows(&member->file, group, scan->query, &scan->set->arena, &rows, err);
        if (rc == 0)
            rc = scan_rows(scan, rows, err);
    }
    if (rc < 0 && rc != -ENOBUFS)
        return tk_err_prefix(err, "segment %u", member->number);
    return rc;
}

int tk_segment_set_scan(struct tk_segment_set *set, const struct tk_span_query *query,
                        tk_span_visit_fn visit, void *user, struct tk_err *err)
{
    struct scan scan = {set, query, visit, user, calloc(SCAN_ROWS, sizeof(*scan.rows))};
    if (!scan.rows)
        return tk_fail(err, -ENOMEM, "segments: out of memory");
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < set->count; i++) {
        struct member *member = set->members[i];
        if (!member->is_replaced) {
            rc = member->kind == TK_SEGMENT_PART ? scan_segment(&scan, member, err)
                                                 : scan_batch(&scan, member, err);
        }
    }
    free(scan.rows);
    return rc < 0 ? rc : 0;
}

/* Reading -------------------------------------------------------------------------------------- */

/* Rows of a log or a compressed segment: 1 at its end. */
static int read_batch_rows(struct tk_segment_set *set, struct member *member,
                           struct tk_segment_cursor *cursor, struct tk_span_batch *batch,
                           struct tk_err *err)
{
    const struct tk_span_batch *from = find_rows(set, member, err);
    struct tk_span_copy *copy = NULL;
    if (!from)
        return err->code;
    int rc = tk_span_copy_new(batch, from, &copy, err);
    for (; rc == 0 && cursor->row < from->rows; cursor->row += rc == 0)
        rc = tk_span_copy_row(copy, cursor->row);
    tk_span_copy_free(copy);
    if (rc == -ENOBUFS)
        return tk_fail(err, rc, "no room for rows");
    return rc < 0 ? rc : 1;
}

/* Rows of the row group at hand of a segment: 1 at the end of the segment. */
static int read_segment_rows(struct tk_segment_set *set, struct member *member,
                             struct tk_segment_cursor *cursor, struct tk_span_batch *batch,
                             struct tk_err *err)
{
    static const struct tk_span_query all = {.from_ns = INT64_MIN};
    struct tk_segment_rows rows;
    size_t added = 0;
    if (cursor->group == tk_parquet_file_meta(member->file.parquet)->row_group_count)
        return 1;
    tk_arena_reset(&set->arena);
    int rc = tk_filter_rows(&member->file, cursor->group, &all, &set->arena, &rows, err);
    if (rc == 0 && cursor->row < rows.n) {
        rows.rows += cursor->row;
        rows.n -= cursor->row;
        rc = tk_segment_reader_read(set->reader, &rows, batch, &added, err);
    } else if (rc == 0) {
        rows.n = 0;
    }
    if (rc < 0)
        return rc == -ENOBUFS ? rc : tk_err_prefix(err, "segment %u", member->number);
    cursor->row += added;
    if (added == rows.n) {
        cursor->group++;
        cursor->row = 0;
    }
    return 0;
}

int tk_segment_set_read(struct tk_segment_set *set, struct tk_segment_cursor *cursor,
                        struct tk_span_batch *batch, struct tk_err *err)
{
    size_t before = batch->rows;
    while (cursor->member < set->count) {
        struct member *member = set->members[cursor->member];
        int rc = 1;
        if (!member->is_replaced && member->kind != TK_SEGMENT_PART) {
            rc = read_batch_rows(set, member, cursor, batch, err);
        } else if (!member->is_replaced) {
            rc = read_segment_rows(set, member, cursor, batch, err);
        }
        if (rc <= 0)
            return rc == -ENOBUFS && batch->rows > before ? 0 : rc;
        *cursor = (struct tk_segment_cursor){.member = cursor->member + 1};
    }
    return 1;
}

/* Operations ----------------------------------------------------------------------------------- */

struct listing {
    struct tk_operations *operations;
    tk_str service;
};

static int list_rows(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    const struct listing *listing = user;
    return tk_operations_add_rows(listing->operations, rows, listing->service, err);
}

/* Those that are known of a compressed segment: it is decoded for them once. */
static int list_block(struct tk_segment_set *set, struct member *member, tk_str service,
                      struct tk_err *err)
{
    const struct tk_operations *known = &member->block.operations;
    int rc = member->block.is_known || find_rows(set, member, err) ? 0 : err->code;
    const struct tk_span_operation *items =
        (const struct tk_span_operation *)(const void *)known->items.p;
    for (size_t i = 0; rc == 0 && i < known->items.n / sizeof(*items); i++) {
        if (!service.p || tk_str_eq(service, items[i].service))
            rc = tk_operations_add(&set->operations, &items[i], err);
    }
    return rc;
}

/* Those of a log, and of a segment that does not list them, from its rows. */
static int list_member(struct tk_segment_set *set, struct member *member, tk_str service,
                       struct tk_err *err)
{
    static const struct tk_span_query all = {.from_ns = INT64_MIN};
    struct listing listing = {&set->operations, service};
    if (member->kind == TK_SEGMENT_BLOCK)
        return list_block(set, member, service, err);
    if (member->kind == TK_SEGMENT_LOG) {
        return tk_operations_add_rows(
            &set->operations, &(struct tk_span_rows){member->batch, NULL, member->batch->rows},
            service, err);
    }
    if (member->file.operations.p)
        return tk_operations_add_json(&set->operations, member->file.operations, service, err);
    struct scan scan = {set, &all, list_rows, &listing, calloc(SCAN_ROWS, sizeof(*scan.rows))};
    int rc = scan.rows ? scan_segment(&scan, member, err)
                       : tk_fail(err, -ENOMEM, "segments: out of memory");
    free(scan.rows);
    return rc;
}

int tk_segment_set_operations(struct tk_segment_set *set, tk_str service,
                              const struct tk_span_operation **ret_items, size_t *ret_n,
                              struct tk_err *err)
{
    int rc = 0;
    tk_operations_release(&set->operations);
    tk_arena_reset(&set->names);
    tk_operations_init(&set->operations, &set->names);
    for (size_t i = 0; rc == 0 && i < set->count; i++) {
        if (!set->members[i]->is_replaced)
            rc = list_member(set, set->members[i], service, err);
    }
    if (rc < 0)
        return rc;
    tk_operations_sort(&set->operations);
    *ret_items = (const struct tk_span_operation *)(void *)set->operations.items.p;
    *ret_n = set->operations.items.n / sizeof(struct tk_span_operation);
    return 0;
}

/* Traces --------------------------------------------------------------------------------------- */

static int copy_rows(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct tk_span_copy *copy = NULL;
    int rc = tk_span_copy_new(user, rows->batch, &copy, err);
    for (size_t i = 0; rc == 0 && i < rows->n; i++) {
        rc = tk_span_copy_row(copy, tk_span_rows_at(rows, i));
        if (rc < 0)
            rc = tk_fail(err, rc, "the traces have more spans than there is room for");
    }
    tk_span_copy_free(copy);
    return rc;
}

struct place {
    size_t trace; /* in the order that was asked for */
    int64_t start_ns;
    uint32_t row;
};

static int cmp_place(const void *a, const void *b)
{
    const struct place *first = a;
    const struct place *second = b;
    if (first->trace != second->trace)
        return first->trace < second->trace ? -1 : 1;
    if (first->start_ns != second->start_ns)
        return first->start_ns < second->start_ns ? -1 : 1;
    return (first->row > second->row) - (first->row < second->row);
}

static size_t trace_order(const uint8_t (*ids)[16], size_t count, const uint8_t *id)
{
    size_t i = 0;
    while (i < count && memcmp(ids[i], id, 16) != 0)
        i++;
    return i;
}

/* Sort rows of `from` and append them to `to`. */
static int append_sorted(const struct tk_span_batch *from, const uint8_t (*ids)[16], size_t count,
                         struct tk_arena *arena, struct tk_span_batch *to, struct tk_err *err)
{
    struct place *places = tk_arena_alloc(arena, (from->rows + 1) * sizeof(*places));
    uint32_t *order = tk_arena_alloc(arena, (from->rows + 1) * sizeof(*order));
    if (!places || !order)
        return tk_fail(err, -ENOMEM, "no memory for so many rows");
    for (size_t i = 0; i < from->rows; i++) {
        places[i] = (struct place){trace_order(ids, count, from->trace_ids[i]), from->start_ns[i],
                                   (uint32_t)i};
    }
    qsort(places, from->rows, sizeof(*places), cmp_place);
    for (size_t i = 0; i < from->rows; i++)
        order[i] = places[i].row;
    return copy_rows(to, &(struct tk_span_rows){from, order, from->rows}, err);
}

int tk_segment_set_traces(struct tk_segment_set *set, const uint8_t (*ids)[16], size_t count,
                          struct tk_span_batch *batch, struct tk_err *err)
{
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *found = NULL;
    struct tk_span_query query = {.trace_ids = ids, .trace_id_count = count, .from_ns = INT64_MIN};
    if (count == 0)
        return 0;
    int rc = tk_span_batch_new(batch->max_rows, &found, err);
    if (rc == 0)
        rc = tk_segment_set_scan(set, &query, copy_rows, found, err);
    tk_arena_reset(&set->arena);
    if (rc == 0)
        rc = append_sorted(found, ids, count, &set->arena, batch, err);
    return rc;
}

/* Finding
 * ------------------------------------------------------------------------------------------ */

/* Traces that were found, with the latest start of a span that matches. */
struct found_trace {
    uint8_t id[16];
    int64_t start_ns;
};

struct finding {
    struct tk_buf traces; /* struct found_trace[] */
    struct tk_map by_id;  /* of a hash of the id -> index */
    bool is_full;         /* no memory */
};

static void note_trace(struct finding *finding, const uint8_t id[16], int64_t start_ns)
{
    uint32_t at;
    uint64_t hash = tk_trace_id_hash(id);
    while (tk_map_find(&finding->by_id, hash, &at)) {
        struct found_trace *known = &((struct found_trace *)(void *)finding->traces.p)[at];
        if (memcmp(known->id, id, 16) == 0) {
            known->start_ns = start_ns > known->start_ns ? start_ns : known->start_ns;
            return;
        }
        hash++;
    }
    struct found_trace trace = {.start_ns = start_ns};
    memcpy(trace.id, id, 16);
    size_t index = finding->traces.n / sizeof(trace);
    tk_buf_put(&finding->traces, (tk_str){(const char *)&trace, sizeof(trace)});
    if (!tk_buf_ok(&finding->traces) || tk_map_add(&finding->by_id, hash, (uint32_t)index) < 0)
        finding->is_full = true;
}

static size_t finding_count(const struct finding *finding)
{
    return finding->traces.n / sizeof(struct found_trace);
}

/* The traces were sorted: they have other numbers. */
static void renumber(struct finding *finding)
{
    tk_map_reset(&finding->by_id);
    for (size_t i = 0; i < finding_count(finding); i++) {
        uint64_t hash =
            tk_trace_id_hash(((const struct found_trace *)(const void *)finding->traces.p)[i].id);
        uint32_t at;
        while (tk_map_find(&finding->by_id, hash, &at))
            hash++;
        finding->is_full = finding->is_full || tk_map_add(&finding->by_id, hash, (uint32_t)i) < 0;
    }
}

/* A row that may match. */
struct candidate {
    int64_t start_ns;
    uint32_t row;  /* of the group */
    uint32_t pick; /* among the picked */
};

static int cmp_candidate(const void *a, const void *b)
{
    const struct candidate *first = a;
    const struct candidate *second = b;
    if (first->start_ns != second->start_ns)
        return first->start_ns > second->start_ns ? -1 : 1;
    return (first->row > second->row) - (first->row < second->row);
}

static int cmp_row(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a;
    uint32_t second = *(const uint32_t *)b;
    return (first > second) - (first < second);
}

/* Where traces are looked for. */
struct search {
    struct tk_segment_set *set;
    struct tk_segment_file *file;
    size_t group;
    const struct tk_span_query *query;
    size_t limit;
    struct finding *finding;
};

/* Read some candidates whole and note those that match. */
static int verify(const struct search *search, const struct candidate *candidates, size_t n,
                  struct tk_err *err)
{
    struct tk_span_batch *batch = search->set->batch;
    uint32_t list[VERIFY_ROWS];
    struct tk_segment_rows rows = {search->file, search->group, list, n,
                                   TK_WITHOUT_EVENTS | TK_WITHOUT_LINKS};
    for (size_t i = 0; i < n; i++)
        list[i] = candidates[i].row;
    qsort(list, n, sizeof(*list), cmp_row);
    while (rows.n > 0) {
        size_t added = 0;
        tk_span_batch_reset(batch);
        int rc = tk_segment_reader_read(search->set->reader, &rows, batch, &added, err);
        if (rc < 0)
            return rc;
        for (size_t row = 0; row < added; row++) {
            if (tk_span_query_matches(search->query, batch, row))
                note_trace(search->finding, batch->trace_ids[row], batch->start_ns[row]);
        }
        rows.rows += added;
        rows.n -= added;
    }
    return 0;
}

/* Note the traces of candidates, the latest first, until there are `limit` more. `ids` are those of
 * the picked rows. */
static int note_candidates(const struct search *search, const struct candidate *candidates,
                           size_t n, uint8_t (*ids)[16], struct tk_err *err)
{
    int rc = 0;
    size_t known = finding_count(search->finding);
    for (size_t i = 0;
         rc == 0 && i < n && finding_count(search->finding) - known < search->limit;) {
        size_t step = n - i < VERIFY_ROWS ? n - i : VERIFY_ROWS;
        if (search->query->condition_count > 0) {
            rc = verify(search, candidates + i, step, err);
        } else {
            for (size_t k = i; k < i + step; k++)
                note_trace(search->finding, ids[candidates[k].pick], candidates[k].start_ns);
        }
        i += step;
    }
    return rc;
}

/* Note the latest traces of a row group, until there are `limit` of it. */
static int find_in_group(const struct search *search, struct tk_err *err)
{
    struct tk_arena *arena = &search->set->arena;
    struct tk_segment_file *file = search->file;
    size_t group = search->group;
    struct tk_segment_rows found;
    struct tk_picked starts = {0};
    struct tk_picked traces = {0};
    tk_arena_reset(arena);
    int rc = tk_filter_rows(file, group, search->query, arena, &found, err);
    if (rc < 0 || found.n == 0)
        return rc;
    const uint32_t *rows = found.rows;
    size_t n = found.n;
    TK_CLEANUP(tk_parquet_cursor_freep) struct tk_parquet_cursor *cursor = NULL;
    struct tk_pick pick = {file->parquet, group, rows, n, arena, &cursor};
    struct candidate *candidates = tk_arena_alloc(arena, n * sizeof(*candidates));
    if (!candidates)
        return tk_fail(err, -ENOMEM, "no memory for so many rows");
    rc = tk_pick_flat(&pick, TK_COLUMN_START_NS, TK_PICK_TEXT, NULL, &starts, err);
    if (rc == 0)
        rc = tk_pick_flat(&pick, TK_COLUMN_TRACE_ID, TK_PICK_TRACE_ID, NULL, &traces, err);
    if (rc == 0 && (!starts.there || !traces.there))
        rc = tk_fail(err, -EBADMSG, "rows without a start or an id");
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++)
        candidates[i] = (struct candidate){starts.i64[i], rows[i], (uint32_t)i};
    qsort(candidates, n, sizeof(*candidates), cmp_candidate);
    return note_candidates(search, candidates, n, traces.traces, err);
}

static int cmp_latest(const void *a, const void *b)
{
    const struct found_trace *first = a;
    const struct found_trace *second = b;
    if (first->start_ns != second->start_ns)
        return first->start_ns > second->start_ns ? -1 : 1;
    return memcmp(first->id, second->id, 16);
}

static int find_in_segment(struct search *search, struct member *member, struct tk_err *err)
{
    int rc = 0;
    search->file = &member->file;
    size_t groups = tk_parquet_file_meta(member->file.parquet)->row_group_count;
    if (!tk_filter_file_may_match(&member->file, search->query))
        return 0;
    for (search->group = 0; rc == 0 && search->group < groups; search->group++)
        rc = find_in_group(search, err);
    return rc < 0 ? tk_err_prefix(err, "segment %u", member->number) : 0;
}

static int find_in_batch(const struct search *search, struct member *member, struct tk_err *err)
{
    const struct tk_span_query *query = search->query;
    struct finding *finding = search->finding;
    if (member->kind == TK_SEGMENT_BLOCK && !tk_block_file_may_match(&member->block, query))
        return 0;
    const struct tk_span_batch *batch = find_rows(search->set, member, err);
    if (!batch)
        return err->code;
    for (size_t row = 0; row < batch->rows; row++) {
        if (tk_span_query_matches(query, batch, row))
            note_trace(finding, batch->trace_ids[row], batch->start_ns[row]);
    }
    return 0;
}

/* The latest end of a span of a segment. */
static int64_t last_of(const struct member *member)
{
    return member->kind == TK_SEGMENT_BLOCK ? member->block.info.last_ns : member->file.last_ns;
}

/* Logs come first, then the segments whose last span is the latest. */
static int cmp_member_latest(const void *a, const void *b)
{
    const struct member *first = *(struct member *const *)a;
    const struct member *second = *(struct member *const *)b;
    bool is_log = first->kind == TK_SEGMENT_LOG;
    if (is_log != (second->kind == TK_SEGMENT_LOG))
        return is_log ? -1 : 1;
    return (last_of(first) < last_of(second)) - (last_of(first) > last_of(second));
}

/* No span of a segment is later than the traces that are asked for. */
static bool is_enough(struct finding *finding, const struct member *next, size_t limit)
{
    size_t n = finding_count(finding);
    if (next->kind == TK_SEGMENT_LOG || n < limit || limit == 0)
        return false;
    qsort(finding->traces.p, n, sizeof(struct found_trace), cmp_latest);
    renumber(finding);
    return ((const struct found_trace *)(const void *)finding->traces.p)[limit - 1].start_ns >
           last_of(next);
}

static int find_in_members(struct tk_segment_set *set, const struct tk_span_query *query,
                           size_t limit, struct finding *finding, struct tk_err *err)
{
    int rc = 0;
    struct search search = {.set = set, .query = query, .limit = limit, .finding = finding};
    struct member **members = calloc(set->count + 1, sizeof(struct member *));
    if (!members)
        return tk_fail(err, -ENOMEM, "segments: out of memory");
    size_t n = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (!set->members[i]->is_replaced)
            members[n++] = set->members[i];
    }
    qsort(members, n, sizeof(struct member *), cmp_member_latest);
    for (size_t i = 0; rc == 0 && i < n && !is_enough(finding, members[i], limit); i++) {
        rc = members[i]->kind == TK_SEGMENT_PART ? find_in_segment(&search, members[i], err)
                                                 : find_in_batch(&search, members[i], err);
        if (rc == 0 && finding->is_full)
            rc = tk_fail(err, -ENOMEM, "no memory for so many traces");
    }
    free(members);
    return rc;
}

int tk_segment_set_find(struct tk_segment_set *set, const struct tk_span_query *query, size_t limit,
                        const uint8_t (**ret_ids)[16], size_t *ret_count, struct tk_err *err)
{
    struct finding finding = {0};
    tk_buf_init(&finding.traces, INT32_MAX);
    int rc = 0;
    for (const struct tk_span_query *one = query; rc == 0 && one; one = one->otherwise)
        rc = find_in_members(set, one, limit, &finding, err);
    size_t n = finding_count(&finding);
    struct found_trace *traces = (struct found_trace *)(void *)finding.traces.p;
    tk_buf_reset(&set->ids);
    if (rc == 0 && n > 0)
        qsort(traces, n, sizeof(*traces), cmp_latest);
    for (size_t i = 0; rc == 0 && i < n && i < limit; i++)
        tk_buf_put(&set->ids, (tk_str){(const char *)traces[i].id, 16});
    tk_buf_release(&finding.traces);
    tk_map_release(&finding.by_id);
    if (rc == 0)
        rc = tk_buf_check(&set->ids, "ids of traces", err);
    if (rc < 0)
        return rc;
    *ret_ids = (const uint8_t(*)[16])(void *)set->ids.p;
    *ret_count = set->ids.n / 16;
    return 0;
}
