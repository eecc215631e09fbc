/* SPDX-License-Identifier: Apache-2.0 */
/* What the kinds of store share: the table of functions that makes a kind, and sources. */
#ifndef TK_STORE_INTERNAL_H
#define TK_STORE_INTERNAL_H

#include "base/clock.h"
#include "store/store.h"

/* A kind of store. Keys have been checked; contracts are those of store.h. */
struct tk_store_kind {
    tk_str scheme; /* with its colon: "dir:" */

    /* `rest` of the address; makes a struct that starts with a struct tk_store. */
    int (*open)(tk_str rest, const struct tk_store_options *options, struct tk_store **ret_store,
                struct tk_err *err);
    void (*close)(struct tk_store *store);
    int (*put)(struct tk_store *store, tk_str key, struct tk_store_source source, unsigned flags,
               struct tk_store_put *ret_put, struct tk_err *err);
    int (*get)(struct tk_store *store, tk_str key, const struct tk_store_range *range,
               struct tk_store_sink sink, struct tk_err *err);
    int (*head)(struct tk_store *store, tk_str key, struct tk_store_object *ret_object,
                struct tk_err *err);
    int (*list)(struct tk_store *store, tk_str prefix, tk_str after, tk_store_visit_fn visit,
                void *into, struct tk_err *err);
    int (*delete)(struct tk_store *store, tk_str key, struct tk_err *err);

    /* Makes a struct that starts with a struct tk_upload. */
    int (*begin)(struct tk_store *store, tk_str key, unsigned flags, struct tk_upload **ret_upload,
                 struct tk_err *err);
    int (*part)(struct tk_upload *upload, struct tk_store_source source, struct tk_err *err);
    int (*finish)(struct tk_upload *upload, struct tk_store_put *ret_put, struct tk_err *err);
    void (*drop)(struct tk_upload *upload, bool keep); /* keep = leave what was sent */

    int (*sweep)(struct tk_store *store, struct tk_store_sweep *sweep, struct tk_err *err);
    int (*presign)(struct tk_store *store, const char *method, tk_str key, int64_t seconds,
                   struct tk_buf *ret_url, struct tk_err *err); /* NULL = not supported */
};

extern const struct tk_store_kind tk_store_kind_dir;
extern const struct tk_store_kind tk_store_kind_s3; /* only when built with it: TK_HAVE_S3 */

struct tk_store {
    const struct tk_store_kind *kind;
    char *address;                   /* owned */
    struct tk_store_options options; /* strings belong to the kind, or are NULL */
    struct tk_store_counters counters;
    int64_t until_ns; /* the end of the present call, monotonic; 0 = none */
};

struct tk_upload {
    struct tk_store *store;
};

/* An opened source. */
struct tk_reader {
    tk_str text;
    const char *name; /* of the file, borrowed; NULL = memory */
    int fd;
    uint64_t size_bytes;
};

/* Open a source and learn its size. */
TK_MUST_USE int tk_reader_open(struct tk_reader *reader, struct tk_store_source source,
                               struct tk_err *err);

/* Close it; for TK_CLEANUP. */
void tk_reader_close(struct tk_reader *reader);

/* Bytes from `offset` on, at most `cap` of them and at least one: a view of the memory, or of `buf`
 * that they were read into. -EIO when the file has become shorter than it was. */
TK_MUST_USE int tk_reader_read(struct tk_reader *reader, uint64_t offset, char *buf, size_t cap,
                               tk_str *ret_bytes, struct tk_err *err);

/* 0; -ECANCELED or -ETIMEDOUT when the present call is to end. `what` is for the message. */
TK_MUST_USE int tk_store_may_go_on(const struct tk_store *store, tk_str what, struct tk_err *err);

#endif
