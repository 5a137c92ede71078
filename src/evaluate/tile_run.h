/* tile_run.h: one tile after the other on the device: its part of the image, its maps less their halo, and its gradient
 * added to the image's. Everything here enqueues and does not wait, but for images on the host. */
#ifndef EVALUATE_TILE_RUN_H
#define EVALUATE_TILE_RUN_H

#include "device/vector.h"
#include "evaluate/tiling.h"

/* What does not change. */
struct tile_kernels {
    cl_kernel clear_halo, mask_core, add_gradient;
};
/* For maps of floats or of bfloat16. Release with tile_kernels_release, also after a failure. */
nst_status tile_kernels_create(nst_context *context, bool half_maps, struct tile_kernels *kernels, nst_error *error);
void tile_kernels_release(struct tile_kernels *kernels);

struct tile_run;

/* Adds to the plan what regions of any of these sizes need. Model, kernels and plan must outlive the run, which is freed
 * with tile_run_free. */
nst_status tile_run_reserve(const struct model *model, const struct tile_kernels *kernels, struct plan *plan,
                            const struct image_sizes *regions, struct tile_run **run, nst_error *error);
void tile_run_free(struct tile_run *run);

/* A tile of a tiling is in hand from now on: its part of the image is there. */
nst_status tile_run_begin(struct tile_run *run, const struct tiling *tiling, int number, struct vector image,
                          nst_error *error);
struct image_size tile_run_size(const struct tile_run *run);
cl_mem tile_run_image(const struct tile_run *run);
cl_mem tile_run_gradient(const struct tile_run *run);

/* After the forward pass: clears the tapped maps outside of the core. */
nst_status tile_run_isolate(struct tile_run *run, const struct model_run *maps, nst_error *error);
/* A map of that pass, or, of stage -1, the image, with its mask less the halo; and where its core lies. */
struct feature_map tile_run_map(const struct tile_run *run, const struct model_run *maps, int stage);
struct tile_map tile_run_place(const struct tile_run *run, int stage);

/* Adds the gradient of the tile to that of the image. */
nst_status tile_run_add_gradient(struct tile_run *run, struct vector gradient, nst_error *error);

#endif
