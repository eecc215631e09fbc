/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 store from inside: one request with all its tries is an exchange; exchanges run side by
 * side over one multi handle of libcurl, which is transport and nothing else. */
#ifndef TK_STORE_S3_INTERNAL_H
#define TK_STORE_S3_INTERNAL_H

#include <curl/curl.h>

#include "base/digest.h"
#include "store/answer.h"
#include "store/sigv4.h"
#include "store/store_internal.h"
#include "store/url.h"

#define TK_S3_IN_FLIGHT_MAX 8
#define TK_S3_HEADERS_MAX   4
#define TK_S3_BUCKET_MAX    64
#define TK_S3_UPLOAD_ID_MAX 1024
#define TK_S3_PARTS_MAX     10000
#define TK_S3_PART_MIN      ((uint64_t)5 << 20)
#define TK_S3_PART_BYTES    ((uint64_t)8 << 20)

/* Most bytes of a list, or another document, that a server may send us. */
#define TK_S3_DOCUMENT_MAX ((size_t)16 << 20)

/* The functions of libcurl that are used. */
struct tk_curl {
    __typeof__(curl_global_init) *global_init;
    __typeof__(curl_easy_init) *easy_init;
    __typeof__(curl_easy_cleanup) *easy_cleanup;
    __typeof__(curl_easy_perform) *easy_perform;
    __typeof__(curl_easy_reset) *easy_reset;
    __typeof__(curl_easy_setopt) *easy_setopt;
    __typeof__(curl_easy_strerror) *easy_strerror;
    __typeof__(curl_slist_append) *slist_append;
    __typeof__(curl_slist_free_all) *slist_free_all;
    __typeof__(curl_multi_init) *multi_init;
    __typeof__(curl_multi_cleanup) *multi_cleanup;
    __typeof__(curl_multi_add_handle) *multi_add;
    __typeof__(curl_multi_remove_handle) *multi_remove;
    __typeof__(curl_multi_perform) *multi_perform;
    __typeof__(curl_multi_poll) *multi_poll;
    __typeof__(curl_multi_info_read) *multi_info_read;
};

/* Load libcurl; -EOPNOTSUPP when this host has none. */
TK_MUST_USE int tk_curl_load(struct tk_curl *ret_curl, struct tk_err *err);

/* Retries of all calls, by the minute. */
struct tk_s3_budget {
    int64_t minute_start_ns; /* monotonic */
    int used;
};

struct tk_s3 {
    struct tk_store store;
    struct tk_curl curl;
    CURLM *multi;
    CURL *idle[TK_S3_IN_FLIGHT_MAX]; /* handles with their connections */
    size_t idle_count;
    struct tk_signer signer;
    struct tk_endpoint endpoint;
    char bucket[TK_S3_BUCKET_MAX];
    char prefix[TK_STORE_KEY_MAX + 1]; /* of all keys, ends in '/'; or empty */
    char *ca_file, *client_certificate, *client_key, *proxy; /* owned, may be NULL */
    struct tk_s3_budget budget;
};

struct tk_s3_request {
    const char *method;
    char key[2 * TK_STORE_KEY_MAX + 2]; /* with the prefix; empty = the bucket */
    struct tk_url_param params[8];
    size_t param_count;
    struct tk_sigv4_header headers[TK_S3_HEADERS_MAX]; /* besides those of signing */
    size_t header_count;

    struct tk_reader *body; /* NULL = none */
    uint64_t body_offset, body_bytes;
    char payload_hash[TK_DIGEST_MAX];

    struct tk_store_sink sink; /* of the bytes of an object; no `write` = to the exchange's text */
    bool has_range;
    struct tk_store_range range;
    bool may_hold_error; /* an answer of 200 may be an <Error> */
};

/* What S3 says of an error. */
struct tk_s3_error {
    char code[64], message[256], request_id[72], region[64];
};

enum tk_s3_state {
    TK_S3_FREE,    /* nothing to do */
    TK_S3_WAITING, /* until `start_at_ns` */
    TK_S3_RUNNING,
    TK_S3_DONE, /* with `rc` */
};

struct tk_s3_exchange {
    struct tk_s3_request request;
    enum tk_s3_state state;
    int rc;
    struct tk_err err; /* when rc < 0 */

    struct tk_answer answer; /* the last one */
    struct tk_s3_error error;
    struct tk_buf text; /* its body, when that does not go to the sink */

    int tries;
    bool is_lost;       /* a try ended without an answer: it may have been obeyed */
    bool is_redirected; /* once is allowed */
    bool is_skewed;     /* the clock was put right, once */
    int64_t start_at_ns;

    struct tk_endpoint endpoint;  /* of this request, after a redirect */
    uint64_t sink_bytes;          /* that the sink has got */
    uint64_t try_bytes;           /* of those, by this try */
    char etag[TK_STORE_ETAG_MAX]; /* of what the sink has got a part of */

    struct tk_s3 *s3;
    CURL *easy;
    struct curl_slist *headers;
    struct tk_buf url;
    uint64_t sent; /* bytes of the body, this try */
    char curl_error[CURL_ERROR_SIZE];
    int failure; /* negative: ours, `err` is set; the transfer is to end */
};

/* Begin a request: on the bucket, or on a key below the store's prefix. */
TK_MUST_USE int tk_s3_request_init(struct tk_s3 *s3, struct tk_s3_exchange *exchange,
                                   const char *method, tk_str key, struct tk_err *err);
void tk_s3_request_add_param(struct tk_s3_request *request, tk_str name, tk_str value);
void tk_s3_request_add_header(struct tk_s3_request *request, tk_str name, tk_str value);

/* Free what an exchange holds. */
void tk_s3_exchange_release(struct tk_s3_exchange *exchange);

/* Exchanges that feed themselves: `next` prepares one that is free, 1 when there is nothing left;
 * `done` takes its answer. Both return a negative errno to end it all. */
struct tk_s3_feed {
    int (*next)(void *owner, struct tk_s3_exchange *exchange, struct tk_err *err);
    int (*done)(void *owner, struct tk_s3_exchange *exchange, struct tk_err *err);
    void *owner;
};

/* Run one exchange with its retries; 0 when the answer is a 2xx. */
TK_MUST_USE int tk_s3_run(struct tk_s3 *s3, struct tk_s3_exchange *exchange, struct tk_err *err);

/* Run `count` exchanges side by side until the feed is empty. */
TK_MUST_USE int tk_s3_run_feed(struct tk_s3 *s3, struct tk_s3_exchange *exchanges, size_t count,
                               const struct tk_s3_feed *feed, struct tk_err *err);

/* What is to be done after a try. */
enum tk_s3_verdict {
    TK_S3_GOOD,
    TK_S3_AGAIN, /* at once: host, region or clock were put right */
    TK_S3_RETRY, /* after a pause */
    TK_S3_BAD,   /* rc and err are set */
};

/* Judge a try that ended with `code`: sets rc and err unless it is good, and puts right what the
 * server told of. */
enum tk_s3_verdict tk_s3_judge(struct tk_s3_exchange *exchange, CURLcode code);

/* Plan the next try; false, and rc and err say so, when tries or budget are used up. */
bool tk_s3_plan_retry(struct tk_s3_exchange *exchange, int64_t now_ns);

/* The time by which requests are signed: ours, or the server's as far as it is known. */
int64_t tk_s3_now_ns(const struct tk_s3 *s3);

struct tk_s3_hashes {
    bool wants_md5;          /* set by the caller */
    struct tk_digest *whole; /* set by the caller: gets the bytes, too; or NULL */
    char sha256[TK_DIGEST_MAX];
    char md5[TK_DIGEST_MAX]; /* empty when it is not wanted, or not to be had */
};

/* Hash `bytes` of a source from `offset` on. */
TK_MUST_USE int tk_s3_hash(struct tk_reader *reader, uint64_t offset, uint64_t bytes,
                           struct tk_s3_hashes *hashes, struct tk_err *err);

/* The rows of the table of functions that have files of their own. */
int tk_s3_list(struct tk_store *store, tk_str prefix, tk_str after, tk_store_visit_fn visit,
               void *into, struct tk_err *err);
int tk_s3_sweep(struct tk_store *store, struct tk_store_sweep *sweep, struct tk_err *err);
int tk_s3_begin(struct tk_store *store, tk_str key, unsigned flags, struct tk_upload **ret_upload,
                struct tk_err *err);
int tk_s3_part(struct tk_upload *base, struct tk_store_source source, struct tk_err *err);
int tk_s3_finish(struct tk_upload *base, struct tk_store_put *ret_put, struct tk_err *err);
void tk_s3_drop(struct tk_upload *base, bool keep);
int tk_s3_head(struct tk_store *store, tk_str key, struct tk_store_object *ret_object,
               struct tk_err *err);

/* Put a large object in parts, several at once. */
TK_MUST_USE int tk_s3_put_parts(struct tk_s3 *s3, tk_str key, struct tk_reader *reader,
                                unsigned flags, struct tk_store_put *ret_put, struct tk_err *err);

/* An upload that was begun and not finished. */
struct tk_s3_unfinished {
    char key[3 * 2 * TK_STORE_KEY_MAX]; /* with the prefix */
    char id[TK_S3_UPLOAD_ID_MAX];
    int64_t begun_ns;
};

/* Called for each; 1 ends the list. */
typedef int (*tk_s3_unfinished_fn)(void *owner, const struct tk_s3_unfinished *upload,
                                   struct tk_err *err);

/* Unfinished uploads below the store's prefix whose key starts with `start`. */
TK_MUST_USE int tk_s3_list_uploads(struct tk_s3 *s3, tk_str start, tk_s3_unfinished_fn visit,
                                   void *owner, struct tk_err *err);

#endif
