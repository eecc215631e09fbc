/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/procs_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/number.h"

#define PATH_BYTES (TK_I64_MAX + 24)
#define MAX_KEPT   2000
#define IDLE_TICKS 2  /* who was not read for longer gives way */
#define FIND_STEPS 16 /* slots to look at for room before a file is read without keeping it */

/* Kept descriptors of one process. */
struct tk_proc_files_slot {
    pid_t pid; /* 0 = free */
    int fd[TK_FILE_KEPT];
    uint32_t tick; /* of the last use; of a free slot: the next free one */
};

static const char *const file_names[TK_FILE_COUNT] = {
    [TK_FILE_STATM] = "statm",
    [TK_FILE_STAT] = "stat",
    [TK_FILE_IO] = "io",
    [TK_FILE_STATUS] = "status",
    [TK_FILE_SCHEDSTAT] = "schedstat",
    [TK_FILE_CGROUP] = "cgroup",
    [TK_FILE_CMDLINE] = "cmdline",
    [TK_FILE_LIMITS] = "limits",
    [TK_FILE_SMAPS_ROLLUP] = "smaps_rollup",
};

int tk_proc_files_init(struct tk_proc_files *files, int procfd, struct tk_err *err)
{
    struct rlimit limit;
    rlim_t half = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur / 2 : 0;
    *files = (struct tk_proc_files){
        .procfd = procfd,
        .free_slot = TK_NO_FILES,
        .max = (uint16_t)(half < MAX_KEPT ? half : MAX_KEPT),
    };
    files->slots = calloc(files->max + 1U, sizeof(*files->slots));
    return files->slots ? 0 : tk_fail(err, -ENOMEM, "kept files: out of memory");
}

/* Kept slots ------------------------------------------------------------------------ */

static void close_fd(struct tk_proc_files *files, int *fd)
{
    if (*fd < 0)
        return;
    close(*fd);
    *fd = -1;
    files->open--;
    files->syscalls++;
}

static void slot_free(struct tk_proc_files *files, uint16_t i)
{
    struct tk_proc_files_slot *slot = &files->slots[i];
    for (int file = 0; file < TK_FILE_KEPT; file++)
        close_fd(files, &slot->fd[file]);
    slot->pid = 0;
    slot->tick = files->free_slot;
    files->free_slot = i;
}

void tk_proc_files_release(struct tk_proc_files *files)
{
    for (uint16_t i = 0; i < files->slot_count; i++) {
        if (files->slots[i].pid != 0)
            slot_free(files, i);
    }
    free(files->slots);
    *files = (struct tk_proc_files){0};
}

void tk_proc_files_begin_tick(struct tk_proc_files *files, uint32_t ran)
{
    files->tick++;
    files->statm_only = ran * TK_FILE_KEPT > files->max;
}

/* Make room for a descriptor: of a process that did not run lately, or a file that is not worth
 * keeping when many run. */
static bool make_room(struct tk_proc_files *files)
{
    for (int step = 0; step < FIND_STEPS && files->slot_count > 0; step++) {
        uint16_t i = files->hand++ % files->slot_count;
        struct tk_proc_files_slot *slot = &files->slots[i];
        uint16_t before = files->open;
        if (slot->pid == 0)
            continue;
        if (files->tick - slot->tick > IDLE_TICKS) {
            slot_free(files, i);
        } else if (files->statm_only) {
            close_fd(files, &slot->fd[TK_FILE_STAT]);
            close_fd(files, &slot->fd[TK_FILE_IO]);
        }
        if (files->open < before)
            return true;
    }
    return false;
}

/* A slot for a process that has none. Each slot in use holds a descriptor, so with room for one
 * there is a slot. */
static uint16_t slot_new(struct tk_proc_files *files, pid_t pid)
{
    uint16_t i = files->free_slot;
    if (i != TK_NO_FILES) {
        files->free_slot = (uint16_t)files->slots[i].tick;
    } else {
        i = files->slot_count++;
    }
    files->slots[i] = (struct tk_proc_files_slot){.pid = pid, .fd = {-1, -1, -1}};
    return i;
}

/* The process's slot; NULL when it has none, or has lost it. */
static struct tk_proc_files_slot *slot_of(struct tk_proc_files *files, pid_t pid, uint16_t slot)
{
    return slot < files->slot_count && files->slots[slot].pid == pid ? &files->slots[slot] : NULL;
}

void tk_proc_files_close(struct tk_proc_files *files, pid_t pid, uint16_t slot)
{
    if (slot_of(files, pid, slot))
        slot_free(files, slot);
}

/* Reading --------------------------------------------------------------------------- */

/* "PID/NAME" into `path`. */
static void path_of(pid_t pid, enum tk_proc_file file, char path[PATH_BYTES])
{
    size_t n = tk_i64_format(pid, path);
    path[n++] = '/';
    memcpy(path + n, file_names[file], strlen(file_names[file]) + 1);
}

/* Codes of a missing process and of a refused one come in several forms. */
static int plain_code(int code)
{
    if (code == ENOENT || code == ESRCH)
        return -ESRCH;
    return code == EPERM || code == EACCES ? -EACCES : -code;
}

static int read_fd(struct tk_proc_files *files, int fd, tk_str *ret_text)
{
    files->syscalls++;
    ssize_t n = pread(fd, files->buf, sizeof(files->buf) - 1, 0);
    if (n < 0)
        return plain_code(errno);
    *ret_text = (tk_str){files->buf, (size_t)n};
    return 0;
}

/* Keep `fd` for the process. There must be room. */
static void keep_fd(struct tk_proc_files *files, pid_t pid, uint16_t *slot, enum tk_proc_file file,
                    int fd)
{
    struct tk_proc_files_slot *kept = slot_of(files, pid, *slot); /* after making room */
    if (!kept) {
        *slot = slot_new(files, pid);
        kept = &files->slots[*slot];
    }
    kept->fd[file] = fd;
    kept->tick = files->tick;
    files->open++;
}

/* Whether a file is to be kept, and there is room for it, perhaps made now. */
static bool has_room(struct tk_proc_files *files, enum tk_proc_file file, enum tk_keep keep)
{
    if (keep == TK_KEEP_NOT || file >= TK_FILE_KEPT || (files->statm_only && file != TK_FILE_STATM))
        return false;
    if (keep == TK_KEEP_IF_ROOM)
        return files->open < files->max - files->max / 16;
    return files->open < files->max || make_room(files);
}

/* An open file below `dirfd`, or a negative errno. */
static int open_file(struct tk_proc_files *files, int dirfd, const char *path)
{
    files->syscalls++;
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == EMFILE && make_room(files)) {
        files->syscalls++;
        fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    }
    return fd < 0 ? plain_code(errno) : fd;
}

int tk_proc_files_read_thread(struct tk_proc_files *files, int task_fd, pid_t tid,
                              enum tk_proc_file file, tk_str *ret_text)
{
    char path[PATH_BYTES];
    path_of(tid, file, path);
    int fd = open_file(files, task_fd, path);
    if (fd < 0)
        return fd;
    int rc = read_fd(files, fd, ret_text);
    close(fd);
    files->syscalls++;
    return rc;
}

int tk_proc_files_read(struct tk_proc_files *files, pid_t pid, uint16_t *slot,
                       enum tk_proc_file file, enum tk_keep keep, tk_str *ret_text)
{
    struct tk_proc_files_slot *kept = slot_of(files, pid, *slot);
    if (kept && file < TK_FILE_KEPT && kept->fd[file] >= 0) {
        kept->tick = files->tick;
        return read_fd(files, kept->fd[file], ret_text);
    }
    char path[PATH_BYTES];
    path_of(pid, file, path);
    int fd = open_file(files, files->procfd, path);
    if (fd < 0)
        return fd;
    int rc = read_fd(files, fd, ret_text);
    if (rc == 0 && has_room(files, file, keep)) {
        keep_fd(files, pid, slot, file, fd);
        return 0;
    }
    close(fd);
    files->syscalls++;
    return rc;
}
