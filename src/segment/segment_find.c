/* SPDX-License-Identifier: Apache-2.0 */
/* The latest traces of a set of which a span matches: logs first, then segment by segment from the
 * one that ends last, until no other can have a later one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "segment/filter.h"
#include "segment/pick.h"
#include "segment/segment_set_internal.h"
#include "span/trace_id.h"

#define VERIFY_ROWS 256 /* candidates that are read whole at once */

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

static int find_in_segment(struct search *search, struct tk_segment_member *member,
                           struct tk_err *err)
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

static int find_in_batch(const struct search *search, struct tk_segment_member *member,
                         struct tk_err *err)
{
    const struct tk_span_query *query = search->query;
    struct finding *finding = search->finding;
    if (member->kind == TK_SEGMENT_BLOCK && !tk_block_file_may_match(&member->block, query))
        return 0;
    const struct tk_span_batch *batch = tk_segment_set_rows(search->set, member, err);
    if (!batch)
        return err->code;
    for (size_t row = 0; row < batch->rows; row++) {
        if (tk_span_query_matches(query, batch, row))
            note_trace(finding, batch->trace_ids[row], batch->start_ns[row]);
    }
    return 0;
}

/* The latest end of a span of a segment. */
static int64_t last_of(const struct tk_segment_member *member)
{
    return member->kind == TK_SEGMENT_BLOCK ? member->block.info.last_ns : member->file.last_ns;
}

/* Logs come first, then the segments whose last span is the latest. */
static int cmp_member_latest(const void *a, const void *b)
{
    const struct tk_segment_member *first = *(struct tk_segment_member *const *)a;
    const struct tk_segment_member *second = *(struct tk_segment_member *const *)b;
    bool is_log = first->kind == TK_SEGMENT_LOG;
    if (is_log != (second->kind == TK_SEGMENT_LOG))
        return is_log ? -1 : 1;
    return (last_of(first) < last_of(second)) - (last_of(first) > last_of(second));
}

/* No span of a segment is later than the traces that are asked for. */
static bool is_enough(struct finding *finding, const struct tk_segment_member *next, size_t limit)
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
    struct tk_segment_member **members = calloc(set->count + 1, sizeof(struct tk_segment_member *));
    if (!members)
        return tk_fail(err, -ENOMEM, "segments: out of memory");
    size_t n = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (!set->members[i]->is_replaced)
            members[n++] = set->members[i];
    }
    qsort(members, n, sizeof(struct tk_segment_member *), cmp_member_latest);
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
