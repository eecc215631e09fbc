/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "step/job.h"

struct object_at {
    const struct tk_job_shape *shape;
    char *object;
    bool brief;  /* rows of samples are passed over */
    size_t next; /* the field behind the last that was found */
};

static int full(const char *name, struct tk_err *err)
{
    return tk_fail(err, -EMSGSIZE, "%s: more than %d items, or over %zu MiB in memory", name,
                   TK_JOB_ITEMS_MAX, TK_JOB_ARENA_MAX >> 20);
}

/* The original's scripts wrote some numbers as text and some text as numbers: a text is taken as it
 * stands. */
static int read_text(struct tk_json *json, struct tk_arena *arena, tk_str *ret, struct tk_err *err)
{
    if (tk_json_peek(json) == TK_JSON_NUMBER)
        return tk_json_skip(json, ret, err);
    int rc = tk_json_read_str(json, arena, ret, err);
    if (rc == 0 && !ret->p)
        *ret = TK_STR("");
    return rc;
}

static int read_texts(struct tk_json *json, struct tk_arena *arena, struct tk_job_texts *texts,
                      struct tk_err *err)
{
    int rc = tk_json_enter_array(json, err);
    while (rc == 0 && (rc = tk_json_next_element(json, err)) == 0) {
        tk_str text;
        rc = read_text(json, arena, &text, err);
        if (rc == 0 && !tk_job_add_text(texts, text, arena))
            rc = full("list of texts", err);
    }
    return rc < 0 ? rc : 0;
}

static int read_measure(struct tk_json *json, tk_str key, struct tk_arena *arena, void *into,
                        struct tk_err *err)
{
    if (tk_json_peek(json) == TK_JSON_NULL)
        return 1;
    double value;
    int rc = tk_json_read_f64(json, &value, err);
    if (rc == 0 && !tk_job_add_measure(into, key, value, arena))
        rc = full("object of numbers", err);
    return rc;
}

static int read_attr(struct tk_json *json, tk_str key, struct tk_arena *arena, void *into,
                     struct tk_err *err)
{
    if (tk_json_peek(json) == TK_JSON_NULL)
        return 1;
    tk_str value;
    int rc = read_text(json, arena, &value, err);
    if (rc == 0 && !tk_job_add_attr(into, key, value, arena))
        rc = full("object of texts", err);
    return rc;
}

/* More columns than any watcher has. */
#define COLUMNS_MAX 64

static int read_cell(struct tk_json *json, double *ret, struct tk_err *err)
{
    *ret = (double)NAN;
    return tk_json_peek(json) == TK_JSON_NULL ? tk_json_read_null(json, err)
                                              : tk_json_read_f64(json, ret, err);
}

static int read_row(struct tk_json *json, struct tk_arena *arena, struct tk_job_rows *rows,
                    struct tk_err *err)
{
    double values[COLUMNS_MAX];
    size_t count = 0;
    int rc = tk_json_enter_array(json, err);
    while (rc == 0 && (rc = tk_json_next_element(json, err)) == 0) {
        if (count == COLUMNS_MAX)
            return tk_fail(err, -EMSGSIZE, "a row of more than %d values", COLUMNS_MAX);
        rc = read_cell(json, &values[count++], err);
    }
    if (rc < 0)
        return rc;
    return tk_job_add_row(rows, values, count, arena) ? 0 : full("list of rows", err);
}

static int read_rows(struct tk_json *json, struct tk_arena *arena, struct tk_job_rows *rows,
                     struct tk_err *err)
{
    int rc = tk_json_enter_array(json, err);
    while (rc == 0 && (rc = tk_json_next_element(json, err)) == 0)
        rc = read_row(json, arena, rows, err);
    return rc < 0 ? rc : 0;
}

static int read_member(struct tk_json *json, tk_str key, struct tk_arena *arena, void *into,
                       struct tk_err *err);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
static int read_object(struct tk_json *json, struct tk_arena *arena,
                       const struct tk_job_shape *shape, bool brief, void *object,
                       struct tk_err *err)
{
    struct object_at at = {.shape = shape, .object = object, .brief = brief};
    return tk_json_read_members(json, arena, read_member, &at, err);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
static int read_objects(struct tk_json *json, struct tk_arena *arena,
                        const struct tk_job_shape *shape, bool brief, void *list,
                        struct tk_err *err)
{
    int rc = tk_json_enter_array(json, err);
    while (rc == 0 && (rc = tk_json_next_element(json, err)) == 0) {
        void *item = tk_job_add(shape, list, arena);
        rc = item ? read_object(json, arena, shape, brief, item, err) : full(shape->name, err);
    }
    return rc < 0 ? rc : 0;
}

static int read_truth(struct tk_json *json, int64_t *ret, struct tk_err *err)
{
    bool value = false;
    int rc = tk_json_read_bool(json, &value, err);
    if (rc == 0)
        *ret = value;
    return rc;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
static int read_value(struct tk_json *json, struct tk_arena *arena,
                      const struct tk_job_field *field, bool brief, void *at, struct tk_err *err)
{
    switch (field->type) {
    case TK_JOB_F64:
        return tk_json_read_f64(json, at, err);
    case TK_JOB_INT:
        return tk_json_read_i64(json, at, err);
    case TK_JOB_TRUTH:
        return read_truth(json, at, err);
    case TK_JOB_TEXT:
        return read_text(json, arena, at, err);
    case TK_JOB_TEXTS:
        return read_texts(json, arena, at, err);
    case TK_JOB_MEASURES:
        return tk_json_read_members(json, arena, read_measure, at, err);
    case TK_JOB_ATTRS:
        return tk_json_read_members(json, arena, read_attr, at, err);
    case TK_JOB_ROWS:
        return brief ? tk_json_skip_unread(json, err) : read_rows(json, arena, at, err);
    case TK_JOB_OBJECT:
        return read_object(json, arena, field->of, brief, at, err);
    case TK_JOB_OBJECTS:
        return read_objects(json, arena, field->of, brief, at, err);
    }
    return 1;
}

/* A member that comes twice counts as its last: what a list held is forgotten. */
static void forget(const struct tk_job_field *field, void *at)
{
    if (field->type >= TK_JOB_TEXTS && field->type != TK_JOB_OBJECT)
        memset(at, 0, sizeof(struct tk_job_list));
}

/* Members mostly come in the order of the table, as we write them, some left out. */
static const struct tk_job_field *find_next(struct object_at *object, tk_str key)
{
    const struct tk_job_shape *shape = object->shape;
    for (size_t i = object->next; i < shape->count; i++) {
        if (tk_str_eq(tk_str_from(shape->fields[i].name), key)) {
            object->next = i + 1;
            return &shape->fields[i];
        }
    }
    return tk_job_member_find(shape, key);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
static int read_member(struct tk_json *json, tk_str key, struct tk_arena *arena, void *into,
                       struct tk_err *err)
{
    struct object_at *object = into;
    const struct tk_job_field *field = find_next(object, key);
    if (!field || tk_json_peek(json) == TK_JSON_NULL)
        return 1;
    void *at = object->object + field->offset;
    forget(field, at);
    int rc = read_value(json, arena, field, object->brief, at, err);
    return rc < 0 ? tk_err_prefix(err, "%s", field->name) : rc;
}

static int mark_v1(struct tk_job *job, struct tk_arena *arena, struct tk_err *err)
{
    for (size_t i = 0; i < job->steps.count; i++) {
        if (!tk_job_add_text(&job->steps.items[i].quality, TK_STR(TK_JOB_QUALITY_V1), arena))
            return full("quality", err);
    }
    return 0;
}

/* A file of this kind, and not any other object. */
static int check_kind(const struct tk_job *job, struct tk_err *err)
{
    if (job->schema.p && !tk_str_starts_with(job->schema, TK_STR("build-telemetry/"))) {
        return tk_fail(err, -EBADMSG, "schema \"%.*s\" is not " TK_JOB_SCHEMA,
                       TK_STR_ARG(job->schema));
    }
    if (!job->job.p)
        return tk_fail(err, -EBADMSG, "no build telemetry: \"job\" is missing");
    return 0;
}

static int parse(tk_str text, bool brief, struct tk_arena *arena, struct tk_job *ret_job,
                 struct tk_err *err)
{
    if (text.n > TK_JOB_TEXT_MAX)
        return tk_fail(err, -EMSGSIZE, "larger than %zu MiB", TK_JOB_TEXT_MAX >> 20);
    struct tk_json json;
    struct tk_job job;
    tk_json_init(&json, text);
    tk_job_init(&job);
    int rc = read_object(&json, arena, &tk_job_shape, brief, &job, err);
    rc = rc < 0 ? rc : tk_json_expect_end(&json, err);
    rc = rc < 0 ? rc : check_kind(&job, err);
    rc = rc < 0 || job.schema.p ? rc : mark_v1(&job, arena, err);
    if (rc == 0)
        *ret_job = job;
    return rc;
}

int tk_job_parse(tk_str text, struct tk_arena *arena, struct tk_job *ret_job, struct tk_err *err)
{
    return parse(text, false, arena, ret_job, err);
}

/* Texts of a document that does not stay ---------------------------------------------- */

static bool keep_text(tk_str *text, struct tk_arena *arena)
{
    if (text->n == 0) {
        text->p = text->p ? "" : NULL;
        return true;
    }
    *text = tk_arena_copy(arena, *text);
    return text->p;
}

static bool keep_texts(const struct tk_job_texts *texts, struct tk_arena *arena)
{
    bool ok = true;
    for (size_t i = 0; ok && i < texts->count; i++)
        ok = keep_text(&texts->items[i], arena);
    return ok;
}

static bool keep_measures(const struct tk_job_measures *measures, struct tk_arena *arena)
{
    bool ok = true;
    for (size_t i = 0; ok && i < measures->count; i++)
        ok = keep_text(&measures->items[i].name, arena);
    return ok;
}

static bool keep_attrs(const struct tk_job_attrs *attrs, struct tk_arena *arena)
{
    bool ok = true;
    for (size_t i = 0; ok && i < attrs->count; i++) {
        ok = keep_text(&attrs->items[i].name, arena) && keep_text(&attrs->items[i].value, arena);
    }
    return ok;
}

static bool keep_object(const struct tk_job_shape *shape, void *object, struct tk_arena *arena);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
static bool keep_objects(const struct tk_job_shape *shape, const struct tk_job_list *list,
                         struct tk_arena *arena)
{
    bool ok = true;
    for (size_t i = 0; ok && i < list->count; i++)
        ok = keep_object(shape, (char *)list->items + i * shape->size, arena);
    return ok;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
static bool keep_field(const struct tk_job_field *field, void *at, struct tk_arena *arena)
{
    switch (field->type) {
    case TK_JOB_TEXT:
        return keep_text(at, arena);
    case TK_JOB_TEXTS:
        return keep_texts(at, arena);
    case TK_JOB_MEASURES:
        return keep_measures(at, arena);
    case TK_JOB_ATTRS:
        return keep_attrs(at, arena);
    case TK_JOB_OBJECT:
        return keep_object(field->of, at, arena);
    case TK_JOB_OBJECTS:
        return keep_objects(field->of, at, arena);
    case TK_JOB_F64:
    case TK_JOB_INT:
    case TK_JOB_TRUTH:
    case TK_JOB_ROWS:
        return true;
    }
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
static bool keep_object(const struct tk_job_shape *shape, void *object, struct tk_arena *arena)
{
    bool ok = true;
    for (size_t i = 0; ok && i < shape->count; i++)
        ok = keep_field(&shape->fields[i], (char *)object + shape->fields[i].offset, arena);
    return ok;
}

int tk_job_parse_brief(tk_str text, struct tk_arena *arena, struct tk_job *ret_job,
                       struct tk_err *err)
{
    struct tk_job job;
    int rc = parse(text, true, arena, &job, err);
    if (rc < 0)
        return rc;
    if (!keep_object(&tk_job_shape, &job, arena))
        return full("texts", err);
    *ret_job = job;
    return 0;
}

/* The beginning of a document ----------------------------------------------------------- */

bool tk_job_find_start(tk_str head, tk_str *ret_job, double *ret_start)
{
    struct tk_json json;
    struct tk_err ignored;
    tk_str key, job = {0};
    double start = (double)NAN;
    tk_json_init(&json, head);
    int rc = tk_json_enter_object(&json, &ignored);
    while (rc == 0 && !(job.p && isfinite(start)) &&
           tk_json_next_key(&json, NULL, &key, &ignored) == 0) {
        if (tk_str_eq(key, TK_STR("job")) && tk_json_peek(&json) == TK_JSON_STRING) {
            rc = tk_json_skip(&json, &job, &ignored);
        } else if (tk_str_eq(key, TK_STR("job_start"))) {
            rc = tk_json_read_f64(&json, &start, &ignored);
        } else {
            rc = tk_json_skip(&json, NULL, &ignored);
        }
    }
    if (!job.p || !isfinite(start))
        return false;
    *ret_job = (tk_str){job.p + 1, job.n - 2}; /* without the quotes */
    *ret_start = start;
    return true;
}

int tk_job_shape_parse(tk_str text, const struct tk_job_shape *shape, struct tk_arena *arena,
                       void *ret_object, struct tk_err *err)
{
    struct tk_json json;
    tk_json_init(&json, text);
    tk_job_shape_init(shape, ret_object);
    int rc = read_object(&json, arena, shape, false, ret_object, err);
    return rc < 0 ? rc : tk_json_expect_end(&json, err);
}
