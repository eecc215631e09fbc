/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/span_input.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/import.h"
#include "cmd/span_store.h"
#include "cmd/tkz_input.h"
#include "run/run.h"
#include "span/dedupe.h"

#define MAX_BYTES  ((uint64_t)16 << 30)
#define PIECE_ROWS ((size_t)1 << 13)
#define NOTE_MAX   ((size_t)1 << 16)

/* A name that is to be read. */
struct input {
    char *path;     /* owned */
    bool is_member; /* of a folder: left out when it is of no format */
    bool is_last;   /* of its folder */
};

struct tk_span_inputs {
    const struct tk_cmd *cmd;
    const struct tk_span_input_options *options;
    struct input *items;
    size_t count, at;
    const struct tk_span_input_kind *kind; /* of the one that is open; NULL = none */
    void *state;
    struct tk_dedupe *dedupe; /* NULL = duplicates are kept */
    struct tk_span_tally tally;
    size_t taken;      /* members of the folder at hand that are of a format */
    uint64_t left_out; /* files */
    char first_left_out[PATH_MAX];
};

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Runs ----------------------------------------------------------------------------------------- */

struct run_input {
    struct tk_span_store store;
    struct tk_segment_cursor cursor;
};

static void run_close(void *state)
{
    struct run_input *run = state;
    if (run)
        tk_span_store_release(&run->store);
    free(run);
}

static int run_open(const struct tk_span_input_options *options, const char *path, void **ret_state,
                    struct tk_err *err)
{
    (void)options;
    struct run_input *run = calloc(1, sizeof(*run));
    if (!run)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = tk_span_store_open(path, &run->store, err);
    if (rc < 0) {
        run_close(run);
    } else {
        *ret_state = run;
    }
    return rc;
}

static int run_read(void *state, struct tk_span_batch *batch, struct tk_span_tally *tally,
                    struct tk_err *err)
{
    struct run_input *run = state;
    size_t before = batch->rows;
    int rc = tk_segment_set_read(run->store.set, &run->cursor, batch, err);
    tally->spans += batch->rows - before;
    return rc;
}

/* Files ---------------------------------------------------------------------------------------- */

struct file_input {
    struct tk_import_text text;
    const struct tk_span_reader *reader;
    void *state; /* of the reader */
    struct tk_span_input input;
};

static bool file_detect(const char *path)
{
    return !is_folder(path);
}

static void file_close(void *state)
{
    struct file_input *file = state;
    if (file && file->state)
        file->reader->close(file->state);
    if (file)
        tk_import_text_release(&file->text);
    free(file);
}

static int find_reader(const struct tk_span_input_options *options, const char *path,
                       struct file_input *file, struct tk_err *err)
{
    const char *option = options->format_option;
    if (tk_import_text_reader(&file->text, options->format, false, &file->reader, err) == 0)
        return 0;
    return tk_fail(err, -EBADMSG, "%s: is of no format of spans that is known%s%s%s", path,
                   option ? "; " : "", option ? option : "", option ? " says which" : "");
}

static int file_open(const struct tk_span_input_options *options, const char *path,
                     void **ret_state, struct tk_err *err)
{
    struct file_input *file = calloc(1, sizeof(*file));
    if (!file)
        return tk_fail(err, -ENOMEM, "out of memory");
    uint64_t max_bytes = options->max_bytes > 0 ? options->max_bytes : MAX_BYTES;
    int rc = tk_import_text_open(path, max_bytes, &file->text, err);
    rc = rc < 0 ? rc : find_reader(options, path, file, err);
    rc = rc < 0 ? rc : file->reader->open(&file->state, err);
    file->input.text = file->text.text;
    if (rc < 0) {
        file_close(file);
    } else {
        *ret_state = file;
    }
    return rc;
}

/* A piece of the text at a time, so that it is never in memory as a whole; more for a record that
 * does not fit into one. */
static int file_read(void *state, struct tk_span_batch *batch, struct tk_span_tally *tally,
                     struct tk_err *err)
{
    struct file_input *file = state;
    size_t before = batch->rows;
    size_t max_rows = batch->max_rows;
    if (max_rows - before > PIECE_ROWS)
        batch->max_rows = before + PIECE_ROWS;
    int rc = file->reader->read(file->state, &file->input, batch, tally, err);
    batch->max_rows = max_rows;
    if (rc == 0 && batch->rows == before)
        rc = file->reader->read(file->state, &file->input, batch, tally, err);
    tk_import_text_drop(&file->text, file->input.offset);
    return rc;
}

static const char *file_first_bad(const void *state)
{
    const struct file_input *file = state;
    return file->input.first_bad;
}

static const struct tk_span_input_kind run_kind = {
    .name = "run", .detect = is_folder, .open = run_open, .read = run_read, .close = run_close};

static const struct tk_span_input_kind file_kind = {.name = "file",
                                                    .detect = file_detect,
                                                    .open = file_open,
                                                    .read = file_read,
                                                    .first_bad = file_first_bad,
                                                    .close = file_close};

/* In the order in which they are tried. */
static const struct tk_span_input_kind *const kinds[] = {&run_kind, &tk_tkz_input_kind, &file_kind};

static const struct tk_span_input_kind *find_kind(const char *path)
{
    size_t i = 0;
    while (i + 1 < TK_COUNTOF(kinds) && !kinds[i]->detect(path))
        i++;
    return kinds[i];
}

/* Names ---------------------------------------------------------------------------------------- */

static int add_input(struct tk_span_inputs *inputs, const char *path, bool is_member,
                     struct tk_err *err)
{
    struct input *more = realloc(inputs->items, (inputs->count + 1) * sizeof(*more));
    if (!more)
        return tk_fail(err, -ENOMEM, "out of memory");
    inputs->items = more;
    more[inputs->count] = (struct input){strdup(path), is_member, false};
    if (!more[inputs->count].path)
        return tk_fail(err, -ENOMEM, "out of memory");
    inputs->count++;
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct input *)a)->path, ((const struct input *)b)->path);
}

static int list_members(struct tk_span_inputs *inputs, DIR *dir, const char *folder,
                        struct tk_err *err)
{
    char path[PATH_MAX];
    struct stat status;
    const struct dirent *entry;
    int rc = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): readdir() is safe on a DIR of one's own */
    while (rc == 0 && (entry = readdir(dir))) {
        int n = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        bool fits = n > 0 && (size_t)n < sizeof(path);
        if (fits && *entry->d_name != '.' && stat(path, &status) == 0 && S_ISREG(status.st_mode))
            rc = add_input(inputs, path, true, err);
    }
    return rc;
}

/* The files of a folder, by name. */
static int add_members(struct tk_span_inputs *inputs, const char *folder, struct tk_err *err)
{
    size_t before = inputs->count;
    DIR *dir = opendir(folder);
    if (!dir)
        return tk_fail_errno(err, "%s", folder);
    int rc = list_members(inputs, dir, folder, err);
    (void)closedir(dir);
    if (rc < 0)
        return rc;
    size_t members = inputs->count - before;
    if (members == 0)
        return tk_fail(err, -ENOENT, "%s: is no run with spans, and holds no files", folder);
    qsort(inputs->items + before, members, sizeof(*inputs->items), by_path);
    inputs->items[inputs->count - 1].is_last = true;
    return 0;
}

/* A name: a file, a folder of files, a run, or the name of a run. */
static int add_name(struct tk_span_inputs *inputs, const char *name, struct tk_err *err)
{
    char path[PATH_MAX + 8];
    if (strcmp(name, "-") == 0)
        return add_input(inputs, name, false, err);
    if (access(name, F_OK) < 0) {
        if (tk_run_path_resolve(name, path, PATH_MAX, err) < 0)
            return tk_fail(err, -ENOENT, "%s: there is no such file, folder or run", name);
        return add_input(inputs, path, false, err);
    }
    if (access(name, R_OK) < 0)
        return tk_fail_errno(err, "%s", name);
    (void)snprintf(path, sizeof(path), "%.*s/spans", PATH_MAX - 1, name);
    return is_folder(name) && !is_folder(path) ? add_members(inputs, name, err)
                                               : add_input(inputs, name, false, err);
}

static int add_names(struct tk_span_inputs *inputs, const char *const *names, size_t count,
                     struct tk_err *err)
{
    const char *format = inputs->options->format;
    int rc = 0;
    if (format && !tk_span_reader_find(format))
        rc = tk_fail(err, -EINVAL, "'%s' is no format of spans", format);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = add_name(inputs, names[i], err);
    if (rc == 0 && !inputs->options->keep_duplicates)
        rc = tk_dedupe_new(inputs->options->dedupe_spans, &inputs->dedupe, err);
    return rc;
}

int tk_span_inputs_new(const struct tk_cmd *cmd, const char *const *names, size_t count,
                       const struct tk_span_input_options *options,
                       struct tk_span_inputs **ret_inputs, struct tk_err *err)
{
    struct tk_span_inputs *inputs = calloc(1, sizeof(*inputs));
    if (!inputs)
        return tk_fail(err, -ENOMEM, "out of memory");
    inputs->cmd = cmd;
    inputs->options = options;
    int rc = add_names(inputs, names, count, err);
    if (rc < 0) {
        tk_span_inputs_free(inputs);
    } else {
        *ret_inputs = inputs;
    }
    return rc;
}

static void close_input(struct tk_span_inputs *inputs)
{
    if (inputs->kind)
        inputs->kind->close(inputs->state);
    inputs->kind = NULL;
    inputs->state = NULL;
}

void tk_span_inputs_free(struct tk_span_inputs *inputs)
{
    if (!inputs)
        return;
    close_input(inputs);
    for (size_t i = 0; i < inputs->count; i++)
        free(inputs->items[i].path);
    free(inputs->items);
    tk_dedupe_free(inputs->dedupe);
    free(inputs);
}

void tk_span_inputs_freep(struct tk_span_inputs **inputs)
{
    tk_span_inputs_free(*inputs);
}

/* Reading -------------------------------------------------------------------------------------- */

/* Open the one at hand: 1 when it is left out. */
static int open_input(struct tk_span_inputs *inputs, struct tk_err *err)
{
    const struct input *input = &inputs->items[inputs->at];
    const struct tk_span_input_kind *kind = find_kind(input->path);
    int rc = kind->open(inputs->options, input->path, &inputs->state, err);
    if (rc == 0) {
        inputs->kind = kind;
        inputs->taken += input->is_member;
    }
    if (rc != -EBADMSG || !input->is_member)
        return rc;
    if (inputs->left_out++ == 0)
        (void)snprintf(inputs->first_left_out, PATH_MAX, "%s", input->path);
    return 1;
}

/* The one at hand is read to its end. */
static void end_input(struct tk_span_inputs *inputs)
{
    const char *bad = inputs->kind->first_bad ? inputs->kind->first_bad(inputs->state) : NULL;
    if (bad && *bad) {
        (void)fprintf(stderr, "tracekit %s: %s: %s\n", inputs->cmd->name,
                      inputs->items[inputs->at].path, bad);
    }
    close_input(inputs);
}

/* On to the next; a folder that ends here must have held a file of spans. */
static int next_input(struct tk_span_inputs *inputs, struct tk_err *err)
{
    const struct input *input = &inputs->items[inputs->at++];
    if (!input->is_last)
        return 0;
    bool is_empty = inputs->taken == 0;
    inputs->taken = 0;
    if (!is_empty)
        return 0;
    inputs->left_out = 0; /* the failure tells it */
    return tk_fail(err, -ENOENT, "%.*s: holds no file of spans: %s is of no format that is known",
                   (int)tk_str_find_last(tk_str_from(input->path), '/'), input->path, input->path);
}

/* One call of the one at hand: 1 at its end. */
static int read_input(struct tk_span_inputs *inputs, struct tk_span_batch *batch,
                      struct tk_err *err)
{
    struct tk_span_tally tally = {0};
    size_t before = batch->rows;
    int rc = inputs->kind->read(inputs->state, batch, &tally, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", inputs->items[inputs->at].path);
    int failure = 0;
    if (inputs->dedupe)
        failure = tk_dedupe_filter(inputs->dedupe, batch, before, &tally, err);
    tk_span_tally_add(&inputs->tally, &tally);
    return failure < 0 ? failure : rc;
}

static int read_spans(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    struct tk_span_inputs *inputs = context;
    while (inputs->at < inputs->count) {
        int rc = inputs->kind ? 0 : open_input(inputs, err);
        if (rc == 0)
            rc = read_input(inputs, batch, err);
        if (rc <= 0)
            return rc;
        if (inputs->kind)
            end_input(inputs);
        rc = next_input(inputs, err);
        if (rc < 0)
            return rc;
        if (batch->rows > 0)
            break;
    }
    if (inputs->at < inputs->count)
        return 0;
    tk_dedupe_free(inputs->dedupe); /* nothing comes again any more */
    inputs->dedupe = NULL;
    uint64_t refused = tk_span_tally_refused(&inputs->tally);
    if (inputs->tally.spans > 0 || refused == 0)
        return 1;
    return tk_fail(err, -EBADMSG, "none of %llu span%s can be read", (unsigned long long)refused,
                   refused == 1 ? "" : "s");
}

struct tk_span_source tk_span_inputs_source(struct tk_span_inputs *inputs)
{
    return (struct tk_span_source){read_spans, inputs};
}

const struct tk_span_tally *tk_span_inputs_tally(const struct tk_span_inputs *inputs)
{
    return &inputs->tally;
}

void tk_span_inputs_warn(const struct tk_span_inputs *inputs)
{
    const char *name = inputs->cmd->name;
    TK_CLEANUP(tk_buf_release) struct tk_buf note;
    tk_buf_init(&note, NOTE_MAX);
    tk_span_tally_format(&inputs->tally, true, &note);
    if (note.n > 0)
        (void)fprintf(stderr, "tracekit %s: left out: %.*s\n", name, TK_STR_ARG(tk_buf_str(&note)));
    if (inputs->left_out > 0) {
        (void)fprintf(stderr, "tracekit %s: left out: %llu file%s of no format of spans, %s%s\n",
                      name, (unsigned long long)inputs->left_out, inputs->left_out == 1 ? "" : "s",
                      inputs->first_left_out, inputs->left_out == 1 ? "" : " first");
    }
}
