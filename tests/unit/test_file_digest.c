/* SPDX-License-Identifier: Apache-2.0 */
#include "tk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/file_digest.h"

#define OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void a_thread_gives_what_the_bytes_give(void **state)
{
    (void)state;
    char path[] = "/tmp/test_file_digest_XXXXXX";
    struct tk_err err;
    struct tk_file_digest *digest;
    char hex[TK_DIGEST_MAX];
    uint64_t bytes;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(tk_fd_write(fd, TK_STR("abc"), path, &err), 0);
    tk_fd_close(&fd);
    assert_int_equal(tk_file_digest_new(AT_FDCWD, path, false, &digest, &err), 0);
    assert_int_equal(unlink(path), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tk_file_digest_read(digest, hex, &bytes, &err), 0);
        assert_string_equal(hex, OF_ABC);
        assert_int_equal(bytes, 3);
    }
    tk_file_digest_free(digest);
}

static void what_cannot_be_read_is_told(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_file_digest *digest;
    char hex[TK_DIGEST_MAX];
    uint64_t bytes;
    assert_int_equal(tk_file_digest_new(AT_FDCWD, "/nowhere", false, &digest, &err), -ENOENT);
    assert_int_equal(tk_file_digest_new(AT_FDCWD, "/tmp", false, &digest, &err), 0);
    assert_int_equal(tk_file_digest_read(digest, hex, &bytes, &err), -EISDIR);
    assert_string_equal(err.msg, "/tmp: Is a directory");
    tk_file_digest_free(digest);
}

static void one_that_nobody_waits_for_is_broken_off(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_file_digest *digest;
    assert_int_equal(tk_file_digest_new(AT_FDCWD, "/dev/zero", true, &digest, &err), 0);
    tk_file_digest_free(digest);
    tk_file_digest_free(NULL);
}

/* A file of 5 MiB, of which every byte tells where it stands. */
static void write_long_file(char *path)
{
    struct tk_err err;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unsigned char block[4096];
    for (size_t i = 0; i < 1280; i++) {
        for (size_t j = 0; j < sizeof(block); j++)
            block[j] = (unsigned char)(i * 31 + j);
        assert_int_equal(tk_fd_write(fd, (tk_str){(char *)block, sizeof(block)}, path, &err), 0);
    }
    tk_fd_close(&fd);
}

static void the_bytes_are_handed_over_in_order(void **state)
{
    (void)state;
    char path[] = "/tmp/test_file_digest_XXXXXX";
    struct tk_err err;
    struct tk_file_digest *digest;
    char hex[TK_DIGEST_MAX];
    char alone[TK_DIGEST_MAX];
    uint64_t bytes;
    tk_str part;
    uint64_t at = 0;
    int rc;
    write_long_file(path);
    assert_int_equal(tk_digest_file(AT_FDCWD, path, alone, &bytes, &err), 0);
    assert_int_equal(tk_file_digest_new(AT_FDCWD, path, true, &digest, &err), 0);
    while ((rc = tk_file_digest_next(digest, &part, &err)) == 0) {
        for (size_t i = 0; i < part.n; i++, at++)
            assert_int_equal((unsigned char)part.p[i], (unsigned char)(at / 4096 * 31 + at % 4096));
    }
    assert_int_equal(rc, 1);
    assert_int_equal(at, bytes);
    assert_int_equal(tk_file_digest_read(digest, hex, &bytes, &err), 0);
    assert_string_equal(hex, alone);
    assert_int_equal(tk_file_digest_next(digest, &part, &err), 1);
    tk_file_digest_free(digest);
    assert_int_equal(unlink(path), 0);
}

static void a_reader_that_gives_up_does_not_hold_the_digest_up(void **state)
{
    (void)state;
    char path[] = "/tmp/test_file_digest_XXXXXX";
    struct tk_err err;
    struct tk_file_digest *digest;
    char hex[TK_DIGEST_MAX];
    uint64_t bytes;
    tk_str part;
    write_long_file(path);
    assert_int_equal(tk_file_digest_new(AT_FDCWD, path, true, &digest, &err), 0);
    assert_int_equal(tk_file_digest_next(digest, &part, &err), 0);
    assert_int_equal(tk_file_digest_read(digest, hex, &bytes, &err), 0);
    assert_int_equal(bytes, 1280 * 4096);
    tk_file_digest_free(digest);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_gives_what_the_bytes_give),
        cmocka_unit_test(what_cannot_be_read_is_told),
        cmocka_unit_test(one_that_nobody_waits_for_is_broken_off),
        cmocka_unit_test(the_bytes_are_handed_over_in_order),
        cmocka_unit_test(a_reader_that_gives_up_does_not_hold_the_digest_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
