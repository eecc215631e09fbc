/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of one JSON object a line: Envoy's, nginx's with escape=json, any other with --map. */
#include <errno.h>
#include <stdlib.h>

#include "span/records.h"

static void json_close(void *state)
{
    tk_records_release(state);
    free(state);
}

static int json_open(const struct tk_ingest_options *options, void **ret_state, struct tk_err *err)
{
    struct tk_records *records = calloc(1, sizeof(*records));
    if (!records)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = tk_records_init(records, tk_keys_requests, tk_keys_requests_count, options, err);
    if (rc < 0) {
        json_close(records);
        return rc;
    }
    *ret_state = records;
    return 0;
}

static int json_read(void *state, tk_str record, struct tk_call *call, struct tk_err *err)
{
    return tk_records_read_object(state, record, call, err);
}

static void csv_begin(void *state)
{
    tk_records_begin(state);
}

static bool csv_has_odd_quotes(const void *state, tk_str line)
{
    (void)state;
    return tk_records_has_odd_quotes(line);
}

static int csv_read(void *state, tk_str record, struct tk_call *call, struct tk_err *err)
{
    return tk_records_read_columns(state, record, call, err);
}

const struct tk_ingest tk_ingest_json = {
    .name = "json",
    .help = "JSON Lines: Envoy, nginx with escape=json, any other with --map",
    .has_maps = true,
    .open = json_open,
    .read = json_read,
    .close = json_close,
};

/* The same names as columns. */
const struct tk_ingest tk_ingest_csv = {
    .name = "csv",
    .help = "columns with a header line, in any order",
    .has_maps = true,
    .has_delimiter = true,
    .open = json_open,
    .begin = csv_begin,
    .has_odd_quotes = csv_has_odd_quotes,
    .read = csv_read,
    .close = json_close,
};
