/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "span/span_format.h"

/* What tells itself by its first bytes comes first; JSON from the particular to the general. */
const struct tk_span_reader *const tk_span_readers[] = {
    &tk_span_reader_zipkin_proto, &tk_span_reader_otlp_proto,
    &tk_span_reader_otlp_json,    &tk_span_reader_jaeger,
    &tk_span_reader_gent,         &tk_span_reader_zipkin,
    &tk_span_reader_events,       &tk_span_reader_flat,
    &tk_span_reader_csv,          NULL,
};

const struct tk_span_encoder *const tk_span_encoders[] = {
    &tk_span_encoder_otlp,   &tk_span_encoder_otlp_proto,
    &tk_span_encoder_jaeger, &tk_span_encoder_zipkin,
    &tk_span_encoder_chrome, &tk_span_encoder_perfetto,
    &tk_span_encoder_csv,    &tk_span_encoder_jsonl,
    &tk_span_encoder_gent,   NULL,
};

const struct tk_span_reader *tk_span_reader_find(const char *name)
{
    for (size_t i = 0; tk_span_readers[i]; i++) {
        if (strcmp(tk_span_readers[i]->name, name) == 0)
            return tk_span_readers[i];
    }
    return NULL;
}

const struct tk_span_reader *tk_span_reader_detect(tk_str head)
{
    for (size_t i = 0; tk_span_readers[i]; i++) {
        if (tk_span_readers[i]->detect(head))
            return tk_span_readers[i];
    }
    return NULL;
}

const struct tk_span_encoder *tk_span_encoder_find(const char *name)
{
    for (size_t i = 0; tk_span_encoders[i]; i++) {
        if (strcmp(tk_span_encoders[i]->name, name) == 0)
            return tk_span_encoders[i];
    }
    return NULL;
}
