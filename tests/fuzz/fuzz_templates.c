/* SPDX-License-Identifier: Apache-2.0 */
/* Files of queries of `tracekit fidelity templates`: what is read lies inside the text. */
#include "fidelity/templates.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const tk_str text = {(const char *)data, size};
    struct tk_templates templates;
    struct tk_err err;
    if (tk_templates_init(&templates, text, &err) == 0) {
        for (size_t i = 0; i < templates.count; i++) {
            tk_str rest = templates.items[i].sql;
            tk_str before;
            if (rest.n > size || templates.items[i].name.n == 0)
                abort();
            while (tk_template_next(&rest, &before).p) {
                if (before.n > size)
                    abort();
            }
        }
    }
    tk_templates_release(&templates);
    return 0;
}
