/* test_pooling.c: maximum and average pooling, forward and backward (cl/pooling.cl), against the float64 reference: odd
 * edges, ties, and the masks of a ReLU below. */
#include "fixture.h"
#include "network/convolution.h"
#include "reference/pooling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum content { RANDOM, BEHIND_RELU, TIES };

static float *make_map(uint64_t seed, struct map_size size, enum content content) {
    float *map = random_array(seed, elements_of(size));
    for (size_t i = 0; i < elements_of(size); ++i) {
        float step = (float)(int)(2 * map[i]); /* -6 .. 6: many equal neighbors */
        map[i] = content == TIES ? step : content == BEHIND_RELU && map[i] < 0 ? 0.0f : map[i];
    }
    round_map(map, size);
    return map;
}

static struct map_size pooled_size(struct map_size size) {
    return (struct map_size){size.channels, size.height / 2, size.width / 2, size.half};
}

static size_t tiles_of(const nst_context *context, struct map_size size) {
    return (size_t)blocks_of_map(context, size) * (size_t)((size.height + 3) / 4) * (size_t)((size.width + 3) / 4);
}

/* Room for a pooled map that may have no pixels. */
static cl_mem create_pooled(nst_context *context, struct map_size pooled) {
    size_t block = (size_t)context->channel_block;
    return create_zero(context, ((size_t)blocks_of_map(context, pooled) * pixels_of(pooled) + 1) * block * 4);
}

/* What flows back: the reference, zero where the ReLU below is closed. */
static double *expected_gradient(nst_pooling pooling, const double *map, struct map_size size, const float *pooled,
                                 const bool *relu_mask) {
    double *expected = allocate(elements_of(size), sizeof *expected);
    double *gradient = to_doubles(pooled, elements_of(pooled_size(size)));
    reference_pooling_backward(pooling, map, size.channels, size.height, size.width, gradient, expected);
    for (size_t i = 0; i < elements_of(size) && relu_mask; ++i) {
        expected[i] = relu_mask[i] ? expected[i] : 0;
    }
    free(gradient);
    return expected;
}

static void run_backward(nst_context *context, const float *pooled_gradient, cl_mem mask, struct map_size size,
                         float scale, const double *expected) {
    nst_error error;
    cl_kernel kernel;
    struct map_size pooled = pooled_size(size);
    check(kernel_create(context, "pooling.cl", feature_map_option(size.half), "pool_backward", &kernel, &error),
          &error);
    cl_mem above = elements_of(pooled) ? upload_map(context, pooled_gradient, pooled) : create_pooled(context, pooled);
    float *garbage = random_array(99, elements_of(size));
    cl_mem below = upload_map(context, garbage, size);
    check(kernel_run(context, kernel, work_range(context, tiles_of(context, size)),
                     ARGUMENTS(arg_buffer(above), arg_buffer(mask), arg_buffer(below),
                               arg_int(blocks_of_map(context, size)), arg_int(size.height), arg_int(size.width),
                               arg_int(mask != NULL), arg_float(scale)),
                     &error),
          &error);
    float *got = download_map(context, below, size);
    assert_map_near("gradient below the pooling", got, expected, size, 1e-6);
    free(got);
    free(garbage);
    buffer_release(context, &above);
    buffer_release(context, &below);
    kernel_release(&kernel);
}

static void check_maximum(nst_context *context, struct map_size size, enum content content) {
    nst_error error;
    cl_kernel kernel;
    struct map_size pooled = pooled_size(size);
    size_t count = elements_of(pooled);
    check(kernel_create(context, "pooling.cl", feature_map_option(size.half), "pool_maximum", &kernel, &error), &error);
    float *map = make_map(5, size, content), *pooled_gradient = random_map(6, pooled);
    double *doubles = to_doubles(map, elements_of(size)), *expected = allocate(count, sizeof *expected);
    bool *positive = allocate(elements_of(size), sizeof *positive);
    for (size_t i = 0; i < elements_of(size); ++i) {
        positive[i] = map[i] > 0;
    }
    bool above_relu = content == BEHIND_RELU;
    reference_pooling(NST_POOLING_MAX, doubles, size.channels, size.height, size.width, expected);
    double *gradient = expected_gradient(NST_POOLING_MAX, doubles, size, pooled_gradient, above_relu ? positive : NULL);
    cl_mem input = upload_map(context, map, size), output = create_pooled(context, pooled);
    cl_mem mask = create_zero(context, mask_elements(context, size) * sizeof(cl_ushort));
    check(kernel_run(context, kernel, work_range(context, tiles_of(context, size)),
                     ARGUMENTS(arg_buffer(input), arg_buffer(output), arg_buffer(mask),
                               arg_int(blocks_of_map(context, size)), arg_int(size.height), arg_int(size.width),
                               arg_int(above_relu)),
                     &error),
          &error);
    if (count) {
        float *got = download_map(context, output, pooled);
        assert_near("maximum", got, expected, count, 0);
        free(got);
    }
    bool *bits = download_mask(context, mask, size);
    for (size_t i = 0; i < elements_of(size); ++i) {
        assert_true(!above_relu || positive[i] || !bits[i]);
    }
    run_backward(context, pooled_gradient, mask, size, 1.0f, gradient);
    free(bits);
    free(positive);
    free(gradient);
    free(expected);
    free(doubles);
    free(map);
    free(pooled_gradient);
    buffer_release(context, &input);
    buffer_release(context, &output);
    buffer_release(context, &mask);
    kernel_release(&kernel);
}

static void check_maxima(nst_context *context, enum content content) {
    for (size_t s = 0; s < map_size_count(); ++s) {
        struct map_size size = map_sizes[s];
        check_maximum(context, size, content);
        size.half = true;
        check_maximum(context, size, content);
    }
}

static void maximum_of_random_maps(void **state) {
    check_maxima(*state, RANDOM);
}

static void maximum_behind_a_relu(void **state) {
    check_maxima(*state, BEHIND_RELU);
}

static void of_equal_pixels_the_first_is_taken(void **state) {
    check_maxima(*state, TIES);
}

/* Wherever in its window it stands. */
static void not_a_number_is_passed_on(void **state) {
    nst_context *context = *state;
    for (int half = 0; half <= 1; ++half) {
        const struct map_size size = {5, 6, 10, half}, pooled = pooled_size(size);
        nst_error error;
        cl_kernel kernel;
        float *map = make_map(11, size, RANDOM);
        bool *expected = allocate(elements_of(pooled), sizeof *expected);
        for (size_t i = 0; i < elements_of(pooled); i += 3) {
            size_t x = i % (size_t)pooled.width, line = i / (size_t)pooled.width; /* of all channels, of even height */
            map[(2 * line + i / 2 % 2) * (size_t)size.width + 2 * x + i % 2] = NAN;
            expected[i] = true;
        }
        check(kernel_create(context, "pooling.cl", feature_map_option(half), "pool_maximum", &kernel, &error), &error);
        cl_mem input = upload_map(context, map, size), output = create_pooled(context, pooled);
        cl_mem mask = create_zero(context, mask_elements(context, size) * sizeof(cl_ushort));
        check(kernel_run(context, kernel, work_range(context, tiles_of(context, size)),
                         ARGUMENTS(arg_buffer(input), arg_buffer(output), arg_buffer(mask),
                                   arg_int(blocks_of_map(context, size)), arg_int(size.height), arg_int(size.width),
                                   arg_int(1)),
                         &error),
              &error);
        float *got = download_map(context, output, pooled);
        for (size_t i = 0; i < elements_of(pooled); ++i) {
            assert_int_equal(isnan(got[i]) != 0, expected[i]);
        }
        free(got);
        free(expected);
        free(map);
        buffer_release(context, &input);
        buffer_release(context, &output);
        buffer_release(context, &mask);
        kernel_release(&kernel);
    }
}

static void check_average(nst_context *context, struct map_size size, bool has_relu) {
    nst_error error;
    cl_kernel kernel;
    struct map_size pooled = pooled_size(size);
    size_t count = elements_of(pooled);
    float *map = make_map(7, size, RANDOM), *pooled_gradient = random_map(8, pooled);
    double *doubles = to_doubles(map, elements_of(size)), *expected = allocate(count, sizeof *expected);
    bool *relu = has_relu ? random_mask(9, size) : NULL;
    reference_pooling(NST_POOLING_AVERAGE, doubles, size.channels, size.height, size.width, expected);
    double *gradient = expected_gradient(NST_POOLING_AVERAGE, doubles, size, pooled_gradient, relu);
    cl_mem mask = has_relu ? upload_mask(context, relu, size) : NULL;
    if (count) {
        cl_mem input = upload_map(context, map, size), output = create_pooled(context, pooled);
        check(kernel_create(context, "pooling.cl", feature_map_option(size.half), "pool_average", &kernel, &error),
              &error);
        check(kernel_run(context, kernel,
                         work_range(context, (size_t)blocks_of_map(context, pooled) * pixels_of(pooled)),
                         ARGUMENTS(arg_buffer(input), arg_buffer(output), arg_int(blocks_of_map(context, size)),
                                   arg_int(size.height), arg_int(size.width)),
                         &error),
              &error);
        float *got = download_map(context, output, pooled);
        assert_map_near("average", got, expected, pooled, 1e-6);
        free(got);
        buffer_release(context, &input);
        buffer_release(context, &output);
        kernel_release(&kernel);
    }
    run_backward(context, pooled_gradient, mask, size, 0.25f, gradient);
    free(gradient);
    free(relu);
    free(expected);
    free(doubles);
    free(map);
    free(pooled_gradient);
    buffer_release(context, &mask);
}

static void average_with_and_without_a_relu_below(void **state) {
    for (size_t s = 0; s < map_size_count(); ++s) {
        for (int half = 0; half <= 1; ++half) {
            struct map_size size = map_sizes[s];
            size.half = half;
            check_average(*state, size, true);
            check_average(*state, size, false);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maximum_of_random_maps),
        cmocka_unit_test(maximum_behind_a_relu),
        cmocka_unit_test(of_equal_pixels_the_first_is_taken),
        cmocka_unit_test(not_a_number_is_passed_on),
        cmocka_unit_test(average_with_and_without_a_relu_below),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
