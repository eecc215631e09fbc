/* SPDX-License-Identifier: Apache-2.0 */
/* Spans into a folder, for engines that read it meanwhile: `segment_sample DIR SEGMENTS`. Each
 * segment has 1,000 spans; after each the number of spans that are sealed goes to stdout. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "segment/segment_sink.h"

#define ROWS 1000

static int fail(const struct tk_err *err)
{
    (void)fprintf(stderr, "segment_sample: %s\n", err->msg);
    return 1;
}

static uint32_t number_text(struct tk_span_batch *batch, const char *prefix, unsigned i)
{
    char buf[64];
    int n = snprintf(buf, sizeof(buf), "%s%u", prefix, i);
    return tk_texts_add(&batch->texts, (tk_str){buf, (size_t)n});
}

static int put_attr(struct tk_span_batch *batch, const char *key, struct tk_attr attr)
{
    attr.key = tk_texts_add(&batch->texts, tk_str_from(key));
    return tk_span_batch_add_attr(batch, &attr);
}

/* Span `i`: a route with each, a cause with one of a hundred, an event with one of ten. */
static int put_span(struct tk_span_batch *batch, unsigned i)
{
    int rc = tk_span_batch_begin(batch);
    if (rc < 0)
        return rc;
    size_t row = batch->rows - 1;
    unsigned trace = i / 10 + 1;
    memcpy(batch->trace_ids[row], &trace, sizeof(trace));
    batch->span_ids[row] = i + 1;
    batch->parent_ids[row] = i % 10 == 0 ? 0 : i;
    batch->start_ns[row] = INT64_C(1763800000000000000) + i;
    batch->duration_ns[row] = i % 777;
    batch->names[row] = number_text(batch, "GET /", i % 7);
    rc = put_attr(
        batch, "http.route",
        (struct tk_attr){.type = TK_ATTR_STRING, .text = number_text(batch, "/r/", i % 5)});
    if (rc == 0 && i % 100 == 0)
        rc = put_attr(batch, "retry.cause", (struct tk_attr){.type = TK_ATTR_INT, .i64 = i % 3});
    if (rc == 0 && i % 10 == 0) {
        struct tk_span_event event = {.time_ns = i, .name = number_text(batch, "event-", i % 4)};
        rc = tk_span_batch_add_event(batch, &event);
    }
    return rc == 0 ? tk_span_batch_end(batch) : rc;
}

static int put_segment(struct tk_segment_sink *sink, unsigned first, struct tk_err *err)
{
    struct tk_span_batch *batch = tk_segment_sink_batch(sink);
    struct tk_attr service = {.key = tk_texts_add(&batch->texts, TK_STR("service.name")),
                              .type = TK_ATTR_STRING,
                              .text = tk_texts_add(&batch->texts, TK_STR("shop"))};
    struct tk_span_resource resource = {.service = service.text};
    resource.attrs = (struct tk_attr_range){tk_span_batch_add_side_attr(batch, &service), 1, 0};
    struct tk_span_scope scope = {.resource = tk_span_batch_add_resource(batch, &resource)};
    (void)tk_span_batch_add_scope(batch, &scope);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < ROWS; i++)
        rc = put_span(batch, first + i);
    if (rc < 0)
        return tk_fail(err, rc, "the batch is full");
    rc = tk_segment_sink_commit(sink, err);
    while (rc == 0 && (rc = tk_segment_sink_seal(sink, err)) == -EAGAIN)
        rc = usleep(1000);
    return rc;
}

int main(int argc, char **argv)
{
    struct tk_err err = {0};
    struct tk_segment_sink *sink = NULL;
    TK_CLEANUP(tk_fd_close) int fd = -1;
    if (argc != 3)
        return 2;
    if (tk_dir_make(AT_FDCWD, argv[1], &err) < 0 || tk_dir_open(AT_FDCWD, argv[1], &fd, &err) < 0 ||
        tk_segment_sink_new(fd, &(struct tk_segment_opts){0}, &sink, &err) < 0)
        return fail(&err);
    unsigned segments = (unsigned)strtoul(argv[2], NULL, 10);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < segments; i++)
        rc = put_segment(sink, i * ROWS, &err);
    if (rc == 0)
        rc = tk_segment_sink_close(sink, &err);
    tk_segment_sink_free(sink);
    return rc < 0 ? fail(&err) : 0;
}
