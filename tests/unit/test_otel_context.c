/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/otel_context.h"

#include <errno.h>
#include <string.h>

#include "tk_test.h"

static void mappings_are_known_by_the_beginning_of_their_names(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint64_t address; /* 0 = none */
    } cases[] = {
        {"7f1b2c000000-7f1b2c001000 rw-p 00000000 00:01 1027  /memfd:OTEL_CTX (deleted)",
         0x7f1b2c000000},
        {"7f1b2c000000-7f1b2c001000 rw-p 00000000 00:00 0  [anon_shmem:OTEL_CTX]", 0x7f1b2c000000},
        {"1000-2000 rw-p 00000000 00:00 0 [anon:OTEL_CTX]", 0x1000},
        {"1000-2000 rw-p 00000000 00:00 0", 0},
        {"1000-2000 r-xp 00000000 08:01 99 /usr/lib/OTEL_CTX.so", 0},
        {"1000-2000 rw-p 00000000 00:01 5 /home/u/memfd:OTEL_CTX", 0},
        {"x-2000 rw-p 00000000 00:00 0 [anon:OTEL_CTX]", 0},
        {"", 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        uint64_t address = 0;
        bool found = tk_otel_mapping_parse(tk_str_from(cases[i].line), &address);
        assert_int_equal(found, cases[i].address != 0);
        assert_true(address == cases[i].address);
    }
}

/* Memory of a process that may update its context while it is read. */
struct memory {
    char header[32];
    const char *payload;
    int reads;
    int updates; /* the stamp changes after so many reads of the header */
};

#define BYTES(text)                                                                                \
    {                                                                                              \
        "" text, sizeof(text) - 1                                                                  \
    }
#define HEADER_AT  0x1000
#define PAYLOAD_AT 0x5000

static void publish(struct memory *memory, uint32_t version, uint32_t bytes, uint64_t stamp)
{
    uint64_t at = PAYLOAD_AT;
    memcpy(memory->header, "OTEL_CTX", 8);
    memcpy(memory->header + 8, &version, 4);
    memcpy(memory->header + 12, &bytes, 4);
    memcpy(memory->header + 16, &stamp, 8);
    memcpy(memory->header + 24, &at, 8);
}

static int read_memory(void *world, pid_t pid, uint64_t address, void *to, size_t n)
{
    struct memory *memory = world;
    (void)pid;
    if (address == PAYLOAD_AT) {
        memcpy(to, memory->payload, n);
        return 0;
    }
    if (address != HEADER_AT)
        return -EFAULT;
    memory->reads++;
    if (memory->updates > 0 && memory->reads % 2 == 0) {
        memory->updates--;
        memory->header[16]++;
    }
    memcpy(to, memory->header, n);
    return 0;
}

static void a_context_is_read_once_it_stands_still(void **state)
{
    (void)state;
    static const struct {
        uint32_t version, bytes;
        uint64_t stamp;
        int updates;
        int rc;
    } cases[] = {
        {2, 5, 77, 0, 0},      {2, 5, 77, 2, 0},       {2, 5, 77, 9, -EAGAIN},
        {2, 5, 0, 0, -EAGAIN}, {1, 5, 77, 0, -ENOENT}, {2, 1 << 20, 77, 0, -EMSGSIZE},
        {2, 0, 77, 0, 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf payload;
        struct memory memory = {.payload = "hello", .updates = cases[i].updates};
        tk_buf_init(&payload, 1 << 16);
        publish(&memory, cases[i].version, cases[i].bytes, cases[i].stamp);
        assert_int_equal(tk_otel_context_read(read_memory, &memory, 1, HEADER_AT, &payload),
                         cases[i].rc);
        if (cases[i].rc == 0)
            assert_int_equal(payload.n, cases[i].bytes);
    }
    TK_CLEANUP(tk_buf_release) struct tk_buf payload;
    struct memory memory = {.payload = ""};
    tk_buf_init(&payload, 1 << 16);
    assert_int_equal(tk_otel_context_read(read_memory, &memory, 1, HEADER_AT, &payload), -ENOENT);
    assert_int_equal(tk_otel_context_read(read_memory, &memory, 1, 4711, &payload), -EFAULT);
}

/* KeyValue {"service.name": "shop"}, and as attribute 1 of a Resource. */
#define PAIR     "\x0a\x0cservice.name\x12\x06\x0a\x04shop"
#define RESOURCE "\x0a\x16" PAIR

static void both_forms_of_a_payload_become_json(void **state)
{
    (void)state;
    static const struct {
        tk_str payload;
        const char *json; /* NULL = it is none */
    } cases[] = {
        {BYTES(RESOURCE), "{\"service.name\":\"shop\"}"},
        {BYTES("\x0a\x18" RESOURCE), "{\"service.name\":\"shop\"}"},
        {BYTES("\x0a\x18" RESOURCE "\x12\x07\x0a\x01k\x12\x02\x18\x05"),
         "{\"service.name\":\"shop\",\"k\":5}"},
        {BYTES("\x12\x07\x0a\x01k\x12\x02\x10\x01"), "{\"k\":true}"},
        {BYTES("\x12\x0e\x0a\x01k\x12\x09\x21\x00\x00\x00\x00\x00\x00\xf8\x3f"), "{\"k\":1.5}"},
        {BYTES("\x12\x0c\x0a\x01k\x12\x07\x2a\x05\x0a\x03\x0a\x01x"), "{\"k\":[\"x\"]}"},
        {BYTES("\x12\x10\x0a\x01k\x12\x0b\x32\x09\x0a\x07\x0a\x01m\x12\x02\x18\x01"),
         "{\"k\":{\"m\":1}}"},
        {BYTES("\x12\x09\x0a\x01k\x12\x04\x3a\x02\x00\xff"), "{\"k\":\"0x00ff\"}"},
        {BYTES("\x12\x05\x0a\x01k\x12\x00"), "{\"k\":null}"},
        {BYTES(""), "{}"},
        {BYTES("\x0a\x18" PAIR), NULL},
        {BYTES("\x12\x03\x0a\x01\xff"), NULL},
        {BYTES("no protobuf at all"), NULL},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        struct tk_err err;
        tk_buf_init(&out, 1 << 16);
        int rc = tk_otel_context_format(cases[i].payload, &out, &err);
        assert_int_equal(rc, cases[i].json ? 0 : -EBADMSG);
        assert_str_equal(tk_buf_str(&out), cases[i].json ? cases[i].json : "");
    }
}

static void values_that_nest_too_deep_are_refused(void **state)
{
    (void)state;
    char message[256];
    size_t n = sizeof(message);
    message[--n] = 0; /* an empty array, in an array, in an array, ... */
    message[--n] = 0x2a;
    for (int depth = 0; depth < 20; depth++) {
        char bytes = (char)(sizeof(message) - n);
        message[--n] = bytes;
        message[--n] = 0x0a;
        bytes = (char)(sizeof(message) - n);
        message[--n] = bytes;
        message[--n] = 0x2a;
    }
    char pair[300] = "\x12";
    size_t bytes = sizeof(message) - n;
    pair[1] = (char)(bytes + 5);
    memcpy(pair + 2, "\x0a\x01k\x12", 4);
    pair[6] = (char)bytes;
    memcpy(pair + 7, message + n, bytes);
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_err err;
    tk_buf_init(&out, 1 << 16);
    assert_int_equal(tk_otel_context_format((tk_str){pair, bytes + 7}, &out, &err), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mappings_are_known_by_the_beginning_of_their_names),
        cmocka_unit_test(a_context_is_read_once_it_stands_still),
        cmocka_unit_test(both_forms_of_a_payload_become_json),
        cmocka_unit_test(values_that_nest_too_deep_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
