/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/attr_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/draw.h"

#define HISTORY     ((uint32_t)1 << 16) /* tokens; a power of two */
#define LETTER_BITS 14
#define DRAWN       ((uint32_t)1 << 31) /* of a token: it is made up */
#define UUID_BYTES  36
#define ID_DIGITS   16
#define LIST_BYTES  ((size_t)1 << 30)

/* Splitting ------------------------------------------------------------------------------------ */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_uuid(const char *p, size_t n)
{
    if (n < UUID_BYTES)
        return false;
    for (size_t i = 0; i < UUID_BYTES; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? p[i] != '-' : !is_hex(p[i]))
            return false;
    }
    return n == UUID_BYTES || !is_alnum(p[UUID_BYTES]);
}

bool tk_token_next(tk_str text, size_t *at, size_t *ret_begin)
{
    size_t i = *at;
    while (i < text.n) {
        if (!is_alnum(text.p[i])) {
            i++;
            continue;
        }
        *ret_begin = i;
        if (is_uuid(text.p + i, text.n - i)) {
            *at = i + UUID_BYTES;
            return true;
        }
        bool has_digit = false;
        size_t end = i;
        for (; end < text.n && end - i < TK_TOKEN_MAX && is_alnum(text.p[end]); end++)
            has_digit = has_digit || is_digit(text.p[end]);
        if (has_digit) {
            *at = end;
            return true;
        }
        i = end;
    }
    return false;
}

static void put_literal(struct tk_buf *out, tk_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == TK_TOKEN_SLOT || text.p[i] == TK_TOKEN_ESCAPE)
            tk_buf_putc(out, TK_TOKEN_ESCAPE);
        tk_buf_putc(out, text.p[i]);
    }
}

void tk_token_split(tk_str text, struct tk_buf *out, struct tk_buf *tokens)
{
    size_t at = 0;
    size_t begin;
    size_t done = 0;
    while (tk_token_next(text, &at, &begin)) {
        const struct tk_token_place place = {(uint32_t)begin, (uint32_t)(at - begin)};
        put_literal(out, (tk_str){text.p + done, begin - done});
        tk_buf_putc(out, TK_TOKEN_SLOT);
        tk_buf_put(tokens, (tk_str){(const char *)&place, sizeof(place)});
        done = at;
    }
    put_literal(out, (tk_str){text.p + done, text.n - done});
}

bool tk_token_is_id(tk_str token)
{
    bool is_pointer = token.n >= 10 && token.p[0] == '0' && token.p[1] == 'x';
    size_t digits = 0;
    if (is_uuid(token.p, token.n))
        return true;
    for (size_t i = is_pointer ? 2 : 0; i < token.n && is_hex(token.p[i]); i++)
        digits++;
    return is_pointer ? digits == token.n - 2 : token.n >= ID_DIGITS && digits == token.n;
}

/* What stands for a byte in the form of a token. */
static char mark_of(char c, bool is_id)
{
    bool is_upper = c >= 'A' && c <= 'Z';
    if (is_id && is_hex(c))
        return is_upper ? (char)TK_ATTR_FORM_UPPER : (char)TK_ATTR_FORM_LOWER;
    if (is_digit(c))
        return TK_ATTR_FORM_DECIMAL;
    if (!is_alnum(c))
        return c;
    return is_upper ? (char)TK_ATTR_FORM_CAPITAL : (char)TK_ATTR_FORM_SMALL;
}

void tk_token_form(tk_str token, char *ret_form)
{
    bool is_id = tk_token_is_id(token);
    size_t i = 0;
    for (; is_id && i < 2 && token.n > 2 && token.p[1] == 'x'; i++)
        ret_form[i] = token.p[i];
    for (; i < token.n; i++)
        ret_form[i] = mark_of(token.p[i], is_id);
}

/* The coder ------------------------------------------------------------------------------------ */

int tk_token_coder_init(struct tk_token_coder *coder, struct tk_texts *texts, struct tk_err *err)
{
    *coder = (struct tk_token_coder){.texts = texts};
    tk_buf_init(&coder->tokens, LIST_BYTES);
    tk_buf_init(&coder->patterns, LIST_BYTES);
    tk_buf_init(&coder->scratch, LIST_BYTES);
    tk_buf_init(&coder->places, LIST_BYTES);
    tk_bits_init(coder->is_match, TK_COUNTOF(coder->is_match));
    coder->is_drawn = TK_BIT_NEW;
    tk_mix_weights_init(&coder->weights, 1, 2);
    coder->history = calloc(HISTORY, sizeof(*coder->history));
    coder->followers = calloc(HISTORY, sizeof(*coder->followers));
    int rc = coder->history && coder->followers
                 ? tk_guesser_init(&coder->guesser, err)
                 : tk_fail(err, -ENOMEM, "texts of attributes: out of memory");
    return rc < 0 ? rc : tk_contexts_init(&coder->letters, LETTER_BITS, err);
}

void tk_token_coder_release(struct tk_token_coder *coder)
{
    tk_guesser_release(&coder->guesser);
    tk_contexts_release(&coder->letters);
    tk_map_release(&coder->known_tokens);
    tk_map_release(&coder->known_patterns);
    tk_buf_release(&coder->tokens);
    tk_buf_release(&coder->patterns);
    tk_buf_release(&coder->scratch);
    tk_buf_release(&coder->places);
    free(coder->history);
    free(coder->followers);
    *coder = (struct tk_token_coder){0};
}

static uint32_t list_get(const struct tk_buf *list, uint32_t i)
{
    uint32_t value;
    memcpy(&value, list->p + i * sizeof(value), sizeof(value));
    return value;
}

static int list_add(struct tk_buf *list, uint32_t *count, uint32_t value)
{
    tk_buf_put(list, (tk_str){(const char *)&value, sizeof(value)});
    *count += tk_buf_ok(list);
    return tk_buf_ok(list) ? 0 : list->failure;
}

/* Letters -------------------------------------------------------------------------------------- */

static unsigned code_nibble(struct tk_token_coder *tokens, struct tk_coder *coder, uint64_t near,
                            uint64_t far, unsigned value)
{
    struct tk_bucket *a = tk_contexts_find(&tokens->letters, tk_draw_round(near));
    struct tk_bucket *b = tk_contexts_find(&tokens->letters, tk_draw_round(far));
    uint32_t node = 1;
    for (int i = 3; i >= 0; i--) {
        struct tk_bit *models[2] = {&a->bits[node], &b->bits[node]};
        bool bit = tk_code_mixed(coder, &tokens->guesser.tables, &tokens->weights, models, 2,
                                 value >> i & 1);
        node = node << 1 | bit;
    }
    return node & 15;
}

/* A byte, by what is known of it: at this place, and after the bytes before it. */
static uint8_t code_byte(struct tk_token_coder *tokens, struct tk_coder *coder, uint64_t place,
                         uint64_t before, uint8_t byte)
{
    unsigned high = code_nibble(tokens, coder, place, before, byte >> 4);
    uint64_t salt = (uint64_t)(high + 1) << 56;
    unsigned low = code_nibble(tokens, coder, place ^ salt, before ^ salt, byte & 15);
    return (uint8_t)(high << 4 | low);
}

/* A token that is spelt. */
static void code_letters(struct tk_token_coder *tokens, struct tk_coder *coder, uint64_t place,
                         char *text, size_t *n)
{
    *n = code_byte(tokens, coder, place, 1, (uint8_t)*n);
    if (*n > TK_TOKEN_MAX)
        *n = TK_TOKEN_MAX; /* of a damaged stream */
    uint64_t last = 0;
    for (size_t i = 0; i < *n; i++) {
        uint64_t own = place ^ (i < 15 ? i + 1 : 15) << 48;
        text[i] =
            (char)code_byte(tokens, coder, own, last << 8 | UINT64_C(1) << 40, (uint8_t)text[i]);
        last = (uint8_t)text[i];
    }
}

/* Tokens --------------------------------------------------------------------------------------- */

static uint32_t add_drawn(struct tk_token_coder *tokens, tk_str form)
{
    char text[TK_ATTR_FORM_MAX];
    uint64_t bits = tk_draw(tokens->draw_key, UINT32_MAX, tokens->token_count, TK_DRAW_TOKEN);
    tk_attr_draw_id(form, bits, text);
    return tk_texts_append(tokens->texts, (tk_str){text, form.n});
}

/* A token that comes for the first time; `text` is the encoder's. */
static int code_new_token(struct tk_token_coder *tokens, struct tk_coder *coder,
                          struct tk_attr_words *words, uint64_t place, tk_str text, bool is_drawn)
{
    char room[TK_TOKEN_MAX] = {0};
    size_t n = text.n;
    uint32_t id = 0;
    is_drawn = tk_code_bit(coder, &tokens->is_drawn, is_drawn);
    if (is_drawn && coder->mode != TK_CODER_DECODE) {
        tk_token_form(text, room);
        id = tk_attr_code_word(words, coder, (tk_str){room, n});
        if (id >= words->known->count)
            return -EMSGSIZE;
        id = tk_texts_add(tokens->texts, text);
    } else if (is_drawn) {
        id = tk_attr_code_word(words, coder, TK_STR(""));
        if (id >= words->known->count || tk_texts_get(words->known, id).n > TK_ATTR_FORM_MAX)
            return -EBADMSG;
        id = add_drawn(tokens, tk_texts_get(words->known, id));
    } else {
        if (n > 0)
            memcpy(room, text.p, n);
        code_letters(tokens, coder, place, room, &n);
        id = tk_texts_add(tokens->texts, (tk_str){room, n});
    }
    if (id == TK_TEXTS_NONE)
        return -EMSGSIZE;
    return list_add(&tokens->tokens, &tokens->token_count, id | (is_drawn ? DRAWN : 0));
}

/* What came after the last two tokens when they came last stands in the history. */
static void remember(struct tk_token_coder *tokens, uint32_t before, uint32_t token)
{
    uint32_t place = (uint32_t)tk_draw_round((uint64_t)before << 32 | token) & (HISTORY - 1);
    tokens->history[tokens->history_n++ & (HISTORY - 1)] = token;
    if (tokens->match == 0)
        tokens->match = tokens->followers[place];
    tokens->followers[place] = tokens->history_n;
}

static uint32_t code_token(struct tk_token_coder *tokens, struct tk_coder *coder, uint64_t place,
                           uint32_t before, uint32_t token)
{
    if (tokens->match > 0) {
        uint32_t guess = tokens->history[tokens->match & (HISTORY - 1)];
        uint32_t run = tokens->run < 15 ? tokens->run : 15;
        if (tk_code_bit(coder, &tokens->is_match[run], token == guess)) {
            tokens->match++;
            tokens->run++;
            return guess;
        }
        tokens->match = 0;
        tokens->run = 0;
    }
    const struct tk_guess guess = {
        .place = place,
        .set = 1,
        .contexts = {tk_draw_round(place + 1 + before), tk_draw_round(place),
                     tk_draw_round(before)},
        .count = tokens->max_tokens,
        .seen = tokens->token_count,
    };
    return tk_code_guess(&tokens->guesser, coder, &guess, token);
}

/* Texts ---------------------------------------------------------------------------------------- */

static int code_pattern(struct tk_token_coder *tokens, struct tk_coder *coder,
                        struct tk_attr_words *words, uint32_t column, uint32_t *pattern)
{
    uint64_t place = tk_draw_round(UINT64_C(1) << 50 | column);
    bool is_encoder = coder->mode != TK_CODER_DECODE;
    uint32_t text = 0;
    if (is_encoder) {
        text = tk_texts_add(tokens->texts, tk_buf_str(&tokens->scratch));
        if (text == TK_TEXTS_NONE)
            return -EMSGSIZE;
        if (!tk_map_find(&tokens->known_patterns, text, pattern))
            *pattern = tokens->pattern_count;
    }
    const struct tk_guess guess = {
        .place = place,
        .set = tk_draw_round(place + 1),
        .contexts = {tk_draw_round(place + 2 + tokens->last_pattern), tk_draw_round(place + 3),
                     tk_draw_round(place)},
        .count = tokens->max_patterns,
        .seen = tokens->pattern_count,
    };
    *pattern = tk_code_guess(&tokens->guesser, coder, &guess, *pattern);
    tokens->last_pattern = *pattern;
    if (*pattern < tokens->pattern_count)
        return 0;
    uint32_t id = tk_attr_code_word(words, coder, tk_buf_str(&tokens->scratch));
    if (id >= words->known->count || tokens->pattern_count == tokens->max_patterns)
        return -EBADMSG;
    int rc = is_encoder ? tk_map_add(&tokens->known_patterns, text, *pattern) : 0;
    return rc < 0 ? rc : list_add(&tokens->patterns, &tokens->pattern_count, id);
}

/* The encoder's number of a token; that of the next one when it is new. */
static int find_token(struct tk_token_coder *tokens, tk_str text, uint32_t *ret_token)
{
    uint32_t id = tk_texts_add(tokens->texts, text);
    *ret_token = tokens->token_count;
    if (id == TK_TEXTS_NONE)
        return -EMSGSIZE;
    if (tk_map_find(&tokens->known_tokens, id, ret_token))
        return 0;
    return tk_map_add(&tokens->known_tokens, id, tokens->token_count);
}

/* One token of a text; `own` is the encoder's. */
static int code_slot(struct tk_token_coder *tokens, struct tk_coder *coder,
                     struct tk_attr_words *words, const struct tk_token_text *text, uint64_t place,
                     tk_str own)
{
    uint32_t last = tokens->history_n - 1;
    uint32_t before = tokens->history_n > 0 ? tokens->history[last & (HISTORY - 1)] + 1 : 0;
    uint32_t token = 0;
    int rc = coder->mode != TK_CODER_DECODE ? find_token(tokens, own, &token) : 0;
    if (rc < 0)
        return rc;
    token = code_token(tokens, coder, place, before, token);
    if (token >= tokens->token_count) {
        if (tokens->token_count == tokens->max_tokens)
            return -EBADMSG;
        bool is_drawn = text->is_drawn && own.n > 0 && text->is_drawn(text->context, own);
        rc = code_new_token(tokens, coder, words, place, own, is_drawn);
        token = tokens->token_count - 1;
    }
    if (rc == 0) {
        tokens->has_drawn = tokens->has_drawn || list_get(&tokens->tokens, token) & DRAWN;
        remember(tokens, before, token);
    }
    return rc;
}

/* The text of the token that was coded last. */
static tk_str last_token(const struct tk_token_coder *tokens)
{
    uint32_t token = tokens->history[(tokens->history_n - 1) & (HISTORY - 1)];
    return tk_texts_get(tokens->texts, list_get(&tokens->tokens, token) & ~DRAWN);
}

/* The `slot`-th token of the encoder's text. */
static tk_str own_token(const struct tk_token_coder *tokens, tk_str text, size_t slot)
{
    struct tk_token_place place;
    if (text.n == 0)
        return text;
    memcpy(&place, tokens->places.p + slot * sizeof(place), sizeof(place));
    return (tk_str){text.p + place.offset, place.n};
}

int tk_token_code(struct tk_token_coder *tokens, struct tk_coder *coder,
                  struct tk_attr_words *words, const struct tk_token_text *text, struct tk_buf *out)
{
    bool is_encoder = coder->mode != TK_CODER_DECODE;
    uint32_t pattern = 0;
    tk_buf_reset(&tokens->scratch);
    tk_buf_reset(&tokens->places);
    if (is_encoder)
        tk_token_split(text->text, &tokens->scratch, &tokens->places);
    int rc = code_pattern(tokens, coder, words, text->column, &pattern);
    if (rc < 0)
        return rc;
    tk_str form = tk_texts_get(words->known, list_get(&tokens->patterns, pattern));
    size_t slot = 0;
    for (size_t i = 0; rc == 0 && i < form.n; i++) {
        if (form.p[i] != TK_TOKEN_SLOT) {
            i += form.p[i] == TK_TOKEN_ESCAPE && i + 1 < form.n;
            if (!is_encoder)
                tk_buf_putc(out, form.p[i]);
            continue;
        }
        uint64_t place = tk_draw_round((uint64_t)pattern << 20 | (slot + 1));
        rc = code_slot(tokens, coder, words, text, place, own_token(tokens, text->text, slot));
        if (rc == 0 && !is_encoder)
            tk_buf_put(out, last_token(tokens));
        if (tk_coder_is_over(coder))
            rc = -EBADMSG;
        slot++;
    }
    return rc < 0 || tk_buf_ok(out) ? rc : -EMSGSIZE;
}
