/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of the CPUs: /proc/cpuinfo, /sys/devices/system/cpu, and as a last resort a stopwatch. */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/number.h"
#include "collect/kernel_text.h"
#include "collect/node.h"
#include "collect/node_internal.h"

#define CPU_FOLDER  "sys/devices/system/cpu"
#define CPUINFO_MAX ((size_t)16 << 20) /* of many thousands of CPUs */

enum {
    CPUS_MAX = 8192,
    PACKAGES_MAX = 1024,
};

/* A line of a small file; false when it is missing. */
static bool read_line(const struct tk_kernel *kernel, const char *path, char *buf, size_t cap,
                      tk_str *ret)
{
    tk_str text;
    struct tk_err ignored;
    if (tk_file_read(kernel->rootfd, path, buf, cap, &text, &ignored) < 0)
        return false;
    *ret = tk_str_trim(text);
    return true;
}

static int64_t read_number(const struct tk_kernel *kernel, const char *path)
{
    char buf[64];
    tk_str text;
    int64_t value;
    return read_line(kernel, path, buf, sizeof(buf), &text) && tk_parse_i64(text, &value) &&
                   value > 0
               ? value
               : 0;
}

/* Names ------------------------------------------------------------------------------- */

/* "model name : X" of the text of one CPU: "X". */
static bool find_value(tk_str text, tk_str name, tk_str *ret)
{
    tk_str line;
    while (tk_str_take_line(&text, &line)) {
        size_t colon = tk_str_find(line, ':');
        if (colon == line.n || !tk_str_eq(tk_str_trim((tk_str){line.p, colon}), name))
            continue;
        *ret = tk_str_trim((tk_str){line.p + colon + 1, line.n - colon - 1});
        return true;
    }
    return false;
}

/* Arm kernels give numbers for the part (Main ID Register), as `lscpu` names them. */
static const char *arm_name(tk_str implementer, tk_str part)
{
    static const struct {
        const char *implementer;
        const char *part;
        const char *name;
    } parts[] = {
        {"0x41", "0xd03", "Cortex-A53"},  {"0x41", "0xd05", "Cortex-A55"},
        {"0x41", "0xd07", "Cortex-A57"},  {"0x41", "0xd08", "Cortex-A72"},
        {"0x41", "0xd09", "Cortex-A73"},  {"0x41", "0xd0a", "Cortex-A75"},
        {"0x41", "0xd0b", "Cortex-A76"},  {"0x41", "0xd0c", "Neoverse-N1"},
        {"0x41", "0xd40", "Neoverse-V1"}, {"0x41", "0xd49", "Neoverse-N2"},
        {"0x41", "0xd4f", "Neoverse-V2"}, {"0x46", "0x001", "A64FX"},
        {"0x48", "0xd01", "Kunpeng-920"}, {"0xc0", "0xac3", "Ampere-1"},
        {"0xc0", "0xac4", "Ampere-1a"},
    };
    for (size_t i = 0; i < TK_COUNTOF(parts); i++) {
        if (tk_str_eq(implementer, tk_str_from(parts[i].implementer)) &&
            tk_str_eq(part, tk_str_from(parts[i].part)))
            return parts[i].name;
    }
    return "";
}

static void find_model(tk_str cpuinfo, char ret[128])
{
    static const char *const names[] = {"model name", "Model Name", "cpu model", "cpu", "uarch"};
    tk_str value;
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        if (find_value(cpuinfo, tk_str_from(names[i]), &value) && value.n > 0 && value.n < 128) {
            (void)tk_str_to_cstr(value, ret, 128);
            return;
        }
    }
    tk_str part;
    if (find_value(cpuinfo, TK_STR("CPU implementer"), &value) &&
        find_value(cpuinfo, TK_STR("CPU part"), &part))
        (void)tk_str_to_cstr(tk_str_from(arm_name(value, part)), ret, 128);
}

static bool has_flag(tk_str flags, const char *name)
{
    tk_str word;
    while (tk_str_take_word(&flags, &word)) {
        if (tk_str_eq(word, tk_str_from(name)))
            return true;
    }
    return false;
}

/* Frequency --------------------------------------------------------------------------- */

int64_t tk_cpu_model_mhz(tk_str model)
{
    size_t at = tk_str_find_last(model, '@');
    tk_str rest = {model.p + at, model.n - at};
    double value;
    if (!tk_str_take_prefix(&rest, TK_STR("@")))
        return 0;
    rest = tk_str_trim(rest);
    if (!tk_scan_f64(&rest, &value) || !(value > 0) || value > 1e6)
        return 0;
    rest = tk_str_trim(rest);
    if (tk_str_eq(rest, TK_STR("GHz")))
        return (int64_t)(value * 1000 + 0.5);
    return tk_str_eq(rest, TK_STR("MHz")) ? (int64_t)(value + 0.5) : 0;
}

/* A chain of operations of one cycle each, each waiting for the one before: their number over the
 * shortest time that they took is the frequency under load. About 10 ms. */
static int64_t measure_mhz(void)
{
    enum { ROUNDS = 8, STEPS = 250000 };
    int64_t best_ns = INT64_MAX;
    uint64_t value = 1;
    uint64_t key = (uint64_t)tk_clock_mono_ns() | 1;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start_ns = tk_clock_mono_ns();
        for (int i = 0; i < STEPS; i++) {
            value ^= key;
            TK_OPAQUE(value);
            value ^= key;
            TK_OPAQUE(value);
            value ^= key;
            TK_OPAQUE(value);
            value ^= key;
            TK_OPAQUE(value);
            value ^= key;
            TK_OPAQUE(value);
            value ^= key;
            TK_OPAQUE(value);
            value ^= key;
            TK_OPAQUE(value);
            value ^= key;
            TK_OPAQUE(value);
        }
        int64_t ns = tk_clock_mono_ns() - start_ns;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    return best_ns > 0 ? (int64_t)(8.0 * STEPS * 1000 / (double)best_ns + 0.5) : 0;
}

static int64_t first_cpu_mhz(tk_str cpuinfo)
{
    tk_str value;
    double mhz;
    return find_value(cpuinfo, TK_STR("cpu MHz"), &value) && tk_parse_f64(value, &mhz) && mhz > 0 &&
                   mhz < 1e6
               ? (int64_t)(mhz + 0.5)
               : 0;
}

/* The first rung of the ladder that gives a number (collect-and-cctf.md section 6). */
static void find_freq(const struct tk_kernel *kernel, tk_str cpuinfo, int64_t given_mhz,
                      struct tk_cpu_facts *facts)
{
    facts->freq_min_mhz = read_number(kernel, CPU_FOLDER "/cpu0/cpufreq/cpuinfo_min_freq") / 1000;
    facts->freq_base_mhz = read_number(kernel, CPU_FOLDER "/cpu0/cpufreq/base_frequency") / 1000;
    facts->freq_max_mhz = read_number(kernel, CPU_FOLDER "/cpu0/cpufreq/cpuinfo_max_freq") / 1000;
    const struct {
        const char *source;
        int64_t mhz;
    } known[] = {
        {"CPU_FREQ_MHZ", given_mhz},
        {"base_frequency", facts->freq_base_mhz},
        {"cpuinfo_max_freq", facts->freq_max_mhz},
        {"model_name", tk_cpu_model_mhz(tk_str_from(facts->model))},
    };
    for (size_t i = 0; i < TK_COUNTOF(known); i++) {
        if (known[i].mhz > 0) {
            facts->freq_mhz = known[i].mhz;
            facts->freq_source = known[i].source;
            return;
        }
    }
    facts->freq_mhz = kernel->live ? measure_mhz() : 0;
    facts->freq_source = "measured";
    if (facts->freq_mhz == 0) {
        facts->freq_mhz = first_cpu_mhz(cpuinfo);
        facts->freq_source = facts->freq_mhz > 0 ? "cpuinfo" : "unknown";
    }
}

/* Topology ---------------------------------------------------------------------------- */

int64_t tk_cpu_list_count(tk_str list)
{
    int64_t count = 0;
    tk_str part;
    while (tk_str_take_until(&list, ',', &part)) {
        int64_t first;
        if (!tk_scan_i64(&part, &first))
            return 0;
        int64_t last = first;
        if (tk_str_take_prefix(&part, TK_STR("-")) && !tk_scan_i64(&part, &last))
            return 0;
        if (part.n > 0 || first < 0 || last < first || last >= CPUS_MAX)
            return 0;
        count += last - first + 1;
    }
    return count;
}

/* CPUs that this process may run on, as `nproc` counts them; 0 = unknown. */
static int64_t count_affinity(void)
{
    cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
    size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
    int64_t count = 0;
    if (set && sched_getaffinity(0, size, set) == 0)
        count = CPU_COUNT_S(size, set);
    CPU_FREE(set);
    return count;
}

static int64_t count_packages(const struct tk_kernel *kernel)
{
    bool seen[PACKAGES_MAX] = {false};
    int64_t count = 0;
    for (int cpu = 0; cpu < CPUS_MAX; cpu++) {
        char path[128];
        char buf[32];
        tk_str text;
        int64_t package;
        (void)snprintf(path, sizeof(path), CPU_FOLDER "/cpu%d", cpu);
        if (faccessat(kernel->rootfd, path, F_OK, 0) < 0)
            break;
        (void)snprintf(path, sizeof(path), CPU_FOLDER "/cpu%d/topology/physical_package_id", cpu);
        if (!read_line(kernel, path, buf, sizeof(buf), &text) || !tk_parse_i64(text, &package) ||
            package < 0 || package >= PACKAGES_MAX || seen[package])
            continue;
        seen[package] = true;
        count++;
    }
    return count;
}

int64_t tk_node_cores(const struct tk_kernel *kernel)
{
    char buf[512];
    tk_str text;
    int64_t cores = kernel->live ? count_affinity() : 0;
    if (cores == 0 && read_line(kernel, CPU_FOLDER "/online", buf, sizeof(buf), &text))
        cores = tk_cpu_list_count(text);
    return cores;
}

static void find_topology(const struct tk_kernel *kernel, struct tk_cpu_facts *facts)
{
    char buf[512];
    tk_str text;
    facts->cores = tk_node_cores(kernel);
    if (read_line(kernel, CPU_FOLDER "/cpu0/topology/thread_siblings_list", buf, sizeof(buf),
                  &text))
        facts->threads_per_core = tk_cpu_list_count(text);
    facts->sockets = count_packages(kernel);
}

void tk_cpu_facts_read(const struct tk_kernel *kernel, int64_t given_mhz,
                       struct tk_cpu_facts *ret_facts)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    struct tk_err ignored;
    tk_str flags;
    *ret_facts = (struct tk_cpu_facts){0};
    tk_buf_init(&text, CPUINFO_MAX);
    if (tk_file_load(kernel->procfd, "cpuinfo", &text, &ignored) < 0)
        tk_buf_reset(&text);
    tk_str cpuinfo = tk_buf_str(&text);
    find_model(cpuinfo, ret_facts->model);
    find_freq(kernel, cpuinfo, given_mhz, ret_facts);
    find_topology(kernel, ret_facts);
    if (find_value(cpuinfo, TK_STR("flags"), &flags)) {
        ret_facts->has_flags = true;
        ret_facts->tsc_invariant =
            has_flag(flags, "constant_tsc") && has_flag(flags, "nonstop_tsc");
        ret_facts->hypervisor = has_flag(flags, "hypervisor");
    }
}
