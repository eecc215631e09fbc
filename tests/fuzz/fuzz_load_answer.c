/* SPDX-License-Identifier: Apache-2.0 */
/* What answers mean: any bytes as body, Retry-After, message or details are judged, and no delay is
 * longer than a day. */
#include <stdlib.h>

#include "base/clock.h"
#include "load/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(struct tk_load_answer answer)
{
    struct tk_load_verdict verdict;
    tk_load_judge(&answer, 1700000000 * TK_NS_PER_S, &verdict);
    if (verdict.delay_ns < -1 || verdict.delay_ns > 86400 * TK_NS_PER_S)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tk_str text = {(const char *)data, size};
    judge((struct tk_load_answer){.http_status = 200, .grpc_status = -1, .body = text});
    judge((struct tk_load_answer){.http_status = 400, .grpc_status = -1, .body = text});
    judge((struct tk_load_answer){
        .http_status = 429, .grpc_status = -1, .json = true, .body = text, .retry_after = text});
    judge(
        (struct tk_load_answer){.grpc = true, .http_status = 200, .grpc_status = 0, .body = text});
    judge((struct tk_load_answer){
        .grpc = true, .http_status = 200, .grpc_status = 8, .message = text, .details = text});
    return 0;
}
