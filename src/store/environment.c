/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/env.h"
#include "store/store_internal.h"

#define DEFAULT_BUCKET "appliance-telemetry"

int tk_store_open_default(const struct tk_store_options *options, struct tk_store **ret_store,
                          struct tk_err *err)
{
    const char *named = tk_env_find("TRACEKIT_STORE");
    if (named)
        return tk_store_open(tk_str_from(named), options, ret_store, err);
    if (!tk_env_find("MINIO_ACCESS_KEY") || !tk_env_find("MINIO_SECRET_KEY"))
        return 1;
    char address[128];
    const char *bucket = tk_env_find("TELEMETRY_BUCKET");
    int n = snprintf(address, sizeof(address), "s3://%s", bucket ? bucket : DEFAULT_BUCKET);
    if (n < 0 || (size_t)n >= sizeof(address))
        return tk_fail(err, -EINVAL, "TELEMETRY_BUCKET: longer than a bucket's name can be");
    return tk_store_open(tk_str_from(address), options, ret_store, err);
}
