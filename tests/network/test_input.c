/* test_input.c: image to network input and its gradient back (cl/input.cl). */
#include "fixture.h"
#include "network/convolution.h"

#include <stdlib.h>

static const int orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}};
static const float scales[3] = {1.0f, 0.017f, -2.5f}, offsets[3] = {-103.939f, 0.0f, 3.0f};

static void check_image(nst_context *context, bool half) {
    nst_error error;
    cl_kernel kernel;
    check(kernel_create(context, "input.cl", feature_map_option(half), "image_to_input", &kernel, &error), &error);
    for (size_t s = 0; s < map_size_count(); ++s) {
        const int *order = orders[s % COUNT_OF(orders)];
        struct map_size size = {3, map_sizes[s].height, map_sizes[s].width, half};
        size_t pixels = pixels_of(size);
        float *image = random_uniform_array(s, 3 * pixels, 0, 255);
        double *expected = allocate(3 * pixels, sizeof *expected);
        for (size_t i = 0; i < 3 * pixels; ++i) {
            size_t c = i / pixels;
            expected[i] = (double)image[(size_t)order[c] * pixels + i % pixels] * scales[c] + offsets[c];
        }
        cl_mem source = upload(context, image, 3 * pixels * sizeof *image);
        float *garbage = random_array(s, 3 * pixels); /* unused channels must become zero, whatever was there */
        cl_mem input = upload_map(context, garbage, size);
        check(kernel_run(context, kernel, work_range(context, pixels),
                         ARGUMENTS(arg_buffer(source), arg_buffer(input), arg_int((int)pixels), arg_int(order[0]),
                                   arg_int(order[1]), arg_int(order[2]), arg_float(scales[0]), arg_float(scales[1]),
                                   arg_float(scales[2]), arg_float(offsets[0]), arg_float(offsets[1]),
                                   arg_float(offsets[2])),
                         &error),
              &error);
        float *got = download_map(context, input, size);
        assert_map_near("input", got, expected, size, 1e-6);
        free(got);
        free(garbage);
        free(expected);
        free(image);
        buffer_release(context, &source);
        buffer_release(context, &input);
    }
    kernel_release(&kernel);
}

static void check_gradient(nst_context *context, bool half) {
    nst_error error;
    cl_kernel kernel;
    check(kernel_create(context, "input.cl", feature_map_option(half), "input_gradient_to_image", &kernel, &error),
          &error);
    for (size_t s = 0; s < map_size_count(); ++s) {
        const int *order = orders[s % COUNT_OF(orders)];
        struct map_size size = {3, map_sizes[s].height, map_sizes[s].width, half};
        size_t pixels = pixels_of(size);
        float *gradient = random_map(s, size);
        double *expected = allocate(3 * pixels, sizeof *expected);
        for (size_t i = 0; i < 3 * pixels; ++i) {
            expected[(size_t)order[i / pixels] * pixels + i % pixels] = (double)scales[i / pixels] * gradient[i];
        }
        cl_mem source = upload_map(context, gradient, size);
        cl_mem image = create_zero(context, 3 * pixels * sizeof *gradient);
        check(kernel_run(context, kernel, work_range(context, pixels),
                         ARGUMENTS(arg_buffer(source), arg_buffer(image), arg_int((int)pixels), arg_int(order[0]),
                                   arg_int(order[1]), arg_int(order[2]), arg_float(scales[0]), arg_float(scales[1]),
                                   arg_float(scales[2])),
                         &error),
              &error);
        float *got = download(context, image, 3 * pixels * sizeof *got);
        assert_near("image gradient", got, expected, 3 * pixels, 1e-6);
        free(got);
        free(expected);
        free(gradient);
        buffer_release(context, &source);
        buffer_release(context, &image);
    }
    kernel_release(&kernel);
}

static void image_becomes_input(void **state) {
    check_image(*state, false);
    check_image(*state, true);
}

static void gradient_goes_back(void **state) {
    check_gradient(*state, false);
    check_gradient(*state, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_becomes_input),
        cmocka_unit_test(gradient_goes_back),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
