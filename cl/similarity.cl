/* similarity.cl: how the similarities between the positions of a map differ from those of another one, a row at a time:
 *
 *     divergence[i] = sum over j of p[i][j] (log p[i][j] - log q[i][j])
 *     p[i] = softmax over j of scale * F*[i] . F*[j]         q the same of F
 *
 * F[i] is the vector of features at position i, * marks the target. These are products of matrices with a sum as their
 * epilogue; the matrices are never stored: of each row only the largest logarithm a and sums of exp(a[j] - a), of which
 * those so far are scaled when a larger one is found.
 */
#include "common.h"

#include "features.h"

#define LEAST -1e30f /* of logarithms before there are any */

#if LOOPS
/* On CPUs both maps are first packed into panels of VECTORS vectors, floatB [panels][channels][VECTORS], whose lanes
 * are positions; those behind the last are zero. A work-item takes GROUP panels of rows. For each panel of columns,
 * which stays in the second cache meanwhile, it goes through the group by ROWS: ROWS x VECTORS sums in registers, of
 * SPAN channels each, lest long sums lose digits. Each lane has rows of its own: struct row [work-items][GROUP *
 * VECTORS * BLOCK].
 */
enum { WIDTH = VECTORS * BLOCK, SPAN = 128 };

__kernel void similarity_pack(__global const featureB *map, __global float *panels, int blocks, int positions) {
    FOR_RANGE(i, (positions + WIDTH - 1) / WIDTH * blocks) {
        int block = i % blocks, first = i / blocks * WIDTH;
        for (int column = 0; column < WIDTH; ++column) {
            floatB value = (floatB)(0.0f);
            if (first + column < positions) {
                value = LOAD_FEATURES(map + (size_t)block * positions + first + column);
            }
            const float *lanes = (const float *)&value;
            for (int lane = 0; lane < BLOCK; ++lane) {
                panels[((size_t)i * BLOCK + lane) * WIDTH + column] = lanes[lane];
            }
        }
    }
}

/* In each lane: the largest logarithm of the target and of the map, the sums of exp(a[j] - largest) and exp(c[j] -
 * largest), and the first of them times a[j] - c[j]. */
struct row {
    floatB target_largest, target_sum, cross, largest, sum;
};

INLINED void multiply(__global const float *rows, __global const floatB *columns, int channels,
                      floatB totals[ROWS][VECTORS]) {
#pragma unroll
    for (int i = 0; i < ROWS * VECTORS; ++i) {
        totals[i / VECTORS][i % VECTORS] = (floatB)(0.0f);
    }
    for (int first = 0; first < channels; first += SPAN) {
        floatB sums[ROWS][VECTORS];
#pragma unroll
        for (int i = 0; i < ROWS * VECTORS; ++i) {
            sums[i / VECTORS][i % VECTORS] = (floatB)(0.0f);
        }
        for (int channel = first; channel < min(first + SPAN, channels); ++channel) {
#pragma unroll
            for (int r = 0; r < ROWS; ++r) {
#pragma unroll
                for (int v = 0; v < VECTORS; ++v) {
                    sums[r][v] += rows[channel * WIDTH + r] * columns[channel * VECTORS + v];
                }
            }
        }
#pragma unroll
        for (int i = 0; i < ROWS * VECTORS; ++i) {
            totals[i / VECTORS][i % VECTORS] += sums[i / VECTORS][i % VECTORS];
        }
    }
}

/* Adds the logarithms of a tile to its rows. `column`: those of the first vector; from `positions` on there are none.
 */
OUTLINED void add_tile(__global const float *target_rows, __global const floatB *target_columns,
                       __global const float *map_rows, __global const floatB *map_columns, int channels, intB column,
                       int positions, float scale, __global struct row *rows) {
    floatB target[ROWS][VECTORS], own[ROWS][VECTORS];
    multiply(target_rows, target_columns, channels, target);
    multiply(map_rows, map_columns, channels, own);
    for (int r = 0; r < ROWS; ++r) {
        struct row row = rows[r];
        floatB target_largest = row.target_largest, largest = row.largest, a[VECTORS], c[VECTORS], difference[VECTORS];
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) {
            intB exists = LANES(column + v * BLOCK < positions);
            a[v] = scale * target[r][v];
            c[v] = scale * own[r][v];
            difference[v] = a[v] - c[v];
            a[v] = select((floatB)(-INFINITY), a[v], exists);
            c[v] = select((floatB)(-INFINITY), c[v], exists);
            target_largest = fmax(target_largest, a[v]);
            largest = fmax(largest, c[v]);
        }
        floatB kept = exp(row.target_largest - target_largest);
        row.target_sum *= kept;
        row.cross *= kept;
        row.sum *= exp(row.largest - largest);
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) {
            floatB share = exp(a[v] - target_largest);
            row.target_sum += share;
            row.cross += share * difference[v];
            row.sum += exp(c[v] - largest);
        }
        row.target_largest = target_largest;
        row.largest = largest;
        rows[r] = row;
    }
}

static float divergence_of_lanes(__global const struct row *row) {
    __global const float *target_largest = (__global const float *)&row->target_largest;
    __global const float *target_sums = (__global const float *)&row->target_sum;
    __global const float *crosses = (__global const float *)&row->cross;
    __global const float *largest = (__global const float *)&row->largest;
    __global const float *sums = (__global const float *)&row->sum;
    float target_most = LEAST, most = LEAST, target_sum = 0.0f, cross = 0.0f, sum = 0.0f;
    for (int lane = 0; lane < BLOCK; ++lane) {
        target_most = fmax(target_most, target_largest[lane]);
        most = fmax(most, largest[lane]);
    }
    for (int lane = 0; lane < BLOCK; ++lane) {
        float share = exp(target_largest[lane] - target_most);
        target_sum += share * target_sums[lane];
        cross += share * crosses[lane];
        sum += exp(largest[lane] - most) * sums[lane];
    }
    return cross / target_sum - (target_most - most) - log(target_sum) + log(sum);
}

/* sizes: channels with those that fill up blocks, positions, the first group of rows, groups. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) __attribute__((vec_type_hint(floatB))) void
similarity_rows(__global const floatB *map, __global const floatB *target, __global struct row *rows,
                __global float *divergence, int4 sizes, float scale) {
    const int channels = sizes.x, positions = sizes.y, first_group = sizes.z, groups = sizes.w;
    const size_t panel = (size_t)channels * VECTORS;
    rows += (size_t)get_global_id(0) * GROUP * WIDTH;
    intB lanes = (intB)(0);
    for (int lane = 0; lane < BLOCK; ++lane) {
        ((int *)&lanes)[lane] = lane;
    }
    FOR_RANGE(group, groups) {
        int first = (first_group + group) * GROUP * WIDTH, count = min(GROUP * WIDTH, positions - first);
        for (int r = 0; r < (count + ROWS - 1) / ROWS * ROWS; ++r) {
            rows[r] = (struct row){(floatB)(LEAST), (floatB)(0.0f), (floatB)(0.0f), (floatB)(LEAST), (floatB)(0.0f)};
        }
        for (int column = 0; column < positions; column += WIDTH) {
            for (int r = 0; r < count; r += ROWS) {
                size_t rows_at = (first + r) / WIDTH * panel, columns_at = column / WIDTH * panel;
                add_tile((__global const float *)(target + rows_at) + r % WIDTH, target + columns_at,
                         (__global const float *)(map + rows_at) + r % WIDTH, map + columns_at, channels,
                         lanes + column, positions, scale, rows + r);
            }
        }
        for (int r = 0; r < count; ++r) {
            divergence[first + r] = divergence_of_lanes(rows + r);
        }
    }
}

#elif BLOCK == 1
/* On GPUs a work-group of SIDE x SIDE takes EDGE rows through tiles of as many columns, 4 x 4 of both maps in each
 * work-item's registers; DEPTH channels of both sides at a time go through local memory. At the end the work-items of a
 * row put together what they have found.
 */
enum { DEPTH = 8, EDGE = 4 * SIDE, MAPS = 2, FETCHES = DEPTH * EDGE / (SIDE * SIDE) };

/* The largest logarithm of the target and of the map, the sums of exp(a[j] - largest) and exp(c[j] - largest), and the
 * first of them times a[j] - c[j]. */
struct row {
    float target_largest, target_sum, cross, largest, sum;
};

INLINED struct row put_together(struct row one, struct row other) {
    struct row result;
    result.target_largest = fmax(one.target_largest, other.target_largest);
    result.largest = fmax(one.largest, other.largest);
    float share = exp(one.target_largest - result.target_largest);
    float other_share = exp(other.target_largest - result.target_largest);
    result.target_sum = share * one.target_sum + other_share * other.target_sum;
    result.cross = share * one.cross + other_share * other.cross;
    result.sum = exp(one.largest - result.largest) * one.sum + exp(other.largest - result.largest) * other.sum;
    return result;
}

/* Four columns more, of which those from `positions` on do not exist. */
INLINED struct row add_four(struct row row, float4 target, float4 own, int column, int positions) {
    const float a[4] = {target.x, target.y, target.z, target.w}, c[4] = {own.x, own.y, own.z, own.w};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
        if (column + j < positions) {
            struct row next = {a[j], 1.0f, a[j] - c[j], c[j], 1.0f};
            row = put_together(row, next);
        }
    }
    return row;
}

/* sizes: channels, positions, the first group of EDGE rows. */
__kernel MANY_REGISTERS __attribute__((reqd_work_group_size(SIDE, SIDE, 1))) void
similarity_rows(__global const feature *map, __global const feature *target, __global float *divergence, int4 sizes,
                float scale) {
    __local float rows[MAPS][DEPTH][EDGE] __attribute__((aligned(16)));
    __local float columns[MAPS][DEPTH][EDGE] __attribute__((aligned(16)));
    __local struct row found[EDGE][SIDE];
    int channels = sizes.x, positions = sizes.y, x = get_local_id(0), y = get_local_id(1), item = y * SIDE + x;
    int first = (sizes.z + (int)get_group_id(0)) * EDGE;
    struct row own[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        own[i] = (struct row){LEAST, 0.0f, 0.0f, LEAST, 0.0f};
    }
    for (int column = 0; column < positions; column += EDGE) {
        float4 target_sums[4] = {(float4)(0.0f)}, sums[4] = {(float4)(0.0f)};
        for (int channel = 0; channel < channels; channel += DEPTH) {
            barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
            for (int i = 0; i < FETCHES; ++i) {
                int k = (item + i * SIDE * SIDE) / EDGE, p = (item + i * SIDE * SIDE) % EDGE;
                float exists = channel + k < channels ? 1.0f : 0.0f;
                size_t at = (size_t)min(channel + k, channels - 1) * positions;
                size_t row = at + min(first + p, positions - 1), there = at + min(column + p, positions - 1);
                rows[0][k][p] = exists * LOAD_FEATURE(target + row);
                rows[1][k][p] = exists * LOAD_FEATURE(map + row);
                columns[0][k][p] = LOAD_FEATURE(target + there);
                columns[1][k][p] = LOAD_FEATURE(map + there);
            }
            barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
            for (int k = 0; k < DEPTH; ++k) {
                float4 target_column = ((__local const float4 *)columns[0][k])[x];
                float4 map_column = ((__local const float4 *)columns[1][k])[x];
                float4 target_row = ((__local const float4 *)rows[0][k])[y];
                float4 map_row = ((__local const float4 *)rows[1][k])[y];
                target_sums[0] += target_row.x * target_column;
                target_sums[1] += target_row.y * target_column;
                target_sums[2] += target_row.z * target_column;
                target_sums[3] += target_row.w * target_column;
                sums[0] += map_row.x * map_column;
                sums[1] += map_row.y * map_column;
                sums[2] += map_row.z * map_column;
                sums[3] += map_row.w * map_column;
            }
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            own[i] = add_four(own[i], scale * target_sums[i], scale * sums[i], column + 4 * x, positions);
        }
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        found[4 * y + i][x] = own[i];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (item < EDGE && first + item < positions) {
        struct row row = found[item][0];
        for (int other = 1; other < SIDE; ++other) {
            row = put_together(row, found[item][other]);
        }
        divergence[first + item] =
            row.cross / row.target_sum - (row.target_largest - row.largest) - log(row.target_sum) + log(row.sum);
    }
}
#endif

/* partials: of weight * sum of divergence */
__kernel IN_GROUPS void similarity_sum(__global const float *divergence, int positions, __global float *partials,
                                       int slot, float weight) {
    float sum = 0.0f, lost = 0.0f;
    FOR_RANGE(i, positions) {
        ADD_TERM(float, sum, lost, divergence[i]);
    }
    REDUCE(weight * sum, partials + (size_t)slot * get_num_groups(0));
}
