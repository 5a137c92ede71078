/* test_lbfgs.c: every step of L-BFGS on the device against the recursion in float64, which is given the same vectors
 * and gradients: histories shorter and longer than a page, wrapping round, rejected pairs, bounds. Then what it does
 * with bad gradients and when it has to retreat. */
#include "minimizer.h"
#include "reference/lbfgs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* sum a_i (x_i - 1)^2 / 2 with neighbors coupled, a_i from 1 to 50 */
static double coupled_quadratic(const double *x, size_t count, double *gradient, const void *data) {
    (void)data;
    double value = 0;
    for (size_t i = 0; i < count; ++i) {
        double a = 1 + 49.0 * (double)i / (double)count;
        gradient[i] = a * (x[i] - 1);
        value += a * (x[i] - 1) * (x[i] - 1) / 2;
    }
    for (size_t i = 0; i + 1 < count; ++i) {
        double difference = x[i + 1] - x[i];
        value += difference * difference / 2;
        gradient[i] -= difference;
        gradient[i + 1] += difference;
    }
    return value;
}

/* Waves in a wide bowl: on the way pairs of negative curvature come up. */
static double waves(const double *x, size_t count, double *gradient, const void *data) {
    (void)data;
    double value = 0;
    for (size_t i = 0; i < count; ++i) {
        value += 3 * sin(x[i]) + 0.02 * x[i] * x[i];
        gradient[i] = 3 * cos(x[i]) + 0.04 * x[i];
    }
    return value;
}

/* Where the next vector should be. */
static void expect_step(const struct reference_lbfgs *reference, const struct optimizer_settings *settings,
                        const double *x, const double *gradient, const double *direction, bool is_first,
                        double *expected) {
    double step = settings->learning_rate;
    if (is_first) {
        double absolute = 0;
        for (size_t i = 0; i < reference->count; ++i) {
            absolute += reference_lbfgs_is_held(reference, x[i], gradient[i]) ? 0 : fabs(gradient[i]);
        }
        step *= absolute > 1 ? 1 / absolute : 1;
    }
    for (size_t i = 0; i < reference->count; ++i) {
        expected[i] = x[i] + step * direction[i];
        if (reference->bounded) {
            expected[i] = fmin(fmax(expected[i], reference->low), reference->high);
            expected[i] = reference_lbfgs_is_held(reference, x[i], gradient[i]) ? x[i] : expected[i];
        }
    }
}

static double rms_of_difference(const double *a, const double *b, size_t count) {
    double squares = 0;
    for (size_t i = 0; i < count; ++i) {
        squares += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return sqrt(squares / (double)count);
}

/* Returns how many pairs were rejected. */
static int check_steps(nst_context *context, const struct optimizer_settings *settings, function *f, size_t count,
                       int steps) {
    struct minimizer minimizer;
    struct reference_lbfgs reference;
    float *start = random_uniform_array(3, count, -4, 4);
    double *gradient = allocate(count, sizeof *gradient), *direction = allocate(count, sizeof *direction);
    double *expected = allocate(count, sizeof *expected);
    for (size_t i = 0; i < count && settings->bounded; ++i) {
        start[i] = (float)fmin(fmax(start[i], settings->low), settings->high);
    }
    minimizer_open(&minimizer, context, settings, start, count);
    reference_lbfgs_init(&reference, count, settings->history);
    reference.bounded = settings->bounded;
    reference.low = settings->low;
    reference.high = settings->high;
    int compared = 0;
    for (int k = 0; k < steps; ++k) {
        double *x = minimizer_vector(&minimizer);
        f(x, count, gradient, NULL);
        for (size_t i = 0; i < count; ++i) {
            gradient[i] = (float)gradient[i];
        }
        reference_lbfgs_direction(&reference, x, gradient, direction);
        expect_step(&reference, settings, x, gradient, direction, k == 0, expected);
        assert_true(minimizer_step(&minimizer, gradient));
        double *moved = minimizer_vector(&minimizer);
        double step = rms_of_difference(expected, x, count), error = rms_of_difference(expected, moved, count);
        /* Near the minimum the difference of two vectors in float has no digits left for the reference. */
        if (step > 1e-3) {
            ++compared;
            if (!(error < 2e-3 * step)) {
                fail_msg("history %d, %zu elements, step %d: RMS %.3g, off by %.3g", settings->history, count, k, step,
                         error);
            }
        }
        free(x);
        free(moved);
    }
    assert_true(compared >= 5);
    int rejected = reference.rejected;
    reference_lbfgs_free(&reference);
    minimizer_close(&minimizer);
    free(start);
    free(gradient);
    free(direction);
    free(expected);
    return rejected;
}

static void steps_agree_with_the_reference(void **state) {
    static const int histories[] = {1, 2, 7, 8, 9, 20};
    static const size_t counts[] = {1, 15, 16, 333, 5000};
    for (size_t h = 0; h < sizes_to_try(COUNT_OF(histories), 2); ++h) {
        struct optimizer_settings settings = lbfgs_settings(histories[h]);
        for (size_t c = 1; c < sizes_to_try(COUNT_OF(counts), 3); ++c) {
            check_steps(*state, &settings, coupled_quadratic, counts[c], (int)sizes_to_try(30, 10));
        }
    }
}

static void pairs_of_negative_curvature_are_left_out(void **state) {
    struct optimizer_settings settings = lbfgs_settings(3);
    int rejected = check_steps(*state, &settings, waves, 5, 60);
    settings = lbfgs_settings(12);
    rejected += check_steps(*state, &settings, waves, 7, 60);
    rejected += check_steps(*state, &settings, waves, 3, 60);
    assert_true(rejected > 0);
}

static void bounded_steps_agree_with_the_reference(void **state) {
    static const int histories[] = {1, 3, 12};
    for (size_t h = 0; h < sizes_to_try(COUNT_OF(histories), 2); ++h) {
        struct optimizer_settings settings = lbfgs_settings(histories[h]);
        settings.bounded = true;
        settings.low = -2;
        settings.high = 0.5; /* the minimum is at 1 */
        check_steps(*state, &settings, coupled_quadratic, 333, 25);
        settings.high = 3;
        check_steps(*state, &settings, coupled_quadratic, 333, 25);
    }
}

/* A first step too short to change the gradient gives no pair: the second one is the whole gradient, not as short
 * again. */
static void a_first_step_without_a_pair_is_not_repeated(void **state) {
    const double gradient[4] = {3, -4, 5, 100};
    const float start[4] = {1, 2, 3, 4};
    struct optimizer_settings settings = lbfgs_settings(5);
    struct minimizer minimizer;
    minimizer_open(&minimizer, *state, &settings, start, 4);
    for (int k = 0; k < 2; ++k) {
        double *before = minimizer_vector(&minimizer);
        assert_true(minimizer_step(&minimizer, gradient));
        double *after = minimizer_vector(&minimizer);
        for (int i = 0; i < 4; ++i) {
            assert_true(fabs(after[i] - before[i] + gradient[i] / (k == 0 ? 112 : 1)) < 1e-5);
        }
        free(before);
        free(after);
    }
    minimizer_close(&minimizer);
}

/* ---- Step lengths ---------------------------------------------------------------------------------------------- */

static void first_steps_have_the_length_asked_for(void **state) {
    const size_t count = 320; /* without padding, so that an RMS is one over the real elements */
    float *start = random_array(1, count), *random = random_array(2, count);
    double *gradient = to_doubles(random, count), *zero = to_doubles(start, count);
    struct optimizer_settings settings = lbfgs_settings(5);
    settings.first_step_rms = 0.25;
    for (int largest = 0; largest < 2; ++largest) {
        settings.largest_step_rms = largest ? 0.125 : 0;
        struct minimizer minimizer;
        minimizer_open(&minimizer, *state, &settings, start, count);
        assert_true(minimizer_step(&minimizer, gradient));
        double *moved = minimizer_vector(&minimizer);
        assert_close("RMS of the first step", rms_of_difference(moved, zero, count), largest ? 0.125 : 0.25, 1e-4);
        for (size_t i = 0; i < count; ++i) {
            assert_true((moved[i] - zero[i]) * gradient[i] <= 0);
        }
        free(moved);
        minimizer_close(&minimizer);
    }
    free(start);
    free(random);
    free(gradient);
    free(zero);
}

/* A gradient of zero moves nothing, and is no reason for anything that is not finite. */
static void at_a_minimum_nothing_moves(void **state) {
    struct optimizer_settings settings = lbfgs_settings(5);
    settings.first_step_rms = 2;
    float start[20];
    double gradient[20] = {0};
    for (int i = 0; i < 20; ++i) {
        start[i] = (float)i;
    }
    struct minimizer minimizer;
    minimizer_open(&minimizer, *state, &settings, start, 20);
    for (int k = 0; k < 3; ++k) {
        assert_true(minimizer_step(&minimizer, gradient));
        double *x = minimizer_vector(&minimizer);
        for (int i = 0; i < 20; ++i) {
            assert_true(x[i] == start[i]);
        }
        free(x);
    }
    minimizer_close(&minimizer);
}

/* ---- Guards ---------------------------------------------------------------------------------------------------- */

static void gradients_that_are_not_finite_move_nothing(void **state) {
    static const double bad[] = {NAN, INFINITY, -INFINITY, 3e38};
    const size_t count = 100;
    float *start = random_array(1, count);
    double *gradient = allocate(count, sizeof *gradient);
    for (size_t b = 0; b < COUNT_OF(bad); ++b) {
        struct optimizer_settings settings = lbfgs_settings(4);
        struct minimizer minimizer;
        minimizer_open(&minimizer, *state, &settings, start, count);
        for (int k = 0; k < 6; ++k) {
            double *x = minimizer_vector(&minimizer);
            coupled_quadratic(x, count, gradient, NULL);
            double good = gradient[77];
            gradient[77] = bad[b];
            assert_false(minimizer_step(&minimizer, gradient));
            double *after = minimizer_vector(&minimizer);
            assert_memory_equal(x, after, count * sizeof *x);
            gradient[77] = good;
            assert_true(minimizer_step(&minimizer, gradient));
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
    double *gradient = allocate(count, sizeof *gradient);
    struct optimizer_settings settings = lbfgs_settings(4);
    struct minimizer minimizer;
    minimizer_open(&minimizer, *state, &settings, start, count);
    minimizer_retreat(&minimizer); /* before any step: nothing to go back to, but steps are halved */
    double shortening = 0.5;
    for (int k = 0; k < 4; ++k) {
        double *before = minimizer_vector(&minimizer);
        double value = coupled_quadratic(before, count, gradient, NULL), absolute = 0;
        assert_true(value > 0);
        for (size_t i = 0; i < count; ++i) {
            absolute += fabs(gradient[i]);
        }
        assert_true(minimizer_step(&minimizer, gradient));
        double *after = minimizer_vector(&minimizer);
        for (size_t i = 0; i < count; ++i) {
            double step = -shortening * gradient[i] / fmax(absolute, 1);
            assert_true(fabs(after[i] - before[i] - step) < 1e-6);
        }
        free(after);
        minimizer_retreat(&minimizer);
        shortening /= 2;
        after = minimizer_vector(&minimizer);
        assert_memory_equal(before, after, count * sizeof *before);
        free(after);
        free(before);
    }
    minimizer_close(&minimizer);
    free(start);
    free(gradient);
}

/* Differences of gradients whose inner products overflow must not poison the history. */
static void overflowing_products_do_not_stop_it(void **state) {
    struct optimizer_settings settings = lbfgs_settings(4);
    settings.first_step_rms = 0.25;
    float start[16] = {0};
    double gradient[16];
    struct minimizer minimizer;
    minimizer_open(&minimizer, *state, &settings, start, 16);
    for (int k = 0; k < 4; ++k) {
        for (int i = 0; i < 16; ++i) {
            gradient[i] = k % 2 ? -4e18 : 4e18;
        }
        assert_true(minimizer_step(&minimizer, gradient));
        double *x = minimizer_vector(&minimizer);
        for (int i = 0; i < 16; ++i) {
            assert_true(fabs(x[i]) <= 1);
        }
        free(x);
    }
    minimizer_close(&minimizer);
}

/* A second beginning, on a shorter vector, forgets the first. */
static void a_new_beginning_forgets(void **state) {
    nst_error error;
    const size_t count = 200, shorter = 37;
    float *start = random_array(1, count);
    struct optimizer_settings settings = lbfgs_settings(9);
    double *results[2];
    for (int again = 0; again < 2; ++again) {
        struct minimizer minimizer;
        minimizer_open(&minimizer, *state, &settings, start, again ? count : shorter);
        if (again) {
            minimizer_run(&minimizer, coupled_quadratic, NULL, 12);
            minimizer_retreat(&minimizer);
            minimizer.count = shorter;
            check(optimizer_begin(minimizer.run, (struct optimizer_shape){1, 1, (int)shorter}, &error), &error);
            float padded[48] = {0};
            memcpy(padded, start, shorter * sizeof *start);
            check(buffer_write(*state, minimizer.vector, 0, padded, sizeof padded, &error), &error);
        }
        minimizer_run(&minimizer, coupled_quadratic, NULL, 12);
        results[again] = minimizer_vector(&minimizer);
        minimizer_close(&minimizer);
    }
    assert_memory_equal(results[0], results[1], shorter * sizeof(double));
    free(results[0]);
    free(results[1]);
    free(start);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_agree_with_the_reference),
        cmocka_unit_test(pairs_of_negative_curvature_are_left_out),
        cmocka_unit_test(bounded_steps_agree_with_the_reference),
        cmocka_unit_test(a_first_step_without_a_pair_is_not_repeated),
        cmocka_unit_test(first_steps_have_the_length_asked_for),
        cmocka_unit_test(at_a_minimum_nothing_moves),
        cmocka_unit_test(gradients_that_are_not_finite_move_nothing),
        cmocka_unit_test(a_retreat_goes_back_and_halves_the_steps),
        cmocka_unit_test(overflowing_products_do_not_stop_it),
        cmocka_unit_test(a_new_beginning_forgets),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
