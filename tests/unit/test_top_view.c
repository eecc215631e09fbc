/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top.h"

#include <math.h>

#include "base/clock.h"
#include "tk_test.h"

#define KB 1024.0
#define MB (1024 * KB)
#define GB (1024 * MB)

/* A frame of a machine at work. */
static struct tk_top_frame frame_of(struct tk_top_process *processes, size_t count)
{
    struct tk_top_frame frame = {
        .procfd = -1,
        .ts_ns = 1795252000 * TK_NS_PER_S,
        .requested_ns = TK_NS_PER_S,
        .interval_ns = TK_NS_PER_S,
        .processes = processes,
        .count = count,
        .alive = 412,
        .ended = 13,
        .own_cores = 0.003,
        .own_rss_bytes = 3 << 20,
        .uptime_ns = 274000 * TK_NS_PER_S,
        .cores = 2,
        .host = "build1",
        .iface = "eth0",
        .procs = {.tier = TK_TIER_P, .exit_source = "taskstats"},
    };
    struct tk_top_machine *machine = &frame.machine;
    machine->user = 0.61;
    machine->system = 0.2;
    machine->iowait = 0.12;
    machine->steal = 0;
    machine->load1 = 1.85;
    machine->load5 = 1.2;
    machine->load15 = 0.9;
    machine->mem_total_bytes = 23.5 * GB;
    machine->swap_total_bytes = 2 * GB;
    machine->swap_used_bytes = 0;
    machine->disk_rd_Bps = 12.1 * MB;
    machine->disk_wr_Bps = 33 * MB;
    machine->disk_busy = 0.85;
    (void)snprintf(machine->disk, sizeof(machine->disk), "sda");
    machine->net_rx_Bps = 1.1 * MB;
    machine->net_tx_Bps = 0.1 * MB;
    machine->cpu_stall = 0.41;
    machine->io_stall = 0.022;
    machine->memory_stall = 0;
    const double now[TK_TOP_LINES] = {0.93, 3.1 * GB, 45.1 * MB, 1.2 * MB, 0.41};
    for (int i = 0; i < TK_TOP_LINES; i++) {
        machine->now[i] = now[i];
        for (size_t at = 0; at < 4; at++)
            machine->course[i][at] = now[i] * (double)(at + 1) / 4;
    }
    machine->course_count = 4;
    return frame;
}

static void processes_set(struct tk_top_process processes[4])
{
    const struct tk_top_process all[4] = {
        {.pid = 1,
         .comm = "systemd",
         .state = 'S',
         .cores = 0,
         .rss_bytes = 12 << 20,
         .threads = 1,
         .rd_Bps = (double)NAN,
         .wr_Bps = (double)NAN},
        {.pid = 4711,
         .comm = "cc1",
         .state = 'R',
         .cores = 0.98,
         .rss_bytes = 210 << 20,
         .threads = 1,
         .rd_Bps = 0,
         .wr_Bps = 8 * KB},
        {.ended = 12,
         .comm = "cc1",
         .cores = 0.61,
         .rss_bytes = 180 << 20,
         .threads = -1,
         .rd_Bps = (double)NAN,
         .wr_Bps = (double)NAN},
        {.pid = 70000,
         .comm = "dd",
         .state = 'D',
         .cores = 0.034,
         .rss_bytes = 2 << 20,
         .threads = 1,
         .rd_Bps = 12 * MB,
         .wr_Bps = 32 * MB},
    };
    memcpy(processes, all, sizeof(all));
}

static void a_frame_is_drawn_in_80_columns(void **state)
{
    (void)state;
    struct tk_top_process processes[4];
    processes_set(processes);
    struct tk_top_frame frame = frame_of(processes, 4);
    struct tk_look look;
    tk_look_init_plain(&look, true, 80);
    struct tk_err err;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 65536);
    const struct tk_top_view view = {.limit = 3};
    assert_int_equal(tk_top_format(&frame, &view, &look, &out, &err), 0);
    assert_str_equal(
        tk_buf_str(&out),
        " build1 · up 3 d 04 h · 412 processes, 13 ended · load 1.85 1.20 0.90\n"
        " CPU              93 %                ▃▄▆█  user 61 %, system 20 %, iowait 12 %\n"
        " memory       3.10 GiB                ▁▁▂▂  of 23.5 GiB, swap 0 B of 2.00 GiB\n"
        " disk       45.1 MiB/s                ▃▅▆█  12.1 MiB rd, 33.0 MiB wr, sda 85 %\n"
        " network    1.20 MiB/s                ▃▅▆█  1.10 MiB in, 102 KiB out, eth0\n"
        " wait             41 %                ▂▂▃▄  CPU 41 %, I/O 2.2 %, memory 0 %\n"
        " data       tier P, exits by taskstats, 0 lost; 0 missed; cost 0.3 %, 3.00 MiB\n"
        "\n"
        "    pid      CPU    memory    read/s  written/s  threads     process\n"
        "   4711     98 %   210 MiB       0 B   8.00 KiB        1  R  cc1\n"
        "      -     61 %   180 MiB         -          -        -     cc1 (12 ended)\n"
        "  70000    3.4 %  2.00 MiB  12.0 MiB   32.0 MiB        1  D  dd\n");
    tk_look_release(&look);
}

static void an_interval_that_could_not_be_held_is_told(void **state)
{
    (void)state;
    static const struct {
        int64_t requested_ns, interval_ns;
        const char *expected;
    } cases[] = {
        {TK_NS_PER_S, TK_NS_PER_S, "1 s"},
        {TK_NS_PER_S, 1100 * TK_NS_PER_MS, "1 s"},
        {TK_NS_PER_S, 900 * TK_NS_PER_MS, "1 s"}, /* after one that was late */
        {TK_NS_PER_S, 1540 * TK_NS_PER_MS, "1 s (1.54 s in fact)"},
        {10 * TK_NS_PER_MS, 25 * TK_NS_PER_MS, "0.01 s (0.025 s in fact)"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_top_frame frame = frame_of(NULL, 0);
        struct tk_look look;
        struct tk_err err;
        char text[TK_TOP_INTERVAL_MAX];
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        const struct tk_top_view view = {.limit = 3};
        frame.requested_ns = cases[i].requested_ns;
        frame.interval_ns = cases[i].interval_ns;
        tk_top_format_interval(&frame, text);
        assert_string_equal(text, cases[i].expected);

        tk_look_init_plain(&look, true, 120);
        tk_buf_init(&out, 65536);
        assert_int_equal(tk_top_format(&frame, &view, &look, &out, &err), 0);
        tk_buf_putc(&out, '\0');
        bool is_late = strchr(text, '(') != NULL;
        assert_int_equal(strstr(out.p, text) != NULL && strstr(out.p, "0 missed, every ") != NULL,
                         is_late);
        tk_look_release(&look);
    }
}

/* The names in the order of the view, separated by spaces. */
static void check_order(enum tk_top_sort sort, const char *filter, const char *expected)
{
    struct tk_top_process processes[4];
    processes_set(processes);
    struct tk_top_frame frame = frame_of(processes, 4);
    const struct tk_top_view view = {.sort = sort, .filter = filter};
    size_t count = tk_top_select(&frame, &view);
    char names[256] = "";
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(names);
        (void)snprintf(names + used, sizeof(names) - used, "%s%s%s", i ? " " : "",
                       frame.processes[i].comm, frame.processes[i].ended ? "+" : "");
    }
    assert_string_equal(names, expected);
}

static void processes_are_ordered_and_filtered(void **state)
{
    (void)state;
    check_order(TK_TOP_BY_CPU, NULL, "cc1 cc1+ dd systemd");
    check_order(TK_TOP_BY_MEMORY, "", "cc1 cc1+ systemd dd");
    check_order(TK_TOP_BY_IO, NULL, "dd cc1 cc1+ systemd");
    check_order(TK_TOP_BY_PID, NULL, "cc1+ systemd cc1 dd");
    check_order(TK_TOP_BY_NAME, NULL, "cc1+ cc1 dd systemd");
    check_order(TK_TOP_BY_CPU, "CC", "cc1 cc1+");
    check_order(TK_TOP_BY_CPU, "zzz", "");
}

static void what_is_not_known_is_null_in_json(void **state)
{
    (void)state;
    struct tk_top_process processes[4];
    processes_set(processes);
    struct tk_top_frame frame = frame_of(processes, 4);
    frame.machine.io_stall = (double)NAN;
    frame.procs.lost_exits = -1;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 65536);
    const struct tk_top_view view = {.sort = TK_TOP_BY_PID, .limit = 1};
    tk_top_format_json(&frame, &view, &out);
    tk_buf_putc(&out, '\0');
    assert_true(tk_buf_ok(&out));
    assert_non_null(strstr(out.p, "\"io_stall_ratio\":null,"));
    assert_non_null(strstr(out.p, "\"lost_exits\":null,"));
    assert_non_null(strstr(out.p, "\"processes\":[{\"pid\":null,\"comm\":\"cc1\",\"ended\":12,"
                                  "\"cpu_cores\":0.6100,"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_drawn_in_80_columns),
        cmocka_unit_test(an_interval_that_could_not_be_held_is_told),
        cmocka_unit_test(processes_are_ordered_and_filtered),
        cmocka_unit_test(what_is_not_known_is_null_in_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
