/* test_random.c: the generator gives the published numbers and distributions. */
#include "support/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The first outputs for the state 1, 2, 3, 4, worked out by hand from the definition. */
static void follows_the_definition(void **state) {
    (void)state;
    struct random_generator generator = {{1, 2, 3, 4}};
    assert_int_equal(random_bits(&generator), 41943041);
    assert_int_equal(random_bits(&generator), 58720359);
    assert_int_equal(random_bits(&generator), 3588806011781223);
}

/* splitmix64 from 0, as its author publishes it. */
static void seeds_with_splitmix(void **state) {
    (void)state;
    struct random_generator generator = random_from_seed(0);
    assert_true(generator.state[0] == 0xe220a8397b1dcdafu);
    assert_true(generator.state[1] == 0x6e789e6aa1b965f4u);
}

static void same_seed_same_numbers(void **state) {
    (void)state;
    struct random_generator a = random_from_seed(7), b = random_from_seed(7), c = random_from_seed(8);
    int different = 0;
    for (int i = 0; i < 1000; ++i) {
        double x = random_normal(&a);
        assert_true(x == random_normal(&b));
        different += x != random_normal(&c);
    }
    assert_int_equal(different, 1000);
}

static void uniform_fills_its_range(void **state) {
    (void)state;
    enum { COUNT = 100000 };
    struct random_generator generator = random_from_seed(1);
    int bins[10] = {0};
    for (int i = 0; i < COUNT; ++i) {
        double x = random_uniform(&generator);
        assert_true(x >= 0 && x < 1);
        ++bins[(int)(10 * x)];
    }
    for (int i = 0; i < 10; ++i) {
        assert_in_range(bins[i], COUNT / 10 - 500, COUNT / 10 + 500);
    }
}

/* Moments of the normal distribution, and how much lies beyond 1 and 2 deviations. */
static void normal_is_normal(void **state) {
    (void)state;
    enum { COUNT = 400000 };
    struct random_generator generator = random_from_seed(2);
    double sum = 0, squares = 0, fourths = 0;
    int beyond_1 = 0, beyond_2 = 0;
    for (int i = 0; i < COUNT; ++i) {
        double x = random_normal(&generator);
        sum += x;
        squares += x * x;
        fourths += x * x * x * x;
        beyond_1 += fabs(x) > 1;
        beyond_2 += fabs(x) > 2;
    }
    assert_true(fabs(sum / COUNT) < 0.01);
    assert_true(fabs(squares / COUNT - 1) < 0.01);
    assert_true(fabs(fourths / COUNT - 3) < 0.1);
    assert_true(fabs((double)beyond_1 / COUNT - 0.31731) < 0.004);
    assert_true(fabs((double)beyond_2 / COUNT - 0.04550) < 0.002);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_definition), cmocka_unit_test(seeds_with_splitmix),
        cmocka_unit_test(same_seed_same_numbers), cmocka_unit_test(uniform_fills_its_range),
        cmocka_unit_test(normal_is_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
