/* test_cosine.c: the cosine loss (cl/cosine.cl, loss/cosine.c) over a stack of two layers against the float64 reference
 * and its finite differences. */
#include "device/reduction.h"
#include "fixture.h"
#include "loss/cosine.h"
#include "reference/cosine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Channels of the two layers, and positions. */
struct problem_size {
    int channels[2], height, width;
};
static const struct problem_size sizes[] = {
    {{1, 1}, 1, 1}, {{3, 20}, 3, 5}, {{64, 3}, 2, 9}, {{20, 65}, 9, 14}, {{64, 65}, 17, 31}};

/* Samples f, targets t of length 1 and a center, both layers under each other. At position 0 f is the center, at
 * position 1, if there is one, t is zero. */
struct problem {
    int channels, positions;
    float *samples, *targets, *mean, *weights;
};

static void normalize_columns(float *values, int channels, int positions) {
    for (int p = 0; p < positions; ++p) {
        double square = 0;
        for (int c = 0; c < channels; ++c) {
            square += (double)values[c * positions + p] * values[c * positions + p];
        }
        for (int c = 0; c < channels; ++c) {
            values[c * positions + p] = p == 1 ? 0 : (float)(values[c * positions + p] / sqrt(square));
        }
    }
}

static struct problem make_problem(const struct problem_size *size, bool has_mean) {
    struct problem problem = {
        size->channels[0] + size->channels[1], size->height * size->width, NULL, NULL, NULL, NULL};
    size_t channels = (size_t)problem.channels, positions = (size_t)problem.positions;
    problem.samples = random_array(1, channels * positions);
    problem.targets = random_array(2, channels * positions);
    problem.mean = random_array(3, channels);
    problem.weights = random_uniform_array(4, positions, 0, 2);
    for (size_t c = 0; c < channels; ++c) {
        problem.mean[c] = has_mean ? problem.mean[c] : 0;
        problem.samples[c * positions] = problem.mean[c];
    }
    normalize_columns(problem.targets, problem.channels, problem.positions);
    return problem;
}

static void free_problem(struct problem *problem) {
    free(problem->samples);
    free(problem->targets);
    free(problem->mean);
    free(problem->weights);
}

/* Two layers as a stack on the device, each in whole blocks; back as one dense array. */
static cl_mem upload_stack(nst_context *context, const float *dense, const int channels[2], int positions) {
    uint64_t bytes[2];
    char *both = NULL;
    for (int i = 0; i < 2; ++i) {
        struct map_size size = {channels[i], 1, positions, false};
        cl_mem layer = upload_map(context, dense + (size_t)i * (size_t)(channels[0] * positions), size);
        bytes[i] = sample_stack_bytes(context, sample_blocks(context, channels[i]), positions);
        char *values = download(context, layer, bytes[i]);
        both = realloc(both, bytes[0] + (i ? bytes[1] : 0));
        assert_non_null(both);
        memcpy(both + (i ? bytes[0] : 0), values, bytes[i]);
        free(values);
        buffer_release(context, &layer);
    }
    cl_mem stack = upload(context, both, bytes[0] + bytes[1]);
    free(both);
    return stack;
}

static float *download_stack(nst_context *context, cl_mem stack, const int channels[2], int positions) {
    uint64_t bytes[2] = {sample_stack_bytes(context, sample_blocks(context, channels[0]), positions),
                         sample_stack_bytes(context, sample_blocks(context, channels[1]), positions)};
    char *both = download(context, stack, bytes[0] + bytes[1]);
    float *dense = allocate((size_t)((channels[0] + channels[1]) * positions), sizeof *dense);
    for (int i = 0; i < 2; ++i) {
        struct map_size size = {channels[i], 1, positions, false};
        cl_mem layer = upload(context, both + (i ? bytes[0] : 0), bytes[i]);
        float *values = download_map(context, layer, size);
        memcpy(dense + (size_t)i * (size_t)(channels[0] * positions), values, elements_of(size) * sizeof *dense);
        free(values);
        buffer_release(context, &layer);
    }
    free(both);
    return dense;
}

/* The gradient of the loss for the samples, by central differences; zero where it has none. */
static double *finite_differences(const struct reference_pair *pair, double *samples, const double *weights) {
    const double step = 1e-6;
    int positions = pair->a.positions;
    double *gradient = allocate((size_t)(pair->a.channels * positions), sizeof *gradient);
    for (int i = 0; i < pair->a.channels * positions; ++i) {
        int p = i % positions;
        double before = samples[i];
        if (p > 0) {
            samples[i] = before + step;
            double above = reference_cosine(pair, p, p);
            samples[i] = before - step;
            gradient[i] = -weights[p] * (above - reference_cosine(pair, p, p)) / (2 * step);
            samples[i] = before;
        }
    }
    return gradient;
}

struct buffers {
    cl_mem samples, targets, mean, weights, partials;
    struct cosine_sums sums;
};

static struct buffers create_buffers(nst_context *context, const struct problem *problem, const int channels[2]) {
    size_t bytes = (size_t)problem->positions * sizeof(float);
    return (struct buffers){
        .samples = upload_stack(context, problem->samples, channels, problem->positions),
        .targets = upload_stack(context, problem->targets, channels, problem->positions),
        .mean = upload_stack(context, problem->mean, channels, 1),
        .weights = upload(context, problem->weights, bytes),
        .partials = create_zero(context, reduction_bytes(context, 2)),
        .sums = {upload(context, problem->weights, bytes), upload(context, problem->weights, bytes)}};
}

static void release_buffers(nst_context *context, struct buffers *buffers) {
    cl_mem *all[] = {&buffers->samples,  &buffers->targets,   &buffers->mean,        &buffers->weights,
                     &buffers->partials, &buffers->sums.dots, &buffers->sums.squares};
    for (size_t i = 0; i < COUNT_OF(all); ++i) {
        buffer_release(context, all[i]);
    }
}

/* The slope takes the samples' place. */
static double run(nst_context *context, const struct buffers *buffers, const int channels[2], int positions,
                  bool has_mean, bool has_weights) {
    nst_error error;
    struct cosine cosine;
    struct cosine_layer layers[2];
    double loss;
    for (int i = 0, block = 0; i < 2; ++i) {
        int blocks = sample_blocks(context, channels[i]);
        layers[i] = (struct cosine_layer){.samples = {buffers->samples, block, blocks, positions},
                                          .targets = buffers->targets,
                                          .first_target_block = block,
                                          .mean = has_mean ? buffers->mean : NULL};
        block += blocks;
    }
    struct cosine_value value = {.positions = positions,
                                 .weight = 0.3,
                                 .weights = has_weights ? buffers->weights : NULL,
                                 .partials = buffers->partials,
                                 .slot = 1};
    check(cosine_create(context, &cosine, &error), &error);
    for (int i = 0; i < 2; ++i) {
        check(cosine_add(context, &cosine, &layers[i], &buffers->sums, i == 0, &error), &error);
    }
    check(cosine_loss(context, &cosine, &buffers->sums, &value, &error), &error);
    check(reduction_read(context, buffers->partials, 1, &loss, &error), &error);
    for (int i = 0; i < 2; ++i) {
        check(cosine_slope(context, &cosine, &layers[i], &buffers->sums, buffers->samples, &error), &error);
    }
    cosine_release(&cosine);
    return loss;
}

static void check_loss(nst_context *context, const struct problem_size *size, bool has_mean, bool has_weights) {
    struct problem problem = make_problem(size, has_mean);
    size_t count = (size_t)(problem.channels * problem.positions);
    double *samples = to_doubles(problem.samples, count), *targets = to_doubles(problem.targets, count);
    double *mean = to_doubles(problem.mean, (size_t)problem.channels);
    double *weights = to_doubles(problem.weights, (size_t)problem.positions);
    for (int p = 0; p < problem.positions; ++p) {
        weights[p] = 0.3 * (has_weights ? weights[p] : 1);
    }
    struct reference_pair pair = {
        {samples, problem.channels, problem.positions}, {targets, problem.channels, problem.positions}, mean, NULL};
    double *gradient = finite_differences(&pair, samples, weights);
    struct buffers buffers = create_buffers(context, &problem, size->channels);
    double loss = run(context, &buffers, size->channels, problem.positions, has_mean, has_weights);
    assert_close("cosine loss", loss, reference_cosine_loss(&pair, weights), 2e-6);
    float *slope = download_stack(context, buffers.samples, size->channels, problem.positions);
    if (problem.positions > 1) {
        assert_near("slope", slope, gradient, count, 5e-6);
    }
    for (int c = 0; c < problem.channels; ++c) { /* vectors without direction */
        assert_true(slope[c * problem.positions] == 0);
        assert_true(problem.positions == 1 || slope[c * problem.positions + 1] == 0);
    }
    release_buffers(context, &buffers);
    free_problem(&problem);
    free(samples);
    free(targets);
    free(mean);
    free(weights);
    free(gradient);
    free(slope);
}

static void loss_and_slope_agree_with_the_reference(void **state) {
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(sizes), 3); ++i) {
        for (int options = 0; options < 4; ++options) {
            check_loss(*state, &sizes[i], options & 1, options & 2);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_and_slope_agree_with_the_reference),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
