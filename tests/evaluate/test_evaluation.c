/* test_evaluation.c: every loss and the whole gradient (evaluate/) against the float64 network, which agrees
 * with finite differences (network/test_reference.c): all paddings, both poolings, the losses of two recipes, losses that meet at
 * one layer; whole and in tiles. */
#include "evaluated.h"
#include "optimizer/optimizer.h"
#include "random_network.h"
#include "reference/network.h"
#include "stylize/recipe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct objective_spec make_spec(const nst_settings *settings, const struct convolution_engine *engine) {
    const struct recipe *recipe;
    struct objective_spec spec;
    assert_int_equal(recipe_find(recipe_table(NULL), settings->preset, &recipe, NULL), NST_OK);
    recipe_objective(recipe, settings, &spec);
    spec.engine = engine;
    return spec;
}

static void add_layers(nst_layer_list *list, const char *names, const double *weights) {
    char text[256], *rest = NULL;
    snprintf(text, sizeof text, "%s", names);
    for (char *name = strtok_r(text, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
        snprintf(list->layers[list->count].name, sizeof list->layers[0].name, "%s", name);
        list->layers[list->count].weight = weights[list->count];
        list->count++;
    }
}

struct objective_case {
    const char *network, *content_layers, *style_layers;
    int height, width;
    double tv_weight;
    int core_px; /* of tiles; 0: whole */
};

static nst_settings make_settings(const struct objective_case *test, const char *preset, nst_pooling pooling) {
    static const double weights[] = {1, 0.5, 3, 0.25};
    bool normalized = strcmp(preset, "gram") == 0;
    nst_settings settings = {.content_weight = normalized ? 0.3 : 5,
                             .style_weight = normalized ? 1 : 1000,
                             .tv_weight = test->tv_weight * (normalized ? 1 : 1e-3),
                             .pooling = pooling};
    snprintf(settings.preset, sizeof settings.preset, "%s", preset);
    add_layers(&settings.content_layers, test->content_layers, weights);
    add_layers(&settings.style_layers, test->style_layers, weights);
    return settings;
}

/* How far losses and gradient may lie from those of the reference, relative. */
struct bounds {
    double loss, element, gradient;
};
static const struct bounds single_bounds = {5e-5, 2e-4, 2e-5};
/* Maps rounded to 8 bits, filters to 11, and ReLUs and maxima that fall the other way for it. */
static const struct bounds half_bounds = {5e-2, 3, 0.2};

static void check_losses(const struct evaluation *evaluation, const nst_settings *settings, const double *expected,
                         double total, double bound) {
    int count, content = settings->content_layers.count, style = settings->style_layers.count;
    const nst_layer_loss *losses = evaluation_losses(evaluation, &count);
    assert_int_equal(count, content + style + (settings->tv_weight > 0));
    for (int i = 0; i < count; ++i) {
        const char *kind = i < content ? "content" : i < content + style ? "style" : "tv";
        const char *name = i < content           ? settings->content_layers.layers[i].name
                           : i < content + style ? settings->style_layers.layers[i - content].name
                                                 : "tv";
        assert_string_equal(losses[i].kind, kind);
        assert_string_equal(losses[i].name, name);
        assert_close(name, losses[i].loss, expected[i], bound);
    }
    assert_close("total", evaluation_total(evaluation), total, bound);
}

static void check_objective(nst_context *context, const struct objective_case *test, const char *preset,
                            nst_pooling pooling, nst_precision precision, const struct convolution_engine *engine) {
    nst_error error;
    nst_network *network = random_network(test->network, 21);
    nst_settings settings = make_settings(test, preset, pooling);
    bool half = precision == NST_PRECISION_HALF;
    const struct bounds *bounds = half ? &half_bounds : &single_bounds;
    settings.precision = precision;
    struct test_picture content = random_picture(1, test->height, test->width), image = {.values = NULL};
    struct test_picture styles[2] = {random_picture(2, test->height + 5, test->width - 3),
                                     random_picture(3, test->height / 2, test->width)};
    const double shares[] = {0.4, 0.6};
    struct reference_picture reference_styles[2] = {styles[0].reference, styles[1].reference};
    struct reference_objective reference;
    reference_objective_init(&reference, network, &settings, &content.reference, reference_styles, shares, 2);
    size_t elements = count_of(content.size);
    double losses[2 * NST_MAX_LAYERS + 1], *expected = allocate(elements, sizeof *expected), total = 0;
    for (uint64_t seed = 100; !image.values || reference.network.margin < 4e-6; ++seed) {
        assert_true(seed < 300);
        release_picture(&image);
        image = random_picture(seed, test->height, test->width);
        total = reference_objective_evaluate(&reference, image.reference.image, losses, expected);
    }

    struct evaluated on;
    struct image_size sizes[] = {content.size, styles[0].size, styles[1].size};
    struct objective_spec spec = make_spec(&settings, engine);
    evaluated_open(&on, context, network, &spec, &(struct image_sizes){sizes, 3},
                   &(struct evaluation_form){.core_px = test->core_px});
    evaluated_set_targets(context, &on, &content, styles, shares, 2);
    evaluated_put(context, &on, &image);
    check(buffer_fill_zero(context, evaluation_gradient(on.evaluation), optimizer_padded(elements) * sizeof(float),
                           &error),
          &error);
    /* Losses alone, then with the gradient, twice: nothing may be left over from the evaluation before, and the same
     * comes out. */
    check(evaluation_run(on.evaluation, EVALUATE_LOSSES, &error), &error);
    check_losses(on.evaluation, &settings, losses, total, bounds->loss);
    float *first = NULL;
    for (int repetition = 0; repetition < 2; ++repetition) {
        check(evaluation_run(on.evaluation, EVALUATE_GRADIENT, &error), &error);
        check_losses(on.evaluation, &settings, losses, total, bounds->loss);
        float *got = download(context, evaluation_gradient(on.evaluation), optimizer_padded(elements) * sizeof *got);
        assert_near(test->network, got, expected, elements, bounds->element);
        assert_true(relative_rms(got, expected, elements) < bounds->gradient);
        for (size_t i = elements; i < optimizer_padded(elements); ++i) {
            assert_true(got[i] == 0);
        }
        if (first) {
            assert_memory_equal(got, first, elements * sizeof *got);
            free(got);
        } else {
            first = got;
        }
    }
    free(first);
    evaluated_close(&on, context);
    reference_objective_free(&reference);
    random_network_free(network);
    release_picture(&content);
    release_picture(&image);
    release_picture(&styles[0]);
    release_picture(&styles[1]);
    free(expected);
}

static void losses_and_gradient_agree_with_the_reference(void **state) {
    const struct objective_case cases[] = {
        {"c5 r c5 r p c7 r", "relu2_1", "relu1_1 relu1_2 relu2_1", (int)sizes_to_try(37, 9), 29, 0.2, 0},
        {"c5:reflect r c6:reflect:nobias r p c7:reflect r c3:k1 r", "relu2_2 relu1_1", "relu1_2 relu2_1", 37, 29, 0, 0},
        {"c5:nobias:replicate r p c4:k1 r p c9:replicate r", "relu2_1", "relu1_1 relu2_1 relu3_1", 17, 31, 1, 0},
        {"c17 r p c3:p0 r c5 r", "relu2_1", "relu2_2", 21, 20, 0.1, 0},
        {"c5 r c5:reflect r p c6 r", "relu2_1", "relu1_1 relu1_2 relu2_1", 75, 131, 0.3, 64},
    };
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(cases), 1); ++i) {
        static const char *const presets[] = {"gram", "neural-style"};
        for (size_t kind = 0; kind < COUNT_OF(presets); ++kind) {
            for (int precision = NST_PRECISION_SINGLE; precision <= NST_PRECISION_HALF; ++precision) {
                check_objective(*state, &cases[i], presets[kind], NST_POOLING_MAX, precision, NULL);
                check_objective(*state, &cases[i], presets[kind], NST_POOLING_AVERAGE, precision, NULL);
            }
            /* The plain engine, which keeps every filter as halves; others only large ones. */
            check_objective(*state, &cases[i], presets[kind], NST_POOLING_MAX, NST_PRECISION_HALF,
                            convolution_reference_engine(*state));
        }
    }
}

/* A layer that never fires has nothing to imitate: its loss is zero, not something that is not a number. */
static void layers_that_never_fire_cost_nothing(void **state) {
    nst_context *context = *state;
    nst_error error;
    nst_network *network = random_network("c5 r c4 r", 21);
    for (int i = 0; i < 4; ++i) {
        network->layers[2].bias[i] = -1e6f;
    }
    const struct objective_case test = {NULL, "relu1_2", "relu1_2 relu1_1", 12, 14, 0, 0};
    nst_settings settings = make_settings(&test, "gram", NST_POOLING_MAX);
    struct test_picture content = random_picture(1, 12, 14);
    const double share = 1;
    struct evaluated on;
    struct objective_spec spec = make_spec(&settings, NULL);
    evaluated_open(&on, context, network, &spec, &(struct image_sizes){&content.size, 1}, &(struct evaluation_form){0});
    evaluated_set_targets(context, &on, &content, &content, &share, 1);
    evaluated_put(context, &on, &content);
    check(evaluation_run(on.evaluation, EVALUATE_GRADIENT, &error), &error);
    int count;
    const nst_layer_loss *losses = evaluation_losses(on.evaluation, &count);
    assert_int_equal(count, 3);
    for (int i = 0; i < count; ++i) { /* content and style are the image itself */
        assert_true(losses[i].loss >= 0 && losses[i].loss < 1e-9);
    }
    float *got = download(context, evaluation_gradient(on.evaluation), 3 * 12 * 14 * sizeof *got);
    for (int i = 0; i < 3 * 12 * 14; ++i) {
        assert_true(isfinite(got[i]));
    }
    free(got);
    evaluated_close(&on, context);
    objective_destroy(NULL);
    evaluation_free(NULL);
    random_network_free(network);
    release_picture(&content);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_and_gradient_agree_with_the_reference),
        cmocka_unit_test(layers_that_never_fire_cost_nothing),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
