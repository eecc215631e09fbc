/* SPDX-License-Identifier: Apache-2.0 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "collect/cgroup_mounts.h"
#include "run/schemas.h"
#include "step/session_internal.h"

enum { NODE_TEXT = 16384 };

static tk_str text_of(const struct tk_batch *row, size_t column, struct tk_arena *arena)
{
    tk_str text = tk_batch_has(row, 0, column) ? tk_batch_text(row, 0, column) : (tk_str){0};
    return text.n > 0 ? tk_arena_copy(arena, text) : (tk_str){0};
}

static double number_of(const struct tk_batch *row, size_t column)
{
    return tk_batch_has(row, 0, column) ? (double)tk_batch_i64(row, 0, column, 0) : (double)NAN;
}

/* Machines whose durations may be compared: the same model, cores, memory in GiB, virtualisation.
 * Not a digest of cryptography: loading its library takes longer than many a step. */
static void set_fingerprint(struct tk_job_system *system, struct tk_arena *arena)
{
    char text[512];
    char hex[33];
    int n = snprintf(text, sizeof(text), "%.*s|%.0f|%.0f|%.*s", TK_STR_ARG(system->cpu_model),
                     system->cpus, system->memory_total_mb / 1024, TK_STR_ARG(system->virt));
    if (n < 0 || (size_t)n >= sizeof(text))
        return;
    XXH128_hash_t hash = XXH3_128bits(text, (size_t)n);
    n = snprintf(hex, sizeof(hex), "%016" PRIx64 "%016" PRIx64, hash.high64, hash.low64);
    system->fingerprint = tk_arena_copy(arena, (tk_str){hex, (size_t)n});
}

static void take_node(const struct tk_batch *row, struct tk_arena *arena,
                      struct tk_job_system *system)
{
    system->cpus = number_of(row, TK_NODE_META_CPU_CORES);
    system->memory_total_mb = number_of(row, TK_NODE_META_MEM_BYTES) / TK_STEP_MB;
    system->cpu_model = text_of(row, TK_NODE_META_CPU_MODEL, arena);
    system->kernel = text_of(row, TK_NODE_META_KERNEL, arena);
    system->arch = text_of(row, TK_NODE_META_ARCH, arena);
    system->virt = text_of(row, TK_NODE_META_VIRT, arena);
    system->memory_limit_mb = number_of(row, TK_NODE_META_MEM_LIMIT_BYTES) / TK_STEP_MB;
    double limit = tk_batch_f64(row, 0, TK_NODE_META_CPU_LIMIT_CORES, 0);
    system->cpus_effective = limit > 0 && limit < system->cpus ? limit : system->cpus;
}

void tk_step_system_read(const struct tk_kernel *kernel, struct tk_arena *arena,
                         struct tk_job_system *ret)
{
    static const char *const versions[] = {"none", "v1", "v2", "hybrid"};
    struct tk_err ignored;
    struct statvfs fs;
    struct tk_cgroup_mounts mounts;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *row = NULL;
    /* A frequency that is given is not measured, which would take 10 ms. */
    const struct tk_node_options options = {
        .run_id = "", .stage = "", .iface = "lo", .cpu_freq_mhz = 1};
    if (tk_batch_new(&tk_schema_node_meta, 1, NODE_TEXT, &row, &ignored) == 0 &&
        tk_node_read(kernel, &options, row, &ignored) == 0)
        take_node(row, arena, ret);
    if (statvfs("/", &fs) == 0)
        ret->disk_total_gb = (double)fs.f_blocks * (double)fs.f_frsize / TK_STEP_MB / 1024;
    int version = tk_cgroup_mounts_read(kernel, &mounts, &ignored) == 0
                      ? tk_cgroup_mounts_version(&mounts)
                      : 0;
    ret->cgroup = tk_str_from(versions[version]);
    ret->psi = faccessat(kernel->procfd, "pressure/cpu", R_OK, 0) == 0;
    set_fingerprint(ret, arena);
}

double tk_step_cores(const struct tk_job_system *system)
{
    double cores = system->cpus_effective > 0 ? system->cpus_effective : system->cpus;
    return cores > 0 ? cores : (double)sysconf(_SC_NPROCESSORS_ONLN);
}

static double speed_of(int links, const char *name)
{
    char path[NAME_MAX + 16];
    char buf[32];
    tk_str text;
    struct tk_err ignored;
    int64_t mbps;
    (void)snprintf(path, sizeof(path), "%s/device", name);
    if (faccessat(links, path, F_OK, 0) < 0)
        return (double)NAN;
    (void)snprintf(path, sizeof(path), "%s/speed", name);
    bool told = tk_file_read(links, path, buf, sizeof(buf), &text, &ignored) == 0 &&
                tk_parse_i64(tk_str_trim(text), &mbps) && mbps > 0;
    return told ? (double)mbps : (double)NAN;
}

double tk_step_link_mbps(const struct tk_kernel *kernel)
{
    double fastest = (double)NAN;
    const struct dirent *entry;
    TK_CLEANUP(tk_fd_close)
    int fd = openat(kernel->rootfd, "sys/class/net", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *links = fd < 0 ? NULL : fdopendir(fd);
    if (!links)
        return fastest;
    (void)tk_fd_take(&fd);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while ((entry = readdir(links))) {
        double mbps = entry->d_name[0] == '.' ? (double)NAN : speed_of(dirfd(links), entry->d_name);
        fastest = fmax(fastest, mbps); /* of a number and NaN it is the number */
    }
    (void)closedir(links);
    return fastest;
}
