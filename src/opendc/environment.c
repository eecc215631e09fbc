/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "opendc/frame.h"
#include "opendc/parquet_out.h"
#include "table/format.h"

#define COLUMNS_MAX    3
#define CSV_MAX        ((size_t)1 << 30)
#define ROWS_PER_BATCH 4096
#define TEXT_PER_BATCH ((size_t)1 << 20)

const char *const tk_environment_files[TK_ENVIRONMENT_COUNT] = {"carbon.parquet",
                                                                "failures.parquet"};

/* A row: the value of each column in the member of its type. */
struct row {
    union {
        int64_t i64;
        double f64;
    } values[COLUMNS_MAX];
};

/* A file on its way. */
struct converting {
    const struct kind *kind;
    const char *path;
    struct tk_parquet_out file;
    uint64_t rows;
    int64_t last_ms; /* stamp of the row before */
};

/* What is wrong with a row, for `tk_fail`; 0 = nothing. */
static int check_carbon(struct converting *converting, const struct row *row, struct tk_err *err)
{
    static const int64_t year_1990_ms = 631152000000;
    static const int64_t year_2100_ms = 4102444800000;
    int64_t at_ms = row->values[0].i64;
    double intensity = row->values[1].f64;
    if (at_ms < year_1990_ms || at_ms >= year_2100_ms) {
        return tk_fail(err, -EBADMSG, "timestamp %lld is no time in ms since 1970, of 1990 to 2100",
                       (long long)at_ms);
    }
    if (converting->rows > 0 && at_ms <= converting->last_ms) {
        return tk_fail(err, -EBADMSG, "timestamp %lld is not after that of the row before",
                       (long long)at_ms);
    }
    if (!isfinite(intensity) || intensity < 0)
        return tk_fail(err, -EBADMSG, "carbon_intensity %g is no amount of CO2", intensity);
    converting->last_ms = at_ms;
    return 0;
}

static int check_failure(struct converting *converting, const struct row *row, struct tk_err *err)
{
    (void)converting;
    int64_t interval_ms = row->values[0].i64;
    int64_t duration_ms = row->values[1].i64;
    double intensity = row->values[2].f64;
    if (interval_ms < 0) {
        return tk_fail(err, -EBADMSG, "failure_interval %lld is negative: it counts from the last",
                       (long long)interval_ms);
    }
    if (duration_ms <= 0)
        return tk_fail(err, -EBADMSG, "failure_duration %lld is no time", (long long)duration_ms);
    if (!(intensity > 0 && intensity <= 1)) {
        return tk_fail(err, -EBADMSG,
                       "failure_intensity %g is no share of the hosts, above 0 and at most 1",
                       intensity);
    }
    return 0;
}

static const struct tk_column carbon_columns[] = {
    {"timestamp", TK_I64, "ms", "since 1970", TK_REQUIRED, 0},
    {"carbon_intensity", TK_F64, "gCO2/kWh", "of the grid from then on", TK_REQUIRED, TK_SHORTEST},
};

static const struct tk_column failure_columns[] = {
    {"failure_interval", TK_I64, "ms", "since the failure before", TK_REQUIRED, 0},
    {"failure_duration", TK_I64, "ms", "until the hosts are back", TK_REQUIRED, 0},
    {"failure_intensity", TK_F64, "", "share of the hosts that fail", TK_REQUIRED, TK_SHORTEST},
};

static const struct kind {
    struct tk_schema schema;
    struct tk_parquet_node nodes[COLUMNS_MAX];
    int (*check)(struct converting *converting, const struct row *row, struct tk_err *err);
} kinds[TK_ENVIRONMENT_COUNT] = {
    [TK_ENVIRONMENT_CARBON] = {{"carbon", "intensity of the grid", carbon_columns,
                                TK_COUNTOF(carbon_columns)},
                               {{"timestamp", TK_PARQUET_I64},
                                {"carbon_intensity", TK_PARQUET_F64}},
                               check_carbon},
    [TK_ENVIRONMENT_FAILURES] = {{"failures", "failures of hosts", failure_columns,
                                  TK_COUNTOF(failure_columns)},
                                 {{"failure_interval", TK_PARQUET_I64},
                                  {"failure_duration", TK_PARQUET_I64},
                                  {"failure_intensity", TK_PARQUET_F64}},
                                 check_failure},
};

/* Check a row and write it. */
static int add_row(struct converting *converting, const struct row *row, struct tk_err *err)
{
    const struct tk_schema *schema = &converting->kind->schema;
    int rc = converting->kind->check(converting, row, err);
    unsigned long long number = ++converting->rows;
    if (rc < 0)
        return tk_err_prefix(err, "%s: row %llu", converting->path, number);
    for (size_t i = 0; i < schema->column_count; i++) {
        if (schema->columns[i].type == TK_I64) {
            tk_parquet_add_i64(converting->file.writer, i, &row->values[i].i64, 1);
        } else {
            tk_parquet_add_f64(converting->file.writer, i, &row->values[i].f64, 1);
        }
    }
    return tk_parquet_writer_write(converting->file.writer, err);
}

static int refuse_gap(const struct converting *converting, size_t column, struct tk_err *err)
{
    return tk_fail(err, -EBADMSG, "%s: row %llu has no %s", converting->path,
                   (unsigned long long)converting->rows + 1,
                   converting->kind->schema.columns[column].name);
}

/* CSV ------------------------------------------------------------------------------------------ */

/* One row of a batch: false and the column that has no value, or true. */
static bool take_row(const struct tk_batch *batch, size_t at, struct row *ret_row,
                     size_t *ret_column)
{
    for (size_t c = 0; c < batch->schema->column_count; c++) {
        *ret_column = c;
        if (!tk_batch_has(batch, at, c))
            return false;
        const union tk_value *value = tk_batch_at(batch, at, c);
        bool is_i64 = batch->schema->columns[c].type == TK_I64;
        if (is_i64) {
            ret_row->values[c].i64 = value->i64;
        } else {
            ret_row->values[c].f64 = value->f64;
        }
    }
    return true;
}

static int take_batch(struct converting *converting, const struct tk_batch *batch,
                      struct tk_err *err)
{
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < batch->rows; at++) {
        struct row row;
        size_t column;
        rc = take_row(batch, at, &row, &column) ? add_row(converting, &row, err)
                                                : refuse_gap(converting, column, err);
    }
    return rc;
}

static int read_rows(struct converting *converting, tk_str text, void *state,
                     struct tk_batch *batch, struct tk_err *err)
{
    struct tk_decode_stats stats = {0};
    int rc = 0;
    do {
        tk_batch_reset(batch);
        rc = tk_decoder_csv.batch(state, &text, true, batch, &stats, err);
        if (rc < 0)
            return tk_err_prefix(err, "%s", converting->path);
        if (stats.bad_rows + stats.torn_rows > 0)
            return tk_fail(err, -EBADMSG, "%s: %s", converting->path, stats.first_bad);
        rc = take_batch(converting, batch, err);
    } while (rc == 0 && batch->rows > 0);
    return rc;
}

static int read_csv(struct converting *converting, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    tk_buf_init(&text, CSV_MAX);
    int rc = tk_file_load(AT_FDCWD, converting->path, &text, err);
    if (rc < 0)
        return rc;
    rc = tk_batch_new(&converting->kind->schema, ROWS_PER_BATCH, TEXT_PER_BATCH, &batch, err);
    if (rc < 0)
        return rc;
    void *state = calloc(1, tk_decoder_csv.state_size + 1);
    rc = state ? read_rows(converting, tk_buf_str(&text), state, batch, err)
               : tk_fail(err, -ENOMEM, "out of memory");
    free(state);
    return rc;
}

/* Parquet -------------------------------------------------------------------------------------- */

/* As take_row(). */
static bool take_frame_row(const struct tk_frame *frame, const struct tk_schema *schema, size_t at,
                           struct row *ret_row, size_t *ret_column)
{
    for (size_t c = 0; c < schema->column_count; c++) {
        const struct tk_frame_column *column = &frame->columns[c];
        *ret_column = c;
        if (!column->has[at])
            return false;
        bool is_i64 = schema->columns[c].type == TK_I64;
        if (is_i64) {
            ret_row->values[c].i64 = column->i64[at];
        } else {
            ret_row->values[c].f64 = column->f64[at];
        }
    }
    return true;
}

static int take_frame(struct converting *converting, const struct tk_frame *frame,
                      struct tk_err *err)
{
    const struct tk_schema *schema = &converting->kind->schema;
    int rc = 0;
    for (size_t i = 0; i < schema->column_count; i++) {
        if (!frame->columns[i].is_there) {
            return tk_fail(err, -EBADMSG, "%s: there is no column %s of numbers", converting->path,
                           schema->columns[i].name);
        }
    }
    for (size_t at = 0; rc == 0 && at < frame->rows; at++) {
        struct row row;
        size_t column;
        bool whole = take_frame_row(frame, schema, at, &row, &column);
        rc = whole ? add_row(converting, &row, err) : refuse_gap(converting, column, err);
    }
    return rc;
}

static int read_parquet(struct converting *converting, struct tk_err *err)
{
    const struct tk_schema *schema = &converting->kind->schema;
    struct tk_frame_want wants[COLUMNS_MAX];
    TK_CLEANUP(tk_frame_freep) struct tk_frame *frame = NULL;
    for (size_t i = 0; i < schema->column_count; i++) {
        bool is_i64 = schema->columns[i].type == TK_I64;
        wants[i] =
            (struct tk_frame_want){schema->columns[i].name, is_i64 ? TK_FRAME_I64 : TK_FRAME_F64};
    }
    int rc = tk_frame_new(AT_FDCWD, converting->path, wants, schema->column_count, &frame, err);
    while (rc == 0 && (rc = tk_frame_next(frame, err)) == 0)
        rc = take_frame(converting, frame, err);
    return rc < 0 ? rc : 0;
}

/* A file ------------------------------------------------------------------------------------- */

/* A folder of parts, or a file that begins as Parquet files do. */
static int find_format(const char *path, bool *ret_is_parquet, struct tk_err *err)
{
    struct stat status;
    char magic[4] = "";
    TK_CLEANUP(tk_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        return tk_fail_errno(err, "%s", path);
    ssize_t got = S_ISREG(status.st_mode) ? pread(fd, magic, sizeof(magic), 0) : 0;
    *ret_is_parquet =
        S_ISDIR(status.st_mode) || (got == (ssize_t)sizeof(magic) &&
                                    tk_str_eq((tk_str){magic, sizeof(magic)}, TK_STR("PAR1")));
    return 0;
}

int tk_environment_convert(enum tk_environment kind, const char *path, int dirfd,
                           enum tk_parquet_codec codec, struct tk_err *err)
{
    bool is_parquet = false;
    struct converting converting = {
        .kind = &kinds[kind], .path = path, .file = TK_PARQUET_OUT_NONE};
    const struct tk_parquet_layout layout = {tk_environment_files[kind], kinds[kind].nodes,
                                             kinds[kind].schema.column_count};
    int rc = find_format(path, &is_parquet, err);
    rc = rc < 0 ? rc : tk_parquet_out_open(&converting.file, dirfd, &layout, codec, err);
    if (rc == 0)
        rc = is_parquet ? read_parquet(&converting, err) : read_csv(&converting, err);
    if (rc == 0 && converting.rows == 0)
        rc = tk_fail(err, -EBADMSG, "%s: there is no row in it", path);
    rc = rc < 0 ? rc : tk_parquet_out_close(&converting.file, err);
    tk_parquet_out_release(&converting.file);
    return rc;
}
