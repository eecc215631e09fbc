/* SPDX-License-Identifier: Apache-2.0 */
/* What attributes, resources and scopes of traces cost: bytes by section, CPU time a span and an
 * attribute, best of several rounds; with --keys every key. What comes back is compared with what
 * went in: in lossless mode all of it, else as many attributes as there were.
 *
 *     meson setup build-bench -Dbench=true -Dbuildtype=release && ninja -C build-bench
 *     build-bench/attrs --data ../shared/data/traces [--set ast] [--keys]
 */
#include "bench.h"

#include <stdio.h>

#include "codec/attrs.h"
#include "traces.h"

struct opts {
    const char *data;
    const char *set;
    int64_t rounds;
    bool keys;
};

static const struct tk_opt options[] = {
    {"data", TK_OPT_STRING, offsetof(struct opts, data), "DIR", "where the files are"},
    {"set", TK_OPT_STRING, offsetof(struct opts, set), "NAME", "only this one"},
    {"rounds", TK_OPT_INT, offsetof(struct opts, rounds), "N", "rounds per figure, the best counts",
     .min = 1, .max = 1000},
    {"keys", TK_OPT_FLAG, offsetof(struct opts, keys), NULL, "print every key"},
    {0},
};

static const struct way {
    const char *name;
    enum tk_codec_mode mode;
    enum tk_codec_attrs attrs;
} ways[] = {
    {"near", TK_CODEC_NEAR, TK_CODEC_ATTRS_ALL},
    {"near gent", TK_CODEC_NEAR, TK_CODEC_ATTRS_GENT},
    {"generative", TK_CODEC_GENERATIVE, TK_CODEC_ATTRS_ALL},
    {"generative gent", TK_CODEC_GENERATIVE, TK_CODEC_ATTRS_GENT},
    {"lossless", TK_CODEC_LOSSLESS, TK_CODEC_ATTRS_ALL},
};

static bool same_attr(const struct tk_span_batch *a, const struct tk_attr *x,
                      const struct tk_span_batch *b, const struct tk_attr *y)
{
    if (x->type != y->type ||
        !tk_str_eq(tk_texts_get(&a->texts, x->key), tk_texts_get(&b->texts, y->key)))
        return false;
    if (!tk_attr_is_text(x->type))
        return x->type == TK_ATTR_EMPTY || x->i64 == y->i64;
    return tk_str_eq(tk_texts_get(&a->texts, x->text), tk_texts_get(&b->texts, y->text));
}

/* Attributes of row `i` of a that are not so in row `k` of b, at the same place. */
static size_t count_different(const struct tk_span_batch *a, size_t i,
                              const struct tk_span_batch *b, size_t k)
{
    size_t n;
    size_t m;
    size_t different = 0;
    const struct tk_attr *x = tk_span_attrs(a, i, &n);
    const struct tk_attr *y = tk_span_attrs(b, k, &m);
    if (n != m)
        return n > m ? n : m;
    for (size_t j = 0; j < n; j++)
        different += !same_attr(a, &x[j], b, &y[j]);
    const struct tk_attr_range *r = &tk_span_resource_of(a, i)->attrs;
    const struct tk_attr_range *s = &tk_span_resource_of(b, k)->attrs;
    if (r->n != s->n)
        return different + 1;
    for (uint32_t j = 0; j < r->n; j++)
        different += !same_attr(a, &a->side_attrs[r->begin + j], b, &b->side_attrs[s->begin + j]);
    return different;
}

/* Decode all nodes; `ret_different` attributes are not what they were. */
static int decode(const struct tk_block *block, const struct tk_forest *forest,
                  const struct tk_span_batch *from, struct tk_span_batch *to,
                  uint64_t *ret_different, struct tk_err *err)
{
    TK_CLEANUP(tk_attrs_decoder_freep) struct tk_attrs_decoder *decoder = NULL;
    bool missing;
    int rc = tk_attrs_decoder_new(block, forest, 1, &decoder, &missing, err);
    uint64_t different = 0;
    if (rc < 0)
        return rc;
    tk_span_batch_reset(to);
    tk_attrs_decoder_begin(decoder, to);
    for (uint32_t t = 0; rc == 0 && t < forest->trace_count; t++) {
        for (uint32_t i = tk_forest_begin(forest, t); rc == 0 && i < forest->trace_ends[t]; i++) {
            rc = tk_span_batch_begin(to);
            rc = rc < 0 ? rc : tk_attrs_decode_node(decoder, t, i, err);
            if (rc == 0 && from)
                different += count_different(from, forest->rows[i], to, to->rows - 1);
        }
    }
    *ret_different = different;
    return rc;
}

static void print_keys(const struct tk_attrs_report *report, double spans)
{
    for (size_t i = 0; i < report->key_count; i++) {
        const struct tk_attr_key_report *key = &report->keys[i];
        printf("    %-44.*s %-8s %6u of %7llu  values %7.4f  uses %7.4f B/span\n",
               TK_STR_ARG(key->key), tk_attr_class_names[key->attr_class], key->distinct,
               (unsigned long long)key->uses, (double)key->value_bits / 32768 / spans,
               (double)key->use_bits / 32768 / spans);
    }
}

/* What one round found. */
struct round {
    int64_t encode_ns, decode_ns;
    size_t words; /* bytes of texts that went to the dictionary */
    uint64_t different;
    struct tk_section_set set;
    struct tk_attrs_report report;
    struct tk_forest forest;
    struct tk_block block;
};

static void release_round(struct round *round)
{
    tk_attrs_report_release(&round->report);
    tk_forest_release(&round->forest);
    tk_section_set_release(&round->set);
}

static int run_round(const struct tk_bench_traces *traces, const struct way *way,
                     struct tk_span_batch *to, struct round *round, struct tk_err *err)
{
    const struct tk_codec_options codec = {.mode = way->mode, .attrs = way->attrs};
    tk_section_set_init(&round->set);
    int rc = tk_forest_build(&round->forest, &traces->rows, err);
    if (rc < 0)
        return rc;
    round->words = round->forest.dictionary.bytes.n;
    int64_t begin = tk_bench_cpu_ns();
    rc = tk_attrs_encode(&round->forest, traces->batch, &codec, &round->set, &round->report, err);
    round->encode_ns = tk_bench_cpu_ns() - begin;
    round->words = round->forest.dictionary.bytes.n - round->words;
    for (uint32_t type = 0; type < TK_SECTION_COUNT; type++) {
        if (round->set.bytes[type].n > 0) {
            round->block.sections[round->block.section_count++] =
                (struct tk_section){.type = type, .bytes = tk_buf_str(&round->set.bytes[type])};
        }
    }
    begin = tk_bench_cpu_ns();
    rc = rc < 0 ? rc : decode(&round->block, &round->forest, NULL, to, &round->different, err);
    round->decode_ns = tk_bench_cpu_ns() - begin;
    return rc;
}

static void print_round(const struct opts *opts, const struct tk_bench_traces *traces,
                        const struct way *way, const struct round *round)
{
    double spans = (double)traces->rows.n;
    const struct tk_buf *bytes = round->set.bytes;
    size_t sum =
        bytes[TK_SECTION_RESOURCES].n + bytes[TK_SECTION_TEMPLATES].n + bytes[TK_SECTION_ATTRS].n;
    printf("%-6s %-16s resources %6zu templates %7zu values %7zu  %7.4f B/span %6.3f B/trace  "
           "words %zu B  different %llu\n",
           traces->name, way->name, bytes[TK_SECTION_RESOURCES].n, bytes[TK_SECTION_TEMPLATES].n,
           bytes[TK_SECTION_ATTRS].n, (double)sum / spans, (double)sum / round->forest.trace_count,
           round->words, (unsigned long long)round->different);
    if (opts->keys)
        print_keys(&round->report, spans);
}

static int measure(const struct opts *opts, const struct tk_bench_traces *traces,
                   const struct way *way, struct tk_err *err)
{
    struct tk_span_batch *to = NULL;
    int64_t encode_ns = INT64_MAX;
    int64_t decode_ns = INT64_MAX;
    int rc = tk_span_batch_new((size_t)1 << 20, &to, err);
    for (int64_t i = 0; rc == 0 && i < opts->rounds; i++) {
        struct round round = {0};
        rc = run_round(traces, way, to, &round, err);
        encode_ns = round.encode_ns < encode_ns ? round.encode_ns : encode_ns;
        decode_ns = round.decode_ns < decode_ns ? round.decode_ns : decode_ns;
        if (rc == 0 && i == 0) {
            rc = decode(&round.block, &round.forest, traces->batch, to, &round.different, err);
            print_round(opts, traces, way, &round);
        }
        release_round(&round);
    }
    double spans = (double)traces->rows.n;
    double attrs = traces->batch->attr_count > 0 ? (double)traces->batch->attr_count : 1;
    printf("%-6s %-16s encode %6.1f ns/span %6.1f ns/attribute  decode %6.1f ns/span %6.1f "
           "ns/attribute\n",
           traces->name, way->name, (double)encode_ns / spans, (double)encode_ns / attrs,
           (double)decode_ns / spans, (double)decode_ns / attrs);
    tk_span_batch_free(to);
    return rc;
}

int main(int argc, char **argv)
{
    struct opts opts = {.data = "../shared/data/traces", .rounds = 3};
    struct tk_err err;
    int status;
    if (!tk_bench_parse("attrs", options, &opts, argc, argv, &status))
        return status;
    for (size_t i = 0; i < TK_COUNTOF(tk_bench_sets); i++) {
        struct tk_bench_traces traces;
        if (opts.set && strcmp(opts.set, tk_bench_sets[i].name) != 0)
            continue;
        int rc = tk_bench_traces_init(&traces, opts.data, &tk_bench_sets[i], &err);
        for (size_t k = 0; rc == 0 && k < TK_COUNTOF(ways); k++)
            rc = measure(&opts, &traces, &ways[k], &err);
        tk_bench_traces_release(&traces);
        if (rc < 0)
            return tk_bench_fail("attrs", &err);
    }
    return 0;
}
