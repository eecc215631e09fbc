/* SPDX-License-Identifier: Apache-2.0 */
#include "span/keys.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"

#define PATH_MAX_BYTES 256 /* of a nested key with its dots; longer ones name nothing */

/* Of a name in any case. */
static size_t bucket_of(tk_str name)
{
    size_t first = name.n > 0 ? (unsigned char)*name.p | 0x20U : 0;
    return (first * 7 + name.n) % TK_KEYS_BUCKETS;
}

static int add(struct tk_keys *keys, tk_str name, enum tk_field field, enum tk_unit unit,
               struct tk_err *err)
{
    if (keys->count == TK_KEYS_MAX)
        return tk_fail(err, -EMSGSIZE, "more than %d names of fields", TK_KEYS_MAX);
    keys->items[keys->count] = (struct tk_source){name, field, unit, (uint8_t)keys->count};
    uint8_t *link = &keys->heads[bucket_of(name)];
    while (*link)
        link = &keys->nexts[*link - 1];
    keys->nexts[keys->count] = 0;
    *link = (uint8_t)++keys->count;
    return 0;
}

/* "FIELD=NAME" or "FIELD=NAME:UNIT"; a colon in front belongs to the name, as in ":path". */
static int add_map(struct tk_keys *keys, const char *map, struct tk_err *err)
{
    tk_str name = tk_str_from(map);
    tk_str field_name;
    size_t equals = tk_str_find(name, '=');
    if (equals == name.n || !tk_str_take_until(&name, '=', &field_name) || name.n == 0)
        return tk_fail(err, -EINVAL, "'%s' is no FIELD=NAME or FIELD=NAME:UNIT", map);
    enum tk_field field = tk_field_find(field_name);
    if (field == TK_FIELD_COUNT)
        return tk_fail(err, -EINVAL, "'%.*s' is no field of an invocation", TK_STR_ARG(field_name));
    enum tk_unit unit = TK_UNIT_NONE;
    size_t colon = tk_str_find_last(name, ':');
    if (colon > 0 && colon < name.n) {
        tk_str unit_name = {name.p + colon + 1, name.n - colon - 1};
        unit = tk_unit_find(unit_name);
        if (unit == TK_UNIT_COUNT || !tk_unit_ok(tk_fields[field].kind, unit)) {
            return tk_fail(err, -EINVAL, "'%s': '%.*s' is no unit of %s (%s)", map,
                           TK_STR_ARG(unit_name), tk_fields[field].name,
                           tk_fields[field].kind == TK_KIND_SIZE  ? "bytes, kb, mb, gb"
                           : tk_fields[field].kind <= TK_KIND_SUM ? "s, ms, us, ns"
                                                                  : "it takes none");
        }
        name.n = colon;
    }
    return add(keys, name, field, unit, err);
}

int tk_keys_init(struct tk_keys *keys, const struct tk_key *table, size_t table_count,
                 const char *const *maps, size_t map_count, struct tk_err *err)
{
    int rc = 0;
    uint64_t mapped = 0;
    keys->count = 0;
    keys->any_case = false;
    memset(keys->heads, 0, sizeof(keys->heads));
    for (size_t i = 0; i < map_count && rc == 0; i++)
        rc = add_map(keys, maps[i], err);
    for (size_t i = 0; i < keys->count; i++)
        mapped |= 1ULL << keys->items[i].field;
    for (size_t i = 0; i < table_count && rc == 0; i++) {
        if (!(mapped >> table[i].field & 1))
            rc = add(keys, tk_str_from(table[i].name), table[i].field, table[i].unit, err);
    }
    return rc;
}

static bool is_same(const struct tk_keys *keys, tk_str a, tk_str b)
{
    if (a.n != b.n)
        return false;
    return keys->any_case ? strncasecmp(a.p, b.p, a.n) == 0 : tk_str_eq(a, b);
}

size_t tk_keys_find(const struct tk_keys *keys, tk_str name, size_t from)
{
    for (size_t next = keys->heads[bucket_of(name)]; next > 0; next = keys->nexts[next - 1]) {
        if (next > from && is_same(keys, keys->items[next - 1].name, name))
            return next - 1;
    }
    return keys->count;
}

int tk_keys_set(const struct tk_keys *keys, tk_str name, tk_str text, struct tk_call *call,
                struct tk_err *err)
{
    int rc = 0;
    for (size_t i = tk_keys_find(keys, name, 0); i < keys->count && rc == 0;
         i = tk_keys_find(keys, name, i + 1)) {
        rc = tk_call_set(call, &keys->items[i], text, err);
    }
    return rc;
}

/* Objects ------------------------------------------------------------------------------- */

/* Where in an object the reader is. */
struct walk {
    const struct tk_keys *keys;
    struct tk_arena *scratch;
    struct tk_call *call;
    char path[PATH_MAX_BYTES];
    size_t n;
};

/* Some name lies below the path: the object there is worth entering. */
static bool leads_on(const struct walk *walk)
{
    for (size_t i = 0; i < walk->keys->count; i++) {
        tk_str name = walk->keys->items[i].name;
        if (name.n > walk->n && name.p[walk->n] == '.' &&
            is_same(walk->keys, (tk_str){name.p, walk->n}, (tk_str){walk->path, walk->n}))
            return true;
    }
    return false;
}

static int read_text(struct walk *walk, struct tk_json *json, tk_str *ret, struct tk_err *err)
{
    if (tk_json_peek(json) == TK_JSON_STRING)
        return tk_json_read_str(json, walk->scratch, ret, err);
    return tk_json_skip(json, ret, err);
}

static int read_object(struct walk *walk, struct tk_json *json, struct tk_err *err);

static int read_member(struct walk *walk, struct tk_json *json, struct tk_err *err)
{
    tk_str text;
    tk_str name = {walk->path, walk->n};
    enum tk_json_kind kind = tk_json_peek(json);
    if (kind == TK_JSON_OBJECT && leads_on(walk))
        return read_object(walk, json, err);
    if (kind == TK_JSON_OBJECT || kind == TK_JSON_ARRAY || kind == TK_JSON_NULL ||
        tk_keys_find(walk->keys, name, 0) == walk->keys->count)
        return tk_json_skip(json, NULL, err);
    int rc = read_text(walk, json, &text, err);
    return rc < 0 ? rc : tk_keys_set(walk->keys, name, text, walk->call, err);
}

/* Recurses no deeper than the dots in a name. */
static int read_object(struct walk *walk, struct tk_json *json, struct tk_err *err)
{
    size_t before = walk->n;
    tk_str key;
    int rc = tk_json_enter_object(json, err);
    while (rc == 0 && (rc = tk_json_next_key(json, walk->scratch, &key, err)) == 0) {
        if (before + 1 + key.n > sizeof(walk->path)) {
            rc = tk_json_skip(json, NULL, err);
            continue;
        }
        walk->n = before;
        if (before > 0)
            walk->path[walk->n++] = '.';
        memcpy(walk->path + walk->n, key.p, key.n);
        walk->n += key.n;
        rc = read_member(walk, json, err);
    }
    walk->n = before;
    return rc < 0 ? rc : 0;
}

int tk_keys_read_object(const struct tk_keys *keys, tk_str text, struct tk_arena *scratch,
                        struct tk_call *call, struct tk_err *err)
{
    struct tk_json json;
    struct walk walk = {.keys = keys, .scratch = scratch, .call = call};
    tk_json_init(&json, text);
    int rc = read_object(&walk, &json, err);
    if (rc == 0)
        rc = tk_json_expect_end(&json, err);
    return rc == -EMSGSIZE || rc == -ERANGE ? tk_fail_code(err, -EBADMSG, "%s", "object") : rc;
}
