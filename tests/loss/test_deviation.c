/* test_deviation.c: the loss on means and deviations (cl/deviation.cl, loss/deviation.c) on the device against its float64
 * reference, that against finite differences; dead channels, positions with weights, two styles. */
#include "fixture.h"
#include "loss_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct loss_options options[] = {{.epsilon = 1e-4}, {.epsilon = 1e-2, .relative = true}};

static double reference(const struct loss_options *asked, const struct loss_reference *in, double *gradient) {
    nst_context nothing = {.tables = {.losses = NULL}};
    return loss_find(&nothing, "mean and deviation")->reference(asked, in, gradient);
}

static void reference_agrees_with_finite_differences(void **state) {
    (void)state;
    enum { CHANNELS = 3, HEIGHT = 4, WIDTH = 5, COUNT = CHANNELS * HEIGHT * WIDTH };
    float *values = random_array(1, 2 * COUNT);
    double *map = to_doubles(values, 2 * COUNT), slope[COUNT], spare[COUNT];
    const struct loss_reference in = {CHANNELS, HEIGHT, WIDTH, map, NULL, map + COUNT};
    for (size_t o = 0; o < COUNT_OF(options); ++o) {
        reference(&options[o], &in, slope);
        for (int i = 0; i < COUNT; ++i) {
            const double step = 1e-5, center = map[i];
            map[i] = center + step;
            double above = reference(&options[o], &in, spare);
            map[i] = center - step;
            double below = reference(&options[o], &in, spare);
            map[i] = center;
            assert_true(fabs((above - below) / (2 * step) - slope[i]) <= 1e-8);
        }
    }
    free(values);
    free(map);
}

/* The value and gradient with these weights of the pixels, or NULL. */
static double run_loss(const struct loss_case *test, const struct loss_map *at, const struct loss_map *style,
                       const float *weights, cl_mem gradient, size_t gradient_bytes) {
    nst_error error;
    const struct region region = {.image = at->image, .weights = weights};
    check(loss_target_begin(test->run, &region, 1, &error), &error);
    for (int half = 0; half < 2; ++half) { /* a style and itself are that style */
        const struct loss_target target = {.picture = LOSS_STYLE, .share = half ? 0.25 : 0.75};
        check(loss_target_add(test->run, style, &target, &error), &error);
    }
    check(loss_target_end(test->run, &error), &error);
    check(buffer_fill_zero(test->context, gradient, gradient_bytes, &error), &error);
    check(loss_gather(test->run, at, &error), &error);
    check(loss_value(test->run, at, &error), &error);
    check(loss_add_gradient(test->run, at, gradient, &error), &error);
    return loss_case_value(test);
}

/* `dead`: every so manieth channel is zero, in the image; each seventh in the style. */
static void check_on_device(nst_context *context, struct map_size size, int dead, const struct loss_options *asked) {
    const struct loss_spec spec = {.kind = "mean and deviation",
                                   .layers = {"relu1_1"},
                                   .layer_count = 1,
                                   .weight = 1,
                                   .options = *asked,
                                   .weighs = true};
    const struct image_size image = {size.height, size.width};
    const size_t bytes = feature_map_bytes(context, size.half, size.channels, size.height, size.width);
    struct given_map map = give_map(context, size, 1, dead), style = give_map(context, size, 11, dead ? 7 : 0);
    struct loss_case test;
    loss_case_open(&test, context, size, image, &spec, false);
    const struct loss_map at = {.map = map.map, .image = image}, style_at = {.map = style.map, .image = image};
    cl_mem gradient = create_zero(context, bytes);
    double *expected = allocate(elements_of(size), sizeof *expected), largest = 0;
    const struct loss_reference in = {size.channels, size.height, size.width, map.values, NULL, style.values};
    double loss = reference(asked, &in, expected);
    for (size_t i = 0; i < elements_of(size); ++i) {
        expected[i] = map.mask[i] ? expected[i] : 0;
        largest = fmax(largest, fabs(expected[i]));
    }
    double got_loss = run_loss(&test, &at, &style_at, NULL, gradient, bytes);
    assert_true(fabs(got_loss - loss) <= 2e-5 * loss + 1e-9);
    float *got = download_map(context, gradient, size);
    for (size_t i = 0; i < elements_of(size); ++i) {
        assert_true(fabs(got[i] - expected[i]) <= (size.half ? 1e-2 : 2e-5) * largest + 1e-9);
    }
    /* Equal weights are as none. */
    float *weights = allocate(pixels_of(size), sizeof *weights);
    for (size_t i = 0; i < pixels_of(size); ++i) {
        weights[i] = 0.5f;
    }
    assert_true(fabs(run_loss(&test, &at, &style_at, weights, gradient, bytes) - loss) <= 2e-5 * loss + 1e-9);
    float *weighted = download_map(context, gradient, size);
    for (size_t i = 0; i < elements_of(size); ++i) {
        assert_true(fabs(weighted[i] - got[i]) <= (size.half ? 1e-2 : 2e-5) * largest + 1e-9);
    }
    free(weights);
    free(weighted);
    free(got);
    free(expected);
    buffer_release(context, &gradient);
    release_map(context, &map);
    release_map(context, &style);
    loss_case_close(&test);
}

static void losses_agree_with_the_reference(void **state) {
    for (size_t s = 0; s < map_size_count(); ++s) {
        struct map_size size = map_sizes[s];
        for (size_t o = 0; o < COUNT_OF(options); ++o) {
            check_on_device(*state, size, 0, &options[o]);
            check_on_device(*state, size, 3, &options[o]);
        }
        size.half = true;
        check_on_device(*state, size, 0, &options[0]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reference_agrees_with_finite_differences),
                                       cmocka_unit_test(losses_agree_with_the_reference)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
