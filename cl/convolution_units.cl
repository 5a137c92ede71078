/* convolution_units.cl: direct 3x3 and 1x1 convolution by matrix units, of maps in 16 bits: the implicit product of
 * matrices [output channels][taps * in_channels] x [taps * in_channels][pixels].
 *
 * A work-group computes GROUP_CHANNELS output channels of a region of REGION_ROWS x REGION_COLUMNS pixels, by WAVES_DOWN
 * x WAVES_ACROSS waves (cl/matrix_unit.h), each of which holds FRAGMENTS_DOWN x FRAGMENTS_ACROSS fragments of sums.
 * DEPTH input channels at a time of the patch under the region go through local memory, once for all taps, in slabs of
 * UNIT_DEPTH channels: [slabs][patch pixels][UNIT_DEPTH], so that a tap is but another address. While one half of the
 * memory is multiplied, the other is filled. Launches cover the regions, numbered along the rows of the map, from
 * first_region on.
 *
 * weights: unit_a [output channels / WAVE_CHANNELS][chunks of DEPTH input channels][taps][slabs][FRAGMENTS_DOWN]
 * [UNIT_A_LANES], bfloat16, which pack_unit_weights makes of floats.
 */
#include "tile.h"

#include "matrix_unit.h"

#define TAPS           (KERNEL_SIZE * KERNEL_SIZE)
#define ITEMS          (UNIT_LANES * WAVES_DOWN * WAVES_ACROSS)
#define WAVE_CHANNELS  (UNIT_ROWS * FRAGMENTS_DOWN)
#define WAVE_PIXELS    (UNIT_COLUMNS * FRAGMENTS_ACROSS)
#define GROUP_CHANNELS (WAVE_CHANNELS * WAVES_DOWN)
#define GROUP_PIXELS   (WAVE_PIXELS * WAVES_ACROSS)
#define REGION_COLUMNS 16
#define REGION_ROWS    (GROUP_PIXELS / REGION_COLUMNS)
#define REGION_TILES   (GROUP_PIXELS / 16)
#define PATCH_COLUMNS  (REGION_COLUMNS + KERNEL_SIZE - 1)
#define PATCH_PIXELS   (PATCH_COLUMNS * (REGION_ROWS + KERNEL_SIZE - 1))
#define SLABS          (DEPTH / UNIT_DEPTH)
#define SLAB           (PATCH_PIXELS * UNIT_DEPTH) /* elements */
#define EIGHTS         (DEPTH / 8)                 /* a work-item fetches eight channels of a pixel at a time */
#define FETCHES        ((PATCH_PIXELS * EIGHTS + ITEMS - 1) / ITEMS)

/* The local memory, in 16 bytes: two patches, and at the end rows of sums, a few channels at a time, each a little longer
 * than the region so that channels lie in different banks. */
#define PATCH_MEMORY (2 * SLABS * SLAB / 8)
#define SUM_ROW      (GROUP_PIXELS + 4)
#define SUM_CHANNELS (WAVES_DOWN * UNIT_ROWS)
#define SUM_MEMORY   (SUM_CHANNELS * SUM_ROW / 4)
#define MEMORY       (PATCH_MEMORY > SUM_MEMORY ? PATCH_MEMORY : SUM_MEMORY)

/* Reads what this work-item fetches of the channels from `first` on: eight of each of its pixels, which lie at `offsets`
 * of a plane, or are zero where that is negative. */
INLINED void fetch(__global const feature *input, size_t plane, int first, int channels, const int offsets[FETCHES],
                   uint4 fetched[FETCHES]) {
    UNIT_UNROLL
    for (int i = 0; i < FETCHES; ++i) {
        int channel = first + ((int)get_local_id(0) + i * ITEMS) / PATCH_PIXELS * 8;
        __global const feature *from = input + channel * plane + max(offsets[i], 0);
        uint words[4];
        UNIT_UNROLL
        for (int j = 0; j < 4; ++j) {
            uint low = offsets[i] >= 0 && channel + 2 * j < channels ? from[2 * j * plane] : 0;
            uint high = offsets[i] >= 0 && channel + 2 * j + 1 < channels ? from[(2 * j + 1) * plane] : 0;
            words[j] = low | high << 16;
        }
        fetched[i] = (uint4)(words[0], words[1], words[2], words[3]);
    }
}

INLINED void keep(__local unit_element *patch, const uint4 fetched[FETCHES]) {
    UNIT_UNROLL
    for (int i = 0; i < FETCHES; ++i) {
        int number = get_local_id(0) + i * ITEMS, pixel = number % PATCH_PIXELS, channel = number / PATCH_PIXELS * 8;
        if (channel < DEPTH) {
            *(__local uint4 *)(patch + channel / UNIT_DEPTH * SLAB + pixel * UNIT_DEPTH + channel % UNIT_DEPTH) =
                fetched[i];
        }
    }
}

/* Adds the products of one patch. `patch` is the address of the first pixel of the lane's column in it, `weights` that of
 * the wave's first fragment. */
INLINED void add_patch(unit_c sums[FRAGMENTS_DOWN][FRAGMENTS_ACROSS], __local const unit_element *patch,
                       __global const unit_a *weights, int lane UNIT_MEMORY_PARAMETER) {
#pragma unroll 1 /* more only takes registers */
    for (int dy = 0; dy < KERNEL_SIZE; ++dy) {
        UNIT_UNROLL
        for (int step = 0; step < KERNEL_SIZE * SLABS; ++step) {
            __local const unit_element *at =
                patch + step % SLABS * SLAB + (dy * PATCH_COLUMNS + step / SLABS) * UNIT_DEPTH;
            unit_a rows[FRAGMENTS_DOWN];
            UNIT_UNROLL
            for (int r = 0; r < FRAGMENTS_DOWN; ++r) {
                rows[r] = load_a(weights + r * UNIT_A_LANES, lane);
            }
            weights += FRAGMENTS_DOWN * UNIT_A_LANES;
            UNIT_UNROLL
            for (int c = 0; c < FRAGMENTS_ACROSS; ++c) {
                int pixel =
                    c * UNIT_COLUMNS; /* from the wave's first, which begins a row if there are more than a row */
                unit_b column =
                    load_b(at + (pixel / REGION_COLUMNS * PATCH_COLUMNS + pixel % REGION_COLUMNS) * UNIT_DEPTH, lane);
                UNIT_UNROLL
                for (int r = 0; r < FRAGMENTS_DOWN; ++r) {
                    UNIT_MULTIPLY(sums[r][c], rows[r], column);
                }
            }
        }
    }
}

/* Where a work-group's output begins. */
struct place {
    struct image out;
    int y, x, channel;
};

/* Stores row r of the fragments of each wave: in local memory, the sums become tiles of 4x4 pixels of a channel, which
 * have masks. */
INLINED void store_row(const unit_c sums[FRAGMENTS_ACROSS], int r, __local float *rows, struct place place,
                       __global const float *bias, __global feature *output, __global ushort *mask, int out_channels) {
    int item = get_local_id(0), lane = item % UNIT_LANES, wave = item / UNIT_LANES;
    struct image out = place.out;
    int tile_columns = (out.width + 3) / 4, tiles = (out.height + 3) / 4 * tile_columns;
    UNIT_UNROLL
    for (int c = 0; c < FRAGMENTS_ACROSS; ++c) {
        UNIT_UNROLL
        for (int i = 0; i < UNIT_C_COUNT; ++i) {
            rows[(wave / WAVES_ACROSS * UNIT_ROWS + UNIT_C_ROW(lane, i)) * SUM_ROW + wave % WAVES_ACROSS * WAVE_PIXELS +
                 c * UNIT_COLUMNS + UNIT_C_COLUMN(lane, i)] = unit_sum(sums[c], i);
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll 1
    for (int number = item; number < SUM_CHANNELS * REGION_TILES; number += ITEMS) {
        int row = number / REGION_TILES, tile = number % REGION_TILES;
        int channel = place.channel + row / UNIT_ROWS * WAVE_CHANNELS + r * UNIT_ROWS + row % UNIT_ROWS;
        int tile_y = tile / (REGION_COLUMNS / 4) * 4, tile_x = tile % (REGION_COLUMNS / 4) * 4;
        int y = place.y + tile_y, x = place.x + tile_x;
        if (channel < out_channels && y < out.height && x < out.width) {
            float4 tile_sums[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                tile_sums[i] = *(__local const float4 *)(rows + row * SUM_ROW + (tile_y + i) * REGION_COLUMNS + tile_x);
            }
            store_tile(tile_sums, bias[channel], output + (size_t)channel * out.height * out.width,
                       mask + (size_t)channel * tiles + y / 4 * tile_columns + x / 4, out, y, x);
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

__kernel UNIT_KERNEL(ITEMS) void convolution_units(__global const feature *input, __global feature *output,
                                                   __global ushort *mask, __global const unit_a *weights,
                                                   __global const float *bias, int in_channels, int out_channels,
                                                   int in_height, int in_width, int padding, int padding_mode,
                                                   int first_region) {
    __local uint4 memory[MEMORY];
    UNIT_MEMORY(ITEMS);
    struct image in = {in_height, in_width};
    struct image out = {in_height + 2 * padding - KERNEL_SIZE + 1, in_width + 2 * padding - KERNEL_SIZE + 1};
    int item = get_local_id(0), lane = item % UNIT_LANES, wave = item / UNIT_LANES;
    int wave_down = wave / WAVES_ACROSS, wave_across = wave % WAVES_ACROSS;
    int region_columns = (out.width + REGION_COLUMNS - 1) / REGION_COLUMNS;
    int region = first_region + get_group_id(0), panel = get_group_id(1);
    int region_y = region / region_columns * REGION_ROWS, region_x = region % region_columns * REGION_COLUMNS;

    size_t plane = (size_t)in_height * in_width;
    int offsets[FETCHES];
    UNIT_UNROLL
    for (int i = 0; i < FETCHES; ++i) {
        int pixel = (item + i * ITEMS) % PATCH_PIXELS;
        int row = source_index(region_y + pixel / PATCH_COLUMNS - padding, in.height, padding_mode);
        int column = source_index(region_x + pixel % PATCH_COLUMNS - padding, in.width, padding_mode);
        offsets[i] = row < 0 || column < 0 ? -1 : row * in.width + column;
    }

    int chunks = (in_channels + DEPTH - 1) / DEPTH;
    const int chunk_weights = TAPS * SLABS * FRAGMENTS_DOWN * UNIT_A_LANES;
    weights += (size_t)(panel * WAVES_DOWN + wave_down) * chunks * chunk_weights;
    int first_pixel = wave_across * WAVE_PIXELS, column = UNIT_B_COLUMN(lane);
    int first_column =
        (first_pixel / REGION_COLUMNS * PATCH_COLUMNS + first_pixel % REGION_COLUMNS + column) * UNIT_DEPTH;

    unit_c sums[FRAGMENTS_DOWN][FRAGMENTS_ACROSS];
    UNIT_UNROLL
    for (int r = 0; r < FRAGMENTS_DOWN; ++r) {
        UNIT_UNROLL
        for (int c = 0; c < FRAGMENTS_ACROSS; ++c) {
            sums[r][c] = (unit_c)(0.0f);
        }
    }
    __local unit_element *patches = (__local unit_element *)memory;
    uint4 fetched[FETCHES];
    fetch(input, plane, 0, in_channels, offsets, fetched);
    keep(patches, fetched);
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll 1
    for (int chunk = 0; chunk < chunks; ++chunk) {
        bool has_next = chunk + 1 < chunks;
        if (has_next) {
            fetch(input, plane, (chunk + 1) * DEPTH, in_channels, offsets, fetched);
        }
        add_patch(sums, patches + chunk % 2 * SLABS * SLAB + first_column, weights, lane UNIT_MEMORY_ARGUMENT);
        weights += chunk_weights;
        if (has_next) {
            keep(patches + (chunk + 1) % 2 * SLABS * SLAB, fetched);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    /* By hand: Intel's compiler does not unroll a loop around barriers, and would keep the sums in memory. */
    struct place place = {out, region_y, region_x, panel * GROUP_CHANNELS};
    __local float *rows = (__local float *)memory;
#define STORE_ROW(r)                                                                                                   \
    if (r < FRAGMENTS_DOWN) {                                                                                          \
        store_row(sums[r % FRAGMENTS_DOWN], r, rows, place, bias, output, mask, out_channels);                         \
    }
    STORE_ROW(0)
    STORE_ROW(1)
    STORE_ROW(2)
    STORE_ROW(3)
}

/* The element of filter o, input channel i and tap t is filters[o * out_stride + i * in_stride + t]. One element of a
 * launch is what one lane holds of a fragment. */
__kernel IN_GROUPS void pack_unit_weights(__global const float *filters, __global uint *weights, int in_channels,
                                          int out_channels, int out_stride, int in_stride, int fragments) {
    int chunks = (in_channels + DEPTH - 1) / DEPTH;
    FOR_RANGE(number, fragments * UNIT_A_LANES) {
        int lane = number % UNIT_A_LANES, fragment = number / UNIT_A_LANES;
        int r = fragment % FRAGMENTS_DOWN, step = fragment / FRAGMENTS_DOWN;
        int slab = step % SLABS, tap = step / SLABS % TAPS, chunk = step / SLABS / TAPS % chunks;
        int first_row = step / SLABS / TAPS / chunks * WAVE_CHANNELS + r * UNIT_ROWS;
        int first_k = chunk * DEPTH + slab * UNIT_DEPTH;
        for (int word = 0; word < UNIT_A_WORDS; ++word) {
            uint bits = 0;
            for (int half_number = 0; half_number < 2; ++half_number) {
                int i = 2 * word + half_number, o = first_row + UNIT_A_ROW(lane, i), k = first_k + UNIT_K(lane, i);
                float value = o < out_channels && k < in_channels
                                  ? filters[(size_t)o * out_stride + (size_t)k * in_stride + tap]
                                  : 0.0f;
                bits |= element_bits(value) << (16 * half_number);
            }
            weights[(size_t)number * UNIT_A_WORDS + word] = bits;
        }
    }
}
