/* picture.h: what may be done with a picture in memory, before and after the device. Files: see nst.h. */
#ifndef IMAGE_PICTURE_H
#define IMAGE_PICTURE_H

#include "nst.h"

enum resize_filter {
    RESIZE_TRIANGLE, /* antialiased bilinear, as PIL's BILINEAR and torchvision's Resize: support grows when reducing */
    RESIZE_CUBIC,    /* antialiased bicubic, as PIL's BICUBIC (Keys 1981, a = -1/2) */
    RESIZE_LANCZOS3
};

/* An empty picture of the given size, values zero. */
nst_status picture_create(int width, int height, int channels, nst_picture *picture, nst_error *error);

/* True if every pixel is fully visible: there is no alpha, or it is 1 everywhere. */
bool picture_is_opaque(const nst_picture *picture);

/* A channel of a picture as a plane, float [height][width], from malloc. Errors: NST_ERROR_MEMORY. */
nst_status picture_channel(const nst_picture *picture, int channel, float **plane, nst_error *error);
/* How much of each pixel can be seen, of the picture or of what picture_resize makes of it; NULL if it is opaque. */
nst_status picture_alpha(const nst_picture *picture, float **alpha, nst_error *error);
nst_status picture_resized_alpha(const nst_picture *picture, int width, int height, enum resize_filter filter,
                                 float **alpha, nst_error *error);

/* Gives pixels that cannot be seen (alpha 0) a smooth continuation of the colors of visible ones, which weigh by their
 * alpha. No other pixel changes, nor any alpha; without hidden pixels, nothing is done. `name` says in messages which
 * picture it is ("content"). Errors: NST_ERROR_ARGUMENT (no pixel can be seen), NST_ERROR_MEMORY; the picture is then
 * as it was. */
nst_status picture_fill_hidden(nst_picture *picture, const char *name, nst_error *error);

/* Resizes to width x height: separable, antialiased, weights normalized, edges by renormalizing. Where there is
 * transparency, alpha is premultiplied while filtering, and pixels hidden in the result are filled as by
 * picture_fill_hidden (black if all are hidden). Results are clamped to 0..1. */
nst_status picture_resize(const nst_picture *source, int width, int height, enum resize_filter filter,
                          nst_picture *result, nst_error *error);

/* The size of a picture scaled so that its longer side is `size_px`, each side rounded to nearest, at least 1. */
void picture_fit(const nst_picture *picture, int size_px, int *width, int *height);

/* The luma of `luma` with the chroma of `chroma`, same size (BT.601 YCbCr): "original colors". Result clamped. */
nst_status picture_recolor(const nst_picture *luma, const nst_picture *chroma, nst_picture *result, nst_error *error);

/* A copy with the given alpha plane of `alpha` (4 channels), or without alpha if `alpha` is NULL or has none. */
nst_status picture_with_alpha(const nst_picture *picture, const nst_picture *alpha, nst_picture *result,
                              nst_error *error);

#endif
