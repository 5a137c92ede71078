/* test_tiles.c: a picture in tiles is the picture: losses and gradient against those of the whole, for every loss and way
 * of padding, with tiles that are smaller than the network's sight and pictures that are multiples of nothing; and where
 * tiles lie. That tiles agree with float64 too is in test_evaluation.c. */
#include "evaluate/tiling.h"
#include "evaluated.h"
#include "optimizer/optimizer.h"
#include "random_network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tiled and whole --------------------------------------------------------------------------------------------- */

struct tile_case {
    const char *network;
    struct loss_spec losses[3];
    int loss_count, height, width;
    bool half, weighs;
};

static struct objective_spec spec_of(const struct tile_case *test, nst_pooling pooling) {
    struct objective_spec spec = {
        .term_count = test->loss_count, .pooling = pooling, .half = test->half, .weighs = test->weighs};
    for (int i = 0; i < test->loss_count; ++i) {
        spec.terms[i] = (struct objective_term){.loss = test->losses[i], .name = "loss", .group = "style"};
        spec.terms[i].loss.weighs = test->weighs;
    }
    return spec;
}

/* Darker than the images, so that statistics differ by more than rounding, and, if the losses weigh, seen in part. */
static struct test_picture random_style(uint64_t seed, int height, int width, bool weighs) {
    struct test_picture picture = random_picture(seed, height, width);
    for (size_t i = 0; i < count_of(picture.size); ++i) {
        picture.values[i] *= 0.5f;
    }
    picture.weights = weighs && seed % 2 ? random_uniform_array(seed, count_of(picture.size) / 3, 0, 1) : NULL;
    return picture;
}

/* Losses and gradient of a few evaluations at as many images. */
enum { EVALUATIONS = 2 };
struct results {
    double losses[EVALUATIONS][3];
    float *gradients[EVALUATIONS];
};

static void evaluate(nst_context *context, const struct tile_case *test, nst_pooling pooling,
                     const struct evaluation_form *form, struct results *results) {
    nst_error error;
    nst_network *network = random_network(test->network, 21);
    struct objective_spec spec = spec_of(test, pooling);
    struct test_picture content = random_picture(1, test->height, test->width);
    struct test_picture styles[] = {random_style(2, test->height / 2 + 30, test->width, test->weighs),
                                    random_style(3, test->height, test->width / 2 + 20, test->weighs)};
    content.weights = test->weighs ? random_uniform_array(4, count_of(content.size) / 3, 0, 1) : NULL;
    struct image_size sizes[] = {content.size, styles[0].size, styles[1].size};
    const double shares[] = {0.4, 0.6};
    struct evaluated on;
    evaluated_open(&on, context, network, &spec, &(struct image_sizes){sizes, 3}, form);
    evaluated_set_targets(context, &on, &content, styles, shares, 2);
    for (int i = 0; i < EVALUATIONS; ++i) {
        struct test_picture image = random_picture(10 + (uint64_t)i, test->height, test->width);
        int count;
        evaluated_put(context, &on, &image);
        check(evaluation_run(on.evaluation, EVALUATE_GRADIENT, &error), &error);
        for (int k = 0; k < test->loss_count; ++k) {
            results->losses[i][k] = evaluation_losses(on.evaluation, &count)[k].loss;
        }
        results->gradients[i] = allocate(count_of(image.size), sizeof(float));
        check(vector_read(context, evaluation_gradient_vector(on.evaluation), results->gradients[i],
                          count_of(image.size), &error),
              &error);
        check(evaluation_run(on.evaluation, EVALUATE_LOSSES, &error), &error);
        for (int k = 0; k < test->loss_count; ++k) {
            if (strcmp(test->losses[k].kind, "layer neighbors") != 0) { /* these look elsewhere each time */
                assert_close("losses alone", evaluation_losses(on.evaluation, &count)[k].loss, results->losses[i][k],
                             1e-5);
            }
        }
        release_picture(&image);
    }
    evaluated_close(&on, context);
    random_network_free(network);
    release_picture(&content);
    release_picture(&styles[0]);
    release_picture(&styles[1]);
}

/* `gradient_bound`: of the RMS of the difference. */
static void compare(nst_context *context, const struct tile_case *test, nst_pooling pooling,
                    const struct evaluation_form *form, double gradient_bound) {
    struct results whole, tiled;
    size_t count = 3 * (size_t)test->height * (size_t)test->width;
    evaluate(context, test, pooling, &(struct evaluation_form){0}, &whole);
    evaluate(context, test, pooling, form, &tiled);
    for (int i = 0; i < EVALUATIONS; ++i) {
        double *expected = to_doubles(whole.gradients[i], count);
        for (int k = 0; k < test->loss_count; ++k) {
            assert_close(test->losses[k].kind, tiled.losses[i][k], whole.losses[i][k], 2e-5);
        }
        double difference = relative_rms(tiled.gradients[i], expected, count);
        if (!(difference < gradient_bound)) {
            fail_msg("%s, %s and %d more: the gradient differs by %g", test->network, test->losses[0].kind,
                     test->loss_count - 1, difference);
        }
        free(expected);
        free(whole.gradients[i]);
        free(tiled.gradients[i]);
    }
}

#define AT(...) .layers = {__VA_ARGS__}
#define WASSERSTEIN(layer)                                                                                             \
    {                                                                                                                  \
        .kind = "wasserstein", AT(layer), 1, 1, {                                                                      \
            .relative = true, .epsilon = 1e-2                                                                          \
        }                                                                                                              \
    }
#define DEEP "c4 r c5 r p c6 r c5 r p c7 r c8 r p c9 r c5 r p c6 r"

/* Halos of up to 48 pixels. */
static const struct tile_case cases[] = {
    {"c5 r c5 r p c7 r",
     {{.kind = "content", AT("relu2_1"), 1, 2, {.relative = true}},
      {.kind = "gram", AT("relu1_1"), 1, 1, {.relative = true}},
      {.kind = "total variation", .weight = 1e-4, .options = {.power = 1}}},
     3,
     150,
     133,
     false,
     false},
    {"c5:reflect r c6:reflect:nobias r p c7:replicate r c3:k1 r",
     {{.kind = "gram", AT("relu2_2"), 1, 1, {.gram_by_channels = true}},
      WASSERSTEIN("relu1_2"),
      {.kind = "total variation", .weight = 1, .options = {.nine_points = true}}},
     3,
     131,
     201,
     false,
     false},
    {"c17 r p c3:p0 r c5:p0 r p c4 r",
     {{.kind = "gram", AT("relu2_1"), 1, 1, {.relative = true}},
      {.kind = "content", AT("relu3_1"), 1, 1, {.relative = false}},
      {.kind = "total variation", .weight = 1e-4, .options = {.power = 2, .mean = true}}},
     3,
     195,
     70,
     false,
     false},
    {DEEP,
     {{.kind = "gram", AT("relu5_1"), 1, 1, {.relative = true}},
      {.kind = "gram", AT("relu1_1"), 1, 1, {.relative = true}},
      {.kind = "content", AT("relu4_2"), 1, 1, {.relative = true}}},
     3,
     277,
     210,
     false,
     false},
    {DEEP, {WASSERSTEIN("relu5_1"), WASSERSTEIN("relu3_1"), WASSERSTEIN("relu1_1")}, 3, 210, 260, false, false},
    {DEEP,
     {{.kind = "neighbors", AT("relu1_1", "relu2_2", "relu3_1", "relu4_1"), 4, 1, {.relative = true}},
      {.kind = "content", AT("relu3_1"), 1, 1, {.relative = true}}},
     2,
     270,
     197,
     false,
     false},
    {"c5 r c5 r p c7 r",
     {{.kind = "layer neighbors", AT("relu1_2"), 1, 1, {.image_side = 16, .seed = 7}},
      {.kind = "layer neighbors", AT("relu2_1"), 1, 1, {.seed = 8}},
      {.kind = "gram", AT("relu2_1"), 1, 1, {.relative = true}}},
     3,
     150,
     197,
     false,
     false},
    {"c5 r c5 r p c7 r",
     {{.kind = "content", AT("relu2_1"), 1, 2, {.relative = true}},
      {.kind = "gram", AT("relu1_1"), 1, 1, {.relative = true}},
      WASSERSTEIN("relu1_2")},
     3,
     150,
     133,
     true,
     false},
    {"c5 r c5 r p c7 r",
     {{.kind = "mean and deviation", AT("relu2_1"), 1, 2, {.epsilon = 1e-2, .relative = true}},
      {.kind = "mean and deviation", AT("relu1_2"), 1, 1, {.epsilon = 1e-2}},
      {.kind = "gram", AT("relu1_2"), 1, 1, {.relative = true}}},
     3,
     150,
     133,
     true,
     false},
    {"c5 r c5 r p c7 r",
     {{.kind = "temporal", .weight = 100}, {.kind = "content", AT("relu2_1"), 1, 1, {.relative = true}}},
     2,
     150,
     133,
     false,
     true},
    {"c5 r c5 r p c7 r",
     {{.kind = "temporal", .weight = 100}, {.kind = "content", AT("relu2_1"), 1, 1, {.relative = true}}},
     2,
     133,
     150,
     false,
     false},
};

/* In 16 bits the sums over a core may round another way. */
static void tiles_are_the_whole(void **state) {
    for (size_t i = 0; i < COUNT_OF(cases); ++i) {
        double bound = cases[i].half ? 5e-3 : 1e-5;
        const struct evaluation_form on_device = {.core_px = 64}, on_host = {.core_px = 128, .on_host = true};
        compare(*state, &cases[i], NST_POOLING_MAX, &on_device, bound);
        compare(*state, &cases[i], NST_POOLING_AVERAGE, &on_host, bound);
    }
}

/* ---- Where tiles lie --------------------------------------------------------------------------------------------- */

struct lie_case {
    const char *network, *tap;
    struct image_size picture;
    int core_px;
    struct image_size core;
    int rows, columns, before, after;
};

static struct model *make_model(nst_context *context, const struct lie_case *test) {
    nst_error error;
    nst_network *network = random_network(test->network, 1);
    struct model_options options = {.taps = &test->tap, .tap_count = 1};
    struct model *model;
    check(model_create(context, network, &options, &model, &error), &error);
    random_network_free(network);
    return model;
}

/* Each element of the picture, or of the map of a stage, belongs to one core, and is where the map of the tile says. */
static void check_cores(const struct tiling *tiling, const struct model *model, int stage) {
    struct image_size whole = stage < 0 ? tiling->picture : model_map_size(model, stage, tiling->picture);
    int stride = stage < 0 ? 1 : model_stride(model, stage);
    size_t count = (size_t)whole.height * (size_t)whole.width;
    unsigned char *owners = allocate(count, 1);
    for (int i = 0; i < tiling_count(tiling); ++i) {
        struct tile tile = tiling_tile(tiling, i);
        struct tile_map map = tiling_map(tiling, &tile, model, stage);
        struct image_size size = {tile.region.height, tile.region.width};
        size = stage < 0 ? size : model_map_size(model, stage, size);
        assert_true(size.height > 0 && size.width > 0);
        assert_int_equal(map.y * stride, tile.region.y);
        assert_int_equal(map.x * stride, tile.region.x);
        assert_true(map.core.y >= 0 && map.core.y + map.core.height <= size.height);
        assert_true(map.core.x >= 0 && map.core.x + map.core.width <= size.width);
        for (int y = map.y + map.core.y; y < map.y + map.core.y + map.core.height; ++y) {
            for (int x = map.x + map.core.x; x < map.x + map.core.x + map.core.width; ++x) {
                owners[(size_t)y * (size_t)whole.width + (size_t)x]++;
            }
        }
    }
    for (size_t i = 0; i < count; ++i) {
        assert_int_equal(owners[i], 1);
    }
    free(owners);
}

static void cores_divide_every_map(void **state) {
    const struct lie_case lies[] = {
        {"c3 r", "relu1_1", {300, 200}, 128, {128, 128}, 3, 2, 1, 1},
        {"c3 r c3 r p c3 r", "relu2_1", {300, 200}, 100, {64, 64}, 5, 4, 4, 4},
        {"c3:k1 r", "relu1_1", {300, 65}, 256, {192, 128}, 2, 1, 1, 1},
        {"c3 r p c3:p0 r c3:p0 r", "relu2_2", {260, 195}, 64, {64, 64}, 5, 4, 2, 10},
        {DEEP, "relu5_1", {2000, 1500}, 1024, {1024, 768}, 2, 2, 48, 48},
        {DEEP, "relu5_1", {1024, 1030}, 1024, {1024, 576}, 1, 2, 48, 48},
    };
    for (size_t i = 0; i < COUNT_OF(lies); ++i) {
        struct model *model = make_model(*state, &lies[i]);
        struct tiling tiling;
        assert_int_equal(tiling_make(model, lies[i].picture, lies[i].core_px, &tiling, NULL), NST_OK);
        assert_int_equal(tiling.core.height, lies[i].core.height);
        assert_int_equal(tiling.core.width, lies[i].core.width);
        assert_int_equal(tiling.rows, lies[i].rows);
        assert_int_equal(tiling.columns, lies[i].columns);
        assert_int_equal(tiling.halo.before, lies[i].before);
        assert_int_equal(tiling.halo.after, lies[i].after);
        for (int stage = -1; stage < model_stage_count(model); ++stage) {
            check_cores(&tiling, model, stage);
        }
        model_destroy(model);
    }
}

static void a_whole_picture_is_one_tile(void **state) {
    const struct lie_case lie = {.network = "c3 r", .tap = "relu1_1"};
    struct model *model = make_model(*state, &lie);
    struct tiling tiling;
    assert_int_equal(tiling_make(model, (struct image_size){70, 90}, 0, &tiling, NULL), NST_OK);
    struct tile tile = tiling_tile(&tiling, 0);
    assert_int_equal(tiling_count(&tiling), 1);
    assert_memory_equal(&tile.core, &tile.region, sizeof tile.core);
    assert_int_equal(tile.core.height, 70);
    assert_int_equal(tile.core.width, 90);
    assert_true(tiling_overlap(&tiling) == 1);
    assert_int_equal(tiling_make(model, (struct image_size){128, 128}, 64, &tiling, NULL), NST_OK);
    assert_true(tiling_overlap(&tiling) == 65.0 * 65 * 4 / (128 * 128));
    model_destroy(model);
}

static void losses_that_need_the_whole_say_so(void **state) {
    nst_error error;
    nst_network *network = random_network("c3 r", 1);
    struct objective_spec spec = {
        .terms = {{.loss = {.kind = "self-similarity", AT("relu1_1"), 1, 1, {.feature_scale = 1}}}}, .term_count = 1};
    struct image_size sizes[] = {{100, 100}, {100, 100}};
    struct evaluated on = {0};
    check(objective_create(*state, network, &spec, &on.objective, &error), &error);
    assert_int_equal(evaluation_reserve_in_tiles(on.objective, &on.plan, &(struct image_sizes){sizes, 2},
                                                 &(struct evaluation_form){.core_px = 64}, &on.evaluation, &error),
                     NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "self-similarity"));
    assert_null(on.evaluation);
    evaluated_close(&on, *state);
    random_network_free(network);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_are_the_whole),
        cmocka_unit_test(cores_divide_every_map),
        cmocka_unit_test(a_whole_picture_is_one_tile),
        cmocka_unit_test(losses_that_need_the_whole_say_so),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
