/* test_adam.c: every step of Adam on the device (cl/adam.cl) against float64; bounds, retreat and bad gradients. */
#include "minimizer.h"

#include <math.h>
#include <stdlib.h>

static double bowl(const double *x, size_t count, double *gradient, const void *data) {
    (void)data;
    double value = 0;
    for (size_t i = 0; i < count; ++i) {
        double a = 1 + (double)(i % 7);
        value += a * (x[i] - 2) * (x[i] - 2) / 2;
        gradient[i] = a * (x[i] - 2);
    }
    return value;
}

/* RMSprop (Tieleman and Hinton 2012) in float64, with a third of the rate. */
static void check_rmsprop(nst_context *context, const struct optimizer_settings *settings, size_t count) {
    struct minimizer minimizer;
    float *start = random_uniform_array(1, count, -1, 1);
    double *gradient = allocate(count, sizeof *gradient), *square = allocate(count, sizeof *square);
    minimizer_open(&minimizer, context, settings, start, count);
    optimizer_set_rate(minimizer.run, 1.0 / 3);
    for (int t = 1; t <= 25; ++t) {
        double *x = minimizer_vector(&minimizer);
        bowl(x, count, gradient, NULL);
        assert_true(minimizer_step(&minimizer, gradient));
        double *moved = minimizer_vector(&minimizer);
        for (size_t i = 0; i < count; ++i) {
            square[i] = settings->beta2 * square[i] + (1 - settings->beta2) * gradient[i] * gradient[i];
            double expected = x[i] - settings->learning_rate / 3 * gradient[i] / (sqrt(square[i]) + settings->epsilon);
            assert_true(fabs(moved[i] - expected) <= 2e-5);
        }
        free(x);
        free(moved);
    }
    minimizer_close(&minimizer);
    free(start);
    free(gradient);
    free(square);
}

static void without_corrections_it_is_rmsprop(void **state) {
    const struct optimizer_settings settings = {
        .kind = NST_ADAM, .learning_rate = 0.1, .beta2 = 0.99, .epsilon = 1e-8, .uncorrected = true};
    check_rmsprop(*state, &settings, 15);
    check_rmsprop(*state, &settings, 333);
}

/* Algorithm 1 of Kingma and Ba in float64 beside the device, from the device's own vector at each step. */
static void check_steps(nst_context *context, const struct optimizer_settings *settings, size_t count) {
    struct minimizer minimizer;
    float *start = random_uniform_array(1, count, -1, 1);
    double *gradient = allocate(count, sizeof *gradient), *expected = allocate(count, sizeof *expected);
    double *mean = allocate(count, sizeof *mean), *square = allocate(count, sizeof *square);
    minimizer_open(&minimizer, context, settings, start, count);
    for (int t = 1; t <= 25; ++t) {
        double *x = minimizer_vector(&minimizer);
        bowl(x, count, gradient, NULL);
        for (size_t i = 0; i < count; ++i) {
            mean[i] = settings->beta1 * mean[i] + (1 - settings->beta1) * gradient[i];
            square[i] = settings->beta2 * square[i] + (1 - settings->beta2) * gradient[i] * gradient[i];
            double m = mean[i] / (1 - pow(settings->beta1, t)), v = square[i] / (1 - pow(settings->beta2, t));
            expected[i] = x[i] - settings->learning_rate * m / (sqrt(v) + settings->epsilon);
            if (settings->bounded) {
                expected[i] = fmin(fmax(expected[i], settings->low), settings->high);
            }
        }
        assert_true(minimizer_step(&minimizer, gradient));
        double *moved = minimizer_vector(&minimizer);
        for (size_t i = 0; i < count; ++i) {
            if (!(fabs(moved[i] - expected[i]) <= 2e-5)) {
                fail_msg("step %d, element %zu: %.9g instead of %.9g", t, i, moved[i], expected[i]);
            }
        }
        free(x);
        free(moved);
    }
    minimizer_close(&minimizer);
    free(start);
    free(gradient);
    free(expected);
    free(mean);
    free(square);
}

static void steps_agree_with_the_reference(void **state) {
    static const size_t counts[] = {1, 15, 16, 333, 5000};
    for (size_t c = 0; c < sizes_to_try(COUNT_OF(counts), 3); ++c) {
        struct optimizer_settings settings = adam_settings(0.1);
        check_steps(*state, &settings, counts[c]);
        settings.beta2 = 0.99;
        settings.bounded = true;
        settings.low = -0.5;
        settings.high = 1.25;
        check_steps(*state, &settings, counts[c]);
    }
}

static void gradients_that_are_not_finite_move_nothing(void **state) {
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    const size_t count = 100;
    float *start = random_array(1, count);
    double *gradient = allocate(count, sizeof *gradient);
    for (size_t b = 0; b < COUNT_OF(bad); ++b) {
        struct optimizer_settings settings = adam_settings(0.1);
        struct minimizer minimizer;
        minimizer_open(&minimizer, *state, &settings, start, count);
        for (int k = 0; k < 3; ++k) {
            double *x = minimizer_vector(&minimizer);
            bowl(x, count, gradient, NULL);
            double good = gradient[77];
            gradient[77] = bad[b];
            assert_false(minimizer_step(&minimizer, gradient));
            double *after = minimizer_vector(&minimizer);
            assert_memory_equal(x, after, count * sizeof *x);
            free(after);
            gradient[77] = good;
            assert_true(minimizer_step(&minimizer, gradient));
            after = minimizer_vector(&minimizer);
            assert_true(isfinite(after[77]) && after[77] != x[77]);
            free(x);
            free(after);
        }
        minimizer_close(&minimizer);
    }
    free(start);
    free(gradient);
}

static void a_retreat_goes_back_and_halves_the_steps(void **state) {
    const size_t count = 50;
    float *start = random_array(1, count);
    double *gradient = allocate(count, sizeof *gradient), rate = 0.1;
    struct optimizer_settings settings = adam_settings(rate);
    struct minimizer minimizer;
    minimizer_open(&minimizer, *state, &settings, start, count);
    for (int k = 0; k < 4; ++k) {
        double *before = minimizer_vector(&minimizer);
        bowl(before, count, gradient, NULL);
        assert_true(minimizer_step(&minimizer, gradient));
        double *after = minimizer_vector(&minimizer);
        for (size_t i = 0; i < count; ++i) { /* the first step has the length of the learning rate */
            assert_true(fabs(fabs(after[i] - before[i]) - rate) < 1e-5);
        }
        minimizer_retreat(&minimizer);
        rate /= 2;
        free(after);
        after = minimizer_vector(&minimizer);
        assert_memory_equal(before, after, count * sizeof *before);
        free(before);
        free(after);
    }
    minimizer_close(&minimizer);
    free(start);
    free(gradient);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_agree_with_the_reference),
        cmocka_unit_test(without_corrections_it_is_rmsprop),
        cmocka_unit_test(gradients_that_are_not_finite_move_nothing),
        cmocka_unit_test(a_retreat_goes_back_and_halves_the_steps),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
