/* feature_map.h: the layout of feature maps and ReLU masks, and their bytes.
 *
 * Feature maps:  float  [ceil(channels / B)][height][width][B], B = context->channel_block, unused channels zero;
 *                or bfloat16, the upper 16 bits of a float (cl/features.h).
 * ReLU masks:    ushort [ceil(channels / B)][ceil(height / 4)][ceil(width / 4)][B]; bit 4 * (y % 4) + x % 4 is 1
 *                where the ReLU's output is positive.
 * Images:        float  [3][height][width], whatever the channel block.
 */
#ifndef NETWORK_FEATURE_MAP_H
#define NETWORK_FEATURE_MAP_H

#include "device/context.h"

struct image_size {
    int height, width;
};

struct image_sizes {
    const struct image_size *sizes;
    int count;
};

/* A part of an image or of a map. */
struct rectangle {
    int y, x, height, width;
};

/* What a loss sees of a stage of the network, or of the image itself. */
struct feature_map {
    cl_mem values;
    cl_mem mask; /* its ReLU mask, NULL if there is no ReLU */
    int channels, height, width;
};

/* Bytes of a feature map, of bfloat16 if `half`, and of its mask. */
uint64_t feature_map_bytes(const nst_context *context, bool half, int channels, int height, int width);
uint64_t relu_mask_bytes(const nst_context *context, int channels, int height, int width);

/* The build option for kernels that read or write such maps. */
const char *feature_map_option(bool half);

/* Channel blocks of a map, and vectors of B channels in all of it. */
int feature_map_blocks(const nst_context *context, int channels);
int feature_map_vectors(const nst_context *context, const struct feature_map *map);

/* False if kernels, which count vectors in int, cannot count those of such a map. */
bool feature_map_is_countable(const nst_context *context, int channels, struct image_size size);

#endif
