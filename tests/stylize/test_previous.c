/* test_previous.c: jobs for frames of a film, in every preset: the result stays near the previous picture where that is
 * reliable, and only there. */
#include "jobs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 48, HEIGHT = 40, ITERATIONS = 8 };

/* One gray left of `from`, another from there on. */
static nst_picture make_halves(double left, double right, int from) {
    nst_picture picture = {WIDTH, HEIGHT, 3, allocate((size_t)3 * WIDTH * HEIGHT, sizeof(float))};
    for (int i = 0; i < 3 * WIDTH * HEIGHT; ++i) {
        picture.values[i] = (float)(i / 3 % WIDTH < from ? left : right);
    }
    return picture;
}

static nst_settings settings_of(const char *preset) {
    nst_error error;
    nst_settings usual = small_settings(ITERATIONS), settings;
    check(nst_settings_init(&settings, preset, &error), &error);
    settings.size_px = WIDTH;
    settings.scale_count = 1;
    settings.iteration_count = 1;
    settings.iterations[0] = ITERATIONS;
    settings.optimizer = NST_ADAM; /* whose steps are long enough in every preset */
    settings.style_layers = usual.style_layers;
    settings.content_layers = settings.content_layers.count ? usual.content_layers : settings.content_layers;
    return settings;
}

/* Mean difference in columns from..to-1. */
static double distance(const nst_picture *a, const nst_picture *b, int from, int to) {
    double sum = 0;
    for (int i = 0; i < 3 * WIDTH * HEIGHT; ++i) {
        int x = i / 3 % WIDTH;
        sum += x >= from && x < to ? fabs((double)a->values[i] - b->values[i]) : 0;
    }
    return sum / (3 * HEIGHT * (to - from));
}

/* How far results are from the previous picture, in the left and in the right half. */
static void run_with_weight(nst_context *context, const nst_settings *settings, const nst_job_pictures *pictures,
                            double distances[2]) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    struct job_record record = {0};
    run_job(context, network, settings, pictures, &record);
    check(record.status, &record.error);
    distances[0] = distance(&record.picture, pictures->previous, 0, WIDTH / 2);
    distances[1] = distance(&record.picture, pictures->previous, WIDTH / 2, WIDTH);
    record_free(&record);
    random_network_free(network);
}

static void stays_near(nst_context *context, const char *preset) {
    nst_picture hills = make_hills(WIDTH, HEIGHT, 3), stripes = make_stripes(WIDTH, HEIGHT);
    nst_picture previous = make_halves(0.6, 0.6, 0), reliable = make_halves(0, 1, WIDTH / 2);
    const nst_job_pictures pictures = {
        .content = &hills, .styles = &stripes, .style_count = 1, .previous = &previous, .reliable = &reliable};
    nst_settings settings = settings_of(preset);
    double without[2], with[2];
    settings.temporal_weight *= 1000;
    run_with_weight(context, &settings, &pictures, with);
    settings.temporal_weight = 0;
    run_with_weight(context, &settings, &pictures, without);
    print_message("%s: %.4f and %.4f, without the loss %.4f and %.4f\n", preset, with[0], with[1], without[0],
                  without[1]);
    /* coefficients of a pyramid move the other half a little too, and Adam's steps are never quite small */
    const double step = 0.002;
    assert_true(with[1] < fmax(0.6 * without[1], step));
    assert_true(with[1] < fmax(0.8 * with[0] / without[0] * without[1], step));
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
    nst_picture_free(&previous);
    nst_picture_free(&reliable);
}

static void results_stay_near_what_is_reliable(void **state) {
    nst_preset preset;
    for (int p = 0; nst_preset_at(p, &preset); ++p) {
        stays_near(*state, preset.name);
    }
}

static void other_proportions_are_refused(void **state) {
    nst_error error;
    nst_job *job;
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hills = make_hills(WIDTH, HEIGHT, 3), narrow = make_hills(WIDTH, HEIGHT / 2, 3);
    nst_settings settings = small_settings(1);
    const nst_job_pictures wrong = {.content = &hills, .styles = &hills, .style_count = 1, .previous = &narrow};
    assert_int_equal(nst_job_create(*state, network, &settings, &wrong, &job, &error), NST_ERROR_ARGUMENT);
    assert_string_equal(error.message, "the previous picture has 48 x 20 pixels, the content 48 x 40: it must have the "
                                       "proportions of the content");
    random_network_free(network);
    nst_picture_free(&hills);
    nst_picture_free(&narrow);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_stay_near_what_is_reliable),
        cmocka_unit_test(other_proportions_are_refused),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
