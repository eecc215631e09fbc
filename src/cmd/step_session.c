/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/step_session.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"

static const char *env_of(const char *name)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): before there are threads */
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* The first of some variables that is set; p == NULL = none. The list ends with NULL. */
static tk_str first_of(const char *const *names)
{
    for (; *names; names++) {
        const char *value = env_of(*names);
        if (value)
            return tk_str_from(value);
    }
    return (tk_str){0};
}

#define FIRST(...) first_of((const char *const[]){__VA_ARGS__, NULL})

static tk_str or_else(tk_str text, const char *otherwise)
{
    return text.p ? text : tk_str_from(otherwise);
}

void tk_step_env_read(struct tk_step_env *env)
{
    const char *verbose = env_of("TRACEKIT_VERBOSE");
    const char *github = env_of("GITHUB_RUN_ID");
    const char *attempt = env_of("GITHUB_RUN_ATTEMPT");
    const char *job = env_of("GITHUB_JOB");
    *env = (struct tk_step_env){
        .state = {.folder = env_of("TELEMETRY_DIR"), .job = env_of("TRACEKIT_JOB")},
        .verbose = verbose && strcmp(verbose, "original") == 0,
    };
    const char *store = env_of("TRACEKIT_STORE");
    env->in_vm = (store && strcmp(store, TK_STORE_STDOUT) == 0) ||
                 (env_of("PACKER_BUILD_NAME") && !env->state.job && !env_of("TRACEKIT_SPAN"));
    if (env->in_vm && !env->state.folder)
        env->state.folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm/telemetry" : "/run/telemetry";
    if (github) {
        (void)snprintf(env->run, sizeof(env->run), "%s-%s-%s", github, attempt ? attempt : "1",
                       job ? job : "");
    } else {
        tk_str id = FIRST("CI_JOB_ID", "BUILD_TAG", "BUILDKITE_JOB_ID", "CIRCLE_WORKFLOW_JOB_ID");
        (void)snprintf(env->run, sizeof(env->run), "%.*s", TK_STR_ARG(id));
    }
    env->state.run = env->run;
}

static tk_str branch_of(tk_str ref)
{
    tk_str branch = FIRST("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "GIT_BRANCH");
    if (branch.p)
        return branch;
    return tk_str_take_prefix(&ref, TK_STR("refs/heads/")) ? ref : (tk_str){0};
}

static tk_str provider(void)
{
    static const struct {
        const char *variable, *name;
    } providers[] = {
        {"GITHUB_ACTIONS", "github"}, {"GITLAB_CI", "gitlab"},  {"JENKINS_URL", "jenkins"},
        {"BUILDKITE", "buildkite"},   {"CIRCLECI", "circleci"},
    };
    for (size_t i = 0; i < TK_COUNTOF(providers); i++) {
        if (env_of(providers[i].variable))
            return tk_str_from(providers[i].name);
    }
    return (tk_str){0};
}

/* The number in "refs/pull/12/merge", which GitHub builds for a pull request. */
static tk_str pull_request_of(tk_str ref)
{
    tk_str number = {0};
    if (tk_str_take_prefix(&ref, TK_STR("refs/pull/")) && tk_str_take_until(&ref, '/', &number))
        return number;
    return FIRST("CI_MERGE_REQUEST_IID", "CHANGE_ID");
}

/* The page of this run. GitHub tells its parts. */
static tk_str url_of_run(struct tk_arena *arena)
{
    char url[1024];
    const char *server = env_of("GITHUB_SERVER_URL");
    const char *repository = env_of("GITHUB_REPOSITORY");
    const char *run = env_of("GITHUB_RUN_ID");
    if (!server || !repository || !run)
        return FIRST("CI_JOB_URL", "BUILD_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL");
    int n = snprintf(url, sizeof(url), "%s/%s/actions/runs/%s", server, repository, run);
    bool fits = n > 0 && (size_t)n < sizeof(url);
    return fits ? tk_arena_copy(arena, (tk_str){url, (size_t)n}) : (tk_str){0};
}

void tk_step_env_job(struct tk_job *job, const char *name, const char *version,
                     struct tk_arena *arena)
{
    tk_job_init(job);
    job->job = tk_str_from(*name ? name : "build");
    job->version = tk_str_from(*version ? version : "unknown");
    job->git_sha = or_else(FIRST("GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT"), "");
    job->git_ref = or_else(FIRST("GITHUB_REF", "CI_COMMIT_REF_NAME", "GIT_BRANCH"), "");
    job->run_id = or_else(FIRST("GITHUB_RUN_ID", "CI_PIPELINE_ID", "BUILD_ID"), "0");
    job->run_number = or_else(FIRST("GITHUB_RUN_NUMBER", "CI_PIPELINE_IID", "BUILD_NUMBER"), "0");
    tk_str attempt = FIRST("GITHUB_RUN_ATTEMPT");
    if (!tk_scan_i64(&attempt, &job->attempt))
        job->attempt = TK_JOB_NONE;
    job->ci.provider = provider();
    job->ci.workflow = FIRST("GITHUB_WORKFLOW", "CI_PIPELINE_NAME");
    job->ci.job = FIRST("GITHUB_JOB", "CI_JOB_NAME", "JOB_NAME");
    job->ci.event = FIRST("GITHUB_EVENT_NAME", "CI_PIPELINE_SOURCE");
    job->ci.url = url_of_run(arena);
    job->ci.branch = branch_of(job->git_ref);
    job->ci.pr = pull_request_of(job->git_ref);
}

void tk_step_env_tell(const char *file)
{
    char line[PATH_MAX + 32];
    struct tk_err ignored;
    const char *output = env_of("GITHUB_OUTPUT");
    if (!output)
        return;
    TK_CLEANUP(tk_fd_close) int fd = open(output, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    int n = snprintf(line, sizeof(line), "TELEMETRY_FILE=%s\n", file);
    if (fd >= 0)
        (void)!tk_fd_write(fd, (tk_str){line, (size_t)n}, output, &ignored);
}

bool tk_step_take_attrs(const struct tk_opt_list *list, struct tk_job_attrs *attrs,
                        struct tk_arena *arena)
{
    for (size_t i = 0; i < list->count; i++) {
        tk_str text = tk_str_from(list->items[i]);
        size_t equals = tk_str_find(text, '=');
        tk_str value = {text.p + equals + 1, text.n - equals - 1};
        if (equals == text.n || equals == 0 ||
            !tk_job_add_attr(attrs, (tk_str){text.p, equals}, value, arena))
            return false;
    }
    return true;
}
