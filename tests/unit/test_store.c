/* SPDX-License-Identifier: Apache-2.0 */
/* What every store does, whatever its kind: over a directory, or over the store that TK_TEST_STORE
 * names (an address; endpoint and keys come from the environment). Each test starts with the store
 * empty. */
#include "tk_store_test.h"

/* More than two pages of a server. A folder has no pages, and each change waits for the disk. */
#define MANY_KEYS      2500
#define MANY_IN_FOLDER 700

/* Keys that clients and servers like to spoil, object-store.md section 17.2, and the harmless. */
static const char *const awkward_keys[] = {
    "a b+c=d&e?f#g",
    "day=2026-11-20/host=x/part-0001.jsonl",
    "x/../y",
    "./dot",
    "x//y",
    "\xC3\xA9t\xC3\xA9/\xE6\x97\xA5\xE6\x9C\xAC",
    "semi;colon:star*(paren)'quote!",
    "tilde~under_",
    "per%cent%2F",
    "plain",
    "../../up",
    "trailing/",
    "two//",
    "..",
    ".",
    "%tmp/mine",
    "%e",
    "a%d",
    "a%f",
    "\"<&>'",
};

static int delete_listed(void *into, const struct tk_store_object *object, struct tk_err *err)
{
    (void)err;
    tk_buf_put(into, object->key);
    tk_buf_putc(into, '\0');
    return 0;
}

static void empty_store(struct tk_store *store)
{
    struct tk_buf keys;
    struct tk_err err;
    tk_buf_init(&keys, 16 * MIB);
    assert_int_equal(tk_store_list(store, TK_STR(""), TK_STR(""), delete_listed, &keys, &err), 0);
    tk_str rest = tk_buf_str(&keys), key;
    while (tk_str_take_until(&rest, '\0', &key))
        assert_int_equal(tk_store_delete(store, key, &err), 0);
    tk_buf_release(&keys);
}

static char folder[PATH_MAX];

static struct tk_store *open_dir(const char *path)
{
    char address[PATH_MAX + 8];
    struct tk_store *store;
    struct tk_err err;
    (void)snprintf(address, sizeof(address), "dir:%s", path);
    assert_int_equal(tk_store_open(tk_str_from(address), NULL, &store, &err), 0);
    return store;
}

static int open_store(void **state)
{
    const char *address = getenv("TK_TEST_STORE");
    struct tk_store *store;
    struct tk_err err = {0};
    folder_make(folder);
    if (!address) {
        store = open_dir(folder);
    } else if (tk_store_open(tk_str_from(address), NULL, &store, &err) < 0) {
        print_error("%s\n", err.msg);
        return -1;
    }
    *state = store;
    return 0;
}

static int close_store(void **state)
{
    if (getenv("TK_TEST_STORE"))
        empty_store(*state);
    tk_store_close(*state);
    folder_remove(folder);
    return 0;
}

static int by_bytes(const void *a, const void *b)
{
    return tk_str_cmp(tk_str_from(*(const char *const *)a), tk_str_from(*(const char *const *)b));
}

static void awkward_keys_are_ordinary(void **state)
{
    struct tk_store *store = *state;
    const char *keys[TK_COUNTOF(awkward_keys)];
    struct tk_buf expected;
    struct tk_err err;
    memcpy(keys, awkward_keys, sizeof(keys));
    qsort(keys, TK_COUNTOF(keys), sizeof(keys[0]), by_bytes);
    tk_buf_init(&expected, MIB);
    for (size_t i = 0; i < TK_COUNTOF(keys); i++) {
        put_text(store, keys[i], keys[i]);
        tk_buf_puts(&expected, keys[i]);
        tk_buf_putc(&expected, '\n');
    }
    tk_buf_putc(&expected, '\0');
    for (size_t i = 0; i < TK_COUNTOF(keys); i++) {
        struct tk_store_object object;
        assert_object(store, keys[i], keys[i]);
        assert_int_equal(tk_store_head(store, tk_str_from(keys[i]), &object, &err), 0);
        assert_int_equal(object.size_bytes, strlen(keys[i]));
        assert_list(store, keys[i], keys[i], 0,
                    strcmp(keys[i], ".") == 0    ? "..\n../../up\n./dot\n"
                    : strcmp(keys[i], "..") == 0 ? "../../up\n"
                                                 : "");
    }
    assert_list(store, "", "", 0, expected.p);
    assert_absent(store, "y");
    assert_absent(store, "dot");
    assert_absent(store, "per%cent/");
    for (size_t i = 0; i < TK_COUNTOF(keys); i++) {
        assert_int_equal(tk_store_delete(store, tk_str_from(keys[i]), &err), 0);
        assert_absent(store, keys[i]);
    }
    assert_list(store, "", "", 0, "");
    tk_buf_release(&expected);
}

static void a_key_may_be_the_start_of_others(void **state)
{
    struct tk_store *store = *state;
    struct tk_err err;
    put_text(store, "a/b", "inner");
    put_text(store, "a", "file");
    put_text(store, "c", "file");
    put_text(store, "c/d/e", "inner");
    put_text(store, "c/d", "both");
    put_text(store, "a!", "before the slash");
    assert_object(store, "a", "file");
    assert_object(store, "a/b", "inner");
    assert_object(store, "c", "file");
    assert_object(store, "c/d", "both");
    assert_object(store, "c/d/e", "inner");
    assert_list(store, "", "", 0, "a\na!\na/b\nc\nc/d\nc/d/e\n");
    assert_int_equal(tk_store_delete(store, TK_STR("c"), &err), 0);
    assert_absent(store, "c");
    assert_object(store, "c/d/e", "inner");
    put_text(store, "c", "again");
    put_text(store, "a", "replaced");
    assert_object(store, "c", "again");
    assert_object(store, "a", "replaced");
    assert_list(store, "", "", 0, "a\na!\na/b\nc\nc/d\nc/d/e\n");
}

static void long_keys_are_kept_up_to_the_limit(void **state)
{
    struct tk_store *store = *state;
    static const int lengths[] = {1, 196, 197, 198, 199, 200, 255, 256, 394, 396, 700};
    char key[TK_STORE_KEY_MAX + 2];
    struct tk_err err;
    struct tk_buf expected;
    tk_buf_init(&expected, MIB);
    for (size_t i = 0; i < TK_COUNTOF(lengths); i++) {
        (void)snprintf(key, sizeof(key), "%0*d", lengths[i], 0);
        put_text(store, key, "long");
        assert_object(store, key, "long");
        tk_buf_printf(&expected, "%s\n", key);
        if (lengths[i] < 197)
            continue;
        (void)snprintf(key, sizeof(key), "%0*d/x", lengths[i], 0);
        put_text(store, key, "below");
        assert_object(store, key, "below");
    }
    struct listed listed = list_keys(store, "0", "", 0);
    assert_int_equal(listed.count, 2 * TK_COUNTOF(lengths) - 2);
    tk_str rest = tk_buf_str(&listed.keys), line, before = TK_STR("");
    while (tk_str_take_line(&rest, &line)) {
        assert_true(tk_str_cmp(before, line) < 0);
        before = line;
    }
    tk_buf_release(&listed.keys);
    tk_buf_release(&expected);
    memset(key, 'k', sizeof(key));
    assert_int_equal(tk_store_put(store, (tk_str){key, TK_STORE_KEY_MAX + 1},
                                  tk_store_text(TK_STR("")), 0, NULL, &err),
                     -ENAMETOOLONG);
    assert_int_equal(tk_store_put(store, TK_STR(""), tk_store_text(TK_STR("")), 0, NULL, &err),
                     -EINVAL);
}

static void a_put_tells_size_and_digest_and_replaces(void **state)
{
    struct tk_store *store = *state;
    struct tk_store_put put, again;
    struct tk_store_object object;
    struct tk_err err;
    assert_int_equal(tk_store_put(store, TK_STR("k"), tk_store_text(TK_STR("abc")), 0, &put, &err),
                     0);
    assert_int_equal(put.size_bytes, 3);
    assert_string_equal(put.sha256,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(tk_store_head(store, TK_STR("k"), &object, &err), 0);
    assert_string_equal(object.etag, put.etag);
    assert_int_equal(tk_store_put(store, TK_STR("k"), tk_store_text(TK_STR("")), 0, &again, &err),
                     0);
    assert_int_equal(again.size_bytes, 0);
    assert_string_not_equal(again.etag, put.etag);
    assert_object(store, "k", "");
}

static void a_file_is_put_as_it_is(void **state)
{
    struct tk_store *store = *state;
    char files[PATH_MAX], path[PATH_MAX + 8], hex[TK_DIGEST_MAX];
    uint64_t bytes;
    struct tk_store_put put;
    struct tk_err err;
    folder_make(files);
    char *text = malloc(MIB);
    assert_non_null(text);
    for (size_t i = 0; i < MIB; i++)
        text[i] = (char)('a' + i % 23);
    text[MIB - 1] = '\0';
    folder_put(files, "f", text);
    (void)snprintf(path, sizeof(path), "%s/f", files);
    assert_int_equal(tk_store_put(store, TK_STR("f"), tk_store_file(AT_FDCWD, path), 0, &put, &err),
                     0);
    assert_object(store, "f", text);
    assert_int_equal(tk_digest_file(AT_FDCWD, path, hex, &bytes, &err), 0);
    assert_string_equal(put.sha256, hex);
    assert_int_equal(put.size_bytes, bytes);
    free(text);
    assert_int_equal(
        tk_store_put(store, TK_STR("g"), tk_store_file(AT_FDCWD, files), 0, &put, &err), -EINVAL);
    folder_remove(files);
    assert_int_equal(tk_store_put(store, TK_STR("g"), tk_store_file(AT_FDCWD, path), 0, &put, &err),
                     -ENOENT);
    assert_absent(store, "g");
}

static void create_only_refuses_what_exists(void **state)
{
    struct tk_store *store = *state;
    struct tk_err err;
    struct tk_store_source one = tk_store_text(TK_STR("one")), two = tk_store_text(TK_STR("two"));
    uint64_t before = tk_store_counters(store)->refused;
    assert_int_equal(tk_store_put(store, TK_STR("dir/new"), one, TK_STORE_CREATE_ONLY, NULL, &err),
                     0);
    assert_int_equal(tk_store_put(store, TK_STR("dir/new"), two, TK_STORE_CREATE_ONLY, NULL, &err),
                     -EEXIST);
    assert_int_equal(tk_store_put(store, TK_STR("dir/new"), one, TK_STORE_CREATE_ONLY, NULL, &err),
                     -EEXIST);
    assert_object(store, "dir/new", "one");
    assert_int_equal(tk_store_counters(store)->refused - before, 2);
    assert_int_equal(tk_store_delete(store, TK_STR("dir/new"), &err), 0);
    assert_int_equal(tk_store_put(store, TK_STR("dir/new"), two, TK_STORE_CREATE_ONLY, NULL, &err),
                     0);
    assert_object(store, "dir/new", "two");
}

static int append_bytes(void *into, tk_str bytes, struct tk_err *err)
{
    (void)err;
    tk_buf_put(into, bytes);
    return 0;
}

static void ranges_are_what_they_say(void **state)
{
    struct tk_store *store = *state;
    static const struct {
        struct tk_store_range range;
        int rc;
        const char *text;
    } cases[] = {
        {{0, 1}, 0, "0"},       {{0, 0}, 0, "0123456789"}, {{3, 4}, 0, "3456"},
        {{9, 1}, 0, "9"},       {{7, 0}, 0, "789"},        {{8, 100}, 0, "89"},
        {{10, 1}, -ERANGE, ""}, {{1000, 0}, -ERANGE, ""},
    };
    put_text(store, "digits", "0123456789");
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_buf got;
        struct tk_err err;
        tk_buf_init(&got, MIB);
        int rc = tk_store_get(store, TK_STR("digits"), &cases[i].range,
                              (struct tk_store_sink){append_bytes, &got}, &err);
        assert_int_equal(rc, cases[i].rc);
        assert_str_equal(tk_buf_str(&got), cases[i].text);
        tk_buf_release(&got);
    }
}

static void what_is_not_there_is_named(void **state)
{
    struct tk_store *store = *state;
    struct tk_store_object object;
    struct tk_buf got;
    struct tk_err err;
    tk_buf_init(&got, MIB);
    assert_int_equal(tk_store_get_text(store, TK_STR("no/such"), &got, &err), -ENOENT);
    assert_non_null(strstr(err.msg, "no/such"));
    assert_int_equal(tk_store_head(store, TK_STR("no/such"), &object, &err), -ENOENT);
    assert_non_null(strstr(err.msg, "no/such"));
    assert_int_equal(tk_store_delete(store, TK_STR("no/such"), &err), 0);
    put_text(store, "no", "a file on the way");
    assert_int_equal(tk_store_head(store, TK_STR("no/such"), &object, &err), -ENOENT);
    assert_int_equal(tk_store_delete(store, TK_STR("no/such"), &err), 0);
    tk_buf_release(&got);
}

static void a_list_starts_and_stops_where_it_is_told(void **state)
{
    struct tk_store *store = *state;
    static const char *const keys[] = {"h/a/1", "h/a/2", "h/ab", "h/b/1", "i", "H"};
    for (size_t i = 0; i < TK_COUNTOF(keys); i++)
        put_text(store, keys[i], "12");
    assert_list(store, "", "", 0, "H\nh/a/1\nh/a/2\nh/ab\nh/b/1\ni\n");
    assert_list(store, "h/a", "", 0, "h/a/1\nh/a/2\nh/ab\n");
    assert_list(store, "h/a/", "", 0, "h/a/1\nh/a/2\n");
    assert_list(store, "h/", "h/a/2", 0, "h/ab\nh/b/1\n");
    assert_list(store, "", "h/a/11", 2, "h/a/2\nh/ab\n");
    assert_list(store, "none", "", 0, "");
    assert_list(store, "h/a/1/", "", 0, "");
    struct listed listed = list_keys(store, "", "", 0);
    assert_int_equal(listed.bytes, 12);
    tk_buf_release(&listed.keys);
}

static int refuse(void *into, const struct tk_store_object *object, struct tk_err *err)
{
    (void)into;
    return tk_fail(err, -EXFULL, "no room for %.*s", TK_STR_ARG(object->key));
}

static int refuse_bytes(void *into, tk_str bytes, struct tk_err *err)
{
    (void)into;
    return tk_fail(err, -EXFULL, "no room for %zu bytes", bytes.n);
}

static void a_failure_of_the_caller_comes_back_to_it(void **state)
{
    struct tk_store *store = *state;
    struct tk_err err;
    put_text(store, "k", "123");
    assert_int_equal(tk_store_list(store, TK_STR(""), TK_STR(""), refuse, NULL, &err), -EXFULL);
    assert_string_equal(err.msg, "no room for k");
    assert_int_equal(
        tk_store_get(store, TK_STR("k"), NULL, (struct tk_store_sink){refuse_bytes, NULL}, &err),
        -EXFULL);
    assert_string_equal(err.msg, "no room for 3 bytes");
}

/* Keys in thousands: before a number of so many digits, and behind it. */
static const struct {
    const char *before;
    int digits;
    const char *behind;
} shapes[] = {
    {"many/a b+", 4, ""},
    {"many/", 4, "/x=%2F"},
    {"many/\xC3\xA9&<", 4, ">"},
    {"many//", 4, "//end"},
    {"many/../", 4, "/."},
    {"many/./", 4, "/.."},
    {"many/100%", 4, "%"},
    {"many/?q=", 4, "#f;:*()'!\"@$,|\\^`{}[]~"},
    {"many/tab\t", 4, "\x7F"},
    {"many/long", 900, ""},
    {"many/\xF0\x9D\x84\x9E\xE6\x97\xA5", 4, "/"},
    {"many/ ", 4, " "},
    {"/slash", 4, "="},
    {"+", 4, "%20"},
};

static size_t format_many(char keys[MANY_KEYS][TK_STORE_KEY_MAX], const char *sorted[MANY_KEYS])
{
    size_t count = getenv("TK_TEST_STORE") ? MANY_KEYS : MANY_IN_FOLDER;
    for (size_t i = 0; i < count; i++) {
        size_t shape = i % TK_COUNTOF(shapes);
        (void)snprintf(keys[i], TK_STORE_KEY_MAX, "%s%0*d%s", shapes[shape].before,
                       shapes[shape].digits, (int)i, shapes[shape].behind);
        sorted[i] = keys[i];
    }
    qsort(sorted, count, sizeof(sorted[0]), by_bytes);
    return count;
}

static void assert_many(struct tk_store *store, const char *const *keys, size_t count)
{
    struct tk_buf expected;
    tk_buf_init(&expected, MIB);
    for (size_t i = 0; i < count; i++)
        tk_buf_printf(&expected, "%s\n", keys[i]);
    tk_buf_putc(&expected, '\0');
    assert_true(tk_buf_ok(&expected));
    assert_list(store, "", "", 0, expected.p);
    tk_buf_release(&expected);
}

static void more_keys_than_a_page_holds_are_kept_listed_and_deleted(void **state)
{
    struct tk_store *store = *state;
    static char keys[MANY_KEYS][TK_STORE_KEY_MAX];
    const char *sorted[MANY_KEYS];
    struct tk_err err;
    size_t left = 0, count = format_many(keys, sorted);
    for (size_t i = 0; i < count; i++)
        put_text(store, keys[i], keys[i]);
    assert_many(store, sorted, count);
    for (size_t i = 0; i < count; i++)
        assert_object(store, keys[i], keys[i]);
    for (size_t i = 0; i < count; i++) {
        if (i % 9 != 0) {
            sorted[left++] = sorted[i];
            continue;
        }
        assert_int_equal(tk_store_delete(store, tk_str_from(sorted[i]), &err), 0);
        assert_absent(store, sorted[i]);
    }
    assert_many(store, sorted, left);
}

/* Bytes that differ from part to part. */
static char *make_part(size_t bytes, unsigned seed)
{
    char *part = malloc(bytes);
    assert_non_null(part);
    for (size_t i = 0; i < bytes; i++) {
        seed = seed * 1103515245u + 12345u;
        part[i] = (char)(seed >> 16);
    }
    return part;
}

static int add_to_digest(void *into, tk_str bytes, struct tk_err *err)
{
    (void)err;
    tk_digest_add(into, bytes);
    return 0;
}

static void digest_object(struct tk_store *store, const char *key, char ret_hex[TK_DIGEST_MAX])
{
    struct tk_digest digest;
    struct tk_err err = {0};
    assert_int_equal(tk_digest_init(&digest, TK_DIGEST_SHA256, &err), 0);
    int rc = tk_store_get(store, tk_str_from(key), NULL,
                          (struct tk_store_sink){add_to_digest, &digest}, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
    tk_digest_take(&digest, ret_hex);
    tk_digest_release(&digest);
}

static void parts_are_visible_when_all_are_there(void **state)
{
    struct tk_store *store = *state;
    static const size_t sizes[] = {5 * MIB, 5 * MIB + 1, 7};
    struct tk_upload *upload;
    struct tk_store_put put;
    struct tk_store_object object;
    struct tk_digest digest;
    struct tk_err err;
    char sent[TK_DIGEST_MAX], stored[TK_DIGEST_MAX];
    assert_int_equal(tk_digest_init(&digest, TK_DIGEST_SHA256, &err), 0);
    assert_int_equal(tk_upload_begin(store, TK_STR("big/one"), 0, &upload, &err), 0);
    for (size_t i = 0; i < TK_COUNTOF(sizes); i++) {
        char *part = make_part(sizes[i], (unsigned)i);
        tk_digest_add(&digest, (tk_str){part, sizes[i]});
        assert_int_equal(tk_upload_part(upload, tk_store_text((tk_str){part, sizes[i]}), &err), 0);
        free(part);
        assert_absent(store, "big/one");
        assert_list(store, "", "", 0, "");
    }
    assert_int_equal(tk_upload_finish(upload, &put, &err), 0);
    tk_digest_take(&digest, sent);
    tk_digest_release(&digest);
    digest_object(store, "big/one", stored);
    assert_string_equal(stored, sent);
    assert_int_equal(put.size_bytes, 10 * MIB + 8);
    assert_int_equal(tk_store_head(store, TK_STR("big/one"), &object, &err), 0);
    assert_string_equal(object.etag, put.etag);
    assert_int_equal(object.size_bytes, put.size_bytes);
}

static void an_aborted_upload_leaves_nothing(void **state)
{
    struct tk_store *store = *state;
    struct tk_upload *upload;
    struct tk_err err;
    uint64_t before = tk_store_counters(store)->swept;
    assert_int_equal(tk_upload_begin(store, TK_STR("gone"), 0, &upload, &err), 0);
    assert_int_equal(tk_upload_part(upload, tk_store_text(TK_STR("part")), &err), 0);
    tk_upload_abort(upload);
    assert_absent(store, "gone");
    assert_list(store, "", "", 0, "");
    struct tk_store_sweep sweep = {0};
    assert_int_equal(tk_store_sweep(store, &sweep, &err), 0);
    assert_int_equal(sweep.found, 0);
    assert_int_equal(tk_store_counters(store)->swept, before);
}

static void a_large_object_goes_in_one_call(void **state)
{
    struct tk_store *store = *state;
    size_t bytes = 17 * MIB + 5;
    char *text = make_part(bytes, 99), stored[TK_DIGEST_MAX], sent[TK_DIGEST_MAX];
    struct tk_store_put put;
    struct tk_err err = {0};
    tk_str all = {text, bytes};
    int rc = tk_store_put(store, TK_STR("large"), tk_store_text(all), 0, &put, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
    assert_int_equal(put.size_bytes, bytes);
    assert_int_equal(tk_digest_text(all, sent, &err), 0);
    digest_object(store, "large", stored);
    assert_string_equal(stored, sent);
    struct tk_store_range range = {9 * MIB - 3, 9};
    struct tk_buf got;
    tk_buf_init(&got, MIB);
    assert_int_equal(tk_store_get(store, TK_STR("large"), &range,
                                  (struct tk_store_sink){append_bytes, &got}, &err),
                     0);
    assert_int_equal(got.n, 9);
    assert_memory_equal(got.p, text + 9 * MIB - 3, 9);
    tk_buf_release(&got);
    free(text);
}

static void copy_all(struct tk_store *from, struct tk_store *to)
{
    struct listed listed = list_keys(from, "", "", 0);
    tk_str rest = tk_buf_str(&listed.keys), key;
    struct tk_err err;
    while (tk_str_take_line(&rest, &key)) {
        struct tk_buf text;
        tk_buf_init(&text, 32 * MIB);
        assert_int_equal(tk_store_get_text(from, key, &text, &err), 0);
        assert_int_equal(tk_store_put(to, key, tk_store_text(tk_buf_str(&text)), 0, NULL, &err), 0);
        tk_buf_release(&text);
    }
    tk_buf_release(&listed.keys);
}

static void a_copy_there_and_back_is_the_same(void **state)
{
    struct tk_store *store = *state;
    char other_folder[PATH_MAX], there[TK_DIGEST_MAX], back[TK_DIGEST_MAX];
    folder_make(other_folder);
    struct tk_store *other = open_dir(other_folder);
    char *large = make_part(17 * MIB, 5);
    struct tk_err err;
    for (size_t i = 0; i < TK_COUNTOF(awkward_keys); i++)
        put_text(store, awkward_keys[i], awkward_keys[i]);
    assert_int_equal(tk_store_put(store, TK_STR("large"), tk_store_text((tk_str){large, 17 * MIB}),
                                  0, NULL, &err),
                     0);
    digest_object(store, "large", there);
    copy_all(store, other);
    struct listed first = list_keys(store, "", "", 0), second = list_keys(other, "", "", 0);
    assert_int_equal(first.bytes, second.bytes);
    assert_true(tk_str_eq(tk_buf_str(&first.keys), tk_buf_str(&second.keys)));
    empty_store(store);
    copy_all(other, store);
    digest_object(store, "large", back);
    assert_string_equal(back, there);
    for (size_t i = 0; i < TK_COUNTOF(awkward_keys); i++)
        assert_object(store, awkward_keys[i], awkward_keys[i]);
    tk_buf_release(&first.keys);
    tk_buf_release(&second.keys);
    tk_store_close(other);
    folder_remove(other_folder);
    free(large);
}

#define IN_STORE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(awkward_keys_are_ordinary),
        IN_STORE(a_key_may_be_the_start_of_others),
        IN_STORE(long_keys_are_kept_up_to_the_limit),
        IN_STORE(a_put_tells_size_and_digest_and_replaces),
        IN_STORE(a_file_is_put_as_it_is),
        IN_STORE(create_only_refuses_what_exists),
        IN_STORE(ranges_are_what_they_say),
        IN_STORE(what_is_not_there_is_named),
        IN_STORE(a_list_starts_and_stops_where_it_is_told),
        IN_STORE(a_failure_of_the_caller_comes_back_to_it),
        IN_STORE(more_keys_than_a_page_holds_are_kept_listed_and_deleted),
        IN_STORE(parts_are_visible_when_all_are_there),
        IN_STORE(an_aborted_upload_leaves_nothing),
        IN_STORE(a_large_object_goes_in_one_call),
        IN_STORE(a_copy_there_and_back_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
