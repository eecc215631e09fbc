/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "step/job.h"

struct writer {
    struct tk_buf *out;
    int decimals;
};

static void put_number(const struct writer *to, double value)
{
    tk_buf_put_f64(to->out, value, to->decimals);
}

static void put_texts(const struct writer *to, const struct tk_job_texts *texts)
{
    tk_buf_putc(to->out, '[');
    for (size_t i = 0; i < texts->count; i++) {
        tk_json_put_comma(to->out);
        tk_json_put_str(to->out, texts->items[i]);
    }
    tk_buf_putc(to->out, ']');
}

/* A key that is no constant of ours. */
static void put_name(const struct writer *to, bool first, tk_str name)
{
    if (!first)
        tk_buf_putc(to->out, ',');
    tk_json_put_str(to->out, name);
    tk_buf_putc(to->out, ':');
}

static void put_measures(const struct writer *to, const struct tk_job_measures *measures)
{
    tk_buf_putc(to->out, '{');
    for (size_t i = 0; i < measures->count; i++) {
        put_name(to, i == 0, measures->items[i].name);
        put_number(to, measures->items[i].value);
    }
    tk_buf_putc(to->out, '}');
}

static void put_attrs(const struct writer *to, const struct tk_job_attrs *attrs)
{
    tk_buf_putc(to->out, '{');
    for (size_t i = 0; i < attrs->count; i++) {
        put_name(to, i == 0, attrs->items[i].name);
        tk_json_put_str(to->out, attrs->items[i].value);
    }
    tk_buf_putc(to->out, '}');
}

static void put_rows(const struct writer *to, const struct tk_job_rows *rows)
{
    tk_buf_putc(to->out, '[');
    for (size_t i = 0; i < rows->count; i++) {
        const struct tk_job_row *row = &rows->items[i];
        tk_json_put_comma(to->out);
        tk_buf_putc(to->out, '[');
        for (size_t k = 0; k < row->count; k++) {
            tk_json_put_comma(to->out);
            put_number(to, row->items[k]);
        }
        tk_buf_putc(to->out, ']');
    }
    tk_buf_putc(to->out, ']');
}

static void put_object(const struct writer *to, const struct tk_job_shape *shape,
                       const void *object);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
static void put_objects(const struct writer *to, const struct tk_job_shape *shape,
                        const struct tk_job_list *list)
{
    tk_buf_putc(to->out, '[');
    for (size_t i = 0; i < list->count; i++) {
        tk_json_put_comma(to->out);
        put_object(to, shape, (const char *)list->items + i * shape->size);
    }
    tk_buf_putc(to->out, ']');
}

static size_t list_count(const void *at)
{
    struct tk_job_list list;
    memcpy(&list, at, sizeof(list));
    return list.count;
}

/* Whether the value was measured. Objects tell only once they are written. The original's files
 * always had steps, and its readers rely on them. */
static bool is_there(const struct tk_job_field *field, const void *at)
{
    switch (field->type) {
    case TK_JOB_F64:
        return isfinite(*(const double *)at);
    case TK_JOB_INT:
    case TK_JOB_TRUTH:
        return *(const int64_t *)at != TK_JOB_NONE;
    case TK_JOB_TEXT:
        return ((const tk_str *)at)->p;
    case TK_JOB_TEXTS:
    case TK_JOB_MEASURES:
    case TK_JOB_ATTRS:
    case TK_JOB_ROWS:
        return list_count(at) > 0;
    case TK_JOB_OBJECTS:
        return field->of == &tk_job_step_shape || list_count(at) > 0;
    case TK_JOB_OBJECT:
        return true;
    }
    return false;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
static void put_value(const struct writer *to, const struct tk_job_field *field, const void *at)
{
    struct tk_job_list list;
    switch (field->type) {
    case TK_JOB_F64:
        put_number(to, *(const double *)at);
        break;
    case TK_JOB_INT:
        tk_buf_put_i64(to->out, *(const int64_t *)at);
        break;
    case TK_JOB_TRUTH:
        tk_buf_puts(to->out, *(const int64_t *)at ? "true" : "false");
        break;
    case TK_JOB_TEXT:
        tk_json_put_str(to->out, *(const tk_str *)at);
        break;
    case TK_JOB_TEXTS:
        put_texts(to, at);
        break;
    case TK_JOB_MEASURES:
        put_measures(to, at);
        break;
    case TK_JOB_ATTRS:
        put_attrs(to, at);
        break;
    case TK_JOB_ROWS:
        put_rows(to, at);
        break;
    case TK_JOB_OBJECT:
        put_object(to, field->of, at);
        break;
    case TK_JOB_OBJECTS:
        memcpy(&list, at, sizeof(list));
        put_objects(to, field->of, &list);
        break;
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
static void put_object(const struct writer *to, const struct tk_job_shape *shape,
                       const void *object)
{
    tk_buf_putc(to->out, '{');
    for (size_t i = 0; i < shape->count; i++) {
        const struct tk_job_field *field = &shape->fields[i];
        const void *at = (const char *)object + field->offset;
        if (!is_there(field, at))
            continue;
        size_t before = to->out->n;
        tk_json_put_key(to->out, field->name);
        size_t begin = to->out->n;
        put_value(to, field, at);
        /* An object without a member says nothing. */
        if (field->type == TK_JOB_OBJECT && tk_buf_ok(to->out) && to->out->n == begin + 2)
            to->out->n = before;
    }
    tk_buf_putc(to->out, '}');
}

void tk_job_shape_format(const struct tk_job_shape *shape, const void *object, int decimals,
                         struct tk_buf *out)
{
    put_object(&(struct writer){out, decimals}, shape, object);
}

void tk_job_format(const struct tk_job *job, int decimals, struct tk_buf *out)
{
    struct tk_job ours = *job;
    ours.schema = TK_STR(TK_JOB_SCHEMA);
    tk_job_shape_format(&tk_job_shape, &ours, decimals, out);
    tk_buf_putc(out, '\n');
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
void tk_job_shape_merge(const struct tk_job_shape *shape, void *into, const void *from)
{
    static const size_t sizes[] = {
        [TK_JOB_TEXT] = sizeof(tk_str),
        [TK_JOB_F64] = sizeof(double),
        [TK_JOB_INT] = sizeof(int64_t),
        [TK_JOB_TRUTH] = sizeof(int64_t),
        [TK_JOB_TEXTS] = sizeof(struct tk_job_list),
        [TK_JOB_MEASURES] = sizeof(struct tk_job_list),
        [TK_JOB_ATTRS] = sizeof(struct tk_job_list),
        [TK_JOB_ROWS] = sizeof(struct tk_job_list),
        [TK_JOB_OBJECTS] = sizeof(struct tk_job_list),
    };
    for (size_t i = 0; i < shape->count; i++) {
        const struct tk_job_field *field = &shape->fields[i];
        char *to = (char *)into + field->offset;
        const char *at = (const char *)from + field->offset;
        if (field->type == TK_JOB_OBJECT) {
            tk_job_shape_merge(field->of, to, at);
        } else if (is_there(field, at)) {
            memcpy(to, at, sizes[field->type]);
        }
    }
}
