/* SPDX-License-Identifier: Apache-2.0 */
/* What the object store costs (object-store.md section 16): signing a request, and against the
 * store that the environment names putting 64 MiB, and putting and getting 4 KiB one after the
 * other.
 *
 *     tests/e2e/radosgw start /tmp/rgw >env; set -a; . ./env
 *     build-bench/store; tests/e2e/radosgw stop /tmp/rgw
 */
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/sigv4.h"
#include "store/store.h"
#include "store/url.h"

#define LARGE_BYTES ((size_t)64 << 20)
#define SMALL_BYTES ((size_t)4 << 10)

struct opts {
    int64_t rounds, small, signatures;
};

static const struct tk_opt options[] = {
    {"rounds", TK_OPT_INT, offsetof(struct opts, rounds), "N", "large objects; the median counts",
     .min = 1, .max = 99},
    {"small", TK_OPT_INT, offsetof(struct opts, small), "N", "small objects", .min = 1,
     .max = 1000000},
    {"signatures", TK_OPT_INT, offsetof(struct opts, signatures), "N", "requests to sign", .min = 1,
     .max = 100000000},
    {0},
};

static int sign_requests(int64_t count, struct tk_err *err)
{
    const struct tk_credentials credentials = {"testkey", "testsecret", NULL};
    struct tk_signer signer;
    struct tk_buf path, value;
    int rc = tk_signer_init(&signer, &credentials, TK_STR("us-east-1"), err);
    tk_buf_init(&path, 4096);
    tk_buf_init(&value, 4096);
    int64_t start_ns = tk_bench_cpu_ns();
    for (int64_t i = 0; rc == 0 && i < count; i++) {
        const struct tk_sigv4_header headers[] = {
            {TK_STR("host"), TK_STR("127.0.0.1:7480")},
            {TK_STR("x-amz-content-sha256"), TK_STR(TK_SIGV4_EMPTY)},
            {TK_STR("x-amz-date"), TK_STR("20261121T090229Z")},
        };
        tk_buf_reset(&path);
        tk_buf_reset(&value);
        tk_buf_puts(&path, "/bucket/");
        tk_url_put_path(&path, TK_STR("run=0f8fad5b/host=worker-07/seg-00000001.jsonl.zst"));
        const struct tk_sigv4_request request = {
            .method = TK_STR("PUT"),
            .path = tk_buf_str(&path),
            .headers = headers,
            .header_count = TK_COUNTOF(headers),
            .payload_hash = TK_STR(TK_SIGV4_EMPTY),
            .time_ns = 1795251749 * TK_NS_PER_S,
        };
        rc = tk_sigv4_sign(&signer, &request, &value, err);
    }
    int64_t used_ns = tk_bench_cpu_ns() - start_ns;
    if (rc == 0)
        printf("sign a request: %.2f us CPU\n", (double)used_ns / (double)count / 1000);
    tk_signer_release(&signer);
    tk_buf_release(&path);
    tk_buf_release(&value);
    return rc;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int put_large(struct tk_store *store, int64_t rounds, struct tk_err *err)
{
    char *text = malloc(LARGE_BYTES);
    int64_t wall_ns[99];
    int rc = text ? 0 : tk_fail(err, -1, "out of memory");
    for (size_t i = 0; text && i < LARGE_BYTES; i++)
        text[i] = (char)(i * 2654435761u >> 13);
    int64_t start_cpu_ns = tk_bench_cpu_ns();
    for (int64_t i = 0; rc == 0 && i < rounds; i++) {
        int64_t start_ns = tk_clock_mono_ns();
        rc = tk_store_put(store, TK_STR("bench/large"), tk_store_text((tk_str){text, LARGE_BYTES}),
                          0, NULL, err);
        wall_ns[i] = tk_clock_mono_ns() - start_ns;
    }
    int64_t cpu_ns = tk_bench_cpu_ns() - start_cpu_ns;
    free(text);
    if (rc < 0)
        return rc;
    qsort(wall_ns, (size_t)rounds, sizeof(wall_ns[0]), by_value);
    printf("put 64 MiB: %.0f MiB/s (%.0f ms CPU of ours)\n",
           64.0 * 1e9 / (double)wall_ns[rounds / 2], (double)cpu_ns / (double)rounds / 1e6);
    return 0;
}

static int count_bytes(void *into, tk_str bytes, struct tk_err *err)
{
    (void)err;
    *(size_t *)into += bytes.n;
    return 0;
}

static int small_ones(struct tk_store *store, int64_t count, bool is_put, struct tk_err *err)
{
    char text[SMALL_BYTES];
    size_t got = 0;
    int rc = 0;
    memset(text, 's', sizeof(text));
    int64_t start_ns = tk_clock_mono_ns(), start_cpu_ns = tk_bench_cpu_ns();
    for (int64_t i = 0; rc == 0 && i < count; i++) {
        char key[40];
        int n = snprintf(key, sizeof(key), "bench/small-%06" PRId64, i);
        tk_str name = {key, (size_t)n};
        rc = is_put
                 ? tk_store_put(store, name, tk_store_text((tk_str){text, sizeof(text)}), 0, NULL,
                                err)
                 : tk_store_get(store, name, NULL, (struct tk_store_sink){count_bytes, &got}, err);
    }
    int64_t wall_ns = tk_clock_mono_ns() - start_ns, cpu_ns = tk_bench_cpu_ns() - start_cpu_ns;
    if (rc == 0) {
        printf("%s 4 KiB, one after the other: %.0f/s (%.0f us CPU of ours each)\n",
               is_put ? "put" : "get", (double)count * 1e9 / (double)wall_ns,
               (double)cpu_ns / (double)count / 1000);
    }
    return rc;
}

static int delete_all(struct tk_store *store, int64_t count, struct tk_err *err)
{
    int rc = tk_store_delete(store, TK_STR("bench/large"), err);
    for (int64_t i = 0; rc == 0 && i < count; i++) {
        char key[40];
        int n = snprintf(key, sizeof(key), "bench/small-%06" PRId64, i);
        rc = tk_store_delete(store, (tk_str){key, (size_t)n}, err);
    }
    return rc;
}

static int run(const struct opts *opts, struct tk_err *err)
{
    struct tk_store *store;
    int rc = sign_requests(opts->signatures, err);
    if (rc == 0)
        rc = tk_store_open_default(NULL, &store, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    printf("store: %s\n", tk_store_address(store));
    rc = tk_store_put(store, TK_STR("bench/first"), tk_store_text(TK_STR("warm")), 0, NULL, err);
    if (rc == 0)
        rc = tk_store_delete(store, TK_STR("bench/first"), err);
    if (rc == 0)
        rc = put_large(store, opts->rounds, err);
    if (rc == 0)
        rc = small_ones(store, opts->small, true, err);
    if (rc == 0)
        rc = small_ones(store, opts->small, false, err);
    if (rc == 0)
        rc = delete_all(store, opts->small, err);
    tk_store_close(store);
    return rc;
}

int main(int argc, char **argv)
{
    struct opts opts = {.rounds = 7, .small = 1000, .signatures = 100000};
    struct tk_err err;
    int status;
    if (!tk_bench_parse("store", options, &opts, argc, argv, &status))
        return status;
    return run(&opts, &err) < 0 ? tk_bench_fail("store", &err) : 0;
}
