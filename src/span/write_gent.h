/* SPDX-License-Identifier: Apache-2.0 */
/* How Gen-T's lines are written (trace-compression.md section 15.4): the options stand at the front
 * of the encoder's state, all zero = the default. */
#ifndef TK_SPAN_WRITE_GENT_H
#define TK_SPAN_WRITE_GENT_H

#include <stdbool.h>

struct tk_gent_options {
    bool compat;              /* names by http.url, no trace without edges, none of our keys */
    bool reversed;            /* edges from child to parent, as Gen-T makes them of Jaeger's */
    const char *service_type; /* of nodes that tell none; NULL = "otel" */
};

#endif
