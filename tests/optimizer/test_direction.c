/* test_direction.c: the two-loop recursion on inner products (optimizer/lbfgs_direction.c) against the one on vectors.
 */
#include "fixture.h"
#include "optimizer/optimizer.h"
#include "reference/lbfgs.h"

#include <math.h>
#include <stdlib.h>

enum { COUNT = 40, SLOTS = 21 };

static double dot(const double *a, const double *b) {
    double sum = 0;
    for (int i = 0; i < COUNT; ++i) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* Random s, and y = A s with a diagonal A whose elements reach from 0.1 to 100. */
static void make_basis(double basis[2 * SLOTS + 1][COUNT], uint64_t seed) {
    struct random_generator generator = random_from_seed(seed);
    for (int v = 0; v < 2 * SLOTS + 1; ++v) {
        for (int i = 0; i < COUNT; ++i) {
            double curvature = 0.1 * pow(1000, (double)i / (COUNT - 1));
            bool is_y = v % 2 == 1;
            basis[v][i] = is_y ? curvature * basis[v - 1][i] : random_normal(&generator);
        }
    }
}

static void check_direction(const int *order, int order_count, uint64_t seed) {
    static double basis[2 * SLOTS + 1][COUNT], products[(2 * SLOTS + 1) * (2 * SLOTS + 1)];
    const int size = 2 * SLOTS + 1;
    double *s[SLOTS], *y[SLOTS], factors[2 * SLOTS + 1], expected[COUNT];
    bool used[2 * SLOTS + 1] = {false};
    make_basis(basis, seed);
    used[2 * SLOTS] = true;
    for (int k = 0; k < order_count; ++k) {
        s[k] = basis[2 * order[k]];
        y[k] = basis[2 * order[k] + 1];
        used[2 * order[k]] = used[2 * order[k] + 1] = true;
    }
    for (int i = 0; i < size; ++i) {
        for (int j = 0; j < size; ++j) {
            products[i * size + j] = used[i] && used[j] ? dot(basis[i], basis[j]) : NAN;
        }
    }
    lbfgs_direction(products, SLOTS, order, order_count, 1, factors);
    reference_two_loop(COUNT, order_count, s, y, basis[2 * SLOTS], expected);
    double norm = sqrt(dot(expected, expected));
    for (int i = 0; i < COUNT; ++i) {
        double direction = 0;
        for (int v = 0; v < size; ++v) {
            assert_true(used[v] || factors[v] == 0);
            direction += factors[v] == 0 ? 0 : factors[v] * basis[v][i];
        }
        assert_true(fabs(direction - expected[i]) < 1e-8 * norm);
    }
}

static void without_history_it_is_the_negative_gradient(void **state) {
    (void)state;
    double products[3 * 3] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 4}, factors[3];
    lbfgs_direction(products, 1, NULL, 0, 1, factors);
    assert_true(factors[0] == 0 && factors[1] == 0 && factors[2] == -1);
}

static void agrees_with_the_recursion_on_vectors(void **state) {
    (void)state;
    const int in_order[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19};
    const int wrapped[] = {5, 6, 7, 20, 0, 1, 2, 3};
    const int single[] = {13};
    for (uint64_t seed = 1; seed < 20; ++seed) {
        check_direction(in_order, COUNT_OF(in_order), seed);
        check_direction(in_order, 7, seed);
        check_direction(wrapped, COUNT_OF(wrapped), seed);
        check_direction(single, 1, seed);
    }
}

/* With as many pairs as variables of a quadratic, and exact arithmetic, the direction leads to the minimum. */
static void a_full_history_solves_a_quadratic(void **state) {
    (void)state;
    /* f = (3 x^2 + y^2) / 2 at (1, 1): gradient (3, 1); pairs along the axes: s = (1, 0), (0, 1), y = (3, 0), (0, 1).
     */
    const double basis[5][2] = {{1, 0}, {3, 0}, {0, 1}, {0, 1}, {3, 1}};
    double products[25], factors[5], direction[2] = {0, 0};
    const int order[] = {0, 1};
    for (int i = 0; i < 25; ++i) {
        products[i] = basis[i / 5][0] * basis[i % 5][0] + basis[i / 5][1] * basis[i % 5][1];
    }
    lbfgs_direction(products, 2, order, 2, 1, factors);
    for (int v = 0; v < 5; ++v) {
        direction[0] += factors[v] * basis[v][0];
        direction[1] += factors[v] * basis[v][1];
    }
    assert_true(fabs(direction[0] + 1) < 1e-12 && fabs(direction[1] + 1) < 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_history_it_is_the_negative_gradient),
        cmocka_unit_test(agrees_with_the_recursion_on_vectors),
        cmocka_unit_test(a_full_history_solves_a_quadratic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
