/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/coded.h"

#include <libdeflate.h>
#include <string.h>
#include <strings.h>
#include <zstd.h>

#include "base/number.h"

/* Answers are made once and read once, often on the same machine: the fast levels. */
#define GZIP_LEVEL 2
#define ZSTD_LEVEL 1

static const struct {
    const char *name;
    enum tk_coding coding;
} offers[] = {{"zstd", TK_CODING_ZSTD}, {"gzip", TK_CODING_GZIP}, {"identity", TK_CODING_IDENTITY}};

const char *tk_coding_name(enum tk_coding coding)
{
    for (size_t i = 0; i < TK_COUNTOF(offers); i++) {
        if (offers[i].coding == coding)
            return offers[i].name;
    }
    return NULL;
}

/* Choosing ------------------------------------------------------------------------------------ */

/* One member of the list, "gzip;q=0.5". What is no weight is 0. */
static tk_str read_member(tk_str member, double *ret_weight)
{
    size_t n = tk_str_find(member, ';');
    tk_str name = tk_str_trim((tk_str){member.p, n});
    *ret_weight = 1;
    if (n == member.n)
        return name;
    tk_str weight = tk_str_trim((tk_str){member.p + n + 1, member.n - n - 1});
    if (!(tk_str_take_prefix(&weight, TK_STR("q=")) || tk_str_take_prefix(&weight, TK_STR("Q="))) ||
        !tk_parse_f64(weight, ret_weight))
        *ret_weight = 0;
    return name;
}

static bool is_named(tk_str name, const char *wanted)
{
    return name.n == strlen(wanted) && strncasecmp(name.p, wanted, name.n) == 0;
}

/* How much a client likes a coding; -1 = he says nothing of it. */
static double weight_of(tk_str list, const char *name)
{
    double any = -1;
    while (list.n > 0) {
        double weight;
        size_t n = tk_str_find(list, ',');
        tk_str found = read_member((tk_str){list.p, n}, &weight);
        if (is_named(found, name))
            return weight;
        if (is_named(found, "*"))
            any = weight;
        n += n < list.n;
        list = (tk_str){list.p + n, list.n - n};
    }
    return any;
}

enum tk_coding tk_coding_choose(tk_str accept_encoding)
{
    enum tk_coding best = TK_CODING_IDENTITY;
    double best_weight = 0;
    for (size_t i = 0; i < TK_COUNTOF(offers); i++) {
        double weight = weight_of(accept_encoding, offers[i].name);
        if (weight <= best_weight)
            continue;
        best = offers[i].coding;
        best_weight = weight;
    }
    return best;
}

/* Coding -------------------------------------------------------------------------------------- */

static size_t put_gzip(tk_str plain, char *to, size_t cap)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(GZIP_LEVEL);
    size_t n = compressor ? libdeflate_gzip_compress(compressor, plain.p, plain.n, to, cap) : 0;
    libdeflate_free_compressor(compressor);
    return n;
}

static size_t put_zstd(tk_str plain, char *to, size_t cap)
{
    size_t n = ZSTD_compress(to, cap, plain.p, plain.n, ZSTD_LEVEL);
    return ZSTD_isError(n) ? 0 : n;
}

bool tk_coded_make(enum tk_coding coding, struct tk_buf *body)
{
    struct tk_buf coded;
    tk_buf_init(&coded, body->max);
    char *to = tk_buf_reserve(&coded, body->n); /* no room for what would be longer */
    if (to) {
        coded.n = coding == TK_CODING_ZSTD ? put_zstd(tk_buf_str(body), to, body->n)
                                           : put_gzip(tk_buf_str(body), to, body->n);
    }
    if (coded.n == 0) {
        tk_buf_release(&coded);
        return false;
    }
    tk_buf_release(body);
    *body = coded;
    return true;
}
