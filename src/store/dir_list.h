/* SPDX-License-Identifier: Apache-2.0 */
/* Walk the folders of a directory store by byte order of keys. */
#ifndef TK_STORE_DIR_LIST_H
#define TK_STORE_DIR_LIST_H

#include <sys/stat.h>

#include "store/store_internal.h"

/* The etag of a file: where it lies, its size and when it changed. */
void tk_dir_etag(const struct stat *st, char ret_etag[TK_STORE_ETAG_MAX]);

/* What is asked for; the parameters of tk_store_list(). */
struct tk_dir_query {
    tk_str prefix, after;
    tk_store_visit_fn visit;
    void *into;
};

/* As tk_store_list(), below the folder `rootfd`. Folders that nothing of the list can lie in are
 * not opened, symbolic links not followed, and files that stand for no key passed over. */
TK_MUST_USE int tk_dir_list(const struct tk_store *store, int rootfd,
                            const struct tk_dir_query *query, struct tk_err *err);

#endif
