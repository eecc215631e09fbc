/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `verify` share: one folder of tables (the raw one, or cctf/) on its way.
 *
 *   verify.c         walks the files of the folder, counts and tells findings
 *   verify_rows.c    one object against its schema
 *   verify_rules.c   the rules of each table; order of rows, run.json
 *   verify_clocks.c  the clock of each node
 *   verify_procs.c   processes and pids
 *   verify_series.c  rows that come in equal intervals
 *   verify_events.c  invocations: their times, their causes, their processes
 *   verify_report.c  audit_report.md
 */
#ifndef TK_RUN_VERIFY_INTERNAL_H
#define TK_RUN_VERIFY_INTERNAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "run/verify.h"
#include "table/batch.h"

/* One row: what of it the schema knows and has the right type. */
struct tk_row {
    const struct tk_schema *schema;
    uint64_t line;
    uint64_t present;          /* bit c: column c is set; the same below */
    uint64_t null;             /* written as null */
    uint64_t wrong;            /* of another type */
    union tk_value values[64]; /* lists are checked, but not kept */
};

/* The cell is set. */
static inline bool tk_row_has(const struct tk_row *row, size_t column)
{
    return (row->present >> column & 1) != 0;
}

/* The number, or `otherwise`. */
static inline int64_t tk_row_i64(const struct tk_row *row, size_t column, int64_t otherwise)
{
    return tk_row_has(row, column) ? row->values[column].i64 : otherwise;
}

/* The text, or the empty view. */
static inline tk_str tk_row_text(const struct tk_row *row, size_t column)
{
    return tk_row_has(row, column) ? row->values[column].text : (tk_str){NULL, 0};
}

/* An owned array of items of one size, and one whose items are found by a key. */
struct tk_verify_list {
    size_t size; /* of an item */
    char *items;
    size_t count;
    size_t cap;
};

struct tk_verify_keyed {
    struct tk_verify_list list;
    struct tk_map map; /* key to index */
};

/* The item at `index`, which must be below count; moves when the list grows. */
static inline void *tk_verify_at(const struct tk_verify_list *list, size_t index)
{
    return list->items + index * list->size;
}

/* A process of a node, by pid and start. */
struct tk_verify_process {
    int64_t last_us; /* of its last row in the file `file` */
    uint64_t last_line;
    uint32_t file;
};

#define TK_VERIFY_THREAD_COUNTERS 8

/* A thread of a process, and its counters as last told; INT64_MIN = they were not. */
struct tk_verify_thread {
    struct tk_verify_process last;
    int64_t counters[TK_VERIFY_THREAD_COUNTERS];
};

/* A pid, where no better identity is known. */
struct tk_verify_pid {
    int64_t pid;
    bool sampled; /* has rows in proc_metrics */
    bool ended;   /* has an exit record */
    bool invoked; /* an invocation names it */
};

/* The clock of a node. */
struct tk_verify_clock {
    bool is_known;        /* below: some row was read */
    int64_t real_us;      /* wall clock in the last row; not above 0 = unknown */
    int64_t wall_us;      /* wall clock minus monotonic clock in the last row */
    int64_t wall_max_us;  /* the most it was in any row */
    int64_t wall_back_us; /* the most that the wall clock fell behind that */
    int64_t newest_us;    /* monotonic clock in the last row */
    uint64_t newest_line;
};

struct tk_verify_procs {
    struct tk_verify_keyed processes; /* struct tk_verify_process by node, pid and start */
    struct tk_verify_keyed threads;   /* struct tk_verify_thread, likewise and by tid and start */
    struct tk_verify_keyed pids;      /* struct tk_verify_pid */
    struct tk_map started;            /* pid and start with samples or an exit record */
};

#define TK_VERIFY_FIRST_DISTANCES 31

/* Rows that come in equal intervals: CPU rows of a node, memory rows of a node, rows of a NIC. */
struct tk_verify_series {
    char name[160];
    int64_t interval_us; /* 0 = not known yet */
    int64_t last_us;
    uint64_t last_line;
    uint64_t rows;
    uint64_t gaps;
    size_t waiting; /* the first distances, until the interval is known */
    int64_t distances_us[TK_VERIFY_FIRST_DISTANCES];
    uint64_t lines[TK_VERIFY_FIRST_DISTANCES];
};

struct tk_verify_invocation {
    const char *file;
    uint64_t line;
    uint64_t span;   /* hash; 0 = none */
    uint64_t parent; /* hash; 0 = none */
    uint64_t host;   /* hash of its host, else of its node */
    uint64_t clock;  /* as tk_verify_clock_key() */
    uint64_t node;   /* as tk_verify_node() */
    int64_t start_ms;
    int64_t pid;         /* -1 = none */
    int64_t start_ticks; /* -1 = unknown */
};

/* What the report of generation 2 counts. */
struct tk_verify_audit {
    uint64_t invocations_without[5]; /* trace_id, ts_enqueue, ts_start, ts_end, pid */
    uint64_t samples;
    uint64_t samples_without[3];   /* ts_ms, pid, rss_kb */
    bool is_generation2;           /* samples have dt_ms and cpu_ms; else proc_cpu has them */
    uint64_t intervals;            /* rows that should have dt_ms and cpu_ms */
    uint64_t intervals_without[2]; /* dt_ms, cpu_ms */
    uint64_t unmatched;            /* invocations whose process has no rows */
};

struct tk_verify {
    const struct tk_verify_options *options;
    struct tk_verify_result *result;
    int dirfd;
    const char *prefix; /* of file names in findings: "" or "cctf/" */
    bool in_cctf;
    int cctf; /* folder with copies of these tables, checked later; -1 = none */
    uint64_t files;
    struct tk_err failure; /* out of memory; code 0 = none */

    /* the present file */
    const char *file; /* as findings name it; lives as long as the folder */
    uint32_t file_number;
    bool has_copy;                  /* in cctf/ */
    uint64_t told[TK_VERIFY_RULES]; /* findings of each rule */
    int64_t newest_us;              /* time of the newest row; INT64_MIN = none */
    uint64_t newest_line;

    /* the folder */
    char node[128];
    char stage[128];
    int64_t host_interval_us; /* from run.json; 0 = unknown */
    int64_t clock_error_us;   /* largest bound of clock.jsonl; -1 = unknown */
    uint64_t unsynchronised;  /* rows of clock.jsonl */
    uint64_t nodes;           /* in nodes.json */
    const char *stepped_file; /* the last one of which rows went back with it; NULL = none */
    uint64_t counts[TK_VERIFY_RULES];
    struct tk_verify_keyed clocks; /* struct tk_verify_clock by node and host; 0 = not told */
    struct tk_verify_procs procs;
    struct tk_verify_keyed series;     /* struct tk_verify_series by name */
    struct tk_verify_list invocations; /* struct tk_verify_invocation */
    struct tk_map spans;               /* hash of a span id to its invocation */
    struct tk_verify_audit audit;
    struct tk_arena names;   /* of the files */
    struct tk_arena scratch; /* decoded texts of one row */
};

/* Ready for rows of the raw folder; dirfd, cctf, prefix and in_cctf are set by the caller. Release
 * it also after a failure. */
TK_MUST_USE int tk_verify_init(struct tk_verify *verify, const struct tk_verify_options *options,
                               struct tk_verify_result *result, struct tk_err *err);
void tk_verify_release(struct tk_verify *verify);

/* Count a finding in the present file and tell it. */
void tk_verify_add(struct tk_verify *verify, enum tk_verify_rule rule, uint64_t line,
                   const char *fmt, ...) TK_PRINTF(4, 5);

/* Which clock a row was stamped by. */
uint64_t tk_verify_clock_key(const struct tk_row *row);

/* Whether rows of a clock may go back in time by so much because it did, as clock.jsonl tells: rows
 * of one recording never do, those of the next one may. That is noted once per file. */
bool tk_verify_stepped_back(struct tk_verify *verify, uint64_t key, uint64_t line, int64_t by_us);

/* One more item, zeroed. NULL when memory is short, which verify->failure remembers. */
void *tk_verify_push(struct tk_verify *verify, struct tk_verify_list *list);

/* The item of a key: the one that is there, or a new one, zeroed. NULL as above. */
void *tk_verify_item(struct tk_verify *verify, struct tk_verify_keyed *keyed, uint64_t key);

/* Put a value under a key. */
void tk_verify_put(struct tk_verify *verify, struct tk_map *map, uint64_t key, uint32_t value);

/* Check one object against a schema. False when it is none; findings are added, values that are
 * right are in *ret_row and borrow `text`. */
bool tk_verify_row(struct tk_verify *verify, const struct tk_schema *schema, tk_str text,
                   uint64_t line, struct tk_row *ret_row);

/* The rules of a table for one row, for the end of its file, and for the end of the folder. */
void tk_verify_rules_row(struct tk_verify *verify, enum tk_table table, const struct tk_row *row);
void tk_verify_rules_end_file(struct tk_verify *verify, enum tk_table table);
void tk_verify_rules_end(struct tk_verify *verify);

/* A reading of a process: its rows ascend. The columns are those of the row's table, SIZE_MAX =
 * none. */
struct tk_verify_process_columns {
    size_t pid, start_ticks, node, host;
};
void tk_verify_process_row(struct tk_verify *verify, const struct tk_row *row,
                           const struct tk_verify_process_columns *columns, int64_t us);
void tk_verify_thread_row(struct tk_verify *verify, const struct tk_row *row, int64_t us);
void tk_verify_exit_row(struct tk_verify *verify, const struct tk_row *row);
struct tk_verify_pid *tk_verify_pid(struct tk_verify *verify, tk_str node, int64_t pid);

/* The process has rows. `node` is what tk_verify_node() says of it. */
bool tk_verify_has_process(const struct tk_verify *verify, uint64_t node, int64_t pid,
                           int64_t start_ticks);

/* What tells equal pids of two nodes apart: 0 where the run is of one node. */
uint64_t tk_verify_node(const struct tk_verify *verify, tk_str node);

/* A row of clock.jsonl, and the end of the file. */
void tk_verify_clock_row(struct tk_verify *verify, const struct tk_row *row);
void tk_verify_clocks_end(struct tk_verify *verify);

/* A row of a series: it follows the row before by the interval. */
void tk_verify_host_row(struct tk_verify *verify, const struct tk_row *row, int64_t us);
void tk_verify_link_row(struct tk_verify *verify, const struct tk_row *row, int64_t us);
void tk_verify_series_end(struct tk_verify *verify);

/* An invocation; when all are known, what they say of each other and of processes. */
void tk_verify_invocation_row(struct tk_verify *verify, const struct tk_row *row);
void tk_verify_invocations_end(struct tk_verify *verify);

/* Append audit_report.md. */
void tk_verify_report_format(const struct tk_verify *verify, struct tk_buf *out);

#endif
