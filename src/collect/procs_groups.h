/* SPDX-License-Identifier: Apache-2.0 */
/* The control groups that processes are in, each once: path and container by a small number.
 * Counted references, so that a host that makes groups all day does not grow us. Number 0 is "not
 * known". One thread at a time. */
#ifndef TK_COLLECT_PROCS_GROUPS_H
#define TK_COLLECT_PROCS_GROUPS_H

#include <stdint.h>

#include "base/map.h"
#include "base/str.h"

struct tk_group {
    char *path;      /* owned */
    char *container; /* owned; "" = none */
    uint32_t users;
    uint64_t key; /* in the map */
};

struct tk_groups {
    struct tk_group *groups; /* owned */
    uint32_t count, cap;
    uint32_t free_group; /* head of the list of unused ones, through `users`; 0 = none */
    struct tk_map by_path;
};

/* Free everything. Accepts a zeroed struct, which is an empty table. */
void tk_groups_release(struct tk_groups *groups);

/* The number of a group, made when it is new; the caller is one more user of it. 0 when there is no
 * memory. */
uint32_t tk_groups_add(struct tk_groups *groups, tk_str path, tk_str container);

/* One more user, one less. */
void tk_groups_hold(struct tk_groups *groups, uint32_t group);
void tk_groups_drop(struct tk_groups *groups, uint32_t group);

/* Terminated, "" when not known or none; valid until the next tk_groups_add(). */
const char *tk_groups_path(const struct tk_groups *groups, uint32_t group);
const char *tk_groups_container(const struct tk_groups *groups, uint32_t group);

#endif
