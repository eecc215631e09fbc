/* SPDX-License-Identifier: Apache-2.0 */
#include "step/curve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libdeflate.h>

#include "base/clock.h"
#include "base/file.h"

_Static_assert(sizeof(struct tk_sample) == 64, "as on disk");

#define CRC_BYTES offsetof(struct tk_sample, crc)
#define FINEST_NS (100 * TK_NS_PER_MS)

enum {
    TAIL_BYTES = 4096, /* most steps are shorter than so many samples last */
};

void tk_curve_release(struct tk_curve *curve)
{
    free(curve->items);
    *curve = (struct tk_curve){0};
}

/* Lowest and highest of `count` neighbours, in the order in which they came. */
static void squeeze(const struct tk_sample *from, size_t count, int column, float ret[2])
{
    size_t low = count;
    size_t high = count;
    for (size_t i = 0; i < count; i++) {
        float value = from[i].values[column];
        if (isnan(value))
            continue;
        if (low == count || value < from[low].values[column])
            low = i;
        if (high == count || value > from[high].values[column])
            high = i;
    }
    bool any = low < count;
    ret[0] = any ? from[low < high ? low : high].values[column] : NAN;
    ret[1] = any ? from[low < high ? high : low].values[column] : NAN;
}

/* Fours become twos. */
static void merge(struct tk_curve *curve)
{
    size_t kept = 0;
    for (size_t i = 0; i + 4 <= curve->count; i += 4) {
        struct tk_sample pair[2] = {curve->items[i + 1], curve->items[i + 3]};
        for (int column = 0; column < TK_CURVE_COLUMNS; column++) {
            float values[2];
            squeeze(&curve->items[i], 4, column, values);
            pair[0].values[column] = values[0];
            pair[1].values[column] = values[1];
        }
        memcpy(&curve->items[kept], pair, sizeof(pair));
        kept += 2;
    }
    curve->count = kept;
    curve->merged = true;
}

int tk_curve_add(struct tk_curve *curve, const struct tk_sample *sample)
{
    if (!curve->items)
        curve->items = calloc(TK_CURVE_SAMPLES, sizeof(*curve->items));
    if (!curve->items)
        return -ENOMEM;
    if (curve->count == TK_CURVE_SAMPLES)
        merge(curve);
    curve->items[curve->count++] = *sample;
    return 0;
}

/* On disk ---------------------------------------------------------------------------- */

static uint32_t crc_of(const struct tk_sample *sample)
{
    return libdeflate_crc32(0, sample, CRC_BYTES);
}

int tk_sample_append(int job_fd, const struct tk_sample *sample, struct tk_err *err)
{
    struct tk_sample checked = *sample;
    checked.crc = crc_of(&checked);
    TK_CLEANUP(tk_fd_close)
    int fd =
        openat(job_fd, TK_CURVE_NAME, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, &checked, sizeof(checked)) != (ssize_t)sizeof(checked))
        return tk_fail_errno(err, TK_CURVE_NAME);
    return 0;
}

int tk_curve_write(int job_fd, struct tk_curve *curve, struct tk_err *err)
{
    for (size_t i = 0; i < curve->count; i++)
        curve->items[i].crc = crc_of(&curve->items[i]);
    tk_str bytes = {(const char *)curve->items, curve->count * sizeof(*curve->items)};
    int rc = tk_file_refresh(job_fd, TK_CURVE_NAME, bytes, 0600, err);
    if (rc == 0)
        curve->merged = false;
    return rc;
}

/* The end of the file that is of after `from_ns`, or somewhat more, in whole samples. */
static int read_tail(int fd, int64_t from_ns, struct tk_buf *ret)
{
    struct stat st;
    size_t window = TAIL_BYTES;
    if (fstat(fd, &st) < 0)
        return -errno;
    size_t size = (size_t)st.st_size / sizeof(struct tk_sample) * sizeof(struct tk_sample);
    for (;; window *= 8) {
        size_t n = window < size ? window : size;
        struct tk_sample first;
        tk_buf_reset(ret);
        char *to = tk_buf_reserve(ret, n + 1);
        if (!to)
            return -EMSGSIZE;
        ssize_t got = pread(fd, to, n, (off_t)(size - n));
        if (got < 0)
            return -errno;
        ret->n = (size_t)got;
        if (n == size || ret->n < sizeof(first))
            return 0;
        memcpy(&first, ret->p, sizeof(first));
        if (first.crc == crc_of(&first) && first.boot_ns <= from_ns)
            return 0;
    }
}

int tk_curve_read(int job_fd, int64_t from_ns, struct tk_curve *curve, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf bytes;
    tk_buf_init(&bytes, (size_t)TK_CURVE_FILE * 4);
    *curve = (struct tk_curve){0};
    TK_CLEANUP(tk_fd_close) int fd = openat(job_fd, TK_CURVE_NAME, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    int rc = fd < 0 ? -errno : read_tail(fd, from_ns, &bytes);
    if (rc < 0)
        return tk_fail_code(err, rc, TK_CURVE_NAME);
    for (size_t at = 0; rc == 0 && at + sizeof(struct tk_sample) <= bytes.n;
         at += sizeof(struct tk_sample)) {
        struct tk_sample sample;
        memcpy(&sample, bytes.p + at, sizeof(sample));
        if (sample.boot_ns > from_ns && sample.crc == crc_of(&sample) &&
            tk_curve_add(curve, &sample) < 0)
            rc = tk_fail(err, -ENOMEM, TK_CURVE_NAME ": out of memory");
    }
    if (rc < 0)
        tk_curve_release(curve);
    return rc;
}

/* Reading ---------------------------------------------------------------------------- */

/* Index of the first sample that ends after `ns`. */
static size_t first_after(const struct tk_curve *curve, int64_t ns)
{
    size_t low = 0;
    size_t high = curve->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (curve->items[middle].boot_ns <= ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void tk_curve_range(const struct tk_curve *curve, int column, int64_t from_ns, int64_t to_ns,
                    double *ret_lowest, double *ret_highest)
{
    *ret_lowest = *ret_highest = (double)NAN;
    for (size_t i = first_after(curve, from_ns); i < curve->count; i++) {
        double value = (double)curve->items[i].values[column];
        if (curve->items[i].boot_ns > to_ns)
            return;
        if (isnan(*ret_lowest) || value < *ret_lowest)
            *ret_lowest = value;
        if (isnan(*ret_highest) || value > *ret_highest)
            *ret_highest = value;
    }
}

static bool add_columns(struct tk_job_samples *samples, struct tk_arena *arena)
{
    static const char *const names[TK_CURVE_SHOWN] = {"cores",     "mem_mb", "read_mbs",
                                                      "write_mbs", "rx_mbs", "tx_mbs",
                                                      "psi_cpu",   "psi_io", "psi_mem"};
    for (size_t i = 0; i < TK_CURVE_SHOWN; i++) {
        if (!tk_job_add_text(&samples->cols, tk_str_from(names[i]), arena))
            return false;
    }
    return true;
}

/* Two rows for the time of two cells: lowest and highest of the samples in it, or, where there are
 * none, what the sample after them tells of it. */
static bool add_cells(const struct tk_curve *curve, int64_t from_ns, int64_t to_ns, size_t cells,
                      struct tk_job_samples *samples, struct tk_arena *arena)
{
    size_t first = first_after(curve, from_ns);
    size_t end = first_after(curve, to_ns);
    if (first == curve->count)
        return true;
    size_t count = end > first ? end - first : 1;
    double rows[2][TK_CURVE_SHOWN];
    for (int column = 0; column < TK_CURVE_SHOWN; column++) {
        float values[2];
        squeeze(&curve->items[first], count, column, values);
        rows[0][column] = (double)values[0];
        rows[1][column] = (double)values[1];
    }
    bool ok = true;
    for (size_t i = 0; i < cells && ok; i++)
        ok = tk_job_add_row(&samples->rows, rows[i], TK_CURVE_SHOWN, arena);
    return ok;
}

void tk_curve_rows(const struct tk_curve *curve, int64_t from_ns, int64_t to_ns, double start_time,
                   struct tk_job_samples *ret, struct tk_arena *arena)
{
    int64_t span_ns = to_ns - from_ns;
    if (span_ns <= 0 || first_after(curve, from_ns) == first_after(curve, to_ns))
        return;
    int64_t cells = (span_ns + FINEST_NS - 1) / FINEST_NS;
    cells = cells > TK_CURVE_POINTS ? TK_CURVE_POINTS : cells;
    struct tk_job_samples samples = {.t0 = start_time,
                                     .dt_s = (double)span_ns / (double)cells / (double)TK_NS_PER_S};
    bool ok = add_columns(&samples, arena);
    for (int64_t i = 0; i < cells && ok; i += 2) {
        int64_t next = i + 2 < cells ? i + 2 : cells;
        /* Cells are far fewer than ns: no product overflows within 1,000 days. */
        ok = add_cells(curve, from_ns + span_ns / cells * i, from_ns + span_ns / cells * next,
                       (size_t)(next - i), &samples, arena);
    }
    if (ok && samples.rows.count > 0)
        *ret = samples;
}
