/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/top.h"

#define OUT_MAX       ((size_t)64 * 1024 * 1024)
#define DEFAULT_LIMIT 20

struct top_opts {
    int64_t interval_ns;
    int sort;
    int tier;
    const char *filter;
    int64_t limit;
    int64_t count;
    bool batch, json, args;
};

static const struct tk_opt options[] = {
    {"interval", TK_OPT_DURATION, offsetof(struct top_opts, interval_ns), "TIME",
     "between readings, 1 s by default", .letter = 'd', .min = 10 * TK_NS_PER_MS,
     .max = 3600 * TK_NS_PER_S},
    {"sort", TK_OPT_CHOICE, offsetof(struct top_opts, sort), "ORDER",
     "of processes: cpu, memory, io, pid, name", .letter = 's', .choices = tk_top_sorts},
    {"filter", TK_OPT_STRING, offsetof(struct top_opts, filter), "TEXT",
     "only processes whose name holds TEXT", .letter = 'f'},
    {"tier", TK_OPT_CHOICE, offsetof(struct top_opts, tier), "TIER",
     "source of process readings: auto (default), B2, B1, P or P0", .choices = tk_tier_names},
    {"args", TK_OPT_FLAG, offsetof(struct top_opts, args), NULL, "command lines instead of names",
     .letter = 'a'},
    {"batch", TK_OPT_FLAG, offsetof(struct top_opts, batch), NULL,
     "print frames one below the other instead of a screen", .letter = 'b'},
    {"json", TK_OPT_FLAG, offsetof(struct top_opts, json), NULL, "print a JSON object per frame",
     .letter = 'j'},
    {"count", TK_OPT_INT, offsetof(struct top_opts, count), "N",
     "with --batch or --json: end after N frames", .letter = 'n', .min = 1, .max = INT64_MAX},
    {"limit", TK_OPT_INT, offsetof(struct top_opts, limit), "N",
     "with --batch or --json: most processes a frame, 20 by default, 0 = all", .letter = 'l'},
    {0},
};

/* Wait for the next frame; the first has no rates and is skipped. */
static int next_frame(struct tk_top *top, struct tk_err *err)
{
    for (;;) {
        struct pollfd wait = {tk_top_fd(top), POLLIN, 0};
        if (poll(&wait, 1, -1) < 0 && errno != EINTR)
            return tk_fail_errno(err, "poll");
        int rc = tk_top_step(top, err);
        if (rc < 0 || (rc == 1 && tk_top_read_frame(top)->interval_ns > 0))
            return rc < 0 ? rc : 0;
    }
}

static int put_frame(struct tk_top *top, const struct tk_top_view *view, bool json, bool first,
                     struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    if (json) {
        tk_top_format_json(tk_top_read_frame(top), view, &out);
        int rc = tk_buf_check(&out, "frame", err);
        return rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&out), "stdout", err);
    }
    TK_CLEANUP(tk_look_release) struct tk_look look;
    tk_look_init(&look, STDOUT_FILENO);
    if (!first)
        tk_buf_putc(&out, '\n');
    int rc = tk_top_format(tk_top_read_frame(top), view, &look, &out, err);
    return rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&out), "stdout", err);
}

static int print_frames(struct tk_top *top, const struct tk_top_view *view,
                        const struct top_opts *opts, struct tk_err *err)
{
    for (int64_t i = 0; opts->count == 0 || i < opts->count; i++) {
        int rc = next_frame(top, err);
        rc = rc < 0 ? rc : put_frame(top, view, opts->json, i == 0, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* End as the signal wanted it, now that the terminal is in order. Ctrl-C is a way to quit. */
static int end_by(int number)
{
    if (number == SIGINT)
        return TK_EXIT_OK;
    (void)signal(number, SIG_DFL); /* ncurses has put a handler there */
    (void)raise(number);
    return TK_EXIT_FAILED;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct top_opts opts = {.interval_ns = TK_NS_PER_S, .limit = DEFAULT_LIMIT};
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    bool prints = opts.batch || opts.json;
    if (!prints && (isatty(STDOUT_FILENO) != 1 || isatty(STDIN_FILENO) != 1))
        return tk_cmd_usage(cmd, "there is no terminal: use --batch or --json");

    struct tk_err err;
    TK_CLEANUP(tk_top_freep) struct tk_top *top = NULL;
    struct tk_top_view view = {.sort = (enum tk_top_sort)opts.sort,
                               .filter = opts.filter,
                               .args = opts.args,
                               .limit = (size_t)opts.limit};
    int rc = tk_top_new(&(struct tk_top_options){.root = "/",
                                                 .interval_ns = opts.interval_ns,
                                                 .tier = (enum tk_tier)opts.tier},
                        &top, &err);
    if (rc == 0)
        rc = prints ? print_frames(top, &view, &opts, &err) : tk_top_run(top, &view, &err);
    if (rc == -EPIPE)
        return TK_EXIT_OK;
    if (rc < 0)
        return tk_cmd_fail(cmd, &err);
    return rc > 0 ? end_by(rc) : TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_top = {
    .name = "top",
    .args = "",
    .help = "show the machine and its processes live",
    .about = "Press h on the screen for its keys.",
    .options = options,
    .run = run,
};
