/* SPDX-License-Identifier: Apache-2.0 */
#include "tk_folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/credentials.h"

FOLDER_OF_EACH_TEST

static const char *const variables[] = {
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
    "AWS_REGION",        "AWS_DEFAULT_REGION",    "AWS_ENDPOINT_URL",  "AWS_ENDPOINT_URL_S3",
    "MINIO_ENDPOINT",    "MINIO_ACCESS_KEY",      "MINIO_SECRET_KEY",
};

/* An environment that names nothing but the files "keys" and "config" of the folder. */
static void empty_environment(void)
{
    char path[PATH_MAX + 8];
    for (size_t i = 0; i < TK_COUNTOF(variables); i++)
        (void)unsetenv(variables[i]);
    (void)snprintf(path, sizeof(path), "%s/keys", folder);
    assert_int_equal(setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1), 0);
    (void)snprintf(path, sizeof(path), "%s/config", folder);
    assert_int_equal(setenv("AWS_CONFIG_FILE", path, 1), 0);
}

static void set(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

static void read_with(const struct tk_store_options *options, const char *expected)
{
    struct tk_access access;
    struct tk_err err;
    char text[512];
    assert_int_equal(tk_access_read(options, &access, &err), 0);
    (void)snprintf(text, sizeof(text), "%s %s %s %s %s", access.access_key, access.secret_key,
                   access.session_token ? access.session_token : "-", access.region,
                   access.endpoint);
    tk_access_release(&access);
    assert_null(access.secret_key);
    assert_string_equal(text, expected);
}

static void nearer_sources_win(void **state)
{
    (void)state;
    const struct tk_store_options none = {0};
    empty_environment();
    folder_put(folder, "keys",
               "[other]\naws_access_key_id = no\n[default]\n"
               "aws_access_key_id=file\naws_secret_access_key = s4\n");
    assert_int_equal(fchmodat(dirfd_of_folder, "keys", 0600, 0), 0);
    read_with(&none, "file s4 - us-east-1 https://s3.us-east-1.amazonaws.com");
    set("AWS_ACCESS_KEY_ID", "aws");
    set("AWS_SECRET_ACCESS_KEY", "s3");
    set("AWS_SESSION_TOKEN", "token");
    set("AWS_REGION", "eu-west-1");
    read_with(&none, "aws s3 token eu-west-1 https://s3.eu-west-1.amazonaws.com");
    set("MINIO_ACCESS_KEY", "minio");
    set("MINIO_SECRET_KEY", "s2");
    read_with(&none, "minio s2 - eu-west-1 http://127.0.0.1:9000");
    set("MINIO_ENDPOINT", "http://m:1");
    read_with(&none, "minio s2 - eu-west-1 http://m:1");
    read_with(
        &(struct tk_store_options){
            .access_key = "own", .secret_key = "s1", .region = "r", .endpoint = "http://e"},
        "own s1 - r http://e");
}

static void a_profile_may_be_named(void **state)
{
    (void)state;
    empty_environment();
    folder_put(folder, "keys",
               "# keys\n[default]\naws_access_key_id=a\naws_secret_access_key=b\n"
               "[ ci ]\naws_access_key_id=c\naws_secret_access_key=d=e\n"
               "aws_session_token=f\n");
    assert_int_equal(fchmodat(dirfd_of_folder, "keys", 0600, 0), 0);
    set("AWS_PROFILE", "ci");
    read_with(&(struct tk_store_options){0},
              "c d=e f us-east-1 https://s3.us-east-1.amazonaws.com");
}

static void assert_refused(int rc, const char *message)
{
    struct tk_access access;
    struct tk_err err;
    assert_int_equal(tk_access_read(&(struct tk_store_options){0}, &access, &err), rc);
    assert_non_null(strstr(err.msg, message));
    assert_null(strstr(err.msg, "secret1"));
    tk_access_release(&access);
}

static void what_is_missing_or_open_is_named_without_the_secret(void **state)
{
    (void)state;
    empty_environment();
    assert_refused(-EACCES, "S3: no keys; set AWS_ACCESS_KEY_ID");
    set("AWS_SECRET_ACCESS_KEY", "secret1");
    assert_refused(-EINVAL, "S3: AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not");
    (void)unsetenv("AWS_SECRET_ACCESS_KEY");
    folder_put(folder, "keys", "[default]\naws_access_key_id=a\naws_secret_access_key=secret1\n");
    assert_int_equal(fchmodat(dirfd_of_folder, "keys", 0644, 0), 0);
    assert_refused(-EACCES, "keys: others may read it (mode 0644), expected 0600");
    assert_int_equal(fchmodat(dirfd_of_folder, "keys", 0600, 0), 0);
    set("AWS_PROFILE", "absent");
    assert_refused(-EACCES, "S3: no keys;");
}

/* Prints keys; what its own words are, as the id of the key. */
#define PRINT_KEYS                                                                                 \
    "printf '{\"Version\":1,\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"secret1\"}' \"$*\""

static void a_profile_may_name_a_command_and_a_region(void **state)
{
    (void)state;
    const struct tk_store_options none = {0};
    char text[2 * PATH_MAX];
    empty_environment();
    folder_put(folder, "print", PRINT_KEYS "\n");
    (void)snprintf(text, sizeof(text),
                   "[default]\nregion = eu-north-1\n[profile ci]\nregion=eu-west-3\n"
                   "credential_process = sh %s/print 'a b' \"c\" d\\ e $HOME\n",
                   folder);
    folder_put(folder, "config", text);
    set("AWS_PROFILE", "ci");
    read_with(&none, "a b c d e $HOME secret1 - eu-west-3 https://s3.eu-west-3.amazonaws.com");
    set("AWS_REGION", "eu-west-1");
    read_with(&none, "a b c d e $HOME secret1 - eu-west-1 https://s3.eu-west-1.amazonaws.com");
    folder_put(folder, "keys", "[ci]\naws_access_key_id=a\naws_secret_access_key=b\n");
    assert_int_equal(fchmodat(dirfd_of_folder, "keys", 0600, 0), 0);
    read_with(&none, "a b - eu-west-1 https://s3.eu-west-1.amazonaws.com");
    set("AWS_PROFILE", "default");
    assert_refused(-EACCES, "S3: no keys;");
}

static void a_command_that_others_may_write_is_not_run(void **state)
{
    (void)state;
    empty_environment();
    folder_put(folder, "config", "[default]\ncredential_process = true\n");
    assert_int_equal(fchmodat(dirfd_of_folder, "config", 0666, 0), 0);
    assert_refused(-EACCES, "config: names a command to run, and others may write it (mode 0666)");
    assert_int_equal(fchmodat(dirfd_of_folder, "config", 0644, 0), 0);
    assert_refused(-EBADMSG, "config: credential_process 'true': ");
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(nearer_sources_win),
        IN_FOLDER(a_profile_may_be_named),
        IN_FOLDER(what_is_missing_or_open_is_named_without_the_secret),
        IN_FOLDER(a_profile_may_name_a_command_and_a_region),
        IN_FOLDER(a_command_that_others_may_write_is_not_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
