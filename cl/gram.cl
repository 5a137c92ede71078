/* gram.cl: what the style loss makes of a Gram matrix G: dense, float [channels][channels]; so are the others.
 *
 * The scale s is the sum of two floats: the rounding of one would be the same in all elements, and s G - A is several
 * times smaller than A.
 */
#include "common.h"

/* sum += scale * values, where `begins` from zero; what rounding loses is carried along in `lost` (ADD_TERM). For what is
 * gathered tile by tile. */
__kernel IN_GROUPS void accumulate(__global const float *values, __global float *sum, __global float *lost, int count,
                                   float scale, int begins) {
    FOR_RANGE(i, count) {
        float so_far = begins ? 0.0f : sum[i], rest = begins ? 0.0f : lost[i];
        ADD_TERM(float, so_far, rest, scale *values[i]);
        sum[i] = so_far;
        lost[i] = rest;
    }
}

/* target += s gram */
__kernel IN_GROUPS void gram_blend(__global const float *gram, __global float *target, int count, float scale,
                                   float scale_rest) {
    FOR_RANGE(i, count) {
        target[i] += scale * gram[i] + scale_rest * gram[i];
    }
}

/* loss = weight * sum (s G - A)^2; difference = 4 weight s (s G - A): the style gradient is difference * F. */
__kernel IN_GROUPS void gram_difference(__global const float *gram, __global const float *target,
                                        __global float *difference, __global float *partials, int slot, int count,
                                        float weight, float scale, float scale_rest) {
    floatB sum = (floatB)(0.0f), lost = (floatB)(0.0f);
    FOR_RANGE(i, count / BLOCK) {
        floatB g = ((__global const floatB *)gram)[i];
        floatB d = scale * g - ((__global const floatB *)target)[i] + scale_rest * g;
        ADD_TERM(floatB, sum, lost, d * d);
        ((__global floatB *)difference)[i] = 4.0f * weight * scale * d;
    }
    float rest = 0.0f;
    for (int i = count / BLOCK * BLOCK; i < count && get_global_id(0) == 0; ++i) {
        float d = scale * gram[i] - target[i] + scale_rest * gram[i];
        rest += d * d;
        difference[i] = 4.0f * weight * scale * d;
    }
    REDUCE(weight * (SUM(sum) + rest), partials + (size_t)slot * get_num_groups(0));
}
