/* bench_convolution.c: milliseconds, effective GFLOP/s (counted as direct), share of the FMA peak and error of the
 * convolution engines at the layers of VGG-19 for a 512x512 input, and at the products that make style gradients
 * ("style").
 *
 * bench_convolution [ENGINE [LAYER]]: ENGINE is a word of the tuner's table ("winograd") or "all", LAYER a part of the
 * layer's name.
 * The least of several runs counts, compared with the peak that a probe measured in the same program. "busy" is the
 * share of the peak in terms of processor time instead of elapsed time: what a CPU device would reach if nothing else
 * ran beside it. */
#include "duration.h"
#include "network/convolution.h"
#include "reference/convolution.h"
#include "support/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct layer_case {
    const char *name;
    int in_channels, out_channels, kernel_size, size_px;
    enum convolution_epilogue epilogue;
};

static const struct layer_case cases[] = {
    {"3->64@512", 3, 64, 3, 512, EPILOGUE_RELU},
    {"64->64@512", 64, 64, 3, 512, EPILOGUE_RELU},
    {"64->128@256", 64, 128, 3, 256, EPILOGUE_RELU},
    {"128->128@256", 128, 128, 3, 256, EPILOGUE_RELU},
    {"128->256@128", 128, 256, 3, 128, EPILOGUE_RELU},
    {"256->256@128", 256, 256, 3, 128, EPILOGUE_RELU},
    {"256->512@64", 256, 512, 3, 64, EPILOGUE_RELU},
    {"512->512@64", 512, 512, 3, 64, EPILOGUE_RELU},
    {"512->512@32", 512, 512, 3, 32, EPILOGUE_RELU},
    {"64->3@512", 64, 3, 3, 512, EPILOGUE_NONE},
    {"64->64@512 mask", 64, 64, 3, 512, EPILOGUE_MASK},
    {"128->64@256 mask", 128, 64, 3, 256, EPILOGUE_MASK},
    {"512->256@64 mask", 512, 256, 3, 64, EPILOGUE_MASK},
    {"64->64@512 1x1 style", 64, 64, 1, 512, EPILOGUE_MASK},
    {"128->128@256 1x1 style", 128, 128, 1, 256, EPILOGUE_MASK},
    {"256->256@128 1x1 style", 256, 256, 1, 128, EPILOGUE_MASK},
    {"512->512@64 1x1 style", 512, 512, 1, 64, EPILOGUE_MASK},
    {"32->64@512 1x1", 32, 64, 1, 512, EPILOGUE_RELU},
    {"64->32@512 1x1 mask", 64, 32, 1, 512, EPILOGUE_NONE},
    {"64->128@256 1x1", 64, 128, 1, 256, EPILOGUE_RELU},
    {"128->64@256 1x1 mask", 128, 64, 1, 256, EPILOGUE_NONE},
    {"96->256@128 1x1", 96, 256, 1, 128, EPILOGUE_RELU},
    {"256->96@128 1x1 mask", 256, 96, 1, 128, EPILOGUE_NONE},
    {"160->512@64 1x1", 160, 512, 1, 64, EPILOGUE_RELU},
    {"512->160@64 1x1 mask", 512, 160, 1, 64, EPILOGUE_NONE},
};

static float *random_array(struct random_generator *generator, size_t count, double scale, bool positive) {
    float *array = malloc(count * sizeof *array);
    for (size_t i = 0; i < count; ++i) {
        double value = scale * random_normal(generator);
        array[i] = (float)(positive && value < 0 ? 0 : value);
    }
    return array;
}

/* Relative RMS error of a sample of outputs, for the epilogues NONE and RELU; otherwise not a number. */
static double sampled_error(nst_context *context, const struct convolution_shape *shape, const float *weights,
                            const float *input, int size_px, cl_mem output) {
    if (shape->epilogue != EPILOGUE_NONE && shape->epilogue != EPILOGUE_RELU) {
        return NAN;
    }
    nst_error error;
    size_t bytes = feature_map_bytes(context, false, shape->out_channels, size_px, size_px),
           pixels = (size_t)size_px * size_px;
    float *map = malloc(bytes), *dense = malloc(pixels * shape->out_channels * sizeof *dense);
    check(buffer_read(context, output, 0, map, bytes, &error), &error);
    if (shape->to_image) {
        memcpy(dense, map, pixels * shape->out_channels * sizeof *dense);
    } else {
        feature_map_to_dense(context->channel_block, shape->out_channels, pixels, map, dense);
    }
    struct random_generator generator = random_from_seed(3);
    double squares = 0, error_squares = 0;
    for (int i = 0; i < 2000; ++i) {
        size_t pixel = random_bits(&generator) % pixels;
        int o = (int)(random_bits(&generator) % shape->out_channels);
        int y = (int)(pixel / size_px), x = (int)(pixel % size_px);
        double sum = reference_convolution_at(shape, weights, NULL, input, size_px, size_px, o, y, x);
        double wanted = shape->epilogue == EPILOGUE_RELU && sum < 0 ? 0 : sum;
        double difference = dense[o * pixels + pixel] - wanted;
        squares += sum * sum;
        error_squares += difference * difference;
    }
    free(map);
    free(dense);
    return sqrt(error_squares / squares);
}

static void run_case(nst_context *context, const struct layer_case *layer, const struct convolution_engine *engine,
                     struct duration peak) {
    nst_error error;
    struct convolution_shape shape = {.in_channels = layer->in_channels,
                                      .out_channels = layer->out_channels,
                                      .kernel_size = layer->kernel_size,
                                      .padding = layer->kernel_size / 2,
                                      .epilogue = layer->epilogue,
                                      .from_image = layer->in_channels == 3 && context->loops_in_kernel,
                                      .to_image = layer->out_channels == 3 && context->loops_in_kernel,
                                      .in_place = layer->kernel_size == 1 && layer->epilogue == EPILOGUE_MASK &&
                                                  context->loops_in_kernel};
    int size_px = layer->size_px, taps = layer->kernel_size * layer->kernel_size;
    size_t pixels = (size_t)size_px * size_px;
    struct random_generator generator = random_from_seed(1);
    float *weights = random_array(&generator, (size_t)shape.in_channels * shape.out_channels * taps,
                                  1 / sqrt((double)shape.in_channels * taps), false);
    float *input = random_array(&generator, shape.in_channels * pixels, 1, true);
    struct convolution *convolution;
    if (convolution_create(context, &shape, engine, &(struct convolution_weights){weights, NULL}, &convolution,
                           &error)) {
        free(weights);
        free(input);
        return;
    }
    struct convolution_call call = {.height = size_px, .width = size_px};
    size_t in_bytes = feature_map_bytes(context, false, shape.in_channels, size_px, size_px);
    size_t out_bytes = feature_map_bytes(context, false, shape.out_channels, size_px, size_px);
    size_t mask_bytes = relu_mask_bytes(context, shape.out_channels, size_px, size_px);
    size_t scratch_bytes = convolution_scratch_bytes(convolution, size_px, size_px);
    float *map = malloc(in_bytes);
    if (shape.from_image) {
        memcpy(map, input, shape.in_channels * pixels * sizeof *map);
    } else {
        feature_map_from_dense(context->channel_block, shape.in_channels, pixels, input, map);
    }
    check(buffer_create(context, in_bytes, "input", &call.input, &error), &error);
    check(buffer_write(context, call.input, 0, map, in_bytes, &error), &error);
    call.output = call.input;
    if (!shape.in_place) {
        check(buffer_create(context, out_bytes, "output", &call.output, &error), &error);
        check(buffer_fill_zero(context, call.output, out_bytes, &error), &error);
    }
    check(buffer_create(context, mask_bytes, "mask", &call.mask, &error), &error);
    check(buffer_fill_zero(context, call.mask, mask_bytes, &error), &error);
    if (scratch_bytes) {
        check(buffer_create(context, scratch_bytes, "scratch", &call.scratch, &error), &error);
    }
    struct duration best = {INFINITY, INFINITY};
    double spent_ms = 0;
    for (int i = 0; i < 3 || (i < 40 && spent_ms < 700); ++i) {
        struct duration start = now(context);
        check(convolution_run(convolution, &call, &error), &error);
        check(context_finish(context, &error), &error);
        struct duration end = now(context);
        spent_ms += end.elapsed_ms - start.elapsed_ms;
        if (i > 0) { /* the first run also compiles */
            keep_least(&best, start, end);
        }
    }
    double gflop = 2.0 * shape.in_channels * shape.out_channels * taps * pixels * 1e-9;
    printf("%-26s %-16s %9.2f %9.0f %8.0f%% %8.0f%%   %.1e\n", layer->name,
           convolution_engine_name(convolution_engine_of(convolution)), best.elapsed_ms, gflop / best.elapsed_ms * 1e3,
           100 * gflop * peak.elapsed_ms / best.elapsed_ms, 100 * gflop * peak.busy_ms / best.busy_ms,
           sampled_error(context, &shape, weights, input, size_px, call.output));
    fflush(stdout);
    if (!shape.in_place) {
        buffer_release(context, &call.output);
    }
    buffer_release(context, &call.input);
    buffer_release(context, &call.mask);
    buffer_release(context, &call.scratch);
    convolution_destroy(convolution);
    free(weights);
    free(input);
    free(map);
}

int main(int argument_count, char **arguments) {
    nst_context *context;
    nst_error error;
    check(nst_context_create(NULL, &context, &error), &error);
    struct duration peak = measure_peak(context);
    printf("%s, channel block %d, %d work-items, FMA peak %.0f GFLOP/s, busy %.0f\n", nst_context_device(context)->name,
           context->channel_block, context->work_items, 1e3 / peak.elapsed_ms, 1e3 / peak.busy_ms);
    printf("%-26s %-16s %9s %9s %9s %9s   %s\n", "layer", "engine", "ms", "GFLOP/s", "of peak", "busy", "error");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const struct convolution_engine *reference = convolution_reference_engine(context);
        const struct convolution_engine *wanted = convolution_find_engine(context, arguments[1] ? arguments[1] : "all");
        bool is_wanted = argument_count < 3 || strstr(cases[i].name, arguments[2]);
        for (const struct convolution_engine *const *engine = convolution_engines(context); is_wanted && *engine;
             ++engine) {
            if (wanted ? *engine == wanted : *engine != reference) {
                run_case(context, &cases[i], *engine, peak);
            }
        }
    }
    printf("FMA peak at the end %.0f GFLOP/s\n", 1e3 / measure_peak(context).elapsed_ms);
    nst_context_destroy(context);
    return 0;
}
