/* objective.h: the function that is minimized: image in, losses and gradient out. It ties the network to the losses.
 *
 * Two ways of weighting them:
 *
 *     normalized     content  w |F - P|^2 / |P|^2            style  w |G - A|^2 / |A|^2, G = F F^T / pixels
 *                    tv       w mean of dx^2 + dy^2 over image elements, of the image in 0..1
 *     neural-style   content  w mean of (F - P)^2            style  w mean of (G - A)^2, G = F F^T / (channels pixels)
 *                    tv       w sum of |dx| + |dy|, of the image in 0..255
 *
 * w is the weight of the kind times that of the layer; in the normalized objective the weights of the layers of a
 * kind are divided by their sum.
 */
#ifndef STYLIZE_OBJECTIVE_H
#define STYLIZE_OBJECTIVE_H

#include "loss/loss.h"
#include "network/model.h"

struct objective;

/* `engine` is NULL, but where engines are compared. Free with objective_destroy. */
nst_status objective_create(nst_context *context, const nst_network *network, const nst_settings *settings,
                            const struct convolution_engine *engine, struct objective **objective, nst_error *error);
void objective_destroy(struct objective *objective);

const struct model *objective_model(const struct objective *objective);

/* What images on the device are relative to, for red, green and blue: 0 in the normalized objective, whose images
 * keep to 0..255; in neural-style's the mean that the network subtracts, as there: its first steps are so small that
 * they would drown in the rounding of larger numbers. */
const float *objective_center(const struct objective *objective);

/* Everything needed for images and styles of up to these sizes; sizes[0] is that of the result. Prepares nothing
 * else: may be called again with another plan. */
nst_status objective_add_to_plan(struct objective *objective, struct plan *plan, const struct image_size *sizes,
                                 int size_count, nst_error *error);

/* Targets. All images are float [3][height][width] on the device, 0..255 minus objective_center. First the content,
 * then objective_begin_styles, then each style with its share, the shares adding up to 1, then objective_end_styles. */
nst_status objective_set_content(struct objective *objective, const struct plan *plan, cl_mem image,
                                 struct image_size size, nst_error *error);
nst_status objective_begin_styles(struct objective *objective, const struct plan *plan, nst_error *error);
nst_status objective_add_style(struct objective *objective, const struct plan *plan, cl_mem image,
                               struct image_size size, double share, nst_error *error);
nst_status objective_end_styles(struct objective *objective, const struct plan *plan, nst_error *error);

/* Takes over what another objective of the same settings divides its losses by, once both have their targets: then the
 * losses of the two compare, and a wrong scale does not cancel out against a wrong target. */
void objective_copy_weights(struct objective *objective, const struct objective *other);

/* Losses and gradient at an image of the content's size. Waits for the losses. */
nst_status objective_evaluate(struct objective *objective, const struct plan *plan, cl_mem image, cl_mem gradient,
                              nst_error *error);

/* Of the last evaluation; owned by the objective. */
const nst_layer_loss *objective_losses(const struct objective *objective, int *count);
double objective_total(const struct objective *objective);

#endif
