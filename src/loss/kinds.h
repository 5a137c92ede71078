/* kinds.h: the losses that are built in; their table is in loss.c. */
#ifndef LOSS_KINDS_H
#define LOSS_KINDS_H

#include "loss/loss.h"

extern const struct loss_methods content_loss, deviation_loss, earth_mover_loss, gram_loss, layer_neighbors_loss,
    moments_loss, neighbors_loss, palette_loss, self_distance_loss, similarity_loss, temporal_loss,
    total_variation_loss, wasserstein_loss;

/* The reference of a loss_methods, in a file of its own. */
double earth_mover_reference(const struct loss_options *options, const struct loss_reference *in, double *gradient);
double layer_neighbors_reference(const struct loss_options *options, const struct loss_reference *in, double *gradient);
double moments_reference(const struct loss_options *options, const struct loss_reference *in, double *gradient);
double neighbors_reference(const struct loss_options *options, const struct loss_reference *in, double *gradient);
double palette_reference(const struct loss_options *options, const struct loss_reference *in, double *gradient);
double self_distance_reference(const struct loss_options *options, const struct loss_reference *in, double *gradient);
double wasserstein_reference(const struct loss_options *options, const struct loss_reference *in, double *gradient);

#endif
