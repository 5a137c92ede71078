/* convolution.h: one convolution of noise on the device against sums in float64 on the host. */
#ifndef CHECK_CONVOLUTION_H
#define CHECK_CONVOLUTION_H

#include "network/convolution.h"

/* A convolution of noise, and its results in float64. */
struct check_convolution;

/* Free with check_convolution_free, which accepts NULL. Errors: NST_ERROR_MEMORY. */
nst_status check_convolution_create(nst_context *context, const struct convolution_shape *shape, int height, int width,
                                    struct check_convolution **check, nst_error *error);
void check_convolution_free(struct check_convolution *check);

/* The same sums with another epilogue. */
void check_convolution_set_epilogue(struct check_convolution *check, enum convolution_epilogue epilogue);

/* The largest error of that engine with these parameters, relative to the largest result, infinite where a mask does
 * not fit. Errors: NST_ERROR_ARGUMENT where the engine cannot do the shape, and the device's. */
nst_status check_convolution_run(const struct check_convolution *check, const struct convolution_choice *choice,
                                 double *found, nst_error *error);
/* What that error may be. */
double check_convolution_bound(const struct convolution_shape *shape, const struct convolution_engine *engine);

#endif
