/* SPDX-License-Identifier: Apache-2.0 */
/* The live view behind `top`: the sources of the recorder with a sink in memory. It takes readings
 * at the interval and holds the last frame; drawing it (text, JSON, a full screen) changes nothing
 * in it. */
#ifndef TK_CMD_TOP_H
#define TK_CMD_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "collect/node.h"
#include "collect/procs.h"
#include "collect/sampler.h"
#include "report/look.h"

#define TK_TOP_COURSE 256 /* readings that the courses go back */

enum tk_top_line {
    TK_TOP_CPU,     /* share of all cores, 0..1 */
    TK_TOP_MEMORY,  /* bytes in use */
    TK_TOP_DISK,    /* bytes/s */
    TK_TOP_NETWORK, /* bytes/s */
    TK_TOP_WAIT,    /* largest stall share, 0..1 */
    TK_TOP_LINES
};

/* The machine over the last interval; NaN = not known. */
struct tk_top_machine {
    double now[TK_TOP_LINES];
    double user, system, iowait, steal; /* shares of all cores */
    double load1, load5, load15;
    double mem_total_bytes, swap_used_bytes, swap_total_bytes;
    double disk_rd_Bps, disk_wr_Bps, disk_busy;
    char disk[32]; /* the busiest; "" = none was busy */
    double net_rx_Bps, net_tx_Bps;
    double cpu_stall, io_stall, memory_stall;
    double course[TK_TOP_LINES][TK_TOP_COURSE]; /* readings by time, the last is `now` */
    size_t course_count;
};

/* A process alive, or all of one name that ended within the interval. */
struct tk_top_process {
    pid_t pid;     /* 0 = they ended */
    int64_t ended; /* how many; 0 = alive */
    char comm[16];
    char state;
    double cores;               /* CPU over the interval: 1 = one core; NaN = not known */
    int64_t cpu_ns;             /* since birth, -1 = not known; of the ended: within the interval */
    int64_t rss_bytes, threads; /* -1 = not readable; of the ended the largest resident set */
    double rd_Bps, wr_Bps;      /* NaN = not readable */
};

struct tk_top_frame {
    int64_t ts_ns;        /* epoch */
    int procfd;           /* of the kernel at hand, for command lines; borrowed */
    int64_t requested_ns; /* interval that was asked for */
    int64_t interval_ns;  /* that the figures cover; 0 in the first frame, which has no rates */
    struct tk_top_machine machine;
    struct tk_top_process *processes;
    size_t count;
    int64_t alive, ended; /* processes */
    struct tk_procs_stats procs;
    struct tk_sampler_stats sampler;
    double own_cores; /* our own CPU over the interval */
    int64_t own_rss_bytes;
    int64_t uptime_ns;
    int64_t cores;
    char host[TK_NODE_NAME_MAX];
    char iface[TK_NODE_NAME_MAX];
};

struct tk_top;

struct tk_top_options {
    const char *root; /* "/" */
    int64_t interval_ns;
    enum tk_tier tier;
};

TK_MUST_USE int tk_top_new(const struct tk_top_options *options, struct tk_top **ret_top,
                           struct tk_err *err);

/* Accepts NULL. */
void tk_top_free(struct tk_top *top);

/* For TK_CLEANUP. */
void tk_top_freep(struct tk_top **top);

/* Poll this, then step: 1 when a new frame is there, 0 when not yet. */
int tk_top_fd(const struct tk_top *top);
TK_MUST_USE int tk_top_step(struct tk_top *top, struct tk_err *err);

/* The last frame, which the top owns. */
struct tk_top_frame *tk_top_read_frame(struct tk_top *top);

/* Whether the interval of the frame could not be held: it is over a tenth longer. */
bool tk_top_is_late(const struct tk_top_frame *frame);

#define TK_TOP_INTERVAL_MAX 64

/* "1 s", or "0.01 s (0.025 s in fact)" of a frame that is late. */
void tk_top_format_interval(const struct tk_top_frame *frame, char text[TK_TOP_INTERVAL_MAX]);

/* Views ------------------------------------------------------------------------------- */

enum tk_top_sort {
    TK_TOP_BY_CPU,
    TK_TOP_BY_MEMORY,
    TK_TOP_BY_IO,
    TK_TOP_BY_PID,
    TK_TOP_BY_NAME,
    TK_TOP_SORTS
};

/* Names of the orders as options take them; ends with NULL. */
extern const char *const tk_top_sorts[TK_TOP_SORTS + 1];

/* What of a frame is shown. */
struct tk_top_view {
    enum tk_top_sort sort;
    const char *filter; /* part of the name, without case; NULL or "" = all */
    bool args;          /* command lines instead of names */
    size_t offset;      /* processes to leave out at the top */
    size_t limit;       /* most processes to show; 0 = all */
};

/* Order the processes of the frame and put those that the view shows to the front; returns how
 * many they are, before offset and limit. */
size_t tk_top_select(struct tk_top_frame *frame, const struct tk_top_view *view);

/* Append the frame as text: the machine, then the processes; about 7 lines more than the view's
 * limit. */
TK_MUST_USE int tk_top_format(struct tk_top_frame *frame, const struct tk_top_view *view,
                              const struct tk_look *look, struct tk_buf *out, struct tk_err *err);

/* Append the frame as one JSON object on one line; the keys are in tracekit-top(1). */
void tk_top_format_json(struct tk_top_frame *frame, const struct tk_top_view *view,
                        struct tk_buf *out);

/* Show it on the terminal, which is given back as it was found, until the user quits or SIGINT,
 * SIGTERM or SIGHUP comes. Returns 0, the number of the signal, or a negative errno. */
TK_MUST_USE int tk_top_run(struct tk_top *top, struct tk_top_view *view, struct tk_err *err);

#endif
