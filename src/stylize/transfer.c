/* transfer.c: pictures to the device and back; see transfer.h. */
#include "stylize/transfer.h"

#include "optimizer/optimizer.h"
#include "support/error.h"
#include "support/random.h"

#include <math.h>
#include <stdlib.h>

/* A planar image of zeros on the host, padded as on the device. */
static nst_status create_planes(struct image_size size, float **planes, size_t *bytes, nst_error *error) {
    *bytes = optimizer_padded(3 * (size_t)size.height * (size_t)size.width) * sizeof(float);
    *planes = calloc(1, *bytes);
    return *planes ? NST_OK : fail_memory(error, *bytes, "an image");
}

nst_status transfer_to_device(nst_context *context, const nst_picture *picture, const struct transfer *transfer,
                              cl_mem image, nst_error *error) {
    struct image_size size = {.height = picture->height, .width = picture->width};
    size_t pixels = (size_t)size.height * (size_t)size.width, bytes;
    float *planes;
    nst_status status = create_planes(size, &planes, &bytes, error);
    if (status) {
        return status;
    }
    for (size_t i = 0; i < pixels; ++i) {
        for (size_t c = 0; c < 3; ++c) {
            float value = 255 * picture->values[i * (size_t)picture->channels + c];
            planes[c * pixels + i] = (transfer->rounds_to_bytes ? roundf(value) : value) - transfer->center[c];
        }
    }
    status = buffer_write(context, image, 0, planes, bytes, error);
    free(planes);
    return status;
}

nst_status transfer_resized(nst_context *context, const nst_picture *picture, struct image_size size,
                            const struct transfer *transfer, cl_mem image, nst_error *error) {
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

nst_status transfer_from_device(nst_context *context, cl_mem image, struct image_size size, const float *center,
                                nst_picture *picture, nst_error *error) {
    size_t pixels = (size_t)size.height * (size_t)size.width, bytes;
    float *planes;
    nst_status status = create_planes(size, &planes, &bytes, error);
    if (status) {
        return status;
    }
    status = buffer_read(context, image, 0, planes, bytes, error);
    if (!status) {
        status = picture_create(size.width, size.height, 3, picture, error);
    }
    for (size_t i = 0; !status && i < pixels; ++i) {
        for (size_t c = 0; c < 3; ++c) {
            picture->values[3 * i + c] = fminf(fmaxf((planes[c * pixels + i] + center[c]) / 255, 0), 1);
        }
    }
    free(planes);
    return status;
}

nst_status transfer_random(nst_context *context, const struct transfer_noise *noise, struct image_size size,
                           cl_mem image, nst_error *error) {
    size_t pixels = (size_t)size.height * (size_t)size.width, bytes;
    float *planes;
    nst_status status = create_planes(size, &planes, &bytes, error);
    if (status) {
        return status;
    }
    struct random_generator generator = random_from_seed(noise->seed);
    for (size_t i = 0; i < 3 * pixels; ++i) {
        planes[i] = (float)(noise->mean + noise->deviation * random_normal(&generator));
    }
    status = buffer_write(context, image, 0, planes, bytes, error);
    free(planes);
    return status;
}
