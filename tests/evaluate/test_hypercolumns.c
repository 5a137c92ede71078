/* test_hypercolumns.c: the gradient of each loss of the preset strotss through a whole network, and by way of the image
 * itself, against finite differences along it; more pixels than are drawn, maps of several strides, two styles. */
#include "evaluated.h"
#include "optimizer/optimizer.h"
#include "random_network.h"
#include "stylize/recipe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double shares[] = {0.4, 0.6};

struct pictures {
    struct test_picture content, styles[2], image;
};

/* The loss of one term at an image, of the first draw. */
static double loss_at(nst_context *context, const struct evaluated *on, const struct pictures *pictures, int term,
                      const struct test_picture *image, enum evaluation_kind kind) {
    nst_error error;
    double factors[OBJECTIVE_MOST_TERMS] = {0};
    factors[term] = 1;
    evaluation_set_factors(on->evaluation, factors);
    evaluated_set_targets(context, on, &pictures->content, pictures->styles, shares, 2);
    evaluated_put(context, on, image);
    check(evaluation_run(on->evaluation, kind, &error), &error);
    return evaluation_total(on->evaluation);
}

static void check_term(nst_context *context, const struct evaluated *on, const struct pictures *pictures, int term) {
    size_t count = count_of(pictures->image.size);
    struct test_picture moved = random_picture(9, pictures->image.size.height, pictures->image.size.width);
    double loss = loss_at(context, on, pictures, term, &pictures->image, EVALUATE_GRADIENT), square = 0, losses[2];
    float *gradient = download(context, evaluation_gradient(on->evaluation), count * sizeof *gradient);
    for (size_t i = 0; i < count; ++i) {
        square += (double)gradient[i] * gradient[i];
    }
    const double step = 1e-4 * loss / square; /* the loss changes by so much of it */
    for (int side = 0; side < 2; ++side) {
        for (size_t i = 0; i < count; ++i) {
            moved.values[i] = pictures->image.values[i] + (float)((side ? step : -step) * gradient[i]);
        }
        losses[side] = loss_at(context, on, pictures, term, &moved, EVALUATE_LOSSES);
    }
    assert_true(loss > 0 && square > 0);
    assert_close("slope along the gradient", (losses[1] - losses[0]) / (2 * step), square, 3e-3);
    free(gradient);
    release_picture(&moved);
}

static void gradients_agree_with_finite_differences(void **state) {
    const struct recipe *recipe;
    nst_settings settings;
    struct objective_spec spec;
    struct evaluated on;
    nst_network *network = random_network("c9 r c9 r p c20 r p c17 r", 4);
    struct pictures pictures = {.content = random_picture(1, 45, 41),
                                .styles = {random_picture(2, 33, 50), random_picture(3, 20, 31)},
                                .image = random_picture(4, 45, 41)};
    const struct image_size sizes[] = {pictures.content.size, pictures.styles[0].size, pictures.styles[1].size};
    assert_int_equal(nst_settings_init(&settings, "strotss", NULL), NST_OK);
    assert_int_equal(recipe_find(recipe_table(NULL), "strotss", &recipe, NULL), NST_OK);
    settings.content_layers =
        (nst_layer_list){.count = 4, .layers = {{"relu1_1", 1}, {"relu1_2", 1}, {"relu2_1", 1}, {"relu3_1", 1}}};
    settings.style_layers = settings.content_layers;
    recipe_objective(recipe, &settings, &spec);
    for (int t = 0; t < spec.term_count; ++t) {
        spec.terms[t].loss.options.feature_scale = recipe_vector_scale(network);
    }
    evaluated_open(&on, *state, network, &spec, &(struct image_sizes){sizes, 3}, &(struct evaluation_form){0});
    for (int t = 0; t < spec.term_count; ++t) {
        check_term(*state, &on, &pictures, t);
    }
    evaluated_close(&on, *state);
    random_network_free(network);
    release_picture(&pictures.content);
    release_picture(&pictures.styles[0]);
    release_picture(&pictures.styles[1]);
    release_picture(&pictures.image);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_agree_with_finite_differences)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
