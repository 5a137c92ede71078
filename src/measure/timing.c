/* timing.c: how long something takes: warming up, choosing a number of samples, median and spread. */
#include "measure/timing.h"

#include "support/clock.h"

#include <math.h>
#include <stdlib.h>

enum { LEAST_SAMPLES = 3, MOST_SAMPLES = 50, MOST_RUNS = 1000 };

/* A sample lasts at least so long: much longer than reading the clock and waiting for the device. */
static const double shortest_sample_seconds = 2e-3;

static int compare_numbers(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value at this share of the sorted samples, between two of them in proportion. */
static double quantile(const double *sorted, int count, double share) {
    double place = share * (count - 1);
    int below = (int)place, above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

static struct timing summarize(double *samples_ms, int count) {
    qsort(samples_ms, (size_t)count, sizeof *samples_ms, compare_numbers);
    double median_ms = quantile(samples_ms, count, 0.5);
    double range_ms = quantile(samples_ms, count, 0.75) - quantile(samples_ms, count, 0.25);
    return (struct timing){.median_ms = median_ms,
                           .least_ms = samples_ms[0],
                           .spread_percent = median_ms > 0 ? 100 * range_ms / median_ms : 0,
                           .samples = count};
}

nst_status timing_measure(timed_run *run, void *user, double seconds, struct timing *timing, nst_error *error) {
    nst_status status = run(user, 1, error);
    double start = seconds_now();
    if (!status) {
        status = run(user, 1, error);
    }
    double once = fmax(seconds_now() - start, 1e-7);
    int runs = (int)fmin(ceil(shortest_sample_seconds / once), MOST_RUNS);
    int count = (int)fmin(fmax(seconds / (once * runs), LEAST_SAMPLES), MOST_SAMPLES);
    double samples_ms[MOST_SAMPLES];
    for (int i = 0; !status && i < count; ++i) {
        start = seconds_now();
        status = run(user, runs, error);
        samples_ms[i] = (seconds_now() - start) * 1e3 / runs;
    }
    if (!status) {
        *timing = summarize(samples_ms, count);
    }
    return status;
}
