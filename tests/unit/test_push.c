/* SPDX-License-Identifier: Apache-2.0 */
#include "tk_store_test.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "store/push.h"

static char folder[PATH_MAX];

static struct tk_store *open_named(const char *name)
{
    char address[PATH_MAX + 32];
    struct tk_store *store;
    struct tk_err err;
    (void)snprintf(address, sizeof(address), "dir:%s/%s", folder, name);
    assert_int_equal(tk_store_open(tk_str_from(address), NULL, &store, &err), 0);
    return store;
}

static int make(void **state)
{
    (void)state;
    folder_make(folder);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static void all_objects_arrive_and_leave_the_spool(void **state)
{
    (void)state;
    struct tk_store *spool = open_named("spool"), *to = open_named("to");
    struct tk_push push;
    struct tk_err err;
    put_text(spool, "latest/build.json", "new");
    put_text(spool, "history/x//..", "");
    put_text(to, "latest/build.json", "old");
    put_text(to, "other", "stays");
    assert_int_equal(tk_store_push(spool, to, &push, &err), 0);
    assert_int_equal(push.objects, 2);
    assert_int_equal(push.bytes, 3);
    assert_int_equal(push.waiting, 0);
    assert_object(to, "latest/build.json", "new");
    assert_list(to, "", "", 0, "history/x//..\nlatest/build.json\nother\n");
    assert_list(spool, "", "", 0, "");
    assert_int_equal(tk_store_push(spool, to, &push, &err), 0);
    assert_int_equal(push.objects, 0);
    tk_store_close(spool);
    tk_store_close(to);
}

static void large_objects_go_in_parts(void **state)
{
    (void)state;
    static const size_t sizes[] = {8 << 20, (8 << 20) + 1, (16 << 20), (20 << 20) + 3};
    char *text = calloc(1, 21 << 20);
    assert_non_null(text);
    for (size_t i = 0; i < TK_COUNTOF(sizes); i++) {
        struct tk_store *spool = open_named("spool"), *to = open_named("to");
        struct tk_store_object object;
        struct tk_push push;
        struct tk_err err;
        text[sizes[i] - 1] = 'z';
        assert_int_equal(tk_store_put(spool, TK_STR("k"), tk_store_text((tk_str){text, sizes[i]}),
                                      0, NULL, &err),
                         0);
        assert_int_equal(tk_store_push(spool, to, &push, &err), 0);
        assert_int_equal(push.bytes, sizes[i]);
        assert_int_equal(tk_store_head(to, TK_STR("k"), &object, &err), 0);
        assert_int_equal(object.size_bytes, sizes[i]);
        struct tk_buf got;
        tk_buf_init(&got, 32 << 20);
        assert_int_equal(tk_store_get_text(to, TK_STR("k"), &got, &err), 0);
        assert_memory_equal(got.p, text, sizes[i]);
        tk_buf_release(&got);
        tk_store_close(spool);
        tk_store_close(to);
    }
    free(text);
}

static void what_does_not_arrive_stays(void **state)
{
    (void)state;
    struct tk_store *spool = open_named("spool"), *to = open_named("to");
    struct tk_push push;
    struct tk_err err;
    char place[PATH_MAX + 16];
    put_text(spool, "a", "1");
    put_text(spool, "b", "22");
    /* Both names that the object could have are taken by folders. */
    (void)snprintf(place, sizeof(place), "%s/to/a", folder);
    assert_int_equal(mkdir(place, 0700), 0);
    (void)snprintf(place, sizeof(place), "%s/to/a%%f", folder);
    assert_int_equal(mkdir(place, 0700), 0);
    assert_true(tk_store_push(spool, to, &push, &err) < 0);
    assert_int_equal(push.objects, 0);
    assert_int_equal(push.waiting, 2);
    assert_int_equal(push.waiting_bytes, 3);
    assert_list(spool, "", "", 0, "a\nb\n");
    assert_int_equal(rmdir(place), 0);
    assert_int_equal(tk_store_push(spool, to, &push, &err), 0);
    assert_list(to, "", "", 0, "a\nb\n");
    tk_store_close(spool);
    tk_store_close(to);
}

static void a_push_that_is_killed_loses_and_doubles_nothing(void **state)
{
    (void)state;
    enum { OBJECTS = 120 };
    struct tk_store *spool = open_named("spool"), *to = open_named("to");
    struct tk_push push;
    struct tk_err err;
    for (int i = 0; i < OBJECTS; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "run/seg-%08d", i);
        put_text(spool, key, key);
    }
    for (int round = 0; round < 8; round++) {
        pid_t child = fork();
        if (child == 0) {
            struct tk_store *own = open_named("spool"), *other = open_named("to");
            _exit(tk_store_push(own, other, &push, &err) == 0 ? 0 : 1);
        }
        (void)usleep((useconds_t)(2000 + 3000 * round));
        (void)kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    assert_int_equal(tk_store_push(spool, to, &push, &err), 0);
    struct listed listed = list_keys(to, "", "", 0);
    assert_int_equal(listed.count, OBJECTS);
    assert_int_equal(listed.bytes, OBJECTS * 16);
    tk_buf_release(&listed.keys);
    assert_list(spool, "", "", 0, "");
    tk_store_close(spool);
    tk_store_close(to);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(all_objects_arrive_and_leave_the_spool),
        IN_FOLDER(large_objects_go_in_parts),
        IN_FOLDER(what_does_not_arrive_stays),
        IN_FOLDER(a_push_that_is_killed_loses_and_doubles_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
