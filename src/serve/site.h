/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a web page, a bundle of Jaeger's UI (trace-protocols.md section 7.3): read once into
 * memory, so that a request names an entry of a table and never a path of this machine. */
#ifndef TK_SERVE_SITE_H
#define TK_SERVE_SITE_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "serve/routes.h"

struct tk_site;

/* Read a folder, which must hold an index.html: its placeholders of version and capabilities are
 * filled in. Links in it are left out. -EMSGSIZE when it is no page by its size. */
TK_MUST_USE int tk_site_load(const char *folder, struct tk_site **ret_site, struct tk_err *err);

/* Accepts NULL. */
void tk_site_free(struct tk_site *site);

struct tk_site_counts {
    size_t files;
    uint64_t bytes;
    size_t left_out; /* links, and what is neither file nor folder */
};

/* What the folder held when it was read. */
struct tk_site_counts tk_site_count(const struct tk_site *site);

/* Answer a GET of a path, "/" and all that the page itself makes sense of with its index.html; 404
 * below "/static/" and of what has the path of an API. Any thread. */
void tk_site_answer(const struct tk_site *site, tk_str path, struct tk_answer *answer);

#endif
