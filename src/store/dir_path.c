/* SPDX-License-Identifier: Apache-2.0 */
#include "store/dir_path.h"

#include <errno.h>

/* A name is full when the longest escape may not fit any more. Where a part is cut depends on its
 * bytes so far and on nothing else: all parts with the same start lie in the same folder, which is
 * what lets a list walk folders in the order of keys. */
#define ESCAPE_MAX 3
#define FULL       (TK_DIR_NAME_MAX - ESCAPE_MAX)

static bool must_escape(unsigned char byte)
{
    return byte < 0x20 || byte == 0x7F || byte == '%';
}

/* Writes names one behind the other. */
struct names {
    struct tk_dir_path *path;
    size_t n;     /* bytes of text in use */
    size_t start; /* of the name at hand */
};

static void put_byte(struct names *names, char byte)
{
    names->path->text[names->n++] = byte;
}

static void put_escaped(struct names *names, unsigned char byte)
{
    static const char digits[] = "0123456789ABCDEF";
    put_byte(names, '%');
    put_byte(names, digits[byte >> 4]);
    put_byte(names, digits[byte & 15]);
}

static bool end_name(struct names *names)
{
    struct tk_dir_path *path = names->path;
    if (path->count == TK_DIR_DEPTH_MAX)
        return false;
    put_byte(names, '\0');
    path->names[path->count++] = path->text + names->start;
    names->start = names->n;
    return true;
}

static bool encode_part(struct names *names, tk_str part)
{
    bool is_dots = tk_str_eq(part, TK_STR(".")) || tk_str_eq(part, TK_STR(".."));
    size_t left = part.n;
    for (size_t i = 0; i < part.n; i++, left--) {
        unsigned char byte = (unsigned char)part.p[i];
        if (names->n - names->start > FULL) {
            put_byte(names, '%');
            put_byte(names, '+');
            if (!end_name(names))
                return false;
            is_dots = left <= 2 && tk_str_starts_with(TK_STR(".."), (tk_str){part.p + i, left});
        }
        if (is_dots || must_escape(byte)) {
            put_escaped(names, byte);
        } else {
            put_byte(names, (char)byte);
        }
    }
    if (names->n - names->start > FULL) {
        put_byte(names, '%');
        put_byte(names, '+');
        if (!end_name(names))
            return false;
    }
    if (names->n == names->start) {
        put_byte(names, '%');
        put_byte(names, 'e');
    }
    return end_name(names);
}

/* A key of 1,024 bytes takes three times as many at most, 4 more for each name. */
_Static_assert(sizeof(((struct tk_dir_path *)0)->text) > 3 * 1024 + 4 * (TK_DIR_DEPTH_MAX + 1) + 3,
               "the longest path fits");

int tk_dir_path_encode(tk_str key, struct tk_dir_path *ret_path, struct tk_err *err)
{
    struct names names = {.path = ret_path};
    ret_path->count = 0;
    for (tk_str rest = key;;) {
        size_t slash = tk_str_find(rest, '/');
        if (!encode_part(&names, (tk_str){rest.p, slash})) {
            return tk_fail(err, -ENAMETOOLONG, "%.*s: a key in a folder has %d parts at most",
                           TK_STR_ARG(key), TK_DIR_DEPTH_MAX);
        }
        if (slash == rest.n)
            return 0;
        rest.p += slash + 1;
        rest.n -= slash + 1;
    }
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The bytes of a name without its ending; only escapes that are needed stand for something. */
static bool decode_bytes(tk_str name, struct tk_buf *key)
{
    bool is_dots = tk_str_eq(name, TK_STR("%2E")) || tk_str_eq(name, TK_STR("%2E%2E"));
    for (size_t i = 0; i < name.n; i++) {
        unsigned char byte = (unsigned char)name.p[i];
        if (byte == '%') {
            int high = i + 2 < name.n ? hex_value(name.p[i + 1]) : -1;
            int low = i + 2 < name.n ? hex_value(name.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            byte = (unsigned char)(high << 4 | low);
            if (!must_escape(byte) && !is_dots)
                return false;
            i += 2;
        } else if (must_escape(byte)) {
            return false;
        }
        tk_buf_putc(key, (char)byte);
    }
    return true;
}

bool tk_dir_name_is_cut(tk_str name)
{
    return tk_str_ends_with(name, TK_STR("%+"));
}

bool tk_dir_name_decode(tk_str name, bool is_folder, struct tk_buf *key)
{
    bool is_cut = is_folder && tk_dir_name_is_cut(name);
    if (is_cut || tk_str_ends_with(name, is_folder ? TK_STR("%d") : TK_STR("%f")))
        name.n -= 2;
    if (name.n == 0 || (name.n > FULL) != is_cut)
        return false;
    if (!tk_str_eq(name, TK_STR("%e")) && !decode_bytes(name, key))
        return false;
    if (is_folder && !is_cut)
        tk_buf_putc(key, '/');
    return tk_buf_ok(key);
}
