/* pooling.c: 2x2 pooling in float64; see pooling.h. */
#include "reference/pooling.h"

size_t reference_largest_of_window(const double *plane, int width, int y, int x) {
    size_t corner = (size_t)(2 * y) * (size_t)width + (size_t)(2 * x), largest = corner;
    const size_t window[] = {corner, corner + 1, corner + (size_t)width, corner + (size_t)width + 1};
    for (int i = 1; i < 4; ++i) {
        largest = plane[window[i]] > plane[largest] ? window[i] : largest;
    }
    return largest;
}

void reference_pooling(nst_pooling pooling, const double *map, int channels, int height, int width, double *pooled) {
    for (int c = 0; c < channels; ++c) {
        const double *plane = map + (size_t)c * (size_t)height * (size_t)width;
        for (int y = 0; y < height / 2; ++y) {
            for (int x = 0; x < width / 2; ++x) {
                const double *corner = plane + (size_t)(2 * y) * (size_t)width + (size_t)(2 * x);
                double mean = (corner[0] + corner[1] + corner[width] + corner[width + 1]) / 4;
                *pooled++ =
                    pooling == NST_POOLING_AVERAGE ? mean : plane[reference_largest_of_window(plane, width, y, x)];
            }
        }
    }
}

void reference_pooling_backward(nst_pooling pooling, const double *map, int channels, int height, int width,
                                const double *pooled_gradient, double *gradient) {
    for (int c = 0; c < channels; ++c) {
        size_t offset = (size_t)c * (size_t)height * (size_t)width;
        for (int y = 0; y < height / 2; ++y) {
            for (int x = 0; x < width / 2; ++x) {
                double value = *pooled_gradient++;
                if (pooling == NST_POOLING_MAX) {
                    gradient[offset + reference_largest_of_window(map + offset, width, y, x)] += value;
                    continue;
                }
                double *corner = gradient + offset + (size_t)(2 * y) * (size_t)width + (size_t)(2 * x);
                corner[0] += value / 4;
                corner[1] += value / 4;
                corner[width] += value / 4;
                corner[width + 1] += value / 4;
            }
        }
    }
}
