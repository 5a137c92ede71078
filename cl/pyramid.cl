/* pyramid.cl: bilinear resizing of planar images and its transpose, of which a Laplacian pyramid is made (Burt and
 * Adelson 1983):
 *
 *     image[0] = image, image[l + 1] = resize(image[l])                  each side half as long
 *     coefficients[l] = image[l] - resize(image[l + 1])                  and the rest, image[levels]
 *     image[l] = coefficients[l] + resize(image[l + 1])                  back
 *     gradient[l + 1] = resize^T(gradient[l])                            of coefficients, from gradient[0] of the image
 *
 * Resizing is that of half-pixel centers, clamped at the edges, without antialiasing. Images are float
 * [planes][height][width] and begin at an offset in their buffer. `sizes` are in_height, in_width, out_height,
 * out_width of the resizing, also where it is transposed.
 */
#include "common.h"

#include "bilinear.h"

/* result = factor * resize(input), plus `addend`, of the result's size, if `adds`. */
__kernel IN_GROUPS void pyramid_resize(__global const float *input, int input_offset, __global const float *addend,
                                       int addend_offset, __global float *result, int result_offset, int planes,
                                       int4 sizes, int adds, float factor) {
    struct line rows = half_pixel_line(sizes.x, sizes.z), columns = half_pixel_line(sizes.y, sizes.w);
    FOR_LINES(line, planes * sizes.z, x, sizes.w) {
        int plane = line / sizes.z, at_y = numerator(rows, line % sizes.z), top = at_y / rows.unit;
        int at_x = numerator(columns, x), left = at_x / columns.unit, right = min(left + 1, sizes.y - 1);
        float down = (float)(at_y - top * rows.unit) / (float)rows.unit;
        float across = (float)(at_x - left * columns.unit) / (float)columns.unit;
        __global const float *upper = input + input_offset + ((size_t)plane * sizes.x + top) * sizes.y;
        __global const float *lower = top + 1 < sizes.x ? upper + sizes.y : upper;
        float above = upper[left] + across * (upper[right] - upper[left]);
        float below = lower[left] + across * (lower[right] - lower[left]);
        float value = factor * (above + down * (below - above));
        size_t i = (size_t)line * sizes.w + x;
        result[result_offset + i] = adds ? addend[addend_offset + i] + value : value;
    }
}

/* The transpose along the rows of pixels: folded[planes][out_height][in_width] from float
 * [planes][out_height][out_width]. */
__kernel IN_GROUPS void pyramid_fold_columns(__global const float *gradient, int offset, __global float *folded,
                                             int planes, int4 sizes) {
    struct line columns = half_pixel_line(sizes.y, sizes.w);
    FOR_LINES(line, planes * sizes.z, x, sizes.y) {
        __global const float *from = gradient + offset + (size_t)line * sizes.w;
        float sum = 0.0f;
        for (int d = first_reader(columns, x); d < sizes.w && reads(columns, d, x); ++d) {
            sum += weight(columns, d, x) * from[d];
        }
        folded[(size_t)line * sizes.y + x] = sum;
    }
}

/* The transpose along the columns: float [planes][in_height][in_width] from folded. */
__kernel IN_GROUPS void pyramid_fold_rows(__global const float *folded, __global float *gradient, int offset,
                                          int planes, int4 sizes) {
    struct line rows = half_pixel_line(sizes.x, sizes.z);
    FOR_LINES(line, planes * sizes.x, x, sizes.y) {
        int plane = line / sizes.x, y = line % sizes.x;
        __global const float *from = folded + (size_t)plane * sizes.z * sizes.y + x;
        float sum = 0.0f;
        for (int d = first_reader(rows, y); d < sizes.z && reads(rows, d, y); ++d) {
            sum += weight(rows, d, y) * from[(size_t)d * sizes.y];
        }
        gradient[offset + (size_t)line * sizes.y + x] = sum;
    }
}
