/* SPDX-License-Identifier: Apache-2.0 */
/* What only a directory store does. */
#include "tk_store_test.h"

#include <sys/wait.h>

static char folder[PATH_MAX];
static int dirfd_of_folder = -1;

static struct tk_store *open_with(const struct tk_store_options *options)
{
    char address[PATH_MAX + 16];
    struct tk_store *store;
    struct tk_err err;
    (void)snprintf(address, sizeof(address), "dir:%s/store", folder);
    assert_int_equal(tk_store_open(tk_str_from(address), options, &store, &err), 0);
    return store;
}

static int open_folder(void **state)
{
    struct tk_err err;
    folder_make(folder);
    assert_int_equal(tk_dir_open(AT_FDCWD, folder, &dirfd_of_folder, &err), 0);
    *state = open_with(NULL);
    return 0;
}

static int remove_folder(void **state)
{
    tk_store_close(*state);
    tk_fd_close(&dirfd_of_folder);
    folder_remove(folder);
    return 0;
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(fstatat(dirfd_of_folder, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_mode & 07777;
}

static void ordinary_keys_are_ordinary_files(void **state)
{
    put_text(*state, "latest/build.json", "{}\n");
    put_text(*state, "0.1.0/20261121_090229/build.json", "{}\n");
    assert_file(folder, "store/latest/build.json", "{}\n");
    assert_file(folder, "store/0.1.0/20261121_090229/build.json", "{}\n");
}

static void files_are_the_owners_unless_told_otherwise(void **state)
{
    put_text(*state, "a/b", "x");
    assert_int_equal(mode_of("store"), 0700);
    assert_int_equal(mode_of("store/a"), 0700);
    assert_int_equal(mode_of("store/a/b"), 0600);
    mode_t before = umask(0);
    struct tk_store *open = open_with(&(struct tk_store_options){.mode = 0644});
    put_text(open, "c/d", "x");
    (void)umask(before);
    assert_int_equal(mode_of("store/c"), 0755);
    assert_int_equal(mode_of("store/c/d"), 0644);
    tk_store_close(open);
}

static void nothing_escapes_by_a_symbolic_link(void **state)
{
    struct tk_store *store = *state;
    struct tk_store_object object;
    struct tk_err err;
    folder_put(folder, "outside/secret", "secret");
    put_text(store, "here", "x");
    assert_int_equal(symlinkat("../outside", dirfd_of_folder, "store/link"), 0);
    assert_int_equal(symlinkat("../outside/secret", dirfd_of_folder, "store/file"), 0);
    assert_int_equal(tk_store_head(store, TK_STR("link/secret"), &object, &err), -ENOENT);
    assert_int_equal(tk_store_head(store, TK_STR("file"), &object, &err), -ENOENT);
    assert_int_equal(tk_store_delete(store, TK_STR("link/secret"), &err), 0);
    put_text(store, "link/new", "ours");
    put_text(store, "file", "ours");
    assert_object(store, "link/new", "ours");
    assert_list(store, "", "", 0, "file\nhere\nlink/new\n");
    assert_file(folder, "outside/secret", "secret");
    assert_file(folder, "outside/new", NULL);
}

static void folders_that_become_empty_go(void **state)
{
    struct tk_store *store = *state;
    struct tk_err err;
    struct stat st;
    put_text(store, "a/b/c", "x");
    put_text(store, "a/d", "x");
    assert_int_equal(tk_store_delete(store, TK_STR("a/b/c"), &err), 0);
    assert_int_equal(fstatat(dirfd_of_folder, "store/a/b", &st, 0), -1);
    assert_object(store, "a/d", "x");
    assert_int_equal(tk_store_delete(store, TK_STR("a/d"), &err), 0);
    assert_int_equal(fstatat(dirfd_of_folder, "store/a", &st, 0), -1);
    assert_int_equal(mode_of("store"), 0700);
}

static void a_dead_writers_file_is_not_listed_and_goes_with_age(void **state)
{
    struct tk_store *store = *state;
    struct tk_err err;
    pid_t child = fork();
    if (child == 0) {
        struct tk_upload *upload;
        int rc = tk_upload_begin(store, TK_STR("torn"), 0, &upload, &err);
        if (rc == 0)
            rc = tk_upload_part(upload, tk_store_text(TK_STR("half")), &err);
        _exit(rc == 0 ? 0 : 1); /* as kill -9 leaves it */
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_absent(store, "torn");
    assert_list(store, "", "", 0, "");
    static const struct {
        struct tk_store_sweep sweep;
        size_t found;
        uint64_t swept;
    } cases[] = {
        {{.age_ns = 3600 * TK_NS_PER_S}, 0, 0},
        {{.dry_run = true}, 1, 0},
        {{0}, 1, 1},
        {{0}, 0, 1},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_store_sweep sweep = cases[i].sweep;
        assert_int_equal(tk_store_sweep(store, &sweep, &err), 0);
        assert_int_equal(sweep.found, cases[i].found);
        assert_int_equal(tk_store_counters(store)->swept, cases[i].swept);
    }
}

static void of_many_writers_one_creates(void **state)
{
    struct tk_store *store = *state;
    enum { WRITERS = 8, ROUNDS = 20 };
    pid_t children[WRITERS];
    for (int w = 0; w < WRITERS; w++) {
        children[w] = fork();
        if (children[w] != 0)
            continue;
        struct tk_store *own = open_with(NULL);
        int created = 0;
        for (int i = 0; i < ROUNDS; i++) {
            char key[32];
            struct tk_err err;
            (void)snprintf(key, sizeof(key), "r%d/k", i);
            int rc = tk_store_put(own, tk_str_from(key), tk_store_text(TK_STR("x")),
                                  TK_STORE_CREATE_ONLY, NULL, &err);
            created += rc == 0;
            if (rc < 0 && rc != -EEXIST)
                _exit(255);
        }
        _exit(created);
    }
    int created = 0;
    for (int w = 0; w < WRITERS; w++) {
        int status = 0;
        assert_int_equal(waitpid(children[w], &status, 0), children[w]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= ROUNDS);
        created += WEXITSTATUS(status);
    }
    assert_int_equal(created, ROUNDS);
    struct listed listed = list_keys(store, "", "", 0);
    assert_int_equal(listed.count, ROUNDS);
    tk_buf_release(&listed.keys);
}

static void writers_and_removers_of_folders_do_not_lose_objects(void **state)
{
    struct tk_store *store = *state;
    struct tk_err err;
    pid_t child = fork();
    if (child == 0) {
        struct tk_store *own = open_with(NULL);
        for (int i = 0; i < 300; i++) {
            if (tk_store_put(own, TK_STR("a/b/gone"), tk_store_text(TK_STR("x")), 0, NULL, &err) <
                    0 ||
                tk_store_delete(own, TK_STR("a/b/gone"), &err) < 0)
                _exit(1);
        }
        _exit(0);
    }
    for (int i = 0; i < 300; i++) {
        put_text(store, "a/b/kept", "x");
        assert_object(store, "a/b/kept", "x");
        assert_int_equal(tk_store_delete(store, TK_STR("a/b/kept"), &err), 0);
    }
    put_text(store, "a/b/kept", "last");
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_object(store, "a/b/kept", "last");
}

static bool is_cancelled(void *owner)
{
    return *(bool *)owner;
}

static void calls_end_when_they_are_told(void **state)
{
    (void)state;
    bool stop = true;
    struct tk_err err;
    struct tk_store *store =
        open_with(&(struct tk_store_options){.is_cancelled = is_cancelled, .owner = &stop});
    assert_int_equal(tk_store_put(store, TK_STR("k"), tk_store_text(TK_STR("x")), 0, NULL, &err),
                     -ECANCELED);
    stop = false;
    assert_absent(store, "k");
    put_text(store, "k", "x");
    tk_store_close(store);
    store = open_with(&(struct tk_store_options){.deadline_ns = 1});
    assert_int_equal(tk_store_put(store, TK_STR("l"), tk_store_text(TK_STR("x")), 0, NULL, &err),
                     -ETIMEDOUT);
    assert_non_null(strstr(err.msg, "l: not done within 1e-09 s"));
    tk_store_close(store);
}

static void addresses_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        int rc;
        const char *message;
    } cases[] = {
        {"/tmp", -EINVAL, "'/tmp' is no store, expected dir:/path or s3://bucket/prefix"},
        {"", -EINVAL, "'' is no store, expected dir:/path or s3://bucket/prefix"},
        {"dir:", -EINVAL, "dir: names no folder, expected dir:/path"},
        {"dir:/proc/version", -ENOTDIR, "/proc/version: Not a directory"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_store *store;
        struct tk_err err;
        assert_int_equal(tk_store_open(tk_str_from(cases[i].address), NULL, &store, &err),
                         cases[i].rc);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void the_environment_names_the_store(void **state)
{
    (void)state;
    char address[PATH_MAX + 16];
    struct tk_store *store;
    struct tk_err err;
    (void)unsetenv("TRACEKIT_STORE");
    (void)unsetenv("MINIO_ACCESS_KEY");
    assert_int_equal(tk_store_open_default(NULL, &store, &err), 1);
    (void)snprintf(address, sizeof(address), "dir:%s/named", folder);
    assert_int_equal(setenv("TRACEKIT_STORE", address, 1), 0);
    assert_int_equal(tk_store_open_default(NULL, &store, &err), 0);
    assert_string_equal(tk_store_address(store), address);
    assert_int_equal(mode_of("named"), 0700);
    tk_store_close(store);
    assert_int_equal(
        tk_store_open_default(&(struct tk_store_options){.must_exist = true}, &store, &err), 0);
    tk_store_close(store);
    (void)snprintf(address, sizeof(address), "dir:%s/absent", folder);
    assert_int_equal(setenv("TRACEKIT_STORE", address, 1), 0);
    assert_int_equal(
        tk_store_open_default(&(struct tk_store_options){.must_exist = true}, &store, &err),
        -ENOENT);
    (void)unsetenv("TRACEKIT_STORE");
}

static void only_s3_makes_signed_urls(void **state)
{
    struct tk_buf url;
    struct tk_err err;
    tk_buf_init(&url, 4096);
    assert_int_equal(tk_store_presign(*state, "GET", TK_STR("k"), 60, &url, &err), -EOPNOTSUPP);
    tk_buf_release(&url);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(ordinary_keys_are_ordinary_files),
        IN_FOLDER(files_are_the_owners_unless_told_otherwise),
        IN_FOLDER(nothing_escapes_by_a_symbolic_link),
        IN_FOLDER(folders_that_become_empty_go),
        IN_FOLDER(a_dead_writers_file_is_not_listed_and_goes_with_age),
        IN_FOLDER(of_many_writers_one_creates),
        IN_FOLDER(writers_and_removers_of_folders_do_not_lose_objects),
        IN_FOLDER(calls_end_when_they_are_told),
        IN_FOLDER(addresses_are_checked),
        IN_FOLDER(the_environment_names_the_store),
        IN_FOLDER(only_s3_makes_signed_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
