/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tkz_input.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/tkz_file.h"

struct tkz_input {
    struct tk_import_text text;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    const struct tk_span_rows *rows; /* waiting to be taken; NULL = none */
    size_t at;                       /* of them */
    bool is_over, is_cancelled;
    int rc; /* of decoding */
    struct tk_err err;
    struct tk_codec_losses losses;
};

/* The side of the decoder ---------------------------------------------------------------------- */

static int offer(void *context, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct tkz_input *input = context;
    (void)pthread_mutex_lock(&input->lock);
    input->rows = rows;
    input->at = 0;
    (void)pthread_cond_broadcast(&input->changed);
    while (input->rows && !input->is_cancelled)
        (void)pthread_cond_wait(&input->changed, &input->lock);
    bool cancelled = input->is_cancelled;
    (void)pthread_mutex_unlock(&input->lock);
    return cancelled ? tk_fail(err, -ECANCELED, "nobody reads on") : 0;
}

static void *decode(void *context)
{
    struct tkz_input *input = context;
    const struct tk_span_sink sink = {offer, input};
    const struct tk_codec_decoding decoding = {.threads = tk_tkz_threads(0)};
    struct tk_err err = {0};
    struct tk_codec_losses losses;
    int rc = tk_codec_decode(&decoding, input->text.text, &sink, &losses, &err);
    (void)pthread_mutex_lock(&input->lock);
    input->is_over = true;
    input->rc = rc;
    input->err = err;
    input->losses = losses;
    (void)pthread_cond_broadcast(&input->changed);
    (void)pthread_mutex_unlock(&input->lock);
    return NULL;
}

/* The side of the reader ----------------------------------------------------------------------- */

static void close_input(void *state)
{
    struct tkz_input *input = state;
    if (!input)
        return;
    (void)pthread_mutex_lock(&input->lock);
    input->is_cancelled = true;
    (void)pthread_cond_broadcast(&input->changed);
    (void)pthread_mutex_unlock(&input->lock);
    if (input->has_thread)
        (void)pthread_join(input->thread, NULL);
    (void)pthread_cond_destroy(&input->changed);
    (void)pthread_mutex_destroy(&input->lock);
    tk_import_text_release(&input->text);
    free(input);
}

static int open_input(const struct tk_span_input_options *options, const char *path,
                      void **ret_state, struct tk_err *err)
{
    struct tkz_input *input = calloc(1, sizeof(*input));
    (void)options;
    if (!input)
        return tk_fail(err, -ENOMEM, "out of memory");
    (void)pthread_mutex_init(&input->lock, NULL);
    (void)pthread_cond_init(&input->changed, NULL);
    struct tk_codec_info info;
    int rc = tk_tkz_open(path, &input->text, err);
    if (rc == 0 && tk_codec_info_read(input->text.text, &info, err) < 0)
        rc = tk_err_prefix(err, "%s", path);
    if (rc == 0) {
        rc = -pthread_create(&input->thread, NULL, decode, input);
        input->has_thread = rc == 0;
        rc = rc < 0 ? tk_fail_code(err, rc, "thread of the decoder") : 0;
    }
    if (rc < 0) {
        close_input(input);
    } else {
        *ret_state = input;
    }
    return rc;
}

/* Take rows as far as they fit. */
static int take(struct tkz_input *input, struct tk_span_batch *batch, struct tk_err *err)
{
    struct tk_span_copy *copy = NULL;
    int rc = tk_span_copy_new(batch, input->rows->batch, &copy, err);
    while (rc == 0 && input->at < input->rows->n) {
        rc = tk_span_copy_row(copy, tk_span_rows_at(input->rows, input->at));
        input->at += rc == 0;
    }
    tk_span_copy_free(copy);
    if (rc == 0)
        input->rows = NULL;
    return rc == -ENOBUFS ? 0 : rc;
}

static int read_input(void *state, struct tk_span_batch *batch, struct tk_span_tally *tally,
                      struct tk_err *err)
{
    struct tkz_input *input = state;
    size_t before = batch->rows;
    int rc = 0;
    (void)pthread_mutex_lock(&input->lock);
    while (!input->rows && !input->is_over)
        (void)pthread_cond_wait(&input->changed, &input->lock);
    if (input->rows) {
        rc = take(input, batch, err);
        (void)pthread_cond_broadcast(&input->changed);
    } else if (input->rc < 0) {
        *err = input->err;
        rc = input->rc;
    } else {
        rc = 1;
    }
    (void)pthread_mutex_unlock(&input->lock);
    tally->spans += batch->rows - before;
    return rc;
}

/* What could not be given back; read when the input is at its end. */
static const char *tell_losses(const void *state)
{
    const struct tkz_input *input = state;
    return tk_codec_losses_any(&input->losses) ? "is damaged: see tracekit expand" : NULL;
}

const struct tk_span_input_kind tk_tkz_input_kind = {.name = "tkz",
                                                     .detect = tk_tkz_detect,
                                                     .open = open_input,
                                                     .read = read_input,
                                                     .first_bad = tell_losses,
                                                     .close = close_input};
