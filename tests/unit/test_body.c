/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "serve/body.h"
#include "tk_test.h"

#define MIB ((size_t)1 << 20)

/* Bodies ------------------------------------------------------------------------------------ */

static void bodies_are_assembled_of_pieces(void **state)
{
    (void)state;
    struct tk_bodies bodies;
    struct tk_body body = {0};
    tk_bodies_init(&bodies, MIB, MIB);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(tk_body_add(&bodies, &body, TK_STR("0123456")), 0);
    assert_int_equal(body.n, 700000);
    assert_memory_equal(body.p + 699993, "0123456", 7);
    tk_body_release(&bodies, &body);
    assert_int_equal(bodies.used_bytes, 0);
    tk_bodies_release(&bodies);
}

static void a_body_over_its_limit_is_too_large(void **state)
{
    (void)state;
    struct tk_bodies bodies;
    struct tk_body body = {0};
    tk_bodies_init(&bodies, 10, MIB);
    assert_int_equal(tk_body_reserve(&bodies, &body, 11), -EMSGSIZE);
    assert_int_equal(tk_body_add(&bodies, &body, TK_STR("0123456789")), 0);
    assert_int_equal(tk_body_add(&bodies, &body, TK_STR("0")), -EMSGSIZE);
    assert_int_equal(body.n, 10);
    tk_body_release(&bodies, &body);
    tk_bodies_release(&bodies);
}

static void the_budget_is_for_all_bodies(void **state)
{
    (void)state;
    struct tk_bodies bodies;
    struct tk_body first = {0}, second = {0};
    tk_bodies_init(&bodies, MIB, 3 * MIB / 2);
    assert_int_equal(tk_body_reserve(&bodies, &first, MIB), 0);
    assert_int_equal(tk_body_reserve(&bodies, &second, MIB), -ENOBUFS);
    tk_body_release(&bodies, &first);
    assert_int_equal(tk_body_reserve(&bodies, &second, MIB), 0);
    tk_body_release(&bodies, &second);
    tk_bodies_release(&bodies);
}

static void buffers_are_used_again(void **state)
{
    (void)state;
    struct tk_bodies bodies;
    struct tk_body body = {0};
    tk_bodies_init(&bodies, MIB, MIB);
    assert_int_equal(tk_body_reserve(&bodies, &body, 1000), 0);
    const char *p = body.p;
    tk_body_release(&bodies, &body);
    assert_int_equal(tk_body_reserve(&bodies, &body, 2000), 0);
    assert_ptr_equal(body.p, p);
    tk_body_release(&bodies, &body);
    tk_bodies_release(&bodies);
}

/* Codings ----------------------------------------------------------------------------------- */

static void codings_are_found_in_any_case(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int coding; /* -1 = unknown */
    } cases[] = {
        {"", TK_CODING_IDENTITY},
        {"identity", TK_CODING_IDENTITY},
        {"gzip", TK_CODING_GZIP},
        {"GZIP", TK_CODING_GZIP},
        {"x-gzip", TK_CODING_GZIP},
        {"zlib", TK_CODING_DEFLATE},
        {"Zstd", TK_CODING_ZSTD},
        {"deflate", TK_CODING_DEFLATE},
        {"br", -1},
        {"gzip, gzip", -1},
        {"gzi", -1},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        enum tk_coding coding;
        bool found = tk_coding_find(tk_str_from(cases[i].name), &coding);
        assert_int_equal(found ? (int)coding : -1, cases[i].coding);
    }
}

/* Compress `plain` into `out` of that many bytes. */
static size_t encode(enum tk_coding coding, bool raw, tk_str plain, char *out, size_t cap)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    size_t n = 0;
    if (coding == TK_CODING_ZSTD)
        n = ZSTD_compress(out, cap, plain.p, plain.n, 3);
    else if (coding == TK_CODING_GZIP)
        n = libdeflate_gzip_compress(compressor, plain.p, plain.n, out, cap);
    else if (raw)
        n = libdeflate_deflate_compress(compressor, plain.p, plain.n, out, cap);
    else
        n = libdeflate_zlib_compress(compressor, plain.p, plain.n, out, cap);
    libdeflate_free_compressor(compressor);
    return n;
}

static const struct {
    enum tk_coding coding;
    bool raw;
} codings[] = {
    {TK_CODING_GZIP, false},
    {TK_CODING_DEFLATE, false},
    {TK_CODING_DEFLATE, true},
    {TK_CODING_ZSTD, false},
};

static void every_coding_gives_back_the_text(void **state)
{
    (void)state;
    struct tk_inflater *inflater;
    struct tk_err err;
    char packed[4096];
    tk_str plain;
    assert_int_equal(tk_inflater_new(MIB, &inflater, &err), 0);
    for (size_t i = 0; i < TK_COUNTOF(codings); i++) {
        size_t n = encode(codings[i].coding, codings[i].raw, TK_STR("spans, spans, spans"), packed,
                          sizeof(packed));
        assert_int_equal(
            tk_inflater_decode(inflater, codings[i].coding, (tk_str){packed, n}, &plain, &err), 0);
        assert_str_equal(plain, "spans, spans, spans");
    }
    assert_int_equal(
        tk_inflater_decode(inflater, TK_CODING_IDENTITY, TK_STR("as it is"), &plain, &err), 0);
    assert_str_equal(plain, "as it is");
    tk_inflater_free(inflater);
}

static void a_stream_may_have_several_members(void **state)
{
    (void)state;
    static const enum tk_coding both[] = {TK_CODING_GZIP, TK_CODING_ZSTD};
    struct tk_inflater *inflater;
    struct tk_err err;
    char packed[4096];
    tk_str plain;
    assert_int_equal(tk_inflater_new(MIB, &inflater, &err), 0);
    for (size_t i = 0; i < TK_COUNTOF(both); i++) {
        size_t n = encode(both[i], false, TK_STR("one, "), packed, sizeof(packed));
        n += encode(both[i], false, TK_STR("two"), packed + n, sizeof(packed) - n);
        assert_int_equal(tk_inflater_decode(inflater, both[i], (tk_str){packed, n}, &plain, &err),
                         0);
        assert_str_equal(plain, "one, two");
    }
    tk_inflater_free(inflater);
}

static void streams_that_are_cut_or_damaged_are_refused(void **state)
{
    (void)state;
    struct tk_inflater *inflater;
    struct tk_err err;
    char packed[4096];
    tk_str plain;
    assert_int_equal(tk_inflater_new(MIB, &inflater, &err), 0);
    for (size_t i = 0; i < TK_COUNTOF(codings); i++) {
        enum tk_coding coding = codings[i].coding;
        size_t n = encode(coding, codings[i].raw, TK_STR("spans, spans, spans and more of them"),
                          packed, sizeof(packed));
        for (size_t cut = 0; cut < n; cut++) {
            assert_int_equal(
                tk_inflater_decode(inflater, coding, (tk_str){packed, cut}, &plain, &err),
                -EBADMSG);
        }
        assert_int_equal(tk_inflater_decode(inflater, coding, TK_STR("no stream"), &plain, &err),
                         -EBADMSG);
    }
    tk_inflater_free(inflater);
}

/* Zeros become a thousandth of their size. */
static void bombs_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t max_bytes, bytes;
        int rc;
        const char *message;
    } cases[] = {
        {8 * MIB, MIB, 0, NULL},
        {8 * MIB, 4 * MIB, -EMSGSIZE, "body: inflates to more than 500 times its size"},
        {MIB, 4 * MIB, -EMSGSIZE, "body: inflates to more than the 1048576 bytes that are allowed"},
    };
    char *zeros = calloc(4, MIB);
    char *packed = malloc(MIB);
    assert_true(zeros && packed);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_inflater *inflater;
        struct tk_err err = {0};
        tk_str plain;
        assert_int_equal(tk_inflater_new(cases[i].max_bytes, &inflater, &err), 0);
        for (size_t k = 0; k < TK_COUNTOF(codings); k++) {
            size_t n = encode(codings[k].coding, codings[k].raw, (tk_str){zeros, cases[i].bytes},
                              packed, MIB);
            assert_int_equal(
                tk_inflater_decode(inflater, codings[k].coding, (tk_str){packed, n}, &plain, &err),
                cases[i].rc);
            if (cases[i].message)
                assert_string_equal(err.msg, cases[i].message);
        }
        tk_inflater_free(inflater);
    }
    free(packed);
    free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_assembled_of_pieces),
        cmocka_unit_test(a_body_over_its_limit_is_too_large),
        cmocka_unit_test(the_budget_is_for_all_bodies),
        cmocka_unit_test(buffers_are_used_again),
        cmocka_unit_test(codings_are_found_in_any_case),
        cmocka_unit_test(every_coding_gives_back_the_text),
        cmocka_unit_test(a_stream_may_have_several_members),
        cmocka_unit_test(streams_that_are_cut_or_damaged_are_refused),
        cmocka_unit_test(bombs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
