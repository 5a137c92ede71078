/* gradient.h: are losses and gradient of a whole iteration right? */
#ifndef CHECK_GRADIENT_H
#define CHECK_GRADIENT_H

#include "measure/outcome.h"
#include "measure/workload.h"

/* Losses and gradient of a small picture against the same by the plain engine. */
struct gradient_check {
    struct outcome outcome;
    int size_px;
    double loss_error;                   /* relative */
    double gradient_error;               /* root of the mean square, relative */
    double largest_error, largest_bound; /* of the gradient, relative to its largest element */
};

/* Losses and gradient of a picture of that width by the device's engines against the plain one in single precision.
 * Also about the time of an iteration at that size, 0 if it failed. */
void gradient_check_run(nst_context *context, const struct workload *workload, int size_px,
                        struct gradient_check *check, double *iteration_seconds);

#endif
