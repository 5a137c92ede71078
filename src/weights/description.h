/* description.h: what a weight file does not say by its tensors alone: the layers in order, the input it expects, its
 * name, license and origin. It comes from the file's metadata, from a JSON file next to it, or from a known
 * architecture.
 *
 * As JSON, under the key "nst.network" of a safetensors file's __metadata__, or alone in NAME.json beside NAME.ENDING:
 *     {"format": 1, "name": "...", "input": "...", "license": "...", "origin": "...", "layers": [LAYER, ...]}
 * with LAYER one of
 *     {"convolution": "conv1_1", "tensor": "conv1_1", "channels": 64, "kernel": 3, "padding": 1,
 *      "padding_mode": "zero", "bias": true}             only the first key is needed
 *     {"relu": "relu1_1"}
 *     {"pooling": "pool1"}
 */
#ifndef WEIGHTS_DESCRIPTION_H
#define WEIGHTS_DESCRIPTION_H

#include "weights/network.h"
#include "weights/tensors.h"

#define DESCRIPTION_FORMAT     1
#define DESCRIPTION_KEY        "nst.network"
#define DESCRIPTION_MAX_LAYERS 256
#define DESCRIPTION_MAX_KERNEL 15
#define INPUT_LENGTH           200

/* How the tensors of a convolution are called: its prefix and one of these. */
struct tensor_suffixes {
    const char *weight, *bias;
    const char *codes, *codebook; /* the weights as 8-bit codes and the values they stand for, instead of `weight` */
    const char *packed;           /* codes of fewer bits instead of `codes`; NULL where there are none */
};

struct described_layer {
    enum layer_kind kind;
    char name[LAYER_NAME_LENGTH];

    /* convolution */
    char tensor[TENSOR_NAME_LENGTH]; /* prefix of its tensors' names */
    int channels;                    /* output channels; 0: whatever the tensor has */
    int kernel_size, padding;
    enum padding_mode padding_mode;
    bool has_bias;
};

struct description {
    char name[64];            /* of the network, "" if not told */
    char architecture[32];    /* "vgg19", "vgg16", or "" for one given by its layers */
    char input[INPUT_LENGTH]; /* the input convention as text (convention.h), "" if not told */
    char *license, *origin;   /* never NULL after a successful read */
    const struct tensor_suffixes *suffixes;
    struct described_layer *layers;
    int layer_count;    /* of the architecture */
    int present_layers; /* those at its start whose tensors are in the file */
};

/* "zero", "reflect", "replicate". */
extern const char *const padding_mode_names[3];

/* "convolution", "relu", "pooling". */
const char *description_kind_key(enum layer_kind kind);

/* The names that nst itself writes: .weight, .bias, .weight.codes, .weight.codebook, .weight.packed. */
extern const struct tensor_suffixes tensor_suffixes_default;

/* Finds the description of an opened file. Free with description_free in any case.
 * Errors: NST_ERROR_FORMAT (malformed), NST_ERROR_NETWORK (no description, and no known architecture). */
nst_status description_find(const struct tensor_list *list, struct description *description, nst_error *error);
void description_free(struct description *description);

/* Reads the JSON text of a description. `source` is the file that it comes from, for messages; what the text does not
 * say stays as it is in `description`. Errors: NST_ERROR_FORMAT, NST_ERROR_MEMORY. */
nst_status description_parse(const char *source, const char *text, size_t length, struct description *description,
                             nst_error *error);

/* Reads the network in an opened file: finds the layers and the input convention, checks that they fit together, and
 * reads the layers that are needed. `asked_name` is the name by which the file was found, or NULL. Free both results,
 * the network with nst_network_destroy. Errors: as nst_network_open. */
nst_status network_read(const struct tensor_list *list, const nst_network_options *options, const char *asked_name,
                        nst_network **network, struct description *description, nst_error *error);

/* nst_network_open, with the description that the network was made from. Values that are not finite are an error unless
 * they are to be accepted, to be looked at. */
nst_status network_open_described(const char *name_or_path, const nst_network_options *options, bool accept_not_finite,
                                  nst_network **network, struct description *description, nst_error *error);

/* The JSON text for a network that is being written with nst's own tensor names: LAYER.weight, LAYER.bias. `name` is ""
 * if only the name of its file was known. From malloc; NULL if there is no memory. */
char *description_text(const nst_network *network, const char *name, const char *input);

#endif
