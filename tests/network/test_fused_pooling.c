/* test_fused_pooling.c: pooling in the epilogue of a convolution, and the way back through it in the input of
 * another, against the float64 reference. Devices whose convolutions cannot pool skip. */
#include "fixture.h"
#include "network/convolution.h"
#include "reference/convolution.h"
#include "reference/pooling.h"

#include <math.h>
#include <stdlib.h>

static const struct map_size sizes[] = {{32, 2, 2, false},   {32, 3, 5, false}, {40, 17, 31, false},
                                        {64, 33, 20, false}, {35, 8, 4, false}, {48, 26, 27, false}};

static struct convolution_shape shape_of(struct map_size in, int out_channels) {
    return (struct convolution_shape){.in_channels = in.channels,
                                      .out_channels = out_channels,
                                      .kernel_size = 3,
                                      .padding = 1,
                                      .padding_mode = PADDING_ZERO,
                                      .half_maps = in.half};
}

static double *reference_sums(const struct convolution_shape *shape, const float *input, struct map_size in,
                              const float *weights, const float *bias) {
    double *sums = allocate((size_t)shape->out_channels * pixels_of(in), sizeof *sums);
    reference_convolution(shape, weights, bias, input, in.height, in.width, sums);
    return sums;
}

static void run(nst_context *context, struct convolution *convolution, struct convolution_call call) {
    nst_error error;
    uint64_t bytes = convolution_scratch_bytes(convolution, call.height, call.width);
    call.scratch = create_zero(context, (size_t)bytes + 64);
    check(convolution_run(convolution, &call, &error), &error);
    check(context_finish(context, &error), &error);
    buffer_release(context, &call.scratch);
}

static struct convolution *create(nst_context *context, const struct convolution_shape *shape, const float *weights,
                                  const float *bias) {
    nst_error error;
    struct convolution *convolution;
    check(convolution_create(context, shape, NULL, &(struct convolution_weights){weights, bias}, &convolution, &error),
          &error);
    return convolution;
}

/* Exactly one bit in each window whose maximum is positive, on a pixel as good as the largest; none in the others. */
static void check_selection(const bool *selection, const double *sums, struct map_size full, double slack) {
    for (int c = 0; c < full.channels; ++c) {
        const double *plane = sums + (size_t)c * pixels_of(full);
        const bool *bits = selection + (size_t)c * pixels_of(full);
        for (int y = 0; y < full.height; ++y) {
            for (int x = 0; x < full.width; ++x) {
                size_t at = (size_t)y * (size_t)full.width + (size_t)x;
                bool in_window = y / 2 < full.height / 2 && x / 2 < full.width / 2;
                assert_true(in_window || !bits[at]);
            }
        }
        for (int y = 0; y < full.height / 2; ++y) {
            for (int x = 0; x < full.width / 2; ++x) {
                size_t first = (size_t)(2 * y) * (size_t)full.width + (size_t)(2 * x);
                size_t pixels[4] = {first, first + 1, first + (size_t)full.width, first + (size_t)full.width + 1};
                double most = plane[reference_largest_of_window(plane, full.width, y, x)];
                int count = 0;
                for (int k = 0; k < 4; ++k) {
                    count += bits[pixels[k]];
                    assert_true(!bits[pixels[k]] || plane[pixels[k]] >= most - slack);
                }
                assert_true(fabs(most) < slack || count == (most > 0));
            }
        }
    }
}

static void check_forward(nst_context *context, bool half) {
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(sizes), 2); ++i) {
        struct map_size in = sizes[i], full = {37, in.height, in.width, half};
        struct map_size pooled = {37, in.height / 2, in.width / 2, half};
        in.half = half;
        struct convolution_shape shape = shape_of(in, full.channels);
        if (!convolution_can_pool(context, &shape, NULL)) {
            skip();
        }
        float *input = random_map(i, in);
        float *weights = random_array(i + 50, 9 * (size_t)in.channels * (size_t)full.channels);
        float *bias = random_array(i + 90, (size_t)full.channels);
        shape.has_bias = true;
        double *sums = reference_sums(&shape, input, in, weights, bias);
        double *expected = allocate(elements_of(pooled), sizeof *expected);
        reference_pooling(NST_POOLING_MAX, sums, full.channels, full.height, full.width, expected);
        for (size_t k = 0; k < elements_of(pooled); ++k) {
            expected[k] = fmax(expected[k], 0);
        }
        shape.epilogue = EPILOGUE_RELU_POOL;
        struct convolution *convolution = create(context, &shape, weights, bias);
        float *garbage = random_array(7, elements_of(pooled));
        struct convolution_call call = {.height = in.height, .width = in.width};
        call.input = upload_map(context, input, in);
        call.output = upload_map(context, garbage, pooled);
        call.mask = create_zero(context, mask_elements(context, full) * sizeof(uint16_t));
        run(context, convolution, call);
        float *got = download_map(context, call.output, pooled);
        bool *selection = download_mask(context, call.mask, full);
        assert_map_near("pooled output", got, expected, pooled, 1e-5);
        check_selection(selection, sums, full, 1e-3);
        convolution_destroy(convolution);
        buffer_release(context, &call.input);
        buffer_release(context, &call.output);
        buffer_release(context, &call.mask);
        void *memory[] = {input, weights, bias, sums, expected, garbage, got, selection};
        for (size_t k = 0; k < COUNT_OF(memory); ++k) {
            free(memory[k]);
        }
    }
}

/* The pixel below and right of a tile is the corner of that tile's neighborhood: a single one of its outputs is not a
 * number, and the other three of the window are. */
static void not_a_number_is_passed_on(void **state) {
    nst_context *context = *state;
    struct map_size in = {32, 8, 8, false}, full = {48, 8, 8, false}, pooled = {48, 4, 4, false};
    struct convolution_shape shape = shape_of(in, pooled.channels);
    if (!convolution_can_pool(context, &shape, NULL)) {
        skip();
    }
    float *input = random_map(1, in);
    float *weights = random_array(51, 9 * (size_t)in.channels * (size_t)pooled.channels);
    float *bias = random_array(91, (size_t)pooled.channels);
    input[3 * in.width + 3] = NAN;
    shape.has_bias = true;
    shape.epilogue = EPILOGUE_RELU_POOL;
    struct convolution *convolution = create(context, &shape, weights, bias);
    struct convolution_call call = {.height = in.height, .width = in.width};
    call.input = upload_map(context, input, in);
    call.output = create_zero(context, (size_t)feature_map_bytes(context, false, pooled.channels, 4, 4));
    call.mask = create_zero(context, mask_elements(context, full) * sizeof(uint16_t));
    run(context, convolution, call);
    float *got = download_map(context, call.output, pooled);
    for (size_t i = 0; i < elements_of(pooled); ++i) {
        size_t x = i % 4, y = i / 4 % 4;
        bool seen = x >= 1 && x <= 2 && y >= 1 && y <= 2, far = x == 3 || y == 3; /* what is near may be spread to */
        assert_true(isnan(got[i]) ? !far : !seen);
    }
    convolution_destroy(convolution);
    buffer_release(context, &call.input);
    buffer_release(context, &call.output);
    buffer_release(context, &call.mask);
    free(input);
    free(weights);
    free(bias);
    free(got);
}

/* A selection of at most one pixel of each window. */
static bool *random_selection(uint64_t seed, struct map_size full) {
    bool *selection = allocate(elements_of(full), sizeof *selection);
    struct random_generator generator = random_from_seed(seed);
    for (int c = 0; c < full.channels; ++c) {
        for (int y = 0; y < full.height / 2; ++y) {
            for (int x = 0; x < full.width / 2; ++x) {
                int k = (int)(5 * random_uniform(&generator));
                size_t row = (size_t)(2 * y + k / 2), column = (size_t)(2 * x + k % 2);
                if (k < 4) {
                    selection[((size_t)c * (size_t)full.height + row) * (size_t)full.width + column] = true;
                }
            }
        }
    }
    return selection;
}

static void check_backward(nst_context *context, bool half) {
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(sizes), 2); ++i) {
        struct map_size in = sizes[i], pooled = {in.channels, in.height / 2, in.width / 2, half};
        struct map_size out = {41, in.height, in.width, half};
        in.half = half;
        struct convolution_shape shape = shape_of(in, out.channels);
        if (!convolution_can_pool(context, &shape, NULL)) {
            skip();
        }
        float *values = random_map(i, pooled);
        float *weights = random_array(i + 50, 9 * (size_t)in.channels * (size_t)out.channels);
        bool *selection = random_selection(i, in);
        float *unpooled = allocate(elements_of(in), sizeof *unpooled);
        for (size_t k = 0; k < elements_of(in); ++k) {
            size_t x = k % (size_t)in.width, y = k / (size_t)in.width % (size_t)in.height, c = k / pixels_of(in);
            unpooled[k] = selection[k] ? values[(c * (size_t)pooled.height + y / 2) * (size_t)pooled.width + x / 2] : 0;
        }
        double *expected = reference_sums(&shape, unpooled, in, weights, NULL);
        shape.unpools = true;
        struct convolution *convolution = create(context, &shape, weights, NULL);
        struct convolution_call call = {.height = in.height, .width = in.width};
        call.input = upload_map(context, values, pooled);
        call.selection = upload_mask(context, selection, in);
        call.output =
            create_zero(context, (size_t)feature_map_bytes(context, half, out.channels, out.height, out.width));
        run(context, convolution, call);
        float *got = download_map(context, call.output, out);
        assert_map_near("convolution of the unpooled map", got, expected, out, 1e-5);
        convolution_destroy(convolution);
        buffer_release(context, &call.input);
        buffer_release(context, &call.selection);
        buffer_release(context, &call.output);
        void *memory[] = {values, weights, selection, unpooled, expected, got};
        for (size_t k = 0; k < COUNT_OF(memory); ++k) {
            free(memory[k]);
        }
    }
}

static void forward(void **state) {
    check_forward(*state, false);
    check_forward(*state, true);
}

static void backward(void **state) {
    check_backward(*state, false);
    check_backward(*state, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(forward), cmocka_unit_test(not_a_number_is_passed_on),
                                       cmocka_unit_test(backward)};
    return cmocka_run_group_tests_name("fused pooling", tests, fixture_open, fixture_close);
}
