/* SPDX-License-Identifier: Apache-2.0 */
#include "report/chart.h"

#include <math.h>
#include <stdint.h>

#define LEVELS 8

/* The values that fall into cell `i` of `width`: at least one, so that few values stretch. */
static double squeeze(const struct tk_spark *spark, size_t i, size_t width)
{
    size_t begin = i * spark->count / width;
    size_t end = (i + 1) * spark->count / width;
    if (end <= begin)
        end = begin + 1;
    double sum = 0;
    double max = (double)NAN;
    size_t n = 0;
    for (size_t at = begin; at < end; at++) {
        double value = spark->values[at];
        if (isnan(value))
            continue;
        sum += value;
        max = fmax(max, value);
        n++;
    }
    if (n == 0)
        return (double)NAN;
    return spark->squeeze == TK_SQUEEZE_MAX ? max : sum / (double)n;
}

static void put_level(struct tk_buf *out, const struct tk_look *look, double ratio)
{
    static const char *const blocks[LEVELS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char ascii[] = "_.-=+*%#";
    if (isnan(ratio)) {
        tk_buf_putc(out, ' ');
        return;
    }
    long level = lround(fmin(fmax(ratio, 0), 1) * (LEVELS - 1));
    if (look->utf8) {
        tk_buf_puts(out, blocks[level]);
    } else {
        tk_buf_putc(out, ascii[level]);
    }
}

double tk_spark_put(struct tk_buf *out, const struct tk_look *look, const struct tk_spark *spark,
                    int width)
{
    double cells[TK_SPARK_MAX];
    size_t n = width < 0 ? 0 : (size_t)width;
    if (n > TK_SPARK_MAX)
        n = TK_SPARK_MAX;
    double max = (double)NAN;
    for (size_t i = 0; i < n; i++) {
        cells[i] = spark->count ? squeeze(spark, i, n) : (double)NAN;
        max = fmax(max, cells[i]);
    }
    double range = (spark->full > 0 ? spark->full : max) - spark->base;
    for (size_t i = 0; i < n; i++)
        put_level(out, look, range > 0 ? (cells[i] - spark->base) / range : cells[i] * 0);
    return max;
}

void tk_bar_put(struct tk_buf *out, const struct tk_look *look, double ratio, int width)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    if (!(ratio > 0) || width <= 0)
        return;
    long parts = look->utf8 ? 8 : 1;
    long n = lround(fmin(ratio, 1) * (double)(width * parts));
    if (n == 0)
        n = 1;
    for (long i = 0; i < n / parts; i++)
        tk_buf_puts(out, look->utf8 ? "█" : "#");
    if (look->utf8)
        tk_buf_puts(out, eighths[n % parts]);
}
