/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/tkz_file.h"
#include "cmd/tkz_verify.h"
#include "cmd/tkz_view.h"

#define OUT_MAX ((size_t)16 << 20)

struct tkz_opts {
    const char *against;
    bool json, size, keys, shapes;
};

static const struct tk_opt options[] = {
    {"json", TK_OPT_FLAG, offsetof(struct tkz_opts, json), NULL, "one JSON object per file",
     .letter = 'j'},
    {"against", TK_OPT_STRING, offsetof(struct tkz_opts, against), "INPUT",
     "verify: the run or file of spans that every span has to be equal to"},
    {"keys", TK_OPT_FLAG, offsetof(struct tkz_opts, keys), NULL,
     "info: every key of attributes, its class and its bytes"},
    {"shapes", TK_OPT_FLAG, offsetof(struct tkz_opts, shapes), NULL,
     "info: how many different traces there are, which takes reading them"},
    {"size", TK_OPT_FLAG, offsetof(struct tkz_opts, size), NULL, "info: the number of bytes alone"},
    {0},
};

/* Info ----------------------------------------------------------------------------------------- */

static int show_info(const struct tk_cmd *cmd, const struct tkz_opts *opts, const char *path,
                     struct tk_err *err)
{
    TK_CLEANUP(tk_import_text_release) struct tk_import_text text = {0};
    TK_CLEANUP(tk_look_release) struct tk_look look = {0};
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    TK_CLEANUP(tk_attrs_report_release) struct tk_attrs_report keys = {0};
    struct tk_codec_info info;
    (void)cmd;
    tk_buf_init(&out, OUT_MAX);
    int rc = tk_tkz_open(path, &text, err);
    if (rc < 0)
        return rc;
    rc = tk_codec_info_read(text.text, &info, err);
    if (rc == 0 && opts->keys)
        rc = tk_attrs_file_report(text.text, &keys, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", path);
    if (opts->shapes) {
        rc = tk_tkz_view_shapes(text.text, path, opts->json, &out, err);
    } else if (opts->size) {
        tk_buf_printf(&out, "%llu\n", (unsigned long long)info.bytes);
    } else if (opts->json) {
        tk_tkz_view_json(&info, path, opts->keys ? &keys : NULL, &out);
    } else {
        tk_look_init(&look, STDOUT_FILENO);
        rc = tk_tkz_view(&info, path, &look, &out, err);
        if (rc == 0 && opts->keys)
            rc = tk_tkz_view_keys(&keys, &look, &out, err);
    }
    rc = rc < 0 ? rc : tk_buf_check(&out, "information", err);
    if (rc == 0)
        (void)fwrite(out.p, 1, out.n, stdout);
    return rc;
}

/* The command ---------------------------------------------------------------------------------- */

static int verify(const struct tk_cmd *cmd, const struct tkz_opts *opts, const char *path,
                  struct tk_err *err)
{
    return tk_tkz_verify(cmd, path, opts->against, opts->json, err);
}

/* Each prints what it has to say of a file: 1 = that it is not as it should be. */
static const struct verb {
    const char *name;
    int (*show)(const struct tk_cmd *cmd, const struct tkz_opts *opts, const char *path,
                struct tk_err *err);
} verbs[] = {
    {"info", show_info},
    {"verify", verify},
};

static const char *const verb_names[] = {"info", "verify", NULL};

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct tkz_opts opts = {0};
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    const struct verb *verb = NULL;
    for (size_t i = 0; i < TK_COUNTOF(verbs); i++) {
        if (strcmp(verbs[i].name, argv[first]) == 0)
            verb = &verbs[i];
    }
    if (!verb)
        return tk_cmd_refuse(cmd, argv[first]);
    if (first + 1 == argc)
        return tk_cmd_usage(cmd, "expected a file of compressed traces");
    int status = TK_EXIT_OK;
    for (int i = first + 1; i < argc; i++) {
        int rc = verb->show(cmd, &opts, argv[i], &err);
        if (rc != 0)
            status = rc < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_FAILED;
    }
    return status;
}

const struct tk_cmd tk_cmd_tkz = {
    .name = "tkz",
    .args = "info|verify FILE.tkz...",
    .missing = "expected info or verify",
    .help = "look into files of compressed traces",
    .about = "  info    what is in a file: traces, bytes of each section, how exact it is\n"
             "  verify  that it can be read to its end, and holds the spans of --against\n"
             "\n"
             "  tracekit tkz info shop.tkz\n"
             "  tracekit tkz verify all.tkz --against traces/\n"
             "  tracekit tkz info --json shop.tkz | jq .bytes_per_trace",
    .options = options,
    .verbs = verb_names,
    .mixed = true,
    .run = run,
};
