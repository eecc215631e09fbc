/* SPDX-License-Identifier: Apache-2.0 */
/* Access logs of nginx (ngx_http_log_module). nginx writes a line when the request has ended: its
 * time is the end, and the start lies $request_time before it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "span/ingest_text.h"

#define HEADER_MAX 100

static const struct tk_key variables[] = {
    {"otel_trace_id", TK_FIELD_TRACE_ID},
    {"http_traceparent", TK_FIELD_TRACEPARENT},
    {"http_x_request_id", TK_FIELD_TRACE_ID},
    {"request_id", TK_FIELD_TRACE_ID},
    {"otel_span_id", TK_FIELD_SPAN_ID},
    {"otel_parent_id", TK_FIELD_PARENT_ID},
    {"http_x_parent_span_id", TK_FIELD_PARENT_ID},
    {"http_x_span_id", TK_FIELD_PARENT_ID},
    {"msec", TK_FIELD_END, TK_UNIT_S},
    {"time_iso8601", TK_FIELD_END},
    {"time_local", TK_FIELD_END},
    {"request_time", TK_FIELD_SERVICE, TK_UNIT_S},
    {"upstream_response_time", TK_FIELD_UPSTREAM_TIME, TK_UNIT_S},
    {"request_method", TK_FIELD_METHOD},
    {"request_uri", TK_FIELD_PATH},
    {"uri", TK_FIELD_PATH},
    {"request", TK_FIELD_REQUEST},
    {"status", TK_FIELD_STATUS},
    {"request_length", TK_FIELD_BYTES_IN},
    {"body_bytes_sent", TK_FIELD_BYTES_OUT},
    {"bytes_sent", TK_FIELD_BYTES_OUT},
    {"pid", TK_FIELD_PID},
    {"hostname", TK_FIELD_HOST},
    {"remote_user", TK_FIELD_USER},
    {"server_name", TK_FIELD_MODULE_ID},
};

/* The variable of a header, without $http_ in front: "X-Trace-Id" is $http_x_trace_id. */
static int header_variable(const char *header, char ret_name[HEADER_MAX], struct tk_err *err)
{
    static const char from[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    static const char to[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789__";
    size_t n = strspn(header, from);
    if (n == 0 || header[n] || n >= HEADER_MAX)
        return tk_fail(err, -EINVAL, "'%s' is no name of a header", header);
    for (size_t i = 0; i < n; i++)
        ret_name[i] = to[strchr(from, header[i]) - from];
    ret_name[n] = '\0';
    return 0;
}

static int nginx_open(const struct tk_ingest_options *options, void **ret_state, struct tk_err *err)
{
    char variable[HEADER_MAX + 8] = "http_";
    char usual[512];
    const char *header = options->trace_header ? options->trace_header : "X-Trace-Id";
    int rc = header_variable(header, variable + strlen("http_"), err);
    if (rc < 0)
        return rc;
    (void)snprintf(usual, sizeof(usual),
                   "$remote_addr - $remote_user [$time_local] \"$request\" $status "
                   "$body_bytes_sent \"$http_referer\" \"$http_user_agent\" $request_length "
                   "$request_time $%s",
                   variable);
    const struct tk_ingest_text about = {
        .variables = variables,
        .variable_count = TK_COUNTOF(variables),
        .style = TK_PATTERN_NGINX,
        .usual = usual,
        .optional = 1,
        .has_escapes = true,
        .trace_id = variable,
    };
    return tk_ingest_text_open(&about, options, ret_state, err);
}

const struct tk_ingest tk_ingest_nginx = {
    .name = "nginx",
    .help = "access log of nginx, in any log_format",
    .has_format = true,
    .open = nginx_open,
    .read = tk_ingest_text_read,
    .close = tk_ingest_text_close,
};
