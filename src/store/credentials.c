/* SPDX-License-Identifier: Apache-2.0 */
#include "store/credentials.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/env.h"
#include "store/aws_profile.h"
#include "store/sigv4.h"

#define DEFAULT_REGION "us-east-1"

/* What MINIO_ENDPOINT is when only the keys are set. */
#define DEFAULT_MINIO "http://127.0.0.1:9000"

/* How long the command of a profile may take: it may ask somebody for a code. */
#define COMMAND_PATIENCE_NS (60 * TK_NS_PER_S)

/* A pair of keys, and where they stand. */
struct pair {
    const char *access_key, *secret_key, *session_token;
    const char *access_name, *secret_name; /* of a profile: its file, and NULL */
};

/* The keys of the profile of the AWS tools, in whose memory they stay. */
static int find_in_profile(struct tk_aws_profile *profile, struct pair *ret_pair,
                           struct tk_err *err)
{
    struct tk_keys *keys = &profile->keys;
    int rc = tk_aws_profile_read(profile, err);
    if (rc == 0 && !*keys->access_key && *profile->command) {
        rc = tk_key_command_run(profile->command, COMMAND_PATIENCE_NS, keys, err);
        rc = rc < 0 ? tk_err_prefix(err, "%s", profile->origin) : 0;
    }
    if (rc < 0)
        return rc;
    if (!*keys->access_key || !*keys->secret_key) {
        return tk_fail(err, -EACCES,
                       "S3: no keys; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                       "MINIO_ACCESS_KEY and MINIO_SECRET_KEY");
    }
    *ret_pair = (struct pair){.access_key = keys->access_key,
                              .secret_key = keys->secret_key,
                              .session_token = *keys->session_token ? keys->session_token : NULL,
                              .access_name = profile->origin};
    return 0;
}

static int find_pair(const struct tk_store_options *options, struct tk_aws_profile *profile,
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
    return find_in_profile(profile, ret_pair, err);
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

static int copy_access(const struct tk_store_options *options, const struct tk_aws_profile *profile,
                       const struct pair *pair, struct tk_access *ret_access, struct tk_err *err)
{
    const char *const regions[] = {options->region, tk_env_find("AWS_REGION"),
                                   tk_env_find("AWS_DEFAULT_REGION"), profile->region};
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
    struct tk_aws_profile profile = {0};
    memset(ret_access, 0, sizeof(*ret_access));
    int rc = find_pair(options, &profile, &pair, err);
    if (rc == 0 && pair.access_key && pair.secret_key)
        rc = copy_access(options, &profile, &pair, ret_access, err);
    explicit_bzero(&profile, sizeof(profile));
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
