/* SPDX-License-Identifier: Apache-2.0 */
#include "run/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/human.h"
#include "run/import.h"
#include "run/parse_internal.h"
#include "run/verify.h"

#define REPORT     "audit_report.md"
#define REPORT_MAX ((size_t)16 << 20)

void tk_parse_say(struct tk_parse *parse, enum tk_parse_note note, const char *fmt, ...)
{
    char line[2 * PATH_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (parse->options->say)
        parse->options->say(parse->options->context, note, line);
}

/* Folders ------------------------------------------------------------------------------ */

static int open_below(const struct tk_parse *parse, const char *name, int *ret_fd,
                      struct tk_err *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", parse->target, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return tk_fail(err, -ENAMETOOLONG, "%s/%s: path too long", parse->target, name);
    int rc = tk_run_folder_make(path, err);
    if (rc < 0)
        return rc;
    tk_run_adopt_name(parse->out, name);
    return tk_dir_open(AT_FDCWD, path, ret_fd, err);
}

/* A folder with nothing of a run: we would only litter it. */
static bool is_foreign(const struct tk_parse *parse)
{
    if (faccessat(parse->in, "procmon.err", F_OK, 0) == 0)
        return false; /* a collector that got no further */
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        const char *name = tk_tables[i].raw;
        if (name && faccessat(parse->in, name, F_OK, 0) == 0)
            return false;
    }
    if (faccessat(parse->in, TK_RECORDING_FILE, F_OK, 0) == 0)
        return false;
    return !tk_import_has_run(parse->folder);
}

/* A part in the place of the whole would be taken for it. */
static int check_target(const struct tk_parse *parse, struct tk_err *err)
{
    struct stat in;
    struct stat out;
    if (!parse->options->range || fstat(parse->in, &in) < 0 || fstat(parse->out, &out) < 0 ||
        in.st_dev != out.st_dev || in.st_ino != out.st_ino)
        return 0;
    return tk_fail(err, -EINVAL, "%s: a part of the run takes another folder as output",
                   parse->target);
}

static int open_folders(struct tk_parse *parse, struct tk_err *err)
{
    int rc = tk_dir_open(AT_FDCWD, parse->folder, &parse->in, err);
    if (rc == 0 && is_foreign(parse)) {
        return tk_fail(err, -ENOENT,
                       "%s: nothing to parse: expected node_meta.json or a table of a run, such as "
                       "proc_metrics.jsonl",
                       parse->folder);
    }
    if (rc == 0 && parse->options->output)
        rc = tk_run_folder_make(parse->target, err);
    if (rc == 0)
        rc = tk_dir_open(AT_FDCWD, parse->target, &parse->out, err);
    if (rc == 0)
        rc = check_target(parse, err);
    if (rc == 0)
        rc = open_below(parse, "cctf", &parse->cctf, err);
    if (rc == 0 && parse->options->cts)
        rc = open_below(parse, "CTS", &parse->cts, err);
    return rc;
}

static void release(struct tk_parse *parse)
{
    tk_fd_close(&parse->in);
    tk_fd_close(&parse->out);
    tk_fd_close(&parse->cctf);
    tk_fd_close(&parse->cts);
    tk_batch_free(parse->node_meta);
    tk_batch_free(parse->link_meta);
    tk_batch_free(parse->run);
    tk_rawlog_free(parse->rawlog);
    tk_exits_release(&parse->exits);
}

/* Steps --------------------------------------------------------------------------------- */

static void say_client_events(struct tk_parse *parse)
{
    struct stat st;
    if (fstatat(parse->in, "events_client.jsonl", &st, 0) == 0) {
        tk_parse_say(parse, TK_PARSE_PROGRESS, "[parse] client events at → %s/events_client.jsonl",
                     parse->folder);
    } else {
        tk_parse_say(parse, TK_PARSE_PROGRESS, "[parse] client events at → N/A");
    }
}

/* What the recording lost is told once, not by each table that is read from it. */
static int note_recording(struct tk_parse *parse, struct tk_err *err)
{
    struct tk_recording_report report;
    char trouble[TK_RECORDING_TROUBLE_MAX];
    int rc = tk_recording_check(parse->in, &report, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    parse->result.bad_rows += report.lost_rows;
    parse->result.torn += report.torn;
    if (tk_recording_trouble_format(&report, trouble))
        tk_parse_say(parse, TK_PARSE_WARNING, "%s: %s", TK_RECORDING_FILE, trouble);
    return 0;
}

/* CTS/ holds an audit report: that of the run. */
static int write_audit(struct tk_parse *parse, struct tk_err *err)
{
    struct tk_verify_options options = {.folder = parse->target, .write_report = true};
    struct tk_verify_result result;
    if (parse->cts < 0)
        return 0;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, REPORT_MAX);
    int rc = tk_verify(&options, &result, err);
    if (rc == 0)
        rc = tk_file_load(parse->cctf, REPORT, &text, err);
    if (rc == 0)
        rc = tk_file_write(parse->cts, REPORT, tk_buf_str(&text), 0644, err);
    if (rc == 0)
        tk_run_adopt_name(parse->cts, REPORT);
    return rc;
}

static int run_steps(struct tk_parse *parse, struct tk_err *err)
{
    static int (*const steps[])(struct tk_parse * parse, struct tk_err * err) = {
        note_recording, tk_parse_meta,  tk_parse_events, tk_parse_hosts,
        tk_parse_procs, tk_parse_nodes, tk_parse_copies, write_audit,
    };
    for (size_t i = 0; i < TK_COUNTOF(steps); i++) {
        int rc = steps[i](parse, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* How much of the run the range was. */
static void say_range(struct tk_parse *parse)
{
    char rows[TK_HUMAN_MAX];
    char outside[TK_HUMAN_MAX];
    if (!parse->options->range)
        return;
    tk_parse_say(parse, TK_PARSE_PROGRESS, "[parse] in the range → %s rows; beside it %s were read",
                 tk_count_format((int64_t)parse->result.rows, rows),
                 tk_count_format((int64_t)parse->result.outside, outside));
    if (parse->result.rows == 0)
        tk_parse_say(parse, TK_PARSE_WARNING, "%s: no row lies in the range", parse->folder);
}

/* Artefacts ------------------------------------------------------------------------------- */

static int64_t count_lines(int dirfd, const char *name)
{
    char buf[65536];
    int64_t lines = 0;
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
    ssize_t got;
    while (fd >= 0 && (got = read(fd, buf, sizeof(buf))) > 0) {
        tk_str rest = {buf, (size_t)got};
        for (size_t at; (at = tk_str_find(rest, '\n')) < rest.n; lines++)
            rest = (tk_str){rest.p + at + 1, rest.n - at - 1};
    }
    return lines;
}

static void say_artefact(struct tk_parse *parse, const char *folder, const char *name, bool lines)
{
    char path[TK_SOURCE_MAX];
    char size[TK_HUMAN_MAX];
    char rows[TK_HUMAN_MAX];
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s%s", folder, name);
    if (fstatat(parse->out, path, &st, 0) < 0)
        return;
    (void)tk_bytes_format((double)st.st_size, size);
    if (lines) {
        tk_parse_say(parse, TK_PARSE_ARTEFACT, "  %-30s %12s rows %10s", path,
                     tk_count_format(count_lines(parse->out, path), rows), size);
    } else {
        tk_parse_say(parse, TK_PARSE_ARTEFACT, "  %-30s %12s      %10s", path, "", size);
    }
}

static void say_artefacts(struct tk_parse *parse)
{
    if (!parse->options->say)
        return;
    say_artefact(parse, "", "events.jsonl", true);
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        if (tk_tables[i].cctf)
            say_artefact(parse, "cctf/", tk_tables[i].cctf, tk_tables[i].layout == TK_LAYOUT_LINES);
    }
    if (parse->cts < 0)
        return;
    say_artefact(parse, "CTS/", tk_tables[TK_TABLE_INVOCATIONS].cctf, true);
    say_artefact(parse, "CTS/", tk_tables[TK_TABLE_PROC_METRICS].cctf, true);
    say_artefact(parse, "CTS/", tk_tables[TK_TABLE_NODES].cctf, false);
    say_artefact(parse, "CTS/", REPORT, false);
}

int tk_parse(const struct tk_parse_options *options, struct tk_parse_result *ret_result,
             struct tk_err *err)
{
    TK_CLEANUP(release)
    struct tk_parse parse = {.options = options,
                             .folder = options->folder,
                             .target = options->output ? options->output : options->folder,
                             .in = -1,
                             .out = -1,
                             .cctf = -1,
                             .cts = -1};
    int rc = open_folders(&parse, err);
    if (rc < 0)
        return rc;
    tk_str name = tk_run_path_name(tk_str_from(parse.folder));
    tk_parse_say(&parse, TK_PARSE_PROGRESS, "[parse] RUN_ID=%.*s", TK_STR_ARG(name));
    rc = run_steps(&parse, err);
    if (rc < 0)
        return rc;
    say_range(&parse);
    say_client_events(&parse);
    tk_parse_say(&parse, TK_PARSE_PROGRESS, "[parse] CCTF → %s/cctf", parse.target);
    tk_parse_say(&parse, TK_PARSE_PROGRESS, "module_inventory → %s/%s", parse.target,
                 tk_tables[TK_TABLE_MODULE_INVENTORY].raw);
    say_artefacts(&parse);
    *ret_result = parse.result;
    return 0;
}
