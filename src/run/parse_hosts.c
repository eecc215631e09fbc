/* SPDX-License-Identifier: Apache-2.0 */
/* Step 4 of parse: host and link rows, copied when our collector wrote them, else made from the raw
 * logs of an old run. */
#include <errno.h>
#include <sys/stat.h>

#include "run/parse_internal.h"

/* Where rows made from raw logs go. */
struct derived {
    struct tk_out host;     /* in cctf/ */
    struct tk_out link;     /* in cctf/ */
    struct tk_out raw_host; /* in the run folder, unless there is one */
    struct tk_out raw_link;
};

static int take(void *context, enum tk_table table, const struct tk_batch *batch,
                struct tk_err *err)
{
    struct derived *derived = context;
    struct tk_out *outs[2] = {&derived->host, &derived->raw_host};
    if (table == TK_TABLE_LINK_METRICS) {
        outs[0] = &derived->link;
        outs[1] = &derived->raw_link;
    }
    for (size_t i = 0; i < TK_COUNTOF(outs); i++) {
        if (outs[i]->fd >= 0)
            tk_out_put_rows(outs[i], batch);
    }
    (void)err; /* tk_out_close() tells */
    return 0;
}

/* Begin the table in cctf/, and as raw file unless that is there. */
static int open_pair(const struct tk_parse *parse, enum tk_table table, struct tk_out *cctf,
                     struct tk_out *raw, struct tk_err *err)
{
    struct stat st;
    const struct tk_table_files *files = &tk_tables[table];
    int rc = tk_out_open(cctf, parse->cctf, files->cctf, NULL, err);
    if (rc == 0 && fstatat(parse->in, files->raw, &st, 0) < 0)
        rc = tk_out_open(raw, parse->out, files->raw, NULL, err);
    return rc;
}

static int close_pair(struct tk_out *cctf, struct tk_out *raw, struct tk_err *err)
{
    int rc = tk_out_close(cctf, err);
    return rc < 0 || raw->fd < 0 ? rc : tk_out_close(raw, err);
}

static void release(struct derived *derived)
{
    tk_out_release(&derived->host);
    tk_out_release(&derived->link);
    tk_out_release(&derived->raw_host);
    tk_out_release(&derived->raw_link);
}

static struct tk_rawlog_node node_of(const struct tk_parse *parse)
{
    const struct tk_rawlog_facts *facts = tk_rawlog_facts(parse->rawlog);
    struct tk_rawlog_node node = {.node = tk_str_from(parse->node),
                                  .stage = tk_str_from(parse->stage),
                                  .host = tk_str_from(facts->host)};
    if (!parse->node_meta)
        return node;
    if (tk_batch_has(parse->node_meta, 0, TK_NODE_META_HOST))
        node.host = tk_batch_text(parse->node_meta, 0, TK_NODE_META_HOST);
    node.iface = tk_batch_text(parse->node_meta, 0, TK_NODE_META_IFACE);
    return node;
}

static int read_logs(struct tk_parse *parse, struct derived *derived, struct tk_err *err)
{
    struct tk_rawlog_node node = node_of(parse);
    struct tk_rows *rows;
    int rc = tk_rows_new((struct tk_sink){take, derived}, &rows, err);
    if (rc < 0)
        return rc;
    rc = tk_rawlog_read(parse->rawlog, &node, rows, err);
    if (rc == 0)
        rc = tk_rows_flush(rows, err);
    tk_rows_free(rows);
    return rc;
}

static void note_log(struct tk_parse *parse, enum tk_rawlog_kind kind)
{
    const struct tk_rawlog_stats *stats = tk_rawlog_stats(parse->rawlog, kind);
    const char *name = tk_rawlog_name(kind);
    parse->result.bad_rows += stats->bad;
    parse->result.torn += stats->torn;
    if (stats->bad > 0) {
        tk_parse_say(parse, TK_PARSE_WARNING, "%s; skipped %llu lines", stats->first_bad.msg,
                     (unsigned long long)stats->bad);
    }
    if (stats->torn > 0)
        tk_parse_say(parse, TK_PARSE_WARNING, "%s: skipped a last line that was cut short", name);
    if (stats->gaps > 0 || stats->steps > 0) {
        tk_parse_say(parse, TK_PARSE_WARNING,
                     "%s: %llu gaps of more than 1.5 intervals, %llu steps back in time", name,
                     (unsigned long long)stats->gaps, (unsigned long long)stats->steps);
    }
}

static void note_logs(struct tk_parse *parse)
{
    struct tk_rawlog_notices notices = tk_rawlog_notices(parse->rawlog);
    for (int kind = 0; kind < TK_RAWLOG_KINDS; kind++)
        note_log(parse, (enum tk_rawlog_kind)kind);
    if (notices.meridiem_as_utc || notices.zone_as_utc) {
        tk_parse_say(parse, TK_PARSE_WARNING,
                     "the logs hold times of another zone, taken as UTC; tracekit import has a "
                     "choice");
    }
    if (notices.reference == TK_RAWLOG_BY_MTIME) {
        tk_parse_say(parse, TK_PARSE_WARNING,
                     "no log tells the date: guessed from when the files were last written");
    }
}

static int derive(struct tk_parse *parse, struct tk_err *err)
{
    TK_CLEANUP(release)
    struct derived derived = {TK_OUT_NONE, TK_OUT_NONE, TK_OUT_NONE, TK_OUT_NONE};
    int rc = open_pair(parse, TK_TABLE_HOST_METRICS, &derived.host, &derived.raw_host, err);
    if (rc == 0)
        rc = open_pair(parse, TK_TABLE_LINK_METRICS, &derived.link, &derived.raw_link, err);
    if (rc == 0)
        rc = read_logs(parse, &derived, err);
    if (rc == 0)
        rc = close_pair(&derived.host, &derived.raw_host, err);
    if (rc == 0)
        rc = close_pair(&derived.link, &derived.raw_link, err);
    if (rc == 0)
        note_logs(parse);
    return rc;
}

/* People and old tools look for links.jsonl beside the events. */
static void say_links(struct tk_parse *parse)
{
    struct stat st;
    const struct tk_table_files *files = &tk_tables[TK_TABLE_LINK_METRICS];
    bool raw = fstatat(parse->out, files->raw, &st, 0) == 0;
    tk_parse_say(parse, TK_PARSE_PROGRESS, "[parse] links → %s/%s%s", parse->target,
                 raw ? "" : "cctf/", raw ? files->raw : files->cctf);
}

int tk_parse_hosts(struct tk_parse *parse, struct tk_err *err)
{
    int rc;
    if (parse->rawlog) {
        rc = derive(parse, err);
    } else {
        rc = tk_parse_copy_lines(parse, TK_TABLE_HOST_METRICS, err);
        if (rc == 0)
            rc = tk_parse_copy_lines(parse, TK_TABLE_LINK_METRICS, err);
    }
    if (rc == 0)
        say_links(parse);
    return rc;
}
