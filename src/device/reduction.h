/* reduction.h: sums over a whole buffer. A kernel leaves one partial sum per work-group (per work-item where kernels
 * loop); the host adds them up in double, in a fixed order, so that the same command gives the same bytes. */
#ifndef DEVICE_REDUCTION_H
#define DEVICE_REDUCTION_H

#include "device/context.h"

/* How many partial sums one reduction leaves. */
int reduction_partials(const nst_context *context);

/* The launch that leaves them: use for kernels that end in REDUCE (cl/common.h). */
struct work_size reduction_work(const nst_context *context);

/* The sum of partials[0..count). */
double reduction_sum(const float *partials, int count);

/* Reads the partial sums at `slot` of a buffer, waits, and adds them up. */
nst_status reduction_read(nst_context *context, cl_mem partials, int slot, double *sum, nst_error *error);

/* The same of the first two slots, with one wait. */
nst_status reduction_read_two(nst_context *context, cl_mem partials, double sums[2], nst_error *error);

/* Bytes of a buffer with so many slots. */
size_t reduction_bytes(const nst_context *context, int slots);

#endif
