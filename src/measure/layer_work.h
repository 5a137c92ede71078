/* layer_work.h: the convolutions of an iteration one by one. */
#ifndef MEASURE_LAYER_WORK_H
#define MEASURE_LAYER_WORK_H

#include "measure/workload.h"

/* One convolution in one direction. */
struct layer_work {
    const char *name, *direction;
    const struct layer *layer; /* NULL for one whose weights are set on the device */
    struct convolution_shape shape;
    struct image_size size; /* of what goes in */
};

/* Those of an iteration, forward and then backward, in their order. Free `*works` with free. */
nst_status layer_works_list(nst_context *context, const struct workload *workload, int size_px,
                            struct layer_work **works, int *count, nst_error *error);
/* Counted as direct, in 1e9. */
double layer_work_gflop(const struct layer_work *work);

/* Such a convolution with its buffers, noise in them. Release with layer_run_release. */
struct layer_run {
    nst_context *context;
    struct convolution *convolution;
    struct convolution_call call;
};
nst_status layer_run_create(nst_context *context, const struct layer_work *work,
                            const struct convolution_choice *choice, struct layer_run *run, nst_error *error);
/* Runs it, as a timed_work. */
nst_status layer_run_times(void *run, int count, nst_error *error);
void layer_run_release(struct layer_run *run);

#endif
