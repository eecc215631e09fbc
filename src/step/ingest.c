/* SPDX-License-Identifier: Apache-2.0 */
#include "step/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "step/marked.h"
#include "step/session_internal.h"

enum {
    BUILDERS = 16,
    BUILDER_NAME = 64,
    SPANS = 256, /* of the virtual machine, that began and did not end */
    NAME_BYTES = 512,
    LINE_BYTES = 8192,
};

/* What Packer does for one builder at the moment. */
struct builder {
    char name[BUILDER_NAME];
    char span[TK_STEP_SPAN_MAX]; /* "" = nothing of ours */
    bool failed;
    int64_t exit_code;
};

struct tk_ingest {
    struct tk_ingest_options options;
    struct tk_marked_reader *reader;
    struct tk_arena arena; /* of the record at hand */
    struct tk_buf plain;
    struct builder builders[BUILDERS];
    size_t builder_count;
    char open[SPANS][TK_STEP_SPAN_MAX]; /* as the virtual machine calls them; "" = free */
    int64_t line_ns;                    /* that stands before the line; 0 = none */
    size_t count, phases;
    struct tk_err trouble;
};

static void append(struct tk_ingest *ingest, const struct tk_step_record *record)
{
    struct tk_err err;
    if (tk_session_append(ingest->options.session, record, &err) < 0 && ingest->trouble.code == 0)
        ingest->trouble = err;
}

static void stamp(struct tk_step_record *record, int64_t real_ns)
{
    record->boot_ns += real_ns - record->real_ns;
    record->real_ns = real_ns;
}

/* Records of the virtual machine ----------------------------------------------------- */

/* The place of a span that is open, or of a free one for ""; NULL = none. */
static char *find_open(struct tk_ingest *ingest, tk_str span)
{
    for (size_t i = 0; i < SPANS; i++) {
        if (tk_str_eq(tk_str_from(ingest->open[i]), span))
            return ingest->open[i];
    }
    return NULL;
}

/* As it is called in our journal, where it may not meet one of this machine. */
static tk_str host_span(struct tk_ingest *ingest, tk_str span)
{
    char text[2 * TK_STEP_SPAN_MAX];
    int n = snprintf(text, sizeof(text), "vm.%.*s", (int)(span.n < 64 ? span.n : 64), span.p);
    return tk_arena_copy(&ingest->arena, (tk_str){text, (size_t)n});
}

static void add_start(struct tk_ingest *ingest, const struct tk_step_record *from, int64_t real_ns)
{
    struct tk_step_record start;
    char *place = find_open(ingest, TK_STR(""));
    tk_step_record_init(&start, TK_STEP_START, host_span(ingest, from->span));
    start.step.name = from->step.name;
    start.step.kind = TK_STR(TK_STEP_KIND_VM);
    start.step.parent = from->step.parent.n ? host_span(ingest, from->step.parent)
                                            : tk_str_from(ingest->options.parent);
    stamp(&start, real_ns);
    append(ingest, &start);
    if (place && from->span.n < TK_STEP_SPAN_MAX)
        (void)tk_str_to_cstr(from->span, place, TK_STEP_SPAN_MAX);
}

/* A line of packer_steps.txt, as the original had it. */
static void add_line(struct tk_ingest *ingest, const struct tk_job_step *step)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    struct tk_err ignored;
    const double values[] = {step->duration_s,   step->cpu_percent,   step->memory_used_mb,
                             step->disk_read_mb, step->disk_write_mb, step->disk_util_percent,
                             step->await_ms,     step->queue_depth,   step->net_rx_mb,
                             step->net_tx_mb};
    tk_buf_init(&line, LINE_BYTES);
    for (size_t i = 0; i < step->name.n; i++) {
        char c = step->name.p[i];
        bool plain = c != '|' && c != '\n';
        tk_buf_put(&line, plain ? (tk_str){&c, 1} : TK_STR("_"));
    }
    for (size_t i = 0; i < TK_COUNTOF(values); i++) {
        tk_buf_putc(&line, '|');
        tk_buf_put_f64(&line, isnan(values[i]) ? 0 : values[i], 2);
    }
    tk_buf_putc(&line, '\n');
    TK_CLEANUP(tk_fd_close)
    int fd = openat(tk_session_state(ingest->options.session)->job_fd, TK_PACKER_STEPS,
                    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && tk_buf_ok(&line))
        (void)!tk_fd_write(fd, tk_buf_str(&line), TK_PACKER_STEPS, &ignored);
}

static void add_end(struct tk_ingest *ingest, struct tk_step_record *from, int64_t real_ns)
{
    struct tk_step_record end;
    char *place = find_open(ingest, from->span);
    double seconds = from->step.duration_s >= 0 ? from->step.duration_s : 0;
    if (!place)
        add_start(ingest, from, real_ns - (int64_t)(seconds * (double)TK_NS_PER_S));
    place = find_open(ingest, from->span);
    if (place)
        *place = '\0';
    add_line(ingest, &from->step);
    tk_step_record_init(&end, TK_STEP_END, host_span(ingest, from->span));
    end.step = from->step;
    end.step.id = end.step.parent = end.step.kind = (tk_str){0};
    end.step.attempt = TK_JOB_NONE;
    stamp(&end, real_ns);
    append(ingest, &end);
}

static void take_record(void *into, tk_str json)
{
    struct tk_ingest *ingest = into;
    struct tk_step_record from;
    struct tk_err ignored;
    tk_arena_reset(&ingest->arena);
    tk_str text = tk_arena_copy(&ingest->arena, json);
    if (!text.p ||
        tk_job_shape_parse(text, &tk_step_record_shape, &ingest->arena, &from, &ignored) < 0 ||
        from.span.n == 0)
        return;
    int64_t real_ns = tk_clock_real_ns();
    if (!ingest->options.live && from.real_ns > 0)
        real_ns = from.real_ns;
    ingest->count++;
    if (tk_step_record_is(&from, TK_STEP_START)) {
        add_start(ingest, &from, real_ns);
    } else if (tk_step_record_is(&from, TK_STEP_END)) {
        add_end(ingest, &from, real_ns);
    }
}

/* What Packer says ------------------------------------------------------------------- */

/* The step that a line "==> NAME: SAYS..." begins; `tail` = the rest of the line belongs to its
 * name, but for what stands behind " => " or in brackets. NULL ends what was. */
static const struct {
    const char *says;
    const char *step;
    bool tail;
} phases[] = {
    {"Retrieving ISO", "retrieve ISO", false},
    {"Retrieving Guest additions", "retrieve additions", false},
    {"Starting VM", "boot", false},
    {"Starting the virtual machine", "boot", false},
    {"Waiting for SSH", "wait for SSH", false},
    {"Waiting for WinRM", "wait for WinRM", false},
    {"Using SSH communicator", "wait for SSH", false},
    {"Connected to SSH", NULL, false},
    {"Connected to WinRM", NULL, false},
    {"Provisioning with shell script: ", "shell ", true},
    {"Running local shell script: ", "shell-local ", true},
    {"Provisioning with ", "provision ", true},
    {"Uploading ", "upload ", true},
    {"Downloading ", "download ", true},
    {"Pausing ", "pause", false},
    {"Gracefully halting virtual machine", "shut down", false},
    {"Gracefully shutting down", "shut down", false},
    {"Converting hard drive", "convert disk", false},
    {"Compacting", "compact disk", false},
    {"Exporting virtual machine", "export", false},
    {"Running post-processor: ", "post-processor ", true},
};

static struct builder *find_builder(struct tk_ingest *ingest, tk_str name)
{
    for (size_t i = 0; i < ingest->builder_count; i++) {
        if (tk_str_eq(tk_str_from(ingest->builders[i].name), name))
            return &ingest->builders[i];
    }
    if (ingest->builder_count == BUILDERS || name.n >= BUILDER_NAME)
        return NULL;
    struct builder *builder = &ingest->builders[ingest->builder_count];
    *builder = (struct builder){.exit_code = TK_JOB_NONE};
    if (!tk_str_to_cstr(name, builder->name, sizeof(builder->name)))
        return NULL;
    ingest->builder_count++;
    return builder;
}

/* Counters of this host are worth reading only while it happens. */
static void read_now(struct tk_ingest *ingest, struct tk_step_record *record)
{
    if (ingest->options.live) {
        tk_session_read_host(ingest->options.session, record);
    } else if (ingest->line_ns > 0) {
        stamp(record, ingest->line_ns);
    }
}

static void end_phase(struct tk_ingest *ingest, struct builder *builder)
{
    struct tk_step_record end;
    if (!builder->span[0])
        return;
    tk_step_record_init(&end, TK_STEP_END, tk_str_from(builder->span));
    end.step.status = builder->failed ? TK_STR(TK_JOB_FAILED) : TK_STR(TK_JOB_SUCCESS);
    end.step.exit_code = builder->exit_code;
    read_now(ingest, &end);
    append(ingest, &end);
    builder->span[0] = '\0';
    builder->failed = false;
    builder->exit_code = TK_JOB_NONE;
}

/* "/home/me/install.sh" is "install.sh"; names that Packer invents for a script in the template
 * would be others in each build. */
static tk_str tail_of(tk_str text)
{
    size_t n = 0;
    while (n < text.n && text.p[n] != ' ')
        n++;
    text.n = n;
    while (text.n > 0 && (text.p[text.n - 1] == '.' || text.p[text.n - 1] == ':'))
        text.n--;
    size_t slash = tk_str_find_last(text, '/');
    if (slash + 1 < text.n)
        text = (tk_str){text.p + slash + 1, text.n - slash - 1};
    return tk_str_starts_with(text, TK_STR("packer-shell")) ? TK_STR("inline") : text;
}

static void begin_phase(struct tk_ingest *ingest, struct builder *builder, const char *what,
                        tk_str tail)
{
    struct tk_step_record start;
    char name[NAME_BYTES];
    (void)snprintf(builder->span, sizeof(builder->span), "pk.%x.%zu", (unsigned)getpid(),
                   ++ingest->phases);
    (void)snprintf(name, sizeof(name), "%s%.*s", what, (int)(tail.n < 200 ? tail.n : 200),
                   tail.p ? tail.p : "");
    tk_step_record_init(&start, TK_STEP_START, tk_str_from(builder->span));
    start.step.name = tk_str_from(name);
    start.step.kind = TK_STR("packer");
    start.step.parent = tk_str_from(ingest->options.parent);
    tk_arena_reset(&ingest->arena);
    (void)!tk_job_add_attr(&start.step.attrs, TK_STR("builder"), tk_str_from(builder->name),
                           &ingest->arena);
    read_now(ingest, &start);
    append(ingest, &start);
}

/* "2026-01-24T12:00:00Z: " before a line, as -timestamp-ui has it. */
static int64_t take_time(tk_str *line)
{
    struct tk_civil at = {0};
    char text[24];
    int end = 0;
    if (line->n < 22 || !tk_str_to_cstr((tk_str){line->p, 22}, text, sizeof(text)) ||
        /* NOLINTNEXTLINE(cert-err34-c): ranges are checked below */
        sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ: %n", &at.year, &at.month, &at.day, &at.hour,
               &at.minute, &at.second, &end) != 6 ||
        end != 22 || !tk_civil_ok(&at))
        return 0;
    *line = (tk_str){line->p + 22, line->n - 22};
    return tk_civil_to_s(&at) * TK_NS_PER_S;
}

/* "1769257200,qemu,ui,say," of -machine-readable. */
static void skip_machine_fields(tk_str *line)
{
    const char *at = line->n ? memmem(line->p, line->n, ",ui,", 4) : NULL;
    tk_str rest = {at, at ? line->n - (size_t)(at - line->p) : 0};
    tk_str kind;
    if (at && tk_str_take_prefix(&rest, TK_STR(",ui,")) && tk_str_take_until(&rest, ',', &kind))
        *line = rest;
}

/* "Build 'qemu.base' finished after 5 minutes.", or errored. */
static bool take_outcome(struct tk_ingest *ingest, tk_str line)
{
    tk_str name;
    if (!tk_str_take_prefix(&line, TK_STR("Build '")) || !tk_str_take_until(&line, '\'', &name))
        return false;
    struct builder *builder = find_builder(ingest, name);
    if (builder) {
        builder->failed |= tk_str_starts_with(line, TK_STR(" errored"));
        end_phase(ingest, builder);
    }
    return true;
}

static void take_message(struct tk_ingest *ingest, struct builder *builder, tk_str message)
{
    tk_str rest = message;
    if (tk_str_take_prefix(&rest, TK_STR("Script exited with non-zero exit status: "))) {
        builder->failed = true;
        if (!tk_scan_i64(&rest, &builder->exit_code))
            builder->exit_code = TK_JOB_NONE;
        return;
    }
    for (size_t i = 0; i < TK_COUNTOF(phases); i++) {
        rest = message;
        if (!tk_str_take_prefix(&rest, tk_str_from(phases[i].says)))
            continue;
        end_phase(ingest, builder);
        if (phases[i].step) {
            begin_phase(ingest, builder, phases[i].step,
                        phases[i].tail ? tail_of(rest) : (tk_str){0});
        }
        return;
    }
}

static void take_line(void *into, tk_str raw)
{
    struct tk_ingest *ingest = into;
    tk_buf_reset(&ingest->plain);
    tk_marked_put_plain(raw, &ingest->plain);
    tk_str line = tk_str_trim(tk_buf_str(&ingest->plain));
    tk_str name;
    skip_machine_fields(&line);
    ingest->line_ns = take_time(&line);
    if (!take_outcome(ingest, line) && tk_str_take_prefix(&line, TK_STR("==> ")) &&
        tk_str_take_until(&line, ':', &name)) {
        struct builder *builder = find_builder(ingest, name);
        if (builder && (ingest->options.live || ingest->line_ns > 0))
            take_message(ingest, builder, tk_str_trim(line));
    }
    ingest->options.pass(ingest->options.into, raw);
}

/* The log ---------------------------------------------------------------------------- */

int tk_ingest_new(const struct tk_ingest_options *options, struct tk_ingest **ret_ingest,
                  struct tk_err *err)
{
    struct tk_ingest *ingest = calloc(1, sizeof(*ingest));
    if (!ingest)
        return tk_fail(err, -ENOMEM, "out of memory");
    const struct tk_marked_sink sink = {take_record, take_line, ingest};
    ingest->options = *options;
    tk_buf_init(&ingest->plain, TK_JOB_TEXT_MAX);
    int rc = tk_arena_init(&ingest->arena, TK_JOB_ARENA_MAX, err);
    rc = rc < 0 ? rc : tk_marked_reader_new(&sink, &ingest->reader, err);
    if (rc < 0) {
        tk_ingest_free(ingest);
        return rc;
    }
    *ret_ingest = ingest;
    return 0;
}

void tk_ingest_free(struct tk_ingest *ingest)
{
    if (!ingest)
        return;
    tk_marked_reader_free(ingest->reader);
    tk_arena_release(&ingest->arena);
    tk_buf_release(&ingest->plain);
    free(ingest);
}

void tk_ingest_freep(struct tk_ingest **ingest)
{
    tk_ingest_free(*ingest);
}

void tk_ingest_feed(struct tk_ingest *ingest, tk_str bytes)
{
    tk_marked_reader_feed(ingest->reader, bytes);
}

void tk_ingest_flush(struct tk_ingest *ingest)
{
    tk_marked_reader_flush(ingest->reader);
}

int tk_ingest_end(struct tk_ingest *ingest, struct tk_err *err)
{
    tk_marked_reader_flush(ingest->reader);
    for (size_t i = 0; i < ingest->builder_count; i++)
        end_phase(ingest, &ingest->builders[i]);
    if (ingest->trouble.code < 0)
        *err = ingest->trouble;
    return ingest->trouble.code;
}

size_t tk_ingest_count(const struct tk_ingest *ingest)
{
    return ingest->count;
}
