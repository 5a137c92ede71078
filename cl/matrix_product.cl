/* matrix_product.cl: C = A B of square matrices on CPUs, float [side][side], of which `count` rows and columns count;
 * what the others hold is not used. side = blocks * BLOCK.
 *
 * A work-item computes GROUP rows: for each tile of COLUMNS vectors it takes SPAN lines of B at a time, few enough to
 * stay in its first cache, and sums up ROWS x COLUMNS vectors in registers; long sums lose digits besides. Of symmetric
 * matrices it computes its rows up to the diagonal, and what they are as columns is copied.
 */
#include "common.h"

enum { SPAN = 128 };

INLINED void add_tile(__global const float *a, __global const floatB *b, __global floatB *c, int blocks, int lines,
                      int width, int adds) {
    floatB sums[ROWS][COLUMNS];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
#pragma unroll
        for (int w = 0; w < width; ++w) {
            sums[r][w] = adds ? c[r * blocks + w] : (floatB)(0.0f);
        }
    }
    for (int k = 0; k < lines; ++k) {
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
#pragma unroll
            for (int w = 0; w < width; ++w) {
                sums[r][w] = fma((floatB)(a[r * blocks * BLOCK + k]), b[k * blocks + w], sums[r][w]);
            }
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
#pragma unroll
        for (int w = 0; w < width; ++w) {
            c[r * blocks + w] = sums[r][w];
        }
    }
}

/* The rows from `first` to `end` of one tile of columns, which begins with a block. */
INLINED void add_columns(__global const float *a, __global const floatB *b, __global floatB *c, int blocks, int count,
                         int first, int end, int block, int width) {
    for (int k = 0; k < count; k += SPAN) {
        for (int row = first; row < end; row += ROWS) {
            add_tile(a + (size_t)row * blocks * BLOCK + k, b + (size_t)k * blocks + block,
                     c + (size_t)row * blocks + block, blocks, min(SPAN, count - k), width, k > 0);
        }
    }
}

/* Writes the rows from `first` to `end` as columns of the rows above them. */
INLINED void mirror(__global floatB *c, int blocks, int first, int end) {
    for (int row = first; row < end; row += BLOCK) {
        for (int block = 0; block < first / BLOCK; ++block) {
            union {
                floatB rows[BLOCK];
                float values[BLOCK][BLOCK];
            } tile, turned;
            for (int i = 0; i < BLOCK; ++i) {
                tile.rows[i] = c[(size_t)(row + i) * blocks + block];
            }
            for (int i = 0; i < BLOCK; ++i) {
                for (int k = 0; k < BLOCK; ++k) {
                    turned.values[i][k] = tile.values[k][i];
                }
                c[(size_t)(block * BLOCK + i) * blocks + row / BLOCK] = turned.rows[i];
            }
        }
    }
}

__kernel void matrix_product(__global const float *a, __global const floatB *b, __global floatB *c, int count,
                             int blocks, int symmetric) {
    /* Groups from both ends in turns: of symmetric matrices the first have the least work, and threads take several. */
    int item = get_global_id(0), group = item % 2 ? (int)get_global_size(0) - 1 - item / 2 : item / 2;
    int first = group * GROUP, end = min(first + GROUP, (count + ROWS - 1) / ROWS * ROWS);
    int block = 0, used = (count + BLOCK - 1) / BLOCK;
    if (symmetric) {
        used = min(used, (first + GROUP) / BLOCK);
    }
    for (; block + COLUMNS <= used; block += COLUMNS) {
        add_columns(a, b, c, blocks, count, first, end, block, COLUMNS);
    }
    for (; block < used; ++block) {
        add_columns(a, b, c, blocks, count, first, end, block, 1);
    }
    if (symmetric) {
        mirror(c, blocks, first, end);
    }
}
