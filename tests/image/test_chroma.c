/* test_chroma.c: gray pictures, the chroma of others, palettes, and the filter that smooths them, each against its formula
 * in double. */
#include "fixtures.h"
#include "image/chroma.h"
#include "image/guided_filter.h"
#include "image/oklab.h"
#include "image/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Soft colors that sRGB has at every luminance in between: slopes in three directions. */
static nst_picture soft(int width, int height, int channels, double turn) {
    nst_picture picture;
    assert_int_equal(picture_create(width, height, channels, &picture, NULL), NST_OK);
    for (int i = 0; i < width * height; ++i) {
        double x = i % width, y = i / width; // NOLINT(bugprone-integer-division): rows
        float *pixel = picture.values + i * channels;
        for (int c = 0; c < 3; ++c) {
            pixel[c] = (float)(0.5 + 0.12 * sin(0.3 * x + c * turn) + 0.05 * cos(0.23 * y - c));
        }
        if (channels == 4) {
            pixel[3] = (float)(i % 5) / 4;
        }
    }
    return picture;
}

static void lab_at(const nst_picture *picture, int i, float lab[3]) {
    oklab_from_srgb(picture->values + i * picture->channels, lab);
}

static void gray_keeps_luminance(void **state) {
    (void)state;
    nst_picture picture = fixture_picture(23, 17, 4, 255), gray = fixture_picture(23, 17, 4, 255);
    picture_make_gray(&gray);
    for (int i = 0; i < 23 * 17; ++i) {
        float before[3], after[3];
        const float *pixel = gray.values + 4 * i;
        lab_at(&picture, i, before);
        lab_at(&gray, i, after);
        assert_true(pixel[0] == pixel[1] && pixel[1] == pixel[2]);
        assert_true(fabsf(before[0] - after[0]) < 1e-5f);
        assert_true(pixel[3] == picture.values[4 * i + 3]);
    }
    nst_picture_free(&picture);
    nst_picture_free(&gray);
}

static void luminance_and_chroma_are_joined(void **state) {
    (void)state;
    nst_picture picture = soft(23, 17, 3, 1), before = soft(23, 17, 3, 1), other = soft(23, 17, 4, 2);
    assert_int_equal(picture_take_chroma(&picture, &other, NULL), NST_OK);
    for (int i = 0; i < 23 * 17; ++i) {
        float found[3], light[3], color[3];
        lab_at(&picture, i, found);
        lab_at(&before, i, light);
        lab_at(&other, i, color);
        assert_true(fabsf(found[0] - light[0]) < 1e-5f);
        assert_true(fabsf(found[1] - color[1]) < 1e-5f && fabsf(found[2] - color[2]) < 1e-5f);
    }
    assert_int_equal(picture_take_chroma(&before, &before, NULL), NST_OK); /* its own */
    nst_picture own = soft(23, 17, 3, 1);
    for (int i = 0; i < 23 * 17 * 3; ++i) {
        assert_true(fabsf(before.values[i] - own.values[i]) < 1e-5f);
    }
    nst_picture_free(&own);
    nst_picture_free(&before);
    nst_picture_free(&picture);
    nst_picture_free(&other);
}

/* The mean over a window, cut off at the edges, by its definition. */
static double window_mean(const double *plane, const struct guided_filter *filter, int x, int y) {
    double sum = 0;
    int count = 0;
    for (int v = y - filter->radius_px; v <= y + filter->radius_px; ++v) {
        for (int u = x - filter->radius_px; u <= x + filter->radius_px; ++u) {
            if (u >= 0 && u < filter->width && v >= 0 && v < filter->height) {
                sum += plane[v * filter->width + u];
                count++;
            }
        }
    }
    return sum / count;
}

static void mean_over_windows(const struct guided_filter *filter, const double *plane, double *means) {
    for (int i = 0; i < filter->width * filter->height; ++i) {
        means[i] = window_mean(plane, filter, i % filter->width, i / filter->width);
    }
}

/* The equations of the paper, sum by sum. */
static void filter_in_double(const struct guided_filter *filter, const float *guide, const float *plane,
                             double *result) {
    enum { MOST = 40 * 40, PLANES = 10 };
    static double planes[PLANES][MOST];
    int pixels = filter->width * filter->height;
    for (int i = 0; i < pixels; ++i) {
        planes[0][i] = guide[i];
        planes[1][i] = plane[i];
        planes[2][i] = (double)guide[i] * guide[i];
        planes[3][i] = (double)guide[i] * plane[i];
    }
    for (int i = 0; i < 4; ++i) {
        mean_over_windows(filter, planes[i], planes[4 + i]);
    }
    for (int i = 0; i < pixels; ++i) {
        double mean = planes[4][i], variance = planes[6][i] - mean * mean;
        planes[8][i] = (planes[7][i] - mean * planes[5][i]) / (variance + filter->epsilon);
        planes[9][i] = planes[5][i] - planes[8][i] * mean;
    }
    for (int i = 0; i < pixels; ++i) {
        int x = i % filter->width, y = i / filter->width;
        result[i] = window_mean(planes[8], filter, x, y) * guide[i] + window_mean(planes[9], filter, x, y);
    }
}

static void the_filter_follows_its_equations(void **state) {
    (void)state;
    static const struct guided_filter filters[] = {
        {31, 17, 3, 0.0025}, {17, 31, 1, 0.01}, {5, 3, 9, 0.0025}, {1, 1, 1, 0.0025}, {40, 1, 4, 0.0025}};
    for (size_t k = 0; k < sizeof filters / sizeof *filters; ++k) {
        int pixels = filters[k].width * filters[k].height;
        float guide[40 * 40], plane[40 * 40];
        double wanted[40 * 40];
        for (int i = 0; i < pixels; ++i) {
            guide[i] = (float)(0.5 + 0.4 * sin(1.7 * i * i));
            plane[i] = (float)(0.2 * cos(0.9 * i * i));
        }
        filter_in_double(&filters[k], guide, plane, wanted);
        assert_int_equal(guided_filter_run(&filters[k], guide, plane, NULL), NST_OK);
        for (int i = 0; i < pixels; ++i) {
            assert_true(fabs(plane[i] - wanted[i]) < 2e-5);
        }
    }
}

/* Chroma whose edges lie beside those of the guide is moved to them; without the guide's edge it would be a slope. */
static void the_filter_keeps_the_edges_of_the_guide(void **state) {
    (void)state;
    const struct guided_filter filter = {64, 8, 4, 0.0025};
    float guide[64 * 8], plane[64 * 8];
    for (int i = 0; i < 64 * 8; ++i) {
        guide[i] = i % 64 < 32 ? 0.2f : 0.8f;
        plane[i] = i % 64 < 32 ? -0.1f : 0.1f;
    }
    assert_int_equal(guided_filter_run(&filter, guide, plane, NULL), NST_OK);
    for (int i = 0; i < 64 * 8; ++i) {
        assert_true(fabsf(plane[i] - (i % 64 < 32 ? -0.1f : 0.1f)) < 0.01f);
    }
}

/* Before it is smoothed, the chroma has the moments of the palette: shown where luminance leaves nothing to smooth with. */
static void palettes_are_taken(void **state) {
    (void)state;
    nst_picture picture = soft(40, 30, 3, 1), before = soft(40, 30, 3, 1), other = soft(40, 30, 4, 2);
    nst_picture style = soft(35, 20, 3, 2.5);
    struct color_moments palette, found;
    assert_int_equal(picture_chroma_moments(&style, &palette, NULL), NST_OK);
    assert_true(palette.mean[0] == 0 && palette.covariance[0][0] == 0 && palette.covariance[1][1] > 1e-4);
    assert_int_equal(picture_take_palette(&picture, &other, &palette, NULL), NST_OK);
    assert_int_equal(picture_chroma_moments(&picture, &found, NULL), NST_OK);
    for (int i = 0; i < 40 * 30; ++i) {
        float light[3], now[3];
        lab_at(&before, i, light);
        lab_at(&picture, i, now);
        assert_true(fabsf(light[0] - now[0]) < 1e-4f);
    }
    for (int c = 1; c < 3; ++c) { /* the filter makes little of what is as smooth as this */
        assert_true(fabs(found.mean[c] - palette.mean[c]) < 0.01);
        assert_true(found.covariance[c][c] > 0.5 * palette.covariance[c][c]);
        assert_true(found.covariance[c][c] < 1.3 * palette.covariance[c][c]);
    }
    nst_picture_free(&style);
    nst_picture_free(&before);
    nst_picture_free(&picture);
    nst_picture_free(&other);
}

static void a_gray_palette_makes_gray(void **state) {
    (void)state;
    nst_picture gray = soft(20, 20, 3, 1), colored = soft(20, 20, 3, 2), picture = soft(20, 20, 3, 1);
    struct color_moments palette;
    picture_make_gray(&gray);
    assert_int_equal(picture_chroma_moments(&gray, &palette, NULL), NST_OK);
    assert_int_equal(picture_take_palette(&picture, &colored, &palette, NULL), NST_OK);
    for (int i = 0; i < 20 * 20; ++i) {
        float lab[3];
        lab_at(&picture, i, lab);
        assert_true(hypotf(lab[1], lab[2]) < 1e-4f);
    }
    nst_picture_free(&gray);
    nst_picture_free(&colored);
    nst_picture_free(&picture);
}

/* A gray photograph has no chroma to give: the picture's own is taken, as if it were the other one. */
static void gray_contents_leave_the_picture_its_chroma(void **state) {
    (void)state;
    nst_picture gray = soft(40, 30, 3, 1), style = soft(40, 30, 3, 2), own = soft(40, 30, 3, 1);
    nst_picture picture = soft(40, 30, 3, 1), wanted = soft(40, 30, 3, 1);
    struct color_moments palette;
    picture_make_gray(&gray);
    assert_int_equal(picture_chroma_moments(&style, &palette, NULL), NST_OK);
    assert_int_equal(picture_take_palette(&picture, &gray, &palette, NULL), NST_OK);
    assert_int_equal(picture_take_palette(&wanted, &own, &palette, NULL), NST_OK);
    assert_memory_equal(picture.values, wanted.values, 40 * 30 * 3 * sizeof *picture.values);
    nst_picture_free(&gray);
    nst_picture_free(&style);
    nst_picture_free(&own);
    nst_picture_free(&picture);
    nst_picture_free(&wanted);
}

static void different_sizes_are_refused(void **state) {
    (void)state;
    nst_picture a = soft(3, 5, 3, 1), b = soft(5, 3, 3, 1);
    struct color_moments palette = {0};
    nst_error error;
    assert_int_equal(picture_take_chroma(&a, &b, &error), NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "3 x 5"));
    assert_int_equal(picture_take_palette(&a, &b, &palette, &error), NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "5 x 3"));
    nst_picture_free(&a);
    nst_picture_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gray_keeps_luminance),
        cmocka_unit_test(luminance_and_chroma_are_joined),
        cmocka_unit_test(the_filter_follows_its_equations),
        cmocka_unit_test(the_filter_keeps_the_edges_of_the_guide),
        cmocka_unit_test(palettes_are_taken),
        cmocka_unit_test(a_gray_palette_makes_gray),
        cmocka_unit_test(gray_contents_leave_the_picture_its_chroma),
        cmocka_unit_test(different_sizes_are_refused),
    };
    return cmocka_run_group_tests_name("image.chroma", tests, NULL, NULL);
}
