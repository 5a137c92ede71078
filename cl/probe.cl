/* probe.cl: the device's peak of fused multiply-adds: CHAINS independent sums, each a vector, nothing from memory.
 * One work-item does rounds * CHAINS * BLOCK of them, 2 FLOP each. */
#include "common.h"

#define CHAINS 12

__kernel void probe_fma(__global floatB *result, float factor, float summand, int rounds) {
    floatB sums[CHAINS];
#pragma unroll
    for (int i = 0; i < CHAINS; ++i) {
        sums[i] = (floatB)(summand * i);
    }
    for (int round = 0; round < rounds; ++round) {
#pragma unroll
        for (int i = 0; i < CHAINS; ++i) {
            sums[i] = sums[i] * factor + summand;
        }
    }
    floatB sum = (floatB)(0.0f);
#pragma unroll
    for (int i = 0; i < CHAINS; ++i) {
        sum += sums[i];
    }
    result[get_global_id(0)] = sum;
}
