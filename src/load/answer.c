/* SPDX-License-Identifier: Apache-2.0 */
#include "load/answer.h"

#include <stddef.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/json.h"
#include "base/number.h"
#include "load/fields.h"

#define GRPC_PREFIX 5
#define DETAILS_MAX 65536
#define DELAY_MAX_S 86400

/* Codes ------------------------------------------------------------------------------------ */

struct code {
    const char *text;
    int number;
    bool retry;
};

static const struct code http_codes[] = {
    {"ok", 200, false},
    {"bad request", 400, false},
    {"unauthorized", 401, false},
    {"forbidden", 403, false},
    {"not found", 404, false},
    {"method not allowed", 405, false},
    {"too large", 413, false},
    {"unsupported media type", 415, false},
    {"too many requests", 429, true},
    {"internal error", 500, false},
    {"not implemented", 501, false},
    {"bad gateway", 502, true},
    {"unavailable", 503, true},
    {"gateway timeout", 504, true},
};

/* 8 is retried only where RetryInfo comes with it. */
static const struct code grpc_codes[] = {
    {"ok", 0, false},
    {"cancelled", 1, true},
    {"unknown", 2, false},
    {"invalid argument", 3, false},
    {"deadline exceeded", 4, true},
    {"not found", 5, false},
    {"permission denied", 7, false},
    {"resource exhausted", 8, false},
    {"aborted", 10, true},
    {"out of range", 11, true},
    {"unimplemented", 12, false},
    {"internal error", 13, false},
    {"unavailable", 14, true},
    {"data loss", 15, true},
    {"unauthenticated", 16, false},
};

static const struct code *find_code(bool grpc, int number)
{
    const struct code *codes = grpc ? grpc_codes : http_codes;
    size_t count = grpc ? TK_COUNTOF(grpc_codes) : TK_COUNTOF(http_codes);
    for (size_t i = 0; i < count; i++) {
        if (codes[i].number == number)
            return &codes[i];
    }
    return NULL;
}

const char *tk_load_code_text(bool grpc, int code)
{
    const struct code *found = find_code(grpc, code);
    return found ? found->text : NULL;
}

/* Texts ------------------------------------------------------------------------------------ */

static char as_printable(char c)
{
    if (c == '\n' || c == '\t')
        return ' ';
    return (char)(c >= 0x20 && c < 0x7F ? c : '?');
}

/* Keep a reason as one printable line. */
static void take_reason(struct tk_load_verdict *verdict, tk_str text)
{
    size_t n = text.n < TK_LOAD_REASON_MAX - 1 ? text.n : TK_LOAD_REASON_MAX - 1;
    for (size_t i = 0; i < n; i++)
        verdict->reason[i] = as_printable(text.p[i]);
    verdict->reason[n] = '\0';
}

/* grpc-message: UTF-8, percent-encoded. */
static void take_encoded_reason(struct tk_load_verdict *verdict, tk_str text)
{
    char plain[TK_LOAD_REASON_MAX];
    size_t n = 0;
    for (size_t i = 0; i < text.n && n < sizeof(plain); i++) {
        int high = i + 2 < text.n && text.p[i] == '%' ? tk_hex_value(text.p[i + 1]) : -1;
        int low = high >= 0 ? tk_hex_value(text.p[i + 2]) : -1;
        plain[n] = text.p[i];
        if (low >= 0) {
            plain[n] = (char)(high * 16 + low);
            i += 2;
        }
        n++;
    }
    take_reason(verdict, (tk_str){plain, n});
}

/* Delays ----------------------------------------------------------------------------------- */

static int month_of(tk_str name)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12 && name.n == 3; i++) {
        if (memcmp(name.p, months + (size_t)3 * (size_t)i, 3) == 0)
            return i + 1;
    }
    return 0;
}

static bool take_number(tk_str *text, char end, int *ret)
{
    tk_str part;
    uint64_t value;
    if (!tk_str_take_until(text, end, &part) || !tk_parse_u64(part, &value) || value > 9999)
        return false;
    *ret = (int)value;
    return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool parse_date(tk_str text, int64_t *ret_s)
{
    struct tk_civil civil = {0};
    tk_str day;
    tk_str month;
    if (!tk_str_take_until(&text, ' ', &day) || !take_number(&text, ' ', &civil.day) ||
        !tk_str_take_until(&text, ' ', &month) || !take_number(&text, ' ', &civil.year) ||
        !take_number(&text, ':', &civil.hour) || !take_number(&text, ':', &civil.minute) ||
        !take_number(&text, ' ', &civil.second) || !tk_str_eq(text, TK_STR("GMT")))
        return false;
    civil.month = month_of(month);
    if (civil.month == 0 || !tk_civil_ok(&civil))
        return false;
    *ret_s = tk_civil_to_s(&civil);
    return true;
}

/* The delay of so many seconds, within what a sender waits at most. */
static int64_t delay_of(int64_t seconds)
{
    return seconds < 0             ? 0
           : seconds > DELAY_MAX_S ? DELAY_MAX_S * TK_NS_PER_S
                                   : seconds * TK_NS_PER_S;
}

int64_t tk_load_retry_after_ns(tk_str text, int64_t now_real_ns)
{
    uint64_t seconds;
    int64_t date_s;
    text = tk_str_trim(text);
    if (tk_parse_u64(text, &seconds))
        return delay_of(seconds > DELAY_MAX_S ? DELAY_MAX_S : (int64_t)seconds);
    return parse_date(text, &date_s) ? delay_of(date_s - now_real_ns / TK_NS_PER_S) : -1;
}

/* Messages of protobuf, one of which holds the next; what is damaged is as if it were not there. */

/* The last field of that number that holds bytes; "" when there is none. */
static tk_str find_bytes(tk_str message, uint32_t number)
{
    struct tk_wire_fault fault;
    struct tk_field field;
    struct tk_wire in = tk_fields_of(message, &fault);
    tk_str found = TK_STR("");
    while (tk_field_next(&in, &field) == 0) {
        if (field.tag == TK_WIRE_BYTES(number))
            found = field.bytes;
    }
    return found;
}

/* Duration { seconds 1, nanos 2 } of RetryInfo { retry_delay 1 }. */
static int64_t read_retry_info(tk_str info)
{
    struct tk_wire_fault fault;
    struct tk_field field;
    int64_t seconds = 0;
    int64_t nanos = 0;
    tk_str duration = find_bytes(info, 1);
    struct tk_wire in = tk_fields_of(duration, &fault);
    while (tk_field_next(&in, &field) == 0) {
        if (field.tag == TK_WIRE_VARINT(1))
            seconds = (int64_t)field.number;
        if (field.tag == TK_WIRE_VARINT(2))
            nanos = (int64_t)field.number;
    }
    int64_t rest_ns = nanos > 0 && nanos < TK_NS_PER_S ? nanos : 0;
    return delay_of(seconds) + (seconds >= 0 && seconds < DELAY_MAX_S ? rest_ns : 0);
}

/* google.rpc.Status { message 2, details 3 repeated Any { type_url 1, value 2 } }: the delay of
 * RetryInfo, -1 without it. */
static int64_t read_status(tk_str status, tk_str *ret_message)
{
    struct tk_wire_fault fault;
    struct tk_field field;
    int64_t delay_ns = -1;
    struct tk_wire in = tk_fields_of(status, &fault);
    while (tk_field_next(&in, &field) == 0) {
        if (field.tag == TK_WIRE_BYTES(2))
            *ret_message = field.bytes;
        if (field.tag == TK_WIRE_BYTES(3) && delay_ns < 0 &&
            tk_str_ends_with(find_bytes(field.bytes, 1), TK_STR("/google.rpc.RetryInfo")))
            delay_ns = read_retry_info(find_bytes(field.bytes, 2));
    }
    return delay_ns;
}

/* Bodies ----------------------------------------------------------------------------------- */

/* ExportTraceServiceResponse { partial_success 1 { rejected_spans 1, error_message 2 } }. */
static void read_response(tk_str body, struct tk_load_verdict *verdict)
{
    struct tk_wire_fault fault;
    struct tk_field field;
    tk_str partial = find_bytes(body, 1);
    struct tk_wire in = tk_fields_of(partial, &fault);
    while (tk_field_next(&in, &field) == 0) {
        if (field.tag == TK_WIRE_VARINT(1) && (int64_t)field.number > 0)
            verdict->rejected_spans = field.number;
        if (field.tag == TK_WIRE_BYTES(2))
            take_reason(verdict, field.bytes);
    }
}

/* {"partialSuccess":{"rejectedSpans":"3","errorMessage":"..."}} or {"code":3,"message":"..."}, both
 * flat enough to be read by one function. */
static int read_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                       struct tk_err *err)
{
    struct tk_load_verdict *verdict = into;
    tk_str text;
    int64_t rejected;
    int rc = 1;
    if (tk_str_eq(key, TK_STR("partialSuccess")) && tk_json_peek(json) == TK_JSON_OBJECT)
        return tk_json_read_members(json, scratch, read_member, verdict, err);
    if (tk_str_eq(key, TK_STR("rejectedSpans"))) {
        rc = tk_json_read_i64(json, &rejected, err);
        if (rc == 0 && rejected > 0)
            verdict->rejected_spans = (uint64_t)rejected;
    } else if (tk_str_eq(key, TK_STR("errorMessage")) || tk_str_eq(key, TK_STR("message"))) {
        rc = tk_json_read_str(json, scratch, &text, err);
        if (rc == 0)
            take_reason(verdict, text);
    }
    return rc;
}

static void read_json(tk_str body, struct tk_load_verdict *verdict)
{
    struct tk_json json;
    struct tk_arena scratch;
    struct tk_err err;
    if (tk_arena_init(&scratch, body.n + 64, &err) < 0)
        return;
    tk_json_init(&json, body);
    if (tk_json_read_members(&json, &scratch, read_member, verdict, &err) < 0)
        take_reason(verdict, TK_STR("the body of the answer is not the JSON of OTLP"));
    tk_arena_release(&scratch);
}

/* Judging ---------------------------------------------------------------------------------- */

static void judge_http(const struct tk_load_answer *answer, int64_t now_real_ns,
                       struct tk_load_verdict *verdict)
{
    const struct code *code = find_code(false, answer->http_status);
    tk_str message = TK_STR("");
    bool fine = answer->http_status >= 200 && answer->http_status < 300;
    verdict->code = answer->http_status;
    verdict->outcome = fine                  ? TK_LOAD_ACCEPTED
                       : code && code->retry ? TK_LOAD_RETRY
                                             : TK_LOAD_REJECTED;
    if (answer->retry_after.n > 0)
        verdict->delay_ns = tk_load_retry_after_ns(answer->retry_after, now_real_ns);
    if (answer->json && answer->body.n > TK_STR("{}").n) {
        read_json(answer->body, verdict);
    } else if (fine) {
        read_response(answer->body, verdict);
    } else {
        (void)read_status(answer->body, &message);
        take_reason(verdict, message);
    }
}

static void judge_grpc(const struct tk_load_answer *answer, struct tk_load_verdict *verdict)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf details;
    tk_str message = TK_STR("");
    const struct code *code = find_code(true, answer->grpc_status);
    tk_buf_init(&details, DETAILS_MAX);
    verdict->code = answer->grpc_status;
    if (answer->details.n > 0 && tk_base64_decode(answer->details, &details))
        verdict->delay_ns = read_status(tk_buf_str(&details), &message);
    if (answer->grpc_status == 0 && answer->body.n >= GRPC_PREFIX) {
        read_response((tk_str){answer->body.p + GRPC_PREFIX, answer->body.n - GRPC_PREFIX},
                      verdict);
    }
    if (answer->grpc_status == 0)
        return;
    bool retry = (code && code->retry) || (answer->grpc_status == 8 && verdict->delay_ns >= 0);
    verdict->outcome = retry ? TK_LOAD_RETRY : TK_LOAD_REJECTED;
    take_encoded_reason(verdict, answer->message);
}

void tk_load_judge(const struct tk_load_answer *answer, int64_t now_real_ns,
                   struct tk_load_verdict *ret_verdict)
{
    struct tk_load_verdict verdict = {.delay_ns = -1};
    if (answer->grpc && answer->grpc_status >= 0) {
        judge_grpc(answer, &verdict);
    } else {
        /* A server or proxy that does not speak gRPC answers by HTTP alone. */
        judge_http(answer, now_real_ns, &verdict);
        if (answer->grpc && verdict.outcome == TK_LOAD_ACCEPTED) {
            verdict.outcome = TK_LOAD_REJECTED;
            take_reason(&verdict, TK_STR("the answer has no grpc-status"));
        }
    }
    *ret_verdict = verdict;
}
