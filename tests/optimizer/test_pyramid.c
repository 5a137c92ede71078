/* test_pyramid.c: the Laplacian pyramid and the resizing of images (cl/pyramid.cl, optimizer/pyramid.c) against the
 * float64 reference; its gradient against the reference's finite differences. */
#include "fixture.h"
#include "optimizer/pyramid.h"
#include "reference/resample.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    struct optimizer_shape image;
    int levels;
} cases[] = {
    {{3, 1, 1}, 8}, {{1, 3, 5}, 0}, {{3, 3, 5}, 2}, {{3, 17, 31}, 1}, {{3, 17, 31}, 8}, {{3, 64, 48}, 3},
};

static double inner_product(const double *a, const double *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* The gradient of <image, weights> for the coefficients; the image is linear in them, so differences are exact. */
static double *finite_differences(const double *weights, struct optimizer_shape image, int levels) {
    size_t count = reference_pyramid_count(image.planes, image.height, image.width, levels);
    double *gradient = allocate(count, sizeof *gradient), *changed = allocate(count, sizeof *changed);
    double *result = allocate(optimizer_elements(image), sizeof *result);
    for (size_t i = 0; i < count; ++i) {
        changed[i] = 1;
        reference_pyramid_synthesize(changed, image.planes, image.height, image.width, levels, result);
        gradient[i] = inner_product(result, weights, optimizer_elements(image));
        changed[i] = 0;
    }
    free(changed);
    free(result);
    return gradient;
}

static void assert_zeros_behind(const float *vector, size_t count) {
    for (size_t i = count; i < optimizer_padded(count); ++i) {
        assert_true(vector[i] == 0);
    }
}

static void check_pyramid(nst_context *context, struct optimizer_shape image, int levels) {
    nst_error error;
    struct pyramid pyramid;
    struct pyramid_shape shape = pyramid_shape_of(image, levels);
    size_t pixels = optimizer_elements(image), count = shape.count, bytes = optimizer_padded(count) * sizeof(float);
    assert_int_equal(count, reference_pyramid_count(image.planes, image.height, image.width, levels));
    float *picture = random_array(1, pixels), *garbage = random_array(2, optimizer_padded(count));
    double *pictures = to_doubles(picture, pixels), *coefficients = allocate(count, sizeof *coefficients);
    reference_pyramid_decompose(pictures, image.planes, image.height, image.width, levels, coefficients);
    uint64_t scratch_bytes = pyramid_scratch_bytes(&shape);
    struct pyramid_buffers buffers = {.image = upload(context, picture, pixels * sizeof *picture),
                                      .coefficients = upload(context, garbage, bytes),
                                      .scratch = scratch_bytes ? create_zero(context, scratch_bytes) : NULL};
    check(pyramid_create(context, &pyramid, &error), &error);

    check(pyramid_decompose(context, &pyramid, &shape, &buffers, &error), &error);
    float *got = download(context, buffers.coefficients, bytes);
    assert_near("coefficients", got, coefficients, count, 1e-6);
    assert_zeros_behind(got, count);
    free(got);

    check(buffer_write(context, buffers.image, 0, garbage, pixels * sizeof *picture, &error), &error);
    check(pyramid_synthesize(context, &pyramid, &shape, &buffers, &error), &error);
    got = download(context, buffers.image, pixels * sizeof *got);
    assert_near("image", got, pictures, pixels, 1e-6);
    free(got);

    double *gradient = finite_differences(pictures, image, levels);
    check(buffer_write(context, buffers.image, 0, picture, pixels * sizeof *picture, &error), &error);
    check(buffer_write(context, buffers.coefficients, 0, garbage, bytes, &error), &error);
    check(pyramid_gradient(context, &pyramid, &shape, &buffers, &error), &error);
    got = download(context, buffers.coefficients, bytes);
    assert_near("gradient", got, gradient, count, 2e-6);
    assert_zeros_behind(got, count);
    free(got);

    pyramid_release(&pyramid);
    buffer_release(context, &buffers.image);
    buffer_release(context, &buffers.coefficients);
    buffer_release(context, &buffers.scratch);
    free(picture);
    free(garbage);
    free(pictures);
    free(coefficients);
    free(gradient);
}

static void pyramids_agree_with_the_reference(void **state) {
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(cases), 4); ++i) {
        check_pyramid(*state, cases[i].image, cases[i].levels);
    }
}

static float *resize(nst_context *context, const float *picture, struct planar_resize sizes) {
    nst_error error;
    struct pyramid pyramid;
    size_t in = (size_t)(sizes.planes * sizes.in_height * sizes.in_width) * sizeof *picture;
    size_t out = (size_t)(sizes.planes * sizes.out_height * sizes.out_width) * sizeof *picture;
    cl_mem input = upload(context, picture, in), output = create_zero(context, out);
    check(pyramid_create(context, &pyramid, &error), &error);
    check(planar_resize(context, &pyramid, &sizes, input, output, &error), &error);
    float *got = download(context, output, out);
    pyramid_release(&pyramid);
    buffer_release(context, &input);
    buffer_release(context, &output);
    return got;
}

static void resizing_agrees_with_the_reference(void **state) {
    static const struct planar_resize sizes[] = {
        {3, 1, 1, 3, 5}, {3, 3, 5, 1, 1}, {1, 17, 31, 64, 20}, {3, 40, 31, 17, 31}, {3, 33, 7, 67, 14}};
    for (size_t i = 0; i < COUNT_OF(sizes); ++i) {
        struct planar_resize s = sizes[i];
        size_t in = (size_t)(s.planes * s.in_height * s.in_width);
        size_t out = (size_t)(s.planes * s.out_height * s.out_width);
        float *picture = random_array(i, in), *got = resize(*state, picture, s);
        double *pictures = to_doubles(picture, in), *expected = allocate(out, sizeof *expected);
        reference_resample(pictures, s.planes, reference_half_pixel(s.in_height, s.out_height),
                           reference_half_pixel(s.in_width, s.out_width), expected);
        assert_near("resized", got, expected, out, 1e-6);
        free(picture);
        free(got);
        free(pictures);
        free(expected);
    }
}

/* What torch.nn.functional.interpolate makes of a line of four, align_corners = False. */
static void resizing_is_that_of_torch(void **state) {
    const float line[] = {0, 1, 2, 3}, doubled[] = {0, 0.25f, 0.75f, 1.25f, 1.75f, 2.25f, 2.75f, 3};
    const float halved[] = {0.5f, 2.5f};
    float *got = resize(*state, line, (struct planar_resize){1, 1, 4, 1, 8});
    assert_memory_equal(got, doubled, sizeof doubled);
    free(got);
    got = resize(*state, line, (struct planar_resize){1, 1, 4, 1, 2});
    assert_memory_equal(got, halved, sizeof halved);
    free(got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pyramids_agree_with_the_reference),
        cmocka_unit_test(resizing_agrees_with_the_reference),
        cmocka_unit_test(resizing_is_that_of_torch),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
