/* transfer.h: pictures to images, which lie on the device as a rule, and back. An image is planar, float [3][height][width],
 * red, green, blue, 0..255 minus `center` (three numbers); its buffer has optimizer_padded(3 * height * width)
 * elements, zeros behind the end. */
#ifndef STYLIZE_TRANSFER_H
#define STYLIZE_TRANSFER_H

#include "device/vector.h"
#include "image/picture.h"
#include "network/feature_map.h"

/* How a picture becomes an image. */
struct transfer {
    const char *name; /* of the picture, for messages */
    const float *center;
    enum resize_filter filter;
    bool rounds_to_bytes; /* to whole numbers first, as programs do that resize 8-bit pictures */
};

/* A picture of the image's size. Waits. */
nst_status transfer_to_device(nst_context *context, const nst_picture *picture, const struct transfer *transfer,
                              struct vector image, nst_error *error);
/* A picture that is resized first; what cannot be seen of it continues what can (picture_fill_hidden). Waits. */
nst_status transfer_resized(nst_context *context, const nst_picture *picture, struct image_size size,
                            const struct transfer *transfer, struct vector image, nst_error *error);
/* A picture of 3 channels, clamped to 0..1. Waits. */
nst_status transfer_from_device(nst_context *context, struct vector image, struct image_size size, const float *center,
                                nst_picture *picture, nst_error *error);

/* Random numbers: mean + deviation * N(0, 1) in each element. */
struct transfer_noise {
    uint64_t seed;
    double mean, deviation;
};
nst_status transfer_random(nst_context *context, const struct transfer_noise *noise, struct image_size size,
                           struct vector image, nst_error *error);

#endif
