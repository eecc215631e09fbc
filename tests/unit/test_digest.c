/* SPDX-License-Identifier: Apache-2.0 */
#include "tk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/file.h"

#define OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define OF_ABC     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void texts_of_the_standard(void **state)
{
    (void)state;
    char hex[TK_DIGEST_MAX];
    struct tk_err err;
    assert_int_equal(tk_digest_text(TK_STR(""), hex, &err), 0);
    assert_string_equal(hex, OF_NOTHING);
    assert_int_equal(tk_digest_text(TK_STR("abc"), hex, &err), 0);
    assert_string_equal(hex, OF_ABC);
}

static void a_file_gives_what_its_bytes_give(void **state)
{
    (void)state;
    char path[] = "/tmp/test_digest_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct tk_err err;
    assert_int_equal(tk_fd_write(fd, TK_STR("abc"), path, &err), 0);
    tk_fd_close(&fd);
    char hex[TK_DIGEST_MAX];
    uint64_t bytes;
    assert_int_equal(tk_digest_file(AT_FDCWD, path, hex, &bytes, &err), 0);
    assert_string_equal(hex, OF_ABC);
    assert_int_equal(bytes, 3);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(tk_digest_file(AT_FDCWD, path, hex, &bytes, &err), -ENOENT);
}

static void hmac_of_the_standard(void **state)
{
    (void)state;
    /* RFC 4231, test case 2. */
    unsigned char mac[TK_DIGEST_BYTES];
    char hex[TK_DIGEST_MAX];
    struct tk_err err;
    struct tk_hasher hasher;
    assert_int_equal(tk_hasher_init(&hasher, &err), 0);
    assert_int_equal(
        tk_hasher_hmac(&hasher, TK_STR("Jefe"), TK_STR("what do ya want for nothing?"), mac, &err),
        0);
    tk_hasher_release(&hasher);
    tk_digest_format(mac, sizeof(mac), hex);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void pieces_give_what_the_whole_gives_and_it_starts_anew(void **state)
{
    (void)state;
    static const struct {
        enum tk_digest_kind kind;
        const char *of_abc;
    } cases[] = {
        {TK_DIGEST_SHA256, OF_ABC},
        {TK_DIGEST_MD5, "900150983cd24fb0d6963f7d28e17f72"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_digest digest;
        char hex[TK_DIGEST_MAX];
        struct tk_err err;
        assert_int_equal(tk_digest_init(&digest, cases[i].kind, &err), 0);
        for (int round = 0; round < 2; round++) {
            tk_digest_add(&digest, TK_STR("a"));
            tk_digest_add(&digest, TK_STR(""));
            tk_digest_add(&digest, TK_STR("bc"));
            tk_digest_take(&digest, hex);
            assert_string_equal(hex, cases[i].of_abc);
        }
        tk_digest_release(&digest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_the_standard),
        cmocka_unit_test(a_file_gives_what_its_bytes_give),
        cmocka_unit_test(hmac_of_the_standard),
        cmocka_unit_test(pieces_give_what_the_whole_gives_and_it_starts_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
