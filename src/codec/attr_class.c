/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/attr_class.h"

#include <errno.h>
#include <string.h>

#include "codec/attr_text.h"
#include "codec/draw.h"
#include "table/varint.h"

#define ID_DIGITS   16 /* an id has so many that vary */
#define TEXT_MAX    ((size_t)1 << 30)
#define MANY_TEXTS  24 /* fewer are told whole */
#define ID_DISTINCT 16 /* with fewer different values it is a name that looks like one */

const char *const tk_attr_class_names[TK_ATTR_CLASS_COUNT] = {
    [TK_ATTR_CLASS_TEXT] = "text",      [TK_ATTR_CLASS_NUMBER] = "number",
    [TK_ATTR_CLASS_TOKENS] = "tokens",  [TK_ATTR_CLASS_ID] = "id",
    [TK_ATTR_CLASS_DRAWN] = "drawn id",
};

/* Ids ------------------------------------------------------------------------------------------ */

static bool is_decimal(char c)
{
    return c >= '0' && c <= '9';
}

/* How far a byte is from being a digit of this form: its value, or 16. */
static unsigned digit_of(char mark, char c)
{
    if (is_decimal(c))
        return (unsigned)(c - '0');
    if (mark == TK_ATTR_FORM_LOWER && c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (mark == TK_ATTR_FORM_UPPER && c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

static char byte_of(char mark, unsigned digit)
{
    return (mark == TK_ATTR_FORM_UPPER ? "0123456789ABCDEF" : "0123456789abcdef")[digit & 15];
}

static char letter_of(char mark, unsigned letter)
{
    return (mark == TK_ATTR_FORM_CAPITAL ? "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         : "abcdefghijklmnopqrstuvwxyz")[letter];
}

/* The mark that `c` asks for where `mark` was enough so far; 0 = none is. */
static char widen(char mark, char c)
{
    if (digit_of(mark, c) < (mark == TK_ATTR_FORM_DECIMAL ? 10U : 16U))
        return mark;
    if (mark != TK_ATTR_FORM_DECIMAL)
        return 0;
    if (digit_of(TK_ATTR_FORM_LOWER, c) < 16)
        return TK_ATTR_FORM_LOWER;
    return digit_of(TK_ATTR_FORM_UPPER, c) < 16 ? TK_ATTR_FORM_UPPER : 0;
}

static bool is_mark(char c)
{
    return c >= TK_ATTR_FORM_LOWER && c <= TK_ATTR_FORM_CAPITAL;
}

/* Make `form` fit one more value. */
static bool fit(char *form, tk_str first, tk_str value)
{
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (form[i] == c && !is_mark(c))
            continue;
        if (!is_mark(form[i])) {
            char mark = widen(TK_ATTR_FORM_DECIMAL, first.p[i]);
            form[i] = mark;
            if (mark == 0)
                return false;
        }
        form[i] = widen(form[i], c);
        if (form[i] == 0)
            return false;
    }
    return true;
}

/* The form of a first value: where values are to be made up none of its digits stays. False when
 * it cannot be told from what stands for digits. */
static bool begin_form(char *form, tk_str first, bool is_drawn)
{
    for (size_t i = 0; i < first.n; i++) {
        form[i] = first.p[i];
        if (is_mark(form[i]))
            return false;
        if (is_drawn && widen(TK_ATTR_FORM_DECIMAL, first.p[i]) != 0)
            form[i] = widen(TK_ATTR_FORM_DECIMAL, first.p[i]);
    }
    return true;
}

/* The common form of all values of a column; false when they are no ids. */
static bool find_form(const struct tk_attr_model *model, const struct tk_attr_column *column,
                      char *form, size_t *ret_n)
{
    tk_str first = tk_texts_get(&model->texts, (uint32_t)model->values[column->first]);
    size_t digits = 0;
    bool is_drawn = column->wish == TK_CODEC_KEY_DRAWN;
    bool is_few = column->count <= ID_DISTINCT || first.n < ID_DIGITS;
    if ((is_few && !is_drawn) || first.n > TK_ATTR_FORM_MAX || !begin_form(form, first, is_drawn))
        return false;
    for (uint32_t v = 1; v < column->count; v++) {
        tk_str value = tk_texts_get(&model->texts, (uint32_t)model->values[column->first + v]);
        if (value.n != first.n || !fit(form, first, value))
            return false;
    }
    for (size_t i = 0; i < first.n; i++)
        digits += is_mark(form[i]);
    *ret_n = first.n;
    return digits >= (is_drawn ? 1 : ID_DIGITS);
}

void tk_attr_draw_id(tk_str form, uint64_t bits, char *ret)
{
    uint64_t left = bits;
    unsigned used = 0;
    for (size_t i = 0; i < form.n; i++) {
        ret[i] = form.p[i];
        if (!is_mark(form.p[i]))
            continue;
        if (++used % 12 == 0)
            left = bits = tk_draw_round(bits + used);
        bool is_letter = form.p[i] >= TK_ATTR_FORM_SMALL;
        unsigned base = is_letter ? 26 : form.p[i] == TK_ATTR_FORM_DECIMAL ? 10 : 16;
        unsigned digit = (unsigned)(left % base);
        if (is_letter) {
            ret[i] = letter_of(form.p[i], digit);
        } else {
            ret[i] = byte_of(form.p[i], digit);
        }
        left /= base;
    }
}

/* Digits one by one: those of equal meaning in all values cost what they tell. */
static int code_id(struct tk_attr_model *model, struct tk_coder *coder, struct tk_bit (*models)[16],
                   tk_str form, uint64_t *value)
{
    char text[TK_ATTR_FORM_MAX];
    bool is_encoder = coder->mode != TK_CODER_DECODE;
    tk_str own = is_encoder ? tk_texts_get(&model->texts, (uint32_t)*value) : form;
    for (size_t i = 0; i < form.n; i++) {
        char mark = form.p[i];
        text[i] = mark;
        if (!is_mark(mark))
            continue;
        unsigned digit = is_encoder ? digit_of(mark, own.p[i]) : 0;
        text[i] = byte_of(mark, tk_code_tree(coder, models[i], 4, digit));
    }
    if (!is_encoder)
        *value = tk_texts_append(&model->texts, (tk_str){text, form.n});
    return *value == TK_TEXTS_NONE ? -EMSGSIZE : 0;
}

/* Classes -------------------------------------------------------------------------------------- */

/* Distances are shorter than the numbers themselves. */
static bool is_delta(const struct tk_attr_model *model, const struct tk_attr_column *column)
{
    uint64_t plain = 0;
    uint64_t delta = 0;
    uint64_t last = 0;
    for (uint32_t v = 0; v < column->count; v++) {
        uint64_t value = model->values[column->first + v];
        plain += (uint64_t)__builtin_clzll(tk_zigzag((int64_t)value) | 1);
        delta += (uint64_t)__builtin_clzll(tk_zigzag((int64_t)(value - last)) | 1);
        last = value;
    }
    return delta > plain;
}

/* What is looked at to choose. */
struct choosing {
    struct tk_attr_model *model;
    const uint32_t *uses;
    struct tk_buf pattern;
    struct tk_buf places;
};

static int add_uses(struct tk_map *map, uint32_t text, uint32_t uses)
{
    uint32_t sum = 0;
    (void)tk_map_find(map, text, &sum);
    return tk_map_add(map, text, sum > UINT32_MAX - uses ? UINT32_MAX : sum + uses);
}

/* Add the tokens of a text that so many spans have. */
static int count_tokens(struct choosing *choosing, tk_str text, uint32_t uses)
{
    struct tk_attr_model *model = choosing->model;
    size_t n = choosing->places.n / sizeof(struct tk_token_place);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct tk_token_place place;
        memcpy(&place, choosing->places.p + i * sizeof(place), sizeof(place));
        uint32_t id = tk_texts_add(&model->texts, (tk_str){text.p + place.offset, place.n});
        if (id == TK_TEXTS_NONE)
            return -EMSGSIZE;
        rc = add_uses(&model->token_uses, id, uses);
    }
    return rc;
}

/* The pattern of value `v`, and where its tokens are. */
static int split_value(struct choosing *choosing, const struct tk_attr_column *column, uint32_t v,
                       tk_str *ret_text, uint32_t *ret_pattern)
{
    struct tk_attr_model *model = choosing->model;
    tk_buf_reset(&choosing->pattern);
    tk_buf_reset(&choosing->places);
    *ret_text = tk_texts_get(&model->texts, (uint32_t)model->values[column->first + v]);
    tk_token_split(*ret_text, &choosing->pattern, &choosing->places);
    *ret_pattern = tk_texts_add(&model->texts, tk_buf_str(&choosing->pattern));
    return *ret_pattern == TK_TEXTS_NONE || !tk_buf_ok(&choosing->places) ? -EMSGSIZE : 0;
}

/* Texts of a column are patterns and tokens when there are four times as many as patterns. */
static int look_for_patterns(struct choosing *choosing, const struct tk_attr_column *column,
                             bool *ret_found)
{
    struct tk_map own = {0};
    int rc = 0;
    for (uint32_t v = 0; rc == 0 && v < column->count && own.count * 4 <= column->count; v++) {
        tk_str text;
        uint32_t pattern;
        rc = split_value(choosing, column, v, &text, &pattern);
        rc = rc < 0 ? rc : tk_map_add(&own, pattern, 0);
    }
    *ret_found = own.count * 4 <= column->count;
    tk_map_release(&own);
    return rc;
}

static int choose_tokens(struct choosing *choosing, struct tk_attr_column *column)
{
    bool found = false;
    int rc = 0;
    if (!column->is_chosen && column->count >= MANY_TEXTS)
        rc = look_for_patterns(choosing, column, &found);
    if (!column->is_chosen)
        column->attr_class = found ? TK_ATTR_CLASS_TOKENS : TK_ATTR_CLASS_TEXT;
    if (rc < 0 || column->attr_class == TK_ATTR_CLASS_TEXT)
        return rc;
    for (uint32_t v = 0; rc == 0 && v < column->count; v++) {
        tk_str text;
        uint32_t pattern;
        rc = split_value(choosing, column, v, &text, &pattern);
        uint32_t uses = choosing->uses[column->first + v];
        rc = rc < 0 ? rc : count_tokens(choosing, text, uses);
        rc = rc < 0 ? rc : add_uses(&choosing->model->pattern_uses, pattern, uses);
    }
    return rc;
}

static int set_form(struct tk_attr_model *model, struct tk_attr_column *column, tk_str form)
{
    uint32_t id = tk_texts_add(&model->texts, form);
    if (id == TK_TEXTS_NONE)
        return -EMSGSIZE;
    column->form = tk_texts_get(&model->texts, id);
    return 0;
}

/* As the user wishes: exact ids or whole texts, or values that are all made up. */
static int choose_wish(struct tk_attr_model *model, struct tk_attr_column *column,
                       struct tk_err *err)
{
    char form[TK_ATTR_FORM_MAX];
    size_t n = 0;
    bool has_form =
        column->type == TK_ATTR_STRING && column->count > 0 && find_form(model, column, form, &n);
    bool is_drawn = column->wish == TK_CODEC_KEY_DRAWN;
    if (is_drawn && !has_form) {
        tk_str key = tk_texts_get(&model->texts, column->key);
        return tk_fail(err, -EINVAL,
                       "attribute '%.*s' cannot be made up: its values are no texts of digits of "
                       "one form; leave it out, or keep it exact",
                       TK_STR_ARG(key));
    }
    column->attr_class = is_drawn   ? TK_ATTR_CLASS_DRAWN
                         : has_form ? TK_ATTR_CLASS_ID
                                    : TK_ATTR_CLASS_TEXT;
    return has_form ? set_form(model, column, (tk_str){form, n}) : 0;
}

static int choose(struct choosing *choosing, struct tk_attr_column *column, bool exact,
                  struct tk_err *err)
{
    char form[TK_ATTR_FORM_MAX];
    struct tk_attr_model *model = choosing->model;
    size_t n = 0;
    bool is_text = tk_attr_column_is_text(column);
    if (column->wish == TK_CODEC_KEY_DRAWN || (is_text && column->wish != TK_CODEC_KEY_ANY))
        return choose_wish(model, column, err);
    if (!is_text) {
        column->attr_class = TK_ATTR_CLASS_NUMBER;
        column->is_delta = column->type != TK_ATTR_DOUBLE && is_delta(model, column);
        return 0;
    }
    bool can_be_id = column->is_chosen ? column->attr_class == TK_ATTR_CLASS_DRAWN
                                       : column->type == TK_ATTR_STRING;
    if (!can_be_id || !find_form(model, column, form, &n))
        return choose_tokens(choosing, column);
    column->attr_class = exact ? TK_ATTR_CLASS_ID : TK_ATTR_CLASS_DRAWN;
    return set_form(model, column, (tk_str){form, n});
}

int tk_attr_choose_classes(struct tk_attr_model *model, const uint32_t *uses, bool exact,
                           struct tk_err *err)
{
    struct choosing choosing = {.model = model, .uses = uses};
    int rc = 0;
    tk_buf_init(&choosing.pattern, TEXT_MAX);
    tk_buf_init(&choosing.places, TEXT_MAX);
    for (uint32_t i = 0; rc == 0 && i < model->column_count; i++)
        rc = choose(&choosing, &model->columns[i], exact, err);
    model->max_patterns = (uint32_t)model->pattern_uses.count;
    model->max_tokens = (uint32_t)model->token_uses.count;
    tk_buf_release(&choosing.pattern);
    tk_buf_release(&choosing.places);
    if (rc == -ENOMEM)
        return tk_fail(err, rc, "attributes of a block: out of memory");
    if (rc == -EINVAL)
        return rc;
    return rc < 0 ? tk_fail(err, rc, "attributes of a block: more than 1 GiB of texts") : 0;
}

uint32_t tk_attr_pattern_uses(const struct tk_attr_model *model, tk_str text)
{
    struct tk_buf pattern;
    struct tk_buf places;
    uint32_t uses = 0;
    tk_buf_init(&pattern, TEXT_MAX);
    tk_buf_init(&places, TEXT_MAX);
    tk_token_split(text, &pattern, &places);
    uint32_t id = tk_texts_find(&model->texts, tk_buf_str(&pattern));
    if (id != TK_TEXTS_NONE)
        (void)tk_map_find(&model->pattern_uses, id, &uses);
    tk_buf_release(&pattern);
    tk_buf_release(&places);
    return uses;
}

/* Words ---------------------------------------------------------------------------------------- */

void tk_attr_words_init(struct tk_attr_words *words, struct tk_texts *texts,
                        const struct tk_texts *known, uint32_t next)
{
    *words = (struct tk_attr_words){texts, known, next, TK_BIT_NEW};
}

uint32_t tk_attr_code_word(struct tk_attr_words *words, struct tk_coder *coder, tk_str text)
{
    uint32_t id = 0;
    if (coder->mode != TK_CODER_DECODE)
        id = tk_texts_add(words->texts, text);
    if (tk_code_bit(coder, &words->is_next, id == words->next))
        return words->next++;
    unsigned bits = words->next > 1 ? 32 - (unsigned)__builtin_clz(words->next - 1) : 0;
    return tk_code_raw(coder, id, bits);
}

/* Columns -------------------------------------------------------------------------------------- */

struct column_models {
    struct tk_token_coder tokens;
    struct tk_buf text; /* decoder: that is put together */
    bool has_tokens;
    struct tk_exp_models limits;
    struct tk_exp_models counts, numbers;
    struct tk_bit types[8], classes[8], delta;
    struct tk_bit id[TK_ATTR_FORM_MAX][16];
};

static int bad(struct tk_err *err)
{
    return tk_fail(err, -EBADMSG, "attributes: values of keys are damaged");
}

static int code_text(struct tk_attr_model *model, struct tk_coder *coder,
                     struct tk_attr_words *words, uint64_t *value)
{
    bool is_encoder = coder->mode != TK_CODER_DECODE;
    tk_str text = is_encoder ? tk_texts_get(&model->texts, (uint32_t)*value) : TK_STR("");
    uint32_t id = tk_attr_code_word(words, coder, text);
    if (id >= words->known->count)
        return is_encoder ? -EMSGSIZE : -EBADMSG;
    if (!is_encoder)
        *value = id;
    return 0;
}

/* Whether a token is made up: too few spans have it. */
static bool is_drawn(const void *context, tk_str token)
{
    const struct tk_attr_model *model = context;
    uint32_t uses = 0;
    uint32_t id = tk_texts_find(&model->texts, token);
    if (id != TK_TEXTS_NONE)
        (void)tk_map_find(&model->token_uses, id, &uses);
    return uses < model->min_uses || (uses < model->min_id_uses && tk_token_is_id(token));
}

static int code_tokens(struct tk_attr_model *model, struct tk_coder *coder,
                       struct tk_attr_words *words, struct column_models *models,
                       struct tk_attr_column *column, uint64_t *value)
{
    bool is_encoder = coder->mode != TK_CODER_DECODE;
    struct tk_token_text text = {
        .column = (uint32_t)(column - model->columns), .is_drawn = is_drawn, .context = model};
    if (!models->has_tokens)
        return -EBADMSG;
    if (is_encoder)
        text.text = tk_texts_get(&model->texts, (uint32_t)*value);
    tk_buf_reset(&models->text);
    models->tokens.has_drawn = false;
    int rc = tk_token_code(&models->tokens, coder, words, &text, &models->text);
    column->is_inexact = column->is_inexact || models->tokens.has_drawn;
    if (rc == 0 && !is_encoder) {
        *value = tk_texts_append(&model->texts, tk_buf_str(&models->text));
        rc = *value == TK_TEXTS_NONE ? -EMSGSIZE : 0;
    }
    return rc;
}

/* The values of a column; what its class needs is known. */
static int code_values(struct tk_attr_model *model, struct tk_coder *coder,
                       struct tk_attr_words *words, struct column_models *models,
                       struct tk_attr_column *column)
{
    uint64_t last = 0;
    int rc = 0;
    tk_exp_models_init(&models->numbers);
    tk_bits_init(&models->id[0][0], sizeof(models->id) / sizeof(struct tk_bit));
    for (uint32_t v = 0; rc == 0 && v < column->count; v++) {
        uint64_t *value = &model->values[column->first + v];
        if (column->attr_class == TK_ATTR_CLASS_TEXT) {
            rc = code_text(model, coder, words, value);
        } else if (column->attr_class == TK_ATTR_CLASS_ID) {
            rc = code_id(model, coder, models->id, column->form, value);
        } else if (column->attr_class == TK_ATTR_CLASS_TOKENS) {
            rc = code_tokens(model, coder, words, models, column, value);
        } else {
            uint64_t coded = tk_zigzag((int64_t)(*value - last));
            *value = last + (uint64_t)tk_unzigzag(tk_code_exp(coder, &models->numbers, coded));
            last = column->is_delta ? *value : 0;
        }
        if (tk_coder_is_over(coder))
            rc = -EBADMSG;
    }
    return rc;
}

static int code_head(struct tk_attr_model *model, struct tk_coder *coder,
                     struct tk_attr_words *words, struct column_models *models,
                     struct tk_attr_column *column, struct tk_err *err)
{
    bool is_encoder = coder->mode != TK_CODER_DECODE;
    tk_str key = is_encoder ? tk_texts_get(&model->texts, column->key) : TK_STR("");
    uint32_t id = tk_attr_code_word(words, coder, key);
    column->type = (uint8_t)tk_code_tree(coder, models->types, 3, column->type);
    column->attr_class = (uint8_t)tk_code_tree(coder, models->classes, 3, column->attr_class);
    uint64_t count = tk_code_exp(coder, &models->counts, column->count);
    bool is_text = tk_attr_column_is_text(column);
    bool is_number = column->attr_class == TK_ATTR_CLASS_NUMBER;
    if (id >= words->known->count || count > model->max_values - column->first ||
        column->attr_class >= TK_ATTR_CLASS_COUNT || is_text == is_number ||
        tk_coder_is_over(coder))
        return bad(err);
    column->count = (uint32_t)count;
    column->word = id;
    if (is_number)
        column->is_delta = tk_code_bit(coder, &models->delta, column->is_delta);
    if (column->attr_class == TK_ATTR_CLASS_ID || column->attr_class == TK_ATTR_CLASS_DRAWN) {
        id = tk_attr_code_word(words, coder, column->form);
        if (id >= words->known->count || tk_texts_get(words->known, id).n > TK_ATTR_FORM_MAX)
            return bad(err);
        column->form = tk_texts_get(words->known, id);
    }
    return 0;
}

static int code_column(struct tk_attr_model *model, struct tk_coder *coder,
                       struct tk_attr_words *words, struct column_models *models,
                       struct tk_attr_column *column, struct tk_err *err)
{
    bool is_encoder = coder->mode != TK_CODER_DECODE;
    if (!is_encoder) {
        *column = (struct tk_attr_column){
            .first = model->value_count, .last_trace = UINT32_MAX, .seen_trace = UINT32_MAX};
    }
    uint64_t from = tk_attr_position(coder);
    int rc = code_head(model, coder, words, models, column, err);
    if (rc == 0 && column->attr_class != TK_ATTR_CLASS_DRAWN) {
        rc = code_values(model, coder, words, models, column);
        if (rc == -EMSGSIZE)
            return tk_fail(err, rc, "attributes of a block: its dictionary is full");
        if (rc < 0)
            return bad(err);
        model->value_count += is_encoder ? 0 : column->count;
    }
    column->value_bits = tk_attr_position(coder) - from;
    return rc;
}

/* How many patterns and tokens there are; and what codes them. */
static int open_tokens(struct tk_attr_model *model, struct tk_coder *coder,
                       struct column_models *models, struct tk_err *err)
{
    tk_exp_models_init(&models->limits);
    models->tokens = (struct tk_token_coder){0};
    tk_buf_init(&models->text, TEXT_MAX);
    uint64_t patterns = tk_code_exp(coder, &models->limits, model->max_patterns);
    uint64_t tokens = tk_code_exp(coder, &models->limits, model->max_tokens);
    models->has_tokens = patterns > 0;
    if (patterns > TK_ATTR_MAX || tokens > TK_ATTR_MAX)
        return bad(err);
    if (!models->has_tokens)
        return 0;
    int rc = tk_token_coder_init(&models->tokens, &model->texts, err);
    models->tokens.max_patterns = (uint32_t)patterns;
    models->tokens.max_tokens = tokens > 0 ? (uint32_t)tokens : 1;
    models->tokens.draw_key = model->draw_key;
    return rc;
}

int tk_attr_code_columns(struct tk_attr_model *model, struct tk_coder *coder,
                         struct tk_attr_words *words, const struct tk_attr_limits *limits,
                         struct tk_err *err)
{
    struct column_models models;
    tk_exp_models_init(&models.counts);
    tk_bits_init(models.types, TK_COUNTOF(models.types));
    tk_bits_init(models.classes, TK_COUNTOF(models.classes));
    models.delta = TK_BIT_NEW;
    uint64_t count = tk_code_exp(coder, &models.counts, model->column_count);
    if (count > limits->columns)
        return bad(err);
    if (coder->mode == TK_CODER_DECODE)
        model->value_count = 0;
    model->column_count = (uint32_t)count;
    int rc = open_tokens(model, coder, &models, err);
    for (uint32_t i = 0; rc == 0 && i < model->column_count; i++)
        rc = code_column(model, coder, words, &models, &model->columns[i], err);
    tk_token_coder_release(&models.tokens);
    tk_buf_release(&models.text);
    return rc;
}
