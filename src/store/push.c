/* SPDX-License-Identifier: Apache-2.0 */
#include "store/push.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Memory that a push takes; what is larger goes in parts of this. */
#define PART_BYTES ((size_t)8 << 20)
#define KEYS_MAX   ((size_t)256 << 20)

/* Keys, etags and sizes that are to be pushed. */
struct waiting {
    struct tk_buf rows; /* "key\0etag\0" */
    struct tk_push *push;
};

static int note_object(void *into, const struct tk_store_object *object, struct tk_err *err)
{
    struct waiting *waiting = into;
    tk_buf_put(&waiting->rows, object->key);
    tk_buf_putc(&waiting->rows, '\0');
    tk_buf_puts(&waiting->rows, object->etag);
    tk_buf_putc(&waiting->rows, '\0');
    waiting->push->waiting++;
    waiting->push->waiting_bytes += object->size_bytes;
    return tk_buf_check(&waiting->rows, "spool", err);
}

/* An object on its way. */
struct transfer {
    struct tk_store *to;
    tk_str key;
    struct tk_upload *upload; /* NULL until the object turns out to be large */
    struct tk_buf part;
    uint64_t bytes;
};

static int send_part(struct transfer *transfer, struct tk_err *err)
{
    int rc = 0;
    if (!transfer->upload)
        rc = tk_upload_begin(transfer->to, transfer->key, TK_STORE_RESUME, &transfer->upload, err);
    if (rc == 0)
        rc = tk_upload_part(transfer->upload, tk_store_text(tk_buf_str(&transfer->part)), err);
    tk_buf_reset(&transfer->part);
    return rc;
}

static int take_bytes(void *into, tk_str bytes, struct tk_err *err)
{
    struct transfer *transfer = into;
    int rc = 0;
    transfer->bytes += bytes.n;
    while (rc == 0 && bytes.n > 0) {
        if (transfer->part.n == PART_BYTES)
            rc = send_part(transfer, err);
        size_t room = PART_BYTES - transfer->part.n;
        size_t n = bytes.n < room ? bytes.n : room;
        tk_buf_put(&transfer->part, (tk_str){bytes.p, n});
        bytes.p += n;
        bytes.n -= n;
    }
    return rc < 0 ? rc : tk_buf_check(&transfer->part, "spool", err);
}

static int end_transfer(struct transfer *transfer, struct tk_store_put *ret_put, struct tk_err *err)
{
    if (!transfer->upload) {
        struct tk_store_source source = tk_store_text(tk_buf_str(&transfer->part));
        return tk_store_put(transfer->to, transfer->key, source, 0, ret_put, err);
    }
    int rc = send_part(transfer, err);
    if (rc < 0)
        return rc;
    struct tk_upload *upload = transfer->upload;
    transfer->upload = NULL;
    return tk_upload_finish(upload, ret_put, err);
}

static int transfer_object(struct tk_store *spool, struct transfer *transfer, struct tk_err *err)
{
    struct tk_store_put put = {0};
    const struct tk_store_sink sink = {take_bytes, transfer};
    int rc = tk_store_get(spool, transfer->key, NULL, sink, err);
    if (rc == 0)
        rc = end_transfer(transfer, &put, err);
    /* What has arrived of it is there for the next push. */
    tk_upload_leave(transfer->upload);
    if (rc == 0 && put.size_bytes != transfer->bytes) {
        rc = tk_fail(err, -EIO, "%s: push %.*s: %" PRIu64 " of %" PRIu64 " bytes arrived",
                     tk_store_address(transfer->to), TK_STR_ARG(transfer->key), put.size_bytes,
                     transfer->bytes);
    }
    return rc;
}

/* Take an object out of the spool, unless somebody has put another one there meanwhile. */
static int drop_pushed(struct tk_store *spool, tk_str key, tk_str etag, struct tk_err *err)
{
    struct tk_store_object object;
    int rc = tk_store_head(spool, key, &object, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    return tk_str_eq(tk_str_from(object.etag), etag) ? tk_store_delete(spool, key, err) : 0;
}

static int push_object(struct tk_store *spool, struct tk_store *to, tk_str key, tk_str etag,
                       struct tk_push *push, struct tk_err *err)
{
    struct transfer transfer = {.to = to, .key = key};
    tk_buf_init(&transfer.part, PART_BYTES);
    int rc = transfer_object(spool, &transfer, err);
    tk_buf_release(&transfer.part);
    if (rc == 0)
        rc = drop_pushed(spool, key, etag, err);
    if (rc < 0)
        return rc;
    push->objects++;
    push->bytes += transfer.bytes;
    push->waiting--;
    push->waiting_bytes -=
        transfer.bytes < push->waiting_bytes ? transfer.bytes : push->waiting_bytes;
    return 0;
}

int tk_store_push(struct tk_store *spool, struct tk_store *to, struct tk_push *ret_push,
                  struct tk_err *err)
{
    struct waiting waiting = {.push = ret_push};
    memset(ret_push, 0, sizeof(*ret_push));
    tk_buf_init(&waiting.rows, KEYS_MAX);
    int rc = tk_store_list(spool, TK_STR(""), TK_STR(""), note_object, &waiting, err);
    tk_str rest = tk_buf_str(&waiting.rows), key, etag;
    while (rc == 0 && tk_str_take_until(&rest, '\0', &key) && tk_str_take_until(&rest, '\0', &etag))
        rc = push_object(spool, to, key, etag, ret_push, err);
    tk_buf_release(&waiting.rows);
    return rc;
}
