/* SPDX-License-Identifier: Apache-2.0 */
/* What a run says about itself: run.json, node_meta.json or cctf/nodes.json, link_meta.json, the
 * first line of clock.jsonl. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "run/run_internal.h"
#include "run/summary_internal.h"

static tk_str copy(struct tk_summary *summary, tk_str text)
{
    return tk_arena_copy(&summary->text, text);
}

static const tk_str *copy_list(struct tk_summary *summary, const struct tk_batch *batch,
                               size_t column, size_t *ret_count)
{
    *ret_count = 0;
    if (!tk_batch_has(batch, 0, column))
        return NULL;
    const struct tk_list *list = &tk_batch_at(batch, 0, column)->list;
    tk_str *texts = tk_arena_alloc(&summary->text, list->n * sizeof(*texts));
    if (!texts)
        return NULL;
    const tk_str *items = list->items;
    for (size_t i = 0; i < list->n; i++)
        texts[i] = copy(summary, items[i]);
    *ret_count = list->n;
    return texts;
}

static double number_or_nan(const struct tk_batch *batch, size_t row, size_t column)
{
    if (!tk_batch_has(batch, row, column))
        return (double)NAN;
    return batch->schema->columns[column].type == TK_F64
               ? tk_batch_f64(batch, row, column, (double)NAN)
               : (double)tk_batch_i64(batch, row, column, 0);
}

/* Of a part one more, before the others. */
static const tk_str *copy_notices(struct tk_summary *summary, const struct tk_batch *run,
                                  const struct tk_range *range, size_t *ret_count)
{
    size_t count;
    char times[TK_RANGE_TEXT_MAX];
    char text[TK_RANGE_TEXT_MAX + 128];
    const tk_str *notices = copy_list(summary, run, TK_RUN_NOTICES, &count);
    *ret_count = notices ? count : 0;
    tk_str *more = range ? tk_arena_alloc(&summary->text, (*ret_count + 1) * sizeof(*more)) : NULL;
    if (!more)
        return notices;
    (void)snprintf(text, sizeof(text),
                   "a part of the run, %s: what is said of the recording is of the whole",
                   tk_range_format(range, times));
    more[0] = copy(summary, tk_str_from(text));
    for (size_t i = 0; i < *ret_count; i++)
        more[i + 1] = notices[i];
    ++*ret_count;
    return more;
}

static void set_quality(struct tk_summary *summary, const struct tk_batch *run,
                        const struct tk_range *range)
{
    struct tk_summary_quality *quality = &summary->quality;
    const struct {
        int64_t *field;
        size_t column;
    } counts[] = {
        {&quality->min_good_interval_ms, TK_RUN_MIN_GOOD_INTERVAL_MS},
        {&quality->ticks, TK_RUN_TICKS},
        {&quality->missed_ticks, TK_RUN_MISSED_TICKS},
        {&quality->late_max_us, TK_RUN_LATE_MAX_US},
        {&quality->late_p99_us, TK_RUN_LATE_P99_US},
        {&quality->lost_exits, TK_RUN_LOST_EXITS},
        {&quality->dropped_events, TK_RUN_DROPPED_EVENTS},
        {&quality->dropped_rows, TK_RUN_DROPPED_ROWS},
        {&quality->own_cpu_ms, TK_RUN_OWN_CPU_MS},
        {&quality->own_rss_kb, TK_RUN_OWN_RSS_KB},
    };
    for (size_t i = 0; i < TK_COUNTOF(counts); i++)
        *counts[i].field = tk_batch_i64(run, 0, counts[i].column, -1);
    quality->tier = copy(summary, tk_batch_text(run, 0, TK_RUN_TIER));
    quality->rung = copy(summary, tk_batch_text(run, 0, TK_RUN_RUNG));
    quality->exit_source = copy(summary, tk_batch_text(run, 0, TK_RUN_EXIT_SOURCE));
    quality->proc_rows = copy(summary, tk_batch_text(run, 0, TK_RUN_PROC_ROWS));
    quality->interval_requested_ms = number_or_nan(run, 0, TK_RUN_INTERVAL_REQUESTED_MS);
    quality->interval_achieved_ms = number_or_nan(run, 0, TK_RUN_INTERVAL_ACHIEVED_MS);
    quality->host_interval_ms = number_or_nan(run, 0, TK_RUN_HOST_INTERVAL_MS);
    quality->rss_exact = (int)tk_batch_i64(run, 0, TK_RUN_RSS_EXACT, -1);
    quality->notices = copy_notices(summary, run, range, &quality->notice_count);
}

static enum tk_state state_of(const struct tk_summary_maker *maker, const struct tk_batch *run)
{
    if (!tk_batch_has(run, 0, TK_RUN_TICKS) && !tk_batch_has(run, 0, TK_RUN_TIER))
        return TK_STATE_FOREIGN; /* no recorder of ours wrote it: import did */
    if (tk_batch_has(run, 0, TK_RUN_STOP_MS))
        return TK_STATE_STOPPED;
    struct tk_run_owner owner;
    struct tk_err err;
    return tk_run_owner_read(maker->dirfd, &owner, &err) == 0 ? TK_STATE_ACTIVE : TK_STATE_BROKEN;
}

/* From when to when the summary is: of a part no more than its range. */
static void set_span(struct tk_summary_maker *maker, const struct tk_batch *run)
{
    const struct tk_range *range = maker->options->range;
    int64_t start_ns = tk_summary_ns(run, 0, TK_RUN_START_MS, TK_NS_PER_MS);
    int64_t stop_ns = tk_summary_ns(run, 0, TK_RUN_STOP_MS, TK_NS_PER_MS);
    if (start_ns > 0)
        tk_summary_extend(maker, range ? tk_summary_clip(range, start_ns) : start_ns, 0);
    if (stop_ns > 0)
        tk_summary_extend(maker, range ? tk_summary_clip(range, stop_ns) : stop_ns, 0);
}

static void set_run(struct tk_summary_maker *maker, const struct tk_batch *run)
{
    struct tk_summary *summary = maker->summary;
    summary->state = state_of(maker, run);
    summary->run_id = copy(summary, tk_batch_text(run, 0, TK_RUN_RUN_ID));
    summary->node = copy(summary, tk_batch_text(run, 0, TK_RUN_NODE));
    summary->host_name = copy(summary, tk_batch_text(run, 0, TK_RUN_HOST));
    summary->tool_version = copy(summary, tk_batch_text(run, 0, TK_RUN_TOOL_VERSION));
    summary->host.kernel = copy(summary, tk_batch_text(run, 0, TK_RUN_KERNEL));
    maker->clk_tck = tk_batch_i64(run, 0, TK_RUN_CLK_TCK, 0);

    set_span(maker, run);
    struct tk_summary_command *command = &summary->command;
    command->argv = copy_list(summary, run, TK_RUN_COMMAND, &command->argc);
    command->known = command->argc > 0;
    command->exit_status = tk_batch_i64(run, 0, TK_RUN_EXIT_STATUS, -1);
    set_quality(summary, run, maker->options->range);
}

static void set_node_meta(struct tk_summary *summary, const struct tk_batch *node)
{
    struct tk_summary_host *host = &summary->host;
    if (summary->run_id.n == 0)
        summary->run_id = copy(summary, tk_batch_text(node, 0, TK_NODE_META_RUN_ID));
    if (summary->node.n == 0)
        summary->node = copy(summary, tk_batch_text(node, 0, TK_NODE_META_NODE));
    if (summary->host_name.n == 0)
        summary->host_name = copy(summary, tk_batch_text(node, 0, TK_NODE_META_HOST));
    if (host->kernel.n == 0)
        host->kernel = copy(summary, tk_batch_text(node, 0, TK_NODE_META_KERNEL));
    summary->stage = copy(summary, tk_batch_text(node, 0, TK_NODE_META_STAGE));
    host->iface = copy(summary, tk_batch_text(node, 0, TK_NODE_META_IFACE));
    host->cpu_model = copy(summary, tk_batch_text(node, 0, TK_NODE_META_CPU_MODEL));
    host->virt = copy(summary, tk_batch_text(node, 0, TK_NODE_META_VIRT));
    host->cores = tk_batch_i64(node, 0, TK_NODE_META_CPU_CORES, -1);
    host->cpu_limit_cores = number_or_nan(node, 0, TK_NODE_META_CPU_LIMIT_CORES);
    host->swap_total_bytes = tk_batch_i64(node, 0, TK_NODE_META_SWAP_BYTES, -1);
    host->mem_total_bytes = tk_batch_i64(node, 0, TK_NODE_META_MEM_BYTES, -1);
    if (host->mem_total_bytes < 0)
        host->mem_total_bytes = tk_summary_ns(node, 0, TK_NODE_META_MEM_MB, 1024LL * 1024);
}

static void set_nodes(struct tk_summary *summary, const struct tk_batch *nodes, size_t row)
{
    struct tk_summary_host *host = &summary->host;
    if (summary->node.n == 0)
        summary->node = copy(summary, tk_batch_text(nodes, row, TK_NODES_NODE_ID));
    if (summary->host_name.n == 0)
        summary->host_name = copy(summary, tk_batch_text(nodes, row, TK_NODES_HOST));
    summary->stage = copy(summary, tk_batch_text(nodes, row, TK_NODES_STAGE));
    host->cpu_model = copy(summary, tk_batch_text(nodes, row, TK_NODES_CPU_MODEL));
    host->virt = copy(summary, tk_batch_text(nodes, row, TK_NODES_VIRT));
    host->cores = tk_batch_i64(nodes, row, TK_NODES_CPU_CORES, -1);
    host->cpu_limit_cores = number_or_nan(nodes, row, TK_NODES_CPU_LIMIT_CORES);
    host->swap_total_bytes = tk_batch_i64(nodes, row, TK_NODES_SWAP_BYTES, -1);
    host->mem_total_bytes = tk_batch_i64(nodes, row, TK_NODES_MEM_BYTES, -1);
    if (host->mem_total_bytes < 0)
        host->mem_total_bytes = tk_summary_ns(nodes, row, TK_NODES_MEM_MB, 1024LL * 1024);
}

/* nodes.json of a cctf/: an array of at least one. 1 when it is missing or empty. */
static int nodes_read(int dirfd, const char *path, struct tk_batch **ret_batch, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    int rc = tk_objects_read(dirfd, path, &tk_schema_nodes, &batch, err);
    if (rc < 0)
        return rc == -ENOENT ? 1 : rc;
    if (batch->rows == 0)
        return 1;
    *ret_batch = batch;
    batch = NULL;
    return 0;
}

/* 0, 1 when the folder has no such file, or an error. */
static int object_read(const struct tk_summary_maker *maker, const char *name,
                       const struct tk_schema *schema, struct tk_batch **ret_batch,
                       struct tk_err *err)
{
    int rc = tk_object_read(maker->dirfd, name, schema, ret_batch, err);
    return rc == -ENOENT ? 1 : rc;
}

/* The node ---------------------------------------------------------------------------------- */

static bool is_merged(const struct tk_summary_maker *maker)
{
    return maker->nodes && maker->nodes->rows > 1;
}

/* What does not say where it comes from may come from anywhere. */
static bool is_same(tk_str a, tk_str b)
{
    return a.n == 0 || b.n == 0 || tk_str_eq(a, b);
}

static bool is_of_node(const struct tk_summary_maker *maker, tk_str node, tk_str host)
{
    if (!is_merged(maker))
        return true;
    return is_same(node, tk_batch_text(maker->nodes, maker->node, TK_NODES_NODE_ID)) &&
           is_same(host, tk_batch_text(maker->nodes, maker->node, TK_NODES_HOST));
}

struct tk_row_filter tk_summary_filter(const struct tk_summary_maker *maker,
                                       const struct tk_schema *schema)
{
    struct tk_row_filter filter = {
        .of_any_node = !is_merged(maker),
        .us_column = tk_schema_find(schema, TK_STR("ts_us"), 0),
        .ms_column = tk_schema_find(schema, TK_STR("ts_ms"), 0),
    };
    if (filter.us_column < schema->column_count || filter.ms_column < schema->column_count)
        filter.range = maker->options->range;
    if (filter.of_any_node)
        return filter;
    filter.node_column = tk_schema_find(schema, TK_STR("node"), 0);
    filter.host_column = tk_schema_find(schema, TK_STR("host"), 0);
    filter.node = tk_batch_text(maker->nodes, maker->node, TK_NODES_NODE_ID);
    filter.host = tk_batch_text(maker->nodes, maker->node, TK_NODES_HOST);
    return filter;
}

static bool has_text(const struct tk_batch *batch, size_t row, size_t column, tk_str wanted)
{
    return column == batch->schema->column_count ||
           is_same(wanted, tk_batch_text(batch, row, column));
}

static int64_t stamp_in(const struct tk_batch *batch, size_t row, size_t column, int64_t unit_ns)
{
    return column < batch->schema->column_count ? tk_summary_ns(batch, row, column, unit_ns) : -1;
}

/* A row without a stamp is of no time. */
static bool is_in_range(const struct tk_row_filter *filter, const struct tk_batch *batch,
                        size_t row)
{
    int64_t ns = stamp_in(batch, row, filter->us_column, TK_NS_PER_US);
    if (ns < 0)
        ns = stamp_in(batch, row, filter->ms_column, TK_NS_PER_MS);
    return ns >= 0 && tk_range_has(filter->range, ns / TK_NS_PER_US);
}

bool tk_row_filter_takes(const struct tk_row_filter *filter, const struct tk_batch *batch,
                         size_t row)
{
    if (filter->range && !is_in_range(filter, batch, row))
        return false;
    return filter->of_any_node || (has_text(batch, row, filter->node_column, filter->node) &&
                                   has_text(batch, row, filter->host_column, filter->host));
}

/* How a user names a node: by its label, or by its host where labels are equal. */
static bool is_called(tk_str node, tk_str host, const char *name)
{
    return tk_str_eq(node, tk_str_from(name)) || tk_str_eq(host, tk_str_from(name));
}

static int no_such_node(const struct tk_summary_maker *maker, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf names;
    tk_buf_init(&names, TK_ERR_MAX / 2);
    for (size_t i = 0; maker->nodes && i < maker->nodes->rows; i++) {
        tk_buf_printf(&names, "%s%.*s", i > 0 ? ", " : "",
                      TK_STR_ARG(tk_batch_text(maker->nodes, i, TK_NODES_NODE_ID)));
    }
    if (!maker->nodes)
        tk_buf_put(&names, maker->summary->node);
    return tk_fail(err, -ENOENT, "no node '%s', expected %.*s", maker->options->node,
                   TK_STR_ARG(tk_buf_str(&names)));
}

static int list_others(struct tk_summary_maker *maker, struct tk_err *err)
{
    struct tk_summary *summary = maker->summary;
    const struct tk_batch *nodes = maker->nodes;
    tk_str *names = tk_arena_alloc(&summary->text, nodes->rows * sizeof(*names));
    if (!names)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < nodes->rows; i++) {
        tk_str name = copy(summary, tk_batch_text(nodes, i, TK_NODES_NODE_ID));
        if (i != maker->node)
            names[summary->other_node_count++] = name;
    }
    summary->other_nodes = names;
    return 0;
}

/* Of the nodes that were merged, if any: a folder with node_meta.json is that of one recorder. */
static int choose_node(struct tk_summary_maker *maker, struct tk_err *err)
{
    if (faccessat(maker->dirfd, "node_meta.json", F_OK, 0) == 0)
        return 0;
    int rc = nodes_read(maker->dirfd, "cctf/nodes.json", &maker->nodes, err);
    if (rc == 1)
        rc = nodes_read(maker->dirfd, "nodes.json", &maker->nodes, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    const struct tk_batch *nodes = maker->nodes;
    while (maker->options->node && maker->node < nodes->rows &&
           !is_called(tk_batch_text(nodes, maker->node, TK_NODES_NODE_ID),
                      tk_batch_text(nodes, maker->node, TK_NODES_HOST), maker->options->node))
        maker->node++;
    return maker->node < nodes->rows ? list_others(maker, err) : no_such_node(maker, err);
}

static int add_run(struct tk_summary_maker *maker, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    int rc = object_read(maker, "run.json", &tk_schema_run, &batch, err);
    if (rc == 1)
        rc = object_read(maker, "cctf/run.json", &tk_schema_run, &batch, err);
    if (rc == 0 && is_of_node(maker, tk_batch_text(batch, 0, TK_RUN_NODE),
                              tk_batch_text(batch, 0, TK_RUN_HOST))) {
        set_run(maker, batch);
    } else {
        maker->summary->state = rc == 1 ? TK_STATE_CALLS : TK_STATE_FOREIGN;
    }
    return rc < 0 ? rc : 0;
}

static int add_node(struct tk_summary_maker *maker, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    int rc = object_read(maker, "node_meta.json", &tk_schema_node_meta, &batch, err);
    if (rc == 0)
        set_node_meta(maker->summary, batch);
    if (rc != 1)
        return rc;
    if (maker->nodes)
        set_nodes(maker->summary, maker->nodes, maker->node);
    return 0;
}

static int add_link_meta(struct tk_summary_maker *maker, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    int rc = object_read(maker, "link_meta.json", &tk_schema_link_meta, &batch, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    int64_t bits_per_s = tk_batch_i64(batch, 0, TK_LINK_META_BW_BPS, 0);
    if (bits_per_s > 0)
        maker->summary->host.link_Bps = (double)bits_per_s / 8;
    return 0;
}

static void take_clock(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row)
{
    int64_t real_ns = tk_summary_ns(batch, row, TK_CLOCK_REALTIME_US, TK_NS_PER_US);
    int64_t boot_ns = tk_summary_ns(batch, row, TK_CLOCK_BOOTTIME_US, TK_NS_PER_US);
    /* In a merged run only a row that names its node is of it. */
    bool is_ours = !is_merged(maker) || tk_batch_has(batch, row, TK_CLOCK_NODE);
    if (is_ours && maker->boot_ns == 0 && real_ns > 0 && boot_ns >= 0)
        maker->boot_ns = real_ns - boot_ns;
}

static void take_self(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row)
{
    maker->self.ticks += tk_batch_i64(batch, row, TK_SELF_TICKS, 0);
    maker->self.syscalls += tk_batch_i64(batch, row, TK_SELF_SYSCALLS, 0);
    maker->self.bytes += tk_batch_i64(batch, row, TK_SELF_BYTES, 0);
    maker->self.dt_ms += tk_batch_i64(batch, row, TK_SELF_DT_MS, 0);
    maker->self.cpu_ns += tk_batch_i64(batch, row, TK_SELF_CPU_NS, 0);
}

static int add_self(struct tk_summary_maker *maker, struct tk_err *err)
{
    struct tk_summary_quality *quality = &maker->summary->quality;
    int rc = tk_summary_each(maker, TK_TABLE_SELF, take_self, err);
    if (maker->self.ticks > 0)
        quality->own_calls_per_tick = (double)maker->self.syscalls / (double)maker->self.ticks;
    /* That of run.json is of the whole, and not in a part that was made by itself. */
    if (maker->options->range || quality->own_cpu_ms < 0)
        quality->own_cpu_ms = maker->self.dt_ms > 0 ? maker->self.cpu_ns / TK_NS_PER_MS : -1;
    if (maker->self.dt_ms > 0)
        quality->own_Bps = 1000 * (double)maker->self.bytes / (double)maker->self.dt_ms;
    return rc;
}

int tk_summary_add_meta(struct tk_summary_maker *maker, struct tk_err *err)
{
    const struct tk_summary *summary = maker->summary;
    int rc = choose_node(maker, err);
    rc = rc < 0 ? rc : add_run(maker, err);
    rc = rc < 0 ? rc : add_node(maker, err);
    if (rc == 0 && maker->options->node && !maker->nodes &&
        !is_called(summary->node, summary->host_name, maker->options->node))
        return no_such_node(maker, err);
    rc = rc < 0 ? rc : add_link_meta(maker, err);
    rc = rc < 0 ? rc : tk_summary_each(maker, TK_TABLE_CLOCK, take_clock, err);
    return rc < 0 ? rc : add_self(maker, err);
}
