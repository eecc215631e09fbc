/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON scanner accepts exactly what jansson accepts, but for the differences that
 * json_oracle.h names; typed reads of any value neither crash nor hang. */
#include <stdlib.h>

#include "json_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all_types(tk_str text)
{
    struct tk_err err;
    struct tk_arena scratch;
    if (tk_arena_init(&scratch, 1 << 16, &err) < 0)
        abort();
    for (int type = 0; type < 4; type++) {
        struct tk_json json;
        int64_t i64;
        double f64;
        bool truth;
        tk_str value;
        tk_json_init(&json, text);
        (void)(type == 0   ? tk_json_read_i64(&json, &i64, &err)
               : type == 1 ? tk_json_read_f64(&json, &f64, &err)
               : type == 2 ? tk_json_read_bool(&json, &truth, &err)
                           : tk_json_read_str(&json, &scratch, &value, &err));
    }
    tk_arena_release(&scratch);
}

/* What is valid ends at the same byte when it is not read. */
static bool unread_agrees(tk_str text)
{
    struct tk_err err;
    struct tk_json read, unread;
    tk_json_init(&read, text);
    tk_json_init(&unread, text);
    int rc = tk_json_skip_unread(&unread, &err);
    return tk_json_skip(&read, NULL, &err) < 0 || (rc == 0 && read.p == unread.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tk_str text = {(const char *)data, size};
    if (!oracle_agrees(text) || !unread_agrees(text))
        abort();
    read_all_types(text);
    return 0;
}
