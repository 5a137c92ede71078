/* test_oklab.c: OkLab against its definition by XYZ, and back; what sRGB cannot show. */
#include "fixtures.h"
#include "image/oklab.h"

#include <math.h>

static double decode(double value) {
    return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

static void multiply(const double matrix[3][3], const double vector[3], double result[3]) {
    for (int i = 0; i < 3; ++i) {
        result[i] = matrix[i][0] * vector[0] + matrix[i][1] * vector[1] + matrix[i][2] * vector[2];
    }
}

/* The definition, by way of CIE XYZ for D65; the matrices that go past XYZ were fitted to sRGB's white later, and differ
 * from it by 1.3e-4 at most. */
static void define_oklab(const float rgb[3], double lab[3]) {
    static const double to_xyz[3][3] = {{0.4123907992659595, 0.357584339383878, 0.1804807884018343},
                                        {0.2126390058715103, 0.715168678767756, 0.0721923153607337},
                                        {0.0193308187155918, 0.119194779794626, 0.9505321522496606}};
    static const double to_cones[3][3] = {{0.8189330101, 0.3618667424, -0.1288597137},
                                          {0.0329845436, 0.9293118715, 0.0361456387},
                                          {0.0482003018, 0.2643662691, 0.6338517070}};
    static const double to_lab[3][3] = {{0.2104542553, 0.7936177850, -0.0040720468},
                                        {1.9779984951, -2.4285922050, 0.4505937099},
                                        {0.0259040371, 0.7827717662, -0.8086757660}};
    double linear[3], xyz[3], cones[3];
    for (int i = 0; i < 3; ++i) {
        linear[i] = decode(rgb[i]);
    }
    multiply(to_xyz, linear, xyz);
    multiply(to_cones, xyz, cones);
    for (int i = 0; i < 3; ++i) {
        cones[i] = cbrt(cones[i]);
    }
    multiply(to_lab, cones, lab);
}

/* Every color of a grid with both ends, once. */
static void grid_color(int i, float rgb[3]) {
    rgb[0] = (float)(i % 17) / 16;
    rgb[1] = (float)(i / 17 % 17) / 16;
    rgb[2] = (float)(i / 17 / 17) / 16;
}

static void colors_are_as_defined(void **state) {
    (void)state;
    for (int i = 0; i < 17 * 17 * 17; ++i) {
        float rgb[3], lab[3];
        double wanted[3];
        grid_color(i, rgb);
        oklab_from_srgb(rgb, lab);
        define_oklab(rgb, wanted);
        for (int c = 0; c < 3; ++c) {
            assert_true(fabs(lab[c] - wanted[c]) < 2e-4);
        }
    }
}

/* As CSS Color 4 tells them. */
static void primaries_are_known(void **state) {
    (void)state;
    static const float colors[][6] = {
        {1, 0, 0, 0.627955f, 0.224863f, 0.125846f},
        {0, 1, 0, 0.866440f, -0.233887f, 0.179498f},
        {0, 0, 1, 0.452014f, -0.032457f, -0.311528f},
        {1, 1, 1, 1, 0, 0},
        {0, 0, 0, 0, 0, 0},
    };
    for (int i = 0; i < 5; ++i) {
        float lab[3];
        oklab_from_srgb(colors[i], lab);
        for (int c = 0; c < 3; ++c) {
            assert_true(fabsf(lab[c] - colors[i][3 + c]) < 2e-6f);
        }
    }
}

static void there_and_back_is_the_same(void **state) {
    (void)state;
    for (int i = 0; i < 17 * 17 * 17; ++i) {
        float rgb[3], lab[3], back[3];
        grid_color(i, rgb);
        oklab_from_srgb(rgb, lab);
        oklab_to_srgb(lab, back);
        for (int c = 0; c < 3; ++c) {
            /* Near black, sRGB is steeper by 12.92 than light, which is rounded to floats as its cube root. */
            assert_true(fabsf(back[c] - rgb[c]) < 2e-4f);
        }
    }
}

/* Luminance and hue are kept, and the color is at the edge of what sRGB has: more chroma would not fit. */
static void too_much_chroma_is_reduced(void **state) {
    (void)state;
    for (int i = 0; i < 400; ++i) {
        double hue = 0.1 * i;
        const float lab[3] = {0.1f + 0.002f * (float)i, (float)(0.5 * cos(hue)), (float)(0.5 * sin(hue))};
        float rgb[3], found[3];
        oklab_to_srgb(lab, rgb);
        oklab_from_srgb(rgb, found);
        double chroma = hypot(found[1], found[2]), least = fmin(fmin(rgb[0], rgb[1]), rgb[2]);
        double most = fmax(fmax(rgb[0], rgb[1]), rgb[2]);
        assert_true(fabs(found[0] - lab[0]) < 2e-3);
        assert_true(fabs(found[1] * sin(hue) - found[2] * cos(hue)) < 2e-3);
        assert_true(chroma > 0.01 && chroma < 0.5);
        assert_true(least < 0.01 || most > 0.99);
    }
}

static void what_is_no_color_becomes_one(void **state) {
    (void)state;
    const float beyond[][3] = {{1.5f, 0.2f, 0}, {-1, 0.1f, 0.1f}, {NAN, 0, 0}};
    for (int i = 0; i < 3; ++i) {
        float rgb[3];
        oklab_to_srgb(beyond[i], rgb);
        for (int c = 0; c < 3; ++c) {
            assert_true(fabsf(rgb[c] - (i == 0 ? 1.0f : 0.0f)) < 0.02f);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colors_are_as_defined),        cmocka_unit_test(primaries_are_known),
        cmocka_unit_test(there_and_back_is_the_same),   cmocka_unit_test(too_much_chroma_is_reduced),
        cmocka_unit_test(what_is_no_color_becomes_one),
    };
    return cmocka_run_group_tests_name("image.oklab", tests, NULL, NULL);
}
