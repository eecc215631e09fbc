/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/s3_internal.h"

#define CONNECT_TIMEOUT_MS 10000L
#define SLOW_BYTES_PER_S   1L /* less for SLOW_S ends it */
#define SLOW_S             60L
#define REDIRECTS          5L
#define TOKEN_MAX          ((size_t)64 << 10)
#define TOLD_MAX           200 /* bytes of a body that says why not */

struct tk_fetch {
    struct tk_curl curl;
    CURL *easy;
    struct curl_slist *headers;
    struct tk_answer answer;
    struct tk_buf *out; /* of the call at hand */
    struct tk_buf why;  /* body of an answer that is no 200 */
    char error[CURL_ERROR_SIZE];
};

static int add_token(struct tk_fetch *fetch, const char *token, struct tk_err *err)
{
    struct tk_buf line;
    if (!token || !*token)
        return 0;
    tk_buf_init(&line, TOKEN_MAX);
    tk_buf_lit(&line, "Authorization: Bearer ");
    tk_buf_puts(&line, token);
    tk_buf_putc(&line, '\0');
    int rc = tk_buf_check(&line, "token", err);
    if (rc == 0)
        fetch->headers = fetch->curl.slist_append(NULL, line.p);
    if (rc == 0 && !fetch->headers)
        rc = tk_fail(err, -ENOMEM, "out of memory");
    if (line.p)
        explicit_bzero(line.p, line.n);
    tk_buf_release(&line);
    return rc;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl says so */
static size_t on_header(char *p, size_t size, size_t n, void *user)
{
    struct tk_fetch *fetch = user;
    tk_answer_add(&fetch->answer, (tk_str){p, size * n});
    return size * n;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl says so */
static size_t on_body(char *p, size_t size, size_t n, void *user)
{
    struct tk_fetch *fetch = user;
    bool is_good = fetch->answer.status == 200;
    struct tk_buf *to = is_good ? fetch->out : &fetch->why;
    tk_buf_put(to, (tk_str){p, size * n});
    return tk_buf_ok(to) || !is_good ? size * n : 0;
}

static void set_options(struct tk_fetch *fetch)
{
    __typeof__(curl_easy_setopt) *set = fetch->curl.easy_setopt;
    CURL *easy = fetch->easy;
    set(easy, CURLOPT_HTTPHEADER, fetch->headers);
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    set(easy, CURLOPT_FOLLOWLOCATION, 1L);
    set(easy, CURLOPT_MAXREDIRS, REDIRECTS);
    set(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    set(easy, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES_PER_S);
    set(easy, CURLOPT_LOW_SPEED_TIME, SLOW_S);
    set(easy, CURLOPT_ACCEPT_ENCODING, "");
    set(easy, CURLOPT_USERAGENT, "tracekit/" TK_VERSION);
    set(easy, CURLOPT_ERRORBUFFER, fetch->error);
    set(easy, CURLOPT_HEADERFUNCTION, on_header);
    set(easy, CURLOPT_HEADERDATA, fetch);
    set(easy, CURLOPT_WRITEFUNCTION, on_body);
    set(easy, CURLOPT_WRITEDATA, fetch);
}

int tk_fetch_new(const char *token, struct tk_fetch **ret_fetch, struct tk_err *err)
{
    struct tk_fetch *fetch = calloc(1, sizeof(*fetch));
    if (!fetch)
        return tk_fail(err, -ENOMEM, "out of memory");
    tk_buf_init(&fetch->why, TOLD_MAX);
    int rc = tk_curl_load(&fetch->curl, err);
    if (rc < 0) {
        free(fetch);
        return rc;
    }
    fetch->easy = fetch->curl.easy_init();
    rc = fetch->easy ? add_token(fetch, token, err) : tk_fail(err, -ENOMEM, "out of memory");
    if (rc < 0) {
        tk_fetch_free(fetch);
        return rc;
    }
    set_options(fetch);
    *ret_fetch = fetch;
    return 0;
}

void tk_fetch_free(struct tk_fetch *fetch)
{
    if (!fetch)
        return;
    for (struct curl_slist *item = fetch->headers; item; item = item->next)
        explicit_bzero(item->data, strlen(item->data));
    fetch->curl.slist_free_all(fetch->headers);
    if (fetch->easy)
        fetch->curl.easy_cleanup(fetch->easy);
    tk_buf_release(&fetch->why);
    free(fetch);
}

/* What an answer that is no 200 says, in one line. */
static int refuse(struct tk_fetch *fetch, const char *url, struct tk_err *err)
{
    int status = fetch->answer.status;
    int code = status == 404 ? -ENOENT : status == 401 || status == 403 ? -EACCES : -EIO;
    size_t n = 0;
    while (n < fetch->why.n && (unsigned char)fetch->why.p[n] >= 0x20)
        n++;
    return tk_fail(err, code, "GET %s: status %d%s%.*s", url, status, n > 0 ? ": " : "", (int)n,
                   n > 0 ? fetch->why.p : "");
}

int tk_fetch_get(struct tk_fetch *fetch, const char *url, struct tk_buf *out, struct tk_err *err)
{
    fetch->answer = (struct tk_answer){0};
    fetch->out = out;
    fetch->error[0] = '\0';
    tk_buf_reset(&fetch->why);
    fetch->curl.easy_setopt(fetch->easy, CURLOPT_URL, url);
    CURLcode code = fetch->curl.easy_perform(fetch->easy);
    if (!tk_buf_ok(out))
        return tk_buf_check(out, url, err);
    if (code != CURLE_OK) {
        return tk_fail(err, -EIO, "GET %s: %s", url,
                       fetch->error[0] ? fetch->error : fetch->curl.easy_strerror(code));
    }
    return fetch->answer.status == 200 ? 0 : refuse(fetch, url, err);
}
