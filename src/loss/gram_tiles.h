/* gram_tiles.h: Gram matrices on GPUs, split along the pixels so that few channels keep the whole device busy. */
#ifndef LOSS_GRAM_TILES_H
#define LOSS_GRAM_TILES_H

#include "device/context.h"

struct gram_tiles {
    int channels;
    cl_kernel product, sum;
};

/* True where this is expected to beat CLBlast for so many channels. */
bool gram_tiles_suits(const nst_context *context, int channels);

/* Builds the kernels, for maps of floats or of bfloat16. Release with gram_tiles_release, also after a failure. Errors:
 * NST_ERROR_OPENCL. */
nst_status gram_tiles_create(nst_context *context, bool half_maps, int channels, struct gram_tiles *tiles,
                             nst_error *error);
void gram_tiles_release(struct gram_tiles *tiles);

/* Bytes of the partial matrices. */
uint64_t gram_tiles_bytes(const nst_context *context, const struct gram_tiles *tiles, int pixels);

/* gram = F F^T of a map, [channels][pixels]; gram is float [channels][channels]. Enqueues it; does not wait. */
nst_status gram_tiles_run(nst_context *context, const struct gram_tiles *tiles, cl_mem map, int pixels, cl_mem partials,
                          cl_mem gram, nst_error *error);

#endif
