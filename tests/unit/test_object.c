/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "run/run.h"
#include "tk_folder.h"

FOLDER_OF_EACH_TEST

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *out = NULL;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *in = NULL;
    struct tk_err err;
    assert_int_equal(tk_batch_new(&tk_schema_link_meta, 1, 1024, &out, &err), 0);
    tk_batch_begin(out);
    tk_batch_set_text(out, TK_LINK_META_IFACE, TK_STR("ens2"));
    tk_batch_set_i64(out, TK_LINK_META_BW_BPS, 1000000000);
    assert_int_equal(tk_object_write(dirfd_of_folder, "link_meta.json", out, &err), 0);
    assert_file(folder, "link_meta.json",
                "{\"iface\":\"ens2\",\"BW_bps\":1000000000,\"PR_s\":null}\n");
    assert_int_equal(
        tk_object_read(dirfd_of_folder, "link_meta.json", &tk_schema_link_meta, &in, &err), 0);
    assert_int_equal(in->rows, 1);
    assert_str_equal(tk_batch_text(in, 0, TK_LINK_META_IFACE), "ens2");
    assert_false(tk_batch_has(in, 0, TK_LINK_META_PR_S));
}

static void a_pretty_printed_object_is_read(void **state)
{
    (void)state;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *in = NULL;
    struct tk_err err;
    folder_put(folder, "node_meta.json",
               "{\n  \"node\": \"vm0\",\r\n  \"later\": [1,\n {}],\n  \"mem_mb\": \"15997\"\n}");
    assert_int_equal(
        tk_object_read(dirfd_of_folder, "node_meta.json", &tk_schema_node_meta, &in, &err), 0);
    assert_str_equal(tk_batch_text(in, 0, TK_NODE_META_NODE), "vm0");
    assert_int_equal(tk_batch_i64(in, 0, TK_NODE_META_MEM_MB, -1), 15997);
}

static void what_is_no_object_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "run.json: byte 0: expected an object"},
        {"[{}]", "run.json: byte 0: expected an object"},
        {"{\"rows\":1", "run.json: byte 9: expected ',' or '}', not the end"},
        {"{} {}", "run.json: byte 3: expected the end"},
        {"{\"ticks\":\"many\"}", "run.json: line 1: ticks: byte 9: expected a number"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_batch *in = NULL;
        struct tk_err err;
        folder_put(folder, "run.json", cases[i].text);
        assert_int_equal(tk_object_read(dirfd_of_folder, "run.json", &tk_schema_run, &in, &err),
                         -EBADMSG);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void a_missing_file_is_told_apart(void **state)
{
    (void)state;
    struct tk_batch *in = NULL;
    struct tk_err err;
    assert_int_equal(tk_object_read(dirfd_of_folder, "run.json", &tk_schema_run, &in, &err),
                     -ENOENT);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, open_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(what_is_written_is_read_again),
        in_folder(a_pretty_printed_object_is_read),
        in_folder(what_is_no_object_is_refused_by_name),
        in_folder(a_missing_file_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
