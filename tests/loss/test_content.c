/* test_content.c: the content loss and sums of squares (cl/content.cl, loss/content.c) against the float64 reference.
 */
#include "fixture.h"
#include "loss_case.h"
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

/* The loss of a model: target, loss and gradient; relative or not, its weight is divided. */
static void check_model(nst_context *context, bool half, bool relative) {
    nst_error error;
    struct image_size size = {11, 14};
    struct map_size map_size = {5, 11, 14, half};
    struct loss_spec spec = {
        .kind = "content", .layers = {"relu1_1"}, .layer_count = 1, .weight = 0.5, .options = {.relative = relative}};
    const struct loss_target content = {.picture = LOSS_CONTENT, .share = 1},
                             style = {.picture = LOSS_STYLE, .share = 1};
    struct loss_case test;
    loss_case_open(&test, context, map_size, size, &spec, true);
    double *maps[2];
    cl_mem images[2];
    check(loss_target_begin(test.run, &everywhere, 1, &error), &error);
    for (int i = 0; i < 2; ++i) {
        float *picture = random_uniform_array((uint64_t)(60 + i), 3 * 11 * 14, 0, 255);
        images[i] = upload(context, picture, 3 * 11 * 14 * sizeof(float));
        check(model_forward(test.model_run, images[i], size, &error), &error);
        struct loss_map at = {.map = model_feature_map(test.model_run, 0)};
        /* A style is none of its business. */
        check(loss_target_add(test.run, &at, i ? &style : &content, &error), &error);
        float *values = download_map(context, at.map.values, map_size);
        maps[i] = to_doubles(values, elements_of(map_size));
        free(values);
        free(picture);
    }
    check(loss_target_end(test.run, &error), &error);
    double divisor = relative ? reference_squares(maps[0], elements_of(map_size)) : 5 * 11 * 14;
    assert_close("factor", test.run->factor, 0.5 / divisor, 2e-6);
    double *expected = allocate(elements_of(map_size), sizeof *expected);
    double value = reference_content_loss(maps[1], maps[0], elements_of(map_size), 0.5 / divisor, expected);
    for (size_t k = 0; k < elements_of(map_size); ++k) {
        expected[k] = maps[1][k] > 0 ? expected[k] : 0;
    }
    struct loss_map at = {.map = model_feature_map(test.model_run, 0)};
    cl_mem gradient = model_gradient(test.model_run, 0);
    check(loss_gather(test.run, &at, &error), &error);
    check(loss_value(test.run, &at, &error), &error);
    assert_close("content loss alone", loss_case_value(&test), value, 4e-6);
    check(model_backward_begin(test.model_run, &error), &error);
    check(loss_add_gradient(test.run, &at, gradient, &error), &error);
    assert_close("content loss", loss_case_value(&test), value, 4e-6);
    float *changed = download_map(context, gradient, map_size);
    assert_map_near("content gradient", changed, expected, map_size, 2e-6);
    free(changed);
    free(expected);
    for (int i = 0; i < 2; ++i) {
        free(maps[i]);
        buffer_release(context, &images[i]);
    }
    loss_case_close(&test);
    loss_destroy(NULL);
    loss_run_free(NULL);
}

static void target_and_loss_of_a_model(void **state) {
    for (int half = 0; half <= 1; ++half) {
        check_model(*state, half, false);
        check_model(*state, half, true);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_agree_with_the_reference),
        cmocka_unit_test(long_sums_keep_their_digits),
        cmocka_unit_test(target_and_loss_of_a_model),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
