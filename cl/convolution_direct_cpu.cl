/* convolution_direct_cpu.cl: direct 3x3 convolution for CPUs, with sums in registers.
 *
 *     output[o][y][x] = epilogue(bias[o] +
 *         sum over i, dy, dx of weights[o][i][dy][dx] * input[i][y + dy - padding][x + dx - padding])
 *
 * patch:   floatB [in_blocks][PATCH_ROWS][PATCH_COLUMNS], in `scratch`
 * weights: floatB [panels][in_blocks][KERNEL_SIZE * KERNEL_SIZE][channels of the block][VECTORS], lanes: output
 *          channels
 *
 * A work-item takes one area of AREA_ROWS x AREA_COLUMNS output pixels after the other: whole tiles of the mask, and of
 * TILE_ROWS x TILE_COLUMNS pixels. It first copies the input under the area, borders resolved, to its patch, so that
 * the inner loop knows no borders and reads from the cache. Then, for each panel of VECTORS vectors of output channels
 * and each tile, all sums of the tile are kept in registers over the whole loop. Registers must suffice for TILE_ROWS *
 * TILE_COLUMNS * VECTORS sums, VECTORS weights and one pixel: 6 x 2 for AVX2.
 *
 * OUTPUTS is not 0 where there are only so many output channels (see few_sums); of floats, the input is then copied at
 * borders only.
 * FROM_IMAGE 1: `input` is the image, float [3][height][width], and what the filters see of it is image[c] + offset_c
 * (not at borders of zeros). TO_IMAGE 1: `output` is float [OUTPUTS][height][width].
 */
#include "convolution.h"

#ifndef FROM_IMAGE
#define FROM_IMAGE 0
#endif
#ifndef TO_IMAGE
#define TO_IMAGE 0
#endif

#define TAPS          (KERNEL_SIZE * KERNEL_SIZE)
#define PATCH_ROWS    (AREA_ROWS + KERNEL_SIZE - 1)
#define PATCH_COLUMNS (AREA_COLUMNS + KERNEL_SIZE - 1)
#define PATCH_PIXELS  (PATCH_ROWS * PATCH_COLUMNS)
#define PIXELS        (TILE_ROWS * TILE_COLUMNS)
#define SPAN          32                 /* input channels, a multiple of BLOCK */
#define OUTPUTS_AHEAD (2 * TILE_COLUMNS) /* columns whose output is fetched ahead */

struct image {
    int height, width;
};

struct source {
    __global const featureB *values;
    int height, width;
    float offsets[3];
};

/* Pixel i = y * width + x of a channel block. */
static floatB pixel_at(struct source in, int block, int i) {
    int pixels = in.height * in.width;
#if FROM_IMAGE
    __global const float *image = (__global const float *)in.values;
    floatB pixel = (floatB)(0.0f);
    pixel.s0 = image[i] + in.offsets[0];
    pixel.s1 = image[pixels + i] + in.offsets[1];
    pixel.s2 = image[2 * pixels + i] + in.offsets[2];
    return pixel;
#else
#if !OUTPUTS
    PREFETCH(in.values + (size_t)block * pixels + i + AREA_COLUMNS);
#endif
    return LOAD_FEATURES(in.values + (size_t)block * pixels + i);
#endif
}

static floatB border_pixel(struct source in, int block, int row, int x, int padding_mode) {
    int column = source_index(x, in.width, padding_mode);
    return row < 0 || column < 0 ? (floatB)(0.0f) : pixel_at(in, block, row * in.width + column);
}

/* Copies the input under the area whose first output pixel is (y, x), as far as `rows` and `columns` output pixels need
 * it. */
static void gather(struct source in, int block, __global floatB *patch, int y, int x, int rows, int columns,
                   int padding_mode) {
    int count = columns + KERNEL_SIZE - 1;
    for (int i = y; i < y + rows + KERNEL_SIZE - 1; ++i) {
        int row = source_index(i, in.height, padding_mode);
        int inside = row < 0 ? count : clamp(-x, 0, count), inside_end = clamp(in.width - x, inside, count);
        for (int column = 0; column < inside; ++column) {
            patch[column] = border_pixel(in, block, row, x + column, padding_mode);
        }
        for (int column = inside; column < inside_end; ++column) {
            patch[column] = pixel_at(in, block, row * in.width + x + column);
        }
        for (int column = inside_end; column < count; ++column) {
            patch[column] = border_pixel(in, block, row, x + column, padding_mode);
        }
        patch += PATCH_COLUMNS;
    }
}

/* Whether the input under a whole area lies inside, from its first pixel. */
static bool is_inside(struct source in, int y, int x) {
    return y >= 0 && x >= 0 && y + PATCH_ROWS <= in.height && x + PATCH_COLUMNS <= in.width;
}

#if OUTPUTS

/* One channel's sums of a tile. */
union pixel_sums {
    float4 fours[(PIXELS + 3) / 4];
    float pixel[(PIXELS + 3) / 4 * 4];
};

/* Where the input begins that one tile needs for the first time, in the area to the right: under its last row and
 * column of taps. */
static __global const featureB *next_input(struct source in, int y, int x) {
    return in.values + (y + KERNEL_SIZE - 1) * in.width + x + KERNEL_SIZE - 1 + AREA_COLUMNS;
}

/* Sums over the lanes of four vectors. */
static float4 sums_of_lanes(floatB a, floatB b, floatB c, floatB d) {
    float4 p = LANES_BY_FOUR(a), q = LANES_BY_FOUR(b), r = LANES_BY_FOUR(c), s = LANES_BY_FOUR(d);
    return ((float4)(p.x, q.x, r.x, s.x) + (float4)(p.y, q.y, r.y, s.y)) +
           ((float4)(p.z, q.z, r.z, s.z) + (float4)(p.w, q.w, r.w, s.w));
}

/* The sums of one tile for OUTPUTS output channels, too few to fill the lanes of a vector: lanes are input channels
 * instead, and are added up in the end, those of four pixels at once. weights: floatB [in_blocks][TAPS][OUTPUTS]. From
 * `ahead` on it fetches what the same tile of the next area will be made of. */
static void few_sums(__global const floatB *tile, int line, int plane, __global const floatB *weights, int in_channels,
                     struct source in, __global const featureB *ahead, union pixel_sums sums[OUTPUTS]) {
    floatB products[PIXELS][OUTPUTS];
#pragma unroll
    for (int i = 0; i < PIXELS; ++i) {
#pragma unroll
        for (int o = 0; o < OUTPUTS; ++o) {
            products[i][o] = (floatB)(0.0f);
        }
    }
    for (int first = 0; first < in_channels; first += BLOCK) {
#pragma unroll
        for (int i = 0; i < PIXELS; ++i) {
            PREFETCH(ahead + i / TILE_COLUMNS * in.width + i % TILE_COLUMNS);
        }
        ahead += (size_t)in.height * in.width;
        for (int tap = 0; tap < TAPS; ++tap) {
            __global const floatB *pixels = tile + tap / KERNEL_SIZE * line + tap % KERNEL_SIZE;
#pragma unroll
            for (int i = 0; i < PIXELS; ++i) {
                floatB pixel = pixels[i / TILE_COLUMNS * line + i % TILE_COLUMNS];
#pragma unroll
                for (int o = 0; o < OUTPUTS; ++o) {
                    products[i][o] += pixel * weights[o];
                }
            }
            weights += OUTPUTS;
        }
        tile += plane;
    }
#pragma unroll
    for (int o = 0; o < OUTPUTS; ++o) {
#pragma unroll
        for (int i = 0; i < PIXELS; i += 4) {
            sums[o].fours[i / 4] =
                sums_of_lanes(products[i][o], products[min(i + 1, PIXELS - 1)][o], products[min(i + 2, PIXELS - 1)][o],
                              products[min(i + 3, PIXELS - 1)][o]);
        }
    }
}

#if TO_IMAGE

static void store_image_tile(union pixel_sums sums[OUTPUTS], __global float *output, struct image out, int y0, int x0) {
    bool inside = y0 + TILE_ROWS <= out.height && x0 + TILE_COLUMNS <= out.width;
#pragma unroll
    for (int o = 0; o < OUTPUTS; ++o) {
        __global float *plane = output + (size_t)o * out.height * out.width;
#pragma unroll
        for (int i = 0; i < PIXELS; ++i) {
            int y = y0 + i / TILE_COLUMNS, x = x0 + i % TILE_COLUMNS;
            if (inside || (y < out.height && x < out.width)) {
                plane[y * out.width + x] = sums[o].pixel[i];
            }
        }
    }
}

#else

/* The same as vectors of output channels, with the bias. */
static void gather_channels(union pixel_sums few[OUTPUTS], __global const floatB *bias, floatB sums[PIXELS][VECTORS]) {
#pragma unroll
    for (int i = 0; i < PIXELS; ++i) {
        union {
            floatB vector;
            float channel[BLOCK];
        } sum;
        sum.vector = bias[0];
#pragma unroll
        for (int o = 0; o < OUTPUTS; ++o) {
            sum.channel[o] += few[o].pixel[i];
        }
        sums[i][0] = sum.vector;
    }
}

#endif

#else

/* Adds the products of one input channel and one tap. */
INLINED void add_products(__global const float *pixels, __global const floatB *weights, floatB sums[PIXELS][VECTORS]) {
#pragma unroll
    for (int i = 0; i < PIXELS; ++i) {
        float pixel = pixels[(i / TILE_COLUMNS * PATCH_COLUMNS + i % TILE_COLUMNS) * BLOCK];
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) {
            sums[i][v] += pixel * weights[v];
        }
    }
}

static void fill(floatB sums[PIXELS][VECTORS], const floatB values[VECTORS]) {
#pragma unroll
    for (int i = 0; i < PIXELS; ++i) {
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) {
            sums[i][v] = values[v];
        }
    }
}

/* Adds the products of a span of input channels. weights: floatB [in_blocks][TAPS][channels of the block][VECTORS] */
INLINED void add_span(__global const floatB *first_pixel, __global const floatB *weights, int channels,
                      floatB sums[PIXELS][VECTORS]) {
    __global const float *patch = (__global const float *)first_pixel;
    for (int left = channels; left > 0; left -= BLOCK) {
        int lanes = FROM_IMAGE ? 3 : min(BLOCK, left);
        for (int tap = 0; tap < TAPS; ++tap) {
            __global const float *pixels = patch + (tap / KERNEL_SIZE * PATCH_COLUMNS + tap % KERNEL_SIZE) * BLOCK;
            if (lanes == BLOCK) {
#pragma unroll
                for (int lane = 0; lane < BLOCK; ++lane) {
                    add_products(pixels + lane, weights + lane * VECTORS, sums);
                }
            } else if (FROM_IMAGE) {
#pragma unroll
                for (int lane = 0; lane < 3; ++lane) {
                    add_products(pixels + lane, weights + lane * VECTORS, sums);
                }
            } else {
                for (int lane = 0; lane < lanes; ++lane) {
                    add_products(pixels + lane, weights + lane * VECTORS, sums);
                }
            }
            weights += lanes * VECTORS;
        }
        patch += PATCH_PIXELS * BLOCK;
    }
}

/* The sums of one tile of one panel. Each SPAN of input channels is summed up by itself: one sum of 4608 terms lost
 * three times as much as PyTorch's. */
static void tile_sums(__global const floatB *patch, __global const floatB *weights, __global const floatB *bias,
                      int in_channels, floatB sums[PIXELS][VECTORS]) {
    floatB start[VECTORS], zeros[VECTORS];
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) {
        start[v] = bias[v];
        zeros[v] = (floatB)(0.0f);
    }
    fill(sums, start);
    add_span(patch, weights, min(SPAN, in_channels), sums);
    for (int span = SPAN; span < in_channels; span += SPAN) {
        floatB parts[PIXELS][VECTORS];
        fill(parts, zeros);
        add_span(patch + span / BLOCK * PATCH_PIXELS, weights + span * TAPS * VECTORS, min(SPAN, in_channels - span),
                 parts);
#pragma unroll
        for (int i = 0; i < PIXELS; ++i) {
#pragma unroll
            for (int v = 0; v < VECTORS; ++v) {
                sums[i][v] += parts[i][v];
            }
        }
    }
}

#endif

/* Epilogue and output of vector v of a tile whose first pixel is (y0, x0); `output` and `mask` are of its channel
 * block. */
static void store_tile(floatB sums[PIXELS][VECTORS], int v, __global featureB *output, __global const ushortB *mask,
                       struct image out, int y0, int x0) {
    bool inside = y0 + TILE_ROWS <= out.height && x0 + TILE_COLUMNS <= out.width;
#pragma unroll
    for (int i = 0; i < PIXELS; ++i) {
        int y = y0 + i / TILE_COLUMNS, x = x0 + i % TILE_COLUMNS;
        if (inside || (y < out.height && x < out.width)) {
            intB bits = (intB)(0);
            if (reads_mask(EPILOGUE)) {
                bits = CONVERT_INT(mask[y / 4 * ((out.width + 3) / 4) + x / 4]);
            }
            store_output(EPILOGUE, &output[y * out.width + x], sums[i][v], bits, 4 * (y % 4) + x % 4);
        }
    }
}

__kernel EXPLICIT_VECTORS void convolution_direct(__global const featureB *input, __global featureB *output,
                                                  __global ushortB *mask, __global const floatB *weights,
                                                  __global const floatB *bias, __global floatB *scratch,
                                                  int in_channels, int out_blocks, int in_height, int in_width,
                                                  int padding, int padding_mode, int groups, float offset0,
                                                  float offset1, float offset2) {
    struct source in = {input, in_height, in_width, {offset0, offset1, offset2}};
    int height = in_height + 2 * padding - KERNEL_SIZE + 1, width = in_width + 2 * padding - KERNEL_SIZE + 1;
    struct image out = {height, width};
    int area_rows = (height + AREA_ROWS - 1) / AREA_ROWS, area_columns = (width + AREA_COLUMNS - 1) / AREA_COLUMNS;
    int mask_rows = (height + 3) / 4, mask_columns = (width + 3) / 4;
    int in_blocks = (in_channels + BLOCK - 1) / BLOCK, panels = (out_blocks + VECTORS - 1) / VECTORS;
    __global floatB *patch = scratch + (size_t)get_global_id(0) * in_blocks * PATCH_PIXELS;

    /* Where areas are few, their panels are shared out too, in `groups`. */
    FOR_RANGE(i, area_rows * area_columns * groups) {
        int group = i % groups, area = i / groups;
        int y0 = area / area_columns * AREA_ROWS, x0 = area % area_columns * AREA_COLUMNS;
        int rows = min(AREA_ROWS, height - y0), columns = min(AREA_COLUMNS, width - x0);
        bool copies = !OUTPUTS || HALF_MAPS || !is_inside(in, y0 - padding, x0 - padding);
        for (int block = 0; copies && block < in_blocks; ++block) {
            gather(in, block, patch + block * PATCH_PIXELS, y0 - padding, x0 - padding,
                   (rows + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS,
                   (columns + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS, padding_mode);
        }
        for (int panel = panels * group / groups; panel < panels * (group + 1) / groups; ++panel) {
            int vectors = min(VECTORS, out_blocks - panel * VECTORS);
            for (int tile_y = 0; tile_y < rows; tile_y += TILE_ROWS) {
                for (int tile_x = 0; tile_x < columns; tile_x += TILE_COLUMNS) {
                    __global const floatB *tile = patch + tile_y * PATCH_COLUMNS + tile_x;
                    int y = y0 + tile_y, x = x0 + tile_x;
#if OUTPUTS
                    union pixel_sums few[OUTPUTS];
                    int line = PATCH_COLUMNS, plane = PATCH_PIXELS;
                    if (!copies) {
                        tile = (__global const floatB *)in.values + (y - padding) * in_width + x - padding;
                        line = in_width;
                        plane = in_height * in_width;
                    }
                    few_sums(tile, line, plane, weights, in_channels, in, next_input(in, y - padding, x - padding),
                             few);
#endif
#if TO_IMAGE
                    store_image_tile(few, (__global float *)output, out, y, x);
#else
                    floatB sums[PIXELS][VECTORS];
#pragma unroll
                    for (int k = 0; k < PIXELS * VECTORS; ++k) {
                        int row = y + k % PIXELS / TILE_COLUMNS, column = x + k % TILE_COLUMNS;
                        PREFETCH(output + (size_t)(panel * VECTORS + k / PIXELS) * height * width + row * width +
                                 column + OUTPUTS_AHEAD);
                    }
#if OUTPUTS
                    gather_channels(few, bias, sums);
#else
                    tile_sums(tile, weights + (size_t)panel * in_channels * TAPS * VECTORS, bias + panel * VECTORS,
                              in_channels, sums);
#endif
#pragma unroll
                    for (int v = 0; v < VECTORS; ++v) {
                        size_t block = panel * VECTORS + v;
                        if (v < vectors) {
                            store_tile(sums, v, output + block * height * width,
                                       mask + block * mask_rows * mask_columns, out, y, x);
                        }
                    }
#endif
                }
            }
#if EPILOGUE == EPILOGUE_RELU
            for (int v = 0; v < vectors; ++v) {
                size_t block = panel * VECTORS + v;
                for (int x = x0; x < x0 + columns; x += 4) {
                    mask[(block * mask_rows + y0 / 4) * mask_columns + x / 4] =
                        mask_of_tile(output + block * height * width, y0, x, height, width);
                }
            }
#endif
        }
    }
}
