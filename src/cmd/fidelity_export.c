/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/fidelity.h"
#include "cmd/tkz_file.h"
#include "fidelity/sql.h"

#define OUT_MAX   ((size_t)1 << 30)
#define OUT_FLUSH ((size_t)1 << 20)

struct exporting {
    const struct tk_span_table *table;
    tk_str name;
    const char *path;
    struct tk_tkz_output *output;
    struct tk_buf out;
};

static int flush(struct exporting *exporting, size_t least, struct tk_err *err)
{
    const struct tk_codec_output *output = &exporting->output->output;
    int rc = tk_buf_check(&exporting->out, exporting->path, err);
    if (rc < 0 || exporting->out.n < least)
        return rc;
    rc = output->write(output->context, tk_buf_str(&exporting->out), err);
    tk_buf_reset(&exporting->out);
    return rc;
}

static int put_table(struct exporting *exporting, struct tk_err *err)
{
    int rc = 0;
    tk_sql_put_head(exporting->name, &exporting->out);
    for (uint32_t trace = 0; trace < exporting->table->traces && rc == 0; trace++) {
        tk_sql_put_trace(exporting->table, trace, exporting->name, &exporting->out);
        rc = flush(exporting, OUT_FLUSH, err);
    }
    tk_sql_put_tail(&exporting->out);
    return rc < 0 ? rc : flush(exporting, 1, err);
}

static int run(const struct tk_fidelity_call *call, struct tk_err *err)
{
    TK_CLEANUP(tk_span_table_freep) struct tk_span_table *table = NULL;
    TK_CLEANUP(tk_tkz_output_release) struct tk_tkz_output output = TK_TKZ_OUTPUT_NONE;
    int rc = tk_fidelity_open(call, call->argv[0], &table, err);
    rc = rc < 0 ? rc : tk_tkz_output_open(&output, call->opts->sql, err);
    if (rc < 0)
        return rc;
    struct exporting exporting = {.table = table,
                                  .name = tk_str_from(call->opts->table),
                                  .path = call->opts->sql,
                                  .output = &output};
    tk_buf_init(&exporting.out, OUT_MAX);
    rc = put_table(&exporting, err);
    tk_buf_release(&exporting.out);
    return rc < 0 ? rc : tk_tkz_output_close(&output, err);
}

int tk_fidelity_export(const struct tk_fidelity_call *call)
{
    struct tk_err err;
    if (!call->opts->sql)
        return tk_cmd_usage(call->cmd, "export: --sql FILE says where the table goes");
    return run(call, &err) < 0 ? tk_cmd_fail(call->cmd, &err) : TK_EXIT_OK;
}
