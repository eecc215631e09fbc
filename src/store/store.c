/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/store_internal.h"

static const struct tk_store_kind *const kinds[] = {
    &tk_store_kind_dir,
#ifdef TK_HAVE_S3
    &tk_store_kind_s3,
#endif
};

int tk_store_open(tk_str address, const struct tk_store_options *options,
                  struct tk_store **ret_store, struct tk_err *err)
{
    static const struct tk_store_options defaults;
    const struct tk_store_kind *kind = NULL;
    tk_str rest = address;
    for (size_t i = 0; i < TK_COUNTOF(kinds) && !kind; i++) {
        if (tk_str_take_prefix(&rest, kinds[i]->scheme))
            kind = kinds[i];
    }
    if (!kind && tk_str_starts_with(address, TK_STR("s3:"))) {
        return tk_fail(err, -EOPNOTSUPP, "%.*s: this tracekit was built without S3",
                       TK_STR_ARG(address));
    }
    if (!kind) {
        return tk_fail(err, -EINVAL, "'%.*s' is no store, expected dir:/path or s3://bucket/prefix",
                       TK_STR_ARG(address));
    }

    char *copy = strndup(address.p, address.n);
    if (!copy)
        return tk_fail(err, -ENOMEM, "%.*s: out of memory", TK_STR_ARG(address));
    struct tk_store *store;
    int rc = kind->open(rest, options ? options : &defaults, &store, err);
    if (rc < 0) {
        free(copy);
        return rc;
    }
    store->kind = kind;
    store->address = copy;
    *ret_store = store;
    return 0;
}

void tk_store_close(struct tk_store *store)
{
    if (!store)
        return;
    free(store->address);
    store->kind->close(store);
}

const char *tk_store_address(const struct tk_store *store)
{
    return store->address;
}

const struct tk_store_counters *tk_store_counters(const struct tk_store *store)
{
    return &store->counters;
}

/* Start a call: its deadline runs from now. */
static void start_call(struct tk_store *store)
{
    int64_t limit_ns = store->options.deadline_ns;
    store->until_ns = limit_ns > 0 ? tk_clock_mono_ns() + limit_ns : 0;
}

static int start_call_on(struct tk_store *store, tk_str key, struct tk_err *err)
{
    start_call(store);
    if (key.n == 0)
        return tk_fail(err, -EINVAL, "%s: a key must not be empty", store->address);
    if (key.n > TK_STORE_KEY_MAX) {
        return tk_fail(err, -ENAMETOOLONG, "%s: a key of %zu bytes is longer than %d",
                       store->address, key.n, TK_STORE_KEY_MAX);
    }
    if (memchr(key.p, 0, key.n))
        return tk_fail(err, -EINVAL, "%s: a key must not hold a NUL byte", store->address);
    return 0;
}

int tk_store_may_go_on(const struct tk_store *store, tk_str what, struct tk_err *err)
{
    if (store->options.is_cancelled && store->options.is_cancelled(store->options.owner))
        return tk_fail(err, -ECANCELED, "%s: %.*s: cancelled", store->address, TK_STR_ARG(what));
    if (store->until_ns != 0 && tk_clock_mono_ns() >= store->until_ns) {
        return tk_fail(err, -ETIMEDOUT, "%s: %.*s: not done within %.3g s", store->address,
                       TK_STR_ARG(what), (double)store->options.deadline_ns / (double)TK_NS_PER_S);
    }
    return 0;
}

int tk_store_put(struct tk_store *store, tk_str key, struct tk_store_source source, unsigned flags,
                 struct tk_store_put *ret_put, struct tk_err *err)
{
    struct tk_store_put put = {0};
    int rc = start_call_on(store, key, err);
    if (rc == 0)
        rc = store->kind->put(store, key, source, flags, &put, err);
    if (rc == 0 && ret_put)
        *ret_put = put;
    return rc;
}

int tk_store_get(struct tk_store *store, tk_str key, const struct tk_store_range *range,
                 struct tk_store_sink sink, struct tk_err *err)
{
    int rc = start_call_on(store, key, err);
    return rc < 0 ? rc : store->kind->get(store, key, range, sink, err);
}

static int append(void *into, tk_str bytes, struct tk_err *err)
{
    struct tk_buf *buf = into;
    tk_buf_put(buf, bytes);
    return tk_buf_check(buf, "object", err);
}

int tk_store_get_text(struct tk_store *store, tk_str key, struct tk_buf *buf, struct tk_err *err)
{
    return tk_store_get(store, key, NULL, (struct tk_store_sink){append, buf}, err);
}

int tk_store_head(struct tk_store *store, tk_str key, struct tk_store_object *ret_object,
                  struct tk_err *err)
{
    struct tk_store_object object = {.key = key};
    int rc = start_call_on(store, key, err);
    if (rc == 0)
        rc = store->kind->head(store, key, &object, err);
    if (rc == 0)
        *ret_object = object;
    return rc;
}

int tk_store_list(struct tk_store *store, tk_str prefix, tk_str after, tk_store_visit_fn visit,
                  void *into, struct tk_err *err)
{
    start_call(store);
    if (prefix.n > TK_STORE_KEY_MAX || after.n > TK_STORE_KEY_MAX) {
        return tk_fail(err, -ENAMETOOLONG, "%s: a prefix is longer than %d bytes", store->address,
                       TK_STORE_KEY_MAX);
    }
    return store->kind->list(store, prefix, after, visit, into, err);
}

int tk_store_delete(struct tk_store *store, tk_str key, struct tk_err *err)
{
    int rc = start_call_on(store, key, err);
    return rc < 0 ? rc : store->kind->delete (store, key, err);
}

int tk_upload_begin(struct tk_store *store, tk_str key, unsigned flags,
                    struct tk_upload **ret_upload, struct tk_err *err)
{
    int rc = start_call_on(store, key, err);
    if (rc < 0)
        return rc;
    struct tk_upload *upload;
    rc = store->kind->begin(store, key, flags, &upload, err);
    if (rc < 0)
        return rc;
    upload->store = store;
    *ret_upload = upload;
    return 0;
}

int tk_upload_part(struct tk_upload *upload, struct tk_store_source source, struct tk_err *err)
{
    start_call(upload->store);
    return upload->store->kind->part(upload, source, err);
}

int tk_upload_finish(struct tk_upload *upload, struct tk_store_put *ret_put, struct tk_err *err)
{
    struct tk_store_put put = {0};
    start_call(upload->store);
    int rc = upload->store->kind->finish(upload, &put, err);
    if (rc == 0 && ret_put)
        *ret_put = put;
    return rc;
}

static void drop(struct tk_upload *upload, bool keep)
{
    if (!upload)
        return;
    start_call(upload->store);
    upload->store->kind->drop(upload, keep);
}

void tk_upload_abort(struct tk_upload *upload)
{
    drop(upload, false);
}

void tk_upload_leave(struct tk_upload *upload)
{
    drop(upload, true);
}

int tk_store_sweep(struct tk_store *store, struct tk_store_sweep *sweep, struct tk_err *err)
{
    start_call(store);
    sweep->found = 0;
    return store->kind->sweep(store, sweep, err);
}

int tk_store_presign(struct tk_store *store, const char *method, tk_str key, int64_t seconds,
                     struct tk_buf *ret_url, struct tk_err *err)
{
    int rc = start_call_on(store, key, err);
    if (rc < 0)
        return rc;
    if (!store->kind->presign) {
        return tk_fail(err, -EOPNOTSUPP, "%s: only an S3 store can make URLs that are signed",
                       store->address);
    }
    return store->kind->presign(store, method, key, seconds, ret_url, err);
}

/* Sources ------------------------------------------------------------------------------------- */

int tk_reader_open(struct tk_reader *reader, struct tk_store_source source, struct tk_err *err)
{
    *reader = (struct tk_reader){.text = source.text, .fd = -1, .size_bytes = source.text.n};
    if (!source.path)
        return 0;
    struct stat st;
    int fd = openat(source.dirfd, source.path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        int rc = tk_fail_errno(err, "%s", source.path);
        tk_fd_close(&fd);
        return rc;
    }
    if (!S_ISREG(st.st_mode)) {
        tk_fd_close(&fd);
        return tk_fail(err, -EINVAL, "%s: not a regular file", source.path);
    }
    reader->name = source.path;
    reader->fd = fd;
    reader->size_bytes = (uint64_t)st.st_size;
    return 0;
}

void tk_reader_close(struct tk_reader *reader)
{
    tk_fd_close(&reader->fd);
}

int tk_reader_read(struct tk_reader *reader, uint64_t offset, char *buf, size_t cap,
                   tk_str *ret_bytes, struct tk_err *err)
{
    uint64_t left = reader->size_bytes - offset;
    size_t n = left < cap ? (size_t)left : cap;
    if (!reader->name) {
        *ret_bytes = (tk_str){reader->text.p + offset, n};
        return 0;
    }
    ssize_t got;
    do {
        got = pread(reader->fd, buf, n, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return tk_fail_errno(err, "%s", reader->name);
    if (got == 0)
        return tk_fail(err, -EIO, "%s: became shorter while it was read", reader->name);
    *ret_bytes = (tk_str){buf, (size_t)got};
    return 0;
}
