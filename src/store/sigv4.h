/* SPDX-License-Identifier: Apache-2.0 */
/* AWS Signature Version 4: (method, path, query, headers, hash of the body, time, credentials) to
 * the Authorization header, or to the query of a URL that is signed. No I/O (object-store.md
 * section 3; docs.aws.amazon.com, "Create a signed AWS API request").
 *
 * Path and query are those that are sent: encoded once, by url.h. Costs some 3 us. A signer belongs
 * to one thread; it holds a secret and is wiped when released. */
#ifndef TK_STORE_SIGV4_H
#define TK_STORE_SIGV4_H

#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"

#define TK_SIGV4_HEADERS_MAX 16

/* SHA-256 of nothing, and what stands for a body that is not hashed. */
#define TK_SIGV4_EMPTY    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define TK_SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"

struct tk_signer {
    struct tk_hasher hasher;
    char *access_key, *secret_key, *session_token; /* owned; no token = NULL */
    char region[64];
    const char *service;                /* "s3"; tests have others */
    char key_scope[80];                 /* day and region that `key` is for; "" = none yet */
    unsigned char key[TK_DIGEST_BYTES]; /* the signing key of that day */
    struct tk_buf scratch;              /* the canonical request */
};

/* Whose requests they are. */
struct tk_credentials {
    const char *access_key, *secret_key;
    const char *session_token; /* NULL = none */
};

/* Copies of the credentials; `region` as "us-east-1". */
TK_MUST_USE int tk_signer_init(struct tk_signer *signer, const struct tk_credentials *credentials,
                               tk_str region, struct tk_err *err);

/* Wipe and free; a zeroed struct is fine. */
void tk_signer_release(struct tk_signer *signer);

/* Another region from now on; -EINVAL when it is longer than a name of a region can be. */
TK_MUST_USE int tk_signer_set_region(struct tk_signer *signer, tk_str region, struct tk_err *err);

struct tk_sigv4_header {
    tk_str name;  /* lower case */
    tk_str value; /* without white space at its ends */
};

struct tk_sigv4_request {
    tk_str method;
    tk_str path;  /* "/bucket/key", encoded */
    tk_str query; /* encoded and sorted, without '?' */

    /* All that are signed: host, x-amz-date, x-amz-content-sha256 and the like, each once, in any
     * order; at most TK_SIGV4_HEADERS_MAX. */
    const struct tk_sigv4_header *headers;
    size_t header_count;
    tk_str payload_hash;
    int64_t time_ns; /* epoch; that of x-amz-date */
};

/* Overwrite and free a secret text on the heap, and forget it: *text becomes NULL, which it may be
 * already. */
void tk_secret_wipe(char **text);

/* Append the value of the Authorization header. */
TK_MUST_USE int tk_sigv4_sign(struct tk_signer *signer, const struct tk_sigv4_request *request,
                              struct tk_buf *ret_value, struct tk_err *err);

/* Append the whole query that signs a request for `seconds` (1..604800) from its time on. Only the
 * host header is signed: `request` has no query and no headers, `host` is as it will be sent. */
TK_MUST_USE int tk_sigv4_presign(struct tk_signer *signer, const struct tk_sigv4_request *request,
                                 tk_str host, int64_t seconds, struct tk_buf *ret_query,
                                 struct tk_err *err);

#endif
