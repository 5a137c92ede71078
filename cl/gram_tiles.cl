/* gram_tiles.cl: the Gram matrix G = F F^T of a planar feature map F, float [channels][pixels], on GPUs.
 *
 * gram_tiles:     a work-group of SIDE x SIDE computes one tile of TILE x TILE channels from one range of `range`
 *                 pixels: 8x8 sums in each work-item's registers, DEPTH pixels of both sides in local memory. G is
 *                 symmetric: only tiles on and above the diagonal are computed, numbered along the rows. Launches
 *                 cover the ranges from first_range on. partials: [ranges][such tiles][TILE][TILE]
 * gram_tiles_sum: adds up the ranges, and fills in the lower half. Dense, float [channels][channels]. PARTS work-items
 *                 of a work-group share the ranges of an element: there may be few elements and many ranges.
 */
#include "common.h"
#include "features.h"

#define SUMS  (TILE / SIDE)
#define DEPTH 16 /* of 8 rows side by side, 4 floats each, no two lie in the same banks of the local memory: */
#define ROW   (DEPTH / 4 + 1)

/* Copies the tile's channels at pixels begin ... end - 1, at most DEPTH, to local memory; what does not exist is
 * zero. A work-item copies four neighbors at a time: then four loads wait for memory at once, and share an address. */
static void fetch_pixels(__global const feature *map, __local float4 rows[TILE][ROW], int first_channel, int channels,
                         int begin, int end, int pixels) {
    int item = get_local_id(1) * SIDE + get_local_id(0), four = item % (DEPTH / 4);
    int pixel = begin + 4 * four;
#pragma unroll 2 /* all at once, they only take registers */
    for (int i = 0; i < TILE * DEPTH / 4; i += SIDE * SIDE) {
        int row = (i + item) / (DEPTH / 4), channel = first_channel + row;
        __global const feature *from = map + (size_t)min(channel, channels - 1) * pixels;
        int left = channel < channels ? end - pixel : 0;
        from += left > 0 ? pixel : 0;
        rows[row][four] = (float4)(left > 0 ? LOAD_FEATURE(from) : 0.0f, left > 1 ? LOAD_FEATURE(from + 1) : 0.0f,
                                   left > 2 ? LOAD_FEATURE(from + 2) : 0.0f, left > 3 ? LOAD_FEATURE(from + 3) : 0.0f);
    }
}

__kernel MANY_REGISTERS __attribute__((reqd_work_group_size(SIDE, SIDE, 1))) void
gram_tiles(__global const feature *map, __global float *partials, int channels, int pixels, int range,
           int first_range) {
    __local float4 rows[TILE][ROW], columns[TILE][ROW];
    int tiles = (channels + TILE - 1) / TILE, tile = get_group_id(0), tile_row = 0, left = tile;
    for (; left >= tiles - tile_row; ++tile_row) {
        left -= tiles - tile_row;
    }
    int tile_column = tile_row + left;
    int x = get_local_id(0), y = get_local_id(1);
    int range_number = first_range + get_group_id(1);
    int begin = range_number * range, end = min(begin + range, pixels);
    __local float4(*other)[ROW] = tile_column != tile_row ? columns : rows;
    float sums[SUMS][SUMS];
#pragma unroll
    for (int i = 0; i < SUMS; ++i) {
#pragma unroll
        for (int j = 0; j < SUMS; ++j) {
            sums[i][j] = 0.0f;
        }
    }
    for (int first = begin; first < end; first += DEPTH) {
        fetch_pixels(map, rows, tile_row * TILE, channels, first, end, pixels);
        if (tile_column != tile_row) {
            fetch_pixels(map, columns, tile_column * TILE, channels, first, end, pixels);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll 1 /* more only takes registers */
        for (int k = 0; k < DEPTH / 2; ++k) {
            float2 factors[SUMS];
#pragma unroll
            for (int j = 0; j < SUMS; ++j) {
                factors[j] = ((__local const float2 *)other[x + j * SIDE])[k];
            }
#pragma unroll
            for (int i = 0; i < SUMS; ++i) {
                float2 factor = ((__local const float2 *)rows[y + i * SIDE])[k];
#pragma unroll
                for (int j = 0; j < SUMS; ++j) {
                    sums[i][j] += factor.x * factors[j].x;
                    sums[i][j] += factor.y * factors[j].y;
                }
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    partials += ((size_t)range_number * (tiles * (tiles + 1) / 2) + tile) * TILE * TILE;
#pragma unroll
    for (int i = 0; i < SUMS; ++i) {
#pragma unroll
        for (int j = 0; j < SUMS; ++j) {
            partials[(y + i * SIDE) * TILE + x + j * SIDE] = sums[i][j];
        }
    }
}

#define ELEMENTS (WORK_GROUP / PARTS)

__kernel IN_GROUPS void gram_tiles_sum(__global const float *partials, __global float *gram, int channels, int ranges) {
    __local float sums[PARTS][ELEMENTS];
    int tiles = (channels + TILE - 1) / TILE;
    size_t stride = (size_t)(tiles * (tiles + 1) / 2) * TILE * TILE;
    int item = get_local_id(0) % ELEMENTS, part = get_local_id(0) / ELEMENTS;
    int i = get_group_id(0) * ELEMENTS + item;
    int row = i / channels, column = i % channels;
    if (row < channels) {
        int above = min(row, column), right = max(row, column);
        int tile_row = above / TILE, tile = tile_row * tiles - tile_row * (tile_row + 1) / 2 + right / TILE;
        __global const float *from = partials + (size_t)tile * TILE * TILE + above % TILE * TILE + right % TILE;
        float sum = 0.0f;
#pragma unroll 4
        for (int range = part; range < ranges; range += PARTS) {
            sum += from[range * stride];
        }
        sums[part][item] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (row < channels && part == 0) {
        float sum = 0.0f;
        for (int other = 0; other < PARTS; ++other) {
            sum += sums[other][item];
        }
        gram[i] = sum;
    }
}
