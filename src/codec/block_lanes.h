/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks by several threads, handed on in their order: each thread takes the next index, works on
 * it, waits for its turn, hands the result on, and so on. What is handed on is the same for any
 * number of threads. */
#ifndef TK_CODEC_BLOCK_LANES_H
#define TK_CODEC_BLOCK_LANES_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

struct tk_block_lanes;

struct tk_block_job {
    size_t count;     /* indexes 0 to count - 1 */
    uint32_t threads; /* 0 = 1 */
    void *user;

    /* What a thread needs for itself, once; NULL = nothing. */
    TK_MUST_USE int (*open)(void *user, void **ret_own, struct tk_err *err);
    void (*close)(void *own);

    /* Do index `index`: what may run at the same time as others first, then, after
     * tk_block_lanes_wait(), what must not. */
    TK_MUST_USE int (*work)(struct tk_block_lanes *lanes, void *user, void *own, size_t index,
                            struct tk_err *err);
};

/* The first failure, by index, or 0. Work behind a failure may or may not be done, but never waits
 * its turn: tk_block_lanes_wait() fails. */
TK_MUST_USE int tk_block_lanes_run(const struct tk_block_job *job, struct tk_err *err);

/* Wait until all indexes before this one are done; -ECANCELED when one of them failed. */
TK_MUST_USE int tk_block_lanes_wait(struct tk_block_lanes *lanes, size_t index);

#endif
