/* SPDX-License-Identifier: Apache-2.0 */
/* The CRC-32 before a line or a text in the state folder: eight hexadecimal digits and a blank. */
#ifndef TK_STEP_CRC_H
#define TK_STEP_CRC_H

#include <stdbool.h>

#include "base/str.h"

#define TK_STEP_CRC_BYTES 9

/* Write that of `text` to the TK_STEP_CRC_BYTES bytes at `at`; they are not ended by a NUL. */
void tk_step_crc_put(char *at, tk_str text);

/* Take it off the text; false when it is not there or is not that of what follows. */
bool tk_step_crc_take(tk_str *text);

#endif
