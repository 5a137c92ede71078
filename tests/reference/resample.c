/* resample.c: bilinear interpolation and the Laplacian pyramid in float64; see resample.h. */
#include "reference/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reference_line reference_half_pixel(int size, int count) {
    double scale = (double)size / count;
    return (struct reference_line){scale, 0.5 * scale - 0.5, size, count};
}

struct reference_line reference_aligned(int size, int count) {
    return (struct reference_line){count > 1 ? (double)(size - 1) / (count - 1) : 0, 0, size, count};
}

/* The element before position i, and how far it is to the next one. */
static int element_before(struct reference_line line, int i, double *part) {
    double position = fmin(fmax(line.scale * i + line.start, 0), line.size - 1);
    int element = (int)position;
    *part = position - element;
    return element;
}

/* Calls for each output its at most four inputs: output += weight * input, or the other way round. */
static void resample(double *input, int planes, struct reference_line rows, struct reference_line columns,
                     double *output, int transposed) {
    for (int i = 0; i < planes * rows.count * columns.count; ++i) {
        double down, across;
        int plane = i / (rows.count * columns.count);
        int y = element_before(rows, i / columns.count % rows.count, &down);
        int x = element_before(columns, i % columns.count, &across);
        for (int corner = 0; corner < 4; ++corner) {
            int lower = corner / 2, right = corner % 2;
            double weight = (lower ? down : 1 - down) * (right ? across : 1 - across);
            if (weight > 0) {
                double *element = input + (plane * rows.size + y + lower) * columns.size + x + right;
                if (transposed) {
                    *element += weight * output[i];
                } else {
                    output[i] += weight * *element;
                }
            }
        }
    }
}

void reference_resample(const double *input, int planes, struct reference_line rows, struct reference_line columns,
                        double *output) {
    memset(output, 0, (size_t)(planes * rows.count * columns.count) * sizeof *output);
    resample((double *)input, planes, rows, columns, output, 0);
}

void reference_resample_transposed(const double *output, int planes, struct reference_line rows,
                                   struct reference_line columns, double *input) {
    resample(input, planes, rows, columns, (double *)output, 1);
}

static int half(int side) {
    return side > 1 ? side / 2 : 1;
}

size_t reference_pyramid_count(int planes, int height, int width, int levels) {
    size_t here = (size_t)planes * (size_t)height * (size_t)width;
    return levels == 0 ? here : here + reference_pyramid_count(planes, half(height), half(width), levels - 1);
}

static double *new_image(int planes, int height, int width) {
    double *image = calloc((size_t)planes * (size_t)height * (size_t)width, sizeof *image);
    if (!image) {
        abort();
    }
    return image;
}

void reference_pyramid_decompose(const double *image, int planes, int height, int width, int levels,
                                 double *coefficients) {
    int count = planes * height * width, below = half(height), beside = half(width);
    memcpy(coefficients, image, (size_t)count * sizeof *image);
    if (levels == 0) {
        return;
    }
    double *smaller = new_image(planes, below, beside), *again = new_image(planes, height, width);
    reference_resample(image, planes, reference_half_pixel(height, below), reference_half_pixel(width, beside),
                       smaller);
    reference_resample(smaller, planes, reference_half_pixel(below, height), reference_half_pixel(beside, width),
                       again);
    for (int i = 0; i < count; ++i) {
        coefficients[i] -= again[i];
    }
    reference_pyramid_decompose(smaller, planes, below, beside, levels - 1, coefficients + count);
    free(smaller);
    free(again);
}

void reference_pyramid_synthesize(const double *coefficients, int planes, int height, int width, int levels,
                                  double *image) {
    int count = planes * height * width, below = half(height), beside = half(width);
    if (levels == 0) {
        memcpy(image, coefficients, (size_t)count * sizeof *image);
        return;
    }
    double *smaller = new_image(planes, below, beside);
    reference_pyramid_synthesize(coefficients + count, planes, below, beside, levels - 1, smaller);
    reference_resample(smaller, planes, reference_half_pixel(below, height), reference_half_pixel(beside, width),
                       image);
    for (int i = 0; i < count; ++i) {
        image[i] += coefficients[i];
    }
    free(smaller);
}
