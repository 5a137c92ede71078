/* test_color.c: original colors, and taking alpha from one picture to another. */
#include "fixtures.h"
#include "image/picture.h"

#include <math.h>
#include <string.h>

/* Y, Cb, Cr in 0..1 and -0.5..0.5 (BT.601, as JFIF 1.02 has them) and back, written out with their own constants. */
static void to_ycbcr(const float rgb[3], double ycbcr[3]) {
    ycbcr[0] = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
    ycbcr[1] = -0.168736 * rgb[0] - 0.331264 * rgb[1] + 0.5 * rgb[2];
    ycbcr[2] = 0.5 * rgb[0] - 0.418688 * rgb[1] - 0.081312 * rgb[2];
}

static double limit(double value) {
    return fmin(fmax(value, 0), 1);
}

static void recoloring_joins_luma_and_chroma(void **state) {
    (void)state;
    nst_picture luma = fixture_picture(17, 31, 4, 255), chroma = fixture_picture(17, 31, 3, 100), result;
    assert_int_equal(picture_recolor(&luma, &chroma, &result, NULL), NST_OK);
    assert_int_equal(result.channels, 4);
    for (int i = 0; i < 17 * 31; i++) {
        double light[3], color[3];
        const float *found = result.values + i * 4;
        to_ycbcr(luma.values + i * 4, light);
        to_ycbcr(chroma.values + i * 3, color);
        assert_true(fabs(found[0] - limit(light[0] + 1.402 * color[2])) < 1e-5);
        assert_true(fabs(found[1] - limit(light[0] - 0.344136 * color[1] - 0.714136 * color[2])) < 1e-5);
        assert_true(fabs(found[2] - limit(light[0] + 1.772 * color[1])) < 1e-5);
        assert_true(found[3] == luma.values[i * 4 + 3]);
    }
    nst_picture_free(&result);
    assert_int_equal(picture_recolor(&chroma, &chroma, &result, NULL), NST_OK);
    for (int i = 0; i < 17 * 31 * 3; i++)
        assert_true(fabsf(result.values[i] - chroma.values[i]) < 1e-6f);
    nst_picture_free(&result);
    nst_picture_free(&luma);
    nst_picture_free(&chroma);
}

static void alpha_is_carried_over(void **state) {
    (void)state;
    nst_picture plain = fixture_picture(3, 5, 3, 255), shaped = fixture_picture(3, 5, 4, 100), result;
    assert_int_equal(picture_with_alpha(&plain, &shaped, &result, NULL), NST_OK);
    assert_int_equal(result.channels, 4);
    for (int i = 0; i < 15; i++) {
        assert_memory_equal(result.values + i * 4, plain.values + i * 3, 3 * sizeof(float));
        assert_true(result.values[i * 4 + 3] == shaped.values[i * 4 + 3]);
    }
    nst_picture_free(&result);

    const nst_picture *without[] = {NULL, &plain};
    for (size_t k = 0; k < 2; k++) {
        assert_int_equal(picture_with_alpha(&shaped, without[k], &result, NULL), NST_OK);
        assert_int_equal(result.channels, 3);
        for (int i = 0; i < 15; i++)
            assert_memory_equal(result.values + i * 3, shaped.values + i * 4, 3 * sizeof(float));
        nst_picture_free(&result);
    }
    nst_picture_free(&plain);
    nst_picture_free(&shaped);
}

static void different_sizes_are_refused(void **state) {
    (void)state;
    nst_picture a = fixture_picture(3, 5, 3, 255), b = fixture_picture(5, 3, 4, 255), result;
    nst_error error;
    assert_int_equal(picture_recolor(&a, &b, &result, &error), NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "3 x 5"));
    assert_int_equal(picture_with_alpha(&a, &b, &result, &error), NST_ERROR_ARGUMENT);
    assert_null(result.values);
    nst_picture_free(&a);
    nst_picture_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recoloring_joins_luma_and_chroma),
        cmocka_unit_test(alpha_is_carried_over),
        cmocka_unit_test(different_sizes_are_refused),
    };
    return cmocka_run_group_tests_name("image.color", tests, NULL, NULL);
}
