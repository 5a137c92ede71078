/* adam.c: Adam on the device; the arithmetic is in cl/adam.cl. */
#include "optimizer/optimizer_internal.h"

#include "support/error.h"

#include <math.h>
#include <stdlib.h>

struct adam {
    cl_kernel squares, kernel;
    int mean, square; /* plan entries */
    int steps;        /* since begin */
};

static nst_status adam_create(struct optimizer *optimizer, nst_error *error) {
    struct adam *adam = optimizer->state = calloc(1, sizeof *adam);
    if (!adam) {
        return fail_memory(error, sizeof *adam, "the optimizer");
    }
    nst_status status = kernel_create(optimizer->context, "adam.cl", "", "adam_squares", &adam->squares, error);
    return status ? status : kernel_create(optimizer->context, "adam.cl", "", "adam_step", &adam->kernel, error);
}

static void adam_destroy(struct optimizer *optimizer) {
    struct adam *adam = optimizer->state;
    kernel_release(&adam->squares);
    kernel_release(&adam->kernel);
}

static void adam_add_to_plan(struct optimizer *optimizer, struct plan *plan, uint64_t vector_bytes) {
    struct adam *adam = optimizer->state;
    adam->mean = plan_add_always(plan, vector_bytes, "Adam mean");
    adam->square = plan_add_always(plan, vector_bytes, "Adam square");
    optimizer->partials = plan_add_always(plan, reduction_bytes(optimizer->context, 1), "Adam sums");
}

static nst_status forget(struct optimizer *optimizer, const struct plan *plan, nst_error *error) {
    struct adam *adam = optimizer->state;
    size_t bytes = optimizer->elements * sizeof(float);
    adam->steps = 0;
    nst_status status = buffer_fill_zero(optimizer->context, plan_buffer(plan, adam->mean), bytes, error);
    return status ? status : buffer_fill_zero(optimizer->context, plan_buffer(plan, adam->square), bytes, error);
}

static nst_status is_finite(struct optimizer *optimizer, const struct plan *plan, cl_mem gradient, bool *finite,
                            nst_error *error) {
    struct adam *adam = optimizer->state;
    cl_mem partials = plan_buffer(plan, optimizer->partials);
    double squares = 0;
    nst_status status =
        kernel_run(optimizer->context, adam->squares, reduction_work(optimizer->context),
                   ARGUMENTS(arg_buffer(gradient), arg_int((int)optimizer->elements), arg_buffer(partials)), error);
    if (!status) {
        status = reduction_read(optimizer->context, partials, 0, &squares, error);
    }
    *finite = isfinite(squares);
    return status;
}

static nst_status adam_step(struct optimizer *optimizer, const struct plan *plan, cl_mem vector, cl_mem gradient,
                            bool *finite, nst_error *error) {
    struct adam *adam = optimizer->state;
    const struct optimizer_settings *s = &optimizer->settings;
    nst_status status = is_finite(optimizer, plan, gradient, finite, error);
    if (status || !*finite) {
        return status;
    }
    double steps = ++adam->steps;
    double step = optimizer->shortening * s->learning_rate / (1 - pow(s->beta1, steps));
    double correction = sqrt(1 - pow(s->beta2, steps));
    optimizer->has_last = true;
    return kernel_run(
        optimizer->context, adam->kernel, reduction_work(optimizer->context),
        ARGUMENTS(arg_buffer(vector), arg_buffer(gradient), arg_buffer(plan_buffer(plan, optimizer->last_vector)),
                  arg_buffer(plan_buffer(plan, adam->mean)), arg_buffer(plan_buffer(plan, adam->square)),
                  arg_int((int)optimizer->elements), arg_float((float)s->beta1), arg_float((float)s->beta2),
                  arg_float((float)step), arg_float((float)correction), arg_float((float)s->epsilon),
                  arg_int(s->bounded), arg_float((float)s->low), arg_float((float)s->high)),
        error);
}

const struct optimizer_method adam_method = {
    .create = adam_create,
    .destroy = adam_destroy,
    .add_to_plan = adam_add_to_plan,
    .begin = forget,
    .step = adam_step,
    .retreat = forget,
};
