/* SPDX-License-Identifier: Apache-2.0 */
#include "store/xml.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/library.h"

#define DEPTH_MAX      16
#define NAME_MAX_BYTES 48

struct expat {
    __typeof__(XML_ParserCreate) *create;
    __typeof__(XML_ParserFree) *free;
    __typeof__(XML_SetUserData) *set_user_data;
    __typeof__(XML_SetElementHandler) *set_elements;
    __typeof__(XML_SetCharacterDataHandler) *set_text;
    __typeof__(XML_SetStartDoctypeDeclHandler) *set_doctype;
    __typeof__(XML_StopParser) *stop;
    __typeof__(XML_Parse) *parse;
    __typeof__(XML_GetErrorCode) *error;
    __typeof__(XML_ErrorString) *error_text;
    __typeof__(XML_GetCurrentByteIndex) *offset;
};

static const struct tk_symbol symbols[] = {
    TK_SYMBOL(struct expat, create, XML_ParserCreate),
    TK_SYMBOL(struct expat, free, XML_ParserFree),
    TK_SYMBOL(struct expat, set_user_data, XML_SetUserData),
    TK_SYMBOL(struct expat, set_elements, XML_SetElementHandler),
    TK_SYMBOL(struct expat, set_text, XML_SetCharacterDataHandler),
    TK_SYMBOL(struct expat, set_doctype, XML_SetStartDoctypeDeclHandler),
    TK_SYMBOL(struct expat, stop, XML_StopParser),
    TK_SYMBOL(struct expat, parse, XML_Parse),
    TK_SYMBOL(struct expat, error, XML_GetErrorCode),
    TK_SYMBOL(struct expat, error_text, XML_ErrorString),
    TK_SYMBOL(struct expat, offset, XML_GetCurrentByteIndex),
};

static const struct tk_library library = {"libexpat.so.1", symbols, TK_COUNTOF(symbols)};

struct reading {
    const struct tk_xml_reader *reader;
    struct expat expat;
    XML_Parser parser;
    char names[DEPTH_MAX][NAME_MAX_BYTES]; /* of the open elements; "" = one that is too long */
    int depth;
    const struct tk_xml_field *field; /* the open element goes there; NULL = nowhere */
    size_t n;                         /* bytes that it has got */
    int rc;
    struct tk_err *err;
};

static void stop(struct reading *reading, int rc)
{
    reading->rc = rc;
    (void)reading->expat.stop(reading->parser, XML_FALSE);
}

static const struct tk_xml_field *field_find(const struct reading *reading)
{
    const struct tk_xml_plan *plan = reading->reader->plan;
    if (reading->depth < 2)
        return NULL;
    const char *name = reading->names[reading->depth - 1];
    const char *parent = reading->names[reading->depth - 2];
    for (size_t i = 0; i < plan->field_count; i++) {
        if (strcmp(plan->fields[i].name, name) == 0 && strcmp(plan->fields[i].parent, parent) == 0)
            return &plan->fields[i];
    }
    return NULL;
}

static char *place_of(const struct reading *reading, const struct tk_xml_field *field)
{
    return (char *)reading->reader->into + field->offset;
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct reading *reading = user;
    (void)attributes;
    if (reading->rc < 0)
        return;
    if (reading->depth == DEPTH_MAX) {
        stop(reading, tk_fail(reading->err, -EMSGSIZE, "XML: nested deeper than %d", DEPTH_MAX));
        return;
    }
    const char *colon = strrchr(name, ':');
    char *to = reading->names[reading->depth++];
    if (!tk_str_to_cstr(tk_str_from(colon ? colon + 1 : name), to, NAME_MAX_BYTES))
        *to = '\0';
    if (reading->depth == 1 && strcmp(to, reading->reader->plan->root) != 0 &&
        strcmp(to, "Error") != 0) {
        stop(reading, tk_fail(reading->err, -EBADMSG, "XML: is a '%s', expected a '%s'", to,
                              reading->reader->plan->root));
        return;
    }
    reading->field = field_find(reading);
    reading->n = 0;
    if (reading->field)
        *place_of(reading, reading->field) = '\0';
}

static void XMLCALL on_text(void *user, const XML_Char *text, int n)
{
    struct reading *reading = user;
    if (reading->rc < 0 || !reading->field)
        return;
    if (reading->n + (size_t)n >= reading->field->cap) {
        stop(reading, tk_fail(reading->err, -EBADMSG, "XML: a '%s' of more than %zu bytes",
                              reading->field->name, reading->field->cap - 1));
        return;
    }
    char *to = place_of(reading, reading->field);
    memcpy(to + reading->n, text, (size_t)n);
    reading->n += (size_t)n;
    to[reading->n] = '\0';
}

static void end_record(struct reading *reading)
{
    const struct tk_xml_reader *reader = reading->reader;
    int rc = reader->on_record(reader->owner, reading->err);
    if (rc < 0) {
        stop(reading, rc);
        return;
    }
    for (size_t i = 0; i < reader->plan->field_count; i++) {
        if (strcmp(reader->plan->fields[i].parent, reader->plan->record) == 0)
            *place_of(reading, &reader->plan->fields[i]) = '\0';
    }
}

static void XMLCALL on_end(void *user, const XML_Char *name)
{
    struct reading *reading = user;
    const char *record = reading->reader->plan->record;
    (void)name;
    if (reading->rc < 0)
        return;
    reading->depth--;
    reading->field = NULL;
    if (record && reading->depth == 1 && strcmp(reading->names[1], record) == 0)
        end_record(reading);
}

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int has_internal)
{
    struct reading *reading = user;
    (void)name;
    (void)system;
    (void)public;
    (void)has_internal;
    stop(reading, tk_fail(reading->err, -EBADMSG, "XML: has a document type, which is refused"));
}

static int parse(struct reading *reading, tk_str document)
{
    const struct expat *expat = &reading->expat;
    if (document.n > INT_MAX)
        return tk_fail(reading->err, -EMSGSIZE, "XML: too large");
    enum XML_Status status = expat->parse(reading->parser, document.p, (int)document.n, XML_TRUE);
    if (reading->rc < 0)
        return reading->rc;
    if (status != XML_STATUS_OK) {
        long at = (long)expat->offset(reading->parser); /* some versions: -1 = nothing was read */
        return tk_fail(reading->err, -EBADMSG, "XML: byte %ld: %s", at < 0 ? 0 : at,
                       expat->error_text(expat->error(reading->parser)));
    }
    return 0;
}

int tk_xml_read(const struct tk_xml_reader *reader, tk_str document, struct tk_err *err)
{
    struct reading reading = {.reader = reader, .err = err};
    int rc = tk_library_load(&library, &reading.expat, err);
    if (rc < 0)
        return rc;
    const struct expat *expat = &reading.expat;
    reading.parser = expat->create(NULL);
    if (!reading.parser)
        return tk_fail(err, -ENOMEM, "XML: out of memory");
    expat->set_user_data(reading.parser, &reading);
    expat->set_elements(reading.parser, on_start, on_end);
    expat->set_text(reading.parser, on_text);
    expat->set_doctype(reading.parser, on_doctype);
    rc = parse(&reading, document);
    expat->free(reading.parser);
    return rc;
}

static const char *entity_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    default:
        return NULL;
    }
}

bool tk_xml_put_text(struct tk_buf *out, tk_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        const char *entity = entity_of(text.p[i]);
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7F)
            return false;
        if (entity) {
            tk_buf_puts(out, entity);
        } else {
            tk_buf_putc(out, text.p[i]);
        }
    }
    return true;
}
