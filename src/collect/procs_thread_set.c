/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/procs_thread_set.h"

#include <stdlib.h>

#define FIRST_PLACES 512U

void tk_thread_set_release(struct tk_thread_set *set)
{
    free(set->places);
    *set = (struct tk_thread_set){0};
}

/* Where the thread is, or where it would go. */
static struct tk_thread *place_of(const struct tk_thread_set *set, pid_t tid)
{
    uint32_t at = (uint32_t)tid * 2654435769U >> 7 & set->mask;
    while (set->places[at].tid != 0 && set->places[at].tid != tid)
        at = (at + 1) & set->mask;
    return &set->places[at];
}

struct tk_thread *tk_thread_set_find(const struct tk_thread_set *set, pid_t tid)
{
    struct tk_thread *thread = set->places ? place_of(set, tid) : NULL;
    return thread && thread->tid == tid ? thread : NULL;
}

/* Move to new places, `count` of them (a power of two): the threads of which `is_alive` says so, or
 * all when it is NULL. */
static bool move(struct tk_thread_set *set, uint32_t count,
                 bool (*is_alive)(void *context, const struct tk_thread *thread), void *context)
{
    struct tk_thread_set next = {.mask = count - 1};
    next.places = calloc(count, sizeof(*next.places));
    if (!next.places)
        return false;
    for (uint32_t at = 0; set->places && at <= set->mask; at++) {
        const struct tk_thread *thread = &set->places[at];
        if (thread->tid == 0 || (is_alive && !is_alive(context, thread)))
            continue;
        *place_of(&next, thread->tid) = *thread;
        next.count++;
    }
    free(set->places);
    *set = next;
    return true;
}

struct tk_thread *tk_thread_set_add(struct tk_thread_set *set, pid_t tid,
                                    bool (*is_alive)(void *context, const struct tk_thread *thread),
                                    void *context)
{
    struct tk_thread *thread = tk_thread_set_find(set, tid);
    if (thread)
        return thread;
    uint32_t places = set->places ? set->mask + 1 : FIRST_PLACES;
    if (!set->places || set->count >= places / 2) {
        if (!move(set, places, is_alive, context))
            return NULL;
        if (set->count > places / 4 && !move(set, 2 * places, NULL, NULL) &&
            set->count >= places / 2)
            return NULL;
    }
    thread = place_of(set, tid);
    *thread = (struct tk_thread){.tid = tid};
    set->count++;
    return thread;
}
