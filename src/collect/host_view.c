/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/host_view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "collect/host_internal.h"

enum {
    BUF_BYTES = 256 * 1024,
    NAMES_MAX = 64,
    /* The kernel fills a page with whole lines, none of which is so long: what ends in the first
     * half of its page ends there. Asking once more would cost half as much again. */
    SURELY_WHOLE = 2048,
};

static const enum tk_host_source_id wanted[] = {
    TK_HOST_STAT,    TK_HOST_PRESSURE_CPU, TK_HOST_PRESSURE_IO, TK_HOST_PRESSURE_MEMORY,
    TK_HOST_MEMINFO, TK_HOST_DISKSTATS,    TK_HOST_NET_DEV,     TK_HOST_LOADAVG,
    TK_HOST_VMSTAT,  TK_HOST_NET_SNMP,
};

/* A disk or link, and whether it counts: looked up once. */
struct known {
    char name[TK_HOST_DISK_NAME];
    bool counts;
};

struct known_list {
    struct known items[NAMES_MAX];
    size_t count;
};

struct tk_host_viewer {
    const struct tk_kernel *kernel;
    int fds[TK_HOST_SOURCE_COUNT];
    bool read[TK_HOST_SOURCE_COUNT]; /* by the present reading */
    struct known_list disks, links;
    struct tk_host_reading *reading;
    char buf[BUF_BYTES];
};

int tk_host_viewer_new(const struct tk_kernel *kernel, struct tk_host_viewer **ret_viewer,
                       struct tk_err *err)
{
    struct tk_host_viewer *viewer = calloc(1, sizeof(*viewer));
    if (!viewer)
        return tk_fail(err, -ENOMEM, "host: out of memory");
    for (size_t i = 0; i < TK_HOST_SOURCE_COUNT; i++)
        viewer->fds[i] = -1;
    viewer->kernel = kernel;
    viewer->reading = calloc(1, sizeof(*viewer->reading));
    if (!viewer->reading) {
        tk_host_viewer_free(viewer);
        return tk_fail(err, -ENOMEM, "host: out of memory");
    }
    for (size_t i = 0; i < TK_COUNTOF(wanted); i++) {
        viewer->fds[wanted[i]] =
            openat(kernel->rootfd, tk_host_sources[wanted[i]].path, O_RDONLY | O_CLOEXEC);
    }
    *ret_viewer = viewer;
    return 0;
}

void tk_host_viewer_free(struct tk_host_viewer *viewer)
{
    if (!viewer)
        return;
    for (size_t i = 0; i < TK_HOST_SOURCE_COUNT; i++)
        tk_fd_close(&viewer->fds[i]);
    free(viewer->reading);
    free(viewer);
}

void tk_host_viewer_freep(struct tk_host_viewer **viewer)
{
    tk_host_viewer_free(*viewer);
}

/* Which disks and links count -------------------------------------------------------- */

static bool disk_counts(int rootfd, const char *name)
{
    return tk_disk_kind_of(rootfd, name) == TK_DISK_WHOLE;
}

/* A real device and what a container is given count; a bond counts by its members, a bridge by its
 * ports. */
static bool link_counts(int rootfd, const char *name)
{
    static const char *const inner[] = {"lo",     "veth", "tap", "tun",  "dummy",   "ifb", "virbr",
                                        "docker", "br-",  "cni", "cali", "flannel", NULL};
    char path[64];
    if (strcmp(name, "lo") == 0)
        return false; /* each host has it: nobody need be asked */
    (void)snprintf(path, sizeof(path), "sys/class/net/%s/device", name);
    if (faccessat(rootfd, path, F_OK, 0) == 0)
        return true;
    for (const char *const *prefix = inner; *prefix; prefix++) {
        if (strncmp(name, *prefix, strlen(*prefix)) == 0)
            return false;
    }
    static const char *const layered[] = {"bridge", "bonding", "master", NULL};
    for (const char *const *folder = layered; *folder; folder++) {
        (void)snprintf(path, sizeof(path), "sys/class/net/%s/%s", name, *folder);
        if (faccessat(rootfd, path, F_OK, 0) == 0)
            return false;
    }
    return true;
}

static bool counts(struct known_list *list, int rootfd, const char *name,
                   bool (*ask)(int rootfd, const char *name))
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0)
            return list->items[i].counts;
    }
    bool answer = ask(rootfd, name);
    if (list->count < NAMES_MAX) {
        struct known *known = &list->items[list->count++];
        (void)tk_str_to_cstr(tk_str_from(name), known->name, sizeof(known->name));
        known->counts = answer;
    }
    return answer;
}

int64_t tk_host_disk_rotational(const struct tk_kernel *kernel, const char *name)
{
    char path[96];
    char buf[8];
    tk_str text;
    struct tk_err ignored;
    (void)snprintf(path, sizeof(path), "sys/block/%.*s/queue/rotational", TK_HOST_DISK_NAME, name);
    if (tk_file_read(kernel->rootfd, path, buf, sizeof(buf), &text, &ignored) < 0 || text.n == 0)
        return TK_HOST_ABSENT;
    return text.p[0] == '1';
}

/* Reading ---------------------------------------------------------------------------- */

static bool read_whole(struct tk_host_viewer *viewer, int fd, tk_str *ret)
{
    size_t n = 0;
    for (;;) {
        ssize_t got = pread(fd, viewer->buf + n, BUF_BYTES - n, (off_t)n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || n == BUF_BYTES)
            return false;
        if (got == 0)
            break;
        n += (size_t)got;
        if (got < SURELY_WHOLE)
            break;
    }
    *ret = (tk_str){viewer->buf, n};
    return n > 0;
}

static void read_sources(struct tk_host_viewer *viewer)
{
    for (size_t i = 0; i < TK_COUNTOF(wanted); i++) {
        enum tk_host_source_id id = wanted[i];
        tk_str text;
        struct tk_err ignored;
        viewer->read[id] = viewer->fds[id] >= 0 && read_whole(viewer, viewer->fds[id], &text) &&
                           tk_host_sources[id].parse(text, 0, viewer->reading, &ignored) == 0;
    }
}

static void take_disks(struct tk_host_viewer *viewer, struct tk_host_view *view)
{
    const struct tk_host_disks *disks = &viewer->reading->disks;
    view->disk_count = 0;
    for (size_t i = 0; i < disks->count && view->disk_count < TK_HOST_VIEW_DISKS; i++) {
        const struct tk_host_disk *disk = &disks->items[i];
        if (disk->rd_ios + disk->wr_ios > 0 &&
            counts(&viewer->disks, viewer->kernel->rootfd, disk->name, disk_counts))
            view->disks[view->disk_count++] = *disk;
    }
}

static void take_links(struct tk_host_viewer *viewer, struct tk_host_view *view)
{
    const struct tk_host_links *links = &viewer->reading->links;
    view->rx_bytes = view->tx_bytes = 0;
    for (size_t i = 0; i < links->count; i++) {
        const struct tk_host_link *link = &links->items[i];
        if (counts(&viewer->links, viewer->kernel->rootfd, link->name, link_counts)) {
            view->rx_bytes += link->rx_bytes;
            view->tx_bytes += link->tx_bytes;
        }
    }
}

void tk_host_viewer_read(struct tk_host_viewer *viewer, struct tk_host_view *ret_view)
{
    static const struct tk_host_pressure no_pressure = {TK_HOST_ABSENT, TK_HOST_ABSENT,
                                                        TK_HOST_ABSENT, TK_HOST_ABSENT};
    const struct tk_host_reading *reading = viewer->reading;
    const bool *read = viewer->read;
    read_sources(viewer);
    *ret_view = (struct tk_host_view){
        .boot_ns = viewer->kernel->boot_ns(viewer->kernel->world),
        .cpu = {.user = TK_HOST_ABSENT},
        .cores = TK_HOST_ABSENT,
        .memory = {-1, -1, -1, -1, -1, -1},
        .vmstat = {-1, -1, -1, -1},
        .pressure_cpu = read[TK_HOST_PRESSURE_CPU] ? reading->pressure_cpu : no_pressure,
        .pressure_io = read[TK_HOST_PRESSURE_IO] ? reading->pressure_io : no_pressure,
        .pressure_memory = read[TK_HOST_PRESSURE_MEMORY] ? reading->pressure_memory : no_pressure,
        .load1 = read[TK_HOST_LOADAVG] ? reading->load.load1 : TK_HOST_ABSENT,
        .rx_bytes = TK_HOST_ABSENT,
        .tx_bytes = TK_HOST_ABSENT,
        .tcp_retrans = read[TK_HOST_NET_SNMP] ? reading->tcp_retrans : TK_HOST_ABSENT,
        .tcp_segments = read[TK_HOST_NET_SNMP] ? reading->tcp_segments : TK_HOST_ABSENT,
    };
    if (read[TK_HOST_STAT]) {
        ret_view->cpu = reading->stat.cpu;
        ret_view->cores = (int64_t)reading->stat.core_count;
    }
    if (read[TK_HOST_MEMINFO])
        ret_view->memory = reading->memory;
    if (read[TK_HOST_VMSTAT])
        ret_view->vmstat = reading->vmstat;
    if (read[TK_HOST_DISKSTATS])
        take_disks(viewer, ret_view);
    if (read[TK_HOST_NET_DEV])
        take_links(viewer, ret_view);
}
