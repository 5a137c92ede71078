/* test_settings.c: the presets (stylize/settings.c). */
#include "nst.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_normalized_and_bounded_in_scales),
        cmocka_unit_test(neural_style_has_the_peers_constants),
        cmocka_unit_test(an_unknown_preset_suggests_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
