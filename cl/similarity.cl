/* similarity.cl: how the similarities between the positions of a map differ from those of another one, a row at a time:
 *
 *     divergence[i] = sum over j of p[i][j] (log p[i][j] - log q[i][j])
 *     p[i] = softmax over j of scale * F*[i] . F*[j]         q the same of F
 *
 * F[i] is the vector of features at position i, * marks the target. The matrices are never stored: of each row only the
 * largest logarithm a and sums of exp(a[j] - a), of which those so far are scaled when a larger one is found.
 */
#include "common.h"

#include "features.h"

enum { ROWS = 4 }; /* loops over them are unrolled, so that their sums stay in registers */

/* One row of logarithms: the largest, the sum of exp(a[j] - largest), and that times a[j] - c[j]. */
struct row {
    float largest, sum, cross;
};

static struct row add_logarithm(struct row row, float a, float difference) {
    float largest = fmax(row.largest, a), kept = exp(row.largest - largest), own = exp(a - largest);
    struct row result = {largest, row.sum * kept + own, row.cross * kept + own * difference};
    return result;
}

/* Rows first .. first + count - 1. */
__kernel IN_GROUPS void similarity_rows(__global const featureB *map, __global const featureB *target,
                                        __global float *divergence, int4 sizes, float scale) {
    int blocks = sizes.x, positions = sizes.y, first = sizes.z, count = sizes.w;
    FOR_RANGE(group, (count + ROWS - 1) / ROWS) {
        struct row target_rows[ROWS], rows[ROWS];
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            target_rows[r].largest = rows[r].largest = -INFINITY;
            target_rows[r].sum = target_rows[r].cross = rows[r].sum = rows[r].cross = 0.0f;
        }
        for (int j = 0; j < positions; ++j) {
            floatB target_sums[ROWS], sums[ROWS];
#pragma unroll
            for (int r = 0; r < ROWS; ++r) {
                target_sums[r] = sums[r] = (floatB)(0.0f);
            }
            for (int block = 0; block < blocks; ++block) {
                size_t at = (size_t)block * positions;
                floatB there = LOAD_FEATURES(target + at + j), here = LOAD_FEATURES(map + at + j);
#pragma unroll
                for (int r = 0; r < ROWS; ++r) {
                    size_t i = at + min(first + group * ROWS + r, positions - 1);
                    target_sums[r] = fma(there, LOAD_FEATURES(target + i), target_sums[r]);
                    sums[r] = fma(here, LOAD_FEATURES(map + i), sums[r]);
                }
            }
#pragma unroll
            for (int r = 0; r < ROWS; ++r) {
                float a = scale * SUM(target_sums[r]), c = scale * SUM(sums[r]);
                target_rows[r] = add_logarithm(target_rows[r], a, a - c);
                rows[r] = add_logarithm(rows[r], c, 0.0f);
            }
        }
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            struct row t = target_rows[r], o = rows[r];
            if (group * ROWS + r < count) {
                divergence[first + group * ROWS + r] =
                    t.cross / t.sum - (t.largest - o.largest) - log(t.sum) + log(o.sum);
            }
        }
    }
}

/* partials: of weight * sum of divergence */
__kernel IN_GROUPS void similarity_sum(__global const float *divergence, int positions, __global float *partials,
                                       int slot, float weight) {
    float sum = 0.0f, lost = 0.0f;
    FOR_RANGE(i, positions) {
        ADD_TERM(float, sum, lost, divergence[i]);
    }
    REDUCE(weight * sum, partials + (size_t)slot * get_num_groups(0));
}
