/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/procs_groups.h"

#include <stdlib.h>
#include <string.h>

static void group_free(struct tk_group *group)
{
    free(group->path);
    free(group->container);
    *group = (struct tk_group){0};
}

void tk_groups_release(struct tk_groups *groups)
{
    for (uint32_t i = 1; i < groups->count; i++)
        group_free(&groups->groups[i]);
    free(groups->groups);
    tk_map_release(&groups->by_path);
    *groups = (struct tk_groups){0};
}

/* FNV-1a. */
static uint64_t hash_of(tk_str text)
{
    uint64_t hash = 14695981039346656037ULL;
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * 1099511628211ULL;
    return hash;
}

static char *copy_of(tk_str text)
{
    char *copy = malloc(text.n + 1);
    if (copy && text.n > 0)
        memcpy(copy, text.p, text.n);
    if (copy)
        copy[text.n] = '\0';
    return copy;
}

/* An unused number; 0 when there is no memory. Number 0 itself is never given out. */
static uint32_t number_new(struct tk_groups *groups)
{
    uint32_t number = groups->free_group;
    if (number != 0) {
        groups->free_group = groups->groups[number].users;
        return number;
    }
    if (groups->count == groups->cap) {
        uint32_t cap = groups->cap ? groups->cap * 2 : 32;
        struct tk_group *bigger = realloc(groups->groups, cap * sizeof(*bigger));
        if (!bigger)
            return 0;
        groups->groups = bigger;
        groups->cap = cap;
    }
    if (groups->count == 0)
        groups->groups[groups->count++] = (struct tk_group){0};
    return groups->count++;
}

static void number_free(struct tk_groups *groups, uint32_t number)
{
    group_free(&groups->groups[number]);
    groups->groups[number].users = groups->free_group;
    groups->free_group = number;
}

/* Key of a path: its hash, or the next that is free or its own when others hash alike. */
static uint64_t key_of(const struct tk_groups *groups, tk_str path, uint32_t *ret_number)
{
    uint64_t key = hash_of(path);
    while (tk_map_find(&groups->by_path, key, ret_number) &&
           !tk_str_eq(tk_str_from(groups->groups[*ret_number].path), path))
        key++;
    return key;
}

uint32_t tk_groups_add(struct tk_groups *groups, tk_str path, tk_str container)
{
    uint32_t number = 0;
    uint64_t key = key_of(groups, path, &number);
    if (tk_map_find(&groups->by_path, key, &number)) {
        groups->groups[number].users++;
        return number;
    }
    number = number_new(groups);
    if (number == 0)
        return 0;
    struct tk_group *group = &groups->groups[number];
    *group = (struct tk_group){copy_of(path), copy_of(container), 1, key};
    if (group->path && group->container && tk_map_add(&groups->by_path, key, number) == 0)
        return number;
    number_free(groups, number);
    return 0;
}

void tk_groups_hold(struct tk_groups *groups, uint32_t group)
{
    if (group != 0)
        groups->groups[group].users++;
}

void tk_groups_drop(struct tk_groups *groups, uint32_t group)
{
    if (group == 0 || --groups->groups[group].users > 0)
        return;
    (void)tk_map_remove(&groups->by_path, groups->groups[group].key);
    number_free(groups, group);
}

const char *tk_groups_path(const struct tk_groups *groups, uint32_t group)
{
    return group != 0 ? groups->groups[group].path : "";
}

const char *tk_groups_container(const struct tk_groups *groups, uint32_t group)
{
    return group != 0 ? groups->groups[group].container : "";
}
