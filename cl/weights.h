/* weights.h: filters in memory, as floats or, where HALF_WEIGHTS is 1, as halves (IEEE 754 binary16), which every
 * device can load without cl_khr_fp16. They are computed with as floats. Included after common.h.
 *
 * weightB and weight4 are one vector of them in memory, LOAD_WEIGHT and LOAD_WEIGHT4 read the one at an address.
 */
#ifndef HALF_WEIGHTS
#define HALF_WEIGHTS 0
#endif

#if !HALF_WEIGHTS
typedef floatB weightB;
typedef float4 weight4;
#define LOAD_WEIGHT(address)  (*(address))
#define LOAD_WEIGHT4(address) (*(address))
#else
typedef ushortB weightB; /* of halves a program may have pointers only */
typedef ushort4 weight4;
#define LOAD_WEIGHT4(address) vloada_half4(0, (__global const half *)(address))
#if BLOCK == 1
#define LOAD_WEIGHT(address) vload_half(0, (__global const half *)(address))
#elif BLOCK == 4
#define LOAD_WEIGHT(address) LOAD_WEIGHT4(address)
#elif BLOCK == 8
#define LOAD_WEIGHT(address) vloada_half8(0, (__global const half *)(address))
#elif BLOCK == 16
#define LOAD_WEIGHT(address) vloada_half16(0, (__global const half *)(address))
#endif
#endif
