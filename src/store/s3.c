/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 store: what takes one request. Lists and uploads have files of their own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "store/credentials.h"
#include "store/s3_internal.h"

#define MAX_TRIES          8
#define RETRY_BASE_NS      (100 * TK_NS_PER_MS)
#define RETRY_CAP_NS       (20 * TK_NS_PER_S)
#define RETRIES_PER_MINUTE 60
#define IN_FLIGHT          4
#define MULTIPART_BYTES    ((uint64_t)16 << 20)
#define ANSWER_MAX         ((size_t)64 << 10)
#define HASH_CHUNK         ((size_t)256 << 10)

static struct tk_s3 *s3_of(struct tk_store *store)
{
    return (struct tk_s3 *)(void *)store;
}

/* Opening ------------------------------------------------------------------------------------- */

static void s3_close(struct tk_store *store)
{
    struct tk_s3 *s3 = s3_of(store);
    while (s3->idle_count > 0)
        s3->curl.easy_cleanup(s3->idle[--s3->idle_count]);
    if (s3->multi)
        (void)s3->curl.multi_cleanup(s3->multi);
    tk_signer_release(&s3->signer);
    free(s3->ca_file);
    free(s3->client_certificate);
    free(s3->client_key);
    free(s3->proxy);
    free(s3);
}

static bool bucket_ok(tk_str bucket)
{
    for (size_t i = 0; i < bucket.n; i++) {
        char c = bucket.p[i];
        bool is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       ((c == '-' || c == '.' || c == '_') && i > 0);
        if (!is_good)
            return false;
    }
    return bucket.n >= 3 && bucket.n < TK_S3_BUCKET_MAX;
}

/* "//bucket/prefix" */
static int read_address(struct tk_s3 *s3, tk_str rest, struct tk_err *err)
{
    tk_str text = rest, bucket;
    if (!tk_str_take_prefix(&rest, TK_STR("//")) || !tk_str_take_until(&rest, '/', &bucket) ||
        !bucket_ok(bucket)) {
        return tk_fail(err, -EINVAL, "s3:%.*s: expected s3://bucket or s3://bucket/prefix",
                       TK_STR_ARG(text));
    }
    (void)tk_str_to_cstr(bucket, s3->bucket, sizeof(s3->bucket));
    if (tk_str_ends_with(rest, TK_STR("/")))
        rest.n--;
    if (rest.n == 0)
        return 0;
    int n = snprintf(s3->prefix, sizeof(s3->prefix), "%.*s/", TK_STR_ARG(rest));
    if (n < 0 || (size_t)n >= sizeof(s3->prefix)) {
        return tk_fail(err, -ENAMETOOLONG, "s3:%.*s: the prefix is longer than a key may be",
                       TK_STR_ARG(text));
    }
    return 0;
}

static bool copy_text(const char *text, char **ret)
{
    *ret = text ? strdup(text) : NULL;
    return *ret || !text;
}

static int read_options(struct tk_s3 *s3, const struct tk_store_options *options,
                        struct tk_err *err)
{
    struct tk_store_options *own = &s3->store.options;
    *own = *options;
    own->max_tries = own->max_tries > 0 ? own->max_tries : MAX_TRIES;
    own->retry_base_ns = own->retry_base_ns > 0 ? own->retry_base_ns : RETRY_BASE_NS;
    own->retry_cap_ns = own->retry_cap_ns > 0 ? own->retry_cap_ns : RETRY_CAP_NS;
    own->retries_per_minute =
        own->retries_per_minute > 0 ? own->retries_per_minute : RETRIES_PER_MINUTE;
    own->in_flight = own->in_flight > 0 ? own->in_flight : IN_FLIGHT;
    if (own->in_flight > TK_S3_IN_FLIGHT_MAX)
        own->in_flight = TK_S3_IN_FLIGHT_MAX;
    own->multipart_bytes = own->multipart_bytes > 0 ? own->multipart_bytes : MULTIPART_BYTES;
    if (own->multipart_bytes < TK_S3_PART_MIN)
        own->multipart_bytes = TK_S3_PART_MIN;
    own->answer_max = own->answer_max > 0 ? own->answer_max : ANSWER_MAX;
    const char *ca_file = options->ca_file ? options->ca_file : tk_env_find("AWS_CA_BUNDLE");
    bool is_copied = copy_text(ca_file, &s3->ca_file) &&
                     copy_text(options->client_certificate, &s3->client_certificate) &&
                     copy_text(options->client_key, &s3->client_key) &&
                     copy_text(options->proxy, &s3->proxy);
    /* The signer has its own copies, which it wipes. */
    own->endpoint = own->region = own->access_key = own->secret_key = own->session_token = NULL;
    own->ca_file = own->client_certificate = own->client_key = own->proxy = NULL;
    return is_copied ? 0 : tk_fail(err, -ENOMEM, "S3: out of memory");
}

/* The transport does not name a file that it cannot read. */
static int check_ca_file(const struct tk_s3 *s3, struct tk_err *err)
{
    if (!s3->endpoint.is_tls || !s3->ca_file || access(s3->ca_file, R_OK) == 0)
        return 0;
    return tk_fail_errno(err, "S3: certificates (AWS_CA_BUNDLE): %s", s3->ca_file);
}

static int read_access(struct tk_s3 *s3, const struct tk_store_options *options, struct tk_err *err)
{
    struct tk_access access;
    int rc = tk_access_read(options, &access, err);
    if (rc == 0)
        rc = tk_endpoint_parse(tk_str_from(access.endpoint), &s3->endpoint, err);
    if (rc == 0) {
        const struct tk_credentials credentials = {access.access_key, access.secret_key,
                                                   access.session_token};
        rc = tk_signer_init(&s3->signer, &credentials, tk_str_from(access.region), err);
    }
    rc = rc < 0 ? rc : check_ca_file(s3, err);
    if (rc == 0 && options->unsigned_payload && !s3->endpoint.is_tls)
        rc = tk_fail(err, -EINVAL, "S3: bodies that are not hashed go over TLS only");
    tk_access_release(&access);
    return rc;
}

static int s3_open(tk_str rest, const struct tk_store_options *options, struct tk_store **ret_store,
                   struct tk_err *err)
{
    struct tk_s3 *s3 = calloc(1, sizeof(*s3));
    if (!s3)
        return tk_fail(err, -ENOMEM, "S3: out of memory");
    int rc = read_address(s3, rest, err);
    if (rc == 0)
        rc = read_options(s3, options, err);
    if (rc == 0)
        rc = read_access(s3, options, err);
    if (rc == 0)
        rc = tk_curl_load(&s3->curl, err);
    if (rc == 0) {
        s3->multi = s3->curl.multi_init();
        rc = s3->multi ? 0 : tk_fail(err, -ENOMEM, "S3: out of memory");
    }
    if (rc < 0) {
        s3_close(&s3->store);
        return rc;
    }
    *ret_store = &s3->store;
    return 0;
}

/* Writing ------------------------------------------------------------------------------------- */

struct hashing {
    struct tk_digest sha256, md5;
    bool has_md5;
    struct tk_digest *whole;
};

static void add_hash(struct hashing *hashing, tk_str bytes)
{
    tk_digest_add(&hashing->sha256, bytes);
    if (hashing->has_md5)
        tk_digest_add(&hashing->md5, bytes);
    if (hashing->whole)
        tk_digest_add(hashing->whole, bytes);
}

static int hash_range(struct hashing *hashing, struct tk_reader *reader, uint64_t offset,
                      uint64_t bytes, struct tk_err *err)
{
    char *chunk = malloc(HASH_CHUNK);
    int rc = chunk ? 0 : tk_fail(err, -ENOMEM, "S3: out of memory");
    while (rc == 0 && bytes > 0) {
        tk_str piece = TK_STR("");
        rc = tk_reader_read(reader, offset, chunk, bytes < HASH_CHUNK ? (size_t)bytes : HASH_CHUNK,
                            &piece, err);
        if (rc == 0)
            add_hash(hashing, piece);
        offset += piece.n;
        bytes -= piece.n;
    }
    free(chunk);
    return rc;
}

int tk_s3_hash(struct tk_reader *reader, uint64_t offset, uint64_t bytes,
               struct tk_s3_hashes *hashes, struct tk_err *err)
{
    struct hashing hashing = {.whole = hashes->whole};
    struct tk_err ignored;
    int rc = tk_digest_init(&hashing.sha256, TK_DIGEST_SHA256, err);
    hashing.has_md5 =
        hashes->wants_md5 && tk_digest_init(&hashing.md5, TK_DIGEST_MD5, &ignored) == 0;
    if (rc == 0)
        rc = hash_range(&hashing, reader, offset, bytes, err);
    hashes->md5[0] = '\0';
    if (rc == 0)
        tk_digest_take(&hashing.sha256, hashes->sha256);
    if (rc == 0 && hashing.has_md5)
        tk_digest_take(&hashing.md5, hashes->md5);
    tk_digest_release(&hashing.sha256);
    tk_digest_release(&hashing.md5);
    return rc;
}

/* Someone was there before: was it us, in a try whose answer was lost? */
static int check_own(struct tk_store *store, tk_str key, const struct tk_store_put *put,
                     const char *md5)
{
    struct tk_store_object object;
    struct tk_err ignored;
    return tk_s3_head(store, key, &object, &ignored) == 0 && object.size_bytes == put->size_bytes &&
                   strcmp(object.etag, md5) == 0
               ? 0
               : -EEXIST;
}

/* The etag of an object that was put at once is its MD5, unless the server encrypts. */
static int check_etag(const struct tk_s3_exchange *exchange, const char *md5, struct tk_err *err)
{
    const struct tk_answer *answer = &exchange->answer;
    if (!*md5 || answer->is_encrypted || strlen(answer->etag) != strlen(md5) ||
        strcmp(answer->etag, md5) == 0)
        return 0;
    return tk_fail(err, -EIO, "PUT s3://%s/%s: stored with etag %s, but the bytes have %s",
                   exchange->s3->bucket, exchange->request.key, answer->etag, md5);
}

static int put_once(struct tk_s3_exchange *exchange, tk_str key, unsigned flags,
                    struct tk_store_put *ret_put, struct tk_err *err)
{
    struct tk_s3 *s3 = exchange->s3;
    struct tk_s3_request *request = &exchange->request;
    struct tk_s3_hashes hashes = {.wants_md5 = true};
    int rc = tk_s3_hash(request->body, 0, request->body_bytes, &hashes, err);
    if (rc < 0)
        return rc;
    memcpy(ret_put->sha256, hashes.sha256, sizeof(ret_put->sha256));
    (void)snprintf(request->payload_hash, sizeof(request->payload_hash), "%s",
                   s3->store.options.unsigned_payload ? TK_SIGV4_UNSIGNED : hashes.sha256);
    if (flags & TK_STORE_CREATE_ONLY)
        tk_s3_request_add_header(request, TK_STR("If-None-Match"), TK_STR("*"));
    rc = tk_s3_run(s3, exchange, err);
    if (rc == -EEXIST && exchange->is_lost) {
        rc = check_own(&s3->store, key, ret_put, hashes.md5);
    } else if (rc == 0) {
        rc = check_etag(exchange, hashes.md5, err);
    }
    s3->store.counters.refused += rc == -EEXIST;
    (void)snprintf(ret_put->etag, sizeof(ret_put->etag), "%s",
                   *exchange->answer.etag ? exchange->answer.etag : hashes.md5);
    return rc;
}

static int s3_put(struct tk_store *store, tk_str key, struct tk_store_source source, unsigned flags,
                  struct tk_store_put *ret_put, struct tk_err *err)
{
    struct tk_s3 *s3 = s3_of(store);
    TK_CLEANUP(tk_reader_close) struct tk_reader reader;
    int rc = tk_reader_open(&reader, source, err);
    if (rc < 0)
        return rc;
    ret_put->size_bytes = reader.size_bytes;
    if (reader.size_bytes > store->options.multipart_bytes)
        return tk_s3_put_parts(s3, key, &reader, flags, ret_put, err);
    struct tk_s3_exchange exchange = {0};
    rc = tk_s3_request_init(s3, &exchange, "PUT", key, err);
    exchange.request.body = &reader;
    exchange.request.body_bytes = reader.size_bytes;
    if (rc == 0)
        rc = put_once(&exchange, key, flags, ret_put, err);
    tk_s3_exchange_release(&exchange);
    return rc;
}

/* Reading ------------------------------------------------------------------------------------- */

static int s3_get(struct tk_store *store, tk_str key, const struct tk_store_range *range,
                  struct tk_store_sink sink, struct tk_err *err)
{
    struct tk_s3 *s3 = s3_of(store);
    struct tk_s3_exchange exchange = {0};
    int rc = tk_s3_request_init(s3, &exchange, "GET", key, err);
    exchange.request.sink = sink;
    exchange.request.has_range = range != NULL;
    if (range)
        exchange.request.range = *range;
    if (rc == 0)
        rc = tk_s3_run(s3, &exchange, err);
    tk_s3_exchange_release(&exchange);
    return rc;
}

int tk_s3_head(struct tk_store *store, tk_str key, struct tk_store_object *ret_object,
               struct tk_err *err)
{
    struct tk_s3 *s3 = s3_of(store);
    struct tk_s3_exchange exchange = {0};
    int rc = tk_s3_request_init(s3, &exchange, "HEAD", key, err);
    if (rc == 0)
        rc = tk_s3_run(s3, &exchange, err);
    if (rc == 0) {
        ret_object->size_bytes = exchange.answer.length;
        ret_object->modified_ns = exchange.answer.modified_ns;
        memcpy(ret_object->etag, exchange.answer.etag, sizeof(ret_object->etag));
    }
    tk_s3_exchange_release(&exchange);
    return rc;
}

static int s3_delete(struct tk_store *store, tk_str key, struct tk_err *err)
{
    struct tk_s3 *s3 = s3_of(store);
    struct tk_s3_exchange exchange = {0};
    int rc = tk_s3_request_init(s3, &exchange, "DELETE", key, err);
    if (rc == 0)
        rc = tk_s3_run(s3, &exchange, err);
    if (rc == -ENOENT && strcmp(exchange.error.code, "NoSuchBucket") != 0)
        rc = 0;
    tk_s3_exchange_release(&exchange);
    return rc;
}

static int s3_presign(struct tk_store *store, const char *method, tk_str key, int64_t seconds,
                      struct tk_buf *ret_url, struct tk_err *err)
{
    struct tk_s3 *s3 = s3_of(store);
    bool is_virtual = store->options.addressing == TK_STORE_VIRTUAL;
    struct tk_buf host, path;
    if (strcmp(method, "GET") != 0 && strcmp(method, "PUT") != 0)
        return tk_fail(err, -EINVAL, "a signed URL is for GET or PUT, not '%s'", method);
    tk_buf_init(&host, 1024);
    tk_buf_init(&path, (size_t)16 << 10);
    tk_buf_printf(&host, "%s%s%s", is_virtual ? s3->bucket : "", is_virtual ? "." : "",
                  s3->endpoint.host);
    tk_buf_printf(&path, "/%s%s", is_virtual ? "" : s3->bucket, is_virtual ? "" : "/");
    tk_url_put_path(&path, tk_str_from(s3->prefix));
    tk_url_put_path(&path, key);
    tk_buf_printf(ret_url, "%s://%.*s%.*s?", s3->endpoint.is_tls ? "https" : "http",
                  TK_STR_ARG(tk_buf_str(&host)), TK_STR_ARG(tk_buf_str(&path)));
    const struct tk_sigv4_request request = {
        .method = tk_str_from(method), .path = tk_buf_str(&path), .time_ns = tk_s3_now_ns(s3)};
    int rc = tk_buf_check(&path, "signed URL", err);
    if (rc == 0)
        rc = tk_sigv4_presign(&s3->signer, &request, tk_buf_str(&host), seconds, ret_url, err);
    tk_buf_release(&host);
    tk_buf_release(&path);
    return rc;
}

const struct tk_store_kind tk_store_kind_s3 = {
    .scheme = {"s3:", 3},
    .open = s3_open,
    .close = s3_close,
    .put = s3_put,
    .get = s3_get,
    .head = tk_s3_head,
    .list = tk_s3_list,
    .delete = s3_delete,
    .begin = tk_s3_begin,
    .part = tk_s3_part,
    .finish = tk_s3_finish,
    .drop = tk_s3_drop,
    .sweep = tk_s3_sweep,
    .presign = s3_presign,
};
