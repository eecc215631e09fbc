/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "span/ingest.h"

/* One format a line. */
/* clang-format off */
const struct tk_ingest *const tk_ingests[] = {
    &tk_ingest_nginx,
    &tk_ingest_envoy,
    &tk_ingest_json,
    &tk_ingest_csv,
    &tk_ingest_jobs,
    NULL,
};
/* clang-format on */

const struct tk_ingest *tk_ingest_find(const char *name)
{
    for (const struct tk_ingest *const *ingest = tk_ingests; *ingest; ingest++) {
        if (strcmp((*ingest)->name, name) == 0)
            return *ingest;
    }
    return NULL;
}
