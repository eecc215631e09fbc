/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/human.h"
#include "base/json.h"
#include "cmd/cmd.h"
#include "cmd/identity.h"
#include "cmd/member.h"
#include "cmd/zone.h"
#include "run/lines.h"
#include "run/out.h"
#include "run/run.h"
#include "span/span.h"

#define BAD_SHOWN  10
#define STDOUT_MAX ((size_t)64 << 20)
#define JSON_MAX   ((size_t)64 << 10)
#define FOLLOW_NS  (200 * TK_NS_PER_MS)

struct adapt_opts {
    struct tk_opt_list inputs;
    const char *output;
    const char *run;
    const char *node, *stage, *host;
    const char *format, *trace_header, *delimiter, *tz;
    struct tk_opt_list maps;
    bool append, follow, json;
};

static const struct tk_opt options[] = {
    {"input", TK_OPT_LIST, offsetof(struct adapt_opts, inputs), "FILE",
     "the log, as FILE behind the format; - is standard input", .letter = 'i'},
    {"output", TK_OPT_STRING, offsetof(struct adapt_opts, output), "FILE",
     "file of the invocations, - = standard output (default events.FORMAT.jsonl of the run)",
     .letter = 'o'},
    {"run", TK_OPT_STRING, offsetof(struct adapt_opts, run), "RUN",
     "run folder, or its name in logs/ (default $RUN_ID, run_id.env, the last one)", .letter = 'r'},
    {"append", TK_OPT_FLAG, offsetof(struct adapt_opts, append), NULL,
     "add to the file instead of replacing it", .letter = 'a'},
    {"follow", TK_OPT_FLAG, offsetof(struct adapt_opts, follow), NULL,
     "go on as the log grows, until SIGINT or SIGTERM; appends", .letter = 'f'},
    {"node", TK_OPT_STRING, offsetof(struct adapt_opts, node), "NAME",
     "node label (default that of the run, else the host name)", .env = "NODE_ID"},
    {"stage", TK_OPT_STRING, offsetof(struct adapt_opts, stage), "NAME",
     "role of the node (default that of the run, else cloud)", .env = "STAGE"},
    {"host", TK_OPT_STRING, offsetof(struct adapt_opts, host), "NAME",
     "host name (default that of the run, else this host's)"},
    {"tz", TK_OPT_STRING, offsetof(struct adapt_opts, tz), "ZONE",
     "zone of times that have none, as +02:00 or Europe/Berlin (default UTC)"},
    {"format", TK_OPT_STRING, offsetof(struct adapt_opts, format), "TEXT",
     "nginx, envoy: log_format or format string of the log"},
    {"trace-header-name", TK_OPT_STRING, offsetof(struct adapt_opts, trace_header), "NAME",
     "nginx: header with the trace id (default X-Trace-Id)"},
    {"map", TK_OPT_LIST, offsetof(struct adapt_opts, maps), "FIELD=KEY[:UNIT]",
     "json, csv, jobs: which key or column tells a field, and in s, ms, us or ns; may be repeated",
     .letter = 'm'},
    {"delimiter", TK_OPT_STRING, offsetof(struct adapt_opts, delimiter), "CHAR",
     "csv, jobs: between columns (default the one of , ; tab | that the header has)"},
    {"json", TK_OPT_FLAG, offsetof(struct adapt_opts, json), NULL,
     "one JSON object instead of the report", .letter = 'j'},
    {0},
};

/* Signals end --follow in order. */
static volatile sig_atomic_t stopped;

struct job {
    const struct tk_cmd *cmd;
    const struct adapt_opts *opts;
    const struct tk_ingest *ingest;
    struct tk_identity identity;
    char file[PATH_MAX]; /* that is written; "-" = standard output */
    char made[PATH_MAX]; /* its folder, when we made it; "" = it was there */
    int dirfd;           /* owned: that folder; -1 = none */
    struct tk_adapt *adapt;
    const char *input; /* the present one, as messages name it */

    /* where the rows go: one of these */
    struct tk_out out;
    struct tk_run_writer *writer;
    struct tk_buf text; /* for standard output */
};

/* Where from and where to ------------------------------------------------------------------- */

/* Node, stage and host of the run, unless the user gives them. */
static void take_place(struct job *job)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *meta = NULL;
    struct tk_err ignored;
    struct tk_identity *identity = &job->identity;
    const struct adapt_opts *opts = job->opts;
    const struct {
        const char *given;
        size_t column;
        char *to;
        size_t cap;
    } labels[] = {
        {opts->node, TK_NODE_META_NODE, identity->node, sizeof(identity->node)},
        {opts->stage, TK_NODE_META_STAGE, identity->stage, sizeof(identity->stage)},
        {opts->host, TK_NODE_META_HOST, identity->host, sizeof(identity->host)},
    };
    if (opts->host)
        (void)tk_str_to_cstr(tk_str_from(opts->host), identity->host, sizeof(identity->host));
    if (job->dirfd < 0 ||
        tk_object_read(job->dirfd, "node_meta.json", &tk_schema_node_meta, &meta, &ignored) < 0)
        return;
    for (size_t i = 0; i < TK_COUNTOF(labels); i++) {
        tk_str text = tk_batch_text(meta, 0, labels[i].column);
        if (!labels[i].given && text.n > 0)
            (void)tk_str_to_cstr(text, labels[i].to, labels[i].cap);
    }
}

/* The folder of the run: one that is there, else the one to be made. */
static int find_run(const struct job *job, char ret_folder[PATH_MAX], struct tk_err *err)
{
    const char *run = job->opts->run;
    int rc = tk_run_path_resolve(run, ret_folder, PATH_MAX, err);
    if (rc != -ENOENT)
        return rc;
    if (!run) {
        (void)snprintf(ret_folder, PATH_MAX, "%s", job->identity.folder);
    } else if (strchr(run, '/')) {
        (void)snprintf(ret_folder, PATH_MAX, "%s", run);
    } else {
        (void)snprintf(ret_folder, PATH_MAX, "logs/%s", run);
    }
    return 0;
}

/* Set the file to write; with its folder in `folder`, and its name behind. */
static int find_output(struct job *job, char ret_folder[PATH_MAX], const char **ret_name,
                       struct tk_err *err)
{
    const char *output = job->opts->output;
    int n;
    if (output) {
        n = snprintf(job->file, sizeof(job->file), "%s", output);
        const char *slash = strrchr(job->file, '/');
        *ret_name = slash ? slash + 1 : job->file;
        (void)snprintf(ret_folder, PATH_MAX, "%.*s", slash ? (int)(slash - job->file) : 1,
                       !slash               ? "."
                       : slash == job->file ? "/"
                                            : job->file);
    } else {
        int rc = find_run(job, ret_folder, err);
        if (rc < 0)
            return rc;
        n = snprintf(job->file, sizeof(job->file), "%s/events.%s.jsonl", ret_folder,
                     job->ingest->name);
        *ret_name = strrchr(job->file, '/') + 1;
    }
    return n < (int)sizeof(job->file) ? 0 : tk_fail(err, -ENAMETOOLONG, "output: path too long");
}

static int take_to_out(void *context, enum tk_table table, const struct tk_batch *batch,
                       struct tk_err *err)
{
    struct job *job = context;
    (void)table;
    tk_out_put_rows(&job->out, batch);
    if (job->out.failure.code == 0)
        return 0;
    *err = job->out.failure;
    return err->code;
}

static int take_to_stdout(void *context, enum tk_table table, const struct tk_batch *batch,
                          struct tk_err *err)
{
    struct job *job = context;
    (void)table;
    tk_buf_reset(&job->text);
    tk_encoder_jsonl.batch(batch, &job->text);
    int rc = tk_buf_check(&job->text, "rows", err);
    return rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&job->text), "standard output", err);
}

static bool is_of_run(tk_str name)
{
    return tk_str_ends_with(name, TK_STR(".json")) || tk_str_ends_with(name, TK_STR(".jsonl")) ||
           tk_str_ends_with(name, TK_STR(".tkr")) || tk_str_ends_with(name, TK_STR(".log")) ||
           tk_str_eq(name, TK_STR("cctf"));
}

/* Rows go to a run or to a new or empty folder, not among files of something else. */
static int check_folder(const char *folder, struct tk_err *err)
{
    DIR *dir = opendir(folder);
    bool is_empty = true;
    bool is_run = false;
    while (dir && !is_run) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
        const struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        tk_str name = tk_str_from(entry->d_name);
        is_empty = is_empty && name.p[0] == '.';
        is_run = is_of_run(name);
    }
    if (dir)
        (void)closedir(dir);
    return is_empty || is_run ? 0 : tk_fail(err, -EEXIST, "%s: holds files, but is no run", folder);
}

static int open_output(struct job *job, struct tk_sink *ret_sink, struct tk_err *err)
{
    char folder[PATH_MAX];
    const char *name;
    tk_buf_init(&job->text, STDOUT_MAX);
    if (job->opts->output && strcmp(job->opts->output, "-") == 0) {
        (void)snprintf(job->file, sizeof(job->file), "-");
        *ret_sink = (struct tk_sink){take_to_stdout, job};
        return 0;
    }
    int rc = find_output(job, folder, &name, err);
    if (rc == 0 && !job->opts->output)
        rc = check_folder(folder, err);
    if (rc == 0 && access(folder, F_OK) < 0)
        (void)snprintf(job->made, sizeof(job->made), "%s", folder);
    if (rc == 0)
        rc = tk_run_folder_make(folder, err);
    if (rc == 0)
        rc = tk_dir_open(AT_FDCWD, folder, &job->dirfd, err);
    if (rc < 0)
        return rc;
    if (!job->opts->append && !job->opts->follow) {
        *ret_sink = (struct tk_sink){take_to_out, job};
        rc = tk_out_open(&job->out, job->dirfd, name, NULL, err);
        return rc < 0 ? tk_err_prefix(err, "%s", folder) : 0;
    }
    rc = tk_run_writer_new(folder, &job->writer, err);
    if (rc < 0)
        return rc;
    *ret_sink = tk_run_writer_sink(job->writer);
    rc = tk_run_writer_set_name(job->writer, TK_TABLE_INVOCATIONS, name, err);
    return rc < 0 ? tk_err_prefix(err, "%s", folder) : 0;
}

static int flush(struct job *job, struct tk_err *err)
{
    int rc = tk_adapt_flush(job->adapt, err);
    return rc == 0 && job->writer ? tk_run_writer_flush(job->writer, err) : rc;
}

static int close_output(struct job *job, struct tk_err *err)
{
    if (job->writer)
        return tk_run_writer_sync(job->writer, err);
    return job->out.fd >= 0 ? tk_out_close(&job->out, err) : 0;
}

/* Reading ------------------------------------------------------------------------------------ */

static void say_bad(void *context, uint64_t line, const char *why)
{
    const struct job *job = context;
    if (tk_adapt_stats(job->adapt)->bad > BAD_SHOWN)
        return;
    (void)fprintf(stderr, "tracekit %s: %s:%llu: %s\n", job->cmd->name, job->input,
                  (unsigned long long)line, why);
}

static int check_first(const struct job *job, tk_str line, struct tk_err *err)
{
    if (!tk_str_starts_with(line, TK_STR("\x1F\x8B")))
        return 0;
    return tk_fail(err, -EOPNOTSUPP, "%s is compressed: zcat %s | tracekit adapt %s -", job->input,
                   job->input, job->ingest->name);
}

/* All lines that are there now. */
static int read_lines(struct job *job, struct tk_lines *lines, struct tk_err *err)
{
    struct tk_line line;
    int rc = 0;
    while (!stopped && (rc = tk_lines_next(lines, &line, err)) == 0) {
        if (line.number == 1)
            rc = check_first(job, line.text, err);
        if (rc == 0 && line.too_long) {
            tk_adapt_add_bad(job->adapt, line.number, "the line is too long");
        } else if (rc == 0) {
            rc = tk_adapt_put(job->adapt, line.text, line.number, err);
        }
        if (rc < 0)
            return rc == -EINVAL ? tk_err_prefix(err, "%s", job->input) : rc;
        if (line.torn && line.number > 1 && !line.too_long) {
            (void)fprintf(stderr, "tracekit %s: %s:%llu: the last line has no end\n",
                          job->cmd->name, job->input, (unsigned long long)line.number);
        }
    }
    return rc < 0 ? rc : 0;
}

/* The log was moved away and made anew (a rotation), or cut. */
static bool is_replaced(const char *path, int fd)
{
    struct stat now;
    struct stat then;
    if (fstat(fd, &then) < 0 || !S_ISREG(then.st_mode) || stat(path, &now) < 0)
        return false;
    return now.st_ino != then.st_ino || now.st_dev != then.st_dev ||
           now.st_size < lseek(fd, 0, SEEK_CUR);
}

static int open_input(struct tk_lines *lines, const char *path, bool follow, struct tk_err *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return tk_fail_errno(err, "%s", is_stdin ? "standard input" : path);
    int rc = tk_lines_open_fd(lines, fd, path, err);
    lines->growing = rc == 0 && follow && !is_stdin;
    return rc;
}

static void rest(void)
{
    const struct timespec pause = {.tv_nsec = FOLLOW_NS};
    (void)nanosleep(&pause, NULL);
}

/* Until a signal comes. */
static int follow(struct job *job, struct tk_lines *lines, const char *path, struct tk_err *err)
{
    int rc = 0;
    while (rc == 0 && !stopped && lines->growing) {
        rc = read_lines(job, lines, err);
        if (rc == 0)
            rc = flush(job, err);
        rest();
        bool replaced = is_replaced(path, lines->fd);
        tk_lines_resume(lines);
        if (rc < 0 || !replaced)
            continue;
        lines->growing = false; /* the last line ends where the file does */
        rc = read_lines(job, lines, err);
        tk_lines_close(lines);
        tk_adapt_begin(job->adapt);
        if (rc == 0)
            rc = open_input(lines, path, true, err);
    }
    return rc;
}

static int read_input(struct job *job, const char *path, bool is_last, struct tk_err *err)
{
    struct tk_lines lines = {0};
    bool follows = job->opts->follow && is_last;
    job->input = strcmp(path, "-") == 0 ? "standard input" : path;
    int rc = open_input(&lines, path, follows, err);
    if (rc < 0)
        return rc;
    tk_adapt_begin(job->adapt);
    if (follows)
        rc = follow(job, &lines, path, err);
    if (rc == 0 && !stopped)
        rc = read_lines(job, &lines, err);
    if (rc == 0)
        rc = tk_adapt_end(job->adapt, err);
    tk_lines_close(&lines);
    return rc;
}

/* The report --------------------------------------------------------------------------------- */

static void show_rest(const struct job *job)
{
    const struct tk_adapt_stats *stats = tk_adapt_stats(job->adapt);
    uint64_t open = tk_adapt_count_open(job->adapt);
    if (stats->bad > BAD_SHOWN) {
        (void)fprintf(stderr, "tracekit %s: %llu more bad lines\n", job->cmd->name,
                      (unsigned long long)(stats->bad - BAD_SHOWN));
    }
    if (stats->rows == 0 && stats->bad > 0 && job->ingest->has_format && !job->opts->format) {
        (void)fprintf(stderr,
                      "tracekit %s: no line is as expected of %s: give its format by --format\n",
                      job->cmd->name, job->ingest->name);
    }
    if (stats->passed > 0) {
        (void)fprintf(
            stderr, "tracekit %s: records passed over (jobs without an end, parts of jobs): %llu\n",
            job->cmd->name, (unsigned long long)stats->passed);
    }
    if (open > 0) {
        (void)fprintf(stderr, "tracekit %s: tasks without an end in the log: %llu\n",
                      job->cmd->name, (unsigned long long)open);
    }
}

static void show(const struct job *job)
{
    const struct tk_adapt_stats *stats = tk_adapt_stats(job->adapt);
    FILE *to = strcmp(job->file, "-") == 0 ? stderr : stdout;
    char rows[TK_HUMAN_MAX];
    char lines[TK_HUMAN_MAX];
    char bad[TK_HUMAN_MAX];
    show_rest(job);
    if (!job->opts->json) {
        (void)fprintf(to, "invocations → %s: %s rows from %s lines, %s bad\n",
                      to == stderr ? "standard output" : job->file,
                      tk_count_format((int64_t)stats->rows, rows),
                      tk_count_format((int64_t)stats->lines, lines),
                      tk_count_format((int64_t)stats->bad, bad));
        return;
    }
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, JSON_MAX);
    tk_buf_putc(&out, '{');
    tk_member_put_text(&out, "format", tk_str_from(job->ingest->name));
    tk_member_put_text(&out, "output", tk_str_from(job->file));
    tk_member_put_i64(&out, "lines", (int64_t)stats->lines);
    tk_member_put_i64(&out, "rows", (int64_t)stats->rows);
    tk_member_put_i64(&out, "bad", (int64_t)stats->bad);
    tk_member_put_i64(&out, "passed_over", (int64_t)stats->passed);
    tk_member_put_i64(&out, "without_end", (int64_t)tk_adapt_count_open(job->adapt));
    tk_buf_lit(&out, "}\n");
    (void)fwrite(out.p, 1, out.n, to);
}

/* The command -------------------------------------------------------------------------------- */

static void on_signal(int signal)
{
    (void)signal;
    stopped = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static int start(struct job *job, struct tk_err *err)
{
    struct tk_sink sink = {0};
    const struct adapt_opts *opts = job->opts;
    const struct tk_identity *identity = &job->identity;
    int rc = open_output(job, &sink, err);
    if (rc < 0)
        return rc;
    take_place(job);
    char delimiter = '\0';
    if (opts->delimiter)
        delimiter = *opts->delimiter;
    const struct tk_adapt_options adapt = {
        .ingest = job->ingest,
        .format = {.format = opts->format,
                   .trace_header = opts->trace_header,
                   .maps = opts->maps.items,
                   .map_count = opts->maps.count,
                   .delimiter = delimiter},
        .place = {tk_str_from(identity->node), tk_str_from(identity->stage),
                  tk_str_from(identity->host)},
        .local_time = opts->tz != NULL,
        .bad = say_bad,
        .context = job,
    };
    return tk_adapt_new(&adapt, sink, &job->adapt, err);
}

static int read_inputs(struct job *job, char **paths, size_t count, struct tk_err *err)
{
    const struct tk_opt_list *given = &job->opts->inputs;
    size_t total = given->count + count;
    int rc = total == 0 ? read_input(job, "-", true, err) : 0;
    for (size_t i = 0; i < total && rc == 0 && !stopped; i++) {
        const char *path = i < given->count ? given->items[i] : paths[i - given->count];
        rc = read_input(job, path, i + 1 == total, err);
    }
    return rc;
}

/* Each input can be read, as far as one can tell before: no folder is made for nothing. */
static int check_inputs(const struct job *job, char **paths, size_t count, struct tk_err *err)
{
    const struct tk_opt_list *given = &job->opts->inputs;
    for (size_t i = 0; i < given->count + count; i++) {
        const char *path = i < given->count ? given->items[i] : paths[i - given->count];
        struct stat status;
        if (strcmp(path, "-") == 0)
            continue;
        if (stat(path, &status) < 0 || faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0)
            return tk_fail_errno(err, "%s", path);
        if (S_ISDIR(status.st_mode))
            return tk_fail(err, -EISDIR, "%s: is a folder, expected a log", path);
    }
    return 0;
}

static int adapt(struct job *job, char **paths, size_t count)
{
    struct tk_err err;
    int rc = check_inputs(job, paths, count, &err);
    if (rc == 0)
        rc = start(job, &err);
    if (rc == 0)
        rc = read_inputs(job, paths, count, &err);
    if (rc == 0)
        rc = close_output(job, &err);
    if (rc == -EINVAL && !job->adapt)
        return tk_cmd_usage(job->cmd, "%s", err.msg);
    if (rc < 0) {
        /* Of a folder that was made for nothing, nothing is left. */
        tk_out_release(&job->out);
        if (*job->made)
            (void)rmdir(job->made);
        return tk_cmd_fail(job->cmd, &err);
    }
    show(job);
    const struct tk_adapt_stats *stats = tk_adapt_stats(job->adapt);
    return stats->rows == 0 && stats->bad > 0 ? TK_EXIT_FAILED : TK_EXIT_OK;
}

static void release(struct job *job)
{
    tk_adapt_free(job->adapt);
    tk_out_release(&job->out);
    tk_fd_close(&job->dirfd);
    tk_run_writer_free(job->writer);
    tk_buf_release(&job->text);
}

/* An option that the format would not obey is an error, not ignored. */
static const char *unused_option(const struct adapt_opts *opts, const struct tk_ingest *ingest)
{
    if (opts->format && !ingest->has_format)
        return "--format";
    if (opts->trace_header && ingest != &tk_ingest_nginx)
        return "--trace-header-name";
    if (opts->maps.count > 0 && !ingest->has_maps)
        return "--map";
    return opts->delimiter && !ingest->has_delimiter ? "--delimiter" : NULL;
}

static int check(const struct tk_cmd *cmd, const struct adapt_opts *opts,
                 const struct tk_ingest *ingest, bool has_input)
{
    struct tk_err err;
    const char *unused = unused_option(opts, ingest);
    if (unused)
        return tk_cmd_usage(cmd, "%s is of no use for %s", unused, ingest->name);
    if (opts->output && opts->run)
        return tk_cmd_usage(cmd, "--output and --run exclude each other");
    if (opts->delimiter && strlen(opts->delimiter) != 1)
        return tk_cmd_usage(cmd, "option '--delimiter': expected one character");
    if (opts->tz && tk_zone_set(opts->tz, &err) < 0)
        return tk_cmd_usage(cmd, "option '--tz': %s", err.msg);
    if (!has_input && isatty(STDIN_FILENO))
        return tk_cmd_usage(cmd, "the log to read is missing (- is standard input)");
    return TK_EXIT_OK;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct adapt_opts opts = {0};
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    const struct tk_ingest *ingest = tk_ingest_find(argv[first]);
    if (!ingest)
        return tk_cmd_refuse(cmd, argv[first]);
    first++;
    int status = check(cmd, &opts, ingest, first < argc || opts.inputs.count > 0);
    if (status != TK_EXIT_OK)
        return status;
    struct job job = {.cmd = cmd, .opts = &opts, .ingest = ingest, .dirfd = -1, .out = TK_OUT_NONE};
    if (tk_identity_resolve(&(struct tk_identity_options){.node = opts.node, .stage = opts.stage},
                            &job.identity, &err) < 0)
        return tk_cmd_usage(cmd, "%s", err.msg);
    if (opts.follow)
        catch_signals();
    status = adapt(&job, argv + first, (size_t)(argc - first));
    release(&job);
    return status;
}

static const char *const formats[] = {"nginx", "envoy", "json", "csv", "jobs", NULL};

const struct tk_cmd tk_cmd_adapt = {
    .name = "adapt",
    .args = "nginx|envoy|json|csv|jobs [FILE...]",
    .missing = "expected a format: nginx, envoy, json, csv, jobs",
    .help = "turn access logs and job exports into invocations of a run",
    .about = "Every line that cannot be read is counted, and the first ones are told.\n"
             "\n"
             "  tracekit adapt nginx /var/log/nginx/access.log\n"
             "  tracekit adapt nginx --format '$msec $request_time \"$request\" $pid' - <log\n"
             "  tracekit adapt json --map ts_end=time:s --map service=took:us app.log\n"
             "  sacct -P -o JobID,User,Submit,Start,End,ExitCode | tracekit adapt jobs -",
    .options = options,
    .verbs = formats,
    .reads_run_env = true,
    .mixed = true,
    .run = run,
};
