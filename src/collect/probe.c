/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "collect/cgroup_mounts.h"
#include "collect/cgroups.h"
#include "collect/host_internal.h"
#include "collect/node_internal.h"
#include "collect/privileges.h"
#include "collect/procs.h"

/* What probes share: answers that are asked for once. */
struct tk_prober {
    const struct tk_kernel *kernel;
    struct tk_procs_probe procs;
};

const char *const tk_probe_state_names[] = {
    [TK_PROBE_YES] = "yes", [TK_PROBE_PARTLY] = "partly", [TK_PROBE_NO] = "no"};

static void set(struct tk_finding *finding, enum tk_probe_state state, const char *fmt, ...)
    TK_PRINTF(3, 4);

/* State and detail. */
static void set(struct tk_finding *finding, enum tk_probe_state state, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    finding->state = state;
    (void)vsnprintf(finding->detail, sizeof(finding->detail), fmt, args);
    va_end(args);
}

static void set_missing(struct tk_finding *finding, const char *what)
{
    (void)snprintf(finding->missing, sizeof(finding->missing), "%s", what);
}

/* Processes --------------------------------------------------------------------------- */

static void probe_walk(const struct tk_prober *prober, struct tk_finding *finding)
{
    const struct tk_procs_probe *procs = &prober->procs;
    if (*procs->walk_why_not) {
        set(finding, TK_PROBE_NO, "%s", procs->walk_why_not);
        set_missing(finding, "CAP_BPF and CAP_PERFMON (run as root, or setcap cap_bpf,"
                             "cap_perfmon+ep) and a kernel with BTF, Linux 5.8 or later");
        return;
    }
    bool is_best = procs->tier == TK_TIER_B2;
    set(finding, is_best ? TK_PROBE_YES : TK_PROBE_PARTLY, "%s, resident sets %s",
        tk_tier_title(procs->tier),
        procs->rss_exact ? "added up over all CPUs" : "by /proc/PID/statm");
    if (!is_best)
        set_missing(finding, "a kernel with open-coded task iterators: Linux 6.7 or later");
}

static void probe_cpu_clocks(const struct tk_prober *prober, struct tk_finding *finding)
{
    if (prober->procs.cpu_clock) {
        set(finding, TK_PROBE_YES, "nanoseconds of any process by one system call");
        return;
    }
    set(finding, TK_PROBE_NO, "CPU time comes from /proc/PID/stat, in ticks of 10 ms");
    set_missing(finding, "a Linux kernel whose pids are those of /proc");
}

static void probe_events(const struct tk_prober *prober, struct tk_finding *finding)
{
    if (prober->procs.ring) {
        set(finding, TK_PROBE_YES, "BPF ring, %s",
            prober->procs.connector ? "else proc connector" : "no proc connector");
        return;
    }
    if (prober->procs.connector) {
        set(finding, TK_PROBE_YES, "proc connector");
        return;
    }
    set(finding, TK_PROBE_NO, "proc connector: %s", prober->procs.connector_why_not);
    set_missing(finding, "CAP_NET_ADMIN (from Linux 6.6 on no privilege) in the initial pid and "
                         "user namespaces");
}

static void probe_exit_records(const struct tk_prober *prober, struct tk_finding *finding)
{
    if (prober->procs.ring) {
        set(finding, TK_PROBE_YES, "BPF ring, CPU time exact to the nanosecond");
        return;
    }
    if (prober->procs.taskstats) {
        set(finding, TK_PROBE_YES, "taskstats version %d, CPU time completed by an estimate",
            prober->procs.taskstats_version);
        return;
    }
    set(finding, TK_PROBE_NO, "taskstats: %s", prober->procs.taskstats_why_not);
    set_missing(finding,
                "CAP_NET_ADMIN in the initial pid, user and network namespaces (run as root, or "
                "setcap cap_net_admin+ep)");
}

static void probe_other_processes(const struct tk_prober *prober, struct tk_finding *finding)
{
    if (!prober->procs.hidepid) {
        set(finding, TK_PROBE_YES, "%s", "");
        return;
    }
    set(finding, TK_PROBE_NO, "/proc hides them (hidepid)");
    set_missing(finding, "root, or the group that the gid= option of the /proc mount names");
}

static bool have_privilege(tk_str name)
{
    tk_str names[8];
    size_t count = tk_privileges_read(names, TK_COUNTOF(names));
    for (size_t i = 0; i < count; i++) {
        if (tk_str_eq(names[i], name))
            return true;
    }
    return false;
}

static void probe_other_io(const struct tk_prober *prober, struct tk_finding *finding)
{
    char buf[512];
    tk_str text;
    struct tk_err ignored;
    int procfd = prober->kernel->procfd;
    if (tk_file_read(procfd, "1/io", buf, sizeof(buf), &text, &ignored) == 0) {
        set(finding, TK_PROBE_YES, "%s", "");
        return;
    }
    if (faccessat(procfd, "self/io", F_OK, 0) < 0) {
        set(finding, TK_PROBE_NO, "this kernel counts no I/O of processes");
        set_missing(finding, "a kernel with CONFIG_TASK_IO_ACCOUNTING");
        return;
    }
    if (have_privilege(TK_STR("CAP_SYS_PTRACE"))) {
        set(finding, TK_PROBE_YES, "all but process 1, which this host keeps to itself");
        return;
    }
    set(finding, TK_PROBE_NO, "of our own processes only");
    set_missing(finding, "CAP_SYS_PTRACE");
}

/* Reading an environment asks for the right to look at a process, reading its memory for that to
 * attach to it, which the Yama module may keep to ancestors. */
static void probe_contexts(const struct tk_prober *prober, struct tk_finding *finding)
{
    char buf[32];
    tk_str text;
    struct tk_err ignored;
    int procfd = prober->kernel->procfd;
    if (have_privilege(TK_STR("CAP_SYS_PTRACE"))) {
        set(finding, TK_PROBE_YES, "published Resources found %s",
            prober->procs.mappings ? "of many at once by BPF" : "by PID/maps");
        return;
    }
    bool is_kept = tk_file_read(procfd, "sys/kernel/yama/ptrace_scope", buf, sizeof(buf), &text,
                                &ignored) == 0 &&
                   !tk_str_starts_with(text, TK_STR("0"));
    set(finding, TK_PROBE_PARTLY,
        is_kept ? "TRACEPARENT of our own user's processes, published Resources of the recorded "
                  "command's only"
                : "of our own user's processes only");
    set_missing(finding, "CAP_SYS_PTRACE");
}

static void probe_delays(const struct tk_prober *prober, struct tk_finding *finding)
{
    char buf[32];
    tk_str text;
    struct tk_err ignored;
    if (tk_file_read(prober->kernel->procfd, "sys/kernel/task_delayacct", buf, sizeof(buf), &text,
                     &ignored) == 0 &&
        tk_str_eq(tk_str_trim(text), TK_STR("1"))) {
        set(finding, TK_PROBE_YES, "delay accounting is on");
        return;
    }
    set(finding, TK_PROBE_NO, "delay accounting is off");
    set_missing(finding, "sysctl kernel.task_delayacct=1, if you want it (it costs each switch; "
                         "tracekit never sets it)");
}

/* Host -------------------------------------------------------------------------------- */

static void probe_pressure(const struct tk_prober *prober, struct tk_finding *finding)
{
    char buf[512];
    tk_str text;
    struct tk_err why;
    int rc = tk_file_read(prober->kernel->procfd, "pressure/cpu", buf, sizeof(buf), &text, &why);
    if (rc == 0) {
        set(finding, TK_PROBE_YES, "%s", "");
    } else if (rc == -EOPNOTSUPP) {
        set(finding, TK_PROBE_NO, "switched off at boot");
        set_missing(finding, "psi=1 on the kernel's command line");
    } else {
        set(finding, TK_PROBE_NO, "this kernel has no /proc/pressure");
        set_missing(finding, "Linux 4.20 or later with CONFIG_PSI");
    }
}

static void probe_energy(const struct tk_prober *prober, struct tk_finding *finding)
{
    const struct tk_host_source *source = &tk_host_sources[TK_HOST_ENERGY];
    int fds[TK_HOST_FILES_MAX];
    int rootfd = prober->kernel->rootfd;
    size_t n = tk_host_files_open(rootfd, source->path, source->takes, fds, TK_COUNTOF(fds));
    for (size_t i = 0; i < n; i++)
        tk_fd_close(&fds[i]);
    if (n > 0) {
        set(finding, TK_PROBE_YES, "%zu package%s", n, n > 1 ? "s" : "");
    } else if (faccessat(rootfd, "sys/devices/virtual/powercap/intel-rapl", F_OK, 0) == 0) {
        set(finding, TK_PROBE_NO, "the counters are readable by root alone");
        set_missing(finding, "root or CAP_DAC_READ_SEARCH");
    } else {
        set(finding, TK_PROBE_NO, "no RAPL counters");
        set_missing(finding, "bare metal: virtual machines have none as a rule");
    }
}

static void probe_frequency(const struct tk_prober *prober, struct tk_finding *finding)
{
    const struct tk_host_source *source = &tk_host_sources[TK_HOST_CPUFREQ];
    int fds[TK_HOST_FILES_MAX];
    size_t n = tk_host_files_open(prober->kernel->rootfd, source->path, source->takes, fds,
                                  TK_COUNTOF(fds));
    for (size_t i = 0; i < n; i++)
        tk_fd_close(&fds[i]);
    if (n > 0) {
        set(finding, TK_PROBE_YES, "cpufreq, %zu domain%s", n, n > 1 ? "s" : "");
        return;
    }
    struct tk_cpu_facts facts;
    tk_cpu_facts_read(prober->kernel, 1, &facts);
    set(finding, facts.has_flags ? TK_PROBE_PARTLY : TK_PROBE_NO, "no cpufreq%s",
        facts.has_flags ? ", /proc/cpuinfo tells a nominal one" : "");
    set_missing(finding, "a cpufreq driver; a virtual machine has none");
}

static void probe_clock(const struct tk_prober *prober, struct tk_finding *finding)
{
    (void)prober;
    struct timex clock = {0};
    int state = adjtimex(&clock);
    if (state < 0) {
        set(finding, TK_PROBE_NO, "the kernel does not tell");
        return;
    }
    if (state == TIME_ERROR || (clock.status & STA_UNSYNC)) {
        set(finding, TK_PROBE_NO, "not synchronised");
        set_missing(finding, "an NTP daemon, if stamps of several machines are to be compared");
        return;
    }
    set(finding, TK_PROBE_YES, "synchronised to %.1f ms", (double)clock.maxerror / 1000);
}

static void probe_echo(const struct tk_prober *prober, struct tk_finding *finding)
{
    (void)prober;
    TK_CLEANUP(tk_fd_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (fd >= 0) {
        set(finding, TK_PROBE_YES, "ping socket");
        return;
    }
    fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (fd >= 0) {
        set(finding, TK_PROBE_YES, "raw socket");
        return;
    }
    set(finding, TK_PROBE_NO, "ICMP is refused");
    set_missing(finding, "our group in net.ipv4.ping_group_range, or CAP_NET_RAW");
}

/* Control groups, surroundings -------------------------------------------------------- */

static void probe_groups(const struct tk_prober *prober, struct tk_finding *finding)
{
    static const char *const versions[] = {"", "version 1", "version 2",
                                           "version 1 and version 2 (hybrid)"};
    struct tk_cgroup_mounts mounts;
    struct tk_err why;
    if (tk_cgroup_mounts_read(prober->kernel, &mounts, &why) == 0) {
        set(finding, TK_PROBE_YES, "%s, read %s", versions[tk_cgroup_mounts_version(&mounts)],
            prober->procs.group_walk ? "all at once by BPF" : "by their files");
        return;
    }
    set(finding, TK_PROBE_NO, "%s", why.msg);
    set_missing(finding, "/sys/fs/cgroup mounted");
}

static void probe_leaf(const struct tk_prober *prober, struct tk_finding *finding)
{
    struct tk_cgroup_leaf *leaf = NULL;
    struct tk_cgroup_reading reading;
    struct tk_err why;
    char name[64];
    (void)snprintf(name, sizeof(name), "tracekit-doctor-%d", (int)getpid());
    if (tk_cgroup_leaf_new(prober->kernel, NULL, name, &leaf, &why) < 0) {
        set(finding, TK_PROBE_NO, "%s", why.msg);
        set_missing(finding, "root, or a delegated group: "
                             "systemd-run --user --scope -p Delegate=yes tracekit record ...");
        return;
    }
    bool reads = tk_cgroup_leaf_read(leaf, &reading, &why) == 0;
    tk_cgroup_leaf_free(leaf);
    if (!reads) {
        set(finding, TK_PROBE_NO, "%s", why.msg);
    } else if (reading.cpu_ns >= 0 && reading.memory_peak_bytes >= 0) {
        set(finding, TK_PROBE_YES, "CPU time and peak memory");
    } else {
        set(finding, TK_PROBE_PARTLY, "%s",
            reading.cpu_ns >= 0 ? "CPU time, no peak memory" : "peak memory, no CPU time");
        set_missing(finding, "the memory controller in our group: "
                             "systemd-run --scope -p Delegate=yes tracekit record ...");
    }
}

static void probe_surroundings(const struct tk_prober *prober, struct tk_finding *finding)
{
    static const char *const containers[] = {"docker", "podman",     "lxc",    "systemd-nspawn",
                                             "crio",   "kubernetes", "gvisor", "container"};
    struct tk_cpu_facts facts;
    tk_cpu_facts_read(prober->kernel, 1, &facts);
    const char *virt = tk_virt_find(prober->kernel, facts.hypervisor);
    for (size_t i = 0; i < TK_COUNTOF(containers); i++) {
        if (strcmp(virt, containers[i]) != 0)
            continue;
        set(finding, TK_PROBE_PARTLY, "inside %s: its processes are seen, the host's are not",
            virt);
        set_missing(finding, "tracekit on the host itself");
        return;
    }
    set(finding, TK_PROBE_YES, strcmp(virt, "none") == 0 ? "bare metal" : "virtual machine: %s",
        virt);
}

static void probe_descriptors(const struct tk_prober *prober, struct tk_finding *finding)
{
    (void)prober;
    enum { ENOUGH = 4096 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    bool enough = limit.rlim_max >= ENOUGH;
    set(finding, enough ? TK_PROBE_YES : TK_PROBE_PARTLY, "at most %llu",
        (unsigned long long)limit.rlim_max);
    if (!enough)
        set_missing(finding, "ulimit -Hn 4096, on hosts with more than some hundred processes");
}

const struct tk_capability tk_capabilities[] = {
    {"task_walk", "BPF", "all processes read at once, at a tenth of the cost of /proc", probe_walk},
    {"cpu_clocks", "CPU clocks of processes", "CPU time of every process in ns at each tick",
     probe_cpu_clocks},
    {"process_events", "process events", "every fork, exec and exit, however short", probe_events},
    {"exit_records", "exit records",
     "CPU time (to a scheduler tick), memory and I/O of every process that ends",
     probe_exit_records},
    {"cgroup_leaf", "control group of our own",
     "exact CPU time and peak memory of a command with all its descendants", probe_leaf},
    {"cgroups", "control groups", "containers and services: CPU, memory, I/O, throttling",
     probe_groups},
    {"pressure", "pressure (PSI)", "how long tasks waited for CPU, memory, I/O", probe_pressure},
    {"other_processes", "processes of other users", "the whole machine in the table of processes",
     probe_other_processes},
    {"other_io", "I/O of other users' processes", "bytes read and written of every process",
     probe_other_io},
    {"contexts", "trace context of processes",
     "spans find the processes that served them: TRACEPARENT, published Resource", probe_contexts},
    {"io_delays", "block I/O delays", "how long each process that ended waited for disks",
     probe_delays},
    {"energy", "energy counters", "joules of the CPU packages", probe_energy},
    {"frequency", "CPU frequency", "how fast the CPUs ran", probe_frequency},
    {"clock", "synchronised clock", "stamps that agree with those of other machines", probe_clock},
    {"echo", "ICMP echo", "delay to the peer in link_meta.json", probe_echo},
    {"descriptors", "open files", "kernel files kept open, so that a sweep costs less",
     probe_descriptors},
    {"surroundings", "surroundings", "the machine as a whole, not a part of it",
     probe_surroundings},
};

const size_t tk_capability_count = TK_COUNTOF(tk_capabilities);

void tk_probe_read(const struct tk_kernel *kernel, struct tk_finding *ret_findings)
{
    struct tk_prober prober = {.kernel = kernel};
    tk_procs_try(kernel, &prober.procs);
    for (size_t i = 0; i < tk_capability_count; i++) {
        ret_findings[i] = (struct tk_finding){.state = TK_PROBE_NO};
        tk_capabilities[i].probe(&prober, &ret_findings[i]);
    }
}

const struct tk_finding *tk_probe_find(const struct tk_finding *findings, const char *name)
{
    for (size_t i = 0; i < tk_capability_count; i++) {
        if (strcmp(tk_capabilities[i].name, name) == 0)
            return &findings[i];
    }
    return NULL;
}

/* The ladder -------------------------------------------------------------------------- */

enum { RUNG_A, RUNG_B, RUNG_C };

const struct tk_rung tk_rungs[] = {
    [RUNG_A] =
        {"A", "exact",
         "every process is seen to its end; CPU time is exact by BPF, else for whole trees, and "
         "within one scheduler tick for a single process",
         "CAP_BPF and CAP_PERFMON, or CAP_NET_ADMIN in the initial pid, user and network "
         "namespaces: run as root, or setcap cap_bpf,cap_perfmon,cap_net_admin+ep"},
    [RUNG_B] = {"B", "control group",
                "a recorded or wrapped command has exact totals; other short-lived processes may "
                "be missed, and are counted",
                "a writable control group: root, or systemd-run --user --scope -p Delegate=yes"},
    [RUNG_C] = {"C", "plain",
                "CPU clocks, /proc, and the usage that wait() tells of a command; processes "
                "shorter than the interval may be missed, and are counted",
                "nothing"},
    {0},
};

struct tk_probe_verdict tk_probe_judge(const struct tk_finding *findings)
{
    bool exact = tk_probe_find(findings, "exit_records")->state == TK_PROBE_YES &&
                 tk_probe_find(findings, "process_events")->state == TK_PROBE_YES;
    bool group = tk_probe_find(findings, "cgroup_leaf")->state != TK_PROBE_NO;
    enum tk_probe_state walk = tk_probe_find(findings, "task_walk")->state;
    bool has_clocks = tk_probe_find(findings, "cpu_clocks")->state == TK_PROBE_YES;
    int rung = exact ? RUNG_A : group ? RUNG_B : RUNG_C;
    return (struct tk_probe_verdict){
        .tier = walk == TK_PROBE_YES      ? TK_TIER_B2
                : walk == TK_PROBE_PARTLY ? TK_TIER_B1
                : has_clocks              ? TK_TIER_P
                                          : TK_TIER_P0,
        .rung = &tk_rungs[rung],
        .next = rung == RUNG_A ? NULL : &tk_rungs[rung - 1],
    };
}
