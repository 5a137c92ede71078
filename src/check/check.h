/* check.h: whether a device computes rightly: known answers, and the losses and gradient of a whole iteration. */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "measure/outcome.h"
#include "measure/workload.h"

enum { CHECK_SCHEMA = 1 }; /* of the reports in JSON */

/* Losses and gradient of a small picture against the same by the plain engine. */
struct bench_check {
    struct bench_outcome outcome;
    int size_px;
    double loss_error;                   /* relative */
    double gradient_error;               /* root of the mean square, relative */
    double largest_error, largest_bound; /* of the gradient, relative to its largest element */
};

/* Losses and gradient of a picture of that width by the device's engines against the plain one in single precision.
 * Also about the time of an iteration at that size, 0 if it failed. */
void check_measure(nst_context *context, const struct workload *workload, int size_px, struct bench_check *check,
                   double *iteration_seconds);

/* ---- Known answers ----------------------------------------------------------------------------------------------- */

/* One kernel or engine at one size against float64 on the host. */
struct known_answer {
    char name[64], detail[64]; /* "convolution 3x3 relu", "winograd F(4x4), 64 to 64, 33x17" */
    struct bench_outcome outcome;
    double error, bound;
};

struct known_answers {
    nst_device_info info;
    struct bench_outcome outcome; /* of opening the device */
    struct known_answer *answers;
    int count, capacity;
};

/* Runs every convolution engine and epilogue that the device would use, Gram matrix, pooling, losses and optimizer
 * steps. Errors as above. Free with known_answers_free, also after a failure. */
nst_status known_answers_run(const char *device, bool no_cache, struct known_answers *answers, nst_error *error);
void known_answers_free(struct known_answers *answers);
/* True if everything ran and every error is within its bound. */
bool known_answers_fine(const struct known_answers *answers);

#endif
