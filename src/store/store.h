/* SPDX-License-Identifier: Apache-2.0 */
/* Object store: keys and bytes, in a directory or in an S3-compatible store (object-store.md).
 *
 *     struct tk_store *store;
 *     struct tk_store_options options = {.deadline_ns = 30 * TK_NS_PER_S};
 *     rc = tk_store_open(TK_STR("s3://bucket/prefix"), &options, &store, err);
 *     rc = tk_store_put(store, key, tk_store_text(json), 0, NULL, err);
 *     rc = tk_store_get_text(store, key, &buf, err);
 *     tk_store_close(store);
 *
 * Whoever goes by the environment (TRACEKIT_STORE, MINIO_*, AWS_*) uses tk_store_open_default().
 *
 * What works on one kind works on the other: a directory store holds the same bytes under the same
 * keys. A key is a string of 1..1024 bytes, UTF-8 by convention, without NUL; it is never
 * normalised: "x/../y", "./dot" and "x//y" are three ordinary keys. What the objects are is the
 * caller's business.
 *
 * Calls block, until they are done, refused, out of tries, past `deadline_ns` or cancelled. They
 * return 0 or a negative errno and a message that names method, bucket and key, and for S3 the HTTP
 * status, code and request id; never a secret. -ENOENT no such object, -EEXIST create only and it
 * was there, -EACCES, -ERANGE, -ENOSPC, -ETIMEDOUT, -ECANCELED, -EINVAL a key or an address that is
 * none, -EIO all tries failed.
 *
 * A store belongs to one thread; stores share nothing. */
#ifndef TK_STORE_H
#define TK_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define TK_STORE_KEY_MAX  1024
#define TK_STORE_ETAG_MAX 72

struct tk_store;
struct tk_upload;

enum tk_store_addressing {
    TK_STORE_PATH,    /* http://host/bucket/key, the default */
    TK_STORE_VIRTUAL, /* http://bucket.host/key */
};

/* Zero everywhere is the default. Strings are copied at open. */
struct tk_store_options {
    int64_t deadline_ns;               /* of one call, with its retries; 0 = none */
    bool (*is_cancelled)(void *owner); /* asked at least each 100 ms; NULL = never cancelled */
    void *owner;

    /* Directory store. */
    bool must_exist; /* do not make the folder */
    mode_t mode;     /* of files, 0 = 0600; folders get x where this has r */

    /* S3. What is NULL here comes from the environment, see tk_store_open_default(). */
    const char *endpoint; /* "http://127.0.0.1:9000" or "https://host", no path */
    const char *region;   /* us-east-1 */
    const char *access_key;
    const char *secret_key;
    const char *session_token; /* goes with the two */
    enum tk_store_addressing addressing;
    const char *ca_file; /* of who signed the server's certificate, PEM; NULL = AWS_CA_BUNDLE, else
                          * those of the system */
    const char *client_certificate; /* and its key, PEM */
    const char *client_key;
    const char *proxy;        /* NULL = as https_proxy and no_proxy say */
    bool unsigned_payload;    /* over TLS only: the signature does not bear on bodies */
    bool must_be_up;          /* a server that cannot be reached is not tried again */
    int max_tries;            /* 0 = 8 */
    int64_t retry_base_ns;    /* 0 = 100 ms */
    int64_t retry_cap_ns;     /* 0 = 20 s */
    int retries_per_minute;   /* of all calls on this store, 0 = 60 */
    int in_flight;            /* parts at once, 0 = 4, at most 8 */
    uint64_t multipart_bytes; /* larger objects go in parts; 0 = 16 MiB, at least 5 MiB */
    size_t answer_max;        /* bytes of response headers, and of an error; 0 = 64 KiB */
};

/* What happened since open; all are counts but where a unit is named. */
struct tk_store_counters {
    uint64_t requests; /* that were sent, retries too */
    uint64_t retries;
    uint64_t redirects;      /* signed anew for another host or region */
    uint64_t refused;        /* create only, and it was there */
    uint64_t resumed_parts;  /* of an upload that was begun before, and not sent again */
    uint64_t resumed_reads;  /* that went on behind the bytes that had come */
    uint64_t swept;          /* uploads and temporary files of dead writers that were removed */
    uint64_t budget_empty;   /* calls that failed because all retries of the minute were spent */
    uint64_t clock_fixes;    /* times that the server's clock was taken over */
    int64_t clock_offset_ns; /* the server's clock less ours; 0 until there was a reason to ask */
    uint64_t bytes_sent;     /* of bodies */
    uint64_t bytes_received;
};

/* Where the bytes of an object come from: memory, or a file that nobody changes meanwhile. Made by
 * tk_store_text() and tk_store_file(); borrowed for the call. */
struct tk_store_source {
    const char *path; /* NULL = `text` */
    int dirfd;
    tk_str text;
};

/* Bytes in memory. */
static inline struct tk_store_source tk_store_text(tk_str text)
{
    return (struct tk_store_source){.text = text};
}

/* A file; `path` is relative to `dirfd`. */
static inline struct tk_store_source tk_store_file(int dirfd, const char *path)
{
    return (struct tk_store_source){.path = path, .dirfd = dirfd};
}

/* Where the bytes of an object go: in order, each once, also over retries. `write` returns 0, or a
 * negative errno with `err` set, which ends the call. */
struct tk_store_sink {
    int (*write)(void *into, tk_str bytes, struct tk_err *err);
    void *into;
};

struct tk_store_range {
    uint64_t offset;
    uint64_t length; /* bytes at most; 0 = up to the end */
};

/* An object. */
struct tk_store_object {
    tk_str key; /* borrowed from the call, see there */
    uint64_t size_bytes;
    int64_t modified_ns;          /* epoch; S3 knows whole seconds, or ms in a list */
    char etag[TK_STORE_ETAG_MAX]; /* changes with the content; without quotes */
};

/* What was put. */
struct tk_store_put {
    uint64_t size_bytes;
    char sha256[65]; /* hexadecimal */
    char etag[TK_STORE_ETAG_MAX];
};

/* Flags of tk_store_put() and tk_upload_begin(). */
#define TK_STORE_CREATE_ONLY 1U /* -EEXIST when the key existed before the call */
#define TK_STORE_RESUME      2U /* upload: go on with one that was begun before, where there is one */

/* Open the store at an address: "dir:/path" (or "dir:relative"), "s3://bucket" or
 * "s3://bucket/prefix"; with a prefix all keys are below "prefix/". Sends no request: a directory
 * is made unless it must exist, for S3 the address and the presence of credentials are checked.
 * `options` may be NULL. -EOPNOTSUPP when this build or host lacks S3. */
TK_MUST_USE int tk_store_open(tk_str address, const struct tk_store_options *options,
                              struct tk_store **ret_store, struct tk_err *err);

/* The address that MINIO_* and TELEMETRY_BUCKET name where TRACEKIT_STORE does not; "" when it does
 * not fit. False when MINIO_* names no keys. */
bool tk_store_default_bucket(char *ret, size_t cap);

/* Open the store that the environment names, build-telemetry.md section 10: TRACEKIT_STORE; else
 * s3://$TELEMETRY_BUCKET (appliance-telemetry) when MINIO_ACCESS_KEY and MINIO_SECRET_KEY are set.
 * 1 and no store when it names none. Credentials are looked for in `options`, MINIO_*, AWS_*, and
 * the credentials file of the AWS tools; the endpoint in `options`, MINIO_ENDPOINT,
 * AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL; the region in AWS_REGION, AWS_DEFAULT_REGION. */
TK_MUST_USE int tk_store_open_default(const struct tk_store_options *options,
                                      struct tk_store **ret_store, struct tk_err *err);

/* Wait for nothing, forget the secrets; NULL is fine. Uploads must be finished or aborted before.
 */
void tk_store_close(struct tk_store *store);

/* The address as it was given, for messages; lives as long as the store. */
const char *tk_store_address(const struct tk_store *store);

/* Counted so far; lives as long as the store. */
const struct tk_store_counters *tk_store_counters(const struct tk_store *store);

/* Put a whole object: a reader sees the old object, the new one or none, never a part. Large ones
 * go in parts by themselves. `flags` is 0 or TK_STORE_CREATE_ONLY; `ret_put` may be NULL. */
TK_MUST_USE int tk_store_put(struct tk_store *store, tk_str key, struct tk_store_source source,
                             unsigned flags, struct tk_store_put *ret_put, struct tk_err *err);

/* Get an object or a range of it (NULL = all); -ERANGE when it starts at or behind the end. One
 * version is read, however often the connection breaks; -ESTALE when it was replaced meanwhile. */
TK_MUST_USE int tk_store_get(struct tk_store *store, tk_str key, const struct tk_store_range *range,
                             struct tk_store_sink sink, struct tk_err *err);

/* Append a whole object to `buf`, up to its cap. */
TK_MUST_USE int tk_store_get_text(struct tk_store *store, tk_str key, struct tk_buf *buf,
                                  struct tk_err *err);

/* Size, etag and time; -ENOENT when it is not there. `ret_object->key` is `key`. */
TK_MUST_USE int tk_store_head(struct tk_store *store, tk_str key,
                              struct tk_store_object *ret_object, struct tk_err *err);

/* Called for each object of a list; `object` is valid for the call, which must not use the store.
 * 0 goes on, 1 ends the list without failure, a negative errno with `err` set fails it. */
typedef int (*tk_store_visit_fn)(void *into, const struct tk_store_object *object,
                                 struct tk_err *err);

/* All objects whose key starts with `prefix` and comes behind `after` (both may be empty), by byte
 * order of keys, however many there are. A store without any is no failure. */
TK_MUST_USE int tk_store_list(struct tk_store *store, tk_str prefix, tk_str after,
                              tk_store_visit_fn visit, void *into, struct tk_err *err);

/* Delete an object; one that is not there is success. */
TK_MUST_USE int tk_store_delete(struct tk_store *store, tk_str key, struct tk_err *err);

/* Begin an object that is put in parts; nothing is visible before it is finished. With
 * TK_STORE_RESUME parts that the store holds already are not sent again. */
TK_MUST_USE int tk_upload_begin(struct tk_store *store, tk_str key, unsigned flags,
                                struct tk_upload **ret_upload, struct tk_err *err);

/* The next part: at least 5 MiB unless it is the last one, at most 10,000 of them. A resumed upload
 * is given the same parts again, from the first on. */
TK_MUST_USE int tk_upload_part(struct tk_upload *upload, struct tk_store_source source,
                               struct tk_err *err);

/* Make the object visible, and free the upload, also on failure. `ret_put` may be NULL. */
TK_MUST_USE int tk_upload_finish(struct tk_upload *upload, struct tk_store_put *ret_put,
                                 struct tk_err *err);

/* Drop what was sent and free the upload; NULL is fine. */
void tk_upload_abort(struct tk_upload *upload);

/* Free the upload but leave what was sent in the store, for a later TK_STORE_RESUME; NULL is fine.
 * A directory store drops it. */
void tk_upload_leave(struct tk_upload *upload);

/* What a sweep removes; zero is all that is unfinished below the prefix. */
struct tk_store_sweep {
    int64_t age_ns;              /* that was begun longer ago */
    bool (*is_ours)(tk_str key); /* S3: uploads of these keys; NULL = all */
    bool dry_run;                /* count only */
    size_t found;                /* result: so many were, or would be, removed */
};

/* Remove what dead writers left behind: unfinished uploads, temporary files of a folder. What is
 * removed counts as `swept`. -EACCES when the keys are for objects only. */
TK_MUST_USE int tk_store_sweep(struct tk_store *store, struct tk_store_sweep *sweep,
                               struct tk_err *err);

/* A URL that lets anybody do one `method` ("GET" or "PUT") on one key for `seconds` (1..604800). It
 * is a credential: never log it whole. -EOPNOTSUPP for a directory. */
TK_MUST_USE int tk_store_presign(struct tk_store *store, const char *method, tk_str key,
                                 int64_t seconds, struct tk_buf *ret_url, struct tk_err *err);

#endif
