/* convolution_direct_gpu.cl: direct 3x3 and 1x1 convolution on GPUs, in tiles. A work-item computes 4 output channels
 * of one tile of 4x4 pixels, 64 sums in registers; it alone writes that tile's masks. Tiles are numbered along the rows
 * of the map, so that small maps fill work-groups too. Launches cover the tiles from first_tile on.
 *
 * convolution_direct: the implicit product of matrices [output channels][in_channels * taps] x
 *                     [in_channels * taps][pixels]. A work-group computes 4 * GROUP_PANELS channels of GROUP_TILES
 *                     tiles; DEPTH rows of both matrices at a time go through local memory, gathered from the map for
 *                     one tap after the other. While one half of the local memory is multiplied, the other is filled.
 *                     weights: weight4 [panels of 4 * GROUP_PANELS output channels][in_channels][taps][GROUP_PANELS]
 *
 * convolution_narrow: for few output channels, where work-items have no pixels to share: each reads the patch under
 *                     its tile for itself, 4 * 16 * taps products for (3 + kernel size)^2 loads.
 *                     weights: weight4 [panels of 4 output channels][in_channels][taps]
 */
#include "tile.h"
#include "weights.h"

#define TAPS (KERNEL_SIZE * KERNEL_SIZE)

/* A work-item's sums for its channel x are the rows x_sums[0..3] of the tile; so are those for y, z and w, named as in
 * the filters' float4. One array for all four would be too large for Intel's compiler, which puts arrays of up to 192
 * bytes in registers (docs/gpu-kernels.md).
 */

/* Stores 4 channels from `first` on. */
INLINED void store_channels(const float4 x_sums[4], const float4 y_sums[4], const float4 z_sums[4],
                            const float4 w_sums[4], int first, __global const float *bias, __global feature *output,
                            __global ushort *mask, int out_channels, struct image out, int tile, int tile_columns) {
    size_t tiles = (size_t)((out.height + 3) / 4) * tile_columns;
#define STORE_CHANNEL(o, sums)                                                                                         \
    if (first + o < out_channels) {                                                                                    \
        size_t channel = first + o;                                                                                    \
        store_tile(sums, bias[channel], output + channel * out.height * out.width, mask + channel * tiles + tile, out, \
                   tile / tile_columns * 4, tile % tile_columns * 4);                                                  \
    }
    STORE_CHANNEL(0, x_sums)
    STORE_CHANNEL(1, y_sums)
    STORE_CHANNEL(2, z_sums)
    STORE_CHANNEL(3, w_sums)
}

/* sums[o][row] += filter[o] * pixels[row] */
INLINED void add_products(float4 x_sums[4], float4 y_sums[4], float4 z_sums[4], float4 w_sums[4], float4 filter,
                          int row, float4 pixels) {
    x_sums[row] += filter.x * pixels;
    y_sums[row] += filter.y * pixels;
    z_sums[row] += filter.z * pixels;
    w_sums[row] += filter.w * pixels;
}

#ifdef GROUP_TILES
#define ITEMS   (GROUP_TILES * GROUP_PANELS) /* as many as pixels: each fetches one, so GROUP_PANELS is 16 */
#define FETCHES ((DEPTH * GROUP_PANELS + ITEMS - 1) / ITEMS)

__kernel MANY_REGISTERS __attribute__((reqd_work_group_size(GROUP_TILES, GROUP_PANELS, 1))) void
convolution_direct(__global const feature *input, __global feature *output, __global ushort *mask,
                   __global const weight4 *weights, __global const float *bias, int in_channels, int out_channels,
                   int in_height, int in_width, int padding, int padding_mode, int first_tile) {
    __local float4 pixels[2][DEPTH][4 * GROUP_TILES]; /* four rows of the tiles side by side */
    __local float4 filters[2][DEPTH][GROUP_PANELS];
    struct image in = {in_height, in_width};
    struct image out = {in_height + 2 * padding - KERNEL_SIZE + 1, in_width + 2 * padding - KERNEL_SIZE + 1};
    int tile_columns = (out.width + 3) / 4, tiles = (out.height + 3) / 4 * tile_columns;
    int column = get_local_id(0), panel = get_local_id(1), item = panel * GROUP_TILES + column;
    size_t plane = (size_t)in_height * in_width;

    /* The pixel that this work-item fetches. */
    int group_tile = first_tile + (int)get_group_id(0) * GROUP_TILES;
    int fetched_tile = min(group_tile + item % (4 * GROUP_TILES) / 4, tiles - 1);
    int y = fetched_tile / tile_columns * 4 + item / (4 * GROUP_TILES) - padding;
    int x = fetched_tile % tile_columns * 4 + item % 4 - padding;
    weights += get_group_id(1) * (size_t)in_channels * TAPS * GROUP_PANELS;

    float4 x_sums[4] = {(float4)(0.0f)}, y_sums[4] = {(float4)(0.0f)}, z_sums[4] = {(float4)(0.0f)},
           w_sums[4] = {(float4)(0.0f)};
    int chunks = TAPS * ((in_channels + DEPTH - 1) / DEPTH), tap = 0, first = 0;
#pragma unroll 1 /* more only takes registers */
    for (int chunk = 0; chunk <= chunks; ++chunk) {
        float next_pixels[DEPTH];
        float4 next_filters[FETCHES];
        if (chunk < chunks) {
            int from_row = source_index(y + tap / KERNEL_SIZE, in.height, padding_mode);
            int from_column = source_index(x + tap % KERNEL_SIZE, in.width, padding_mode);
            bool exists = from_row >= 0 && from_column >= 0;
            __global const feature *from = input + first * plane + (exists ? from_row * in.width + from_column : 0);
#pragma unroll
            for (int k = 0; k < DEPTH; ++k) {
                next_pixels[k] = exists && first + k < in_channels ? LOAD_FEATURE(from + k * plane) : 0.0f;
            }
#pragma unroll
            for (int i = 0; i < FETCHES; ++i) {
                int k = (item + i * ITEMS) / GROUP_PANELS, o = item % GROUP_PANELS;
                next_filters[i] = k < DEPTH && first + k < in_channels
                                      ? LOAD_WEIGHT4(weights + ((first + k) * TAPS + tap) * GROUP_PANELS + o)
                                      : (float4)(0.0f);
            }
            first += DEPTH;
            if (first >= in_channels) {
                first = 0;
                ++tap;
            }
        }
        if (chunk > 0) {
            int half_number = (chunk - 1) % 2;
#pragma unroll
            for (int k = 0; k < DEPTH; ++k) {
                float4 filter = filters[half_number][k][panel];
                __local const float4 *from = &pixels[half_number][k][column];
                add_products(x_sums, y_sums, z_sums, w_sums, filter, 0, from[0]);
                add_products(x_sums, y_sums, z_sums, w_sums, filter, 1, from[GROUP_TILES]);
                add_products(x_sums, y_sums, z_sums, w_sums, filter, 2, from[2 * GROUP_TILES]);
                add_products(x_sums, y_sums, z_sums, w_sums, filter, 3, from[3 * GROUP_TILES]);
            }
        }
        if (chunk < chunks) {
#pragma unroll
            for (int k = 0; k < DEPTH; ++k) {
                ((__local float *)pixels[chunk % 2][k])[item] = next_pixels[k];
            }
#pragma unroll
            for (int i = 0; i < FETCHES; ++i) {
                int k = (item + i * ITEMS) / GROUP_PANELS;
                if (k < DEPTH) {
                    filters[chunk % 2][k][item % GROUP_PANELS] = next_filters[i];
                }
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (group_tile + column < tiles) {
        store_channels(x_sums, y_sums, z_sums, w_sums, ((int)get_group_id(1) * GROUP_PANELS + panel) * 4, bias, output,
                       mask, out_channels, out, group_tile + column, tile_columns);
    }
}
#endif

/* Line v of the patch, as far as it concerns that row of the tile. */
INLINED void add_line(float4 x_sums[4], float4 y_sums[4], float4 z_sums[4], float4 w_sums[4], int row,
                      __global const weight4 *filters, int v, const float line[PATCH]) {
    if (v - row >= 0 && v - row < KERNEL_SIZE) {
#pragma unroll
        for (int u = 0; u < KERNEL_SIZE; ++u) {
            add_products(x_sums, y_sums, z_sums, w_sums, LOAD_WEIGHT4(filters + (v - row) * KERNEL_SIZE + u), row,
                         (float4)(line[u], line[u + 1], line[u + 2], line[u + 3]));
        }
    }
}

__kernel MANY_REGISTERS __attribute__((reqd_work_group_size(NARROW_GROUP, 1, 1))) void
convolution_narrow(__global const feature *input, __global feature *output, __global ushort *mask,
                   __global const weight4 *weights, __global const float *bias, int in_channels, int out_channels,
                   int in_height, int in_width, int padding, int padding_mode, int first_tile) {
    struct image in = {in_height, in_width};
    struct image out = {in_height + 2 * padding - KERNEL_SIZE + 1, in_width + 2 * padding - KERNEL_SIZE + 1};
    int tile_columns = (out.width + 3) / 4, tiles = (out.height + 3) / 4 * tile_columns;
    int tile = first_tile + get_global_id(0),
        panel = get_group_id(1); /* uniform, so that filters are read once for all */
    if (tile >= tiles) {
        return;
    }
    int y = tile / tile_columns * 4 - padding, x = tile % tile_columns * 4 - padding;
    weights += (size_t)panel * in_channels * TAPS;
    float4 x_sums[4] = {(float4)(0.0f)}, y_sums[4] = {(float4)(0.0f)}, z_sums[4] = {(float4)(0.0f)},
           w_sums[4] = {(float4)(0.0f)};
#pragma unroll 1
    for (int channel = 0; channel < in_channels; ++channel) {
        __global const feature *plane = input + (size_t)channel * in_height * in_width;
        /* Row by row, or two at a time: the whole patch and its 36 addresses would not fit the registers besides the
         * sums. */
#if KERNEL_SIZE == 1
#pragma unroll 1
#else
#pragma unroll 2
#endif
        for (int v = 0; v < PATCH; ++v) {
            float line[PATCH];
            load_line(plane, in, y + v, x, padding_mode, line);
            add_line(x_sums, y_sums, z_sums, w_sums, 0, weights + channel * TAPS, v, line);
            add_line(x_sums, y_sums, z_sums, w_sums, 1, weights + channel * TAPS, v, line);
            add_line(x_sums, y_sums, z_sums, w_sums, 2, weights + channel * TAPS, v, line);
            add_line(x_sums, y_sums, z_sums, w_sums, 3, weights + channel * TAPS, v, line);
        }
    }
    store_channels(x_sums, y_sums, z_sums, w_sums, panel * 4, bias, output, mask, out_channels, out, tile,
                   tile_columns);
}
