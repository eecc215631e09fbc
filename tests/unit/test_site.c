/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <unistd.h>

#include "serve/site.h"
#include "tk_folder.h"

static void put_bundle(const char *folder)
{
    folder_put(folder, "secret", "outside");
    folder_put(folder, "ui/index.html",
               "<html>const JAEGER_CONFIG = DEFAULT_CONFIG; JAEGER_VERSION = DEFAULT_VERSION; "
               "JAEGER_BACKEND_CAPABILITIES = DEFAULT_BACKEND_CAPABILITIES;</html>");
    folder_put(folder, "ui/static/a.js", "let a;");
    folder_put(folder, "ui/static/b.woff2", "font");
    folder_put(folder, "ui/static/c", "?");
}

static struct tk_site *load_bundle(const char *folder)
{
    char path[PATH_MAX + 4];
    struct tk_site *site = NULL;
    struct tk_err err;
    (void)snprintf(path, sizeof(path), "%s/ui/", folder);
    assert_int_equal(tk_site_load(path, &site, &err), 0);
    return site;
}

static void a_path_is_a_file_or_the_page(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int status;
        const char *type, *body; /* NULL = index.html */
    } cases[] = {
        {"/static/a.js", 200, "text/javascript; charset=utf-8", "let a;"},
        {"/static/b.woff2", 200, "font/woff2", "font"},
        {"/static/c", 200, "application/octet-stream", "?"},
        {"/static/d.js", 404, "text/plain; charset=utf-8", "there is no such file\n"},
        {"/static/../../secret", 404, "text/plain; charset=utf-8", "there is no such file\n"},
        {"/static/link", 404, "text/plain; charset=utf-8", "there is no such file\n"},
        {"/", 200, NULL, NULL},
        {"/index.html", 200, NULL, NULL},
        {"/trace/4bf92f3577b34da6", 200, NULL, NULL},
        {"/../secret", 200, NULL, NULL},
        {"//etc/passwd", 200, NULL, NULL},
        {"/link", 200, NULL, NULL},
        {"", 200, NULL, NULL},
    };
    char folder[PATH_MAX];
    char link[PATH_MAX + 32];
    folder_make(folder);
    put_bundle(folder);
    (void)snprintf(link, sizeof(link), "%s/ui/static/link", folder);
    assert_int_equal(symlink("../../secret", link), 0);
    struct tk_site *site = load_bundle(folder);
    assert_int_equal(tk_site_count(site).files, 4);
    assert_int_equal(tk_site_count(site).left_out, 1);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_answer answer = {0};
        print_message("# %s\n", cases[i].path);
        tk_buf_init(&answer.body, 10000);
        tk_site_answer(site, tk_str_from(cases[i].path), &answer);
        assert_int_equal(answer.status, cases[i].status);
        assert_string_equal(answer.content_type,
                            cases[i].type ? cases[i].type : "text/html; charset=utf-8");
        assert_non_null(answer.policy);
        if (cases[i].body) {
            assert_true(tk_str_eq(tk_buf_str(&answer.body), tk_str_from(cases[i].body)));
        } else {
            assert_true(tk_str_starts_with(tk_buf_str(&answer.body), TK_STR("<html>")));
        }
        tk_buf_release(&answer.body);
    }
    tk_site_free(site);
    folder_remove(folder);
}

static void the_page_is_told_what_the_server_is(void **state)
{
    (void)state;
    char folder[PATH_MAX];
    struct tk_answer answer = {0};
    folder_make(folder);
    put_bundle(folder);
    struct tk_site *site = load_bundle(folder);
    tk_buf_init(&answer.body, 10000);
    tk_site_answer(site, TK_STR("/"), &answer);
    tk_buf_putc(&answer.body, '\0');
    assert_non_null(strstr(answer.body.p, "JAEGER_CONFIG = DEFAULT_CONFIG;"));
    assert_non_null(strstr(answer.body.p, "JAEGER_VERSION = {\"gitCommit\":\"\",\"gitVersion\":"
                                          "\"tracekit " TK_VERSION "\",\"buildDate\":\"\"};"));
    assert_non_null(
        strstr(answer.body.p, "JAEGER_BACKEND_CAPABILITIES = {\"archiveStorage\":false,"));
    assert_null(strstr(answer.body.p, "DEFAULT_VERSION"));
    tk_buf_release(&answer.body);
    tk_site_free(site);
    folder_remove(folder);
}

static void assert_refused(const char *folder, const char *name, int code, const char *why)
{
    char path[PATH_MAX + 32];
    struct tk_site *site = NULL;
    struct tk_err err;
    (void)snprintf(path, sizeof(path), "%s%s", folder, name);
    assert_int_equal(tk_site_load(path, &site, &err), code);
    assert_non_null(strstr(err.msg, why));
    assert_null(site);
}

static void what_is_no_page_is_refused(void **state)
{
    (void)state;
    char folder[PATH_MAX];
    folder_make(folder);
    put_bundle(folder);
    assert_refused(folder, "/absent", -ENOENT, "/absent: cannot be opened: No such file");
    assert_refused(folder, "/secret", -ENOTDIR, "/secret: is no folder");
    assert_refused(folder, "", -ENOENT, ": holds no index.html");
    assert_refused("", "/", -EINVAL, "/: is the root of this machine, no page");
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_a_file_or_the_page),
        cmocka_unit_test(the_page_is_told_what_the_server_is),
        cmocka_unit_test(what_is_no_page_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
