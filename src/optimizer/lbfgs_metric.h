/* lbfgs_metric.h: a change of variables x = L z for L-BFGS on images, which makes smooth changes the short ones.
 * Working on z with the plain method is working on x with L L^T in the place of the first matrix: a preconditioner. The
 * formula is in cl/lbfgs_metric.cl. */
#ifndef OPTIMIZER_LBFGS_METRIC_H
#define OPTIMIZER_LBFGS_METRIC_H

#include "device/context.h"
#include "optimizer/optimizer.h"

struct lbfgs_metric {
    nst_context *context;
    double correlation; /* r, of neighboring pixels, 0..1; 0: z is x */
    cl_kernel rows, columns;
};

enum lbfgs_metric_operation {
    METRIC_FORWARD,  /* L: a change of z to that of x */
    METRIC_INVERSE,  /* L^-1: a change of x to that of z */
    METRIC_TRANSPOSE /* L^T: a gradient for x to that for z */
};

nst_status lbfgs_metric_create(nst_context *context, double correlation, struct lbfgs_metric *metric, nst_error *error);
void lbfgs_metric_release(struct lbfgs_metric *metric);

/* Transforms, in place, vector number `vector` of a buffer of vectors with optimizer_padded elements each. */
nst_status lbfgs_metric_apply(const struct lbfgs_metric *metric, enum lbfgs_metric_operation operation, cl_mem vectors,
                              int vector, struct optimizer_shape shape, nst_error *error);

#endif
