/* test_motion.c: the optical flow of motions that are known (a shift, a turn, a zoom of one texture), that flows there
 * and back agree, and that what an object hides is not relied on. */
#include "fixture.h"
#include "nst.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Pictures of a texture --------------------------------------------------------------------------------------- */

/* A smooth texture without end: waves of several lengths, 0..1. */
static double texture(double x, double y, int channel) {
    static const double waves[][3] = {{0.31, 0.11, 0}, {-0.13, 0.29, 1}, {0.47, -0.38, 2},
                                      {0.09, 0.55, 3}, {0.05, -0.07, 4}, {0.71, 0.63, 5}};
    double sum = 0;
    for (size_t i = 0; i < COUNT_OF(waves); ++i) {
        sum += sin(waves[i][0] * x + waves[i][1] * y + (1.7 + 0.2 * channel) * waves[i][2]);
    }
    return 0.5 + 0.08 * sum;
}

/* Where a point of the picture lies in the texture. */
struct motion {
    double angle, zoom, shift_x, shift_y;
};

static void place(const struct motion *motion, double x, double y, double *at_x, double *at_y) {
    *at_x = motion->zoom * (cos(motion->angle) * x - sin(motion->angle) * y) + motion->shift_x;
    *at_y = motion->zoom * (sin(motion->angle) * x + cos(motion->angle) * y) + motion->shift_y;
}

static void unplace(const struct motion *motion, double at_x, double at_y, double *x, double *y) {
    double right = (at_x - motion->shift_x) / motion->zoom, down = (at_y - motion->shift_y) / motion->zoom;
    *x = cos(motion->angle) * right + sin(motion->angle) * down;
    *y = cos(motion->angle) * down - sin(motion->angle) * right;
}

enum { WIDTH = 75, HEIGHT = 61 };
static const struct motion still = {.zoom = 1};

static nst_picture picture_of(const struct motion *motion) {
    nst_picture picture = {.width = WIDTH, .height = HEIGHT, .channels = 3};
    picture.values = allocate((size_t)3 * WIDTH * HEIGHT, sizeof *picture.values);
    for (int i = 0; i < WIDTH * HEIGHT; ++i) {
        double x, y;
        place(motion, i % WIDTH - WIDTH / 2, i / WIDTH - HEIGHT / 2, &x, &y);
        for (int c = 0; c < 3; ++c) {
            picture.values[3 * i + c] = (float)texture(x, y, c);
        }
    }
    return picture;
}

/* Where the pixel of the picture at rest is when the motion has been made. */
static void true_flow(const struct motion *motion, int i, double *u, double *v) {
    double x = i % WIDTH - WIDTH / 2, y = i / WIDTH - HEIGHT / 2;
    unplace(motion, x, y, u, v);
    *u -= x;
    *v -= y;
}

static bool stays_inside(int i, double u, double v) {
    double x = i % WIDTH + u, y = i / WIDTH + v;
    return x >= 1 && y >= 1 && x <= WIDTH - 2 && y <= HEIGHT - 2;
}

/* ---- Known motions ----------------------------------------------------------------------------------------------- */

/* The mean length of the error where the texture stays in the picture, in pixels; and that of the motion. */
static double mean_error(const nst_flow *flow, const struct motion *motion, double *length) {
    double sum = 0;
    int count = 0;
    *length = 0;
    for (int i = 0; i < WIDTH * HEIGHT; ++i) {
        double u, v;
        true_flow(motion, i, &u, &v);
        if (stays_inside(i, u, v)) {
            sum += hypot(flow->values[2 * i] - u, flow->values[2 * i + 1] - v);
            *length += hypot(u, v);
            count++;
        }
    }
    *length /= count;
    return sum / count;
}

static void check_motion(nst_context *context, const struct motion *motion, double bound_px) {
    nst_error error;
    nst_flow flow, back;
    nst_picture first = picture_of(&still), second = picture_of(motion), warped, reliable;
    double length, difference = 0, share = 0;
    check(nst_flow_estimate(context, &first, &second, &flow, &error), &error);
    check(nst_flow_estimate(context, &second, &first, &back, &error), &error);
    double error_px = mean_error(&flow, motion, &length);
    print_message("mean motion %.2f px, mean error %.3f px\n", length, error_px);
    assert_true(error_px < bound_px);

    /* there and back agree, but where the texture leaves the picture */
    const nst_motion both = {.from = &first, .to = &second, .flow = &flow, .back = &back};
    check(nst_flow_reliability(context, &both, &reliable, &error), &error);
    check(nst_flow_warp(context, &flow, &second, &warped, &error), &error);
    for (int i = 0; i < WIDTH * HEIGHT; ++i) {
        share += reliable.values[3 * i] / (WIDTH * HEIGHT);
        for (int c = 0; reliable.values[3 * i] > 0 && c < 3; ++c) {
            difference = fmax(difference, fabsf(warped.values[3 * i + c] - first.values[3 * i + c]));
        }
    }
    print_message("reliable %.2f, where the largest difference of the moved picture is %.3f\n", share, difference);
    assert_true(share > 0.7);
    assert_true(difference < 0.06);
    nst_picture_free(&first);
    nst_picture_free(&second);
    nst_picture_free(&warped);
    nst_picture_free(&reliable);
    nst_flow_free(&flow);
    nst_flow_free(&back);
}

static void nothing_moves(void **state) {
    check_motion(*state, &still, 1e-4);
}
static void a_shift(void **state) {
    check_motion(*state, &(struct motion){.zoom = 1, .shift_x = 3.3, .shift_y = -2.4}, 0.1);
}
static void a_turn(void **state) {
    check_motion(*state, &(struct motion){.zoom = 1, .angle = 0.06}, 0.1);
}
static void a_zoom(void **state) {
    check_motion(*state, &(struct motion){.zoom = 1.06, .shift_x = 0.5}, 0.1);
}

/* ---- Something in front ------------------------------------------------------------------------------------------ */

/* A square that moves by 6 px before the texture, which rests. */
enum { SQUARE_PX = 20, SQUARE_TOP = 20, SQUARE_LEFT = 24, SQUARE_STEP = 6 };

static bool is_in_square(int i, int left) {
    int x = i % WIDTH, y = i / WIDTH;
    return y >= SQUARE_TOP && y < SQUARE_TOP + SQUARE_PX && x >= left && x < left + SQUARE_PX;
}

static nst_picture picture_with_square(int left) {
    nst_picture picture = picture_of(&still);
    for (int i = 0; i < WIDTH * HEIGHT; ++i) {
        for (int c = 0; is_in_square(i, left) && c < 3; ++c) {
            picture.values[3 * i + c] = (float)(1 - texture(i % WIDTH - left + 300, i / WIDTH + 70, c));
        }
    }
    return picture;
}

/* Of the background that the square has left uncovered, nothing was there before; of the rest nearly all. */
static void what_was_hidden_is_not_reliable(void **state) {
    nst_context *context = *state;
    nst_error error;
    nst_flow flow, back;
    nst_picture before = picture_with_square(SQUARE_LEFT), now = picture_with_square(SQUARE_LEFT + SQUARE_STEP),
                reliable;
    check(nst_flow_estimate(context, &now, &before, &flow, &error), &error);
    check(nst_flow_estimate(context, &before, &now, &back, &error), &error);
    const nst_motion both = {.from = &now, .to = &before, .flow = &flow, .back = &back};
    check(nst_flow_reliability(context, &both, &reliable, &error), &error);
    double hidden = 0, shown = 0, hidden_reliable = 0, shown_reliable = 0;
    for (int i = 0; i < WIDTH * HEIGHT; ++i) {
        bool was_hidden = is_in_square(i, SQUARE_LEFT) && !is_in_square(i, SQUARE_LEFT + SQUARE_STEP);
        hidden += was_hidden;
        shown += !was_hidden;
        hidden_reliable += was_hidden ? reliable.values[3 * i] : 0;
        shown_reliable += was_hidden ? 0 : reliable.values[3 * i];
    }
    print_message("reliable: %.3f of what was hidden, %.3f of the rest\n", hidden_reliable / hidden,
                  shown_reliable / shown);
    assert_true(hidden_reliable / hidden < 0.2);
    assert_true(shown_reliable / shown > 0.8);
    nst_picture_free(&before);
    nst_picture_free(&now);
    nst_picture_free(&reliable);
    nst_flow_free(&flow);
    nst_flow_free(&back);
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------- */

static void a_flow_is_resized(void **state) {
    (void)state;
    nst_error error;
    float values[] = {1, 2, 3, 4, 5, 6, 7, 8}; /* 2 x 2 */
    const nst_flow flow = {2, 2, values};
    nst_flow wide;
    check(nst_flow_resize(&flow, 4, 2, &wide, &error), &error);
    static const float expected[] = {2, 2, 3, 2.5F, 5, 3.5F, 6, 4, 10, 6, 11, 6.5F, 13, 7.5F, 14, 8};
    for (size_t i = 0; i < COUNT_OF(expected); ++i) {
        assert_float_equal(wide.values[i], expected[i], 1e-6F);
    }
    nst_flow_free(&wide);
}

static void sizes_must_agree(void **state) {
    nst_error error;
    float colors[12] = {0}, motions[8] = {0};
    const nst_picture small = {1, 2, 3, colors}, large = {2, 2, 3, colors};
    const nst_flow flow = {2, 2, motions};
    nst_flow result;
    nst_picture warped;
    assert_int_equal(nst_flow_estimate(*state, &small, &large, &result, &error), NST_ERROR_ARGUMENT);
    assert_string_equal(error.message, "a flow leads between pictures of one size, found 1 x 2 and 2 x 2");
    assert_int_equal(nst_flow_warp(*state, &flow, &small, &warped, &error), NST_ERROR_ARGUMENT);
    assert_string_equal(error.message, "the flow has 2 x 2 pixels, the picture 1 x 2");
    const nst_motion motion = {.from = &large, .to = &small, .flow = &flow};
    assert_int_equal(nst_flow_reliability(*state, &motion, &warped, &error), NST_ERROR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_moves),
        cmocka_unit_test(a_shift),
        cmocka_unit_test(a_turn),
        cmocka_unit_test(a_zoom),
        cmocka_unit_test(what_was_hidden_is_not_reliable),
        cmocka_unit_test(a_flow_is_resized),
        cmocka_unit_test(sizes_must_agree),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
