/* random_network.c: small networks with random weights; see random_network.h. */
#include "random_network.h"

#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 64 };

static void set_option(struct layer *layer, bool *has_bias, const char *option) {
    if (option[0] == 'k') {
        layer->kernel_size = atoi(option + 1);
        layer->padding = layer->kernel_size / 2;
    } else if (option[0] == 'p') {
        layer->padding = atoi(option + 1);
    } else if (strcmp(option, "reflect") == 0) {
        layer->padding_mode = PADDING_REFLECT;
    } else if (strcmp(option, "replicate") == 0) {
        layer->padding_mode = PADDING_REPLICATE;
    } else {
        assert_string_equal(option, "nobias");
        *has_bias = false;
    }
}

static void make_convolution(struct layer *layer, char *options, int in_channels, uint64_t seed) {
    char *rest = NULL;
    bool has_bias = true;
    layer->kind = LAYER_CONVOLUTION;
    layer->in_channels = in_channels;
    layer->out_channels = atoi(strtok_r(options, ":", &rest));
    layer->kernel_size = 3;
    layer->padding = 1;
    for (char *option; (option = strtok_r(NULL, ":", &rest)) != NULL;) {
        set_option(layer, &has_bias, option);
    }
    size_t inner = (size_t)in_channels * (size_t)layer->kernel_size * (size_t)layer->kernel_size;
    size_t count = inner * (size_t)layer->out_channels;
    layer->weights = random_array(seed, count);
    for (size_t i = 0; i < count; ++i) {
        layer->weights[i] *= (float)sqrt(2.0 / (double)inner);
    }
    layer->bias = has_bias ? random_uniform_array(seed + 1, (size_t)layer->out_channels, -0.2, 0.2) : NULL;
}

nst_network *random_network(const char *description, uint64_t seed) {
    char text[512], *rest = NULL;
    snprintf(text, sizeof text, "%s", description);
    nst_network *network = allocate(1, sizeof *network);
    *network = (nst_network){
        .name = "random",
        .input = {
            .name = "test", .order = {2, 1, 0}, .scale = {0.013f, 0.017f, 0.015f}, .offset = {-1.6f, -2.1f, -1.9f}}};
    network->layers = allocate(MOST_LAYERS, sizeof *network->layers);
    int channels = 3, block = 1, within = 0;
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        assert_true(network->layer_count < MOST_LAYERS);
        struct layer *layer = &network->layers[network->layer_count++];
        if (word[0] == 'c') {
            make_convolution(layer, word + 1, channels, seed + 1000 * (uint64_t)network->layer_count);
            channels = layer->out_channels;
            snprintf(layer->name, sizeof layer->name, "conv%d_%d", block, ++within);
        } else if (word[0] == 'r') {
            layer->kind = LAYER_RELU;
            snprintf(layer->name, sizeof layer->name, "relu%d_%d", block, within);
        } else {
            layer->kind = LAYER_POOLING;
            snprintf(layer->name, sizeof layer->name, "pool%d", block++);
            within = 0;
        }
    }
    return network;
}

void random_network_free(nst_network *network) {
    for (int i = 0; i < network->layer_count; ++i) {
        free(network->layers[i].weights);
        free(network->layers[i].bias);
    }
    free(network->layers);
    free(network);
}
