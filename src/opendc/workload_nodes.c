/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes of the runs: who they are, how many cores, how fast. */
#include <errno.h>
#include <stdlib.h>

#include "opendc/workload_internal.h"

/* The columns of node_meta and nodes that are taken, which go by the same names. */
struct columns {
    size_t node, host, stage, model, arch, kernel;
    size_t cores, mem_mb, mem_bytes, threads, mhz, base_mhz, max_mhz, mhz_source;
};

static const struct columns of_meta = {
    TK_NODE_META_NODE,
    TK_NODE_META_HOST,
    TK_NODE_META_STAGE,
    TK_NODE_META_CPU_MODEL,
    TK_NODE_META_ARCH,
    TK_NODE_META_KERNEL,
    TK_NODE_META_CPU_CORES,
    TK_NODE_META_MEM_MB,
    TK_NODE_META_MEM_BYTES,
    TK_NODE_META_THREADS_PER_CORE,
    TK_NODE_META_CPU_FREQ_MHZ,
    TK_NODE_META_CPU_FREQ_BASE_MHZ,
    TK_NODE_META_CPU_FREQ_MAX_MHZ,
    TK_NODE_META_CPU_FREQ_SOURCE,
};

static const struct columns of_nodes = {
    TK_NODES_NODE_ID,
    TK_NODES_HOST,
    TK_NODES_STAGE,
    TK_NODES_CPU_MODEL,
    TK_NODES_ARCH,
    TK_NODES_KERNEL,
    TK_NODES_CPU_CORES,
    TK_NODES_MEM_MB,
    TK_NODES_MEM_BYTES,
    TK_NODES_THREADS_PER_CORE,
    TK_NODES_CPU_FREQ_MHZ,
    TK_NODES_CPU_FREQ_BASE_MHZ,
    TK_NODES_CPU_FREQ_MAX_MHZ,
    TK_NODES_CPU_FREQ_SOURCE,
};

/* What a user said when he recorded counts for more than what the machine says. */
static bool is_given(tk_str source)
{
    return tk_str_eq(source, TK_STR("CPU_FREQ_MHZ"));
}

static int64_t positive(const struct tk_batch *batch, size_t row, size_t column)
{
    int64_t value = tk_batch_i64(batch, row, column, 0);
    return value > 0 ? value : 0;
}

static int add_node(struct tk_loader *loader, const struct tk_batch *batch, size_t row,
                    const struct columns *columns, struct tk_err *err)
{
    struct tk_workload *workload = loader->workload;
    void *grown = tk_loader_grow(workload->nodes, workload->node_count, &loader->node_cap,
                                 sizeof(*workload->nodes));
    if (!grown)
        return tk_fail(err, -ENOMEM, "out of memory");
    workload->nodes = grown;
    struct tk_node *node = &workload->nodes[workload->node_count++];
    *node = (struct tk_node){
        .folder = loader->folder,
        .node = tk_loader_copy(loader, tk_batch_text(batch, row, columns->node)),
        .host = tk_loader_copy(loader, tk_batch_text(batch, row, columns->host)),
        .stage = tk_loader_copy(loader, tk_batch_text(batch, row, columns->stage)),
        .cpu_model = tk_loader_copy(loader, tk_batch_text(batch, row, columns->model)),
        .arch = tk_loader_copy(loader, tk_batch_text(batch, row, columns->arch)),
        .kernel = tk_loader_copy(loader, tk_batch_text(batch, row, columns->kernel)),
        .cores = positive(batch, row, columns->cores),
        .mem_bytes = positive(batch, row, columns->mem_bytes),
        .threads_per_core = positive(batch, row, columns->threads),
        .plain_mhz = positive(batch, row, columns->mhz),
        .base_mhz = positive(batch, row, columns->base_mhz),
        .max_mhz = positive(batch, row, columns->max_mhz),
    };
    if (node->mem_bytes == 0)
        node->mem_bytes = positive(batch, row, columns->mem_mb) * 1024 * 1024;
    if (is_given(tk_batch_text(batch, row, columns->mhz_source)))
        node->max_mhz = node->base_mhz = node->plain_mhz;
    workload->folders[loader->folder].node_count++;
    return 0;
}

/* nodes.json, which is an array, wherever it lies; 1 when it is nowhere. */
static int read_array(struct tk_loader *loader, int dirfd, struct tk_err *err)
{
    static const char *const names[] = {"cctf/nodes.json", "nodes.json", "CTS/nodes.json"};
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
        int rc = tk_objects_read(dirfd, names[i], &tk_schema_nodes, &batch, err);
        if (rc == -ENOENT)
            continue;
        for (size_t row = 0; rc == 0 && row < batch->rows; row++)
            rc = add_node(loader, batch, row, &of_nodes, err);
        return rc;
    }
    return 1;
}

static int read_run(struct tk_loader *loader, struct tk_folder *folder, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *run = NULL;
    int rc = tk_object_read(folder->dirfd, "run.json", &tk_schema_run, &run, err);
    if (rc == -ENOENT)
        rc = tk_object_read(folder->dirfd, "cctf/run.json", &tk_schema_run, &run, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    folder->run_id = tk_loader_copy(loader, tk_batch_text(run, 0, TK_RUN_RUN_ID));
    folder->is_ours = tk_batch_i64(run, 0, TK_RUN_SCHEMA_VERSION, 1) >= 2;
    folder->changed_only = tk_str_eq(tk_batch_text(run, 0, TK_RUN_PROC_ROWS), TK_STR("changed"));
    int64_t tck = tk_batch_i64(run, 0, TK_RUN_CLK_TCK, 0);
    if (tck > 0 && tck <= 1000000)
        folder->clk_tck = tck;
    int64_t interval_ms = tk_batch_i64(run, 0, TK_RUN_INTERVAL_REQUESTED_MS, 0);
    if (interval_ms > 0 && interval_ms < 86400000)
        folder->interval_us = interval_ms * 1000;
    int64_t start_ms = tk_batch_i64(run, 0, TK_RUN_START_MS, 0);
    if (start_ms > 0 && start_ms < INT64_MAX / 1000)
        folder->start_us = start_ms * 1000;
    return 0;
}

/* When the node was booted, by the first row: of a run of one node, rows do not say of which. */
static int take_clock(struct tk_loader *loader, const struct tk_batch *batch, size_t row,
                      struct tk_err *err)
{
    (void)err;
    struct tk_folder *folder = &loader->workload->folders[loader->folder];
    int64_t real_us = tk_batch_i64(batch, row, TK_CLOCK_REALTIME_US, 0);
    int64_t boot_us = tk_batch_i64(batch, row, TK_CLOCK_BOOTTIME_US, -1);
    if (folder->boot_us == INT64_MIN && folder->node_count == 1 && real_us > 0 && boot_us >= 0)
        folder->boot_us = real_us - boot_us;
    return 0;
}

int tk_loader_read_nodes(struct tk_loader *loader, struct tk_err *err)
{
    struct tk_workload *workload = loader->workload;
    struct tk_folder *folder = &workload->folders[loader->folder];
    folder->first_node = workload->node_count;
    int rc = read_run(loader, folder, err);
    if (rc < 0)
        return rc;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *meta = NULL;
    rc = tk_object_read(folder->dirfd, "node_meta.json", &tk_schema_node_meta, &meta, err);
    if (rc == 0) {
        if (folder->run_id.n == 0)
            folder->run_id = tk_loader_copy(loader, tk_batch_text(meta, 0, TK_NODE_META_RUN_ID));
        rc = add_node(loader, meta, 0, &of_meta, err);
    } else if (rc == -ENOENT) {
        rc = read_array(loader, folder->dirfd, err);
    }
    if (rc == 1 || (rc == 0 && folder->node_count == 0))
        return tk_fail(err, -ENOENT, "neither node_meta.json nor nodes.json: no node to run on");
    rc = rc < 0 ? rc : tk_loader_read_table(loader, TK_TABLE_CLOCK, take_clock, err);
    return rc < 0 ? rc : 0;
}

/* Frequency -------------------------------------------------------------------------------- */

static double known_mhz(const struct tk_node *node, enum tk_cpu_unit unit)
{
    switch (unit) {
    case TK_CPU_BASE:
        return (double)node->base_mhz;
    case TK_CPU_MEASURED:
        return node->measured_count ? node->measured_sum / (double)node->measured_count : 0;
    case TK_CPU_MAX:
        break;
    }
    return (double)(node->max_mhz > 0 ? node->max_mhz : node->plain_mhz);
}

/* A core of several threads gives less than as many cores. */
static double share_of_thread(const struct tk_node *node, double smt_factor)
{
    double threads = node->threads_per_core > 1 ? (double)node->threads_per_core : 1;
    double factor = smt_factor > 0 ? smt_factor : 1;
    return (1 + (threads - 1) * factor) / threads;
}

static int set_frequency(const struct tk_workload_options *options, struct tk_node *node,
                         struct tk_err *err)
{
    static const char *const units[] = {"frequency", "base frequency", "measured frequency"};
    double mhz = options->reference_mhz;
    if (mhz <= 0)
        mhz = known_mhz(node, options->cpu_unit);
    if (mhz <= 0)
        mhz = options->assumed_mhz;
    if (mhz <= 0) {
        return tk_fail(err, -ENODATA,
                       "node %.*s: its CPU %s is not known (cpu_freq_mhz is 0): set CPU_FREQ_MHZ",
                       TK_STR_ARG(node->node), units[options->cpu_unit]);
    }
    if (node->cores <= 0)
        return tk_fail(err, -ENODATA, "node %.*s: cpu_cores is not known", TK_STR_ARG(node->node));
    node->mhz = mhz * share_of_thread(node, options->smt_factor);
    return 0;
}

int tk_loader_set_frequencies(struct tk_loader *loader, struct tk_err *err)
{
    struct tk_workload *workload = loader->workload;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < workload->node_count; i++)
        rc = set_frequency(loader->options, &workload->nodes[i], err);
    return rc;
}
