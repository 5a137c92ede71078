/* optimizer.h: L-BFGS and Adam on a vector on the device.
 *
 * The caller evaluates loss and gradient at the vector; a step then moves it:
 *
 *     begin, then again and again: evaluate; if the loss is good: step, else: retreat
 *
 * The vector can be kept in low..high. How: a step moves along the optimizer's direction, then every element is
 * projected onto the range. For L-BFGS, an element that stands at a bound and whose gradient pulls it outwards is
 * held: it counts as having no gradient, and does not move (gradient projection). The history keeps the steps as
 * they were really made, after the projection; a pair without positive curvature is left out of it.
 *
 * L-BFGS can work in a metric that suits images: see lbfgs_metric.h.
 *
 * An optimizer does not change once it is made; what it learns and keeps of one vector belongs to a run.
 */
#ifndef OPTIMIZER_OPTIMIZER_H
#define OPTIMIZER_OPTIMIZER_H

#include "device/vector.h"

struct optimizer_settings {
    nst_optimizer kind;
    int history;          /* L-BFGS: pairs kept */
    double learning_rate; /* L-BFGS: the step along its direction, 1 as a rule; Adam: per element */
    double beta1, beta2;  /* Adam */
    double epsilon;       /* Adam */
    bool uncorrected;     /* Adam: moments are not corrected for having begun at zero; with beta1 = 0 this is RMSprop
                            (Tieleman and Hinton 2012) */
    bool carries;         /* Adam: beginning on a vector of another shape, it keeps its moments, resized, and goes on */
    double first_step_rms;   /* L-BFGS: RMS change of the first step; 0: min(1, 1 / |g|_1) * g, as PyTorch's */
    double largest_step_rms; /* L-BFGS: longer steps are shortened; 0: never */
    double correlation;      /* L-BFGS: r of the metric; 0: the plain method */
    double first_matrix;     /* L-BFGS: multiplies the first matrix, s.y / y.y; above 1 it grows with the history */
    bool bounded;
    double low, high;
    bool on_host; /* Adam: vectors lie in the host's memory, where the steps are made too */
};

struct optimizer;
struct optimizer_run;

/* Free with optimizer_destroy. */
nst_status optimizer_create(nst_context *context, const struct optimizer_settings *settings,
                            struct optimizer **optimizer, nst_error *error);
void optimizer_destroy(struct optimizer *optimizer);

/* A vector as planes of rows, [planes][height][width]; where neighbors mean nothing: {1, 1, elements}. */
struct optimizer_shape {
    int planes, height, width;
};
size_t optimizer_elements(struct optimizer_shape shape);

/* Elements of the buffers for a vector of `count`: rounded up, so that kernels may use whole vectors. Buffers of the
 * vector and its gradient must have that many, zeros behind the end. */
size_t optimizer_padded(size_t count);

/* Adds to the plan the state for vectors of up to `count` elements. Optimizer and plan must outlive the run, which is
 * freed with optimizer_run_free. Errors: NST_ERROR_MEMORY, NST_ERROR_ARGUMENT (an optimizer that cannot be on the host). */
nst_status optimizer_reserve(const struct optimizer *optimizer, struct plan *plan, size_t count,
                             struct optimizer_run **run, nst_error *error);
void optimizer_run_free(struct optimizer_run *run);

/* Begins on a vector of that shape. What was learned of another one is forgotten, unless the settings say that it is
 * carried over. */
nst_status optimizer_begin(struct optimizer_run *run, struct optimizer_shape shape, nst_error *error);

/* From now on, until it begins anew, the learning rate is so many times that of the settings. */
void optimizer_set_rate(struct optimizer_run *run, double rate);

/* One step from the vector, at which `gradient` was evaluated (it may be changed: projected). `*finite` tells
 * whether the gradient was; if not, nothing moved. Waits for the inner products. */
nst_status optimizer_step(struct optimizer_run *run, struct vector vector, struct vector gradient, bool *finite,
                          nst_error *error);

/* Back to the vector before the last step, without history and with steps half as long from now on; L-BFGS doubles them
 * again after each step that turns out well. */
nst_status optimizer_retreat(struct optimizer_run *run, struct vector vector, nst_error *error);

/* Lists what is known of the vector, once optimizer_begin was called with its shape. */
nst_status optimizer_list_state(struct optimizer_run *run, struct state *state, nst_error *error);

/* ---- For tests --------------------------------------------------------------------------------------------------- */

/* L-BFGS in the coordinates of inner products ("vector-free", Chen, Wang and Zhou 2014). The basis is s[0], y[0],
 * s[1], y[1], ... in the order of slots, then the gradient; products[i * size + j] are their inner products, size =
 * 2 * slots + 1. `order` lists the used slots from the oldest pair to the newest. Writes the factors of
 *     direction = sum factors[i] * basis[i]
 * of the two-loop recursion (Nocedal and Wright 2006, algorithm 7.4) with the initial matrix first_matrix * s.y / y.y
 * of the newest pair. */
void lbfgs_direction(const double *products, int slots, const int *order, int order_count, double first_matrix,
                     double *factors);

#endif
