/* SPDX-License-Identifier: Apache-2.0 */
/* What cgroups.c (the tick), cgroup_read.c (files), cgroup_records.c (walks in the kernel) and
 * cgroup_walk.c (finding groups) share. */
#ifndef TK_COLLECT_CGROUPS_INTERNAL_H
#define TK_COLLECT_CGROUPS_INTERNAL_H

#include "base/map.h"
#include "collect/cgroup_files.h"
#include "collect/cgroup_mounts.h"
#include "collect/container_names.h"
#include "collect/group_walk.h"

enum {
    TK_CGROUP_FILE_MAX = 16384,
    TK_CGROUP_CONTAINER_MAX = 80,
    TK_CGROUP_LIST_CALLS = 6, /* of listing a folder: open, flags, state, two readings, close */
};

struct tk_cgroup {
    char *path; /* "/a/b"; owned */
    char container[TK_CGROUP_CONTAINER_MAX];
    struct tk_container_names *names;    /* owned; NULL = not known (yet) */
    int lookups_left;                    /* until they count as not to be had */
    unsigned hierarchies;                /* bit per hierarchy in which it exists */
    uint64_t ids[TK_CGROUP_HIERARCHIES]; /* inode of its folder there; 0 = not known */
    bool found;                          /* by the present walk */
    bool gone;                           /* its files fail */
    int fds[TK_CGROUP_FILE_COUNT];       /* of tk_cgroup_files; cgroup_read.c */
    struct tk_cgroup_reading last;
    struct tk_cgroup_reading kernel;        /* by the last walk; cgroup_records.c */
    bool was_met;                           /* by the last but one */
    uint32_t marks[TK_BPF_HIERARCHIES_MAX]; /* hash of its name in each; 0 = not known */
    uint32_t has;      /* TK_BPF_HAS_... of it; 0 = files are all that there is */
    int64_t row_ns;    /* of its last row; 0 = none yet */
    int64_t detail_ns; /* when the classes were read last; 0 = never */
    int64_t slow_ns;
    int64_t cpu_at_detail_ns; /* its CPU time then */
    int64_t cpu_at_slow_ns;
};

/* Whose a record of a walk is. */
struct tk_cgroup_owner {
    uint32_t group; /* index; UINT32_MAX = of none in the set */
    uint32_t has;   /* of the record */
};

/* Walks in the kernel instead of files. */
struct tk_cgroup_records {
    struct tk_group_walker walker; /* .walk == NULL: files only */
    struct tk_group_walk last;
    int64_t ns;                       /* monotonic, of the last walk */
    int slots[TK_CGROUP_HIERARCHIES]; /* index of a hierarchy in the records; -1 = not covered */
    uint32_t trusted;                 /* TK_BPF_HAS_... that are what the files say */
    struct tk_cgroup_owner *owners;   /* [last.count] when owned_set is last.set; owned */
    size_t owner_cap;
    uint64_t owned_set;    /* of the set of groups, when they were matched */
    struct tk_map ignored; /* keys of folders that are none of our groups */
    uint32_t strangers;    /* records without owner that are not ignored */
    bool renamed;          /* one of the groups was */
    char why_not[512];     /* why there are none; "" = there are, or nobody asked */
};

/* Descriptors that may be held. */
struct tk_cgroup_fd_share {
    size_t held, max;
};

struct tk_cgroups {
    const struct tk_kernel *kernel;
    struct tk_cgroups_options options;
    struct tk_cgroup_mounts mounts;
    struct tk_cgroup_devices stacked;
    struct tk_cgroup_records records;
    struct tk_cgroup *groups; /* [max] */
    size_t count, max;
    struct tk_map by_path;                         /* hash of the path to its index */
    struct tk_cgroup_fd_share fast_fds, other_fds; /* of files by class */
    bool lost_one;                                 /* since the last walk */
    int64_t walk_ns;                               /* of the last walk; 0 = none yet */
    int64_t names_ns, devices_ns;                  /* likewise, of the last look at these */
    int64_t tick_ns;                               /* monotonic time of this tick */
    int count_fds[2];     /* files that tell how many groups there are; -1 = missing */
    uint64_t fingerprint; /* of what they said at the last walk */
    bool finishing;       /* in the last tick */
    int64_t skipped, errors;
    int64_t syscalls;
    char buf[TK_CGROUP_FILE_MAX];
};

/* Bring the set up to date: new groups in, lost ones out. */
void tk_cgroups_find(struct tk_cgroups *groups);

/* One of them: met at `path` of a hierarchy, in the folder `id`. */
void tk_cgroups_add(struct tk_cgroups *groups, const char *path, int hierarchy, uint64_t id);

/* Take out those that are gone or were not found. */
void tk_cgroups_drop_lost(struct tk_cgroups *groups);

/* Bring the set up to date by what the last walk met: those that are new to it are looked up, each
 * by itself (cgroup_lookup.c). False when that cannot be done here. */
bool tk_cgroups_look_up(struct tk_cgroups *groups);

/* Look up names of containers and pods that are not known yet, of a few groups. */
void tk_cgroups_find_names(struct tk_cgroups *groups);

/* FNV-1a of `text`, going on from `hash`; 0 = from the start. */
uint64_t tk_cgroup_hash(uint64_t hash, tk_str text);

/* Free what a group owns. */
void tk_cgroup_release(struct tk_cgroups *groups, struct tk_cgroup *group);

/* A group that is new, or another one of the same name: nothing is known of it. */
void tk_cgroup_forget(struct tk_cgroup *group);

/* Take the figures from walks of `walker` (copied) as far as it can. When it cannot, why_not says
 * so and files are read. */
void tk_cgroup_records_open(struct tk_cgroups *groups, const struct tk_group_walker *walker);
void tk_cgroup_records_release(struct tk_cgroups *groups);

static inline bool tk_cgroup_has_records(const struct tk_cgroups *groups)
{
    return groups->records.walker.walk != NULL;
}

/* Walk. When the kernel refuses it from now on files are read. */
void tk_cgroup_records_walk(struct tk_cgroups *groups);

/* Give the groups what the walk found, in `kernel`. Groups that it did not meet any more are gone.
 * False when the set is not what it met. */
bool tk_cgroup_records_take(struct tk_cgroups *groups);

/* Match records and groups anew. */
void tk_cgroup_records_match(struct tk_cgroups *groups);

/* After the set was brought up to date: what is still met without owner is none of our groups. */
void tk_cgroup_ignore_strangers(struct tk_cgroups *groups);

/* Of a folder, for `ignored`. */
static inline uint64_t tk_cgroup_record_key(uint32_t slot, uint64_t id)
{
    return id ^ (uint64_t)(slot + 1) << 56;
}

/* Take over from `kernel` what files of one class tell. */
void tk_cgroup_records_apply(const struct tk_cgroup *group, enum tk_cgroup_class class,
                             struct tk_cgroup_reading *reading);

/* How many descriptors may be held, by RLIMIT_NOFILE. */
void tk_cgroup_fds_share(struct tk_cgroups *groups);

/* A new group holds none. */
void tk_cgroup_fds_init(struct tk_cgroup *group);

/* Read the files of one class. False when the group has none of them; `gone` is set when it was
 * removed. */
bool tk_cgroup_read(struct tk_cgroups *groups, struct tk_cgroup *group, enum tk_cgroup_class class,
                    struct tk_cgroup_reading *reading);

/* Files that the group lacked may be there now: controllers are switched on and off. */
void tk_cgroup_look_again(struct tk_cgroup *group);

/* When no more descriptors can be held: give up those that an idle group seldom needs. */
void tk_cgroup_fds_yield(struct tk_cgroups *groups, struct tk_cgroup *group);

/* Give up all descriptors of a group. */
void tk_cgroups_close_fds(struct tk_cgroups *groups, struct tk_cgroup *group);

/* Find the block devices of this host that lie on others or in memory, unless the host still has
 * the same devices as last time. `stacked` is zeroed at first. */
void tk_cgroup_devices_find(int rootfd, struct tk_cgroup_devices *stacked);

/* Likewise, for the files of groups, if the last time was 10 s ago: disks come and go. */
void tk_cgroup_devices_find_when_due(struct tk_cgroups *groups);

#endif
