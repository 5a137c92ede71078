/* half.c: 16-bit floating-point types to float and back. See half.h. */
#include "weights/half.h"
#include <math.h>
#include <string.h>

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

float half_to_float(uint16_t half) {
    float sign = half & 0x8000 ? -1.0f : 1.0f;
    int exponent = half >> 10 & 31;
    float fraction = (float)(half & 1023);
    if (exponent == 31) {
        return fraction == 0 ? sign * INFINITY : NAN;
    }
    if (exponent == 0) {
        return sign * ldexpf(fraction, -24);
    }
    return sign * ldexpf(fraction + 1024, exponent - 25);
}

float bfloat16_to_float(uint16_t bfloat16) {
    uint32_t bits = (uint32_t)bfloat16 << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t half_from_float(float value) {
    uint16_t sign = (uint16_t)(bits_of(value) >> 16 & 0x8000);
    float magnitude = fabsf(value);
    if (isnan(value)) {
        return sign | 0x7e00;
    }
    if (magnitude >= 65520) { /* half way from the largest, 65504, to what would be the next */
        return sign | 0x7c00;
    }
    if (magnitude <
        0x1p-14f) { /* subnormal: a multiple of 2^-24; rounding up to 1024 gives the smallest normal number */
        return sign | (uint16_t)rintf(ldexpf(magnitude, 24));
    }
    /* Adding half of the last place, less one if that place is even, carries where rounding up is due. */
    uint32_t bits = bits_of(magnitude);
    bits += 0xfff + (bits >> 13 & 1);
    return sign | (uint16_t)((bits >> 13) - ((127 - 15) << 10));
}

uint16_t bfloat16_from_float(float value) {
    uint32_t bits = bits_of(value);
    if (isnan(value)) {
        return (uint16_t)(bits >> 16 | 0x40);
    }
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
