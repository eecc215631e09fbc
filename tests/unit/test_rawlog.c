/* SPDX-License-Identifier: Apache-2.0 */
#include "run/rawlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "tk_test.h"

/* What came out, folded as far as a test needs it. */
struct seen {
    int64_t cpu_rows, mem_rows, net_rows;
    int64_t first_cpu_ms, last_cpu_ms;
    double cpu_util_sum;
    int64_t mem_min_mb, mem_max_mb;
    int64_t rx_sum, tx_sum;
    int64_t last_host_ms;
    bool descends;          /* a host row before the one before it */
    struct tk_buf lines[2]; /* JSON Lines of host and of link rows */
};

static void see_host(struct seen *seen, const struct tk_batch *batch, size_t row)
{
    int64_t ts_ms = tk_batch_i64(batch, row, TK_HOST_METRICS_TS_MS, 0);
    seen->descends |= ts_ms < seen->last_host_ms;
    seen->last_host_ms = ts_ms;
    if (tk_batch_has(batch, row, TK_HOST_METRICS_CPU_UTIL)) {
        if (seen->cpu_rows++ == 0)
            seen->first_cpu_ms = ts_ms;
        seen->last_cpu_ms = ts_ms;
        seen->cpu_util_sum += tk_batch_f64(batch, row, TK_HOST_METRICS_CPU_UTIL, 0);
        return;
    }
    int64_t free_mb = tk_batch_i64(batch, row, TK_HOST_METRICS_MEM_FREE_MB, -1);
    if (seen->mem_rows == 0 || free_mb < seen->mem_min_mb)
        seen->mem_min_mb = free_mb;
    if (seen->mem_rows++ == 0 || free_mb > seen->mem_max_mb)
        seen->mem_max_mb = free_mb;
}

static int see(void *context, enum tk_table table, const struct tk_batch *batch, struct tk_err *err)
{
    (void)err;
    struct seen *seen = context;
    for (size_t i = 0; i < batch->rows; i++) {
        if (table == TK_TABLE_HOST_METRICS) {
            see_host(seen, batch, i);
            continue;
        }
        seen->net_rows++;
        seen->rx_sum += tk_batch_i64(batch, i, TK_LINK_METRICS_RX_BPS, 0);
        seen->tx_sum += tk_batch_i64(batch, i, TK_LINK_METRICS_TX_BPS, 0);
    }
    tk_encoder_jsonl.batch(batch, &seen->lines[table != TK_TABLE_HOST_METRICS]);
    return 0;
}

struct fixture {
    int dirfd;
    struct tk_rawlog *rawlog;
    struct seen seen;
};

/* Read the logs of `dirfd`, which the fixture then owns. */
static void read_logs(struct fixture *f, int dirfd, const struct tk_rawlog_options *options)
{
    struct tk_err err = {0};
    *f = (struct fixture){.dirfd = dirfd};
    tk_buf_init(&f->seen.lines[0], 16 << 20);
    tk_buf_init(&f->seen.lines[1], 16 << 20);
    assert_int_equal(tk_rawlog_new(dirfd, options, &f->rawlog, &err), 0);
    struct tk_rows *rows;
    assert_int_equal(tk_rows_new((struct tk_sink){see, &f->seen}, &rows, &err), 0);
    const struct tk_rawlog_node node = {TK_STR("vm0"), TK_STR("cloud"), TK_STR("cloud0"),
                                        TK_STR("ens2")};
    assert_int_equal(tk_rawlog_read(f->rawlog, &node, rows, &err), 0);
    tk_rows_free(rows);
}

static void release(struct fixture *f)
{
    tk_rawlog_free(f->rawlog);
    tk_buf_release(&f->seen.lines[0]);
    tk_buf_release(&f->seen.lines[1]);
    tk_fd_close(&f->dirfd);
}

static int open_data(const char *name)
{
    int data = open(TK_TEST_DATA "/rawlog", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int dirfd = openat(data, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(data);
    assert_true(dirfd >= 0);
    return dirfd;
}

/* One line per log: what was counted, with times as HH:MM:SS of the epoch's day. */
static void put_stats(const struct tk_rawlog *rawlog, struct tk_buf *out)
{
    for (size_t i = 0; i < TK_RAWLOG_KINDS; i++) {
        const struct tk_rawlog_stats *stats = tk_rawlog_stats(rawlog, (enum tk_rawlog_kind)i);
        if (!stats->present)
            continue;
        tk_buf_printf(out, "%s: %llu rows, %llu n/a, %llu bad, %llu torn, ",
                      tk_rawlog_name((enum tk_rawlog_kind)i), (unsigned long long)stats->rows,
                      (unsigned long long)stats->no_value, (unsigned long long)stats->bad,
                      (unsigned long long)stats->torn);
        tk_buf_printf(out, "%llu equal, %llu steps, %llu gaps of more than %lld s\n",
                      (unsigned long long)stats->equal, (unsigned long long)stats->steps,
                      (unsigned long long)stats->gaps,
                      (long long)(stats->interval_ns / TK_NS_PER_S));
        if (stats->bad > 0)
            tk_buf_printf(out, "  %s\n", stats->first_bad.msg);
    }
}

/* Compare with a file of tests/data, or write it anew with TK_GOLDEN=write. */
static void assert_golden(int dirfd, const char *name, tk_str text)
{
    struct tk_err err;
    if (getenv("TK_GOLDEN")) {
        assert_int_equal(tk_file_write(dirfd, name, text, 0644, &err), 0);
        return;
    }
    TK_CLEANUP(tk_buf_release) struct tk_buf expected;
    tk_buf_init(&expected, 1 << 20);
    assert_int_equal(tk_file_load(dirfd, name, &expected, &err), 0);
    if (!tk_str_eq(tk_buf_str(&expected), text)) {
        print_error("%s is:\n%.*s", name, TK_STR_ARG(text));
        fail();
    }
}

static void golden_logs_give_golden_rows(void **state)
{
    (void)state;
    static const char *const names[] = {"plain",   "midnight", "headers", "clock",
                                        "damaged", "meridiem", "dateless"};
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        struct fixture f;
        read_logs(&f, open_data(names[i]),
                  &(struct tk_rawlog_options){.run_id = TK_STR("20250916T214700Z")});
        TK_CLEANUP(tk_buf_release) struct tk_buf stats;
        tk_buf_init(&stats, 65536);
        put_stats(f.rawlog, &stats);
        assert_golden(f.dirfd, "expected.resources.jsonl", tk_buf_str(&f.seen.lines[0]));
        assert_golden(f.dirfd, "expected.links.jsonl", tk_buf_str(&f.seen.lines[1]));
        assert_golden(f.dirfd, "expected.stats", tk_buf_str(&stats));
        release(&f);
    }
}

/* Section 22 of the specification, worked out by hand. */
static void the_rows_of_the_specification_come_out(void **state)
{
    (void)state;
    struct fixture f;
    read_logs(&f, open_data("plain"), &(struct tk_rawlog_options){0});
    assert_int_equal(f.seen.first_cpu_ms, 1758059310000);
    assert_near(f.seen.cpu_util_sum, 5.01 + 0 + 100, 1e-9);
    assert_int_equal(f.seen.mem_max_mb, 11004);
    assert_int_equal(f.seen.rx_sum, 5099 + 1536);
    assert_int_equal(f.seen.tx_sum, 4741 + 10);
    release(&f);
    read_logs(&f, open_data("midnight"), &(struct tk_rawlog_options){0});
    assert_int_equal(f.seen.first_cpu_ms, 1758067199000);
    assert_int_equal(tk_rawlog_stats(f.rawlog, TK_RAWLOG_NET)->first_ns,
                     1758067201000 * TK_NS_PER_MS);
    release(&f);
}

static void am_and_pm_are_utc_unless_a_zone_is_given(void **state)
{
    (void)state;
    struct fixture f;
    read_logs(&f, open_data("meridiem"), &(struct tk_rawlog_options){0});
    assert_true(tk_rawlog_notices(f.rawlog).meridiem_as_utc);
    assert_int_equal(f.seen.first_cpu_ms, 1758067199000);
    release(&f);
    setenv("TZ", "<+02>-2", 1);
    tzset();
    read_logs(&f, open_data("meridiem"), &(struct tk_rawlog_options){.local_time = true});
    assert_false(tk_rawlog_notices(f.rawlog).meridiem_as_utc);
    assert_int_equal(f.seen.first_cpu_ms, 1758067199000 - 2 * 3600 * 1000);
    assert_int_equal(f.seen.last_cpu_ms, 1758067201000 - 2 * 3600 * 1000);
    release(&f);
    read_logs(&f, open_data("midnight"), &(struct tk_rawlog_options){.local_time = true});
    assert_int_equal(f.seen.first_cpu_ms, 1758067199000); /* 24-hour times stay UTC */
    release(&f);
    setenv("TZ", "UTC", 1);
    tzset();
}

/* Folders that a test writes itself ------------------------------------------- */

static char scratch_path[] = "/tmp/tk-rawlog-XXXXXX";

static int scratch_make(void **state)
{
    (void)state;
    return mkdtemp(scratch_path) ? 0 : -1;
}

static int open_scratch(void)
{
    int dirfd = open(scratch_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < TK_RAWLOG_KINDS; i++)
        (void)unlinkat(dirfd, tk_rawlog_name((enum tk_rawlog_kind)i), 0);
    return dirfd;
}

static int scratch_remove(void **state)
{
    (void)state;
    close(open_scratch());
    return rmdir(scratch_path);
}

static void write_log(int dirfd, const char *name, const char *text)
{
    struct tk_err err;
    assert_int_equal(tk_file_write(dirfd, name, tk_str_from(text), 0600, &err), 0);
}

#define NET_HEADER       "  Time           ens2\nHH:MM:SS   KB/s in  KB/s out\n"
#define MEM_HEADER(zone) "procs\n r  b   swpd   free                 " zone "\n"

static int64_t first_ms(struct fixture *f, enum tk_rawlog_kind kind)
{
    return tk_rawlog_stats(f->rawlog, kind)->first_ns / TK_NS_PER_MS;
}

static void the_date_comes_from_the_best_source_at_hand(void **state)
{
    (void)state;
    struct fixture f;
    int dirfd = open_scratch();
    write_log(dirfd, "net.log", NET_HEADER "23:59:59 1.00 1.00\n00:00:00 1.00 1.00\n");
    struct timespec times[2] = {{.tv_sec = 1758067200}, {.tv_sec = 1758067200}};
    assert_int_equal(utimensat(dirfd, "net.log", times, 0), 0);
    read_logs(&f, dirfd, &(struct tk_rawlog_options){0});
    assert_int_equal(tk_rawlog_notices(f.rawlog).reference, TK_RAWLOG_BY_MTIME);
    assert_int_equal(first_ms(&f, TK_RAWLOG_NET), 1758067199000);
    write_log(f.dirfd, "mem.log", MEM_HEADER("UTC") "1 0 0 500 2024-02-29 00:00:01\n");
    dirfd = dup(f.dirfd);
    release(&f);
    read_logs(&f, dirfd, &(struct tk_rawlog_options){.run_id = TK_STR("nightly-7")});
    assert_int_equal(tk_rawlog_notices(f.rawlog).reference, TK_RAWLOG_BY_MEM_LOG);
    assert_int_equal(first_ms(&f, TK_RAWLOG_NET), 1709164799000);
    dirfd = dup(f.dirfd);
    release(&f);
    read_logs(&f, dirfd, &(struct tk_rawlog_options){.run_id = TK_STR("20250916002")});
    assert_int_equal(tk_rawlog_notices(f.rawlog).reference, TK_RAWLOG_BY_RUN_ID);
    assert_int_equal(first_ms(&f, TK_RAWLOG_NET), 1758067199000);
    write_log(f.dirfd, "cpu.log",
              "Linux 6.1 (h) 12/31/2024 _x86_64_ (2 CPU)\n\n23:59:57 CPU %idle\n");
    dirfd = dup(f.dirfd);
    release(&f);
    read_logs(&f, dirfd, &(struct tk_rawlog_options){.run_id = TK_STR("20250916002")});
    assert_int_equal(tk_rawlog_notices(f.rawlog).reference, TK_RAWLOG_BY_BANNER);
    assert_int_equal(first_ms(&f, TK_RAWLOG_NET), 1735689599000);
    release(&f);
}

static void a_zone_in_the_header_of_vmstat_holds_for_all_logs(void **state)
{
    (void)state;
    struct fixture f;
    int dirfd = open_scratch();
    write_log(dirfd, "mem.log", MEM_HEADER("CEST") "1 0 0 500 2025-09-16 21:48:29\n");
    write_log(dirfd, "net.log", NET_HEADER "21:48:30 1.00 1.00\n");
    read_logs(&f, dup(dirfd), &(struct tk_rawlog_options){0});
    assert_true(tk_rawlog_notices(f.rawlog).zone_as_utc);
    assert_int_equal(first_ms(&f, TK_RAWLOG_NET), 1758059310000);
    release(&f);
    setenv("TZ", "<+02>-2", 1);
    tzset();
    read_logs(&f, dirfd, &(struct tk_rawlog_options){.local_time = true});
    assert_false(tk_rawlog_notices(f.rawlog).zone_as_utc);
    assert_int_equal(first_ms(&f, TK_RAWLOG_MEM), 1758059309000 - 7200000);
    assert_int_equal(first_ms(&f, TK_RAWLOG_NET), 1758059310000 - 7200000);
    release(&f);
    setenv("TZ", "UTC", 1);
    tzset();
}

static void a_second_banner_dates_what_follows(void **state)
{
    (void)state;
    struct fixture f;
    int dirfd = open_scratch();
    write_log(
        dirfd, "cpu.log",
        "Linux 6.1 (h) 09/16/25 _x86_64_ (2 CPU)\n\n10:00:00 CPU %idle\n10:00:01 all 50.00\n"
        "Linux 6.1 (h) 09/20/25 _x86_64_ (2 CPU)\n\n09:00:00 CPU %idle\n09:00:01 all 50.00\n");
    read_logs(&f, dirfd, &(struct tk_rawlog_options){0});
    assert_int_equal(f.seen.first_cpu_ms, 1758016801000);
    assert_int_equal(f.seen.last_cpu_ms, 1758358801000);
    release(&f);
}

static void links_are_named_by_their_interface_but_the_first(void **state)
{
    (void)state;
    struct fixture f;
    int dirfd = open_scratch();
    write_log(dirfd, "net.log",
              "  Time           eth0                ens2\n"
              "HH:MM:SS   KB/s in  KB/s out   KB/s in  KB/s out\n"
              "21:48:30 1.00 2.00 3.00 4.00\n");
    read_logs(&f, dirfd, &(struct tk_rawlog_options){.run_id = TK_STR("20250916")});
    assert_str_equal(
        tk_buf_str(&f.seen.lines[1]),
        "{\"ts_ms\":1758059310000,\"node\":\"vm0\",\"stage\":\"cloud\",\"link\":\"vm0.eth0\","
        "\"rx_Bps\":1024,\"tx_Bps\":2048,\"host\":\"cloud0\",\"iface\":\"eth0\"}\n"
        "{\"ts_ms\":1758059310000,\"node\":\"vm0\",\"stage\":\"cloud\",\"link\":\"vm0.nic\","
        "\"rx_Bps\":3072,\"tx_Bps\":4096,\"host\":\"cloud0\",\"iface\":\"ens2\"}\n");
    release(&f);
}

static void a_folder_without_logs_says_so(void **state)
{
    (void)state;
    struct tk_rawlog *rawlog;
    struct tk_err err;
    int dirfd = open_scratch();
    assert_int_equal(tk_rawlog_new(dirfd, &(struct tk_rawlog_options){0}, &rawlog, &err), -ENOENT);
    assert_string_equal(err.msg, "no cpu.log, mem.log or net.log");
    close(dirfd);
}

/* The table of section 22: four nodes of a real run. */
static void the_real_run_gives_the_exact_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *folder;
        int64_t cpu_rows, first_ms, last_ms;
        double mean_util;
        int64_t mem_rows, mem_min_mb, mem_max_mb;
        int64_t net_rows, rx_sum, tx_sum;
    } nodes[] = {
        {"20250922002(c0)", 1859, 1758579920000, 1758581779000, 51.2601, 1859, 9780, 10564, 1857,
         2828776, 2996749},
        {"20250922002(c1)", 1865, 1758579933000, 1758581797000, 79.8620, 1865, 9557, 10616, 1863,
         3214735, 3393294},
        {"20250922002(c2)", 1862, 1758579927000, 1758581788000, 64.6484, 1863, 9423, 10584, 1860,
         3250173, 3469107},
        {"20250922002(c3)", 1864, 1758579941000, 1758581804000, 66.6498, 1864, 9788, 10770, 1862,
         3036143, 3224289},
    };
    int data = open(TK_SHARED_DATA "/tracekit-runs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (data < 0) {
        print_message("# " TK_SHARED_DATA "/tracekit-runs is absent: nothing to compare\n");
        skip();
    }
    for (size_t i = 0; i < TK_COUNTOF(nodes); i++) {
        struct fixture f;
        read_logs(&f, openat(data, nodes[i].folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                  &(struct tk_rawlog_options){.run_id = tk_str_from(nodes[i].folder)});
        assert_int_equal(f.seen.cpu_rows, nodes[i].cpu_rows);
        assert_int_equal(f.seen.first_cpu_ms, nodes[i].first_ms);
        assert_int_equal(f.seen.last_cpu_ms, nodes[i].last_ms);
        assert_near(f.seen.cpu_util_sum / (double)f.seen.cpu_rows, nodes[i].mean_util, 0.00005);
        assert_int_equal(f.seen.mem_rows, nodes[i].mem_rows);
        assert_int_equal(f.seen.mem_min_mb, nodes[i].mem_min_mb);
        assert_int_equal(f.seen.mem_max_mb, nodes[i].mem_max_mb);
        assert_int_equal(f.seen.net_rows, nodes[i].net_rows);
        assert_int_equal(f.seen.rx_sum, nodes[i].rx_sum);
        assert_int_equal(f.seen.tx_sum, nodes[i].tx_sum);
        assert_false(f.seen.descends);
        for (size_t kind = 0; kind < TK_RAWLOG_KINDS; kind++) {
            const struct tk_rawlog_stats *stats =
                tk_rawlog_stats(f.rawlog, (enum tk_rawlog_kind)kind);
            assert_int_equal(stats->bad + stats->torn + stats->steps + stats->no_value, 0);
        }
        if (i == 0) {
            const struct tk_rawlog_stats *cpu = tk_rawlog_stats(f.rawlog, TK_RAWLOG_CPU);
            assert_int_equal(cpu->equal, 1);
            assert_int_equal(cpu->gaps, 2);
            assert_int_equal(cpu->interval_ns, TK_NS_PER_S);
        }
        assert_string_equal(tk_rawlog_facts(f.rawlog)->ifaces[0], "ens2");
        release(&f);
    }
    close(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_logs_give_golden_rows),
        cmocka_unit_test(the_rows_of_the_specification_come_out),
        cmocka_unit_test(am_and_pm_are_utc_unless_a_zone_is_given),
        cmocka_unit_test(the_date_comes_from_the_best_source_at_hand),
        cmocka_unit_test(a_zone_in_the_header_of_vmstat_holds_for_all_logs),
        cmocka_unit_test(a_second_banner_dates_what_follows),
        cmocka_unit_test(links_are_named_by_their_interface_but_the_first),
        cmocka_unit_test(a_folder_without_logs_says_so),
        cmocka_unit_test(the_real_run_gives_the_exact_numbers),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
