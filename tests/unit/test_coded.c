/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "serve/coded.h"
#include "tk_test.h"

static void the_client_chooses_the_coding(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        enum tk_coding coding;
    } cases[] = {
        {"", TK_CODING_IDENTITY},
        {"gzip", TK_CODING_GZIP},
        {"GZIP", TK_CODING_GZIP},
        {"gzip, deflate, br, zstd", TK_CODING_ZSTD},
        {"deflate, gzip;q=1.0, *;q=0.5", TK_CODING_GZIP},
        {"zstd;q=0.5,gzip;q=0.8", TK_CODING_GZIP},
        {"gzip;q=0", TK_CODING_IDENTITY},
        {"gzip;q=0.0, *", TK_CODING_ZSTD},
        {"*;q=0", TK_CODING_IDENTITY},
        {"br", TK_CODING_IDENTITY},
        {"identity, gzip;q=0.5", TK_CODING_IDENTITY},
        {"gzip ; q=0.7 , identity;q=0.2", TK_CODING_GZIP},
        {"gzip;q=much", TK_CODING_IDENTITY},
        {"gzip;level=9", TK_CODING_IDENTITY},
        {",,;,", TK_CODING_IDENTITY},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_int_equal(tk_coding_choose(tk_str_from(cases[i].accept)), cases[i].coding);
}

static void a_coded_body_holds_the_same(void **state)
{
    (void)state;
    static const enum tk_coding codings[] = {TK_CODING_GZIP, TK_CODING_ZSTD};
    static const char *const names[] = {"gzip", "zstd"};
    for (size_t i = 0; i < TK_COUNTOF(codings); i++) {
        struct tk_err err;
        struct tk_inflater *inflater;
        TK_CLEANUP(tk_buf_release) struct tk_buf body;
        TK_CLEANUP(tk_buf_release) struct tk_buf plain;
        tk_str again;
        tk_buf_init(&body, 1 << 20);
        tk_buf_init(&plain, 1 << 20);
        for (int k = 0; k < 5000; k++)
            tk_buf_printf(&body, "{\"traceID\":\"%d\"}", k * k);
        tk_buf_put(&plain, tk_buf_str(&body));
        assert_true(tk_coded_make(codings[i], &body));
        assert_true(body.n < plain.n / 2);
        assert_int_equal(tk_inflater_new(1 << 20, &inflater, &err), 0);
        assert_int_equal(tk_inflater_decode(inflater, codings[i], tk_buf_str(&body), &again, &err),
                         0);
        assert_true(tk_str_eq(again, tk_buf_str(&plain)));
        assert_string_equal(tk_coding_name(codings[i]), names[i]);
        tk_inflater_free(inflater);
    }
}

static void a_body_that_gets_no_shorter_stays(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf body;
    tk_buf_init(&body, 1 << 20);
    uint64_t x = 1;
    for (int i = 0; i < 4096; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407U;
        tk_buf_putc(&body, (char)(x >> 56));
    }
    char first = body.p[0];
    assert_false(tk_coded_make(TK_CODING_GZIP, &body));
    assert_false(tk_coded_make(TK_CODING_ZSTD, &body));
    assert_int_equal(body.n, 4096);
    assert_int_equal(body.p[0], first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_chooses_the_coding),
        cmocka_unit_test(a_coded_body_holds_the_same),
        cmocka_unit_test(a_body_that_gets_no_shorter_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
