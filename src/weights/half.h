/* half.h: the two 16-bit floating-point types, IEEE 754 binary16 (F16: 5 bits of exponent, 10 of fraction) and bfloat16
 * (BF16: 8 and 7, the upper half of a float), as bits. */
#ifndef WEIGHTS_HALF_H
#define WEIGHTS_HALF_H

#include <stdint.h>

/* Exact. */
float half_to_float(uint16_t half);
float bfloat16_to_float(uint16_t bfloat16);

/* Rounded to nearest, ties to even; beyond the largest value infinite; a NaN stays one. */
uint16_t half_from_float(float value);
uint16_t bfloat16_from_float(float value);

#endif
