/* SPDX-License-Identifier: Apache-2.0 */
/* Where processes publish their Resource (OTEP 4719): the mapping named OTEL_CTX of each of some
 * processes, found by going through their mappings in the kernel: some 5 us a process, where
 * printing and reading /proc/PID/maps takes 40. Linux 6.7.
 *
 *   find_mappings   by BPF_PROG_RUN, one system call for up to TK_BPF_MAPPINGS_MAX processes
 *
 * It waits for no lock: a process that is changing its mappings is said to be. An event of
 * prctl(2), by which a publisher names the mapping, would tell sooner; but the tracepoint of system
 * calls makes each of all processes dearer (77 ns on 217, 6.18), and what hooks one function alone
 * (fentry, LSM) is refused where we measured. */
#include "collect/bpf/kernel.bpf.h"

struct tk_bpf_mappings mappings;

const volatile bool has_vpids; /* this kernel finds processes of the reader's namespace */

struct bpf_iter_task_vma {
    uint64_t opaque[1];
};

extern int bpf_iter_task_vma_new(struct bpf_iter_task_vma *it, struct task_struct *task,
                                 uint64_t address) __weak __ksym;
extern struct vm_area_struct *bpf_iter_task_vma_next(struct bpf_iter_task_vma *it) __weak __ksym;
extern void bpf_iter_task_vma_destroy(struct bpf_iter_task_vma *it) __weak __ksym;
extern struct task_struct *bpf_task_from_pid(int pid) __weak __ksym;
extern struct task_struct *bpf_task_from_vpid(int pid) __weak __ksym;
extern void bpf_task_release(struct task_struct *task) __weak __ksym;
extern void *bpf_rdonly_cast(const void *object, uint32_t type) __weak __ksym;

/* include/uapi/asm-generic/errno-base.h */
enum { NO_MEMORY = 2, NO_PROCESS = 3 }; /* ENOENT, ESRCH */

#define PREFIX_BYTES 6 /* memfd: */
#define NAME_BYTES   8

/* Letter by letter: a text that is compared as a whole becomes a map, which has no name in C. */
static __always_inline bool is_memfd(const char *text)
{
    return text[0] == 'm' && text[1] == 'e' && text[2] == 'm' && text[3] == 'f' && text[4] == 'd' &&
           text[5] == ':';
}

static __always_inline bool is_name(const char *text)
{
    return text[0] == 'O' && text[1] == 'T' && text[2] == 'E' && text[3] == 'L' && text[4] == '_' &&
           text[5] == 'C' && text[6] == 'T' && text[7] == 'X';
}

/* As tk_otel_mapping_parse() knows them: /memfd:OTEL_CTX... */
static __always_inline bool is_published_file(const struct file *file)
{
    char text[PREFIX_BYTES + NAME_BYTES] = {0};
    const struct dentry *dentry = file->f_path.dentry;
    return dentry->d_name.len >= sizeof(text) &&
           bpf_probe_read_kernel(text, sizeof(text), dentry->d_name.name) == 0 && is_memfd(text) &&
           is_name(text + PREFIX_BYTES);
}

/* ... [anon:OTEL_CTX], [anon_shmem:OTEL_CTX] */
static __always_inline bool is_published_memory(struct vm_area_struct *area)
{
    char text[NAME_BYTES + 1] = {0};
    if (!bpf_core_field_exists(area->anon_name) || !area->anon_name)
        return false;
    return bpf_probe_read_kernel(text, sizeof(text), &area->anon_name->name) == 0 &&
           is_name(text) && text[NAME_BYTES] == '\0';
}

/* A library is mapped in several parts, one after the other: its file is looked at once. */
static __always_inline int search(struct task_struct *task, uint64_t *ret_address)
{
    struct bpf_iter_task_vma areas;
    struct vm_area_struct *next;
    uint64_t address = 0;
    uint64_t last = 0;
    int rc = bpf_iter_task_vma_new(&areas, task, 0);
    while ((next = bpf_iter_task_vma_next(&areas))) {
        struct vm_area_struct *area = KERNEL_TYPE(vm_area_struct, next);
        const struct file *file = area->vm_file;
        bool is_other = file && (uint64_t)file != last;
        last = (uint64_t)file;
        if (is_published_memory(area) || (is_other && is_published_file(file))) {
            address = area->vm_start;
            break;
        }
    }
    bpf_iter_task_vma_destroy(&areas);
    *ret_address = address;
    return rc;
}

/* Counts how often the mappings were locked for a change, by the kernels that lock each for itself.
 */
static __always_inline uint32_t mark_of_mappings(const struct mm_struct *mm)
{
    const struct mm_struct___int *other = (const void *)mm;
    uint32_t count = 0;
    if (bpf_core_field_exists(mm->mm_lock_seq))
        count = mm->mm_lock_seq.sequence + 1;
    else if (bpf_core_field_exists(other->mm_lock_seq))
        count = (uint32_t)BPF_CORE_READ(other, mm_lock_seq) + 1;
    return count;
}

static __always_inline int look_at(struct tk_bpf_mapping *mapping, struct task_struct *task)
{
    uint32_t last = mapping->mark;
    uint64_t address = 0;
    int rc = 0;
    const struct mm_struct *mm = KERNEL_TYPE(task_struct, task)->mm;
    if (!mm)
        return -NO_MEMORY;
    uint32_t mark =
        mark_of_mappings(mm); /* before it is gone through: what changes then is seen later */
    mapping->env = mm->env_start;
    mapping->env_bytes = (uint32_t)(mm->env_end - mm->env_start);
    if (mark == 0 || mark != last)
        rc = search(task, &address);
    mapping->mark = mark;
    mapping->address = address;
    return rc;
}

/* A function that the verifier looks at once. */
__noinline int find_mapping(uint32_t at)
{
    if (at >= TK_BPF_MAPPINGS_MAX)
        return 0;
    struct tk_bpf_mapping *mapping = &mappings.items[at];
    int rc = -NO_PROCESS;
    struct task_struct *task =
        has_vpids ? bpf_task_from_vpid(mapping->pid) : bpf_task_from_pid(mapping->pid);
    if (task) {
        rc = look_at(mapping, task);
        bpf_task_release(task);
    }
    mapping->rc = rc;
    return 0;
}

SEC("syscall")
int find_mappings(void *nothing __attribute__((unused)))
{
    uint32_t count = mappings.count;
    for (uint32_t i = 0; i < TK_BPF_MAPPINGS_MAX && i < count; i++)
        find_mapping(i);
    return 0;
}
