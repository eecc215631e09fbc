/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that were made for one command, and whose wrapper was killed before it wrote their document:
 * nobody else knows of them, so whoever comes next writes it. Their steps end with the last that is
 * known of them, at most a second before the wrapper's end. */
#ifndef TK_STEP_RECOVER_H
#define TK_STEP_RECOVER_H

#include <stddef.h>

/* Write the documents that are missing in a state folder, which may be missing itself; returns how
 * many. What cannot be read is left as it is. It costs two system calls where there is none. */
size_t tk_jobs_recover(const char *folder);

#endif
