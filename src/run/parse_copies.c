/* SPDX-License-Identifier: Apache-2.0 */
/* Step 7 of parse: where tables come from, and those that go to cctf/ as they are. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "run/parse_internal.h"

#define DOCUMENT_MAX ((size_t)16 << 20)

/* Sources ---------------------------------------------------------------------------- */

static bool is_file(int dirfd, const char *path)
{
    struct stat st;
    return fstatat(dirfd, path, &st, 0) == 0 && S_ISREG(st.st_mode);
}

bool tk_parse_find_source(const struct tk_parse *parse, enum tk_table table,
                          char ret_path[TK_SOURCE_MAX])
{
    const struct tk_table_files *files = &tk_tables[table];
    bool in_cts =
        table == TK_TABLE_INVOCATIONS || table == TK_TABLE_PROC_METRICS || table == TK_TABLE_NODES;
    if (files->raw && (is_file(parse->in, files->raw) ||
                       (files->layout == TK_LAYOUT_LINES && tk_recording_has(parse->in, table)))) {
        (void)snprintf(ret_path, TK_SOURCE_MAX, "%s", files->raw);
        return true;
    }
    (void)snprintf(ret_path, TK_SOURCE_MAX, "cctf/%s", files->cctf ? files->cctf : ".");
    if (files->cctf && is_file(parse->in, ret_path))
        return true;
    (void)snprintf(ret_path, TK_SOURCE_MAX, "CTS/%s", files->cctf ? files->cctf : ".");
    return in_cts && is_file(parse->in, ret_path);
}

void tk_parse_note_stats(struct tk_parse *parse, const char *name,
                         const struct tk_decode_stats *stats)
{
    parse->result.bad_rows += stats->bad_rows;
    parse->result.torn += stats->torn_rows;
    if (stats->bad_rows > 0) {
        tk_parse_say(parse, TK_PARSE_WARNING, "%s: %s; %llu rows say nothing", name,
                     stats->first_bad, (unsigned long long)stats->bad_rows);
    }
    if (stats->torn_rows > 0)
        tk_parse_say(parse, TK_PARSE_WARNING, "%s: skipped a last row that was cut short", name);
}

void tk_parse_note_copy(struct tk_parse *parse, const char *name, const struct tk_copy_stats *stats)
{
    parse->result.bad_rows += stats->bad;
    parse->result.torn += stats->torn;
    if (stats->bad > 0) {
        tk_parse_say(parse, TK_PARSE_WARNING, "%s: %s; skipped %llu rows", name, stats->first_bad,
                     (unsigned long long)stats->bad);
    }
    if (stats->torn > 0)
        tk_parse_say(parse, TK_PARSE_WARNING, "%s: skipped a last row that was cut short", name);
    if (stats->late > 0) {
        tk_parse_say(parse, TK_PARSE_WARNING, "%s: %llu rows are far out of time order", name,
                     (unsigned long long)stats->late);
    }
}

/* Copies ------------------------------------------------------------------------------- */

/* Rows of the clock have no time but the one that they tell; they are few, and all of them kept. */
static const struct tk_range *range_of(const struct tk_parse *parse, enum tk_table table)
{
    return table == TK_TABLE_CLOCK ? NULL : parse->options->range;
}

int tk_parse_copy_lines(struct tk_parse *parse, enum tk_table table, struct tk_err *err)
{
    char source[TK_SOURCE_MAX];
    const struct tk_copy_options options = {parse->window_us, range_of(parse, table)};
    bool found = tk_parse_find_source(parse, table, source);
    TK_CLEANUP(tk_out_release) struct tk_out out = TK_OUT_NONE;
    struct tk_copy_stats stats = {0};
    int rc = tk_out_open(&out, parse->cctf, tk_tables[table].cctf, NULL, err);
    if (rc == 0 && found)
        rc = tk_copy_ordered(parse->in, source, &options, &out, &stats, err);
    if (rc == 0)
        rc = tk_out_close(&out, err);
    if (rc < 0)
        return rc;
    if (found)
        tk_parse_note_copy(parse, source, &stats);
    if (options.range) {
        parse->result.rows += stats.rows;
        parse->result.outside += stats.outside;
    }
    return 0;
}

static int check_document(tk_str text, struct tk_err *err)
{
    struct tk_json json;
    tk_json_init(&json, text);
    int rc = tk_json_skip(&json, NULL, err);
    return rc < 0 ? rc : tk_json_expect_end(&json, err);
}

int tk_parse_copy_document(struct tk_parse *parse, enum tk_table table, struct tk_err *err)
{
    char source[TK_SOURCE_MAX];
    if (!tk_parse_find_source(parse, table, source))
        return 0;
    TK_CLEANUP(tk_out_release) struct tk_out out = TK_OUT_NONE;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, DOCUMENT_MAX);
    int rc = tk_file_load(parse->in, source, &text, err);
    if (rc < 0)
        return rc;
    struct tk_err why;
    if (check_document(tk_buf_str(&text), &why) < 0) {
        parse->result.bad_rows++;
        tk_parse_say(parse, TK_PARSE_WARNING, "%s: %s; not copied", source, why.msg);
        return 0;
    }
    rc = tk_out_open(&out, parse->cctf, tk_tables[table].cctf, NULL, err);
    if (rc < 0)
        return rc;
    tk_out_put(&out, tk_buf_str(&text));
    return tk_out_close(&out, err);
}

/* Tables that nobody derives anything from. */
static const enum tk_table copied[] = {
    TK_TABLE_PLACEMENT_EVENTS,
    TK_TABLE_SYSTEM_STATS,
    TK_TABLE_DISK_METRICS,
    TK_TABLE_INTERRUPT_METRICS,
    TK_TABLE_NUMA_METRICS,
    TK_TABLE_FS_METRICS,
    TK_TABLE_GPU_METRICS,
    TK_TABLE_GPU_PROC_METRICS,
    TK_TABLE_CGROUP_METRICS,
    TK_TABLE_PROC_EVENTS,
    TK_TABLE_PROC_EXIT,
    TK_TABLE_THREAD_METRICS,
    TK_TABLE_PROC_CONTEXT,
    TK_TABLE_CLOCK,
    TK_TABLE_SELF,
    TK_TABLE_RUN_META,
    TK_TABLE_MODULE_INVENTORY,
    TK_TABLE_RUN,
};

static int write_module(struct tk_parse *parse, struct tk_err *err)
{
    const struct tk_parse_options *options = parse->options;
    const char *module = options->module_id ? options->module_id : "svc";
    const char *texts[TK_MODULE_INVENTORY_COUNT] = {
        [TK_MODULE_INVENTORY_APP_ID] = options->app_id ? options->app_id : "app",
        [TK_MODULE_INVENTORY_MODULE_ID] = module,
        [TK_MODULE_INVENTORY_NAME] = options->service_name ? options->service_name : module,
        [TK_MODULE_INVENTORY_TYPE] = options->module_type ? options->module_type : "MODULE",
    };
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    int rc = tk_batch_new(&tk_schema_module_inventory, 1, DOCUMENT_MAX, &batch, err);
    if (rc < 0)
        return rc;
    tk_batch_begin(batch);
    for (size_t i = 0; i < TK_MODULE_INVENTORY_COUNT; i++) {
        if (texts[i])
            tk_batch_set_text(batch, i, tk_str_from(texts[i]));
    }
    rc = tk_object_write(parse->out, tk_tables[TK_TABLE_MODULE_INVENTORY].raw, batch, err);
    if (rc == 0)
        rc = tk_object_write(parse->cctf, tk_tables[TK_TABLE_MODULE_INVENTORY].cctf, batch, err);
    return rc;
}

/* Tables without a source are left out, but the module inventory is made. */
static int copy_table(struct tk_parse *parse, enum tk_table table, struct tk_err *err)
{
    char source[TK_SOURCE_MAX];
    const struct tk_table_files *files = &tk_tables[table];
    int rc;
    if (!tk_parse_find_source(parse, table, source)) {
        if (table != TK_TABLE_MODULE_INVENTORY)
            return 0;
        rc = write_module(parse, err);
    } else if (table == TK_TABLE_RUN && parse->options->range) {
        rc = tk_parse_write_part(parse, source, err);
    } else if (files->layout == TK_LAYOUT_LINES) {
        rc = tk_parse_copy_lines(parse, table, err);
    } else {
        rc = tk_parse_copy_document(parse, table, err);
    }
    if (rc == 0) {
        tk_parse_say(parse, TK_PARSE_PROGRESS, "[parse] copied %s → %s/cctf/%s", files->raw,
                     parse->target, files->cctf);
    }
    return rc;
}

int tk_parse_copies(struct tk_parse *parse, struct tk_err *err)
{
    for (size_t i = 0; i < TK_COUNTOF(copied); i++) {
        int rc = copy_table(parse, copied[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
