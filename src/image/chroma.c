/* chroma.c: pictures with another chroma; see chroma.h. */
#include "image/chroma.h"
#include "image/guided_filter.h"
#include "image/oklab.h"
#include "image/picture.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

static size_t pixels_of(const nst_picture *picture) {
    return (size_t)picture->width * (size_t)picture->height;
}

static float *pixel_of(const nst_picture *picture, size_t i) {
    return picture->values + i * (size_t)picture->channels;
}

static nst_status check_same_size(const nst_picture *picture, const nst_picture *other, nst_error *error) {
    if (picture->width == other->width && picture->height == other->height) {
        return NST_OK;
    }
    return fail(error, NST_ERROR_ARGUMENT,
                "a picture can take the chroma of one of the same size only: one is %d x %d, the other %d x %d",
                picture->width, picture->height, other->width, other->height);
}

void picture_make_gray(nst_picture *picture) {
    for (size_t i = 0; i < pixels_of(picture); ++i) {
        float *pixel = pixel_of(picture, i), lab[3];
        oklab_from_srgb(pixel, lab);
        lab[1] = lab[2] = 0;
        oklab_to_srgb(lab, pixel);
    }
}

nst_status picture_take_chroma(nst_picture *picture, const nst_picture *other, nst_error *error) {
    nst_status status = check_same_size(picture, other, error);
    for (size_t i = 0; !status && i < pixels_of(picture); ++i) {
        float *pixel = pixel_of(picture, i), lab[3], other_lab[3];
        oklab_from_srgb(pixel, lab);
        oklab_from_srgb(pixel_of(other, i), other_lab);
        lab[1] = other_lab[1];
        lab[2] = other_lab[2];
        oklab_to_srgb(lab, pixel);
    }
    return status;
}

/* ---- Palettes ---------------------------------------------------------------------------------------------------- */

/* A copy whose values are OkLab's, without the luminance. */
static nst_status copy_chroma(const nst_picture *picture, nst_picture *chroma, nst_error *error) {
    nst_status status = picture_create(picture->width, picture->height, picture->channels, chroma, error);
    for (size_t i = 0; !status && i < pixels_of(picture); ++i) {
        const float *from = pixel_of(picture, i);
        float *to = pixel_of(chroma, i);
        oklab_from_srgb(from, to);
        to[0] = 0;
        if (picture->channels == 4) {
            to[3] = from[3];
        }
    }
    return status;
}

nst_status picture_chroma_moments(const nst_picture *picture, struct color_moments *moments, nst_error *error) {
    nst_picture chroma = {0};
    nst_status status = copy_chroma(picture, &chroma, error);
    if (!status) {
        *moments = color_moments_of(&chroma);
    }
    nst_picture_free(&chroma);
    return status;
}

/* What the filter must remove is the mismatch of edges, which moved from the content's by a stroke's width or so: a share
 * of the picture, whatever its size. Luminance varies by 1/20 or more at an edge. */
static struct guided_filter filter_for(const nst_picture *picture) {
    int longer_px = picture->width > picture->height ? picture->width : picture->height;
    return (struct guided_filter){.width = picture->width,
                                  .height = picture->height,
                                  .radius_px = longer_px / 64 > 0 ? longer_px / 64 : 1,
                                  .epsilon = 0.05 * 0.05};
}

/* L, a and b of a picture as planes: its own luminance, the chroma of `other`, mapped. From malloc. */
static nst_status make_planes(const nst_picture *picture, const nst_picture *other, const struct color_map *map,
                              float **planes, nst_error *error) {
    size_t pixels = pixels_of(picture), bytes = 3 * pixels * sizeof **planes;
    *planes = malloc(bytes);
    if (!*planes) {
        return fail_memory(error, bytes, "the colors of a picture");
    }
    for (size_t i = 0; i < pixels; ++i) {
        float lab[3], chroma[3];
        oklab_from_srgb(pixel_of(picture, i), lab);
        color_map_apply(map, pixel_of(other, i), chroma);
        (*planes)[i] = lab[0];
        (*planes)[pixels + i] = chroma[1];
        (*planes)[2 * pixels + i] = chroma[2];
    }
    return NST_OK;
}

static void from_planes(const float *planes, nst_picture *picture) {
    size_t pixels = pixels_of(picture);
    for (size_t i = 0; i < pixels; ++i) {
        const float lab[3] = {planes[i], planes[pixels + i], planes[2 * pixels + i]};
        oklab_to_srgb(lab, pixel_of(picture, i));
    }
}

/* By less than a step of 8 bits, as in a gray picture. */
static bool hardly_varies(const struct color_moments *chroma) {
    return chroma->covariance[1][1] + chroma->covariance[2][2] < 1.0 / 255 / 255;
}

nst_status picture_take_palette(nst_picture *picture, const nst_picture *other, const struct color_moments *palette,
                                nst_error *error) {
    nst_picture chroma = {0};
    float *planes = NULL;
    nst_status status = check_same_size(picture, other, error);
    status = status ? status : copy_chroma(other, &chroma, error);
    struct color_moments moments = status ? (struct color_moments){0} : color_moments_of(&chroma);
    if (!status && hardly_varies(&moments)) {
        nst_picture_free(&chroma);
        status = copy_chroma(picture, &chroma, error);
        moments = color_moments_of(&chroma);
    }
    if (!status) {
        struct color_map map = color_map_between(&moments, palette);
        status = make_planes(picture, &chroma, &map, &planes, error);
    }
    struct guided_filter filter = filter_for(picture);
    for (size_t plane = 1; !status && plane <= 2; ++plane) {
        status = guided_filter_run(&filter, planes, planes + plane * pixels_of(picture), error);
    }
    if (!status) {
        from_planes(planes, picture);
    }
    free(planes);
    nst_picture_free(&chroma);
    return status;
}
