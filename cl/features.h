/* features.h: feature maps and their gradients in memory, as floats or, where HALF_MAPS is 1, as bfloat16, the upper 16
 * bits of a float, rounded to nearest, ties to even: no number is too large or too small for it, and no extension is
 * needed. They are computed with as floats. Included after common.h.
 *
 * featureB, feature4 and feature are BLOCK, four and one of them in memory. Loads are no functions: with one called in
 * its loop, Intel's compiler for GPUs moves the sums of gram_tiles to scratch memory.
 */
#ifndef HALF_MAPS
#define HALF_MAPS 0
#endif

#if !HALF_MAPS

typedef floatB featureB;
typedef float4 feature4;
typedef float feature;

#define LOAD_FEATURES(address)      (*(address))
#define LOAD_FOUR_FEATURES(address) (*(address))
#define LOAD_FEATURE(address)       (*(address))
INLINED void store_features(__global featureB *address, floatB values) {
    *address = values;
}
INLINED void store_four_features(__global feature4 *address, float4 values) {
    *address = values;
}
INLINED void store_feature(__global feature *address, float value) {
    *address = value;
}

#else

typedef ushortB featureB;
typedef ushort4 feature4;
typedef ushort feature;

#if BLOCK == 1
typedef uint uintB;
#define CONVERT_UINT(x) convert_uint(x)
#define AS_UINT(x)      as_uint(x)
#define AS_FLOAT(x)     as_float(x)
#elif BLOCK == 4
typedef uint4 uintB;
#define CONVERT_UINT(x) convert_uint4(x)
#define AS_UINT(x)      as_uint4(x)
#define AS_FLOAT(x)     as_float4(x)
#elif BLOCK == 8
typedef uint8 uintB;
#define CONVERT_UINT(x) convert_uint8(x)
#define AS_UINT(x)      as_uint8(x)
#define AS_FLOAT(x)     as_float8(x)
#elif BLOCK == 16
typedef uint16 uintB;
#define CONVERT_UINT(x) convert_uint16(x)
#define AS_UINT(x)      as_uint16(x)
#define AS_FLOAT(x)     as_float16(x)
#endif

#define LOAD_FEATURES(address)          AS_FLOAT(CONVERT_UINT(*(address)) << 16)
#define LOAD_FOUR_FEATURES(address)     as_float4(convert_uint4(*(address)) << 16)
#define LOAD_FEATURE(address)           as_float(convert_uint(*(address)) << 16)

/* The upper 16 bits of floats, whose bits are given: adding half of the last place, less one if that place is even,
 * carries where rounding up is due. What is not a number would carry too, and become one. */
#define ROUNDED(bits)                   (((bits) + 0x7fff + ((bits) >> 16 & 1)) >> 16)
#define ROUNDED_IF_NUMBER(bits, is_not) select(ROUNDED(bits), (bits) >> 16 | 0x40, is_not)

INLINED void store_features(__global featureB *address, floatB values) {
    uintB bits = AS_UINT(values);
    *address = CONVERT_USHORT(ROUNDED_IF_NUMBER(bits, LANES(values != values)));
}
INLINED void store_four_features(__global feature4 *address, float4 values) {
    uint4 bits = as_uint4(values);
    *address = convert_ushort4(ROUNDED_IF_NUMBER(bits, values != values));
}
INLINED void store_feature(__global feature *address, float value) {
    uint bits = as_uint(value);
    *address = (ushort)(value != value ? bits >> 16 | 0x40 : ROUNDED(bits));
}

#endif
