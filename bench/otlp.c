/* SPDX-License-Identifier: Apache-2.0 */
/* What OTLP costs: requests of 541 bytes and 10 attributes a span, eight of them texts of 1,000
 * values each and two integers, ten spans a trace, and the requests of real files. Decoded into a
 * batch that is emptied when it is full, and encoded from one, as protobuf and as JSON. CPU time,
 * best of several rounds.
 *
 *     meson setup build-bench -Dbench=true -Dbuildtype=release && ninja -C build-bench
 *     build-bench/otlp [--file ../shared/data/traces/hipstershop-oteltraces.zst]
 */
#include "bench.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/number.h"
#include "span/otlp.h"

enum {
    MADE_SPANS = 65536, /* in all requests of a size */
    BATCH_ROWS = 262144,
    VALUES = 1000,
    TEXTS = 8,
    TRACE_SPANS = 10,
    NO_SIZES = 3,
};

struct opts {
    int64_t rounds;
    const char *file;
};

static const struct tk_opt options[] = {
    {"rounds", TK_OPT_INT, offsetof(struct opts, rounds), "N", "rounds per figure, the best counts",
     .min = 1, .max = 1000},
    {"file", TK_OPT_STRING, offsetof(struct opts, file), "FILE",
     "also FILE: records of length and TracesData, in zstd"},
    {0},
};

/* Requests behind each other. */
struct corpus {
    struct tk_buf bytes;
    struct tk_buf ends; /* size_t [count] */
    size_t count;
    size_t spans;
};

static void corpus_init(struct corpus *corpus)
{
    *corpus = (struct corpus){0};
    tk_buf_init(&corpus->bytes, (size_t)1 << 30);
    tk_buf_init(&corpus->ends, (size_t)1 << 24);
}

static void corpus_release(struct corpus *corpus)
{
    tk_buf_release(&corpus->bytes);
    tk_buf_release(&corpus->ends);
}

static void corpus_end(struct corpus *corpus)
{
    tk_buf_put(&corpus->ends, (tk_str){(const char *)&corpus->bytes.n, sizeof(corpus->bytes.n)});
    corpus->count++;
}

static tk_str corpus_at(const struct corpus *corpus, size_t i)
{
    const size_t *ends = (const size_t *)(void *)corpus->ends.p;
    size_t begin = i > 0 ? ends[i - 1] : 0;
    return (tk_str){corpus->bytes.p + begin, ends[i] - begin};
}

/* Making requests --------------------------------------------------------------------------- */

static void put_attr(struct tk_buf *out, tk_str key, tk_str text)
{
    size_t pair = tk_wire_begin(out, TK_WIRE_BYTES(9), 50);
    tk_wire_put_bytes(out, TK_WIRE_BYTES(1), key);
    size_t value = tk_wire_begin(out, TK_WIRE_BYTES(2), 20);
    tk_wire_put_bytes(out, TK_WIRE_BYTES(1), text);
    tk_wire_end(out, value, 20);
    tk_wire_end(out, pair, 50);
}

static void put_int(struct tk_buf *out, tk_str key, uint64_t number)
{
    size_t pair = tk_wire_begin(out, TK_WIRE_BYTES(9), 50);
    tk_wire_put_bytes(out, TK_WIRE_BYTES(1), key);
    size_t value = tk_wire_begin(out, TK_WIRE_BYTES(2), 20);
    tk_wire_put_number(out, TK_WIRE_VARINT(3), number);
    tk_wire_end(out, value, 20);
    tk_wire_end(out, pair, 50);
}

static void put_span(struct tk_buf *out, uint64_t i)
{
    static const char *const keys[TEXTS] = {
        "http.request.method", "http.route",      "server.address", "net.peer.name",
        "db.statement.name",   "user_agent.name", "enduser.id",     "messaging.topic",
    };
    uint64_t ids[3] = {tk_bench_noise(i / TRACE_SPANS), tk_bench_noise(~(i / TRACE_SPANS)),
                       tk_bench_noise((i + 1) << 20)};
    uint64_t parent = tk_bench_noise(i << 20);
    char text[64];
    size_t at = tk_wire_begin(out, TK_WIRE_BYTES(2), 541);
    tk_wire_put_bytes(out, TK_WIRE_BYTES(1), (tk_str){(const char *)ids, 16});
    tk_wire_put_bytes(out, TK_WIRE_BYTES(2), (tk_str){(const char *)&ids[2], 8});
    if (i % TRACE_SPANS != 0)
        tk_wire_put_bytes(out, TK_WIRE_BYTES(4), (tk_str){(const char *)&parent, 8});
    int n = snprintf(text, sizeof(text), "operation-%u", (unsigned)(i % 50));
    tk_wire_put_bytes(out, TK_WIRE_BYTES(5), (tk_str){text, (size_t)n});
    tk_wire_put_number(out, TK_WIRE_VARINT(6), 1 + i % 5);
    uint64_t start_ns = 1763716800000000000ULL + i * 1000003;
    tk_wire_put_fixed64(out, TK_WIRE_FIXED64(7), start_ns);
    tk_wire_put_fixed64(out, TK_WIRE_FIXED64(8), start_ns + ids[2] % 50000000);
    for (size_t k = 0; k < TEXTS; k++) {
        n = snprintf(text, sizeof(text), "value-of-attribute-%zu-%03u", k,
                     (unsigned)(tk_bench_noise(i * TEXTS + k) % VALUES));
        put_attr(out, tk_str_from(keys[k]), (tk_str){text, (size_t)n});
    }
    put_int(out, TK_STR("http.response.status_code"), 200 + i % 4 * 100);
    put_int(out, TK_STR("http.response.body.size"), ids[2] % 1000000);
    tk_wire_end(out, at, 541);
}

static void make_request(struct corpus *corpus, uint64_t first, size_t spans)
{
    struct tk_buf *out = &corpus->bytes;
    size_t resource_spans = tk_wire_begin(out, TK_WIRE_BYTES(1), 300000);
    size_t resource = tk_wire_begin(out, TK_WIRE_BYTES(1), 100);
    size_t pair = tk_wire_begin(out, TK_WIRE_BYTES(1), 50);
    tk_wire_put_bytes(out, TK_WIRE_BYTES(1), TK_STR("service.name"));
    size_t value = tk_wire_begin(out, TK_WIRE_BYTES(2), 20);
    tk_wire_put_bytes(out, TK_WIRE_BYTES(1), TK_STR("bench"));
    tk_wire_end(out, value, 20);
    tk_wire_end(out, pair, 50);
    tk_wire_end(out, resource, 100);
    size_t scope_spans = tk_wire_begin(out, TK_WIRE_BYTES(2), 300000);
    for (size_t i = 0; i < spans; i++)
        put_span(out, first + i);
    tk_wire_end(out, scope_spans, 300000);
    tk_wire_end(out, resource_spans, 300000);
    corpus_end(corpus);
    corpus->spans += spans;
}

/* Measuring --------------------------------------------------------------------------------- */

struct work {
    struct tk_span_batch *batch;
    struct tk_otlp_reader *reader;
    struct corpus json;
    struct tk_buf out;
    int64_t rounds;
};

typedef int (*decode_fn)(struct tk_otlp_reader *reader, tk_str message, struct tk_span_tally *tally,
                         struct tk_err *err);
typedef void (*encode_fn)(const struct tk_span_rows *rows, struct tk_buf *out);

static void empty(struct work *work)
{
    tk_span_batch_reset(work->batch);
    tk_otlp_reader_reset(work->reader, work->batch);
}

/* Decode all requests once; returns the spans. */
static int decode_all(struct work *work, const struct corpus *corpus, decode_fn decode,
                      struct tk_span_tally *tally, struct tk_err *err)
{
    for (size_t i = 0; i < corpus->count; i++) {
        int rc = decode(work->reader, corpus_at(corpus, i), tally, err);
        if (rc == -ENOBUFS) {
            empty(work);
            rc = decode(work->reader, corpus_at(corpus, i), tally, err);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void show(const char *what, double ns, size_t spans, size_t bytes)
{
    printf("  %-8s %7.0f ns/span %7.0f MB/s %6zu B/span\n", what, ns / (double)spans,
           (double)bytes * 1e3 / ns, bytes / spans);
}

static int measure_decode(struct work *work, const struct corpus *corpus, const char *what,
                          decode_fn decode, struct tk_err *err)
{
    double best = 1e18;
    struct tk_span_tally tally;
    for (int64_t i = 0; i < work->rounds; i++) {
        tally = (struct tk_span_tally){0};
        int64_t start_ns = tk_bench_cpu_ns();
        int rc = decode_all(work, corpus, decode, &tally, err);
        if (rc < 0)
            return rc;
        double ns = (double)(tk_bench_cpu_ns() - start_ns);
        best = ns < best ? ns : best;
    }
    if (tally.spans != corpus->spans)
        return tk_fail(err, -EBADMSG, "%s: %llu of %zu spans", what,
                       (unsigned long long)tally.spans, corpus->spans);
    show(what, best, corpus->spans, corpus->bytes.n);
    return 0;
}

/* Encode what a request holds, each alone, as a sender would; `keep` the texts of the last round.
 */
static int measure_encode(struct work *work, const struct corpus *corpus, const char *what,
                          encode_fn encode, struct corpus *keep, struct tk_err *err)
{
    double best = 1e18;
    size_t bytes = 0;
    for (int64_t round = 0; round < work->rounds; round++) {
        double ns = 0;
        bytes = 0;
        for (size_t i = 0; i < corpus->count; i++) {
            struct tk_span_tally tally = {0};
            empty(work);
            int rc = tk_otlp_decode(work->reader, corpus_at(corpus, i), &tally, err);
            if (rc < 0)
                return rc;
            tk_buf_reset(&work->out);
            int64_t start_ns = tk_bench_cpu_ns();
            encode(&(struct tk_span_rows){work->batch, NULL, work->batch->rows}, &work->out);
            ns += (double)(tk_bench_cpu_ns() - start_ns);
            bytes += work->out.n;
            if (keep && round == 0) {
                tk_buf_put(&keep->bytes, tk_buf_str(&work->out));
                corpus_end(keep);
                keep->spans += work->batch->rows;
            }
        }
        best = ns < best ? ns : best;
    }
    int rc = tk_buf_check(&work->out, what, err);
    if (rc == 0)
        show(what, best, corpus->spans, bytes);
    return rc;
}

static int measure(struct work *work, const struct corpus *corpus, struct tk_err *err)
{
    struct corpus json;
    corpus_init(&json);
    int rc = measure_decode(work, corpus, "decode", tk_otlp_decode, err);
    if (rc == 0)
        rc = measure_encode(work, corpus, "encode", tk_otlp_encode, NULL, err);
    if (rc == 0)
        rc = measure_encode(work, corpus, "to JSON", tk_otlp_encode_json, &json, err);
    if (rc == 0)
        rc = measure_decode(work, &json, "of JSON", tk_otlp_decode_json, err);
    corpus_release(&json);
    return rc;
}

/* A file of records ------------------------------------------------------------------------- */

static int read_file(const char *path, struct tk_buf *ret, struct tk_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat) < 0)
        return tk_fail_errno(err, "%s", path);
    char *to = tk_buf_reserve(ret, (size_t)stat.st_size);
    ssize_t got = to ? read(fd, to, (size_t)stat.st_size) : -1;
    (void)close(fd);
    if (got != stat.st_size)
        return tk_fail(err, -EIO, "%s: read %zd bytes", path, got);
    ret->n = (size_t)got;
    return 0;
}

static int unpack(const char *path, struct tk_buf *packed, struct tk_buf *ret, struct tk_err *err)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {packed->p, packed->n, 0};
    size_t left = 1;
    while (stream && left != 0 && !ZSTD_isError(left)) {
        char *to = tk_buf_reserve(ret, 1 << 20);
        ZSTD_outBuffer out = {to, to ? 1 << 20 : 0, 0};
        left = ZSTD_decompressStream(stream, &out, &in);
        ret->n += out.pos;
        if (out.pos == 0 && in.pos == in.size)
            break;
    }
    (void)ZSTD_freeDStream(stream);
    return left == 0 ? 0 : tk_fail(err, -EBADMSG, "%s: is no zstd, or cut off", path);
}

/* Records of [u32 big-endian length][TracesData]. */
static int load(const char *path, struct corpus *corpus, struct tk_err *err)
{
    struct tk_buf packed, records;
    tk_buf_init(&packed, (size_t)1 << 30);
    tk_buf_init(&records, (size_t)1 << 30);
    int rc = read_file(path, &packed, err);
    if (rc == 0)
        rc = unpack(path, &packed, &records, err);
    for (size_t at = 0; rc == 0 && at < records.n;) {
        uint32_t n = 0;
        memcpy(&n, records.p + at, records.n - at < 4 ? 0 : 4);
        n = be32toh(n);
        if (records.n - at < 4 || records.n - at - 4 < n)
            rc = tk_fail(err, -EBADMSG, "%s: byte %zu: a record is cut off", path, at);
        else
            tk_buf_put(&corpus->bytes, (tk_str){records.p + at + 4, n});
        corpus_end(corpus);
        at += 4 + (size_t)n;
    }
    tk_buf_release(&packed);
    tk_buf_release(&records);
    return rc;
}

static int measure_file(struct work *work, const char *path, struct tk_err *err)
{
    struct corpus corpus;
    struct tk_span_tally tally = {0};
    corpus_init(&corpus);
    int rc = load(path, &corpus, err);
    if (rc == 0)
        rc = decode_all(work, &corpus, tk_otlp_decode, &tally, err);
    corpus.spans = tally.spans;
    if (rc == 0) {
        printf("%s: %zu requests, %zu spans\n", path, corpus.count, corpus.spans);
        rc = measure(work, &corpus, err);
    }
    corpus_release(&corpus);
    return rc;
}

static int measure_all(struct work *work, const char *path, struct tk_err *err)
{
    static const size_t sizes[NO_SIZES] = {10, 512, 8192};
    int rc = 0;
    for (size_t i = 0; i < NO_SIZES && rc == 0; i++) {
        struct corpus corpus;
        corpus_init(&corpus);
        for (uint64_t span = 0; span + sizes[i] <= MADE_SPANS; span += sizes[i])
            make_request(&corpus, span, sizes[i]);
        printf("%zu spans a request\n", sizes[i]);
        rc = measure(work, &corpus, err);
        corpus_release(&corpus);
    }
    return rc == 0 && path ? measure_file(work, path, err) : rc;
}

int main(int argc, char **argv)
{
    struct opts opts = {.rounds = 10};
    struct work work = {0};
    struct tk_err err;
    int status;
    if (!tk_bench_parse("otlp", options, &opts, argc, argv, &status))
        return status;
    work.rounds = opts.rounds;
    tk_buf_init(&work.out, (size_t)1 << 30);
    int rc = tk_span_batch_new(BATCH_ROWS, &work.batch, &err);
    if (rc == 0)
        rc = tk_otlp_reader_new(work.batch, &work.reader, &err);
    if (rc == 0)
        rc = measure_all(&work, opts.file, &err);
    tk_otlp_reader_free(work.reader);
    tk_span_batch_free(work.batch);
    tk_buf_release(&work.out);
    return rc < 0 ? tk_bench_fail("otlp", &err) : 0;
}
