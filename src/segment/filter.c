/* SPDX-License-Identifier: Apache-2.0 */
/* One byte a row says whether it is still asked for. Each condition reads its column, page by page,
 * but pages without such a row; a text of a dictionary is tested once. */
#include "segment/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "segment/columns_internal.h"

/* What a column is tested for. */
struct test {
    bool (*text)(const void *user, tk_str value);
    bool (*number)(const void *user, int64_t bits); /* of an I64, F64 or BOOL */
    const void *user;
    bool of_null;
    bool has_range; /* numbers outside of [least, most] need not be looked at */
    int64_t least, most;
};

struct filter {
    struct tk_segment_file *file;
    size_t group;
    size_t rows;
    const struct tk_span_query *query;
    struct tk_arena *arena;
    uint8_t *asked; /* [rows] 1 = still asked for */
    uint8_t *found; /* [rows] 1 = the condition at hand holds */
};

/* A column that is tested. */
struct testing {
    const struct filter *filter;
    const struct test *test;
    const struct tk_parquet_leaf *leaf;
    enum tk_parquet_type type;
    struct tk_parquet_cursor *cursor;
    uint8_t *of_index; /* [dictionary] the test of each text */
};

static void *alloc(const struct filter *filter, size_t n, struct tk_err *err)
{
    void *p = tk_arena_alloc(filter->arena, n + 1);
    if (!p)
        (void)tk_fail(err, -ENOMEM, "no memory for so many rows");
    return p;
}

static void testing_release(struct testing *testing)
{
    tk_parquet_cursor_free(testing->cursor);
}

/* One column ----------------------------------------------------------------------------------- */

/* Test the texts of the dictionary; `ret_any` = one of them passes. */
static int test_dictionary(struct testing *testing, bool *ret_any, struct tk_err *err)
{
    const void *values = NULL;
    size_t n = 0;
    int rc = tk_parquet_cursor_dictionary(testing->cursor, &values, &n, err);
    if (rc < 0)
        return rc;
    testing->of_index = alloc(testing->filter, n, err);
    if (!testing->of_index)
        return err->code;
    *ret_any = false;
    for (size_t i = 0; i < n; i++) {
        testing->of_index[i] =
            testing->test->text(testing->test->user, ((const tk_str *)values)[i]);
        *ret_any = *ret_any || testing->of_index[i];
    }
    return 0;
}

/* Every data page of the column has indices. */
static bool is_all_indices(const struct tk_parquet_column_meta *meta)
{
    for (size_t i = 0; i < meta->encoding_stats_count; i++) {
        const struct tk_parquet_encoding_stats *stats = &meta->encoding_stats[i];
        if (stats->page_type != TK_PARQUET_PAGE_DICTIONARY &&
            stats->encoding != TK_PARQUET_ENC_RLE_DICTIONARY)
            return false;
    }
    return meta->encoding_stats_count > 0;
}

static bool test_value(const struct testing *testing, const struct tk_parquet_entries *entries,
                       size_t v)
{
    const struct test *test = testing->test;
    if (testing->type == TK_PARQUET_BYTES)
        return test->text(test->user, ((const tk_str *)entries->values)[v]);
    if (testing->type == TK_PARQUET_BOOL)
        return test->number(test->user, ((const bool *)entries->values)[v]);
    return test->number(test->user, ((const int64_t *)entries->values)[v]);
}

/* Or the tests of some entries into to[0..n). */
static void test_entries(const struct testing *testing, const struct tk_parquet_entries *entries,
                         uint8_t *to)
{
    size_t v = 0;
    if (entries->indices && !entries->def) {
        for (size_t e = 0; e < entries->n; e++)
            to[e] |= testing->of_index[entries->indices[e]];
        return;
    }
    for (size_t e = 0; e < entries->n; e++) {
        if (entries->def && entries->def[e] != testing->leaf->max_def) {
            to[e] |= testing->test->of_null;
        } else if (entries->indices) {
            to[e] |= testing->of_index[entries->indices[v++]];
        } else {
            to[e] |= test_value(testing, entries, v++);
        }
    }
}

/* A page may hold a value in the range of the test. */
static bool page_may_pass(const struct test *test, const struct tk_parquet_column_index *bounds,
                          size_t page)
{
    int64_t least;
    int64_t most;
    if (!test->has_range || bounds->set == 0 || bounds->min_values[page].n != sizeof(least) ||
        bounds->max_values[page].n != sizeof(most))
        return true;
    memcpy(&least, bounds->min_values[page].p, sizeof(least));
    memcpy(&most, bounds->max_values[page].p, sizeof(most));
    return least <= test->most && most >= test->least;
}

/* Test rows [from, to), which are the rest of the column or a page of it. */
static int test_rows(const struct testing *testing, size_t from, size_t to, struct tk_err *err)
{
    while (from < to) {
        struct tk_parquet_entries entries;
        int rc = tk_parquet_cursor_next(testing->cursor, &entries, err);
        if (rc < 0)
            return rc;
        if (rc == 1 || entries.n > to - from)
            return tk_fail(err, -EBADMSG, "a column has other rows than it says");
        test_entries(testing, &entries, testing->filter->found + from);
        from += entries.n;
    }
    return 0;
}

static int test_pages(const struct testing *testing, size_t leaf, struct tk_err *err)
{
    const struct filter *filter = testing->filter;
    struct tk_parquet_pages pages;
    int rc = tk_parquet_file_pages(filter->file->parquet, filter->group, leaf, filter->arena,
                                   &pages, err);
    const struct tk_parquet_offset_index *offsets = &pages.offsets;
    if (rc == 0 && offsets->page_count == 0)
        rc = test_rows(testing, 0, filter->rows, err);
    for (size_t page = 0; rc == 0 && page < offsets->page_count; page++) {
        bool is_last = page + 1 == offsets->page_count;
        size_t from = (size_t)offsets->page_locations[page].first_row_index;
        size_t to =
            is_last ? filter->rows : (size_t)offsets->page_locations[page + 1].first_row_index;
        if (!page_may_pass(testing->test, &pages.bounds, page) ||
            !memchr(filter->asked + from, 1, to - from))
            continue;
        rc = tk_parquet_cursor_seek(testing->cursor, &offsets->page_locations[page], err);
        if (rc == 0)
            rc = test_rows(testing, from, to, err);
    }
    return rc;
}

/* Or into filter->found which rows of a column without repetition pass. */
static int test_column(const struct filter *filter, size_t leaf, const struct test *test,
                       struct tk_err *err)
{
    size_t count;
    struct tk_parquet_file *parquet = filter->file->parquet;
    const struct tk_parquet_column_meta *meta =
        &tk_parquet_file_meta(parquet)->row_groups[filter->group].columns[leaf].meta;
    TK_CLEANUP(testing_release) struct testing testing = {.filter = filter, .test = test};
    testing.leaf = &tk_parquet_file_leaves(parquet, &count)[leaf];
    testing.type = tk_parquet_file_nodes(parquet, &count)[testing.leaf->node].type;
    if (meta->statistics.null_count == meta->num_values && TK_PARQUET_HAS(&meta->statistics, 3)) {
        if (test->of_null)
            memset(filter->found, 1, filter->rows);
        return 0;
    }
    int rc = tk_parquet_cursor_new(parquet, filter->group, leaf, &testing.cursor, err);
    if (rc == 0 && testing.type == TK_PARQUET_BYTES) {
        bool any = true;
        tk_parquet_cursor_use_indices(testing.cursor);
        rc = test_dictionary(&testing, &any, err);
        if (rc == 0 && !any && !test->of_null && is_all_indices(meta))
            return 0;
    }
    return rc < 0 ? rc : test_pages(&testing, leaf, err);
}

/* Leave only rows whose value passes. */
static int narrow(struct filter *filter, size_t leaf, const struct test *test, struct tk_err *err)
{
    memset(filter->found, 0, filter->rows);
    int rc = test_column(filter, leaf, test, err);
    for (size_t i = 0; i < filter->rows; i++)
        filter->asked[i] &= filter->found[i];
    return rc;
}

/* Columns that every span has ------------------------------------------------------------------ */

static bool is_text(const void *user, tk_str value)
{
    return tk_str_eq(value, *(const tk_str *)user);
}

static bool is_in_range(const void *user, int64_t value)
{
    const struct test *test = user;
    return value >= test->least && value <= test->most;
}

struct names {
    const tk_str *texts;
    size_t n;
    uint32_t wanted; /* bit i: the i-th */
};

static bool is_wanted_name(const void *user, tk_str value)
{
    const struct names *names = user;
    uint64_t number;
    for (size_t i = 0; i < names->n; i++) {
        if (tk_str_eq(value, names->texts[i]))
            return names->wanted >> i & 1;
    }
    return tk_parse_u64(value, &number) && number < 32 && (names->wanted >> number & 1);
}

static int narrow_texts(struct filter *filter, struct tk_err *err)
{
    const struct tk_span_query *query = filter->query;
    struct names kinds = {tk_kind_texts, TK_SPAN_KIND_COUNT, query->kinds};
    struct names statuses = {tk_status_texts, TK_SPAN_STATUS_COUNT, query->statuses};
    const struct {
        bool is_asked;
        size_t leaf;
        struct test test;
    } tests[] = {
        {query->service.p,
         TK_COLUMN_SERVICE,
         {.text = is_text, .user = &query->service, .of_null = query->service.n == 0}},
        {query->name.p, TK_COLUMN_NAME, {.text = is_text, .user = &query->name}},
        {query->kinds != 0, TK_COLUMN_KIND, {.text = is_wanted_name, .user = &kinds}},
        {query->statuses != 0, TK_COLUMN_STATUS, {.text = is_wanted_name, .user = &statuses}},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(tests); i++) {
        if (tests[i].is_asked)
            rc = narrow(filter, tests[i].leaf, &tests[i].test, err);
    }
    return rc;
}

static int narrow_range(struct filter *filter, size_t leaf, int64_t least, int64_t most,
                        struct tk_err *err)
{
    struct test test = {.number = is_in_range, .has_range = true, .least = least, .most = most};
    test.user = &test;
    return narrow(filter, leaf, &test, err);
}

static bool no_text(const void *user, tk_str value)
{
    (void)user;
    (void)value;
    return false;
}

static int narrow_numbers(struct filter *filter, struct tk_err *err)
{
    const struct tk_span_query *query = filter->query;
    int rc = 0;
    int64_t from_ns = tk_span_query_from_ns(query);
    if (from_ns != INT64_MIN || query->to_ns > 0) {
        rc = narrow_range(filter, TK_COLUMN_START_NS, from_ns,
                          query->to_ns > 0 ? query->to_ns - 1 : INT64_MAX, err);
    }
    if (rc == 0 && (query->min_duration_ns > 0 || query->max_duration_ns > 0)) {
        rc = narrow_range(filter, TK_COLUMN_DURATION_NS, query->min_duration_ns,
                          query->max_duration_ns > 0 ? query->max_duration_ns : INT64_MAX, err);
    }
    if (rc == 0 && query->roots) {
        struct test test = {.text = no_text, .of_null = true};
        rc = narrow(filter, TK_COLUMN_PARENT_SPAN_ID, &test, err);
    }
    return rc;
}

/* Traces --------------------------------------------------------------------------------------- */

struct traces {
    char (*hex)[32]; /* [n], sorted */
    size_t n;
    char prefix[32];
    size_t digits;
};

static int cmp_hex(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static bool is_trace(const void *user, tk_str value)
{
    const struct traces *traces = user;
    if (value.n != 32 || memcmp(value.p, traces->prefix, traces->digits) != 0)
        return false;
    return traces->n == 0 || bsearch(value.p, traces->hex, traces->n, 32, cmp_hex) != NULL;
}

/* Leave out ids that the Bloom filter knows not to be there. */
static int ask_bloom(const struct filter *filter, struct traces *traces, struct tk_err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < traces->n; i++) {
        bool may = true;
        uint64_t hash = tk_parquet_hash((tk_str){traces->hex[i], 32});
        int rc = tk_parquet_file_may_have(filter->file->parquet, filter->group, TK_COLUMN_TRACE_ID,
                                          hash, &may, err);
        if (rc < 0)
            return rc;
        if (may)
            memmove(traces->hex[n++], traces->hex[i], 32);
    }
    traces->n = n;
    return 0;
}

/* Which traces are asked for that may be there: 1 = none of them, so that no row need be looked
 * at. */
static int find_traces(const struct filter *filter, struct traces *ret_traces, struct tk_err *err)
{
    const struct tk_span_query *query = filter->query;
    struct traces traces = {.n = query->trace_id_count, .digits = query->trace_prefix_digits};
    tk_hex_put(query->trace_prefix, 16, traces.prefix);
    traces.hex = alloc(filter, traces.n * sizeof(*traces.hex), err);
    if (!traces.hex)
        return err->code;
    for (size_t i = 0; i < traces.n; i++)
        tk_hex_put(query->trace_ids[i], 16, traces.hex[i]);
    int rc = ask_bloom(filter, &traces, err);
    if (rc < 0)
        return rc;
    if (traces.n > 1)
        qsort(traces.hex, traces.n, sizeof(*traces.hex), cmp_hex);
    *ret_traces = traces;
    return traces.n == 0 && query->trace_id_count > 0;
}

static int narrow_traces(struct filter *filter, const struct traces *traces, struct tk_err *err)
{
    struct test test = {.text = is_trace, .user = traces};
    if (traces->n == 0 && traces->digits == 0)
        return 0;
    return narrow(filter, TK_COLUMN_TRACE_ID, &test, err);
}

/* Attributes ----------------------------------------------------------------------------------- */

/* A condition, ready to be tested. */
struct condition {
    const struct tk_attr_condition *of;
    bool has_number;
    double number; /* that its value is */
    enum tk_attr_type type;
    tk_str quoted; /* the key as it stands in JSON */
};

static bool compares(const struct condition *condition, double value)
{
    switch (condition->of->test) {
    case TK_ATTR_EXISTS:
    case TK_ATTR_NOT_EQUAL:
    case TK_ATTR_MATCHES:
    case TK_ATTR_NOT_MATCHES:
        return true;
    case TK_ATTR_ABOVE:
        return value > condition->number;
    case TK_ATTR_BELOW:
        return value < condition->number;
    case TK_ATTR_AT_LEAST:
        return value >= condition->number;
    case TK_ATTR_AT_MOST:
        return value <= condition->number;
    case TK_ATTR_EQUAL:
        break;
    }
    return condition->has_number && value == condition->number;
}

/* A value of a column of numbers may be what is asked for. */
static bool number_may_pass(const void *user, int64_t bits)
{
    const struct condition *condition = user;
    double value;
    if (condition->type == TK_ATTR_BOOL) {
        return condition->of->test != TK_ATTR_EQUAL ||
               tk_str_eq(condition->of->value, bits ? TK_STR("true") : TK_STR("false"));
    }
    memcpy(&value, &bits, sizeof(value));
    if (condition->type == TK_ATTR_DOUBLE) /* NaN and infinities are no numbers in a condition */
        return compares(condition, value) || value != value || value - value != 0;
    return compares(condition, (double)bits);
}

static bool string_may_pass(const void *user, tk_str value)
{
    const struct condition *condition = user;
    return condition->of->test != TK_ATTR_EQUAL || tk_str_eq(value, condition->of->value);
}

/* A value of the map, whose type the map does not tell: what may be a number in another form, or
 * bytes, or JSON, is looked at more closely later. */
static bool entry_may_pass(const void *user, tk_str value)
{
    const struct condition *condition = user;
    tk_str wanted = condition->of->value;
    return string_may_pass(user, value) || condition->has_number ||
           (wanted.n > 0 && (wanted.p[0] == '"' || wanted.p[0] == '[' || wanted.p[0] == '{'));
}

/* The JSON of a resource has the key, or a text that looks like it. */
static bool resource_may_pass(const void *user, tk_str value)
{
    const struct condition *condition = user;
    return memmem(value.p, value.n, condition->quoted.p, condition->quoted.n) != NULL;
}

static int test_promoted(const struct filter *filter, const struct tk_segment_attrs *attrs,
                         struct condition *condition, bool *ret_has, struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < attrs->count; i++) {
        const struct tk_segment_attr *attr = &attrs->items[i];
        if (!tk_str_eq(attr->key, condition->of->key))
            continue;
        *ret_has = true;
        condition->type = attr->type;
        struct test test = {.text = string_may_pass, .number = number_may_pass, .user = condition};
        rc = test_column(filter, attr->leaf, &test, err);
    }
    return rc;
}

/* Two repeated columns that are read side by side. */
struct side {
    size_t leaf;
    bool (*passes)(const void *user, tk_str value);
    const void *user;
    struct tk_parquet_cursor *cursor;
    struct tk_parquet_entries entries;
    uint8_t *of_index;
    size_t at, v;
};

static void side_release(struct side *side)
{
    tk_parquet_cursor_free(side->cursor);
}

/* Open a column of the map; `ret_any` = some text passes. */
static int side_init(const struct filter *filter, struct side *side, bool *ret_any,
                     struct tk_err *err)
{
    const struct tk_parquet_column_meta *meta = &tk_parquet_file_meta(filter->file->parquet)
                                                     ->row_groups[filter->group]
                                                     .columns[side->leaf]
                                                     .meta;
    struct test test = {.text = side->passes, .user = side->user};
    struct testing testing = {.filter = filter, .test = &test};
    int rc =
        tk_parquet_cursor_new(filter->file->parquet, filter->group, side->leaf, &side->cursor, err);
    if (rc < 0)
        return rc;
    tk_parquet_cursor_use_indices(side->cursor);
    testing.cursor = side->cursor;
    rc = test_dictionary(&testing, ret_any, err);
    side->of_index = testing.of_index;
    *ret_any = *ret_any || !is_all_indices(meta);
    return rc;
}

static int side_fill(struct side *side, struct tk_err *err)
{
    int rc =
        side->at < side->entries.n ? 0 : tk_parquet_cursor_next(side->cursor, &side->entries, err);
    if (side->at >= side->entries.n)
        side->at = side->v = 0;
    return rc;
}

static bool side_passes(const struct side *side)
{
    return side->entries.indices
               ? side->of_index[side->entries.indices[side->v]]
               : side->passes(side->user, ((const tk_str *)side->entries.values)[side->v]);
}

/* Entries of the map with that key whose value may be what is asked for. */
static int test_entries_of_map(const struct filter *filter, const struct condition *condition,
                               struct tk_err *err)
{
    const struct tk_parquet_column_meta *meta = &tk_parquet_file_meta(filter->file->parquet)
                                                     ->row_groups[filter->group]
                                                     .columns[TK_COLUMN_ATTRS_KEY]
                                                     .meta;
    TK_CLEANUP(side_release)
    struct side keys = {TK_COLUMN_ATTRS_KEY, is_text, &condition->of->key};
    TK_CLEANUP(side_release)
    struct side values = {TK_COLUMN_ATTRS_VALUE, entry_may_pass, condition};
    bool any = false;
    bool any_value = false;
    if (TK_PARQUET_HAS(&meta->statistics, 3) && meta->statistics.null_count == meta->num_values)
        return 0;
    int rc = side_init(filter, &keys, &any, err);
    if (rc == 0 && any)
        rc = side_init(filter, &values, &any_value, err);
    if (rc < 0 || !any || !any_value)
        return rc;
    size_t row = 0; /* + 1: of the entry at hand */
    while ((rc = side_fill(&keys, err)) == 0 && (rc = side_fill(&values, err)) == 0) {
        size_t left = keys.entries.n - keys.at;
        size_t other = values.entries.n - values.at;
        for (size_t n = left < other ? left : other; n > 0; n--, keys.at++, values.at++) {
            row += keys.entries.rep[keys.at] == 0;
            if (row > filter->rows)
                return tk_fail(err, -EBADMSG, "a column has other rows than it says");
            if (keys.entries.def[keys.at] != 2)
                continue;
            filter->found[row - 1] |= side_passes(&keys) && side_passes(&values);
            keys.v++;
            values.v++;
        }
    }
    return rc < 0 ? rc : 0;
}

static bool field_passes(const void *user, tk_str value)
{
    return tk_attr_condition_holds(user, value);
}

/* A condition on a column that every span has. */
static int narrow_field(struct filter *filter, const struct tk_attr_condition *of,
                        struct tk_err *err)
{
    struct test test = {.text = field_passes, .user = of};
    test.of_null = tk_attr_condition_holds(of, TK_STR(""));
    return narrow(filter, of->field == TK_CONDITION_NAME ? TK_COLUMN_NAME : TK_COLUMN_SERVICE,
                  &test, err);
}

static int narrow_condition(struct filter *filter, const struct tk_attr_condition *of,
                            struct tk_err *err)
{
    if (of->field != TK_CONDITION_ATTR)
        return narrow_field(filter, of, err);
    TK_CLEANUP(tk_buf_release) struct tk_buf quoted;
    tk_buf_init(&quoted, (size_t)1 << 24);
    tk_json_put_str(&quoted, of->key);
    int rc = tk_buf_check(&quoted, "a condition", err);
    if (rc < 0)
        return rc;
    struct condition condition = {.of = of, .quoted = tk_buf_str(&quoted)};
    condition.has_number = tk_parse_f64(of->value, &condition.number);
    bool has = false;
    memset(filter->found, 0, filter->rows);
    rc = test_promoted(filter, &filter->file->spans, &condition, &has, err);
    if (rc == 0)
        rc = test_entries_of_map(filter, &condition, err);
    has = false;
    if (rc == 0)
        rc = test_promoted(filter, &filter->file->resources, &condition, &has, err);
    if (rc == 0 && !has) {
        struct test test = {.text = resource_may_pass, .user = &condition};
        rc = test_column(filter, TK_COLUMN_RESOURCE, &test, err);
    }
    for (size_t i = 0; i < filter->rows; i++)
        filter->asked[i] &= filter->found[i];
    return rc;
}

/* All ------------------------------------------------------------------------------------------ */

bool tk_filter_file_may_match(const struct tk_segment_file *file, const struct tk_span_query *query)
{
    return file->last_ns >= tk_span_query_from_ns(query) &&
           (query->to_ns <= 0 || file->first_ns < query->to_ns);
}

static int narrow_all(struct filter *filter, const struct traces *traces, struct tk_err *err)
{
    int rc = narrow_traces(filter, traces, err);
    if (rc == 0 && memchr(filter->asked, 1, filter->rows))
        rc = narrow_numbers(filter, err);
    if (rc == 0 && memchr(filter->asked, 1, filter->rows))
        rc = narrow_texts(filter, err);
    for (size_t i = 0; rc == 0 && i < filter->query->condition_count; i++) {
        if (memchr(filter->asked, 1, filter->rows))
            rc = narrow_condition(filter, &filter->query->conditions[i], err);
    }
    return rc;
}

/* The rows that are still asked for, in the arena. */
static int list_rows(const struct filter *filter, struct tk_segment_rows *ret_rows,
                     struct tk_err *err)
{
    size_t most = 0;
    for (size_t i = 0; i < filter->rows; i++)
        most += filter->asked[i];
    uint32_t *list = alloc(filter, most * sizeof(*list), err);
    if (!list)
        return err->code;
    const uint8_t *at = filter->asked;
    const uint8_t *end = at + filter->rows;
    size_t n = 0;
    while (n < most && (at = memchr(at, 1, (size_t)(end - at))) != NULL)
        list[n++] = (uint32_t)(at++ - filter->asked);
    *ret_rows = (struct tk_segment_rows){filter->file, filter->group, list, n, 0};
    return 0;
}

int tk_filter_rows(struct tk_segment_file *file, size_t group, const struct tk_span_query *query,
                   struct tk_arena *arena, struct tk_segment_rows *ret_rows, struct tk_err *err)
{
    size_t rows = (size_t)tk_parquet_file_meta(file->parquet)->row_groups[group].num_rows;
    struct filter filter = {file, group, rows, query, arena, NULL, NULL};
    struct traces traces = {0};
    int rc = find_traces(&filter, &traces, err);
    if (rc < 0)
        return rc;
    if (rc == 1) {
        *ret_rows = (struct tk_segment_rows){.file = file, .group = group};
        return 0;
    }
    filter.asked = alloc(&filter, rows, err);
    filter.found = alloc(&filter, rows, err);
    if (!filter.asked || !filter.found)
        return err->code;
    memset(filter.asked, 1, rows);
    rc = narrow_all(&filter, &traces, err);
    return rc < 0 ? rc : list_rows(&filter, ret_rows, err);
}
