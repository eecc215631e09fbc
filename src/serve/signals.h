/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenTelemetry sends besides spans, and the server does not store. Agents send it unless they
 * are told not to, so it is answered with what stops them, told once and counted. */
#ifndef TK_SERVE_SIGNALS_H
#define TK_SERVE_SIGNALS_H

#include "base/str.h"

enum tk_signal { TK_SIGNAL_METRICS = 0, TK_SIGNAL_LOGS, TK_SIGNAL_PROFILES, TK_SIGNAL_COUNT };

struct tk_signal_about {
    const char *name; /* in metrics, "logs" */
    const char *http; /* its path */
    const char *grpc;
    const char *why; /* of the answer and of the log */
};

/* By enum tk_signal. */
extern const struct tk_signal_about tk_signals[TK_SIGNAL_COUNT];

/* The signal of a path of OTLP over HTTP, or of gRPC; TK_SIGNAL_COUNT = of none. */
enum tk_signal tk_signal_of_http(tk_str path);
enum tk_signal tk_signal_of_grpc(tk_str path);

#endif
