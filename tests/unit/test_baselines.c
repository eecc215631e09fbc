/* SPDX-License-Identifier: Apache-2.0 */
/* What baselines write, they read again: all of it, or they would be beaten too easily. */
#include "fidelity/baselines.h"

#include <errno.h>
#include <stdlib.h>

#include "fidelity/baseline_otap_internal.h"
#include "fidelity/markov.h"
#include "fidelity/trace_filter.h"
#include "span/otlp.h"
#include "suite_fixture.h"

#define TRACES 300

static void encode(const struct tk_baseline *baseline, const struct tk_span_table *table,
                   struct tk_buf *out)
{
    struct tk_err err = {0};
    struct tk_table_spans spans = {.table = table};
    const struct tk_baseline_input input = {table, tk_table_spans_source(&spans)};
    tk_buf_init(out, (size_t)64 << 20);
    if (baseline->encode(&input, out, &err) < 0)
        fail_msg("%s", err.msg);
}

static struct tk_span_table *decode(const struct tk_baseline *baseline, tk_str file, uint64_t seed)
{
    struct tk_span_table *table = NULL;
    struct tk_err err = {0};
    if (baseline->decode(file, seed, &table, &err) < 0)
        fail_msg("%s", err.msg);
    return table;
}

static void assert_round_trip(const struct tk_baseline *baseline, const struct tk_span_table *table)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    encode(baseline, table, &file);
    struct tk_span_table *again = decode(baseline, tk_buf_str(&file), 1);
    assert_same_tables(table, again, baseline->has_ids);
    tk_span_table_free(again);
}

static void columns_give_back_every_row(void **state)
{
    (void)state;
    struct tk_span_table *table = shop_table(TRACES);
    assert_round_trip(&tk_baseline_columns, table);
    assert_round_trip(&tk_baseline_columns_bare, table);
    tk_span_table_free(table);
}

static void columns_keep_weights(void **state)
{
    (void)state;
    struct tk_span_table *table = shop_table(TRACES);
    for (uint32_t t = 0; t < table->traces; t++)
        table->weights[t] = t % 3 == 0 ? 1 : 12.5;
    assert_round_trip(&tk_baseline_columns, table);
    for (uint32_t t = 0; t < table->traces; t++)
        table->weights[t] = 7;
    assert_round_trip(&tk_baseline_columns, table);
    tk_span_table_free(table);
}

static void empty_sets_and_single_spans_come_back(void **state)
{
    (void)state;
    static const char *const sets[] = {"", "t a - s op 5 0\n", "t a a s op 5 7\n",
                                       "t a b s op 5 1\nt b a s op 6 1\n"};
    for (size_t i = 0; i < TK_COUNTOF(sets); i++) {
        struct tk_span_table *table = table_of(sets[i]);
        assert_round_trip(&tk_baseline_columns, table);
        assert_round_trip(&tk_baseline_columns_bare, table);
        assert_round_trip(&tk_baseline_otap, table);
        tk_span_table_free(table);
    }
}

static void a_file_without_ids_is_smaller(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf with;
    TK_CLEANUP(tk_buf_release) struct tk_buf without;
    struct tk_span_table *table = shop_table(TRACES);
    encode(&tk_baseline_columns, table, &with);
    encode(&tk_baseline_columns_bare, table, &without);
    assert_true(without.n < with.n);
    assert_true(without.n < (size_t)TRACES * 12);
    tk_span_table_free(table);
}

/* Trees, times and names go through spans; what these cannot know is set as the spans have it. */
static void whole_spans_give_back_trees_times_and_names(void **state)
{
    (void)state;
    struct tk_span_table *table = shop_table(TRACES);
    for (uint32_t t = 0; t < table->traces; t++)
        table->weights[t] = 4;
    assert_round_trip(&tk_baseline_otlp, table);
    assert_round_trip(&tk_baseline_otap, table);
    tk_span_table_free(table);
}

static void whole_spans_refuse_weights_that_they_cannot_write(void **state)
{
    (void)state;
    static const struct tk_baseline *const baselines[] = {&tk_baseline_otlp, &tk_baseline_otap};
    struct tk_span_table *table = shop_table(5);
    table->weights[3] = 2;
    for (size_t i = 0; i < TK_COUNTOF(baselines); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        struct tk_err err;
        struct tk_table_spans spans = {.table = table};
        tk_buf_init(&out, (size_t)1 << 20);
        const struct tk_baseline_input input = {table, tk_table_spans_source(&spans)};
        assert_int_equal(baselines[i]->encode(&input, &out, &err), -EOPNOTSUPP);
    }
    tk_span_table_free(table);
}

/* OTAP ----------------------------------------------------------------------------------------- */

/* All that spans can hold, by trace and start, so that it comes back in the same order. Attributes
 * stand in either order, and a key comes twice. */
static const char all_fields[] =
    "{\"resourceSpans\":[{\"schemaUrl\":\"https://r\",\"resource\":{\"droppedAttributesCount\":3,"
    "\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"cart\"}},"
    "{\"key\":\"cpus\",\"value\":{\"intValue\":\"8\"}}]},\"scopeSpans\":["
    "{\"schemaUrl\":\"https://s\",\"scope\":{\"name\":\"lib\",\"version\":\"1.2\",\"attributes\":"
    "[{\"key\":\"beta\",\"value\":{\"boolValue\":true}}]},\"spans\":["
    "{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"a1a2a3a4a5a6a7a8\","
    "\"name\":\"get\",\"kind\":2,\"flags\":769,\"traceState\":\"a=b\","
    "\"startTimeUnixNano\":\"1661144959256635852\",\"endTimeUnixNano\":\"1661144959409963113\","
    "\"droppedAttributesCount\":1,\"droppedEventsCount\":2,\"droppedLinksCount\":3,"
    "\"attributes\":[{\"key\":\"text\",\"value\":{\"stringValue\":\"once\"}},"
    "{\"key\":\"count\",\"value\":{\"intValue\":\"-9223372036854775808\"}},"
    "{\"key\":\"share\",\"value\":{\"doubleValue\":0.1}},"
    "{\"key\":\"none\",\"value\":{}},{\"key\":\"raw\",\"value\":{\"bytesValue\":\"AP8B\"}},"
    "{\"key\":\"list\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"}]}}},"
    "{\"key\":\"map\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\","
    "\"value\":{\"boolValue\":false}}]}}}],"
    "\"events\":[{\"name\":\"late\",\"timeUnixNano\":\"1661144959300000000\","
    "\"droppedAttributesCount\":4,\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"7\"}}]},"
    "{\"name\":\"early\",\"timeUnixNano\":\"1661144959200000000\"}],"
    "\"links\":[{\"traceId\":\"ffeeddccbbaa99887766554433221100\",\"spanId\":\"1122334455667788\","
    "\"traceState\":\"x=y\",\"flags\":1,\"droppedAttributesCount\":5,\"attributes\":"
    "[{\"key\":\"why\",\"value\":{\"stringValue\":\"follows\"}}]}],"
    "\"status\":{\"code\":2,\"message\":\"gone\"}},"
    "{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"b1b2b3b4b5b6b7b8\","
    "\"parentSpanId\":\"a1a2a3a4a5a6a7a8\",\"name\":\"look\",\"kind\":3,"
    "\"startTimeUnixNano\":\"1661144959256635853\",\"endTimeUnixNano\":\"1661144959256635853\","
    "\"attributes\":[{\"key\":\"text\",\"value\":{\"stringValue\":\"twice\"}},"
    "{\"key\":\"count\",\"value\":{\"intValue\":\"9223372036854775807\"}}],"
    "\"events\":[{\"name\":\"early\",\"timeUnixNano\":\"1\",\"attributes\":"
    "[{\"key\":\"n\",\"value\":{\"intValue\":\"7\"}}]}]}]}]},"
    "{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":["
    "{\"traceId\":\"1102030405060708090a0b0c0d0e0f10\",\"spanId\":\"c1c2c3c4c5c6c7c8\","
    "\"startTimeUnixNano\":\"5\",\"endTimeUnixNano\":\"6\",\"attributes\":"
    "[{\"key\":\"list\",\"value\":{\"intValue\":\"3\"}},"
    "{\"key\":\"text\",\"value\":{\"stringValue\":\"once\"}},"
    "{\"key\":\"text\",\"value\":{\"stringValue\":\"again\"}}]}]}]}]}";

static int read_all_fields(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    struct tk_otlp_reader *reader;
    struct tk_span_tally tally = {0};
    (void)context;
    int rc = tk_otlp_reader_new(batch, &reader, err);
    if (rc == 0)
        rc = tk_otlp_decode_json(reader, tk_str_from(all_fields), &tally, err);
    tk_otlp_reader_free(reader);
    return rc < 0 ? rc : 1;
}

/* What a source holds, as OTLP. */
static void as_otlp(struct tk_span_source source, struct tk_buf *out)
{
    struct tk_span_batch *batch;
    struct tk_err err = {0};
    tk_buf_init(out, (size_t)1 << 20);
    if (tk_span_batch_new(100, &batch, &err) < 0 || source.read(source.context, batch, &err) != 1)
        fail_msg("%s", err.msg);
    assert_int_equal(batch->rows, 3);
    tk_otlp_encode_json(&(struct tk_span_rows){batch, NULL, batch->rows}, out);
    tk_span_batch_free(batch);
}

static void otap_gives_back_all_that_spans_hold(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    TK_CLEANUP(tk_buf_release) struct tk_buf before;
    TK_CLEANUP(tk_buf_release) struct tk_buf after;
    struct tk_otap_reader *reader = NULL;
    struct tk_err err = {0};
    struct tk_span_table *table = table_of("");
    const struct tk_baseline_input input = {table, {read_all_fields, NULL}};
    tk_buf_init(&file, (size_t)1 << 20);
    if (tk_baseline_otap.encode(&input, &file, &err) < 0 ||
        tk_otap_reader_new(tk_buf_str(&file), &reader, &err) < 0)
        fail_msg("%s", err.msg);
    as_otlp(input.spans, &before);
    as_otlp(tk_otap_reader_source(reader), &after);
    assert_int_equal(before.n, after.n);
    assert_memory_equal(before.p, after.p, before.n);
    tk_otap_reader_free(reader);
    tk_span_table_free(table);
}

static void otap_refuses_what_stands_behind_its_batches(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_span_table *table = shop_table(5);
    struct tk_span_table *again = NULL;
    struct tk_err err;
    encode(&tk_baseline_otap, table, &file);
    tk_buf_putc(&file, 0);
    assert_int_equal(tk_baseline_otap.decode(tk_buf_str(&file), 1, &again, &err), -EBADMSG);
    assert_null(again);
    tk_span_table_free(table);
}

/* Markov --------------------------------------------------------------------------------------- */

/* Roots of an operation in a minute. */
static uint32_t count_roots(const struct tk_span_table *table, int64_t start_ns, int64_t minute)
{
    uint32_t count = 0;
    for (uint32_t r = 0; r < table->rows; r++) {
        bool is_root = table->parents[r] == TK_ROW_TOP && !table->orphans[r];
        count += is_root && (table->start_ns[r] - start_ns) / TK_MARKOV_MINUTE_NS == minute;
    }
    return count;
}

static void markov_keeps_the_roots_of_each_minute(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_span_table *table = shop_table(5000); /* of 3 minutes */
    encode(&tk_baseline_markov, table, &file);
    struct tk_span_table *made = decode(&tk_baseline_markov, tk_buf_str(&file), 1);
    assert_int_equal(made->traces, table->traces);
    for (int64_t minute = 0; minute < 4; minute++)
        assert_int_equal(count_roots(made, 0, minute), count_roots(table, 0, minute));
    assert_true(file.n < 3000);
    tk_span_table_free(made);
    tk_span_table_free(table);
}

/* Spans of a service, and those with an error. */
static void count_service(const struct tk_span_table *table, const char *service, double ret[2])
{
    ret[0] = ret[1] = 0;
    for (uint32_t r = 0; r < table->rows; r++) {
        if (!tk_str_eq(table_text(table, table->services[r]), tk_str_from(service)))
            continue;
        ret[0]++;
        ret[1] += table->issues[r];
    }
}

static void markov_makes_up_much_the_same_traces(void **state)
{
    (void)state;
    static const char *const services[] = {"front", "cart", "price"};
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_span_table *table = shop_table(5000);
    encode(&tk_baseline_markov, table, &file);
    struct tk_span_table *made = decode(&tk_baseline_markov, tk_buf_str(&file), 1);
    for (size_t i = 0; i < TK_COUNTOF(services); i++) {
        double real[2];
        double own[2];
        count_service(table, services[i], real);
        count_service(made, services[i], own);
        assert_near(own[0], real[0], real[0] * 0.05);
        assert_near(own[1], real[1], real[1] * 0.25 + 2);
    }
    tk_span_table_free(made);
    tk_span_table_free(table);
}

static void markov_draws_the_same_with_the_same_seed_and_has_no_ids(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_span_table *table = shop_table(TRACES);
    encode(&tk_baseline_markov, table, &file);
    struct tk_span_table *a = decode(&tk_baseline_markov, tk_buf_str(&file), 3);
    struct tk_span_table *b = decode(&tk_baseline_markov, tk_buf_str(&file), 3);
    assert_same_tables(a, b, true);
    for (uint32_t i = 0; i < a->traces; i++) {
        for (uint32_t k = 0; k < table->traces; k++)
            assert_true(memcmp(a->trace_ids[i], table->trace_ids[k], 16) != 0);
    }
    tk_span_table_free(a);
    tk_span_table_free(b);
    tk_span_table_free(table);
}

/* Damage --------------------------------------------------------------------------------------- */

static void a_file_that_is_cut_or_changed_is_refused_or_read_but_never_trusted(void **state)
{
    (void)state;
    struct tk_span_table *table = shop_table(20);
    for (size_t i = 0; tk_baselines[i]; i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf file;
        struct tk_err err;
        encode(tk_baselines[i], table, &file);
        for (size_t n = 0; n < file.n; n++) {
            struct tk_span_table *again = NULL;
            assert_true(tk_baselines[i]->decode((tk_str){file.p, n}, 1, &again, &err) < 0);
            assert_null(again);
            file.p[n] ^= 1;
            (void)!tk_baselines[i]->decode(tk_buf_str(&file), 1, &again, &err);
            tk_span_table_free(again);
            file.p[n] ^= 1;
        }
    }
    tk_span_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_give_back_every_row),
        cmocka_unit_test(columns_keep_weights),
        cmocka_unit_test(empty_sets_and_single_spans_come_back),
        cmocka_unit_test(a_file_without_ids_is_smaller),
        cmocka_unit_test(whole_spans_give_back_trees_times_and_names),
        cmocka_unit_test(whole_spans_refuse_weights_that_they_cannot_write),
        cmocka_unit_test(otap_gives_back_all_that_spans_hold),
        cmocka_unit_test(otap_refuses_what_stands_behind_its_batches),
        cmocka_unit_test(markov_keeps_the_roots_of_each_minute),
        cmocka_unit_test(markov_makes_up_much_the_same_traces),
        cmocka_unit_test(markov_draws_the_same_with_the_same_seed_and_has_no_ids),
        cmocka_unit_test(a_file_that_is_cut_or_changed_is_refused_or_read_but_never_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
