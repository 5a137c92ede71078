/* chroma.h: pictures with another chroma: none, that of another picture, or that in another picture's palette. Luminance
 * and chroma are OkLab's (oklab.h); alpha stays as it is. The older formula of "original colors" is picture_recolor. */
#ifndef IMAGE_CHROMA_H
#define IMAGE_CHROMA_H

#include "image/color_moments.h"

/* Takes the chroma away. */
void picture_make_gray(nst_picture *picture);

/* Gives `picture` the chroma of `other`, of the same size, as far as its luminance can have it in sRGB. Errors:
 * NST_ERROR_ARGUMENT (different sizes). */
nst_status picture_take_chroma(nst_picture *picture, const nst_picture *other, nst_error *error);

/* Mean and covariance of a picture's chroma; in a struct of three, the first is luminance and is left 0. Errors:
 * NST_ERROR_MEMORY. */
nst_status picture_chroma_moments(const nst_picture *picture, struct color_moments *moments, nst_error *error);

/* The color step of NNST (Kolkin et al. 2022, section 4.4): gives `picture` the chroma of `other`, of the same size, with
 * mean and covariance made those of `palette`, and smoothed along the luminance of `picture`: a guided filter (He, Sun and
 * Tang 2013, "Guided image filtering") takes the place of the published bilateral one. Where the chroma of `other` hardly
 * varies, as in a gray photograph, that of `picture` itself is taken so. Errors: NST_ERROR_ARGUMENT (different sizes),
 * NST_ERROR_MEMORY. */
nst_status picture_take_palette(nst_picture *picture, const nst_picture *other, const struct color_moments *palette,
                                nst_error *error);

#endif
