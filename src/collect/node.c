/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/node.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/number.h"
#include "collect/cgroup_files.h"
#include "collect/host_sources.h"
#include "collect/node_internal.h"
#include "collect/ping.h"
#include "collect/route.h"
#include "run/schemas.h"

enum {
    IFACES_MAX = 256,
    PROBES = 20,
};

/* A word of a file below proc/sys/kernel, or "". */
static void read_kernel_word(const struct tk_kernel *kernel, const char *path, char *ret,
                             size_t cap)
{
    char buf[256];
    tk_str text;
    struct tk_err ignored;
    ret[0] = '\0';
    if (tk_file_read(kernel->procfd, path, buf, sizeof(buf), &text, &ignored) == 0)
        (void)tk_str_to_cstr(tk_str_trim(text), ret, cap);
}

void tk_node_host_name(const struct tk_kernel *kernel, char ret_name[TK_NODE_NAME_MAX])
{
    read_kernel_word(kernel, "sys/kernel/hostname", ret_name, TK_NODE_NAME_MAX);
    if (!ret_name[0] || strcmp(ret_name, "(none)") == 0)
        (void)tk_str_to_cstr(TK_STR("localhost"), ret_name, TK_NODE_NAME_MAX);
}

void tk_node_iface(const char *given, const char *vm_ip, char ret_iface[TK_NODE_NAME_MAX])
{
    struct sockaddr_storage peer;
    struct tk_err ignored;
    char iface[IF_NAMESIZE];
    if (given && given[0] && tk_str_to_cstr(tk_str_from(given), ret_iface, TK_NODE_NAME_MAX))
        return;
    bool has_peer = vm_ip && vm_ip[0] && tk_peer_resolve(vm_ip, &peer, &ignored) == 0 &&
                    !tk_peer_is_loopback(&peer);
    bool found = has_peer && tk_route_find(&peer, iface, &ignored) == 0;
    if (!found && tk_route_find(NULL, iface, &ignored) < 0)
        memcpy(iface, "lo", sizeof("lo"));
    (void)tk_str_to_cstr(tk_str_from(iface), ret_iface, TK_NODE_NAME_MAX);
}

/* Parts of the row -------------------------------------------------------------------- */

static void set_text(struct tk_batch *row, size_t column, const char *text)
{
    if (text && text[0])
        tk_batch_set_text(row, column, tk_str_from(text));
}

/* Zero stands for unknown. */
static void set_positive(struct tk_batch *row, size_t column, int64_t value)
{
    if (value > 0)
        tk_batch_set_i64(row, column, value);
}

static void set_cpu(const struct tk_kernel *kernel, const struct tk_node_options *options,
                    struct tk_batch *row)
{
    struct tk_cpu_facts facts;
    tk_cpu_facts_read(kernel, options->cpu_freq_mhz, &facts);
    tk_batch_set_i64(row, TK_NODE_META_CPU_CORES, facts.cores);
    tk_batch_set_text(row, TK_NODE_META_CPU_MODEL, tk_str_from(facts.model));
    tk_batch_set_i64(row, TK_NODE_META_CPU_FREQ_MHZ, facts.freq_mhz);
    set_text(row, TK_NODE_META_CPU_FREQ_SOURCE, facts.freq_source);
    set_positive(row, TK_NODE_META_CPU_FREQ_MIN_MHZ, facts.freq_min_mhz);
    set_positive(row, TK_NODE_META_CPU_FREQ_BASE_MHZ, facts.freq_base_mhz);
    set_positive(row, TK_NODE_META_CPU_FREQ_MAX_MHZ, facts.freq_max_mhz);
    set_positive(row, TK_NODE_META_SOCKETS, facts.sockets);
    set_positive(row, TK_NODE_META_THREADS_PER_CORE, facts.threads_per_core);
    if (facts.has_flags)
        tk_batch_set_bool(row, TK_NODE_META_TSC_INVARIANT, facts.tsc_invariant);
    set_text(row, TK_NODE_META_VIRT, tk_virt_find(kernel, facts.hypervisor));
}

static int set_memory(const struct tk_kernel *kernel, struct tk_batch *row, struct tk_err *err)
{
    char buf[8192];
    tk_str text;
    int rc = tk_file_read(kernel->procfd, "meminfo", buf, sizeof(buf), &text, err);
    if (rc < 0)
        return tk_err_prefix(err, "proc");
    struct tk_host_reading *reading = calloc(1, sizeof(*reading));
    if (!reading)
        return tk_fail(err, -ENOMEM, "node: out of memory");
    rc = tk_host_meminfo_parse(text, 0, reading, err);
    if (rc < 0)
        rc = tk_err_prefix(err, "proc/meminfo");
    if (rc == 0) {
        tk_batch_set_i64(row, TK_NODE_META_MEM_MB, reading->memory.total >> 20);
        tk_batch_set_i64(row, TK_NODE_META_MEM_BYTES, reading->memory.total);
        if (reading->memory.swap_total >= 0)
            tk_batch_set_i64(row, TK_NODE_META_SWAP_BYTES, reading->memory.swap_total);
    }
    free(reading);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return tk_str_cmp(*(const tk_str *)a, *(const tk_str *)b);
}

/* The devices in the order of their names. */
static void set_ifaces(const struct tk_kernel *kernel, struct tk_batch *row)
{
    char texts[IFACES_MAX][IF_NAMESIZE];
    tk_str names[IFACES_MAX];
    size_t count = 0;
    int fd = openat(kernel->rootfd, "sys/class/net", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        tk_fd_close(&fd);
        return;
    }
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
    while (count < IFACES_MAX && (entry = readdir(dir))) {
        tk_str name = tk_str_from(entry->d_name);
        if (entry->d_name[0] == '.' || !tk_str_to_cstr(name, texts[count], IF_NAMESIZE))
            continue;
        names[count] = (tk_str){texts[count], name.n};
        count++;
    }
    closedir(dir);
    qsort(names, count, sizeof(*names), by_name);
    tk_batch_set_text_list(row, TK_NODE_META_IFACES, names, count);
}

static void set_groups(const struct tk_kernel *kernel, struct tk_batch *row)
{
    struct tk_cgroup_mounts mounts;
    struct tk_err ignored;
    double cores = 0;
    int64_t bytes = -1;
    bool mounted = tk_cgroup_mounts_read(kernel, &mounts, &ignored) == 0;
    tk_batch_set_i64(row, TK_NODE_META_CGROUP_VERSION,
                     mounted ? tk_cgroup_mounts_version(&mounts) : 0);
    if (mounted)
        tk_cgroup_own_limits(kernel, &mounts, &cores, &bytes);
    if (cores > 0)
        tk_batch_set_f64(row, TK_NODE_META_CPU_LIMIT_CORES, cores);
    if (bytes >= 0)
        tk_batch_set_i64(row, TK_NODE_META_MEM_LIMIT_BYTES, bytes);
}

static void read_kernel_names(const struct tk_kernel *kernel, char ret_release[TK_NODE_NAME_MAX],
                              char ret_arch[TK_NODE_NAME_MAX])
{
    struct utsname names;
    read_kernel_word(kernel, "sys/kernel/osrelease", ret_release, TK_NODE_NAME_MAX);
    read_kernel_word(kernel, "sys/kernel/arch", ret_arch, TK_NODE_NAME_MAX);
    if (!ret_arch[0] && kernel->live && uname(&names) == 0)
        (void)tk_str_to_cstr(tk_str_from(names.machine), ret_arch, TK_NODE_NAME_MAX);
}

static void set_kernel(const struct tk_kernel *kernel, struct tk_batch *row)
{
    char release[TK_NODE_NAME_MAX];
    char arch[TK_NODE_NAME_MAX];
    read_kernel_names(kernel, release, arch);
    set_text(row, TK_NODE_META_KERNEL, release);
    set_text(row, TK_NODE_META_ARCH, arch);
    set_text(row, TK_NODE_META_BOOT_ID, kernel->boot_id);
}

void tk_machine_read(const struct tk_kernel *kernel, struct tk_machine *ret_machine)
{
    struct tk_cpu_facts facts;
    *ret_machine = (struct tk_machine){.model = ""};
    tk_cpu_facts_read(kernel, 1, &facts); /* no frequency: measuring it takes 10 ms */
    memcpy(ret_machine->model, facts.model, sizeof(ret_machine->model));
    read_kernel_names(kernel, ret_machine->kernel, ret_machine->arch);
    (void)tk_str_to_cstr(tk_str_from(tk_virt_find(kernel, facts.hypervisor)), ret_machine->virt,
                         sizeof(ret_machine->virt));
}

static int check_room(const struct tk_batch *row, struct tk_err *err)
{
    return row->overflow ? tk_fail(err, -EMSGSIZE, "%s: text does not fit", row->schema->name) : 0;
}

int tk_node_read(const struct tk_kernel *kernel, const struct tk_node_options *options,
                 struct tk_batch *node_meta, struct tk_err *err)
{
    char host[TK_NODE_NAME_MAX];
    char iface[TK_NODE_NAME_MAX];
    tk_node_host_name(kernel, host);
    tk_node_iface(options->iface, options->vm_ip, iface);
    tk_batch_begin(node_meta);
    tk_batch_set_text(node_meta, TK_NODE_META_RUN_ID, tk_str_from(options->run_id));
    tk_batch_set_text(node_meta, TK_NODE_META_NODE,
                      tk_str_from(options->node ? options->node : host));
    tk_batch_set_text(node_meta, TK_NODE_META_STAGE, tk_str_from(options->stage));
    tk_batch_set_text(node_meta, TK_NODE_META_HOST, tk_str_from(host));
    tk_batch_set_text(node_meta, TK_NODE_META_IFACE, tk_str_from(iface));
    int rc = set_memory(kernel, node_meta, err);
    if (rc < 0) {
        tk_batch_drop(node_meta);
        return rc;
    }
    set_cpu(kernel, options, node_meta);
    set_kernel(kernel, node_meta);
    set_ifaces(kernel, node_meta);
    set_groups(kernel, node_meta);
    return check_room(node_meta, err);
}

/* The link ---------------------------------------------------------------------------- */

/* Mbit/s of /sys to bit/s; 0 when the device does not tell, as virtual ones with -1. */
static int64_t speed_bps(const struct tk_kernel *kernel, const char *iface)
{
    char path[sizeof("sys/class/net//speed") + TK_NODE_NAME_MAX];
    char buf[32];
    tk_str text;
    int64_t mbps;
    struct tk_err ignored;
    (void)snprintf(path, sizeof(path), "sys/class/net/%s/speed", iface);
    if (tk_file_read(kernel->rootfd, path, buf, sizeof(buf), &text, &ignored) < 0 ||
        !tk_parse_i64(tk_str_trim(text), &mbps) || mbps <= 0 || mbps > INT64_MAX / 1000000)
        return 0;
    return mbps * 1000000;
}

static void set_delay(struct tk_batch *row, const struct tk_ping *ping)
{
    tk_batch_set_i64(row, TK_LINK_META_PROBES_SENT, ping->sent);
    tk_batch_set_i64(row, TK_LINK_META_PROBES_RECEIVED, ping->received);
    if (ping->received == 0)
        return;
    tk_batch_set_f64(row, TK_LINK_META_PR_S, ping->rtt_min_s / 2);
    tk_batch_set_f64(row, TK_LINK_META_RTT_MIN_S, ping->rtt_min_s);
    tk_batch_set_f64(row, TK_LINK_META_RTT_MEDIAN_S, ping->rtt_median_s);
    tk_batch_set_f64(row, TK_LINK_META_RTT_P95_S, ping->rtt_p95_s);
    tk_batch_set_f64(row, TK_LINK_META_JITTER_S, ping->jitter_s);
}

int tk_link_read(const struct tk_kernel *kernel, const char *iface, const char *vm_ip,
                 struct tk_batch *link_meta, struct tk_err *err)
{
    struct sockaddr_storage peer;
    struct tk_ping ping;
    tk_batch_begin(link_meta);
    tk_batch_set_text(link_meta, TK_LINK_META_IFACE, tk_str_from(iface));
    tk_batch_set_i64(link_meta, TK_LINK_META_BW_BPS, speed_bps(kernel, iface));
    struct tk_err ignored;
    if (vm_ip && vm_ip[0] && tk_peer_resolve(vm_ip, &peer, &ignored) == 0 &&
        !tk_peer_is_loopback(&peer) && tk_ping_run(&peer, PROBES, &ping, &ignored) == 0)
        set_delay(link_meta, &ping);
    return check_room(link_meta, err);
}
