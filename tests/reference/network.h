/* network.h: a whole network in float64, slow and plain: forward, backward, and the objective that is minimized. It
 * mirrors struct nst_network layer by layer and knows nothing of stages, masks or plans. */
#ifndef REFERENCE_NETWORK_H
#define REFERENCE_NETWORK_H

#include "weights/network.h"

/* What comes out of a layer, dense, and the gradient there. */
struct reference_map {
    int channels, height, width;
    double *values, *gradient;
};

struct reference_network {
    const nst_network *network;
    nst_pooling pooling;
    int map_count;
    struct reference_map *maps; /* [0]: the network's input; [i + 1]: the output of layer i */
    double margin;              /* see reference_network_forward */
};

/* For images of height x width. Everything is allocated here; aborts without memory. */
void reference_network_init(struct reference_network *reference, const nst_network *network, nst_pooling pooling,
                            int height, int width);
void reference_network_free(struct reference_network *reference);

/* image[3][height][width], 0..255. Leaves in `margin` how near the image is to a kink: the smallest magnitude before a
 * ReLU and the smallest lead of a maximum over the next in its window, relative to the RMS of their map. With a margin
 * above the rounding of float, a float network decides everywhere as this one does. */
void reference_network_forward(struct reference_network *reference, const double *image);

/* Sets all gradients to zero; add those of the losses then. */
void reference_network_clear_gradients(struct reference_network *reference);
/* image_gradient[3][height][width] */
void reference_network_backward(struct reference_network *reference, double *image_gradient);

/* The output of the layer of that name; it must exist. */
struct reference_map *reference_network_map(const struct reference_network *reference, const char *layer);

/* ---- The objective of the recipes gram and neural-style ---------------------------------------------------------- */

struct reference_picture {
    int height, width;
    double *image; /* [3][height][width], 0..255 */
};

struct reference_objective {
    struct reference_network network;
    const nst_settings *settings;
    double *content_targets[NST_MAX_LAYERS], *style_targets[NST_MAX_LAYERS];
};

/* `shares` of the styles add up to 1. */
void reference_objective_init(struct reference_objective *objective, const nst_network *network,
                              const nst_settings *settings, const struct reference_picture *content,
                              const struct reference_picture *styles, const double *shares, int style_count);
void reference_objective_free(struct reference_objective *objective);

/* Returns the total; `losses` in the order content, style, tv; `gradient` may be NULL. */
double reference_objective_evaluate(struct reference_objective *objective, const double *image, double *losses,
                                    double *gradient);

#endif
