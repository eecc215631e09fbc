/* SPDX-License-Identifier: Apache-2.0 */
#include "store/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/env.h"
#include "base/file.h"
#include "store/sigv4.h"

#define DEFAULT_REGION "us-east-1"

/* What MINIO_ENDPOINT is when only the keys are set. */
#define DEFAULT_MINIO "http://127.0.0.1:9000"

/* A pair of keys, and where they stand. */
struct pair {
    const char *access_key, *secret_key, *session_token;
    const char *access_name, *secret_name; /* in a file: its path, and NULL */
};

/* Keys in the file of the AWS tools; `text` holds them. */
struct key_file {
    char text[16 << 10];
    char access_key[256], secret_key[256], session_token[4096];
    char path[PATH_MAX];
};

/* "[default]", and "name = value" below it. */
static void read_profile(struct key_file *file, tk_str text, tk_str profile)
{
    const struct {
        tk_str name;
        char *to;
        size_t cap;
    } names[] = {
        {TK_STR("aws_access_key_id"), file->access_key, sizeof(file->access_key)},
        {TK_STR("aws_secret_access_key"), file->secret_key, sizeof(file->secret_key)},
        {TK_STR("aws_session_token"), file->session_token, sizeof(file->session_token)},
    };
    tk_str line;
    bool is_ours = false;
    while (tk_str_take_line(&text, &line)) {
        line = tk_str_trim(line);
        if (line.n >= 2 && line.p[0] == '[' && line.p[line.n - 1] == ']')
            is_ours = tk_str_eq(tk_str_trim((tk_str){line.p + 1, line.n - 2}), profile);
        size_t equals = tk_str_find(line, '=');
        if (!is_ours || equals == line.n)
            continue;
        tk_str name = tk_str_trim((tk_str){line.p, equals});
        tk_str value = tk_str_trim((tk_str){line.p + equals + 1, line.n - equals - 1});
        for (size_t i = 0; i < TK_COUNTOF(names); i++) {
            if (tk_str_eq(name, names[i].name))
                (void)tk_str_to_cstr(value, names[i].to, names[i].cap);
        }
    }
}

/* 1 when there is no file, or it has no keys of the profile. */
static int read_key_file(struct key_file *file, struct tk_err *err)
{
    const char *named = tk_env_find("AWS_SHARED_CREDENTIALS_FILE"), *home = tk_env_find("HOME");
    const char *profile = tk_env_find("AWS_PROFILE");
    char *path = file->path;
    struct stat st;
    int n = snprintf(path, sizeof(file->path), "%s%s",
                     named  ? named
                     : home ? home
                            : "",
                     named ? "" : "/.aws/credentials");
    if (n < 0 || (size_t)n >= sizeof(file->path) || stat(path, &st) < 0)
        return 1;
    if (st.st_mode & 077) {
        return tk_fail(err, -EACCES, "%s: others may read it (mode %04o), expected 0600", path,
                       (unsigned)st.st_mode & 07777);
    }
    tk_str text;
    int rc = tk_file_read(AT_FDCWD, path, file->text, sizeof(file->text), &text, err);
    if (rc < 0)
        return rc;
    read_profile(file, text, tk_str_from(profile ? profile : "default"));
    return *file->access_key || *file->secret_key ? 0 : 1;
}

static int find_pair(const struct tk_store_options *options, struct key_file *file,
                     struct pair *ret_pair, struct tk_err *err)
{
    const struct pair pairs[] = {
        {options->access_key, options->secret_key, options->session_token, "access_key",
         "secret_key"},
        {tk_env_find("MINIO_ACCESS_KEY"), tk_env_find("MINIO_SECRET_KEY"), NULL, "MINIO_ACCESS_KEY",
         "MINIO_SECRET_KEY"},
        {tk_env_find("AWS_ACCESS_KEY_ID"), tk_env_find("AWS_SECRET_ACCESS_KEY"),
         tk_env_find("AWS_SESSION_TOKEN"), "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
    };
    for (size_t i = 0; i < TK_COUNTOF(pairs); i++) {
        const struct pair *pair = &pairs[i];
        if (!pair->access_key && !pair->secret_key)
            continue;
        if (!pair->access_key || !pair->secret_key) {
            return tk_fail(err, -EINVAL, "S3: %s is set, but %s is not",
                           pair->access_key ? pair->access_name : pair->secret_name,
                           pair->access_key ? pair->secret_name : pair->access_name);
        }
        *ret_pair = *pair;
        return 0;
    }
    int rc = read_key_file(file, err);
    if (rc < 0)
        return rc;
    if (rc == 0 && *file->access_key && *file->secret_key) {
        *ret_pair = (struct pair){.access_key = file->access_key,
                                  .secret_key = file->secret_key,
                                  .access_name = file->path};
        ret_pair->session_token = *file->session_token ? file->session_token : NULL;
        return 0;
    }
    return tk_fail(err, -EACCES,
                   "S3: no keys; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                   "MINIO_ACCESS_KEY and MINIO_SECRET_KEY");
}

static const char *first_of(const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (texts[i] && *texts[i])
            return texts[i];
    }
    return NULL;
}

static char *format_endpoint(const struct tk_store_options *options, const char *region)
{
    const char *const given[] = {
        options->endpoint, tk_env_find("MINIO_ENDPOINT"), tk_env_find("AWS_ENDPOINT_URL_S3"),
        tk_env_find("AWS_ENDPOINT_URL"), tk_env_find("MINIO_ACCESS_KEY") ? DEFAULT_MINIO : NULL};
    const char *endpoint = first_of(given, TK_COUNTOF(given));
    char *aws = NULL;
    if (endpoint)
        return strdup(endpoint);
    return asprintf(&aws, "https://s3.%s.amazonaws.com", region) < 0 ? NULL : aws;
}

static int copy_access(const struct tk_store_options *options, const struct pair *pair,
                       struct tk_access *ret_access, struct tk_err *err)
{
    const char *const regions[] = {options->region, tk_env_find("AWS_REGION"),
                                   tk_env_find("AWS_DEFAULT_REGION")};
    const char *region = first_of(regions, TK_COUNTOF(regions));
    region = region ? region : DEFAULT_REGION;
    ret_access->region = strdup(region);
    ret_access->endpoint = format_endpoint(options, region);
    ret_access->access_key = strdup(pair->access_key);
    ret_access->secret_key = strdup(pair->secret_key);
    ret_access->session_token = pair->session_token ? strdup(pair->session_token) : NULL;
    (void)snprintf(ret_access->origin, sizeof(ret_access->origin), "%.200s%s%.40s",
                   pair->access_name, pair->secret_name ? " and " : "",
                   pair->secret_name ? pair->secret_name : "");
    bool is_copied = ret_access->region && ret_access->endpoint && ret_access->access_key &&
                     ret_access->secret_key && (ret_access->session_token || !pair->session_token);
    return is_copied ? 0 : tk_fail(err, -ENOMEM, "S3: out of memory");
}

int tk_access_read(const struct tk_store_options *options, struct tk_access *ret_access,
                   struct tk_err *err)
{
    struct pair pair = {0};
    struct key_file file = {0};
    memset(ret_access, 0, sizeof(*ret_access));
    int rc = find_pair(options, &file, &pair, err);
    if (rc == 0 && pair.access_key && pair.secret_key)
        rc = copy_access(options, &pair, ret_access, err);
    explicit_bzero(&file, sizeof(file));
    return rc;
}

void tk_access_release(struct tk_access *access)
{
    tk_secret_wipe(&access->endpoint);
    tk_secret_wipe(&access->region);
    tk_secret_wipe(&access->access_key);
    tk_secret_wipe(&access->secret_key);
    tk_secret_wipe(&access->session_token);
}
