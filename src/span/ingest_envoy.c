/* SPDX-License-Identifier: Apache-2.0 */
/* Access logs of Envoy in text. START_TIME is the start, with milliseconds; DURATION runs from
 * there to the last byte out. */
#include "span/ingest_text.h"

static const struct tk_key operators[] = {
    {"REQ(TRACEPARENT)", TK_FIELD_TRACEPARENT},
    {"TRACE_ID", TK_FIELD_TRACE_ID},
    {"REQ(X-TRACE-ID)", TK_FIELD_TRACE_ID},
    {"REQ(X-REQUEST-ID)", TK_FIELD_TRACE_ID},
    {"STREAM_ID", TK_FIELD_TRACE_ID},
    {"START_TIME", TK_FIELD_START, TK_UNIT_S},
    {"DURATION", TK_FIELD_SERVICE, TK_UNIT_MS},
    {"RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)", TK_FIELD_UPSTREAM_TIME, TK_UNIT_MS},
    {"REQ(:METHOD)", TK_FIELD_METHOD},
    {"REQ(X-ENVOY-ORIGINAL-PATH)", TK_FIELD_PATH},
    {"REQ(:PATH)", TK_FIELD_PATH},
    {"PATH", TK_FIELD_PATH},
    {"RESPONSE_CODE", TK_FIELD_STATUS},
    {"BYTES_RECEIVED", TK_FIELD_BYTES_IN},
    {"BYTES_SENT", TK_FIELD_BYTES_OUT},
    {"HOSTNAME", TK_FIELD_HOST},
    {"REQ(:AUTHORITY)", TK_FIELD_MODULE_ID},
};

static const struct tk_ingest_text about = {
    .variables = operators,
    .variable_count = TK_COUNTOF(operators),
    .style = TK_PATTERN_ENVOY,
    .usual = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" "
             "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
             "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" "
             "\"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" "
             "\"%UPSTREAM_HOST%\"",
};

static int envoy_open(const struct tk_ingest_options *options, void **ret_state, struct tk_err *err)
{
    return tk_ingest_text_open(&about, options, ret_state, err);
}

const struct tk_ingest tk_ingest_envoy = {
    .name = "envoy",
    .help = "access log of Envoy in text, in any format string",
    .has_format = true,
    .open = envoy_open,
    .read = tk_ingest_text_read,
    .close = tk_ingest_text_close,
};
