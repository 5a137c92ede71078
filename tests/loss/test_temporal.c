/* test_temporal.c: the temporal loss of films against its formula in float64, and its gradient against differences. */
#include "fixture.h"
#include "loss/loss.h"

#include <stdlib.h>

struct temporal_case {
    nst_context *context;
    struct image_size size;
    struct loss *loss;
    struct loss_run *run;
    struct plan plan;
    cl_mem image, target, gradient;
    float *values, *wanted, *weights, *before;
    size_t count;
};

static const double loss_weight = 3;

static void open_case(struct temporal_case *test, nst_context *context, struct image_size size) {
    nst_error error;
    const struct loss_spec spec = {.kind = "temporal", .weight = loss_weight};
    size_t count = 3 * (size_t)size.height * (size_t)size.width;
    *test = (struct temporal_case){.context = context, .size = size, .count = count};
    test->values = random_uniform_array(1, count, 0, 255);
    test->wanted = random_uniform_array(2, count, 0, 255);
    test->weights = random_uniform_array(3, count / 3, 0, 1);
    test->before = random_array(4, count);
    test->image = upload(context, test->values, count * sizeof(float));
    test->target = upload(context, test->wanted, count * sizeof(float));
    test->gradient = upload(context, test->before, count * sizeof(float));
    check(loss_create(context, NULL, &spec, &test->loss, &error), &error);
    check(loss_reserve(test->loss, &test->plan, &size, 1, &test->run, &error), &error);
    loss_run_set_partials(test->run, plan_add_always(&test->plan, reduction_bytes(context, 3), "partials"), 2);
    check(plan_assign(&test->plan, &error), &error);
    check(plan_allocate(&test->plan, context, &error), &error);
}

static void close_case(struct temporal_case *test) {
    loss_run_free(test->run);
    plan_free(&test->plan, test->context);
    loss_destroy(test->loss);
    buffer_release(test->context, &test->image);
    buffer_release(test->context, &test->target);
    buffer_release(test->context, &test->gradient);
    free(test->values);
    free(test->wanted);
    free(test->weights);
    free(test->before);
}

static struct loss_map map_of(const struct temporal_case *test, cl_mem image) {
    return (struct loss_map){
        .map = {.values = image, .channels = 3, .height = test->size.height, .width = test->size.width},
        .image = test->size};
}

/* `weights`: NULL for all; `region`: how much of the image counts at all. */
static void set_target(struct temporal_case *test, const float *weights, const float *region) {
    nst_error error;
    struct region where = {.image = test->size, .weights = region};
    const struct loss_target target = {.picture = LOSS_PREVIOUS, .share = 1, .weights = weights};
    const struct loss_target other = {.picture = LOSS_CONTENT, .share = 1};
    struct loss_map at = map_of(test, test->target), wrong = map_of(test, test->image);
    check(loss_target_begin(test->run, &where, 1, &error), &error);
    check(loss_target_add(test->run, &at, &target, &error), &error);
    check(loss_target_add(test->run, &wrong, &other, &error), &error);
    check(loss_target_end(test->run, &error), &error);
}

/* Value alone, value with gradient, and the gradient, which is added. */
static void check_case(struct temporal_case *test, double expected, const double *gradient) {
    nst_error error;
    double alone, value;
    struct loss_map at = map_of(test, test->image);
    check(buffer_write(test->context, test->gradient, 0, test->before, test->count * sizeof(float), &error), &error);
    check(loss_value(test->run, &at, &error), &error);
    check(loss_read_sum(test->run, &alone, &error), &error);
    check(loss_add_gradient(test->run, &at, test->gradient, &error), &error);
    check(loss_read_sum(test->run, &value, &error), &error);
    assert_close("temporal loss alone", alone, expected, 1e-6);
    assert_close("temporal loss", value, expected, 1e-6);
    float *changed = download(test->context, test->gradient, test->count * sizeof *changed);
    assert_near("gradient of the temporal loss", changed, gradient, test->count, 1e-6);
    free(changed);
}

static double in_double(const struct temporal_case *test, const float *weights, double part, double *gradient) {
    double loss = 0, factor = loss_weight / (part * (double)test->count * 255 * 255);
    for (size_t i = 0; i < test->count; ++i) {
        double difference = (double)test->values[i] - test->wanted[i];
        double weight = weights ? weights[i % (test->count / 3)] : 1;
        loss += factor * weight * difference * difference;
        gradient[i] = test->before[i] + 2 * factor * weight * difference;
    }
    return loss;
}

static void it_is_that_of_its_formula(void **state) {
    static const struct image_size sizes[] = {{1, 1}, {3, 5}, {17, 31}, {64, 33}};
    for (size_t i = 0; i < COUNT_OF(sizes); ++i) {
        struct temporal_case test;
        open_case(&test, *state, sizes[i]);
        double *gradient = allocate(test.count, sizeof *gradient), part = 0;
        for (size_t k = 0; k < test.count / 3; ++k) {
            part += test.weights[k] / (double)(test.count / 3);
        }
        set_target(&test, test.weights, NULL);
        check_case(&test, in_double(&test, test.weights, 1, gradient), gradient);
        set_target(&test, NULL, NULL); /* the weights before do not count any more */
        check_case(&test, in_double(&test, NULL, 1, gradient), gradient);
        set_target(&test, NULL, test.weights);
        check_case(&test, in_double(&test, NULL, part, gradient), gradient);
        free(gradient);
        close_case(&test);
    }
}

static void without_a_target_it_is_zero(void **state) {
    nst_error error;
    struct temporal_case test;
    open_case(&test, *state, (struct image_size){5, 7});
    double *gradient = to_doubles(test.before, test.count);
    const struct region everywhere = {.image = test.size};
    set_target(&test, test.weights, NULL);
    check(loss_target_begin(test.run, &everywhere, 1, &error), &error);
    check(loss_target_end(test.run, &error), &error);
    check_case(&test, 0, gradient);
    free(gradient);
    close_case(&test);
}

/* A quadratic: central differences are its gradient, whatever the step. */
static void its_gradient_is_that_of_its_value(void **state) {
    nst_error error;
    struct temporal_case test;
    open_case(&test, *state, (struct image_size){3, 5});
    set_target(&test, test.weights, NULL);
    struct loss_map at = map_of(&test, test.image);
    double *gradient = allocate(test.count, sizeof *gradient);
    in_double(&test, test.weights, 1, gradient);
    for (size_t i = 0; i < test.count; ++i) {
        double sums[2];
        for (int side = 0; side < 2; ++side) {
            float pixel = test.values[i] + (side ? 64.0F : -64.0F);
            check(buffer_write(*state, test.image, i * sizeof pixel, &pixel, sizeof pixel, &error), &error);
            check(loss_value(test.run, &at, &error), &error);
            check(loss_read_sum(test.run, &sums[side], &error), &error);
        }
        check(buffer_write(*state, test.image, i * sizeof(float), &test.values[i], sizeof(float), &error), &error);
        assert_true((sums[1] - sums[0]) / 128 - (gradient[i] - test.before[i]) < 1e-7);
        assert_true((sums[1] - sums[0]) / 128 - (gradient[i] - test.before[i]) > -1e-7);
    }
    free(gradient);
    close_case(&test);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_that_of_its_formula),
        cmocka_unit_test(without_a_target_it_is_zero),
        cmocka_unit_test(its_gradient_is_that_of_its_value),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
