/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/lab.h"

#define FIELD(name) offsetof(struct tk_lab_opts, name)

static const struct tk_opt options[] = {
    {"exp", TK_OPT_STRING, FIELD(exp), "LAMBDA",
     "merge: traces of the incident come every 1/LAMBDA traces, at random, as in PandoraTrace"},
    {"window", TK_OPT_STRING, FIELD(window), "START:LENGTH",
     "merge: the incident happens in one window, START after the first normal trace"},
    {"output", TK_OPT_STRING, FIELD(output), "FILE", "merge: the file to write", .letter = 'o'},
    {"to", TK_OPT_STRING, FIELD(to), "FORMAT",
     "merge: of the file, as of tracekit translate --to (gent)"},
    {"traces", TK_OPT_INT, FIELD(traces), "N",
     "merge: with --exp, traces that must be merged before those of the incident may run out "
     "(3000)",
     .min = 0, .max = INT64_MAX},
    {"input-format", TK_OPT_STRING, FIELD(input_format), "NAME",
     "merge: of the files, as tracekit import --format (by their first bytes)"},
    {"labels", TK_OPT_STRING, FIELD(labels), "FILE",
     "what was done to what, as JSON (merge: the output with .labels.json behind it)"},
    {"seed", TK_OPT_INT, FIELD(seed), "N", "of what is drawn (1)", .min = 0, .max = INT64_MAX},
    {"list", TK_OPT_FLAG, FIELD(list), NULL, "incident: list the incidents"},
    {"dry-run", TK_OPT_FLAG, FIELD(dry_run), NULL, "incident: print the commands, run nothing",
     .letter = 'n'},
    {"containers", TK_OPT_STRING, FIELD(containers), "NAME,...",
     "incident: of the application (all that run)"},
    {"docker", TK_OPT_STRING, FIELD(docker), "COMMAND",
     "incident: what reaches containers, as docker and podman do (docker)"},
    {"duration", TK_OPT_DURATION, FIELD(duration_ns), "TIME",
     "incident: how long it lasts; commands that end before are run again (1m)",
     .needs_unit = true},
    {"pause", TK_OPT_DURATION, FIELD(pause_ns), "TIME",
     "incident: between the five tries of a command that fails (5s)", .needs_unit = true},
    {"compat", TK_OPT_FLAG, FIELD(compat), NULL,
     "incident: run each command once, as PandoraTrace does"},
    {0},
};

static const struct verb {
    const char *name;
    int min_args, max_args;
    const char *missing; /* told where there are fewer arguments */
    int (*run)(const struct tk_lab_call *call);
} verbs[] = {
    {"merge", 2, 2, "merge: expected two sets of traces: normal ones, and those of an incident",
     tk_lab_merge},
    {"incident", 0, 1, "", tk_lab_incident},
};

static const char *const verb_names[] = {"merge", "incident", NULL};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < TK_COUNTOF(verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    }
    return NULL;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct tk_lab_opts opts = {.seed = 1,
                               .to = "gent",
                               .traces = 3000,
                               .docker = "docker",
                               .duration_ns = 60 * TK_NS_PER_S,
                               .pause_ns = 5 * TK_NS_PER_S};
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    const struct verb *verb = find_verb(argv[first]);
    if (!verb)
        return tk_cmd_usage(cmd, "'%s' is no verb: expected merge or incident", argv[first]);
    first++;
    if (argc - first < verb->min_args)
        return tk_cmd_usage(cmd, "%s", verb->missing);
    if (argc - first > verb->max_args)
        return tk_cmd_usage(cmd, "'%s' is one argument too many", argv[first + verb->max_args]);
    return verb->run(&(struct tk_lab_call){cmd, &opts, argc - first, argv + first});
}

const struct tk_cmd tk_cmd_lab = {
    .name = "lab",
    .args = "VERB [ARG...]",
    .missing = "expected merge or incident",
    .help = "make incidents: in containers, and in sets of traces",
    .about = "Verbs:\n"
             "  merge NORMAL INCIDENT   traces of an incident among normal ones\n"
             "  incident NAME-RATIO     do it to some of the containers: packet_loss-0.2\n"
             "\n"
             "  tracekit lab incident --dry-run cpu_load-0.5 --containers cart,front\n"
             "  tracekit lab merge --exp 0.01 baseline incident -o txs.json\n"
             "  tracekit lab merge --window 5m:1m a.otlp b.otlp -o day.pb --to otlp-proto",
    .options = options,
    .verbs = verb_names,
    .mixed = true,
    .run = run,
};
