/* minimizer.h: an optimizer on the device with its vector and gradient, fed by functions that the host evaluates. */
#ifndef TESTS_MINIMIZER_H
#define TESTS_MINIMIZER_H

#include "fixture.h"
#include "optimizer/optimizer.h"

struct minimizer {
    nst_context *context;
    struct optimizer *optimizer;
    struct plan plan;
    struct optimizer_run *run;
    size_t count;
    cl_mem vector, gradient; /* padded */
};

/* A function of `count` variables; `data` is its own. Fills `gradient`. */
typedef double function(const double *x, size_t count, double *gradient, const void *data);

/* L-BFGS as PyTorch's, and Adam with the usual constants; unbounded. */
struct optimizer_settings lbfgs_settings(int history);
struct optimizer_settings adam_settings(double learning_rate);

/* Begins on a vector with these values (copied). Close with minimizer_close. */
void minimizer_open(struct minimizer *minimizer, nst_context *context, const struct optimizer_settings *settings,
                    const float *values, size_t count);
void minimizer_close(struct minimizer *minimizer);

/* The vector as it is; checks that what lies behind its end is zero. From malloc. */
double *minimizer_vector(const struct minimizer *minimizer);
/* One step with that gradient; returns whether the optimizer found it finite. */
bool minimizer_step(struct minimizer *minimizer, const double *gradient);
void minimizer_retreat(struct minimizer *minimizer);

/* Up to `iterations` evaluations and steps, retreating as a job does (from values that are not finite or five times the
 * last good one). Returns the least value seen. */
double minimizer_run(struct minimizer *minimizer, function *f, const void *data, int iterations);

#endif
