/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel files that say what the host does, as one const table: where each is, how often it
 * pays to read it, and a parser. Parsers are pure: text in, one part of a reading out.
 *
 * To add a source:
 *   1. its part in struct tk_host_reading and its line in enum tk_host_source_id;
 *   2. src/collect/host_x.c with the parser, declared below;
 *   3. its line in host_sources.c;
 *   4. its columns in run/schemas.c, filled in host_rows.c;
 *   5. the file in tests/data/root-*, tests/unit/test_host_sources.c, docs/collectors.md.
 */
#ifndef TK_COLLECT_HOST_SOURCES_H
#define TK_COLLECT_HOST_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* Counters and gauges are >= 0; a value that this kernel does not give is TK_HOST_ABSENT. */
#define TK_HOST_ABSENT (-1)

enum {
    TK_HOST_CORES_MAX = 8192, /* NR_CPUS of the largest kernels */
    TK_HOST_DISKS_MAX = 512,
    TK_HOST_LINKS_MAX = 256,
    TK_HOST_FILES_MAX = 256, /* files of one source */
    TK_HOST_DISK_NAME = 32,
    TK_HOST_LINK_NAME = 16,
    TK_HOST_IRQS_MAX = 512,
    TK_HOST_IRQ_ID = 16,
    TK_HOST_NODES_MAX = 64, /* NUMA nodes */
    TK_HOST_MOUNTS_MAX = 64,
    TK_HOST_REMOTES_MAX = 32,
};

/* proc/stat: the "cpu" line. Ticks since boot; user contains guest, nice contains guest_nice. */
struct tk_host_cpu {
    int64_t user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice;
};

struct tk_host_core {
    int64_t total, idle; /* ticks; idle is the idle column alone */
    int32_t id;          /* N of "cpuN"; cores that are offline are not listed */
};

struct tk_host_stat {
    struct tk_host_cpu cpu;
    int64_t ctxt, processes, procs_running, procs_blocked;
    size_t core_count;
    struct tk_host_core cores[TK_HOST_CORES_MAX];
};

/* proc/pressure/X. Shares in %, stall times in us since boot. */
struct tk_host_pressure {
    double some_avg10, full_avg10; /* TK_HOST_ABSENT when the line is missing */
    int64_t some_us, full_us;
};

/* proc/diskstats, one line. */
struct tk_host_disk {
    char name[TK_HOST_DISK_NAME];
    int64_t rd_ios, rd_sectors, rd_ms;
    int64_t wr_ios, wr_sectors, wr_ms;
    int64_t in_flight, busy_ms;
    int64_t queue_ms;                  /* time of requests in flight, added up */
    int64_t discards, discard_sectors; /* TK_HOST_ABSENT before Linux 4.18 */
    int64_t flushes, flush_ms;         /* TK_HOST_ABSENT before Linux 5.5 */
};

struct tk_host_disks {
    size_t count;
    size_t skipped; /* lines past TK_HOST_DISKS_MAX */
    struct tk_host_disk items[TK_HOST_DISKS_MAX];
};

/* proc/net/dev, one line. */
struct tk_host_link {
    char name[TK_HOST_LINK_NAME];
    int64_t rx_bytes, rx_packets, rx_drop;
    int64_t tx_bytes, tx_packets, tx_drop;
};

struct tk_host_links {
    size_t count;
    size_t skipped; /* lines past TK_HOST_LINKS_MAX */
    struct tk_host_link items[TK_HOST_LINKS_MAX];
};

/* proc/meminfo, bytes. */
struct tk_host_memory {
    int64_t total, free, available, cached, swap_total, swap_free;
};

/* proc/loadavg */
struct tk_host_load {
    double load1, load5, load15;
};

/* proc/vmstat: pages swapped, faults, and kills since boot. */
struct tk_host_vmstat {
    int64_t pswpin, pswpout, pgmajfault, oom_kill;
};

/* Sums over the CPUs or frequency domains. */
struct tk_host_freq {
    size_t count;
    double mhz; /* sum */
};

/* Per package; each wraps at its own max_energy_range_uj. */
struct tk_host_energy {
    size_t count;
    int64_t uj[TK_HOST_FILES_MAX];
};

/* cpu.stat of a control group with a CPU quota. */
struct tk_host_throttle {
    int64_t nr_throttled, throttled_us;
};

/* proc/interrupts, one line. */
struct tk_host_interrupt {
    char id[TK_HOST_IRQ_ID]; /* "36", "LOC" */
    char device[48];         /* what it serves; "" = not told */
    int64_t count;           /* of all CPUs since boot */
};

struct tk_host_interrupts {
    size_t count;
    size_t skipped; /* lines past TK_HOST_IRQS_MAX */
    struct tk_host_interrupt items[TK_HOST_IRQS_MAX];
};

/* proc/zoneinfo: the zones of one NUMA node together, in pages. */
struct tk_host_memory_node {
    int64_t id;
    int64_t free_pages, min_pages, low_pages, high_pages, managed_pages;
};

struct tk_host_memory_nodes {
    size_t count;
    struct tk_host_memory_node items[TK_HOST_NODES_MAX];
};

/* proc/self/mountinfo: a file system that may be asked for its space. */
struct tk_host_mount {
    char path[256];
    char device[128];
    char type[32];
    char device_number[24]; /* "254:0" */
};

struct tk_host_mounts {
    size_t count;
    size_t skipped; /* past TK_HOST_MOUNTS_MAX, or with a name too long */
    struct tk_host_mount items[TK_HOST_MOUNTS_MAX];
    size_t remote_count;                    /* of other machines: not asked */
    char remotes[TK_HOST_REMOTES_MAX][256]; /* paths of the first of them */
};

struct tk_host_reading {
    struct tk_host_stat stat;
    struct tk_host_pressure pressure_cpu, pressure_io, pressure_memory;
    struct tk_host_disks disks;
    struct tk_host_links links;
    struct tk_host_memory memory;
    struct tk_host_load load;
    struct tk_host_vmstat vmstat;
    int64_t tcp_retrans;      /* proc/net/snmp: segments sent again since boot */
    int64_t tcp_segments;     /* ... and sent in all */
    int64_t tcp_listen_drops; /* proc/net/netstat: since boot */
    struct tk_host_freq freq;
    struct tk_host_energy energy;
    struct tk_host_throttle throttle;
    struct tk_host_interrupts interrupts;
    struct tk_host_memory_nodes nodes;
    struct tk_host_mounts mounts;
};

/* How often a source is read (collector.md section 3). */
enum tk_host_class {
    TK_HOST_FAST, /* each tick */
    TK_HOST_1S,
    TK_HOST_5S,   /* what the kernel brings up to date as often */
    TK_HOST_SLOW, /* 10 s */
};

enum tk_host_source_id {
    TK_HOST_STAT,
    TK_HOST_PRESSURE_CPU,
    TK_HOST_PRESSURE_IO,
    TK_HOST_PRESSURE_MEMORY,
    TK_HOST_DISKSTATS,
    TK_HOST_NET_DEV,
    TK_HOST_THROTTLE,
    TK_HOST_MEMINFO,
    TK_HOST_LOADAVG,
    TK_HOST_VMSTAT,
    TK_HOST_NET_SNMP,
    TK_HOST_NET_NETSTAT,
    TK_HOST_CPUFREQ,
    TK_HOST_CPUINFO,
    TK_HOST_ENERGY,
    TK_HOST_INTERRUPTS,
    TK_HOST_ZONEINFO,
    TK_HOST_MOUNTINFO,
    TK_HOST_SOURCE_COUNT
};

struct tk_host_source {
    const char *name; /* "stat" */
    const char *help; /* one line: what it gives */

    /* Relative to the root. A '*' stands for a decimal number within one folder name;
     * the source then has as many files as match. NULL: found at run time (throttle). */
    const char *path;

    enum tk_host_class class;

    /* A seq_file of many records: one read may return only the first page of it. */
    bool paged;

    /* The last key that the parser wants of a paged source, as "\noom_kill ": what comes after its
     * line is not read. NULL = all is wanted. */
    const char *last_key;

    /* Makes rows of its own, whether or not there is a CPU row. */
    bool own_rows;

    /* Gives a gauge for the CPU row and nothing else: not read before there can be one. */
    bool gauge;

    /* Used only when the source named here is missing; 0 = always. */
    enum tk_host_source_id unless;

    /* With a '*' in `path`: is this one of the folders that are meant? NULL = all. */
    bool (*takes)(int dirfd);

    /* Parse file `index` of the source (0 unless `path` has a '*'; index 0 begins a new reading)
     * into its part of `reading`; other parts stay as they are. Fails with -EBADMSG and a message
     * that names line or field, without the path; the part is then unspecified. */
    int (*parse)(tk_str text, size_t index, struct tk_host_reading *reading, struct tk_err *err);
};

/* Indexed by enum tk_host_source_id. */
extern const struct tk_host_source tk_host_sources[TK_HOST_SOURCE_COUNT];

/* The parsers, one file each. */
int tk_host_stat_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                       struct tk_err *err);
int tk_host_pressure_cpu_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                               struct tk_err *err);
int tk_host_pressure_io_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                              struct tk_err *err);
int tk_host_pressure_memory_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                                  struct tk_err *err);
int tk_host_diskstats_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                            struct tk_err *err);
int tk_host_net_dev_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                          struct tk_err *err);
int tk_host_meminfo_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                          struct tk_err *err);
int tk_host_loadavg_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                          struct tk_err *err);
int tk_host_vmstat_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                         struct tk_err *err);
int tk_host_net_snmp_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                           struct tk_err *err);
int tk_host_net_netstat_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                              struct tk_err *err);
int tk_host_cpufreq_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                          struct tk_err *err);
int tk_host_cpuinfo_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                          struct tk_err *err);
int tk_host_energy_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                         struct tk_err *err);
bool tk_host_energy_takes(int dirfd);
int tk_host_throttle_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                           struct tk_err *err);
int tk_host_interrupts_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                             struct tk_err *err);
int tk_host_zoneinfo_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                           struct tk_err *err);
int tk_host_mountinfo_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                            struct tk_err *err);

#endif
