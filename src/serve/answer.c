/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/answer.h"

#include "base/json.h"
#include "base/number.h"
#include "span/wire.h"

#define TEXT_MAX    4096
#define DETAILS_MAX 16384

#define TYPE_BAD_REQUEST "type.googleapis.com/google.rpc.BadRequest"
#define TYPE_RETRY_INFO  "type.googleapis.com/google.rpc.RetryInfo"

/* A field of wire type 0; zero is left out, as proto3 does. */
static void put_number(struct tk_buf *out, uint32_t field, uint64_t value)
{
    if (value > 0)
        tk_wire_put_number(out, TK_WIRE_VARINT(field), value);
}

static void put_text(struct tk_buf *out, uint32_t field, tk_str text)
{
    tk_wire_put_bytes(out, TK_WIRE_BYTES(field), text);
}

/* Responses --------------------------------------------------------------------------------- */

static void put_partial_json(uint64_t refused, tk_str text, struct tk_buf *out)
{
    tk_buf_lit(out, "{\"partialSuccess\":{");
    if (refused > 0)
        tk_buf_printf(out, "\"rejectedSpans\":\"%llu\",", (unsigned long long)refused);
    tk_buf_lit(out, "\"errorMessage\":");
    tk_json_put_str(out, text);
    tk_buf_lit(out, "}}");
}

void tk_export_response_encode(const struct tk_span_tally *tally, bool json, struct tk_buf *out)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TEXT_MAX);
    uint64_t refused = tk_span_tally_refused(tally);
    if (refused > 0) {
        tk_buf_lit(&text, "refused ");
        tk_span_tally_format(tally, true, &text);
    } else {
        tk_span_tally_format(tally, false, &text);
    }
    if (text.n == 0) {
        if (json)
            tk_buf_lit(out, "{}");
        return;
    }
    if (json) {
        put_partial_json(refused, tk_buf_str(&text), out);
        return;
    }
    TK_CLEANUP(tk_buf_release) struct tk_buf partial;
    tk_buf_init(&partial, TEXT_MAX + 32);
    put_number(&partial, 1, refused);
    put_text(&partial, 2, tk_buf_str(&text));
    put_text(out, 1, tk_buf_str(&partial));
}

/* Status ------------------------------------------------------------------------------------ */

static void put_any(struct tk_buf *out, tk_str type, tk_str value)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf any;
    tk_buf_init(&any, DETAILS_MAX);
    put_text(&any, 1, type);
    put_text(&any, 2, value);
    put_text(out, 3, tk_buf_str(&any));
}

/* BadRequest { field_violations 1 { description 2 } } */
static void put_bad_request(tk_str message, struct tk_buf *out)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf violation, request;
    tk_buf_init(&violation, DETAILS_MAX);
    tk_buf_init(&request, DETAILS_MAX);
    put_text(&violation, 2, message);
    put_text(&request, 1, tk_buf_str(&violation));
    put_any(out, TK_STR(TYPE_BAD_REQUEST), tk_buf_str(&request));
}

/* RetryInfo { retry_delay 1 { seconds 1 } } */
static void put_retry_info(int64_t seconds, struct tk_buf *out)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf delay, info;
    tk_buf_init(&delay, DETAILS_MAX);
    tk_buf_init(&info, DETAILS_MAX);
    put_number(&delay, 1, (uint64_t)seconds);
    put_text(&info, 1, tk_buf_str(&delay));
    put_any(out, TK_STR(TYPE_RETRY_INFO), tk_buf_str(&info));
}

static void put_details_json(const struct tk_rpc_status *status, struct tk_buf *out)
{
    tk_json_put_key(out, "details");
    tk_buf_putc(out, '[');
    if (status->bad_request) {
        tk_buf_lit(out, "{\"@type\":\"" TYPE_BAD_REQUEST "\",\"fieldViolations\":[{");
        tk_json_put_key(out, "description");
        tk_json_put_str(out, status->message);
        tk_buf_lit(out, "}]}");
    }
    if (status->retry_after_s > 0) {
        tk_json_put_comma(out);
        tk_buf_printf(out, "{\"@type\":\"" TYPE_RETRY_INFO "\",\"retryDelay\":\"%llds\"}",
                      (long long)status->retry_after_s);
    }
    tk_buf_putc(out, ']');
}

static void put_status_json(const struct tk_rpc_status *status, struct tk_buf *out)
{
    tk_buf_putc(out, '{');
    tk_json_put_key(out, "code");
    tk_buf_put_i64(out, status->code);
    tk_json_put_key(out, "message");
    tk_json_put_str(out, status->message);
    if (status->bad_request || status->retry_after_s > 0)
        put_details_json(status, out);
    tk_buf_putc(out, '}');
}

void tk_rpc_status_encode(const struct tk_rpc_status *status, bool json, struct tk_buf *out)
{
    if (json) {
        put_status_json(status, out);
        return;
    }
    put_number(out, 1, (uint64_t)status->code);
    put_text(out, 2, status->message);
    if (status->bad_request)
        put_bad_request(status->message, out);
    if (status->retry_after_s > 0)
        put_retry_info(status->retry_after_s, out);
}
