/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/host.h"

#include "tk_root.h"

static const struct tk_host_options options = {
    .node = "n1", .stage = "cloud", .host = "vm", .iface = "eth0", .per_core = true};

static struct tk_host *open_host(struct tk_root *root)
{
    struct tk_host *host;
    struct tk_err err;
    assert_int_equal(tk_host_new(&root->kernel, &options, &host, &err), 0);
    return host;
}

static void two_readings_of_a_real_machine_make_the_golden_rows(void **state)
{
    (void)state;
    struct tk_root root;
    tk_root_init(&root, "root-vm");
    struct tk_host *host = open_host(&root);
    tk_host_tick(host, root.rows);
    tk_root_advance(&root, 1000 * TK_NS_PER_MS, "root-vm", "1");
    tk_host_tick(host, root.rows);
    const char *first;
    assert_int_equal(tk_host_errors(host, &first), 0);
    tk_root_assert_golden(&root, "root-vm/host.jsonl");
    tk_host_free(host);
    tk_root_release(&root);
}

static void two_readings_of_an_old_kernel_make_the_golden_rows(void **state)
{
    (void)state;
    struct tk_root root;
    tk_root_init(&root, "root-old");
    struct tk_host *host = open_host(&root);
    tk_host_tick(host, root.rows);
    tk_root_advance(&root, 1000 * TK_NS_PER_MS, "root-old", "1");
    tk_host_tick(host, root.rows);
    const char *first;
    assert_int_equal(tk_host_errors(host, &first), 0);
    tk_root_assert_golden(&root, "root-old/host.jsonl");
    tk_host_free(host);
    tk_root_release(&root);
}

/* One instant of a small host: CPU ticks of a busy second, and whatever the test adds. */
static void write_stat(struct tk_root *root, int64_t busy, int64_t idle)
{
    char text[256];
    (void)snprintf(text, sizeof(text),
                   "cpu  %lld 0 0 %lld 0 0 0 0 0 0\nctxt 5000\nprocesses 70\nprocs_running 1\n"
                   "procs_blocked 0\n",
                   (long long)busy, (long long)idle);
    tk_root_write(root, "proc/stat", text);
}

static void init_small(struct tk_root *root)
{
    tk_root_init(root, NULL);
    write_stat(root, 100, 100);
}

static void assert_has(const char *rows, const char *part)
{
    if (strstr(rows, part))
        return;
    print_error("no %s in:\n%s", part, rows);
    fail();
}

static void assert_lacks(const char *rows, const char *part)
{
    if (!strstr(rows, part))
        return;
    print_error("%s in:\n%s", part, rows);
    fail();
}

static int count_lines(const char *rows, const char *start)
{
    int n = 0;
    for (const char *hit = strstr(rows, start); hit; hit = strstr(hit + 1, start))
        n++;
    return n;
}

static void rates_divide_by_the_time_that_passed(void **state)
{
    (void)state;
    struct tk_root root;
    init_small(&root);
    struct tk_host *host = open_host(&root);
    tk_host_tick(host, root.rows);
    tk_root_advance(&root, 1500250000, NULL, NULL);
    tk_root_write(&root, "proc/stat", "cpu  137 0 0 213 0 0 0 0 0 0\nctxt 5300\nprocesses 73\n");
    tk_host_tick(host, root.rows);
    const char *rows = tk_root_take_rows(&root);
    assert_has(rows, "\"ts_ms\":1758059311500,");
    assert_has(rows, "\"ts_us\":1758059311500250,\"dt_ms\":1500,");
    assert_has(rows, "\"cpu_util\":24.67,");
    assert_has(rows, "\"ctxt_ps\":199.97,\"processes_ps\":2.00}");
    tk_host_free(host);
    tk_root_release(&root);
}

static void guests_are_taken_out_of_user_and_nice(void **state)
{
    (void)state;
    struct tk_root root;
    tk_root_init(&root, NULL);
    tk_root_write(&root, "proc/stat", "cpu  0 0 0 0 0 0 0 0 0 0\n");
    struct tk_host *host = open_host(&root);
    tk_host_tick(host, root.rows);
    tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    tk_root_write(&root, "proc/stat", "cpu  40 20 10 20 4 1 2 3 30 5\n");
    tk_host_tick(host, root.rows);
    assert_has(tk_root_take_rows(&root),
               "\"cpu_util\":80.00,\"host\":\"vm\",\"ts_us\":1758059311000000,\"dt_ms\":1000,"
               "\"usr\":10.00,\"nice\":15.00,\"sys\":10.00,\"iowait\":4.00,\"irq\":1.00,"
               "\"soft\":2.00,\"steal\":3.00,\"guest\":30.00,\"gnice\":5.00,\"idle\":20.00");
    tk_host_free(host);
    tk_root_release(&root);
}

static void idle_that_steps_back_counts_as_no_time(void **state)
{
    (void)state;
    struct tk_root root;
    tk_root_init(&root, NULL);
    tk_root_write(&root, "proc/stat", "cpu  0 0 0 500 70 0 0 0 0 0\n");
    struct tk_host *host = open_host(&root);
    tk_host_tick(host, root.rows);
    tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    tk_root_write(&root, "proc/stat", "cpu  50 0 0 550 69 0 0 0 0 0\n");
    tk_host_tick(host, root.rows);
    const char *rows = tk_root_take_rows(&root);
    assert_has(rows, "\"cpu_util\":50.00");
    assert_has(rows, "\"iowait\":0.00");
    tk_host_free(host);
    tk_root_release(&root);
}

static void counters_that_went_back_leave_values_absent(void **state)
{
    (void)state;
    struct tk_root root;
    init_small(&root);
    tk_root_write(&root, "proc/net/dev", "eth0: 900 9 0 0 0 0 0 0 900 9 0 0 0 0 0 0\n");
    tk_root_write(&root, "proc/diskstats", "8 0 sda 9 0 90 9 9 0 90 9 0 9 9\n");
    tk_root_write(&root, "proc/pressure/io", "some avg10=1.00 total=900\n");
    tk_root_write(&root, "proc/vmstat", "pgmajfault 9\noom_kill 2\n");
    struct tk_host *host = open_host(&root);
    tk_host_tick(host, root.rows);
    tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    tk_root_write(&root, "proc/stat", "cpu  200 0 0 200 0 0 0 0 0 0\nctxt 10\nprocesses 75\n");
    tk_root_write(&root, "proc/net/dev", "eth0: 5 5 0 0 0 0 0 0 5 5 0 0 0 0 0 0\n");
    tk_root_write(&root, "proc/diskstats", "8 0 sda 1 0 10 1 1 0 10 1 0 1 1\n");
    tk_root_write(&root, "proc/pressure/io", "some avg10=1.00 total=5\n");
    tk_root_write(&root, "proc/vmstat", "pgmajfault 1\noom_kill 2\n");
    tk_host_tick(host, root.rows);
    const char *rows = tk_root_take_rows(&root);
    assert_has(rows, "\"cpu_util\":50.00");
    assert_has(rows, "\"processes_ps\":5.00");
    assert_has(rows, "\"oom_kills\":0");
    assert_has(rows, "\"psi_io_some\":1.00");
    static const char *const absent[] = {"ctxt_ps",     "psi_io_some_us", "pgmajfault_ps",
                                         "disk_rd_Bps", "link_metrics",   "disk_metrics"};
    for (size_t i = 0; i < TK_COUNTOF(absent); i++)
        assert_lacks(rows, absent[i]);

    /* The CPU counters themselves: no row at all, and the next interval is whole again. */
    tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    write_stat(&root, 10, 10);
    tk_host_tick(host, root.rows);
    assert_lacks(tk_root_take_rows(&root), "host_metrics");
    tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    write_stat(&root, 20, 40);
    tk_host_tick(host, root.rows);
    assert_has(tk_root_take_rows(&root), "\"cpu_util\":25.00");
    tk_host_free(host);
    tk_root_release(&root);
}

static void a_tick_in_which_no_cpu_time_passed_loses_nothing(void **state)
{
    (void)state;
    struct tk_root root;
    init_small(&root);
    tk_root_write(&root, "proc/pressure/cpu", "some avg10=1.00 total=100\n");
    struct tk_host *host = open_host(&root);
    tk_host_tick(host, root.rows);
    tk_root_advance(&root, 5 * TK_NS_PER_MS, NULL, NULL);
    tk_root_write(&root, "proc/pressure/cpu", "some avg10=1.00 total=130\n");
    tk_host_tick(host, root.rows);
    assert_string_equal(tk_root_take_rows(&root), "");
    tk_root_advance(&root, 5 * TK_NS_PER_MS, NULL, NULL);
    tk_root_write(&root, "proc/pressure/cpu", "some avg10=1.00 total=140\n");
    write_stat(&root, 101, 101);
    tk_host_tick(host, root.rows);
    const char *rows = tk_root_take_rows(&root);
    assert_has(rows, "\"dt_ms\":10,");
    assert_has(rows, "\"psi_cpu_some_us\":40");
    tk_host_free(host);
    tk_root_release(&root);
}

static void sums_hold_what_reached_a_disk_once(void **state)
{
    (void)state;
    struct tk_root root;
    init_small(&root);
    static const char *const sys[] = {"sys/block/sda/size",        "sys/block/dm-0/slaves/sda1",
                                      "sys/block/loop0/size",      "sys/block/loop1/size",
                                      "sys/block/zram0/size",      "sys/block/nbd0/size",
                                      "sys/block/cciss!c0d0/size", "sys/block/bcache0/slaves/sda"};
    for (size_t i = 0; i < TK_COUNTOF(sys); i++)
        tk_root_write(&root, sys[i], "");
    static const char *const names[] = {"sda",   "sda1", "dm-0",       "loop0",
                                        "zram0", "nbd0", "cciss/c0d0", "bcache0"};
    struct tk_buf text;
    tk_buf_init(&text, 4096);
    struct tk_host *host = NULL;
    for (int instant = 0; instant < 2; instant++) {
        tk_buf_reset(&text);
        tk_buf_puts(&text, "7 1 loop1 0 0 0 0 0 0 0 0 0 0 0\n");
        for (size_t i = 0; i < TK_COUNTOF(names); i++)
            tk_buf_printf(&text, "8 %zu %s %d 0 %d %d %d 0 %d %d 2 %d 0\n", i, names[i],
                          10 + instant * 2, 80 + instant * 16, 5 + instant * 6, 10 + instant,
                          80 + instant * 8, 5 + instant * 3, 100 + instant * 250);
        tk_buf_putc(&text, '\0');
        tk_root_write(&root, "proc/diskstats", text.p);
        if (instant == 0)
            host = open_host(&root);
        write_stat(&root, 100 + instant, 100);
        tk_host_tick(host, root.rows);
        tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    }
    const char *rows = tk_root_take_rows(&root);
    /* sda, nbd0 and cciss/c0d0 count; the partition and what lies on others or in memory do not. */
    assert_has(rows, "\"disk_rd_Bps\":24576,\"disk_wr_Bps\":12288,\"disk_rd_iops\":6.00,"
                     "\"disk_wr_iops\":3.00");
    assert_int_equal(count_lines(rows, "disk_metrics "), 7); /* loop1 had no I/O */
    assert_has(rows, "\"disk\":\"sda\",\"dt_ms\":1000,\"rd_Bps\":8192,\"wr_Bps\":4096,"
                     "\"rd_iops\":2.00,\"wr_iops\":1.00,\"util\":25.00,\"await_ms\":3.000,"
                     "\"in_flight\":2}");
    assert_lacks(rows, "\"disk\":\"sda1\"");
    assert_lacks(rows, "\"disk\":\"loop1\"");
    tk_buf_release(&text);
    tk_host_free(host);
    tk_root_release(&root);
}

static void partitions_are_told_by_name_where_sysfs_is_missing(void **state)
{
    (void)state;
    struct tk_root root;
    init_small(&root);
    tk_root_write(&root, "proc/diskstats",
                  "8 0 sda 1 0 0 0 0 0 0 0 0 0 0\n8 1 sda1 1 0 0 0 0 0 0 0 0 0 0\n"
                  "259 0 nvme0n1 1 0 0 0 0 0 0 0 0 0 0\n259 1 nvme0n1p1 1 0 0 0 0 0 0 0 0 0 0\n"
                  "179 0 mmcblk0 1 0 0 0 0 0 0 0 0 0 0\n179 1 mmcblk0p2 1 0 0 0 0 0 0 0 0 0 0\n"
                  "9 127 md127 1 0 0 0 0 0 0 0 0 0 0\n");
    struct tk_host *host = open_host(&root);
    tk_host_tick(host, root.rows);
    tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    write_stat(&root, 101, 101);
    tk_host_tick(host, root.rows);
    const char *rows = tk_root_take_rows(&root);
    assert_int_equal(count_lines(rows, "disk_metrics "), 4);
    assert_lacks(rows, "sda1");
    assert_lacks(rows, "p1");
    assert_lacks(rows, "p2");
    tk_host_free(host);
    tk_root_release(&root);
}

static void other_links_have_rows_once_they_carry_traffic(void **state)
{
    (void)state;
    struct tk_root root;
    init_small(&root);
    tk_root_write(&root, "proc/net/dev",
                  "eth0: 5 5 0 0 0 0 0 0 5 5 0 0 0 0 0 0\n  lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n");
    struct tk_host *host = open_host(&root);
    tk_host_tick(host, root.rows);
    tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    tk_host_tick(host, root.rows);
    const char *rows = tk_root_take_rows(&root);
    assert_has(rows, "\"link\":\"n1.nic\",\"rx_Bps\":0,\"tx_Bps\":0,");
    assert_lacks(rows, "n1.lo");

    tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    tk_root_write(&root, "proc/net/dev",
                  "eth0: 5 5 0 0 0 0 0 0 5 5 0 0 0 0 0 0\n"
                  "veth1: 800 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n"
                  "  lo: 109 10 0 4 0 0 0 0 209 11 0 1 0 0 0 0\n");
    tk_host_tick(host, root.rows);
    rows = tk_root_take_rows(&root);
    assert_has(rows, "\"link\":\"n1.lo\",\"rx_Bps\":100,\"tx_Bps\":200,\"host\":\"vm\","
                     "\"iface\":\"lo\",");
    assert_has(rows, "\"rx_pps\":1.00,\"tx_pps\":2.00,\"rx_drop\":4,\"tx_drop\":1}");
    assert_lacks(rows, "veth1");

    tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    tk_host_tick(host, root.rows);
    rows = tk_root_take_rows(&root);
    assert_has(rows, "\"link\":\"n1.lo\",\"rx_Bps\":0");
    assert_lacks(rows, "veth1");
    tk_host_free(host);
    tk_root_release(&root);
}

static void classes_keep_their_period_at_any_interval(void **state)
{
    (void)state;
    struct tk_root root;
    init_small(&root);
    tk_root_write(&root, "proc/meminfo", "MemTotal: 900 kB\nMemFree: 100 kB\n");
    tk_root_write(&root, "proc/loadavg", "0.20 0.18 0.12 1/80 11206\n");
    tk_root_write(&root, "proc/vmstat", "pgmajfault 0\n");
    struct tk_host *host = open_host(&root);
    for (int i = 0; i <= 20; i++) {
        /* A little early and a little late, as real ticks are. */
        root.now_ns = TK_ROOT_MONO_NS + i * 100 * TK_NS_PER_MS + (i % 3 - 1) * 50 * TK_NS_PER_US;
        char text[64];
        (void)snprintf(text, sizeof(text), "pgmajfault %d\n", i * 10);
        tk_root_write(&root, "proc/vmstat", text);
        write_stat(&root, 100 + i, 100 + i);
        tk_host_tick(host, root.rows);
    }
    const char *rows = tk_root_take_rows(&root);
    assert_int_equal(count_lines(rows, "cpu_util"), 20);
    assert_int_equal(count_lines(rows, "mem_free_bytes"), 3);  /* at 0, 1 and 2 s */
    assert_int_equal(count_lines(rows, "\"load1\":0.20"), 20); /* read once: it stands 5 s */
    assert_int_equal(count_lines(rows, "pgmajfault_ps"), 2);
    assert_int_equal(count_lines(rows, "\"pgmajfault_ps\":100.00"), 2);

    /* The last tick reads every class, whatever is due. */
    tk_root_advance(&root, 50 * TK_NS_PER_MS, NULL, NULL);
    write_stat(&root, 150, 150);
    tk_host_finish(host, root.rows);
    rows = tk_root_take_rows(&root);
    assert_has(rows, "load1");
    assert_has(rows, "pgmajfault_ps");
    assert_has(rows, "mem_free_bytes");
    tk_host_free(host);
    tk_root_release(&root);
}

static void interrupts_have_rows_by_their_number_and_one_for_all_others(void **state)
{
    (void)state;
    struct tk_root root;
    init_small(&root);
    char text[4096] = "  CPU0 CPU1\n";
    for (int i = 0; i < 40; i++)
        (void)snprintf(strchr(text, '\0'), 64, "%3d: 5 5  IO-APIC  1-edge  dev%d\n", i, i);
    tk_root_write(&root, "proc/interrupts", text);
    struct tk_host *host = open_host(&root);
    tk_host_tick(host, root.rows);
    assert_lacks(tk_root_take_rows(&root), "interrupt_metrics");
    /* Number i counted i more; 0 none. */
    (void)strcpy(text, "  CPU0 CPU1\n");
    for (int i = 0; i < 40; i++)
        (void)snprintf(strchr(text, '\0'), 64, "%3d: %d 5  IO-APIC  1-edge  dev%d\n", i, 5 + i, i);
    tk_root_write(&root, "proc/interrupts", text);
    tk_root_advance(&root, 10 * TK_NS_PER_S, NULL, NULL);
    tk_host_tick(host, root.rows);
    const char *rows = tk_root_take_rows(&root);
    assert_int_equal(count_lines(rows, "interrupt_metrics"), 33);
    assert_has(rows, "\"irq\":\"39\",\"device\":\"dev39\",\"dt_ms\":10000,\"count\":39}");
    assert_has(rows, "\"irq\":\"8\",\"device\":\"dev8\",\"dt_ms\":10000,\"count\":8}");
    assert_has(rows, "\"irq\":\"other\",\"dt_ms\":10000,\"count\":28}"); /* 1 to 7 */
    tk_host_free(host);
    tk_root_release(&root);
}

static void file_systems_are_asked_for_their_space_but_not_those_of_others(void **state)
{
    (void)state;
    struct tk_root root;
    init_small(&root);
    tk_root_write(&root, "proc/self/mountinfo",
                  "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
                  "28 1 254:1 / /data rw - xfs /dev/vdb rw\n"
                  "29 1 254:2 / /gone rw - xfs /dev/vdc rw\n"
                  "34 27 0:51 / /nfs rw - nfs4 server:/export rw\n");
    tk_root_write(&root, "data/file", "");
    tk_root_write(&root, "nfs/file", "");
    tk_root_write(&root, "proc/zoneinfo",
                  "Node 0, zone Normal\n  pages free 1000\n min 100\n low 200\n high 300\n"
                  " managed 5000\n");
    struct tk_host *host = open_host(&root);
    tk_host_tick(host, root.rows);
    const char *rows = tk_root_take_rows(&root);
    assert_int_equal(count_lines(rows, "fs_metrics"), 2);
    assert_has(rows, "\"mount\":\"/\",\"device\":\"/dev/vda\",\"type\":\"ext4\",\"size_bytes\":");
    assert_has(rows, "\"mount\":\"/data\",\"device\":\"/dev/vdb\",\"type\":\"xfs\"");
    assert_int_equal(tk_host_remote_mounts(host), 1);
    assert_has(rows, "\"numa_node\":0,\"free_bytes\":4096000,\"min_bytes\":409600,"
                     "\"low_bytes\":819200,\"high_bytes\":1228800,\"managed_bytes\":20480000}");
    tk_host_free(host);
    tk_root_release(&root);
}

static void a_budget_stretches_all_classes_but_the_fast_one(void **state)
{
    (void)state;
    struct tk_root root;
    init_small(&root);
    tk_root_write(&root, "proc/meminfo", "MemTotal: 900 kB\nMemFree: 100 kB\n");
    tk_root_write(&root, "proc/vmstat", "pgmajfault 0\n");
    tk_root_write(&root, "proc/net/netstat", "TcpExt: ListenDrops\nTcpExt: 0\n");
    struct tk_pace pace = {.detail = 4, .slow = 2};
    struct tk_host_options paced = options;
    paced.pace = &pace;
    struct tk_host *host;
    struct tk_err err;
    assert_int_equal(tk_host_new(&root.kernel, &paced, &host, &err), 0);
    for (int i = 0; i <= 40; i++) {
        root.now_ns = TK_ROOT_MONO_NS + i * TK_NS_PER_S;
        write_stat(&root, 100 + i, 100 + i);
        tk_host_tick(host, root.rows);
    }
    const char *rows = tk_root_take_rows(&root);
    assert_int_equal(count_lines(rows, "cpu_util"), 40);
    assert_int_equal(count_lines(rows, "mem_free_bytes"), 11); /* at 0, 4, ... 40 s */
    assert_int_equal(count_lines(rows, "pgmajfault_ps"), 10);
    assert_int_equal(count_lines(rows, "tcp_listen_drops"), 2); /* at 20 and 40 s */
    tk_host_free(host);
    tk_root_release(&root);
}

/* vmstat is read as far as its last key stood before; it may have moved meanwhile. */
static void a_last_key_that_moved_is_found_again(void **state)
{
    (void)state;
    static const int fronts[] = {100, 150, 3000, 10, 10, 3000}; /* bytes before the keys */
    struct tk_root root;
    struct tk_buf text;
    struct tk_host *host = NULL;
    init_small(&root);
    tk_buf_init(&text, 8192);
    for (int i = 0; i < (int)TK_COUNTOF(fronts); i++) {
        tk_buf_reset(&text);
        tk_buf_printf(&text, "nr_free_pages %0*d\npgmajfault %d\noom_kill %d\n%s", fronts[i], 1,
                      i * 20, i * 3, i == 4 ? "" : "zzz 1\n");
        tk_buf_putc(&text, '\0');
        tk_root_write(&root, "proc/vmstat", text.p);
        host = host ? host : open_host(&root);
        write_stat(&root, 101 + i, 101 + i);
        tk_host_tick(host, root.rows);
        const char *rows = tk_root_take_rows(&root);
        assert_int_equal(count_lines(rows, "\"pgmajfault_ps\":20.00,"), i > 0);
        assert_int_equal(count_lines(rows, "\"oom_kills\":3"), i > 0);
        tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    }
    tk_buf_release(&text);
    tk_host_free(host);
    tk_root_release(&root);
}

static void energy_goes_on_where_its_counter_wraps(void **state)
{
    (void)state;
    struct tk_root root;
    init_small(&root);
    static const char zone[] = "sys/devices/virtual/powercap/intel-rapl/intel-rapl:";
    static const struct {
        const char *file;
        const char *text;
    } files[] = {
        {"0/name", "package-0\n"}, {"0/energy_uj", "900\n"},  {"0/max_energy_range_uj", "1000\n"},
        {"1/name", "psys\n"},      {"1/energy_uj", "7777\n"}, {"1/max_energy_range_uj", "9999\n"},
        {"2/name", "package-1\n"}, {"2/energy_uj", "10\n"},   {"2/max_energy_range_uj", "2000\n"},
    };
    char path[128];
    for (size_t i = 0; i < TK_COUNTOF(files); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", zone, files[i].file);
        tk_root_write(&root, path, files[i].text);
    }
    struct tk_host *host = open_host(&root);
    tk_host_tick(host, root.rows);
    tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    write_stat(&root, 101, 101);
    (void)snprintf(path, sizeof(path), "%s0/energy_uj", zone);
    tk_root_write(&root, path, "50\n");
    (void)snprintf(path, sizeof(path), "%s2/energy_uj", zone);
    tk_root_write(&root, path, "15\n");
    tk_host_tick(host, root.rows);
    /* 900 + 10 at first, then 150 past the wrap and 5; psys contains both packages. */
    assert_has(tk_root_take_rows(&root), "\"energy_uj\":1065");
    tk_host_free(host);
    tk_root_release(&root);
}

static void each_broken_file_is_counted_and_the_first_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *text;
        const char *message;
    } cases[] = {
        {"proc/stat", "cpu  1 x\n", "proc/stat: line 1: expected \"cpu\" and at least 4 numbers"},
        {"proc/meminfo", "MemFree: 1 kB\n",
         "proc/meminfo: expected a line \"MemTotal: NUMBER kB\""},
        {"proc/pressure/memory", "some\n",
         "proc/pressure/memory: expected a line \"some avg10=... total=...\""},
        {"proc/diskstats", "8 0 sda 1\n",
         "proc/diskstats: line 1: 1 numbers after the name, expected 11"},
        {"proc/net/dev", "eth0\n", "proc/net/dev: line 1: expected \"NAME:\""},
        {"proc/loadavg", "a\n", "proc/loadavg: field 1 is not a number"},
        {"proc/net/snmp", "Ip: 1\n", "proc/net/snmp: no line \"Tcp:\""},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_root root;
        init_small(&root);
        tk_root_write(&root, cases[i].path, cases[i].text);
        struct tk_host *host = open_host(&root);
        const char *first;
        assert_int_equal(tk_host_errors(host, &first), 0);
        tk_host_finish(host, root.rows);
        tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
        if (strcmp(cases[i].path, "proc/stat") != 0)
            write_stat(&root, 150, 200);
        tk_host_finish(host, root.rows);
        assert_true(tk_host_errors(host, &first) >= 1);
        assert_string_equal(first, cases[i].message);
        if (strcmp(cases[i].path, "proc/stat") != 0)
            assert_has(tk_root_take_rows(&root), "\"cpu_util\":33.33");
        tk_host_free(host);
        tk_root_release(&root);
    }
}

static void forks_are_read_anew_only_when_a_pid_was_given_out(void **state)
{
    (void)state;
    struct tk_root root;
    init_small(&root);
    tk_root_write(&root, "proc/loadavg", "0.20 0.18 0.12 1/80 11206\n");
    struct tk_host *host = open_host(&root);
    assert_int_equal(tk_host_forks(host), 70);
    tk_root_write(&root, "proc/stat", "cpu  1 2 3 4\nprocesses 99\n");
    assert_int_equal(tk_host_forks(host), 70);
    tk_root_write(&root, "proc/loadavg", "0.20 0.18 0.12 1/80 11207\n");
    assert_int_equal(tk_host_forks(host), 99);
    tk_root_write(&root, "proc/loadavg", "");
    tk_root_write(&root, "proc/stat", "cpu  1 2 3 4\n");
    assert_int_equal(tk_host_forks(host), -1);
    tk_host_free(host);
    tk_root_release(&root);
}

static void forks_of_a_pid_namespace_are_not_known(void **state)
{
    (void)state;
    struct tk_root root;
    init_small(&root);
    struct tk_host *host = open_host(&root);
    assert_int_equal(tk_host_forks(host), 70);
    root.kernel.pid_namespace = true;
    assert_int_equal(tk_host_forks(host), -1);
    tk_host_free(host);
    tk_root_release(&root);
}

static void throttling_of_our_own_group_is_counted(void **state)
{
    (void)state;
    struct tk_root root;
    init_small(&root);
    tk_root_write(&root, "proc/self/mountinfo",
                  "1 1 0:1 / /cg rw - cgroup2 cgroup2 rw\n"
                  "2 1 0:2 /docker/x /cpu rw - cgroup cgroup rw,cpu,cpuacct\n");
    tk_root_write(&root, "proc/self/cgroup", "2:cpu,cpuacct:/docker/x\n0::/\n");
    tk_root_write(&root, "cg/cpu.stat", "usage_usec 5\n");
    tk_root_write(&root, "cpu/cpu.stat", "nr_periods 9\nnr_throttled 4\nthrottled_time 5000\n");
    struct tk_host *host = open_host(&root);
    tk_host_tick(host, root.rows);
    tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    write_stat(&root, 150, 150);
    tk_root_write(&root, "cpu/cpu.stat", "nr_periods 19\nnr_throttled 6\nthrottled_time 47000\n");
    tk_host_tick(host, root.rows);
    assert_has(tk_root_take_rows(&root), "\"nr_throttled\":2,\"throttled_us\":42}");
    tk_host_free(host);
    tk_root_release(&root);
}

static void the_running_kernel_gives_rows_without_errors(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_kernel kernel;
    struct tk_err err;
    tk_root_init(&root, NULL);
    assert_int_equal(tk_kernel_open(&kernel, "/", &err), 0);
    struct tk_host *host;
    assert_int_equal(tk_host_new(&kernel, &options, &host, &err), 0);
    tk_host_tick(host, root.rows);
    usleep(120000);
    tk_host_finish(host, root.rows);
    const char *rows = tk_root_take_rows(&root);
    assert_int_equal(count_lines(rows, "cpu_util"), 1);
    assert_int_equal(count_lines(rows, "mem_free_bytes"), 2);
    assert_true(kernel.pid_namespace || tk_host_forks(host) > 0);
    const char *first;
    assert_int_equal(tk_host_errors(host, &first), 0);
    tk_host_free(host);
    tk_kernel_close(&kernel);
    tk_root_release(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_readings_of_a_real_machine_make_the_golden_rows),
        cmocka_unit_test(two_readings_of_an_old_kernel_make_the_golden_rows),
        cmocka_unit_test(rates_divide_by_the_time_that_passed),
        cmocka_unit_test(guests_are_taken_out_of_user_and_nice),
        cmocka_unit_test(idle_that_steps_back_counts_as_no_time),
        cmocka_unit_test(counters_that_went_back_leave_values_absent),
        cmocka_unit_test(a_tick_in_which_no_cpu_time_passed_loses_nothing),
        cmocka_unit_test(sums_hold_what_reached_a_disk_once),
        cmocka_unit_test(partitions_are_told_by_name_where_sysfs_is_missing),
        cmocka_unit_test(other_links_have_rows_once_they_carry_traffic),
        cmocka_unit_test(classes_keep_their_period_at_any_interval),
        cmocka_unit_test(interrupts_have_rows_by_their_number_and_one_for_all_others),
        cmocka_unit_test(file_systems_are_asked_for_their_space_but_not_those_of_others),
        cmocka_unit_test(a_budget_stretches_all_classes_but_the_fast_one),
        cmocka_unit_test(a_last_key_that_moved_is_found_again),
        cmocka_unit_test(energy_goes_on_where_its_counter_wraps),
        cmocka_unit_test(each_broken_file_is_counted_and_the_first_is_named),
        cmocka_unit_test(forks_are_read_anew_only_when_a_pid_was_given_out),
        cmocka_unit_test(forks_of_a_pid_namespace_are_not_known),
        cmocka_unit_test(throttling_of_our_own_group_is_counted),
        cmocka_unit_test(the_running_kernel_gives_rows_without_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
