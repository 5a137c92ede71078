/* guided_filter.c: smoothing that keeps the edges of another plane; see guided_filter.h. */
#include "image/guided_filter.h"
#include "support/error.h"

#include <stdlib.h>

static int least(int a, int b) {
    return a < b ? a : b;
}

/* The means of `count` values, `stride` apart, over windows of 2 radius + 1 that are cut off at both ends. */
static void mean_along(const float *values, size_t stride, int count, int radius, float *means) {
    double sum = 0;
    int in_window = 0;
    for (int i = 0; i < least(radius, count); ++i) {
        sum += values[(size_t)i * stride];
        in_window++;
    }
    for (int i = 0; i < count; ++i) {
        if (i + radius < count) {
            sum += values[(size_t)(i + radius) * stride];
            in_window++;
        }
        if (i - radius > 0) {
            sum -= values[(size_t)(i - radius - 1) * stride];
            in_window--;
        }
        means[(size_t)i * stride] = (float)(sum / in_window);
    }
}

/* Replaces a plane by its means over windows. `scratch` is another plane. */
static void mean_over_windows(const struct guided_filter *filter, float *plane, float *scratch) {
    size_t width = (size_t)filter->width;
    for (int y = 0; y < filter->height; ++y) {
        mean_along(plane + (size_t)y * width, 1, filter->width, filter->radius_px, scratch + (size_t)y * width);
    }
    for (int x = 0; x < filter->width; ++x) {
        mean_along(scratch + x, width, filter->height, filter->radius_px, plane + x);
    }
}

nst_status guided_filter_run(const struct guided_filter *filter, const float *guide, float *plane, nst_error *error) {
    size_t pixels = (size_t)filter->width * (size_t)filter->height, bytes = 5 * pixels * sizeof(float);
    float *planes = malloc(bytes);
    if (!planes) {
        return fail_memory(error, bytes, "smoothing colors");
    }
    float *guide_mean = planes, *plane_mean = planes + pixels, *square = planes + 2 * pixels;
    float *product = planes + 3 * pixels, *scratch = planes + 4 * pixels;
    for (size_t i = 0; i < pixels; ++i) {
        guide_mean[i] = guide[i];
        plane_mean[i] = plane[i];
        square[i] = guide[i] * guide[i];
        product[i] = guide[i] * plane[i];
    }
    float *means[] = {guide_mean, plane_mean, square, product};
    for (int i = 0; i < 4; ++i) {
        mean_over_windows(filter, means[i], scratch);
    }
    float *slope = square, *offset = product;
    for (size_t i = 0; i < pixels; ++i) {
        double variance = square[i] - (double)guide_mean[i] * guide_mean[i];
        double covariance = product[i] - (double)guide_mean[i] * plane_mean[i];
        double a = covariance / ((variance > 0 ? variance : 0) + filter->epsilon);
        slope[i] = (float)a;
        offset[i] = (float)(plane_mean[i] - a * guide_mean[i]);
    }
    mean_over_windows(filter, slope, scratch);
    mean_over_windows(filter, offset, scratch);
    for (size_t i = 0; i < pixels; ++i) {
        plane[i] = slope[i] * guide[i] + offset[i];
    }
    free(planes);
    return NST_OK;
}
