/* earth_mover.cl: the relaxed earth mover's distance between samples of the image and of the styles (Kusner et al. 2015),
 *
 *     loss = max(mean over p of min over q of d(p, q), mean over q of min over p of d(p, q))     d = 1 - cos(x(p), y(q))
 *
 * from the nearest of each to the other (cl/matching.cl). The larger mean is written as a cosine distance of each x(p)
 * (cl/cosine.cl) from a target
 *
 *     t(p) = y(nearest(p)) / |y|          or          P / Q * sum over those q whose nearest is p of y(q) / |y(q)|
 *
 * P and Q are the numbers of positions. Stacks are float [blocks][positions][BLOCK].
 */
#include "common.h"

#include "stack.h"

/* partials[0] and [1]: of the sums of both similarities. */
__kernel IN_GROUPS void earth_mover_sums(__global const float *image_similarity, __global const float *style_similarity,
                                         __global float *partials, int positions, int style_positions) {
    REDUCE_MEMORY;
    float sum = 0.0f, lost = 0.0f, style_sum = 0.0f, style_lost = 0.0f;
    FOR_RANGE(p, positions) {
        ADD_TERM(float, sum, lost, image_similarity[p]);
    }
    FOR_RANGE(q, style_positions) {
        ADD_TERM(float, style_sum, style_lost, style_similarity[q]);
    }
    REDUCE_STORE(sum, partials);
#if WORK_GROUP > 1
    barrier(CLK_LOCAL_MEM_FENCE);
#endif
    REDUCE_STORE(style_sum, partials + get_num_groups(0));
}

/* groups: how many partial sums there are of each; squares: of the styles' vectors. */
__kernel IN_GROUPS void earth_mover_targets(__global const floatB *style, __global const float *squares,
                                            __global const int *nearest, __global const int *nearest_of_style,
                                            __global const float *partials, int groups, __global floatB *targets,
                                            int blocks, int positions, int style_positions) {
    float image_sum = 0.0f, style_sum = 0.0f;
    for (int i = 0; i < groups; ++i) {
        image_sum += partials[i];
        style_sum += partials[groups + i];
    }
    const bool by_image = image_sum / (float)positions < style_sum / (float)style_positions; /* the larger distance */
    const float share = (float)positions / (float)style_positions;
    FOR_RANGE(block, blocks) {
        __global const floatB *from = style + (size_t)block * style_positions;
        __global floatB *to = targets + (size_t)block * positions;
        for (int p = 0; p < positions; ++p) {
            int q = nearest[p];
            to[p] = by_image ? inverse_length(squares[q]) * from[q] : (floatB)(0.0f);
        }
        for (int q = 0; q < style_positions && !by_image; ++q) {
            to[nearest_of_style[q]] += share * inverse_length(squares[q]) * from[q];
        }
    }
}
