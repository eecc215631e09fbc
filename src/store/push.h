/* SPDX-License-Identifier: Apache-2.0 */
/* A spool: objects are put into a directory store first, which is always up, and pushed to another
 * store when that is there (object-store.md section 10). A key of a spool is written once. An
 * object leaves the spool when the other store has confirmed it, so that a push that is killed
 * loses nothing, and the next one goes on where it was. */
#ifndef TK_STORE_PUSH_H
#define TK_STORE_PUSH_H

#include "store/store.h"

struct tk_push {
    uint64_t objects, bytes; /* that arrived */
    uint64_t waiting;        /* objects that are still in the spool */
    uint64_t waiting_bytes;
};

/* Move all objects from `spool` to `to`, by byte order of keys; what `to` has under a key is
 * replaced. `ret_push` is set in any case. The first object that does not arrive ends it, with the
 * failure of `to`; an empty spool is success. */
TK_MUST_USE int tk_store_push(struct tk_store *spool, struct tk_store *to, struct tk_push *ret_push,
                              struct tk_err *err);

#endif
