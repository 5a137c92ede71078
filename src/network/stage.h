/* stage.h: a stage of a model, what each kind of stage implements, and the parts of a model. For src/network only.
 *
 * The layers of a network become stages: one layer with those behind it that it takes in, such as a convolution with
 * its ReLU, perhaps with the maximum pooling too. To add a kind of layer: a file like stage_pooling.c with its methods,
 * and a line in the table in stage.c; a context can also be made with a table of its own (context->tables.stages).
 *
 * Model and stages do not change once they are made. What one run owns, its buffers, is a model_run.
 */
#ifndef NETWORK_STAGE_H
#define NETWORK_STAGE_H

#include "network/model.h"

struct stage {
    const struct stage_methods *methods;
    char name[LAYER_NAME_LENGTH]; /* of its last layer */
    int in_channels, out_channels;
    int taps;                   /* losses that sit here */
    bool has_relu;              /* the map is a ReLU's output, with its mask */
    bool has_gradient_in_place; /* see model_gradient_in_place */
    void *state;                /* of its kind, from calloc */
    const struct layer *layer;  /* its first one; only while the model is made */
};

struct model {
    nst_context *context;
    const struct model_options *options; /* only while the model is made */
    struct input_convention input;
    nst_pooling pooling;
    bool half;
    int stage_count;
    struct stage *stages;
    cl_kernel image_to_input, input_gradient_to_image;

    bool takes_image; /* the first convolution reads the image itself, backward it writes the image's gradient */
    float offset[3];  /* which is then added to the image's planes; the rest of the convention is in the filters */
};

/* Along each side, output o reads the inputs stride * o - before .. stride * (o + 1) + after - 1. */
struct stage_window {
    int stride, before, after;
};

/* Bytes that a stage needs for its output and besides; 0 for what it does not need. */
struct stage_bytes {
    uint64_t map, mask;
    uint64_t selection; /* maximum pooling: which pixels of the map before it were the largest */
    uint64_t forward_scratch, backward_scratch;
    uint64_t padded_gradient; /* of its padded input, where a convolution pads with other than zeros */
};

/* The same as entries of a run's plan, -1 for none. */
struct stage_buffers {
    int map, mask, selection, forward_scratch, backward_scratch, padded_gradient;
    int gradient; /* at the output, before the ReLU; the map's own entry if it is in place */
};

struct model_run {
    const struct model *model;
    const struct plan *plan;
    struct image_size size;        /* of the image of the last forward pass */
    int input_map, input_gradient; /* entries: what the network sees of the image; -1 where it takes that itself */
    struct stage_buffers *buffers; /* one for each stage */
};

/* What a kind of stage implements. `stage` is a number in the model. */
struct stage_methods {
    enum layer_kind kind; /* of its first layer */
    /* Fills in what the layer tells; `channels` arrive there. Errors: NST_ERROR_NETWORK. */
    nst_status (*begin)(struct stage *stage, const nst_network *network, int channels, nst_error *error);
    /* Takes the layer behind it into the stage, if it can; NULL: never. */
    bool (*take_in)(struct stage *stage, const struct layer *layer);
    /* Takes the next stage in, if it can, once it is known where losses sit; NULL: never. */
    bool (*merge)(const struct model *model, struct stage *stage, const struct stage *next);
    /* Whether its backward pass can add to the gradient below instead of replacing it; NULL: no. */
    bool (*adds_below)(const struct stage *stage);
    /* Kernels and weights. */
    nst_status (*create)(struct model *model, int stage, nst_error *error);
    void (*destroy)(struct stage *stage);

    /* Size of the output for an input of that size; 0 where the input is too small. */
    struct image_size (*output_size)(const struct stage *stage, struct image_size in);
    /* What one output reads of the input; NULL: it is not said, and pictures of such a network cannot be tiled. */
    struct stage_window (*window)(const struct stage *stage);
    /* Size of the map that its mask or selection is of. */
    struct image_size (*mask_size)(const struct stage *stage, struct image_size in);
    /* What it needs for an input of that size. `out` is its output's. */
    struct stage_bytes (*measure)(const struct model *model, int stage, struct image_size in, struct image_size out);
    /* Multiply-adds of a forward pass, counted as direct convolution; NULL: none that count. */
    double (*multiply_adds)(const struct stage *stage, struct image_size in);
    uint64_t (*weight_bytes)(const struct stage *stage); /* NULL: none */

    nst_status (*forward)(struct model_run *run, int stage, cl_mem input, nst_error *error);
    /* From the gradient at the stage to `below`, that at the stage below it. */
    nst_status (*backward)(struct model_run *run, int stage, cl_mem below, nst_error *error);
    /* One line for a table. */
    void (*print)(const struct model *model, const struct stage *stage, FILE *stream);
};

/* The kinds that a context knows, NULL behind the last; and the one for layers of a kind, NULL where they begin no
 * stage. */
extern const struct stage_methods convolution_stage, pooling_stage;
const struct stage_methods *const *stage_table(const nst_context *context);
const struct stage_methods *stage_find(const nst_context *context, enum layer_kind kind);

/* The convolution of a stage in one direction, NULL for other kinds. */
struct convolution *stage_convolution(const struct stage *stage, bool backward);

/* Size of what goes into a stage for an image of that size. */
struct image_size model_input_size(const struct model *model, int stage, struct image_size image);

/* The buffer of an entry of the run's plan, NULL for -1. */
cl_mem run_buffer(const struct model_run *run, int entry);
/* The ReLU mask of what goes into a stage, or NULL. */
cl_mem run_mask_below(const struct model_run *run, int stage);

#endif
