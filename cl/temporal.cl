/* temporal.cl: how far the image is from another one, pixel by pixel, and the gradient (loss/temporal.c).
 *
 *     loss = factor * sum w (x - t)^2        gradient += 2 factor w (x - t)        (if `adds`)
 * Images are float [planes][height][width], `lines` = planes * height of them; w is float [height][width], or 1
 * everywhere unless `is_weighted`. partials: one partial sum of the loss per work-group.
 */
#include "common.h"

__kernel IN_GROUPS void temporal(__global const float *image, __global const float *target,
                                 __global const float *weights, int is_weighted, __global float *gradient, int adds,
                                 __global float *partials, int slot, int4 lines, float factor) {
    int height = lines.y, width = lines.z;
    float total = 0.0f, lost = 0.0f;
    FOR_LINES(line, lines.x, x, width) {
        size_t i = (size_t)line * width + x;
        float weight = is_weighted ? factor * weights[(size_t)(line % height) * width + x] : factor;
        float difference = image[i] - target[i];
        if (adds) {
            gradient[i] += 2.0f * weight * difference;
        }
        ADD_TERM(float, total, lost, weight *difference *difference);
    }
    REDUCE(total, partials + (size_t)slot * get_num_groups(0));
}
