/* convention.h: what input a network expects, as text and as numbers.
 *
 * The text is "caffe", "torchvision", or in general
 *     ORDER, 0..RANGE[, minus (A, B, C)][, over (A, B, C)]
 * with ORDER "RGB" or "BGR", RANGE "1" or "255", and the numbers in that order: first the pixels are brought to the
 * range, then the first three numbers are subtracted, then the result is divided by the second three. */
#ifndef WEIGHTS_CONVENTION_H
#define WEIGHTS_CONVENTION_H

#include "weights/network.h"

/* False if the text is not understood. `convention->name` becomes "caffe" or "torchvision" also for the same in
 * numbers. */
bool convention_from_text(const char *text, struct input_convention *convention);

/* Whether two conventions are the same, up to rounding. */
bool convention_equal(const struct input_convention *a, const struct input_convention *b);

/* The general form of a named convention ("BGR, 0..255, minus ..."), or `text` itself. */
const char *convention_in_words(const char *text);

#endif
