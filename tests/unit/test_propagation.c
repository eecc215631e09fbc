/* SPDX-License-Identifier: Apache-2.0 */
#include "span/propagation.h"

#include <string.h>

#include "base/compiler.h"
#include "tk_test.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"

static void a_traceparent_is_read_as_the_recommendation_says(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"00-" TRACE "-" SPAN "-01", true},
        {"00-" TRACE "-" SPAN "-ff", true},
        {"cc-" TRACE "-" SPAN "-01", true},
        {"cc-" TRACE "-" SPAN "-01-what-the-future-brings", true},
        {"cc-" TRACE "-" SPAN "-01.what", false},
        {"00-" TRACE "-" SPAN "-01-more", false},
        {"ff-" TRACE "-" SPAN "-01", false},
        {"00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01", false},
        {"00-00000000000000000000000000000000-" SPAN "-01", false},
        {"00-" TRACE "-0000000000000000-01", false},
        {"00-" TRACE "-" SPAN "-1", false},
        {"00-" TRACE "-" SPAN "-0g", false},
        {"00-" TRACE "_" SPAN "-01", false},
        {"00-" TRACE "-" SPAN, false},
        {"", false},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_traceparent parent = {.flags = 0x77};
        if (tk_traceparent_parse(tk_str_from(cases[i].text), &parent) != cases[i].ok)
            fail_msg("%s", cases[i].text);
        assert_int_equal(parent.flags == 0x77, !cases[i].ok);
    }
}

static void a_traceparent_is_written_as_it_was_read(void **state)
{
    (void)state;
    struct tk_traceparent parent;
    char text[TK_TRACEPARENT_BYTES + 1];
    assert_true(tk_traceparent_parse(TK_STR("cc-" TRACE "-" SPAN "-03-x"), &parent));
    tk_traceparent_format(&parent, text);
    assert_string_equal(text, "00-" TRACE "-" SPAN "-03");
}

static void a_list_that_fits_stays_and_long_members_go_first(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf in;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&in, 1 << 16);
    tk_buf_init(&out, 1 << 16);
    tk_tracestate_put(TK_STR(" a=1 ,, b=2"), &out);
    assert_str_equal(tk_buf_str(&out), "a=1,b=2");

    tk_buf_puts(&in, "long=");
    for (int i = 0; i < 300; i++)
        tk_buf_putc(&in, 'x');
    for (int i = 0; i < 30; i++)
        tk_buf_printf(&in, ",key%02d=0123456789", i);
    tk_buf_reset(&out);
    tk_tracestate_put(tk_buf_str(&in), &out);
    assert_true(tk_str_starts_with(tk_buf_str(&out), TK_STR("key00=0123456789,key01=")));
    assert_in_range(out.n, 480, 512);
    assert_true(tk_str_ends_with(tk_buf_str(&out), TK_STR("=0123456789")));
}

static void a_list_has_at_most_so_many_members(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf in;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&in, 1 << 16);
    tk_buf_init(&out, 1 << 16);
    for (int i = 0; i < 100; i++)
        tk_buf_printf(&in, "k%d=v,", i);
    tk_baggage_put(tk_buf_str(&in), &out);
    assert_true(tk_str_ends_with(tk_buf_str(&out), TK_STR(",k63=v")));
    tk_buf_reset(&out);
    tk_tracestate_put(tk_buf_str(&in), &out);
    assert_true(tk_str_ends_with(tk_buf_str(&out), TK_STR(",k31=v")));
}

static void a_resource_attribute_is_added_once(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
    } cases[] = {
        {"", "tk=new"},
        {"service.name=shop", "service.name=shop,tk=new"},
        {"tk=old,a=1", "a=1,tk=new"},
        {"a=1,, tk=old", "a=1,tk=new"},
        {"tkx=old", "tkx=old,tk=new"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        tk_buf_init(&out, 1 << 16);
        tk_resource_attributes_put(tk_str_from(cases[i].before), TK_STR("tk"), TK_STR("new"), &out);
        assert_str_equal(tk_buf_str(&out), cases[i].after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_traceparent_is_read_as_the_recommendation_says),
        cmocka_unit_test(a_traceparent_is_written_as_it_was_read),
        cmocka_unit_test(a_list_that_fits_stays_and_long_members_go_first),
        cmocka_unit_test(a_list_has_at_most_so_many_members),
        cmocka_unit_test(a_resource_attribute_is_added_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
