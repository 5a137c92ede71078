/* test_padding.c: folding the gradient of a reflected or replicated border back (cl/padding.cl). */
#include "fixture.h"
#include "network/convolution.h"
#include "reference/convolution.h"

#include <stdlib.h>

/* Each padded position hands its gradient to the pixel that it shows. */
static double *expected_fold(const float *padded, struct map_size size, int padding, enum padding_mode mode,
                             const bool *mask) {
    double *expected = allocate(elements_of(size), sizeof *expected);
    for (int c = 0; c < size.channels; ++c) {
        for (int v = -padding; v < size.height + padding; ++v) {
            for (int u = -padding; u < size.width + padding; ++u) {
                int y = reference_source_index(v, size.height, mode), x = reference_source_index(u, size.width, mode);
                size_t at = (size_t)c * pixels_of(size) + (size_t)(y * size.width + x);
                expected[at] += !mask || mask[at] ? *padded : 0;
                ++padded;
            }
        }
    }
    return expected;
}

static void check_fold(nst_context *context, struct map_size size, int padding, enum padding_mode mode, bool has_mask) {
    nst_error error;
    cl_kernel kernel;
    struct map_size around = {size.channels, size.height + 2 * padding, size.width + 2 * padding, size.half};
    float *gradient = random_map(3, around), *garbage = random_array(4, elements_of(size));
    bool *relu = has_mask ? random_mask(5, size) : NULL;
    double *expected = expected_fold(gradient, size, padding, mode, relu);
    cl_mem padded = upload_map(context, gradient, around), folded = upload_map(context, garbage, size);
    cl_mem mask = has_mask ? upload_mask(context, relu, size) : NULL;
    check(kernel_create(context, "padding.cl", feature_map_option(size.half), "fold_padding", &kernel, &error), &error);
    check(kernel_run(context, kernel, work_range(context, (size_t)blocks_of_map(context, size) * pixels_of(size)),
                     ARGUMENTS(arg_buffer(padded), arg_buffer(mask), arg_buffer(folded),
                               arg_int(blocks_of_map(context, size)), arg_int(size.height), arg_int(size.width),
                               arg_int(padding), arg_int(mode == PADDING_REFLECT), arg_int(has_mask)),
                     &error),
          &error);
    float *got = download_map(context, folded, size);
    assert_map_near("folded gradient", got, expected, size, 1e-5);
    free(got);
    free(expected);
    free(relu);
    free(gradient);
    free(garbage);
    buffer_release(context, &padded);
    buffer_release(context, &folded);
    buffer_release(context, &mask);
    kernel_release(&kernel);
}

static void check_mode(nst_context *context, enum padding_mode mode) {
    for (size_t s = 0; s < map_size_count(); ++s) {
        for (int padding = 1; padding <= 3; ++padding) {
            struct map_size size = map_sizes[s];
            if (mode == PADDING_REPLICATE || (size.height > padding && size.width > padding)) {
                check_fold(context, size, padding, mode, true);
                check_fold(context, size, padding, mode, false);
                size.half = true;
                check_fold(context, size, padding, mode, true);
            }
        }
    }
}

static void replication(void **state) {
    check_mode(*state, PADDING_REPLICATE);
}

/* Down to the smallest map that can be reflected: one pixel larger than the padding. */
static void reflection(void **state) {
    check_mode(*state, PADDING_REFLECT);
    for (int padding = 1; padding <= 3; ++padding) {
        check_fold(*state, (struct map_size){5, padding + 1, padding + 2, false}, padding, PADDING_REFLECT, true);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replication),
        cmocka_unit_test(reflection),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
