/* test_judge.c: the distances of a picture from content and style (stylize/judge.c) against the float64 network, and
 * where they must be nothing. */
#include "jobs.h"
#include "reference/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As the reference wants it: planes of 0..255. */
static struct reference_picture to_reference(const nst_picture *picture) {
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    struct reference_picture reference = {picture->height, picture->width, allocate(3 * pixels, sizeof(double))};
    for (size_t i = 0; i < pixels; ++i) {
        for (size_t c = 0; c < 3; ++c) {
            reference.image[c * pixels + i] = 255.0 * picture->values[i * (size_t)picture->channels + c];
        }
    }
    return reference;
}

/* Settings whose weights must not count. */
static nst_settings odd_settings(void) {
    nst_settings settings = small_settings(1);
    strcpy(settings.preset, "neural-style");
    settings.content_weight = 7;
    settings.style_weight = 0;
    settings.style_scale = 2; /* beyond the styles' sizes, at which they are taken */
    settings.content_layers.layers[0].weight = 5;
    settings.style_layers.layers[0].weight = 7;
    settings.style_layers.layers[1].weight = 30;
    settings.style_layers.layers[2].weight = 0.1;
    return settings;
}

static void check_distances(nst_context *context, nst_picture style) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_settings settings = odd_settings(), plain = small_settings(1);
    plain.content_weight = plain.style_weight = 1;
    plain.tv_weight = 0;
    nst_picture content = make_hills(41, 30, 3), picture = make_stripes(41, 30);
    struct reference_picture references[] = {to_reference(&content), to_reference(&style), to_reference(&picture)};
    struct reference_objective reference;
    const double share = 1;
    double losses[2 * NST_MAX_LAYERS + 1];
    reference_objective_init(&reference, network, &plain, &references[0], &references[1], &share, 1);
    reference_objective_evaluate(&reference, references[2].image, losses, NULL);

    nst_judgment judgment;
    nst_error error;
    check(nst_judge(context, network, &settings, &(nst_judge_pictures){&picture, &content, &style}, &judgment, &error),
          &error);
    assert_int_equal(judgment.width, 41);
    assert_int_equal(judgment.height, 30);
    assert_int_equal(judgment.content_count, 1);
    assert_int_equal(judgment.style_count, 3);
    assert_string_equal(judgment.content_layers[0].name, "relu2_2");
    assert_close("content", judgment.content, losses[0], 5e-5);
    assert_close("relu2_2", judgment.content_layers[0].distance, losses[0], 5e-5);
    double sum = 0;
    for (int i = 0; i < 3; ++i) { /* the reference divides each by the number of layers */
        assert_string_equal(judgment.style_layers[i].name, settings.style_layers.layers[i].name);
        assert_close(judgment.style_layers[i].name, judgment.style_layers[i].distance, 3 * losses[1 + i], 5e-5);
        sum += losses[1 + i];
    }
    assert_close("style", judgment.style, sum, 5e-5);
    sum = 0;
    for (int i = 0; i < 3; ++i) {
        assert_string_equal(judgment.wasserstein_layers[i].name, settings.style_layers.layers[i].name);
        assert_true(judgment.wasserstein_layers[i].distance > 0 && judgment.wasserstein_layers[i].distance < 10);
        sum += judgment.wasserstein_layers[i].distance / 3;
    }
    assert_close("wasserstein", judgment.wasserstein, sum, 1e-12);

    reference_objective_free(&reference);
    for (int i = 0; i < 3; ++i) {
        free(references[i].image);
    }
    nst_picture_free(&content);
    nst_picture_free(&style);
    nst_picture_free(&picture);
    random_network_free(network);
}

/* Styles smaller and larger than the picture, which share its buffers. */
static void distances_agree_with_the_reference(void **state) {
    check_distances(*state, make_stripes(33, 37));
    check_distances(*state, make_stripes(21, 17));
    check_distances(*state, make_stripes(73, 67));
}

/* A picture is no way from itself, also where the content must be resized to it, and where only parts can
 * be seen. */
static void nothing_is_far_from_itself(void **state) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_settings settings = small_settings(1);
    nst_picture picture = make_hills(48, 36, 4), large = make_hills(96, 72, 4);
    nst_judgment judgment;
    nst_error error;
    check(nst_judge(*state, network, &settings, &(nst_judge_pictures){&picture, &picture, &picture}, &judgment, &error),
          &error);
    assert_true(judgment.content >= 0 && judgment.content < 1e-9);
    assert_true(judgment.style >= 0 && judgment.style < 1e-9);
    check(nst_judge(*state, network, &settings, &(nst_judge_pictures){&picture, &large, &large}, &judgment, &error),
          &error);
    assert_int_equal(judgment.width, 48);
    assert_true(judgment.content < 0.01);
    assert_true(judgment.style < 0.01);
    nst_picture_free(&picture);
    nst_picture_free(&large);
    random_network_free(network);
}

static void what_cannot_be_judged(void **state) {
    nst_context *context = *state;
    uint64_t before = context->allocated_bytes;
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_settings settings = small_settings(1), without = settings, unknown = settings;
    nst_picture picture = make_hills(48, 36, 3), tiny = make_hills(3, 3, 3);
    nst_judgment judgment;
    nst_error error;
    without.content_layers.count = 0;
    assert_int_equal(
        nst_judge(context, network, &without, &(nst_judge_pictures){&picture, &picture, &picture}, &judgment, &error),
        NST_ERROR_ARGUMENT);
    const double scales[] = {NAN, 0, -1, 1e9};
    for (size_t i = 0; i < COUNT_OF(scales); ++i) {
        nst_settings bad = settings;
        bad.style_scale = scales[i];
        assert_int_equal(
            nst_judge(context, network, &bad, &(nst_judge_pictures){&picture, &picture, &picture}, &judgment, &error),
            NST_ERROR_ARGUMENT);
    }
    nst_settings bad = settings;
    bad.pooling = (nst_pooling)2;
    assert_int_equal(
        nst_judge(context, network, &bad, &(nst_judge_pictures){&picture, &picture, &picture}, &judgment, &error),
        NST_ERROR_ARGUMENT);
    snprintf(unknown.style_layers.layers[0].name, sizeof unknown.style_layers.layers[0].name, "relu7_1");
    assert_int_equal(
        nst_judge(context, network, &unknown, &(nst_judge_pictures){&picture, &picture, &picture}, &judgment, &error),
        NST_ERROR_NETWORK);
    assert_int_equal(
        nst_judge(context, network, &settings, &(nst_judge_pictures){&tiny, &picture, &picture}, &judgment, &error),
        NST_ERROR_NETWORK);
    assert_int_equal(
        nst_judge(context, network, &settings, &(nst_judge_pictures){&picture, &picture, &tiny}, &judgment, &error),
        NST_ERROR_NETWORK);
    assert_true(context->allocated_bytes == before);
    nst_picture_free(&picture);
    nst_picture_free(&tiny);
    random_network_free(network);
}

/* A device that has the memory, but not in one piece. */
static void what_is_too_large_in_one_piece_is_refused(void **state) {
    nst_context *context = *state;
    uint64_t before = context->allocated_bytes, largest = context->info.largest_allocation_bytes;
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_settings settings = small_settings(1);
    nst_picture picture = make_hills(128, 96, 3);
    nst_judge_pictures pictures = {&picture, &picture, &picture};
    nst_judgment judgment;
    nst_error error;
    context->info.largest_allocation_bytes = 128 * 96 * 8 * sizeof(float) - 1; /* a map of relu1_1 */
    nst_status status = nst_judge(context, network, &settings, &pictures, &judgment, &error);
    context->info.largest_allocation_bytes = largest;
    assert_int_equal(status, NST_ERROR_MEMORY);
    assert_int_equal(strncmp(error.message, "128x96 pixels need ", 19), 0); /* the plan's words, not an allocation's */
    assert_true(context->allocated_bytes == before);
    check(nst_judge(context, network, &settings, &pictures, &judgment, &error), &error);
    nst_picture_free(&picture);
    random_network_free(network);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_agree_with_the_reference),
        cmocka_unit_test(nothing_is_far_from_itself),
        cmocka_unit_test(what_cannot_be_judged),
        cmocka_unit_test(what_is_too_large_in_one_piece_is_refused),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
