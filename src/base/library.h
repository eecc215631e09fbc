/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries that few commands need, loaded when such a command first does. A library that is linked
 * costs every start of every command: GnuTLS with all that it needs 1.3 ms and 2.6 MB, where all of
 * `tracekit step start` may take 1 ms. The types come from the library's own header:
 *
 *     struct snappy {
 *         __typeof__(snappy_compress) *compress;
 *     };
 *     static const struct tk_symbol symbols[] = {
 *         TK_SYMBOL(struct snappy, compress, snappy_compress),
 *     };
 *     static const struct tk_library library = {"libsnappy.so.1", symbols, TK_COUNTOF(symbols)};
 *
 *     struct snappy snappy;
 *     int rc = tk_library_load(&library, &snappy, err);
 */
#ifndef TK_BASE_LIBRARY_H
#define TK_BASE_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"

struct tk_symbol {
    const char *name;
    size_t offset; /* of the pointer to the function */
    bool optional; /* NULL in a library that lacks it */
};

/* The line of one function; does not compile where the field's type is not the function's. */
#define TK_SYMBOL(type, field, function)                                                           \
    {                                                                                              \
#function, offsetof(type, field) + 0 * sizeof(char[TK_SYMBOL_FITS(type, field, function)]) \
    }
#define TK_SYMBOL_FITS(type, field, function)                                                      \
    (__builtin_types_compatible_p(__typeof__(((type *)0)->field), __typeof__(&(function))) ? 1 : -1)

struct tk_library {
    const char *soname; /* as the dynamic linker looks for it, e.g. "libsnappy.so.1"; or a path */
    const struct tk_symbol *symbols;
    size_t symbol_count;
};

/* Load the library, if it is not yet there, and set every pointer of the struct `ret_functions`. It
 * stays until the process ends. -ENOENT when there is none, or it lacks a function; then all
 * pointers are NULL. Safe from any thread; some microseconds when it is loaded. */
TK_MUST_USE int tk_library_load(const struct tk_library *library, void *ret_functions,
                                struct tk_err *err);

#endif
