/* problem.c: one convolution with its data, run and compared; see problem.h. */
#include "network/problem.h"

#include "fixture.h"
#include "reference/convolution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

float *random_values(struct random_generator *generator, size_t count) {
    float *values = allocate(count, sizeof *values);
    for (size_t i = 0; i < count; ++i) {
        values[i] = (float)random_normal(generator);
    }
    return values;
}

void problem_init(struct problem *problem, const struct convolution_shape *shape, struct size in, const float *weights,
                  const float *bias, struct random_generator *generator) {
    *problem = (struct problem){.shape = *shape, .in = in, .weights = weights, .bias = bias};
    convolution_output_size(shape, in.height, in.width, &problem->out.height, &problem->out.width);
    size_t outputs = (size_t)shape->out_channels * problem->out.height * problem->out.width;
    struct map_size map = {shape->in_channels, in.height, in.width, shape->half_maps && !shape->from_image};
    problem->input = random_values(generator, elements_of(map));
    round_map(problem->input, map);
    problem->expected = malloc(outputs * sizeof *problem->expected);
    assert_non_null(problem->expected);
    reference_convolution(shape, weights, bias, problem->input, in.height, in.width, problem->expected);
}

void problem_free(struct problem *problem) {
    free(problem->input);
    free(problem->expected);
}

void maps_free(struct maps *maps) {
    free(maps->before);
    free(maps->after);
    free(maps->mask);
}

struct maps problem_run(nst_context *context, struct convolution *convolution, const struct problem *problem,
                        enum convolution_epilogue epilogue) {
    nst_error error;
    struct random_generator generator = random_from_seed(7);
    int block = context->channel_block, channels = problem->shape.out_channels;
    size_t pixels = (size_t)problem->out.height * problem->out.width;
    struct maps maps = {feature_map_bytes(context, false, channels, problem->out.height, problem->out.width),
                        relu_mask_bytes(context, channels, problem->out.height, problem->out.width), NULL, NULL, NULL};
    size_t in_pixels = (size_t)problem->in.height * problem->in.width;
    size_t in_bytes =
        feature_map_bytes(context, false, problem->shape.in_channels, problem->in.height, problem->in.width);
    float *in = malloc(in_bytes);
    feature_map_from_dense(block, problem->shape.in_channels, in_pixels, problem->input, in);
    maps.before = calloc(1, maps.out_bytes);
    maps.mask = malloc(maps.mask_bytes);
    assert_true(in && maps.before && maps.mask);
    bool half_in = problem->shape.half_maps && !problem->shape.from_image;
    bool half_out = problem->shape.half_maps && !problem->shape.to_image;
    for (size_t i = 0; i < maps.out_bytes / sizeof(float); ++i) {
        size_t channel = i / (pixels * block) * block + i % block;
        if (epilogue != EPILOGUE_MASK_ADD) {
            maps.before[i] = NAN;
        } else if (channel < (size_t)channels) {
            maps.before[i] = (float)random_normal(&generator);
            round_map(&maps.before[i], (struct map_size){1, 1, 1, half_out});
        }
    }
    for (size_t i = 0; i < maps.mask_bytes / sizeof(cl_ushort); ++i) {
        maps.mask[i] = (cl_ushort)random_bits(&generator);
    }
    struct convolution_call call = {
        .height = problem->in.height, .width = problem->in.width, .offset = {1.0f, -2.0f, 0.5f}};
    for (size_t i = 0; problem->shape.from_image && i < 3 * in_pixels; ++i) {
        in[i] = problem->input[i] - call.offset[i / in_pixels];
    }
    call.input = upload_blocks(context, in, in_bytes / sizeof(float), half_in);
    call.output = upload_blocks(context, maps.before, maps.out_bytes / sizeof(float), half_out);
    call.mask = epilogue == EPILOGUE_NONE ? NULL : upload(context, maps.mask, maps.mask_bytes);
    uint64_t scratch_bytes = convolution_scratch_bytes(convolution, call.height, call.width);
    if (scratch_bytes) {
        check(buffer_create(context, scratch_bytes, "scratch", &call.scratch, &error), &error);
    }
    check(convolution_run(convolution, &call, &error), &error);
    maps.after = download_blocks(context, call.output, maps.out_bytes / sizeof(float), half_out);
    if (problem->shape.to_image) {
        float *image = malloc(maps.out_bytes);
        assert_non_null(image);
        memcpy(image, maps.after, maps.out_bytes);
        feature_map_from_dense(block, channels, pixels, image, maps.after);
        free(image);
    }
    if (call.mask) {
        check(buffer_read(context, call.mask, 0, maps.mask, maps.mask_bytes, &error), &error);
    }
    buffer_release(context, &call.input);
    buffer_release(context, &call.output);
    buffer_release(context, &call.mask);
    buffer_release(context, &call.scratch);
    free(in);
    return maps;
}

static bool mask_bit(const struct maps *maps, const struct problem *problem, int block, int c, int y, int x) {
    size_t rows = (problem->out.height + 3) / 4, columns = (problem->out.width + 3) / 4;
    size_t i = (((c / block) * rows + y / 4) * columns + x / 4) * block + c % block;
    return maps->mask[i] >> (4 * (y % 4) + x % 4) & 1;
}

double problem_compare(const nst_context *context, const struct problem *problem, const struct maps *maps,
                       enum convolution_epilogue epilogue) {
    int block = context->channel_block, channels = problem->shape.out_channels;
    int height = problem->out.height, width = problem->out.width, blocks = (channels + block - 1) / block;
    double error_squares = 0, squares = 0;
    for (int c = 0; c < blocks * block; ++c) {
        for (int y = 0; y < height; ++y) {
            for (int x = 0; x < width; ++x) {
                size_t i = (((size_t)(c / block) * height + y) * width + x) * block + c % block;
                double after = maps->after[i];
                bool bit = epilogue != EPILOGUE_NONE && mask_bit(maps, problem, block, c, y, x);
                if (c >= channels) {
                    assert_true(after == 0);
                    assert_true(epilogue != EPILOGUE_RELU || !bit);
                    continue;
                }
                double sum = problem->expected[((size_t)c * height + y) * width + x];
                double wanted = sum;
                if (epilogue == EPILOGUE_RELU) {
                    wanted = sum > 0 ? sum : 0;
                    assert_true(bit == (after > 0));
                } else if (epilogue == EPILOGUE_MASK) {
                    wanted = bit ? sum : 0;
                    assert_true(bit || after == 0);
                } else if (epilogue == EPILOGUE_MASK_ADD) {
                    wanted = maps->before[i] + (bit ? sum : 0);
                    assert_true(bit || maps->after[i] == maps->before[i]);
                }
                double rounding = problem->shape.half_maps && !problem->shape.to_image ? HALF_MAP_ROUNDING : 0;
                double off = fmax(fabs(after - wanted) - rounding * fabs(wanted), 0);
                error_squares += isnan(after) ? NAN : off * off;
                squares += sum * sum;
            }
        }
    }
    return sqrt(error_squares / squares);
}

void problem_check_mask_border(const nst_context *context, const struct problem *problem, const struct maps *maps) {
    int rows = (problem->out.height + 3) / 4 * 4, columns = (problem->out.width + 3) / 4 * 4;
    for (int c = 0; c < problem->shape.out_channels; ++c) {
        for (int y = 0; y < rows; ++y) {
            for (int x = 0; x < columns; ++x) {
                if (y >= problem->out.height || x >= problem->out.width) {
                    assert_false(mask_bit(maps, problem, context->channel_block, c, y, x));
                }
            }
        }
    }
}
