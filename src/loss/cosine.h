/* cosine.h: cosine distance of samples to fixed targets, over a stack of layers: value and slope. The formulas are in
 * cl/cosine.cl. Everything here enqueues and does not wait.
 *
 *     for each layer: cosine_add;  cosine_loss;  for each layer: cosine_slope
 */
#ifndef LOSS_COSINE_H
#define LOSS_COSINE_H

#include "device/context.h"
#include "loss/samples.h"

struct cosine {
    cl_kernel add, loss, slope;
};

/* Release with cosine_release, also after a failure. Errors: NST_ERROR_OPENCL. */
nst_status cosine_create(nst_context *context, struct cosine *cosine, nst_error *error);
void cosine_release(struct cosine *cosine);

/* One layer. The targets of all layers together have length 1 at each position, or are zero (matching_gather). */
struct cosine_layer {
    struct sample_stack samples;
    cl_mem targets; /* a stack of as many positions */
    int first_target_block;
    cl_mem mean; /* subtracted from the samples, laid out as they are; or NULL */
};

/* Sums over the layers, float [positions] each; after cosine_loss, the factors of the slope. */
struct cosine_sums {
    cl_mem dots, squares;
};

/* Adds a layer to the sums; the first one replaces what is there. */
nst_status cosine_add(nst_context *context, const struct cosine *cosine, const struct cosine_layer *layer,
                      const struct cosine_sums *sums, bool is_first, nst_error *error);

struct cosine_value {
    int positions;
    double weight;   /* of each position */
    cl_mem weights;  /* times these, float [positions]; or NULL */
    cl_mem partials; /* the loss is left here (device/reduction.h) */
    int slot;
};
nst_status cosine_loss(nst_context *context, const struct cosine *cosine, const struct cosine_sums *sums,
                       const struct cosine_value *value, nst_error *error);

/* slope = d loss / d samples, laid out as they are; it may be their buffer. */
nst_status cosine_slope(nst_context *context, const struct cosine *cosine, const struct cosine_layer *layer,
                        const struct cosine_sums *sums, cl_mem slope, nst_error *error);

#endif
