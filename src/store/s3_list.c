/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of an S3 store, page by page: objects, and uploads that nobody finished. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "store/s3_internal.h"
#include "store/xml.h"

/* An encoded key. */
#define KEY_TEXT_MAX ((size_t)3 * 2 * TK_STORE_KEY_MAX)
#define TOKEN_MAX    2048

struct page {
    char key[KEY_TEXT_MAX], size[24], etag[TK_STORE_ETAG_MAX + 16], modified[40];
    char encoding[8], truncated[8], token[TOKEN_MAX];
};

static const struct tk_xml_field page_fields[] = {
    TK_XML_FIELD(struct page, "Contents", "Key", key),
    TK_XML_FIELD(struct page, "Contents", "Size", size),
    TK_XML_FIELD(struct page, "Contents", "ETag", etag),
    TK_XML_FIELD(struct page, "Contents", "LastModified", modified),
    TK_XML_FIELD(struct page, "ListBucketResult", "EncodingType", encoding),
    TK_XML_FIELD(struct page, "ListBucketResult", "IsTruncated", truncated),
    TK_XML_FIELD(struct page, "ListBucketResult", "NextContinuationToken", token),
};

static const struct tk_xml_plan page_plan = {"ListBucketResult", "Contents", page_fields,
                                             TK_COUNTOF(page_fields)};

struct listing {
    struct tk_s3 *s3;
    struct page page;
    struct tk_buf key; /* decoded */
    tk_store_visit_fn visit;
    void *into;
    bool is_stopped;
};

/* A key as the server wrote it, decoded; false when it is none. */
static bool decode_key(const char *text, const char *encoding, struct tk_buf *key)
{
    tk_buf_reset(key);
    if (strcmp(encoding, "url") == 0)
        return tk_url_decode(tk_str_from(text), key) && tk_buf_ok(key);
    tk_buf_puts(key, text);
    return tk_buf_ok(key);
}

/* A key as the server wrote it to one below our prefix. */
static int read_key(struct tk_s3 *s3, const char *text, const char *encoding, struct tk_buf *key,
                    tk_str *ret_key, struct tk_err *err)
{
    bool is_good = decode_key(text, encoding, key);
    *ret_key = tk_buf_str(key);
    if (is_good && tk_str_take_prefix(ret_key, tk_str_from(s3->prefix)))
        return 0;
    return tk_fail(err, -EBADMSG, "list of s3://%s/%s: the server names the key '%.200s'",
                   s3->bucket, s3->prefix, text);
}

static int on_object(void *owner, struct tk_err *err)
{
    struct listing *listing = owner;
    const struct page *page = &listing->page;
    struct tk_store_object object = {0};
    if (listing->is_stopped)
        return 0;
    int rc = read_key(listing->s3, page->key, page->encoding, &listing->key, &object.key, err);
    if (rc < 0)
        return rc;
    if (object.key.n == 0)
        return 0; /* the folder marker of the prefix itself */
    if (!tk_parse_u64(tk_str_from(page->size), &object.size_bytes) ||
        !tk_time_parse_iso(tk_str_from(page->modified), &object.modified_ns)) {
        return tk_fail(err, -EBADMSG, "list of s3://%s/%s: size '%s' and time '%s' of '%.200s'",
                       listing->s3->bucket, listing->s3->prefix, page->size, page->modified,
                       page->key);
    }
    tk_etag_copy(tk_str_from(page->etag), object.etag);
    rc = listing->visit(listing->into, &object, err);
    listing->is_stopped = rc == 1;
    return rc < 0 ? rc : 0;
}

/* Ask for the page at `token` and visit it. */
static int list_page(struct listing *listing, struct tk_s3_exchange *exchange, tk_str prefix,
                     tk_str after, const char *token, struct tk_err *err)
{
    struct tk_s3 *s3 = listing->s3;
    int rc = tk_s3_request_init(s3, exchange, "GET", TK_STR(""), err);
    if (rc < 0)
        return rc;
    struct tk_s3_request *request = &exchange->request;
    tk_s3_request_add_param(request, TK_STR("list-type"), TK_STR("2"));
    tk_s3_request_add_param(request, TK_STR("encoding-type"), TK_STR("url"));
    tk_s3_request_add_param(request, TK_STR("max-keys"), TK_STR("1000"));
    tk_s3_request_add_param(request, TK_STR("prefix"), prefix);
    if (*token) {
        tk_s3_request_add_param(request, TK_STR("continuation-token"), tk_str_from(token));
    } else if (after.n > 0) {
        tk_s3_request_add_param(request, TK_STR("start-after"), after);
    }
    rc = tk_s3_run(s3, exchange, err);
    if (rc < 0)
        return rc;
    memset(&listing->page, 0, sizeof(listing->page));
    const struct tk_xml_reader reader = {&page_plan, &listing->page, on_object, listing};
    return tk_xml_read(&reader, tk_buf_str(&exchange->text), err);
}

static int list_pages(struct listing *listing, tk_str prefix, tk_str after, struct tk_err *err)
{
    struct tk_s3_exchange exchange = {0};
    char token[TOKEN_MAX] = "";
    int rc = 0;
    for (;;) {
        rc = list_page(listing, &exchange, prefix, after, token, err);
        if (rc < 0 || listing->is_stopped || strcmp(listing->page.truncated, "true") != 0)
            break;
        if (!*listing->page.token || strcmp(listing->page.token, token) == 0) {
            rc = tk_fail(err, -EBADMSG, "list of s3://%s/%s: the server repeats a page",
                         listing->s3->bucket, listing->s3->prefix);
            break;
        }
        memcpy(token, listing->page.token, sizeof(token));
    }
    tk_s3_exchange_release(&exchange);
    return rc;
}

int tk_s3_list(struct tk_store *store, tk_str prefix, tk_str after, tk_store_visit_fn visit,
               void *into, struct tk_err *err)
{
    struct tk_s3 *s3 = (struct tk_s3 *)(void *)store;
    struct listing *listing = calloc(1, sizeof(*listing));
    if (!listing)
        return tk_fail(err, -ENOMEM, "S3: out of memory");
    listing->s3 = s3;
    listing->visit = visit;
    listing->into = into;
    tk_buf_init(&listing->key, KEY_TEXT_MAX);
    struct tk_buf full_prefix, full_after;
    tk_buf_init(&full_prefix, KEY_TEXT_MAX);
    tk_buf_init(&full_after, KEY_TEXT_MAX);
    tk_buf_puts(&full_prefix, s3->prefix);
    tk_buf_put(&full_prefix, prefix);
    if (after.n > 0) {
        tk_buf_puts(&full_after, s3->prefix);
        tk_buf_put(&full_after, after);
    }
    int rc = tk_buf_check(&full_prefix, "list", err);
    if (rc == 0)
        rc = tk_buf_check(&full_after, "list", err);
    if (rc == 0)
        rc = list_pages(listing, tk_buf_str(&full_prefix), tk_buf_str(&full_after), err);
    tk_buf_release(&full_prefix);
    tk_buf_release(&full_after);
    tk_buf_release(&listing->key);
    free(listing);
    return rc;
}

/* Uploads ------------------------------------------------------------------------------------- */

struct upload_page {
    char key[KEY_TEXT_MAX], id[TK_S3_UPLOAD_ID_MAX], initiated[40];
    char encoding[8], truncated[8], next_key[KEY_TEXT_MAX], next_id[TK_S3_UPLOAD_ID_MAX];
};

#define UPLOADS "ListMultipartUploadsResult"

static const struct tk_xml_field upload_fields[] = {
    TK_XML_FIELD(struct upload_page, "Upload", "Key", key),
    TK_XML_FIELD(struct upload_page, "Upload", "UploadId", id),
    TK_XML_FIELD(struct upload_page, "Upload", "Initiated", initiated),
    TK_XML_FIELD(struct upload_page, UPLOADS, "EncodingType", encoding),
    TK_XML_FIELD(struct upload_page, UPLOADS, "IsTruncated", truncated),
    TK_XML_FIELD(struct upload_page, UPLOADS, "NextKeyMarker", next_key),
    TK_XML_FIELD(struct upload_page, UPLOADS, "NextUploadIdMarker", next_id),
};

static const struct tk_xml_plan upload_plan = {UPLOADS, "Upload", upload_fields,
                                               TK_COUNTOF(upload_fields)};

struct upload_listing {
    struct tk_s3 *s3;
    struct upload_page page;
    struct tk_s3_unfinished found;
    struct tk_buf key, marker; /* the last page ended with this key and upload */
    char marker_id[TK_S3_UPLOAD_ID_MAX];
    tk_s3_unfinished_fn visit;
    void *owner;
    bool is_stopped;
};

static int on_upload(void *owner, struct tk_err *err)
{
    struct upload_listing *listing = owner;
    const struct upload_page *page = &listing->page;
    tk_str key;
    if (listing->is_stopped)
        return 0;
    int rc = read_key(listing->s3, page->key, page->encoding, &listing->key, &key, err);
    if (rc < 0)
        return rc;
    if (!tk_str_to_cstr(tk_buf_str(&listing->key), listing->found.key,
                        sizeof(listing->found.key)) ||
        !tk_time_parse_iso(tk_str_from(page->initiated), &listing->found.begun_ns)) {
        return tk_fail(err, -EBADMSG, "list of uploads in s3://%s: key '%.200s', begun '%s'",
                       listing->s3->bucket, page->key, page->initiated);
    }
    memcpy(listing->found.id, page->id, sizeof(page->id));
    rc = listing->visit(listing->owner, &listing->found, err);
    listing->is_stopped = rc == 1;
    return rc < 0 ? rc : 0;
}

static int list_upload_page(struct upload_listing *listing, struct tk_s3_exchange *exchange,
                            tk_str prefix, struct tk_err *err)
{
    struct tk_s3 *s3 = listing->s3;
    int rc = tk_s3_request_init(s3, exchange, "GET", TK_STR(""), err);
    if (rc < 0)
        return rc;
    struct tk_s3_request *request = &exchange->request;
    /* No encoding-type: radosgw 16 then encodes keys, but neither says so nor encodes markers. */
    tk_s3_request_add_param(request, TK_STR("uploads"), TK_STR(""));
    tk_s3_request_add_param(request, TK_STR("prefix"), prefix);
    if (listing->marker.n > 0)
        tk_s3_request_add_param(request, TK_STR("key-marker"), tk_buf_str(&listing->marker));
    if (*listing->marker_id) {
        tk_s3_request_add_param(request, TK_STR("upload-id-marker"),
                                tk_str_from(listing->marker_id));
    }
    rc = tk_s3_run(s3, exchange, err);
    if (rc < 0)
        return rc;
    memset(&listing->page, 0, sizeof(listing->page));
    const struct tk_xml_reader reader = {&upload_plan, &listing->page, on_upload, listing};
    return tk_xml_read(&reader, tk_buf_str(&exchange->text), err);
}

/* Go on behind the page at hand; a server that names the place where it was would do so for ever.
 */
static int move_marker(struct upload_listing *listing, struct tk_err *err)
{
    const struct upload_page *page = &listing->page;
    struct tk_buf *next = &listing->key;
    if (!decode_key(page->next_key, page->encoding, next)) {
        return tk_fail(err, -EBADMSG, "list of uploads in s3://%s: marker '%.200s'",
                       listing->s3->bucket, page->next_key);
    }
    if (tk_str_eq(tk_buf_str(next), tk_buf_str(&listing->marker)) &&
        strcmp(page->next_id, listing->marker_id) == 0) {
        return tk_fail(err, -EBADMSG, "list of uploads in s3://%s: the server repeats a page",
                       listing->s3->bucket);
    }
    tk_buf_reset(&listing->marker);
    tk_buf_put(&listing->marker, tk_buf_str(next));
    memcpy(listing->marker_id, page->next_id, sizeof(listing->marker_id));
    return tk_buf_check(&listing->marker, "list of uploads", err);
}

int tk_s3_list_uploads(struct tk_s3 *s3, tk_str start, tk_s3_unfinished_fn visit, void *owner,
                       struct tk_err *err)
{
    struct upload_listing *listing = calloc(1, sizeof(*listing));
    if (!listing)
        return tk_fail(err, -ENOMEM, "S3: out of memory");
    struct tk_s3_exchange exchange = {0};
    struct tk_buf prefix;
    listing->s3 = s3;
    listing->visit = visit;
    listing->owner = owner;
    tk_buf_init(&listing->key, KEY_TEXT_MAX);
    tk_buf_init(&listing->marker, KEY_TEXT_MAX);
    tk_buf_init(&prefix, KEY_TEXT_MAX);
    tk_buf_puts(&prefix, s3->prefix);
    tk_buf_put(&prefix, start);
    int rc = tk_buf_check(&prefix, "list of uploads", err);
    bool is_last = false;
    while (rc == 0 && !is_last) {
        rc = list_upload_page(listing, &exchange, tk_buf_str(&prefix), err);
        is_last = listing->is_stopped || strcmp(listing->page.truncated, "true") != 0;
        if (rc == 0 && !is_last)
            rc = move_marker(listing, err);
    }
    tk_buf_release(&prefix);
    tk_buf_release(&listing->key);
    tk_buf_release(&listing->marker);
    free(listing);
    tk_s3_exchange_release(&exchange);
    return rc;
}
