/* problem.h: one convolution with its data: random input, the sums in float64 that it should give, a run on the device,
 * and the comparison of the two. Failures are failed assertions. */
#ifndef TESTS_NETWORK_PROBLEM_H
#define TESTS_NETWORK_PROBLEM_H

#include "network/convolution.h"
#include "support/random.h"

struct size {
    int height, width;
};

struct problem {
    struct convolution_shape shape; /* its epilogue is set per run */
    struct size in, out;
    const float *weights, *bias;
    float *input;     /* dense */
    double *expected; /* dense sums */
};

/* From the normal distribution, to be freed. */
float *random_values(struct random_generator *generator, size_t count);

/* Weights and bias stay the caller's, and must outlive it; to be freed. */
void problem_init(struct problem *problem, const struct convolution_shape *shape, struct size in, const float *weights,
                  const float *bias, struct random_generator *generator);
void problem_free(struct problem *problem);

/* What a run left. */
struct maps {
    size_t out_bytes, mask_bytes; /* as floats */
    float *before, *after;        /* the output in blocks, before and after the run */
    cl_ushort *mask;              /* after it */
};

/* Runs it once. What the output holds before is random for MASK_ADD, otherwise not a number; the mask is random. The
 * maps are to be freed. */
struct maps problem_run(nst_context *context, struct convolution *convolution, const struct problem *problem,
                        enum convolution_epilogue epilogue);
void maps_free(struct maps *maps);

/* RMS of the error over RMS of the sums; checks on the way what must hold exactly. */
double problem_compare(const nst_context *context, const struct problem *problem, const struct maps *maps,
                       enum convolution_epilogue epilogue);

/* Bits of pixels that do not exist are zero. */
void problem_check_mask_border(const nst_context *context, const struct problem *problem, const struct maps *maps);

#endif
