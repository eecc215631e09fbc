/* SPDX-License-Identifier: Apache-2.0 */
/* `tracekit step`: each verb is a process of its own and finds its job on disk. Trouble of ours is
 * one line on stderr and never fails a build: all verbs return 0, but for wrong usage. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/nearest.h"
#include "base/number.h"
#include "cmd/build_store.h"
#include "cmd/cmd.h"
#include "cmd/step_import.h"
#include "cmd/step_packer.h"
#include "cmd/step_print.h"
#include "cmd/step_session.h"
#include "cmd/step_trace.h"
#include "step/diagnosis.h"
#include "step/marked.h"
#include "step/recover.h"
#include "step/watch.h"

#define OUT_MAX ((size_t)4 * 1024 * 1024)

struct step_opts {
    const char *kind;
    bool json, push;
    struct tk_opt_list attrs;
};

static const struct tk_opt options[] = {
    {"attr", TK_OPT_LIST, offsetof(struct step_opts, attrs), "NAME=VALUE",
     "start: something to know about the step (repeatable)"},
    {"json", TK_OPT_FLAG, offsetof(struct step_opts, json), NULL,
     "summary: the document of the job so far", .letter = 'j'},
    {"push", TK_OPT_FLAG, offsetof(struct step_opts, push), NULL,
     "finalize: put the document into the store of $TRACEKIT_STORE, MINIO_* or AWS_*"},
    {0},
};

/* One call. */
struct call {
    const struct tk_cmd *cmd;
    const struct step_opts *opts;
    int argc; /* arguments of the verb */
    char **argv;
    struct tk_step_env env;
    struct tk_session *session;
    struct tk_look look;
};

static int warn(const struct call *call, const struct tk_err *err)
{
    (void)fprintf(stderr, "tracekit %s: %s\n", call->cmd->name, err->msg);
    return TK_EXIT_OK;
}

static void print(const struct tk_buf *out, int fd)
{
    struct tk_err ignored;
    if (tk_buf_ok(out))
        (void)!tk_fd_write(fd, tk_buf_str(out), "output", &ignored);
}

/* Our parent: the shell that calls the function, or the process that runs us. */
static pid_t shell(void)
{
    return getppid();
}

/* Jobs ------------------------------------------------------------------------------- */

/* The job of this run of a CI service, begun by an earlier shell. */
static bool pick_up(struct call *call)
{
    struct tk_err ignored;
    if (!call->env.run[0] || tk_session_find(call->session, &ignored) < 0)
        return false;
    const struct tk_step_record *init =
        tk_journal_get(tk_session_journal(call->session), TK_STEP_INIT);
    return tk_str_eq(init->job.job, tk_str_from(call->argv[0]));
}

static int verb_init(struct call *call)
{
    struct tk_job job;
    struct tk_err err;
    char file[PATH_MAX];
    call->env.state.job = NULL; /* of a job before this one */
    struct tk_state *state = tk_session_state(call->session);
    if (!pick_up(call)) {
        tk_fd_close(&state->job_fd);
        tk_step_env_job(&job, call->argv[0], call->argc > 1 ? call->argv[1] : "",
                        tk_session_arena(call->session));
        tk_step_trace_begin(&job.trace, tk_session_arena(call->session));
        if (tk_session_begin(call->session, &job, false, &err) < 0)
            return warn(call, &err);
        (void)fflush(stdout);
        if (tk_watch_start(call->session, &err) < 0)
            (void)warn(call, &err);
    }
    tk_state_file(state, file);
    tk_step_env_tell(file);
    (void)printf("%s/%s\n", state->folder, state->job);
    return TK_EXIT_OK;
}

static int verb_file(struct call *call)
{
    struct tk_err err;
    char file[PATH_MAX];
    int rc = tk_session_find(call->session, &err);
    if (rc < 0 && rc != -EALREADY)
        return warn(call, &err);
    tk_state_file(tk_session_state(call->session), file);
    (void)puts(file);
    return TK_EXIT_OK;
}

static int verb_summary(struct call *call)
{
    struct tk_err err;
    struct tk_job job;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, TK_JOB_TEXT_MAX);
    if (tk_session_find(call->session, &err) < 0 || tk_session_build(call->session, &job, &err) < 0)
        return warn(call, &err);
    if (call->opts->json) {
        tk_job_format(&job, TK_SHORTEST, &out);
    } else {
        tk_step_put_table(&out, &call->look, &job);
    }
    print(&out, STDOUT_FILENO);
    return TK_EXIT_OK;
}

static int put_document(struct tk_store *store, const struct tk_job *job, const char *file,
                        struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TK_JOB_TEXT_MAX);
    int rc = tk_file_load(AT_FDCWD, file, &text, err);
    rc = rc < 0 ? rc : tk_build_store_put(store, job, tk_buf_str(&text), err);
    return rc < 0 ? rc : tk_build_store_put_steps(store, job, file, err);
}

/* A build does not fail because its telemetry could not leave: the document stays where it is. */
static void push(const struct call *call, const struct tk_job *job, const char *file)
{
    struct tk_err err;
    struct tk_store *store = NULL;
    int rc = tk_build_store_open(NULL, false, &store, &err);
    if (rc == 1) {
        rc = tk_fail(&err, -EINVAL,
                     "--push: no store: set TRACEKIT_STORE, or MINIO_ACCESS_KEY, "
                     "MINIO_SECRET_KEY and MINIO_ENDPOINT");
    }
    if (rc == 0)
        rc = put_document(store, job, file, &err);
    if (rc >= 0) {
        (void)printf("telemetry: %s\n", tk_store_address(store));
    } else {
        if (getenv("GITHUB_ACTIONS")) /* NOLINT(concurrency-mt-unsafe): one thread */
            (void)printf("::warning::tracekit step finalize: %s\n", err.msg);
        (void)warn(call, &err);
    }
    tk_store_close(store);
}

static int verb_finalize(struct call *call)
{
    struct tk_err err;
    struct tk_job job;
    char file[PATH_MAX];
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    if (tk_session_find(call->session, &err) < 0 ||
        tk_session_build(call->session, &job, &err) < 0 ||
        tk_diagnosis_add(&(struct tk_diagnosis_options){0}, &job, tk_session_arena(call->session),
                         &err) < 0 ||
        tk_session_finalize(call->session, &job, &err) < 0)
        return warn(call, &err);
    tk_state_file(tk_session_state(call->session), file);
    tk_step_put_summary(&out, &call->look, &job);
    tk_buf_printf(&out, "telemetry: %s\n", file);
    print(&out, STDOUT_FILENO);
    if (call->opts->push)
        push(call, &job, file);
    return TK_EXIT_OK;
}

/* Steps ------------------------------------------------------------------------------ */

/* Within a virtual machine nobody begins a job: the host has it. */
static int find_or_begin(struct call *call, struct tk_err *err)
{
    struct tk_job job;
    int rc = tk_session_find(call->session, err);
    if (!call->env.in_vm || (rc != -ENOENT && rc != -EALREADY))
        return rc;
    tk_fd_close(&tk_session_state(call->session)->job_fd);
    tk_step_env_job(&job, "vm", "", tk_session_arena(call->session));
    tk_step_trace_begin(&job.trace, tk_session_arena(call->session));
    return tk_session_begin(call->session, &job, false, err);
}

static void print_marked(const struct tk_step_record *record)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    tk_marked_put(record, &out);
    print(&out, STDOUT_FILENO);
}

static void mark_start(struct call *call, tk_str span)
{
    struct tk_err ignored;
    if (tk_session_find(call->session, &ignored) < 0)
        return;
    const struct tk_step_span *started = tk_step_spans_get(tk_session_spans(call->session), span);
    if (started)
        print_marked(started->start);
}

static void mark_end(tk_str span, const struct tk_job_step *step)
{
    struct tk_step_record record;
    tk_step_record_init(&record, TK_STEP_END, span);
    record.step = *step;
    print_marked(&record);
}

static int verb_start(struct call *call)
{
    struct tk_err err;
    char span[TK_STEP_SPAN_MAX];
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    const char *parent = getenv("TRACEKIT_SPAN");
    struct tk_session_step wanted = {.name = tk_str_from(call->argv[0]),
                                     .kind = "shell",
                                     .owner = shell(),
                                     .parent = parent,
                                     .move_owner = true};
    if (!tk_step_take_attrs(&call->opts->attrs, &wanted.attrs, tk_session_arena(call->session)))
        return tk_cmd_usage(call->cmd, "option '--attr': expected NAME=VALUE");
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    if (call->env.verbose) {
        tk_step_put_start(&out, &call->look, wanted.name, tk_clock_real_ns());
        print(&out, STDERR_FILENO);
    }
    int rc = find_or_begin(call, &err);
    if (rc == 0) {
        struct tk_child_context unused;
        (void)tk_step_trace_next(call->session, &wanted.trace, &unused);
        rc = tk_session_start(call->session, &wanted, span, &err);
    }
    if (rc < 0)
        return warn(call, &err);
    if (call->env.in_vm)
        mark_start(call, tk_str_from(span));
    return TK_EXIT_OK;
}

/* "0", "3", "success", "failure": an exit status, or a word. */
static void take_status(const char *text, struct tk_job_step *step)
{
    int64_t code = 0;
    bool number = !text || tk_parse_i64(tk_str_from(text), &code);
    bool good = number ? code == 0
                       : strcmp(text, "success") == 0 || strcmp(text, "ok") == 0 ||
                             strcmp(text, "passed") == 0;
    step->status = good ? TK_STR(TK_JOB_SUCCESS) : TK_STR(TK_JOB_FAILED);
    if (number && text)
        step->exit_code = code;
}

/* What the step was, in a line or a block. */
static void tell_end(struct call *call, tk_str span)
{
    struct tk_err ignored;
    struct tk_job_step step;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    if (tk_session_build_step(call->session, span, &step, &ignored) < 0)
        return;
    if (call->env.verbose) {
        tk_step_put_end(&out, &call->look, &step);
    } else {
        tk_step_put_line(&out, &call->look, &step);
    }
    print(&out, STDERR_FILENO);
    if (call->env.in_vm)
        mark_end(span, &step);
}

static int verb_end(struct call *call)
{
    struct tk_err err;
    struct tk_job_step known;
    char span[TK_STEP_SPAN_MAX];
    tk_str name = tk_str_from(call->argv[0]);
    tk_job_shape_init(&tk_job_step_shape, &known);
    take_status(call->argc > 1 ? call->argv[1] : NULL, &known);
    if (tk_session_find_alone(call->session, &err) < 0)
        return warn(call, &err);
    const struct tk_step_span *open =
        tk_step_spans_last_open(tk_session_spans(call->session), name);
    if (open)
        (void)tk_str_to_cstr(open->start->span, span, sizeof(span));
    if (tk_session_end(call->session, name, shell(), &known, &err) < 0)
        return warn(call, &err);
    tell_end(call, tk_str_from(span));
    return TK_EXIT_OK;
}

/* Notes ------------------------------------------------------------------------------ */

/* A note on the step that is open. */
static int add_note(struct call *call, struct tk_step_record *note)
{
    struct tk_err err;
    if (tk_session_append(call->session, note, &err) < 0)
        return warn(call, &err);
    return TK_EXIT_OK;
}

static int begin_note(struct call *call, struct tk_step_record *note, struct tk_err *err)
{
    int rc = tk_session_find(call->session, err);
    if (rc < 0)
        return rc;
    const struct tk_step_span *open =
        tk_step_spans_last_open(tk_session_spans(call->session), (tk_str){0});
    tk_step_record_init(note, TK_STEP_NOTE, open ? open->start->span : TK_STR(""));
    return 0;
}

static int verb_mark(struct call *call)
{
    struct tk_err err;
    struct tk_step_record note;
    if (begin_note(call, &note, &err) < 0)
        return warn(call, &err);
    struct tk_job_mark *mark =
        tk_job_add(&tk_job_mark_shape, &note.step.marks, tk_session_arena(call->session));
    if (mark) {
        mark->time = (double)note.real_ns / (double)TK_NS_PER_S;
        mark->text = tk_str_from(call->argv[0]);
    }
    return add_note(call, &note);
}

/* "image_bytes=123 [UNIT]": a unit becomes the end of the name. */
static int verb_measure(struct call *call)
{
    struct tk_err err;
    struct tk_step_record note;
    char name[256];
    tk_str text = tk_str_from(call->argv[0]);
    size_t equals = tk_str_find(text, '=');
    double value;
    if (equals == text.n || equals == 0 ||
        !tk_parse_f64((tk_str){text.p + equals + 1, text.n - equals - 1}, &value))
        return tk_cmd_usage(call->cmd, "'%s': expected NAME=NUMBER", call->argv[0]);
    (void)snprintf(name, sizeof(name), "%.*s%s%s", (int)equals, text.p, call->argc > 1 ? "_" : "",
                   call->argc > 1 ? call->argv[1] : "");
    if (begin_note(call, &note, &err) < 0)
        return warn(call, &err);
    (void)!tk_job_add_measure(&note.step.measures, tk_str_from(name), value,
                              tk_session_arena(call->session));
    return add_note(call, &note);
}

static int verb_artifact(struct call *call)
{
    struct tk_err err;
    struct tk_step_record note;
    struct stat st;
    if (stat(call->argv[0], &st) < 0) {
        (void)tk_fail_errno(&err, "%s", call->argv[0]);
        return warn(call, &err);
    }
    if (begin_note(call, &note, &err) < 0)
        return warn(call, &err);
    struct tk_job_artifact *artifact =
        tk_job_add(&tk_job_artifact_shape, &note.job.artifacts, tk_session_arena(call->session));
    if (artifact) {
        artifact->path = tk_str_from(call->argv[0]);
        artifact->mb = (double)st.st_size / (1024.0 * 1024.0);
    }
    return add_note(call, &note);
}

/* The last open step goes on in another process: the watcher looks after that one. */
static int verb_attach(struct call *call)
{
    struct tk_err err;
    int64_t pid;
    char span[TK_STEP_SPAN_MAX];
    if (!tk_parse_i64(tk_str_from(call->argv[0]), &pid) || pid < 2 || pid > INT32_MAX)
        return tk_cmd_usage(call->cmd, "'%s' is no process", call->argv[0]);
    const struct tk_session_step wanted = {
        .name = tk_str_from(call->argc > 1 ? call->argv[1] : call->argv[0]),
        .kind = "attach",
        .owner = (pid_t)pid,
        .move_owner = true};
    if (tk_session_find(call->session, &err) < 0 ||
        tk_session_start(call->session, &wanted, span, &err) < 0)
        return warn(call, &err);
    return TK_EXIT_OK;
}

/* What others measured --------------------------------------------------------------- */

static int verb_import(struct call *call)
{
    struct tk_err err;
    size_t count = 0;
    const struct tk_import_format *format = tk_import_formats;
    while (format->name && strcmp(format->name, call->argv[0]) != 0)
        format++;
    if (!format->name) {
        return tk_cmd_usage(call->cmd, "import: '%s' is neither ninja_log, buildkit nor github",
                            call->argv[0]);
    }
    if (tk_session_find(call->session, &err) < 0 ||
        tk_step_import(call->session, format, call->argv[1], &count, &err) < 0)
        return warn(call, &err);
    (void)printf("telemetry: %zu step%s of %s\n", count, count == 1 ? "" : "s", call->argv[1]);
    return TK_EXIT_OK;
}

/* Packer ----------------------------------------------------------------------------- */

/* A log; without a path standard input. */
static int open_log(const char *path, int *ret_fd, struct tk_err *err)
{
    struct stat status;
    const char *name = path ? path : "stdin";
    TK_CLEANUP(tk_fd_close)
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC)
                  : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (fd < 0 || fstat(fd, &status) < 0)
        return tk_fail_errno(err, "%s", name);
    if (S_ISDIR(status.st_mode))
        return tk_fail(err, -EISDIR, "%s: is a folder, expected a log", name);
    *ret_fd = tk_fd_take(&fd);
    return 0;
}

static int verb_ingest(struct call *call)
{
    struct tk_err err;
    TK_CLEANUP(tk_fd_close) int fd = -1;
    int rc = tk_session_find(call->session, &err);
    rc = rc < 0 ? rc : open_log(call->argc > 0 ? call->argv[0] : NULL, &fd, &err);
    rc = rc < 0 ? rc : tk_packer_ingest(call->session, fd, &err);
    return rc < 0 ? warn(call, &err) : TK_EXIT_OK;
}

static int verb_packer_clean(struct call *call)
{
    if (!call->env.in_vm) {
        return tk_cmd_usage(call->cmd,
                            "packer-clean: this is no virtual machine that Packer builds "
                            "(neither PACKER_BUILD_NAME nor TRACEKIT_STORE=stdout is set)");
    }
    tk_packer_clean(tk_session_state(call->session)->folder, call->argv, call->argc);
    return TK_EXIT_OK;
}

/* The command ------------------------------------------------------------------------ */

static const struct {
    const char *name;
    int (*run)(struct call *call);
    int least, most;
    const char *expected;
} verbs[] = {
    {"init", verb_init, 1, 2, "JOB [VERSION]"},
    {"start", verb_start, 1, 1, "NAME"},
    {"end", verb_end, 1, 2, "NAME [STATUS]"},
    {"finalize", verb_finalize, 0, 0, "no argument"},
    {"file", verb_file, 0, 0, "no argument"},
    {"summary", verb_summary, 0, 0, "no argument"},
    {"mark", verb_mark, 1, 1, "TEXT"},
    {"measure", verb_measure, 1, 2, "NAME=NUMBER [UNIT]"},
    {"artifact", verb_artifact, 1, 1, "FILE"},
    {"attach", verb_attach, 1, 2, "PID [NAME]"},
    {"import", verb_import, 2, 2, "ninja_log, buildkit or github, and a FILE"},
    {"ingest", verb_ingest, 0, 1, "[FILE]"},
    {"packer-clean", verb_packer_clean, 0, INT_MAX, "[FILE...]"},
};

static const char *const verb_names[] = {"init",    "start",        "end",     "finalize", "file",
                                         "summary", "mark",         "measure", "artifact", "attach",
                                         "ingest",  "packer-clean", "packer",  NULL};

static int run_verb(struct call *call, size_t verb)
{
    struct tk_err err;
    if (call->argc < verbs[verb].least || call->argc > verbs[verb].most)
        return tk_cmd_usage(call->cmd, "%s: expected %s", verbs[verb].name, verbs[verb].expected);
    tk_step_env_read(&call->env);
    if (tk_session_open(&call->env.state, &call->session, &err) < 0)
        return warn(call, &err);
    (void)tk_jobs_recover(tk_session_state(call->session)->folder);
    tk_look_init(&call->look,
                 strcmp(verbs[verb].name, "start") == 0 || strcmp(verbs[verb].name, "end") == 0
                     ? STDERR_FILENO
                     : STDOUT_FILENO);
    int status = verbs[verb].run(call);
    tk_look_release(&call->look);
    tk_session_free(call->session);
    return status;
}

static int unknown_verb(const struct tk_cmd *cmd, const char *given)
{
    const char *names[TK_COUNTOF(verbs)];
    for (size_t i = 0; i < TK_COUNTOF(verbs); i++)
        names[i] = verbs[i].name;
    const char *meant = tk_nearest_find(given, names, TK_COUNTOF(names));
    return tk_cmd_usage(cmd, "'%s' is no verb of step%s%s%s", given,
                        meant ? ": did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct step_opts opts = {.json = false};
    if (argc < 2 || argv[1][0] == '-') {
        int first = tk_cmd_begin(cmd, &opts, argc, argv);
        return first <= 0 ? -first : tk_cmd_usage(cmd, "expected a verb, such as start");
    }
    for (size_t i = 0; i < TK_COUNTOF(verbs); i++) {
        if (strcmp(verbs[i].name, argv[1]) != 0)
            continue;
        int first = tk_cmd_begin(cmd, &opts, argc - 1, argv + 1);
        if (first <= 0)
            return -first;
        struct call call = {
            .cmd = cmd, .opts = &opts, .argc = argc - 1 - first, .argv = argv + 1 + first};
        return run_verb(&call, i);
    }
    bool is_packer = strcmp(argv[1], "packer") == 0;
    if (argc > 3 && strcmp(argv[2], "--") == 0)
        return tk_exec_command(cmd, argv[1], is_packer, argv + 3);
    if (is_packer)
        return tk_cmd_usage(cmd, "packer: expected -- and the command to run");
    return unknown_verb(cmd, argv[1]);
}

const struct tk_cmd tk_cmd_step = {
    .name = "step",
    .args = "VERB [options] [ARG...]",
    .help = "record the steps of a build, from any number of shells",
    .about = "  tracekit step init JOB [VERSION]    begin a job, print the folder of its state\n"
             "  tracekit step start NAME            begin a step, in this or another shell\n"
             "  tracekit step end NAME [STATUS]     end the last open step of that name\n"
             "  tracekit step finalize              write the document of the job, tell of it\n"
             "  tracekit step file                  print the path of that document\n"
             "  tracekit step summary               print a table of the steps so far\n"
             "  tracekit step mark TEXT             note a moment in the open step\n"
             "  tracekit step measure NAME=NUMBER   note a figure of the open step\n"
             "  tracekit step artifact FILE         note a file that the job made\n"
             "  tracekit step attach PID [NAME]     a step that lasts as long as a process\n"
             "  tracekit step NAME -- CMD [ARG...]  as tracekit exec -n NAME\n"
             "  tracekit step packer -- CMD [ARG..] likewise, and a step for what Packer does\n"
             "  tracekit step ingest [FILE]         the same from a log, which is passed on\n"
             "  tracekit step packer-clean [FILE..] remove what would stay in the machine\n"
             "\n"
             "Shell functions that call these are in telemetry.sh.",
    .options = options,
    .verbs = verb_names,
    .run = run,
};
