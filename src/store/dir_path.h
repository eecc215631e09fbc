/* SPDX-License-Identifier: Apache-2.0 */
/* Keys as paths of a directory store, and back.
 *
 * An ordinary key is its own path, so that people find "latest/build.json" where they expect it.
 * What a path cannot hold is written with '%', which itself is "%25":
 *
 *     control characters and '%'   %XX, upper case
 *     parts "." and ".."           %2E and %2E%2E
 *     an empty part                %e              "x//y" is x/%e/y, "x/" is x/%e
 *     a long part                  cut into folders whose names end in %+
 *     a folder beside a file       ends in %d      of one name, "a" and "a/b": who came
 *     a file beside a folder       ends in %f      first has the plain name
 *     folder of temporary files    %tmp
 *
 * Pure functions. */
#ifndef TK_STORE_DIR_PATH_H
#define TK_STORE_DIR_PATH_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define TK_DIR_TEMPORARY "%tmp"

/* Parts that a path may have; a key with more is refused. */
#define TK_DIR_DEPTH_MAX 128

/* Longest name that is not cut, in bytes; "%+", "%d" and "%f" still fit. */
#define TK_DIR_NAME_MAX 200

struct tk_dir_path {
    char text[8 << 10];                  /* the names, each terminated */
    const char *names[TK_DIR_DEPTH_MAX]; /* into `text` */
    size_t count;                        /* of names, 1 at least */
};

/* The names of a key, none with %d or %f. -ENAMETOOLONG when there are too many. */
TK_MUST_USE int tk_dir_path_encode(tk_str key, struct tk_dir_path *ret_path, struct tk_err *err);

/* Append what the name of a file or folder stands for in a key: "a/" for the folder "a" or "a%d",
 * "a" for the file "a" or "a%f" and for the folder "a%+". False when it stands for nothing, as no
 * key has such a name. */
bool tk_dir_name_decode(tk_str name, bool is_folder, struct tk_buf *key);

/* The folder of this name holds the rest of a part that was cut. */
bool tk_dir_name_is_cut(tk_str name);

#endif
