/* average.h: the exponential moving average of an optimizer's vectors x[1], x[2], ... with its bias corrected, as Adam's
 * moments are (Kingma and Ba 2015, section 7.2):
 *
 *     average[t] = (1 - decay) / (1 - decay^t) * sum over i of decay^(t - i) x[i]
 *
 * It is kept as the average itself, of which each new vector takes its share (1 - decay) / (1 - decay^t).
 */
#ifndef OPTIMIZER_AVERAGE_H
#define OPTIMIZER_AVERAGE_H

#include "optimizer/optimizer.h"

struct average {
    nst_context *context;
    double decay;
    int number; /* of vectors so far */
    cl_kernel add;
};

/* Release with average_release, also after a failure. Errors: NST_ERROR_OPENCL. */
nst_status average_create(nst_context *context, double decay, struct average *average, nst_error *error);
void average_release(struct average *average);

/* Makes `mean` the first vector; adds one more to it. Of `count` elements; both enqueue and do not wait. */
nst_status average_begin(struct average *average, cl_mem vector, cl_mem mean, size_t count, nst_error *error);
nst_status average_add(struct average *average, cl_mem vector, cl_mem mean, size_t count, nst_error *error);

/* Lists the number of vectors and `mean`, of `count` elements. */
nst_status average_list_state(struct average *average, cl_mem mean, size_t count, struct state *state,
                              nst_error *error);

#endif
