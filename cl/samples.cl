/* samples.cl: feature maps read at a grid of positions, and back.
 *
 *     samples[c][j][i] = scale * map[c] at (y(j), x(i)), bilinear           (cl/bilinear.h)
 *     gradient[c][y][x] += bit ? scale * sum over j, i of weight(j, y) weight(i, x) samples[c][j][i] : 0
 *
 * Samples are floats in the layout of feature maps, [blocks][positions][BLOCK], unused channels zero. They are part of a
 * stack of several layers' blocks over the same positions: `first_block` is where they begin. Maps are [blocks][height][
 * width][BLOCK], floats or bfloat16, masks as in convolution.h. `rows` and `columns` are the step, start, unit and count
 * of positions along a side.
 */
#include "common.h"

#include "bilinear.h"
#include "features.h"
#include "stack.h"

static struct line line_of(int4 positions, int size) {
    struct line line = {positions.x, positions.y, positions.z, size};
    return line;
}

__kernel IN_GROUPS void samples_read(__global const featureB *map, __global floatB *samples, int first_block,
                                     int blocks, int height, int width, int4 rows, int4 columns, float scale) {
    struct line vertical = line_of(rows, height), horizontal = line_of(columns, width);
    samples += (size_t)first_block * rows.w * columns.w;
    FOR_LINES(line, blocks * rows.w, i, columns.w) {
        int at_y = numerator(vertical, line % rows.w), top = at_y / vertical.unit;
        int at_x = numerator(horizontal, i), left = at_x / horizontal.unit, right = min(left + 1, width - 1);
        float down = (float)(at_y - top * vertical.unit) / (float)vertical.unit;
        float across = (float)(at_x - left * horizontal.unit) / (float)horizontal.unit;
        __global const featureB *upper = map + ((size_t)(line / rows.w) * height + top) * width;
        __global const featureB *lower = top + 1 < height ? upper + width : upper;
        floatB above = LOAD_FEATURES(upper + left), below = LOAD_FEATURES(lower + left);
        above += across * (LOAD_FEATURES(upper + right) - above);
        below += across * (LOAD_FEATURES(lower + right) - below);
        samples[(size_t)line * columns.w + i] = scale * (above + down * (below - above));
    }
}

/* The samples of `count` positions alone: list holds their numbers in the grid. */
__kernel IN_GROUPS void samples_read_listed(__global const featureB *map, __global const int *list,
                                            __global floatB *samples, int first_block, int blocks, int height,
                                            int width, int4 rows, int4 columns, int count, float scale) {
    struct line vertical = line_of(rows, height), horizontal = line_of(columns, width);
    samples += (size_t)first_block * count;
    FOR_LINES(block, blocks, i, count) {
        int at_y = numerator(vertical, list[i] / columns.w), top = at_y / vertical.unit;
        int at_x = numerator(horizontal, list[i] % columns.w), left = at_x / horizontal.unit;
        int right = min(left + 1, width - 1);
        float down = (float)(at_y - top * vertical.unit) / (float)vertical.unit;
        float across = (float)(at_x - left * horizontal.unit) / (float)horizontal.unit;
        __global const featureB *upper = map + ((size_t)block * height + top) * width;
        __global const featureB *lower = top + 1 < height ? upper + width : upper;
        floatB above = LOAD_FEATURES(upper + left), below = LOAD_FEATURES(lower + left);
        above += across * (LOAD_FEATURES(upper + right) - above);
        below += across * (LOAD_FEATURES(lower + right) - below);
        samples[(size_t)block * count + i] = scale * (above + down * (below - above));
    }
}

/* The same of a map that comes in tiles: each adds what the pixels of its core contribute; the first one begins with
 * zeros. core: the rectangle (y, x, height, width) of the tile's map; place: where that map begins in the whole one (y,
 * x), on which the positions lie, and the size of the whole (height, width); range: the positions (row, column, rows,
 * columns) that may read there. */
__kernel IN_GROUPS void samples_read_tile(__global const featureB *map, __global floatB *samples, int first_block,
                                          int blocks, int height, int width, int4 rows, int4 columns, int4 core,
                                          int4 place, int4 range, float scale, int begins) {
    struct line vertical = line_of(rows, place.z), horizontal = line_of(columns, place.w);
    samples += (size_t)first_block * rows.w * columns.w;
    FOR_LINES(line, blocks * range.z, column, range.w) {
        int block = line / range.z, j = range.x + line % range.z, i = range.y + column;
        int at_y = numerator(vertical, j), top = at_y / vertical.unit;
        int at_x = numerator(horizontal, i), left = at_x / horizontal.unit;
        float down = (float)(at_y - top * vertical.unit) / (float)vertical.unit;
        float across = (float)(at_x - left * horizontal.unit) / (float)horizontal.unit;
        floatB sum = (floatB)(0.0f);
        for (int corner = 0; corner < 4; ++corner) {
            int y = top + corner / 2 - place.x, x = left + corner % 2 - place.y;
            float share = (corner / 2 ? down : 1.0f - down) * (corner % 2 ? across : 1.0f - across);
            if (share > 0.0f && y >= core.x && y < core.x + core.z && x >= core.y && x < core.y + core.w) {
                sum += share * LOAD_FEATURES(map + ((size_t)block * height + y) * width + x);
            }
        }
        __global floatB *sample = samples + ((size_t)block * rows.w + j) * columns.w + i;
        *sample = (begins ? (floatB)(0.0f) : *sample) + scale * sum;
    }
}

/* core and place are as above: of a whole map all of it. `mask` may be a null pointer: then everything flows back. */
__kernel IN_GROUPS void samples_gradient(__global const floatB *samples, int first_block, __global const ushortB *mask,
                                         int has_mask, __global featureB *gradient, int blocks, int height, int width,
                                         int4 rows, int4 columns, int4 core, int4 place, float scale) {
    struct line vertical = line_of(rows, place.z), horizontal = line_of(columns, place.w);
    int tile_rows = (height + 3) / 4, tile_columns = (width + 3) / 4;
    FOR_LINES(line, blocks * core.z, column, core.w) {
        int y = core.x + line % core.z, x = core.y + column, block = line / core.z, readers = 0;
        int whole_y = place.x + y, whole_x = place.y + x;
        __global const floatB *from = samples + (size_t)(first_block + block) * rows.w * columns.w;
        floatB sum = (floatB)(0.0f);
        for (int j = first_reader(vertical, whole_y); j < rows.w && reads(vertical, j, whole_y); ++j) {
            float row_weight = scale * weight(vertical, j, whole_y);
            for (int i = first_reader(horizontal, whole_x); i < columns.w && reads(horizontal, i, whole_x); ++i) {
                sum += row_weight * weight(horizontal, i, whole_x) * from[(size_t)j * columns.w + i];
                ++readers;
            }
        }
        if (readers > 0) { /* else the gradient is not even touched */
            __global featureB *target = gradient + ((size_t)block * height + y) * width + x;
            intB bits = (intB)(1 << (4 * (y % 4) + x % 4));
            if (has_mask) {
                bits &= CONVERT_INT(mask[((size_t)block * tile_rows + y / 4) * tile_columns + x / 4]);
            }
            store_features(target, LOAD_FEATURES(target) + select((floatB)(0.0f), sum, LANES(bits != 0)));
        }
    }
}

/* ---- Statistics of a stack ---------------------------------------------------------------------------------------- */

/* mean[c] = mean over positions of samples[c]; a work-group for each block. */
__kernel IN_GROUPS void samples_mean(__global const floatB *samples, __global floatB *mean, int first_block,
                                     int positions) {
    __local floatB sums[WORK_GROUP];
    int block = first_block + get_group_id(0), item = get_local_id(0);
    floatB sum = (floatB)(0.0f), lost = (floatB)(0.0f);
    for (int p = item; p < positions; p += WORK_GROUP) {
        ADD_TERM(floatB, sum, lost, samples[(size_t)block * positions + p]);
    }
    sums[item] = sum;
    for (int half_size = WORK_GROUP / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < half_size) {
            sums[item] += sums[item + half_size];
        }
    }
    if (item == 0) {
        mean[block] = sums[0] / (float)positions;
    }
}

/* samples[c][p] -= factor * weights[p] * mean[c]; `weights` may be a null pointer: ones. */
__kernel IN_GROUPS void samples_subtract(__global floatB *samples, __global const floatB *mean,
                                         __global const float *weights, int has_weights, float factor, int first_block,
                                         int blocks, int positions) {
    FOR_LINES(block, blocks, p, positions) {
        float share = has_weights ? factor * weights[p] : factor;
        samples[(size_t)(first_block + block) * positions + p] -= share * mean[first_block + block];
    }
}

/* squares[p] = sum over the channels of (samples[c][p] - mean[c])^2, added to what is there if `adds`. `mean` may be a
 * null pointer: zeros. */
__kernel IN_GROUPS void samples_squares(__global const floatB *samples, __global const floatB *mean, int has_mean,
                                        __global float *squares, int first_block, int blocks, int positions, int adds) {
    FOR_RANGE(run, (positions + RUN - 1) / RUN) {
        floatB sums[RUN], lost[RUN];
        for (int r = 0; r < RUN; ++r) {
            sums[r] = lost[r] = (floatB)(0.0f);
        }
        for (int block = first_block; block < first_block + blocks; ++block) {
            floatB center = has_mean ? mean[block] : (floatB)(0.0f);
            for (int r = 0; r < RUN; ++r) {
                int p = min(run * RUN + r, positions - 1);
                floatB value = samples[(size_t)block * positions + p] - center;
                ADD_TERM(floatB, sums[r], lost[r], value * value);
            }
        }
        for (int r = 0; r < RUN && run * RUN + r < positions; ++r) {
            int p = run * RUN + r;
            squares[p] = adds ? squares[p] + SUM(sums[r]) : SUM(sums[r]);
        }
    }
}
