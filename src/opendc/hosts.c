/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "opendc/frame.h"
#include "opendc/names.h"
#include "opendc/workload_internal.h"

#define COVERED       0.5
#define UJ_MS_IN_WATT 1e-3 /* uJ a ms */
#define J_MS_IN_WATT  1e3

/* Spans ---------------------------------------------------------------------------------------- */

int tk_intervals_add(struct tk_intervals *spans, struct tk_interval span, struct tk_err *err)
{
    if (spans->count > 0 && span.from_ms < spans->items[spans->count - 1].to_ms)
        span.from_ms = spans->items[spans->count - 1].to_ms;
    if (!(span.to_ms > span.from_ms) || !isfinite(span.value))
        return 0;
    if (spans->count == spans->cap) {
        size_t cap = spans->cap ? spans->cap * 2 : 256;
        struct tk_interval *items = realloc(spans->items, cap * sizeof(*items));
        if (!items)
            return tk_fail(err, -ENOMEM, "out of memory");
        spans->items = items;
        spans->cap = cap;
    }
    spans->items[spans->count++] = span;
    return 0;
}

void tk_intervals_release(struct tk_intervals *spans)
{
    free(spans->items);
    *spans = (struct tk_intervals){0};
}

double tk_intervals_mean(const struct tk_intervals *spans, double from_ms, double to_ms)
{
    size_t low = 0;
    size_t high = spans->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (spans->items[middle].to_ms <= from_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    double sum = 0;
    double covered_ms = 0;
    for (; low < spans->count && spans->items[low].from_ms < to_ms; low++) {
        const struct tk_interval *span = &spans->items[low];
        double ms = fmin(span->to_ms, to_ms) - fmax(span->from_ms, from_ms);
        sum += ms * span->value;
        covered_ms += ms;
    }
    return covered_ms > 0 && covered_ms >= COVERED * (to_ms - from_ms) ? sum / covered_ms
                                                                       : (double)NAN;
}

/* Hosts ---------------------------------------------------------------------------------------- */

void tk_hosts_release(struct tk_hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        tk_intervals_release(&hosts->items[i].util);
        tk_intervals_release(&hosts->items[i].watt);
    }
    free(hosts->items);
    *hosts = (struct tk_hosts){0};
}

static struct tk_host *add_host(struct tk_hosts *hosts, tk_str name, struct tk_err *err)
{
    if (hosts->count == hosts->cap) {
        size_t cap = hosts->cap ? hosts->cap * 2 : 16;
        struct tk_host *items = realloc(hosts->items, cap * sizeof(*items));
        if (!items) {
            (void)tk_fail(err, -ENOMEM, "out of memory");
            return NULL;
        }
        hosts->items = items;
        hosts->cap = cap;
    }
    struct tk_host *host = &hosts->items[hosts->count++];
    *host = (struct tk_host){.counter_ms = (double)NAN, .counter_uj = (double)NAN};
    (void)snprintf(host->name, sizeof(host->name), "%.*s", TK_STR_ARG(name));
    return host;
}

static struct tk_host *find_host(const struct tk_hosts *hosts, const char *name)
{
    for (size_t i = 0; i < hosts->count; i++) {
        if (strcmp(hosts->items[i].name, name) == 0)
            return &hosts->items[i];
    }
    return NULL;
}

const struct tk_host *tk_hosts_find(const struct tk_hosts *hosts, const char *name, bool is_only)
{
    return is_only && hosts->count == 1 ? &hosts->items[0] : find_host(hosts, name);
}

/* Measured ------------------------------------------------------------------------------------- */

struct reading {
    struct tk_loader loader; /* first: what its callback is given */
    struct tk_hosts *hosts;  /* [node_count] */
    double origin_ms;
};

/* The counter stands still between two changes of it, and begins anew now and then. */
static int take_energy(struct tk_host *host, double now_ms, double uj, struct tk_err *err)
{
    if (uj == host->counter_uj)
        return 0;
    int rc = 0;
    if (uj > host->counter_uj) {
        double watt = (uj - host->counter_uj) / (now_ms - host->counter_ms) * UJ_MS_IN_WATT;
        rc = tk_intervals_add(&host->watt, (struct tk_interval){host->counter_ms, now_ms, watt},
                              err);
    }
    host->counter_ms = now_ms;
    host->counter_uj = uj;
    return rc;
}

static int take_host(struct tk_loader *loader, const struct tk_batch *batch, size_t row,
                     struct tk_err *err)
{
    struct reading *reading = (struct reading *)loader;
    int64_t us = tk_loader_stamp(batch, row, TK_HOST_METRICS_TS_US, TK_HOST_METRICS_TS_MS);
    uint32_t node = tk_loader_node(loader, batch, row, TK_HOST_METRICS_NODE, TK_HOST_METRICS_HOST);
    if (node == TK_NONE || us == INT64_MIN)
        return 0;
    struct tk_host *host = &reading->hosts->items[node];
    double now_ms = (double)us / 1000 - reading->origin_ms;
    int rc = 0;
    if (tk_batch_has(batch, row, TK_HOST_METRICS_ENERGY_UJ)) {
        double uj = (double)tk_batch_i64(batch, row, TK_HOST_METRICS_ENERGY_UJ, 0);
        rc = take_energy(host, now_ms, uj, err);
    }
    if (rc < 0 || !tk_batch_has(batch, row, TK_HOST_METRICS_CPU_UTIL))
        return rc;
    double util = tk_batch_f64(batch, row, TK_HOST_METRICS_CPU_UTIL, 0) / 100;
    double dt_ms = (double)tk_batch_i64(batch, row, TK_HOST_METRICS_DT_MS, -1);
    /* Old rows do not say how long they are: since the one before, the first a second. */
    double from_ms = now_ms - (dt_ms >= 0 ? dt_ms : 1000);
    if (dt_ms < 0 && host->util.count > 0)
        from_ms = host->util.items[host->util.count - 1].to_ms;
    return tk_intervals_add(&host->util, (struct tk_interval){from_ms, now_ms, util}, err);
}

static int keep_only(struct tk_hosts *hosts, const char *name, struct tk_err *err)
{
    for (size_t i = 0; i < hosts->count; i++) {
        if (strcmp(hosts->items[i].name, name) != 0)
            continue;
        struct tk_host only = hosts->items[i];
        hosts->items[i] = hosts->items[0];
        hosts->items[0] = (struct tk_host){0};
        for (size_t k = 1; k < hosts->count; k++) {
            tk_intervals_release(&hosts->items[k].util);
            tk_intervals_release(&hosts->items[k].watt);
        }
        hosts->items[0] = only;
        hosts->count = 1;
        return 0;
    }
    return tk_fail(err, -ENOENT, "the run has no node %s", name);
}

int tk_hosts_read_measured(struct tk_hosts *hosts, struct tk_workload *workload, const char *node,
                           double origin_ms, struct tk_err *err)
{
    const char **names;
    int rc = tk_workload_name_nodes(workload, &names, err);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; rc == 0 && i < workload->node_count; i++)
        rc = add_host(hosts, tk_str_from(names[i]), err) ? 0 : err->code;
    free((void *)names);
    const struct tk_workload_options plain = {0};
    struct reading reading = {.loader = {.workload = workload, .options = &plain},
                              .hosts = hosts,
                              .origin_ms = origin_ms};
    reading.loader.input_cap = workload->input_count;
    for (uint32_t i = 0; rc >= 0 && i < workload->folder_count; i++) {
        reading.loader.folder = i;
        rc = tk_loader_read_table(&reading.loader, TK_TABLE_HOST_METRICS, take_host, err);
        if (rc < 0)
            return tk_err_prefix(err, "%.*s", TK_STR_ARG(workload->folders[i].path));
    }
    if (rc < 0)
        return rc;
    return node ? keep_only(hosts, node, err) : 0;
}

/* Simulated ------------------------------------------------------------------------------------ */

enum { NAME, TIME, ACTIVE, IDLE, NEEDED, ENERGY = NEEDED, WANTS };

static const struct tk_frame_want wants[WANTS] = {
    [NAME] = {"host_name", TK_FRAME_TEXT},        [TIME] = {"timestamp", TK_FRAME_F64},
    [ACTIVE] = {"cpu_time_active", TK_FRAME_F64}, [IDLE] = {"cpu_time_idle", TK_FRAME_F64},
    [ENERGY] = {"energy_usage", TK_FRAME_F64},
};

/* Times are of the interval that ends here; a row that says the end once more has none. */
static int take_row(struct tk_hosts *hosts, const struct tk_frame *frame, size_t row,
                    struct tk_err *err)
{
    const struct tk_frame_column *columns = frame->columns;
    double active_ms = columns[ACTIVE].f64[row];
    double both_ms = active_ms + columns[IDLE].f64[row];
    double now_ms = columns[TIME].f64[row];
    if (!(both_ms > 0))
        return 0;
    char name[sizeof(hosts->items->name)];
    (void)snprintf(name, sizeof(name), "%.*s", TK_STR_ARG(columns[NAME].text[row]));
    struct tk_host *host = find_host(hosts, name);
    if (!host)
        host = add_host(hosts, columns[NAME].text[row], err);
    if (!host)
        return err->code;
    double from_ms = host->util.count > 0 ? host->util.items[host->util.count - 1].to_ms
                                          : fmax(0, now_ms - both_ms);
    double watt = columns[ENERGY].f64[row] / (now_ms - from_ms) * J_MS_IN_WATT;
    int rc = tk_intervals_add(&host->watt, (struct tk_interval){from_ms, now_ms, watt}, err);
    return rc < 0
               ? rc
               : tk_intervals_add(&host->util,
                                  (struct tk_interval){from_ms, now_ms, active_ms / both_ms}, err);
}

int tk_hosts_read_simulated(struct tk_hosts *hosts, const char *folder, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    TK_CLEANUP(tk_frame_freep) struct tk_frame *frame = NULL;
    int rc = tk_dir_open(AT_FDCWD, folder, &dirfd, err);
    rc = rc < 0 ? rc : tk_frame_new(dirfd, "host.parquet", wants, WANTS, &frame, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", folder);
    for (size_t i = 0; i < NEEDED; i++) {
        if (!frame->columns[i].is_there) {
            return tk_fail(err, -EBADMSG, "%s/host.parquet: no column %s that can be read", folder,
                           wants[i].path);
        }
    }
    while ((rc = tk_frame_next(frame, err)) == 0) {
        for (size_t row = 0; rc == 0 && row < frame->rows; row++)
            rc = take_row(hosts, frame, row, err);
        if (rc < 0)
            break;
    }
    return rc < 0 ? tk_err_prefix(err, "%s", folder) : 0;
}
