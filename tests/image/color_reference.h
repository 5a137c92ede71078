/* color_reference.h: colors of other primaries and curves as sRGB, in double precision, from the definitions. */
#ifndef TESTS_IMAGE_COLOR_REFERENCE_H
#define TESTS_IMAGE_COLOR_REFERENCE_H

#include "image/color_profile.h"

/* A color (0..1) of that space, whose white is D65, as sRGB, clamped to 0..1. */
void reference_to_srgb(const struct color_space *space, const double color[3], double srgb[3]);

/* CIE Lab of D50 as sRGB, through Little CMS's own profiles, in its doubles. */
void reference_lab_to_srgb(const double lab[3], double color[3]);

#endif
