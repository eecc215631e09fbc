/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/doctor_steps.h"
#include "cmd/member.h"
#include "collect/probe.h"
#include "report/report.h"

#define OUT_MAX     ((size_t)1024 * 1024)
#define LABEL_WIDTH 8

struct doctor_opts {
    bool json;
};

static const struct tk_opt options[] = {
    {"json", TK_OPT_FLAG, offsetof(struct doctor_opts, json), NULL, "one JSON object",
     .letter = 'j'},
    {0},
};

/* Text ------------------------------------------------------------------------------- */

static const enum tk_style state_styles[] = {
    [TK_PROBE_YES] = TK_STYLE_GOOD,
    [TK_PROBE_PARTLY] = TK_STYLE_WARN,
    [TK_PROBE_NO] = TK_STYLE_WARN,
};

/* A paragraph with its label; later lines are indented to the text. */
static void put_paragraph(const struct tk_look *look, enum tk_style style, const char *label,
                          const struct tk_buf *text, struct tk_buf *out)
{
    const int column = 1 + LABEL_WIDTH;
    tk_buf_putc(out, ' ');
    tk_style_printf(out, look, style, "%-*s", LABEL_WIDTH, label);
    tk_text_put_wrapped(out, look, tk_buf_str(text), column, column);
}

static void put_rung(const struct tk_look *look, const char *label, const struct tk_rung *rung,
                     bool is_next, struct tk_buf *out)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, OUT_MAX);
    tk_style_printf(&text, look, TK_STYLE_TITLE, "%s, %s", rung->name, rung->title);
    tk_buf_printf(&text, ": %s", rung->gives);
    if (is_next)
        tk_buf_printf(&text, ". Needs %s", rung->needs);
    put_paragraph(look, TK_STYLE_DIM, label, &text, out);
}

static void put_capability(const struct tk_look *look, const struct tk_capability *capability,
                           const struct tk_finding *finding, struct tk_buf *out)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, OUT_MAX);
    tk_style_printf(&text, look, TK_STYLE_TITLE, "%s", capability->title);
    tk_buf_printf(&text, ": %s", capability->gives);
    /* How something works is for --json; here it matters why something does not. */
    if (*finding->detail && finding->state != TK_PROBE_YES) {
        tk_buf_lit(&text, ". Here: ");
        tk_text_put_clean(&text, look, tk_str_from(finding->detail));
    }
    if (*finding->missing)
        tk_buf_printf(&text, ". Needs %s", finding->missing);
    put_paragraph(look, state_styles[finding->state], tk_probe_state_names[finding->state], &text,
                  out);
}

/* Of build steps it matters what was found, also where all is well. */
static void put_matter(const struct tk_look *look, const struct tk_step_matter *matter,
                       const struct tk_step_finding *finding, struct tk_buf *out)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, OUT_MAX);
    tk_style_printf(&text, look, TK_STYLE_TITLE, "%s", matter->title);
    tk_buf_printf(&text, ": %s. Here: ", matter->gives);
    tk_text_put_clean(&text, look, tk_str_from(finding->detail));
    if (finding->missing)
        tk_buf_printf(&text, ". Needs %s", finding->missing);
    put_paragraph(look, state_styles[finding->state], tk_probe_state_names[finding->state], &text,
                  out);
}

static void format_text(const struct tk_finding *findings, const struct tk_step_finding *steps,
                        const struct tk_look *look, struct tk_buf *out)
{
    struct tk_probe_verdict verdict = tk_probe_judge(findings);
    TK_CLEANUP(tk_buf_release) struct tk_buf tier;
    tk_buf_init(&tier, OUT_MAX);
    tk_style_printf(&tier, look, TK_STYLE_TITLE, "%s", tk_tier_names[verdict.tier]);
    tk_buf_printf(&tier, ": %s", tk_tier_title(verdict.tier));
    put_paragraph(look, TK_STYLE_DIM, "tier", &tier, out);
    put_rung(look, "rung", verdict.rung, false, out);
    if (verdict.next)
        put_rung(look, "next", verdict.next, true, out);
    tk_buf_putc(out, '\n');
    /* What works first, then what would add something. */
    for (int state = TK_PROBE_YES; state <= TK_PROBE_NO; state++) {
        for (size_t i = 0; i < tk_capability_count; i++) {
            if (findings[i].state == (enum tk_probe_state)state)
                put_capability(look, &tk_capabilities[i], &findings[i], out);
        }
    }
    tk_buf_putc(out, '\n');
    for (size_t i = 0; i < TK_STEP_MATTERS; i++)
        put_matter(look, &tk_step_matters[i], &steps[i], out);
}

/* JSON ------------------------------------------------------------------------------- */

/* A finding of either kind, as an object. */
struct said {
    const char *name, *title, *gives;
    enum tk_probe_state state;
    const char *here, *needs;
};

static void put_object(const struct said *said, struct tk_buf *out)
{
    tk_element_open(out, '{');
    tk_member_put_text(out, "name", tk_str_from(said->name));
    tk_member_put_text(out, "state", tk_str_from(tk_probe_state_names[said->state]));
    tk_member_put_text(out, "title", tk_str_from(said->title));
    tk_member_put_text(out, "gives", tk_str_from(said->gives));
    tk_member_put_text(out, "here", tk_str_from(said->here));
    tk_member_put_text(out, "needs", tk_str_from(said->needs));
    tk_buf_putc(out, '}');
}

static void format_json(const struct tk_finding *findings, const struct tk_step_finding *steps,
                        struct tk_buf *out)
{
    struct tk_probe_verdict verdict = tk_probe_judge(findings);
    struct utsname kernel;
    (void)uname(&kernel);
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "tool_version", tk_str_from(TK_VERSION));
    tk_member_put_text(out, "kernel", tk_str_from(kernel.release));
    tk_member_put_text(out, "tier", tk_str_from(tk_tier_names[verdict.tier]));
    tk_member_put_text(out, "rung", tk_str_from(verdict.rung->name));
    tk_member_put_text(out, "rung_gives", tk_str_from(verdict.rung->gives));
    tk_member_put_text(out, "next_rung", tk_str_from(verdict.next ? verdict.next->name : NULL));
    tk_member_put_text(out, "next_rung_gives",
                       tk_str_from(verdict.next ? verdict.next->gives : NULL));
    tk_member_put_text(out, "next_rung_needs",
                       tk_str_from(verdict.next ? verdict.next->needs : NULL));
    tk_member_open(out, "capabilities", '[');
    for (size_t i = 0; i < tk_capability_count; i++) {
        const struct tk_capability *capability = &tk_capabilities[i];
        put_object(&(struct said){capability->name, capability->title, capability->gives,
                                  findings[i].state, findings[i].detail, findings[i].missing},
                   out);
    }
    tk_buf_putc(out, ']');
    tk_member_open(out, "steps", '[');
    for (size_t i = 0; i < TK_STEP_MATTERS; i++) {
        const struct tk_step_matter *matter = &tk_step_matters[i];
        put_object(&(struct said){matter->name, matter->title, matter->gives, steps[i].state,
                                  steps[i].detail, steps[i].missing},
                   out);
    }
    tk_buf_lit(out, "]}\n");
}

/* The command ------------------------------------------------------------------------ */

static int examine(bool json, struct tk_buf *out, struct tk_err *err)
{
    struct tk_kernel kernel;
    int rc = tk_kernel_open(&kernel, "/", err);
    if (rc < 0)
        return rc;
    struct tk_finding *findings = calloc(tk_capability_count, sizeof(*findings));
    if (!findings) {
        tk_kernel_close(&kernel);
        return tk_fail(err, -ENOMEM, "out of memory");
    }
    tk_probe_read(&kernel, findings);
    struct tk_step_finding steps[TK_STEP_MATTERS] = {0};
    for (size_t i = 0; i < TK_STEP_MATTERS; i++)
        tk_step_matters[i].probe(&kernel, &steps[i]);
    TK_CLEANUP(tk_look_release) struct tk_look look;
    tk_look_init(&look, STDOUT_FILENO);
    if (json) {
        format_json(findings, steps, out);
    } else {
        format_text(findings, steps, &look, out);
    }
    free(findings);
    tk_kernel_close(&kernel);
    return tk_buf_check(out, "findings", err);
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct doctor_opts opts = {0};
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    struct tk_err err;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    int rc = examine(opts.json, &out, &err);
    rc = rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&out), "stdout", &err);
    return rc < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_doctor = {
    .name = "doctor",
    .args = "",
    .help = "tell what can be measured on this host, and what would add to it",
    .options = options,
    .run = run,
};
