/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/env.h"
#include "base/file.h"
#include "base/human.h"
#include "base/number.h"
#include "cmd/cmd.h"
#include "cmd/collectors.h"
#include "cmd/identity.h"
#include "cmd/member.h"
#include "cmd/notify.h"
#include "cmd/rights.h"
#include "codec/codec.h"
#include "serve/cors.h"
#include "serve/serve.h"

#define MAX_FDS     8192
#define RECEIPT_MAX 65536

#define KEPT_EACH_MAX (8 << 20)
#define KEPT_MAX      (32 << 20) /* free memory of each thread */

/* Two batches are most of the memory: short segments, each with 1 % more bytes a span, but room for
 * a large request. */
#define SEGMENT_ROWS 65536
#define REQUEST_ROWS 131072
#define BLOCK_ROWS   262144
#define BLOCK_AGE_NS (60 * TK_NS_PER_S)

struct serve_opts {
    const char *listen[TK_PROTOCOL_COUNT];
    const char *http_path, *max_body, *max_memory, *cors, *ui;
    int64_t workers, max_connections, segment_rows, segment_age_ns;
    int ack;
    bool json;
    bool compress;
    double quality_ratio; /* negative = every field */
    struct tk_codec_options codec;
};

/* By enum tk_ack. */
static const char *const acks[] = {"write", "memory", "fsync", NULL};

#define FIELD(field) offsetof(struct serve_opts, field)

static const struct tk_opt options[] = {
    {"http", TK_OPT_STRING, FIELD(listen[TK_PROTOCOL_HTTP]), "ADDRESS",
     "OTLP over HTTP (default 127.0.0.1:4318; off = none)"},
    {"http-path", TK_OPT_STRING, FIELD(http_path), "PATH",
     "take OTLP over HTTP at this path, too (default /v1/traces alone)"},
    {"grpc", TK_OPT_STRING, FIELD(listen[TK_PROTOCOL_GRPC]), "ADDRESS",
     "OTLP over gRPC (default 127.0.0.1:4317; off = none)"},
    {"zipkin", TK_OPT_STRING, FIELD(listen[TK_PROTOCOL_ZIPKIN]), "ADDRESS",
     "spans of Zipkin, and queries (default 127.0.0.1:9411; off = none)"},
    {"query", TK_OPT_STRING, FIELD(listen[TK_PROTOCOL_QUERY]), "ADDRESS",
     "queries of Jaeger, Zipkin and Grafana (default 127.0.0.1:16686; off = none)"},
    {"ack", TK_OPT_CHOICE, FIELD(ack), "LEVEL",
     "answer when spans are in the file (write, default), on the disk (fsync), or in memory",
     .choices = acks},
    {"workers", TK_OPT_INT, FIELD(workers), "N", "threads that take spans (default one per CPU)",
     .min = 1, .max = 256},
    {"max-body", TK_OPT_STRING, FIELD(max_body), "SIZE",
     "largest request, as sent and inflated (default 64MiB)"},
    {"max-memory", TK_OPT_STRING, FIELD(max_memory), "SIZE",
     "for requests that are being received; more are told to come again (default 256MiB)"},
    {"max-connections", TK_OPT_INT, FIELD(max_connections), "N", "at once (default 1024)", .min = 1,
     .max = 100000},
    {"cors", TK_OPT_STRING, FIELD(cors), "ORIGIN[,...]",
     "web pages that may send and ask, as https://shop.example, or * (default none)"},
    {"ui", TK_OPT_STRING, FIELD(ui), "DIR",
     "a web page that the listener of queries shows: a bundle of Jaeger's UI"},
    {"segment-rows", TK_OPT_INT, FIELD(segment_rows), "N",
     "spans after which a segment is sealed (default 65536; compressed 262144)", .min = 1,
     .max = 1 << 20},
    {"segment-age", TK_OPT_DURATION, FIELD(segment_age_ns), "TIME",
     "age at which one is (default 10s; compressed 60s)", .min = TK_NS_PER_MS, .needs_unit = true,
     .max = 3600 * TK_NS_PER_S},
    {"compress", TK_OPT_FLAG, FIELD(compress), NULL,
     "segments are compressed traces (.tkz), of 10000 traces or 60s, every field kept"},
    {"quality", TK_OPT_PERCENT, FIELD(quality_ratio), "PERCENT",
     "compress, and keep times within this error, without ids and events", .min = 0, .max = 100},
    {"json", TK_OPT_FLAG, FIELD(json), NULL, "print the receipt as JSON", .letter = 'j'},
    {0},
};

/* Options ----------------------------------------------------------------------------------- */

static const struct {
    tk_str name;
    uint64_t bytes;
} size_units[] = {
    {{"", 0}, 1},          {{"B", 1}, 1},       {{"KiB", 3}, 1 << 10}, {{"MiB", 3}, 1 << 20},
    {{"GiB", 3}, 1 << 30}, {{"K", 1}, 1 << 10}, {{"M", 1}, 1 << 20},   {{"G", 1}, 1 << 30},
};

static bool parse_size(const char *text, size_t *ret_bytes)
{
    tk_str rest = tk_str_from(text);
    uint64_t value;
    if (!tk_scan_u64(&rest, &value))
        return false;
    for (size_t i = 0; i < TK_COUNTOF(size_units); i++) {
        if (!tk_str_eq(tk_str_trim(rest), size_units[i].name) ||
            value > (UINT64_C(1) << 40) / size_units[i].bytes)
            continue;
        *ret_bytes = value * size_units[i].bytes;
        return value > 0;
    }
    return false;
}

static int read_size(const char *option, const char *text, size_t *ret_bytes, struct tk_err *err)
{
    if (!text || parse_size(text, ret_bytes))
        return 0;
    return tk_fail(err, -EINVAL, "option '--%s': '%s' is not a size such as 64MiB", option, text);
}

/* A path as it stands in a request once it is decoded, without a query. */
static int check_path(const char *path, struct tk_err *err)
{
    if (!path || (*path == '/' && path[strcspn(path, " ?#%")] == '\0'))
        return 0;
    return tk_fail(err, -EINVAL, "option '--http-path': '%s' is no path such as /otlp/v1/traces",
                   path);
}

/* Segments as blocks of traces. */
static void read_compression(struct serve_opts *opts, struct tk_segment_opts *segments)
{
    if (!opts->compress && opts->quality_ratio < 0)
        return;
    opts->codec.filter = true;
    opts->codec.mode = opts->quality_ratio < 0 ? TK_CODEC_LOSSLESS : TK_CODEC_NEAR;
    if (opts->quality_ratio >= 0)
        opts->codec.planes = tk_codec_planes(opts->quality_ratio * 100);
    segments->compress = &opts->codec;
    segments->segment_traces = TK_CODEC_BLOCK_TRACES;
    if (segments->segment_rows == 0)
        segments->segment_rows = BLOCK_ROWS;
    if (segments->segment_age_ns == 0)
        segments->segment_age_ns = BLOCK_AGE_NS;
}

static int read_options(struct serve_opts *opts, struct tk_server_options *ret_options,
                        struct tk_err *err)
{
    static const char *const defaults[TK_PROTOCOL_COUNT] = {
        [TK_PROTOCOL_HTTP] = "127.0.0.1:4318",
        [TK_PROTOCOL_GRPC] = "127.0.0.1:4317",
        [TK_PROTOCOL_ZIPKIN] = "127.0.0.1:9411",
        [TK_PROTOCOL_QUERY] = "127.0.0.1:16686",
    };
    struct tk_server_options server = {
        .ack = (enum tk_ack)opts->ack,
        .workers = (int)opts->workers,
        .max_connections = (int)opts->max_connections,
        .otlp_path = opts->http_path,
        .cors = opts->cors,
        .segments = {.segment_rows = (size_t)opts->segment_rows,
                     .segment_age_ns = opts->segment_age_ns},
    };
    bool listens = false;
    read_compression(opts, &server.segments);
    if (server.segments.segment_rows == 0) {
        server.segments.segment_rows = SEGMENT_ROWS;
        server.segments.batch_rows = REQUEST_ROWS;
    }
    for (size_t i = 0; i < TK_PROTOCOL_COUNT; i++) {
        const char *text = opts->listen[i] ? opts->listen[i] : defaults[i];
        server.listen[i] = strcmp(text, "off") == 0 ? NULL : text;
        listens = listens || server.listen[i];
    }
    if (!listens)
        return tk_fail(err, -EINVAL, "nothing to listen on: every address is off");
    int rc = check_path(opts->http_path, err);
    if (rc == 0)
        rc = read_size("max-body", opts->max_body, &server.max_body_bytes, err);
    if (rc == 0)
        rc = read_size("max-memory", opts->max_memory, &server.budget_bytes, err);
    if (rc == 0 && server.cors && tk_cors_check(server.cors, err) < 0)
        rc = tk_err_prefix(err, "option '--cors'");
    if (rc == 0 && opts->ui && !server.listen[TK_PROTOCOL_QUERY])
        rc = tk_fail(err, -EINVAL, "option '--ui': the listener that shows it, --query, is off");
    if (rc == 0)
        *ret_options = server;
    return rc;
}

/* The run ----------------------------------------------------------------------------------- */

/* What is recorded in this working folder now: the last of several. */
static void take_recorded(void *context, const char *folder)
{
    (void)tk_str_to_cstr(tk_str_from(folder), context, PATH_MAX);
}

/* The folder of the run: as given, else what is recorded now, else a new one. */
static int choose_run(const char *given, char ret_folder[PATH_MAX], struct tk_err *err)
{
    struct tk_err ignored;
    struct tk_identity identity;
    ret_folder[0] = '\0';
    if (given && tk_run_path_resolve(given, ret_folder, PATH_MAX, &ignored) == 0)
        return 0;
    ret_folder[0] = '\0';
    if (!given && !tk_env_find("RUN_ID"))
        tk_collectors_each_below("logs", take_recorded, ret_folder);
    if (*ret_folder)
        return 0;
    int rc = tk_identity_resolve(&(struct tk_identity_options){.folder = given}, &identity, err);
    if (rc == 0)
        (void)tk_str_to_cstr(tk_str_from(identity.folder), ret_folder, PATH_MAX);
    return rc;
}

static int open_spans(const char *folder, int *ret_dirfd, struct tk_err *err)
{
    char path[PATH_MAX + 8];
    (void)snprintf(path, sizeof(path), "%s/spans", folder);
    int rc = tk_run_folder_make(path, err);
    return rc < 0 ? rc : tk_dir_open(AT_FDCWD, path, ret_dirfd, err);
}

/* Reports ----------------------------------------------------------------------------------- */

static void tell_ready(const struct tk_server *server, const char *folder)
{
    static const struct {
        enum tk_protocol protocol;
        const char *label;
    } all[] = {
        {TK_PROTOCOL_HTTP, "OTLP http://"},
        {TK_PROTOCOL_GRPC, "gRPC "},
        {TK_PROTOCOL_ZIPKIN, "Zipkin http://"},
        {TK_PROTOCOL_QUERY, "queries http://"},
    };
    (void)fputs("tracekit serve: ready: ", stderr);
    for (size_t i = 0; i < TK_COUNTOF(all); i++) {
        const char *address = tk_server_address(server, all[i].protocol);
        if (address)
            (void)fprintf(stderr, "%s%s, ", all[i].label, address);
    }
    (void)fprintf(stderr, "into %s/spans\n", folder);
    tk_notify("READY=1");
}

static double bytes_per_span(const struct tk_segment_counts *segments)
{
    return segments->spans > 0 ? (double)segments->bytes / (double)segments->spans : -1;
}

static uint64_t count_requests(const struct tk_counts *counts, enum tk_outcome outcome)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < TK_PROTOCOL_COUNT; i++)
        sum += counts->requests[i][outcome];
    return sum;
}

static void put_receipt_json(const struct tk_metrics *metrics, const char *folder,
                             struct tk_buf *out)
{
    const struct tk_counts *counts = &metrics->counts;
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "run", tk_str_from(folder));
    tk_member_put_i64(out, "accepted_spans", (int64_t)counts->spans.spans);
    tk_member_put_i64(out, "refused_spans", (int64_t)tk_span_tally_refused(&counts->spans));
    tk_member_open(out, "by_reason", '{');
    for (size_t i = 0; i < TK_SPAN_REASON_COUNT; i++) {
        if (counts->spans.by_reason[i] > 0)
            tk_member_put_i64(out, tk_span_reasons[i].name, (int64_t)counts->spans.by_reason[i]);
    }
    tk_buf_putc(out, '}');
    tk_member_open(out, "requests", '{');
    for (size_t i = 0; i < TK_OUTCOME_COUNT; i++) {
        tk_member_put_i64(out, tk_outcomes[i].name,
                          (int64_t)count_requests(counts, (enum tk_outcome)i));
    }
    tk_member_put_i64(out, "unsynced", (int64_t)counts->unsynced);
    tk_buf_putc(out, '}');
    tk_member_open(out, "refused_signals", '{');
    for (size_t i = 0; i < TK_SIGNAL_COUNT; i++)
        tk_member_put_i64(out, tk_signals[i].name, (int64_t)counts->signals[i]);
    tk_buf_putc(out, '}');
    tk_member_put_i64(out, "segments", (int64_t)metrics->segments.segments);
    tk_member_put_i64(out, "stored_spans", (int64_t)metrics->segments.spans);
    tk_member_put_i64(out, "stored_bytes", (int64_t)metrics->segments.bytes);
    tk_member_put_f64(out, "bytes_per_span", bytes_per_span(&metrics->segments), 1);
    tk_buf_lit(out, "}\n");
}

static void put_receipt(const struct tk_metrics *metrics, const char *folder, struct tk_buf *out)
{
    const struct tk_counts *counts = &metrics->counts;
    const struct tk_segment_counts *segments = &metrics->segments;
    char text[TK_HUMAN_MAX];
    tk_buf_printf(out, "%s spans accepted", tk_count_format((int64_t)counts->spans.spans, text));
    if (tk_span_tally_refused(&counts->spans) > 0) {
        tk_buf_lit(out, "; refused ");
        tk_span_tally_format(&counts->spans, true, out);
    }
    tk_buf_lit(out, "\n");
    for (size_t i = TK_OUTCOME_BAD; i < TK_OUTCOME_COUNT; i++) {
        uint64_t n = count_requests(counts, (enum tk_outcome)i);
        if (n > 0) {
            tk_buf_printf(out, "%llu request%s answered %d (%s)\n", (unsigned long long)n,
                          tk_count_ending((int64_t)n), tk_outcomes[i].http, tk_outcomes[i].name);
        }
    }
    for (size_t i = 0; i < TK_SIGNAL_COUNT; i++) {
        if (counts->signals[i] > 0) {
            tk_buf_printf(out, "%llu request%s of %s refused\n",
                          (unsigned long long)counts->signals[i],
                          tk_count_ending((int64_t)counts->signals[i]), tk_signals[i].name);
        }
    }
    if (counts->unsynced > 0) {
        tk_buf_printf(out, "%llu request%s taken, then answered 503 for want of a sync\n",
                      (unsigned long long)counts->unsynced,
                      tk_count_ending((int64_t)counts->unsynced));
    }
    tk_buf_printf(out, "%s/spans: %llu segment%s", folder, (unsigned long long)segments->segments,
                  tk_count_ending((int64_t)segments->segments));
    if (segments->spans > 0) {
        tk_buf_printf(out, " of %s, %.1f bytes a span",
                      tk_bytes_format((double)segments->bytes, text), bytes_per_span(segments));
    }
    tk_buf_lit(out, "\n");
}

static void show_receipt(struct tk_server *server, const char *folder, bool json)
{
    struct tk_metrics metrics;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, RECEIPT_MAX);
    tk_server_count(server, &metrics);
    if (json) {
        put_receipt_json(&metrics, folder, &out);
    } else {
        put_receipt(&metrics, folder, &out);
    }
    (void)fwrite(out.p, 1, out.n, stdout);
}

/* The page; tell what it is made of. */
static int load_site(const char *folder, struct tk_site **ret_site, struct tk_err *err)
{
    char text[TK_HUMAN_MAX];
    if (!folder)
        return 0;
    int rc = tk_site_load(folder, ret_site, err);
    if (rc < 0)
        return tk_err_prefix(err, "option '--ui'");
    struct tk_site_counts counts = tk_site_count(*ret_site);
    (void)fprintf(stderr, "tracekit serve: page %s: %zu file%s of %s", folder, counts.files,
                  tk_count_ending((int64_t)counts.files),
                  tk_bytes_format((double)counts.bytes, text));
    if (counts.left_out > 0) {
        (void)fprintf(stderr, "; left out: %zu (links, or no files)", counts.left_out);
    }
    (void)fputc('\n', stderr);
    return 0;
}

/* What segments and large requests take is kept for the next ones, and given back by a sink that is
 * idle (segment_sink.c): a page that comes anew costs a fault and a clearing. */
static void keep_memory(void)
{
    /* NOLINTBEGIN(concurrency-mt-unsafe): there is one thread yet */
    (void)mallopt(M_MMAP_THRESHOLD, KEPT_EACH_MAX);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_MAX);
    /* NOLINTEND(concurrency-mt-unsafe) */
}

/* The command ------------------------------------------------------------------------------- */

/* A descriptor that can be read when the server is to end. */
static int open_signals(int *ret_fd, struct tk_err *err)
{
    sigset_t mask;
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGTERM);
    (void)sigaddset(&mask, SIGINT);
    (void)signal(SIGPIPE, SIG_IGN);
    if (pthread_sigmask(SIG_BLOCK, &mask, NULL) != 0)
        return tk_fail_errno(err, "signals");
    *ret_fd = signalfd(-1, &mask, SFD_CLOEXEC);
    return *ret_fd < 0 ? tk_fail_errno(err, "signalfd") : 0;
}

static int serve(const struct tk_server_options *wanted, const char *folder, bool json,
                 struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int spans_fd = -1;
    TK_CLEANUP(tk_fd_close) int signal_fd = -1;
    struct tk_server *server = NULL;
    int rc = open_signals(&signal_fd, err);
    if (rc == 0)
        rc = tk_server_new(wanted, &server, err);
    if (rc == 0)
        rc = open_spans(folder, &spans_fd, err);
    if (rc == 0)
        rc = tk_rights_drop(spans_fd, err);
    if (rc == 0) {
        tell_ready(server, folder);
        rc = tk_server_run(server, spans_fd, signal_fd, err);
        show_receipt(server, folder, json);
    }
    tk_server_free(server);
    return rc;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct serve_opts opts = {.quality_ratio = -1};
    struct tk_server_options server = {0};
    struct tk_err err;
    char folder[PATH_MAX];
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    if (argc - first > 1)
        return tk_cmd_usage(cmd, "'%s' is one argument too many", argv[first + 1]);
    if (read_options(&opts, &server, &err) < 0)
        return tk_cmd_usage(cmd, "%s", err.msg);
    (void)tk_fd_limit_raise(MAX_FDS);
    keep_memory();
    struct tk_site *site = NULL;
    int rc = choose_run(first < argc ? argv[first] : NULL, folder, &err);
    rc = rc < 0 ? rc : load_site(opts.ui, &site, &err);
    server.site = site;
    rc = rc < 0 ? rc : serve(&server, folder, opts.json, &err);
    tk_site_free(site);
    return rc < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_serve = {
    .name = "serve",
    .args = "[RUN]",
    .help = "receive spans into a run, and answer queries",
    .about = "Listens on loopback alone unless told otherwise. Spans go to RUN/spans: what is\n"
             "recorded here now, else a new run in logs/. Any engine may read it at any time.\n"
             "SIGTERM or SIGINT ends it, with a receipt.\n"
             "\n"
             "  tracekit serve\n"
             "  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 ./service\n"
             "  tracekit spans",
    .options = options,
    .reads_run_env = true,
    .mixed = true,
    .run = run,
};
