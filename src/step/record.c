/* SPDX-License-Identifier: Apache-2.0 */
#include "step/record.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "collect/procs_parse.h"

#define MB (1024.0 * 1024.0)

/* The tables ------------------------------------------------------------------------- */

#define FIELD(type, member, kind)                                                                  \
    {                                                                                              \
#member, kind, offsetof(struct type, member), NULL, NULL                                   \
    }
#define TEXT(type, member) FIELD(type, member, TK_JOB_TEXT)
#define F64(type, member)  FIELD(type, member, TK_JOB_F64)
#define INT(type, member)  FIELD(type, member, TK_JOB_INT)
#define PART(type, member, kind, shape)                                                            \
    {                                                                                              \
#member, kind, offsetof(struct type, member), NULL, &(shape)                               \
    }
#define SHAPE(name, type, fields)                                                                  \
    {                                                                                              \
        name, sizeof(struct type), fields, TK_COUNTOF(fields)                                      \
    }

/* clang-format off */
static const struct tk_job_field disk_fields[] = {
    TEXT(tk_step_disk, dev),
    INT(tk_step_disk, reads),
    INT(tk_step_disk, sectors_read),
    INT(tk_step_disk, read_ms),
    INT(tk_step_disk, writes),
    INT(tk_step_disk, sectors_written),
    INT(tk_step_disk, write_ms),
    INT(tk_step_disk, busy_ms),
    INT(tk_step_disk, queue_ms),
    INT(tk_step_disk, sectors_discarded),
    INT(tk_step_disk, flushes),
    INT(tk_step_disk, flush_ms),
};
static const struct tk_job_shape disk_shape = SHAPE("disk", tk_step_disk, disk_fields);

static const struct tk_job_field room_fields[] = {
    TEXT(tk_step_room, path),
    F64(tk_step_room, total_mb),
    F64(tk_step_room, free_mb),
};
static const struct tk_job_shape room_shape = SHAPE("room", tk_step_room, room_fields);

static const struct tk_job_field host_fields[] = {
    INT(tk_step_host, user),
    INT(tk_step_host, nice),
    INT(tk_step_host, system),
    INT(tk_step_host, idle),
    INT(tk_step_host, iowait),
    INT(tk_step_host, irq),
    INT(tk_step_host, softirq),
    INT(tk_step_host, steal),
    INT(tk_step_host, memory_total),
    INT(tk_step_host, memory_available),
    INT(tk_step_host, swapped_out),
    INT(tk_step_host, major_faults),
    INT(tk_step_host, oom_kills),
    INT(tk_step_host, cpu_some_us),
    INT(tk_step_host, io_some_us),
    INT(tk_step_host, io_full_us),
    INT(tk_step_host, memory_some_us),
    INT(tk_step_host, memory_full_us),
    F64(tk_step_host, load1),
    INT(tk_step_host, rx_bytes),
    INT(tk_step_host, tx_bytes),
    INT(tk_step_host, tcp_retrans),
    INT(tk_step_host, tcp_segments),
    PART(tk_step_host, disks, TK_JOB_OBJECTS, disk_shape),
    PART(tk_step_host, rooms, TK_JOB_OBJECTS, room_shape),
};
static const struct tk_job_shape host_shape = SHAPE("host", tk_step_host, host_fields);

static const struct tk_job_field usage_fields[] = {
    INT(tk_step_usage, user_ns),
    INT(tk_step_usage, system_ns),
    INT(tk_step_usage, major_faults),
    INT(tk_step_usage, rd_chars),
    INT(tk_step_usage, wr_chars),
    INT(tk_step_usage, rd_bytes),
    INT(tk_step_usage, wr_bytes),
    INT(tk_step_usage, cancelled_bytes),
};
static const struct tk_job_shape usage_shape = SHAPE("usage", tk_step_usage, usage_fields);

static const struct tk_job_field record_fields[] = {
    TEXT(tk_step_record, verb),
    TEXT(tk_step_record, span),
    INT(tk_step_record, real_ns),
    INT(tk_step_record, boot_ns),
    INT(tk_step_record, owner),
    INT(tk_step_record, owner_born),
    INT(tk_step_record, pid_ns),
    TEXT(tk_step_record, cgroup),
    FIELD(tk_step_record, private, TK_JOB_TRUTH),
    PART(tk_step_record, usage, TK_JOB_OBJECT, usage_shape),
    PART(tk_step_record, host, TK_JOB_OBJECT, host_shape),
    PART(tk_step_record, step, TK_JOB_OBJECT, tk_job_step_shape),
    PART(tk_step_record, job, TK_JOB_OBJECT, tk_job_shape),
};
/* clang-format on */

const struct tk_job_shape tk_step_record_shape = SHAPE("record", tk_step_record, record_fields);

const char *const tk_step_verbs[TK_STEP_VERBS] = {
    [TK_STEP_INIT] = "init", [TK_STEP_START] = "start", [TK_STEP_END] = "end",
    [TK_STEP_GONE] = "gone", [TK_STEP_NOTE] = "note",   [TK_STEP_FINALIZE] = "finalize",
};

void tk_step_record_init(struct tk_step_record *record, enum tk_step_verb verb, tk_str span)
{
    tk_job_shape_init(&tk_step_record_shape, record);
    record->verb = tk_str_from(tk_step_verbs[verb]);
    record->span = span;
    record->real_ns = tk_clock_real_ns();
    record->boot_ns = tk_clock_boot_ns();
}

bool tk_step_record_is(const struct tk_step_record *record, enum tk_step_verb verb)
{
    return tk_str_eq(record->verb, tk_str_from(tk_step_verbs[verb]));
}

/* The host --------------------------------------------------------------------------- */

static int64_t known(int64_t value)
{
    return value < 0 ? TK_JOB_NONE : value;
}

static void take_disk(struct tk_step_disks *disks, const struct tk_host_disk *from,
                      struct tk_arena *arena)
{
    tk_str name = tk_arena_copy(arena, tk_str_from(from->name));
    struct tk_step_disk *disk = name.p ? tk_job_add(&disk_shape, disks, arena) : NULL;
    if (!disk)
        return;
    *disk = (struct tk_step_disk){
        .dev = name,
        .reads = from->rd_ios,
        .sectors_read = from->rd_sectors,
        .read_ms = from->rd_ms,
        .writes = from->wr_ios,
        .sectors_written = from->wr_sectors,
        .write_ms = from->wr_ms,
        .busy_ms = from->busy_ms,
        .queue_ms = from->queue_ms,
        .sectors_discarded = known(from->discard_sectors),
        .flushes = known(from->flushes),
        .flush_ms = known(from->flush_ms),
    };
}

static void take_room(struct tk_step_rooms *rooms, const char *path, struct tk_arena *arena)
{
    struct statvfs fs;
    if (statvfs(path, &fs) < 0)
        return;
    struct tk_step_room *room = tk_job_add(&room_shape, rooms, arena);
    if (!room)
        return;
    double block_mb = (double)fs.f_frsize / MB;
    room->path = tk_arena_copy(arena, tk_str_from(path));
    room->total_mb = (double)fs.f_blocks * block_mb;
    room->free_mb = (double)fs.f_bavail * block_mb;
}

/* "/" and the working folder, unless they are the same file system. */
static void take_rooms(struct tk_step_rooms *rooms, struct tk_arena *arena)
{
    struct stat root, here;
    char path[1024];
    take_room(rooms, "/", arena);
    if (stat("/", &root) == 0 && stat(".", &here) == 0 && root.st_dev != here.st_dev &&
        getcwd(path, sizeof(path)))
        take_room(rooms, path, arena);
}

void tk_step_host_take(struct tk_step_host *host, const struct tk_host_view *view,
                       struct tk_arena *arena)
{
    tk_job_shape_init(&host_shape, host);
    if (view->cpu.user >= 0) {
        host->user = view->cpu.user;
        host->nice = view->cpu.nice;
        host->system = view->cpu.system;
        host->idle = view->cpu.idle;
        host->iowait = view->cpu.iowait;
        host->irq = view->cpu.irq;
        host->softirq = view->cpu.softirq;
        host->steal = view->cpu.steal;
    }
    int64_t available = view->memory.available >= 0 ? view->memory.available : view->memory.free;
    host->memory_total = known(view->memory.total);
    host->memory_available = known(available);
    host->swapped_out = known(view->vmstat.pswpout);
    host->major_faults = known(view->vmstat.pgmajfault);
    host->oom_kills = known(view->vmstat.oom_kill);
    host->cpu_some_us = known(view->pressure_cpu.some_us);
    host->io_some_us = known(view->pressure_io.some_us);
    host->io_full_us = known(view->pressure_io.full_us);
    host->memory_some_us = known(view->pressure_memory.some_us);
    host->memory_full_us = known(view->pressure_memory.full_us);
    host->load1 = view->load1 < 0 ? (double)NAN : view->load1;
    host->rx_bytes = known(view->rx_bytes);
    host->tx_bytes = known(view->tx_bytes);
    host->tcp_retrans = known(view->tcp_retrans);
    host->tcp_segments = known(view->tcp_segments);
    for (size_t i = 0; i < view->disk_count; i++)
        take_disk(&host->disks, &view->disks[i], arena);
    take_rooms(&host->rooms, arena);
}

/* Processes -------------------------------------------------------------------------- */

static bool read_file(const struct tk_kernel *kernel, pid_t pid, const char *file, char buf[1024],
                      tk_str *ret)
{
    char path[64];
    struct tk_err ignored;
    (void)snprintf(path, sizeof(path), "%d/%s", (int)pid, file);
    return tk_file_read(kernel->procfd, path, buf, 1024, ret, &ignored) == 0;
}

bool tk_step_usage_read(const struct tk_kernel *kernel, pid_t pid, struct tk_step_usage *ret)
{
    char buf[1024];
    tk_str text;
    struct tk_pid_stat stat;
    struct tk_pid_io_all io;
    tk_job_shape_init(&usage_shape, ret);
    if (!read_file(kernel, pid, "stat", buf, &text) || tk_pid_stat_parse(text, &stat) < 0)
        return false;
    int64_t tick_ns = TK_NS_PER_S / kernel->clk_tck;
    ret->user_ns = (stat.utime_ticks + stat.cutime_ticks) * tick_ns;
    ret->system_ns = (stat.stime_ticks + stat.cstime_ticks) * tick_ns;
    ret->major_faults = stat.majflt + stat.cmajflt;
    if (read_file(kernel, pid, "io", buf, &text) && tk_pid_io_all_parse(text, &io) == 0) {
        ret->rd_chars = io.rd_chars;
        ret->wr_chars = io.wr_chars;
        ret->rd_bytes = io.rd_bytes;
        ret->wr_bytes = io.wr_bytes;
        ret->cancelled_bytes = io.cancelled_bytes;
    }
    return true;
}

bool tk_step_process_read(const struct tk_kernel *kernel, pid_t pid, pid_t *ret_parent,
                          int64_t *ret_born)
{
    char buf[1024];
    tk_str text;
    struct tk_pid_stat stat;
    if (!read_file(kernel, pid, "stat", buf, &text) || tk_pid_stat_parse(text, &stat) < 0)
        return false;
    *ret_parent = stat.ppid;
    *ret_born = stat.start_ticks;
    return true;
}
