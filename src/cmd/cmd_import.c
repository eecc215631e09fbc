/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "cmd/import.h"
#include "cmd/runs.h"

#define FIELD(name) offsetof(struct tk_import_opts, name)

static const struct tk_opt options[] = {
    {"output", TK_OPT_STRING, FIELD(output), "DIR",
     "the new run folder; of several old runs, the folder for theirs (default below logs/)",
     .letter = 'o'},
    {"node", TK_OPT_STRING, FIELD(node), "NODE",
     "node label where the input has none (of spans the host name)", .env = "NODE_ID"},
    {"stage", TK_OPT_STRING, FIELD(stage), "STAGE", "role of the node where the input has none",
     .env = "STAGE"},
    {"json", TK_OPT_FLAG, FIELD(json), NULL, "one JSON object per run instead of the report",
     .letter = 'j'},
    {"log-tz", TK_OPT_STRING, FIELD(log_tz), "ZONE",
     "old runs: zone of times with AM or PM, as +02:00 or Europe/Berlin (default UTC)"},
    {"format", TK_OPT_STRING, FIELD(format), "NAME",
     "spans: otlp, otlp-proto, jaeger, zipkin, zipkin-proto, gent, events, flat or csv (by their "
     "first bytes)",
     .letter = 'f'},
    {"map", TK_OPT_LIST, FIELD(maps), "FIELD=NAME[:UNIT]",
     "csv, flat: the column or key of a field, with s, ms, us or ns of times; repeatable"},
    {"delimiter", TK_OPT_STRING, FIELD(delimiter), "CHAR",
     "csv: between columns (the one that the header has most of)"},
    {"max-bytes", TK_OPT_INT, FIELD(max_bytes), "BYTES",
     "spans: most that a compressed file or a pipe may become (16 GiB)", .min = 1,
     .max = INT64_MAX},
    {"keep-duplicates", TK_OPT_FLAG, FIELD(keep_duplicates), NULL,
     "spans: keep spans that come again, too"},
    {"url", TK_OPT_STRING, FIELD(url), "URL",
     "jaeger: address of the server (http://127.0.0.1:16686)", .env = "JAEGER_URL"},
    {"service", TK_OPT_LIST, FIELD(services), "NAME",
     "jaeger: only traces of this service; repeatable (all)"},
    {"lookback", TK_OPT_DURATION, FIELD(lookback_ns), "TIME",
     "jaeger: only traces of so long ago at most (1h)", .min = TK_NS_PER_MS,
     .max = (int64_t)366 * 24 * 3600 * TK_NS_PER_S, .needs_unit = true},
    {"limit", TK_OPT_INT, FIELD(limit), "N", "jaeger: most traces of a service (1500)", .min = 1,
     .max = 1000000},
    {0},
};

/* Whether an argument is a file of spans: no folder, and there or standard input. */
static bool is_file(const char *path)
{
    struct stat status;
    return strcmp(path, "-") == 0 || (stat(path, &status) == 0 && !S_ISDIR(status.st_mode));
}

/* Whether an argument is a file, a folder or the name of an old run. */
static int check_is_there(char *path, struct tk_err *err)
{
    TK_CLEANUP(tk_runs_release) struct tk_runs runs = {0};
    struct tk_err why;
    if (is_file(path) || tk_runs_find(&runs, 1, &path, &why) != -ENOENT)
        return 0;
    return tk_fail(err, -ENOENT, "%s: no such file or folder, nor an old run of that name in logs/",
                   path);
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct tk_import_opts opts = {.max_bytes = (int64_t)16 << 30,
                                  .url = "http://127.0.0.1:16686",
                                  .lookback_ns = 3600 * TK_NS_PER_S,
                                  .limit = 1500};
    int files = 0;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    argc -= first;
    argv += first;
    struct stat status;
    if (argc == 1 && strcmp(argv[0], "jaeger") == 0 && stat(argv[0], &status) < 0)
        return tk_import_jaeger(cmd, &opts);
    for (int i = 0; i < argc; i++) {
        struct tk_err err;
        if (check_is_there(argv[i], &err) < 0)
            return tk_cmd_fail(cmd, &err);
        files += is_file(argv[i]);
    }
    if (files == argc)
        return tk_import_files(cmd, &opts, argc, argv);
    if (files > 0)
        return tk_cmd_usage(cmd, "files of spans and folders of old runs cannot be one import");
    return tk_import_old_runs(cmd, &opts, argc, argv);
}

const struct tk_cmd tk_cmd_import = {
    .name = "import",
    .args = "FILE...|DIR...|jaeger",
    .missing = "expected files of spans, or the folder of an old run",
    .help = "make runs from files of spans, a Jaeger server, old runs and logs",
    .about = "FILE holds spans: OTLP (JSON, lines, protobuf), Jaeger or Zipkin JSON, lines of\n"
             "Gen-T, events of a run, a span a line, CSV; also compressed (gzip, zstd). All\n"
             "become one run.\n"
             "DIR is the folder of an old run, with logs of mpstat, vmstat and ifstat, or one\n"
             "that holds several, each a run of its own. What is imported is only read.\n"
             "\n"
             "  tracekit import traces.jsonl.zst -o checkout\n"
             "  tracekit import --map trace_id=req --map start=t0:ms spans.csv\n"
             "  tracekit import jaeger --url http://jaeger:16686 --service shop --lookback 24h\n"
             "  tracekit import 'archive/20250922002(c0)' -o /tmp/c0\n"
             "  tracekit import --log-tz +02:00 office-pc/",
    .options = options,
    .mixed = true,
    .run = run,
};
