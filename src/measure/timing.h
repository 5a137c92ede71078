/* timing.h: how long something takes. */
#ifndef MEASURE_TIMING_H
#define MEASURE_TIMING_H

#include "nst.h"

/* Of elapsed times. */
struct timing {
    double median_ms, least_ms;
    double spread_percent; /* between the quartiles, of the median */
    int samples;
};

double seconds_now(void);

/* Runs what is timed `count` times and waits for it. */
typedef nst_status timed_run(void *user, int count, nst_error *error);

/* Times it: two runs to warm up, of which the second tells how many samples fit into `seconds` (3 to 50), and
 * how many runs one sample needs so that the clock is exact. */
nst_status timing_measure(timed_run *run, void *user, double seconds, struct timing *timing, nst_error *error);

#endif
