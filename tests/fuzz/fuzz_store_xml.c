/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of S3's XML neither crashes nor writes past a field. */
#include <stdlib.h>
#include <string.h>

#include "store/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct row {
    char key[8], token[16], code[4];
};

static const struct tk_xml_field fields[] = {
    TK_XML_FIELD(struct row, "Contents", "Key", key),
    TK_XML_FIELD(struct row, "ListBucketResult", "NextContinuationToken", token),
    TK_XML_FIELD(struct row, "Error", "Code", code),
};

static const struct tk_xml_plan plan = {"ListBucketResult", "Contents", fields, 3};

static int check_row(void *owner, struct tk_err *err)
{
    struct row *row = owner;
    (void)err;
    if (!memchr(row->key, 0, sizeof(row->key)) || !memchr(row->token, 0, sizeof(row->token)))
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct row row = {0};
    struct tk_err err;
    const struct tk_xml_reader reader = {&plan, &row, check_row, &row};
    (void)tk_xml_read(&reader, (tk_str){(const char *)data, size}, &err);
    return check_row(&row, &err);
}
