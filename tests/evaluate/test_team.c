/* test_team.c: a picture that several devices work on is the picture: losses and gradient of two halves of the test's
 * device, and of the halves with the whole, against those of one device, for every loss that can be dealt out and for
 * dealings that leave a device without work; the same dealing gives the same bytes. And how much each device gets. */
#include "evaluate/team.h"
#include "evaluated.h"
#include "random_network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The test's device first, then its two halves; where it has no parts, itself again. */
enum { DEVICES = 3 };
static nst_context *devices[DEVICES];

static int open_devices(void **state) {
    char spec[32];
    if (fixture_open(state)) {
        return -1;
    }
    devices[0] = *state;
    devices[1] = open_half(1, spec);
    devices[2] = open_half(2, spec);
    return 0;
}

static int close_devices(void **state) {
    for (int i = 1; i < DEVICES; ++i) {
        nst_context_destroy(devices[i]);
    }
    return fixture_close(state);
}

/* ---- Together and alone ------------------------------------------------------------------------------------------ */

struct team_case {
    const char *network;
    struct loss_spec losses[3];
    int loss_count, height, width;
    bool half, weighs;
};

#define AT(...) .layers = {__VA_ARGS__}
static const struct team_case cases[] = {
    {"c5 r c5 r p c7 r",
     {{.kind = "content", AT("relu2_1"), 1, 2, {.relative = true}},
      {.kind = "gram", AT("relu1_1"), 1, 1, {.relative = true}},
      {.kind = "total variation", .weight = 1e-4, .options = {.power = 1}}},
     3,
     200,
     45,
     false,
     false},
    {"c5:reflect r c6:reflect:nobias r p c7:replicate r",
     {{.kind = "wasserstein", AT("relu1_2"), 1, 1, {.relative = true, .epsilon = 1e-2}},
      {.kind = "gram", AT("relu2_1"), 1, 1, {.gram_by_channels = true}},
      {.kind = "temporal", .weight = 100}},
     3,
     150,
     60,
     false,
     true},
    {"c5 r p c7 r",
     {{.kind = "mean and deviation", AT("relu2_1"), 1, 1, {.relative = true, .epsilon = 1e-2}},
      {.kind = "mean and deviation", AT("relu1_1"), 1, 1, {.relative = false, .epsilon = 1e-2}}},
     2,
     140,
     33,
     false,
     true},
    {"c5 r p c7 r",
     {{.kind = "content", AT("relu2_1"), 1, 2, {.relative = true}},
      {.kind = "gram", AT("relu2_1"), 1, 1, {.relative = true}}},
     2,
     150,
     41,
     true,
     false},
};

struct results {
    double losses[3];
    float *gradient;
};

/* A dealing: devices, and the parts of each; no devices: the first one alone. */
struct dealing {
    int count, device[DEVICES], parts[DEVICES];
    int core_px; /* of tiles; 0: any */
};

static void evaluate(const struct team_case *test, const struct dealing *dealing, struct results *results) {
    nst_error error;
    int members = dealing->count > 0 ? dealing->count : 1, count;
    nst_network *network = random_network(test->network, 21);
    struct objective_spec spec = {.term_count = test->loss_count, .half = test->half, .weighs = test->weighs};
    for (int i = 0; i < test->loss_count; ++i) {
        spec.terms[i] = (struct objective_term){.loss = test->losses[i], .name = "loss", .group = "style"};
        spec.terms[i].loss.weighs = test->weighs;
    }
    struct test_picture content = random_picture(1, test->height, test->width),
                        image = random_picture(9, test->height, test->width);
    struct test_picture styles[] = {random_picture(2, 90, 33), random_picture(3, 40, 70)};
    for (size_t i = 0; i < count_of(styles[0].size); ++i) {
        styles[0].values[i] *= 0.5f;
    }
    if (test->weighs) {
        content.weights = random_uniform_array(4, count_of(content.size) / 3, 0, 1);
        styles[1].weights = random_uniform_array(5, count_of(styles[1].size) / 3, 0, 1);
    }
    struct image_size sizes[] = {content.size, styles[0].size, styles[1].size};
    const double shares[] = {0.4, 0.6};
    struct evaluated on[DEVICES];
    struct evaluation *evaluations[DEVICES];
    for (int i = 0; i < members; ++i) {
        bool is_dealt = dealing->count > 0;
        const struct evaluation_form form = {.core_px = !is_dealt          ? 0
                                                        : dealing->core_px ? dealing->core_px
                                                                           : 4096,
                                             .on_host = i > 0,
                                             .in_bands = is_dealt};
        evaluated_open(&on[i], devices[is_dealt ? dealing->device[i] : 0], network, &spec,
                       &(struct image_sizes){sizes, 3}, &form);
        evaluations[i] = on[i].evaluation;
    }
    nst_context *leading = objective_context(on[0].objective);
    if (dealing->count > 0) {
        check(team_create(evaluations, members, &error), &error);
        team_give_parts(evaluations[0], dealing->parts);
    }
    evaluated_set_targets(leading, &on[0], &content, styles, shares, 2);
    evaluated_put(leading, &on[0], &image);
    check(evaluation_run(evaluations[0], EVALUATE_LOSSES, &error), &error);
    double alone = evaluation_total(evaluations[0]);
    check(evaluation_run(evaluations[0], EVALUATE_GRADIENT, &error), &error);
    assert_close("losses alone", alone, evaluation_total(evaluations[0]), 1e-5);
    for (int k = 0; k < test->loss_count; ++k) {
        results->losses[k] = evaluation_losses(evaluations[0], &count)[k].loss;
    }
    results->gradient = allocate(count_of(content.size), sizeof(float));
    check(vector_read(leading, evaluation_gradient_vector(evaluations[0]), results->gradient, count_of(content.size),
                      &error),
          &error);
    for (int i = 0; i < members; ++i) {
        nst_context *context = objective_context(on[i].objective);
        evaluated_close(&on[i], context);
    }
    random_network_free(network);
    release_picture(&content);
    release_picture(&image);
    release_picture(&styles[0]);
    release_picture(&styles[1]);
}

static void devices_together_are_one(void **state) {
    (void)state;
    static const struct dealing dealings[] = {{2, {1, 2}, {1, 1}, 0},
                                              {2, {1, 2}, {1, 2}, 64},
                                              {2, {0, 1}, {0, 3}, 0},
                                              {3, {2, 0, 1}, {1, 0, 1}, 0},
                                              {3, {1, 2, 0}, {1, 1, 1}, 0}};
    for (size_t c = 0; c < COUNT_OF(cases); ++c) {
        const struct team_case *test = &cases[c];
        size_t count = 3 * (size_t)test->height * (size_t)test->width;
        struct results alone;
        evaluate(test, &(struct dealing){0}, &alone);
        double *expected = to_doubles(alone.gradient, count), bound = test->half ? 5e-3 : 1e-5;
        for (size_t d = 0; d < COUNT_OF(dealings); ++d) {
            struct results together;
            evaluate(test, &dealings[d], &together);
            for (int k = 0; k < test->loss_count; ++k) {
                assert_close(test->losses[k].kind, together.losses[k], alone.losses[k], test->half ? 1e-3 : 1e-5);
            }
            double difference = relative_rms(together.gradient, expected, count);
            if (!(difference < bound)) {
                fail_msg("%s, dealing %zu: the gradient differs by %g", test->network, d, difference);
            }
            free(together.gradient);
        }
        free(expected);
        free(alone.gradient);
    }
}

static void the_same_dealing_gives_the_same_bytes(void **state) {
    (void)state;
    const struct dealing dealing = {2, {1, 2}, {2, 1}, 0};
    struct results first, second;
    evaluate(&cases[0], &dealing, &first);
    evaluate(&cases[0], &dealing, &second);
    assert_memory_equal(first.losses, second.losses, sizeof first.losses);
    assert_memory_equal(first.gradient, second.gradient,
                        3 * (size_t)cases[0].height * (size_t)cases[0].width * sizeof(float));
    free(first.gradient);
    free(second.gradient);
}

static void losses_that_compare_places_are_refused(void **state) {
    nst_error error;
    nst_network *network = random_network("c3 r", 1);
    struct objective_spec spec = {.terms = {{.loss = {.kind = "layer neighbors", AT("relu1_1"), 1, 1}}},
                                  .term_count = 1};
    struct objective *objective;
    check(objective_create(*state, network, &spec, &objective, &error), &error);
    assert_int_equal(team_check(objective, &error), NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "layer neighbors"));
    objective_destroy(objective);
    random_network_free(network);
}

/* ---- Who gets what ----------------------------------------------------------------------------------------------- */

/* Of so many rows, 64 to a unit, that see so many rows beyond. */
static struct tiling rows_of(int height, int halo) {
    return (struct tiling){.picture = {height, 100}, .halo = {.before = halo, .after = halo}, .unit = 64};
}

static void assert_units(const struct deal *deal, const struct tiling *tiling, int first, int second, int third) {
    const int expected[] = {first, second, third};
    int end = 0;
    for (int i = 0; i < 3; ++i) {
        struct span band = deal_band(deal, tiling, i);
        assert_int_equal(deal->units[i], expected[i]);
        assert_int_equal(band.begin, end);
        end = band.end;
    }
    assert_int_equal(end, tiling->picture.height);
}

static void units_are_dealt_by_parts(void **state) {
    (void)state;
    static const struct {
        int height, parts[3], units[3];
    } rows[] = {{640, {5, 3, 2}, {5, 3, 2}}, {630, {50, 30, 20}, {5, 3, 2}}, {650, {1, 1, 1}, {4, 3, 4}},
                {60, {1, 1, 1}, {0, 1, 0}},  {128, {1, 0, 1}, {1, 0, 1}},    {128, {0, 0, 7}, {0, 0, 2}}};
    for (size_t i = 0; i < COUNT_OF(rows); ++i) {
        struct tiling tiling = rows_of(rows[i].height, 16);
        struct deal deal = deal_by_parts(&tiling, rows[i].parts, 3);
        assert_units(&deal, &tiling, rows[i].units[0], rows[i].units[1], rows[i].units[2]);
    }
}

static void at_first_all_get_something(void **state) {
    (void)state;
    static const struct {
        double speeds[3];
        int units[3], expected[3];
    } rows[] = {{{1, 1, 1}, {5, 0, 0}, {3, 1, 1}},
                {{1, 0, 1}, {5, 0, 0}, {4, 0, 1}},
                {{1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
                {{1, 1, 1}, {0, 2, 0}, {1, 1, 0}},
                {{1, 1, 1}, {2, 2, 1}, {2, 2, 1}}};
    for (size_t i = 0; i < COUNT_OF(rows); ++i) {
        struct deal deal = {.count = 3};
        memcpy(deal.units, rows[i].units, sizeof rows[i].units);
        deal_to_all(&deal, rows[i].speeds);
        assert_memory_equal(deal.units, rows[i].expected, sizeof rows[i].expected);
    }
}

static void the_slow_get_less(void **state) {
    (void)state;
    static const struct {
        int height, halo;
        double speeds[3];
        int units[3];
    } rows[] = {{640, 0, {5, 3, 2}, {5, 3, 2}},        {640, 0, {500, 300, 200}, {5, 3, 2}},
                {640, 0, {1, 0, 0}, {10, 0, 0}},       {640, 0, {0, 1, 1}, {0, 5, 5}},
                {640, 64, {100, 100, 1}, {5, 5, 0}},   /* its halo alone would take longer than all the rest */
                {640, 64, {100, 100, 100}, {4, 3, 3}}, /* the one in the middle sees two halos */
                {128, 640, {3, 2, 1}, {2, 0, 0}}};
    for (size_t i = 0; i < COUNT_OF(rows); ++i) {
        struct tiling tiling = rows_of(rows[i].height, rows[i].halo);
        struct deal deal = deal_by_speed(&tiling, rows[i].speeds, 3);
        assert_units(&deal, &tiling, rows[i].units[0], rows[i].units[1], rows[i].units[2]);
    }
    struct tiling tiling = rows_of(640, 64);
    const double speeds[] = {100, 100, 100};
    struct deal deal = {.count = 3, .units = {4, 3, 3}};
    assert_true(deal_seconds(&deal, &tiling, speeds) == 320);
    assert_true(isinf(deal_seconds(&deal, &tiling, (const double[]){100, 100, 0})));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_together_are_one),
        cmocka_unit_test(the_same_dealing_gives_the_same_bytes),
        cmocka_unit_test(losses_that_compare_places_are_refused),
        cmocka_unit_test(units_are_dealt_by_parts),
        cmocka_unit_test(at_first_all_get_something),
        cmocka_unit_test(the_slow_get_less),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
