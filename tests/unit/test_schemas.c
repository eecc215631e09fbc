/* SPDX-License-Identifier: Apache-2.0 */
#include "run/schemas.h"

#include "base/compiler.h"
#include "tk_test.h"

static const struct tk_schema *schema_at(size_t i)
{
    static const struct tk_schema *const others[] = {&tk_schema_cts_invocations,
                                                     &tk_schema_cts_proc_metrics};
    if (i < TK_TABLE_COUNT)
        return tk_tables[i].schema;
    return i < TK_TABLE_COUNT + 2 ? others[i - TK_TABLE_COUNT] : NULL;
}

/* Call `check` for each column of each schema. */
static void each_column(void (*check)(const struct tk_schema *schema,
                                      const struct tk_column *column))
{
    const struct tk_schema *schema;
    for (size_t i = 0; (schema = schema_at(i)); i++)
        for (size_t c = 0; c < schema->column_count; c++)
            check(schema, &schema->columns[c]);
}

/* Endings of names that say the unit. */
static const struct {
    const char *ending;
    const char *unit;
} units[] = {
    {"_ms", "ms"},         {"_us", "us"},          {"_ns", "ns"},          {"_bytes", "bytes"},
    {"_kb", "KiB"},        {"_Bps", "bytes/s"},    {"_bps", "bit/s"},      {"_mhz", "MHz"},
    {"_ps", "1/s"},        {"_pps", "1/s"},        {"_iops", "1/s"},       {"_uj", "uJ"},
    {"PR_s", "s"},         {"rtt_min_s", "s"},     {"rtt_median_s", "s"},  {"rtt_p95_s", "s"},
    {"jitter_s", "s"},     {"utime", "ticks"},     {"stime", "ticks"},     {"start_ticks", "ticks"},
    {"cpu_util", "%"},     {"ts_enqueue", "ms"},   {"ts_start", "ms"},     {"ts_end", "ms"},
    {"bytes_in", "bytes"}, {"bytes_out", "bytes"}, {"page_size", "bytes"}, {"clk_tck", "1/s"},
    {"hz", "1/s"},         {"free_mb", "MB"},      {"mem_mb", "MiB"},
};

static const char *unit_by_name(const char *name)
{
    const char *unit = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < TK_COUNTOF(units); i++) {
        size_t n = strlen(units[i].ending);
        if (n > longest && tk_str_ends_with(tk_str_from(name), tk_str_from(units[i].ending))) {
            unit = units[i].unit;
            longest = n;
        }
    }
    return unit;
}

static void each_table_has_one_to_64_columns_without_holes(void **state)
{
    (void)state;
    const struct tk_schema *schema;
    for (size_t i = 0; (schema = schema_at(i)); i++) {
        assert_non_null(schema->name);
        assert_non_null(schema->help);
        assert_in_range(schema->column_count, 1, 64);
        for (size_t c = 0; c < schema->column_count; c++)
            if (!schema->columns[c].name)
                fail_msg("%s: column %zu has no line in the table", schema->name, c);
    }
}

static void column_names_are_unique_within_a_table(void **state)
{
    (void)state;
    const struct tk_schema *schema;
    for (size_t i = 0; (schema = schema_at(i)); i++)
        for (size_t c = 1; c < schema->column_count; c++)
            for (size_t d = 0; d < c; d++)
                assert_string_not_equal(schema->columns[c].name, schema->columns[d].name);
}

static void check_unit(const struct tk_schema *schema, const struct tk_column *column)
{
    const char *unit = unit_by_name(column->name);
    if (unit && strcmp(unit, column->unit) != 0)
        fail_msg("%s.%s has unit \"%s\", its name says %s", schema->name, column->name,
                 column->unit, unit);
}

static void units_agree_with_names(void **state)
{
    (void)state;
    each_column(check_unit);
}

static void check_meaning(const struct tk_schema *schema, const struct tk_column *column)
{
    size_t n = column->meaning ? strlen(column->meaning) : 0;
    if (n == 0 || column->meaning[n - 1] == '.')
        fail_msg("%s.%s: its meaning is missing or ends in a full stop", schema->name,
                 column->name);
}

static void each_column_says_what_it_means(void **state)
{
    (void)state;
    each_column(check_meaning);
}

static void check_type(const struct tk_schema *schema, const struct tk_column *column)
{
    bool real = column->type == TK_F64 || column->type == TK_F64_LIST;
    if (real && (column->decimals < -1 || column->decimals > 9))
        fail_msg("%s.%s: %d decimals", schema->name, column->name, column->decimals);
    if (!real && column->decimals != 0)
        fail_msg("%s.%s is no real number and has decimals", schema->name, column->name);
    if (!real && column->type != TK_I64 && *column->unit)
        fail_msg("%s.%s is no number and has a unit", schema->name, column->name);
}

static void only_numbers_have_units_and_only_reals_have_decimals(void **state)
{
    (void)state;
    each_column(check_type);
}

/* What recorders write again and again has to be cheap in recordings, too. */
static void samples_say_which_columns_are_their_stamp(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        const struct tk_schema *schema = tk_tables[i].schema;
        size_t us = tk_schema_find(schema, TK_STR("ts_us"), 0);
        size_t ms = tk_schema_find(schema, TK_STR("ts_ms"), 0);
        if (us == schema->column_count || !tk_tables[i].raw)
            continue;
        assert_true(schema->columns[us].flags & TK_STAMP);
        assert_true(schema->columns[ms].flags & TK_STAMP_MILLI);
    }
}

static void keys_are_integers_or_texts_and_at_most_four(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        const struct tk_schema *schema = tk_tables[i].schema;
        size_t keys = 0;
        for (size_t c = 0; c < schema->column_count; c++) {
            const struct tk_column *column = &schema->columns[c];
            keys += (column->flags & TK_KEY) != 0;
            if (column->flags & TK_KEY)
                assert_true(column->type == TK_I64 || column->type == TK_TEXT);
            if (column->flags & (TK_STAMP | TK_STAMP_MILLI))
                assert_int_equal(column->type, TK_I64);
        }
        assert_in_range(keys, 0, 4);
    }
}

static void each_table_lies_in_a_file_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        const char *ending = tk_tables[i].layout == TK_LAYOUT_LINES ? ".jsonl" : ".json";
        assert_true(tk_tables[i].raw || tk_tables[i].cctf);
        for (size_t k = 0; k < i; k++) {
            if (tk_tables[i].raw && tk_tables[k].raw)
                assert_string_not_equal(tk_tables[i].raw, tk_tables[k].raw);
            if (tk_tables[i].cctf && tk_tables[k].cctf)
                assert_string_not_equal(tk_tables[i].cctf, tk_tables[k].cctf);
        }
        if (tk_tables[i].raw)
            assert_true(tk_str_ends_with(tk_str_from(tk_tables[i].raw), tk_str_from(ending)));
        if (tk_tables[i].cctf)
            assert_true(tk_str_ends_with(tk_str_from(tk_tables[i].cctf), tk_str_from(ending)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_table_has_one_to_64_columns_without_holes),
        cmocka_unit_test(column_names_are_unique_within_a_table),
        cmocka_unit_test(units_agree_with_names),
        cmocka_unit_test(each_column_says_what_it_means),
        cmocka_unit_test(only_numbers_have_units_and_only_reals_have_decimals),
        cmocka_unit_test(samples_say_which_columns_are_their_stamp),
        cmocka_unit_test(keys_are_integers_or_texts_and_at_most_four),
        cmocka_unit_test(each_table_lies_in_a_file_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
