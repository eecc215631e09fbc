/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "cmd/fidelity.h"
#include "fidelity/templates.h"

#define FILE_MAX ((size_t)16 << 20)

static int measure(const struct tk_fidelity_call *call, const struct tk_templates *templates,
                   const struct tk_template_options *options, struct tk_err *err)
{
    TK_CLEANUP(tk_figures_release) struct tk_figures figures = {0};
    struct tk_span_table *tables[2] = {NULL, NULL};
    int rc = tk_fidelity_open_both(call, tables, err);
    rc = rc < 0 ? rc : tk_figures_init(&figures, err);
    rc =
        rc < 0 ? rc : tk_templates_measure(templates, tables[0], tables[1], options, &figures, err);
    rc = rc < 0 ? rc : tk_figures_check(&figures, err);
    const struct tk_fidelity_report report = {.names = {call->argv[0], call->argv[1]},
                                              .tables = {tables[0], tables[1]},
                                              .figures = &figures,
                                              .with_details = true};
    rc = rc < 0 ? rc : tk_fidelity_print(call, &report, err);
    for (int i = 0; i < 2; i++)
        tk_span_table_free(tables[i]);
    return rc;
}

static int run(const struct tk_fidelity_call *call, const struct tk_fidelity_params *params,
               struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    TK_CLEANUP(tk_templates_release) struct tk_templates templates = {0};
    const struct tk_fidelity_opts *opts = call->opts;
    const struct tk_query_options values = {.params = params->items, .param_count = params->count};
    const struct tk_template_options options = {
        .names = {tk_str_from(opts->table1), tk_str_from(opts->table2)},
        .values = &values,
        .incident = opts->incident,
        .skip_zero = opts->skip_zero,
    };
    tk_buf_init(&text, FILE_MAX);
    int rc = tk_file_load(AT_FDCWD, opts->sql, &text, err);
    if (rc < 0)
        return rc;
    rc = tk_templates_init(&templates, tk_buf_str(&text), err);
    return rc < 0 ? tk_err_prefix(err, "%s", opts->sql) : measure(call, &templates, &options, err);
}

int tk_fidelity_templates(const struct tk_fidelity_call *call)
{
    struct tk_err err;
    TK_CLEANUP(tk_fidelity_params_release) struct tk_fidelity_params params = {.count = 0};
    const struct tk_fidelity_opts *opts = call->opts;
    if (!opts->sql)
        return tk_cmd_usage(call->cmd, "templates: --sql FILE says where the queries are");
    if (strcmp(opts->table1, opts->table2) == 0)
        return tk_cmd_usage(call->cmd, "templates: --table1 and --table2 are the same");
    if (tk_fidelity_params_init(&opts->params, &params, &err) < 0)
        return tk_cmd_usage(call->cmd, "%s", err.msg);
    return run(call, &params, &err) < 0 ? tk_cmd_fail(call->cmd, &err) : TK_EXIT_OK;
}
