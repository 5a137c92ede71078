/* adam.cl: one step of Adam (Kingma and Ba 2015, algorithm 1) on the image.
 *
 *     m = beta1 m + (1 - beta1) g       v = beta2 v + (1 - beta2) g^2
 *     image -= step * m / (sqrt(v) / correction + epsilon)
 * step = learning rate / (1 - beta1^t), correction = sqrt(1 - beta2^t), from the host; without correction the learning
 * rate and 1: with beta1 = 0 this is RMSprop. All vectors float [count].
 * The image before the step is kept in last_image. Partial sums of g^2 come first: they tell a gradient that is not
 * finite.
 */
#include "common.h"

__kernel IN_GROUPS void adam_squares(__global const float *gradient, int count, __global float *partials) {
    float squares = 0.0f;
    FOR_RANGE(i, count) {
        squares += gradient[i] * gradient[i];
    }
    REDUCE(squares, partials);
}

__kernel IN_GROUPS void adam_step(__global float *image, __global const float *gradient, __global float *last_image,
                                  __global float *m, __global float *v, int count, float beta1, float beta2, float step,
                                  float correction, float epsilon, int bounded, float low, float high) {
    FOR_RANGE(i, count) {
        float g = gradient[i], x = image[i];
        float mean = beta1 * m[i] + (1.0f - beta1) * g;
        float square = beta2 * v[i] + (1.0f - beta2) * g * g;
        float moved = x - step * mean / (sqrt(square) / correction + epsilon);
        m[i] = mean;
        v[i] = square;
        last_image[i] = x;
        image[i] = bounded ? clamp(moved, low, high) : moved;
    }
}
