/* SPDX-License-Identifier: Apache-2.0 */
#include "step/overview.h"

#include <math.h>

#define DEPTH_MAX 16 /* of steps within steps */

/* A command samples its own CPU and memory, other steps those of the machine. */
enum tellers { ALL_STEPS, ALL_BUT_COMMANDS, COMMANDS };

/* Each the sum of its columns. */
static const struct {
    const char *columns[2];
    enum tellers tellers;
} bands[TK_BANDS] = {
    [TK_BAND_CPU] = {{"cores", NULL}, ALL_BUT_COMMANDS},
    [TK_BAND_MEMORY] = {{"mem_mb", NULL}, ALL_BUT_COMMANDS},
    [TK_BAND_DISK] = {{"read_mbs", "write_mbs"}, ALL_STEPS},
    [TK_BAND_NETWORK] = {{"rx_mbs", "tx_mbs"}, ALL_STEPS},
    [TK_BAND_STALL] = {{"psi_io", NULL}, ALL_STEPS},
    [TK_BAND_OWN_CPU] = {{"cores", NULL}, COMMANDS},
    [TK_BAND_OWN_MEMORY] = {{"mem_mb", NULL}, COMMANDS},
};

static double value_of(const struct tk_job_samples *samples, size_t row, enum tk_band band)
{
    double sum = (double)NAN;
    const struct tk_job_row *values = &samples->rows.items[row];
    for (size_t k = 0; k < samples->cols.count && k < values->count; k++) {
        for (size_t c = 0; c < TK_COUNTOF(bands[band].columns) && bands[band].columns[c]; c++) {
            if (tk_str_eq(samples->cols.items[k], tk_str_from(bands[band].columns[c])) &&
                isfinite(values->items[k]))
                sum = isnan(sum) ? values->items[k] : sum + values->items[k];
        }
    }
    return sum;
}

struct cells {
    size_t from, to;
};

/* Those that a row touches; none where it lies outside. */
static struct cells cells_of(const struct tk_overview *overview,
                             const struct tk_job_samples *samples, size_t row)
{
    double from = samples->t0 + (double)row * samples->dt_s - overview->start_s;
    double first = floor(from / overview->cell_s + 1e-6);
    double end = ceil((from + samples->dt_s) / overview->cell_s - 1e-6);
    if (!(first < TK_OVERVIEW_CELLS) || !(end > 0))
        return (struct cells){0, 0};
    return (struct cells){(size_t)fmax(first, 0), (size_t)fmin(end, TK_OVERVIEW_CELLS)};
}

/* One step's curve of one band; cells without a sample of it are left as they are. */
static void lay(const struct tk_overview *overview, const struct tk_job_samples *samples,
                enum tk_band band, double ret[TK_OVERVIEW_CELLS])
{
    for (size_t row = 0; row < samples->rows.count; row++) {
        const double value = value_of(samples, row, band);
        const struct cells cells = cells_of(overview, samples, row);
        for (size_t i = cells.from; i < cells.to; i++)
            ret[i] = fmax(ret[i], value); /* of a number and NaN the number */
    }
}

static bool is_command(const struct tk_job_step *step)
{
    return tk_str_eq(step->kind, TK_STR("exec"));
}

static const struct tk_job_step *parent_of(const struct tk_job *job, const struct tk_job_step *step)
{
    for (size_t i = 0; step->parent.n && i < job->steps.count; i++) {
        if (tk_str_eq(job->steps.items[i].id, step->parent))
            return &job->steps.items[i];
    }
    return NULL;
}

/* Does a command around it count what it used? */
static bool is_inner(const struct tk_job *job, const struct tk_job_step *step)
{
    for (int depth = 0; step && depth < DEPTH_MAX; depth++) {
        step = parent_of(job, step);
        if (step && is_command(step))
            return true;
    }
    return false;
}

static bool tells(const struct tk_job *job, const struct tk_job_step *step, enum tk_band band)
{
    enum tellers tellers = bands[band].tellers;
    if (step->samples.rows.count == 0 || !(step->samples.dt_s > 0))
        return false;
    return tellers == ALL_STEPS || (tellers == ALL_BUT_COMMANDS && !is_command(step)) ||
           (tellers == COMMANDS && is_command(step) && !is_inner(job, step));
}

static void add_step(const struct tk_job_samples *samples, enum tk_band band,
                     double dt_s[TK_OVERVIEW_CELLS], struct tk_overview *ret)
{
    double of_step[TK_OVERVIEW_CELLS];
    for (size_t i = 0; i < TK_OVERVIEW_CELLS; i++)
        of_step[i] = (double)NAN;
    lay(ret, samples, band, of_step);
    for (size_t i = 0; i < TK_OVERVIEW_CELLS; i++) {
        double *value = &ret->values[i][band];
        if (isnan(of_step[i]))
            continue;
        if (bands[band].tellers == COMMANDS) {
            *value = isnan(*value) ? of_step[i] : *value + of_step[i];
        } else if (!(samples->dt_s >= dt_s[i])) {
            *value = of_step[i];
            dt_s[i] = samples->dt_s;
        }
    }
}

static void add_band(const struct tk_job *job, enum tk_band band, struct tk_overview *ret)
{
    double dt_s[TK_OVERVIEW_CELLS]; /* of the samples that a value is from */
    for (size_t i = 0; i < TK_OVERVIEW_CELLS; i++)
        ret->values[i][band] = dt_s[i] = (double)NAN;
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        if (tells(job, step, band))
            add_step(&step->samples, band, dt_s, ret);
    }
    ret->max[band] = 0;
    for (size_t i = 0; i < TK_OVERVIEW_CELLS; i++)
        ret->max[band] = fmax(ret->max[band], ret->values[i][band]);
}

void tk_overview_of(const struct tk_job *job, double start_s, double span_s,
                    struct tk_overview *ret)
{
    ret->start_s = start_s;
    ret->cell_s = span_s / TK_OVERVIEW_CELLS;
    for (enum tk_band band = 0; band < TK_BANDS; band++)
        add_band(job, band, ret);
}
