/* test_similarity.c: the divergence of self-similarities (cl/similarity.cl) against float64. */
#include "fixture.h"
#include "loss_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* log softmax over j of scale F[i] . F[j] */
static void log_softmax(const double *map, struct map_size size, double scale, size_t i, double *row) {
    size_t positions = pixels_of(size);
    double largest = -INFINITY, sum = 0;
    for (size_t j = 0; j < positions; ++j) {
        row[j] = 0;
        for (size_t c = 0; c < (size_t)size.channels; ++c) {
            row[j] += scale * map[c * positions + i] * map[c * positions + j];
        }
        largest = fmax(largest, row[j]);
    }
    for (size_t j = 0; j < positions; ++j) {
        sum += exp(row[j] - largest);
    }
    for (size_t j = 0; j < positions; ++j) {
        row[j] -= largest + log(sum);
    }
}

static double reference_divergence(const double *map, const double *target, struct map_size size, double scale) {
    size_t positions = pixels_of(size);
    double sum = 0, *own = allocate(positions, sizeof *own), *goal = allocate(positions, sizeof *goal);
    for (size_t i = 0; i < positions; ++i) {
        log_softmax(map, size, scale, i, own);
        log_softmax(target, size, scale, i, goal);
        for (size_t j = 0; j < positions; ++j) {
            sum += exp(goal[j]) * (goal[j] - own[j]);
        }
    }
    free(own);
    free(goal);
    return sum / (double)positions;
}

static void check_size(nst_context *context, struct map_size size, double feature_scale) {
    nst_error error;
    struct loss_case test;
    const struct loss_spec spec = {.kind = "self-similarity",
                                   .layers = {"relu1_1"},
                                   .layer_count = 1,
                                   .weight = 1.5,
                                   .options = {.feature_scale = feature_scale}};
    const struct loss_target content = {.picture = LOSS_CONTENT, .share = 1},
                             style = {.picture = LOSS_STYLE, .share = 1};
    float *values[] = {random_map(1, size), random_map(2, size)};
    double *doubles[] = {to_doubles(values[0], elements_of(size)), to_doubles(values[1], elements_of(size))};
    cl_mem buffers[] = {upload_map(context, values[0], size), upload_map(context, values[1], size)};
    struct loss_map at = {
        .map = {.values = buffers[1], .channels = size.channels, .height = size.height, .width = size.width}};
    loss_case_open(&test, context, size, (struct image_size){size.height, size.width}, &spec, false);
    check(loss_target_begin(test.run, &everywhere, 1, &error), &error);
    check(loss_target_add(test.run, &at, &content, &error), &error);
    at.map.values = buffers[0];
    check(loss_target_add(test.run, &at, &style, &error), &error); /* none of its business */
    check(loss_target_end(test.run, &error), &error);
    check(loss_value(test.run, &at, &error), &error);
    double expected = reference_divergence(doubles[0], doubles[1], size, feature_scale * feature_scale / size.channels);
    assert_true(fabs(loss_case_value(&test) - 1.5 * expected) < 1e-5 * (1 + expected));
    at.map.values = buffers[1];
    check(loss_value(test.run, &at, &error), &error); /* itself */
    assert_true(fabs(loss_case_value(&test)) < 1e-5);
    assert_int_equal(loss_add_gradient(test.run, &at, buffers[1], &error), NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "'self-similarity' has no gradient"));
    loss_case_close(&test);
    for (int i = 0; i < 2; ++i) {
        buffer_release(context, &buffers[i]);
        free(values[i]);
        free(doubles[i]);
    }
}

/* Also where one similarity outweighs all others. */
static void divergences_agree_with_the_reference(void **state) {
    for (size_t i = 0; i < sizes_to_try(map_size_count(), 4); ++i) {
        struct map_size size = map_sizes[i];
        size.height = size.height > 40 ? 40 : size.height;
        for (int half = 0; half < 2; ++half) {
            size.half = half;
            check_size(*state, size, 1);
            check_size(*state, size, 9);
        }
    }
}

/* In as many dispatches as there are rows. */
static void rows_may_be_dispatched_apart(void **state) {
    nst_context *context = *state;
    double flop = context->dispatch_flop;
    context->dispatch_flop = 1;
    check_size(context, (struct map_size){20, 5, 9, false}, 2);
    context->dispatch_flop = flop;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(divergences_agree_with_the_reference),
        cmocka_unit_test(rows_may_be_dispatched_apart),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
