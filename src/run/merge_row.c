/* SPDX-License-Identifier: Apache-2.0 */
/* One row on its way through a merge. A row whose node is named and whose times stay goes out as
 * the bytes that came in; of others only what changes is written anew, so that unknown fields,
 * their order and the text of their values are kept. */
#include <errno.h>

#include "base/json.h"
#include "base/number.h"
#include "run/merge_internal.h"

#define US_PER_MS 1000

/* Keys that matter, in any table; and which of the stamps orders a row: the smallest rank that is
 * there, as for parse. 0 = it does not. */
static const struct key {
    tk_str name;
    enum tk_merge_role role;
    uint8_t rank;
} keys[] = {
    {{"ts_ms", 5}, TK_MERGE_MS, 2},       {{"ts_us", 5}, TK_MERGE_US, 1},
    {{"node", 4}, TK_MERGE_NODE},         {{"host", 4}, TK_MERGE_HOST},
    {{"link", 4}, TK_MERGE_LINK},         {{"ts", 2}, TK_MERGE_MS, 3},
    {{"ts_enqueue", 10}, TK_MERGE_MS, 4}, {{"ts_start", 8}, TK_MERGE_START, 5},
    {{"ts_end", 6}, TK_MERGE_MS},         {{"span_id", 7}, TK_MERGE_SPAN},
    {{"parent_id", 9}, TK_MERGE_PARENT},  {{"node_id", 7}, TK_MERGE_NODE},
    {{"pid_start_ms", 12}, TK_MERGE_MS},  {{"start_us", 8}, TK_MERGE_US},
};

static const struct key *find_key(tk_str name)
{
    for (size_t i = 0; i < TK_COUNTOF(keys); i++) {
        if (tk_str_eq(name, keys[i].name))
            return &keys[i];
    }
    return NULL;
}

static int64_t unit_of(enum tk_merge_role role)
{
    return role == TK_MERGE_US ? 1 : US_PER_MS;
}

/* Without its quotes; names with escapes keep them. */
static tk_str unquote(tk_str raw)
{
    bool quoted = raw.n >= 2 && *raw.p == '"';
    return quoted ? (tk_str){raw.p + 1, raw.n - 2} : (tk_str){NULL, 0};
}

/* A stamp that a clock can show, as number or in a string. */
static bool stamp_parse(tk_str raw, int64_t unit_us, int64_t *ret_us)
{
    static const int64_t limit_us = INT64_MAX / 8;
    int64_t value;
    tk_str text = unquote(raw);
    if (!tk_parse_whole(text.p ? text : raw, &value) || value <= 0 || value > limit_us / unit_us)
        return false;
    *ret_us = value * unit_us;
    return true;
}

static void take_stamp(struct tk_merge_row *row, const struct key *key, tk_str raw)
{
    int64_t us;
    if (!stamp_parse(raw, unit_of(key->role), &us))
        return;
    if (key->role == TK_MERGE_START)
        row->start_us = us;
    if (key->rank > 0 && (row->time_rank == 0 || key->rank < row->time_rank)) {
        row->time_us = us;
        row->time_rank = key->rank;
    }
}

static void take_member(struct tk_merge_row *row, tk_str name, tk_str raw)
{
    const struct key *key = find_key(name);
    if (!key)
        return;
    switch (key->role) {
    case TK_MERGE_NODE:
        row->node = row->node.n == 0 ? unquote(raw) : row->node;
        break;
    case TK_MERGE_HOST:
        row->host = unquote(raw);
        break;
    case TK_MERGE_SPAN:
        row->span = unquote(raw);
        return; /* it stays */
    case TK_MERGE_PARENT:
        row->parent = unquote(raw);
        return;
    case TK_MERGE_MS:
    case TK_MERGE_US:
    case TK_MERGE_START:
        take_stamp(row, key, raw);
        break;
    case TK_MERGE_LINK:
        break;
    }
    if (row->span_count < TK_MERGE_SPANS_MAX) {
        row->spans[row->span_count].role = key->role;
        row->spans[row->span_count++].raw = raw;
    }
}

int tk_merge_row_read(enum tk_table table, tk_str line, struct tk_merge_row *ret_row,
                      struct tk_err *err)
{
    struct tk_json json;
    tk_str key;
    tk_str raw;
    ret_row->text = line;
    ret_row->time_us = ret_row->start_us = INT64_MIN;
    ret_row->node = ret_row->host = ret_row->span = ret_row->parent = (tk_str){NULL, 0};
    ret_row->span_count = 0;
    ret_row->time_rank = 0;
    tk_json_init(&json, line);
    int rc = tk_json_enter_object(&json, err);
    while (rc == 0 && (rc = tk_json_next_key(&json, NULL, &key, err)) == 0) {
        rc = tk_json_skip(&json, &raw, err);
        if (rc < 0)
            break;
        if (table == TK_TABLE_CLOCK && tk_str_eq(key, TK_STR("realtime_us")))
            (void)stamp_parse(raw, 1, &ret_row->time_us);
        take_member(ret_row, key, raw);
    }
    return rc < 0 ? rc : tk_json_expect_end(&json, err);
}

/* Writing ---------------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool is_kept(const struct tk_merge_row *row, const struct tk_merge_node *node,
                    int64_t shift_us)
{
    return shift_us == 0 && tk_str_eq(row->node, tk_str_from(node->id)) &&
           (!node->host_known || tk_str_eq(row->host, tk_str_from(node->host)));
}

/* Take a name that a dot ends. */
static bool take_name(tk_str *text, const char *name)
{
    tk_str rest = *text;
    if (!tk_str_take_prefix(&rest, tk_str_from(name)) || !tk_str_starts_with(rest, TK_STR(".")))
        return false;
    *text = rest;
    return true;
}

bool tk_merge_take_label(tk_str *text, const struct tk_merge_node *node)
{
    return take_name(text, node->label) || (node->alias[0] && take_name(text, node->alias));
}

/* "LABEL.nic" as "ID.nic". */
static bool put_link(tk_str raw, const struct tk_merge_node *node, struct tk_buf *out)
{
    tk_str rest = unquote(raw);
    if (!tk_merge_take_label(&rest, node))
        return false;
    tk_json_put_str(out, tk_str_from(node->id));
    out->n--; /* the quote: the rest follows, escaped as it was */
    tk_buf_put(out, rest);
    tk_buf_putc(out, '"');
    return true;
}

/* A stamp shifted; false = it stays. The ms of a stamp that the row also has in us are rounded from
 * that. */
static bool put_stamp(const struct tk_merge_row *row, enum tk_merge_role role, tk_str raw,
                      int64_t shift_us, struct tk_buf *out)
{
    int64_t us;
    int64_t unit_us = unit_of(role);
    if (shift_us == 0 || !stamp_parse(raw, unit_us, &us))
        return false;
    if (row->time_us != INT64_MIN && floor_div(row->time_us, unit_us) == us / unit_us)
        us = row->time_us;
    tk_buf_put_i64(out, floor_div(us + shift_us, unit_us));
    return true;
}

/* The new text of the value of a span; false = it stays. */
static bool put_value(const struct tk_merge_row *row, size_t span, const struct tk_merge_node *node,
                      int64_t shift_us, struct tk_buf *out)
{
    enum tk_merge_role role = row->spans[span].role;
    tk_str raw = row->spans[span].raw;
    switch (role) {
    case TK_MERGE_NODE:
        tk_json_put_str(out, tk_str_from(node->id));
        return true;
    case TK_MERGE_HOST:
        if (node->host_known)
            tk_json_put_str(out, tk_str_from(node->host));
        return node->host_known;
    case TK_MERGE_LINK:
        return put_link(raw, node, out);
    case TK_MERGE_MS:
    case TK_MERGE_US:
    case TK_MERGE_START:
        return put_stamp(row, role, raw, shift_us, out);
    case TK_MERGE_SPAN:
    case TK_MERGE_PARENT:
        break;
    }
    return false;
}

static void put_missing(const struct tk_merge_row *row, const struct tk_merge_node *node,
                        bool has_node, struct tk_buf *out)
{
    bool has_host = false;
    for (size_t i = 0; i < row->span_count; i++)
        has_host |= row->spans[i].role == TK_MERGE_HOST;
    if (!has_node) {
        tk_json_put_member_str(out, "node", tk_str_from(node->id));
    }
    if (!has_host && node->host_known) {
        tk_json_put_member_str(out, "host", tk_str_from(node->host));
    }
    tk_buf_putc(out, '}');
}

void tk_merge_row_put(const struct tk_merge_row *row, const struct tk_merge_node *node,
                      int64_t shift_us, struct tk_buf *out)
{
    const char *from = row->text.p;
    bool has_node = false;
    if (is_kept(row, node, shift_us)) {
        tk_buf_put(out, row->text);
        return;
    }
    for (size_t i = 0; i < row->span_count; i++) {
        tk_str raw = row->spans[i].raw;
        has_node |= row->spans[i].role == TK_MERGE_NODE;
        tk_buf_put(out, (tk_str){from, (size_t)(raw.p - from)});
        from = raw.p;
        if (put_value(row, i, node, shift_us, out))
            from += raw.n;
    }
    tk_str rest = {from, (size_t)(row->text.p + row->text.n - from)};
    rest.n = tk_str_find_last(rest, '}');
    tk_buf_put(out, tk_str_trim(rest));
    put_missing(row, node, has_node, out);
}
