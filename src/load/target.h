/* SPDX-License-Identifier: Apache-2.0 */
/* Where a load goes, from an address as users write it. */
#ifndef TK_LOAD_TARGET_H
#define TK_LOAD_TARGET_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"

#define TK_LOAD_HOST_MAX 256
#define TK_LOAD_PATH_MAX 1024

struct tk_load_target {
    char host[TK_LOAD_HOST_MAX]; /* name or address, an IPv6 one without its brackets */
    char port[6];
    char authority[TK_LOAD_HOST_MAX + 10]; /* for the header Host: "[::1]:4318" */
    char path[TK_LOAD_PATH_MAX];           /* "/v1/traces"; of gRPC that of the service */
};

/* Read "http://HOST[:PORT][/PATH]". Without a port it is OTLP's, 4318 or with `grpc` 4317; without
 * a path /v1/traces; gRPC has one path only. Fails with -EINVAL, -EOPNOTSUPP for https. Pure. */
TK_MUST_USE int tk_load_target_parse(const char *url, bool grpc, struct tk_load_target *ret,
                                     struct tk_err *err);

#endif
