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
    const struct optimizer_settings *s = &run->optimizer->settings;
    struct adam *adam = run->state;
    if (s->on_host && s->carries) {
        return fail(error, NST_ERROR_ARGUMENT, "moments are carried over on the device only");
    }
    adam->mean = vector_add(plan, s->on_host, vector_bytes / sizeof(float), "Adam mean");
    adam->square = vector_add(plan, s->on_host, vector_bytes / sizeof(float), "Adam square");
    run->partials = plan_add_always(plan, reduction_bytes(run->optimizer->context, 1), "Adam sums");
    return NST_OK;
}

static nst_status forget(struct optimizer_run *run, nst_error *error) {
    struct adam *adam = run->state;
    nst_context *context = run->optimizer->context;
    adam->steps = 0;
    nst_status status = vector_fill_zero(context, optimizer_vector(run, adam->mean), run->elements, error);
    return status ? status : vector_fill_zero(context, optimizer_vector(run, adam->square), run->elements, error);
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

/* The factors of step number `steps`; see cl/adam.cl. */
struct adam_factors {
    float beta1, beta2, step, correction, epsilon, low, high;
};

static struct adam_factors factors_of(const struct optimizer_run *run, double steps) {
    const struct optimizer_settings *s = &run->optimizer->settings;
    double of_mean = s->uncorrected ? 1 : 1 - pow(s->beta1, steps),
           of_square = s->uncorrected ? 1 : 1 - pow(s->beta2, steps);
    return (struct adam_factors){
        .beta1 = (float)s->beta1,
        .beta2 = (float)s->beta2,
        .step = (float)(run->shortening * run->rate * s->learning_rate / of_mean),
        .correction = (float)sqrt(of_square),
        .epsilon = (float)s->epsilon,
        .low = s->bounded ? (float)s->low : -INFINITY,
        .high = s->bounded ? (float)s->high : INFINITY,
    };
}

/* The kernels' arithmetic on the host, element by element: memory is the limit, and every element is touched once. */
static bool step_on_host(struct optimizer_run *run, float *vector, const float *gradient) {
    struct adam *adam = run->state;
    float *last = optimizer_vector(run, run->last_vector).host;
    float *mean = optimizer_vector(run, adam->mean).host, *square = optimizer_vector(run, adam->square).host;
    double squares = 0;
    for (size_t i = 0; i < run->elements; ++i) {
        squares += (double)gradient[i] * gradient[i];
    }
    if (!isfinite(squares)) {
        return false;
    }
    struct adam_factors f = factors_of(run, ++adam->steps);
    for (size_t i = 0; i < run->elements; ++i) {
        float g = gradient[i], x = vector[i];
        mean[i] = f.beta1 * mean[i] + (1 - f.beta1) * g;
        square[i] = f.beta2 * square[i] + (1 - f.beta2) * g * g;
        last[i] = x;
        vector[i] = fminf(fmaxf(x - f.step * mean[i] / (sqrtf(square[i]) / f.correction + f.epsilon), f.low), f.high);
    }
    return true;
}

static nst_status adam_step(struct optimizer_run *run, struct vector vector, struct vector gradient, bool *finite,
                            nst_error *error) {
    const struct adam_kernels *kernels = run->optimizer->state;
    struct adam *adam = run->state;
    const struct optimizer_settings *s = &run->optimizer->settings;
    if (s->on_host) {
        *finite = step_on_host(run, vector.host, gradient.host);
        run->has_last = run->has_last || *finite;
        return NST_OK;
    }
    nst_status status = is_finite(run, gradient.buffer, finite, error);
    if (status || !*finite) {
        return status;
    }
    struct adam_factors f = factors_of(run, ++adam->steps);
    run->has_last = true;
    return kernel_run(
        run->optimizer->context, kernels->step, reduction_work(run->optimizer->context),
        ARGUMENTS(arg_buffer(vector.buffer), arg_buffer(gradient.buffer),
                  arg_buffer(optimizer_buffer(run, run->last_vector)), arg_buffer(optimizer_buffer(run, adam->mean)),
                  arg_buffer(optimizer_buffer(run, adam->square)), arg_int((int)run->elements), arg_float(f.beta1),
                  arg_float(f.beta2), arg_float(f.step), arg_float(f.correction), arg_float(f.epsilon),
                  arg_int(s->bounded), arg_float((float)s->low), arg_float((float)s->high)),
        error);
}

static nst_status adam_list_state(struct optimizer_run *run, struct state *state, nst_error *error) {
    struct adam *adam = run->state;
    struct vector mean = optimizer_vector(run, adam->mean), square = optimizer_vector(run, adam->square);
    nst_status status = state_value(state, "steps of Adam", adam->steps, error);
    status = status ? status : vector_list_state(state, "Adam mean", mean, run->elements, error);
    return status ? status : vector_list_state(state, "Adam square", square, run->elements, error);
}

const struct optimizer_method adam_method = {
    .state_bytes = sizeof(struct adam_kernels),
    .run_bytes = sizeof(struct adam),
    .works_on_host = true,
    .create = adam_create,
    .destroy = adam_destroy,
    .reserve = adam_reserve,
    .begin = adam_begin,
    .step = adam_step,
    .retreat = forget,
    .list_state = adam_list_state,
};
