/* SPDX-License-Identifier: Apache-2.0 */
/* Records of steps as marked lines of a log, for where a log is all that leaves the place: a
 * virtual machine that Packer builds.
 *
 *     ##tk1
 * {"verb":"start","span":"5f3a.2b","real_ns":17...,"step":{"name":"base"},"crc":"1f0a93c4"}
 *
 * The CRC-32 is that of all between the mark and `,"crc"`. White space stands only behind the mark,
 * and spaces in texts are escaped: so a line is found and put together again whatever a log has put
 * before it, coloured it with or broken it into. One thread at a time. */
#ifndef TK_STEP_MARKED_H
#define TK_STEP_MARKED_H

#include "step/record.h"

#define TK_MARK "##tk1 "

/* Most bytes of a line, with its newline. */
#define TK_MARKED_MAX 1024

/* Append the record as one line: verb, span, time and what is known of the step, but for lists.
 * Where that is too long, the figures that matter least are left out, then the end of the name. */
void tk_marked_put(const struct tk_step_record *record, struct tk_buf *out);

/* Takes what a reader finds. `json` is a record as an object, its CRC checked and taken off; `line`
 * is any other line as it came, with its newline, the last one perhaps without. Both are borrowed
 * for the call. */
struct tk_marked_sink {
    void (*record)(void *into, tk_str json);
    void (*line)(void *into, tk_str line);
    void *into;
};

struct tk_marked_reader;

TK_MUST_USE int tk_marked_reader_new(const struct tk_marked_sink *sink,
                                     struct tk_marked_reader **ret_reader, struct tk_err *err);

/* Accepts NULL. */
void tk_marked_reader_free(struct tk_marked_reader *reader);

/* For TK_CLEANUP. */
void tk_marked_reader_freep(struct tk_marked_reader **reader);

/* Take the next bytes of the log, cut anywhere. Marked lines that do not come to an end, or do not
 * check, are lines as any others. */
void tk_marked_reader_feed(struct tk_marked_reader *reader, tk_str bytes);

/* The log has ended, or rests: give out what is held back. */
void tk_marked_reader_flush(struct tk_marked_reader *reader);

/* Append a line of a log without what a terminal would act upon, and with the commas of Packer's
 * machine-readable output. */
void tk_marked_put_plain(tk_str line, struct tk_buf *out);

#endif
