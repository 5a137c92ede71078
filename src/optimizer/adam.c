/* adam.c: Adam on the device; the arithmetic is in cl/adam.cl. */
#include "optimizer/optimizer_internal.h"

#include "optimizer/resample.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>

/* What does not change. */
struct adam_kernels {
    cl_kernel squares, step;
    struct resample resample; /* where moments are carried over */
};

/* What a run owns. */
struct adam {
    int mean, square; /* plan entries */
    int steps;        /* since begin */
};

static nst_status adam_create(struct optimizer *optimizer, nst_error *error) {
    struct adam_kernels *kernels = optimizer->state;
    nst_status status = kernel_create(optimizer->context, "adam.cl", "", "adam_squares", &kernels->squares, error);
    if (!status && optimizer->settings.carries) {
        status = resample_create(optimizer->context, &kernels->resample, error);
    }
    return status ? status : kernel_create(optimizer->context, "adam.cl", "", "adam_step", &kernels->step, error);
}

static void adam_destroy(struct optimizer *optimizer) {
    struct adam_kernels *kernels = optimizer->state;
    kernel_release(&kernels->squares);
    kernel_release(&kernels->step);
    resample_release(&kernels->resample);
}

static nst_status adam_reserve(struct optimizer_run *run, struct plan *plan, uint64_t vector_bytes, nst_error *error) {
    (void)error;
    struct adam *adam = run->state;
    adam->mean = plan_add_always(plan, vector_bytes, "Adam mean");
    adam->square = plan_add_always(plan, vector_bytes, "Adam square");
    run->partials = plan_add_always(plan, reduction_bytes(run->optimizer->context, 1), "Adam sums");
    return NST_OK;
}

static nst_status forget(struct optimizer_run *run, nst_error *error) {
    struct adam *adam = run->state;
    nst_context *context = run->optimizer->context;
    size_t bytes = run->elements * sizeof(float);
    adam->steps = 0;
    nst_status status = buffer_fill_zero(context, optimizer_buffer(run, adam->mean), bytes, error);
    return status ? status : buffer_fill_zero(context, optimizer_buffer(run, adam->square), bytes, error);
}

/* A moment at the new size; the vector before the last step is not needed any more. */
static nst_status resize_moment(struct optimizer_run *run, int moment, bool is_square, nst_error *error) {
    const struct adam_kernels *kernels = run->optimizer->state;
    nst_context *context = run->optimizer->context;
    cl_mem buffer = optimizer_buffer(run, moment), copy = optimizer_buffer(run, run->last_vector);
    const struct resample_call call = {.from = run->last_shape,
                                       .to = run->shape,
                                       .is_cubic = !is_square, /* a cubic one might become negative */
                                       .low = is_square ? 0 : -INFINITY,
                                       .high = INFINITY,
                                       .input = copy,
                                       .output = buffer};
    nst_status status = buffer_copy(context, buffer, copy, optimizer_elements(run->last_shape) * sizeof(float), error);
    status = status ? status : buffer_fill_zero(context, buffer, run->elements * sizeof(float), error);
    return status ? status : resample_run(context, &kernels->resample, &call, error);
}

static nst_status adam_begin(struct optimizer_run *run, nst_error *error) {
    const struct adam *adam = run->state;
    if (!run->optimizer->settings.carries || run->last_shape.planes != run->shape.planes) {
        return forget(run, error);
    }
    nst_status status = resize_moment(run, adam->mean, false, error);
    return status ? status : resize_moment(run, adam->square, true, error);
}

static nst_status is_finite(struct optimizer_run *run, cl_mem gradient, bool *finite, nst_error *error) {
    const struct adam_kernels *kernels = run->optimizer->state;
    cl_mem partials = optimizer_buffer(run, run->partials);
    double squares = 0;
    nst_status status =
        kernel_run(run->optimizer->context, kernels->squares, reduction_work(run->optimizer->context),
                   ARGUMENTS(arg_buffer(gradient), arg_int((int)run->elements), arg_buffer(partials)), error);
    if (!status) {
        status = reduction_read(run->optimizer->context, partials, 0, &squares, error);
    }
    *finite = isfinite(squares);
    return status;
}

static nst_status adam_step(struct optimizer_run *run, cl_mem vector, cl_mem gradient, bool *finite, nst_error *error) {
    const struct adam_kernels *kernels = run->optimizer->state;
    struct adam *adam = run->state;
    const struct optimizer_settings *s = &run->optimizer->settings;
    nst_status status = is_finite(run, gradient, finite, error);
    if (status || !*finite) {
        return status;
    }
    double steps = ++adam->steps;
    double step = run->shortening * s->learning_rate / (1 - pow(s->beta1, steps));
    double correction = sqrt(1 - pow(s->beta2, steps));
    run->has_last = true;
    return kernel_run(
        run->optimizer->context, kernels->step, reduction_work(run->optimizer->context),
        ARGUMENTS(arg_buffer(vector), arg_buffer(gradient), arg_buffer(optimizer_buffer(run, run->last_vector)),
                  arg_buffer(optimizer_buffer(run, adam->mean)), arg_buffer(optimizer_buffer(run, adam->square)),
                  arg_int((int)run->elements), arg_float((float)s->beta1), arg_float((float)s->beta2),
                  arg_float((float)step), arg_float((float)correction), arg_float((float)s->epsilon),
                  arg_int(s->bounded), arg_float((float)s->low), arg_float((float)s->high)),
        error);
}

static nst_status adam_list_state(struct optimizer_run *run, struct state *state, nst_error *error) {
    struct adam *adam = run->state;
    size_t bytes = run->elements * sizeof(float);
    nst_status status = state_value(state, "steps of Adam", adam->steps, error);
    status = status ? status : state_buffer(state, "Adam mean", optimizer_buffer(run, adam->mean), bytes, error);
    return status ? status : state_buffer(state, "Adam square", optimizer_buffer(run, adam->square), bytes, error);
}

const struct optimizer_method adam_method = {
    .state_bytes = sizeof(struct adam_kernels),
    .run_bytes = sizeof(struct adam),
    .create = adam_create,
    .destroy = adam_destroy,
    .reserve = adam_reserve,
    .begin = adam_begin,
    .step = adam_step,
    .retreat = forget,
    .list_state = adam_list_state,
};
