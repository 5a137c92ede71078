/* resample.h: bilinear interpolation and the Laplacian pyramid in float64; the formulas of cl/bilinear.h and
 * cl/pyramid.cl, written down as in PyTorch's documentation. */
#ifndef REFERENCE_RESAMPLE_H
#define REFERENCE_RESAMPLE_H

#include <stddef.h>

/* Reads each plane [in_height][in_width] of `input` at height x width positions, bilinear, clamped at the edges:
 * position i is at `scale * i + start` between the elements. */
struct reference_line {
    double scale, start;
    int size, count; /* elements, positions */
};
struct reference_line reference_half_pixel(int size, int count);
struct reference_line reference_aligned(int size, int count);
void reference_resample(const double *input, int planes, struct reference_line rows, struct reference_line columns,
                        double *output);

/* Adds to `input` what the transpose makes of `output`. */
void reference_resample_transposed(const double *output, int planes, struct reference_line rows,
                                   struct reference_line columns, double *input);

/* `coefficients` has all levels and the rest, one after the other. */
size_t reference_pyramid_count(int planes, int height, int width, int levels);
void reference_pyramid_decompose(const double *image, int planes, int height, int width, int levels,
                                 double *coefficients);
void reference_pyramid_synthesize(const double *coefficients, int planes, int height, int width, int levels,
                                  double *image);

#endif
