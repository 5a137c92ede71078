/* workload.h: what is measured: the default recipe on pictures of noise. */
#ifndef MEASURE_WORKLOAD_H
#define MEASURE_WORKLOAD_H

#include "network/model.h"
#include "weights/network.h"

/* What is measured: the default recipe with a network, in one precision. */
struct workload {
    const nst_network *network;
    nst_precision precision;
};

/* VGG-19 up to relu5_1 with random weights that keep the variance of the features. Free with nst_network_destroy. */
nst_status workload_network(nst_network **network, nst_error *error);

/* The recipe that is measured: the default preset at one scale. */
void workload_settings(int size_px, nst_settings *settings);

/* A square picture of noise. Free with nst_picture_free. */
nst_status workload_picture(int size_px, uint64_t seed, nst_picture *picture, nst_error *error);

/* A job with such pictures. */
nst_status workload_job(nst_context *context, const struct workload *workload, int size_px, nst_job **job,
                        nst_error *error);

/* Makes steps of a job, as a timed_run. A loss that is not finite is an error. */
nst_status workload_steps(void *job, int count, nst_error *error);

/* Floating-point operations of one iteration, counted as direct, in 1e9: convolutions forward and backward, half of
 * each Gram matrix (it is symmetric), and the products of the style gradients. */
double workload_gflop(const nst_network *network, int size_px);

/* The size of the input of the layer with that index; 0 where nothing is left of the picture. */
struct image_size workload_input_size(const nst_network *network, int layer, int size_px);

/* Whether the recipe has a loss of that kind at a layer. */
bool workload_has_style(const char *layer);
bool workload_has_content(const char *layer);

/* The index of the last layer that has a loss; of the last layer if none has. */
int workload_last_layer(const nst_network *network);

#endif
