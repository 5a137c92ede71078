/* test_hypercolumns.c: the losses on hypercolumns (self-distance, earth mover, moments, palette) on the device against
 * their float64 references at odd sizes, those against finite differences; and which pixels are drawn. */
#include "fixture.h"
#include "loss/hypercolumns.h"
#include "loss_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"self-distance", "earth mover", "moments"};
static const struct loss_target content_target = {.picture = LOSS_CONTENT, .share = 1},
                                style_target = {.picture = LOSS_STYLE, .share = 1};

/* ---- References ---------------------------------------------------------------------------------------------------- */

/* Moves one element at a time; a step across an edge of the loss, where the nearest changes, is one in many. */
static void check_slopes(nst_context *context, const char *kind, struct loss_reference in, double range) {
    const struct loss_options options = {.seed = 5};
    const struct loss_methods *methods = loss_find(context, kind);
    size_t count = (size_t)in.channels * (size_t)in.height * (size_t)in.width, edges = 0;
    double *map = allocate(count, sizeof *map), *slope = allocate(count, sizeof *slope), largest = 0;
    double *spare = allocate(count, sizeof *spare);
    memcpy(map, in.map, count * sizeof *map);
    in.map = map;
    methods->reference(&options, &in, slope);
    for (size_t i = 0; i < count; ++i) {
        largest = fmax(largest, fabs(slope[i]));
    }
    for (size_t i = 0; i < count; i += 1 + count / 40) {
        const double step = 1e-6 * range, center = map[i];
        map[i] = center + step;
        double above = methods->reference(&options, &in, spare);
        map[i] = center - step;
        double below = methods->reference(&options, &in, spare);
        map[i] = center;
        edges += !(fabs((above - below) / (2 * step) - slope[i]) <= 1e-5 * largest);
    }
    assert_true(largest > 0);
    assert_true(edges <= 1);
    free(map);
    free(slope);
    free(spare);
}

static void references_agree_with_finite_differences(void **state) {
    static const struct loss_reference shapes[] = {
        {7, 3, 5, NULL, NULL, NULL}, {3, 6, 4, NULL, NULL, NULL}, {20, 9, 14, NULL, NULL, NULL}};
    for (size_t s = 0; s < COUNT_OF(shapes); ++s) {
        struct loss_reference in = shapes[s];
        size_t count = (size_t)in.channels * (size_t)in.height * (size_t)in.width;
        float *values = random_uniform_array(s + 1, 3 * count, 0.1f, 1);
        double *doubles = to_doubles(values, 3 * count);
        in.map = doubles, in.content = doubles + count, in.style = doubles + 2 * count;
        for (size_t k = 0; k < COUNT_OF(kinds); ++k) {
            check_slopes(*state, kinds[k], in, 1);
        }
        for (size_t i = 0; i < 3 * count; ++i) {
            doubles[i] *= 255;
        }
        if (in.channels == 3) {
            check_slopes(*state, "palette", in, 255);
        }
        free(values);
        free(doubles);
    }
}

/* ---- On the device ------------------------------------------------------------------------------------------------- */

/* Targets, loss and gradient of given maps. */
static void check_on_device(nst_context *context, const char *kind, struct map_size size) {
    nst_error error;
    const struct loss_spec spec = {
        .kind = kind, .layers = {"relu1_1"}, .layer_count = 1, .weight = 1, .options = {.seed = 3}};
    const struct image_size image = {size.height, size.width};
    struct given_map map = give_map(context, size, 1, 0), content = give_map(context, size, 11, 0),
                     style = give_map(context, size, 21, 0);
    struct loss_case test;
    loss_case_open(&test, context, size, image, &spec, false);
    const struct loss_map at = {.map = map.map, .image = image}, content_at = {.map = content.map, .image = image},
                          style_at = {.map = style.map, .image = image};
    const struct region region = {.image = image};
    check(loss_target_begin(test.run, &region, 1, &error), &error);
    check(loss_target_add(test.run, &content_at, &content_target, &error), &error);
    check(loss_target_add(test.run, &style_at, &style_target, &error), &error);
    check(loss_target_end(test.run, &error), &error);
    cl_mem gradient =
        create_zero(context, feature_map_bytes(context, size.half, size.channels, size.height, size.width));
    check(loss_gather(test.run, &at, &error), &error);
    check(loss_value(test.run, &at, &error), &error);
    check(loss_add_gradient(test.run, &at, gradient, &error), &error);
    double *expected = allocate(elements_of(size), sizeof *expected);
    const struct loss_reference in = {size.channels, size.height, size.width, map.values, content.values, style.values};
    double loss = loss_find(context, kind)->reference(&spec.options, &in, expected), largest = 0;
    for (size_t i = 0; i < elements_of(size); ++i) {
        expected[i] = map.mask[i] ? expected[i] : 0;
        largest = fmax(largest, fabs(expected[i]));
    }
    assert_true(fabs(loss_case_value(&test) - loss) <= 1e-5 * loss + 1e-7);
    float *got = download_map(context, gradient, size);
    for (size_t i = 0; i < elements_of(size); ++i) {
        assert_true(fabs(got[i] - expected[i]) <= (size.half ? 1e-2 : 2e-5) * largest + 1e-7);
    }
    free(got);
    free(expected);
    buffer_release(context, &gradient);
    release_map(context, &map);
    release_map(context, &content);
    release_map(context, &style);
    loss_case_close(&test);
}

static void losses_agree_with_the_reference(void **state) {
    static const struct map_size sizes[] = {
        {1, 1, 1, false}, {3, 3, 5, false}, {65, 3, 5, false}, {20, 17, 31, false}, {20, 17, 31, true}};
    for (size_t k = 0; k < COUNT_OF(kinds); ++k) {
        for (size_t s = 0; s < COUNT_OF(sizes); ++s) {
            check_on_device(*state, kinds[k], sizes[s]);
        }
    }
}

/* ---- Drawing ------------------------------------------------------------------------------------------------------- */

enum { SIDE = 300 };

/* No pixel twice, and only where weights are at least half of the largest. */
static void check_drawn(const struct pixel *pixels, int count, const float *weights) {
    bool *seen = allocate((size_t)SIDE * SIDE, sizeof *seen);
    for (int i = 0; i < count; ++i) {
        size_t at = (size_t)pixels[i].row * SIDE + (size_t)pixels[i].column;
        assert_true(pixels[i].row >= 0 && pixels[i].row < SIDE && pixels[i].column >= 0 && pixels[i].column < SIDE);
        assert_false(seen[at]);
        assert_true(!weights || weights[at] >= 0.4f);
        seen[at] = true;
    }
    free(seen);
}

static void pixels_are_drawn_where_they_count(void **state) {
    (void)state;
    nst_error error;
    static struct pixel pixels[HYPERCOLUMN_POSITIONS], again[HYPERCOLUMN_POSITIONS];
    float *weights = allocate((size_t)SIDE * SIDE, sizeof *weights);
    struct region region = {.image = {SIDE, SIDE}};
    int count, again_count;
    check(pixels_draw_first(1, &region, pixels, &count, &error), &error);
    check(pixels_draw_first(1, &region, again, &again_count, &error), &error);
    assert_int_equal(count, HYPERCOLUMN_POSITIONS);
    assert_memory_equal(pixels, again, sizeof pixels);
    check(pixels_draw_first(2, &region, again, &again_count, &error), &error);
    assert_memory_not_equal(pixels, again, sizeof pixels);
    check_drawn(pixels, count, NULL);
    region.weights = weights;
    for (int i = 0; i < SIDE * SIDE; ++i) { /* a half plane, and a little of the rest */
        weights[i] = i % SIDE < SIDE / 2 ? 0.8f : 0.39f;
    }
    check(pixels_draw_first(1, &region, pixels, &count, &error), &error);
    assert_int_equal(count, HYPERCOLUMN_POSITIONS);
    check_drawn(pixels, count, weights);
    memset(weights, 0, (size_t)SIDE * SIDE * sizeof *weights); /* less than any grid must meet */
    weights[SIDE + 1] = weights[7 * SIDE + 6] = 1;
    check(pixels_draw_first(1, &region, pixels, &count, &error), &error);
    assert_true(count >= 1 && count <= 2);
    check_drawn(pixels, count, weights);
    free(weights);
}

/* Each style has its share of the positions. */
static void styles_share_the_positions(void **state) {
    nst_error error;
    const struct map_size size = {3, 40, 37, false};
    const struct image_size image = {size.height, size.width};
    const struct loss_spec spec = {.kind = "earth mover", .layers = {"relu1_1"}, .layer_count = 1, .weight = 1};
    struct given_map maps[] = {give_map(*state, size, 1, 0), give_map(*state, size, 2, 0)};
    struct hypercolumn_kernels kernels;
    struct style_columns columns;
    struct loss_case test;
    loss_case_open(&test, *state, size, image, &spec, false);
    check(hypercolumn_kernels_create(test.loss, &kernels, &error), &error);
    struct plan plan = {0};
    style_columns_reserve(&columns, &kernels, test.run, &plan);
    check(plan_assign(&plan, &error), &error);
    check(plan_allocate(&plan, *state, &error), &error);
    struct loss_run run = *test.run;
    run.plan = &plan;
    style_columns_begin(&columns, &run);
    for (int i = 0; i < 2; ++i) {
        const struct loss_map at = {.map = maps[i].map, .image = image};
        const struct loss_target target = {.picture = LOSS_STYLE, .share = i ? 0.7 : 0.3};
        check(style_columns_add(&columns, &run, &at, &target, &error), &error);
        assert_int_equal(columns.first, i ? 1500 : 0);
        assert_int_equal(columns.count, i ? 3500 : 1500);
    }
    assert_int_equal(style_columns_stack(&columns, &run).positions, HYPERCOLUMN_STYLE_POSITIONS);
    /* A single one is taken once. */
    const struct loss_map at = {.map = maps[0].map, .image = image};
    style_columns_begin(&columns, &run);
    check(style_columns_add(&columns, &run, &at, &style_target, &error), &error);
    assert_int_equal(style_columns_stack(&columns, &run).positions, size.height * size.width);
    plan_free(&plan, *state);
    hypercolumn_kernels_release(&kernels);
    loss_case_close(&test);
    release_map(*state, &maps[0]);
    release_map(*state, &maps[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_agree_with_finite_differences), cmocka_unit_test(losses_agree_with_the_reference),
        cmocka_unit_test(pixels_are_drawn_where_they_count), cmocka_unit_test(styles_share_the_positions)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
