/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "base/str.h"

/* Scheduler time of a process: the complement of the pid shifted by 3, low bits 2
 * (include/linux/posix-timers_types.h; clock_getcpuclockid(3) makes the same number, with one more
 * system call). */
#define CPUCLOCK_SCHED 2

/* The initial pid namespace has a fixed number (include/linux/proc_ns.h). */
#define INITIAL_PID_NS 4026531836

static int64_t host_mono_ns(void *world)
{
    (void)world;
    return tk_clock_mono_ns();
}

static int64_t host_boot_ns(void *world)
{
    (void)world;
    return tk_clock_boot_ns();
}

static int host_cpu_clock(void *world, pid_t pid, int64_t *ret_ns)
{
    (void)world;
    struct timespec t;
    clockid_t id = (clockid_t)(~(unsigned)pid << 3 | CPUCLOCK_SCHED);
    /* Not by clock_gettime(3), which asks the vdso in vain first: this is the hottest call. */
    if (syscall(SYS_clock_gettime, id, &t) < 0)
        return -ESRCH;
    *ret_ns = (int64_t)t.tv_sec * TK_NS_PER_S + t.tv_nsec;
    return 0;
}

static int host_read_memory(void *world, pid_t pid, uint64_t address, void *to, size_t n)
{
    (void)world;
    const struct iovec here = {to, n};
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): it is a pointer of another process */
    const struct iovec there = {(void *)(uintptr_t)address, n};
    ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
    if (got < 0)
        return -errno;
    return (size_t)got == n ? 0 : -EFAULT;
}

/* System calls take the pids of our own namespace, so the /proc at hand must be of the same one: a
 * container may see the host's /proc. */
static bool is_own_proc(const struct tk_kernel *kernel)
{
    char self[16] = "";
    return readlinkat(kernel->procfd, "self", self, sizeof(self) - 1) > 0 &&
           strtol(self, NULL, 10) == (long)getpid();
}

/* Some kernels have no such clocks. */
static bool has_cpu_clock(void)
{
    int64_t ns;
    return host_cpu_clock(NULL, getpid(), &ns) == 0;
}

/* A link to "pid:[NUMBER]"; 0 when this kernel has none. */
static int64_t read_pid_ns(const struct tk_kernel *kernel)
{
    char link[32];
    int64_t number;
    ssize_t n = readlinkat(kernel->procfd, "self/ns/pid", link, sizeof(link));
    tk_str text = {link, n > 0 ? (size_t)n : 0};
    bool is_known = tk_str_take_prefix(&text, TK_STR("pid:[")) && tk_scan_i64(&text, &number);
    return is_known ? number : 0;
}

/* "" when this kernel has none: identity is then (pid, start ticks) alone. */
static void read_boot_id(struct tk_kernel *kernel)
{
    char buf[sizeof(kernel->boot_id) + 1];
    tk_str text;
    struct tk_err ignored;
    if (tk_file_read(kernel->procfd, "sys/kernel/random/boot_id", buf, sizeof(buf), &text,
                     &ignored) == 0)
        (void)tk_str_to_cstr(tk_str_trim(text), kernel->boot_id, sizeof(kernel->boot_id));
}

int tk_kernel_open(struct tk_kernel *kernel, const char *root, struct tk_err *err)
{
    *kernel = (struct tk_kernel){
        .live = strcmp(root, "/") == 0,
        .rootfd = -1,
        .procfd = -1,
        .clk_tck = sysconf(_SC_CLK_TCK),
        .page_bytes = sysconf(_SC_PAGESIZE),
        .anchor = tk_anchor_now(),
        .mono_ns = host_mono_ns,
        .boot_ns = host_boot_ns,
    };
    int rc = tk_dir_open(AT_FDCWD, root, &kernel->rootfd, err);
    if (rc == 0)
        rc = tk_dir_open(kernel->rootfd, "proc", &kernel->procfd, err);
    if (rc < 0) {
        tk_kernel_close(kernel);
        return rc;
    }
    read_boot_id(kernel);
    kernel->pid_ns = read_pid_ns(kernel);
    kernel->pid_namespace = kernel->pid_ns != 0 && kernel->pid_ns != INITIAL_PID_NS;
    if (kernel->live && is_own_proc(kernel)) {
        kernel->cpu_clock = has_cpu_clock() ? host_cpu_clock : NULL;
        kernel->read_memory = host_read_memory;
    }
    return 0;
}

void tk_kernel_close(struct tk_kernel *kernel)
{
    if (!kernel->mono_ns)
        return;
    tk_fd_close(&kernel->rootfd);
    tk_fd_close(&kernel->procfd);
    *kernel = (struct tk_kernel){0};
}
