/* model_internal.h: the parts of a model, shared by model.c (making it) and passes.c (running it). */
#ifndef NETWORK_MODEL_INTERNAL_H
#define NETWORK_MODEL_INTERNAL_H

#include "network/model.h"

struct stage {
    char name[LAYER_NAME_LENGTH]; /* of its last layer */
    bool is_pooling, has_relu;
    int taps;                   /* losses that sit here */
    bool has_gradient_in_place; /* see model_gradient_in_place */
    bool is_pooled;             /* a convolution that pools its output itself: its ReLU lies below the pooling */
    int in_channels, out_channels;

    const struct layer *layer; /* only while the model is made */
    int kernel_size, padding;
    enum padding_mode padding_mode;
    bool folds; /* its backward pass goes through a padded map */
    struct convolution *forward, *backward;

    /* Numbers of plan entries, -1 for none. */
    int map, mask;       /* output and its ReLU mask */
    int selection;       /* maximum pooling: which pixels of the map before it were the largest */
    int gradient;        /* at the output, before the ReLU; the map's own entry if it is in place */
    int padded_gradient; /* of the padded input, where the convolution folds */
    int forward_scratch, backward_scratch;
};

struct model {
    nst_context *context;
    struct input_convention input;
    nst_pooling pooling;
    bool half;
    int stage_count;
    struct stage *stages;
    cl_kernel image_to_input, input_gradient_to_image, pool, pool_backward, fold_padding;

    bool takes_image; /* the first convolution reads the image itself, backward it writes the image's gradient */
    float offset[3];  /* which is then added to the image's planes; the rest of the convention is in the filters */
    int input_map, input_gradient; /* plan entries: what the network sees of the image; -1 where it takes that itself */
    struct image_size size;        /* of the image of the last forward pass */
};

#endif
