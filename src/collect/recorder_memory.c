/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder's own memory. Starting (loading, reading the node, the first lists, the first rows
 * of all processes) touches more code and heap than recording does: 1.5 MB, which are given back.
 */
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>

#include "base/file.h"
#include "collect/recorder_internal.h"

#define PARTS_MAX 128

/* Code and constants of the program and its libraries. */
struct code {
    uintptr_t page_bytes;
    size_t count;
    struct {
        uintptr_t start, end;
    } parts[PARTS_MAX];
};

static int add_code(struct dl_phdr_info *library, size_t size, void *context)
{
    (void)size;
    struct code *code = context;
    for (int i = 0; i < library->dlpi_phnum && code->count < PARTS_MAX; i++) {
        const ElfW(Phdr) *segment = &library->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W))
            continue;
        uintptr_t start = library->dlpi_addr + segment->p_vaddr;
        code->parts[code->count].start = start & ~(code->page_bytes - 1);
        code->parts[code->count].end = start + segment->p_memsz;
        code->count++;
    }
    return 0;
}

/* Their pages leave our memory; those that recording runs on come back from the page cache at their
 * next use. All are listed first: the lists of segments lie in such pages, too. */
static void drop_code(uintptr_t page_bytes)
{
    struct code code = {.page_bytes = page_bytes};
    (void)dl_iterate_phdr(add_code, &code);
    for (size_t i = 0; i < code.count; i++) {
        uintptr_t start = code.parts[i].start;
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): the loader tells addresses as numbers */
        (void)madvise((void *)start, code.parts[i].end - start, MADV_DONTNEED);
    }
}

/* From now on VmHWM is the peak since now (proc_pid_clear_refs(5)). */
static void reset_peak(void)
{
    TK_CLEANUP(tk_fd_close) int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    struct tk_err ignored;
    if (fd >= 0 && tk_fd_write(fd, TK_STR("5"), "clear_refs", &ignored) < 0)
        return; /* an old kernel: the peak is of the start too */
}

/* Pages that are in use stay in memory, so that a machine that thrashes is recorded too; those that
 * were only reserved are not taken (MCL_ONFAULT). Allowed or not, it goes on. */
void tk_recorder_settle_memory(const struct tk_recorder *recorder)
{
    (void)malloc_trim(0);
    drop_code((uintptr_t)recorder->kernel.page_bytes);
    reset_peak();
    (void)mlockall(MCL_CURRENT | MCL_ONFAULT);
}
