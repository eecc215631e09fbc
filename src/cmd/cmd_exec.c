/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/invocation.h"
#include "cmd/step_packer.h"
#include "cmd/step_print.h"
#include "cmd/step_session.h"
#include "cmd/step_trace.h"
#include "run/redact.h"
#include "step/exec.h"
#include "step/recover.h"

#define OUT_MAX ((size_t)1024 * 1024)

enum {
    EXIT_TIMED_OUT = 124, /* as timeout(1) */
};

struct exec_opts {
    const char *name;
    int64_t timeout_ns;
    struct tk_opt_list attrs;
    const char *also;
    bool record_args;
    bool kill_leftovers;
    bool is_packer; /* its output is a log of Packer */
};

static const struct tk_opt options[] = {
    {"name", TK_OPT_STRING, offsetof(struct exec_opts, name), "NAME",
     "name of the step (default the program's)", .letter = 'n'},
    {"timeout", TK_OPT_DURATION, offsetof(struct exec_opts, timeout_ns), "TIME",
     "end the command after that: SIGTERM, SIGKILL 5 s later", .letter = 't', .needs_unit = true},
    {"attr", TK_OPT_LIST, offsetof(struct exec_opts, attrs), "NAME=VALUE",
     "something to know about the step (repeatable)"},
    {"also", TK_OPT_STRING, offsetof(struct exec_opts, also), "UNIT,...",
     "tell what these control groups use meanwhile: units of systemd, or paths"},
    {"record-args", TK_OPT_FLAG, offsetof(struct exec_opts, record_args), NULL,
     "record the arguments of the command, without what looks like a secret"},
    {"kill-leftovers", TK_OPT_FLAG, offsetof(struct exec_opts, kill_leftovers), NULL,
     "kill processes that outlive the command"},
    {0},
};

static void warn(const struct tk_err *err)
{
    (void)fprintf(stderr, "tracekit exec: %s\n", err->msg);
}

/* The last part of a path. */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* What begins with the command. */
struct beside {
    struct tk_session *session;
    struct tk_child_context place; /* of the command in the trace */
    bool has_place;
    bool is_packer;
    struct tk_relay *relay; /* NULL = none */
};

static void on_start(void *context, const char *span)
{
    struct beside *beside = context;
    struct tk_err err;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    (void)setenv("TRACEKIT_SPAN", span, 1);
    if (beside->has_place)
        tk_child_context_set(&beside->place);
    if (beside->is_packer && tk_relay_start(beside->session, span, &beside->relay, &err) < 0)
        warn(&err);
}

/* The job that is open, or one for this command alone. NULL after a line = run it unrecorded. */
static struct tk_session *open_session(const struct tk_step_env *env, bool *ret_private)
{
    struct tk_session *session;
    struct tk_job job;
    struct tk_err err;
    if (tk_session_open(&env->state, &session, &err) < 0) {
        warn(&err);
        return NULL;
    }
    (void)tk_jobs_recover(tk_session_state(session)->folder);
    int rc = tk_session_find(session, &err);
    *ret_private = rc == -ENOENT || rc == -EALREADY;
    if (*ret_private) {
        tk_fd_close(&tk_session_state(session)->job_fd);
        tk_step_env_job(&job, "", "", tk_session_arena(session));
        tk_step_trace_begin(&job.trace, tk_session_arena(session));
        rc = tk_session_begin(session, &job, true, &err);
    }
    if (rc == 0)
        return session;
    warn(&err);
    tk_session_free(session);
    return NULL;
}

static void take_args(struct tk_session *session, char **argv, struct tk_job_texts *ret)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    bool carry = false;
    tk_buf_init(&text, OUT_MAX);
    for (; *argv; argv++) {
        tk_buf_reset(&text);
        tk_redact_arg(tk_str_from(*argv), &carry, &text);
        tk_str copy = tk_arena_copy(tk_session_arena(session), tk_buf_str(&text));
        if (!tk_buf_ok(&text) || !tk_job_add_text(ret, copy, tk_session_arena(session)))
            return;
    }
}

static void tell_start(tk_str name)
{
    TK_CLEANUP(tk_look_release) struct tk_look look;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_err ignored;
    tk_look_init(&look, STDERR_FILENO);
    tk_buf_init(&out, OUT_MAX);
    tk_step_put_start(&out, &look, name, tk_clock_real_ns());
    (void)!tk_fd_write(STDERR_FILENO, tk_buf_str(&out), "stderr", &ignored);
}

/* The document of a private job, whose first step is the command. */
static int build_private(struct tk_session *session, struct tk_job *ret_job,
                         struct tk_job_step *ret_step, struct tk_err *err)
{
    int rc = tk_session_build(session, ret_job, err);
    if (rc == 0 && ret_job->steps.count == 0)
        rc = tk_fail(err, -ENOENT, "there is no such step");
    if (rc == 0)
        *ret_step = ret_job->steps.items[0];
    return rc;
}

/* What the step was, and for a private job its document. */
static void tell_end(const struct tk_step_env *env, struct tk_session *session, const char *span,
                     bool private)
{
    struct tk_err err;
    struct tk_job job;
    struct tk_job_step step;
    TK_CLEANUP(tk_look_release) struct tk_look look;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_look_init(&look, STDERR_FILENO);
    tk_buf_init(&out, OUT_MAX);
    int rc = private ? build_private(session, &job, &step, &err)
                     : tk_session_build_step(session, tk_str_from(span), &step, &err);
    if (rc == 0 && env->verbose) {
        tk_step_put_end(&out, &look, &step);
    } else if (rc == 0) {
        tk_step_put_line(&out, &look, &step);
    }
    (void)!tk_fd_write(STDERR_FILENO, tk_buf_str(&out), "stderr", &err);
    if (rc == 0 && private)
        rc = tk_session_finalize(session, &job, &err);
    if (rc < 0)
        warn(&err);
}

static int execute(const struct tk_cmd *cmd, const struct exec_opts *opts, char **argv,
                   struct tk_exec_result *ret_result)
{
    struct tk_err err;
    struct tk_step_env env;
    bool private = false;
    tk_step_env_read(&env);
    TK_CLEANUP(tk_session_freep) struct tk_session *session = open_session(&env, &private);
    struct beside beside = {.session = session, .is_packer = opts->is_packer};
    struct tk_exec_options wanted = {
        .session = session,
        .argv = argv,
        .name = tk_str_from(opts->name ? opts->name : base_name(argv[0])),
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
        .parent = getenv("TRACEKIT_SPAN"),
        .also = tk_str_from(opts->also),
        .timeout_ns = opts->timeout_ns,
        .kill_leftovers = opts->kill_leftovers,
        .on_start = on_start,
        .context = &beside,
    };
    if (session && !tk_step_take_attrs(&opts->attrs, &wanted.attrs, tk_session_arena(session)))
        return tk_cmd_usage(cmd, "option '--attr': expected NAME=VALUE");
    beside.has_place = session && tk_step_trace_next(session, &wanted.trace, &beside.place);
    if (session && opts->record_args)
        take_args(session, argv, &wanted.args);
    if (session && private) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
        (void)setenv("TRACEKIT_JOB", tk_session_path(session), 1);
    }
    if (session && env.verbose)
        tell_start(wanted.name);
    int rc = tk_exec_run(&wanted, ret_result, &err);
    if (rc < 0)
        (void)tk_cmd_fail(cmd, &err);
    if (tk_relay_stop(beside.relay, &err) < 0)
        warn(&err);
    if (ret_result->trouble.code < 0)
        warn(&ret_result->trouble);
    if (ret_result->span[0])
        tell_end(&env, session, ret_result->span, private);
    return rc < 0 ? tk_exec_start_status(rc) : 0;
}

int tk_exec_command(const struct tk_cmd *cmd, const char *name, bool is_packer, char **argv)
{
    const struct exec_opts opts = {.name = name, .is_packer = is_packer};
    struct tk_exec_result result = {.timed_out = false};
    int status = execute(cmd, &opts, argv, &result);
    return status ? status : tk_exit_as(&result.launch);
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct exec_opts opts = {.name = NULL};
    struct tk_exec_result result = {.timed_out = false};
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    int status = execute(cmd, &opts, argv + first, &result);
    if (status)
        return status;
    return result.timed_out ? EXIT_TIMED_OUT : tk_exit_as(&result.launch);
}

const struct tk_cmd tk_cmd_exec = {
    .name = "exec",
    .args = "[--] CMD [ARG...]",
    .missing = "the command to run is missing",
    .help = "run a command as a step of a build, and say what it took",
    .about = "Terminal, signals, standard descriptors and exit status are the command's own.\n"
             "Without a job (tracekit step init) the command is a job of its own.\n"
             "\n"
             "  tracekit exec -- make -j8\n"
             "  tracekit exec -n unit_tests -t 10m -- make check",
    .options = options,
    .run = run,
};
