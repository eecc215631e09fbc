/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/import.h"
#include "cmd/replay.h"
#include "cmd/span_store.h"
#include "span/span_format.h"

#define BATCH_ROWS   ((size_t)1 << 18)
#define HEAD_BYTES   65536
#define INFLATED_MAX ((uint64_t)16 << 30) /* as tracekit import */

/* Runs ------------------------------------------------------------------------------------- */

static int take_rows(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    return tk_load_bodies_add(user, rows, err);
}

static int load_run(const char *path, struct tk_load_bodies *bodies, struct tk_err *err)
{
    TK_CLEANUP(tk_span_store_release) struct tk_span_store store = {.dirfd = -1};
    const struct tk_span_query all = {0};
    int rc = tk_span_store_open(path, &store, err);
    return rc < 0 ? rc : tk_segment_set_scan(store.set, &all, take_rows, bodies, err);
}

/* Files ------------------------------------------------------------------------------------ */

/* Read a text batch by batch. */
static int load_text(const struct tk_span_reader *reader, struct tk_span_input *input,
                     struct tk_load_bodies *bodies, struct tk_span_tally *tally, struct tk_err *err)
{
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    void *state = NULL;
    int end = 0;
    int rc = tk_span_batch_new(BATCH_ROWS, &batch, err);
    if (rc == 0)
        rc = reader->open(&state, err);
    while (rc == 0 && end == 0) {
        tk_span_batch_reset(batch);
        end = reader->read(state, input, batch, tally, err);
        const struct tk_span_rows rows = {batch, NULL, batch->rows};
        rc = end < 0 ? end : tk_load_bodies_add(bodies, &rows, err);
    }
    if (state)
        reader->close(state);
    return rc;
}

static void tell_bad(const char *path, const struct tk_span_input *input,
                     const struct tk_span_tally *tally)
{
    uint64_t refused = tk_span_tally_refused(tally);
    if (refused > 0) {
        (void)fprintf(stderr, "tracekit replay: %s: %llu records are no spans and not sent: %s\n",
                      path, (unsigned long long)refused, input->first_bad);
    }
}

static int load_file(const char *path, struct tk_load_bodies *bodies, struct tk_err *err)
{
    TK_CLEANUP(tk_import_text_release) struct tk_import_text file = {0};
    struct tk_span_tally tally = {0};
    int rc = tk_import_text_open(path, INFLATED_MAX, &file, err);
    if (rc < 0)
        return rc;
    size_t head_n = file.text.n < HEAD_BYTES ? file.text.n : HEAD_BYTES;
    const struct tk_span_reader *reader = tk_span_reader_detect((tk_str){file.text.p, head_n});
    struct tk_span_input input = {.text = file.text};
    rc = reader ? load_text(reader, &input, bodies, &tally, err)
                : tk_fail(err, -EINVAL, "not a file of spans that tracekit knows");
    tell_bad(path, &input, &tally);
    return rc < 0 ? tk_err_prefix(err, "%s", path) : 0;
}

int tk_replay_load(const char *path, struct tk_load_bodies *bodies, struct tk_err *err)
{
    struct stat status;
    bool is_file = strcmp(path, "-") == 0 || (stat(path, &status) == 0 && !S_ISDIR(status.st_mode));
    return is_file ? load_file(path, bodies, err) : load_run(path, bodies, err);
}

/* Nothing ---------------------------------------------------------------------------------- */

int tk_replay_make(const struct tk_synthetic_opts *opts, struct tk_load_bodies *bodies,
                   struct tk_err *err)
{
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    TK_CLEANUP(tk_synthetic_release) struct tk_synthetic synthetic;
    tk_synthetic_init(&synthetic, opts);
    int end = 0;
    int rc = tk_span_batch_new(BATCH_ROWS, &batch, err);
    while (rc == 0 && end == 0) {
        tk_span_batch_reset(batch);
        end = tk_synthetic_next(&synthetic, batch, err);
        const struct tk_span_rows rows = {batch, NULL, batch->rows};
        rc = end < 0 ? end : tk_load_bodies_add(bodies, &rows, err);
    }
    return rc;
}
