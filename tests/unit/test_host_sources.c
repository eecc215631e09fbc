/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/host_sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tk_test.h"

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct tk_host_reading));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void parse(struct tk_host_reading *reading, enum tk_host_source_id id, const char *text)
{
    struct tk_err err = {0};
    if (tk_host_sources[id].parse(tk_str_from(text), 0, reading, &err) < 0)
        print_error("%s: %s\n", tk_host_sources[id].name, err.msg);
    assert_int_equal(err.code, 0);
}

static void broken_text_is_refused_and_the_place_is_named(void **state)
{
    static const struct {
        enum tk_host_source_id id;
        const char *text;
        const char *message;
    } cases[] = {
        {TK_HOST_STAT, "", "line 1: expected \"cpu\" and at least 4 numbers"},
        {TK_HOST_STAT, "intr 5\n", "line 1: expected \"cpu\" and at least 4 numbers"},
        {TK_HOST_STAT, "cpu  1 2 3 4\ncpu0 1 x 3 4\n",
         "line 2: expected \"cpu\" and at least 4 numbers"},
        {TK_HOST_STAT, "cpu  1 2 3 4\ncpuX 1 2 3 4\n",
         "line 2: expected \"cpu\" and at least 4 numbers"},
        {TK_HOST_PRESSURE_CPU, "", "expected a line \"some avg10=... total=...\""},
        {TK_HOST_PRESSURE_CPU, "some avg10=0.00 avg60=0.00\n",
         "line 1: expected avg10=NUMBER and total=NUMBER"},
        {TK_HOST_PRESSURE_IO, "some avg10=0.00 total=1\nfull avg10=a total=1\n",
         "line 2: expected avg10=NUMBER and total=NUMBER"},
        {TK_HOST_PRESSURE_MEMORY, "some avg10=0.00 total=-1\n",
         "line 1: expected avg10=NUMBER and total=NUMBER"},
        {TK_HOST_DISKSTATS, " 8 0\n", "line 1: expected major, minor and a name"},
        {TK_HOST_DISKSTATS, " 8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n 8 1 sda1 1 2 3\n",
         "line 2: 3 numbers after the name, expected 11"},
        {TK_HOST_INTERRUPTS, "", "line 1: expected the names of the CPUs"},
        {TK_HOST_INTERRUPTS, "  CPU0\n 1: 5 a\n 2 6\n",
         "line 3: expected an interrupt and its counts"},
        {TK_HOST_INTERRUPTS, "  CPU0\nLOC: x\n", "line 2: expected an interrupt and its counts"},
        {TK_HOST_ZONEINFO, "pages free 5\n", "no line \"Node 0, zone Normal\""},
        {TK_HOST_MOUNTINFO, "27 1 254:0 / / rw,relatime ext4 /dev/vda rw\n",
         "line 1: expected a mount"},
        {TK_HOST_NET_DEV, "Inter-| x\n face |y\n eth0 1 2\n", "line 3: expected \"NAME:\""},
        {TK_HOST_NET_DEV, "eth0: 1 2 3 4 5 6 7 8 9\n",
         "line 1: 9 numbers after the name, expected 16"},
        {TK_HOST_NET_DEV, "a-name-of-16-byte: 1\n", "line 1: expected \"NAME:\""},
        {TK_HOST_MEMINFO, "MemFree: 5 kB\n", "expected a line \"MemTotal: NUMBER kB\""},
        {TK_HOST_MEMINFO, "MemTotal: 5 kB\nMemFree: lots\n",
         "expected a line \"MemFree: NUMBER kB\""},
        {TK_HOST_LOADAVG, "0.20 x 0.12 1/80 11206\n", "field 2 is not a number"},
        {TK_HOST_LOADAVG, "0.20 0.18", "field 3 is not a number"},
        {TK_HOST_VMSTAT, "nr_free_pages 1\n",
         "none of pswpin, pswpout, pgmajfault, oom_kill found"},
        {TK_HOST_NET_SNMP, "Ip: A\nIp: 1\n", "no line \"Tcp:\""},
        {TK_HOST_NET_SNMP, "Tcp: A RetransSegs\n", "names but no values for \"Tcp:\""},
        {TK_HOST_NET_SNMP, "Tcp: A RetransSegs\nTcp: 1\n", "fewer values than names for \"Tcp:\""},
        {TK_HOST_NET_SNMP, "Tcp: A B\nTcp: 1 2\n", "no RetransSegs"},
        {TK_HOST_NET_NETSTAT, "TcpExt: ListenDrops\nTcpExt: many\n", "ListenDrops is not a number"},
        {TK_HOST_CPUFREQ, "<unknown>\n", "expected a number of kHz"},
        {TK_HOST_CPUINFO, "processor : 0\n", "no line \"cpu MHz\""},
        {TK_HOST_CPUINFO, "cpu MHz : fast\n", "line 1: expected \"cpu MHz : NUMBER\""},
        {TK_HOST_ENERGY, "\n", "expected a number of uJ"},
        {TK_HOST_THROTTLE, "usage_usec 5\n", "expected a line \"nr_throttled NUMBER\""},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_err err = {0};
        assert_int_equal(
            tk_host_sources[cases[i].id].parse(tk_str_from(cases[i].text), 0, *state, &err),
            -EBADMSG);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void stat_gives_columns_cores_and_counters(void **state)
{
    struct tk_host_reading *reading = *state;
    parse(reading, TK_HOST_STAT,
          "cpu  10 20 30 40 50 60 70 80 5 6\n"
          "cpu0 1 2 3 4 5 6 7 8 9 10\n"
          "cpu3 1 1 1 5\n"
          "intr 123 4 5 6\nctxt 560568\nbtime 1795251691\nprocesses 23256\n"
          "procs_running 3\nprocs_blocked 1\nsoftirq 1 2\n");
    const struct tk_host_stat *stat = &reading->stat;
    assert_int_equal(stat->cpu.user, 10);
    assert_int_equal(stat->cpu.steal, 80);
    assert_int_equal(stat->cpu.guest_nice, 6);
    assert_int_equal(stat->core_count, 2);
    assert_int_equal(stat->cores[0].total, 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8);
    assert_int_equal(stat->cores[1].id, 3);
    assert_int_equal(stat->cores[1].idle, 5);
    assert_int_equal(stat->ctxt, 560568);
    assert_int_equal(stat->processes, 23256);
    assert_int_equal(stat->procs_running, 3);
    assert_int_equal(stat->procs_blocked, 1);
}

static void a_kernel_with_four_columns_and_no_counters_is_read(void **state)
{
    struct tk_host_reading *reading = *state;
    parse(reading, TK_HOST_STAT, "cpu  1 2 3 4\ncpu0 1 2 3 4\n");
    assert_int_equal(reading->stat.cpu.idle, 4);
    assert_int_equal(reading->stat.cpu.steal, 0);
    assert_int_equal(reading->stat.processes, TK_HOST_ABSENT);
}

static void a_counter_below_zero_saturates(void **state)
{
    struct tk_host_reading *reading = *state;
    parse(reading, TK_HOST_STAT, "cpu  1 2 3 4 5 6 7 18446744073709551615 0 0\n");
    assert_true(reading->stat.cpu.steal > INT64_MAX / 100);
    parse(reading, TK_HOST_VMSTAT, "pswpin 18446744073709551615\n");
    assert_true(reading->vmstat.pswpin == INT64_MAX);
}

static void pressure_is_read_with_and_without_the_line_full(void **state)
{
    struct tk_host_reading *reading = *state;
    parse(reading, TK_HOST_PRESSURE_CPU,
          "some avg10=12.34 avg60=0.40 avg300=0.55 total=10180607\n");
    assert_near(reading->pressure_cpu.some_avg10, 12.34, 1e-9);
    assert_int_equal(reading->pressure_cpu.some_us, 10180607);
    assert_int_equal(reading->pressure_cpu.full_us, TK_HOST_ABSENT);
    parse(reading, TK_HOST_PRESSURE_IO,
          "some avg10=1.00 avg60=0.40 avg300=0.55 total=7\n"
          "full avg10=0.50 avg60=0.00 avg300=0.04 total=5\n");
    assert_near(reading->pressure_io.full_avg10, 0.5, 1e-9);
    assert_int_equal(reading->pressure_io.full_us, 5);
}

static void lines_of_every_age_of_diskstats_are_read(void **state)
{
    struct tk_host_reading *reading = *state;
    parse(reading, TK_HOST_DISKSTATS,
          "   8       0 sda 1 2 3 4 5 6 7 8 9 10 11\n"
          "   8       1 sda1 1 2 3 4\n"
          "   8      16 sdb 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n"
          " 259       0 nvme0n1 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37\n");
    assert_int_equal(reading->disks.count, 3);
    const struct tk_host_disk *disk = &reading->disks.items[2];
    assert_string_equal(disk->name, "nvme0n1");
    assert_int_equal(disk->rd_ios, 21);
    assert_int_equal(disk->rd_sectors, 23);
    assert_int_equal(disk->rd_ms, 24);
    assert_int_equal(disk->wr_ios, 25);
    assert_int_equal(disk->wr_sectors, 27);
    assert_int_equal(disk->wr_ms, 28);
    assert_int_equal(disk->in_flight, 29);
    assert_int_equal(disk->busy_ms, 30);
}

static void links_are_read_with_and_without_a_space_after_the_colon(void **state)
{
    struct tk_host_reading *reading = *state;
    parse(reading, TK_HOST_NET_DEV,
          "Inter-|   Receive                            |  Transmit\n"
          " face |bytes    packets errs drop fifo frame compressed multicast|bytes\n"
          "    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
          "  eth0:9999999999 2 0 4 0 0 0 0 5 6 0 7 0 0 0 0\n");
    assert_int_equal(reading->links.count, 2);
    const struct tk_host_link *link = &reading->links.items[1];
    assert_string_equal(link->name, "eth0");
    assert_int_equal(link->rx_bytes, 9999999999);
    assert_int_equal(link->rx_packets, 2);
    assert_int_equal(link->rx_drop, 4);
    assert_int_equal(link->tx_bytes, 5);
    assert_int_equal(link->tx_packets, 6);
    assert_int_equal(link->tx_drop, 7);
}

static void interrupts_are_summed_over_the_cpus(void **state)
{
    struct tk_host_reading *reading = *state;
    parse(reading, TK_HOST_INTERRUPTS,
          "           CPU0       CPU1       \n"
          " 36:          2    2976866 PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0\n"
          "  9:          0          0   IO-APIC   9-fasteoi   acpi, i801_smbus\n"
          "LOC:    7517708    6976636   Local timer interrupts\n"
          "ERR:          3\n");
    const struct tk_host_interrupts *interrupts = &reading->interrupts;
    assert_int_equal(interrupts->count, 4);
    assert_string_equal(interrupts->items[0].id, "36");
    assert_string_equal(interrupts->items[0].device, "virtio1-req.0");
    assert_int_equal(interrupts->items[0].count, 2976868);
    assert_string_equal(interrupts->items[1].device, "acpi, i801_smbus");
    assert_string_equal(interrupts->items[2].id, "LOC");
    assert_string_equal(interrupts->items[2].device, "Local timer interrupts");
    assert_int_equal(interrupts->items[2].count, 14494344);
    assert_string_equal(interrupts->items[3].device, "");
    assert_int_equal(interrupts->items[3].count, 3);
}

static void zones_of_a_node_are_added_up(void **state)
{
    struct tk_host_reading *reading = *state;
    parse(reading, TK_HOST_ZONEINFO,
          "Node 0, zone      DMA\n  per-node stats\n      nr_inactive_anon 16028\n"
          "  pages free     3840\n        boost    0\n        min      16\n        low      20\n"
          "        high     24\n        spanned  4095\n        managed  3840\n"
          "      nr_free_pages 3840\n  pagesets\n    cpu: 0\n              count:    0\n"
          "              high:  4\n              high_min: 4\n"
          "Node 0, zone   Normal\n  pages free     1000\n        min      100\n"
          "        low      200\n        high     300\n        managed  5000\n"
          "Node 1, zone   Normal\n  pages free     7\n        min      1\n        low      2\n"
          "        high     3\n        managed  8\n");
    const struct tk_host_memory_nodes *nodes = &reading->nodes;
    assert_int_equal(nodes->count, 2);
    assert_int_equal(nodes->items[0].free_pages, 4840);
    assert_int_equal(nodes->items[0].min_pages, 116);
    assert_int_equal(nodes->items[0].low_pages, 220);
    assert_int_equal(nodes->items[0].high_pages, 324);
    assert_int_equal(nodes->items[0].managed_pages, 8840);
    assert_int_equal(nodes->items[1].id, 1);
    assert_int_equal(nodes->items[1].high_pages, 3);
}

static void mounts_that_space_can_run_out_of_are_kept(void **state)
{
    struct tk_host_reading *reading = *state;
    parse(reading, TK_HOST_MOUNTINFO,
          "1 1 0:2 / / rw - rootfs rootfs rw\n"
          "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
          "25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw\n"
          "26 24 0:24 / /run rw,relatime - tmpfs tmpfs rw\n"
          "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n"
          "30 27 254:16 / /srv/a\\040long/name rw shared:1 master:2 - xfs /dev/vdb rw\n"
          "31 27 254:16 /x /srv/x rw - xfs /dev/vdb rw\n"
          "32 27 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro\n"
          "33 27 0:50 / /tank rw - zfs tank rw\n"
          "34 27 0:51 / /mnt/nfs rw - nfs4 server:/export rw\n"
          "35 34 254:32 / /mnt/nfs/local rw - ext4 /dev/vdc rw\n"
          "36 27 0:52 / /home/a/drive rw - fuse.sshfs a@b:/ rw\n"
          "37 27 254:48 / /mnt/covered rw - ext4 /dev/vdd rw\n"
          "38 27 0:53 / /mnt/covered rw - cifs //server/share rw\n");
    static const char *const expected[][2] = {
        {"/dev/shm", "tmpfs"}, {"/", "/dev/vda"}, {"/srv/x", "/dev/vdb"}, {"/tank", "tank"}};
    const struct tk_host_mounts *mounts = &reading->mounts;
    assert_int_equal(mounts->count, TK_COUNTOF(expected));
    for (size_t i = 0; i < TK_COUNTOF(expected); i++) {
        bool found = false;
        for (size_t j = 0; j < mounts->count; j++) {
            found |= strcmp(mounts->items[j].path, expected[i][0]) == 0 &&
                     strcmp(mounts->items[j].device, expected[i][1]) == 0;
        }
        if (!found)
            print_error("no mount %s of %s\n", expected[i][0], expected[i][1]);
        assert_true(found);
    }
    assert_int_equal(mounts->remote_count, 3);

    parse(reading, TK_HOST_MOUNTINFO,
          "30 27 254:16 / /srv/a\\040long\\134name rw - xfs /dev/vdb rw\n");
    assert_string_equal(reading->mounts.items[0].path, "/srv/a long\\name");
}

static void more_disks_and_links_than_fit_are_counted(void **state)
{
    struct tk_host_reading *reading = *state;
    struct tk_buf text;
    tk_buf_init(&text, 1 << 20);
    for (int i = 0; i < TK_HOST_DISKS_MAX + 3; i++)
        tk_buf_printf(&text, "8 %d d%d 1 2 3 4 5 6 7 8 9 10 11\n", i, i);
    tk_buf_putc(&text, '\0');
    parse(reading, TK_HOST_DISKSTATS, text.p);
    assert_int_equal(reading->disks.count, TK_HOST_DISKS_MAX);
    assert_int_equal(reading->disks.skipped, 3);
    tk_buf_reset(&text);
    for (int i = 0; i < TK_HOST_LINKS_MAX + 2; i++)
        tk_buf_printf(&text, "veth%d: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", i);
    tk_buf_putc(&text, '\0');
    parse(reading, TK_HOST_NET_DEV, text.p);
    assert_int_equal(reading->links.count, TK_HOST_LINKS_MAX);
    assert_int_equal(reading->links.skipped, 2);
    tk_buf_release(&text);
}

static void memory_is_read_in_bytes_and_what_is_missing_is_absent(void **state)
{
    struct tk_host_reading *reading = *state;
    parse(reading, TK_HOST_MEMINFO,
          "MemTotal:       16380984 kB\nMemFree:        10316406 kB\nBuffers:  1 kB\n"
          "Cached:            63880 kB\nSwapCached:            5 kB\nSwapTotal: 8 kB\n"
          "SwapFree: 4 kB\n");
    const struct tk_host_memory *memory = &reading->memory;
    assert_int_equal(memory->total, 16380984LL * 1024);
    assert_int_equal(memory->free, 10316406LL * 1024);
    assert_int_equal(memory->cached, 63880LL * 1024);
    assert_int_equal(memory->available, TK_HOST_ABSENT);
    assert_int_equal(memory->swap_total, 8192);
    assert_int_equal(memory->swap_free, 4096);
}

static void small_files_are_read(void **state)
{
    struct tk_host_reading *reading = *state;
    parse(reading, TK_HOST_LOADAVG, "0.20 1.18 22.12 1/80 11206\n");
    assert_near(reading->load.load15, 22.12, 1e-9);
    parse(reading, TK_HOST_VMSTAT, "nr_a 5\npgmajfault 2601\noom_kill 3\npswpout 9\npswpin 8\n");
    assert_int_equal(reading->vmstat.pgmajfault, 2601);
    assert_int_equal(reading->vmstat.oom_kill, 3);
    assert_int_equal(reading->vmstat.pswpin, 8);
    assert_int_equal(reading->vmstat.pswpout, 9);
    parse(reading, TK_HOST_NET_SNMP,
          "Ip: RetransSegs\nIp: 9\nTcp: MaxConn RetransSegs InErrs\nTcp: -1 17 0\n");
    assert_int_equal(reading->tcp_retrans, 17);
    assert_int_equal(reading->tcp_segments, TK_HOST_ABSENT);
    parse(reading, TK_HOST_NET_SNMP,
          "Ip: OutSegs\nIp: 9\nTcp: InSegs OutSegs RetransSegs\nTcp: 3 34741644 6\n");
    assert_int_equal(reading->tcp_segments, 34741644);
    parse(reading, TK_HOST_NET_SNMP, "Tcp: RetransSegs OutSegs\nTcp: 6 x\n");
    assert_int_equal(reading->tcp_segments, TK_HOST_ABSENT);
    parse(reading, TK_HOST_NET_NETSTAT, "TcpExt: ListenOverflows ListenDrops\nTcpExt: 1 2\n");
    assert_int_equal(reading->tcp_listen_drops, 2);
    parse(reading, TK_HOST_CPUINFO, "cpu MHz\t\t: 2600.000\nx\ncpu MHz\t\t: 2000.500\n");
    assert_int_equal(reading->freq.count, 2);
    assert_near(reading->freq.mhz, 4600.5, 1e-9);
    parse(reading, TK_HOST_THROTTLE, "nr_periods 9\nnr_throttled 4\nthrottled_time 5000999\n");
    assert_int_equal(reading->throttle.throttled_us, 5000);
    parse(reading, TK_HOST_THROTTLE, "usage_usec 1\nnr_throttled 4\nthrottled_usec 7\n");
    assert_int_equal(reading->throttle.throttled_us, 7);
}

static void files_of_one_source_add_up(void **state)
{
    struct tk_host_reading *reading = *state;
    struct tk_err err;
    assert_int_equal(tk_host_cpufreq_parse(TK_STR("800000\n"), 0, reading, &err), 0);
    assert_int_equal(tk_host_cpufreq_parse(TK_STR("2400000\n"), 1, reading, &err), 0);
    assert_int_equal(reading->freq.count, 2);
    assert_near(reading->freq.mhz, 3200, 1e-9);
    assert_int_equal(tk_host_energy_parse(TK_STR("2000000\n"), 0, reading, &err), 0);
    assert_int_equal(tk_host_energy_parse(TK_STR("7000000\n"), 1, reading, &err), 0);
    assert_int_equal(reading->energy.count, 2);
    assert_int_equal(tk_host_energy_parse(TK_STR("1\n"), TK_HOST_FILES_MAX, reading, &err),
                     -EMSGSIZE);
}

static void every_source_has_a_line_in_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_HOST_SOURCE_COUNT; i++) {
        assert_non_null(tk_host_sources[i].name);
        assert_non_null(tk_host_sources[i].help);
        assert_non_null(tk_host_sources[i].parse);
        assert_true(tk_host_sources[i].path || i == TK_HOST_THROTTLE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_text_is_refused_and_the_place_is_named),
        cmocka_unit_test(stat_gives_columns_cores_and_counters),
        cmocka_unit_test(a_kernel_with_four_columns_and_no_counters_is_read),
        cmocka_unit_test(a_counter_below_zero_saturates),
        cmocka_unit_test(pressure_is_read_with_and_without_the_line_full),
        cmocka_unit_test(lines_of_every_age_of_diskstats_are_read),
        cmocka_unit_test(links_are_read_with_and_without_a_space_after_the_colon),
        cmocka_unit_test(interrupts_are_summed_over_the_cpus),
        cmocka_unit_test(zones_of_a_node_are_added_up),
        cmocka_unit_test(mounts_that_space_can_run_out_of_are_kept),
        cmocka_unit_test(more_disks_and_links_than_fit_are_counted),
        cmocka_unit_test(memory_is_read_in_bytes_and_what_is_missing_is_absent),
        cmocka_unit_test(small_files_are_read),
        cmocka_unit_test(files_of_one_source_add_up),
        cmocka_unit_test(every_source_has_a_line_in_the_table),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
