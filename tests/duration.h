/* duration.h: what the benchmarks in this folder share: time, and the peak that it is compared with. The functions end
 * the program when anything goes wrong. */
#ifndef TESTS_DURATION_H
#define TESTS_DURATION_H

#include "device/context.h"

/* Elapsed time, and processor time per work-item of the device: what a CPU device would take if nothing else ran beside
 * it. */
struct duration {
    double elapsed_ms, busy_ms;
};

struct duration now(const nst_context *context);
void keep_least(struct duration *best, struct duration start, struct duration end);

/* Ends the program with the error's message unless `status` is NST_OK. */
void check(nst_status status, const nst_error *error);

/* Time that 1 GFLOP of fused multiply-adds in registers takes, the least of several runs. */
struct duration measure_peak(nst_context *context);

#endif
