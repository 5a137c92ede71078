/* hold.cl: an image of which some pixels are held: they keep what they are.
 *
 * The image is float [3][pixels], count = 3 * pixels elements; free: float [pixels], 1 where a pixel may change, 0 where
 * it is held.
 */
#include "common.h"

/* image = free ? vector : kept; `vector` may be `image`. */
__kernel IN_GROUPS void hold_image(__global const float *vector, __global const float *kept, __global const float *free,
                                   __global float *image, int pixels, int count) {
    FOR_RANGE(i, count) {
        image[i] = free[i % pixels] > 0.0f ? vector[i] : kept[i];
    }
}

/* The gradient with respect to the vector from that with respect to the image. */
__kernel IN_GROUPS void hold_gradient(__global float *gradient, __global const float *free, int pixels, int count) {
    FOR_RANGE(i, count) {
        gradient[i] = free[i % pixels] > 0.0f ? gradient[i] : 0.0f;
    }
}
