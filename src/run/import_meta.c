/* SPDX-License-Identifier: Apache-2.0 */
/* Who recorded an old run: node_meta.json beats nodes.json (which generation 2 rounded), and both
 * beat what the heads of the logs, the options and the name of the folder tell. */
#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "run/import_internal.h"
#include "run/run_internal.h"

#define DOCUMENT_MAX ((size_t)1 << 20)

#define NS_PER_MS 1000000

/* Documents -------------------------------------------------------------------------- */

/* Read a document of one object into a new batch; a missing or damaged one leaves NULL. */
static int read_object(struct tk_import *import, enum tk_table table, struct tk_batch **ret_batch,
                       struct tk_err *err)
{
    const struct tk_table_files *files = &tk_tables[table];
    int rc = tk_object_read(import->in, files->raw, files->schema, ret_batch, err);
    if (rc == -ENOENT)
        return 0;
    if (rc != -EBADMSG && rc != -EMSGSIZE)
        return rc;
    tk_import_say(import, "%s; left out", err->msg);
    return 0;
}

/* Read the first object of nodes.json or links.json below cctf/ or CTS/; NULL when there is none.
 */
static int read_first(struct tk_import *import, enum tk_table table, struct tk_batch **ret_batch,
                      struct tk_err *err)
{
    static const char *const folders[] = {"cctf", "CTS"};
    for (size_t i = 0; i < TK_COUNTOF(folders); i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "%s/%s", folders[i], tk_tables[table].cctf);
        TK_CLEANUP(tk_buf_release) struct tk_buf text;
        TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
        tk_buf_init(&text, DOCUMENT_MAX);
        int rc = tk_file_load(import->in, path, &text, err);
        if (rc == -ENOENT || rc == -ENOTDIR)
            continue;
        if (rc == 0)
            rc = tk_batch_new(tk_tables[table].schema, 1, DOCUMENT_MAX, &batch, err);
        if (rc < 0 || !batch)
            return rc;
        struct tk_err ignored;
        if (tk_objects_decode(tk_buf_str(&text), batch, &ignored) == 0 && batch->rows > 0) {
            *ret_batch = batch;
            batch = NULL;
            return 0;
        }
        tk_import_say(import, "%s: no array of objects; left out", path);
    }
    return 0;
}

/* Set a number that `from` has, unless there is one. */
static void set_number(struct tk_batch *to, size_t column, const struct tk_batch *from,
                       size_t source)
{
    if (!tk_batch_has(to, 0, column) && tk_batch_has(from, 0, source))
        tk_batch_set_i64(to, column, tk_batch_at(from, 0, source)->i64);
}

/* Set a text unless there is one. */
static void set_text(struct tk_batch *to, size_t column, tk_str text)
{
    if (!tk_batch_has(to, 0, column) && text.n > 0)
        tk_batch_set_text(to, column, text);
}

/* The node ---------------------------------------------------------------------------- */

static void take_nodes(struct tk_batch *meta, const struct tk_batch *nodes)
{
    static const struct {
        size_t column;
        size_t source;
    } texts[] = {{TK_NODE_META_NODE, TK_NODES_NODE_ID},
                 {TK_NODE_META_STAGE, TK_NODES_STAGE},
                 {TK_NODE_META_HOST, TK_NODES_HOST},
                 {TK_NODE_META_CPU_MODEL, TK_NODES_CPU_MODEL}},
      numbers[] = {{TK_NODE_META_CPU_CORES, TK_NODES_CPU_CORES},
                   {TK_NODE_META_MEM_MB, TK_NODES_MEM_MB},
                   {TK_NODE_META_CPU_FREQ_MHZ, TK_NODES_CPU_FREQ_MHZ}};
    for (size_t i = 0; i < TK_COUNTOF(texts); i++)
        set_text(meta, texts[i].column, tk_batch_text(nodes, 0, texts[i].source));
    for (size_t i = 0; i < TK_COUNTOF(numbers); i++)
        set_number(meta, numbers[i].column, nodes, numbers[i].source);
}

/* "R(c0)" is node "c0" of run "R". */
static void split_name(tk_str name, tk_str *ret_run, tk_str *ret_node)
{
    size_t open = tk_str_find(name, '(');
    *ret_run = open > 0 ? (tk_str){name.p, open} : name;
    *ret_node = (tk_str){NULL, 0};
    if (open + 2 < name.n && name.p[name.n - 1] == ')')
        *ret_node = (tk_str){name.p + open + 1, name.n - open - 2};
}

static void take_facts(struct tk_import *import)
{
    struct tk_batch *meta = import->node_meta;
    const struct tk_rawlog_facts *facts = tk_rawlog_facts(import->rawlog);
    tk_str host = tk_str_from(facts->host);
    tk_str known = tk_batch_text(meta, 0, TK_NODE_META_HOST);
    if (known.n > 0 && host.n > 0 && !tk_str_eq(known, host)) {
        tk_import_say(import, "cpu.log is of host '%s', the node's host is '%.*s'; kept the latter",
                      facts->host, TK_STR_ARG(known));
    }
    set_text(meta, TK_NODE_META_HOST, host);
    set_text(meta, TK_NODE_META_NODE, host);
    set_text(meta, TK_NODE_META_KERNEL, tk_str_from(facts->kernel));
    set_text(meta, TK_NODE_META_ARCH, tk_str_from(facts->arch));
    if (facts->iface_count > 0)
        set_text(meta, TK_NODE_META_IFACE, tk_str_from(facts->ifaces[0]));
    if (facts->cpus > 0 && !tk_batch_has(meta, 0, TK_NODE_META_CPU_CORES))
        tk_batch_set_i64(meta, TK_NODE_META_CPU_CORES, facts->cpus);
}

/* Fill what every node has. 0 is the word of the format for "unknown". */
static void take_defaults(struct tk_import *import)
{
    struct tk_batch *meta = import->node_meta;
    static const size_t numbers[] = {TK_NODE_META_CPU_CORES, TK_NODE_META_MEM_MB,
                                     TK_NODE_META_CPU_FREQ_MHZ};
    tk_str run;
    tk_str node;
    split_name(tk_run_path_name(tk_str_from(import->options->from)), &run, &node);
    set_text(meta, TK_NODE_META_RUN_ID, run);
    set_text(meta, TK_NODE_META_NODE, node);
    set_text(meta, TK_NODE_META_NODE, TK_STR("unknown"));
    set_text(meta, TK_NODE_META_STAGE, TK_STR("cloud"));
    for (size_t i = 0; i < TK_COUNTOF(numbers); i++) {
        if (!tk_batch_has(meta, 0, numbers[i]))
            tk_batch_set_i64(meta, numbers[i], 0);
    }
}

/* Say what was assumed, and about which nothing is known. */
static void say_node(struct tk_import *import)
{
    const struct tk_batch *meta = import->node_meta;
    if (import->report.node_from == TK_IMPORT_NODE_META)
        return;
    bool made = import->report.node_from == TK_IMPORT_NODE_MADE;
    tk_str node = tk_batch_text(meta, 0, TK_NODE_META_NODE);
    bool no_cores = tk_batch_i64(meta, 0, TK_NODE_META_CPU_CORES, 0) == 0;
    bool no_memory = tk_batch_i64(meta, 0, TK_NODE_META_MEM_MB, 0) == 0;
    tk_import_say(import, "node_meta.json is missing: %s node '%.*s'%s%s%s",
                  made ? "made one for" : "took nodes.json of", TK_STR_ARG(node),
                  no_cores ? ", unknown number of CPUs" : "",
                  no_memory ? ", unknown size of memory" : "",
                  made ? "" : " (its figures may be rounded)");
}

static void copy_name(char to[TK_RAWLOG_NAME_MAX], tk_str text)
{
    (void)snprintf(to, TK_RAWLOG_NAME_MAX, "%.*s", TK_STR_ARG(text));
}

static void fill_report(struct tk_import *import)
{
    const struct tk_batch *meta = import->node_meta;
    struct tk_import_report *report = &import->report;
    copy_name(report->run_id, tk_batch_text(meta, 0, TK_NODE_META_RUN_ID));
    copy_name(report->node, tk_batch_text(meta, 0, TK_NODE_META_NODE));
    copy_name(report->stage, tk_batch_text(meta, 0, TK_NODE_META_STAGE));
    copy_name(report->host, tk_batch_text(meta, 0, TK_NODE_META_HOST));
    report->cpu_cores = tk_batch_i64(meta, 0, TK_NODE_META_CPU_CORES, 0);
    report->mem_mb = tk_batch_i64(meta, 0, TK_NODE_META_MEM_MB, 0);
}

int tk_import_find_node(struct tk_import *import, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *nodes = NULL;
    int rc = read_object(import, TK_TABLE_NODE_META, &import->node_meta, err);
    if (rc < 0)
        return rc;
    if (!import->node_meta) {
        rc = tk_batch_new(&tk_schema_node_meta, 1, DOCUMENT_MAX, &import->node_meta, err);
        if (rc == 0)
            rc = read_first(import, TK_TABLE_NODES, &nodes, err);
        if (rc < 0)
            return rc;
        tk_batch_begin(import->node_meta);
        import->report.node_from = nodes ? TK_IMPORT_NODES_JSON : TK_IMPORT_NODE_MADE;
    }
    if (nodes)
        take_nodes(import->node_meta, nodes);
    set_text(import->node_meta, TK_NODE_META_NODE, tk_str_from(import->options->node));
    set_text(import->node_meta, TK_NODE_META_STAGE, tk_str_from(import->options->stage));
    if (import->rawlog)
        take_facts(import);
    take_defaults(import);
    say_node(import);
    fill_report(import);
    return 0;
}

/* Writing ------------------------------------------------------------------------------ */

/* link_meta.json, else from links.json, else what net.log says: the NIC. */
static int write_link(struct tk_import *import, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *link = NULL;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *links = NULL;
    int rc = read_object(import, TK_TABLE_LINK_META, &link, err);
    if (rc == 0 && !link) {
        rc = tk_batch_new(&tk_schema_link_meta, 1, DOCUMENT_MAX, &link, err);
        if (rc == 0)
            rc = read_first(import, TK_TABLE_LINKS, &links, err);
        if (rc == 0)
            tk_batch_begin(link);
    }
    if (rc < 0)
        return rc;
    if (links) {
        set_number(link, TK_LINK_META_BW_BPS, links, TK_LINKS_BW_BPS);
        if (tk_batch_has(links, 0, TK_LINKS_PR_S))
            tk_batch_set_f64(link, TK_LINK_META_PR_S, tk_batch_f64(links, 0, TK_LINKS_PR_S, 0));
    }
    set_text(link, TK_LINK_META_IFACE, tk_batch_text(import->node_meta, 0, TK_NODE_META_IFACE));
    return tk_object_write(import->out, tk_tables[TK_TABLE_LINK_META].raw, link, err);
}

int tk_import_write_meta(struct tk_import *import, struct tk_err *err)
{
    const char *name = tk_tables[TK_TABLE_NODE_META].raw;
    int rc = tk_object_write(import->out, name, import->node_meta, err);
    return rc < 0 ? rc : write_link(import, err);
}

/* The interval of the logs; 0 = unknown. */
static int64_t log_interval_ms(const struct tk_import_report *report)
{
    for (size_t i = 0; i < TK_RAWLOG_KINDS; i++) {
        if (report->logs[i].interval_ns > 0)
            return report->logs[i].interval_ns / NS_PER_MS;
    }
    return 0;
}

int tk_import_write_run(struct tk_import *import, struct tk_err *err)
{
    const struct tk_import_report *report = &import->report;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *run = NULL;
    int rc = tk_batch_new(&tk_schema_run, 1, DOCUMENT_MAX, &run, err);
    if (rc < 0)
        return rc;
    int64_t rows = 0;
    for (size_t i = 0; i < TK_TABLE_COUNT; i++)
        rows += report->rows[i];
    tk_batch_begin(run);
    tk_batch_set_i64(run, TK_RUN_SCHEMA_VERSION, 2);
    tk_batch_set_text(run, TK_RUN_TOOL_VERSION, TK_STR(TK_VERSION));
    tk_batch_set_text(run, TK_RUN_RUN_ID, tk_str_from(report->run_id));
    tk_batch_set_text(run, TK_RUN_NODE, tk_str_from(report->node));
    tk_batch_set_text(run, TK_RUN_HOST, tk_str_from(report->host));
    tk_batch_set_i64(run, TK_RUN_START_MS, report->first_ms);
    tk_batch_set_i64(run, TK_RUN_STOP_MS, report->last_ms);
    set_text(run, TK_RUN_KERNEL, tk_batch_text(import->node_meta, 0, TK_NODE_META_KERNEL));
    if (log_interval_ms(report) > 0)
        tk_batch_set_i64(run, TK_RUN_HOST_INTERVAL_MS, log_interval_ms(report));
    tk_batch_set_i64(run, TK_RUN_ROWS, rows);
    tk_batch_set_text_list(run, TK_RUN_NOTICES, import->notices, import->notice_count);
    return tk_object_write(import->out, tk_tables[TK_TABLE_RUN].raw, run, err);
}
