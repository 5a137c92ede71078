/* test_color_moments.c: means and covariances of colors before and after they are matched, against sums in double;
 * pictures whose covariance is singular. */
#include "fixtures.h"
#include "image/color_moments.h"
#include "image/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 37, HEIGHT = 29, PIXELS = WIDTH * HEIGHT };

/* The next of a sequence in -1..1 that looks random. */
static double next(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return (double)(*state >> 8) / (1 << 23) - 1;
}

/* Colors around `mean`, linear in three sequences: pixel = mean + spread . (u, v, w). With 4 channels, alpha from 0 to 1. */
static nst_picture cloud(const double mean[3], const double spread[3][3], int channels, unsigned seed) {
    nst_picture picture;
    assert_int_equal(picture_create(WIDTH, HEIGHT, channels, &picture, NULL), NST_OK);
    for (int i = 0; i < PIXELS; ++i) {
        float *pixel = picture.values + i * channels;
        double u = next(&seed), v = next(&seed), w = next(&seed);
        for (int c = 0; c < 3; ++c) {
            pixel[c] = (float)(mean[c] + spread[c][0] * u + spread[c][1] * v + spread[c][2] * w);
        }
        if (channels == 4) {
            pixel[3] = (float)fmax(next(&seed), 0);
        }
    }
    return picture;
}

static const double warm_mean[3] = {0.6, 0.5, 0.4};
static const double warm[3][3] = {{0.15, 0.02, 0}, {0.1, -0.06, 0.01}, {0.05, 0.03, 0.05}};
static const double cold_mean[3] = {0.35, 0.45, 0.55};
static const double cold[3][3] = {{0.05, 0.1, 0}, {0.12, 0, 0.03}, {0.1, -0.1, 0.02}};
static const double none[3][3];
static const double gray[3][3] = {{0.2, 0, 0}, {0.2, 0, 0}, {0.2, 0, 0}};

/* E[x y] - E[x] E[y], another formula than the one that is tested, by alpha. */
static struct color_moments moments_by_sums(const nst_picture *picture) {
    struct color_moments moments = {0};
    double sum = 0, products[3][3] = {{0}};
    for (int i = 0; i < picture->width * picture->height; ++i) {
        const float *pixel = picture->values + i * picture->channels;
        double weight = picture->channels == 4 ? pixel[3] : 1;
        sum += weight;
        for (int j = 0; j < 9; ++j) {
            products[j / 3][j % 3] += weight * pixel[j / 3] * pixel[j % 3];
        }
        for (int c = 0; c < 3; ++c) {
            moments.mean[c] += weight * pixel[c];
        }
    }
    for (int c = 0; c < 3; ++c) {
        moments.mean[c] /= sum;
    }
    for (int j = 0; j < 9; ++j) {
        moments.covariance[j / 3][j % 3] = products[j / 3][j % 3] / sum - moments.mean[j / 3] * moments.mean[j % 3];
    }
    return moments;
}

static void assert_moments(const struct color_moments *found, const struct color_moments *wanted, double tolerance) {
    for (int c = 0; c < 3; ++c) {
        assert_true(fabs(found->mean[c] - wanted->mean[c]) < tolerance);
    }
    for (int j = 0; j < 9; ++j) {
        assert_true(fabs(found->covariance[j / 3][j % 3] - wanted->covariance[j / 3][j % 3]) < tolerance);
    }
}

static void moments_are_those_of_sums(void **state) {
    (void)state;
    for (int channels = 3; channels <= 4; ++channels) {
        nst_picture picture = cloud(warm_mean, warm, channels, 1);
        struct color_moments found = color_moments_of(&picture), wanted = moments_by_sums(&picture);
        assert_moments(&found, &wanted, 1e-12);
        nst_picture_free(&picture);
    }
}

static void what_is_hidden_does_not_count(void **state) {
    (void)state;
    nst_picture picture = cloud(warm_mean, warm, 4, 2);
    struct color_moments before = color_moments_of(&picture);
    int hidden = 0;
    for (int i = 0; i < PIXELS; ++i) {
        if (picture.values[4 * i + 3] == 0) {
            picture.values[4 * i] = i % 2 ? NAN : 100;
            hidden++;
        }
    }
    struct color_moments after = color_moments_of(&picture);
    assert_in_range(hidden, PIXELS / 4, PIXELS - 1);
    assert_memory_equal(&before, &after, sizeof before);
    for (int i = 0; i < PIXELS; ++i) {
        picture.values[4 * i + 3] = 0;
    }
    after = color_moments_of(&picture);
    assert_memory_equal(&after, &(struct color_moments){0}, sizeof after);
    nst_picture_free(&picture);
}

/* Both pictures in one, the second three times as often as the first. */
static void a_mixture_is_that_of_all_pixels(void **state) {
    (void)state;
    nst_picture parts[] = {cloud(warm_mean, warm, 3, 3), cloud(cold_mean, cold, 3, 4)}, both;
    assert_int_equal(picture_create(WIDTH, 4 * HEIGHT, 3, &both, NULL), NST_OK);
    for (size_t i = 0; i < 4; ++i) {
        memcpy(both.values + i * 3 * PIXELS, parts[i > 0].values, 3 * PIXELS * sizeof *both.values);
    }
    struct color_moments moments[] = {color_moments_of(&parts[0]), color_moments_of(&parts[1])};
    const double shares[] = {0.25, 0.75};
    struct color_moments found = color_moments_mix(moments, shares, 2), wanted = moments_by_sums(&both);
    assert_moments(&found, &wanted, 1e-12);
    nst_picture_free(&both);
    nst_picture_free(&parts[0]);
    nst_picture_free(&parts[1]);
}

static void matched_pictures_have_the_moments_asked_for(void **state) {
    (void)state;
    for (int channels = 3; channels <= 4; ++channels) {
        nst_picture picture = cloud(warm_mean, warm, channels, 5), other = cloud(cold_mean, cold, channels, 6);
        struct color_moments before = color_moments_of(&picture), wanted = color_moments_of(&other);
        struct color_map map = color_map_between(&before, &wanted);
        picture_map_colors(&picture, &map);
        struct color_moments after = moments_by_sums(&picture);
        assert_moments(&after, &wanted, 1e-6); /* values are floats, and none is clamped */
        for (int j = 0; j < 9; ++j) {          /* the map that moves colors least is symmetric */
            assert_true(fabs(map.matrix[j / 3][j % 3] - map.matrix[j % 3][j / 3]) < 1e-9);
        }
        nst_picture_free(&picture);
        nst_picture_free(&other);
    }
}

static void a_picture_matched_to_itself_stays(void **state) {
    (void)state;
    const double(*spreads[])[3] = {warm, gray, none};
    for (int i = 0; i < 3; ++i) {
        nst_picture picture = cloud(warm_mean, spreads[i], 3, 7);
        struct color_moments moments = color_moments_of(&picture);
        struct color_map map = color_map_between(&moments, &moments);
        for (int j = 0; j < PIXELS; ++j) {
            float mapped[3];
            color_map_apply(&map, picture.values + 3 * j, mapped);
            for (int c = 0; c < 3; ++c) {
                assert_true(fabsf(mapped[c] - picture.values[3 * j + c]) < 1e-5f);
            }
        }
        nst_picture_free(&picture);
    }
}

/* From gray: along the gray axis u the variance becomes the wanted one's, u' C* u, and each color is the one that is
 * expected with that gray, C* u / sqrt(u' C* u): the limit of the formula. */
static void gray_pictures_get_the_colors_that_go_with_their_grays(void **state) {
    (void)state;
    nst_picture picture = cloud(cold_mean, gray, 3, 8), other = cloud(warm_mean, warm, 3, 9);
    struct color_moments before = color_moments_of(&picture), wanted = color_moments_of(&other);
    struct color_map map = color_map_between(&before, &wanted);
    double along = 0, expected[3] = {0}, deviation = sqrt(3 * before.covariance[0][0]);
    for (int j = 0; j < 9; ++j) {
        along += wanted.covariance[j / 3][j % 3] / 3;
        expected[j / 3] += wanted.covariance[j / 3][j % 3] / sqrt(3);
    }
    for (int c = 0; c < 3; ++c) {
        double found = (map.matrix[c][0] + map.matrix[c][1] + map.matrix[c][2]) / sqrt(3);
        assert_true(fabs(found - expected[c] / sqrt(along) / deviation) < 1e-2);
        assert_true(fabs(map.to[c] - wanted.mean[c]) < 1e-12);
    }
    nst_picture_free(&picture);
    nst_picture_free(&other);
}

static void constant_pictures_get_the_mean(void **state) {
    (void)state;
    nst_picture picture = cloud(cold_mean, none, 3, 8), other = cloud(warm_mean, warm, 3, 9);
    struct color_moments before = color_moments_of(&picture), wanted = color_moments_of(&other);
    struct color_map map = color_map_between(&before, &wanted);
    picture_map_colors(&picture, &map);
    for (int i = 0; i < 3 * PIXELS; ++i) {
        assert_true(fabs(picture.values[i] - wanted.mean[i % 3]) < 1e-5);
    }
    nst_picture_free(&picture);
    nst_picture_free(&other);
}

static void what_is_matched_to_gray_becomes_gray(void **state) {
    (void)state;
    nst_picture picture = cloud(warm_mean, warm, 3, 10), other = cloud((double[]){0.5, 0.5, 0.5}, gray, 3, 11);
    struct color_moments before = color_moments_of(&picture), wanted = color_moments_of(&other);
    struct color_map map = color_map_between(&before, &wanted);
    picture_map_colors(&picture, &map);
    struct color_moments after = moments_by_sums(&picture);
    assert_moments(&after, &wanted, 1e-5);
    for (int i = 0; i < PIXELS; ++i) {
        assert_true(fabsf(picture.values[3 * i] - picture.values[3 * i + 1]) < 1e-4f);
    }
    nst_picture_free(&picture);
    nst_picture_free(&other);
}

/* Noise of a half step of 8 bits beside a gray ramp must not become strong colors. */
static void rounding_noise_stays_small(void **state) {
    (void)state;
    static const double nearly_gray[3][3] = {{0.2, 0.002, 0}, {0.2, 0, 0.002}, {0.2, -0.002, 0}};
    nst_picture picture = cloud(cold_mean, nearly_gray, 3, 12), other = cloud(warm_mean, warm, 3, 13);
    struct color_moments before = color_moments_of(&picture), wanted = color_moments_of(&other);
    struct color_map map = color_map_between(&before, &wanted);
    for (int j = 0; j < 9; ++j) {
        assert_true(fabs(map.matrix[j / 3][j % 3]) < 0.15 * 255);
    }
    nst_picture_free(&picture);
    nst_picture_free(&other);
}

static void mapped_colors_are_clamped(void **state) {
    (void)state;
    nst_picture picture = cloud(warm_mean, warm, 4, 14);
    float *alpha = malloc(PIXELS * sizeof *alpha);
    for (int i = 0; i < PIXELS; ++i) {
        alpha[i] = picture.values[4 * i + 3];
    }
    const struct color_map map = {.matrix = {{20, 0, 0}, {0, -20, 0}, {0, 0, 1}}, .from = {0.6, 0.5, 0}};
    picture_map_colors(&picture, &map);
    for (int i = 0; i < PIXELS; ++i) {
        for (int c = 0; c < 3; ++c) {
            assert_true(picture.values[4 * i + c] >= 0 && picture.values[4 * i + c] <= 1);
        }
        assert_true(picture.values[4 * i + 3] == alpha[i]);
    }
    free(alpha);
    nst_picture_free(&picture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_those_of_sums),
        cmocka_unit_test(what_is_hidden_does_not_count),
        cmocka_unit_test(a_mixture_is_that_of_all_pixels),
        cmocka_unit_test(matched_pictures_have_the_moments_asked_for),
        cmocka_unit_test(a_picture_matched_to_itself_stays),
        cmocka_unit_test(gray_pictures_get_the_colors_that_go_with_their_grays),
        cmocka_unit_test(constant_pictures_get_the_mean),
        cmocka_unit_test(what_is_matched_to_gray_becomes_gray),
        cmocka_unit_test(rounding_noise_stays_small),
        cmocka_unit_test(mapped_colors_are_clamped),
    };
    return cmocka_run_group_tests_name("image.color_moments", tests, NULL, NULL);
}
