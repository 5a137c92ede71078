/* map.h: feature maps and ReLU masks of a check: from plain arrays on the host to the device's layout, and back. */
#ifndef CHECK_MAP_H
#define CHECK_MAP_H

#include "network/feature_map.h"
#include "support/random.h"

/* A map or mask of `channels` in the device's layout (network/convolution.h); half: maps are bfloat16 on the device. */
struct check_layout {
    int block, channels, height, width;
    bool half;
};
struct check_layout check_layout(const nst_context *context, bool half, int channels, int height, int width);
size_t check_map_elements(const struct check_layout *layout);
size_t check_map_index(const struct check_layout *layout, int channel, int y, int x);
size_t check_mask_elements(const struct check_layout *layout);
bool check_mask_bit(const struct check_layout *layout, const uint16_t *mask, int channel, int y, int x);
void check_mask_set(const struct check_layout *layout, uint16_t *mask, int channel, int y, int x);

/* A buffer with these bytes; `data` may be NULL, for zeros. Waits. */
nst_status check_buffer(nst_context *context, const void *data, size_t bytes, cl_mem *buffer, nst_error *error);

/* A map on the device, of values in the layout, rounded; NULL: of zeros. And back. They wait. */
nst_status check_map_create(nst_context *context, const struct check_layout *layout, const float *values,
                            cl_mem *buffer, nst_error *error);
nst_status check_map_read(nst_context *context, const struct check_layout *layout, cl_mem buffer, float *values,
                          nst_error *error);
/* The bound for a map's values, relative to the largest: that of single precision, or what rounding to half leaves. */
double check_map_bound(bool half, double single_bound);

/* From -1 to 1, in so many digits that 16 bits hold them. */
double check_noise(struct random_generator *generator);
/* Keeps the larger one; once there is one that is not a number, that. */
void check_keep_largest(double *largest, double value);

#endif
