/* SPDX-License-Identifier: Apache-2.0 */
#include "run/exits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "run/run_internal.h"

bool tk_exit_source_is_account(tk_str source)
{
    return tk_str_eq(source, TK_STR("bpf")) || tk_str_eq(source, TK_STR("taskstats"));
}

#define NODE_TEXT_MAX ((size_t)64 << 10)
#define DEPTH_MAX     256 /* of a tree of processes; guards against loops in damaged records */

int64_t tk_birth_us(const struct tk_birth *birth, int64_t start_ticks)
{
    if (birth->boot_us == INT64_MIN || start_ticks < 0 || start_ticks > INT64_MAX / 1000000)
        return INT64_MIN;
    return birth->boot_us + start_ticks * 1000000 / birth->clk_tck;
}

/* Texts repeat: keep the last one once. */
static tk_str keep_node(struct tk_exits *exits, tk_str node)
{
    tk_str last = exits->count > 0 ? exits->items[exits->count - 1].node : (tk_str){NULL, 0};
    return tk_str_eq(last, node) ? last : tk_arena_copy(&exits->text, node);
}

static int64_t start_of(const struct tk_batch *batch, size_t row, const struct tk_exit *item,
                        const struct tk_birth *birth)
{
    int64_t elapsed_us = tk_batch_i64(batch, row, TK_PROC_EXIT_ELAPSED_US, -1);
    int64_t otherwise =
        elapsed_us >= 0 ? item->end_us - elapsed_us : tk_birth_us(birth, item->start_ticks);
    return tk_batch_i64(batch, row, TK_PROC_EXIT_START_US, otherwise);
}

static void add(struct tk_exits *exits, const struct tk_batch *batch, size_t row,
                const struct tk_birth *birth)
{
    int64_t ms = tk_batch_i64(batch, row, TK_PROC_EXIT_TS_MS, 0);
    tk_str source = tk_batch_text(batch, row, TK_PROC_EXIT_SOURCE);
    struct tk_exit item = {
        .pid = tk_batch_i64(batch, row, TK_PROC_EXIT_PID, -1),
        .start_ticks = tk_batch_i64(batch, row, TK_PROC_EXIT_START_TICKS, -1),
        .ppid = tk_batch_i64(batch, row, TK_PROC_EXIT_PPID, -1),
        .end_us = tk_batch_i64(batch, row, TK_PROC_EXIT_TS_US, ms * 1000),
        .cpu_ns = tk_batch_i64(batch, row, TK_PROC_EXIT_CPU_NS, -1),
        .max_rss_kb = tk_batch_i64(batch, row, TK_PROC_EXIT_MAX_RSS_KB, -1),
        .node = keep_node(exits, tk_batch_text(batch, row, TK_PROC_EXIT_NODE)),
    };
    item.start_us = start_of(batch, row, &item, birth);
    item.tree_cpu_ns = item.cpu_ns;
    item.tree_max_rss_kb = item.max_rss_kb;
    (void)tk_str_to_cstr(source, item.source, sizeof(item.source));
    exits->items[exits->count++] = item;
}

static int add_batch(struct tk_exits *exits, size_t *cap, const struct tk_batch *batch,
                     const struct tk_birth *birth, struct tk_decode_stats *stats,
                     struct tk_err *err)
{
    if (exits->count + batch->rows > *cap) {
        *cap = (exits->count + batch->rows) * 2;
        struct tk_exit *items = realloc(exits->items, *cap * sizeof(*items));
        if (!items)
            return tk_fail(err, -ENOMEM, "out of memory");
        exits->items = items;
    }
    for (size_t row = 0; row < batch->rows; row++) {
        int64_t ms = tk_batch_i64(batch, row, TK_PROC_EXIT_TS_MS, -1);
        bool timed =
            (ms >= 0 && ms < INT64_MAX / 1000) || tk_batch_has(batch, row, TK_PROC_EXIT_TS_US);
        if (timed && tk_batch_has(batch, row, TK_PROC_EXIT_PID)) {
            add(exits, batch, row, birth);
        } else {
            stats->bad_rows++;
        }
    }
    return 0;
}

static int compare_process(const void *a, const void *b)
{
    const struct tk_exit *left = a;
    const struct tk_exit *right = b;
    if (left->pid != right->pid)
        return left->pid < right->pid ? -1 : 1;
    if (left->start_us != right->start_us)
        return left->start_us < right->start_us ? -1 : 1;
    return (left->end_us > right->end_us) - (left->end_us < right->end_us);
}

static int compare_end(const void *a, const void *b, void *context)
{
    const struct tk_exit *items = context;
    const struct tk_exit *left = &items[*(const uint32_t *)a];
    const struct tk_exit *right = &items[*(const uint32_t *)b];
    if (left->end_us != right->end_us)
        return left->end_us < right->end_us ? -1 : 1;
    return (left > right) - (left < right);
}

struct tk_exit *tk_exits_find(const struct tk_exits *exits, int64_t pid, int64_t start_ticks,
                              int64_t from_us, int64_t to_us)
{
    size_t low = 0;
    size_t high = exits->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (exits->items[middle].pid < pid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    struct tk_exit *best = NULL;
    for (size_t i = low; i < exits->count && exits->items[i].pid == pid; i++) {
        struct tk_exit *item = &exits->items[i];
        bool same = start_ticks < 0 || item->start_ticks < 0 || item->start_ticks == start_ticks;
        if (same && item->start_us <= to_us && item->end_us >= from_us &&
            (!best || item->end_us >= best->end_us))
            best = item;
    }
    return best;
}

/* The parent as it was when `child` was born: it lived then, and was born before. */
static struct tk_exit *parent_of(const struct tk_exits *exits, const struct tk_exit *child)
{
    if (child->ppid <= 0 || child->start_us == INT64_MIN)
        return NULL;
    struct tk_exit *parent =
        tk_exits_find(exits, child->ppid, -1, child->start_us, child->start_us);
    return parent == child ? NULL : parent;
}

static void add_to_ancestors(const struct tk_exits *exits, const struct tk_exit *item)
{
    struct tk_exit *parent = parent_of(exits, item);
    for (int depth = 0; parent && depth < DEPTH_MAX; depth++) {
        if (item->cpu_ns > 0 && parent->tree_cpu_ns >= 0)
            parent->tree_cpu_ns += item->cpu_ns;
        if (item->max_rss_kb > parent->tree_max_rss_kb)
            parent->tree_max_rss_kb = item->max_rss_kb;
        parent = parent_of(exits, parent);
    }
}

static int arrange(struct tk_exits *exits, struct tk_err *err)
{
    if (exits->count == 0)
        return 0;
    exits->by_end = calloc(exits->count, sizeof(exits->by_end[0]));
    if (!exits->by_end || exits->count > UINT32_MAX)
        return tk_fail(err, -ENOMEM, "out of memory");
    qsort(exits->items, exits->count, sizeof(exits->items[0]), compare_process);
    for (size_t i = 0; i < exits->count; i++)
        exits->by_end[i] = (uint32_t)i;
    qsort_r(exits->by_end, exits->count, sizeof(exits->by_end[0]), compare_end, exits->items);
    for (size_t i = 0; i < exits->count; i++)
        add_to_ancestors(exits, &exits->items[i]);
    return 0;
}

static int read_all(struct tk_exits *exits, struct tk_run_reader *reader,
                    const struct tk_birth *birth, struct tk_decode_stats *ret_stats,
                    struct tk_err *err)
{
    struct tk_decode_stats unusable = {0};
    const struct tk_batch *batch;
    size_t cap = 0;
    int rc;
    while ((rc = tk_run_reader_next(reader, &batch, err)) == 0 &&
           (rc = add_batch(exits, &cap, batch, birth, &unusable, err)) == 0) {
    }
    *ret_stats = *tk_run_reader_stats(reader);
    ret_stats->bad_rows += unusable.bad_rows;
    return rc < 0 ? rc : arrange(exits, err);
}

int tk_exits_read(struct tk_exits *exits, int dirfd, const char *name, const struct tk_birth *birth,
                  struct tk_decode_stats *ret_stats, struct tk_err *err)
{
    *ret_stats = (struct tk_decode_stats){0};
    struct tk_run_reader *reader;
    int rc = tk_run_reader_new(dirfd, name, &tk_schema_proc_exit, &reader, err);
    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return rc;
    rc = tk_arena_init(&exits->text, NODE_TEXT_MAX, err);
    if (rc == 0)
        rc = read_all(exits, reader, birth, ret_stats, err);
    tk_run_reader_free(reader);
    return rc;
}

void tk_exits_release(struct tk_exits *exits)
{
    free(exits->items);
    free(exits->by_end);
    tk_arena_release(&exits->text);
    *exits = (struct tk_exits){0};
}
