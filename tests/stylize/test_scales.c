/* test_scales.c: the sizes a job runs through (stylize/scales.c). */
#include "fixture.h"
#include "random_network.h"
#include "stylize/scales.h"

#include <string.h>

static nst_picture picture_of(int width, int height) {
    return (nst_picture){.width = width, .height = height, .channels = 3};
}

static const struct recipe *recipe_of(const char *name) {
    const struct recipe *recipe;
    assert_int_equal(recipe_find(recipe_table(NULL), name, &recipe, NULL), NST_OK);
    return recipe;
}

static struct image_size size_of(const char *recipe, int width, int height, int size_px) {
    nst_picture picture = picture_of(width, height);
    return scales_size(recipe_of(recipe), &picture, size_px);
}

static struct image_size style_size_of(const char *recipe, double style_scale, int width, int height, int size_px) {
    nst_picture picture = picture_of(width, height);
    return scales_style_size(recipe_of(recipe), style_scale, &picture, size_px);
}

static void assert_size(struct image_size size, int width, int height) {
    assert_int_equal(size.width, width);
    assert_int_equal(size.height, height);
}

static void sizes_are_rounded_to_nearest(void **state) {
    (void)state;
    assert_size(size_of("gram", 640, 480, 512), 512, 384);
    assert_size(size_of("gram", 480, 640, 512), 384, 512);
    assert_size(size_of("gram", 300, 200, 100), 100, 67);
    assert_size(size_of("gram", 100, 100, 1), 1, 1);
    assert_size(size_of("gram", 1000, 1, 10), 10, 1);
}

/* tuple([int((float(image_size) / max(image.size)) * x) for x in (height, width)]): down, and what Python makes of it.
 */
static void the_peers_sizes_are_rounded_down(void **state) {
    (void)state;
    assert_size(size_of("neural-style", 300, 200, 100), 100, 66);
    assert_size(size_of("neural-style", 640, 480, 512), 512, 384);
    /* 512 / 1000 * 625 = 320 exactly; 100 / 49 * 49 = 100 and 2 / 49 * 49 = 2.0 or less, as double arithmetic has it.
     */
    assert_size(size_of("neural-style", 1000, 625, 512), 512, 320);
    for (int side = 1; side < 3000; ++side) {
        double factor = 512.0 / side;
        assert_size(size_of("neural-style", side, 1, 512), (int)(factor * side), (int)(factor * 1));
    }
}

static void only_the_peer_enlarges_styles(void **state) {
    (void)state;
    assert_size(style_size_of("gram", 1, 1000, 500, 512), 512, 256);
    assert_size(style_size_of("gram", 0.5, 1000, 500, 512), 256, 128);
    assert_size(style_size_of("gram", 1, 200, 100, 512), 200, 100);
    assert_size(style_size_of("gram", 4, 1000, 500, 512), 1000, 500);
    assert_size(style_size_of("neural-style", 1, 200, 100, 512), 512, 256);
    assert_size(style_size_of("neural-style", 2, 200, 100, 512), 1024, 512);
    assert_size(style_size_of("gram", 0.001, 200, 200, 512), 1, 1);
}

/* ---- Choosing -------------------------------------------------------------------------------------------------- */

struct chosen {
    int count;
    struct scale scales[NST_MAX_SCALES];
};

static struct chosen choose_with(nst_context *context, const nst_settings *settings, int width, int height) {
    nst_network *network = random_network("c4 r p c4 r p c4 r", 1); /* needs 4 pixels */
    const char *tap = "relu3_1";
    struct model_options options = {.taps = &tap, .tap_count = 1};
    struct model *model;
    nst_error error;
    nst_picture content = picture_of(width, height);
    struct chosen chosen;
    check(model_create(context, network, &options, &model, &error), &error);
    chosen.count = scales_choose(recipe_of(settings->preset), settings, model, &content, chosen.scales);
    model_destroy(model);
    random_network_free(network);
    return chosen;
}

static struct chosen choose(nst_context *context, int size_px, int scale_count, int width, int height) {
    nst_settings settings = {.preset = "gram",
                             .size_px = size_px,
                             .scale_count = scale_count,
                             .iterations = {30, 20, 10},
                             .iteration_count = 3};
    return choose_with(context, &settings, width, height);
}

static void assert_scales(const struct chosen *chosen, const int *sizes, const int *iterations, int count) {
    assert_int_equal(chosen->count, count);
    for (int i = 0; i < count; ++i) {
        assert_int_equal(chosen->scales[i].size_px, sizes[i]);
        assert_int_equal(chosen->scales[i].iterations, iterations[i]);
    }
}

static void without_iterations_there_is_one_scale(void **state) {
    static const char *const presets[] = {"gram", "neural-style", "wasserstein"};
    for (int i = 0; i < 3; ++i) {
        nst_settings settings = {.size_px = 512, .scale_count = i, .iterations = {0, 0}, .iteration_count = 1 + i % 2};
        snprintf(settings.preset, sizeof settings.preset, "%s", presets[i]);
        struct chosen chosen = choose_with(*state, &settings, 640, 480);
        assert_scales(&chosen, (int[]){512}, (int[]){0}, 1);
    }
}

static void automatic_scales_begin_at_128(void **state) {
    struct chosen chosen = choose(*state, 512, 0, 640, 480);
    assert_scales(&chosen, (int[]){128, 256, 512}, (int[]){30, 20, 10}, 3);
    assert_size(chosen.scales[0].size, 128, 96);
    assert_size(chosen.scales[2].size, 512, 384);
    chosen = choose(*state, 2000, 0, 100, 100);
    assert_scales(&chosen, (int[]){250, 500, 1000, 2000}, (int[]){30, 20, 10, 10}, 4);
    chosen = choose(*state, 300, 0, 100, 100);
    assert_scales(&chosen, (int[]){150, 300}, (int[]){30, 20}, 2);
    chosen = choose(*state, 255, 0, 100, 100);
    assert_scales(&chosen, (int[]){128, 255}, (int[]){30, 20}, 2);
    chosen = choose(*state, 60, 0, 100, 100);
    assert_scales(&chosen, (int[]){60}, (int[]){30}, 1);
}

static void as_many_scales_as_asked_for(void **state) {
    struct chosen chosen = choose(*state, 512, 1, 640, 480);
    assert_scales(&chosen, (int[]){512}, (int[]){30}, 1);
    chosen = choose(*state, 512, 5, 100, 100);
    assert_scales(&chosen, (int[]){32, 64, 128, 256, 512}, (int[]){30, 20, 10, 10, 10}, 5);
    chosen = choose(*state, 101, 3, 100, 100);
    assert_scales(&chosen, (int[]){26, 51, 101}, (int[]){30, 20, 10}, 3);
}

/* The network needs 4 pixels on each side. */
static void scales_too_small_for_the_network_are_left_out(void **state) {
    struct chosen chosen = choose(*state, 32, 16, 100, 100);
    assert_scales(&chosen, (int[]){4, 8, 16, 32}, (int[]){30, 20, 10, 10}, 4);
    chosen = choose(*state, 512, 0, 1000, 20); /* 512 x 10, 256 x 5, 128 x 3 */
    assert_scales(&chosen, (int[]){256, 512}, (int[]){30, 20}, 2);
    assert_int_equal(choose(*state, 3, 0, 100, 100).count, 0);
    assert_int_equal(choose(*state, 512, 0, 1000, 1).count, 0);
}

/* Python's round(512 / 2**(i / 2)), and round(size * width / height) */
static void half_octaves_are_rounded_as_python_does(void **state) {
    assert_size(size_of("wasserstein", 640, 480, 181), 181, 136); /* 135.75 */
    assert_size(size_of("wasserstein", 100, 25, 50), 50, 12);     /* 12.5 */
    assert_size(size_of("wasserstein", 75, 100, 50), 38, 50);     /* 37.5 */
    assert_size(style_size_of("wasserstein", 0.5, 1000, 500, 181), 90, 45);
    assert_size(style_size_of("wasserstein", 1, 100, 50, 181), 100, 50);
    struct chosen chosen = choose_with(*state, &recipe_of("wasserstein")->defaults, 100, 100);
    assert_scales(&chosen, (int[]){128, 181, 256, 362, 512}, (int[]){333, 167, 167, 167, 167}, 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_rounded_to_nearest),
        cmocka_unit_test(the_peers_sizes_are_rounded_down),
        cmocka_unit_test(only_the_peer_enlarges_styles),
        cmocka_unit_test(automatic_scales_begin_at_128),
        cmocka_unit_test(without_iterations_there_is_one_scale),
        cmocka_unit_test(as_many_scales_as_asked_for),
        cmocka_unit_test(scales_too_small_for_the_network_are_left_out),
        cmocka_unit_test(half_octaves_are_rounded_as_python_does),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
