/* pooling.h: the float64 truth for 2x2 pooling with stride 2, which drops an odd last row or column. All maps are
 * dense, [channels][height][width]. */
#ifndef REFERENCE_POOLING_H
#define REFERENCE_POOLING_H

#include "nst.h"

/* Where in the plane of a window's upper left pixel (2 y, 2 x) its first largest value stands. */
size_t reference_largest_of_window(const double *plane, int width, int y, int x);

/* pooled[channels][height / 2][width / 2] */
void reference_pooling(nst_pooling pooling, const double *map, int channels, int height, int width, double *pooled);

/* gradient += what flows back from pooled_gradient. Maximum: to the first largest pixel of each window. */
void reference_pooling_backward(nst_pooling pooling, const double *map, int channels, int height, int width,
                                const double *pooled_gradient, double *gradient);

#endif
