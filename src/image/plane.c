/* plane.c: single channels of pictures as planes, float [height][width]. */
#include "image/picture.h"
#include "support/error.h"

#include <stdlib.h>

nst_status picture_channel(const nst_picture *picture, int channel, float **plane, nst_error *error) {
    size_t pixels = (size_t)picture->height * (size_t)picture->width;
    *plane = malloc(pixels * sizeof **plane);
    if (!*plane) {
        return fail_memory(error, pixels * sizeof **plane, "a channel of a picture");
    }
    for (size_t i = 0; i < pixels; i++) {
        (*plane)[i] = picture->values[(size_t)picture->channels * i + (size_t)channel];
    }
    return NST_OK;
}

nst_status picture_alpha(const nst_picture *picture, float **alpha, nst_error *error) {
    *alpha = NULL;
    return picture_is_opaque(picture) ? NST_OK : picture_channel(picture, 3, alpha, error);
}

nst_status picture_resized_alpha(const nst_picture *picture, int width, int height, enum resize_filter filter,
                                 float **alpha, nst_error *error) {
    nst_picture resized = {0};
    *alpha = NULL;
    if (picture_is_opaque(picture)) {
        return NST_OK;
    }
    nst_status status = picture_resize(picture, width, height, filter, &resized, error);
    status = status ? status : picture_alpha(&resized, alpha, error);
    nst_picture_free(&resized);
    return status;
}
