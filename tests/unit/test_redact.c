/* SPDX-License-Identifier: Apache-2.0 */
#include "run/redact.h"

#include "base/compiler.h"
#include "tk_test.h"

static void redact(const char *const *args, struct tk_buf *out)
{
    bool carry = false;
    for (size_t i = 0; args[i]; i++) {
        if (i > 0)
            tk_buf_putc(out, '|');
        tk_redact_arg(tk_str_from(args[i]), &carry, out);
    }
}

#define ARGS(...)                                                                                  \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static void secrets_become_stars_and_all_else_stays(void **state)
{
    (void)state;
    static const struct {
        const char *args[5];
        const char *expected;
    } cases[] = {
        {ARGS("make", "-j2", "all"), "make|-j2|all"},
        {ARGS("mysql", "--password=hunter2", "db"), "mysql|--password=***|db"},
        {ARGS("tool", "--api-key", "k", "go"), "tool|--api-key|***|go"},
        {ARGS("tool", "--token", "--verbose"), "tool|--token|***"},
        {ARGS("env", "DB_PASSWORD=a b=c", "run"), "env|DB_PASSWORD=*** b=c|run"},
        {ARGS("curl", "-H", "Authorization: Bearer abc"), "curl|-H|Authorization: Bearer ***"},
        {ARGS("curl", "-H", "X-Auth-Token: abc"), "curl|-H|X-Auth-Token: ***"},
        {ARGS("redis-cli", "-u", "redis://:pw@h:6379/0"), "redis-cli|-u|redis://:***@h:6379/0"},
        {ARGS("git", "clone", "https://me:pw@host/r.git"), "git|clone|https://me:***@host/r.git"},
        {ARGS("curl", "http://h:80/p?a=1&token=t&b=2"), "curl|http://h:80/p?a=1&token=***&b=2"},
        {ARGS("sh", "-c", "tool --secret s; ls"), "sh|-c|tool --secret *** ls"},
        {ARGS("llm", "--tokenizer", "bpe", "--keyboard=us"), "llm|--tokenizer|bpe|--keyboard=us"},
        {ARGS("echo", "a:b@c", "x//y:z@w", "://"), "echo|a:b@c|x//y:z@w|://"},
        {ARGS("tar", "", " ", "password"), "tar|| |password"},
        {ARGS("sort", "--key", "2"), "sort|--key|2"},
        {ARGS("aws", "AWS_SECRET_ACCESS_KEY=x"), "aws|AWS_SECRET_ACCESS_KEY=***"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        tk_buf_init(&out, 4096);
        redact(cases[i].args, &out);
        assert_str_equal(tk_buf_str(&out), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_become_stars_and_all_else_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
