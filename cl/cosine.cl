/* cosine.cl: how far the vectors of features f(p) of a stack of layers are from targets t(p) in direction.
 *
 *     loss = sum over positions p of w(p) (1 - cos(f(p) - m, t(p)))         t of length 1, or zero; m: center, or none
 *     d loss / d f(p) = w(p) / |f - m| * (cos * (f - m) / |f - m| - t)
 *
 * In three steps, of which the first and the last go through the layers one by one:
 *
 *     cosine_add     dots[p] += <f - m, t>    squares[p] += |f - m|^2
 *     cosine_loss    the loss; then dots[p] becomes what multiplies t, squares[p] what multiplies f - m
 *     cosine_slope   slope = dots[p] t + squares[p] (f - m)
 *
 * m counts as constant here: src/loss/neighbor_search.c does the rest. Where f - m has no direction (cl/stack.h) the cosine is 0, and so is the slope. Samples, targets
 * and slopes are float [blocks][positions][BLOCK] and begin at a block of their buffer, m is float [blocks][BLOCK] and
 * may be a null pointer.
 */
#include "common.h"

#include "stack.h"

__kernel IN_GROUPS void cosine_add(__global const floatB *samples, __global const floatB *targets,
                                   __global const floatB *mean, int has_mean, __global float *dots,
                                   __global float *squares, int first_sample_block, int first_target_block, int blocks,
                                   int positions, int adds) {
    samples += (size_t)first_sample_block * positions;
    targets += (size_t)first_target_block * positions;
    FOR_RANGE(run, (positions + RUN - 1) / RUN) {
        floatB products[RUN], products_lost[RUN], lengths[RUN], lengths_lost[RUN];
        for (int r = 0; r < RUN; ++r) {
            products[r] = products_lost[r] = lengths[r] = lengths_lost[r] = (floatB)(0.0f);
        }
        for (int block = 0; block < blocks; ++block) {
            floatB center = has_mean ? mean[first_sample_block + block] : (floatB)(0.0f);
            for (int r = 0; r < RUN; ++r) {
                size_t i = (size_t)block * positions + min(run * RUN + r, positions - 1);
                floatB value = samples[i] - center;
                ADD_TERM(floatB, products[r], products_lost[r], value * targets[i]);
                ADD_TERM(floatB, lengths[r], lengths_lost[r], value * value);
            }
        }
        for (int r = 0; r < RUN && run * RUN + r < positions; ++r) {
            int p = run * RUN + r;
            dots[p] = (adds ? dots[p] : 0.0f) + SUM(products[r]);
            squares[p] = (adds ? squares[p] : 0.0f) + SUM(lengths[r]);
        }
    }
}

/* w(p) = weight * weights[p]; `weights` may be a null pointer: ones. */
__kernel IN_GROUPS void cosine_loss(__global float *dots, __global float *squares, __global const float *weights,
                                    int has_weights, __global float *partials, int slot, int positions, float weight) {
    float sum = 0.0f, lost = 0.0f;
    FOR_RANGE(p, positions) {
        float inverse = inverse_length(squares[p]), cosine = dots[p] * inverse;
        float here = has_weights ? weight * weights[p] : weight;
        ADD_TERM(float, sum, lost, here *(1.0f - cosine));
        dots[p] = -here * inverse;
        squares[p] = here * cosine * inverse * inverse;
    }
    REDUCE(sum, partials + (size_t)slot * get_num_groups(0));
}

/* `slope` may be `samples`. */
__kernel IN_GROUPS void cosine_slope(__global const floatB *samples, __global const floatB *targets,
                                     __global const floatB *mean, int has_mean, __global const float *dots,
                                     __global const float *squares, __global floatB *slope, int first_sample_block,
                                     int first_target_block, int blocks, int positions) {
    FOR_LINES(block, blocks, p, positions) {
        size_t i = (size_t)(first_sample_block + block) * positions + p;
        floatB center = has_mean ? mean[first_sample_block + block] : (floatB)(0.0f);
        floatB target = targets[(size_t)(first_target_block + block) * positions + p];
        slope[i] = dots[p] * target + squares[p] * (samples[i] - center);
    }
}
