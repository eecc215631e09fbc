/* SPDX-License-Identifier: Apache-2.0 */
/* The columns that every file has (docs/format-spans.md section 3). */
#include "segment/columns.h"

/* Nodes of texts, of counts that are mostly 0, of lists and maps. */
#define TEXT(label)                                                                                \
    {                                                                                              \
        label, TK_PARQUET_BYTES, TK_PARQUET_REQUIRED, TK_PARQUET_STRING                            \
    }
#define MAYBE(label)                                                                               \
    {                                                                                              \
        label, TK_PARQUET_BYTES, TK_PARQUET_OPTIONAL, TK_PARQUET_STRING                            \
    }
#define COUNT(label)                                                                               \
    {                                                                                              \
        label, TK_PARQUET_I64, TK_PARQUET_OPTIONAL                                                 \
    }
#define LIST(label, fields)                                                                        \
    {label, TK_PARQUET_GROUP, TK_PARQUET_OPTIONAL, TK_PARQUET_LIST, .children = 1},                \
        {"list", TK_PARQUET_GROUP, TK_PARQUET_REPEATED, .children = 1},                            \
    {                                                                                              \
        "element", TK_PARQUET_GROUP, .children = (fields)                                          \
    }
#define ATTRS                                                                                      \
    {"attrs", TK_PARQUET_GROUP, TK_PARQUET_OPTIONAL, TK_PARQUET_MAP, .children = 1},               \
        {"key_value", TK_PARQUET_GROUP, TK_PARQUET_REPEATED, .children = 2},                       \
        {"key", TK_PARQUET_BYTES, TK_PARQUET_REQUIRED, TK_PARQUET_STRING},                         \
    {                                                                                              \
        "value", TK_PARQUET_BYTES, TK_PARQUET_REQUIRED, TK_PARQUET_STRING                          \
    }

/* Ids: random digits are packed by their letters, and nothing else is to be found. */
#define ID(label, repetition, ...)                                                                 \
    {                                                                                              \
        label, TK_PARQUET_BYTES, repetition, TK_PARQUET_STRING,                                    \
            .encoding = TK_PARQUET_ENCODE_DELTA, .level = 1, __VA_ARGS__                           \
    }

/* clang-format off */
const struct tk_parquet_node tk_column_nodes[] = {
    ID("trace_id", TK_PARQUET_REQUIRED, .bloom = true),
    ID("span_id", TK_PARQUET_REQUIRED, .bloom = false),
    ID("parent_span_id", TK_PARQUET_OPTIONAL, .bloom = false),
    MAYBE("service"),
    TEXT("name"),
    TEXT("kind"),
    TEXT("status"),
    MAYBE("status_message"),
    {"start_us", TK_PARQUET_I64, TK_PARQUET_REQUIRED, TK_PARQUET_TIMESTAMP_US,
     .encoding = TK_PARQUET_ENCODE_DELTA},
    {"start_ns", TK_PARQUET_I64, .encoding = TK_PARQUET_ENCODE_DELTA},
    {"duration_ns", TK_PARQUET_I64},
    MAYBE("trace_state"),
    {"flags", TK_PARQUET_I64},
    MAYBE("scope_name"),
    MAYBE("scope_version"),
    TEXT("resource"),
    MAYBE("more_of_resource"),
    MAYBE("more_of_scope"),
    COUNT("dropped_attributes"),
    COUNT("dropped_events"),
    COUNT("dropped_links"),
    MAYBE("layout"),
    ATTRS,
    LIST("events", 5),
        {"time_ns", TK_PARQUET_I64},
        TEXT("name"),
        ATTRS,
        MAYBE("types"),
        COUNT("dropped_attributes"),
    LIST("links", 7),
        TEXT("trace_id"),
        TEXT("span_id"),
        MAYBE("trace_state"),
        {"flags", TK_PARQUET_I64},
        ATTRS,
        MAYBE("types"),
        COUNT("dropped_attributes"),
};
/* clang-format on */

const size_t tk_column_node_count = TK_COUNTOF(tk_column_nodes);

#define EVENT "events.list.element."
#define LINK  "links.list.element."

const char *const tk_column_paths[TK_COLUMN_COUNT] = {
    [TK_COLUMN_TRACE_ID] = "trace_id",
    [TK_COLUMN_SPAN_ID] = "span_id",
    [TK_COLUMN_PARENT_SPAN_ID] = "parent_span_id",
    [TK_COLUMN_SERVICE] = "service",
    [TK_COLUMN_NAME] = "name",
    [TK_COLUMN_KIND] = "kind",
    [TK_COLUMN_STATUS] = "status",
    [TK_COLUMN_STATUS_MESSAGE] = "status_message",
    [TK_COLUMN_START_US] = "start_us",
    [TK_COLUMN_START_NS] = "start_ns",
    [TK_COLUMN_DURATION_NS] = "duration_ns",
    [TK_COLUMN_TRACE_STATE] = "trace_state",
    [TK_COLUMN_FLAGS] = "flags",
    [TK_COLUMN_SCOPE_NAME] = "scope_name",
    [TK_COLUMN_SCOPE_VERSION] = "scope_version",
    [TK_COLUMN_RESOURCE] = "resource",
    [TK_COLUMN_RESOURCE_MORE] = "more_of_resource",
    [TK_COLUMN_SCOPE_MORE] = "more_of_scope",
    [TK_COLUMN_DROPPED_ATTRS] = "dropped_attributes",
    [TK_COLUMN_DROPPED_EVENTS] = "dropped_events",
    [TK_COLUMN_DROPPED_LINKS] = "dropped_links",
    [TK_COLUMN_LAYOUT] = "layout",
    [TK_COLUMN_ATTRS_KEY] = "attrs.key_value.key",
    [TK_COLUMN_ATTRS_VALUE] = "attrs.key_value.value",
    [TK_COLUMN_EVENT_TIME_NS] = EVENT "time_ns",
    [TK_COLUMN_EVENT_NAME] = EVENT "name",
    [TK_COLUMN_EVENT_KEY] = EVENT "attrs.key_value.key",
    [TK_COLUMN_EVENT_VALUE] = EVENT "attrs.key_value.value",
    [TK_COLUMN_EVENT_TYPES] = EVENT "types",
    [TK_COLUMN_EVENT_DROPPED] = EVENT "dropped_attributes",
    [TK_COLUMN_LINK_TRACE_ID] = LINK "trace_id",
    [TK_COLUMN_LINK_SPAN_ID] = LINK "span_id",
    [TK_COLUMN_LINK_TRACE_STATE] = LINK "trace_state",
    [TK_COLUMN_LINK_FLAGS] = LINK "flags",
    [TK_COLUMN_LINK_KEY] = LINK "attrs.key_value.key",
    [TK_COLUMN_LINK_VALUE] = LINK "attrs.key_value.value",
    [TK_COLUMN_LINK_TYPES] = LINK "types",
    [TK_COLUMN_LINK_DROPPED] = LINK "dropped_attributes",
};

const tk_str tk_kind_texts[TK_SPAN_KIND_COUNT] = {
    [TK_SPAN_UNSPECIFIED] = {"unspecified", 11},
    [TK_SPAN_INTERNAL] = {"internal", 8},
    [TK_SPAN_SERVER] = {"server", 6},
    [TK_SPAN_CLIENT] = {"client", 6},
    [TK_SPAN_PRODUCER] = {"producer", 8},
    [TK_SPAN_CONSUMER] = {"consumer", 8},
};

const tk_str tk_status_texts[TK_SPAN_STATUS_COUNT] = {
    [TK_SPAN_UNSET] = {"unset", 5},
    [TK_SPAN_OK] = {"ok", 2},
    [TK_SPAN_ERROR] = {"error", 5},
};
