/* SPDX-License-Identifier: Apache-2.0 */
/* A dictionary of 2 KiB takes 25 % less with contexts mixed than by zstd, which has to begin with
 * nothing; at 64 KiB the two take as long to write, and zstd is far faster to read. */
#include "codec/dictionary.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#include "codec/mixed.h"
#include "table/varint.h"

#define MIXED_MAX   ((size_t)64 << 10) /* bytes of texts that are mixed */
#define TEXTS_MAX   ((size_t)512 << 20)
#define SLOW_MAX    ((size_t)128 << 10) /* bytes that zstd takes its time for: 0.5 us each */
#define LEVEL_SLOW  19
#define LEVEL_FAST  15
#define INPUTS      6
#define MATCH_BITS  12
#define LEAST_BITS  12 /* of contexts */
#define MOST_BITS   18
#define MATCH_BYTES 5

enum method { METHOD_MIXED = 0, METHOD_ZSTD };

/* Mixed ---------------------------------------------------------------------------------------- */

/* Texts one after the other, each ended by END; END and ESCAPE in a text stand behind an ESCAPE. */
enum { END = 0, ESCAPE = 1 };

struct mixing {
    struct tk_coder coder;
    struct tk_mixed mixed;
    uint64_t last;                    /* eight bytes, the latest lowest */
    struct tk_buf past;               /* all bytes so far */
    uint32_t places[1 << MATCH_BITS]; /* behind the last MATCH_BYTES bytes of a hash; 0 = none */
    uint32_t match;                   /* in `past`: what may come again; 0 = nothing */
    uint32_t match_n;                 /* bytes that did */
};

/* For texts of `size` bytes. */
static int mixing_init(struct mixing *mixing, size_t size, uint32_t count, struct tk_err *err)
{
    unsigned bits = tk_mixed_bits(size, LEAST_BITS, MOST_BITS);
    tk_buf_init(&mixing->past, 2 * size + count + 16);
    return tk_mixed_init(&mixing->mixed, bits, 1, INPUTS, err);
}

/* A byte came: find where the same bytes stood before. */
static void remember(struct mixing *mixing, uint8_t byte)
{
    struct tk_buf *past = &mixing->past;
    if (mixing->match > 0 && (uint8_t)past->p[mixing->match] == byte) {
        mixing->match++;
        mixing->match_n++;
    } else {
        mixing->match = mixing->match_n = 0;
    }
    tk_buf_putc(past, (char)byte);
    if (!tk_buf_ok(past))
        mixing->match = 0;
    mixing->last = mixing->last << 8 | byte;
    uint64_t bytes = mixing->last & ((UINT64_C(1) << (8 * MATCH_BYTES)) - 1);
    uint32_t *place = &mixing->places[tk_mixed_hash(0, bytes) >> (64 - MATCH_BITS)];
    if (mixing->match == 0 && tk_buf_ok(past))
        mixing->match = *place;
    *place = (uint32_t)past->n;
}

static uint8_t code_byte(struct mixing *mixing, uint8_t byte)
{
    struct tk_mixed_context context = {.count = INPUTS};
    static const uint64_t masks[] = {0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFF};
    for (size_t i = 0; i < TK_COUNTOF(masks); i++)
        context.hashes[i] = tk_mixed_hash(i, mixing->last & masks[i]);
    uint64_t expected = 256;
    uint64_t sure = mixing->match_n < 15 ? mixing->match_n : 15;
    if (mixing->match > 0)
        expected = (uint8_t)mixing->past.p[mixing->match];
    context.hashes[5] = tk_mixed_hash(5, expected << 4 | sure);
    byte = (uint8_t)tk_code_mixed_value(&mixing->coder, &mixing->mixed, &context, 8, byte);
    remember(mixing, byte);
    return byte;
}

static void encode_text(struct mixing *mixing, tk_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t byte = (uint8_t)text.p[i];
        if (byte <= ESCAPE)
            (void)code_byte(mixing, ESCAPE);
        (void)code_byte(mixing, byte);
    }
    (void)code_byte(mixing, END);
}

/* The next text into `text`: false when there is none. */
static bool decode_text(struct mixing *mixing, struct tk_buf *text)
{
    text->n = 0;
    while (tk_buf_ok(text) && !tk_coder_is_over(&mixing->coder)) {
        uint8_t byte = code_byte(mixing, 0);
        if (byte == END)
            return true;
        if (byte == ESCAPE)
            byte = code_byte(mixing, 0);
        tk_buf_putc(text, (char)byte);
    }
    return false;
}

static int encode_mixed(const struct tk_texts *texts, struct tk_buf *out, struct tk_err *err)
{
    struct mixing *mixing = calloc(1, sizeof(*mixing));
    if (!mixing)
        return tk_fail(err, -ENOMEM, "dictionary: out of memory");
    int rc = mixing_init(mixing, texts->bytes.n, texts->count, err);
    if (rc == 0) {
        tk_coder_begin_encode(&mixing->coder, out);
        for (uint32_t id = 1; id < texts->count; id++)
            encode_text(mixing, tk_texts_get(texts, id));
        tk_coder_end(&mixing->coder);
        rc = tk_buf_check(&mixing->past, "dictionary", err);
    }
    tk_mixed_release(&mixing->mixed);
    tk_buf_release(&mixing->past);
    free(mixing);
    return rc;
}

static int decode_mixed(tk_str bytes, uint32_t count, size_t size, struct tk_texts *texts,
                        struct tk_err *err)
{
    if (size > MIXED_MAX)
        return -EBADMSG;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, size);
    struct mixing *mixing = calloc(1, sizeof(*mixing));
    if (!mixing)
        return tk_fail(err, -ENOMEM, "dictionary: out of memory");
    int rc = mixing_init(mixing, size, count, err);
    tk_coder_begin_decode(&mixing->coder, bytes);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        bool is_whole = decode_text(mixing, &text) && texts->bytes.n + text.n <= size;
        if (!is_whole || tk_texts_append(texts, tk_buf_str(&text)) == TK_TEXTS_NONE)
            rc = -EBADMSG;
    }
    tk_mixed_release(&mixing->mixed);
    tk_buf_release(&mixing->past);
    free(mixing);
    return rc;
}

/* Packed --------------------------------------------------------------------------------------- */

static size_t shared_prefix(tk_str a, tk_str b)
{
    size_t n = 0;
    while (n < a.n && n < b.n && a.p[n] == b.p[n])
        n++;
    return n;
}

/* Three columns: bytes shared with the text before, bytes that follow, those bytes. */
static void put_column(const struct tk_texts *texts, int column, struct tk_buf *out)
{
    for (uint32_t id = 1; id < texts->count; id++) {
        tk_str text = tk_texts_get(texts, id);
        size_t shared = shared_prefix(tk_texts_get(texts, id - 1), text);
        if (column == 2) {
            tk_buf_put(out, (tk_str){text.p + shared, text.n - shared});
        } else {
            tk_varint_put(out, column == 0 ? shared : text.n - shared);
        }
    }
}

static int encode_packed(const struct tk_texts *texts, struct tk_buf *out, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf columns;
    tk_buf_init(&columns, 2 * TEXTS_MAX);
    for (int column = 0; column < 3; column++)
        put_column(texts, column, &columns);
    int rc = tk_buf_check(&columns, "dictionary", err);
    if (rc < 0)
        return rc;
    size_t most = ZSTD_compressBound(columns.n);
    char *to = tk_buf_reserve(out, most);
    if (!to)
        return tk_buf_check(out, "dictionary", err);
    size_t n = ZSTD_compress(to, most, columns.p, columns.n,
                             columns.n <= SLOW_MAX ? LEVEL_SLOW : LEVEL_FAST);
    if (ZSTD_isError(n))
        return tk_fail(err, -ENOMEM, "dictionary: %s", ZSTD_getErrorName(n));
    out->n += n;
    return 0;
}

/* Read one text of the three columns. */
static bool take_text(tk_str columns[3], struct tk_buf *text)
{
    uint64_t shared;
    uint64_t more;
    if (!tk_varint_read(&columns[0], &shared) || !tk_varint_read(&columns[1], &more) ||
        shared > text->n || more > columns[2].n)
        return false;
    text->n = (size_t)shared;
    tk_buf_put(text, (tk_str){columns[2].p, (size_t)more});
    columns[2].p += more;
    columns[2].n -= (size_t)more;
    return tk_buf_ok(text);
}

/* Pass over `count` numbers. */
static bool skip_varints(tk_str *rest, uint32_t count)
{
    uint64_t ignored;
    for (uint32_t i = 0; i < count; i++) {
        if (!tk_varint_read(rest, &ignored))
            return false;
    }
    return true;
}

static int take_texts(tk_str unpacked, uint32_t count, size_t size, struct tk_texts *texts)
{
    tk_str columns[3] = {unpacked, unpacked, unpacked};
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, size);
    if (!skip_varints(&columns[1], count))
        return -EBADMSG;
    columns[2] = columns[1];
    if (!skip_varints(&columns[2], count))
        return -EBADMSG;
    for (uint32_t i = 0; i < count; i++) {
        if (!take_text(columns, &text) || texts->bytes.n + text.n > size ||
            tk_texts_append(texts, tk_buf_str(&text)) == TK_TEXTS_NONE)
            return -EBADMSG;
    }
    return 0;
}

static int decode_packed(tk_str bytes, uint32_t count, size_t size, struct tk_texts *texts)
{
    unsigned long long n = ZSTD_getFrameContentSize(bytes.p, bytes.n);
    if (n > 2 * TEXTS_MAX || count > n)
        return -EBADMSG;
    TK_CLEANUP(tk_buf_release) struct tk_buf unpacked;
    tk_buf_init(&unpacked, (size_t)n);
    char *to = tk_buf_reserve(&unpacked, (size_t)n);
    size_t got = to ? ZSTD_decompress(to, (size_t)n, bytes.p, bytes.n) : 0;
    if (ZSTD_isError(got) || got != n)
        return -EBADMSG;
    return take_texts((tk_str){to, got}, count, size, texts);
}

/* Section -------------------------------------------------------------------------------------- */

int tk_block_dictionary_encode(const struct tk_forest *forest, struct tk_section_set *set,
                               struct tk_err *err)
{
    const struct tk_texts *texts = &forest->dictionary;
    struct tk_buf *out = &set->bytes[TK_SECTION_DICTIONARY];
    bool is_small = texts->bytes.n <= MIXED_MAX;
    tk_buf_putc(out, is_small ? METHOD_MIXED : METHOD_ZSTD);
    tk_varint_put(out, texts->count - 1);
    tk_varint_put(out, texts->bytes.n);
    int rc = is_small ? encode_mixed(texts, out, err) : encode_packed(texts, out, err);
    return rc < 0 ? rc : tk_buf_check(out, "dictionary", err);
}

int tk_block_dictionary_decode(const struct tk_block *block, struct tk_forest *forest,
                               struct tk_err *err)
{
    const struct tk_section *section = tk_block_find(block, TK_SECTION_DICTIONARY);
    uint64_t count;
    uint64_t size;
    if (!section || section->bytes.n == 0)
        return tk_fail(err, -EBADMSG, "dictionary: missing or damaged");
    char method = *section->bytes.p;
    tk_str rest = {section->bytes.p + 1, section->bytes.n - 1};
    int rc = -EBADMSG;
    if (tk_varint_read(&rest, &count) && tk_varint_read(&rest, &size) && size <= TEXTS_MAX &&
        count <= TEXTS_MAX / sizeof(uint32_t)) {
        if (method == METHOD_MIXED) {
            rc = decode_mixed(rest, (uint32_t)count, (size_t)size, &forest->dictionary, err);
        } else if (method == METHOD_ZSTD) {
            rc = decode_packed(rest, (uint32_t)count, (size_t)size, &forest->dictionary);
        }
    }
    return rc == -EBADMSG ? tk_fail(err, rc, "dictionary: bytes do not decode") : rc;
}
