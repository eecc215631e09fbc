/* SPDX-License-Identifier: Apache-2.0 */
#include "run/ordered.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "run/lines.h"

#define BLOCK_BYTES ((size_t)4 << 20)  /* collected before anything is written */
#define WAIT_BYTES  ((size_t)64 << 20) /* at most held back for the window */

struct row {
    int64_t us;
    uint32_t at; /* in `text`: arrival order */
    uint32_t n;
};

struct ordering {
    struct tk_out *out;
    struct tk_copy_stats *stats;
    int64_t window_us;
    const struct tk_range *range; /* NULL = all times */
    int64_t newest_us;            /* of all rows so far */
    int64_t written_us;           /* of the last row written */
    struct tk_buf text;           /* lines that wait */
    struct tk_buf kept;           /* those of them that wait on, while a block is written */
    size_t write_at;              /* bytes of text at which the next block is written */
    struct row *rows;
    size_t count;
    size_t cap;
    bool ascending;
};

static void release(struct ordering *order)
{
    tk_buf_release(&order->text);
    tk_buf_release(&order->kept);
    free(order->rows);
}

static int compare_rows(const void *a, const void *b)
{
    const struct row *left = a;
    const struct row *right = b;
    if (left->us != right->us)
        return left->us < right->us ? -1 : 1;
    return (left->at > right->at) - (left->at < right->at);
}

/* Write the rows up to `until_us` in order and keep the others. */
static void write_until(struct ordering *order, int64_t until_us)
{
    if (!order->ascending)
        qsort(order->rows, order->count, sizeof(order->rows[0]), compare_rows);
    size_t i = 0;
    for (; i < order->count && order->rows[i].us <= until_us; i++) {
        const struct row *row = &order->rows[i];
        order->stats->late += row->us < order->written_us;
        order->written_us = row->us > order->written_us ? row->us : order->written_us;
        tk_out_put_line(order->out, (tk_str){order->text.p + row->at, row->n});
    }
    size_t kept = 0;
    tk_buf_reset(&order->kept);
    for (; i < order->count; i++) {
        struct row row = order->rows[i];
        tk_str line = {order->text.p + row.at, row.n};
        row.at = (uint32_t)order->kept.n;
        tk_buf_put(&order->kept, line);
        order->rows[kept++] = row;
    }
    struct tk_buf swap = order->text;
    order->text = order->kept;
    order->kept = swap;
    order->count = kept;
    order->ascending = true;
    order->write_at = order->text.n * 2 > BLOCK_BYTES ? order->text.n * 2 : BLOCK_BYTES;
}

static int add_row(struct ordering *order, int64_t us, tk_str line, struct tk_err *err)
{
    if (order->count == order->cap) {
        size_t cap = order->cap ? order->cap * 2 : 4096;
        struct row *rows = realloc(order->rows, cap * sizeof(*rows));
        if (!rows)
            return tk_fail(err, -ENOMEM, "out of memory");
        order->rows = rows;
        order->cap = cap;
    }
    if (order->count > 0 && us < order->rows[order->count - 1].us)
        order->ascending = false;
    order->rows[order->count++] = (struct row){us, (uint32_t)order->text.n, (uint32_t)line.n};
    tk_buf_put(&order->text, line);
    if (us > order->newest_us)
        order->newest_us = us;

    if (order->text.n >= WAIT_BYTES) {
        write_until(order, INT64_MAX);
    } else if (order->text.n >= order->write_at &&
               order->newest_us > INT64_MIN + order->window_us) {
        write_until(order, order->newest_us - order->window_us);
    }
    return tk_buf_check(&order->text, "rows", err);
}

/* The time of a row in us; INT64_MIN when it has none. Fails when the line is no object. */
static int read_time(tk_str line, int64_t *ret_us, struct tk_err *err)
{
    struct tk_json json;
    int64_t us = INT64_MIN;
    int64_t ms = INT64_MIN;
    tk_str key;
    tk_json_init(&json, line);
    int rc = tk_json_enter_object(&json, err);
    while (rc == 0 && (rc = tk_json_next_key(&json, NULL, &key, err)) == 0) {
        struct tk_err no_time;
        if (tk_str_eq(key, TK_STR("ts_us")) && tk_json_read_i64(&json, &us, &no_time) == 0)
            continue;
        if ((tk_str_eq(key, TK_STR("ts_ms")) || tk_str_eq(key, TK_STR("ts"))) &&
            tk_json_read_i64(&json, &ms, &no_time) == 0)
            continue;
        rc = tk_json_skip(&json, NULL, err);
    }
    if (rc < 0 || (rc = tk_json_expect_end(&json, err)) < 0)
        return rc;
    if (us == INT64_MIN && ms > INT64_MIN / 1000 && ms < INT64_MAX / 1000)
        us = ms * 1000;
    *ret_us = us;
    return 0;
}

static void count_bad(struct tk_copy_stats *stats, const struct tk_line *line, const char *why)
{
    if (line->torn) {
        stats->torn++;
        return;
    }
    stats->bad++;
    if (!stats->first_bad[0]) {
        (void)snprintf(stats->first_bad, sizeof(stats->first_bad), "line %llu: %.150s",
                       (unsigned long long)line->number, why);
    }
}

static int add_line(struct ordering *order, const struct tk_line *line, struct tk_err *err)
{
    struct tk_err why;
    tk_str text = tk_str_trim(line->text);
    int64_t us;
    if (line->too_long) {
        count_bad(order->stats, line, "too long");
        return 0;
    }
    if (text.n == 0)
        return 0;
    if (read_time(text, &us, &why) < 0) {
        count_bad(order->stats, line, why.msg);
        return 0;
    }
    if (order->range && (us == INT64_MIN || !tk_range_has(order->range, us))) {
        order->stats->outside++;
        return 0;
    }
    order->stats->rows++;
    return add_row(order, us == INT64_MIN ? order->newest_us : us, text, err);
}

static int copy(struct tk_lines *lines, struct ordering *order, struct tk_err *err)
{
    struct tk_line line;
    int rc;
    while ((rc = tk_lines_next(lines, &line, err)) == 0 &&
           (rc = add_line(order, &line, err)) == 0) {
    }
    if (rc < 0)
        return rc;
    write_until(order, INT64_MAX);
    return 0;
}

int tk_copy_ordered(int dirfd, const char *name, const struct tk_copy_options *options,
                    struct tk_out *out, struct tk_copy_stats *ret_stats, struct tk_err *err)
{
    struct tk_lines lines = {0};
    struct tk_copy_stats stats = {0};
    struct ordering order = {.out = out,
                             .stats = &stats,
                             .window_us = options->window_us,
                             .range = options->range,
                             .newest_us = INT64_MIN,
                             .written_us = INT64_MIN,
                             .write_at = BLOCK_BYTES,
                             .ascending = true};
    int rc = tk_lines_open(&lines, dirfd, name, err);
    if (rc < 0)
        return rc;
    tk_buf_init(&order.text, WAIT_BYTES + TK_LINE_MAX);
    tk_buf_init(&order.kept, WAIT_BYTES + TK_LINE_MAX);
    rc = options->range ? tk_lines_set_range(&lines, options->range, err) : 0;
    if (rc == 0)
        rc = copy(&lines, &order, err);
    release(&order);
    tk_lines_close(&lines);
    if (rc == 0)
        *ret_stats = stats;
    return rc;
}
