/* SPDX-License-Identifier: Apache-2.0 */
#include "step/ending.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/number.h"
#include "collect/procs_parse.h"
#include "step/job.h"

/* From linux/pidfd.h of 6.15, of which the headers may be older. */
struct pidfd_info {
    uint64_t mask, cgroup_id;
    uint32_t pid, tgid, ppid, ids[8];
    int32_t exit_code; /* as of wait(2) */
};

#define PIDFD_GET_INFO  _IOWR(0xff, 11, struct pidfd_info)
#define PIDFD_INFO_EXIT 8

/* One whose parent has not asked yet: the last number of its stat. */
static bool read_zombie(const struct tk_kernel *kernel, pid_t pid, int64_t born, int64_t *ret)
{
    char path[48];
    char buf[1024];
    tk_str text;
    struct tk_pid_stat stat;
    struct tk_err ignored;
    (void)snprintf(path, sizeof(path), "%d/stat", (int)pid);
    if (tk_file_read(kernel->procfd, path, buf, sizeof(buf), &text, &ignored) < 0 ||
        tk_pid_stat_parse(text, &stat) < 0 || stat.start_ticks != born || stat.state != 'Z')
        return false;
    text = tk_str_trim(text);
    size_t space = tk_str_find_last(text, ' ');
    return space < text.n && tk_parse_i64((tk_str){text.p + space + 1, text.n - space - 1}, ret);
}

static bool read_reaped(int pidfd, int64_t *ret)
{
    struct pidfd_info info = {.mask = PIDFD_INFO_EXIT};
    if (pidfd < 0 || ioctl(pidfd, PIDFD_GET_INFO, &info) < 0 || !(info.mask & PIDFD_INFO_EXIT))
        return false;
    *ret = info.exit_code;
    return true;
}

void tk_ending_read(const struct tk_kernel *kernel, int pidfd, pid_t pid, int64_t born,
                    struct tk_ending *ret)
{
    int64_t status;
    *ret = (struct tk_ending){TK_JOB_NONE, TK_JOB_NONE};
    /* In this order: it may be reaped in between. */
    if (!read_zombie(kernel, pid, born, &status) && !read_reaped(pidfd, &status))
        return;
    if (WIFSIGNALED((int)status)) {
        ret->signal = WTERMSIG((int)status);
        ret->exit_code = 128 + ret->signal;
    } else {
        ret->exit_code = WEXITSTATUS((int)status);
    }
}
