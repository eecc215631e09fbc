/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of a merged run: run.json, of which each figure is the sum, the extreme or the common
 * value of those of the nodes, and merge.json, the manifest. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "run/merge_internal.h"

#define US_PER_MS    1000
#define NOTICES_MAX  256
#define TEXT_MAX     ((size_t)1 << 20)
#define MANIFEST_MAX ((size_t)64 << 20)

/* How the figure of a run is made of those of its nodes. */
enum rule {
    SUM,
    LARGEST,
    COMMON, /* where all nodes have the same; else it is left out */
};

static const struct {
    size_t column;
    enum rule rule;
} rules[] = {
    {TK_RUN_MISSED_TICKS, SUM},
    {TK_RUN_DROPPED_EVENTS, SUM},
    {TK_RUN_LOST_EXITS, SUM},
    {TK_RUN_DROPPED_ROWS, SUM},
    {TK_RUN_TICKS, SUM},
    {TK_RUN_OWN_CPU_MS, SUM},
    {TK_RUN_ROWS, SUM},
    {TK_RUN_LATE_MAX_US, LARGEST},
    {TK_RUN_MIN_GOOD_INTERVAL_MS, LARGEST},
    {TK_RUN_INTERVAL_REQUESTED_MS, COMMON},
    {TK_RUN_HOST_INTERVAL_MS, COMMON},
    {TK_RUN_CLK_TCK, COMMON},
    {TK_RUN_PAGE_SIZE, COMMON},
    {TK_RUN_HZ, COMMON},
    {TK_RUN_CGROUP_VERSION, COMMON},
    {TK_RUN_KERNEL, COMMON},
    {TK_RUN_RUNG, COMMON},
    {TK_RUN_TIER, COMMON},
    {TK_RUN_EXIT_SOURCE, COMMON},
    {TK_RUN_CGROUP_SOURCE, COMMON},
    {TK_RUN_CONTEXT_SOURCE, COMMON},
    {TK_RUN_PROC_ROWS, COMMON},
};

/* The runs of the nodes so far. */
struct whole {
    struct tk_batch *run; /* the only row */
    size_t parts;
    uint64_t differ; /* bit c: column c is not the same for all */
    int64_t start_ms, stop_ms;
    bool runs_on; /* some part has no end */
    tk_str notices[NOTICES_MAX];
    size_t notice_count;
    struct tk_arena text;
};

static bool is_equal(const struct tk_batch *a, const struct tk_batch *b, size_t column)
{
    if (!tk_batch_has(a, 0, column) || !tk_batch_has(b, 0, column))
        return false;
    const union tk_value *x = tk_batch_at(a, 0, column);
    const union tk_value *y = tk_batch_at(b, 0, column);
    return a->schema->columns[column].type == TK_TEXT ? tk_str_eq(x->text, y->text)
                                                      : x->i64 == y->i64;
}

static void add_common(struct whole *whole, const struct tk_batch *part, size_t column)
{
    if (whole->parts == 0 && tk_batch_has(part, 0, column)) {
        if (part->schema->columns[column].type == TK_TEXT) {
            tk_batch_set_text(whole->run, column, tk_batch_text(part, 0, column));
        } else {
            tk_batch_set_i64(whole->run, column, tk_batch_i64(part, 0, column, 0));
        }
    } else if (!is_equal(whole->run, part, column)) {
        whole->differ |= 1ULL << column;
    }
}

static void add_figures(struct whole *whole, const struct tk_batch *part)
{
    for (size_t i = 0; i < TK_COUNTOF(rules); i++) {
        size_t column = rules[i].column;
        if (rules[i].rule == COMMON) {
            add_common(whole, part, column);
            continue;
        }
        if (!tk_batch_has(part, 0, column))
            continue;
        int64_t value = tk_batch_i64(part, 0, column, 0);
        int64_t before = tk_batch_i64(whole->run, 0, column, 0);
        if (rules[i].rule == SUM) {
            if (!tk_add_i64(value, before, &value))
                value = INT64_MAX;
        } else if (before > value) {
            value = before;
        }
        tk_batch_set_i64(whole->run, column, value);
    }
}

/* A time that a clock can show; 0 = none. */
static int64_t time_ms(const struct tk_batch *part, size_t column)
{
    static const int64_t limit_ms = INT64_MAX / 4 / US_PER_MS;
    int64_t ms = tk_batch_i64(part, 0, column, 0);
    return ms > 0 && ms < limit_ms ? ms : 0;
}

static void add_times(struct whole *whole, const struct tk_batch *part, int64_t shift_us)
{
    int64_t start_ms = time_ms(part, TK_RUN_START_MS) + shift_us / US_PER_MS;
    int64_t stop_ms = time_ms(part, TK_RUN_STOP_MS) + shift_us / US_PER_MS;
    if (whole->start_ms == 0 || start_ms < whole->start_ms)
        whole->start_ms = start_ms;
    if (stop_ms > whole->stop_ms)
        whole->stop_ms = stop_ms;
    whole->runs_on |= !tk_batch_has(part, 0, TK_RUN_STOP_MS);
}

/* "cloud0: what its run says". */
static void add_notices(struct whole *whole, const struct tk_batch *part, const char *node)
{
    if (!tk_batch_has(part, 0, TK_RUN_NOTICES))
        return;
    struct tk_list list = tk_batch_at(part, 0, TK_RUN_NOTICES)->list;
    const tk_str *texts = list.items;
    for (size_t i = 0; i < list.n && whole->notice_count < NOTICES_MAX; i++) {
        char text[TK_ERR_MAX];
        (void)snprintf(text, sizeof(text), "%s: %.*s", node, TK_STR_ARG(texts[i]));
        tk_str copy = tk_arena_copy(&whole->text, tk_str_from(text));
        if (copy.p)
            whole->notices[whole->notice_count++] = copy;
    }
}

static int add_part(const struct tk_merge *merge, const struct tk_merge_input *input,
                    struct whole *whole, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *part = NULL;
    int rc = tk_object_read(input->cctf, "run.json", &tk_schema_run, &part, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : tk_err_prefix(err, "%s", input->path);
    int64_t start_us = time_ms(part, TK_RUN_START_MS) * US_PER_MS;
    add_figures(whole, part);
    add_times(whole, part, tk_merge_shift_us(merge, input->nodes[0], start_us));
    add_notices(whole, part, merge->report->nodes[input->nodes[0]].id);
    whole->parts++;
    return 0;
}

static void finish(const struct tk_merge *merge, struct whole *whole)
{
    char run_id[TK_MERGE_NAME_MAX];
    struct tk_batch *run = whole->run;
    bool all_tell = whole->parts == merge->input_count;
    tk_merge_run_name(merge->inputs[0].path, run_id);
    run->present[0] &= ~whole->differ;
    if (!all_tell || whole->start_ms <= 0)
        whole->start_ms = merge->first_us / US_PER_MS;
    if (!all_tell)
        whole->stop_ms = merge->last_us / US_PER_MS;
    tk_batch_set_i64(run, TK_RUN_SCHEMA_VERSION, 2);
    tk_batch_set_text(run, TK_RUN_TOOL_VERSION, TK_STR(TK_VERSION));
    tk_batch_set_text(run, TK_RUN_RUN_ID, tk_str_from(run_id));
    tk_batch_set_text(run, TK_RUN_NODE, TK_STR("")); /* it is of all */
    tk_batch_set_text(run, TK_RUN_HOST, TK_STR(""));
    tk_batch_set_i64(run, TK_RUN_START_MS, whole->start_ms);
    if (!whole->runs_on)
        tk_batch_set_i64(run, TK_RUN_STOP_MS, whole->stop_ms);
    if (whole->notice_count > 0)
        tk_batch_set_text_list(run, TK_RUN_NOTICES, whole->notices, whole->notice_count);
}

int tk_merge_write_run(struct tk_merge *merge, struct tk_err *err)
{
    struct whole whole = {0};
    int rc = tk_batch_new(&tk_schema_run, 1, TEXT_MAX, &whole.run, err);
    if (rc == 0)
        rc = tk_arena_init(&whole.text, TEXT_MAX, err);
    if (rc == 0)
        tk_batch_begin(whole.run);
    for (size_t i = 0; i < merge->input_count && rc == 0; i++)
        rc = add_part(merge, &merge->inputs[i], &whole, err);
    if (rc == 0) {
        finish(merge, &whole);
        rc = tk_object_write(merge->out, tk_tables[TK_TABLE_RUN].cctf, whole.run, err);
    }
    tk_arena_release(&whole.text);
    tk_batch_free(whole.run);
    return rc;
}

/* The manifest --------------------------------------------------------------------------------- */

static void put_inputs(const struct tk_merge *merge, struct tk_buf *out)
{
    tk_json_put_key(out, "inputs");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < merge->input_count; i++) {
        const struct tk_merge_input *input = &merge->inputs[i];
        tk_buf_puts(out, i > 0 ? ",\n{" : "\n{");
        tk_json_put_member_str(out, "folder", tk_str_from(input->path));
        tk_json_put_key(out, "nodes");
        tk_buf_putc(out, '[');
        for (size_t k = 0; k < input->node_count; k++) {
            tk_json_put_comma(out);
            tk_json_put_str(out, tk_str_from(merge->report->nodes[input->nodes[k]].id));
        }
        tk_buf_lit(out, "]}");
    }
    tk_buf_lit(out, "]");
}

/* [[at_us, add_us, bound_us], ...]: at this time of the node's clock so much was added. */
static void put_points(const struct tk_merge_shift *shift, struct tk_buf *out)
{
    tk_json_put_key(out, "shift");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < shift->count; i++) {
        const struct tk_merge_point *point = &shift->points[i];
        tk_json_put_comma(out);
        tk_buf_printf(out, "[%lld,%lld,%lld]", (long long)point->at_us, (long long)point->add_us,
                      (long long)point->bound_us);
    }
    tk_buf_putc(out, ']');
}

static void put_nodes(const struct tk_merge *merge, struct tk_buf *out)
{
    tk_json_put_key(out, "nodes");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < merge->report->node_count; i++) {
        const struct tk_merge_node *node = &merge->report->nodes[i];
        tk_buf_puts(out, i > 0 ? ",\n{" : "\n{");
        tk_json_put_member_str(out, "node_id", tk_str_from(node->id));
        tk_json_put_member_str(out, "node_label", tk_str_from(node->label));
        tk_json_put_key(out, "host");
        if (node->host_known) {
            tk_json_put_str(out, tk_str_from(node->host));
        } else {
            tk_buf_lit(out, "null");
        }
        tk_json_put_key(out, "shifted");
        tk_buf_puts(out, node->shifted ? "true" : "false");
        tk_json_put_member_i64(out, "shift_us", node->shift_us);
        tk_json_put_key(out, "bound_us");
        if (node->bound_us >= 0) {
            tk_buf_put_i64(out, node->bound_us);
        } else {
            tk_buf_lit(out, "null");
        }
        if (merge->shifts[i])
            put_points(merge->shifts[i], out);
        tk_buf_putc(out, '}');
    }
    tk_buf_lit(out, "]");
}

static void put_pairs(const struct tk_merge_report *report, struct tk_buf *out)
{
    tk_json_put_key(out, "calls");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < report->pair_count; i++) {
        const struct tk_merge_pair *pair = &report->pairs[i];
        tk_buf_puts(out, i > 0 ? ",\n{" : "\n{");
        tk_json_put_member_str(out, "parent", tk_str_from(report->nodes[pair->parent].id));
        tk_json_put_member_str(out, "child", tk_str_from(report->nodes[pair->child].id));
        tk_json_put_member_i64(out, "calls", (int64_t)pair->calls);
        tk_json_put_member_i64(out, "violations", (int64_t)pair->violations);
        tk_json_put_member_i64(out, "worst_us", pair->worst_us);
        tk_buf_putc(out, '}');
    }
    tk_buf_lit(out, "]");
}

int tk_merge_write_manifest(struct tk_merge *merge, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, MANIFEST_MAX);
    tk_buf_putc(&out, '{');
    tk_json_put_member_str(&out, "tool_version", tk_str_from(TK_VERSION));
    put_inputs(merge, &out);
    put_nodes(merge, &out);
    put_pairs(merge->report, &out);
    tk_json_put_member_i64(&out, "duplicates", (int64_t)merge->report->duplicates);
    tk_json_put_member_i64(&out, "bad_rows", (int64_t)merge->report->bad_rows);
    tk_buf_lit(&out, "}\n");
    int rc = tk_buf_check(&out, TK_MERGE_MANIFEST, err);
    if (rc == 0)
        rc = tk_file_write(merge->out, TK_MERGE_MANIFEST, tk_buf_str(&out), 0644, err);
    if (rc == 0)
        tk_run_adopt_name(merge->out, TK_MERGE_MANIFEST);
    return rc;
}
