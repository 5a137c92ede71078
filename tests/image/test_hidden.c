/* test_hidden.c: what cannot be seen has no color of its own: it continues what can, and changes nothing else. */
#include "fixtures.h"
#include "image/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

static const int sizes[][2] = {{1, 2}, {3, 5}, {17, 31}, {64, 2}, {100, 77}, {1, 1000}};
#define SIZE_COUNT (sizeof sizes / sizeof *sizes)

/* What is hidden in a picture, for the tests below. */
typedef bool is_hidden_at(int x, int y, int width, int height);

static bool left_half(int x, int y, int width, int height) {
    (void)y;
    return width > 1 ? x < width / 2 : y < height / 2;
}

static bool all_but_the_last(int x, int y, int width, int height) {
    return x != width - 1 || y != height - 1;
}

static bool most_of_a_grid(int x, int y, int width, int height) {
    (void)width, (void)height;
    return (x + y) % 3 != 1;
}

static is_hidden_at *const patterns[] = {left_half, all_but_the_last, most_of_a_grid};
#define PATTERN_COUNT (sizeof patterns / sizeof *patterns)

/* A picture in which that is hidden, under `color`; the rest has an alpha between 0.1 and 1. */
static nst_picture make_picture(const int size[2], is_hidden_at *hidden, const float color[3]) {
    nst_picture picture = fixture_picture(size[0], size[1], 4, 255);
    float *pixel = picture.values;
    for (int y = 0; y < size[1]; y++)
        for (int x = 0; x < size[0]; x++, pixel += 4)
            if (hidden(x, y, size[0], size[1])) {
                memcpy(pixel, color, 3 * sizeof *color);
                pixel[3] = 0;
            }
    return picture;
}

static size_t bytes_of(const nst_picture *picture) {
    return (size_t)picture->width * (size_t)picture->height * (size_t)picture->channels * sizeof(float);
}

static void assert_same(const nst_picture *a, const nst_picture *b) {
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->channels, b->channels);
    assert_memory_equal(a->values, b->values, bytes_of(a));
}

/* The least and the largest visible value of a channel. */
static void visible_range(const nst_picture *picture, int channel, float *least, float *largest) {
    *least = INFINITY;
    *largest = -INFINITY;
    for (int i = 0; i < picture->width * picture->height; i++) {
        const float *pixel = picture->values + 4 * i;
        if (pixel[3] > 0) {
            *least = fminf(*least, pixel[channel]);
            *largest = fmaxf(*largest, pixel[channel]);
        }
    }
}

static const float magenta[] = {1, 0, 1}, green[] = {0, 1, 0};

static void hidden_colors_change_nothing(void **state) {
    (void)state;
    for (size_t size = 0; size < SIZE_COUNT; size++)
        for (size_t pattern = 0; pattern < PATTERN_COUNT; pattern++) {
            nst_picture one = make_picture(sizes[size], patterns[pattern], magenta);
            nst_picture other = make_picture(sizes[size], patterns[pattern], green);
            assert_true(memcmp(one.values, other.values, bytes_of(&one)) != 0);
            assert_int_equal(picture_fill_hidden(&one, "content", NULL), NST_OK);
            assert_int_equal(picture_fill_hidden(&other, "content", NULL), NST_OK);
            assert_same(&one, &other);
            nst_picture_free(&one);
            nst_picture_free(&other);
        }
}

static void visible_pixels_and_alpha_are_kept(void **state) {
    (void)state;
    for (size_t size = 0; size < SIZE_COUNT; size++)
        for (size_t pattern = 0; pattern < PATTERN_COUNT; pattern++) {
            nst_picture before = make_picture(sizes[size], patterns[pattern], green);
            nst_picture after = make_picture(sizes[size], patterns[pattern], green);
            assert_int_equal(picture_fill_hidden(&after, "content", NULL), NST_OK);
            for (int channel = 0; channel < 3; channel++) {
                float least, largest;
                visible_range(&before, channel, &least, &largest);
                for (int i = channel; i < before.width * before.height * 4; i += 4) {
                    const float *old = before.values + i - channel, *new = after.values + i - channel;
                    assert_true(new[3] == old[3]);
                    if (old[3] > 0)
                        assert_true(new[channel] == old[channel]);
                    else
                        assert_true(new[channel] >= least - 1e-6f && new[channel] <= largest + 1e-6f);
                }
            }
            nst_picture_free(&before);
            nst_picture_free(&after);
        }
}

static void one_visible_pixel_is_enough(void **state) {
    (void)state;
    static const float color[] = {0.2f, 0.4f, 0.8f}, alphas[] = {1, 1.0f / 65535};
    for (size_t size = 0; size < SIZE_COUNT; size++)
        for (size_t k = 0; k < 2; k++) {
            nst_picture picture = make_picture(sizes[size], all_but_the_last, green);
            int pixels = picture.width * picture.height;
            memcpy(picture.values + 4 * (pixels - 1), color, sizeof color);
            picture.values[4 * pixels - 1] = alphas[k];
            assert_int_equal(picture_fill_hidden(&picture, "content", NULL), NST_OK);
            for (int i = 0; i < pixels * 4; i++)
                assert_true(i % 4 == 3 || fabsf(picture.values[i] - color[i % 4]) < 1e-6f);
            nst_picture_free(&picture);
        }
}

/* Beside a pixel that is hardly there and one that is, what is hidden takes the color of the latter. */
static void alpha_is_the_weight(void **state) {
    (void)state;
    float values[] = {1, 0, 0, 0.01f, 0, 1, 0, 0, 0, 0, 1, 0.99f};
    nst_picture picture = {3, 1, 4, values};
    assert_int_equal(picture_fill_hidden(&picture, "content", NULL), NST_OK);
    assert_true(values[4] < 0.05f && values[5] == 0 && values[6] > 0.95f);
    float twice[] = {1, 0, 0, 0.25f, 0, 0, 1, 0.75f, 0, 1, 0, 0, 0, 1, 0, 0};
    picture = (nst_picture){2, 2, 4, twice}; /* one level: its color is the weighted mean */
    assert_int_equal(picture_fill_hidden(&picture, "content", NULL), NST_OK);
    assert_true(fabsf(twice[8] - 0.25f) < 1e-6f && fabsf(twice[10] - 0.75f) < 1e-6f);
    assert_memory_equal(twice + 8, twice + 12, 4 * sizeof *twice);
}

/* Two visible pixels tell no more of a place than one, and one that is half transparent tells half as much: far away,
 * red weighs as much as blue, or twice as much. */
static void known_places_weigh_the_same(void **state) {
    (void)state;
    static const float alphas[] = {1, 0.5f}, reds[] = {1 / 2.0f, 2 / 3.0f};
    for (size_t i = 0; i < 2; i++) {
        float values[8 * 4] = {1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 1, alphas[i]};
        nst_picture picture = {8, 1, 4, values};
        assert_int_equal(picture_fill_hidden(&picture, "content", NULL), NST_OK);
        assert_true(fabsf(values[7 * 4] - reds[i]) < 1e-6f && fabsf(values[7 * 4 + 2] - (1 - reds[i])) < 1e-6f);
    }
}

/* A gap in a gradient is bridged: no step at its ends is larger than the whole height of the gap, and none within it
 * much steeper than the gradient. */
static void the_fill_is_smooth(void **state) {
    (void)state;
    nst_picture picture;
    assert_int_equal(picture_create(128, 128, 4, &picture, NULL), NST_OK);
    for (int i = 0; i < 128 * 128; i++) {
        float *pixel = picture.values + 4 * i;
        bool hidden = i % 128 >= 48 && i % 128 < 80;
        pixel[0] = hidden ? 1 : (float)(i % 128) / 127;
        pixel[3] = hidden ? 0 : 1;
    }
    assert_int_equal(picture_fill_hidden(&picture, "content", NULL), NST_OK);
    for (int x = 47; x < 80; x++) {
        float step = fabsf(picture.values[4 * (64 * 128 + x + 1)] - picture.values[4 * (64 * 128 + x)]);
        if (step > 0.04f)
            fail_msg("step of %f at %d", (double)step, x);
        assert_true(fabsf(picture.values[4 * (64 * 128 + x)] - (float)x / 127) < 0.14f);
    }
    nst_picture_free(&picture);
}

static void without_hidden_pixels_nothing_changes(void **state) {
    (void)state;
    for (int channels = 3; channels <= 4; channels++) {
        nst_picture picture = fixture_picture(17, 31, channels, 255), copy = fixture_picture(17, 31, channels, 255);
        assert_int_equal(picture_fill_hidden(&picture, "content", NULL), NST_OK);
        assert_same(&picture, &copy);
        nst_picture_free(&picture);
        nst_picture_free(&copy);
    }
}

static void opaque_pictures_are_recognized(void **state) {
    (void)state;
    nst_picture picture = fixture_picture(3, 5, 3, 255);
    assert_true(picture_is_opaque(&picture));
    nst_picture_free(&picture);
    assert_int_equal(picture_create(3, 5, 4, &picture, NULL), NST_OK);
    for (int i = 0; i < 15; i++) {
        assert_false(picture_is_opaque(&picture));
        picture.values[4 * i + 3] = 1;
    }
    assert_true(picture_is_opaque(&picture));
    nst_picture_free(&picture);
}

static void nothing_to_see_is_an_error(void **state) {
    (void)state;
    for (size_t size = 0; size < SIZE_COUNT; size++) {
        nst_picture picture = make_picture(sizes[size], all_but_the_last, green);
        nst_error error = {0};
        picture.values[picture.width * picture.height * 4 - 1] = 0;
        assert_int_equal(picture_fill_hidden(&picture, "style", &error), NST_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, "no pixel of the style picture can be seen"));
        assert_null(strchr(error.message, '\n'));
        assert_true(picture.values[1] == 1); /* as it was */
        nst_picture_free(&picture);
    }
}

/* Every kind of transparency that a PNG can have: gray with alpha, palette with tRNS, a transparent color, 16 bits. */
static void every_kind_of_transparency_is_filled(void **state) {
    (void)state;
    static const struct fixture_png kinds[] = {
        {17, 31, PNG_COLOR_TYPE_GRAY, 4, false, true, 0},        {17, 31, PNG_COLOR_TYPE_PALETTE, 8, false, true, 0},
        {17, 31, PNG_COLOR_TYPE_GRAY, 8, true, true, 0},         {17, 31, PNG_COLOR_TYPE_PALETTE, 4, false, true, 0},
        {17, 31, PNG_COLOR_TYPE_GRAY_ALPHA, 8, false, false, 0}, {17, 31, PNG_COLOR_TYPE_RGB_ALPHA, 8, true, false, 0},
        {1, 1000, PNG_COLOR_TYPE_RGB, 8, false, true, 0},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        fixture_write_png("kind.png", &kinds[i]);
        nst_picture before = fixture_read_picture("kind.png"), after = fixture_read_picture("kind.png");
        int hidden = 0;
        assert_int_equal(before.channels, 4);
        assert_int_equal(picture_fill_hidden(&after, "content", NULL), NST_OK);
        for (int k = 0; k < before.width * before.height; k++)
            if (before.values[4 * k + 3] > 0)
                assert_memory_equal(before.values + 4 * k, after.values + 4 * k, 4 * sizeof(float));
            else
                hidden++;
        assert_true(hidden > 0);
        nst_picture_free(&before);
        nst_picture_free(&after);
    }
    fixture_remove("kind.png");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hidden_colors_change_nothing),
        cmocka_unit_test(visible_pixels_and_alpha_are_kept),
        cmocka_unit_test(one_visible_pixel_is_enough),
        cmocka_unit_test(alpha_is_the_weight),
        cmocka_unit_test(known_places_weigh_the_same),
        cmocka_unit_test(the_fill_is_smooth),
        cmocka_unit_test(without_hidden_pixels_nothing_changes),
        cmocka_unit_test(opaque_pictures_are_recognized),
        cmocka_unit_test(nothing_to_see_is_an_error),
        cmocka_unit_test(every_kind_of_transparency_is_filled),
    };
    return cmocka_run_group_tests_name("image.hidden", tests, fixture_folder_create, fixture_folder_remove);
}
