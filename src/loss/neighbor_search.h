/* neighbor_search.h: what the losses of nearest neighbors share: features of the image at a grid of positions, for each
 * of them a target among the features of the styles, and the cosine distance between the two. */
#ifndef LOSS_NEIGHBOR_SEARCH_H
#define LOSS_NEIGHBOR_SEARCH_H

#include "loss/cosine.h"
#include "loss/loss.h"
#include "loss/matching.h"
#include "loss/samples.h"
#include "loss/subspace.h"

struct neighbor_kernels {
    struct samples samples;
    struct cosine cosine;
    struct matching matching;
    struct subspace subspace;
    cl_kernel weighted_mean; /* of samples */
};

/* For feature maps of that model. Release with neighbor_kernels_release, also after a failure. */
nst_status neighbor_kernels_create(nst_context *context, const struct model *model, struct neighbor_kernels *kernels,
                                   nst_error *error);
void neighbor_kernels_release(struct neighbor_kernels *kernels);

/* One search; everything but the first seven members is for neighbor_search.c. */
struct neighbor_search {
    nst_context *context;
    const struct plan *plan;
    const struct neighbor_kernels *kernels;
    int blocks;     /* of all layers that are compared together */
    int dimensions; /* in which vectors are compared, where that is less work; 0: all that they have */
    int positions;  /* of the image in hand */
    bool weighs;    /* its positions may have weights */
    bool centers;   /* features are compared with targets as centered on their mean, not only matched so */
    int next_index;
    struct region_weights weights;
    /* Plan entries, -1 for none. */
    int features, targets, image_mean, slope_mean, style_mean, dots, squares, similarity, index, candidates, panels,
        rows;
    int basis, sketch, projected_image, projected_image_mean, projected_style, projected_style_mean;
};

/* How a map, or its gradient, is read at a grid; `scale` is that of the samples. */
struct sample_source neighbor_source(const struct loss_map *at, cl_mem map, const struct sample_grid *grid,
                                     double scale);

/* The most positions that image and styles have. */
struct neighbor_positions {
    int image, style;
};
/* Adds the buffers to the plan. The scratch memory of matching lives at step `step` alone, where targets are found. */
void neighbor_search_reserve(struct neighbor_search *search, struct plan *plan, struct neighbor_positions most,
                             int step);

/* How much the image's positions count, float [positions] on the host; NULL: all alike. Waits. */
nst_status neighbor_search_weigh(struct neighbor_search *search, const float *weights, nst_error *error);

/* The positions of a style that may be neighbors: where at least half as much can be seen as where most can be. */
struct neighbor_list {
    int entry;     /* of the plan, -1 for none */
    bool has_list; /* else all */
    int count;
};
/* Room for so many, if the loss weighs, at that step. */
void neighbor_list_reserve(struct neighbor_list *list, struct plan *plan, const struct loss *loss, int positions,
                           int step);
/* From how much can be seen at each of `count` positions, float [count]; NULL: everything. Waits. */
nst_status neighbor_list_set(const struct loss_run *run, struct neighbor_list *list, const float *seen, int count,
                             nst_error *error);
cl_mem neighbor_list_buffer(const struct neighbor_list *list, const struct plan *plan);

/* Features of the image, of all layers or of those from a block on. */
struct sample_stack neighbor_search_features(const struct neighbor_search *search, int first_block, int blocks);

/* Finds the mean of the image's features, which are complete. */
nst_status neighbor_search_center(const struct neighbor_search *search, nst_error *error);

/* The features of the content are complete: centers them on their mean, and begins to match. */
nst_status neighbor_search_begin(struct neighbor_search *search, nst_error *error);

/* Features of one style picture: float [blocks][positions][B], and their squared lengths after style_mean is subtracted;
 * and, where targets are not centered, without that. */
struct neighbor_part {
    cl_mem features, squares, lengths;
    int positions;
    double share; /* of the style, times their number: 1 for equal ones; above, it wins more positions */
    bool centered;
};
nst_status neighbor_search_add(struct neighbor_search *search, const struct neighbor_part *part, nst_error *error);

cl_mem neighbor_search_buffer(const struct neighbor_search *search, int entry);

/* One layer of the search as the cosine distance sees it. `centered`: the image's features less their mean, as
 * neighbor_search_center or neighbor_search_begin found it. */
struct cosine_layer neighbor_search_layer(const struct neighbor_search *search, int first_block, int blocks,
                                          bool centered);
struct cosine_sums neighbor_search_sums(const struct neighbor_search *search);

/* The value of the loss from the sums: its factor times the mean distance over the positions. */
nst_status neighbor_search_value(const struct neighbor_search *search, const struct loss_run *run, nst_error *error);
/* Adds the gradient of one layer to that of its map, or of a tile, by way of the features, which it overwrites the first
 * time. */
nst_status neighbor_search_add_gradient(const struct neighbor_search *search, const struct cosine_layer *layer,
                                        const struct sample_source *gradient, bool is_first, nst_error *error);

/* Lists the targets that were found; the number of positions is set before. */
nst_status neighbor_search_list_state(struct neighbor_search *search, struct state *state, nst_error *error);

#endif
