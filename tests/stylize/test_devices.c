/* test_devices.c: jobs that several devices work on: the picture is that of one device, in every preset that can be dealt
 * out and with what else a job can have; the same dealing makes the same picture again; checkpoints; and dealings as
 * text. */
#include "jobs.h"
#include "stylize/deal_steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The test's device, and its halves; where it has no parts, itself twice. */
static nst_context *whole, *halves[2];

static int open_devices(void **state) {
    char spec[32];
    if (fixture_open(state)) {
        return -1;
    }
    whole = *state;
    halves[0] = open_half(1, spec);
    halves[1] = open_half(2, spec);
    return 0;
}

static int close_devices(void **state) {
    nst_context_destroy(halves[0]);
    nst_context_destroy(halves[1]);
    return fixture_close(state);
}

/* A job of 96 rows, which are two bands. */
struct small_job {
    nst_network *network;
    nst_picture content, style, mask;
    nst_job_pictures pictures;
    nst_settings settings;
};

static void open_small(struct small_job *small, const char *preset, int iterations) {
    static const char *const styles[] = {"relu1_1", "relu2_1"}, *const contents[] = {"relu2_2"};
    nst_error error;
    *small = (struct small_job){.network = random_network("c8 r c8 r p c12 r c12 r", 31),
                                .content = make_hills(50, 96, 4),
                                .style = make_stripes(64, 64),
                                .mask = make_hills(25, 48, 3)};
    check(nst_settings_init(&small->settings, preset, &error), &error);
    set_layers(&small->settings.style_layers, styles, 2);
    set_layers(&small->settings.content_layers, contents, 1);
    small->settings.size_px = 96;
    small->settings.scale_count = 1;
    small->settings.iteration_count = 1;
    small->settings.iterations[0] = iterations;
    small->settings.precision = NST_PRECISION_SINGLE;
    small->pictures = (nst_job_pictures){.content = &small->content, .styles = &small->style, .style_count = 1};
}

static void close_small(struct small_job *small) {
    nst_picture_free(&small->content);
    nst_picture_free(&small->style);
    nst_picture_free(&small->mask);
    random_network_free(small->network);
}

static nst_job *create(const struct small_job *small, const char *deal) {
    nst_job *job;
    nst_error error;
    const nst_devices devices = {.contexts = halves, .count = 2, .deal = deal};
    check(nst_job_create_on(&devices, small->network, &small->settings, &small->pictures, &job, &error), &error);
    return job;
}

/* Runs it to the end; `deal` says how it was dealt out. */
static nst_picture finish(nst_job *job, char deal[200]) {
    nst_error error;
    nst_picture picture;
    check(nst_job_run(job, NULL, NULL, NULL, &error), &error);
    check(nst_job_picture(job, &picture, &error), &error);
    const char *told = nst_job_deal(job);
    snprintf(deal, 200, "%s", told ? told : "");
    nst_job_destroy(job);
    return picture;
}

static nst_picture finish_alone(const struct small_job *small) {
    nst_job *job;
    nst_error error;
    char deal[200];
    check(nst_job_create(whole, small->network, &small->settings, &small->pictures, &job, &error), &error);
    nst_picture picture = finish(job, deal);
    assert_string_equal(deal, "");
    return picture;
}

static double greatest_difference(const nst_picture *a, const nst_picture *b) {
    double greatest = 0;
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->channels, b->channels);
    for (size_t i = 0; i < (size_t)a->width * (size_t)a->height * (size_t)a->channels; ++i) {
        greatest = fmax(greatest, fabs(a->values[i] - b->values[i]));
    }
    return greatest;
}

/* Two iterations make of the rounding of gradients what a picture shows of it. */
static void check_job(const struct small_job *small, const char *what, double bound) {
    char deal[200];
    nst_picture alone = finish_alone(small), together = finish(create(small, "1,1"), deal);
    double difference = greatest_difference(&alone, &together);
    assert_string_equal(deal, small->settings.scale_count > 1 ? "1,0/3:1,1" : "1,1"); /* 48 rows are one band */
    if (!(difference < bound)) {
        fail_msg("%s: the pictures differ by %g", what, difference);
    }
    nst_picture_free(&alone);
    nst_picture_free(&together);
}

static void the_picture_is_that_of_one_device(void **state) {
    (void)state;
    static const char *const presets[] = {"gram", "neural-style", "wasserstein"};
    for (size_t i = 0; i < COUNT_OF(presets); ++i) {
        struct small_job small;
        open_small(&small, presets[i], 2);
        check_job(&small, presets[i], 2e-4);
        close_small(&small);
    }
    struct small_job small;
    open_small(&small, "gram", 2);
    small.settings.scale_count = 2;
    check_job(&small, "two scales", 2e-4);
    small.settings.scale_count = 1;
    small.settings.optimizer = NST_LBFGS;
    small.settings.colors = NST_COLORS_LUMINANCE;
    check_job(&small, "L-BFGS", 2e-4);
    small.pictures.mask = &small.mask;
    check_job(&small, "a mask", 2e-4);
    small.pictures.previous = &small.content;
    small.settings.temporal_weight = 10;
    check_job(&small, "a picture before", 2e-4);
    small.settings.precision = NST_PRECISION_HALF;
    check_job(&small, "half precision", 5e-2);
    close_small(&small);
}

static void the_same_dealing_makes_the_same_picture(void **state) {
    (void)state;
    struct small_job small;
    char deal[200], again[200];
    open_small(&small, "gram", 6);
    nst_picture measured = finish(create(&small, NULL), deal), given = finish(create(&small, deal), again);
    assert_true(deal[0]);
    assert_string_equal(again, deal);
    assert_true(same_pixels(&measured, &given));
    nst_picture_free(&given);
    given = finish(create(&small, "2,0/3:1,1/5:0,9"), deal);
    assert_string_equal(deal, "2,0/3:1,1/5:0,2");
    assert_true(greatest_difference(&measured, &given) < 2e-3);
    nst_picture_free(&measured);
    nst_picture_free(&given);
    close_small(&small);
}

static void a_checkpoint_goes_on_with_its_dealing(void **state) {
    (void)state;
    static const char file[] = "devices.checkpoint", steps[] = "1,1/3:2,0/6:0,2";
    struct small_job small;
    char deal[200];
    nst_error error;
    nst_note note;
    nst_progress progress;
    nst_checkpoint *checkpoint;
    open_small(&small, "gram", 7);
    nst_picture expected = finish(create(&small, steps), deal);
    nst_job *job = create(&small, steps);
    for (int i = 0; i < 4; ++i) {
        check(nst_job_step(job, &progress, &error), &error);
    }
    check(nst_job_save(job, file, &(nst_checkpoint_format){0}, &error), &error);
    nst_job_destroy(job);
    job = create(&small, steps);
    check(nst_checkpoint_open(file, &checkpoint, &note, &error), &error);
    check(nst_job_resume(job, checkpoint, false, &note, &error), &error);
    nst_checkpoint_close(checkpoint);
    nst_picture got = finish(job, deal);
    assert_string_equal(deal, steps);
    assert_true(same_pixels(&got, &expected));
    unlink(file);
    nst_picture_free(&got);
    nst_picture_free(&expected);
    close_small(&small);
}

static void a_job_is_renewed_on_its_devices(void **state) {
    (void)state;
    struct small_job small;
    char deal[200];
    nst_error error;
    open_small(&small, "gram", 2);
    nst_picture expected = finish(create(&small, "1,1"), deal);
    nst_job *job = create(&small, "1,1");
    check(nst_job_renew(&job, small.network, &small.pictures, &error), &error);
    nst_picture got = finish(job, deal);
    assert_string_equal(deal, "1,1");
    assert_true(same_pixels(&got, &expected));
    nst_picture_free(&got);
    nst_picture_free(&expected);
    close_small(&small);
}

static void less_memory_means_smaller_tiles(void **state) {
    (void)state;
    struct small_job small;
    char deal[200];
    nst_error error;
    open_small(&small, "gram", 1);
    small.settings.size_px = 600;
    nst_job *job = create(&small, NULL);
    small.settings.memory_bytes = nst_job_memory_bytes(job) * 3 / 4;
    nst_job_destroy(job);
    job = create(&small, "1,1");
    assert_non_null(nst_job_memory_note(job));
    nst_picture picture = finish(job, deal);
    assert_string_equal(deal, "5,5");
    nst_picture_free(&picture);
    small.settings.memory_bytes = 1000;
    const nst_devices devices = {.contexts = halves, .count = 2};
    assert_int_equal(nst_job_create_on(&devices, small.network, &small.settings, &small.pictures, &job, &error),
                     NST_ERROR_MEMORY);
    close_small(&small);
}

static void what_cannot_be_dealt_out_is_refused(void **state) {
    (void)state;
    struct small_job small;
    nst_error error;
    nst_job *job;
    nst_devices devices = {.contexts = halves, .count = 2};
    open_small(&small, "neighbors", 1);
    assert_int_equal(nst_job_create_on(&devices, small.network, &small.settings, &small.pictures, &job, &error),
                     NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "neighbors"));
    devices = (nst_devices){.contexts = halves, .count = 1, .deal = "1"};
    assert_int_equal(nst_job_create_on(&devices, small.network, &small.settings, &small.pictures, &job, &error),
                     NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "several devices"));
    close_small(&small);
}

static void dealings_are_text(void **state) {
    (void)state;
    static const char *const right[] = {"3,1", "0,7", "8,8/41:9,7", "1,0/2:0,1/1000000:1000000,1000000"};
    static const char *const wrong[] = {
        "",     "3",    "3,",    "3,1,",      "3,1,1",     "0,0",        "-1,2",
        "3;1",  "1,1/", "1,1/2", "1,1/2:",    "1,1/2:3",   "1,1/1:2,2",  "1,1/3:2,2/3:1,1",
        "1,1 ", "a,b",  "1.5,1", "1000001,1", "1,1/2:0,0", "1,1/2:1,1x", "99999999999999999999,1"};
    for (size_t i = 0; i < COUNT_OF(right); ++i) {
        struct deal_steps steps;
        nst_error error;
        check(deal_steps_read(right[i], 2, &steps, &error), &error);
        char *text = deal_steps_text(&steps);
        assert_string_equal(text, right[i]);
        free(text);
        deal_steps_free(&steps);
    }
    for (size_t i = 0; i < COUNT_OF(wrong); ++i) {
        struct deal_steps steps;
        nst_error error;
        if (deal_steps_read(wrong[i], 2, &steps, &error) != NST_ERROR_ARGUMENT) {
            fail_msg("'%s' is taken for a dealing", wrong[i]);
        }
        assert_non_null(strstr(error.message, "2 devices"));
        deal_steps_free(&steps);
    }
    struct deal_steps steps = {.device_count = 2};
    nst_error error;
    check(deal_steps_add(&steps, 5, (const int[]){1, 2}, &error), &error);
    check(deal_steps_add(&steps, 6, (const int[]){1, 2}, &error), &error);
    check(deal_steps_add(&steps, 7, (const int[]){2, 1}, &error), &error);
    assert_int_equal(steps.count, 2); /* and the first is from the beginning on */
    assert_int_equal(deal_steps_at(&steps, 1)[1], 2);
    assert_int_equal(deal_steps_at(&steps, 6)[1], 2);
    assert_int_equal(deal_steps_at(&steps, 7)[1], 1);
    deal_steps_free(&steps);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_picture_is_that_of_one_device),
        cmocka_unit_test(the_same_dealing_makes_the_same_picture),
        cmocka_unit_test(a_checkpoint_goes_on_with_its_dealing),
        cmocka_unit_test(a_job_is_renewed_on_its_devices),
        cmocka_unit_test(less_memory_means_smaller_tiles),
        cmocka_unit_test(what_cannot_be_dealt_out_is_refused),
        cmocka_unit_test(dealings_are_text),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
