/* SPDX-License-Identifier: Apache-2.0 */
#include "table/schema.h"

static bool has_name(const struct tk_column *column, tk_str name)
{
    return strncmp(column->name, name.p, name.n) == 0 && column->name[name.n] == '\0';
}

size_t tk_schema_find(const struct tk_schema *schema, tk_str name, size_t hint)
{
    size_t count = schema->column_count;
    size_t column = hint < count ? hint : 0;
    for (size_t tried = 0; tried < count && name.n > 0; tried++) {
        if (has_name(&schema->columns[column], name))
            return column;
        column = column + 1 < count ? column + 1 : 0;
    }
    return count;
}
