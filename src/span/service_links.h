/* SPDX-License-Identifier: Apache-2.0 */
/* Which service calls which: a link for each span whose parent is of another service. Used as
 * operation_times.h: all spans come tk_service_links_parts() times. One thread at a time. */
#ifndef TK_SPAN_SERVICE_LINKS_H
#define TK_SPAN_SERVICE_LINKS_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"

struct tk_service_link {
    tk_str parent;
    tk_str child;
    uint64_t calls;
    uint64_t errors; /* calls whose span at the child has the status error */
};

struct tk_service_links;

/* For at most `max_spans` spans. -ENOMEM. */
TK_MUST_USE int tk_service_links_new(uint64_t max_spans, struct tk_service_links **ret_links,
                                     struct tk_err *err);

/* Accepts NULL; for TK_CLEANUP. */
void tk_service_links_freep(struct tk_service_links **links);

/* How many times all spans have to come. */
uint32_t tk_service_links_parts(const struct tk_service_links *links);

TK_MUST_USE int tk_service_links_add(struct tk_service_links *links,
                                     const struct tk_span_rows *rows, struct tk_err *err);
TK_MUST_USE int tk_service_links_next_part(struct tk_service_links *links, struct tk_err *err);

/* The links by parent and child; theirs until they are freed. */
TK_MUST_USE int tk_service_links_finish(struct tk_service_links *links,
                                        const struct tk_service_link **ret_items, size_t *ret_n,
                                        struct tk_err *err);

#endif
