/* map.c: feature maps and ReLU masks of a check; see map.h. */
#include "check/map.h"

#include "support/error.h"
#include "weights/half.h"

#include <math.h>
#include <stdlib.h>

struct check_layout check_layout(const nst_context *context, bool half, int channels, int height, int width) {
    return (struct check_layout){context->channel_block, channels, height, width, half};
}

static size_t blocks_of(const struct check_layout *layout) {
    return (size_t)((layout->channels + layout->block - 1) / layout->block);
}

size_t check_map_elements(const struct check_layout *layout) {
    return blocks_of(layout) * (size_t)layout->height * (size_t)layout->width * (size_t)layout->block;
}

size_t check_map_index(const struct check_layout *layout, int channel, int y, int x) {
    size_t block = (size_t)(channel / layout->block), lane = (size_t)(channel % layout->block);
    size_t pixel = (block * (size_t)layout->height + (size_t)y) * (size_t)layout->width + (size_t)x;
    return pixel * (size_t)layout->block + lane;
}

size_t check_mask_elements(const struct check_layout *layout) {
    return blocks_of(layout) * (size_t)((layout->height + 3) / 4) * (size_t)((layout->width + 3) / 4) *
           (size_t)layout->block;
}

static size_t mask_index(const struct check_layout *layout, int channel, int y, int x) {
    size_t rows = (size_t)(layout->height + 3) / 4, columns = (size_t)(layout->width + 3) / 4;
    size_t block = (size_t)(channel / layout->block), lane = (size_t)(channel % layout->block);
    return ((block * rows + (size_t)(y / 4)) * columns + (size_t)(x / 4)) * (size_t)layout->block + lane;
}

bool check_mask_bit(const struct check_layout *layout, const uint16_t *mask, int channel, int y, int x) {
    return mask[mask_index(layout, channel, y, x)] >> (4 * (y % 4) + x % 4) & 1;
}

void check_mask_set(const struct check_layout *layout, uint16_t *mask, int channel, int y, int x) {
    mask[mask_index(layout, channel, y, x)] |= (uint16_t)(1 << (4 * (y % 4) + x % 4));
}

nst_status check_buffer(nst_context *context, const void *data, size_t bytes, cl_mem *buffer, nst_error *error) {
    nst_status status = buffer_create(context, bytes, "a check", buffer, error);
    if (!status) {
        status = data ? buffer_write(context, *buffer, 0, data, bytes, error)
                      : buffer_fill_zero(context, *buffer, bytes, error);
    }
    return status ? status : context_finish(context, error);
}

nst_status check_map_create(nst_context *context, const struct check_layout *layout, const float *values,
                            cl_mem *buffer, nst_error *error) {
    size_t elements = check_map_elements(layout);
    if (!layout->half || !values) {
        return check_buffer(context, values, elements * (layout->half ? sizeof(uint16_t) : sizeof(float)), buffer,
                            error);
    }
    uint16_t *rounded = malloc(elements * sizeof *rounded);
    if (!rounded) {
        return fail_memory(error, elements * sizeof *rounded, "a check");
    }
    for (size_t i = 0; i < elements; ++i) {
        rounded[i] = bfloat16_from_float(values[i]);
    }
    nst_status status = check_buffer(context, rounded, elements * sizeof *rounded, buffer, error);
    free(rounded);
    return status;
}

nst_status check_map_read(nst_context *context, const struct check_layout *layout, cl_mem buffer, float *values,
                          nst_error *error) {
    size_t elements = check_map_elements(layout);
    if (!layout->half) {
        return buffer_read(context, buffer, 0, values, elements * sizeof *values, error);
    }
    uint16_t *rounded = malloc(elements * sizeof *rounded);
    nst_status status = rounded ? buffer_read(context, buffer, 0, rounded, elements * sizeof *rounded, error)
                                : fail_memory(error, elements * sizeof *rounded, "a check");
    for (size_t i = 0; !status && i < elements; ++i) {
        values[i] = bfloat16_to_float(rounded[i]);
    }
    free(rounded);
    return status;
}

double check_map_bound(bool half, double single_bound) {
    /* Rounding to 8 binary digits leaves up to 1/256 of a value; a sum with what was there may be twice the largest. */
    return half ? 2.0 / 256 : single_bound;
}

double check_noise(struct random_generator *generator) {
    return bfloat16_to_float(bfloat16_from_float((float)(2 * random_uniform(generator) - 1)));
}

void check_keep_largest(double *largest, double value) {
    if (!isnan(*largest) && !(value <= *largest)) {
        *largest = value;
    }
}
