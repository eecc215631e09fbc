/* SPDX-License-Identifier: Apache-2.0 */
/* A file of compressed traces as an input of spans (span_input.h). Decoding pushes, inputs pull: a
 * thread decodes and waits until its rows are taken. */
#ifndef TK_CMD_TKZ_INPUT_H
#define TK_CMD_TKZ_INPUT_H

#include "cmd/span_input.h"

extern const struct tk_span_input_kind tk_tkz_input_kind;

#endif
