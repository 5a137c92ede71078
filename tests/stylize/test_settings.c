/* test_settings.c: the presets (stylize/recipe.c), and what a job can be made with (stylize/settings.c). */
#include "stylize/recipe.h"
#include "stylize/settings.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void the_default_is_normalized_and_bounded_in_scales(void **state) {
    (void)state;
    nst_settings settings, again;
    assert_int_equal(nst_settings_init(&settings, NULL, NULL), NST_OK);
    assert_string_equal(settings.preset, "gram");
    assert_int_equal(settings.size_px, 512);
    assert_int_equal(settings.optimizer, NST_AUTO);
    assert_true(settings.iteration_count >= 1 && settings.iterations[0] > 0);
    assert_int_equal(settings.style_layers.count, 5);
    assert_true(settings.content_weight > 0 && settings.style_weight > 0 && settings.style_scale == 1);
    assert_int_equal(nst_settings_init(&again, "default", NULL), NST_OK);
    assert_memory_equal(&settings, &again, sizeof settings);
}

/* What neural_style.py of neural-style-pt uses when nothing is given. */
static void neural_style_has_the_peers_constants(void **state) {
    (void)state;
    static const char *const styles[] = {"relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"};
    nst_settings settings;
    nst_error error;
    assert_int_equal(nst_settings_init(&settings, "neural-style", &error), NST_OK);
    assert_string_equal(settings.preset, "neural-style");
    assert_int_equal(settings.size_px, 512);
    assert_int_equal(settings.scale_count, 1);
    assert_int_equal(settings.iterations[0], 1000);
    assert_int_equal(settings.optimizer, NST_LBFGS);
    assert_int_equal(settings.history, 100);
    assert_int_equal(settings.init, NST_INIT_RANDOM);
    assert_int_equal(settings.pooling, NST_POOLING_MAX);
    assert_true(settings.content_weight == 5 && settings.style_weight == 100 && settings.tv_weight == 1e-3);
    assert_int_equal(settings.content_layers.count, 1);
    assert_string_equal(settings.content_layers.layers[0].name, "relu4_2");
    assert_int_equal(settings.style_layers.count, 5);
    for (int i = 0; i < 5; ++i) {
        assert_string_equal(settings.style_layers.layers[i].name, styles[i]);
        assert_true(settings.style_layers.layers[i].weight == 1);
    }
}

/* Adam's step is 0.002 of an image in 0..1 (Kolkin et al.), unless another is given. */
static void the_step_of_neighbors_can_be_changed(void **state) {
    (void)state;
    nst_settings settings;
    const struct recipe *recipe;
    assert_int_equal(nst_settings_init(&settings, "neighbors", NULL), NST_OK);
    assert_int_equal(recipe_find(recipe_table(NULL), settings.preset, &recipe, NULL), NST_OK);
    settings.history = 7;
    struct optimizer_settings chosen = recipe_optimizer_settings(recipe, &settings);
    assert_int_equal(chosen.kind, NST_ADAM);
    assert_int_equal(chosen.history, 7);
    assert_true(fabs(chosen.learning_rate - 0.51) < 1e-12);
    assert_true(chosen.beta1 == 0.9 && chosen.beta2 == 0.999 && chosen.epsilon == 1e-8 / 255);
    settings.learning_rate = 3;
    assert_true(recipe_optimizer_settings(recipe, &settings).learning_rate == 3);
}

/* From the row's weight at 0 over the default to that at 1, by equal factors. */
static void strength_sets_the_content_weight(void **state) {
    (void)state;
    const double strengths[] = {0, 0.25, 0.5, 0.75, 1}, bad[] = {-1e-9, 1.001, NAN};
    for (const struct recipe *recipe = recipe_table(NULL); recipe->name; ++recipe) {
        const double middle = recipe->defaults.content_weight, *ends = recipe->strength_weights;
        const double first = ends[0] > 0 ? ends[0] : 100 * middle, last = ends[1] > 0 ? ends[1] : middle / 100;
        const double wanted[] = {first, sqrt(first * middle), middle, sqrt(middle * last), last};
        nst_settings settings = recipe->defaults;
        for (size_t i = 0; i < sizeof strengths / sizeof *strengths; ++i) {
            assert_int_equal(nst_settings_set_strength(&settings, strengths[i], NULL), NST_OK);
            assert_true(fabs(settings.content_weight - wanted[i]) <= 1e-9 * wanted[i]);
        }
        assert_int_equal(nst_settings_set_strength(&settings, 0.5, NULL), NST_OK);
        assert_memory_equal(&settings, &recipe->defaults, sizeof settings);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
            nst_error error;
            assert_int_equal(nst_settings_set_strength(&settings, bad[i], &error), NST_ERROR_ARGUMENT);
            assert_non_null(strstr(error.message, "strength"));
        }
        assert_memory_equal(&settings, &recipe->defaults, sizeof settings);
    }
    nst_settings unknown = {.preset = "grim"};
    assert_int_equal(nst_settings_set_strength(&unknown, 0.5, NULL), NST_ERROR_ARGUMENT);
}

/* Where the content weight is the share of a mixture, only what is above 1 is the weight of losses. */
static void contents_that_are_mixed_have_losses_above_1_only(void **state) {
    (void)state;
    const struct recipe *recipe;
    nst_settings settings;
    struct objective_spec spec;
    assert_int_equal(recipe_find(recipe_table(NULL), "neighbors", &recipe, NULL), NST_OK);
    settings = recipe->defaults;
    const double weights[] = {0, 0.75, 1, 4};
    for (size_t i = 0; i < sizeof weights / sizeof *weights; ++i) {
        int count = 0;
        settings.content_weight = weights[i];
        recipe_objective(recipe, &settings, &spec);
        for (int t = 0; t < spec.term_count; ++t) {
            bool is_content = strcmp(spec.terms[t].loss.kind, "content") == 0;
            assert_true(!is_content || fabs(spec.terms[t].loss.weight - (weights[i] - 1)) < 1e-12);
            count += is_content;
        }
        assert_int_equal(count, weights[i] > 1 ? settings.content_layers.count : 0);
    }
}

/* The same row but for how far it goes. */
static void a_draft_is_a_short_neighbors(void **state) {
    (void)state;
    const struct recipe *draft, *neighbors;
    assert_int_equal(recipe_find(recipe_table(NULL), "draft", &draft, NULL), NST_OK);
    assert_int_equal(recipe_find(recipe_table(NULL), "neighbors", &neighbors, NULL), NST_OK);
    assert_memory_equal(draft->losses, neighbors->losses, sizeof draft->losses);
    assert_int_equal(draft->phases, neighbors->phases);
    assert_int_equal(draft->defaults.size_px, 256);
    for (int i = 0; i < 4; ++i) {
        assert_true(5 * draft->defaults.iterations[i] < neighbors->defaults.iterations[i]);
    }
    double step = draft->optimizers[NST_AUTO].settings.learning_rate;
    assert_true(step > 3 * neighbors->optimizers[NST_AUTO].settings.learning_rate && step < 3);
}

static void an_unknown_preset_suggests_the_nearest(void **state) {
    (void)state;
    nst_settings settings;
    nst_error error;
    assert_int_equal(nst_settings_init(&settings, "neural-stile", &error), NST_ERROR_ARGUMENT);
    assert_int_equal(error.status, NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "'neural-stile', did you mean 'neural-style'?"));
    assert_int_equal(nst_settings_init(&settings, "watercolor-on-wet-paper", &error), NST_ERROR_ARGUMENT);
    assert_null(strstr(error.message, "did you mean"));
    assert_non_null(strstr(error.message, "there are gram, neural-style"));
    assert_int_equal(nst_settings_init(&settings, "", &error), NST_ERROR_ARGUMENT);
}

static void presets_can_be_listed(void **state) {
    (void)state;
    nst_preset preset;
    nst_settings settings;
    int count = 0;
    for (; nst_preset_at(count, &preset); ++count) {
        assert_int_equal(nst_settings_init(&settings, preset.name, NULL), NST_OK);
        assert_string_equal(settings.preset, preset.name);
        assert_true(preset.summary[0]);
    }
    assert_true(count >= 2);
    assert_false(nst_preset_at(count, &preset) || nst_preset_at(count + 100, &preset));
    assert_true(nst_preset_at(0, &preset));
    assert_string_equal(preset.name, "gram");
}

/* ---- Limits ------------------------------------------------------------------------------------------------------ */

static nst_status check_settings(const nst_settings *settings) {
    nst_picture picture = {0};
    const nst_job_pictures pictures = {.content = &picture, .styles = &picture, .style_count = 1};
    nst_error error;
    return settings_check(settings, &pictures, &error);
}

static nst_settings gram_settings(void) {
    nst_settings settings;
    assert_int_equal(nst_settings_init(&settings, "gram", NULL), NST_OK);
    assert_int_equal(check_settings(&settings), NST_OK);
    return settings;
}

/* The number at `field` of the settings from `least` to `most`, and no further. */
static void check_integer(nst_settings *settings, int *field, int least, int most) {
    const int before = *field;
    const struct {
        int value;
        nst_status status;
    } cases[] = {{least, NST_OK},
                 {most, NST_OK},
                 {least - 1, NST_ERROR_ARGUMENT},
                 {most + 1, NST_ERROR_ARGUMENT},
                 {before, NST_OK}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        *field = cases[i].value;
        assert_int_equal(check_settings(settings), cases[i].status);
    }
}

static void check_weight(nst_settings *settings, double *field) {
    const double before = *field, bad[] = {-1, -1e-9, NAN, INFINITY};
    *field = 0;
    assert_int_equal(check_settings(settings), NST_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        *field = bad[i];
        assert_int_equal(check_settings(settings), NST_ERROR_ARGUMENT);
    }
    *field = before;
}

static void numbers_have_limits(void **state) {
    (void)state;
    nst_settings settings = gram_settings();
    check_integer(&settings, &settings.size_px, 1, NST_MAX_SIZE_PX);
    check_integer(&settings, &settings.scale_count, 0, NST_MAX_SCALES);
    check_integer(&settings, &settings.history, 1, NST_MAX_HISTORY);
    check_integer(&settings, &settings.iteration_count, 1, NST_MAX_SCALES);
    for (int i = 0; i < settings.iteration_count; ++i) {
        check_integer(&settings, &settings.iterations[i], 0, NST_MAX_ITERATIONS);
    }
    settings.iterations[settings.iteration_count] = -1; /* not in use */
    assert_int_equal(check_settings(&settings), NST_OK);
    settings.style_scale = NST_MIN_STYLE_SCALE;
    assert_int_equal(check_settings(&settings), NST_OK);
    settings.style_scale = NST_MAX_STYLE_SCALE;
    assert_int_equal(check_settings(&settings), NST_OK);
    settings.style_scale = nextafter(NST_MAX_STYLE_SCALE, INFINITY);
    assert_int_equal(check_settings(&settings), NST_ERROR_ARGUMENT);
    settings.style_scale = nextafter(NST_MIN_STYLE_SCALE, 0);
    assert_int_equal(check_settings(&settings), NST_ERROR_ARGUMENT);
}

static void weights_are_not_negative(void **state) {
    (void)state;
    nst_settings settings = gram_settings();
    check_weight(&settings, &settings.content_weight);
    check_weight(&settings, &settings.style_weight);
    check_weight(&settings, &settings.tv_weight);
    check_weight(&settings, &settings.learning_rate);
    check_weight(&settings, &settings.content_layers.layers[0].weight);
    check_weight(&settings, &settings.style_layers.layers[settings.style_layers.count - 1].weight);
    settings.style_layers.layers[settings.style_layers.count].weight = -1; /* not in use */
    assert_int_equal(check_settings(&settings), NST_OK);
    settings.style_blend_count = 1;
    settings.style_blend[0] = 2;
    settings.style_blend[1] = -1; /* not in use */
    assert_int_equal(check_settings(&settings), NST_OK);
    settings.style_blend[0] = 0; /* the sum */
    assert_int_equal(check_settings(&settings), NST_ERROR_ARGUMENT);
    settings.style_blend[0] = 1;
    settings.style_blend_count = 2; /* of one style */
    assert_int_equal(check_settings(&settings), NST_ERROR_ARGUMENT);
}

/* Of strotss: the losses are divided by content weight + 2, that of the content is 16 at 64 pixels, and the colors' share is
 * 1 / content weight while that is above 1. */
static void weights_follow_the_size(void **state) {
    (void)state;
    nst_settings settings;
    const struct recipe *recipe;
    assert_int_equal(nst_settings_init(&settings, "strotss", NULL), NST_OK);
    assert_int_equal(recipe_find(recipe_table(NULL), "strotss", &recipe, NULL), NST_OK);
    for (int px = 64; px <= 2048; px *= 2) {
        double factors[OBJECTIVE_MOST_TERMS], content = 16.0 * 64 / px;
        recipe_scale_factors(recipe, &settings, px, factors);
        assert_true(fabs(16 * factors[0] - content / (content + 2)) < 1e-12);
        assert_true(fabs(factors[1] - 1 / (content + 2)) < 1e-12);
        assert_true(factors[2] == factors[1]);
        assert_true(fabs(factors[3] - factors[1] / (content > 1 ? content : 1)) < 1e-12);
    }
    assert_int_equal(recipe_find(recipe_table(NULL), "gram", &recipe, NULL), NST_OK);
    double factors[OBJECTIVE_MOST_TERMS];
    recipe_scale_factors(recipe, &recipe->defaults, 512, factors);
    for (int t = 0; t < OBJECTIVE_MOST_TERMS; ++t) {
        assert_true(factors[t] == 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_normalized_and_bounded_in_scales),
        cmocka_unit_test(neural_style_has_the_peers_constants),
        cmocka_unit_test(the_step_of_neighbors_can_be_changed),
        cmocka_unit_test(strength_sets_the_content_weight),
        cmocka_unit_test(contents_that_are_mixed_have_losses_above_1_only),
        cmocka_unit_test(a_draft_is_a_short_neighbors),
        cmocka_unit_test(weights_follow_the_size),
        cmocka_unit_test(an_unknown_preset_suggests_the_nearest),
        cmocka_unit_test(presets_can_be_listed),
        cmocka_unit_test(numbers_have_limits),
        cmocka_unit_test(weights_are_not_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
