/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes, columns and levels. A value's definition level counts the nodes on its path that may be
 * absent (optional or repeated) and are there; its repetition level says which repeated node goes
 * on. */
#include <errno.h>
#include <string.h>

#include "table/parquet_internal.h"

/* LogicalType (its field in the union), the ConvertedType of old readers, -1 = none. */
static const struct {
    const char *name;
    int8_t field;
    int8_t converted;
    uint8_t unit; /* of times: field in TimeUnit */
    uint8_t bits; /* of integers */
    bool is_signed;
} logicals[] = {
    [TK_PARQUET_RAW] = {"", 0, -1, 0, 0, false},
    [TK_PARQUET_STRING] = {"string", 1, 0, 0, 0, false},
    [TK_PARQUET_ENUM] = {"enum", 4, 4, 0, 0, false},
    [TK_PARQUET_JSON] = {"json", 12, 19, 0, 0, false},
    [TK_PARQUET_BSON] = {"bson", 13, 20, 0, 0, false},
    [TK_PARQUET_UUID] = {"uuid", 14, -1, 0, 0, false},
    [TK_PARQUET_FLOAT16] = {"float16", 15, -1, 0, 0, false},
    [TK_PARQUET_DECIMAL] = {"decimal", 5, 5, 0, 0, false},
    [TK_PARQUET_DATE] = {"date", 6, 6, 0, 0, false},
    [TK_PARQUET_TIME_MS] = {"time(ms)", 7, 7, 1, 0, false},
    [TK_PARQUET_TIME_US] = {"time(us)", 7, 8, 2, 0, false},
    [TK_PARQUET_TIME_NS] = {"time(ns)", 7, -1, 3, 0, false},
    [TK_PARQUET_TIMESTAMP_MS] = {"timestamp(ms)", 8, 9, 1, 0, false},
    [TK_PARQUET_TIMESTAMP_US] = {"timestamp(us)", 8, 10, 2, 0, false},
    [TK_PARQUET_TIMESTAMP_NS] = {"timestamp(ns)", 8, -1, 3, 0, false},
    [TK_PARQUET_INT8] = {"int8", 10, 15, 0, 8, true},
    [TK_PARQUET_INT16] = {"int16", 10, 16, 0, 16, true},
    [TK_PARQUET_INT32] = {"int32", 10, 17, 0, 32, true},
    [TK_PARQUET_INT64] = {"int64", 10, 18, 0, 64, true},
    [TK_PARQUET_UINT8] = {"uint8", 10, 11, 0, 8, false},
    [TK_PARQUET_UINT16] = {"uint16", 10, 12, 0, 16, false},
    [TK_PARQUET_UINT32] = {"uint32", 10, 13, 0, 32, false},
    [TK_PARQUET_UINT64] = {"uint64", 10, 14, 0, 64, false},
    [TK_PARQUET_INTERVAL] = {"interval", 0, 21, 0, 0, false},
    [TK_PARQUET_NULLS] = {"unknown", 11, -1, 0, 0, false},
    [TK_PARQUET_LIST] = {"list", 3, 3, 0, 0, false},
    [TK_PARQUET_MAP] = {"map", 2, 1, 0, 0, false},
};

static const struct {
    const char *name;
    uint8_t width;
} types[] = {
    [TK_PARQUET_BOOL] = {"boolean", 1}, [TK_PARQUET_I32] = {"int32", 4},
    [TK_PARQUET_I64] = {"int64", 8},    [TK_PARQUET_I96] = {"int96", 12},
    [TK_PARQUET_F32] = {"float", 4},    [TK_PARQUET_F64] = {"double", 8},
    [TK_PARQUET_BYTES] = {"bytes", 0},  [TK_PARQUET_FIXED] = {"fixed", 0},
    [TK_PARQUET_GROUP] = {"group", 0},
};

const char *tk_parquet_logical_name(enum tk_parquet_logical logical)
{
    return (size_t)logical < TK_COUNTOF(logicals) ? logicals[logical].name : "unknown";
}

const char *tk_parquet_type_name(int32_t type)
{
    return type >= 0 && (size_t)type < TK_COUNTOF(types) ? types[type].name : "unknown";
}

const char *tk_parquet_encoding_name(int32_t encoding)
{
    static const char *const names[] = {
        [TK_PARQUET_ENC_PLAIN] = "PLAIN",
        [TK_PARQUET_ENC_PLAIN_DICTIONARY] = "PLAIN_DICTIONARY",
        [TK_PARQUET_ENC_RLE] = "RLE",
        [TK_PARQUET_ENC_BIT_PACKED] = "BIT_PACKED",
        [TK_PARQUET_ENC_DELTA_BINARY_PACKED] = "DELTA_BINARY_PACKED",
        [TK_PARQUET_ENC_DELTA_LENGTH_BYTE_ARRAY] = "DELTA_LENGTH_BYTE_ARRAY",
        [TK_PARQUET_ENC_DELTA_BYTE_ARRAY] = "DELTA_BYTE_ARRAY",
        [TK_PARQUET_ENC_RLE_DICTIONARY] = "RLE_DICTIONARY",
        [TK_PARQUET_ENC_BYTE_STREAM_SPLIT] = "BYTE_STREAM_SPLIT",
    };
    bool known = encoding >= 0 && (size_t)encoding < TK_COUNTOF(names) && names[encoding];
    return known ? names[encoding] : "unknown";
}

size_t tk_parquet_width(const struct tk_parquet_node *node)
{
    return node->type == TK_PARQUET_FIXED ? node->fixed_bytes : types[node->type].width;
}

/* Whether values of the physical type can mean that. */
static bool type_fits(const struct tk_parquet_node *node)
{
    enum tk_parquet_type type = node->type;
    switch (node->logical) {
    case TK_PARQUET_STRING:
    case TK_PARQUET_ENUM:
    case TK_PARQUET_JSON:
    case TK_PARQUET_BSON:
        return type == TK_PARQUET_BYTES;
    case TK_PARQUET_UUID:
        return type == TK_PARQUET_FIXED && node->fixed_bytes == 16;
    case TK_PARQUET_FLOAT16:
        return type == TK_PARQUET_FIXED && node->fixed_bytes == 2;
    case TK_PARQUET_INTERVAL:
        return type == TK_PARQUET_FIXED && node->fixed_bytes == 12;
    case TK_PARQUET_DECIMAL:
        return type == TK_PARQUET_I32 || type == TK_PARQUET_I64 || type == TK_PARQUET_BYTES ||
               type == TK_PARQUET_FIXED;
    case TK_PARQUET_DATE:
    case TK_PARQUET_TIME_MS:
    case TK_PARQUET_INT8:
    case TK_PARQUET_INT16:
    case TK_PARQUET_INT32:
    case TK_PARQUET_UINT8:
    case TK_PARQUET_UINT16:
    case TK_PARQUET_UINT32:
        return type == TK_PARQUET_I32;
    case TK_PARQUET_TIME_US:
    case TK_PARQUET_TIME_NS:
    case TK_PARQUET_TIMESTAMP_MS:
    case TK_PARQUET_TIMESTAMP_US:
    case TK_PARQUET_TIMESTAMP_NS:
    case TK_PARQUET_INT64:
    case TK_PARQUET_UINT64:
        return type == TK_PARQUET_I64;
    case TK_PARQUET_LIST:
    case TK_PARQUET_MAP:
        return type == TK_PARQUET_GROUP;
    case TK_PARQUET_RAW:
    case TK_PARQUET_NULLS:
        break;
    }
    return true;
}

static int check_node(const struct tk_parquet_node *node, struct tk_err *err)
{
    if (!node->name || (size_t)node->type >= TK_COUNTOF(types))
        return tk_fail(err, -EINVAL, "a column without name or type");
    if ((node->type == TK_PARQUET_GROUP) != (node->children > 0))
        return tk_fail(err, -EINVAL, "column %s: %u children", node->name, node->children);
    if (node->type == TK_PARQUET_FIXED && node->fixed_bytes == 0)
        return tk_fail(err, -EINVAL, "column %s: its values have no length", node->name);
    if (!type_fits(node)) {
        return tk_fail(err, -EINVAL, "column %s: %s of type %s", node->name,
                       tk_parquet_logical_name(node->logical),
                       tk_parquet_type_name((int32_t)node->type));
    }
    return 0;
}

/* Where a walk over the nodes, depth first, stands. */
struct level {
    uint32_t left; /* children to come */
    uint8_t def, rep;
};

int tk_parquet_schema_init(struct tk_parquet_schema *schema, const struct tk_parquet_node *nodes,
                           size_t count, struct tk_arena *arena, struct tk_err *err)
{
    struct level levels[TK_PARQUET_DEPTH + 1] = {{.left = UINT32_MAX}};
    struct tk_parquet_leaf *leaves = tk_arena_alloc(arena, count * sizeof(*leaves));
    size_t depth = 0;
    *schema = (struct tk_parquet_schema){nodes, count, leaves, 0};
    if (!leaves)
        return tk_fail(err, -EMSGSIZE, "a schema of %zu columns is too large", count);
    for (size_t i = 0; i < count; i++) {
        const struct tk_parquet_node *node = &nodes[i];
        int rc = check_node(node, err);
        if (rc < 0)
            return rc;
        while (levels[depth].left == 0)
            depth--;
        levels[depth].left--;
        uint8_t def = (uint8_t)(levels[depth].def + (node->repetition != TK_PARQUET_REQUIRED));
        uint8_t rep = (uint8_t)(levels[depth].rep + (node->repetition == TK_PARQUET_REPEATED));
        if (node->type != TK_PARQUET_GROUP) {
            leaves[schema->leaf_count++] = (struct tk_parquet_leaf){i, def, rep};
            continue;
        }
        if (++depth >= TK_PARQUET_DEPTH) {
            return tk_fail(err, -EMSGSIZE, "column %s: more than %d levels deep", node->name,
                           TK_PARQUET_DEPTH);
        }
        levels[depth] = (struct level){node->children, def, rep};
    }
    while (depth > 0) {
        if (levels[depth--].left > 0)
            return tk_fail(err, -EINVAL, "the schema ends within a group");
    }
    return 0;
}

size_t tk_parquet_path(const struct tk_parquet_schema *schema, size_t node,
                       const char *ret_path[TK_PARQUET_DEPTH])
{
    uint32_t left[TK_PARQUET_DEPTH + 1] = {UINT32_MAX};
    size_t depth = 0;
    for (size_t i = 0; i <= node; i++) {
        while (left[depth] == 0)
            depth--;
        left[depth]--;
        ret_path[depth] = schema->nodes[i].name;
        if (schema->nodes[i].type == TK_PARQUET_GROUP && i < node)
            left[++depth] = schema->nodes[i].children;
    }
    return depth + 1;
}

static struct tk_parquet_logical_type logical_type(const struct tk_parquet_node *node)
{
    struct tk_parquet_logical_type type = {.set = 1ULL << logicals[node->logical].field};
    type.time = (struct tk_parquet_time){
        .set = 1U << 1 | 1U << 2,
        .is_adjusted_to_utc = !node->local,
        .unit.set = 1ULL << logicals[node->logical].unit,
    };
    type.integer = (struct tk_parquet_int_type){
        .set = 1U << 1 | 1U << 2,
        .bit_width = logicals[node->logical].bits,
        .is_signed = logicals[node->logical].is_signed,
    };
    type.decimal = (struct tk_parquet_decimal){1U << 1 | 1U << 2, node->scale, node->precision};
    return type;
}

static struct tk_parquet_schema_element element_of(const struct tk_parquet_node *node)
{
    struct tk_parquet_schema_element element = {
        .set = 1U << 3 | 1U << 4,
        .type = (int32_t)node->type,
        .type_length = (int32_t)node->fixed_bytes,
        .repetition_type = (int32_t)node->repetition,
        .name = tk_str_from(node->name),
        .num_children = (int32_t)node->children,
        .converted_type = logicals[node->logical].converted,
        .scale = node->scale,
        .precision = node->precision,
    };
    bool is_group = node->type == TK_PARQUET_GROUP;
    element.set |= is_group ? 1U << 5 : 1U << 1;
    element.set |= node->type == TK_PARQUET_FIXED ? 1U << 2 : 0;
    element.set |= node->logical == TK_PARQUET_DECIMAL ? 1U << 7 | 1U << 8 : 0;
    /* Old readers know times only as UTC. */
    if (element.converted_type >= 0 && !node->local)
        element.set |= 1U << 6;
    if (logicals[node->logical].field > 0) {
        element.set |= 1U << 10;
        element.logical = logical_type(node);
    }
    return element;
}

const struct tk_parquet_schema_element *
tk_parquet_schema_elements(const struct tk_parquet_schema *schema, struct tk_arena *arena)
{
    struct tk_parquet_schema_element *elements =
        tk_arena_alloc(arena, (schema->node_count + 1) * sizeof(*elements));
    if (!elements)
        return NULL;
    size_t top = schema->node_count; /* what is nobody's child */
    for (size_t i = 0; i < schema->node_count; i++) {
        top -= schema->nodes[i].children;
        elements[i + 1] = element_of(&schema->nodes[i]);
    }
    elements[0] = (struct tk_parquet_schema_element){
        .set = 1U << 4 | 1U << 5,
        .name = TK_STR("schema"),
        .num_children = (int32_t)top,
    };
    return elements;
}

/* Reading -------------------------------------------------------------------------------------- */

/* What a file's element means: by its LogicalType, or by the ConvertedType of old writers. */
static enum tk_parquet_logical logical_of(const struct tk_parquet_schema_element *element)
{
    const struct tk_parquet_logical_type *type = &element->logical;
    for (size_t i = TK_PARQUET_RAW + 1; i < TK_COUNTOF(logicals); i++) {
        if (!TK_PARQUET_HAS(element, 10) || logicals[i].field == 0 ||
            !TK_PARQUET_HAS(type, (unsigned)logicals[i].field))
            continue;
        if (logicals[i].unit > 0 && !TK_PARQUET_HAS(&type->time.unit, logicals[i].unit))
            continue;
        if (logicals[i].bits > 0 && (type->integer.bit_width != logicals[i].bits ||
                                     type->integer.is_signed != logicals[i].is_signed))
            continue;
        return (enum tk_parquet_logical)i;
    }
    for (size_t i = TK_PARQUET_RAW + 1; i < TK_COUNTOF(logicals); i++) {
        if (TK_PARQUET_HAS(element, 6) && logicals[i].converted == element->converted_type)
            return (enum tk_parquet_logical)i;
    }
    /* MAP_KEY_VALUE, which some put where MAP belongs. */
    return TK_PARQUET_HAS(element, 6) && element->converted_type == 2 ? TK_PARQUET_MAP
                                                                      : TK_PARQUET_RAW;
}

/* The name with a NUL at its end; NULL when it holds one, or the arena is full. */
static const char *copy_name(tk_str name, struct tk_arena *arena)
{
    if (name.n > 0 && memchr(name.p, 0, name.n))
        return NULL;
    char *copy = tk_arena_alloc(arena, name.n + 1);
    if (copy && name.n > 0)
        memcpy(copy, name.p, name.n);
    if (copy)
        copy[name.n] = 0;
    return copy;
}

static bool read_node(const struct tk_parquet_schema_element *element, struct tk_arena *arena,
                      struct tk_parquet_node *node)
{
    bool is_group = TK_PARQUET_HAS(element, 5) && element->num_children != 0;
    bool is_decimal = TK_PARQUET_HAS(&element->logical, 5);
    if ((!is_group && !TK_PARQUET_HAS(element, 1)) || element->type < 0 ||
        element->type >= TK_PARQUET_GROUP || element->num_children < 0 ||
        element->type_length < 0 || element->repetition_type < 0 || element->repetition_type > 2)
        return false;
    *node = (struct tk_parquet_node){
        .name = copy_name(element->name, arena),
        .type = is_group ? TK_PARQUET_GROUP : (enum tk_parquet_type)element->type,
        .repetition = (enum tk_parquet_repetition)element->repetition_type,
        .logical = logical_of(element),
        .children = (uint32_t)element->num_children,
        .precision = is_decimal ? element->logical.decimal.precision : element->precision,
        .scale = is_decimal ? element->logical.decimal.scale : element->scale,
        .local = TK_PARQUET_HAS(&element->logical, 8) && !element->logical.time.is_adjusted_to_utc,
    };
    if (node->type == TK_PARQUET_FIXED)
        node->fixed_bytes = (uint32_t)element->type_length;
    /* A meaning that does not fit is none: the values are there all the same. */
    if (!type_fits(node))
        node->logical = TK_PARQUET_RAW;
    return node->name != NULL;
}

int tk_parquet_schema_read(struct tk_parquet_schema *schema,
                           const struct tk_parquet_schema_element *elements, size_t count,
                           struct tk_arena *arena, struct tk_err *err)
{
    if (count == 0)
        return tk_fail(err, -EBADMSG, "a schema without a root");
    size_t n = count - 1;
    size_t children = 0;
    struct tk_parquet_node *nodes = tk_arena_alloc(arena, n * sizeof(*nodes));
    if (!nodes)
        return tk_fail(err, -EMSGSIZE, "a schema of %zu nodes is too large", n);
    for (size_t i = 0; i < n; i++) {
        if (!read_node(&elements[i + 1], arena, &nodes[i]))
            return tk_fail(err, -EBADMSG, "node %zu of the schema is damaged", i + 1);
        children += nodes[i].children;
    }
    if (children > n || (int64_t)(n - children) != elements[0].num_children) {
        return tk_fail(err, -EBADMSG, "the schema's root has %d children, not %zu",
                       (int)elements[0].num_children, n - children);
    }
    int rc = tk_parquet_schema_init(schema, nodes, n, arena, err);
    err->code = rc == -EINVAL ? -EBADMSG : rc;
    return err->code;
}
