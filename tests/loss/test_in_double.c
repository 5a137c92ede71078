/* test_in_double.c: what the kinds of losses give to the self-test as their truth, in double precision, against that of
 * the tests. */
#include "fixture.h"
#include "loss/loss.h"
#include "reference/losses.h"

#include <math.h>
#include <stdlib.h>

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
    double divisor = options->mean ? (double)elements * pow(255, options->power) : 1;
    return reference_tv_loss(in->map, in->channels, in->height, in->width, options->power, 1 / divisor, gradient);
}

static void check_kind(nst_context *context, const char *kind, struct loss_options options) {
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
        assert_true(fabs(loss_find(context, kind)->reference(&options, &in, got) - loss) <= 1e-12 * fabs(loss));
        for (size_t i = 0; i < count; ++i) {
            assert_true(fabs(got[i] - expected[i]) <= 1e-12 * (1 + fabs(expected[i])));
        }
        free(values);
        free(doubles);
        free(expected);
        free(got);
    }
}

static void all_kinds_agree(void **state) {
    for (int i = 0; i < 2; ++i) {
        check_kind(*state, "content", (struct loss_options){.relative = i});
        check_kind(*state, "gram", (struct loss_options){.relative = i});
        check_kind(*state, "gram", (struct loss_options){.relative = i, .gram_by_channels = true});
        check_kind(*state, "total variation", (struct loss_options){.power = 1, .mean = i});
        check_kind(*state, "total variation", (struct loss_options){.power = 2, .mean = i});
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_kinds_agree)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
