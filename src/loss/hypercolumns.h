/* hypercolumns.h: vectors of the features of all layers of a loss, and of the image itself, at pixels that are drawn at
 * random (Kolkin, Salavon and Shakhnarovich 2019, section 2.2): what the losses of STROTSS compare. The formulas are in
 * cl/hypercolumns.cl.
 *
 * At each evaluation up to 1024 pixels of the image are drawn, from a grid that is itself drawn anew at every tenth; of
 * the styles up to 5000, once. Losses with the same seed draw the same ones. Pixels that hardly count, by a mask or
 * transparency, are not drawn: those that count less than half as much as the one that counts most.
 */
#ifndef LOSS_HYPERCOLUMNS_H
#define LOSS_HYPERCOLUMNS_H

#include "loss/loss.h"
#include "loss/samples.h"
#include "support/random.h"

enum { HYPERCOLUMN_POSITIONS = 1024, HYPERCOLUMN_STYLE_POSITIONS = 5000 };

/* ---- Drawing ------------------------------------------------------------------------------------------------------- */

/* As an int2 on the device. */
struct pixel {
    cl_int row, column;
};

/* Every stride-th pixel from an offset on. */
struct pixel_grid {
    int row_stride, row_offset, column_stride, column_offset;
};

/* Draws a grid, about 128 pixels along each side, and up to `most` of the pixels of one, none twice. The pixels that count
 * are those of the region; where none of the grid's does, all that count take part. *count tells how many were drawn.
 * Errors: NST_ERROR_MEMORY. */
struct pixel_grid pixel_grid_draw(struct random_generator *generator, struct image_size image);
nst_status pixels_draw(struct random_generator *generator, const struct pixel_grid *grid, const struct region *region,
                       int most, struct pixel *pixels, int *count, nst_error *error);
/* Those of the first evaluation with this seed, and of a single style: for references. */
nst_status pixels_draw_first(uint64_t seed, const struct region *region, struct pixel *pixels, int *count,
                             nst_error *error);

/* ---- Of a loss ----------------------------------------------------------------------------------------------------- */

/* What does not change. The layers' channels lie under each other in whole blocks. */
struct hypercolumn_kernels {
    cl_kernel read, read_image, gradient, gradient_image;
    struct samples samples;
    int sites, channels; /* the image is one of the sites; channels without those that fill up blocks */
    int blocks, first_block[LOSS_MOST_SITES];
};
/* Release with hypercolumn_kernels_release, also after a failure. Errors: NST_ERROR_OPENCL. */
nst_status hypercolumn_kernels_create(const struct loss *loss, struct hypercolumn_kernels *kernels, nst_error *error);
void hypercolumn_kernels_release(struct hypercolumn_kernels *kernels);

/* Those of the image in hand. Plan entries, but for the rest. */
struct hypercolumns {
    const struct hypercolumn_kernels *kernels;
    int samples, pixels, entries;
    int count;                            /* positions drawn */
    int first_entry[LOSS_MOST_SITES + 1]; /* of each site */
    struct random_generator generator;
    int evaluations; /* since there are targets */
    struct pixel_grid grid;
    struct image_size image;
    float *weights; /* of its pixels, from malloc; NULL: all alike */
};

/* The samples live at the step of the losses and, for the gradient, until the end. */
void hypercolumns_reserve(struct hypercolumns *columns, const struct hypercolumn_kernels *kernels,
                          const struct loss_run *run, struct plan *plan);
void hypercolumns_free(struct hypercolumns *columns);
/* Targets begin: seeds the generator, and keeps which pixels count. Errors: NST_ERROR_MEMORY. */
nst_status hypercolumns_begin(struct hypercolumns *columns, const struct loss_run *run, const struct region *region,
                              nst_error *error);
/* Draws the pixels of the next evaluation. Waits. */
nst_status hypercolumns_draw(struct hypercolumns *columns, const struct loss_run *run, struct image_size image,
                             nst_error *error);
/* Reads one site of the image, or of another picture of its size, into a stack like hypercolumns_stack. Enqueues. */
nst_status hypercolumns_read(const struct hypercolumns *columns, const struct loss_run *run, const struct loss_map *at,
                             cl_mem samples, nst_error *error);
struct sample_stack hypercolumns_stack(const struct hypercolumns *columns, const struct loss_run *run);
/* Adds to the gradient at one site what the slope, a stack like the samples, makes of it. Enqueues. */
nst_status hypercolumns_add_gradient(const struct hypercolumns *columns, const struct loss_run *run,
                                     const struct loss_map *at, cl_mem slope, cl_mem gradient, nst_error *error);
/* So many vectors as a map: engines for convolutions share out areas of it, not lines. */
struct image_size hypercolumn_area(int count);
nst_status hypercolumns_list_state(struct hypercolumns *columns, struct state *state, nst_error *error);

/* Those of the styles, together: of each as many as its share. One that has fewer pixels than that is taken several times
 * over, unless it is the only one. */
struct style_columns {
    const struct hypercolumn_kernels *kernels;
    int samples, pixels; /* plan entries */
    struct random_generator generator;
    double share;          /* of the styles so far */
    int first, count, all; /* positions of the style in hand; of all */
};
void style_columns_reserve(struct style_columns *columns, const struct hypercolumn_kernels *kernels,
                           const struct loss_run *run, struct plan *plan);
void style_columns_begin(struct style_columns *columns, const struct loss_run *run);
/* Draws the pixels of a style at its first site, which waits, and reads them at each. */
nst_status style_columns_add(struct style_columns *columns, const struct loss_run *run, const struct loss_map *at,
                             const struct loss_target *target, nst_error *error);
struct sample_stack style_columns_stack(const struct style_columns *columns, const struct loss_run *run);

#endif
