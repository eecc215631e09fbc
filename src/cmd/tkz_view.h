/* SPDX-License-Identifier: Apache-2.0 */
/* What `tracekit tkz info` shows of a file, as text or as one JSON object. */
#ifndef TK_CMD_TKZ_VIEW_H
#define TK_CMD_TKZ_VIEW_H

#include "base/buf.h"
#include "codec/attrs.h"
#include "codec/codec.h"
#include "report/look.h"

TK_MUST_USE int tk_tkz_view(const struct tk_codec_info *info, const char *name,
                            const struct tk_look *look, struct tk_buf *out, struct tk_err *err);

/* With `keys` their report as well; NULL = without. */
void tk_tkz_view_json(const struct tk_codec_info *info, const char *name,
                      const struct tk_attrs_report *keys, struct tk_buf *out);

/* Every key of attributes: its class, values and bytes, and whether they are exact; the most bytes
 * first. -ENOMEM. */
TK_MUST_USE int tk_tkz_view_keys(struct tk_attrs_report *report, const struct tk_look *look,
                                 struct tk_buf *out, struct tk_err *err);

/* The same as a member "keys" of an object. */
void tk_tkz_view_keys_json(const struct tk_attrs_report *report, struct tk_buf *out);

/* What the trees of all blocks of `file` are: what `tracekit tkz info --shapes` shows, as text or
 * as one JSON object. Blocks whose trees are damaged are left out. -ENOMEM. */
TK_MUST_USE int tk_tkz_view_shapes(tk_str file, const char *name, bool json, struct tk_buf *out,
                                   struct tk_err *err);

#endif
