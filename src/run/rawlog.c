/* SPDX-License-Identifier: Apache-2.0 */
#include "run/rawlog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/number.h"
#include "run/lines.h"
#include "run/rawlog_dates.h"

#define HEAD_LINES     64   /* a head that says nothing within these says nothing */
#define DISTANCE_MAX_S 3600 /* longer distances are no interval of a log */
#define LINK_MAX       512  /* bytes of the name of a link */

static const char *const names[TK_RAWLOG_KINDS] = {"cpu.log", "mem.log", "net.log"};

/* One log on its way: the line reader, the parser, the dates, and the row that comes next. */
struct source {
    struct tk_rawlog *rawlog;
    struct tk_lines lines;
    struct tk_rawlog_parser parser;
    struct tk_rawlog_dates dates;
    struct tk_rawlog_stats stats;
    bool banner_unused; /* a banner came, its header did not yet */
    bool has_row;
    struct tk_rawlog_row row;
    int64_t row_s;                          /* epoch seconds of `row` */
    int64_t last_s;                         /* of the row before */
    uint32_t distances[DISTANCE_MAX_S + 1]; /* how often rows lay so many seconds apart */
    uint64_t long_distances;                /* ... more than that */
};

struct tk_rawlog {
    int dirfd; /* borrowed */
    bool local_time;
    bool zone_known; /* mem.log names a zone, and it is not UTC */
    struct tk_rawlog_facts facts;
    struct tk_rawlog_notices notices;
    struct source sources[TK_RAWLOG_KINDS];
};

const char *tk_rawlog_name(enum tk_rawlog_kind kind)
{
    return names[kind];
}

/* Times --------------------------------------------------------------------------- */

/* 24-hour times are UTC, as the collectors asked for, unless mem.log names another zone. Times with
 * AM or PM come from a locale, and so from the zone of that machine. Either is local only when the
 * caller says which zone that is. */
static bool is_local(struct tk_rawlog *rawlog, bool meridiem)
{
    if (rawlog->local_time)
        return meridiem || rawlog->zone_known;
    rawlog->notices.meridiem_as_utc |= meridiem;
    rawlog->notices.zone_as_utc |= rawlog->zone_known;
    return false;
}

static int64_t to_utc(struct source *source, int64_t stamp_s, bool meridiem)
{
    bool local = is_local(source->rawlog, meridiem);
    return local ? tk_rawlog_dates_from_local(&source->dates, stamp_s) : stamp_s;
}

static int64_t row_stamp(struct source *source)
{
    const struct tk_rawlog_row *row = &source->row;
    if (row->has_date) {
        source->dates.dated = true;
        source->dates.day_s = row->day_s;
        source->dates.last_s = row->second_of_day;
        return to_utc(source, row->day_s + row->second_of_day, row->meridiem);
    }
    return tk_rawlog_dates_next(&source->dates, row->second_of_day,
                                is_local(source->rawlog, row->meridiem));
}

/* The instant of a banner: its date with the time of the header, else the middle of that day. */
static int64_t banner_stamp(struct source *source)
{
    const struct tk_rawlog_facts *facts = &source->parser.facts;
    int64_t stamp_s = facts->day_s + (facts->timed ? facts->header_s : TK_S_PER_DAY / 2);
    return to_utc(source, stamp_s, facts->timed && facts->meridiem);
}

/* Lines ------------------------------------------------------------------------------ */

static void count_bad(struct source *source, const struct tk_line *line, const struct tk_err *why)
{
    struct tk_rawlog_stats *stats = &source->stats;
    if (line->torn) {
        stats->torn++;
        return;
    }
    if (stats->bad++ > 0)
        return;
    stats->first_bad = *why;
    (void)tk_err_prefix(&stats->first_bad, "%s:%llu", source->lines.name,
                        (unsigned long long)line->number);
}

static int parse_line(struct source *source, const struct tk_line *line)
{
    struct tk_err why;
    int event = line->too_long
                    ? tk_fail(&why, -EMSGSIZE, "longer than %zu bytes", TK_LINE_MAX)
                    : tk_rawlog_parse(&source->parser, line->text, !line->torn, &source->row, &why);
    if (event >= 0)
        return event;
    count_bad(source, line, &why);
    return TK_RAWLOG_SKIP;
}

/* Take lines up to the next row: 0, or 1 at the end. */
static int next_row(struct source *source, struct tk_err *err)
{
    source->has_row = false;
    struct tk_line line;
    int rc;
    while ((rc = tk_lines_next(&source->lines, &line, err)) == 0) {
        source->stats.lines = line.number;
        int event = parse_line(source, &line);
        if (event == TK_RAWLOG_NO_VALUE)
            source->stats.no_value++;
        if (event == TK_RAWLOG_BANNER)
            source->banner_unused = true;
        if (event == TK_RAWLOG_HEADER && source->banner_unused) {
            source->banner_unused = false;
            tk_rawlog_dates_init(&source->dates, banner_stamp(source));
        }
        if (event != TK_RAWLOG_ROW)
            continue;
        source->row_s = row_stamp(source);
        source->has_row = true;
        return 0;
    }
    source->stats.bytes = source->lines.bytes;
    return rc;
}

static void count_row(struct source *source)
{
    struct tk_rawlog_stats *stats = &source->stats;
    int64_t distance_s = source->row_s - source->last_s;
    if (stats->rows++ == 0) {
        stats->first_ns = source->row_s * TK_NS_PER_S;
    } else if (distance_s < 0) {
        stats->steps++;
    } else if (distance_s <= DISTANCE_MAX_S) {
        source->distances[distance_s]++;
    } else {
        source->long_distances++;
    }
    source->last_s = source->row_s;
    stats->last_ns = source->row_s * TK_NS_PER_S;
}

/* The interval is the most frequent distance between rows; whatever is more than one and a half
 * times as long is a gap. */
static void finish_stats(struct source *source)
{
    struct tk_rawlog_stats *stats = &source->stats;
    size_t interval = 0;
    for (size_t s = 1; s <= DISTANCE_MAX_S; s++) {
        if (source->distances[s] > (interval ? source->distances[interval] : 0))
            interval = s;
    }
    stats->interval_ns = (int64_t)interval * TK_NS_PER_S;
    stats->equal = source->distances[0];
    stats->gaps = interval ? source->long_distances : 0;
    for (size_t s = interval + interval / 2 + 1; interval && s <= DISTANCE_MAX_S; s++)
        stats->gaps += source->distances[s];
}

/* Heads ------------------------------------------------------------------------------- */

static int source_open(struct source *source, struct tk_rawlog *rawlog, enum tk_rawlog_kind kind,
                       struct tk_err *err)
{
    *source = (struct source){.rawlog = rawlog};
    tk_rawlog_parser_init(&source->parser, kind);
    tk_rawlog_dates_init(&source->dates, rawlog->notices.reference_ns / TK_NS_PER_S);
    int rc = tk_lines_open(&source->lines, rawlog->dirfd, names[kind], err);
    source->stats.present = rc == 0;
    return rc == -ENOENT ? 0 : rc;
}

/* Read until the first row. */
static int read_head(struct source *source, struct tk_err *err)
{
    struct tk_line line;
    int rc = 0;
    for (int i = 0; i < HEAD_LINES && !source->has_row && rc == 0; i++) {
        rc = tk_lines_next(&source->lines, &line, err);
        if (rc == 0)
            source->has_row = parse_line(source, &line) == TK_RAWLOG_ROW;
    }
    return rc < 0 ? rc : 0;
}

/* Keep what this log says; each knows other things. */
static void take_facts(struct tk_rawlog *rawlog, const struct source *source)
{
    const struct tk_rawlog_facts *said = &source->parser.facts;
    struct tk_rawlog_facts *facts = &rawlog->facts;
    switch (source->parser.kind) {
    case TK_RAWLOG_CPU:
        *facts = *said;
        break;
    case TK_RAWLOG_MEM:
        memcpy(facts->zone, said->zone, sizeof(facts->zone));
        break;
    case TK_RAWLOG_NET:
        memcpy(facts->ifaces, said->ifaces, sizeof(facts->ifaces));
        facts->iface_count = said->iface_count;
        break;
    case TK_RAWLOG_KINDS:
        break;
    }
}

static int read_heads(struct tk_rawlog *rawlog, struct tk_err *err)
{
    bool any = false;
    for (size_t i = 0; i < TK_RAWLOG_KINDS; i++) {
        struct source *source = &rawlog->sources[i];
        int rc = source_open(source, rawlog, (enum tk_rawlog_kind)i, err);
        if (rc == 0 && source->stats.present)
            rc = read_head(source, err);
        if (rc < 0)
            return rc;
        any |= source->stats.present;
        take_facts(rawlog, source);
    }
    if (!any)
        return tk_fail(err, -ENOENT, "no cpu.log, mem.log or net.log");
    const char *zone = rawlog->facts.zone;
    rawlog->zone_known = *zone && strcmp(zone, "UTC") != 0 && strcmp(zone, "GMT") != 0;
    return 0;
}

/* The reference instant --------------------------------------------------------------- */

static bool read_digits(tk_str text, size_t at, size_t n, int *ret)
{
    uint64_t number;
    if (text.n < at + n || !tk_parse_u64((tk_str){text.p + at, n}, &number))
        return false;
    *ret = (int)number;
    return true;
}

/* "20250922T222519Z", or any id that begins with a date: then the middle of that day, so that
 * every time of that day lies within 12 h. */
static bool run_id_stamp(tk_str id, int64_t *ret_s)
{
    struct tk_civil day = {.hour = 12};
    if (!read_digits(id, 0, 4, &day.year) || !read_digits(id, 4, 2, &day.month) ||
        !read_digits(id, 6, 2, &day.day) || !tk_civil_ok(&day))
        return false;
    struct tk_civil instant = day;
    bool timed = id.n > 8 && id.p[8] == 'T' && read_digits(id, 9, 2, &instant.hour) &&
                 read_digits(id, 11, 2, &instant.minute) &&
                 read_digits(id, 13, 2, &instant.second) && tk_civil_ok(&instant);
    *ret_s = tk_civil_to_s(timed ? &instant : &day);
    return true;
}

/* When the first log that exists was written last, minus the span of its rows. */
static int mtime_stamp(struct tk_rawlog *rawlog, int64_t *ret_s, struct tk_err *err)
{
    size_t kind = 0;
    while (kind + 1 < TK_RAWLOG_KINDS && !rawlog->sources[kind].stats.present)
        kind++;
    struct stat st;
    if (fstatat(rawlog->dirfd, names[kind], &st, 0) < 0)
        return tk_fail_errno(err, "%s", names[kind]);

    struct source *source = &rawlog->sources[kind];
    tk_lines_close(&source->lines);
    int rc = source_open(source, rawlog, (enum tk_rawlog_kind)kind, err);
    if (rc < 0)
        return rc;
    int64_t first_s = 0;
    int64_t last_s = 0;
    for (bool first = true; (rc = next_row(source, err)) == 0; first = false) {
        last_s = source->row_s;
        if (first)
            first_s = last_s;
    }
    *ret_s = st.st_mtim.tv_sec - (last_s - first_s);
    return rc < 0 ? rc : 0;
}

static int find_reference(struct tk_rawlog *rawlog, tk_str run_id, struct tk_err *err)
{
    struct source *cpu = &rawlog->sources[TK_RAWLOG_CPU];
    struct source *mem = &rawlog->sources[TK_RAWLOG_MEM];
    struct tk_rawlog_notices *notices = &rawlog->notices;
    int64_t stamp_s = 0;
    int rc = 0;
    if (rawlog->facts.dated) {
        notices->reference = TK_RAWLOG_BY_BANNER;
        stamp_s = banner_stamp(cpu);
    } else if (run_id_stamp(run_id, &stamp_s)) {
        notices->reference = TK_RAWLOG_BY_RUN_ID;
    } else if (mem->has_row) {
        notices->reference = TK_RAWLOG_BY_MEM_LOG;
        stamp_s = row_stamp(mem);
    } else {
        notices->reference = TK_RAWLOG_BY_MTIME;
        rc = mtime_stamp(rawlog, &stamp_s, err);
    }
    notices->reference_ns = stamp_s * TK_NS_PER_S;
    return rc;
}

int tk_rawlog_new(int dirfd, const struct tk_rawlog_options *options, struct tk_rawlog **ret_rawlog,
                  struct tk_err *err)
{
    struct tk_rawlog *rawlog = calloc(1, sizeof(*rawlog));
    if (!rawlog)
        return tk_fail(err, -ENOMEM, "raw logs: out of memory");
    rawlog->dirfd = dirfd;
    rawlog->local_time = options->local_time;
    int rc = read_heads(rawlog, err);
    if (rc == 0)
        rc = find_reference(rawlog, options->run_id, err);
    if (rc < 0) {
        tk_rawlog_free(rawlog);
        return rc;
    }
    *ret_rawlog = rawlog;
    return 0;
}

void tk_rawlog_free(struct tk_rawlog *rawlog)
{
    if (!rawlog)
        return;
    for (size_t i = 0; i < TK_RAWLOG_KINDS; i++)
        tk_lines_close(&rawlog->sources[i].lines);
    free(rawlog);
}

void tk_rawlog_freep(struct tk_rawlog **rawlog)
{
    tk_rawlog_free(*rawlog);
    *rawlog = NULL;
}

const struct tk_rawlog_facts *tk_rawlog_facts(const struct tk_rawlog *rawlog)
{
    return &rawlog->facts;
}

const struct tk_rawlog_stats *tk_rawlog_stats(const struct tk_rawlog *rawlog,
                                              enum tk_rawlog_kind kind)
{
    return &rawlog->sources[kind].stats;
}

struct tk_rawlog_notices tk_rawlog_notices(const struct tk_rawlog *rawlog)
{
    return rawlog->notices;
}

/* Rows ----------------------------------------------------------------------------------- */

static bool has_value(const struct tk_rawlog_row *row, size_t value)
{
    return (row->present >> value & 1) != 0;
}

static struct tk_batch *begin_row(const struct source *source, const struct tk_rawlog_node *node,
                                  struct tk_rows *rows)
{
    struct tk_batch *batch = tk_rows_begin(rows, TK_TABLE_HOST_METRICS);
    tk_batch_set_i64(batch, TK_HOST_METRICS_TS_MS, source->row_s * 1000);
    tk_batch_set_text(batch, TK_HOST_METRICS_NODE, node->node);
    tk_batch_set_text(batch, TK_HOST_METRICS_STAGE, node->stage);
    if (node->host.n > 0)
        tk_batch_set_text(batch, TK_HOST_METRICS_HOST, node->host);
    return batch;
}

static void put_cpu_row(const struct source *source, const struct tk_rawlog_node *node,
                        struct tk_rows *rows)
{
    static const struct {
        size_t value;
        size_t column;
    } parts[] = {
        {TK_RAWLOG_CPU_USR, TK_HOST_METRICS_USR},
        {TK_RAWLOG_CPU_NICE, TK_HOST_METRICS_NICE},
        {TK_RAWLOG_CPU_SYS, TK_HOST_METRICS_SYS},
        {TK_RAWLOG_CPU_IOWAIT, TK_HOST_METRICS_IOWAIT},
        {TK_RAWLOG_CPU_IRQ, TK_HOST_METRICS_IRQ},
        {TK_RAWLOG_CPU_SOFT, TK_HOST_METRICS_SOFT},
        {TK_RAWLOG_CPU_STEAL, TK_HOST_METRICS_STEAL},
        {TK_RAWLOG_CPU_GUEST, TK_HOST_METRICS_GUEST},
        {TK_RAWLOG_CPU_GNICE, TK_HOST_METRICS_GNICE},
        {TK_RAWLOG_CPU_IDLE, TK_HOST_METRICS_IDLE},
    };
    const struct tk_rawlog_row *row = &source->row;
    struct tk_batch *batch = begin_row(source, node, rows);
    int64_t busy = 10000 - row->values[TK_RAWLOG_CPU_IDLE];
    tk_batch_set_f64(batch, TK_HOST_METRICS_CPU_UTIL, (double)(busy < 0 ? 0 : busy) / 100);
    for (size_t i = 0; i < TK_COUNTOF(parts); i++) {
        if (has_value(row, parts[i].value))
            tk_batch_set_f64(batch, parts[i].column, (double)row->values[parts[i].value] / 100);
    }
}

/* The rates of the first row are means since boot, and left out. */
static void put_mem_row(const struct source *source, const struct tk_rawlog_node *node,
                        struct tk_rows *rows)
{
    static const struct {
        size_t value;
        size_t column;
        int64_t factor;
        bool is_rate;
    } parts[] = {
        {TK_RAWLOG_MEM_FREE, TK_HOST_METRICS_MEM_FREE_MB, 1},
        {TK_RAWLOG_MEM_FREE, TK_HOST_METRICS_MEM_FREE_BYTES, 1000000},
        {TK_RAWLOG_MEM_CACHE, TK_HOST_METRICS_MEM_CACHED_BYTES, 1000000},
        {TK_RAWLOG_MEM_RUNNING, TK_HOST_METRICS_PROCS_RUNNING, 1},
        {TK_RAWLOG_MEM_BLOCKED, TK_HOST_METRICS_PROCS_BLOCKED, 1},
        {TK_RAWLOG_MEM_BLOCKS_IN, TK_HOST_METRICS_DISK_RD_BPS, 1024, true},
        {TK_RAWLOG_MEM_BLOCKS_OUT, TK_HOST_METRICS_DISK_WR_BPS, 1024, true},
        {TK_RAWLOG_MEM_SWITCHES, TK_HOST_METRICS_CTXT_PS, 1, true},
    };
    const struct tk_rawlog_row *row = &source->row;
    struct tk_batch *batch = begin_row(source, node, rows);
    bool first = source->stats.rows == 0;
    for (size_t i = 0; i < TK_COUNTOF(parts); i++) {
        if (!has_value(row, parts[i].value) || (first && parts[i].is_rate))
            continue;
        int64_t number = row->values[parts[i].value] * parts[i].factor;
        if (batch->schema->columns[parts[i].column].type == TK_F64) {
            tk_batch_set_f64(batch, parts[i].column, (double)number);
        } else {
            tk_batch_set_i64(batch, parts[i].column, number);
        }
    }
}

/* "NODE.nic" for the interface of the run, else "NODE.IFACE". */
static tk_str link_format(tk_str node, tk_str iface, bool is_nic, char buf[LINK_MAX])
{
    tk_str end = is_nic ? TK_STR("nic") : iface;
    int n = snprintf(buf, LINK_MAX, "%.*s.%.*s", TK_STR_ARG(node), TK_STR_ARG(end));
    return (tk_str){buf, n < LINK_MAX ? (size_t)n : LINK_MAX - 1};
}

static void put_net_row(const struct source *source, const struct tk_rawlog_node *node,
                        struct tk_rows *rows, size_t index)
{
    const struct tk_rawlog_row *row = &source->row;
    const struct tk_rawlog_facts *facts = &source->parser.facts;
    tk_str iface = facts->iface_count ? tk_str_from(facts->ifaces[index]) : node->iface;
    bool is_nic = facts->iface_count < 2 || tk_str_eq(iface, node->iface) ||
                  (node->iface.n == 0 && index == 0);
    char link[LINK_MAX];

    struct tk_batch *batch = tk_rows_begin(rows, TK_TABLE_LINK_METRICS);
    tk_batch_set_i64(batch, TK_LINK_METRICS_TS_MS, source->row_s * 1000);
    tk_batch_set_text(batch, TK_LINK_METRICS_NODE, node->node);
    tk_batch_set_text(batch, TK_LINK_METRICS_STAGE, node->stage);
    tk_batch_set_text(batch, TK_LINK_METRICS_LINK, link_format(node->node, iface, is_nic, link));
    tk_batch_set_i64(batch, TK_LINK_METRICS_RX_BPS, row->values[2 * index + TK_RAWLOG_NET_RX]);
    tk_batch_set_i64(batch, TK_LINK_METRICS_TX_BPS, row->values[2 * index + TK_RAWLOG_NET_TX]);
    if (node->host.n > 0)
        tk_batch_set_text(batch, TK_LINK_METRICS_HOST, node->host);
    if (iface.n > 0)
        tk_batch_set_text(batch, TK_LINK_METRICS_IFACE, iface);
}

static int read_first(struct tk_rawlog *rawlog, enum tk_rawlog_kind kind, struct tk_err *err)
{
    struct source *source = &rawlog->sources[kind];
    tk_lines_close(&source->lines);
    int rc = source_open(source, rawlog, kind, err);
    if (rc == 0 && source->stats.present)
        rc = next_row(source, err);
    return rc < 0 ? rc : 0;
}

/* CPU and memory rows lie in one table, so they are merged by time. */
static int read_host(struct tk_rawlog *rawlog, const struct tk_rawlog_node *node,
                     struct tk_rows *rows, struct tk_err *err)
{
    struct source *cpu = &rawlog->sources[TK_RAWLOG_CPU];
    struct source *mem = &rawlog->sources[TK_RAWLOG_MEM];
    int rc = read_first(rawlog, TK_RAWLOG_CPU, err);
    if (rc == 0)
        rc = read_first(rawlog, TK_RAWLOG_MEM, err);
    while (rc >= 0 && (cpu->has_row || mem->has_row)) {
        bool take_cpu = cpu->has_row && (!mem->has_row || cpu->row_s <= mem->row_s);
        struct source *source = take_cpu ? cpu : mem;
        if (take_cpu) {
            put_cpu_row(source, node, rows);
        } else {
            put_mem_row(source, node, rows);
        }
        count_row(source);
        rc = next_row(source, err);
    }
    return rc < 0 ? rc : 0;
}

static int read_net(struct tk_rawlog *rawlog, const struct tk_rawlog_node *node,
                    struct tk_rows *rows, struct tk_err *err)
{
    struct source *net = &rawlog->sources[TK_RAWLOG_NET];
    int rc = read_first(rawlog, TK_RAWLOG_NET, err);
    while (rc >= 0 && net->has_row) {
        for (size_t i = 0; i < TK_RAWLOG_IFACES; i++) {
            if (has_value(&net->row, 2 * i))
                put_net_row(net, node, rows, i);
        }
        count_row(net);
        rc = next_row(net, err);
    }
    return rc < 0 ? rc : 0;
}

int tk_rawlog_read(struct tk_rawlog *rawlog, const struct tk_rawlog_node *node,
                   struct tk_rows *rows, struct tk_err *err)
{
    int rc = read_host(rawlog, node, rows, err);
    if (rc == 0)
        rc = read_net(rawlog, node, rows, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < TK_RAWLOG_KINDS; i++)
        finish_stats(&rawlog->sources[i]);
    return tk_rows_flush(rows, err);
}
