/* hypercolumns.cl: the features of all layers at pixels of an image that were drawn at random, and back.
 *
 *     samples[c][i] = scale * map[c] at (row(i), column(i)) / stride, bilinear        row, column: of the image's pixel i
 *     gradient[c][y][x] += bit ? scale * sum over entries of (y, x) of share * samples[c][i] : 0
 *
 * Samples are a stack of layers, float [blocks][positions][BLOCK] from first_block on (cl/samples.cl); a stride is how
 * many pixels of the image stand for one of the map, along each side. The image itself is a layer of three channels:
 *
 *     samples[c][i] = image[c][row(i)][column(i)] / 255 - 1/2                         float [3][height][width]
 *
 * What flows back is listed by pixels of the map: entries of the same pixel lie side by side, and the first one of them
 * takes all.
 */
#include "common.h"

#include "features.h"
#include "stack.h"

/* A share of a position's sample that comes from that pixel of the map, row * width + column. */
struct entry {
    int pixel, position;
    float share;
};

/* From position `first` on, `count` of them. `whole`: not interpolated, but the pixel above and to the left. */
__kernel IN_GROUPS void hypercolumns_read(__global const featureB *map, __global const int2 *pixels,
                                          __global floatB *samples, int first_block, int blocks, int4 positions,
                                          int height, int width, int stride, int whole, float scale) {
    const int first = positions.x, count = positions.y, all = positions.z;
    FOR_LINES(block, blocks, i, count) {
        int2 pixel = pixels[i];
        int top = min(pixel.x / stride, height - 1), left = min(pixel.y / stride, width - 1);
        int right = min(left + 1, width - 1);
        float down = whole ? 0.0f : (float)(pixel.x % stride) / (float)stride;
        float across = whole ? 0.0f : (float)(pixel.y % stride) / (float)stride;
        __global const featureB *upper = map + ((size_t)block * height + top) * width;
        __global const featureB *lower = top + 1 < height ? upper + width : upper;
        floatB above = LOAD_FEATURES(upper + left), below = LOAD_FEATURES(lower + left);
        above += across * (LOAD_FEATURES(upper + right) - above);
        below += across * (LOAD_FEATURES(lower + right) - below);
        samples[(size_t)(first_block + block) * all + first + i] = scale * (above + down * (below - above));
    }
}

/* The same of the image; channels that fill up the last block are zero. */
__kernel IN_GROUPS void hypercolumns_read_image(__global const float *image, __global const int2 *pixels,
                                                __global float *samples, int first_block, int blocks, int4 positions,
                                                int height, int width) {
    const int first = positions.x, count = positions.y, all = positions.z;
    FOR_LINES(c, blocks * BLOCK, i, count) {
        size_t from = ((size_t)c * height + pixels[i].x) * width + pixels[i].y;
        float value = c < 3 ? image[from] / 255.0f - 0.5f : 0.0f;
        samples[((size_t)(first_block + c / BLOCK) * all + first + i) * BLOCK + c % BLOCK] = value;
    }
}

/* `mask` may be a null pointer: then everything flows back. */
__kernel IN_GROUPS void hypercolumns_gradient(__global const floatB *samples, int first_block, int positions,
                                              __global const struct entry *entries, int first_entry, int entry_count,
                                              __global const ushortB *mask, int has_mask, __global featureB *gradient,
                                              int blocks, int height, int width, float scale) {
    const int tile_rows = (height + 3) / 4, tile_columns = (width + 3) / 4;
    entries += first_entry;
    FOR_LINES(block, blocks, e, entry_count) {
        const int pixel = entries[e].pixel, y = pixel / width, x = pixel % width;
        if (e == 0 || entries[e - 1].pixel != pixel) {
            __global const floatB *from = samples + (size_t)(first_block + block) * positions;
            __global featureB *target = gradient + ((size_t)block * height + y) * width + x;
            floatB sum = (floatB)(0.0f);
            for (int k = e; k < entry_count && entries[k].pixel == pixel; ++k) {
                sum += scale * entries[k].share * from[entries[k].position];
            }
            intB bits = (intB)(1 << (4 * (y % 4) + x % 4));
            if (has_mask) {
                bits &= CONVERT_INT(mask[((size_t)block * tile_rows + y / 4) * tile_columns + x / 4]);
            }
            store_features(target, LOAD_FEATURES(target) + select((floatB)(0.0f), sum, LANES(bits != 0)));
        }
    }
}

/* The same of the image, in which no two positions are the same pixel. */
__kernel IN_GROUPS void hypercolumns_gradient_image(__global const float *samples, int first_block, int positions,
                                                    __global const int2 *pixels, __global float *gradient, int height,
                                                    int width) {
    FOR_LINES(c, 3, i, positions) {
        size_t to = ((size_t)c * height + pixels[i].x) * width + pixels[i].y;
        gradient[to] += samples[((size_t)(first_block + c / BLOCK) * positions + i) * BLOCK + c % BLOCK] / 255.0f;
    }
}
