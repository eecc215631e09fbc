/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/env.h"
#include "store/store_internal.h"

#define DEFAULT_BUCKET "appliance-telemetry"

bool tk_store_default_bucket(char *ret, size_t cap)
{
    const char *bucket = tk_env_find("TELEMETRY_BUCKET");
    if (!tk_env_find("MINIO_ACCESS_KEY") || !tk_env_find("MINIO_SECRET_KEY"))
        return false;
    int n = snprintf(ret, cap, "s3://%s", bucket ? bucket : DEFAULT_BUCKET);
    if (n < 0 || (size_t)n >= cap)
        *ret = '\0';
    return true;
}

int tk_store_open_default(const struct tk_store_options *options, struct tk_store **ret_store,
                          struct tk_err *err)
{
    const char *named = tk_env_find("TRACEKIT_STORE");
    if (named)
        return tk_store_open(tk_str_from(named), options, ret_store, err);
    char address[128];
    if (!tk_store_default_bucket(address, sizeof(address)))
        return 1;
    if (!address[0])
        return tk_fail(err, -EINVAL, "TELEMETRY_BUCKET: longer than a bucket's name can be");
    return tk_store_open(tk_str_from(address), options, ret_store, err);
}
