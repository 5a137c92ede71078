/* moments.cl: mean and covariance of samples of the image against those of the styles:
 *
 *     loss = weight (1 / C sum over i of |m_i - n_i| + 1 / C^2 sum over i, j of |V_ij - W_ij|)
 *     slope = D (x - m) + b            D = 2 weight / (P C^2) sign(V - W)         b = weight / (P C) sign(m - n)
 *
 * m and V are mean and covariance of the P vectors x of C channels, n and W those of the styles. Products are sums over
 * the positions of centered vectors, float [slots][slots]; means float [slots]. Slots behind the channels of a layer
 * fill up its last block: they are zero on both sides.
 */
#include "common.h"

/* covariance = scale * products */
__kernel IN_GROUPS void moments_scale(__global float *products, int count, float scale) {
    FOR_RANGE(i, count) {
        products[i] *= scale;
    }
}

static float sign_of(float x) {
    return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f;
}

/* scale: 1 / P; factors: weight / C^2 and weight / C. */
__kernel IN_GROUPS void moments_compare(__global const float *products, __global const float *mean,
                                        __global const float *target, __global const float *target_mean,
                                        __global float *weights, __global float *bias, __global float *partials,
                                        int slot, int slots, float scale, float factor, float mean_factor) {
    float sum = 0.0f, lost = 0.0f;
    FOR_RANGE(i, slots * slots) {
        float difference = scale * products[i] - target[i];
        weights[i] = 2.0f * scale * factor * sign_of(difference);
        ADD_TERM(float, sum, lost, factor *fabs(difference));
        if (i < slots) {
            float mean_difference = mean[i] - target_mean[i];
            bias[i] = scale * mean_factor * sign_of(mean_difference);
            ADD_TERM(float, sum, lost, mean_factor *fabs(mean_difference));
        }
    }
    REDUCE(sum, partials + (size_t)slot * get_num_groups(0));
}
