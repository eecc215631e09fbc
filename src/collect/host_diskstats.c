/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/diskstats, Documentation/admin-guide/iostats.rst: "major minor name" and 11 numbers, or 15
 * (Linux 4.18, discards) or 17 (5.5, flushes). Partitions of kernels before 2.6.25 have only 4
 * numbers; partitions are not wanted anyway. */
#include <errno.h>
#include <string.h>

#include "collect/host_sources.h"
#include "collect/kernel_text.h"

enum {
    NUMBERS_OLD_PARTITION = 4,
    NUMBERS = 11,
    NUMBERS_DISCARD = 15,
    NUMBERS_FLUSH = 17,
};

static bool take_name(tk_str *line, tk_str *ret_name)
{
    int64_t number[2];
    return tk_scan_counters(line, number, 2) == 2 && tk_str_take_word(line, ret_name) &&
           ret_name->n < TK_HOST_DISK_NAME;
}

static void take_numbers(struct tk_host_disk *disk, const int64_t n[NUMBERS_FLUSH], size_t count)
{
    disk->rd_ios = n[0];
    disk->rd_sectors = n[2];
    disk->rd_ms = n[3];
    disk->wr_ios = n[4];
    disk->wr_sectors = n[6];
    disk->wr_ms = n[7];
    disk->in_flight = n[8];
    disk->busy_ms = n[9];
    disk->queue_ms = n[10];
    disk->discards = count >= NUMBERS_DISCARD ? n[11] : TK_HOST_ABSENT;
    disk->discard_sectors = count >= NUMBERS_DISCARD ? n[13] : TK_HOST_ABSENT;
    disk->flushes = count >= NUMBERS_FLUSH ? n[15] : TK_HOST_ABSENT;
    disk->flush_ms = count >= NUMBERS_FLUSH ? n[16] : TK_HOST_ABSENT;
}

int tk_host_diskstats_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                            struct tk_err *err)
{
    (void)index;
    struct tk_host_disks *disks = &reading->disks;
    disks->count = 0;
    disks->skipped = 0;

    tk_str line;
    for (size_t i = 1; tk_str_take_line(&text, &line); i++) {
        tk_str name;
        int64_t numbers[NUMBERS_FLUSH];
        if (!take_name(&line, &name))
            return tk_fail(err, -EBADMSG, "line %zu: expected major, minor and a name", i);
        size_t n = tk_scan_counters(&line, numbers, NUMBERS_FLUSH);
        if (n == NUMBERS_OLD_PARTITION && tk_scan_at_end(line))
            continue;
        if (n < NUMBERS) {
            return tk_fail(err, -EBADMSG, "line %zu: %zu numbers after the name, expected %d", i, n,
                           NUMBERS);
        }
        if (disks->count == TK_HOST_DISKS_MAX) {
            disks->skipped++;
            continue;
        }
        struct tk_host_disk *disk = &disks->items[disks->count++];
        memcpy(disk->name, name.p, name.n);
        disk->name[name.n] = '\0';
        take_numbers(disk, numbers, n);
    }
    return 0;
}
