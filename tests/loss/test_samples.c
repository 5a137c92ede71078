/* test_samples.c: samples of feature maps, their gradient and their statistics (cl/samples.cl, loss/samples.c) against
 * the float64 reference, for maps of floats and of bfloat16. */
#include "fixture.h"
#include "loss/samples.h"
#include "reference/resample.h"

#include <stdlib.h>

/* Strided where `stride` is not 0, otherwise rows x columns with corners aligned. */
struct grid_case {
    struct map_size map;
    int rows, columns, stride, offset_y, offset_x;
};
static const struct grid_case cases[] = {
    {{1, 1, 1, false}, 1, 1, 0, 0, 0},      {{3, 3, 5, false}, 1, 3, 0, 0, 0},    {{20, 3, 5, false}, 7, 4, 0, 0, 0},
    {{3, 17, 31, false}, 0, 0, 3, 2, 1},    {{64, 9, 14, false}, 9, 14, 0, 0, 0}, {{65, 17, 31, false}, 5, 8, 0, 0, 0},
    {{20, 17, 31, false}, 33, 40, 0, 0, 0}, {{65, 9, 14, false}, 0, 0, 1, 0, 0},  {{3, 40, 37, false}, 0, 0, 8, 7, 5},
};
static const float scale = 0.7f;

struct reading {
    struct sample_grid grid;
    struct reference_line rows, columns;
};

static struct reading reading_of(const struct grid_case *c) {
    struct reading reading;
    if (c->stride) {
        reading.grid.rows = sample_line_strided(c->map.height, c->stride, c->offset_y);
        reading.grid.columns = sample_line_strided(c->map.width, c->stride, c->offset_x);
        int rows = (c->map.height - 1 - c->offset_y) / c->stride + 1;
        int columns = (c->map.width - 1 - c->offset_x) / c->stride + 1;
        reading.rows = (struct reference_line){c->stride, c->offset_y, c->map.height, rows};
        reading.columns = (struct reference_line){c->stride, c->offset_x, c->map.width, columns};
    } else {
        reading.grid.rows = sample_line_aligned(c->map.height, c->rows);
        reading.grid.columns = sample_line_aligned(c->map.width, c->columns);
        reading.rows = reference_aligned(c->map.height, c->rows);
        reading.columns = reference_aligned(c->map.width, c->columns);
    }
    assert_int_equal(reading.grid.rows.count, reading.rows.count);
    assert_int_equal(reading.grid.columns.count, reading.columns.count);
    return reading;
}

/* Samples as a map of floats. */
static struct map_size samples_size(const struct grid_case *c, const struct reading *reading) {
    return (struct map_size){c->map.channels, reading->rows.count, reading->columns.count, false};
}

/* The part of a stack that begins behind one other block. */
static float *download_second(nst_context *context, const struct sample_stack *stack, struct map_size size) {
    uint64_t bytes = sample_stack_bytes(context, stack->blocks, stack->positions);
    uint64_t before = sample_stack_bytes(context, stack->first_block, stack->positions);
    char *all = download(context, stack->samples, before + bytes);
    cl_mem part = upload(context, all + before, bytes);
    float *dense = download_map(context, part, size);
    buffer_release(context, &part);
    free(all);
    return dense;
}

static void check_reading(nst_context *context, const struct samples *samples, const struct grid_case *c) {
    nst_error error;
    struct reading reading = reading_of(c);
    struct map_size size = samples_size(c, &reading);
    float *map = random_map(1, c->map);
    double *maps = to_doubles(map, elements_of(c->map)), *expected = allocate(elements_of(size), sizeof *expected);
    reference_resample(maps, c->map.channels, reading.rows, reading.columns, expected);
    for (size_t i = 0; i < elements_of(size); ++i) {
        expected[i] *= scale;
    }
    struct sample_stack stack = {.first_block = 1,
                                 .blocks = sample_blocks(context, c->map.channels),
                                 .positions = sample_grid_positions(&reading.grid)};
    stack.samples = create_zero(context, sample_stack_bytes(context, 1 + stack.blocks, stack.positions));
    struct sample_source source = {.map = upload_map(context, map, c->map),
                                   .height = c->map.height,
                                   .width = c->map.width,
                                   .grid = reading.grid,
                                   .scale = scale};
    check(samples_read(context, samples, &source, &stack, &error), &error);
    float *got = download_second(context, &stack, size);
    assert_near("samples", got, expected, elements_of(size), 1e-6);
    buffer_release(context, &stack.samples);
    buffer_release(context, &source.map);
    free(got);
    free(map);
    free(maps);
    free(expected);
}

/* The gradient of <samples, values> for the map, each element by a difference: reading is linear. */
static double *finite_differences(const struct grid_case *c, const struct reading *reading, const float *values) {
    size_t pixels = pixels_of(c->map), positions = (size_t)(reading->rows.count * reading->columns.count);
    double *gradient = allocate(elements_of(c->map), sizeof *gradient), *map = allocate(pixels, sizeof *map);
    double *read = allocate(positions, sizeof *read);
    for (size_t p = 0; p < pixels; ++p) {
        map[p] = 1;
        reference_resample(map, 1, reading->rows, reading->columns, read);
        map[p] = 0;
        for (int channel = 0; channel < c->map.channels; ++channel) {
            for (size_t i = 0; i < positions; ++i) {
                gradient[(size_t)channel * pixels + p] += scale * read[i] * values[(size_t)channel * positions + i];
            }
        }
    }
    free(map);
    free(read);
    return gradient;
}

static void check_gradient(nst_context *context, const struct samples *samples, const struct grid_case *c,
                           bool has_mask) {
    nst_error error;
    struct reading reading = reading_of(c);
    struct map_size size = samples_size(c, &reading);
    float *values = random_map(2, size), *before = random_map(3, c->map);
    bool *mask = random_mask(4, c->map);
    double *expected = finite_differences(c, &reading, values);
    for (size_t i = 0; i < elements_of(c->map); ++i) {
        expected[i] = before[i] + (has_mask && !mask[i] ? 0 : expected[i]);
    }
    struct sample_stack stack = {.samples = upload_map(context, values, size),
                                 .blocks = sample_blocks(context, c->map.channels),
                                 .positions = sample_grid_positions(&reading.grid)};
    struct sample_source source = {.map = upload_map(context, before, c->map),
                                   .mask = has_mask ? upload_mask(context, mask, c->map) : NULL,
                                   .height = c->map.height,
                                   .width = c->map.width,
                                   .grid = reading.grid,
                                   .scale = scale};
    check(samples_add_gradient(context, samples, &source, &stack, &error), &error);
    float *got = download_map(context, source.map, c->map);
    assert_map_near("gradient", got, expected, c->map, 2e-6);
    buffer_release(context, &stack.samples);
    buffer_release(context, &source.map);
    buffer_release(context, &source.mask);
    free(values);
    free(before);
    free(mask);
    free(expected);
    free(got);
}

static void reading_and_its_gradient(void **state) {
    for (int half = 0; half < 2; ++half) {
        nst_error error;
        struct samples samples;
        check(samples_create(*state, half, &samples, &error), &error);
        for (size_t i = 0; i < sizes_to_try(COUNT_OF(cases), 4); ++i) {
            struct grid_case c = cases[i];
            c.map.half = half;
            check_reading(*state, &samples, &c);
            check_gradient(*state, &samples, &c, true);
            check_gradient(*state, &samples, &c, false);
        }
        samples_release(&samples);
    }
}

/* ---- Statistics --------------------------------------------------------------------------------------------------- */

/* Subtracts the means from `values`, which are left in `means`. */
static void reference_center(double *values, struct map_size size, double *means) {
    size_t positions = pixels_of(size);
    for (int c = 0; c < size.channels; ++c) {
        double *channel = values + (size_t)c * positions;
        means[c] = 0;
        for (size_t p = 0; p < positions; ++p) {
            means[c] += channel[p] / (double)positions;
        }
        for (size_t p = 0; p < positions; ++p) {
            channel[p] -= means[c];
        }
    }
}

/* `squares` += squared lengths. */
static void reference_squared_lengths(const double *values, struct map_size size, double *squares) {
    for (size_t i = 0; i < elements_of(size); ++i) {
        squares[i % pixels_of(size)] += values[i] * values[i];
    }
}

static void assert_squares(nst_context *context, cl_mem squares, const double *expected, size_t count) {
    float *got = download(context, squares, count * sizeof *got);
    assert_near("squares", got, expected, count, 1e-6);
    free(got);
}

static void check_statistics(nst_context *context, const struct samples *samples, struct map_size size) {
    nst_error error;
    size_t positions = pixels_of(size);
    float *values = random_array(5, elements_of(size));
    for (size_t i = 0; i < elements_of(size); ++i) {
        values[i] += 3; /* so that the mean matters */
    }
    double *centered = to_doubles(values, elements_of(size)), *means = allocate((size_t)size.channels, sizeof *means);
    double *squares = allocate(positions, sizeof *squares), *sums = allocate(positions, sizeof *sums);
    reference_squared_lengths(centered, size, sums);
    reference_center(centered, size, means);
    reference_squared_lengths(centered, size, squares);
    struct sample_stack stack = {.samples = upload_map(context, values, size),
                                 .blocks = blocks_of_map(context, size),
                                 .positions = (int)positions};
    cl_mem mean = create_zero(context, sample_stack_bytes(context, stack.blocks, 1));
    struct sample_squares call = {.squares = upload(context, values, positions * sizeof *values)};
    check(samples_mean(context, samples, &stack, mean, &error), &error);
    float *got = download_map(context, mean, (struct map_size){size.channels, 1, 1, false});
    assert_near("means", got, means, (size_t)size.channels, 1e-6);
    free(got);

    check(samples_squares(context, samples, &stack, &call, &error), &error);
    assert_squares(context, call.squares, sums, positions);
    call.mean = mean;
    check(samples_squares(context, samples, &stack, &call, &error), &error);
    assert_squares(context, call.squares, squares, positions);
    call.adds = true;
    check(samples_squares(context, samples, &stack, &call, &error), &error);
    for (size_t p = 0; p < positions; ++p) {
        squares[p] *= 2;
    }
    assert_squares(context, call.squares, squares, positions);

    struct sample_center center = {.mean = mean, .factor = 1};
    check(samples_subtract(context, samples, &stack, &center, &error), &error);
    got = download_map(context, stack.samples, size);
    assert_near("centered", got, centered, elements_of(size), 2e-6);
    free(got);
    /* Back again, and further at every other position. */
    for (size_t i = 0; i < elements_of(size); ++i) {
        centered[i] += (i % positions % 2 ? 3 : 1) * means[i / positions];
    }
    for (size_t p = 0; p < positions; ++p) {
        values[p] = p % 2 ? 3 : 1;
    }
    center.weights = upload(context, values, positions * sizeof *values);
    center.factor = -1;
    check(samples_subtract(context, samples, &stack, &center, &error), &error);
    got = download_map(context, stack.samples, size);
    assert_near("moved by weights", got, centered, elements_of(size), 2e-6);
    free(got);
    buffer_release(context, &center.weights);
    buffer_release(context, &stack.samples);
    buffer_release(context, &mean);
    buffer_release(context, &call.squares);
    free(values);
    free(centered);
    free(means);
    free(squares);
    free(sums);
}

static void means_and_lengths(void **state) {
    static const struct map_size sizes[] = {
        {1, 1, 2, false}, {3, 3, 5, false}, {20, 1, 17, false}, {64, 17, 31, false}, {65, 9, 14, false}};
    nst_error error;
    struct samples samples;
    check(samples_create(*state, false, &samples, &error), &error);
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(sizes), 3); ++i) {
        check_statistics(*state, &samples, sizes[i]);
    }
    samples_release(&samples);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_and_its_gradient),
        cmocka_unit_test(means_and_lengths),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
