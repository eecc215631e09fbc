/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_STAGE "cloud"

static bool is_given(const char *text)
{
    return text && *text;
}

static int set_label(const char *what, const char *given, const char *otherwise,
                     char ret_label[TK_RUN_ID_MAX], struct tk_err *err)
{
    const char *label = is_given(given) ? given : otherwise;
    if (!tk_str_to_cstr(tk_str_from(label), ret_label, TK_RUN_ID_MAX)) {
        return tk_fail(err, -EINVAL, "%s '%s': longer than %d bytes", what, label,
                       TK_RUN_ID_MAX - 1);
    }
    return 0;
}

static int set_folder(struct tk_identity *identity, const char *parent, const char *name,
                      struct tk_err *err)
{
    int n = snprintf(identity->folder, sizeof(identity->folder), "%s%s", parent, name);
    if (n < 0 || (size_t)n >= sizeof(identity->folder))
        return tk_fail(err, -ENAMETOOLONG, "run folder: path longer than %d bytes", PATH_MAX - 1);
    return 0;
}

/* The last part of a path, when it can be a run id. */
static bool name_of_folder(const char *folder, char ret_id[TK_RUN_ID_MAX])
{
    tk_str path = tk_str_from(folder);
    while (path.n > 0 && path.p[path.n - 1] == '/')
        path.n--;
    size_t slash = tk_str_find_last(path, '/');
    if (slash < path.n)
        path = (tk_str){path.p + slash + 1, path.n - slash - 1};
    return tk_run_id_ok(path) && tk_str_to_cstr(path, ret_id, TK_RUN_ID_MAX);
}

static int set_run_id(const struct tk_identity_options *options, struct tk_identity *identity,
                      struct tk_err *err)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread changes the environment */
    bool in_environment = is_given(getenv("RUN_ID"));
    identity->is_named = is_given(options->run_id) || is_given(options->folder) || in_environment;
    if (!is_given(options->run_id) && is_given(options->folder) &&
        name_of_folder(options->folder, identity->run_id))
        return 0;
    return tk_run_id_resolve(options->run_id, false, identity->run_id, err);
}

int tk_identity_resolve(const struct tk_identity_options *options, struct tk_identity *ret_identity,
                        struct tk_err *err)
{
    struct tk_identity identity = {0};
    if (gethostname(identity.host, sizeof(identity.host) - 1) < 0)
        return tk_fail_errno(err, "host name");
    int rc = set_label("node", options->node, identity.host, identity.node, err);
    if (rc == 0)
        rc = set_label("stage", options->stage, DEFAULT_STAGE, identity.stage, err);
    if (rc == 0)
        rc = set_run_id(options, &identity, err);
    if (rc == 0) {
        rc = is_given(options->folder) ? set_folder(&identity, "", options->folder, err)
                                       : set_folder(&identity, "logs/", identity.run_id, err);
    }
    if (rc == 0)
        *ret_identity = identity;
    return rc;
}

int tk_identity_renumber(struct tk_identity *identity, int number, struct tk_err *err)
{
    tk_str time = tk_str_from(identity->run_id);
    time.n = tk_str_find(time, '-');
    char numbered[TK_RUN_ID_MAX];
    int n = snprintf(numbered, sizeof(numbered), "%.*s-%d", TK_STR_ARG(time), number);
    if (n < 0 || !tk_str_to_cstr((tk_str){numbered, (size_t)n}, identity->run_id, TK_RUN_ID_MAX))
        return tk_fail(err, -ENAMETOOLONG, "run id: longer than %d bytes", TK_RUN_ID_MAX - 1);
    return set_folder(identity, "logs/", identity->run_id, err);
}
