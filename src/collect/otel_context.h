/* SPDX-License-Identifier: Apache-2.0 */
/* OpenTelemetry process context (OTEP 4719, opentelemetry-proto 1.11): the Resource of a process,
 * which its SDK publishes in a mapping of its memory for readers outside.
 *
 *     /proc/PID/maps        a mapping named OTEL_CTX
 *     header, 32 bytes      signature, version, size, stamp, pointer
 *     payload               ProcessContext { Resource resource = 1; KeyValue attributes = 2; }
 *                           or, as an earlier text had it, a Resource
 *
 * The process may be updating it while it is read: the stamp is 0 then, or has changed when the
 * payload was read. Nothing here is trusted: it is another process's memory. */
#ifndef TK_COLLECT_OTEL_CONTEXT_H
#define TK_COLLECT_OTEL_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define TK_OTEL_PAYLOAD_MAX ((size_t)16 << 10)

/* Reads exactly `n` bytes of a process's memory: 0 or a negative errno. */
typedef int (*tk_read_memory_fn)(void *world, pid_t pid, uint64_t address, void *to, size_t n);

/* Whether a line of /proc/PID/maps is such a mapping, and where it begins. */
bool tk_otel_mapping_parse(tk_str line, uint64_t *ret_address);

/* Read the payload of the mapping at `address` into `payload`, which is emptied first. -EAGAIN: an
 * update is under way, try later; -ENOENT: no context of a version that we know; -EMSGSIZE; or what
 * `read` failed with. */
TK_MUST_USE int tk_otel_context_read(tk_read_memory_fn read, void *world, pid_t pid,
                                     uint64_t address, struct tk_buf *payload);

/* Append the attributes of a payload as a JSON object: {"service.name":"shop","process.pid":12}.
 * -EBADMSG when it is neither form, or nests deeper than 8; `out` is then as before. */
TK_MUST_USE int tk_otel_context_format(tk_str payload, struct tk_buf *out, struct tk_err *err);

#endif
