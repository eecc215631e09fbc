/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's side of the ring of events (kernel/bpf/ringbuf.c, Documentation/bpf/ringbuf.rst):
 *
 *   consumer page    how far we have read; ours to write
 *   producer page    how far the kernel has reserved
 *   data             records of 8 bytes + length, a multiple of 8; the last one may go on at the
 *                    begin
 *
 * libbpf maps the data twice, one after the other, so as to see records whole; each page then
 * counts twice as our memory. Here it is mapped once, and records are copied out. No system calls.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collect/bpf_internal.h"

#define HEADER_BYTES 8

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Opening ------------------------------------------------------------------------------ */

static int map_ring(struct tk_bpf_ring *ring, const struct bpf_map *map, struct tk_err *err)
{
    size_t page = page_bytes();
    size_t bytes = bpf_map__max_entries(map);
    int fd = bpf_map__fd(map);
    void *consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (consumer == MAP_FAILED)
        return tk_fail_errno(err, "mapping the ring of events");
    ring->consumer_at = consumer;
    void *producer = mmap(NULL, page + bytes, PROT_READ, MAP_SHARED, fd, (off_t)page);
    if (producer == MAP_FAILED)
        return tk_fail_errno(err, "mapping the ring of events");
    ring->producer_at = producer;
    ring->data = (const char *)producer + page;
    ring->bytes = bytes;
    return 0;
}

void tk_bpf_events_prepare(struct tk_programs *programs, bool is_wanted)
{
    (void)bpf_map__set_autocreate(programs->maps.lives, is_wanted);
    (void)bpf_map__set_autocreate(programs->maps.ring, is_wanted);
    programs->bss->events.ns_level = UINT32_MAX; /* nobody is so deep: nothing is told yet */
}

int tk_bpf_events_open(struct tk_bpf *bpf, struct tk_err *err)
{
    struct tk_programs *programs = bpf->programs;
    int rc = map_ring(&bpf->ring, programs->maps.ring, err);
    if (rc < 0)
        return rc;
    programs->bss->events.ns_inum = programs->bss->learned.ns_inum;
    __atomic_store_n(&programs->bss->events.ns_level, programs->bss->learned.ns_level,
                     __ATOMIC_RELEASE);
    return 0;
}

void tk_bpf_events_close(struct tk_bpf *bpf)
{
    if (bpf->ring.producer_at)
        (void)munmap(bpf->ring.producer_at, page_bytes() + bpf->ring.bytes);
    if (bpf->ring.consumer_at)
        (void)munmap(bpf->ring.consumer_at, page_bytes());
    bpf->ring = (struct tk_bpf_ring){0};
}

/* Reading ------------------------------------------------------------------------------ */

static void copy_out(const struct tk_bpf_ring *ring, size_t at, void *to, size_t bytes)
{
    size_t first = bytes < ring->bytes - at ? bytes : ring->bytes - at;
    memcpy(to, ring->data + at, first);
    memcpy((char *)to + first, ring->data, bytes - first);
}

/* Length of the record at `at`, header of the kernel included; 0 = none waits. */
static uint32_t next_length(struct tk_bpf *bpf, uint64_t at)
{
    const struct tk_bpf_ring *ring = &bpf->ring;
    uint32_t *is_asked = &bpf->programs->bss->events.is_asked;
    /* The kernel publishes room by its position and a record by its header, both with release. */
    if (at != __atomic_load_n(ring->producer_at, __ATOMIC_ACQUIRE)) {
        const void *header = ring->data + (at & (ring->bytes - 1));
        uint32_t length = __atomic_load_n((const uint32_t *)header, __ATOMIC_ACQUIRE);
        return length & BPF_RINGBUF_BUSY_BIT ? 0 : length;
    }
    if (__atomic_load_n(is_asked, __ATOMIC_RELAXED) != 0)
        __atomic_store_n(is_asked, 0, __ATOMIC_RELAXED);
    return 0;
}

bool tk_bpf_event_next(struct tk_bpf *bpf, struct tk_bpf_end *ret_event)
{
    struct tk_bpf_ring *ring = &bpf->ring;
    uint64_t at = *ring->consumer_at; /* nobody else writes it */
    uint32_t length = next_length(bpf, at);
    if (length == 0)
        return false;
    copy_out(ring, (at + HEADER_BYTES) & (ring->bytes - 1), ret_event,
             length < sizeof(*ret_event) ? length : sizeof(*ret_event));
    at += HEADER_BYTES + ((uint64_t)length + 7) / 8 * 8;
    __atomic_store_n(ring->consumer_at, at, __ATOMIC_RELEASE);
    return true;
}

struct tk_bpf_event_stats tk_bpf_read_event_stats(const struct tk_bpf *bpf)
{
    const struct tk_bpf_events *events = &bpf->programs->bss->events;
    return (struct tk_bpf_event_stats){
        .forks = (int64_t)__atomic_load_n(&events->forks, __ATOMIC_RELAXED),
        .dropped = (int64_t)__atomic_load_n(&events->dropped, __ATOMIC_RELAXED),
        .dropped_ends = (int64_t)__atomic_load_n(&events->dropped_ends, __ATOMIC_RELAXED),
    };
}

int tk_bpf_event_fd(const struct tk_bpf *bpf)
{
    return bpf_map__fd(bpf->programs->maps.ring);
}
