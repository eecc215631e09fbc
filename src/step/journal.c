/* SPDX-License-Identifier: Apache-2.0 */
#include "step/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <libdeflate.h>

#include "base/file.h"
#include "base/json.h"
#include "base/map.h"
#include "base/number.h"
#include "step/crc.h"

enum {
    HEAD_BYTES = TK_STEP_CRC_BYTES + 1, /* a newline, the CRC and a blank */
    LINE_LEAST = 20, /* bytes of a record that is one: its CRC, a blank and {"verb":""} */
};

/* Formatting and writing ------------------------------------------------------------- */

int tk_journal_append(int job_fd, const struct tk_step_record *record, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    tk_buf_init(&line, TK_JOB_TEXT_MAX);
    tk_buf_lit(&line, "\n00000000 ");
    tk_job_shape_format(&tk_step_record_shape, record, TK_SHORTEST, &line);
    tk_buf_putc(&line, '\n');
    int rc = tk_buf_check(&line, "record of the journal", err);
    if (rc < 0)
        return rc;
    tk_step_crc_put(line.p + 1, (tk_str){line.p + HEAD_BYTES, line.n - HEAD_BYTES - 1});

    TK_CLEANUP(tk_fd_close)
    int fd = openat(job_fd, TK_JOURNAL_NAME, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                    0600);
    if (fd < 0)
        return tk_fail_errno(err, TK_JOURNAL_NAME);
    ssize_t written = write(fd, line.p, line.n);
    if (written < 0)
        return tk_fail_errno(err, TK_JOURNAL_NAME);
    return (size_t)written == line.n ? 0 : tk_fail_code(err, -ENOSPC, TK_JOURNAL_NAME);
}

/* Reading ---------------------------------------------------------------------------- */

/* FNV-1a. Spans are names of ours, and their number is small. */
static uint64_t hash_of(tk_str text)
{
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * 0x100000001b3ULL;
    return hash;
}

static int full(struct tk_err *err)
{
    return tk_fail(err, -EMSGSIZE, TK_JOURNAL_NAME ": too many records");
}

static bool take_hex(tk_str *text, uint32_t *ret)
{
    uint32_t value = 0;
    if (text->n < 9 || text->p[8] != ' ')
        return false;
    for (size_t i = 0; i < 8; i++) {
        char c = text->p[i];
        bool letter = c >= 'a' && c <= 'f';
        if (!letter && !tk_is_digit(c))
            return false;
        value = value << 4 | (uint32_t)(letter ? c - 'a' + 10 : c - '0');
    }
    *text = (tk_str){text->p + 9, text->n - 9};
    *ret = value;
    return true;
}

/* A record of which only so much is read. */
struct head {
    tk_str json, verb, span;
    int64_t boot_ns;
};

/* The first members of a record, as tk_journal_append() writes them. */
static bool head_read(tk_str json, struct tk_arena *arena, struct head *head)
{
    struct tk_json scanner;
    struct tk_err ignored;
    tk_str key;
    *head = (struct head){.json = json, .boot_ns = TK_JOB_NONE};
    tk_json_init(&scanner, json);
    int rc = tk_json_enter_object(&scanner, &ignored);
    while (rc == 0 && head->boot_ns == TK_JOB_NONE &&
           tk_json_next_key(&scanner, NULL, &key, &ignored) == 0) {
        bool verb = tk_str_eq(key, TK_STR("verb"));
        if (verb || tk_str_eq(key, TK_STR("span"))) {
            rc = tk_json_read_str(&scanner, arena, verb ? &head->verb : &head->span, &ignored);
        } else if (tk_str_eq(key, TK_STR("boot_ns"))) {
            rc = tk_json_read_i64(&scanner, &head->boot_ns, &ignored);
        } else {
            rc = tk_json_skip(&scanner, NULL, &ignored);
        }
    }
    return rc == 0 && head->verb.n > 0;
}

static bool is_verb(const struct head *head, enum tk_step_verb verb)
{
    return tk_str_eq(head->verb, tk_str_from(tk_step_verbs[verb]));
}

struct heads {
    struct head *items; /* in the arena */
    size_t count;
    struct tk_map ended; /* hashes of spans */
};

static void heads_release(struct heads *heads)
{
    tk_map_release(&heads->ended);
}

/* All lines that check. Fails when memory is full. */
static int heads_read(tk_str text, struct tk_arena *arena, struct tk_journal *journal,
                      struct heads *heads, struct tk_err *err)
{
    /* A line has a newline before it and one at its end, and a record is no shorter than this. */
    size_t lines = text.n / LINE_LEAST + 1;
    tk_str line;
    heads->items = tk_arena_alloc(arena, lines * sizeof(struct head));
    if (!heads->items)
        return full(err);
    while (tk_str_take_line(&text, &line)) {
        uint32_t crc;
        struct head *head = &heads->items[heads->count];
        if (line.n < LINE_LEAST) {
            journal->damaged += line.n > 0;
            continue;
        }
        if (!take_hex(&line, &crc) || crc != libdeflate_crc32(0, line.p, line.n) ||
            !head_read(line, arena, head)) {
            journal->damaged++;
            continue;
        }
        heads->count++;
        if (head->boot_ns > journal->last_ns)
            journal->last_ns = head->boot_ns;
        if (is_verb(head, TK_STEP_END) && tk_map_add(&heads->ended, hash_of(head->span), 0) < 0)
            return tk_fail(err, -ENOMEM, TK_JOURNAL_NAME ": out of memory");
    }
    return 0;
}

static bool is_wanted(const struct heads *heads, const struct head *head,
                      const struct tk_journal_filter *filter)
{
    uint32_t ignored;
    if (!filter || is_verb(head, TK_STEP_INIT) || is_verb(head, TK_STEP_FINALIZE))
        return true;
    if (head->span.n == 0)
        return false;
    return tk_str_eq(head->span, filter->span) ||
           (!is_verb(head, TK_STEP_NOTE) &&
            !tk_map_find(&heads->ended, hash_of(head->span), &ignored));
}

/* Read a record whole; one that is no such record counts as damaged. */
static int take_record_line(tk_str json, struct tk_arena *arena, struct tk_journal *journal,
                            struct tk_err *err)
{
    struct tk_step_record *record = tk_job_add(&tk_step_record_shape, &journal->records, arena);
    if (!record)
        return full(err);
    int rc = tk_job_shape_parse(json, &tk_step_record_shape, arena, record, err);
    if (rc == 0)
        return 0;
    journal->records.count--;
    journal->damaged++;
    return rc == -EMSGSIZE ? rc : 0;
}

int tk_journal_parse(tk_str text, const struct tk_journal_filter *filter, struct tk_arena *arena,
                     struct tk_journal *ret, struct tk_err *err)
{
    struct tk_journal journal = {.damaged = 0};
    TK_CLEANUP(heads_release) struct heads heads = {0};
    int rc = heads_read(text, arena, &journal, &heads, err);
    for (size_t i = 0; rc == 0 && i < heads.count; i++) {
        if (is_wanted(&heads, &heads.items[i], filter))
            rc = take_record_line(heads.items[i].json, arena, &journal, err);
    }
    if (rc == 0)
        *ret = journal;
    return rc;
}

/* With its CRC and its end, as it stands in the text. */
static void put_line(struct tk_buf *out, const struct head *head)
{
    tk_buf_put(out, (tk_str){head->json.p - TK_STEP_CRC_BYTES, head->json.n + TK_STEP_CRC_BYTES});
    tk_buf_putc(out, '\n');
}

int tk_journal_excerpt(tk_str text, struct tk_arena *arena, struct tk_buf *out,
                       struct tk_journal *ret, struct tk_err *err)
{
    struct tk_journal journal = {.damaged = 0};
    TK_CLEANUP(heads_release) struct heads heads = {0};
    int rc = heads_read(text, arena, &journal, &heads, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < heads.count; i++) {
        const struct head *head = &heads.items[i];
        uint32_t ignored;
        bool is_open =
            head->span.n > 0 && !tk_map_find(&heads.ended, hash_of(head->span), &ignored);
        if (is_open || is_verb(head, TK_STEP_INIT) || is_verb(head, TK_STEP_FINALIZE))
            put_line(out, head);
    }
    *ret = journal;
    return 0;
}

/* Steps ------------------------------------------------------------------------------ */

static int take_record(const struct tk_step_record *record, struct tk_map *by_span,
                       struct tk_step_spans *spans)
{
    uint64_t hash = hash_of(record->span);
    uint32_t at;
    bool found = tk_map_find(by_span, hash, &at);
    if (tk_step_record_is(record, TK_STEP_START) && !found) {
        spans->items[spans->count] = (struct tk_step_span){.start = record};
        return tk_map_add(by_span, hash, (uint32_t)spans->count++);
    }
    if (found && tk_step_record_is(record, TK_STEP_END)) {
        spans->items[at].end = record;
    } else if (found && tk_step_record_is(record, TK_STEP_GONE)) {
        spans->items[at].gone = record;
    }
    return 0;
}

int tk_step_spans_find(const struct tk_journal *journal, struct tk_arena *arena,
                       struct tk_step_spans *ret, struct tk_err *err)
{
    const struct tk_step_records *records = &journal->records;
    TK_CLEANUP(tk_map_release) struct tk_map by_span = {0};
    struct tk_step_spans spans = {
        .items = tk_arena_alloc(arena, (records->count + 1) * sizeof(struct tk_step_span))};
    if (!spans.items)
        return full(err);
    for (size_t i = 0; i < records->count; i++) {
        if (records->items[i].span.n > 0 && take_record(&records->items[i], &by_span, &spans) < 0)
            return tk_fail(err, -ENOMEM, TK_JOURNAL_NAME ": out of memory");
    }
    *ret = spans;
    return 0;
}

const struct tk_step_span *tk_step_spans_last_open(const struct tk_step_spans *spans, tk_str name)
{
    for (size_t i = spans->count; i-- > 0;) {
        const struct tk_step_span *span = &spans->items[i];
        if (!span->end && (!name.p || tk_str_eq(span->start->step.name, name)))
            return span;
    }
    return NULL;
}

const struct tk_step_span *tk_step_spans_get(const struct tk_step_spans *spans, tk_str span)
{
    for (size_t i = spans->count; i-- > 0;) {
        if (tk_str_eq(spans->items[i].start->span, span))
            return &spans->items[i];
    }
    return NULL;
}

const struct tk_step_record *tk_journal_get(const struct tk_journal *journal,
                                            enum tk_step_verb verb)
{
    for (size_t i = 0; i < journal->records.count; i++) {
        if (tk_step_record_is(&journal->records.items[i], verb))
            return &journal->records.items[i];
    }
    return NULL;
}
