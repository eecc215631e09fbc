/* SPDX-License-Identifier: Apache-2.0 */
#include "step/marked.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <libdeflate.h>

#include "base/number.h"

#define CRC_KEY   ",\"crc\":\""
#define COMMA     "%!(PACKER_COMMA)"
#define LINE_MAX  ((size_t)64 * 1024)
#define CRC_BYTES 8

enum {
    PREFIX_MAX = 160, /* of a line, before the mark */
    PARTS = 4,        /* broken records at once: builds that run side by side */
    PART_LINES = 40,  /* lines after which a record that was broken is given up */
};

/* Writing ---------------------------------------------------------------------------- */

/* Lists have no place in a line; of the rest, what matters least comes first. */
static const char *const lists[] = {"argv",  "top",   "via",      "samples",
                                    "marks", "attrs", "measures", "diagnosis"};
static const char *const spare[] = {"host",    "net", "wall",   "pressure",
                                    "quality", "io",  "memory", "cpu"};

static void leave_out(struct tk_job_step *step, const char *name)
{
    const struct tk_job_field *field = tk_job_member_find(&tk_job_step_shape, tk_str_from(name));
    void *at = (char *)step + field->offset;
    if (field->type == TK_JOB_OBJECT) {
        tk_job_shape_init(field->of, at);
    } else {
        memset(at, 0, sizeof(struct tk_job_list));
    }
}

static void put_once(const struct tk_step_record *record, struct tk_buf *json, struct tk_buf *out)
{
    tk_buf_reset(json);
    tk_job_shape_format(&tk_step_record_shape, record, 3, json);
    tk_buf_lit(out, TK_MARK);
    size_t body = out->n;
    for (size_t i = 0; i + 1 < json->n; i++) {
        if (json->p[i] == ' ') {
            tk_buf_lit(out, "\\u0020");
        } else {
            tk_buf_putc(out, json->p[i]);
        }
    }
    if (!tk_buf_ok(out))
        return;
    tk_buf_printf(out, CRC_KEY "%08x\"}\n", libdeflate_crc32(0, out->p + body, out->n - body));
}

/* Half of a text, and no half character. */
static tk_str halved(tk_str text)
{
    text.n /= 2;
    while (text.n > 0 && ((unsigned char)text.p[text.n] & 0xC0) == 0x80)
        text.n--;
    return text;
}

void tk_marked_put(const struct tk_step_record *record, struct tk_buf *out)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf json;
    struct tk_step_record thin;
    size_t start = out->n;
    tk_buf_init(&json, TK_JOB_TEXT_MAX);
    tk_job_shape_init(&tk_step_record_shape, &thin);
    thin.verb = record->verb;
    thin.span = record->span;
    thin.real_ns = record->real_ns;
    thin.step = record->step;
    for (size_t i = 0; i < TK_COUNTOF(lists); i++)
        leave_out(&thin.step, lists[i]);
    memset(&thin.step.io.devices, 0, sizeof(thin.step.io.devices));
    memset(&thin.step.io.filesystems, 0, sizeof(thin.step.io.filesystems));
    put_once(&thin, &json, out);
    for (size_t i = 0; i < TK_COUNTOF(spare) && out->n - start > TK_MARKED_MAX; i++) {
        leave_out(&thin.step, spare[i]);
        out->n = start;
        put_once(&thin, &json, out);
    }
    while (out->n - start > TK_MARKED_MAX && thin.step.name.n > 0 && tk_buf_ok(out)) {
        thin.step.name = halved(thin.step.name);
        out->n = start;
        put_once(&thin, &json, out);
    }
}

/* Plain text ------------------------------------------------------------------------- */

/* After an ESC: a sequence with its end, or one character. */
static const char *skip_escape(const char *p, const char *end)
{
    if (p < end && *p == '[') {
        p++;
        while (p < end && ((unsigned char)*p < 0x40 || (unsigned char)*p > 0x7E))
            p++;
    } else if (p < end && *p == ']') {
        while (p < end && *p != '\a')
            p++;
    }
    return p < end ? p + 1 : end;
}

void tk_marked_put_plain(tk_str line, struct tk_buf *out)
{
    const size_t comma = sizeof(COMMA) - 1;
    const char *end = line.p + line.n;
    for (const char *p = line.p; p < end;) {
        if (*p == '\033') {
            p = skip_escape(p + 1, end);
        } else if (*p == '%' && (size_t)(end - p) >= comma && memcmp(p, COMMA, comma) == 0) {
            tk_buf_putc(out, ',');
            p += comma;
        } else {
            if ((unsigned char)*p >= 0x20 || *p == '\t')
                tk_buf_putc(out, *p);
            p++;
        }
    }
}

/* Reading ---------------------------------------------------------------------------- */

/* A record of which the end has not come yet, and the lines that it came in. */
struct part {
    char prefix[PREFIX_MAX];
    size_t prefix_n;
    char text[TK_MARKED_MAX];
    size_t n;
    struct tk_buf held;
    int lines_left; /* 0 = not in use */
};

struct tk_marked_reader {
    struct tk_marked_sink sink;
    struct tk_buf line; /* of which the end has not come yet */
    struct tk_buf plain;
    struct part parts[PARTS];
};

int tk_marked_reader_new(const struct tk_marked_sink *sink, struct tk_marked_reader **ret_reader,
                         struct tk_err *err)
{
    struct tk_marked_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return tk_fail(err, -ENOMEM, "out of memory");
    reader->sink = *sink;
    tk_buf_init(&reader->line, LINE_MAX);
    tk_buf_init(&reader->plain, LINE_MAX);
    for (int i = 0; i < PARTS; i++)
        tk_buf_init(&reader->parts[i].held, PART_LINES * LINE_MAX);
    *ret_reader = reader;
    return 0;
}

void tk_marked_reader_free(struct tk_marked_reader *reader)
{
    if (!reader)
        return;
    for (int i = 0; i < PARTS; i++)
        tk_buf_release(&reader->parts[i].held);
    tk_buf_release(&reader->line);
    tk_buf_release(&reader->plain);
    free(reader);
}

void tk_marked_reader_freep(struct tk_marked_reader **reader)
{
    tk_marked_reader_free(*reader);
}

/* Take the text of a record that ends with its CRC, and give it out when it checks. True when it is
 * complete, good or bad. */
static bool take_record(struct tk_marked_reader *reader, const char *text, size_t n, bool *ret_good)
{
    char json[TK_MARKED_MAX + 1];
    uint32_t crc = 0;
    const size_t key = sizeof(CRC_KEY) - 1;
    const char *at = memmem(text, n, CRC_KEY, key);
    size_t body = at ? (size_t)(at - text) : 0;
    if (!at || n < body + key + CRC_BYTES + 2)
        return false;
    for (size_t i = 0; i < CRC_BYTES; i++) {
        int digit = tk_hex_value(at[key + i]);
        crc = crc << 4 | (uint32_t)(digit < 0 ? 0 : digit);
    }
    *ret_good = crc == libdeflate_crc32(0, text, body) && body < TK_MARKED_MAX;
    if (*ret_good) {
        memcpy(json, text, body);
        json[body] = '}';
        reader->sink.record(reader->sink.into, (tk_str){json, body + 1});
    }
    return true;
}

/* Append without white space; false when it does not fit. */
static bool part_add(struct part *part, tk_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == ' ' || text.p[i] == '\t')
            continue;
        if (part->n == sizeof(part->text))
            return false;
        part->text[part->n++] = text.p[i];
    }
    return true;
}

/* What was held back is no record. */
static void part_release(struct tk_marked_reader *reader, struct part *part)
{
    tk_str held = tk_buf_str(&part->held);
    part->lines_left = 0;
    while (held.n > 0) {
        const char *newline = memchr(held.p, '\n', held.n);
        size_t n = newline ? (size_t)(newline - held.p) + 1 : held.n;
        reader->sink.line(reader->sink.into, (tk_str){held.p, n});
        held = (tk_str){held.p + n, held.n - n};
    }
    tk_buf_reset(&part->held);
}

/* More of a record: true when it was taken. */
static bool part_take(struct tk_marked_reader *reader, struct part *part, tk_str text, tk_str raw)
{
    bool good = false;
    tk_buf_put(&part->held, raw);
    bool fits = part_add(part, text);
    bool complete = fits && take_record(reader, part->text, part->n, &good);
    if (good) {
        part->lines_left = 0;
        tk_buf_reset(&part->held);
    } else if (!fits || complete) {
        part_release(reader, part);
    }
    return true;
}

static struct part *part_new(struct tk_marked_reader *reader)
{
    struct part *oldest = &reader->parts[0];
    for (int i = 0; i < PARTS; i++) {
        struct part *part = &reader->parts[i];
        if (part->lines_left < oldest->lines_left)
            oldest = part;
    }
    if (oldest->lines_left > 0)
        part_release(reader, oldest);
    oldest->n = 0;
    oldest->lines_left = PART_LINES;
    return oldest;
}

/* Text that can stand in the middle of a record: one word. */
static bool is_one_word(tk_str text)
{
    tk_str word;
    text = tk_str_trim(text);
    return tk_str_take_word(&text, &word) && text.n == 0;
}

/* The broken record that a line goes on with: one whose prefix it has, or the last that a line
 * without any can belong to. A line that has the prefix and is no part of a record shows that the
 * rest will not come. */
static bool continues(struct tk_marked_reader *reader, tk_str plain, tk_str raw)
{
    for (int i = 0; i < PARTS; i++) {
        struct part *part = &reader->parts[i];
        tk_str rest = plain;
        if (part->lines_left == 0 ||
            !tk_str_take_prefix(&rest, (tk_str){part->prefix, part->prefix_n}))
            continue;
        if (is_one_word(rest))
            return part_take(reader, part, rest, raw);
        part_release(reader, part);
    }
    for (int i = 0; i < PARTS; i++) {
        if (reader->parts[i].lines_left > 0 && is_one_word(plain))
            return part_take(reader, &reader->parts[i], plain, raw);
    }
    return false;
}

static void age(struct tk_marked_reader *reader)
{
    for (int i = 0; i < PARTS; i++) {
        struct part *part = &reader->parts[i];
        if (part->lines_left > 0 && --part->lines_left == 0)
            part_release(reader, part);
    }
}

static bool begins(struct tk_marked_reader *reader, tk_str plain, tk_str raw)
{
    const size_t mark = sizeof(TK_MARK) - 2; /* a line may be broken before the space */
    const char *at = plain.n ? memmem(plain.p, plain.n, TK_MARK, mark) : NULL;
    size_t before = at ? (size_t)(at - plain.p) : 0;
    tk_str body = {at ? at + mark : NULL, at ? plain.n - before - mark : 0};
    body = tk_str_trim(body);
    if (!at || before >= PREFIX_MAX || (body.n > 0 && body.p[0] != '{'))
        return false;
    struct part *part = part_new(reader);
    memcpy(part->prefix, plain.p, before);
    part->prefix_n = before;
    return part_take(reader, part, body, raw);
}

static void take_line(struct tk_marked_reader *reader, tk_str raw)
{
    tk_buf_reset(&reader->plain);
    tk_marked_put_plain(raw, &reader->plain);
    tk_str plain = tk_buf_str(&reader->plain);
    bool known =
        tk_buf_ok(&reader->plain) && (begins(reader, plain, raw) || continues(reader, plain, raw));
    if (!known)
        reader->sink.line(reader->sink.into, raw);
    age(reader);
}

void tk_marked_reader_feed(struct tk_marked_reader *reader, tk_str bytes)
{
    while (bytes.n > 0) {
        const char *newline = memchr(bytes.p, '\n', bytes.n);
        size_t n = newline ? (size_t)(newline - bytes.p) + 1 : bytes.n;
        size_t room = LINE_MAX / 2 - reader->line.n; /* a longer line is cut: it is no record */
        n = n < room ? n : room;
        tk_buf_put(&reader->line, (tk_str){bytes.p, n});
        bool ended = bytes.p[n - 1] == '\n' || n == room;
        bytes = (tk_str){bytes.p + n, bytes.n - n};
        if (!ended)
            break;
        take_line(reader, tk_buf_str(&reader->line));
        tk_buf_reset(&reader->line);
    }
}

void tk_marked_reader_flush(struct tk_marked_reader *reader)
{
    if (reader->line.n > 0)
        take_line(reader, tk_buf_str(&reader->line));
    tk_buf_reset(&reader->line);
    for (int i = 0; i < PARTS; i++) {
        if (reader->parts[i].lines_left > 0)
            part_release(reader, &reader->parts[i]);
    }
}
