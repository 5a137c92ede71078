/* subspace.cl: vectors in the few dimensions in which most of them lie, so that products of them take less. Random sums of
 * the vectors span nearly the best subspace (Halko, Martinsson and Tropp 2011, algorithm 4.1):
 *
 *     sketch[c][k] = sum over p of sign(p, k) (samples[c][p] - mean[c])
 *     projected[k][p] = sum over c of basis[c][k] samples[c][p]
 *
 * where sign is 1 or -1 by the bits of a hash, and the basis is the sketch made orthonormal, on the host. Stacks are
 * float [blocks][positions][BLOCK], as in cl/samples.cl, means float [blocks][BLOCK]. The sketch is
 * float [blocks][dimensions][BLOCK], the basis float [blocks * BLOCK][dimensions]; dimensions are whole blocks.
 */
#include "common.h"

#define TERMS 8 /* columns of the sketch that a work-item takes at a time; the hash has bits for four times as many */

/* A bijection of 32 bits in which every bit depends on all. */
static uint scramble(uint x) {
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

/* A work-group for TERMS columns of each block. */
__kernel IN_GROUPS void subspace_sketch(__global const floatB *samples, __global const floatB *mean,
                                        __global floatB *sketch, int first_block, int positions, int dimensions) {
    __local floatB shared[TERMS][WORK_GROUP];
    int terms = dimensions / TERMS, item = get_local_id(0);
    int block = get_group_id(0) / terms, term = get_group_id(0) % terms;
    floatB center = mean[first_block + block], sums[TERMS];
    samples += (size_t)(first_block + block) * positions;
#pragma unroll
    for (int j = 0; j < TERMS; ++j) {
        sums[j] = (floatB)(0.0f);
    }
    for (int p = item; p < positions; p += WORK_GROUP) {
        floatB value = samples[p] - center;
        uint bits = scramble((uint)p * terms + term);
#pragma unroll
        for (int j = 0; j < TERMS; ++j) {
            sums[j] += (bits >> j & 1 ? 1.0f : -1.0f) * value;
        }
    }
#pragma unroll
    for (int j = 0; j < TERMS; ++j) {
        shared[j][item] = sums[j];
    }
    for (int half_size = WORK_GROUP / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int j = 0; j < TERMS && item < half_size; ++j) {
            shared[j][item] += shared[j][item + half_size];
        }
    }
    for (int j = 0; j < TERMS && item == 0; ++j) {
        sketch[(size_t)block * dimensions + term * TERMS + j] = shared[j][0];
    }
}

/* ROWS positions by VECTORS vectors of dimensions in registers. Neighboring work-items take neighboring positions. */
#if LOOPS
#define ROWS    (BLOCK == 16 ? 8 : BLOCK == 8 ? 6 : 4)
#define VECTORS (BLOCK == 16 ? 2 : 1)
#else
#define ROWS    1
#define VECTORS (BLOCK == 1 ? 8 : 2)
#endif

__kernel IN_GROUPS void subspace_project(__global const floatB *samples, __global const floatB *basis,
                                         __global floatB *projected, int first_block, int blocks, int positions,
                                         int projected_blocks) {
    int runs = (positions + ROWS - 1) / ROWS, columns = (projected_blocks + VECTORS - 1) / VECTORS;
    FOR_RANGE(i, runs * columns) {
        int first = i % runs * ROWS, column = i / runs * VECTORS;
        floatB sums[ROWS][VECTORS];
#pragma unroll
        for (int j = 0; j < ROWS * VECTORS; ++j) {
            sums[j / VECTORS][j % VECTORS] = (floatB)(0.0f);
        }
        for (int block = 0; block < blocks; ++block) {
            __global const floatB *run = samples + (size_t)(first_block + block) * positions;
            for (int lane = 0; lane < BLOCK; ++lane) {
                __global const floatB *row = basis + (size_t)(block * BLOCK + lane) * projected_blocks;
#pragma unroll
                for (int v = 0; v < VECTORS; ++v) {
                    floatB direction = row[min(column + v, projected_blocks - 1)];
#pragma unroll
                    for (int r = 0; r < ROWS; ++r) {
                        sums[r][v] += ((__global const float *)(run + min(first + r, positions - 1)))[lane] * direction;
                    }
                }
            }
        }
#pragma unroll
        for (int j = 0; j < ROWS * VECTORS; ++j) {
            int p = first + j / VECTORS, vector = column + j % VECTORS;
            if (p < positions && vector < projected_blocks) {
                projected[(size_t)vector * positions + p] = sums[j / VECTORS][j % VECTORS];
            }
        }
    }
}
