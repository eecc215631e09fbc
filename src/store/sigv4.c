/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sigv4.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/url.h"

#define ALGORITHM    "AWS4-HMAC-SHA256"
#define SCOPE_MAX    128
#define EXPIRY_MAX_S ((int64_t)7 * 24 * 3600)

void tk_secret_wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

int tk_signer_init(struct tk_signer *signer, const struct tk_credentials *credentials,
                   tk_str region, struct tk_err *err)
{
    const char *token = credentials->session_token;
    *signer = (struct tk_signer){.service = "s3"};
    tk_buf_init(&signer->scratch, (size_t)64 << 10);
    int rc = tk_signer_set_region(signer, region, err);
    if (rc == 0)
        rc = tk_hasher_init(&signer->hasher, err);
    if (rc < 0)
        goto fail;
    signer->access_key = strdup(credentials->access_key);
    signer->secret_key = strdup(credentials->secret_key);
    signer->session_token = token && *token ? strdup(token) : NULL;
    if (signer->access_key && signer->secret_key && (signer->session_token || !token || !*token))
        return 0;
    rc = tk_fail(err, -ENOMEM, "signing: out of memory");

fail:
    tk_signer_release(signer);
    return rc;
}

void tk_signer_release(struct tk_signer *signer)
{
    tk_secret_wipe(&signer->access_key);
    tk_secret_wipe(&signer->secret_key);
    tk_secret_wipe(&signer->session_token);
    explicit_bzero(signer->key, sizeof(signer->key));
    tk_buf_release(&signer->scratch);
    tk_hasher_release(&signer->hasher);
}

int tk_signer_set_region(struct tk_signer *signer, tk_str region, struct tk_err *err)
{
    if (region.n == 0 || !tk_str_to_cstr(region, signer->region, sizeof(signer->region)))
        return tk_fail(err, -EINVAL, "'%.*s' is no region", TK_STR_ARG(region));
    return 0;
}

/* The signing key of a day (YYYYMMDD), kept until day or region change. */
static int derive_key(struct tk_signer *signer, tk_str day, struct tk_err *err)
{
    char scope[sizeof(signer->key_scope)], first[512];
    (void)snprintf(scope, sizeof(scope), "%.*s/%s", TK_STR_ARG(day), signer->region);
    if (strcmp(scope, signer->key_scope) == 0)
        return 0;
    int n = snprintf(first, sizeof(first), "AWS4%s", signer->secret_key);
    if (n < 0 || (size_t)n >= sizeof(first)) {
        explicit_bzero(first, sizeof(first));
        return tk_fail(err, -EINVAL, "the secret key is longer than %zu bytes", sizeof(first) - 5);
    }
    const tk_str steps[] = {day, tk_str_from(signer->region), tk_str_from(signer->service),
                            TK_STR("aws4_request")};
    tk_str key = {first, (size_t)n};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(steps); i++) {
        rc = tk_hasher_hmac(&signer->hasher, key, steps[i], signer->key, err);
        key = (tk_str){(const char *)signer->key, sizeof(signer->key)};
    }
    explicit_bzero(first, sizeof(first));
    if (rc == 0)
        memcpy(signer->key_scope, scope, sizeof(scope));
    return rc;
}

/* Signed headers by name. */
struct headers {
    const struct tk_sigv4_header *sorted[TK_SIGV4_HEADERS_MAX];
    size_t count;
};

static void sort_headers(const struct tk_sigv4_request *request, struct headers *ret)
{
    assert(request->header_count <= TK_SIGV4_HEADERS_MAX);
    ret->count = request->header_count;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct tk_sigv4_header *header = &request->headers[i];
        size_t to = i;
        for (; to > 0 && tk_str_cmp(header->name, ret->sorted[to - 1]->name) < 0; to--)
            ret->sorted[to] = ret->sorted[to - 1];
        ret->sorted[to] = header;
    }
}

static void put_names(struct tk_buf *out, const struct headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (i > 0)
            tk_buf_putc(out, ';');
        tk_buf_put(out, headers->sorted[i]->name);
    }
}

static void put_canonical(struct tk_buf *out, const struct tk_sigv4_request *request,
                          const struct headers *headers)
{
    tk_buf_put(out, request->method);
    tk_buf_putc(out, '\n');
    tk_buf_put(out, request->path);
    tk_buf_putc(out, '\n');
    tk_buf_put(out, request->query);
    tk_buf_putc(out, '\n');
    for (size_t i = 0; i < headers->count; i++) {
        tk_buf_put(out, headers->sorted[i]->name);
        tk_buf_putc(out, ':');
        tk_buf_put(out, headers->sorted[i]->value);
        tk_buf_putc(out, '\n');
    }
    tk_buf_putc(out, '\n');
    put_names(out, headers);
    tk_buf_putc(out, '\n');
    tk_buf_put(out, request->payload_hash);
}

/* "YYYYMMDD/region/s3/aws4_request" */
static tk_str format_scope(const struct tk_signer *signer, const char *date, char buf[SCOPE_MAX])
{
    int n =
        snprintf(buf, SCOPE_MAX, "%.8s/%s/%s/aws4_request", date, signer->region, signer->service);
    return (tk_str){buf, (size_t)n};
}

static int compute_signature(struct tk_signer *signer, const struct tk_sigv4_request *request,
                             const struct headers *headers, char ret_hex[TK_DIGEST_MAX],
                             struct tk_err *err)
{
    char date[TK_TIME_MAX], scope[SCOPE_MAX], hash[TK_DIGEST_MAX], text[512];
    tk_time_format_compact(request->time_ns, date);
    tk_buf_reset(&signer->scratch);
    put_canonical(&signer->scratch, request, headers);
    int rc = tk_buf_check(&signer->scratch, "request to sign", err);
    if (rc == 0)
        rc = tk_hasher_digest(&signer->hasher, tk_buf_str(&signer->scratch), hash, err);
    if (rc == 0)
        rc = derive_key(signer, (tk_str){date, 8}, err);
    if (rc < 0)
        return rc;
    int n = snprintf(text, sizeof(text), ALGORITHM "\n%s\n%.*s\n%s", date,
                     TK_STR_ARG(format_scope(signer, date, scope)), hash);
    unsigned char mac[TK_DIGEST_BYTES];
    tk_str key = {(const char *)signer->key, sizeof(signer->key)};
    rc = tk_hasher_hmac(&signer->hasher, key, (tk_str){text, (size_t)n}, mac, err);
    if (rc == 0)
        tk_digest_format(mac, sizeof(mac), ret_hex);
    return rc;
}

int tk_sigv4_sign(struct tk_signer *signer, const struct tk_sigv4_request *request,
                  struct tk_buf *ret_value, struct tk_err *err)
{
    char signature[TK_DIGEST_MAX], date[TK_TIME_MAX], scope[SCOPE_MAX];
    struct headers headers;
    sort_headers(request, &headers);
    int rc = compute_signature(signer, request, &headers, signature, err);
    if (rc < 0)
        return rc;
    tk_time_format_compact(request->time_ns, date);
    tk_buf_lit(ret_value, ALGORITHM " Credential=");
    tk_buf_puts(ret_value, signer->access_key);
    tk_buf_putc(ret_value, '/');
    tk_buf_put(ret_value, format_scope(signer, date, scope));
    tk_buf_lit(ret_value, ", SignedHeaders=");
    put_names(ret_value, &headers);
    tk_buf_lit(ret_value, ", Signature=");
    tk_buf_puts(ret_value, signature);
    return tk_buf_check(ret_value, "signature", err);
}

int tk_sigv4_presign(struct tk_signer *signer, const struct tk_sigv4_request *request, tk_str host,
                     int64_t seconds, struct tk_buf *ret_query, struct tk_err *err)
{
    if (seconds < 1 || seconds > EXPIRY_MAX_S) {
        return tk_fail(err, -EINVAL, "a signed URL lives 1 to %" PRId64 " s, not %" PRId64,
                       EXPIRY_MAX_S, seconds);
    }
    char date[TK_TIME_MAX], scope[SCOPE_MAX], expires[24], signature[TK_DIGEST_MAX];
    struct tk_buf credential, query;
    tk_buf_init(&credential, 1024);
    tk_buf_init(&query, ret_query->max);
    tk_time_format_compact(request->time_ns, date);
    (void)snprintf(expires, sizeof(expires), "%" PRId64, seconds);
    tk_buf_printf(&credential, "%s/%.*s", signer->access_key,
                  TK_STR_ARG(format_scope(signer, date, scope)));
    const struct tk_url_param params[] = {
        {TK_STR("X-Amz-Algorithm"), TK_STR(ALGORITHM)},
        {TK_STR("X-Amz-Credential"), tk_buf_str(&credential)},
        {TK_STR("X-Amz-Date"), tk_str_from(date)},
        {TK_STR("X-Amz-Expires"), tk_str_from(expires)},
        {TK_STR("X-Amz-SignedHeaders"), TK_STR("host")},
        {TK_STR("X-Amz-Security-Token"), tk_str_from(signer->session_token)},
    };
    tk_url_put_query(&query, params, TK_COUNTOF(params) - (signer->session_token ? 0 : 1));

    const struct tk_sigv4_header signed_host = {TK_STR("host"), host};
    struct tk_sigv4_request whole = *request;
    whole.query = tk_buf_str(&query);
    whole.headers = &signed_host;
    whole.header_count = 1;
    whole.payload_hash = TK_STR(TK_SIGV4_UNSIGNED);
    struct headers headers;
    sort_headers(&whole, &headers);
    int rc = tk_buf_check(&credential, "signed URL", err);
    if (rc == 0)
        rc = compute_signature(signer, &whole, &headers, signature, err);
    if (rc == 0) {
        tk_buf_put(ret_query, whole.query);
        tk_buf_lit(ret_query, "&X-Amz-Signature=");
        tk_buf_puts(ret_query, signature);
        rc = tk_buf_check(ret_query, "signed URL", err);
    }
    tk_buf_release(&credential);
    tk_buf_release(&query);
    return rc;
}
