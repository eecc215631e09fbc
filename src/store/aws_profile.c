/* SPDX-License-Identifier: Apache-2.0 */
#include "store/aws_profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/env.h"
#include "base/file.h"

#define FILE_MAX ((size_t)256 << 10)

/* A setting of a profile, and where its value goes. */
struct setting {
    const char *name;
    char *to;
    size_t cap;
};

/* One of the two files. */
struct source {
    const char *variable, *usual; /* what names it, and where below $HOME it is else */
    const char *prefix;           /* of a section, but for [default] */
    char path[PATH_MAX];
    char text[FILE_MAX];
};

/* Where the file is; false when there is none. */
static bool find(struct source *source, struct stat *ret_st)
{
    const char *named = tk_env_find(source->variable), *home = tk_env_find("HOME");
    if (!named && !home)
        return false;
    int n = snprintf(source->path, sizeof(source->path), "%s%s", named ? named : home,
                     named ? "" : source->usual);
    return n > 0 && (size_t)n < sizeof(source->path) && stat(source->path, ret_st) == 0;
}

static bool is_section(tk_str line, const struct source *source)
{
    const char *profile = tk_env_find("AWS_PROFILE");
    tk_str name = tk_str_trim((tk_str){line.p + 1, line.n - 2});
    if (!profile || strcmp(profile, "default") == 0)
        return tk_str_eq(name, TK_STR("default"));
    if (!tk_str_take_prefix(&name, tk_str_from(source->prefix)))
        return false;
    return tk_str_eq(tk_str_trim(name), tk_str_from(profile));
}

static int put_setting(const struct source *source, tk_str line, const struct setting *settings,
                       size_t count, struct tk_err *err)
{
    size_t equals = tk_str_find(line, '=');
    if (equals == line.n)
        return 0;
    tk_str name = tk_str_trim((tk_str){line.p, equals});
    tk_str value = tk_str_trim((tk_str){line.p + equals + 1, line.n - equals - 1});
    for (size_t i = 0; i < count; i++) {
        const struct setting *setting = &settings[i];
        if (tk_str_eq(name, tk_str_from(setting->name)) &&
            !tk_str_to_cstr(value, setting->to, setting->cap)) {
            return tk_fail(err, -EMSGSIZE, "%s: the value of %s is too long, expected %zu bytes",
                           source->path, setting->name, setting->cap - 1);
        }
    }
    return 0;
}

/* "[default]", and "name = value" below it. */
static int read_section(struct source *source, const struct setting *settings, size_t count,
                        struct tk_err *err)
{
    tk_str text, line;
    bool is_ours = false;
    int rc = tk_file_read(AT_FDCWD, source->path, source->text, sizeof(source->text), &text, err);
    while (rc == 0 && tk_str_take_line(&text, &line)) {
        line = tk_str_trim(line);
        if (line.n >= 2 && line.p[0] == '[' && line.p[line.n - 1] == ']') {
            is_ours = is_section(line, source);
        } else if (is_ours) {
            rc = put_setting(source, line, settings, count, err);
        }
    }
    return rc;
}

static int read_credentials(struct source *source, struct tk_aws_profile *profile,
                            struct tk_err *err)
{
    struct tk_keys *keys = &profile->keys;
    const struct setting settings[] = {
        {"aws_access_key_id", keys->access_key, sizeof(keys->access_key)},
        {"aws_secret_access_key", keys->secret_key, sizeof(keys->secret_key)},
        {"aws_session_token", keys->session_token, sizeof(keys->session_token)},
        {"credential_process", profile->command, sizeof(profile->command)},
    };
    struct stat st;
    if (!find(source, &st))
        return 0;
    if (st.st_mode & 077) {
        return tk_fail(err, -EACCES, "%s: others may read it (mode %04o), expected 0600",
                       source->path, (unsigned)st.st_mode & 07777);
    }
    memcpy(profile->origin, source->path, sizeof(profile->origin));
    return read_section(source, settings, TK_COUNTOF(settings), err);
}

static int read_config(struct source *source, struct tk_aws_profile *profile, struct tk_err *err)
{
    char command[TK_KEY_COMMAND_MAX] = "";
    const struct setting settings[] = {
        {"region", profile->region, sizeof(profile->region)},
        {"credential_process", command, sizeof(command)},
    };
    struct stat st;
    if (!find(source, &st))
        return 0;
    int rc = read_section(source, settings, TK_COUNTOF(settings), err);
    if (rc < 0 || !*command || *profile->keys.access_key || *profile->command)
        return rc;
    if (st.st_mode & 022) {
        return tk_fail(err, -EACCES,
                       "%s: names a command to run, and others may write it (mode %04o)",
                       source->path, (unsigned)st.st_mode & 07777);
    }
    memcpy(profile->command, command, sizeof(command));
    memcpy(profile->origin, source->path, sizeof(profile->origin));
    return 0;
}

int tk_aws_profile_read(struct tk_aws_profile *ret_profile, struct tk_err *err)
{
    struct source source = {
        .variable = "AWS_SHARED_CREDENTIALS_FILE", .usual = "/.aws/credentials", .prefix = ""};
    memset(ret_profile, 0, sizeof(*ret_profile));
    int rc = read_credentials(&source, ret_profile, err);
    source.variable = "AWS_CONFIG_FILE";
    source.usual = "/.aws/config";
    source.prefix = "profile ";
    rc = rc < 0 ? rc : read_config(&source, ret_profile, err);
    explicit_bzero(&source, sizeof(source));
    return rc;
}
