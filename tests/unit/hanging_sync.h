/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that does not sync: fsync() and fdatasync() of this test program, in the place of the C
 * library's, return once `syncs_hang` is false again. For one file of a program. */
#ifndef TK_HANGING_SYNC_H
#define TK_HANGING_SYNC_H

#include <poll.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_bool syncs_hang;

static void wait_for_disk(void)
{
    while (atomic_load(&syncs_hang))
        (void)poll(NULL, 0, 1);
}

int fsync(int fd)
{
    wait_for_disk();
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    wait_for_disk();
    return (int)syscall(SYS_fdatasync, fd);
}

#endif
