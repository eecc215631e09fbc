/* SPDX-License-Identifier: Apache-2.0 */
/* The shared data sets have the traits that trace-fidelity.md section 17 gives: what readers and
 * table make of real files. What stands in no table there (exact counts of what is told in per
 * cent, the lines of spans) is as found. Children that start after the end outlive their parent,
 * too. */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "cmd/span_input.h"
#include "fidelity/span_table.h"
#include "tk_test.h"

#define SHORT_NS (5 * TK_NS_PER_MS)

/* What a set is counted to have. */
struct traits {
    uint64_t traces, spans, duplicates;
    uint64_t short_ids; /* of 64 bits, with zeros in front */
    uint64_t longest, single_span_traces;
    uint64_t services, names, operations;
    uint64_t internal, server, client, unset, ok, error, error_traces;
    uint64_t roots, orphans, several_roots;
    uint64_t early, outliving, after_end;
    uint64_t zero_durations, whole_us, whole_ms;
    uint64_t long_spans, long_roots;
    uint64_t window_s;
    uint64_t error_shapes, shapes; /* with and without the error bits */
    double shape_bits;             /* entropy of the former */

    /* Of the batches. */
    uint64_t attrs, keys, bools, arrays;
    uint64_t events, links, flagged, dropping, messages;
    uint64_t scattered; /* traces with rows of others between theirs */
};

static uint64_t distinct(const uint32_t *a, const uint32_t *b, uint32_t rows)
{
    struct tk_map map = {0};
    for (uint32_t row = 0; row < rows; row++)
        assert_int_equal(tk_map_add(&map, (uint64_t)a[row] << 32 | (b ? b[row] : 0), 0), 0);
    uint64_t count = map.count;
    tk_map_release(&map);
    return count;
}

static void count_edge(const struct tk_span_table *table, uint32_t row, struct traits *traits)
{
    uint32_t parent = table->parents[row];
    int64_t start = table->start_ns[row];
    int64_t parent_start = table->start_ns[parent];
    int64_t parent_end = parent_start + table->duration_ns[parent];
    traits->early += start < parent_start;
    traits->outliving += start + table->duration_ns[row] > parent_end;
    traits->after_end += start > parent_end;
}

static void count_row(const struct tk_span_table *table, uint32_t row, struct traits *traits)
{
    bool is_top = tk_span_table_is_top(table, row);
    int64_t duration = table->duration_ns[row];
    traits->internal += table->kinds[row] == TK_SPAN_INTERNAL;
    traits->server += table->kinds[row] == TK_SPAN_SERVER;
    traits->client += table->kinds[row] == TK_SPAN_CLIENT;
    traits->unset += table->statuses[row] == TK_SPAN_UNSET;
    traits->ok += table->statuses[row] == TK_SPAN_OK;
    traits->error += table->statuses[row] == TK_SPAN_ERROR;
    traits->orphans += table->orphans[row];
    traits->roots += is_top && !table->orphans[row];
    traits->zero_durations += duration == 0;
    traits->whole_us += table->start_ns[row] % TK_NS_PER_US == 0;
    traits->whole_ms += table->start_ns[row] % TK_NS_PER_MS == 0;
    traits->long_spans += duration >= SHORT_NS;
    traits->long_roots += is_top && duration >= SHORT_NS;
    if (!is_top)
        count_edge(table, row, traits);
}

static void count_trace(const struct tk_span_table *table, uint32_t trace, struct traits *traits)
{
    uint32_t begin = tk_span_table_begin(table, trace);
    uint32_t rows = table->trace_ends[trace] - begin;
    uint64_t errors = traits->error;
    uint64_t tops = 0;
    for (uint32_t row = begin; row < begin + rows; row++) {
        count_row(table, row, traits);
        tops += tk_span_table_is_top(table, row);
    }
    traits->longest = rows > traits->longest ? rows : traits->longest;
    traits->single_span_traces += rows == 1;
    traits->short_ids += memcmp(table->trace_ids[trace], (const uint8_t[8]){0}, 8) == 0;
    traits->several_roots += tops > 1;
    traits->error_traces += traits->error > errors;
}

static void count_traits(const struct tk_span_table *table, struct traits *traits)
{
    int64_t first = INT64_MAX;
    int64_t last = INT64_MIN;
    for (uint32_t trace = 0; trace < table->traces; trace++)
        count_trace(table, trace, traits);
    for (uint32_t row = 0; row < table->rows; row++) {
        int64_t end = table->start_ns[row] + table->duration_ns[row];
        first = table->start_ns[row] < first ? table->start_ns[row] : first;
        last = end > last ? end : last;
    }
    traits->traces = table->traces;
    traits->spans = table->rows;
    traits->services = distinct(table->services, NULL, table->rows);
    traits->names = distinct(table->operations, NULL, table->rows);
    traits->operations = distinct(table->services, table->operations, table->rows);
    traits->window_s = (uint64_t)((last - first + TK_NS_PER_S / 2) / TK_NS_PER_S);
}

/* Shapes --------------------------------------------------------------------------------------- */

/* Hash of a trace's tree: operations with their errors, children by their start. */
static uint64_t shape_of(const struct tk_span_table *table, uint32_t trace, bool with_errors)
{
    uint32_t begin = tk_span_table_begin(table, trace);
    uint32_t rows = table->trace_ends[trace] - begin;
    uint64_t *hashes = calloc(rows, sizeof(*hashes));
    uint32_t *depths = calloc(rows, sizeof(*depths));
    uint64_t shape = 0;
    uint32_t deepest = 0;
    assert_non_null(hashes);
    assert_non_null(depths);
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t operation = tk_hash_mix(table->services[begin + i], table->operations[begin + i]);
        uint64_t has_error = with_errors && table->statuses[begin + i] == TK_SPAN_ERROR;
        hashes[i] = tk_hash_mix(operation, has_error);
        for (uint32_t up = begin + i; table->parents[up] != TK_ROW_TOP; up = table->parents[up])
            depths[i]++;
        deepest = depths[i] > deepest ? depths[i] : deepest;
    }
    for (uint32_t depth = deepest + 1; depth-- > 0;) {
        for (uint32_t i = 0; i < rows; i++) {
            uint32_t parent = table->parents[begin + i];
            uint64_t *above = parent == TK_ROW_TOP ? &shape : &hashes[parent - begin];
            if (depths[i] == depth)
                *above = tk_hash_mix(*above, hashes[i]);
        }
    }
    free(depths);
    free(hashes);
    return shape;
}

static void count_shapes(const struct tk_span_table *table, bool with_errors, uint64_t *ret_count,
                         double *ret_bits)
{
    struct tk_map map = {0};
    uint64_t *counts = calloc(table->traces + 1, sizeof(*counts));
    assert_non_null(counts);
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        uint64_t shape = shape_of(table, trace, with_errors);
        uint32_t at = (uint32_t)map.count;
        if (!tk_map_find(&map, shape, &at))
            assert_int_equal(tk_map_add(&map, shape, at), 0);
        counts[at]++;
    }
    *ret_bits = 0;
    for (size_t i = 0; i < map.count; i++) {
        double share = (double)counts[i] / table->traces;
        *ret_bits -= share * log2(share);
    }
    *ret_count = map.count;
    tk_map_release(&map);
    free(counts);
}

/* Batches -------------------------------------------------------------------------------------- */

/* A source whose batches are looked at on their way. */
struct watching {
    struct tk_span_source source;
    struct traits *traits;
    struct tk_texts keys;
    struct tk_map traces; /* hash of the id -> whether it came again */
    uint64_t last;        /* trace */
};

/* A trace comes again when another one came in between. */
static void watch_trace(struct watching *watching, const uint8_t id[16])
{
    uint32_t again = 0;
    uint64_t trace = tk_hash_bytes((tk_str){(const char *)id, 16}, 1);
    if (trace == watching->last)
        return;
    bool is_known = tk_map_find(&watching->traces, trace, &again);
    watching->traits->scattered += is_known && !again;
    watching->last = trace;
    assert_int_equal(tk_map_add(&watching->traces, trace, is_known), 0);
}

static void watch_row(struct watching *watching, const struct tk_span_batch *batch, size_t row)
{
    struct traits *traits = watching->traits;
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    watch_trace(watching, batch->trace_ids[row]);
    for (size_t i = 0; i < n; i++) {
        (void)tk_texts_add(&watching->keys, tk_texts_get(&batch->texts, attrs[i].key));
        traits->bools += attrs[i].type == TK_ATTR_BOOL;
        traits->arrays += attrs[i].type == TK_ATTR_ARRAY;
    }
    traits->attrs += n;
    (void)tk_span_events(batch, row, &n);
    traits->events += n;
    (void)tk_span_links(batch, row, &n);
    traits->links += n;
    traits->flagged += batch->flags[row] != 0;
    traits->messages += batch->messages[row] != 0;
    traits->dropping += batch->dropped_attrs[row] != 0;
    traits->dropping += batch->dropped_events[row] != 0;
    traits->dropping += batch->dropped_links[row] != 0;
}

static int watch(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    struct watching *watching = context;
    int rc = watching->source.read(watching->source.context, batch, err);
    for (size_t row = 0; rc >= 0 && row < batch->rows; row++)
        watch_row(watching, batch, row);
    watching->traits->keys = watching->keys.count - 1;
    return rc;
}

/* Sets ----------------------------------------------------------------------------------------- */

/* The table of a set, all of whose duplicates reach it, and what its batches have. */
static struct tk_span_table *read_set(const char *path, struct traits *traits)
{
    const struct tk_span_input_options options = {.keep_duplicates = true};
    struct tk_err err;
    struct tk_span_inputs *inputs = NULL;
    struct tk_span_table *table = NULL;
    struct watching watching = {.traits = traits};
    assert_int_equal(tk_span_inputs_new(&tk_cmd_fidelity, &path, 1, &options, &inputs, &err), 0);
    assert_int_equal(tk_texts_init(&watching.keys, 1 << 20, &err), 0);
    watching.source = tk_span_inputs_source(inputs);
    const struct tk_span_source source = {watch, &watching};
    int rc = tk_span_table_new(source, &(struct tk_span_table_options){0}, &table, &err);
    if (rc < 0)
        fail_msg("%s", err.msg);
    tk_texts_release(&watching.keys);
    tk_map_release(&watching.traces);
    tk_span_inputs_free(inputs);
    return table;
}

static void read_traits(const char *path, struct traits *traits)
{
    double bits;
    struct tk_span_table *table = read_set(path, traits);
    count_traits(table, traits);
    count_shapes(table, true, &traits->error_shapes, &traits->shape_bits);
    count_shapes(table, false, &traits->shapes, &bits);
    assert_int_equal(table->cycles, 0);
    traits->duplicates = table->duplicates;
    tk_span_table_free(table);
}

#define TRAIT(name)                                                                                \
    {                                                                                              \
#name, offsetof(struct traits, name)                                                       \
    }

static void assert_traits(const struct traits *found, const struct traits *expected)
{
    static const struct {
        const char *name;
        size_t offset;
    } all[] = {
        TRAIT(traces),
        TRAIT(spans),
        TRAIT(duplicates),
        TRAIT(longest),
        TRAIT(single_span_traces),
        TRAIT(services),
        TRAIT(names),
        TRAIT(operations),
        TRAIT(internal),
        TRAIT(server),
        TRAIT(client),
        TRAIT(unset),
        TRAIT(ok),
        TRAIT(error),
        TRAIT(error_traces),
        TRAIT(roots),
        TRAIT(orphans),
        TRAIT(several_roots),
        TRAIT(early),
        TRAIT(outliving),
        TRAIT(after_end),
        TRAIT(zero_durations),
        TRAIT(whole_us),
        TRAIT(whole_ms),
        TRAIT(long_spans),
        TRAIT(long_roots),
        TRAIT(window_s),
        TRAIT(error_shapes),
        TRAIT(shapes),
        TRAIT(attrs),
        TRAIT(keys),
        TRAIT(bools),
        TRAIT(arrays),
        TRAIT(events),
        TRAIT(links),
        TRAIT(flagged),
        TRAIT(dropping),
        TRAIT(messages),
        TRAIT(short_ids),
        TRAIT(scattered),
    };
    for (size_t i = 0; i < TK_COUNTOF(all); i++) {
        uint64_t a;
        uint64_t b;
        memcpy(&a, (const char *)found + all[i].offset, sizeof(a));
        memcpy(&b, (const char *)expected + all[i].offset, sizeof(b));
        if (a != b) {
            fail_msg("%s: %llu, expected %llu", all[i].name, (unsigned long long)a,
                     (unsigned long long)b);
        }
    }
    assert_near(found->shape_bits, expected->shape_bits, 0.05);
}

static void assert_set(const char *file, const struct traits *expected)
{
    char path[4096];
    struct traits found = {0};
    (void)snprintf(path, sizeof(path), "%s/traces/%s", TK_SHARED_DATA, file);
    if (access(path, R_OK) < 0)
        return_without("shared data");
    read_traits(path, &found);
    assert_traits(&found, expected);
}

static void hipstershop_is_what_its_table_says(void **state)
{
    (void)state;
    static const struct traits expected = {
        .traces = 9047,
        .short_ids = 4592,
        .spans = 86583,
        .longest = 76,
        .single_span_traces = 4687, /* 52 % */
        .services = 10,
        .names = 31,
        .operations = 38,
        .server = 43812,
        .client = 42771,
        .unset = 85916,
        .error = 667,
        .error_traces = 132,
        .roots = 9012,
        .orphans = 141,
        .several_roots = 35,
        .outliving = 6138,
        .after_end = 1887,
        .whole_us = 86583,
        .whole_ms = 2019,    /* 2.3 % */
        .long_spans = 14964, /* 17 % */
        .long_roots = 4075,  /* 45 % */
        .window_s = 314,
        .error_shapes = 478,
        .shapes = 477,
        .shape_bits = 5.3,
        .attrs = 425033, /* 4.9 a span */
        .keys = 46,
        .events = 3862,
        .scattered = 4329, /* its records are by resource */
    };
    assert_set("hipstershop-oteltraces.zst", &expected);
}

static void astronomy_is_what_its_table_says(void **state)
{
    (void)state;
    static const struct traits expected = {
        .traces = 13211,
        .spans = 64151,
        .longest = 31,
        .single_span_traces = 94, /* 0.7 % */
        .services = 11,
        .names = 62,
        .operations = 64,
        .internal = 6878,
        .server = 35650,
        .client = 21623,
        .unset = 59205,
        .ok = 1077,
        .error = 3869,
        .error_traces = 1254,
        .roots = 8132,
        .orphans = 5154,
        .several_roots = 41,
        .early = 8040,
        .outliving = 4397,
        .after_end = 1135,
        .zero_durations = 3896,
        .whole_us = 52274,   /* 81 % */
        .whole_ms = 26072,   /* 41 % */
        .long_spans = 15942, /* 25 % */
        .long_roots = 4829,  /* 36 % */
        .window_s = 254,
        .error_shapes = 110,
        .shapes = 110,
        .shape_bits = 3.2,
        .attrs = 625696, /* 9.8 a span */
        .keys = 82,
        .bools = 533,
        .arrays = 533,
        .events = 64103,
        .flagged = 9969,
        .dropping = 132,
        .messages = 1285,
        .scattered = 12987, /* likewise */
    };
    assert_set("astronomy-oteltraces.zst", &expected);
}

static void onlineboutique_is_what_its_table_says(void **state)
{
    (void)state;
    static const struct traits expected = {
        .traces = 19107,
        .spans = 846632,
        .duplicates = 5788,
        .longest = 105,
        .single_span_traces = 1935, /* 10 % */
        .services = 10,
        .names = 43,
        .operations = 55,
        .unset = 846632,
        .roots = 19107,
        .early = 972,
        .outliving = 64835,
        .whole_us = 3830,
        .whole_ms = 11,
        .long_spans = 305945, /* 36 % */
        .long_roots = 17177,  /* 90 % */
        .window_s = 14582,
        .error_shapes = 35,
        .shapes = 35,
        .shape_bits = 3.3,
        .scattered = 121,
    };
    assert_set("nezha-onlineboutique-2022-08-22.csv.zst", &expected);
}

/* The set of the comparisons that the page calls ob10k. */
static void the_first_traces_of_onlineboutique_have_fewer_shapes(void **state)
{
    (void)state;
    enum { FIRST = 10000 };
    static struct tk_trace_pick picks[FIRST];
    static const char path[] = TK_SHARED_DATA "/traces/nezha-onlineboutique-2022-08-22.csv.zst";
    struct tk_err err;
    struct traits traits = {0};
    struct tk_span_table *first = NULL;
    uint64_t shapes;
    double bits;
    if (access(path, R_OK) < 0)
        return_without("shared data");
    struct tk_span_table *table = read_set(path, &traits);
    for (uint32_t i = 0; i < FIRST; i++)
        picks[i] = (struct tk_trace_pick){i, 1};
    assert_int_equal(tk_span_table_pick(table, picks, FIRST, &first, &err), 0);
    count_traits(first, &traits);
    count_shapes(first, false, &shapes, &bits);
    assert_int_equal(shapes, 33);
    assert_near((double)traits.single_span_traces / FIRST, 0.13, 0.005);
    tk_span_table_free(first);
    tk_span_table_free(table);
}

static void trainticket_is_what_its_table_says(void **state)
{
    (void)state;
    static const struct traits expected = {
        .traces = 4483,
        .spans = 321068,
        .duplicates = 7780,
        .longest = 200,
        .services = 28,
        .names = 201,
        .operations = 244,
        .unset = 321068,
        .roots = 4483,
        .early = 88,
        .outliving = 9185,
        .after_end = 394,
        .whole_us = 55378,
        .whole_ms = 55137,
        .long_spans = 122027, /* 38 % */
        .long_roots = 4483,   /* 100 % */
        .window_s = 25318,
        .error_shapes = 52,
        .shapes = 52,
        .shape_bits = 4.3,
        .scattered = 114,
    };
    assert_set("nezha-trainticket-2023-01-29.csv.zst", &expected);
}

static void lines_of_spans_are_what_their_page_says(void **state)
{
    (void)state;
    static const struct traits expected = {
        .traces = 9,
        .short_ids = 6,
        .spans = 35,
        .longest = 15,
        .single_span_traces = 4,
        .services = 1,
        .names = 15,
        .operations = 15,
        .internal = 2,
        .server = 7,
        .client = 26,
        .unset = 9,
        .ok = 26,
        .roots = 6,
        .orphans = 3,
        .whole_us = 35,
        .long_spans = 12,
        .long_roots = 4,
        .window_s = 1,
        .error_shapes = 6,
        .shapes = 6,
        .shape_bits = 2.4,
        .attrs = 246,
        .keys = 29,
    };
    assert_set("oltp-arrow-2-traces.jsonl", &expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hipstershop_is_what_its_table_says),
        cmocka_unit_test(astronomy_is_what_its_table_says),
        cmocka_unit_test(onlineboutique_is_what_its_table_says),
        cmocka_unit_test(the_first_traces_of_onlineboutique_have_fewer_shapes),
        cmocka_unit_test(trainticket_is_what_its_table_says),
        cmocka_unit_test(lines_of_spans_are_what_their_page_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
