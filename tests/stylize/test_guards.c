/* test_guards.c: jobs that cannot or must not work: too small, too large, values that are not finite, losses that
 * explode, settings out of range. Always a sentence, never a picture that holds something that is not a number. */
#include "jobs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Sizes ----------------------------------------------------------------------------------------------------- */

static void too_small_pictures_are_refused(void **state) {
    nst_settings settings = small_settings(2);
    settings.size_px = 3;
    struct job_record record = {0};
    run_small(*state, &settings, NULL, &record);
    assert_int_equal(record.status, NST_ERROR_NETWORK);
    assert_non_null(strstr(record.error.message, "too small for the network"));
    assert_non_null(strstr(record.error.message, "at least 4"));
    nst_picture line = make_hills(500, 1, 3);
    settings.size_px = 500;
    run_small(*state, &settings, &line, &record);
    assert_int_equal(record.status, NST_ERROR_NETWORK);
    nst_picture_free(&line);
}

/* A style picture that is a narrow band gets too small for the network at the first scales. */
static void narrow_styles_at_small_scales(void **state) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hills = make_hills(60, 45, 3), band = make_stripes(64, 6);
    nst_job_pictures pictures = {.content = &hills, .styles = &band, .style_count = 1};
    nst_settings settings = small_settings(2);
    settings.scale_count = 3;
    struct job_record record = {0};
    run_job(*state, network, &settings, &pictures, &record);
    check(record.status, &record.error);
    assert_int_equal(record.last.width, 48);
    assert_in_unit_range(&record.picture);
    record_free(&record);
    nst_picture_free(&hills);
    nst_picture_free(&band);
    random_network_free(network);
}

static int number_behind(const char *words, const char *message);

static nst_status make_job(nst_context *context, const nst_network *network, const nst_settings *settings,
                           const nst_picture *content, const nst_picture *style, nst_error *error) {
    nst_job_pictures pictures = {.content = content, .styles = style, .style_count = 1};
    nst_job *job;
    nst_status status = nst_job_create(context, network, settings, &pictures, &job, error);
    nst_job_destroy(job);
    return status;
}

/* The message names the picture and the smallest size that works: it does, and one pixel less does not. */
static void narrow_contents_are_told_the_size_that_works(void **state) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture band = make_hills(400, 6, 3), stripes = make_stripes(64, 64);
    nst_settings settings = small_settings(1);
    nst_error error;
    settings.size_px = 100;
    assert_int_equal(make_job(*state, network, &settings, &band, &stripes, &error), NST_ERROR_NETWORK);
    assert_non_null(strstr(error.message, "the content would be 100 x 2 pixels"));
    int enough_px = number_behind("--size ", error.message);
    assert_true(enough_px > 100);
    settings.size_px = enough_px - 1;
    assert_int_equal(make_job(*state, network, &settings, &band, &stripes, &error), NST_ERROR_NETWORK);
    settings.size_px = enough_px;
    check(make_job(*state, network, &settings, &band, &stripes, &error), &error);
    nst_picture_free(&band);
    nst_picture_free(&stripes);
    random_network_free(network);
}

/* A style that is too small for the network is scaled less, with a line that says so; of too few pixels, an error. */
static void narrow_styles_are_scaled_less(void **state) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hills = make_hills(60, 45, 3), band = make_stripes(400, 6), line = make_stripes(400, 3);
    static const char *const presets[] = {"gram", "neighbors"};
    for (size_t p = 0; p < COUNT_OF(presets); ++p) {
        nst_settings settings = small_settings(1);
        nst_error error;
        strcpy(settings.preset, presets[p]);
        nst_job_pictures pictures = {.content = &hills, .styles = &band, .style_count = 1};
        nst_job *job;
        nst_progress progress;
        check(nst_job_create(*state, network, &settings, &pictures, &job, &error), &error);
        assert_non_null(nst_job_note(job));
        assert_non_null(strstr(nst_job_note(job), "style 1 would be 48 x 1 pixels"));
        check(nst_job_step(job, &progress, &error), &error);
        nst_job_destroy(job);
        assert_int_equal(make_job(*state, network, &settings, &hills, &line, &error), NST_ERROR_NETWORK);
        assert_non_null(strstr(error.message, "style 1 has 400 x 3 pixels"));
        nst_picture stripes = make_stripes(64, 64);
        pictures.styles = &stripes;
        check(nst_job_create(*state, network, &settings, &pictures, &job, &error), &error);
        assert_null(nst_job_note(job));
        nst_job_destroy(job);
        nst_picture_free(&stripes);
    }
    nst_picture_free(&hills);
    nst_picture_free(&band);
    nst_picture_free(&line);
    random_network_free(network);
}

/* The number behind these words of a message, 0 if they are not there. */
static int number_behind(const char *words, const char *message) {
    const char *at = strstr(message, words);
    return at ? atoi(at + strlen(words)) : 0;
}

static void what_does_not_fit_even_in_tiles_is_refused(void **state) {
    nst_context *context = *state;
    uint64_t *limits[] = {&context->info.memory_bytes, &context->info.largest_allocation_bytes};
    for (size_t i = 0; i < COUNT_OF(limits); ++i) {
        for (int precision = NST_PRECISION_AUTO; precision <= NST_PRECISION_HALF; ++precision) {
            uint64_t usual = *limits[i];
            nst_settings settings = small_settings(1);
            struct job_record record = {0};
            settings.precision = precision;
            settings.size_px = 1600;
            *limits[i] = 256 << 10; /* the weights fit */
            run_small(context, &settings, NULL, &record);
            *limits[i] = usual;
            assert_int_equal(record.status, NST_ERROR_MEMORY);
            assert_non_null(strstr(record.error.message, "1600 px, even in tiles of 256,"));
        }
    }
}

/* ---- Values that are not finite -------------------------------------------------------------------------------- */

static void run_broken(nst_context *context, nst_network *network, const nst_picture *content,
                       const nst_settings *settings, struct job_record *record) {
    nst_picture stripes = make_stripes(64, 64);
    nst_job_pictures pictures = {.content = content, .styles = &stripes, .style_count = 1};
    run_job(context, network, settings, &pictures, record);
    nst_picture_free(&stripes);
}

static void overflowing_networks_end_in_an_error(void **state) {
    static const nst_optimizer optimizers[] = {NST_AUTO, NST_LBFGS, NST_ADAM};
    static const char *const presets[] = {"gram", "neural-style"};
    for (size_t kind = 0; kind < COUNT_OF(presets); ++kind) {
        for (size_t o = 0; o < COUNT_OF(optimizers); ++o) {
            nst_network *network = random_network(SMALL_NETWORK, 31);
            nst_picture hills = make_hills(60, 45, 3);
            nst_settings settings = small_settings(50);
            strcpy(settings.preset, presets[kind]);
            settings.optimizer = optimizers[o];
            for (int i = 0; i < network->layers[2].in_channels * network->layers[2].out_channels * 9; ++i) {
                network->layers[2].weights[i] *= 1e25f;
            }
            struct job_record record = {0};
            run_broken(*state, network, &hills, &settings, &record);
            assert_int_not_equal(record.status, NST_OK);
            assert_non_null(strstr(record.error.message, "not finite"));
            assert_true(record.notes > 0);
            assert_in_unit_range(&record.picture);
            record_free(&record);
            nst_picture_free(&hills);
            random_network_free(network);
        }
    }
}

static void pictures_that_hold_no_numbers_end_in_an_error(void **state) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hills = make_hills(60, 45, 3);
    nst_settings settings = small_settings(50);
    hills.values[1000] = NAN;
    struct job_record record = {0};
    run_broken(*state, network, &hills, &settings, &record);
    assert_true(record.status != NST_OK || record.picture.values != NULL);
    if (record.picture.values) {
        assert_in_unit_range(&record.picture);
    }
    record_free(&record);
    nst_picture_free(&hills);
    random_network_free(network);
}

/* Steps far too long: a guard steps in, says so, and the loss ends below where it began. */
static void exploding_losses_are_caught(void **state) {
    nst_settings settings = small_settings(60);
    settings.optimizer = NST_ADAM;
    settings.learning_rate = 250;
    struct job_record record = {0};
    run_small(*state, &settings, NULL, &record);
    check(record.status, &record.error);
    assert_true(record.notes > 0);
    assert_non_null(strstr(record.last_note, "exploded: back to the last good image"));
    assert_true(record.last_loss < record.first_loss);
    assert_in_unit_range(&record.picture);
    record_free(&record);
}

/* ---- Settings -------------------------------------------------------------------------------------------------- */

static void assert_refused(nst_context *context, const nst_settings *settings, int style_count, nst_status status) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hills = make_hills(60, 45, 3), styles[NST_MAX_STYLES + 1];
    for (int i = 0; i < NST_MAX_STYLES + 1; ++i) {
        styles[i] = make_stripes(20, 20);
    }
    nst_job_pictures pictures = {.content = &hills, .styles = styles, .style_count = style_count};
    struct job_record record = {0};
    run_job(context, network, settings, &pictures, &record);
    assert_int_equal(record.status, status);
    assert_true(record.error.message[0] != '\0' && record.error.status == status);
    nst_picture_free(&hills);
    for (int i = 0; i < NST_MAX_STYLES + 1; ++i) {
        nst_picture_free(&styles[i]);
    }
    random_network_free(network);
}

static void settings_out_of_range_are_refused(void **state) {
    nst_settings good = small_settings(1), bad;
    assert_refused(*state, &good, 0, NST_ERROR_ARGUMENT);
    assert_refused(*state, &good, NST_MAX_STYLES + 1, NST_ERROR_ARGUMENT);
#define REFUSED(field, value, status)                                                                                  \
    bad = good;                                                                                                        \
    bad.field = value;                                                                                                 \
    assert_refused(*state, &bad, 1, status)
    REFUSED(size_px, 0, NST_ERROR_ARGUMENT);
    REFUSED(size_px, NST_MAX_SIZE_PX + 1, NST_ERROR_ARGUMENT);
    REFUSED(scale_count, -1, NST_ERROR_ARGUMENT);
    REFUSED(scale_count, NST_MAX_SCALES + 1, NST_ERROR_ARGUMENT);
    REFUSED(iteration_count, 0, NST_ERROR_ARGUMENT);
    REFUSED(history, 0, NST_ERROR_ARGUMENT);
    REFUSED(iterations[0], -1, NST_ERROR_ARGUMENT);
    REFUSED(iterations[0], NST_MAX_ITERATIONS + 1, NST_ERROR_ARGUMENT);
    REFUSED(history, NST_MAX_HISTORY + 1, NST_ERROR_ARGUMENT);
    REFUSED(preset[0], 'x', NST_ERROR_ARGUMENT);
    REFUSED(optimizer, (nst_optimizer)3, NST_ERROR_ARGUMENT);
    REFUSED(init, (nst_init)3, NST_ERROR_ARGUMENT);
    REFUSED(pooling, (nst_pooling)2, NST_ERROR_ARGUMENT);
    REFUSED(precision, (nst_precision)3, NST_ERROR_ARGUMENT);
    REFUSED(style_scale, 1e9, NST_ERROR_ARGUMENT);
    REFUSED(style_scale, 0, NST_ERROR_ARGUMENT);
    REFUSED(style_scale, NAN, NST_ERROR_ARGUMENT);
    REFUSED(style_blend_count, 2, NST_ERROR_ARGUMENT);
    REFUSED(init, NST_INIT_PICTURE, NST_ERROR_ARGUMENT);
    REFUSED(style_weight, NAN, NST_ERROR_ARGUMENT);
    REFUSED(style_weight, -1, NST_ERROR_ARGUMENT);
    REFUSED(content_weight, INFINITY, NST_ERROR_ARGUMENT);
    REFUSED(tv_weight, -0.5, NST_ERROR_ARGUMENT);
    REFUSED(learning_rate, NAN, NST_ERROR_ARGUMENT);
    REFUSED(style_layers.count, NST_MAX_LAYERS + 1, NST_ERROR_ARGUMENT);
    REFUSED(content_layers.count, -1, NST_ERROR_ARGUMENT);
    REFUSED(style_layers.layers[0].weight, NAN, NST_ERROR_ARGUMENT);
    REFUSED(content_layers.layers[0].name[0], 'x', NST_ERROR_NETWORK);
#undef REFUSED
    bad = good;
    memset(bad.preset, 'x', sizeof bad.preset); /* without an end */
    assert_refused(*state, &bad, 1, NST_ERROR_ARGUMENT);
    bad = good;
    bad.style_blend_count = 1; /* one style, of which there shall be nothing */
    assert_refused(*state, &bad, 1, NST_ERROR_ARGUMENT);
}

/* Layers that count for nothing are no reason for a loss that is not a number. */
static void weights_of_zero_are_fine(void **state) {
    for (int i = 0; i < 4; ++i) {
        nst_settings settings = small_settings(3);
        settings.content_weight = i == 0 ? 0 : settings.content_weight;
        settings.content_layers.layers[0].weight = i == 1 ? 0 : 1;
        settings.content_layers.count = i == 2 ? 0 : 1;
        settings.style_weight = i == 3 ? 0 : 1;
        struct job_record record = {0};
        run_small(*state, &settings, NULL, &record);
        check(record.status, &record.error);
        assert_true(isfinite(record.last_loss));
        /* Without style the content itself is nearly the minimum, and the first step leads up from there. */
        assert_true(record.notes == 0 || i == 3);
        assert_in_unit_range(&record.picture);
        record_free(&record);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_small_pictures_are_refused),
        cmocka_unit_test(narrow_styles_at_small_scales),
        cmocka_unit_test(narrow_contents_are_told_the_size_that_works),
        cmocka_unit_test(narrow_styles_are_scaled_less),
        cmocka_unit_test(what_does_not_fit_even_in_tiles_is_refused),
        cmocka_unit_test(overflowing_networks_end_in_an_error),
        cmocka_unit_test(pictures_that_hold_no_numbers_end_in_an_error),
        cmocka_unit_test(exploding_losses_are_caught),
        cmocka_unit_test(settings_out_of_range_are_refused),
        cmocka_unit_test(weights_of_zero_are_fine),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
