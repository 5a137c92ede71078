/* loss.h: the losses at a layer of the network and on the image: value and gradient.
 *
 * Each loss leaves reduction_partials() partial sums in a buffer shared by all losses, at its own slot; the host
 * adds them up once per evaluation. Weights and normalization are chosen by whoever makes the loss:
 *
 *     content   loss = a |F - P|^2                  gradient = mask 2 a (F - P)
 *     style     loss = a |s F F^T - A|^2            gradient = mask 4 a s (s F F^T - A) F
 *     tv, L1    loss = a sum(|dx| + |dy|)           gradient = a (sign ...)
 *     tv, L2    loss = a sum(dx^2 + dy^2)           gradient = 2 a (...)
 *
 * F is the feature map as a matrix, channels x pixels, P the content's, A the style's Gram matrix times s (Gatys et
 * al. 2016, section 2). The gradients are with respect to what goes into the layer's ReLU, hence the mask.
 */
#ifndef LOSS_LOSS_H
#define LOSS_LOSS_H

#include "device/plan.h"
#include "device/reduction.h"
#include "network/model.h"
#include "network/product.h"

/* Where a loss leaves its partial sums: partials[slot * reduction_partials() ...]. */
struct loss_output {
    cl_mem partials;
    int slot;
};

/* ---- Content ----------------------------------------------------------------------------------------------------- */

struct content_loss;

/* For a tapped stage of the model. Free with content_loss_destroy. */
nst_status content_loss_create(nst_context *context, const struct model *model, int stage, struct content_loss **loss,
                               nst_error *error);
void content_loss_destroy(struct content_loss *loss);
void content_loss_add_to_plan(struct content_loss *loss, struct plan *plan, const struct image_size *sizes,
                              int size_count);
/* Keeps a feature map as the target P. */
nst_status content_loss_set_target(struct content_loss *loss, const struct plan *plan, const struct feature_map *map,
                                   nst_error *error);
/* |P|^2, for normalization; waits. `partials` is a buffer for reduction_partials() floats. */
nst_status content_loss_target_size(struct content_loss *loss, const struct plan *plan, const struct feature_map *map,
                                    struct loss_output output, double *squares, nst_error *error);
/* Value and gradient, added to `gradient` unless that is the map itself, in one pass; `weight` is a. */
nst_status content_loss_run(struct content_loss *loss, const struct plan *plan, const struct feature_map *map,
                            double weight, struct loss_output output, cl_mem gradient, nst_error *error);

/* ---- Style ------------------------------------------------------------------------------------------------------- */

struct style_loss;

/* `engine` makes the Gram matrix; NULL: the one that product_choose takes. */
nst_status style_loss_create(nst_context *context, const struct model *model, int stage,
                             const struct product_engine *engine, struct style_loss **loss, nst_error *error);
void style_loss_destroy(struct style_loss *loss);
void style_loss_add_to_plan(struct style_loss *loss, struct plan *plan, const struct image_size *sizes, int size_count);

/* Computes the Gram matrix F F^T of a feature map; stays on the device until the next call. */
nst_status style_loss_gram(struct style_loss *loss, const struct plan *plan, const struct feature_map *map,
                           nst_error *error);
/* Target A = 0; then A += scale * the Gram matrix last computed, for each style picture. */
nst_status style_loss_clear_target(struct style_loss *loss, const struct plan *plan, nst_error *error);
nst_status style_loss_add_to_target(struct style_loss *loss, const struct plan *plan, double scale, nst_error *error);
/* |A|^2; waits. */
nst_status style_loss_target_size(struct style_loss *loss, const struct plan *plan, double *squares, nst_error *error);

struct style_loss_weights {
    double weight; /* a */
    double scale;  /* s */
};
/* The value, from the Gram matrix last computed; makes the matrix 4 a s (s G - A) for the gradient. */
nst_status style_loss_value(struct style_loss *loss, const struct plan *plan, struct style_loss_weights weights,
                            struct loss_output output, nst_error *error);
/* Adds the gradient at the feature map to `gradient`; where the model has gradients in place, that is the map, which is
 * replaced. */
nst_status style_loss_add_gradient(struct style_loss *loss, const struct plan *plan, const struct feature_map *map,
                                   cl_mem gradient, nst_error *error);

/* ---- Total variation --------------------------------------------------------------------------------------------- */

struct tv_loss;

/* power 1: sum |dx| + |dy|; power 2: sum dx^2 + dy^2, of neighboring pixels of the image [3][height][width]. */
nst_status tv_loss_create(nst_context *context, int power, struct tv_loss **loss, nst_error *error);
void tv_loss_destroy(struct tv_loss *loss);
nst_status tv_loss_run(struct tv_loss *loss, cl_mem image, struct image_size size, double weight,
                       struct loss_output output, cl_mem gradient, nst_error *error);

#endif
