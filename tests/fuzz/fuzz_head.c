/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of HTTP requests: lines "name: value", then what is decided of them, and of a list of
 * codings for the answer. */
#include <stdint.h>
#include <stdlib.h>

#include "serve/coded.h"
#include "serve/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tk_str rest = {(const char *)data, size}, line, texts[4] = {{0}};
    struct tk_head_filter filter = {0};
    struct tk_answer answer = {0};
    struct tk_plan plan;
    for (size_t i = 0; i < 4 && tk_str_take_until(&rest, '\n', &line); i++)
        texts[i] = line;
    while (tk_str_take_until(&rest, '\n', &line)) {
        size_t colon = tk_str_find(line, ':');
        tk_str value = {line.p + colon, line.n - colon};
        tk_head_filter_add(&filter, (tk_str){line.p, colon}, tk_str_trim(value));
    }
    (void)tk_head_filter_reason(&filter);
    if (!tk_coding_name(tk_coding_choose(texts[3])))
        abort();
    struct tk_head head = {(enum tk_protocol)(size % TK_PROTOCOL_COUNT),
                           texts[0],
                           texts[1],
                           texts[2],
                           texts[3],
                           filter.length,
                           TK_STR("/otlp"),
                           size & 1};
    tk_buf_init(&answer.body, 65536);
    tk_plan_make(&head, 1000, &plan, &answer);
    if ((plan.kind == TK_PLAN_REFUSE) != (answer.status >= 400))
        abort();
    tk_buf_release(&answer.body);
    return 0;
}
