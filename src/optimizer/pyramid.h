/* pyramid.h: an image as the coefficients of a Laplacian pyramid, so that an optimizer can move large shapes and fine
 * detail by steps of the same size; and the resizing it is made of. The formulas are in cl/pyramid.cl. */
#ifndef OPTIMIZER_PYRAMID_H
#define OPTIMIZER_PYRAMID_H

#include "device/context.h"
#include "optimizer/optimizer.h"

enum { PYRAMID_MOST_LEVELS = 15 };

/* The coefficients as one vector: level 0, the finest, of the image's size, then level 1 with sides half as long
 * (rounded down, at least 1), and so on; the last one is the rest. Each is [planes][height][width]. */
struct pyramid_shape {
    int planes, levels; /* levels: without the rest */
    struct pyramid_level {
        int height, width, offset; /* where it begins in the vector */
    } level[PYRAMID_MOST_LEVELS + 1];
    size_t count; /* elements of the vector */
};

/* Of at most PYRAMID_MOST_LEVELS levels; 0 levels: the vector is the image. */
struct pyramid_shape pyramid_shape_of(struct optimizer_shape image, int levels);

struct pyramid {
    cl_kernel resize, fold_columns, fold_rows;
};

/* Release with pyramid_release, also after a failure. Errors: NST_ERROR_OPENCL. */
nst_status pyramid_create(nst_context *context, struct pyramid *pyramid, nst_error *error);
void pyramid_release(struct pyramid *pyramid);

/* What the functions below work on. `coefficients` has optimizer_padded(shape->count) floats. */
struct pyramid_buffers {
    cl_mem image;        /* float [planes][height][width], or the gradient for it */
    cl_mem coefficients; /* or the gradient for them */
    cl_mem scratch;      /* pyramid_scratch_bytes; may be NULL if that is 0 */
};
uint64_t pyramid_scratch_bytes(const struct pyramid_shape *shape);

/* image -> coefficients; zeros behind them. Enqueues it; does not wait, as all of these. */
nst_status pyramid_decompose(nst_context *context, const struct pyramid *pyramid, const struct pyramid_shape *shape,
                             const struct pyramid_buffers *buffers, nst_error *error);
/* coefficients -> image, which they describe exactly. */
nst_status pyramid_synthesize(nst_context *context, const struct pyramid *pyramid, const struct pyramid_shape *shape,
                              const struct pyramid_buffers *buffers, nst_error *error);
/* The gradient with respect to the coefficients, from that with respect to the image: the transpose of synthesis. Zeros
 * behind it. */
nst_status pyramid_gradient(nst_context *context, const struct pyramid *pyramid, const struct pyramid_shape *shape,
                            const struct pyramid_buffers *buffers, nst_error *error);

/* Bilinear resizing of an image to another size: half-pixel centers, edges clamped, not antialiased (as
 * torch.nn.functional.interpolate with align_corners = False). Sides are at most 30000 pixels. */
struct planar_resize {
    int planes, in_height, in_width, out_height, out_width;
};
nst_status planar_resize(nst_context *context, const struct pyramid *pyramid, const struct planar_resize *sizes,
                         cl_mem input, cl_mem output, nst_error *error);

#endif
