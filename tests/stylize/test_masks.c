/* test_masks.c: masks of jobs, in every preset: what may not change is the content, to the last bit; each style acts in
 * its own region; masks, several styles, transparency and 16 bits together. */
#include "jobs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 48, HEIGHT = 40 };

/* Black left of `from`, white from `to` on, a slope between. */
static nst_picture make_mask(int width, int height, int from, int to) {
    nst_picture mask = {width, height, 3, allocate(3 * (size_t)width * (size_t)height, sizeof(float))};
    for (int i = 0; i < width * height; ++i) {
        int x = i % width;
        float value = x < from ? 0.0f : x >= to ? 1.0f : (float)(x - from + 1) / (float)(to - from + 1);
        mask.values[3 * i] = mask.values[3 * i + 1] = mask.values[3 * i + 2] = value;
    }
    return mask;
}

static nst_picture negative(const nst_picture *mask) {
    nst_picture result = make_mask(mask->width, mask->height, 0, 0);
    for (int i = 0; i < 3 * mask->width * mask->height; ++i) {
        result.values[i] = 1 - mask->values[i];
    }
    return result;
}

static nst_settings settings_of(const char *preset, int iterations) {
    nst_error error;
    nst_settings usual = small_settings(iterations), settings;
    check(nst_settings_init(&settings, preset, &error), &error);
    settings.size_px = WIDTH;
    settings.scale_count = 1;
    settings.iteration_count = 1;
    settings.iterations[0] = iterations;
    settings.style_layers = usual.style_layers;
    settings.content_layers = settings.content_layers.count ? usual.content_layers : settings.content_layers;
    return settings;
}

static void run(nst_context *context, const nst_settings *settings, const nst_job_pictures *pictures,
                struct job_record *record) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    run_job(context, network, settings, pictures, record);
    check(record->status, &record->error);
    random_network_free(network);
}

/* The largest difference of two pictures in columns from..to-1. */
static double difference(const nst_picture *a, const nst_picture *b, int from, int to) {
    double most = 0;
    for (int i = 0; i < a->width * a->height; ++i) {
        for (int c = 0; c < 3 && i % a->width >= from && i % a->width < to; ++c) {
            most = fmax(most, fabs((double)a->values[a->channels * i + c] - b->values[b->channels * i + c]));
        }
    }
    return most;
}

/* At any place of a table of presets. */
typedef void in_preset(nst_context *context, const char *preset);
static void in_every_preset(nst_context *context, in_preset *act) {
    struct nst_preset preset;
    for (int p = 0; nst_preset_at(p, &preset); ++p) {
        act(context, preset.name);
    }
}

static void protects(nst_context *context, const char *preset) {
    nst_picture hills = make_hills(WIDTH, HEIGHT, 3), stripes = make_stripes(WIDTH, HEIGHT),
                mask = make_mask(WIDTH, HEIGHT, 16, 32);
    for (int random = 0; random < 2; ++random) { /* then the image does not begin as the content */
        struct job_record record = {0};
        nst_settings settings = settings_of(preset, 5);
        settings.init = random ? NST_INIT_RANDOM : NST_INIT_CONTENT;
        const nst_job_pictures pictures = {.content = &hills, .styles = &stripes, .style_count = 1, .mask = &mask};
        run(context, &settings, &pictures, &record);
        assert_true(difference(&record.picture, &hills, 0, 16) == 0);
        assert_true(difference(&record.picture, &hills, 16, 18) < difference(&record.picture, &hills, 30, WIDTH));
        assert_true(difference(&record.picture, &hills, 32, WIDTH) > 0.001);
        assert_in_unit_range(&record.picture);
        record_free(&record);
    }
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
    nst_picture_free(&mask);
}

static void protected_pixels_are_those_of_the_content(void **state) {
    in_every_preset(*state, protects);
}

/* What no style's mask covers may not change either. */
static void keeps_uncovered(nst_context *context, const char *preset) {
    nst_picture hills = make_hills(WIDTH, HEIGHT, 3);
    const nst_picture styles[] = {make_stripes(WIDTH, HEIGHT), make_hills(WIDTH, HEIGHT, 3)};
    nst_picture masks[] = {make_mask(WIDTH, HEIGHT, 20, 20), make_mask(WIDTH, HEIGHT, 30, 30)};
    struct job_record record = {0};
    nst_settings settings = settings_of(preset, 3);
    const nst_job_pictures pictures = {.content = &hills, .styles = styles, .style_count = 2, .style_masks = masks};
    run(context, &settings, &pictures, &record);
    assert_true(difference(&record.picture, &hills, 0, 20) == 0);
    assert_true(difference(&record.picture, &hills, 20, WIDTH) > 0.01);
    record_free(&record);
    for (int i = 0; i < 2; ++i) {
        nst_picture_free((nst_picture *)&styles[i]);
        nst_picture_free(&masks[i]);
    }
    nst_picture_free(&hills);
}

static void uncovered_pixels_are_those_of_the_content(void **state) {
    in_every_preset(*state, keeps_uncovered);
}

/* The gradient at a pixel knows nothing of a style that acts further away than the layers see: here 9 pixels. A step of
 * Adam follows it alone. */
static void another_style_far_away_changes_nothing(void **state) {
    static const char *const presets[] = {"gram", "wasserstein"};
    nst_picture hills = make_hills(WIDTH, HEIGHT, 3), right = make_mask(WIDTH, HEIGHT, 24, 24), left = negative(&right),
                stripes = make_stripes(WIDTH, HEIGHT), others[] = {make_stripes(60, 30), make_hills(30, 40, 3)};
    for (size_t p = 0; p < COUNT_OF(presets); ++p) {
        struct job_record records[2] = {{0}, {0}};
        nst_settings settings = settings_of(presets[p], 1);
        settings.optimizer = NST_ADAM;
        for (int i = 0; i < 2; ++i) {
            const nst_picture styles[] = {stripes, others[i]}, masks[] = {left, right};
            const nst_job_pictures pictures = {
                .content = &hills, .styles = styles, .style_count = 2, .style_masks = masks};
            run(*state, &settings, &pictures, &records[i]);
        }
        assert_true(difference(&records[0].picture, &records[1].picture, 0, 24 - 12) == 0);
        assert_true(difference(&records[0].picture, &records[1].picture, 24, WIDTH) > 1e-3);
        record_free(&records[0]);
        record_free(&records[1]);
    }
    nst_picture_free(&hills);
    nst_picture_free(&left);
    nst_picture_free(&right);
    nst_picture_free(&stripes);
    nst_picture_free(&others[0]);
    nst_picture_free(&others[1]);
}

/* All at once: a mask of another size, masks of styles that overlap, with a blend, transparent content and style, 16
 * bits, the colors of the content. */
static void combines(nst_context *context, const char *preset) {
    nst_picture hills = make_hills(WIDTH, HEIGHT, 4), mask = make_mask(2 * WIDTH, 2 * HEIGHT, 12, 40);
    nst_picture styles[] = {make_stripes(WIDTH, HEIGHT), make_hills(40, 52, 4)},
                masks[] = {make_mask(WIDTH, HEIGHT, 10, 40), make_mask(24, 20, 0, 0)};
    struct job_record record = {0};
    nst_settings settings = settings_of(preset, 3);
    settings.precision = NST_PRECISION_HALF;
    settings.scale_count = 2;
    settings.style_blend_count = 2;
    settings.style_blend[0] = 3;
    settings.style_blend[1] = 1;
    settings.colors = NST_COLORS_CONTENT;
    const nst_job_pictures pictures = {
        .content = &hills, .styles = styles, .style_count = 2, .mask = &mask, .style_masks = masks};
    run(context, &settings, &pictures, &record);
    assert_int_equal(record.picture.channels, 4);
    for (int i = 0; i < WIDTH * HEIGHT; ++i) {
        assert_true(record.picture.values[4 * i + 3] == hills.values[4 * i + 3]);
    }
    assert_true(difference(&record.picture, &hills, 1, 5) == 0); /* the first column is hidden */
    assert_in_unit_range(&record.picture);
    assert_true(isfinite(record.last_loss));
    record_free(&record);
    for (int i = 0; i < 2; ++i) {
        nst_picture_free(&styles[i]);
        nst_picture_free(&masks[i]);
    }
    nst_picture_free(&hills);
    nst_picture_free(&mask);
}

static void masks_transparency_and_blends_go_together(void **state) {
    in_every_preset(*state, combines);
}

static void a_white_mask_is_none(void **state) {
    nst_picture hills = make_hills(WIDTH, HEIGHT, 3), stripes = make_stripes(WIDTH, HEIGHT),
                mask = make_mask(WIDTH, HEIGHT, 0, 0);
    struct job_record records[2] = {{0}, {0}};
    nst_settings settings = settings_of("gram", 3);
    for (int i = 0; i < 2; ++i) {
        const nst_job_pictures pictures = {
            .content = &hills, .styles = &stripes, .style_count = 1, .mask = i ? &mask : NULL};
        run(*state, &settings, &pictures, &records[i]);
    }
    assert_true(same_pixels(&records[0].picture, &records[1].picture));
    record_free(&records[0]);
    record_free(&records[1]);
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
    nst_picture_free(&mask);
}

static void masks_that_do_not_fit_are_refused(void **state) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hills = make_hills(WIDTH, HEIGHT, 3), stripes = make_stripes(WIDTH, HEIGHT);
    nst_picture turned = make_mask(HEIGHT, WIDTH, 3, 9), black = make_mask(WIDTH, HEIGHT, WIDTH, WIDTH);
    nst_settings settings = small_settings(1);
    const nst_job_pictures jobs[] = {
        {.content = &hills, .styles = &stripes, .style_count = 1, .mask = &turned},
        {.content = &hills, .styles = &stripes, .style_count = 1, .mask = &black},
        {.content = &hills, .styles = &stripes, .style_count = 1, .style_masks = &turned},
        {.content = &hills, .styles = &stripes, .style_count = 1, .style_masks = &black},
    };
    static const char *const parts[] = {"the mask has 40 x 48 pixels, the content 48 x 40",
                                        "the mask is black everywhere", "the mask of style number 1 has",
                                        "the mask of style number 1 is black"};
    for (size_t i = 0; i < COUNT_OF(jobs); ++i) {
        nst_error error;
        nst_job *job;
        assert_int_equal(nst_job_create(*state, network, &settings, &jobs[i], &job, &error), NST_ERROR_ARGUMENT);
        assert_null(job);
        assert_non_null(strstr(error.message, parts[i]));
    }
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
    nst_picture_free(&turned);
    nst_picture_free(&black);
    random_network_free(network);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protected_pixels_are_those_of_the_content),
        cmocka_unit_test(uncovered_pixels_are_those_of_the_content),
        cmocka_unit_test(another_style_far_away_changes_nothing),
        cmocka_unit_test(masks_transparency_and_blends_go_together),
        cmocka_unit_test(a_white_mask_is_none),
        cmocka_unit_test(masks_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
