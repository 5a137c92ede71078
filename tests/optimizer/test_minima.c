/* test_minima.c: both optimizers find the known minima of functions: ill-conditioned quadratics, Rosenbrock's valley,
 * and minima on the bounds. */
#include "minimizer.h"

#include <math.h>
#include <stdlib.h>

/* sum a_i (x_i - c_i)^2 / 2, a_i from 1 to the number that `data` points to, evenly in the logarithm; c_i = sin(i) */
static double quadratic(const double *x, size_t count, double *gradient, const void *data) {
    double value = 0, condition = *(const double *)data;
    for (size_t i = 0; i < count; ++i) {
        double a = pow(condition, (double)i / (double)(count - 1)), offset = x[i] - sin((double)i);
        value += a * offset * offset / 2;
        gradient[i] = a * offset;
    }
    return value;
}

/* sum 100 (x[i + 1] - x[i]^2)^2 + (1 - x[i])^2: the minimum, 0, is at (1, 1, ...) */
static double rosenbrock(const double *x, size_t count, double *gradient, const void *data) {
    (void)data;
    double value = 0;
    for (size_t i = 0; i < count; ++i) {
        gradient[i] = 0;
    }
    for (size_t i = 0; i + 1 < count; ++i) {
        double rise = x[i + 1] - x[i] * x[i], rest = 1 - x[i];
        value += 100 * rise * rise + rest * rest;
        gradient[i] += -400 * x[i] * rise - 2 * rest;
        gradient[i + 1] += 200 * rise;
    }
    return value;
}

static double minimize(nst_context *context, const struct optimizer_settings *settings, function *f, const void *data,
                       const float *start, size_t count, int iterations, double **result) {
    struct minimizer minimizer;
    minimizer_open(&minimizer, context, settings, start, count);
    double least = minimizer_run(&minimizer, f, data, iterations);
    *result = minimizer_vector(&minimizer);
    minimizer_close(&minimizer);
    return least;
}

static void lbfgs_on_ill_conditioned_quadratics(void **state) {
    static const double conditions[] = {1, 10, 1000, 1e5};
    static const int iterations[] = {10, 60, 300, 1000};
    const size_t count = 100;
    float *start = allocate(count, sizeof *start);
    double *gradient = allocate(count, sizeof *gradient);
    for (size_t c = 0; c < sizes_to_try(COUNT_OF(conditions), 3); ++c) {
        double *x, *zero = to_doubles(start, count);
        double begin = quadratic(zero, count, gradient, &conditions[c]);
        struct optimizer_settings settings = lbfgs_settings(20);
        minimize(*state, &settings, quadratic, &conditions[c], start, count, iterations[c], &x);
        double end = quadratic(x, count, gradient, &conditions[c]);
        if (!(end < 1e-8 * begin)) {
            fail_msg("condition %g: from %g to %g", conditions[c], begin, end);
        }
        free(x);
        free(zero);
    }
    free(start);
    free(gradient);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The course along the valley hangs on the last bits of each sum, and so on the device: of 200 starts that differ by
 * rounding errors, 4 in 2 dimensions come to rest early, with values up to 5e-5 (PoCL). So the median of three counts.
 */
static void lbfgs_in_rosenbrocks_valley(void **state) {
    static const size_t counts[] = {2, 5, 20};
    enum { STARTS = 3 };
    for (size_t c = 0; c < sizes_to_try(COUNT_OF(counts), 1); ++c) {
        double least[STARTS];
        for (int k = 0; k < STARTS; ++k) {
            float start[20];
            for (size_t i = 0; i < counts[c]; ++i) {
                start[i] = (i % 2 ? 1.0f : -1.2f) * (1 + 1e-6f * (float)k);
            }
            struct optimizer_settings settings = lbfgs_settings(10);
            settings.first_step_rms = 0.05;
            settings.largest_step_rms = 0.2;
            double *x;
            least[k] = minimize(*state, &settings, rosenbrock, NULL, start, counts[c], 600, &x);
            for (size_t i = 0; least[k] < 1e-6 && i < counts[c]; ++i) {
                assert_true(fabs(x[i] - 1) < 1e-2);
            }
            free(x);
        }
        qsort(least, STARTS, sizeof *least, by_value);
        if (!(least[STARTS / 2] < 1e-6) || !(least[STARTS - 1] < 1e-2)) {
            fail_msg("%zu dimensions: the least value is %g as a rule, %g at worst", counts[c], least[STARTS / 2],
                     least[STARTS - 1]);
        }
    }
}

static void adam_on_quadratics(void **state) {
    const size_t count = 50;
    const double condition = 100;
    float *start = allocate(count, sizeof *start);
    struct optimizer_settings settings = adam_settings(0.02);
    double *x;
    minimize(*state, &settings, quadratic, &condition, start, count, 1500, &x);
    for (size_t i = 0; i < count; ++i) {
        assert_true(fabs(x[i] - sin((double)i)) < 1e-2);
    }
    free(x);
    free(start);
}

/* ---- Bounds ---------------------------------------------------------------------------------------------------- */

/* A convex quadratic whose neighbors pull each other; `data`: where each variable would like to be. */
static double chain(const double *x, size_t count, double *gradient, const void *data) {
    const double *wanted = data;
    double value = 0;
    for (size_t i = 0; i < count; ++i) {
        double offset = x[i] - wanted[i];
        value += offset * offset / 2;
        gradient[i] = offset;
    }
    for (size_t i = 0; i + 1 < count; ++i) {
        double difference = x[i + 1] - x[i];
        value += 5 * difference * difference;
        gradient[i] -= 10 * difference;
        gradient[i + 1] += 10 * difference;
    }
    return value;
}

/* At a minimum within bounds the gradient is zero inside, and pulls outwards at a bound (Karush, Kuhn, Tucker). Returns
 * the largest offense. */
static double offense(const double *x, const double *gradient, size_t count, double low, double high, int *held) {
    double worst = 0;
    *held = 0;
    for (size_t i = 0; i < count; ++i) {
        assert_true(x[i] >= low && x[i] <= high);
        bool at_bound = (x[i] <= low && gradient[i] >= 0) || (x[i] >= high && gradient[i] <= 0);
        *held += at_bound;
        worst = at_bound ? worst : fmax(worst, fabs(gradient[i]));
    }
    return worst;
}

static void check_bounded(nst_context *context, struct optimizer_settings settings, int iterations, double bound) {
    enum { COUNT = 60 };
    double wanted[COUNT], gradient[COUNT], *x;
    float start[COUNT];
    int held;
    for (int i = 0; i < COUNT; ++i) {
        wanted[i] = 300 * sin(0.37 * i) + 128;
        start[i] = 128;
    }
    settings.bounded = true;
    settings.low = 0;
    settings.high = 255;
    minimize(context, &settings, chain, wanted, start, COUNT, iterations, &x);
    chain(x, COUNT, gradient, wanted);
    double worst = offense(x, gradient, COUNT, 0, 255, &held);
    if (!(worst < bound)) {
        fail_msg("the projected gradient is still %g", worst);
    }
    assert_true(held > 3 && held < COUNT - 3);
    free(x);
}

static void minima_on_the_bounds(void **state) {
    struct optimizer_settings settings = lbfgs_settings(10);
    settings.first_step_rms = 2;
    settings.largest_step_rms = 40;
    check_bounded(*state, settings, 300, 1e-2);
    check_bounded(*state, adam_settings(0.3), 2500, 1);
}

/* All of it: every variable wants out of the range. */
static void a_minimum_in_a_corner(void **state) {
    enum { COUNT = 20 };
    double wanted[COUNT], *x;
    float start[COUNT];
    for (int i = 0; i < COUNT; ++i) {
        wanted[i] = i < COUNT / 2 ? 9000 : -9000;
        start[i] = (float)(10 * i);
    }
    struct optimizer_settings kinds[] = {lbfgs_settings(10), adam_settings(5)};
    for (int k = 0; k < 2; ++k) {
        kinds[k].bounded = true;
        kinds[k].high = 255;
        minimize(*state, &kinds[k], chain, wanted, start, COUNT, 200, &x);
        for (int i = 0; i < COUNT; ++i) {
            assert_true(x[i] == (i < COUNT / 2 ? 255 : 0));
        }
        free(x);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lbfgs_on_ill_conditioned_quadratics),
        cmocka_unit_test(lbfgs_in_rosenbrocks_valley),
        cmocka_unit_test(adam_on_quadratics),
        cmocka_unit_test(minima_on_the_bounds),
        cmocka_unit_test(a_minimum_in_a_corner),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
