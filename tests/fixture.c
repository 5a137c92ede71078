/* fixture.c: what the suites that compute on a device share; see fixture.h. */
#include "fixture.h"

#include "network/convolution.h"
#include "reference/convolution.h"
#include "weights/half.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct map_size map_sizes[] = {{1, 1, 1, false},   {3, 1, 1, false},   {5, 3, 5, false},    {17, 4, 4, false},
                                     {3, 17, 31, false}, {64, 9, 14, false}, {17, 33, 20, false}, {70, 2, 3, false}};

size_t map_size_count(void) {
    return sizes_to_try(COUNT_OF(map_sizes), 4);
}

int fixture_open(void **state) {
    nst_context *context = NULL;
    nst_error error;
    if (nst_context_create(NULL, &context, &error)) {
        print_error("%s\n", error.message);
        return -1;
    }
    *state = context;
    return 0;
}

int fixture_close(void **state) {
    nst_context_destroy(*state);
    return 0;
}

void check(nst_status status, const nst_error *error) {
    if (status) {
        fail_msg("%s", error->message);
    }
}

nst_context *open_half(int number, char *spec) {
    nst_context *context, *half;
    nst_error error;
    check(nst_context_create(NULL, &context, &error), &error);
    const nst_device_info *info = nst_context_device(context);
    snprintf(spec, 32, "%d:%d#%d/2", info->platform_index, info->device_index, number);
    if (nst_context_create(&(nst_context_options){.device = spec}, &half, &error)) {
        snprintf(spec, 32, "%d:%d", info->platform_index, info->device_index);
        check(nst_context_create(&(nst_context_options){.device = spec}, &half, &error), &error);
    }
    nst_context_destroy(context);
    return half;
}

/* ---- Data ------------------------------------------------------------------------------------------------------ */

void *allocate(size_t count, size_t bytes) {
    void *memory = calloc(count ? count : 1, bytes);
    assert_non_null(memory);
    return memory;
}

float *random_array(uint64_t seed, size_t count) {
    struct random_generator generator = random_from_seed(seed);
    float *values = allocate(count, sizeof *values);
    for (size_t i = 0; i < count; ++i) {
        values[i] = (float)random_normal(&generator);
    }
    return values;
}

float *random_uniform_array(uint64_t seed, size_t count, double low, double high) {
    struct random_generator generator = random_from_seed(seed);
    float *values = allocate(count, sizeof *values);
    for (size_t i = 0; i < count; ++i) {
        values[i] = (float)(low + (high - low) * random_uniform(&generator));
    }
    return values;
}

double *to_doubles(const float *values, size_t count) {
    double *doubles = allocate(count, sizeof *doubles);
    for (size_t i = 0; i < count; ++i) {
        doubles[i] = values[i];
    }
    return doubles;
}

cl_mem upload(nst_context *context, const void *data, size_t bytes) {
    cl_mem buffer = NULL;
    nst_error error;
    check(buffer_create(context, bytes, "test data", &buffer, &error), &error);
    check(buffer_write(context, buffer, 0, data, bytes, &error), &error);
    return buffer;
}

cl_mem create_zero(nst_context *context, size_t bytes) {
    void *zeros = allocate(1, bytes);
    cl_mem buffer = upload(context, zeros, bytes);
    free(zeros);
    return buffer;
}

void *download(nst_context *context, cl_mem buffer, size_t bytes) {
    void *data = allocate(1, bytes);
    nst_error error;
    check(buffer_read(context, buffer, 0, data, bytes, &error), &error);
    return data;
}

/* ---- Layouts --------------------------------------------------------------------------------------------------- */

int blocks_of_map(const nst_context *context, struct map_size size) {
    return (size.channels + context->channel_block - 1) / context->channel_block;
}

static size_t map_elements(const nst_context *context, struct map_size size) {
    return (size_t)(feature_map_bytes(context, false, size.channels, size.height, size.width) / sizeof(float));
}

float *random_map(uint64_t seed, struct map_size size) {
    float *values = random_array(seed, elements_of(size));
    round_map(values, size);
    return values;
}

void round_map(float *values, struct map_size size) {
    for (size_t i = 0; size.half && i < elements_of(size); ++i) {
        values[i] = bfloat16_to_float(bfloat16_from_float(values[i]));
    }
}

cl_mem upload_blocks(nst_context *context, const float *blocks, size_t count, bool half) {
    if (!half) {
        return upload(context, blocks, count * sizeof *blocks);
    }
    uint16_t *halves = allocate(count, sizeof *halves);
    for (size_t i = 0; i < count; ++i) {
        halves[i] = bfloat16_from_float(blocks[i]);
    }
    cl_mem buffer = upload(context, halves, count * sizeof *halves);
    free(halves);
    return buffer;
}

float *download_blocks(nst_context *context, cl_mem buffer, size_t count, bool half) {
    if (!half) {
        return download(context, buffer, count * sizeof(float));
    }
    uint16_t *halves = download(context, buffer, count * sizeof *halves);
    float *blocks = allocate(count, sizeof *blocks);
    for (size_t i = 0; i < count; ++i) {
        blocks[i] = bfloat16_to_float(halves[i]);
    }
    free(halves);
    return blocks;
}

cl_mem upload_map(nst_context *context, const float *dense, struct map_size size) {
    size_t count = map_elements(context, size);
    float *map = allocate(count, sizeof *map);
    feature_map_from_dense(context->channel_block, size.channels, pixels_of(size), dense, map);
    cl_mem buffer = upload_blocks(context, map, count, size.half);
    free(map);
    return buffer;
}

float *download_map(nst_context *context, cl_mem buffer, struct map_size size) {
    float *map = download_blocks(context, buffer, map_elements(context, size), size.half);
    float *dense = allocate(elements_of(size), sizeof *dense);
    feature_map_to_dense(context->channel_block, size.channels, pixels_of(size), map, dense);
    size_t block = (size_t)context->channel_block, pixels = pixels_of(size);
    for (size_t c = (size_t)size.channels; c < (size_t)blocks_of_map(context, size) * block; ++c) {
        for (size_t p = 0; p < pixels; ++p) {
            assert_true(map[(c / block * pixels + p) * block + c % block] == 0);
        }
    }
    free(map);
    return dense;
}

size_t mask_elements(const nst_context *context, struct map_size size) {
    return (size_t)relu_mask_bytes(context, size.channels, size.height, size.width) / sizeof(cl_ushort);
}

/* Where the ushort with a pixel's bit is. */
static size_t mask_index(const nst_context *context, struct map_size size, int c, int y, int x) {
    int block = context->channel_block, rows = (size.height + 3) / 4, columns = (size.width + 3) / 4;
    return (((size_t)(c / block) * (size_t)rows + (size_t)(y / 4)) * (size_t)columns + (size_t)(x / 4)) *
               (size_t)block +
           (size_t)(c % block);
}

static int mask_bit(int y, int x) {
    return 4 * (y % 4) + x % 4;
}

cl_mem upload_mask(nst_context *context, const bool *dense, struct map_size size) {
    size_t count = mask_elements(context, size);
    cl_ushort *mask = allocate(count, sizeof *mask);
    for (int c = 0; c < size.channels; ++c) {
        for (int y = 0; y < size.height; ++y) {
            for (int x = 0; x < size.width; ++x) {
                if (*dense++) {
                    mask[mask_index(context, size, c, y, x)] |= (cl_ushort)(1u << mask_bit(y, x));
                }
            }
        }
    }
    cl_mem buffer = upload(context, mask, count * sizeof *mask);
    free(mask);
    return buffer;
}

bool *download_mask(nst_context *context, cl_mem buffer, struct map_size size) {
    cl_ushort *mask = download(context, buffer, mask_elements(context, size) * sizeof *mask);
    bool *dense = allocate(elements_of(size), sizeof *dense), *next = dense;
    for (int c = 0; c < size.channels; ++c) {
        for (int y = 0; y < (size.height + 3) / 4 * 4; ++y) {
            for (int x = 0; x < (size.width + 3) / 4 * 4; ++x) {
                bool bit = mask[mask_index(context, size, c, y, x)] >> mask_bit(y, x) & 1;
                if (y < size.height && x < size.width) {
                    *next++ = bit;
                } else {
                    assert_false(bit);
                }
            }
        }
    }
    free(mask);
    return dense;
}

bool *random_mask(uint64_t seed, struct map_size size) {
    struct random_generator generator = random_from_seed(seed);
    bool *mask = allocate(elements_of(size), sizeof *mask);
    for (size_t i = 0; i < elements_of(size); ++i) {
        mask[i] = random_bits(&generator) & 1;
    }
    return mask;
}

/* ---- Comparisons ----------------------------------------------------------------------------------------------- */

static double root_mean_square(const double *values, size_t count) {
    double squares = 0;
    for (size_t i = 0; i < count; ++i) {
        squares += values[i] * values[i];
    }
    return sqrt(squares / (double)count);
}

/* `rounding`: by how much more, relative to itself, each may be off. */
static void assert_elements_near(const char *what, const float *got, const double *expected, size_t count, double bound,
                                 double rounding) {
    double rms = root_mean_square(expected, count), worst = -1;
    size_t at = 0;
    for (size_t i = 0; i < count; ++i) {
        double difference = fabs(got[i] - expected[i]) - rounding * fabs(expected[i]);
        if (!(difference <= worst)) {
            worst = isnan(difference) ? INFINITY : difference;
            at = i;
        }
    }
    if (worst > bound * rms) {
        fail_msg("%s: element %zu of %zu is %.9g instead of %.9g, off by %.2g of the RMS, bound %.2g", what, at, count,
                 (double)got[at], expected[at], worst / rms, bound);
    }
}

void assert_near(const char *what, const float *got, const double *expected, size_t count, double bound) {
    assert_elements_near(what, got, expected, count, bound, 0);
}

void assert_map_near(const char *what, const float *got, const double *expected, struct map_size size, double bound) {
    assert_elements_near(what, got, expected, elements_of(size), bound, size.half ? HALF_MAP_ROUNDING : 0);
}

double relative_rms(const float *got, const double *expected, size_t count) {
    double squares = 0;
    for (size_t i = 0; i < count; ++i) {
        squares += (got[i] - expected[i]) * (got[i] - expected[i]);
    }
    return sqrt(squares / (double)count) / root_mean_square(expected, count);
}

void assert_close(const char *what, double got, double expected, double bound) {
    if (!(fabs(got - expected) <= bound * fabs(expected))) {
        fail_msg("%s is %.12g instead of %.12g, off by %.2g, bound %.2g", what, got, expected,
                 fabs(got - expected) / fabs(expected), bound);
    }
}
