/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tkz_verify.h"

#include <errno.h>
#include <stdio.h>

#include "base/human.h"
#include "cmd/member.h"
#include "cmd/span_input.h"
#include "cmd/span_store.h"
#include "cmd/tkz_file.h"
#include "codec/exact_compare.h"
#include "span/span_text.h"

#define OUT_MAX    ((size_t)1 << 16)
#define MAX_SPANS  ((uint64_t)1 << 28)
#define READ_SPANS ((size_t)1 << 16)

struct verifying {
    struct tk_codec_losses losses;
    struct tk_span_prints file, input;
    struct tk_span_difference difference;
    uint64_t spans;
    bool is_compared;
};

static int count_rows(void *context, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct verifying *verifying = context;
    verifying->spans += rows->n;
    return verifying->is_compared ? tk_span_prints_add(&verifying->file, rows, err) : 0;
}

static int read_file(struct verifying *verifying, const char *path, struct tk_err *err)
{
    TK_CLEANUP(tk_import_text_release) struct tk_import_text text = {0};
    const struct tk_codec_decoding decoding = {.threads = tk_tkz_threads(0)};
    const struct tk_span_sink sink = {count_rows, verifying};
    struct tk_codec_info info;
    int rc = tk_tkz_open(path, &text, err);
    if (rc < 0)
        return rc;
    rc = tk_codec_info_read(text.text, &info, err);
    rc = rc < 0 ? rc : tk_codec_decode(&decoding, text.text, &sink, &verifying->losses, err);
    return rc < 0 ? tk_err_prefix(err, "%s", path) : 0;
}

static int read_input(struct verifying *verifying, const struct tk_cmd *cmd, const char *name,
                      struct tk_err *err)
{
    TK_CLEANUP(tk_span_inputs_freep) struct tk_span_inputs *inputs = NULL;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    const struct tk_span_input_options options = {0};
    int rc = tk_span_inputs_new(cmd, &name, 1, &options, &inputs, err);
    rc = rc < 0 ? rc : tk_span_batch_new(READ_SPANS, &batch, err);
    if (rc < 0)
        return rc;
    struct tk_span_source source = tk_span_inputs_source(inputs);
    while (rc == 0) {
        tk_span_batch_reset(batch);
        rc = source.read(source.context, batch, err);
        struct tk_span_rows rows = {batch, NULL, batch->rows};
        if (rc >= 0 && tk_span_prints_add(&verifying->input, &rows, err) < 0)
            rc = err->code;
    }
    tk_span_inputs_warn(inputs);
    return rc < 0 ? rc : 0;
}

/* What was found ------------------------------------------------------------------------------- */

static bool is_equal(const struct verifying *verifying)
{
    const struct tk_span_difference *difference = &verifying->difference;
    return difference->only_a + difference->only_b + difference->unequal == 0;
}

static void put_first(const struct tk_span_difference *difference, struct tk_buf *out)
{
    char trace[TK_TRACE_ID_MAX];
    char span[TK_TRACE_ID_MAX];
    if (difference->has_first) {
        tk_buf_printf(out, "  the first: span %s of trace %s\n",
                      tk_span_id_cstr(difference->span_id, span),
                      tk_trace_id_cstr(difference->trace_id, trace));
    }
}

static void put_difference(const struct verifying *verifying, struct tk_buf *out)
{
    const struct tk_span_difference *difference = &verifying->difference;
    char count[TK_HUMAN_MAX];
    if (is_equal(verifying)) {
        tk_buf_lit(out, ", all equal in every field\n");
        return;
    }
    tk_buf_printf(out, ", %s equal in every field\n",
                  tk_count_format((int64_t)difference->equal, count));
    if (difference->only_a > 0) {
        tk_buf_printf(out, "  %s of the input are not in the file\n",
                      tk_count_format((int64_t)difference->only_a, count));
    }
    if (difference->only_b > 0) {
        tk_buf_printf(out, "  %s of the file are not in the input\n",
                      tk_count_format((int64_t)difference->only_b, count));
    }
    for (size_t i = 0; i < TK_FIELD_COUNT; i++) {
        if (difference->fields[i] > 0) {
            tk_buf_printf(out, "  %s differ in %s\n",
                          tk_count_format((int64_t)difference->fields[i], count),
                          tk_span_field_names[i]);
        }
    }
    put_first(difference, out);
}

static void put_report(const struct verifying *verifying, const char *path, struct tk_buf *out)
{
    char count[TK_HUMAN_MAX];
    tk_buf_printf(out, "%s: %s span%s%s", path, tk_count_format((int64_t)verifying->spans, count),
                  tk_count_ending((int64_t)verifying->spans),
                  tk_codec_losses_any(&verifying->losses) ? ", damaged" : "");
    if (verifying->is_compared) {
        put_difference(verifying, out);
    } else {
        tk_buf_putc(out, '\n');
    }
}

static void put_json(const struct verifying *verifying, const char *path, struct tk_buf *out)
{
    const struct tk_span_difference *difference = &verifying->difference;
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "file", tk_str_from(path));
    tk_member_put_i64(out, "spans", (int64_t)verifying->spans);
    tk_member_put_bool(out, "damaged", tk_codec_losses_any(&verifying->losses));
    tk_member_put_text(out, "first_damage", tk_str_from(verifying->losses.first));
    if (verifying->is_compared) {
        tk_member_put_bool(out, "equal", is_equal(verifying));
        tk_member_put_i64(out, "equal_spans", (int64_t)difference->equal);
        tk_member_put_i64(out, "only_in_input", (int64_t)difference->only_a);
        tk_member_put_i64(out, "only_in_file", (int64_t)difference->only_b);
        tk_member_open(out, "differ_in", '{');
        for (size_t i = 0; i < TK_FIELD_COUNT; i++)
            tk_member_put_i64(out, tk_span_field_names[i], (int64_t)difference->fields[i]);
        tk_buf_putc(out, '}');
    }
    tk_buf_lit(out, "}\n");
}

/* The verb ------------------------------------------------------------------------------------- */

static int verify(struct verifying *verifying, const struct tk_cmd *cmd, const char *path,
                  const char *against, struct tk_err *err)
{
    verifying->is_compared = against != NULL;
    int rc = read_file(verifying, path, err);
    if (rc == 0 && against)
        rc = read_input(verifying, cmd, against, err);
    if (rc == 0 && against)
        tk_span_prints_compare(&verifying->input, &verifying->file, &verifying->difference);
    if (rc == 0)
        tk_tkz_warn_losses(cmd, path, &verifying->losses);
    return rc;
}

int tk_tkz_verify(const struct tk_cmd *cmd, const char *path, const char *against, bool json,
                  struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct verifying verifying = {0};
    tk_buf_init(&out, OUT_MAX);
    tk_span_prints_init(&verifying.file, MAX_SPANS);
    tk_span_prints_init(&verifying.input, MAX_SPANS);
    int rc = verify(&verifying, cmd, path, against, err);
    if (rc == 0) {
        (json ? put_json : put_report)(&verifying, path, &out);
        rc = tk_buf_check(&out, "report", err);
        (void)fwrite(out.p, 1, out.n, stdout);
    }
    tk_span_prints_release(&verifying.file);
    tk_span_prints_release(&verifying.input);
    bool is_well = !tk_codec_losses_any(&verifying.losses) && is_equal(&verifying);
    return rc < 0 ? rc : !is_well;
}
