/* matching.cl: for each content vector a(p) the style vector b(q) of the largest cosine, both centered on their means:
 *
 *     best(p) = max over q of factor <a(p) - m, (b(q) - n) / |b(q) - n|> / |a(p) - m| + summand
 *
 * a product of matrices with a maximum as its epilogue. It goes through the style in chunks of columns; of each chunk
 * it leaves candidates, int2 [parts][positions] of the bits of the product and the column, which are merged into
 * best and index. Of equal ones the lowest index wins. Stacks are float [blocks][positions][BLOCK], as in
 * cl/samples.cl, means float [blocks][BLOCK]; `squares` are the squared lengths of the centered vectors.
 */
#include "common.h"

#include "stack.h"

#if LOOPS
/* On CPUs a chunk is first packed into panels of VECTORS vectors, floatB [panels][channels][VECTORS], whose lanes are
 * style vectors, centered and of length 1. A work-item takes groups of tiles of ROWS content vectors, and copies them,
 * centered, to `rows`, [work-items][group_tiles][blocks][ROWS], where they lie in the order in which they are read. For
 * each panel, which stays in the second cache meanwhile, it goes through the tiles of the group: ROWS x VECTORS sums in
 * registers, of SPAN blocks each, lest long sums lose digits. Behind the copies of all work-items are the best products
 * of each lane and their columns, [work-items][group_tiles * ROWS] of each.
 */
#define SPAN (128 / BLOCK)

__kernel void matching_pack(__global const floatB *samples, __global const floatB *mean, __global const float *squares,
                            __global floatB *panels, int first_block, int blocks, int positions, int first_column,
                            int columns) {
    const int width = VECTORS * BLOCK;
    FOR_RANGE(i, (columns + width - 1) / width * blocks) {
        int block = i % blocks, panel = i / blocks;
        __global float *packed = (__global float *)(panels + (size_t)i * BLOCK * VECTORS);
        for (int column = 0; column < width; ++column) {
            floatB value = (floatB)(0.0f);
            if (panel * width + column < columns) {
                int p = first_column + panel * width + column;
                value = samples[(size_t)(first_block + block) * positions + p] - mean[first_block + block];
                value *= inverse_length(squares[p]);
            }
            const float *lanes = (const float *)&value;
            for (int lane = 0; lane < BLOCK; ++lane) {
                packed[lane * width + column] = lanes[lane];
            }
        }
    }
}

INLINED void add_products(__global const float *row, __global const floatB *panel, floatB sums[ROWS][VECTORS]) {
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) {
            sums[r][v] += row[r * BLOCK] * panel[v];
        }
    }
}

/* The products of a tile and a panel, whose lanes' columns begin with `column`; those from `columns` on do not
 * exist. */
OUTLINED void match_tile(__global const floatB *rows, __global const floatB *panel, int blocks, intB column,
                         int columns, __global floatB *best, __global intB *best_column) {
    floatB totals[ROWS][VECTORS];
#pragma unroll
    for (int i = 0; i < ROWS * VECTORS; ++i) {
        totals[i / VECTORS][i % VECTORS] = (floatB)(0.0f);
    }
    for (int first = 0; first < blocks; first += SPAN) {
        floatB sums[ROWS][VECTORS];
#pragma unroll
        for (int i = 0; i < ROWS * VECTORS; ++i) {
            sums[i / VECTORS][i % VECTORS] = (floatB)(0.0f);
        }
        for (int block = first; block < min(first + SPAN, blocks); ++block) {
#pragma unroll
            for (int lane = 0; lane < BLOCK; ++lane) {
                add_products((__global const float *)(rows + block * ROWS) + lane,
                             panel + (block * BLOCK + lane) * VECTORS, sums);
            }
        }
#pragma unroll
        for (int i = 0; i < ROWS * VECTORS; ++i) {
            totals[i / VECTORS][i % VECTORS] += sums[i / VECTORS][i % VECTORS];
        }
    }
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) {
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            floatB value = select((floatB)(-INFINITY), totals[r][v], LANES(column < columns));
            intB better = LANES(value > best[r]);
            best[r] = select(best[r], value, better);
            best_column[r] = select(best_column[r], column, better);
        }
        column += BLOCK;
    }
}

/* The content vectors of a group, centered; those that do not exist are like the last one. */
static void copy_rows(__global const floatB *samples, __global const floatB *mean, __global floatB *rows, int blocks,
                      int positions, int first_tile, int tiles) {
    for (int tile = 0; tile < tiles; ++tile) {
        for (int block = 0; block < blocks; ++block) {
            for (int r = 0; r < ROWS; ++r) {
                int p = min((first_tile + tile) * ROWS + r, positions - 1);
                *rows++ = samples[(size_t)block * positions + p] - mean[block];
            }
        }
    }
}

static int2 best_of_lanes(__global const floatB *best, __global const intB *best_column) {
    __global const float *values = (__global const float *)best;
    __global const int *columns = (__global const int *)best_column;
    float value = values[0];
    int column = columns[0];
    for (int lane = 1; lane < BLOCK; ++lane) {
        if (values[lane] > value || (values[lane] == value && columns[lane] < column)) {
            value = values[lane];
            column = columns[lane];
        }
    }
    return (int2)(as_int(value), column);
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) __attribute__((vec_type_hint(floatB))) void
matching_product(__global const floatB *samples, __global const floatB *mean, __global const floatB *panels,
                 __global floatB *rows, __global int2 *candidates, int first_block, int blocks, int positions,
                 int group_tiles, int first_column, int columns) {
    const int width = VECTORS * BLOCK;
    int tiles = (positions + ROWS - 1) / ROWS, item = get_global_id(0), items = get_global_size(0);
    size_t copies = (size_t)group_tiles * blocks * ROWS;
    __global floatB *best = rows + items * copies + (size_t)item * group_tiles * ROWS;
    __global intB *best_column = (__global intB *)(best + (size_t)items * group_tiles * ROWS);
    intB first_lanes = (intB)(0);
    for (int lane = 0; lane < BLOCK; ++lane) {
        ((int *)&first_lanes)[lane] = lane;
    }
    rows += item * copies;
    samples += (size_t)first_block * positions;
    mean += first_block;
    FOR_RANGE(group, (tiles + group_tiles - 1) / group_tiles) {
        int first_tile = group * group_tiles, count = min(group_tiles, tiles - first_tile);
        copy_rows(samples, mean, rows, blocks, positions, first_tile, count);
        for (int r = 0; r < count * ROWS; ++r) {
            best[r] = (floatB)(-INFINITY);
            best_column[r] = (intB)(0);
        }
        for (int first = 0; first < columns; first += width) {
            for (int tile = 0; tile < count; ++tile) {
                match_tile(rows + (size_t)tile * blocks * ROWS, panels + (size_t)(first / BLOCK) * blocks * BLOCK,
                           blocks, first_lanes + first, columns, best + tile * ROWS, best_column + tile * ROWS);
            }
        }
        for (int r = 0; r < min(count * ROWS, positions - first_tile * ROWS); ++r) {
            candidates[first_tile * ROWS + r] = best_of_lanes(best + r, best_column + r) + (int2)(0, first_column);
        }
    }
}

#elif BLOCK == 1
/* On GPUs a work-group of SIDE x SIDE computes the products of TILE content with TILE style vectors, 8 x 8 in each
 * work-item's registers; DEPTH channels of both sides at a time, centered, go through local memory. While one half of
 * it is multiplied, the other is filled. Then the work-items of a row of them compare their best. A launch covers
 * content vectors from first_row on and style vectors from first_column on, one part for every TILE of them.
 */
#define DEPTH 8

/* sums[i] += row[i] * columns */
INLINED void add_products(float4 sums[4], float4 row, float4 columns) {
    sums[0] += row.x * columns;
    sums[1] += row.y * columns;
    sums[2] += row.z * columns;
    sums[3] += row.w * columns;
}

/* Compares with four more columns, from `column` on. */
INLINED void keep_best(float4 products, int column, int columns, float *best, int *best_column) {
    const float values[4] = {products.x, products.y, products.z, products.w};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
        if (column + j < columns && values[j] > *best) {
            *best = values[j];
            *best_column = column + j;
        }
    }
}

/* The best of the eight columns of each of four rows. */
INLINED void store_best(const float4 first[4], const float4 second[4], int row, int column, int columns, int x,
                        __local float bests[TILE][SIDE], __local int best_columns[TILE][SIDE]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        float best = -INFINITY;
        int best_column = min(column, columns - 1);
        keep_best(first[i], column, columns, &best, &best_column);
        keep_best(second[i], column + TILE / 2, columns, &best, &best_column);
        bests[row + i][x] = best;
        best_columns[row + i][x] = best_column;
    }
}

__kernel MANY_REGISTERS __attribute__((reqd_work_group_size(SIDE, SIDE, 1))) void
matching_product(__global const float *content, __global const float *content_mean, __global const float *style,
                 __global const float *style_mean, __global const float *style_squares, __global int2 *candidates,
                 int4 stacks, int channels, int first_row, int first_column) {
    /* stacks: first block and positions of content and style */
    __local float rows[2][DEPTH][TILE] __attribute__((aligned(16)));
    __local float columns[2][DEPTH][TILE] __attribute__((aligned(16)));
    __local float bests[TILE][SIDE];
    __local int best_columns[TILE][SIDE];
    int x = get_local_id(0), y = get_local_id(1), item = y * SIDE + x;
    int row = first_row + get_group_id(1) * TILE + item, column = first_column + get_group_id(0) * TILE + item;
    /* What this work-item fetches: every channel of one vector of each side. */
    bool has_row = row < stacks.y, has_column = column < stacks.w;
    float row_factor = has_row ? 1.0f : 0.0f;
    float column_factor = has_column ? inverse_length(style_squares[column]) : 0.0f;
    content += (size_t)stacks.x * stacks.y + (has_row ? row : 0);
    style += (size_t)stacks.z * stacks.w + (has_column ? column : 0);
    content_mean += stacks.x;
    style_mean += stacks.z;
    /* The first or second four of rows, and of columns. */
    float4 first_first[4] = {(float4)(0.0f)}, first_second[4] = {(float4)(0.0f)}, second_first[4] = {(float4)(0.0f)},
           second_second[4] = {(float4)(0.0f)};
    int steps = (channels + DEPTH - 1) / DEPTH;
#pragma unroll 1 /* more only takes registers */
    for (int step = 0; step <= steps; ++step) {
        float next_row[DEPTH], next_column[DEPTH];
        if (step < steps) {
#pragma unroll
            for (int k = 0; k < DEPTH; ++k) {
                int channel = min(step * DEPTH + k, channels - 1);
                float exists = step * DEPTH + k < channels ? 1.0f : 0.0f;
                next_row[k] = exists * row_factor * (content[(size_t)channel * stacks.y] - content_mean[channel]);
                next_column[k] = column_factor * (style[(size_t)channel * stacks.w] - style_mean[channel]);
            }
        }
        if (step > 0) {
            int half_number = (step - 1) % 2;
#pragma unroll
            for (int k = 0; k < DEPTH; ++k) {
                __local const float4 *row_fours = (__local const float4 *)rows[half_number][k];
                __local const float4 *column_fours = (__local const float4 *)columns[half_number][k];
                float4 first_column_four = column_fours[x], second_column_four = column_fours[x + SIDE];
                add_products(first_first, row_fours[y], first_column_four);
                add_products(first_second, row_fours[y], second_column_four);
                add_products(second_first, row_fours[y + SIDE], first_column_four);
                add_products(second_second, row_fours[y + SIDE], second_column_four);
            }
        }
        if (step < steps) {
#pragma unroll
            for (int k = 0; k < DEPTH; ++k) {
                rows[step % 2][k][item] = next_row[k];
                columns[step % 2][k][item] = next_column[k];
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    int item_column = first_column + get_group_id(0) * TILE + 4 * x;
    store_best(first_first, first_second, 4 * y, item_column, stacks.w, x, bests, best_columns);
    store_best(second_first, second_second, 4 * y + TILE / 2, item_column, stacks.w, x, bests, best_columns);
    barrier(CLK_LOCAL_MEM_FENCE);
    float best = bests[item][0];
    int best_column = best_columns[item][0];
    for (int other = 1; other < SIDE; ++other) {
        float value = bests[item][other];
        if (value > best || (value == best && best_columns[item][other] < best_column)) {
            best = value;
            best_column = best_columns[item][other];
        }
    }
    if (has_row) {
        candidates[(size_t)get_group_id(0) * stacks.y + row] = (int2)(as_int(best), best_column);
    }
}
#endif

/* ---- What is known so far ------------------------------------------------------------------------------------------ */

__kernel IN_GROUPS void matching_begin(__global float *best, __global int *index, int positions) {
    FOR_RANGE(p, positions) {
        best[p] = -INFINITY;
        index[p] = -1;
    }
}

/* The best of `parts` candidates replaces what is less. squares: of the content. Positions where `allowed` is not above
 * zero are left alone; it may be a null pointer. */
__kernel IN_GROUPS void matching_merge(__global const int2 *candidates, int parts, __global const float *squares,
                                       __global const float *allowed, int has_allowed, __global float *best,
                                       __global int *index, int positions, int first_index, float factor,
                                       float summand) {
    FOR_RANGE(p, positions) {
        if (has_allowed && !(allowed[p] > 0.0f)) {
            continue;
        }
        int2 candidate = candidates[p];
        for (int part = 1; part < parts; ++part) {
            int2 other = candidates[(size_t)part * positions + p];
            candidate = as_float(other.x) > as_float(candidate.x) ? other : candidate;
        }
        float value = factor * inverse_length(squares[p]) * as_float(candidate.x) + summand;
        int number = first_index + candidate.y;
        if (index[p] < 0 || value > best[p] || (value == best[p] && number < index[p])) {
            best[p] = value;
            index[p] = number;
        }
    }
}

/* targets[c][p] = (samples[c][q] - mean[c]) / length, q = index[p] - first_index, where that is one of these style
 * vectors; the others are left alone. squares: of the style's vectors, centered if `mean` is there; it may be a null
 * pointer. */
__kernel IN_GROUPS void matching_gather(__global const floatB *samples, __global const floatB *mean, int has_mean,
                                        __global const float *squares, __global const int *index,
                                        __global floatB *targets, int first_block, int first_target_block, int blocks,
                                        int positions, int style_positions, int first_index) {
    FOR_LINES(block, blocks, p, positions) {
        int q = index[p] - first_index;
        if (q >= 0 && q < style_positions && index[p] >= 0) {
            floatB center = has_mean ? mean[first_block + block] : (floatB)(0.0f);
            floatB value = samples[(size_t)(first_block + block) * style_positions + q] - center;
            targets[(size_t)(first_target_block + block) * positions + p] = inverse_length(squares[q]) * value;
        }
    }
}
