/* input.cl: between the image that is optimized and the network.
 *
 * The image is planar, float [3][height][width], red, green, blue, 0..255. The network sees
 *     input[c] = image[order[c]] * scale[c] + offset[c],
 * a feature map of 3 channels; its gradient goes back as image_gradient[order[c]] = scale[c] * gradient[c].
 * order, scale and offset are those of the network's input convention, each as three numbers.
 */
#include "common.h"
#include "features.h"

__kernel IN_GROUPS void image_to_input(__global const float *image, __global featureB *input, int pixels, int order0,
                                       int order1, int order2, float scale0, float scale1, float scale2, float offset0,
                                       float offset1, float offset2) {
    FOR_RANGE(i, pixels) {
        float c0 = image[(size_t)order0 * pixels + i] * scale0 + offset0;
        float c1 = image[(size_t)order1 * pixels + i] * scale1 + offset1;
        float c2 = image[(size_t)order2 * pixels + i] * scale2 + offset2;
#if BLOCK == 1
        store_feature(input + i, c0);
        store_feature(input + (size_t)pixels + i, c1);
        store_feature(input + (size_t)2 * pixels + i, c2);
#else
        floatB value = (floatB)(0.0f);
        value.s0 = c0;
        value.s1 = c1;
        value.s2 = c2;
        store_features(input + i, value);
#endif
    }
}

__kernel IN_GROUPS void input_gradient_to_image(__global const featureB *gradient, __global float *image_gradient,
                                                int pixels, int order0, int order1, int order2, float scale0,
                                                float scale1, float scale2) {
    FOR_RANGE(i, pixels) {
#if BLOCK == 1
        float c0 = LOAD_FEATURE(gradient + i), c1 = LOAD_FEATURE(gradient + (size_t)pixels + i);
        float c2 = LOAD_FEATURE(gradient + (size_t)2 * pixels + i);
#else
        floatB value = LOAD_FEATURES(gradient + i);
        float c0 = value.s0, c1 = value.s1, c2 = value.s2;
#endif
        image_gradient[(size_t)order0 * pixels + i] = scale0 * c0;
        image_gradient[(size_t)order1 * pixels + i] = scale1 * c1;
        image_gradient[(size_t)order2 * pixels + i] = scale2 * c2;
    }
}
