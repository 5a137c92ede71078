/* test_memory.c: jobs that do not fit into the memory they may use: they run in tiles, with an optimizer that needs less
 * if need be, and say so; the picture is that of the whole. */
#include "jobs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A job of 560 x 420 pixels, which two cores of 320 or 256 divide in each direction. */
struct large_job {
    nst_network *network;
    nst_picture hills, stripes;
    nst_job_pictures pictures;
    nst_settings settings;
};

static void open_large(struct large_job *large, const char *preset) {
    static const char *const styles[] = {"relu1_1", "relu2_1", "relu3_1"}, *const contents[] = {"relu2_2"};
    nst_error error;
    *large = (struct large_job){.network = random_network(SMALL_NETWORK, 31),
                                .hills = make_hills(120, 90, 3),
                                .stripes = make_stripes(300, 280)};
    large->pictures = (nst_job_pictures){.content = &large->hills, .styles = &large->stripes, .style_count = 1};
    check(nst_settings_init(&large->settings, preset, &error), &error);
    set_layers(&large->settings.style_layers, styles, 3);
    set_layers(&large->settings.content_layers, contents, 1);
    large->settings.size_px = 560;
    large->settings.scale_count = 1;
    large->settings.iterations[0] = 2;
    large->settings.iteration_count = 1;
    large->settings.precision = NST_PRECISION_SINGLE;
}

static void close_large(struct large_job *large) {
    nst_picture_free(&large->hills);
    nst_picture_free(&large->stripes);
    random_network_free(large->network);
}

static nst_status create(nst_context *context, const struct large_job *large, uint64_t memory_bytes, nst_job **job,
                         nst_error *error) {
    nst_settings settings = large->settings;
    settings.memory_bytes = memory_bytes;
    return nst_job_create(context, large->network, &settings, &large->pictures, job, error);
}

static uint64_t bytes_of_whole(nst_context *context, const struct large_job *large) {
    nst_job *job;
    nst_error error;
    check(create(context, large, 0, &job, &error), &error);
    uint64_t bytes = nst_job_memory_bytes(job);
    assert_null(nst_job_memory_note(job));
    nst_job_destroy(job);
    return bytes;
}

/* Less and less memory, until nothing fits: each way to need less is taken on the way, and none takes more than it may. */
static void less_memory_takes_less(void **state) {
    static const char *const ways[] = {"in tiles of up to ", "a history of 10 pairs", "a history of 5 pairs",
                                       "by Adam instead of L-BFGS", "in the host's memory"};
    bool seen[COUNT_OF(ways)] = {false};
    nst_context *context = *state;
    struct large_job large;
    nst_error error = {0};
    open_large(&large, "gram");
    uint64_t limit = bytes_of_whole(context, &large) - 1;
    nst_status status = NST_OK;
    for (; !status && limit > 1000; limit -= limit / 16) {
        nst_job *job;
        status = create(context, &large, limit + context->allocated_bytes, &job, &error);
        if (!status) {
            assert_true(nst_job_memory_bytes(job) <= limit + context->allocated_bytes);
            assert_non_null(nst_job_memory_note(job));
            for (size_t i = 0; i < COUNT_OF(ways); ++i) {
                seen[i] = seen[i] || strstr(nst_job_memory_note(job), ways[i]);
            }
            nst_job_destroy(job);
        }
    }
    assert_int_equal(status, NST_ERROR_MEMORY);
    assert_non_null(strstr(error.message, "even in tiles of 256"));
    assert_non_null(strstr(error.message, "--memory"));
    for (size_t i = 0; i < COUNT_OF(ways); ++i) {
        if (!seen[i]) {
            fail_msg("no job was '%s'", ways[i]);
        }
    }
    close_large(&large);
}

/* Runs in so much memory; the note must have this in it, or be missing for NULL. */
static nst_picture run(nst_context *context, const struct large_job *large, uint64_t memory_bytes, const char *note) {
    nst_job *job;
    nst_error error;
    nst_picture picture = {0};
    check(create(context, large, memory_bytes, &job, &error), &error);
    if (note) {
        assert_non_null(nst_job_memory_note(job));
        assert_non_null(strstr(nst_job_memory_note(job), note));
    } else {
        assert_null(nst_job_memory_note(job));
    }
    check(nst_job_run(job, NULL, NULL, NULL, &error), &error);
    check(nst_job_picture(job, &picture, &error), &error);
    nst_job_destroy(job);
    return picture;
}

/* Where a gradient is nearly zero, rounding decides where Adam goes: so the mean is what is compared. */
static double mean_difference(const nst_picture *a, const nst_picture *b) {
    double sum = 0;
    size_t count = 3 * (size_t)a->width * (size_t)a->height;
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    for (size_t i = 0; i < count; ++i) {
        sum += fabs((double)a->values[i] - b->values[i]);
    }
    return sum / (double)count;
}

/* The most memory with which the note says this. */
static uint64_t memory_for(nst_context *context, const struct large_job *large, const char *words) {
    uint64_t limit = bytes_of_whole(context, large) - 1;
    for (;; limit -= limit / 16) {
        nst_job *job;
        nst_error error;
        check(create(context, large, limit, &job, &error), &error);
        bool says = nst_job_memory_note(job) && strstr(nst_job_memory_note(job), words);
        nst_job_destroy(job);
        if (says) {
            return limit;
        }
    }
}

static void pictures_in_tiles_are_the_same(void **state) {
    static const char *const words[] = {"in tiles", "in the host's memory"};
    nst_context *context = *state;
    struct large_job large;
    open_large(&large, "gram");
    large.settings.optimizer = NST_ADAM;
    nst_picture whole = run(context, &large, 0, NULL);
    for (size_t i = 0; i < COUNT_OF(words); ++i) {
        uint64_t limit = memory_for(context, &large, words[i]);
        nst_picture tiled = run(context, &large, limit, words[i]), again = run(context, &large, limit, words[i]);
        double difference = mean_difference(&whole, &tiled);
        if (!(difference < 1e-4)) {
            fail_msg("%s: the picture differs by %g", words[i], difference);
        }
        assert_true(same_pixels(&tiled, &again));
        nst_picture_free(&tiled);
        nst_picture_free(&again);
    }
    nst_picture_free(&whole);
    close_large(&large);
}

/* Says that it cannot be, in one line. */
static bool is_refused(nst_context *context, const struct large_job *large, uint64_t limit) {
    nst_job *job;
    nst_error error;
    nst_status status = create(context, large, limit, &job, &error);
    nst_job_destroy(job);
    return status == NST_ERROR_MEMORY && strstr(error.message, "it cannot be tiled, and the largest size that fits is");
}

static void every_preset_runs_in_tiles_or_says_that_it_cannot(void **state) {
    nst_context *context = *state;
    nst_preset preset;
    for (int i = 0; nst_preset_at(i, &preset); ++i) {
        struct large_job large;
        open_large(&large, preset.name);
        large.settings.init = NST_INIT_CONTENT;
        large.settings.iterations[0] = 1;
        uint64_t limit = bytes_of_whole(context, &large) - 1;
        if (strcmp(preset.name, "strotss") == 0) {
            assert_true(is_refused(context, &large, limit));
            close_large(&large);
            continue;
        }
        nst_picture whole = run(context, &large, 0, NULL), tiled = run(context, &large, limit, "in tiles");
        double difference = mean_difference(&whole, &tiled);
        if (!(difference < 1e-3)) {
            fail_msg("%s: the picture differs by %g", preset.name, difference);
        }
        nst_picture_free(&whole);
        nst_picture_free(&tiled);
        close_large(&large);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(less_memory_takes_less),
        cmocka_unit_test(pictures_in_tiles_are_the_same),
        cmocka_unit_test(every_preset_runs_in_tiles_or_says_that_it_cannot),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
