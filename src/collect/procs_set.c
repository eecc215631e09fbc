/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/procs_set.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "collect/procs_files.h"

#define LINE_BYTES 64 /* of a cache */
#define FIRST_CAP  256

void *tk_pages_resize(void *pages, size_t old_bytes, size_t new_bytes)
{
    if (new_bytes == 0) {
        if (pages)
            munmap(pages, old_bytes);
        return NULL;
    }
    void *now =
        pages ? mremap(pages, old_bytes, new_bytes, MREMAP_MAYMOVE)
              : mmap(NULL, new_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* More than RLIMIT_MEMLOCK would be locked: better unlocked than not there. */
    if (now == MAP_FAILED && pages && errno == EAGAIN && munlock(pages, old_bytes) == 0)
        now = mremap(pages, old_bytes, new_bytes, MREMAP_MAYMOVE);
    return now != MAP_FAILED ? now : NULL;
}

void tk_proc_set_release(struct tk_proc_set *set)
{
    tk_pages_resize(set->clocks, set->cap * sizeof(*set->clocks), 0);
    tk_pages_resize(set->facts, set->cap * sizeof(*set->facts), 0);
    tk_pages_resize(set->memory, set->cap * sizeof(*set->memory), 0);
    tk_pages_resize(set->extra, set->cap * sizeof(*set->extra), 0);
    free(set->index);
    *set = (struct tk_proc_set){.has_memory = set->has_memory, .has_extra = set->has_extra};
}

/* Pids are given in sequence, so a multiplication spreads them well. */
static uint32_t home_of(const struct tk_proc_set *set, pid_t pid)
{
    return (uint32_t)pid * 2654435769u >> 7 & set->mask;
}

/* Where the process is in the index, or where it would go. */
static uint32_t place_of(const struct tk_proc_set *set, pid_t pid)
{
    uint32_t at = home_of(set, pid);
    while (set->index[at] != TK_PROC_NONE && set->clocks[set->index[at]].pid != pid)
        at = (at + 1) & set->mask;
    return at;
}

uint32_t tk_proc_set_find(const struct tk_proc_set *set, pid_t pid)
{
    return set->index ? set->index[place_of(set, pid)] : TK_PROC_NONE;
}

void tk_proc_set_fetch_place(const struct tk_proc_set *set, pid_t pid)
{
    if (set->index)
        __builtin_prefetch(&set->index[home_of(set, pid)]);
}

/* What stands at home is as a rule the process itself. */
void tk_proc_set_fetch(const struct tk_proc_set *set, pid_t pid)
{
    uint32_t i = set->index ? set->index[home_of(set, pid)] : TK_PROC_NONE;
    if (i == TK_PROC_NONE)
        return;
    __builtin_prefetch(&set->clocks[i]);
    for (size_t at = 0; at < sizeof(*set->facts); at += LINE_BYTES)
        __builtin_prefetch((const char *)&set->facts[i] + at);
}

/* Index of at least twice as many slots as processes. */
static int index_grow(struct tk_proc_set *set)
{
    uint32_t slots = set->index ? (set->mask + 1) * 2 : FIRST_CAP * 2;
    uint32_t *index = malloc(slots * sizeof(*index));
    if (!index)
        return -ENOMEM;
    free(set->index);
    set->index = index;
    set->mask = slots - 1;
    memset(index, 0xff, slots * sizeof(*index));
    for (uint32_t i = 0; i < set->count; i++)
        index[place_of(set, set->clocks[i].pid)] = i;
    return 0;
}

static bool array_resize(void **array, size_t bytes, uint32_t old_cap, uint32_t cap)
{
    void *now = tk_pages_resize(*array, old_cap * bytes, cap * bytes);
    if (now || cap == 0)
        *array = now;
    return now || cap == 0;
}

static int arrays_grow(struct tk_proc_set *set)
{
    uint32_t cap = set->cap ? set->cap * 2 : FIRST_CAP;
    void *arrays[] = {set->clocks, set->facts, set->memory, set->extra};
    const size_t bytes[] = {sizeof(*set->clocks), sizeof(*set->facts), sizeof(*set->memory),
                            sizeof(*set->extra)};
    const bool is_wanted[] = {true, true, set->has_memory, set->has_extra};
    size_t n = 0;
    while (n < TK_COUNTOF(arrays) &&
           (!is_wanted[n] || array_resize(&arrays[n], bytes[n], set->cap, cap)))
        n++;
    bool has_grown = n == TK_COUNTOF(arrays);
    while (!has_grown && n-- > 0) {
        if (is_wanted[n]) /* shrinking takes nothing, so it cannot fail */
            (void)array_resize(&arrays[n], bytes[n], cap, set->cap);
    }
    set->clocks = arrays[0];
    set->facts = arrays[1];
    set->memory = arrays[2];
    set->extra = arrays[3];
    set->cap = has_grown ? cap : set->cap;
    return has_grown ? 0 : -ENOMEM;
}

int tk_proc_set_add(struct tk_proc_set *set, pid_t pid, uint32_t *ret_i)
{
    int rc = 0;
    if (set->count == set->cap)
        rc = arrays_grow(set);
    if (rc == 0 && (!set->index || (set->count + 1) * 2 > set->mask + 1))
        rc = index_grow(set);
    if (rc < 0)
        return rc;
    uint32_t i = set->count++;
    set->clocks[i] = (struct tk_proc_clock){.pid = pid};
    set->facts[i] = (struct tk_proc_facts){
        .start_ticks = -1,
        .utime_ns = -1,
        .stime_ns = -1,
        .rd_bytes = -1,
        .wr_bytes = -1,
        .minflt = -1,
        .majflt = -1,
        .nvcsw = -1,
        .fds = -1,
        .nivcsw = -1,
        .run_delay_ns = -1,
        .rss_pages = -1,
        .threads = -1,
        .ppid = -1,
        .ns_pid = -1,
        .uid = -1,
        .files = TK_NO_FILES,
        .state = '?',
    };
    if (set->memory)
        set->memory[i] = (struct tk_proc_memory){TK_PROC_KB_NONE, TK_PROC_KB_NONE};
    if (set->extra)
        set->extra[i] = (struct tk_proc_extra){-1, -1, -1};
    set->index[place_of(set, pid)] = i;
    *ret_i = i;
    return 0;
}

/* Free a place of the index and close the gap in its run. */
static void index_remove(struct tk_proc_set *set, uint32_t hole)
{
    for (uint32_t at = (hole + 1) & set->mask; set->index[at] != TK_PROC_NONE;
         at = (at + 1) & set->mask) {
        uint32_t home = home_of(set, set->clocks[set->index[at]].pid);
        if (((at - home) & set->mask) < ((at - hole) & set->mask))
            continue;
        set->index[hole] = set->index[at];
        hole = at;
    }
    set->index[hole] = TK_PROC_NONE;
}

void tk_proc_set_remove(struct tk_proc_set *set, uint32_t i)
{
    uint32_t last = set->count - 1;
    index_remove(set, place_of(set, set->clocks[i].pid));
    if (i != last) {
        set->index[place_of(set, set->clocks[last].pid)] = i;
        set->clocks[i] = set->clocks[last];
        set->facts[i] = set->facts[last];
        if (set->memory)
            set->memory[i] = set->memory[last];
        if (set->extra)
            set->extra[i] = set->extra[last];
    }
    set->count = last;
}
