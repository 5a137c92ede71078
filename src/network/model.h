/* model.h: a network on the device, cut off behind its deepest loss layer: forward to the loss layers, backward to
 * the image.
 *
 * The layers of the weight file become stages: a convolution with the ReLU behind it, or a pooling. A stage is known
 * by the name of its last layer (relu1_1, pool1, ...). Stages at which a loss sits are tapped: their feature maps
 * are kept until the backward pass has gone by. No input of a convolution is kept for the backward pass, since there
 * are no weight gradients: it needs the ReLU masks, and which pixel each maximum came from.
 *
 * The gradient at a stage is the one with respect to what goes into its ReLU: the mask is already applied. A loss
 * that adds its gradient at a tapped stage therefore applies the mask itself.
 *
 * A model does not change once it is made. A run of it owns its buffers, as entries of a plan, so that planning a size
 * changes nothing, and one model serves runs of several sizes in turns.
 *
 * Steps for the memory plan, n stages: the image becomes input at step 0, stage s runs forward at s + 1, its
 * gradient is made at 2 n - s, the image's gradient at 2 n + 1.
 */
#ifndef NETWORK_MODEL_H
#define NETWORK_MODEL_H

#include "device/plan.h"
#include "network/convolution.h"
#include "network/feature_map.h"

struct model_options {
    const char *const *taps; /* names of layers with a loss */
    int tap_count;
    nst_pooling pooling;
    const struct convolution_engine *engine; /* usually NULL: the program chooses */
    bool centered;                           /* images come with the mean of the input convention already subtracted */
    bool half; /* filters as far as they can, feature maps and gradients as 16 bits: see struct convolution_shape */
    bool losses_in_place; /* as far as the device can: see model_gradient_in_place */
};

struct model;

/* Puts the part of the network that the taps need on the device. The network may be destroyed afterwards.
 * Errors: NST_ERROR_NETWORK (no such layer: the message lists those there are), NST_ERROR_OPENCL, NST_ERROR_MEMORY. */
nst_status model_create(nst_context *context, const nst_network *network, const struct model_options *options,
                        struct model **model, nst_error *error);
void model_destroy(struct model *model);

nst_context *model_context(const struct model *model);
int model_stage_count(const struct model *model);
/* The stage of that name, or -1. */
int model_find_stage(const struct model *model, const char *name);
const char *model_name(const struct model *model, int stage);
int model_channels(const struct model *model, int stage);
/* True if feature maps and their gradients are bfloat16. */
bool model_has_half_maps(const struct model *model);
/* The convolution of a stage in one direction, NULL for a pooling. It belongs to the model. */
const struct convolution_shape *model_convolution_shape(const struct model *model, int stage, bool backward);
bool model_has_relu(const struct model *model, int stage);
/* The size of a stage's feature map for an image of that size; 0 where the image is too small. */
struct image_size model_map_size(const struct model *model, int stage, struct image_size image);
/* Pixels of the image to one of a stage's map, along each side; 0 where a layer's kind does not say. */
int model_stride(const struct model *model, int stage);
/* How many pixels before and behind those that a feature stands for it sees of the image at most, over all tapped stages;
 * `stride` is the deepest stage's. False where a layer's kind does not say. */
struct model_reach {
    int before, after, stride;
};
bool model_reach(const struct model *model, struct model_reach *reach);
bool model_is_tapped(const struct model *model, int stage);
/* The smallest side an image may have. */
int model_smallest_side(const struct model *model);

/* True if the gradient at a tapped stage takes the place of its feature map. Then its loss, the only one there,
 * replaces the map by its own gradient, and the pass from above adds to it: this must run after the loss. Elsewhere the
 * pass from above comes first and losses add to what it made. */
bool model_gradient_in_place(const struct model *model, int stage);

int model_forward_step(const struct model *model, int stage);
int model_backward_step(const struct model *model, int stage);
int model_last_step(const struct model *model);

/* Floating-point operations of the convolutions, forward and backward, for an image of that size: counted as direct, in
 * 1e9. */
double model_gflop(const struct model *model, struct image_size image);

/* Bytes of weights on the device, outside the plan. */
uint64_t model_weight_bytes(const struct model *model);

/* A table of the stages: shapes and engines. */
void model_print(const struct model *model, FILE *stream);

/* ---- Runs -------------------------------------------------------------------------------------------------------- */

struct model_run;

/* Adds to the plan the buffers that images of any of these sizes need (element-wise maximum over the sizes); where a
 * map has too many elements for kernels to count, plan->is_uncountable is set. Model and plan must outlive the run,
 * which is freed with model_run_free. Errors: NST_ERROR_NETWORK (a picture that is too small), NST_ERROR_MEMORY. */
nst_status model_reserve(const struct model *model, struct plan *plan, const struct image_size *sizes, int size_count,
                         struct model_run **run, nst_error *error);
void model_run_free(struct model_run *run);

/* Runs all stages on the image, float [3][height][width], 0..255. The plan must be allocated. */
nst_status model_forward(struct model_run *run, cl_mem image, struct image_size size, nst_error *error);

/* Of the last forward pass. */
struct feature_map model_feature_map(const struct model_run *run, int stage);
cl_mem model_gradient(const struct model_run *run, int stage);

/* Sets the gradient at the deepest stage to zero, unless it is in place: the backward pass begins. */
nst_status model_backward_begin(struct model_run *run, nst_error *error);
/* From the gradient at stage `from` to that at the stage `to` < from; to == -1: to the image, whose gradient is
 * written to `image_gradient`, float [3][height][width]. */
nst_status model_backward(struct model_run *run, int from, int to, cl_mem image_gradient, nst_error *error);

#endif
