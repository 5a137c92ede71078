/* known.h: what the known answers share: adding a line, and feature maps and masks from and to plain arrays. */
#ifndef CHECK_KNOWN_H
#define CHECK_KNOWN_H

#include "check/check.h"
#include "device/context.h"
#include "loss/loss.h"
#include "measure/timing.h"
#include "support/random.h"

/* Adds a line. An error that is not a number, or above the bound, is wrong. */
nst_status known_add(struct known_answers *answers, const char *name, const char *detail, double error_found,
                     double bound, nst_error *error);
/* Adds a line for what could not be run. */
nst_status known_add_failure(struct known_answers *answers, const char *name, const char *detail, const nst_error *why,
                             nst_error *error);

/* A map or mask of `channels` in the device's layout (network/convolution.h); half: maps are bfloat16 on the device. */
struct known_layout {
    int block, channels, height, width;
    bool half;
};
struct known_layout known_layout(const nst_context *context, bool half, int channels, int height, int width);
size_t known_map_elements(const struct known_layout *layout);
size_t known_map_index(const struct known_layout *layout, int channel, int y, int x);
size_t known_mask_elements(const struct known_layout *layout);
bool known_mask_bit(const struct known_layout *layout, const uint16_t *mask, int channel, int y, int x);
void known_mask_set(const struct known_layout *layout, uint16_t *mask, int channel, int y, int x);

/* A buffer with these bytes; `data` may be NULL, for zeros. Waits. */
nst_status known_buffer(nst_context *context, const void *data, size_t bytes, cl_mem *buffer, nst_error *error);

/* A map on the device, of values in the layout, rounded; NULL: of zeros. And back. They wait. */
nst_status known_map_create(nst_context *context, const struct known_layout *layout, const float *values,
                            cl_mem *buffer, nst_error *error);
nst_status known_map_read(nst_context *context, const struct known_layout *layout, cl_mem buffer, float *values,
                          nst_error *error);
/* The bound for a map's values, relative to the largest: that of single precision, or what rounding to half leaves. */
double known_map_bound(bool half, double single_bound);

/* From -1 to 1, in so many digits that 16 bits hold them. */
double known_noise(struct random_generator *generator);
/* Keeps the larger one, and what is not a number. */
void known_keep_largest(double *largest, double value);

/* A convolution of noise, and its results in float64. Free with known_convolution_free, which accepts NULL. */
struct known_convolution;
nst_status known_convolution_create(nst_context *context, const struct convolution_shape *shape, int height, int width,
                                    struct known_convolution **known, nst_error *error);
void known_convolution_free(struct known_convolution *known);
/* The largest error of that engine with these parameters, relative to the largest result, infinite where a mask does
 * not fit; and what it may be. Errors: NST_ERROR_ARGUMENT where the engine cannot do the shape, and the device's. */
nst_status known_convolution_check(const struct known_convolution *known, const struct convolution_choice *choice,
                                   double *found, nst_error *error);
double known_convolution_bound(const struct convolution_shape *shape, enum convolution_engine engine);

/* The same for a Gram product, by the style loss and its gradient on a small map; and the time of the product. */
nst_status known_product_check(nst_context *context, const struct product_engine *product, int channels, double *found,
                               nst_error *error);
nst_status known_product_time(nst_context *context, const struct product_engine *product, int channels,
                              struct image_size size, double seconds, struct bench_timing *timing, nst_error *error);

/* convolutions.c, losses.c, passes.c: add their lines; brief: only what the first job on a device
 * waits for. Errors are those of the host; the device's are lines. */
nst_status known_convolutions(nst_context *context, bool brief, struct known_answers *answers, nst_error *error);
nst_status known_losses(nst_context *context, bool half, int channels, struct image_size size,
                        struct known_answers *answers, nst_error *error);
nst_status known_passes(nst_context *context, bool brief, struct known_answers *answers, nst_error *error);

#endif
