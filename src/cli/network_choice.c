/* network_choice.c: the network that a command works with; see network_choice.h. */
#include "cli/network_choice.h"

#include <stdlib.h>

#include "weights/locate.h"
#include "weights/network.h"
#include "weights/tools.h"

/* The deeper of two layers by names such as relu4_2: block 4, place 2, there the ReLU behind the convolution. NULL if
 * either name tells no depth. */
static const char *deeper_layer(const char *a, const char *b) {
    int block_a, place_a, end_a = 0, block_b, place_b, end_b = 0;
    if (sscanf(a, "%*[a-z]%4d_%4d%n", &block_a, &place_a, &end_a) != 2 || a[end_a] ||
        sscanf(b, "%*[a-z]%4d_%4d%n", &block_b, &place_b, &end_b) != 2 || b[end_b]) {
        return NULL;
    }
    if (block_a != block_b) {
        return block_a > block_b ? a : b;
    }
    if (place_a != place_b) {
        return place_a > place_b ? a : b;
    }
    return *a == 'r' ? a : b;
}

static const char *deepest_layer(const nst_settings *settings) {
    const nst_layer_list *lists[] = {&settings->content_layers, &settings->style_layers};
    const char *deepest = lists[0]->layers[0].name;
    for (int list = 0; list < 2; list++) {
        for (int i = 0; deepest && i < lists[list]->count; i++) {
            deepest = deeper_layer(deepest, lists[list]->layers[i].name);
        }
    }
    return deepest;
}

static bool has_all_layers(const nst_network *network, const nst_settings *settings) {
    const nst_layer_list *lists[] = {&settings->content_layers, &settings->style_layers};
    for (int list = 0; list < 2; list++) {
        for (int i = 0; i < lists[list]->count; i++) {
            if (network_find_layer(network, lists[list]->layers[i].name) < 0) {
                return false;
            }
        }
    }
    return true;
}

nst_status network_choice_open(const char *name, const char *input_convention, const nst_settings *settings,
                               nst_network **network, nst_error *error) {
    nst_network_options options = {.input_convention = input_convention, .until = deepest_layer(settings)};
    nst_status status = nst_network_open(name, &options, network, error);
    if (!status && options.until && !has_all_layers(*network, settings)) {
        nst_network_destroy(*network);
        *network = NULL;
        options.until = NULL;
        status = nst_network_open(name, &options, network, error);
    }
    return status;
}

nst_status network_choice_open_measured(const char *name, const char *input_convention, nst_network **network,
                                        nst_error *error) {
    nst_settings settings;
    char *path = NULL;
    *network = NULL;
    if (!name && network_locate(WEIGHTS_DEFAULT_NAME, &path, NULL)) {
        return NST_OK;
    }
    free(path);
    name = name ? name : WEIGHTS_DEFAULT_NAME;
    nst_status status = nst_settings_init(&settings, NULL, error);
    if (!status) {
        status = network_choice_open(name, input_convention, &settings, network, error);
    }
    if (status != NST_ERROR_NETWORK) {
        return status;
    }
    /* One without those layers is measured as a whole. */
    nst_network_options whole = {.input_convention = input_convention};
    return nst_network_open(name, &whole, network, error);
}
