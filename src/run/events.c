/* SPDX-License-Identifier: Apache-2.0 */
#include "run/events.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/number.h"
#include "run/schemas.h"

#define ABSENT INT64_MIN

/* Reading ------------------------------------------------------------------------- */

/* The raw values of an object that the schema of invocations knows, by column. */
struct members {
    tk_str values[TK_INVOCATIONS_COUNT]; /* p NULL = absent */
    tk_str ts_ms;                        /* of old collectors; no column of ours */
};

static void read_members(tk_str text, struct members *ret)
{
    *ret = (struct members){0};
    struct tk_json json;
    struct tk_err ignored;
    tk_str key;
    tk_str raw;
    size_t hint = 0;
    tk_json_init(&json, text);
    int rc = tk_json_enter_object(&json, &ignored);
    while (rc == 0 && tk_json_next_key(&json, NULL, &key, &ignored) == 0) {
        rc = tk_json_skip(&json, &raw, &ignored);
        size_t column = tk_schema_find(&tk_schema_invocations, key, hint);
        if (rc == 0 && column < TK_INVOCATIONS_COUNT) {
            ret->values[column] = raw;
            hint = column + 1;
        } else if (rc == 0 && tk_str_eq(key, TK_STR("ts_ms"))) {
            ret->ts_ms = raw;
        }
    }
}

static bool is_null(tk_str raw)
{
    return raw.n == 0 || tk_str_eq(raw, TK_STR("null"));
}

static tk_str without_quotes(tk_str raw)
{
    if (raw.n >= 2 && raw.p[0] == '"')
        return (tk_str){raw.p + 1, raw.n - 2};
    return raw;
}

static tk_str text_of(tk_str raw)
{
    return is_null(raw) ? (tk_str){NULL, 0} : without_quotes(raw);
}

/* A number as any writer may have put it: 12, "12", 12.0, 12.7 (cut off). */
static int64_t number_of(tk_str raw)
{
    tk_str text = without_quotes(raw);
    int64_t number;
    double real;
    if (is_null(raw))
        return ABSENT;
    if (tk_parse_i64(text, &number))
        return number;
    if (tk_parse_f64(text, &real) && fabs(real) < 9e18)
        return (int64_t)floor(real);
    return ABSENT;
}

static int64_t first_time(const int64_t *times, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (times[i] != ABSENT && times[i] != 0)
            return times[i];
    }
    return 0;
}

static struct tk_event read_event(tk_str text)
{
    struct members members;
    read_members(text, &members);
    const tk_str *values = members.values;
    struct tk_event event = {
        .text = text,
        .trace = text_of(values[TK_INVOCATIONS_TRACE_ID]),
        .span = text_of(values[TK_INVOCATIONS_SPAN_ID]),
        .pid = number_of(values[TK_INVOCATIONS_PID]),
        .host_pid = number_of(values[TK_INVOCATIONS_HOST_PID]),
        .start_ticks = number_of(values[TK_INVOCATIONS_START_TICKS]),
        .enqueue_ms = number_of(values[TK_INVOCATIONS_TS_ENQUEUE]),
        .start_ms = number_of(values[TK_INVOCATIONS_TS_START]),
        .end_ms = number_of(values[TK_INVOCATIONS_TS_END]),
    };
    const int64_t times[] = {number_of(members.ts_ms), event.enqueue_ms, event.start_ms};
    event.time_ms = first_time(times, TK_COUNTOF(times));
    event.is_command = tk_str_eq(text_of(values[TK_INVOCATIONS_METHOD]), TK_STR("CLI")) ||
                       number_of(values[TK_INVOCATIONS_EXIT_CODE]) != ABSENT;
    return event;
}

int tk_events_add(struct tk_events *events, tk_str text, struct tk_err *err)
{
    if (events->count == UINT32_MAX)
        return tk_fail(err, -EMSGSIZE, "more than %u events", UINT32_MAX);
    if (events->count == events->cap) {
        size_t cap = events->cap ? events->cap * 2 : 1024;
        struct tk_event *items = realloc(events->items, cap * sizeof(*items));
        if (!items)
            return tk_fail(err, -ENOMEM, "out of memory for %zu events", cap);
        events->items = items;
        events->cap = cap;
    }
    struct tk_event event = read_event(text);
    event.order = (uint32_t)events->count;
    events->items[events->count++] = event;
    return 0;
}

void tk_events_release(struct tk_events *events)
{
    free(events->items);
    *events = (struct tk_events){0};
}

/* Order ----------------------------------------------------------------------------- */

static int compare_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_identity(const struct tk_event *a, const struct tk_event *b)
{
    int order = tk_str_cmp(a->trace, b->trace);
    if (order == 0)
        order = tk_str_cmp(a->span, b->span);
    if (order == 0)
        order = compare_i64(a->pid, b->pid);
    if (order == 0)
        order = compare_i64(a->enqueue_ms, b->enqueue_ms);
    if (order == 0)
        order = compare_i64(a->start_ms, b->start_ms);
    if (order == 0)
        order = compare_i64(a->end_ms, b->end_ms);
    return order;
}

static int compare_for_duplicates(const void *a, const void *b, void *context)
{
    const struct tk_event *items = context;
    const struct tk_event *left = &items[*(const uint32_t *)a];
    const struct tk_event *right = &items[*(const uint32_t *)b];
    int order = compare_identity(left, right);
    return order ? order : compare_i64(left->order, right->order);
}

static int compare_for_output(const void *a, const void *b)
{
    const struct tk_event *left = a;
    const struct tk_event *right = b;
    int order = compare_i64(left->time_ms, right->time_ms);
    if (order == 0) {
        order =
            compare_i64(left->pid == ABSENT ? 0 : left->pid, right->pid == ABSENT ? 0 : right->pid);
    }
    if (order == 0)
        order = tk_str_cmp(left->span, right->span);
    return order ? order : compare_i64(left->order, right->order);
}

int tk_events_mark_duplicates(struct tk_events *events, uint64_t *ret_duplicates,
                              struct tk_err *err)
{
    *ret_duplicates = 0;
    if (events->count == 0)
        return 0;
    uint32_t *sorted = calloc(events->count, sizeof(*sorted));
    if (!sorted)
        return tk_fail(err, -ENOMEM, "out of memory for %zu events", events->count);
    for (size_t i = 0; i < events->count; i++)
        sorted[i] = (uint32_t)i;
    qsort_r(sorted, events->count, sizeof(*sorted), compare_for_duplicates, events->items);
    for (size_t i = 1; i < events->count; i++) {
        struct tk_event *event = &events->items[sorted[i]];
        bool named = event->trace.n > 0 || event->span.n > 0;
        event->is_duplicate = named && compare_identity(&events->items[sorted[i - 1]], event) == 0;
        *ret_duplicates += event->is_duplicate;
    }
    free(sorted);
    return 0;
}

void tk_events_sort(struct tk_events *events)
{
    if (events->count > 0)
        qsort(events->items, events->count, sizeof(events->items[0]), compare_for_output);
}

/* Join -------------------------------------------------------------------------------- */

static struct tk_exit *find_exit(const struct tk_event *event, const struct tk_exits *exits)
{
    int64_t pid = event->host_pid != ABSENT ? event->host_pid : event->pid;
    int64_t limit = INT64_MAX / 1000 - 1;
    if (pid <= 0 || event->is_duplicate || event->start_ms == ABSENT || event->end_ms == ABSENT ||
        event->start_ms < 0 || event->end_ms > limit || event->start_ms > limit)
        return NULL;
    return tk_exits_find(exits, pid, event->start_ticks == ABSENT ? -1 : event->start_ticks,
                         event->start_ms * 1000, event->end_ms * 1000 + 999);
}

void tk_events_join(struct tk_events *events, const struct tk_exits *exits)
{
    for (size_t i = 0; i < events->count; i++) {
        struct tk_exit *exit = find_exit(&events->items[i], exits);
        events->items[i].exit = exit;
        if (exit)
            exit->invocations++;
    }
    for (size_t i = 0; i < events->count; i++) {
        struct tk_event *event = &events->items[i];
        if (event->exit && (!event->is_command || event->exit->invocations != 1))
            event->exit = NULL;
    }
}

/* Writing ------------------------------------------------------------------------------- */

#define FILLS_MAX 8

/* Values for members that are absent or null. */
struct fills {
    size_t n;
    struct fill {
        size_t column;
        tk_str text; /* JSON */
        char number[TK_I64_MAX];
        bool done;
    } items[FILLS_MAX];
};

static void fill_text(struct fills *fills, size_t column, tk_str text)
{
    if (text.n > 0)
        fills->items[fills->n++] = (struct fill){.column = column, .text = text};
}

static void fill_number(struct fills *fills, size_t column, int64_t number)
{
    struct fill *fill = &fills->items[fills->n++];
    *fill = (struct fill){.column = column};
    fill->text = (tk_str){fill->number, tk_i64_format(number, fill->number)};
}

static void fill_span(struct fills *fills, size_t column, int64_t from_ms, int64_t to_ms)
{
    int64_t span_ms;
    if (from_ms == ABSENT || to_ms == ABSENT || __builtin_sub_overflow(to_ms, from_ms, &span_ms))
        return;
    fill_number(fills, column, span_ms > 0 ? span_ms : 0);
}

static void collect_fills(const struct tk_event *event, tk_str node, tk_str stage,
                          struct fills *fills)
{
    fills->n = 0;
    fill_text(fills, TK_INVOCATIONS_NODE, node);
    fill_text(fills, TK_INVOCATIONS_STAGE, stage);
    fill_span(fills, TK_INVOCATIONS_QUEUE_TIME_MS, event->enqueue_ms, event->start_ms);
    fill_span(fills, TK_INVOCATIONS_SERVICE_TIME_MS, event->start_ms, event->end_ms);
    fill_span(fills, TK_INVOCATIONS_RT_MS, event->enqueue_ms, event->end_ms);
    if (event->exit && event->exit->tree_cpu_ns >= 0)
        fill_number(fills, TK_INVOCATIONS_CPU_NS, event->exit->tree_cpu_ns);
    if (event->exit && event->exit->tree_max_rss_kb >= 0)
        fill_number(fills, TK_INVOCATIONS_MAX_RSS_KB, event->exit->tree_max_rss_kb);
}

/* White space stands only between tokens of a value that the scanner passed, except in strings. */
static void put_compact(struct tk_buf *out, tk_str raw)
{
    bool in_string = false;
    size_t start = 0;
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];
        if (in_string && c == '\\') {
            i++;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
            tk_buf_put(out, (tk_str){raw.p + start, i - start});
            start = i + 1;
        }
    }
    tk_buf_put(out, (tk_str){raw.p + start, raw.n - start});
}

static void put_member(struct tk_buf *out, tk_str raw_key, tk_str value)
{
    tk_json_put_comma(out);
    tk_buf_putc(out, '"');
    tk_buf_put(out, raw_key);
    tk_buf_lit(out, "\":");
    tk_buf_put(out, value);
}

/* The value to write for a member: what fills it, or empty to leave it as it is. */
static tk_str filled(struct fills *fills, size_t column, tk_str raw)
{
    for (size_t i = 0; i < fills->n; i++) {
        struct fill *fill = &fills->items[i];
        if (fill->column != column)
            continue;
        fill->done = true;
        return is_null(raw) ? fill->text : (tk_str){NULL, 0};
    }
    return (tk_str){NULL, 0};
}

void tk_event_format(const struct tk_event *event, tk_str node, tk_str stage, struct tk_buf *out)
{
    struct fills fills;
    struct tk_json json;
    struct tk_err ignored;
    tk_str key;
    tk_str raw;
    size_t hint = 0;
    collect_fills(event, node, stage, &fills);
    tk_buf_putc(out, '{');
    tk_json_init(&json, event->text);
    int rc = tk_json_enter_object(&json, &ignored);
    while (rc == 0 && tk_json_next_key(&json, NULL, &key, &ignored) == 0) {
        rc = tk_json_skip(&json, &raw, &ignored);
        if (rc < 0)
            break;
        size_t column = tk_schema_find(&tk_schema_invocations, key, hint);
        hint = column + 1;
        tk_str value = filled(&fills, column, raw);
        put_member(out, key, value);
        if (value.n == 0)
            put_compact(out, raw);
    }
    for (size_t i = 0; i < fills.n; i++) {
        const struct fill *fill = &fills.items[i];
        if (!fill->done) {
            put_member(out, tk_str_from(tk_schema_invocations.columns[fill->column].name),
                       fill->text);
        }
    }
    tk_buf_putc(out, '}');
}
