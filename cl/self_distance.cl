/* self_distance.cl: how the distances of samples from each other differ between image and content:
 *
 *     loss = weight / P * sum over i, j of |N_ij - N*_ij|
 *     N_ij = M_ij / s_j         M_ij = 1 - cos(x_i, x_j), M_ii = 0         s_j = P epsilon + sum over i of M_ij
 *
 * x are the image's P vectors, * marks the content's. With E_ij = weight / P sign(N_ij - N*_ij) and
 * e_j = sum over i of E_ij N_ij,
 *
 *     d loss / d cos(x_i, x_j) = H_ij = -(E_ij - e_j) / s_j - (E_ji - e_i) / s_i, 0 where i = j
 *     g_i = sum over j of H_ij x_j / |x_j|         slope_i = (g_i - <g_i, x_i> x_i / |x_i|^2) / |x_i|
 *
 * The products are those of a map whose channels are positions: vectors of length 1, float [side / BLOCK][slots][BLOCK],
 * side = all positions that there may be, slots = channels; those from P on are zero. Cosines are float [side][side].
 * Stacks are float [blocks][P][BLOCK]; slots = blocks * BLOCK.
 */
#include "common.h"

#include "stack.h"

/* Vectors of length 1, turned so that positions are channels. */
__kernel IN_GROUPS void self_distance_turn(__global const float *samples, __global const float *squares,
                                           __global float *turned, int side, int slots, int positions) {
    FOR_LINES(group, side / BLOCK, c, slots) {
        for (int lane = 0; lane < BLOCK; ++lane) {
            int p = group * BLOCK + lane;
            size_t from = ((size_t)(c / BLOCK) * positions + p) * BLOCK + c % BLOCK;
            float value = p < positions ? inverse_length(squares[p]) * samples[from] : 0.0f;
            turned[((size_t)group * slots + c) * BLOCK + lane] = value;
        }
    }
}

static float distance_at(__global const float *cosines, int side, int i, int j) {
    return i == j ? 0.0f : 1.0f - cosines[(size_t)j * side + i];
}

/* inverses[j] = 1 / s_j */
__kernel IN_GROUPS void self_distance_sums(__global const float *cosines, __global float *inverses, int side,
                                           int positions, float epsilon) {
    FOR_RANGE(j, positions) {
        float sum = 0.0f, lost = 0.0f;
        for (int i = 0; i < positions; ++i) {
            ADD_TERM(float, sum, lost, distance_at(cosines, side, i, j));
        }
        inverses[j] = 1.0f / (epsilon * (float)positions + sum);
    }
}

static float sign_of(float x) {
    return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f;
}

/* The loss, and means[j] = e_j. factor = weight / P. */
__kernel IN_GROUPS void self_distance_compare(__global const float *cosines, __global const float *target,
                                              __global const float *inverses, __global const float *target_inverses,
                                              __global float *means, __global float *partials, int slot, int side,
                                              int positions, float factor) {
    float sum = 0.0f, lost = 0.0f;
    FOR_RANGE(j, positions) {
        float mean = 0.0f, mean_lost = 0.0f;
        for (int i = 0; i < positions; ++i) {
            float own = inverses[j] * distance_at(cosines, side, i, j);
            float difference = own - target_inverses[j] * distance_at(target, side, i, j);
            ADD_TERM(float, sum, lost, factor *fabs(difference));
            ADD_TERM(float, mean, mean_lost, factor *sign_of(difference) * own);
        }
        means[j] = mean;
    }
    REDUCE(sum, partials + (size_t)slot * get_num_groups(0));
}

/* weights = H, zero outside of the positions. */
__kernel IN_GROUPS void self_distance_weights(__global const float *cosines, __global const float *target,
                                              __global const float *inverses, __global const float *target_inverses,
                                              __global const float *means, __global float *weights, int side,
                                              int positions, float factor) {
    FOR_LINES(j, side, i, side) {
        float value = 0.0f;
        if (i != j && i < positions && j < positions) {
            float own = 1.0f - cosines[(size_t)j * side + i], other = 1.0f - target[(size_t)j * side + i];
            float by_column = factor * sign_of(inverses[j] * own - target_inverses[j] * other) - means[j];
            float by_row = factor * sign_of(inverses[i] * own - target_inverses[i] * other) - means[i];
            value = -(inverses[j] * by_column + inverses[i] * by_row);
        }
        weights[(size_t)j * side + i] = value;
    }
}

/* slope, a stack, from g and the vectors of length 1, both turned. */
__kernel IN_GROUPS void self_distance_slope(__global const floatB *g, __global const floatB *turned,
                                            __global const float *squares, __global float *slope, int slots,
                                            int positions) {
    FOR_RANGE(group, (positions + BLOCK - 1) / BLOCK) {
        floatB product = (floatB)(0.0f), lost = (floatB)(0.0f);
        const size_t first = (size_t)group * slots;
        for (int c = 0; c < slots; ++c) {
            ADD_TERM(floatB, product, lost, g[first + c] * turned[first + c]);
        }
        for (int c = 0; c < slots; ++c) {
            floatB along = g[first + c] - product * turned[first + c];
            const float *lanes = (const float *)&along;
            for (int lane = 0; lane < BLOCK && group * BLOCK + lane < positions; ++lane) {
                int p = group * BLOCK + lane;
                slope[((size_t)(c / BLOCK) * positions + p) * BLOCK + c % BLOCK] =
                    inverse_length(squares[p]) * lanes[lane];
            }
        }
    }
}
