/* convolution_pointwise.cl: 1x1 convolution for CPUs, with sums in registers.
 *
 *     output[o][y][x] = epilogue(bias[o] + sum over i of weights[o][i] * input[i][y][x])
 *
 * A work-item takes one area of AREA_ROWS x AREA_COLUMNS pixels after the other (whole tiles of the mask), and reads the
 * input where it lies. For each panel of VECTORS vectors of output channels and each tile of TILE_ROWS x TILE_COLUMNS
 * pixels, all sums of the tile are kept in registers over the whole loop. weights: floatB
 * [panels][in_channels][VECTORS], lanes are output channels. With few channels memory is the limit: what tiles further on
 * read is fetched ahead.
 */
#include "convolution.h"

#define AREA_ROWS     4
#define AREA_COLUMNS  24 /* a multiple of 4 and of TILE_COLUMNS */
#define TILE_ROWS     2
#define PIXELS        (TILE_ROWS * TILE_COLUMNS)
#define INPUTS_AHEAD  (6 * TILE_COLUMNS) /* columns */
#define OUTPUTS_AHEAD (2 * TILE_COLUMNS)

struct image {
    int height, width;
};

static int column_of(int pixel) {
    return pixel % TILE_COLUMNS;
}
static int row_of(int pixel) {
    return pixel / TILE_COLUMNS;
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
#pragma unroll
        for (int i = 0; i < PIXELS; ++i) {
            PREFETCH(input + row_of(i) * line + column_of(i) + INPUTS_AHEAD);
        }
        if (left >= BLOCK) {
#pragma unroll
            for (int lane = 0; lane < BLOCK; ++lane) {
#pragma unroll
                for (int i = 0; i < PIXELS; ++i) {
                    float pixel = pixels[(row_of(i) * line + column_of(i)) * BLOCK + lane];
#pragma unroll
                    for (int v = 0; v < VECTORS; ++v) {
                        sums[i][v] += pixel * weights[lane * VECTORS + v];
                    }
                }
            }
        } else {
            for (int lane = 0; lane < left; ++lane) {
#pragma unroll
                for (int i = 0; i < PIXELS; ++i) {
                    float pixel = pixels[(row_of(i) * line + column_of(i)) * BLOCK + lane];
#pragma unroll
                    for (int v = 0; v < VECTORS; ++v) {
                        sums[i][v] += pixel * weights[lane * VECTORS + v];
                    }
                }
            }
        }
        weights += BLOCK * VECTORS;
        input += plane;
    }
}

/* Copies the pixels of a tile that is cut off by the border, [in_blocks][PIXELS]; others take their nearest pixel's
 * place. */
static void gather_tile(__global const floatB *input, struct image size, int y, int x, int in_blocks,
                        __global floatB *tile) {
    for (int block = 0; block < in_blocks; ++block) {
        for (int i = 0; i < PIXELS; ++i) {
            int row = min(y + row_of(i), size.height - 1), column = min(x + column_of(i), size.width - 1);
            tile[block * PIXELS + i] = input[((size_t)block * size.height + row) * size.width + column];
        }
    }
}

/* Epilogue and output of vector v of the tile whose first pixel is (y0, x0); `output` and `mask` are of its channel
 * block. */
static void store_tile(floatB sums[PIXELS][VECTORS], int v, __global floatB *output, __global const ushortB *mask,
                       struct image size, int y0, int x0) {
    bool inside = y0 + TILE_ROWS <= size.height && x0 + TILE_COLUMNS <= size.width;
#pragma unroll
    for (int i = 0; i < PIXELS; ++i) {
        int y = y0 + row_of(i), x = x0 + column_of(i);
        if (inside || (y < size.height && x < size.width)) {
            intB bits = (intB)(0);
            if (reads_mask()) {
                bits = CONVERT_INT(mask[y / 4 * ((size.width + 3) / 4) + x / 4]);
            }
            store_output(&output[y * size.width + x], sums[i][v], bits, 4 * (y % 4) + x % 4);
        }
    }
}

__kernel EXPLICIT_VECTORS void convolution_pointwise(__global const floatB *input, __global floatB *output,
                                                     __global ushortB *mask, __global const floatB *weights,
                                                     __global const floatB *bias, __global floatB *scratch,
                                                     int in_channels, int out_blocks, int height, int width,
                                                     int groups) {
    struct image size = {height, width};
    int area_rows = (height + AREA_ROWS - 1) / AREA_ROWS, area_columns = (width + AREA_COLUMNS - 1) / AREA_COLUMNS;
    int mask_rows = (height + 3) / 4, mask_columns = (width + 3) / 4;
    int in_blocks = (in_channels + BLOCK - 1) / BLOCK, panels = (out_blocks + VECTORS - 1) / VECTORS;
    size_t plane = (size_t)height * width;
    __global floatB *cut_tile = scratch + (size_t)get_global_id(0) * in_blocks * PIXELS;

    /* Where areas are few, their panels are shared out too, in `groups`. */
    FOR_RANGE(i, area_rows * area_columns * groups) {
        int group = i % groups, area = i / groups;
        int y0 = area / area_columns * AREA_ROWS, x0 = area % area_columns * AREA_COLUMNS;
        int y_end = min(y0 + AREA_ROWS, height), x_end = min(x0 + AREA_COLUMNS, width);
        for (int panel = panels * group / groups; panel < panels * (group + 1) / groups; ++panel) {
            int vectors = min(VECTORS, out_blocks - panel * VECTORS);
            __global floatB *output_panel = output + panel * VECTORS * plane;
            for (int y = y0; y < y_end; y += TILE_ROWS) {
                for (int x = x0; x < x_end; x += TILE_COLUMNS) {
                    floatB sums[PIXELS][VECTORS];
                    __global const floatB *tile = input + y * width + x;
                    bool inside = y + TILE_ROWS <= height && x + TILE_COLUMNS <= width;
#pragma unroll
                    for (int k = 0; k < PIXELS * VECTORS; ++k) {
                        PREFETCH(output_panel + k / PIXELS * plane + (y + row_of(k % PIXELS)) * width + x +
                                 column_of(k % PIXELS) + OUTPUTS_AHEAD);
                    }
                    if (!inside) {
                        gather_tile(input, size, y, x, in_blocks, cut_tile);
                        tile = cut_tile;
                    }
                    tile_sums(tile, inside ? width : TILE_COLUMNS, inside ? plane : PIXELS,
                              weights + (size_t)panel * in_channels * VECTORS, bias + panel * VECTORS, in_channels,
                              sums);
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
