/* network.h: the one form in memory that every weight file becomes: a list of layers with their weights, and the input
 * they expect. No layer name is known to the rest of the program; architectures are data. */
#ifndef WEIGHTS_NETWORK_H
#define WEIGHTS_NETWORK_H

#include "nst.h"

#define LAYER_NAME_LENGTH 32

/* One more kind: here, a row in the table of description.c, and a stage that runs it (network/stage.h). */
enum layer_kind { LAYER_CONVOLUTION, LAYER_RELU, LAYER_POOLING };

enum padding_mode { PADDING_ZERO, PADDING_REFLECT, PADDING_REPLICATE };

struct layer {
    enum layer_kind kind;
    char name[LAYER_NAME_LENGTH]; /* conv1_1, relu1_1, pool1 */

    /* convolution: stride 1 */
    int in_channels, out_channels;
    int kernel_size; /* width and height, odd */
    int padding;     /* pixels on each side */
    int stored_bits; /* what a weight took in the file, its codebook apart */
    enum padding_mode padding_mode;
    float *weights; /* [out_channels][in_channels][kernel_size][kernel_size] */
    float *bias;    /* [out_channels], or NULL */

    /* pooling: 2x2, stride 2, odd last rows and columns dropped; max or average is the job's choice */
};

/* How pixels become network input: input[c] = pixel[order[c]] * scale[c] + offset[c], pixels 0..255, order of R, G, B.
 */
struct input_convention {
    char name[32]; /* caffe, torchvision, or "" for one given by numbers */
    int order[3];
    float scale[3], offset[3];
};

struct nst_network {
    char name[64];
    char *path;
    char sha256[65];
    char *origin, *license; /* free text from the metadata, "" if none */
    struct input_convention input;
    int layer_count;
    struct layer *layers;
};

/* How many weights a convolution has. */
uint64_t layer_weight_count(const struct layer *layer);

/* Index of the layer of that name, or -1. */
int network_find_layer(const nst_network *network, const char *name);

#endif
