/* SPDX-License-Identifier: Apache-2.0 */
/* Looks through an encoded request for ids and times, once. Which field or member holds what stands
 * in one table of levels for both encodings; what is in no row (attributes above all) is skipped.
 */
#include <errno.h>

#include "base/json.h"
#include "load/bodies_internal.h"
#include "load/fields.h"

enum level {
    LEVEL_REQUEST,
    LEVEL_RESOURCE_SPANS,
    LEVEL_SCOPE_SPANS,
    LEVEL_SPAN,
    LEVEL_EVENT,
    LEVEL_LINK,
    LEVEL_COUNT
};

struct member {
    enum level level; /* that has the member */
    uint32_t number;  /* of protobuf */
    const char *name; /* of JSON */
    bool is_place;
    int leads_to; /* enum tk_place or enum level */
};

static const struct member members[] = {
    {LEVEL_REQUEST, 1, "resourceSpans", false, LEVEL_RESOURCE_SPANS},
    {LEVEL_RESOURCE_SPANS, 2, "scopeSpans", false, LEVEL_SCOPE_SPANS},
    {LEVEL_SCOPE_SPANS, 2, "spans", false, LEVEL_SPAN},
    {LEVEL_SPAN, 1, "traceId", true, TK_PLACE_TRACE_ID},
    {LEVEL_SPAN, 2, "spanId", true, TK_PLACE_SPAN_ID},
    {LEVEL_SPAN, 4, "parentSpanId", true, TK_PLACE_OTHER_SPAN_ID},
    {LEVEL_SPAN, 7, "startTimeUnixNano", true, TK_PLACE_TIME},
    {LEVEL_SPAN, 8, "endTimeUnixNano", true, TK_PLACE_TIME},
    {LEVEL_SPAN, 11, "events", false, LEVEL_EVENT},
    {LEVEL_SPAN, 13, "links", false, LEVEL_LINK},
    {LEVEL_EVENT, 1, "timeUnixNano", true, TK_PLACE_TIME},
    {LEVEL_LINK, 1, "traceId", true, TK_PLACE_LINK_TRACE_ID},
    {LEVEL_LINK, 2, "spanId", true, TK_PLACE_OTHER_SPAN_ID},
};

/* Bytes of protobuf, digits of JSON. */
static const struct {
    size_t bytes, digits;
} widths[TK_PLACE_COUNT] = {
    [TK_PLACE_TRACE_ID] = {16, 32},      [TK_PLACE_SPAN_ID] = {8, 16},
    [TK_PLACE_LINK_TRACE_ID] = {16, 32}, [TK_PLACE_OTHER_SPAN_ID] = {8, 16},
    [TK_PLACE_TIME] = {8, 19},
};

static void add(struct tk_buf *found, const char *start, const char *at)
{
    uint32_t offset = (uint32_t)(at - start);
    tk_buf_put(found, (tk_str){(const char *)&offset, sizeof(offset)});
}

static int check_found(const struct tk_buf found[TK_PLACE_COUNT], struct tk_err *err)
{
    int rc = 0;
    for (int i = 0; i < TK_PLACE_COUNT && rc == 0; i++)
        rc = tk_buf_check(&found[i], "places of ids and times", err);
    return rc;
}

/* Protobuf --------------------------------------------------------------------------------- */

static const struct member *find_number(enum level level, uint32_t number)
{
    for (size_t i = 0; i < TK_COUNTOF(members); i++) {
        if (members[i].level == level && members[i].number == number)
            return &members[i];
    }
    return NULL;
}

/* A message that is being looked through; the stack of those above it. */
struct message {
    struct tk_wire in;
    enum level level;
};

int tk_places_find_proto(tk_str body, struct tk_buf found[TK_PLACE_COUNT], struct tk_err *err)
{
    struct tk_wire_fault fault;
    struct tk_field field;
    struct message stack[LEVEL_COUNT] = {{tk_fields_of(body, &fault), LEVEL_REQUEST}};
    for (size_t depth = 1; depth > 0;) {
        struct message *top = &stack[depth - 1];
        int rc = tk_field_next(&top->in, &field);
        if (rc < 0)
            return tk_wire_tell(&fault, body, err);
        if (rc > 0) {
            depth--;
            continue;
        }
        const struct member *member = find_number(top->level, field.tag >> 3);
        if (!member || !field.bytes.p)
            continue;
        if (!member->is_place) {
            stack[depth++] = (struct message){tk_wire_inner(&top->in, field.bytes),
                                              (enum level)member->leads_to};
        } else if (field.bytes.n == widths[member->leads_to].bytes) {
            add(&found[member->leads_to], body.p, field.bytes.p);
        }
    }
    return check_found(found, err);
}

/* JSON ------------------------------------------------------------------------------------- */

struct search {
    const char *start;
    struct tk_buf *found;
    enum level level;
};

static int find_in_members(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                           struct tk_err *err);

static const struct member *find_name(enum level level, tk_str name)
{
    for (size_t i = 0; i < TK_COUNTOF(members); i++) {
        if (members[i].level == level && tk_str_eq(tk_str_from(members[i].name), name))
            return &members[i];
    }
    return NULL;
}

/* An id or a time: a string of digits. */
static int take_place(struct tk_json *json, const struct search *search, int place,
                      struct tk_err *err)
{
    tk_str raw;
    int rc = tk_json_skip(json, &raw, err);
    if (rc < 0)
        return rc;
    tk_str digits = raw.n >= 2 && raw.p[0] == '"' ? (tk_str){raw.p + 1, raw.n - 2} : raw;
    if (digits.n == widths[place].digits) {
        add(&search->found[place], search->start, digits.p);
    } else if (place == TK_PLACE_TIME && !tk_str_eq(digits, TK_STR("0"))) {
        return tk_fail(err, -EBADMSG,
                       "the time %.*s is not between 2001 and 2262: it cannot be moved in JSON",
                       TK_STR_ARG(digits));
    }
    return 0;
}

static int find_in_members(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                           struct tk_err *err)
{
    const struct search *search = into;
    const struct member *member = find_name(search->level, key);
    if (!member)
        return 1;
    if (member->is_place)
        return take_place(json, search, member->leads_to, err);
    struct search below = {search->start, search->found, (enum level)member->leads_to};
    int rc = tk_json_enter_array(json, err);
    while (rc == 0 && (rc = tk_json_next_element(json, err)) == 0)
        rc = tk_json_read_members(json, scratch, find_in_members, &below, err);
    return rc < 0 ? rc : 0;
}

int tk_places_find_json(tk_str body, struct tk_buf found[TK_PLACE_COUNT], struct tk_err *err)
{
    struct search search = {body.p, found, LEVEL_REQUEST};
    struct tk_json json;
    tk_json_init(&json, body);
    int rc = tk_json_read_members(&json, NULL, find_in_members, &search, err);
    return rc < 0 ? rc : check_found(found, err);
}
