/* guided_filter.h: smoothing that keeps the edges of another plane. */
#ifndef IMAGE_GUIDED_FILTER_H
#define IMAGE_GUIDED_FILTER_H

#include "nst.h"

/* A plane is float [height][width]. */
struct guided_filter {
    int width, height;
    int radius_px;  /* windows are squares of 2 radius + 1, cut off at the edges */
    double epsilon; /* what varies less than this (a variance) within a window is no edge of the guide */
};

/* Makes `plane`, in each window of the guide I, as linear in it as it is (He, Sun and Tang 2013, equations 5, 6 and 8):
 *     a = cov(I, plane) / (var(I) + epsilon)    b = mean(plane) - a mean(I)    plane' = mean(a) I + mean(b)
 * Sums are in double. Errors: NST_ERROR_MEMORY; the plane is then as it was. */
nst_status guided_filter_run(const struct guided_filter *filter, const float *guide, float *plane, nst_error *error);

#endif
