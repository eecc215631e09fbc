/* SPDX-License-Identifier: Apache-2.0 */
/* One line of a log that mpstat(1), vmstat(8) or ifstat(1) wrote, as the first collectors called
 * them (collect-and-cctf.md section 13):
 *
 *   cpu.log   mpstat 1         Linux 5.4.0-216-generic (cloud0) <tab>09/22/25 <tab>_x86_64_<tab>(4
 * CPU) 22:25:19     CPU    %usr   %nice  ...  %gnice   %idle 22:25:20     all    1.51    0.00  ...
 * 0.00   97.49 mem.log   vmstat -Sm -t 1   r  b   swpd   free   buff  cache  ... id wa st UTC 1  0
 * 0  10564    155   4920  ... 99  0  0 2025-09-22 22:25:19 net.log   ifstat -i IF -t    Time ens2
 *                              HH:MM:SS   KB/s in  KB/s out
 *                              22:25:20      3.48      3.09
 *
 * Columns are found by the names of the header, which may come again at any time. Nothing is
 * allocated and no locale is asked. One parser belongs to one log and one thread. */
#ifndef TK_RUN_RAWLOG_LINE_H
#define TK_RUN_RAWLOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

enum tk_rawlog_kind { TK_RAWLOG_CPU, TK_RAWLOG_MEM, TK_RAWLOG_NET, TK_RAWLOG_KINDS };

/* What we take from a row. Positions in tk_rawlog_row.values. */
enum {
    /* cpu.log: hundredths of a per cent of the whole node */
    TK_RAWLOG_CPU_USR = 0,
    TK_RAWLOG_CPU_NICE,
    TK_RAWLOG_CPU_SYS,
    TK_RAWLOG_CPU_IOWAIT,
    TK_RAWLOG_CPU_IRQ,
    TK_RAWLOG_CPU_SOFT,
    TK_RAWLOG_CPU_STEAL,
    TK_RAWLOG_CPU_GUEST,
    TK_RAWLOG_CPU_GNICE,
    TK_RAWLOG_CPU_IDLE,

    /* mem.log: as written. Memory in 10^6 bytes, blocks of 1024 bytes and switches per second */
    TK_RAWLOG_MEM_RUNNING = 0,
    TK_RAWLOG_MEM_BLOCKED,
    TK_RAWLOG_MEM_FREE,
    TK_RAWLOG_MEM_CACHE,
    TK_RAWLOG_MEM_BLOCKS_IN,
    TK_RAWLOG_MEM_BLOCKS_OUT,
    TK_RAWLOG_MEM_SWITCHES,

    /* net.log: bytes per second, received and sent by interface i at 2 i and 2 i + 1 */
    TK_RAWLOG_NET_RX = 0,
    TK_RAWLOG_NET_TX,

    TK_RAWLOG_VALUES = 32,
    TK_RAWLOG_IFACES = TK_RAWLOG_VALUES / 2,
};

struct tk_rawlog_row {
    bool has_date;     /* day_s holds; else only the time of day is known */
    int64_t day_s;     /* midnight of the date that the row carries, as if it were UTC */
    int second_of_day; /* 0..86399 */
    bool meridiem;     /* written with AM or PM */
    uint32_t present;  /* bit v: values[v] is set */
    int64_t values[TK_RAWLOG_VALUES];
};

#define TK_RAWLOG_NAME_MAX 128

/* What banners and headers said so far; "" and 0 = nothing. */
struct tk_rawlog_facts {
    char kernel[TK_RAWLOG_NAME_MAX];
    char host[TK_RAWLOG_NAME_MAX];
    char arch[TK_RAWLOG_NAME_MAX];
    int64_t cpus;
    bool dated;                    /* the last banner had a date: day_s holds */
    int64_t day_s;                 /* its midnight, as if it were UTC */
    bool timed;                    /* a header with a time followed that banner: */
    int header_s;                  /* its second of the day */
    bool meridiem;                 /* it was written with AM or PM */
    char zone[TK_RAWLOG_NAME_MAX]; /* name of the zone in the header of mem.log */
    char ifaces[TK_RAWLOG_IFACES][TK_RAWLOG_NAME_MAX];
    size_t iface_count;
};

#define TK_RAWLOG_COLUMNS 64

struct tk_rawlog_parser {
    enum tk_rawlog_kind kind;
    size_t column_count;                /* of the last header; 0 = none yet */
    uint8_t columns[TK_RAWLOG_COLUMNS]; /* value that it holds; TK_RAWLOG_VALUES = none of ours */
    bool ours; /* the last header has what we need: %idle, free, KB/s (net.log: or none came) */
    struct tk_rawlog_facts facts;
};

/* Begin a log of that kind; nothing is allocated. */
void tk_rawlog_parser_init(struct tk_rawlog_parser *parser, enum tk_rawlog_kind kind);

enum tk_rawlog_event {
    TK_RAWLOG_SKIP,     /* blank, an average, one CPU of several, a section that is not ours */
    TK_RAWLOG_BANNER,   /* first line of mpstat: facts has its date */
    TK_RAWLOG_HEADER,   /* columns, zone or interfaces */
    TK_RAWLOG_ROW,      /* *ret_row is set */
    TK_RAWLOG_NO_VALUE, /* a row whose values are all "n/a" */
};

/* Parse one line without its newline. Returns an enum tk_rawlog_event, or -EBADMSG when the line is
 * none of these (`err` says what was expected; *ret_row is then unspecified).
 *
 *   whole  false for a last line that lacks its newline: its last number may be cut, so a row is
 *          taken only when every number has two decimals, as the tools write them */
TK_MUST_USE int tk_rawlog_parse(struct tk_rawlog_parser *parser, tk_str line, bool whole,
                                struct tk_rawlog_row *ret_row, struct tk_err *err);

#endif
