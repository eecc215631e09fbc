/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of tables against their schemas and the rules that span rows; the first byte of a line
 * selects its table. */
#include "run/verify_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TK_CLEANUP(tk_verify_release) struct tk_verify verify;
    struct tk_verify_options options = {.max_findings = 1};
    struct tk_verify_result result = {0};
    struct tk_err err;
    if (tk_verify_init(&verify, &options, &result, &err) < 0)
        return 0;
    tk_str text = {(const char *)data, size};
    tk_str line;
    for (uint64_t number = 1; tk_str_take_line(&text, &line); number++) {
        if (line.n == 0)
            continue;
        enum tk_table table = (enum tk_table)((unsigned char)line.p[0] % TK_TABLE_COUNT);
        struct tk_row row;
        line = (tk_str){line.p + 1, line.n - 1};
        verify.in_cctf = number % 2 == 0;
        verify.file_number = (uint32_t)table;
        if (tk_verify_row(&verify, tk_tables[table].schema, line, number, &row))
            tk_verify_rules_row(&verify, table, &row);
        tk_verify_rules_end_file(&verify, table);
    }
    tk_verify_rules_end(&verify);
    return 0;
}
