/* SPDX-License-Identifier: Apache-2.0 */
/* Offsets between clocks (collect-and-cctf.md section 15). A pair row of clock.jsonl tells by how
 * much the clock of a peer is ahead of ours at a moment, and how wrong that may be; or it has the
 * four stamps of an exchange, as other tools note them. From the reference on, each node whose
 * offset to a known one was measured becomes known itself. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/merge_internal.h"

#define LIMIT_US    1000000 /* a shift beyond that is not made without being forced */
#define PAIRS_MAX   65536
#define SENSIBLE_US (INT64_MAX / 16)
#define WINDOW_US   1000000 /* of the exchanges within it the best one counts */

/* At `at_us` of node `from` the clock of node `to` was `offset_us` ahead. */
struct pair {
    size_t from, to;
    int64_t at_us, offset_us, error_us;
};

struct pairs {
    struct pair *items; /* owned */
    size_t count;
    uint64_t dropped;
};

/* Reading -------------------------------------------------------------------------------------- */

/* A peer by its label and host, as it calls itself. */
static size_t find_peer(const struct tk_merge *merge, tk_str label, tk_str host)
{
    const struct tk_merge_report *report = merge->report;
    size_t found = TK_MERGE_NODES_MAX;
    for (size_t i = 0; i < report->node_count; i++) {
        const struct tk_merge_node *node = &report->nodes[i];
        bool same_label = tk_str_eq(label, tk_str_from(node->label));
        bool same_host = host.n > 0 && tk_str_eq(host, tk_str_from(node->host));
        if (!same_label || (host.n > 0 && !same_host))
            continue;
        if (found < TK_MERGE_NODES_MAX)
            return TK_MERGE_NODES_MAX; /* of several nobody knows which */
        found = i;
    }
    return found;
}

static bool is_sensible(int64_t value)
{
    return value > -SENSIBLE_US && value < SENSIBLE_US;
}

static int64_t clock_at(const struct tk_batch *batch, size_t row, size_t column)
{
    int64_t value = tk_batch_i64(batch, row, column, INT64_MIN);
    return is_sensible(value) ? value : INT64_MIN;
}

/* What the four stamps of an exchange say; false when they contradict each other. */
static bool read_stamps(const struct tk_batch *batch, size_t row, struct pair *ret)
{
    int64_t t0 = clock_at(batch, row, TK_CLOCK_T0_US);
    int64_t t1 = clock_at(batch, row, TK_CLOCK_T1_US);
    int64_t t2 = clock_at(batch, row, TK_CLOCK_T2_US);
    int64_t t3 = clock_at(batch, row, TK_CLOCK_T3_US);
    if (t0 <= 0 || t1 <= 0 || t2 < t1 || t3 < t0 || t3 - t0 < t2 - t1)
        return false;
    ret->at_us = t0 + (t3 - t0) / 2;
    ret->offset_us = ((t1 - t0) + (t2 - t3)) / 2;
    ret->error_us = ((t3 - t0) - (t2 - t1) + 1) / 2;
    return true;
}

/* The offset that the row tells, and its bound: without one, or a round trip, it may be of any
 * size, and nobody can rely on it. */
static bool read_offset(const struct tk_batch *batch, size_t row, struct pair *ret)
{
    int64_t rtt_us = clock_at(batch, row, TK_CLOCK_RTT_US);
    ret->at_us = clock_at(batch, row, TK_CLOCK_REALTIME_US);
    ret->offset_us = clock_at(batch, row, TK_CLOCK_OFFSET_US);
    ret->error_us = clock_at(batch, row, TK_CLOCK_ERROR_US);
    if (!tk_batch_has(batch, row, TK_CLOCK_ERROR_US) && rtt_us >= 0)
        ret->error_us = (rtt_us + 1) / 2;
    return ret->at_us > 0 && ret->offset_us != INT64_MIN && ret->error_us >= 0;
}

static void take_pair(const struct tk_merge *merge, size_t node, const struct tk_batch *batch,
                      size_t row, struct pairs *pairs)
{
    struct pair pair = {.from = node};
    bool usable = tk_batch_has(batch, row, TK_CLOCK_OFFSET_US) ? read_offset(batch, row, &pair)
                                                               : read_stamps(batch, row, &pair);
    pair.to = find_peer(merge, tk_batch_text(batch, row, TK_CLOCK_PEER_NODE),
                        tk_batch_text(batch, row, TK_CLOCK_PEER_HOST));
    if (!usable || pair.to == TK_MERGE_NODES_MAX || pair.to == node || pairs->count == PAIRS_MAX) {
        pairs->dropped++;
        return;
    }
    pairs->items[pairs->count++] = pair;
}

static void take_row(const struct tk_merge *merge, const struct tk_merge_input *input,
                     const struct tk_batch *batch, size_t row, struct pairs *pairs)
{
    size_t node = tk_merge_node_of(merge, input, tk_batch_text(batch, row, TK_CLOCK_NODE),
                                   tk_batch_text(batch, row, TK_CLOCK_HOST));
    if (node == TK_MERGE_NODES_MAX)
        return;
    struct tk_merge_node *about = &merge->report->nodes[node];
    int64_t error_us = tk_batch_i64(batch, row, TK_CLOCK_ADJ_MAXERROR_US, -1);
    if (error_us > about->bound_us && is_sensible(error_us))
        about->bound_us = error_us;
    if (tk_batch_has(batch, row, TK_CLOCK_OFFSET_US) || tk_batch_has(batch, row, TK_CLOCK_T0_US))
        take_pair(merge, node, batch, row, pairs);
}

static int read_clocks(const struct tk_merge *merge, const struct tk_merge_input *input,
                       struct pairs *pairs, struct tk_err *err)
{
    struct tk_run_reader *reader;
    const struct tk_batch *batch;
    int rc = tk_run_reader_new(input->cctf, tk_tables[TK_TABLE_CLOCK].cctf, &tk_schema_clock,
                               &reader, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    while ((rc = tk_run_reader_next(reader, &batch, err)) == 0) {
        for (size_t row = 0; row < batch->rows; row++)
            take_row(merge, input, batch, row, pairs);
    }
    tk_run_reader_free(reader);
    return rc < 0 ? rc : 0;
}

/* Shifts --------------------------------------------------------------------------------------- */

static int compare_points(const void *a, const void *b)
{
    const struct tk_merge_point *x = a;
    const struct tk_merge_point *y = b;
    return (x->at_us > y->at_us) - (x->at_us < y->at_us);
}

/* Keep the better one of each two neighbours. */
static void thin(struct tk_merge_shift *shift)
{
    size_t kept = 0;
    qsort(shift->points, shift->count, sizeof(shift->points[0]), compare_points);
    for (size_t i = 0; i < shift->count; i += 2) {
        size_t other = i + 1 < shift->count ? i + 1 : i;
        bool first = shift->points[i].bound_us <= shift->points[other].bound_us;
        shift->points[kept++] = shift->points[first ? i : other];
    }
    shift->count = kept;
}

/* Of the exchanges within a window keep the one with the smallest bound. */
static void keep_best(struct tk_merge_shift *shift)
{
    size_t kept = 0;
    int64_t begin_us = 0;
    qsort(shift->points, shift->count, sizeof(shift->points[0]), compare_points);
    for (size_t i = 0; i < shift->count; i++) {
        const struct tk_merge_point *point = &shift->points[i];
        if (kept == 0 || point->at_us - begin_us >= WINDOW_US) {
            begin_us = point->at_us;
            shift->points[kept++] = *point;
        } else if (point->bound_us < shift->points[kept - 1].bound_us) {
            shift->points[kept - 1] = *point;
        }
    }
    shift->count = kept;
}

/* Where `at_us` lies between two points, or beside the only one. */
static struct tk_merge_point point_at(const struct tk_merge_shift *shift, int64_t at_us)
{
    size_t right = 0;
    while (right < shift->count && shift->points[right].at_us < at_us)
        right++;
    if (right == 0)
        return shift->points[0];
    const struct tk_merge_point *a = &shift->points[right - 1];
    if (right == shift->count)
        return *a;
    const struct tk_merge_point *b = &shift->points[right];
    double part = (double)(at_us - a->at_us) / (double)(b->at_us - a->at_us);
    return (struct tk_merge_point){
        .at_us = at_us,
        .add_us = a->add_us + (int64_t)((double)(b->add_us - a->add_us) * part),
        .bound_us = a->bound_us > b->bound_us ? a->bound_us : b->bound_us,
    };
}

/* What one exchange says of `node`, whose peer is known by `peer`. */
static struct tk_merge_point point_of(const struct pair *pair, size_t node,
                                      const struct tk_merge_shift *peer)
{
    bool is_ours = pair->from == node; /* else the peer measured us */
    int64_t at_us = is_ours ? pair->at_us : pair->at_us + pair->offset_us;
    int64_t peer_us = is_ours ? pair->at_us + pair->offset_us : pair->at_us;
    struct tk_merge_point beyond = point_at(peer, peer_us);
    return (struct tk_merge_point){
        .at_us = at_us,
        .add_us = peer_us - at_us + beyond.add_us,
        .bound_us = pair->error_us + beyond.bound_us,
    };
}

/* The shift of a node by its exchanges with a known one; NULL when there were none. */
static struct tk_merge_shift *make_shift(const struct pairs *pairs, size_t node, size_t peer,
                                         const struct tk_merge_shift *known)
{
    struct tk_merge_shift *shift = NULL;
    for (size_t i = 0; i < pairs->count; i++) {
        const struct pair *pair = &pairs->items[i];
        bool is_between =
            (pair->from == node && pair->to == peer) || (pair->from == peer && pair->to == node);
        if (!is_between)
            continue;
        if (!shift)
            shift = calloc(1, sizeof(*shift));
        if (!shift)
            return NULL;
        if (shift->count == TK_MERGE_POINTS_MAX)
            keep_best(shift);
        if (shift->count == TK_MERGE_POINTS_MAX)
            thin(shift);
        shift->points[shift->count++] = point_of(pair, node, known);
    }
    if (shift)
        keep_best(shift);
    return shift;
}

/* From the reference outwards, breadth first. */
static int spread(struct tk_merge *merge, const struct pairs *pairs, size_t reference,
                  struct tk_err *err)
{
    size_t queue[TK_MERGE_NODES_MAX];
    size_t head = 0;
    size_t tail = 0;
    merge->shifts[reference] = calloc(1, sizeof(struct tk_merge_shift));
    if (!merge->shifts[reference])
        return tk_fail(err, -ENOMEM, "out of memory");
    merge->shifts[reference]->count = 1;
    for (queue[tail++] = reference; head < tail; head++) {
        for (size_t i = 0; i < merge->report->node_count; i++) {
            if (merge->shifts[i])
                continue;
            merge->shifts[i] = make_shift(pairs, i, queue[head], merge->shifts[queue[head]]);
            if (merge->shifts[i])
                queue[tail++] = i;
        }
    }
    return 0;
}

/* What is done with them ----------------------------------------------------------------------- */

static int64_t size_of(int64_t value)
{
    return value < 0 ? -value : value;
}

static void note_shift(const struct tk_merge_shift *shift, struct tk_merge_node *node)
{
    node->bound_us = 0;
    for (size_t i = 0; i < shift->count; i++) {
        if (size_of(shift->points[i].add_us) > size_of(node->shift_us))
            node->shift_us = shift->points[i].add_us;
        if (shift->points[i].bound_us > node->bound_us)
            node->bound_us = shift->points[i].bound_us;
    }
    node->shifted = true;
}

static void drop_shift(struct tk_merge *merge, size_t node)
{
    free(merge->shifts[node]);
    merge->shifts[node] = NULL;
}

/* A shift that is too large to be true: an error, or a line. */
static int refuse(const struct tk_merge *merge, const struct tk_merge_node *node,
                  const char *reference, struct tk_err *err)
{
    char text[TK_ERR_MAX];
    (void)snprintf(text, sizeof(text), "the clock of '%s' is %.3f s %s that of '%s'", node->id,
                   (double)size_of(node->shift_us) / 1e6,
                   node->shift_us < 0 ? "ahead of" : "behind", reference);
    if (merge->options->must_align)
        return tk_fail(err, -ERANGE, "%s: --force shifts its times", text);
    tk_merge_say(merge, "%s: its times stay as they are (--force shifts them)", text);
    return 0;
}

/* Decide for one node whether its times are shifted. */
static int settle(struct tk_merge *merge, size_t index, const char *reference, struct tk_err *err)
{
    const struct tk_merge_options *options = merge->options;
    struct tk_merge_node *node = &merge->report->nodes[index];
    struct tk_merge_node known = *node;
    if (!merge->shifts[index]) {
        return options->must_align
                   ? tk_fail(err, -ENODATA,
                             "the clock of '%s' was never compared with that of '%s'", node->id,
                             reference)
                   : 0;
    }
    note_shift(merge->shifts[index], &known);
    if (size_of(known.shift_us) > LIMIT_US && !options->force) {
        node->shift_us = known.shift_us;
        drop_shift(merge, index);
        return refuse(merge, node, reference, err);
    }
    *node = known;
    return 0;
}

static int find_reference(const struct tk_merge *merge, size_t *ret_node, struct tk_err *err)
{
    const char *wanted = merge->options->reference;
    for (size_t i = 0; i < merge->report->node_count; i++) {
        const struct tk_merge_node *node = &merge->report->nodes[i];
        if (wanted && strcmp(node->id, wanted) != 0 && strcmp(node->host, wanted) != 0)
            continue;
        *ret_node = i;
        return 0;
    }
    return tk_fail(err, -EINVAL, "no node '%s' to align with", wanted ? wanted : "");
}

static int align(struct tk_merge *merge, const struct pairs *pairs, struct tk_err *err)
{
    size_t reference = 0;
    int rc = find_reference(merge, &reference, err);
    if (rc == 0)
        rc = spread(merge, pairs, reference, err);
    if (rc == 0 && pairs->dropped > 0) {
        tk_merge_say(merge,
                     "clock.jsonl: %llu exchanges with unknown peers, without a bound or beyond "
                     "sense, are not used",
                     (unsigned long long)pairs->dropped);
    }
    for (size_t i = 0; i < merge->report->node_count && rc == 0; i++)
        rc = settle(merge, i, merge->report->nodes[reference].id, err);
    return rc;
}

int tk_merge_find_shifts(struct tk_merge *merge, struct tk_err *err)
{
    struct pairs pairs = {.items = calloc(PAIRS_MAX, sizeof(struct pair))};
    int rc = 0;
    if (!pairs.items)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < merge->input_count && rc == 0; i++)
        rc = read_clocks(merge, &merge->inputs[i], &pairs, err);
    bool wanted = !merge->options->no_align &&
                  (pairs.count > 0 || merge->options->must_align || merge->options->reference);
    if (rc == 0 && wanted)
        rc = align(merge, &pairs, err);
    free(pairs.items);
    return rc;
}

int64_t tk_merge_shift_us(const struct tk_merge *merge, size_t node, int64_t at_us)
{
    const struct tk_merge_shift *shift = merge->shifts[node];
    return !shift || at_us == INT64_MIN ? 0 : point_at(shift, at_us).add_us;
}
