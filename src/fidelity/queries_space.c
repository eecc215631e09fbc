/* SPDX-License-Identifier: Apache-2.0 */
/* Which values the parameters take, and what they are on each side: services by the number of their
 * text, columns as they are, texts of both sides under one number. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/queries.h"

/* Columns -------------------------------------------------------------------------------------- */

static int64_t value_start(const struct tk_span_table *table, uint32_t row)
{
    return table->start_ns[row] / table->unit_ns;
}

static int64_t value_end(const struct tk_span_table *table, uint32_t row)
{
    return table->start_ns[row] / table->unit_ns + table->duration_ns[row] / table->unit_ns;
}

static int64_t value_service(const struct tk_span_table *table, uint32_t row)
{
    return table->services[row];
}

static int64_t value_status(const struct tk_span_table *table, uint32_t row)
{
    return table->issues[row];
}

static int64_t value_str_1(const struct tk_span_table *table, uint32_t row)
{
    return table->str_features[0][row];
}

static int64_t value_str_2(const struct tk_span_table *table, uint32_t row)
{
    return table->str_features[1][row];
}

static int64_t value_int_1(const struct tk_span_table *table, uint32_t row)
{
    return table->int_features[0][row];
}

static int64_t value_int_2(const struct tk_span_table *table, uint32_t row)
{
    return table->int_features[1][row];
}

static int64_t value_int_3(const struct tk_span_table *table, uint32_t row)
{
    return table->int_features[2][row];
}

const struct tk_query_column tk_query_columns[] = {
    {"str_feature_1", true, true, value_str_1},  {"str_feature_2", true, true, value_str_2},
    {"int_feature_1", false, true, value_int_1}, {"int_feature_2", false, true, value_int_2},
    {"int_feature_3", false, true, value_int_3}, {"serviceName", true, false, value_service},
    {"startTime", false, false, value_start},    {"endTime", false, false, value_end},
    {"status", false, false, value_status},      {0},
};

static const struct tk_query_column *find_column(tk_str name)
{
    for (const struct tk_query_column *column = tk_query_columns; column->name; column++) {
        if (tk_str_eq(name, tk_str_from(column->name)))
            return column;
    }
    return NULL;
}

static int fail_memory(struct tk_err *err)
{
    return tk_fail(err, -ENOMEM, "queries: out of memory");
}

/* The columns that a parameter takes: those that are named, or its features. */
static int list_columns(struct tk_query_space *space, enum tk_query_param param,
                        const struct tk_param_values *named, struct tk_err *err)
{
    bool with_texts = param == TK_PARAM_ATTR;
    size_t most = named ? named->count : TK_STR_FEATURES + TK_INT_FEATURES;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what the array holds */
    const struct tk_query_column **columns = calloc(most + 1, sizeof(*columns));
    if (!columns)
        return fail_memory(err);
    space->columns[param] = columns;
    for (size_t i = 0; named && i < named->count; i++) {
        const struct tk_query_column *column = find_column(named->values[i]);
        if (!column || (column->is_text && !with_texts)) {
            return tk_fail(err, -EINVAL, "%s: '%.*s' is no column%s", tk_query_param_names[param],
                           TK_STR_ARG(named->values[i]), with_texts ? "" : " of integers");
        }
        columns[space->counts[param]++] = column;
    }
    for (const struct tk_query_column *column = tk_query_columns; !named && column->name;
         column++) {
        if (column->is_feature && (with_texts || !column->is_text))
            columns[space->counts[param]++] = column;
    }
    return 0;
}

/* Services ------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return tk_str_cmp(*(const tk_str *)a, *(const tk_str *)b);
}

/* Services of the rows of a table, or of its entries, sorted. */
static int list_services(const struct tk_span_table *table, bool of_entries, tk_str **ret_services,
                         uint32_t *ret_count, struct tk_err *err)
{
    uint8_t *seen = calloc((size_t)table->texts.count + 1, sizeof(*seen));
    uint32_t count = 0;
    if (!seen)
        return fail_memory(err);
    for (uint32_t row = 0; row < table->rows; row++) {
        if (of_entries && !tk_span_table_is_top(table, row))
            continue;
        count += !seen[table->services[row]];
        seen[table->services[row]] = 1;
    }
    tk_str *services = calloc((size_t)count + 1, sizeof(*services));
    uint32_t at = 0;
    for (uint32_t id = 0; services && id < table->texts.count; id++) {
        if (seen[id])
            services[at++] = tk_texts_get(&table->texts, id);
    }
    free(seen);
    if (!services)
        return fail_memory(err);
    qsort(services, count, sizeof(*services), by_text);
    *ret_services = services;
    *ret_count = count;
    return 0;
}

static int name_services(struct tk_query_space *space, enum tk_query_param param,
                         const struct tk_param_values *named, struct tk_err *err)
{
    const struct tk_span_table *real = space->sides[1].table;
    if (!named) {
        return list_services(real, param == TK_PARAM_ENTRY, &space->services[param],
                             &space->counts[param], err);
    }
    space->services[param] = calloc(named->count + 1, sizeof(tk_str));
    if (!space->services[param])
        return fail_memory(err);
    space->counts[param] = (uint32_t)named->count;
    for (size_t i = 0; i < named->count; i++)
        space->services[param][i] = named->values[i];
    return 0;
}

/* Sides ---------------------------------------------------------------------------------------- */

static int find_places(const struct tk_query_space *space, struct tk_query_side *side,
                       enum tk_query_param param, struct tk_err *err)
{
    const struct tk_texts *texts = &side->table->texts;
    uint32_t *places = malloc(((size_t)texts->count + 1) * sizeof(*places));
    if (!places)
        return fail_memory(err);
    side->places[param] = places;
    for (uint32_t id = 0; id < texts->count; id++)
        places[id] = TK_NO_PLACE;
    for (uint32_t place = 0; place < space->counts[param]; place++) {
        uint32_t id = tk_texts_find(texts, space->services[param][place]);
        if (id < texts->count)
            places[id] = place;
    }
    return 0;
}

/* Numbers of a's texts: those of b, and behind them those that b has not. */
static int join_texts(struct tk_query_space *space, struct tk_err *err)
{
    struct tk_query_side *a = &space->sides[0];
    const struct tk_texts *own = &a->table->texts;
    const struct tk_texts *other = &space->sides[1].table->texts;
    if (a->table == space->sides[1].table)
        return 0;
    a->texts = malloc(((size_t)own->count + 1) * sizeof(*a->texts));
    if (!a->texts)
        return fail_memory(err);
    for (uint32_t id = 0; id < own->count; id++) {
        uint32_t found = tk_texts_find(other, tk_texts_get(own, id));
        a->texts[id] = found != TK_TEXTS_NONE ? found : other->count + id;
    }
    return 0;
}

static const struct tk_param_values *named_values(const struct tk_query_options *options,
                                                  enum tk_query_param param)
{
    for (size_t i = 0; i < options->param_count; i++) {
        if (options->params[i].param == param)
            return &options->params[i];
    }
    return NULL;
}

static int fill(struct tk_query_space *space, const struct tk_query_options *options,
                struct tk_err *err)
{
    uint32_t longest[2];
    int rc = join_texts(space, err);
    for (size_t p = 0; p < TK_PARAM_COUNT && rc == 0; p++) {
        enum tk_query_param param = (enum tk_query_param)p;
        const struct tk_param_values *named = named_values(options, param);
        rc = param < TK_PARAM_ATTR ? name_services(space, param, named, err)
                                   : list_columns(space, param, named, err);
        for (size_t s = 0; s < 2 && param < TK_PARAM_ATTR && rc == 0; s++)
            rc = find_places(space, &space->sides[s], param, err);
    }
    for (size_t s = 0; s < 2; s++)
        longest[s] = tk_span_table_longest(space->sides[s].table);
    space->longest = longest[0] > longest[1] ? longest[0] : longest[1];
    return rc;
}

int tk_query_space_new(const struct tk_span_table *a, const struct tk_span_table *b,
                       const struct tk_query_options *options, struct tk_query_space **ret_space,
                       struct tk_err *err)
{
    struct tk_query_space *space = calloc(1, sizeof(*space));
    if (!space)
        return fail_memory(err);
    space->sides[0] = (struct tk_query_side){.table = a, .factor = options->sample_of};
    space->sides[1] = (struct tk_query_side){.table = b};
    int rc = fill(space, options, err);
    if (rc < 0) {
        tk_query_space_free(space);
    } else {
        *ret_space = space;
    }
    return rc;
}

void tk_query_space_free(struct tk_query_space *space)
{
    if (!space)
        return;
    for (size_t param = 0; param < TK_PARAM_COUNT; param++)
        free(space->columns[param]);
    for (size_t param = 0; param < TK_PARAM_ATTR; param++) {
        free(space->services[param]);
        free(space->sides[0].places[param]);
        free(space->sides[1].places[param]);
    }
    free(space->sides[0].texts);
    free(space);
}

void tk_query_space_freep(struct tk_query_space **space)
{
    tk_query_space_free(*space);
}

tk_str tk_query_value(const struct tk_query_space *space, enum tk_query_param param, uint32_t place)
{
    return param < TK_PARAM_ATTR ? space->services[param][place]
                                 : tk_str_from(space->columns[param][place]->name);
}

tk_str tk_query_text(const struct tk_query_space *space, uint64_t key)
{
    const struct tk_texts *real = &space->sides[1].table->texts;
    if (key < real->count)
        return tk_texts_get(real, (uint32_t)key);
    return tk_texts_get(&space->sides[0].table->texts, (uint32_t)(key - real->count));
}
