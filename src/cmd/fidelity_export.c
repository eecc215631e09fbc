/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/fidelity.h"
#include "fidelity/sql.h"

#define OUT_MAX   ((size_t)1 << 30)
#define OUT_FLUSH ((size_t)1 << 20)

struct exporting {
    const struct tk_span_table *table;
    tk_str name;
    const char *path;
    int fd;
    struct tk_buf out;
};

static int flush(struct exporting *exporting, size_t least, struct tk_err *err)
{
    int rc = tk_buf_check(&exporting->out, exporting->path, err);
    if (rc < 0 || exporting->out.n < least)
        return rc;
    rc = tk_fd_write(exporting->fd, tk_buf_str(&exporting->out), exporting->path, err);
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

/* Standard output, or a file, whose content is replaced. */
static int open_out(const char *path, int *ret_fd, struct tk_err *err)
{
    if (strcmp(path, "-") == 0) {
        *ret_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    } else {
        *ret_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    }
    return *ret_fd < 0 ? tk_fail_errno(err, "%s", path) : 0;
}

static int run(const struct tk_fidelity_call *call, struct tk_err *err)
{
    TK_CLEANUP(tk_span_table_freep) struct tk_span_table *table = NULL;
    TK_CLEANUP(tk_fd_close) int fd = -1;
    int rc = tk_fidelity_open(call, call->argv[0], &table, err);
    rc = rc < 0 ? rc : open_out(call->opts->sql, &fd, err);
    if (rc < 0)
        return rc;
    struct exporting exporting = {
        .table = table, .name = tk_str_from(call->opts->table), .path = call->opts->sql, .fd = fd};
    tk_buf_init(&exporting.out, OUT_MAX);
    rc = put_table(&exporting, err);
    tk_buf_release(&exporting.out);
    return rc;
}

int tk_fidelity_export(const struct tk_fidelity_call *call)
{
    struct tk_err err;
    if (!call->opts->sql)
        return tk_cmd_usage(call->cmd, "export: --sql FILE says where the table goes");
    return run(call, &err) < 0 ? tk_cmd_fail(call->cmd, &err) : TK_EXIT_OK;
}
