/* test_metric.c: the change of variables of L-BFGS (optimizer/lbfgs_metric.c) against the matrices it stands for, in
 * float64, on planes of odd shapes; and L-BFGS in it. */
#include "minimizer.h"
#include "optimizer/lbfgs_metric.h"

#include <math.h>
#include <stdlib.h>

static const struct optimizer_shape shapes[] = {{1, 1, 1}, {3, 1, 7}, {2, 9, 1}, {3, 5, 4}, {3, 37, 29}};
static const double correlation = 0.6;

/* L of one line, for elements i and j: c r^(i - j) below the diagonal and on it, with c = 1 in the first column. */
static double line_factor(int i, int j) {
    return i < j ? 0 : pow(correlation, i - j) * (j > 0 ? sqrt(1 - correlation * correlation) : 1);
}

/* L v, or L^T v. */
static double *multiply(const double *v, struct optimizer_shape shape, bool transposed) {
    int width = shape.width, pixels = shape.height * width;
    double *result = allocate((size_t)(shape.planes * pixels), sizeof *result);
    for (int plane = 0; plane < shape.planes; ++plane) {
        for (int to = 0; to < pixels; ++to) {
            for (int from = 0; from < pixels; ++from) {
                int i = transposed ? from : to, j = transposed ? to : from;
                result[plane * pixels + to] +=
                    line_factor(i / width, j / width) * line_factor(i % width, j % width) * v[plane * pixels + from];
            }
        }
    }
    return result;
}

/* Vector 2 of 3, the others untouched. */
static void check_operations(nst_context *context, struct optimizer_shape shape) {
    nst_error error;
    struct lbfgs_metric metric;
    size_t count = optimizer_elements(shape), padded = optimizer_padded(count);
    float *vectors = random_array(1, 3 * padded);
    double *v = to_doubles(vectors + padded, count);
    double *forward = multiply(v, shape, false), *transposed = multiply(v, shape, true);
    const double *expected[] = {forward, v, transposed};
    check(lbfgs_metric_create(context, correlation, &metric, &error), &error);
    cl_mem buffer = upload(context, vectors, 3 * padded * sizeof *vectors);
    for (int operation = METRIC_FORWARD; operation <= METRIC_TRANSPOSE; ++operation) {
        if (operation == METRIC_TRANSPOSE) { /* forward and inverse come after each other: back where it began */
            check(buffer_write(context, buffer, 0, vectors, 3 * padded * sizeof *vectors, &error), &error);
        }
        check(lbfgs_metric_apply(&metric, operation, buffer, 1, shape, &error), &error);
        float *got = download(context, buffer, 3 * padded * sizeof *got);
        assert_near("metric", got + padded, expected[operation], count, 1e-5);
        for (size_t i = 0; i < padded; ++i) {
            assert_true(got[i] == vectors[i] && got[2 * padded + i] == vectors[2 * padded + i]);
            assert_true(i < count || got[padded + i] == vectors[padded + i]);
        }
        free(got);
    }
    buffer_release(context, &buffer);
    lbfgs_metric_release(&metric);
    free(vectors);
    free(v);
    free(forward);
    free(transposed);
}

static void operations_agree_with_their_matrices(void **state) {
    for (size_t i = 0; i < COUNT_OF(shapes); ++i) {
        check_operations(*state, shapes[i]);
    }
}

/* ---- L-BFGS in it ------------------------------------------------------------------------------------------------ */

/* sum of (neighboring difference)^2 / 2 + (x - target)^2 / 200: long waves have little curvature, as in a line of
 * pixels */
static double elastic(const double *x, size_t count, double *gradient, const void *data) {
    (void)data;
    double value = 0;
    for (size_t i = 0; i < count; ++i) {
        double offset = x[i] - sin(0.01 * (double)i * (double)i);
        value += offset * offset / 200;
        gradient[i] = offset / 100;
    }
    for (size_t i = 0; i + 1 < count; ++i) {
        double difference = x[i + 1] - x[i];
        value += difference * difference / 2;
        gradient[i] -= difference;
        gradient[i + 1] += difference;
    }
    return value;
}

static double minimize(nst_context *context, struct optimizer_settings settings, int iterations) {
    enum { COUNT = 400 };
    struct minimizer minimizer;
    float *start = random_array(5, COUNT);
    double gradient[COUNT];
    settings.first_step_rms = 0.1;
    minimizer_open(&minimizer, context, &settings, start, COUNT);
    minimizer_run(&minimizer, elastic, NULL, iterations);
    double *x = minimizer_vector(&minimizer), value = elastic(x, COUNT, gradient, NULL);
    free(x);
    free(start);
    minimizer_close(&minimizer);
    return value;
}

/* The first step: of the projected gradient p, by -L L^T p, so long that L^T p, with all its elements, has the root mean
 * square that is asked for; what is held stays, though in the variables of the metric it moves. */
static void check_first_step(nst_context *context, double gradient_size) {
    enum { COUNT = 48 }; /* nothing is padded: the mean is over the padded vector */
    const struct optimizer_shape line = {1, 1, COUNT};
    struct optimizer_settings settings = lbfgs_settings(5);
    settings.correlation = correlation;
    settings.first_step_rms = 0.05;
    settings.bounded = true;
    settings.low = -0.6;
    settings.high = 0.6;
    float *start = random_array(6, COUNT);
    double gradient[COUNT], projected[COUNT], squares = 0;
    for (int i = 0; i < COUNT; ++i) {
        start[i] = (float)fmin(fmax((double)start[i], settings.low), settings.high);
        gradient[i] = gradient_size * (1 + sin(i));
        projected[i] = (double)start[i] <= (double)(float)settings.low ? 0 : gradient[i];
    }
    double *transposed = multiply(projected, line, true), *direction = multiply(transposed, line, false);
    for (int i = 0; i < COUNT; ++i) {
        squares += transposed[i] * transposed[i];
    }
    double step = settings.first_step_rms / sqrt(squares / COUNT);
    struct minimizer minimizer;
    minimizer_open(&minimizer, context, &settings, start, COUNT);
    assert_true(minimizer_step(&minimizer, gradient));
    double *moved = minimizer_vector(&minimizer);
    int held = 0;
    for (int i = 0; i < COUNT; ++i) {
        double expected = fmin(fmax((double)start[i] - step * direction[i], settings.low), settings.high);
        held += projected[i] != gradient[i];
        assert_true(fabs(moved[i] - (projected[i] != gradient[i] ? (double)start[i] : expected)) < 1e-6);
    }
    assert_in_range(held, 3, COUNT - 3);
    free(moved);
    minimizer_close(&minimizer);
    free(transposed);
    free(direction);
    free(start);
}

static void first_step_within_bounds(void **state) {
    check_first_step(*state, 1);
    check_first_step(*state, 1e-3);
}

/* The same minimum, and nearer to it after the same steps. */
static void smooth_problems_go_faster(void **state) {
    struct optimizer_settings plain = lbfgs_settings(10), smooth = plain;
    smooth.correlation = 0.8;
    double least = minimize(*state, plain, 300);
    assert_close("minimum", minimize(*state, smooth, 300), least, 1e-3);
    double plain_rest = minimize(*state, plain, 20) - least, smooth_rest = minimize(*state, smooth, 20) - least;
    if (!(smooth_rest < 0.5 * plain_rest)) {
        fail_msg("after 20 steps %g above the minimum, without the metric %g", smooth_rest, plain_rest);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_agree_with_their_matrices),
        cmocka_unit_test(first_step_within_bounds),
        cmocka_unit_test(smooth_problems_go_faster),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
