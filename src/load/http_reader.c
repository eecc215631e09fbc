/* SPDX-License-Identifier: Apache-2.0 */
#include "load/http_reader.h"

#include <errno.h>
#include <strings.h>

#include "base/number.h"

void tk_http_reader_init(struct tk_http_reader *reader)
{
    *reader = (struct tk_http_reader){0};
    tk_buf_init(&reader->head, TK_HTTP_HEAD_MAX);
    tk_buf_init(&reader->body, TK_HTTP_BODY_KEPT);
}

void tk_http_reader_release(struct tk_http_reader *reader)
{
    tk_buf_release(&reader->head);
    tk_buf_release(&reader->body);
}

void tk_http_reader_reset(struct tk_http_reader *reader)
{
    struct tk_buf head = reader->head;
    struct tk_buf body = reader->body;
    tk_buf_reset(&head);
    tk_buf_reset(&body);
    *reader = (struct tk_http_reader){.head = head, .body = body};
}

/* Headers ---------------------------------------------------------------------------------- */

/* What the head says of the body. */
struct framing {
    bool has_length, chunked, close, keep;
    uint64_t length;
};

static bool is_name(tk_str text, const char *name)
{
    tk_str wanted = tk_str_from(name);
    return text.n == wanted.n && strncasecmp(text.p, wanted.p, wanted.n) == 0;
}

static bool starts_with_name(tk_str text, const char *name)
{
    tk_str wanted = tk_str_from(name);
    return text.n >= wanted.n && strncasecmp(text.p, wanted.p, wanted.n) == 0;
}

static int take_length(struct framing *framing, tk_str value, struct tk_err *err)
{
    uint64_t length;
    if (!tk_parse_u64(value, &length) || (framing->has_length && length != framing->length))
        return tk_fail(err, -EBADMSG, "the answer has a bad Content-Length");
    framing->has_length = true;
    framing->length = length;
    return 0;
}

static int take_header(struct tk_http_reader *reader, struct framing *framing, tk_str line,
                       struct tk_err *err)
{
    size_t colon = tk_str_find(line, ':');
    if (colon == line.n || colon == 0 || line.p[0] == ' ' || line.p[0] == '\t')
        return tk_fail(err, -EBADMSG, "the answer has a header without a name");
    tk_str name = {line.p, colon};
    tk_str value = tk_str_trim((tk_str){line.p + colon + 1, line.n - colon - 1});
    if (is_name(name, "content-length"))
        return take_length(framing, value, err);
    if (is_name(name, "transfer-encoding")) {
        if (!is_name(value, "chunked"))
            return tk_fail(err, -EBADMSG, "the answer has a Transfer-Encoding other than chunked");
        framing->chunked = true;
    } else if (is_name(name, "connection")) {
        framing->close = framing->close || is_name(value, "close");
        framing->keep = framing->keep || is_name(value, "keep-alive");
    } else if (is_name(name, "content-type")) {
        reader->json = starts_with_name(value, "application/json");
    } else if (is_name(name, "retry-after")) {
        (void)tk_str_to_cstr(value, reader->retry_after, sizeof(reader->retry_after));
    }
    return 0;
}

/* "HTTP/1.1 200 OK" */
static int take_status(struct tk_http_reader *reader, tk_str line, bool *ret_old,
                       struct tk_err *err)
{
    tk_str version = {line.p, line.n < 9 ? line.n : 9};
    uint64_t status;
    bool is_old = tk_str_eq(version, TK_STR("HTTP/1.0 "));
    if ((!is_old && !tk_str_eq(version, TK_STR("HTTP/1.1 "))) || line.n < 12 ||
        !tk_parse_u64((tk_str){line.p + 9, 3}, &status) || status < 100 ||
        (line.n > 12 && line.p[12] != ' '))
        return tk_fail(err, -EBADMSG, "the answer is no HTTP/1.1");
    reader->status = (int)status;
    *ret_old = is_old;
    return 0;
}

/* Without the CR that ends a line of HTTP. */
static tk_str without_cr(tk_str line)
{
    return line.n > 0 && line.p[line.n - 1] == '\r' ? (tk_str){line.p, line.n - 1} : line;
}

static enum tk_http_state state_of_body(struct tk_http_reader *reader,
                                        const struct framing *framing)
{
    if (reader->status == 204 || reader->status == 304)
        return TK_HTTP_DONE;
    if (framing->chunked)
        return TK_HTTP_CHUNK_LINE;
    if (!framing->has_length) {
        reader->keep_alive = false;
        return TK_HTTP_UNTIL_CLOSE;
    }
    reader->left = framing->length;
    return framing->length > 0 ? TK_HTTP_LENGTH : TK_HTTP_DONE;
}

/* The head is whole: go on with what follows it. */
static int read_head(struct tk_http_reader *reader, struct tk_err *err)
{
    struct framing framing = {0};
    tk_str text = tk_buf_str(&reader->head);
    tk_str line;
    bool is_old = false;
    int rc = 0;
    if (tk_str_take_line(&text, &line))
        rc = take_status(reader, without_cr(line), &is_old, err);
    while (rc == 0 && tk_str_take_line(&text, &line) && without_cr(line).n > 0)
        rc = take_header(reader, &framing, without_cr(line), err);
    if (rc < 0)
        return rc;
    if (framing.chunked && framing.has_length)
        return tk_fail(err, -EBADMSG, "the answer has a Content-Length and chunks");
    reader->keep_alive = is_old ? framing.keep : !framing.close;
    tk_buf_reset(&reader->head);
    if (reader->status >= 200) {
        reader->state = state_of_body(reader, &framing);
    } else if (reader->status == 101) {
        return tk_fail(err, -EBADMSG, "the receiver switches to another protocol unasked");
    }
    return 0;
}

/* Pieces ----------------------------------------------------------------------------------- */

/* Move bytes up to and with the next newline to `head`: 1 when it was there. */
static int take_line(struct tk_http_reader *reader, tk_str *bytes, struct tk_err *err)
{
    size_t n = tk_str_find(*bytes, '\n');
    bool whole = n < bytes->n;
    n += whole ? 1 : 0;
    tk_buf_put(&reader->head, (tk_str){bytes->p, n});
    *bytes = (tk_str){bytes->p + n, bytes->n - n};
    if (!tk_buf_ok(&reader->head)) {
        return tk_fail(err, -EBADMSG, "the answer has headers of more than %d bytes",
                       TK_HTTP_HEAD_MAX);
    }
    return whole;
}

/* The last line of `head` is empty. */
static bool head_is_whole(const struct tk_buf *head)
{
    tk_str text = tk_buf_str(head);
    return tk_str_ends_with(text, TK_STR("\n\r\n")) || tk_str_ends_with(text, TK_STR("\n\n"));
}

static int put_head(struct tk_http_reader *reader, tk_str *bytes, struct tk_err *err)
{
    int rc = take_line(reader, bytes, err);
    if (rc <= 0)
        return rc;
    return head_is_whole(&reader->head) ? read_head(reader, err) : 0;
}

static void put_body(struct tk_http_reader *reader, tk_str *bytes, uint64_t most)
{
    size_t n = bytes->n < most ? bytes->n : (size_t)most;
    size_t room = TK_HTTP_BODY_KEPT - reader->body.n;
    tk_buf_put(&reader->body, (tk_str){bytes->p, n < room ? n : room});
    *bytes = (tk_str){bytes->p + n, bytes->n - n};
    reader->left -= n;
}

/* "1a;name=value" in hexadecimal. */
static int read_chunk_size(struct tk_http_reader *reader, tk_str line, struct tk_err *err)
{
    uint64_t size = 0;
    size_t digits = 0;
    for (; digits < line.n && tk_hex_value(line.p[digits]) >= 0 && digits < 12; digits++)
        size = size * 16 + (uint64_t)tk_hex_value(line.p[digits]);
    bool ends = digits == line.n || line.p[digits] == ';' || line.p[digits] == ' ';
    if (digits == 0 || !ends)
        return tk_fail(err, -EBADMSG, "the answer has a chunk without a size");
    reader->left = size;
    reader->state = size > 0 ? TK_HTTP_CHUNK : TK_HTTP_TRAILER;
    return 0;
}

/* A line of the framing of chunks has come. */
static int put_chunk_line(struct tk_http_reader *reader, tk_str *bytes, struct tk_err *err)
{
    int rc = take_line(reader, bytes, err);
    if (rc <= 0)
        return rc;
    tk_str line = tk_buf_str(&reader->head);
    line = without_cr((tk_str){line.p, line.n - 1});
    rc = 0;
    if (reader->state == TK_HTTP_CHUNK_LINE) {
        rc = read_chunk_size(reader, line, err);
    } else if (reader->state == TK_HTTP_CHUNK_END) {
        rc = line.n == 0 ? 0 : tk_fail(err, -EBADMSG, "the answer has a chunk of another size");
        reader->state = TK_HTTP_CHUNK_LINE;
    } else if (line.n == 0) {
        reader->state = TK_HTTP_DONE;
    }
    tk_buf_reset(&reader->head);
    return rc;
}

static int put_some(struct tk_http_reader *reader, tk_str *bytes, struct tk_err *err)
{
    switch (reader->state) {
    case TK_HTTP_HEAD:
        return put_head(reader, bytes, err);
    case TK_HTTP_LENGTH:
        put_body(reader, bytes, reader->left);
        if (reader->left == 0)
            reader->state = TK_HTTP_DONE;
        return 0;
    case TK_HTTP_CHUNK:
        put_body(reader, bytes, reader->left);
        if (reader->left == 0)
            reader->state = TK_HTTP_CHUNK_END;
        return 0;
    case TK_HTTP_UNTIL_CLOSE:
        put_body(reader, bytes, bytes->n);
        return 0;
    case TK_HTTP_CHUNK_LINE:
    case TK_HTTP_CHUNK_END:
    case TK_HTTP_TRAILER:
        return put_chunk_line(reader, bytes, err);
    case TK_HTTP_DONE:
        return 0;
    }
    return 0;
}

int tk_http_reader_put(struct tk_http_reader *reader, tk_str *bytes, struct tk_err *err)
{
    int rc = 0;
    while (rc == 0 && bytes->n > 0 && reader->state != TK_HTTP_DONE)
        rc = put_some(reader, bytes, err);
    return rc < 0 ? rc : reader->state == TK_HTTP_DONE;
}

int tk_http_reader_end(struct tk_http_reader *reader, struct tk_err *err)
{
    if (reader->state == TK_HTTP_UNTIL_CLOSE) {
        reader->state = TK_HTTP_DONE;
        return 1;
    }
    if (reader->state == TK_HTTP_HEAD && reader->head.n == 0 && reader->status == 0)
        return 0;
    return tk_fail(err, -EPIPE, "the connection ended within an answer");
}
