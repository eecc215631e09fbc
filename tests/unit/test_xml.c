/* SPDX-License-Identifier: Apache-2.0 */
#include "tk_test.h"

#include <errno.h>
#include <string.h>

#include "store/xml.h"

struct row {
    char key[8], size[8], next[16], code[16];
};

static const struct tk_xml_field fields[] = {
    TK_XML_FIELD(struct row, "Item", "Key", key),
    TK_XML_FIELD(struct row, "Item", "Size", size),
    TK_XML_FIELD(struct row, "List", "Next", next),
    TK_XML_FIELD(struct row, "Error", "Code", code),
};

static const struct tk_xml_plan plan = {"List", "Item", fields, TK_COUNTOF(fields)};

struct rows {
    struct row row;
    struct tk_buf seen;
};

static int note_row(void *owner, struct tk_err *err)
{
    struct rows *rows = owner;
    tk_buf_printf(&rows->seen, "%s=%s;", rows->row.key, rows->row.size);
    return strcmp(rows->row.key, "stop") == 0 ? tk_fail(err, -EXFULL, "stop") : 0;
}

static int read_text(const char *text, struct rows *rows, struct tk_err *err)
{
    memset(rows, 0, sizeof(*rows));
    tk_buf_init(&rows->seen, 1024);
    const struct tk_xml_reader reader = {&plan, &rows->row, note_row, rows};
    return tk_xml_read(&reader, tk_str_from(text), err);
}

static void records_and_fields_are_read(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "<List><Next>t&amp;k</Next><Item><Key>a</Key><Size>1</Size></Item><Item><Key>b</Key></Item>"
        "</List>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:List xmlns:s=\"http://x/\"><s:Other><s:Key>no"
        "</s:Key></s:Other><s:Item><s:Owner><s:ID>1</s:ID></s:Owner><s:Key>a</s:Key><s:Size>1"
        "</s:Size></s:Item><s:Item><s:Key>b</s:Key><s:Size/></s:Item><s:Next>t&#38;k</s:Next>"
        "</s:List>",
    };
    for (size_t i = 0; i < TK_COUNTOF(texts); i++) {
        struct rows rows;
        struct tk_err err = {0};
        assert_int_equal(read_text(texts[i], &rows, &err), 0);
        assert_str_equal(tk_buf_str(&rows.seen), "a=1;b=;");
        assert_string_equal(rows.row.next, "t&k");
        tk_buf_release(&rows.seen);
    }
}

static void an_error_takes_the_place_of_any_document(void **state)
{
    (void)state;
    struct rows rows;
    struct tk_err err;
    assert_int_equal(read_text("<Error><Code>SlowDown</Code></Error>", &rows, &err), 0);
    assert_string_equal(rows.row.code, "SlowDown");
    tk_buf_release(&rows.seen);
}

static void what_is_not_right_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int rc;
        const char *message;
    } cases[] = {
        {"", -EBADMSG, "XML: byte 0: no element found"},
        {"<List>", -EBADMSG, "XML: byte 6: no element found"},
        {"<List></Lost>", -EBADMSG, "XML: byte 8: mismatched tag"},
        {"<Html></Html>", -EBADMSG, "XML: is a 'Html', expected a 'List'"},
        {"<!DOCTYPE List [<!ENTITY a \"aaaaaaaaaa\">]><List><Next>&a;</Next></List>", -EBADMSG,
         "XML: has a document type, which is refused"},
        {"<!DOCTYPE List SYSTEM \"file:///etc/passwd\"><List/>", -EBADMSG,
         "XML: has a document type, which is refused"},
        {"<List><Next>0123456789abcdef</Next></List>", -EBADMSG,
         "XML: a 'Next' of more than 15 bytes"},
        {"<List><Item><Key>stop</Key></Item></List>", -EXFULL, "stop"},
        {"<List><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>", -EMSGSIZE,
         "XML: nested deeper than 16"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct rows rows;
        struct tk_err err;
        assert_int_equal(read_text(cases[i].text, &rows, &err), cases[i].rc);
        assert_string_equal(err.msg, cases[i].message);
        tk_buf_release(&rows.seen);
    }
}

static void text_is_escaped_and_control_characters_refused(void **state)
{
    (void)state;
    struct tk_buf out;
    tk_buf_init(&out, 256);
    assert_true(tk_xml_put_text(&out, TK_STR("a<b>&\"c'\xC3\xA9")));
    assert_str_equal(tk_buf_str(&out), "a&lt;b&gt;&amp;&quot;c'\xC3\xA9");
    assert_false(tk_xml_put_text(&out, TK_STR("a\x01")));
    tk_buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_and_fields_are_read),
        cmocka_unit_test(an_error_takes_the_place_of_any_document),
        cmocka_unit_test(what_is_not_right_is_named),
        cmocka_unit_test(text_is_escaped_and_control_characters_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
