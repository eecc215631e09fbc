/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of cpu.log, mem.log and net.log; the first byte selects which. Whatever is taken for a
 * row must lie within the ranges that rawlog_line.h promises, and get a date. */
#include <assert.h>

#include "run/rawlog_dates.h"
#include "run/rawlog_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct tk_rawlog_parser parser;
    struct tk_rawlog_dates dates;
    tk_rawlog_parser_init(&parser, (enum tk_rawlog_kind)(data[0] % TK_RAWLOG_KINDS));
    tk_rawlog_dates_init(&dates, 1758059310);
    tk_str text = {(const char *)data + 1, size - 1};
    tk_str line;
    while (tk_str_take_line(&text, &line)) {
        struct tk_rawlog_row row;
        struct tk_err err;
        if (tk_rawlog_parse(&parser, line, text.n > 0, &row, &err) != TK_RAWLOG_ROW)
            continue;
        assert(row.present != 0);
        assert(row.second_of_day >= 0 && row.second_of_day < TK_S_PER_DAY);
        for (size_t i = 0; i < TK_RAWLOG_VALUES; i++)
            assert(!(row.present >> i & 1) || row.values[i] >= 0);
        (void)tk_rawlog_dates_next(&dates, row.second_of_day, row.meridiem);
    }
    return 0;
}
