/* SPDX-License-Identifier: Apache-2.0 */
#include "run/recording.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "run/recording_internal.h"

/* Reading a table ---------------------------------------------------------------- */

struct tk_recording_reader {
    struct tk_frames frames;
    struct tk_recording_decoder *decoder;
    uint32_t table;
    int64_t from; /* stamps that are wanted */
    int64_t to;
    bool in_block;
};

void tk_recording_reader_free(struct tk_recording_reader *reader)
{
    if (!reader)
        return;
    tk_frames_close(&reader->frames);
    tk_recording_decoder_free(reader->decoder);
    free(reader);
}

/* Go on to the next block of the table: 0, or 1 at the end. */
static int find_block(struct tk_frames *frames, uint32_t table, struct tk_err *err)
{
    int rc;
    do {
        rc = tk_frames_next(frames, err);
    } while (rc == 0 && (frames->frame.kind != TK_RECORDING_BLOCK || frames->frame.table != table));
    return rc;
}

int tk_recording_reader_new(int dirfd, const struct tk_schema *schema,
                            struct tk_recording_reader **ret_reader, struct tk_err *err)
{
    struct tk_recording_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return tk_fail(err, -ENOMEM, "%s: out of memory", TK_RECORDING_FILE);
    reader->frames.fd = -1;
    reader->table = tk_recording_table_id(schema->name);
    reader->from = INT64_MIN;
    reader->to = INT64_MAX;
    int rc = tk_frames_open(&reader->frames, dirfd, err);
    if (rc == 0)
        rc = find_block(&reader->frames, reader->table, err);
    if (rc == 1)
        rc = tk_fail(err, -ENOENT, "%s: no rows of %s", TK_RECORDING_FILE, schema->name);
    if (rc == 0)
        rc = tk_recording_decoder_new(schema, &reader->decoder, err);
    if (rc < 0) {
        tk_recording_reader_free(reader);
        return rc;
    }
    reader->frames.next = reader->frames.at; /* once more */
    *ret_reader = reader;
    return 0;
}

/* Seeking: rows are a little out of order, so reading begins one group before the last that has a
 * row of `from` or before at its front. */
#define GROUPS_BACK 2

/* By the index: true, and where to begin. */
static bool seek_by_index(struct tk_recording_reader *reader, uint64_t *ret_at)
{
    struct tk_err ignored;
    struct tk_index *index = malloc(sizeof(*index));
    uint64_t at = index ? tk_index_find(&reader->frames) : 0;
    unsigned groups = 0;
    bool found = at > 0;
    while (found && at > 0 && groups < GROUPS_BACK) {
        uint64_t here = at;
        found = tk_index_read(&reader->frames, here, index, &ignored) == 0;
        at = found && index->before < here ? index->before : 0;
        for (size_t i = index->count; found && i-- > 0 && groups < GROUPS_BACK;) {
            const struct tk_index_entry *entry = &index->entries[i];
            if (entry->table != reader->table || !entry->begins || entry->first > reader->from)
                continue;
            groups++;
            *ret_at = entry->at;
        }
    }
    free(index);
    return found && groups == GROUPS_BACK;
}

/* By the headers of all blocks. */
static int seek_by_scan(struct tk_recording_reader *reader, uint64_t *ret_at, struct tk_err *err)
{
    struct tk_frames *frames = &reader->frames;
    uint64_t groups[GROUPS_BACK] = {*ret_at, *ret_at};
    int rc;
    while ((rc = find_block(frames, reader->table, err)) == 0) {
        if (frames->frame.before != 0 || frames->frame.first > reader->from)
            continue;
        memmove(groups, groups + 1, sizeof(groups) - sizeof(groups[0]));
        groups[GROUPS_BACK - 1] = frames->at;
    }
    *ret_at = groups[0];
    return rc < 0 ? rc : 0;
}

int tk_recording_reader_set_range(struct tk_recording_reader *reader, int64_t from, int64_t to,
                                  struct tk_err *err)
{
    uint64_t start = reader->frames.next;
    uint64_t at = start;
    reader->from = from;
    reader->to = to;
    if (!seek_by_index(reader, &at)) {
        at = reader->frames.next = start;
        int rc = seek_by_scan(reader, &at, err);
        if (rc < 0)
            return rc;
    }
    reader->frames.next = at;
    reader->frames.damaged = 0;
    reader->frames.torn = false;
    return 0;
}

/* Stand in the next block that can be read: 0, or 1 at the end. */
static int begin_block(struct tk_recording_reader *reader, struct tk_err *err)
{
    for (;;) {
        int rc = find_block(&reader->frames, reader->table, err);
        if (rc != 0)
            return rc;
        rc = tk_frames_load(&reader->frames, err);
        if (rc == 0) {
            rc = tk_recording_decoder_begin(reader->decoder, &reader->frames.frame,
                                            tk_buf_str(&reader->frames.payload), err);
        }
        if (rc != -EBADMSG && rc != -ESTALE)
            return rc;
    }
}

/* Rows of the block at hand: 0, or 1 when it has no more. */
static int read_block(struct tk_recording_reader *reader, struct tk_batch *out, struct tk_err *err)
{
    const struct tk_recording_frame *frame = &reader->frames.frame;
    int rc = tk_recording_decoder_next(reader->decoder, out, err);
    bool timed = frame->first <= frame->last;
    reader->in_block = rc == 0;
    if (timed && (frame->last < reader->from || frame->first >= reader->to))
        tk_batch_reset(out); /* only what builds on it wants it */
    return rc == -EBADMSG ? 1 : rc;
}

int tk_recording_reader_next(struct tk_recording_reader *reader, struct tk_batch *out,
                             struct tk_err *err)
{
    while (out->rows == 0) {
        int rc = reader->in_block ? 0 : begin_block(reader, err);
        if (rc != 0)
            return rc;
        rc = read_block(reader, out, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

enum tk_table tk_recording_find_table(const char *name)
{
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        if (tk_tables[i].raw && tk_tables[i].layout == TK_LAYOUT_LINES &&
            strcmp(tk_tables[i].raw, name) == 0)
            return (enum tk_table)i;
    }
    return TK_TABLE_COUNT;
}

bool tk_recording_has(int dirfd, enum tk_table table)
{
    struct tk_frames frames;
    struct tk_err ignored;
    if (tk_frames_open(&frames, dirfd, &ignored) < 0)
        return false;
    int rc = find_block(&frames, tk_recording_table_id(tk_tables[table].schema->name), &ignored);
    tk_frames_close(&frames);
    return rc == 0;
}

/* Checking ------------------------------------------------------------------------- */

/* The last readable block of each table. */
struct chains {
    struct {
        uint32_t table;
        uint32_t last;
    } items[TK_TABLE_COUNT + 8];
    size_t count;
};

/* Whether a whole block can be read, as far as its place tells. */
static bool follows(struct chains *chains, const struct tk_recording_frame *frame)
{
    size_t i = 0;
    while (i < chains->count && chains->items[i].table != frame->table)
        i++;
    if (i == TK_COUNTOF(chains->items))
        return frame->before == 0; /* more tables than anybody writes */
    if (i == chains->count) {
        chains->count++;
        chains->items[i].table = frame->table;
        chains->items[i].last = 0;
    }
    bool right = frame->before == 0 || frame->before == chains->items[i].last;
    chains->items[i].last = right ? frame->id : 0;
    return right;
}

static void judge(struct tk_recording_report *report, struct chains *chains,
                  const struct tk_recording_frame *frame, bool whole)
{
    if (frame->kind != TK_RECORDING_BLOCK)
        return;
    if (!whole) {
        report->lost_rows += frame->rows;
    } else if (follows(chains, frame)) {
        report->blocks++;
        report->rows += frame->rows;
    } else {
        report->lost_blocks++;
        report->lost_rows += frame->rows;
    }
}

int tk_recording_check(int dirfd, struct tk_recording_report *ret_report, struct tk_err *err)
{
    struct tk_recording_report report = {0};
    uint64_t bad_payloads = 0;
    struct tk_frames frames;
    struct chains chains = {.count = 0};
    int rc = tk_frames_open(&frames, dirfd, err);
    if (rc < 0)
        return rc;
    report.indexed = tk_index_find(&frames) > 0;
    while ((rc = tk_frames_next(&frames, err)) == 0) {
        struct tk_recording_frame frame = frames.frame;
        rc = tk_frames_load(&frames, err);
        if (rc < 0 && rc != -EBADMSG)
            break;
        judge(&report, &chains, &frame, rc == 0);
        bad_payloads += rc < 0;
    }
    report.damaged = frames.damaged;
    report.lost_rows += frames.damaged - bad_payloads; /* a block has a row at least */
    report.torn = frames.torn;
    tk_frames_close(&frames);
    if (rc < 0)
        return rc;
    *ret_report = report;
    return 0;
}

bool tk_recording_trouble_format(const struct tk_recording_report *report,
                                 char ret_text[TK_RECORDING_TROUBLE_MAX])
{
    char rows[TK_HUMAN_MAX];
    if (report->damaged + report->lost_blocks == 0 && !report->torn)
        return false;
    (void)snprintf(ret_text, TK_RECORDING_TROUBLE_MAX,
                   "%llu damaged places, %llu blocks that build on a lost one: at least %s rows "
                   "are lost%s",
                   (unsigned long long)report->damaged, (unsigned long long)report->lost_blocks,
                   tk_count_format((int64_t)report->lost_rows, rows),
                   report->torn ? "; the last block is cut short" : "");
    return true;
}
