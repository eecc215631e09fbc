/* SPDX-License-Identifier: Apache-2.0 */
/* Objects in parts: begun, sent part by part or several at once, finished or dropped; what another
 * process has sent of the same object is taken over (object-store.md section 6). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "store/s3_internal.h"
#include "store/xml.h"

#define COMPLETE_MAX ((size_t)4 << 20)

struct part {
    char etag[TK_STORE_ETAG_MAX];
    uint64_t size_bytes;
};

struct s3_upload {
    struct tk_upload upload;
    char key[TK_STORE_KEY_MAX + 1];
    char id[TK_S3_UPLOAD_ID_MAX];
    unsigned flags;
    struct part *parts; /* by number, from 1 on at [0]; owned */
    size_t count, cap;
    struct part *known; /* that the store had at the start; owned */
    size_t known_count; /* slots; those that are empty have no etag */
    struct tk_digest whole;
    uint64_t size_bytes;
    struct tk_s3_exchange exchange; /* of one request at a time */
};

static struct s3_upload *upload_of(struct tk_upload *upload)
{
    return (struct s3_upload *)(void *)upload;
}

static struct tk_s3 *s3_of(const struct s3_upload *upload)
{
    return (struct tk_s3 *)(void *)upload->upload.store;
}

static int grow(struct part **parts, size_t *cap, size_t count, struct tk_err *err)
{
    if (count <= *cap)
        return 0;
    size_t more = *cap ? 2 * *cap : 64;
    struct part *grown = reallocarray(*parts, more, sizeof(*grown));
    if (!grown)
        return tk_fail(err, -ENOMEM, "S3: out of memory");
    memset(grown + *cap, 0, (more - *cap) * sizeof(*grown));
    *parts = grown;
    *cap = more;
    return 0;
}

static void upload_free(struct s3_upload *upload)
{
    tk_s3_exchange_release(&upload->exchange);
    tk_digest_release(&upload->whole);
    free(upload->parts);
    free(upload->known);
    free(upload);
}

/* Beginning ----------------------------------------------------------------------------------- */

struct initiated {
    char id[TK_S3_UPLOAD_ID_MAX];
};

static const struct tk_xml_field initiated_fields[] = {
    TK_XML_FIELD(struct initiated, "InitiateMultipartUploadResult", "UploadId", id),
};

static const struct tk_xml_plan initiated_plan = {"InitiateMultipartUploadResult", NULL,
                                                  initiated_fields, TK_COUNTOF(initiated_fields)};

static int initiate(struct s3_upload *upload, struct tk_err *err)
{
    struct tk_s3 *s3 = s3_of(upload);
    struct initiated initiated = {0};
    int rc = tk_s3_request_init(s3, &upload->exchange, "POST", tk_str_from(upload->key), err);
    if (rc < 0)
        return rc;
    tk_s3_request_add_param(&upload->exchange.request, TK_STR("uploads"), TK_STR(""));
    rc = tk_s3_run(s3, &upload->exchange, err);
    if (rc < 0)
        return rc;
    const struct tk_xml_reader reader = {.plan = &initiated_plan, .into = &initiated};
    rc = tk_xml_read(&reader, tk_buf_str(&upload->exchange.text), err);
    if (rc == 0 && !*initiated.id) {
        rc = tk_fail(err, -EBADMSG, "POST s3://%s/%s: the answer has no UploadId", s3->bucket,
                     upload->exchange.request.key);
    }
    memcpy(upload->id, initiated.id, sizeof(upload->id));
    return rc;
}

struct parts_page {
    char number[12], etag[TK_STORE_ETAG_MAX + 16], size[24];
    char truncated[8], marker[12];
};

static const struct tk_xml_field parts_fields[] = {
    TK_XML_FIELD(struct parts_page, "Part", "PartNumber", number),
    TK_XML_FIELD(struct parts_page, "Part", "ETag", etag),
    TK_XML_FIELD(struct parts_page, "Part", "Size", size),
    TK_XML_FIELD(struct parts_page, "ListPartsResult", "IsTruncated", truncated),
    TK_XML_FIELD(struct parts_page, "ListPartsResult", "NextPartNumberMarker", marker),
};

static const struct tk_xml_plan parts_plan = {"ListPartsResult", "Part", parts_fields,
                                              TK_COUNTOF(parts_fields)};

struct parts_reading {
    struct s3_upload *upload;
    struct parts_page page;
};

static int on_part(void *owner, struct tk_err *err)
{
    struct parts_reading *reading = owner;
    struct s3_upload *upload = reading->upload;
    uint64_t number, size;
    if (!tk_parse_u64(tk_str_from(reading->page.number), &number) || number < 1 ||
        number > TK_S3_PARTS_MAX || !tk_parse_u64(tk_str_from(reading->page.size), &size)) {
        return tk_fail(err, -EBADMSG, "parts of s3://%s/%s: part '%s' of '%s' bytes",
                       s3_of(upload)->bucket, upload->exchange.request.key, reading->page.number,
                       reading->page.size);
    }
    while (upload->known_count < number) {
        int rc = grow(&upload->known, &upload->known_count, upload->known_count + 1, err);
        if (rc < 0)
            return rc;
    }
    upload->known[number - 1].size_bytes = size;
    tk_etag_copy(tk_str_from(reading->page.etag), upload->known[number - 1].etag);
    return 0;
}

static int list_parts(struct s3_upload *upload, struct tk_err *err)
{
    struct tk_s3 *s3 = s3_of(upload);
    char marker[12] = "";
    for (;;) {
        struct parts_reading reading = {.upload = upload};
        int rc = tk_s3_request_init(s3, &upload->exchange, "GET", tk_str_from(upload->key), err);
        if (rc < 0)
            return rc;
        struct tk_s3_request *request = &upload->exchange.request;
        tk_s3_request_add_param(request, TK_STR("uploadId"), tk_str_from(upload->id));
        tk_s3_request_add_param(request, TK_STR("part-number-marker"), tk_str_from(marker));
        request->param_count -= *marker ? 0 : 1;
        rc = tk_s3_run(s3, &upload->exchange, err);
        if (rc < 0)
            return rc;
        const struct tk_xml_reader reader = {&parts_plan, &reading.page, on_part, &reading};
        rc = tk_xml_read(&reader, tk_buf_str(&upload->exchange.text), err);
        if (rc < 0 || strcmp(reading.page.truncated, "true") != 0)
            return rc;
        if (strcmp(reading.page.marker, marker) == 0) {
            return tk_fail(err, -EBADMSG, "parts of s3://%s/%s: the server repeats a page",
                           s3->bucket, request->key);
        }
        memcpy(marker, reading.page.marker, sizeof(marker));
    }
}

/* The latest unfinished upload of one key. */
struct search {
    const char *key; /* with the prefix */
    struct tk_s3_unfinished found;
};

static int note_upload(void *owner, const struct tk_s3_unfinished *upload, struct tk_err *err)
{
    struct search *search = owner;
    (void)err;
    if (strcmp(upload->key, search->key) == 0 && upload->begun_ns >= search->found.begun_ns)
        search->found = *upload;
    return 0;
}

static int take_over(struct s3_upload *upload, struct tk_err *err)
{
    struct tk_s3 *s3 = s3_of(upload);
    struct search *search = calloc(1, sizeof(*search));
    if (!search)
        return tk_fail(err, -ENOMEM, "S3: out of memory");
    int rc = tk_s3_request_init(s3, &upload->exchange, "GET", tk_str_from(upload->key), err);
    search->key = upload->exchange.request.key;
    if (rc == 0)
        rc = tk_s3_list_uploads(s3, tk_str_from(upload->key), note_upload, search, err);
    memcpy(upload->id, search->found.id, sizeof(upload->id));
    free(search);
    return rc == 0 && *upload->id ? list_parts(upload, err) : rc;
}

int tk_s3_begin(struct tk_store *store, tk_str key, unsigned flags, struct tk_upload **ret_upload,
                struct tk_err *err)
{
    struct s3_upload *upload = calloc(1, sizeof(*upload));
    if (!upload)
        return tk_fail(err, -ENOMEM, "S3: out of memory");
    upload->upload.store = store;
    upload->flags = flags;
    (void)tk_str_to_cstr(key, upload->key, sizeof(upload->key));
    int rc = tk_digest_init(&upload->whole, TK_DIGEST_SHA256, err);
    if (rc == 0 && (flags & TK_STORE_CREATE_ONLY)) {
        struct tk_store_object object;
        struct tk_err ignored;
        if (tk_s3_head(store, key, &object, &ignored) == 0) {
            store->counters.refused++;
            rc = tk_fail(err, -EEXIST, "%s: put %.*s: it exists", store->address, TK_STR_ARG(key));
        }
    }
    if (rc == 0 && (flags & TK_STORE_RESUME))
        rc = take_over(upload, err);
    if (rc == 0 && !*upload->id)
        rc = initiate(upload, err);
    if (rc < 0) {
        upload_free(upload);
        return rc;
    }
    *ret_upload = &upload->upload;
    return 0;
}

/* Parts --------------------------------------------------------------------------------------- */

/* A part as it will be sent: hashed, and counted in. 1 when the store has it already. */
static int add_part(struct s3_upload *upload, struct tk_reader *reader, uint64_t offset,
                    uint64_t bytes, char ret_sha256[TK_DIGEST_MAX], struct tk_err *err)
{
    size_t number = upload->count;
    if (number == TK_S3_PARTS_MAX) {
        return tk_fail(err, -EMSGSIZE, "%s: put %s: more than %d parts",
                       upload->upload.store->address, upload->key, TK_S3_PARTS_MAX);
    }
    int rc = grow(&upload->parts, &upload->cap, number + 1, err);
    const struct part *known = number < upload->known_count ? &upload->known[number] : NULL;
    struct tk_s3_hashes hashes = {.wants_md5 = known != NULL, .whole = &upload->whole};
    if (rc == 0)
        rc = tk_s3_hash(reader, offset, bytes, &hashes, err);
    if (rc < 0)
        return rc;
    memcpy(ret_sha256, hashes.sha256, sizeof(hashes.sha256));
    upload->count++;
    upload->parts[number].size_bytes = bytes;
    upload->size_bytes += bytes;
    if (!known || known->size_bytes != bytes || strcmp(known->etag, hashes.md5) != 0)
        return 0;
    upload->parts[number] = *known;
    upload->upload.store->counters.resumed_parts++;
    return 1;
}

/* A request that sends the part that was added last. `number_text` lives as long as it. */
static int init_part(struct s3_upload *upload, struct tk_s3_exchange *exchange,
                     struct tk_reader *reader, const char *sha256, char number_text[12],
                     struct tk_err *err)
{
    size_t number = upload->count;
    const struct part *part = &upload->parts[number - 1];
    int rc = tk_s3_request_init(s3_of(upload), exchange, "PUT", tk_str_from(upload->key), err);
    if (rc < 0)
        return rc;
    struct tk_s3_request *request = &exchange->request;
    (void)snprintf(number_text, 12, "%zu", number);
    tk_s3_request_add_param(request, TK_STR("partNumber"), tk_str_from(number_text));
    tk_s3_request_add_param(request, TK_STR("uploadId"), tk_str_from(upload->id));
    request->body = reader;
    request->body_offset = upload->size_bytes - part->size_bytes;
    request->body_bytes = part->size_bytes;
    bool is_unsigned = upload->upload.store->options.unsigned_payload;
    (void)snprintf(request->payload_hash, sizeof(request->payload_hash), "%s",
                   is_unsigned ? TK_SIGV4_UNSIGNED : sha256);
    return 0;
}

static int take_etag(struct s3_upload *upload, const struct tk_s3_exchange *exchange, size_t number,
                     struct tk_err *err)
{
    if (!*exchange->answer.etag) {
        return tk_fail(err, -EBADMSG, "PUT s3://%s/%s: part %zu was answered without an etag",
                       s3_of(upload)->bucket, exchange->request.key, number);
    }
    memcpy(upload->parts[number - 1].etag, exchange->answer.etag, TK_STORE_ETAG_MAX);
    return 0;
}

int tk_s3_part(struct tk_upload *base, struct tk_store_source source, struct tk_err *err)
{
    struct s3_upload *upload = upload_of(base);
    TK_CLEANUP(tk_reader_close) struct tk_reader reader;
    char sha256[TK_DIGEST_MAX], number[12];
    int rc = tk_reader_open(&reader, source, err);
    if (rc == 0)
        rc = add_part(upload, &reader, 0, reader.size_bytes, sha256, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = init_part(upload, &upload->exchange, &reader, sha256, number, err);
    upload->exchange.request.body_offset = 0;
    if (rc == 0)
        rc = tk_s3_run(s3_of(upload), &upload->exchange, err);
    return rc < 0 ? rc : take_etag(upload, &upload->exchange, upload->count, err);
}

/* Finishing ----------------------------------------------------------------------------------- */

static int put_list(const struct s3_upload *upload, struct tk_buf *out, struct tk_err *err)
{
    tk_buf_lit(out, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < upload->count; i++) {
        tk_buf_printf(out, "<Part><PartNumber>%zu</PartNumber><ETag>&quot;", i + 1);
        if (!tk_xml_put_text(out, tk_str_from(upload->parts[i].etag))) {
            return tk_fail(err, -EBADMSG, "s3://%s: the etag of part %zu is no text",
                           s3_of(upload)->bucket, i + 1);
        }
        tk_buf_lit(out, "&quot;</ETag></Part>");
    }
    tk_buf_lit(out, "</CompleteMultipartUpload>");
    return tk_buf_check(out, "list of parts", err);
}

static int complete(struct s3_upload *upload, tk_str list, struct tk_err *err)
{
    struct tk_s3 *s3 = s3_of(upload);
    struct tk_s3_exchange *exchange = &upload->exchange;
    TK_CLEANUP(tk_reader_close) struct tk_reader reader;
    int rc = tk_reader_open(&reader, tk_store_text(list), err);
    if (rc == 0)
        rc = tk_s3_request_init(s3, exchange, "POST", tk_str_from(upload->key), err);
    struct tk_s3_request *request = &exchange->request;
    struct tk_s3_hashes hashes = {.whole = NULL};
    if (rc == 0)
        rc = tk_s3_hash(&reader, 0, list.n, &hashes, err);
    if (rc < 0)
        return rc;
    memcpy(request->payload_hash, hashes.sha256, sizeof(request->payload_hash));
    tk_s3_request_add_param(request, TK_STR("uploadId"), tk_str_from(upload->id));
    if (upload->flags & TK_STORE_CREATE_ONLY)
        tk_s3_request_add_header(request, TK_STR("If-None-Match"), TK_STR("*"));
    request->body = &reader;
    request->body_bytes = list.n;
    request->may_hold_error = true;
    rc = tk_s3_run(s3, exchange, err);
    s3->store.counters.refused += rc == -EEXIST;
    /* A try whose answer was lost, or came too late, may have finished it: look. */
    bool may_be_done = rc == -ENOENT && (exchange->is_lost || exchange->tries > 1);
    return may_be_done ? 0 : rc;
}

/* The answer to "complete" is no proof: the object is. */
static int confirm(struct s3_upload *upload, struct tk_store_put *ret_put, struct tk_err *err)
{
    struct tk_store_object object = {0};
    tk_str key = tk_str_from(upload->key);
    int rc = tk_s3_head(upload->upload.store, key, &object, err);
    if (rc < 0)
        return rc;
    if (object.size_bytes != upload->size_bytes) {
        return tk_fail(err, -EIO, "%s: put %s: %" PRIu64 " bytes were sent, %" PRIu64 " are stored",
                       upload->upload.store->address, upload->key, upload->size_bytes,
                       object.size_bytes);
    }
    ret_put->size_bytes = object.size_bytes;
    memcpy(ret_put->etag, object.etag, sizeof(ret_put->etag));
    tk_digest_take(&upload->whole, ret_put->sha256);
    return 0;
}

int tk_s3_finish(struct tk_upload *base, struct tk_store_put *ret_put, struct tk_err *err)
{
    struct s3_upload *upload = upload_of(base);
    struct tk_buf list;
    tk_buf_init(&list, COMPLETE_MAX);
    int rc = 0;
    if (upload->count == 0) /* an object of no bytes has one part of none */
        rc = tk_s3_part(base, tk_store_text(TK_STR("")), err);
    if (rc == 0)
        rc = put_list(upload, &list, err);
    if (rc == 0)
        rc = complete(upload, tk_buf_str(&list), err);
    if (rc == 0)
        rc = confirm(upload, ret_put, err);
    tk_buf_release(&list);
    tk_s3_drop(base, rc == 0);
    return rc;
}

static int abort_upload(struct tk_s3 *s3, tk_str key, const char *id, struct tk_err *err)
{
    struct tk_s3_exchange exchange = {0};
    int rc = tk_s3_request_init(s3, &exchange, "DELETE", key, err);
    tk_s3_request_add_param(&exchange.request, TK_STR("uploadId"), tk_str_from(id));
    if (rc == 0)
        rc = tk_s3_run(s3, &exchange, err);
    tk_s3_exchange_release(&exchange);
    return rc == -ENOENT ? 0 : rc;
}

void tk_s3_drop(struct tk_upload *base, bool keep)
{
    struct s3_upload *upload = upload_of(base);
    struct tk_err ignored;
    /* What cannot be aborted now is swept later. */
    if (!keep && *upload->id)
        (void)abort_upload(s3_of(upload), tk_str_from(upload->key), upload->id, &ignored);
    upload_free(upload);
}

/* Several at once ----------------------------------------------------------------------------- */

struct sending {
    struct s3_upload *upload;
    struct tk_reader *reader;
    uint64_t part_bytes;
    struct tk_s3_exchange *exchanges;
    char numbers[TK_S3_IN_FLIGHT_MAX][12];
};

static int send_next(void *owner, struct tk_s3_exchange *exchange, struct tk_err *err)
{
    struct sending *sending = owner;
    struct s3_upload *upload = sending->upload;
    uint64_t size = sending->reader->size_bytes;
    char sha256[TK_DIGEST_MAX];
    int rc = 1;
    while (rc == 1 && upload->size_bytes < size) {
        uint64_t left = size - upload->size_bytes;
        uint64_t bytes = left < sending->part_bytes ? left : sending->part_bytes;
        rc = add_part(upload, sending->reader, upload->size_bytes, bytes, sha256, err);
    }
    if (rc != 0)
        return rc;
    return init_part(upload, exchange, sending->reader, sha256,
                     sending->numbers[exchange - sending->exchanges], err);
}

static int send_done(void *owner, struct tk_s3_exchange *exchange, struct tk_err *err)
{
    struct sending *sending = owner;
    uint64_t number;
    if (!tk_parse_u64(tk_str_from(sending->numbers[exchange - sending->exchanges]), &number))
        return tk_fail(err, -EINVAL, "S3: a part without a number");
    return take_etag(sending->upload, exchange, (size_t)number, err);
}

static int send_parts(struct s3_upload *upload, struct tk_reader *reader, struct tk_err *err)
{
    struct tk_s3 *s3 = s3_of(upload);
    size_t count = (size_t)s3->store.options.in_flight;
    uint64_t part_bytes = (reader->size_bytes + 8999) / 9000;
    struct sending sending = {.upload = upload, .reader = reader};
    sending.part_bytes = part_bytes > TK_S3_PART_BYTES ? part_bytes : TK_S3_PART_BYTES;
    sending.exchanges = calloc(count, sizeof(*sending.exchanges));
    if (!sending.exchanges)
        return tk_fail(err, -ENOMEM, "S3: out of memory");
    const struct tk_s3_feed feed = {send_next, send_done, &sending};
    int rc = tk_s3_run_feed(s3, sending.exchanges, count, &feed, err);
    for (size_t i = 0; i < count; i++)
        tk_s3_exchange_release(&sending.exchanges[i]);
    free(sending.exchanges);
    return rc;
}

int tk_s3_put_parts(struct tk_s3 *s3, tk_str key, struct tk_reader *reader, unsigned flags,
                    struct tk_store_put *ret_put, struct tk_err *err)
{
    struct tk_upload *upload = NULL;
    int rc = tk_s3_begin(&s3->store, key, flags, &upload, err);
    if (rc < 0 || !upload)
        return rc;
    rc = send_parts(upload_of(upload), reader, err);
    if (rc == 0)
        return tk_s3_finish(upload, ret_put, err);
    tk_s3_drop(upload, false);
    return rc;
}

/* Sweeping ------------------------------------------------------------------------------------ */

/* Old uploads, as they are found. */
struct search_old {
    struct tk_s3 *s3;
    const struct tk_store_sweep *sweep;
    int64_t before_ns;
    struct tk_buf found; /* "key\0id\0..." */
};

static int note_old(void *owner, const struct tk_s3_unfinished *upload, struct tk_err *err)
{
    struct search_old *search = owner;
    const struct tk_store_sweep *sweep = search->sweep;
    const char *key = upload->key + strlen(search->s3->prefix);
    if (upload->begun_ns > search->before_ns ||
        (sweep->is_ours && !sweep->is_ours(tk_str_from(key))))
        return 0;
    tk_buf_puts(&search->found, key);
    tk_buf_putc(&search->found, '\0');
    tk_buf_puts(&search->found, upload->id);
    tk_buf_putc(&search->found, '\0');
    return tk_buf_check(&search->found, "unfinished uploads", err);
}

int tk_s3_sweep(struct tk_store *store, struct tk_store_sweep *sweep, struct tk_err *err)
{
    struct tk_s3 *s3 = (struct tk_s3 *)(void *)store;
    struct search_old search = {
        .s3 = s3, .sweep = sweep, .before_ns = tk_s3_now_ns(s3) - sweep->age_ns};
    tk_buf_init(&search.found, TK_S3_DOCUMENT_MAX);
    int rc = tk_s3_list_uploads(s3, TK_STR(""), note_old, &search, err);
    tk_str rest = tk_buf_str(&search.found), key, id;
    while (rc == 0 && tk_str_take_until(&rest, '\0', &key) && tk_str_take_until(&rest, '\0', &id)) {
        rc = sweep->dry_run ? 0 : abort_upload(s3, key, id.p, err);
        sweep->found += rc == 0;
        store->counters.swept += rc == 0 && !sweep->dry_run;
    }
    tk_buf_release(&search.found);
    return rc;
}
