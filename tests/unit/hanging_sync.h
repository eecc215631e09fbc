/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that does not sync: fsync() and fdatasync() of this test program, in the place of the C
 * library's, return once `syncs_hang` is false again, else at once, however slow the disk of this
 * machine is. For one file of a program. */
#ifndef TK_HANGING_SYNC_H
#define TK_HANGING_SYNC_H

#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_bool syncs_hang;

static int wait_for_disk(void)
{
    while (atomic_load(&syncs_hang))
        (void)poll(NULL, 0, 1);
    return 0;
}

int fsync(int fd)
{
    (void)fd;
    return wait_for_disk();
}

int fdatasync(int fd)
{
    (void)fd;
    return wait_for_disk();
}

#endif
