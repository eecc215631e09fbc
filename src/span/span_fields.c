/* SPDX-License-Identifier: Apache-2.0 */
#include "span/span_fields.h"

#include <errno.h>

#include "base/number.h"
#include "span/span_text.h"
#include "span/when.h"

enum { KIND_POD = 32, KIND_RESOURCE = 33 };

#define POD_HASH_MIN 8 /* digits of a ReplicaSet's hash, as fewest and most */
#define POD_HASH_MAX 10
#define POD_ENDING   5

static const int64_t ns_per_unit[] = {[TK_SPAN_UNIT_AUTO] = 1,
                                      [TK_SPAN_UNIT_S] = 1000000000,
                                      [TK_SPAN_UNIT_MS] = 1000000,
                                      [TK_SPAN_UNIT_US] = 1000,
                                      [TK_SPAN_UNIT_NS] = 1};

/* Names ------------------------------------------------------------------------------------- */

/* Reduced: lower case, no separators. The first name of a role is the one of --map. */
static const struct known {
    const char *name;
    enum tk_span_role role;
    enum tk_span_unit unit;
} known_names[] = {
    {"traceid", TK_ROLE_TRACE_ID, 0},
    {"spanid", TK_ROLE_SPAN_ID, 0},
    {"parentid", TK_ROLE_PARENT_ID, 0},
    {"parentspanid", TK_ROLE_PARENT_ID, 0},
    {"service", TK_ROLE_SERVICE, 0},
    {"servicename", TK_ROLE_SERVICE, 0},
    {"pod", TK_ROLE_POD, 0},
    {"podname", TK_ROLE_POD, 0},
    {"name", TK_ROLE_NAME, 0},
    {"operation", TK_ROLE_NAME, 0},
    {"operationname", TK_ROLE_NAME, 0},
    {"spanname", TK_ROLE_NAME, 0},
    {"kind", TK_ROLE_KIND, 0},
    {"spankind", TK_ROLE_KIND, 0},
    {"start", TK_ROLE_START, TK_SPAN_UNIT_AUTO},
    {"starttime", TK_ROLE_START, TK_SPAN_UNIT_AUTO},
    {"timestamp", TK_ROLE_START, TK_SPAN_UNIT_AUTO},
    {"starttimeunixnano", TK_ROLE_START, TK_SPAN_UNIT_NS},
    {"startns", TK_ROLE_START, TK_SPAN_UNIT_NS},
    {"startus", TK_ROLE_START, TK_SPAN_UNIT_US},
    {"startms", TK_ROLE_START, TK_SPAN_UNIT_MS},
    {"end", TK_ROLE_END, TK_SPAN_UNIT_AUTO},
    {"endtime", TK_ROLE_END, TK_SPAN_UNIT_AUTO},
    {"endtimeunixnano", TK_ROLE_END, TK_SPAN_UNIT_NS},
    {"endns", TK_ROLE_END, TK_SPAN_UNIT_NS},
    {"endus", TK_ROLE_END, TK_SPAN_UNIT_US},
    {"endms", TK_ROLE_END, TK_SPAN_UNIT_MS},
    {"duration", TK_ROLE_DURATION, TK_SPAN_UNIT_US},
    {"durationns", TK_ROLE_DURATION, TK_SPAN_UNIT_NS},
    {"durationnano", TK_ROLE_DURATION, TK_SPAN_UNIT_NS},
    {"durationus", TK_ROLE_DURATION, TK_SPAN_UNIT_US},
    {"durationms", TK_ROLE_DURATION, TK_SPAN_UNIT_MS},
    {"status", TK_ROLE_STATUS, 0},
    {"statuscode", TK_ROLE_STATUS, 0},
    {"statusmessage", TK_ROLE_MESSAGE, 0},
    {"error", TK_ROLE_ERROR, 0},
    {"tracestate", TK_ROLE_TRACE_STATE, 0},
    {"flags", TK_ROLE_FLAGS, 0},
    {"scopename", TK_ROLE_SCOPE, 0},
    {"scopeversion", TK_ROLE_VERSION, 0},
    {"attributes", TK_ROLE_ATTRIBUTES, 0},
    {"attrs", TK_ROLE_ATTRIBUTES, 0},
    {"resource", TK_ROLE_RESOURCE, 0},
};

/* Lower case without separators; "" when it is longer than any name that is known. */
static tk_str reduce(tk_str name, char buf[32])
{
    size_t n = 0;
    for (size_t i = 0; name.p && i < name.n; i++) {
        char c = name.p[i];
        if (c == '_' || c == '-' || c == '.' || c == ' ')
            continue;
        if (n == 32)
            return TK_STR("");
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        buf[n++] = c;
    }
    return (tk_str){buf, n};
}

static const struct known *find_known(tk_str name)
{
    char buf[32];
    tk_str reduced = reduce(name, buf);
    for (size_t i = 0; i < TK_COUNTOF(known_names); i++) {
        if (tk_str_eq(reduced, tk_str_from(known_names[i].name)))
            return &known_names[i];
    }
    return NULL;
}

/* The unit behind the last colon, which is taken away; AUTO when there is none. */
static enum tk_span_unit take_unit(tk_str *name)
{
    static const char *const units[] = {NULL, "s", "ms", "us", "ns"};
    size_t colon = tk_str_find_last(*name, ':');
    if (colon + 1 >= name->n)
        return TK_SPAN_UNIT_AUTO;
    tk_str unit = {name->p + colon + 1, name->n - colon - 1};
    for (size_t i = 1; i < TK_COUNTOF(units); i++) {
        if (!tk_str_eq(unit, tk_str_from(units[i])))
            continue;
        name->n = colon;
        return (enum tk_span_unit)i;
    }
    return TK_SPAN_UNIT_AUTO;
}

struct map {
    const struct known *known;
    tk_str name; /* of the column or key */
    enum tk_span_unit unit;
};

/* "FIELD=NAME[:UNIT]". -EINVAL. */
static int parse_map(const char *text, struct map *ret_map, struct tk_err *err)
{
    tk_str rest = tk_str_from(text);
    size_t equals = tk_str_find(rest, '=');
    if (equals + 1 >= rest.n)
        return tk_fail(err, -EINVAL, "'%s' is no FIELD=NAME or FIELD=NAME:UNIT", text);
    const struct known *known = find_known((tk_str){rest.p, equals});
    if (!known) {
        return tk_fail(err, -EINVAL,
                       "'%.*s' is no field of a span (trace_id, span_id, parent_id, "
                       "service, pod, name, kind, start, end, duration, status, "
                       "status_message, error, attributes, resource)",
                       (int)equals, rest.p);
    }
    struct map map = {.known = known, .name = {rest.p + equals + 1, rest.n - equals - 1}};
    map.unit = take_unit(&map.name);
    *ret_map = map;
    return 0;
}

/* Whether a map names `name`: 1, and the field; 0; -EINVAL. */
static int try_map(const char *text, tk_str name, struct tk_span_field *ret, struct tk_err *err)
{
    struct map map = {0};
    int rc = parse_map(text, &map, err);
    if (rc < 0 || !map.known || !tk_str_eq(map.name, name))
        return rc;
    *ret = (struct tk_span_field){map.known->role,
                                  map.unit != TK_SPAN_UNIT_AUTO ? map.unit : map.known->unit};
    return 1;
}

int tk_span_maps_check(const struct tk_span_input *input, const tk_str *names, size_t count,
                       struct tk_err *err)
{
    for (size_t i = 0; i < input->map_count; i++) {
        struct map map = {0};
        int rc = parse_map(input->maps[i], &map, err);
        if (rc < 0)
            return rc;
        size_t k = 0;
        while (k < count && !tk_str_eq(names[k], map.name))
            k++;
        if (k == count) {
            return tk_fail(err, -EINVAL, "line 1: no column '%.*s', which --map names",
                           (int)map.name.n, map.name.p);
        }
    }
    return 0;
}

int tk_span_field_find(const struct tk_span_input *input, tk_str name,
                       struct tk_span_field *ret_field, struct tk_err *err)
{
    const struct known *known = find_known(name);
    *ret_field = (struct tk_span_field){known ? known->role : TK_ROLE_COUNT,
                                        known ? known->unit : TK_SPAN_UNIT_AUTO};
    for (size_t i = 0; i < input->map_count; i++) {
        int rc = try_map(input->maps[i], name, ret_field, err);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    return 0;
}

/* Times ---------------------------------------------------------------------------------------- */

/* A time since 1970 by its size: no service ran before 1973. */
static enum tk_span_unit guess_unit(int64_t value)
{
    if (value >= 100000000000000000)
        return TK_SPAN_UNIT_NS;
    if (value >= 100000000000000)
        return TK_SPAN_UNIT_US;
    return value >= 100000000000 ? TK_SPAN_UNIT_MS : TK_SPAN_UNIT_S;
}

/* A number of a unit, maybe with decimals, as nanoseconds; or a calendar time. */
static bool parse_time(tk_str text, enum tk_span_unit unit, int64_t *ret_ns)
{
    static const int decimals[] = {0, 9, 6, 3, 0};
    int64_t value;
    bool is_negative = text.n > 1 && *text.p == '-';
    tk_str rest = is_negative ? (tk_str){text.p + 1, text.n - 1} : text;
    if (tk_parse_i64(text, &value)) {
        if (unit == TK_SPAN_UNIT_AUTO)
            unit = guess_unit(value);
        return !__builtin_mul_overflow(value, ns_per_unit[unit], ret_ns);
    }
    if (unit == TK_SPAN_UNIT_AUTO && tk_when_parse(text, false, ret_ns))
        return true;
    if (unit == TK_SPAN_UNIT_AUTO)
        unit = TK_SPAN_UNIT_S;
    if (!tk_scan_fixed(&rest, decimals[unit], ret_ns) || rest.n > 0)
        return false;
    if (is_negative)
        *ret_ns = -*ret_ns;
    return true;
}

static int read_time(const struct tk_span_values *values, enum tk_span_role role, int64_t *ret_ns,
                     struct tk_err *err)
{
    static const char *const names[] = {
        [TK_ROLE_START] = "start", [TK_ROLE_END] = "end", [TK_ROLE_DURATION] = "duration"};
    tk_str text = values->texts[role];
    if (parse_time(text, values->units[role], ret_ns))
        return 0;
    return tk_fail(err, -EBADMSG, "the %s '%.*s' is no time", names[role],
                   (int)(text.n < 40 ? text.n : 40), text.p ? text.p : "");
}

/* Two of start, end and duration; the end counts more than the duration, which is often rounded. */
static int put_times(struct tk_reading *reading, const struct tk_span_values *values,
                     struct tk_err *err)
{
    int64_t start = 0;
    int64_t end = 0;
    int64_t duration = 0;
    bool has_end = values->texts[TK_ROLE_END].n > 0;
    bool has_start = values->texts[TK_ROLE_START].n > 0;
    int rc = 0;
    if (has_end)
        rc = read_time(values, TK_ROLE_END, &end, err);
    if (rc == 0 && has_start)
        rc = read_time(values, TK_ROLE_START, &start, err);
    if (rc == 0 && (!has_start || !has_end) && values->texts[TK_ROLE_DURATION].n > 0)
        rc = read_time(values, TK_ROLE_DURATION, &duration, err);
    if (rc < 0)
        return rc;
    if (!has_start && !has_end)
        return tk_fail(err, -EBADMSG, "a span without a start");
    if (start < 0 || end < 0)
        return tk_fail(err, -EBADMSG, "a time before 1970");
    if (!has_start) {
        start = end - duration;
    } else if (has_end) {
        duration = end - start;
    }
    return tk_reading_set_time(reading, start, duration, 1, err);
}

/* Where it ran --------------------------------------------------------------------------------- */

/* How many of the last characters of text[0..n) are hexadecimal digits or, with `any`, lower-case
 * letters and digits. */
static size_t count_ending(tk_str text, bool any)
{
    size_t n = 0;
    while (n < text.n) {
        char c = text.p[text.n - 1 - n];
        bool is_lower = c >= 'a' && c <= (any ? 'z' : 'f');
        if (!is_lower && !tk_is_digit(c))
            break;
        n++;
    }
    return n;
}

tk_str tk_span_pod_service(tk_str pod)
{
    tk_str name = pod;
    size_t n = count_ending(name, true);
    if (n != POD_ENDING || name.n <= n + 1 || name.p[name.n - n - 1] != '-')
        return pod;
    name.n -= n + 1;
    n = count_ending(name, false);
    if (n < POD_HASH_MIN || n > POD_HASH_MAX || name.n <= n + 1 || name.p[name.n - n - 1] != '-')
        return pod;
    name.n -= n + 1;
    return name;
}

static int add_side_text(struct tk_reading *reading, tk_str key, uint32_t text,
                         struct tk_attr_range *range)
{
    const struct tk_attr attr = {
        .key = tk_texts_add(&reading->batch->texts, key), .type = TK_ATTR_STRING, .text = text};
    if (attr.key == TK_TEXTS_NONE || text == TK_TEXTS_NONE ||
        tk_span_batch_add_side_attr(reading->batch, &attr) == UINT32_MAX)
        return -ENOBUFS;
    range->n++;
    return 0;
}

/* The scope of a resource that was made. */
static uint32_t add_resource(struct tk_reading *reading, const struct tk_span_resource *resource)
{
    uint32_t index = tk_span_batch_add_resource(reading->batch, resource);
    if (index == UINT32_MAX)
        return index;
    return tk_span_batch_add_scope(reading->batch, &(struct tk_span_scope){.resource = index});
}

static int find_pod(struct tk_reading *reading, tk_str pod, uint32_t *ret_scope)
{
    struct tk_span_batch *batch = reading->batch;
    struct tk_span_resource resource = {.attrs.begin = batch->side_attr_count};
    if (tk_reading_find(reading, KIND_POD, pod, ret_scope))
        return 0;
    resource.service = tk_reading_add_name(reading, tk_span_pod_service(pod));
    int rc = add_side_text(reading, TK_STR("service.name"), resource.service, &resource.attrs);
    if (rc == 0) {
        rc = add_side_text(reading, TK_STR("k8s.pod.name"), tk_reading_add_name(reading, pod),
                           &resource.attrs);
    }
    if (rc < 0)
        return rc;
    *ret_scope = add_resource(reading, &resource);
    if (*ret_scope == UINT32_MAX)
        return -ENOBUFS;
    tk_reading_add(reading, KIND_POD, pod, *ret_scope);
    return 0;
}

/* A resource as a JSON object; `service` where it has no service.name itself. */
static int find_resource(struct tk_reading *reading, tk_str raw, tk_str service,
                         uint32_t *ret_scope, struct tk_err *err)
{
    struct tk_span_batch *batch = reading->batch;
    struct tk_span_resource resource = {0};
    struct tk_json json;
    bool is_in_input =
        raw.p >= reading->input->text.p && raw.p < reading->input->text.p + reading->input->text.n;
    if (is_in_input && tk_reading_find(reading, KIND_RESOURCE, raw, ret_scope))
        return 0;
    tk_reading_scan(reading, raw, &json);
    int rc = tk_reading_read_side_attrs(reading, &json, &resource.attrs, err);
    for (uint32_t i = 0; i < resource.attrs.n && rc == 0; i++) {
        const struct tk_attr *attr = &batch->side_attrs[resource.attrs.begin + i];
        if (attr->type == TK_ATTR_STRING &&
            tk_str_eq(tk_texts_get(&batch->texts, attr->key), TK_STR("service.name")))
            resource.service = attr->text;
    }
    if (rc == 0 && resource.service == 0 && service.n > 0) {
        resource.service = tk_reading_add_name(reading, service);
        rc = add_side_text(reading, TK_STR("service.name"), resource.service, &resource.attrs);
    }
    if (rc < 0)
        return rc;
    *ret_scope = add_resource(reading, &resource);
    if (*ret_scope == UINT32_MAX)
        return -ENOBUFS;
    if (is_in_input)
        tk_reading_add(reading, KIND_RESOURCE, raw, *ret_scope);
    return 0;
}

static int put_place(struct tk_reading *reading, const struct tk_span_values *values,
                     struct tk_err *err)
{
    struct tk_span_batch *batch = reading->batch;
    tk_str service = values->texts[TK_ROLE_SERVICE];
    tk_str pod = values->texts[TK_ROLE_POD];
    tk_str resource = values->texts[TK_ROLE_RESOURCE];
    uint32_t scope = 0;
    int rc = 0;
    if (resource.n > 0 && *resource.p == '{') {
        rc = find_resource(reading, resource, service, &scope, err);
    } else if (service.n == 0 && pod.n > 0) {
        rc = find_pod(reading, pod, &scope);
    } else {
        scope = tk_reading_service(reading, service);
    }
    if (rc < 0)
        return rc;
    if (scope != UINT32_MAX &&
        values->texts[TK_ROLE_SCOPE].n + values->texts[TK_ROLE_VERSION].n > 0) {
        scope = tk_reading_scope(reading, batch->scopes[scope].resource,
                                 values->texts[TK_ROLE_SCOPE], values->texts[TK_ROLE_VERSION]);
    }
    batch->scope_ids[batch->rows - 1] = scope;
    return scope == UINT32_MAX ? -ENOBUFS : 0;
}

/* The row -------------------------------------------------------------------------------------- */

static bool is_true(tk_str text)
{
    return tk_str_eq(text, TK_STR("true")) || tk_str_eq(text, TK_STR("1")) ||
           tk_str_eq(text, TK_STR("True")) || tk_str_eq(text, TK_STR("yes"));
}

static void put_texts(struct tk_reading *reading, const struct tk_span_values *values)
{
    struct tk_span_batch *batch = reading->batch;
    size_t row = batch->rows - 1;
    uint64_t flags;
    batch->names[row] = tk_reading_add_name(reading, values->texts[TK_ROLE_NAME]);
    if (values->texts[TK_ROLE_MESSAGE].n > 0)
        batch->messages[row] = tk_reading_add_name(reading, values->texts[TK_ROLE_MESSAGE]);
    if (values->texts[TK_ROLE_TRACE_STATE].n > 0)
        batch->trace_states[row] = tk_reading_add_name(reading, values->texts[TK_ROLE_TRACE_STATE]);
    if (values->texts[TK_ROLE_KIND].n > 0)
        batch->kinds[row] = tk_span_kind_parse(values->texts[TK_ROLE_KIND]);
    if (values->texts[TK_ROLE_STATUS].n > 0)
        batch->statuses[row] = tk_span_status_parse(values->texts[TK_ROLE_STATUS]);
    if (is_true(values->texts[TK_ROLE_ERROR]))
        batch->statuses[row] = TK_SPAN_ERROR;
    if (tk_parse_u64(values->texts[TK_ROLE_FLAGS], &flags))
        batch->flags[row] = (uint32_t)flags;
}

int tk_span_values_put(struct tk_reading *reading, const struct tk_span_values *values,
                       struct tk_err *err)
{
    tk_str parent = values->texts[TK_ROLE_PARENT_ID];
    if (tk_str_eq(parent, TK_STR("root")) || tk_str_eq(parent, TK_STR("0")))
        parent.n = 0;
    int rc = tk_reading_begin_row(reading, values->texts[TK_ROLE_TRACE_ID],
                                  values->texts[TK_ROLE_SPAN_ID], parent, err);
    rc = rc < 0 ? rc : put_times(reading, values, err);
    if (rc < 0)
        return rc;
    put_texts(reading, values);
    tk_str attributes = values->texts[TK_ROLE_ATTRIBUTES];
    if (attributes.n > 0 && *attributes.p == '{') {
        struct tk_json json;
        tk_json_init(&json, attributes);
        rc = tk_reading_read_attrs(reading, &json, err);
    }
    return rc < 0 ? rc : put_place(reading, values, err);
}
