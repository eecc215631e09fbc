/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/pick.h"

#include <errno.h>
#include <string.h>

#include "base/number.h"

#define NOT_YET UINT32_MAX /* beside an index of the dictionary: its text was not asked for */

/* A column whose rows pass by. */
struct passing {
    const struct tk_pick *pick;
    const struct tk_parquet_leaf *leaf;
    enum tk_parquet_type type;
    struct tk_parquet_cursor *cursor; /* borrowed */
    const struct tk_parquet_page_location *pages;
    size_t page_count;
    size_t page;  /* whose rows come */
    uint64_t row; /* of the next entry that begins a row */

    uint8_t *there; /* [picked] of a flat column */

    /* Texts of the dictionary, turned into what is wanted as they are met. */
    enum tk_pick_as as;
    struct tk_texts *texts;
    const tk_str *dictionary;
    size_t dictionary_count;
    uint32_t *dictionary_ids;
};

static int no_room(struct tk_err *err)
{
    return tk_fail(err, -ENOMEM, "no memory for so many rows");
}

static void *alloc(const struct tk_pick *pick, size_t count, size_t size)
{
    return tk_arena_alloc(pick->arena, (count + 1) * size);
}

/* Statistics say that there is no value at all. */
static bool is_all_null(const struct tk_pick *pick, size_t leaf)
{
    const struct tk_parquet_column_meta *meta =
        &tk_parquet_file_meta(pick->parquet)->row_groups[pick->group].columns[leaf].meta;
    return TK_PARQUET_HAS(meta, 12) && TK_PARQUET_HAS(&meta->statistics, 3) &&
           meta->statistics.null_count == meta->num_values;
}

static int open_dictionary(struct passing *passing, struct tk_err *err)
{
    const void *values = NULL;
    int rc =
        tk_parquet_cursor_dictionary(passing->cursor, &values, &passing->dictionary_count, err);
    if (rc < 0 || passing->dictionary_count == 0)
        return rc;
    passing->dictionary = values;
    passing->dictionary_ids =
        alloc(passing->pick, passing->dictionary_count, sizeof(*passing->dictionary_ids));
    if (!passing->dictionary_ids)
        return no_room(err);
    memset(passing->dictionary_ids, 0xFF,
           passing->dictionary_count * sizeof(*passing->dictionary_ids));
    return 0;
}

static int open_column(struct passing *passing, size_t leaf, struct tk_err *err)
{
    const struct tk_pick *pick = passing->pick;
    struct tk_parquet_offset_index offsets;
    size_t count;
    passing->leaf = &tk_parquet_file_leaves(pick->parquet, &count)[leaf];
    passing->type = tk_parquet_file_nodes(pick->parquet, &count)[passing->leaf->node].type;
    int rc = tk_parquet_file_offsets(pick->parquet, pick->group, leaf, pick->arena, &offsets, err);
    if (rc == 0) {
        rc = *pick->cursor
                 ? tk_parquet_cursor_move(*pick->cursor, pick->parquet, pick->group, leaf, err)
                 : tk_parquet_cursor_new(pick->parquet, pick->group, leaf, pick->cursor, err);
    }
    if (rc < 0)
        return rc;
    passing->cursor = *pick->cursor;
    passing->pages = offsets.page_locations;
    passing->page_count = offsets.page_count;
    passing->page = SIZE_MAX;
    if (passing->type != TK_PARQUET_BYTES)
        return 0;
    tk_parquet_cursor_use_indices(passing->cursor);
    return open_dictionary(passing, err);
}

/* Leave out the pages before the one that has `row`. */
static int skip_to(struct passing *passing, uint64_t row, struct tk_err *err)
{
    size_t page = passing->page == SIZE_MAX ? 0 : passing->page;
    if (passing->page_count == 0)
        return 0;
    while (page + 1 < passing->page_count &&
           (uint64_t)passing->pages[page + 1].first_row_index <= row)
        page++;
    if (page == passing->page || (passing->page == SIZE_MAX && page == 0 && passing->row == 0)) {
        passing->page = page;
        return 0;
    }
    passing->page = page;
    passing->row = (uint64_t)passing->pages[page].first_row_index;
    return tk_parquet_cursor_seek(passing->cursor, &passing->pages[page], err);
}

/* The number of the text with index `i` of the dictionary. */
static inline uint32_t dictionary_id(struct passing *passing, uint32_t i)
{
    if (passing->dictionary_ids[i] == NOT_YET)
        passing->dictionary_ids[i] = tk_texts_add(passing->texts, passing->dictionary[i]);
    return passing->dictionary_ids[i];
}

static uint32_t text_id(struct passing *passing, const struct tk_parquet_entries *entries, size_t v)
{
    if (entries->indices)
        return dictionary_id(passing, entries->indices[v]);
    return tk_texts_add(passing->texts, ((const tk_str *)entries->values)[v]);
}

static bool read_hex(tk_str text, uint8_t *to, size_t bytes)
{
    if (text.n != 2 * bytes)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        int high = tk_hex_value(text.p[2 * i]);
        int low = tk_hex_value(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Flat columns --------------------------------------------------------------------------------- */

static int flat_init(struct passing *passing, struct tk_picked *to, struct tk_err *err)
{
    size_t n = passing->pick->n;
    bool has_room = false;
    if (passing->type != TK_PARQUET_BYTES) {
        to->i64 = alloc(passing->pick, n, sizeof(*to->i64));
        has_room = to->i64 != NULL;
    } else if (passing->as == TK_PICK_TEXT) {
        to->ids = alloc(passing->pick, n, sizeof(*to->ids));
        has_room = to->ids != NULL;
    } else if (passing->as == TK_PICK_TRACE_ID) {
        to->traces = alloc(passing->pick, n, sizeof(*to->traces));
        has_room = to->traces != NULL;
    } else {
        to->spans = alloc(passing->pick, n, sizeof(*to->spans));
        has_room = to->spans != NULL;
        if (has_room)
            memset(to->spans, 0, n * sizeof(*to->spans));
    }
    return has_room ? 0 : no_room(err);
}

/* Value `v` of the entries becomes value `i` of the picked. */
static int set_flat(struct passing *passing, const struct tk_parquet_entries *entries, size_t v,
                    struct tk_picked *to, size_t i, struct tk_err *err)
{
    bool is_good = true;
    tk_str text = {NULL, 0};
    if (passing->type == TK_PARQUET_BYTES && passing->as != TK_PICK_TEXT) {
        text = entries->indices ? passing->dictionary[entries->indices[v]]
                                : ((const tk_str *)entries->values)[v];
    }
    if (passing->type == TK_PARQUET_BOOL) {
        to->i64[i] = ((const bool *)entries->values)[v];
    } else if (passing->type != TK_PARQUET_BYTES) {
        to->i64[i] = ((const int64_t *)entries->values)[v];
    } else if (passing->as == TK_PICK_TEXT) {
        to->ids[i] = text_id(passing, entries, v);
        if (to->ids[i] == TK_TEXTS_NONE)
            return tk_fail(err, -ENOBUFS, "no room for texts");
    } else if (passing->as == TK_PICK_TRACE_ID) {
        is_good = read_hex(text, to->traces[i], 16);
    } else {
        is_good = read_hex(text, (uint8_t *)&to->spans[i], 8);
    }
    return is_good ? 0 : tk_fail(err, -EBADMSG, "'%.*s' is no id", TK_STR_ARG(text));
}

/* Take the wanted ones of some entries, which begin with passing->row; `*i` counts the picked. */
static int take_flat(struct passing *passing, const struct tk_parquet_entries *entries,
                     struct tk_picked *to, size_t *i, struct tk_err *err)
{
    uint64_t first = passing->row;
    const struct tk_pick *pick = passing->pick;
    size_t v = 0;
    size_t e = 0;
    int rc = 0;
    for (; rc == 0 && *i < pick->n && pick->rows[*i] < first + entries->n; ++*i) {
        size_t wanted = (size_t)(pick->rows[*i] - first);
        if (!entries->def) {
            v = wanted;
        }
        for (; entries->def && e < wanted; e++)
            v += entries->def[e] == passing->leaf->max_def;
        passing->there[*i] = !entries->def || entries->def[wanted] == passing->leaf->max_def;
        if (passing->there[*i])
            rc = set_flat(passing, entries, v, to, *i, err);
    }
    return rc;
}

int tk_pick_flat(const struct tk_pick *pick, size_t leaf, enum tk_pick_as as,
                 struct tk_texts *texts, struct tk_picked *ret, struct tk_err *err)
{
    struct passing passing = {.pick = pick, .as = as, .texts = texts};
    *ret = (struct tk_picked){0};
    if (is_all_null(pick, leaf))
        return 0;
    int rc = open_column(&passing, leaf, err);
    if (rc == 0)
        rc = flat_init(&passing, ret, err);
    passing.there = alloc(pick, pick->n, 1);
    if (rc < 0 || !passing.there)
        return rc < 0 ? rc : no_room(err);
    for (size_t i = 0; i < pick->n;) {
        struct tk_parquet_entries entries;
        if (pick->rows[i] >= passing.row)
            rc = skip_to(&passing, pick->rows[i], err);
        if (rc < 0)
            return rc;
        rc = tk_parquet_cursor_next(passing.cursor, &entries, err);
        if (rc == 1)
            return tk_fail(err, -EBADMSG, "a column ends before its rows do");
        if (rc < 0)
            return rc;
        rc = take_flat(&passing, &entries, ret, &i, err);
        if (rc < 0)
            return rc;
        passing.row += entries.n;
    }
    ret->there = passing.there;
    return 0;
}

/* Repeated columns ----------------------------------------------------------------------------- */

/* What grows as entries are taken. */
struct growing {
    struct tk_buf def, rep, values;
    uint32_t *ends, *value_ends;
};

static void growing_release(struct growing *growing)
{
    tk_buf_release(&growing->def);
    tk_buf_release(&growing->rep);
    tk_buf_release(&growing->values);
}

static int put_value(struct passing *passing, const struct tk_parquet_entries *entries, size_t v,
                     struct growing *to, struct tk_err *err)
{
    if (passing->type != TK_PARQUET_BYTES) {
        tk_buf_put(&to->values,
                   (tk_str){(const char *)&((const int64_t *)entries->values)[v], sizeof(int64_t)});
        return 0;
    }
    uint32_t id = text_id(passing, entries, v);
    tk_buf_put(&to->values, (tk_str){(const char *)&id, sizeof(id)});
    return id == TK_TEXTS_NONE ? tk_fail(err, -ENOBUFS, "no room for texts") : 0;
}

/* Take the wanted ones of some entries; `*i` is the row that is awaited or at hand. passing->row is
 * the row after the one at hand. */
static int take_list(struct passing *passing, const struct tk_parquet_entries *entries,
                     struct growing *to, size_t *i, struct tk_err *err)
{
    const struct tk_pick *pick = passing->pick;
    size_t width = passing->type == TK_PARQUET_BYTES ? sizeof(uint32_t) : sizeof(int64_t);
    size_t v = 0;
    int rc = 0;
    for (size_t e = 0; rc == 0 && e < entries->n; e++) {
        uint8_t def = entries->def ? entries->def[e] : 0;
        uint8_t rep = entries->rep ? entries->rep[e] : 0;
        bool has_value = def == passing->leaf->max_def;
        if (rep == 0) {
            passing->row++;
            *i += *i < pick->n && pick->rows[*i] + 1U < passing->row;
            if (*i == pick->n)
                break;
        }
        if (pick->rows[*i] + 1U == passing->row) {
            if (has_value)
                rc = put_value(passing, entries, v, to, err);
            tk_buf_putc(&to->def, (char)def);
            tk_buf_putc(&to->rep, (char)rep);
            to->ends[*i] = (uint32_t)to->def.n;
            to->value_ends[*i] = (uint32_t)(to->values.n / width);
        }
        v += has_value;
    }
    return rc;
}

static int keep(const struct tk_pick *pick, const struct tk_buf *buf, const void **ret,
                struct tk_err *err)
{
    char *copy = tk_arena_alloc(pick->arena, buf->n + 1);
    if (!copy || !tk_buf_ok(buf))
        return no_room(err);
    if (buf->n > 0)
        memcpy(copy, buf->p, buf->n);
    *ret = copy;
    return 0;
}

static int take_lists(struct passing *passing, struct growing *growing, struct tk_err *err)
{
    const struct tk_pick *pick = passing->pick;
    size_t i = 0;
    int rc = 0;
    while (rc == 0 && i < pick->n) {
        struct tk_parquet_entries entries;
        if (pick->rows[i] >= passing->row)
            rc = skip_to(passing, pick->rows[i], err);
        if (rc < 0)
            return rc;
        rc = tk_parquet_cursor_next(passing->cursor, &entries, err);
        if (rc == 1 && i + 1 == pick->n && pick->rows[i] + 1U == passing->row)
            return 0; /* the last row of all */
        if (rc == 1)
            return tk_fail(err, -EBADMSG, "a column ends before its rows do");
        if (rc < 0)
            return rc;
        rc = take_list(passing, &entries, growing, &i, err);
    }
    return rc;
}

int tk_pick_list(const struct tk_pick *pick, size_t leaf, struct tk_texts *texts,
                 struct tk_picked_list *ret, struct tk_err *err)
{
    struct passing passing = {.pick = pick, .as = TK_PICK_TEXT, .texts = texts};
    TK_CLEANUP(growing_release)
    struct growing growing = {.ends = alloc(pick, pick->n, sizeof(uint32_t)),
                              .value_ends = alloc(pick, pick->n, sizeof(uint32_t))};
    tk_buf_init(&growing.def, INT32_MAX);
    tk_buf_init(&growing.rep, INT32_MAX);
    tk_buf_init(&growing.values, INT32_MAX);
    *ret = (struct tk_picked_list){0};
    if (is_all_null(pick, leaf))
        return 0;
    if (!growing.ends || !growing.value_ends)
        return no_room(err);
    const void *values = NULL;
    const void *def = NULL;
    const void *rep = NULL;
    int rc = open_column(&passing, leaf, err);
    if (rc == 0)
        rc = take_lists(&passing, &growing, err);
    if (rc == 0)
        rc = keep(pick, &growing.values, &values, err);
    if (rc == 0)
        rc = keep(pick, &growing.def, &def, err);
    if (rc == 0)
        rc = keep(pick, &growing.rep, &rep, err);
    if (rc < 0)
        return rc;
    *ret = (struct tk_picked_list){growing.ends, def, rep, growing.value_ends, values, values};
    return 0;
}
