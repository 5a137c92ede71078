/* test_default.c: the network that comes with nst (weights/vgg19-reduced.safetensors): its size, its layers, what it
 * computes, that its features are VGG-19's own, and a picture made with it. */
#include "jobs.h"
#include "reference/network.h"

#include "support/file.h"
#include "weights/tools.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

#define PATH     NST_SOURCE_DIR "/weights/" WEIGHTS_DEFAULT_NAME ".safetensors"
#define ORIGINAL NST_SOURCE_DIR "/../shared/weights/vgg19-blocks1-3.safetensors"

enum { WIDTH = 48, HEIGHT = 36, LARGEST_BYTES = 6 << 20 };

/* The layers that recipes use, VGG-19's channels there, and the mean of the features on the picture below. */
static const struct {
    const char *layer;
    int channels;
    double mean;
} taps[] = {{"relu1_1", 64, 30.8557485},     {"relu2_1", 128, 213.522940793}, {"relu3_1", 256, 335.66580509},
            {"relu4_1", 512, 1261.54096859}, {"relu4_2", 512, 869.196266568}, {"relu5_1", 512, 141.56252171}};

static nst_network *open_at(const char *path) {
    nst_network *network;
    nst_error error;
    check(nst_network_open(path, NULL, &network, &error), &error);
    return network;
}

/* The network's features of the hills with stripes over their lower half. */
static void compute_features(const nst_network *network, struct reference_network *reference) {
    nst_picture hills = make_hills(WIDTH, HEIGHT, 3), stripes = make_stripes(WIDTH, HEIGHT);
    const size_t pixels = (size_t)WIDTH * HEIGHT;
    double *image = allocate(3 * pixels, sizeof *image);
    for (size_t i = 0; i < pixels; ++i) {
        const float *pixel = (i < pixels / 2 ? hills : stripes).values + 3 * i;
        for (size_t c = 0; c < 3; ++c) {
            image[c * pixels + i] = 255.0 * (double)pixel[c];
        }
    }
    reference_network_init(reference, network, NST_POOLING_MAX, HEIGHT, WIDTH);
    reference_network_forward(reference, image);
    free(image);
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
}

static size_t elements(const struct reference_map *map) {
    return (size_t)map->channels * (size_t)map->height * (size_t)map->width;
}

static void the_file_is_small_and_tells_its_license(void **state) {
    struct stat status;
    (void)state;
    assert_int_equal(stat(PATH, &status), 0);
    assert_in_range(status.st_size, 1, LARGEST_BYTES);
    nst_network *network = open_at(PATH);
    assert_string_equal(nst_network_name(network), WEIGHTS_DEFAULT_NAME);
    assert_string_equal(network->input.name, "caffe");
    assert_non_null(strstr(network->license, "CC BY 4.0"));
    assert_non_null(strstr(network->origin, "Simonyan"));
    assert_non_null(strstr(network->origin, "changed"));
    for (int block = 1; block < 5; ++block) {
        char name[8];
        snprintf(name, sizeof name, "pool%d", block);
        assert_true(network_find_layer(network, name) > 0);
    }
    nst_network_destroy(network);
}

static void the_taps_compute_what_they_did(void **state) {
    nst_network *network = open_at(PATH);
    struct reference_network reference;
    (void)state;
    compute_features(network, &reference);
    for (size_t i = 0; i < COUNT_OF(taps); ++i) {
        const struct reference_map *map = reference_network_map(&reference, taps[i].layer);
        double sum = 0;
        for (size_t j = 0; j < elements(map); ++j) {
            sum += map->values[j];
        }
        assert_int_equal(map->channels, taps[i].channels);
        assert_close(taps[i].layer, sum / (double)elements(map), taps[i].mean, 1e-5);
    }
    reference_network_free(&reference);
    nst_network_destroy(network);
}

/* As far as the original is there: the first three taps. */
static void the_features_are_those_of_the_original(void **state) {
    (void)state;
    if (!file_exists(ORIGINAL)) {
        skip();
    }
    nst_network *networks[] = {open_at(ORIGINAL), open_at(PATH)};
    struct reference_network references[2];
    for (int i = 0; i < 2; ++i) {
        compute_features(networks[i], &references[i]);
    }
    for (int i = 0; i < 3; ++i) {
        const struct reference_map *wanted = reference_network_map(&references[0], taps[i].layer);
        const struct reference_map *found = reference_network_map(&references[1], taps[i].layer);
        double error = 0, size = 0;
        for (size_t j = 0; j < elements(wanted); ++j) {
            error += pow(found->values[j] - wanted->values[j], 2);
            size += pow(wanted->values[j], 2);
        }
        if (!(error < 0.01 * size)) {
            fail_msg("%s: a relative squared error of %g", taps[i].layer, error / size);
        }
    }
    for (int i = 0; i < 2; ++i) {
        reference_network_free(&references[i]);
        nst_network_destroy(networks[i]);
    }
}

static void the_style_distance_falls_to_a_third(void **state) {
    nst_network *network = open_at(PATH);
    nst_settings settings;
    nst_error error;
    check(nst_settings_init(&settings, NULL, &error), &error);
    settings.size_px = (int)sizes_to_try(96, 48);
    settings.scale_count = settings.iteration_count = 1;
    settings.iterations[0] = (int)sizes_to_try(30, 10);
    settings.content_weight = 0.005; /* the style is what is measured */
    assert_style_distance_falls(*state, network, &settings, (double)sizes_to_try(3, 2));
    nst_network_destroy(network);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_small_and_tells_its_license),
        cmocka_unit_test(the_taps_compute_what_they_did),
        cmocka_unit_test(the_features_are_those_of_the_original),
        cmocka_unit_test(the_style_distance_falls_to_a_third),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
