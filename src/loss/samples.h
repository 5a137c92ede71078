/* samples.h: feature maps read at a grid of positions, as the losses need them that compare vectors of features, and
 * the gradient of such samples back to the map. The formulas are in cl/samples.cl. Everything here enqueues and does
 * not wait. */
#ifndef LOSS_SAMPLES_H
#define LOSS_SAMPLES_H

#include "device/context.h"
#include "network/feature_map.h"

/* Positions along a side of a map: number i is at (step * i + start) / unit. Sides are at most 30000 pixels. */
struct sample_line {
    int step, start, unit, count;
};
/* From the first pixel to the last, bilinear (align_corners = True): more or fewer than the side has. */
struct sample_line sample_line_aligned(int side, int count);
/* Every stride-th pixel from `offset` on, as many as there are; offset < side. */
struct sample_line sample_line_strided(int side, int stride, int offset);

struct sample_grid {
    struct sample_line rows, columns;
};
int sample_grid_positions(const struct sample_grid *grid);

/* Samples of one or more layers at the same positions: float [blocks][positions][B], in the layout of feature maps, of
 * which the blocks from first_block on are meant. Means lie as the blocks do: float [blocks][B], first_block counts
 * there too. */
struct sample_stack {
    cl_mem samples;
    int first_block, blocks, positions;
};
/* Blocks of so many channels; and bytes of samples, and with positions = 1 of means. */
int sample_blocks(const nst_context *context, int channels);
uint64_t sample_stack_bytes(const nst_context *context, int blocks, int positions);

struct samples {
    cl_kernel read, read_tile, read_listed, gradient, mean, subtract, squares;
};

/* For maps of floats or of bfloat16. Release with samples_release, also after a failure. Errors: NST_ERROR_OPENCL. */
nst_status samples_create(nst_context *context, bool half_maps, struct samples *samples, nst_error *error);
void samples_release(struct samples *samples);

/* A part of a map: the grid lies on the whole one. */
struct sample_tile {
    struct rectangle core; /* of the part: what belongs to it, and not to others */
    int y, x;              /* of the part's first pixel, in the whole map */
    struct image_size whole;
    bool is_first;
};

/* A map, or the gradient of one, and how it is read. */
struct sample_source {
    cl_mem map;
    cl_mem mask; /* for gradients: of the ReLU whose output the map is, or NULL */
    int height, width;
    struct sample_grid grid;
    double scale; /* samples are that many times the map */
    bool in_tiles;
    struct sample_tile tile; /* where in_tiles */
    cl_mem
        list; /* for reading, not in tiles: numbers of the positions that are wanted, int [stack->positions]; NULL: all */
};

/* stack = samples of source->map; stack->positions is that of the grid, or how many are listed. In tiles each adds what
 * its core contributes, once the first has set the stack to zero. */
nst_status samples_read(nst_context *context, const struct samples *samples, const struct sample_source *source,
                        const struct sample_stack *stack, nst_error *error);
/* source->map += mask ? the transpose of reading, applied to the stack : 0. Each pixel gathers, so that the result is
 * the same each time. */
nst_status samples_add_gradient(nst_context *context, const struct samples *samples, const struct sample_source *source,
                                const struct sample_stack *stack, nst_error *error);

/* mean = mean over the positions, of each channel. */
nst_status samples_mean(nst_context *context, const struct samples *samples, const struct sample_stack *stack,
                        cl_mem mean, nst_error *error);
/* What is subtracted from each position: factor * mean, times weights[position] if there are weights. */
struct sample_center {
    cl_mem mean;    /* of all blocks of the stack's buffer */
    cl_mem weights; /* float [positions], or NULL */
    double factor;
};
/* The stack less that, in place. */
nst_status samples_subtract(nst_context *context, const struct samples *samples, const struct sample_stack *stack,
                            const struct sample_center *center, nst_error *error);
/* Squared lengths of the vectors at the positions. */
struct sample_squares {
    cl_mem squares; /* float [positions] */
    cl_mem mean;    /* subtracted from the vectors, or NULL */
    bool adds;      /* to what is there: more layers */
};
nst_status samples_squares(nst_context *context, const struct samples *samples, const struct sample_stack *stack,
                           const struct sample_squares *squares, nst_error *error);

#endif
