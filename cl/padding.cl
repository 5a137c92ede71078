/* padding.cl: the way back through reflected or replicated borders.
 *
 * A convolution that pads its input by reflection or replication reads some pixels several times. Its gradient is
 * first made for the padded map, (height + 2 padding) x (width + 2 padding); here each pixel collects what all its
 * copies received:
 *     gradient[y][x] = mask * sum over the padded positions (v, u) that show pixel (y, x) of padded_gradient[v][u]
 * One element of the launch is one pixel of one channel block.
 */
#include "common.h"
#include "features.h"

/* Which pixel the position v of a padded line shows, v from -padding to size - 1 + padding. */
static int shown_pixel(int v, int size, int reflect) {
    if (!reflect) {
        return clamp(v, 0, size - 1);
    }
    if (v >= 0 && v < size) {
        return v;
    }
    return v < 0 ? -v : 2 * (size - 1) - v;
}

__kernel IN_GROUPS void fold_padding(__global const featureB *padded, __global const ushortB *mask,
                                     __global featureB *gradient, int blocks, int height, int width, int padding,
                                     int reflect, int has_mask) {
    int padded_width = width + 2 * padding, padded_height = height + 2 * padding;
    int tile_rows = (height + 3) / 4, tile_columns = (width + 3) / 4;
    FOR_RANGE(i, blocks * height * width) {
        int x = i % width, y = i / width % height, block = i / (width * height);
        __global const featureB *plane = padded + (size_t)block * padded_height * padded_width;
        floatB sum = (floatB)(0.0f);
        for (int v = -padding; v < height + padding; v = v == -1 ? y : (v == y ? max(height, y + 1) : v + 1)) {
            if (shown_pixel(v, height, reflect) != y) {
                continue;
            }
            for (int u = -padding; u < width + padding; u = u == -1 ? x : (u == x ? max(width, x + 1) : u + 1)) {
                if (shown_pixel(u, width, reflect) == x) {
                    sum += LOAD_FEATURES(plane + (size_t)(v + padding) * padded_width + u + padding);
                }
            }
        }
        if (has_mask) {
            intB bits = CONVERT_INT(mask[((size_t)block * tile_rows + y / 4) * tile_columns + x / 4]);
            sum = select((floatB)(0.0f), sum, LANES((bits & (1 << (4 * (y % 4) + x % 4))) != 0));
        }
        store_features(gradient + i, sum);
    }
}
