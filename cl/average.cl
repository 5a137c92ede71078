/* average.cl: average += share * (image - average), all of float [count]. */
#include "common.h"

__kernel IN_GROUPS void average_add(__global float *average, __global const float *image, int count, float share) {
    FOR_RANGE(i, count) {
        average[i] += share * (image[i] - average[i]);
    }
}
