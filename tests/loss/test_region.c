/* test_region.c: losses on maps whose positions have weights. A position of weight 1 counts as two of weight 1/2: so the
 * truth is what each kind says in float64 of a map in which positions are repeated, or left out. */
#include "fixture.h"
#include "loss/kinds.h"
#include "loss_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How often each of three columns stands in the other map: three in all, so that it has the same size. */
typedef const int pattern[3];
static pattern of_image = {0, 1, 2}, of_style = {2, 0, 1}, alike = {1, 1, 1};

/* The weights that go with a pattern; NULL for that of all alike. */
static float *make_weights(const int *times, struct map_size size) {
    float *weights = allocate(pixels_of(size), sizeof *weights);
    for (size_t p = 0; p < pixels_of(size); ++p) {
        weights[p] = (float)times[p % (size_t)size.width % 3] / 2;
    }
    return weights;
}

/* The column that stands at x in the map of repeated columns. */
static int source_column(const int *times, int x) {
    int column = 0, left = x % 3;
    while (left >= times[column]) {
        left -= times[column++];
    }
    return x / 3 * 3 + column;
}

static double *repeat(const double *map, const int *times, struct map_size size) {
    double *repeated = allocate(elements_of(size), sizeof *repeated);
    for (int line = 0; line < size.channels * size.height; ++line) {
        for (int x = 0; x < size.width; ++x) {
            repeated[line * size.width + x] = map[line * size.width + source_column(times, x)];
        }
    }
    return repeated;
}

/* The transpose of that. */
static double *gather(const double *repeated, const int *times, struct map_size size) {
    double *sums = allocate(elements_of(size), sizeof *sums);
    for (int line = 0; line < size.channels * size.height; ++line) {
        for (int x = 0; x < size.width; ++x) {
            sums[line * size.width + source_column(times, x)] += repeated[line * size.width + x];
        }
    }
    return sums;
}

struct problem {
    const struct loss_methods *methods;
    struct loss_options options;
    struct map_size size;
    const int *image, *style; /* patterns */
};

static double truth(const struct problem *problem, const struct given_map maps[3], double **gradient) {
    struct map_size size = problem->size;
    double *content = repeat(maps[0].values, problem->image, size),
           *style = repeat(maps[1].values, problem->style, size), *image = repeat(maps[2].values, problem->image, size),
           *slopes = allocate(elements_of(size), sizeof *slopes);
    const struct loss_reference in = {size.channels, size.height, size.width, image, content, style};
    double loss = problem->methods->reference(&problem->options, &in, slopes);
    *gradient = gather(slopes, problem->image, size);
    for (size_t i = 0; i < elements_of(size); ++i) {
        (*gradient)[i] = maps[2].mask[i] ? (*gradient)[i] : 0;
    }
    free(content);
    free(style);
    free(image);
    free(slopes);
    return loss;
}

static void set_targets(struct loss_case *test, const struct problem *problem, const struct given_map maps[3],
                        struct loss_map *at) {
    nst_error error;
    float *image_weights = make_weights(problem->image, problem->size),
          *style_weights = make_weights(problem->style, problem->size);
    const struct region region = {.image = at->image, .weights = problem->image == alike ? NULL : image_weights};
    const struct loss_target content = {.picture = LOSS_CONTENT, .share = 1},
                             style = {.picture = LOSS_STYLE,
                                      .share = 1,
                                      .weights = problem->style == alike ? NULL : style_weights};
    check(loss_target_begin(test->run, &region, 0.75, &error), &error);
    at->map = maps[0].map;
    check(loss_target_add(test->run, at, &content, &error), &error);
    at->map = maps[1].map;
    check(loss_target_add(test->run, at, &style, &error), &error);
    check(loss_target_end(test->run, &error), &error);
    free(image_weights);
    free(style_weights);
}

static void check_problem(nst_context *context, const struct problem *problem) {
    nst_error error;
    struct map_size size = problem->size;
    struct loss_spec spec = {.kind = problem->methods->kind,
                             .layers = {"relu1_1"},
                             .layer_count = 1,
                             .weight = 2,
                             .options = problem->options,
                             .weighs = true};
    struct loss_case test;
    loss_case_open(&test, context, size, (struct image_size){size.height, size.width}, &spec, false);
    struct given_map maps[3]; /* content, style, image */
    for (int i = 0; i < 3; ++i) {
        maps[i] = give_map(context, size, (uint64_t)(10 + i), 0);
    }
    size_t bytes = (size_t)feature_map_bytes(context, size.half, size.channels, size.height, size.width);
    cl_mem scratch = create_zero(context, bytes), gradient = create_zero(context, bytes);
    struct loss_map at = {.image = {size.height, size.width}, .scratch = scratch};
    double *expected, loss = 0.75 * 2 * truth(problem, maps, &expected);
    for (size_t i = 0; i < elements_of(size); ++i) {
        expected[i] *= 0.75 * 2;
    }
    set_targets(&test, problem, maps, &at);
    at.map = maps[2].map;
    check(loss_gather(test.run, &at, &error), &error);
    check(loss_value(test.run, &at, &error), &error);
    double bound = problem->methods->reference_bound > 0 ? problem->methods->reference_bound : 2e-5;
    assert_close("weighted loss", loss_case_value(&test), loss, size.half ? 1e-2 : bound);
    check(loss_add_gradient(test.run, &at, gradient, &error), &error);
    assert_close("weighted loss with its gradient", loss_case_value(&test), loss, size.half ? 1e-2 : bound);
    float *got = download_map(context, gradient, size);
    assert_map_near("weighted gradient", got, expected, size, size.half ? 2e-2 : 2 * bound);
    free(got);
    free(expected);
    buffer_release(context, &scratch);
    buffer_release(context, &gradient);
    for (int i = 0; i < 3; ++i) {
        release_map(context, &maps[i]);
    }
    loss_case_close(&test);
}

static void check_kind(nst_context *context, const struct loss_methods *methods) {
    static const struct loss_options options[] = {{.epsilon = 1e-2}, {.relative = true, .epsilon = 1e-2}};
    static const struct map_size sizes[] = {{20, 9, 15, false}, {7, 5, 3, false}, {9, 8, 12, true}};
    const int *patterns[][2] = {{of_image, of_style}, {alike, of_style}, {of_image, alike}};
    for (size_t s = 0; s < sizes_to_try(COUNT_OF(sizes), 2); ++s) {
        for (size_t p = 0; p < COUNT_OF(patterns); ++p) {
            const struct problem problem = {.methods = methods,
                                            .options = options[p % 2],
                                            .size = sizes[s],
                                            .image = patterns[p][0],
                                            .style = patterns[p][1]};
            check_problem(context, &problem);
        }
    }
}

/* Of one layer by itself; positions of a style count or do not. */
static void neighbors_count_by_weight(void **state) {
    static const struct map_size sizes[] = {{20, 9, 15, false}, {7, 5, 6, true}};
    for (size_t s = 0; s < COUNT_OF(sizes); ++s) {
        const struct problem problem = {
            .methods = &layer_neighbors_loss, .size = sizes[s], .image = of_image, .style = alike};
        check_problem(*state, &problem);
    }
}

static void contents_count_by_weight(void **state) {
    check_kind(*state, &content_loss);
}

static void gram_matrices_count_by_weight(void **state) {
    check_kind(*state, &gram_loss);
}

static void means_and_covariances_count_by_weight(void **state) {
    check_kind(*state, &wasserstein_loss);
}

/* A mean over what counts: with a third of the pixels, three times as much for each of them. */
static void total_variation_is_a_mean_over_what_counts(void **state) {
    nst_context *context = *state;
    nst_error error;
    const struct image_size size = {6, 9};
    float *image = random_uniform_array(8, 3 * 54, 0, 255), *weights = allocate(54, sizeof *weights);
    cl_mem buffer = upload(context, image, 3 * 54 * sizeof *image);
    for (int i = 0; i < 54; ++i) {
        weights[i] = i % 3 == 0 ? 1.0f : 0.0f;
    }
    for (int kind = 0; kind < 3; ++kind) { /* a mean, a sum, a mean of nine points */
        double values[2];
        const struct loss_spec spec = {.kind = "total variation",
                                       .weight = 2,
                                       .options = {.power = 2, .mean = kind == 0, .nine_points = kind == 2},
                                       .weighs = true};
        for (int weighted = 0; weighted < 2; ++weighted) {
            struct plan plan = {0};
            struct loss *loss;
            struct loss_run *run;
            const struct region region = {.image = size, .weights = weighted ? weights : NULL};
            const struct loss_map at = {
                .map = {.values = buffer, .channels = 3, .height = size.height, .width = size.width}, .image = size};
            check(loss_create(context, NULL, &spec, &loss, &error), &error);
            check(loss_reserve(loss, &plan, &size, 1, &run, &error), &error);
            loss_run_set_partials(run, plan_add_always(&plan, reduction_bytes(context, 1), "losses"), 0);
            check(plan_assign(&plan, &error), &error);
            check(plan_allocate(&plan, context, &error), &error);
            check(loss_target_begin(run, &region, 1, &error), &error);
            check(loss_target_end(run, &error), &error);
            check(loss_value(run, &at, &error), &error);
            check(loss_read_sum(run, &values[weighted], &error), &error);
            loss_run_free(run);
            loss_destroy(loss);
            plan_free(&plan, context);
        }
        assert_close("total variation", values[1], (kind == 1 ? 1 : 3) * values[0], 1e-6);
    }
    buffer_release(context, &buffer);
    free(image);
    free(weights);
}

/* ---- Averages ---------------------------------------------------------------------------------------------------- */

static void weights_are_averaged_over_the_pixels_of_a_position(void **state) {
    (void)state;
    static const float weights[] = {0, 1, 0.5f, 1, 1, /**/ 0, 0, 0.5f, 0, 1, /**/ 1, 1, 1, 0, 0};
    const struct region region = {.image = {3, 5}, .weights = weights}, everywhere_there = {.image = {3, 5}};
    float got[24];
    assert_close("sum", region_average(&region, (struct image_size){1, 2}, got), 0.5 + 5.0 / 9, 1e-6);
    assert_close("left", got[0], 0.5, 1e-6);
    assert_close("right", got[1], 5.0 / 9, 1e-6);
    assert_close("same size", region_average(&region, (struct image_size){3, 5}, got), 8, 1e-6);
    assert_memory_equal(got, weights, sizeof weights);
    /* A grid may be finer than the image. */
    assert_close("finer", region_average(&region, (struct image_size){3, 8}, got), 12, 1e-6);
    assert_close("no weights", region_average(&everywhere_there, (struct image_size){2, 3}, got), 6, 1e-6);
}

/* Weights where none were planned for. */
static void weights_that_were_not_planned_are_refused(void **state) {
    nst_context *context = *state;
    nst_error error;
    const struct map_size size = {5, 6, 6, false};
    const struct loss_spec spec = {.kind = "content", .layers = {"relu1_1"}, .layer_count = 1, .weight = 1};
    float *weights = allocate(36, sizeof *weights);
    const struct region region = {.image = {6, 6}, .weights = weights};
    struct loss_case test;
    loss_case_open(&test, context, size, (struct image_size){6, 6}, &spec, true);
    assert_int_equal(loss_target_begin(test.run, &region, 1, &error), NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "not planned"));
    loss_case_close(&test);
    free(weights);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents_count_by_weight),
        cmocka_unit_test(gram_matrices_count_by_weight),
        cmocka_unit_test(means_and_covariances_count_by_weight),
        cmocka_unit_test(neighbors_count_by_weight),
        cmocka_unit_test(total_variation_is_a_mean_over_what_counts),
        cmocka_unit_test(weights_are_averaged_over_the_pixels_of_a_position),
        cmocka_unit_test(weights_that_were_not_planned_are_refused),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
