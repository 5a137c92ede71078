/* bench_probe.cl: what a device can do at best, for the shares that `nst bench` tells: fused multiply-adds in
 * registers, and streams from and to memory. WIDTH is the length of the vectors, CHAINS how many of them one
 * work-item sums up at once. */
#include "common.h"

#ifndef WIDTH
#define WIDTH 4
#endif
#ifndef CHAINS
#define CHAINS 8
#endif

#if WIDTH == 1
typedef float floatW;
#elif WIDTH == 2
typedef float2 floatW;
#elif WIDTH == 4
typedef float4 floatW;
#elif WIDTH == 8
typedef float8 floatW;
#elif WIDTH == 16
typedef float16 floatW;
#endif

/* rounds * CHAINS * WIDTH multiply-adds per work-item, none of which can be left out: the result is stored. Not
 * mad(), which PoCL 3.1 does not fuse. */
__kernel IN_GROUPS void bench_fma(__global floatW *result, float factor, float summand, int rounds) {
    floatW sums[CHAINS];
#pragma unroll
    for (int i = 0; i < CHAINS; ++i) {
        sums[i] = (floatW)(summand * i + get_global_id(0));
    }
    for (int round = 0; round < rounds; ++round) {
#pragma unroll
        for (int i = 0; i < CHAINS; ++i) {
            sums[i] = sums[i] * factor + summand;
        }
    }
    floatW sum = (floatW)(0.0f);
#pragma unroll
    for (int i = 0; i < CHAINS; ++i) {
        sum += sums[i];
    }
    result[get_global_id(0)] = sum;
}

/* Pseudo-random numbers in 0..1: zeros flatter devices that compress or save power on them. */
__kernel IN_GROUPS void bench_fill(__global float *values, uint seed, int count) {
    FOR_RANGE(i, count) {
        uint bits = (uint)i * 2654435761u + seed;
        bits = (bits ^ (bits >> 15)) * 2246822519u;
        bits = (bits ^ (bits >> 13)) * 3266489917u;
        values[i] = (float)((bits ^ (bits >> 16)) >> 8) * 5.9604645e-8f;
    }
}

/* sum = a + factor * b, the triad of McCalpin's STREAM (1995): three streams, one of them written. */
__kernel IN_GROUPS void bench_triad(__global const floatW *a, __global const floatW *b, __global floatW *sum,
                                    float factor, int count) {
    FOR_RANGE(i, count) {
        sum[i] = a[i] + factor * b[i];
    }
}
