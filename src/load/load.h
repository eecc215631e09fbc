/* SPDX-License-Identifier: Apache-2.0 */
/* Load: recorded or made-up spans, sent as OTLP to a receiver that the user names, and an honest
 * account of what became of them (trace-storage-and-ui.md section 13, trace-protocols.md sections 3
 * and 5).
 *
 *     spans -> bodies (encoded once) -> schedule -> sender -> exchange -> the receiver
 *                                                     ^           |
 *                                       retries <- verdict <- answer
 *
 *   bodies.h     requests encoded beforehand; ids and times are changed at known places as they go
 *   synthetic.h  spans as Jaeger's tracegen makes them
 *   target.h     where to
 *   schedule.h   when each request is due; retries
 *   sender.h     the loop: connections, deadlines in ns, totals
 *   answer.h     what an answer means: accepted, rejected, to be sent again
 *   latency.h    a histogram of times
 *
 * It sends to the one address of the target and to nothing else: no redirect is followed, no proxy
 * of the environment is used. */
#ifndef TK_LOAD_LOAD_H
#define TK_LOAD_LOAD_H

#include "load/answer.h"
#include "load/bodies.h"
#include "load/latency.h"
#include "load/schedule.h"
#include "load/sender.h"
#include "load/synthetic.h"
#include "load/target.h"

#endif
