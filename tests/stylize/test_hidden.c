/* test_hidden.c: what cannot be seen of a picture changes nothing, in any preset: colors under full transparency, of
 * content, style and the picture to begin with; of pictures that are judged. */
#include "jobs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Stripes whose left half is hidden, with some color under it. */
static nst_picture half_hidden(int width, int height, float red, float green) {
    nst_picture stripes = make_stripes(width, height);
    nst_picture picture = {width, height, 4, allocate(4 * (size_t)width * (size_t)height, sizeof(float))};
    for (int i = 0; i < width * height; ++i) {
        bool is_hidden = i % width < width / 2;
        const float hidden[3] = {red, green, red};
        for (int c = 0; c < 3; ++c) {
            picture.values[4 * i + c] = is_hidden ? hidden[c] : stripes.values[3 * i + c];
        }
        picture.values[4 * i + 3] = is_hidden ? 0 : 1;
    }
    nst_picture_free(&stripes);
    return picture;
}

/* Which of the pictures of a job has hidden parts. */
enum hiding { CONTENT, STYLE, INIT, HIDING_COUNT };

static void run_hiding(nst_context *context, const char *preset, enum hiding which, bool magenta, int size_px,
                       struct job_record *record) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hidden = half_hidden(48, 40, magenta ? 1.0f : 0.0f, magenta ? 0.0f : 1.0f);
    nst_picture hills = make_hills(48, 40, 3), stripes = make_stripes(48, 40);
    nst_settings usual = small_settings(4), settings;
    check(nst_settings_init(&settings, preset, &record->error), &record->error);
    settings.size_px = size_px;
    settings.scale_count = 1;
    settings.iteration_count = 1;
    settings.iterations[0] = 4;
    settings.style_layers = usual.style_layers;
    settings.content_layers = settings.content_layers.count ? usual.content_layers : settings.content_layers;
    settings.init = which == INIT ? NST_INIT_PICTURE : NST_INIT_CONTENT;
    nst_job_pictures pictures = {.content = which == CONTENT ? &hidden : &hills,
                                 .styles = which == STYLE ? &hidden : &stripes,
                                 .style_count = 1,
                                 .init = which == INIT ? &hidden : NULL};
    run_job(context, network, &settings, &pictures, record);
    check(record->status, &record->error);
    nst_picture_free(&hidden);
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
    random_network_free(network);
}

static void hidden_colors_change_nothing(void **state) {
    /* At the picture's own size, and resized. */
    static const int sizes_px[] = {48, 40};
    struct nst_preset preset;
    for (int p = 0; nst_preset_at(p, &preset); ++p) {
        for (int i = 0; i < HIDING_COUNT * 2; ++i) {
            struct job_record records[2] = {{0}, {0}};
            for (int magenta = 0; magenta < 2; ++magenta) {
                run_hiding(*state, preset.name, (enum hiding)(i / 2), magenta, sizes_px[i % 2], &records[magenta]);
            }
            assert_true(same_pixels(&records[0].picture, &records[1].picture));
            record_free(&records[0]);
            record_free(&records[1]);
        }
    }
}

static void pictures_that_cannot_be_seen_are_refused(void **state) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hidden = half_hidden(40, 40, 1, 0), hills = make_hills(40, 40, 3);
    for (int i = 0; i < 40 * 40; ++i) {
        hidden.values[4 * i + 3] = 0;
    }
    nst_settings settings = small_settings(1);
    const nst_picture styles[] = {hills, hidden};
    const nst_job_pictures jobs[] = {{.content = &hidden, .styles = &hills, .style_count = 1},
                                     {.content = &hills, .styles = &hidden, .style_count = 1},
                                     {.content = &hills, .styles = styles, .style_count = 2}};
    static const char *const names[] = {"the content picture", "the style picture", "the style number 2 picture"};
    for (size_t i = 0; i < COUNT_OF(jobs); ++i) {
        nst_error error;
        nst_job *job;
        assert_int_equal(nst_job_create(*state, network, &settings, &jobs[i], &job, &error), NST_ERROR_ARGUMENT);
        assert_null(job);
        assert_non_null(strstr(error.message, names[i]));
    }
    nst_picture_free(&hidden);
    nst_picture_free(&hills);
    random_network_free(network);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hidden_colors_change_nothing),
        cmocka_unit_test(pictures_that_cannot_be_seen_are_refused),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
