/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/key_command.h"
#include "tk_test.h"

#define PATIENCE_NS (60 * TK_NS_PER_S)

/* A command that prints a text, which has no single quotes. */
static int run_printing(const char *text, struct tk_keys *keys, struct tk_err *err)
{
    char command[TK_KEY_COMMAND_MAX];
    int n = snprintf(command, sizeof(command), "printf '%%s' '%s'", text);
    assert_in_range(n, 1, sizeof(command) - 1);
    return tk_key_command_run(command, PATIENCE_NS, keys, err);
}

static void assert_printed(const char *text, const char *access, const char *secret,
                           const char *token)
{
    struct tk_keys keys;
    struct tk_err err = {0};
    assert_int_equal(run_printing(text, &keys, &err), 0);
    assert_string_equal(keys.access_key, access);
    assert_string_equal(keys.secret_key, secret);
    assert_string_equal(keys.session_token, token);
}

static void keys_are_read(void **state)
{
    (void)state;
    assert_printed("{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"s/\\u002b\"}\n",
                   "a", "s/+", "");
    assert_printed("{\"Other\": [1], \"SessionToken\": \"t\", \"AccessKeyId\": \"a\", "
                   "\"SecretAccessKey\": \"s\", \"Expiration\": \"2999-01-01T00:00:00Z\", "
                   "\"Version\": 1}",
                   "a", "s", "t");
    assert_printed("{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"s\", "
                   "\"SessionToken\": null, \"Expiration\": \"9999-12-31T23:59:59.5-01:00\"}",
                   "a", "s", "");
}

static void assert_refused(const char *text, int rc, const char *message)
{
    struct tk_keys keys;
    struct tk_err err = {0};
    assert_int_equal(run_printing(text, &keys, &err), rc);
    if (!strstr(err.msg, message))
        fail_msg("'%s' is not in '%s'", message, err.msg);
    assert_null(strstr(err.msg, "secret1"));
    assert_int_equal(*keys.secret_key, '\0');
}

#define KEYS "\"AccessKeyId\": \"a\", \"SecretAccessKey\": \"secret1\""

static void a_wrong_answer_is_told_without_the_secret(void **state)
{
    (void)state;
    assert_refused("", -EBADMSG, "credential_process 'printf': ");
    assert_refused("secret1", -EBADMSG, "credential_process 'printf': ");
    assert_refused("{" KEYS "}", -EBADMSG, "expected \"Version\": 1");
    assert_refused("{\"Version\": 2, " KEYS "}", -EBADMSG, "expected \"Version\": 1");
    assert_refused("{\"Version\": 1, \"SecretAccessKey\": \"secret1\"}", -EBADMSG,
                   "expected AccessKeyId and SecretAccessKey");
    assert_refused("{\"Version\": 1, " KEYS "} x", -EBADMSG, "byte ");
    assert_refused("{\"Version\": 1, " KEYS ", \"Expiration\": \"2020-01-01T00:00:00Z\"}", -EACCES,
                   "its keys expired at 2020-01-01T00:00:00");
    assert_refused("{\"Version\": 1, " KEYS ", \"Expiration\": \"soon\"}", -EBADMSG,
                   "Expiration: expected a time");
}

static void assert_fails(const char *command, int64_t patience_ns, int rc, const char *message)
{
    struct tk_keys keys;
    struct tk_err err = {0};
    assert_int_equal(tk_key_command_run(command, patience_ns, &keys, &err), rc);
    if (!strstr(err.msg, message))
        fail_msg("'%s' is not in '%s'", message, err.msg);
}

static void a_command_that_fails_is_told(void **state)
{
    (void)state;
    assert_fails("", PATIENCE_NS, -EINVAL, "expected a command");
    assert_fails("a 'b", PATIENCE_NS, -EINVAL, "a quote has no end");
    assert_fails("/nowhere/keys", PATIENCE_NS, -ENOENT, "credential_process '/nowhere/keys'");
    assert_fails("sh -c 'exit 3'", PATIENCE_NS, -EACCES, "it failed with status 3");
    assert_fails("sh -c 'kill -9 $$'", PATIENCE_NS, -EACCES, "it was ended by signal 9");
    assert_fails("sh -c 'head -c 20000 /dev/zero'", PATIENCE_NS, -EMSGSIZE, "16 KiB or more");
    assert_fails("sleep 1000", TK_NS_PER_MS, -ETIMEDOUT, "it takes too long");
    assert_fails("sh -c 'exec >&-; exec sleep 1000'", 100 * TK_NS_PER_MS, -ETIMEDOUT,
                 "it takes too long");
}

static void too_many_words_are_told(void **state)
{
    (void)state;
    char command[256];
    for (size_t i = 0; i < sizeof(command) - 1; i++)
        command[i] = i % 2 ? ' ' : 'a';
    command[sizeof(command) - 1] = '\0';
    assert_fails(command, PATIENCE_NS, -EINVAL, "more than 64 words");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_read),
        cmocka_unit_test(a_wrong_answer_is_told_without_the_secret),
        cmocka_unit_test(a_command_that_fails_is_told),
        cmocka_unit_test(too_many_words_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
