/* SPDX-License-Identifier: Apache-2.0 */
/* The set of processes on a made-up /proc with made-up clocks. */
#include "collect/procs.h"

#include <sys/stat.h>

#include "collect/procs_internal.h"
#include "tk_root.h"

#define MAX_CLOCKS 1024

/* A root, and the CPU clocks of its processes. */
struct world {
    struct tk_root root; /* first: the kernel's `world` is both */
    struct tk_procs *procs;
    struct {
        pid_t pid;
        int64_t cpu_ns;
    } clocks[MAX_CLOCKS];
    size_t clock_count;

    /* Tier B2: what the program in the kernel does, done by reading the made-up files. */
    bool walks;
    struct tk_bpf_task tasks[MAX_CLOCKS];
    int64_t gates[MAX_CLOCKS]; /* CPU time of clocks[i] as told last; -1 = never */
    int64_t rss_pages[MAX_CLOCKS];
    pid_t parents[MAX_CLOCKS];
    uint64_t unmoved[MAX_CLOCKS];
    int whole_walks; /* that were to meet everybody */
    pid_t hidden;    /* it is not met; 0 = nobody */
    int64_t then_ms; /* a tick takes two walks, between which 20 runs until that; 0 = one */
};

static struct world world;

static int world_cpu_clock(void *context, pid_t pid, int64_t *ret_ns)
{
    const struct world *w = context;
    for (size_t i = 0; i < w->clock_count; i++) {
        if (w->clocks[i].pid == pid) {
            *ret_ns = w->clocks[i].cpu_ns;
            return 0;
        }
    }
    return -ESRCH;
}

static void set_clock(pid_t pid, int64_t cpu_ms)
{
    size_t i = 0;
    while (i < world.clock_count && world.clocks[i].pid != pid)
        i++;
    assert_true(i < MAX_CLOCKS);
    world.clocks[i].pid = pid;
    world.clocks[i].cpu_ns = cpu_ms * TK_NS_PER_MS;
    world.clock_count += i == world.clock_count;
}

static void put_file(pid_t pid, const char *name, const char *text)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "proc/%d/%s", pid, name);
    tk_root_write(&world.root, path, text);
}

/* Process `pid`, started at `start` ticks since boot; the run begins at tick 100,000. */
static void put_stat(pid_t pid, pid_t parent, const char *comm, int64_t start, int64_t utime)
{
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "%d (%s) S %d 1 1 0 -1 0 11 0 12 0 %lld 5 0 0 20 0 2 0 %lld 0 100 0\n", pid,
                   comm, parent, (long long)utime, (long long)start);
    put_file(pid, "stat", text);
}

static void put_process(pid_t pid, pid_t parent, const char *comm, int64_t start)
{
    put_stat(pid, parent, comm, start, 7);
    put_file(pid, "statm", "900 250 0 0 0 0 0\n");
    put_file(pid, "io", "read_bytes: 4096\nwrite_bytes: 8192\n");
    put_file(pid, "cgroup", "0::/user.slice\n");
    char status[64];
    (void)snprintf(status, sizeof(status), "Name:\tx\nNSpid:\t%d\n", pid);
    put_file(pid, "status", status);
    set_clock(pid, 10);
}

static void end_process(pid_t pid)
{
    static const char *const names[] = {"stat",   "statm",   "io",  "cgroup",
                                        "status", "cmdline", "exe", ""};
    char path[96];
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/proc/%d/%s", world.root.path, pid, names[i]);
        (void)remove(path);
    }
    for (size_t i = 0; i < world.clock_count; i++) {
        if (world.clocks[i].pid == pid)
            world.clocks[i].pid = -1;
    }
}

static bool read_proc(pid_t pid, const char *name, char *buf, size_t cap, tk_str *ret_text)
{
    char path[64];
    struct tk_err ignored;
    (void)snprintf(path, sizeof(path), "%d/%s", pid, name);
    return tk_file_read(world.root.kernel.procfd, path, buf, cap, ret_text, &ignored) == 0;
}

/* False when the process has gone. */
static bool read_task(size_t at, struct tk_bpf_task *ret_task)
{
    char buf[4096];
    tk_str text;
    struct tk_pid_stat stat;
    struct tk_pid_io io = {0};
    int64_t pages = 0;
    pid_t pid = world.clocks[at].pid;
    if (!read_proc(pid, "stat", buf, sizeof(buf), &text) || tk_pid_stat_parse(text, &stat) < 0)
        return false;
    struct tk_pid_status status = {.ns_pid = pid};
    if (read_proc(pid, "statm", buf, sizeof(buf), &text))
        assert_int_equal(tk_pid_statm_parse(text, &pages), 0);
    if (read_proc(pid, "io", buf, sizeof(buf), &text))
        assert_int_equal(tk_pid_io_parse(text, &io), 0);
    if (read_proc(pid, "status", buf, sizeof(buf), &text))
        assert_int_equal(tk_pid_status_parse(text, &status), 0);
    int64_t tick_ns = TK_NS_PER_S / world.root.kernel.clk_tck;
    *ret_task = (struct tk_bpf_task){
        .pid = pid,
        .ppid = stat.ppid,
        .ns_pid = status.ns_pid,
        .start_boot_ns = (uint64_t)(stat.start_ticks * tick_ns),
        .runtime_ns = (uint64_t)world.clocks[at].cpu_ns,
        /* As if /proc had been asked just now: its split is the one that counts. */
        .prev_utime_ns = (uint64_t)(stat.utime_ticks * tick_ns),
        .prev_stime_ns = (uint64_t)(stat.stime_ticks * tick_ns),
        .rss_pages = pages,
        .rd_bytes = (uint64_t)io.rd_bytes,
        .wr_bytes = (uint64_t)io.wr_bytes,
        .minflt = (uint64_t)stat.minflt,
        .majflt = (uint64_t)stat.majflt,
        .group = 16,
        .state = stat.state == 'R' ? 0 : 1,
        .exit_state = stat.state == 'Z' ? 0x20 : 0,
        .threads = (int32_t)stat.threads,
    };
    memcpy(ret_task->comm, stat.comm, sizeof(ret_task->comm));
    return true;
}

static int world_walk(void *context, const struct tk_walk_order *order, struct tk_walk *ret)
{
    struct world *w = context;
    w->whole_walks += order->turn_width == UINT32_MAX;
    *ret = (struct tk_walk){.tasks = w->tasks,
                            .unmoved = w->unmoved,
                            .start_ns = w->root.now_ns,
                            .end_ns = w->root.now_ns};
    for (size_t i = 0; i < w->clock_count; i++) {
        struct tk_bpf_task *task = &w->tasks[ret->count];
        if (w->clocks[i].pid < 0 || w->clocks[i].pid == w->hidden || !read_task(i, task))
            continue;
        ret->processes++;
        bool due = tk_bpf_in_turn((uint32_t)w->clocks[i].pid, order->turn_from, order->turn_width);
        bool ran = w->gates[i] != w->clocks[i].cpu_ns;
        bool moved = w->rss_pages[i] != task->rss_pages || w->parents[i] != task->ppid;
        if (!due && !ran)
            continue;
        task->is_whole = due || w->gates[i] < 0 || w->parents[i] != task->ppid;
        if (!ran && !moved && order->turn_width != UINT32_MAX) {
            w->unmoved[ret->unmoved_count++] = (uint64_t)task->pid;
            continue;
        }
        w->gates[i] = w->clocks[i].cpu_ns;
        w->rss_pages[i] = task->rss_pages;
        w->parents[i] = task->ppid;
        ret->count++;
    }
    ret->left_out = w->then_ms > 0 && !order->rest;
    if (ret->left_out)
        set_clock(20, w->then_ms);
    return 0;
}

static void put_last_pid(pid_t pid)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "0.1 0.2 0.3 1/80 %d\n", pid);
    tk_root_write(&world.root, "proc/loadavg", text);
}

static int world_open(void **state)
{
    (void)state;
    world.walks = false;
    world.hidden = 0;
    world.then_ms = 0;
    memset(world.gates, 0xff, sizeof(world.gates));
    tk_root_init(&world.root, NULL);
    world.root.kernel.cpu_clock = world_cpu_clock;
    world.clock_count = 0;
    world.procs = NULL;
    put_last_pid(50);
    put_process(1, 0, "init", 1);
    put_process(20, 1, "shell", 500);
    return 0;
}

static int walked_open(void **state)
{
    int rc = world_open(state);
    world.walks = true;
    return rc;
}

static int world_close(void **state)
{
    (void)state;
    tk_procs_free(world.procs);
    tk_root_release(&world.root);
    return 0;
}

/* Start sampling without events of the real kernel. */
static void open_procs(struct tk_procs_options options)
{
    struct tk_err err;
    options.node = "n0";
    options.no_events = true;
    const struct tk_walker walker = {.walk = world_walk, .context = &world, .rss_exact = true};
    if (world.walks && options.tier == TK_TIER_AUTO) {
        options.tier = TK_TIER_B2;
        options.walker = &walker;
    }
    int rc = tk_procs_new(&world.root.kernel, &options, &world.procs, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
}

/* All rows since the last call; more of them than one batch holds. */
static const char *take_rows(void)
{
    static char text[4 << 20];
    struct tk_err err;
    assert_int_equal(tk_rows_flush(world.root.rows, &err), 0);
    assert_true(tk_str_to_cstr(tk_buf_str(&world.root.out), text, sizeof(text)));
    tk_buf_reset(&world.root.out);
    return text;
}

/* Let `ms` pass, tick, and give the rows. */
static const char *tick(int64_t ms)
{
    world.root.now_ns += ms * TK_NS_PER_MS;
    tk_procs_tick(world.procs, -1, world.root.rows);
    return take_rows();
}

/* Rows of samples ------------------------------------------------------------------------ */

static void the_first_tick_writes_everybody_in_full(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){.host = "h0"});
    const char *rows = tick(0);
    assert_rows(rows, "proc_metrics", "", 2);
    assert_rows(rows, "proc_metrics",
                "{\"ts_ms\":1758059310000,\"pid\":20,\"utime\":7,\"stime\":5,\"rss_kb\":1000,"
                "\"threads\":2,\"ts_us\":1758059310000000,\"node\":\"n0\",\"host\":\"h0\","
                "\"start_ticks\":500,\"ppid\":1,\"comm\":\"shell\",\"state\":\"S\"",
                1);
    assert_rows(rows, "proc_metrics",
                "\"cgroup\":\"/user.slice\",\"cpu_ns\":10000000,\"rd_bytes\":4096,"
                "\"wr_bytes\":8192,\"minflt\":11,\"majflt\":12",
                2);
    assert_rows(rows, "proc_events", "", 0);
}

static void who_does_not_run_gets_no_row(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    (void)tick(100);
    set_clock(20, 15);
    const char *rows = tick(100);
    assert_rows(rows, "proc_metrics", "\"pid\":1,", 0);
    assert_rows(rows, "proc_metrics", "\"pid\":20,", 2);
}

static void a_row_ends_the_pause_before_the_first_row_after_it(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    (void)tick(100);
    set_clock(20, 15);
    put_stat(20, 1, "shell", 500, 8);
    const char *rows = tick(100);
    assert_rows(rows, "proc_metrics", "1758059310100,\"pid\":20,\"utime\":7,", 1);
    assert_rows(rows, "proc_metrics", "\"cpu_ns\":10000000", 1);
    assert_rows(rows, "proc_metrics", "1758059310200,\"pid\":20,\"utime\":8,", 1);
    assert_rows(rows, "proc_metrics", "\"cpu_ns\":15000000", 1);

    set_clock(20, 17); /* it goes on: no pause to end */
    rows = tick(100);
    assert_rows(rows, "proc_metrics", "\"pid\":20,", 1);
    assert_rows(rows, "proc_metrics", "1758059310300,\"pid\":20,", 1);
}

static void every_tick_writes_everybody_when_asked(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){.every_tick = true});
    (void)tick(0);
    assert_rows(tick(100), "proc_metrics", "", 2);
    set_clock(20, 15);
    assert_rows(tick(100), "proc_metrics", "", 2);
}

static void the_idle_are_read_again_in_turn_within_10_s(void **state)
{
    (void)state;
    for (pid_t pid = 100; pid < 200; pid++)
        put_process(pid, 1, "idle", 500);
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    for (pid_t pid = 100; pid < 200; pid++)
        put_file(pid, "statm", "900 300 0\n");
    int rows = 0;
    int most = 0;
    for (int i = 0; i < 10; i++) {
        int n = tk_root_count_rows(tick(1000), "proc_metrics", "\"rss_kb\":1200,");
        rows += n;
        most = n > most ? n : most;
    }
    assert_in_range(rows, 99, 101);
    assert_in_range(most, 8, 14); /* evenly */
}

static void many_that_run_have_stat_read_in_turn_and_clocks_at_once(void **state)
{
    (void)state;
    for (pid_t pid = 100; pid < 600; pid++)
        put_process(pid, 1, "busy", 500);
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    int fresh = 0;
    for (int t = 1; t <= 3; t++) {
        for (pid_t pid = 100; pid < 600; pid++) {
            set_clock(pid, 10 + t);
            put_stat(pid, 1, "busy", 500, 7 + t);
        }
        const char *rows = tick(100);
        assert_rows(rows, "proc_metrics", "\"comm\":\"busy\"", 500);
        char now[32];
        (void)snprintf(now, sizeof(now), "\"utime\":%d,", 7 + t);
        int n = tk_root_count_rows(rows, "proc_metrics", now);
        assert_int_equal(n, 200);
        fresh += n;
        (void)snprintf(now, sizeof(now), "\"cpu_ns\":%d000000,", 10 + t);
        assert_rows(rows, "proc_metrics", now, 500);
    }
    assert_int_equal(fresh, 600);
    struct tk_procs_stats stats;
    tk_procs_read_stats(world.procs, &stats);
    assert_int_equal(stats.detail_ticks, 3);
    /* They stop; who waits is read all the same. */
    for (pid_t pid = 100; pid < 600; pid++)
        put_stat(pid, 1, "busy", 500, 99);
    assert_rows(tick(100), "proc_metrics", "\"utime\":99,", 200);
    /* ... and some whose turn it is. */
    assert_in_range(tk_root_count_rows(tick(100), "proc_metrics", "\"utime\":99,"), 100, 110);
    assert_in_range(tk_root_count_rows(tick(100), "proc_metrics", "\"utime\":99,"), 0, 10);
}

static void run_and_write(int64_t cpu_ms, int64_t wr_bytes)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "read_bytes: 4096\nwrite_bytes: %lld\n",
                   (long long)wr_bytes);
    put_file(20, "io", text);
    set_clock(20, cpu_ms);
}

static void io_that_moves_is_read_at_each_tick_and_else_each_second(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    run_and_write(11, 8192);
    (void)tick(100);
    run_and_write(12, 9000); /* after a reading without change */
    assert_rows(tick(100), "proc_metrics", "\"wr_bytes\":9000", 0);
    run_and_write(13, 9000);
    assert_rows(tick(1000), "proc_metrics", "\"wr_bytes\":9000", 1);
    run_and_write(14, 9500);
    assert_rows(tick(100), "proc_metrics", "\"wr_bytes\":9500", 1);
    run_and_write(15, 9600);
    assert_rows(tick(100), "proc_metrics", "\"wr_bytes\":9600", 1);
    /* What it did before it fell asleep is told when its turn comes. */
    run_and_write(16, 9600);
    (void)tick(100);
    run_and_write(17, 9999);
    assert_rows(tick(100), "proc_metrics", "\"wr_bytes\":9600", 1);
    int seen = 0;
    for (int i = 0; i < 11; i++)
        seen += tk_root_count_rows(tick(1000), "proc_metrics", "\"wr_bytes\":9999");
    assert_int_equal(seen, 1);
}

static void run_with_pages(int64_t cpu_ms, int pages)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "900 %d 0 0 0 0 0\n", pages);
    put_file(20, "statm", text);
    set_clock(20, cpu_ms);
}

static void a_resident_set_that_moves_is_read_at_each_tick_and_else_each_second(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    run_with_pages(11, 250);
    (void)tick(100);
    run_with_pages(12, 300); /* after a reading without change */
    assert_rows(tick(100), "proc_metrics", "\"rss_kb\":1000,", 1);
    run_with_pages(13, 300);
    assert_rows(tick(1000), "proc_metrics", "\"rss_kb\":1200,", 1);
    run_with_pages(14, 400);
    assert_rows(tick(100), "proc_metrics", "\"rss_kb\":1600,", 1);
    /* What it had before it fell asleep is told when its turn comes, and at the end. */
    run_with_pages(15, 400);
    (void)tick(100);
    run_with_pages(16, 500);
    assert_rows(tick(100), "proc_metrics", "\"rss_kb\":1600,", 1);
    tk_procs_finish(world.procs, world.root.rows);
    assert_rows(take_rows(), "proc_metrics", "\"rss_kb\":2000,", 1);
}

static void switches_and_run_delay_of_who_ran_are_read_by_turns(void **state)
{
    (void)state;
    put_file(20, "stat", "20 (shell) S 1 1 1 0 -1 0 1 0 1 0 7 5 0 0 20 0 1 0 500 0 0 0\n");
    put_file(20, "status",
             "Name:\tx\nvoluntary_ctxt_switches:\t42\nnonvoluntary_ctxt_switches:\t3\n");
    put_file(20, "schedstat", "1 5000000 7\n");
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    int rows = 0;
    for (int i = 1; i <= 20; i++) {
        set_clock(20, 10 + i);
        rows = tk_root_count_rows(tick(1000), "proc_metrics",
                                  "\"nvcsw\":42,\"nivcsw\":3,\"run_delay_us\":5000}");
    }
    assert_int_equal(rows, 1);
    /* With a second thread /proc tells no longer of the whole process. */
    put_stat(20, 1, "shell", 500, 8);
    set_clock(20, 90);
    assert_rows(tick(1000), "proc_metrics", "nvcsw", 0);
}

static void names_may_hold_anything(void **state)
{
    (void)state;
    put_process(30, 1, "a) R 2 (b\n\"c\"", 600);
    open_procs((struct tk_procs_options){0});
    assert_rows(tick(0), "proc_metrics", "\"comm\":\"a) R 2 (b\\n\\\"c\\\"\"", 1);
}

static void finishing_writes_everybody_once_more(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    (void)tick(100);
    world.root.now_ns += 50 * TK_NS_PER_MS;
    tk_procs_finish(world.procs, world.root.rows);
    assert_rows(take_rows(), "proc_metrics", "1758059310150,", 2);
}

/* Births and deaths without events ----------------------------------------------------------- */

static void new_processes_are_found_by_the_pids_given(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    put_process(53, 20, "child", 100005);
    set_clock(53, 4);
    put_last_pid(55);
    const char *rows = tick(100);
    assert_rows(rows, "proc_metrics", "\"pid\":53,", 1);
    assert_rows(rows, "proc_events",
                "{\"ts_ms\":1758059310050,\"ts_us\":1758059310050000,\"node\":\"n0\","
                "\"event\":\"fork\",\"pid\":53,\"start_ticks\":100005,\"parent_pid\":20,"
                "\"comm\":\"child\"}",
                1);
}

static void a_pid_out_of_the_sequence_is_found_within_10_s(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    put_process(45, 20, "chosen", 100005);
    put_last_pid(51);
    assert_rows(tick(100), "proc_metrics", "\"pid\":45,", 0);
    assert_rows(tick(10000), "proc_metrics", "\"pid\":45,", 1);
}

static void a_sequence_that_starts_over_is_noticed(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    put_process(9, 20, "wrapped", 100005);
    put_last_pid(10);
    assert_rows(tick(100), "proc_metrics", "\"pid\":9,", 1);
}

static void who_vanished_ends_with_the_last_reading_of_its_clock(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    set_clock(20, 25);
    (void)tick(100);
    end_process(20);
    const char *rows = tick(100);
    assert_rows(rows, "proc_metrics", "", 0);
    assert_rows(rows, "proc_events",
                "1758059310200,\"ts_us\":1758059310200000,\"node\":\"n0\","
                "\"event\":\"exit\",\"pid\":20,\"start_ticks\":500,",
                1);
    assert_rows(rows, "proc_exit", "\"pid\":20,\"start_ticks\":500,\"comm\":\"shell\"", 1);
    assert_rows(rows, "proc_exit", "\"cpu_ns\":25000000,", 1);
    assert_rows(rows, "proc_exit", "\"source\":\"clock\",\"ppid\":1,", 1);
    assert_rows(tick(100), "proc_exit", "", 0);
}

static void a_pid_given_anew_is_another_process(void **state)
{
    (void)state;
    put_process(53, 20, "old", 600);
    set_clock(53, 3);
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    end_process(53);
    put_process(53, 20, "new", 100005);
    set_clock(53, 9); /* more than the old one had */
    put_last_pid(54);
    const char *rows = tick(100);
    assert_rows(rows, "proc_exit", "\"pid\":53,\"start_ticks\":600,\"comm\":\"old\"", 1);
    assert_rows(rows, "proc_exit", "\"cpu_ns\":3000000,", 1);
    assert_rows(rows, "proc_metrics", "\"pid\":53,", 1);
    assert_rows(rows, "proc_metrics", "\"start_ticks\":100005,", 1);
}

static void a_clock_that_went_back_is_another_process(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    put_process(20, 1, "new", 100005); /* and loadavg says nothing */
    set_clock(20, 2);
    const char *rows = tick(100);
    assert_rows(rows, "proc_exit", "\"pid\":20,\"start_ticks\":500,", 1);
    /* A walk tells of it at once. */
    int seen = tk_root_count_rows(rows, "proc_metrics", "\"start_ticks\":100005,");
    seen += tk_root_count_rows(tick(100), "proc_metrics", "\"start_ticks\":100005,");
    assert_int_equal(seen, 1);
}

static void what_lived_and_died_unseen_is_counted(void **state)
{
    (void)state;
    struct tk_procs_stats stats;
    open_procs((struct tk_procs_options){0});
    tk_procs_tick(world.procs, 1000, world.root.rows);
    put_process(53, 20, "seen", 100005);
    put_last_pid(60);
    world.root.now_ns += TK_NS_PER_S;
    tk_procs_tick(world.procs, 1010, world.root.rows);
    tk_procs_read_stats(world.procs, &stats);
    assert_int_equal(stats.lost_exits, 9);
    assert_int_equal(stats.births, 3);
    assert_string_equal(stats.exit_source, "none");
    assert_string_equal(stats.rung, "C");
    assert_string_equal(stats.why_not, "no events of processes: switched off");
}

static void looks_between_ticks_as_well(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    assert_int_equal(tk_procs_drain_interval_ns(world.procs), 50 * TK_NS_PER_MS);
    put_process(53, 20, "child", 100005);
    put_last_pid(53);
    tk_procs_drain(world.procs, world.root.rows);
    assert_rows(take_rows(), "proc_events", "\"event\":\"fork\"", 1);
}

/* Who is in the set -------------------------------------------------------------------------- */

static void put_family(void)
{
    put_process(30, 20, "ffmpeg", 600);
    put_process(31, 30, "worker", 601);
    put_process(32, 1, "other", 602);
}

static void the_set_is_what_matched_at_the_start_and_its_descendants(void **state)
{
    (void)state;
    put_family();
    open_procs((struct tk_procs_options){.match = "FFMPEG"});
    const char *rows = tick(0);
    assert_rows(rows, "proc_metrics", "", 2);
    assert_rows(rows, "proc_metrics", "\"pid\":30,", 1);
    assert_rows(rows, "proc_metrics", "\"pid\":31,", 1); /* its child, born before */

    put_process(53, 30, "child", 100005);
    put_process(54, 53, "grandchild", 100006);
    put_process(55, 20, "ffmpeg", 100007);
    put_last_pid(55);
    rows = tick(100);
    assert_rows(rows, "proc_metrics", "\"pid\":53,", 1);
    assert_rows(rows, "proc_metrics", "\"pid\":54,", 1);
    assert_rows(rows, "proc_metrics", "\"pid\":55,", 0);
}

static void with_refresh_it_is_what_matches_now(void **state)
{
    (void)state;
    put_family();
    open_procs((struct tk_procs_options){.match = "^ffmpeg$", .refresh = true});
    (void)tick(0);
    put_process(53, 30, "child", 100005);
    put_process(55, 20, "ffmpeg", 100007);
    put_last_pid(55);
    const char *rows = tick(100);
    assert_rows(rows, "proc_metrics", "\"pid\":53,", 0);
    assert_rows(rows, "proc_metrics", "\"pid\":55,", 1);

    put_stat(55, 20, "renamed", 100007, 9);
    set_clock(55, 20);
    (void)tick(100);
    set_clock(55, 30);
    assert_rows(tick(100), "proc_metrics", "\"pid\":55,", 0);
}

static void matches_command_line_program_and_group_by_prefix(void **state)
{
    (void)state;
    char path[96];
    static const char *const matches[] = {"cmdline:--port=80( |$)", "exe:/bin/server$",
                                          "cgroup:^/pod7"};
    put_family();
    put_file(30, "cmdline", "server\0--port=80");
    tk_root_write(&world.root, "proc/30/cmdline", "server --port=80");
    put_file(30, "cgroup", "0::/pod7/x\n");
    (void)snprintf(path, sizeof(path), "%s/proc/30/exe", world.root.path);
    assert_int_equal(symlink("/usr/bin/server", path), 0);
    for (size_t i = 0; i < TK_COUNTOF(matches); i++) {
        open_procs((struct tk_procs_options){.match = matches[i]});
        const char *rows = tick(0);
        assert_rows(rows, "proc_metrics", "", 2);
        assert_rows(rows, "proc_metrics", "\"pid\":30,", 1);
        assert_rows(rows, "proc_metrics", "\"pid\":31,", 1);
        tk_procs_free(world.procs);
        world.procs = NULL;
    }
}

static void an_expression_that_does_not_compile_is_named(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_procs_options options = {.match = "a(b", .no_events = true};
    assert_int_equal(tk_procs_new(&world.root.kernel, &options, &world.procs, &err), -EBADMSG);
    assert_string_equal(err.msg, "PROC_MATCH 'a(b': Unmatched ( or \\(");
}

static void tells_when_it_repaired_what_make_ate(void **state)
{
    (void)state;
    struct tk_procs_stats stats;
    put_process(30, 20, "ffprobe", 600);
    put_process(31, 20, "xffmpeg", 600);
    open_procs((struct tk_procs_options){.match = "^ffmpeg^ffprobe$"});
    const char *rows = tick(0);
    assert_rows(rows, "proc_metrics", "", 1);
    assert_rows(rows, "proc_metrics", "\"comm\":\"ffprobe\"", 1);
    tk_procs_read_stats(world.procs, &stats);
    assert_string_not_equal(stats.notice, "");
}

static void a_whitelist_folder_names_the_set(void **state)
{
    (void)state;
    put_family();
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/pids", world.root.path);
    open_procs((struct tk_procs_options){.pid_dir = path});
    assert_rows(tick(0), "proc_metrics", "", 0); /* the folder may come later */

    tk_root_write(&world.root, "pids/30", "");
    tk_root_write(&world.root, "pids/nobody", "");
    const char *rows = tick(100);
    assert_rows(rows, "proc_metrics", "", 2);
    assert_rows(rows, "proc_metrics", "\"pid\":30,", 1);
    assert_rows(rows, "proc_metrics", "\"pid\":31,", 1); /* its child */
    struct stat st;
    assert_int_equal(fstatat(world.root.kernel.rootfd, "pids/30", &st, 0), 0);
}

static void a_container_is_its_control_group(void **state)
{
    (void)state;
    static const char id[] = "4f1d0c6f7d2b8a9e4f1d0c6f7d2b8a9e4f1d0c6f7d2b8a9e4f1d0c6f7d2b8a9e";
    char group[160];
    put_family();
    (void)snprintf(group, sizeof(group), "0::/system.slice/docker-%s.scope\n", id);
    put_file(31, "cgroup", group);
    put_file(31, "status", "Name:\tworker\nNSpid:\t31\t8\n");
    put_file(32, "cgroup", group);
    open_procs((struct tk_procs_options){.container = id, .match = "work"});
    const char *rows = tick(0);
    assert_rows(rows, "proc_metrics", "", 1);
    assert_rows(rows, "proc_metrics", "\"pid\":31,", 1);
    assert_rows(rows, "proc_metrics", "\"ns_pid\":8,", 1);
    tk_procs_free(world.procs);

    open_procs((struct tk_procs_options){.container = id});
    assert_rows(tick(100), "proc_metrics", "", 2);
}

static void the_tree_is_in_the_set_whatever_matches(void **state)
{
    (void)state;
    bool exact;
    put_family();
    open_procs((struct tk_procs_options){.match = "nothing"});
    assert_rows(tick(0), "proc_metrics", "", 0);
    tk_procs_set_tree_root(world.procs, 30);
    const char *rows = tick(100);
    assert_rows(rows, "proc_metrics", "", 2);
    assert_int_equal(tk_procs_tree_count(world.procs), 2);
    assert_int_equal(tk_procs_tree_cpu_ns(world.procs, &exact), 20 * TK_NS_PER_MS);
    assert_false(exact);
    /* Its orphan goes to init, and stays in the tree. */
    end_process(30);
    put_stat(31, 1, "worker", 601, 8);
    set_clock(31, 30);
    rows = tick(100);
    assert_rows(rows, "proc_exit", "\"in_tree\":true", 1);
    assert_int_equal(tk_procs_tree_cpu_ns(world.procs, &exact), 40 * TK_NS_PER_MS);
}

static void orphans_of_a_tree_that_we_started_come_to_us(void **state)
{
    (void)state;
    put_process(30, getpid(), "root", 600);
    open_procs((struct tk_procs_options){.tree_root = 30});
    (void)tick(0);
    end_process(30);
    put_process(53, getpid(), "orphan", 100005); /* its parent came and went unseen */
    put_last_pid(53);
    (void)tick(100);
    assert_int_equal(tk_procs_tree_count(world.procs), 2);
}

/* Events ------------------------------------------------------------------------------------- */

/* As if proc connector and taskstats were open. */
static void pretend_events(bool records)
{
    world.procs->source = records ? &tk_procs_by_taskstats : &tk_procs_by_connector;
    world.procs->sources.version = records ? 16 : 0;
}

static void on_event(enum tk_event_kind kind, pid_t pid, pid_t parent, int64_t ms)
{
    struct tk_event event = {
        .kind = kind,
        .tid = pid,
        .pid = pid,
        .parent = parent,
        .mono_ns = world.root.now_ns + ms * TK_NS_PER_MS,
        .status = kind == TK_EVENT_EXIT ? 0x300 : 0,
    };
    tk_procs_on_event(world.procs, world.root.rows, &event);
}

/* The exit record of a process that was on a CPU for 4 of its 5 ms. */
static void add_record(pid_t pid, pid_t parent, const char *comm)
{
    struct tk_task_record record = {
        .version = 16,
        .tid = pid,
        .pid = pid,
        .ppid = parent,
        .last = true,
        .status = 0x300,
        .cpu_ns = 4 * TK_NS_PER_MS,
        .user_us = 3000,
        .system_us = 1000,
        .elapsed_us = 5000,
        .group_elapsed_us = 5000,
        .max_rss_kb = 700,
        .rd_bytes = 1,
        .wr_bytes = 2,
        .minflt = 3,
        .majflt = 4,
        .nvcsw = 5,
        .nivcsw = 6,
        .run_delay_ns = 1000000,
        .runs = 1000000,
    };
    tk_comm_set(record.comm, tk_str_from(comm));
    tk_exit_sums_add(&world.procs->sums, &record, 1, world.root.now_ns);
}

static void a_life_between_two_ticks_is_told_in_full(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){.tree_root = 20});
    (void)tick(0);
    pretend_events(true);
    add_record(53, 20, "true");
    on_event(TK_EVENT_FORK, 53, 20, 10);
    on_event(TK_EVENT_EXEC, 53, 0, 11);
    on_event(TK_EVENT_EXIT, 53, 20, 15);
    const char *rows = tick(100);
    assert_rows(rows, "proc_metrics", "\"pid\":53,", 0);
    assert_rows(rows, "proc_events",
                "\"event\":\"fork\",\"pid\":53,\"start_ticks\":100000,\"parent_pid\":20,"
                "\"comm\":\"shell\"}",
                1);
    assert_rows(rows, "proc_events", "\"event\":\"exec\",\"pid\":53,\"start_ticks\":100000,", 1);
    assert_rows(rows, "proc_events", "\"comm\":\"true\",\"exit_code\":3}", 1);
    assert_rows(rows, "proc_exit",
                "{\"ts_ms\":1758059310015,\"ts_us\":1758059310015000,\"node\":\"n0\",\"pid\":53,"
                "\"start_ticks\":100000,\"comm\":\"true\",\"utime_us\":3000,\"stime_us\":1000,"
                "\"cpu_ns\":4000000,\"max_rss_kb\":700,\"rd_bytes\":1,\"wr_bytes\":2,"
                "\"elapsed_us\":5000,\"exit_code\":3,\"threads\":1,\"source\":\"taskstats\","
                "\"ppid\":20,\"start_us\":1758059310010000,\"in_tree\":true,"
                "\"run_delay_us\":1000,\"minflt\":3,\"majflt\":4,\"nvcsw\":5,\"nivcsw\":6}",
                1);
    struct tk_procs_stats stats;
    bool exact;
    tk_procs_read_stats(world.procs, &stats);
    assert_int_equal(stats.exits, 1);
    assert_int_equal(stats.lost_exits, 0);
    assert_int_equal(tk_procs_tree_cpu_ns(world.procs, &exact), 14000000);
    assert_true(exact);
}

static int64_t slept_ns;

static int64_t world_boot_ns(void *context)
{
    const struct world *w = context;
    return w->root.now_ns + slept_ns;
}

static void a_process_born_after_the_host_slept_is_itself(void **state)
{
    (void)state;
    slept_ns = 0;
    world.root.kernel.boot_ns = world_boot_ns;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    pretend_events(true);
    slept_ns = 3600 * TK_NS_PER_S;
    (void)tick(100);
    put_process(53, 20, "child", 100010 + 360000);
    on_event(TK_EVENT_FORK, 53, 20, 1);
    const char *rows = tick(100);
    assert_rows(rows, "proc_metrics", "\"start_ticks\":460010,\"ppid\":20,\"comm\":\"child\"", 1);
    assert_rows(rows, "proc_events", "\"start_ticks\":460010,", 1);
}

static void a_birth_makes_no_walk_over_everybody(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    pretend_events(true);
    (void)tick(100);
    int before = world.whole_walks;
    put_process(53, 20, "child", 100010);
    on_event(TK_EVENT_FORK, 53, 20, 1);
    uint32_t i = tk_proc_set_find(&world.procs->set, 53);
    world.procs->set.facts[i].group_mark = 1; /* the event has told it, as those of BPF do */
    assert_rows(tick(100), "proc_metrics", "\"pid\":53,", 1);
    (void)tick(100);
    assert_int_equal(world.whole_walks, before);
}

/* A walk had told of it before we knew it, and it sleeps since. */
static void who_was_told_too_early_is_met_by_a_walk_over_everybody(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    pretend_events(true);
    (void)tick(100);
    put_process(53, 20, "child", 100010);
    on_event(TK_EVENT_FORK, 53, 20, 1);
    world.gates[world.clock_count - 1] = world.clocks[world.clock_count - 1].cpu_ns;
    world.parents[world.clock_count - 1] = 20;
    assert_rows(tick(100), "proc_metrics", "\"pid\":53,", 0);
    assert_rows(tick(100), "proc_metrics", "\"pid\":53,", 1);
}

static void a_daemon_stays_in_the_tree_that_made_it(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){.tree_root = 20});
    (void)tick(0);
    pretend_events(true);
    put_process(54, 1, "daemon", 100000); /* /proc names its new parent already */
    add_record(53, 20, "shell");
    on_event(TK_EVENT_FORK, 53, 20, 0);
    on_event(TK_EVENT_FORK, 54, 53, 1);
    on_event(TK_EVENT_EXIT, 53, 20, 5);
    const char *rows = tick(100);
    assert_rows(rows, "proc_events",
                "\"event\":\"fork\",\"pid\":54,\"start_ticks\":100000,"
                "\"parent_pid\":53,",
                1);
    assert_rows(rows, "proc_metrics", "\"pid\":54,", 1);
    end_process(54);
    add_record(54, 1, "daemon");
    on_event(TK_EVENT_EXIT, 54, 1, 0);
    assert_rows(tick(100), "proc_exit", "\"in_tree\":true", 1);
    assert_int_equal(tk_procs_tree_count(world.procs), 3);
}

static void the_tail_after_a_pause_does_not_smear_over_it(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    pretend_events(true);
    (void)tick(100);
    add_record(20, 1, "shell");
    world.procs->set.clocks[tk_proc_set_find(&world.procs->set, 20)].cpu_ns = 1;
    on_event(TK_EVENT_EXIT, 20, 1, 50);
    const char *rows = tick(100);
    assert_rows(rows, "proc_metrics", "1758059310100,\"pid\":20,", 1);
    assert_rows(rows, "proc_exit", "\"pid\":20,", 1);
}

static void the_end_of_a_thread_is_not_that_of_its_process(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    pretend_events(true);
    struct tk_event thread = {.kind = TK_EVENT_EXIT, .tid = 99, .pid = 20};
    struct tk_event leader = {.kind = TK_EVENT_EXIT, .tid = 20, .pid = 20};
    tk_procs_on_event(world.procs, world.root.rows, &thread);
    tk_procs_on_event(world.procs, world.root.rows, &leader);
    assert_rows(tick(100), "proc_exit", "", 0);
}

static void two_lives_of_one_pid_between_two_ticks_stay_apart(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    pretend_events(true);
    add_record(53, 20, "first");
    add_record(53, 20, "second");
    on_event(TK_EVENT_FORK, 53, 20, 10);
    on_event(TK_EVENT_EXIT, 53, 20, 20);
    on_event(TK_EVENT_FORK, 53, 20, 40);
    on_event(TK_EVENT_EXIT, 53, 20, 50);
    const char *rows = tick(100);
    assert_rows(rows, "proc_exit", "\"start_ticks\":100000,\"comm\":\"first\"", 1);
    assert_rows(rows, "proc_exit", "\"start_ticks\":100003,\"comm\":\"second\"", 1);
}

static void an_exit_whose_birth_was_missed_is_told_by_its_record(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){.tree_root = 20});
    (void)tick(0);
    pretend_events(true);
    add_record(77, 20, "unseen");
    on_event(TK_EVENT_EXIT, 77, 20, 30);
    const char *rows = tick(100);
    assert_rows(rows, "proc_exit", "\"pid\":77,\"start_ticks\":100002,\"comm\":\"unseen\"", 1);
    assert_rows(rows, "proc_exit", "\"in_tree\":true", 1);
}

static void a_record_without_its_event_is_used_when_the_process_is_gone(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    pretend_events(true);
    end_process(20);
    add_record(20, 1, "shell");
    assert_rows(tick(100), "proc_exit", "", 0);
    assert_rows(tick(100), "proc_exit", "\"source\":\"taskstats\"", 1);
}

static void an_exit_without_record_is_counted_as_lost(void **state)
{
    (void)state;
    struct tk_procs_stats stats;
    bool exact;
    open_procs((struct tk_procs_options){.tree_root = 20});
    (void)tick(0);
    pretend_events(true);
    end_process(20);
    assert_rows(tick(100), "proc_exit", "", 0); /* its record may still come */
    assert_rows(tick(100), "proc_exit", "\"source\":\"clock\"", 1);
    tk_procs_read_stats(world.procs, &stats);
    assert_int_equal(stats.lost_exits, 1);
    assert_int_equal(tk_procs_tree_cpu_ns(world.procs, &exact), 10 * TK_NS_PER_MS);
    assert_false(exact);
}

static void without_records_a_zombie_is_read_before_it_goes(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    pretend_events(false);
    put_file(20, "stat", "20 (shell) Z 1 1 1 0 -1 0 1 0 1 0 7 5 0 0 20 0 1 0 500 0 0 0\n");
    set_clock(20, 33);
    on_event(TK_EVENT_EXIT, 20, 1, 50);
    const char *rows = tick(100);
    assert_rows(rows, "proc_exit", "\"cpu_ns\":33000000,", 1);
    assert_rows(rows, "proc_exit", "\"exit_code\":3,", 1);
    assert_rows(rows, "proc_exit", "\"source\":\"clock\"", 1);
}

static void a_name_taken_at_exec_is_matched(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){.match = "ffmpeg", .refresh = true});
    (void)tick(0);
    pretend_events(true);
    put_process(53, 20, "shell", 100000);
    on_event(TK_EVENT_FORK, 53, 20, 1);
    assert_rows(tick(100), "proc_metrics", "", 0);
    put_process(53, 20, "ffmpeg", 100000);
    on_event(TK_EVENT_EXEC, 53, 0, 1);
    assert_rows(tick(100), "proc_metrics", "\"comm\":\"ffmpeg\"", 1);
}

/* Tier P0 -------------------------------------------------------------------------------------- */

static void without_cpu_clocks_stat_tells_who_ran(void **state)
{
    (void)state;
    struct tk_procs_stats stats;
    world.root.kernel.cpu_clock = NULL;
    open_procs((struct tk_procs_options){0});
    const char *rows = tick(0);
    assert_rows(rows, "proc_metrics", "\"utime\":7,", 2);
    assert_rows(rows, "proc_metrics", "cpu_ns", 0);
    (void)tick(100);
    put_stat(20, 1, "shell", 500, 9);
    rows = tick(100);
    assert_rows(rows, "proc_metrics", "", 2);
    assert_rows(rows, "proc_metrics", "1758059310100,\"pid\":20,\"utime\":7,", 1);
    assert_rows(rows, "proc_metrics", "1758059310200,\"pid\":20,\"utime\":9,", 1);
    tk_procs_read_stats(world.procs, &stats);
    assert_int_equal(stats.tier, TK_TIER_P0);

    put_process(60, 1, "new", 100010);
    put_last_pid(60);
    end_process(20);
    rows = tick(100);
    assert_rows(rows, "proc_metrics", "\"pid\":60,", 1);
    assert_rows(rows, "proc_exit", "\"pid\":20,", 1);
}

static void without_cpu_clocks_a_pid_given_anew_is_another_process(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){.tier = TK_TIER_P0});
    (void)tick(0);
    put_process(20, 1, "new", 100005);
    const char *rows = tick(100);
    assert_rows(rows, "proc_exit", "\"start_ticks\":500,", 1);
    assert_rows(tick(100), "proc_metrics", "\"start_ticks\":100005,", 1);
}

/* Visiting ------------------------------------------------------------------------------------- */

static void take_shell(void *context, const struct tk_proc *proc)
{
    if (proc->pid == 20)
        *(struct tk_proc *)context = *proc;
}

static void visitors_see_the_last_reading(void **state)
{
    (void)state;
    struct tk_proc shell = {0};
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    set_clock(20, 17);
    (void)tick(100);
    tk_procs_each(world.procs, take_shell, &shell);
    assert_string_equal(shell.comm, "shell");
    assert_int_equal(shell.cpu_ns, 17 * TK_NS_PER_MS);
    assert_int_equal(shell.cpu_delta_ns, 7 * TK_NS_PER_MS);
    assert_int_equal(shell.rss_bytes, 250 * 4096);
    assert_string_equal(shell.cgroup, "/user.slice");
    assert_int_equal(shell.threads, 2);
    (void)tick(100);
    tk_procs_each(world.procs, take_shell, &shell);
    assert_int_equal(shell.cpu_delta_ns, 0);
}

/* A sandbox may hide some from BPF that /proc shows. */
static void whom_the_first_walk_does_not_meet_has_no_time_yet(void **state)
{
    (void)state;
    struct tk_proc shell = {0};
    world.hidden = 20;
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    tk_procs_each(world.procs, take_shell, &shell);
    assert_int_equal(shell.pid, 20);
    assert_int_equal(shell.cpu_ns, -1);
    (void)tick(100);
    tk_procs_each(world.procs, take_shell, &shell);
    assert_int_equal(shell.cpu_ns, 10 * TK_NS_PER_MS);
}

static void who_runs_between_two_walks_of_a_tick_has_one_row(void **state)
{
    (void)state;
    struct tk_proc shell = {0};
    open_procs((struct tk_procs_options){0});
    (void)tick(0);
    (void)tick(100);
    set_clock(20, 17);
    world.then_ms = 19;
    const char *rows = tick(100);
    assert_rows(rows, "proc_metrics", "\"cpu_ns\":17000000,", 1);
    assert_rows(rows, "proc_metrics", "\"cpu_ns\":19000000,", 0);
    assert_rows(rows, "proc_metrics", "\"pid\":20,", 2); /* with that of the pause before */
    world.then_ms = 0;
    tk_procs_each(world.procs, take_shell, &shell);
    assert_int_equal(shell.cpu_ns, 19 * TK_NS_PER_MS);
    assert_int_equal(shell.cpu_delta_ns, 9 * TK_NS_PER_MS);
    set_clock(20, 20);
    assert_rows(tick(100), "proc_metrics", "\"cpu_ns\":20000000,", 1);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

#define WALKED_TEST(name)                                                                          \
    {                                                                                              \
        "walked_" #name, name, walked_open, world_close, NULL                                      \
    }

/* The same in tiers P and B2. */
#define BOTH_TEST(name) WORLD_TEST(name), WALKED_TEST(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_TEST(the_first_tick_writes_everybody_in_full),
        BOTH_TEST(who_does_not_run_gets_no_row),
        BOTH_TEST(a_row_ends_the_pause_before_the_first_row_after_it),
        BOTH_TEST(every_tick_writes_everybody_when_asked),
        BOTH_TEST(the_idle_are_read_again_in_turn_within_10_s),
        WORLD_TEST(many_that_run_have_stat_read_in_turn_and_clocks_at_once),
        WORLD_TEST(io_that_moves_is_read_at_each_tick_and_else_each_second),
        WORLD_TEST(a_resident_set_that_moves_is_read_at_each_tick_and_else_each_second),
        WORLD_TEST(switches_and_run_delay_of_who_ran_are_read_by_turns),
        BOTH_TEST(names_may_hold_anything),
        BOTH_TEST(finishing_writes_everybody_once_more),
        BOTH_TEST(new_processes_are_found_by_the_pids_given),
        WORLD_TEST(a_pid_out_of_the_sequence_is_found_within_10_s),
        BOTH_TEST(a_sequence_that_starts_over_is_noticed),
        BOTH_TEST(who_vanished_ends_with_the_last_reading_of_its_clock),
        BOTH_TEST(a_pid_given_anew_is_another_process),
        BOTH_TEST(a_clock_that_went_back_is_another_process),
        BOTH_TEST(what_lived_and_died_unseen_is_counted),
        BOTH_TEST(looks_between_ticks_as_well),
        BOTH_TEST(the_set_is_what_matched_at_the_start_and_its_descendants),
        BOTH_TEST(with_refresh_it_is_what_matches_now),
        BOTH_TEST(matches_command_line_program_and_group_by_prefix),
        BOTH_TEST(an_expression_that_does_not_compile_is_named),
        BOTH_TEST(tells_when_it_repaired_what_make_ate),
        BOTH_TEST(a_whitelist_folder_names_the_set),
        BOTH_TEST(a_container_is_its_control_group),
        BOTH_TEST(the_tree_is_in_the_set_whatever_matches),
        BOTH_TEST(orphans_of_a_tree_that_we_started_come_to_us),
        BOTH_TEST(a_life_between_two_ticks_is_told_in_full),
        BOTH_TEST(a_process_born_after_the_host_slept_is_itself),
        WALKED_TEST(a_birth_makes_no_walk_over_everybody),
        WALKED_TEST(who_was_told_too_early_is_met_by_a_walk_over_everybody),
        BOTH_TEST(a_daemon_stays_in_the_tree_that_made_it),
        BOTH_TEST(the_tail_after_a_pause_does_not_smear_over_it),
        BOTH_TEST(the_end_of_a_thread_is_not_that_of_its_process),
        BOTH_TEST(two_lives_of_one_pid_between_two_ticks_stay_apart),
        BOTH_TEST(an_exit_whose_birth_was_missed_is_told_by_its_record),
        WORLD_TEST(a_record_without_its_event_is_used_when_the_process_is_gone),
        WORLD_TEST(an_exit_without_record_is_counted_as_lost),
        BOTH_TEST(without_records_a_zombie_is_read_before_it_goes),
        BOTH_TEST(a_name_taken_at_exec_is_matched),
        WORLD_TEST(without_cpu_clocks_stat_tells_who_ran),
        WORLD_TEST(without_cpu_clocks_a_pid_given_anew_is_another_process),
        BOTH_TEST(visitors_see_the_last_reading),
        WALKED_TEST(who_runs_between_two_walks_of_a_tick_has_one_row),
        WALKED_TEST(whom_the_first_walk_does_not_meet_has_no_time_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
