/* feature_map.c: bytes of feature maps and masks; see feature_map.h. */
#include "network/feature_map.h"

int feature_map_blocks(const nst_context *context, int channels) {
    return (channels + context->channel_block - 1) / context->channel_block;
}

int feature_map_vectors(const nst_context *context, const struct feature_map *map) {
    return feature_map_blocks(context, map->channels) * map->height * map->width;
}

static uint64_t padded_channels(const nst_context *context, int channels) {
    return (uint64_t)feature_map_blocks(context, channels) * (uint64_t)context->channel_block;
}

uint64_t feature_map_bytes(const nst_context *context, bool half, int channels, int height, int width) {
    uint64_t elements = padded_channels(context, channels) * (uint64_t)height * (uint64_t)width;
    return elements * (half ? sizeof(cl_ushort) : sizeof(cl_float));
}

uint64_t relu_mask_bytes(const nst_context *context, int channels, int height, int width) {
    uint64_t tiles = (uint64_t)((height + 3) / 4) * (uint64_t)((width + 3) / 4);
    return padded_channels(context, channels) * tiles * sizeof(cl_ushort);
}

const char *feature_map_option(bool half) {
    return half ? "-D HALF_MAPS=1" : "";
}

/* Kernels add to their count the stride of a whole launch (FOR_RANGE in cl/common.h), in reductions at most 2^16. */
static const uint64_t most_vectors = (UINT64_C(1) << 31) - (1 << 16) - 1;

bool feature_map_is_countable(const nst_context *context, int channels, struct image_size size) {
    return (uint64_t)feature_map_blocks(context, channels) * (uint64_t)size.height * (uint64_t)size.width <=
           most_vectors;
}
