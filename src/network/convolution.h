/* convolution.h: one interface to every convolution engine.
 *
 * A convolution here is a stride-1 cross-correlation of a feature map with filters, with an epilogue that is fused
 * where the engine can:
 *
 *     sum[o][y][x] = bias[o] + sum over i, dy, dx of weights[o][i][dy][dx] * in[i][y + dy - padding][x + dx - padding]
 *
 * The backward pass to the data is the same convolution with other weights (channels exchanged, filters turned by
 * 180 degrees, padding kernel_size - 1 - padding), so an engine knows nothing of directions.
 *
 * Feature maps and ReLU masks are laid out as feature_map.h says.
 *
 * Channels, kernel size and epilogue are fixed when it is created; height and width come with each run, so that one
 * set of transformed weights and programs serves every scale.
 */
#ifndef NETWORK_CONVOLUTION_H
#define NETWORK_CONVOLUTION_H

#include "network/feature_map.h"
#include "weights/network.h"

struct convolution_engine; /* convolution_engine.h */

enum convolution_epilogue {
    EPILOGUE_NONE,     /* out = sum */
    EPILOGUE_RELU,     /* out = max(sum, 0), and the mask of it is written */
    EPILOGUE_MASK,     /* out = mask bit ? sum : 0 (backward: the ReLU below) */
    EPILOGUE_MASK_ADD, /* out += mask bit ? sum : 0 (the gradient of a loss added at its layer) */
    EPILOGUE_RELU_POOL /* out = maxima of 2x2 windows of max(sum, 0); the mask tells which pixels they came from */
};

struct convolution_shape {
    int in_channels, out_channels;
    int kernel_size;                /* 1 or 3 for the fast engines, any odd number for the plain one */
    int padding;                    /* 0 .. kernel_size - 1 on each side */
    enum padding_mode padding_mode; /* what lies outside the input */
    bool has_bias;
    enum convolution_epilogue epilogue;
    bool unpools;      /* the input is given pooled, with the mask that RELU_POOL wrote: the other pixels are zero */
    bool half_weights; /* store the weights as halves, where the engine gains by it and they keep their precision */
    bool half_maps;    /* input and output are bfloat16, unless they are an image */
    bool in_place;     /* the output takes the input's place in the same buffer (1x1 on CPUs, as many channels) */
    /* Input or output is no feature map but an image, float [3][height][width]; to the input the call's offsets are
     * added. Where convolution_is_possible says so. */
    bool from_image, to_image;
};

/* An engine, and the numbers that it is built with, in that engine's order. */
enum { CONVOLUTION_MOST_PARAMETERS = 4 };
struct convolution_choice {
    const struct convolution_engine *engine;
    int parameters[CONVOLUTION_MOST_PARAMETERS];
};

/* On the host; both may be freed as soon as the convolution is made. */
struct convolution_weights {
    const float *filters; /* [out][in][kernel_size][kernel_size] */
    const float *bias;    /* [out], or NULL */
};

struct convolution;

/* Builds the kernels and puts the transformed weights on the device. `engine` NULL: the one of convolution_choose.
 * `weights` NULL: they are set later, on the device, by convolution_set_weights (1x1 only). Free with
 * convolution_destroy, which accepts NULL. Errors: NST_ERROR_OPENCL, NST_ERROR_MEMORY; NST_ERROR_ARGUMENT when the
 * engine cannot do this shape. */
nst_status convolution_create(nst_context *context, const struct convolution_shape *shape,
                              const struct convolution_engine *engine, const struct convolution_weights *weights,
                              struct convolution **convolution, nst_error *error);
nst_status convolution_create_chosen(nst_context *context, const struct convolution_shape *shape,
                                     const struct convolution_choice *choice, const struct convolution_weights *weights,
                                     struct convolution **convolution, nst_error *error);
void convolution_destroy(struct convolution *convolution);

/* ---- Engines: convolution_choice.c ------------------------------------------------------------------------------- */

/* The engines of a context, NULL behind the last: the faster ones first, and last one that can do any shape, which the
 * others are compared with. */
const struct convolution_engine *const *convolution_engines(const nst_context *context);
const struct convolution_engine *convolution_reference_engine(const nst_context *context);
/* The one for this device that the tuner's table knows by that word ("winograd"); NULL if there is none. */
const struct convolution_engine *convolution_find_engine(const nst_context *context, const char *word);
/* For people: "winograd F(4x4)". */
const char *convolution_engine_name(const struct convolution_engine *engine);
/* True for those whose transforms cost a digit. */
bool convolution_engine_transforms(const struct convolution_engine *engine);

/* ---- Choice: convolution_choice.c -------------------------------------------------------------------------------- */

/* What is built in for the device and shape, of that engine unless it is NULL. */
struct convolution_choice convolution_default_choice(const nst_context *context, const struct convolution_shape *shape,
                                                     const struct convolution_engine *engine);
/* What convolution_create takes: the choice in the device's table (device/tuning.h), else what is built in. */
struct convolution_choice convolution_choose(const nst_context *context, const struct convolution_shape *shape,
                                             const struct convolution_engine *engine);

/* How the table calls a shape; an engine, in rows that tell that it computes wrongly; and a choice, there and back.
 * Each fits its field of struct tuning_row. Parsing fails for what this program and device cannot do. */
void convolution_key(const nst_context *context, const struct convolution_shape *shape, char *key, size_t size);
void convolution_engine_key(const struct convolution_engine *engine, char *key, size_t size);
void convolution_choice_format(const struct convolution_choice *choice, char *text, size_t size);
bool convolution_choice_parse(const nst_context *context, const struct convolution_shape *shape, const char *text,
                              struct convolution_choice *choice);

/* The choice that differs from this one in one parameter, given by its number and the number of the value to try. False
 * when the parameter has no such value; for value 0, when the engine has no such parameter. */
bool convolution_next_choice(const struct convolution_choice *choice, int parameter, int value_index,
                             struct convolution_choice *next);

/* True if the engine can do the shape, and has not computed wrongly on this device. */
bool convolution_engine_can(const nst_context *context, const struct convolution_shape *shape,
                            const struct convolution_engine *engine);

/* True if the engine that is built in for this shape can do it, and is `engine`, unless that is NULL; and if it can
 * then also pool in its epilogue (EPILOGUE_RELU_POOL), and unpool its input in the backward pass. */
bool convolution_is_possible(const nst_context *context, const struct convolution_shape *shape,
                             const struct convolution_engine *engine);
bool convolution_can_pool(const nst_context *context, const struct convolution_shape *shape,
                          const struct convolution_engine *engine);

/* ---- Use --------------------------------------------------------------------------------------------------------- */

/* What it was created for, and which engine does it. */
const struct convolution_shape *convolution_shape_of(const struct convolution *convolution);
const struct convolution_engine *convolution_engine_of(const struct convolution *convolution);

/* Size of the output for an input of height x width. */
void convolution_output_size(const struct convolution_shape *shape, int height, int width, int *out_height,
                             int *out_width);

/* True if the weights are stored as halves. */
bool convolution_has_half_weights(const struct convolution *convolution);

/* Bytes of the transformed weights, and of the scratch buffer that a run at this input size needs (may be 0). */
uint64_t convolution_weight_bytes(const struct convolution *convolution);
uint64_t convolution_scratch_bytes(const struct convolution *convolution, int height, int width);

struct convolution_call {
    int height, width;    /* of the input */
    cl_mem input, output; /* different buffers, but for a shape that is in place */
    cl_mem selection;     /* for a shape that unpools: the mask of its input */
    cl_mem mask;          /* written (RELU), read (MASK, MASK_ADD), unused (NONE); of the output's size */
    cl_mem scratch;       /* at least convolution_scratch_bytes */
    float offset[3];      /* for a shape from an image: added to its channels, inside its borders */
};

/* Enqueues it; does not wait. */
nst_status convolution_run(struct convolution *convolution, const struct convolution_call *call, nst_error *error);

/* Replaces the weights of a 1x1 convolution by a matrix on the device, float [in_channels][out_channels], row-major,
 * dense. */
nst_status convolution_set_weights(struct convolution *convolution, cl_mem matrix, nst_error *error);
/* Replaces its bias, which is zero before, by float [out_channels] on the device. */
nst_status convolution_set_bias(struct convolution *convolution, cl_mem bias, nst_error *error);

#endif
