/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of a test that is open: what takes a descriptor is given one. */
#ifndef TK_TEST_PLACE_H
#define TK_TEST_PLACE_H

#include "tk_folder.h"

struct place {
    char path[PATH_MAX];
    int fd;
};

static inline void place_make(struct place *place)
{
    struct tk_err err;
    folder_make(place->path);
    assert_int_equal(tk_dir_open(AT_FDCWD, place->path, &place->fd, &err), 0);
}

static inline void place_remove(struct place *place)
{
    tk_fd_close(&place->fd);
    folder_remove(place->path);
}

#endif
