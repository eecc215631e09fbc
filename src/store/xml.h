/* SPDX-License-Identifier: Apache-2.0 */
/* The XML that S3 answers with, read by expat into structs of text fields. Which element goes where
 * stands in a const table; others are skipped, prefixes of namespaces are ignored. Document types
 * and entities are refused; depth, and the size of what is kept, are limited (object-store.md
 * section 7). Safe from any thread. */
#ifndef TK_STORE_XML_H
#define TK_STORE_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* <parent><name>text</name></parent> goes to the char[cap] at `offset`, terminated. */
struct tk_xml_field {
    const char *parent, *name;
    size_t offset, cap;
};

#define TK_XML_FIELD(type, parent, name, field)                                                    \
    {                                                                                              \
        parent, name, offsetof(type, field), sizeof(((type *)0)->field)                            \
    }

struct tk_xml_plan {
    const char *root;   /* the document's element; "Error" is always taken, too */
    const char *record; /* `on_record` is called at the end of each; NULL = there is none */
    const struct tk_xml_field *fields;
    size_t field_count;
};

/* Called with the `into` of tk_xml_read(); the fields below the record are emptied afterwards. */
typedef int (*tk_xml_record_fn)(void *owner, struct tk_err *err);

struct tk_xml_reader {
    const struct tk_xml_plan *plan;
    void *into; /* the struct of the fields, which starts zeroed */
    tk_xml_record_fn on_record;
    void *owner; /* for on_record */
};

/* Read a document. -EBADMSG when it is none, has another root, a document type or a text that does
 * not fit its field; -EMSGSIZE when it is nested too deeply; -ENOENT when expat is not there; or
 * what on_record returned below 0. */
TK_MUST_USE int tk_xml_read(const struct tk_xml_reader *reader, tk_str document,
                            struct tk_err *err);

/* Append text with & < > " as entities; false when it holds a control character. */
bool tk_xml_put_text(struct tk_buf *out, tk_str text);

#endif
