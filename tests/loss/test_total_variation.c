/* test_total_variation.c: total variation with both powers (cl/total_variation.cl) against the float64 reference. */
#include "fixture.h"
#include "loss/loss.h"
#include "reference/losses.h"

#include <stdlib.h>

struct tv_case {
    cl_mem images, gradient;
};

/* The value by itself, and the value that comes with the gradient, which is added. */
static void run_case(nst_context *context, const struct loss_spec *spec, struct image_size size,
                     const struct tv_case *test, double *alone, double *value) {
    nst_error error;
    struct loss *loss;
    struct loss_run *run;
    struct plan plan = {0};
    check(loss_create(context, NULL, spec, &loss, &error), &error);
    check(loss_reserve(loss, &plan, &size, 1, &run, &error), &error);
    loss_run_set_partials(run, plan_add_always(&plan, reduction_bytes(context, 3), "partials"), 2);
    check(plan_assign(&plan, &error), &error);
    check(plan_allocate(&plan, context, &error), &error);
    struct loss_map at = {.map = {.values = test->images, .channels = 3, .height = size.height, .width = size.width}};
    check(loss_value(run, &at, &error), &error);
    check(loss_read_sum(run, alone, &error), &error);
    check(loss_add_gradient(run, &at, test->gradient, &error), &error);
    check(loss_read_sum(run, value, &error), &error);
    loss_run_free(run);
    plan_free(&plan, context);
    loss_destroy(loss);
}

static void check_tv(nst_context *context, struct image_size size, int power, bool has_ties) {
    struct loss_spec spec = {
        .kind = "total variation", .weight = 0.0625, .options = {.power = power, .mean = has_ties}};
    size_t count = 3 * (size_t)size.height * (size_t)size.width;
    float *image = random_uniform_array(1, count, 0, 255), *before = random_array(2, count);
    for (size_t i = 0; has_ties && i < count; ++i) {
        image[i] = (float)((int)image[i] / 100); /* 0, 1, 2: equal neighbors, whose slope is 0 */
    }
    double *doubles = to_doubles(image, count), *expected = to_doubles(before, count), got, alone;
    double weight = has_ties ? spec.weight / ((double)count * (power == 2 ? 255 * 255 : 255)) : spec.weight;
    double value = reference_tv_loss(doubles, 3, size.height, size.width, power, weight, expected);
    struct tv_case test = {.images = upload(context, image, count * sizeof *image),
                           .gradient = upload(context, before, count * sizeof *image)};
    run_case(context, &spec, size, &test, &alone, &got);
    assert_true(value != 0 || (got == 0 && alone == 0));
    assert_close("total variation", got, value, 3e-6);
    assert_close("total variation alone", alone, value, 3e-6);
    float *changed = download(context, test.gradient, count * sizeof *changed);
    assert_near("gradient of the total variation", changed, expected, count, 1e-6);
    buffer_release(context, &test.images);
    buffer_release(context, &test.gradient);
    free(changed);
    free(image);
    free(before);
    free(doubles);
    free(expected);
}

/* A quadratic: central differences are its gradient, whatever the step. */
static void check_nine_points(nst_context *context, struct image_size size) {
    const struct loss_spec spec = {.kind = "total variation", .weight = 2, .options = {.nine_points = true}};
    size_t count = 3 * (size_t)size.height * (size_t)size.width;
    float *image = random_uniform_array(1, count, 0, 255), *before = random_array(2, count);
    double *unit = to_doubles(image, count), *expected = to_doubles(before, count), sums[2];
    for (size_t i = 0; i < count; ++i) {
        unit[i] /= 255;
    }
    double value = reference_tv_nine_loss(unit, size.height, size.width, spec.weight);
    for (size_t i = 0; i < count; ++i) {
        double pixel = unit[i];
        for (int side = 0; side < 2; ++side) {
            unit[i] = pixel + (side ? 0.5 : -0.5);
            sums[side] = reference_tv_nine_loss(unit, size.height, size.width, spec.weight);
        }
        unit[i] = pixel;
        expected[i] += (sums[1] - sums[0]) / 255;
    }
    struct tv_case test = {.images = upload(context, image, count * sizeof *image),
                           .gradient = upload(context, before, count * sizeof *image)};
    double alone, got;
    run_case(context, &spec, size, &test, &alone, &got);
    assert_close("total variation of nine points", got, value, 3e-6);
    assert_close("total variation of nine points alone", alone, value, 3e-6);
    float *changed = download(context, test.gradient, count * sizeof *changed);
    assert_near("gradient of the total variation", changed, expected, count, 1e-6);
    buffer_release(context, &test.images);
    buffer_release(context, &test.gradient);
    free(changed);
    free(image);
    free(before);
    free(unit);
    free(expected);
}

static void nine_points(void **state) {
    static const struct image_size sizes[] = {{1, 1}, {1, 7}, {9, 1}, {3, 5}, {2, 2}, {17, 19}};
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(sizes), 4); ++i) {
        check_nine_points(*state, sizes[i]);
    }
}

static void check_power(nst_context *context, int power) {
    static const struct image_size sizes[] = {{1, 1}, {1, 7}, {9, 1}, {3, 5}, {17, 31}, {33, 20}, {128, 255}};
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(sizes), 4); ++i) {
        check_tv(context, sizes[i], power, false);
        check_tv(context, sizes[i], power, true);
    }
}

static void absolute_differences(void **state) {
    check_power(*state, 1);
}
static void squared_differences(void **state) {
    check_power(*state, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absolute_differences),
        cmocka_unit_test(squared_differences),
        cmocka_unit_test(nine_points),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
