/* SPDX-License-Identifier: Apache-2.0 */
#include "base/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

static void set_function(const struct tk_symbol *symbol, void *ret_functions, void *function)
{
    /* POSIX has pointers to functions and to objects alike, C does not. */
    memcpy((char *)ret_functions + symbol->offset, &function, sizeof(function));
}

static void unset_functions(const struct tk_library *library, void *ret_functions)
{
    for (size_t i = 0; i < library->symbol_count; i++)
        set_function(&library->symbols[i], ret_functions, NULL);
}

int tk_library_load(const struct tk_library *library, void *ret_functions, struct tk_err *err)
{
    unset_functions(library, ret_functions);
    void *handle = dlopen(library->soname, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): glibc keeps it by thread */
        return tk_fail(err, -ENOENT, "library %s: %s", library->soname, dlerror());
    }
    for (size_t i = 0; i < library->symbol_count; i++) {
        const struct tk_symbol *symbol = &library->symbols[i];
        void *function = dlsym(handle, symbol->name);
        if (!function && !symbol->optional) {
            unset_functions(library, ret_functions);
            (void)dlclose(handle);
            return tk_fail(err, -ENOENT, "library %s: it has no %s", library->soname, symbol->name);
        }
        set_function(symbol, ret_functions, function);
    }
    return 0;
}
