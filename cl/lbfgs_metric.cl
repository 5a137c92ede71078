/* lbfgs_metric.cl: the change of variables in which L-BFGS sees an image whose changes should be smooth.
 *
 *     image = L z, with K = L L^T,  K[i][j] = r^(|dx| + |dy|)  between pixels of a plane, 0 between planes
 *
 * K is the covariance of a first-order autoregressive process along rows and along columns (Rybicki and Press 1995), so
 * L is a recursion along each line of n elements, its inverse has two terms, and its transpose runs backwards. With
 * c = sqrt(1 - r^2):
 *
 *     L      v[i] = c v[i] + r v[i - 1]        i = 1 .. n - 1
 *     L^-1   v[i] = (v[i] - r v[i - 1]) / c    i = n - 1 .. 1
 *     L^T    v[n - 1] = c v[n - 1];  v[i] = c v[i] + r v[i + 1]  i = n - 2 .. 1;  v[0] = v[0] + r / c v[1]
 *
 * In place, once along the rows and once along the columns. Vectors are float [planes][height][width].
 */
#include "common.h"

#define FORWARD   0 /* as in optimizer/lbfgs_metric.h */
#define INVERSE   1
#define TRANSPOSE 2

/* Along the rows: `rows` is planes * height. The vector begins at vectors[vector * elements]. */
__kernel IN_GROUPS void metric_rows(__global float *vectors, int vector, int elements, int rows, int width, float r,
                                    int operation) {
    const float c = sqrt(1.0f - r * r);
    __global float *plane = vectors + (size_t)vector * elements;
    FOR_RANGE(y, rows) {
        __global float *row = plane + (size_t)y * width;
        float last = row[0];
        if (operation == FORWARD) {
            for (int x = 1; x < width; ++x) {
                row[x] = last = c * row[x] + r * last;
            }
        } else if (operation == INVERSE) {
            for (int x = 1; x < width; ++x) {
                float value = row[x];
                row[x] = (value - r * last) / c;
                last = value;
            }
        } else {
            last = 0.0f;
            for (int x = width - 1; x > 0; --x) {
                row[x] = last = c * row[x] + r * last;
            }
            row[0] += r / c * last;
        }
    }
}

/* row[x] = own * row[x] + others * other[x] for the columns of this work-item. */
static void combine_rows(__global float *row, __global const float *other, float own, float others, int width) {
    FOR_RANGE(x, width) {
        row[x] = own * row[x] + others * other[x];
    }
}

/* Along the columns: each work-item has some of them, and goes from row to row. */
__kernel IN_GROUPS void metric_columns(__global float *vectors, int vector, int elements, int planes, int height,
                                       int width, float r, int operation) {
    const float c = sqrt(1.0f - r * r);
    for (int p = 0; p < planes && height > 1; ++p) {
        __global float *plane = vectors + (size_t)vector * elements + (size_t)p * height * width;
        __global float *end = plane + (size_t)(height - 1) * width;
        if (operation == FORWARD) {
            for (__global float *row = plane + width; row <= end; row += width) {
                combine_rows(row, row - width, c, r, width);
            }
        } else if (operation == INVERSE) {
            for (__global float *row = end; row > plane; row -= width) {
                combine_rows(row, row - width, 1.0f / c, -r / c, width);
            }
        } else {
            combine_rows(end, end, c, 0.0f, width);
            for (__global float *row = end - width; row > plane; row -= width) {
                combine_rows(row, row + width, c, r, width);
            }
            combine_rows(plane, plane + width, 1.0f, r / c, width);
        }
    }
}
