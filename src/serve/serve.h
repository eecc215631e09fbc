/* SPDX-License-Identifier: Apache-2.0 */
/* The server: OTLP over HTTP/1.1 and gRPC in, Zipkin in, query APIs out (trace-protocols.md
 * sections 3, 5, 7, 9; trace-storage-and-ui.md section 7).
 *
 *     bytes -> body.h (limits, inflate) -> intake.h (reader, segment sink) -> answer.h
 *
 *   server.h    start, run, stop; options
 *   listen.h    addresses and sockets
 *   worker.h    a thread with its connections, its sink and its counters
 *   http1.h     HTTP/1.1 by libmicrohttpd; the only file that knows it
 *   http2.h     gRPC by libnghttp2; the only file that knows it
 *   grpc.h      frames and texts of gRPC
 *   plan.h      what the head of a request decides; the header filter
 *   body.h      memory of requests under a budget; inflate gzip, deflate and zstd under a cap
 *   coded.h     answers in gzip or zstd
 *   cors.h      which web pages may ask
 *   signals.h   what is sent besides spans, and refused
 *   verdict.h   payloads, outcomes and their codes
 *   intake.h    payloads into a segment sink
 *   syncer.h    group commit, for --ack=fsync
 *   waiting.h   requests that wait for it
 *   answer.h    OTLP's partial success and google.rpc.Status
 *   routes.h    method and path of a query to its handler, as const tables
 *   site.h      the files of a web page
 *   counters.h  what was accepted, refused, throttled; /metrics
 *   api_*.c     a query API each
 *
 * A handler gets a request as plain data and fills an answer: it knows neither HTTP library, so a
 * test calls it directly. */
#ifndef TK_SERVE_SERVE_H
#define TK_SERVE_SERVE_H

#include "serve/server.h"

#endif
