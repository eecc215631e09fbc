/* SPDX-License-Identifier: Apache-2.0 */
/* User side of the walk over control groups (src/collect/bpf/cgroups.bpf.c). */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "collect/bpf_internal.h"

#define ROOM_MIN       1024 /* records, at 168 bytes */
#define ROOM_MAX       65536
#define WALK_SYSCALLS  1
#define FLUSH_SYSCALLS 3

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
    (void)bpf_link__destroy(bpf->flush);
}

/* An iterator that visits the root of version 2 alone. */
static int open_flush(struct tk_bpf *bpf, struct tk_err *err)
{
    union bpf_iter_link_info info;
    struct bpf_iter_attach_opts options;
    memset(&info, 0, sizeof(info)); /* padding is looked at, too: by libbpf and by the kernel */
    memset(&options, 0, sizeof(options));
    info.cgroup.order = BPF_CGROUP_ITER_SELF_ONLY;
    info.cgroup.cgroup_id = 1;
    options.sz = sizeof(options);
    options.link_info = &info;
    options.link_info_len = sizeof(info);
    const struct bpf_program *program = bpf->parts & TK_BPF_FLUSH_CSS
                                            ? bpf->programs->progs.flush_css
                                            : bpf->programs->progs.flush_cgroup;
    if (!(bpf->parts & (TK_BPF_FLUSH_CSS | TK_BPF_FLUSH_CGROUP))) {
        return tk_fail(err, -EOPNOTSUPP,
                       "the kernel does not let the figures of version 2 be asked for");
    }
    bpf->flush = bpf_program__attach_iter(program, &options);
    return bpf->flush ? 0 : tk_fail_errno(err, "iterator of control groups");
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

static int walk(void *context, struct tk_group_walk *ret_walk)
{
    struct tk_bpf *bpf = context;
    struct tk_bpf_groups *shared = &bpf->programs->bss->group_walk;
    shared->number++;
    shared->count = shared->left_out = 0;
    shared->set = 0;
    bool flushes = bpf->flush && !bpf->is_bare;
    int rc = flushes ? tk_bpf_iterate(bpf->flush) : 0;
    if (rc == 0)
        rc = tk_bpf_run(bpf->programs->progs.walk_groups);
    *ret_walk = (struct tk_group_walk){
        .groups = bpf->groups,
        .count = shared->count < bpf->group_room ? shared->count : bpf->group_room,
        .number = shared->number,
        .left_out = shared->left_out,
        .syscalls = WALK_SYSCALLS + (flushes ? FLUSH_SYSCALLS : 0),
        .set = shared->set,
    };
    bpf->is_bare = rc == 0 && is_bare(shared, ret_walk);
    return rc;
}

int tk_bpf_group_walker(struct tk_bpf *bpf, struct tk_group_walker *ret_walker, struct tk_err *err)
{
    if (!(bpf->parts & TK_BPF_CGROUPS))
        return tk_fail(err, -EOPNOTSUPP, "the kernel has no iterator of control groups for BPF");
    *ret_walker = (struct tk_group_walker){.open = open_walk, .walk = walk, .context = bpf};
    return 0;
}
