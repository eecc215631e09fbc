/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/gent_projection.h"

const char *const tk_gent_keys[TK_GENT_KINDS][TK_GENT_ATTRS] = {
    [TK_GENT_HTTP] = {"component", "http.method", "http.status_code", "http.url.ampersands",
                      "gent.int_3"},
    [TK_GENT_PROCESS] = {"process_hostname", "process_ip", "gent.int_1", "gent.int_2",
                         "gent.int_3"},
    [TK_GENT_BODY] = {"gent.str_1", "gent.str_2", "gent.int_1", "gent.int_2", "gent.int_3"},
};

enum tk_gent_kind tk_gent_kind_of(const struct tk_projection *projection)
{
    if (projection->method != 0 && projection->strings[1].id == projection->method)
        return TK_GENT_HTTP;
    return projection->method == 0 && projection->integers[0] == 0 ? TK_GENT_PROCESS : TK_GENT_BODY;
}

bool tk_gent_hides_issues(const struct tk_projection *projection, uint8_t status)
{
    bool has_code = tk_gent_kind_of(projection) == TK_GENT_HTTP;
    return projection->has_issues && status != TK_SPAN_ERROR &&
           !(has_code && projection->integers[0] > TK_ISSUE_ABOVE);
}
