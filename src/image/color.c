/* color.c: taking apart and putting together what a picture consists of: luma, chroma, alpha. */
#include "image/picture.h"
#include "support/error.h"

#include <string.h>

/* Luma of a pixel (ITU-R BT.601-7, section 2.5.1). */
static float luma_of(const float *pixel) {
    return 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
}

static float clamp(float value) {
    return !(value > 0) ? 0 : value > 1 ? 1 : value;
}

static nst_status check_same_size(const nst_picture *a, const nst_picture *b, nst_error *error) {
    if (a->width == b->width && a->height == b->height) {
        return NST_OK;
    }
    return fail(error, NST_ERROR_ARGUMENT,
                "two pictures must have the same size to be joined: one is %d x %d, the other %d x %d", a->width,
                a->height, b->width, b->height);
}

nst_status picture_recolor(const nst_picture *luma, const nst_picture *chroma, nst_picture *result, nst_error *error) {
    memset(result, 0, sizeof *result);
    nst_status status = check_same_size(luma, chroma, error);
    if (!status) {
        status = picture_create(luma->width, luma->height, luma->channels, result, error);
    }
    if (status) {
        return status;
    }
    size_t pixels = (size_t)luma->width * (size_t)luma->height;
    for (size_t i = 0; i < pixels; i++) {
        const float *light = luma->values + i * (size_t)luma->channels;
        const float *color = chroma->values + i * (size_t)chroma->channels;
        float *to = result->values + i * (size_t)result->channels;
        /* To YCbCr and back, with Y replaced, is to add the difference in Y to red, green and blue. */
        float difference = luma_of(light) - luma_of(color);
        for (int channel = 0; channel < 3; channel++) {
            to[channel] = clamp(color[channel] + difference);
        }
        if (result->channels == 4) {
            to[3] = light[3];
        }
    }
    return NST_OK;
}

nst_status picture_with_alpha(const nst_picture *picture, const nst_picture *alpha, nst_picture *result,
                              nst_error *error) {
    memset(result, 0, sizeof *result);
    bool has_alpha = alpha && alpha->channels == 4;
    nst_status status = has_alpha ? check_same_size(picture, alpha, error) : NST_OK;
    if (!status) {
        status = picture_create(picture->width, picture->height, has_alpha ? 4 : 3, result, error);
    }
    if (status) {
        return status;
    }
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    for (size_t i = 0; i < pixels; i++) {
        float *to = result->values + i * (size_t)result->channels;
        memcpy(to, picture->values + i * (size_t)picture->channels, 3 * sizeof *to);
        if (has_alpha) {
            to[3] = alpha->values[i * 4 + 3];
        }
    }
    return NST_OK;
}
