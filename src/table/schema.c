/* SPDX-License-Identifier: Apache-2.0 */
#include "table/schema.h"

size_t tk_schema_find(const struct tk_schema *schema, tk_str name, size_t hint)
{
    size_t count = schema->column_count;
    size_t column = hint < count ? hint : 0;
    for (size_t tried = 0; tried < count; tried++) {
        if (tk_str_eq(tk_str_from(schema->columns[column].name), name))
            return column;
        column = column + 1 < count ? column + 1 : 0;
    }
    return count;
}
