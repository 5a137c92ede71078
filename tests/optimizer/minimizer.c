/* minimizer.c: an optimizer on the device, fed by functions that the host evaluates; see minimizer.h. */
#include "minimizer.h"

#include <math.h>
#include <stdlib.h>

struct optimizer_settings lbfgs_settings(int history) {
    return (struct optimizer_settings){.kind = NST_LBFGS, .history = history, .learning_rate = 1, .first_matrix = 1};
}

struct optimizer_settings adam_settings(double learning_rate) {
    return (struct optimizer_settings){
        .kind = NST_ADAM, .history = 1, .learning_rate = learning_rate, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
}

/* Zeros behind the end. */
static void write_padded(nst_context *context, cl_mem buffer, const double *values, size_t count) {
    nst_error error;
    float *padded = allocate(optimizer_padded(count), sizeof *padded);
    for (size_t i = 0; i < count; ++i) {
        padded[i] = (float)values[i];
    }
    check(buffer_write(context, buffer, 0, padded, optimizer_padded(count) * sizeof *padded, &error), &error);
    free(padded);
}

void minimizer_open(struct minimizer *minimizer, nst_context *context, const struct optimizer_settings *settings,
                    const float *values, size_t count) {
    nst_error error;
    struct optimizer_shape shape = {1, 1, (int)count};
    *minimizer = (struct minimizer){.context = context, .count = count};
    check(optimizer_create(context, settings, &minimizer->optimizer, &error), &error);
    check(optimizer_reserve(minimizer->optimizer, &minimizer->plan, count, &minimizer->run, &error), &error);
    check(plan_assign(&minimizer->plan, &error), &error);
    check(plan_allocate(&minimizer->plan, context, &error), &error);
    minimizer->vector = create_zero(context, optimizer_padded(count) * sizeof(float));
    minimizer->gradient = create_zero(context, optimizer_padded(count) * sizeof(float));
    double *doubles = to_doubles(values, count);
    write_padded(context, minimizer->vector, doubles, count);
    free(doubles);
    check(optimizer_begin(minimizer->run, shape, &error), &error);
}

void minimizer_close(struct minimizer *minimizer) {
    buffer_release(minimizer->context, &minimizer->vector);
    buffer_release(minimizer->context, &minimizer->gradient);
    optimizer_run_free(minimizer->run);
    plan_free(&minimizer->plan, minimizer->context);
    optimizer_destroy(minimizer->optimizer);
}

double *minimizer_vector(const struct minimizer *minimizer) {
    size_t padded = optimizer_padded(minimizer->count);
    float *values = download(minimizer->context, minimizer->vector, padded * sizeof *values);
    for (size_t i = minimizer->count; i < padded; ++i) {
        assert_true(values[i] == 0);
    }
    double *vector = to_doubles(values, minimizer->count);
    free(values);
    return vector;
}

bool minimizer_step(struct minimizer *minimizer, const double *gradient) {
    nst_error error;
    bool finite = false;
    write_padded(minimizer->context, minimizer->gradient, gradient, minimizer->count);
    check(optimizer_step(minimizer->run, vector_on_device(minimizer->vector), vector_on_device(minimizer->gradient),
                         &finite, &error),
          &error);
    return finite;
}

void minimizer_retreat(struct minimizer *minimizer) {
    nst_error error;
    check(optimizer_retreat(minimizer->run, vector_on_device(minimizer->vector), &error), &error);
}

double minimizer_run(struct minimizer *minimizer, function *f, const void *data, int iterations) {
    double *gradient = allocate(minimizer->count, sizeof *gradient), last = INFINITY, least = INFINITY;
    for (int i = 0; i < iterations; ++i) {
        double *x = minimizer_vector(minimizer);
        double value = f(x, minimizer->count, gradient, data);
        free(x);
        if (!isfinite(value) || value > 5 * last || !minimizer_step(minimizer, gradient)) {
            minimizer_retreat(minimizer);
            continue;
        }
        last = value;
        least = value < least ? value : least;
    }
    free(gradient);
    return least;
}
