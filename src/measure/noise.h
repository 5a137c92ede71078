/* noise.h: buffers of noise: what a measurement computes with. */
#ifndef MEASURE_NOISE_H
#define MEASURE_NOISE_H

#include "device/context.h"

enum noise { NOISE_FLOATS, NOISE_BFLOATS, NOISE_BITS };

/* A buffer with pseudo-random numbers from -1 to 1, or with such bits. Free with buffer_release. */
nst_status noise_buffer(nst_context *context, uint64_t bytes, enum noise kind, cl_mem *buffer, nst_error *error);

#endif
