/* SPDX-License-Identifier: Apache-2.0 */
#include "step/crc.h"

#include <stdio.h>
#include <string.h>

#include <libdeflate.h>

void tk_step_crc_put(char *at, tk_str text)
{
    char crc[TK_STEP_CRC_BYTES + 1];
    (void)snprintf(crc, sizeof(crc), "%08x ", libdeflate_crc32(0, text.p, text.n));
    memcpy(at, crc, TK_STEP_CRC_BYTES);
}

bool tk_step_crc_take(tk_str *text)
{
    char crc[TK_STEP_CRC_BYTES];
    if (text->n <= TK_STEP_CRC_BYTES)
        return false;
    const tk_str rest = {text->p + TK_STEP_CRC_BYTES, text->n - TK_STEP_CRC_BYTES};
    tk_step_crc_put(crc, rest);
    if (memcmp(crc, text->p, TK_STEP_CRC_BYTES) != 0)
        return false;
    *text = rest;
    return true;
}
