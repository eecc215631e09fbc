/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tkz_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/human.h"
#include "base/number.h"
#include "cmd/tkz_view.h"

#define MAX_BYTES   ((uint64_t)64 << 30)
#define RECEIPT_MAX ((size_t)1 << 16)
#define MAX_PLANES  8

bool tk_tkz_detect(const char *path)
{
    char head[4];
    TK_CLEANUP(tk_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
           tk_stream_detect((tk_str){head, sizeof(head)});
}

int tk_tkz_refuse_as_run(const char *path, struct tk_err *err)
{
    if (!path || !tk_tkz_detect(path))
        return 0;
    return tk_fail(err, -ENOTDIR,
                   "%s: is a file of compressed traces, no run; 'tracekit expand %s --format "
                   "parquet -o RUN' makes one of it",
                   path, path);
}

int tk_tkz_open(const char *path, struct tk_import_text *ret_text, struct tk_err *err)
{
    int rc = tk_import_text_open(path, MAX_BYTES, ret_text, err);
    if (rc < 0)
        return rc;
    if (tk_stream_detect(ret_text->text))
        return 0;
    tk_import_text_release(ret_text);
    return tk_fail(err, -EBADMSG, "%s: is no file of compressed traces (.tkz)", path);
}

/* Writing -------------------------------------------------------------------------------------- */

static int write_file(void *context, tk_str bytes, struct tk_err *err)
{
    struct tk_out *out = context;
    tk_out_put(out, bytes);
    if (out->failure.code < 0)
        *err = out->failure;
    return out->failure.code;
}

static int write_stdout(void *context, tk_str bytes, struct tk_err *err)
{
    (void)context;
    return tk_fd_write(STDOUT_FILENO, bytes, "standard output", err);
}

int tk_tkz_output_open(struct tk_tkz_output *output, const char *path, struct tk_err *err)
{
    *output = (struct tk_tkz_output)TK_TKZ_OUTPUT_NONE;
    (void)snprintf(output->path, sizeof(output->path), "%s", path);
    if (strcmp(path, "-") == 0) {
        output->output = (struct tk_codec_output){write_stdout, NULL};
        return 0;
    }
    char folder[PATH_MAX];
    tk_str name = tk_str_base_name(tk_str_from(path));
    size_t before = strlen(path) - name.n;
    if (name.n == 0 || strlen(path) >= sizeof(folder))
        return tk_fail(err, -EINVAL, "%s: is no name of a file", path);
    (void)snprintf(folder, sizeof(folder), "%.*s", before > 0 ? (int)before : 1,
                   before > 0 ? path : ".");
    output->output = (struct tk_codec_output){write_file, &output->out};
    int rc = tk_dir_open(AT_FDCWD, folder, &output->dirfd, err);
    return rc < 0 ? rc : tk_out_open(&output->out, output->dirfd, name.p, NULL, err);
}

int tk_tkz_output_close(struct tk_tkz_output *output, struct tk_err *err)
{
    return output->dirfd < 0 ? 0 : tk_out_close(&output->out, err);
}

void tk_tkz_output_release(struct tk_tkz_output *output)
{
    tk_out_release(&output->out);
    tk_fd_close(&output->dirfd);
}

/* Options -------------------------------------------------------------------------------------- */

bool tk_tkz_budget_parse(const char *text, struct tk_tkz_budget *ret_budget)
{
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"kB", 1e3},      {"MB", 1e6},      {"GB", 1e9}, {"KiB", 1 << 10},
                 {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1},    {"", 1}};
    tk_str rest = tk_str_from(text);
    double number;
    tk_str unit = {NULL, 0};
    if (!tk_scan_f64(&rest, &number) || !(number > 0) || number > 1e15)
        return false;
    (void)tk_str_take_until(&rest, '/', &unit);
    for (size_t i = 0; i < TK_COUNTOF(units); i++) {
        if (!tk_str_eq(unit, tk_str_from(units[i].name)))
            continue;
        double bytes = number * units[i].bytes;
        double *to = tk_str_eq(rest, TK_STR("trace"))  ? &ret_budget->trace_bytes
                     : tk_str_eq(rest, TK_STR("span")) ? &ret_budget->span_bytes
                     : rest.n == 0                     ? &ret_budget->bytes
                                                       : NULL;
        if (to)
            *to = bytes;
        return to != NULL;
    }
    return false;
}

/* What is told --------------------------------------------------------------------------------- */

static void warn_no_index(const struct tk_cmd *cmd, const char *path)
{
    (void)fprintf(stderr,
                  "tracekit %s: %s: has no index at its end: it was cut off, or is still being "
                  "written\n",
                  cmd->name, path);
}

void tk_tkz_warn(const struct tk_cmd *cmd, const char *path, const struct tk_codec_info *info)
{
    if (info->damaged_bytes > 0) {
        (void)fprintf(stderr, "tracekit %s: %s: %llu bytes are damaged and belong to no block\n",
                      cmd->name, path, (unsigned long long)info->damaged_bytes);
    }
    if (info->damaged_sections > 0) {
        (void)fprintf(stderr, "tracekit %s: %s: %llu section%s damaged or cut off\n", cmd->name,
                      path, (unsigned long long)info->damaged_sections,
                      info->damaged_sections == 1 ? " is" : "s are");
    }
    if (!info->closed)
        warn_no_index(cmd, path);
}

void tk_tkz_receipt(const char *path, const struct tk_codec_info *info)
{
    char traces[TK_HUMAN_MAX];
    char spans[TK_HUMAN_MAX];
    char bytes[TK_HUMAN_MAX];
    FILE *to = strcmp(path, "-") == 0 ? stderr : stdout;
    (void)fprintf(
        to, "→ %s: %s trace%s, %s span%s, %s", path, tk_count_format((int64_t)info->traces, traces),
        tk_count_ending((int64_t)info->traces), tk_count_format((int64_t)info->spans, spans),
        tk_count_ending((int64_t)info->spans), tk_bytes_format((double)info->bytes, bytes));
    if (info->spans > 0) {
        (void)fprintf(to, ": %.2f bytes a trace, %.2f a span",
                      (double)info->bytes / (double)info->traces,
                      (double)info->bytes / (double)info->spans);
    }
    (void)fputc('\n', to);
}

int tk_tkz_receipt_json(const char *path, const struct tk_codec_info *info, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, RECEIPT_MAX);
    tk_tkz_view_json(info, path, NULL, &out);
    int rc = tk_buf_check(&out, "receipt", err);
    if (rc == 0)
        (void)fwrite(out.p, 1, out.n, strcmp(path, "-") == 0 ? stderr : stdout);
    return rc;
}

void tk_tkz_warn_losses(const struct tk_cmd *cmd, const char *path,
                        const struct tk_codec_losses *losses)
{
    uint64_t sections = 0;
    for (size_t i = 0; i < TK_SECTION_COUNT; i++)
        sections += losses->damaged_sections[i];
    if (losses->cut)
        warn_no_index(cmd, path);
    if (!tk_codec_losses_any(losses))
        return;
    (void)fprintf(stderr,
                  "tracekit %s: %s: damaged: %llu block%s with %llu traces lost, %llu bytes of no "
                  "block, %llu section%s",
                  cmd->name, path, (unsigned long long)losses->lost_blocks,
                  losses->lost_blocks == 1 ? "" : "s", (unsigned long long)losses->lost_traces,
                  (unsigned long long)losses->damaged_bytes, (unsigned long long)sections,
                  sections == 1 ? "" : "s");
    if (losses->planes > 0 && losses->planes <= MAX_PLANES)
        (void)fprintf(stderr, "; times within %.3g %%", tk_codec_quality(losses->planes));
    (void)fprintf(stderr, "%s%s\n", losses->first[0] ? "; first: " : "", losses->first);
}

uint32_t tk_tkz_threads(int64_t wanted)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (wanted > 0)
        return (uint32_t)wanted;
    return cpus < 1 ? 1 : cpus > TK_TKZ_MAX_THREADS ? TK_TKZ_MAX_THREADS : (uint32_t)cpus;
}
