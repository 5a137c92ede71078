/* layer_case.h: the convolutions of a workload one by one, each run on noise. */
#ifndef MEASURE_LAYER_CASE_H
#define MEASURE_LAYER_CASE_H

#include "measure/workload.h"

/* One convolution of a network in one direction. The network must live as long. */
struct layer_case {
    const char *name, *direction;
    const float *weights, *bias; /* of the network; NULL for a convolution whose weights are set on the device */
    struct convolution_shape shape;
    struct image_size size; /* of the input */
};

/* The convolutions of an iteration in their order, forward and then backward. Free `*cases` with free. */
nst_status layer_cases_list(nst_context *context, const struct workload *workload, int size_px,
                            struct layer_case **cases, int *count, nst_error *error);
/* Floating-point operations, counted as direct, in 1e9. */
double layer_case_gflop(const struct layer_case *layer);

/* Such a convolution with its buffers, which hold noise. Release with layer_run_release. */
struct layer_run {
    nst_context *context;
    struct convolution *convolution;
    struct convolution_call call;
};
nst_status layer_run_create(nst_context *context, const struct layer_case *layer,
                            const struct convolution_choice *choice, struct layer_run *run, nst_error *error);
/* Runs it, as a timed_run. */
nst_status layer_run_repeat(void *run, int count, nst_error *error);
void layer_run_release(struct layer_run *run);

#endif
