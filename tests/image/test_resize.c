/* test_resize.c: resizing agrees with PIL's, and keeps what it must keep: constants, the mean, transparency. */
#include "fixtures.h"
#include "image/picture.h"

#include <math.h>
#include <string.h>

/* Figures of PIL 13, Image.resize on a 7 x 5 picture of mode F: value(x, y) below. */
static const struct {
    enum resize_filter filter;
    int width, height;
    float values[30];
} pil_cases[] = {
    {RESIZE_TRIANGLE, 3, 2, {0.51549f, 0.51422f, 0.61211f, 0.50555f, 0.48390f, 0.47036f}},
    {RESIZE_TRIANGLE,
     4,
     3,
     {0.40687f, 0.55983f, 0.52937f, 0.56388f, 0.62164f, 0.41911f, 0.60422f, 0.61545f, 0.56082f, 0.40857f, 0.39691f,
      0.42578f}},
    {RESIZE_TRIANGLE, 10, 3, {0.39000f, 0.38607f, 0.48929f, 0.78729f, 0.42879f, 0.37329f, 0.64964f, 0.64464f,
                              0.57471f, 0.49143f, 0.81000f, 0.60100f, 0.39111f, 0.28222f, 0.53806f, 0.62556f,
                              0.53350f, 0.66028f, 0.63556f, 0.55000f, 0.65286f, 0.55621f, 0.43321f, 0.31021f,
                              0.46857f, 0.49707f, 0.37407f, 0.25107f, 0.38779f, 0.60857f}},
    {RESIZE_TRIANGLE, 1, 1, {0.51334f}},
    {RESIZE_TRIANGLE,
     2,
     8,
     {0.35023f, 0.48395f, 0.48891f, 0.55792f, 0.65326f, 0.64891f, 0.51372f, 0.60778f, 0.47695f, 0.57398f, 0.54294f,
      0.54753f, 0.47680f, 0.40217f, 0.42023f, 0.29116f}},
    {RESIZE_CUBIC, 3, 2, {0.50711f, 0.52134f, 0.62084f, 0.51655f, 0.45864f, 0.47315f}},
    {RESIZE_CUBIC,
     4,
     3,
     {0.40181f, 0.56180f, 0.51609f, 0.58418f, 0.64454f, 0.40306f, 0.64488f, 0.62097f, 0.56208f, 0.39965f, 0.38862f,
      0.41145f}},
    {RESIZE_CUBIC, 10, 3, {0.38437f, 0.35344f, 0.48583f, 0.82899f, 0.38481f, 0.29776f, 0.65985f, 0.66743f,
                           0.57892f, 0.49408f, 0.87287f, 0.63600f, 0.35570f, 0.25543f, 0.57924f, 0.69130f,
                           0.55023f, 0.69205f, 0.65075f, 0.53979f, 0.65544f, 0.56966f, 0.42101f, 0.28133f,
                           0.48375f, 0.53232f, 0.36018f, 0.20529f, 0.37697f, 0.62106f}},
    {RESIZE_CUBIC, 1, 1, {0.51283f}},
    {RESIZE_CUBIC,
     2,
     8,
     {0.32244f, 0.47072f, 0.48481f, 0.55352f, 0.66922f, 0.65529f, 0.50522f, 0.61229f, 0.45986f, 0.57864f, 0.55503f,
      0.55568f, 0.47848f, 0.38950f, 0.40849f, 0.27117f}},
    {RESIZE_LANCZOS3, 3, 2, {0.50086f, 0.53140f, 0.62748f, 0.52573f, 0.44134f, 0.48881f}},
    {RESIZE_LANCZOS3,
     4,
     3,
     {0.42097f, 0.55067f, 0.49283f, 0.61381f, 0.64985f, 0.39394f, 0.69605f, 0.61221f, 0.54094f, 0.40118f, 0.38217f,
      0.39071f}},
    {RESIZE_LANCZOS3, 10, 3, {0.39626f, 0.31607f, 0.52562f, 0.85413f, 0.37562f, 0.23141f, 0.66277f, 0.68806f,
                              0.57140f, 0.51813f, 0.91301f, 0.68146f, 0.29922f, 0.24414f, 0.60864f, 0.74311f,
                              0.57610f, 0.69901f, 0.65577f, 0.53198f, 0.63104f, 0.58170f, 0.39273f, 0.25880f,
                              0.47815f, 0.56320f, 0.33852f, 0.17814f, 0.37986f, 0.60672f}},
    {RESIZE_LANCZOS3, 1, 1, {0.51205f}},
    {RESIZE_LANCZOS3,
     2,
     8,
     {0.30180f, 0.47053f, 0.48979f, 0.55776f, 0.67250f, 0.65672f, 0.50887f, 0.60520f, 0.45198f, 0.57478f, 0.56998f,
      0.55582f, 0.48536f, 0.38294f, 0.38552f, 0.26182f}},
};

static float value(int x, int y) {
    return (float)((x * 37 + y * 91 + x * y * 13) % 101) / 100.0f;
}

static void agrees_with_pil(void **state) {
    (void)state;
    nst_picture source;
    assert_int_equal(picture_create(7, 5, 3, &source, NULL), NST_OK);
    for (int y = 0; y < 5; y++)
        for (int x = 0; x < 7; x++)
            for (int channel = 0; channel < 3; channel++) /* one plane the picture, one its negative, one constant */
                source.values[(y * 7 + x) * 3 + channel] = channel == 0   ? value(x, y)
                                                           : channel == 1 ? 1 - value(x, y)
                                                                          : 0.25f;
    for (size_t i = 0; i < sizeof pil_cases / sizeof *pil_cases; i++) {
        nst_picture result;
        int width = pil_cases[i].width, height = pil_cases[i].height;
        assert_int_equal(picture_resize(&source, width, height, pil_cases[i].filter, &result, NULL), NST_OK);
        assert_int_equal(result.width, width);
        assert_int_equal(result.height, height);
        for (int k = 0; k < width * height; k++) {
            assert_true(fabsf(result.values[k * 3] - pil_cases[i].values[k]) < 2e-5f);
            assert_true(fabsf(result.values[k * 3 + 1] - (1 - pil_cases[i].values[k])) < 2e-5f);
            assert_true(fabsf(result.values[k * 3 + 2] - 0.25f) < 1e-6f);
        }
        nst_picture_free(&result);
    }
    nst_picture_free(&source);
}

/* The three filters (Duff; Keys 1981 with a = -1/2; Duchon 1979), at a distance in pixels of the source. */
static double filter_at(enum resize_filter filter, double x) {
    const double pi = 3.14159265358979323846;
    x = fabs(x);
    if (filter == RESIZE_TRIANGLE)
        return fmax(0, 1 - x);
    if (filter == RESIZE_CUBIC)
        return x < 1 ? 1.5 * x * x * x - 2.5 * x * x + 1 : x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0;
    return x == 0 ? 1 : x < 3 ? 3 * sin(pi * x) * sin(pi * x / 3) / (pi * pi * x * x) : 0;
}

/* Enlarged much, a single pixel shows the filter's whole shape. */
static void enlarging_shows_the_filter(void **state) {
    (void)state;
    enum { SIZE = 15, MIDDLE = 7, TIMES = 5 };
    nst_picture source, result;
    assert_int_equal(picture_create(SIZE, 1, 3, &source, NULL), NST_OK);
    for (int i = 0; i < 3 * SIZE; i++)
        source.values[i] = i / 3 == MIDDLE ? 0.75f : 0.5f;
    for (int filter = RESIZE_TRIANGLE; filter <= RESIZE_LANCZOS3; filter++) {
        assert_int_equal(picture_resize(&source, TIMES * SIZE, 1, (enum resize_filter)filter, &result, NULL), NST_OK);
        for (int i = 0; i < TIMES * SIZE; i++) {
            double place = (i + 0.5) / TIMES - 0.5, sum = 0;
            for (int k = 0; k < SIZE; k++)
                sum += filter_at((enum resize_filter)filter, place - k);
            double expected = 0.5 + 0.25 * filter_at((enum resize_filter)filter, place - MIDDLE) / sum;
            assert_true(fabs((double)result.values[3 * i] - expected) < 1e-5);
        }
        nst_picture_free(&result);
    }
    nst_picture_free(&source);
}

static const int sizes[][2] = {{1, 1}, {3, 5}, {17, 31}, {64, 2}, {100, 77}};
#define SIZE_COUNT (sizeof sizes / sizeof *sizes)

static double mean_of(const nst_picture *picture, int channel) {
    double sum = 0;
    int pixels = picture->width * picture->height;
    for (int i = 0; i < pixels; i++)
        sum += picture->values[i * picture->channels + channel];
    return sum / pixels;
}

static void constants_stay_constant(void **state) {
    (void)state;
    for (size_t from = 0; from < SIZE_COUNT; from++)
        for (size_t to = 0; to < SIZE_COUNT; to++)
            for (int filter = RESIZE_TRIANGLE; filter <= RESIZE_LANCZOS3; filter++) {
                nst_picture source, result;
                assert_int_equal(picture_create(sizes[from][0], sizes[from][1], 4, &source, NULL), NST_OK);
                for (int i = 0; i < source.width * source.height * 4; i++)
                    source.values[i] = 0.2f * (float)(i % 4 + 1);
                assert_int_equal(
                    picture_resize(&source, sizes[to][0], sizes[to][1], (enum resize_filter)filter, &result, NULL),
                    NST_OK);
                for (int i = 0; i < result.width * result.height * 4; i++)
                    assert_true(fabsf(result.values[i] - 0.2f * (float)(i % 4 + 1)) < 2e-6f);
                nst_picture_free(&result);
                nst_picture_free(&source);
            }
}

/* Away from edges, reducing by a whole number keeps the mean; at the edges renormalizing changes it a little. */
static void the_mean_is_kept(void **state) {
    (void)state;
    nst_picture source = fixture_picture(120, 90, 3, 255), result;
    for (int filter = RESIZE_TRIANGLE; filter <= RESIZE_LANCZOS3; filter++) {
        assert_int_equal(picture_resize(&source, 40, 30, (enum resize_filter)filter, &result, NULL), NST_OK);
        for (int channel = 0; channel < 3; channel++)
            assert_true(fabs(mean_of(&source, channel) - mean_of(&result, channel)) < 2e-3);
        nst_picture_free(&result);
    }
    nst_picture_free(&source);
}

/* A checkerboard of single pixels has no place in a picture of a third of the size: gray is left, not some of its
 * pixels. */
static void reducing_does_not_alias(void **state) {
    (void)state;
    nst_picture source, result;
    assert_int_equal(picture_create(90, 90, 3, &source, NULL), NST_OK);
    for (int i = 0; i < 90 * 90 * 3; i++)
        source.values[i] = (float)((i / 3 % 90 + i / 270) % 2);
    assert_int_equal(picture_resize(&source, 30, 30, RESIZE_TRIANGLE, &result, NULL), NST_OK);
    for (int y = 1; y < 29; y++)
        for (int x = 1; x < 29; x++)
            assert_true(fabsf(result.values[(y * 30 + x) * 3] - 0.5f) < 0.02f);
    nst_picture_free(&result);
    nst_picture_free(&source);
}

static void the_same_size_is_the_same_picture(void **state) {
    (void)state;
    for (size_t i = 0; i < SIZE_COUNT; i++)
        for (int channels = 3; channels <= 4; channels++) {
            nst_picture source = fixture_picture(sizes[i][0], sizes[i][1], channels, 255), result;
            assert_int_equal(picture_resize(&source, source.width, source.height, RESIZE_TRIANGLE, &result, NULL),
                             NST_OK);
            assert_true(result.values != source.values);
            assert_memory_equal(result.values, source.values,
                                (size_t)(source.width * source.height * channels) * sizeof(float));
            nst_picture_free(&result);
            nst_picture_free(&source);
        }
}

/* Green that cannot be seen must not shine through at the edge of red that can. */
static void hidden_colors_stay_hidden(void **state) {
    (void)state;
    nst_picture source, result;
    assert_int_equal(picture_create(8, 8, 4, &source, NULL), NST_OK);
    for (int i = 0; i < 64; i++) {
        float *pixel = source.values + i * 4;
        bool visible = i % 8 < 3;
        pixel[0] = visible ? 1 : 0;
        pixel[1] = visible ? 0 : 1;
        pixel[3] = visible ? 1 : 0;
    }
    assert_int_equal(picture_resize(&source, 3, 3, RESIZE_TRIANGLE, &result, NULL), NST_OK);
    for (int i = 0; i < 9; i++) {
        const float *pixel = result.values + i * 4;
        assert_true(pixel[1] < 1e-6f);
        assert_true(pixel[3] < 1e-6f || fabsf(pixel[0] - 1) < 1e-5f);
    }
    assert_true(result.values[3] > 0.8f && result.values[3] < 1.0f);
    assert_true(result.values[11] == 0);
    nst_picture_free(&result);
    nst_picture_free(&source);
}

/* Of a square on transparent ground, half gray and half white: what is hidden in the result continues the square, also
 * where Lanczos's rings are, and never becomes black. Without anything visible it is black. */
static void hidden_pixels_are_filled(void **state) {
    (void)state;
    static const int results[][2] = {{12, 12}, {17, 31}, {40, 41}, {100, 1}, {90, 90}};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        for (int filter = RESIZE_TRIANGLE; filter <= RESIZE_LANCZOS3; filter++) {
            nst_picture source, result;
            int width = results[i][0], height = results[i][1], hidden = 0;
            assert_int_equal(picture_create(60, 60, 4, &source, NULL), NST_OK);
            for (int k = 0; k < 60 * 60; k++)
                if (k % 60 >= 20 && k % 60 < 40 && k / 60 >= 20 && k / 60 < 40) {
                    float *pixel = source.values + 4 * k;
                    pixel[0] = pixel[1] = pixel[2] = k % 60 < 30 ? 0.5f : 1;
                    pixel[3] = 1;
                }
            assert_int_equal(picture_resize(&source, width, height, (enum resize_filter)filter, &result, NULL), NST_OK);
            for (int k = 0; k < width * height; k++) {
                hidden += result.values[4 * k + 3] == 0;
                assert_true(result.values[4 * k] > 0.38f); /* Lanczos undershoots */
            }
            assert_true(hidden > 0 || height == 1);
            nst_picture_free(&result);
            for (int k = 3; k < 60 * 60 * 4; k += 4)
                source.values[k] = 0;
            assert_int_equal(picture_resize(&source, width, height, (enum resize_filter)filter, &result, NULL), NST_OK);
            for (int k = 0; k < width * height * 4; k++)
                assert_true(result.values[k] == 0);
            nst_picture_free(&result);
            nst_picture_free(&source);
        }
}

/* One pixel of many is little, but all there is to see. */
static void a_speck_is_not_lost(void **state) {
    (void)state;
    nst_picture source, result;
    assert_int_equal(picture_create(1000, 1000, 4, &source, NULL), NST_OK);
    float *speck = source.values + 4 * (345 * 1000 + 678);
    speck[0] = speck[3] = 1;
    assert_int_equal(picture_resize(&source, 17, 17, RESIZE_LANCZOS3, &result, NULL), NST_OK);
    float alpha = 0;
    for (int i = 0; i < 17 * 17; i++) {
        alpha += result.values[4 * i + 3];
        assert_true(fabsf(result.values[4 * i] - 1) < 1e-5f);
    }
    assert_true(alpha > 0);
    nst_picture_free(&result);
    nst_picture_free(&source);
}

/* An alpha of 1 everywhere: the bytes of the picture without it. */
static void opaque_alpha_changes_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < SIZE_COUNT; i++)
        for (int filter = RESIZE_TRIANGLE; filter <= RESIZE_LANCZOS3; filter++) {
            nst_picture plain = fixture_picture(23, 19, 3, 255), opaque, from_plain, from_opaque;
            assert_int_equal(picture_create(23, 19, 4, &opaque, NULL), NST_OK);
            for (int k = 0; k < 23 * 19; k++) {
                memcpy(opaque.values + 4 * k, plain.values + 3 * k, 3 * sizeof(float));
                opaque.values[4 * k + 3] = 1;
            }
            enum resize_filter chosen = (enum resize_filter)filter;
            assert_int_equal(picture_resize(&plain, sizes[i][0], sizes[i][1], chosen, &from_plain, NULL), NST_OK);
            assert_int_equal(picture_resize(&opaque, sizes[i][0], sizes[i][1], chosen, &from_opaque, NULL), NST_OK);
            assert_true(picture_is_opaque(&from_opaque));
            for (int k = 0; k < sizes[i][0] * sizes[i][1]; k++)
                assert_memory_equal(from_opaque.values + 4 * k, from_plain.values + 3 * k, 3 * sizeof(float));
            nst_picture_free(&plain);
            nst_picture_free(&opaque);
            nst_picture_free(&from_plain);
            nst_picture_free(&from_opaque);
        }
}

static void overshoot_is_clamped(void **state) {
    (void)state;
    nst_picture source, result;
    assert_int_equal(picture_create(10, 1, 3, &source, NULL), NST_OK);
    for (int i = 0; i < 30; i++)
        source.values[i] = i < 15 ? 0 : 1;
    assert_int_equal(picture_resize(&source, 40, 1, RESIZE_LANCZOS3, &result, NULL), NST_OK);
    for (int i = 0; i < 120; i++)
        assert_true(result.values[i] >= 0 && result.values[i] <= 1);
    nst_picture_free(&result);
    nst_picture_free(&source);
}

/* The longest thin pictures are resized without anything of 32767 x 32767 in between. */
static void thin_pictures_can_be_turned(void **state) {
    (void)state;
    nst_picture source = fixture_picture(32767, 1, 3, 255), result;
    assert_int_equal(picture_resize(&source, 1, 32767, RESIZE_TRIANGLE, &result, NULL), NST_OK);
    assert_true(fabsf(result.values[0] - result.values[32766 * 3]) < 1e-6f);
    nst_picture_free(&result);
    nst_picture_free(&source);
}

static void impossible_sizes_are_refused(void **state) {
    (void)state;
    static const int bad[][2] = {{0, 5}, {5, 0}, {-1, 5}, {32768, 5}, {32767, 32767}};
    nst_picture source = fixture_picture(3, 5, 3, 255), result;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        nst_error error = {0};
        assert_int_equal(picture_resize(&source, bad[i][0], bad[i][1], RESIZE_TRIANGLE, &result, &error),
                         NST_ERROR_ARGUMENT);
        assert_true(error.message[0]);
        assert_null(result.values);
    }
    nst_picture_free(&source);
}

static void fits_the_longer_side(void **state) {
    (void)state;
    static const int cases[][5] = {{768, 512, 512, 512, 341},  {512, 768, 512, 341, 512}, {300, 200, 600, 600, 400},
                                   {3000, 1, 512, 512, 1},     {100, 100, 64, 64, 64},    {1, 1, 512, 512, 512},
                                   {4000, 3000, 999, 999, 749}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nst_picture picture = {cases[i][0], cases[i][1], 3, NULL};
        int width, height;
        picture_fit(&picture, cases[i][2], &width, &height);
        assert_int_equal(width, cases[i][3]);
        assert_int_equal(height, cases[i][4]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_pil),
        cmocka_unit_test(enlarging_shows_the_filter),
        cmocka_unit_test(constants_stay_constant),
        cmocka_unit_test(the_mean_is_kept),
        cmocka_unit_test(reducing_does_not_alias),
        cmocka_unit_test(the_same_size_is_the_same_picture),
        cmocka_unit_test(hidden_colors_stay_hidden),
        cmocka_unit_test(hidden_pixels_are_filled),
        cmocka_unit_test(a_speck_is_not_lost),
        cmocka_unit_test(opaque_alpha_changes_nothing),
        cmocka_unit_test(overshoot_is_clamped),
        cmocka_unit_test(thin_pictures_can_be_turned),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(fits_the_longer_side),
    };
    return cmocka_run_group_tests_name("image.resize", tests, NULL, NULL);
}
