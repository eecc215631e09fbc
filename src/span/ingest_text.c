/* SPDX-License-Identifier: Apache-2.0 */
#include "span/ingest_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FORMAT_MAX   8192
#define VARIABLE_MAX 128

struct text_state {
    struct tk_pattern pattern;
    struct tk_keys keys;
    struct tk_arena scratch; /* decoded texts of one line */
    bool has_escapes;
    char format[FORMAT_MAX]; /* the pattern's views point here */
    char trace_id[VARIABLE_MAX];
};

/* What the variables tell: the one with the trace id comes first. */
static int init_keys(struct text_state *state, const struct tk_ingest_text *about,
                     struct tk_err *err)
{
    struct tk_key table[TK_KEYS_MAX];
    size_t count = 0;
    if (about->trace_id) {
        (void)snprintf(state->trace_id, sizeof(state->trace_id), "%s", about->trace_id);
        table[count++] = (struct tk_key){state->trace_id, TK_FIELD_TRACE_ID, TK_UNIT_NONE};
    }
    for (size_t i = 0; i < about->variable_count && count < TK_KEYS_MAX; i++)
        table[count++] = about->variables[i];
    int rc = tk_keys_init(&state->keys, table, count, NULL, 0, err);
    state->keys.any_case = about->style == TK_PATTERN_ENVOY;
    return rc;
}

static int init(struct text_state *state, const struct tk_ingest_text *about,
                const struct tk_ingest_options *options, struct tk_err *err)
{
    const char *format = options->format ? options->format : about->usual;
    if (snprintf(state->format, sizeof(state->format), "%s", format) >= FORMAT_MAX)
        return tk_fail(err, -EINVAL, "format: longer than %d bytes", FORMAT_MAX);
    int rc = tk_arena_init(&state->scratch, 2 * TK_INGEST_RECORD_MAX, err);
    if (rc == 0)
        rc = init_keys(state, about, err);
    if (rc == 0) {
        rc = tk_pattern_init(&state->pattern, about->style, tk_str_from(state->format),
                             &state->keys, err);
    }
    if (rc == 0 && !options->format)
        state->pattern.required -= about->optional;
    state->has_escapes = about->has_escapes;
    return rc;
}

int tk_ingest_text_open(const struct tk_ingest_text *about, const struct tk_ingest_options *options,
                        void **ret_state, struct tk_err *err)
{
    struct text_state *state = calloc(1, sizeof(*state));
    if (!state)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = init(state, about, options, err);
    if (rc < 0) {
        tk_ingest_text_close(state);
        return rc;
    }
    *ret_state = state;
    return 0;
}

int tk_ingest_text_read(void *state, tk_str record, struct tk_call *call, struct tk_err *err)
{
    struct text_state *text = state;
    if (record.n == 0)
        return TK_INGEST_OTHER;
    tk_arena_reset(&text->scratch);
    return tk_pattern_read(&text->pattern, record, text->has_escapes ? &text->scratch : NULL, call,
                           err);
}

void tk_ingest_text_close(void *state)
{
    struct text_state *text = state;
    tk_arena_release(&text->scratch);
    free(text);
}
