/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/database.h"

#include <errno.h>
#include <stdlib.h>

#include "fidelity/sql.h"
#include "fidelity/sqlite.h"
#include "span/projection.h"
#include "span/span_text.h"
#include "span/writing.h"

#define JSON_MAX     ((size_t)1 << 30) /* of one value; what SQLite takes as a rule */
#define RESOURCE_MAX ((size_t)1 << 30) /* of all */
#define SQL_MAX      ((size_t)1 << 16)

static const char tables[] = "BEGIN;\n"
                             "CREATE TABLE resources (\n"
                             "    id INTEGER PRIMARY KEY,\n"
                             "    attributes TEXT NOT NULL\n"
                             ");\n"
                             "CREATE TABLE spans (\n"
                             "    trace_id TEXT NOT NULL,\n"
                             "    span_id TEXT NOT NULL,\n"
                             "    parent_span_id TEXT,\n"
                             "    service TEXT NOT NULL,\n"
                             "    name TEXT NOT NULL,\n"
                             "    kind TEXT,\n"
                             "    start_ns INTEGER NOT NULL,\n"
                             "    duration_ns INTEGER NOT NULL,\n"
                             "    status TEXT,\n"
                             "    status_message TEXT,\n"
                             "    attributes TEXT,\n"
                             "    events TEXT,\n"
                             "    links TEXT,\n"
                             "    resource INTEGER NOT NULL REFERENCES resources (id),\n"
                             "    has_issues INTEGER NOT NULL,\n"
                             "    str_feature_1 TEXT NOT NULL,\n"
                             "    str_feature_2 TEXT NOT NULL,\n"
                             "    int_feature_1 INTEGER NOT NULL,\n"
                             "    int_feature_2 INTEGER NOT NULL,\n"
                             "    int_feature_3 INTEGER NOT NULL\n"
                             ");\n";

static const char put_span[] =
    "INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/* Texts in JSON, which live until the row is written. */
enum json { ATTRIBUTES, EVENTS, LINKS, JSON_COUNT };

struct tk_span_database {
    struct tk_sqlite *db;
    struct tk_sqlite_insert *span, *resource;
    struct tk_projector projector;
    struct tk_texts resources; /* attributes as JSON: the id is that of the table */
    struct tk_buf texts[JSON_COUNT];
};

static int prepare(struct tk_span_database *database, struct tk_err *err)
{
    struct tk_sqlite *db = database->db;
    struct tk_buf views;
    tk_buf_init(&views, SQL_MAX);
    tk_sql_put_views(TK_STR("Gent"), &views);
    tk_buf_putc(&views, '\0');
    int rc = tk_buf_check(&views, "views", err);
    rc = rc < 0 ? rc : tk_sqlite_run(db, tables, err);
    rc = rc < 0 ? rc : tk_sqlite_run(db, views.p, err);
    tk_buf_release(&views);
    rc = rc < 0 ? rc : tk_sqlite_prepare(db, put_span, &database->span, err);
    return rc < 0 ? rc
                  : tk_sqlite_prepare(db, "INSERT INTO resources VALUES (?, ?)",
                                      &database->resource, err);
}

int tk_span_database_new(const char *path, struct tk_span_database **ret_database,
                         struct tk_err *err)
{
    struct tk_span_database *database = calloc(1, sizeof(*database));
    if (!database)
        return tk_fail(err, -ENOMEM, "database: out of memory");
    tk_projector_init(&database->projector);
    for (enum json i = 0; i < JSON_COUNT; i++)
        tk_buf_init(&database->texts[i], JSON_MAX);
    int rc = tk_sqlite_open(path, &database->db, err);
    rc = rc < 0 ? rc : tk_texts_init(&database->resources, RESOURCE_MAX, err);
    rc = rc < 0 ? rc : prepare(database, err);
    if (rc < 0) {
        tk_span_database_free(database);
        return rc;
    }
    *ret_database = database;
    return 0;
}

void tk_span_database_free(struct tk_span_database *database)
{
    if (!database)
        return;
    tk_sqlite_insert_free(database->span);
    tk_sqlite_insert_free(database->resource);
    tk_sqlite_free(database->db);
    tk_projector_release(&database->projector);
    tk_texts_release(&database->resources);
    for (enum json i = 0; i < JSON_COUNT; i++)
        tk_buf_release(&database->texts[i]);
    free(database);
}

/* Rows ----------------------------------------------------------------------------------------- */

/* The id of a row's resource, which is written when it is new. */
static int add_resource(struct tk_span_database *database, const struct tk_span_batch *batch,
                        size_t row, uint32_t *ret_id, struct tk_err *err)
{
    const struct tk_attr_range *attrs = &tk_span_resource_of(batch, row)->attrs;
    struct tk_buf *json = &database->texts[ATTRIBUTES];
    tk_buf_reset(json);
    tk_put_attrs(json, batch, batch->side_attrs + attrs->begin, attrs->n);
    int rc = tk_buf_check(json, "attributes of a resource", err);
    if (rc < 0)
        return rc;
    uint32_t count = database->resources.count;
    *ret_id = tk_texts_add(&database->resources, tk_buf_str(json));
    if (*ret_id == TK_TEXTS_NONE)
        return tk_fail(err, -EMSGSIZE, "database: more resources than it can hold");
    if (*ret_id < count)
        return 0;
    tk_sqlite_bind_i64(database->resource, *ret_id);
    tk_sqlite_bind_text(database->resource, tk_buf_str(json));
    return tk_sqlite_step(database->resource, err);
}

/* The texts in JSON of a row; those of nothing are left empty. */
static int put_json(struct tk_span_database *database, const struct tk_span_batch *batch,
                    size_t row, struct tk_err *err)
{
    size_t n;
    int rc = 0;
    for (enum json i = 0; i < JSON_COUNT; i++)
        tk_buf_reset(&database->texts[i]);
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    if (n > 0)
        tk_put_attrs(&database->texts[ATTRIBUTES], batch, attrs, n);
    (void)tk_span_events(batch, row, &n);
    if (n > 0)
        tk_put_events(&database->texts[EVENTS], batch, row);
    (void)tk_span_links(batch, row, &n);
    if (n > 0)
        tk_put_links(&database->texts[LINKS], batch, row);
    for (enum json i = 0; i < JSON_COUNT && rc == 0; i++)
        rc = tk_buf_check(&database->texts[i], "attributes, events or links of a span", err);
    return rc;
}

/* NULL instead of an empty text. */
static void bind_some(struct tk_sqlite_insert *to, tk_str text)
{
    tk_sqlite_bind_text(to, text.n > 0 ? text : (tk_str){NULL, 0});
}

static void bind_word(struct tk_sqlite_insert *to, const char *const *words, size_t count,
                      uint8_t value)
{
    bind_some(to, value < count ? tk_str_from(words[value]) : (tk_str){NULL, 0});
}

static void bind_projection(struct tk_span_database *database, const struct tk_span_batch *batch,
                            size_t row)
{
    struct tk_projection projection;
    tk_projector_read(&database->projector, row, &projection);
    tk_sqlite_bind_i64(database->span, projection.has_issues);
    for (size_t i = 0; i < TK_STR_FEATURES; i++) {
        const struct tk_projected_text *text = &projection.strings[i];
        tk_str own = text->id == TK_TEXTS_NONE ? text->text : tk_texts_get(&batch->texts, text->id);
        tk_sqlite_bind_text(database->span, own.n > 0 ? own : TK_STR(""));
    }
    for (size_t i = 0; i < TK_INT_FEATURES; i++)
        tk_sqlite_bind_i64(database->span, projection.integers[i]);
}

static int add_row(struct tk_span_database *database, const struct tk_span_batch *batch, size_t row,
                   struct tk_err *err)
{
    struct tk_sqlite_insert *to = database->span;
    char trace[TK_TRACE_ID_DIGITS];
    char span[TK_SPAN_ID_DIGITS];
    char parent[TK_SPAN_ID_DIGITS];
    uint32_t resource;
    int rc = add_resource(database, batch, row, &resource, err);
    rc = rc < 0 ? rc : put_json(database, batch, row, err);
    if (rc < 0)
        return rc;
    tk_trace_id_format(batch->trace_ids[row], trace);
    tk_span_id_format(batch->span_ids[row], span);
    tk_span_id_format(batch->parent_ids[row], parent);
    tk_str service = tk_span_service(batch, row);
    tk_str name = tk_span_name(batch, row);
    tk_sqlite_bind_text(to, (tk_str){trace, sizeof(trace)});
    tk_sqlite_bind_text(to, (tk_str){span, sizeof(span)});
    bind_some(to, (tk_str){parent, batch->parent_ids[row] != 0 ? sizeof(parent) : 0});
    tk_sqlite_bind_text(to, service.n > 0 ? service : TK_STR(""));
    tk_sqlite_bind_text(to, name.n > 0 ? name : TK_STR(""));
    bind_word(to, tk_span_kind_names, TK_SPAN_KIND_COUNT, batch->kinds[row]);
    tk_sqlite_bind_i64(to, batch->start_ns[row]);
    tk_sqlite_bind_i64(to, batch->duration_ns[row]);
    bind_word(to, tk_span_status_names, TK_SPAN_STATUS_COUNT, batch->statuses[row]);
    bind_some(to, tk_span_text(batch, batch->messages[row]));
    for (enum json i = 0; i < JSON_COUNT; i++)
        bind_some(to, tk_buf_str(&database->texts[i]));
    tk_sqlite_bind_i64(to, resource);
    bind_projection(database, batch, row);
    return tk_sqlite_step(to, err);
}

int tk_span_database_add(struct tk_span_database *database, const struct tk_span_rows *rows,
                         struct tk_err *err)
{
    int rc = 0;
    tk_projector_begin(&database->projector, rows->batch);
    for (size_t i = 0; i < rows->n && rc == 0; i++)
        rc = add_row(database, rows->batch, tk_span_rows_at(rows, i), err);
    return rc;
}

int tk_span_database_close(struct tk_span_database *database, struct tk_err *err)
{
    return tk_sqlite_run(database->db,
                         "CREATE INDEX spans_by_id ON spans (trace_id, span_id);\n"
                         "COMMIT",
                         err);
}
