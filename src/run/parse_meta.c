/* SPDX-License-Identifier: Apache-2.0 */
/* Steps 1 and 7 of parse: who recorded the run, and nodes.json, links.json from it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "run/parse_internal.h"

#define DOCUMENT_MAX ((size_t)1 << 20)
#define ARRAY_MAX    1024 /* nodes or links */
#define DEFAULT_TCK  100
#define WINDOW_US    2000000

/* Reading --------------------------------------------------------------------------- */

/* Read a single-object file; one that is missing or damaged leaves NULL. */
static int read_object(struct tk_parse *parse, enum tk_table table, struct tk_batch **ret_batch,
                       struct tk_err *err)
{
    struct tk_err why;
    const struct tk_table_files *files = &tk_tables[table];
    int rc = tk_object_read(parse->in, files->raw, files->schema, ret_batch, &why);
    if (rc == 0 || rc == -ENOENT)
        return 0;
    if (rc != -EBADMSG && rc != -EMSGSIZE) {
        *err = why;
        return rc;
    }
    parse->result.bad_rows++;
    tk_parse_say(parse, TK_PARSE_WARNING, "%s; left out", why.msg);
    return 0;
}

/* Read a document such as nodes.json into a new batch; NULL when there is none. */
static int read_array(struct tk_parse *parse, enum tk_table table, struct tk_batch **ret_batch,
                      struct tk_err *err)
{
    char path[TK_SOURCE_MAX];
    if (!tk_parse_find_source(parse, table, path))
        return 0;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    tk_buf_init(&text, DOCUMENT_MAX);
    int rc = tk_file_load(parse->in, path, &text, err);
    if (rc == 0)
        rc = tk_batch_new(tk_tables[table].schema, ARRAY_MAX, DOCUMENT_MAX, &batch, err);
    if (rc != 0)
        return rc;
    struct tk_err ignored; /* damage is told where the document is copied */
    (void)tk_objects_decode(tk_buf_str(&text), batch, &ignored);
    if (batch->rows > 0) {
        *ret_batch = batch;
        batch = NULL;
    }
    return 0;
}

/* The first row of a table file; NULL when there is none. */
static int read_first_row(struct tk_parse *parse, enum tk_table table,
                          struct tk_run_reader **ret_reader, const struct tk_batch **ret_batch,
                          struct tk_err *err)
{
    char path[TK_SOURCE_MAX];
    if (!tk_parse_find_source(parse, table, path))
        return 0;
    int rc = tk_run_reader_new(parse->in, path, tk_tables[table].schema, ret_reader, err);
    if (rc == 0)
        rc = tk_run_reader_next(*ret_reader, ret_batch, err);
    return rc < 0 ? rc : 0;
}

/* When the node was booted, by the first row of clock.jsonl. */
static int read_boot(struct tk_parse *parse, struct tk_err *err)
{
    struct tk_run_reader *reader = NULL;
    const struct tk_batch *batch = NULL;
    int rc = read_first_row(parse, TK_TABLE_CLOCK, &reader, &batch, err);
    if (rc == 0 && batch && tk_batch_has(batch, 0, TK_CLOCK_REALTIME_US) &&
        tk_batch_has(batch, 0, TK_CLOCK_BOOTTIME_US)) {
        parse->birth.boot_us = tk_batch_i64(batch, 0, TK_CLOCK_REALTIME_US, 0) -
                               tk_batch_i64(batch, 0, TK_CLOCK_BOOTTIME_US, 0);
    }
    tk_run_reader_free(reader);
    return rc;
}

/* Deltas of CPU time over less than the source can tell. */
static void warn_of_interval(struct tk_parse *parse, int64_t interval_ms)
{
    int64_t good_ms = tk_batch_i64(parse->run, 0, TK_RUN_MIN_GOOD_INTERVAL_MS, 0);
    if (interval_ms <= 0 || interval_ms >= good_ms)
        return;
    tk_parse_say(parse, TK_PARSE_WARNING,
                 "processes were read every %lld ms, but CPU time over less than %lld ms is not "
                 "good to 2 %%: add it up over longer spans (record --exact tells it to the "
                 "moment)",
                 (long long)interval_ms, (long long)good_ms);
}

static void read_run(struct tk_parse *parse)
{
    parse->birth = (struct tk_birth){.clk_tck = DEFAULT_TCK, .boot_us = INT64_MIN};
    parse->start_us = INT64_MIN;
    parse->window_us = WINDOW_US;
    if (!parse->run)
        return;
    int64_t tck = tk_batch_i64(parse->run, 0, TK_RUN_CLK_TCK, DEFAULT_TCK);
    if (tck > 0 && tck <= 1000000)
        parse->birth.clk_tck = tck;
    int64_t start_ms = tk_batch_i64(parse->run, 0, TK_RUN_START_MS, -1);
    if (start_ms >= 0 && start_ms < INT64_MAX / 1000)
        parse->start_us = start_ms * 1000;
    int64_t interval_ms = tk_batch_i64(parse->run, 0, TK_RUN_INTERVAL_REQUESTED_MS, 0);
    if (interval_ms > 0 && interval_ms < 86400000)
        parse->window_us += 2 * interval_ms * 1000;
    warn_of_interval(parse, interval_ms);
}

/* Of a part the processes are followed from its begin on. */
static int begin_range(struct tk_parse *parse, struct tk_err *err)
{
    parse->range = parse->options->range ? *parse->options->range : TK_RANGE_ALL;
    if (parse->options->range && parse->rawlog) {
        return tk_fail(err, -EOPNOTSUPP,
                       "%s: raw logs cannot be parsed in part: 'tracekit import' makes tables of "
                       "them first",
                       parse->folder);
    }
    if (parse->range.from_us > parse->start_us)
        parse->start_us = parse->range.from_us;
    return 0;
}

/* Identity --------------------------------------------------------------------------- */

/* Keep the first of several candidates that is not empty. */
static void keep_first(char *to, size_t cap, tk_str candidate)
{
    if (!*to && candidate.n > 0)
        (void)tk_str_to_cstr(candidate, to, cap);
}

/* What the folder itself says of its node when there is no node_meta.json. */
static int guess_identity(struct tk_parse *parse, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *nodes = NULL;
    struct tk_run_reader *reader = NULL;
    const struct tk_batch *rows = NULL;
    int rc = read_array(parse, TK_TABLE_NODES, &nodes, err);
    if (rc == 0)
        rc = read_first_row(parse, TK_TABLE_HOST_METRICS, &reader, &rows, err);
    if (nodes) {
        keep_first(parse->node, sizeof(parse->node), tk_batch_text(nodes, 0, TK_NODES_NODE_ID));
        keep_first(parse->stage, sizeof(parse->stage), tk_batch_text(nodes, 0, TK_NODES_STAGE));
    }
    if (parse->run)
        keep_first(parse->node, sizeof(parse->node), tk_batch_text(parse->run, 0, TK_RUN_NODE));
    if (rows) {
        keep_first(parse->node, sizeof(parse->node), tk_batch_text(rows, 0, TK_HOST_METRICS_NODE));
        keep_first(parse->stage, sizeof(parse->stage),
                   tk_batch_text(rows, 0, TK_HOST_METRICS_STAGE));
    }
    tk_run_reader_free(reader);
    return rc;
}

/* The folder beats the environment, and both beat what the logs and this machine are called. */
static int find_identity(struct tk_parse *parse, struct tk_err *err)
{
    const struct tk_batch *meta = parse->node_meta;
    if (meta) {
        keep_first(parse->node, sizeof(parse->node), tk_batch_text(meta, 0, TK_NODE_META_NODE));
        keep_first(parse->stage, sizeof(parse->stage), tk_batch_text(meta, 0, TK_NODE_META_STAGE));
    }
    int rc = meta ? 0 : guess_identity(parse, err);
    if (rc < 0)
        return rc;
    keep_first(parse->node, sizeof(parse->node), tk_str_from(parse->options->node));
    keep_first(parse->stage, sizeof(parse->stage), tk_str_from(parse->options->stage));
    if (parse->rawlog) {
        keep_first(parse->node, sizeof(parse->node),
                   tk_str_from(tk_rawlog_facts(parse->rawlog)->host));
    }

    char host[256] = "";
    (void)gethostname(host, sizeof(host) - 1);
    keep_first(parse->node, sizeof(parse->node), tk_str_from(host));
    keep_first(parse->stage, sizeof(parse->stage), TK_STR("cloud"));
    if (!meta) {
        tk_parse_say(parse, TK_PARSE_WARNING,
                     "node_meta.json is missing: taken to be node '%s', stage '%s'", parse->node,
                     parse->stage);
    }
    return 0;
}

/* The logs of an old run. Of a run that we recorded, host and link rows are there already. */
static int open_rawlog(struct tk_parse *parse, struct tk_err *err)
{
    struct tk_rawlog_options options = {.run_id = tk_run_path_name(tk_str_from(parse->folder))};
    struct tk_err why;
    if (parse->run)
        return 0;
    if (parse->node_meta && tk_batch_has(parse->node_meta, 0, TK_NODE_META_RUN_ID))
        options.run_id = tk_batch_text(parse->node_meta, 0, TK_NODE_META_RUN_ID);
    int rc = tk_rawlog_new(parse->in, &options, &parse->rawlog, &why);
    if (rc == -ENOENT || rc == 0)
        return 0;
    *err = why;
    return rc;
}

int tk_parse_meta(struct tk_parse *parse, struct tk_err *err)
{
    int rc = read_object(parse, TK_TABLE_NODE_META, &parse->node_meta, err);
    if (rc == 0)
        rc = read_object(parse, TK_TABLE_LINK_META, &parse->link_meta, err);
    if (rc == 0)
        rc = read_object(parse, TK_TABLE_RUN, &parse->run, err);
    if (rc < 0)
        return rc;
    read_run(parse);
    rc = read_boot(parse, err);
    if (rc == 0)
        rc = open_rawlog(parse, err);
    if (rc == 0)
        rc = begin_range(parse, err);
    if (rc == 0)
        rc = find_identity(parse, err);
    if (rc < 0)
        return rc;
    struct tk_decode_stats stats;
    const char *name = tk_tables[TK_TABLE_PROC_EXIT].raw;
    return tk_exits_read(&parse->exits, parse->in, name, &parse->birth, &stats, err);
}

/* nodes.json, links.json ---------------------------------------------------------------- */

/* Set the columns of `to` that `from` has under the same name. */
static void copy_columns(struct tk_batch *to, const struct tk_batch *from)
{
    for (size_t c = 0; c < to->schema->column_count; c++) {
        const struct tk_column *column = &to->schema->columns[c];
        size_t source = tk_schema_find(from->schema, tk_str_from(column->name), c);
        if (source == from->schema->column_count || !tk_batch_has(from, 0, source))
            continue;
        tk_batch_copy_value(to, c, tk_batch_at(from, 0, source));
    }
}

/* Without node_meta.json the nodes.json that is there says more than we know. */
static bool keep_document(struct tk_parse *parse, enum tk_table table, const struct tk_batch *meta)
{
    char path[TK_SOURCE_MAX];
    return !meta && tk_parse_find_source(parse, table, path);
}

/* What the heads of old logs say of the node. */
static void set_facts(struct tk_batch *nodes, const struct tk_rawlog_facts *facts)
{
    if (facts->cpus > 0)
        tk_batch_set_i64(nodes, TK_NODES_CPU_CORES, facts->cpus);
    if (*facts->host)
        tk_batch_set_text(nodes, TK_NODES_HOST, tk_str_from(facts->host));
    if (*facts->arch)
        tk_batch_set_text(nodes, TK_NODES_ARCH, tk_str_from(facts->arch));
    if (*facts->kernel)
        tk_batch_set_text(nodes, TK_NODES_KERNEL, tk_str_from(facts->kernel));
}

/* The columns that generation 2 knows; the others are dropped from `nodes`. */
static int write_cts_nodes(struct tk_parse *parse, struct tk_batch *nodes, struct tk_err *err)
{
    if (parse->cts < 0)
        return 0;
    for (size_t row = 0; row < nodes->rows; row++)
        nodes->present[row] &= (1ULL << TK_NODES_HOST) - 1;
    return tk_objects_write(parse->cts, tk_tables[TK_TABLE_NODES].cctf, nodes, err);
}

static int write_nodes(struct tk_parse *parse, struct tk_err *err)
{
    const char *name = tk_tables[TK_TABLE_NODES].cctf;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *nodes = NULL;
    int rc = tk_batch_new(&tk_schema_nodes, 1, DOCUMENT_MAX, &nodes, err);
    if (rc < 0)
        return rc;
    tk_batch_begin(nodes);
    if (parse->node_meta) {
        copy_columns(nodes, parse->node_meta);
    } else if (parse->run) {
        copy_columns(nodes, parse->run);
    } else if (parse->rawlog) {
        set_facts(nodes, tk_rawlog_facts(parse->rawlog));
    }
    tk_batch_set_text(nodes, TK_NODES_NODE_ID, tk_str_from(parse->node));
    tk_batch_set_text(nodes, TK_NODES_STAGE, tk_str_from(parse->stage));
    rc = tk_objects_write(parse->cctf, name, nodes, err);
    return rc < 0 ? rc : write_cts_nodes(parse, nodes, err);
}

static int keep_nodes(struct tk_parse *parse, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *nodes = NULL;
    int rc = read_array(parse, TK_TABLE_NODES, &nodes, err);
    if (rc == 0)
        rc = tk_parse_copy_document(parse, TK_TABLE_NODES, err);
    return rc < 0 || !nodes ? rc : write_cts_nodes(parse, nodes, err);
}

/* The highest rates of the run's NIC, unless link_meta.json has them. */
static int find_peaks(struct tk_parse *parse, struct tk_batch *links, struct tk_err *err)
{
    struct tk_run_reader *reader;
    const struct tk_batch *batch;
    char nic[sizeof(parse->node) + sizeof(".nic")];
    int64_t rx = -1;
    int64_t tx = -1;
    int rc = tk_run_reader_new(parse->cctf, tk_tables[TK_TABLE_LINK_METRICS].cctf,
                               &tk_schema_link_metrics, &reader, err);
    if (rc < 0)
        return rc;
    (void)snprintf(nic, sizeof(nic), "%s.nic", parse->node);
    while ((rc = tk_run_reader_next(reader, &batch, err)) == 0) {
        for (size_t row = 0; row < batch->rows; row++) {
            if (!tk_str_eq(tk_batch_text(batch, row, TK_LINK_METRICS_LINK), tk_str_from(nic)))
                continue;
            int64_t row_rx = tk_batch_i64(batch, row, TK_LINK_METRICS_RX_BPS, -1);
            int64_t row_tx = tk_batch_i64(batch, row, TK_LINK_METRICS_TX_BPS, -1);
            rx = row_rx > rx ? row_rx : rx;
            tx = row_tx > tx ? row_tx : tx;
        }
    }
    tk_run_reader_free(reader);
    if (rx >= 0 && !tk_batch_has(links, 0, TK_LINKS_PEAK_RX_BPS))
        tk_batch_set_i64(links, TK_LINKS_PEAK_RX_BPS, rx);
    if (tx >= 0 && !tk_batch_has(links, 0, TK_LINKS_PEAK_TX_BPS))
        tk_batch_set_i64(links, TK_LINKS_PEAK_TX_BPS, tx);
    return rc < 0 ? rc : 0;
}

static int write_links(struct tk_parse *parse, struct tk_err *err)
{
    char network[sizeof(parse->node) + sizeof(".net")];
    TK_CLEANUP(tk_batch_freep) struct tk_batch *links = NULL;
    int rc = tk_batch_new(&tk_schema_links, 1, DOCUMENT_MAX, &links, err);
    if (rc < 0)
        return rc;
    (void)snprintf(network, sizeof(network), "%s.net", parse->node);
    tk_batch_begin(links);
    if (parse->link_meta)
        copy_columns(links, parse->link_meta);
    tk_batch_set_text(links, TK_LINKS_U, tk_str_from(parse->node));
    tk_batch_set_text(links, TK_LINKS_V, tk_str_from(network));
    rc = find_peaks(parse, links, err);
    return rc < 0 ? rc : tk_objects_write(parse->cctf, tk_tables[TK_TABLE_LINKS].cctf, links, err);
}

/* A part of a run --------------------------------------------------------------------- */

/* "a part of the run, from 2026-11-21T09:00:00Z to ..." before the notices that there are. */
static int add_notice(const struct tk_range *range, const struct tk_batch *whole,
                      struct tk_batch *part, struct tk_err *err)
{
    char times[TK_RANGE_TEXT_MAX];
    char text[TK_RANGE_TEXT_MAX + 128];
    struct tk_list before = {0};
    if (tk_batch_has(whole, 0, TK_RUN_NOTICES))
        before = tk_batch_at(whole, 0, TK_RUN_NOTICES)->list;
    tk_str *notices = calloc(before.n + 1, sizeof(*notices));
    if (!notices)
        return tk_fail(err, -ENOMEM, "run.json: out of memory");
    (void)snprintf(text, sizeof(text),
                   "a part of the run, %s: totals in run.json and of its command are of the whole",
                   tk_range_format(range, times));
    notices[0] = tk_str_from(text);
    for (size_t i = 0; i < before.n; i++)
        notices[i + 1] = ((const tk_str *)before.items)[i];
    tk_batch_set_text_list(part, TK_RUN_NOTICES, notices, before.n + 1);
    free(notices);
    return 0;
}

int tk_parse_write_part(struct tk_parse *parse, const char *source, struct tk_err *err)
{
    const struct tk_range *range = &parse->range;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *whole = NULL;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *run = NULL;
    int rc = tk_object_read(parse->in, source, &tk_schema_run, &whole, err);
    if (rc == -EBADMSG || rc == -EMSGSIZE)
        return tk_parse_copy_document(parse, TK_TABLE_RUN, err); /* which tells */
    if (rc < 0)
        return rc;
    rc = tk_batch_new(&tk_schema_run, 1, DOCUMENT_MAX, &run, err);
    if (rc < 0)
        return rc;
    tk_batch_begin(run);
    whole->present[0] &= ~(1ULL << TK_RUN_OWN_CPU_MS); /* self.jsonl has that of the part */
    copy_columns(run, whole);
    rc = add_notice(range, whole, run, err);
    if (rc < 0)
        return rc;
    if (tk_batch_i64(run, 0, TK_RUN_START_MS, INT64_MAX) < range->from_us / 1000)
        tk_batch_set_i64(run, TK_RUN_START_MS, range->from_us / 1000);
    if (tk_batch_i64(run, 0, TK_RUN_STOP_MS, INT64_MIN) > range->to_us / 1000)
        tk_batch_set_i64(run, TK_RUN_STOP_MS, range->to_us / 1000);
    return tk_object_write(parse->cctf, tk_tables[TK_TABLE_RUN].cctf, run, err);
}

int tk_parse_nodes(struct tk_parse *parse, struct tk_err *err)
{
    int rc = keep_document(parse, TK_TABLE_NODES, parse->node_meta) ? keep_nodes(parse, err)
                                                                    : write_nodes(parse, err);
    if (rc < 0)
        return rc;
    return keep_document(parse, TK_TABLE_LINKS, parse->link_meta)
               ? tk_parse_copy_document(parse, TK_TABLE_LINKS, err)
               : write_links(parse, err);
}
