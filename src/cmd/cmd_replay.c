/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/human.h"
#include "base/number.h"
#include "cmd/cmd.h"
#include "cmd/replay.h"

#define REPORT_MAX       65536
#define LEDGER_MAX       ((size_t)64 << 20)
#define LEDGER_FLUSH     ((size_t)256 << 10)
#define OWN_PACE_NS      TK_NS_PER_S /* spans wait at most so long for a request to be full */
#define DAY_NS           (24 * (int64_t)3600 * TK_NS_PER_S)
#define CONNECTIONS      8
#define OPEN_CONNECTIONS 64

struct replay_opts {
    const char *to;
    bool grpc, json, gzip;
    const char *rate;
    double speed;
    bool has_speed, as_fast;
    int64_t connections, streams, batch, repeat, limit;
    bool new_ids, same_ids, shift_time;
    int64_t retries, timeout_ns, patience_ns, warmup_ns, for_ns;
    const char *acknowledged;
    bool print_json;

    bool synthetic;
    int64_t spans, trace_spans, services, attributes, integers, keys, values, span_bytes, seed;
};

static const struct tk_opt options[] = {
    {"to", TK_OPT_STRING, offsetof(struct replay_opts, to), "URL",
     "the receiver, as http://127.0.0.1:4318; nothing is sent to anybody else", .letter = 't'},
    {"grpc", TK_OPT_FLAG, offsetof(struct replay_opts, grpc), NULL, "OTLP/gRPC, else OTLP/HTTP"},
    {"json", TK_OPT_FLAG, offsetof(struct replay_opts, json), NULL, "OTLP/JSON, else protobuf"},
    {"gzip", TK_OPT_FLAG, offsetof(struct replay_opts, gzip), NULL, "compress requests"},
    {"rate", TK_OPT_STRING, offsetof(struct replay_opts, rate), "N[/s]",
     "so many spans a second, as 50000, 50k or 1.5M (default the pace of the recording)"},
    {"speed", TK_OPT_F64, offsetof(struct replay_opts, speed), "X",
     "the pace of the recording times X", .max = 1000000,
     .given = offsetof(struct replay_opts, has_speed)},
    {"as-fast", TK_OPT_FLAG, offsetof(struct replay_opts, as_fast), NULL,
     "as fast as it goes: each connection sends when it has its answer"},
    {"connections", TK_OPT_INT, offsetof(struct replay_opts, connections), "N",
     "at most so many (default 64, with --as-fast 8)", .min = 1, .max = 4096, .letter = 'c'},
    {"streams", TK_OPT_INT, offsetof(struct replay_opts, streams), "N",
     "gRPC: requests at a time on a connection (default 8)", .min = 1, .max = 128},
    {"batch", TK_OPT_INT, offsetof(struct replay_opts, batch), "N",
     "most spans of a request (default 512)", .min = 1, .max = 1000000, .letter = 'b'},
    {"repeat", TK_OPT_INT, offsetof(struct replay_opts, repeat), "N",
     "send all so often, with new ids each time; 0 = until the time is up (default 1)",
     .max = INT64_MAX},
    {"limit", TK_OPT_INT, offsetof(struct replay_opts, limit), "N", "only so many spans", .min = 1,
     .max = INT64_MAX},
    {"new-ids", TK_OPT_FLAG, offsetof(struct replay_opts, new_ids), NULL,
     "other ids of traces and spans than recorded, other ones at each start"},
    {"same-ids", TK_OPT_FLAG, offsetof(struct replay_opts, same_ids), NULL,
     "with --repeat: the same ids each time"},
    {"shift-time", TK_OPT_FLAG, offsetof(struct replay_opts, shift_time), NULL,
     "move the times of the spans to the present"},
    {"retries", TK_OPT_INT, offsetof(struct replay_opts, retries), "N",
     "send a request again at most so often (default 10)", .max = 1000},
    {"timeout", TK_OPT_DURATION, offsetof(struct replay_opts, timeout_ns), "TIME",
     "for the answer to a request (default 10s)", .min = 1, .max = DAY_NS, .needs_unit = true},
    {"patience", TK_OPT_DURATION, offsetof(struct replay_opts, patience_ns), "TIME",
     "for what is under way at the end, and for a receiver that is gone (default 30s)", .min = 1,
     .max = DAY_NS, .needs_unit = true},
    {"warmup", TK_OPT_DURATION, offsetof(struct replay_opts, warmup_ns), "TIME",
     "send so long before rates and latencies are measured", .needs_unit = true},
    {"for", TK_OPT_DURATION, offsetof(struct replay_opts, for_ns), "TIME",
     "stop sending after so long, warm-up included", .needs_unit = true},
    {"acknowledged", TK_OPT_STRING, offsetof(struct replay_opts, acknowledged), "FILE",
     "write the ids of every span that was accepted, 24 bytes each: trace, span"},
    {"print-json", TK_OPT_FLAG, offsetof(struct replay_opts, print_json), NULL,
     "one JSON object instead of the report", .letter = 'j'},
    {"synthetic", TK_OPT_FLAG, offsetof(struct replay_opts, synthetic), NULL,
     "make spans up, as Jaeger's tracegen does, instead of a recording"},
    {"spans", TK_OPT_INT, offsetof(struct replay_opts, spans), "N",
     "synthetic: spans to make (default 100000)", .min = 1, .max = 100000000},
    {"trace-spans", TK_OPT_INT, offsetof(struct replay_opts, trace_spans), "N",
     "synthetic: spans of a trace (default 10)", .min = 1, .max = 100000},
    {"services", TK_OPT_INT, offsetof(struct replay_opts, services), "N",
     "synthetic: services (default 1)", .min = 1, .max = 1000},
    {"attributes", TK_OPT_INT, offsetof(struct replay_opts, attributes), "N",
     "synthetic: attributes of a span (default 11)", .min = 1, .max = 1000},
    {"integers", TK_OPT_INT, offsetof(struct replay_opts, integers), "N",
     "synthetic: so many of them are numbers (default 0)", .max = 1000},
    {"keys", TK_OPT_INT, offsetof(struct replay_opts, keys), "N",
     "synthetic: different keys (default 97)", .min = 1, .max = 100000},
    {"values", TK_OPT_INT, offsetof(struct replay_opts, values), "N",
     "synthetic: different values (default 1000)", .min = 1, .max = 1000000},
    {"span-bytes", TK_OPT_INT, offsetof(struct replay_opts, span_bytes), "N",
     "synthetic: longer values until a span takes about so many bytes", .max = 60000},
    {"seed", TK_OPT_INT, offsetof(struct replay_opts, seed), "N",
     "synthetic: other ids for another seed (default 1)", .max = INT64_MAX},
    {0},
};

/* Set by SIGINT and SIGTERM: stop sending, wait for the answers, report. */
static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static void catch_signals(void)
{
    const struct sigaction action = {.sa_handler = stop};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

/* What is sent, to whom, and the file of what was accepted. */
struct job {
    const struct replay_opts *opts;
    struct tk_load_target target;
    struct tk_load_bodies *bodies; /* owned */
    struct tk_load_opts load;
    double spans_per_s;
    int ledger_fd; /* owned; -1 = none */
    struct tk_buf ledger;
    struct tk_err ledger_failure;
    bool shows_progress;
};

static void job_release(struct job *job)
{
    tk_load_bodies_free(job->bodies);
    tk_fd_close(&job->ledger_fd);
    tk_buf_release(&job->ledger);
}

/* Options ---------------------------------------------------------------------------------- */

/* "50000", "50k", "1.5M", each with or without "/s". */
static bool parse_rate(const char *text, double *ret)
{
    tk_str rest = tk_str_from(text);
    double value;
    if (!tk_scan_f64(&rest, &value))
        return false;
    if (tk_str_take_prefix(&rest, TK_STR("k"))) {
        value *= 1e3;
    } else if (tk_str_take_prefix(&rest, TK_STR("M"))) {
        value *= 1e6;
    }
    (void)tk_str_take_prefix(&rest, TK_STR("/s"));
    if (rest.n > 0 || !(value > 0) || value > 1e9)
        return false;
    *ret = value;
    return true;
}

/* What is wrong with the options as a whole; NULL = nothing. */
static const char *find_mistake(const struct replay_opts *opts, int operands)
{
    if (!opts->to)
        return "expected --to URL, the receiver";
    if (opts->synthetic ? operands > 0 : operands != 1)
        return "expected one RUN or FILE, or --synthetic";
    if ((opts->rate != NULL) + opts->has_speed + opts->as_fast > 1)
        return "--rate, --speed and --as-fast exclude each other";
    if (opts->grpc && opts->json)
        return "--grpc is always protobuf: leave out --json";
    if (opts->new_ids && opts->same_ids)
        return "--new-ids and --same-ids exclude each other";
    if (opts->same_ids && (opts->shift_time || opts->acknowledged))
        return "--same-ids sends the same bytes again: leave out --shift-time and --acknowledged";
    if (opts->repeat == 0 && opts->for_ns == 0)
        return "--repeat 0 needs --for TIME";
    if (opts->has_speed && !(opts->speed > 0))
        return "option '--speed': expected a number above 0";
    return opts->for_ns > 0 && opts->warmup_ns >= opts->for_ns ? "--warmup is longer than --for"
                                                               : NULL;
}

static enum tk_load_pace pace_of(const struct replay_opts *opts)
{
    if (opts->rate)
        return TK_LOAD_RATE;
    return opts->as_fast || opts->synthetic ? TK_LOAD_AS_FAST : TK_LOAD_OWN_PACE;
}

static const char *encoding_of(const struct replay_opts *opts)
{
    static const char *const names[3][2] = {
        {"OTLP/HTTP protobuf", "OTLP/HTTP protobuf, gzip"},
        {"OTLP/HTTP JSON", "OTLP/HTTP JSON, gzip"},
        {"OTLP/gRPC", "OTLP/gRPC, gzip"},
    };
    return names[opts->grpc ? 2 : opts->json ? 1 : 0][opts->gzip];
}

/* Spans ------------------------------------------------------------------------------------ */

static int make_bodies(struct job *job, const char *path, struct tk_err *err)
{
    const struct replay_opts *opts = job->opts;
    const struct tk_load_bodies_opts bodies = {
        .batch_spans = (size_t)opts->batch,
        .batch_ns = pace_of(opts) == TK_LOAD_OWN_PACE ? OWN_PACE_NS : 0,
        .json = opts->json,
        .gzip = opts->gzip,
        .changes = opts->new_ids || opts->shift_time || opts->acknowledged ||
                   (opts->repeat != 1 && !opts->same_ids),
        .max_spans = (uint64_t)opts->limit,
    };
    const struct tk_synthetic_opts synthetic = {
        .spans = (uint64_t)opts->spans,
        .trace_spans = (size_t)opts->trace_spans,
        .services = (size_t)opts->services,
        .attributes = (size_t)opts->attributes,
        .integers = (size_t)opts->integers,
        .keys = (size_t)opts->keys,
        .values = (size_t)opts->values,
        .span_bytes = (size_t)opts->span_bytes,
        .seed = (uint64_t)opts->seed,
        .start_ns = tk_clock_real_ns(),
    };
    int rc = tk_load_bodies_new(&bodies, &job->bodies, err);
    if (rc == 0) {
        rc = opts->synthetic ? tk_replay_make(&synthetic, job->bodies, err)
                             : tk_replay_load(path, job->bodies, err);
    }
    return rc < 0 ? rc : tk_load_bodies_finish(job->bodies, err);
}

/* The ledger: ids of what was accepted ------------------------------------------------------- */

static void flush_ledger(struct job *job)
{
    struct tk_err *err = &job->ledger_failure;
    if (err->code == 0 && tk_buf_check(&job->ledger, "ids of accepted spans", err) == 0 &&
        tk_fd_write(job->ledger_fd, tk_buf_str(&job->ledger), job->opts->acknowledged, err) < 0)
        stopped = 1; /* what it is for cannot be had: end, and say so */
    tk_buf_reset(&job->ledger);
}

static void take_accepted(void *user, size_t body, const struct tk_load_body_change *change)
{
    struct job *job = user;
    tk_load_body_put_ids(job->bodies, body, change, &job->ledger);
    if (job->ledger.n >= LEDGER_FLUSH)
        flush_ledger(job);
}

static int open_ledger(struct job *job, struct tk_err *err)
{
    const char *path = job->opts->acknowledged;
    tk_buf_init(&job->ledger, LEDGER_MAX);
    if (!path)
        return 0;
    job->ledger_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return job->ledger_fd < 0 ? tk_fail_errno(err, "%s", path) : 0;
}

/* The load --------------------------------------------------------------------------------- */

static void show_progress(void *user, const struct tk_load_totals *totals, int64_t elapsed_ns)
{
    const struct job *job = user;
    char time[TK_HUMAN_MAX];
    char sent[TK_HUMAN_MAX];
    char accepted[TK_HUMAN_MAX];
    if (!job->shows_progress)
        return;
    (void)fprintf(stderr, "\r%s: %s spans sent, %s accepted\033[K",
                  tk_duration_format(elapsed_ns / TK_NS_PER_S * TK_NS_PER_S, time),
                  tk_count_format((int64_t)totals->sent_spans, sent),
                  tk_count_format((int64_t)totals->accepted_spans, accepted));
}

static void set_load(struct job *job)
{
    const struct replay_opts *opts = job->opts;
    int64_t usual = pace_of(opts) == TK_LOAD_AS_FAST ? CONNECTIONS : OPEN_CONNECTIONS;
    job->load = (struct tk_load_opts){
        .target = &job->target,
        .bodies = job->bodies,
        .schedule =
            {
                .bodies = job->bodies,
                .pace = pace_of(opts),
                .spans_per_s = job->spans_per_s,
                .speed = opts->has_speed ? opts->speed : 1,
                .passes = (uint64_t)opts->repeat,
                .shift_time = opts->shift_time,
            },
        .grpc = opts->grpc,
        .connections = (size_t)(opts->connections > 0 ? opts->connections : usual),
        .streams = (size_t)opts->streams,
        .seed = opts->new_ids ? (uint64_t)tk_clock_mono_ns() | 1 : 0,
        .max_retries = (uint32_t)opts->retries,
        .timeout_ns = opts->timeout_ns,
        .patience_ns = opts->patience_ns,
        .warmup_ns = opts->warmup_ns,
        .for_ns = opts->for_ns,
        .stop = &stopped,
        .on_accepted = opts->acknowledged ? take_accepted : NULL,
        .on_progress = show_progress,
        .user = job,
    };
}

static int64_t cpu_now_ns(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * TK_NS_PER_S +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * TK_NS_PER_US;
}

static int send_all(struct job *job, const char *source, struct tk_load_totals *ret_totals,
                    struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, REPORT_MAX);
    (void)tk_fd_limit_raise(job->load.connections + 64);
    int64_t cpu_ns = cpu_now_ns();
    int rc = tk_load_run(&job->load, ret_totals, err);
    if (rc < 0)
        return rc;
    const struct tk_replay_about about = {
        .source = source,
        .target = &job->target,
        .opts = &job->load,
        .encoding = encoding_of(job->opts),
        .cpu_ns = cpu_now_ns() - cpu_ns,
    };
    if (job->shows_progress)
        (void)fputs("\r\033[K", stderr);
    if (job->opts->print_json) {
        tk_replay_put_json(&about, ret_totals, &out);
    } else {
        tk_replay_put_text(&about, ret_totals, &out);
    }
    if (job->ledger_fd >= 0)
        flush_ledger(job);
    if (job->ledger_failure.code < 0) {
        *err = job->ledger_failure;
        return err->code;
    }
    return tk_fd_write(STDOUT_FILENO, tk_buf_str(&out), "stdout", err);
}

static int run_job(struct job *job, const char *path, struct tk_load_totals *ret_totals,
                   struct tk_err *err)
{
    int rc = open_ledger(job, err);
    if (rc == 0)
        rc = make_bodies(job, path, err);
    if (rc < 0)
        return rc;
    if (job->bodies->left_out > 0) {
        (void)fprintf(stderr, "tracekit replay: --limit leaves out %llu spans\n",
                      (unsigned long long)job->bodies->left_out);
    }
    set_load(job);
    catch_signals();
    return send_all(job, job->opts->synthetic ? "synthetic spans" : path, ret_totals, err);
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct replay_opts opts = {.repeat = 1, .retries = 10, .spans = 100000, .seed = 1};
    struct tk_load_totals totals;
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    TK_CLEANUP(job_release)
    struct job job = {.opts = &opts, .ledger_fd = -1, .shows_progress = isatty(STDERR_FILENO)};
    const char *mistake = find_mistake(&opts, argc - first);
    if (mistake)
        return tk_cmd_usage(cmd, "%s", mistake);
    if (opts.rate && !parse_rate(opts.rate, &job.spans_per_s)) {
        return tk_cmd_usage(cmd, "option '--rate': '%s' is not a rate such as 50000 or 50k/s",
                            opts.rate);
    }
    if (tk_load_target_parse(opts.to, opts.grpc, &job.target, &err) < 0)
        return tk_cmd_usage(cmd, "option '--to': %s", err.msg);
    if (run_job(&job, argv[first], &totals, &err) < 0)
        return tk_cmd_fail(cmd, &err);
    bool all_accepted = totals.rejected_spans + tk_load_lost(&totals) + totals.unsent_spans == 0;
    return all_accepted ? TK_EXIT_OK : TK_EXIT_FAILED;
}

const struct tk_cmd tk_cmd_replay = {
    .name = "replay",
    .args = "[RUN|FILE]",
    .help = "send recorded or made-up spans to an OTLP receiver, as load",
    .about = "Without --rate, --speed or --as-fast spans are sent as they ended when recorded.\n"
             "\n"
             "  tracekit replay night --to http://127.0.0.1:4318 --shift-time\n"
             "  tracekit replay spans.jsonl --to http://127.0.0.1:4317 --grpc --rate 50k\n"
             "  tracekit replay --synthetic --spans 1000000 --to http://127.0.0.1:4318",
    .options = options,
    .mixed = true,
    .run = run,
};
