/* resample.h: images and what belongs to their pixels brought to another size on the device, so that an optimizer can go
 * on there. The formulas are in cl/resample.cl. */
#ifndef OPTIMIZER_RESAMPLE_H
#define OPTIMIZER_RESAMPLE_H

#include "optimizer/optimizer.h"

struct resample {
    cl_kernel kernel;
};

/* Release with resample_release, also after a failure. Errors: NST_ERROR_OPENCL. */
nst_status resample_create(nst_context *context, struct resample *resample, nst_error *error);
void resample_release(struct resample *resample);

struct resample_call {
    struct optimizer_shape from, to; /* of as many planes; sides are at most 16384 */
    bool is_cubic;                   /* else linear */
    double low, high;                /* results are clamped to these */
    cl_mem input, output;            /* different buffers */
};
/* Enqueues it; does not wait. What lies behind the output's end does not change. */
nst_status resample_run(nst_context *context, const struct resample *resample, const struct resample_call *call,
                        nst_error *error);

#endif
