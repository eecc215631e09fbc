/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of stores share. */
#ifndef TK_TEST_STORE_H
#define TK_TEST_STORE_H

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/digest.h"
#include "store/store.h"
#include "tk_folder.h"

#define MIB ((size_t)1 << 20)

static inline void put_text(struct tk_store *store, const char *key, const char *text)
{
    struct tk_err err = {0};
    int rc = tk_store_put(store, tk_str_from(key), tk_store_text(tk_str_from(text)), 0, NULL, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
}

#define assert_object(store, key, text)                                                            \
    do {                                                                                           \
        struct tk_buf got_;                                                                        \
        struct tk_err err_ = {0};                                                                  \
        tk_buf_init(&got_, MIB);                                                                   \
        if (tk_store_get_text((store), tk_str_from(key), &got_, &err_) < 0) {                      \
            print_error("%s\n", err_.msg);                                                         \
            fail();                                                                                \
        }                                                                                          \
        assert_str_equal(tk_buf_str(&got_), (text));                                               \
        tk_buf_release(&got_);                                                                     \
    } while (0)

#define assert_absent(store, key)                                                                  \
    do {                                                                                           \
        struct tk_store_object object_;                                                            \
        struct tk_err err_;                                                                        \
        assert_int_equal(tk_store_head((store), tk_str_from(key), &object_, &err_), -ENOENT);      \
    } while (0)

/* Keys of a list, each with a newline behind it. */
struct listed {
    struct tk_buf keys;
    size_t count, stop_after; /* 0 = all */
    uint64_t bytes;
};

static inline int note_key(void *into, const struct tk_store_object *object, struct tk_err *err)
{
    struct listed *listed = into;
    (void)err;
    assert_true(object->etag[0] != '\0' && object->etag[0] != '"');
    assert_true(object->modified_ns > 1600000000 * TK_NS_PER_S);
    tk_buf_put(&listed->keys, object->key);
    tk_buf_putc(&listed->keys, '\n');
    listed->bytes += object->size_bytes;
    return ++listed->count == listed->stop_after ? 1 : 0;
}

static inline struct listed list_keys(struct tk_store *store, const char *prefix, const char *after,
                                      size_t stop_after)
{
    struct listed listed = {.stop_after = stop_after};
    struct tk_err err = {0};
    tk_buf_init(&listed.keys, 16 * MIB);
    int rc = tk_store_list(store, tk_str_from(prefix), tk_str_from(after), note_key, &listed, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
    assert_true(tk_buf_ok(&listed.keys));
    return listed;
}

#define assert_list(store, prefix, after, stop_after, text)                                        \
    do {                                                                                           \
        struct listed listed_ = list_keys((store), (prefix), (after), (stop_after));               \
        assert_str_equal(tk_buf_str(&listed_.keys), (text));                                       \
        tk_buf_release(&listed_.keys);                                                             \
    } while (0)

#endif
