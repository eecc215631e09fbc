/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/segment_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <libdeflate.h>

#include "segment/log_pack.h"

#define MAGIC_FILE  "TKSPANS2"
#define MAGIC_BLOCK 0x4B4C4254U /* "TBLK" */

/* What is counted. */
enum count {
    ROWS,
    ATTRS,
    SIDE_ATTRS,
    EVENTS,
    LINKS,
    RESOURCES,
    SCOPES,
    TEXTS,
    COUNT_COUNT,
};

#define PARTS_MAX 24

struct head {
    uint32_t magic;
    uint32_t crc;   /* of all behind it, the rest of the head too */
    uint64_t bytes; /* behind the head */
    uint64_t text_bytes;
    uint32_t before[COUNT_COUNT]; /* items that came in earlier blocks */
    uint32_t added[COUNT_COUNT];
    uint8_t forms[PARTS_MAX]; /* in which each of the parts is packed */
};

#define CRC_FROM offsetof(struct head, bytes)

/* The arrays of a batch: texts come behind them. The ends of attributes stand before these. */
static const struct part {
    size_t at; /* of the pointer in the batch */
    size_t width;
    enum count count;
    enum tk_log_kind kind;
} parts[] = {
#define PART(member, count, kind)                                                                  \
    {                                                                                              \
        offsetof(struct tk_span_batch, member), sizeof(*((struct tk_span_batch *)0)->member),      \
            count, kind                                                                            \
    }
#define COLUMN(member)       PART(member, ROWS, TK_LOG_NUMBERS)
#define ITEMS(member, count) PART(member, count, TK_LOG_ITEMS)
    PART(trace_ids, ROWS, TK_LOG_IDS),
    COLUMN(span_ids),
    COLUMN(parent_ids),
    COLUMN(start_ns),
    COLUMN(duration_ns),
    COLUMN(names),
    COLUMN(scope_ids),
    COLUMN(messages),
    COLUMN(trace_states),
    COLUMN(flags),
    COLUMN(kinds),
    COLUMN(statuses),
    COLUMN(dropped_attrs),
    COLUMN(dropped_events),
    COLUMN(dropped_links),
    COLUMN(attr_ends),
    COLUMN(event_ends),
    COLUMN(link_ends),
    PART(attrs, ATTRS, TK_LOG_ATTRS),
    ITEMS(side_attrs, SIDE_ATTRS),
    ITEMS(events, EVENTS),
    ITEMS(links, LINKS),
    ITEMS(resources, RESOURCES),
    ITEMS(scopes, SCOPES),
#undef PART
#undef COLUMN
#undef ITEMS
};

_Static_assert(TK_COUNTOF(parts) == PARTS_MAX, "a form for each part");
_Static_assert(sizeof(struct tk_attr) == 16 && sizeof(struct tk_span_event) == 24 &&
                   sizeof(struct tk_span_link) == 48 && sizeof(struct tk_span_resource) == 24 &&
                   sizeof(struct tk_span_scope) == 28,
               "the layout of logs changes with these: change MAGIC_FILE");

static char *array_of(const struct tk_span_batch *batch, const struct part *part)
{
    char *p;
    memcpy(&p, (const char *)batch + part->at, sizeof(p));
    return p;
}

static struct tk_log_items items_of(const struct tk_span_batch *batch, const struct part *part,
                                    const struct head *head)
{
    struct tk_log_items items = {
        .kind = part->kind, .width = part->width, .n = head->added[part->count]};
    if (part->kind == TK_LOG_ATTRS) {
        items.ends = batch->attr_ends + head->before[ROWS];
        items.rows = head->added[ROWS];
        items.begin = head->before[ATTRS];
    }
    return items;
}

static void counts_of(const struct tk_span_batch *batch, uint32_t counts[COUNT_COUNT])
{
    counts[ROWS] = (uint32_t)batch->rows;
    counts[ATTRS] = batch->attr_count;
    counts[SIDE_ATTRS] = batch->side_attr_count;
    counts[EVENTS] = batch->event_count;
    counts[LINKS] = batch->link_count;
    counts[RESOURCES] = batch->resource_count;
    counts[SCOPES] = batch->scope_count;
    counts[TEXTS] = batch->texts.count;
}

static void counts_of_mark(const struct tk_log_mark *mark, uint32_t counts[COUNT_COUNT])
{
    counts[ROWS] = (uint32_t)mark->batch.rows;
    counts[ATTRS] = mark->batch.attrs;
    counts[SIDE_ATTRS] = mark->batch.side_attrs;
    counts[EVENTS] = mark->batch.events;
    counts[LINKS] = mark->batch.links;
    counts[RESOURCES] = mark->batch.resources;
    counts[SCOPES] = mark->batch.scopes;
    counts[TEXTS] = mark->texts > 0 ? mark->texts : 1; /* the empty text is everywhere */
}

static void set_mark(struct tk_log_mark *mark, const struct tk_span_batch *batch, uint64_t bytes)
{
    mark->bytes = bytes;
    mark->batch = tk_span_batch_mark(batch);
    mark->texts = batch->texts.count;
}

static const struct tk_text_item *texts_of(const struct tk_texts *texts)
{
    return (const struct tk_text_item *)(const void *)texts->items.p;
}

/* Writing -------------------------------------------------------------------------------------- */

/* Write all, through short writes. */
static int write_all(int fd, struct iovec *parts_at, int n, struct tk_err *err)
{
    while (n > 0) {
        ssize_t put = writev(fd, parts_at, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return tk_fail_errno(err, "log of spans");
        while (n > 0 && (size_t)put >= parts_at->iov_len) {
            put -= (ssize_t)parts_at->iov_len;
            parts_at++;
            n--;
        }
        if (n > 0) {
            parts_at->iov_base = (char *)parts_at->iov_base + put;
            parts_at->iov_len -= (size_t)put;
        }
    }
    return 0;
}

/* Pack what is new since the mark into `out`; texts, which nobody packs, are left out. */
static int pack_parts(const struct tk_span_batch *batch, struct head *head, struct tk_buf *out,
                      struct tk_err *err)
{
    size_t bound = 0;
    for (size_t i = 0; i < TK_COUNTOF(parts); i++) {
        struct tk_log_items items = items_of(batch, &parts[i], head);
        bound += tk_log_pack_bound(&items);
    }
    tk_buf_reset(out);
    char *to = tk_buf_reserve(out, bound);
    if (!to)
        return tk_buf_check(out, "log of spans", err);
    char *begin = to;
    for (size_t i = 0; i < TK_COUNTOF(parts); i++) {
        struct tk_log_items items = items_of(batch, &parts[i], head);
        const char *from = array_of(batch, &parts[i]) + head->before[parts[i].count] * items.width;
        to = tk_log_pack(&items, from, to, &head->forms[i]);
    }
    out->n += (size_t)(to - begin);
    return 0;
}

#define VECTORS 5 /* magic, head, parts, items of texts, texts */

/* What goes behind the head; returns how many vectors. */
static int gather(const struct tk_span_batch *batch, struct head *head, const struct tk_buf *packed,
                  struct iovec *to)
{
    int n = 0;
    to[n++] = (struct iovec){packed->p, packed->n};
    if (head->added[TEXTS] > 0) {
        const struct tk_text_item *items = texts_of(&batch->texts);
        const struct tk_text_item *first = &items[head->before[TEXTS]];
        const struct tk_text_item *last = &items[batch->texts.count - 1];
        head->text_bytes = last->offset + last->n - first->offset;
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): iovec knows no const; likewise below */
        to[n++] = (struct iovec){(void *)(uintptr_t)first, head->added[TEXTS] * sizeof(*first)};
        if (head->text_bytes > 0) {
            to[n++] =
                (struct iovec){batch->texts.bytes.p + first->offset, (size_t)head->text_bytes};
        }
    }
    return n;
}

/* Write a block, at the end of the file. */
static int write_block(int fd, struct head *head, struct iovec *vectors, int begin, int n,
                       struct tk_err *err)
{
    vectors[begin] = (struct iovec){head, sizeof(*head)};
    for (int i = 1; i <= n; i++)
        head->bytes += vectors[begin + i].iov_len;
    head->crc = libdeflate_crc32(0, (const char *)head + CRC_FROM, sizeof(*head) - CRC_FROM);
    for (int i = 1; i <= n; i++) {
        head->crc =
            libdeflate_crc32(head->crc, vectors[begin + i].iov_base, vectors[begin + i].iov_len);
    }
    return write_all(fd, vectors, begin + 1 + n, err);
}

int tk_segment_log_append(int fd, const struct tk_span_batch *batch, struct tk_log_mark *mark,
                          struct tk_buf *scratch, struct tk_err *err)
{
    struct iovec vectors[VECTORS];
    struct head head = {.magic = MAGIC_BLOCK};
    int begin = mark->bytes == 0 ? 1 : 0;
    counts_of_mark(mark, head.before);
    counts_of(batch, head.added);
    for (size_t i = 0; i < COUNT_COUNT; i++)
        head.added[i] -= head.before[i];
    if (head.added[ROWS] == 0)
        return 0;
    int rc = pack_parts(batch, &head, scratch, err);
    if (rc < 0)
        return rc;
    /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
    vectors[0] = (struct iovec){(void *)(uintptr_t)MAGIC_FILE, sizeof(MAGIC_FILE) - 1};
    int n = gather(batch, &head, scratch, vectors + begin + 1);
    rc = write_block(fd, &head, vectors, begin, n, err);
    if (rc < 0) {
        if (ftruncate(fd, (off_t)mark->bytes) < 0)
            return tk_fail(err, -EIO, "log of spans: a block could not be written nor taken back");
        return rc;
    }
    uint64_t magic = begin > 0 ? sizeof(MAGIC_FILE) - 1 : 0;
    set_mark(mark, batch, mark->bytes + magic + sizeof(head) + head.bytes);
    return 0;
}

/* Reading -------------------------------------------------------------------------------------- */

static bool has_room(const struct tk_span_batch *batch, const struct head *head)
{
    const uint32_t most[COUNT_COUNT] = {
        [ROWS] = (uint32_t)batch->max_rows,   [ATTRS] = batch->max_attrs,
        [SIDE_ATTRS] = batch->max_side_attrs, [EVENTS] = batch->max_events,
        [LINKS] = batch->max_links,           [RESOURCES] = batch->max_resources,
        [SCOPES] = batch->max_scopes,         [TEXTS] = UINT32_MAX - 1,
    };
    for (size_t i = 0; i < COUNT_COUNT; i++) {
        if (head->added[i] > most[i] - head->before[i])
            return false;
    }
    return true;
}

static bool attrs_ok(const struct tk_span_batch *batch, const struct tk_attr *attrs, uint32_t from,
                     uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        if (attrs[i].key >= batch->texts.count || attrs[i].type > TK_ATTR_MAP ||
            (tk_attr_is_text(attrs[i].type) && attrs[i].text >= batch->texts.count))
            return false;
    }
    return true;
}

static bool range_ok(const struct tk_span_batch *batch, const struct tk_attr_range *range)
{
    return range->n == 0 || (range->begin <= batch->side_attr_count &&
                             range->n <= batch->side_attr_count - range->begin);
}

static bool ends_ok(const uint32_t *ends, size_t from, size_t to, uint32_t most)
{
    uint32_t before = from > 0 ? ends[from - 1] : 0;
    for (size_t i = from; i < to; i++) {
        if (ends[i] < before || ends[i] > most)
            return false;
        before = ends[i];
    }
    return true;
}

static bool rows_ok(const struct tk_span_batch *batch, size_t from, size_t to)
{
    uint32_t texts = batch->texts.count;
    for (size_t i = from; i < to; i++) {
        if (batch->names[i] >= texts || batch->messages[i] >= texts ||
            batch->trace_states[i] >= texts || batch->scope_ids[i] >= batch->scope_count ||
            batch->duration_ns[i] < 0)
            return false;
    }
    return ends_ok(batch->attr_ends, from, to, batch->attr_count) &&
           ends_ok(batch->event_ends, from, to, batch->event_count) &&
           ends_ok(batch->link_ends, from, to, batch->link_count);
}

static bool items_ok(const struct tk_span_batch *batch, const struct head *head)
{
    uint32_t texts = batch->texts.count;
    for (uint32_t i = head->before[EVENTS]; i < batch->event_count; i++) {
        if (batch->events[i].name >= texts || !range_ok(batch, &batch->events[i].attrs))
            return false;
    }
    for (uint32_t i = head->before[LINKS]; i < batch->link_count; i++) {
        if (batch->links[i].trace_state >= texts || !range_ok(batch, &batch->links[i].attrs))
            return false;
    }
    for (uint32_t i = head->before[RESOURCES]; i < batch->resource_count; i++) {
        const struct tk_span_resource *resource = &batch->resources[i];
        if (resource->service >= texts || resource->schema_url >= texts ||
            resource->entity_refs >= texts || !range_ok(batch, &resource->attrs))
            return false;
    }
    for (uint32_t i = head->before[SCOPES]; i < batch->scope_count; i++) {
        const struct tk_span_scope *scope = &batch->scopes[i];
        if (scope->resource >= batch->resource_count || scope->name >= texts ||
            scope->version >= texts || scope->schema_url >= texts ||
            !range_ok(batch, &scope->attrs))
            return false;
    }
    return true;
}

/* Everything that a block points to is there. */
static bool block_ok(const struct tk_span_batch *batch, const struct head *head)
{
    return attrs_ok(batch, batch->attrs, head->before[ATTRS], batch->attr_count) &&
           attrs_ok(batch, batch->side_attrs, head->before[SIDE_ATTRS], batch->side_attr_count) &&
           items_ok(batch, head) && rows_ok(batch, head->before[ROWS], batch->rows);
}

/* Append the texts: each gets the number that it had. */
static int add_texts(struct tk_span_batch *batch, const struct head *head, tk_str items,
                     tk_str bytes, struct tk_err *err)
{
    struct tk_text_item item;
    uint32_t first = 0;
    for (uint32_t i = 0; i < head->added[TEXTS]; i++) {
        memcpy(&item, items.p + i * sizeof(item), sizeof(item));
        first = i == 0 ? item.offset : first;
        if (item.offset < first || item.offset - first > bytes.n ||
            item.n > bytes.n - (item.offset - first))
            return tk_fail(err, -EBADMSG, "log of spans: a text lies outside of its block");
        if (tk_texts_append(&batch->texts, (tk_str){bytes.p + (item.offset - first), item.n}) ==
            TK_TEXTS_NONE)
            return tk_fail(err, -ENOBUFS, "log of spans: no room for its texts");
    }
    return 0;
}

/* Take the arrays from the front of `*rest` to where the batch ends. */
static bool unpack_parts(struct tk_span_batch *batch, const struct head *head, tk_str *rest)
{
    size_t rows = batch->rows + head->added[ROWS];
    batch->used_rows = rows > batch->used_rows ? rows : batch->used_rows;
    for (size_t i = 0; i < TK_COUNTOF(parts); i++) {
        struct tk_log_items items = items_of(batch, &parts[i], head);
        char *to = array_of(batch, &parts[i]) + head->before[parts[i].count] * items.width;
        if (!tk_log_unpack(&items, head->forms[i], rest, to))
            return false;
    }
    return true;
}

static int add_block(struct tk_span_batch *batch, const struct head *head, tk_str rest,
                     struct tk_err *err)
{
    size_t items = head->added[TEXTS] * sizeof(struct tk_text_item);
    if (!unpack_parts(batch, head, &rest) || rest.n < items || rest.n - items != head->text_bytes)
        return tk_fail(err, -EBADMSG, "log of spans: a block does not hold what it says");
    int rc = add_texts(batch, head, (tk_str){rest.p, items},
                       (tk_str){rest.p + items, (size_t)head->text_bytes}, err);
    if (rc < 0)
        return rc;
    batch->rows += head->added[ROWS];
    batch->attr_count += head->added[ATTRS];
    batch->side_attr_count += head->added[SIDE_ATTRS];
    batch->event_count += head->added[EVENTS];
    batch->link_count += head->added[LINKS];
    batch->resource_count += head->added[RESOURCES];
    batch->scope_count += head->added[SCOPES];
    return block_ok(batch, head)
               ? 0
               : tk_fail(err, -EBADMSG, "log of spans: a block points to what is not there");
}

/* Take the block at the front of `*rest`: 0, or 1 when there is none that is whole. */
static int take_block(tk_str *rest, struct tk_span_batch *batch, struct tk_err *err)
{
    struct head head;
    uint32_t here[COUNT_COUNT];
    if (rest->n < sizeof(head))
        return 1;
    memcpy(&head, rest->p, sizeof(head));
    if (head.magic != MAGIC_BLOCK || head.bytes > rest->n - sizeof(head) ||
        libdeflate_crc32(0, rest->p + CRC_FROM, sizeof(head) - CRC_FROM + (size_t)head.bytes) !=
            head.crc)
        return 1;
    counts_of(batch, here);
    if (memcmp(here, head.before, sizeof(here)) != 0)
        return tk_fail(err, -EBADMSG, "log of spans: a block does not follow the one before");
    if (!has_room(batch, &head))
        return tk_fail(err, -ENOBUFS, "log of spans: no room for its rows");
    int rc = add_block(batch, &head, (tk_str){rest->p + sizeof(head), (size_t)head.bytes}, err);
    *rest = (tk_str){rest->p + sizeof(head) + head.bytes, rest->n - sizeof(head) - head.bytes};
    return rc;
}

int tk_segment_log_decode(tk_str bytes, struct tk_span_batch *batch, struct tk_log_mark *mark,
                          struct tk_err *err)
{
    tk_str rest = bytes;
    uint64_t start = mark->bytes;
    if (start == 0 && bytes.n < sizeof(MAGIC_FILE) - 1)
        return 0; /* its first block is still to come */
    if (start == 0 && !tk_str_take_prefix(&rest, TK_STR(MAGIC_FILE)))
        return tk_fail(err, -EBADMSG, "log of spans: it does not begin with " MAGIC_FILE);
    int rc = 0;
    while (rc == 0) {
        rc = take_block(&rest, batch, err);
        if (rc == 0)
            set_mark(mark, batch, start + (uint64_t)(rest.p - bytes.p));
    }
    return rc < 0 ? rc : 0;
}

static int read_all(int fd, uint64_t offset, char *to, size_t n, size_t *ret_n, struct tk_err *err)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, to + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tk_fail_errno(err, "log of spans");
        if (got == 0)
            break; /* a block was taken back meanwhile */
        done += (size_t)got;
    }
    *ret_n = done;
    return 0;
}

int tk_segment_log_read(int fd, struct tk_span_batch *batch, struct tk_log_mark *mark,
                        struct tk_err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return tk_fail_errno(err, "log of spans");
    if ((uint64_t)st.st_size <= mark->bytes)
        return 0;
    size_t n = (size_t)((uint64_t)st.st_size - mark->bytes);
    char *bytes = malloc(n);
    if (!bytes)
        return tk_fail(err, -ENOMEM, "log of spans: no memory for %zu bytes", n);
    int rc = read_all(fd, mark->bytes, bytes, n, &n, err);
    if (rc == 0)
        rc = tk_segment_log_decode((tk_str){bytes, n}, batch, mark, err);
    free(bytes);
    return rc;
}
