/* product_units.cl: Winograd F(4x4, 3x3) on GPUs by matrix units for floats, in the place of winograd_product.cl, with the
 * same matrices and arguments:
 *
 *     M[s] = U[s]^T V[s] for the BATCHES slices s (36)
 *
 * A work-group computes GROUP_CHANNELS output channels x GROUP_TILES tiles of one slice and part, by 2 x 2 waves. DEPTH
 * rows of U and V at a time go through local memory; while one half of it is multiplied, the other is filled.
 *
 * UNIT_SPLITS: the unit reads 11 binary digits of a float (tf32). Each factor is divided into a = a1 + a2, of 11 and 12
 * digits, and the product into a1 b1 + (a1 b2 + a2 b1); a2 b2 is below the last digit. The unit does not round but cuts
 * off, so that long sums would drift: it adds up one step only, and ordinary additions do the rest (Ootomo and Yokota
 * 2022).
 */
#include "common.h"

#include "matrix_unit.h"

#define ITEMS            (4 * UNIT_LANES)
#define FRAGMENTS_DOWN   (GROUP_CHANNELS / 2 / UNIT_ROWS)
#define FRAGMENTS_ACROSS (GROUP_TILES / 2 / UNIT_COLUMNS)
#define U_FOURS          (GROUP_CHANNELS / 4)
#define V_FOURS          (GROUP_TILES / 4)
#define U_FETCHES        ((DEPTH * U_FOURS + ITEMS - 1) / ITEMS)
#define V_FETCHES        ((DEPTH * V_FOURS + ITEMS - 1) / ITEMS)
#define U_ROW            (GROUP_CHANNELS + 4) /* floats; lanes that read neighboring rows meet in no bank */
#define V_ROW            (GROUP_TILES + 4)

/* What a lane holds of a fragment whose first row and column are at `from`, lines of k being `row` apart. */
INLINED unit_a gather_a(__local const float *from, int row, int lane) {
    union a_words a;
    UNIT_UNROLL
    for (int i = 0; i < UNIT_A_WORDS; ++i) {
        a.words[i] = as_uint(from[UNIT_K(lane, i) * row + UNIT_A_ROW(lane, i)]);
    }
    return a.fragment;
}
INLINED unit_b gather_b(__local const float *from, int row, int lane) {
    union b_words b;
    UNIT_UNROLL
    for (int i = 0; i < UNIT_B_COUNT; ++i) {
        b.words[i] = as_uint(from[(UNIT_B_FIRST(lane) + i) * row + UNIT_B_COLUMN(lane)]);
    }
    return b.fragment;
}

/* The upper digits, rounded, and what they leave. */
#if UNIT_SPLITS
#define UPPER(words)        ((words) + 0x1000 & 0xffffe000)
#define LOWER_A(all, upper) as_uint4(as_float4(all) - as_float4(upper))
#define LOWER_B(all, upper) as_uint2(as_float2(all) - as_float2(upper))
#endif

INLINED void add_rows(unit_c sums[FRAGMENTS_DOWN][FRAGMENTS_ACROSS], __local const float *u, __local const float *v,
                      int lane UNIT_MEMORY_PARAMETER) {
    UNIT_UNROLL
    for (int k = 0; k < DEPTH; k += UNIT_DEPTH) {
        unit_a a[FRAGMENTS_DOWN];
        UNIT_UNROLL
        for (int r = 0; r < FRAGMENTS_DOWN; ++r) {
            a[r] = gather_a(u + k * U_ROW + r * UNIT_ROWS, U_ROW, lane);
        }
        UNIT_UNROLL
        for (int c = 0; c < FRAGMENTS_ACROSS; ++c) {
            unit_b b = gather_b(v + k * V_ROW + c * UNIT_COLUMNS, V_ROW, lane);
            UNIT_UNROLL
            for (int r = 0; r < FRAGMENTS_DOWN; ++r) {
#if UNIT_SPLITS
                unit_a upper_a = UPPER(a[r]), lower_a = LOWER_A(a[r], upper_a);
                unit_b upper_b = UPPER(b), lower_b = LOWER_B(b, upper_b);
                unit_c step = (unit_c)(0.0f);
                UNIT_MULTIPLY(step, lower_a, upper_b);
                UNIT_MULTIPLY(step, upper_a, lower_b);
                UNIT_MULTIPLY(step, upper_a, upper_b);
                sums[r][c] += step;
#else
                UNIT_MULTIPLY(sums[r][c], a[r], b);
#endif
            }
        }
    }
}

__kernel UNIT_KERNEL(ITEMS) void product_units(__global const float4 *u, __global float4 *scratch, int in_channels,
                                               int out_channels, int u_width, int v_width, int m_start, int span) {
    /* Widths of rows, and all that is fetched, in fours. */
    __local float4 filters[2][DEPTH][U_ROW / 4];
    __local float4 tiles[2][DEPTH][V_ROW / 4];
    UNIT_MEMORY(ITEMS);
    int item = get_local_id(0), lane = item % UNIT_LANES, wave = item / UNIT_LANES;
    int first_u = get_group_id(1) * U_FOURS, first_v = get_group_id(0) * V_FOURS;
    int slice = get_group_id(2) % BATCHES, first_channel = get_group_id(2) / BATCHES * span;
    int channels = min(span, in_channels - first_channel);
    __global const float4 *v = scratch + ((size_t)slice * in_channels + first_channel) * v_width;
    u += ((size_t)slice * in_channels + first_channel) * u_width;

    /* A wave's rows and columns. */
    int row = wave / 2 * (GROUP_CHANNELS / 2), column = wave % 2 * (GROUP_TILES / 2);
    unit_c sums[FRAGMENTS_DOWN][FRAGMENTS_ACROSS];
    UNIT_UNROLL
    for (int r = 0; r < FRAGMENTS_DOWN; ++r) {
        UNIT_UNROLL
        for (int c = 0; c < FRAGMENTS_ACROSS; ++c) {
            sums[r][c] = (unit_c)(0.0f);
        }
    }
    int chunks = (channels + DEPTH - 1) / DEPTH;
#pragma unroll 1
    for (int chunk = 0; chunk <= chunks; ++chunk) {
        float4 next_u[U_FETCHES], next_v[V_FETCHES];
        if (chunk < chunks) {
            UNIT_UNROLL
            for (int i = 0; i < U_FETCHES; ++i) {
                int number = item + i * ITEMS, line = chunk * DEPTH + number / U_FOURS,
                    four = first_u + number % U_FOURS;
                next_u[i] = line < channels && four < u_width ? u[(size_t)line * u_width + four] : (float4)(0.0f);
            }
            UNIT_UNROLL
            for (int i = 0; i < V_FETCHES; ++i) {
                int number = item + i * ITEMS, line = chunk * DEPTH + number / V_FOURS,
                    four = first_v + number % V_FOURS;
                next_v[i] = line < channels && four < v_width ? v[(size_t)line * v_width + four] : (float4)(0.0f);
            }
        }
        if (chunk > 0) {
            int half_number = (chunk - 1) % 2;
            add_rows(sums, (__local const float *)filters[half_number] + row,
                     (__local const float *)tiles[half_number] + column, lane UNIT_MEMORY_ARGUMENT);
        }
        if (chunk < chunks) {
            UNIT_UNROLL
            for (int i = 0; i < U_FETCHES; ++i) {
                int number = item + i * ITEMS;
                if (number / U_FOURS < DEPTH) {
                    filters[chunk % 2][number / U_FOURS][number % U_FOURS] = next_u[i];
                }
            }
            UNIT_UNROLL
            for (int i = 0; i < V_FETCHES; ++i) {
                int number = item + i * ITEMS;
                if (number / V_FOURS < DEPTH) {
                    tiles[chunk % 2][number / V_FOURS][number % V_FOURS] = next_v[i];
                }
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    __global float *m =
        (__global float *)(scratch + m_start / 4) + (size_t)get_group_id(2) * out_channels * v_width * 4;
    UNIT_UNROLL
    for (int r = 0; r < FRAGMENTS_DOWN; ++r) {
        UNIT_UNROLL
        for (int c = 0; c < FRAGMENTS_ACROSS; ++c) {
            UNIT_UNROLL
            for (int i = 0; i < UNIT_C_COUNT; ++i) {
                int channel = 4 * first_u + row + r * UNIT_ROWS + UNIT_C_ROW(lane, i);
                int tile = 4 * first_v + column + c * UNIT_COLUMNS + UNIT_C_COLUMN(lane, i);
                if (channel < out_channels && tile < 4 * v_width) {
                    m[(size_t)channel * v_width * 4 + tile] = unit_sum(sums[r][c], i);
                }
            }
        }
    }
}
