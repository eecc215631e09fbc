/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/fidelity.h"
#include "cmd/suite.h"

/* The file for a set, if this part of the option is for it. */
static bool is_for(const struct tk_suite_data *data, tk_str part, tk_str *ret_file)
{
    size_t sign = tk_str_find(part, '=');
    tk_str name = {part.p, sign};
    bool has_name = sign < part.n;
    *ret_file = has_name ? (tk_str){part.p + sign + 1, part.n - sign - 1} : part;
    return !has_name || tk_str_eq(name, tk_str_from(data->name));
}

int tk_suite_causes_check(const struct tk_suite *suite, const char *text, struct tk_err *err)
{
    tk_str rest = tk_str_from(text ? text : "");
    tk_str part;
    tk_str file;
    while (tk_str_take_until(&rest, ',', &part)) {
        size_t i = 0;
        while (i < suite->part_count && !is_for(&suite->parts[i].data, part, &file))
            i++;
        if (i == suite->part_count) {
            return tk_fail(err, -EINVAL, "option '--faults': '%.*s' names none of the sets",
                           TK_STR_ARG(part));
        }
    }
    return 0;
}

static int find_causes(const struct tk_suite_data *data, const struct tk_span_table *table,
                       struct tk_rca_result **ret_causes, struct tk_err *err)
{
    struct tk_rca_result *causes = calloc(data->faults.count, sizeof(*causes));
    if (!causes)
        return tk_fail(err, -ENOMEM, "causes of faults: out of memory");
    int rc = tk_rca_run(table, &data->faults, causes, err);
    if (rc < 0) {
        free(causes);
        return rc;
    }
    *ret_causes = causes;
    return 0;
}

int tk_suite_causes_open(struct tk_suite_data *data, const char *text, struct tk_err *err)
{
    tk_str rest = tk_str_from(text ? text : "");
    tk_str part;
    tk_str file;
    char path[PATH_MAX];
    while (tk_str_take_until(&rest, ',', &part)) {
        if (!is_for(data, part, &file))
            continue;
        if (data->causes)
            return tk_fail(err, -EINVAL, "option '--faults': two lists for %s", data->name);
        if (!tk_str_to_cstr(file, path, sizeof(path)) || !path[0])
            return tk_fail(err, -EINVAL, "option '--faults': expected [NAME=]FILE");
        int rc = tk_fidelity_read_faults(path, &data->faults, err);
        rc = rc < 0 ? rc : find_causes(data, data->real, &data->causes, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int tk_suite_causes_measure(const struct tk_suite_data *data, const struct tk_span_table *made,
                            struct tk_figures *figures, struct tk_err *err)
{
    struct tk_rca_result *causes = NULL;
    if (!data->causes)
        return 0;
    int rc = find_causes(data, made, &causes, err);
    if (rc < 0)
        return rc;
    tk_rca_add(causes, data->causes, data->faults.count, figures);
    free(causes);
    return tk_figures_check(figures, err);
}
