/* SPDX-License-Identifier: Apache-2.0 */
/* Was anything acknowledged and then lost? Reads the ids that `tracekit replay --acknowledged`
 * wrote and all spans of a run, from segments and logs, and prints one JSON object:
 *
 *     lost IDS RUN/spans
 *
 * Exit status 1 when a span is missing. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "segment/segment.h"

#define ID_BYTES 24 /* trace, span */

struct ledger {
    const char *ids; /* mapped */
    uint32_t count;
    uint32_t *slots; /* index + 1; open addressing */
    uint64_t mask;
    uint8_t *seen; /* [count] times that the span was found, up to 255 */
    uint64_t stored, others, duplicates;
};

static uint64_t hash_of(const char *id)
{
    uint64_t words[3];
    memcpy(words, id, sizeof(words));
    return tk_hash_mix(tk_hash_mix(words[0], words[1]), words[2]);
}

/* The slot of an id: its own, or the free one where it would stand. */
static uint32_t *find_slot(const struct ledger *ledger, const char *id)
{
    uint64_t at = hash_of(id) & ledger->mask;
    while (ledger->slots[at] != 0 &&
           memcmp(ledger->ids + (size_t)(ledger->slots[at] - 1) * ID_BYTES, id, ID_BYTES) != 0)
        at = (at + 1) & ledger->mask;
    return &ledger->slots[at];
}

static int ledger_open(struct ledger *ledger, const char *path, struct tk_err *err)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        return tk_fail_errno(err, "%s", path);
    if (status.st_size % ID_BYTES != 0 || status.st_size / ID_BYTES >= UINT32_MAX)
        return tk_fail(err, -EBADMSG, "%s: no file of ids", path);
    ledger->count = (uint32_t)(status.st_size / ID_BYTES);
    ledger->mask = 15;
    while (ledger->mask < 2 * (uint64_t)ledger->count)
        ledger->mask = ledger->mask * 2 + 1;
    ledger->slots = calloc(ledger->mask + 1, sizeof(*ledger->slots));
    ledger->seen = calloc((size_t)ledger->count + 1, 1);
    if (!ledger->slots || !ledger->seen)
        return tk_fail(err, -ENOMEM, "%s: out of memory", path);
    if (ledger->count > 0) {
        ledger->ids = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (ledger->ids == MAP_FAILED)
            return tk_fail_errno(err, "%s", path);
    }
    (void)close(fd);
    for (uint32_t i = 0; i < ledger->count; i++)
        *find_slot(ledger, ledger->ids + (size_t)i * ID_BYTES) = i + 1;
    return 0;
}

static int take_rows(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct ledger *ledger = user;
    (void)err;
    for (size_t i = 0; i < rows->n; i++) {
        size_t row = rows->rows ? rows->rows[i] : i;
        char id[ID_BYTES];
        memcpy(id, rows->batch->trace_ids[row], 16);
        memcpy(id + 16, &rows->batch->span_ids[row], 8);
        uint32_t found = *find_slot(ledger, id);
        ledger->stored++;
        if (found == 0) {
            ledger->others++;
        } else if (ledger->seen[found - 1] < 255 && ++ledger->seen[found - 1] > 1) {
            ledger->duplicates++;
        }
    }
    return 0;
}

static int check(struct ledger *ledger, const char *ids, const char *spans, struct tk_err *err)
{
    struct tk_segment_set *set = NULL;
    const struct tk_span_query all = {0};
    int rc = ledger_open(ledger, ids, err);
    if (rc < 0)
        return rc;
    int dirfd = open(spans, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return tk_fail_errno(err, "%s", spans);
    rc = tk_segment_set_new(dirfd, false, &set, err);
    if (rc == 0)
        rc = tk_segment_set_scan(set, &all, take_rows, ledger, err);
    tk_segment_set_free(set);
    (void)close(dirfd);
    return rc;
}

int main(int argc, char **argv)
{
    struct ledger ledger = {0};
    struct tk_err err;
    if (argc != 3) {
        (void)fprintf(stderr, "usage: lost IDS RUN/spans\n");
        return 2;
    }
    if (check(&ledger, argv[1], argv[2], &err) < 0) {
        (void)fprintf(stderr, "lost: %s\n", err.msg);
        return 1;
    }
    uint64_t lost = 0;
    for (uint32_t i = 0; i < ledger.count; i++)
        lost += ledger.seen[i] == 0;
    (void)printf("{\"acknowledged\":%" PRIu32 ",\"stored\":%" PRIu64 ",\"lost\":%" PRIu64
                 ",\"unacknowledged\":%" PRIu64 ",\"duplicates\":%" PRIu64 "}\n",
                 ledger.count, ledger.stored, lost, ledger.others, ledger.duplicates);
    return lost > 0;
}
