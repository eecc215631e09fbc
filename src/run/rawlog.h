/* SPDX-License-Identifier: Apache-2.0 */
/* The logs of mpstat, vmstat and ifstat in an old run folder (cpu.log, mem.log, net.log) as rows of
 * host_metrics and link_metrics (collect-and-cctf.md section 13).
 *
 *     rc = tk_rawlog_new(dirfd, &options, &rawlog, &err);       heads read, date known
 *     ... tk_rawlog_facts(rawlog)->host ...                     what the logs say about the node
 *     rc = tk_rawlog_read(rawlog, &node, rows, &err);           all rows
 *     ... tk_rawlog_stats(rawlog, TK_RAWLOG_CPU)->gaps ...      what was met on the way
 *     tk_rawlog_free(rawlog);
 *
 * Streams: memory does not grow with the logs. Host rows come in the order of time, CPU and memory
 * rows merged, as far as each log ascends. Nothing is interpolated, nothing is dropped uncounted.
 * One thread at a time. */
#ifndef TK_RUN_RAWLOG_H
#define TK_RUN_RAWLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "run/rawlog_line.h"
#include "run/rows.h"

struct tk_rawlog_options {
    tk_str run_id;   /* its leading YYYYMMDD may date the rows; empty = none */
    bool local_time; /* times that are not UTC are in the zone of $TZ; see tk_rawlog_notices */
};

/* Where the date of the first rows comes from. */
enum tk_rawlog_reference {
    TK_RAWLOG_BY_BANNER, /* line 1 of cpu.log */
    TK_RAWLOG_BY_RUN_ID,
    TK_RAWLOG_BY_MEM_LOG, /* its rows carry dates */
    TK_RAWLOG_BY_MTIME,   /* a guess: time of the last write minus the span of the log */
};

struct tk_rawlog_stats {
    bool present; /* the log exists */
    uint64_t lines;
    uint64_t bytes;
    uint64_t rows;       /* readings taken: rows of host_metrics, or times of link_metrics */
    uint64_t no_value;   /* readings that were "n/a" */
    uint64_t bad;        /* lines that are nothing that the tool writes: skipped */
    uint64_t torn;       /* 0 or 1: the last line was cut short */
    uint64_t equal;      /* rows with the stamp of the row before: kept */
    uint64_t steps;      /* rows with a stamp before that of the row before: kept */
    uint64_t gaps;       /* distances of more than 1.5 intervals */
    int64_t interval_ns; /* the most frequent distance; 0 = fewer than two rows */
    int64_t first_ns;    /* stamps of the first and last row; 0 = no row */
    int64_t last_ns;
    struct tk_err first_bad; /* "cpu.log:17: value 3: 'x' is not a number"; code 0 = none */
};

/* What a person must know about the times of all logs. */
struct tk_rawlog_notices {
    enum tk_rawlog_reference reference;
    int64_t reference_ns;
    bool meridiem_as_utc; /* AM/PM times, and options.local_time was not set */
    bool zone_as_utc;     /* mem.log names another zone than UTC, same */
};

/* Who the rows are of. */
struct tk_rawlog_node {
    tk_str node;
    tk_str stage;
    tk_str host;  /* empty = leave the column out */
    tk_str iface; /* its link is NODE.nic, others are NODE.IFACE; empty = the first of net.log */
};

struct tk_rawlog;

/* Look at the logs of a folder. -ENOENT when it has none of the three. `dirfd` is borrowed until
 * tk_rawlog_free(). */
TK_MUST_USE int tk_rawlog_new(int dirfd, const struct tk_rawlog_options *options,
                              struct tk_rawlog **ret_rawlog, struct tk_err *err);

/* What the heads of the logs say; valid as long as `rawlog`. */
const struct tk_rawlog_facts *tk_rawlog_facts(const struct tk_rawlog *rawlog);

/* Give all rows to `rows`. Call it once. A bad line is counted, an unreadable file is an error. */
TK_MUST_USE int tk_rawlog_read(struct tk_rawlog *rawlog, const struct tk_rawlog_node *node,
                               struct tk_rows *rows, struct tk_err *err);

/* After tk_rawlog_read(). */
const struct tk_rawlog_stats *tk_rawlog_stats(const struct tk_rawlog *rawlog,
                                              enum tk_rawlog_kind kind);
struct tk_rawlog_notices tk_rawlog_notices(const struct tk_rawlog *rawlog);

/* "cpu.log" and so on. */
const char *tk_rawlog_name(enum tk_rawlog_kind kind);

/* Accepts NULL. */
void tk_rawlog_free(struct tk_rawlog *rawlog);

/* For TK_CLEANUP. */
void tk_rawlog_freep(struct tk_rawlog **rawlog);

#endif
