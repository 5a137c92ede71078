/* network.c: from a weight file to the network in memory: finds the file, the layers and the input convention, checks
 * that they fit together, and reads the layers that are needed. See network.h and nst.h. */
#include "weights/network.h"
#include "support/error.h"
#include "support/text.h"
#include "weights/architecture.h"
#include "weights/codebook.h"
#include "weights/convention.h"
#include "weights/description.h"
#include "weights/known.h"
#include "weights/locate.h"
#include <stdlib.h>
#include <string.h>

#define MAX_CHANNELS 16384
#define MAX_WEIGHTS  (UINT64_C(1) << 28) /* of all layers together: 1 GiB; VGG-19 has 2^24.3 */

/* ---- The public side ------------------------------------------------------------------------------------------- */

const char *nst_network_name(const nst_network *network) {
    return network->name;
}
const char *nst_network_path(const nst_network *network) {
    return network->path;
}
const char *nst_network_sha256(const nst_network *network) {
    return network->sha256;
}

uint64_t layer_weight_count(const struct layer *layer) {
    return (uint64_t)layer->out_channels * (uint64_t)layer->in_channels *
           (uint64_t)(layer->kernel_size * layer->kernel_size);
}

int network_find_layer(const nst_network *network, const char *name) {
    for (int i = 0; i < network->layer_count; i++) {
        if (strcmp(network->layers[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

void nst_network_destroy(nst_network *network) {
    if (network == NULL) {
        return;
    }
    for (int i = 0; i < network->layer_count; i++) {
        free(network->layers[i].weights);
        free(network->layers[i].bias);
    }
    free(network->layers);
    free(network->path);
    free(network->origin);
    free(network->license);
    free(network);
}

nst_status nst_network_open(const char *name_or_path, const nst_network_options *options, nst_network **network,
                            nst_error *error) {
    struct description description;
    nst_status status = network_open_described(name_or_path, options, false, network, &description, error);
    description_free(&description);
    return status;
}

/* ---- Which layers ---------------------------------------------------------------------------------------------- */

static nst_status fail_no_layer(const struct tensor_list *list, const struct description *description,
                                const char *until, nst_error *error) {
    const char *names[DESCRIPTION_MAX_LAYERS];
    for (int i = 0; i < description->layer_count; i++) {
        names[i] = description->layers[i].name;
    }
    const char *nearest = text_nearest(until, names, (size_t)description->layer_count);
    return fail(error, NST_ERROR_NETWORK, "%s: its network has no layer %.40s; the layers go from %s to %s%s%s%s",
                list->path, until, names[0], names[description->layer_count - 1],
                nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
}

/* How many layers are needed for `until`. */
static nst_status count_layers(const struct tensor_list *list, const struct description *description, const char *until,
                               int *count, nst_error *error) {
    *count = description->present_layers;
    if (until == NULL) {
        return NST_OK;
    }
    int last = 0;
    while (last < description->layer_count && strcmp(description->layers[last].name, until) != 0) {
        last++;
    }
    if (last == description->layer_count) {
        return fail_no_layer(list, description, until, error);
    }
    *count = last + 1;
    if (*count <= description->present_layers) {
        return NST_OK;
    }
    int missing = description->present_layers;
    while (missing < last && description->layers[missing].kind != LAYER_CONVOLUTION) {
        missing++;
    }
    if (description->layers[missing].kind != LAYER_CONVOLUTION) {
        return fail(error, NST_ERROR_NETWORK, "%s ends with the layer %s; %s is not in it", list->path,
                    description->layers[description->present_layers - 1].name, until);
    }
    return fail(error, NST_ERROR_NETWORK, "%s ends with the layer %s; %s needs %s (the tensor %s%s), which is missing",
                list->path, description->layers[description->present_layers - 1].name, until,
                description->layers[missing].name, description->layers[missing].tensor, description->suffixes->weight);
}

/* ---- Which input ----------------------------------------------------------------------------------------------- */

/* The convention comes from the description, the known file or the caller; they must not contradict each other. */
static nst_status decide_input(const char *path, const struct known_file *known, const char *given,
                               struct description *description, struct input_convention *input, nst_error *error) {
    struct input_convention asked;
    if (given != NULL && !convention_from_text(given, &asked)) {
        return fail(error, NST_ERROR_ARGUMENT, "unknown input convention %.60s; expected caffe or torchvision", given);
    }
    if (description->input[0] == 0 && known != NULL) {
        strcpy(description->input, known->input);
    }
    if (description->input[0] == 0 && given == NULL) {
        return fail(error, NST_ERROR_NETWORK,
                    "%s does not tell what input it expects; say so with --input-convention caffe (BGR, 0..255, minus "
                    "the mean) or --input-convention torchvision (RGB, normalized)",
                    path);
    }
    if (description->input[0] == 0) {
        snprintf(description->input, sizeof description->input, "%s", given);
    }
    if (!convention_from_text(description->input, input)) {
        return fail(error, NST_ERROR_FORMAT,
                    "%s: its input convention \"%s\" is not understood; expected caffe, "
                    "torchvision, or ORDER, 0..RANGE, minus (A, B, C), over (A, B, C)",
                    path, description->input);
    }
    if (given != NULL && !convention_equal(&asked, input)) {
        return fail(error, NST_ERROR_ARGUMENT, "%s expects the input %s, which --input-convention %s contradicts", path,
                    input->name[0] != 0 ? input->name : description->input, given);
    }
    return NST_OK;
}

/* ---- Which network --------------------------------------------------------------------------------------------- */

/* A name that stands for one network must not bring another. */
static nst_status check_name(const char *path, const char *name, const struct description *description,
                             const struct input_convention *input, nst_error *error) {
    const struct known_name *known = known_name_find(name);
    if (known == NULL) {
        return NST_OK;
    }
    if (description->name[0] != 0 && strcmp(description->name, name) != 0) {
        return fail(error, NST_ERROR_NETWORK, "%s is the network %s, not %s; rename it", path, description->name, name);
    }
    if (description->architecture[0] != 0 && strcmp(description->architecture, known->architecture) != 0) {
        return fail(error, NST_ERROR_NETWORK, "%s is a %s, not %s; rename it", path, description->architecture, name);
    }
    if (strcmp(input->name, known->input) != 0) {
        return fail(error, NST_ERROR_NETWORK,
                    "%s expects the input %s, but %s is the network that expects %s; they are different: rename it",
                    path, input->name[0] != 0 ? input->name : description->input, name, known->input);
    }
    return NST_OK;
}

/* The name of a file that does not tell one: its base name, unless that is the name of another network. */
static void name_from_file(nst_network *network, const struct description *description) {
    network_base_name(network->path, network->name, sizeof network->name);
    if (check_name(network->path, network->name, description, &network->input, NULL)) {
        snprintf(network->name, sizeof network->name, "%s-%s", description->architecture,
                 network->input.name[0] == 0 ? "other" : network->input.name);
    }
}

/* Name, origin and license, from the description or the known file. */
static nst_status identify(nst_network *network, const struct known_file *known, const char *asked_name,
                           struct description *description, nst_error *error) {
    if (description->name[0] == 0 && known != NULL) {
        strcpy(description->name, known->name);
    }
    if (asked_name != NULL) {
        snprintf(network->name, sizeof network->name, "%s", asked_name);
    } else if (description->name[0] != 0) {
        strcpy(network->name, description->name);
    } else {
        name_from_file(network, description);
    }
    bool told = known != NULL && description->origin[0] == 0;
    network->origin = strdup(told ? known->origin : description->origin);
    told = known != NULL && description->license[0] == 0;
    network->license = strdup(told ? known->license : description->license);
    return network->origin == NULL || network->license == NULL ? fail_memory(error, 1, "a network") : NST_OK;
}

/* ---- The layers ------------------------------------------------------------------------------------------------ */

static nst_status fail_shape(const struct tensor_list *list, const struct tensor *tensor, const char *expected,
                             nst_error *error) {
    char shape[120];
    return fail(error, NST_ERROR_NETWORK, "%s: the tensor %s has the shape %s, expected %s", list->path, tensor->name,
                tensor_shape_text(tensor, shape, sizeof shape), expected);
}

static nst_status fail_missing(const struct tensor_list *list, const struct described_layer *layer, const char *suffix,
                               nst_error *error) {
    return fail(error, NST_ERROR_NETWORK, "%s lacks the layer %s: there is no tensor %s%s", list->path, layer->name,
                layer->tensor, suffix);
}

/* Packed codes have no shape of their own; it comes from the description and the layer below. */
static nst_status measure_packed(const struct tensor_list *list, const struct description *description,
                                 const struct described_layer *described, const struct tensor *packed,
                                 struct layer *layer, nst_error *error) {
    const struct tensor *codebook = layer_tensor(list, described, description->suffixes->codebook);
    if (codebook == NULL) {
        return fail_missing(list, described, description->suffixes->codebook, error);
    }
    if (described->channels == 0) {
        return fail(error, NST_ERROR_NETWORK,
                    "%s: the description of the layer %s lacks \"channels\", which its packed codes %s need",
                    list->path, described->name, packed->name);
    }
    layer->out_channels = described->channels;
    return codebook_check_packed(list, packed, codebook, layer_weight_count(layer), &layer->stored_bits, error);
}

static nst_status measure_shaped(const struct tensor_list *list, const struct described_layer *described,
                                 const struct tensor *weights, struct layer *layer, nst_error *error) {
    char expected[120], channels[24] = "channels";
    int in_channels = layer->in_channels;
    if (described->channels > 0) {
        snprintf(channels, sizeof channels, "%d", described->channels);
    }
    snprintf(expected, sizeof expected, "%s x %d x %d x %d", channels, in_channels, described->kernel_size,
             described->kernel_size);
    uint64_t kernel_size = (uint64_t)described->kernel_size;
    if (weights->dimensions != 4 || weights->shape[1] != (uint64_t)in_channels || weights->shape[2] != kernel_size ||
        weights->shape[3] != kernel_size || weights->shape[0] == 0 || weights->shape[0] > MAX_CHANNELS ||
        (described->channels > 0 && weights->shape[0] != (uint64_t)described->channels)) {
        return fail_shape(list, weights, expected, error);
    }
    layer->out_channels = (int)weights->shape[0];
    layer->stored_bits = 8 * (int)tensor_type_info(weights->type)->bytes;
    return NST_OK;
}

/* Fills in a convolution's sizes from its tensors' shapes, and checks them; reads no values. */
static nst_status measure_convolution(const struct tensor_list *list, const struct description *description,
                                      const struct described_layer *described, int in_channels, struct layer *layer,
                                      nst_error *error) {
    const struct tensor_suffixes *suffixes = description->suffixes;
    const struct tensor *weights = convolution_tensor(list, description, described);
    if (weights == NULL) {
        return fail_missing(list, described, suffixes->weight, error);
    }
    layer->in_channels = in_channels;
    layer->kernel_size = described->kernel_size;
    layer->padding = described->padding;
    layer->padding_mode = described->padding_mode;
    nst_status status = weights == layer_tensor(list, described, suffixes->packed)
                            ? measure_packed(list, description, described, weights, layer, error)
                            : measure_shaped(list, described, weights, layer, error);
    if (status || !described->has_bias) {
        return status;
    }
    const struct tensor *bias = layer_tensor(list, described, suffixes->bias);
    if (bias == NULL) {
        return fail_missing(list, described, suffixes->bias, error);
    }
    if (bias->dimensions != 1 || bias->shape[0] != (uint64_t)layer->out_channels) {
        char expected[24];
        snprintf(expected, sizeof expected, "%d", layer->out_channels);
        return fail_shape(list, bias, expected, error);
    }
    return NST_OK;
}

/* Sizes of all layers, before anything is read. */
static nst_status measure_layers(const struct tensor_list *list, const struct description *description,
                                 nst_network *network, nst_error *error) {
    int channels = 3;
    uint64_t total = 0;
    if (description->layers[0].kind != LAYER_CONVOLUTION) {
        return fail(error, NST_ERROR_NETWORK, "%s: its first layer, %s, is not a convolution", list->path,
                    description->layers[0].name);
    }
    for (int i = 0; i < network->layer_count; i++) {
        const struct described_layer *described = &description->layers[i];
        struct layer *layer = &network->layers[i];
        layer->kind = described->kind;
        strcpy(layer->name, described->name);
        if (layer->kind != LAYER_CONVOLUTION) {
            continue;
        }
        nst_status status = measure_convolution(list, description, described, channels, layer, error);
        if (status) {
            return status;
        }
        channels = layer->out_channels;
        total += layer_weight_count(layer);
        if (total > MAX_WEIGHTS) {
            return fail(error, NST_ERROR_MEMORY, "%s: up to the layer %s it has %llu weights, nst takes at most %llu",
                        list->path, layer->name, (unsigned long long)total, (unsigned long long)MAX_WEIGHTS);
        }
    }
    return NST_OK;
}

static nst_status read_convolution(const struct tensor_list *list, const struct description *description,
                                   const struct described_layer *described, struct layer *layer, nst_error *error) {
    const struct tensor_suffixes *suffixes = description->suffixes;
    const struct tensor *weights = convolution_tensor(list, description, described);
    const struct tensor *codebook = layer_tensor(list, described, suffixes->codebook);
    nst_status status;
    if (weights == layer_tensor(list, described, suffixes->weight)) {
        status = tensor_read(list, weights, &layer->weights, error);
    } else if (codebook == NULL) {
        status = fail_missing(list, described, suffixes->codebook, error);
    } else if (weights == layer_tensor(list, described, suffixes->codes)) {
        status = codebook_read(list, weights, codebook, &layer->weights, error);
    } else {
        status = codebook_read_packed(list, weights, codebook, layer_weight_count(layer), &layer->weights, error);
    }
    if (!status && described->has_bias) {
        status = tensor_read(list, layer_tensor(list, described, suffixes->bias), &layer->bias, error);
    }
    return status;
}

/* ---- Opening --------------------------------------------------------------------------------------------------- */

static nst_status assemble(const struct tensor_list *list, const nst_network_options *options, const char *asked_name,
                           nst_network *network, struct description *description, nst_error *error) {
    int count = 0;
    nst_status status = description_find(list, description, error);
    if (!status) {
        status = count_layers(list, description, options->until, &count, error);
    }
    if (!status) {
        status = known_sha256(list, network->sha256, error);
    }
    if (status) {
        return status;
    }
    network->layers = calloc((size_t)count, sizeof *network->layers);
    if (network->layers == NULL) {
        return fail_memory(error, (size_t)count * sizeof *network->layers, "the layers of a network");
    }
    network->layer_count = count;
    status = measure_layers(list, description, network, error);
    const struct known_file *known = known_file_find(network->sha256);
    if (!status) {
        status = decide_input(network->path, known, options->input_convention, description, &network->input, error);
    }
    if (!status) {
        status = identify(network, known, asked_name, description, error);
    }
    if (!status && asked_name != NULL) {
        status = check_name(network->path, asked_name, description, &network->input, error);
    }
    for (int i = 0; i < count && !status; i++) {
        if (network->layers[i].kind == LAYER_CONVOLUTION) {
            status = read_convolution(list, description, &description->layers[i], &network->layers[i], error);
        }
    }
    return status;
}

nst_status network_read(const struct tensor_list *list, const nst_network_options *options, const char *asked_name,
                        nst_network **network, struct description *description, nst_error *error) {
    static const nst_network_options defaults = {NULL, NULL};
    *network = NULL;
    *description = (struct description){0};
    nst_network *opened = calloc(1, sizeof *opened);
    if (opened == NULL) {
        return fail_memory(error, sizeof *opened, "a network");
    }
    nst_status status = NST_OK;
    opened->path = strdup(list->path);
    if (opened->path == NULL) {
        status = fail_memory(error, strlen(list->path) + 1, "a file name");
    }
    if (!status) {
        status = assemble(list, options == NULL ? &defaults : options, asked_name, opened, description, error);
    }
    if (status) {
        nst_network_destroy(opened);
        description_free(description);
        return status;
    }
    *network = opened;
    return NST_OK;
}

nst_status network_open_described(const char *name_or_path, const nst_network_options *options, bool accept_not_finite,
                                  nst_network **network, struct description *description, nst_error *error) {
    struct tensor_list list;
    bool is_path = network_is_path(name_or_path);
    char *path = NULL;
    nst_status status = NST_OK;
    *network = NULL;
    *description = (struct description){0};
    if (name_or_path[0] == 0) {
        return fail(error, NST_ERROR_ARGUMENT, "the name of the network is empty");
    }
    if (!is_path) {
        status = network_locate(name_or_path, &path, error);
    }
    if (!status) {
        status = tensor_list_open(is_path ? name_or_path : path, &list, error);
    }
    free(path);
    if (status) {
        return status;
    }
    list.accept_not_finite = accept_not_finite;
    status = network_read(&list, options, is_path ? NULL : name_or_path, network, description, error);
    tensor_list_close(&list);
    return status;
}
