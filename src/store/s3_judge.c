/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer means: good, again, retry or bad (object-store.md section 8). */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "store/s3_internal.h"
#include "store/xml.h"

/* A clock that is further off than this is not the reason to refuse a request. */
#define SKEW_MIN_NS ((int64_t)5 * 60 * TK_NS_PER_S)

/* A pause that a server asks for is kept up to this. */
#define RETRY_AFTER_MAX_S 300

static const struct tk_xml_field error_fields[] = {
    TK_XML_FIELD(struct tk_s3_error, "Error", "Code", code),
    TK_XML_FIELD(struct tk_s3_error, "Error", "Message", message),
    TK_XML_FIELD(struct tk_s3_error, "Error", "RequestId", request_id),
    TK_XML_FIELD(struct tk_s3_error, "Error", "Region", region),
};

static const struct tk_xml_plan error_plan = {"Error", NULL, error_fields,
                                              TK_COUNTOF(error_fields)};

/* Read what the server says; a body that is no XML says nothing. */
static void read_error(struct tk_s3_exchange *exchange)
{
    struct tk_err ignored;
    struct tk_xml_reader reader = {.plan = &error_plan, .into = &exchange->error};
    memset(&exchange->error, 0, sizeof(exchange->error));
    if (exchange->text.n > 0 && tk_xml_read(&reader, tk_buf_str(&exchange->text), &ignored) < 0)
        memset(&exchange->error, 0, sizeof(exchange->error));
    for (char *p = exchange->error.message; *p; p++) {
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    }
}

static const struct {
    const char *code; /* NULL = any */
    int status, rc;
} errnos[] = {
    {"QuotaExceeded", 0, -ENOSPC},
    {"XMinioStorageFull", 0, -ENOSPC},
    {"RequestTimeout", 0, -ETIMEDOUT},
    {NULL, 404, -ENOENT},
    {NULL, 403, -EACCES},
    {NULL, 401, -EACCES},
    {NULL, 412, -EEXIST},
    {NULL, 416, -ERANGE},
    {NULL, 408, -ETIMEDOUT},
    {NULL, 507, -ENOSPC},
    {NULL, 400, -EINVAL},
    {NULL, 501, -EOPNOTSUPP},
};

static int errno_of(int status, const char *code)
{
    for (size_t i = 0; i < TK_COUNTOF(errnos); i++) {
        if (errnos[i].code ? strcmp(errnos[i].code, code) == 0 : errnos[i].status == status)
            return errnos[i].rc;
    }
    return -EIO;
}

static int fail_answer(struct tk_s3_exchange *exchange)
{
    const struct tk_s3_request *request = &exchange->request;
    const struct tk_s3_error *error = &exchange->error;
    const char *id = *error->request_id ? error->request_id : exchange->answer.request_id;
    int status = exchange->answer.status;
    int rc = errno_of(status, error->code);
    if (rc == -EEXIST && exchange->sink_bytes > 0)
        rc = -ESTALE;
    return tk_fail(&exchange->err, rc, "%s s3://%s/%s: HTTP %d%s%s%s%s%s%s%s", request->method,
                   exchange->s3->bucket, request->key, status, *error->code ? " " : "", error->code,
                   *error->message ? ": " : "", error->message, *id ? " (request " : "", id,
                   *id ? ")" : "");
}

static int fail_transport(struct tk_s3_exchange *exchange, CURLcode code)
{
    const char *text = exchange->curl_error;
    int rc = code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO;
    return tk_fail(&exchange->err, rc, "%s s3://%s/%s: %s", exchange->request.method,
                   exchange->s3->bucket, exchange->request.key,
                   *text ? text : exchange->s3->curl.easy_strerror(code));
}

/* What no other try will mend. */
static bool is_hopeless(CURLcode code)
{
    static const CURLcode codes[] = {
        CURLE_UNSUPPORTED_PROTOCOL,     CURLE_URL_MALFORMAT,         CURLE_OUT_OF_MEMORY,
        CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,       CURLE_SSL_CACERT_BADFILE,
        CURLE_SSL_ISSUER_ERROR,         CURLE_BAD_FUNCTION_ARGUMENT, CURLE_WRITE_ERROR,
        CURLE_ABORTED_BY_CALLBACK,
    };
    for (size_t i = 0; i < TK_COUNTOF(codes); i++) {
        if (codes[i] == code)
            return true;
    }
    return false;
}

/* Nobody answered. */
static bool is_unreached(CURLcode code)
{
    return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
           code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT;
}

static bool is_transient(int status, const char *code)
{
    static const char *const codes[] = {"RequestTimeout",     "SlowDown",
                                        "ServiceUnavailable", "InternalError",
                                        "OperationAborted",   "ConditionalRequestConflict"};
    if (status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504))
        return true;
    for (size_t i = 0; i < TK_COUNTOF(codes); i++) {
        if (strcmp(codes[i], code) == 0)
            return true;
    }
    return false;
}

/* The server wants another host or region: go there, once; never from TLS to plain text. */
static bool take_redirect(struct tk_s3_exchange *exchange)
{
    struct tk_s3 *s3 = exchange->s3;
    const struct tk_answer *answer = &exchange->answer;
    bool is_malformed = strcmp(exchange->error.code, "AuthorizationHeaderMalformed") == 0;
    const char *region = *answer->region ? answer->region : exchange->error.region;
    bool is_move = answer->status == 307 || answer->status == 301;
    if (exchange->is_redirected || (!is_move && !is_malformed))
        return false;
    tk_str host = tk_str_from(answer->location);
    size_t scheme = tk_str_starts_with(host, TK_STR("https://")) ? 8 : 7;
    if (host.n > scheme)
        host.n = scheme + tk_str_find((tk_str){host.p + scheme, host.n - scheme}, '/');
    struct tk_endpoint endpoint;
    struct tk_err ignored;
    bool has_host = is_move && host.n > 0 && tk_endpoint_parse(host, &endpoint, &ignored) == 0 &&
                    (endpoint.is_tls || !exchange->endpoint.is_tls);
    if (has_host)
        exchange->endpoint = endpoint;
    bool has_region = *region && strcmp(region, s3->signer.region) != 0 &&
                      tk_signer_set_region(&s3->signer, tk_str_from(region), &ignored) == 0;
    exchange->is_redirected = has_host || has_region;
    s3->store.counters.redirects += exchange->is_redirected;
    return exchange->is_redirected;
}

static bool take_clock(struct tk_s3_exchange *exchange)
{
    struct tk_s3 *s3 = exchange->s3;
    int64_t date_ns = exchange->answer.date_ns;
    bool is_told = strcmp(exchange->error.code, "RequestTimeTooSkewed") == 0;
    if (exchange->is_skewed || date_ns == 0 || (!is_told && exchange->answer.status != 403))
        return false;
    int64_t off_ns = date_ns - tk_s3_now_ns(s3);
    if (!is_told && llabs(off_ns) <= SKEW_MIN_NS)
        return false;
    exchange->is_skewed = true;
    s3->store.counters.clock_offset_ns += off_ns;
    s3->store.counters.clock_fixes++;
    return true;
}

/* The answer of 200 that bears an object must tell where it ends. */
static enum tk_s3_verdict judge_object(struct tk_s3_exchange *exchange)
{
    const struct tk_answer *answer = &exchange->answer;
    if (!exchange->request.sink.write || answer->has_length || answer->is_chunked)
        return TK_S3_GOOD;
    exchange->rc = tk_fail(&exchange->err, -EIO, "GET s3://%s/%s: the answer has no length",
                           exchange->s3->bucket, exchange->request.key);
    return TK_S3_BAD;
}

static enum tk_s3_verdict judge_answer(struct tk_s3_exchange *exchange)
{
    int status = exchange->answer.status;
    bool is_good = status >= 200 && status < 300;
    if (is_good && !exchange->request.may_hold_error)
        return judge_object(exchange);
    read_error(exchange);
    if (is_good && !*exchange->error.code)
        return TK_S3_GOOD;
    exchange->rc = fail_answer(exchange);
    if (take_redirect(exchange) || take_clock(exchange))
        return TK_S3_AGAIN;
    return is_good || is_transient(status, exchange->error.code) ? TK_S3_RETRY : TK_S3_BAD;
}

enum tk_s3_verdict tk_s3_judge(struct tk_s3_exchange *exchange, CURLcode code)
{
    if (exchange->failure < 0) {
        exchange->rc = exchange->failure;
        return TK_S3_BAD;
    }
    const struct tk_answer *answer = &exchange->answer;
    bool has_all =
        exchange->try_bytes > 0 && answer->has_length && exchange->try_bytes == answer->length;
    if (code == CURLE_OK || has_all)
        return judge_answer(exchange);
    exchange->is_lost = true;
    exchange->rc = fail_transport(exchange, code);
    bool give_up = exchange->s3->store.options.must_be_up && is_unreached(code);
    return is_hopeless(code) || give_up ? TK_S3_BAD : TK_S3_RETRY;
}

/* Full jitter: anything from 0 to the cap, which doubles with each try. */
static int64_t pause_ns(const struct tk_s3_exchange *exchange)
{
    const struct tk_store_options *options = &exchange->s3->store.options;
    int64_t cap_ns = options->retry_base_ns;
    for (int i = 1; i < exchange->tries && cap_ns < options->retry_cap_ns; i++)
        cap_ns *= 2;
    if (cap_ns > options->retry_cap_ns)
        cap_ns = options->retry_cap_ns;
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        random = (uint64_t)tk_clock_mono_ns() * 0x9E3779B97F4A7C15ULL;
    int64_t jitter_ns = (int64_t)(random % (uint64_t)(cap_ns + 1));
    int64_t asked_s = exchange->answer.retry_after_s;
    if (asked_s > RETRY_AFTER_MAX_S)
        asked_s = RETRY_AFTER_MAX_S;
    return asked_s * TK_NS_PER_S + jitter_ns;
}

static bool take_budget(struct tk_s3 *s3, int64_t now_ns)
{
    struct tk_s3_budget *budget = &s3->budget;
    if (budget->used == 0 || now_ns - budget->minute_start_ns >= 60 * TK_NS_PER_S)
        *budget = (struct tk_s3_budget){.minute_start_ns = now_ns};
    if (budget->used >= s3->store.options.retries_per_minute)
        return false;
    budget->used++;
    return true;
}

bool tk_s3_plan_retry(struct tk_s3_exchange *exchange, int64_t now_ns)
{
    struct tk_s3 *s3 = exchange->s3;
    const char *reason = NULL;
    int64_t start_at_ns = now_ns + pause_ns(exchange);
    if (exchange->tries >= s3->store.options.max_tries) {
        reason = "that was the last try";
    } else if (s3->store.until_ns != 0 && start_at_ns >= s3->store.until_ns) {
        reason = "no time is left for another try";
    } else if (!take_budget(s3, now_ns)) {
        reason = "all retries of this minute are used up";
    }
    if (!reason) {
        s3->store.counters.retries++;
        exchange->start_at_ns = start_at_ns;
        return true;
    }
    s3->store.counters.budget_empty += exchange->tries < s3->store.options.max_tries &&
                                       s3->budget.used >= s3->store.options.retries_per_minute;
    char last[TK_ERR_MAX];
    memcpy(last, exchange->err.msg, sizeof(last));
    exchange->rc =
        tk_fail(&exchange->err, exchange->rc, "%s; %s (%d in all)", last, reason, exchange->tries);
    return false;
}

int64_t tk_s3_now_ns(const struct tk_s3 *s3)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * TK_NS_PER_S + now.tv_nsec + s3->store.counters.clock_offset_ns;
}
