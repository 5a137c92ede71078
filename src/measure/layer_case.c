/* layer_case.c: the convolutions of an iteration one by one: what they are, and running one of them on noise. */
#include "measure/layer_case.h"

#include "measure/noise.h"
#include "stylize/recipe.h"
#include "support/error.h"

#include <stdlib.h>

/* ---- What they are ----------------------------------------------------------------------------------------------- */

/* The stage that a job makes of the convolution with that index, its ReLU and perhaps the pooling behind it. */
static int stage_of(const struct model *model, const nst_network *network, int layer) {
    int stage = -1;
    for (int i = layer; stage < 0 && i < network->layer_count; ++i) {
        stage = model_find_stage(model, network->layers[i].name);
    }
    return stage;
}

/* Both directions as the model does them. `cases` has room for two of each layer. */
static void list_stages(const struct model *model, const nst_network *network, int size_px, struct layer_case *cases,
                        int *count) {
    int last = workload_last_layer(network);
    for (int backward = 0; backward < 2; ++backward) {
        for (int n = 0; n <= last; ++n) {
            int i = backward ? last - n : n;
            const struct layer *layer = &network->layers[i];
            if (layer->kind == LAYER_CONVOLUTION) {
                cases[(*count)++] = (struct layer_case){
                    .name = layer->name,
                    .direction = backward ? "backward" : "forward",
                    .weights = layer->weights,
                    .bias = layer->bias,
                    .shape = *model_convolution_shape(model, stage_of(model, network, i), backward),
                    .size = workload_input_size(network, backward ? i + 1 : i, size_px),
                };
            }
        }
    }
}

nst_status layer_cases_list(nst_context *context, const struct workload *workload, int size_px,
                            struct layer_case **cases, int *count, nst_error *error) {
    const nst_network *network = workload->network;
    size_t most = 2 * (size_t)network->layer_count;
    nst_settings settings;
    struct objective *objective = NULL;
    workload_settings(size_px, &settings);
    settings.precision = workload->precision;
    *count = 0;
    *cases = calloc(most, sizeof **cases);
    if (!*cases) {
        return fail_memory(error, most * sizeof **cases, "the layers of a benchmark");
    }
    nst_status status = recipe_create_objective(context, network, &settings, NULL, &objective, error);
    if (status) {
        free(*cases);
        *cases = NULL;
        return status;
    }
    list_stages(objective_model(objective), network, size_px, *cases, count);
    objective_destroy(objective);
    return NST_OK;
}

double layer_case_gflop(const struct layer_case *layer) {
    const struct convolution_shape *shape = &layer->shape;
    int height, width;
    convolution_output_size(shape, layer->size.height, layer->size.width, &height, &width);
    return 2e-9 * shape->kernel_size * shape->kernel_size * shape->in_channels * shape->out_channels * (double)height *
           width;
}

/* ---- Running one ------------------------------------------------------------------------------------------------- */

static nst_status create_buffers(struct layer_run *run, const struct convolution_shape *shape, nst_error *error) {
    nst_context *context = run->context;
    struct convolution_call *call = &run->call;
    int height, width, in_divisor = shape->unpools ? 2 : 1;
    int out_divisor = shape->epilogue == EPILOGUE_RELU_POOL ? 2 : 1;
    convolution_output_size(shape, call->height, call->width, &height, &width);
    uint64_t scratch = convolution_scratch_bytes(run->convolution, call->height, call->width);
    nst_status status = noise_buffer(context,
                                     feature_map_bytes(context, shape->half_maps, shape->in_channels,
                                                       call->height / in_divisor, call->width / in_divisor),
                                     shape->half_maps ? NOISE_BFLOATS : NOISE_FLOATS, &call->input, error);
    if (!status) {
        status = noise_buffer(context, relu_mask_bytes(context, shape->out_channels, height, width), NOISE_BITS,
                              &call->mask, error);
    }
    if (!status && shape->unpools) {
        status = noise_buffer(context, relu_mask_bytes(context, shape->in_channels, call->height, call->width),
                              NOISE_BITS, &call->selection, error);
    }
    if (!status) {
        uint64_t bytes = feature_map_bytes(context, shape->half_maps, shape->out_channels, height / out_divisor,
                                           width / out_divisor);
        status = buffer_create(context, (size_t)bytes, "output of a layer", &call->output, error);
        if (!status && shape->epilogue == EPILOGUE_MASK_ADD) {
            status = buffer_fill_zero(context, call->output, (size_t)bytes, error);
        }
    }
    return status || !scratch ? status
                              : buffer_create(context, (size_t)scratch, "scratch of a layer", &call->scratch, error);
}

/* A matrix of noise for a convolution whose weights are set on the device. */
static nst_status set_noise(struct layer_run *run, const struct convolution_shape *shape, nst_error *error) {
    cl_mem matrix = NULL;
    uint64_t bytes = (uint64_t)shape->in_channels * (uint64_t)shape->out_channels * sizeof(float);
    nst_status status = noise_buffer(run->context, bytes, NOISE_FLOATS, &matrix, error);
    if (!status) {
        status = convolution_set_weights(run->convolution, matrix, error);
    }
    if (!status) {
        status = context_finish(run->context, error);
    }
    buffer_release(run->context, &matrix);
    return status;
}

nst_status layer_run_create(nst_context *context, const struct layer_case *layer,
                            const struct convolution_choice *choice, struct layer_run *run, nst_error *error) {
    const struct convolution_shape *shape = &layer->shape;
    /* The numbers do not matter for the time, so backward may take the filters as they are. */
    *run = (struct layer_run){.context = context, .call = {.height = layer->size.height, .width = layer->size.width}};
    const struct convolution_weights weights = {layer->weights, layer->bias};
    nst_status status =
        convolution_create_chosen(context, shape, choice, layer->weights ? &weights : NULL, &run->convolution, error);
    if (!status) {
        status = create_buffers(run, shape, error);
    }
    if (!status && !layer->weights) {
        status = set_noise(run, shape, error);
    }
    if (status) {
        layer_run_release(run);
    }
    return status;
}

nst_status layer_run_repeat(void *user, int count, nst_error *error) {
    struct layer_run *run = user;
    nst_status status = NST_OK;
    for (int i = 0; !status && i < count; ++i) {
        status = convolution_run(run->convolution, &run->call, error);
    }
    return status ? status : context_finish(run->context, error);
}

void layer_run_release(struct layer_run *run) {
    buffer_release(run->context, &run->call.input);
    buffer_release(run->context, &run->call.output);
    buffer_release(run->context, &run->call.mask);
    buffer_release(run->context, &run->call.selection);
    buffer_release(run->context, &run->call.scratch);
    convolution_destroy(run->convolution);
    run->convolution = NULL;
}
