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
    const char *model_type;
    const char *carbon; /* behind the hosts, where there is a trace of the grid */
};

/* Written beside the topology: the runner's working folder, or that of the experiment. */
#define GRID ",\"powerSource\":{\"name\":\"grid\","

static const struct dialect legacy = {"topology.json", "memorySize", "modelType",
                                      GRID "\"carbonTracePath\":\"carbon.parquet\"}"};
static const struct dialect sdk = {"topology.sdk.json", "size", "type",
                                   GRID
                                   "\"carbon\":{\"type\":\"named\",\"name\":\"carbon.parquet\"}}"};
static const struct dialect gen2 = {"small_datacenter.json", "memorySize", "modelType", ""};

/* Hosts of one kind. */
struct kind {
    const char *name;
    int64_t cores;
    double mhz;
    int64_t mem_mib;
    int64_t count;
    const struct tk_power_model *power; /* NULL = OpenDC's default */
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
    if (first->mem_mib != second->mem_mib)
        return first->mem_mib < second->mem_mib ? -1 : 1;
    return (first->power > second->power) - (first->power < second->power);
}

static void put_figure(struct tk_buf *out, const char *key, double value, const char *unit)
{
    tk_json_put_key(out, key);
    tk_buf_puts(out, *unit ? "\"" : "");
    tk_buf_put_f64(out, value, TK_SHORTEST);
    tk_buf_printf(out, *unit ? " %s\"" : "%s", unit);
}

static void put_power(struct tk_buf *out, const struct tk_power_model *power, const char *type)
{
    tk_json_put_key(out, "cpuPowerModel");
    tk_buf_putc(out, '{');
    tk_json_put_member_str(out, type, tk_str_from(tk_power_kinds[power->kind]));
    put_figure(out, "idlePower", power->idle_watt, "Watts");
    put_figure(out, "maxPower", power->max_watt, "Watts");
    if (power->kind == TK_POWER_MSE)
        put_figure(out, "calibrationFactor", power->shape, "");
    if (power->kind == TK_POWER_ASYMPTOTIC) {
        put_figure(out, "asymUtil", power->shape, "");
        tk_json_put_key(out, "dvfs");
        tk_buf_puts(out, power->dvfs ? "true" : "false");
    }
    tk_buf_putc(out, '}');
}

static void put_host(struct tk_buf *out, const struct kind *kind, const struct dialect *dialect)
{
    tk_json_put_comma(out);
    tk_buf_putc(out, '{');
    tk_json_put_member_str(out, "name", tk_str_from(kind->name));
    tk_json_put_member_i64(out, "count", kind->count);
    tk_json_put_key(out, "cpu");
    tk_buf_lit(out, "{\"coreCount\":");
    tk_buf_put_i64(out, kind->cores);
    put_figure(out, "coreSpeed", kind->mhz, "MHz");
    tk_buf_putc(out, '}');
    tk_json_put_key(out, "memory");
    tk_buf_putc(out, '{');
    tk_json_put_key(out, dialect->memory_size);
    tk_buf_printf(out, "\"%lld MiB\"}", (long long)kind->mem_mib);
    if (kind->power)
        put_power(out, kind->power, dialect->model_type);
    tk_buf_putc(out, '}');
}

static int write_dialect(struct tk_export *export, const struct dialect *dialect,
                         const struct kind *kinds, size_t count, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, FILE_MAX);
    tk_buf_lit(&out, "{\"clusters\":[{\"name\":\"C01\",\"hosts\":[");
    for (size_t i = 0; i < count; i++)
        put_host(&out, &kinds[i], dialect);
    tk_buf_putc(&out, ']');
    if (export->options->environment[TK_ENVIRONMENT_CARBON])
        tk_buf_puts(&out, dialect->carbon);
    tk_buf_lit(&out, "}]}\n");
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
    const struct tk_calibration *calibration = export->options->calibration;
    size_t count = 0;
    bool has_power = false;
    for (uint32_t i = 0; i < workload->node_count; i++) {
        const struct tk_node *node = &workload->nodes[i];
        if (tk_export_has_node(export, i)) {
            const char *name = export->node_names[i];
            kinds[count++] = (struct kind){
                .name = name,
                .cores = node->cores,
                .mhz = node->mhz * export->options->core_speed,
                .mem_mib = mem_mib_of(export, node),
                .count = 1,
                .power = calibration ? tk_calibration_find_power(calibration, name) : NULL};
            has_power = has_power || kinds[count - 1].power;
        }
    }
    if (calibration && calibration->power_count > 0 && !has_power && export->only_node == TK_NONE) {
        return tk_fail(err, -EBADMSG,
                       "the calibration has power models of other hosts, such as %s: none is in "
                       "the run",
                       calibration->power[0].host);
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

static const char legacy_begin[] =
    ",\"topologies\":[{\"pathToFile\":\"topology.json\"}],\n"
    " \"workloads\":[{\"pathToFile\":\".\",\"type\":\"ComputeWorkload\","
    "\"scalingPolicy\":\"Perfect\"},\n"
    "              {\"pathToFile\":\".\",\"type\":\"ComputeWorkload\","
    "\"scalingPolicy\":\"NoDelay\"}],\n"
    " \"allocationPolicies\":[";

static const char legacy_policy[] = "{\"type\":\"prefab\",\"policyName\":\"Mem\"}";

static const char legacy_failures[] =
    " \"failureModels\":[{\"type\":\"trace-based\",\"pathToFile\":\"failures.parquet\","
    "\"startPoint\":0,\"repeat\":false}],\n";

static const char legacy_end[] =
    " \"exportModels\":[{\"exportInterval\":1,\"printFrequency\":99999,"
    "\"filesToExport\":[\"host\",\"task\",\"powerSource\",\"service\"]}]}\n";

static const char sdk_begin[] =
    ",\"topologies\":[{\"importFrom\":\"topology.sdk.json\"}],\n"
    " \"workloads\":[{\"type\":\"trace\",\"source\":{\"type\":\"named\",\"name\":\".\"},"
    "\"scalingPolicy\":\"Perfect\"},\n"
    "              {\"type\":\"trace\",\"source\":{\"type\":\"named\",\"name\":\".\"},"
    "\"scalingPolicy\":\"NoDelay\"}],\n"
    " \"allocationPolicies\":[";

static const char sdk_policy[] = "{\"type\":\"prefab\",\"prefabName\":\"Mem\"}";

static const char sdk_failures[] =
    " \"failureModels\":[{\"type\":\"traceBased\",\"source\":{\"type\":\"named\",\"name\":"
    "\"failures.parquet\"},\"startPoint\":0,\"repeat\":false}],\n";

static const char sdk_end[] =
    " \"exportModels\":[{\"exportInterval\":\"1 seconds\",\"printFrequency\":null,"
    "\"filesToExport\":[\"host\",\"task\",\"powerSource\",\"service\"]}]}\n";

static tk_str experiment_name(const struct tk_export *export)
{
    const struct tk_workload *workload = export->workload;
    tk_str run_id = workload->folders[0].run_id;
    return run_id.n > 0 ? run_id : TK_STR("tracekit");
}

/* Policy Mem, spelt out so that its ratio of cores can be another. */
struct policy {
    const char *file;
    const char *begin, *prefab, *failures, *end;
    const char *compute, *cpu, *ram, *weigher; /* names of the filters, and of the weigher */
};

static const struct policy legacy_parts = {"experiment.json",
                                           legacy_begin,
                                           legacy_policy,
                                           legacy_failures,
                                           legacy_end,
                                           "Compute",
                                           "VCpu",
                                           "Ram",
                                           "Ram"};
static const struct policy sdk_parts = {"experiment.sdk.json",
                                        sdk_begin,
                                        sdk_policy,
                                        sdk_failures,
                                        sdk_end,
                                        "compute",
                                        "vcpu",
                                        "ram",
                                        "ram"};

static void put_policy(struct tk_buf *out, const struct policy *policy, double cpu_ratio)
{
    if (cpu_ratio <= 0) {
        tk_buf_puts(out, policy->prefab);
        return;
    }
    tk_buf_printf(out, "{\"type\":\"filter\",\"filters\":[{\"type\":\"%s\"},{\"type\":\"%s\",",
                  policy->compute, policy->cpu);
    tk_buf_lit(out, "\"allocationRatio\":");
    tk_buf_put_f64(out, cpu_ratio, TK_SHORTEST);
    tk_buf_printf(out,
                  "},{\"type\":\"%s\",\"allocationRatio\":1}],"
                  "\"weighers\":[{\"type\":\"%s\",\"multiplier\":1}]}",
                  policy->ram, policy->weigher);
}

static int write_experiment(struct tk_export *export, const struct policy *policy,
                            struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, FILE_MAX);
    tk_buf_lit(&out, "{\"name\":");
    tk_json_put_str(&out, experiment_name(export));
    tk_buf_puts(&out, policy->begin);
    put_policy(&out, policy, export->options->cpu_ratio);
    tk_buf_lit(&out, "],\n");
    if (export->options->environment[TK_ENVIRONMENT_FAILURES])
        tk_buf_puts(&out, policy->failures);
    tk_buf_puts(&out, policy->end);
    int rc = tk_buf_check(&out, policy->file, err);
    return rc < 0 ? rc : tk_file_write(export->dirfd, policy->file, tk_buf_str(&out), 0644, err);
}

int tk_export_write_experiment(struct tk_export *export, struct tk_err *err)
{
    int rc = write_experiment(export, &legacy_parts, err);
    return rc < 0 ? rc : write_experiment(export, &sdk_parts, err);
}
