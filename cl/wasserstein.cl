/* wasserstein.cl: what the Wasserstein loss makes of means and second moments; the formulas are in loss/wasserstein.c.
 *
 * mean: float [channels], filled up to whole blocks. moments: float [channels][channels], sums of products of features
 * (cl/gram.cl), of which `scale` + `scale_rest` times are taken. The other matrices are float [side][side]. Symmetric
 * ones are read along rows or columns, whichever suits the device.
 */
#include "common.h"

#include "features.h"

/* mean[c] = mean of a map's channel; a work-group for each block. */
__kernel IN_GROUPS void map_mean(__global const featureB *map, __global floatB *mean, int pixels) {
    __local floatB sums[WORK_GROUP];
    int block = get_group_id(0), item = get_local_id(0);
    floatB sum = (floatB)(0.0f), lost = (floatB)(0.0f);
    for (int p = item; p < pixels; p += WORK_GROUP) {
        ADD_TERM(floatB, sum, lost, LOAD_FEATURES(map + (size_t)block * pixels + p));
    }
    sums[item] = sum;
    for (int half_size = WORK_GROUP / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < half_size) {
            sums[item] += sums[item + half_size];
        }
    }
    if (item == 0) {
        mean[block] = sums[0] / (float)pixels;
    }
}

/* covariance = scale moments - mean mean^T + epsilon I */
__kernel IN_GROUPS void covariance(__global const float *moments, __global const float *mean,
                                   __global float *covariance, int channels, int side, float scale, float scale_rest,
                                   float epsilon) {
    const int filled = (channels + BLOCK - 1) / BLOCK * BLOCK; /* products read what is behind the last */
    FOR_LINES(row, filled, column, filled) {
        float value = 0.0f;
        if (row < channels && column < channels) {
            float moment = moments[(size_t)row * channels + column];
            value = fma(-mean[row], mean[column], scale * moment) + scale_rest * moment;
            value += row == column ? epsilon : 0.0f;
        }
        covariance[(size_t)row * side + column] = value;
    }
}

__kernel IN_GROUPS void diagonal(__global const float *matrix, __global float *diagonal, int channels, int side) {
    FOR_RANGE(i, channels) {
        diagonal[i] = matrix[(size_t)i * side + i];
    }
}

/* loss = weight * sum over channels of (mean - mean*)^2 + variance + variance* - 2 |A|^(1/2) root */
__kernel IN_GROUPS void wasserstein_value(__global const float *mean, __global const float *target_mean,
                                          __global const float *variance, __global const float *target_variance,
                                          __global const float *root, __global const float *squares,
                                          __global float *partials, int slot, int channels, int side, float weight) {
    float factor = 2.0f * sqrt(sqrt(squares[0])), sum = 0.0f, lost = 0.0f;
    FOR_RANGE(i, channels) {
        float difference = mean[i] - target_mean[i];
        float spread = variance[i] + target_variance[i] - factor * root[(size_t)i * side + i];
        ADD_TERM(float, sum, lost, difference *difference + spread);
    }
    REDUCE(weight * sum, partials + (size_t)slot * get_num_groups(0));
}

/* The gradient as a 1x1 convolution of the map: weights = weight D, bias = weight (mean - mean* - D mean), with
 * D = I - inverse / (|A|^(1/2) |R|): |A|^2 is in squares[0], |R|^2 in squares[1]. */
__kernel IN_GROUPS void wasserstein_slope(__global const float *inverse, __global const float *squares,
                                          __global const float *mean, __global const float *target_mean,
                                          __global float *weights, __global float *bias, int channels, int side,
                                          float weight) {
    float product = sqrt(sqrt(squares[0])) * sqrt(squares[1]), factor = product > 0.0f ? 1.0f / product : 0.0f;
    FOR_RANGE(row, channels) {
        float sum = 0.0f;
        for (int k = 0; k < channels; ++k) {
            size_t from = LOOPS ? (size_t)row * side + k : (size_t)k * side + row;
            size_t to = LOOPS ? (size_t)row * channels + k : (size_t)k * channels + row;
            float slope = (row == k ? 1.0f : 0.0f) - factor * inverse[from];
            weights[to] = weight * slope;
            sum += slope * mean[k];
        }
        bias[row] = weight * (mean[row] - target_mean[row] - sum);
    }
}
