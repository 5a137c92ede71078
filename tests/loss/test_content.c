/* test_content.c: the content loss and sums of squares (cl/content.cl, loss/content.c) against the float64 reference.
 */
#include "fixture.h"
#include "loss/loss.h"
#include "random_network.h"
#include "reference/losses.h"

#include <stdlib.h>

/* A map as it comes out of a ReLU: a third of it zero. */
static float *relu_map(uint64_t seed, struct map_size size) {
    float *map = random_array(seed, elements_of(size));
    for (size_t i = 0; i < elements_of(size); ++i) {
        map[i] = map[i] > -0.4f ? map[i] + 0.4f : 0.0f;
    }
    round_map(map, size);
    return map;
}

static void check_kernels(nst_context *context, struct map_size size) {
    nst_error error;
    const float weight = 0.37f;
    size_t count = elements_of(size);
    int vectors = blocks_of_map(context, size) * (int)pixels_of(size), slot = 2;
    float *map = relu_map(1, size), *target = relu_map(2, size), *before = random_map(3, size);
    double *doubles = to_doubles(map, count), *targets = to_doubles(target, count);
    double *added = allocate(count, sizeof *added), *expected = to_doubles(before, count);
    double loss = reference_content_loss(doubles, targets, count, weight, added), got;
    for (size_t i = 0; i < count; ++i) {
        expected[i] += map[i] > 0 ? added[i] : 0;
    }
    cl_mem maps = upload_map(context, map, size), goal = upload_map(context, target, size);
    cl_mem gradient = upload_map(context, before, size);
    cl_mem partials = create_zero(context, reduction_bytes(context, 3));
    cl_kernel kernel;
    check(kernel_create(context, "content.cl", feature_map_option(size.half), "content_loss", &kernel, &error), &error);
    check(kernel_run(context, kernel, reduction_work(context),
                     ARGUMENTS(arg_buffer(maps), arg_buffer(goal), arg_buffer(gradient), arg_buffer(partials),
                               arg_int(slot), arg_int(vectors), arg_float(weight), arg_int(0)),
                     &error),
          &error);
    check(reduction_read(context, partials, slot, &got, &error), &error);
    assert_close("content loss", got, loss, 2e-6);
    float *changed = download_map(context, gradient, size);
    assert_map_near("content gradient", changed, expected, size, 1e-6);
    kernel_release(&kernel);

    check(kernel_create(context, "content.cl", feature_map_option(size.half), "sum_of_squares", &kernel, &error),
          &error);
    check(kernel_run(context, kernel, reduction_work(context),
                     ARGUMENTS(arg_buffer(maps), arg_buffer(partials), arg_int(0), arg_int(vectors)), &error),
          &error);
    check(reduction_read(context, partials, 0, &got, &error), &error);
    assert_close("sum of squares", got, reference_squares(doubles, count), 2e-6);
    /* The neighbor's slot was left alone. */
    check(reduction_read(context, partials, slot, &got, &error), &error);
    assert_close("content loss", got, loss, 2e-6);
    kernel_release(&kernel);
    buffer_release(context, &maps);
    buffer_release(context, &goal);
    buffer_release(context, &gradient);
    buffer_release(context, &partials);
    free(changed);
    free(map);
    free(target);
    free(before);
    free(doubles);
    free(targets);
    free(added);
    free(expected);
}

static void kernels_agree_with_the_reference(void **state) {
    for (size_t s = 0; s < map_size_count(); ++s) {
        struct map_size size = map_sizes[s];
        check_kernels(*state, size);
        size.half = true;
        check_kernels(*state, size);
    }
}

/* Half a million terms per channel: sums in float must not lose their digits. */
static void long_sums_keep_their_digits(void **state) {
    check_kernels(*state, (struct map_size){3, (int)sizes_to_try(700, 70), 801, false});
}

/* The room's own interface, on a small model: target, its size, loss and gradient. */
static void check_model(nst_context *context, bool half) {
    nst_error error;
    nst_network *network = random_network("c5 r", 3);
    const char *tap = "relu1_1";
    struct model_options options = {.taps = &tap, .tap_count = 1, .half = half, .losses_in_place = true};
    struct model *model;
    struct content_loss *loss;
    struct plan plan = {0};
    struct image_size size = {11, 14};
    struct map_size map_size = {5, 11, 14, half};
    check(model_create(context, network, &options, &model, &error), &error);
    check(content_loss_create(context, model, 0, &loss, &error), &error);
    check(model_add_to_plan(model, &plan, &size, 1, &error), &error);
    content_loss_add_to_plan(loss, &plan, &size, 1);
    int partials = plan_add_always(&plan, reduction_bytes(context, 2), "partials");
    check(plan_assign(&plan, &error), &error);
    check(plan_allocate(&plan, context, &error), &error);
    struct loss_output output = {.partials = plan_buffer(&plan, partials), .slot = 1};

    float *pictures[2];
    double *maps[2];
    cl_mem gradient = model_gradient(model, &plan, 0);
    for (int i = 0; i < 2; ++i) {
        pictures[i] = random_uniform_array((uint64_t)(60 + i), 3 * 11 * 14, 0, 255);
        cl_mem image = upload(context, pictures[i], 3 * 11 * 14 * sizeof(float));
        check(model_forward(model, &plan, image, size, &error), &error);
        struct feature_map map = model_feature_map(model, &plan, 0);
        float *values = download_map(context, map.values, map_size);
        maps[i] = to_doubles(values, elements_of(map_size));
        free(values);
        free(pictures[i]);
        if (i == 0) {
            double squares;
            check(content_loss_set_target(loss, &plan, &map, &error), &error);
            check(content_loss_target_size(loss, &plan, &map, output, &squares, &error), &error);
            assert_close("size of the target", squares, reference_squares(maps[0], elements_of(map_size)), 2e-6);
        } else {
            double *expected = allocate(elements_of(map_size), sizeof *expected), got;
            double value = reference_content_loss(maps[1], maps[0], elements_of(map_size), 0.5, expected);
            for (size_t k = 0; k < elements_of(map_size); ++k) {
                expected[k] = maps[1][k] > 0 ? expected[k] : 0;
            }
            check(model_backward_begin(model, &plan, &error), &error);
            check(content_loss_run(loss, &plan, &map, 0.5, output, gradient, &error), &error);
            check(reduction_read(context, output.partials, 1, &got, &error), &error);
            assert_close("content loss", got, value, 2e-6);
            float *changed = download_map(context, gradient, map_size);
            assert_map_near("content gradient", changed, expected, map_size, 1e-6);
            free(changed);
            free(expected);
        }
        check(context_finish(context, &error), &error);
        buffer_release(context, &image);
    }
    free(maps[0]);
    free(maps[1]);
    plan_free(&plan, context);
    content_loss_destroy(loss);
    content_loss_destroy(NULL);
    model_destroy(model);
    random_network_free(network);
}

static void target_and_loss_of_a_model(void **state) {
    check_model(*state, false);
    check_model(*state, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_agree_with_the_reference),
        cmocka_unit_test(long_sums_keep_their_digits),
        cmocka_unit_test(target_and_loss_of_a_model),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
