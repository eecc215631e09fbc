/* SPDX-License-Identifier: Apache-2.0 */
/* Baselines and controls as files of spans: `fidelity sample` keeps spans as they are, with all
 * that they hold; `fidelity control` writes what the table of 12 columns knows of them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/human.h"
#include "base/nearest.h"
#include "cmd/fidelity.h"
#include "fidelity/controls.h"
#include "fidelity/samplers.h"
#include "fidelity/trace_filter.h"
#include "run/out.h"
#include "span/span_format.h"

#define BATCH_ROWS ((size_t)1 << 16)
#define PIECE_ROWS ((size_t)2048) /* that an encoder gets at once */
#define TEXT_FLUSH ((size_t)1 << 20)
#define TEXT_MAX   ((size_t)4 << 30)

/* Spans on their way to a file, or to standard output. */
struct writing {
    const struct tk_span_encoder *encoder;
    void *state; /* of the encoder; owned */
    struct tk_buf text;
    struct tk_out out;
    int dirfd; /* of the file */
    bool is_stdout;
    uint64_t spans;
};

static int flush(struct writing *writing, size_t least, struct tk_err *err)
{
    int rc = tk_buf_check(&writing->text, "spans", err);
    if (rc < 0 || writing->text.n < least)
        return rc;
    if (writing->is_stdout) {
        rc = tk_fd_write(STDOUT_FILENO, tk_buf_str(&writing->text), "stdout", err);
    } else {
        tk_out_put(&writing->out, tk_buf_str(&writing->text));
    }
    tk_buf_reset(&writing->text);
    return rc;
}

static int find_encoder(const char *name, const struct tk_span_encoder **ret_encoder,
                        struct tk_err *err)
{
    *ret_encoder = name ? tk_span_encoder_find(name) : &tk_span_encoder_otlp_proto;
    if (!*ret_encoder)
        return tk_fail(err, -EINVAL, "option '--encoding': '%s' is no format of spans", name);
    if ((*ret_encoder)->by_trace) {
        return tk_fail(err, -EINVAL,
                       "option '--encoding': %s wants whole traces: write otlp-proto, and "
                       "let tracekit export make %s of it",
                       name, name);
    }
    return 0;
}

static int open_writing(struct writing *writing, const char *output, const char *encoding,
                        struct tk_err *err)
{
    char folder[PATH_MAX];
    tk_str path = tk_str_from(output);
    tk_str name = tk_str_base_name(path);
    *writing = (struct writing){.out = TK_OUT_NONE, .dirfd = -1};
    tk_buf_init(&writing->text, TEXT_MAX);
    int rc = find_encoder(encoding, &writing->encoder, err);
    if (rc < 0)
        return rc;
    writing->state = calloc(1, writing->encoder->state_size + 1);
    if (!writing->state)
        return tk_fail(err, -ENOMEM, "out of memory");
    writing->is_stdout = strcmp(output, "-") == 0;
    if (writing->encoder->head)
        writing->encoder->head(writing->state, &writing->text);
    if (writing->is_stdout)
        return 0;
    path.n -= name.n;
    if (!tk_str_to_cstr(path.n > 0 ? path : TK_STR("."), folder, sizeof(folder)))
        return tk_fail(err, -ENAMETOOLONG, "%s", output);
    rc = tk_dir_open(AT_FDCWD, folder, &writing->dirfd, err);
    return rc < 0 ? rc : tk_out_open(&writing->out, writing->dirfd, name.p, NULL, err);
}

static int close_writing(struct writing *writing, struct tk_err *err)
{
    if (writing->encoder->tail)
        writing->encoder->tail(writing->state, &writing->text);
    int rc = flush(writing, 1, err);
    return rc < 0 || writing->is_stdout ? rc : tk_out_close(&writing->out, err);
}

static void release_writing(struct writing *writing)
{
    if (writing->state && writing->encoder->release)
        writing->encoder->release(writing->state);
    free(writing->state);
    tk_out_release(&writing->out);
    tk_buf_release(&writing->text);
    tk_fd_close(&writing->dirfd);
}

/* What is done to the spans of a batch before they are written; may be NULL. */
typedef void (*change_fn)(void *user, struct tk_span_batch *batch);

/* A piece of the rows at a time, so that their text is not held as a whole. */
static int encode_rows(struct writing *writing, const struct tk_span_batch *batch,
                       struct tk_err *err)
{
    uint32_t piece[PIECE_ROWS];
    int rc = 0;
    for (size_t row = 0; row < batch->rows && rc == 0;) {
        struct tk_span_rows rows = {batch, piece, 0};
        while (row < batch->rows && rows.n < PIECE_ROWS)
            piece[rows.n++] = (uint32_t)row++;
        rc = writing->encoder->spans(writing->state, &rows, &writing->text, err);
        writing->spans += rows.n;
        rc = rc < 0 ? rc : flush(writing, TEXT_FLUSH, err);
    }
    return rc;
}

static int write_spans(struct writing *writing, struct tk_span_source source, change_fn change,
                       void *user, struct tk_err *err)
{
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    int rc = tk_span_batch_new(BATCH_ROWS, &batch, err);
    bool is_end = false;
    while (rc == 0 && !is_end) {
        tk_span_batch_reset(batch);
        rc = source.read(source.context, batch, err);
        is_end = rc == 1;
        if (rc < 0)
            break;
        if (change)
            change(user, batch);
        rc = encode_rows(writing, batch, err);
    }
    return rc;
}

static void tell(const struct writing *writing, const char *output, uint32_t traces, uint32_t of)
{
    char kept[TK_HUMAN_MAX];
    char all[TK_HUMAN_MAX];
    char spans[TK_HUMAN_MAX];
    (void)fprintf(stderr, "%s: %s of %s traces, %s spans\n", output, tk_count_format(traces, kept),
                  tk_count_format(of, all), tk_count_format((int64_t)writing->spans, spans));
}

/* Samples -------------------------------------------------------------------------------------- */

/* The member of OpenTelemetry's trace state that says with which probability a span was kept:
 * th = the share of 2^56 below which random values are dropped, as hexadecimal digits without the
 * zeros at the end ("ot=th:c" is one of four). */
static void put_threshold(double weight, char to[32])
{
    enum { DIGITS = 14 };
    double dropped = ldexp(1 - 1 / weight, 4 * DIGITS);
    (void)snprintf(to, 32, "ot=th:%014llx", (unsigned long long)dropped);
    size_t n = strlen(to);
    while (n > sizeof("ot=th:0") - 1 && to[n - 1] == '0')
        to[--n] = '\0';
}

/* A sample whose spans say what they stand for. */
struct sample {
    struct tk_span_table *table;
    struct tk_trace_filter *filter;
};

/* Put the probability in front of the trace state, unless there is one of OpenTelemetry already. */
static void mark_rows(void *user, struct tk_span_batch *batch)
{
    const struct sample *sample = user;
    for (size_t row = 0; row < batch->rows; row++) {
        char state[1024];
        char threshold[32];
        uint32_t trace = tk_trace_filter_find(sample->filter, batch->trace_ids[row]);
        tk_str before = tk_texts_get(&batch->texts, batch->trace_states[row]);
        bool is_marked = memmem(before.p, before.n, "ot=", 3) != NULL;
        if (trace == UINT32_MAX || !(sample->table->weights[trace] > 1) || is_marked)
            continue;
        put_threshold(sample->table->weights[trace], threshold);
        int n = snprintf(state, sizeof(state), "%s%s%.*s", threshold, before.n ? "," : "",
                         TK_STR_ARG(before));
        uint32_t text = n > 0 && (size_t)n < sizeof(state)
                            ? tk_texts_add(&batch->texts, (tk_str){state, (size_t)n})
                            : TK_TEXTS_NONE;
        if (text != TK_TEXTS_NONE)
            batch->trace_states[row] = text;
    }
}

static int write_sample(const struct tk_fidelity_call *call, const struct tk_span_table *all,
                        struct sample *sample, struct tk_err *err)
{
    TK_CLEANUP(tk_span_inputs_freep) struct tk_span_inputs *inputs = NULL;
    struct writing writing;
    const struct tk_span_input_options options = {.format = call->opts->input_format,
                                                  .format_option = "--input-format"};
    int rc = tk_span_inputs_new(call->cmd, (const char *const *)&call->argv[1], 1, &options,
                                &inputs, err);
    rc = rc < 0 ? rc
                : tk_trace_filter_new(sample->table, tk_span_inputs_source(inputs), &sample->filter,
                                      err);
    if (rc < 0)
        return rc;
    rc = open_writing(&writing, call->opts->output, call->opts->encoding, err);
    rc = rc < 0 ? rc
                : write_spans(&writing, tk_trace_filter_source(sample->filter), mark_rows, sample,
                              err);
    rc = rc < 0 ? rc : close_writing(&writing, err);
    if (rc == 0)
        tell(&writing, call->opts->output, sample->table->traces, all->traces);
    release_writing(&writing);
    return rc;
}

/* A name of a table that is none. */
static int refuse_name(const struct tk_cmd *cmd, const char *what, const char *name,
                       const char *const *names, size_t count)
{
    const char *meant = tk_nearest_find(name, names, count);
    return tk_cmd_usage(cmd, "'%s' is no %s%s%s%s", name, what, meant ? ": did you mean '" : "",
                        meant ? meant : "", meant ? "'?" : "");
}

static int check_output(const struct tk_fidelity_call *call, const char *verb)
{
    if (!call->opts->output)
        return tk_cmd_usage(call->cmd, "%s: expected a file to write: --output FILE", verb);
    return TK_EXIT_OK;
}

int tk_fidelity_sample(const struct tk_fidelity_call *call)
{
    struct tk_err err;
    const char *names[16];
    size_t count = 0;
    TK_CLEANUP(tk_span_table_freep) struct tk_span_table *all = NULL;
    struct sample sample = {NULL, NULL};
    const struct tk_sampler *sampler = tk_sampler_find(call->argv[0]);
    for (; tk_samplers[count]; count++)
        names[count] = tk_samplers[count]->name;
    if (!sampler)
        return refuse_name(call->cmd, "sampler", call->argv[0], names, count);
    if (strcmp(call->argv[1], "-") == 0)
        return tk_cmd_usage(call->cmd, "sample: reads its input twice, which - cannot be");
    int status = check_output(call, "sample");
    if (status != TK_EXIT_OK)
        return status;
    int rc = tk_fidelity_open(call, call->argv[1], &all, &err);
    rc = rc < 0 ? rc
                : tk_sampler_take(sampler, all, call->opts->n, (uint64_t)call->opts->seed,
                                  &sample.table, &err);
    rc = rc < 0 ? rc : write_sample(call, all, &sample, &err);
    tk_trace_filter_free(sample.filter);
    tk_span_table_free(sample.table);
    if (rc == -EINVAL)
        return tk_cmd_usage(call->cmd, "%s", err.msg);
    return rc < 0 ? tk_cmd_fail(call->cmd, &err) : TK_EXIT_OK;
}

/* Controls ------------------------------------------------------------------------------------- */

static int write_control(const struct tk_fidelity_call *call, const struct tk_control *control,
                         struct tk_err *err)
{
    TK_CLEANUP(tk_span_table_freep) struct tk_span_table *real = NULL;
    TK_CLEANUP(tk_span_table_freep) struct tk_span_table *a = NULL;
    TK_CLEANUP(tk_span_table_freep) struct tk_span_table *b = NULL;
    struct writing writing;
    int rc = tk_fidelity_open(call, call->argv[1], &real, err);
    rc = rc < 0 ? rc : control->make(real, (uint64_t)call->opts->seed, &a, &b, err);
    if (rc < 0)
        return rc;
    struct tk_table_spans spans = {.table = a};
    rc = open_writing(&writing, call->opts->output, call->opts->encoding, err);
    rc = rc < 0 ? rc : write_spans(&writing, tk_table_spans_source(&spans), NULL, NULL, err);
    rc = rc < 0 ? rc : close_writing(&writing, err);
    if (rc == 0)
        tell(&writing, call->opts->output, a->traces, real->traces);
    release_writing(&writing);
    return rc;
}

int tk_fidelity_control(const struct tk_fidelity_call *call)
{
    struct tk_err err;
    const char *names[16];
    size_t count = 0;
    const struct tk_control *control = tk_control_find(call->argv[0]);
    for (; tk_controls[count]; count++)
        names[count] = tk_controls[count]->name;
    if (!control)
        return refuse_name(call->cmd, "control", call->argv[0], names, count);
    int status = check_output(call, "control");
    if (status != TK_EXIT_OK)
        return status;
    int rc = write_control(call, control, &err);
    if (rc == -EINVAL)
        return tk_cmd_usage(call->cmd, "%s", err.msg);
    return rc < 0 ? tk_cmd_fail(call->cmd, &err) : TK_EXIT_OK;
}
