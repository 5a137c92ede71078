/* network.c: a whole network in float64; see network.h. The objective is in objective.c. */
#include "reference/network.h"

#include "reference/convolution.h"
#include "reference/pooling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t count_of(const struct reference_map *map) {
    return (size_t)map->channels * (size_t)map->height * (size_t)map->width;
}

static double *zeros(size_t count) {
    double *values = calloc(count ? count : 1, sizeof *values);
    if (!values) {
        abort();
    }
    return values;
}

static struct reference_map create_map(int channels, int height, int width) {
    struct reference_map map = {channels, height, width, NULL, NULL};
    map.values = zeros(count_of(&map));
    map.gradient = zeros(count_of(&map));
    return map;
}

void reference_network_init(struct reference_network *reference, const nst_network *network, nst_pooling pooling,
                            int height, int width) {
    *reference =
        (struct reference_network){.network = network, .pooling = pooling, .map_count = network->layer_count + 1};
    reference->maps = calloc((size_t)reference->map_count, sizeof *reference->maps);
    if (!reference->maps) {
        abort();
    }
    reference->maps[0] = create_map(3, height, width);
    for (int i = 0; i < network->layer_count; ++i) {
        const struct layer *layer = &network->layers[i];
        const struct reference_map *in = &reference->maps[i];
        int grown = 2 * layer->padding - layer->kernel_size + 1;
        reference->maps[i + 1] = layer->kind == LAYER_POOLING ? create_map(in->channels, in->height / 2, in->width / 2)
                                 : layer->kind == LAYER_CONVOLUTION
                                     ? create_map(layer->out_channels, in->height + grown, in->width + grown)
                                     : create_map(in->channels, in->height, in->width);
    }
}

void reference_network_free(struct reference_network *reference) {
    for (int i = 0; i < reference->map_count; ++i) {
        free(reference->maps[i].values);
        free(reference->maps[i].gradient);
    }
    free(reference->maps);
}

struct reference_map *reference_network_map(const struct reference_network *reference, const char *layer) {
    for (int i = 0; i < reference->network->layer_count; ++i) {
        if (strcmp(reference->network->layers[i].name, layer) == 0) {
            return &reference->maps[i + 1];
        }
    }
    abort();
}

/* ---- Layers ---------------------------------------------------------------------------------------------------- */

/* Visits every product of a convolution. Forward: out->values += weight * in->values; backward, the same read the other
 * way: in->gradient += weight * out->gradient. */
static void convolution_products(const struct layer *layer, const struct reference_map *in,
                                 const struct reference_map *out, bool is_forward) {
    int size = layer->kernel_size;
    size_t plane = (size_t)in->height * (size_t)in->width, at = 0;
    for (int o = 0; o < out->channels; ++o) {
        for (int y = 0; y < out->height; ++y) {
            for (int x = 0; x < out->width; ++x, ++at) {
                for (int dy = 0; dy < size; ++dy) {
                    int row = reference_source_index(y + dy - layer->padding, in->height, layer->padding_mode);
                    for (int dx = 0; row >= 0 && dx < size; ++dx) {
                        int column = reference_source_index(x + dx - layer->padding, in->width, layer->padding_mode);
                        for (int i = 0; column >= 0 && i < in->channels; ++i) {
                            size_t from = (size_t)i * plane + (size_t)row * (size_t)in->width + (size_t)column;
                            double weight = layer->weights[((o * in->channels + i) * size + dy) * size + dx];
                            if (is_forward) {
                                out->values[at] += weight * in->values[from];
                            } else {
                                in->gradient[from] += weight * out->gradient[at];
                            }
                        }
                    }
                }
            }
        }
    }
}

static void convolution_forward(const struct layer *layer, const struct reference_map *in,
                                const struct reference_map *out) {
    size_t pixels = (size_t)out->height * (size_t)out->width;
    for (size_t i = 0; i < count_of(out); ++i) {
        out->values[i] = layer->bias ? layer->bias[i / pixels] : 0;
    }
    convolution_products(layer, in, out, true);
}

static void relu_forward(const struct reference_map *in, const struct reference_map *out) {
    for (size_t i = 0; i < count_of(in); ++i) {
        out->values[i] = in->values[i] > 0 ? in->values[i] : 0;
    }
}

static void relu_backward(const struct reference_map *in, const struct reference_map *out) {
    for (size_t i = 0; i < count_of(in); ++i) {
        in->gradient[i] += in->values[i] > 0 ? out->gradient[i] : 0;
    }
}

/* ---- Distance from kinks --------------------------------------------------------------------------------------- */

static double root_mean_square(const struct reference_map *map) {
    double sum = 0;
    for (size_t i = 0; i < count_of(map); ++i) {
        sum += map->values[i] * map->values[i];
    }
    return sqrt(sum / (double)count_of(map));
}

static double relu_margin(const struct reference_map *in) {
    double smallest = INFINITY;
    for (size_t i = 0; i < count_of(in); ++i) {
        smallest = fmin(smallest, fabs(in->values[i]));
    }
    return smallest / root_mean_square(in);
}

/* Windows whose largest value is 0 behind a ReLU do not matter: nothing flows back there. */
static double pooling_margin(const struct reference_map *in) {
    double smallest = INFINITY;
    for (int c = 0; c < in->channels; ++c) {
        const double *plane = in->values + (size_t)c * (size_t)in->height * (size_t)in->width;
        for (int y = 0; y < in->height / 2; ++y) {
            for (int x = 0; x < in->width / 2; ++x) {
                size_t largest = reference_largest_of_window(plane, in->width, y, x);
                for (int k = 0; k < 4; ++k) {
                    size_t other = (size_t)(2 * y + k / 2) * (size_t)in->width + (size_t)(2 * x + k % 2);
                    if (other != largest && plane[largest] != 0) {
                        smallest = fmin(smallest, plane[largest] - plane[other]);
                    }
                }
            }
        }
    }
    return smallest / root_mean_square(in);
}

/* ---- Passes ---------------------------------------------------------------------------------------------------- */

void reference_network_forward(struct reference_network *reference, const double *image) {
    const struct input_convention *input = &reference->network->input;
    size_t pixels = (size_t)reference->maps[0].height * (size_t)reference->maps[0].width;
    for (size_t c = 0; c < 3; ++c) {
        for (size_t p = 0; p < pixels; ++p) {
            reference->maps[0].values[c * pixels + p] =
                image[(size_t)input->order[c] * pixels + p] * input->scale[c] + input->offset[c];
        }
    }
    reference->margin = INFINITY;
    for (int i = 0; i < reference->network->layer_count; ++i) {
        const struct layer *layer = &reference->network->layers[i];
        const struct reference_map *in = &reference->maps[i], *out = &reference->maps[i + 1];
        if (layer->kind == LAYER_CONVOLUTION) {
            convolution_forward(layer, in, out);
        } else if (layer->kind == LAYER_RELU) {
            relu_forward(in, out);
            reference->margin = fmin(reference->margin, relu_margin(in));
        } else {
            reference_pooling(reference->pooling, in->values, in->channels, in->height, in->width, out->values);
            if (reference->pooling == NST_POOLING_MAX) {
                reference->margin = fmin(reference->margin, pooling_margin(in));
            }
        }
    }
}

void reference_network_clear_gradients(struct reference_network *reference) {
    for (int i = 0; i < reference->map_count; ++i) {
        memset(reference->maps[i].gradient, 0, count_of(&reference->maps[i]) * sizeof(double));
    }
}

void reference_network_backward(struct reference_network *reference, double *image_gradient) {
    for (int i = reference->network->layer_count - 1; i >= 0; --i) {
        const struct layer *layer = &reference->network->layers[i];
        const struct reference_map *in = &reference->maps[i], *out = &reference->maps[i + 1];
        if (layer->kind == LAYER_CONVOLUTION) {
            convolution_products(layer, in, out, false);
        } else if (layer->kind == LAYER_RELU) {
            relu_backward(in, out);
        } else {
            reference_pooling_backward(reference->pooling, in->values, in->channels, in->height, in->width,
                                       out->gradient, in->gradient);
        }
    }
    const struct input_convention *input = &reference->network->input;
    size_t pixels = (size_t)reference->maps[0].height * (size_t)reference->maps[0].width;
    for (size_t c = 0; c < 3; ++c) {
        for (size_t p = 0; p < pixels; ++p) {
            image_gradient[(size_t)input->order[c] * pixels + p] =
                input->scale[c] * reference->maps[0].gradient[c * pixels + p];
        }
    }
}
