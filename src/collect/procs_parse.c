/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/procs_parse.h"

#include <errno.h>
#include <limits.h>

#include "base/number.h"
#include "collect/kernel_text.h"

/* Fields of /proc/PID/stat as proc_pid_stat(5) counts them, from 1. */
enum {
    STAT_PPID = 4,
    STAT_PGRP = 5,
    STAT_SESSION = 6,
    STAT_MINFLT = 10,
    STAT_MAJFLT = 12,
    STAT_CMAJFLT = 13,
    STAT_UTIME = 14,
    STAT_STIME = 15,
    STAT_CUTIME = 16,
    STAT_CSTIME = 17,
    STAT_THREADS = 20,
    STAT_START = 22,
    STAT_RSS = 24,
    STAT_END
};

void tk_comm_set(char comm[TK_COMM_MAX], tk_str name)
{
    size_t n = name.n < TK_COMM_MAX ? name.n : TK_COMM_MAX - 1;
    if (n > 0)
        memcpy(comm, name.p, n);
    memset(comm + n, 0, TK_COMM_MAX - n);
}

static void skip_blanks(tk_str *text)
{
    while (text->n > 0 && (*text->p == ' ' || *text->p == '\t'))
        *text = (tk_str){text->p + 1, text->n - 1};
}

/* Take blanks, then a number. */
static bool take_i64(tk_str *text, int64_t *ret)
{
    skip_blanks(text);
    return tk_scan_i64(text, ret);
}

/* "PID (", up to the name. */
static bool take_pid(tk_str *text, int64_t *ret_pid)
{
    return tk_scan_i64(text, ret_pid) && *ret_pid > 0 && *ret_pid <= INT_MAX &&
           tk_str_take_prefix(text, TK_STR(" ("));
}

int tk_pid_stat_parse(tk_str text, struct tk_pid_stat *ret)
{
    int64_t pid;
    if (!take_pid(&text, &pid))
        return -EBADMSG;
    size_t close = tk_str_find_last(text, ')');
    if (text.n - close < 4) /* ") S " at least */
        return -EBADMSG;
    tk_str name = {text.p, close};
    char state = text.p[close + 2];
    text = (tk_str){text.p + close + 3, text.n - close - 3};

    int64_t field[STAT_END];
    int i = STAT_PPID;
    while (i < STAT_END && take_i64(&text, &field[i]))
        i++;
    if (i <= STAT_START)
        return -EBADMSG;

    *ret = (struct tk_pid_stat){
        .pid = (pid_t)pid,
        .ppid = (pid_t)field[STAT_PPID],
        .pgrp = (pid_t)field[STAT_PGRP],
        .session = (pid_t)field[STAT_SESSION],
        .state = state,
        .minflt = field[STAT_MINFLT],
        .majflt = field[STAT_MAJFLT],
        .utime_ticks = field[STAT_UTIME],
        .stime_ticks = field[STAT_STIME],
        .cmajflt = field[STAT_CMAJFLT],
        .cutime_ticks = field[STAT_CUTIME],
        .cstime_ticks = field[STAT_CSTIME],
        .threads = field[STAT_THREADS],
        .start_ticks = field[STAT_START],
        .rss_pages = i > STAT_RSS ? field[STAT_RSS] : -1,
    };
    tk_comm_set(ret->comm, name);
    return 0;
}

int tk_pid_statm_parse(tk_str text, int64_t *ret_rss_pages)
{
    int64_t size;
    int64_t resident;
    if (!take_i64(&text, &size) || !take_i64(&text, &resident))
        return -EBADMSG;
    *ret_rss_pages = resident;
    return 0;
}

/* Store the number of a line "KEY: NUMBER" if it is `line`'s. */
static bool take_line(tk_str line, tk_str key, int64_t *ret)
{
    return tk_str_take_prefix(&line, key) && tk_str_take_prefix(&line, TK_STR(":")) &&
           take_i64(&line, ret);
}

int tk_pid_io_parse(tk_str text, struct tk_pid_io *ret)
{
    struct tk_pid_io io = {-1, -1};
    tk_str line;
    while (tk_str_take_line(&text, &line)) {
        if (!take_line(line, TK_STR("read_bytes"), &io.rd_bytes))
            (void)take_line(line, TK_STR("write_bytes"), &io.wr_bytes);
    }
    if (io.rd_bytes < 0 || io.wr_bytes < 0)
        return -EBADMSG;
    *ret = io;
    return 0;
}

int tk_pid_io_all_parse(tk_str text, struct tk_pid_io_all *ret)
{
    static const struct tk_scan_key keys[] = {
        TK_SCAN_KEY("rchar: ", struct tk_pid_io_all, rd_chars),
        TK_SCAN_KEY("wchar: ", struct tk_pid_io_all, wr_chars),
        TK_SCAN_KEY("read_bytes: ", struct tk_pid_io_all, rd_bytes),
        TK_SCAN_KEY("write_bytes: ", struct tk_pid_io_all, wr_bytes),
        TK_SCAN_KEY("cancelled_write_bytes: ", struct tk_pid_io_all, cancelled_bytes),
    };
    struct tk_pid_io_all io;
    if (tk_scan_keys(text, keys, TK_COUNTOF(keys), &io) < TK_COUNTOF(keys))
        return -EBADMSG;
    *ret = io;
    return 0;
}

/* The last number of a line of numbers. */
static bool take_last(tk_str line, int64_t *ret)
{
    bool found = false;
    while (take_i64(&line, ret))
        found = true;
    return found;
}

int tk_pid_status_parse(tk_str text, struct tk_pid_status *ret)
{
    int64_t ns_pid = -1;
    int64_t nvcsw = -1;
    int64_t nivcsw = -1;
    tk_str line;
    if (!tk_str_starts_with(text, TK_STR("Name:")))
        return -EBADMSG;
    while (tk_str_take_line(&text, &line)) {
        if (tk_str_take_prefix(&line, TK_STR("NSpid:"))) {
            if (!take_last(line, &ns_pid) || ns_pid <= 0 || ns_pid > INT_MAX)
                return -EBADMSG;
        } else if (!take_line(line, TK_STR("voluntary_ctxt_switches"), &nvcsw)) {
            (void)take_line(line, TK_STR("nonvoluntary_ctxt_switches"), &nivcsw);
        }
    }
    *ret = (struct tk_pid_status){(pid_t)ns_pid, nvcsw, nivcsw};
    return 0;
}

int tk_pid_schedstat_parse(tk_str text, struct tk_pid_schedstat *ret)
{
    struct tk_pid_schedstat schedstat;
    if (!take_i64(&text, &schedstat.run_ns) || !take_i64(&text, &schedstat.run_delay_ns))
        return -EBADMSG;
    *ret = schedstat;
    return 0;
}

int tk_pid_limits_parse(tk_str text, int64_t *ret_open_files)
{
    tk_str line;
    tk_str word;
    while (tk_str_take_line(&text, &line)) {
        if (!tk_str_take_prefix(&line, TK_STR("Max open files ")))
            continue;
        if (!tk_str_take_word(&line, &word))
            return -EBADMSG;
        int64_t files = INT64_MAX;
        if (!tk_str_eq(word, TK_STR("unlimited")) && (!tk_parse_i64(word, &files) || files < 0))
            return -EBADMSG;
        *ret_open_files = files;
        return 0;
    }
    return -EBADMSG;
}

int tk_pid_rollup_parse(tk_str text, struct tk_pid_rollup *ret)
{
    struct tk_pid_rollup rollup = {-1, -1};
    tk_str line;
    while (tk_str_take_line(&text, &line)) {
        if (!take_line(line, TK_STR("Pss"), &rollup.pss_kb))
            (void)take_line(line, TK_STR("Swap"), &rollup.swap_kb);
    }
    if (rollup.pss_kb < 0)
        return -EBADMSG;
    *ret = rollup;
    return 0;
}

int tk_last_pid_parse(tk_str text, pid_t *ret_pid)
{
    text = tk_str_trim(text);
    size_t space = tk_str_find_last(text, ' ');
    if (space == text.n)
        return -EBADMSG;
    int64_t pid;
    tk_str last = {text.p + space + 1, text.n - space - 1};
    if (!tk_parse_i64(last, &pid) || pid < 0 || pid > INT_MAX)
        return -EBADMSG;
    *ret_pid = (pid_t)pid;
    return 0;
}
