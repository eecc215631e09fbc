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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_the_standard),
        cmocka_unit_test(a_file_gives_what_its_bytes_give),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
