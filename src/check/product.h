/* product.h: one product of matrices on the device against float64 on the host. */
#ifndef CHECK_PRODUCT_H
#define CHECK_PRODUCT_H

#include "network/product.h"

/* The largest error of a Gram matrix of noise by that engine, relative to the largest element. Errors:
 * NST_ERROR_ARGUMENT where the engine cannot do it, NST_ERROR_MEMORY, and the device's. */
nst_status check_product(nst_context *context, const struct product_engine *engine, int channels, double *found,
                         nst_error *error);
/* What that error may be. */
double check_product_bound(void);

#endif
