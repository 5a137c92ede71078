/* winograd_product.cl: Winograd F(4x4, 3x3) on GPUs, between winograd_input.cl and winograd_output.cl:
 *
 *     M[s] = U[s]^T V[s] for the BATCHES slices s (36)
 *
 * U: float [BATCHES][in_channels][out_channels], filled up to fours; V: float [BATCHES][in_channels][tiles]; M: float
 * [parts][BATCHES][out_channels][tiles], from parts of `span` input channels each, which winograd_output adds up. V
 * lies at the beginning of the scratch buffer, M from m_start on.
 *
 * A work-group computes GROUP_CHANNELS output channels x GROUP_TILES tiles of one slice and part, a work-item 8 x 8 of
 * them: sums in registers, for which it reads 16 numbers of a row of U and V. DEPTH such rows at a time go through
 * local memory; while one half of it is multiplied, the other is filled.
 */
#include "common.h"

#define ROWS      (GROUP_CHANNELS / 8) /* work-items side by side; each has a four here and one ROWS fours later */
#define COLUMNS   (GROUP_TILES / 8)    /* in tiles, likewise */
#define ITEMS     (ROWS * COLUMNS)
#define U_FOURS   (2 * ROWS)
#define V_FOURS   (2 * COLUMNS)
#define U_FETCHES (DEPTH * U_FOURS / ITEMS)
#define V_FETCHES (DEPTH * V_FOURS / ITEMS)

/* sums[i] += filter[i] * tiles */
INLINED void add_products(float4 sums[4], float4 filter, float4 tiles) {
    sums[0] += filter.x * tiles;
    sums[1] += filter.y * tiles;
    sums[2] += filter.z * tiles;
    sums[3] += filter.w * tiles;
}

/* Stores sums of channels from `channel` on, for the four of tiles that `column` counts. */
INLINED void store_sums(const float4 sums[4], __global float4 *m, int channel, int out_channels, int column,
                        int v_width) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        if (column < v_width && channel + i < out_channels) {
            m[(size_t)(channel + i) * v_width + column] = sums[i];
        }
    }
}

__kernel MANY_REGISTERS __attribute__((reqd_work_group_size(COLUMNS, ROWS, 1))) void
winograd_product(__global const float4 *u, __global float4 *scratch, int in_channels, int out_channels, int u_width,
                 int v_width, int m_start, int span) {
    /* Widths of rows, and all that is fetched and stored, in fours. */
    __local float4 filters[2][DEPTH][U_FOURS];
    __local float4 tiles[2][DEPTH][V_FOURS];
    int x = get_local_id(0), y = get_local_id(1), item = y * COLUMNS + x;
    int first_u = get_group_id(1) * U_FOURS, first_v = get_group_id(0) * V_FOURS;
    int slice = get_group_id(2) % BATCHES, first_channel = get_group_id(2) / BATCHES * span;
    int channels = min(span, in_channels - first_channel);
    __global const float4 *v = scratch + ((size_t)slice * in_channels + first_channel) * v_width;
    u += ((size_t)slice * in_channels + first_channel) * u_width;

    /* What this work-item fetches: every ITEMS-th four of DEPTH rows. */
    int u_row = item / U_FOURS, u_four = item % U_FOURS, v_row = item / V_FOURS, v_four = item % V_FOURS;
    bool has_u = first_u + u_four < u_width, has_v = first_v + v_four < v_width;
    u += (size_t)u_row * u_width + (has_u ? first_u + u_four : 0);
    v += (size_t)v_row * v_width + (has_v ? first_v + v_four : 0);

    int chunks = (channels + DEPTH - 1) / DEPTH;
    /* Names of the sums: the item's first or second four of output channels, its first or second four of tiles. One
     * array for all would be too large for Intel's compiler (docs/gpu-kernels.md). */
    float4 first_first[4] = {(float4)(0.0f)}, first_second[4] = {(float4)(0.0f)}, second_first[4] = {(float4)(0.0f)},
           second_second[4] = {(float4)(0.0f)};
#pragma unroll 1 /* more only takes registers */
    for (int chunk = 0; chunk <= chunks; ++chunk) {
        float4 next_u[U_FETCHES], next_v[V_FETCHES];
        if (chunk < chunks) {
            int rows = channels - chunk * DEPTH;
#pragma unroll
            for (int i = 0; i < U_FETCHES; ++i) {
                int row = i * (ITEMS / U_FOURS);
                next_u[i] = has_u && u_row + row < rows ? u[row * u_width] : (float4)(0.0f);
            }
#pragma unroll
            for (int i = 0; i < V_FETCHES; ++i) {
                int row = i * (ITEMS / V_FOURS);
                next_v[i] = has_v && v_row + row < rows ? v[row * v_width] : (float4)(0.0f);
            }
            u += DEPTH * u_width;
            v += DEPTH * v_width;
        }
        if (chunk > 0) {
            int half_number = (chunk - 1) % 2;
#pragma unroll
            for (int k = 0; k < DEPTH; ++k) {
                float4 filter = filters[half_number][k][y], second_filter = filters[half_number][k][y + ROWS];
                float4 tile = tiles[half_number][k][x], second_tile = tiles[half_number][k][x + COLUMNS];
                add_products(first_first, filter, tile);
                add_products(first_second, filter, second_tile);
                add_products(second_first, second_filter, tile);
                add_products(second_second, second_filter, second_tile);
            }
        }
        if (chunk < chunks) {
#pragma unroll
            for (int i = 0; i < U_FETCHES; ++i) {
                filters[chunk % 2][u_row + i * (ITEMS / U_FOURS)][u_four] = next_u[i];
            }
#pragma unroll
            for (int i = 0; i < V_FETCHES; ++i) {
                tiles[chunk % 2][v_row + i * (ITEMS / V_FOURS)][v_four] = next_v[i];
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    __global float4 *m = scratch + m_start / 4 + (size_t)get_group_id(2) * out_channels * v_width;
    int channel = 4 * (first_u + y), column = first_v + x;
    store_sums(first_first, m, channel, out_channels, column, v_width);
    store_sums(first_second, m, channel, out_channels, column + COLUMNS, v_width);
    store_sums(second_first, m, channel + 4 * ROWS, out_channels, column, v_width);
    store_sums(second_second, m, channel + 4 * ROWS, out_channels, column + COLUMNS, v_width);
}
