/* transfer.c: pictures to the device and back; see transfer.h. */
#include "stylize/transfer.h"

#include "optimizer/optimizer.h"
#include "support/error.h"
#include "support/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An image in the making, padded as on the device: in place, if it is on the host, else in a copy that goes there. */
struct planes {
    float *values, *copy; /* copy: NULL in place */
    size_t count;
};

/* Zeros. Nothing is to be freed after a failure. */
static nst_status begin_planes(struct vector image, struct image_size size, struct planes *planes, nst_error *error) {
    planes->count = optimizer_padded(3 * (size_t)size.height * (size_t)size.width);
    size_t bytes = planes->count * sizeof *planes->values;
    planes->copy = image.host ? NULL : malloc(bytes);
    planes->values = image.host ? image.host : planes->copy;
    if (!planes->values) {
        return fail_memory(error, bytes, "an image");
    }
    memset(planes->values, 0, bytes);
    return NST_OK;
}

static nst_status end_planes(nst_context *context, struct vector image, struct planes *planes, nst_error *error) {
    nst_status status = planes->copy ? vector_write(context, image, planes->copy, planes->count, error) : NST_OK;
    free(planes->copy);
    return status;
}

nst_status transfer_to_device(nst_context *context, const nst_picture *picture, const struct transfer *transfer,
                              struct vector image, nst_error *error) {
    struct image_size size = {.height = picture->height, .width = picture->width};
    size_t pixels = (size_t)size.height * (size_t)size.width;
    struct planes planes;
    nst_status status = begin_planes(image, size, &planes, error);
    if (status) {
        return status;
    }
    for (size_t i = 0; i < pixels; ++i) {
        for (size_t c = 0; c < 3; ++c) {
            float value = 255 * picture->values[i * (size_t)picture->channels + c];
            planes.values[c * pixels + i] = (transfer->rounds_to_bytes ? roundf(value) : value) - transfer->center[c];
        }
    }
    return end_planes(context, image, &planes, error);
}

nst_status transfer_resized(nst_context *context, const nst_picture *picture, struct image_size size,
                            const struct transfer *transfer, struct vector image, nst_error *error) {
    nst_picture resized = {0};
    nst_status status = picture_resize(picture, size.width, size.height, transfer->filter, &resized, error);
    if (!status) {
        status = picture_fill_hidden(&resized, transfer->name, error);
    }
    if (!status) {
        status = transfer_to_device(context, &resized, transfer, image, error);
    }
    nst_picture_free(&resized);
    return status;
}

nst_status transfer_from_device(nst_context *context, struct vector image, struct image_size size, const float *center,
                                nst_picture *picture, nst_error *error) {
    size_t pixels = (size_t)size.height * (size_t)size.width, count = 3 * pixels;
    float *copy = image.host ? NULL : malloc(count * sizeof *copy);
    const float *planes = image.host ? image.host : copy;
    nst_status status = planes ? NST_OK : fail_memory(error, count * sizeof *copy, "an image");
    if (!status && copy) {
        status = vector_read(context, image, copy, count, error);
    }
    if (!status) {
        status = picture_create(size.width, size.height, 3, picture, error);
    }
    for (size_t i = 0; !status && i < pixels; ++i) {
        for (size_t c = 0; c < 3; ++c) {
            picture->values[3 * i + c] = fminf(fmaxf((planes[c * pixels + i] + center[c]) / 255, 0), 1);
        }
    }
    free(copy);
    return status;
}

nst_status transfer_random(nst_context *context, const struct transfer_noise *noise, struct image_size size,
                           struct vector image, nst_error *error) {
    size_t pixels = (size_t)size.height * (size_t)size.width;
    struct planes planes;
    nst_status status = begin_planes(image, size, &planes, error);
    if (status) {
        return status;
    }
    struct random_generator generator = random_from_seed(noise->seed);
    for (size_t i = 0; i < 3 * pixels; ++i) {
        planes.values[i] = (float)(noise->mean + noise->deviation * random_normal(&generator));
    }
    return end_planes(context, image, &planes, error);
}
