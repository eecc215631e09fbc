/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/signals.h"

#define COLLECTOR "/opentelemetry.proto.collector."

const struct tk_signal_about tk_signals[TK_SIGNAL_COUNT] = {
    [TK_SIGNAL_METRICS] = {"metrics", "/v1/metrics", COLLECTOR "metrics.v1.MetricsService/Export",
                           "metrics are not stored here, spans are: OTEL_METRICS_EXPORTER=none "
                           "stops an agent that sends them"},
    [TK_SIGNAL_LOGS] = {"logs", "/v1/logs", COLLECTOR "logs.v1.LogsService/Export",
                        "logs are not stored here, spans are: OTEL_LOGS_EXPORTER=none stops an "
                        "agent that sends them"},
    [TK_SIGNAL_PROFILES] = {"profiles", "/v1development/profiles",
                            COLLECTOR "profiles.v1development.ProfilesService/Export",
                            "profiles are not stored here, spans are"},
};

enum tk_signal tk_signal_of_http(tk_str path)
{
    unsigned signal = 0;
    while (signal < TK_SIGNAL_COUNT && !tk_str_eq(path, tk_str_from(tk_signals[signal].http)))
        signal++;
    return (enum tk_signal)signal;
}

enum tk_signal tk_signal_of_grpc(tk_str path)
{
    unsigned signal = 0;
    while (signal < TK_SIGNAL_COUNT && !tk_str_eq(path, tk_str_from(tk_signals[signal].grpc)))
        signal++;
    return (enum tk_signal)signal;
}
