/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an HTTP answer, line by line as it comes, and the times that S3 writes. Lines that we
 * have no use for, or that do not parse, leave their field as it was. Pure functions. */
#ifndef TK_STORE_ANSWER_H
#define TK_STORE_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "store/store.h"

struct tk_answer {
    int status;   /* 200; 0 = no status line came */
    size_t bytes; /* of all lines */
    bool has_length, is_chunked, has_range, is_encrypted;
    uint64_t length;              /* Content-Length */
    uint64_t range_start, total;  /* Content-Range */
    int64_t date_ns, modified_ns; /* epoch; 0 = did not come */
    int64_t retry_after_s;        /* 0 = did not come, or a date */
    char etag[TK_STORE_ETAG_MAX]; /* without quotes */
    char request_id[72];
    char region[64];    /* x-amz-bucket-region */
    char location[512]; /* where a redirect leads; "" also when it is longer */
};

/* Take one line, with or without its line end. A status line starts the answer anew, as after
 * "100 Continue". */
void tk_answer_add(struct tk_answer *answer, tk_str line);

/* "Sat, 21 Nov 2026 09:02:29 GMT" (RFC 9110 section 5.6.7, the first of its forms) and
 * "2026-11-21T09:02:29.123Z". False when it is something else. */
bool tk_time_parse_http(tk_str text, int64_t *ret_ns);
bool tk_time_parse_iso(tk_str text, int64_t *ret_ns);

/* An etag without its quotes; empty when it is longer than one of ours. */
void tk_etag_copy(tk_str text, char ret_etag[TK_STORE_ETAG_MAX]);

#endif
