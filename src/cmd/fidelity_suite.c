/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "cmd/fidelity.h"
#include "cmd/suite.h"

#define OUT_MAX         ((size_t)256 << 20)
#define DEFAULT_BUDGETS "1,2,5,10,20,47,71,100"
#define DEFAULT_BLOCK   10000
#define ITEMS_FIRST     64
#define NAME_MAX_BYTES  24

static const char *const default_methods[] = {
    "tkz",     "tkz:5%",       "tkz:generative", "head",    "head-bare",
    "tail",    "stratified",   "otlp",           "otap",    "markov",
    "columns", "columns-bare", "head:10",        "head:20", "head:50",
};

/* Data ----------------------------------------------------------------------------------------- */

/* What the table holds, in a digest: the same traces have it from whatever file. */
static int digest_table(const struct tk_span_table *table, char ret_hex[TK_DIGEST_MAX],
                        struct tk_err *err)
{
    struct tk_digest digest = {0};
    int rc = tk_digest_init(&digest, TK_DIGEST_SHA256, err);
    if (rc < 0)
        return rc;
    const tk_str columns[] = {
        {(const char *)table->trace_ids, table->traces * sizeof(*table->trace_ids)},
        {(const char *)table->trace_ends, table->traces * sizeof(*table->trace_ends)},
        {(const char *)table->span_ids, table->rows * sizeof(*table->span_ids)},
        {(const char *)table->parents, table->rows * sizeof(*table->parents)},
        {(const char *)table->start_ns, table->rows * sizeof(*table->start_ns)},
        {(const char *)table->duration_ns, table->rows * sizeof(*table->duration_ns)},
        {(const char *)table->issues, table->rows * sizeof(*table->issues)},
    };
    for (size_t i = 0; i < TK_COUNTOF(columns); i++)
        tk_digest_add(&digest, columns[i]);
    for (uint32_t r = 0; r < table->rows; r++) {
        tk_digest_add(&digest, tk_texts_get(&table->texts, table->services[r]));
        tk_digest_add(&digest, tk_texts_get(&table->texts, table->operations[r]));
    }
    tk_digest_take(&digest, ret_hex);
    tk_digest_release(&digest);
    return 0;
}

/* Traces [first, first + n) by start. */
static int take_block(const struct tk_span_table *all, uint32_t first, uint32_t n,
                      struct tk_span_table **ret_block, struct tk_err *err)
{
    uint32_t end = all->traces - first < n ? all->traces : first + n;
    struct tk_trace_pick *picks = calloc((size_t)(end - first) + 1, sizeof(*picks));
    if (!picks)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (uint32_t t = first; t < end; t++)
        picks[t - first] = (struct tk_trace_pick){t, 1};
    int rc = tk_span_table_pick(all, picks, end - first, ret_block, err);
    free(picks);
    return rc;
}

static int cut_blocks(const struct tk_suite *suite, const struct tk_span_table *all,
                      struct tk_suite_data *data, struct tk_err *err)
{
    uint32_t block = suite->block;
    uint32_t half = all->traces / 2 < DEFAULT_BLOCK ? all->traces / 2 : DEFAULT_BLOCK;
    if (block == 0)
        block = suite->with_next ? half : all->traces;
    if (suite->with_next && (uint64_t)block * 2 > all->traces) {
        return tk_fail(err, -EINVAL, "%s: %u traces are not two blocks of %u", data->name,
                       all->traces, block);
    }
    int rc = take_block(all, 0, block, &data->real, err);
    return rc < 0 || !suite->with_next ? rc : take_block(all, block, block, &data->next, err);
}

/* "NAME=PATH", or a path whose name is that of the file up to the first '-' or '.'. */
static void name_data(const char *text, char *room, struct tk_suite_data *data)
{
    const char *sign = strchr(text, '=');
    tk_str name = tk_str_base_name(tk_str_from(text));
    data->path = sign ? sign + 1 : text;
    if (sign) {
        name = (tk_str){text, (size_t)(sign - text)};
    } else {
        name.n = strcspn(name.p, "-.");
    }
    (void)snprintf(room, NAME_MAX_BYTES, "%.*s", TK_STR_ARG(name));
    data->name = room;
}

static int open_data(const struct tk_fidelity_call *call, const struct tk_suite *suite,
                     struct tk_suite_data *data, struct tk_err *err)
{
    TK_CLEANUP(tk_span_table_freep) struct tk_span_table *all = NULL;
    struct stat about;
    uint64_t bytes;
    int rc = tk_fidelity_open(call, data->path, &all, err);
    if (rc < 0)
        return rc;
    data->all_traces = all->traces;
    data->all_spans = all->rows;
    rc = cut_blocks(suite, all, data, err);
    if (rc == 0 && data->real)
        rc = digest_table(data->real, data->digest, err);
    if (rc == 0 && stat(data->path, &about) == 0 && S_ISREG(about.st_mode))
        rc = tk_digest_file(AT_FDCWD, data->path, data->sha256, &bytes, err);
    if (rc < 0 || !data->real)
        return rc;
    data->bare_bytes = (size_t)data->real->traces * 16 + (size_t)data->real->rows * 13;
    data->range = tk_profile_range_of(data->real);
    rc = tk_suite_causes_open(data, call->opts->faults, err);
    return rc < 0 ? rc : tk_profile_read(data->real, &data->range, &data->profile, err);
}

static void release_part(struct tk_suite_part *part)
{
    for (size_t i = 0; i < part->count; i++) {
        for (size_t s = 0; s < part->items[i]->seeds; s++)
            tk_suite_point_release(&part->items[i]->points[s]);
        free(part->items[i]);
    }
    free(part->items);
    tk_span_table_free(part->data.real);
    tk_span_table_free(part->data.next);
    tk_faults_release(&part->data.faults);
    free(part->data.causes);
}

/* Items ---------------------------------------------------------------------------------------- */

static struct tk_suite_item *add_item(struct tk_suite_part *part, size_t seeds)
{
    if (part->count == part->max) {
        size_t max = part->max > 0 ? part->max * 2 : ITEMS_FIRST;
        struct tk_suite_item **more = realloc(part->items, max * sizeof(struct tk_suite_item *));
        if (!more)
            return NULL;
        part->items = more;
        part->max = max;
    }
    struct tk_suite_item *item = calloc(1, sizeof(*item));
    if (!item)
        return NULL;
    item->seeds = seeds;
    for (size_t s = 0; s < seeds; s++)
        item->points[s].seed = s + 1;
    part->items[part->count++] = item;
    return item;
}

static int add_budget(const struct tk_suite *suite, struct tk_suite_part *part,
                      const struct tk_suite_method *method, double trace_bytes,
                      const struct tk_suite_item *equal_to)
{
    bool is_random = !method->sampler || !method->sampler->is_first;
    struct tk_suite_item *item = add_item(part, is_random ? suite->seeds : 1);
    if (!item)
        return -ENOMEM;
    item->method = method;
    item->trace_bytes = trace_bytes;
    item->equal_to = equal_to;
    (void)snprintf(item->label, sizeof(item->label), "%.4g B/trace", trace_bytes);
    return 0;
}

/* "5%" is told as "±5 %". */
static void label_setting(const char *setting, char *label)
{
    const char *percent = strchr(setting, '%');
    if (percent) {
        (void)snprintf(label, TK_SUITE_LABEL_MAX, "±%.*s %%", (int)(percent - setting), setting);
    } else {
        (void)snprintf(label, TK_SUITE_LABEL_MAX, "%s", setting);
    }
}

/* A method with a size of its own: a setting of the codec, one of N, all. */
static int add_fixed(const struct tk_suite *suite, struct tk_suite_part *part,
                     const struct tk_suite_method *method, const char *setting)
{
    double one_of = 1;
    bool is_all = !setting || strcmp(setting, "all") == 0;
    if (method->sampler && !is_all)
        (void)tk_parse_f64(tk_str_from(setting), &one_of);
    bool is_random = method->codec || (method->sampler && one_of > 1) ||
                     (method->baseline && method->baseline->is_generative);
    struct tk_suite_item *item = add_item(part, is_random ? suite->seeds : 1);
    if (!item)
        return -ENOMEM;
    item->method = method;
    if (method->codec) {
        item->setting = setting;
        label_setting(setting, item->label);
    } else {
        item->one_of = method->sampler ? one_of : 0;
        (void)snprintf(item->label, sizeof(item->label), one_of > 1 ? "1:%.4g" : "all", one_of);
    }
    return 0;
}

/* A method of the command line: "head", "head:10". */
struct asked_method {
    const struct tk_suite_method *method;
    const char *setting; /* NULL = none: by budgets where the method can */
};

static bool has_budgets(const struct asked_method *asked)
{
    return !asked->setting && (asked->method->sampler || asked->method->codec);
}

static bool is_setting(const struct tk_suite_method *method, const char *setting)
{
    double n;
    if (method->codec)
        return method->codec->knows(setting);
    return method->sampler &&
           (strcmp(setting, "all") == 0 || (tk_parse_f64(tk_str_from(setting), &n) && n >= 1));
}

static int parse_method(const char *text, struct asked_method *ret, struct tk_err *err)
{
    tk_str all = tk_str_from(text);
    tk_str name = {text, tk_str_find(all, ':')};
    *ret = (struct asked_method){tk_suite_method_find(name),
                                 name.n < all.n ? text + name.n + 1 : NULL};
    if (!ret->method)
        return tk_fail(err, -EINVAL, "option '--methods': '%.*s' is no method", TK_STR_ARG(name));
    if (ret->setting && !is_setting(ret->method, ret->setting)) {
        return tk_fail(err, -EINVAL, "option '--methods': '%s': '%s' is no setting of %s%s%s", text,
                       ret->setting, ret->method->name, ret->method->settings ? ": " : "",
                       ret->method->settings ? ret->method->settings : "");
    }
    return 0;
}

static int plan_method(const struct tk_suite *suite, struct tk_suite_part *part,
                       const struct asked_method *asked)
{
    int rc = 0;
    if (!has_budgets(asked))
        return add_fixed(suite, part, asked->method, asked->setting);
    for (size_t b = 0; b < suite->budget_count && rc == 0; b++)
        rc = add_budget(suite, part, asked->method, suite->budgets[b], NULL);
    return rc;
}

static int plan_controls(const struct tk_suite *suite, struct tk_suite_part *part)
{
    for (size_t i = 0; tk_controls[i]; i++) {
        struct tk_suite_item *item = add_item(part, suite->seeds);
        if (!item)
            return -ENOMEM;
        item->control = tk_controls[i];
        (void)snprintf(item->label, sizeof(item->label), "%s", tk_controls[i]->name);
    }
    return 0;
}

/* What has a size of its own and keeps all traces, or models them: others are to be seen at that
 * size. */
static bool is_mark(const struct tk_suite_item *item)
{
    return item->method && item->trace_bytes == 0 &&
           (item->method->codec ||
            (item->method->baseline && item->method->baseline->is_generative));
}

static int plan_equals(const struct tk_suite *suite, struct tk_suite_part *part,
                       const struct asked_method *asked, size_t count)
{
    size_t fixed = part->count;
    int rc = 0;
    for (size_t i = 0; i < fixed && rc == 0; i++) {
        const struct tk_suite_item *mark = part->items[i];
        double bytes = is_mark(mark) ? tk_suite_trace_bytes(part, mark) : (double)NAN;
        for (size_t m = 0; m < count && rc == 0 && bytes > 0; m++) {
            if (has_budgets(&asked[m]) && asked[m].method != mark->method)
                rc = add_budget(suite, part, asked[m].method, bytes, mark);
        }
    }
    return rc;
}

/* All runs of one set of traces. */
static int run_part(const struct tk_suite *suite, struct tk_suite_part *part,
                    const struct asked_method *asked, size_t count, struct tk_err *err)
{
    int rc = 0;
    for (size_t m = 0; m < count && rc == 0; m++)
        rc = plan_method(suite, part, &asked[m]);
    rc = rc < 0 ? rc : plan_controls(suite, part);
    if (rc < 0)
        return tk_fail(err, rc, "out of memory");
    rc = tk_suite_run(suite, part, 0, err);
    size_t first = part->count;
    if (rc == 0 && plan_equals(suite, part, asked, count) < 0)
        rc = tk_fail(err, -ENOMEM, "out of memory");
    return rc < 0 ? rc : tk_suite_run(suite, part, first, err);
}

/* The report ----------------------------------------------------------------------------------- */

static int write_file(const char *stem, const char *ending, const struct tk_buf *text,
                      struct tk_err *err)
{
    char path[PATH_MAX];
    int rc = tk_buf_check(text, ending, err);
    int n = snprintf(path, sizeof(path), "%s%s", stem, ending);
    if (rc == 0 && (n < 0 || (size_t)n >= sizeof(path)))
        rc = tk_fail(err, -ENAMETOOLONG, "%s", stem);
    rc = rc < 0 ? rc : tk_file_write(AT_FDCWD, path, tk_buf_str(text), 0666, err);
    if (rc == 0)
        (void)printf("%s\n", path);
    return rc;
}

/* "out/report.html" names the same report as "out/report". */
static void find_stem(const char *output, char stem[PATH_MAX])
{
    static const char *const endings[] = {".html", ".md", ".json"};
    tk_str text = tk_str_from(output);
    for (size_t i = 0; i < TK_COUNTOF(endings); i++) {
        if (tk_str_ends_with(text, tk_str_from(endings[i])))
            text.n -= strlen(endings[i]);
    }
    (void)snprintf(stem, PATH_MAX, "%.*s", TK_STR_ARG(text));
}

static int write_report(const struct tk_suite *suite, const char *output, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    char stem[PATH_MAX];
    find_stem(output, stem);
    tk_buf_init(&out, OUT_MAX);
    tk_suite_put_json(suite, &out);
    int rc = write_file(stem, ".json", &out, err);
    tk_buf_reset(&out);
    rc = rc < 0 ? rc : tk_suite_put_markdown(suite, &out, err);
    rc = rc < 0 ? rc : write_file(stem, ".md", &out, err);
    tk_buf_reset(&out);
    rc = rc < 0 ? rc : tk_suite_put_html(suite, &out, err);
    rc = rc < 0 ? rc : write_file(stem, ".html", &out, err);
    for (size_t i = 0; i < suite->part_count && rc == 0; i++) {
        char ending[NAME_MAX_BYTES + 8];
        (void)snprintf(ending, sizeof(ending), "-%s.svg", suite->parts[i].data.name);
        tk_buf_reset(&out);
        tk_suite_put_svg(&suite->parts[i], &out);
        rc = write_file(stem, ending, &out, err);
    }
    tk_buf_reset(&out);
    if (rc < 0 || suite->no_cost)
        return rc;
    tk_suite_put_costs(suite, &out);
    return write_file(stem, "-cost.json", &out, err);
}

/* A run that failed is told and makes the suite fail: a report with holes is no comparison. */
static int count_failures(const struct tk_suite *suite)
{
    int failures = 0;
    for (size_t p = 0; p < suite->part_count; p++) {
        const struct tk_suite_part *part = &suite->parts[p];
        for (size_t i = 0; i < part->count * TK_SUITE_SEEDS_MAX; i++) {
            const struct tk_suite_item *item = part->items[i / TK_SUITE_SEEDS_MAX];
            size_t s = i % TK_SUITE_SEEDS_MAX;
            if (s >= item->seeds || !item->points[s].failure[0])
                continue;
            (void)fprintf(stderr, "tracekit fidelity: %s: %s %s, seed %llu: %s\n", part->data.name,
                          item->method ? item->method->name : "control", item->label,
                          (unsigned long long)item->points[s].seed, item->points[s].failure);
            failures++;
        }
    }
    return failures;
}

/* The call ------------------------------------------------------------------------------------- */

static int parse_budgets(const char *text, struct tk_suite *suite, struct tk_err *err)
{
    tk_str rest = tk_str_from(text ? text : DEFAULT_BUDGETS);
    tk_str word;
    while (tk_str_take_until(&rest, ',', &word)) {
        double bytes;
        bool ok = tk_parse_f64(word, &bytes) && bytes > 0;
        if (!ok || suite->budget_count == TK_SUITE_PARTS_MAX) {
            return tk_fail(err, -EINVAL, "option '--budgets': '%.*s' is no number of bytes",
                           TK_STR_ARG(word));
        }
        suite->budgets[suite->budget_count++] = bytes;
    }
    return 0;
}

/* What the words of the options become; words of methods that are asked for, or of all. */
struct asked_suite {
    struct tk_fidelity_words data, methods, measures;
    struct asked_method asked[TK_SUITE_PARTS_MAX];
    size_t asked_count;
    char (*names)[NAME_MAX_BYTES]; /* owned */
};

static void release_asked(struct asked_suite *asked)
{
    tk_fidelity_words_release(&asked->data);
    tk_fidelity_words_release(&asked->methods);
    tk_fidelity_words_release(&asked->measures);
    free(asked->names);
}

static int parse_words(const struct tk_fidelity_opts *opts, struct asked_suite *asked,
                       struct tk_err *err)
{
    int rc = tk_fidelity_words_init(&opts->data, &asked->data, err);
    rc = rc < 0 ? rc : tk_fidelity_words_init(&opts->methods, &asked->methods, err);
    rc = rc < 0 ? rc : tk_fidelity_words_init(&opts->measures, &asked->measures, err);
    bool is_default = asked->methods.count == 0;
    const char *const *names = is_default ? default_methods : asked->methods.items;
    size_t count = is_default ? TK_COUNTOF(default_methods) : asked->methods.count;
    if (rc == 0 && count > TK_SUITE_PARTS_MAX)
        rc = tk_fail(err, -EINVAL, "option '--methods': more than %d", TK_SUITE_PARTS_MAX);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = parse_method(names[i], &asked->asked[asked->asked_count++], err);
    if (rc == 0 && asked->data.count == 0)
        rc = tk_fail(err, -EINVAL, "suite: expected a set of traces: --data NAME=PATH");
    asked->names = calloc(asked->data.count + 1, sizeof(*asked->names));
    return rc < 0 || asked->names ? rc : tk_fail(err, -ENOMEM, "out of memory");
}

static int run_suite(const struct tk_fidelity_call *call, struct asked_suite *asked,
                     struct tk_suite *suite, struct tk_err *err)
{
    int rc = parse_words(call->opts, asked, err);
    rc = rc < 0 ? rc : parse_budgets(call->opts->budgets, suite, err);
    if (rc < 0)
        return rc;
    suite->measures = asked->measures.items;
    suite->measure_count = asked->measures.count;
    suite->parts = calloc(asked->data.count, sizeof(*suite->parts));
    if (!suite->parts)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < asked->data.count; i++)
        name_data(asked->data.items[i], asked->names[i], &suite->parts[suite->part_count++].data);
    rc = tk_suite_causes_check(suite, call->opts->faults, err);
    for (size_t i = 0; i < suite->part_count && rc == 0; i++) {
        struct tk_suite_part *part = &suite->parts[i];
        rc = open_data(call, suite, &part->data, err);
        rc = rc < 0 ? rc : run_part(suite, part, asked->asked, asked->asked_count, err);
    }
    return rc < 0 ? rc : write_report(suite, call->opts->output, err);
}

int tk_fidelity_suite(const struct tk_fidelity_call *call)
{
    struct tk_err err = {0};
    const struct tk_fidelity_opts *opts = call->opts;
    struct asked_suite asked = {.asked_count = 0};
    struct tk_suite suite = {.cmd = call->cmd,
                             .seeds = (size_t)opts->seeds,
                             .block = (uint32_t)opts->block,
                             .with_next = opts->next_block,
                             .jobs = (size_t)opts->jobs,
                             .no_cost = opts->no_cost,
                             .shows_progress = isatty(STDERR_FILENO) == 1};
    if (!opts->output)
        return tk_cmd_usage(call->cmd, "suite: expected the name of the report: --output REPORT");
    int rc = run_suite(call, &asked, &suite, &err);
    int failures = count_failures(&suite);
    for (size_t i = 0; i < suite.part_count; i++)
        release_part(&suite.parts[i]);
    free(suite.parts);
    release_asked(&asked);
    if (rc == -EINVAL)
        return tk_cmd_usage(call->cmd, "%s", err.msg);
    if (rc < 0)
        return tk_cmd_fail(call->cmd, &err);
    return failures > 0 ? TK_EXIT_FAILED : TK_EXIT_OK;
}
