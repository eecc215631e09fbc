/* SPDX-License-Identifier: Apache-2.0 */
/* Spans out of nothing, as Jaeger's tracegen makes them (github.com/jaegertracing/jaeger,
 * internal/tracegen): traces of a root "lets-go" and children "child-span-00" ... of 123 us each
 * with attributes attr_00 ... and values val_00 ... that go round, so that sizes compare with
 * figures that others published. The same seed makes the same spans. One thread at a time. */
#ifndef TK_LOAD_SYNTHETIC_H
#define TK_LOAD_SYNTHETIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"

/* Zero = the default. */
struct tk_synthetic_opts {
    uint64_t spans;     /* in all */
    size_t trace_spans; /* of a trace, with its root; 0 = 10 */
    size_t services;    /* that the traces go round; 0 = 1 */
    size_t attributes;  /* of a child; 0 = 11 */
    size_t integers;    /* so many of them are numbers, tracegen has none */
    size_t keys;        /* that go round; 0 = 97 */
    size_t values;      /* that go round; 0 = 1000 */
    size_t span_bytes;  /* values are made longer until a span takes about so many bytes of OTLP,
                           and the root has the attributes, too; 0 = as tracegen */
    uint64_t seed;
    int64_t start_ns; /* of the first trace */
};

struct tk_synthetic {
    struct tk_synthetic_opts opts;
    uint64_t made;
    uint64_t key, value; /* next of the rounds */
    size_t padding;      /* bytes behind a value */
    struct tk_buf text;  /* scratch */
};

/* Spans by these options, which are copied. */
void tk_synthetic_init(struct tk_synthetic *synthetic, const struct tk_synthetic_opts *opts);

/* Free the memory. */
void tk_synthetic_release(struct tk_synthetic *synthetic);

/* Append spans to an empty batch until it is full (0), or all are made (1). -EMSGSIZE when it has
 * no room for a single one. */
TK_MUST_USE int tk_synthetic_next(struct tk_synthetic *synthetic, struct tk_span_batch *batch,
                                  struct tk_err *err);

#endif
