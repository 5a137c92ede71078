/* test_map.c: the maps of a check lie on the device as the network lays them out, and come back as they went. */
#include "check/map.h"
#include "fixture.h"
#include "weights/half.h"

#include <math.h>
#include <stdlib.h>

/* One by the fixture's own code, one by the check's. */
static void maps_lie_as_the_network_has_them(void **state) {
    nst_context *context = *state;
    nst_error error;
    for (size_t i = 0; i < map_size_count(); ++i) {
        struct map_size size = map_sizes[i];
        struct check_layout layout = check_layout(context, size.half, size.channels, size.height, size.width);
        size_t elements = check_map_elements(&layout), element_bytes = size.half ? 2 : 4;
        assert_true(elements * element_bytes ==
                    feature_map_bytes(context, size.half, size.channels, size.height, size.width));
        assert_true(check_mask_elements(&layout) * 2 ==
                    relu_mask_bytes(context, size.channels, size.height, size.width));
        float *dense = random_map(i, size), *values = allocate(elements, sizeof *values);
        cl_mem buffer = upload_map(context, dense, size), copy = NULL;
        check(check_map_read(context, &layout, buffer, values, &error), &error);
        for (size_t k = 0; k < elements_of(size); ++k) {
            int c = (int)(k / pixels_of(size)), p = (int)(k % pixels_of(size));
            assert_true(values[check_map_index(&layout, c, p / size.width, p % size.width)] == dense[k]);
        }
        check(check_map_create(context, &layout, values, &copy, &error), &error);
        float *back = download_map(context, copy, size);
        assert_memory_equal(back, dense, elements_of(size) * sizeof *dense);
        buffer_release(context, &buffer);
        buffer_release(context, &copy);
        free(back);
        free(values);
        free(dense);
    }
}

static void masks_lie_as_the_network_has_them(void **state) {
    nst_context *context = *state;
    for (size_t i = 0; i < map_size_count(); ++i) {
        struct map_size size = map_sizes[i];
        struct check_layout layout = check_layout(context, false, size.channels, size.height, size.width);
        bool *dense = random_mask(i, size);
        cl_mem buffer = upload_mask(context, dense, size);
        uint16_t *mask = download(context, buffer, check_mask_elements(&layout) * sizeof *mask),
                 *built = allocate(check_mask_elements(&layout), sizeof *built);
        for (size_t k = 0; k < elements_of(size); ++k) {
            int c = (int)(k / pixels_of(size)), p = (int)(k % pixels_of(size));
            assert_int_equal(check_mask_bit(&layout, mask, c, p / size.width, p % size.width), dense[k]);
            if (dense[k]) {
                check_mask_set(&layout, built, c, p / size.width, p % size.width);
            }
        }
        assert_memory_equal(built, mask, check_mask_elements(&layout) * sizeof *mask);
        buffer_release(context, &buffer);
        free(built);
        free(mask);
        free(dense);
    }
}

static void noise_fits_into_16_bits(void **state) {
    (void)state;
    struct random_generator generator = random_from_seed(1);
    double least = 1, most = -1;
    for (int i = 0; i < 10000; ++i) {
        double value = check_noise(&generator);
        assert_true(fabs(value) <= 1 && value == bfloat16_to_float(bfloat16_from_float((float)value)));
        least = fmin(least, value);
        most = fmax(most, value);
    }
    assert_true(least < -0.9 && most > 0.9);
}

static void the_largest_is_kept_and_what_is_not_a_number(void **state) {
    (void)state;
    double largest = 0;
    check_keep_largest(&largest, 2);
    check_keep_largest(&largest, 1);
    assert_true(largest == 2);
    check_keep_largest(&largest, NAN);
    assert_true(isnan(largest));
    check_keep_largest(&largest, 3);
    assert_true(isnan(largest));
    check_keep_largest(&largest, INFINITY);
    assert_true(isnan(largest));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_lie_as_the_network_has_them),
        cmocka_unit_test(masks_lie_as_the_network_has_them),
        cmocka_unit_test(noise_fits_into_16_bits),
        cmocka_unit_test(the_largest_is_kept_and_what_is_not_a_number),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
