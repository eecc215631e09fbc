/* SPDX-License-Identifier: Apache-2.0 */
/* topology.json and experiment.json, each in the format of old runners and of the SDK (opendc.md
 * sections 9 and 10). Units stand with every figure: a bare number would be MHz, MiB, W, ms. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "opendc/export_internal.h"
#include "run/out.h"

#define HOSTS_APART 64 /* more nodes than these are grouped by kind */
#define FILE_MAX    ((size_t)64 << 20)

/* The keys that differ between the two formats. */
struct dialect {
    const char *file;
    const char *memory_size;
};

static const struct dialect legacy = {"topology.json", "memorySize"};
static const struct dialect sdk = {"topology.sdk.json", "size"};
static const struct dialect gen2 = {"small_datacenter.json", "memorySize"};

/* Hosts of one kind. */
struct kind {
    const char *name;
    int64_t cores;
    double mhz;
    int64_t mem_mib;
    int64_t count;
};

static int64_t mem_mib_of(struct tk_export *export, const struct tk_node *node)
{
    if (node->mem_bytes > 0)
        return node->mem_bytes >> 20;
    int64_t mib = 1;
    while (mib * 1024 < (int64_t) export->report.mem_kb.high)
        mib *= 2;
    tk_export_warn(export,
                   "node %.*s: its memory is not known; %lld MiB in the topology, which hold its "
                   "largest task",
                   TK_STR_ARG(node->node), (long long)mib);
    return mib;
}

static int compare_kinds(const void *a, const void *b)
{
    const struct kind *first = a;
    const struct kind *second = b;
    if (first->cores != second->cores)
        return first->cores < second->cores ? -1 : 1;
    if (first->mhz != second->mhz)
        return first->mhz < second->mhz ? -1 : 1;
    return (first->mem_mib > second->mem_mib) - (first->mem_mib < second->mem_mib);
}

static void put_host(struct tk_buf *out, const struct kind *kind, const char *memory_size)
{
    tk_json_put_comma(out);
    tk_buf_putc(out, '{');
    tk_json_put_key(out, "name");
    tk_json_put_str(out, tk_str_from(kind->name));
    tk_json_put_key(out, "count");
    tk_buf_put_i64(out, kind->count);
    tk_json_put_key(out, "cpu");
    tk_buf_lit(out, "{\"coreCount\":");
    tk_buf_put_i64(out, kind->cores);
    tk_buf_lit(out, ",\"coreSpeed\":\"");
    tk_buf_put_f64(out, kind->mhz, TK_SHORTEST);
    tk_buf_lit(out, " MHz\"}");
    tk_json_put_key(out, "memory");
    tk_buf_putc(out, '{');
    tk_json_put_key(out, memory_size);
    tk_buf_printf(out, "\"%lld MiB\"}}", (long long)kind->mem_mib);
}

static int write_dialect(struct tk_export *export, const struct dialect *dialect,
                         const struct kind *kinds, size_t count, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, FILE_MAX);
    tk_buf_lit(&out, "{\"clusters\":[{\"name\":\"C01\",\"hosts\":[");
    for (size_t i = 0; i < count; i++)
        put_host(&out, &kinds[i], dialect->memory_size);
    tk_buf_lit(&out, "]}]}\n");
    int rc = tk_buf_check(&out, dialect->file, err);
    return rc < 0 ? rc : tk_file_write(export->dirfd, dialect->file, tk_buf_str(&out), 0644, err);
}

/* Join those of equal figures; with `hNN` names in the order of figures. */
static size_t group(struct kind *kinds, size_t count, char (*names)[16])
{
    size_t used = 0;
    qsort(kinds, count, sizeof(*kinds), compare_kinds);
    for (size_t i = 0; i < count; i++) {
        if (used > 0 && compare_kinds(&kinds[used - 1], &kinds[i]) == 0) {
            kinds[used - 1].count++;
            continue;
        }
        kinds[used] = kinds[i];
        (void)snprintf(names[used], sizeof(names[used]), "H%02zu", used + 1);
        kinds[used].name = names[used];
        used++;
    }
    return used;
}

static int write_kinds(struct tk_export *export, struct kind *kinds, char (*names)[16],
                       struct tk_err *err)
{
    const struct tk_workload *workload = export->workload;
    size_t count = 0;
    for (uint32_t i = 0; i < workload->node_count; i++) {
        const struct tk_node *node = &workload->nodes[i];
        if (tk_export_has_node(export, i)) {
            kinds[count++] = (struct kind){export->node_names[i], node->cores, node->mhz,
                                           mem_mib_of(export, node), 1};
        }
    }
    if (count > HOSTS_APART)
        count = group(kinds, count, names);
    int rc = write_dialect(export, &legacy, kinds, count, err);
    rc = rc < 0 ? rc : write_dialect(export, &sdk, kinds, count, err);
    if (rc == 0 && export->options->compat == TK_COMPAT_GEN2) {
        count = group(kinds, count, names);
        rc = write_dialect(export, &gen2, kinds, count, err);
    }
    return rc;
}

int tk_export_write_topology(struct tk_export *export, struct tk_err *err)
{
    size_t nodes = export->workload->node_count;
    struct kind *kinds = calloc(nodes + 1, sizeof(*kinds));
    char(*names)[16] = calloc(nodes + 1, sizeof(*names));
    int rc = kinds && names ? write_kinds(export, kinds, names, err)
                            : tk_fail(err, -ENOMEM, "out of memory");
    free(kinds);
    free(names);
    return rc;
}

/* Experiment ------------------------------------------------------------------------------- */

static const char legacy_experiment[] =
    ",\"topologies\":[{\"pathToFile\":\"topology.json\"}],\n"
    " \"workloads\":[{\"pathToFile\":\".\",\"type\":\"ComputeWorkload\","
    "\"scalingPolicy\":\"Perfect\"},\n"
    "              {\"pathToFile\":\".\",\"type\":\"ComputeWorkload\","
    "\"scalingPolicy\":\"NoDelay\"}],\n"
    " \"allocationPolicies\":[{\"type\":\"prefab\",\"policyName\":\"Mem\"}],\n"
    " \"exportModels\":[{\"exportInterval\":1,\"printFrequency\":99999,"
    "\"filesToExport\":[\"host\",\"task\",\"powerSource\",\"service\"]}]}\n";

static const char sdk_experiment[] =
    ",\"topologies\":[{\"importFrom\":\"topology.sdk.json\"}],\n"
    " \"workloads\":[{\"type\":\"trace\",\"source\":{\"type\":\"named\",\"name\":\".\"},"
    "\"scalingPolicy\":\"Perfect\"},\n"
    "              {\"type\":\"trace\",\"source\":{\"type\":\"named\",\"name\":\".\"},"
    "\"scalingPolicy\":\"NoDelay\"}],\n"
    " \"allocationPolicies\":[{\"type\":\"prefab\",\"prefabName\":\"Mem\"}],\n"
    " \"exportModels\":[{\"exportInterval\":\"1 seconds\",\"printFrequency\":null,"
    "\"filesToExport\":[\"host\",\"task\",\"powerSource\",\"service\"]}]}\n";

static tk_str experiment_name(const struct tk_export *export)
{
    const struct tk_workload *workload = export->workload;
    tk_str run_id = workload->folders[0].run_id;
    return run_id.n > 0 ? run_id : TK_STR("tracekit");
}

static int write_experiment(struct tk_export *export, const char *file, const char *rest,
                            struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, FILE_MAX);
    tk_buf_lit(&out, "{\"name\":");
    tk_json_put_str(&out, experiment_name(export));
    tk_buf_puts(&out, rest);
    int rc = tk_buf_check(&out, file, err);
    return rc < 0 ? rc : tk_file_write(export->dirfd, file, tk_buf_str(&out), 0644, err);
}

int tk_export_write_experiment(struct tk_export *export, struct tk_err *err)
{
    int rc = write_experiment(export, "experiment.json", legacy_experiment, err);
    return rc < 0 ? rc : write_experiment(export, "experiment.sdk.json", sdk_experiment, err);
}
