/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the table of OpenDC's reader (opendc.md sections 4 and 18), one variant of a base set
 * each, and the findings of verify. */
#include "tk_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "opendc/check.h"

#define T0 1758000000000LL

FOLDER_OF_EACH_TEST

static void put(const char *name, tk_str text)
{
    char path[PATH_MAX + NAME_MAX];
    struct tk_err err;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(tk_file_write(AT_FDCWD, path, text, 0644, &err), 0);
}

/* The base set ------------------------------------------------------------------------------ */

#define ROWS_MAX 8

/* Values by the name of their column; a column of any type is made from them. */
struct column {
    const char *name;
    double values[ROWS_MAX];
};

#define TASK_ROWS     3
#define FRAGMENT_ROWS 5

static const struct column task_values[] = {
    {"id", {1, 2, 3}},
    {"submission_time", {T0, T0 + 5000, T0 + 2000}},
    {"duration", {3000, 4000, 5000}},
    {"cpu_count", {1, 2, 1}},
    {"cpu_capacity", {2400, 4800, 2400}},
    {"mem_capacity", {65536, 1000000, 1499}},
};
static const struct column fragment_values[] = {
    {"id", {1, 2, 1, 3, 2}},
    {"duration", {1000, 2000, 2000, 5000, 2000}},
    {"cpu_usage", {2400, 100, 1200, 0, 4800}},
};

static const struct tk_parquet_node task_nodes[] = {
    {"id", TK_PARQUET_I32},           {"submission_time", TK_PARQUET_I64},
    {"duration", TK_PARQUET_I64},     {"cpu_count", TK_PARQUET_I32},
    {"cpu_capacity", TK_PARQUET_F64}, {"mem_capacity", TK_PARQUET_I64},
};
static const struct tk_parquet_node fragment_nodes[] = {
    {"id", TK_PARQUET_I32},
    {"duration", TK_PARQUET_I64},
    {"cpu_usage", TK_PARQUET_F64},
};

/* A file, as it differs from the base set. */
struct file {
    const char *name;
    struct tk_parquet_node nodes[16];
    size_t node_count;
    struct column columns[16]; /* those without name are zero */
    size_t rows;
    enum tk_parquet_codec codec;
};

static struct file tasks_file(void)
{
    struct file file = {
        .name = "tasks.parquet", .node_count = TK_COUNTOF(task_nodes), .rows = TASK_ROWS};
    memcpy(file.nodes, task_nodes, sizeof(task_nodes));
    memcpy(file.columns, task_values, sizeof(task_values));
    return file;
}

static struct file fragments_file(void)
{
    struct file file = {.name = "fragments.parquet",
                        .node_count = TK_COUNTOF(fragment_nodes),
                        .rows = FRAGMENT_ROWS};
    memcpy(file.nodes, fragment_nodes, sizeof(fragment_nodes));
    memcpy(file.columns, fragment_values, sizeof(fragment_values));
    return file;
}

static size_t find_node(const struct file *file, const char *name)
{
    size_t i = 0;
    while (strcmp(file->nodes[i].name, name) != 0)
        i++;
    return i;
}

static void drop(struct file *file, const char *name)
{
    size_t at = find_node(file, name);
    memmove(&file->nodes[at], &file->nodes[at + 1],
            (file->node_count - at - 1) * sizeof(file->nodes[0]));
    file->node_count--;
}

static double value_of(const struct file *file, const char *name, size_t row)
{
    for (size_t i = 0; i < TK_COUNTOF(file->columns); i++) {
        if (file->columns[i].name && strcmp(file->columns[i].name, name) == 0)
            return file->columns[i].values[row];
    }
    return 0;
}

static void set_value(struct file *file, const char *name, size_t row, double value)
{
    for (size_t i = 0; i < TK_COUNTOF(file->columns); i++) {
        if (file->columns[i].name && strcmp(file->columns[i].name, name) == 0)
            file->columns[i].values[row] = value;
    }
}

static void add_column(struct tk_parquet_writer *writer, size_t column, const struct file *file,
                       const struct tk_parquet_node *node)
{
    int32_t i32[ROWS_MAX];
    int64_t i64[ROWS_MAX];
    float f32[ROWS_MAX];
    double f64[ROWS_MAX];
    char digits[ROWS_MAX][32];
    tk_str texts[ROWS_MAX];
    for (size_t i = 0; i < file->rows; i++) {
        f64[i] = value_of(file, node->name, i);
        i32[i] = isfinite(f64[i]) && fabs(f64[i]) < 2e9 ? (int32_t)f64[i] : 0;
        i64[i] = isfinite(f64[i]) ? (int64_t)f64[i] : 0;
        f32[i] = (float)f64[i];
        (void)snprintf(digits[i], sizeof(digits[i]), "t%lld", (long long)i64[i]);
        texts[i] = tk_str_from(digits[i]);
    }
    if (node->type == TK_PARQUET_I32)
        tk_parquet_add_i32(writer, column, i32, file->rows);
    if (node->type == TK_PARQUET_I64)
        tk_parquet_add_i64(writer, column, i64, file->rows);
    if (node->type == TK_PARQUET_F32)
        tk_parquet_add_f32(writer, column, f32, file->rows);
    if (node->type == TK_PARQUET_F64)
        tk_parquet_add_f64(writer, column, f64, file->rows);
    if (node->type == TK_PARQUET_BYTES)
        tk_parquet_add_texts(writer, column, texts, file->rows);
}

/* An optional column: NaN stands for null. */
static void add_optional(struct tk_parquet_writer *writer, size_t column, const struct file *file,
                         const struct tk_parquet_node *node)
{
    for (size_t i = 0; i < file->rows; i++) {
        double f64 = value_of(file, node->name, i);
        if (isnan(f64)) {
            tk_parquet_add_nulls(writer, column, 1);
        } else if (node->type == TK_PARQUET_F64) {
            tk_parquet_add_f64(writer, column, &f64, 1);
        } else if (node->type == TK_PARQUET_I64) {
            tk_parquet_add_i64(writer, column, &(int64_t){(int64_t)f64}, 1);
        } else {
            tk_parquet_add_i32(writer, column, &(int32_t){(int32_t)f64}, 1);
        }
    }
}

/* The list of ids of a row is its digits: 23 = 2 and 3; 0 = none. */
static void add_list(struct tk_parquet_writer *writer, size_t column, const struct file *file,
                     const char *name, enum tk_parquet_type type)
{
    for (size_t i = 0; i < file->rows; i++) {
        int32_t i32[4];
        int64_t i64[4];
        size_t n = 0;
        for (int64_t left = (int64_t)value_of(file, name, i); left > 0; left /= 10) {
            i64[n] = left % 10;
            i32[n] = (int32_t)i64[n];
            n++;
        }
        tk_parquet_add_list(writer, column,
                            type == TK_PARQUET_I32 ? (const void *)i32 : (const void *)i64, n);
    }
}

static int take_bytes(void *user, tk_str bytes, struct tk_err *err)
{
    (void)err;
    tk_buf_put(user, bytes);
    return 0;
}

static void write_to(const struct file *file, const char *name)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 1 << 20);
    const struct tk_parquet_sink sink = {take_bytes, &out};
    const struct tk_parquet_opts opts = {.codec = file->codec};
    TK_CLEANUP(tk_parquet_writer_freep) struct tk_parquet_writer *writer = NULL;
    struct tk_err err;
    assert_int_equal(
        tk_parquet_writer_new(file->nodes, file->node_count, &opts, &sink, &writer, &err), 0);
    size_t column = 0;
    for (size_t i = 0; i < file->node_count; i++) {
        if (file->nodes[i].type == TK_PARQUET_GROUP) {
            add_list(writer, column++, file, file->nodes[i].name, file->nodes[i + 2].type);
            i += 2;
        } else if (file->nodes[i].repetition == TK_PARQUET_OPTIONAL) {
            add_optional(writer, column++, file, &file->nodes[i]);
        } else {
            add_column(writer, column++, file, &file->nodes[i]);
        }
    }
    assert_int_equal(tk_parquet_writer_write(writer, &err), 0);
    assert_int_equal(tk_parquet_writer_close(writer, &err), 0);
    put(name, tk_buf_str(&out));
}

static void write_both(const struct file *tasks, const struct file *fragments)
{
    write_to(tasks, tasks->name);
    write_to(fragments, fragments->name);
}

/* What comes of it ---------------------------------------------------------------------------- */

static int accepts(int64_t tasks, int64_t fragments)
{
    struct tk_opendc_loaded loaded = {0};
    struct tk_err err = {0};
    int rc = tk_opendc_accepts(folder, TK_PROFILE_OPENDC, &loaded, &err);
    if (rc == 0) {
        assert_int_equal(loaded.tasks, tasks);
        assert_int_equal(loaded.fragments, fragments);
    }
    return rc;
}

static void check_most(int64_t most_fragments, struct tk_check_result *ret)
{
    const struct tk_check_options options = {
        .folder = folder, .profile = -1, .most_fragments = most_fragments};
    struct tk_err err;
    assert_int_equal(tk_opendc_check(&options, ret, &err), 0);
}

static void check(struct tk_check_result *ret)
{
    check_most(0, ret);
}

static void expect_rule(enum tk_check_rule rule, uint64_t count)
{
    struct tk_check_result result;
    check(&result);
    if (result.counts[rule] != count)
        print_error("%s: %llu findings, not %llu\n", tk_check_rules[rule].code,
                    (unsigned long long)result.counts[rule], (unsigned long long)count);
    assert_int_equal(result.counts[rule], count);
}

static void the_base_set_loads(void **state)
{
    (void)state;
    static const enum tk_parquet_codec codecs[] = {TK_PARQUET_UNCOMPRESSED, TK_PARQUET_SNAPPY,
                                                   TK_PARQUET_GZIP, TK_PARQUET_ZSTD};
    for (size_t i = 0; i < TK_COUNTOF(codecs); i++) {
        struct file tasks = tasks_file();
        struct file fragments = fragments_file();
        tasks.codec = fragments.codec = codecs[i];
        write_both(&tasks, &fragments);
        assert_int_equal(accepts(3, 5), 0);
        struct tk_check_result result;
        check(&result);
        assert_int_equal(result.errors, 0);
        assert_int_equal(result.tasks, 3);
        assert_int_equal(result.fragments, 5);
        assert_int_equal(result.span_ms, 9000);
        const struct {
            const struct tk_spread *spread;
            double min, median, max;
        } spreads[] = {
            {&result.duration_ms, 3000, 4000, 5000},
            {&result.capacity_mhz, 2400, 2400, 4800},
            {&result.cpu_count, 1, 1, 2},
            {&result.mem_kb, 1499, 65536, 1000000},
            {&result.fragments_per_task, 1, 2, 2},
        };
        for (size_t k = 0; k < TK_COUNTOF(spreads); k++) {
            assert_near(spreads[k].spread->min, spreads[k].min, 1e-9);
            assert_near(spreads[k].spread->median, spreads[k].median, 1e-9);
            assert_near(spreads[k].spread->max, spreads[k].max, 1e-9);
        }
        assert_near(result.usage_mhz.median, 1200, 12); /* within 1 % */
    }
}

static void what_is_stricter_or_of_another_type_is_refused(void **state)
{
    (void)state;
    static const struct {
        bool in_fragments;
        const char *column;
        enum tk_parquet_type type;
        enum tk_parquet_repetition repetition;
        int rc;
        enum tk_check_rule rule;
    } rows[] = {
        {false, "id", TK_PARQUET_I32, TK_PARQUET_OPTIONAL, -EBADMSG, TK_CHECK_E04},
        {false, "duration", TK_PARQUET_I64, TK_PARQUET_OPTIONAL, -EBADMSG, TK_CHECK_E04},
        {true, "cpu_usage", TK_PARQUET_F64, TK_PARQUET_OPTIONAL, -EBADMSG, TK_CHECK_E04},
        {false, "id", TK_PARQUET_I64, TK_PARQUET_REQUIRED, -EBADMSG, TK_CHECK_E03},
        {false, "cpu_count", TK_PARQUET_I64, TK_PARQUET_REQUIRED, -EBADMSG, TK_CHECK_E03},
        {false, "duration", TK_PARQUET_I32, TK_PARQUET_REQUIRED, -EBADMSG, TK_CHECK_E03},
        {true, "duration", TK_PARQUET_I32, TK_PARQUET_REQUIRED, -EBADMSG, TK_CHECK_E03},
        {false, "cpu_capacity", TK_PARQUET_F32, TK_PARQUET_REQUIRED, -EBADMSG, TK_CHECK_E03},
        {false, "mem_capacity", TK_PARQUET_F64, TK_PARQUET_REQUIRED, -EBADMSG, TK_CHECK_E03},
    };
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        struct file files[] = {tasks_file(), fragments_file()};
        struct file *changed = &files[rows[i].in_fragments];
        size_t node = find_node(changed, rows[i].column);
        changed->nodes[node].type = rows[i].type;
        changed->nodes[node].repetition = rows[i].repetition;
        write_both(&files[0], &files[1]);
        assert_int_equal(accepts(3, 5), rows[i].rc);
        expect_rule(rows[i].rule, 1);
    }
}

static void ids_of_text_on_one_side_are_a_mixed_profile(void **state)
{
    (void)state;
    struct file tasks = tasks_file();
    struct file fragments = fragments_file();
    fragments.nodes[0].type = TK_PARQUET_BYTES;
    write_both(&tasks, &fragments);
    assert_int_equal(accepts(0, 0), -EBADMSG);
    expect_rule(TK_CHECK_E05, 1);
}

static void missing_columns_load_as_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *column;
        int64_t tasks, fragments;
        int rc;
    } rows[] = {{"duration", 3, 5, 0},     {"cpu_count", 3, 5, 0},
                {"cpu_capacity", 3, 5, 0}, {"mem_capacity", 3, 5, 0},
                {"id", 0, 0, 0},           {"submission_time", 0, 0, -EBADMSG}};
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        struct file tasks = tasks_file();
        struct file fragments = fragments_file();
        drop(&tasks, rows[i].column);
        write_both(&tasks, &fragments);
        assert_int_equal(accepts(rows[i].tasks, rows[i].fragments), rows[i].rc);
        expect_rule(TK_CHECK_E02, 1);
    }
}

static void order_and_unknown_columns_do_not_matter_to_the_loader(void **state)
{
    (void)state;
    struct file tasks = tasks_file();
    struct file fragments = fragments_file();
    struct tk_parquet_node last = tasks.nodes[5];
    tasks.nodes[5] = tasks.nodes[0];
    tasks.nodes[0] = last;
    tasks.nodes[tasks.node_count++] = (struct tk_parquet_node){"colour", TK_PARQUET_I32};
    fragments.nodes[fragments.node_count++] = (struct tk_parquet_node){"cpu_count", TK_PARQUET_I32};
    write_both(&tasks, &fragments);
    assert_int_equal(accepts(3, 5), 0);
    expect_rule(TK_CHECK_W09, 1); /* of cpu_count newer readers know that old ones want it */
}

static void a_time_in_microseconds_is_accepted_and_wrong(void **state)
{
    (void)state;
    struct file tasks = tasks_file();
    struct file fragments = fragments_file();
    tasks.nodes[1].logical = TK_PARQUET_TIMESTAMP_US;
    write_both(&tasks, &fragments);
    assert_int_equal(accepts(3, 5), 0);
    expect_rule(TK_CHECK_E10, 1);
    for (size_t row = 0; row < TASK_ROWS; row++)
        set_value(&tasks, "submission_time", row, 1758000000.0 + (double)row);
    tasks.nodes[1] = task_nodes[1];
    write_both(&tasks, &fragments);
    expect_rule(TK_CHECK_E10, 3);
}

static void lists_are_of_int32_elements(void **state)
{
    (void)state;
    static const struct {
        const char *leaf;
        enum tk_parquet_type type;
        int rc;
        uint64_t findings;
    } rows[] = {{"element", TK_PARQUET_I32, 0, 0},
                {"item", TK_PARQUET_I32, -EBADMSG, 1},
                {"element", TK_PARQUET_I64, -EBADMSG, 1}};
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        struct file tasks = tasks_file();
        struct file fragments = fragments_file();
        tasks.nodes[tasks.node_count++] = (struct tk_parquet_node){
            "parents", TK_PARQUET_GROUP, TK_PARQUET_OPTIONAL, TK_PARQUET_LIST, .children = 1};
        tasks.nodes[tasks.node_count++] =
            (struct tk_parquet_node){"list", TK_PARQUET_GROUP, TK_PARQUET_REPEATED, .children = 1};
        tasks.nodes[tasks.node_count++] =
            (struct tk_parquet_node){rows[i].leaf, rows[i].type, TK_PARQUET_OPTIONAL};
        write_both(&tasks, &fragments);
        assert_int_equal(accepts(3, 5), rows[i].rc);
        expect_rule(TK_CHECK_E11, rows[i].findings);
    }
}

static void add_edges(struct file *tasks, const double *parents, const double *children)
{
    static const char *const names[] = {"parents", "children"};
    for (size_t i = 0; i < 2; i++) {
        tasks->nodes[tasks->node_count++] = (struct tk_parquet_node){
            names[i], TK_PARQUET_GROUP, TK_PARQUET_OPTIONAL, TK_PARQUET_LIST, .children = 1};
        tasks->nodes[tasks->node_count++] =
            (struct tk_parquet_node){"list", TK_PARQUET_GROUP, TK_PARQUET_REPEATED, .children = 1};
        tasks->nodes[tasks->node_count++] =
            (struct tk_parquet_node){"element", TK_PARQUET_I32, TK_PARQUET_OPTIONAL};
        struct column *column = &tasks->columns[8 + i];
        column->name = names[i];
        memcpy(column->values, i == 0 ? parents : children, TASK_ROWS * sizeof(double));
    }
}

static void edges_are_known_symmetric_and_without_circle(void **state)
{
    (void)state;
    static const struct {
        double parents[TASK_ROWS], children[TASK_ROWS];
        uint64_t findings;
    } rows[] = {
        {{0, 0, 1}, {3, 0, 0}, 0}, {{0, 0, 9}, {0, 0, 0}, 1}, /* unknown */
        {{0, 0, 1}, {0, 0, 0}, 1},                            /* the parent does not know */
        {{0, 0, 0}, {3, 0, 0}, 1},                            /* the child does not know */
        {{0, 1, 0}, {2, 0, 0}, 1}, /* submitted at 5000, the parent may have ended at 3000 */
        {{3, 0, 1}, {3, 0, 1}, 1}, /* a circle */
    };
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        struct file tasks = tasks_file();
        struct file fragments = fragments_file();
        add_edges(&tasks, rows[i].parents, rows[i].children);
        write_both(&tasks, &fragments);
        assert_int_equal(accepts(3, 5), 0);
        expect_rule(TK_CHECK_E11, rows[i].findings);
    }
}

static void ids_join_as_the_loader_joins_them(void **state)
{
    (void)state;
    struct file tasks = tasks_file();
    struct file fragments = fragments_file();
    set_value(&tasks, "id", 1, 1); /* twice 1: each gets all fragments of 1; those of 2 are lost */
    write_both(&tasks, &fragments);
    assert_int_equal(accepts(3, 5), 0);
    expect_rule(TK_CHECK_E06, 1);
    expect_rule(TK_CHECK_E07, 2);
    tasks = tasks_file();
    set_value(&tasks, "id", 1, -7); /* negative ids are fine, but this one has no fragment */
    write_both(&tasks, &fragments);
    assert_int_equal(accepts(2, 3), 0);
    expect_rule(TK_CHECK_E07, 3);
}

static void values_that_make_no_sense_are_found(void **state)
{
    (void)state;
    static const struct {
        bool in_fragments;
        const char *column;
        double value;
        enum tk_check_rule rule;
    } rows[] = {
        {false, "duration", 0, TK_CHECK_E08},
        {true, "duration", -5, TK_CHECK_E08},
        {true, "cpu_usage", -1, TK_CHECK_E09},
        {true, "cpu_usage", (double)NAN, TK_CHECK_E09},
        {false, "cpu_capacity", HUGE_VAL, TK_CHECK_E09},
        {false, "cpu_count", 0, TK_CHECK_E09},
        {false, "mem_capacity", -1, TK_CHECK_E09},
        {true, "cpu_usage", HUGE_VAL, TK_CHECK_E09},
        {false, "cpu_capacity", -1, TK_CHECK_E09},
        {false, "submission_time", 631151999999.0, TK_CHECK_E10},  /* 1989 */
        {false, "submission_time", 4102444800001.0, TK_CHECK_E10}, /* 2100 */
        {false, "duration", 3100, TK_CHECK_W01},
        {true, "cpu_usage", 2500, TK_CHECK_W03},
    };
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        struct file files[] = {tasks_file(), fragments_file()};
        set_value(&files[rows[i].in_fragments], rows[i].column, 0, rows[i].value);
        write_both(&files[0], &files[1]);
        expect_rule(rows[i].rule, 1);
    }
}

static void a_null_where_a_value_is_required_is_found(void **state)
{
    (void)state;
    static const struct {
        bool in_fragments;
        const char *column;
    } rows[] = {{false, "id"},        {false, "submission_time"}, {false, "duration"},
                {false, "cpu_count"}, {false, "cpu_capacity"},    {false, "mem_capacity"},
                {true, "id"},         {true, "duration"},         {true, "cpu_usage"}};
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        struct file files[] = {tasks_file(), fragments_file()};
        struct file *changed = &files[rows[i].in_fragments];
        changed->nodes[find_node(changed, rows[i].column)].repetition = TK_PARQUET_OPTIONAL;
        set_value(changed, rows[i].column, 1, (double)NAN);
        write_both(&files[0], &files[1]);
        expect_rule(TK_CHECK_E04, 2); /* the column, and its null */
    }
}

static void columns_missing_from_the_fragments_are_found(void **state)
{
    (void)state;
    static const char *const names[] = {"id", "duration", "cpu_usage"};
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        struct file tasks = tasks_file();
        struct file fragments = fragments_file();
        drop(&fragments, names[i]);
        write_both(&tasks, &fragments);
        expect_rule(TK_CHECK_E02, 1);
    }
}

static void a_deadline_before_the_submission_is_found(void **state)
{
    (void)state;
    static const struct {
        double deadline;
        uint64_t findings;
    } rows[] = {{T0 + 9000, 0}, {T0, 0}, {-1, 0}, {T0 - 1, 1}, {0, 1}};
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        struct file tasks = tasks_file();
        struct file fragments = fragments_file();
        tasks.nodes[tasks.node_count++] =
            (struct tk_parquet_node){"deadline", TK_PARQUET_I64, TK_PARQUET_OPTIONAL};
        tasks.columns[6] = (struct column){"deadline", {rows[i].deadline, -1, T0 + 9000}};
        write_both(&tasks, &fragments);
        expect_rule(TK_CHECK_E12, rows[i].findings);
    }
}

static void sums_may_differ_by_a_millisecond_and_no_more(void **state)
{
    (void)state;
    static const struct {
        double duration;
        uint64_t findings;
    } rows[] = {{3000, 0}, {3001, 0}, {2999, 0}, {3002, 1}, {2998, 1}};
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        struct file tasks = tasks_file();
        struct file fragments = fragments_file();
        set_value(&tasks, "duration", 0, rows[i].duration);
        write_both(&tasks, &fragments);
        expect_rule(TK_CHECK_W01, rows[i].findings);
    }
}

/* Only task 1, with so many fragments of the base set's. */
static void write_one_task(const double *durations, const double *usages, size_t count)
{
    struct file tasks = tasks_file();
    struct file fragments = fragments_file();
    tasks.rows = 1;
    fragments.rows = count;
    for (size_t row = 0; row < count; row++) {
        set_value(&fragments, "id", row, 1);
        set_value(&fragments, "duration", row, durations[row]);
        set_value(&fragments, "cpu_usage", row, usages[row]);
    }
    write_both(&tasks, &fragments);
}

static void only_tasks_that_could_show_a_course_count_as_constant(void **state)
{
    (void)state;
    static const struct {
        double durations[2], usages[2];
        size_t count;
        uint64_t findings;
    } rows[] = {
        {{60000}, {1200}, 1, 1},             /* a long one */
        {{4999}, {1200}, 1, 0},              /* shorter than a sample or two */
        {{60000}, {24}, 1, 0},               /* idle */
        {{1000, 1000}, {1200, 1200}, 2, 1},  /* cut, and yet the same */
        {{60000, 1000}, {1200, 1300}, 2, 0}, /* it has a course */
    };
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        write_one_task(rows[i].durations, rows[i].usages, rows[i].count);
        expect_rule(TK_CHECK_W06, rows[i].findings);
    }
}

static void more_fragments_than_fit_in_memory_are_found(void **state)
{
    (void)state;
    struct file tasks = tasks_file();
    struct file fragments = fragments_file();
    struct tk_check_result result;
    write_both(&tasks, &fragments);
    check_most(5, &result);
    assert_int_equal(result.counts[TK_CHECK_W07], 0);
    check_most(4, &result);
    assert_int_equal(result.counts[TK_CHECK_W07], 1);
}

static void order_and_ties_are_found(void **state)
{
    (void)state;
    static const struct {
        double submissions[TASK_ROWS], ids[FRAGMENT_ROWS];
        uint64_t findings;
    } rows[] = {
        {{T0, T0 + 1, T0 + 2}, {1, 1, 2, 2, 3}, 0},
        {{T0, T0 + 2, T0 + 1}, {1, 1, 2, 2, 3}, 1}, /* not sorted */
        {{T0, T0, T0 + 1}, {1, 1, 2, 2, 3}, 1},     /* at once */
        {{T0, T0 + 1, T0 + 2}, {1, 2, 1, 2, 3}, 2}, /* 1 goes on after 2, and 2 after 1 */
    };
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        struct file tasks = tasks_file();
        struct file fragments = fragments_file();
        for (size_t row = 0; row < TASK_ROWS; row++)
            set_value(&tasks, "submission_time", row, rows[i].submissions[row]);
        for (size_t row = 0; row < FRAGMENT_ROWS; row++)
            set_value(&fragments, "id", row, rows[i].ids[row]);
        write_both(&tasks, &fragments);
        expect_rule(TK_CHECK_W08, rows[i].findings);
    }
}

static void a_codec_that_few_readers_have_is_a_warning(void **state)
{
    (void)state;
    struct file tasks = tasks_file();
    struct file fragments = fragments_file();
    struct tk_err err;
    enum tk_parquet_codec codec;
    if (tk_parquet_codec_parse(TK_STR("lz4_raw"), &codec, &err) < 0)
        skip(); /* built without it */
    tasks.codec = codec;
    write_both(&tasks, &fragments);
    assert_int_equal(accepts(3, 5), 0);
    expect_rule(TK_CHECK_W09, 1);
}

/* Specification, section 18, cases I to L: what vanishes under Perfect. */
static void fragments_that_vanish_or_shrink_are_found(void **state)
{
    (void)state;
    static const struct {
        double durations[3], usages[3];
        uint64_t findings;
    } rows[] = {
        {{2000, 1000, 2000}, {2400, 0.1, 1200}, 1}, {{2000, 1000, 2000}, {2400, 2.3, 1200}, 1},
        {{2000, 1000, 2000}, {2400, 2.4, 1200}, 0}, {{2000, 1000, 2000}, {2400, 2.41, 1200}, 1},
        {{2000, 20, 2000}, {2400, 119, 1200}, 1},   {{2000, 20, 2000}, {2400, 120, 1200}, 0},
        {{2000, 2000, 2000}, {2400, 0, 1200}, 1},   {{5, 2000, 2000}, {0.1, 2400, 1200}, 1},
    };
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        write_one_task(rows[i].durations, rows[i].usages, 3);
        expect_rule(TK_CHECK_W02, rows[i].findings);
    }
}

/* Case L: what a fragment before can do in 1 ms is limited by the host. */
static void the_largest_host_limits_what_vanishes(void **state)
{
    (void)state;
    const double durations[] = {2000, 1000, 1000};
    put("topology.json",
        TK_STR("{\"clusters\":[{\"name\":\"C\",\"hosts\":[{\"name\":\"H\",\"cpu\":{\"coreCount\":4,"
               "\"coreSpeed\":\"2400 MHz\"},\"memory\":{\"memorySize\":\"16 GiB\"}}]}]}"));
    write_one_task(durations, (const double[]){20000, 9.5, 1200}, 3);
    expect_rule(TK_CHECK_W02, 1);
    write_one_task(durations, (const double[]){20000, 9.7, 1200}, 3);
    expect_rule(TK_CHECK_W02, 0);
}

static void damage_first_page(const char *name)
{
    char path[PATH_MAX + NAME_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    TK_CLEANUP(tk_fd_close) int fd = open(path, O_WRONLY | O_CLOEXEC);
    static const char zeros[24] = {0};
    assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 4), sizeof(zeros));
}

static void empty_missing_and_broken_files_are_found(void **state)
{
    (void)state;
    struct file tasks = tasks_file();
    struct file fragments = fragments_file();
    expect_rule(TK_CHECK_E01, 2);
    tasks.rows = 0;
    write_both(&tasks, &fragments);
    assert_int_equal(accepts(0, 0), 0);
    expect_rule(TK_CHECK_E13, 1);
    tasks.rows = TASK_ROWS;
    write_both(&tasks, &fragments);
    put("fragments.parquet", TK_STR("PAR1 this is no footer PAR1"));
    assert_true(accepts(0, 0) < 0);
    expect_rule(TK_CHECK_E01, 1);
    /* The footer is whole, the first page is not. */
    tasks.codec = TK_PARQUET_ZSTD;
    write_both(&tasks, &fragments);
    damage_first_page("tasks.parquet");
    expect_rule(TK_CHECK_E01, 1);
}

static void a_folder_of_parts_is_one_file(void **state)
{
    (void)state;
    struct file tasks = tasks_file();
    struct file fragments = fragments_file();
    char path[PATH_MAX + NAME_MAX];
    struct tk_err err;
    (void)snprintf(path, sizeof(path), "%s/tasks.parquet", folder);
    assert_int_equal(tk_dir_make(AT_FDCWD, path, &err), 0);
    tasks.rows = 2;
    write_to(&tasks, "tasks.parquet/part-0.parquet");
    tasks.rows = 1;
    set_value(&tasks, "id", 0, 3);
    write_to(&tasks, "tasks.parquet/part-1.parquet");
    write_to(&fragments, fragments.name);
    assert_int_equal(accepts(3, 5), 0);
    expect_rule(TK_CHECK_E06, 0);
}

/* Topologies ---------------------------------------------------------------------------------- */

static void topologies_are_read_with_their_units(void **state)
{
    (void)state;
#define TOPOLOGY(cpu, memory)                                                                      \
    "{\"clusters\":[{\"name\":\"C\",\"hosts\":[{\"name\":\"H\",\"cpu\":{" cpu                      \
    "},\"memory\":{" memory "}}]}]}"
    static const struct {
        const char *text;
        enum tk_check_rule rule;
        uint64_t findings;
    } rows[] = {
        {TOPOLOGY("\"coreCount\":4,\"coreSpeed\":\"2.4 GHz\"", "\"memorySize\":\"16 GiB\""),
         TK_CHECK_W03, 0},
        {TOPOLOGY("\"coreCount\":4,\"coreSpeed\":\"2399 MHz\"", "\"memorySize\":\"16 GiB\""),
         TK_CHECK_W03, 3}, /* per core */
        {TOPOLOGY("\"coreCount\":1,\"coreSpeed\":\"2400 MHz\"", "\"memorySize\":\"16 GiB\""),
         TK_CHECK_W03, 1}, /* usage of 4800 MHz on it */
        {TOPOLOGY("\"coreCount\":1,\"coreSpeed\":\"4800 MHz\"", "\"size\":\"16 GiB\""),
         TK_CHECK_W04, 1}, /* the task of two cores */
        {TOPOLOGY("\"coreCount\":4,\"coreSpeed\":\"2400 MHz\"", "\"size\":\"999 MiB\""),
         TK_CHECK_W04, 1}, /* 1000 MB against 999 MiB, as OpenDC does */
        {TOPOLOGY("\"coreCount\":4,\"coreSpeed\":2400", "\"memorySize\":\"16 GiB\""), TK_CHECK_W05,
         1},
        {TOPOLOGY("\"coreCount\":4,\"coreSpeed\":\"2400 MHz\"", "\"memorySize\":17179869184"),
         TK_CHECK_W05, 1},
        {TOPOLOGY("\"coreCount\":4,\"coreSpeed\":\"2400 mhz\"", "\"memorySize\":\"1 GiB\""),
         TK_CHECK_E14, 2}, /* the unit, and so the host has no speed */
        {TOPOLOGY("\"coreCount\":4,\"coreSpeed\":\"2400 MHz\",\"turbo\":1",
                  "\"memorySize\":\"1 GiB\""),
         TK_CHECK_W09, 1},
        {"{\"clusters\":[", TK_CHECK_E14, 1},
    };
    struct file tasks = tasks_file();
    struct file fragments = fragments_file();
    write_both(&tasks, &fragments);
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        put("topology.json", tk_str_from(rows[i].text));
        expect_rule(rows[i].rule, rows[i].findings);
    }
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_base_set_loads),
        test(what_is_stricter_or_of_another_type_is_refused),
        test(ids_of_text_on_one_side_are_a_mixed_profile),
        test(missing_columns_load_as_nothing),
        test(order_and_unknown_columns_do_not_matter_to_the_loader),
        test(a_time_in_microseconds_is_accepted_and_wrong),
        test(lists_are_of_int32_elements),
        test(edges_are_known_symmetric_and_without_circle),
        test(ids_join_as_the_loader_joins_them),
        test(values_that_make_no_sense_are_found),
        test(a_null_where_a_value_is_required_is_found),
        test(columns_missing_from_the_fragments_are_found),
        test(a_deadline_before_the_submission_is_found),
        test(sums_may_differ_by_a_millisecond_and_no_more),
        test(only_tasks_that_could_show_a_course_count_as_constant),
        test(more_fragments_than_fit_in_memory_are_found),
        test(order_and_ties_are_found),
        test(a_codec_that_few_readers_have_is_a_warning),
        test(fragments_that_vanish_or_shrink_are_found),
        test(the_largest_host_limits_what_vanishes),
        test(empty_missing_and_broken_files_are_found),
        test(a_folder_of_parts_is_one_file),
        test(topologies_are_read_with_their_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
