/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/fidelity.h"

#define FIELD(name) offsetof(struct tk_fidelity_opts, name)

static const char *const formats[] = {"table", "json", "csv", NULL};
static const char *const units[] = {"us", "ns", "ms", "s", NULL};
static const int64_t unit_ns[] = {TK_NS_PER_US, 1, TK_NS_PER_MS, TK_NS_PER_S};

static const struct tk_opt options[] = {
    {"format", TK_OPT_CHOICE, FIELD(format), "NAME", "table, json or csv (default table)",
     .letter = 'f', .choices = formats},
    {"measures", TK_OPT_LIST, FIELD(measures), "NAME,...", "only these measures", .letter = 'm'},
    {"queries", TK_OPT_LIST, FIELD(queries), "NAME,...", "only these of the ten queries",
     .letter = 'q'},
    {"incident", TK_OPT_STRING, FIELD(incident), "NAME",
     "only the queries that are to find it: cpu_load, crush, disk_io_stress, latency, "
     "memory_stress or packet_loss"},
    {"param", TK_OPT_LIST, FIELD(params), "NAME=VALUE,...",
     "queries: only these values of entry_point, service_name, service_name2, attr_name or "
     "int_attr_name; repeatable",
     .letter = 'p'},
    {"windows", TK_OPT_STRING, FIELD(windows), "TIME,...",
     "windows of strict queries over time; the first enters the mean (10s,5m)"},
    {"details", TK_OPT_FLAG, FIELD(details), NULL,
     "in the table also parts, windows and counts behind the figures", .letter = 'd'},
    {"skip-zero", TK_OPT_FLAG, FIELD(skip_zero), NULL,
     "compatible means without the combinations of distance 0, as Gen-T's copy has them"},
    {"sample-of", TK_OPT_INT, FIELD(sample_of), "N",
     "A is a sample 1:N by trace: its counts are multiplied", .min = 1, .max = 1000000000},
    {"seed", TK_OPT_INT, FIELD(seed), "N", "of what is drawn (default 1)", .min = 0,
     .max = INT64_MAX},
    {"sql", TK_OPT_STRING, FIELD(sql), "FILE",
     "export: the file to write, - is standard output; templates: the templates"},
    {"table", TK_OPT_STRING, FIELD(table), "NAME",
     "export: begin of the names NAMESpans and NAMETraces (default none)"},
    {"faults", TK_OPT_STRING, FIELD(faults), "FILE",
     "rca: the list of injected faults, as Nezha has it; - is standard input; suite: "
     "[NAME=]FILE,... of each set that has one"},
    {"table1", TK_OPT_STRING, FIELD(table1), "NAME", "templates: the same for A (default A)"},
    {"table2", TK_OPT_STRING, FIELD(table2), "NAME", "templates: the same for B (default B)"},
    {"output", TK_OPT_STRING, FIELD(output), "FILE",
     "sample, control: the file to write, - is standard output; suite: the report, which becomes "
     "FILE.html, FILE.md and FILE.json",
     .letter = 'o'},
    {"encoding", TK_OPT_STRING, FIELD(encoding), "NAME",
     "sample, control: otlp-proto, otlp, csv or jsonl (default otlp-proto)"},
    {"one-of", TK_OPT_F64, FIELD(n), "N",
     "sample: keep one of N; of first the first N (default 10)", .letter = 'n', .min = 1,
     .max = 1000000000},
    {"html", TK_OPT_STRING, FIELD(html), "FILE", "compare: a page with plots besides"},
    {"no-controls", TK_OPT_FLAG, FIELD(no_controls), NULL,
     "compare: leave out controls, which take most of the time"},
    {"data", TK_OPT_LIST, FIELD(data), "[NAME=]PATH,...", "suite: the real sets; repeatable"},
    {"methods", TK_OPT_LIST, FIELD(methods), "NAME[:SETTING],...",
     "suite: at all budgets, or of one setting: head:10 is one of 10 (default all)"},
    {"budgets", TK_OPT_STRING, FIELD(budgets), "BYTES,...",
     "suite: bytes a trace (default 1,2,5,10,20,47,71,100)"},
    {"seeds", TK_OPT_INT, FIELD(seeds), "N", "suite: runs of each (default 5)", .min = 1,
     .max = 32},
    {"block", TK_OPT_INT, FIELD(block), "TRACES",
     "suite: only the first of each set (default all; with --next-block 10000, or half)", .min = 0,
     .max = UINT32_MAX / 2},
    {"next-block", TK_OPT_FLAG, FIELD(next_block), NULL,
     "suite: measure against the block after the first as well"},
    {"jobs", TK_OPT_INT, FIELD(jobs), "N", "suite: runs at a time (default 2)", .letter = 'j',
     .min = 1, .max = 16},
    {"no-cost", TK_OPT_FLAG, FIELD(no_cost), NULL,
     "suite: leave out what depends on the machine: CPU time and memory"},
    {"input-format", TK_OPT_STRING, FIELD(input_format), "NAME",
     "of files: as tracekit import --format (by their first bytes)"},
    {"unit", TK_OPT_CHOICE, FIELD(unit), "UNIT",
     "of times as compatible measures see them: ns, us, ms or s (default us)", .choices = units},
    {"compat", TK_OPT_FLAG, FIELD(compat), NULL,
     "leave traces without an edge out, as Gen-T's loader does"},
    {0},
};

static const struct verb {
    const char *name;
    int min_args, max_args;
    const char *missing; /* told where there are fewer arguments */
    int (*run)(const struct tk_fidelity_call *call);
} verbs[] = {
    {"compare", 2, 2, "expected two sets of traces: what was made, and the real one",
     tk_fidelity_compare},
    {"query", 2, 2, "query: expected a set of traces and the name of a query", tk_fidelity_query},
    {"export", 1, 1, "export: expected a set of traces", tk_fidelity_export},
    {"rca", 1, 2, "rca: expected a set of traces", tk_fidelity_rca},
    {"templates", 2, 2, "templates: expected two sets of traces: what was made, and the real one",
     tk_fidelity_templates},
    {"sample", 2, 2, "sample: expected the name of a sampler and a set of traces",
     tk_fidelity_sample},
    {"control", 2, 2, "control: expected the name of a control and a set of traces",
     tk_fidelity_control},
    {"suite", 0, 0, "", tk_fidelity_suite},
};

static const char *const verb_names[] = {"compare", "query",   "export", "rca", "templates",
                                         "sample",  "control", "suite",  NULL};

/* The verb that an argument names; NULL = none. */
static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < TK_COUNTOF(verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    }
    return NULL;
}

int tk_fidelity_open(const struct tk_fidelity_call *call, const char *name,
                     struct tk_span_table **ret_table, struct tk_err *err)
{
    TK_CLEANUP(tk_span_inputs_freep) struct tk_span_inputs *inputs = NULL;
    TK_CLEANUP(tk_span_table_freep) struct tk_span_table *table = NULL;
    const struct tk_span_input_options input = {.format = call->opts->input_format,
                                                .format_option = "--input-format"};
    const struct tk_span_table_options table_options = {.unit_ns = unit_ns[call->opts->unit],
                                                        .drop_edgeless = call->opts->compat};
    int rc = tk_span_inputs_new(call->cmd, &name, 1, &input, &inputs, err);
    rc =
        rc < 0 ? rc : tk_span_table_new(tk_span_inputs_source(inputs), &table_options, &table, err);
    if (rc < 0)
        return rc;
    tk_span_inputs_warn(inputs);
    if (table->traces == 0) {
        return tk_fail(err, -ENODATA, "%s: holds no traces%s", name,
                       call->opts->compat ? " with an edge, and --compat leaves out others" : "");
    }
    *ret_table = table;
    table = NULL;
    return 0;
}

int tk_fidelity_open_both(const struct tk_fidelity_call *call, struct tk_span_table *ret_tables[2],
                          struct tk_err *err)
{
    struct tk_span_table *made = NULL;
    int rc = tk_fidelity_open(call, call->argv[0], &made, err);
    rc = rc < 0 ? rc : tk_fidelity_open(call, call->argv[1], &ret_tables[1], err);
    if (rc < 0) {
        tk_span_table_free(made);
        return rc;
    }
    ret_tables[0] = made;
    return 0;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct tk_fidelity_opts opts = {
        .seed = 1, .table = "", .table1 = "A", .table2 = "B", .n = 10, .seeds = 5, .jobs = 2};
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    const struct verb *verb = find_verb(argv[first]);
    first += verb != NULL;
    if (!verb)
        verb = &verbs[0];
    if (argc - first < verb->min_args)
        return tk_cmd_usage(cmd, "%s", verb->missing);
    if (argc - first > verb->max_args)
        return tk_cmd_usage(cmd, "'%s' is one argument too many", argv[first + verb->max_args]);
    return verb->run(&(struct tk_fidelity_call){cmd, &opts, argc - first, argv + first});
}

const struct tk_cmd tk_cmd_fidelity = {
    .name = "fidelity",
    .args = "[VERB] A [B]",
    .missing = "expected two sets of traces: what was made, and the real one",
    .help = "measure how well a set of traces stands for another",
    .about = "Verbs:\n"
             "  compare A B    all measures of A (reduced, made up) against B (real); default\n"
             "  query A NAME   the rows of one of the ten queries, as CSV\n"
             "  export A       the table of 12 columns as SQL that SQLite reads\n"
             "  rca A [B]      how well causes of injected faults are found in A, and in B\n"
             "  templates A B  queries of your own, in SQL, of A against B\n"
             "  sample NAME A  some traces of A: head, tail, errors, slow, stratified, first\n"
             "  control NAME A traces wrong in a known way, which no measure may like\n"
             "  suite          methods by budgets at equal bytes, with controls: one report\n"
             "\n"
             "A and B are runs, files of any format of spans, or folders of such files.\n"
             "\n"
             "  tracekit fidelity sample.otlp real.otlp\n"
             "  tracekit fidelity --incident latency --format json a.json b.json\n"
             "  tracekit fidelity query b.json red_rate --param service_name=cart\n"
             "  tracekit fidelity export b.json --sql - | sqlite3 b.db\n"
             "  tracekit fidelity rca --faults faults.json sample.csv real.csv\n"
             "  tracekit fidelity sample head b.json --one-of 20 -o a.otlp\n"
             "  tracekit fidelity suite --data shop=b.json -o report",
    .options = options,
    .verbs = verb_names,
    .mixed = true,
    .run = run,
};
