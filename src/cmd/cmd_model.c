/* SPDX-License-Identifier: Apache-2.0 */
/* tracekit model: the words of those who come from Gen-T (trace-compression.md section 15), for
 * what compress, expand, tkz, truncate and merge do. A model is a file of compressed traces. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/opt.h"
#include "cmd/cmd.h"
#include "cmd/tkz_file.h"

#define ARGS_MAX   128
#define TEXT_MAX   512
#define CONFIG_MAX 65536
#define STRINGS    2 /* of Gen-T's projection, likewise below */
#define INTEGERS   3

struct opts {
    const char *traces_dir, *out, *config, *format;
    const char *quality, *budget, *trace_bytes, *span_bytes, *older_than, *against, *seed, *threads;
    bool lossless, generative, append, centre, partial, size, json;

    /* Gen-T's. */
    int64_t chain_length, iterations, strings, integers, tx_start, tx_end;
    int64_t generator_dim, discriminator_dim, batch_size;
    int with_gcn, independent_chains, start_time, is_test;
    bool has_chain_length, has_strings, has_integers, has_ignored, has_switch;
};

#define FIELD(name) offsetof(struct opts, name)

static const char *const truths[] = {"true", "false", NULL};

static const struct tk_opt options[] = {
    {"traces-dir", TK_OPT_STRING, FIELD(traces_dir), "DIR",
     "train: files of traces in any format, a single one, or a run"},
    {"out", TK_OPT_STRING, FIELD(out), "OUT",
     "train, truncate, merge: the file; generate: the folder", .letter = 'o'},
    {"config", TK_OPT_STRING, FIELD(config), "FILE", "options as lines, chain_length=2"},
    {"format", TK_OPT_STRING, FIELD(format), "NAME",
     "generate: gent (default), sql, or a format of tracekit expand", .letter = 'f'},
    {"quality", TK_OPT_STRING, FIELD(quality), "PERCENT", "train, truncate: largest error of times",
     .letter = 'q'},
    {"budget", TK_OPT_STRING, FIELD(budget), "BYTES", "train, truncate: 20B/trace, 2B/span",
     .letter = 'b'},
    {"bytes-per-trace", TK_OPT_STRING, FIELD(trace_bytes), "N", "the same, of a trace"},
    {"bytes-per-span", TK_OPT_STRING, FIELD(span_bytes), "N", "the same, of a span"},
    {"lossless", TK_OPT_FLAG, FIELD(lossless), NULL, "train: every field of every span"},
    {"generative", TK_OPT_FLAG, FIELD(generative), NULL,
     "train: distributions, nothing individual"},
    {"append", TK_OPT_FLAG, FIELD(append), NULL, "train: add to the file that is there"},
    {"seed", TK_OPT_STRING, FIELD(seed), "N", "train, generate: of what is drawn (1)"},
    {"threads", TK_OPT_STRING, FIELD(threads), "N", "train, generate (all CPUs)", .letter = 't'},
    {"centre", TK_OPT_FLAG, FIELD(centre), NULL, "generate: no draws inside the error of times"},
    {"partial", TK_OPT_FLAG, FIELD(partial), NULL, "generate: what is left of a damaged file"},
    {"older-than", TK_OPT_STRING, FIELD(older_than), "TIME", "truncate: only older blocks"},
    {"against", TK_OPT_STRING, FIELD(against), "INPUT", "verify: the spans that it has to hold"},
    {"size", TK_OPT_FLAG, FIELD(size), NULL, "info: the number of bytes alone"},
    {"json", TK_OPT_FLAG, FIELD(json), NULL, "train, info, verify: as JSON", .letter = 'j'},
    {"tx-start", TK_OPT_INT, FIELD(tx_start), "N", "Gen-T: first trace by start (0)", .min = 0,
     .max = INT64_MAX},
    {"tx-end", TK_OPT_INT, FIELD(tx_end), "N", "Gen-T: the one behind the last; -1 = all (-1)",
     .min = -1, .max = INT64_MAX},
    {"chain-length", TK_OPT_INT, FIELD(chain_length), "N", "Gen-T: of ancestors, 2 or more (2)",
     .min = 2, .max = 1000, .given = FIELD(has_chain_length)},
    {"iterations", TK_OPT_INT, FIELD(iterations), "N", "Gen-T: passes (2)", .min = 1,
     .max = INT64_MAX},
    {"metadata-str-size", TK_OPT_INT, FIELD(strings), "N", "Gen-T: texts of a span; 2 (all)",
     .min = 0, .max = INT64_MAX, .given = FIELD(has_strings)},
    {"metadata-int-size", TK_OPT_INT, FIELD(integers), "N", "Gen-T: numbers of a span; 3 (all)",
     .min = 0, .max = INT64_MAX, .given = FIELD(has_integers)},
    {"with-gcn", TK_OPT_CHOICE, FIELD(with_gcn), "BOOL", "Gen-T: accepted", .choices = truths,
     .given = FIELD(has_switch)},
    {"independent-chains", TK_OPT_CHOICE, FIELD(independent_chains), "BOOL", "Gen-T: accepted",
     .choices = truths, .given = FIELD(has_switch)},
    {"start-time-with-metadata", TK_OPT_CHOICE, FIELD(start_time), "BOOL", "Gen-T: accepted",
     .choices = truths, .given = FIELD(has_switch)},
    {"generator-dim", TK_OPT_INT, FIELD(generator_dim), "N", "Gen-T: accepted", .max = INT64_MAX,
     .given = FIELD(has_ignored)},
    {"discriminator-dim", TK_OPT_INT, FIELD(discriminator_dim), "N", "Gen-T: accepted",
     .max = INT64_MAX, .given = FIELD(has_ignored)},
    {"batch-size", TK_OPT_INT, FIELD(batch_size), "N", "Gen-T: accepted", .max = INT64_MAX,
     .given = FIELD(has_ignored)},
    {"is-test", TK_OPT_CHOICE, FIELD(is_test), "BOOL", "Gen-T: accepted", .choices = truths,
     .given = FIELD(has_ignored)},
    {0},
};

/* A command line for another command ----------------------------------------------------------- */

struct args {
    const char *items[ARGS_MAX + 1];
    int count;
    char texts[16][TEXT_MAX]; /* that were made */
    size_t text_count;
};

static void add(struct args *args, const char *text)
{
    if (args->count < ARGS_MAX)
        args->items[args->count++] = text;
    args->items[args->count] = NULL;
}

static void add_option(struct args *args, const char *option, const char *value)
{
    if (!value)
        return;
    add(args, option);
    add(args, value);
}

static void add_flag(struct args *args, const char *option, bool given)
{
    if (given)
        add(args, option);
}

static const char *make_text(struct args *args, const char *before, const char *text,
                             const char *after)
{
    char *made = args->texts[args->text_count++ % TK_COUNTOF(args->texts)];
    (void)snprintf(made, TEXT_MAX, "%s%s%s", before, text, after);
    return made;
}

/* Commands take their arguments as main() does, and change none of them. */
static char **as_argv(const char **items)
{
    return (char **)(void *)items;
}

/* Run another command under the name of the verb. */
static int run_as(const struct tk_cmd *cmd, const struct tk_cmd *other, struct args *args)
{
    struct tk_cmd named = *other;
    named.name = cmd->name;
    return other->run(&named, args->count, as_argv(args->items));
}

/* Whether there is at most one budget; else that was told. */
static bool has_one_budget(const struct tk_cmd *cmd, const struct opts *opts)
{
    int count = (opts->budget != NULL) + (opts->trace_bytes != NULL) + (opts->span_bytes != NULL);
    if (count > 1)
        (void)tk_cmd_usage(cmd, "--budget, --bytes-per-trace and --bytes-per-span: choose one");
    return count <= 1;
}

static void add_limits(struct args *args, const struct opts *opts)
{
    add_option(args, "--quality", opts->quality);
    add_option(args, "--budget", opts->budget);
    if (opts->trace_bytes)
        add_option(args, "--budget", make_text(args, "", opts->trace_bytes, "B/trace"));
    if (opts->span_bytes)
        add_option(args, "--budget", make_text(args, "", opts->span_bytes, "B/span"));
}

/* What a call is about. */
struct call {
    const struct tk_cmd *cmd; /* with the verb in its name */
    const struct opts *opts;
    char **names; /* the arguments behind the verb */
    int count;
};

/* Training ------------------------------------------------------------------------------------- */

/* Options of Gen-T that are taken and change nothing. */
static void tell_ignored(const struct call *call)
{
    const struct opts *opts = call->opts;
    const char *name = call->cmd->name;
    if (opts->has_ignored) {
        (void)fprintf(stderr,
                      "tracekit %s: generator-dim, discriminator-dim, batch-size and is-test have "
                      "no effect: nothing is trained by gradients\n",
                      name);
    }
    if (opts->has_switch || (opts->has_chain_length && opts->chain_length != 2)) {
        (void)fprintf(stderr,
                      "tracekit %s: chain-length, with-gcn, independent-chains and "
                      "start-time-with-metadata have no effect: contexts of shapes, parents and "
                      "entries are always mixed\n",
                      name);
    }
    if (opts->iterations > 2)
        (void)fprintf(stderr, "tracekit %s: more than 2 iterations change nothing\n", name);
    bool other = (opts->has_strings && opts->strings != STRINGS) ||
                 (opts->has_integers && opts->integers != INTEGERS);
    if (other) {
        (void)fprintf(stderr, "tracekit %s: Gen-T's projection has %d texts and %d numbers\n", name,
                      STRINGS, INTEGERS);
    }
}

static int compress(const struct call *call, const char *out)
{
    const struct opts *opts = call->opts;
    struct args args = {.count = 0};
    char slice[64];
    add(&args, "compress");
    add(&args, opts->traces_dir);
    add_option(&args, "--output", out);
    add_limits(&args, opts);
    add_flag(&args, "--lossless", opts->lossless);
    add_flag(&args, "--generative", opts->generative);
    add_flag(&args, "--json", opts->json);
    add_option(&args, "--seed", opts->seed);
    add_option(&args, "--threads", opts->threads);
    if (opts->has_strings || opts->has_integers)
        add_option(&args, "--attributes", "gent");
    if (opts->tx_start > 0 || opts->tx_end >= 0) {
        int n = snprintf(slice, sizeof(slice), "%lld:", (long long)opts->tx_start);
        if (opts->tx_end >= 0)
            (void)snprintf(slice + n, sizeof(slice) - (size_t)n, "%lld", (long long)opts->tx_end);
        add_option(&args, "--traces", slice);
    }
    return run_as(call->cmd, &tk_cmd_compress, &args);
}

/* Behind the blocks that are there: the file is replaced when all is written. */
static int append(const struct call *call)
{
    char part[PATH_MAX];
    int n = snprintf(part, sizeof(part), "%s.part", call->opts->out);
    if (n >= (int)sizeof(part))
        return tk_cmd_usage(call->cmd, "option '--out': too long");
    int status = compress(call, part);
    const char *files[] = {call->opts->out, part};
    if (status == TK_EXIT_OK)
        status = tk_tkz_merge(call->cmd, call->opts->out, 2, as_argv(files));
    (void)unlink(part);
    return status;
}

/* Lock a file, and tell whom that waits for. */
static void lock_file(const struct call *call, int fd)
{
    if (tk_fd_lock(fd, 0))
        return;
    (void)fprintf(stderr, "tracekit %s: %s: somebody else appends to it: waiting\n",
                  call->cmd->name, call->opts->out);
    (void)tk_fd_lock(fd, INT64_MAX);
}

/* Who appends has the lock of the model: a file beside it, locked, which goes before the lock does.
 * Somebody else who appends is waited for. */
static int lock_model(const struct call *call, const char *path, int *ret_fd, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int fd = -1;
    do {
        tk_fd_close(&fd);
        fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0)
            return tk_fail_errno(err, "%s", path);
        lock_file(call, fd);
    } while (!tk_fd_is_at(fd, AT_FDCWD, path));
    *ret_fd = tk_fd_take(&fd);
    return 0;
}

static int append_alone(const struct call *call)
{
    char path[PATH_MAX];
    TK_CLEANUP(tk_fd_close) int fd = -1;
    struct tk_err err;
    const char *out = call->opts->out;
    int n = snprintf(path, sizeof(path), "%s.lock", out);
    if (n >= (int)sizeof(path))
        return tk_cmd_usage(call->cmd, "option '--out': too long");
    if (lock_model(call, path, &fd, &err) < 0)
        return tk_cmd_fail(call->cmd, &err);
    int status = access(out, F_OK) == 0 ? append(call) : compress(call, out);
    (void)unlink(path);
    return status;
}

static int train(const struct call *call)
{
    const struct opts *opts = call->opts;
    if (!opts->traces_dir)
        return tk_cmd_usage(call->cmd, "option '--traces-dir' is missing: what is to be learned?");
    if (!opts->out)
        return tk_cmd_usage(call->cmd, "option '--out' is missing: where does the model go?");
    if (call->count > 0)
        return tk_cmd_usage(call->cmd, "'%s' is one argument too many", call->names[0]);
    tell_ignored(call);
    bool is_file = strcmp(opts->out, "-") != 0;
    return opts->append && is_file ? append_alone(call) : compress(call, opts->out);
}

/* Generating ----------------------------------------------------------------------------------- */

static const struct {
    const char *format, *ending;
} endings[] = {
    {"gent", ".json"},
    {"jaeger", ".jaeger.json"},
    {"otlp", ".otlp.jsonl"},
    {"otlp-proto", ".pb"},
    {"zipkin", ".zipkin.json"},
    {"csv", ".csv"},
    {"jsonl", ".jsonl"},
    {"parquet", ""},
    {"sql", ".sql"},
};

static const char *find_ending(const char *format)
{
    for (size_t i = 0; i < TK_COUNTOF(endings); i++) {
        if (strcmp(endings[i].format, format) == 0)
            return endings[i].ending;
    }
    return ".json";
}

static int expand(const struct call *call, const char *file, const char *format, const char *path)
{
    const struct opts *opts = call->opts;
    struct args args = {.count = 0};
    if (strcmp(format, "sql") == 0) {
        add(&args, "fidelity");
        add(&args, "export");
        add(&args, file);
        add_option(&args, "--sql", path);
        return run_as(call->cmd, &tk_cmd_fidelity, &args);
    }
    add(&args, "expand");
    add(&args, file);
    add_option(&args, "--output", path);
    add_option(&args, "--format", format);
    add_option(&args, "--seed", opts->seed);
    add_option(&args, "--threads", opts->threads);
    add_flag(&args, "--centre", opts->centre);
    add_flag(&args, "--partial", opts->partial);
    return run_as(call->cmd, &tk_cmd_expand, &args);
}

/* DIR/normalized_data/generated.json, where Gen-T has it. */
static int generate_into(const struct call *call, const char *file, const char *folder)
{
    const char *format = call->opts->format ? call->opts->format : "gent";
    char path[PATH_MAX];
    struct tk_err err;
    int n = snprintf(path, sizeof(path), "%s/normalized_data", folder);
    if (n >= (int)sizeof(path) - TEXT_MAX)
        return tk_cmd_usage(call->cmd, "option '--out': too long");
    if (tk_dir_make(AT_FDCWD, path, &err) < 0)
        return tk_cmd_fail(call->cmd, &err);
    (void)snprintf(path + n, sizeof(path) - (size_t)n, "/generated%s", find_ending(format));
    return expand(call, file, format, path);
}

/* The most planes that --quality may ask of a file, + 1; 0 = it is not given. False when it is no
 * number of per cent. */
static bool read_planes(const struct opts *opts, uint32_t *ret_planes)
{
    double percent;
    *ret_planes = 0;
    if (!opts->quality)
        return true;
    if (!tk_percent_parse(opts->quality, &percent))
        return false;
    *ret_planes = tk_codec_planes(percent);
    return true;
}

/* What a model was trained with may be said again, and changes nothing; what it was not is refused.
 */
static int check_trained(const struct call *call, const char *file, struct tk_err *err)
{
    TK_CLEANUP(tk_import_text_release) struct tk_import_text text = {0};
    const struct opts *opts = call->opts;
    struct tk_codec_info info;
    uint32_t planes;
    if (!read_planes(opts, &planes))
        return tk_fail(err, -EINVAL, "option '--quality': '%s' is no per cent", opts->quality);
    int rc = tk_tkz_open(file, &text, err);
    rc = rc < 0 ? rc : tk_codec_info_read(text.text, &info, err);
    if (rc < 0)
        return rc;
    if (opts->lossless && info.lossless < info.blocks)
        return tk_fail(err, -EINVAL, "%s: is not --lossless: it was not trained so", file);
    if (opts->generative && info.generative < info.blocks)
        return tk_fail(err, -EINVAL, "%s: is not --generative: it was not trained so", file);
    if (planes > 0 && (info.generative > 0 || info.least_planes < planes)) {
        return tk_fail(err, -EINVAL, "%s: has no times of --quality %s: it was not trained so",
                       file, opts->quality);
    }
    return 0;
}

static int generate(const struct call *call)
{
    struct tk_err err;
    if (call->count != 1)
        return tk_cmd_usage(call->cmd, "expected one model");
    if (!call->opts->out)
        return tk_cmd_usage(call->cmd, "option '--out' is missing: the folder for the traces");
    if (check_trained(call, call->names[0], &err) < 0)
        return tk_cmd_fail(call->cmd, &err);
    return generate_into(call, call->names[0], call->opts->out);
}

static int train_generate(const struct call *call)
{
    char file[PATH_MAX];
    struct tk_err err;
    struct opts training = *call->opts;
    struct call part = *call;
    if (!call->opts->out)
        return tk_cmd_usage(call->cmd, "option '--out' is missing: the folder for all");
    if (tk_dir_make(AT_FDCWD, call->opts->out, &err) < 0)
        return tk_cmd_fail(call->cmd, &err);
    if (snprintf(file, sizeof(file), "%s/model.tkz", call->opts->out) >= (int)sizeof(file))
        return tk_cmd_usage(call->cmd, "option '--out': too long");
    training.out = file;
    part.opts = &training;
    int status = train(&part);
    return status == TK_EXIT_OK ? generate_into(call, file, call->opts->out) : status;
}

/* Others --------------------------------------------------------------------------------------- */

static void add_names(struct args *args, const struct call *call)
{
    for (int i = 0; i < call->count; i++)
        add(args, call->names[i]);
}

static int info(const struct call *call)
{
    struct args args = {.count = 0};
    add(&args, "tkz");
    add(&args, "info");
    add_names(&args, call);
    add_flag(&args, "--size", call->opts->size);
    add_flag(&args, "--json", call->opts->json);
    return run_as(call->cmd, &tk_cmd_tkz, &args);
}

static int verify(const struct call *call)
{
    struct args args = {.count = 0};
    add(&args, "tkz");
    add(&args, "verify");
    add_names(&args, call);
    add_option(&args, "--against", call->opts->against);
    add_flag(&args, "--json", call->opts->json);
    return run_as(call->cmd, &tk_cmd_tkz, &args);
}

static int truncate_model(const struct call *call)
{
    struct args args = {.count = 0};
    add(&args, "truncate");
    add_names(&args, call);
    add_option(&args, "--output", call->opts->out);
    add_limits(&args, call->opts);
    add_option(&args, "--older-than", call->opts->older_than);
    return run_as(call->cmd, &tk_cmd_truncate, &args);
}

static int merge(const struct call *call)
{
    if (call->count == 0)
        return tk_cmd_usage(call->cmd, "expected models");
    return tk_tkz_merge(call->cmd, call->opts->out, call->count, call->names);
}

static const struct verb {
    const char *name; /* as told in messages, too: "model train" */
    int (*run)(const struct call *call);
} verbs[] = {
    {"model train", train}, {"model generate", generate}, {"model train-generate", train_generate},
    {"model info", info},   {"model verify", verify},     {"model truncate", truncate_model},
    {"model merge", merge},
};

static const char *const verb_names[] = {"train",  "generate", "train-generate", "info",
                                         "verify", "truncate", "merge",          NULL};

/* The file of options -------------------------------------------------------------------------- */

/* A line `chain_length=2` as `--chain-length=2`, in place of the line. */
static int add_line(struct args *args, tk_str line, struct tk_err *err)
{
    char *made = args->texts[args->text_count % TK_COUNTOF(args->texts)];
    size_t n = tk_str_find(line, '=');
    line = tk_str_trim(line);
    if (line.n == 0 || line.p[0] == '#')
        return 0;
    if (n >= line.n || line.n + 3 > TEXT_MAX || args->text_count == TK_COUNTOF(args->texts)) {
        return tk_fail(err, -EBADMSG, "'%.*s' is no option such as chain_length=2",
                       TK_STR_ARG(line));
    }
    tk_str key = tk_str_trim((tk_str){line.p, n});
    tk_str value = tk_str_trim((tk_str){line.p + n + 1, line.n - n - 1});
    if (tk_str_eq(value, TK_STR("True")))
        value = TK_STR("true");
    if (tk_str_eq(value, TK_STR("False")))
        value = TK_STR("false");
    (void)snprintf(made, TEXT_MAX, "--%.*s=%.*s", TK_STR_ARG(key), TK_STR_ARG(value));
    for (size_t i = 0; i < key.n; i++) {
        if (made[2 + i] == '_')
            made[2 + i] = '-';
    }
    args->text_count++;
    add(args, made);
    return 0;
}

/* The options of a file, then those of the command line, which win. */
static int read_config(const char *path, int argc, char **argv, struct args *args,
                       struct tk_err *err)
{
    char text[CONFIG_MAX];
    tk_str rest;
    tk_str line;
    add(args, argv[0]);
    int rc = tk_file_read(AT_FDCWD, path, text, sizeof(text), &rest, err);
    while (rc == 0 && tk_str_take_line(&rest, &line)) {
        rc = add_line(args, line, err);
        if (rc < 0)
            rc = tk_err_prefix(err, "%s", path);
    }
    for (int i = 1; i < argc; i++)
        add(args, argv[i]);
    if (rc == 0 && args->count == ARGS_MAX)
        rc = tk_fail(err, -EMSGSIZE, "%s: too many options", path);
    return rc;
}

static const struct opts defaults = {.tx_end = -1, .chain_length = 2, .iterations = 2};

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct opts opts = defaults;
    struct args args = {.count = 0};
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first > 0 && opts.config) {
        if (read_config(opts.config, argc, argv, &args, &err) < 0)
            return tk_cmd_fail(cmd, &err);
        opts = defaults;
        argv = as_argv(args.items);
        argc = args.count;
        first = tk_cmd_begin(cmd, &opts, argc, argv);
    }
    if (first <= 0)
        return -first;
    if (!has_one_budget(cmd, &opts))
        return TK_EXIT_USAGE;
    for (size_t i = 0; verb_names[i]; i++) {
        struct tk_cmd named = *cmd;
        named.name = verbs[i].name;
        const struct call call = {&named, &opts, argv + first + 1, argc - first - 1};
        if (strcmp(verb_names[i], argv[first]) == 0)
            return verbs[i].run(&call);
    }
    return tk_cmd_refuse(cmd, argv[first]);
}

const struct tk_cmd tk_cmd_model = {
    .name = "model",
    .args = "VERB [FILE.tkz...]",
    .missing = "expected train, generate, train-generate, info, verify, truncate or merge",
    .help = "compress traces with the verbs of Gen-T: train, generate",
    .about = "VERB is train, generate, train-generate, info, verify, truncate or merge. A\n"
             "model is a file of compressed traces: train is `tracekit compress`, generate\n"
             "`tracekit expand`. Nothing is trained: the file holds the traces.\n"
             "\n"
             "  tracekit model train --traces-dir gent/ --out shop.tkz\n"
             "  tracekit model generate shop.tkz --out results\n"
             "  tracekit model info --size shop.tkz",
    .options = options,
    .verbs = verb_names,
    .mixed = true,
    .run = run,
};
