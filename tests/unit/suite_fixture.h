/* SPDX-License-Identifier: Apache-2.0 */
/* A set of traces for tests of samplers, controls and baselines: a shop of three services. Every
 * tenth trace has an error, every seventh a second child, every thirteenth an orphan; one in fifty
 * is slow; some children start before their parents do. */
#ifndef TK_SUITE_FIXTURE_H
#define TK_SUITE_FIXTURE_H

#include <string.h>

#include "base/buf.h"
#include "span_table_fixture.h"

static inline void shop_trace(struct tk_buf *text, int i)
{
    bool is_slow = i % 50 == 49;
    int start_ms = 60000 + i * 37;
    tk_buf_printf(text,
                  "t%d r%d - front GET/ %dms %dms server http.method=GET component=web "
                  "http.status_code:=200\n",
                  i, i, start_ms, is_slow ? 700 + i / 50 : 20 + i % 9);
    tk_buf_printf(text, "t%d c%d r%d cart get %dms %dms %s component=grpc\n", i, i, i,
                  start_ms + (i % 31 == 0 ? -1 : 2), 5 + i % 4, i % 10 == 0 ? "error" : "client");
    if (i % 7 == 0)
        tk_buf_printf(text, "t%d d%d r%d price look %dms %dus\n", i, i, i, start_ms + 8, 10 * i);
    if (i % 13 == 0)
        tk_buf_printf(text, "t%d o%d gone price late %dms 0\n", i, i, start_ms + 9);
}

/* To be freed with tk_span_table_free(). */
static inline struct tk_span_table *shop_table(int traces)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, (size_t)16 << 20);
    for (int i = 0; i < traces; i++)
        shop_trace(&text, i);
    tk_buf_putc(&text, '\0');
    return table_of(text.n > 1 ? text.p : "");
}

/* The same, one row each: all but ids, unless `with_ids`. */
static inline void assert_same_tables(const struct tk_span_table *a, const struct tk_span_table *b,
                                      bool with_ids)
{
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->traces, b->traces);
    assert_int_equal(a->unit_ns, b->unit_ns);
    for (uint32_t t = 0; t < a->traces; t++) {
        assert_int_equal(a->trace_ends[t], b->trace_ends[t]);
        assert_near(a->weights[t], b->weights[t], 0);
        if (with_ids)
            assert_memory_equal(a->trace_ids[t], b->trace_ids[t], sizeof(a->trace_ids[t]));
    }
    for (uint32_t r = 0; r < a->rows; r++) {
        assert_int_equal(a->parents[r], b->parents[r]);
        assert_true(tk_str_eq(table_text(a, a->services[r]), table_text(b, b->services[r])));
        assert_true(tk_str_eq(table_text(a, a->operations[r]), table_text(b, b->operations[r])));
        assert_true(tk_str_eq(table_text(a, a->methods[r]), table_text(b, b->methods[r])));
        assert_int_equal(a->http_codes[r], b->http_codes[r]);
        assert_int_equal(a->kinds[r], b->kinds[r]);
        assert_int_equal(a->statuses[r], b->statuses[r]);
        assert_int_equal(a->issues[r], b->issues[r]);
        assert_int_equal(a->orphans[r], b->orphans[r]);
        assert_int_equal(a->start_ns[r], b->start_ns[r]);
        assert_int_equal(a->duration_ns[r], b->duration_ns[r]);
        for (int f = 0; f < TK_STR_FEATURES; f++)
            assert_true(tk_str_eq(table_text(a, a->str_features[f][r]),
                                  table_text(b, b->str_features[f][r])));
        for (int f = 0; f < TK_INT_FEATURES; f++)
            assert_int_equal(a->int_features[f][r], b->int_features[f][r]);
        if (with_ids)
            assert_int_equal(a->span_ids[r], b->span_ids[r]);
    }
}

#endif
