/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP over HTTP/1.1: one request at a time, never pipelined, so that a slow answer delays no
 * other. Head and body are sent one after the other, the body from where it lies. */
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "load/exchange_internal.h"
#include "load/http_reader.h"

#define HEAD_MAX 4096

struct http {
    struct tk_buf fixed; /* the head up to the length */
    struct tk_buf head;  /* of the present request */
    tk_str body;
    size_t sent; /* bytes of head and body */
    size_t slot;
    bool asked; /* an answer is to come */
    bool closing;
    struct tk_http_reader reader;
    tk_exchange_answer_fn on_answer;
    void *user;
};

static void http_close(void *state)
{
    struct http *http = state;
    if (!http)
        return;
    tk_buf_release(&http->fixed);
    tk_buf_release(&http->head);
    tk_http_reader_release(&http->reader);
    free(http);
}

static int http_open(const struct tk_exchange_opts *opts, void **ret_state, struct tk_err *err)
{
    struct http *http = calloc(1, sizeof(*http));
    if (!http)
        return tk_fail(err, -ENOMEM, "a connection: out of memory");
    tk_buf_init(&http->fixed, HEAD_MAX);
    tk_buf_init(&http->head, HEAD_MAX);
    tk_http_reader_init(&http->reader);
    http->on_answer = opts->on_answer;
    http->user = opts->user;
    tk_buf_printf(&http->fixed,
                  "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: tracekit/" TK_VERSION "\r\n"
                  "Content-Type: application/%s\r\n%sContent-Length: ",
                  opts->target->path, opts->target->authority, opts->json ? "json" : "x-protobuf",
                  opts->gzip ? "Content-Encoding: gzip\r\n" : "");
    int rc = tk_buf_check(&http->fixed, "the head of a request", err);
    if (rc < 0) {
        http_close(http);
    } else {
        *ret_state = http;
    }
    return rc;
}

static int http_submit(void *state, size_t slot, tk_str body, struct tk_err *err)
{
    struct http *http = state;
    http->body = body;
    http->slot = slot;
    http->sent = 0;
    http->asked = true;
    tk_buf_reset(&http->head);
    tk_buf_put(&http->head, tk_buf_str(&http->fixed));
    tk_buf_printf(&http->head, "%zu\r\n\r\n", body.n);
    return tk_buf_check(&http->head, "the head of a request", err);
}

/* What is left of a text when its first `n` bytes are gone. */
static tk_str behind(tk_str text, size_t n)
{
    return n < text.n ? (tk_str){text.p + n, text.n - n} : (tk_str){text.p, 0};
}

static int http_output(void *state, tk_str ret_pieces[2], struct tk_err *err)
{
    const struct http *http = state;
    (void)err;
    size_t head_n = http->head.n;
    ret_pieces[0] = behind(tk_buf_str(&http->head), http->sent);
    ret_pieces[1] = behind(http->body, http->sent > head_n ? http->sent - head_n : 0);
    return 0;
}

static void http_sent(void *state, size_t n)
{
    struct http *http = state;
    http->sent += n;
}

/* Hand over what the reader has. */
static void answer(struct http *http)
{
    const struct tk_http_reader *reader = &http->reader;
    struct tk_load_answer answer = {
        .json = reader->json,
        .http_status = reader->status,
        .grpc_status = -1,
        .retry_after = tk_str_from(reader->retry_after),
        .body = tk_buf_str(&reader->body),
    };
    bool early = http->sent < http->head.n + http->body.n;
    http->closing = http->closing || !reader->keep_alive || early;
    http->asked = false;
    http->sent = http->head.n + http->body.n;
    http->on_answer(http->user, http->slot, &answer);
    tk_http_reader_reset(&http->reader);
}

static int http_input(void *state, tk_str bytes, struct tk_err *err)
{
    struct http *http = state;
    while (bytes.n > 0) {
        if (!http->asked)
            return tk_fail(err, -EBADMSG, "the receiver answers what nobody asked");
        int rc = tk_http_reader_put(&http->reader, &bytes, err);
        if (rc < 0)
            return rc;
        if (rc > 0)
            answer(http);
    }
    return 0;
}

static int http_end(void *state, struct tk_err *err)
{
    struct http *http = state;
    int rc = tk_http_reader_end(&http->reader, err);
    if (rc > 0)
        answer(http);
    return rc < 0 ? rc : 0;
}

static bool http_is_closing(const void *state)
{
    const struct http *http = state;
    return http->closing;
}

const struct tk_exchange tk_exchange_http = {
    .name = "OTLP/HTTP",
    .open = http_open,
    .close = http_close,
    .submit = http_submit,
    .output = http_output,
    .sent = http_sent,
    .input = http_input,
    .end = http_end,
    .is_closing = http_is_closing,
};
