/* SPDX-License-Identifier: Apache-2.0 */
/* Drawing on a terminal, for people: text that is safe to print, tables, sparklines, bars. It
 * knows nothing of runs; the caller turns figures into text (base/human.h) and decides what stands
 * where.
 *
 *   look.h   what the terminal can show: colours, UTF-8, width
 *   text.h   width of text, wrapping, cutting, cleaning
 *   chart.h  sparklines and bars
 *   grid.h   tables
 *
 * All of it appends to a struct tk_buf and does no output of its own.
 */
#ifndef TK_REPORT_REPORT_H
#define TK_REPORT_REPORT_H

#include "report/chart.h"
#include "report/grid.h"
#include "report/look.h"
#include "report/text.h"

#endif
