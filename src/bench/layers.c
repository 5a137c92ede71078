/* layers.c: a row in detail: each convolution by itself with the engine that the device chooses, and the kernels of
 * whole iterations by the device's clock. */
#include "bench/bench_internal.h"

#include "device/profile.h"
#include "support/error.h"
#include "support/random.h"

#include <stdlib.h>
#include <string.h>

/* ---- One convolution ---------------------------------------------------------------------------------------------- */

struct layer_run {
    nst_context *context;
    struct convolution *convolution;
    struct convolution_call call;
};

static nst_status run_layer(void *user, int count, nst_error *error) {
    struct layer_run *run = user;
    nst_status status = NST_OK;
    for (int i = 0; !status && i < count; ++i) {
        status = convolution_run(run->context, run->convolution, &run->call, error);
    }
    return status ? status : context_finish(run->context, error);
}

/* A buffer with pseudo-random numbers of both signs, or with such bits. */
static nst_status noise_buffer(nst_context *context, uint64_t bytes, bool as_bits, cl_mem *buffer, nst_error *error) {
    size_t count = (size_t)(bytes + 3) / 4;
    uint32_t *words = malloc(count * sizeof *words);
    if (!words) {
        return fail_memory(error, count * sizeof *words, "noise");
    }
    struct random_generator generator = random_from_seed(bytes);
    for (size_t i = 0; i < count; ++i) {
        float value = (float)(2 * random_uniform(&generator) - 1);
        memcpy(&words[i], &value, sizeof value);
        words[i] = as_bits ? (uint32_t)random_bits(&generator) : words[i];
    }
    nst_status status = buffer_create(context, count * sizeof *words, "noise", buffer, error);
    if (!status) {
        status = buffer_write(context, *buffer, 0, words, count * sizeof *words, error);
    }
    if (!status) {
        status = context_finish(context, error);
    }
    free(words);
    return status;
}

/* Whether the model makes one of a convolution, its ReLU and the pooling behind it (network/model.c). */
static bool is_merged(nst_context *context, const nst_network *network, int i) {
    const struct layer *layers = network->layers;
    struct convolution_shape shape = {.in_channels = layers[i].in_channels,
                                      .out_channels = layers[i].out_channels,
                                      .kernel_size = layers[i].kernel_size,
                                      .padding = layers[i].padding,
                                      .epilogue = EPILOGUE_RELU};
    return i + 2 <= workload_last_layer(network) && layers[i + 1].kind == LAYER_RELU &&
           layers[i + 2].kind == LAYER_POOLING && !workload_has_style(layers[i + 1].name) &&
           !workload_has_content(layers[i + 1].name) && layers[i].padding_mode == PADDING_ZERO &&
           convolution_can_pool(context, &shape);
}

static nst_status create_buffers(struct layer_run *run, const struct convolution_shape *shape, nst_error *error) {
    nst_context *context = run->context;
    struct convolution_call *call = &run->call;
    int height, width, in_divisor = shape->unpools ? 2 : 1;
    int out_divisor = shape->epilogue == EPILOGUE_RELU_POOL ? 2 : 1;
    convolution_output_size(shape, call->height, call->width, &height, &width);
    uint64_t scratch = convolution_scratch_bytes(run->convolution, call->height, call->width);
    nst_status status = noise_buffer(
        context, feature_map_bytes(context, shape->in_channels, call->height / in_divisor, call->width / in_divisor),
        false, &call->input, error);
    if (!status) {
        status = noise_buffer(context, relu_mask_bytes(context, shape->out_channels, height, width), true, &call->mask,
                              error);
    }
    if (!status && shape->unpools) {
        status = noise_buffer(context, relu_mask_bytes(context, shape->in_channels, call->height, call->width), true,
                              &call->selection, error);
    }
    if (!status) {
        uint64_t bytes = feature_map_bytes(context, shape->out_channels, height / out_divisor, width / out_divisor);
        status = buffer_create(context, (size_t)bytes, "output of a layer", &call->output, error);
    }
    return status || !scratch ? status
                              : buffer_create(context, (size_t)scratch, "scratch of a layer", &call->scratch, error);
}

static void release_run(struct layer_run *run) {
    buffer_release(run->context, &run->call.input);
    buffer_release(run->context, &run->call.output);
    buffer_release(run->context, &run->call.mask);
    buffer_release(run->context, &run->call.selection);
    buffer_release(run->context, &run->call.scratch);
    convolution_destroy(run->context, run->convolution);
}

static void measure_layer(nst_context *context, const struct convolution_shape *shape, const struct layer *layer,
                          double seconds, struct bench_layer *result) {
    struct layer_run run = {.context = context, .call = {.height = result->height, .width = result->width}};
    nst_error error;
    int height, width;
    convolution_output_size(shape, result->height, result->width, &height, &width);
    result->gflop = 2e-9 * shape->kernel_size * shape->kernel_size * shape->in_channels * shape->out_channels *
                    (double)height * width;
    /* The numbers do not matter for the time, so backward may take the filters as they are. */
    nst_status status = convolution_create(context, shape, CONVOLUTION_AUTO, layer->weights,
                                           shape->has_bias ? layer->bias : NULL, &run.convolution, &error);
    if (!status) {
        snprintf(result->engine, sizeof result->engine, "%s",
                 convolution_engine_name(convolution_engine_of(run.convolution)));
        status = create_buffers(&run, shape, &error);
    }
    if (!status) {
        status = timing_measure(run_layer, &run, seconds, &result->timing, &error);
    }
    if (status) {
        outcome_from_error(&result->outcome, &error);
    } else {
        result->gflops = result->gflop / (result->timing.median_ms * 1e-3);
    }
    release_run(&run);
}

/* ---- All of them -------------------------------------------------------------------------------------------------- */

static struct convolution_shape forward_shape(const struct layer *layer, bool has_relu, bool pools) {
    return (struct convolution_shape){.in_channels = layer->in_channels,
                                      .out_channels = layer->out_channels,
                                      .kernel_size = layer->kernel_size,
                                      .padding = layer->padding,
                                      .padding_mode = layer->padding_mode,
                                      .has_bias = layer->bias != NULL,
                                      .epilogue = pools      ? EPILOGUE_RELU_POOL
                                                  : has_relu ? EPILOGUE_RELU
                                                             : EPILOGUE_NONE};
}

/* Backward to the data is a convolution with exchanged channels; the mask is that of the ReLU below, if one is
 * there. */
static struct convolution_shape backward_shape(const struct layer *layer, bool has_relu_below, bool unpools) {
    return (struct convolution_shape){.in_channels = layer->out_channels,
                                      .out_channels = layer->in_channels,
                                      .kernel_size = layer->kernel_size,
                                      .padding = layer->kernel_size - 1 - layer->padding,
                                      .padding_mode = PADDING_ZERO,
                                      .epilogue = has_relu_below ? EPILOGUE_MASK : EPILOGUE_NONE,
                                      .unpools = unpools};
}

static void name_layer(struct bench_layer *result, const struct layer *layer, const char *direction,
                       const struct convolution_shape *shape, struct image_size size) {
    *result = (struct bench_layer){.in_channels = shape->in_channels,
                                   .out_channels = shape->out_channels,
                                   .kernel_size = shape->kernel_size,
                                   .height = size.height,
                                   .width = size.width};
    snprintf(result->name, sizeof result->name, "%s", layer->name);
    result->pools = shape->unpools || shape->epilogue == EPILOGUE_RELU_POOL;
    snprintf(result->direction, sizeof result->direction, "%s", direction);
}

nst_status layers_measure(nst_context *context, const nst_network *network, double seconds, struct bench_row *row,
                          nst_error *error) {
    int last = workload_last_layer(network), convolutions = 0;
    for (int i = 0; i <= last; ++i) {
        convolutions += network->layers[i].kind == LAYER_CONVOLUTION;
    }
    row->layers = calloc(2 * (size_t)convolutions + 1, sizeof *row->layers);
    if (!row->layers) {
        return fail_memory(error, 2 * (size_t)convolutions * sizeof *row->layers, "the layers of a benchmark");
    }
    for (int direction = 0; direction < 2; ++direction) {
        for (int n = 0; n <= last; ++n) {
            int i = direction == 0 ? n : last - n;
            const struct layer *layer = &network->layers[i];
            if (layer->kind != LAYER_CONVOLUTION) {
                continue;
            }
            bool relu_above = i < last && network->layers[i + 1].kind == LAYER_RELU;
            bool relu_below = i > 0 && network->layers[i - 1].kind == LAYER_RELU;
            bool merged = is_merged(context, network, i);
            struct convolution_shape shape =
                direction == 0 ? forward_shape(layer, relu_above, merged) : backward_shape(layer, relu_below, merged);
            struct bench_layer *result = &row->layers[row->layer_count++];
            name_layer(result, layer, direction == 0 ? "forward" : "backward", &shape,
                       workload_input_size(network, direction == 0 ? i : i + 1, row->size_px));
            measure_layer(context, &shape, layer, seconds / (2 * convolutions), result);
        }
    }
    return NST_OK;
}

/* ---- Kernels ------------------------------------------------------------------------------------------------------ */

static nst_status take_profile(nst_context *context, int iterations, struct bench_row *row, nst_error *error) {
    const struct profile_entry *table;
    size_t count;
    nst_status status = profile_table(context, &table, &count, error);
    if (status) {
        return status;
    }
    row->passes = calloc(count + 1, sizeof *row->passes);
    if (!row->passes) {
        return fail_memory(error, count * sizeof *row->passes, "the kernels of a benchmark");
    }
    double total_ms = 0;
    for (size_t i = 0; i < count; ++i) {
        total_ms += table[i].ms;
    }
    for (size_t i = 0; i < count; ++i) {
        struct bench_pass *pass = &row->passes[row->pass_count++];
        snprintf(pass->kernel, sizeof pass->kernel, "%s", table[i].name);
        pass->calls = (double)table[i].calls / iterations;
        pass->ms = table[i].ms / iterations;
        pass->share = total_ms > 0 ? table[i].ms / total_ms : 0;
    }
    return NST_OK;
}

nst_status passes_measure(const char *device, const nst_network *network, bool no_cache, struct bench_row *row,
                          nst_error *error) {
    enum { WARM_UP = 2, ITERATIONS = 3 };
    nst_context_options options = {.device = device, .profiling = true, .no_cache = no_cache};
    nst_context *context = NULL;
    nst_job *job = NULL;
    nst_progress progress;
    nst_status status = nst_context_create(&options, &context, error);
    if (!status) {
        status = workload_job(context, network, row->size_px, &job, error);
    }
    for (int i = 0; !status && i < WARM_UP + ITERATIONS; ++i) {
        if (i == WARM_UP) {
            status = profile_reset(context, error);
        }
        status = status ? status : nst_job_step(job, &progress, error);
    }
    if (!status) {
        status = take_profile(context, ITERATIONS, row, error);
    }
    nst_job_destroy(job);
    nst_context_destroy(context);
    return status;
}
