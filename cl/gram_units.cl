/* gram_units.cl: the Gram matrix G = F F^T of a planar feature map F of 16 bits, [channels][pixels], by matrix units; in
 * the place of the kernel gram_tiles, with the same partial matrices, which gram_tiles_sum adds up.
 *
 * A work-group of 2 x 2 waves computes one tile of TILE x TILE channels from one range of `range` pixels. DEPTH pixels of
 * both sides at a time go through local memory, [slabs][channels][UNIT_DEPTH]: the channels of one side are the rows of
 * A, those of the other the columns of B. While one half of the memory is multiplied, the other is filled.
 */
#include "common.h"
#include "features.h"

#include "matrix_unit.h"

#define ITEMS            (4 * UNIT_LANES)
#define FRAGMENTS_DOWN   (TILE / 2 / UNIT_ROWS)
#define FRAGMENTS_ACROSS (TILE / 2 / UNIT_COLUMNS)
#define DEPTH            32
#define SLABS            (DEPTH / UNIT_DEPTH)
#define SLAB             (TILE * UNIT_DEPTH) /* elements */
#define EIGHTS           (DEPTH / 8)         /* a work-item fetches eight pixels of a channel at a time */
#define FETCHES          ((TILE * EIGHTS + ITEMS - 1) / ITEMS)

/* Reads what this work-item fetches of the pixels from `first` on; what does not exist is zero. */
INLINED void fetch(__global const feature *map, int first_channel, int channels, int first, int end, int pixels,
                   uint4 fetched[FETCHES]) {
    UNIT_UNROLL
    for (int i = 0; i < FETCHES; ++i) {
        int number = (int)get_local_id(0) + i * ITEMS;
        int channel = first_channel + number / EIGHTS, pixel = first + number % EIGHTS * 8;
        int left = channel < channels ? end - pixel : 0;
        __global const feature *from = map + (left > 0 ? (size_t)channel * pixels + pixel : 0);
        uint words[4];
        UNIT_UNROLL
        for (int j = 0; j < 4; ++j) {
            uint low = left > 2 * j ? from[2 * j] : 0, high = left > 2 * j + 1 ? from[2 * j + 1] : 0;
            words[j] = low | high << 16;
        }
        fetched[i] = (uint4)(words[0], words[1], words[2], words[3]);
    }
}

INLINED void keep(__local unit_element *side, const uint4 fetched[FETCHES]) {
    UNIT_UNROLL
    for (int i = 0; i < FETCHES; ++i) {
        int number = get_local_id(0) + i * ITEMS, channel = number / EIGHTS, pixel = number % EIGHTS * 8;
        if (channel < TILE) {
            *(__local uint4 *)(side + pixel / UNIT_DEPTH * SLAB + channel * UNIT_DEPTH + pixel % UNIT_DEPTH) =
                fetched[i];
        }
    }
}

/* A lane's part of the fragment whose rows lie from `from` on. */
INLINED unit_a gather_a(__local const unit_element *from, int lane) {
    union a_words a;
    UNIT_UNROLL
    for (int word = 0; word < UNIT_A_WORDS; ++word) {
        int i = 2 * word, next = i + 1;
        a.words[word] = (uint)from[UNIT_A_ROW(lane, i) * UNIT_DEPTH + UNIT_K(lane, i)] |
                        (uint)from[UNIT_A_ROW(lane, next) * UNIT_DEPTH + UNIT_K(lane, next)] << 16;
    }
    return a.fragment;
}

INLINED void add_pixels(unit_c sums[FRAGMENTS_DOWN][FRAGMENTS_ACROSS], __local const unit_element *rows,
                        __local const unit_element *columns, int lane UNIT_MEMORY_PARAMETER) {
    UNIT_UNROLL
    for (int slab = 0; slab < SLABS; ++slab) {
        unit_a a[FRAGMENTS_DOWN];
        UNIT_UNROLL
        for (int r = 0; r < FRAGMENTS_DOWN; ++r) {
            a[r] = gather_a(rows + slab * SLAB + r * UNIT_ROWS * UNIT_DEPTH, lane);
        }
        UNIT_UNROLL
        for (int c = 0; c < FRAGMENTS_ACROSS; ++c) {
            unit_b b = load_b(columns + slab * SLAB + (c * UNIT_COLUMNS + UNIT_B_COLUMN(lane)) * UNIT_DEPTH, lane);
            UNIT_UNROLL
            for (int r = 0; r < FRAGMENTS_DOWN; ++r) {
                UNIT_MULTIPLY(sums[r][c], a[r], b);
            }
        }
    }
}

__kernel UNIT_KERNEL(ITEMS) void gram_units(__global const feature *map, __global float *partials, int channels,
                                            int pixels, int range, int first_range) {
    __local uint4 memory[4 * SLABS * SLAB / 8]; /* two halves, of rows and columns each */
    UNIT_MEMORY(ITEMS);
    int tiles = (channels + TILE - 1) / TILE, tile = get_group_id(0), tile_row = 0, left = tile;
    for (; left >= tiles - tile_row; ++tile_row) {
        left -= tiles - tile_row;
    }
    int tile_column = tile_row + left;
    bool has_columns = tile_column != tile_row; /* else both sides are the same */
    int item = get_local_id(0), lane = item % UNIT_LANES, wave = item / UNIT_LANES;
    int range_number = first_range + get_group_id(1);
    int begin = range_number * range, end = min(begin + range, pixels);
    __local unit_element *rows = (__local unit_element *)memory, *columns = rows + 2 * SLABS * SLAB;
    __local unit_element *other = has_columns ? columns : rows;
    int first_row = wave / 2 * (TILE / 2), first_column = wave % 2 * (TILE / 2);

    unit_c sums[FRAGMENTS_DOWN][FRAGMENTS_ACROSS];
    UNIT_UNROLL
    for (int r = 0; r < FRAGMENTS_DOWN; ++r) {
        UNIT_UNROLL
        for (int c = 0; c < FRAGMENTS_ACROSS; ++c) {
            sums[r][c] = (unit_c)(0.0f);
        }
    }
    uint4 next_rows[FETCHES], next_columns[FETCHES];
    int half_number = 0;
#pragma unroll 1
    for (int first = begin - DEPTH; first < end; first += DEPTH) {
        bool has_next = first + DEPTH < end;
        if (has_next) {
            fetch(map, tile_row * TILE, channels, first + DEPTH, end, pixels, next_rows);
            if (has_columns) {
                fetch(map, tile_column * TILE, channels, first + DEPTH, end, pixels, next_columns);
            }
        }
        if (first >= begin) {
            add_pixels(sums, rows + half_number * SLABS * SLAB + first_row * UNIT_DEPTH,
                       other + half_number * SLABS * SLAB + first_column * UNIT_DEPTH, lane UNIT_MEMORY_ARGUMENT);
            half_number = 1 - half_number;
        }
        if (has_next) {
            keep(rows + half_number * SLABS * SLAB, next_rows);
            if (has_columns) {
                keep(columns + half_number * SLABS * SLAB, next_columns);
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    partials += ((size_t)range_number * (tiles * (tiles + 1) / 2) + tile) * TILE * TILE;
    UNIT_UNROLL
    for (int r = 0; r < FRAGMENTS_DOWN; ++r) {
        UNIT_UNROLL
        for (int c = 0; c < FRAGMENTS_ACROSS; ++c) {
            UNIT_UNROLL
            for (int i = 0; i < UNIT_C_COUNT; ++i) {
                partials[(first_row + r * UNIT_ROWS + UNIT_C_ROW(lane, i)) * TILE + first_column + c * UNIT_COLUMNS +
                         UNIT_C_COLUMN(lane, i)] = unit_sum(sums[r][c], i);
            }
        }
    }
}
