/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "run/out.h"
#include "run/run_internal.h"

#define OBJECT_MAX      ((size_t)1 << 20)
#define ARRAY_MAX_BYTES ((size_t)64 << 20)
#define ARRAY_MAX_ROWS  10000

/* tk_file_write() or tk_file_refresh(). */
typedef int (*file_fn)(int dirfd, const char *path, tk_str text, mode_t mode, struct tk_err *err);

static int write_with(file_fn write_file, int dirfd, const char *name, const struct tk_batch *batch,
                      struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OBJECT_MAX);
    tk_encoder_jsonl.batch(batch, &out);
    int rc = tk_buf_check(&out, name, err);
    if (rc < 0)
        return rc;
    rc = write_file(dirfd, name, tk_buf_str(&out), 0644, err);
    if (rc == 0)
        tk_run_adopt_name(dirfd, name);
    return rc;
}

int tk_object_write(int dirfd, const char *name, const struct tk_batch *batch, struct tk_err *err)
{
    return write_with(tk_file_write, dirfd, name, batch, err);
}

int tk_object_refresh(int dirfd, const char *name, const struct tk_batch *batch, struct tk_err *err)
{
    return write_with(tk_file_refresh, dirfd, name, batch, err);
}

/* The text is one object and nothing else; it may spread over lines. */
static int check_object(tk_str text, struct tk_err *err)
{
    struct tk_json json;
    tk_json_init(&json, text);
    if (tk_json_peek(&json) != TK_JSON_OBJECT)
        return tk_fail(err, -EBADMSG, "byte %zu: expected an object", tk_json_offset(&json));
    int rc = tk_json_skip(&json, NULL, err);
    return rc < 0 ? rc : tk_json_expect_end(&json, err);
}

int tk_object_decode(tk_str text, struct tk_batch *batch, struct tk_err *err)
{
    int rc = check_object(text, err);
    if (rc < 0)
        return rc;
    void *state = calloc(1, tk_decoder_jsonl.state_size + 1);
    if (!state)
        return tk_fail(err, -ENOMEM, "out of memory");
    struct tk_decode_stats stats = {0};
    size_t before = batch->rows;
    rc = tk_decoder_jsonl.batch(state, &text, true, batch, &stats, err);
    free(state);
    if (rc == 0 && batch->rows == before)
        return tk_fail(err, -EBADMSG, "%s", stats.first_bad);
    return rc;
}

int tk_objects_decode(tk_str text, struct tk_batch *batch, struct tk_err *err)
{
    struct tk_json json;
    tk_json_init(&json, text);
    int rc = tk_json_enter_array(&json, err);
    while (rc == 0 && tk_batch_has_room(batch) && (rc = tk_json_next_element(&json, err)) == 0) {
        tk_str object;
        rc = tk_json_skip(&json, &object, err);
        rc = rc == 0 ? tk_object_decode(object, batch, err) : rc;
    }
    return rc < 0 ? rc : 0;
}

int tk_object_read(int dirfd, const char *name, const struct tk_schema *schema,
                   struct tk_batch **ret_batch, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, OBJECT_MAX);
    int rc = tk_file_load(dirfd, name, &text, err);
    if (rc < 0)
        return rc;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    rc = tk_batch_new(schema, 1, OBJECT_MAX, &batch, err);
    if (rc < 0)
        return rc;
    if (tk_object_decode(tk_buf_str(&text), batch, err) < 0)
        return tk_err_prefix(err, "%s", name);
    *ret_batch = batch;
    batch = NULL;
    return 0;
}

int tk_objects_read(int dirfd, const char *name, const struct tk_schema *schema,
                    struct tk_batch **ret_batch, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, ARRAY_MAX_BYTES);
    int rc = tk_file_load(dirfd, name, &text, err);
    if (rc < 0)
        return rc;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    rc = tk_batch_new(schema, ARRAY_MAX_ROWS, ARRAY_MAX_BYTES, &batch, err);
    if (rc < 0)
        return rc;
    rc = tk_objects_decode(tk_buf_str(&text), batch, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", name);
    *ret_batch = batch;
    batch = NULL;
    return 0;
}

int tk_objects_write(int dirfd, const char *name, const struct tk_batch *batch, struct tk_err *err)
{
    TK_CLEANUP(tk_out_release) struct tk_out out = TK_OUT_NONE;
    TK_CLEANUP(tk_buf_release) struct tk_buf rows;
    tk_buf_init(&rows, ARRAY_MAX_BYTES);
    tk_encoder_jsonl.batch(batch, &rows);
    int rc = tk_buf_check(&rows, name, err);
    if (rc == 0)
        rc = tk_out_open(&out, dirfd, name, NULL, err);
    if (rc < 0)
        return rc;
    tk_str rest = tk_buf_str(&rows);
    tk_str line;
    tk_out_put(&out, TK_STR("["));
    for (const char *before = "\n"; tk_str_take_line(&rest, &line); before = ",\n") {
        tk_out_put(&out, tk_str_from(before));
        tk_out_put(&out, line);
    }
    tk_out_put(&out, TK_STR("\n]\n"));
    return tk_out_close(&out, err);
}
