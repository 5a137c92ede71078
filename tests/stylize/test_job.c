/* test_job.c: whole jobs on a small random network: what they reach, what they tell, and every option of the picture.
 */
#include "image/picture.h"
#include "jobs.h"
#include "network/product.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- What is reached ------------------------------------------------------------------------------------------- */

static void check_tenfold(nst_context *context, const nst_settings *settings) {
    struct job_record record = {0};
    run_small(context, settings, NULL, &record);
    check(record.status, &record.error);
    if (!(record.last_style < record.first_style / 10)) {
        fail_msg("the style distance fell from %g to %g only", record.first_style, record.last_style);
    }
    assert_int_equal(record.evaluations, settings->iterations[0]);
    assert_true(record.last.finished && record.notes == 0);
    assert_int_equal(record.picture.width, 48);
    assert_int_equal(record.picture.height, 36);
    assert_int_equal(record.picture.channels, 3);
    assert_in_unit_range(&record.picture);
    record_free(&record);
}

static void lbfgs_reduces_the_style_distance_tenfold(void **state) {
    nst_settings settings = small_settings(40);
    check_tenfold(*state, &settings);
}

static void adam_reduces_the_style_distance_tenfold(void **state) {
    nst_settings settings = small_settings(120);
    settings.optimizer = NST_ADAM;
    check_tenfold(*state, &settings);
}

static void the_peers_objective_too(void **state) {
    nst_settings settings = small_settings(60);
    strcpy(settings.preset, "neural-style");
    settings.content_weight = 5;
    settings.style_weight = 1e5; /* the features of the random network are a hundred times smaller than VGG's */
    settings.tv_weight = 1e-4;
    settings.history = 100;
    static const nst_optimizer optimizers[] = {NST_LBFGS, NST_AUTO};
    for (size_t i = 0; i < COUNT_OF(optimizers); ++i) {
        settings.optimizer = optimizers[i];
        struct job_record record = {0};
        run_small(*state, &settings, NULL, &record);
        check(record.status, &record.error);
        if (!(record.last_loss < record.first_loss / 3)) {
            fail_msg("the loss fell from %g to %g only", record.first_loss, record.last_loss);
        }
        assert_in_unit_range(&record.picture);
        record_free(&record);
    }
}

static void average_pooling_and_no_total_variation(void **state) {
    nst_settings settings = small_settings(40);
    settings.pooling = NST_POOLING_AVERAGE;
    settings.tv_weight = 0;
    check_tenfold(*state, &settings);
}

/* ---- Without iterations --------------------------------------------------------------------------------------- */

/* A content of 16 bits comes back as it was, on the device and from it. */
static void without_iterations_the_content_comes_back(void **state) {
    for (int channels = 3; channels <= 4; ++channels) {
        nst_picture hills = make_hills(48, 36, channels);
        for (size_t i = 0; i < (size_t)48 * 36 * (size_t)channels; ++i) {
            hills.values[i] = (float)(i * 40503u % 65535u + 1) / 65535.0f;
        }
        nst_settings settings = small_settings(0);
        struct job_record record;
        run_small(*state, &settings, &hills, &record);
        check(record.status, &record.error);
        assert_int_equal(record.picture.channels, channels);
        assert_int_equal(record.last.evaluation, 0);
        for (size_t i = 0; i < (size_t)48 * 36 * (size_t)channels; ++i) {
            assert_true(fabs(record.picture.values[i] - hills.values[i]) < 0.4 / 65535);
        }
        record_free(&record);
        nst_picture_free(&hills);
    }
}

/* ---- Scales ---------------------------------------------------------------------------------------------------- */

static void scales_follow_each_other(void **state) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hills = make_hills(60, 45, 3), stripes = make_stripes(64, 64), picture;
    nst_job_pictures pictures = {.content = &hills, .styles = &stripes, .style_count = 1};
    nst_settings settings = small_settings(0);
    settings.scale_count = 3;
    settings.iterations[0] = 4;
    settings.iterations[1] = 3;
    settings.iterations[2] = 2;
    settings.iteration_count = 3;
    nst_job *job;
    nst_error error;
    nst_progress progress = {0};
    check(nst_job_create(*state, network, &settings, &pictures, &job, &error), &error);
    assert_int_equal(nst_job_picture(job, &picture, &error), NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "not begun"));
    const int widths[] = {12, 24, 48}, heights[] = {9, 18, 36};
    int evaluation = 0;
    for (int scale = 0; scale < 3; ++scale) {
        for (int i = 1; i <= settings.iterations[scale]; ++i) {
            check(nst_job_step(job, &progress, &error), &error);
            assert_int_equal(progress.scale, scale);
            assert_int_equal(progress.scale_count, 3);
            assert_int_equal(progress.iteration, i);
            assert_int_equal(progress.iteration_count, settings.iterations[scale]);
            assert_int_equal(progress.evaluation, ++evaluation);
            assert_int_equal(progress.finished, scale == 2 && i == 2);
            check(nst_job_picture(job, &picture, &error), &error);
            assert_int_equal(picture.width, widths[scale]);
            assert_int_equal(picture.height, heights[scale]);
            assert_in_unit_range(&picture);
            nst_picture_free(&picture);
        }
    }
    /* Beyond the end nothing happens any more. */
    check(nst_job_step(job, &progress, &error), &error);
    assert_true(progress.finished && progress.evaluation == evaluation);
    nst_job_destroy(job);
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
    random_network_free(network);
}

/* No iterations: the picture that it begins with, at each scale's size. */
static void scales_without_iterations_change_nothing(void **state) {
    for (int scales = 1; scales <= 2; ++scales) {
        nst_settings settings = small_settings(0);
        settings.scale_count = scales;
        nst_picture content = make_hills(48, 36, 3);
        struct job_record record = {.evaluations = -1};
        run_small(*state, &settings, &content, &record);
        check(record.status, &record.error);
        assert_int_equal(record.last.evaluation, 0);
        assert_true(record.last.finished);
        double worst = 0;
        for (int i = 0; i < 48 * 36 * 3; ++i) {
            worst = fmax(worst, fabs(record.picture.values[i] - content.values[i]));
        }
        assert_true(worst < (scales == 1 ? 1e-6 : 0.05));
        nst_picture_free(&content);
        record_free(&record);
    }
}

/* ---- The same again -------------------------------------------------------------------------------------------- */

/* Leaves memory behind that holds nothing but values that are not numbers: the next buffers may get it. */
static void spoil_memory(nst_context *context) {
    enum { BYTES = 1 << 15, BUFFERS = 64 };
    cl_mem buffers[BUFFERS];
    unsigned char *ones = allocate(1, BYTES);
    memset(ones, 0xff, BYTES);
    for (int i = 0; i < BUFFERS; ++i) {
        buffers[i] = upload(context, ones, BYTES);
    }
    for (int i = 0; i < BUFFERS; ++i) {
        buffer_release(context, &buffers[i]);
    }
    free(ones);
}

static void the_same_command_gives_the_same_bytes(void **state) {
    for (int init = NST_INIT_CONTENT; init <= NST_INIT_RANDOM; ++init) {
        nst_settings settings = small_settings(8);
        settings.size_px = 47; /* the elements of the image are no multiple of anything */
        settings.scale_count = 2;
        settings.init = init;
        settings.seed = 5;
        settings.precision = init == NST_INIT_CONTENT ? NST_PRECISION_HALF : NST_PRECISION_SINGLE;
        struct job_record records[2] = {{0}, {0}};
        for (int i = 0; i < 2; ++i) {
            run_small(*state, &settings, NULL, &records[i]);
            check(records[i].status, &records[i].error);
            assert_true(records[i].last_style < records[i].first_style);
            spoil_memory(*state);
        }
        assert_true(same_pixels(&records[0].picture, &records[1].picture));
        assert_true(records[0].last_loss == records[1].last_loss);
        record_free(&records[0]);
        record_free(&records[1]);
    }
}

static void another_seed_gives_another_picture(void **state) {
    struct job_record records[2] = {{0}, {0}};
    for (int i = 0; i < 2; ++i) {
        nst_settings settings = small_settings(5);
        settings.init = NST_INIT_RANDOM;
        settings.seed = (uint64_t)i;
        run_small(*state, &settings, NULL, &records[i]);
        check(records[i].status, &records[i].error);
        assert_in_unit_range(&records[i].picture);
    }
    assert_false(same_pixels(&records[0].picture, &records[1].picture));
    record_free(&records[0]);
    record_free(&records[1]);
}

/* ---- Cancel ---------------------------------------------------------------------------------------------------- */

static void canceling_keeps_the_picture_as_it_is(void **state) {
    nst_settings settings = small_settings(50);
    struct job_record canceled = {.cancel_after = 3}, short_run = {0};
    run_small(*state, &settings, NULL, &canceled);
    assert_int_equal(canceled.status, NST_CANCELED);
    assert_non_null(strstr(canceled.error.message, "3 evaluations"));
    assert_int_equal(canceled.evaluations, 3);
    settings.iterations[0] = 3;
    run_small(*state, &settings, NULL, &short_run);
    check(short_run.status, &short_run.error);
    assert_true(same_pixels(&canceled.picture, &short_run.picture));
    record_free(&canceled);
    record_free(&short_run);
    /* In the last evaluation it comes too late. */
    struct job_record late = {.cancel_after = 3};
    run_small(*state, &settings, NULL, &late);
    check(late.status, &late.error);
    record_free(&late);
}

/* ---- Pictures -------------------------------------------------------------------------------------------------- */

static void alpha_of_the_content_is_kept(void **state) {
    nst_settings settings = small_settings(3);
    nst_picture content = make_hills(48, 36, 4);
    struct job_record record = {0};
    run_small(*state, &settings, &content, &record);
    check(record.status, &record.error);
    assert_int_equal(record.picture.channels, 4);
    for (int i = 0; i < 48 * 36; ++i) {
        assert_true(fabsf(record.picture.values[4 * i + 3] - content.values[4 * i + 3]) < 1e-5f);
    }
    assert_in_unit_range(&record.picture);
    nst_picture_free(&content);
    record_free(&record);
}

static void chroma(const float *rgb, double *blue, double *red) {
    double luma = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
    *blue = rgb[2] - luma;
    *red = rgb[0] - luma;
}

static void original_colors_keep_the_chroma(void **state) {
    nst_settings settings = small_settings(10);
    settings.original_colors = true;
    nst_picture content = make_hills(48, 36, 3);
    struct job_record record = {0};
    run_small(*state, &settings, &content, &record);
    check(record.status, &record.error);
    int compared = 0, luma_changed = 0;
    for (int i = 0; i < 48 * 36; ++i) {
        const float *got = record.picture.values + 3 * i, *wanted = content.values + 3 * i;
        bool clamped = false;
        for (int c = 0; c < 3; ++c) {
            clamped = clamped || got[c] <= 0 || got[c] >= 1;
        }
        double blue, red, wanted_blue, wanted_red;
        chroma(got, &blue, &red);
        chroma(wanted, &wanted_blue, &wanted_red);
        if (!clamped) {
            ++compared;
            assert_true(fabs(blue - wanted_blue) < 1e-4 && fabs(red - wanted_red) < 1e-4);
        }
        luma_changed += fabs((double)got[1] - wanted[1]) > 0.02;
    }
    assert_true(compared > 48 * 36 / 4 && luma_changed > 48 * 36 / 4);
    nst_picture_free(&content);
    record_free(&record);
}

static void it_can_begin_with_a_picture(void **state) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hills = make_hills(48, 36, 3), stripes = make_stripes(96, 72), fitted = {0};
    nst_job_pictures pictures = {.content = &hills, .styles = &stripes, .style_count = 1, .init = &stripes};
    nst_settings settings = small_settings(0);
    settings.init = NST_INIT_PICTURE;
    struct job_record record = {.evaluations = -1};
    nst_error error;
    run_job(*state, network, &settings, &pictures, &record);
    check(record.status, &record.error);
    check(picture_resize(&stripes, 48, 36, RESIZE_LANCZOS3, &fitted, &error), &error);
    for (int i = 0; i < 48 * 36 * 3; ++i) {
        assert_true(fabsf(record.picture.values[i] - fitted.values[i]) < 1e-5f);
    }
    record_free(&record);
    pictures.init = NULL;
    run_job(*state, network, &settings, &pictures, &record);
    assert_int_equal(record.status, NST_ERROR_ARGUMENT);
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
    nst_picture_free(&fitted);
    random_network_free(network);
}

/* A blend of one part stripes and none of the other is the style of the stripes alone. */
static void styles_are_blended_by_their_shares(void **state) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hills = make_hills(60, 45, 3), styles[2] = {make_stripes(64, 64), make_hills(50, 70, 3)};
    nst_job_pictures pictures = {.content = &hills, .styles = styles, .style_count = 2};
    nst_settings settings = small_settings(1);
    static const double blends[3][2] = {{1, 0}, {3, 1}, {0, 2}};
    double losses[4];
    for (int i = 0; i < 4; ++i) {
        pictures.style_count = i < 3 ? 2 : 1;
        settings.style_blend_count = i < 3 ? 2 : 0;
        memcpy(settings.style_blend, blends[i % 3], sizeof blends[0]);
        struct job_record record = {0};
        run_job(*state, network, &settings, &pictures, &record);
        check(record.status, &record.error);
        losses[i] = record.first_style;
        record_free(&record);
    }
    assert_close("style loss", losses[0], losses[3], 1e-6);
    assert_true(fabs(losses[1] - losses[0]) > 1e-3 * losses[0] && fabs(losses[2] - losses[1]) > 1e-3 * losses[1]);
    nst_picture_free(&hills);
    nst_picture_free(&styles[0]);
    nst_picture_free(&styles[1]);
    random_network_free(network);
}

static void the_plan_can_be_printed(void **state) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hills = make_hills(60, 45, 3), stripes = make_stripes(64, 64);
    nst_job_pictures pictures = {.content = &hills, .styles = &stripes, .style_count = 1};
    nst_settings settings = small_settings(1);
    nst_job *job;
    nst_error error;
    static char text[32768];
    check(nst_job_create(*state, network, &settings, &pictures, &job, &error), &error);
    FILE *stream = fmemopen(text, sizeof text - 1, "w");
    assert_non_null(stream);
    nst_job_print_plan(job, stream);
    fclose(stream);
    assert_non_null(strstr(text, "relu3_1"));
    assert_non_null(strstr(text, "gradient of the image"));
    assert_non_null(strstr(text, "together"));
    assert_non_null(strstr(text, "weights"));
    nst_job_destroy(job);
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
    random_network_free(network);
}

/* The loss of the first iteration, with or without printing the plan before. */
static double first_loss(nst_context *context, const nst_network *network, bool prints) {
    nst_picture hills = make_hills(120, 90, 3), stripes = make_stripes(96, 96);
    nst_job_pictures pictures = {.content = &hills, .styles = &stripes, .style_count = 1};
    nst_settings settings = small_settings(1);
    static const char *const layers[] = {"relu1_1"};
    set_layers(&settings.style_layers, layers, 1);
    set_layers(&settings.content_layers, layers, 1);
    settings.size_px = 96;
    nst_job *job;
    nst_error error;
    nst_progress progress;
    static char text[32768];
    check(nst_job_create(context, network, &settings, &pictures, &job, &error), &error);
    if (prints) {
        FILE *stream = fmemopen(text, sizeof text - 1, "w");
        assert_non_null(stream);
        nst_job_print_plan(job, stream);
        fclose(stream);
    }
    check(nst_job_step(job, &progress, &error), &error);
    nst_job_destroy(job);
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
    return progress.loss;
}

/* Also where the plan for another size, which is looked at for that, has other entries: CLBlast's product needs
 * temporary memory from some number of pixels on. */
static void a_printed_plan_changes_nothing(void **state) {
    nst_context *context = *state;
    nst_network *network = random_network("c128 r", 31);
    struct tuning_table before = context->tuning;
    struct tuning_row row = {.choice = "clblast"};
    struct product_shape gram = {.kind = PRODUCT_GRAM, .rows = 128};
    product_key(context, &gram, row.key, sizeof row.key);
    context->tuning = (struct tuning_table){0};
    assert_int_equal(tuning_set(&context->tuning, &row, NULL), NST_OK);
    double expected = first_loss(context, network, false);
    assert_true(isfinite(expected));
    assert_close("loss", first_loss(context, network, true), expected, 0);
    tuning_free(&context->tuning);
    context->tuning = before;
    random_network_free(network);
}

int main(void) {
    nst_job_destroy(NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lbfgs_reduces_the_style_distance_tenfold),
        cmocka_unit_test(adam_reduces_the_style_distance_tenfold),
        cmocka_unit_test(the_peers_objective_too),
        cmocka_unit_test(average_pooling_and_no_total_variation),
        cmocka_unit_test(without_iterations_the_content_comes_back),
        cmocka_unit_test(scales_follow_each_other),
        cmocka_unit_test(scales_without_iterations_change_nothing),
        cmocka_unit_test(the_same_command_gives_the_same_bytes),
        cmocka_unit_test(another_seed_gives_another_picture),
        cmocka_unit_test(canceling_keeps_the_picture_as_it_is),
        cmocka_unit_test(alpha_of_the_content_is_kept),
        cmocka_unit_test(original_colors_keep_the_chroma),
        cmocka_unit_test(it_can_begin_with_a_picture),
        cmocka_unit_test(styles_are_blended_by_their_shares),
        cmocka_unit_test(the_plan_can_be_printed),
        cmocka_unit_test(a_printed_plan_changes_nothing),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
