/* timing.h: how long something takes. */
#ifndef MEASURE_TIMING_H
#define MEASURE_TIMING_H

#include "nst.h"

/* Statistics of elapsed times. */
struct timing {
    double median_ms, least_ms;
    double spread_percent; /* between the quartiles, of the median */
    int samples;
};

/* Runs what is timed `count` times and waits for it. */
typedef nst_status timed_run(void *user, int count, nst_error *error);

/* Times a run. Two runs warm up; the second tells how many samples fit into `seconds` (3 to 50), and how many runs a
 * sample needs to be long for the clock. */
nst_status timing_measure(timed_run *run, void *user, double seconds, struct timing *timing, nst_error *error);

#endif
