/* SPDX-License-Identifier: Apache-2.0 */
#include "tk_test.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "store/sigv4.h"
#include "store/url.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
/* The documentation of S3 has another one. */
#define SECRET_S3 "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

/* A request as a person writes it, and the signature that AWS publishes for it. */
struct vector {
    const char *name, *method, *path;
    struct tk_url_param params[3];
    struct tk_sigv4_header headers[5];
    const char *payload_hash, *signature;
};

#define LITERAL(text)                                                                              \
    {                                                                                              \
        "" text, sizeof(text) - 1                                                                  \
    }
#define P(name, value)                                                                             \
    {                                                                                              \
        LITERAL(name), LITERAL(value)                                                              \
    }
#define AT_SUITE P("host", "example.amazonaws.com"), P("x-amz-date", "20150830T123600Z")
#define AT_S3    P("x-amz-date", "20130524T000000Z"), P("host", "examplebucket.s3.amazonaws.com")
#define EMPTY    TK_SIGV4_EMPTY

/* The published test suite: service "service", 2015-08-30. */
static const struct vector suite[] = {
    {"get-vanilla",
     "GET",
     "/",
     {{{0}}},
     {AT_SUITE},
     EMPTY,
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-vanilla-query-order-key-case",
     "GET",
     "/",
     {P("Param2", "value2"), P("Param1", "value1")},
     {AT_SUITE},
     EMPTY,
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-vanilla-empty-query-key",
     "GET",
     "/",
     {P("Param1", "value1")},
     {AT_SUITE},
     EMPTY,
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {"get-utf8",
     "GET",
     "/\xE1\x88\xB4",
     {{{0}}},
     {AT_SUITE},
     EMPTY,
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"post-vanilla",
     "POST",
     "/",
     {{{0}}},
     {AT_SUITE},
     EMPTY,
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
};

/* The examples of the API reference of S3, "Signature Calculations for the Authorization Header":
 * 2013-05-24, us-east-1. */
static const struct vector s3_examples[] = {
    {"GET object",
     "GET",
     "/test.txt",
     {{{0}}},
     {P("range", "bytes=0-9"), P("x-amz-content-sha256", EMPTY), AT_S3},
     EMPTY,
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"PUT object",
     "PUT",
     "/test$file.text",
     {{{0}}},
     {P("date", "Fri, 24 May 2013 00:00:00 GMT"), P("x-amz-storage-class", "REDUCED_REDUNDANCY"),
      P("x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
      AT_S3},
     "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"GET lifecycle",
     "GET",
     "/",
     {P("lifecycle", "")},
     {P("x-amz-content-sha256", EMPTY), AT_S3},
     EMPTY,
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"GET list",
     "GET",
     "/",
     {P("prefix", "J"), P("max-keys", "2")},
     {P("x-amz-content-sha256", EMPTY), AT_S3},
     EMPTY,
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static int64_t day_ns(int year, int month, int day, int seconds)
{
    return (tk_civil_to_s(&(struct tk_civil){.year = year, .month = month, .day = day}) + seconds) *
           TK_NS_PER_S;
}

/* Sign a vector; the value ends with its signature. */
static void check_vector(struct tk_signer *signer, const struct vector *vector, int64_t time_ns)
{
    size_t params = 0, headers = 0;
    struct tk_buf path, query, value;
    struct tk_err err;
    while (params < TK_COUNTOF(vector->params) && vector->params[params].name.n > 0)
        params++;
    while (headers < TK_COUNTOF(vector->headers) && vector->headers[headers].name.n > 0)
        headers++;
    tk_buf_init(&path, 1024);
    tk_buf_init(&query, 1024);
    tk_buf_init(&value, 1024);
    tk_url_put_path(&path, tk_str_from(vector->path));
    tk_url_put_query(&query, vector->params, params);
    const struct tk_sigv4_request request = {
        .method = tk_str_from(vector->method),
        .path = tk_buf_str(&path),
        .query = tk_buf_str(&query),
        .headers = vector->headers,
        .header_count = headers,
        .payload_hash = tk_str_from(vector->payload_hash),
        .time_ns = time_ns,
    };
    assert_int_equal(tk_sigv4_sign(signer, &request, &value, &err), 0);
    if (!tk_str_ends_with(tk_buf_str(&value), tk_str_from(vector->signature))) {
        print_error("%s: %.*s\n", vector->name, TK_STR_ARG(tk_buf_str(&value)));
        fail();
    }
    tk_buf_release(&path);
    tk_buf_release(&query);
    tk_buf_release(&value);
}

static void signatures_are_those_of_the_published_suite(void **state)
{
    (void)state;
    struct tk_signer signer;
    struct tk_err err;
    const struct tk_credentials credentials = {"AKIDEXAMPLE", SECRET, NULL};
    assert_int_equal(tk_signer_init(&signer, &credentials, TK_STR("us-east-1"), &err), 0);
    signer.service = "service";
    for (size_t i = 0; i < TK_COUNTOF(suite); i++)
        check_vector(&signer, &suite[i], day_ns(2015, 8, 30, 12 * 3600 + 36 * 60));
    tk_signer_release(&signer);
}

static int open_s3_signer(struct tk_signer *signer)
{
    const struct tk_credentials credentials = {"AKIAIOSFODNN7EXAMPLE", SECRET_S3, NULL};
    struct tk_err err;
    return tk_signer_init(signer, &credentials, TK_STR("us-east-1"), &err);
}

static void signatures_are_those_of_the_documentation_of_s3(void **state)
{
    (void)state;
    struct tk_signer signer;
    assert_int_equal(open_s3_signer(&signer), 0);
    for (size_t i = 0; i < TK_COUNTOF(s3_examples); i++)
        check_vector(&signer, &s3_examples[i], day_ns(2013, 5, 24, 0));
    tk_signer_release(&signer);
}

static void the_header_names_scope_and_headers(void **state)
{
    (void)state;
    static const struct tk_sigv4_header headers[] = {P("x-amz-meta-test-two", "2"),
                                                     P("x-amz-meta-test", "1"), P("host", "h:1")};
    struct tk_signer signer;
    struct tk_buf value;
    struct tk_err err;
    tk_buf_init(&value, 1024);
    assert_int_equal(open_s3_signer(&signer), 0);
    const struct tk_sigv4_request request = {.method = TK_STR("GET"),
                                             .path = TK_STR("/"),
                                             .headers = headers,
                                             .header_count = 3,
                                             .payload_hash = TK_STR(EMPTY),
                                             .time_ns = day_ns(2026, 11, 21, 0)};
    assert_int_equal(tk_sigv4_sign(&signer, &request, &value, &err), 0);
    assert_true(tk_str_starts_with(
        tk_buf_str(&value),
        TK_STR("AWS4-HMAC-SHA256 "
               "Credential=AKIAIOSFODNN7EXAMPLE/20261121/us-east-1/s3/aws4_request, "
               "SignedHeaders=host;x-amz-meta-test;x-amz-meta-test-two, Signature=")));
    tk_buf_release(&value);
    tk_signer_release(&signer);
}

static void a_new_day_or_region_has_a_new_key(void **state)
{
    (void)state;
    struct tk_signer signer;
    struct tk_err err;
    assert_int_equal(open_s3_signer(&signer), 0);
    signer.service = "s3";
    check_vector(&signer, &s3_examples[0], day_ns(2013, 5, 24, 0));
    struct vector other = s3_examples[0];
    other.signature = "";
    check_vector(&signer, &other, day_ns(2013, 5, 25, 0));
    check_vector(&signer, &s3_examples[0], day_ns(2013, 5, 24, 0));
    assert_int_equal(tk_signer_set_region(&signer, TK_STR("eu-west-1"), &err), 0);
    check_vector(&signer, &other, day_ns(2013, 5, 24, 0));
    assert_string_equal(signer.key_scope, "20130524/eu-west-1");
    assert_int_equal(tk_signer_set_region(&signer, TK_STR("us-east-1"), &err), 0);
    check_vector(&signer, &s3_examples[0], day_ns(2013, 5, 24, 0));
    assert_int_equal(tk_signer_set_region(&signer, TK_STR(""), &err), -EINVAL);
    tk_signer_release(&signer);
}

static void a_presigned_url_is_that_of_the_documentation(void **state)
{
    (void)state;
    struct tk_signer signer;
    struct tk_buf query;
    struct tk_err err;
    tk_buf_init(&query, 4096);
    assert_int_equal(open_s3_signer(&signer), 0);
    const struct tk_sigv4_request request = {
        .method = TK_STR("GET"), .path = TK_STR("/test.txt"), .time_ns = day_ns(2013, 5, 24, 0)};
    tk_str host = TK_STR("examplebucket.s3.amazonaws.com");
    assert_int_equal(tk_sigv4_presign(&signer, &request, host, 86400, &query, &err), 0);
    assert_str_equal(
        tk_buf_str(&query),
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524"
        "%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
        "&X-Amz-SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    assert_int_equal(tk_sigv4_presign(&signer, &request, host, 0, &query, &err), -EINVAL);
    assert_int_equal(tk_sigv4_presign(&signer, &request, host, 604801, &query, &err), -EINVAL);
    assert_string_equal(err.msg, "a signed URL lives 1 to 604800 s, not 604801");
    tk_buf_release(&query);
    tk_signer_release(&signer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_those_of_the_published_suite),
        cmocka_unit_test(signatures_are_those_of_the_documentation_of_s3),
        cmocka_unit_test(the_header_names_scope_and_headers),
        cmocka_unit_test(a_new_day_or_region_has_a_new_key),
        cmocka_unit_test(a_presigned_url_is_that_of_the_documentation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
