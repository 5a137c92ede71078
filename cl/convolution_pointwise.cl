/* convolution_pointwise.cl: 1x1 convolution for CPUs, with sums in registers.
 *
 *     output[o][y][x] = epilogue(bias[o] + sum over i of weights[o][i] * input[i][y][x])
 *
 * A work-item takes one area of AREA_ROWS x AREA_COLUMNS pixels after the other (whole tiles of the mask), and reads
 * the input where it lies. For each panel of VECTORS vectors of output channels and each tile of TILE_ROWS x
 * TILE_COLUMNS pixels, all sums of the tile are kept in registers over the whole loop. weights: floatB
 * [panels][in_channels][VECTORS], lanes are output channels. With few channels memory is the limit: what tiles further
 * on read is fetched ahead.
 *
 * IN_PLACE 1: `output` is `input`. Where there are several panels, and where maps are halves, the input under the area
 * is first copied to `scratch`, [in_blocks][area's pixels].
 */
#include "convolution.h"

#ifndef IN_PLACE
#define IN_PLACE 0
#endif
#define COPIES_AREAS (IN_PLACE || HALF_MAPS)

#define PIXELS      (TILE_ROWS * TILE_COLUMNS)
#define AREA_PIXELS (AREA_ROWS * AREA_COLUMNS)

/* How many columns ahead memory is fetched. Where areas are copied: as far as the next one. */
#define INPUTS_AHEAD  (6 * TILE_COLUMNS)
#define OUTPUTS_AHEAD (COPIES_AREAS ? AREA_COLUMNS : 2 * TILE_COLUMNS)

struct image {
    int height, width;
};

static int column_of(int pixel) {
    return pixel % TILE_COLUMNS;
}
static int row_of(int pixel) {
    return pixel / TILE_COLUMNS;
}

/* Adds the products of one input channel. */
INLINED void add_products(__global const float *pixels, int line, __global const floatB *weights,
                          floatB sums[PIXELS][VECTORS]) {
#pragma unroll
    for (int i = 0; i < PIXELS; ++i) {
        float pixel = pixels[(row_of(i) * line + column_of(i)) * BLOCK];
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) {
            sums[i][v] += pixel * weights[v];
        }
    }
}

/* The sums of one tile of one panel, from the tile's first pixel; `line` and `plane` are the vectors from one row and
 * from one channel block to the next. */
static void tile_sums(__global const floatB *input, int line, size_t plane, __global const floatB *weights,
                      __global const floatB *bias, int in_channels, floatB sums[PIXELS][VECTORS]) {
#pragma unroll
    for (int i = 0; i < PIXELS; ++i) {
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) {
            sums[i][v] = bias[v];
        }
    }
    for (int left = in_channels; left > 0; left -= BLOCK) {
        __global const float *pixels = (__global const float *)input;
#if !COPIES_AREAS
#pragma unroll
        for (int i = 0; i < PIXELS; ++i) {
            PREFETCH(input + row_of(i) * line + column_of(i) + INPUTS_AHEAD);
        }
#endif
        if (left >= BLOCK) {
#pragma unroll
            for (int lane = 0; lane < BLOCK; ++lane) {
                add_products(pixels + lane, line, weights + lane * VECTORS, sums);
            }
        } else {
            for (int lane = 0; lane < left; ++lane) {
                add_products(pixels + lane, line, weights + lane * VECTORS, sums);
            }
        }
        weights += BLOCK * VECTORS;
        input += plane;
    }
}

/* Copies rows x columns pixels to [in_blocks][rows][columns]; those that lie outside are like the nearest inside. */
static void gather(__global const featureB *input, struct image size, int y, int x, int rows, int columns,
                   int in_blocks, __global floatB *pixels) {
    for (int block = 0; block < in_blocks; ++block) {
        for (int row = 0; row < rows; ++row) {
            __global const featureB *line =
                input + ((size_t)block * size.height + min(y + row, size.height - 1)) * size.width;
            for (int column = 0; column < columns; ++column) {
                *pixels++ = LOAD_FEATURES(line + min(x + column, size.width - 1));
            }
        }
    }
}

/* Epilogue and output of vector v of the tile whose first pixel is (y0, x0); `output` and `mask` are of its channel
 * block. */
static void store_tile(floatB sums[PIXELS][VECTORS], int v, __global featureB *output, __global const ushortB *mask,
                       struct image size, int y0, int x0) {
    bool inside = y0 + TILE_ROWS <= size.height && x0 + TILE_COLUMNS <= size.width;
#pragma unroll
    for (int i = 0; i < PIXELS; ++i) {
        int y = y0 + row_of(i), x = x0 + column_of(i);
        if (inside || (y < size.height && x < size.width)) {
            intB bits = (intB)(0);
            if (reads_mask(EPILOGUE)) {
                bits = CONVERT_INT(mask[y / 4 * ((size.width + 3) / 4) + x / 4]);
            }
            store_output(EPILOGUE, &output[y * size.width + x], sums[i][v], bits, 4 * (y % 4) + x % 4);
        }
    }
}

__kernel EXPLICIT_VECTORS void convolution_pointwise(__global const featureB *input, __global featureB *output,
                                                     __global ushortB *mask, __global const floatB *weights,
                                                     __global const floatB *bias, __global floatB *scratch,
                                                     int in_channels, int out_blocks, int height, int width,
                                                     int groups) {
    struct image size = {height, width};
    int area_rows = (height + AREA_ROWS - 1) / AREA_ROWS, area_columns = (width + AREA_COLUMNS - 1) / AREA_COLUMNS;
    int mask_rows = (height + 3) / 4, mask_columns = (width + 3) / 4;
    int in_blocks = (in_channels + BLOCK - 1) / BLOCK, panels = (out_blocks + VECTORS - 1) / VECTORS;
    size_t plane = (size_t)height * width;
    bool copies = IN_PLACE ? HALF_MAPS | (panels > 1) : HALF_MAPS; /* else each tile is read before it is written */
    __global floatB *gathered = scratch + (size_t)get_global_id(0) * in_blocks * (COPIES_AREAS ? AREA_PIXELS : PIXELS);

    /* Where areas are few, their panels are shared out too, in `groups`. */
    FOR_RANGE(i, area_rows * area_columns * groups) {
        int group = i % groups, area = i / groups;
        int y0 = area / area_columns * AREA_ROWS, x0 = area % area_columns * AREA_COLUMNS;
        int y_end = min(y0 + AREA_ROWS, height), x_end = min(x0 + AREA_COLUMNS, width);
        if (copies) {
            gather(input, size, y0, x0, AREA_ROWS, AREA_COLUMNS, in_blocks, gathered);
        }
        for (int panel = panels * group / groups; panel < panels * (group + 1) / groups; ++panel) {
            int vectors = min(VECTORS, out_blocks - panel * VECTORS);
            __global featureB *output_panel = output + panel * VECTORS * plane;
            for (int y = y0; y < y_end; y += TILE_ROWS) {
                for (int x = x0; x < x_end; x += TILE_COLUMNS) {
                    floatB sums[PIXELS][VECTORS];
#pragma unroll
                    for (int k = 0; k < PIXELS * VECTORS; ++k) {
                        PREFETCH(output_panel + k / PIXELS * plane + (y + row_of(k % PIXELS)) * width + x +
                                 column_of(k % PIXELS) + OUTPUTS_AHEAD);
                    }
                    __global const floatB *tile = (__global const floatB *)input + y * width + x;
                    size_t line = width, from_block_to_block = plane;
                    if (copies) {
                        tile = gathered + (y - y0) * AREA_COLUMNS + x - x0;
                        line = AREA_COLUMNS;
                        from_block_to_block = AREA_PIXELS;
                    } else if (y + TILE_ROWS > height || x + TILE_COLUMNS > width) {
                        gather(input, size, y, x, TILE_ROWS, TILE_COLUMNS, in_blocks, gathered);
                        tile = gathered;
                        line = TILE_COLUMNS;
                        from_block_to_block = PIXELS;
                    }
                    tile_sums(tile, line, from_block_to_block, weights + (size_t)panel * in_channels * VECTORS,
                              bias + panel * VECTORS, in_channels, sums);
#pragma unroll
                    for (int v = 0; v < VECTORS; ++v) {
                        if (v < vectors) {
                            store_tile(sums, v, output_panel + v * plane,
                                       mask + (size_t)(panel * VECTORS + v) * mask_rows * mask_columns, size, y, x);
                        }
                    }
                }
            }
#if EPILOGUE == EPILOGUE_RELU
            for (int v = 0; v < vectors; ++v) {
                for (int x = x0; x < x_end; x += 4) {
                    mask[((size_t)(panel * VECTORS + v) * mask_rows + y0 / 4) * mask_columns + x / 4] =
                        mask_of_tile(output_panel + v * plane, y0, x, height, width);
                }
            }
#endif
        }
    }
}
