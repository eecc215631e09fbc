/* SPDX-License-Identifier: Apache-2.0 */
/* User side of the walk over control groups (src/collect/bpf/cgroups.bpf.c). */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "collect/bpf_internal.h"

#define ROOM_MIN 1024 /* records, at 168 bytes */
#define ROOM_MAX 65536

/* Twice as many as there are, by /proc/cgroups: "memory 4 30 1" of each controller. */
static uint32_t room_for_all(void)
{
    char text[4096];
    tk_str rest;
    tk_str line;
    struct tk_err ignored;
    int64_t all = 0;
    if (tk_file_read(AT_FDCWD, "/proc/cgroups", text, sizeof(text), &rest, &ignored) < 0)
        return ROOM_MIN;
    while (tk_str_take_line(&rest, &line)) {
        tk_str word = {NULL, 0};
        int64_t groups;
        for (int i = 0; i < 3; i++)
            (void)tk_str_take_word(&line, &word);
        if (tk_parse_i64(word, &groups) && groups > 0 && groups < ROOM_MAX)
            all += 2 * groups;
    }
    return all < ROOM_MIN ? ROOM_MIN : all > ROOM_MAX ? ROOM_MAX : (uint32_t)all;
}

int tk_bpf_groups_size(struct tk_bpf *bpf, struct tk_programs *programs)
{
    if (!(bpf->parts & TK_BPF_CGROUPS))
        return 0;
    bpf->group_room = room_for_all();
    programs->rodata->groups_max = bpf->group_room;
    return bpf_map__set_max_entries(programs->maps.groups, bpf->group_room);
}

void tk_bpf_groups_release(struct tk_bpf *bpf)
{
    if (bpf->groups)
        (void)munmap(bpf->groups, bpf->group_room * sizeof(*bpf->groups));
    tk_fd_close(&bpf->flush_fd);
    (void)bpf_link__destroy(bpf->flush);
}

static int open_flush(struct tk_bpf *bpf, struct tk_err *err)
{
    const struct bpf_program *program = bpf->parts & TK_BPF_FLUSH_CSS
                                            ? bpf->programs->progs.flush_css
                                            : bpf->programs->progs.flush_cgroup;
    if (!(bpf->parts & (TK_BPF_FLUSH_CSS | TK_BPF_FLUSH_CGROUP))) {
        return tk_fail(err, -EOPNOTSUPP,
                       "the kernel does not let the figures of version 2 be asked for");
    }
    if (!bpf->flush)
        bpf->flush = bpf_program__attach_iter(program, NULL);
    return bpf->flush ? 0 : tk_fail_errno(err, "iterator that adds control groups up");
}

static int open_walk(void *context, const int32_t *numbers, uint32_t count, struct tk_err *err)
{
    struct tk_bpf *bpf = context;
    struct tk_bpf_groups *shared = &bpf->programs->bss->group_walk;
    for (uint32_t i = 0; i < count; i++)
        shared->hierarchies[i] = numbers[i];
    shared->hierarchy_count = count;
    int rc = count > 0 && numbers[count - 1] == 0 ? open_flush(bpf, err) : 0;
    if (rc < 0)
        return rc;
    void *groups = mmap(NULL, bpf->group_room * sizeof(*bpf->groups), PROT_READ, MAP_SHARED,
                        bpf_map__fd(bpf->programs->maps.groups), 0);
    if (groups == MAP_FAILED)
        return tk_fail_errno(err, "mapping the control groups of BPF");
    bpf->groups = groups;
    return 0;
}

/* Version 2, the last hierarchy, has its root alone, as where version 1 is in use: what would be
 * flushed is of groups below it. */
static bool is_bare(const struct tk_bpf_groups *shared, const struct tk_group_walk *walk)
{
    uint32_t v2 = shared->hierarchy_count - 1;
    return !walk->left_out && (walk->count < 2 || walk->groups[walk->count - 2].hierarchy != v2);
}

/* Have the kernel add up what is spent in version 2, by one read() of an iterator over tasks, which
 * is at its end after as many. 0 or a negative errno. */
static int flush(struct tk_bpf *bpf)
{
    char byte;
    for (int attempt = 0; attempt < 2; attempt++) {
        if (bpf->flush_fd < 0) {
            bpf->group_syscalls++;
            bpf->flush_fd = bpf_iter_create(bpf_link__fd(bpf->flush));
        }
        if (bpf->flush_fd < 0)
            return -errno;
        bpf->group_syscalls++;
        ssize_t n = read(bpf->flush_fd, &byte, 1);
        if (n == 1)
            return 0;
        int rc = n < 0 ? -errno : 0;
        bpf->group_syscalls++;
        tk_fd_close(&bpf->flush_fd);
        if (rc < 0)
            return rc;
    }
    return -EIO; /* an iterator over no task at all: not even us */
}

/* Make ready for a walk. */
static int begin_walk(struct tk_bpf *bpf)
{
    struct tk_bpf_groups *shared = &bpf->programs->bss->group_walk;
    shared->number++;
    shared->count = shared->left_out = 0;
    shared->set = 0;
    return bpf->flush && !bpf->is_bare ? flush(bpf) : 0;
}

static void announce(void *context)
{
    struct tk_bpf *bpf = context;
    bpf->groups_announced = bpf->tier == TK_TIER_B2;
}

bool tk_bpf_groups_join(struct tk_bpf *bpf)
{
    bool joins = bpf->groups_announced && begin_walk(bpf) == 0;
    bpf->groups_announced = false;
    bpf->programs->bss->group_walk.is_due = joins;
    return joins;
}

void tk_bpf_groups_joined(struct tk_bpf *bpf, int rc)
{
    bpf->programs->bss->group_walk.is_due = 0;
    bpf->groups_walked = rc == 0;
    bpf->groups_ns = tk_clock_mono_ns();
}

/* A walk of their own, unless one over processes was just theirs, too. */
static int walk_alone(struct tk_bpf *bpf)
{
    bpf->groups_announced = false;
    int rc = begin_walk(bpf);
    if (rc < 0)
        return rc;
    bpf->group_syscalls++;
    rc = tk_bpf_run(bpf->programs->progs.walk_groups);
    bpf->groups_ns = tk_clock_mono_ns();
    return rc;
}

static int walk(void *context, struct tk_group_walk *ret_walk)
{
    struct tk_bpf *bpf = context;
    const struct tk_bpf_groups *shared = &bpf->programs->bss->group_walk;
    int rc = bpf->groups_walked ? 0 : walk_alone(bpf);
    *ret_walk = (struct tk_group_walk){
        .groups = bpf->groups,
        .count = shared->count < bpf->group_room ? shared->count : bpf->group_room,
        .number = shared->number,
        .left_out = shared->left_out,
        .syscalls = bpf->group_syscalls,
        .set = shared->set,
        .end_ns = bpf->groups_ns,
    };
    bpf->groups_walked = false;
    bpf->group_syscalls = 0;
    bpf->is_bare = rc == 0 && is_bare(shared, ret_walk);
    return rc;
}

int tk_bpf_group_walker(struct tk_bpf *bpf, struct tk_group_walker *ret_walker, struct tk_err *err)
{
    if (!(bpf->parts & TK_BPF_CGROUPS))
        return tk_fail(err, -EOPNOTSUPP, "the kernel has no iterator of control groups for BPF");
    *ret_walker = (struct tk_group_walker){
        .open = open_walk, .walk = walk, .announce = announce, .context = bpf};
    return 0;
}
