/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that come in equal intervals. Where run.json does not tell the interval, it is the median of
 * the first distances, which wait until then. Rows of processes are no such series: a process that
 * did not run has no row, and neither is any link but the NIC of the node. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "run/verify_internal.h"

#define US_PER_S 1000000LL

/* Series by kind. Memory is read at most once a second (collector.md section 3), however short the
 * host interval. */
struct kind {
    tk_str what;
    int64_t least_interval_us;
};

static const struct kind cpu_rows = {{"CPU rows of", 11}, 0};
static const struct kind memory_rows = {{"memory rows of", 14}, US_PER_S};
static const struct kind link_rows = {{"link", 4}, 0};

static void check_distance(struct tk_verify *verify, struct tk_verify_series *series,
                           int64_t distance_us, uint64_t line)
{
    if (distance_us <= series->interval_us + series->interval_us / 2)
        return;
    series->gaps++;
    tk_verify_add(verify, TK_VERIFY_GAP, line, "%s: %.3f s after the row before, interval %.3f s",
                  series->name, (double)distance_us / (double)US_PER_S,
                  (double)series->interval_us / (double)US_PER_S);
}

static int compare_i64(const void *a, const void *b)
{
    int64_t x;
    int64_t y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

/* Take the median as the interval and check those that waited. */
static void settle(struct tk_verify *verify, struct tk_verify_series *series)
{
    int64_t sorted_us[TK_VERIFY_FIRST_DISTANCES];
    if (series->waiting < 2)
        return;
    memcpy(sorted_us, series->distances_us, series->waiting * sizeof(sorted_us[0]));
    qsort(sorted_us, series->waiting, sizeof(sorted_us[0]), compare_i64);
    series->interval_us = sorted_us[series->waiting / 2];
    for (size_t i = 0; i < series->waiting && series->interval_us > 0; i++)
        check_distance(verify, series, series->distances_us[i], series->lines[i]);
    series->waiting = 0;
}

static void series_row(struct tk_verify *verify, struct tk_verify_series *series, int64_t us,
                       uint64_t line)
{
    int64_t distance_us = us - series->last_us;
    if (series->rows++ > 0 && distance_us >= 0) {
        if (series->interval_us > 0) {
            check_distance(verify, series, distance_us, line);
        } else {
            series->distances_us[series->waiting] = distance_us;
            series->lines[series->waiting++] = line;
            if (series->waiting == TK_VERIFY_FIRST_DISTANCES)
                settle(verify, series);
        }
    }
    series->last_us = us;
    series->last_line = line;
}

/* What run.json says; 0 = find out. */
static int64_t known_interval_us(const struct tk_verify *verify, const struct kind *kind)
{
    int64_t told_us = verify->host_interval_us;
    return told_us > 0 && told_us < kind->least_interval_us ? kind->least_interval_us : told_us;
}

/* One more row of "KIND NAME on HOST". */
static void add_row(struct tk_verify *verify, const struct tk_row *row, const struct kind *kind,
                    tk_str name, tk_str host, int64_t us)
{
    uint64_t key =
        tk_hash_mix(tk_hash_text(kind->what), tk_hash_mix(tk_hash_text(name), tk_hash_text(host)));
    struct tk_verify_series *series = tk_verify_item(verify, &verify->series, key);
    if (!series)
        return;
    if (series->rows == 0) {
        (void)snprintf(series->name, sizeof(series->name), "%.*s %.*s%s%.*s",
                       TK_STR_ARG(kind->what), TK_STR_ARG(name), host.n > 0 ? " on " : "",
                       TK_STR_ARG(host));
        series->interval_us = known_interval_us(verify, kind);
    }
    series_row(verify, series, us, row->line);
}

void tk_verify_host_row(struct tk_verify *verify, const struct tk_row *row, int64_t us)
{
    bool is_cpu = tk_row_has(row, TK_HOST_METRICS_CPU_UTIL);
    bool is_mem = tk_row_has(row, TK_HOST_METRICS_MEM_FREE_MB);
    uint64_t kinds = 1ULL << TK_HOST_METRICS_CPU_UTIL | 1ULL << TK_HOST_METRICS_MEM_FREE_MB;
    if (is_cpu == is_mem && !(row->wrong & kinds)) {
        tk_verify_add(verify, TK_VERIFY_ROW_KIND, row->line, "%s",
                      is_cpu ? "both cpu_util and mem_free_mb, expected one of them"
                             : "neither cpu_util nor mem_free_mb");
    }
    if (is_cpu != is_mem && us != INT64_MIN) {
        add_row(verify, row, is_cpu ? &cpu_rows : &memory_rows,
                tk_row_text(row, TK_HOST_METRICS_NODE), tk_row_text(row, TK_HOST_METRICS_HOST), us);
    }
}

void tk_verify_link_row(struct tk_verify *verify, const struct tk_row *row, int64_t us)
{
    tk_str link = tk_row_text(row, TK_LINK_METRICS_LINK);
    if (us != INT64_MIN && tk_str_ends_with(link, TK_STR(".nic")))
        add_row(verify, row, &link_rows, link, tk_row_text(row, TK_LINK_METRICS_HOST), us);
}

void tk_verify_series_end(struct tk_verify *verify)
{
    for (size_t i = 0; i < verify->series.list.count; i++)
        settle(verify, tk_verify_at(&verify->series.list, i));
}
