/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the files of /proc/PID. The three that are read often stay open for processes that run
 * often: a kept descriptor saves half of the cost (no path walk, no allocation), and after the
 * process's end it fails instead of reading another one that got its pid (tested for all three).
 * Each kept file costs the kernel about 4.5 KiB, and descriptors are limited: the processes that
 * ran longest ago give theirs back first. One thread at a time. */
#ifndef TK_COLLECT_PROCS_FILES_H
#define TK_COLLECT_PROCS_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

#define TK_NO_FILES UINT16_MAX

enum tk_proc_file {
    TK_FILE_STATM,
    TK_FILE_STAT,
    TK_FILE_IO,
    TK_FILE_KEPT, /* those before can be kept open */
    TK_FILE_STATUS = TK_FILE_KEPT,
    TK_FILE_SCHEDSTAT,
    TK_FILE_CGROUP,
    TK_FILE_CMDLINE,
    TK_FILE_LIMITS,
    TK_FILE_SMAPS_ROLLUP,
    TK_FILE_COUNT
};

enum tk_keep {
    TK_KEEP_NOT,
    TK_KEEP_IF_ROOM, /* unless it takes the last of the descriptors */
    TK_KEEP,         /* also in the place of a process that ran longer ago */
};

struct tk_proc_files_slot;

struct tk_proc_files {
    int procfd;                       /* borrowed */
    struct tk_proc_files_slot *slots; /* [max], owned; one per process with kept files */
    uint16_t slot_count;              /* ever used */
    uint16_t free_slot;               /* head of the list of those given back */
    uint16_t hand;                    /* slot to look at next when room is needed */
    uint16_t open, max;               /* kept descriptors, and the most of them */
    uint32_t tick;
    bool statm_only;  /* too many processes run for keeping all three files of each */
    int64_t syscalls; /* made so far */
    char buf[4096];   /* what was read last */
};

/* Keep at most as many descriptors as half of RLIMIT_NOFILE, and 2,000. */
TK_MUST_USE int tk_proc_files_init(struct tk_proc_files *files, int procfd, struct tk_err *err);
void tk_proc_files_release(struct tk_proc_files *files);

/* A new tick began, and `ran` processes ran in the last one. */
void tk_proc_files_begin_tick(struct tk_proc_files *files, uint32_t ran);

/* Read a file of a process, at most 4,095 bytes: `*ret_text` is good until the next read. `*slot`
 * is the process's slot and may change; with `keep` the file stays open if there is room. Returns
 * 0, -ESRCH when the process is gone, -EACCES when reading is refused, or another negative errno.
 */
TK_MUST_USE int tk_proc_files_read(struct tk_proc_files *files, pid_t pid, uint16_t *slot,
                                   enum tk_proc_file file, enum tk_keep keep, tk_str *ret_text);

/* Likewise a file of one thread, which is not kept: `task_fd` is the folder PID/task. */
TK_MUST_USE int tk_proc_files_read_thread(struct tk_proc_files *files, int task_fd, pid_t tid,
                                          enum tk_proc_file file, tk_str *ret_text);

/* Close what is kept of a process. */
void tk_proc_files_close(struct tk_proc_files *files, pid_t pid, uint16_t slot);

#endif
