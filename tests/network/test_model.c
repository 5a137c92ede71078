/* test_model.c: whole models on the device: stages, sizes, what is refused, forward and backward through taps, against
 * the float64 network. The losses are left out here: the gradients at the taps are random. */
#include "fixture.h"
#include "network/model.h"
#include "random_network.h"
#include "reference/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct model *create(nst_context *context, const nst_network *network, const char *const *taps, int tap_count,
                            nst_pooling pooling) {
    struct model_options options = {.taps = taps, .tap_count = tap_count, .pooling = pooling};
    struct model *model = NULL;
    nst_error error;
    check(model_create(context, network, &options, &model, &error), &error);
    return model;
}

/* ---- Stages ---------------------------------------------------------------------------------------------------- */

static void layers_become_stages(void **state) {
    nst_network *network = random_network("c5 r c7 r p c3:nobias c4:k1 r p c2 r", 1);
    const char *const taps[] = {"relu2_2", "relu1_1"};
    struct model *model = create(*state, network, taps, 2, NST_POOLING_MAX);
    assert_int_equal(model_stage_count(model), 5);
    const char *const names[] = {"relu1_1", "relu1_2", "pool1", "conv2_1", "relu2_2"};
    const int channels[] = {5, 7, 7, 3, 4};
    for (int s = 0; s < 5; ++s) {
        assert_int_equal(model_find_stage(model, names[s]), s);
        assert_int_equal(model_channels(model, s), channels[s]);
        assert_int_equal(model_has_relu(model, s), strncmp(names[s], "relu", 4) == 0);
        assert_int_equal(model_forward_step(model, s), s + 1);
        assert_int_equal(model_backward_step(model, s), 10 - s);
    }
    assert_int_equal(model_last_step(model), 11);
    assert_int_equal(model_find_stage(model, "relu3_1"), -1);
    assert_int_equal(model_find_stage(model, "conv1_1"), -1);
    /* At least the filters of both directions. */
    assert_true(model_weight_bytes(model) >= 2 * 4 * (3 * 5 * 9 + 5 * 7 * 9 + 7 * 3 * 9 + 3 * 4));
    model_destroy(model);
    model_destroy(NULL);
    random_network_free(network);
}

static void sizes_follow_the_layers(void **state) {
    nst_network *network = random_network("c5 r p c4:p0 r p c3 r", 1);
    const char *const taps[] = {"relu3_1"};
    struct model *model = create(*state, network, taps, 1, NST_POOLING_AVERAGE);
    struct image_size image = {37, 29};
    const int heights[] = {37, 18, 16, 8, 8}, widths[] = {29, 14, 12, 6, 6};
    for (int s = 0; s < 5; ++s) {
        struct image_size size = model_map_size(model, s, image);
        assert_int_equal(size.height, heights[s]);
        assert_int_equal(size.width, widths[s]);
    }
    /* A multiplication and an addition for each weight at each place, forward and backward. */
    double multiply_adds = 9.0 * (37 * 29 * 3 * 5 + 16 * 12 * 5 * 4 + 8 * 6 * 4 * 3);
    assert_true(fabs(model_gflop(model, image) - 4e-9 * multiply_adds) < 1e-12);
    assert_int_equal(model_smallest_side(model), 8);
    assert_int_equal(model_map_size(model, 4, (struct image_size){8, 7}).width, 0);
    assert_int_equal(model_map_size(model, 4, (struct image_size){8, 8}).width, 1);
    model_destroy(model);
    random_network_free(network);
}

/* A reflection by p pixels shows the pixels 1 .. p: there must be p + 1. */
static void reflection_needs_a_pixel_more_than_it_shows(void **state) {
    static const char *const networks[] = {"c5:reflect r", "c5:p2:reflect r", "c5:k5:reflect r"};
    const int smallest[] = {2, 3, 3};
    const char *const taps[] = {"relu1_1"};
    for (int i = 0; i < 3; ++i) {
        nst_network *network = random_network(networks[i], 1);
        struct model *model = create(*state, network, taps, 1, NST_POOLING_MAX);
        assert_int_equal(model_smallest_side(model), smallest[i]);
        model_destroy(model);
        random_network_free(network);
    }
}

static void unknown_layers_are_refused(void **state) {
    nst_network *network = random_network("c5 r c7 r p c3 r", 1);
    struct model *model;
    nst_error error;
    const char *tap = "relu1_3";
    struct model_options options = {.taps = &tap, .tap_count = 1};
    assert_int_equal(model_create(*state, network, &options, &model, &error), NST_ERROR_NETWORK);
    assert_null(model);
    assert_non_null(strstr(error.message, "no layer 'relu1_3' for a loss, did you mean 'relu1_1'"));
    assert_non_null(strstr(error.message, "relu1_1, relu1_2, relu2_1"));
    tap = "pool1";
    assert_int_equal(model_create(*state, network, &options, &model, &error), NST_ERROR_NETWORK);
    assert_non_null(strstr(error.message, "pool1"));
    tap = "conv1_1";
    assert_int_equal(model_create(*state, network, &options, &model, &error), NST_ERROR_NETWORK);
    options.tap_count = 0;
    assert_int_equal(model_create(*state, network, &options, &model, &error), NST_ERROR_NETWORK);
    random_network_free(network);
}

static void networks_that_do_not_fit_together_are_refused(void **state) {
    nst_network *network = random_network("c5 r c7 r", 1);
    struct model *model;
    nst_error error;
    const char *tap = "relu1_2";
    struct model_options options = {.taps = &tap, .tap_count = 1};
    network->layers[2].in_channels = 4;
    assert_int_equal(model_create(*state, network, &options, &model, &error), NST_ERROR_NETWORK);
    assert_non_null(strstr(error.message, "conv1_2 expects 4 channels, but 5 arrive there"));
    network->layers[2].in_channels = 5;
    enum layer_kind kind = network->layers[0].kind;
    network->layers[0].kind = LAYER_RELU;
    assert_int_equal(model_create(*state, network, &options, &model, &error), NST_ERROR_NETWORK);
    assert_non_null(strstr(error.message, "must follow a convolution"));
    network->layers[0].kind = kind;
    random_network_free(network);
}

static void too_small_pictures_are_refused(void **state) {
    nst_network *network = random_network("c5 r p c5 r p c5 r", 1);
    const char *const taps[] = {"relu3_1"};
    struct model *model = create(*state, network, taps, 1, NST_POOLING_MAX);
    struct plan plan = {0};
    nst_error error;
    struct image_size sizes[] = {{20, 20}, {50, 3}};
    struct model_run *run;
    assert_int_equal(model_reserve(model, &plan, sizes, 2, &run, &error), NST_ERROR_NETWORK);
    assert_null(run);
    assert_non_null(strstr(error.message, "3x50"));
    assert_non_null(strstr(error.message, "at least 4"));
    plan_free(&plan, *state);
    model_destroy(model);
    random_network_free(network);
}

/* Kernels count in int: a map that has more vectors than that is refused, whatever memory there is. */
static void pictures_beyond_counting_are_refused(void **state) {
    nst_network *network = random_network("c16 r", 1);
    const char *const taps[] = {"relu1_1"};
    struct model *model = create(*state, network, taps, 1, NST_POOLING_MAX);
    nst_error error;
    static const int sides[] = {1000, 46400};
    for (int i = 0; i < 2; ++i) {
        struct plan plan = {0};
        struct image_size size = {sides[i], sides[i]};
        struct model_run *run;
        check(model_reserve(model, &plan, &size, 1, &run, &error), &error);
        assert_int_equal(plan.is_uncountable, i == 1);
        if (plan.is_uncountable) {
            check(plan_assign(&plan, &error), &error);
            assert_int_equal(plan_allocate(&plan, *state, &error), NST_ERROR_MEMORY);
            assert_non_null(strstr(error.message, "2^31"));
        }
        model_run_free(run);
        plan_free(&plan, *state);
    }
    model_destroy(model);
    random_network_free(network);
    const nst_context *context = *state;
    struct image_size most = {1, 0x7fffffff - (1 << 16)};
    assert_true(feature_map_is_countable(context, context->channel_block, most));
    most.width += 1;
    assert_false(feature_map_is_countable(context, context->channel_block, most));
}

/* ---- Passes ---------------------------------------------------------------------------------------------------- */

/* A random image away from every kink of the network, by more than the rounding of float. */
static float *find_image(struct reference_network *reference, size_t count, double **doubles) {
    for (uint64_t seed = 200; seed < 400; ++seed) {
        float *image = random_uniform_array(seed, count, 0, 255);
        *doubles = to_doubles(image, count);
        reference_network_forward(reference, *doubles);
        if (reference->margin > 4e-6) {
            return image;
        }
        free(image);
        free(*doubles);
    }
    fail_msg("no image is far enough from every kink");
    return NULL;
}

/* Sets random gradients at the taps, masked as the losses do: in the reference behind the ReLU, which masks. */
static void set_gradient(nst_context *context, cl_mem buffer, const struct reference_map *map, uint64_t seed,
                         bool adds) {
    struct map_size size = {map->channels, map->height, map->width, false};
    float *random = random_array(seed, elements_of(size));
    float *gradient = adds ? download_map(context, buffer, size) : allocate(elements_of(size), sizeof *gradient);
    for (size_t i = 0; i < elements_of(size); ++i) {
        map->gradient[i] += random[i];
        gradient[i] += map->values[i] > 0 ? random[i] : 0;
    }
    cl_mem source = upload_map(context, gradient, size);
    nst_error error;
    check(buffer_copy(context, source, buffer,
                      (size_t)blocks_of_map(context, size) * (size_t)context->channel_block * pixels_of(size) * 4,
                      &error),
          &error);
    check(context_finish(context, &error), &error);
    buffer_release(context, &source);
    free(random);
    free(gradient);
}

struct passes_case {
    const char *network;
    const char *taps[3]; /* from the deepest up */
    struct image_size size;
};

static void check_passes(nst_context *context, const struct passes_case *test, nst_pooling pooling) {
    nst_error error;
    int tap_count = 0;
    while (tap_count < 3 && test->taps[tap_count]) {
        ++tap_count;
    }
    nst_network *network = random_network(test->network, 5);
    size_t count = 3 * (size_t)test->size.height * (size_t)test->size.width;
    struct reference_network reference;
    reference_network_init(&reference, network, pooling, test->size.height, test->size.width);
    double *doubles, *expected = allocate(count, sizeof *expected);
    float *values = find_image(&reference, count, &doubles);

    struct model *model = create(context, network, test->taps, tap_count, pooling);
    struct plan plan = {0};
    struct image_size sizes[] = {{test->size.height + 9, test->size.width}, test->size};
    struct model_run *run;
    check(model_reserve(model, &plan, sizes, 2, &run, &error), &error);
    check(plan_assign(&plan, &error), &error);
    check(plan_allocate(&plan, context, &error), &error);
    cl_mem image = upload(context, values, count * sizeof *values);
    cl_mem image_gradient = create_zero(context, count * sizeof *values);
    check(model_forward(run, image, test->size, &error), &error);
    for (int t = 0; t < tap_count; ++t) {
        const struct reference_map *truth = reference_network_map(&reference, test->taps[t]);
        struct feature_map map = model_feature_map(run, model_find_stage(model, test->taps[t]));
        struct map_size size = {map.channels, map.height, map.width, false};
        assert_int_equal(map.height, truth->height);
        assert_int_equal(map.width, truth->width);
        float *got = download_map(context, map.values, size);
        bool *mask = download_mask(context, map.mask, size);
        assert_near(test->taps[t], got, truth->values, elements_of(size), 2e-5);
        for (size_t i = 0; i < elements_of(size); ++i) {
            assert_int_equal(mask[i], truth->values[i] > 0);
        }
        free(got);
        free(mask);
    }
    reference_network_clear_gradients(&reference);
    check(model_backward_begin(run, &error), &error);
    int from = -1;
    for (int t = 0; t < tap_count; ++t) {
        int stage = model_find_stage(model, test->taps[t]);
        if (t > 0) {
            check(model_backward(run, from, stage, NULL, &error), &error);
        }
        set_gradient(context, model_gradient(run, stage), reference_network_map(&reference, test->taps[t]),
                     (uint64_t)(50 + t), t > 0);
        from = stage;
    }
    check(model_backward(run, from, -1, image_gradient, &error), &error);
    reference_network_backward(&reference, expected);
    float *got = download(context, image_gradient, count * sizeof *got);
    assert_near(test->network, got, expected, count, 1e-4);
    free(got);
    buffer_release(context, &image);
    buffer_release(context, &image_gradient);
    model_run_free(run);
    plan_free(&plan, context);
    model_destroy(model);
    reference_network_free(&reference);
    random_network_free(network);
    free(values);
    free(doubles);
    free(expected);
}

static void passes_agree_with_the_reference(void **state) {
    static const struct passes_case cases[] = {
        {"c5 r", {"relu1_1"}, {1, 1}},
        {"c5:reflect r c7:reflect:nobias r", {"relu1_2"}, {3, 5}},
        {"c5 r c17 r p c3 r", {"relu2_1", "relu1_1"}, {37, 29}},
        {"c5:replicate r c17:replicate r p c3:k1 r p c9:reflect r", {"relu3_1", "relu2_1", "relu1_2"}, {37, 29}},
        {"c5:nobias c6:k1 r p p c9:p0 r", {"relu3_1", "relu1_2"}, {33, 20}},
        {"p c5:p2 r c4:p2:reflect r c3:p2:replicate r", {"relu2_3", "relu2_1"}, {17, 31}},
        {"c32 r c32 r p c40 r", {"relu2_1", "relu1_1"}, {18, 23}},
        {"c5:k5:reflect r c3 p c4 r", {"relu2_1"}, {9, 10}},
    };
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(cases), 1); ++i) {
        check_passes(*state, &cases[i], NST_POOLING_MAX);
        check_passes(*state, &cases[i], NST_POOLING_AVERAGE);
    }
}

static void printing_names_the_stages(void **state) {
    nst_network *network = random_network("c5 r p c3 r", 1);
    const char *const taps[] = {"relu2_1"};
    struct model *model = create(*state, network, taps, 1, NST_POOLING_AVERAGE);
    char text[2048] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");
    assert_non_null(stream);
    model_print(model, stream);
    fclose(stream);
    assert_non_null(strstr(text, "relu1_1"));
    assert_non_null(strstr(text, "pool1"));
    assert_non_null(strstr(text, "average"));
    assert_non_null(strstr(text, "3x3"));
    model_destroy(model);
    random_network_free(network);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_become_stages),
        cmocka_unit_test(sizes_follow_the_layers),
        cmocka_unit_test(reflection_needs_a_pixel_more_than_it_shows),
        cmocka_unit_test(unknown_layers_are_refused),
        cmocka_unit_test(networks_that_do_not_fit_together_are_refused),
        cmocka_unit_test(too_small_pictures_are_refused),
        cmocka_unit_test(pictures_beyond_counting_are_refused),
        cmocka_unit_test(passes_agree_with_the_reference),
        cmocka_unit_test(printing_names_the_stages),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
