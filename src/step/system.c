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
#include "step/machine.h"
#include "step/session_internal.h"

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

static tk_str fact(const char *text, struct tk_arena *arena)
{
    return tk_arena_copy(arena, tk_str_from(text));
}

static void set_limits(struct tk_session *session, struct tk_job_system *system)
{
    static const char *const versions[] = {"none", "v1", "v2", "hybrid"};
    double cores = 0;
    int64_t bytes = -1;
    const struct tk_cgroup_mounts *mounts = tk_session_mounts(session);
    if (mounts)
        tk_cgroup_own_limits(&session->kernel, mounts, &cores, &bytes);
    system->cgroup = tk_str_from(versions[mounts ? tk_cgroup_mounts_version(mounts) : 0]);
    system->cpus_effective = cores > 0 && cores < system->cpus ? cores : system->cpus;
    if (bytes >= 0)
        system->memory_limit_mb = (double)bytes / TK_STEP_MB;
}

void tk_step_system_read(struct tk_session *session, struct tk_job_system *ret)
{
    struct tk_arena *arena = &session->arena;
    const struct tk_kernel *kernel = &session->kernel;
    struct statvfs fs;
    struct tk_machine machine;
    int64_t cores = tk_node_cores(kernel);
    tk_step_machine_read(kernel, session->state.fd, &machine);
    ret->cpu_model = fact(machine.model, arena);
    ret->kernel = fact(machine.kernel, arena);
    ret->arch = fact(machine.arch, arena);
    ret->virt = fact(machine.virt, arena);
    if (cores > 0)
        ret->cpus = (double)cores;
    if (session->view.memory.total >= 0)
        ret->memory_total_mb = (double)session->view.memory.total / TK_STEP_MB;
    if (statvfs("/", &fs) == 0)
        ret->disk_total_gb = (double)fs.f_blocks * (double)fs.f_frsize / TK_STEP_MB / 1024;
    ret->psi = faccessat(kernel->procfd, "pressure/cpu", R_OK, 0) == 0;
    set_limits(session, ret);
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
