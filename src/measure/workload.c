/* workload.c: what is measured: the default recipe on pictures of noise, with a given network or one made up. */
#include "measure/workload.h"

#include "image/picture.h"
#include "support/error.h"
#include "support/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- A network without a file ------------------------------------------------------------------------------------ */

/* Simonyan and Zisserman 2014, table 1, column E, up to the deepest layer that the default recipe needs. */
enum { BLOCKS = 5, MOST_LAYERS = 40 };
static const int block_convolutions[BLOCKS] = {2, 2, 4, 4, 1}, block_channels[BLOCKS] = {64, 128, 256, 512, 512};

/* Uniform weights of the variance that keeps that of the features (He et al. 2015, section 2.2). */
static nst_status make_convolution(struct layer *layer, int in_channels, int out_channels,
                                   struct random_generator *generator, nst_error *error) {
    size_t count = (size_t)in_channels * (size_t)out_channels * 9;
    double bound = sqrt(6.0 / (9.0 * in_channels));
    *layer = (struct layer){.kind = LAYER_CONVOLUTION,
                            .in_channels = in_channels,
                            .out_channels = out_channels,
                            .kernel_size = 3,
                            .padding = 1,
                            .weights = malloc(count * sizeof(float)),
                            .bias = calloc((size_t)out_channels, sizeof(float))};
    if (!layer->weights || !layer->bias) {
        return fail_memory(error, count * sizeof(float), "the weights of a network");
    }
    for (size_t i = 0; i < count; ++i) {
        layer->weights[i] = (float)(bound * (2 * random_uniform(generator) - 1));
    }
    return NST_OK;
}

static nst_status make_layers(nst_network *network, nst_error *error) {
    struct random_generator generator = random_from_seed(19);
    int channels = 3;
    for (int block = 0; block < BLOCKS; ++block) {
        for (int i = 0; i < block_convolutions[block]; ++i) {
            struct layer *layer = &network->layers[network->layer_count];
            nst_status status = make_convolution(layer, channels, block_channels[block], &generator, error);
            network->layer_count++;
            if (status) {
                return status;
            }
            snprintf(layer->name, sizeof layer->name, "conv%d_%d", block + 1, i + 1);
            layer = &network->layers[network->layer_count++];
            layer->kind = LAYER_RELU;
            snprintf(layer->name, sizeof layer->name, "relu%d_%d", block + 1, i + 1);
            channels = block_channels[block];
        }
        if (block + 1 < BLOCKS) {
            struct layer *layer = &network->layers[network->layer_count++];
            layer->kind = LAYER_POOLING;
            snprintf(layer->name, sizeof layer->name, "pool%d", block + 1);
        }
    }
    return NST_OK;
}

nst_status workload_network(nst_network **network, nst_error *error) {
    *network = NULL;
    nst_network *made = calloc(1, sizeof *made);
    if (!made) {
        return fail_memory(error, sizeof *made, "a network");
    }
    snprintf(made->name, sizeof made->name, "vgg19-random");
    made->path = strdup("");
    made->origin = strdup("");
    made->license = strdup("");
    made->input = (struct input_convention){
        .name = "caffe", .order = {2, 1, 0}, .scale = {1, 1, 1}, .offset = {-103.939f, -116.779f, -123.68f}};
    made->layers = calloc(MOST_LAYERS, sizeof *made->layers);
    nst_status status = NST_OK;
    if (!made->layers || !made->path || !made->origin || !made->license) {
        status = fail_memory(error, MOST_LAYERS * sizeof *made->layers, "the layers of a network");
    }
    if (!status) {
        status = make_layers(made, error);
    }
    if (status) {
        nst_network_destroy(made);
        return status;
    }
    *network = made;
    return NST_OK;
}

/* ---- Pictures and job -------------------------------------------------------------------------------------------- */

void workload_settings(int size_px, nst_settings *settings) {
    nst_settings_init(settings, NULL, NULL);
    settings->size_px = size_px;
    settings->scale_count = 1;
    settings->iteration_count = 1;
    settings->iterations[0] = 1000000;
}

nst_status workload_picture(int size_px, uint64_t seed, nst_picture *picture, nst_error *error) {
    nst_status status = picture_create(size_px, size_px, 3, picture, error);
    struct random_generator generator = random_from_seed(seed);
    for (size_t i = 0; !status && i < 3 * (size_t)size_px * (size_t)size_px; ++i) {
        picture->values[i] = (float)random_uniform(&generator);
    }
    return status;
}

nst_status workload_job(nst_context *context, const struct workload *workload, int size_px, nst_job **job,
                        nst_error *error) {
    nst_picture content = {0}, style = {0};
    nst_settings settings;
    workload_settings(size_px, &settings);
    settings.precision = workload->precision;
    *job = NULL;
    nst_status status = workload_picture(size_px, 1, &content, error);
    if (!status) {
        status = workload_picture(size_px, 2, &style, error);
    }
    if (!status) {
        nst_job_pictures pictures = {.content = &content, .styles = &style, .style_count = 1};
        status = nst_job_create(context, workload->network, &settings, &pictures, job, error);
    }
    nst_picture_free(&content);
    nst_picture_free(&style);
    return status;
}

nst_status workload_steps(void *job, int count, nst_error *error) {
    nst_progress progress;
    nst_status status = NST_OK;
    for (int i = 0; !status && i < count; ++i) {
        status = nst_job_step(job, &progress, error);
    }
    if (!status && !isfinite(progress.loss)) {
        status = fail(error, NST_ERROR_OPENCL, "the loss is not finite");
    }
    return status;
}

/* ---- Counting ---------------------------------------------------------------------------------------------------- */

static struct image_size size_behind(const struct layer *layer, struct image_size size) {
    int grown = 2 * layer->padding - (layer->kernel_size - 1);
    if (layer->kind == LAYER_CONVOLUTION) {
        size = (struct image_size){.height = size.height + grown, .width = size.width + grown};
    } else if (layer->kind == LAYER_POOLING) {
        size = (struct image_size){.height = size.height / 2, .width = size.width / 2};
    }
    return size.height > 0 && size.width > 0 ? size : (struct image_size){0, 0};
}

struct image_size workload_input_size(const nst_network *network, int layer, int size_px) {
    struct image_size size = {.height = size_px, .width = size_px};
    for (int i = 0; i < layer; ++i) {
        size = size_behind(&network->layers[i], size);
    }
    return size;
}

static bool is_among(const nst_layer_list *list, const char *layer) {
    bool found = false;
    for (int i = 0; i < list->count; ++i) {
        found = found || strcmp(list->layers[i].name, layer) == 0;
    }
    return found;
}

bool workload_has_style(const char *layer) {
    nst_settings settings;
    workload_settings(0, &settings);
    return is_among(&settings.style_layers, layer);
}

bool workload_has_content(const char *layer) {
    nst_settings settings;
    workload_settings(0, &settings);
    return is_among(&settings.content_layers, layer);
}

int workload_last_layer(const nst_network *network) {
    int last = network->layer_count - 1;
    while (last > 0 && !workload_has_style(network->layers[last].name) &&
           !workload_has_content(network->layers[last].name)) {
        --last;
    }
    return last > 0 ? last : network->layer_count - 1;
}

double workload_gflop(const nst_network *network, int size_px) {
    double flop = 0, channels = 3;
    for (int i = 0; i <= workload_last_layer(network); ++i) {
        const struct layer *layer = &network->layers[i];
        struct image_size size = workload_input_size(network, i + 1, size_px);
        double pixels = (double)size.height * size.width;
        if (layer->kind == LAYER_CONVOLUTION) {
            channels = layer->out_channels;
            flop += 2 * 2.0 * layer->kernel_size * layer->kernel_size * layer->in_channels * channels * pixels;
        } else if (layer->kind == LAYER_RELU && workload_has_style(layer->name)) {
            flop += (1 + 2) * channels * channels * pixels;
        }
    }
    return flop * 1e-9;
}
