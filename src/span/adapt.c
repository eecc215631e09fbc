/* SPDX-License-Identifier: Apache-2.0 */
#include "span/adapt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH_ROWS 512
#define BATCH_TEXT (16 * TK_INGEST_RECORD_MAX) /* room for the largest record when it is full */

struct tk_adapt {
    struct tk_adapt_options options;
    struct tk_sink sink;
    struct tk_adapt_stats stats;
    void *state; /* of the ingest */
    struct tk_call call;
    struct tk_batch *batch;
    struct tk_buf record; /* lines of one that is not whole yet */
    uint64_t record_line; /* where it began */
};

int tk_adapt_new(const struct tk_adapt_options *options, struct tk_sink sink,
                 struct tk_adapt **ret_adapt, struct tk_err *err)
{
    struct tk_adapt *adapt = calloc(1, sizeof(*adapt));
    if (!adapt)
        return tk_fail(err, -ENOMEM, "out of memory");
    adapt->options = *options;
    adapt->sink = sink;
    adapt->call.local = options->local_time;
    tk_buf_init(&adapt->record, TK_INGEST_RECORD_MAX);
    int rc = tk_batch_new(&tk_schema_invocations, BATCH_ROWS, BATCH_TEXT, &adapt->batch, err);
    if (rc == 0)
        rc = options->ingest->open(&options->format, &adapt->state, err);
    if (rc < 0) {
        tk_adapt_free(adapt);
        return rc;
    }
    *ret_adapt = adapt;
    return 0;
}

void tk_adapt_free(struct tk_adapt *adapt)
{
    if (!adapt)
        return;
    if (adapt->state)
        adapt->options.ingest->close(adapt->state);
    tk_batch_free(adapt->batch);
    tk_buf_release(&adapt->record);
    free(adapt);
}

void tk_adapt_freep(struct tk_adapt **adapt)
{
    tk_adapt_free(*adapt);
}

void tk_adapt_add_bad(struct tk_adapt *adapt, uint64_t line, const char *why)
{
    adapt->stats.bad++;
    if (adapt->options.bad)
        adapt->options.bad(adapt->options.context, line, why);
}

int tk_adapt_flush(struct tk_adapt *adapt, struct tk_err *err)
{
    if (adapt->batch->rows == 0)
        return 0;
    int rc = adapt->sink.take(adapt->sink.context, TK_TABLE_INVOCATIONS, adapt->batch, err);
    tk_batch_reset(adapt->batch);
    return rc;
}

static int put_call(struct tk_adapt *adapt, struct tk_err *err)
{
    int rc = tk_batch_has_room(adapt->batch) ? 0 : tk_adapt_flush(adapt, err);
    if (rc < 0)
        return rc;
    tk_batch_begin(adapt->batch);
    tk_call_put(&adapt->call, &adapt->options.place, adapt->batch);
    adapt->stats.rows++;
    return 0;
}

static int put_record(struct tk_adapt *adapt, tk_str record, uint64_t line, struct tk_err *err)
{
    struct tk_err why;
    tk_call_reset(&adapt->call);
    int rc = adapt->options.ingest->read(adapt->state, record, &adapt->call, &why);
    if (rc == TK_INGEST_CALL)
        rc = tk_call_complete(&adapt->call, &why);
    if (rc == TK_INGEST_CALL)
        return put_call(adapt, err);
    if (rc == -EBADMSG) {
        tk_adapt_add_bad(adapt, line, why.msg);
        return 0;
    }
    adapt->stats.passed += rc == TK_INGEST_PASSED;
    if (rc < 0)
        *err = why;
    return rc < 0 ? rc : 0;
}

/* One more line of a record that goes on; with the quote that ends it is read. */
static int put_part(struct tk_adapt *adapt, tk_str line, uint64_t number, bool is_odd,
                    struct tk_err *err)
{
    int rc = 0;
    bool is_first = adapt->record.n == 0;
    if (is_first) {
        adapt->record_line = number;
    } else {
        tk_buf_putc(&adapt->record, '\n');
    }
    tk_buf_put(&adapt->record, line);
    if (!tk_buf_ok(&adapt->record)) {
        char why[80];
        unsigned long long passed = number - adapt->record_line + 1;
        (void)snprintf(why, sizeof(why), "a quote is not closed: %llu lines are passed over",
                       passed);
        tk_adapt_add_bad(adapt, adapt->record_line, why);
    } else if (is_odd && !is_first) {
        rc = put_record(adapt, tk_buf_str(&adapt->record), adapt->record_line, err);
    } else {
        return 0;
    }
    tk_buf_reset(&adapt->record);
    return rc;
}

void tk_adapt_begin(struct tk_adapt *adapt)
{
    if (adapt->options.ingest->begin)
        adapt->options.ingest->begin(adapt->state);
}

int tk_adapt_put(struct tk_adapt *adapt, tk_str line, uint64_t number, struct tk_err *err)
{
    adapt->stats.lines++;
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    const struct tk_ingest *ingest = adapt->options.ingest;
    bool is_odd = ingest->has_odd_quotes && ingest->has_odd_quotes(adapt->state, line);
    if (adapt->record.n > 0 || is_odd)
        return put_part(adapt, line, number, is_odd, err);
    return put_record(adapt, line, number, err);
}

int tk_adapt_end(struct tk_adapt *adapt, struct tk_err *err)
{
    if (adapt->record.n > 0)
        tk_adapt_add_bad(adapt, adapt->record_line, "a quote is not closed");
    tk_buf_reset(&adapt->record);
    return tk_adapt_flush(adapt, err);
}

const struct tk_adapt_stats *tk_adapt_stats(const struct tk_adapt *adapt)
{
    return &adapt->stats;
}

uint64_t tk_adapt_count_open(const struct tk_adapt *adapt)
{
    const struct tk_ingest *ingest = adapt->options.ingest;
    return ingest->count_open ? ingest->count_open(adapt->state) : 0;
}
