/* SPDX-License-Identifier: Apache-2.0 */
/* The URL of a request and what is signed of it: any key and parameters become text that decodes to
 * what they were, in the order that signing wants, and stand in the canonical request as they are
 * sent. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/sigv4.h"
#include "store/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tk_signer signer; /* of all runs */

#define MOST_BYTES ((size_t)64 << 10)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static void open_signer(void)
{
    const struct tk_credentials credentials = {"key/+", "secret", "token"};
    struct tk_err err;
    CHECK(signer.access_key || tk_signer_init(&signer, &credentials, TK_STR("eu"), &err) == 0);
}

/* True when the text has but what RFC 3986 leaves alone, `also` and "%XX", and decodes to `raw`. */
static bool stands_for(tk_str encoded, tk_str raw, const char *also)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%";
    static const char upper[] = "0123456789ABCDEF";
    TK_CLEANUP(tk_buf_release) struct tk_buf decoded;
    tk_buf_init(&decoded, MOST_BYTES);
    for (size_t i = 0; i < encoded.n; i++) {
        char c = encoded.p[i];
        CHECK(c && (strchr(plain, c) || strchr(also, c)));
        CHECK(c != '%' || (i + 2 < encoded.n && strchr(upper, encoded.p[i + 1]) &&
                           strchr(upper, encoded.p[i + 2])));
    }
    return tk_url_decode(encoded, &decoded) && tk_str_eq(tk_buf_str(&decoded), raw);
}

/* "name=value&...", in order, of the same bytes as `params`. */
static void check_query(tk_str query, const struct tk_url_param *params, size_t count)
{
    tk_str pair, name, before = TK_STR("");
    bool is_found[TK_URL_PARAMS_MAX] = {false};
    for (size_t n = 0; n < count; n++) {
        size_t i = 0;
        CHECK(tk_str_take_until(&query, '&', &pair) && tk_str_take_until(&pair, '=', &name));
        CHECK(tk_str_cmp(before, name) <= 0);
        while (i < count && (is_found[i] || !stands_for(name, params[i].name, "") ||
                             !stands_for(pair, params[i].value, "")))
            i++;
        CHECK(i < count);
        is_found[i] = true;
        before = name;
    }
    CHECK(query.n == 0);
}

/* What was signed last is the request, line by line. */
static void check_canonical(const struct tk_sigv4_request *request)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf expected;
    tk_buf_init(&expected, MOST_BYTES);
    tk_buf_printf(&expected, "%.*s\n%.*s\n%.*s\n", TK_STR_ARG(request->method),
                  TK_STR_ARG(request->path), TK_STR_ARG(request->query));
    tk_buf_puts(&expected, "host:h\nx-amz-date:d\n\nhost;x-amz-date\n" TK_SIGV4_EMPTY);
    CHECK(tk_str_eq(tk_buf_str(&expected), tk_buf_str(&signer.scratch)));
}

static void check_signing(tk_str path, tk_str query, int64_t time_s)
{
    static const struct tk_sigv4_header headers[] = {{TK_STR("x-amz-date"), TK_STR("d")},
                                                     {TK_STR("host"), TK_STR("h")}};
    struct tk_sigv4_request request = {.method = TK_STR("PUT"),
                                       .path = path,
                                       .query = query,
                                       .headers = headers,
                                       .header_count = TK_COUNTOF(headers),
                                       .payload_hash = TK_STR(TK_SIGV4_EMPTY),
                                       .time_ns = time_s * TK_NS_PER_S};
    TK_CLEANUP(tk_buf_release) struct tk_buf first, again, url;
    struct tk_err err;
    tk_buf_init(&first, MOST_BYTES);
    tk_buf_init(&again, MOST_BYTES);
    tk_buf_init(&url, MOST_BYTES);
    CHECK(tk_sigv4_sign(&signer, &request, &first, &err) == 0);
    check_canonical(&request);
    CHECK(tk_sigv4_presign(&signer, &request, TK_STR("h"), 60, &url, &err) == 0);
    CHECK(tk_sigv4_sign(&signer, &request, &again, &err) == 0);
    CHECK(tk_str_eq(tk_buf_str(&first), tk_buf_str(&again)));
}

/* The key, then names and values in turn, all ended by a byte that UTF-8 does not have. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_url_param params[TK_URL_PARAMS_MAX];
    TK_CLEANUP(tk_buf_release) struct tk_buf path = {0};
    TK_CLEANUP(tk_buf_release) struct tk_buf query = {0};
    tk_str rest = {(const char *)data, size}, key = TK_STR("");
    size_t count = 0;
    if (size > 4096)
        return 0;
    open_signer();
    tk_buf_init(&path, MOST_BYTES);
    tk_buf_init(&query, MOST_BYTES);
    (void)tk_str_take_until(&rest, '\xFF', &key);
    while (count < TK_URL_PARAMS_MAX && tk_str_take_until(&rest, '\xFF', &params[count].name)) {
        params[count].value = TK_STR("");
        (void)tk_str_take_until(&rest, '\xFF', &params[count++].value);
    }
    tk_url_put_path(&path, key);
    CHECK(stands_for(tk_buf_str(&path), key, "/"));
    tk_url_put_query(&query, params, count);
    check_query(tk_buf_str(&query), params, count);
    check_signing(tk_buf_str(&path), tk_buf_str(&query), (int64_t)size * 86400);
    return 0;
}
