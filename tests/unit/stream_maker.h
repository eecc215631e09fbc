/* SPDX-License-Identifier: Apache-2.0 */
/* Files of `.tkz` by hand, for tests of what does not look into sections. */
#ifndef TK_STREAM_MAKER_H
#define TK_STREAM_MAKER_H

#include "codec/codec.h"
#include "tk_test.h"

/* Sections of so many bytes each. */
struct made_section {
    uint32_t type;
    size_t n;
};

struct made_block {
    uint64_t number;
    uint32_t traces;
    int64_t origin_ns;
    uint32_t mode;
    uint32_t planes;
    struct made_section sections[12]; /* up to the first of type 0 */
    uint32_t attrs, min_count, kept_per_mille;
    bool no_ids;
};

static inline void made_block_put(struct tk_buf *out, const struct made_block *made)
{
    static const char bytes[1024] = "bytes of a section";
    struct tk_section sections[12];
    size_t count = 0;
    for (; count < 12 && made->sections[count].type > 0; count++) {
        const struct made_section *from = &made->sections[count];
        assert_true(from->n <= sizeof(bytes));
        sections[count] = (struct tk_section){.type = from->type,
                                              .required = from->type <= TK_SECTION_ARRIVALS,
                                              .bytes = {bytes, from->n}};
    }
    tk_block_put(out,
                 &(struct tk_block_head){.traces = made->traces,
                                         .nodes = made->traces * 3,
                                         .number = made->number,
                                         .seed = 1,
                                         .origin_ns = made->origin_ns,
                                         .tick_ns = 1,
                                         .end_ns = made->origin_ns + 50,
                                         .mode = made->mode,
                                         .planes = made->planes,
                                         .attrs = made->attrs,
                                         .min_count = made->min_count,
                                         .kept_per_mille = made->kept_per_mille,
                                         .no_ids = made->no_ids,
                                         .spans_in = made->traces * UINT64_C(4)},
                 sections, count);
    assert_true(tk_buf_ok(out));
}

/* An output into a buffer. */
static inline int made_write(void *context, tk_str bytes, struct tk_err *err)
{
    struct tk_buf *out = context;
    tk_buf_put(out, bytes);
    return tk_buf_check(out, "file", err);
}

#endif
