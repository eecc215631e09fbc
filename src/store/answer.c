/* SPDX-License-Identifier: Apache-2.0 */
#include "store/answer.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/number.h"

static bool name_is(tk_str name, const char *wanted)
{
    return name.n == strlen(wanted) && strncasecmp(name.p, wanted, name.n) == 0;
}

static bool take_number(tk_str *text, int *ret)
{
    int64_t number;
    if (text->n == 0 || !tk_is_digit(text->p[0]) || !tk_scan_i64(text, &number) || number > 9999)
        return false;
    *ret = (int)number;
    return true;
}

static bool take_clock(tk_str *text, struct tk_civil *civil)
{
    return take_number(text, &civil->hour) && tk_str_take_prefix(text, TK_STR(":")) &&
           take_number(text, &civil->minute) && tk_str_take_prefix(text, TK_STR(":")) &&
           take_number(text, &civil->second);
}

static bool take_month(tk_str *text, int *ret_month)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (size_t i = 0; i < 12; i++) {
        if (tk_str_take_prefix(text, (tk_str){months + 3 * i, 3})) {
            *ret_month = (int)i + 1;
            return true;
        }
    }
    return false;
}

static bool civil_to_ns(const struct tk_civil *civil, int64_t *ret_ns)
{
    if (!tk_civil_ok(civil) || civil->year < 1970 || civil->year > 2200)
        return false;
    *ret_ns = tk_civil_to_s(civil) * TK_NS_PER_S;
    return true;
}

bool tk_time_parse_http(tk_str text, int64_t *ret_ns)
{
    struct tk_civil civil = {0};
    if (text.n < 5 || text.p[3] != ',' || text.p[4] != ' ')
        return false;
    text = (tk_str){text.p + 5, text.n - 5};
    return take_number(&text, &civil.day) && tk_str_take_prefix(&text, TK_STR(" ")) &&
           take_month(&text, &civil.month) && tk_str_take_prefix(&text, TK_STR(" ")) &&
           take_number(&text, &civil.year) && tk_str_take_prefix(&text, TK_STR(" ")) &&
           take_clock(&text, &civil) && tk_str_eq(text, TK_STR(" GMT")) &&
           civil_to_ns(&civil, ret_ns);
}

bool tk_time_parse_iso(tk_str text, int64_t *ret_ns)
{
    struct tk_civil civil = {0};
    int64_t seconds_ns, fraction = 0;
    if (!take_number(&text, &civil.year) || !tk_str_take_prefix(&text, TK_STR("-")) ||
        !take_number(&text, &civil.month) || !tk_str_take_prefix(&text, TK_STR("-")) ||
        !take_number(&text, &civil.day) || !tk_str_take_prefix(&text, TK_STR("T")) ||
        !take_clock(&text, &civil) || !civil_to_ns(&civil, &seconds_ns))
        return false;
    if (text.n > 0 && text.p[0] == '.' && !tk_scan_fixed(&text, 9, &fraction))
        return false;
    if (!tk_str_eq(text, TK_STR("Z")))
        return false;
    *ret_ns = seconds_ns + fraction;
    return true;
}

void tk_etag_copy(tk_str text, char ret_etag[TK_STORE_ETAG_MAX])
{
    if (text.n >= 2 && text.p[0] == '"' && text.p[text.n - 1] == '"')
        text = (tk_str){text.p + 1, text.n - 2};
    if (!tk_str_to_cstr(text, ret_etag, TK_STORE_ETAG_MAX))
        ret_etag[0] = '\0';
}

/* "bytes 0-9/100" */
static void read_range(struct tk_answer *answer, tk_str value)
{
    uint64_t start, last, total;
    if (tk_str_take_prefix(&value, TK_STR("bytes ")) && tk_scan_u64(&value, &start) &&
        tk_str_take_prefix(&value, TK_STR("-")) && tk_scan_u64(&value, &last) &&
        tk_str_take_prefix(&value, TK_STR("/")) && tk_parse_u64(value, &total) && start <= last &&
        last < total) {
        answer->has_range = true;
        answer->range_start = start;
        answer->total = total;
    }
}

static void read_length(struct tk_answer *answer, tk_str value)
{
    answer->has_length = tk_parse_u64(value, &answer->length);
}

static void read_chunked(struct tk_answer *answer, tk_str value)
{
    answer->is_chunked = name_is(value, "chunked");
}

static void read_etag(struct tk_answer *answer, tk_str value)
{
    tk_etag_copy(value, answer->etag);
}

static void read_date(struct tk_answer *answer, tk_str value)
{
    (void)tk_time_parse_http(value, &answer->date_ns);
}

static void read_modified(struct tk_answer *answer, tk_str value)
{
    (void)tk_time_parse_http(value, &answer->modified_ns);
}

static void read_retry_after(struct tk_answer *answer, tk_str value)
{
    int64_t seconds;
    if (tk_parse_i64(value, &seconds) && seconds > 0)
        answer->retry_after_s = seconds;
}

static void read_request_id(struct tk_answer *answer, tk_str value)
{
    (void)tk_str_to_cstr(value, answer->request_id, sizeof(answer->request_id));
}

static void read_region(struct tk_answer *answer, tk_str value)
{
    (void)tk_str_to_cstr(value, answer->region, sizeof(answer->region));
}

static void read_location(struct tk_answer *answer, tk_str value)
{
    (void)tk_str_to_cstr(value, answer->location, sizeof(answer->location));
}

static void read_encryption(struct tk_answer *answer, tk_str value)
{
    answer->is_encrypted = value.n > 0;
}

static const struct {
    const char *name;
    void (*read)(struct tk_answer *answer, tk_str value);
} lines[] = {
    {"content-length", read_length},
    {"transfer-encoding", read_chunked},
    {"etag", read_etag},
    {"content-range", read_range},
    {"date", read_date},
    {"last-modified", read_modified},
    {"retry-after", read_retry_after},
    {"x-amz-request-id", read_request_id},
    {"x-amz-bucket-region", read_region},
    {"location", read_location},
    {"x-amz-server-side-encryption", read_encryption},
    {"x-amz-server-side-encryption-customer-algorithm", read_encryption},
};

static bool take_status(tk_str line, int *ret_status)
{
    tk_str version;
    uint64_t status;
    if (!tk_str_starts_with(line, TK_STR("HTTP/")) || !tk_str_take_word(&line, &version) ||
        !tk_str_take_prefix(&line, TK_STR(" ")) || line.n < 3 ||
        !tk_parse_u64((tk_str){line.p, 3}, &status))
        return false;
    *ret_status = (int)status;
    return true;
}

void tk_answer_add(struct tk_answer *answer, tk_str line)
{
    int status = 0;
    size_t bytes = answer->bytes + line.n;
    if (take_status(line, &status))
        *answer = (struct tk_answer){.status = status};
    answer->bytes = bytes;
    size_t colon = tk_str_find(line, ':');
    if (status != 0 || colon == line.n)
        return;
    tk_str name = {line.p, colon};
    tk_str value = tk_str_trim((tk_str){line.p + colon + 1, line.n - colon - 1});
    for (size_t i = 0; i < TK_COUNTOF(lines); i++) {
        if (name_is(name, lines[i].name)) {
            lines[i].read(answer, value);
            return;
        }
    }
}
