/* parts.h: the parts of a benchmark, each in a file of its own. For this room only. */
#ifndef BENCH_PARTS_H
#define BENCH_PARTS_H

#include "bench/report.h"
#include "device/context.h"
#include "measure/layer_case.h"

/* ---- peak.c ------------------------------------------------------------------------------------------------------ */

/* Fills in peak_gflops, peak_width, peak_chains and bandwidth_gb_per_s. */
nst_status peak_measure(nst_context *context, struct bench_device *device, nst_error *error);
/* Measures the best variant once more. A greater peak replaces the one found before. */
nst_status peak_measure_again(nst_context *context, struct bench_device *device, nst_error *error);

/* ---- start.c, layers.c -------------------------------------------------------------------------------------------- */

/* Seconds from opening the device to the first loss of a small picture, with empty caches and again with full ones. In
 * child processes; NAN where that is not possible, INFINITY where it takes longer than BENCH_LONGEST_START_SECONDS. */
void start_measure(const char *device, const struct workload *workload, double *cold_seconds, double *warm_seconds);

/* Times the convolutions of a row one by one, for about `seconds` in all; and the kernels of whole iterations. */
nst_status layers_measure(nst_context *context, const struct workload *workload, double seconds, struct bench_row *row,
                          nst_error *error);
nst_status kernels_measure(const char *device, const struct workload *workload, bool no_cache, struct bench_row *row,
                           nst_error *error);

#endif
