/* SPDX-License-Identifier: Apache-2.0 */
/* Forests for the tests of the codec: of a few lines of text, and random ones. A trace a line, with
 * its start in us; then its spans as a tree,
 *
 *     100 web/get@0+90(cart/add@5+40!(db/put@6+20) db/put@50+10?) late/job@95+5
 *
 * where a span is SERVICE/OPERATION@START+DURATION in us since the start of the trace, "!" = status
 * error, "?" = names a parent that is not there, and its children stand in parentheses. The batch
 * that the forest was built from goes with it. */
#ifndef TK_FOREST_FIXTURE_H
#define TK_FOREST_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "codec/draw.h"
#include "codec/forest.h"
#include "span_maker.h"

#define FIXTURE_DEPTH 64
#define FIXTURE_ROWS  65536

struct fixture {
    struct tk_span_batch *batch;
    struct tk_forest forest;
};

static inline void fixture_init(struct fixture *fixture, size_t max_rows)
{
    struct tk_err err;
    *fixture = (struct fixture){0};
    assert_int_equal(tk_span_batch_new(max_rows, &fixture->batch, &err), 0);
}

/* Build the forest of all rows that were added. */
static inline void fixture_build(struct fixture *fixture)
{
    struct tk_err err = {0};
    const struct tk_span_rows rows = {fixture->batch, NULL, fixture->batch->rows};
    if (tk_forest_build(&fixture->forest, &rows, &err) != 0)
        fail_msg("%s", err.msg);
}

static inline void fixture_release(struct fixture *fixture)
{
    tk_forest_release(&fixture->forest);
    tk_span_batch_free(fixture->batch);
    *fixture = (struct fixture){0};
}

/* A span id that is not zero. */
static inline uint64_t fixture_id(uint64_t number)
{
    return tk_draw_round(number * 2 + 1) | 1;
}

static inline int64_t fixture_number(const char **text)
{
    char *end;
    int64_t number = strtoll(*text, &end, 10);
    assert_true(end != *text);
    *text = end;
    return number;
}

/* Read SERVICE/OPERATION@START+DURATION and its marks. */
static inline void fixture_span(const char **text, int64_t trace_us, uint64_t parent,
                                struct tk_span_batch *batch, uint64_t trace)
{
    char service[64];
    char name[64];
    int used;
    assert_int_equal(sscanf(*text, "%63[^/]/%63[^@]@%n", service, name, &used), 2);
    *text += used;
    struct made_span span = {.service = service, .name = name, .trace = trace};
    span.start_ns = (trace_us + fixture_number(text)) * 1000;
    span.duration_ns = fixture_number(text) * 1000;
    span.id = fixture_id(batch->rows);
    span.parent = parent;
    span.kind = TK_SPAN_SERVER;
    for (; **text == '!' || **text == '?'; (*text)++) {
        if (**text == '!')
            span.status = TK_SPAN_ERROR;
        else
            span.parent = fixture_id(FIXTURE_ROWS + batch->rows);
    }
    made_add(batch, &span, 1);
}

/* Add the rows of one line, which ends at a line end or NUL. */
static inline const char *fixture_line(struct fixture *fixture, const char *text, uint64_t trace)
{
    uint64_t parents[FIXTURE_DEPTH] = {0};
    size_t depth = 0;
    int64_t trace_us = fixture_number(&text);
    for (; *text != '\n' && *text != '\0';) {
        if (*text == '(') {
            assert_true(depth + 1 < FIXTURE_DEPTH);
            parents[++depth] = fixture_id(fixture->batch->rows - 1);
            text++;
        } else if (*text == ')') {
            assert_true(depth > 0);
            depth--;
            text++;
        } else if (*text == ' ') {
            text++;
        } else {
            fixture_span(&text, trace_us, parents[depth], fixture->batch, trace);
        }
    }
    return *text == '\n' ? text + 1 : text;
}

/* The forest of some lines; fixture_release() it. */
static inline void fixture_plant(struct fixture *fixture, const char *text)
{
    fixture_init(fixture, FIXTURE_ROWS);
    for (uint64_t trace = 1; *text; trace++)
        text = fixture_line(fixture, text, trace);
    fixture_build(fixture);
}

struct fixture_random {
    uint64_t seed;
    uint32_t traces;
    uint32_t max_spans;  /* of a trace; 0 = 12 */
    uint32_t operations; /* 0 = 10; of three services */
    int64_t tick_ns;     /* 0 = 1000 */
    bool is_skewed;      /* some spans start before their parents, some outlive them */
};

/* A number below `n` that follows from the seed and three numbers. */
static inline uint64_t fixture_draw(const struct fixture_random *random, uint64_t trace,
                                    uint32_t span, uint32_t field, uint64_t n)
{
    return tk_draw_below(tk_draw(random->seed, (uint32_t)trace, span, field), n);
}

/* Add a span of a random trace: its parent is an earlier one, so shapes come again and vary. */
static inline void fixture_random_span(struct fixture *fixture, const struct fixture_random *random,
                                       uint64_t trace, uint32_t i, size_t first)
{
    static const char *const services[] = {"cart", "front", "storage"};
    struct tk_span_batch *batch = fixture->batch;
    int64_t tick_ns = random->tick_ns ? random->tick_ns : 1000;
    uint64_t kind = fixture_draw(random, trace, 0, 20, 5); /* of trace: few trees */
    uint64_t noise = fixture_draw(random, trace, i, 21, 40) == 0;
    uint64_t operation =
        tk_draw_round(kind * 1000 + i + noise) % (random->operations ? random->operations : 10);
    char name[32];
    (void)snprintf(name, sizeof(name), "operation-%u", (unsigned)operation);
    struct made_span span = {.service = services[operation % 3], .name = name, .trace = trace + 1};
    span.id = fixture_id(batch->rows);
    span.kind = (uint8_t)(1 + operation % 5);
    span.status = noise ? TK_SPAN_ERROR : TK_SPAN_UNSET;
    span.duration_ns = tick_ns * (int64_t)(fixture_draw(random, trace, i, 22, 1000) << operation);
    if (i == 0) {
        span.start_ns = tick_ns * (int64_t)(trace * 700 + fixture_draw(random, trace, 0, 23, 999));
    } else {
        size_t parent = first + tk_draw_round(kind * 7777 + i) % i;
        span.parent = fixture_id(parent);
        span.start_ns = batch->start_ns[parent] +
                        tick_ns * (int64_t)fixture_draw(random, trace, i, 24, 300) -
                        (random->is_skewed && i % 4 == 3 ? 100 * tick_ns : 0);
        if (!random->is_skewed && span.duration_ns > batch->duration_ns[parent])
            span.duration_ns = batch->duration_ns[parent] / 2 / tick_ns * tick_ns;
        if (noise && i % 5 == 4)
            span.parent = fixture_id(FIXTURE_ROWS + batch->rows);
    }
    made_add(batch, &span, 1);
}

/* A random forest; fixture_release() it. */
static inline void fixture_grow(struct fixture *fixture, const struct fixture_random *random)
{
    uint32_t most = random->max_spans ? random->max_spans : 12;
    fixture_init(fixture, (size_t)random->traces * most + 1);
    for (uint64_t trace = 0; trace < random->traces; trace++) {
        uint64_t kind = fixture_draw(random, trace, 0, 20, 5);
        uint32_t n = 1 + (uint32_t)((kind * 3 + fixture_draw(random, trace, 0, 25, 2)) % most);
        size_t first = fixture->batch->rows;
        for (uint32_t i = 0; i < n; i++)
            fixture_random_span(fixture, random, trace, i, first);
    }
    fixture_build(fixture);
}

static inline void fixture_put(char *to, size_t cap, const char *text)
{
    size_t n = strlen(to);
    assert_true(n + strlen(text) < cap);
    memcpy(to + n, text, strlen(text) + 1);
}

/* Append node `i` without its children, in the form above. */
static inline void fixture_put_node(const struct tk_forest *forest, uint32_t i, char *to,
                                    size_t cap)
{
    char text[256];
    const struct tk_symbol *symbol = &forest->symbols[forest->node_symbols[i]];
    (void)snprintf(text, sizeof(text), "%.*s/%.*s@%lld+%lld%s%s",
                   TK_STR_ARG(tk_texts_get(&forest->dictionary, symbol->service)),
                   TK_STR_ARG(tk_texts_get(&forest->dictionary, symbol->operation)),
                   (long long)forest->starts[i], (long long)forest->durations[i],
                   symbol->status == TK_SPAN_ERROR ? "!" : "", symbol->orphan ? "?" : "");
    fixture_put(to, cap, text);
}

/* The forest in the form that fixture_plant() takes, times in ticks. */
static inline void fixture_format(const struct tk_forest *forest, char *to, size_t cap)
{
    uint32_t ends[FIXTURE_DEPTH];
    *to = '\0';
    for (uint32_t trace = 0; trace < forest->trace_count; trace++) {
        char start[32];
        size_t depth = 0;
        (void)snprintf(start, sizeof(start), "%s%lld", trace > 0 ? "\n" : "",
                       (long long)forest->trace_starts[trace]);
        fixture_put(to, cap, start);
        for (uint32_t i = tk_forest_begin(forest, trace); i < forest->trace_ends[trace]; i++) {
            bool is_first = to[strlen(to) - 1] == '(';
            fixture_put(to, cap, is_first ? "" : " ");
            fixture_put_node(forest, i, to, cap);
            if (forest->sizes[i] > 1) {
                assert_true(depth < FIXTURE_DEPTH);
                ends[depth++] = i + forest->sizes[i];
                fixture_put(to, cap, "(");
            }
            for (; depth > 0 && ends[depth - 1] == i + 1; depth--)
                fixture_put(to, cap, ")");
        }
    }
}

#endif
