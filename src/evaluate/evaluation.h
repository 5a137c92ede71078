/* evaluation.h: an objective evaluated at images of one size: targets in, then losses and gradient again and again.
 *
 * An evaluation owns what one picture needs, as entries of a plan: the image, its gradient, the network's and the
 * losses' buffers and targets. Several evaluations may share an objective, and take turns.
 *
 *     reserve ... plan_assign, plan_allocate
 *     begin_targets, for the content and each style: put it into the image, add_target; end_targets
 *     (each style first as a survey, where that is wanted)
 *     then: put an image of the content's size there, run
 *
 * An objective of several regions has every style loss once for each region, with targets of its own.
 *
 * In tiles, the network's buffers are those of one tile (tiling.h), and an evaluation is two passes over all of them: one
 * that gathers the statistics of the losses, and one that makes the gradient, tile by tile, from those of the whole.
 *
 * Images are float [3][height][width] on the device, 0..255 minus objective_center.
 */
#ifndef EVALUATE_EVALUATION_H
#define EVALUATE_EVALUATION_H

#include "evaluate/objective.h"

struct evaluation;

/* Of an evaluation: of the result, and of every style turned to all sides. */
enum { EVALUATION_MOST_SIZES = 1 + 4 * NST_MAX_STYLES };

/* Adds to the plan everything for images and styles of up to these sizes; sizes[0] is that of the result, and the others
 * are shared out evenly among the objective's regions, those of the first one first. Nothing else changes: a plan may be made to answer a question. Objective and plan must outlive the evaluation, which is freed with
 * evaluation_free. Errors: NST_ERROR_NETWORK (a size that is too small), NST_ERROR_MEMORY. */
nst_status evaluation_reserve(const struct objective *objective, struct plan *plan, const struct image_size *sizes,
                              int size_count, struct evaluation **evaluation, nst_error *error);

/* How much of an image is on the device. */
struct evaluation_form {
    int core_px;   /* of tiles, up to so many pixels on each side; 0: the image is whole */
    bool on_host;  /* in tiles: image and gradient lie in the host's memory, and move with their tiles */
    bool in_bands; /* in tiles: of any band of the image, as a member of a team (team.h) has them */
};
/* The same in any form. Errors besides: NST_ERROR_ARGUMENT (a loss that does not take tiles), NST_ERROR_NETWORK (nor a
 * kind of layer). */
nst_status evaluation_reserve_in_tiles(const struct objective *objective, struct plan *plan,
                                       const struct image_sizes *sizes, const struct evaluation_form *form,
                                       struct evaluation **evaluation, nst_error *error);
void evaluation_free(struct evaluation *evaluation);

/* The image and its gradient, padded as the optimizer wants it (optimizer_padded); their buffers, NULL on the host. */
struct vector evaluation_image_vector(const struct evaluation *evaluation);
struct vector evaluation_gradient_vector(const struct evaluation *evaluation);
bool evaluation_is_on_host(const struct evaluation *evaluation);
cl_mem evaluation_image(const struct evaluation *evaluation);
cl_mem evaluation_gradient(const struct evaluation *evaluation);

/* Where in images of that size losses count: weights as in loss/region.h. */
struct evaluation_regions {
    struct image_size image;
    const float *content;       /* of losses without a style; NULL: everywhere */
    const float *const *styles; /* of the others, for each region; NULL: everywhere */
};
/* From the next targets on, the loss of each term counts so many times; 1 at first. */
void evaluation_set_factors(struct evaluation *evaluation, const double *factors);
/* `phase`: that of the terms which count from then on. `regions`: NULL, or where losses count, if the objective weighs.
 * The loss of a region counts by its share of all regions' weights. */
nst_status evaluation_begin_targets(struct evaluation *evaluation, int phase, const struct evaluation_regions *regions,
                                    nst_error *error);
/* True if a term of the phase wants such pictures: surveys need not be made for nobody. */
bool evaluation_wants(const struct evaluation *evaluation, enum loss_picture picture);
/* The image in hand, of that size, is a target; the content's size is that of images from then on. */
nst_status evaluation_add_target(struct evaluation *evaluation, const struct loss_target *target,
                                 struct image_size size, nst_error *error);
nst_status evaluation_end_targets(struct evaluation *evaluation, nst_error *error);

/* Takes over what another evaluation of the same terms multiplies its losses by, once both have their targets: then the
 * losses of the two compare, and a wrong scale does not cancel out against a wrong target. */
void evaluation_copy_factors(struct evaluation *evaluation, const struct evaluation *other);

/* Losses at the image, and, if wanted, the gradient. Waits for the losses. */
enum evaluation_kind { EVALUATE_LOSSES, EVALUATE_GRADIENT };
nst_status evaluation_run(struct evaluation *evaluation, enum evaluation_kind kind, nst_error *error);

/* Of the last run; owned by the evaluation. */
const nst_layer_loss *evaluation_losses(const struct evaluation *evaluation, int *count);
double evaluation_total(const struct evaluation *evaluation);

/* Lists the image, and what the losses learned since there are targets. */
nst_status evaluation_list_state(struct evaluation *evaluation, struct state *state, nst_error *error);

#endif
