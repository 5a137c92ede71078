/* objective.h: the function that is minimized, as far as it does not change: a network with losses at its layers.
 *
 * What terms there are and how they are weighted is data, an objective_spec; recipes make it (stylize/recipe.h).
 * Evaluating it at an image, with targets and buffers, is evaluation.h's.
 */
#ifndef EVALUATE_OBJECTIVE_H
#define EVALUATE_OBJECTIVE_H

#include "evaluate/tile_run.h"
#include "loss/loss.h"
#include "network/model.h"

enum { OBJECTIVE_MOST_TERMS = 3 * NST_MAX_LAYERS + 2 };

/* One loss, and what people call it. */
struct objective_term {
    struct loss_spec loss;
    char group[16];               /* "content", "style", "tv", "temporal" */
    char name[LAYER_NAME_LENGTH]; /* the layer, or what the loss is called on the image */
    unsigned phases;              /* bit p: it counts in phase p of an optimization; 0: in all */
    int source;                   /* its number in what the objective was made of, for whoever made it */
};

struct objective_spec {
    struct objective_term terms[OBJECTIVE_MOST_TERMS];
    int term_count;
    nst_pooling pooling;
    bool half;              /* feature maps and filters in 16 bits */
    bool replicates_border; /* the first convolution that has a border of zeros repeats the image's */
    bool centered;          /* images are relative to the mean that the network subtracts */
    int regions; /* of the image, each with styles of its own: every style loss is there once for each; 0 stands for 1 */
    bool weighs;                             /* regions have weights, and pictures transparency */
    const struct convolution_engine *engine; /* NULL, but where engines are compared */
};

struct objective;

/* Puts network and losses on the device; everything given may go afterwards. Free with objective_destroy. Errors:
 * NST_ERROR_NETWORK (a layer that is not there), NST_ERROR_ARGUMENT (no such loss), NST_ERROR_OPENCL,
 * NST_ERROR_MEMORY. */
nst_status objective_create(nst_context *context, const nst_network *network, const struct objective_spec *spec,
                            struct objective **objective, nst_error *error);
void objective_destroy(struct objective *objective);

nst_context *objective_context(const struct objective *objective);
const struct model *objective_model(const struct objective *objective);

/* What images on the device are relative to, for red, green and blue: 0, or, if centered, the mean that the network
 * subtracts: steps may be so small that they would drown in the rounding of larger numbers. */
const float *objective_center(const struct objective *objective);

/* Bytes on the device outside of plans: weights of the model and of the losses. */
uint64_t objective_weight_bytes(const struct objective *objective);

int objective_region_count(const struct objective *objective); /* 1 at least */
bool objective_weighs(const struct objective *objective);
const struct tile_kernels *objective_tile_kernels(const struct objective *objective);

/* The terms in order. Owned by the objective. */
int objective_term_count(const struct objective *objective);
const struct loss *objective_loss(const struct objective *objective, int term);
bool objective_term_has_style(const struct objective *objective, int term);
const char *objective_term_group(const struct objective *objective, int term);
const char *objective_term_name(const struct objective *objective, int term);
bool objective_term_counts(const struct objective *objective, int term, int phase);

#endif
