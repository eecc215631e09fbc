/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/exits_sum.h"

#include <stdlib.h>

#include "base/clock.h"

#define NONE            UINT32_MAX
#define MAX_ENTRIES     65536 /* 10 MB: processes that wait for their last thread, or to be taken */
#define LONGEST_TICK_US 10000 /* HZ=100 */

struct tk_exit_entry {
    struct tk_exit_total total;
    bool finished;
    int64_t finished_ns;
    uint32_t next;                           /* later process with the same pid, or next unused */
    uint32_t older_finished, newer_finished; /* NONE at the ends */
};

void tk_exit_sums_init(struct tk_exit_sums *sums)
{
    *sums = (struct tk_exit_sums){
        .free_entry = NONE,
        .first_finished = NONE,
        .last_finished = NONE,
        .tick_us = LONGEST_TICK_US,
    };
}

void tk_exit_sums_release(struct tk_exit_sums *sums)
{
    free(sums->entries);
    tk_map_release(&sums->first_of_pid);
    tk_map_release(&sums->pid_of_tid);
    tk_map_release(&sums->threads_of_pid);
    tk_exit_sums_init(sums);
}

/* Entries -------------------------------------------------------------------------- */

static bool grow(struct tk_exit_sums *sums)
{
    uint32_t cap = sums->entry_cap ? sums->entry_cap * 2 : 64;
    if (cap > MAX_ENTRIES)
        return false;
    struct tk_exit_entry *bigger = realloc(sums->entries, cap * sizeof(*bigger));
    if (!bigger)
        return false;
    sums->entries = bigger;
    sums->entry_cap = cap;
    return true;
}

/* A zeroed entry that is in no list; NONE when there is no room. */
static uint32_t entry_new(struct tk_exit_sums *sums)
{
    uint32_t i = sums->free_entry;
    if (i != NONE) {
        sums->free_entry = sums->entries[i].next;
    } else {
        if (sums->entry_count == sums->entry_cap && !grow(sums))
            return NONE;
        i = sums->entry_count++;
    }
    sums->entries[i] = (struct tk_exit_entry){.next = NONE};
    return i;
}

static uint32_t first_entry(const struct tk_exit_sums *sums, pid_t pid)
{
    uint32_t i;
    return tk_map_find(&sums->first_of_pid, (uint64_t)pid, &i) ? i : NONE;
}

static uint32_t last_entry(const struct tk_exit_sums *sums, pid_t pid)
{
    uint32_t i = first_entry(sums, pid);
    while (i != NONE && sums->entries[i].next != NONE)
        i = sums->entries[i].next;
    return i;
}

/* The unfinished entry of a process, made when it has none. */
static struct tk_exit_entry *open_entry(struct tk_exit_sums *sums, pid_t pid)
{
    uint32_t last = last_entry(sums, pid);
    if (last != NONE && !sums->entries[last].finished)
        return &sums->entries[last];
    uint32_t i = entry_new(sums);
    if (i == NONE)
        return NULL;
    if (last != NONE) {
        sums->entries[last].next = i;
    } else if (tk_map_add(&sums->first_of_pid, (uint64_t)pid, i) < 0) {
        sums->entries[i] = (struct tk_exit_entry){.next = sums->free_entry};
        sums->free_entry = i;
        return NULL;
    }
    sums->entries[i].total.pid = pid;
    return &sums->entries[i];
}

static void finish_entry(struct tk_exit_sums *sums, struct tk_exit_entry *entry, int64_t now_ns)
{
    uint32_t i = (uint32_t)(entry - sums->entries);
    entry->finished = true;
    entry->finished_ns = now_ns;
    entry->older_finished = sums->last_finished;
    entry->newer_finished = NONE;
    if (sums->last_finished != NONE) {
        sums->entries[sums->last_finished].newer_finished = i;
    } else {
        sums->first_finished = i;
    }
    sums->last_finished = i;
}

static void leave_finished(struct tk_exit_sums *sums, const struct tk_exit_entry *entry)
{
    if (entry->older_finished != NONE) {
        sums->entries[entry->older_finished].newer_finished = entry->newer_finished;
    } else {
        sums->first_finished = entry->newer_finished;
    }
    if (entry->newer_finished != NONE) {
        sums->entries[entry->newer_finished].older_finished = entry->older_finished;
    } else {
        sums->last_finished = entry->older_finished;
    }
}

/* Take the first entry of a process out of all lists. */
static void drop_first(struct tk_exit_sums *sums, pid_t pid)
{
    uint32_t i = first_entry(sums, pid);
    uint32_t next = sums->entries[i].next;
    (void)tk_map_remove(&sums->first_of_pid, (uint64_t)pid);
    if (next != NONE && tk_map_add(&sums->first_of_pid, (uint64_t)pid, next) < 0)
        sums->refused++;
    if (sums->entries[i].finished)
        leave_finished(sums, &sums->entries[i]);
    sums->entries[i] = (struct tk_exit_entry){.next = sums->free_entry};
    sums->free_entry = i;
}

/* CPU time ------------------------------------------------------------------------- */

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The record's count plus the stretch since the scheduler's last look, see the header. */
static int64_t completed_cpu_ns(const struct tk_exit_sums *sums,
                                const struct tk_task_record *record)
{
    if (record->runs == 0)
        return record->cpu_ns;
    int64_t life_ns = min_i64(record->elapsed_us, INT64_MAX / TK_NS_PER_US) * TK_NS_PER_US;
    int64_t room_ns = max_i64(life_ns - record->run_delay_ns - record->cpu_ns, 0);
    if (record->nvcsw == 0)
        return record->cpu_ns + room_ns;
    int64_t stretch_ns = record->cpu_ns / record->runs / 3;
    int64_t half_tick_ns = sums->tick_us * TK_NS_PER_US / 2;
    return record->cpu_ns + min_i64(room_ns, min_i64(stretch_ns, half_tick_ns));
}

/* Times by tick are multiples of the tick. */
static void learn_tick(struct tk_exit_sums *sums, int64_t us)
{
    if (us > 0)
        sums->tick_us = min_i64(sums->tick_us, us);
}

int64_t tk_exit_work_ns(const struct tk_exit_total *total, int64_t wall_ns)
{
    int64_t longest_ns = 50 * TK_NS_PER_US + min_i64(total->max_rss_kb, 1LL << 40) * 25;
    if (wall_ns > longest_ns)
        return longest_ns / 2;
    return max_i64(wall_ns, 0);
}

/* Adding --------------------------------------------------------------------------- */

static uint32_t threads_alive(const struct tk_exit_sums *sums, pid_t pid)
{
    uint32_t n = 0;
    return tk_map_find(&sums->threads_of_pid, (uint64_t)pid, &n) ? n : 0;
}

void tk_exit_sums_add_thread(struct tk_exit_sums *sums, pid_t tid, pid_t pid)
{
    if (tk_map_add(&sums->pid_of_tid, (uint64_t)tid, (uint32_t)pid) < 0 ||
        tk_map_add(&sums->threads_of_pid, (uint64_t)pid, threads_alive(sums, pid) + 1) < 0)
        sums->refused++;
}

/* Whose thread it is: the record says so, or its group's record does, or fork events did. */
static pid_t process_of(const struct tk_exit_sums *sums, const struct tk_task_record *records,
                        int n)
{
    uint32_t pid;
    if (records[0].pid > 0)
        return records[0].pid;
    if (n == 2)
        return records[1].pid;
    if (tk_map_find(&sums->pid_of_tid, (uint64_t)records[0].tid, &pid))
        return (pid_t)pid;
    return records[0].tid;
}

/* Kernels before version 12 do not mark the last thread: it is the one that comes with the sums of
 * its group, or a main thread without others. */
static bool is_last(struct tk_exit_sums *sums, const struct tk_task_record *records, int n,
                    pid_t pid)
{
    if (records[0].version >= 12)
        return records[0].last;
    bool last = n == 2 || (records[0].tid == pid && threads_alive(sums, pid) == 0);
    if (tk_map_remove(&sums->pid_of_tid, (uint64_t)records[0].tid)) {
        uint32_t alive = threads_alive(sums, pid);
        (void)tk_map_remove(&sums->threads_of_pid, (uint64_t)pid);
        if (alive > 1 && tk_map_add(&sums->threads_of_pid, (uint64_t)pid, alive - 1) < 0)
            sums->refused++;
    }
    return last;
}

static void add_record(struct tk_exit_sums *sums, struct tk_exit_total *total,
                       const struct tk_task_record *record)
{
    learn_tick(sums, record->user_us);
    learn_tick(sums, record->system_us);
    total->threads++;
    total->cpu_ns += completed_cpu_ns(sums, record);
    total->user_us += record->user_us;
    total->system_us += record->system_us;
    total->max_rss_kb = max_i64(total->max_rss_kb, record->max_rss_kb);
    total->rd_bytes += record->rd_bytes;
    total->wr_bytes += record->wr_bytes;
    total->minflt += record->minflt;
    total->majflt += record->majflt;
    total->nvcsw += record->nvcsw;
    total->nivcsw += record->nivcsw;
    total->run_delay_ns += record->run_delay_ns;
    total->blkio_delay_ns += record->blkio_delay_ns;
    total->elapsed_us =
        max_i64(total->elapsed_us, max_i64(record->elapsed_us, record->group_elapsed_us));
    total->last_tid = record->tid;
    total->ppid = record->ppid;
    total->uid = record->uid;
    /* The main thread's name is the process's; status comes with whoever ended it. */
    if (record->tid == total->pid || total->threads == 1)
        memcpy(total->comm, record->comm, sizeof(total->comm));
    total->status = record->status;
}

void tk_exit_sums_add(struct tk_exit_sums *sums, const struct tk_task_record *records, int n,
                      int64_t now_ns)
{
    if (n < 1 || records[0].group)
        return;
    pid_t pid = process_of(sums, records, n);
    bool last = is_last(sums, records, n, pid);
    struct tk_exit_entry *entry = open_entry(sums, pid);
    if (!entry) {
        sums->refused++;
        return;
    }
    add_record(sums, &entry->total, &records[0]);
    /* The group's sum also holds threads that ended before we listened. */
    if (n == 2 && records[1].group)
        entry->total.cpu_ns = max_i64(entry->total.cpu_ns, records[1].cpu_ns);
    if (last)
        finish_entry(sums, entry, now_ns);
}

/* Taking --------------------------------------------------------------------------- */

void tk_exit_sums_forget(struct tk_exit_sums *sums, pid_t pid)
{
    uint32_t i = first_entry(sums, pid);
    if (i != NONE && !sums->entries[i].finished)
        drop_first(sums, pid);
    (void)tk_map_remove(&sums->threads_of_pid, (uint64_t)pid);
}

bool tk_exit_sums_take(struct tk_exit_sums *sums, pid_t pid, pid_t tid, struct tk_exit_total *ret)
{
    uint32_t i = first_entry(sums, pid);
    if (i == NONE || !sums->entries[i].finished ||
        (tid != 0 && sums->entries[i].total.last_tid != tid))
        return false;
    *ret = sums->entries[i].total;
    drop_first(sums, pid);
    return true;
}

bool tk_exit_sums_next(struct tk_exit_sums *sums, int64_t before_ns, struct tk_exit_total *ret)
{
    if (sums->first_finished == NONE)
        return false;
    const struct tk_exit_entry *oldest = &sums->entries[sums->first_finished];
    if (oldest->finished_ns >= before_ns)
        return false;
    return tk_exit_sums_take(sums, oldest->total.pid, oldest->total.last_tid, ret);
}

const char *tk_exit_sums_comm(const struct tk_exit_sums *sums, pid_t pid)
{
    uint32_t i = first_entry(sums, pid);
    return i != NONE && sums->entries[i].finished ? sums->entries[i].total.comm : NULL;
}
