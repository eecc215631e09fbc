/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of one table of all inputs, in the order of time. The tables of each input ascend, as
 * parse leaves them, so that one row of each is held: the earliest goes out and its successor is
 * read. Rows without a time follow their neighbour. Where the wall clock of a node was set back
 * between two recordings, its rows keep their order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/merge_internal.h"

#define ROW_MAX  (2 * TK_LINE_MAX)
#define SAME_MAX ((size_t)16 << 20) /* bytes of rows with one time, to be compared */

/* An input of the table on its way. */
struct stream {
    const struct tk_merge_input *input;
    struct tk_lines lines;
    struct tk_merge_row row; /* the next one */
    int64_t time_us;         /* shifted; that of the row before where it has none */
    int64_t shift_us;
    size_t node;
    uint32_t rank; /* among rows of one time: by host, then as given */
};

struct merging {
    struct tk_merge *merge;
    enum tk_table table;
    struct tk_out out;
    struct stream *streams; /* [input_count] */
    struct stream **heap;   /* the earliest is the first */
    size_t count;
    struct tk_buf text; /* of one row */

    /* rows of inputs that share a node, of the present time */
    struct tk_buf same;
    int64_t same_us;
    uint64_t bad;
    char first_bad[200];
};

/* Duplicates ----------------------------------------------------------------------------------- */

/* Whether a line is among those of this time that another input brought. Lines are kept as
 * "INPUT LINE\n". */
static bool is_duplicate(struct merging *merging, const struct stream *stream, tk_str line)
{
    if (!stream->input->shares_node)
        return false;
    if (merging->same_us != stream->time_us)
        tk_buf_reset(&merging->same);
    merging->same_us = stream->time_us;
    tk_str rest = tk_buf_str(&merging->same);
    tk_str one;
    char mark[32];
    int n = snprintf(mark, sizeof(mark), "%u ", (unsigned)stream->rank);
    while (tk_str_take_line(&rest, &one)) {
        tk_str whose;
        tk_str whole = one;
        if (tk_str_take_until(&one, ' ', &whose) && tk_str_eq(one, line) &&
            !tk_str_starts_with(whole, (tk_str){mark, (size_t)n}))
            return true;
    }
    tk_buf_put(&merging->same, (tk_str){mark, (size_t)n});
    tk_buf_put(&merging->same, line);
    tk_buf_putc(&merging->same, '\n');
    return false;
}

/* Reading -------------------------------------------------------------------------------------- */

static void note_bad(struct merging *merging, const struct stream *stream,
                     const struct tk_line *line, const char *why)
{
    if (merging->bad++ > 0)
        return;
    (void)snprintf(merging->first_bad, sizeof(merging->first_bad), "%.80s line %llu: %.80s",
                   stream->input->name, (unsigned long long)line->number, why);
}

static void place_row(const struct merging *merging, struct stream *stream)
{
    const struct tk_merge *merge = merging->merge;
    const struct tk_merge_row *row = &stream->row;
    stream->node = tk_merge_node_of(merge, stream->input, row->node, row->host);
    stream->shift_us = 0;
    if (stream->node < TK_MERGE_NODES_MAX && merging->table != TK_TABLE_CLOCK)
        stream->shift_us = tk_merge_shift_us(merge, stream->node, row->time_us);
    if (row->time_us != INT64_MIN)
        stream->time_us = row->time_us + stream->shift_us;
}

/* The next row of an input: 0, or 1 at its end. */
static int read_row(struct merging *merging, struct stream *stream, struct tk_err *err)
{
    struct tk_line line;
    struct tk_err why;
    int rc;
    while ((rc = tk_lines_next(&stream->lines, &line, err)) == 0) {
        tk_str text = tk_str_trim(line.text);
        if (line.too_long) {
            note_bad(merging, stream, &line, "too long");
        } else if (text.n == 0) {
            continue;
        } else if (tk_merge_row_read(merging->table, text, &stream->row, &why) < 0) {
            note_bad(merging, stream, &line, why.msg);
        } else {
            place_row(merging, stream);
            return 0;
        }
    }
    return rc;
}

/* The heap ------------------------------------------------------------------------------------- */

static bool is_before(const struct stream *a, const struct stream *b)
{
    return a->time_us != b->time_us ? a->time_us < b->time_us : a->rank < b->rank;
}

static void sink(struct merging *merging, size_t at)
{
    struct stream **heap = merging->heap;
    for (;;) {
        size_t first = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < merging->count; child++) {
            if (is_before(heap[child], heap[first]))
                first = child;
        }
        if (first == at)
            return;
        struct stream *swap = heap[at];
        heap[at] = heap[first];
        heap[first] = swap;
        at = first;
    }
}

/* Writing -------------------------------------------------------------------------------------- */

/* The run lasts as long as its rows. */
static void note_time(struct tk_merge *merge, const struct stream *stream)
{
    if (stream->row.time_us == INT64_MIN)
        return;
    if (merge->first_us == 0 || stream->time_us < merge->first_us)
        merge->first_us = stream->time_us;
    if (stream->time_us > merge->last_us)
        merge->last_us = stream->time_us;
}

static int put_row(struct merging *merging, const struct stream *stream, struct tk_err *err)
{
    struct tk_merge *merge = merging->merge;
    const struct tk_merge_row *row = &stream->row;
    tk_str line = row->text;
    if (stream->node < TK_MERGE_NODES_MAX) {
        tk_buf_reset(&merging->text);
        tk_merge_row_put(row, &merge->report->nodes[stream->node], stream->shift_us,
                         &merging->text);
        line = tk_buf_str(&merging->text);
    }
    int rc = tk_buf_check(&merging->text, tk_tables[merging->table].cctf, err);
    if (rc < 0)
        return rc;
    if (is_duplicate(merging, stream, line)) {
        merge->report->duplicates++;
        return tk_buf_check(&merging->same, tk_tables[merging->table].cctf, err);
    }
    tk_out_put_line(&merging->out, line);
    note_time(merge, stream);
    if (merging->table == TK_TABLE_INVOCATIONS && stream->node < TK_MERGE_NODES_MAX &&
        row->start_us != INT64_MIN)
        tk_merge_calls_add(merge, row, stream->node, row->start_us + stream->shift_us);
    return 0;
}

static int merge_rows(struct merging *merging, struct tk_err *err)
{
    while (merging->count > 0) {
        struct stream *stream = merging->heap[0];
        int rc = put_row(merging, stream, err);
        if (rc == 0)
            rc = read_row(merging, stream, err);
        if (rc < 0)
            return rc;
        if (rc == 1)
            merging->heap[0] = merging->heap[--merging->count];
        sink(merging, 0);
    }
    return 0;
}

/* One table ------------------------------------------------------------------------------------ */

static const char *host_of(const struct tk_merge *merge, size_t input)
{
    return merge->report->nodes[merge->inputs[input].nodes[0]].host;
}

/* The place of an input among all, by host and then as given. */
static uint32_t rank_of(const struct tk_merge *merge, size_t input)
{
    uint32_t rank = 0;
    for (size_t i = 0; i < merge->input_count; i++) {
        int order = strcmp(host_of(merge, i), host_of(merge, input));
        rank += order < 0 || (order == 0 && i < input);
    }
    return rank;
}

static int open_streams(struct merging *merging, struct tk_err *err)
{
    const struct tk_merge *merge = merging->merge;
    const char *name = tk_tables[merging->table].cctf;
    for (size_t i = 0; i < merge->input_count; i++) {
        struct stream *stream = &merging->streams[i];
        stream->input = &merge->inputs[i];
        stream->rank = rank_of(merge, i);
        stream->time_us = INT64_MIN;
        int rc = tk_lines_open(&stream->lines, stream->input->cctf, name, err);
        if (rc == -ENOENT)
            continue;
        if (rc == 0)
            rc = read_row(merging, stream, err);
        if (rc < 0)
            return tk_err_prefix(err, "%s", stream->input->path);
        if (rc == 0)
            merging->heap[merging->count++] = stream;
    }
    for (size_t i = merging->count / 2 + 1; i-- > 0;)
        sink(merging, i);
    return 0;
}

/* Some input has the table, if only as an empty file. */
static bool is_there(const struct tk_merge *merge, enum tk_table table)
{
    for (size_t i = 0; i < merge->input_count; i++) {
        if (faccessat(merge->inputs[i].cctf, tk_tables[table].cctf, F_OK, 0) == 0)
            return true;
    }
    return false;
}

static void close_streams(struct merging *merging)
{
    for (size_t i = 0; merging->streams && i < merging->merge->input_count; i++)
        tk_lines_close(&merging->streams[i].lines);
    free(merging->streams);
    free(merging->heap);
    tk_buf_release(&merging->text);
    tk_buf_release(&merging->same);
    tk_out_release(&merging->out);
}

static int write_table(struct merging *merging, struct tk_err *err)
{
    struct tk_merge *merge = merging->merge;
    const char *name = tk_tables[merging->table].cctf;
    int rc = tk_out_open(&merging->out, merge->out, name, NULL, err);
    if (rc == 0)
        rc = open_streams(merging, err);
    if (rc == 0)
        rc = merge_rows(merging, err);
    if (rc == 0)
        rc = tk_out_close(&merging->out, err);
    merge->report->rows[merging->table] = merging->out.row_count;
    merge->report->bad_rows += merging->bad;
    if (merging->bad > 0) {
        tk_merge_say(merge, "%s: skipped %llu bad rows, the first in %s", name,
                     (unsigned long long)merging->bad, merging->first_bad);
    }
    return rc;
}

int tk_merge_write_tables(struct tk_merge *merge, struct tk_err *err)
{
    int rc = tk_merge_calls_new(&merge->calls, err);
    for (size_t i = 0; i < TK_TABLE_COUNT && rc == 0; i++) {
        enum tk_table table = (enum tk_table)i;
        if (tk_tables[i].layout != TK_LAYOUT_LINES || !tk_tables[i].cctf || !is_there(merge, table))
            continue;
        struct merging merging = {
            .merge = merge,
            .table = table,
            .out = TK_OUT_NONE,
            .streams = calloc(merge->input_count, sizeof(struct stream)),
            .heap = calloc(merge->input_count, sizeof(struct stream *)),
            .same_us = INT64_MIN,
        };
        tk_buf_init(&merging.text, ROW_MAX);
        tk_buf_init(&merging.same, SAME_MAX);
        rc = merging.streams && merging.heap ? write_table(&merging, err)
                                             : tk_fail(err, -ENOMEM, "out of memory");
        close_streams(&merging);
    }
    return rc;
}
