/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads into a sink. A request that finds the batch full has it sealed. One for which there is
 * no room is read again into the next one, and if that is too small into a wider one: nothing of it
 * is left behind, since a reader takes its rows back. So a request is in one segment, or in none.
 */
#include "serve/intake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "span/otlp.h"
#include "span/span_format.h"

struct tk_intake {
    struct tk_segment_sink *sink;
    struct tk_otlp_reader *reader;
    struct tk_inflater *inflater;
    struct tk_span_mark before; /* where the batch stood before the last payload */
};

/* Readers --------------------------------------------------------------------------------- */

static int read_otlp(struct tk_intake *intake, tk_str text, struct tk_span_tally *tally,
                     struct tk_err *err)
{
    return tk_otlp_decode(intake->reader, text, tally, err);
}

static int read_otlp_json(struct tk_intake *intake, tk_str text, struct tk_span_tally *tally,
                          struct tk_err *err)
{
    return tk_otlp_decode_json(intake->reader, text, tally, err);
}

/* A reader of files, as one of requests: all or nothing. */
static int read_whole(struct tk_intake *intake, const struct tk_span_reader *reader, tk_str text,
                      struct tk_span_tally *tally, struct tk_err *err)
{
    struct tk_span_batch *batch = tk_segment_sink_batch(intake->sink);
    struct tk_span_mark mark = tk_span_batch_mark(batch);
    struct tk_span_input input = {.text = text};
    struct tk_span_tally own = {0};
    void *state;
    int rc = reader->open(&state, err);
    if (rc < 0)
        return rc;
    rc = reader->read(state, &input, batch, &own, err);
    reader->close(state);
    if (rc == 1 && own.spans == 0 && own.by_reason[TK_SPAN_BAD_RECORD] > 0)
        rc = tk_fail(err, -EBADMSG, "%s", input.first_bad);
    if (rc == 1) {
        tk_span_tally_add(tally, &own);
        (void)snprintf(err->msg, sizeof(err->msg), "%s", input.first_bad);
        return 0;
    }
    tk_span_batch_rewind(batch, &mark);
    return rc < 0 ? rc : -ENOBUFS;
}

static int read_zipkin(struct tk_intake *intake, tk_str text, struct tk_span_tally *tally,
                       struct tk_err *err)
{
    return read_whole(intake, &tk_span_reader_zipkin_proto, text, tally, err);
}

static int read_zipkin_json(struct tk_intake *intake, tk_str text, struct tk_span_tally *tally,
                            struct tk_err *err)
{
    return read_whole(intake, &tk_span_reader_zipkin, text, tally, err);
}

static int read_events(struct tk_intake *intake, tk_str text, struct tk_span_tally *tally,
                       struct tk_err *err)
{
    return read_whole(intake, &tk_span_reader_events, text, tally, err);
}

static int (*const readers[TK_PAYLOAD_KIND_COUNT])(struct tk_intake *, tk_str,
                                                   struct tk_span_tally *, struct tk_err *) = {
    [TK_PAYLOAD_OTLP] = read_otlp,     [TK_PAYLOAD_OTLP_JSON] = read_otlp_json,
    [TK_PAYLOAD_ZIPKIN] = read_zipkin, [TK_PAYLOAD_ZIPKIN_JSON] = read_zipkin_json,
    [TK_PAYLOAD_EVENTS] = read_events,
};

/* Object ---------------------------------------------------------------------------------- */

int tk_intake_new(int dirfd, const struct tk_segment_opts *opts, size_t max_bytes,
                  struct tk_intake **ret_intake, struct tk_err *err)
{
    struct tk_intake *intake = calloc(1, sizeof(*intake));
    if (!intake)
        return tk_fail(err, -ENOMEM, "taking spans: out of memory");
    int rc = tk_segment_sink_new(dirfd, opts, &intake->sink, err);
    if (rc == 0)
        rc = tk_otlp_reader_new(tk_segment_sink_batch(intake->sink), &intake->reader, err);
    if (rc == 0)
        rc = tk_inflater_new(max_bytes, &intake->inflater, err);
    if (rc < 0) {
        tk_intake_free(intake);
        return rc;
    }
    *ret_intake = intake;
    return 0;
}

void tk_intake_free(struct tk_intake *intake)
{
    if (!intake)
        return;
    tk_inflater_free(intake->inflater);
    tk_otlp_reader_free(intake->reader);
    tk_segment_sink_free(intake->sink);
    free(intake);
}

struct tk_segment_sink *tk_intake_sink(struct tk_intake *intake)
{
    return intake->sink;
}

/* Requests -------------------------------------------------------------------------------- */

static enum tk_outcome outcome_of(int rc)
{
    switch (rc) {
    case 0:
        return TK_OUTCOME_TAKEN;
    case -EBADMSG:
        return TK_OUTCOME_BAD;
    case -EMSGSIZE:
        return TK_OUTCOME_TOO_LARGE;
    case -EAGAIN:
        return TK_OUTCOME_OVERLOADED;
    default:
        return TK_OUTCOME_FAILED;
    }
}

static int seal(struct tk_intake *intake, struct tk_err *err)
{
    int rc = tk_segment_sink_seal(intake->sink, err);
    if (rc == -EAGAIN)
        return tk_fail(err, -EAGAIN, "segments are written slower than spans come: try again");
    if (rc == 0)
        tk_otlp_reader_reset(intake->reader, tk_segment_sink_batch(intake->sink));
    return rc;
}

static int widen(struct tk_intake *intake, struct tk_err *err)
{
    int rc = tk_segment_sink_widen(intake->sink, err);
    if (rc == 0)
        tk_otlp_reader_reset(intake->reader, tk_segment_sink_batch(intake->sink));
    return rc;
}

/* Read into the batch as it is; what is wrong with a text is its sender's fault, whatever it is. */
static int decode_once(struct tk_intake *intake, enum tk_payload_kind kind, tk_str text,
                       struct tk_span_tally *ret_tally, struct tk_err *err)
{
    struct tk_span_tally tally = {0};
    intake->before = tk_span_batch_mark(tk_segment_sink_batch(intake->sink));
    int rc = readers[kind](intake, text, &tally, err);
    if (rc == 0)
        *ret_tally = tally;
    return rc == 0 || rc == -ENOBUFS || rc == -ENOMEM ? rc : -EBADMSG;
}

static int decode(struct tk_intake *intake, enum tk_payload_kind kind, tk_str text,
                  struct tk_span_tally *ret_tally, struct tk_err *err)
{
    int rc = tk_segment_sink_is_full(intake->sink) ? seal(intake, err) : 0;
    if (rc < 0)
        return rc;
    rc = decode_once(intake, kind, text, ret_tally, err);
    if (rc == -ENOBUFS && tk_segment_sink_batch(intake->sink)->rows > 0) {
        rc = seal(intake, err);
        if (rc == 0)
            rc = decode_once(intake, kind, text, ret_tally, err);
    }
    while (rc == -ENOBUFS) {
        rc = widen(intake, err);
        if (rc == 0)
            rc = decode_once(intake, kind, text, ret_tally, err);
    }
    return rc;
}

static int commit(struct tk_intake *intake, struct tk_err *err)
{
    int rc = tk_segment_sink_commit(intake->sink, err);
    if (rc < 0)
        tk_span_batch_rewind(tk_segment_sink_batch(intake->sink), &intake->before);
    return rc;
}

void tk_intake_add(struct tk_intake *intake, const struct tk_payload *payload,
                   struct tk_verdict *ret_verdict)
{
    struct tk_verdict verdict = {0};
    struct tk_span_tally tally = {0};
    tk_str text;
    int rc =
        tk_inflater_decode(intake->inflater, payload->coding, payload->body, &text, &verdict.err);
    if (rc == 0) {
        verdict.plain_bytes = text.n;
        rc = decode(intake, payload->kind, text, &tally, &verdict.err);
    }
    if (rc == 0 && tally.spans > 0)
        rc = commit(intake, &verdict.err);
    if (rc == 0)
        verdict.tally = tally;
    verdict.outcome = outcome_of(rc);
    *ret_verdict = verdict;
}

void tk_intake_step(struct tk_intake *intake, int64_t now_ns)
{
    /* One that fails stays due; requests are told why once the batch is full. */
    struct tk_err ignored;
    if (tk_segment_sink_is_due(intake->sink, now_ns))
        (void)seal(intake, &ignored);
}

int tk_intake_close(struct tk_intake *intake, struct tk_err *err)
{
    return tk_segment_sink_close(intake->sink, err);
}
