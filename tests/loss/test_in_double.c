/* test_in_double.c: what the kinds of losses give to the self-test as their truth, in double precision, against that of
 * the tests. */
#include "fixture.h"
#include "loss/loss.h"
#include "reference/losses.h"
#include "reference/wasserstein.h"

#include <math.h>
#include <stdlib.h>

enum { STEPS = 12 }; /* of the iterations for square roots */

/* The tests' own value and gradient of that kind. */
static double expected_loss(const char *kind, const struct loss_options *options, const struct loss_reference *in,
                            double *gradient) {
    size_t channels = (size_t)in->channels, pixels = (size_t)in->height * (size_t)in->width;
    size_t elements = channels * pixels, products = channels * channels;
    if (strcmp(kind, "content") == 0) {
        double divisor = options->relative ? reference_squares(in->content, elements) : (double)elements;
        return reference_content_loss(in->map, in->content, elements, 1 / divisor, gradient);
    }
    if (strcmp(kind, "gram") == 0) {
        double scale = 1 / (double)(options->gram_by_channels ? elements : pixels);
        double *target = allocate(products, sizeof *target);
        reference_gram(in->style, in->channels, pixels, target);
        for (size_t i = 0; i < products; ++i) {
            target[i] *= scale;
        }
        double divisor = options->relative ? reference_squares(target, products) : (double)products;
        double loss = reference_style_loss(in->map, target, in->channels, pixels, 1 / divisor, scale, gradient);
        free(target);
        return loss;
    }
    if (strcmp(kind, "wasserstein") == 0) {
        struct reference_moments style = {in->channels, allocate(channels, sizeof(double)),
                                          allocate(products, sizeof(double))};
        struct reference_wasserstein truth = {.slope = gradient};
        reference_moments_add(&style, in->style, pixels, 1);
        reference_wasserstein(in->map, pixels, &style, options->epsilon, STEPS, &truth);
        double factor = 1 / (options->relative ? truth.size : in->channels);
        for (size_t i = 0; i < elements; ++i) {
            gradient[i] *= factor;
        }
        free(style.mean);
        free(style.products);
        return factor * truth.loss;
    }
    double divisor = options->mean ? (double)elements * pow(255, options->power) : 1;
    return reference_tv_loss(in->map, in->channels, in->height, in->width, options->power, 1 / divisor, gradient);
}

static void check_kind(nst_context *context, const char *kind, struct loss_options options, double bound) {
    static const struct loss_reference shapes[] = {{1, 1, 1, NULL, NULL, NULL},
                                                   {3, 1, 7, NULL, NULL, NULL},
                                                   {3, 9, 4, NULL, NULL, NULL},
                                                   {11, 5, 8, NULL, NULL, NULL}};
    for (size_t s = 0; s < COUNT_OF(shapes); ++s) {
        struct loss_reference in = shapes[s];
        size_t count = (size_t)in.channels * (size_t)in.height * (size_t)in.width;
        float *values = random_array(s, 3 * count);
        for (size_t i = 0; i < count; i += 5) {
            values[i] = 0.5f; /* equal neighbors, whose slope is 0 */
        }
        double *doubles = to_doubles(values, 3 * count), *expected = allocate(count, sizeof *expected);
        double *got = allocate(count, sizeof *got);
        in.map = doubles, in.content = doubles + count, in.style = doubles + 2 * count;
        double loss = expected_loss(kind, &options, &in, expected);
        for (size_t i = 0; i < count; ++i) {
            got[i] = NAN; /* to be set, not added to */
        }
        assert_true(fabs(loss_find(context, kind)->reference(&options, &in, got) - loss) <= bound * fabs(loss));
        for (size_t i = 0; i < count; ++i) {
            assert_true(fabs(got[i] - expected[i]) <= bound * (1 + fabs(expected[i])));
        }
        free(values);
        free(doubles);
        free(expected);
        free(got);
    }
}

static void all_kinds_agree(void **state) {
    for (int i = 0; i < 2; ++i) {
        check_kind(*state, "content", (struct loss_options){.relative = i}, 1e-12);
        check_kind(*state, "gram", (struct loss_options){.relative = i}, 1e-12);
        check_kind(*state, "gram", (struct loss_options){.relative = i, .gram_by_channels = true}, 1e-12);
        check_kind(*state, "total variation", (struct loss_options){.power = 1, .mean = i}, 1e-12);
        check_kind(*state, "total variation", (struct loss_options){.power = 2, .mean = i}, 1e-12);
        check_kind(*state, "wasserstein", (struct loss_options){.relative = i, .epsilon = 0.05}, 1e-8);
    }
}

/* Total variation of nine points, which is of an image in 0..1, and its slopes from differences: it is quadratic. */
static void nine_points_agree(void **state) {
    enum { HEIGHT = 5, WIDTH = 7, COUNT = 3 * HEIGHT * WIDTH };
    const struct loss_options options = {.nine_points = true};
    float *values = random_uniform_array(1, COUNT, 0, 1);
    double *unit = to_doubles(values, COUNT), image[COUNT], got[COUNT];
    for (int i = 0; i < COUNT; ++i) {
        image[i] = 255 * unit[i];
    }
    const struct loss_reference in = {.channels = 3, .height = HEIGHT, .width = WIDTH, .map = image};
    double loss = loss_find(*state, "total variation")->reference(&options, &in, got);
    assert_close("nine points", loss, reference_tv_nine_loss(unit, HEIGHT, WIDTH, 1), 1e-12);
    for (int i = 0; i < COUNT; ++i) {
        const double step = 0.25;
        double center = unit[i], sums[2];
        for (int side = 0; side < 2; ++side) {
            unit[i] = center + (side ? step : -step);
            sums[side] = reference_tv_nine_loss(unit, HEIGHT, WIDTH, 1);
        }
        unit[i] = center;
        assert_true(fabs(got[i] - (sums[1] - sums[0]) / (2 * 255 * step)) <= 1e-9 * loss);
    }
    free(values);
    free(unit);
}

/* Nearest neighbors, from differences too small to change which are the nearest. */
static void neighbors_have_their_slopes(void **state) {
    enum { CHANNELS = 6, HEIGHT = 9, WIDTH = 8, COUNT = CHANNELS * HEIGHT * WIDTH };
    static const char *const kinds[] = {"neighbors", "layer neighbors"};
    const struct loss_options options = {0};
    float *values = random_array(3, 3 * COUNT);
    double *maps = to_doubles(values, 3 * COUNT), got[COUNT], unused[COUNT];
    const struct loss_reference in = {CHANNELS, HEIGHT, WIDTH, maps, maps + COUNT, maps + 2 * COUNT};
    for (size_t k = 0; k < COUNT_OF(kinds); ++k) {
        const struct loss_methods *methods = loss_find(*state, kinds[k]);
        methods->reference(&options, &in, got);
        for (int i = 0; i < COUNT; ++i) {
            const double step = 1e-5;
            double center = maps[i], sums[2];
            for (int side = 0; side < 2; ++side) {
                maps[i] = center + (side ? step : -step);
                sums[side] = methods->reference(&options, &in, unused);
            }
            maps[i] = center;
            assert_true(fabs(got[i] - (sums[1] - sums[0]) / (2 * step)) <= 1e-8);
        }
    }
    free(values);
    free(maps);
}

static void nothing_has_no_weight(void **state) {
    (void)state;
    assert_true(loss_one_over(0.25) == 4);
    assert_true(loss_one_over(0) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_kinds_agree), cmocka_unit_test(nine_points_agree),
                                       cmocka_unit_test(neighbors_have_their_slopes),
                                       cmocka_unit_test(nothing_has_no_weight)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
