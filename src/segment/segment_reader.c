/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a segment into a batch: column by column the values of the wanted rows (pick.h), then row
 * by row what they make together. Texts that many rows share, layouts and resources, are read
 * once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/number.h"
#include "segment/pick.h"
#include "segment/scope_text.h"

#define ARENA_BYTES ((size_t)8 << 30) /* of address space, likewise below */
#define OWN_BYTES   ((size_t)1 << 30)

#define FIRST_PROMOTED 256 /* token of the first promoted column; below: letters */

/* A layout, read. */
struct layout {
    const uint16_t *tokens;
    uint32_t n;
    bool is_read;
};

struct tk_segment_reader {
    struct tk_arena arena;
    struct tk_texts own; /* layouts, resources, kinds: texts that do not belong into the batch */
    struct tk_attr_coder coder;
    struct tk_buf text; /* scratch */

    /* Of the call at hand. */
    struct tk_segment_file *file;
    struct tk_span_batch *batch;
    struct tk_pick pick;
    uint32_t without;
    struct tk_picked plain[TK_COLUMN_COUNT];
    struct tk_picked_list lists[TK_COLUMN_COUNT];
    struct tk_picked *promoted; /* [file->spans.count] */
    struct layout *layouts;     /* [own.count] by text */
    uint32_t *keys;             /* [file->spans.count] texts of the batch */
    uint32_t *scope_of;         /* [n] of the batch, of each row */
};

int tk_segment_reader_new(struct tk_segment_reader **ret_reader, struct tk_err *err)
{
    struct tk_segment_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return tk_fail(err, -ENOMEM, "spans: out of memory");
    tk_buf_init(&reader->text, OWN_BYTES);
    int rc = tk_arena_init(&reader->arena, ARENA_BYTES, err);
    if (rc == 0)
        rc = tk_texts_init(&reader->own, OWN_BYTES, err);
    if (rc == 0)
        rc = tk_attr_coder_init(&reader->coder, err);
    if (rc < 0) {
        tk_segment_reader_free(reader);
        return rc;
    }
    *ret_reader = reader;
    return 0;
}

void tk_segment_reader_free(struct tk_segment_reader *reader)
{
    if (!reader)
        return;
    tk_arena_release(&reader->arena);
    tk_texts_release(&reader->own);
    tk_attr_coder_release(&reader->coder);
    tk_buf_release(&reader->text);
    free(reader);
}

static void *alloc(struct tk_segment_reader *reader, size_t count, size_t size, struct tk_err *err)
{
    void *p = tk_arena_alloc(&reader->arena, (count + 1) * size);
    if (!p)
        (void)tk_fail(err, -ENOMEM, "no memory for so many rows");
    return p;
}

/* Columns -------------------------------------------------------------------------------------- */

enum into { INTO_BATCH, INTO_OWN, INTO_LIST };

struct source {
    enum tk_column column;
    enum tk_pick_as as;
    enum into into;
    uint32_t without; /* not needed then */
};

static const struct source sources[] = {
    {TK_COLUMN_TRACE_ID, TK_PICK_TRACE_ID, INTO_OWN, 0},
    {TK_COLUMN_SPAN_ID, TK_PICK_SPAN_ID, INTO_OWN, 0},
    {TK_COLUMN_PARENT_SPAN_ID, TK_PICK_SPAN_ID, INTO_OWN, 0},
    {TK_COLUMN_NAME, TK_PICK_TEXT, INTO_BATCH, 0},
    {TK_COLUMN_KIND, TK_PICK_TEXT, INTO_OWN, 0},
    {TK_COLUMN_STATUS, TK_PICK_TEXT, INTO_OWN, 0},
    {TK_COLUMN_STATUS_MESSAGE, TK_PICK_TEXT, INTO_BATCH, 0},
    {TK_COLUMN_START_NS, TK_PICK_TEXT, INTO_OWN, 0},
    {TK_COLUMN_DURATION_NS, TK_PICK_TEXT, INTO_OWN, 0},
    {TK_COLUMN_TRACE_STATE, TK_PICK_TEXT, INTO_BATCH, 0},
    {TK_COLUMN_FLAGS, TK_PICK_TEXT, INTO_OWN, 0},
    {TK_COLUMN_SCOPE_NAME, TK_PICK_TEXT, INTO_BATCH, 0},
    {TK_COLUMN_SCOPE_VERSION, TK_PICK_TEXT, INTO_BATCH, 0},
    {TK_COLUMN_RESOURCE, TK_PICK_TEXT, INTO_OWN, 0},
    {TK_COLUMN_RESOURCE_MORE, TK_PICK_TEXT, INTO_OWN, 0},
    {TK_COLUMN_SCOPE_MORE, TK_PICK_TEXT, INTO_OWN, 0},
    {TK_COLUMN_DROPPED_ATTRS, TK_PICK_TEXT, INTO_OWN, 0},
    {TK_COLUMN_DROPPED_EVENTS, TK_PICK_TEXT, INTO_OWN, 0},
    {TK_COLUMN_DROPPED_LINKS, TK_PICK_TEXT, INTO_OWN, 0},
    {TK_COLUMN_LAYOUT, TK_PICK_TEXT, INTO_OWN, TK_WITHOUT_ATTRS},
    {TK_COLUMN_ATTRS_KEY, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_ATTRS},
    {TK_COLUMN_ATTRS_VALUE, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_ATTRS},
    {TK_COLUMN_EVENT_TIME_NS, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_EVENTS},
    {TK_COLUMN_EVENT_NAME, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_EVENTS},
    {TK_COLUMN_EVENT_KEY, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_EVENTS},
    {TK_COLUMN_EVENT_VALUE, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_EVENTS},
    {TK_COLUMN_EVENT_TYPES, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_EVENTS},
    {TK_COLUMN_EVENT_DROPPED, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_EVENTS},
    {TK_COLUMN_LINK_TRACE_ID, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_LINKS},
    {TK_COLUMN_LINK_SPAN_ID, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_LINKS},
    {TK_COLUMN_LINK_TRACE_STATE, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_LINKS},
    {TK_COLUMN_LINK_FLAGS, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_LINKS},
    {TK_COLUMN_LINK_KEY, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_LINKS},
    {TK_COLUMN_LINK_VALUE, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_LINKS},
    {TK_COLUMN_LINK_TYPES, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_LINKS},
    {TK_COLUMN_LINK_DROPPED, TK_PICK_TEXT, INTO_LIST, TK_WITHOUT_LINKS},
};

/* Lists of ids and of values that are decoded further: their texts stay out of the batch. */
static bool is_own_list(enum tk_column column)
{
    return column == TK_COLUMN_LINK_TRACE_ID || column == TK_COLUMN_LINK_SPAN_ID ||
           column == TK_COLUMN_EVENT_TYPES || column == TK_COLUMN_LINK_TYPES ||
           column == TK_COLUMN_EVENT_VALUE || column == TK_COLUMN_LINK_VALUE ||
           column == TK_COLUMN_ATTRS_VALUE;
}

static int pick_columns(struct tk_segment_reader *reader, struct tk_err *err)
{
    int rc = 0;
    memset(reader->plain, 0, sizeof(reader->plain));
    memset(reader->lists, 0, sizeof(reader->lists));
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(sources); i++) {
        const struct source *source = &sources[i];
        bool own = source->into == INTO_OWN || is_own_list(source->column);
        struct tk_texts *texts = own ? &reader->own : &reader->batch->texts;
        if (source->without & reader->without)
            continue;
        if (source->into == INTO_LIST) {
            rc = tk_pick_list(&reader->pick, source->column, texts, &reader->lists[source->column],
                              err);
        } else {
            rc = tk_pick_flat(&reader->pick, source->column, source->as, texts,
                              &reader->plain[source->column], err);
        }
    }
    const struct tk_segment_attrs *attrs = &reader->file->spans;
    reader->promoted = alloc(reader, attrs->count, sizeof(*reader->promoted), err);
    if (rc < 0 || !reader->promoted)
        return rc < 0 ? rc : err->code;
    for (size_t i = 0; rc == 0 && i < attrs->count; i++) {
        if (!(reader->without & TK_WITHOUT_ATTRS)) {
            rc = tk_pick_flat(&reader->pick, attrs->items[i].leaf, TK_PICK_TEXT,
                              &reader->batch->texts, &reader->promoted[i], err);
        }
    }
    return rc;
}

/* The number of the text in a column of texts; 0, the empty one, of null. */
static uint32_t id_at(const struct tk_picked *picked, size_t i)
{
    return picked->there && picked->there[i] ? picked->ids[i] : 0;
}

static int64_t number_at(const struct tk_picked *picked, size_t i)
{
    return picked->there && picked->there[i] ? picked->i64[i] : 0;
}

/* Scopes --------------------------------------------------------------------------------------- */

/* What makes a scope of the batch. */
struct scope_key {
    uint32_t resource, resource_more; /* own texts; 0 = null */
    uint32_t name, version;           /* of the batch */
    uint32_t more;
};

struct known_scope {
    struct scope_key key;
    uint32_t scope;
};

static int make_scope(struct tk_segment_reader *reader, const struct scope_key *key,
                      const struct known_scope *known, size_t n, uint32_t *ret_scope,
                      struct tk_err *err)
{
    struct tk_span_scope scope = {
        .resource = UINT32_MAX, .name = key->name, .version = key->version};
    for (size_t i = 0; i < n && scope.resource == UINT32_MAX; i++) {
        if (known[i].key.resource == key->resource &&
            known[i].key.resource_more == key->resource_more)
            scope.resource = reader->batch->scopes[known[i].scope].resource;
    }
    int rc = 0;
    if (scope.resource == UINT32_MAX) {
        tk_str more = {NULL, 0};
        if (key->resource_more != 0)
            more = tk_texts_get(&reader->own, key->resource_more);
        rc = tk_resource_read(&reader->coder, tk_texts_get(&reader->own, key->resource), more,
                              reader->batch, &scope.resource, err);
    }
    if (rc == 0 && key->more != 0) {
        rc = tk_scope_read_more(&reader->coder, tk_texts_get(&reader->own, key->more),
                                reader->batch, &scope, err);
    }
    if (rc < 0)
        return rc;
    uint32_t at = tk_span_batch_add_scope(reader->batch, &scope);
    if (at == UINT32_MAX)
        return tk_fail(err, -ENOBUFS, "no room for a scope");
    *ret_scope = at;
    return 0;
}

static uint64_t hash_scope(const struct scope_key *key)
{
    uint64_t hash = (uint64_t)key->resource << 32 | key->name;
    hash = (hash ^ hash >> 29) * 0x9E3779B97F4A7C15ULL;
    hash ^= (uint64_t)key->resource_more << 32 | key->version;
    hash = (hash ^ hash >> 31) * 0xFF51AFD7ED558CCDULL;
    return hash ^ key->more;
}

/* Find the scope of each picked row in the batch, made when it is new. */
static int find_scopes(struct tk_segment_reader *reader, struct tk_err *err)
{
    size_t n = reader->pick.n;
    TK_CLEANUP(tk_map_release) struct tk_map map = {0};
    struct known_scope *known = alloc(reader, n, sizeof(*known), err);
    reader->scope_of = alloc(reader, n, sizeof(*reader->scope_of), err);
    if (!known || !reader->scope_of)
        return err->code;
    size_t count = 0;
    uint32_t at = 0;
    for (size_t i = 0; i < n; i++) {
        struct scope_key key = {
            id_at(&reader->plain[TK_COLUMN_RESOURCE], i),
            id_at(&reader->plain[TK_COLUMN_RESOURCE_MORE], i),
            id_at(&reader->plain[TK_COLUMN_SCOPE_NAME], i),
            id_at(&reader->plain[TK_COLUMN_SCOPE_VERSION], i),
            id_at(&reader->plain[TK_COLUMN_SCOPE_MORE], i),
        };
        uint64_t hash = hash_scope(&key);
        bool is_known = count > 0 && memcmp(&known[at].key, &key, sizeof(key)) == 0;
        while (!is_known && tk_map_find(&map, hash, &at)) {
            is_known = memcmp(&known[at].key, &key, sizeof(key)) == 0;
            hash++;
        }
        if (!is_known) {
            known[count].key = key;
            int rc = make_scope(reader, &key, known, count, &known[count].scope, err);
            if (rc < 0 || tk_map_add(&map, hash, (uint32_t)count) < 0)
                return rc < 0 ? rc : tk_fail(err, -ENOMEM, "scopes: out of memory");
            at = (uint32_t)count++;
        }
        reader->scope_of[i] = known[at].scope;
    }
    return 0;
}

/* Layouts -------------------------------------------------------------------------------------- */

/* Digits and a point are a column, a letter an entry of the map. */
static int read_layout(struct tk_segment_reader *reader, uint32_t text, struct tk_err *err)
{
    tk_str rest = tk_texts_get(&reader->own, text);
    uint16_t *tokens = alloc(reader, rest.n, sizeof(*tokens), err);
    if (!tokens)
        return err->code;
    uint32_t n = 0;
    while (rest.n > 0) {
        uint64_t number = 0;
        if (!tk_is_digit(rest.p[0])) {
            tokens[n++] = (uint8_t)rest.p[0];
            rest = (tk_str){rest.p + 1, rest.n - 1};
            continue;
        }
        if (!tk_scan_u64(&rest, &number) || number >= reader->file->spans.count ||
            !tk_str_take_prefix(&rest, TK_STR(".")))
            return tk_fail(err, -EBADMSG, "a layout names a column that is not there");
        tokens[n++] = (uint16_t)(FIRST_PROMOTED + number);
    }
    reader->layouts[text] = (struct layout){tokens, n, true};
    return 0;
}

/* Rows ----------------------------------------------------------------------------------------- */

/* Values of a list that belong to a row. */
static uint32_t begin_of(const uint32_t *ends, size_t i)
{
    return i > 0 ? ends[i - 1] : 0;
}

/* The value of row `i` in a column of its own. -EBADMSG. */
static int read_promoted(const struct tk_segment_reader *reader, size_t number, size_t i,
                         struct tk_attr *ret_attr)
{
    const struct tk_picked *picked = &reader->promoted[number];
    if (!picked->there || !picked->there[i])
        return -EBADMSG;
    struct tk_attr attr = {.key = reader->keys[number],
                           .type = reader->file->spans.items[number].type};
    attr.i64 = attr.type == TK_ATTR_STRING ? picked->ids[i] : picked->i64[i];
    *ret_attr = attr;
    return 0;
}

/* The next of the other values of row `i`; `*next` counts them. -EBADMSG. */
static int read_listed(struct tk_segment_reader *reader, size_t i, char type, uint32_t *next,
                       struct tk_attr *ret_attr, struct tk_err *err)
{
    const struct tk_picked_list *keys = &reader->lists[TK_COLUMN_ATTRS_KEY];
    const struct tk_picked_list *values = &reader->lists[TK_COLUMN_ATTRS_VALUE];
    if (!keys->ends || !values->ends || *next >= keys->value_ends[i] ||
        *next >= values->value_ends[i])
        return tk_fail(err, -EBADMSG, "a layout names a value that is not there");
    ret_attr->key = keys->ids[*next];
    return tk_attr_text_read(&reader->coder, type,
                             tk_texts_get(&reader->own, values->ids[(*next)++]),
                             &reader->batch->texts, ret_attr, err);
}

static int add_attrs(struct tk_segment_reader *reader, size_t i, struct tk_err *err)
{
    const struct tk_picked *column = &reader->plain[TK_COLUMN_LAYOUT];
    const struct tk_picked_list *keys = &reader->lists[TK_COLUMN_ATTRS_KEY];
    if (!column->there || !column->there[i])
        return 0;
    uint32_t text = column->ids[i];
    if (!reader->layouts[text].is_read && read_layout(reader, text, err) < 0)
        return err->code;
    const struct layout *layout = &reader->layouts[text];
    uint32_t next = keys->ends ? begin_of(keys->value_ends, i) : 0;
    for (uint32_t k = 0; k < layout->n; k++) {
        struct tk_attr attr = {0};
        uint16_t token = layout->tokens[k];
        int rc = 0;
        if (token < FIRST_PROMOTED) {
            rc = read_listed(reader, i, (char)token, &next, &attr, err);
        } else if (read_promoted(reader, token - FIRST_PROMOTED, i, &attr) < 0) {
            rc = tk_fail(err, -EBADMSG, "a layout names a value that is not there");
        }
        if (rc == 0)
            rc = tk_span_batch_add_attr(reader->batch, &attr);
        if (rc < 0)
            return rc == -ENOBUFS ? tk_fail(err, rc, "no room for attributes") : rc;
    }
    return 0;
}

/* Where the next item of a list stands: entry and value of each of its columns. */
struct place {
    uint32_t entry, value;
};

static struct place place_of(const struct tk_picked_list *list, size_t i)
{
    return list->ends ? (struct place){begin_of(list->ends, i), begin_of(list->value_ends, i)}
                      : (struct place){0, 0};
}

/* The attributes of an item: the columns of its keys, values, types and dropped counts, which stand
 * next to each other from `column` on. */
struct holder {
    enum tk_column column;
    struct place keys, types, dropped;
};

static struct holder holder_of(const struct tk_segment_reader *reader, enum tk_column column,
                               size_t i)
{
    return (struct holder){column, place_of(&reader->lists[column], i),
                           place_of(&reader->lists[column + 2], i),
                           place_of(&reader->lists[column + 3], i)};
}

/* An optional field of the next item: the place of its value, or none. */
static bool take_field(const struct tk_picked_list *list, struct place *place, size_t i,
                       uint32_t *ret_value)
{
    if (!list->ends || place->entry >= list->ends[i])
        return false;
    bool has_value = list->def[place->entry++] == 3;
    *ret_value = place->value;
    place->value += has_value;
    return has_value;
}

static int take_holder(struct tk_segment_reader *reader, struct holder *holder, size_t i,
                       struct tk_attr_range *ret_range, struct tk_err *err)
{
    const struct tk_picked_list *keys = &reader->lists[holder->column];
    const struct tk_picked_list *values = &reader->lists[holder->column + 1];
    const struct tk_picked_list *types = &reader->lists[holder->column + 2];
    const struct tk_picked_list *dropped = &reader->lists[holder->column + 3];
    struct tk_attr_range range = {0};
    tk_str letters = {NULL, 0};
    uint32_t at;
    if (take_field(types, &holder->types, i, &at))
        letters = tk_texts_get(&reader->own, types->ids[at]);
    if (take_field(dropped, &holder->dropped, i, &at))
        range.dropped = (uint32_t)dropped->i64[at];
    bool is_first = true;
    while (keys->ends && holder->keys.entry < keys->ends[i] &&
           (is_first || keys->rep[holder->keys.entry] == 2)) {
        is_first = false;
        if (keys->def[holder->keys.entry++] != 4)
            continue;
        struct tk_attr attr = {.key = keys->ids[holder->keys.value]};
        if (!values->ends || holder->keys.value >= values->value_ends[i])
            return tk_fail(err, -EBADMSG, "an attribute has no value");
        char letter = 's';
        if (range.n < letters.n)
            letter = letters.p[range.n];
        int rc = tk_attr_text_read(&reader->coder, letter,
                                   tk_texts_get(&reader->own, values->ids[holder->keys.value++]),
                                   &reader->batch->texts, &attr, err);
        if (rc < 0)
            return rc;
        uint32_t side = tk_span_batch_add_side_attr(reader->batch, &attr);
        if (side == UINT32_MAX)
            return tk_fail(err, -ENOBUFS, "no room for attributes");
        range.begin = range.n == 0 ? side : range.begin;
        range.n++;
    }
    *ret_range = range;
    return 0;
}

static int add_events(struct tk_segment_reader *reader, size_t i, struct tk_err *err)
{
    const struct tk_picked_list *times = &reader->lists[TK_COLUMN_EVENT_TIME_NS];
    const struct tk_picked_list *names = &reader->lists[TK_COLUMN_EVENT_NAME];
    if (!times->ends || !names->ends)
        return 0;
    struct holder holder = holder_of(reader, TK_COLUMN_EVENT_KEY, i);
    uint32_t name = begin_of(names->value_ends, i);
    int rc = 0;
    for (uint32_t at = begin_of(times->value_ends, i); rc == 0 && at < times->value_ends[i];
         at++, name++) {
        if (name >= names->value_ends[i])
            return tk_fail(err, -EBADMSG, "an event has no name");
        struct tk_span_event event = {.time_ns = times->i64[at], .name = names->ids[name]};
        rc = take_holder(reader, &holder, i, &event.attrs, err);
        if (rc == 0 && (rc = tk_span_batch_add_event(reader->batch, &event)) < 0)
            rc = tk_fail(err, rc, "no room for events");
    }
    return rc;
}

static bool read_id(tk_str hex, uint8_t *to, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        int high = hex.n == 2 * bytes ? tk_hex_value(hex.p[2 * i]) : -1;
        int low = hex.n == 2 * bytes ? tk_hex_value(hex.p[2 * i + 1]) : -1;
        if (high < 0 || low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static int add_links(struct tk_segment_reader *reader, size_t i, struct tk_err *err)
{
    const struct tk_picked_list *traces = &reader->lists[TK_COLUMN_LINK_TRACE_ID];
    const struct tk_picked_list *spans = &reader->lists[TK_COLUMN_LINK_SPAN_ID];
    const struct tk_picked_list *states = &reader->lists[TK_COLUMN_LINK_TRACE_STATE];
    const struct tk_picked_list *flags = &reader->lists[TK_COLUMN_LINK_FLAGS];
    if (!traces->ends || !spans->ends || !flags->ends)
        return 0;
    struct holder holder = holder_of(reader, TK_COLUMN_LINK_KEY, i);
    struct place state = place_of(states, i);
    uint32_t n = traces->value_ends[i] - begin_of(traces->value_ends, i);
    uint32_t from[3] = {begin_of(traces->value_ends, i), begin_of(spans->value_ends, i),
                        begin_of(flags->value_ends, i)};
    if (spans->value_ends[i] - from[1] != n || flags->value_ends[i] - from[2] != n)
        return tk_fail(err, -EBADMSG, "a link is not whole");
    int rc = 0;
    for (uint32_t k = 0; rc == 0 && k < n; k++) {
        struct tk_span_link link = {.flags = (uint32_t)flags->i64[from[2] + k]};
        uint8_t span[8];
        uint32_t at;
        if (!read_id(tk_texts_get(&reader->own, traces->ids[from[0] + k]), link.trace_id, 16) ||
            !read_id(tk_texts_get(&reader->own, spans->ids[from[1] + k]), span, 8))
            return tk_fail(err, -EBADMSG, "the id of a link is none");
        memcpy(&link.span_id, span, sizeof(span));
        if (take_field(states, &state, i, &at))
            link.trace_state = states->ids[at];
        rc = take_holder(reader, &holder, i, &link.attrs, err);
        if (rc == 0 && (rc = tk_span_batch_add_link(reader->batch, &link)) < 0)
            rc = tk_fail(err, rc, "no room for links");
    }
    return rc;
}

/* The number that a name stands for; digits where there is none. */
static int read_name(tk_str text, const tk_str *names, size_t n, uint8_t *ret, struct tk_err *err)
{
    uint64_t number;
    for (size_t i = 0; i < n; i++) {
        if (tk_str_eq(text, names[i])) {
            *ret = (uint8_t)i;
            return 0;
        }
    }
    if (!tk_parse_u64(text, &number) || number > UINT8_MAX)
        return tk_fail(err, -EBADMSG, "'%.*s' is no kind or status", TK_STR_ARG(text));
    *ret = (uint8_t)number;
    return 0;
}

static int set_plain(struct tk_segment_reader *reader, size_t i, struct tk_err *err)
{
    struct tk_span_batch *batch = reader->batch;
    const struct tk_picked *plain = reader->plain;
    size_t row = batch->rows - 1;
    if (!plain[TK_COLUMN_TRACE_ID].there || !plain[TK_COLUMN_SPAN_ID].there)
        return tk_fail(err, -EBADMSG, "rows without ids");
    memcpy(batch->trace_ids[row], plain[TK_COLUMN_TRACE_ID].traces[i], 16);
    batch->span_ids[row] = plain[TK_COLUMN_SPAN_ID].spans[i];
    if (plain[TK_COLUMN_PARENT_SPAN_ID].there)
        batch->parent_ids[row] = plain[TK_COLUMN_PARENT_SPAN_ID].spans[i];
    batch->start_ns[row] = number_at(&plain[TK_COLUMN_START_NS], i);
    batch->duration_ns[row] = number_at(&plain[TK_COLUMN_DURATION_NS], i);
    batch->names[row] = id_at(&plain[TK_COLUMN_NAME], i);
    batch->messages[row] = id_at(&plain[TK_COLUMN_STATUS_MESSAGE], i);
    batch->trace_states[row] = id_at(&plain[TK_COLUMN_TRACE_STATE], i);
    batch->flags[row] = (uint32_t)number_at(&plain[TK_COLUMN_FLAGS], i);
    batch->dropped_attrs[row] = (uint32_t)number_at(&plain[TK_COLUMN_DROPPED_ATTRS], i);
    batch->dropped_events[row] = (uint32_t)number_at(&plain[TK_COLUMN_DROPPED_EVENTS], i);
    batch->dropped_links[row] = (uint32_t)number_at(&plain[TK_COLUMN_DROPPED_LINKS], i);
    batch->scope_ids[row] = reader->scope_of[i];
    int rc = read_name(tk_texts_get(&reader->own, id_at(&plain[TK_COLUMN_KIND], i)), tk_kind_texts,
                       TK_SPAN_KIND_COUNT, &batch->kinds[row], err);
    if (rc < 0)
        return rc;
    return read_name(tk_texts_get(&reader->own, id_at(&plain[TK_COLUMN_STATUS], i)),
                     tk_status_texts, TK_SPAN_STATUS_COUNT, &batch->statuses[row], err);
}

/* Append row `i` of the picked; the batch is as before when that fails. */
static int add_row(struct tk_segment_reader *reader, size_t i, struct tk_err *err)
{
    struct tk_span_batch *batch = reader->batch;
    struct tk_span_mark mark = tk_span_batch_mark(batch);
    int rc = tk_span_batch_begin(batch);
    if (rc < 0)
        return tk_fail(err, rc, "no room for rows");
    rc = set_plain(reader, i, err);
    if (rc == 0)
        rc = add_attrs(reader, i, err);
    if (rc == 0)
        rc = add_events(reader, i, err);
    if (rc == 0)
        rc = add_links(reader, i, err);
    if (rc == 0 && (rc = tk_span_batch_end(batch)) < 0)
        return tk_fail(err, rc, "no room for texts");
    if (rc < 0)
        tk_span_batch_rewind(batch, &mark);
    return rc;
}

static int begin(struct tk_segment_reader *reader, struct tk_err *err)
{
    const struct tk_segment_attrs *attrs = &reader->file->spans;
    reader->layouts = alloc(reader, reader->own.count, sizeof(*reader->layouts), err);
    reader->keys = alloc(reader, attrs->count, sizeof(*reader->keys), err);
    if (!reader->layouts || !reader->keys)
        return err->code;
    memset(reader->layouts, 0, reader->own.count * sizeof(*reader->layouts));
    for (size_t i = 0; i < attrs->count; i++) {
        reader->keys[i] = tk_texts_add(&reader->batch->texts, attrs->items[i].key);
        if (reader->keys[i] == TK_TEXTS_NONE)
            return tk_fail(err, -ENOBUFS, "no room for texts");
    }
    return find_scopes(reader, err);
}

int tk_segment_reader_read(struct tk_segment_reader *reader, const struct tk_segment_rows *rows,
                           struct tk_span_batch *batch, size_t *ret_added, struct tk_err *err)
{
    tk_arena_reset(&reader->arena);
    tk_texts_reset(&reader->own);
    reader->file = rows->file;
    reader->batch = batch;
    reader->without = rows->without;
    size_t room = batch->max_rows - batch->rows;
    TK_CLEANUP(tk_parquet_cursor_freep) struct tk_parquet_cursor *cursor = NULL;
    reader->pick = (struct tk_pick){rows->file->parquet, rows->group,
                                    rows->rows,          rows->n < room ? rows->n : room,
                                    &reader->arena,      &cursor};
    int rc = pick_columns(reader, err);
    if (rc == 0)
        rc = begin(reader, err);
    size_t added = 0;
    while (rc == 0 && added < reader->pick.n) {
        rc = add_row(reader, added, err);
        added += rc == 0;
    }
    if (rc == -ENOBUFS && added > 0)
        rc = 0;
    if (rc == 0 && added == 0 && rows->n > 0)
        rc = tk_fail(err, -ENOBUFS, "no room for rows");
    if (rc == 0)
        *ret_added = added;
    return rc;
}
