/* SPDX-License-Identifier: Apache-2.0 */
/* tracekit import jaeger: what a server holds, service by service through the query API. A trace
 * comes with each of its services; the filter of duplicates keeps its spans once, also those that
 * arrived between two answers. The run is made when the server has answered, so that one which is
 * not there leaves nothing behind. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/number.h"
#include "cmd/import.h"
#include "cmd/jaeger_api.h"

#define NAMES_MAX ((size_t)16 << 20)

struct download {
    const struct tk_cmd *cmd;
    const struct tk_import_opts *opts;
    struct tk_jaeger_api api;
    struct tk_span_import *import; /* NULL until there is an answer */
};

static int open_import(struct download *download, struct tk_err *err)
{
    if (download->import)
        return 0;
    return tk_span_import_new(download->cmd, download->opts, &download->import, err);
}

/* Traces of the answer; the limit is reached when there are as many. */
static int count_traces(const struct tk_jaeger_api *api, int64_t *ret_traces, struct tk_err *err)
{
    struct tk_json json;
    int64_t traces = 0;
    int rc = tk_jaeger_api_enter(api, &json, err);
    while (rc == 0 && (rc = tk_json_next_element(&json, err)) == 0) {
        traces++;
        rc = tk_json_skip(&json, NULL, err);
    }
    *ret_traces = traces;
    return rc < 0 ? rc : 0;
}

/* The traces of a service since so long ago. */
static int import_service(struct download *download, tk_str service, struct tk_err *err)
{
    const struct tk_import_opts *opts = download->opts;
    struct tk_jaeger_api *api = &download->api;
    int64_t now_us = tk_clock_real_ns() / 1000;
    int64_t traces = 0;
    char name[256];
    (void)snprintf(name, sizeof(name), "service %.*s", TK_STR_ARG(service));
    tk_jaeger_api_begin(api, "/api/traces?service=");
    tk_jaeger_api_put(api, service);
    tk_buf_lit(&api->url, "&start=");
    tk_buf_put_i64(&api->url, now_us - opts->lookback_ns / 1000);
    tk_buf_lit(&api->url, "&end=");
    tk_buf_put_i64(&api->url, now_us);
    tk_buf_lit(&api->url, "&limit=");
    tk_buf_put_i64(&api->url, opts->limit);
    int rc = tk_jaeger_api_get(api, err);
    rc = rc < 0 ? rc : count_traces(api, &traces, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", name);
    tk_jaeger_api_tell_limit(download->cmd, service, traces, opts->limit,
                             "raise --limit or shorten --lookback");
    rc = open_import(download, err);
    if (rc < 0)
        return rc;
    return tk_span_import_text(download->import, name, &tk_span_reader_jaeger,
                               tk_buf_str(&api->answer), err);
}

/* All services that the server knows but itself. */
static int import_all(struct download *download, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf names;
    tk_buf_init(&names, NAMES_MAX);
    int rc = tk_jaeger_api_services(&download->api, &names, err);
    for (size_t at = 0; rc == 0 && at < names.n;) {
        tk_str name = tk_str_from(names.p + at);
        at += name.n + 1;
        if (!tk_str_starts_with(name, TK_STR("jaeger")))
            rc = import_service(download, name, err);
    }
    return rc;
}

static int import_services(struct download *download, struct tk_err *err)
{
    const struct tk_opt_list *services = &download->opts->services;
    int rc = services->count == 0 ? import_all(download, err) : 0;
    for (size_t i = 0; i < services->count && rc == 0; i++)
        rc = import_service(download, tk_str_from(services->items[i]), err);
    return rc;
}

int tk_import_jaeger(const struct tk_cmd *cmd, const struct tk_import_opts *opts)
{
    struct tk_import_opts own = *opts;
    struct download download = {.cmd = cmd, .opts = &own};
    struct tk_err err;
    int status = TK_EXIT_OK;
    own.is_download = true;
    int rc = tk_jaeger_api_init(&download.api, opts->url, "url", &err);
    if (rc == -EINVAL || rc == -EOPNOTSUPP) {
        tk_jaeger_api_release(&download.api);
        return tk_cmd_usage(cmd, "%s", err.msg);
    }
    rc = rc < 0 ? rc : import_services(&download, &err);
    rc = rc < 0 ? rc : open_import(&download, &err); /* also of a server without services */
    if (rc < 0)
        status = tk_cmd_fail(cmd, &err);
    if (download.import && tk_span_import_close(download.import, &err) < 0)
        status = tk_cmd_fail(cmd, &err);
    tk_span_import_free(download.import);
    tk_jaeger_api_release(&download.api);
    return status;
}
