/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/baselines.h"

#include <string.h>

const struct tk_baseline *const tk_baselines[] = {
    &tk_baseline_columns, &tk_baseline_columns_bare, &tk_baseline_otlp,
    &tk_baseline_otap,    &tk_baseline_markov,       NULL,
};

const struct tk_baseline *tk_baseline_find(const char *name)
{
    for (size_t i = 0; tk_baselines[i]; i++) {
        if (strcmp(tk_baselines[i]->name, name) == 0)
            return tk_baselines[i];
    }
    return NULL;
}
